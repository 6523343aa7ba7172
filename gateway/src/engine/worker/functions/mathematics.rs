//! Roots, logarithms and powers of `numeric`, with Postgres' scales.

use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

use super::{
    Failure, Outcome,
    number::{Decimal, GROUP, Number, SCALE_MAX, SIGNIFICANT_MIN, divided, division_by_zero, overflow, power_of_ten},
};

/// Digits computed beyond those that are shown.
const GUARD: i64 = 12;
/// Postgres' `NUMERIC_MAX_RESULT_SCALE`.
const RESULT_SCALE_MAX: f64 = 2000.0;
/// Digits of an exact power before only its leading ones are computed.
const POWER_DIGITS_MAX: f64 = 200_000.0;
/// Digits of a result that is computed by its logarithm: more take minutes.
const LOGARITHM_DIGITS_MAX: i64 = 3000;
/// As many digits as PostgreSQL has: the last ones decide the scale of powers such as `0.0001 ^ 0.5`.
#[expect(clippy::approx_constant, reason = "PostgreSQL's own constant, which is not the nearest double")]
const LOG10_E: f64 = 0.434_294_481_903_252;

fn error<T>(state: &'static str, message: &str) -> Outcome<T> {
    Err(Failure::new(state, message))
}

/// `sqrt(numeric)`.
pub fn sqrt(x: &Number) -> Outcome<Number> {
    let d = match x {
        Number::NaN | Number::Infinity(true) => return Ok(x.clone()),
        _ if x.sign() < 0 => return error("2201F", "cannot take square root of a negative number"),
        Number::Infinity(false) => return Ok(Number::NaN),
        Number::Finite(d) => d,
    };
    let weight = d.leading().0;
    let whole = if weight >= 0 { weight * GROUP / 2 + 1 } else { 1 - (1 - weight * GROUP) / 2 };
    let scale = (SIGNIFICANT_MIN - whole).max(d.scale).clamp(0, SCALE_MAX);
    Ok(Number::Finite(d.root(scale)))
}

/// `ln(numeric)`.
pub fn ln(x: &Number) -> Outcome<Number> {
    let d = match logarithm_of(x)? {
        Some(d) => d,
        None => return Ok(x.clone()),
    };
    let scale = (SIGNIFICANT_MIN - ln_weight(d)).max(d.scale).clamp(0, SCALE_MAX);
    Ok(Number::Finite(ln_at(d, scale + GUARD).at(scale)))
}

/// `log(numeric)`: base 10.
pub fn log10(x: &Number) -> Outcome<Number> {
    log(&Number::Finite(Decimal::whole(10)), x)
}

/// `log(base, numeric)`.
pub fn log(base: &Number, x: &Number) -> Outcome<Number> {
    let (Some(base), Some(d)) = (logarithm_of(base)?, logarithm_of(x)?) else {
        return Ok(Number::NaN);
    };
    let weight = ln_weight(d) - ln_weight(base);
    let scale = (SIGNIFICANT_MIN - weight).max(base.scale).max(d.scale).clamp(0, SCALE_MAX);
    let work = scale + GUARD + weight.abs() + 8;
    let divisor = ln_at(base, work);
    if divisor.is_zero() || base.compared(&Decimal::whole(1)).is_eq() {
        return Err(division_by_zero());
    }
    Ok(Number::Finite(ln_at(d, work).quotient(&divisor, scale)))
}

/// A value that has a logarithm; none for NaN and infinity, which are their own.
fn logarithm_of(x: &Number) -> Outcome<Option<&Decimal>> {
    match x {
        Number::NaN => Ok(None),
        _ if x.sign() < 0 => error("2201E", "cannot take logarithm of a negative number"),
        _ if x.sign() == 0 => error("2201E", "cannot take logarithm of zero"),
        Number::Infinity(_) => Ok(None),
        Number::Finite(d) => Ok(Some(d)),
    }
}

/// `estimate_ln_dweight`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn ln_weight(d: &Decimal) -> i64 {
    let near = d.compared(&Decimal::new(9.into(), 1)).is_ge() && d.compared(&Decimal::new(11.into(), 1)).is_le();
    if near {
        let x = d.minus(&Decimal::whole(1));
        return x.exponent();
    }
    let (weight, _) = d.leading();
    // The first two of Postgres' digits.
    let shift = d.scale + GROUP * (weight - 1);
    let first =
        if shift >= 0 { d.mantissa.abs() / power_of_ten(shift) } else { d.mantissa.abs() * power_of_ten(-shift) };
    let first = i64::try_from(first).unwrap_or(1).max(1);
    let ln = (first as f64).ln() + ((weight - 1) * GROUP) as f64 * std::f64::consts::LN_10;
    ln.abs().log10() as i64
}

/// ln of a positive value, exact to about `scale` digits behind the point.
fn ln_at(d: &Decimal, scale: i64) -> Decimal {
    let work = scale + 10;
    let one = power_of_ten(work);
    // d = f * 10^e with f in [0.1, 1).
    let e = d.exponent() + 1;
    let f = Decimal::new(d.mantissa.clone(), d.scale + e).at_any(work);
    let mut sum = ln_fixed(&f, &one);
    if e != 0 {
        sum += ln_fixed(&(&one * 10), &one) * BigInt::from(e);
    }
    Decimal::new(sum, work)
}

