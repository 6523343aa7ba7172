//! Digits of numbers of different scales that meet in one place: each value keeps its own, as in Postgres.
//!
//! The engine's decimals of one column have one scale, so such values travel as text (`number.rs`). Where only their worth
//! counts (aggregates, WHERE), the engine's decimal is used beside the number of digits that count.

use duckmesh_catalog::ColumnType;

use super::{
    Ex, Kind, NUMERIC, Rewriter,
    number::{is_exact, is_long},
    operator::is_int,
};

/// The precision of numbers whose scale is known while Postgres knows no modifier: `a + b`.
const COMPUTED: u8 = 39;
/// The greatest scale of the engine's decimals, and their digits.
const SCALE_MAX: i8 = 38;
/// Digits of the decimals that the engine holds in 64 bits.
const SHORT_DIGITS: i8 = 18;
/// What is added to the bound of long numbers' digits: 0 and 1 in its place mean others.
const BOUND: i8 = 2;

/// A value that is text, as the engine's decimal, and how many digits of that are the value's own.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sql) struct Mixed {
    pub value: String,
    pub scale: String,
}

/// `numeric` without modifier, all of whose values have so many digits behind the point.
pub(super) fn computed(scale: i8) -> ColumnType {
    if (0..=SCALE_MAX).contains(&scale) { ColumnType::Numeric(COMPUTED, scale) } else { NUMERIC }
}

/// Whether it is the type of a column or cast, which says how many digits there may be.
pub(super) fn is_declared(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Numeric(1..COMPUTED, _))
}

/// The type of what is computed from a value: its digits are known, its modifier is not.
pub(super) fn without_modifier(ty: ColumnType) -> ColumnType {
    match ty {
        ColumnType::Numeric(1.., scale) => computed(scale),
        ColumnType::Array(element) => ColumnType::Array(Box::new(without_modifier(*element))),
        other => other,
    }
}

/// Text of numbers that have so many digits behind the point at most.
pub(super) fn long_to(scale: i8) -> ColumnType {
    if (0..=SCALE_MAX).contains(&scale) { ColumnType::Numeric(0, scale + BOUND) } else { super::LONG }
}

/// The most digits behind the point of an exact type's values.
pub(super) fn bound_of(ty: &ColumnType) -> Option<i8> {
    match ty {
        ColumnType::Numeric(0, bound) => Some(bound - BOUND).filter(|scale| *scale >= 0),
        ty => scale_of_type(ty),
    }
}

/// The same of an expression.
pub(super) fn bound_of_value(ex: &Ex) -> Option<i8> {
    match (&ex.kind, &ex.ty) {
        (Kind::Typed(_), Some(ColumnType::Numeric(..))) => None,
        (_, Some(ty)) => bound_of(ty),
        _ => None,
    }
}

/// Text of numbers of all these.
pub(super) fn long_of(bounds: impl IntoIterator<Item = Option<i8>>) -> ColumnType {
    let most = bounds.into_iter().try_fold(0, |most: i8, bound| bound.map(|bound| most.max(bound)));
    most.map_or(super::LONG, long_to)
}

/// A column: text of numbers whose digits have a bound is the engine's decimal, too.
pub(super) fn of_column(sql: String, ty: Option<ColumnType>) -> Ex {
    let Some(scale) = ty.as_ref().filter(|ty| is_long(ty)).and_then(bound_of) else { return Ex::plain(sql, ty) };
    // The engine reads short decimals hundreds of times faster than long ones.
    let value = format!(
        "(CASE WHEN length({sql}) <= {short} - {scale} THEN CAST(CAST({sql} AS DECIMAL({width},{scale})) AS DECIMAL({SCALE_MAX},{scale})) \
         ELSE CAST({sql} AS DECIMAL({SCALE_MAX},{scale})) END)",
        short = SHORT_DIGITS,
        width = SHORT_DIGITS.max(scale),
    );
    let scale = format!("(CASE WHEN contains({sql}, '.') THEN length({sql}) - strpos({sql}, '.') ELSE 0 END)");
    Ex { kind: Kind::Mixed(Box::new(Mixed { value, scale })), ..Ex::plain(sql, ty) }
}

/// The type that another value is read as where it meets this one: with all its digits.
pub(super) fn any_digits(ty: &ColumnType) -> ColumnType {
    match ty {
        ColumnType::Numeric(1.., _) => NUMERIC,
        ty if is_long(ty) => super::LONG,
        other => other.clone(),
    }
}

