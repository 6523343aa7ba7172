//! Values as `Failing row contains (…)` shows them.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef};
use duckmesh_catalog::ColumnType;

use super::{ColumnBuilder, Encoder, ValueContext};

/// Postgres cuts each value after 64 bytes.
const VALUE_BYTES_MAX: usize = 64;

/// The value of a row of a column.
pub fn failing_value(ctx: &Arc<ValueContext>, ty: &ColumnType, array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    let mut text = bytes::BytesMut::new();
    let written = Encoder::new(array.data_type(), &ty.duckdb(), Some(ty), ctx)
        .and_then(|encoder| encoder.bind(array)?.encode_text(row, &mut text));
    written.map_or_else(|_| "?".to_owned(), |()| cut(String::from_utf8_lossy(&text).into_owned()))
}

/// The same of a text that a client sent: as the column shows it, with the spaces of `char(n)`.
pub fn failing_text(ctx: &Arc<ValueContext>, ty: &ColumnType, text: &[u8]) -> String {
    let read = ColumnBuilder::new(ty, 1).and_then(|mut builder| {
        builder.append_text(text, ctx)?;
        Ok(builder.finish())
    });
    match read {
        Ok(array) => failing_value(ctx, ty, &array, 0),
        Err(_) => cut(String::from_utf8_lossy(text).into_owned()),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        let end = (0..=VALUE_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
