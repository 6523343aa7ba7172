//! Who is reading the lake's files in this process: what a running statement may have listed is not deleted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

/// Running readers by the time they began at.
#[derive(Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<BTreeMap<DateTime<Utc>, usize>>>);

/// Keeps the files that the lake's snapshots name now, until it is dropped. Taken before the files are listed.
pub struct Reading {
    readers: Readers,
    since: DateTime<Utc>,
}

impl Readers {
    pub(crate) fn begin(&self, now: DateTime<Utc>) -> Reading {
        *self.lock().entry(now).or_default() += 1;
        Reading { readers: self.clone(), since: now }
    }

    /// Since when the longest one runs.
    pub(crate) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.lock().first_key_value().map(|(since, _)| *since)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DateTime<Utc>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut running = self.readers.lock();
        if let Some(count) = running.get_mut(&self.since) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.since);
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
    }
}
