//! Dates and times in paths: what `.datetime()` makes of a string.

use std::cmp::Ordering;

use super::super::{Failure, Outcome, Value, template};
use crate::value::TimeZone;

const DAY_MICROS: i64 = 86_400_000_000;

/// Which of the five types it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Date,
    Time,
    Timetz,
    Timestamp,
    Timestamptz,
}

/// A date, a time, or both.
#[derive(Clone, Debug)]
pub struct Moment {
    kind: Kind,
    /// Local, since 1970 or since midnight.
    micros: i64,
    /// Seconds east of UTC.
    offset: i64,
}

impl Moment {
    /// As ISO writes it; Postgres tries a list of templates.
    pub fn read(text: &str) -> Outcome<Self> {
        parsed(text.trim())
            .ok_or_else(|| Failure::new("22031", format!("datetime format is not recognized: \"{text}\"")))
    }

    /// By a template, whose fields say which type it is.
    pub fn templated(text: &str, template: &str) -> Outcome<Self> {
        let fields = template.split('"').step_by(2).collect::<String>().to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| fields.contains(word));
        let zone = has(&["TZ", "OF"]);
        let time = has(&["HH", "MI", "SS", "MS", "US", "FF", "AM", "PM", "A.M", "P.M"]);
        let date = has(&["Y", "MM", "MON", "DD", "DAY", "DY", "RM", "CC", "WW", "IW", "ID", "J", "Q"]);
        let Value::Text(found) = template::parse_time(&[Some(text), Some(template)])? else {
            return Err(Failure::new("22007", "a template that reads nothing"));
        };
        // Without a date in the template the one that was read is none.
        let clock = found.split_whitespace().find(|part| part.contains(':')).filter(|_| !date);
        let mut moment = parsed(clock.unwrap_or(&found))
            .ok_or_else(|| Failure::new("22031", format!("datetime format is not recognized: \"{text}\"")))?;
        moment.kind = match (date, time, zone) {
            (true, false, _) => Kind::Date,
            (false, _, false) => Kind::Time,
            (false, _, true) => Kind::Timetz,
            (true, true, false) => Kind::Timestamp,
            (true, true, true) => Kind::Timestamptz,
        };
        match moment.kind {
            Kind::Date => moment.micros -= moment.micros.rem_euclid(DAY_MICROS),
            Kind::Time | Kind::Timetz => moment.micros = moment.micros.rem_euclid(DAY_MICROS),
            Kind::Timestamp | Kind::Timestamptz => {}
        }
        Ok(moment)
    }

    /// As JSON shows it, without its quotes.
    pub fn text(&self) -> String {
        let clock = || {
            let micros = self.micros.rem_euclid(DAY_MICROS);
            let seconds = micros / 1_000_000;
            let fraction = format!(".{:06}", micros % 1_000_000);
            let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
            format!("{:02}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        };
        let date = || {
            use chrono::Datelike as _;
            let day = chrono::DateTime::from_timestamp_micros(self.micros).unwrap_or_default().date_naive();
            format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
        };
        let zone = || {
            let (sign, east) = if self.offset < 0 { ('-', -self.offset) } else { ('+', self.offset) };
            format!("{sign}{:02}:{:02}", east / 3600, east / 60 % 60)
        };
        match self.kind {
            Kind::Date => date(),
            Kind::Time => clock(),
            Kind::Timetz => clock() + &zone(),
            Kind::Timestamp => format!("{}T{}", date(), clock()),
            Kind::Timestamptz => format!("{}T{}{}", date(), clock(), zone()),
        }
    }

    /// `.type()`
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Date => "date",
            Kind::Time => "time without time zone",
            Kind::Timetz => "time with time zone",
            Kind::Timestamp => "timestamp without time zone",
            Kind::Timestamptz => "timestamp with time zone",
        }
    }

    fn has_zone(&self) -> bool {
        matches!(self.kind, Kind::Timetz | Kind::Timestamptz)
    }

    /// In UTC; one without a zone of its own is of the session's.
    fn utc(&self, zone: &TimeZone) -> i64 {
        let east = if self.has_zone() { self.offset } else { i64::from(zone.offset_of_local(self.micros)) };
        self.micros.saturating_sub(east * 1_000_000)
    }

    /// The order of two; none where they have none. `zone`: the session's, where a path may use it.
    ///
    /// # Errors
    /// 0A000 where it would have to and may not.
    pub fn compared(&self, other: &Self, zone: Option<&TimeZone>) -> Outcome<Option<Ordering>> {
        let of_day = |m: &Self| matches!(m.kind, Kind::Time | Kind::Timetz);
        if of_day(self) != of_day(other) {
            return Ok(None);
        }
        if !self.has_zone() && !other.has_zone() {
            return Ok(Some(self.micros.cmp(&other.micros)));
        }
        let zone = match zone {
            Some(zone) => zone,
            None if self.has_zone() == other.has_zone() => &TimeZone::UTC,
            None => {
                let (from, to) = if self.has_zone() { (other, self) } else { (self, other) };
                let name = |m: &Self| match m.kind {
                    Kind::Date => "date",
                    Kind::Time => "time",
                    Kind::Timetz => "timetz",
                    Kind::Timestamp => "timestamp",
                    Kind::Timestamptz => "timestamptz",
                };
                let message =
                    format!("cannot convert value from {} to {} without time zone usage", name(from), name(to));
                return Err(Failure::new("0A000", message));
            }
        };
        let order = self.utc(zone).cmp(&other.utc(zone));
        // Of times at the same moment the one further east is the earlier day's.
        let east = |m: &Self| match m.has_zone() {
            true => m.offset,
            false => i64::from(zone.offset_of_local(m.micros)),
        };
        Ok(Some(if of_day(self) { order.then_with(|| east(other).cmp(&east(self))) } else { order }))
    }
}

