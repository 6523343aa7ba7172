//! Rows that a cursor keeps: in memory up to a limit, the rest in a file of the scratch folder.

use std::{fs::File, path::PathBuf};

use arrow::{
    array::RecordBatch,
    ipc::{reader::FileReader, writer::FileWriter},
};
use async_trait::async_trait;

use crate::{
    limits::{CURSOR_FILE_BYTES_MAX, CURSOR_MEMORY_BYTES_MAX},
    session::{ClientSession, scratch_path},
    wire::{
        PgError, PgResult, SqlState,
        backend::{KeptRows, Rows},
    },
};

/// Takes all rows of a result.
///
/// # Errors
/// Of the result; 54000 where it is too large.
pub async fn keep(session: &ClientSession, mut rows: Rows) -> PgResult<Box<dyn KeptRows>> {
    let mut kept = Kept { memory: Vec::new(), ends: Vec::new(), count: 0, spill: None, reader: None };
    let mut bytes = 0;
    let mut writer: Option<FileWriter<File>> = None;
    while let Some(batch) = rows.batches.next().await? {
        if batch.num_rows() == 0 {
            continue;
        }
        bytes += batch.get_array_memory_size();
        if bytes > CURSOR_FILE_BYTES_MAX {
            let message = "the rows that the cursor would keep are too many";
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                .hint("Use a cursor WITHOUT HOLD and NO SCROLL: its rows are not kept."));
        }
        kept.count += batch.num_rows() as u64;
        kept.ends.push(kept.count);
        if bytes <= CURSOR_MEMORY_BYTES_MAX && writer.is_none() {
            kept.memory.push(batch);
            continue;
        }
        tokio::task::block_in_place(|| {
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let path = scratch_path(&session.lake.scratch);
                    let file = File::create_new(&path).map_err(PgError::internal)?;
                    kept.spill = Some(Spill(path));
                    none.insert(FileWriter::try_new(file, &batch.schema()).map_err(PgError::internal)?)
                }
            };
            writer.write(&batch).map_err(PgError::internal)
        })?;
    }
    if let (Some(mut writer), Some(spill)) = (writer, &kept.spill) {
        kept.reader = Some(tokio::task::block_in_place(|| {
            writer.finish().map_err(PgError::internal)?;
            let file = File::open(&spill.0).map_err(PgError::internal)?;
            FileReader::try_new(file, None).map_err(PgError::internal)
        })?);
    }
    Ok(Box::new(kept))
}

struct Kept {
    memory: Vec<RecordBatch>,
    /// How many rows there are up to the end of each batch; those behind `memory` are in the file.
    ends: Vec<u64>,
    count: u64,
    reader: Option<FileReader<File>>,
    spill: Option<Spill>,
}

/// A file that goes with the cursor.
struct Spill(PathBuf);

impl Drop for Spill {
    fn drop(&mut self) {
        // A file that cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[async_trait]
impl KeptRows for Kept {
    fn count(&self) -> u64 {
        self.count
    }

    async fn read(&mut self, from: u64, count: u64) -> PgResult<Option<RecordBatch>> {
        let at = self.ends.partition_point(|end| *end <= from);
        let Some(end) = self.ends.get(at).copied() else { return Ok(None) };
        let batch = match self.memory.get(at) {
            Some(batch) => batch.clone(),
            None => {
                let place = at - self.memory.len();
                let reader = self.reader.as_mut().ok_or_else(|| PgError::internal("a cursor without its file"))?;
                let read = tokio::task::block_in_place(|| {
                    reader.set_index(place)?;
                    reader.next().transpose()
                });
                read.map_err(PgError::internal)?.ok_or_else(|| PgError::internal("a cursor's file is too short"))?
            }
        };
        let start = end - batch.num_rows() as u64;
        let skipped = usize::try_from(from - start).map_err(PgError::internal)?;
        let rows = usize::try_from(count).unwrap_or(usize::MAX).min(batch.num_rows() - skipped);
        Ok(Some(batch.slice(skipped, rows)))
    }
}
