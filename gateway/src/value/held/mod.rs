//! Types whose values are held as text in Postgres' form: from and to clients, and the order among them.
//!
//! A stored text depends on no setting: times with zones in it are UTC.

pub(crate) mod bits;
pub(crate) mod grid;
pub(crate) mod hardware;
pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod range;
pub(crate) mod record;
pub(crate) mod timetz;

use std::borrow::Cow;

use duckmesh_catalog::types::{RangeType, TextType};

use self::network::Inet;
use self::timetz::Timetz;
use super::context::{DateStyle, ValueContext};
use super::wire_bytes::WireBytes;
use crate::wire::error::PgResult;

fn utc() -> ValueContext {
    ValueContext::new(chrono::DateTime::UNIX_EPOCH)
}

/// The stored text of a client's text.
pub(crate) fn read(ty: TextType, text: &str, ctx: &ValueContext) -> PgResult<String> {
    Ok(match ty {
        TextType::Inet => Inet::parse(text, false)?.text(false),
        TextType::Cidr => Inet::parse(text, true)?.text(true),
        TextType::Macaddr => hardware::text(&hardware::parse(text)?),
        TextType::Macaddr8 => hardware::text(&hardware::parse8(text)?),
        TextType::Timetz => Timetz::parse(text.as_bytes(), ctx)?.text(),
        TextType::Bit | TextType::Varbit => bits::parse(text)?,
        TextType::Range(of) => range::read(of, text, ctx)?.text(&utc()),
        TextType::Multirange(of) => range::read_multirange(of, text, ctx)?.text(&utc()),
    })
}

/// The stored text of a client's bytes.
pub(crate) fn receive(ty: TextType, bytes: &[u8]) -> PgResult<String> {
    let octets = |count: usize| -> PgResult<String> {
        let mut wire = WireBytes(bytes);
        let octets = wire.bytes(count).map(hardware::text)?;
        wire.end()?;
        Ok(octets)
    };
    Ok(match ty {
        TextType::Inet => Inet::receive(bytes, false)?.text(false),
        TextType::Cidr => Inet::receive(bytes, true)?.text(true),
        TextType::Macaddr => octets(6)?,
        // Six are taken too, as in `macaddr8_recv`.
        TextType::Macaddr8 if bytes.len() == 6 => hardware::text(&hardware::widened(bytes)),
        TextType::Macaddr8 => octets(8)?,
        TextType::Timetz => Timetz::receive(bytes)?.text(),
        TextType::Bit | TextType::Varbit => bits::receive(bytes)?,
        TextType::Range(of) => range::receive(of, bytes)?.text(&utc()),
        TextType::Multirange(of) => range::receive_multirange(of, bytes)?.text(&utc()),
    })
}

/// The text for a client.
pub(crate) fn show<'a>(ty: TextType, stored: &'a str, ctx: &ValueContext) -> PgResult<Cow<'a, str>> {
    let depends = |of: RangeType| match of {
        RangeType::Tstz => true,
        RangeType::Ts | RangeType::Date => ctx.date_style != DateStyle::Iso,
        _ => false,
    };
    Ok(match ty {
        TextType::Range(of) if depends(of) => Cow::Owned(range::stored(of, stored)?.text(ctx)),
        TextType::Multirange(of) if depends(of) => Cow::Owned(range::stored_multirange(of, stored)?.text(ctx)),
        _ => Cow::Borrowed(stored),
    })
}

/// The bytes for a client.
pub(crate) fn send(ty: TextType, stored: &str, out: &mut Vec<u8>) -> PgResult<()> {
    match ty {
        TextType::Inet => Inet::parse(stored, false)?.send(false, out),
        TextType::Cidr => Inet::parse(stored, true)?.send(true, out),
        TextType::Macaddr | TextType::Macaddr8 => out.extend(hardware::octets(stored)),
        TextType::Timetz => Timetz::stored(stored)?.send(out),
        TextType::Bit | TextType::Varbit => bits::send(stored, out),
        TextType::Range(of) => range::send(&range::stored(of, stored)?, out)?,
        TextType::Multirange(of) => range::send_multirange(&range::stored_multirange(of, stored)?, out)?,
    }
    Ok(())
}

/// Bytes that order as the values do, and are equal where they are.
pub(crate) fn key(ty: TextType, stored: &str) -> PgResult<Vec<u8>> {
    Ok(match ty {
        TextType::Inet => Inet::parse(stored, false)?.key(),
        TextType::Cidr => Inet::parse(stored, true)?.key(),
        TextType::Macaddr | TextType::Macaddr8 => hardware::octets(stored),
        TextType::Timetz => Timetz::stored(stored)?.key(),
        TextType::Bit | TextType::Varbit => stored.as_bytes().to_vec(),
        TextType::Range(of) => range::stored(of, stored)?.key(),
        TextType::Multirange(of) => range::stored_multirange(of, stored)?.key(),
    })
}
