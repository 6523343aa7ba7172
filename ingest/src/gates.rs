//! Fairness for a write that needs a table to stand still: new rows of the table wait at its gate, for a while.
//!
//! Nothing depends on a gate for being right: the log refuses what came too late. It is for ending.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

/// The gates of a lake; a table has one while somebody holds it.
#[derive(Default)]
pub(crate) struct Gates(Mutex<HashMap<Uuid, Weak<watch::Sender<()>>>>);

/// Keeps new rows of some tables waiting, until it is dropped.
pub struct Hold(#[allow(dead_code)] Vec<Arc<watch::Sender<()>>>);

impl Gates {
    /// Closes the gates of some tables.
    pub(crate) fn hold(&self, tables: &[Uuid]) -> Hold {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| gate.strong_count() > 0);
        let close = |table: &Uuid| {
            let closed = gates.get(table).and_then(Weak::upgrade);
            closed.unwrap_or_else(|| {
                let gate = Arc::new(watch::Sender::new(()));
                gates.insert(*table, Arc::downgrade(&gate));
                gate
            })
        };
        Hold(tables.iter().map(close).collect())
    }

    /// Waits until no gate of these tables is closed, but not longer than `wait`.
    pub(crate) async fn pass(&self, tables: impl Iterator<Item = Uuid>, wait: Duration) {
        let closed: Vec<_> = {
            let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if gates.is_empty() {
                return;
            }
            tables.filter_map(|table| Some(gates.get(&table)?.upgrade()?.subscribe())).collect()
        };
        let opened = async {
            for mut gate in closed {
                // An error says that the last holder is gone.
                while gate.changed().await.is_ok() {}
            }
        };
        let _ = timeout(wait, opened).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_wait_for_every_holder_and_not_for_ever() {
        let (gates, table, other) = (Gates::default(), Uuid::new_v4(), Uuid::new_v4());
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(1000));
        let (first, second) = (gates.hold(&[table]), gates.hold(&[table, other]));
        gates.pass([Uuid::new_v4()].into_iter(), long).await;
        let started = std::time::Instant::now();
        gates.pass([table].into_iter(), short).await;
        assert!(started.elapsed() >= short);
        drop(first);
        let passed = std::cell::Cell::new(false);
        let rows = async {
            gates.pass([other, table].into_iter(), long).await;
            passed.set(true);
        };
        let open = async {
            tokio::task::yield_now().await;
            assert!(!passed.get());
            drop(second);
        };
        tokio::join!(rows, open);
        gates.pass([table].into_iter(), long).await;
    }
}
