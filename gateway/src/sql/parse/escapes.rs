//! `E'\xc3\xa9'`: characters that are written as the bytes of their UTF-8, which the tokenizer does not read.

use std::sync::Arc;

use sqlparser::tokenizer::{TokenWithSpan, Tokenizer, TokenizerError};

use super::errors::unterminated;
use crate::{
    sql::{dialect::Postgres, position},
    wire::error::PgResult,
};

/// How much text is read again for such literals: each costs a reading of the whole.
const READ_AGAIN_BYTES_MAX: usize = 64 << 20;

/// The tokens of a text, and the text that they are of: as long as the one that was sent.
pub(super) fn tokens(text: &Arc<str>) -> PgResult<(Arc<str>, Vec<TokenWithSpan>)> {
    let mut text = Arc::clone(text);
    let mut read = 0;
    loop {
        match Tokenizer::new(&Postgres {}, &text).tokenize_with_location() {
            Ok(tokens) => return Ok((text, tokens)),
            Err(error) => {
                read += text.len();
                let again = if read > READ_AGAIN_BYTES_MAX { None } else { with_characters(&text, &error) };
                match again {
                    Some(again) => text = Arc::from(again),
                    None => return Err(unterminated(&text, &error)),
                }
            }
        }
    }
}

/// The text with characters for bytes in the literal that an error is about. None: there are none, or they are no UTF-8.
fn with_characters(text: &str, error: &TokenizerError) -> Option<String> {
    if !error.message.contains("encoded string") {
        return None;
    }
    let at = position::byte(text, error.location);
    let literal = text.get(at..)?;
    let start = literal.find('\'')? + 1;
    let mut rest = literal.get(start..)?;
    let mut inside = String::new();
    let mut gone = 0;
    loop {
        let c = rest.chars().next()?;
        match c {
            '\'' if rest.starts_with("''") => {
                inside.push_str("''");
                rest = rest.get(2..)?;
            }
            '\'' => break,
            '\\' => {
                let (bytes, length) = escaped_bytes(rest);
                if bytes.iter().any(|byte| !byte.is_ascii()) {
                    let shown = std::str::from_utf8(&bytes).ok()?.replace('\\', "\\\\").replace('\'', "''");
                    gone += length - shown.chars().count();
                    inside.push_str(&shown);
                    rest = rest.get(length..)?;
                    continue;
                }
                // An escape of another kind, or one of ASCII.
                let length = 1 + rest.get(1..)?.chars().next()?.len_utf8();
                inside.push_str(rest.get(..length)?);
                rest = rest.get(length..)?;
            }
            c => {
                inside.push(c);
                rest = rest.get(c.len_utf8()..)?;
            }
        }
    }
    // What follows stays in its place.
    let (before, blanks) = (text.get(..at + start)?, " ".repeat(gone));
    (gone > 0).then(|| format!("{before}{inside}'{blanks}{}", rest.get(1..).unwrap_or_default()))
}

/// The bytes of `\xHH` and `\ooo` side by side, and how long they are written.
fn escaped_bytes(text: &str) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(after) = text.get(length..).and_then(|rest| rest.strip_prefix('\\')) {
        let (skipped, max, radix) = if after.starts_with('x') { (1, 2, 16) } else { (0, 3, 8) };
        let digits = after.get(skipped..).unwrap_or_default();
        let count = digits.chars().take(max).take_while(|c| c.is_digit(radix)).count();
        let Some(value) = digits.get(..count).and_then(|digits| u32::from_str_radix(digits, radix).ok()) else { break };
        let byte = u8::try_from(value & 0xff).unwrap_or_default();
        if byte == 0 {
            break;
        }
        bytes.push(byte);
        length += 1 + skipped + count;
    }
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    #[test]
    fn bytes_of_characters_are_read() {
        for (sql, expected) in [
            (r"select E'\xc3\xa9' x", "select E'é' x"),
            (r"select E'a\303\251''\\\xe2\x82\xac\n', 1", r"select E'aé''\\€\n', 1"),
            (r"E'\xc3\xa9', E'\xf0\x9f\x98\x80'", "E'é', E'😀'"),
            (r"E'\x41\101'", r"E'\x41\101'"),
            (r"E'\xc3\xa9\x27\x5c'", r"E'é''\\'"),
        ] {
            let (text, _) = super::tokens(&Arc::from(sql)).unwrap();
            assert_eq!(text.replace(' ', ""), expected.replace(' ', ""), "{sql}");
            assert_eq!(text.chars().count(), sql.chars().count(), "{sql}");
        }
        for sql in [r"E'\xff'", r"E'\xc3'", r"E'\xc3\xa9\x00'", r"E'\xc3\xa9"] {
            assert!(super::tokens(&Arc::from(sql)).is_err(), "{sql}");
        }
    }
}
