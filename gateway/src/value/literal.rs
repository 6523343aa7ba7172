//! Values as SQL literals for the engine and as the lake's own text form.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use bytes::BytesMut;
use chrono::DateTime;
use duckmesh_catalog::types::{ColumnType, DEFAULT_NUMERIC, TextType, oid};

use super::builder::ColumnBuilder;
use super::context::ValueContext;
use super::encoder::Encoder;
use super::error::text as utf8;
use super::interval::{self, Interval};
use super::numeric::{self, Parsed};
use super::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Digits of the engine's widest decimal.
const DECIMAL_DIGITS_MAX: i64 = 38;

/// A bind parameter as it came.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// Format code 0.
    Text(&'a [u8]),
    /// Format code 1.
    Binary(&'a [u8]),
}

/// The type of Postgres' oid, with its modifier (-1 for none); none for types DuckMesh has no values of.
/// `unknown` is text; `numeric` without a modifier is `DEFAULT_NUMERIC` here, but [`literal`] keeps all its digits.
#[must_use]
pub fn type_of_oid(oid: u32, typmod: i32) -> Option<ColumnType> {
    let length = u32::try_from(typmod - 4).ok();
    let own = (typmod >= 0).then_some(typmod);
    Some(match oid {
        oid::BOOL => ColumnType::Bool,
        oid::INT2 => ColumnType::Int2,
        oid::INT4 => ColumnType::Int4,
        oid::INT8 => ColumnType::Int8,
        oid::FLOAT4 => ColumnType::Float4,
        oid::FLOAT8 => ColumnType::Float8,
        oid::NUMERIC => {
            let (p, s) = (length.unwrap_or(0) >> 16, length.unwrap_or(0) & 0x7ff);
            match (u8::try_from(p), i8::try_from(s)) {
                (Ok(p @ 1..=38), Ok(s)) if u32::try_from(s).is_ok_and(|s| s <= u32::from(p)) => {
                    ColumnType::Numeric(p, s)
                }
                _ => ColumnType::Numeric(DEFAULT_NUMERIC.0, DEFAULT_NUMERIC.1),
            }
        }
        oid::TEXT | oid::UNKNOWN => ColumnType::Text,
        oid::VARCHAR => ColumnType::Varchar(length),
        oid::BPCHAR => length.map_or(ColumnType::Text, ColumnType::Char),
        oid::BYTEA => ColumnType::Bytea,
        oid::DATE => ColumnType::Date,
        oid::TIME => ColumnType::Time.modified(own),
        oid::TIMESTAMP => ColumnType::Timestamp.modified(own),
        oid::TIMESTAMPTZ => ColumnType::Timestamptz.modified(own),
        oid::INTERVAL => ColumnType::Interval.modified(own),
        oid::UUID => ColumnType::Uuid,
        oid::JSON => ColumnType::Json,
        oid::JSONB => ColumnType::Jsonb,
        oid::MONEY => ColumnType::Money,
        _ if TextType::of_oid(oid).is_some() => ColumnType::AsText(TextType::of_oid(oid)?).modified(own),
        _ => match ColumnType::system(oid) {
            Some(ty) => ty,
            None => ColumnType::Array(Box::new(type_of_oid(oid::element_of(oid)?, typmod)?)),
        },
    })
}

/// A bind parameter of Postgres type `oid` as a DuckDB literal: `CAST('2024-01-02' AS DATE)`.
///
/// A parameter is not stored yet: an interval may have what a lake cannot hold, a numeric keeps its own scale.
pub fn literal(oid: u32, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    match (oid, param) {
        (oid::UNKNOWN, Param::Null) => Ok("NULL".to_owned()),
        (oid::UNKNOWN, Param::Text(text) | Param::Binary(text)) => Ok(quoted(utf8(text)?)),
        // A number or a name: which of them is found out where it is used.
        (_, Param::Null) if oid::is_named(oid) => Ok("CAST(NULL AS VARCHAR)".to_owned()),
        (_, Param::Text(text)) if oid::is_named(oid) => Ok(quoted(utf8(text)?)),
        (_, Param::Binary(bytes)) if oid::is_named(oid) => {
            let mut wire = WireBytes(bytes);
            let number = wire.u32()?;
            wire.end()?;
            Ok(quoted(&number.to_string()))
        }
        (oid::NUMERIC, Param::Text(text)) => decimal(numeric::read(text)?),
        (oid::NUMERIC, Param::Binary(bytes)) => decimal(numeric::receive(bytes)?),
        (oid::INTERVAL, Param::Text(text)) => Ok(interval_literal(interval::parse(text, None, ctx)?)),
        (oid::INTERVAL, Param::Binary(bytes)) => {
            let mut wire = WireBytes(bytes);
            let (micros, days, months) = (wire.i64()?, wire.i32()?, wire.i32()?);
            wire.end()?;
            Ok(interval_literal(Interval { months, days, micros }))
        }
        _ => {
            let ty = type_of_oid(oid, -1)
                .ok_or_else(|| PgError::unsupported(format!("parameters of type {oid} are not supported")))?;
            literal_as(&ty, param, ctx)
        }
    }
}

/// The same for a known type, as an assignment to it would change the value.
pub fn literal_as(ty: &ColumnType, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    built(ColumnBuilder::new(ty, 1)?, ty, param, ctx)
}

/// The same as an explicit cast to it changes the value: too long is cut, too short padded.
pub fn literal_cast(ty: &ColumnType, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    built(ColumnBuilder::new(ty, 1)?.explicit_cast(), ty, param, ctx)
}

fn built(mut column: ColumnBuilder, ty: &ColumnType, param: Param<'_>, ctx: &ValueContext) -> PgResult<String> {
    match param {
        Param::Null => return Ok(null(ty)),
        Param::Text(text) => column.append_text(text, ctx)?,
        Param::Binary(bytes) => column.append_binary(bytes, ctx)?,
    }
    sql_literal(ty, &column.finish(), 0)
}

fn null(ty: &ColumnType) -> String {
    ty.cast("NULL")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn decimal(parsed: Parsed) -> PgResult<String> {
    let overflow = |what: &str| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what);
    let number = match parsed {
        Parsed::Finite(number) => number,
        Parsed::NaN => {
            return Err(overflow("NaN is not supported as numeric").hint("Use double precision."));
        }
        Parsed::Infinity => {
            return Err(overflow("infinity is not supported as numeric").hint("Use double precision."));
        }
    };
    let digits = (number.point.max(0) + number.scale).max(1);
    if digits > DECIMAL_DIGITS_MAX {
        return Err(overflow("numeric field overflow").detail("A number may have 38 digits."));
    }
    // One digit before the point, where there is room: without it the engine writes 0.5 as .5.
    let digits = digits.max((number.scale + 1).min(DECIMAL_DIGITS_MAX));
    let mut text = String::new();
    numeric::write_decimal(&number, &mut text);
    Ok(format!("CAST('{text}' AS DECIMAL({digits},{}))", number.scale))
}

/// In parts: the engine reads fewer forms of intervals than Postgres.
pub(crate) fn interval_literal(value: Interval) -> String {
    format!("(to_months({}) + to_days({}) + to_microseconds({}))", value.months, value.days, value.micros)
}

/// A constant of a type of intervals: it may have what a lake cannot hold.
pub(crate) fn interval_constant(text: &str, modifier: Option<i32>, ctx: &ValueContext) -> PgResult<Interval> {
    interval::parse(text.as_bytes(), modifier, ctx)
}

/// A value of a column as a DuckDB literal.
pub fn sql_literal(ty: &ColumnType, array: &ArrayRef, row: usize) -> PgResult<String> {
    if array.is_null(row) {
        return Ok(null(ty));
    }
    if let ColumnType::Array(element) = ty {
        let elements = list_at(array, row)?;
        let mut text = "[".to_owned();
        for i in 0..elements.len() {
            text.push_str(if i == 0 { "" } else { ", " });
            text.push_str(&sql_literal(element, &elements, i)?);
        }
        text.push(']');
        return Ok(ty.cast(&text));
    }
    if *ty.bare() == ColumnType::Interval {
        let value = array
            .as_primitive_opt::<arrow::datatypes::IntervalMonthDayNanoType>()
            .map(|values| values.value(row))
            .ok_or_else(|| PgError::internal("an interval of unexpected type"))?;
        let micros = value.nanoseconds / 1000;
        return Ok(interval_literal(Interval { months: value.months, days: value.days, micros }));
    }
    let text = plain_text(ty, array, row)?;
    Ok(match ty {
        ColumnType::Bool => text,
        ty if matches!(ty.base(), ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8) => {
            format!("CAST({text} AS {})", ty.duckdb())
        }
        _ => format!("CAST({} AS {})", quoted(&text), ty.duckdb()),
    })
}

fn list_at(array: &ArrayRef, row: usize) -> PgResult<ArrayRef> {
    let list = array.as_list_opt::<i32>().ok_or_else(|| PgError::internal("a list of unexpected type"))?;
    Ok(list.value(row))
}

/// A value in the lake's text form (`DefaultValue::Literal`) as Postgres shows it: `{a,b}` for `[a, b]`.
pub fn shown_lake_text(ty: &ColumnType, text: &str) -> PgResult<String> {
    let mut column = ColumnBuilder::new(ty, 1)?;
    column.append_lake_text(text)?;
    let array = column.finish();
    // No setting of a session may change it.
    let ctx = Arc::new(ValueContext::new(DateTime::UNIX_EPOCH));
    let mut out = BytesMut::new();
    Encoder::new(array.data_type(), "", Some(ty), &ctx)?.bind(&array)?.encode_text(0, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// A value of a column in the lake's text form (`DefaultValue::Literal`); none for NULL.
pub fn lake_text(ty: &ColumnType, array: &ArrayRef, row: usize) -> PgResult<Option<String>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let ColumnType::Array(element) = ty else {
        let text = plain_text(ty, array, row)?;
        // The book holds blobs as hexadecimal digits.
        return Ok(Some(if *ty == ColumnType::Bytea { text.replace("\\x", "") } else { text }));
    };
    let elements = list_at(array, row)?;
    let mut text = "[".to_owned();
    for i in 0..elements.len() {
        text.push_str(if i == 0 { "" } else { ", " });
        let held = if elements.is_null(i) { None } else { Some(plain_text(element, &elements, i)?) };
        match held {
            None => text.push_str("NULL"),
            Some(value) if is_plain(&value) => text.push_str(&value),
            Some(value) => {
                let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
                let _ = write!(text, "'{escaped}'");
            }
        }
    }
    text.push(']');
    Ok(Some(text))
}

/// Whether a list's element needs no quotes.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '+' | ':' | '_' | ' ');
    !text.is_empty() && !text.eq_ignore_ascii_case("null") && text.trim() == text && text.chars().all(plain)
}

/// A scalar as DuckDB writes and reads it.
fn plain_text(ty: &ColumnType, array: &ArrayRef, row: usize) -> PgResult<String> {
    let ty = ty.bare();
    let declared = match ty {
        // Blanks that char(n) is shown with are not stored.
        ColumnType::Char(_) | ColumnType::AsText(_) => &ColumnType::Text,
        ColumnType::Money => &ColumnType::MONEY_HELD,
        other => other,
    };
    // No setting of a session may change it.
    let ctx = Arc::new(ValueContext::new(DateTime::UNIX_EPOCH));
    let encoder = Encoder::new(array.data_type(), "", Some(declared), &ctx)?;
    let mut out = BytesMut::new();
    encoder.bind(array)?.encode_text(row, &mut out)?;
    let text = String::from_utf8_lossy(&out).into_owned();
    Ok(match ty {
        ColumnType::Bool => if text == "t" { "true" } else { "false" }.to_owned(),
        ColumnType::Bytea => {
            let digits = text.get(2..).unwrap_or_default().as_bytes();
            digits.chunks(2).fold(String::new(), |mut blob, pair| {
                blob.push_str("\\x");
                blob.extend(pair.iter().map(|b| char::from(*b).to_ascii_uppercase()));
                blob
            })
        }
        ColumnType::Date | ColumnType::Timestamp | ColumnType::Timestamptz => match text.strip_suffix(" BC") {
            Some(date) => match date.split_once(' ') {
                Some((day, time)) => format!("{day} (BC) {time}"),
                None => format!("{date} (BC)"),
            },
            None => text,
        },
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ctx() -> ValueContext {
        ValueContext::new(DateTime::UNIX_EPOCH)
    }

    #[test]
    fn parameters_become_literals() {
        for (oid, text, expected) in [
            (oid::INT8, "-42", "CAST(-42 AS BIGINT)"),
            (oid::BOOL, "yes", "true"),
            (oid::DATE, "jan 2 2024", "CAST('2024-01-02' AS DATE)"),
            (oid::DATE, "0044-03-15 BC", "CAST('0044-03-15 (BC)' AS DATE)"),
            (oid::TIMESTAMP, "0044-03-15 12:00 BC", "CAST('0044-03-15 (BC) 12:00:00' AS TIMESTAMP)"),
            (oid::TIMESTAMPTZ, "2024-01-02 03:04+02", "CAST('2024-01-02 01:04:00+00' AS TIMESTAMPTZ)"),
            (oid::TEXT, "it's", "CAST('it''s' AS VARCHAR)"),
            (oid::UNKNOWN, "it's", "'it''s'"),
            (oid::NUMERIC, "1.50", "CAST('1.50' AS DECIMAL(3,2))"),
            (oid::NUMERIC, "-1e3", "CAST('-1000' AS DECIMAL(4,0))"),
            (oid::NUMERIC, "0.001", "CAST('0.001' AS DECIMAL(4,3))"),
            (oid::INTERVAL, "-1 day 0.5 us", "(to_months(0) + to_days(-1) + to_microseconds(0))"),
            (oid::BYTEA, "\\x00ff", "CAST('\\x00\\xFF' AS BLOB)"),
            (1007, "{1,NULL}", "CAST([CAST(1 AS INTEGER), CAST(NULL AS INTEGER)] AS INTEGER[])"),
            (oid::JSONB, "{\"b\":1,\"a\":2}", "CAST('{\"a\": 2, \"b\": 1}' AS JSON)"),
            (oid::OID, "16385", "CAST(16385 AS BIGINT)"),
        ] {
            assert_eq!(literal(oid, Param::Text(text.as_bytes()), &ctx()).unwrap(), expected);
        }
        assert_eq!(literal(oid::DATE, Param::Null, &ctx()).unwrap(), "CAST(NULL AS DATE)");
        assert_eq!(literal(oid::INT4, Param::Binary(&[0, 0, 0, 7]), &ctx()).unwrap(), "CAST(7 AS INTEGER)");
        let error = literal(oid::INT4, Param::Binary(&[0, 0, 7]), &ctx()).unwrap_err();
        assert_eq!(error.to_string(), "08P01: insufficient data left in message");
    }

    #[test]
    fn lake_text_goes_both_ways() {
        let list = |ty: ColumnType| ColumnType::Array(Box::new(ty));
        for (ty, input, expected) in [
            (ColumnType::Bool, "t", "true"),
            (ColumnType::Numeric(10, 2), "1.5", "1.50"),
            (ColumnType::Char(5), "ab   ", "ab"),
            (ColumnType::Bytea, "\\x00ff41", "00FF41"),
            (ColumnType::Date, "0044-03-15 BC", "0044-03-15 (BC)"),
            (ColumnType::Timestamptz, "2024-01-02 03:04:05.5+02", "2024-01-02 01:04:05.5+00"),
            (ColumnType::Timestamp, "0044-03-15 12:00 BC", "0044-03-15 (BC) 12:00:00"),
            (ColumnType::Timestamp, "-infinity", "-infinity"),
            (ColumnType::Interval, "1 year 2 days 3:04", "1 year 2 days 03:04:00"),
            (ColumnType::Json, "{\"a\": [1]}", "{\"a\": [1]}"),
            (list(ColumnType::Text), "{a,NULL,\"it's, \\\\ \",\"null\"}", "[a, NULL, 'it\\'s, \\\\ ', 'null']"),
            (list(ColumnType::Int4), "{1,NULL,3}", "[1, NULL, 3]"),
            (list(ColumnType::Int4), "{}", "[]"),
        ] {
            let mut column = ColumnBuilder::new(&ty, 2).unwrap();
            column.append_text(input.as_bytes(), &ctx()).unwrap();
            column.append_lake_text(expected).unwrap();
            let array = column.finish();
            assert_eq!(lake_text(&ty, &array, 0).unwrap().as_deref(), Some(expected));
            assert_eq!(lake_text(&ty, &array, 1).unwrap().as_deref(), Some(expected));
        }
    }
}
