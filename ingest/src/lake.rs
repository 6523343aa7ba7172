//! One open lake: the door to its log, its group commit, its coordinator and its barrier.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use duckmesh_catalog::{
    Catalog, Offset, SnapshotId, SnapshotInfo,
    lakes::LakeInfo,
    publish::{Expired, Publication, Published, Rejection},
};
use duckmesh_storage::LakeFiles;
use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use crate::{
    bus::{Bus, LaneState},
    coordinator::{
        self,
        merge::Added,
        watchdog::{self, Watch},
    },
    error::{AppendError, BusError, OpenError, WaitError},
    frame::{Part, Write},
    gates::{Gates, Hold},
    meters::Meters,
    options::{LakeOptions, LeaseKeeping},
    progress::Progress,
    publish::Publisher,
    readers::{Kept, Readers, Reading, SnapshotPin},
    signals::Signals,
};

/// What a write got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its offset: the token's number.
    pub offset: Offset,
    /// Whether its idempotency key was seen before; then the offset is the first write's, and nothing happened now.
    pub duplicate: bool,
}

/// One open lake. While it is open, this process publishes for it whenever it can get the lease.
pub struct Lake {
    shared: Arc<Shared>,
    publisher: Publisher,
    /// Stops the group commit, and then, with nothing more to come, the coordinator.
    stop_writes: watch::Sender<Stop>,
    stop: watch::Sender<Stop>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the tasks of a lake share.
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) info: LakeInfo,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) files: LakeFiles,
    pub(crate) options: LakeOptions,
    pub(crate) progress: Progress,
    pub(crate) meters: Meters,
    /// Publications and merges take turns: none fails because of the other.
    turn: std::sync::Mutex<Arc<Mutex<()>>>,
    /// What whoever publishes here does.
    pub(crate) watch: Watch,
    pub(crate) added: Added,
    pub(crate) readers: Readers,
    /// Whether this process is to publish, where it does not decide that by itself.
    pub(crate) lead: watch::Sender<bool>,
    /// Whether this process is to maintain what another publishes.
    pub(crate) maintain: watch::Sender<bool>,
    /// Whether it publishes now.
    pub(crate) leading: watch::Sender<bool>,
    gates: Gates,
}

impl Shared {
    pub(crate) async fn expire_snapshots(&self, before: DateTime<Utc>) -> duckmesh_catalog::catalog::Result<Expired> {
        let said_within = match self.options.lease {
            LeaseKeeping::Renewed => Duration::ZERO,
            LeaseKeeping::WhileAlive => self.options.lease_ttl,
        };
        // Until it is over nothing is published: what is the newest now does not expire.
        let _turn = self.turn().await;
        let own = self.readers.expire().into_iter().collect();
        self.catalog.expire_snapshots(self.info.id, before, &own, said_within).await
    }

    /// To tell whoever publishes, if that is another process.
    pub(crate) fn signals_to_leader(&self) -> Option<&Signals> {
        self.bus.signals().filter(|_| !*self.leading.borrow())
    }

    /// How often a process that does not publish looks for what is waited for.
    pub(crate) fn look_interval(&self) -> Duration {
        match self.bus.signals() {
            Some(signals) if signals.are_heard() => self.options.poll_interval.max(HEARD_LOOK),
            _ => self.options.poll_interval,
        }
    }

    /// Publishes, when it is its turn.
    pub(crate) async fn publish(&self, publication: &Publication) -> duckmesh_catalog::catalog::Result<Published> {
        let _turn = self.turn().await;
        self.catalog.publish(publication).await
    }

    /// Waits for the turn to change what readers see; it is kept until the guard is dropped.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(&self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        turn.lock_owned().await
    }

    /// Whoever has the turn hangs: nobody waits for it any more. That they take turns is for peace, not for safety.
    pub(crate) fn renew_turn(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }
}

/// Whether the tasks of a lake are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Not yet.
    No,
    /// When everything is published, or at that time.
    Drain(Instant),
}

