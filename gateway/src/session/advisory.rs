//! Advisory locks of one lake: who holds which key, and who waits.
//!
//! Where several gateways share the catalog, a key is had when the catalog says so too (`shared`); the table here comes first,
//! so that sessions of one gateway wake each other.

mod shared;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use duckmesh_catalog::{Catalog, LakeId, Node, advisory::LockRow};
use shared::Shared;
use tokio::{sync::Notify, time::Instant};

/// Locks that one session may hold: each costs memory until it goes.
const LOCKS_MAX: usize = 10_000;

/// What is locked: one number, or two. They are different keys, as in Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `(bigint)`
    One(i64),
    /// `(int, int)`
    Two(i32, i32),
}

/// How a key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The key.
    pub key: Key,
    /// Beside others who share it.
    pub shared: bool,
    /// Until the transaction's end.
    pub transaction: bool,
}

/// Why a lock was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Somebody has it.
    Busy,
    /// Those who have it wait for us.
    Deadlock,
    /// The session has too many.
    TooMany,
    /// The catalog cannot be asked.
    Unavailable,
}

/// A lock that is held or waited for, for `pg_locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: Key,
    /// The backend.
    pub owner: i32,
    /// Whether it is shared.
    pub shared: bool,
    /// Whether it is held; else waited for.
    pub granted: bool,
}

impl Shown {
    /// A lock of another gateway's session; none: it is of a newer program.
    #[must_use]
    pub fn elsewhere(row: &LockRow) -> Option<Self> {
        let key = match row.kind {
            1 => Key::One(row.object),
            2 => Key::Two(i32::try_from(row.class).ok()?, i32::try_from(row.object).ok()?),
            _ => return None,
        };
        let owner = i32::try_from(row.owner).ok()?;
        Some(Self { key, owner, shared: row.shared, granted: row.granted })
    }
}

/// The locks of a lake.
#[derive(Debug, Default)]
pub struct Locks {
    table: Mutex<Table>,
    freed: Notify,
    shared: Option<Shared>,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Key, Vec<Hold>>,
    waiting: HashMap<i32, Want>,
}

#[derive(Debug)]
struct Hold {
    owner: i32,
    shared: bool,
    /// How often it was taken for the session, and for the transaction.
    session: u32,
    transaction: u32,
}

impl Table {
    /// Others whose holds stand against a wish.
    fn against<'t>(&'t self, owner: i32, want: &Want) -> impl Iterator<Item = i32> + 't {
        let shared = want.shared;
        let holds = self.held.get(&want.key).map(Vec::as_slice).unwrap_or_default();
        holds.iter().filter(move |h| h.owner != owner && !(shared && h.shared)).map(|h| h.owner)
    }

    /// Whether those who stand against `owner` wait, directly or not, for `owner`.
    fn deadlocked(&self, owner: i32, want: &Want) -> bool {
        let mut seen = HashSet::new();
        let mut next: Vec<i32> = self.against(owner, want).collect();
        while let Some(other) = next.pop() {
            if other == owner {
                return true;
            }
            if let Some(wish) = self.waiting.get(&other).filter(|_| seen.insert(other)) {
                next.extend(self.against(other, wish));
            }
        }
        false
    }

    /// Takes a lock; whether the owner had none of that key and sort before.
    fn take(&mut self, owner: i32, want: &Want) -> Result<bool, Refused> {
        if self.against(owner, want).next().is_some() {
            return Err(Refused::Busy);
        }
        let count = self.held.values().flatten().filter(|h| h.owner == owner).count();
        if count >= LOCKS_MAX {
            return Err(Refused::TooMany);
        }
        let holds = self.held.entry(want.key).or_default();
        let own = holds.iter_mut().find(|h| h.owner == owner && h.shared == want.shared);
        let (session, transaction) = (u32::from(!want.transaction), u32::from(want.transaction));
        match own {
            Some(hold) => {
                hold.session = hold.session.saturating_add(session);
                hold.transaction = hold.transaction.saturating_add(transaction);
                Ok(false)
            }
            None => {
                holds.push(Hold { owner, shared: want.shared, session, transaction });
                Ok(true)
            }
        }
    }

    /// Removes what is not held any more, and says what that was.
    fn clean(&mut self) -> Vec<(Key, i32, bool)> {
        let mut freed = Vec::new();
        for (key, holds) in &mut self.held {
            let gone = holds.extract_if(.., |h| h.session == 0 && h.transaction == 0);
            freed.extend(gone.map(|h| (*key, h.owner, h.shared)));
        }
        self.held.retain(|_, holds| !holds.is_empty());
        freed
    }
}

