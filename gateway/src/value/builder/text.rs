//! Appends values in Postgres' text form.

use std::borrow::Cow;

use arrow::array::StringBuilder;
use duckmesh_catalog::{ColumnType, types::TextType, user_types::EnumType};

use super::super::error::text as utf8;
use super::super::{array_text, bytea, datetime, held, interval, json, modifier, number, numeric, uuid_text};
use super::{ColumnBuilder, TextKind, ValueContext, Values, interval_value};
use crate::wire::error::{PgError, PgResult, SqlState};

#[inline]
pub(super) fn append(column: &mut ColumnBuilder, text: &[u8], ctx: &ValueContext) -> PgResult<()> {
    let named_type = named_type(&column.ty);
    match &mut column.values {
        Values::Bool(b) => b.append_value(number::parse_bool(text)?),
        Values::Int2(b) => {
            let value = number::parse_integer(text, i16::MIN.into(), i16::MAX.into(), "smallint")?;
            b.append_value(i16::try_from(value).unwrap_or_default());
        }
        Values::Int4(b) => {
            let value = number::parse_integer(text, i32::MIN.into(), i32::MAX.into(), "integer")?;
            b.append_value(i32::try_from(value).unwrap_or_default());
        }
        Values::Int8(b) => b.append_value(number::parse_integer(text, i64::MIN, i64::MAX, "bigint")?),
        Values::Oid(b) => b.append_value(match named_type {
            Some(ty) if text.is_empty() || !text.iter().all(u8::is_ascii_digit) => named(ty, text, ctx)?,
            _ => number::parse_oid(text)?,
        }),
        Values::Float4(b) => b.append_value(number::parse_float(text)?),
        Values::Float8(b) => b.append_value(number::parse_float(text)?),
        Values::Numeric(b, p, s) => b.append_value(numeric::parse(text, *p, *s)?),
        Values::Money(b) => b.append_value(held::money::parse(text)?.into()),
        Values::Text(b, TextKind::Held(ty)) => {
            let text = utf8(text)?;
            let stored = match held::read(*ty, text, ctx) {
                // Of the wrong length first, whatever its digits are.
                Err(error) if column.is_input && ty.is_bits() => {
                    fitted_text(*ty, &"0".repeat(held::bits::said(text)), column.modifier, false)?;
                    return Err(error);
                }
                other => other?,
            };
            append_held(b, &fitted_text(*ty, &stored, column.modifier, column.explicit_cast)?)?;
        }
        Values::Text(b, kind) => append_checked(b, *kind, text, column.explicit_cast)?,
        Values::Enum(b, of) => append_label(b, of, text, &ctx.search_path)?,
        Values::Record(b, row) => append_held(b, &held::record::read(row, utf8(text)?, ctx)?)?,
        Values::Grid(b, element) => append_held(b, &held::grid::stored(element, text, ctx)?)?,
        Values::Bytea(b) => {
            column.scratch.clear();
            bytea::parse(text, &mut column.scratch)?;
            ColumnBuilder::check_room(b.values_slice().len(), column.scratch.len())?;
            b.append_value(&column.scratch);
        }
        Values::Date(b) => b.append_value(datetime::parse_date(text, ctx)?),
        Values::Time(b) => b.append_value(fitted_time(datetime::parse_time(text, ctx)?, column.modifier)),
        Values::Timestamp(b) => {
            b.append_value(fitted_timestamp(datetime::parse_timestamp(text, ctx)?, column.modifier));
        }
        Values::Timestamptz(b) => {
            b.append_value(fitted_timestamp(datetime::parse_timestamptz(text, ctx)?, column.modifier));
        }
        Values::Interval(b) => b.append_value(interval_value(interval::parse(text, column.modifier, ctx)?)?),
        Values::Uuid(b) => {
            let value = uuid_text::parse(text)?;
            b.append_value(value).map_err(PgError::internal)?;
        }
        Values::Array(list) => {
            array_text::parse(text, |element| match element {
                Some(text) => append(&mut list.element, text, ctx),
                None => {
                    list.element.append_null();
                    Ok(())
                }
            })?;
            list.close(true);
        }
    }
    Ok(())
}

/// The oid of a type whose values may be written as names.
fn named_type(ty: &ColumnType) -> Option<u32> {
    match ty {
        ColumnType::System(system) if system.is_named() => Some(system.oid()),
        _ => None,
    }
}

/// The number of a name.
fn named(ty: u32, text: &[u8], ctx: &ValueContext) -> PgResult<i64> {
    match &ctx.names.0 {
        _ if text == b"-" => Ok(0),
        Some(names) => names.number(ty, utf8(text)?).map(i64::from),
        None => number::parse_oid(text),
    }
}

