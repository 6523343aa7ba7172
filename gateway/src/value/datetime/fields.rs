//! Cuts the text of a date, time or interval into fields.

use std::borrow::Cow;

use super::tokens;
use crate::value::error::is_space;

/// Fields that one value may have.
const FIELDS_MAX: usize = 25;
/// Postgres' limit of the text's length, over all fields.
const TEXT_BYTES_MAX: usize = 128 + FIELDS_MAX;

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::value) enum FieldKind {
    /// Digits with `-`, `/` or `.` between, or a zone's name with punctuation.
    Date,
    /// Digits with `:` between.
    Time,
    /// A sign with digits.
    Zone,
    Number,
    Word,
    /// A sign with letters.
    Special,
}

/// A field; letters are lower case.
pub(in crate::value) type Field<'a> = (FieldKind, Cow<'a, str>);

/// The fields; none when the text has a character that belongs to none of them.
pub(in crate::value) fn split(text: &str) -> Option<Vec<Field<'_>>> {
    let bytes = text.as_bytes();
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(8);
    let mut at = 0;
    let mut kept = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_space(byte) {
            at += 1;
            continue;
        }
        let (kind, field, next) = match byte {
            b'0'..=b'9' => number(text, at)?,
            b'.' => {
                let end = run(bytes, at + 1, |b| b.is_ascii_digit());
                (FieldKind::Number, slice(text, at, end)?, end)
            }
            b'a'..=b'z' | b'A'..=b'Z' => word(text, at)?,
            b'+' | b'-' => signed(text, at)?,
            _ if byte.is_ascii_punctuation() => {
                at += 1;
                continue;
            }
            _ => return None,
        };
        kept += field.len() + 1;
        if fields.len() >= FIELDS_MAX || kept > TEXT_BYTES_MAX {
            return None;
        }
        fields.push((kind, field));
        at = next;
    }
    Some(fields)
}

/// The end of the run of bytes that `take` accepts.
fn run(bytes: &[u8], mut at: usize, take: impl Fn(u8) -> bool) -> usize {
    while bytes.get(at).is_some_and(|b| take(*b)) {
        at += 1;
    }
    at
}

fn slice(text: &str, start: usize, end: usize) -> Option<Cow<'_, str>> {
    let piece = text.get(start..end)?;
    Some(if piece.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(piece.to_ascii_lowercase())
    } else {
        Cow::Borrowed(piece)
    })
}

/// What begins with a digit.
fn number(text: &str, start: usize) -> Option<(FieldKind, Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let digit = |b: u8| b.is_ascii_digit();
    let mut at = run(bytes, start, digit);
    let kind = match bytes.get(at) {
        Some(b':') => {
            at = run(bytes, at, |b| digit(b) || b == b':' || b == b'.');
            FieldKind::Time
        }
        Some(&mark @ (b'-' | b'/' | b'.')) => {
            at += 1;
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                let mut kind = if mark == b'.' { FieldKind::Number } else { FieldKind::Date };
                at = run(bytes, at, digit);
                if bytes.get(at) == Some(&mark) {
                    kind = FieldKind::Date;
                    at = run(bytes, at, |b| digit(b) || b == mark);
                }
                kind
            } else {
                at = run(bytes, at, |b| b.is_ascii_alphanumeric() || b == mark);
                FieldKind::Date
            }
        }
        _ => FieldKind::Number,
    };
    Some((kind, slice(text, start, at)?, at))
}

/// What begins with a letter: a word, a date that begins with a month, or a zone's name.
fn word(text: &str, start: usize) -> Option<(FieldKind, Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let end = run(bytes, start, |b| b.is_ascii_alphabetic());
    let letters = slice(text, start, end)?;
    let goes_on = match bytes.get(end) {
        Some(b'-' | b'/' | b'.') => true,
        // `pst8pdt` is a zone, `jan1` is two fields.
        Some(b'+' | b'0'..=b'9') => tokens::date_word(&letters).is_none(),
        _ => false,
    };
    if !goes_on {
        return Some((FieldKind::Word, letters, end));
    }
    let end = run(bytes, end, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
    Some((FieldKind::Date, slice(text, start, end)?, end))
}

/// What begins with a sign; white space behind the sign is dropped.
fn signed(text: &str, start: usize) -> Option<(FieldKind, Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let body = run(bytes, start + 1, is_space);
    let (kind, end) = match bytes.get(body)? {
        b'0'..=b'9' | b'.' => {
            let end = run(bytes, body, |b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
            (FieldKind::Zone, end)
        }
        b if b.is_ascii_alphabetic() => (FieldKind::Special, run(bytes, body, |b| b.is_ascii_alphabetic())),
        _ => return None,
    };
    let field = if body == start + 1 {
        slice(text, start, end)?
    } else {
        let sign = text.get(start..=start)?;
        Cow::Owned(format!("{sign}{}", text.get(body..end)?.to_ascii_lowercase()))
    };
    Some((kind, field, end))
}