impl Locks {
    /// Locks that the sessions of all gateways of a catalog share.
    #[must_use]
    pub fn among_others(catalog: Catalog, lake: LakeId, node: Node) -> Self {
        Self { shared: Some(Shared::new(catalog, lake, node)), ..Self::default() }
    }

    /// Sessions that hold any.
    #[must_use]
    pub fn owners(&self) -> HashSet<i32> {
        self.table().held.values().flatten().map(|hold| hold.owner).collect()
    }

    /// Takes out what is not held any more, tells the catalog and wakes those who wait. Whether there was anything.
    fn free(&self, mut table: MutexGuard<'_, Table>) -> bool {
        let freed = table.clean();
        drop(table);
        if let Some(shared) = &self.shared {
            freed.iter().for_each(|(key, owner, is_shared)| shared.release(*owner, *key, *is_shared));
        }
        self.freed.notify_waiters();
        !freed.is_empty()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that is held or waited for.
    #[must_use]
    pub fn all(&self) -> Vec<Shown> {
        let table = self.table();
        let held = table.held.iter().flat_map(|(key, holds)| {
            holds.iter().map(|h| Shown { key: *key, owner: h.owner, shared: h.shared, granted: true })
        });
        let waiting = table.waiting.iter();
        let waiting = waiting.map(|(owner, w)| Shown { key: w.key, owner: *owner, shared: w.shared, granted: false });
        let mut all: Vec<Shown> = held.chain(waiting).collect();
        all.sort_by_key(|l| (l.key, l.owner, l.shared));
        all
    }
}

/// The locks of one session; they go with it.
#[derive(Debug)]
pub struct Held {
    locks: Arc<Locks>,
    owner: i32,
    /// Whether anything was taken since the last full release: most sessions never do.
    used: bool,
    /// Whether the catalog may not know yet of all that was given back.
    unsettled: bool,
}

impl Held {
    /// None yet.
    #[must_use]
    pub fn new(locks: Arc<Locks>, owner: i32) -> Self {
        Self { locks, owner, used: false, unsettled: false }
    }

    /// Takes a lock if it is free.
    ///
    /// # Errors
    /// Why not.
    pub async fn try_take(&mut self, want: &Want) -> Result<(), Refused> {
        self.used = true;
        let is_new = self.locks.table().take(self.owner, want)?;
        let Some(shared) = self.locks.shared.as_ref().filter(|_| is_new) else { return Ok(()) };
        let taken = Taken { locks: &self.locks, owner: self.owner, want: *want };
        match shared.take(self.owner, want).await {
            Ok(true) => {
                taken.keep();
                Ok(())
            }
            Ok(false) => Err(Refused::Busy),
            Err(()) => Err(Refused::Unavailable),
        }
    }

    /// Takes a lock, waiting for it. Dropping the future ends the wait.
    ///
    /// # Errors
    /// A deadlock, or too many locks.
    pub async fn take(&mut self, want: &Want) -> Result<(), Refused> {
        self.used = true;
        let mut waiting = Waiting { locks: &self.locks, owner: self.owner, noted: None };
        let is_new = self.take_here(want, &mut waiting).await?;
        let Some(shared) = self.locks.shared.as_ref().filter(|_| is_new) else { return Ok(()) };
        let taken = Taken { locks: &self.locks, owner: self.owner, want: *want };
        let mut look_at = Instant::now() + shared::DEADLOCK_PAUSE;
        loop {
            match shared.take(self.owner, want).await {
                Ok(true) => {
                    taken.keep();
                    return Ok(());
                }
                Ok(false) => {}
                Err(()) => return Err(Refused::Unavailable),
            }
            if Instant::now() >= look_at {
                waiting.look(shared, want).await?;
                look_at = Instant::now() + shared::DEADLOCK_PAUSE;
            }
            tokio::time::sleep(shared::LOOK_PAUSE).await;
        }
    }

