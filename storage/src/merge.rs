//! Small files of a table become one: the same rows in the same order, each with the snapshot it came in.
//!
//! Whether the new file takes their place the catalog decides; nothing is deleted here.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions},
    datatypes::DataType,
};
use bytes::Bytes;
use duckmesh_catalog::{
    ColumnId, TableDef,
    files::{MergeInput, NewFile},
};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    basic::ConvertedType,
    file::metadata::ParquetMetaDataReader,
    schema::types::{SchemaDescriptor, Type, TypePtr},
};
use sha2::{Digest, Sha256};

use crate::{
    claims::Claim,
    encode::EncodedFile,
    error::{Error, ErrorKind, Result},
    file::{FileEncoder, hex},
    footer::field_id,
    layout::{Layout, Others, ROW_SNAPSHOT_FIELD},
    names,
    store::{LakeFiles, blocking},
};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;

/// A file that others were merged into. The sweep leaves it as long as this is kept.
#[derive(Debug)]
pub struct Merged {
    /// What the catalog must know of it.
    pub file: NewFile,
    /// Its path below the data path.
    pub path: String,
    _claim: Claim,
}

/// Why files were not merged.
#[derive(Debug)]
pub struct MergeError {
    /// The file that is not what it must be, by its path; none: it is not a file's fault.
    pub part: Option<String>,
    /// What is wrong.
    pub error: Error,
}

impl From<Error> for MergeError {
    fn from(error: Error) -> Self {
        Self { part: None, error }
    }
}

impl MergeError {
    fn of(part: &MergeInput, error: Error) -> Self {
        let is_its_fault = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt);
        Self { part: is_its_fault.then(|| part.path.clone()), error }
    }
}

impl LakeFiles {
    /// Makes one file of several that were all written here, in their order; they have exactly the table's columns. The
    /// new file is durable on return. Its name is new each time: a name that an earlier try left behind may be on its
    /// way to be swept.
    ///
    /// Holds the files' bytes and one row group in memory: the caller sees to it that they are small.
    pub async fn merge(
        &self,
        table: &Arc<TableDef>,
        schema_path: &str,
        parts: Vec<MergeInput>,
    ) -> Result<Merged, MergeError> {
        let mut contents = Vec::with_capacity(parts.len());
        for part in parts {
            let bytes = self.content(&part).await.map_err(|e| MergeError::of(&part, e))?;
            contents.push((part, bytes));
        }
        let def = Arc::clone(table);
        let joined = tokio::task::spawn_blocking(move || join(&def, &contents)).await;
        let encoded = joined.map_err(|e| Error::caused(ErrorKind::Io, "a storage task ended early", e))??;
        let path = format!("{schema_path}{}{}", table.path, encoded.file.path);
        let claim = self.claims.claim(path.clone());
        let file = self.put(schema_path, &table.path, encoded).await?;
        Ok(Merged { file, path, _claim: claim })
    }

    async fn content(&self, part: &MergeInput) -> Result<Bytes> {
        let (_held, path) = self.local(&part.path, part.size_bytes).await?;
        let read = move || std::fs::read(path).map(Bytes::from).map_err(|e| Error::io("read a file", e));
        let bytes = blocking(read).await?;
        if bytes.len() as u64 != part.size_bytes {
            return Err(corrupt(part, "its size is not what was written"));
        }
        // Damage that can be decoded would get a fresh hash.
        let sha256 = hex(Sha256::digest(&bytes).as_slice());
        match names::hash(&part.path) {
            Some(hash) if !sha256.starts_with(hash) => Err(corrupt(part, "its content is not what was written")),
            _ => Ok(bytes),
        }
    }
}

fn corrupt(part: &MergeInput, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{}: {why}", part.path))
}

/// Decodes and encodes. Blocks.
fn join(table: &TableDef, parts: &[(MergeInput, Bytes)]) -> Result<EncodedFile, MergeError> {
    let columns: Vec<ColumnId> = table.columns.iter().map(|c| c.id).collect();
    let layout = Arc::new(Layout::new(table, &columns, Others::Refused)?.with_row_snapshot()?);
    let rows: u64 = parts.iter().map(|(part, _)| part.record_count).sum();
    let mut encoder = FileEncoder::of_rows(Arc::clone(&layout), usize::try_from(rows).unwrap_or(usize::MAX))?;
    for (part, bytes) in parts {
        copy(part, bytes, &layout, &columns, &mut encoder).map_err(|e| MergeError::of(part, e))?;
    }
    let (bytes, mut file) = encoder.finish()?;
    file.stats.retain(|stats| stats.column != ROW_SNAPSHOT_FIELD);
    file.path = names::merged(&file.sha256);
    Ok(EncodedFile { file, bytes: bytes.into() })
}

