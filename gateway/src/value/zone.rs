//! Time zones by the names and offsets that Postgres' `TimeZone` takes.

use chrono::{NaiveDateTime, Offset, TimeZone as _};
use chrono_tz::{OffsetComponents, OffsetName};

use super::datetime::{
    abbreviation,
    civil::{DAY_MICROS, civil_from_days, days_from_civil, is_leap, weekday},
};

/// Postgres' largest zone offset in hours.
const HOURS_MAX: f64 = 167.0;
/// Offsets of whole hours that have a name.
const ENGINE_HOURS: std::ops::RangeInclusive<i32> = -12..=14;
/// From this year on the rules of daylight saving time repeat, as Postgres has it.
const RULES_END: i64 = 2037;

/// A session's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    rule: Rule,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Seconds east of UTC.
    Fixed(i32),
    Iana(chrono_tz::Tz),
}

impl TimeZone {
    /// `UTC`
    pub const UTC: TimeZone = TimeZone { rule: Rule::Fixed(0), name: String::new() };

    /// The zone that `SET TimeZone TO 'text'` means; none where Postgres says
    /// `invalid value for parameter "TimeZone"`.
    #[must_use]
    pub fn parse(text: &str) -> Option<TimeZone> {
        if let Ok(hours) = text.trim().parse::<f64>() {
            if !hours.is_finite() || hours.abs() > HOURS_MAX {
                return None;
            }
            #[allow(clippy::cast_possible_truncation)]
            return Some(Self::fixed((hours * 3600.0) as i32));
        }
        Self::named(text)
    }

    /// A zone by IANA name (in any case) or by a POSIX rule without daylight saving time: what may stand
    /// in a timestamp.
    #[must_use]
    pub(crate) fn named(text: &str) -> Option<TimeZone> {
        if text.eq_ignore_ascii_case("utc") {
            return Some(Self::UTC);
        }
        let iana = chrono_tz::TZ_VARIANTS.iter().find(|tz| tz.name().eq_ignore_ascii_case(text));
        if let Some(tz) = iana {
            return Some(TimeZone { rule: Rule::Iana(*tz), name: tz.name().to_owned() });
        }
        let seconds_west = posix_offset(text)?;
        Some(TimeZone { rule: Rule::Fixed(-seconds_west), name: text.to_owned() })
    }

    /// A zone of a fixed offset: `SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE`.
    #[must_use]
    pub fn fixed(seconds_east: i32) -> TimeZone {
        let magnitude = offset_text(seconds_east.unsigned_abs());
        // POSIX counts westwards.
        let (east, west) = if seconds_east < 0 { ('-', '+') } else { ('+', '-') };
        let name = format!("<{east}{magnitude}>{west}{magnitude}");
        TimeZone { rule: Rule::Fixed(seconds_east), name }
    }

