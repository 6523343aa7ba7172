//! The binary form of ranges and multiranges.

use bytes::BytesMut;
use duckmesh_catalog::types::RangeType;

use super::{End, Multirange, Point, Range};
use crate::engine::worker::functions::number::Number;
use crate::value::datetime::civil::{DAY_MICROS, POSTGRES_EPOCH_DAYS};
use crate::value::datetime::{DATE_INFINITY, TIMESTAMP_INFINITY, check_date, check_timestamp};
use crate::value::numeric::{self, Parsed};
use crate::value::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

const EMPTY: u8 = 1;
const LOWER_INCLUSIVE: u8 = 1 << 1;
const UPPER_INCLUSIVE: u8 = 1 << 2;
const LOWER_INFINITE: u8 = 1 << 3;
const UPPER_INFINITE: u8 = 1 << 4;
/// Ranges that a multirange is given room for before they are there.
const ROOM_MAX: usize = 1024;

pub(in crate::value::held) fn receive(of: RangeType, bytes: &[u8]) -> PgResult<Range> {
    let mut wire = WireBytes(bytes);
    let flags = wire.u8()? & (EMPTY | LOWER_INCLUSIVE | UPPER_INCLUSIVE | LOWER_INFINITE | UPPER_INFINITE);
    let mut bound = |infinite: u8| -> PgResult<Option<Point>> {
        if flags & (EMPTY | infinite) != 0 {
            return Ok(None);
        }
        let length = usize::try_from(wire.i32()?).map_err(|_| super::super::super::error::too_short())?;
        point(of, wire.bytes(length)?).map(Some)
    };
    let lower = bound(LOWER_INFINITE)?;
    let upper = bound(UPPER_INFINITE)?;
    ended(&wire)?;
    if flags & EMPTY != 0 {
        return Ok(Range::empty(of));
    }
    let (from, to) = (flags & LOWER_INCLUSIVE != 0, flags & UPPER_INCLUSIVE != 0);
    Range::new(of, End::new(lower, from, true), End::new(upper, to, false))
}

/// Nothing may be left.
fn ended(wire: &WireBytes<'_>) -> PgResult<()> {
    wire.end().map_err(|_| PgError::new(SqlState::PROTOCOL_VIOLATION, "invalid message format"))
}

fn point(of: RangeType, bytes: &[u8]) -> PgResult<Point> {
    let range = |what: &str| PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"));
    let mut wire = WireBytes(bytes);
    let value = match of {
        RangeType::Num => {
            let text = match numeric::receive(bytes)? {
                Parsed::Finite(number) => {
                    let mut text = String::new();
                    numeric::write_decimal(&number, &mut text);
                    text
                }
                Parsed::NaN => "NaN".to_owned(),
                Parsed::Infinity => "Infinity".to_owned(),
            };
            return Ok(Point::Number(Number::read(&text).map_err(PgError::from)?));
        }
        RangeType::Int4 => wire.i32()?.into(),
        RangeType::Int8 => wire.i64()?,
        RangeType::Date => match wire.i32()? {
            i32::MAX => DATE_INFINITY.into(),
            i32::MIN => (-DATE_INFINITY).into(),
            days => check_date(i64::from(days) + i64::from(POSTGRES_EPOCH_DAYS)).map_err(|_| range("date"))?.into(),
        },
        RangeType::Ts | RangeType::Tstz => match wire.i64()? {
            i64::MAX => TIMESTAMP_INFINITY,
            i64::MIN => -TIMESTAMP_INFINITY,
            micros => {
                let since_1970 = i128::from(micros) + i128::from(POSTGRES_EPOCH_DAYS) * i128::from(DAY_MICROS);
                check_timestamp(since_1970).ok_or_else(|| range("timestamp"))?
            }
        },
    };
    wire.end()?;
    Ok(Point::Whole(value))
}

pub(in crate::value::held) fn send(range: &Range, out: &mut Vec<u8>) -> PgResult<()> {
    let Some((lower, upper)) = &range.ends else {
        out.push(EMPTY);
        return Ok(());
    };
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    out.push(
        flag(lower.inclusive, LOWER_INCLUSIVE)
            | flag(upper.inclusive, UPPER_INCLUSIVE)
            | flag(lower.value.is_none(), LOWER_INFINITE)
            | flag(upper.value.is_none(), UPPER_INFINITE),
    );
    for value in [&lower.value, &upper.value].into_iter().flatten() {
        let bytes = point_bytes(range.of, value)?;
        out.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        out.extend(bytes);
    }
    Ok(())
}

fn point_bytes(of: RangeType, value: &Point) -> PgResult<Vec<u8>> {
    let value = match value {
        Point::Number(number) => {
            let mut out = BytesMut::new();
            numeric::send_text(number.write().as_bytes(), &mut out)?;
            return Ok(out.to_vec());
        }
        Point::Whole(value) => *value,
    };
    let short = |v: i64| i32::try_from(v).unwrap_or(if v < 0 { i32::MIN } else { i32::MAX }).to_be_bytes().to_vec();
    Ok(match of {
        RangeType::Int4 => short(value),
        RangeType::Date if value == i64::from(DATE_INFINITY) => i32::MAX.to_be_bytes().to_vec(),
        RangeType::Date if value <= -i64::from(DATE_INFINITY) => i32::MIN.to_be_bytes().to_vec(),
        RangeType::Date => short(value - i64::from(POSTGRES_EPOCH_DAYS)),
        RangeType::Ts | RangeType::Tstz if value == TIMESTAMP_INFINITY => i64::MAX.to_be_bytes().to_vec(),
        RangeType::Ts | RangeType::Tstz if value <= -TIMESTAMP_INFINITY => i64::MIN.to_be_bytes().to_vec(),
        RangeType::Ts | RangeType::Tstz => {
            value.saturating_sub(i64::from(POSTGRES_EPOCH_DAYS) * DAY_MICROS).to_be_bytes().to_vec()
        }
        _ => value.to_be_bytes().to_vec(),
    })
}

pub(in crate::value::held) fn receive_multirange(of: RangeType, bytes: &[u8]) -> PgResult<Multirange> {
    let mut wire = WireBytes(bytes);
    let count = usize::try_from(wire.i32()?).map_err(|_| super::super::super::error::too_short())?;
    let mut ranges = Vec::with_capacity(count.min(ROOM_MAX));
    for _ in 0..count {
        let length = usize::try_from(wire.i32()?).map_err(|_| super::super::super::error::too_short())?;
        ranges.push(receive(of, wire.bytes(length)?)?);
    }
    ended(&wire)?;
    Multirange::new(of, ranges)
}

pub(in crate::value::held) fn send_multirange(value: &Multirange, out: &mut Vec<u8>) -> PgResult<()> {
    out.extend(i32::try_from(value.ranges.len()).unwrap_or(i32::MAX).to_be_bytes());
    for range in &value.ranges {
        let mut bytes = Vec::new();
        send(range, &mut bytes)?;
        out.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
        out.extend(bytes);
    }
    Ok(())
}
