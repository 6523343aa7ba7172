//! `numeric(p,s)` as a scaled 128-bit integer: from text and binary, and its binary form.

use bytes::{BufMut, BytesMut};

use super::error::{invalid_syntax, trim};
use super::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Powers of ten that fit.
const POW10: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Digits of an exponent that is taken; Postgres refuses beyond this too.
const EXPONENT_MAX: i64 = (i32::MAX / 2) as i64;
/// Postgres' own limit of digits before the point.
const WEIGHT_MAX: i64 = 131_072;
const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xC000;
const SIGN_INFINITY: u16 = 0xD000;
const SIGN_NEGATIVE_INFINITY: u16 = 0xF000;

/// 10 to the power of `n`; the largest that fits when `n` is above 38.
pub(super) fn pow10(n: usize) -> i128 {
    POW10.get(n).copied().unwrap_or(POW10[38])
}

/// `numeric_in` with precision and scale: the value times 10^scale.
#[inline]
pub(super) fn parse(text: &[u8], precision: u8, scale: i8) -> PgResult<i128> {
    // Plain digits with a point, all in 18 digits: what data files hold.
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let wanted = usize::try_from(scale).unwrap_or(0);
    if digits.is_empty() || digits.len() > 18 {
        return parse_slowly(text, precision, scale);
    }
    let mut value = 0_i64;
    let mut point = digits.len();
    for (i, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
        } else if *byte == b'.' && point == digits.len() {
            point = i;
        } else {
            return parse_slowly(text, precision, scale);
        }
    }
    let fraction = (digits.len() - point).saturating_sub(1);
    if fraction > wanted || digits.len() == 1 && point == 0 {
        return parse_slowly(text, precision, scale);
    }
    let value = i128::from(if negative { -value } else { value });
    let Some(value) = value.checked_mul(pow10(wanted - fraction)) else {
        return Err(overflow(precision, scale));
    };
    if value.unsigned_abs() >= pow10(precision.into()).unsigned_abs() {
        return Err(overflow(precision, scale));
    }
    Ok(value)
}

/// A number as digits with a power of ten: 0.d1d2d3… × 10^point.
pub(super) struct Decimal {
    pub negative: bool,
    /// Values 0 to 9, without zeros in front.
    pub digits: Vec<u8>,
    /// How many digits stand before the point.
    pub point: i64,
    /// How many digits after the point were written.
    pub scale: i64,
}

/// What text can say of a number.
pub(super) enum Parsed {
    Finite(Decimal),
    NaN,
    Infinity,
}

fn parse_slowly(text: &[u8], precision: u8, scale: i8) -> PgResult<i128> {
    match read(text)? {
        Parsed::Finite(decimal) => round(&decimal, precision, scale),
        Parsed::NaN => Err(nan()),
        Parsed::Infinity => Err(infinity(precision, scale)),
    }
}

fn nan() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "a lake cannot hold NaN as numeric")
        .hint("Use double precision, or NULL.")
}

fn infinity(precision: u8, scale: i8) -> PgError {
    let detail = format!("A field with precision {precision}, scale {scale} cannot hold an infinite value.");
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(detail)
}

/// Reads any number that Postgres takes as numeric.
pub(super) fn read(text: &[u8]) -> PgResult<Parsed> {
    let fail = || invalid_syntax("numeric", text);
    let mut rest = trim(text);
    let mut negative = false;
    let mut signed = false;
    if let [sign @ (b'-' | b'+'), tail @ ..] = rest {
        negative = *sign == b'-';
        signed = true;
        rest = tail;
    }
    if !rest.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.') {
        return match rest.to_ascii_lowercase().as_slice() {
            b"nan" if !signed => Ok(Parsed::NaN),
            b"infinity" | b"inf" => Ok(Parsed::Infinity),
            _ => Err(fail()),
        };
    }
    let mut decimal = Decimal { negative, digits: Vec::with_capacity(rest.len()), point: 0, scale: 0 };
    let (mut seen, mut after_point) = (false, false);
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                decimal.scale += i64::from(after_point);
                if *byte == b'0' && decimal.digits.is_empty() {
                    decimal.point -= i64::from(after_point);
                } else {
                    decimal.digits.push(byte - b'0');
                    decimal.point += i64::from(!after_point);
                }
            }
            b'.' if !after_point => after_point = true,
            _ => break,
        }
        rest = tail;
    }
    if !seen {
        return Err(fail());
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let exponent = read_exponent(tail).ok_or_else(fail)?;
        if exponent.abs() >= EXPONENT_MAX {
            return Err(format_overflow());
        }
        decimal.point += exponent;
        decimal.scale = (decimal.scale - exponent).max(0);
        rest = &[];
    }
    if !rest.is_empty() {
        return Err(fail());
    }
    if decimal.digits.is_empty() {
        decimal.point = 0;
    }
    if decimal.point > WEIGHT_MAX || decimal.scale > 16_383 + WEIGHT_MAX {
        return Err(format_overflow());
    }
    Ok(Parsed::Finite(decimal))
}

