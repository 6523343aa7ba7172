//! `bytea` in its hexadecimal and escape forms.

use bytes::{BufMut, BytesMut};

use super::context::ByteaOutput;
use crate::wire::error::{PgError, PgResult, SqlState};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `byteain`, appended to `out`.
pub(crate) fn parse(text: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    match text {
        [b'\\', b'x', hex @ ..] => parse_hex(hex, out),
        _ => parse_escape(text, out),
    }
}

fn parse_hex(mut text: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    out.reserve(text.len() / 2);
    while let [first, rest @ ..] = text {
        if matches!(first, b' ' | b'\n' | b'\t' | b'\r') {
            text = rest;
            continue;
        }
        let high = hex_digit(text)?;
        if rest.is_empty() {
            let odd = "invalid hexadecimal data: odd number of digits";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, odd));
        }
        out.push(high << 4 | hex_digit(rest)?);
        text = rest.get(1..).unwrap_or_default();
    }
    Ok(())
}

fn hex_digit(text: &[u8]) -> PgResult<u8> {
    match text.first() {
        Some(b @ b'0'..=b'9') => Ok(b - b'0'),
        Some(b @ b'a'..=b'f') => Ok(b - b'a' + 10),
        Some(b @ b'A'..=b'F') => Ok(b - b'A' + 10),
        _ => {
            let shown = String::from_utf8_lossy(text).chars().next().unwrap_or_default();
            let message = format!("invalid hexadecimal digit: \"{shown}\"");
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

fn parse_escape(mut text: &[u8], out: &mut Vec<u8>) -> PgResult<()> {
    loop {
        match text {
            [] => return Ok(()),
            [b'\\', b'\\', rest @ ..] => {
                out.push(b'\\');
                text = rest;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                text = rest;
            }
            [b'\\', ..] => {
                let message = "invalid input syntax for type bytea";
                return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                text = rest;
            }
        }
    }
}

/// `byteaout`.
pub(super) fn write(bytes: &[u8], form: ByteaOutput, out: &mut BytesMut) {
    match form {
        ByteaOutput::Hex => {
            out.reserve(bytes.len() * 2 + 2);
            out.put_slice(b"\\x");
            write_hex(bytes, out);
        }
        ByteaOutput::Escape => {
            for byte in bytes {
                match byte {
                    b'\\' => out.put_slice(b"\\\\"),
                    0x20..=0x7e => out.put_u8(*byte),
                    _ => {
                        let octal = [b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)];
                        out.put_slice(&octal);
                    }
                }
            }
        }
    }
}

/// Two lower case digits for each byte.
pub(super) fn write_hex(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}
