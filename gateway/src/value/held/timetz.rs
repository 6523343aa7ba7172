//! `time with time zone`: a time of day and an offset.

use bytes::BytesMut;

use super::super::context::ValueContext;
use super::super::datetime::{self, civil::DAY_MICROS};
use super::super::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' largest offset: 15:59:59.
const OFFSET_MAX: i32 = 16 * 3600 - 1;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timetz {
    /// Microseconds since midnight.
    pub micros: i64,
    /// Seconds east of UTC.
    pub east: i32,
}

impl Timetz {
    pub fn parse(text: &[u8], ctx: &ValueContext) -> PgResult<Self> {
        let (micros, east) = datetime::parse_timetz(text, ctx)?;
        Ok(Self { micros, east })
    }

    /// A text that this module wrote.
    pub fn stored(text: &str) -> PgResult<Self> {
        Self::parse(text.as_bytes(), &ValueContext::new(chrono::DateTime::UNIX_EPOCH))
    }

    pub fn text(self) -> String {
        let mut out = BytesMut::new();
        datetime::write_timetz(self.micros, self.east, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    pub fn receive(bytes: &[u8]) -> PgResult<Self> {
        let mut wire = WireBytes(bytes);
        let (micros, west) = (wire.i64()?, wire.i32()?);
        wire.end()?;
        if !(0..=DAY_MICROS).contains(&micros) {
            return Err(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "time out of range"));
        }
        if !(-OFFSET_MAX..=OFFSET_MAX).contains(&west) {
            return Err(PgError::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range"));
        }
        Ok(Self { micros, east: -west })
    }

    pub fn send(self, out: &mut Vec<u8>) {
        out.extend(self.micros.to_be_bytes());
        out.extend((-self.east).to_be_bytes());
    }

    fn utc(self) -> i64 {
        self.micros - i64::from(self.east) * 1_000_000
    }

    /// Bytes that order as Postgres does: by the moment, then western zones last.
    pub fn key(self) -> Vec<u8> {
        let sign = |v: i64| (v.cast_unsigned() ^ (1 << 63)).to_be_bytes();
        [sign(self.utc()), sign(-i64::from(self.east))].concat()
    }

    /// The same moment in another zone.
    pub fn in_zone(self, east: i32) -> Self {
        Self { micros: (self.utc() + i64::from(east) * 1_000_000).rem_euclid(DAY_MICROS), east }
    }

    /// With an interval's time added; days and months mean nothing.
    pub fn plus(self, micros: i64) -> Self {
        let sum = i128::from(self.micros) + i128::from(micros);
        let micros = i64::try_from(sum.rem_euclid(i128::from(DAY_MICROS))).unwrap_or(0);
        Self { micros, ..self }
    }
}
