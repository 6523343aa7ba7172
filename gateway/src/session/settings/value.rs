//! Values of settings: read as PostgreSQL 15 reads them, and written as its `SHOW` does.

use super::registry::{Definition, Kind, Unit};
use crate::wire::error::{PgError, PgResult, SqlState};

/// `invalid value for parameter "x": "y"`.
#[must_use]
pub fn invalid(name: &str, value: &str) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": \"{value}\""))
}

/// Checks a value and gives its normal form: base units for numbers, the listed word for enums.
pub fn check(definition: &Definition, value: &str) -> PgResult<String> {
    let name = definition.name;
    match &definition.kind {
        Kind::Bool => match boolean(value) {
            Some(true) => Ok("on".into()),
            Some(false) => Ok("off".into()),
            None => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{name}\" requires a Boolean value"),
            )),
        },
        Kind::Integer { min, max, unit } => integer(name, value, *min, *max, *unit),
        Kind::Real { min, max, unit } => real(name, value, *min, *max, *unit),
        Kind::Enum(values) => word(name, value, values),
        Kind::Text => super::text::check(name, value),
    }
}

/// The value as `SHOW` writes it.
#[must_use]
pub fn show(definition: &Definition, value: &str) -> String {
    if let Some(mode) = mode(definition, value) {
        return mode;
    }
    match &definition.kind {
        Kind::Integer { unit, .. } => match value.parse::<i64>() {
            Ok(number) if number > 0 => in_best_unit(number, *unit),
            _ => value.to_owned(),
        },
        Kind::Real { unit, .. } => match value.parse::<f64>() {
            Ok(number) if number > 0.0 && *unit != Unit::None => real_in_best_unit(number, *unit),
            _ => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// The value as `pg_settings` writes it: numbers in the base unit.
#[must_use]
pub fn plain(definition: &Definition, value: &str) -> String {
    mode(definition, value).unwrap_or_else(|| value.to_owned())
}

/// Permissions of files: numbers that are shown in base eight.
fn mode(definition: &Definition, value: &str) -> Option<String> {
    let modes = ["data_directory_mode", "log_file_mode", "unix_socket_permissions"];
    let number = modes.contains(&definition.name).then(|| value.parse::<u32>().ok())??;
    Some(format!("{number:04o}"))
}

/// Postgres' `parse_bool`: any beginning of a word that can mean only one of them.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    if text.is_empty() {
        return None;
    }
    let begins = |word: &str| word.starts_with(&text);
    match text.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        "o" => None,
        _ if begins("true") || begins("yes") || begins("on") => Some(true),
        _ if begins("false") || begins("no") || begins("off") => Some(false),
        _ => None,
    }
}

fn word(name: &str, value: &str, values: &[&'static str]) -> PgResult<String> {
    if let Some(known) = values.iter().find(|v| v.eq_ignore_ascii_case(value)) {
        return Ok((*known).to_owned());
    }
    // Words that Postgres takes and does not list.
    let lower = value.to_ascii_lowercase();
    let hidden = match name {
        "client_min_messages" => match lower.as_str() {
            "info" => Some("info"),
            "debug" => Some("debug2"),
            _ => None,
        },
        _ if values.contains(&"on") && values.contains(&"off") => match lower.as_str() {
            "true" | "yes" | "1" => Some("on"),
            "false" | "no" | "0" => Some("off"),
            _ => None,
        },
        _ => None,
    };
    hidden
        .map(str::to_owned)
        .ok_or_else(|| invalid(name, value).hint(format!("Available values: {}.", values.join(", "))))
}

fn integer(name: &str, value: &str, min: i32, max: i32, unit: Unit) -> PgResult<String> {
    let number = number(name, value, unit)?.round_ties_even();
    if number > f64::from(i32::MAX) || number < f64::from(i32::MIN) {
        return Err(invalid(name, value).hint("Value exceeds integer range."));
    }
    if number < f64::from(min) || number > f64::from(max) {
        return Err(out_of_range(name, &format!("{number}"), unit, &min.to_string(), &max.to_string()));
    }
    // Adding zero makes a negative zero positive.
    Ok(format!("{}", number + 0.0))
}

fn real(name: &str, value: &str, min: f64, max: f64, unit: Unit) -> PgResult<String> {
    let number = number(name, value, unit)?;
    if number < min || number > max {
        return Err(out_of_range(name, &six_digits(number), unit, &six_digits(min), &six_digits(max)));
    }
    Ok(six_digits(number + 0.0))
}

fn out_of_range(name: &str, value: &str, unit: Unit, min: &str, max: &str) -> PgError {
    let unit = match unit {
        Unit::None => String::new(),
        unit => format!(" {}", unit_name(unit)),
    };
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{value}{unit} is outside the valid range for parameter \"{name}\" ({min} .. {max})"),
    )
}

