//! Deletes files that were merged into others, once nobody can be reading them any more.
//!
//! A snapshot that is read anew names the merged file instead, however old it is; so only statements that listed their
//! files before the merge need the old ones. Those of all servers of the catalog are known; the grace is for other programs.
//! An open transaction counts as one as long as it lasts: its server may have kept the list.
//! It also ends old snapshots where there is a retention, and their files wait here like the merged ones.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use duckmesh_catalog::{FileId, ScheduledFile};
use duckmesh_storage::names;
use tokio::time::sleep;

use crate::{lake::Shared, options::LeaseKeeping};

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
        if let Err(error) = expire(shared).await {
            tracing::warn!(lake = %shared.info.name, %error, "could not end old snapshots");
        }
        if let Err(error) = clean(shared).await {
            tracing::warn!(lake = %shared.info.name, %error, "could not delete merged files");
        }
        sleep(interval).await;
    }
}

/// A file first, and then that it was to be deleted: after a crash between the two it is deleted again.
async fn clean(shared: &Shared) -> Result<(), Error> {
    let (catalog, lake) = (&shared.catalog, shared.info.id);
    let mut after = FileId::new(-1);
    let mut files = catalog.scheduled_files(lake, after, FILES_AT_ONCE).await?;
    if files.is_empty() {
        return Ok(());
    }
    let grace = TimeDelta::from_std(grace(shared)).unwrap_or(TimeDelta::MAX);
    let readers_since = readers_since(shared).await?;
    // Other programs' files, and those of unknown age, are left to the programs that scheduled them.
    let is_due = |file: &ScheduledFile| {
        let is_old = file.since.is_some_and(|since| readers_since.signed_duration_since(since) >= grace);
        is_old && file.path_is_relative && names::is_ours(&file.path)
    };
    while let Some(last) = files.last() {
        after = last.id;
        let mut deleted = Vec::new();
        for file in files.iter().filter(|file| is_due(file)) {
            shared.files.remove(&file.path).await?;
            deleted.push(file.id);
        }
        catalog.forget_scheduled(lake, &deleted).await?;
        shared.meters.deleted.increment(deleted.len() as u64);
        files = catalog.scheduled_files(lake, after, FILES_AT_ONCE).await?;
    }
    Ok(())
}

/// What other servers' readers keep they say within the life of a lease: nothing goes before that.
fn grace(shared: &Shared) -> Duration {
    match shared.options.lease {
        LeaseKeeping::Renewed => shared.options.merge_grace,
        LeaseKeeping::WhileAlive => shared.options.merge_grace.max(shared.options.lease_ttl),
    }
}

/// Since when the longest reader of all servers reads, or now; by the clock that scheduled files have their time of.
async fn readers_since(shared: &Shared) -> Result<DateTime<Utc>, Error> {
    let pins = shared.catalog.pins(shared.info.id).await?;
    let own = match shared.catalog.is_shared() {
        true => shared.readers.kept().and_then(|kept| TimeDelta::from_std(kept.oldest).ok()).map(|age| pins.now - age),
        false => shared.readers.oldest(),
    };
    Ok([pins.oldest, own].into_iter().flatten().fold(pins.now, DateTime::min))
}

async fn expire(shared: &Shared) -> Result<(), Error> {
    let Some(retention) = shared.options.retention else { return Ok(()) };
    // The database's time, where there are several servers.
    let before = shared.catalog.pins(shared.info.id).await?.now - TimeDelta::from_std(retention)?;
    let expired = shared.expire_snapshots(before).await?;
    if expired.snapshots > 0 {
        let (snapshots, files) = (expired.snapshots, expired.files);
        tracing::info!(lake = %shared.info.name, snapshots, files, pinned = expired.pinned, "old snapshots ended");
    }
    Ok(())
}
