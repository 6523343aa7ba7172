//! Prepared statements and portals by name.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{
    backend::{Format, Params},
    cursor::Cursor,
    rows::RowStream,
};

/// A statement that was parsed; none if its text was empty.
#[derive(Clone)]
pub(super) struct Stored<P> {
    pub prepared: Option<P>,
    pub bytes: usize,
    /// The PREPARE that made it; none: the protocol did.
    pub sql: Option<String>,
    /// When.
    pub made: DateTime<Utc>,
}

/// A statement with its parameters.
pub(super) struct Portal<P> {
    pub prepared: Option<P>,
    pub formats: Vec<Format>,
    /// The transaction it lives in.
    pub transaction: u64,
    /// When in it.
    pub moment: u64,
    pub bytes: usize,
    /// By the clock.
    pub made: DateTime<Utc>,
    /// A cursor that outlives its transaction.
    pub hold: bool,
    pub state: PortalState,
}

pub(super) enum PortalState {
    /// Not executed yet.
    Ready(Params),
    /// Rows are left, or the end was not seen yet.
    Rows(Box<RowStream>),
    /// Made by DECLARE.
    Cursor(Cursor),
    /// Executed, and it cannot be again.
    Done,
}

/// What can be counted in bytes.
pub(super) trait Weighed {
    fn bytes(&self) -> usize;
}

impl<P> Weighed for Stored<P> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<P> Weighed for Portal<P> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Things by name. The unnamed one, which most drivers use for every statement, costs no look-up.
pub(super) struct Slots<T> {
    unnamed: Option<T>,
    named: HashMap<Box<str>, T>,
    bytes: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { unnamed: None, named: HashMap::new(), bytes: 0 }
    }
}

impl<T: Weighed> Slots<T> {
    pub fn get(&self, name: &str) -> Option<&T> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        if name.is_empty() { self.unnamed.as_mut() } else { self.named.get_mut(name) }
    }

    /// Puts it in place of what has its name.
    pub fn insert(&mut self, name: &str, thing: T) {
        self.bytes += thing.bytes();
        let old = if name.is_empty() { self.unnamed.replace(thing) } else { self.named.insert(name.into(), thing) };
        self.bytes -= old.map_or(0, |old| old.bytes());
    }

    pub fn remove(&mut self, name: &str) {
        let old = if name.is_empty() { self.unnamed.take() } else { self.named.remove(name) };
        self.bytes -= old.map_or(0, |old| old.bytes());
    }

    pub fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
        self.bytes = 0;
    }

    /// Those with a name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.named.iter().map(|(name, thing)| (&**name, thing))
    }

    /// Keeps what a condition holds for.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if self.unnamed.as_ref().is_some_and(|thing| !keep(thing)) {
            self.remove("");
        }
        let Self { named, bytes, .. } = self;
        named.retain(|_, thing| {
            let kept = keep(thing);
            *bytes -= if kept { 0 } else { thing.bytes() };
            kept
        });
    }

    /// How many have a name.
    pub fn named(&self) -> usize {
        self.named.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
