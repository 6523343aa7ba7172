//! Expressions with a syntax of their own, and functions that one text cannot say.

use duckmesh_catalog::{ColumnType, types::oid};
use sqlparser::ast::{CeilFloorKind, DateTimeField, Expr, TrimWhereField};

use super::{Ex, Kind, Rewriter, functions::SCALARS};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// A `char(n)` with the blanks that fill it, as patterns and sizes have it; another value as it is.
pub(super) fn with_blanks(ex: Ex) -> Ex {
    match ex.ty {
        Some(ColumnType::Char(n)) if !ex.is_unknown() => {
            Ex { sql: format!("rpad({}, {n}, ' ')", ex.sql), ty: Some(ColumnType::Text), kind: Kind::Plain, ..ex }
        }
        _ => ex,
    }
}

impl Rewriter<'_> {
    /// `substring(x FROM 1 FOR 2)`, `trim(BOTH 'x' FROM y)` and the like.
    pub fn special(&mut self, expr: &Expr) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        match expr {
            Expr::Ceil { expr: inner, field } | Expr::Floor { expr: inner, field } => {
                if !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)) {
                    return self.refuse("this form of rounding", at);
                }
                let mut values = vec![self.expr(inner)?];
                let name = if matches!(expr, Expr::Ceil { .. }) { "ceil" } else { "floor" };
                match self.special_call(name, &mut values, at)? {
                    Some(ex) => Ok(ex),
                    None => self.refuse("this form of rounding", at),
                }
            }
            Expr::Position { expr, r#in } => {
                let args = vec![self.expr(expr)?, self.expr(r#in)?];
                if let Some(ex) = self.bits_call("position", &args)? {
                    return Ok(ex);
                }
                if let Some(ex) = self.bytea_call("position", &args)? {
                    return Ok(ex);
                }
                self.by_table(SCALARS, "position", args, at)
            }
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand } => {
                let text = self.expr(expr)?;
                let from = substring_from.as_deref().map(|e| self.expr(e)).transpose()?;
                let length = substring_for.as_deref().map(|e| self.expr(e)).transpose()?;
                let first = if from.is_none() { Some(self.number_literal("1", at)?) } else { from.clone() };
                let args: Vec<Ex> = [Some(text.clone()), first, length.clone()].into_iter().flatten().collect();
                if let Some(ex) = self.bits_call("substring", &args)? {
                    return Ok(ex);
                }
                if let Some(ex) = self.bytea_call("substring", &args)? {
                    return Ok(ex);
                }
                if self.has_functions() {
                    let mut values: Vec<Ex> =
                        [Some(text.clone()), from.clone(), length.clone()].into_iter().flatten().collect();
                    if from.is_some()
                        && !*shorthand
                        && let Some(ex) = self.text_call("substring", &mut values, at)?
                    {
                        return Ok(ex);
                    }
                }
                match (from, length) {
                    // substring(x FROM 'pattern')
                    (Some(from), None)
                        if !*shorthand && (matches!(from.kind, Kind::Str(_)) || from.ty == Some(ColumnType::Text)) =>
                    {
                        let text = self.settle(text, &ColumnType::Text)?;
                        let Kind::Str(pattern) = &from.kind else {
                            return self.refuse("a pattern that is not a constant", at);
                        };
                        let group = usize::from(groups(pattern) > 0);
                        let pattern = quote::literal(pattern)?;
                        Ok(Ex::of(
                            format!(
                                "(CASE WHEN regexp_matches({t}, {pattern}) THEN regexp_extract({t}, {pattern}, {group}) END)",
                                t = text.sql
                            ),
                            ColumnType::Text,
                        ))
                    }
                    (Some(from), length) => {
                        let name = if *shorthand { "substr" } else { "substring" };
                        let args = [Some(text), Some(from), length].into_iter().flatten().collect();
                        self.by_table(SCALARS, name, args, at)
                    }
                    (None, Some(length)) => {
                        let one = self.number_literal("1", at)?;
                        self.by_table(SCALARS, "substring", vec![text, one, length], at)
                    }
                    (None, None) => self.refuse("this form of substring", at),
                }
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let mut args = vec![self.expr(expr)?];
                if let Some(what) = trim_what {
                    args.push(self.expr(what)?);
                }
                for what in trim_characters.iter().flatten() {
                    args.push(self.expr(what)?);
                }
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "btrim",
                };
                if let Some(ex) = self.bytea_call(name, &args)? {
                    return Ok(ex);
                }
                self.by_table(SCALARS, name, args, at)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let text = self.expr(expr)?;
                let what = self.expr(overlay_what)?;
                let from = self.expr(overlay_from)?;
                let length = overlay_for.as_ref().map(|e| self.expr(e)).transpose()?;
                let args: Vec<Ex> = [Some(text.clone()), Some(what.clone()), Some(from.clone()), length.clone()]
                    .into_iter()
                    .flatten()
                    .collect();
                if let Some(ex) = self.bits_call("overlay", &args)? {
                    return Ok(ex);
                }
                if let Some(ex) = self.bytea_call("overlay", &args)? {
                    return Ok(ex);
                }
                let text = self.settle(text, &ColumnType::Text)?.sql;
                let what = self.settle(what, &ColumnType::Text)?.sql;
                let from = self.settle(from, &ColumnType::Int4)?.sql;
                let length = match length {
                    Some(ex) => self.settle(ex, &ColumnType::Int4)?.sql,
                    None => format!("length({what})"),
                };
                Ok(Ex::of(
                    format!(
                        "(CASE WHEN {from} <= 0 THEN error('SQLSTATE 22011: negative substring length not allowed') \
                         ELSE left({text}, {from} - 1) || {what} || substr({text}, {from} + {length}) END)"
                    ),
                    ColumnType::Text,
                ))
            }
            _ => self.refuse("this form of an expression", at),
        }
    }

    /// LIKE and ILIKE; without ESCAPE the backslash escapes.
    pub fn like(
        &mut self,
        word: &str,
        negated: bool,
        expr: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        // `x LIKE ALL (array)` is a call of `all` to the parser.
        if let Expr::Function(f) = pattern
            && let Some((quantifier, list)) = quantifier(f)
        {
            let word = if negated { format!("NOT {word}") } else { word.to_owned() };
            return self.pattern_quantified(expr, &word, list, quantifier);
        }
        let left = at;
        let text = self.expr(expr)?;
        let pattern = self.expr(pattern)?;
        let operator = match (word, negated) {
            ("LIKE", false) => "~~",
            ("LIKE", true) => "!~~",
            (_, false) => "~~*",
            (_, true) => "!~~*",
        };
        let bytes = if word == "LIKE" { self.bytes_of_like(&text, &pattern)? } else { None };
        let fitting = match bytes {
            Some(texts) => Ok(texts),
            None => self.texts(text, pattern, operator, None),
        };
        let (text, pattern) = fitting.map_err(|e| e.or_position(self.at_next(left, &["not", "like", "ilike"])))?;
        let escape = match escape {
            None => "'\\'".to_owned(),
            Some(e) => {
                let ex = self.expr(e)?;
                match &ex.kind {
                    Kind::Str(s) if s.is_empty() => String::new(),
                    Kind::Str(s) if s.chars().count() == 1 => quote::literal(s)?,
                    Kind::Str(_) => {
                        return Err(PgError::new(SqlState("22025"), "invalid escape string")
                            .hint("Escape string must be empty or one character."));
                    }
                    _ => return self.refuse("an escape that is not a constant", at),
                }
            }
        };
        let not = if negated { "NOT " } else { "" };
        // Without a backslash there is nothing to escape, and the engine has a faster way.
        let needless = matches!(&pattern.kind, Kind::Str(p) if !p.contains('\\')) && escape == "'\\'";
        let escape = if escape.is_empty() || needless { String::new() } else { format!(" ESCAPE {escape}") };
        Ok(Ex::of(format!("({} {not}{word} {}{escape})", text.sql, pattern.sql), ColumnType::Bool))
    }

    /// Both sides of a pattern operator as text.
    fn texts(&mut self, text: Ex, pattern: Ex, op: &str, at: Option<u32>) -> PgResult<(Ex, Ex)> {
        let wrong = [&text, &pattern]
            .iter()
            .any(|e| !e.is_unknown() && e.ty.as_ref().is_some_and(|t| !super::operator::is_text(t)));
        if wrong {
            let known = |e: &Ex| e.ty.clone().filter(|_| !e.is_unknown());
            return Err(self.undefined_operator(
                op,
                known(&text).or(Some(ColumnType::Other("unknown".into()))).as_ref(),
                known(&pattern).as_ref(),
                at,
            ));
        }
        let kind = pattern.kind.clone();
        let text = self.settle(text, &ColumnType::Text)?;
        let text = with_blanks(text);
        let mut pattern = self.settle(pattern, &ColumnType::Text)?;
        if matches!(kind, Kind::Str(_)) {
            pattern.kind = kind;
        }
        Ok((text, pattern))
    }

    /// `~`, `~*` and their negations.
    pub fn regex(&mut self, left: &Expr, right: &Expr, negated: bool, flags: &str) -> PgResult<Ex> {
        let at = self.at_expr(left);
        let text = self.expr(left)?;
        let pattern = self.expr(right)?;
        let op = match (negated, flags) {
            (false, "") => "~",
            (true, "") => "!~",
            (false, _) => "~*",
            (true, _) => "!~*",
        };
        let (text, pattern) = self.texts(text, pattern, op, at)?;
        // In Postgres a dot matches a line's end too.
        // What the engine's expressions lack is the worker's own.
        let is_plain = matches!(&pattern.kind, Kind::Str(constant) if !needs_worker(constant));
        if self.has_functions() && !is_plain {
            let not = if negated { "NOT " } else { "" };
            let sql = format!("({not}pg_regexp_like({}, {}, '{flags}'))", text.sql, pattern.sql);
            return Ok(Ex::of(sql, ColumnType::Bool));
        }
        let flags = format!("'s{flags}'");
        let not = if negated { "NOT " } else { "" };
        Ok(Ex::of(format!("({not}regexp_matches({}, {}, {flags}))", text.sql, pattern.sql), ColumnType::Bool))
    }

    /// SIMILAR TO: the pattern must be a constant, to become a regular expression.
    pub fn similar(&mut self, negated: bool, expr: &Expr, pattern: &Expr, escape: Option<&Expr>) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        let text = self.expr(expr)?;
        let text = with_blanks(self.settle(text, &ColumnType::Text)?);
        let pattern = self.expr(pattern)?;
        if self.has_functions() {
            let escape = match escape {
                Some(escape) => self.expr(escape)?,
                None => Ex::of("'\\'", ColumnType::Text),
            };
            let (pattern, escape) = (self.settle(pattern, &ColumnType::Text)?, self.settle(escape, &ColumnType::Text)?);
            let not = if negated { "NOT " } else { "" };
            let sql = format!("({not}pg_similar({}, {}, {}))", text.sql, pattern.sql, escape.sql);
            return Ok(Ex::of(sql, ColumnType::Bool));
        }
        if escape.is_some() {
            return self.refuse("SIMILAR TO with ESCAPE", at);
        }
        let Kind::Str(pattern) = &pattern.kind else {
            return self.refuse("SIMILAR TO a pattern that is not a constant", at);
        };
        let mut regex = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => regex.push_str(".*"),
                '_' => regex.push('.'),
                '\\' => {
                    regex.push('\\');
                    regex.extend(chars.next());
                }
                '.' | '^' | '$' => {
                    regex.push('\\');
                    regex.push(c);
                }
                other => regex.push(other),
            }
        }
        let not = if negated { "NOT " } else { "" };
        Ok(Ex::of(
            format!("({not}regexp_full_match({}, {}, 's'))", text.sql, quote::literal(&regex)?),
            ColumnType::Bool,
        ))
    }

    /// Functions that need more than a text with holes. None: not one of them.
    pub fn special_call(&mut self, name: &str, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        match name {
            "octet_length" => {
                values.iter_mut().for_each(|value| *value = with_blanks(value.clone()));
                Ok(None)
            }
            "extract" | "date_part" => self.date_part(values, at),
            "date_trunc" => self.date_trunc(values, at),
            "make_timestamptz" if values.len() == 7 => self.made_in_zone(values, at),
            "to_char" => self.char_of(values, at),
            "to_date" => self.parse_time(name, values, at),
            "to_timestamp" if values.len() == 2 => self.parse_time(name, values, at),
            "concat" | "concat_ws" => {
                let mut texts = Vec::new();
                for value in values.drain(..) {
                    let value = self.settle(value, &T::Text)?;
                    texts.push(self.output(value)?);
                }
                Ok(Some(Ex::of(format!("{name}({})", texts.join(", ")), T::Text)))
            }
            "num_nulls" | "num_nonnulls" if !values.is_empty() => {
                let is = if name == "num_nulls" { "IS NULL" } else { "IS NOT NULL" };
                let mut terms = Vec::new();
                for value in values.drain(..) {
                    let value = self.settle(value, &T::Text)?;
                    terms.push(format!("(CASE WHEN {} {is} THEN 1 ELSE 0 END)", value.sql));
                }
                Ok(Some(Ex::of(format!("CAST({} AS INTEGER)", terms.join(" + ")), T::Int4)))
            }
            "format" => self.format(values, at).map(Some),
            "array_append" | "array_prepend" | "array_cat" if values.len() == 2 => {
                if let [l, r] = &mut *values.as_mut_slice() {
                    (*l, *r) = self.meet_number_lists(l.clone(), r.clone())?;
                    let is_list = |ex: &Ex| matches!(ex.ty, Some(T::Array(_))) && !ex.is_unknown();
                    if name == "array_cat" && [&*l, &*r].into_iter().all(|ex| is_list(ex) || ex.is_unknown()) {
                        let (l, r) = (l.clone(), r.clone());
                        return match is_list(&l) || is_list(&r) {
                            true => self.concat(l, r, at).map(Some),
                            false => Ok(None),
                        };
                    }
                }
                Ok(None)
            }
            "array_to_string" => {
                self.texts_of_first(values)?;
                Ok(None)
            }
            "mod" | "div" if values.len() == 2 => {
                let (Some(r), Some(l)) = (values.pop(), values.pop()) else {
                    return Ok(None);
                };
                let l = self.settle(l, &T::Int4)?;
                let r = self.settle(r, &T::Int4)?;
                let whole = name == "mod" && r.ty.as_ref().is_some_and(super::operator::is_int);
                let divisor = if whole { self.divisor_of_rest(&r) } else { self.not_zero(&r) };
                let ty = match (&l.ty, &r.ty) {
                    (Some(a), Some(b)) => super::operator::common(a, b),
                    _ => None,
                };
                let l = match &ty {
                    Some(ty) => self.unified(l, ty)?,
                    None => l,
                };
                let sql = if name == "mod" {
                    format!("({} % {divisor})", l.sql)
                } else {
                    format!("trunc(({} / {divisor}))", l.sql)
                };
                Ok(Some(Ex::plain(sql, ty)))
            }
            "age" if values.len() == 1 => {
                let Some(value) = values.pop() else {
                    return Ok(None);
                };
                let value = self.settle(value, &T::Timestamptz)?;
                let today = self.session_value(crate::sql::plan::SessionValue::CurrentDate);
                let (cast, ty) = match value.ty {
                    Some(T::Timestamp) => ("TIMESTAMP", value.sql),
                    _ => ("TIMESTAMPTZ", format!("CAST({} AS TIMESTAMPTZ)", value.sql)),
                };
                Ok(Some(Ex::of(format!("age(CAST({today} AS {cast}), {ty})"), T::Interval)))
            }
            "regexp_match" if values.len() == 2 => {
                let (Some(pattern), Some(text)) = (values.pop(), values.pop()) else {
                    return Ok(None);
                };
                let Kind::Str(pattern) = &pattern.kind else {
                    return self.refuse("regexp_match with a pattern that is not a constant", at);
                };
                let text = self.settle(text, &T::Text)?.sql;
                let count = groups(pattern);
                let pattern = quote::literal(pattern)?;
                let range = if count == 0 { 0..=0 } else { 1..=count };
                let parts: Vec<String> = range.map(|n| format!("regexp_extract({text}, {pattern}, {n})")).collect();
                Ok(Some(Ex::of(
                    format!("(CASE WHEN regexp_matches({text}, {pattern}) THEN [{}] END)", parts.join(", ")),
                    T::Array(Box::new(T::Text)),
                )))
            }
            "unnest" if values.len() == 1 => {
                let Some(value) = values.pop() else {
                    return Ok(None);
                };
                let value = self.settle(value, &T::Array(Box::new(T::Text)))?;
                let ty = match value.ty {
                    Some(T::Array(element)) => Some(*element),
                    _ => None,
                };
                Ok(Some(Ex::plain(format!("unnest({})", value.sql), ty)))
            }
            "width_bucket" if values.len() == 2 && self.has_functions() => self.bucket_among(values),
            "generate_series"
                if values.len() == 3
                    && values.iter().take(2).any(|a| matches!(a.ty, Some(T::Date | T::Timestamp | T::Timestamptz))) =>
            {
                let mut args = std::mem::take(values);
                let (ty, list) = self.series_of_times(&mut args, at)?;
                Ok(Some(Ex::plain(format!("unnest({list})"), ty)))
            }
            "generate_series" if values.len() == 2 || values.len() == 3 => {
                let mut args = std::mem::take(values);
                let ty = self.unify(&mut args, "generate_series")?;
                if let Some(T::Numeric(..)) = &ty
                    && self.has_functions()
                {
                    let mut texts = Vec::new();
                    for arg in args {
                        texts.push(self.long(arg)?.sql);
                    }
                    if texts.len() == 2 {
                        texts.push("'1'".to_owned());
                    }
                    return Ok(Some(Ex::of(format!("unnest(pg_num_series({}))", texts.join(", ")), super::LONG)));
                }
                let texts: Vec<String> =
                    args.iter().enumerate().map(|(n, a)| super::table_function::stepped(n, a)).collect();
                let ty = ty.filter(super::operator::is_int).map(|t| if t == T::Int8 { t } else { T::Int4 });
                let list = format!("unnest(generate_series({}))", texts.join(", "));
                Ok(Some(match ty {
                    Some(T::Int4) => Ex::of(format!("CAST({list} AS INTEGER)"), T::Int4),
                    other => Ex::plain(list, other),
                }))
            }
            "pg_typeof" if values.len() == 1 => {
                let Some(value) = values.first() else { return Ok(None) };
                let number = self.type_number(value).ok_or_else(|| {
                    PgError::unsupported("pg_typeof of this expression is not supported")
                        .hint("Its type is known when it runs, not before: cast it first.")
                        .or_position(at)
                })?;
                // Of an aggregate it is one row.
                let sql = match self.aggregated {
                    true => format!("(CASE WHEN {} IS NULL THEN {number} ELSE {number} END)", value.sql),
                    false => number.to_string(),
                };
                Ok(Some(Ex::plain(sql, T::system(oid::REGTYPE))))
            }
            "ceil" | "ceiling" | "floor" => {
                // An integer's is double precision in Postgres.
                let Some(value) = values.pop().filter(|_| values.is_empty()) else {
                    return Ok(None);
                };
                let value = match &value.ty {
                    Some(t) if super::operator::is_int(t) => self.cast(value, &T::Float8, at)?,
                    _ => value,
                };
                self.by_table(SCALARS, name, vec![value], at).map(Some)
            }
            "round" | "trunc" | "sign" if values.len() == 1 => {
                let Some(value) = values.pop() else {
                    return Ok(None);
                };
                let value = match &value.ty {
                    Some(t) if super::operator::is_int(t) => self.cast(value, &T::Float8, at)?,
                    _ => value,
                };
                self.by_table(SCALARS, name, vec![value], at).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// `format('%s and %I', …)`: the template must be a constant.
    fn format(&mut self, values: &mut Vec<Ex>, at: Option<u32>) -> PgResult<Ex> {
        use ColumnType as T;
        let mut args = std::mem::take(values).into_iter();
        let Some(Kind::Str(template)) = args.next().map(|e| e.kind) else {
            return self.refuse("format with a template that is not a constant", at);
        };
        let mut pieces = vec![quote::literal("")?];
        let mut text = String::new();
        let mut chars = template.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let verb = chars.next();
            if verb == Some('%') {
                text.push('%');
                continue;
            }
            let Some(value) = args.next() else {
                return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, "too few arguments for format()"));
            };
            let value = self.settle(value, &T::Text)?;
            let value = self.text_of(value)?.sql;
            pieces.push(quote::literal(&std::mem::take(&mut text))?);
            pieces.push(match verb {
                Some('s') => format!("COALESCE({value}, '')"),
                Some('I') => format!("pg_quote_ident({value})"),
                Some('L') => format!("COALESCE(pg_quote_literal({value}), 'NULL')"),
                _ => return self.refuse("this format() specification", at),
            });
        }
        pieces.push(quote::literal(&text)?);
        Ok(Ex::of(format!("({})", pieces.join(" || ")), T::Text))
    }
}

