//! Footers: what is in a file that is there already.

use std::{fs::File, ops::Range, os::unix::fs::FileExt, path::Path};

use bytes::Bytes;
use duckmesh_catalog::TableDef;
use parquet::{
    errors::ParquetError,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
    schema::types::Type,
};

use crate::{
    error::{Error, ErrorKind, Result},
    store::{LakeFiles, blocking},
};

/// Bytes of a file's end that are read at first: most footers fit.
const FIRST_READ_BYTES: u64 = 64 << 10;

impl LakeFiles {
    /// Whether a file of `size_bytes` has all columns of the table, each under the name and the field id that it has now.
    /// More columns than those may be in it.
    pub async fn has_columns(&self, relative: &str, size_bytes: u64, table: &TableDef) -> Result<bool> {
        let (_held, path) = self.local(relative, size_bytes).await?;
        let metadata = blocking(move || metadata(&path, size_bytes)).await?;
        let fields = metadata.file_metadata().schema().get_fields();
        Ok(table.columns.iter().all(|column| {
            fields.iter().any(|field| {
                field.name() == column.name && field_id(field).is_some_and(|id| i64::from(id) == column.id.get())
            })
        }))
    }
}

/// The metadata of a local file that must have so many bytes. Blocks.
pub(crate) fn metadata(path: &Path, size_bytes: u64) -> Result<ParquetMetaData> {
    let file = File::open(path).map_err(|e| Error::io("open a file", e))?;
    let mut wanted = FIRST_READ_BYTES.min(size_bytes);
    let mut reader = ParquetMetaDataReader::new();
    loop {
        let end = range(&file, size_bytes - wanted..size_bytes)?;
        match reader.try_parse_sized(&end, size_bytes) {
            Ok(()) => return reader.finish().map_err(|e| Error::parquet("read a footer", e)),
            // A footer names its own length: the second read has all of it.
            Err(ParquetError::NeedMoreData(bytes)) if bytes as u64 > wanted && bytes as u64 <= size_bytes => {
                wanted = bytes as u64;
            }
            Err(e) => return Err(Error::parquet("read a footer", e)),
        }
    }
}

fn range(file: &File, range: Range<u64>) -> Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
    match file.read_exact_at(&mut bytes, range.start) {
        Ok(()) => Ok(bytes.into()),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(Error::new(ErrorKind::Corrupt, "a file is shorter than what was written"))
        }
        Err(e) => Err(Error::io("read a file", e)),
    }
}

pub(crate) fn field_id(field: &Type) -> Option<i32> {
    let info = field.get_basic_info();
    info.has_id().then(|| info.id())
}
