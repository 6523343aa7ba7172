//! `bit` and `bit varying`: strings of bits, held as their digits.

use super::super::wire_bytes::WireBytes;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' longest string of bits in hexadecimal digits: four bits each.
const HEX_DIGITS_MAX: usize = (i32::MAX as usize - 7) / 4;
/// The most bits that the log and a lake's files are asked to hold as one value.
const BITS_MAX: usize = 1 << 28;

/// `bit_in` and `varbit_in`: `101`, `B101`, `X1F`.
pub(crate) fn parse(text: &str) -> PgResult<String> {
    let (digits, hex) = match text.as_bytes().first() {
        Some(b'b' | b'B') => (text.get(1..).unwrap_or_default(), false),
        Some(b'x' | b'X') => (text.get(1..).unwrap_or_default(), true),
        _ => (text, false),
    };
    if digits.len() > HEX_DIGITS_MAX.min(BITS_MAX) {
        return Err(too_long());
    }
    let wrong = |c: char, kind: &str| {
        let message = format!("\"{c}\" is not a valid {kind} digit");
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    };
    if !hex {
        return match digits.chars().find(|c| !matches!(c, '0' | '1')) {
            Some(c) => Err(wrong(c, "binary")),
            None => Ok(digits.to_owned()),
        };
    }
    let mut bits = String::with_capacity(digits.len() * 4);
    for c in digits.chars() {
        let digit = c.to_digit(16).ok_or_else(|| wrong(c, "hexadecimal"))?;
        bits.extend([8, 4, 2, 1].map(|mask| if digit & mask == 0 { '0' } else { '1' }));
    }
    Ok(bits)
}

/// How many bits a text says that it has.
pub(crate) fn said(text: &str) -> usize {
    let bits = match text.as_bytes().first() {
        Some(b'b' | b'B') => text.len() - 1,
        Some(b'x' | b'X') => (text.len() - 1) * 4,
        _ => text.len(),
    };
    bits.min(BITS_MAX)
}

fn too_long() -> PgError {
    let message = format!("bit string length exceeds the maximum allowed ({BITS_MAX})");
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

/// `bit_recv`: the number of bits, and the bytes that hold them; bits behind the last are nothing.
pub(crate) fn receive(bytes: &[u8]) -> PgResult<String> {
    let mut wire = WireBytes(bytes);
    let length = usize::try_from(wire.i32()?)
        .map_err(|_| PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, "invalid length in external bit string"))?;
    if length > BITS_MAX {
        return Err(too_long());
    }
    let held = wire.bytes(length.div_ceil(8))?;
    wire.end()?;
    let bit = |at: usize| held.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    Ok((0..length).map(|at| if bit(at) { '1' } else { '0' }).collect())
}

/// `bit_send`.
pub(crate) fn send(digits: &str, out: &mut Vec<u8>) {
    out.extend(i32::try_from(digits.len()).unwrap_or(i32::MAX).to_be_bytes());
    for group in digits.as_bytes().chunks(8) {
        let byte = group.iter().enumerate().filter(|(_, digit)| **digit == b'1').map(|(at, _)| 0x80_u8 >> at);
        out.push(byte.fold(0, |sum, bit| sum | bit));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_go_both_ways() {
        for (text, expected) in [("101", "101"), ("B01", "01"), ("x1F", "00011111"), ("", ""), ("X", "")] {
            let digits = super::parse(text).unwrap();
            assert_eq!(digits, expected, "{text}");
            let mut bytes = Vec::new();
            super::send(&digits, &mut bytes);
            assert_eq!(super::receive(&bytes).unwrap(), expected, "{text}");
        }
        for (text, message) in [
            ("12", "22P02: \"2\" is not a valid binary digit"),
            ("x1g", "22P02: \"g\" is not a valid hexadecimal digit"),
            (" 1", "22P02: \" \" is not a valid binary digit"),
        ] {
            assert_eq!(super::parse(text).unwrap_err().to_string(), message);
        }
        let mut bytes = Vec::new();
        super::send("101010101", &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 9, 0xaa, 0x80]);
        assert_eq!(super::receive(&[0, 0, 0, 3, 0xff]).unwrap(), "111");
        assert!(super::receive(&[0xff; 4]).is_err());
        assert!(super::receive(&[0, 0, 0, 9, 1]).is_err());
        assert!(super::receive(&[0x7f, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
