//! `numeric` without a limit of digits: reading, writing, and the four kinds of arithmetic with Postgres' scales.
//!
//! Values travel as text, so no engine type cuts them. Scales follow `numeric.c` of PostgreSQL 15.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{Signed, Zero};

use super::{Failure, Outcome};

/// Digits that a quotient has at least.
pub const SIGNIFICANT_MIN: i64 = 16;
/// Decimal digits in one of Postgres' own digits.
pub const GROUP: i64 = 4;
/// Postgres' `NUMERIC_MAX_DISPLAY_SCALE`.
pub const SCALE_MAX: i64 = 1000;
/// Postgres' limit of digits before the point.
const WHOLE_MAX: u64 = 131_072;
/// Postgres' limit of digits behind the point.
const FRACTION_MAX: i64 = 16_383;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    NaN,
    /// Positive or not.
    Infinity(bool),
    Finite(Decimal),
}

/// `mantissa / 10^scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub mantissa: BigInt,
    pub scale: i64,
}

pub fn power_of_ten(n: i64) -> BigInt {
    BigInt::from(BigUint::from(10u8).pow(u32::try_from(n.max(0)).unwrap_or(0)))
}

/// Decimal digits of the absolute value; zero has none.
fn digits(of: &BigInt) -> i64 {
    if of.is_zero() {
        return 0;
    }
    // 2^(bits-1) <= |of| < 2^bits, so the estimate is right or one too many.
    let bits = of.bits();
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    let guess = ((bits - 1) as f64 * std::f64::consts::LOG10_2) as i64;
    let mut digits = guess.max(0);
    while of.abs() >= power_of_ten(digits) {
        digits += 1;
    }
    digits
}

/// Rounds half away from zero.
pub fn divided(n: &BigInt, d: &BigInt) -> BigInt {
    let twice = n.abs() * 2 + d.abs();
    let quotient = twice / (d.abs() * 2);
    if (n.sign() == Sign::Minus) == (d.sign() == Sign::Minus) { quotient } else { -quotient }
}

impl Decimal {
    pub fn new(mantissa: BigInt, scale: i64) -> Self {
        Self { mantissa, scale }
    }

    pub fn whole(n: i64) -> Self {
        Self::new(BigInt::from(n), 0)
    }

    pub fn is_zero(&self) -> bool {
        self.mantissa.is_zero()
    }

    /// At another scale, rounded.
    pub fn at(&self, scale: i64) -> Self {
        let mantissa = match scale.cmp(&self.scale) {
            Ordering::Equal => self.mantissa.clone(),
            Ordering::Greater => &self.mantissa * power_of_ten(scale - self.scale),
            Ordering::Less => divided(&self.mantissa, &power_of_ten(self.scale - scale)),
        };
        Self { mantissa, scale }
    }

    /// At another scale, cut toward zero.
    pub fn cut(&self, scale: i64) -> Self {
        if scale >= self.scale {
            return self.at(scale);
        }
        Self::new(&self.mantissa / power_of_ten(self.scale - scale), scale)
    }

    /// Rounded to `digits` behind the point, which may be before it.
    pub fn rounded(&self, digits: i64) -> Self {
        let at = self.at(digits);
        if digits < 0 { at.at(0) } else { at }
    }

    /// The exponent of the first decimal digit; zero for zero.
    pub fn exponent(&self) -> i64 {
        if self.is_zero() { 0 } else { digits(&self.mantissa) - 1 - self.scale }
    }

    /// Postgres' weight and first digit, in base 10,000.
    pub fn leading(&self) -> (i64, i64) {
        if self.is_zero() {
            return (0, 0);
        }
        let weight = self.exponent().div_euclid(GROUP);
        let shift = self.scale + GROUP * weight;
        let first = if shift >= 0 {
            self.mantissa.abs() / power_of_ten(shift)
        } else {
            self.mantissa.abs() * power_of_ten(-shift)
        };
        (weight, i64::try_from(first).unwrap_or(0))
    }

    #[allow(clippy::cast_precision_loss)]
    pub fn to_f64(&self) -> f64 {
        Number::Finite(self.clone()).write().parse().unwrap_or(0.0)
    }

