//! Cuts the input into frames, and refuses a frame by its header before its body is kept.

use bytes::{Buf, Bytes, BytesMut};

use super::{PgError, PgResult, SqlState, WireLimits};

const HEADER_BYTES: usize = 5;

/// What the input begins with.
#[derive(Debug)]
pub(super) enum Cut {
    /// A whole message.
    Frame { kind: u8, body: Bytes },
    /// The header of a CopyData message was taken; this many bytes of data follow.
    CopyData(usize),
    /// At least this many bytes are missing.
    Missing(usize),
}

/// Takes the next message off the input.
pub(super) fn cut(input: &mut BytesMut, limits: &WireLimits) -> PgResult<Cut> {
    let Some((kind, body)) = header(input, limits)? else {
        return Ok(Cut::Missing(HEADER_BYTES.saturating_sub(input.len()).max(1)));
    };
    if kind == b'd' {
        input.advance(HEADER_BYTES);
        return Ok(Cut::CopyData(body));
    }
    let total = HEADER_BYTES + body;
    if input.len() < total {
        return Ok(Cut::Missing(total - input.len()));
    }
    let mut frame = input.split_to(total).freeze();
    frame.advance(HEADER_BYTES);
    Ok(Cut::Frame { kind, body: frame })
}

/// Whether a Sync ends the batch right here: only Close messages may stand before it, they touch no transaction.
pub(super) fn sync_follows(mut input: &[u8], limits: &WireLimits) -> bool {
    loop {
        match header(input, limits) {
            Ok(Some((b'S', _))) => return true,
            Ok(Some((b'C', body))) => match input.get(HEADER_BYTES + body..) {
                Some(rest) => input = rest,
                None => return false,
            },
            _ => return false,
        }
    }
}

/// Kind and body length, once they are there and allowed.
fn header(input: &[u8], limits: &WireLimits) -> PgResult<Option<(u8, usize)>> {
    let Some((&kind, rest)) = input.split_first() else {
        return Ok(None);
    };
    let max = body_bytes_max(kind, limits)?;
    let Some(length) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    let body = u32::from_be_bytes(*length).checked_sub(4).ok_or_else(bad_length)? as usize;
    if body > max {
        return Err(bad_length().detail(format!("A message of this type may have at most {max} bytes.")));
    }
    Ok(Some((kind, body)))
}

fn body_bytes_max(kind: u8, limits: &WireLimits) -> PgResult<usize> {
    match kind {
        b'Q' | b'P' | b'B' => Ok(limits.query_bytes_max),
        b'd' => Ok(limits.copy_data_bytes_max),
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' | b'F' => Ok(limits.small_bytes_max),
        other => Err(PgError::fatal(SqlState::PROTOCOL_VIOLATION, format!("invalid frontend message type {other}"))),
    }
}

fn bad_length() -> PgError {
    PgError::fatal(SqlState::PROTOCOL_VIOLATION, "invalid message length")
}