/// Digits with a sign and nothing behind them; out of range is its own large number.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX);
    }
    Some(if negative { -value } else { value })
}

fn format_overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// Rounds half away from zero to `scale`, checks against `precision`.
pub(super) fn round(decimal: &Decimal, precision: u8, scale: i8) -> PgResult<i128> {
    let kept = decimal.point + i64::from(scale);
    let mut value = 0_i128;
    let mut position = 0_i64;
    for digit in &decimal.digits {
        if position == kept {
            value += i128::from(*digit >= 5);
        }
        if position >= kept {
            break;
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add((*digit).into()))
            .ok_or_else(|| overflow(precision, scale))?;
        position += 1;
    }
    if value != 0 && position < kept {
        let factor = usize::try_from(kept - position).ok().filter(|n| *n <= 38);
        value = factor.and_then(|n| value.checked_mul(pow10(n))).ok_or_else(|| overflow(precision, scale))?;
    }
    if value >= pow10(precision.into()) {
        return Err(overflow(precision, scale));
    }
    Ok(if decimal.negative { -value } else { value })
}

/// `numeric field overflow`, with Postgres' detail.
#[cold]
pub(super) fn overflow(precision: u8, scale: i8) -> PgError {
    let whole = i16::from(precision) - i16::from(scale);
    let below = if whole == 0 { "1".to_owned() } else { format!("10^{whole}") };
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {below}."
    ))
}

/// `numeric_recv`.
pub(super) fn receive(bytes: &[u8]) -> PgResult<Parsed> {
    let bad = |what: &str| {
        PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, format!("invalid {what} in external \"numeric\" value"))
    };
    let mut wire = WireBytes(bytes);
    let count = wire.u16()?;
    let weight = wire.i16()?;
    let sign = wire.u16()?;
    let dscale = wire.u16()?;
    match sign {
        0 | SIGN_NEGATIVE => {}
        SIGN_NAN => return Ok(Parsed::NaN),
        SIGN_INFINITY | SIGN_NEGATIVE_INFINITY => return Ok(Parsed::Infinity),
        _ => return Err(bad("sign")),
    }
    if dscale & 0x3fff != dscale {
        return Err(bad("scale"));
    }
    let mut digits = Vec::with_capacity(usize::from(count) * 4);
    for _ in 0..count {
        let group = wire.u16()?;
        if group >= 10_000 {
            return Err(bad("digit"));
        }
        for unit in [1000, 100, 10, 1] {
            digits.push(u8::try_from(group / unit % 10).unwrap_or(0));
        }
    }
    wire.end()?;
    let zeros = digits.iter().take_while(|d| **d == 0).count();
    let point = (i64::from(weight) + 1) * 4 - i64::try_from(zeros).unwrap_or(0);
    digits.drain(..zeros);
    // Digits beyond the display scale are cut, as Postgres does.
    let shown = usize::try_from(point + i64::from(dscale)).unwrap_or(0);
    digits.truncate(shown);
    let point = if digits.is_empty() { 0 } else { point };
    Ok(Parsed::Finite(Decimal { negative: sign == SIGN_NEGATIVE, digits, point, scale: dscale.into() }))
}

/// `numeric_recv` with precision and scale.
pub(super) fn receive_scaled(bytes: &[u8], precision: u8, scale: i8) -> PgResult<i128> {
    match receive(bytes)? {
        Parsed::Finite(decimal) => round(&decimal, precision, scale),
        Parsed::NaN => Err(nan()),
        Parsed::Infinity => Err(infinity(precision, scale)),
    }
}

