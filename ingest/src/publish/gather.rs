//! A group of writes becomes as few records as possible: rows of the same table, columns and schema share one batch.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    compute::concat,
    error::ArrowError,
};
use bytes::Bytes;
use duckmesh_catalog::ColumnId;
use uuid::Uuid;

use super::{Gathered, Queued};
use crate::{
    bus::{NewRecord, RecordKey},
    error::{AppendError, AppendErrorKind},
    frame::{FrameError, Part, SharedRows, Write, encode_parts, encode_rows},
};

/// From here on a batch's size is measured exactly: slices of large batches, and one row in a builder's roomy
/// buffers, would count whole otherwise.
const EXACT_BYTES_MIN: usize = 16 << 10;
/// What a write takes in the queue besides its values.
const WRITE_BYTES: usize = 256;

/// Bytes of a part in memory.
pub(super) fn size(part: &Part) -> usize {
    WRITE_BYTES
        + match part {
            Part::Rows { batch, .. } => {
                let quick: usize = batch.columns().iter().map(|a| a.get_buffer_memory_size()).sum();
                if quick < EXACT_BYTES_MIN {
                    return WRITE_BYTES + quick;
                }
                let exact =
                    |a: &ArrayRef| a.to_data().get_slice_memory_size().unwrap_or_else(|_| a.get_buffer_memory_size());
                batch.columns().iter().map(exact).sum()
            }
            Part::Files { files, .. } => files.iter().map(|f| 256 + f.stats.len() * 128).sum(),
            // An operation with many columns is some kilobytes as JSON.
            Part::Ddl(ops) => ops.len() * 1024,
            Part::Rejected(rows) => rows.iter().map(|r| 256 + r.content.as_ref().map_or(0, String::len)).sum(),
        }
}

/// Rows that a write brings in its frame.
pub(super) fn rows(write: &Write) -> u64 {
    let rows = write.parts.iter().map(|part| match part {
        Part::Rows { batch, .. } => batch.num_rows() as u64,
        Part::Files { .. } | Part::Ddl(_) | Part::Rejected(_) => 0,
    });
    rows.sum()
}

/// Makes records. A write that cannot be encoded is answered here; its neighbours are not harmed.
///
/// The order within a group is free: no writer waits for another one's answer. DDL goes last, so that it does
/// not make the rest of the group stale.
pub(super) fn records(group: Vec<Queued>) -> Vec<Gathered> {
    let mut buckets: Vec<Vec<Queued>> = Vec::new();
    let mut alone = Vec::new();
    let mut ddl = Vec::new();
    let mut keys = HashSet::new();
    for queued in group {
        let key = queued.write.key.as_ref();
        // A key twice in one group: the second must meet the first one's in the log.
        let repeated = key.is_some_and(|key| !keys.insert(key.key.clone()));
        if queued.write.parts.iter().any(|p| matches!(p, Part::Ddl(_))) {
            ddl.push(queued);
        } else if repeated || shareable(&queued.write).is_none() {
            alone.push(queued);
        } else if let Some(bucket) = buckets.iter_mut().rev().find(|b| fits(b, &queued.write)) {
            bucket.push(queued);
        } else {
            buckets.push(vec![queued]);
        }
    }
    let mut records = Vec::new();
    buckets.into_iter().for_each(|bucket| share(bucket, &mut records));
    alone.into_iter().chain(ddl).for_each(|queued| single(queued, &mut records));
    records
}

/// The only part of a write that is nothing but rows.
fn shareable(write: &Write) -> Option<(&Uuid, &[ColumnId], &RecordBatch)> {
    match write.parts.as_slice() {
        [Part::Rows { table, columns, batch }] => Some((table, columns, batch)),
        _ => None,
    }
}

fn fits(bucket: &[Queued], write: &Write) -> bool {
    let Some(first) = bucket.first().filter(|first| first.write.made_for == write.made_for) else {
        return false;
    };
    let (Some((t1, c1, b1)), Some((t2, c2, b2))) = (shareable(&first.write), shareable(write)) else {
        return false;
    };
    let same_types = || {
        let (left, right) = (b1.columns().iter(), b2.columns().iter());
        left.zip(right).all(|(l, r)| l.data_type() == r.data_type())
    };
    t1 == t2 && c1 == c2 && (Arc::ptr_eq(b1.schema_ref(), b2.schema_ref()) || same_types())
}

