//! Structs, maps, unions and lists of lists, which Postgres has no type for: as JSON text.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::{BufMut, BytesMut};

use super::super::context::ValueContext;
use super::super::json::write_string;
use super::BoundEncoder;
use super::cells::Cells;
use super::kind::Kind;
use super::text::unexpected;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Types within types; DuckDB's own limit is far below.
const DEPTH_MAX: usize = 64;

pub(super) fn write(cells: &Cells<'_>, row: usize, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    let Cells::Nested(array) = cells else {
        return Err(unexpected());
    };
    value(*array, row, 0, ctx, out)
}

fn value(array: &dyn Array, row: usize, depth: usize, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    if depth > DEPTH_MAX {
        return Err(PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
    }
    if array.is_null(row) {
        out.put_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Struct(fields) => {
            let columns = array.as_struct_opt().ok_or_else(unexpected)?.columns();
            out.put_u8(b'{');
            for (i, (field, column)) in fields.iter().zip(columns).enumerate() {
                separate(i, out);
                string(field.name(), out);
                out.put_slice(b": ");
                value(column.as_ref(), row, depth + 1, ctx, out)?;
            }
            out.put_u8(b'}');
        }
        DataType::Map(..) => {
            let map = array.as_map_opt().ok_or_else(unexpected)?;
            let entries = map.value(row);
            out.put_u8(b'{');
            for i in 0..entries.len() {
                separate(i, out);
                let mut key = BytesMut::new();
                value(entries.column(0).as_ref(), i, depth + 1, ctx, &mut key)?;
                let key = String::from_utf8_lossy(&key);
                if key.starts_with('"') {
                    out.put_slice(key.as_bytes())
                } else {
                    string(&key, out)
                }
                out.put_slice(b": ");
                value(entries.column(1).as_ref(), i, depth + 1, ctx, out)?;
            }
            out.put_u8(b'}');
        }
        DataType::List(_) => list(&array.as_list_opt::<i32>().ok_or_else(unexpected)?.value(row), depth, ctx, out)?,
        DataType::LargeList(_) => {
            list(&array.as_list_opt::<i64>().ok_or_else(unexpected)?.value(row), depth, ctx, out)?;
        }
        DataType::FixedSizeList(..) => {
            list(&array.as_fixed_size_list_opt().ok_or_else(unexpected)?.value(row), depth, ctx, out)?;
        }
        _ => scalar(array, row, ctx, out)?,
    }
    Ok(())
}

fn list(elements: &dyn Array, depth: usize, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    out.put_u8(b'[');
    for i in 0..elements.len() {
        separate(i, out);
        value(elements, i, depth + 1, ctx, out)?;
    }
    out.put_u8(b']');
    Ok(())
}

fn scalar(array: &dyn Array, row: usize, ctx: &ValueContext, out: &mut BytesMut) -> PgResult<()> {
    let kind = Kind::of_element(array.data_type(), "");
    if kind == Kind::Nested {
        let options = FormatOptions::new();
        let formatter = ArrayFormatter::try_new(array, &options).map_err(PgError::internal)?;
        string(&formatter.value(row).to_string(), out);
        return Ok(());
    }
    let bound = BoundEncoder::new(&kind, array, ctx)?;
    if let (Kind::Bool, Cells::Bool(values)) = (&kind, &bound.cells) {
        out.put_slice(if values.value(row) { b"true" } else { b"false" });
        return Ok(());
    }
    let before = out.len();
    bound.encode_text(row, out)?;
    let number = matches!(
        kind,
        Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric(_) | Kind::Number | Kind::Float4 | Kind::Float8
    );
    // NaN and Infinity are no JSON numbers.
    let plain = number && !out.get(before..).unwrap_or_default().iter().any(|b| matches!(b, b'N' | b'I'));
    if !plain {
        let text = out.split_off(before);
        string(&String::from_utf8_lossy(&text), out);
    }
    Ok(())
}

fn separate(i: usize, out: &mut BytesMut) {
    if i > 0 {
        out.put_slice(b", ");
    }
}

fn string(text: &str, out: &mut BytesMut) {
    let mut quoted = String::with_capacity(text.len() + 2);
    write_string(text, &mut quoted);
    out.put_slice(quoted.as_bytes());
}
