//! Constants: read as their type while planning, so that a wrong one is Postgres' error.

use duckmesh_catalog::{
    ColumnType,
    types::{DEFAULT_NUMERIC, SystemType, oid},
};
use sqlparser::ast::{Expr, UnaryOperator, Value};

use super::{Ex, Kind, Rewriter};
use crate::{
    sql::quote,
    value::{self, Param},
    wire::error::{PgError, PgResult, SqlState},
};

/// The text of a string constant.
pub(in crate::sql) fn string_of(value: &Value) -> Option<String> {
    match value {
        Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) | Value::UnicodeStringLiteral(s) => {
            Some(s.clone())
        }
        Value::DollarQuotedString(s) => Some(s.value.clone()),
        _ => None,
    }
}

/// `1.5e3` as `1500`: none where it has no exponent, or the digits would be too many.
pub(super) fn plain_decimal(n: &str) -> Option<String> {
    written_out(n, -30..=38)
}

/// The same, where the point comes to stand in a range of places.
pub(super) fn written_out(n: &str, points: std::ops::RangeInclusive<i32>) -> Option<String> {
    let at = n.find(['e', 'E'])?;
    let (mantissa, exponent) = (n.get(..at)?, n.get(at + 1..)?.parse::<i32>().ok()?);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if !points.contains(&point) {
        return None;
    }
    let length = i32::try_from(digits.len()).ok()?;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let text = if point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{digits}{}", zeros(point - length))
    } else {
        let (a, b) = digits.split_at(usize::try_from(point).ok()?);
        format!("{a}.{b}")
    };
    Some(format!("{sign}{text}"))
}

/// A NULL of a number or a time that stays one: of a constant the engine makes a NULL without a type where it computes with
/// decimals.
pub(super) fn typed_null(ex: Ex) -> Ex {
    match &ex.ty {
        Some(ty)
            if super::operator::is_number(ty) && !super::number::is_long(ty) || super::operator::is_time_point(ty) =>
        {
            Ex { sql: format!("(SELECT {})", ex.sql), ..ex }
        }
        _ => ex,
    }
}

