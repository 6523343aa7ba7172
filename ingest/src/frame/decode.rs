//! Bytes become a record's body. Hostile bytes are an error, never a panic and never a large allocation.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    ipc::{reader::StreamDecoder, root_as_message},
};
use bytes::Bytes;
use duckmesh_catalog::{ColumnId, Offset};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    Body, Content, FrameError, Part, SharedRows,
    layout::{
        ALIGN, COLUMNS_MAX, FLAG_ZSTD, HEADER_BYTES, KIND_PARTS, KIND_ROWS, MAGIC, OFFSETS_MAX, PART_DDL, PART_FILES,
        PART_REJECTED, PART_ROWS, PARTS_MAX, PAYLOAD_BYTES_MAX, VERSION,
    },
};

type Result<T> = std::result::Result<T, FrameError>;

/// Takes a record apart. `offsets` is how many the log says that it covers.
pub fn decode(record: &Bytes, offsets: u64) -> Result<Body> {
    body(record, Some(offsets))
}

/// Paths of the staged files that a record names, below their tables' folders; for a record that is not in the log.
pub fn staged_files(record: &Bytes) -> Result<Vec<String>> {
    let Content::Parts(parts) = body(record, None)?.content else { return Ok(Vec::new()) };
    let of_part = |part| match part {
        Part::Files { files, .. } => files,
        Part::Rows { .. } | Part::Ddl(_) | Part::Rejected(_) => Vec::new(),
    };
    Ok(parts.into_iter().flat_map(of_part).map(|file| file.path).collect())
}

fn body(record: &Bytes, offsets: Option<u64>) -> Result<Body> {
    let payload = open(record)?;
    let mut cursor = Cursor { payload: &payload, at: 0 };
    let made_for = Offset::new(cursor.i64()?);
    let kind = cursor.u8()?;
    cursor.take(3)?;
    let count = cursor.count("offsets", OFFSETS_MAX)?;
    if let Some(offsets) = offsets.filter(|offsets| *offsets != count as u64) {
        return Err(FrameError::new(format!("the record covers {count} offsets, the log says {offsets}")));
    }
    let content = match kind {
        KIND_ROWS => Content::Rows(shared_rows(&mut cursor, count)?),
        KIND_PARTS if count == 1 => Content::Parts(parts(&mut cursor)?),
        _ => return Err(FrameError::new("unknown kind of record")),
    };
    Ok(Body { made_for, content })
}

/// How many bytes a record says that it has when it is decoded; its size where it says nothing.
#[must_use]
pub fn decoded_bytes(record: &[u8]) -> usize {
    match record.first_chunk::<HEADER_BYTES>() {
        Some([.., l0, l1, l2, l3]) => {
            let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
            length.min(PAYLOAD_BYTES_MAX)
        }
        None => record.len(),
    }
}

/// Checks the header and the checksum, and gives the uncompressed payload.
fn open(record: &Bytes) -> Result<Buffer> {
    let header: &[u8; HEADER_BYTES] =
        record.first_chunk().ok_or_else(|| FrameError::new("the record is shorter than its header"))?;
    let [m0, m1, m2, version, c0, c1, c2, c3, flags, _, _, _, l0, l1, l2, l3] = *header;
    if [m0, m1, m2] != MAGIC {
        return Err(FrameError::new("not a record"));
    }
    if version != VERSION {
        return Err(FrameError::new(format!("unknown record version {version}")));
    }
    let checked = record.get(8..).unwrap_or_default();
    if crc32c::crc32c(checked) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(FrameError::new("the record's checksum does not match"));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(FrameError::new("the record is too large"));
    }
    let body = record.slice(HEADER_BYTES..);
    let payload = match flags {
        0 => Buffer::from(body),
        FLAG_ZSTD => Buffer::from_vec(
            zstd::bulk::decompress(&body, length).map_err(|e| FrameError::new(format!("could not decompress: {e}")))?,
        ),
        _ => return Err(FrameError::new("unknown record flags")),
    };
    if payload.len() != length {
        return Err(FrameError::new("the record's length does not match"));
    }
    Ok(payload)
}

fn shared_rows(cursor: &mut Cursor<'_>, count: usize) -> Result<SharedRows> {
    let (table, columns) = cursor.columns()?;
    let rows_per_offset = (0..count).map(|_| cursor.u32()).collect::<Result<Vec<_>>>()?;
    cursor.align(ALIGN)?;
    let batch = batch(cursor.rest(), &columns)?;
    let counted: u64 = rows_per_offset.iter().map(|n| u64::from(*n)).sum();
    if counted != batch.num_rows() as u64 {
        return Err(FrameError::new("rows per offset do not add up to the batch"));
    }
    Ok(SharedRows { table, columns, rows_per_offset, batch })
}

