//! What is in the cache, who reads it, and what goes when the budget is used up.
//!
//! Pure bookkeeping under one lock, and renames; nothing here waits for a store.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::folder::{Folder, Stamp};
use crate::{error::Error, store::StoredFile};

/// How a fill ended; none: not yet.
pub(super) type Outcome = Option<Result<(), Arc<Error>>>;

#[derive(Debug)]
pub(super) struct Entries {
    budget_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<(u64, String), Entry>,
    /// By when they were used last; only those that nobody holds and that are here.
    idle: BTreeMap<u64, (u64, String)>,
    idle_bytes: u64,
    lakes: HashMap<u64, (Arc<Folder>, u64)>,
    used_bytes: u64,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    size_bytes: u64,
    /// Those who read it, or wait for it.
    pins: usize,
    used_at: u64,
    content: Content,
    /// No part of the lake any more: goes with its last reader.
    is_dead: bool,
}

#[derive(Clone, Debug)]
enum Content {
    /// Not here, although somebody waited for it.
    Absent,
    /// On disk, and not verified: of an earlier run, or changed by somebody.
    Found,
    Filling(watch::Receiver<Outcome>),
    Ready(Stamp),
}

/// What whoever wants a file must do.
pub(super) enum Step {
    /// It is here; if it still looks so, it is what was verified.
    Check(Stamp),
    /// Somebody fills it.
    Wait(watch::Receiver<Outcome>),
    /// Fill it, and say how that ended.
    Fill(watch::Sender<Outcome>, watch::Receiver<Outcome>),
}

impl Entries {
    pub(super) fn new(budget_bytes: u64) -> Self {
        Self { budget_bytes, state: Mutex::default() }
    }

    /// Takes over a lake's files, oldest first. Gives those that are too many.
    pub(super) fn open(&self, lake: u64, folder: &Arc<Folder>, found: &[StoredFile]) -> Vec<PathBuf> {
        let mut state = self.lock();
        state.lakes.insert(lake, (Arc::clone(folder), 0));
        for file in found {
            state.add((lake, file.path.clone()), file.size_bytes, Content::Found);
        }
        state.trim(self.budget_bytes)
    }

    /// Forgets a lake's files; they stay on disk.
    pub(super) fn close(&self, lake: u64) {
        let mut state = self.lock();
        let of_lake: Vec<_> = state.files.keys().filter(|(of, _)| *of == lake).cloned().collect();
        of_lake.iter().for_each(|key| state.drop_entry(key));
        state.lakes.remove(&lake);
    }

    /// Counts somebody who wants a file, and says what to do; files that give way are to be removed.
    pub(super) fn want(&self, lake: u64, relative: &str, size_bytes: u64) -> (Step, Vec<PathBuf>) {
        let key = (lake, relative.to_owned());
        let mut state = self.lock();
        let (sender, receiver) = watch::channel(None);
        let step = match state.files.get(&key).map(|entry| entry.content.clone()) {
            Some(Content::Ready(stamp)) => Step::Check(stamp),
            Some(Content::Filling(outcome)) => Step::Wait(outcome),
            Some(Content::Found | Content::Absent) => Step::Fill(sender, receiver.clone()),
            None => {
                state.add(key.clone(), size_bytes, Content::Absent);
                Step::Fill(sender, receiver.clone())
            }
        };
        state.touch(&key, 1);
        if matches!(step, Step::Fill(..)) {
            state.set(&key, size_bytes, Content::Filling(receiver));
        }
        let dead = state.trim(self.budget_bytes);
        (step, dead)
    }

    /// One more holds the file, which is held already.
    pub(super) fn hold(&self, lake: u64, relative: &str) {
        self.lock().touch(&(lake, relative.to_owned()), 1);
    }

    /// One less holds the file.
    pub(super) fn release(&self, lake: u64, relative: &str) -> Vec<PathBuf> {
        let key = (lake, relative.to_owned());
        let mut state = self.lock();
        state.touch(&key, -1);
        let mut dead = Vec::new();
        let is_over = |entry: &Entry| entry.is_dead || matches!(entry.content, Content::Absent);
        if state.files.get(&key).is_some_and(|entry| entry.pins == 0 && is_over(entry)) {
            dead.extend(state.remove(&key));
        }
        dead.extend(state.trim(self.budget_bytes));
        dead
    }

