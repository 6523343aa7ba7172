//! Rows as values, held as their text: `(1,"a b",)`.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use duckmesh_catalog::types::{ColumnType, RangeType, RecordType, TextType};

use super::super::builder::ColumnBuilder;
use super::super::context::{ByteaOutput, DateStyle, IntervalStyle, ValueContext};
use super::super::encoder::Encoder;
use super::super::interval::Interval;
use super::super::wire_bytes::WireBytes;
use super::super::{interval, numeric};
use super::utc;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Rows inside of rows.
const DEPTH_MAX: usize = 64;

/// The fields of a row's text; none is NULL. None where it is no row's text.
pub(crate) fn fields(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim_start().strip_prefix('(')?.trim_end().strip_suffix(')')?;
    let mut fields = Vec::new();
    let (mut field, mut quoted, mut any) = (String::new(), false, false);
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            (',', false) => {
                fields.push(any.then(|| std::mem::take(&mut field)));
                field.clear();
                any = false;
                continue;
            }
            ('"', true) if chars.peek() == Some(&'"') => field.extend(chars.next()),
            ('"', _) => quoted = !quoted,
            ('\\', _) => field.push(chars.next()?),
            ('(' | ')', false) => return None,
            (c, _) => field.push(c),
        }
        any = true;
    }
    if quoted {
        return None;
    }
    fields.push(any.then_some(field));
    Some(fields)
}

/// A row's text of the texts of its fields.
pub(crate) fn text<'a>(fields: impl Iterator<Item = Option<&'a str>>) -> String {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || c.is_ascii_whitespace();
    let mut out = "(".to_owned();
    for (n, field) in fields.enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        match field {
            None => {}
            Some(field) if field.is_empty() || field.contains(special) => {
                out.push_str(&format!("\"{}\"", field.replace('\\', "\\\\").replace('"', "\"\"")));
            }
            Some(field) => out.push_str(field),
        }
    }
    out.push(')');
    out
}

/// `malformed record literal`.
pub(crate) fn malformed(text: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed record literal: \"{text}\""))
}

/// The texts of a row's fields, as many as its type has.
pub(crate) fn parts(row: &RecordType, given: &str) -> PgResult<Vec<Option<String>>> {
    let parts = fields(given).ok_or_else(|| malformed(given))?;
    if parts.len() == row.fields.len() {
        return Ok(parts);
    }
    let detail = if parts.len() < row.fields.len() { "Too few columns." } else { "Too many columns." };
    Err(malformed(given).detail(detail))
}

/// The held text of a client's text: no setting of the session is in it, and times with zones are UTC.
pub(crate) fn read(row: &RecordType, given: &str, ctx: &ValueContext) -> PgResult<String> {
    let parts = parts(row, given)?;
    let mut texts = Vec::with_capacity(parts.len());
    for (part, (_, ty)) in parts.into_iter().zip(&row.fields) {
        texts.push(part.map(|part| held(ty, Given::Text(part.as_bytes()), ctx)).transpose()?);
    }
    Ok(text(texts.iter().map(Option::as_deref)))
}

/// The held text of a client's bytes, as `record_recv` reads them.
pub(crate) fn receive(row: &RecordType, bytes: &[u8], ctx: &ValueContext) -> PgResult<String> {
    let mismatch = |message: String| PgError::new(SqlState::DATATYPE_MISMATCH, message);
    let mut wire = WireBytes(bytes);
    let count = wire.i32()?;
    if usize::try_from(count) != Ok(row.fields.len()) {
        return Err(mismatch(format!("wrong number of columns: {count}, expected {}", row.fields.len())));
    }
    let mut texts = Vec::with_capacity(row.fields.len());
    for (n, (_, ty)) in row.fields.iter().enumerate() {
        let given = wire.u32()?;
        if given != ty.oid() {
            let message = format!(
                "binary data has type {given} ({}) instead of expected {} ({}) in record column {}",
                super::super::type_of_oid(given, -1).map_or_else(|| "???".to_owned(), |ty| ty.to_string()),
                ty.oid(),
                ty.bare(),
                n + 1
            );
            return Err(mismatch(message));
        }
        let length = wire.i32()?;
        if length == -1 {
            texts.push(None);
            continue;
        }
        // Its own code, unlike that of a message that ends too soon.
        let value = usize::try_from(length).ok().and_then(|length| wire.bytes(length).ok()).ok_or_else(|| {
            PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, "insufficient data left in message")
        })?;
        texts.push(Some(held(ty, Given::Binary(value), ctx)?));
    }
    wire.end()?;
    Ok(text(texts.iter().map(Option::as_deref)))
}

