//! Appends values in Postgres' binary form.

use duckmesh_catalog::types::{ColumnType, oid};

use super::super::datetime::civil::{DAY_MICROS, POSTGRES_EPOCH_DAYS};
use super::super::datetime::{DATE_INFINITY, TIMESTAMP_INFINITY, check_date, check_timestamp};
use super::super::held;
use super::super::interval::Interval;
use super::super::literal::type_of_oid;
use super::super::modifier;
use super::super::numeric;
use super::super::wire_bytes::WireBytes;
use super::text::{append_checked, append_held, append_label, fitted_text, fitted_time, fitted_timestamp, shown_byte};
use super::{ColumnBuilder, ListValues, TextKind, ValueContext, Values, interval_value};
use crate::wire::error::{PgError, PgResult, SqlState};

/// The only version of jsonb's binary form.
const JSONB_VERSION: u8 = 1;
/// Postgres' own limit of dimensions.
const DIMENSIONS_MAX: i32 = 6;

pub(super) fn append(column: &mut ColumnBuilder, bytes: &[u8], ctx: &ValueContext) -> PgResult<()> {
    let mut wire = WireBytes(bytes);
    match &mut column.values {
        Values::Bool(b) => b.append_value(wire.u8()? != 0),
        Values::Int2(b) => b.append_value(wire.i16()?),
        Values::Int4(b) => b.append_value(wire.i32()?),
        Values::Int8(b) => b.append_value(wire.i64()?),
        Values::Oid(b) => b.append_value(wire.u32()?.into()),
        Values::Float4(b) => b.append_value(f32::from_bits(wire.u32()?)),
        Values::Float8(b) => b.append_value(f64::from_bits(wire.i64()?.cast_unsigned())),
        Values::Numeric(b, p, s) => {
            b.append_value(numeric::receive_scaled(bytes, *p, *s)?);
            return Ok(());
        }
        Values::Money(b) => b.append_value(wire.i64()?.into()),
        Values::Text(b, TextKind::Held(ty)) => {
            let stored = held::receive(*ty, bytes)?;
            return append_held(b, &fitted_text(*ty, &stored, column.modifier, column.explicit_cast)?);
        }
        Values::Text(b, TextKind::Byte) => b.append_value(shown_byte(wire.u8()?)),
        Values::Text(b, kind) => {
            if *kind == TextKind::Jsonb {
                let version = wire.u8()?;
                if version != JSONB_VERSION {
                    let message = format!("unsupported jsonb version number {version}");
                    return Err(PgError::new(SqlState::INTERNAL_ERROR, message));
                }
            }
            return append_checked(b, *kind, wire.0, column.explicit_cast);
        }
        Values::Enum(b, of) => return append_label(b, of, wire.0, &ctx.search_path),
        Values::Record(b, row) => return append_held(b, &held::record::receive(row, bytes, ctx)?),
        Values::Grid(b, element) => return append_held(b, &held::grid::stored_of(element, bytes)?),
        Values::Bytea(b) => {
            ColumnBuilder::check_room(b.values_slice().len(), bytes.len())?;
            b.append_value(bytes);
            return Ok(());
        }
        Values::Date(b) => b.append_value(date(wire.i32()?)?),
        Values::Time(b) => {
            let micros = wire.i64()?;
            if !(0..=DAY_MICROS).contains(&micros) {
                return Err(range("time"));
            }
            b.append_value(fitted_time(micros, column.modifier));
        }
        Values::Timestamp(b) | Values::Timestamptz(b) => {
            b.append_value(fitted_timestamp(timestamp(wire.i64()?)?, column.modifier));
        }
        Values::Interval(b) => {
            let micros = wire.i64()?;
            let days = wire.i32()?;
            let months = wire.i32()?;
            let value = Interval { months, days, micros };
            let value = column.modifier.map_or(value, |modifier| modifier::interval(value, modifier));
            b.append_value(interval_value(value)?);
        }
        Values::Uuid(b) => b.append_value(wire.bytes(16)?).map_err(PgError::internal)?,
        Values::Array(list) => array(list, &mut wire, ctx)?,
    }
    wire.end()
}

fn range(what: &str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

fn date(days: i32) -> PgResult<i32> {
    match days {
        i32::MAX => Ok(DATE_INFINITY),
        i32::MIN => Ok(-DATE_INFINITY),
        _ => check_date(i64::from(days) + i64::from(POSTGRES_EPOCH_DAYS)).map_err(|_| range("date")),
    }
}

fn timestamp(micros: i64) -> PgResult<i64> {
    match micros {
        i64::MAX => Ok(TIMESTAMP_INFINITY),
        i64::MIN => Ok(-TIMESTAMP_INFINITY),
        _ => {
            let since_1970 = i128::from(micros) + i128::from(POSTGRES_EPOCH_DAYS) * i128::from(DAY_MICROS);
            check_timestamp(since_1970).ok_or_else(|| range("timestamp"))
        }
    }
}

fn array(list: &mut ListValues, wire: &mut WireBytes<'_>, ctx: &ValueContext) -> PgResult<()> {
    let wrong = |message: String| PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, message);
    let dimensions = wire.i32()?;
    if dimensions < 0 {
        return Err(wrong(format!("invalid number of dimensions: {dimensions}")));
    }
    if dimensions > DIMENSIONS_MAX {
        let message = format!("number of array dimensions ({dimensions}) exceeds the maximum allowed (6)");
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    if !(0..=1).contains(&wire.i32()?) {
        return Err(wrong("invalid array flags".to_owned()));
    }
    let oid = wire.u32()?;
    let wanted = &list.element.ty;
    let text = |oid: u32| matches!(oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::UNKNOWN);
    if oid != wanted.oid() && !(text(oid) && text(wanted.oid())) {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {oid} ({}) instead of expected {} ({})",
                type_of_oid(oid, -1).map_or_else(|| "???".to_owned(), |ty| type_name(&ty)),
                wanted.oid(),
                type_name(wanted)
            ),
        ));
    }
    if dimensions > 1 {
        return Err(PgError::unsupported("multidimensional arrays are not supported")
            .hint("A lake's list has one dimension; use jsonb for nested values."));
    }
    if dimensions == 1 {
        let count = wire.i32()?;
        let low = wire.i32()?;
        if count > 0 && low != 1 {
            return Err(PgError::unsupported("arrays that do not begin at index 1 are not supported")
                .hint("A lake's list always begins at 1."));
        }
        for _ in 0..count {
            let len = wire.i32()?;
            if len == -1 {
                list.element.append_null();
                continue;
            }
            let len = usize::try_from(len).map_err(|_| super::super::error::too_short())?;
            append(&mut list.element, wire.bytes(len)?, ctx)?;
        }
    }
    list.close(true);
    Ok(())
}

fn type_name(ty: &ColumnType) -> String {
    let name = ty.to_string();
    name.split('(').next().unwrap_or_default().to_owned()
}
