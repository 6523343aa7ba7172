//! `interval` times and over a number, as Postgres spreads the fractions.

use super::{Failure, Outcome, Value};
use crate::value::{TimeZone, interval_fields};

const SECONDS_OF_DAY: f64 = 86_400.0;
const DAYS_OF_MONTH: f64 = 30.0;

fn number(text: &str) -> Outcome<f64> {
    text.trim()
        .parse()
        .map_err(|_| Failure::new("22P02", format!("invalid input syntax for type double precision: \"{text}\"")))
}

/// `pg_zone_offset(zone)`: seconds east of UTC, of a zone that has one offset for ever; none for others.
pub fn zone_offset(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(TimeZone::defined_offset(super::text(args, 0)).map_or(Value::Null, |east| Value::Int(east.into())))
}

/// `pg_zone_name(zone)`: as the engine knows it.
pub fn zone_name(args: &[Option<&str>]) -> Outcome<Value> {
    let zone = super::text(args, 0);
    let unknown = || Failure::new("22023", format!("time zone \"{zone}\" not recognized"));
    // One that has an offset is not asked for by its name, but the engine may look.
    if TimeZone::defined_offset(zone).is_some() {
        return Ok(Value::Text("UTC".into()));
    }
    TimeZone::named(zone).and_then(|zone| zone.engine_name()).map(Value::Text).ok_or_else(unknown)
}

/// `interval * x`; the interval is `months days microseconds`.
pub fn scaled(args: &[Option<&str>]) -> Outcome<Value> {
    let factor = number(super::text(args, 1))?;
    spread(super::text(args, 0), |x| x * factor)
}

/// `interval / x`.
pub fn divided(args: &[Option<&str>]) -> Outcome<Value> {
    let divisor = number(super::text(args, 1))?;
    if divisor == 0.0 {
        return Err(super::number::division_by_zero());
    }
    spread(super::text(args, 0), |x| x / divisor)
}

/// Six digits, as Postgres' `TSROUND`.
fn rounded(x: f64) -> f64 {
    (x * 1e6).round_ties_even() / 1e6
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn spread(parts: &str, of: impl Fn(f64) -> f64) -> Outcome<Value> {
    let range = || Failure::new("22008", "interval out of range");
    let mut fields = parts.split(' ').map(|p| p.parse::<i64>().unwrap_or(0) as f64);
    let (months, days, micros) =
        (fields.next().unwrap_or(0.0), fields.next().unwrap_or(0.0), fields.next().unwrap_or(0.0));
    let small = |x: f64| if x.is_nan() || x.abs() > f64::from(i32::MAX) { Err(range()) } else { Ok(x.trunc()) };
    let month = small(of(months))?;
    let mut day = small(of(days))?;
    let rest_days = rounded((of(months) - month) * DAYS_OF_MONTH);
    let mut rest = rounded((of(days) - day + rest_days - rest_days.trunc()) * SECONDS_OF_DAY);
    if rest.abs() >= SECONDS_OF_DAY {
        day += (rest / SECONDS_OF_DAY).trunc();
        rest -= (rest / SECONDS_OF_DAY).trunc() * SECONDS_OF_DAY;
    }
    day += rest_days.trunc();
    let time = (of(micros) + rest * 1e6).round_ties_even();
    // The greatest 64-bit number is no float: the next one is the first that does not fit.
    if time.is_nan() || time.abs() >= i64::MAX as f64 {
        return Err(range());
    }
    within(month as i64, day as i64, time as i64)
}

const DAY_MICROS: i64 = 86_400_000_000;

fn fields(parts: &str) -> (i64, i64, i64) {
    let mut fields = parts.split(' ').map(|p| p.parse::<i64>().unwrap_or(0));
    (fields.next().unwrap_or(0), fields.next().unwrap_or(0), fields.next().unwrap_or(0))
}

/// Days and time of one sign.
fn one_sign(day: i64, time: i64) -> (i64, i64) {
    if day > 0 && time < 0 {
        (day - 1, time + DAY_MICROS)
    } else if day < 0 && time > 0 {
        (day + 1, time - DAY_MICROS)
    } else {
        (day, time)
    }
}

/// As the type's modifier has it: `pg_interval_fit(parts, modifier)`.
pub fn fitted(args: &[Option<&str>]) -> Outcome<Value> {
    let (month, day, time) = fields(super::text(args, 0));
    let small = |n: i64| i32::try_from(n).map_err(|_| Failure::new("22008", "interval out of range"));
    let modifier = super::text(args, 1).parse().unwrap_or(-1);
    let (month, day, time) = interval_fields((small(month)?, small(day)?, time), modifier);
    Ok(Value::Text(format!("{month} months {day} days {time} microseconds")))
}

/// An interval whose fields fit.
fn within(month: i64, day: i64, time: i64) -> Outcome<Value> {
    let small = |n: i64| i32::try_from(n).map_err(|_| Failure::new("22008", "interval out of range"));
    Ok(Value::Text(format!("{} months {} days {time} microseconds", small(month)?, small(day)?)))
}

/// `justify_days`: months of 30 days.
pub fn days_justified(args: &[Option<&str>]) -> Outcome<Value> {
    let (mut month, mut day, time) = fields(super::text(args, 0));
    (month, day) = (month + day / 30, day % 30);
    if month > 0 && day < 0 {
        (month, day) = (month - 1, day + 30);
    } else if month < 0 && day > 0 {
        (month, day) = (month + 1, day - 30);
    }
    within(month, day, time)
}

/// `justify_hours`: days of 24 hours.
pub fn hours_justified(args: &[Option<&str>]) -> Outcome<Value> {
    let (month, day, time) = fields(super::text(args, 0));
    let (day, time) = one_sign(day + time / DAY_MICROS, time % DAY_MICROS);
    within(month, day, time)
}

/// `justify_interval`: days of 24 hours, months of 30 days, all of one sign.
pub fn justified(args: &[Option<&str>]) -> Outcome<Value> {
    let (mut month, mut day, mut time) = fields(super::text(args, 0));
    day += time / DAY_MICROS;
    time %= DAY_MICROS;
    month += day / 30;
    day %= 30;
    if month > 0 && (day < 0 || (day == 0 && time < 0)) {
        (month, day) = (month - 1, day + 30);
    } else if month < 0 && (day > 0 || (day == 0 && time > 0)) {
        (month, day) = (month + 1, day - 30);
    }
    let (day, time) = one_sign(day, time);
    within(month, day, time)
}
