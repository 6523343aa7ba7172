//! Booleans, integers and floating point numbers from text.

use super::error::{invalid_syntax, is_space, out_of_range, trim};
use crate::wire::error::{PgError, PgResult, SqlState};

/// `boolin`: any unambiguous beginning of true, false, yes, no, on, off; 1 and 0.
pub(super) fn parse_bool(text: &[u8]) -> PgResult<bool> {
    let word = trim(text);
    let begins = |full: &str, least: usize| {
        word.len() >= least && full.as_bytes().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || word == b"1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == b"0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", text))
    }
}

/// `int2in`, `int4in`, `int8in`: the value as i64, checked against `min` and `max`.
#[inline]
pub(super) fn parse_integer(text: &[u8], min: i64, max: i64, type_name: &str) -> PgResult<i64> {
    // Up to 18 digits cannot overflow: the whole of what data files hold.
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return parse_integer_slowly(text, min, max, type_name);
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return parse_integer_slowly(text, min, max, type_name);
        }
        value = value * 10 + i64::from(digit);
    }
    let value = if negative { -value } else { value };
    if value < min || value > max {
        return Err(out_of_range(type_name, text));
    }
    Ok(value)
}

/// `oidin`: a negative number stands for its bits.
pub(super) fn parse_oid(text: &[u8]) -> PgResult<i64> {
    let value = parse_integer_slowly(text, i64::MIN, i64::MAX, "oid")?;
    match value {
        0.. if u32::try_from(value).is_ok() => Ok(value),
        ..0 => i32::try_from(value).map(|value| value.cast_unsigned().into()).map_err(|_| out_of_range("oid", text)),
        _ => Err(out_of_range("oid", text)),
    }
}

fn parse_integer_slowly(text: &[u8], min: i64, max: i64, type_name: &str) -> PgResult<i64> {
    let mut rest = text;
    while let [first, tail @ ..] = rest
        && is_space(*first)
    {
        rest = tail;
    }
    let mut negative = false;
    if let [sign @ (b'-' | b'+'), tail @ ..] = rest {
        negative = *sign == b'-';
        rest = tail;
    }
    let mut value = 0_i64;
    let mut seen = false;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        // Negative numbers reach further: count downwards.
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_sub(i64::from(digit - b'0')))
            .filter(|v| *v >= min)
            .ok_or_else(|| out_of_range(type_name, text))?;
        seen = true;
        rest = tail;
    }
    if !seen || !trim(rest).is_empty() {
        return Err(invalid_syntax(type_name, text));
    }
    if negative {
        return Ok(value);
    }
    value.checked_neg().filter(|v| *v <= max).ok_or_else(|| out_of_range(type_name, text))
}

/// A floating point type as its input function knows it.
pub(super) trait Float: std::str::FromStr + Copy {
    const TYPE_NAME: &'static str;
    fn is_zero(self) -> bool;
    fn is_infinite(self) -> bool;
    fn from_f64(value: f64) -> Self;
}

impl Float for f32 {
    const TYPE_NAME: &'static str = "real";
    fn is_zero(self) -> bool {
        self == 0.0
    }
    fn is_infinite(self) -> bool {
        f32::is_infinite(self)
    }
    #[allow(clippy::cast_possible_truncation)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Float for f64 {
    const TYPE_NAME: &'static str = "double precision";
    fn is_zero(self) -> bool {
        self == 0.0
    }
    fn is_infinite(self) -> bool {
        f64::is_infinite(self)
    }
    fn from_f64(value: f64) -> Self {
        value
    }
}

/// `float4in`, `float8in`.
pub(super) fn parse_float<F: Float>(text: &[u8]) -> PgResult<F> {
    let word = trim(text);
    let value: F = std::str::from_utf8(word)
        .ok()
        .and_then(|word| word.parse().ok().or_else(|| hexadecimal(word).map(F::from_f64)))
        .ok_or_else(|| invalid_syntax(F::TYPE_NAME, text))?;
    let named = word.iter().any(|b| matches!(b, b'n' | b'N'));
    let mantissa = word.split(|b| matches!(b, b'e' | b'E')).next().unwrap_or_default();
    let underflow = value.is_zero() && mantissa.iter().any(|b| matches!(b, b'1'..=b'9'));
    if (value.is_infinite() && !named) || underflow {
        return Err(PgError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("\"{}\" is out of range for type {}", String::from_utf8_lossy(word), F::TYPE_NAME),
        ));
    }
    Ok(value)
}

/// `0x1.8p3`, which strtod() takes: up to 53 bits.
fn hexadecimal(word: &str) -> Option<f64> {
    let (negative, rest) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let rest = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))?;
    let (digits, exponent) = rest.split_once(['p', 'P']).unwrap_or((rest, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > 13 {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()? * 4)?;
    let value = value * 2.0_f64.powi(shift);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let int4 = |s: &str| parse_integer(s.as_bytes(), i32::MIN.into(), i32::MAX.into(), "integer");
        for (text, value) in [("0", 0), (" 12 ", 12), ("+5", 5), ("-0", 0), ("-2147483648", -2_147_483_648)] {
            assert_eq!(int4(text).ok(), Some(value), "{text}");
        }
        for (text, message) in [
            ("", "22P02: invalid input syntax for type integer: \"\""),
            ("1 2", "22P02: invalid input syntax for type integer: \"1 2\""),
            ("-", "22P02: invalid input syntax for type integer: \"-\""),
            ("2147483648", "22003: value \"2147483648\" is out of range for type integer"),
            ("99999999999x", "22003: value \"99999999999x\" is out of range for type integer"),
        ] {
            assert_eq!(int4(text).unwrap_err().to_string(), message);
        }
        let int8 = |s: &str| parse_integer(s.as_bytes(), i64::MIN, i64::MAX, "bigint");
        assert_eq!(int8("-9223372036854775808").ok(), Some(i64::MIN));
        assert_eq!(int8("9223372036854775807").ok(), Some(i64::MAX));
        assert!(int8("9223372036854775808").is_err());
    }

    #[test]
    fn booleans() {
        for (text, value) in [("t", true), ("YES ", true), ("on", true), ("1", true), ("of", false), ("n", false)] {
            assert_eq!(parse_bool(text.as_bytes()).ok(), Some(value), "{text}");
        }
        for text in ["", "o", "10", "truee"] {
            assert!(parse_bool(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn floats() {
        assert_eq!(parse_float::<f64>(b" 1.5 ").ok(), Some(1.5));
        assert_eq!(parse_float::<f64>(b"-inf").ok(), Some(f64::NEG_INFINITY));
        assert!(parse_float::<f64>(b"NaN").is_ok_and(f64::is_nan));
        for (text, message) in [
            ("1e400", "22003: \"1e400\" is out of range for type double precision"),
            ("1e-400", "22003: \"1e-400\" is out of range for type double precision"),
            (" 1.5x", "22P02: invalid input syntax for type double precision: \" 1.5x\""),
            ("", "22P02: invalid input syntax for type double precision: \"\""),
        ] {
            assert_eq!(parse_float::<f64>(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
