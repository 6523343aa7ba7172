//! The functions of `numeric` over texts.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_traits::Signed;

use super::{
    Failure, Outcome, Value, mathematics as m,
    number::{self as n, Decimal, Number},
};

/// Largest argument of `factorial`, as in Postgres.
const FACTORIAL_MAX: i64 = 32_177;

fn arg(args: &[Option<&str>], at: usize) -> Outcome<Number> {
    Number::read(super::text(args, at))
}

#[allow(clippy::unnecessary_wraps)]
fn out(number: &Number) -> Outcome<Value> {
    Ok(Value::Text(number.write()))
}

type Args<'a> = &'a [Option<&'a str>];

pub fn read(args: Args<'_>) -> Outcome<Value> {
    out(&arg(args, 0)?)
}

/// A float's text as numeric: as many digits as surely are right.
pub fn of_float(args: Args<'_>) -> Outcome<Value> {
    let number = arg(args, 0)?;
    let Number::Finite(d) = &number else { return out(&number) };
    if d.is_zero() {
        return Ok(Value::Text("0".into()));
    }
    let digits = super::integer(args, 1);
    let at = d.at((digits - 1 - d.exponent()).min(d.scale)).at_least(0);
    out(&Number::Finite(trimmed(&at)))
}

impl Decimal {
    /// With a scale that is not below `scale`.
    fn at_least(&self, scale: i64) -> Self {
        if self.scale < scale { self.at(scale) } else { self.clone() }
    }
}

pub fn key(args: Args<'_>) -> Outcome<Value> {
    Ok(Value::Bytes(arg(args, 0)?.key()))
}

/// For a cast to `numeric(p, s)`.
pub fn fit(args: Args<'_>) -> Outcome<Value> {
    let (precision, scale) = (super::integer(args, 1), super::integer(args, 2));
    let overflow = || Failure::new("22003", "numeric field overflow");
    match arg(args, 0)? {
        Number::Finite(d) => {
            let d = d.at(scale);
            if d.mantissa.abs() >= n::power_of_ten(precision) {
                return Err(overflow());
            }
            out(&Number::Finite(d))
        }
        _ => Err(overflow()),
    }
}

/// For a cast to an integer type.
pub fn whole(args: Args<'_>) -> Outcome<Value> {
    let name = super::text(args, 1);
    let range = || Failure::new("22003", format!("{name} out of range"));
    let value = match arg(args, 0)? {
        Number::NaN => return Err(Failure::new("0A000", format!("cannot convert NaN to {name}"))),
        Number::Infinity(_) => return Err(Failure::new("0A000", format!("cannot convert infinity to {name}"))),
        Number::Finite(d) => i64::try_from(d.at(0).mantissa).map_err(|_| range())?,
    };
    let fits = match name {
        "smallint" => i16::try_from(value).is_ok(),
        "integer" => i32::try_from(value).is_ok(),
        _ => true,
    };
    if fits { Ok(Value::Int(value)) } else { Err(range()) }
}

/// The nearest value of 38 digits and a scale, below or above: what a decimal column can be compared with.
pub fn bound(args: Args<'_>) -> Outcome<Value> {
    let (scale, up) = (super::integer(args, 1), super::text(args, 2) == "up");
    let most: BigInt = n::power_of_ten(38) - 1;
    let mantissa = match arg(args, 0)? {
        Number::NaN | Number::Infinity(true) => most,
        Number::Infinity(false) => -most,
        Number::Finite(d) => {
            let cut = d.cut(scale);
            let step = match cut.compared(&d) {
                Ordering::Equal => 0,
                Ordering::Less => i32::from(up),
                Ordering::Greater => -i32::from(!up),
            };
            (cut.mantissa + step).clamp(-most.clone(), most)
        }
    };
    out(&Number::Finite(Decimal::new(mantissa, scale)))
}

pub fn add(args: Args<'_>) -> Outcome<Value> {
    out(&n::sum(&arg(args, 0)?, &arg(args, 1)?, false)?)
}

pub fn subtract(args: Args<'_>) -> Outcome<Value> {
    out(&n::sum(&arg(args, 0)?, &arg(args, 1)?, true)?)
}

pub fn multiply(args: Args<'_>) -> Outcome<Value> {
    out(&n::product(&arg(args, 0)?, &arg(args, 1)?)?)
}

pub fn divide(args: Args<'_>) -> Outcome<Value> {
    if let Some(short) = n::short_quotient(super::text(args, 0), super::text(args, 1)) {
        return Ok(Value::Text(short));
    }
    out(&n::quotient(&arg(args, 0)?, &arg(args, 1)?)?)
}

pub fn modulo(args: Args<'_>) -> Outcome<Value> {
    out(&n::modulo(&arg(args, 0)?, &arg(args, 1)?)?)
}

/// `div(a, b)`.
pub fn whole_quotient(args: Args<'_>) -> Outcome<Value> {
    match (arg(args, 0)?, arg(args, 1)?) {
        (Number::Finite(a), Number::Finite(b)) if !b.is_zero() => {
            let scale = a.scale.max(b.scale);
            let quotient = a.at(scale).mantissa / b.at(scale).mantissa;
            out(&Number::Finite(Decimal::new(quotient, 0)))
        }
        (a, b) => out(&n::quotient(&a, &b)?),
    }
}

fn finite(args: Args<'_>, of: impl Fn(&Decimal) -> Decimal) -> Outcome<Value> {
    match arg(args, 0)? {
        Number::Finite(d) => out(&Number::Finite(of(&d)).checked()?),
        other => out(&other),
    }
}

pub fn negate(args: Args<'_>) -> Outcome<Value> {
    match arg(args, 0)? {
        Number::Infinity(up) => out(&Number::Infinity(!up)),
        _ => finite(args, |d| Decimal::new(-d.mantissa.clone(), d.scale)),
    }
}

pub fn absolute(args: Args<'_>) -> Outcome<Value> {
    match arg(args, 0)? {
        Number::Infinity(_) => out(&Number::Infinity(true)),
        _ => finite(args, |d| Decimal::new(d.mantissa.abs(), d.scale)),
    }
}

pub fn sign(args: Args<'_>) -> Outcome<Value> {
    match arg(args, 0)? {
        Number::NaN => out(&Number::NaN),
        other => out(&Number::Finite(Decimal::whole(other.sign().into()))),
    }
}

fn places(args: Args<'_>) -> i64 {
    super::integer(args, 1).clamp(-2000, 2000)
}

pub fn round(args: Args<'_>) -> Outcome<Value> {
    finite(args, |d| d.rounded(places(args)))
}

pub fn truncate(args: Args<'_>) -> Outcome<Value> {
    finite(args, |d| {
        let at = places(args);
        let cut = d.cut(at);
        if at < 0 { cut.at(0) } else { cut }
    })
}

fn toward(d: &Decimal, up: bool) -> Decimal {
    let cut = d.cut(0);
    let step = match cut.compared(d) {
        Ordering::Less => i32::from(up),
        Ordering::Greater => -i32::from(!up),
        Ordering::Equal => 0,
    };
    Decimal::new(cut.mantissa + step, 0)
}

pub fn ceiling(args: Args<'_>) -> Outcome<Value> {
    finite(args, |d| toward(d, true))
}

pub fn floor(args: Args<'_>) -> Outcome<Value> {
    finite(args, |d| toward(d, false))
}

pub fn sqrt(args: Args<'_>) -> Outcome<Value> {
    out(&m::sqrt(&arg(args, 0)?)?)
}

pub fn ln(args: Args<'_>) -> Outcome<Value> {
    out(&m::ln(&arg(args, 0)?)?)
}

pub fn log10(args: Args<'_>) -> Outcome<Value> {
    out(&m::log10(&arg(args, 0)?)?)
}

pub fn log(args: Args<'_>) -> Outcome<Value> {
    out(&m::log(&arg(args, 0)?, &arg(args, 1)?)?)
}

pub fn exp(args: Args<'_>) -> Outcome<Value> {
    out(&m::exp(&arg(args, 0)?)?)
}

pub fn power(args: Args<'_>) -> Outcome<Value> {
    out(&m::power(&arg(args, 0)?, &arg(args, 1)?)?)
}

fn divisor(a: &Decimal, b: &Decimal) -> Decimal {
    let scale = a.scale.max(b.scale);
    let (mut x, mut y) = (a.at(scale).mantissa.abs(), b.at(scale).mantissa.abs());
    while y != BigInt::ZERO {
        (x, y) = (y.clone(), x % y);
    }
    Decimal::new(x, scale)
}

pub fn gcd(args: Args<'_>) -> Outcome<Value> {
    match (arg(args, 0)?, arg(args, 1)?) {
        (Number::Finite(a), Number::Finite(b)) => out(&Number::Finite(divisor(&a, &b))),
        _ => out(&Number::NaN),
    }
}

pub fn lcm(args: Args<'_>) -> Outcome<Value> {
    match (arg(args, 0)?, arg(args, 1)?) {
        (Number::Finite(a), Number::Finite(b)) => {
            let common = divisor(&a, &b);
            let scale = common.scale;
            if common.is_zero() {
                return out(&Number::Finite(common));
            }
            let multiple = a.at(scale).mantissa.abs() / &common.mantissa * b.at(scale).mantissa.abs();
            out(&Number::Finite(Decimal::new(multiple, scale)).checked()?)
        }
        _ => out(&Number::NaN),
    }
}

fn trimmed(d: &Decimal) -> Decimal {
    let mut d = d.clone();
    while d.scale > 0 && (&d.mantissa % 10u8) == BigInt::ZERO {
        d.mantissa /= 10;
        d.scale -= 1;
    }
    d
}

pub fn scale(args: Args<'_>) -> Outcome<Value> {
    Ok(match arg(args, 0)? {
        Number::Finite(d) => Value::Int(d.scale),
        _ => Value::Null,
    })
}

pub fn min_scale(args: Args<'_>) -> Outcome<Value> {
    Ok(match arg(args, 0)? {
        Number::Finite(d) => Value::Int(trimmed(&d).scale),
        _ => Value::Null,
    })
}

pub fn trim_scale(args: Args<'_>) -> Outcome<Value> {
    finite(args, trimmed)
}

pub fn factorial(args: Args<'_>) -> Outcome<Value> {
    let count = super::integer(args, 0);
    if count < 0 {
        return Err(Failure::new("22003", "factorial of a negative number is undefined"));
    }
    if count > FACTORIAL_MAX {
        return Err(n::overflow());
    }
    let product = (2..=count).fold(BigInt::from(1), |product, n| product * n);
    out(&Number::Finite(Decimal::new(product, 0)))
}

/// Numbers joined by commas: what an aggregate gathered.
fn joined(text: &str) -> Outcome<Vec<Number>> {
    text.split(',').map(Number::read).collect()
}

fn total(numbers: &[Number]) -> Outcome<Number> {
    let zero = Number::Finite(Decimal::whole(0));
    numbers.iter().try_fold(zero, |sum, x| n::sum(&sum, x, false))
}

pub fn sum(args: Args<'_>) -> Outcome<Value> {
    out(&total(&joined(super::text(args, 0))?)?)
}

pub fn average(args: Args<'_>) -> Outcome<Value> {
    let numbers = joined(super::text(args, 0))?;
    let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    out(&n::quotient(&total(&numbers)?, &Number::Finite(Decimal::whole(count)))?)
}

fn spread_kind(name: &str) -> (bool, bool) {
    (name.ends_with("samp"), name.starts_with("stddev"))
}

/// Variance and deviation of `sum(x)`, `sum(x * x)`, `count(x)`.
pub fn spread(args: Args<'_>) -> Outcome<Value> {
    let (sample, root) = spread_kind(super::text(args, 3));
    match (arg(args, 0)?, arg(args, 1)?) {
        (Number::Finite(sum), Number::Finite(squares)) => {
            match m::variance(&sum, &squares, super::integer(args, 2), sample, root) {
                Some(d) => out(&Number::Finite(d)),
                None => Ok(Value::Null),
            }
        }
        _ => out(&Number::NaN),
    }
}

/// The same of the values themselves.
pub fn spread_all(args: Args<'_>) -> Outcome<Value> {
    let numbers = joined(super::text(args, 0))?;
    let (sample, root) = spread_kind(super::text(args, 1));
    let squares = numbers.iter().map(|x| n::product(x, x)).collect::<Outcome<Vec<_>>>()?;
    let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    match (total(&numbers)?, total(&squares)?) {
        (Number::Finite(sum), Number::Finite(squares)) => match m::variance(&sum, &squares, count, sample, root) {
            Some(d) => out(&Number::Finite(d)),
            None => Ok(Value::Null),
        },
        _ if sample && count < 2 => Ok(Value::Null),
        _ => out(&Number::NaN),
    }
}

fn most(args: Args<'_>, wanted: Ordering) -> Outcome<Value> {
    let mut best: Option<Number> = None;
    for text in args.iter().flatten() {
        let number = Number::read(text)?;
        if best.as_ref().is_none_or(|b| number.key().cmp(&b.key()) == wanted) {
            best = Some(number);
        }
    }
    best.map_or(Ok(Value::Null), |b| out(&b))
}

pub fn greatest(args: Args<'_>) -> Outcome<Value> {
    most(args, Ordering::Greater)
}

pub fn least(args: Args<'_>) -> Outcome<Value> {
    most(args, Ordering::Less)
}

/// `width_bucket(x, low, high, count)`.
pub fn width_bucket(args: Args<'_>) -> Outcome<Value> {
    let invalid = |message: &str| Err(Failure::new("2201G", message));
    let count = super::integer(args, 3);
    if count <= 0 {
        return invalid("count must be greater than zero");
    }
    let (x, low, high) = (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?);
    let (Number::Finite(low), Number::Finite(high)) = (low, high) else {
        return invalid("lower and upper bounds must be finite");
    };
    if low.compared(&high).is_eq() {
        return invalid("lower bound cannot equal upper bound");
    }
    let up = low.compared(&high).is_lt();
    let x = match x {
        Number::NaN => return invalid("operand, lower bound, and upper bound cannot be NaN"),
        Number::Infinity(above) => return Ok(Value::Int(if above == up { count + 1 } else { 0 })),
        Number::Finite(x) => x,
    };
    let (before, after) = if up {
        (x.compared(&low).is_lt(), x.compared(&high).is_ge())
    } else {
        (x.compared(&low).is_gt(), x.compared(&high).is_le())
    };
    if before || after {
        return Ok(Value::Int(if before { 0 } else { count + 1 }));
    }
    let scale = x.scale.max(low.scale).max(high.scale);
    let at = |d: &Decimal| d.at(scale).mantissa;
    let bucket = (at(&x) - at(&low)) * count / (at(&high) - at(&low)) + 1;
    Ok(Value::Int(i64::try_from(bucket).unwrap_or(0)))
}

/// Numbers of one series: what an array may have.
const SERIES_MAX: usize = 10_000_000;

/// `generate_series(from, to, step)`.
pub fn series(args: Args<'_>) -> Outcome<Value> {
    let invalid = |message: &str| Err(Failure::new("22023", message));
    let (Number::Finite(from), Number::Finite(to), Number::Finite(step)) =
        (arg(args, 0)?, arg(args, 1)?, arg(args, 2)?)
    else {
        return invalid("start, stop and step values cannot be NaN or infinity");
    };
    if step.is_zero() {
        return invalid("step size cannot equal zero");
    }
    let up = step.mantissa.is_positive();
    let mut at = from.at(from.scale.max(step.scale));
    let mut texts = Vec::new();
    while if up { at.compared(&to).is_le() } else { at.compared(&to).is_ge() } {
        if texts.len() >= SERIES_MAX {
            return Err(Failure::new("54000", "the series has too many numbers"));
        }
        texts.push(Some(Number::Finite(at.clone()).write()));
        at = at.plus(&step);
    }
    Ok(Value::Texts(texts))
}
