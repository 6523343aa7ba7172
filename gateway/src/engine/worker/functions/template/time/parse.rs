//! `to_date` and `to_timestamp`: a text read by a template, node by node as Postgres does.

use super::*;

/// Digits behind the second that a time has.
const MICRO_DIGITS: usize = 6;
const MICROS_OF_SECOND: i64 = 1_000_000;
const MICROS_OF_DAY: i64 = 86_400 * MICROS_OF_SECOND;
/// Hours that a zone is away from Greenwich at most.
const ZONE_HOURS_MAX: i64 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Gregorian,
    Iso,
}

/// What was read; zero is what no word gave.
#[derive(Default)]
struct Read {
    mode: Option<Mode>,
    year: i64,
    /// Digits that the year's word has.
    year_digits: usize,
    century: i64,
    before_christ: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    /// 1 is Sunday.
    weekday: i64,
    week: i64,
    week_of_month: i64,
    julian: i64,
    hour: i64,
    minute: i64,
    second: i64,
    seconds_of_day: i64,
    millis: i64,
    micros: i64,
    /// Digits of the fraction that the template asks for.
    precision: usize,
    afternoon: i64,
    twelve: bool,
    zone_sign: i64,
    zone_hours: i64,
    zone_minutes: i64,
}

fn wrong<T>(message: String) -> Outcome<T> {
    Err(Failure::new("22007", message))
}

/// `to_timestamp(text, template)` as text: with an offset only where the template reads one.
pub fn parse_time(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, template) = (text(args, 0), text(args, 1));
    let read = Reader { read: Read::default(), source, rest: source, extra: 0, exact: false }.run(&pieces(template))?;
    read.assembled(source)
}

/// The state of Postgres' `DCH_from_char`.
struct Reader<'a> {
    read: Read,
    source: &'a str,
    rest: &'a str,
    /// Characters that were skipped beyond those of the template.
    extra: i64,
    /// `FX`: nothing is skipped.
    exact: bool,
}

fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

impl<'a> Reader<'a> {
    fn run(mut self, pieces: &[Piece]) -> Outcome<Read> {
        for (n, piece) in pieces.iter().enumerate() {
            if self.rest.is_empty() {
                break;
            }
            if !self.exact && (n == 0 || matches!(piece, Piece::Word { .. })) {
                self.skip_spaces();
            }
            match piece {
                Piece::Exact => self.exact = true,
                Piece::Text(c) if c.is_whitespace() || is_separator(*c) => self.separator(),
                Piece::Text(_) | Piece::Quoted(_) if self.extra > 0 && !self.exact => self.extra -= 1,
                Piece::Text(_) | Piece::Quoted(_) => self.skip(1),
                Piece::Word { name, fill, ordinal, .. } => {
                    let open = *fill || ordinal.is_some() || ends_number(pieces.get(n + 1));
                    self.word(name, open)?;
                    if ordinal.is_some() && is_number(name) {
                        self.skip(2);
                    }
                    if !self.exact {
                        self.extra = 0;
                        self.skip_spaces();
                    }
                }
            }
        }
        Ok(self.read)
    }

    fn skip(&mut self, count: usize) {
        let mut chars = self.rest.chars();
        chars.by_ref().take(count).for_each(drop);
        self.rest = chars.as_str();
    }

