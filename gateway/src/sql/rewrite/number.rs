//! `numeric` of any length and scale: values that the engine's decimals cannot hold travel as text, and the worker's
//! functions (`engine/worker/functions`) compute with them.
//!
//! Sums, products and comparisons of decimals stay the engine's own; a quotient, a root or an average is a long number.

use duckmesh_catalog::ColumnType;

use super::{Audience, Ex, Kind, NUMERIC, Rewriter, Rows, operator::is_int, scale};
use crate::{sql::quote, wire::error::PgResult};

/// `numeric` whose values are text.
pub(crate) const LONG: ColumnType = ColumnType::Numeric(0, 1);

/// Digits of the engine's decimals.
const DECIMAL_DIGITS: usize = 38;

/// Whether its values are text: any, or such as have so many digits behind the point at most (`scale::long_to`).
pub(crate) fn is_long(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Numeric(0, 1..))
}

/// Whether any of them is long.
pub(super) fn any_long<'a>(types: impl IntoIterator<Item = &'a Option<ColumnType>>) -> bool {
    types.into_iter().flatten().any(is_long)
}

pub(super) fn is_exact(ty: &ColumnType) -> bool {
    is_int(ty) || matches!(ty, ColumnType::Numeric(..))
}

/// Whether Postgres reads the text as `numeric`.
pub(super) fn reads_as_number(text: &str) -> bool {
    let text = text.trim();
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = body.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity") || text.eq_ignore_ascii_case("nan") {
        return true;
    }
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent.parse::<i32>().is_ok_and(|e| e.abs() <= 16_000)
}

/// Whether a constant has more digits than the engine's decimals.
pub(super) fn is_wide(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > DECIMAL_DIGITS
}