fn parsed(text: &str) -> Option<Moment> {
    let date = text
        .split([' ', 'T'])
        .next()
        .filter(|part| part.get(1..).is_some_and(|rest| rest.contains('-')) && !part.contains(':'));
    let mut micros = 0;
    let mut rest = text;
    if let Some(date) = date {
        let mut parts = date.splitn(3, '-');
        let (year, month, day) =
            (digits(parts.next()?, 1..=6)?, digits(parts.next()?, 1..=2)?, digits(parts.next()?, 1..=2)?);
        let day = chrono::NaiveDate::from_ymd_opt(
            i32::try_from(year).ok()?,
            u32::try_from(month).ok()?,
            u32::try_from(day).ok()?,
        )?;
        micros = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros();
        rest = text.get(date.len()..)?;
        if rest.is_empty() {
            return Some(Moment { kind: Kind::Date, micros, offset: 0 });
        }
        rest = rest.get(1..)?;
    }
    let end = rest.find(['+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let clock = clock.trim_end();
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':');
    let (hour, minute, second) =
        (digits(parts.next()?, 1..=2)?, digits(parts.next()?, 1..=2)?, digits(parts.next()?, 1..=2)?);
    if hour > 23 || minute > 59 || second > 59 || fraction.len() > 6 {
        return None;
    }
    let fraction = if fraction.is_empty() { 0 } else { digits(&format!("{fraction:0<6}"), 6..=6)? };
    micros += ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
    let offset = match zone.strip_prefix(['+', '-']) {
        None => None,
        Some(east) => {
            let (hours, minutes) = east.split_once(':').unwrap_or((east, "0"));
            let east = digits(hours, 1..=2)? * 3600 + digits(minutes, 1..=2)? * 60;
            Some(if zone.starts_with('-') { -east } else { east })
        }
    };
    let kind = match (date, offset) {
        (None, None) => Kind::Time,
        (None, Some(_)) => Kind::Timetz,
        (Some(_), None) => Kind::Timestamp,
        (Some(_), Some(_)) => Kind::Timestamptz,
    };
    Some(Moment { kind, micros, offset: offset.unwrap_or(0) })
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let fits = length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}