/// A field as it came.
#[derive(Clone, Copy)]
enum Given<'a> {
    Text(&'a [u8]),
    Binary(&'a [u8]),
}

/// A field's text, of what a column of its type makes of a value.
fn held(ty: &ColumnType, given: Given<'_>, ctx: &ValueContext) -> PgResult<String> {
    let (bare, modifier) = ty.clone().split();
    if bare == ColumnType::Interval {
        // What a lake's own intervals cannot be, a text can.
        let value = match given {
            Given::Text(text) => interval::parse(text, modifier, ctx)?,
            Given::Binary(bytes) => {
                let mut wire = WireBytes(bytes);
                let (micros, days, months) = (wire.i64()?, wire.i32()?, wire.i32()?);
                wire.end()?;
                Interval { months, days, micros }
            }
        };
        let mut out = BytesMut::new();
        interval::write(value, IntervalStyle::Postgres, &mut out);
        return Ok(String::from_utf8_lossy(&out).into_owned());
    }
    let mut column = ColumnBuilder::new(ty, 1)?;
    match given {
        Given::Text(text) => column.append_text(text, ctx)?,
        Given::Binary(bytes) => column.append_binary(bytes, ctx)?,
    }
    written(&mut column, ty, &utc())
}

fn written(column: &mut ColumnBuilder, ty: &ColumnType, ctx: &ValueContext) -> PgResult<String> {
    let array = column.finish();
    let encoder = Encoder::new(array.data_type(), &ty.duckdb(), Some(ty), &Arc::new(ctx.clone()))?;
    let mut out = BytesMut::new();
    encoder.bind(&array)?.encode_text(0, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Whether the text of a type's values is another in this session than the one that is held.
fn depends(ty: &ColumnType, ctx: &ValueContext) -> bool {
    use ColumnType as T;
    match ty.bare() {
        T::Timestamptz => true,
        T::Date | T::Timestamp => ctx.date_style != DateStyle::Iso,
        T::Interval => ctx.interval_style != IntervalStyle::Postgres,
        T::Bytea => ctx.bytea_output != ByteaOutput::Hex,
        T::Float4 | T::Float8 => ctx.extra_float_digits < 1,
        T::AsText(TextType::Range(of) | TextType::Multirange(of)) => match of {
            RangeType::Tstz => true,
            RangeType::Ts | RangeType::Date => ctx.date_style != DateStyle::Iso,
            _ => false,
        },
        T::Array(element) | T::Grid(element) => depends(element, ctx),
        T::Record(row) => row.fields.iter().any(|(_, ty)| depends(ty, ctx)),
        _ => false,
    }
}

/// The text for a client.
pub(crate) fn show<'a>(types: &[ColumnType], stored: &'a str, ctx: &ValueContext) -> PgResult<Cow<'a, str>> {
    shown(types, stored, ctx, 0)
}

fn shown<'a>(types: &[ColumnType], stored: &'a str, ctx: &ValueContext, depth: usize) -> PgResult<Cow<'a, str>> {
    if !types.iter().any(|ty| depends(ty, ctx)) || depth > DEPTH_MAX {
        return Ok(Cow::Borrowed(stored));
    }
    let Some(parts) = fields(stored).filter(|parts| parts.len() == types.len()) else {
        return Ok(Cow::Borrowed(stored));
    };
    let mut texts = Vec::with_capacity(parts.len());
    for (ty, part) in types.iter().zip(parts) {
        texts.push(match part {
            Some(part) if depends(ty, ctx) => Some(shown_field(ty, part, ctx, depth)?),
            other => other,
        });
    }
    Ok(Cow::Owned(text(texts.iter().map(Option::as_deref))))
}

fn shown_field(ty: &ColumnType, stored: String, ctx: &ValueContext, depth: usize) -> PgResult<String> {
    match ty.bare() {
        ColumnType::Record(row) => {
            let types: Vec<ColumnType> = row.fields.iter().map(|(_, ty)| ty.clone()).collect();
            shown(&types, &stored, ctx, depth + 1).map(Cow::into_owned)
        }
        ColumnType::Interval => {
            let mut out = BytesMut::new();
            interval::write(interval::parse(stored.as_bytes(), None, &utc())?, ctx.interval_style, &mut out);
            Ok(String::from_utf8_lossy(&out).into_owned())
        }
        ColumnType::Grid(element) => super::grid::show(element, &stored, ctx),
        ColumnType::Array(element) if super::grid::read(element, stored.as_bytes(), &utc())?.is_some() => {
            super::grid::show(element, &stored, ctx)
        }
        ty => {
            let mut column = ColumnBuilder::new(ty, 1)?;
            column.append_text(stored.as_bytes(), &utc())?;
            written(&mut column, ty, ctx)
        }
    }
}

/// The bytes for a client, as `record_send` writes them.
pub(crate) fn send(types: &[ColumnType], stored: &str, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    nested(types, stored, ctx, 0, out)
}

