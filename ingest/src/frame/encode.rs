//! Writes become bytes.

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema},
    ipc::{
        MetadataVersion,
        writer::{IpcWriteOptions, StreamWriter},
    },
};
use duckmesh_catalog::{ColumnId, Offset};
use std::sync::Arc;
use uuid::Uuid;

use super::{
    FrameError, Part, SharedRows,
    layout::{
        ALIGN, COLUMNS_MAX, COMPRESS_BYTES_MIN, FLAG_ZSTD, HEADER_BYTES, KIND_PARTS, KIND_ROWS, MAGIC, OFFSETS_MAX,
        PART_DDL, PART_FILES, PART_REJECTED, PART_ROWS, PARTS_MAX, PAYLOAD_BYTES_MAX, PREFIX_BYTES, VERSION,
        ZSTD_LEVEL,
    },
};

/// The record of frames whose rows share one batch.
pub fn encode_rows(made_for: Offset, rows: &SharedRows) -> Result<Vec<u8>, FrameError> {
    let counted: u64 = rows.rows_per_offset.iter().map(|n| u64::from(*n)).sum();
    if counted != rows.batch.num_rows() as u64 {
        return Err(FrameError::new("rows per offset do not add up to the batch"));
    }
    let offsets = rows.rows_per_offset.len();
    if offsets == 0 || offsets > OFFSETS_MAX {
        return Err(FrameError::new("too many or no frames for one record"));
    }
    let mut payload = begin(made_for, KIND_ROWS, offsets as u32);
    put_columns(&mut payload, rows.table, &rows.columns)?;
    for count in &rows.rows_per_offset {
        payload.extend_from_slice(&count.to_le_bytes());
    }
    payload.resize(payload.len().next_multiple_of(ALIGN), 0);
    put_batch(&mut payload, &rows.columns, &rows.batch)?;
    finish(payload)
}

/// The record of one frame with any parts.
pub fn encode_parts(made_for: Offset, parts: &[Part]) -> Result<Vec<u8>, FrameError> {
    if parts.len() > PARTS_MAX {
        return Err(FrameError::new("too many parts in one frame"));
    }
    let mut payload = begin(made_for, KIND_PARTS, 1);
    payload.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    for part in parts {
        let at = payload.len();
        payload.extend_from_slice(&[0; 5]);
        let tag = put_part(&mut payload, part)?;
        let length =
            u32::try_from(payload.len() - at - 5).map_err(|_| FrameError::new("a part of the frame is too large"))?;
        payload[at] = tag;
        payload[at + 1..at + 5].copy_from_slice(&length.to_le_bytes());
    }
    finish(payload)
}

fn begin(made_for: Offset, kind: u8, offsets: u32) -> Vec<u8> {
    let mut payload = Vec::with_capacity(HEADER_BYTES + 2048);
    // Room for the header, so that an uncompressed record is built in one buffer.
    payload.resize(HEADER_BYTES, 0);
    payload.extend_from_slice(&made_for.get().to_le_bytes());
    payload.extend_from_slice(&[kind, 0, 0, 0]);
    payload.extend_from_slice(&offsets.to_le_bytes());
    debug_assert_eq!(payload.len(), HEADER_BYTES + PREFIX_BYTES);
    payload
}

fn put_part(payload: &mut Vec<u8>, part: &Part) -> Result<u8, FrameError> {
    match part {
        Part::Rows { table, columns, batch } => {
            put_columns(payload, *table, columns)?;
            put_batch(payload, columns, batch)?;
            Ok(PART_ROWS)
        }
        Part::Files { table, files } => {
            payload.extend_from_slice(table.as_bytes());
            put_json(payload, files)?;
            Ok(PART_FILES)
        }
        Part::Ddl(ops) => {
            put_json(payload, ops)?;
            Ok(PART_DDL)
        }
        Part::Rejected(rows) => {
            put_json(payload, rows)?;
            Ok(PART_REJECTED)
        }
    }
}

fn put_json(payload: &mut Vec<u8>, value: &impl serde::Serialize) -> Result<(), FrameError> {
    serde_json::to_writer(payload, value).map_err(|e| FrameError::new(format!("could not write a part: {e}")))
}

fn put_columns(payload: &mut Vec<u8>, table: Uuid, columns: &[ColumnId]) -> Result<(), FrameError> {
    if columns.len() > COLUMNS_MAX {
        return Err(FrameError::new("too many columns"));
    }
    payload.extend_from_slice(table.as_bytes());
    payload.extend_from_slice(&(columns.len() as u32).to_le_bytes());
    for column in columns {
        payload.extend_from_slice(&column.get().to_le_bytes());
    }
    Ok(())
}

fn put_batch(payload: &mut Vec<u8>, columns: &[ColumnId], batch: &RecordBatch) -> Result<(), FrameError> {
    let failed = |e| FrameError::new(format!("could not write rows: {e}"));
    let batch = plain(columns, batch)?;
    let options = IpcWriteOptions::try_new(ALIGN, false, MetadataVersion::V5).map_err(failed)?;
    let mut writer = StreamWriter::try_new_with_options(payload, batch.schema_ref(), options).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// The batch with a schema that says nothing but types: names and metadata are the table's business.
fn plain(columns: &[ColumnId], batch: &RecordBatch) -> Result<RecordBatch, FrameError> {
    if columns.len() != batch.num_columns() {
        return Err(FrameError::new("columns and batch differ"));
    }
    let fields: Vec<Field> =
        batch.columns().iter().map(|array| Field::new("", array.data_type().clone(), true)).collect();
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        batch.columns().to_vec(),
        &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
    .map_err(|e| FrameError::new(format!("could not write rows: {e}")))
}

/// Compresses where it pays, and seals with header and checksum.
fn finish(mut record: Vec<u8>) -> Result<Vec<u8>, FrameError> {
    let length = record.len() - HEADER_BYTES;
    if length > PAYLOAD_BYTES_MAX {
        return Err(FrameError::new("the frame is too large"));
    }
    let mut flags = 0;
    if length >= COMPRESS_BYTES_MIN {
        let payload = record.get(HEADER_BYTES..).unwrap_or_default();
        let packed = zstd::bulk::compress(payload, ZSTD_LEVEL)
            .map_err(|e| FrameError::new(format!("could not compress: {e}")))?;
        if packed.len() < length - length / 8 {
            record.truncate(HEADER_BYTES);
            record.extend_from_slice(&packed);
            flags = FLAG_ZSTD;
        }
    }
    record[..3].copy_from_slice(&MAGIC);
    record[3] = VERSION;
    record[8] = flags;
    record[12..16].copy_from_slice(&(length as u32).to_le_bytes());
    let crc = crc32c::crc32c(&record[8..]);
    record[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(record)
}
