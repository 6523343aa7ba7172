//! Prepared statements and portals by name.

use std::collections::HashMap;

use super::{
    backend::{Format, Params},
    rows::RowStream,
};

/// A statement that was parsed; none if its text was empty.
#[derive(Clone)]
pub(super) struct Stored<P> {
    pub prepared: Option<P>,
    pub bytes: usize,
}

/// A statement with its parameters.
pub(super) struct Portal<P> {
    pub prepared: Option<P>,
    pub formats: Vec<Format>,
    /// The transaction it lives in.
    pub transaction: u64,
    pub bytes: usize,
    pub state: PortalState,
}

pub(super) enum PortalState {
    /// Not executed yet.
    Ready(Params),
    /// Rows are left, or the end was not seen yet.
    Rows(Box<RowStream>),
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

    /// How many have a name.
    pub fn named(&self) -> usize {
        self.named.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