fn nested(types: &[ColumnType], stored: &str, ctx: &ValueContext, depth: usize, out: &mut BytesMut) -> PgResult<()> {
    let parts = fields(stored).filter(|parts| parts.len() == types.len() && depth < DEPTH_MAX);
    // A row of no fields has a text like that of one that is NULL.
    let parts = if types.is_empty() { Some(Vec::new()) } else { parts };
    let parts = parts.ok_or_else(|| PgError::internal("a row has other fields than its type"))?;
    out.put_i32(i32::try_from(types.len()).unwrap_or(i32::MAX));
    for (ty, part) in types.iter().zip(parts) {
        out.put_u32(ty.oid());
        let Some(part) = part else {
            out.put_i32(-1);
            continue;
        };
        let length_at = out.len();
        out.put_i32(0);
        field(ty, &part, ctx, depth, out)?;
        let length = i32::try_from(out.len() - length_at - 4).unwrap_or(i32::MAX);
        if let Some(slot) = out.get_mut(length_at..length_at + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

fn field(ty: &ColumnType, text: &str, ctx: &ValueContext, depth: usize, out: &mut BytesMut) -> PgResult<()> {
    use ColumnType as T;
    match ty.bare() {
        T::Record(row) => {
            let types: Vec<ColumnType> = row.fields.iter().map(|(_, ty)| ty.clone()).collect();
            return nested(&types, text, ctx, depth + 1, out);
        }
        // With the digits that they have.
        T::Numeric(..) => return numeric::send_text(text.as_bytes(), out),
        // What a lake cannot hold is a value all the same.
        T::Interval => {
            let value = interval::parse(text.as_bytes(), None, ctx)?;
            out.put_i64(value.micros);
            out.put_i32(value.days);
            out.put_i32(value.months);
        }
        T::Jsonb => {
            out.put_u8(1);
            out.put_slice(text.as_bytes());
        }
        T::Text | T::Varchar(_) | T::Char(_) | T::Json | T::Enum(_) | T::Other(_) => out.put_slice(text.as_bytes()),
        T::System(system) if system.is_named() => {
            return Err(PgError::unsupported(format!("a {ty} inside of a row has no binary form"))
                .hint("Ask for results in text, or cast the field to oid or text."));
        }
        T::Grid(element) => return super::grid::send(element, text, out),
        T::Array(element) => match super::grid::read(element, text.as_bytes(), ctx)? {
            Some(stored) => return super::grid::send(element, &stored, out),
            None => return column(ty, text, ctx, out),
        },
        ty => return column(ty, text, ctx, out),
    }
    Ok(())
}

fn column(ty: &ColumnType, text: &str, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    let mut column = ColumnBuilder::new(ty, 1)?;
    column.append_text(text.as_bytes(), ctx)?;
    let array = column.finish();
    let encoder = Encoder::new(array.data_type(), &ty.duckdb(), Some(ty), &Arc::new(ctx.clone()))?;
    encoder.bind(&array)?.encode_binary(0, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let some = |s: &str| Some(s.to_owned());
        for (text, expected) in [
            ("(1,a)", Some(vec![some("1"), some("a")])),
            (" ( 1,\"a, \"\"b\"\"\") ", Some(vec![some(" 1"), some("a, \"b\"")])),
            ("(,\"\")", Some(vec![None, some("")])),
            ("()", Some(vec![None])),
            ("1,2", None),
            ("(1", None),
            ("(\"1)", None),
        ] {
            assert_eq!(fields(text), expected, "{text}");
        }
    }

    #[test]
    fn bytes_go_both_ways() {
        let ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
        let inner = RecordType::anonymous(vec![("x".into(), ColumnType::Bool)]);
        let row = RecordType::anonymous(vec![
            ("a".into(), ColumnType::Int4),
            ("b".into(), ColumnType::Text),
            ("c".into(), ColumnType::Date),
        ]);
        let types: Vec<ColumnType> = row.fields.iter().map(|(_, ty)| ty.clone()).collect();
        for text in ["(7,\"a \"\"b\"\"\",2024-01-02)", "(,\"\",)"] {
            let mut out = BytesMut::new();
            send(&types, text, &ctx, &mut out).unwrap();
            assert_eq!(receive(&row, &out, &ctx).unwrap(), text);
            for end in 0..out.len() {
                assert!(receive(&row, &out[..end], &ctx).is_err());
            }
        }
        let mut out = BytesMut::new();
        send(&[ColumnType::Record(Box::new(inner))], "((t))".replace("((t))", "(\"(t)\")").as_str(), &ctx, &mut out)
            .unwrap();
        assert_eq!(&out[..], [0, 0, 0, 1, 0, 0, 8, 0xc9, 0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 1, 1]);
        assert!(read(&row, "(x,,)", &ctx).is_err());
        assert!(read(&row, "(1,2)", &ctx).is_err());
    }
}