    pub fn compared(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at(scale).mantissa.cmp(&other.at(scale).mantissa)
    }

    fn with(&self, other: &Self, op: impl Fn(&BigInt, &BigInt) -> BigInt) -> Self {
        let scale = self.scale.max(other.scale);
        Self::new(op(&self.at(scale).mantissa, &other.at(scale).mantissa), scale)
    }

    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, |a, b| a + b)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.with(other, |a, b| a - b)
    }

    pub fn times(&self, other: &Self) -> Self {
        Self::new(&self.mantissa * &other.mantissa, self.scale + other.scale)
    }

    pub fn modulo(&self, other: &Self) -> Self {
        self.with(other, |a, b| a % b)
    }

    /// The quotient at a scale; the divisor is not zero.
    pub fn quotient(&self, other: &Self, scale: i64) -> Self {
        let shift = scale + other.scale - self.scale;
        let (n, d) = if shift >= 0 {
            (&self.mantissa * power_of_ten(shift), other.mantissa.clone())
        } else {
            (self.mantissa.clone(), &other.mantissa * power_of_ten(-shift))
        };
        Self::new(divided(&n, &d), scale)
    }

    /// `select_div_scale`.
    pub fn quotient_scale(&self, other: &Self) -> i64 {
        let ((w1, d1), (w2, d2)) = (self.leading(), other.leading());
        let weight = w1 - w2 - i64::from(d1 <= d2);
        let scale = SIGNIFICANT_MIN - weight * GROUP;
        scale.max(self.scale).max(other.scale).clamp(0, SCALE_MAX)
    }

    pub fn root(&self, scale: i64) -> Self {
        let more = scale + 1;
        let shift = 2 * more - self.scale;
        let n = if shift >= 0 { &self.mantissa * power_of_ten(shift) } else { &self.mantissa / power_of_ten(-shift) };
        Self::new(divided(&n.sqrt(), &BigInt::from(10)), scale)
    }
}

fn invalid(text: &str) -> Failure {
    Failure::new("22P02", format!("invalid input syntax for type numeric: \"{text}\""))
}

impl Number {
    pub fn read(text: &str) -> Outcome<Self> {
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        let (sign, body) = match trimmed.as_bytes().first() {
            Some(b'-') => (Sign::Minus, trimmed.get(1..).unwrap_or_default()),
            Some(b'+') => (Sign::Plus, trimmed.get(1..).unwrap_or_default()),
            _ => (Sign::Plus, trimmed),
        };
        match body.to_ascii_lowercase().as_str() {
            "nan" if body.len() == trimmed.len() => return Ok(Self::NaN),
            "inf" | "infinity" => return Ok(Self::Infinity(sign == Sign::Plus)),
            _ => {}
        }
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(at) => {
                let exponent = body.get(at + 1..).and_then(|e| e.parse::<i32>().ok()).ok_or_else(|| invalid(text))?;
                (body.get(..at).unwrap_or_default(), i64::from(exponent))
            }
            None => (body, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
            return Err(invalid(text));
        }
        let mut value = BigInt::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10).unwrap_or_default();
        if sign == Sign::Minus {
            value = -value;
        }
        let scale = i64::try_from(fraction.len()).unwrap_or(FRACTION_MAX) - exponent;
        if scale > FRACTION_MAX || -scale > i64::try_from(WHOLE_MAX).unwrap_or(0) {
            return Err(overflow());
        }
        let decimal =
            if scale < 0 { Decimal::new(value * power_of_ten(-scale), 0) } else { Decimal::new(value, scale) };
        Self::Finite(decimal).checked()
    }

    /// Fails where Postgres' format ends.
    pub fn checked(self) -> Outcome<Self> {
        match &self {
            Self::Finite(d) if d.exponent() >= i64::try_from(WHOLE_MAX).unwrap_or(i64::MAX) => Err(overflow()),
            Self::Finite(d) if d.scale > FRACTION_MAX => Ok(Self::Finite(d.at(FRACTION_MAX))),
            _ => Ok(self),
        }
    }

    pub fn write(&self) -> String {
        let decimal = match self {
            Self::NaN => return "NaN".to_owned(),
            Self::Infinity(true) => return "Infinity".to_owned(),
            Self::Infinity(false) => return "-Infinity".to_owned(),
            Self::Finite(d) => d,
        };
        let mut text = decimal.mantissa.abs().to_string();
        let scale = usize::try_from(decimal.scale).unwrap_or(0);
        if scale > 0 {
            if text.len() <= scale {
                text.insert_str(0, &"0".repeat(scale + 1 - text.len()));
            }
            text.insert(text.len() - scale, '.');
        }
        if decimal.mantissa.is_negative() {
            text.insert(0, '-');
        }
        text
    }

    /// -1, 0 or 1; NaN counts as above all.
    pub fn sign(&self) -> i8 {
        match self {
            Self::NaN | Self::Infinity(true) => 1,
            Self::Infinity(false) => -1,
            Self::Finite(d) => match d.mantissa.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
        }
    }

    /// Bytes that order as the values do.
    pub fn key(&self) -> Vec<u8> {
        let decimal = match self {
            Self::Infinity(false) => return vec![0],
            Self::Infinity(true) => return vec![4],
            Self::NaN => return vec![5],
            Self::Finite(d) if d.is_zero() => return vec![2],
            Self::Finite(d) => d,
        };
        let negative = decimal.mantissa.is_negative();
        let mut text = decimal.mantissa.abs().to_string().into_bytes();
        while text.last() == Some(&b'0') {
            text.pop();
        }
        let exponent = u32::try_from(decimal.exponent() + (1 << 30)).unwrap_or(0);
        let mut key = exponent.to_be_bytes().to_vec();
        for pair in text.chunks(2) {
            let tens = pair.first().map_or(0, |b| b - b'0');
            let ones = pair.get(1).map_or(0, |b| b - b'0');
            key.push(tens * 10 + ones + 1);
        }
        if negative {
            key.iter_mut().for_each(|b| *b = !*b);
            key.push(0xff);
        }
        key.insert(0, if negative { 1 } else { 3 });
        key
    }
}

