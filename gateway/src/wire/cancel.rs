//! Cancel requests: who may stop which statement, and how a statement learns of it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use duckmesh_catalog::LakeId;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{PgError, SqlState, guesses::Guesses};

/// Tells a running statement to stop. One per connection; a new statement starts uncancelled.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<Option<Reason>>>);

/// Why a statement is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A CancelRequest (57014).
    User,
    /// The client's connection is gone.
    ClientGone,
    /// The server shuts down (57P01).
    Shutdown,
}

impl Reason {
    /// What the client is told, if it is there.
    #[must_use]
    pub fn error(self) -> PgError {
        match self {
            Self::User => PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"),
            Self::ClientGone => PgError::fatal(SqlState::CONNECTION_FAILURE, "connection to client lost"),
            Self::Shutdown => {
                PgError::fatal(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            }
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::channel(None).0))
    }
}

impl Cancel {
    /// Waits until the running statement is told to stop.
    pub async fn cancelled(&self) -> Reason {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(reason) = *receiver.borrow_and_update() {
                return reason;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the connection is to end.
    pub async fn terminated(&self) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|reason| *reason == Some(Reason::Shutdown)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the running statement was told to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Tells the running statement to stop. What is final stays: a user's request does not hide a shutdown.
    pub fn cancel(&self, reason: Reason) {
        self.0.send_if_modified(|current| {
            let change = matches!(*current, None | Some(Reason::User));
            if change {
                *current = Some(reason);
            }
            change
        });
    }

    /// A new statement starts. What is final (client gone, shutdown) stays.
    pub fn reset(&self) {
        self.0.send_if_modified(|reason| {
            let user = *reason == Some(Reason::User);
            if user {
                *reason = None;
            }
            user
        });
    }
}

/// Length of the key that protocol 3.0 has room for.
pub const SHORT_KEY_BYTES: usize = 4;
/// Length of the key from protocol 3.2 on.
pub const LONG_KEY_BYTES: usize = 32;

/// Bits of a backend id that count the connections of a server; the ones above are the server's slot.
const COUNT_BITS: u32 = 20;
/// Requests for other servers that wait to be passed on; more are dropped.
const WAITING_MAX: usize = 64;
const CANCEL_CODE: u32 = 80_877_102;

/// Every connection that can be cancelled, by its backend id.
#[derive(Debug, Default)]
pub struct CancelRegistry {
    entries: Mutex<Entries>,
    guesses: Guesses,
    /// Once it is one of several.
    others: OnceLock<Others>,
}

/// What a server among others has.
#[derive(Debug)]
struct Others {
    /// Its own slot.
    slot: i32,
    /// Where requests for the others go.
    elsewhere: mpsc::Sender<Request>,
}

/// A request for a connection of another server.
#[derive(Debug)]
pub struct Request {
    /// The server's slot.
    pub slot: i64,
    /// The backend id.
    pub id: i32,
    /// The key, right or wrong.
    pub key: Vec<u8>,
    /// Dropped when it is passed on, or cannot be: so long the client's connection stays.
    pub done: oneshot::Sender<()>,
}

/// The slot of the server that gave a backend id; 0 where it was alone.
#[must_use]
pub fn slot_of(id: i32) -> i32 {
    id >> COUNT_BITS
}

/// A CancelRequest as a client sends it.
#[must_use]
pub fn cancel_packet(request: &Request) -> Vec<u8> {
    let length = u32::try_from(12 + request.key.len()).unwrap_or(u32::MAX);
    let mut packet = length.to_be_bytes().to_vec();
    packet.extend_from_slice(&CANCEL_CODE.to_be_bytes());
    packet.extend_from_slice(&request.id.to_be_bytes());
    packet.extend_from_slice(&request.key);
    packet
}

#[derive(Debug, Default)]
struct Entries {
    last_id: i32,
    by_id: HashMap<i32, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    key: Mutex<Vec<u8>>,
    cancel: Cancel,
    /// The lake it is connected to, once it is: only sessions of the same lake may stop it without its key.
    lake: OnceLock<LakeId>,
    /// Whether a statement runs. A request that finds none is lost, so it can never hit the next one; the lock is
    /// held while the request is passed on, so a statement cannot end in between.
    running: Mutex<bool>,
}

/// A connection's place in the registry, given back when dropped.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<CancelRegistry>,
    id: i32,
    entry: Arc<Entry>,
}

impl CancelRegistry {
    /// This server is one of several from now on, for its life: gives the requests that are for the others. Before there are
    /// sessions.
    #[must_use]
    pub fn join_others(&self, slot: i64) -> mpsc::Receiver<Request> {
        let (elsewhere, receiver) = mpsc::channel(WAITING_MAX);
        let slot = i32::try_from(slot).unwrap_or(0);
        // A second word would change nothing: then the receiver has ended.
        let _ = self.others.set(Others { slot, elsewhere });
        receiver
    }