impl Decimal {
    /// At a scale, also from a negative one.
    fn at_any(&self, scale: i64) -> BigInt {
        if scale >= self.scale {
            &self.mantissa * power_of_ten(scale - self.scale)
        } else {
            divided(&self.mantissa, &power_of_ten(self.scale - scale))
        }
    }
}

/// ln of `x / one`, as a multiple of `1 / one`.
fn ln_fixed(x: &BigInt, one: &BigInt) -> BigInt {
    let mut x = x.clone();
    let mut doublings = 0u32;
    let (low, high) = (one * 9 / 10, one * 11 / 10);
    while x < low || x > high {
        x = (x * one).sqrt();
        doublings += 1;
    }
    // 2 * atanh((x - 1) / (x + 1)).
    let z = (&x - one) * one / (&x + one);
    let square = &z * &z / one;
    let (mut term, mut sum, mut n) = (z.clone(), z, 1u32);
    while !term.is_zero() {
        term = term * &square / one;
        n += 2;
        sum += &term / n;
    }
    sum << (doublings + 1)
}

/// `exp(numeric)`.
#[allow(clippy::cast_possible_truncation)]
pub fn exp(x: &Number) -> Outcome<Number> {
    let d = match x {
        Number::NaN | Number::Infinity(true) => return Ok(x.clone()),
        Number::Infinity(false) => return Ok(Number::Finite(Decimal::whole(0))),
        Number::Finite(d) => d,
    };
    let value = d.to_f64();
    let weight = (value * LOG10_E).clamp(-RESULT_SCALE_MAX, RESULT_SCALE_MAX);
    let scale = (SIGNIFICANT_MIN - weight as i64).max(d.scale).clamp(0, SCALE_MAX);
    if value.abs() >= RESULT_SCALE_MAX * 3.0 {
        return if value > 0.0 { Err(overflow()) } else { Ok(Number::Finite(Decimal::new(BigInt::zero(), scale))) };
    }
    Ok(Number::Finite(exp_at(d, scale)))
}

