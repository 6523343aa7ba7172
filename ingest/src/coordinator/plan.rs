//! What to publish together. Pure: records in, publications out.
//!
//! Runs of records without DDL become one publication, up to its size; a record with DDL is one of its own,
//! with its rows and files, because what follows was made for the schema behind it.

use std::collections::VecDeque;

use bytes::Bytes;
use duckmesh_catalog::Offset;

use crate::{
    bus::StoredRecord,
    frame::{self, Content, Part, SharedRows},
};

/// What is applied whole or rejected: a record, or a piece of one.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// The first offset it covers.
    pub(super) first: Offset,
    /// The last offset it covers.
    pub(super) last: Offset,
    /// Whether the record has DDL.
    pub(super) ddl: bool,
    /// The record's frames, or why they cannot be read.
    pub(super) content: Result<Content, String>,
    /// The record's bytes, for an operator.
    pub(super) body: Bytes,
}

impl Unit {
    /// The part of a record above the watermark.
    pub(super) fn decode(record: &StoredRecord, watermark: Offset) -> Self {
        let offsets = record.last.get() - record.first.get() + 1;
        let content = frame::decode(&record.body, u64::try_from(offsets).unwrap_or(0));
        let unit = Self {
            first: record.first,
            last: record.last,
            ddl: record.ddl,
            content: content.map(|body| body.content).map_err(|e| e.to_string()),
            body: record.body.clone(),
        };
        unit.above(watermark)
    }

    /// What is left of it above an offset: a record may have been published in pieces.
    fn above(self, watermark: Offset) -> Self {
        let done = watermark.get() - self.first.get() + 1;
        match usize::try_from(done) {
            Ok(done) if done > 0 && self.first < self.last => self.split_at(done).1,
            _ => self,
        }
    }

    /// How many offsets it covers.
    pub(super) fn offsets(&self) -> usize {
        usize::try_from(self.last.get() - self.first.get() + 1).unwrap_or(0)
    }

    /// The first `count` offsets, and the rest. Only for a unit of several offsets.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (left, right) = match self.content {
            Ok(Content::Rows(rows)) => {
                let (left, right) = split_rows(&rows, count);
                (Ok(Content::Rows(left)), Ok(Content::Rows(right)))
            }
            // Parts cover one offset; what cannot be read has nothing to split but its range.
            other => (other.clone(), other),
        };
        let middle = Offset::new(self.first.get() + count as i64);
        let left = Self {
            first: self.first,
            last: Offset::new(middle.get() - 1),
            ddl: self.ddl,
            content: left,
            body: self.body.clone(),
        };
        let right = Self { first: middle, last: self.last, ddl: self.ddl, content: right, body: self.body };
        (left, right)
    }

    /// Bytes of its rows in memory, about.
    fn bytes(&self) -> usize {
        match &self.content {
            Ok(Content::Rows(rows)) => rows.batch.get_array_memory_size(),
            Ok(Content::Parts(parts)) => parts.iter().map(part_bytes).sum(),
            Err(_) => 0,
        }
    }
}

fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Rows { batch, .. } => batch.get_array_memory_size(),
        Part::Files { .. } | Part::Ddl(_) | Part::Rejected(_) => 0,
    }
}

fn split_rows(rows: &SharedRows, count: usize) -> (SharedRows, SharedRows) {
    let count = count.min(rows.rows_per_offset.len());
    let (left, right) = rows.rows_per_offset.split_at(count);
    let middle = left.iter().map(|n| *n as usize).sum::<usize>().min(rows.batch.num_rows());
    let piece = |counts: &[u32], from: usize, to: usize| SharedRows {
        table: rows.table,
        columns: rows.columns.clone(),
        rows_per_offset: counts.to_vec(),
        batch: rows.batch.slice(from, to - from),
    };
    (piece(left, 0, middle), piece(right, middle, rows.batch.num_rows()))
}

/// Takes records from the front that are about `bytes_max` when decoded; at least one. What a read gives may be
/// many times its size when decompressed.
pub(super) fn next_chunk(records: &mut VecDeque<StoredRecord>, bytes_max: usize) -> Vec<StoredRecord> {
    let (mut chunk, mut bytes) = (Vec::new(), 0_usize);
    while let Some(record) = records.front() {
        bytes = bytes.saturating_add(frame::decoded_bytes(&record.body));
        if !chunk.is_empty() && bytes > bytes_max {
            break;
        }
        chunk.extend(records.pop_front());
    }
    chunk
}

/// Groups units into publications of about `bytes_max`; at least one unit each, in order, none left out.
pub(super) fn plan(units: Vec<Unit>, bytes_max: usize) -> Vec<Vec<Unit>> {
    let mut steps: Vec<Vec<Unit>> = Vec::new();
    let mut open: Vec<Unit> = Vec::new();
    let mut bytes = 0;
    for unit in units {
        let size = unit.bytes();
        if !open.is_empty() && (unit.ddl || bytes + size > bytes_max) {
            steps.push(std::mem::take(&mut open));
            bytes = 0;
        }
        if unit.ddl {
            steps.push(vec![unit]);
        } else {
            bytes += size;
            open.push(unit);
        }
    }
    if !open.is_empty() {
        steps.push(open);
    }
    steps
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
