//! Dates, times and timestamps from text and to text.
//!
//! Input works as Postgres': `fields` cuts the text, `decode` gives the pieces their meaning in order.

pub(crate) mod civil;

mod abbreviations;
mod decode;
mod fields;
mod format;
mod numbers;
mod parts;
mod tokens;

mod input;

pub(super) use abbreviations::abbreviation;
pub(super) use fields::{Field, FieldKind, split};
pub(super) use format::{write_date, write_time, write_timestamp, write_timestamptz, write_timetz};
pub(super) use input::{
    DATE_INFINITY, TIMESTAMP_INFINITY, check_date, check_timestamp, fault, parse_date, parse_time, parse_timestamp,
    parse_timestamptz, parse_timetz,
};
pub(super) use parts::{Fault, clock};
pub(super) use tokens::{Unit, interval_unit};