/// e to the power of a bounded value, rounded to a scale.
#[allow(clippy::cast_possible_truncation)]
fn exp_at(d: &Decimal, scale: i64) -> Decimal {
    let whole = (d.to_f64().abs() * LOG10_E) as i64 + 1;
    let negative = d.mantissa.is_negative();
    // The reciprocal loses as many digits as the power has.
    let work = scale + GUARD + 2 * whole + 20;
    let one = power_of_ten(work);
    let mut x = d.at_any(work).abs();
    let mut halvings = 0u32;
    let small = &one / 100;
    while x > small {
        x /= 2;
        halvings += 1;
    }
    let (mut term, mut sum, mut n) = (one.clone(), one.clone(), 0u32);
    loop {
        n += 1;
        term = term * &x / &one / n;
        if term.is_zero() {
            break;
        }
        sum += &term;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    if negative {
        sum = &one * &one / sum;
    }
    Decimal::new(sum, work).at(scale)
}

/// `power(numeric, numeric)`.
pub fn power(base: &Number, exponent: &Number) -> Outcome<Number> {
    let (b, e) = match (base, exponent) {
        (Number::Finite(b), Number::Finite(e)) => (b, e),
        _ => return special_power(base, exponent),
    };
    if b.is_zero() && e.mantissa.is_negative() {
        return error("2201F", "zero raised to a negative power is undefined");
    }
    let whole = e.cut(0);
    if whole.compared(e).is_eq() {
        if let Ok(n) = i32::try_from(&whole.mantissa) {
            return whole_power(b, i64::from(n));
        }
        if b.mantissa.is_negative() {
            let odd = (&whole.mantissa % 2u8) != BigInt::zero();
            let size = real_power(&Decimal::new(b.mantissa.abs(), b.scale), e)?;
            return Ok(match size {
                Number::Finite(size) if odd => Number::Finite(Decimal::new(-size.mantissa, size.scale)),
                size => size,
            });
        }
    } else if b.mantissa.is_negative() {
        return error("2201F", "a negative number raised to a non-integer power yields a complex result");
    }
    if b.is_zero() {
        return Ok(Number::Finite(Decimal::new(BigInt::zero(), SIGNIFICANT_MIN)));
    }
    real_power(b, e)
}

fn special_power(base: &Number, exponent: &Number) -> Outcome<Number> {
    let one = Number::Finite(Decimal::whole(1));
    let is_one = |n: &Number| matches!(n, Number::Finite(d) if d.compared(&Decimal::whole(1)).is_eq());
    let zero = Number::Finite(Decimal::whole(0));
    if exponent.sign() == 0 || is_one(base) {
        return Ok(one);
    }
    if matches!(base, Number::NaN) || matches!(exponent, Number::NaN) {
        return Ok(Number::NaN);
    }
    match (base, exponent) {
        (Number::Infinity(true), _) => Ok(if exponent.sign() > 0 { Number::Infinity(true) } else { zero }),
        (Number::Finite(b), Number::Infinity(up)) => {
            let size = Decimal::new(b.mantissa.abs(), b.scale).compared(&Decimal::whole(1));
            if size.is_eq() {
                return Ok(one);
            }
            if b.is_zero() && !up {
                return error("2201F", "zero raised to a negative power is undefined");
            }
            Ok(if size.is_gt() == *up { Number::Infinity(true) } else { zero })
        }
        (_, Number::Finite(e)) => {
            let whole = e.cut(0);
            if !whole.compared(e).is_eq() {
                return error("2201F", "a negative number raised to a non-integer power yields a complex result");
            }
            let odd = (&whole.mantissa % 2u8) != BigInt::zero();
            Ok(if exponent.sign() < 0 { zero } else { Number::Infinity(!odd) })
        }
        _ => Ok(if exponent.sign() > 0 { Number::Infinity(true) } else { zero }),
    }
}

/// `power_var_int`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn whole_power(base: &Decimal, n: i64) -> Outcome<Number> {
    let weight = if base.is_zero() {
        0.0
    } else {
        let digits: String = base.mantissa.abs().to_string().chars().take(17).collect();
        let lead = digits.parse::<f64>().unwrap_or(1.0) / 10f64.powi(digits.len() as i32 - 1);
        n as f64 * (lead.log10() + base.exponent() as f64)
    };
    if weight > 131_072.0 {
        return Err(overflow());
    }
    let scale = SIGNIFICANT_MIN.max(base.scale).clamp(0, SCALE_MAX);
    if weight + 1.0 < -(SCALE_MAX as f64) {
        return Ok(Number::Finite(Decimal::new(BigInt::zero(), scale)));
    }
    if n == 0 {
        return Ok(Number::Finite(Decimal::whole(1).at(scale)));
    }
    let size = n.unsigned_abs();
    let digits = base.mantissa.abs().to_string().len() as f64 * size as f64;
    if digits > POWER_DIGITS_MAX {
        if weight.abs() as i64 > LOGARITHM_DIGITS_MAX {
            return error("22003", "a power of so many digits is not supported");
        }
        let odd = base.mantissa.is_negative() && size % 2 == 1;
        let positive = Decimal::new(base.mantissa.abs(), base.scale);
        let log = ln_at(&positive, scale + GUARD + weight.abs() as i64 + 25).times(&Decimal::whole(n));
        let mut result = exp_at(&log, scale);
        if odd {
            result.mantissa = -result.mantissa;
        }
        return Number::Finite(result).checked();
    }
    let size = u32::try_from(size).map_err(|_| overflow())?;
    let power = Decimal::new(base.mantissa.pow(size), base.scale * i64::from(size));
    let result = if n > 0 { power.at(scale) } else { Decimal::new(BigInt::one(), 0).quotient(&power, scale) };
    Number::Finite(result).checked()
}

/// `power_var` with an exponent that is not whole.
#[allow(clippy::cast_possible_truncation)]
fn real_power(base: &Decimal, exponent: &Decimal) -> Outcome<Number> {
    if base.compared(&Decimal::whole(1)).is_eq() {
        let scale = SIGNIFICANT_MIN.max(base.scale).max(exponent.scale).clamp(0, SCALE_MAX);
        return Ok(Number::Finite(Decimal::whole(1).at(scale)));
    }
    if exponent.exponent().abs() > LOGARITHM_DIGITS_MAX {
        return error("22003", "an exponent of so many digits is not supported");
    }
    let rough = base.to_f64().ln() * exponent.to_f64();
    if rough.abs() > RESULT_SCALE_MAX * 3.01 {
        return if rough > 0.0 { Err(overflow()) } else { Ok(Number::Finite(Decimal::new(BigInt::zero(), SCALE_MAX))) };
    }
    let weight = (rough * LOG10_E) as i64;
    let scale = (SIGNIFICANT_MIN - weight).max(base.scale).max(exponent.scale).clamp(0, SCALE_MAX);
    let work = scale + GUARD + weight.abs() + exponent.exponent().abs() + 20;
    let log = ln_at(base, work).times(exponent);
    Number::Finite(exp_at(&log, scale)).checked()
}

/// Variance or standard deviation from `sum(x)`, `sum(x * x)` and the count.
pub fn variance(sum: &Decimal, squares: &Decimal, count: i64, sample: bool, root: bool) -> Option<Decimal> {
    if count < 1 || (sample && count < 2) {
        return None;
    }
    let n = Decimal::whole(count);
    let numerator = n.times(squares).minus(&sum.times(sum));
    if !numerator.mantissa.is_positive() {
        return Some(Decimal::whole(0));
    }
    let divisor = n.times(&Decimal::whole(if sample { count - 1 } else { count }));
    let scale = numerator.quotient_scale(&divisor);
    let variance = numerator.quotient(&divisor, scale);
    Some(if root { variance.root(scale) } else { variance })
}
