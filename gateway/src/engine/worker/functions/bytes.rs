//! Bytes and bits of a `bytea`, which comes as hexadecimal digits.

use super::{Failure, Outcome, Value, integer, text};
use crate::value::bytea;

fn bytes(args: &[Option<&str>]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
    text(args, 0).as_bytes().chunks(2).map(|p| p.iter().fold(0, |sum, b| sum << 4 | digit(*b))).collect()
}

/// `pg_bytea(text)`: `byteain`.
pub fn read(args: &[Option<&str>]) -> Outcome<Value> {
    let mut bytes = Vec::new();
    bytea::parse(text(args, 0).as_bytes(), &mut bytes)?;
    Ok(Value::Bytes(bytes))
}

/// The index, if it is inside.
fn index(args: &[Option<&str>], length: usize) -> Outcome<usize> {
    let n = integer(args, 1);
    let most = i64::try_from(length).unwrap_or(i64::MAX) - 1;
    match usize::try_from(n) {
        Ok(at) if n <= most => Ok(at),
        _ => Err(Failure::new("2202E", format!("index {n} out of valid range, 0..{most}"))),
    }
}

/// `get_byte(bytes, n)`.
pub fn get_byte(args: &[Option<&str>]) -> Outcome<Value> {
    let bytes = bytes(args);
    let at = index(args, bytes.len())?;
    Ok(Value::Int(bytes.get(at).copied().unwrap_or(0).into()))
}

/// `set_byte(bytes, n, value)`.
pub fn set_byte(args: &[Option<&str>]) -> Outcome<Value> {
    let mut bytes = bytes(args);
    let at = index(args, bytes.len())?;
    if let (Some(slot), [low, ..]) = (bytes.get_mut(at), integer(args, 2).to_le_bytes()) {
        *slot = low;
    }
    Ok(Value::Bytes(bytes))
}

/// `get_bit(bytes, n)`: of each byte the lowest first.
pub fn get_bit(args: &[Option<&str>]) -> Outcome<Value> {
    let bytes = bytes(args);
    let at = index(args, bytes.len() * 8)?;
    Ok(Value::Int((bytes.get(at / 8).copied().unwrap_or(0) >> (at % 8) & 1).into()))
}

/// `set_bit(bytes, n, value)`.
pub fn set_bit(args: &[Option<&str>]) -> Outcome<Value> {
    let mut bytes = bytes(args);
    let at = index(args, bytes.len() * 8)?;
    let on = match integer(args, 2) {
        0 => false,
        1 => true,
        _ => return Err(Failure::new("22023", "new bit must be 0 or 1")),
    };
    if let Some(slot) = bytes.get_mut(at / 8) {
        *slot = if on { *slot | 1 << (at % 8) } else { *slot & !(1 << (at % 8)) };
    }
    Ok(Value::Bytes(bytes))
}
