//! Strings of bits, as texts of their digits.

use super::{Failure, Outcome, Value, integer, text};

type Args<'a> = &'a [Option<&'a str>];

/// `pg_bits_of(what, bits, …)`: a string of bits made of others.
pub fn computed(args: Args<'_>) -> Outcome<Value> {
    let bits = text(args, 1);
    Ok(Value::Text(match text(args, 0) {
        "&" => joined("AND", bits, text(args, 2))?,
        "|" => joined("OR", bits, text(args, 2))?,
        "#" => joined("XOR", bits, text(args, 2))?,
        "~" => bits.chars().map(|digit| if digit == '1' { '0' } else { '1' }).collect(),
        "<<" => shifted(bits, integer(args, 2)),
        ">>" => shifted(bits, integer(args, 2).saturating_neg()),
        "number" => of_number(bits.parse().unwrap_or(0), integer(args, 2)),
        "substring" => part(bits, integer(args, 2), args.get(3).map(|_| integer(args, 3)))?.to_owned(),
        "overlay" => overlaid(args)?,
        "set_bit" => with_bit(bits, integer(args, 2), integer(args, 3))?,
        "all_and" => gathered("AND", bits)?,
        "all_or" => gathered("OR", bits)?,
        _ => gathered("XOR", bits)?,
    }))
}

/// `pg_bits_number(what, bits, n)`: a bit, or the number that the bits are.
pub fn number(args: Args<'_>) -> Outcome<Value> {
    let bits = text(args, 1);
    let (name, most) = match text(args, 0) {
        "get" => {
            let at = index(bits, integer(args, 2))?;
            return Ok(Value::Int(i64::from(bits.as_bytes().get(at) == Some(&b'1'))));
        }
        "integer" => ("integer", 32),
        _ => ("bigint", 64),
    };
    if bits.len() > most {
        return Err(Failure::new("22003", format!("{name} out of range")));
    }
    let value = bits.bytes().fold(0_u64, |value, digit| value << 1 | u64::from(digit == b'1'));
    // With all its bits the first is the sign.
    Ok(Value::Int(match u32::try_from(value) {
        Ok(small) if most == 32 => small.cast_signed().into(),
        _ => value.cast_signed(),
    }))
}

fn joined(what: &str, a: &str, b: &str) -> Outcome<String> {
    if a.len() != b.len() {
        return Err(Failure::new("22026", format!("cannot {what} bit strings of different sizes")));
    }
    let digit = |(a, b): (u8, u8)| {
        let (a, b) = (a == b'1', b == b'1');
        let on = match what {
            "AND" => a & b,
            "OR" => a | b,
            _ => a ^ b,
        };
        if on { '1' } else { '0' }
    };
    Ok(a.bytes().zip(b.bytes()).map(digit).collect())
}

/// All of the strings between semicolons.
fn gathered(what: &str, list: &str) -> Outcome<String> {
    let mut strings = list.split(';');
    let first = strings.next().unwrap_or_default().to_owned();
    strings.try_fold(first, |all, next| joined(what, &all, next))
}

/// To the left; to the right where `by` is negative.
fn shifted(bits: &str, by: i64) -> String {
    let count = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX).min(bits.len());
    let zeros = "0".repeat(count);
    if by >= 0 {
        format!("{}{zeros}", bits.get(count..).unwrap_or_default())
    } else {
        format!("{zeros}{}", bits.get(..bits.len() - count).unwrap_or_default())
    }
}

/// The last so many bits of a number: more than it has are its sign's.
fn of_number(value: i64, length: i64) -> String {
    let bit = |at: i64| value >> at.min(63) & 1 == 1;
    (0..length).rev().map(|at| if bit(at) { '1' } else { '0' }).collect()
}

fn negative() -> Failure {
    Failure::new("22011", "negative substring length not allowed")
}

/// From the `from`th on, so many or all.
fn part(bits: &str, from: i64, length: Option<i64>) -> Outcome<&str> {
    let size = i64::try_from(bits.len()).unwrap_or(i64::MAX);
    let end = match length {
        Some(length) if length < 0 => return Err(negative()),
        Some(length) => from.saturating_add(length).min(size + 1),
        None => size + 1,
    };
    let start = from.max(1);
    let place = |at: i64| usize::try_from(at - 1).unwrap_or(0);
    Ok(if start >= end { "" } else { bits.get(place(start)..place(end)).unwrap_or_default() })
}

/// `overlay(bits, what, from, length)`.
fn overlaid(args: Args<'_>) -> Outcome<String> {
    let (bits, what, from) = (text(args, 1), text(args, 2), integer(args, 3));
    let length = args.get(4).map_or(i64::try_from(what.len()).unwrap_or(i64::MAX), |_| integer(args, 4));
    if from <= 0 {
        return Err(negative());
    }
    Ok(format!("{}{what}{}", part(bits, 1, Some(from - 1))?, part(bits, from.saturating_add(length), None)?))
}

fn index(bits: &str, at: i64) -> Outcome<usize> {
    match usize::try_from(at) {
        Ok(index) if index < bits.len() => Ok(index),
        _ => {
            let last = i64::try_from(bits.len()).unwrap_or(i64::MAX) - 1;
            Err(Failure::new("2202E", format!("bit index {at} out of valid range (0..{last})")))
        }
    }
}

fn with_bit(bits: &str, at: i64, new: i64) -> Outcome<String> {
    let at = index(bits, at)?;
    let digit = match new {
        0 => "0",
        1 => "1",
        _ => return Err(Failure::new("22023", "new bit must be 0 or 1")),
    };
    let mut bits = bits.to_owned();
    bits.replace_range(at..=at, digit);
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &[&str]) -> String {
        let args: Vec<Option<&str>> = args.iter().copied().map(Some).collect();
        match computed(&args) {
            Ok(Value::Text(text)) => text,
            Ok(_) => "not a text".to_owned(),
            Err(failure) => failure.raised(),
        }
    }

    #[test]
    fn bits_are_computed_as_postgres_does() {
        for (args, expected) in [
            (&["&", "101", "110"][..], "100"),
            (&["#", "101", "110"], "011"),
            (&["|", "1", "11"], "SQLSTATE 22026: cannot OR bit strings of different sizes"),
            (&["<<", "10001", "3"], "01000"),
            (&[">>", "10001", "2"], "00100"),
            (&["<<", "101", "99"], "000"),
            (&["number", "5", "10"], "0000000101"),
            (&["number", "-5", "70"], &format!("{}1011", "1".repeat(66))),
            (&["substring", "110011", "3"], "0011"),
            (&["substring", "110011", "-1", "4"], "11"),
            (&["substring", "110011", "2", "-1"], "SQLSTATE 22011: negative substring length not allowed"),
            (&["overlay", "0101011100", "001", "2", "3"], "0001011100"),
            (&["overlay", "0101", "11", "5"], "010111"),
            (&["set_bit", "000", "1", "1"], "010"),
            (&["set_bit", "000", "3", "1"], "SQLSTATE 2202E: bit index 3 out of valid range (0..2)"),
            (&["all_and", "110;011;111"], "010"),
        ] {
            assert_eq!(of(args), expected, "{args:?}");
        }
    }
}
