//! The text form of values.

use bytes::{BufMut, BytesMut};

use super::super::{array_text, bytea, datetime, digits, float_text, numeric, uuid_text};
use super::super::{held, interval};
use super::BoundEncoder;
use super::cells::{Cells, micros};
use super::kind::Kind;
use super::nested;
use crate::wire::error::{PgError, PgResult, SqlState};

#[cold]
pub(super) fn unexpected() -> PgError {
    PgError::internal("a result's values are not of the column's type")
}

#[cold]
fn out_of_range(type_name: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

pub(super) fn narrow<T: TryFrom<i64>>(value: Option<i64>, type_name: &str) -> PgResult<T> {
    value.and_then(|v| T::try_from(v).ok()).ok_or_else(|| out_of_range(type_name))
}

#[inline]
pub(super) fn encode(bound: &BoundEncoder<'_>, row: usize, out: &mut BytesMut) -> PgResult<()> {
    let (cells, ctx) = (&bound.cells, bound.ctx);
    if let Cells::Dictionary(keys, values) = cells {
        let key = keys.get(row).copied().flatten().ok_or_else(unexpected)?;
        return encode(values, key, out);
    }
    let integer = |unit| cells.integer(row).map(|v| micros(v, unit)).ok_or_else(unexpected);
    match bound.kind {
        Kind::Bool => match cells {
            Cells::Bool(values) => out.put_u8(if values.value(row) { b't' } else { b'f' }),
            _ => return Err(unexpected()),
        },
        Kind::Int2 => digits::write_integer(narrow::<i16>(cells.integer(row), "smallint")?.into(), out),
        Kind::Int4 => digits::write_integer(narrow::<i32>(cells.integer(row), "integer")?.into(), out),
        Kind::Int8 => digits::write_integer(narrow(cells.integer(row), "bigint")?, out),
        Kind::Float4 => float4(cells, row, ctx.extra_float_digits, out)?,
        Kind::Float8 => {
            float_text::write_f64(cells.float(row).ok_or_else(unexpected)?, ctx.extra_float_digits, out);
        }
        Kind::Numeric(scale) => decimal(cells, row, *scale, out)?,
        Kind::Text | Kind::Byte | Kind::Number => out.put_slice(cells.bytes(row).ok_or_else(unexpected)?),
        Kind::Jsonb => out.put_slice(cells.bytes(row).ok_or_else(unexpected)?),
        Kind::Char(n) => padded(cells.bytes(row).ok_or_else(unexpected)?, *n, out),
        Kind::Bytea => bytea::write(cells.bytes(row).ok_or_else(unexpected)?, ctx.bytea_output, out),
        Kind::Date => datetime::write_date(date(cells, row)?, ctx, out),
        Kind::Time(unit) => datetime::write_time(integer(*unit)?, out),
        Kind::Timetz(unit) => datetime::write_timetz(integer(*unit)?, 0, out),
        Kind::Timestamp(unit) => datetime::write_timestamp(integer(*unit)?, ctx, out),
        Kind::Timestamptz(unit) => datetime::write_timestamptz(integer(*unit)?, ctx, out),
        Kind::Interval => match cells {
            Cells::Interval(at) => interval::write(at(row), ctx.interval_style, out),
            _ => return Err(unexpected()),
        },
        Kind::Uuid => match cells.bytes(row) {
            Some(bytes) if bytes.len() == 16 => uuid_text::write(bytes, out),
            Some(text) => out.put_slice(text),
            None => return Err(unexpected()),
        },
        Kind::Money => out.put_slice(held::money::text(cents(cells, row)?).as_bytes()),
        Kind::Held(ty) => {
            let stored = stored(cells, row)?;
            out.put_slice(held::show(*ty, stored, ctx)?.as_bytes());
        }
        Kind::Oid => digits::write_integer(narrow::<u32>(cells.integer(row), "oid")?.into(), out),
        Kind::Named => out.put_slice(named(cells.bytes(row).ok_or_else(unexpected)?).1),
        Kind::Record(types) => out.put_slice(held::record::show(types, stored(cells, row)?, ctx)?.as_bytes()),
        Kind::Grid(element) => out.put_slice(held::grid::show(element, stored(cells, row)?, ctx)?.as_bytes()),
        Kind::Array(..) => array(cells, row, out)?,
        Kind::Vector(..) => vector(cells, row, out)?,
        Kind::Nested => nested::write(cells, row, ctx, out)?,
    }
    Ok(())
}

/// Hundredths.
pub(super) fn cents(cells: &Cells<'_>, row: usize) -> PgResult<i64> {
    cells.decimal(row).and_then(|v| i64::try_from(v).ok()).ok_or_else(held::money::range)
}

/// The text that a value is held as.
pub(super) fn stored<'a>(cells: &'a Cells<'_>, row: usize) -> PgResult<&'a str> {
    cells.bytes(row).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(unexpected)
}

fn float4(cells: &Cells<'_>, row: usize, extra_digits: i32, out: &mut BytesMut) -> PgResult<()> {
    #[allow(clippy::cast_possible_truncation)]
    let value = match cells {
        Cells::F32(values) => values.get(row).copied(),
        other => other.float(row).map(|v| v as f32),
    };
    float_text::write_f32(value.ok_or_else(unexpected)?, extra_digits, out);
    Ok(())
}

fn decimal(cells: &Cells<'_>, row: usize, scale: i8, out: &mut BytesMut) -> PgResult<()> {
    if let Some(value) = cells.decimal(row) {
        numeric::write(value, scale, out);
        return Ok(());
    }
    let Cells::Wide(values) = cells else {
        return Err(unexpected());
    };
    out.put_slice(values.value_as_string(row).as_bytes());
    Ok(())
}

/// Days since 1970.
pub(super) fn date(cells: &Cells<'_>, row: usize) -> PgResult<i32> {
    match cells {
        Cells::I32(values) => values.get(row).copied(),
        // Date64 counts milliseconds.
        Cells::I64(values) => values.get(row).and_then(|ms| i32::try_from(ms.div_euclid(86_400_000)).ok()),
        _ => None,
    }
    .ok_or_else(unexpected)
}

/// With blanks up to `n` characters.
pub(super) fn padded(text: &[u8], n: u32, out: &mut BytesMut) {
    out.put_slice(text);
    let characters = text.iter().filter(|b| **b & 0xC0 != 0x80).count();
    let missing = usize::try_from(n).unwrap_or(0).saturating_sub(characters);
    out.put_bytes(b' ', missing);
}

/// Number and name of `16385:orders`.
pub(super) fn named(text: &[u8]) -> (u32, &[u8]) {
    let at = text.iter().position(|b| *b == b':').unwrap_or(text.len());
    let number = text.get(..at).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    (number.unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

/// `1 2 3`
fn vector(cells: &Cells<'_>, row: usize, out: &mut BytesMut) -> PgResult<()> {
    let Cells::List(at, elements) = cells else {
        return Err(unexpected());
    };
    let (start, end) = at(row);
    for i in start..end {
        if i > start {
            out.put_u8(b' ');
        }
        encode(elements, i, out)?;
    }
    Ok(())
}

fn array(cells: &Cells<'_>, row: usize, out: &mut BytesMut) -> PgResult<()> {
    let Cells::List(at, elements) = cells else {
        return Err(unexpected());
    };
    let (start, end) = at(row);
    out.put_u8(b'{');
    for i in start..end {
        if i > start {
            out.put_u8(b',');
        }
        if elements.is_null(i) {
            out.put_slice(b"NULL");
            continue;
        }
        let before = out.len();
        encode(elements, i, out)?;
        if array_text::needs_quotes(out.get(before..).unwrap_or_default()) {
            let text = out.split_off(before);
            array_text::write_element(&text, out);
        }
    }
    out.put_u8(b'}');
    Ok(())
}
