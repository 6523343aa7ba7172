//! One Parquet file while it is written: batches go in, bytes come out, and at the end what the lake must know of it.

use std::{io::Write, mem, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Float32Type, Float64Type},
};
use duckmesh_catalog::files::NewFile;
use parquet::{
    arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, ErrorKind, Result},
    layout::Layout,
    stats,
};

/// Rows of a row group: DuckDB's own, so that its threads share a file well.
const ROW_GROUP_ROWS: usize = 122_880;
/// Encoded bytes after which a row group ends, whatever its rows: the memory of one writer.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// Longer texts and blobs have no exact minimum and maximum in the file, and none in the catalog.
pub(crate) const STATS_TEXT_BYTES_MAX: usize = 256;
/// The writer's name in every file. Constant: equal rows give equal bytes.
const CREATED_BY: &str = "duckmesh";

/// A file that is being written.
pub(crate) struct FileEncoder {
    layout: Arc<Layout>,
    writer: ArrowWriter<Sink>,
    /// For each leaf: whether a NaN was seen.
    nan: Vec<bool>,
    rows: u64,
}

impl FileEncoder {
    pub(crate) fn new(layout: Arc<Layout>) -> Result<Self> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties()?)
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(layout.parquet.clone());
        let writer =
            ArrowWriter::try_new_with_options(Sink::default(), layout.arrow.clone(), options)
                .map_err(|e| Error::parquet("begin a Parquet file", e))?;
        let nan = vec![false; layout.leaves.len()];
        Ok(Self {
            layout,
            writer,
            nan,
            rows: 0,
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.layout.stored(batch)?;
        for (nan, array) in self.nan.iter_mut().zip(batch.columns()) {
            *nan = *nan || has_nan(array);
        }
        self.rows += batch.num_rows() as u64;
        self.writer
            .write(&batch)
            .map_err(|e| Error::parquet("encode rows", e))
    }

    /// Bytes of the file up to now, those of the open row group estimated.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.writer.inner().size + self.writer.in_progress_size() as u64
    }

    /// Bytes that wait to be taken.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.writer.inner().pending.len()
    }

    /// Takes the bytes that are ready; the file goes on behind them.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.writer.inner_mut().pending)
    }

    /// Ends the file. Returns its last bytes, and what it is; the name is left empty.
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, NewFile)> {
        let metadata = self
            .writer
            .finish()
            .map_err(|e| Error::parquet("end a Parquet file", e))?;
        let sink = mem::take(self.writer.inner_mut());
        let footer = sink
            .pending
            .last_chunk::<8>()
            .and_then(|tail| tail.first_chunk::<4>())
            .map(|length| u32::from_le_bytes(*length))
            .ok_or_else(|| Error::new(ErrorKind::Io, "a Parquet file ended without a footer"))?;
        let file = NewFile {
            path: String::new(),
            record_count: self.rows,
            size_bytes: sink.size,
            footer_size_bytes: u64::from(footer),
            sha256: hex(sink.hash.finalize().as_slice()),
            stats: stats::of_file(&self.layout, &metadata, &self.nan),
        };
        Ok((sink.pending, file))
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    crate::text::blob(bytes).to_lowercase()
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(|e| Error::parquet("set the compression", e))?;
    let builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.into())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATS_TEXT_BYTES_MAX));
    Ok(builder.build())
}

fn has_nan(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            floats.values().iter().any(|v| v.is_nan()) && floats.iter().flatten().any(f32::is_nan)
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            floats.values().iter().any(|v| v.is_nan()) && floats.iter().flatten().any(f64::is_nan)
        }
        // Values outside of a sliced list's rows count too: a NaN too many only costs some pruning.
        DataType::List(_) => has_nan(array.as_list::<i32>().values()),
        _ => false,
    }
}

/// Where the Parquet writer puts bytes: counted and hashed as they pass.
#[derive(Default)]
struct Sink {
    pending: Vec<u8>,
    hash: Sha256,
    size: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hash.update(bytes);
        self.pending.extend_from_slice(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