impl Rewriter<'_> {
    /// A string as a constant of a type.
    pub fn constant(&mut self, text: &str, ty: &ColumnType, at: Option<u32>) -> PgResult<Ex> {
        // A view or a check holds the label's text of when it was made.
        let text = match ty {
            ColumnType::Enum(of) if self.in_view() || self.bounds.is_some() => {
                of.former().find(|(old, _)| *old == text).map_or(text, |(_, now)| now)
            }
            _ => text,
        };
        let param = Param::Text(text.as_bytes());
        let sql = match ty {
            ColumnType::System(system) if system.is_named() => self.named_constant(text, system.oid(), at)?,
            // One character; the engine has no type of such.
            ColumnType::System(SystemType::Text(oid::CHAR)) => quote::literal(&value::byte_char(text))?,
            ColumnType::System(SystemType::Text(oid::JSONPATH)) => {
                quote::literal(&crate::engine::worker::jsonpath(text).map_err(|e| e.or_position(at))?)?
            }
            ColumnType::Text | ColumnType::Varchar(None) | ColumnType::Other(_) => quote::literal(text)?,
            ColumnType::Numeric(0, _) => {
                let long = self.has_functions()
                    && super::number::reads_as_number(text)
                    && (super::number::is_long(ty)
                        || super::number::is_wide(text)
                        || !text.bytes().any(|b| b.is_ascii_digit()));
                if long {
                    return self.long_constant(text, at);
                }
                match value::literal(oid::NUMERIC, param, &self.ctx.values) {
                    Ok(sql) => sql,
                    Err(_) if self.has_functions() && super::number::reads_as_number(text) => {
                        return self.long_constant(text, at);
                    }
                    Err(e) => return Err(e.or_position(at)),
                }
            }
            ColumnType::Array(_) if let Some(vector) = super::vector::constant(text, ty) => vector,
            ColumnType::Array(element) if matches!(**element, ColumnType::System(s) if s.is_named()) => {
                self.named_list(text, element, ty, at)?
            }
            ColumnType::Array(element) if self.has_functions() => {
                let grid = crate::value::held::grid::read(element, text.as_bytes(), &self.ctx.values);
                if let Some(stored) = grid.map_err(|e| e.or_position(at))? {
                    return Ok(Ex::of(quote::literal(&stored)?, ColumnType::Grid(element.clone())).at(at));
                }
                value::literal_cast(ty, param, &self.ctx.values).map_err(|e| e.or_position(at))?
            }
            ColumnType::Grid(element) => {
                let stored = crate::value::held::grid::stored(element, text.as_bytes(), &self.ctx.values);
                quote::literal(&stored.map_err(|e| e.or_position(at))?)?
            }
            // What a lake cannot hold is refused where it is stored.
            ty if *ty.bare() == ColumnType::Interval && self.has_functions() => {
                let modifier = ty.clone().split().1;
                let fixed = value::interval_constant(text, modifier, &self.ctx.values);
                super::interval::hole(fixed.map_err(|e| e.or_position(at))?)
            }
            // As a cast has it: padded and cut.
            ty @ ColumnType::Modified(..) => {
                value::literal_cast(ty, param, &self.ctx.values).map_err(|e| e.or_position(at))?
            }
            ty => value::literal_as(ty, param, &self.ctx.values).map_err(|e| e.or_position(at))?,
        };
        Ok(Ex::of(sql, ty.clone()).at(at))
    }

    /// `'{orders,1259}'` as an array of `regclass` and its like.
    fn named_list(&mut self, text: &str, of: &ColumnType, ty: &ColumnType, at: Option<u32>) -> PgResult<String> {
        let grid = value::held::grid::Grid::parse(text).map_err(|e| e.or_position(at))?;
        if !grid.is_list() {
            return Err(value::held::grid::refused().or_position(at));
        }
        let mut numbers = Vec::with_capacity(grid.elements.len());
        for element in &grid.elements {
            numbers.push(match element {
                Some(name) => self.named_constant(name, of.oid(), at)?,
                None => "NULL".to_owned(),
            });
        }
        Ok(ty.cast(&format!("[{}]", numbers.join(", "))))
    }

    /// An expression as the type it meets: constants are read as it, parameters get it.
    ///
    /// A modifier of the type means nothing here: whoever stores or casts the value asks for it.
    pub fn settle(&mut self, ex: Ex, ty: &ColumnType) -> PgResult<Ex> {
        let (bare, _) = ty.clone().split();
        let ty = &bare;
        match ex.kind.clone() {
            Kind::Str(text) => self.constant(&text, ty, ex.position),
            Kind::Param(index) => {
                self.param_is(index, ty, ex.position)?;
                if super::number::is_long(ty) {
                    let sql = format!("CAST({} AS VARCHAR)", ex.sql);
                    return Ok(Ex { sql, ty: Some(super::LONG), kind: Kind::Plain, ..ex });
                }
                let sql = self.param_text(index, ty);
                Ok(Ex { sql, ty: Some(ty.clone()), kind: Kind::Typed(index), ..ex })
            }
            Kind::Null => Ok(Ex { sql: cast_to("NULL", ty), ty: Some(ty.clone()), ..ex }),
            Kind::Plain | Kind::Typed(_) | Kind::Number(_) | Kind::Mixed(_) | Kind::Row(_) => Ok(ex),
        }
    }

    /// The same, but NULL stays what it is.
    pub fn settle_unknown(&mut self, ex: Ex, ty: &ColumnType) -> PgResult<Ex> {
        match ex.kind {
            Kind::Null => Ok(ex),
            _ => self.settle(ex, ty),
        }
    }
}

/// The engine's name of a type; `numeric` without precision gets the lake's.
pub(super) fn duckdb(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Numeric(0, 0) => ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1).duckdb(),
        ColumnType::Numeric(0, _) => ColumnType::Text.duckdb(),
        ColumnType::Array(element) => format!("{}[]", duckdb(element)),
        other => other.duckdb(),
    }
}

/// An expression cast to a type.
pub(super) fn cast_to(sql: &str, ty: &ColumnType) -> String {
    match ty {
        ColumnType::Array(element) if matches!(**element, ColumnType::Enum(_)) => ty.cast(sql),
        other => format!("CAST({sql} AS {})", duckdb(other)),
    }
}

/// `invalid input syntax for type …`, where a constant of another kind stands.
#[allow(dead_code)]
pub(super) fn invalid(ty: &ColumnType, text: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {ty}: \"{text}\""))
}

/// A number that is written out.
pub(super) fn constant_number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => constant_number(expr).map(|n| -n),
        Expr::Nested(inner) => constant_number(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn exponents_are_written_out() {
        for (n, expect) in [
            ("1e3", Some("1000")),
            ("1.5e3", Some("1500")),
            ("1.2345e2", Some("123.45")),
            ("-5e-3", Some("-0.005")),
            ("1.5", None),
            ("1e400", None),
        ] {
            assert_eq!(super::plain_decimal(n).as_deref(), expect, "{n}");
        }
    }
}
