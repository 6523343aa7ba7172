//! Arrow types as the gateway wants them, from what DuckDB's lossless conversion makes.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{FieldRef, SchemaRef},
    error::ArrowError,
};

/// The field that is sent for a field of DuckDB's.
pub fn field(from: &FieldRef) -> FieldRef {
    Arc::clone(from)
}

/// The batch with the fields that are sent.
pub fn batch(from: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(from.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(to), from.columns().to_vec(), &options)
}