    /// What `SHOW TimeZone` says.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.name.is_empty() { "UTC" } else { &self.name }
    }

    /// What the engine calls it: it knows zones by name alone, and fixed offsets of whole hours from -12 to 14.
    #[must_use]
    pub fn engine_name(&self) -> Option<String> {
        match self.rule {
            Rule::Iana(tz) => Some(tz.name().to_owned()),
            Rule::Fixed(0) => Some("UTC".to_owned()),
            Rule::Fixed(east) => {
                let hours = east / 3600;
                let named = east % 3600 == 0 && ENGINE_HOURS.contains(&hours);
                // Its names count westwards, as POSIX does.
                named.then(|| format!("Etc/GMT{:+}", -hours))
            }
        }
    }

    /// The offset that a text of a zone stands for by itself, as an abbreviation or by POSIX: seconds east of UTC.
    pub(crate) fn defined_offset(text: &str) -> Option<i32> {
        if let Some((east, _)) = abbreviation(&text.to_ascii_lowercase()) {
            return Some(east);
        }
        match Self::named(text)?.rule {
            Rule::Fixed(east) => Some(east),
            Rule::Iana(_) => None,
        }
    }

    /// Seconds east of UTC at a time in microseconds since 1970.
    #[must_use]
    pub fn offset_at(&self, utc_micros: i64) -> i32 {
        match self.rule {
            Rule::Fixed(east) => east,
            Rule::Iana(tz) => {
                let at = moment(utc_micros);
                tz.offset_from_utc_datetime(&at).fix().local_minus_utc()
            }
        }
    }

    /// The abbreviation in force, as the styles other than ISO write it.
    #[must_use]
    pub(crate) fn abbreviation_at(&self, utc_micros: i64) -> String {
        match self.rule {
            Rule::Fixed(_) if self.name.is_empty() => "UTC".to_owned(),
            Rule::Fixed(_) => {
                let name = self.name.trim_start_matches('<');
                let end = name.find(['>']).or_else(|| name.find(|c: char| !c.is_ascii_alphabetic()));
                name.get(..end.unwrap_or(name.len())).unwrap_or_default().to_owned()
            }
            Rule::Iana(tz) => {
                let offset = tz.offset_from_utc_datetime(&moment(utc_micros));
                offset.abbreviation().map_or_else(
                    || {
                        let east = offset.fix().local_minus_utc();
                        let sign = if east < 0 { '-' } else { '+' };
                        format!("{sign}{}", offset_text(east.unsigned_abs()).replace(':', ""))
                    },
                    str::to_owned,
                )
            }
        }
    }

    /// Seconds east of UTC for a local time. In a gap the rule before it holds, in a doubled hour the rule after it:
    /// Postgres' choice.
    #[must_use]
    pub fn offset_of_local(&self, local_micros: i64) -> i32 {
        let Rule::Iana(_) = self.rule else {
            return self.offset_at(local_micros);
        };
        let before = self.offset_at(local_micros.saturating_sub(DAY_MICROS));
        let after = self.offset_at(local_micros.saturating_add(DAY_MICROS));
        let fits = |offset: i32| {
            let utc = local_micros.saturating_sub(i64::from(offset) * 1_000_000);
            self.offset_at(utc) == offset
        };
        if before == after || fits(after) {
            // Two changes within the two days are seen only here.
            if before == after && !fits(after) {
                let utc = local_micros.saturating_sub(i64::from(before) * 1_000_000);
                return self.offset_at(utc);
            }
            return after;
        }
        before
    }

    /// Whether it has one offset for ever; then a time of day may carry it without a date.
    pub(crate) fn fixed_offset(&self) -> Option<i32> {
        match self.rule {
            Rule::Fixed(east) => Some(east),
            Rule::Iana(tz) => {
                let offset = |month: i64| {
                    let at = moment(days_from_civil(RULES_END, month, 1) * DAY_MICROS);
                    let offset = tz.offset_from_utc_datetime(&at);
                    (offset.fix().local_minus_utc(), offset.dst_offset())
                };
                (offset(1) == offset(7) && tz.name().len() <= 3).then(|| offset(1).0)
            }
        }
    }
}

/// The time that has the same rules in force, within the years that the zone database covers.
fn moment(utc_micros: i64) -> NaiveDateTime {
    let days = utc_micros.div_euclid(DAY_MICROS);
    let rest = utc_micros.rem_euclid(DAY_MICROS);
    let (year, month, day) = civil_from_days(days);
    let days = if year <= RULES_END {
        days
    } else {
        // A year of the same shape: the same weekdays, leap or not. One is found in any 28 years without a century.
        let january = weekday(days_from_civil(year, 1, 1));
        let like = (RULES_END..RULES_END + 28)
            .find(|y| is_leap(*y) == is_leap(year) && weekday(days_from_civil(*y, 1, 1)) == january);
        days_from_civil(like.unwrap_or(RULES_END), month.into(), day.into())
    };
    let seconds = days.saturating_mul(86_400).saturating_add(rest / 1_000_000);
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or(chrono::DateTime::UNIX_EPOCH).naive_utc()
}

/// `05:30`, `02`.
fn offset_text(seconds: u32) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{hours:02}"),
        (_, 0) => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// `EST5`, `<+02>-02`, `UTC+3`, `+02:00`: seconds west of UTC.
fn posix_offset(text: &str) -> Option<i32> {
    let rest = if let Some(quoted) = text.strip_prefix('<') {
        quoted.split_once('>')?.1
    } else {
        let end = text.find(|c: char| !c.is_ascii_alphabetic())?;
        text.get(end..)?
    };
    let (negative, digits) = match rest.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, rest.strip_prefix('+').unwrap_or(rest)),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in digits.split(':') {
        if unit == 0 || part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let value: i32 = part.parse().ok()?;
        if value > if unit == 3600 { 167 } else { 59 } {
            return None;
        }
        seconds += value * unit;
        unit = if unit == 3600 { 60 } else { unit / 60 };
    }
    Some(if negative { -seconds } else { seconds })
}
