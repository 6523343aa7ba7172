//! The errors that many types share, in Postgres' words.

use crate::wire::error::{PgError, SqlState};

/// `invalid input syntax for type integer: "x"`
#[cold]
pub(crate) fn invalid_syntax(type_name: &str, text: &[u8]) -> PgError {
    let text = String::from_utf8_lossy(text);
    PgError::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

/// `value "99999" is out of range for type smallint`
#[cold]
pub(super) fn out_of_range(type_name: &str, text: &[u8]) -> PgError {
    let text = String::from_utf8_lossy(text);
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {type_name}"))
}

/// `invalid byte sequence for encoding "UTF8": 0xff`
#[cold]
pub(crate) fn invalid_utf8(bytes: &[u8]) -> PgError {
    let valid = std::str::from_utf8(bytes).err().map_or(0, |e| e.valid_up_to());
    let bad = bytes.get(valid..).unwrap_or_default();
    let wanted = match bad.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let shown: Vec<String> = bad.iter().take(wanted).map(|b| format!("0x{b:02x}")).collect();
    PgError::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}

/// Checks text for UTF-8 without NUL, as every text of Postgres is.
pub(super) fn text(bytes: &[u8]) -> Result<&str, PgError> {
    if memchr::memchr(0, bytes).is_some() {
        let zero =
            PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00");
        return Err(zero);
    }
    std::str::from_utf8(bytes).map_err(|_| invalid_utf8(bytes))
}

/// A binary value that is too short.
#[cold]
pub(super) fn too_short() -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// A binary value that goes on after its end; the caller says of which parameter or column.
#[cold]
pub(super) fn too_long() -> PgError {
    PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
}

/// What isspace() takes in the C locale.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Without white space at both ends.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}