fn share(bucket: Vec<Queued>, records: &mut Vec<Gathered>) {
    let encoded = bucket
        .first()
        .ok_or_else(|| FrameError::new("an empty group"))
        .and_then(|first| encode_rows(first.write.made_for, &merge(&bucket)?));
    match encoded {
        Ok(body) => records.push(gathered(bucket, body, false)),
        // One of them is at fault: each on its own finds out which.
        Err(_) => bucket.into_iter().for_each(|queued| single(queued, records)),
    }
}

fn single(queued: Queued, records: &mut Vec<Gathered>) {
    let ddl = queued.write.parts.iter().any(|p| matches!(p, Part::Ddl(_)));
    match encode_parts(queued.write.made_for, &queued.write.parts) {
        Ok(body) => records.push(gathered(vec![queued], body, ddl)),
        Err(e) => {
            let error = AppendError::new(AppendErrorKind::Invalid, e.to_string());
            let _ = queued.reply.send(Err(error));
        }
    }
}

/// Names of the files that a write has instead of rows.
fn files(write: &Write) -> impl Iterator<Item = String> {
    let of_part = |part: &Part| match part {
        Part::Files { files, .. } => files.iter().map(|file| file.path.clone()).collect(),
        Part::Rows { .. } | Part::Ddl(_) | Part::Rejected(_) => Vec::new(),
    };
    write.parts.iter().flat_map(of_part)
}

fn gathered(writes: Vec<Queued>, body: Vec<u8>, ddl: bool) -> Gathered {
    let keys = (0_u32..).zip(&writes).filter_map(|(index, queued)| {
        let key = queued.write.key.clone()?;
        Some(RecordKey { index, key })
    });
    let record = NewRecord {
        offsets: writes.len() as u32,
        made_for: writes.first().map_or(duckmesh_catalog::Offset::ZERO, |w| w.write.made_for),
        ddl,
        head_max: None,
        files: writes.iter().flat_map(|queued| files(&queued.write)).collect(),
        keys: keys.collect(),
        body: Bytes::from(body),
    };
    Gathered { record, writes }
}

/// The rows of all writes of a bucket in one batch.
fn merge(bucket: &[Queued]) -> Result<SharedRows, FrameError> {
    let writes: Vec<_> = bucket.iter().filter_map(|q| shareable(&q.write)).collect();
    let Some((table, columns, first)) = writes.first().copied() else {
        return Err(FrameError::new("a group without rows"));
    };
    let count = |b: &RecordBatch| u32::try_from(b.num_rows());
    let rows_per_offset = writes
        .iter()
        .map(|(_, _, batch)| count(batch))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| FrameError::new("too many rows in one write"))?;
    let batch = match writes.as_slice() {
        [_] => first.clone(),
        _ => merged(first, &writes).map_err(|e| FrameError::new(format!("could not share a batch: {e}")))?,
    };
    Ok(SharedRows { table: *table, columns: columns.to_vec(), rows_per_offset, batch })
}

fn merged(first: &RecordBatch, writes: &[(&Uuid, &[ColumnId], &RecordBatch)]) -> Result<RecordBatch, ArrowError> {
    let mut arrays: Vec<&dyn Array> = Vec::with_capacity(writes.len());
    let mut columns = Vec::with_capacity(first.num_columns());
    for index in 0..first.num_columns() {
        arrays.clear();
        arrays.extend(writes.iter().filter_map(|(_, _, b)| b.columns().get(index).map(|a| &**a)));
        columns.push(concat(&arrays)?);
    }
    let rows = writes.iter().map(|(_, _, b)| b.num_rows()).sum();
    // The fields' names and nullability are the first one's; the record's bytes keep neither.
    let fields: Vec<_> =
        columns.iter().map(|a| arrow::datatypes::Field::new("", a.data_type().clone(), true)).collect();
    RecordBatch::try_new_with_options(
        Arc::new(arrow::datatypes::Schema::new(fields)),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
}