/// A number with an optional unit, in the setting's base unit.
fn number(name: &str, value: &str, unit: Unit) -> PgResult<f64> {
    let text = value.trim_start();
    let (number, rest) = split_number(text).ok_or_else(|| invalid(name, value))?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(number);
    }
    if unit == Unit::None {
        return Err(invalid(name, value));
    }
    let factor = factors(unit)
        .iter()
        .find(|(word, _)| *word == rest)
        .map(|(_, factor)| *factor)
        .ok_or_else(|| invalid(name, value).hint(units_hint(unit)))?;
    Ok(number * factor)
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let (number, rest) = hex.split_at(end);
        return Some((sign * i64::from_str_radix(number, 16).ok()? as f64, rest));
    }
    let bytes = digits.as_bytes();
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while is_digit(end) || bytes.get(end) == Some(&b'.') {
        end += 1;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if is_digit(exponent) {
            end = exponent;
            while is_digit(end) {
                end += 1;
            }
        }
    }
    let (number, rest) = digits.split_at(end);
    // A leading zero means octal to strtol, which Postgres uses.
    let octal = number.len() > 1 && number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    let number = if octal { i64::from_str_radix(number, 8).ok()? as f64 } else { number.parse::<f64>().ok()? };
    Some((sign * number, rest))
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Byte => "B",
        Unit::Kilobyte => "kB",
        Unit::Block => "8kB",
        Unit::Megabyte => "MB",
        Unit::Millisecond => "ms",
        Unit::Second => "s",
        Unit::Minute => "min",
    }
}

/// Units a value may have, greatest first, and how many base units each is.
fn factors(unit: Unit) -> &'static [(&'static str, f64)] {
    const KIB: f64 = 1024.0;
    match unit {
        Unit::None => &[],
        Unit::Byte => {
            &[("TB", KIB * KIB * KIB * KIB), ("GB", KIB * KIB * KIB), ("MB", KIB * KIB), ("kB", KIB), ("B", 1.0)]
        }
        Unit::Kilobyte => &[("TB", KIB * KIB * KIB), ("GB", KIB * KIB), ("MB", KIB), ("kB", 1.0), ("B", 1.0 / KIB)],
        Unit::Block => &[
            ("TB", KIB * KIB * KIB / 8.0),
            ("GB", KIB * KIB / 8.0),
            ("MB", KIB / 8.0),
            ("kB", 1.0 / 8.0),
            ("B", 1.0 / KIB / 8.0),
        ],
        Unit::Megabyte => &[("TB", KIB * KIB), ("GB", KIB), ("MB", 1.0), ("kB", 1.0 / KIB), ("B", 1.0 / KIB / KIB)],
        Unit::Millisecond => {
            &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)]
        }
        Unit::Second => &[("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001), ("us", 0.000_001)],
        Unit::Minute => &[
            ("d", 1440.0),
            ("h", 60.0),
            ("min", 1.0),
            ("s", 1.0 / 60.0),
            ("ms", 1.0 / 60_000.0),
            ("us", 1.0 / 60_000_000.0),
        ],
    }
}

fn units_hint(unit: Unit) -> &'static str {
    match unit {
        Unit::Millisecond | Unit::Second | Unit::Minute => {
            "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"."
        }
        _ => "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
    }
}

/// The greatest unit of which the value is a whole number.
fn in_best_unit(number: i64, unit: Unit) -> String {
    for (name, factor) in factors(unit) {
        if *factor < 1.0 {
            // 8 kB blocks: every count of them is a whole number of kilobytes.
            return format!("{}{name}", number as f64 / factor);
        }
        let factor = *factor as i64;
        if number % factor == 0 {
            return format!("{}{name}", number / factor);
        }
    }
    number.to_string()
}

fn real_in_best_unit(number: f64, unit: Unit) -> String {
    for (name, factor) in factors(unit) {
        let value = number / factor;
        if (value.round_ties_even() / value - 1.0).abs() <= 1e-8 {
            return format!("{}{name}", six_digits(value));
        }
    }
    format!("{}{}", six_digits(number), unit_name(unit))
}

/// C's `%g`: six significant digits.
fn six_digits(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let scientific = format!("{number:.5e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return number.to_string();
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        trim(&format!("{number:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    }
}
