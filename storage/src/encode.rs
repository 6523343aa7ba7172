//! Whole parts: Arrow batches in memory become one Parquet file.

use std::path::Path;

use arrow::array::RecordBatch;
use bytes::Bytes;
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};

use crate::{
    error::{Error, ErrorKind, Result},
    names::NameSeed,
};

/// A Parquet file in memory, with what the lake must know about it.
#[derive(Clone, Debug)]
pub struct EncodedFile {
    /// Name, size, hash, statistics.
    pub file: NewFile,
    /// The content.
    pub bytes: Bytes,
}

/// Makes one file of batches. The same input gives the same bytes and the same name. Blocks: not for a runtime's workers.
pub fn encode(
    table: &TableDef,
    columns: &[ColumnId],
    batches: &[RecordBatch],
    seed: &NameSeed,
) -> Result<EncodedFile> {
    let _ = (table, columns, batches, seed);
    Err(Error::new(ErrorKind::Io, "not here yet"))
}

/// Writes batches to a short-lived local Parquet file, without statistics and without fsync. Blocks.
pub fn write_scratch(
    table: &TableDef,
    columns: &[ColumnId],
    batches: &[RecordBatch],
    path: &Path,
) -> Result<()> {
    let _ = (table, columns, batches, path);
    Err(Error::new(ErrorKind::Io, "not here yet"))
}