    /// A fill succeeded. Who fills holds the file.
    pub(super) fn filled(&self, lake: u64, relative: &str, size_bytes: u64, stamp: Stamp) {
        self.lock().set(&(lake, relative.to_owned()), size_bytes, Content::Ready(stamp));
    }

    /// A fill failed. Those who waited still hold the entry, so that it stays until the last of them leaves.
    pub(super) fn lost(&self, lake: u64, relative: &str) -> Vec<PathBuf> {
        let mut state = self.lock();
        let taken = state.lakes.get(&lake).and_then(|(folder, _)| folder.take(relative));
        state.set(&(lake, relative.to_owned()), 0, Content::Absent);
        taken.into_iter().collect()
    }

    /// What was verified was changed since: it is not taken for it any more.
    pub(super) fn doubt(&self, lake: u64, relative: &str, stamp: Stamp) {
        let mut state = self.lock();
        if let Some(entry) = state.files.get_mut(&(lake, relative.to_owned()))
            && matches!(&entry.content, Content::Ready(known) if *known == stamp)
        {
            entry.content = Content::Found;
        }
    }

    /// The file is no part of the lake any more.
    pub(super) fn forget(&self, lake: u64, relative: &str) -> Vec<PathBuf> {
        let key = (lake, relative.to_owned());
        let mut state = self.lock();
        match state.files.get_mut(&key) {
            Some(entry) if entry.pins > 0 => {
                entry.is_dead = true;
                Vec::new()
            }
            Some(_) => state.remove(&key).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Everything that nobody reads: the disk is full.
    pub(super) fn clear(&self) -> Vec<PathBuf> {
        self.lock().trim(0)
    }

    /// Whether a file of that size can be here without any other going that somebody reads.
    pub(super) fn has_room(&self, size_bytes: u64) -> bool {
        let state = self.lock();
        state.used_bytes.saturating_sub(state.idle_bytes).saturating_add(size_bytes) <= self.budget_bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, key: (u64, String), size_bytes: u64, content: Content) {
        self.clock += 1;
        let used_at = self.clock;
        self.count(key.0, 0, size_bytes);
        self.idle.insert(used_at, key.clone());
        self.idle_bytes += size_bytes;
        self.files.insert(key, Entry { size_bytes, pins: 0, used_at, content, is_dead: false });
    }

    fn set(&mut self, key: &(u64, String), size_bytes: u64, content: Content) {
        let Some(entry) = self.files.get_mut(key) else { return };
        entry.content = content;
        let before = std::mem::replace(&mut entry.size_bytes, size_bytes);
        if entry.pins == 0 {
            self.idle_bytes = self.idle_bytes.saturating_sub(before).saturating_add(size_bytes);
        }
        self.count(key.0, before, size_bytes);
    }

    /// Notes a use, and who begins or ends one.
    fn touch(&mut self, key: &(u64, String), change: isize) {
        self.clock += 1;
        let clock = self.clock;
        let Some(entry) = self.files.get_mut(key) else { return };
        if self.idle.remove(&entry.used_at).is_some() {
            self.idle_bytes = self.idle_bytes.saturating_sub(entry.size_bytes);
        }
        entry.pins = entry.pins.saturating_add_signed(change);
        entry.used_at = clock;
        if entry.pins == 0 {
            self.idle.insert(clock, key.clone());
            self.idle_bytes += entry.size_bytes;
        }
    }

    fn drop_entry(&mut self, key: &(u64, String)) {
        if let Some(entry) = self.files.remove(key) {
            if self.idle.remove(&entry.used_at).is_some() {
                self.idle_bytes = self.idle_bytes.saturating_sub(entry.size_bytes);
            }
            self.count(key.0, entry.size_bytes, 0);
        }
    }

    /// Drops a file that nobody reads and takes it from its place.
    fn remove(&mut self, key: &(u64, String)) -> Option<PathBuf> {
        self.drop_entry(key);
        self.lakes.get(&key.0)?.0.take(&key.1)
    }

    /// Lets files go that nobody reads, those first that were not used for longest, until the budget is kept.
    fn trim(&mut self, budget_bytes: u64) -> Vec<PathBuf> {
        let mut dead = Vec::new();
        while self.used_bytes > budget_bytes {
            let Some((_, key)) = self.idle.first_key_value() else { break };
            let key = key.clone();
            if let Some((folder, _)) = self.lakes.get(&key.0) {
                folder.meters.evictions.increment(1);
            }
            dead.extend(self.remove(&key));
        }
        dead
    }

    fn count(&mut self, lake: u64, before: u64, after: u64) {
        self.used_bytes = self.used_bytes.saturating_sub(before).saturating_add(after);
        if let Some((folder, used)) = self.lakes.get_mut(&lake) {
            *used = used.saturating_sub(before).saturating_add(after);
            #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
            folder.meters.bytes.set(*used as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::folder, *};

    fn folder() -> (tempfile::TempDir, Arc<Folder>) {
        let top = tempfile::tempdir().unwrap();
        let folder = Folder::open(top.path().join("files"), top.path().join("partial"), "lake").unwrap();
        (top, Arc::new(folder))
    }

    fn write(folder: &Folder, name: &str, bytes: usize) -> Stamp {
        let path = folder.without_place();
        std::fs::write(&path, vec![1; bytes]).unwrap();
        folder.show(&path, name).unwrap()
    }

    /// Wants a file, and fills it where that is its part.
    fn want(entries: &Entries, folder: &Folder, name: &str, bytes: usize) {
        if let (Step::Fill(..), _) = entries.want(0, name, bytes as u64) {
            entries.filled(0, name, bytes as u64, write(folder, name, bytes));
        }
    }

    fn here(folder: &Folder) -> Vec<String> {
        crate::store::walk(folder.files()).unwrap().into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_what_is_held_stays() {
        let (_top, folder) = folder();
        let entries = Entries::new(30);
        entries.open(0, &folder, &[]);
        for name in ["a", "b", "c"] {
            want(&entries, &folder, name, 10);
            folder::remove(entries.release(0, name));
        }
        assert!(matches!(entries.want(0, "a", 10).0, Step::Check(_)), "held from now on");
        want(&entries, &folder, "d", 10);
        assert_eq!(here(&folder), ["a", "c", "d"], "b was used before c");
        want(&entries, &folder, "e", 10);
        assert_eq!(here(&folder), ["a", "d", "e"]);
        want(&entries, &folder, "f", 10);
        assert_eq!(here(&folder), ["a", "d", "e", "f"], "more than the budget while all are held");
        assert!(!entries.has_room(1), "nothing is taken in that nobody waits for");
        folder::remove(entries.release(0, "a"));
        assert_eq!(here(&folder), ["d", "e", "f"], "and back to it when they are not");
        assert!(entries.has_room(0));
        folder::remove(entries.release(0, "d"));
        assert!(entries.has_room(10), "what nobody holds can give way");
    }

    #[test]
    fn a_fill_that_failed_leaves_nothing_and_its_waiters_take_nothing_from_the_next() {
        let (_top, folder) = folder();
        let entries = Entries::new(30);
        entries.open(0, &folder, &[]);
        assert!(matches!(entries.want(0, "a", 10).0, Step::Fill(..)));
        assert!(matches!(entries.want(0, "a", 10).0, Step::Wait(_)), "one fill for two");
        folder::remove(entries.lost(0, "a"));
        // Before the second of them learns of it, a third one begins anew.
        want(&entries, &folder, "a", 10);
        folder::remove(entries.release(0, "a"));
        folder::remove(entries.release(0, "a"));
        folder::remove(entries.clear());
        assert_eq!(here(&folder), ["a"], "the third one still holds it");
        folder::remove(entries.release(0, "a"));
        folder::remove(entries.clear());
        assert!(here(&folder).is_empty());
    }

    #[test]
    fn a_file_that_is_no_part_of_the_lake_goes_with_its_last_reader() {
        let (_top, folder) = folder();
        let entries = Entries::new(30);
        let found = [StoredFile { path: "old".into(), size_bytes: 5, modified: chrono::DateTime::UNIX_EPOCH }];
        write(&folder, "old", 5);
        assert!(entries.open(0, &folder, &found).is_empty());
        assert!(matches!(entries.want(0, "old", 5).0, Step::Fill(..)), "to be verified first");
        entries.filled(0, "old", 5, folder.stamp("old").unwrap());
        assert!(entries.forget(0, "old").is_empty(), "it is read");
        let dead = entries.release(0, "old");
        assert_eq!(dead.len(), 1);
        assert!(here(&folder).is_empty());
        assert!(matches!(entries.want(0, "old", 5).0, Step::Fill(..)));
    }
}