/// A signal may be lost: whoever waits looks this often even while they are heard.
const HEARD_LOOK: Duration = Duration::from_secs(1);
/// How long giving back the lease may take at the end.
const RELEASE_WAIT: Duration = Duration::from_secs(2);
/// Claims are renewed so often in a grace, so that two late renewals do no harm.
const RENEWALS_PER_GRACE: u32 = 4;
const RENEWAL_MIN: Duration = Duration::from_millis(100);
/// Pause before a coordinator that panicked, or hung, starts again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Coordinators that were given up and have not ended: each keeps a thread, and what it holds. Beyond that only a restart helps.
const UNENDED_MAX: usize = 3;

impl Lake {
    /// Opens the lake's lane and starts its tasks.
    pub async fn open(
        catalog: Catalog,
        info: LakeInfo,
        bus: Arc<dyn Bus>,
        files: LakeFiles,
        options: LakeOptions,
    ) -> Result<Arc<Self>, OpenError> {
        let lane = bus.open_lane(info.id).await?;
        let (watermark, _) = catalog.watermark(info.id).await?;
        if lane.head < watermark {
            // Appends would get offsets that are "published" already, and be lost: the loss must be loud.
            return Err(OpenError::LogLost { head: lane.head, watermark });
        }
        let shared = Arc::new(Shared {
            progress: Progress::new(lane, watermark),
            meters: Meters::new(info.name.as_str()),
            turn: std::sync::Mutex::default(),
            watch: Watch::default(),
            added: Added::default(),
            readers: Readers::default(),
            gates: Gates::default(),
            lead: watch::Sender::new(options.lease == LeaseKeeping::Renewed),
            maintain: watch::Sender::new(false),
            leading: watch::Sender::new(false),
            catalog,
            info,
            bus,
            files,
            options,
        });
        if let Some(signals) = shared.bus.signals() {
            signals.join(&shared);
        }
        let (stop_writes, stopped) = watch::channel(Stop::No);
        let (publisher, groups) = Publisher::start(Arc::clone(&shared), stopped);
        let (stop, stopped) = watch::channel(Stop::No);
        let claims = tokio::spawn(renew_claims(Arc::clone(&shared), stopped.clone()));
        let upkeep = tokio::spawn(coordinator::maintain(Arc::clone(&shared), stopped.clone()));
        let commits = tokio::spawn(coordinate(Arc::clone(&shared), stopped));
        let tasks = Mutex::new(vec![groups, commits, claims, upkeep]);
        Ok(Arc::new(Self { shared, publisher, stop_writes, stop, tasks }))
    }

    /// Which lake this is.
    #[must_use]
    pub fn info(&self) -> &LakeInfo {
        &self.shared.info
    }

    /// The lake's files.
    #[must_use]
    pub fn files(&self) -> &LakeFiles {
        &self.shared.files
    }

