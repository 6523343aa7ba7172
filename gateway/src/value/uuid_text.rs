//! `uuid` from all the forms that Postgres takes, and to its one form.

use bytes::{BufMut, BytesMut};

use super::bytea::write_hex;
use super::error::invalid_syntax;
use crate::wire::error::PgResult;

/// `uuid_in`: digits in either case, in braces or not, with a hyphen after any group of four.
pub(super) fn parse(text: &[u8]) -> PgResult<[u8; 16]> {
    read(text).ok_or_else(|| invalid_syntax("uuid", text))
}

fn read(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        _ => text,
    };
    let mut bytes = [0; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        let (digits, behind) = rest.split_first_chunk::<2>()?;
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        rest = behind;
        if i % 2 == 1 && i < 15 {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
    }
    rest.is_empty().then_some(bytes)
}

/// `uuid_out`.
pub(super) fn write(bytes: &[u8], out: &mut BytesMut) {
    for (i, pair) in bytes.chunks(2).enumerate() {
        if (2..=5).contains(&i) {
            out.put_u8(b'-');
        }
        write_hex(pair, out);
    }
}
