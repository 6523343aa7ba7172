//! `to_date` and `to_timestamp`: a text read by a template.

use super::*;

/// What was read by `to_timestamp`.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    julian: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    afternoon: Option<bool>,
    twelve: bool,
    before_christ: bool,
    offset: Option<(i64, i64)>,
}

/// `to_timestamp(text, template)` as text: with an offset only where the template reads one.
pub fn parse_time(args: &[Option<&str>]) -> Outcome<Value> {
    let (source, template) = (text(args, 0), text(args, 1));
    let mut read = Read::default();
    let mut rest = source;
    let pieces = pieces(template);
    for (n, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(c) => {
                if c.is_whitespace() || !c.is_alphanumeric() {
                    // Separators match any, or none.
                    rest = rest.trim_start_matches(char::is_whitespace);
                    let separator = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
                    let sign = rest.starts_with(['+', '-']) && next_is_zone(&pieces, n);
                    if !sign {
                        rest = rest.strip_prefix(separator).unwrap_or(rest);
                    }
                } else {
                    rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
                }
            }
            Piece::Word { name, fill, .. } => {
                rest = rest.trim_start_matches(char::is_whitespace);
                let open = *fill || !takes_digits(pieces.get(n + 1));
                rest = read_word(&mut read, name, rest, open)?;
            }
        }
    }
    assembled(&read, source)
}

/// Whether a word that reads digits stands here: the one before then takes its own number of them only.
fn takes_digits(piece: Option<&Piece>) -> bool {
    let Some(Piece::Word { name, .. }) = piece else { return false };
    name.starts_with(['Y', 'M', 'D', 'H', 'S', 'U', 'F', 'J', 'I']) && !matches!(*name, "MONTH" | "MON" | "DAY" | "DY")
}

fn next_is_zone(pieces: &[Piece], at: usize) -> bool {
    matches!(pieces.get(at + 1), Some(Piece::Word { name: "TZH" | "OF", .. }))
}

/// The longest name that the text begins with.
fn named<'a>(rest: &'a str, names: &[&str], length: Option<usize>, what: &str) -> Outcome<(i64, &'a str)> {
    let lower = rest.to_lowercase();
    for (n, name) in names.iter().enumerate() {
        let name = length.map_or(*name, |l| name.get(..l).unwrap_or(name)).to_lowercase();
        if lower.starts_with(&name) {
            return Ok((i64::try_from(n).unwrap_or(0), rest.get(name.len()..).unwrap_or_default()));
        }
    }
    let shown: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
    Err(Failure::new("22007", format!("invalid value \"{shown}\" for \"{what}\"")))
}

fn read_word<'a>(read: &mut Read, name: &str, rest: &'a str, open: bool) -> Outcome<&'a str> {
    match name {
        "MONTH" | "MON" => {
            let (n, rest) = named(rest, &MONTHS, (name == "MON").then_some(3), name)?;
            read.month = Some(n + 1);
            return Ok(rest);
        }
        "DAY" | "DY" => return Ok(named(rest, &DAYS, (name == "DY").then_some(3), name)?.1),
        "RM" => {
            let mut longest: Vec<(usize, &str)> = ROMAN.iter().copied().enumerate().collect();
            longest.sort_by_key(|(_, r)| std::cmp::Reverse(r.len()));
            let upper = rest.to_uppercase();
            let Some((n, roman)) = longest.into_iter().find(|(_, r)| upper.starts_with(r)) else {
                return Err(Failure::new("22007", format!("invalid value \"{rest}\" for \"RM\"")));
            };
            read.month = Some(i64::try_from(n + 1).unwrap_or(0));
            return Ok(rest.get(roman.len()..).unwrap_or_default());
        }
        "AM" | "PM" | "A.M." | "P.M." => {
            let (n, rest) = named(rest, &["a.m.", "p.m.", "am", "pm"], None, name)?;
            read.afternoon = Some(n % 2 == 1);
            return Ok(rest);
        }
        "AD" | "BC" | "A.D." | "B.C." => {
            let (n, rest) = named(rest, &["a.d.", "b.c.", "ad", "bc"], None, name)?;
            read.before_christ = n % 2 == 1;
            return Ok(rest);
        }
        "TZ" | "OF" => {
            return Err(Failure::new("0A000", format!("formatting field \"{name}\" is only supported in to_char")));
        }
        "TZH" => {
            let (sign, digits) = match rest.strip_prefix('-') {
                Some(rest) => (-1, rest),
                None => (1, rest.strip_prefix('+').unwrap_or(rest)),
            };
            let (n, rest) = digits_of(digits, 2, open, name)?;
            read.offset = Some((sign, n.1 * 3600));
            return Ok(rest);
        }
        _ => {}
    }
    let width = match name {
        "Y,YYY" => return comma_year(read, rest),
        "YYYY" | "IYYY" | "HH24" | "HH12" | "SSSSS" | "SSSS" | "IDDD" | "J" => match name {
            "YYYY" | "IYYY" => 4,
            "SSSSS" | "SSSS" => 5,
            "IDDD" => 3,
            "J" => 9,
            _ => 2,
        },
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => name.get(2..).and_then(|d| d.parse().ok()).unwrap_or(6),
        "MS" => 3,
        "US" => 6,
        other => other.len().min(3),
    };
    let ((length, n), rest) = digits_of(rest, width, open, name)?;
    match name {
        "YYYY" => read.year = Some(n),
        "YYY" | "YY" | "Y" => {
            read.year = Some(match (n, name.len()) {
                _ if length > name.len() => n,
                (n, _) if n < 70 => n + 2000,
                (n, _) if n < 100 => n + 1900,
                (n, _) if n < 520 => n + 2000,
                (n, _) if n < 1000 => n + 1000,
                (n, _) => n,
            });
        }
        "IYYY" => read.iso_year = Some(n),
        "IYY" | "IY" | "I" => read.iso_year = Some(n + 2000),
        "MM" => read.month = Some(n),
        "DD" => read.day = Some(n),
        "DDD" => read.day_of_year = Some(n),
        "J" => read.julian = Some(n),
        "IW" => read.iso_week = Some(n),
        "ID" => read.iso_day = Some(n),
        "HH24" => read.hour = n,
        "HH" | "HH12" => {
            read.hour = n;
            read.twelve = true;
            if !(1..=12).contains(&n) {
                return Err(Failure::new("22007", format!("hour \"{n}\" is invalid for the 12-hour clock")));
            }
        }
        "MI" => read.minute = n,
        "SS" => read.second = n,
        "SSSS" | "SSSSS" => (read.hour, read.minute, read.second) = (n / 3600, n / 60 % 60, n % 60),
        "MS" => read.micro += n * 1000 * [100, 10, 1].get(length.saturating_sub(1)).copied().unwrap_or(1),
        "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let zeros = u32::try_from(6usize.saturating_sub(length)).unwrap_or(0);
            read.micro += n * 10i64.pow(zeros);
        }
        "TZM" => {
            if let Some((_, seconds)) = &mut read.offset {
                *seconds += n * 60;
            }
        }
        // Weeks and quarters say nothing that is used.
        _ => {}
    }
    Ok(rest)
}