/// How many digits behind the point all values of an exact type have.
fn scale_of_type(ty: &ColumnType) -> Option<i8> {
    match ty {
        ColumnType::Numeric(1.., scale) => Some(*scale),
        ty if is_int(ty) => Some(0),
        _ => None,
    }
}

/// The same of an expression: a parameter has those of its value.
pub(super) fn scale_of(ex: &Ex) -> Option<i8> {
    match (&ex.kind, &ex.ty) {
        (Kind::Typed(_), Some(ColumnType::Numeric(..))) => None,
        (_, Some(ty)) => scale_of_type(ty),
        _ => None,
    }
}

/// Whether the digits of values may differ that meet as `numeric`.
pub(super) fn differ<'e>(exs: impl IntoIterator<Item = &'e Ex>) -> bool {
    let mut scales = exs.into_iter().filter(|ex| ex.kind != Kind::Null).map(scale_of);
    let Some(first) = scales.next() else { return false };
    scales.any(|scale| scale.is_none() || scale != first)
}

/// The same of the columns of two queries.
pub(super) fn types_differ(a: &ColumnType, b: &ColumnType) -> bool {
    let (a, b) = (scale_of_type(a), scale_of_type(b));
    a.is_none() || a != b
}

/// The number of digits of a sum, difference or product, where both sides' are known.
pub(super) fn scale_of_operation(op: &str, l: &Ex, r: &Ex) -> Option<i8> {
    let (l, r) = (scale_of(l)?, scale_of(r)?);
    match op {
        "+" | "-" => Some(l.max(r)),
        "*" => l.checked_add(r),
        _ => None,
    }
}

impl Mixed {
    /// Its text.
    fn text(&self) -> String {
        format!("pg_num_round(CAST({} AS VARCHAR), CAST({} AS VARCHAR))", self.value, self.scale)
    }

    /// As an expression, whose text is made of it.
    fn shown(self) -> Ex {
        let text = self.text();
        self.beside(text)
    }

    /// As an expression of that text.
    fn beside(self, text: String) -> Ex {
        Ex { kind: Kind::Mixed(Box::new(self)), ..Ex::of(text, super::LONG) }
    }
}