    /// 0 where it is alone.
    fn slot(&self) -> i32 {
        self.others.get().map_or(0, |others| others.slot)
    }

    /// The next number after `last`: with the slot, and never 0.
    fn next_id(&self, last: i32) -> i32 {
        let slot = self.slot();
        if slot == 0 {
            return last.checked_add(1).unwrap_or(1);
        }
        let mask = (1 << COUNT_BITS) - 1;
        let count = ((last & mask) + 1) & mask;
        (slot << COUNT_BITS) | count.max(1)
    }

    /// A new connection, which nobody can cancel until it was given a key.
    pub fn register(self: &Arc<Self>) -> Registration {
        let entry = Arc::new(Entry {
            key: Mutex::default(),
            cancel: Cancel::default(),
            lake: OnceLock::new(),
            running: Mutex::default(),
        });
        let mut entries = lock(&self.entries);
        let mut id = entries.last_id;
        loop {
            id = self.next_id(id);
            if !entries.by_id.contains_key(&id) {
                break;
            }
        }
        entries.last_id = id;
        entries.by_id.insert(id, Arc::clone(&entry));
        Registration { registry: Arc::clone(self), id, entry }
    }

    /// A CancelRequest as it came in, for a connection of this server or of another. It has no answer. Wrong ones are counted:
    /// an address that sends too many is not listened to for a while, however right the next one is.
    pub(super) async fn hear(&self, from: Option<IpAddr>, id: i32, key: &[u8]) {
        let heard = |result| metrics::counter!("duckmesh_cancel_requests_total", "result" => result).increment(1);
        if from.is_some_and(|from| !self.guesses.charge(from, Instant::now())) {
            return heard("ignored");
        }
        if let Some(passed_on) = self.pass_on(id, key) {
            heard("passed on");
            // Until then it may still hit what the client sends next: the client waits for the end of this.
            let _ = passed_on.await;
        } else if self.request(id, key) {
            heard("right");
            if let Some(from) = from {
                self.guesses.refund(from, Instant::now());
            }
        } else {
            heard("wrong");
        }
    }

    /// A request for a connection of this server; whether it was right. It takes the same time for a wrong key as for a right
    /// one.
    pub fn request(&self, id: i32, key: &[u8]) -> bool {
        let Some(entry) = lock(&self.entries).by_id.get(&id).cloned() else {
            return false;
        };
        let right = same(&lock(&entry.key), key);
        let running = lock(&entry.running);
        if right && *running {
            entry.cancel.cancel(Reason::User);
        }
        right
    }

    /// A CancelRequest for a connection of another server: whether it is right is seen there. What it gives ends when the
    /// request is passed on; none where it is not for another server, is no key at all, or too many wait.
    pub fn pass_on(&self, id: i32, key: &[u8]) -> Option<oneshot::Receiver<()>> {
        let slot = slot_of(id);
        let is_elsewhere = slot > 0 && slot != self.slot() && [SHORT_KEY_BYTES, LONG_KEY_BYTES].contains(&key.len());
        let others = self.others.get().filter(|_| is_elsewhere)?;
        let (done, passed_on) = oneshot::channel();
        others.elsewhere.try_send(Request { slot: slot.into(), id, key: key.to_vec(), done }).ok()?;
        Some(passed_on)
    }

