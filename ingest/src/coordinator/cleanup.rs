//! Deletes files that were merged into others, once nobody can be reading them any more.
//!
//! A snapshot that is read anew names the merged file instead, however old it is; so only statements that listed their
//! files before the merge need the old ones. The grace is for those of other processes; those of this one are known.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use duckmesh_catalog::{FileId, ScheduledFile};
use duckmesh_storage::names;
use tokio::time::sleep;

use crate::lake::Shared;

/// It comes so often in a grace, but in the bounds below.
const LOOKS_PER_GRACE: u32 = 4;
const INTERVAL_MIN: Duration = Duration::from_millis(200);
const INTERVAL_MAX: Duration = Duration::from_secs(300);
/// Files looked at together.
const FILES_AT_ONCE: usize = 1000;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Deletes at once what is due, and then from time to time. Never ends by itself.
pub(super) async fn run(shared: &Shared) -> Infallible {
    let interval = (shared.options.merge_grace / LOOKS_PER_GRACE).clamp(INTERVAL_MIN, INTERVAL_MAX);
    loop {
        if let Err(error) = clean(shared).await {
            tracing::warn!(lake = %shared.info.name, %error, "could not delete merged files");
        }
        sleep(interval).await;
    }
}

/// A file first, and then that it was to be deleted: after a crash between the two it is deleted again.
async fn clean(shared: &Shared) -> Result<(), Error> {
    let (catalog, lake) = (&shared.catalog, shared.info.id);
    let grace = TimeDelta::from_std(shared.options.merge_grace).unwrap_or(TimeDelta::MAX);
    let now = catalog.now();
    let readers_since = shared.readers.oldest().map_or(now, |oldest| oldest.min(now));
    // Other programs' files, and those of unknown age, are left to the programs that scheduled them.
    let is_due = |file: &ScheduledFile| {
        let is_old = file.since.is_some_and(|since| readers_since.signed_duration_since(since) >= grace);
        is_old && file.path_is_relative && names::is_ours(&file.path)
    };
    let mut after = FileId::new(-1);
    loop {
        let files = catalog.scheduled_files(lake, after, FILES_AT_ONCE).await?;
        let Some(last) = files.last() else { return Ok(()) };
        after = last.id;
        let mut deleted = Vec::new();
        for file in files.iter().filter(|file| is_due(file)) {
            shared.files.remove(&file.path).await?;
            deleted.push(file.id);
        }
        catalog.forget_scheduled(lake, &deleted).await?;
        shared.meters.deleted.increment(deleted.len() as u64);
    }
}
