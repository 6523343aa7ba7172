//! What a session's settings say about reading and writing values.

use chrono::{DateTime, Utc};

use super::zone::TimeZone;

/// How dates and timestamps are written: the first word of `DateStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateStyle {
    /// `1997-12-17 07:37:16-08`
    #[default]
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// The order of day and month where both are numbers: the second word of `DateStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// Month, day, year.
    #[default]
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// `IntervalStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

/// `bytea_output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ByteaOutput {
    /// `\x00ff`
    #[default]
    Hex,
    /// `\000\377`
    Escape,
}

/// The settings of a session that values depend on, and the time of its transaction.
#[derive(Clone, Debug)]
pub struct ValueContext {
    /// `TimeZone`
    pub time_zone: TimeZone,
    /// `DateStyle`, first word
    pub date_style: DateStyle,
    /// `DateStyle`, second word
    pub date_order: DateOrder,
    /// `IntervalStyle`
    pub interval_style: IntervalStyle,
    /// `bytea_output`
    pub bytea_output: ByteaOutput,
    /// `extra_float_digits`, -15 to 3
    pub extra_float_digits: i32,
    /// Start of the transaction: what `now`, `today` and a time without a date mean.
    pub now: DateTime<Utc>,
}

impl ValueContext {
    /// Postgres' defaults in UTC.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            time_zone: TimeZone::UTC,
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            bytea_output: ByteaOutput::Hex,
            extra_float_digits: 1,
            now,
        }
    }
}
