//! `to_char`, `to_date`, `to_timestamp` and `to_number`: Postgres' templates.

mod number;
mod time;

pub use number::{number, parse::parse_number};
pub use time::{interval, parse::parse_time, time};