fn parts(cursor: &mut Cursor<'_>) -> Result<Vec<Part>> {
    let count = cursor.count("parts", PARTS_MAX)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let tag = cursor.u8()?;
        let length = cursor.u32()? as usize;
        let content = cursor.take(length)?;
        let mut inner = Cursor { payload: &content, at: 0 };
        parts.push(match tag {
            PART_ROWS => {
                let (table, columns) = inner.columns()?;
                let batch = batch(inner.rest(), &columns)?;
                Part::Rows { table, columns, batch }
            }
            PART_FILES => Part::Files { table: inner.uuid()?, files: json(&inner.rest())? },
            PART_DDL => Part::Ddl(json(&content)?),
            PART_REJECTED => Part::Rejected(json(&content)?),
            _ => return Err(FrameError::new("unknown part")),
        });
    }
    if !cursor.rest().is_empty() {
        return Err(FrameError::new("bytes after the last part"));
    }
    Ok(parts)
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| FrameError::new(format!("unreadable part: {e}")))
}

/// One batch from an Arrow IPC stream.
fn batch(stream: Buffer, columns: &[ColumnId]) -> Result<RecordBatch> {
    refuse_compression(&stream)?;
    // arrow-ipc unwraps some of what it reads (a header of the wrong kind, an unknown type): a panic there is
    // one more way of saying that the bytes are wrong.
    let batch = catch_unwind(AssertUnwindSafe(|| read_stream(stream)))
        .map_err(|_| FrameError::new("unreadable rows"))?
        .map_err(|e| FrameError::new(format!("unreadable rows: {e}")))?
        .ok_or_else(|| FrameError::new("a part without rows"))?;
    if batch.num_columns() != columns.len() {
        return Err(FrameError::new("columns and batch differ"));
    }
    Ok(batch)
}

fn read_stream(mut stream: Buffer) -> std::result::Result<Option<RecordBatch>, arrow::error::ArrowError> {
    let mut decoder = StreamDecoder::new();
    let batch = decoder.decode(&mut stream)?;
    if batch.is_some() && decoder.decode(&mut stream)?.is_some() {
        return Err(arrow::error::ArrowError::IpcError("two batches".into()));
    }
    decoder.finish()?;
    Ok(batch)
}

/// Walks the stream's messages. We never write compressed buffers or dictionaries, and a compressed buffer's declared
/// size would be allocated before it is looked at.
fn refuse_compression(stream: &[u8]) -> Result<()> {
    let mut rest = stream;
    loop {
        let Some((marker, after)) = rest.split_first_chunk::<4>() else {
            return Ok(());
        };
        let Some((size, after)) = after.split_first_chunk::<4>() else {
            return Err(FrameError::new("unreadable rows: cut off"));
        };
        if *marker != [0xff; 4] {
            return Err(FrameError::new("unreadable rows: not a message"));
        }
        let size = u32::from_le_bytes(*size) as usize;
        if size == 0 {
            return Ok(());
        }
        let metadata = after.get(..size).ok_or_else(|| FrameError::new("unreadable rows: cut off"))?;
        let message = root_as_message(metadata).map_err(|e| FrameError::new(format!("unreadable rows: {e}")))?;
        if let Some(batch) = message.header_as_record_batch()
            && batch.compression().is_some()
        {
            return Err(FrameError::new("unreadable rows: compressed buffers"));
        }
        if message.header_as_dictionary_batch().is_some() {
            return Err(FrameError::new("unreadable rows: dictionaries"));
        }
        let body = usize::try_from(message.bodyLength()).unwrap_or(usize::MAX);
        rest =
            after.get(size..).and_then(|r| r.get(body..)).ok_or_else(|| FrameError::new("unreadable rows: cut off"))?;
    }
}

/// Reads forward through a payload.
struct Cursor<'a> {
    payload: &'a Buffer,
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, length: usize) -> Result<Buffer> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.payload.len());
        let end = end.ok_or_else(|| FrameError::new("the record is cut off"))?;
        let taken = self.payload.slice_with_length(self.at, length);
        self.at = end;
        Ok(taken)
    }

    fn rest(&self) -> Buffer {
        self.payload.slice(self.at)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.payload.get(self.at..).and_then(|rest| rest.first_chunk());
        let bytes = *bytes.ok_or_else(|| FrameError::new("the record is cut off"))?;
        self.at += N;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn uuid(&mut self) -> Result<Uuid> {
        self.array().map(Uuid::from_bytes)
    }

    fn count(&mut self, what: &str, max: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        if count > max {
            return Err(FrameError::new(format!("too many {what}")));
        }
        Ok(count)
    }

    fn columns(&mut self) -> Result<(Uuid, Vec<ColumnId>)> {
        let table = self.uuid()?;
        let count = self.count("columns", COLUMNS_MAX)?;
        let ids = (0..count).map(|_| self.i64().map(ColumnId::new)).collect::<Result<_>>()?;
        Ok((table, ids))
    }

    fn align(&mut self, to: usize) -> Result<()> {
        let next = self.at.next_multiple_of(to);
        self.take(next - self.at).map(drop)
    }
}
