//! One Parquet file while it is written: batches go in, bytes come out, and at the end what the lake must know of it.

use std::{io::Write, mem, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Float32Type, Float64Type},
};
use duckmesh_catalog::files::NewFile;
use parquet::{
    arrow::arrow_writer::{
        ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves,
    },
    basic::{Compression, ZstdLevel},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, ErrorKind, Result},
    layout::Layout,
    stats::{self, LeafStats},
};

/// Rows of a row group: DuckDB's own, so that its threads share a file well.
const ROW_GROUP_ROWS: usize = 122_880;
/// Encoded bytes after which a row group ends, whatever its rows: the memory of one writer.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// Files of no more rows are written without dictionaries and compression.
const PLAIN_ROWS_MAX: usize = 256;
/// Longer texts and blobs have no exact minimum and maximum in the file, and none in the catalog.
pub(crate) const STATS_TEXT_BYTES_MAX: usize = 256;
/// The writer's name in every file. Constant: equal rows give equal bytes.
const CREATED_BY: &str = "duckmesh";

/// A file that is being written.
pub(crate) struct FileEncoder {
    layout: Arc<Layout>,
    file: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
    group: Option<RowGroup>,
    stats: Vec<LeafStats>,
    rows: u64,
    group_bytes: usize,
}

/// The row group that takes rows now.
struct RowGroup {
    columns: Vec<ArrowColumnWriter>,
    /// For each leaf: whether a NaN was seen.
    nan: Vec<bool>,
    rows: usize,
}

impl FileEncoder {
    pub(crate) fn new(layout: Arc<Layout>) -> Result<Self> {
        Self::with(layout, properties()?)
    }

    /// For a file of so many rows. A few gain nothing from dictionaries and compression, which every reader has to undo;
    /// when such files are merged, the rows are compressed.
    pub(crate) fn of_rows(layout: Arc<Layout>, rows: usize) -> Result<Self> {
        if rows > PLAIN_ROWS_MAX {
            return Self::new(layout);
        }
        let properties = properties()?.into_builder();
        Self::with(layout, properties.set_compression(Compression::UNCOMPRESSED).set_dictionary_enabled(false).build())
    }

    fn with(layout: Arc<Layout>, properties: WriterProperties) -> Result<Self> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(layout.parquet.clone());
        let (file, factory) = ArrowWriter::try_new_with_options(Sink::default(), layout.arrow.clone(), options)
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|e| Error::parquet("begin a Parquet file", e))?;
        let stats = layout.leaves.iter().map(|_| LeafStats::default()).collect();
        Ok(Self { layout, file, factory, group: None, stats, rows: 0, group_bytes: ROW_GROUP_BYTES })
    }

    /// Ends row groups earlier.
    pub(crate) fn with_group_bytes(self, group_bytes: usize) -> Self {
        Self { group_bytes, ..self }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.layout.stored(batch)?;
        self.write_stored(&batch)
    }

    /// Writes rows that are in the types of the file already.
    pub(crate) fn write_stored(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut done = 0;
        while done < batch.num_rows() {
            let group = match &mut self.group {
                Some(group) => group,
                None => {
                    let index = self.file.flushed_row_groups().len();
                    self.group.insert(RowGroup::new(&self.factory, index)?)
                }
            };
            let rows = (ROW_GROUP_ROWS - group.rows).min(batch.num_rows() - done);
            group.write(&self.layout, &batch.slice(done, rows))?;
            done += rows;
            if group.rows >= ROW_GROUP_ROWS || group.size_bytes() >= self.group_bytes {
                self.end_group()?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Bytes of the file up to now, those of the open row group estimated.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.file.inner().size + self.group.as_ref().map_or(0, |g| g.size_bytes() as u64)
    }

    /// Bytes that wait to be taken.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.file.inner().pending.len()
    }

    /// Takes the bytes that are ready; the file goes on behind them.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.file.inner_mut().pending)
    }

    /// Ends the file. Returns its last bytes, and what it is; the name is left empty.
    pub(crate) fn finish(mut self) -> Result<(Vec<u8>, NewFile)> {
        self.end_group()?;
        self.file.finish().map_err(|e| Error::parquet("end a Parquet file", e))?;
        let sink = mem::take(self.file.inner_mut());
        let footer = sink
            .pending
            .last_chunk::<8>()
            .and_then(|tail| tail.first_chunk::<4>())
            .map(|length| u32::from_le_bytes(*length))
            .ok_or_else(|| Error::new(ErrorKind::Io, "a Parquet file ended without a footer"))?;
        let stats = self.layout.leaves.iter().zip(self.stats);
        let file = NewFile {
            path: String::new(),
            record_count: self.rows,
            size_bytes: sink.size,
            footer_size_bytes: u64::from(footer),
            sha256: hex(sink.hash.finalize().as_slice()),
            stats: stats.map(|(leaf, stats)| stats.of(leaf)).collect(),
        };
        Ok((sink.pending, file))
    }

    fn end_group(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        let failed = |e| Error::parquet("end a row group", e);
        let mut out = self.file.next_row_group().map_err(failed)?;
        let columns = group.columns.into_iter().zip(group.nan);
        for ((column, nan), (leaf, stats)) in columns.zip(self.layout.leaves.iter().zip(&mut self.stats)) {
            let mut chunk = column.close().map_err(failed)?;
            stats.add(leaf, &chunk.close().metadata, nan);
            stats::correct_bounds(chunk.close_mut(), nan).map_err(failed)?;
            chunk.append_to_row_group(&mut out).map_err(failed)?;
        }
        out.close().map_err(failed)?;
        Ok(())
    }
}

impl RowGroup {
    fn new(factory: &ArrowRowGroupWriterFactory, index: usize) -> Result<Self> {
        let columns = factory.create_column_writers(index).map_err(|e| Error::parquet("begin a row group", e))?;
        Ok(Self { nan: vec![false; columns.len()], columns, rows: 0 })
    }

    fn write(&mut self, layout: &Layout, batch: &RecordBatch) -> Result<()> {
        // One leaf for each column: there are no structs.
        let writers = self.columns.iter_mut().zip(&mut self.nan);
        let arrays = layout.arrow.fields().iter().zip(batch.columns());
        for ((writer, nan), (field, array)) in writers.zip(arrays) {
            *nan = *nan || has_nan(array);
            let leaves = compute_leaves(field, array);
            for leaf in leaves.map_err(|e| Error::parquet("encode rows", e))? {
                writer.write(&leaf).map_err(|e| Error::parquet("encode rows", e))?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
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