impl Rewriter<'_> {
    /// The text of an exact number. Of a decimal whose digits are all behind the point the engine leaves out the zero before it.
    pub(super) fn decimal_text(&self, ex: &Ex) -> String {
        let text = format!("CAST({} AS VARCHAR)", ex.sql);
        match &ex.ty {
            Some(ColumnType::Numeric(precision @ 1..COMPUTED, scale)) if i16::from(*precision) > i16::from(*scale) => {
                text
            }
            Some(ColumnType::Numeric(..)) if self.has_functions() => format!("pg_text_decimal({text})"),
            _ => text,
        }
    }

    /// Decimal and digits of an exact number. None of one that only its text tells.
    pub(super) fn parts_of(&self, ex: &Ex) -> Option<Mixed> {
        let ty = ex.ty.as_ref();
        match &ex.kind {
            Kind::Mixed(parts) if ty.is_some_and(is_long) => return Some((**parts).clone()),
            Kind::Null => return Some(Mixed { value: "NULL".into(), scale: "NULL".into() }),
            _ if !ty.is_some_and(|ty| is_exact(ty) && !is_long(ty)) => return None,
            _ => {}
        }
        let scale = scale_of(ex).map_or_else(
            // The engine knows it when it plans: a constant there.
            || {
                let ty = format!("typeof({})", ex.sql);
                format!("COALESCE(TRY_CAST(split_part(split_part({ty}, ',', 2), ')', 1) AS TINYINT), 0)")
            },
            |scale| scale.to_string(),
        );
        Some(Mixed { value: ex.sql.clone(), scale })
    }

    /// The parts of values that met as text; none where one has no parts.
    pub(super) fn parts_of_all(&self, exs: &[Ex]) -> Option<Vec<Mixed>> {
        exs.iter().any(is_mixed).then(|| exs.iter().map(|ex| self.parts_of(ex)).collect())?
    }

    /// Whether an expression's text is nobody's but its own: no GROUP BY has to find it again.
    pub(super) fn takes_parts(&self) -> bool {
        self.clause.is_some_and(|(place, _)| PLACES.contains(&place))
    }

    /// `COALESCE` of values that met as text.
    pub(super) fn coalesced(&self, exs: &[Ex]) -> Ex {
        let text = format!("COALESCE({})", list(exs.iter().map(|ex| ex.sql.as_str())));
        let Some(parts) = self.parts_of_all(exs) else { return Ex::of(text, super::LONG) };
        let value = format!("COALESCE({})", list(parts.iter().map(|p| p.value.as_str())));
        let whens = parts.iter().map(|p| format!(" WHEN {} IS NOT NULL THEN {}", p.value, p.scale));
        let scale = format!("(CASE{} END)", whens.collect::<String>());
        Mixed { value, scale }.beside(text)
    }

    /// `GREATEST` and `LEAST` of them.
    pub(super) fn extreme(&self, name: &str, exs: &[Ex]) -> Ex {
        let text = format!("pg_num_{name}({})", list(exs.iter().map(|ex| ex.sql.as_str())));
        let Some(parts) = self.parts_of_all(exs) else { return Ex::of(text, super::LONG) };
        let value = format!("{name}({})", list(parts.iter().map(|p| p.value.as_str())));
        let whens = parts.iter().map(|p| format!(" WHEN {} = {value} THEN {}", p.value, p.scale));
        let scale = format!("(CASE{} END)", whens.collect::<String>());
        Mixed { value, scale }.beside(text)
    }

    /// A result of `CASE`, whose forms are written alike.
    pub(super) fn chosen(&self, results: &[Ex], write: impl Fn(&[String]) -> String) -> Option<Ex> {
        let parts = self.parts_of_all(results)?;
        let form = |of: fn(&Mixed) -> &String| write(&parts.iter().map(|p| of(p).clone()).collect::<Vec<_>>());
        let texts: Vec<String> = results.iter().map(|ex| ex.sql.clone()).collect();
        Some(Mixed { value: form(|p| &p.value), scale: form(|p| &p.scale) }.beside(write(&texts)))
    }

    /// A sum, difference or product, beside its text.
    pub(super) fn with_parts(&self, ex: Ex, op: &str, l: &Ex, r: &Ex) -> Ex {
        if !(is_mixed(l) || is_mixed(r)) || !matches!(op, "+" | "-" | "*") {
            return ex;
        }
        let (Some(a), Some(b)) = (self.parts_of(l), self.parts_of(r)) else { return ex };
        let scale = match op {
            "*" => format!("({} + {})", a.scale, b.scale),
            _ => format!("greatest({}, {})", a.scale, b.scale),
        };
        let bounds = bound_of_value(l).zip(bound_of_value(r));
        let ty = bounds.map_or(super::LONG, |(a, b)| long_to(if op == "*" { a.saturating_add(b) } else { a.max(b) }));
        let mixed = Mixed { value: format!("({} {op} {})", a.value, b.value), scale }.beside(ex.sql);
        Ex { ty: Some(ty), ..mixed }
    }

    /// `mode()` over them.
    pub(super) fn mixed_mode(&self, ex: &Ex, tail: &str) -> Option<Ex> {
        let Mixed { value, scale } = self.parts_of(ex).filter(|_| is_mixed(ex))?;
        let pair = format!("CASE WHEN {value} IS NOT NULL THEN {{'v': {value}, 's': {scale}}} END");
        let call = format!("mode({pair} ORDER BY {value}){tail}");
        let part = |name: &str| format!("struct_extract({call}, '{name}')");
        Some(Mixed { value: part("v"), scale: part("s") }.shown())
    }

    /// Aggregates over the decimals. None: another aggregate, or no decimals.
    pub(super) fn mixed_aggregate(&self, name: &str, ex: &Ex, distinct: &str, tail: &str) -> Option<Ex> {
        let Mixed { value, scale } = self.parts_of(ex).filter(|_| is_mixed(ex))?;
        let sum = || Mixed {
            value: format!("sum({distinct}{value}){tail}"),
            scale: format!("max(CASE WHEN {value} IS NOT NULL THEN {scale} END){tail}"),
        };
        Some(match name {
            "sum" => Ex { ty: ex.ty.clone(), ..sum().shown() },
            "avg" => {
                let count = format!("count({distinct}{value}){tail}");
                Ex::of(format!("pg_num_div({}, CAST({count} AS VARCHAR))", sum().text()), super::LONG)
            }
            "min" | "max" => {
                let scale = format!("arg_{name}({scale}, {value}){tail}");
                Ex { ty: ex.ty.clone(), ..Mixed { value: format!("{name}({value}){tail}"), scale }.shown() }
            }
            _ => return None,
        })
    }
}

/// The clauses whose expressions nothing outside of them compares with its own.
const PLACES: [&str; 4] = ["WHERE", "JOIN conditions", "FILTER", super::aggregate::NESTED];

pub(super) fn is_mixed(ex: &Ex) -> bool {
    matches!(ex.kind, Kind::Mixed(_)) && ex.ty.as_ref().is_some_and(is_long)
}

fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}
