//! `money`: hundredths in 64 bits, as `cash.c` reads and writes them where `lc_monetary` is `C`.

use super::super::error::{invalid_syntax, is_space, out_of_range};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Digits behind the point.
const PLACES: usize = 2;

/// `cash_in`.
pub(crate) fn parse(text: &[u8]) -> PgResult<i64> {
    let mut rest = skip(text);
    rest = skip(rest.strip_prefix(b"$").unwrap_or(rest));
    let mut negative = false;
    if let [first @ (b'-' | b'(' | b'+'), tail @ ..] = rest {
        negative = *first != b'+';
        rest = tail;
    }
    rest = skip(rest);
    rest = skip(rest.strip_prefix(b"$").unwrap_or(rest));
    // Negative numbers reach further: the value is built as one.
    let mut value = 0_i64;
    let (mut point, mut places) = (false, 0);
    let range = || out_of_range("money", text);
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' if !point || places < PLACES => {
                let digit = i64::from(byte - b'0');
                value = value.checked_mul(10).and_then(|v| v.checked_sub(digit)).ok_or_else(range)?;
                places += usize::from(point);
            }
            b'.' if !point => point = true,
            b',' => {}
            _ => break,
        }
        rest = tail;
    }
    if matches!(rest, [b'5'..=b'9', ..]) {
        value = value.checked_sub(1).ok_or_else(range)?;
    }
    for _ in places..PLACES {
        value = value.checked_mul(10).ok_or_else(range)?;
    }
    while let [b'0'..=b'9', tail @ ..] = rest {
        rest = tail;
    }
    while let [byte, tail @ ..] = rest {
        match byte {
            b')' | b'+' | b'$' => {}
            b if is_space(*b) => {}
            b'-' => negative = true,
            _ => return Err(invalid_syntax("money", text)),
        }
        rest = tail;
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or_else(range) }
}

fn skip(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    text
}

/// `$1,234.56`, `-$0.05`.
pub(crate) fn text(cents: i64) -> String {
    let size = cents.unsigned_abs();
    let whole = (size / 100).to_string();
    let mut out = String::with_capacity(whole.len() * 2 + 5);
    out.push_str(if cents < 0 { "-$" } else { "$" });
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&format!(".{:02}", size % 100));
    out
}

/// `12.34`: how the engine and the lake have it.
pub(crate) fn plain(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let size = cents.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

/// The hundredths of a plain text with two places.
pub(crate) fn cents(plain: &str) -> PgResult<i64> {
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "00"));
    format!("{whole}{fraction:0<2}").parse().map_err(|_| range())
}

pub(crate) fn range() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "money out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (input, expect) in [
            ("1234.56", "$1,234.56"),
            ("$1,234.56", "$1,234.56"),
            ("-$1,234.567", "-$1,234.57"),
            ("($12)", "-$12.00"),
            ("12.3-", "-$12.30"),
            ("", "$0.00"),
            (" $ - 5 ", "-$5.00"),
            ("0.995", "$1.00"),
            ("92233720368547758.07", "$92,233,720,368,547,758.07"),
            ("-92233720368547758.08", "-$92,233,720,368,547,758.08"),
        ] {
            assert_eq!(text(parse(input.as_bytes()).unwrap()), expect, "{input}");
        }
        let error = |t: &str| parse(t.as_bytes()).unwrap_err().to_string();
        assert_eq!(error("abc"), "22P02: invalid input syntax for type money: \"abc\"");
        assert_eq!(
            error("92233720368547758.08"),
            "22003: value \"92233720368547758.08\" is out of range for type money"
        );
        assert_eq!(cents(&plain(-5)).unwrap(), -5);
    }
}