    /// The connection is one to that lake from now on.
    pub fn connected(&self, id: i32, lake: LakeId) {
        if let Some(entry) = lock(&self.entries).by_id.get(&id) {
            // A connection has one lake for its life: a second word would change nothing.
            let _ = entry.lake.set(lake);
        }
    }

    /// The wish of another session of that lake: it needs no key. Whether there is such a connection.
    pub fn signal(&self, lake: LakeId, id: i32, reason: Reason) -> bool {
        let entry = lock(&self.entries).by_id.get(&id).cloned();
        let Some(entry) = entry.filter(|entry| entry.lake.get() == Some(&lake)) else {
            return false;
        };
        let running = lock(&entry.running);
        if *running || reason != Reason::User {
            entry.cancel.cancel(reason);
        }
        true
    }

    /// Ends a connection, whatever its lake.
    pub fn end(&self, id: i32) {
        if let Some(entry) = lock(&self.entries).by_id.get(&id) {
            entry.cancel.cancel(Reason::Shutdown);
        }
    }

    /// Tells all connections to stop what they do.
    pub fn cancel_all(&self, reason: Reason) {
        for entry in lock(&self.entries).by_id.values() {
            entry.cancel.cancel(reason);
        }
    }

    /// Connections registered.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.entries).by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Registration {
    /// The backend id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// What the connection's statements listen to.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.entry.cancel
    }

    /// Makes the key that cancels this connection, from the operating system's randomness.
    pub fn make_key(&self, bytes: usize) -> Result<Vec<u8>, PgError> {
        let mut key = vec![0; bytes];
        getrandom::fill(&mut key).map_err(PgError::internal)?;
        lock(&self.entry.key).clone_from(&key);
        Ok(key)
    }

    /// A statement starts, uncancelled.
    pub fn statement_starts(&self) {
        let mut running = lock(&self.entry.running);
        self.entry.cancel.reset();
        *running = true;
    }

    /// It ended: a request that came too late is forgotten.
    pub fn statement_ends(&self) {
        let mut running = lock(&self.entry.running);
        self.entry.cancel.reset();
        *running = false;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.registry.entries).by_id.remove(&self.id);
    }
}

/// Compares without telling by its time how much was right.
fn same(key: &[u8], given: &[u8]) -> bool {
    if key.is_empty() || key.len() != given.len() {
        return false;
    }
    let difference = key.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_slot_and_requests_for_other_slots_are_passed_on() {
        let registry = Arc::new(CancelRegistry::default());
        let mut elsewhere = registry.join_others(2047);
        let first = registry.register();
        let second = registry.register();
        assert_eq!((first.id() >> COUNT_BITS, second.id()), (2047, first.id() + 1));
        assert!(first.id() > 0);
        assert_eq!(registry.next_id(i32::MAX), (2047 << COUNT_BITS) | 1, "it begins anew, without 0");
        let key = first.make_key(SHORT_KEY_BYTES).expect("random bytes");
        assert!(registry.request(first.id(), &key), "its own it knows");
        let other = (3 << COUNT_BITS) | 7;
        assert!(!registry.request(other, &key));
        assert!(registry.pass_on(first.id(), &key).is_none());
        let mut passed_on = registry.pass_on(other, &key).expect("passed on");
        let request = elsewhere.try_recv().expect("passed on");
        assert_eq!((request.slot, request.id, &request.key), (3, other, &key));
        assert_eq!(cancel_packet(&request).len(), 16);
        assert_eq!(passed_on.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        drop(request);
        assert_eq!(passed_on.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(registry.pass_on(other, b"no key").is_none());
        assert!(registry.pass_on(7, &key).is_none(), "no slot");
        let waiting: Vec<_> = (0..2 * WAITING_MAX).filter_map(|_| registry.pass_on(other, &key)).collect();
        assert_eq!((waiting.len(), elsewhere.len()), (WAITING_MAX, WAITING_MAX), "bounded");
    }
}