    /// The log it writes to.
    #[must_use]
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.shared.bus
    }

    /// To be taken before files are listed, and kept while they are read.
    #[must_use]
    pub fn read(&self) -> Reading {
        self.shared.readers.begin(self.shared.catalog.now())
    }

    /// Keeps a snapshot from expiring, as far as this process decides that; and the files that it names now. Others learn of it
    /// by [`Lake::kept`].
    #[must_use]
    pub fn pin(&self, snapshot: SnapshotId) -> SnapshotPin {
        self.shared.readers.pin(self.shared.catalog.now(), snapshot)
    }

    /// The newest snapshot, kept as [`Lake::pin`] does. No expiry of this process comes between.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn pin_newest(&self) -> duckmesh_catalog::catalog::Result<(SnapshotInfo, SnapshotPin)> {
        let (catalog, readers) = (&self.shared.catalog, &self.shared.readers);
        loop {
            let expiries = readers.expiries();
            let newest = catalog.latest(self.shared.info.id).await?;
            let pin = readers.pin(catalog.now(), newest.id);
            if readers.expiries() == expiries {
                return Ok((newest, pin));
            }
        }
    }

    /// What readers of this process keep; none: nobody reads.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        self.shared.readers.kept()
    }

    /// Ends snapshots that were made before a time, and that no reader of any process keeps.
    pub async fn expire_snapshots(&self, before: DateTime<Utc>) -> duckmesh_catalog::catalog::Result<Expired> {
        self.shared.expire_snapshots(before).await
    }

    /// Says whether this process is to publish for the lake, where [`LeaseKeeping::WhileAlive`] leaves that to the caller. It
    /// ends its publication before it gives the lease back.
    pub fn lead(&self, leads: bool) {
        self.shared.lead.send_if_modified(|now| std::mem::replace(now, leads) != leads);
    }

    /// Whether this process publishes for the lake now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        *self.shared.leading.borrow()
    }

    /// Whether a publication of this process hung since the last call: its lease was given up, and where
    /// [`LeaseKeeping::WhileAlive`] leaves that to the caller, this process publishes again when it is told to.
    pub fn take_gave_up(&self) -> bool {
        self.shared.watch.take_gave_up()
    }

    /// Whether publications of this process hang and cannot be ended: it publishes no more.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.shared.watch.is_stuck()
    }

    /// Says whether this process is to merge and sweep what another publishes.
    pub fn maintain(&self, maintains: bool) {
        self.shared.maintain.send_if_modified(|now| std::mem::replace(now, maintains) != maintains);
    }

    /// Whether it was told to.
    #[must_use]
    pub fn is_maintaining(&self) -> bool {
        *self.shared.maintain.borrow()
    }

    /// Takes over what somebody read of the log. What others appended is published without more waiting: it waited for this.
    pub fn observe(&self, lane: LaneState) {
        if self.shared.progress.observe(lane) < lane.head && self.is_leading() {
            self.shared.progress.want(lane.head);
        }
    }

    /// Appends a write, in a group with others. When this returns, the write is durable (G1).
    ///
    /// A dropped future may leave the write in the log or not.
    pub async fn append(&self, write: Write) -> Result<Appended, AppendError> {
        self.publisher.append(write).await
    }

    /// Lets rows wait while somebody holds their table; before [`Lake::append`], where the wait may be given up.
    pub async fn pass(&self, parts: &[Part]) {
        let tables = parts.iter().filter_map(Part::table);
        self.shared.gates.pass(tables, self.shared.options.queue_wait_max).await;
    }

    /// Keeps new rows of this process out of some tables, so that a validated write has an end.
    #[must_use]
    pub fn hold(&self, tables: &[Uuid]) -> Hold {
        self.shared.gates.hold(tables)
    }

    /// The offset of the write that an idempotency key was used for; none if there is none, or it is forgotten.
    pub async fn recorded(&self, key: &str) -> Result<Option<Offset>, BusError> {
        let recorded = self.shared.bus.recorded(self.shared.info.id, key).await?;
        if let Some(head) = recorded {
            // Another process may have written it.
            self.shared.progress.observe(LaneState { head, ddl_offset: Offset::ZERO });
        }
        Ok(recorded)
    }

    /// The barrier: returns when the watermark covers the offset. An offset above the head is an error at once.
    /// The caller adds its timeout; dropping the future ends the wait.
    pub async fn wait_for(&self, offset: Offset) -> Result<(), WaitError> {
        if offset <= self.watermark() {
            return Ok(());
        }
        if offset > self.shared.progress.lane().head {
            let head = self.head().await.map_err(|e| WaitError::Unavailable(e.to_string().into()))?;
            if offset > head {
                return Err(WaitError::AboveHead { offset, head });
            }
        }
        let mut watermark = self.shared.progress.subscribe();
        let mut stop = self.stop.subscribe();
        self.shared.progress.want(offset);
        if let Some(signals) = self.shared.signals_to_leader() {
            signals.wanted(self.shared.info.id, offset);
        }
        tokio::select! {
            biased;
            covered = watermark.wait_for(|now| *now >= offset) => covered.map(drop).map_err(|_| WaitError::Closed),
            // The drain still publishes; what it did not reach by its end is not waited for.
            () = ended(&mut stop) => Err(WaitError::Closed),
        }
    }

    /// The highest offset of which every one below is published or rejected, as far as this process knows.
    #[must_use]
    pub fn watermark(&self) -> Offset {
        self.shared.progress.watermark()
    }

    /// The highest acknowledged offset: all that was acknowledged before this call, by any process.
    pub async fn head(&self) -> Result<Offset, BusError> {
        if !self.shared.bus.is_shared() {
            return Ok(self.shared.progress.lane().head);
        }
        let lane = self.shared.bus.lane(self.shared.info.id).await?;
        self.shared.progress.observe(lane);
        Ok(lane.head)
    }

    /// The offset of the lane's last DDL frame.
    pub async fn ddl_offset(&self) -> Result<Offset, BusError> {
        if !self.shared.bus.is_shared() {
            return Ok(self.shared.progress.lane().ddl_offset);
        }
        let lane = self.shared.bus.lane(self.shared.info.id).await?;
        self.shared.progress.observe(lane);
        Ok(lane.ddl_offset)
    }

    /// What became of an offset, once [`Lake::wait_for`] returned: none is published, else why it was rejected.
    pub async fn outcome(&self, offset: Offset) -> duckmesh_catalog::catalog::Result<Option<Rejection>> {
        self.shared.catalog.rejection(self.shared.info.id, offset).await
    }

    /// The watermark as it moves.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Offset> {
        self.shared.progress.subscribe()
    }

    /// Changes when something was published, by this process or another, as far as that is heard: what it says is to be looked
    /// for, and nothing to rely on.
    #[must_use]
    pub fn rumours(&self) -> watch::Receiver<Offset> {
        self.shared.progress.rumours()
    }

    /// Refuses new writes, finishes those in the queue, publishes what it can within `drain`, and gives back
    /// the lease.
    pub async fn shutdown(&self, drain: Duration) {
        let until = Instant::now() + drain;
        let mut tasks = self.tasks.lock().await;
        let mut stops = [&self.stop_writes, &self.stop].into_iter();
        for mut task in tasks.drain(..) {
            stops.next().map(|stop| stop.send_replace(Stop::Drain(until)));
            if timeout_at(until + RELEASE_WAIT, &mut task).await.is_err() {
                tracing::warn!(lake = %self.shared.info.name, "a task of the lake did not end in time");
                task.abort();
            }
        }
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        // Without a shutdown there is no drain: the next owner of the lease goes on from the watermark.
        for stop in [&self.stop_writes, &self.stop] {
            stop.send_if_modified(|stop| {
                let running = *stop == Stop::No;
                if running {
                    *stop = Stop::Drain(Instant::now());
                }
                running
            });
        }
    }
}