/// `numeric_send` of `value` / 10^`scale`.
pub(super) fn send(value: i128, scale: i8, out: &mut BytesMut) {
    let scale = u16::try_from(scale).unwrap_or(0);
    let mut rest = value.unsigned_abs();
    // Line the point up with groups of four digits.
    let padding = (4 - scale % 4) % 4;
    let mut groups = [0_u16; 12];
    let mut used = 0;
    // The lowest group first: it takes 4 - padding digits.
    let low = 10_u128.pow(u32::from(4 - padding));
    let factor = 10_u128.pow(padding.into());
    while rest != 0 || used == 0 {
        let (modulus, shift) = if used == 0 { (low, factor) } else { (10_000, 1) };
        if let Some(group) = groups.get_mut(used) {
            *group = u16::try_from(rest % modulus * shift).unwrap_or(0);
        }
        rest /= modulus;
        used += 1;
    }
    let groups = groups.get(..used).unwrap_or_default();
    let weight_low = -i16::try_from(scale.div_ceil(4)).unwrap_or(0);
    let weight = weight_low + i16::try_from(used).unwrap_or(0) - 1;
    let top = groups.iter().rposition(|g| *g != 0);
    let bottom = groups.iter().position(|g| *g != 0);
    let (sent, weight) = match (bottom, top) {
        (Some(bottom), Some(top)) => {
            let cut = i16::try_from(used - 1 - top).unwrap_or(0);
            (groups.get(bottom..=top).unwrap_or_default(), weight - cut)
        }
        _ => (&[][..], 0),
    };
    out.put_u16(u16::try_from(sent.len()).unwrap_or(0));
    out.put_i16(weight);
    out.put_u16(if value < 0 { SIGN_NEGATIVE } else { 0 });
    out.put_u16(scale);
    for group in sent.iter().rev() {
        out.put_u16(*group);
    }
}

