//! Templates of dates and times, written and read.

pub mod parse;

use super::super::{Failure, Outcome, Value, text};

/// All words, longer ones before their beginnings. The output form is decided by the word's case.
const WORDS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2", "FF3", "FF4", "FF5",
    "FF6", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON", "MS",
    "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY", "YYY",
    "YY", "Y",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A piece of a template.
enum Piece {
    Word {
        name: &'static str,
        /// As written: its case matters.
        written: String,
        fill: bool,
        /// `TH` or `th` behind it.
        ordinal: Option<bool>,
    },
    Text(char),
    /// Between double quotes, or escaped.
    Quoted(char),
    /// `FX`: what follows is read as it is.
    Exact,
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let (mut fill, mut local) = (false, false);
        let mut ahead = rest;
        loop {
            let prefix = ahead.get(..2).unwrap_or_default().to_ascii_uppercase();
            match prefix.as_str() {
                "FM" => fill = true,
                "TM" => local = true,
                "FX" => pieces.push(Piece::Exact),
                _ => break,
            }
            ahead = ahead.get(2..).unwrap_or_default();
        }
        let begins =
            |word: &&&str| ahead.as_bytes().get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word.as_bytes()));
        if let Some(name) = WORDS.iter().find(begins) {
            let written = ahead.get(..name.len()).unwrap_or_default().to_owned();
            // Names of a locale are not padded, and there is only one locale.
            fill |= local && matches!(*name, "MONTH" | "MON" | "DAY" | "DY");
            rest = ahead.get(name.len()..).unwrap_or_default();
            let ordinal = match rest.get(..2) {
                Some("TH") => Some(true),
                Some("th") => Some(false),
                _ => None,
            };
            if ordinal.is_some() {
                rest = rest.get(2..).unwrap_or_default();
            }
            pieces.push(Piece::Word { name, written, fill, ordinal });
            continue;
        }
        if ahead.len() < rest.len() && ahead.is_empty() {
            break;
        }
        if c == '"' {
            let mut chars = rest.get(1..).unwrap_or_default().char_indices();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    '\\' => pieces.extend(chars.next().map(|(_, c)| Piece::Quoted(c))),
                    c => pieces.push(Piece::Quoted(c)),
                }
            }
            rest = rest.get(end..).unwrap_or_default();
            continue;
        }
        if c == '\\' && rest.get(1..2) == Some("\"") {
            pieces.push(Piece::Quoted('"'));
            rest = rest.get(2..).unwrap_or_default();
            continue;
        }
        pieces.push(Piece::Text(c));
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    pieces
}

/// Fields of a value; of an interval too.
#[derive(Default)]
struct Fields {
    /// Astronomical: 0 is 1 BC.
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    /// East of Greenwich, in seconds.
    offset: Option<i64>,
    zone: String,
    interval: bool,
}

/// Days since 1970-01-01 of a civil date.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

impl Fields {
    fn days(&self) -> i64 {
        days_of(self.year, self.month, self.day)
    }

    fn day_of_year(&self) -> i64 {
        if self.interval {
            return (self.year * 12 + self.month) * 30 + self.day;
        }
        self.days() - days_of(self.year, 1, 1) + 1
    }