fn comma_year<'a>(read: &mut Read, rest: &'a str) -> Outcome<&'a str> {
    let Some((thousands, after)) = rest.split_once(',') else {
        return Err(Failure::new("22007", format!("invalid input string for \"Y,YYY\": \"{rest}\"")));
    };
    let ((_, n), rest) = digits_of(after, 3, false, "Y,YYY")?;
    read.year = Some(thousands.trim().parse::<i64>().unwrap_or(0) * 1000 + n);
    Ok(rest)
}

/// Digits: all where nothing follows that could take them, else so many.
fn digits_of<'a>(rest: &'a str, width: usize, open: bool, name: &str) -> Outcome<((usize, i64), &'a str)> {
    let negative = rest.starts_with('-') && matches!(name, "YYYY");
    let unsigned = if negative { rest.get(1..).unwrap_or_default() } else { rest };
    let all = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let fraction = matches!(name, "MS" | "US") || name.starts_with("FF");
    let taken = if open && !fraction { all } else { all.min(width) };
    let value = unsigned.get(..taken).and_then(|d| d.parse::<i64>().ok());
    let Some(value) = value.filter(|v| *v <= i64::from(i32::MAX)) else {
        let shown: String = rest.chars().take(width).collect();
        return Err(Failure::new("22007", format!("invalid value \"{shown}\" for \"{name}\"")));
    };
    Ok(((taken, if negative { -value } else { value }), unsigned.get(taken..).unwrap_or_default()))
}

fn assembled(read: &Read, source: &str) -> Outcome<Value> {
    let range = || Failure::new("22008", format!("date/time field value out of range: \"{source}\""));
    let mut hour = read.hour;
    match read.afternoon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ if read.twelve && hour == 12 && read.afternoon.is_none() => hour = 0,
        _ => {}
    }
    let year = match read.year {
        Some(y) if read.before_christ && y > 0 => 1 - y,
        Some(y) if y < 0 => y + 1,
        Some(y) => y,
        None => 0,
    };
    let (mut month, mut day) = (read.month.unwrap_or(1), read.day.unwrap_or(1));
    let mut at_year = year;
    if let Some(n) = read.julian {
        (at_year, month, day) = civil(n - 2_440_588);
    } else if let Some(iso_year) = read.iso_year {
        let first = days_of(iso_year, 1, 4);
        let first = first - (first + 3).rem_euclid(7);
        let days = first + (read.iso_week.unwrap_or(1) - 1) * 7 + read.iso_day.unwrap_or(1) - 1;
        (at_year, month, day) = civil(days);
    } else if let (Some(n), None) = (read.day_of_year, read.month) {
        (at_year, month, day) = civil(days_of(year, 1, 1) + n - 1);
    }
    let valid = (1..=12).contains(&month)
        && day >= 1
        && civil(days_of(at_year, month, day)) == (at_year, month, day)
        && hour < 24
        && read.minute < 60
        && read.second < 60;
    if !valid {
        return Err(range());
    }
    let (shown, era) = if at_year > 0 { (at_year, "") } else { (1 - at_year, " (BC)") };
    let offset = read.offset.map_or_else(String::new, |(sign, seconds)| {
        let sign = if sign < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    });
    Ok(Value::Text(format!(
        "{shown:04}-{month:02}-{day:02}{era} {hour:02}:{:02}:{:02}.{:06}{offset}",
        read.minute, read.second, read.micro
    )))
}
