//! Errors of values: not of a type's form, or outside its range.

use super::{
    DECIMAL_OVERFLOW, Fault, INVALID_ARGUMENT_FOR_LOGARITHM, INVALID_ARGUMENT_FOR_POWER,
    text::{between, postgres_type},
};
use crate::wire::error::{PgError, SqlState};

pub(super) fn conversion(fault: &Fault<'_>) -> PgError {
    if let Some(raised) = super::raised(fault.message) {
        return raised;
    }
    if let Some(to) =
        fault.message.strip_prefix("Failed to cast decimal value ").and_then(|m| m.split_once(" to type "))
    {
        return out_of_type(to.1.trim());
    }
    string(fault).or_else(|| date_or_time(fault)).or_else(|| number(fault)).unwrap_or_else(|| {
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, fault.plain("a value cannot be converted"))
    })
}

/// `Could not convert string 'abc' to INT32 when casting from source column b`
fn string(fault: &Fault<'_>) -> Option<PgError> {
    let rest = fault.message.strip_prefix("Could not convert string ")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    // The value may hold anything: its end is the last quote before ` to TYPE`.
    let (value, to) = rest.get(1..)?.rsplit_once(&format!("{quote} to "))?;
    let to = to.split(" when casting").next()?.trim();
    // A UUID is 16 bytes to DuckDB; a HUGEINT has no name in Postgres.
    let name = if to == "INT128" { "uuid".to_owned() } else { postgres_type(to) };
    let number = value.trim();
    let whole = number.strip_prefix(['-', '+']).unwrap_or(number);
    let numeric = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric && matches!(name.as_str(), "smallint" | "integer" | "bigint") {
        let message = format!("value \"{value}\" is out of range for type {name}");
        return Some(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    if numeric && name == "numeric" {
        return Some(numeric_overflow(to));
    }
    let state =
        if name == "interval" { SqlState::INVALID_DATETIME_FORMAT } else { SqlState::INVALID_TEXT_REPRESENTATION };
    Some(PgError::new(state, format!("invalid input syntax for type {name}: \"{value}\"")))
}

/// `2020-2-30` as Postgres writes it: months and days have two digits.
fn padded_date(date: &str) -> String {
    let sign = if date.starts_with('-') { "-" } else { "" };
    let parts: Vec<&str> = date.trim_start_matches('-').split('-').collect();
    match parts.as_slice() {
        [year, month, day] => format!("{sign}{year}-{month:0>2}-{day:0>2}"),
        _ => date.to_owned(),
    }
}

/// `10:5:100.100000` as Postgres writes it.
fn padded_time(time: &str) -> String {
    let parts: Vec<&str> = time.split(':').collect();
    match parts.as_slice() {
        [hour, minute, second] => {
            let second = second.trim_end_matches('0').trim_end_matches('.');
            format!("{hour}:{minute:0>2}:{second:0>2}")
        }
        _ => time.to_owned(),
    }
}

/// `Type INT32 with value 2202020-10-05 …`: a date is a number of 32 bits to the engine.
fn looks_like_date(message: &str) -> bool {
    between(message, "with value ", " can't").is_some_and(|value| value.trim_start_matches('-').contains('-'))
}

pub(super) fn date_or_time(fault: &Fault<'_>) -> Option<PgError> {
    let form = |name: &str, value: &str| {
        PgError::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid input syntax for type {name}: \"{value}\""))
    };
    let range = |value: &str| {
        let message = format!("date/time field value out of range: \"{value}\"");
        PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
    };
    let looks_like_time = |value: &str| value.contains(':') && value.starts_with(|c: char| c.is_ascii_digit());
    for name in ["date", "timestamp"] {
        if let Some(value) = fault.between(&format!("invalid {name} field format: \""), "\", expected") {
            return Some(form(name, value));
        }
    }
    if let Some(value) = fault.between("time field value out of range: \"", "\", expected format is ([YYYY") {
        return Some(if looks_like_time(value) { range(value) } else { form("time", value) });
    }
    if fault.has("field value out of range: \"") {
        let value = fault.between("field value out of range: \"", "\"")?;
        return Some(range(value));
    }
    if fault.message.ends_with("Date out of range") {
        return Some(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range"));
    }
    if let Some(value) = fault.between("Date out of range: ", "\u{0}") {
        return Some(PgError::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date field value out of range: {}", padded_date(value)),
        ));
    }
    if let Some(value) = fault.between("Time out of range: ", "\u{0}") {
        let message = format!("time field value out of range: {}", padded_time(value));
        return Some(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    if fault.has("can't be cast to the destination type INT64") && looks_like_date(fault.message) {
        return Some(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp"));
    }
    if let Some(unit) = fault.between("extract specifier \"", "\" not recognized") {
        return Some(PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("unit \"{unit}\" not recognized")));
    }
    let stamp = ["Epoch seconds out of range", "Could not convert Timestamp", "Date and time not in timestamp range"];
    let stamp = stamp.iter().any(|part| fault.has(part));
    if stamp || fault.has("imestamp") && fault.has("out of range") {
        return Some(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range"));
    }
    None
}

fn number(fault: &Fault<'_>) -> Option<PgError> {
    if let Some(to) = fault.between("out of range for the destination type ", "\u{0}") {
        return Some(out_of_type(to.split(" when casting").next()?));
    }
    if fault.has("Could not cast value ") || fault.has("Casting value ") {
        let to = between(fault.message, " to ", "\u{0}")?;
        return Some(numeric_overflow(to.split(" when casting").next()?));
    }
    if let Some(pair) = fault.between("Unimplemented type for cast (", ")\u{1}").or_else(|| cast_pair(fault.message)) {
        let (from, to) = pair.rsplit_once(" -> ")?;
        let (from, to) = (postgres_type(from), postgres_type(to));
        return Some(PgError::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {to}")));
    }
    if fault.has("Malformed JSON") {
        return Some(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json"));
    }
    if fault.has("string -> blob conversion") {
        return Some(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
    }
    None
}

fn cast_pair(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("Unimplemented type for cast (")?;
    let rest = rest.split(" when casting").next()?;
    rest.strip_suffix(')')
}

/// A value is outside the range of a type.
pub(super) fn out_of_type(to: &str) -> PgError {
    let to = to.split(" when casting").next().unwrap_or(to);
    let name = postgres_type(to);
    let message = match name.as_str() {
        "real" | "double precision" => "value out of range: overflow".to_owned(),
        "numeric" => return numeric_overflow(to),
        _ => format!("{name} out of range"),
    };
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

fn numeric_overflow(to: &str) -> PgError {
    let error = PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    let parts = between(to, "DECIMAL(", ")").and_then(|p| p.split_once(','));
    let parsed = parts.and_then(|(p, s)| Some((p.trim().parse::<i32>().ok()?, s.trim().parse::<i32>().ok()?)));
    match parsed {
        Some((precision, scale)) => error.detail(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{}.",
            precision - scale
        )),
        None => error,
    }
}

/// `Out of Range`
pub(super) fn out_of_range(fault: &Fault<'_>) -> PgError {
    if fault.has("square root") {
        return PgError::new(INVALID_ARGUMENT_FOR_POWER, fault.plain("cannot take square root of a negative number"));
    }
    if fault.has("logarithm") {
        return PgError::new(INVALID_ARGUMENT_FOR_LOGARITHM, fault.plain("cannot take logarithm"));
    }
    if fault.has("Cannot create a string of size") {
        return PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    }
    if fault.has("PRECEDING value") || fault.has("FOLLOWING value") {
        return PgError::new(SqlState("22013"), "invalid preceding or following size in window function");
    }
    if fault.has("Overflow") || fault.has("out of range") {
        let of = fault.between(" of INT", " (").map(|bits| format!("INT{bits}"));
        return match of.as_deref() {
            Some(integer @ ("INT8" | "INT16" | "INT32" | "INT64")) => out_of_type(integer),
            _ if fault.has("DECIMAL") || fault.has("HUGEINT") || fault.has("INT128") => {
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, DECIMAL_OVERFLOW)
            }
            _ => date_or_time(fault)
                .unwrap_or_else(|| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range")),
        };
    }
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, fault.plain("value out of range"))
}