    /// 0 is Sunday.
    fn weekday(&self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// Year and week of ISO 8601, and the day of that year.
    fn iso(&self) -> (i64, i64, i64) {
        let days = self.days();
        let monday = (days + 3).rem_euclid(7);
        let (year, _, _) = civil(days - monday + 3);
        let first = days_of(year, 1, 4);
        let first = first - (first + 3).rem_euclid(7);
        (year, (days - first) / 7 + 1, days - first + 1)
    }
}

/// What a zone is called at a time: the engine has names of zones where Postgres has abbreviations.
fn abbreviated(zone: &str, value: &str, offset: Option<i64>) -> String {
    let local = value.get(..19).and_then(|text| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok());
    match (zone.contains('/').then(|| crate::value::TimeZone::parse(zone)).flatten(), local, offset) {
        (Some(named), Some(local), Some(east)) => {
            let utc = local.and_utc().timestamp().saturating_sub(east);
            named.abbreviation_at(utc.saturating_mul(1_000_000))
        }
        _ => zone.to_owned(),
    }
}

/// `2024-01-02 03:04:05.6+02`, with `(BC)` where it is.
fn read_fields(value: &str) -> Option<Fields> {
    let (value, zone) = value.split_once('|').unwrap_or((value, ""));
    let before_christ = value.contains("(BC)");
    let value = value.replace(" (BC)", "");
    let (date, clock) = value.split_once(' ').unwrap_or((&value, "00:00:00"));
    let mut parts = date.rsplitn(3, '-');
    let day = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let year: i64 = parts.next()?.parse().ok()?;
    let at = clock.find(['+', '-']).unwrap_or(clock.len());
    let (clock, offset) = clock.split_at(at);
    let mut parts = clock.split(':');
    let hour = parts.next()?.parse().ok()?;
    let minute = parts.next().unwrap_or("0").parse().ok()?;
    let (second, fraction) = parts.next().map_or(("0", ""), |s| s.split_once('.').unwrap_or((s, "")));
    let offset = (!offset.is_empty()).then(|| {
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        let parts = offset.get(1..).unwrap_or_default().split(':').map(|p| p.parse::<i64>().unwrap_or(0));
        sign * parts.zip([3600, 60, 1]).map(|(p, unit)| p * unit).sum::<i64>()
    });
    Some(Fields {
        year: if before_christ { 1 - year } else { year },
        month,
        day,
        hour,
        minute,
        second: second.parse().ok()?,
        micro: format!("{fraction:0<6}").get(..6)?.parse().ok()?,
        offset,
        zone: abbreviated(zone, &value, offset),
        interval: false,
    })
}

/// `to_char(timestamp, template)`.
pub fn time(args: &[Option<&str>]) -> Outcome<Value> {
    let value = text(args, 0);
    if value.contains("infinity") {
        return Ok(Value::Null);
    }
    let Some(fields) = read_fields(value) else {
        return Err(Failure::new("22008", format!("timestamp out of range: \"{value}\"")));
    };
    written(&fields, text(args, 1))
}

/// `to_char(interval, template)`; the interval is `months days microseconds`.
pub fn interval(args: &[Option<&str>]) -> Outcome<Value> {
    let mut parts = text(args, 0).split(' ').map(|p| p.parse::<i64>().unwrap_or(0));
    let (months, days, micros) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let fields = Fields {
        year: months / 12,
        month: months % 12,
        day: days,
        hour: micros / 3_600_000_000,
        minute: micros / 60_000_000 % 60,
        second: micros / 1_000_000 % 60,
        micro: micros % 1_000_000,
        interval: true,
        ..Fields::default()
    };
    written(&fields, text(args, 1))
}

fn written(fields: &Fields, template: &str) -> Outcome<Value> {
    let mut out = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(c) | Piece::Quoted(c) => out.push(c),
            Piece::Exact => {}
            Piece::Word { name, written, fill, ordinal } => {
                let start = out.len();
                word(fields, name, &written, fill, &mut out)?;
                if let Some(upper) = ordinal {
                    let ending = ordinal_of(out.get(start..).unwrap_or_default());
                    out.push_str(if upper { ending.0 } else { ending.1 });
                }
            }
        }
    }
    if template.is_empty() { Ok(Value::Null) } else { Ok(Value::Text(out)) }
}

fn ordinal_of(number: &str) -> (&'static str, &'static str) {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    let (last, before) = (digits.last().copied(), digits.iter().rev().nth(1).copied());
    match last {
        _ if before == Some(b'1') => ("TH", "th"),
        Some(b'1') => ("ST", "st"),
        Some(b'2') => ("ND", "nd"),
        Some(b'3') => ("RD", "rd"),
        _ => ("TH", "th"),
    }
}

/// A number with zeros before it.
fn put(value: i64, width: usize, fill: bool, out: &mut String) {
    let width = if fill { 0 } else { width };
    let sign = if value < 0 { "-" } else { "" };
    out.push_str(&format!("{sign}{:0width$}", value.abs()));
}

/// A number of so many characters, its sign among them.
fn put_whole(value: i64, width: usize, fill: bool, out: &mut String) {
    let width = if fill { 0 } else { width };
    out.push_str(&format!("{value:0width$}"));
}

/// A name in the case of the word, with blanks behind it.
fn put_name(name: &str, written: &str, width: usize, fill: bool, out: &mut String) {
    let mut letters = written.chars();
    let (first, second) = (letters.next().unwrap_or('a'), letters.next().unwrap_or('a'));
    let name = if first.is_lowercase() {
        name.to_lowercase()
    } else if second.is_uppercase() {
        name.to_uppercase()
    } else {
        name.to_owned()
    };
    let width = if fill { 0 } else { width };
    out.push_str(&format!("{name:width$}"));
}

