//! Results of the engine as columns of a table: the type's own Arrow representation, its limits checked.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Schema},
};
use bytes::BytesMut;
use duckmesh_catalog::{ColumnDef, ColumnType};

use crate::{
    value::{self, ColumnBuilder, Encoder, ValueContext},
    wire::{PgError, PgResult, SqlState},
};

/// A batch whose columns stand for `columns`, in order.
///
/// # Errors
/// When a value does not fit its column.
pub fn batch(batch: &RecordBatch, columns: &[&ColumnDef], ctx: &Arc<ValueContext>) -> PgResult<RecordBatch> {
    if batch.num_columns() != columns.len() {
        return Err(PgError::internal("a query gave another number of columns than was planned"));
    }
    let arrays = batch.columns().iter().zip(columns);
    let arrays = arrays.map(|(a, column)| array(a, &column.ty, ctx)).collect::<PgResult<Vec<_>>>()?;
    record_batch(columns, arrays)
}

/// A batch of columns that are in their types' representation already.
///
/// # Errors
/// When they are not: a bug.
pub fn record_batch(columns: &[&ColumnDef], arrays: Vec<ArrayRef>) -> PgResult<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.ty.arrow(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(PgError::internal)
}

/// An array in its column type's representation.
///
/// # Errors
/// When a value does not fit: too long, out of range.
pub fn array(array: &ArrayRef, ty: &ColumnType, ctx: &Arc<ValueContext>) -> PgResult<ArrayRef> {
    let (bare, modifier) = ty.clone().split();
    if modifier.is_some() {
        return value::fitted(&self::array(array, &bare, ctx)?, ty);
    }
    value::nul::refuse(array.as_ref())?;
    let target = ty.arrow();
    if !needs_check(ty) {
        if *array.data_type() == target {
            return Ok(array.clone());
        }
        if is_relabelling(array.data_type(), &target) {
            return cast(array, &target).map_err(|e| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, e.to_string()));
        }
    }
    through_text(array, ty, ctx)
}

/// Types that have limits of their own beside those of their representation.
fn needs_check(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Varchar(Some(_)) | ColumnType::Char(_) | ColumnType::Jsonb | ColumnType::Interval => true,
        ColumnType::Enum(_) | ColumnType::System(_) | ColumnType::Record(_) | ColumnType::Grid(_) => true,
        ColumnType::Array(element) => needs_check(element),
        _ => false,
    }
}

/// Casts that change no value: string and binary layouts, the name of a time zone.
fn is_relabelling(from: &DataType, to: &DataType) -> bool {
    use DataType as D;
    matches!(
        (from, to),
        (D::LargeUtf8 | D::Utf8View | D::Null, D::Utf8)
            | (D::LargeBinary | D::BinaryView | D::Null, D::Binary)
            | (D::Timestamp(_, Some(_)), D::Timestamp(_, Some(_)))
            | (D::Timestamp(_, None), D::Timestamp(_, None))
            | (D::Null, _)
    )
}

/// The exact way for everything else: the value's text, read as an INSERT would read it.
fn through_text(array: &ArrayRef, ty: &ColumnType, ctx: &Arc<ValueContext>) -> PgResult<ArrayRef> {
    let encoder = Encoder::new(array.data_type(), &ty.duckdb(), None, ctx)?;
    let bound = encoder.bind(array)?;
    let mut builder = ColumnBuilder::new(ty, array.len())?;
    let mut text = BytesMut::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        bound.encode_text(row, &mut text)?;
        builder.append_text(&text, ctx)?;
    }
    Ok(builder.finish())
}