    fn skip_spaces(&mut self) {
        while self.rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.skip(1);
            self.extra += 1;
        }
    }

    /// One of the template is one of the text, or none.
    fn separator(&mut self) {
        if self.exact {
            return self.skip(1);
        }
        self.extra -= 1;
        if self.rest.starts_with(|c: char| c.is_ascii_whitespace() || is_separator(c)) {
            self.skip(1);
            self.extra += 1;
        }
    }

    fn word(&mut self, name: &'static str, open: bool) -> Outcome<()> {
        self.mode(name)?;
        match name {
            "MONTH" | "MON" | "RM" | "DAY" | "DY" | "AM" | "PM" | "A.M." | "P.M." | "AD" | "BC" | "A.D." | "B.C." => {
                self.name(name)
            }
            "TZ" | "OF" => {
                Err(Failure::new("0A000", format!("formatting field \"{name}\" is only supported in to_char")))
            }
            "TZH" => self.zone_hours(open),
            "Y,YYY" => self.comma_year(),
            _ => self.number(name, open),
        }
    }

    /// Words of both calendars cannot be mixed.
    fn mode(&mut self, name: &str) -> Outcome<()> {
        let mode = match name {
            "DDD" | "DD" | "D" | "MM" | "MONTH" | "MON" | "RM" | "WW" | "W" => Mode::Gregorian,
            name if name.starts_with('Y') => Mode::Gregorian,
            name if name.starts_with('I') => Mode::Iso,
            _ => return Ok(()),
        };
        match self.read.mode {
            Some(other) if other != mode => wrong("invalid combination of date conventions".to_owned()),
            _ => {
                self.read.mode = Some(mode);
                Ok(())
            }
        }
    }

    fn name(&mut self, name: &'static str) -> Outcome<()> {
        let short = |names: &[&'static str]| names.iter().map(|n| n.get(..3).unwrap_or(n)).collect::<Vec<_>>();
        let names: Vec<&str> = match name {
            "MONTH" => MONTHS.to_vec(),
            "MON" => short(&MONTHS),
            // Longer ones before their beginnings.
            "RM" => ROMAN.iter().rev().copied().collect(),
            "DAY" => DAYS.to_vec(),
            "DY" => short(&DAYS),
            "AM" | "PM" => vec!["am", "pm"],
            "A.M." | "P.M." => vec!["a.m.", "p.m."],
            "AD" | "BC" => vec!["ad", "bc"],
            _ => vec!["a.d.", "b.c."],
        };
        let begins = |n: &&&str| self.rest.get(..n.len()).is_some_and(|start| start.eq_ignore_ascii_case(n));
        let mut found: Vec<(usize, &str)> = names.iter().copied().enumerate().collect();
        found.sort_by_key(|(_, n)| std::cmp::Reverse(n.len()));
        let Some((at, found)) = found.into_iter().find(|(_, n)| begins(&n)) else {
            let shown: String = self.rest.chars().take_while(|c| !c.is_whitespace() && !is_separator(*c)).collect();
            let shown = if shown.is_empty() { self.rest.chars().take(1).collect() } else { shown };
            return wrong(format!("invalid value \"{shown}\" for \"{name}\""));
        };
        self.rest = self.rest.get(found.len()..).unwrap_or_default();
        let at = i64::try_from(at).unwrap_or(0);
        match name {
            "MONTH" | "MON" => set(&mut self.read.month, at + 1, name),
            "RM" => set(&mut self.read.month, 12 - at, name),
            "DAY" | "DY" => set(&mut self.read.weekday, at + 1, name),
            "AD" | "BC" | "A.D." | "B.C." => set(&mut self.read.before_christ, at, name),
            _ => {
                self.read.twelve = true;
                set(&mut self.read.afternoon, at, name)
            }
        }
    }

    /// The sign may have been taken for a separator.
    fn zone_hours(&mut self, open: bool) -> Outcome<()> {
        if let Some(sign) = self.rest.chars().next().filter(|c| matches!(c, '+' | '-' | ' ')) {
            self.read.zone_sign = if sign == '-' { -1 } else { 1 };
            self.skip(1);
        } else {
            let read = self.source.get(..self.source.len() - self.rest.len()).unwrap_or_default();
            self.read.zone_sign = if self.extra > 0 && read.ends_with('-') { -1 } else { 1 };
        }
        let (_, hours) = self.digits(2, open, "TZH")?;
        set(&mut self.read.zone_hours, hours, "TZH")
    }

    fn comma_year(&mut self) -> Outcome<()> {
        let invalid = || wrong("invalid input string for \"Y,YYY\"".to_owned());
        let Some((thousands, after)) = self.rest.split_once(',') else { return invalid() };
        let Ok(thousands) = thousands.trim().parse::<i32>() else { return invalid() };
        let length = after.bytes().take(3).take_while(u8::is_ascii_digit).count();
        let Some(rest) = after.get(..length).and_then(|d| d.parse::<i64>().ok()) else { return invalid() };
        self.rest = after.get(length..).unwrap_or_default();
        self.read.year_digits = 4;
        set(&mut self.read.year, i64::from(thousands) * 1000 + rest, "Y,YYY")
    }

    fn number(&mut self, name: &'static str, open: bool) -> Outcome<()> {
        let width = match name {
            "HH24" | "HH12" | "TZM" => 2,
            "IDDD" => 3,
            name => match name.strip_prefix("FF").and_then(|digits| digits.parse().ok()) {
                Some(digits) => digits,
                None if name == "MS" => 3,
                None if name == "US" => MICRO_DIGITS,
                None => name.len(),
            },
        };
        let (length, n) = self.digits(width, open, name)?;
        let short = |n: i64| if length < 4 { nearest_year(n) } else { n };
        let scaled = |n: i64, digits: usize| n * 10_i64.pow(u32::try_from(digits.saturating_sub(length)).unwrap_or(0));
        let read = &mut self.read;
        let (field, value) = match name {
            "YYYY" | "IYYY" => (&mut read.year, n),
            "YYY" | "IYY" | "YY" | "IY" | "Y" | "I" => (&mut read.year, short(n)),
            "CC" => (&mut read.century, n),
            "MM" => (&mut read.month, n),
            "DD" => (&mut read.day, n),
            "DDD" | "IDDD" => (&mut read.day_of_year, n),
            "D" => (&mut read.weekday, n),
            // Sunday is the first day of the others.
            "ID" => (&mut read.weekday, if n >= 7 { 1 } else { n + 1 }),
            "WW" | "IW" => (&mut read.week, n),
            "W" => (&mut read.week_of_month, n),
            "J" => (&mut read.julian, n),
            "HH24" => (&mut read.hour, n),
            "HH" | "HH12" => {
                read.twelve = true;
                (&mut read.hour, n)
            }
            "MI" => (&mut read.minute, n),
            "SS" => (&mut read.second, n),
            "SSSS" | "SSSSS" => (&mut read.seconds_of_day, n),
            "MS" => (&mut read.millis, scaled(n, 3)),
            "US" => (&mut read.micros, scaled(n, MICRO_DIGITS)),
            "TZM" => {
                if read.zone_sign == 0 {
                    read.zone_sign = 1;
                }
                (&mut read.zone_minutes, n)
            }
            name if name.starts_with("FF") => {
                read.precision = width;
                (&mut read.micros, scaled(n, MICRO_DIGITS))
            }
            // A quarter says nothing that is used.
            _ => return Ok(()),
        };
        set(field, value, name)?;
        if name.contains('Y') || name == "I" {
            self.read.year_digits = name.len();
        }
        Ok(())
    }

    /// A number, and how many characters it has: all that are there where nothing follows that could take them.
    fn digits(&mut self, width: usize, open: bool, name: &str) -> Outcome<(usize, i64)> {
        let rest = self.rest;
        let length = |text: &str| {
            let blanks = text.len() - text.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
            let sign = usize::from(text.get(blanks..).is_some_and(|t| t.starts_with(['+', '-'])));
            let digits = text.bytes().skip(blanks + sign).take_while(u8::is_ascii_digit).count();
            if digits == 0 { 0 } else { blanks + sign + digits }
        };
        let taken = if open {
            length(rest)
        } else {
            if rest.chars().count() < width {
                return wrong(format!("source string too short for \"{name}\" formatting field"));
            }
            let field: String = rest.chars().take(width).collect();
            match length(&field) {
                0 => 0,
                part if part < width => return wrong(format!("invalid value \"{field}\" for \"{name}\"")),
                whole => whole,
            }
        };
        if taken == 0 {
            let shown: String = rest.chars().take(width).collect();
            return wrong(format!("invalid value \"{shown}\" for \"{name}\""));
        }
        let number = rest.get(..taken).unwrap_or_default().trim();
        let Ok(number) = number.strip_prefix('+').unwrap_or(number).parse::<i32>() else {
            return Err(Failure::new("22008", format!("value for \"{name}\" in source string is out of range")));
        };
        self.rest = rest.get(taken..).unwrap_or_default();
        Ok((taken, i64::from(number)))
    }
}

