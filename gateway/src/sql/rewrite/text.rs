//! Functions of texts, templates and patterns that the worker's own functions compute.

use duckmesh_catalog::ColumnType;

use super::{
    Ex, Kind, Rewriter, datetime,
    number::LONG,
    operator::{is_number, is_text},
};
use crate::{sql::quote, wire::error::PgResult};

impl Rewriter<'_> {
    /// Functions of the worker over texts. None: not one of them.
    pub fn text_call(&mut self, name: &str, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        if !self.has_functions() {
            return Ok(None);
        }
        let texts = || T::Array(Box::new(T::Text));
        Ok(match (name, values.len()) {
            ("to_char", 2) => return self.char_template(values, at),
            ("to_date", 2) => {
                let call = self.texts_call("pg_time_of_char", values, 0)?;
                Some(Ex::of(format!("CAST(CAST({call} AS TIMESTAMP) AS DATE)"), T::Date))
            }
            ("to_timestamp", 2) => {
                let call = self.texts_call("pg_time_of_char", values, 0)?;
                Some(Ex::of(format!("CAST({call} AS TIMESTAMPTZ)"), T::Timestamptz))
            }
            ("to_number", 2) => Some(Ex::of(self.texts_call("pg_number_of_char", values, 0)?, LONG)),
            ("regexp_match", 2 | 3) => Some(Ex::of(self.texts_call("pg_regexp_match", values, 3)?, texts())),
            ("regexp_matches", 2 | 3) => {
                let call = self.texts_call("pg_regexp_matches", values, 3)?;
                // Groups come joined: a list of lists cannot be given by a function.
                let sql = format!(
                    "unnest(list_transform({call}, lambda m: list_transform(string_split(m, chr(31)), \
                     lambda g: CASE WHEN g <> chr(30) THEN g END)))"
                );
                Some(Ex::of(sql, texts()))
            }
            ("regexp_split_to_array", 2 | 3) => Some(Ex::of(self.texts_call("pg_regexp_split", values, 3)?, texts())),
            ("regexp_split_to_table", 2 | 3) => {
                let call = self.texts_call("pg_regexp_split", values, 3)?;
                Some(Ex::of(format!("unnest({call})"), T::Text))
            }
            ("regexp_replace", 4..=6)
                if values.get(3).is_some_and(|v| !v.is_unknown() && v.ty.as_ref().is_some_and(is_number)) =>
            {
                // Without a count the first is meant.
                let call = self.pattern_call("pg_regexp_replace_from", values, &["", "", "", "'1'", "'1'", "''"])?;
                Some(Ex::of(call, T::Text))
            }
            ("regexp_count", 2..=4) => {
                let call = self.pattern_call("pg_regexp_count", values, &["", "", "'1'", "''"])?;
                Some(Ex::of(format!("CAST({call} AS INTEGER)"), T::Int4))
            }
            ("regexp_instr", 2..=7) => {
                let rest = ["", "", "'1'", "'1'", "'0'", "''", "'0'"];
                let call = self.pattern_call("pg_regexp_instr", values, &rest)?;
                Some(Ex::of(format!("CAST({call} AS INTEGER)"), T::Int4))
            }
            ("regexp_substr", 2..=6) => {
                let call = self.pattern_call("pg_regexp_substr", values, &["", "", "'1'", "'1'", "''", "'0'"])?;
                Some(Ex::of(call, T::Text))
            }
            ("regexp_like", 2 | 3) => Some(Ex::of(self.texts_call("pg_regexp_like", values, 3)?, T::Bool)),
            ("get_byte" | "get_bit", 2) | ("set_byte" | "set_bit", 3) => return self.bytes_call(name, values),
            ("regexp_replace", 3 | 4) if values.iter().all(|v| v.is_unknown() || v.ty.as_ref().is_none_or(is_text)) => {
                Some(Ex::of(self.texts_call("pg_regexp_replace", values, 4)?, T::Text))
            }
            ("string_to_table", 2) => {
                let call = self.texts_call("pg_string_to_array", values, 0)?;
                Some(Ex::of(format!("unnest({call})"), T::Text))
            }
            ("format", 1..) => {
                let mut shown = Vec::new();
                for value in values.drain(..) {
                    let is_constant = matches!(value.kind, Kind::Str(_) | Kind::Number(_));
                    let text = self.output_text(value)?;
                    // It fails for some texts: not for those of rows that are left out (see `engine/worker/udf.rs`).
                    shown.push(if is_constant { text } else { format!("repeat({text}, 1)") });
                }
                Some(Ex::of(format!("pg_format({})", shown.join(", ")), T::Text))
            }
            ("quote_literal" | "quote_nullable", 1) if !values.iter().any(|v| v.ty.as_ref().is_none_or(is_text)) => {
                let text = self.output_text(values.remove(0))?;
                Some(Ex::of(
                    format!(
                        "COALESCE(pg_quote_literal({text}), {})",
                        if name == "quote_nullable" { "'NULL'" } else { "NULL" }
                    ),
                    T::Text,
                ))
            }
            ("encode", 2) => {
                let (Some(format), Some(bytes)) = (values.pop(), values.pop()) else { return Ok(None) };
                let bytes = self.settle(bytes, &T::Bytea)?;
                if bytes.ty.as_ref().is_some_and(|t| *t != T::Bytea) {
                    return Err(self.undefined_function(name, &[bytes, format], at));
                }
                let format = self.settle(format, &T::Text)?;
                Some(Ex::of(format!("pg_encode(hex({}), {})", bytes.sql, format.sql), T::Text))
            }
            ("convert_to", 2) if values.iter().all(|v| v.is_unknown() || v.ty.as_ref().is_some_and(is_text)) => {
                Some(Ex::of(self.texts_call("pg_convert_to", values, 0)?, T::Bytea))
            }
            ("convert_from", 2) => {
                let [bytes, encoding] = values.as_slice() else { return Ok(None) };
                let (bytes, encoding) = (bytes.clone(), encoding.clone());
                let (bytes, encoding) = (self.settle(bytes, &T::Bytea)?, self.settle(encoding, &T::Text)?);
                if bytes.ty != Some(T::Bytea) || !encoding.ty.as_ref().is_some_and(is_text) {
                    return Ok(None);
                }
                let sql = format!("pg_convert_from_bytes(hex({}), {})", bytes.sql, encoding.sql);
                Some(Ex::of(sql, T::Text))
            }
            ("decode", 2) => Some(Ex::of(self.texts_call("pg_decode", values, 0)?, T::Bytea)),
            ("unistr", 1) => Some(Ex::of(self.texts_call("pg_unistr", values, 0)?, T::Text)),
            ("substring", 3) if values.iter().skip(1).all(may_be_text) => {
                Some(Ex::of(self.texts_call("pg_similar_part", values, 0)?, T::Text))
            }
            ("substring", 2) if values.get(1).is_some_and(may_be_text) => {
                let call = self.texts_call("pg_regexp_match", values, 3)?;
                Some(Ex::of(format!("CAST(({call})[1] AS VARCHAR)"), T::Text))
            }
            _ => None,
        })
    }

    /// A call over texts and numbers; missing ones are as given.
    fn pattern_call(&mut self, function: &str, values: &mut Vec<Ex>, rest: &[&str]) -> PgResult<String> {
        let mut texts = Vec::new();
        for value in values.drain(..) {
            let value = self.settle(value, &ColumnType::Text)?;
            texts.push(match value.ty.as_ref().is_some_and(is_text) {
                true => value.sql,
                false => format!("CAST({} AS VARCHAR)", value.sql),
            });
        }
        texts.extend(rest.iter().skip(texts.len()).map(|text| (*text).to_owned()));
        Ok(format!("{function}({})", texts.join(", ")))
    }

    /// `get_byte(bytes, n)` and its like.
    fn bytes_call(&mut self, name: &str, values: &mut Vec<Ex>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let mut texts = Vec::new();
        for (n, value) in values.drain(..).enumerate() {
            let value = self.settle(value, if n == 0 { &T::Bytea } else { &T::Int4 })?;
            texts.push(match n {
                0 => format!("hex({})", value.sql),
                _ => format!("CAST({} AS VARCHAR)", value.sql),
            });
        }
        let call = format!("pg_{name}({})", texts.join(", "));
        Ok(Some(match name {
            "get_byte" | "get_bit" => Ex::of(format!("CAST({call} AS INTEGER)"), T::Int4),
            _ => Ex::of(call, T::Bytea),
        }))
    }

    /// A call over texts; missing ones up to `count` are empty.
    fn texts_call(&mut self, function: &str, values: &mut Vec<Ex>, count: usize) -> PgResult<String> {
        let mut texts = Vec::new();
        for value in values.drain(..) {
            texts.push(self.settle(value, &ColumnType::Text)?.sql);
        }
        while texts.len() < count {
            texts.push("''".to_owned());
        }
        Ok(format!("{function}({})", texts.join(", ")))
    }

    /// A value as Postgres' output shows it: a boolean is `t`.
    fn output_text(&mut self, value: Ex) -> PgResult<String> {
        let value = self.settle(value, &ColumnType::Text)?;
        self.output(value)
    }

    /// `to_char(value, template)`.
    fn char_template(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let [value, template] = values.as_slice() else { return Ok(None) };
        let point = value.is_unknown() || matches!(value.ty, Some(T::Date | T::Timestamp | T::Timestamptz) | None);
        // Where the engine's own words say the same, they are faster.
        if let Kind::Str(text) = &template.kind
            && point
            && datetime::strftime(text, false).is_some()
            && !text.is_empty()
        {
            return Ok(None);
        }
        let (value, template) = (values.remove(0), values.remove(0));
        let template = self.settle(template, &T::Text)?.sql;
        let value = self.settle(value, &T::Timestamptz)?;
        // A date is an instant there, which is seen where the template asks for the zone.
        let asks = template.to_ascii_lowercase();
        let zoned = !template.starts_with('\'') || asks.contains("tz") || asks.contains("of");
        let value = match value.ty == Some(T::Date) && zoned {
            true => self.cast(value, &T::Timestamptz, at)?,
            false => value,
        };
        let real = value.ty == Some(T::Float4);
        let value = if real { self.cast(value, &T::Float8, at)? } else { value };
        if let Some(call) = char_of_point(&value, &template) {
            return Ok(Some(Ex::of(call, T::Text)));
        }
        let x = value.sql.clone();
        let digits = match &value.ty {
            Some(T::Float8) if real => "6",
            Some(T::Float8) => "15",
            _ => "",
        };
        let call = match &value.ty {
            Some(T::Interval) => format!("pg_char_of_interval(pg_interval_parts({x}), {template})"),
            Some(T::Time) => {
                format!("pg_char_of_interval('0 0 ' || CAST(epoch_us({x}) AS VARCHAR), {template})")
            }
            Some(T::Float8) => format!("pg_char_of_number(CAST({x} AS VARCHAR), {template}, '{digits}')"),
            Some(ty) if is_number(ty) => {
                format!("pg_char_of_number({}, {template}, '{digits}')", self.long(value)?.sql)
            }
            Some(_) => return Err(self.undefined_function("to_char", &[value, Ex::of("", T::Text)], at)),
            None => return self.refuse("to_char of a value whose type is not known", at),
        };
        Ok(Some(Ex::of(call, T::Text)))
    }

    /// `to_char` of a point in time, where the template is a text of the client's. None: not of such a type.
    pub(super) fn char_of_template(&self, value: &Ex, template: &str) -> PgResult<Option<String>> {
        Ok(char_of_point(value, &quote::literal(template)?))
    }

    /// `sum` and `avg` of intervals. None: not one of them.
    pub fn interval_aggregate(&self, name: &str, values: &[Ex], distinct: &str, tail: &str) -> Option<Ex> {
        let [ex] = values else { return None };
        if ex.ty != Some(ColumnType::Interval) || ex.is_unknown() || !self.has_functions() {
            return None;
        }
        let list = (!distinct.is_empty()).then(|| self.distinct_list(ex, " NULLS LAST", tail));
        let x = if list.is_some() { "v" } else { ex.sql.as_str() };
        let sum = |part: String| match &list {
            Some(list) => format!("CAST(list_sum(list_transform({list}, lambda v: {part})) AS BIGINT)"),
            None => format!("CAST(sum({part}){tail} AS BIGINT)"),
        };
        let months = sum(format!("extract('year' FROM {x}) * 12 + extract('month' FROM {x})"));
        let days = sum(format!("extract('day' FROM {x})"));
        let micros = sum(format!(
            "extract('hour' FROM {x}) * 3600000000 + extract('minute' FROM {x}) * 60000000 + extract('microsecond' FROM {x})"
        ));
        let by = match name {
            "sum" => "'1'".to_owned(),
            "avg" => match &list {
                Some(list) => format!("CAST(list_count({list}) AS VARCHAR)"),
                None => format!("CAST(count({x}){tail} AS VARCHAR)"),
            },
            _ => return None,
        };
        let sql = format!("CAST(pg_interval_over({months} || ' ' || {days} || ' ' || {micros}, {by}) AS INTERVAL)");
        Some(Ex::of(sql, ColumnType::Interval))
    }

    /// `(a, b) OVERLAPS (c, d)`.
    pub fn overlaps(&mut self, left: &sqlparser::ast::Expr, right: &sqlparser::ast::Expr) -> PgResult<Ex> {
        use sqlparser::ast::Expr;
        let at = self.at_expr(left);
        let (Expr::Tuple(l), Expr::Tuple(r)) = (left, right) else { return self.refuse("this form of OVERLAPS", at) };
        let ([a, b], [c, d]) = (l.as_slice(), r.as_slice()) else {
            return self.refuse("this form of OVERLAPS", at);
        };
        let mut ends = Vec::new();
        for (from, to) in [(a, b), (c, d)] {
            let from = self.expr(from)?;
            let from = self.settle(from, &ColumnType::Timestamptz)?;
            let to = self.expr(to)?;
            let to = match &from.ty {
                Some(ty) => self.settle(to, ty)?,
                None => to,
            };
            let end = match to.ty {
                Some(ColumnType::Interval) if from.ty == Some(ColumnType::Timestamptz) => {
                    self.instant_moved(&from, &to, "+").sql
                }
                Some(ColumnType::Interval) => format!("({} + {})", from.sql, to.sql),
                _ => to.sql,
            };
            let (from, low) = (&from.sql, format!("least({}, {end})", from.sql));
            let high = format!("(CASE WHEN {from} IS NOT NULL AND {end} IS NOT NULL THEN greatest({from}, {end}) END)");
            ends.push((low, high));
        }
        let [(s1, e1), (s2, e2)] = ends.as_slice() else { return self.refuse("this form of OVERLAPS", at) };
        // A side with one end has no length that is known.
        let behind = |s: &str, e: &str, own: &str| {
            format!("CASE WHEN {e} IS NULL THEN NULL WHEN {s} < {e} THEN TRUE WHEN {own} IS NOT NULL THEN FALSE END")
        };
        let sql = format!(
            "(CASE WHEN {s1} > {s2} THEN {} WHEN {s1} < {s2} THEN {} \
             WHEN {s1} = {s2} AND {e1} IS NOT NULL AND {e2} IS NOT NULL THEN TRUE END)",
            behind(s1, e2, e1),
            behind(s2, e1, e2),
        );
        Ok(Ex::of(sql, ColumnType::Bool))
    }
}

/// Whether Postgres takes it for a text: what has no type yet is one where a text fits.
fn may_be_text(value: &Ex) -> bool {
    value.is_unknown() || value.ty.as_ref().is_some_and(is_text)
}

/// `to_char` of a point in time by the worker's own function.
fn char_of_point(value: &Ex, template: &str) -> Option<String> {
    use ColumnType as T;
    let x = &value.sql;
    Some(match &value.ty {
        Some(T::Date) => format!("pg_char_of_time(CAST(CAST({x} AS TIMESTAMP) AS VARCHAR), {template})"),
        Some(T::Timestamp) => format!("pg_char_of_time(CAST({x} AS VARCHAR), {template})"),
        Some(T::Timestamptz) => {
            format!("pg_char_of_time(CAST({x} AS VARCHAR) || '|' || strftime({x}, '%Z'), {template})")
        }
        _ => return None,
    })
}
