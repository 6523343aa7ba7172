//! What a session's settings say about reading and writing values.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use super::zone::TimeZone;
use crate::wire::error::PgResult;

/// Finds the numbers of what names stand for: values of `regclass` and its like that are written as names.
pub trait Names: Send + Sync {
    /// The number of a name, by the type's oid.
    ///
    /// # Errors
    /// Where there is nothing of that name.
    fn number(&self, ty: u32, name: &str) -> PgResult<u32>;
}

/// Who finds them, where a command does.
#[derive(Clone, Default)]
pub struct NameFinder(pub Option<Arc<dyn Names>>);

impl fmt::Debug for NameFinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NameFinder").field(&self.0.is_some()).finish()
    }
}

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
    /// Where names without a schema are looked for, for messages that name types.
    pub search_path: Vec<String>,
    /// Names of the catalog's objects; without it only their numbers are values.
    pub names: NameFinder,
    /// Start of the transaction: what `now`, `today` and a time without a date mean.
    pub now: DateTime<Utc>,
}

impl ValueContext {
    /// The settings as a text that [`ValueContext::of_styles`] reads.
    #[must_use]
    pub(crate) fn styles(&self) -> String {
        format!(
            "{:?}|{:?}|{:?}|{:?}|{}|{}",
            self.date_style,
            self.date_order,
            self.interval_style,
            self.bytea_output,
            self.extra_float_digits,
            self.time_zone.name()
        )
    }

    /// The settings of such a text; what it does not tell is the default.
    #[must_use]
    pub(crate) fn of_styles(text: &str) -> Self {
        let mut ctx = Self::new(DateTime::UNIX_EPOCH);
        let mut parts = text.splitn(6, '|');
        let mut next = || parts.next().unwrap_or_default();
        ctx.date_style = match next() {
            "Sql" => DateStyle::Sql,
            "Postgres" => DateStyle::Postgres,
            "German" => DateStyle::German,
            _ => DateStyle::Iso,
        };
        ctx.date_order = match next() {
            "Dmy" => DateOrder::Dmy,
            "Ymd" => DateOrder::Ymd,
            _ => DateOrder::Mdy,
        };
        ctx.interval_style = match next() {
            "PostgresVerbose" => IntervalStyle::PostgresVerbose,
            "SqlStandard" => IntervalStyle::SqlStandard,
            "Iso8601" => IntervalStyle::Iso8601,
            _ => IntervalStyle::Postgres,
        };
        ctx.bytea_output = if next() == "Escape" { ByteaOutput::Escape } else { ByteaOutput::Hex };
        ctx.extra_float_digits = next().parse().unwrap_or(1);
        ctx.time_zone = TimeZone::parse(next()).unwrap_or(TimeZone::UTC);
        ctx
    }

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
            search_path: Vec::new(),
            names: NameFinder::default(),
            now,
        }
    }
}
