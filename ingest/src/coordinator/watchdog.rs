//! Notices a publication that neither ends nor fails while its process lives, and gives up its lease: a call that no limit of its
//! own ends, or a thread that is stuck, must not stop the lake for good.
//!
//! It counts looks and never compares times: in a process that was stopped and goes on, nothing has hung. What hung may go on
//! later; the epoch keeps it from publishing, as it does any other that lost its lease.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use duckmesh_catalog::leases::Lease;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{sleep, timeout},
};

use crate::{
    lake::{Shared, Stop},
    options::LeaseKeeping,
};

/// Looks in the time that a publication has. It hangs when that many in a row saw nothing move.
const LOOKS: u32 = 5;
/// How long one try to give the lease back may take, and how often it is tried: what hung may hold locks of the catalog, which
/// end there some time later.
const RELEASE_LIMIT: Duration = Duration::from_secs(15);
const RELEASE_TRIES: u32 = 30;
const RELEASE_PAUSE: Duration = Duration::from_secs(1);
/// A coordinator that starts again has begun its next term after this at the latest, if it can.
const NEXT_TERM_WAIT: Duration = Duration::from_secs(5);

/// What a term as leader does, for the watchdog.
#[derive(Default)]
pub(crate) struct Watch {
    /// Grows while the term's task runs at all.
    beats: AtomicU64,
    work: Mutex<Work>,
    /// The lease of the term.
    lease: Mutex<Option<Lease>>,
    /// Counts terms: one that was given up changes nothing that is of a later one.
    term: AtomicU64,
    /// A term was given up, and nobody has taken note of it yet.
    gave_up: AtomicBool,
    /// Too many were given up and have not ended.
    is_stuck: AtomicBool,
    /// One was given up, and none has begun since: what hung keeps the catalog locked.
    is_locked_out: AtomicBool,
}

#[derive(Default)]
struct Work {
    /// Grows with each step.
    steps: u64,
    doing: Option<Doing>,
}

struct Doing {
    id: u64,
    what: &'static str,
    /// Its turn among the publications of all lakes; what hangs must not keep it.
    #[expect(dead_code, reason = "it is held")]
    turn: Option<OwnedSemaphorePermit>,
}

/// Something that has to end; it ended when this is dropped.
pub(crate) struct Busy<'a> {
    watch: &'a Watch,
    id: u64,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut work = lock(&self.watch.work);
        work.steps += 1;
        if work.doing.as_ref().is_some_and(|doing| doing.id == self.id) {
            work.doing = None;
        }
    }
}

impl Watch {
    /// Something begins that has to end.
    pub(crate) fn begin(&self, what: &'static str, turn: Option<OwnedSemaphorePermit>) -> Busy<'_> {
        let mut work = lock(&self.work);
        work.steps += 1;
        let id = work.steps;
        work.doing = Some(Doing { id, what, turn });
        Busy { watch: self, id }
    }

    /// What was begun goes on.
    pub(crate) fn moved(&self) {
        lock(&self.work).steps += 1;
    }

    /// A term begins with this lease; gives its number.
    pub(crate) fn enter(&self, lease: &Lease) -> u64 {
        self.is_locked_out.store(false, Ordering::Release);
        *lock(&self.lease) = Some(lease.clone());
        self.term.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A term ends; false where it was given up before.
    pub(crate) fn leave(&self, term: u64) -> bool {
        let is_its = self.term.load(Ordering::Acquire) == term;
        if is_its {
            *lock(&self.lease) = None;
        }
        is_its
    }

    /// Whether a term was given up since the last call.
    pub(crate) fn take_gave_up(&self) -> bool {
        self.gave_up.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire) || self.is_locked_out.load(Ordering::Acquire)
    }

    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.is_stuck.store(stuck, Ordering::Release);
    }

    /// Beats and steps, and whether something is being done.
    fn seen(&self) -> (u64, u64, bool) {
        let work = lock(&self.work);
        (self.beats.load(Ordering::Acquire), work.steps, work.doing.is_some())
    }
}

/// Shows that the term's task runs; beside its work.
pub(super) async fn beat(shared: &Shared) -> Infallible {
    loop {
        sleep(shared.options.publication_deadline / (2 * LOOKS)).await;
        shared.watch.beats.fetch_add(1, Ordering::AcqRel);
    }
}

/// Ends when the term of now hangs.
pub(crate) async fn hung(shared: &Shared) {
    let (watch, pause) = (&shared.watch, shared.options.publication_deadline / LOOKS);
    let (mut before, mut still) = (watch.seen(), 0);
    while still < LOOKS {
        sleep(pause).await;
        let (beats, steps, is_busy) = watch.seen();
        let is_still = beats == before.0 || (is_busy && steps == before.1);
        still = if is_still && *shared.leading.borrow() { still + 1 } else { 0 };
        before = (beats, steps, is_busy);
    }
}

/// Takes everything from a term that hangs. Its task is to be ended by the caller, as far as that is possible.
pub(crate) fn give_up(shared: &Arc<Shared>) {
    let watch = &shared.watch;
    let doing = lock(&watch.work).doing.take();
    let what = doing.as_ref().map_or("between publications", |doing| doing.what);
    let lease = lock(&watch.lease).take();
    let epoch = lease.as_ref().map(|lease| lease.epoch);
    let watermark = shared.progress.watermark();
    tracing::error!(lake = %shared.info.name, ?epoch, %watermark, what,
        deadline = ?shared.options.publication_deadline, "a publication hangs: its lease is given up");
    drop(doing);
    let given_up = watch.term.fetch_add(1, Ordering::AcqRel) + 1;
    watch.gave_up.store(true, Ordering::Release);
    shared.renew_turn();
    shared.meters.abandoned.increment(1);
    shared.meters.leader.set(0.0);
    shared.leading.send_replace(false);
    match shared.options.lease {
        // Others first: whoever decides that here takes note of it.
        LeaseKeeping::WhileAlive => drop(shared.lead.send_replace(false)),
        LeaseKeeping::Renewed => drop(tokio::spawn(look_for_the_next(Arc::clone(shared), given_up))),
    }
    if let Some(lease) = lease {
        tokio::spawn(release(Arc::clone(shared), lease));
    }
}

/// Where nobody else publishes, the next term begins soon. It cannot where what hung holds the lock of the catalog's file: then
/// only the end of this process helps.
async fn look_for_the_next(shared: Arc<Shared>, given_up: u64) {
    sleep(shared.options.publication_deadline.max(NEXT_TERM_WAIT)).await;
    if shared.watch.term.load(Ordering::Acquire) == given_up {
        shared.watch.is_locked_out.store(true, Ordering::Release);
        tracing::error!(lake = %shared.info.name,
            "a publication hangs with the catalog locked, publications do not go on: restart this server");
    }
}

/// Until it is given back, or nobody can be told: the same process may take it anew in any case.
async fn release(shared: Arc<Shared>, lease: Lease) {
    for _ in 0..RELEASE_TRIES {
        match timeout(RELEASE_LIMIT, shared.catalog.release_lease(&lease)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(lake = %shared.info.name, %error, "could not give back a lease"),
            Err(_) => tracing::warn!(lake = %shared.info.name, "could not give back a lease in time"),
        }
        sleep(RELEASE_PAUSE).await;
    }
}

/// Waits until the lake is to stop, or one of these has ended.
pub(crate) async fn one_ends(ended: impl Fn() -> bool, stop: &mut watch::Receiver<Stop>) {
    while !ended() && *stop.borrow() == Stop::No && stop.has_changed().is_ok() {
        let _ = timeout(RELEASE_PAUSE, stop.changed()).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
