//! Interval constants: `30 days` and `1 month` are equal and not the same.
//!
//! The engine computes equal expressions once, and compares intervals by their length. Of the constants of one length
//! in a statement only the first is written as such; the others are subqueries, which it never takes for equal.

use duckmesh_catalog::ColumnType;

use super::{Ex, Kind};
use crate::{
    sql::quote::HOLE,
    value::{self, Interval},
};

/// Microseconds of a day, and days of a month, as intervals are compared.
const DAY_MICROS: i128 = 86_400_000_000;
const MONTH_DAYS: i128 = 30;

/// What an interval is compared by, as a number.
pub(super) fn key(sql: &str) -> String {
    format!("pg_interval_key({sql})")
}

/// The intervals that a statement has so far.
pub(super) struct Apart {
    /// Those that are written as constants, with their lengths.
    first: Vec<(i128, Interval)>,
    /// Whether others, that are not known here, stand beside: conditions that are computed together.
    always: bool,
}

impl Apart {
    pub fn new(always: bool) -> Self {
        Self { first: Vec::new(), always }
    }

    /// The text of one.
    pub fn written(&mut self, interval: Interval) -> String {
        let text = value::interval_literal(interval);
        let length = length(interval);
        let apart = match self.first.iter().find(|(other, _)| *other == length) {
            Some((_, first)) => *first != interval,
            None => {
                self.first.push((length, interval));
                false
            }
        };
        if apart || self.always { format!("(SELECT {text})") } else { text }
    }
}

fn length(interval: Interval) -> i128 {
    (i128::from(interval.months) * MONTH_DAYS + i128::from(interval.days)) * DAY_MICROS + i128::from(interval.micros)
}

/// A constant while the statement is being written.
pub(super) fn hole(interval: Interval) -> String {
    format!("{HOLE}i{},{},{}{HOLE}", interval.months, interval.days, interval.micros)
}

/// What stands between the marks of such a hole.
pub(super) fn of_piece(piece: &str) -> Option<Interval> {
    let mut numbers = piece.strip_prefix('i')?.split(',');
    let months = numbers.next()?.parse().ok()?;
    let days = numbers.next()?.parse().ok()?;
    let micros = numbers.next()?.parse().ok()?;
    Some(Interval { months, days, micros })
}

/// The interval that an expression is, where it is no more than a constant.
fn fixed(ex: &Ex) -> Option<Interval> {
    of_piece(ex.sql.strip_prefix(HOLE)?.strip_suffix(HOLE)?)
}

/// A constant's months, days and time, one after another, each with whether it moves the clock and not the calendar; none where it is
/// no constant.
pub(super) fn steps(ex: &Ex) -> Option<Vec<(Ex, bool)>> {
    let Interval { months, days, micros } = fixed(ex)?;
    let steps = [
        Interval { months, days: 0, micros: 0 },
        Interval { months: 0, days, micros: 0 },
        Interval { months: 0, days: 0, micros },
    ];
    let none = Interval { months: 0, days: 0, micros: 0 };
    let mut steps: Vec<Interval> = steps.into_iter().filter(|step| *step != none).collect();
    if steps.is_empty() {
        steps.push(none);
    }
    Some(
        steps
            .into_iter()
            .map(|step| (Ex::of(hole(step), ColumnType::Interval), step.months == 0 && step.days == 0))
            .collect(),
    )
}

/// Two constants added or subtracted.
pub(super) fn sum(l: &Ex, r: &Ex, sign: i32) -> Option<Ex> {
    let (l, r) = (fixed(l)?, fixed(r)?);
    let sum = Interval {
        months: l.months.checked_add(r.months.checked_mul(sign)?)?,
        days: l.days.checked_add(r.days.checked_mul(sign)?)?,
        micros: l.micros.checked_add(r.micros.checked_mul(i64::from(sign))?)?,
    };
    Some(Ex::of(hole(sum), ColumnType::Interval))
}

/// A constant with its sign turned.
pub(super) fn negative(ex: &Ex) -> Option<Ex> {
    let none = Ex::of(hole(Interval { months: 0, days: 0, micros: 0 }), ColumnType::Interval);
    sum(&none, ex, -1)
}

/// A constant times a whole number.
pub(super) fn times(interval: &Ex, number: &Ex) -> Option<Ex> {
    let Kind::Number(number) = &number.kind else { return None };
    let (one, n) = (fixed(interval)?, number.parse::<i32>().ok()?);
    let product = Interval {
        months: one.months.checked_mul(n)?,
        days: one.days.checked_mul(n)?,
        micros: one.micros.checked_mul(i64::from(n))?,
    };
    Some(Ex::of(hole(product), ColumnType::Interval))
}

/// `make_interval` with one more part that is a whole number as written.
pub(super) fn with_part(sum: Interval, part: &str, ex: &Ex) -> Option<Interval> {
    let Kind::Number(number) = &ex.kind else { return None };
    let n = number.parse::<i32>().ok()?;
    let (months, days, seconds) = match part {
        "years" => (n.checked_mul(12)?, 0, 0),
        "months" => (n, 0, 0),
        "weeks" => (0, n.checked_mul(7)?, 0),
        "days" => (0, n, 0),
        "hours" => (0, 0, i64::from(n) * 3600),
        "mins" => (0, 0, i64::from(n) * 60),
        _ => (0, 0, i64::from(n)),
    };
    Some(Interval {
        months: sum.months.checked_add(months)?,
        days: sum.days.checked_add(days)?,
        micros: sum.micros.checked_add(seconds.checked_mul(1_000_000)?)?,
    })
}