impl Rewriter<'_> {
    /// Whether the engine that runs it has our functions: a view for any DuckDB must do without.
    pub fn has_functions(&self) -> bool {
        self.audience == Audience::Engine
    }

    /// A long constant.
    pub fn long_constant(&self, text: &str, at: Option<u32>) -> PgResult<Ex> {
        Ok(Ex::of(format!("pg_num_in({})", quote::literal(text.trim())?), LONG).at(at))
    }

    /// Any number as a long one.
    pub fn long(&mut self, ex: Ex) -> PgResult<Ex> {
        let ex = if ex.is_unknown() { self.settle(ex, &LONG)? } else { ex };
        let sql = match &ex.ty {
            Some(ty) if is_long(ty) => return Ok(ex),
            Some(ColumnType::Float8) => format!("pg_num_of_float(CAST({} AS VARCHAR), '15')", ex.sql),
            Some(ColumnType::Float4) => format!("pg_num_of_float(CAST({} AS VARCHAR), '6')", ex.sql),
            _ => self.decimal_text(&ex),
        };
        Ok(Ex::of(sql, LONG).at(ex.position))
    }

    /// What orders and compares as the number does.
    pub fn order_key(&self, ex: &Ex) -> String {
        match &ex.ty {
            Some(ty) if is_long(ty) => format!("pg_num_key({})", ex.sql),
            Some(ColumnType::AsText(held))
                if super::held::keyed(&ColumnType::AsText(*held)) && self.has_functions() =>
            {
                super::held::key_of(*held, &ex.sql)
            }
            Some(ty) if is_exact(ty) => format!("pg_num_key(CAST({} AS VARCHAR))", ex.sql),
            Some(ColumnType::Jsonb) => format!("pg_jsonb_order({})", ex.sql),
            Some(ColumnType::Record(row)) if self.has_functions() => self.row_key(ex, row),
            Some(ColumnType::Array(element)) if self.is_keyed(ex.ty.as_ref()) => self.list_key(ex, element),
            Some(ColumnType::Grid(element)) if self.has_functions() => super::grid::order_key(&ex.sql, element),
            // The engine compares months, days and the rest each by itself where their signs differ.
            Some(ColumnType::Interval) if self.has_functions() => super::interval::key(&ex.sql),
            _ => ex.sql.clone(),
        }
    }

    /// A list of what its elements order and compare by.
    fn list_key(&self, ex: &Ex, element: &ColumnType) -> String {
        let key = self.sorted(Ex::of("v", element.clone()));
        format!("list_transform({}, lambda v: {key})", ex.sql)
    }

    /// Two arrays, where an element of either is compared by its key. None: others.
    pub fn meet_keyed_lists(&self, l: &Ex, r: &Ex) -> Option<(Ex, Ex)> {
        let (Some(ColumnType::Array(a)), Some(ColumnType::Array(b))) = (&l.ty, &r.ty) else { return None };
        if !self.is_keyed(Some(a)) && !self.is_keyed(Some(b)) {
            return None;
        }
        // Lists still, of what no key is made of again.
        let keys = || Some(ColumnType::Array(Box::new(ColumnType::Bytea)));
        let key = |ex: &Ex, element| Ex { sql: self.list_key(ex, element), ty: keys(), ..ex.clone() };
        Some((key(l, a), key(r, b)))
    }

    /// Whether values of a type sort by a key that is made of them.
    pub fn is_keyed(&self, ty: Option<&ColumnType>) -> bool {
        if let Some(ColumnType::Array(element)) = ty {
            return self.has_functions() && self.is_keyed(Some(element));
        }
        let functions = self.has_functions();
        let made = |ty: &ColumnType| {
            functions
                && matches!(ty, ColumnType::Jsonb | ColumnType::Record(_) | ColumnType::Grid(_) | ColumnType::Interval)
        };
        ty.is_some_and(|ty| super::held::keyed(ty) || made(ty))
    }

    /// Whether values of any of the types do.
    pub fn any_keyed<'a>(&self, types: impl IntoIterator<Item = &'a Option<ColumnType>>) -> bool {
        types.into_iter().any(|ty| self.is_keyed(ty.as_ref()))
    }

    /// What sorts as an expression does: a key, the fields of a row, or the expression itself.
    pub fn sorted(&self, ex: Ex) -> String {
        if let Kind::Row(fields) = &ex.kind {
            let keys = fields.iter().map(|(_, sql, ty)| self.sorted(Ex::plain(sql.clone(), ty.clone())));
            return format!("row({})", keys.collect::<Vec<_>>().join(", "));
        }
        if self.is_keyed(ex.ty.as_ref()) { self.order_key(&ex) } else { ex.sql }
    }

    /// `pg_num_div(a, b)` and its like.
    pub fn long_call(&mut self, function: &str, args: Vec<Ex>) -> PgResult<Ex> {
        let mut texts = Vec::new();
        for arg in args {
            texts.push(self.long(arg)?.sql);
        }
        Ok(Ex::of(format!("{function}({})", texts.join(", ")), LONG))
    }

    /// Two sides of a comparison, at least one of them long.
    pub fn meet_long(&mut self, l: Ex, r: Ex, op: &str) -> (Ex, Ex) {
        let float = |e: &Ex| matches!(e.ty, Some(ColumnType::Float4 | ColumnType::Float8) | None);
        if float(&l) || float(&r) {
            let cast = |e: Ex| match e.ty.as_ref().is_some_and(is_long) {
                true => Ex { sql: format!("CAST({} AS DOUBLE)", e.sql), ty: Some(ColumnType::Float8), ..e },
                false => e,
            };
            return (cast(l), cast(r));
        }
        if self.takes_parts()
            && let (Some(a), Some(b)) = (self.parts_of(&l), self.parts_of(&r))
        {
            let decimal = |value: String, ex: Ex| Ex { sql: value, ty: Some(NUMERIC), kind: Kind::Plain, ..ex };
            return (decimal(a.value, l), decimal(b.value, r));
        }
        // A column of decimals is compared with the nearest decimal: the engine's statistics serve then.
        if let Some(bound) = bounded(&l, &r, op) {
            return (l, bound);
        }
        let mirrored = match op {
            "<" => ">",
            "<=" => ">=",
            ">" => "<",
            ">=" => "<=",
            other => other,
        };
        if let Some(bound) = bounded(&r, &l, mirrored) {
            return (bound, r);
        }
        let key = |ex: Ex| Ex { sql: self.order_key(&ex), ty: None, kind: Kind::Plain, ..ex };
        (key(l), key(r))
    }

    /// A value among others whose common type is `target`.
    pub fn unified(&mut self, ex: Ex, target: &ColumnType) -> PgResult<Ex> {
        if let (ColumnType::Grid(_), Some(ColumnType::Array(_))) = (target, &ex.ty) {
            let position = ex.position;
            let sql = self.grid_text(ex)?;
            return Ok(Ex::of(sql, target.clone()).at(position));
        }
        if let Some(ty) = ex.ty.clone().filter(|ty| ty != target && super::held::is_held(target) && !ex.is_unknown()) {
            return Ok(self.cast_held(&ex, &ty, target)?.unwrap_or(ex));
        }
        match &ex.ty {
            Some(ty) if is_long(target) && is_exact(ty) && !ex.is_unknown() => {
                let parts = self.parts_of(&ex);
                let long = self.long(ex)?;
                Ok(match parts {
                    Some(parts) => Ex { kind: Kind::Mixed(Box::new(parts)), ..long },
                    None => long,
                })
            }
            Some(ty) if is_long(ty) && matches!(target, ColumnType::Float4 | ColumnType::Float8) => {
                Ok(Ex { sql: format!("CAST({} AS {})", ex.sql, target.duckdb()), ty: Some(target.clone()), ..ex })
            }
            // The engine makes a constant beside it a smallint, too.
            Some(ColumnType::Int2)
                if matches!(target, ColumnType::Int4 | ColumnType::Int8) && !matches!(ex.kind, Kind::Number(_)) =>
            {
                Ok(Ex { sql: format!("CAST({} AS {})", ex.sql, target.duckdb()), ty: Some(target.clone()), ..ex })
            }
            _ => Ok(ex),
        }
    }

    /// `width_bucket(x, thresholds)`. None: other arguments.
    pub fn bucket_among(&mut self, values: &mut Vec<Ex>) -> PgResult<Option<Ex>> {
        if let [x, bounds] = values.as_mut_slice()
            && bounds.is_unknown()
            && let Some(ty) = x.ty.clone()
        {
            *bounds = self.settle(bounds.clone(), &ColumnType::Array(Box::new(ty)))?;
        }
        let [x, bounds] = values.as_slice() else { return Ok(None) };
        let Some(ColumnType::Array(element)) = &bounds.ty else { return Ok(None) };
        // The operand stands outside of the lambda: it may be a subquery.
        let w = Ex { sql: "w".to_owned(), kind: Kind::Plain, ..x.clone() };
        let (v, met) = self.meet(Ex::of("v", (**element).clone()), w, "<=")?;
        let sql = format!(
            "list_transform([{x}], lambda w: CASE WHEN w IS NOT NULL THEN CASE WHEN list_count({bounds}) < len({bounds}) \
             THEN error('SQLSTATE 22004: thresholds array must not contain NULLs') \
             ELSE CAST(len(list_filter({bounds}, lambda v: {} <= {})) AS INTEGER) END END)[1]",
            v.sql,
            met.sql,
            x = x.sql,
            bounds = bounds.sql
        );
        Ok(Some(Ex::of(sql, ColumnType::Int4)))
    }

    /// A query whose columns take the types of what it is joined with.
    pub fn unified_rows(&mut self, rows: Rows, types: &[Option<ColumnType>], all: bool) -> PgResult<Rows> {
        let differs = |(have, want): (&Option<ColumnType>, &Option<ColumnType>)| match (have, want) {
            (Some(have), Some(want)) => {
                is_long(have) != is_long(want) || (have != want && (all || super::held::is_held(want)))
            }
            _ => false,
        };
        if !rows.known || !rows.columns.iter().map(|c| &c.ty).zip(types).any(differs) {
            return Ok(rows);
        }
        let mut list = Vec::new();
        for (column, want) in rows.columns.iter().zip(types) {
            let name = quote::name(&column.engine);
            let ex = Ex::plain(name.clone(), column.ty.clone());
            let ex = match want {
                Some(want) => {
                    let ex = self.unified(ex, want)?;
                    let exact = [ex.ty.as_ref(), Some(want)]
                        .into_iter()
                        .flatten()
                        .all(|ty| matches!(ty, ColumnType::Numeric(..)));
                    if all && !exact && ex.ty.as_ref() != Some(want) { self.cast(ex, want, None)? } else { ex }
                }
                None => ex,
            };
            list.push(format!("{} AS {name}", ex.sql));
        }
        let names: Vec<String> = rows.columns.iter().map(|c| quote::name(&c.engine)).collect();
        let alias = format!("u_{}", self.number());
        Ok(Rows {
            sql: format!("SELECT {} FROM ({}) AS {alias}({})", list.join(", "), rows.sql, names.join(", ")),
            ..rows
        })
    }

    /// Aggregates of exact numbers. None: not one of them.
    pub fn exact_aggregate(&mut self, name: &str, values: &[Ex], distinct: &str, tail: &str) -> Option<Ex> {
        let [ex] = values else { return None };
        let ty = ex.ty.as_ref().filter(|t| is_exact(t) && !ex.is_unknown() && self.has_functions())?;
        let x = &ex.sql;
        if let Some(ex) = self.mixed_aggregate(name, ex, distinct, tail) {
            return Some(ex);
        }
        if is_long(ty) {
            let gathered = match distinct.is_empty() {
                true => format!("string_agg({x}, ','){tail}"),
                false => self.distinct_texts(ex, tail),
            };
            let sql = match name {
                "sum" => format!("pg_num_sum({gathered})"),
                "avg" => format!("pg_num_avg({gathered})"),
                "min" | "max" => format!("arg_{name}({x}, pg_num_key({x})){tail}"),
                _ => format!("pg_num_spread_all({gathered}, '{}')", spread(name)?),
            };
            return Some(Ex::of(sql, LONG));
        }
        if name == "avg" {
            let (sum, count) = (format!("sum({distinct}{x}){tail}"), format!("count({distinct}{x}){tail}"));
            return Some(Ex::of(format!("pg_num_div(CAST({sum} AS VARCHAR), CAST({count} AS VARCHAR))"), LONG));
        }
        let kind = spread(name)?;
        if !distinct.is_empty() {
            let gathered = format!("string_agg(DISTINCT CAST({x} AS VARCHAR), ','){tail}");
            return Some(Ex::of(format!("pg_num_spread_all({gathered}, '{kind}')"), LONG));
        }
        let square = match ty {
            ColumnType::Int2 | ColumnType::Int4 => format!("CAST({x} AS BIGINT) * CAST({x} AS BIGINT)"),
            ColumnType::Int8 => format!("CAST({x} AS HUGEINT) * CAST({x} AS HUGEINT)"),
            _ => format!("{x} * {x}"),
        };
        let text = |what: String| format!("CAST({what}{tail} AS VARCHAR)");
        let (sum, squares, count) =
            (text(format!("sum({x})")), text(format!("sum({square})")), text(format!("count({x})")));
        Some(Ex::of(format!("pg_num_spread({sum}, {squares}, {count}, '{kind}')"), LONG))
    }

    /// A cast from a long number.
    pub fn cast_long(&mut self, ex: &Ex, ty: &ColumnType) -> Option<String> {
        let x = &ex.sql;
        Some(match ty {
            ColumnType::Numeric(0, _) => x.clone(),
            ColumnType::Numeric(p, s) => format!("CAST(pg_num_fit({x}, '{p}', '{s}') AS DECIMAL({p},{s}))"),
            ColumnType::Int2 => format!("CAST(pg_num_int({x}, 'smallint') AS SMALLINT)"),
            ColumnType::Int4 => format!("CAST(pg_num_int({x}, 'integer') AS INTEGER)"),
            ColumnType::Int8 => format!("pg_num_int({x}, 'bigint')"),
            ColumnType::Float4 => format!("CAST({x} AS FLOAT)"),
            ColumnType::Float8 => format!("CAST({x} AS DOUBLE)"),
            _ => return None,
        })
    }

    /// Functions of numbers that choose by more than a table's row. None: not one of them.
    pub fn exact_call(&mut self, name: &str, values: &mut Vec<Ex>) -> PgResult<Option<Ex>> {
        if !self.has_functions() {
            return Ok(None);
        }
        let exact = |e: &Ex| e.ty.as_ref().is_some_and(is_exact) && !e.is_unknown();
        let numeric = values.iter().any(|v| matches!(v.ty, Some(ColumnType::Numeric(..))) && !v.is_unknown());
        match name {
            "div" if values.len() == 2 && values.iter().all(|v| exact(v) || v.is_unknown()) => {
                self.long_call("pg_num_quotient", std::mem::take(values)).map(Some)
            }
            // The engine keeps a smaller scale than was asked for.
            "round" if values.len() == 2 && values.first().is_some_and(exact) => {
                let (Some(places), Some(value)) = (values.pop(), values.pop()) else { return Ok(None) };
                let places = self.settle(places, &ColumnType::Int4)?;
                let asked = match &places.kind {
                    Kind::Number(n) => n.parse::<i8>().ok(),
                    _ => None,
                };
                if let (Some(ColumnType::Numeric(1.., scale)), Some(n)) = (&value.ty, asked)
                    && (0..=*scale).contains(&n)
                {
                    return Ok(Some(Ex::of(format!("round({}, {n})", value.sql), scale::computed(n))));
                }
                let value = self.long(value)?;
                Ok(Some(Ex::of(format!("pg_num_round({}, CAST({} AS VARCHAR))", value.sql, places.sql), LONG)))
            }
            "mod" if values.len() == 2 && any_long(values.iter().map(|v| &v.ty)) => {
                self.long_call("pg_num_mod", std::mem::take(values)).map(Some)
            }
            "gcd" | "lcm" if values.len() == 2 && numeric => {
                self.long_call(&format!("pg_num_{name}"), std::mem::take(values)).map(Some)
            }
            "greatest" | "least" => {
                let ty = self.unify(values, &name.to_ascii_uppercase())?;
                if let Some(ty) = ty.clone().filter(|ty| !is_long(ty) && self.is_keyed(Some(ty))) {
                    return Ok(Some(self.first_extreme(name, values, ty)));
                }
                Ok(ty.filter(is_long).map(|ty| Ex { ty: Some(ty), ..self.extreme(name, values) }))
            }
            "coalesce" | "ifnull" | "nvl" => {
                let ty = self.unify(values, &name.to_ascii_uppercase())?;
                Ok(ty.filter(is_long).map(|ty| Ex { ty: Some(ty), ..self.coalesced(values) }))
            }
            "array_position" | "array_positions" | "array_remove" | "array_replace" => self.among_keyed(name, values),
            "nullif"
                if values.len() == 2
                    && values.iter().any(|v| self.is_keyed(v.ty.as_ref()) || is_list(v) || is_filled(v)) =>
            {
                let (Some(b), Some(a)) = (values.pop(), values.pop()) else { return Ok(None) };
                let a = match &b.ty {
                    Some(ty) if a.is_unknown() => self.settle(a, &super::operator::compared(ty))?,
                    _ => a,
                };
                let ty = a.ty.clone();
                let (l, r) = self.meet(a.clone(), b, "=")?;
                Ok(Some(Ex::plain(format!("(CASE WHEN {} = {} THEN NULL ELSE {} END)", l.sql, r.sql, a.sql), ty)))
            }
            _ => Ok(None),
        }
    }
}

