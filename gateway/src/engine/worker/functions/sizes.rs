//! `pg_size_pretty()` and `pg_size_bytes()`.

use num_bigint::BigInt;
use num_traits::Signed;

use super::{
    Failure, Outcome, Value,
    number::{Decimal, Number},
    text,
};

/// Units with the power of two that each is.
const UNITS: [(&str, u32); 6] = [("bytes", 0), ("kB", 10), ("MB", 20), ("GB", 30), ("TB", 40), ("PB", 50)];
/// Below it a size is shown in bytes.
const BYTES_MAX: i64 = 10 * 1024;
/// Below it, in halves of a unit, a size is shown in that unit.
const HALVES_MAX: i64 = 20 * 1024 - 1;

/// `pg_size_pretty(numeric)`.
pub fn pretty(args: &[Option<&str>]) -> Outcome<Value> {
    let size = match Number::read(text(args, 0))? {
        Number::Finite(size) => size,
        endless => return Ok(Value::Text(format!("{} PB", endless.write()))),
    };
    if Number::Finite(size.clone()).write().trim_start_matches('-').parse::<f64>().is_ok_and(is_in_bytes) {
        return Ok(Value::Text(format!("{} bytes", Number::Finite(size).write())));
    }
    let mut size = size.cut(0).mantissa;
    // One bit less for the first: from then on halves are counted, so that they can be rounded.
    let mut bits = 9;
    let mut unit = "bytes";
    for (n, (name, _)) in UNITS.iter().enumerate().skip(1) {
        size /= BigInt::from(1_u64 << bits);
        (unit, bits) = (name, 10);
        if n + 1 == UNITS.len() || size.abs() < BigInt::from(HALVES_MAX) {
            break;
        }
    }
    let one = BigInt::from(if size.is_negative() { -1 } else { 1 });
    Ok(Value::Text(format!("{} {unit}", (size + one) / BigInt::from(2))))
}

#[allow(clippy::cast_precision_loss)]
fn is_in_bytes(size: f64) -> bool {
    size < BYTES_MAX as f64
}

/// `pg_size_bytes(text)`.
pub fn bytes(args: &[Option<&str>]) -> Outcome<Value> {
    let given = text(args, 0);
    let invalid = || Failure::new("22023", format!("invalid size: \"{given}\""));
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let size = given.trim_start_matches(blank);
    let number = size.get(..number_length(size)).filter(|number| !number.is_empty()).ok_or_else(invalid)?;
    let unit = size.get(number.len()..).unwrap_or_default().trim_matches(blank);
    let power = match unit {
        "" => 0,
        unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(invalid)?.1,
    };
    let Number::Finite(number) = Number::read(number)? else { return Err(invalid()) };
    let size = number.times(&Decimal::new(BigInt::from(1_u64 << power), 0)).at(0).mantissa;
    let size = i64::try_from(size).map_err(|_| Failure::new("22003", "bigint out of range"))?;
    Ok(Value::Int(size))
}

/// How much of the text is a number; none of it where it has no digit.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let is = |at: usize, of: &[u8]| bytes.get(at).is_some_and(|b| of.contains(b));
    let mut at = usize::from(is(0, b"+-"));
    let whole = digits(at);
    at += whole;
    let mut some = whole > 0;
    if is(at, b".") {
        let fraction = digits(at + 1);
        some |= fraction > 0;
        at += 1 + fraction;
    }
    if !some {
        return 0;
    }
    // An E without digits behind it begins a unit.
    if is(at, b"eE") {
        let sign = usize::from(is(at + 1, b"+-"));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Outcome<Value>) -> String {
        match value {
            Ok(Value::Text(text)) => text,
            Ok(Value::Int(number)) => number.to_string(),
            Ok(_) => "something else".to_owned(),
            Err(failure) => failure.raised(),
        }
    }

    #[test]
    fn sizes_are_written_and_read() {
        for (size, expected) in [
            ("10239", "10239 bytes"),
            ("10240", "10 kB"),
            ("10485247", "10239 kB"),
            ("10485248", "10 MB"),
            ("-10736893952", "-10 GB"),
            ("11258449312612352", "10 PB"),
            ("-9223372036854775808", "-8192 PB"),
            ("10.5", "10.5 bytes"),
        ] {
            assert_eq!(shown(pretty(&[Some(size)])), expected);
        }
        for (size, expected) in [
            ("1.5 GB ", "1610612736"),
            (" -.1kb", "-102"),
            ("1e3 kB", "1024000"),
            ("1 eB", "SQLSTATE 22023: invalid size: \"1 eB\""),
            ("-.", "SQLSTATE 22023: invalid size: \"-.\""),
            ("1e100", "SQLSTATE 22003: bigint out of range"),
        ] {
            assert_eq!(shown(bytes(&[Some(size)])), expected);
        }
    }
}
