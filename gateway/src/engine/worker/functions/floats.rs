//! Arithmetic of `double precision` and `real` with Postgres' errors, where IEEE 754 goes on with infinity, zero or NaN.

use super::{Failure, Outcome, Value};
use crate::value;

/// `pg_real_text(text)`: a `real` as Postgres writes it, from the engine's text.
pub fn real_text(args: &[Option<&str>]) -> Outcome<Value> {
    let number: f32 = super::text(args, 0).parse().map_err(|_| Failure::new("XX000", "a real without digits"))?;
    Ok(Value::Text(value::real_text(number)))
}

/// `double precision` or `real`.
pub trait Float: Copy + Default + PartialOrd {
    /// Whether DuckDB's type is FLOAT.
    const SINGLE: bool;
    const ZERO: Self;

    fn is_finite(self) -> bool;
    fn is_infinite(self) -> bool;
    fn is_nan(self) -> bool;
    fn is_whole(self) -> bool;
    fn powf(self, by: Self) -> Self;
    fn exp(self) -> Self;
    fn plus(self, by: Self) -> Self;
    fn minus(self, by: Self) -> Self;
    fn times(self, by: Self) -> Self;
    fn over(self, by: Self) -> Self;
}

macro_rules! float {
    ($ty:ty, $single:literal) => {
        impl Float for $ty {
            const SINGLE: bool = $single;
            const ZERO: Self = 0.0;

            fn is_finite(self) -> bool {
                self.is_finite()
            }
            fn is_infinite(self) -> bool {
                self.is_infinite()
            }
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            fn is_whole(self) -> bool {
                self.is_infinite() || self.fract() == 0.0
            }
            fn powf(self, by: Self) -> Self {
                self.powf(by)
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn plus(self, by: Self) -> Self {
                self + by
            }
            fn minus(self, by: Self) -> Self {
                self - by
            }
            fn times(self, by: Self) -> Self {
                self * by
            }
            fn over(self, by: Self) -> Self {
                self / by
            }
        }
    };
}

float!(f64, false);
float!(f32, true);

/// An operation over one or two numbers; one over one number is given it twice.
pub trait Operation {
    type Number: Float;
    const NAME: &'static str;
    const TAKES: u64;

    fn compute(a: Self::Number, b: Self::Number) -> Self::Number;

    /// Whether a result needs a look at what it was made of; all others are right. The usual loop has this one test.
    fn is_suspect(a: Self::Number, b: Self::Number, result: Self::Number) -> bool;

    /// Whether a suspect result is an error.
    ///
    /// # Errors
    /// 22003, 22012, 2201F.
    fn check(a: Self::Number, b: Self::Number, result: Self::Number) -> Result<(), Failure>;
}

fn is_no_number<T: Float>(_: T, _: T, result: T) -> bool {
    !result.is_finite()
}

fn vanished<T: Float>(a: T, b: T, result: T) -> bool {
    !result.is_finite() | ((result == T::ZERO) & (a != T::ZERO) & (b != T::ZERO))
}

fn vanished_quotient<T: Float>(a: T, _: T, result: T) -> bool {
    !result.is_finite() | ((result == T::ZERO) & (a != T::ZERO))
}

fn is_extreme<T: Float>(_: T, _: T, result: T) -> bool {
    !result.is_finite() || result == T::ZERO
}

fn overflow<T>() -> Result<T, Failure> {
    Err(Failure::new("22003", "value out of range: overflow"))
}

fn underflow<T>() -> Result<T, Failure> {
    Err(Failure::new("22003", "value out of range: underflow"))
}

fn sum<T: Float>(a: T, b: T, result: T) -> Result<(), Failure> {
    if result.is_infinite() && !a.is_infinite() && !b.is_infinite() { overflow() } else { Ok(()) }
}

fn product<T: Float>(a: T, b: T, result: T) -> Result<(), Failure> {
    if result == T::ZERO && a != T::ZERO && b != T::ZERO {
        return underflow();
    }
    sum(a, b, result)
}

fn quotient<T: Float>(a: T, b: T, result: T) -> Result<(), Failure> {
    if b == T::ZERO && !a.is_nan() {
        return Err(Failure::new("22012", "division by zero"));
    }
    if result == T::ZERO && a != T::ZERO && !b.is_infinite() {
        return underflow();
    }
    if result.is_infinite() && !a.is_infinite() { overflow() } else { Ok(()) }
}

fn power<T: Float>(a: T, b: T, result: T) -> Result<(), Failure> {
    if a.is_nan() || b.is_nan() {
        return Ok(());
    }
    if a == T::ZERO && b < T::ZERO {
        return Err(Failure::new("2201F", "zero raised to a negative power is undefined"));
    }
    if a < T::ZERO && !b.is_whole() {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Err(Failure::new("2201F", message));
    }
    if !a.is_finite() || !b.is_finite() {
        return Ok(());
    }
    if result == T::ZERO && a != T::ZERO {
        return underflow();
    }
    if result.is_infinite() { overflow() } else { Ok(()) }
}

fn exponential<T: Float>(a: T, result: T) -> Result<(), Failure> {
    match a.is_finite() {
        true if result == T::ZERO => underflow(),
        true if result.is_infinite() => overflow(),
        _ => Ok(()),
    }
}

macro_rules! operation {
    ($type:ident, $number:ty, $name:literal, $takes:literal, $compute:expr, $suspect:expr, $check:expr) => {
        #[doc = $name]
        pub struct $type;

        impl Operation for $type {
            type Number = $number;
            const NAME: &'static str = $name;
            const TAKES: u64 = $takes;

            fn compute(a: $number, b: $number) -> $number {
                let compute: fn($number, $number) -> $number = $compute;
                compute(a, b)
            }

            fn is_suspect(a: $number, b: $number, result: $number) -> bool {
                let is_suspect: fn($number, $number, $number) -> bool = $suspect;
                is_suspect(a, b, result)
            }

            fn check(a: $number, b: $number, result: $number) -> Result<(), Failure> {
                let check: fn($number, $number, $number) -> Result<(), Failure> = $check;
                check(a, b, result)
            }
        }
    };
}

operation!(Plus, f64, "pg_float_plus", 2, Float::plus, is_no_number, sum);
operation!(Minus, f64, "pg_float_minus", 2, Float::minus, is_no_number, sum);
operation!(Times, f64, "pg_float_times", 2, Float::times, vanished, product);
operation!(Over, f64, "pg_float_over", 2, Float::over, vanished_quotient, quotient);
operation!(Power, f64, "pg_float_power", 2, Float::powf, is_extreme, power);
operation!(Exp, f64, "pg_float_exp", 1, |a, _| Float::exp(a), is_extreme, |a, _, result| exponential(a, result));
operation!(RealPlus, f32, "pg_real_plus", 2, Float::plus, is_no_number, sum);
operation!(RealMinus, f32, "pg_real_minus", 2, Float::minus, is_no_number, sum);
operation!(RealTimes, f32, "pg_real_times", 2, Float::times, vanished, product);
operation!(RealOver, f32, "pg_real_over", 2, Float::over, vanished_quotient, quotient);

#[cfg(test)]
mod tests {
    use super::*;

    fn run<O: Operation<Number = f64>>(a: f64, b: f64) -> Result<f64, String> {
        let result = O::compute(a, b);
        // What is not suspect is never an error.
        let checked = O::check(a, b, result).map(|()| result).map_err(|e| e.raised());
        assert!(checked.is_ok() || O::is_suspect(a, b, result), "{} of {a} and {b}", O::NAME);
        checked
    }

    #[test]
    fn infinity_comes_of_infinity_alone() {
        let inf = f64::INFINITY;
        assert_eq!(run::<Times>(1e300, 1e300).unwrap_err(), "SQLSTATE 22003: value out of range: overflow");
        assert_eq!(run::<Times>(1e-300, -1e-300).unwrap_err(), "SQLSTATE 22003: value out of range: underflow");
        assert_eq!(run::<Times>(inf, 2.0), Ok(inf));
        assert_eq!(run::<Times>(0.0, 2.0), Ok(0.0));
        assert_eq!(run::<Plus>(f64::MAX, f64::MAX).unwrap_err(), "SQLSTATE 22003: value out of range: overflow");
        assert!(run::<Minus>(inf, inf).unwrap().is_nan());
        assert_eq!(run::<Over>(1.0, 0.0).unwrap_err(), "SQLSTATE 22012: division by zero");
        assert!(run::<Over>(f64::NAN, 0.0).unwrap().is_nan());
        assert_eq!(run::<Over>(1.0, inf), Ok(0.0));
        assert_eq!(run::<Over>(1e-300, 1e300).unwrap_err(), "SQLSTATE 22003: value out of range: underflow");
    }

    #[test]
    fn powers_have_postgres_rules() {
        let inf = f64::INFINITY;
        assert_eq!(run::<Power>(10.0, 400.0).unwrap_err(), "SQLSTATE 22003: value out of range: overflow");
        assert_eq!(run::<Power>(10.0, -400.0).unwrap_err(), "SQLSTATE 22003: value out of range: underflow");
        assert!(run::<Power>(0.0, -1.0).unwrap_err().contains("zero raised"));
        assert!(run::<Power>(-8.0, 0.5).unwrap_err().contains("complex"));
        assert!(run::<Power>(-inf, 0.5).unwrap_err().contains("complex"));
        assert_eq!(run::<Power>(-8.0, 2.0), Ok(64.0));
        assert_eq!(run::<Power>(f64::NAN, 0.0), Ok(1.0));
        assert_eq!(run::<Power>(-inf, 3.0), Ok(-inf));
        assert_eq!(run::<Exp>(1000.0, 1000.0).unwrap_err(), "SQLSTATE 22003: value out of range: overflow");
        assert_eq!(run::<Exp>(-inf, -inf), Ok(0.0));
    }
}
