//! A bound's value: how each element type is read, ordered and written.

use std::cmp::Ordering;

use bytes::BytesMut;
use duckmesh_catalog::types::RangeType;

use crate::engine::worker::functions::number::Number;
use crate::value::context::ValueContext;
use crate::value::datetime;
use crate::value::number;
use crate::wire::error::{PgError, PgResult, SqlState};

/// A value within a range.
#[derive(Clone, Debug)]
pub(crate) enum Point {
    /// An integer, days or microseconds.
    Whole(i64),
    Number(Number),
}

impl Point {
    /// In Postgres' text form.
    pub fn read(of: RangeType, text: &str, ctx: &ValueContext) -> PgResult<Self> {
        let bytes = text.as_bytes();
        Ok(match of {
            RangeType::Int4 => Self::Whole(number::parse_integer(bytes, i32::MIN.into(), i32::MAX.into(), "integer")?),
            RangeType::Int8 => Self::Whole(number::parse_integer(bytes, i64::MIN, i64::MAX, "bigint")?),
            RangeType::Num => Self::Number(Number::read(text).map_err(PgError::from)?),
            RangeType::Date => Self::Whole(datetime::parse_date(bytes, ctx)?.into()),
            RangeType::Ts => Self::Whole(datetime::parse_timestamp(bytes, ctx)?),
            RangeType::Tstz => Self::Whole(datetime::parse_timestamptz(bytes, ctx)?),
        })
    }

    /// In the engine's text form, which has `(BC)` behind the date.
    pub fn of_engine(of: RangeType, text: &str) -> PgResult<Self> {
        let ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
        match text.split_once(" (BC)") {
            Some((date, time)) => Self::read(of, &format!("{date}{time} BC"), &ctx),
            None => Self::read(of, text, &ctx),
        }
    }

    pub fn write(&self, of: RangeType, ctx: &ValueContext) -> String {
        let mut out = BytesMut::new();
        match (self, of) {
            (Self::Number(n), _) => return n.write(),
            (Self::Whole(v), RangeType::Int4 | RangeType::Int8) => return v.to_string(),
            (Self::Whole(v), RangeType::Ts) => datetime::write_timestamp(*v, ctx, &mut out),
            (Self::Whole(v), RangeType::Tstz) => datetime::write_timestamptz(*v, ctx, &mut out),
            (Self::Whole(v), _) => datetime::write_date(i32::try_from(*v).unwrap_or(0), ctx, &mut out),
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// In the engine's text form.
    pub fn for_engine(&self, of: RangeType) -> String {
        let text = self.write(of, &ValueContext::new(chrono::DateTime::UNIX_EPOCH));
        match text.strip_suffix(" BC") {
            None => text,
            Some(ago) => match ago.split_once(' ') {
                Some((date, time)) => format!("{date} (BC) {time}"),
                None => format!("{ago} (BC)"),
            },
        }
    }

    pub fn compared(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.key().cmp(&b.key()),
            _ => Ordering::Equal,
        }
    }

    /// Whether another may come next: infinity of days stays what it is, and in the range or not.
    pub fn has_next(&self, of: RangeType) -> bool {
        let infinite = |value: &i64| value.unsigned_abs() >= u64::from(datetime::DATE_INFINITY.unsigned_abs());
        of != RangeType::Date || !matches!(self, Self::Whole(value) if infinite(value))
    }

    /// The next value, of types that have one.
    pub fn next(&self, of: RangeType) -> PgResult<Self> {
        let out = |state, message: &str| PgError::new(state, message);
        let Self::Whole(value) = self else { return Ok(self.clone()) };
        match of {
            RangeType::Int4 if *value >= i64::from(i32::MAX) => {
                Err(out(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))
            }
            RangeType::Date => {
                if !self.has_next(of) {
                    return Ok(self.clone());
                }
                datetime::check_date(value + 1)
                    .map(|day| Self::Whole(day.into()))
                    .map_err(|_| out(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range"))
            }
            _ => value
                .checked_add(1)
                .map(Self::Whole)
                .ok_or_else(|| out(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")),
        }
    }

    /// Bytes that order as the values do, of which none begins another's.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Whole(v) => (v.cast_unsigned() ^ (1 << 63)).to_be_bytes().to_vec(),
            Self::Number(n) => {
                let mut key = n.key();
                key.push(0);
                key
            }
        }
    }
}