pub fn overflow() -> Failure {
    Failure::new("22003", "value overflows numeric format")
}

pub fn division_by_zero() -> Failure {
    Failure::new("22012", "division by zero")
}

/// `a + b`, `a - b`.
pub fn sum(a: &Number, b: &Number, minus: bool) -> Outcome<Number> {
    use Number as N;
    Ok(match (a, b) {
        (N::NaN, _) | (_, N::NaN) => N::NaN,
        (N::Infinity(x), N::Infinity(y)) => {
            if *x == (*y != minus) {
                N::Infinity(*x)
            } else {
                N::NaN
            }
        }
        (N::Infinity(x), _) => N::Infinity(*x),
        (_, N::Infinity(y)) => N::Infinity(*y != minus),
        (N::Finite(x), N::Finite(y)) => {
            return N::Finite(if minus { x.minus(y) } else { x.plus(y) }).checked();
        }
    })
}

/// `a * b`.
pub fn product(a: &Number, b: &Number) -> Outcome<Number> {
    use Number as N;
    Ok(match (a, b) {
        (N::NaN, _) | (_, N::NaN) => N::NaN,
        (N::Finite(x), N::Finite(y)) => return N::Finite(x.times(y)).checked(),
        _ => match a.sign() * b.sign() {
            0 => N::NaN,
            s => N::Infinity(s > 0),
        },
    })
}

/// `a / b`.
pub fn quotient(a: &Number, b: &Number) -> Outcome<Number> {
    use Number as N;
    Ok(match (a, b) {
        (N::NaN, _) | (_, N::NaN) | (N::Infinity(_), N::Infinity(_)) => N::NaN,
        (_, N::Finite(y)) if y.is_zero() => return Err(division_by_zero()),
        (N::Infinity(x), _) => N::Infinity(*x == (b.sign() > 0)),
        (_, N::Infinity(_)) => N::Finite(Decimal::whole(0)),
        (N::Finite(x), N::Finite(y)) => return N::Finite(x.quotient(y, x.quotient_scale(y))).checked(),
    })
}

/// `a % b`.
pub fn modulo(a: &Number, b: &Number) -> Outcome<Number> {
    use Number as N;
    Ok(match (a, b) {
        (N::NaN, _) | (_, N::NaN) => N::NaN,
        (_, N::Finite(y)) if y.is_zero() => return Err(division_by_zero()),
        (N::Infinity(_), _) => N::NaN,
        (N::Finite(_), N::Infinity(_)) => a.clone(),
        (N::Finite(x), N::Finite(y)) => N::Finite(x.modulo(y)),
    })
}

