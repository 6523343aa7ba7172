//! Intervals: months, days and microseconds.

mod input;
mod iso;
mod output;

pub(super) use input::parse;
pub(super) use output::write;

use crate::wire::error::{PgError, PgResult, SqlState};

/// The longest time part that a lake's files hold: an unsigned 32-bit count of milliseconds.
const LAKE_MICROS_MAX: i64 = u32::MAX as i64 * 1000;

/// A value of type interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Interval {
    /// Refuses what the lake's files cannot hold.
    pub fn check_lake(self) -> PgResult<Self> {
        let refuse = |what: &str, hint: &str| {
            Err(PgError::unsupported(format!("a lake cannot hold an interval with {what}")).hint(hint))
        };
        if self.micros % 1000 != 0 {
            return refuse("parts of a millisecond", "Round the interval to milliseconds.");
        }
        if self.micros < 0 {
            return refuse(
                "a negative time of day",
                "Write whole days and months as negative numbers, or store seconds as a number.",
            );
        }
        if self.micros > LAKE_MICROS_MAX {
            return refuse("more than 49 days in hours", "Use justify_hours(), or store seconds as a number.");
        }
        Ok(self)
    }
}

#[cold]
fn out_of_range() -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}
