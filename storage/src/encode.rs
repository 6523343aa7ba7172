//! Whole parts: Arrow batches in memory become one Parquet file.

use std::{fs::File, io::Write, path::Path, sync::Arc};

use arrow::array::RecordBatch;
use bytes::Bytes;
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};

use crate::{
    error::{Error, Result},
    file::FileEncoder,
    layout::{Layout, Others},
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

/// Makes one file of batches. The same input gives the same bytes and the same name.
/// Blocks: not for a runtime's workers.
pub fn encode(table: &TableDef, columns: &[ColumnId], batches: &[RecordBatch], seed: &NameSeed) -> Result<EncodedFile> {
    let layout = Arc::new(Layout::new(table, columns, Others::Refused)?);
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut encoder = FileEncoder::of_rows(layout, rows)?;
    for batch in batches {
        encoder.write(batch)?;
    }
    let (bytes, mut file) = encoder.finish()?;
    file.path = seed.name(&file.sha256);
    Ok(EncodedFile { file, bytes: bytes.into() })
}

/// Writes batches to a short-lived local Parquet file, replacing what is there; no statistics, no fsync. Blocks.
pub fn write_scratch(table: &TableDef, columns: &[ColumnId], batches: &[RecordBatch], path: &Path) -> Result<()> {
    write_local(Layout::new(table, columns, Others::AsText)?, batches, path)
}

/// Writes a short-lived local file.
pub(crate) fn write_local(layout: Layout, batches: &[RecordBatch], path: &Path) -> Result<()> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut encoder = FileEncoder::of_rows(Arc::new(layout), rows)?;
    let mut out = File::create(path).map_err(|e| Error::io("create a scratch file", e))?;
    let written = |e| Error::io("write a scratch file", e);
    for batch in batches {
        encoder.write(batch)?;
        out.write_all(&encoder.take()).map_err(written)?;
    }
    let (bytes, _) = encoder.finish()?;
    out.write_all(&bytes).map_err(written)
}
