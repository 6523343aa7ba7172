//! Advisory locks where several gateways serve a lake: the catalog says who has a key, this process' table comes before it.
//!
//! One task does everything in the order in which it was asked for, so that a lock that is given back and taken again is held,
//! and one that nobody waits for any more is not.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use duckmesh_catalog::{Catalog, LakeId, Node, advisory::LockRow};
use tokio::sync::{mpsc, oneshot};

use super::{Key, Want};

/// Between two looks for a lock that another gateway's session holds; only while somebody waits.
pub(super) const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// How long somebody waits before it is looked whether those who hold the lock wait for it: PostgreSQL's deadlock_timeout.
pub(super) const DEADLOCK_PAUSE: Duration = Duration::from_secs(1);
/// Before a lock that could not be given back is given back again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The catalog's side of a lake's locks.
#[derive(Debug)]
pub(super) struct Shared {
    catalog: Catalog,
    lake: LakeId,
    node: Node,
    /// The task's inbox; it begins with the first lock.
    ops: Mutex<Option<mpsc::UnboundedSender<Op>>>,
}

/// The queue is bounded by the sessions and by what each may hold.
#[derive(Debug)]
enum Op {
    Take(LockRow, oneshot::Sender<duckmesh_catalog::catalog::Result<bool>>),
    Release(LockRow),
    Wait(LockRow),
    Settled(oneshot::Sender<()>),
}

impl Shared {
    pub(super) fn new(catalog: Catalog, lake: LakeId, node: Node) -> Self {
        Self { catalog, lake, node, ops: Mutex::default() }
    }

    fn send(&self, op: Op) {
        let mut ops = self.ops.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = ops.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(work(self.catalog.clone(), self.lake, receiver));
            sender
        });
        let _ = sender.send(op);
    }

    fn row(&self, owner: i32, key: Key, shared: bool, granted: bool) -> LockRow {
        let (kind, class, object) = match key {
            Key::One(key) => (1, 0, key),
            Key::Two(class, object) => (2, class.into(), object.into()),
        };
        LockRow { kind, class, object, node: self.node.id, owner: owner.into(), shared, granted }
    }

    /// Whether the catalog gives the lock; an error says that it cannot be asked.
    pub(super) async fn take(&self, owner: i32, want: &Want) -> Result<bool, ()> {
        let (reply, answer) = oneshot::channel();
        self.send(Op::Take(self.row(owner, want.key, want.shared, true), reply));
        // Others may stand before it in the queue. What comes after that is given back.
        match self.catalog.patiently(answer).await {
            Ok(Ok(Ok(taken))) => Ok(taken),
            Ok(Ok(Err(error))) | Err(error) => {
                tracing::warn!(%error, "could not ask the catalog for an advisory lock");
                Err(())
            }
            Ok(Err(_)) => Err(()),
        }
    }

    pub(super) fn release(&self, owner: i32, key: Key, shared: bool) {
        self.send(Op::Release(self.row(owner, key, shared, true)));
    }

    pub(super) fn wait(&self, owner: i32, want: &Want) {
        self.send(Op::Wait(self.row(owner, want.key, want.shared, false)));
    }

    pub(super) fn stop_waiting(&self, owner: i32, want: &Want) {
        self.send(Op::Release(self.row(owner, want.key, want.shared, false)));
    }

    /// When everything asked for so far is done, or the catalog does not answer: it is done when it does.
    pub(super) async fn settled(&self) {
        let (reply, answer) = oneshot::channel();
        self.send(Op::Settled(reply));
        let _ = self.catalog.patiently(answer).await;
    }

    /// Whether those who hold what this session waits for wait for it, and it is the one to give up.
    pub(super) async fn is_victim(&self, owner: i32) -> bool {
        match self.catalog.locks(self.lake).await {
            Ok(rows) => is_victim(&rows, (self.node.id, owner.into())),
            Err(_) => false,
        }
    }
}