/// Renews the claims on staged files, so that a coordinator in another process leaves them.
async fn renew_claims(shared: Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    let interval = (shared.options.sweep_grace / RENEWALS_PER_GRACE).max(RENEWAL_MIN);
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => shared.files.renew_claims().await,
            () = stopping(&mut stop) => return,
        }
    }
}

/// Ends when the lake is to stop, or is gone.
async fn stopping(stop: &mut watch::Receiver<Stop>) {
    let _ = stop.wait_for(|stop| *stop != Stop::No).await;
}

/// Runs the coordinator. It never ends by a panic, nor because it hangs: a fault in one publication must not stop the lake for
/// good.
async fn coordinate(shared: Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    let mut unended: Vec<AbortOnDrop> = Vec::new();
    loop {
        let term = tokio::spawn(coordinator::run(Arc::clone(&shared), stop.clone()));
        // Its own task, so that a panic ends there; aborted with this one.
        let mut term = AbortOnDrop(term);
        let ended = tokio::select! {
            ended = &mut term.0 => Some(ended),
            () = watchdog::hung(&shared) => None,
        };
        match ended {
            Some(Err(e)) if e.is_panic() => {
                tracing::error!(lake = %shared.info.name, error = %e, "the coordinator failed and starts again");
                tokio::time::sleep(RESTART_PAUSE).await;
            }
            Some(_) => return,
            None => {
                watchdog::give_up(&shared);
                term.0.abort();
                unended.push(term);
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        }
        unended.retain(|term| !term.0.is_finished());
        if unended.len() >= UNENDED_MAX {
            shared.watch.set_stuck(true);
            tracing::error!(lake = %shared.info.name, "publications hang and do not end: restart this server");
            watchdog::one_ends(|| unended.iter().any(|term| term.0.is_finished()), &mut stop).await;
            shared.watch.set_stuck(false);
        }
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends when the drain's time is over.
async fn ended(stop: &mut watch::Receiver<Stop>) {
    let stopped = stop.wait_for(|stop| *stop != Stop::No).await.map(|stop| *stop);
    if let Ok(Stop::Drain(until)) = stopped {
        tokio::time::sleep_until(until).await;
    }
}