/// A field is given once, or twice the same.
fn set(field: &mut i64, value: i64, name: &str) -> Outcome<()> {
    if *field != 0 && *field != value {
        return wrong(format!("conflicting values for \"{name}\" field in formatting string"));
    }
    *field = value;
    Ok(())
}

/// A year of less than four digits is the one that is nearest to 2020.
fn nearest_year(n: i64) -> i64 {
    match n {
        n if n < 70 => n + 2000,
        n if n < 100 => n + 1900,
        n if n < 520 => n + 2000,
        n if n < 1000 => n + 1000,
        n => n,
    }
}

/// Whether a word reads digits.
fn is_number(name: &str) -> bool {
    let names = ["MONTH", "MON", "RM", "DAY", "DY", "AM", "PM", "A.M.", "P.M.", "AD", "BC", "A.D.", "B.C."];
    !names.contains(&name) && !["TZ", "OF", "TZH"].contains(&name)
}

/// Whether a number ends before this piece of the template.
fn ends_number(next: Option<&Piece>) -> bool {
    match next {
        None => true,
        Some(Piece::Word { name, .. }) => !is_number(name),
        Some(Piece::Text(c) | Piece::Quoted(c)) => !c.is_ascii_digit(),
        Some(Piece::Exact) => true,
    }
}