/// Whether a regular expression has a back reference, looks around, has one of Postgres' own escapes, asks of letters what
/// the engine asks of ASCII's alone, or has an anchor within, which the engine forgets.
fn needs_worker(pattern: &str) -> bool {
    const OWN: &[u8] = b"123456789mMyYZewWsS";
    if pattern.contains("[:") {
        return true;
    }
    let mut bytes = pattern.bytes().peekable();
    let (mut class, mut begins) = (false, true);
    while let Some(byte) = bytes.next() {
        let first = std::mem::replace(&mut begins, false);
        match byte {
            b'\\' if bytes.next().is_some_and(|b| OWN.contains(&b)) => return true,
            b']' if class => class = false,
            _ if class => {}
            b'[' => {
                class = true;
                bytes.next_if_eq(&b'^');
                bytes.next_if_eq(&b']');
            }
            b'(' if bytes.next_if_eq(&b'?').is_some() => match bytes.next() {
                Some(b'=' | b'!' | b'<') => return true,
                kind => begins = kind == Some(b':'),
            },
            b'(' | b'|' => begins = true,
            b'^' if !first => return true,
            b'$' if !matches!(bytes.peek(), None | Some(b')' | b'|')) => return true,
            _ => {}
        }
    }
    false
}

/// `ALL (x)` and `ANY (x)` as the parser sees them.
fn quantifier(function: &sqlparser::ast::Function) -> Option<(&'static str, &Expr)> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments};
    let word = match function.name.to_string().to_lowercase().as_str() {
        "all" => "ALL",
        "any" | "some" => "ANY",
        _ => return None,
    };
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => Some((word, expr)),
        _ => None,
    }
}

/// How many groups a regular expression captures.
fn groups(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    let mut count = 0;
    let mut escaped = false;
    for (n, b) in bytes.iter().enumerate() {
        match b {
            b'\\' => escaped = !escaped,
            b'(' if !escaped && bytes.get(n + 1) != Some(&b'?') => count += 1,
            _ => escaped = false,
        }
        if *b != b'\\' {
            escaped = false;
        }
    }
    count
}