    /// Takes a lock among the sessions of this process; whether it is the owner's first of that key and sort.
    async fn take_here(&self, want: &Want, waiting: &mut Waiting<'_>) -> Result<bool, Refused> {
        loop {
            // Before the look, so that a release between the look and the wait is not missed.
            let mut freed = std::pin::pin!(self.locks.freed.notified());
            freed.as_mut().enable();
            {
                let mut table = self.locks.table();
                match table.take(self.owner, want) {
                    Err(Refused::Busy) if table.deadlocked(self.owner, want) => return Err(Refused::Deadlock),
                    Err(Refused::Busy) => table.waiting.insert(self.owner, *want),
                    other => return other,
                };
            }
            match &self.locks.shared {
                None => freed.await,
                Some(shared) => tokio::select! {
                    () = freed => {}
                    // The circle may go over another gateway.
                    () = tokio::time::sleep(shared::DEADLOCK_PAUSE) => waiting.look(shared, want).await?,
                },
            }
        }
    }

    /// When other gateways see what was given back.
    pub async fn settle(&mut self) {
        if std::mem::take(&mut self.unsettled)
            && let Some(shared) = &self.locks.shared
        {
            shared.settled().await;
        }
    }

    /// Gives one session-level hold back; false where there is none.
    pub fn release(&mut self, key: Key, shared: bool) -> bool {
        let mut table = self.locks.table();
        let holds = table.held.get_mut(&key);
        let own =
            holds.and_then(|h| h.iter_mut().find(|h| h.owner == self.owner && h.shared == shared && h.session > 0));
        let Some(hold) = own else { return false };
        hold.session -= 1;
        self.unsettled |= self.locks.free(table);
        true
    }

    /// Gives back what was taken for the transaction.
    pub fn end_transaction(&mut self) {
        self.end(|hold| hold.transaction = 0);
    }

    /// How often what was taken for the transaction.
    #[must_use]
    pub fn of_transaction(&self) -> HashMap<(Key, bool), u32> {
        if !self.used {
            return HashMap::new();
        }
        let table = self.locks.table();
        let own = table.held.iter().flat_map(|(key, holds)| holds.iter().map(move |hold| (*key, hold)));
        let own = own.filter(|(_, hold)| hold.owner == self.owner && hold.transaction > 0);
        own.map(|(key, hold)| ((key, hold.shared), hold.transaction)).collect()
    }

    /// ROLLBACK TO: gives back what was taken for the transaction since. What was taken for the session stays, as in
    /// Postgres.
    pub fn back_to(&mut self, before: &HashMap<(Key, bool), u32>) {
        if !self.used {
            return;
        }
        let mut table = self.locks.table();
        for (key, holds) in &mut table.held {
            for hold in holds.iter_mut().filter(|hold| hold.owner == self.owner) {
                hold.transaction = before.get(&(*key, hold.shared)).copied().unwrap_or(0).min(hold.transaction);
            }
        }
        self.unsettled |= self.locks.free(table);
    }

    /// `pg_advisory_unlock_all`: what was taken for the session.
    pub fn release_all(&mut self) {
        self.end(|hold| hold.session = 0);
    }

    fn end(&mut self, change: impl Fn(&mut Hold)) {
        if !self.used {
            return;
        }
        let mut table = self.locks.table();
        table.held.values_mut().flatten().filter(|h| h.owner == self.owner).for_each(change);
        self.unsettled |= self.locks.free(table);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end(|hold| (hold.session, hold.transaction) = (0, 0));
    }
}

/// Says that a session waits; no longer than it does.
struct Waiting<'a> {
    locks: &'a Locks,
    owner: i32,
    /// What the catalog was told that it waits for.
    noted: Option<Want>,
}

