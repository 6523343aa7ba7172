//! Floating point numbers as Postgres prints them.

use std::fmt::{LowerExp, Write};

use bytes::{BufMut, BytesMut};

use super::digits::write_integer;

/// A number in scientific notation, without allocation.
struct Scientific {
    bytes: [u8; 40],
    len: usize,
}

impl Write for Scientific {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Scientific {
    fn shortest(value: impl LowerExp) -> Self {
        let mut text = Self { bytes: [0; 40], len: 0 };
        let _ = write!(text, "{value:e}");
        text
    }

    fn rounded(value: impl LowerExp, digits: usize) -> Self {
        let mut text = Self { bytes: [0; 40], len: 0 };
        let _ = write!(text, "{value:.*e}", digits.saturating_sub(1));
        text
    }

    fn text(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// `float8out`.
pub(super) fn write_f64(value: f64, extra_digits: i32, out: &mut BytesMut) {
    if special(value.is_nan(), value.is_infinite(), value < 0.0, out) {
        return;
    }
    if extra_digits <= 0 {
        let digits = usize::try_from((15 + extra_digits).max(1)).unwrap_or(1);
        return general(&Scientific::rounded(value, digits), i32::try_from(digits).unwrap_or(15), true, out);
    }
    let mut shortest = Scientific::shortest(value);
    // Whole numbers beyond 53 bits may lie in the middle between two: Postgres does not take those digits.
    if value.abs() >= 9_007_199_254_740_992.0 && value.abs() < 1e38 {
        #[allow(clippy::cast_possible_truncation)]
        let exact = value.abs() as i128;
        let below = f64::from_bits(value.abs().to_bits() - 1);
        let above = f64::from_bits(value.abs().to_bits() + 1);
        #[allow(clippy::cast_possible_truncation)]
        let gaps = (exact - below as i128, above as i128 - exact);
        shortest = not_between(shortest, exact, gaps, |digits| Scientific::rounded(value, digits));
    }
    general(&shortest, 15, false, out);
}

/// A `real` as text with the shortest digits that read as it.
pub(crate) fn real_text(value: f32) -> String {
    let mut out = BytesMut::new();
    write_f32(value, 1, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// `float4out`.
pub(super) fn write_f32(value: f32, extra_digits: i32, out: &mut BytesMut) {
    if special(value.is_nan(), value.is_infinite(), value < 0.0, out) {
        return;
    }
    if extra_digits <= 0 {
        let digits = usize::try_from((6 + extra_digits).max(1)).unwrap_or(1);
        return general(&Scientific::rounded(value, digits), i32::try_from(digits).unwrap_or(6), true, out);
    }
    let mut shortest = Scientific::shortest(value);
    if value.abs() >= 16_777_216.0 && value.abs() < 1e38 {
        #[allow(clippy::cast_possible_truncation)]
        let exact = value.abs() as i128;
        let below = f32::from_bits(value.abs().to_bits() - 1);
        let above = f32::from_bits(value.abs().to_bits() + 1);
        #[allow(clippy::cast_possible_truncation)]
        let gaps = (exact - below as i128, above as i128 - exact);
        shortest = not_between(shortest, exact, gaps, |digits| Scientific::rounded(value, digits));
    }
    general(&shortest, 6, false, out);
}

fn special(nan: bool, infinite: bool, negative: bool, out: &mut BytesMut) -> bool {
    match (nan, infinite, negative) {
        (true, ..) => out.put_slice(b"NaN"),
        (_, true, false) => out.put_slice(b"Infinity"),
        (_, true, true) => out.put_slice(b"-Infinity"),
        _ => return false,
    }
    true
}

/// The digits, unless they name the exact middle to a neighbour: then the shortest that do not.
fn not_between(
    shortest: Scientific,
    exact: i128,
    gaps: (i128, i128),
    rounded: impl Fn(usize) -> Scientific,
) -> Scientific {
    let inside = |text: &Scientific| {
        let Some(shown) = whole(text.text()) else {
            return true;
        };
        let distance = shown - exact;
        let gap = if distance < 0 { gaps.0 } else { gaps.1 };
        distance.abs() * 2 < gap || distance == 0
    };
    if inside(&shortest) {
        return shortest;
    }
    (1..=17).map(rounded).find(inside).unwrap_or(shortest)
}

/// `1.5e3` as 1500, without its sign; none where it is not whole or does not fit.
fn whole(text: &str) -> Option<i128> {
    let (digits, exponent) = text.trim_start_matches('-').split_once('e')?;
    let exponent: usize = exponent.parse().ok()?;
    let fraction = digits.len().saturating_sub(2);
    let value: i128 = digits.bytes().filter(u8::is_ascii_digit).fold(0, |v, b| v * 10 + i128::from(b - b'0'));
    value.checked_mul(10_i128.checked_pow(u32::try_from(exponent.checked_sub(fraction)?).ok()?)?)
}

/// As `%g` does: plain within `precision` digits, else with an exponent of two digits at least.
fn general(number: &Scientific, precision: i32, trim: bool, out: &mut BytesMut) {
    let text = number.text();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let mut digits = [0_u8; 40];
    let mut count = 0;
    for (slot, byte) in digits.iter_mut().zip(mantissa.bytes().filter(u8::is_ascii_digit)) {
        *slot = byte;
        count += 1;
    }
    let mut digits = digits.get(..count).unwrap_or_default();
    if trim {
        while let [rest @ .., b'0'] = digits
            && !rest.is_empty()
        {
            digits = rest;
        }
    }
    if negative {
        out.put_u8(b'-');
    }
    if exponent < -4 || exponent >= precision {
        let (first, rest) = digits.split_at(digits.len().min(1));
        out.put_slice(first);
        if !rest.is_empty() {
            out.put_u8(b'.');
            out.put_slice(rest);
        }
        out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.put_u8(b'0');
        }
        write_integer(exponent.abs().into(), out);
        return;
    }
    if exponent < 0 {
        out.put_slice(b"0.");
        for _ in 1..-exponent {
            out.put_u8(b'0');
        }
        out.put_slice(digits);
        return;
    }
    let before = usize::try_from(exponent).unwrap_or(0) + 1;
    let (whole, fraction) = digits.split_at(before.min(digits.len()));
    out.put_slice(whole);
    for _ in whole.len()..before {
        out.put_u8(b'0');
    }
    if !fraction.is_empty() {
        out.put_u8(b'.');
        out.put_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgres_prints() {
        let text = |value: f64, digits: i32| {
            let mut out = BytesMut::new();
            write_f64(value, digits, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        for (value, shown) in [
            (1e23, "9.999999999999999e+22"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (1e15, "1e+15"),
            (1e14, "100000000000000"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (2e44, "2e+44"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-1234.5, "-1234.5"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(value, 1), shown);
        }
        assert_eq!(text(0.1 + 0.2, 0), "0.3");
        assert_eq!(text(1.0 / 3.0, -5), "0.3333333333");
        let short = |value: f32| {
            let mut out = BytesMut::new();
            write_f32(value, 1, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        for (value, shown) in [
            (1e6, "1e+06"),
            (1e5, "100000"),
            (123_456.7, "123456.7"),
            (1_234_567.0, "1.234567e+06"),
            (3.402_823_5e38, "3.4028235e+38"),
            (1e-45, "1e-45"),
        ] {
            assert_eq!(short(value), shown);
        }
    }
}
