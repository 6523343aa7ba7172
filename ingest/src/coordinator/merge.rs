//! Merges small files of tables, so that a read opens few, however often rows come.
//!
//! It runs beside publication, under the lease, one merge at a time; only the transaction that shows a merged file takes
//! its turn among the publications. Nothing waits for it, and what it leaves undone costs time alone.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use duckmesh_catalog::{FileId, LakeSchema, MergeInput, Offset, TableDef, failpoint, leases::Lease, publish::Merge};
use duckmesh_storage::{ROW_SNAPSHOT_NAME, names};
use tokio::{sync::Notify, time::sleep};
use uuid::Uuid;

use super::tiers;
use crate::lake::Shared;

/// Between two merges: rows that come all the time gather meanwhile, and half of a core stays for others.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at what another process published.
const LOOK_PAUSE: Duration = Duration::from_secs(10);
/// After a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// Files that are known to be unreadable; when there are more, all are tried again.
const UNREADABLE_MAX: usize = 10_000;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How many files each table got since it was last looked at.
#[derive(Default)]
pub(crate) struct Added {
    files: Mutex<HashMap<Uuid, usize>>,
    enough: Notify,
}

impl Added {
    /// Files were published.
    pub(crate) fn note(&self, table: Uuid, files: usize) {
        let mut added = self.lock();
        let count = added.entry(table).or_default();
        *count += files;
        if *count >= tiers::FAN_IN {
            self.enough.notify_one();
        }
    }

    /// Tables that got enough to be looked at; waits until there is one.
    async fn due(&self) -> Vec<Uuid> {
        loop {
            let due: Vec<Uuid> =
                self.lock().extract_if(|_, count| *count >= tiers::FAN_IN).map(|(table, _)| table).collect();
            if !due.is_empty() {
                return due;
            }
            self.enough.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Merges what is due, for as long as it is polled.
/// Without a lease it is beside another process' publications.
pub(super) async fn run(shared: &Shared, lease: Option<&Lease>) -> Infallible {
    if !shared.options.merge_files {
        std::future::pending::<()>().await;
    }
    let mut merger = Merger { shared, lease, due: VecDeque::new(), unreadable: HashSet::new() };
    // A term begins with what the one before left behind.
    while let Err(error) = merger.look_at_all().await {
        merger.report(&error).await;
    }
    let mut seen = shared.progress.watermark();
    loop {
        let Some(table) = merger.due.pop_front() else {
            if lease.is_some() {
                let due = shared.added.due().await;
                merger.due.extend(due);
            } else {
                seen = merger.look_again(seen).await;
            }
            continue;
        };
        match merger.merge(table).await {
            Ok(false) => {}
            Ok(true) => {
                merger.due.push_back(table);
                sleep(PAUSE).await;
            }
            Err(error) => {
                merger.due.push_back(table);
                merger.report(&error).await;
            }
        }
    }
}

struct Merger<'a> {
    shared: &'a Shared,
    lease: Option<&'a Lease>,
    due: VecDeque<Uuid>,
    /// Files that are damaged: their neighbours are merged without them.
    unreadable: HashSet<FileId>,
}

impl Merger<'_> {
    async fn look_at_all(&mut self) -> Result<(), Error> {
        let (catalog, lake) = (&self.shared.catalog, self.shared.info.id);
        let tables = catalog.tables_with_files(lake, tiers::FAN_IN, tiers::SIZE_MAX).await?;
        let schema = catalog.schema(lake, &catalog.latest(lake).await?).await?;
        self.due.extend(tables.iter().filter_map(|id| schema.tables.get(id)).map(|table| table.uuid));
        Ok(())
    }

    /// Nobody says here what another process publishes: it is looked for, when the log went on.
    async fn look_again(&mut self, seen: Offset) -> Offset {
        sleep(LOOK_PAUSE).await;
        let head = self.shared.progress.lane().head;
        if head > seen
            && let Err(error) = self.look_at_all().await
        {
            self.report(&error).await;
            return seen;
        }
        head
    }

    async fn report(&self, error: &Error) {
        tracing::warn!(lake = %self.shared.info.name, %error, "could not merge files");
        sleep(FAILURE_PAUSE).await;
    }

    /// Merges some files of a table; whether there may be more to do.
    async fn merge(&mut self, uuid: Uuid) -> Result<bool, Error> {
        let (shared, lake) = (self.shared, self.shared.info.id);
        let catalog = &shared.catalog;
        let at = catalog.latest(lake).await?;
        let schema = catalog.schema(lake, &at).await?;
        let Some((table, folder)) = place(&schema, uuid) else { return Ok(false) };
        let files = catalog.merge_inputs(lake, table.id, tiers::SIZE_MAX, 4 * tiers::FILES_MAX).await?;
        let files: Vec<MergeInput> = files.into_iter().filter(|file| self.is_mergeable(file)).collect();
        let inputs = tiers::next(&files);
        if inputs.is_empty() {
            shared.added.note(uuid, tiers::waiting(&files));
            return Ok(false);
        }
        // Files of other columns than this table's may have come between the two looks.
        if catalog.latest(lake).await?.schema_version != at.schema_version {
            return Ok(true);
        }
        let merged = match shared.files.merge(table, folder, inputs.to_vec()).await {
            Ok(merged) => merged,
            Err(failed) => {
                let damaged = inputs.iter().find(|input| failed.part.as_ref() == Some(&input.path));
                if self.unreadable.len() >= UNREADABLE_MAX {
                    self.unreadable.clear();
                }
                self.unreadable.extend(damaged.map(|input| input.id));
                return Err(failed.error.into());
            }
        };
        failpoint::hit("compact-after-put")?;
        let merge = Merge {
            lake,
            epoch: self.lease.map(|lease| lease.epoch),
            table: table.id,
            inputs: inputs.to_vec(),
            file: merged.file.clone(),
        };
        self.publish(&merge).await
    }

    /// Shows the merged file. One that is not shown is the sweep's, which asks the catalog once more before it removes anything:
    /// of some failures it is not known whether the file is part of the lake, and of some refusals whether they are of a second
    /// try.
    async fn publish(&self, merge: &Merge) -> Result<bool, Error> {
        let shared = self.shared;
        let shown = {
            let _turn = shared.turn().await;
            shared.catalog.merge(merge).await
        };
        // Without one something came between: the table is looked at again.
        if let Some(snapshot) = shown? {
            let files = merge.inputs.len();
            tracing::debug!(lake = %shared.info.name, table = %merge.table, files, %snapshot, "merged files");
            shared.meters.merges.increment(1);
            shared.meters.merged_files.increment(files as u64);
        }
        Ok(true)
    }

    /// Only what was written here: of other writers' files it is not known that all of them can be read and written again
    /// without loss.
    fn is_mergeable(&self, file: &MergeInput) -> bool {
        names::is_ours(&file.path) && !self.unreadable.contains(&file.id)
    }
}

/// A table whose rows can be written here, with its schema's folder.
fn place(schema: &LakeSchema, uuid: Uuid) -> Option<(&std::sync::Arc<TableDef>, &str)> {
    let table = schema.table_by_uuid(uuid)?;
    let folder = schema.schemas.values().find(|s| s.id == table.schema_id)?;
    let is_ours = |name: &str| !name.eq_ignore_ascii_case(ROW_SNAPSHOT_NAME);
    let is_writable = table.columns.iter().all(|column| column.ty.is_writable() && is_ours(&column.name));
    is_writable.then_some((table, folder.path.as_str()))
}