/// Where the table's columns are in a file, and the snapshots of its rows, if it was merged itself.
struct Places {
    columns: Vec<usize>,
    row_snapshot: Option<usize>,
}

/// Adds the rows of a file.
fn copy(
    part: &MergeInput,
    bytes: &Bytes,
    layout: &Layout,
    columns: &[ColumnId],
    encoder: &mut FileEncoder,
) -> Result<()> {
    let unreadable = |e: parquet::errors::ParquetError| corrupt(part, e);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(bytes).map_err(unreadable)?;
    let root = metadata.file_metadata().schema();
    let places = places(part, root, columns)?;
    let schema = SchemaDescriptor::new(as_stored(root)?);
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_parquet_schema(Arc::new(schema));
    let metadata = ArrowReaderMetadata::load(bytes, options).map_err(unreadable)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(unreadable)?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|e| corrupt(part, e))?;
        rows += batch.num_rows() as u64;
        encoder.write_stored(&arranged(part, &batch, &places, layout)?)?;
    }
    if rows == part.record_count {
        Ok(())
    } else {
        Err(corrupt(part, format_args!("{rows} rows where {} must be", part.record_count)))
    }
}

fn places(part: &MergeInput, root: &Type, columns: &[ColumnId]) -> Result<Places> {
    let place = |id: ColumnId| {
        root.get_fields().iter().position(|field| field_id(field).is_some_and(|own| i64::from(own) == id.get()))
    };
    let found = columns.iter().map(|id| place(*id).ok_or_else(|| corrupt(part, format_args!("no column {id}"))));
    Ok(Places { columns: found.collect::<Result<_>>()?, row_snapshot: place(ROW_SNAPSHOT_FIELD) })
}

/// A batch of a file as the new file has it.
fn arranged(part: &MergeInput, batch: &RecordBatch, places: &Places, layout: &Layout) -> Result<RecordBatch> {
    let mut arrays = Vec::with_capacity(places.columns.len() + 1);
    for (place, field) in places.columns.iter().zip(layout.arrow.fields()) {
        let array = batch.columns().get(*place).ok_or_else(|| corrupt(part, "a column is missing"))?;
        arrays.push(plain(part, array, field.data_type())?);
    }
    arrays.push(match places.row_snapshot.and_then(|place| batch.columns().get(place)) {
        Some(snapshots) => Arc::clone(snapshots),
        None => Arc::new(Int64Array::from_value(part.begin_snapshot.get(), batch.num_rows())),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(&layout.arrow), arrays, &options).map_err(|e| corrupt(part, e))
}

/// An array without what the reader notes at the fields of lists.
fn plain(part: &MergeInput, array: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    if array.data_type() == ty {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), ty) {
        (DataType::List(own), DataType::List(item)) if own.data_type().equals_datatype(item.data_type()) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            let list = ListArray::try_new(Arc::clone(item), offsets, values, nulls).map_err(|e| corrupt(part, e))?;
            Ok(Arc::new(list))
        }
        (other, _) => Err(corrupt(part, format_args!("a column has {other} where {ty} must be"))),
    }
}

/// A file's schema with intervals as the bytes they are: the reader would lose their months.
fn as_stored(ty: &Type) -> Result<TypePtr> {
    let info = ty.get_basic_info();
    let failed = |e| Error::parquet("read a file's schema", e);
    let id = field_id(ty);
    match ty {
        Type::PrimitiveType { physical_type, type_length, .. } if info.converted_type() == ConvertedType::INTERVAL => {
            let builder = Type::primitive_type_builder(info.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_length(*type_length)
                .with_id(id);
            builder.build().map(Arc::new).map_err(failed)
        }
        Type::PrimitiveType { .. } => Ok(Arc::new(ty.clone())),
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|field| as_stored(field)).collect::<Result<_>>()?;
            let mut builder = Type::group_type_builder(info.name())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_id(id)
                .with_fields(fields);
            if info.has_repetition() {
                builder = builder.with_repetition(info.repetition());
            }
            builder.build().map(Arc::new).map_err(failed)
        }
    }
}
