//! LISTEN and NOTIFY among the sessions of one lake, of all gateways of a shared catalog.
//!
//! A notification is delivered when its transaction commits: who does not listen then never hears of it. Sessions of a gateway that
//! is not reached at that moment get it later, within some minutes, or are told that they missed something.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use duckmesh_catalog::LakeId;
use duckmesh_ingest::Bus;
use tokio::sync::Notify;

pub use crate::wire::backend::Notification;
use crate::wire::{PgError, PgResult, SqlState};

/// A channel's longest name.
const NAME_BYTES_MAX: usize = 63;
/// Postgres' longest payload, in bytes.
const PAYLOAD_BYTES_MAX: usize = 7999;
/// Notifications that wait for one listener; a listener that never reads loses the further ones, and is told so.
const WAITING_MAX: usize = 10_000;
/// Notifications of one transaction.
const PENDING_MAX: usize = 10_000;

/// The channels of a lake.
#[derive(Default)]
pub struct Channels {
    /// The lake, and the way to other gateways; none: there are no others.
    elsewhere: Option<(LakeId, Arc<dyn Bus>)>,
    listeners: Mutex<HashMap<String, BTreeMap<i32, Arc<Mailbox>>>>,
}

/// What waits for one session.
#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    told: VecDeque<Notification>,
    /// Whether some did not arrive.
    missed: bool,
}

impl Channels {
    /// Of a lake whose log other processes share.
    #[must_use]
    pub fn among_others(lake: LakeId, bus: Arc<dyn Bus>) -> Self {
        Self { elsewhere: Some((lake, bus)), listeners: Mutex::default() }
    }

    /// Gives a notification to those who listen here.
    pub fn deliver(&self, told: &Notification) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for mailbox in listeners.get(&told.channel).into_iter().flat_map(BTreeMap::values) {
            mailbox.put(told.clone());
        }
    }

    /// Says to all who listen here that they may have missed something.
    pub fn missed(&self) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.values().flat_map(BTreeMap::values).for_each(|mailbox| mailbox.miss());
    }

    fn tell_others(&self, told: &Notification) {
        if let Some((lake, bus)) = &self.elsewhere
            && let Some(signals) = bus.signals()
        {
            signals.tell(&text_of(*lake, told));
        }
    }
}

/// As another gateway gets it: lake, sender, the length of the channel's name, and the name with the payload behind it.
fn text_of(lake: LakeId, told: &Notification) -> String {
    format!("{lake} {} {} {}{}", told.sender, told.channel.len(), told.channel, told.payload)
}

/// The opposite; none: it is of a newer program.
#[must_use]
pub fn read(text: &str) -> Option<(LakeId, Notification)> {
    let mut words = text.splitn(4, ' ');
    let lake = LakeId::new(words.next()?.parse().ok()?);
    let sender = words.next()?.parse().ok()?;
    let (channel, payload) =
        words.next()?.parse().ok().zip(words.next()).and_then(|(n, rest)| rest.split_at_checked(n))?;
    Some((lake, Notification { sender, channel: channel.to_owned(), payload: payload.to_owned() }))
}

/// A session's side.
pub struct Listening {
    channels: Arc<Channels>,
    owner: i32,
    mailbox: Arc<Mailbox>,
    names: BTreeSet<String>,
    /// LISTEN and UNLISTEN of the open transaction, in order; the name none is `*`.
    changes: Vec<(bool, Option<String>)>,
    pending: Vec<Notification>,
}

impl Listening {
    /// To nothing yet.
    #[must_use]
    pub fn new(channels: Arc<Channels>, owner: i32) -> Self {
        let mailbox = Arc::default();
        Self { channels, owner, mailbox, names: BTreeSet::new(), changes: Vec::new(), pending: Vec::new() }
    }

    /// LISTEN, UNLISTEN (none: of all), at the transaction's end.
    pub fn listen(&mut self, on: bool, name: Option<String>) {
        self.changes.push((on, name));
    }