/// With the digits of a second that the column keeps.
pub(super) fn fitted_time(micros: i64, modifier: Option<i32>) -> i64 {
    modifier.map_or(micros, |digits| modifier::time(micros, digits))
}

/// The same, of a timestamp.
pub(super) fn fitted_timestamp(micros: i64, modifier: Option<i32>) -> i64 {
    modifier.map_or(micros, |digits| modifier::timestamp(micros, digits))
}

/// The stored text of a value as the column's modifier has it.
pub(super) fn fitted_text(
    ty: TextType,
    stored: &str,
    modifier: Option<i32>,
    explicit_cast: bool,
) -> PgResult<Cow<'_, str>> {
    match modifier {
        Some(modifier) => modifier::held(ty, stored, modifier, explicit_cast),
        None => Ok(stored.into()),
    }
}

/// Appends an enum's label.
pub(super) fn append_label(
    builder: &mut StringBuilder,
    of: &EnumType,
    text: &[u8],
    search_path: &[String],
) -> PgResult<()> {
    let text = utf8(text)?;
    let Some(label) = of.label(text) else {
        let message = format!("invalid input value for enum {}: \"{text}\"", of.shown_in(search_path));
        return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
    };
    ColumnBuilder::check_room(builder.values_slice().len(), label.name.len())?;
    builder.append_value(&label.name);
    Ok(())
}

/// Appends the stored text of a value.
pub(super) fn append_held(builder: &mut StringBuilder, stored: &str) -> PgResult<()> {
    ColumnBuilder::check_room(builder.values_slice().len(), stored.len())?;
    builder.append_value(stored);
    Ok(())
}

/// Appends text of the kind that the column wants.
pub(super) fn append_checked(
    builder: &mut StringBuilder,
    kind: TextKind,
    text: &[u8],
    explicit_cast: bool,
) -> PgResult<()> {
    let text = utf8(text)?;
    ColumnBuilder::check_room(builder.values_slice().len(), text.len())?;
    let kept = match kind {
        TextKind::Any | TextKind::Held(_) => text,
        TextKind::Varchar(n) => limited(text, n, explicit_cast, "character varying")?,
        TextKind::Char(n) => limited(text, n, explicit_cast, "character")?.trim_end_matches(' '),
        TextKind::Name => clipped(text, NAME_BYTES_MAX),
        TextKind::Byte => {
            builder.append_value(byte_char(text));
            return Ok(());
        }
        TextKind::Json => {
            json::check(text)?;
            text
        }
        TextKind::Jsonb => {
            let mut normal = String::with_capacity(text.len() + 16);
            json::normalize(text, &mut normal)?;
            ColumnBuilder::check_room(builder.values_slice().len(), normal.len())?;
            builder.append_value(&normal);
            return Ok(());
        }
    };
    builder.append_value(kept);
    Ok(())
}

/// `charin`: the first byte, which may be said in three octal digits; what is not ASCII is shown so.
pub(crate) fn byte_char(text: &str) -> String {
    shown_byte(byte_of(text.as_bytes()))
}

/// The byte that a `"char"` is.
pub(in crate::value) fn byte_of(text: &[u8]) -> u8 {
    let octal = |digits: &[u8]| digits.iter().all(|d| matches!(d, b'0'..=b'7'));
    match text {
        [b'\\', digits @ ..] if digits.len() == 3 && octal(digits) => {
            let value = digits.iter().fold(0_u32, |sum, digit| sum << 3 | u32::from(digit - b'0'));
            // Three digits have nine bits; a byte keeps the lower eight.
            value.to_le_bytes()[0]
        }
        [first, ..] => *first,
        [] => 0,
    }
}

/// A `"char"` as it is held and shown.
pub(super) fn shown_byte(byte: u8) -> String {
    match byte {
        0 => String::new(),
        byte if byte.is_ascii() => char::from(byte).to_string(),
        byte => format!("\\{byte:03o}"),
    }
}

/// Postgres' longest name.
const NAME_BYTES_MAX: usize = 63;

/// The characters that fit so many bytes.
fn clipped(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The first `n` characters; more are refused unless they are blanks or the cast is explicit.
fn limited<'a>(text: &'a str, n: u32, explicit_cast: bool, type_name: &str) -> PgResult<&'a str> {
    let limit = usize::try_from(n).unwrap_or(usize::MAX);
    if text.len() <= limit {
        return Ok(text);
    }
    let Some((end, _)) = text.char_indices().nth(limit) else {
        return Ok(text);
    };
    let (kept, rest) = text.split_at(end);
    if explicit_cast || rest.bytes().all(|b| b == b' ') {
        return Ok(kept);
    }
    Err(PgError::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, format!("value too long for type {type_name}({n})")))
}