/// `numeric_send` of a number's text, of any length.
pub(super) fn send_text(text: &[u8], out: &mut BytesMut) -> PgResult<()> {
    let special = match text {
        b"NaN" => Some(0xc000),
        b"Infinity" => Some(0xd000),
        b"-Infinity" => Some(0xf000),
        _ => None,
    };
    if let Some(sign) = special {
        [0, 0, sign, 0].into_iter().for_each(|n: u16| out.put_u16(n));
        return Ok(());
    }
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let point = digits.iter().position(|b| *b == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (digits.get(..point).unwrap_or_default(), digits.get(point + 1..).unwrap_or_default());
    // Groups of four digits from the point on, to both sides.
    let mut padded = vec![b'0'; (4 - whole.len() % 4) % 4];
    padded.extend_from_slice(whole);
    let before = padded.len() / 4;
    padded.extend_from_slice(fraction);
    padded.resize(padded.len().div_ceil(4) * 4, b'0');
    let groups: Vec<u16> =
        padded.chunks(4).map(|c| c.iter().fold(0, |n, b| n * 10 + u16::from(b.wrapping_sub(b'0') % 10))).collect();
    let start = groups.iter().position(|g| *g != 0).unwrap_or(groups.len());
    let end = groups.iter().rposition(|g| *g != 0).map_or(start, |n| n + 1);
    let wide = || PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    let small = |n: usize| u16::try_from(n).map_err(|_| wide());
    let weight = if start == end {
        0
    } else {
        i16::try_from(before).map_err(|_| wide())? - 1 - i16::try_from(start).map_err(|_| wide())?
    };
    out.put_u16(small(end - start)?);
    out.put_i16(weight);
    out.put_u16(if negative && start < end { 0x4000 } else { 0 });
    out.put_u16(small(fraction.len())?);
    groups.get(start..end).unwrap_or_default().iter().for_each(|g| out.put_u16(*g));
    Ok(())
}

/// The text form of `value` / 10^`scale`.
pub(super) fn write(value: i128, scale: i8, out: &mut BytesMut) {
    let mut buffer = [b'0'; 48];
    let mut at = buffer.len();
    let scale = usize::try_from(scale).unwrap_or(0);
    let mut rest = value.unsigned_abs();
    let mut written = 0;
    let mut push = |byte: u8, at: &mut usize| {
        *at = at.saturating_sub(1);
        if let Some(slot) = buffer.get_mut(*at) {
            *slot = byte;
        }
    };
    // 128-bit division is slow: leave it as soon as 64 bits are enough.
    while rest > u128::from(u64::MAX) {
        push(b'0' + u8::try_from(rest % 10).unwrap_or(0), &mut at);
        rest /= 10;
        written += 1;
        if written == scale {
            push(b'.', &mut at);
        }
    }
    let mut rest = u64::try_from(rest).unwrap_or(0);
    while rest != 0 || written <= scale {
        push(b'0' + u8::try_from(rest % 10).unwrap_or(0), &mut at);
        rest /= 10;
        written += 1;
        if written == scale && scale > 0 {
            push(b'.', &mut at);
        }
    }
    if value < 0 {
        push(b'-', &mut at);
    }
    out.put_slice(buffer.get(at..).unwrap_or_default());
}

/// The plain text of a number with all its digits: `1e3` is `1000`, `-0.50` stays.
pub(super) fn write_decimal(decimal: &Decimal, out: &mut String) {
    if decimal.negative && decimal.digits.iter().any(|d| *d != 0) {
        out.push('-');
    }
    let digit = |i: i64| {
        let d = usize::try_from(i).ok().and_then(|i| decimal.digits.get(i)).copied().unwrap_or(0);
        char::from(b'0' + d)
    };
    if decimal.point <= 0 {
        out.push('0');
    }
    for i in 0..decimal.point {
        out.push(digit(i));
    }
    if decimal.scale > 0 {
        out.push('.');
        for i in 0..decimal.scale {
            out.push(digit(decimal.point + i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: i128, scale: i8) -> String {
        let mut out = BytesMut::new();
        write(value, scale, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn text_is_rounded_as_postgres_does() {
        for (text, precision, scale, value) in [
            ("1e5", 8, 2, "100000.00"),
            (".5", 8, 2, "0.50"),
            ("5.", 8, 2, "5.00"),
            (" 12 ", 8, 2, "12.00"),
            ("0.005", 8, 2, "0.01"),
            ("-0.005", 8, 2, "-0.01"),
            ("-0.0049", 8, 2, "0.00"),
            ("12.3456e-1", 8, 2, "1.23"),
            ("0.5", 5, 0, "1"),
            ("99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"),
            ("1e-400", 8, 2, "0.00"),
            ("0.000000000000000000000000000000000000001", 38, 38, "0.00000000000000000000000000000000000000"),
            ("-12345678901234567890.123456789", 38, 9, "-12345678901234567890.123456789"),
        ] {
            assert_eq!(shown(parse(text.as_bytes(), precision, scale).unwrap(), scale), value, "{text}");
        }
    }

    #[test]
    fn wrong_numbers() {
        for (text, precision, scale, message, detail) in [
            ("1e", 8, 2, "22P02: invalid input syntax for type numeric: \"1e\"", None),
            (".", 8, 2, "22P02: invalid input syntax for type numeric: \".\"", None),
            ("", 8, 2, "22P02: invalid input syntax for type numeric: \"\"", None),
            ("1.2.3", 8, 2, "22P02: invalid input syntax for type numeric: \"1.2.3\"", None),
            ("1e131072", 8, 2, "22003: value overflows numeric format", None),
            (
                "999.995",
                5,
                2,
                "22003: numeric field overflow",
                Some("A field with precision 5, scale 2 must round to an absolute value less than 10^3."),
            ),
            (
                "12",
                2,
                2,
                "22003: numeric field overflow",
                Some("A field with precision 2, scale 2 must round to an absolute value less than 1."),
            ),
            (
                "inf",
                5,
                2,
                "22003: numeric field overflow",
                Some("A field with precision 5, scale 2 cannot hold an infinite value."),
            ),
        ] {
            let error = parse(text.as_bytes(), precision, scale).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.fields().detail.as_deref(), detail);
        }
    }

    #[test]
    fn texts_are_sent_as_decimals_are() {
        for (value, scale) in [(0, 0), (0, 3), (1, 0), (-1, 4), (12_345_678, 3), (-100_000_000, 8), (10_000, 0), (7, 9)]
        {
            let (mut decimal, mut text) = (BytesMut::new(), BytesMut::new());
            send(value, scale, &mut decimal);
            let mut shown = BytesMut::new();
            write(value, scale, &mut shown);
            send_text(&shown, &mut text).unwrap();
            assert_eq!(text, decimal, "{value} at {scale}");
        }
        let mut nan = BytesMut::new();
        send_text(b"NaN", &mut nan).unwrap();
        assert_eq!(&nan[..], [0, 0, 0, 0, 0xc0, 0, 0, 0]);
    }

    #[test]
    fn binary_round_trip() {
        for (value, scale) in [
            (0, 0),
            (0, 5),
            (1, 0),
            (-1, 2),
            (123_456_789, 3),
            (10_000, 0),
            (10_000_000, 4),
            (POW10[38] - 1, 38),
            (1, 9),
        ] {
            let mut out = BytesMut::new();
            send(value, scale, &mut out);
            assert_eq!(receive_scaled(&out, 38, scale).unwrap(), value, "{value} {scale} {out:?}");
        }
        let mut out = BytesMut::new();
        send(1_234_500, 2, &mut out); // 12345.00
        assert_eq!(&out[..], [0, 2, 0, 1, 0, 0, 0, 2, 0, 1, 9, 41]);
    }
}