impl Waiting<'_> {
    /// Looks whether those who have the lock wait for this session.
    async fn look(&mut self, shared: &Shared, want: &Want) -> Result<(), Refused> {
        if self.noted.is_none() {
            self.noted = Some(*want);
            shared.wait(self.owner, want);
            shared.settled().await;
        }
        if shared.is_victim(self.owner).await { Err(Refused::Deadlock) } else { Ok(()) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.locks.table().waiting.remove(&self.owner);
        if let (Some(shared), Some(want)) = (&self.locks.shared, &self.noted) {
            shared.stop_waiting(self.owner, want);
        }
    }
}

/// A lock that this process gave, and the catalog not yet: given back if it does not.
struct Taken<'a> {
    locks: &'a Locks,
    owner: i32,
    want: Want,
}

impl Taken<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut table = self.locks.table();
        let holds = table.held.get_mut(&self.want.key).into_iter().flatten();
        for hold in holds.filter(|hold| hold.owner == self.owner && hold.shared == self.want.shared) {
            match self.want.transaction {
                true => hold.transaction = hold.transaction.saturating_sub(1),
                false => hold.session = hold.session.saturating_sub(1),
            }
        }
        self.locks.free(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(key: i64, shared: bool) -> Want {
        Want { key: Key::One(key), shared, transaction: false }
    }

    #[tokio::test]
    async fn shared_and_exclusive() {
        let locks = Arc::new(Locks::default());
        let (mut a, mut b) = (Held::new(locks.clone(), 1), Held::new(locks.clone(), 2));
        assert_eq!(a.try_take(&want(1, true)).await, Ok(()));
        assert_eq!(b.try_take(&want(1, true)).await, Ok(()));
        assert_eq!(b.try_take(&want(1, false)).await, Err(Refused::Busy));
        assert!(a.release(Key::One(1), true) && !a.release(Key::One(1), true));
        assert_eq!(b.try_take(&want(1, false)).await, Ok(()));
        assert_eq!(b.try_take(&Want { key: Key::Two(0, 1), ..want(0, false) }).await, Ok(()));
        drop(b);
        assert_eq!(a.try_take(&want(1, false)).await, Ok(()));
        assert_eq!(locks.all().len(), 1);
    }

    #[tokio::test]
    async fn transactions_give_back_their_own() {
        let locks = Arc::new(Locks::default());
        let mut a = Held::new(locks.clone(), 1);
        let both = want(1, false);
        assert_eq!(a.try_take(&both).await, Ok(()));
        assert_eq!(a.try_take(&Want { transaction: true, ..both }).await, Ok(()));
        a.end_transaction();
        assert_eq!(locks.all().len(), 1);
        a.release_all();
        assert!(locks.all().is_empty());
    }

    #[tokio::test]
    async fn savepoints_give_back_what_came_after_them() {
        let locks = Arc::new(Locks::default());
        let mut a = Held::new(locks.clone(), 1);
        let of_transaction = |key| Want { transaction: true, ..want(key, false) };
        assert_eq!(a.try_take(&of_transaction(1)).await, Ok(()));
        let mark = a.of_transaction();
        assert_eq!((a.try_take(&of_transaction(1)).await, a.try_take(&of_transaction(2)).await), (Ok(()), Ok(())));
        assert_eq!(a.try_take(&want(3, false)).await, Ok(()));
        a.back_to(&mark);
        let keys: Vec<Key> = locks.all().into_iter().map(|l| l.key).collect();
        assert_eq!(keys, [Key::One(1), Key::One(3)]);
        assert_eq!(a.of_transaction(), mark);
        a.end_transaction();
        assert_eq!(locks.all().len(), 1);
    }

    #[tokio::test]
    async fn a_circle_is_no_wait() {
        let locks = Arc::new(Locks::default());
        let (mut a, mut b) = (Held::new(locks.clone(), 1), Held::new(locks.clone(), 2));
        a.take(&want(1, false)).await.expect("free");
        b.take(&want(2, false)).await.expect("free");
        let waiter = tokio::spawn(async move { a.take(&want(2, false)).await.map(|()| a) });
        while locks.all().iter().all(|l| l.granted) {
            tokio::task::yield_now().await;
        }
        assert_eq!(b.take(&want(1, false)).await, Err(Refused::Deadlock));
        drop(b);
        waiter.await.expect("ends").expect("is free now");
    }
}