impl Rewriter<'_> {
    /// Functions that look for an element, where elements are compared by their keys. None: others.
    fn among_keyed(&mut self, name: &str, values: &mut [Ex]) -> PgResult<Option<Ex>> {
        let ([list, sought] | [list, sought, _]) = &*values else { return Ok(None) };
        let takes = |ty: &ColumnType| name == "array_positions" || self.is_keyed(Some(ty));
        let Some(ColumnType::Array(element)) = list.ty.clone().filter(takes) else {
            return Ok(None);
        };
        let sought = self.settle(sought.clone(), &element)?;
        let (each, sought) = self.meet(Ex::of("v", (*element).clone()), sought, "=")?;
        let (each, sought) = (each.sql, sought.sql);
        let (sql, ty) = match (name, values) {
            ("array_position", [list, _]) => {
                let keys = format!("list_transform({}, lambda v: {each})", list.sql);
                (format!("CAST(list_position({keys}, {sought}) AS INTEGER)"), ColumnType::Int4)
            }
            ("array_positions", [list, _]) => {
                let one = format!("list_transform({}, lambda v: {each})[i] IS NOT DISTINCT FROM {sought}", list.sql);
                let places = format!("list_filter(range(1, len({}) + 1), lambda i: {one})", list.sql);
                (format!("CAST({places} AS INTEGER[])"), ColumnType::Array(Box::new(ColumnType::Int4)))
            }
            ("array_remove", [list, _]) => (
                format!("list_filter({}, lambda v: {each} IS DISTINCT FROM {sought})", list.sql),
                ColumnType::Array(element),
            ),
            ("array_replace", [list, _, by]) => {
                let by = self.settle(by.clone(), &element)?.sql;
                let one = format!("CASE WHEN {each} IS NOT DISTINCT FROM {sought} THEN {by} ELSE v END");
                (format!("list_transform({}, lambda v: {one})", list.sql), ColumnType::Array(element))
            }
            _ => return Ok(None),
        };
        Ok(Some(Ex::of(sql, ty)))
    }
}