    /// NOTIFY, at the transaction's end.
    ///
    /// # Errors
    /// A name or payload that is too long.
    pub fn notify(&mut self, channel: &str, payload: &str) -> PgResult<()> {
        let invalid = |text: &str| Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, text));
        if channel.is_empty() {
            return invalid("channel name cannot be empty");
        }
        if channel.len() > NAME_BYTES_MAX {
            return invalid("channel name too long");
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return invalid("payload string too long");
        }
        let told = Notification { sender: self.owner, channel: channel.to_owned(), payload: payload.to_owned() };
        // The same thing said twice in a transaction is delivered once, as in Postgres.
        if self.pending.contains(&told) {
            return Ok(());
        }
        if self.pending.len() >= PENDING_MAX {
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue"));
        }
        self.pending.push(told);
        Ok(())
    }

    /// How many changes and notifications the open transaction has, for [`Self::back_to`].
    #[must_use]
    pub fn mark(&self) -> (usize, usize) {
        (self.changes.len(), self.pending.len())
    }

    /// ROLLBACK TO: forgets what came since.
    pub fn back_to(&mut self, (changes, pending): (usize, usize)) {
        self.changes.truncate(changes);
        self.pending.truncate(pending);
    }

    /// The transaction's end.
    pub fn end(&mut self, committed: bool) {
        let changes = std::mem::take(&mut self.changes);
        let pending = std::mem::take(&mut self.pending);
        if !committed || (changes.is_empty() && pending.is_empty()) {
            return;
        }
        let mut listeners = self.channels.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for (on, name) in changes {
            match (on, name) {
                (true, Some(name)) => {
                    listeners.entry(name.clone()).or_default().insert(self.owner, self.mailbox.clone());
                    self.names.insert(name);
                }
                (_, Some(name)) => {
                    self.names.remove(&name);
                    forget(&mut listeners, &name, self.owner);
                }
                (_, None) => {
                    std::mem::take(&mut self.names).iter().for_each(|name| forget(&mut listeners, name, self.owner));
                }
            }
        }
        drop(listeners);
        for told in pending {
            self.channels.deliver(&told);
            self.channels.tell_others(&told);
        }
    }

    /// Forgets everything at once: DISCARD ALL, and the session's end.
    pub fn stop(&mut self) {
        self.changes = vec![(false, None)];
        self.pending.clear();
        self.end(true);
    }

    /// The channels it listens to.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    /// What arrived, and whether something else may have that did not.
    pub fn take(&mut self) -> (Vec<Notification>, bool) {
        let mut waiting = self.mailbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        (waiting.told.drain(..).collect(), std::mem::take(&mut waiting.missed))
    }

    /// Is told when something arrives.
    #[must_use]
    pub fn arrived(&self) -> Arc<Notify> {
        self.mailbox.arrived.clone()
    }
}

fn forget(listeners: &mut HashMap<String, BTreeMap<i32, Arc<Mailbox>>>, name: &str, owner: i32) {
    if let Some(all) = listeners.get_mut(name) {
        all.remove(&owner);
        if all.is_empty() {
            listeners.remove(name);
        }
    }
}

impl Mailbox {
    fn put(&self, told: Notification) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.told.len() < WAITING_MAX {
            true => waiting.told.push_back(told),
            false => waiting.missed = true,
        }
        self.arrived.notify_one();
    }

    fn miss(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).missed = true;
        self.arrived.notify_one();
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_others_is_what_they_read() {
        let told = Notification { sender: -5, channel: "two words ä".into(), payload: " 1 2 \n".into() };
        let (lake, read_there) = read(&text_of(LakeId::new(7), &told)).expect("as it was written");
        assert_eq!((lake, read_there), (LakeId::new(7), told));
        for wrong in ["", "1 2 3", "x 1 1 ab", "1 1 9 ab", "1 1 1 ä"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_was_said_after_a_savepoint_is_unsaid() {
        let mut told = Listening::new(Arc::default(), 1);
        told.listen(true, Some("heard".to_owned()));
        let mark = told.mark();
        told.listen(true, Some("undone".to_owned()));
        assert!(told.notify("heard", "undone").is_ok());
        told.back_to(mark);
        assert!(told.notify("heard", "kept").is_ok());
        told.end(true);
        assert_eq!(told.names(), ["heard"]);
        let payloads: Vec<String> = told.take().0.into_iter().map(|n| n.payload).collect();
        assert_eq!(payloads, ["kept"]);
    }
}