async fn work(catalog: Catalog, lake: LakeId, mut ops: mpsc::UnboundedReceiver<Op>) {
    while let Some(op) = ops.recv().await {
        match op {
            Op::Take(row, reply) => {
                let taken = catalog.take_lock(lake, &row).await;
                let may_be_there = !matches!(taken, Ok(false));
                let is_wanted = matches!(taken, Ok(true));
                if (reply.send(taken).is_err() || !is_wanted) && may_be_there {
                    // The session is gone, or nobody knows whether the commit happened.
                    release(&catalog, lake, &row).await;
                }
            }
            Op::Release(row) => release(&catalog, lake, &row).await,
            Op::Wait(row) => {
                if let Err(error) = catalog.note_waiting(lake, &row).await {
                    tracing::debug!(%error, "a wait for an advisory lock is not known to others");
                }
            }
            Op::Settled(reply) => drop(reply.send(())),
        }
    }
}

/// Until it succeeds: what is not given back keeps others waiting. Only a catalog that is closed ends it.
async fn release(catalog: &Catalog, lake: LakeId, row: &LockRow) {
    while let Err(error) = catalog.release_lock(lake, row).await {
        if !catalog.is_open() {
            return;
        }
        tracing::warn!(%error, "could not give back an advisory lock");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

type Session = (i64, i64);

/// Whether `me` is in a circle of waits, and the last of those in it by number: all of them see the same circle.
fn is_victim(rows: &[LockRow], me: Session) -> bool {
    let from_me = reached(rows, me);
    if !from_me.contains(&me) {
        return false;
    }
    let in_circle = from_me.iter().filter(|other| reached(rows, **other).contains(&me));
    in_circle.max() == Some(&me)
}

/// Those for whom a session waits, directly or not.
fn reached(rows: &[LockRow], from: Session) -> HashSet<Session> {
    let session = |row: &LockRow| (row.node, row.owner);
    let key = |row: &LockRow| (row.kind, row.class, row.object);
    let (mut seen, mut next) = (HashSet::new(), vec![from]);
    while let Some(waiter) = next.pop() {
        for wait in rows.iter().filter(|row| !row.granted && session(row) == waiter) {
            let against = rows.iter().filter(|row| {
                row.granted && key(row) == key(wait) && session(row) != waiter && !(row.shared && wait.shared)
            });
            next.extend(against.map(session).filter(|holder| seen.insert(*holder)));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(object: i64, node: i64, owner: i64, shared: bool, granted: bool) -> LockRow {
        LockRow { kind: 1, class: 0, object, node, owner, shared, granted }
    }

    #[test]
    fn one_of_a_circle_gives_up() {
        // 1 holds a and wants b; 2 holds b and wants c; 3 holds c and wants a. 4 only waits.
        let rows = [
            row(1, 1, 1, false, true),
            row(2, 1, 1, false, false),
            row(2, 1, 2, false, true),
            row(3, 1, 2, false, false),
            row(3, 2, 1, true, true),
            row(1, 2, 1, true, false),
            row(3, 3, 4, false, false),
        ];
        let victims: Vec<_> = [(1, 1), (1, 2), (2, 1), (3, 4)].into_iter().filter(|me| is_victim(&rows, *me)).collect();
        assert_eq!(victims, [(2, 1)]);
        // In circles of any length, whoever is where, it is one; and when that one is gone, nobody else has to go.
        for (length, shift) in (2..12).flat_map(|length| (0..length).map(move |shift| (length, shift))) {
            let session = |at: i64| ((at + shift) % length % 3, (at + shift) % length);
            let hold = |at: i64| (at, session(at));
            let held = (0..length).map(hold).map(|(key, (node, owner))| row(key, node, owner, false, true));
            let wanted = (0..length).map(|at| {
                let (node, owner) = session(at);
                row((at + 1) % length, node, owner, false, false)
            });
            let mut rows: Vec<LockRow> = held.chain(wanted).collect();
            let victims =
                |rows: &[LockRow]| (0..length).map(session).filter(|me| is_victim(rows, *me)).collect::<Vec<_>>();
            let found = victims(&rows);
            assert_eq!(found.len(), 1, "{length}, {shift}: {found:?}");
            // It waits no more; what it holds it gives back later.
            rows.retain(|row| row.granted || (row.node, row.owner) != found[0]);
            assert!(victims(&rows).is_empty(), "{length}, {shift}");
        }
        // Who shares waits for nobody who shares.
        let shared = [
            row(1, 1, 1, true, true),
            row(1, 2, 1, true, false),
            row(2, 2, 1, false, true),
            row(2, 1, 1, false, false),
        ];
        assert!(!is_victim(&shared, (1, 1)) && !is_victim(&shared, (2, 1)));
    }
}