fn word(f: &Fields, name: &'static str, written: &str, fill: bool, out: &mut String) -> Outcome<()> {
    let only_dates = || Failure::new("22007", "invalid format specification for an interval value");
    let lower = written.starts_with(|c: char| c.is_lowercase());
    // Years as they are called: there is no year 0.
    let year = |y: i64| {
        if f.interval || y > 0 { y } else { 1 - y }
    };
    let cased = |s: &str| if lower { s.to_lowercase() } else { s.to_owned() };
    let dotted = |s: &str| {
        if name.contains('.') {
            format!("{}.{}.", s.get(..1).unwrap_or(""), s.get(1..).unwrap_or(""))
        } else {
            s.to_owned()
        }
    };
    let month = usize::try_from(f.month - 1).ok();
    if f.interval
        && matches!(
            name,
            "AD" | "A.D."
                | "BC"
                | "B.C."
                | "DAY"
                | "DY"
                | "MONTH"
                | "MON"
                | "D"
                | "ID"
                | "TZ"
                | "TZH"
                | "TZM"
                | "OF"
                | "IW"
                | "IYYY"
                | "IYY"
                | "IY"
                | "I"
                | "IDDD"
        )
    {
        return Err(only_dates());
    }
    match name {
        "A.M." | "P.M." | "AM" | "PM" => {
            out.push_str(&cased(&dotted(if f.hour.rem_euclid(24) >= 12 { "PM" } else { "AM" })));
        }
        "A.D." | "B.C." | "AD" | "BC" => out.push_str(&cased(&dotted(if f.year <= 0 { "BC" } else { "AD" }))),
        "HH" | "HH12" => {
            let hour = if f.hour % 12 == 0 { 12 } else { f.hour % 12 };
            put(hour, 2, fill, out);
        }
        "HH24" => put(f.hour, 2, fill, out),
        "MI" => put(f.minute, 2, fill, out),
        "SS" => put(f.second, 2, fill, out),
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" | "MS" | "US" => {
            let digits: usize = match name {
                "MS" => 3,
                "US" => 6,
                other => other.get(2..).and_then(|d| d.parse().ok()).unwrap_or(6),
            };
            let micros = format!("{:06}", f.micro.abs());
            out.push_str(if f.micro < 0 { "-" } else { "" });
            out.push_str(micros.get(..digits).unwrap_or_default());
        }
        "SSSS" | "SSSSS" => put(f.hour * 3600 + f.minute * 60 + f.second, 0, fill, out),
        "TZ" => out.push_str(&cased(&f.zone)),
        "TZH" => {
            let offset = f.offset.unwrap_or(0);
            out.push_str(&format!("{}{:02}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3600));
        }
        "TZM" => out.push_str(&format!("{:02}", f.offset.unwrap_or(0).abs() % 3600 / 60)),
        "OF" => {
            let offset = f.offset.unwrap_or(0);
            let width = if fill { 0 } else { 2 };
            out.push_str(&format!("{}{:0width$}", if offset < 0 { '-' } else { '+' }, offset.abs() / 3600));
            if offset % 3600 != 0 {
                out.push_str(&format!(":{:02}", offset.abs() % 3600 / 60));
            }
        }
        "RM" if f.interval => {
            // Of a negative interval the months count from the end.
            let at = match f.month {
                0 if f.year == 0 => None,
                0 => Some(if f.year > 0 { 11 } else { 0 }),
                month if month < 0 => Some(12 + month),
                month => Some(month - 1),
            };
            let name = at.and_then(|at| usize::try_from(at).ok()).and_then(|at| ROMAN.get(at));
            if let Some(name) = name {
                put_name(name, if lower { "rm" } else { "RM" }, 4, fill, out);
            }
        }
        "MONTH" | "MON" | "RM" => match month {
            _ if f.month == 0 => {}
            Some(at) => match name {
                "MONTH" => put_name(MONTHS.get(at).unwrap_or(&""), written, 9, fill, out),
                "MON" => {
                    let short = MONTHS.get(at).and_then(|m| m.get(..3)).unwrap_or("");
                    put_name(short, written, 0, fill, out);
                }
                _ => put_name(ROMAN.get(at).unwrap_or(&""), if lower { "rm" } else { "RM" }, 4, fill, out),
            },
            None => {}
        },
        "MM" => put(f.month, 2, fill, out),
        "DAY" | "DY" => {
            let day = DAYS.get(usize::try_from(f.weekday()).unwrap_or(0)).copied().unwrap_or("");
            match name {
                "DAY" => put_name(day, written, 9, fill, out),
                _ => put_name(day.get(..3).unwrap_or(""), written, 0, fill, out),
            }
        }
        "DDD" => put_whole(f.day_of_year(), 3, fill, out),
        "IDDD" => put(f.iso().2, 3, fill, out),
        "DD" => put_whole(f.day, 2, fill, out),
        "D" => put(f.weekday() + 1, 0, fill, out),
        "ID" => put(if f.weekday() == 0 { 7 } else { f.weekday() }, 0, fill, out),
        "WW" => put((f.day_of_year() - 1) / 7 + 1, 2, fill, out),
        "IW" => put(f.iso().1, 2, fill, out),
        "W" => put((f.day - 1) / 7 + 1, 0, fill, out),
        "Q" => {
            if f.month != 0 {
                put((f.month - 1) / 3 + 1, 0, fill, out);
            }
        }
        "CC" => {
            let century = if f.interval {
                f.year / 100
            } else if f.year > 0 {
                (f.year - 1) / 100 + 1
            } else {
                f.year / 100 - 1
            };
            put(century, 2, fill, out);
        }
        "J" => put(f.days() + 2_440_588, 0, fill, out),
        "Y,YYY" => {
            let y = year(f.year);
            out.push_str(&format!("{},{:03}", y / 1000, y % 1000));
        }
        _ => {
            let iso = name.starts_with('I');
            let y = year(if iso { f.iso().0 } else { f.year });
            let digits = name.len();
            let limit = [10, 100, 1000, i64::MAX].get(digits - 1).copied().unwrap_or(i64::MAX);
            put(if f.interval && digits == 4 { y } else { y % limit }, digits, fill, out);
        }
    }
    Ok(())
}
