//! Footers: what is in a file that is there already.

use std::ops::Range;

use bytes::Bytes;
use duckmesh_catalog::TableDef;
use object_store::ObjectStoreExt;
use parquet::{
    errors::ParquetError,
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
    schema::types::Type,
};

use crate::{
    error::{Error, ErrorKind, Result},
    names,
    store::LakeFiles,
};

/// Bytes of a file's end that are read at first: most footers fit.
const FIRST_READ_BYTES: u64 = 64 << 10;

impl LakeFiles {
    /// Whether a file of `size_bytes` has all columns of the table, each under the name and the field id that it has now.
    /// More columns than those may be in it.
    pub async fn has_columns(&self, relative: &str, size_bytes: u64, table: &TableDef) -> Result<bool> {
        let metadata = self.metadata(relative, size_bytes).await?;
        let fields = metadata.file_metadata().schema().get_fields();
        Ok(table.columns.iter().all(|column| {
            fields.iter().any(|field| {
                field.name() == column.name && field_id(field).is_some_and(|id| i64::from(id) == column.id.get())
            })
        }))
    }

    async fn metadata(&self, relative: &str, size_bytes: u64) -> Result<ParquetMetaData> {
        let mut wanted = FIRST_READ_BYTES.min(size_bytes);
        let mut reader = ParquetMetaDataReader::new();
        loop {
            let end = self.range(relative, size_bytes - wanted..size_bytes).await?;
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

    async fn range(&self, relative: &str, range: Range<u64>) -> Result<Bytes> {
        let length = range.end - range.start;
        let path = names::object_path(relative)?;
        let bytes = self.store.get_range(&path, range).await.map_err(|e| Error::store("read a file", e))?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(Error::new(ErrorKind::Corrupt, format!("{relative}: shorter than what was written")))
        }
    }
}

pub(crate) fn field_id(field: &Type) -> Option<i32> {
    let info = field.get_basic_info();
    info.has_id().then(|| info.id())
}
