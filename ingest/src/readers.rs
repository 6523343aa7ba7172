//! Who is reading the lake's files in this process: what a running statement may have listed is not deleted, and the snapshot
//! of an open transaction does not expire.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use duckmesh_catalog::SnapshotId;
use tokio::time::Instant;

/// Running readers by the time they began at, and what they have pinned.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    /// How many, and by the clock that never jumps since when.
    since: BTreeMap<DateTime<Utc>, (usize, Instant)>,
    snapshots: BTreeMap<SnapshotId, usize>,
    /// Expiries that began.
    expiries: u64,
}

/// Keeps the files that the lake's snapshots name now, until it is dropped. Taken before the files are listed.
pub struct Reading {
    readers: Readers,
    since: DateTime<Utc>,
}

/// Keeps a snapshot, and the files that it names now, until it is dropped.
pub struct SnapshotPin {
    reading: Reading,
    snapshot: SnapshotId,
}

/// What a lake's readers keep, for other processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// For how long the longest one runs.
    pub oldest: Duration,
    /// Pinned snapshots.
    pub snapshots: Vec<SnapshotId>,
}

impl Readers {
    pub(crate) fn begin(&self, now: DateTime<Utc>) -> Reading {
        self.lock().since.entry(now).or_insert((0, Instant::now())).0 += 1;
        Reading { readers: self.clone(), since: now }
    }

    pub(crate) fn pin(&self, now: DateTime<Utc>, snapshot: SnapshotId) -> SnapshotPin {
        let reading = self.begin(now);
        *self.lock().snapshots.entry(snapshot).or_default() += 1;
        SnapshotPin { reading, snapshot }
    }

    /// Since when the longest one runs.
    pub(crate) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.lock().since.first_key_value().map(|(since, _)| *since)
    }

    /// Begins an expiry: what is pinned now is kept by it. Whoever pins later sees by [`Self::expiries`] that it may be too late.
    pub(crate) fn expire(&self) -> Vec<SnapshotId> {
        let mut running = self.lock();
        running.expiries += 1;
        running.snapshots.keys().copied().collect()
    }

    /// How many expiries began.
    pub(crate) fn expiries(&self) -> u64 {
        self.lock().expiries
    }

    /// What they keep; none: nobody reads.
    pub(crate) fn kept(&self) -> Option<Kept> {
        let running = self.lock();
        let oldest = running.since.values().map(|(_, since)| since.elapsed()).max()?;
        Some(Kept { oldest, snapshots: running.snapshots.keys().copied().collect() })
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut running = self.readers.lock();
        if let Some((count, _)) = running.since.get_mut(&self.since) {
            *count -= 1;
            if *count == 0 {
                running.since.remove(&self.since);
            }
        }
    }
}

impl Drop for SnapshotPin {
    fn drop(&mut self) {
        let mut running = self.reading.readers.lock();
        if let Some(count) = running.snapshots.get_mut(&self.snapshot) {
            *count -= 1;
            if *count == 0 {
                running.snapshots.remove(&self.snapshot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_reader_counts_until_all_of_its_time_ended() {
        let readers = Readers::default();
        let at = |s| DateTime::from_timestamp(s, 0).unwrap();
        let (first, twin, later) = (readers.begin(at(1)), readers.begin(at(1)), readers.begin(at(2)));
        drop(first);
        assert_eq!(readers.oldest(), Some(at(1)));
        drop(twin);
        assert_eq!(readers.oldest(), Some(at(2)));
        drop(later);
        assert_eq!(readers.oldest(), None);
        assert_eq!(readers.kept(), None);
    }

    #[test]
    fn a_snapshot_is_pinned_until_all_who_pinned_it_ended() {
        let readers = Readers::default();
        let (now, seven) = (DateTime::UNIX_EPOCH, SnapshotId::new(7));
        let (one, two) = (readers.pin(now, seven), readers.pin(now, seven));
        drop(one);
        assert_eq!(readers.kept().map(|kept| kept.snapshots), Some(vec![seven]));
        drop(two);
        assert!(readers.expire().is_empty() && readers.oldest().is_none());
    }
}
