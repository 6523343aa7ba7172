//! The sweep: deletes files that nothing can refer to any more, such as those of a COPY that a crash broke off.
//!
//! It runs beside publication, under the lease. It never takes a file that is younger than the grace, or named by a
//! snapshot, by DuckLake's list of deletions, by a frame in the log or by a dead letter; nor one that a session claims.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use duckmesh_catalog::{DeadLetter, Offset};
use duckmesh_storage::{StoredFile, names};
use tokio::time::sleep;

use crate::{frame, lake::Shared};

/// The sweep comes so often in a grace, but in the bounds below.
const SWEEPS_PER_GRACE: u32 = 4;
const INTERVAL_MIN: Duration = Duration::from_millis(200);
const INTERVAL_MAX: Duration = Duration::from_secs(900);
/// Files given up in one transaction: it holds rows that writers wait for.
const FILES_AT_ONCE: usize = 1000;
/// Dead letters read at once; each may be a mebibyte.
const LETTERS_AT_ONCE: i64 = 16;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sweeps at once, and then from time to time. Never ends by itself.
pub(super) async fn run(shared: &Shared) -> Infallible {
    let interval = (shared.options.sweep_grace / SWEEPS_PER_GRACE).clamp(INTERVAL_MIN, INTERVAL_MAX);
    loop {
        match sweep(shared).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(lake = %shared.info.name, files = swept, "swept files that nothing refers to"),
            Err(error) => tracing::warn!(lake = %shared.info.name, %error, "could not sweep"),
        }
        sleep(interval).await;
    }
}

/// The order is what makes it safe. A staged file goes from claim to log to catalog, and the look goes the same way.
/// Before it what is about to be deleted is given up, in the log and in the catalog, so that a process which comes late,
/// because it was stopped for longer than the grace or because its clock or this one's is wrong, cannot name it any more.
async fn sweep(shared: &Shared) -> Result<usize, Error> {
    let (catalog, lake) = (&shared.catalog, shared.info.id);
    let now = shared.files.now().await?;
    let mut garbage = shared.files.unclaimed(now, shared.options.sweep_grace).await?;
    leave_known(shared, &mut garbage).await?;
    if garbage.is_empty() {
        return Ok(0);
    }
    // Those that the coordinator named come back by their offsets alone, as is seen to below.
    let is_named_once = |file: &&StoredFile| names::first_offset(&file.path).is_none();
    let names: Vec<String> = garbage.iter().filter(is_named_once).map(|file| name(file).to_owned()).collect();
    let mut head = shared.bus.lane(lake).await?.head;
    for some in names.chunks(FILES_AT_ONCE) {
        head = shared.bus.give_up(lake, some).await?.head;
    }
    // What is in the log by now is in the catalog, or a dead letter, before the look there. A lane that is stuck is
    // not swept at all.
    shared.progress.want(head);
    shared.progress.subscribe().wait_for(|watermark| *watermark >= head).await?;
    let (watermark, _) = catalog.watermark(lake).await?;
    if watermark < head {
        return Ok(0);
    }
    // A part of rows above the watermark will be wanted by the next try to publish them. One of rows below it cannot
    // be wanted again by anybody, not even by a coordinator that does not know yet that it lost its lease.
    garbage.retain(|file| names::first_offset(&file.path).is_none_or(|first| first <= watermark));
    for some in names.chunks(FILES_AT_ONCE) {
        catalog.give_up(lake, some).await?;
    }
    leave_known(shared, &mut garbage).await?;
    let mut known = HashSet::new();
    let unreadable = evidence(shared, &mut known).await?;
    let mut swept = 0;
    for file in garbage.iter().filter(|file| !known.contains(name(file))) {
        if unreadable.is_some_and(|at| file.modified <= at) {
            continue;
        }
        shared.files.remove(&file.path).await?;
        tracing::debug!(lake = %shared.info.name, path = file.path, "swept");
        swept += 1;
    }
    shared.meters.swept.increment(swept as u64);
    Ok(swept)
}

/// Leaves out the files that the catalog names.
async fn leave_known(shared: &Shared, files: &mut Vec<StoredFile>) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    let mut known: HashSet<String> = HashSet::new();
    let names: HashSet<&str> = files.iter().map(name).collect();
    let note = |name: &str| {
        if names.contains(name) {
            known.insert(name.to_owned());
        }
    };
    shared.catalog.each_file_name(shared.info.id, note).await?;
    files.retain(|file| !known.contains(name(file)));
    Ok(())
}

/// The last part of its path, of an unfinished upload the one it would have got.
fn name(file: &StoredFile) -> &str {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    name.split_once('#').map_or(name, |(finished, _)| finished)
}

/// Adds the files that dead letters name: they hold acknowledged rows, for an operator. Of letters that cannot be read
/// gives the time of the newest one: whatever is older may be theirs.
async fn evidence(shared: &Shared, known: &mut HashSet<String>) -> Result<Option<DateTime<Utc>>, Error> {
    let (mut after, mut unreadable) = (Offset::new(-1), None);
    loop {
        let letters = shared.catalog.dead_letters_above(shared.info.id, after, LETTERS_AT_ONCE).await?;
        let Some(last) = letters.last() else { return Ok(unreadable) };
        after = last.rejection.offset;
        for letter in &letters {
            match files(letter) {
                Some(files) => known.extend(files),
                None => unreadable = unreadable.max(Some(letter.time)),
            }
        }
    }
}

fn files(letter: &DeadLetter) -> Option<Vec<String>> {
    let frame = &letter.rejection.frame;
    // The bytes of a record of several offsets are kept with its first; there are only rows in it.
    if frame.is_empty() {
        return Some(Vec::new());
    }
    frame::staged_files(&Bytes::from(frame.clone())).ok()
}
