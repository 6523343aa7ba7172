//! Files of a bucket that were just published are fetched before somebody asks for them: those of tables that are read here.
//!
//! It decides nothing: what it does not fetch, the statement does that needs it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use duckmesh_catalog::{Catalog, LakeId, SnapshotId, TableId, files::DataFile};
use duckmesh_ingest::Lake;
use duckmesh_storage::LakeFiles;
use tokio::time::{Instant, sleep};

/// A table that was not read for so long is left to its next reader.
const READ_WITHIN: Duration = Duration::from_secs(300);
/// Tables that are remembered.
const TABLES_MAX: usize = 256;
/// Between two looks: publications that come faster are fetched together.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes fetched for a look; what is larger is somebody's bulk load, of which a statement may need a part.
const BYTES_MAX: u64 = 256 << 20;

/// The tables that were read lately, and at which snapshot.
#[derive(Debug, Default)]
pub struct Reads(Mutex<HashMap<TableId, (Instant, SnapshotId)>>);

impl Reads {
    /// A statement reads this table.
    pub fn note(&self, table: TableId, at: SnapshotId) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.len() >= TABLES_MAX {
            reads.retain(|_, (when, _)| when.elapsed() < READ_WITHIN);
            if reads.len() >= TABLES_MAX {
                reads.clear();
            }
        }
        reads.insert(table, (Instant::now(), at));
    }

    fn recent(&self) -> HashMap<TableId, SnapshotId> {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.retain(|_, (when, _)| when.elapsed() < READ_WITHIN);
        reads.iter().map(|(table, (_, at))| (*table, *at)).collect()
    }
}

/// What the task needs; it keeps nobody from closing or dropping the lake.
pub struct Prefetch {
    /// The catalog.
    pub catalog: Catalog,
    /// The lake's id there.
    pub id: LakeId,
    /// Its log, for as long as somebody has it.
    pub lake: Weak<Lake>,
    /// Its files.
    pub files: LakeFiles,
    /// What is read.
    pub reads: Arc<Reads>,
}

impl Prefetch {
    /// Goes on until the lake is closed.
    pub async fn run(self) {
        let Some(mut published) = self.lake.upgrade().map(|lake| lake.rumours()) else { return };
        let meter = metrics::counter!("duckmesh_cache_prefetched_files_total");
        // Up to which snapshot each table's files were looked at.
        let mut seen: HashMap<TableId, SnapshotId> = HashMap::new();
        while published.changed().await.is_ok() {
            sleep(PAUSE).await;
            published.mark_unchanged();
            let Some(lake) = self.lake.upgrade() else { return };
            // Before the files are listed: none of them is deleted meanwhile.
            let _reading = lake.read();
            match self.fetch(&mut seen).await {
                Ok(files) => meter.increment(files as u64),
                Err(error) => tracing::debug!(%error, "what was published was not fetched"),
            }
        }
    }

    async fn fetch(
        &self,
        seen: &mut HashMap<TableId, SnapshotId>,
    ) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        let tables = self.reads.recent();
        seen.retain(|table, _| tables.contains_key(table));
        if tables.is_empty() {
            return Ok(0);
        }
        let newest = self.catalog.latest(self.id).await?.id;
        let (mut fetched, mut left) = (0, BYTES_MAX);
        for (table, read) in tables {
            // What its reader needed of earlier ones it has fetched.
            let before = seen.insert(table, newest).map_or(read, |seen| seen.max(read));
            let known = self.catalog.files(self.id, newest, table).await?;
            let new = known.files.iter().filter(|file| file.begin_snapshot > before);
            let wanted = within(new, &self.files, &mut left);
            if !wanted.is_empty() {
                fetched += wanted.len();
                drop(self.files.hold(wanted).await?);
            }
        }
        Ok(fetched)
    }
}

/// Files and their sizes, the newest first, as many as may be fetched.
fn within<'a>(files: impl Iterator<Item = &'a DataFile>, lake: &LakeFiles, left: &mut u64) -> Vec<(String, u64)> {
    let mut files: Vec<&DataFile> = files.collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.begin_snapshot));
    let mut wanted = Vec::new();
    for file in files {
        let path = if file.path_is_relative { Some(file.path.as_str()) } else { lake.relative_path(&file.path) };
        let (Some(path), Some(rest)) = (path, left.checked_sub(file.size_bytes)) else { continue };
        *left = rest;
        wanted.push((path.to_owned(), file.size_bytes));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_remembered_as_they_were_read_last_and_not_without_end() {
        let reads = Reads::default();
        for at in [7, 8] {
            reads.note(TableId::new(1), SnapshotId::new(at));
        }
        assert_eq!(reads.recent(), HashMap::from([(TableId::new(1), SnapshotId::new(8))]));
        (10..2000).for_each(|table| reads.note(TableId::new(table), SnapshotId::new(7)));
        assert!((1..=TABLES_MAX).contains(&reads.recent().len()));
    }
}
