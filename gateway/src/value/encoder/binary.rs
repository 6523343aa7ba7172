//! The binary form of values.

use bytes::{BufMut, BytesMut};

use super::super::datetime::civil::{DAY_MICROS, POSTGRES_EPOCH_DAYS};
use super::super::datetime::{DATE_INFINITY, TIMESTAMP_INFINITY};
use super::super::{builder::byte_of, held, numeric, uuid_text};
use super::BoundEncoder;
use super::cells::{Cells, micros};
use super::kind::Kind;
use super::nested;
use super::text::{cents, date, named, narrow, padded, stored, unexpected};
use crate::wire::error::{PgError, PgResult, SqlState};

pub(super) fn encode(bound: &BoundEncoder<'_>, row: usize, out: &mut BytesMut) -> PgResult<()> {
    let cells = &bound.cells;
    if let Cells::Dictionary(keys, values) = cells {
        let key = keys.get(row).copied().flatten().ok_or_else(unexpected)?;
        return encode(values, key, out);
    }
    let integer = |unit| cells.integer(row).map(|v| micros(v, unit)).ok_or_else(unexpected);
    match bound.kind {
        Kind::Bool => match cells {
            Cells::Bool(values) => out.put_u8(values.value(row).into()),
            _ => return Err(unexpected()),
        },
        Kind::Int2 => out.put_i16(narrow(cells.integer(row), "smallint")?),
        Kind::Int4 => out.put_i32(narrow(cells.integer(row), "integer")?),
        Kind::Int8 => out.put_i64(narrow(cells.integer(row), "bigint")?),
        #[allow(clippy::cast_possible_truncation)]
        Kind::Float4 => out.put_f32(cells.float(row).ok_or_else(unexpected)? as f32),
        Kind::Float8 => out.put_f64(cells.float(row).ok_or_else(unexpected)?),
        Kind::Numeric(scale) => numeric::send(cells.decimal(row).ok_or_else(too_wide)?, *scale, out),
        Kind::Number => numeric::send_text(cells.bytes(row).ok_or_else(unexpected)?, out)?,
        Kind::Text => out.put_slice(cells.bytes(row).ok_or_else(unexpected)?),
        Kind::Byte => out.put_u8(byte_of(cells.bytes(row).ok_or_else(unexpected)?)),
        Kind::Char(n) => padded(cells.bytes(row).ok_or_else(unexpected)?, *n, out),
        Kind::Bytea => out.put_slice(cells.bytes(row).ok_or_else(unexpected)?),
        Kind::Jsonb => {
            out.put_u8(1);
            out.put_slice(cells.bytes(row).ok_or_else(unexpected)?);
        }
        Kind::Date => out.put_i32(postgres_date(date(cells, row)?)),
        Kind::Time(unit) => out.put_i64(integer(*unit)?),
        Kind::Timetz(unit) => {
            out.put_i64(integer(*unit)?);
            out.put_i32(0);
        }
        Kind::Timestamp(unit) | Kind::Timestamptz(unit) => out.put_i64(postgres_timestamp(integer(*unit)?)),
        Kind::Interval => match cells {
            Cells::Interval(at) => {
                let value = at(row);
                out.put_i64(value.micros);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            _ => return Err(unexpected()),
        },
        Kind::Uuid => match cells.bytes(row) {
            Some(bytes) if bytes.len() == 16 => out.put_slice(bytes),
            Some(text) => out.put_slice(&uuid_text::parse(text)?),
            None => return Err(unexpected()),
        },
        Kind::Money => out.put_i64(cents(cells, row)?),
        Kind::Held(ty) => {
            let mut bytes = Vec::new();
            held::send(*ty, stored(cells, row)?, &mut bytes)?;
            out.put_slice(&bytes);
        }
        Kind::Oid => out.put_u32(narrow(cells.integer(row), "oid")?),
        Kind::Named => out.put_u32(named(cells.bytes(row).ok_or_else(unexpected)?).0),
        Kind::Record(types) => held::record::send(types, stored(cells, row)?, bound.ctx, out)?,
        Kind::Grid(element) => held::grid::send(element, stored(cells, row)?, out)?,
        Kind::Array(_, oid) => array(cells, *oid, 1, row, out)?,
        Kind::Vector(_, oid) => array(cells, *oid, 0, row, out)?,
        Kind::Nested => nested::write(cells, row, bound.ctx, out)?,
    }
    Ok(())
}

#[cold]
fn too_wide() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "a number of more than 38 digits cannot be sent in binary form")
}

fn postgres_date(days: i32) -> i32 {
    match days {
        DATE_INFINITY => i32::MAX,
        _ if days <= -DATE_INFINITY => i32::MIN,
        _ => days.saturating_sub(POSTGRES_EPOCH_DAYS),
    }
}

fn postgres_timestamp(micros: i64) -> i64 {
    match micros {
        TIMESTAMP_INFINITY => i64::MAX,
        _ if micros <= -TIMESTAMP_INFINITY => i64::MIN,
        _ => micros.saturating_sub(i64::from(POSTGRES_EPOCH_DAYS) * DAY_MICROS),
    }
}

fn array(cells: &Cells<'_>, oid: u32, first: i32, row: usize, out: &mut BytesMut) -> PgResult<()> {
    let Cells::List(at, elements) = cells else {
        return Err(unexpected());
    };
    let (start, end) = at(row);
    let has_null = (start..end).any(|i| elements.is_null(i));
    out.put_i32(i32::from(end > start));
    out.put_i32(has_null.into());
    out.put_u32(oid);
    if end <= start {
        return Ok(());
    }
    out.put_i32(i32::try_from(end - start).unwrap_or(i32::MAX));
    out.put_i32(first);
    for i in start..end {
        if elements.is_null(i) {
            out.put_i32(-1);
            continue;
        }
        let length_at = out.len();
        out.put_i32(0);
        encode(elements, i, out)?;
        let length = i32::try_from(out.len() - length_at - 4).unwrap_or(i32::MAX);
        if let Some(slot) = out.get_mut(length_at..length_at + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}