impl Read {
    /// The time of day in microseconds.
    fn clock(&self, source: &str) -> Outcome<i64> {
        let or = |given: i64, otherwise: i64| if given != 0 { given } else { otherwise };
        let x = self.seconds_of_day;
        let (mut hour, minute, second) =
            (or(self.hour, x / 3600), or(self.minute, x / 60 % 60), or(self.second, x % 60));
        if self.twelve {
            if !(1..=12).contains(&hour) {
                return wrong(format!("hour \"{hour}\" is invalid for the 12-hour clock"));
            }
            hour = hour % 12 + if self.afternoon != 0 { 12 } else { 0 };
        }
        let micros = self.millis * 1000 + self.micros;
        let fits = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..MICROS_OF_SECOND).contains(&micros);
        match fits {
            true => Ok((hour * 3600 + minute * 60 + second) * MICROS_OF_SECOND + micros),
            false => out_of_range(source),
        }
    }

    /// The year as astronomers count; none where no word gave one.
    fn astronomical(&self) -> Option<i64> {
        let before = self.before_christ != 0;
        let century = if before { -self.century } else { self.century };
        if self.year == 0 {
            return match century {
                0 => None,
                1.. => Some((century - 1) * 100 + 1),
                _ => Some(century * 100 + 1),
            };
        }
        if century != 0 && self.year_digits <= 2 {
            return Some(match self.year % 100 {
                0 => century * 100 + i64::from(century < 0),
                n if century < 0 => (century + 1) * 100 - n + 1,
                n => (century - 1) * 100 + n,
            });
        }
        let year = if before { -self.year } else { self.year };
        Some(if year < 0 { year + 1 } else { year })
    }

    /// Days since 1970-01-01.
    fn days(&self, source: &str) -> Outcome<i64> {
        let given = self.astronomical();
        let year = given.unwrap_or(0);
        let iso = self.mode == Some(Mode::Iso);
        let week_one = |year: i64| {
            let fourth = days_of(year, 1, 4);
            fourth - (fourth + 3).rem_euclid(7)
        };
        if iso && self.week != 0 {
            let day = match self.weekday {
                0 => 0,
                1 => 6,
                n => n - 2,
            };
            return Ok(week_one(year) + (self.week - 1) * 7 + day);
        }
        let day_of_year = if self.week != 0 { (self.week - 1) * 7 + 1 } else { self.day_of_year };
        let day = if self.week_of_month != 0 { (self.week_of_month - 1) * 7 + 1 } else { self.day };
        let (mut whole_month, mut whole_day) = (self.month, day);
        if self.julian != 0 && self.month == 0 && day == 0 && day_of_year == 0 {
            return Ok(self.julian - 2_440_588);
        }
        if day_of_year != 0 && (self.month <= 1 || day <= 1) {
            if year == 0 && self.before_christ == 0 {
                return wrong("cannot calculate day of year without year information".to_owned());
            }
            if iso {
                return Ok(week_one(year) + day_of_year - 1);
            }
            let first = days_of(year, 1, 1);
            let (of, month, day) = civil(first + day_of_year - 1);
            if of != year {
                return out_of_range(source);
            }
            if whole_month <= 1 {
                whole_month = month;
            }
            if whole_day <= 1 {
                whole_day = day;
            }
        }
        let (month, day) = (if whole_month == 0 { 1 } else { whole_month }, if whole_day == 0 { 1 } else { whole_day });
        let days = if (1..=12).contains(&month) { days_of(year, month, day) } else { return out_of_range(source) };
        let complete = given.is_some() && whole_month != 0 && whole_day != 0;
        match (1..=31).contains(&day) && (!complete || civil(days) == (year, month, day)) {
            true => Ok(days),
            false => out_of_range(source),
        }
    }

    fn assembled(&self, source: &str) -> Outcome<Value> {
        let mut micros = self.days(source)?.saturating_mul(MICROS_OF_DAY).saturating_add(self.clock(source)?);
        if (1..MICRO_DIGITS).contains(&self.precision) {
            let step = 10_i64.pow(u32::try_from(MICRO_DIGITS - self.precision).unwrap_or(0));
            micros = micros.saturating_add(step / 2).div_euclid(step).saturating_mul(step);
        }
        let (year, month, day) = civil(micros.div_euclid(MICROS_OF_DAY));
        let clock = micros.rem_euclid(MICROS_OF_DAY);
        let seconds = clock / MICROS_OF_SECOND;
        let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " (BC)") };
        let mut offset = String::new();
        if self.zone_sign != 0 {
            if !(0..=ZONE_HOURS_MAX).contains(&self.zone_hours) || !(0..60).contains(&self.zone_minutes) {
                let message = format!("time zone displacement out of range: \"{source}\"");
                return Err(Failure::new("22009", message));
            }
            let sign = if self.zone_sign < 0 { '-' } else { '+' };
            offset = format!("{sign}{:02}:{:02}", self.zone_hours, self.zone_minutes);
        }
        Ok(Value::Text(format!(
            "{shown:04}-{month:02}-{day:02}{era} {:02}:{:02}:{:02}.{:06}{offset}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            clock % MICROS_OF_SECOND
        )))
    }
}

fn out_of_range<T>(source: &str) -> Outcome<T> {
    Err(Failure::new("22008", format!("date/time field value out of range: \"{source}\"")))
}