/// A short text as digits and scale.
fn short(text: &str) -> Option<(bool, u128, i64)> {
    const DIGITS_MAX: usize = 20;
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    if body.is_empty() || body.len() > DIGITS_MAX {
        return None;
    }
    let (mut digits, mut scale, mut point) = (0u128, 0, false);
    for byte in body.bytes() {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u128::from(byte - b'0');
                scale += i64::from(point);
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    Some((negative, digits, scale))
}

/// The weight and first of Postgres' digits of a short number.
fn short_leading(digits: u128, scale: i64) -> Option<(i64, u128)> {
    if digits == 0 {
        return Some((0, 0));
    }
    let weight = (i64::from(digits.ilog10()) - scale).div_euclid(GROUP);
    let shift = scale + GROUP * weight;
    let power = 10u128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    Some((weight, if shift >= 0 { digits / power } else { digits.checked_mul(power)? }))
}

/// `a / b` of short numbers, as averages of groups mostly are: many times faster. None: not short, or an error.
pub fn short_quotient(a: &str, b: &str) -> Option<String> {
    let ((an, ad, ascale), (bn, bd, bscale)) = (short(a)?, short(b)?);
    if bd == 0 {
        return None;
    }
    let ((w1, d1), (w2, d2)) = (short_leading(ad, ascale)?, short_leading(bd, bscale)?);
    let scale = SIGNIFICANT_MIN - (w1 - w2 - i64::from(d1 <= d2)) * GROUP;
    let scale = scale.max(ascale).max(bscale).clamp(0, SCALE_MAX);
    let shift = scale + bscale - ascale;
    let power = 10u128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    let (n, d) = if shift >= 0 { (ad.checked_mul(power)?, bd) } else { (ad, bd.checked_mul(power)?) };
    let quotient = n.checked_mul(2)?.checked_add(d)? / d.checked_mul(2)?;
    let places = usize::try_from(scale).ok()?;
    let mut text = format!("{quotient:0width$}", width = places + 1);
    if places > 0 {
        text.insert(text.len() - places, '.');
    }
    if quotient != 0 && an != bn {
        text.insert(0, '-');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(a: &str, b: &str) -> String {
        quotient(&Number::read(a).unwrap(), &Number::read(b).unwrap()).unwrap().write()
    }

    #[test]
    fn quotients_have_postgres_scale() {
        for (a, b, expect) in [
            ("1.0", "3", "0.33333333333333333333"),
            ("100000.0", "3", "33333.333333333333"),
            ("7", "2", "3.5000000000000000"),
            ("1", "1", "1.00000000000000000000"),
            ("0", "5", "0.00000000000000000000"),
            ("-1", "8", "-0.12500000000000000000"),
        ] {
            assert_eq!(div(a, b), expect, "{a} / {b}");
            assert_eq!(short_quotient(a, b).unwrap(), expect, "{a} / {b}, short");
        }
    }

    proptest::proptest! {
        #[test]
        fn short_quotients_are_the_same(a in "-?[0-9]{1,9}(\\.[0-9]{1,8})?", b in "-?[0-9]{1,9}(\\.[0-9]{1,8})?") {
            if let Some(short) = short_quotient(&a, &b) {
                proptest::prop_assert_eq!(short, div(&a, &b));
            }
        }
    }

    #[test]
    fn keys_order_as_values_do() {
        let sorted = [
            "-Infinity",
            "-100.5",
            "-12",
            "-1.5",
            "-0.001",
            "0.00",
            "0.001",
            "1",
            "1.5",
            "12",
            "99.9",
            "100",
            "Infinity",
            "NaN",
        ];
        let keys: Vec<Vec<u8>> = sorted.iter().map(|t| Number::read(t).unwrap().key()).collect();
        assert!(keys.windows(2).all(|w| w[0] < w[1]), "{keys:?}");
        assert_eq!(Number::read("1.50").unwrap().key(), Number::read("1.5").unwrap().key());
    }
}