/// The column's own decimal beside `long`, for an order comparison.
fn bounded(column: &Ex, long: &Ex, op: &str) -> Option<Ex> {
    if !long.ty.as_ref().is_some_and(is_long) {
        return None;
    }
    let scale = match column.ty.as_ref()? {
        ColumnType::Numeric(p, s) if *p > 0 => *s,
        ty if is_int(ty) => 0,
        _ => return None,
    };
    let way = match op {
        "<" | ">=" => "up",
        "<=" | ">" => "down",
        _ => return None,
    };
    let sql = format!("CAST(pg_num_bound({}, '{scale}', '{way}') AS DECIMAL(38,{scale}))", long.sql);
    Some(Ex { sql, ty: Some(NUMERIC), ..long.clone() })
}

fn is_filled(ex: &Ex) -> bool {
    matches!(ex.ty, Some(ColumnType::Char(_)))
}

fn is_list(ex: &Ex) -> bool {
    matches!(ex.ty, Some(ColumnType::Array(_) | ColumnType::Grid(_)))
}

fn spread(name: &str) -> Option<&'static str> {
    Some(match name {
        "stddev" | "stddev_samp" => "stddev_samp",
        "stddev_pop" => "stddev_pop",
        "variance" | "var_samp" => "var_samp",
        "var_pop" => "var_pop",
        _ => return None,
    })
}
