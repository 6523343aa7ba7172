//! Bytes and bits of a `bytea`, which comes as hexadecimal digits.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Failure, Outcome, Value, integer, text};
use crate::value::bytea;

pub(super) fn bytes(args: &[Option<&str>]) -> Vec<u8> {
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

/// What stands for a zero byte in a text of bytes: the engine's functions of texts may end at a zero.
const ZERO: char = '\u{100}';

/// `pg_bytes_text(bytes)`: a text with one character for each byte.
pub fn as_text(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Text(bytes(args).into_iter().map(|byte| if byte == 0 { ZERO } else { char::from(byte) }).collect()))
}

/// `pg_text_bytes(text)`: the bytes of such a text.
pub fn of_text(args: &[Option<&str>]) -> Outcome<Value> {
    let byte = |c: char| u8::try_from(u32::from(c)).unwrap_or(0);
    Ok(Value::Bytes(text(args, 0).chars().map(byte).collect()))
}

/// `bit_count(bytes)`.
pub fn ones(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(Value::Int(bytes(args).into_iter().map(|byte| i64::from(byte.count_ones())).sum()))
}

/// `sha224(bytes)` and its kin, by name.
pub fn hash(args: &[Option<&str>]) -> Outcome<Value> {
    let bytes = bytes(args);
    Ok(Value::Bytes(match text(args, 1) {
        "sha224" => Sha224::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        _ => Sha512::digest(bytes).to_vec(),
    }))
}
