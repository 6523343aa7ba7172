//! How far a lake's log is: what was appended, what is wanted, what is published, and who is to be woken.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use duckmesh_catalog::Offset;
use tokio::sync::{Notify, watch};

use crate::bus::LaneState;

/// Shared by the writers, the waiters and the coordinator of a lake. Every number only grows (but the pending bytes).
pub(crate) struct Progress {
    head: AtomicI64,
    ddl_offset: AtomicI64,
    wanted: AtomicI64,
    pending_bytes: AtomicU64,
    /// The head that another process spoke of, and what somebody waits for there: to be looked for, never believed.
    told_head: AtomicI64,
    told_wanted: AtomicI64,
    /// Somebody said that there is news, or began to wait.
    hinted: AtomicBool,
    /// Wakes the coordinator.
    wake: Notify,
    /// Wakes the waiters.
    watermark: watch::Sender<Offset>,
    /// Up to where something is published, as somebody said: to be looked for, never believed.
    rumoured: watch::Sender<Offset>,
}

/// What an append means to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It knows already that there is something.
    None,
    /// There was nothing before.
    Tell,
    /// It is to be published at once.
    Publish,
}

impl Progress {
    pub(crate) fn new(lane: LaneState, watermark: Offset) -> Self {
        Self {
            head: AtomicI64::new(lane.head.get()),
            ddl_offset: AtomicI64::new(lane.ddl_offset.get()),
            wanted: AtomicI64::new(0),
            pending_bytes: AtomicU64::new(0),
            told_head: AtomicI64::new(0),
            told_wanted: AtomicI64::new(0),
            hinted: AtomicBool::new(false),
            wake: Notify::new(),
            watermark: watch::Sender::new(watermark),
            rumoured: watch::Sender::new(watermark),
        }
    }

    /// What this process knows of the lane; on a shared log others may be further.
    pub(crate) fn lane(&self) -> LaneState {
        // The DDL offset is read first and written last: it is never above the head that goes with it.
        let ddl_offset = Offset::new(self.ddl_offset.load(Ordering::Acquire));
        LaneState { head: Offset::new(self.head.load(Ordering::Acquire)), ddl_offset }
    }

    pub(crate) fn watermark(&self) -> Offset {
        *self.watermark.borrow()
    }

    /// Changes when something was published, here or elsewhere, as far as it is heard.
    pub(crate) fn rumours(&self) -> watch::Receiver<Offset> {
        self.rumoured.subscribe()
    }

    /// Another process says that it published up to here.
    pub(crate) fn rumoured(&self, watermark: Offset) {
        self.rumoured.send_if_modified(|now| std::mem::replace(now, watermark.max(*now)) < watermark);
        self.hint();
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Offset> {
        self.watermark.subscribe()
    }

    /// Records in the log, before their writers are told: an acknowledged offset is never above the head. Says whether the
    /// coordinator, wherever it is, is to know of it now, and whether it is to publish at once.
    pub(crate) fn appended(&self, head: Offset, ddl: Option<Offset>, bytes: u64, commit_bytes: u64) -> Urgency {
        let before = self.observe(LaneState { head, ddl_offset: ddl.unwrap_or(Offset::ZERO) });
        let pending = self.pending_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes;
        if let Some(ddl) = ddl {
            // A schema change is waited for by all who write: it is published at once.
            self.wanted.fetch_max(ddl.get(), Ordering::AcqRel);
        }
        // Between the first record and the interval's end there is nothing to say to the coordinator.
        let first = before <= self.watermark();
        let urgent = ddl.is_some() || pending >= commit_bytes;
        if first || urgent {
            self.wake.notify_one();
        }
        match (urgent, first) {
            (true, _) => Urgency::Publish,
            (false, true) => Urgency::Tell,
            (false, false) => Urgency::None,
        }
    }

    /// Takes over what was read from the lane; gives the head that was known before.
    pub(crate) fn observe(&self, lane: LaneState) -> Offset {
        let before = self.head.fetch_max(lane.head.get(), Ordering::AcqRel);
        self.ddl_offset.fetch_max(lane.ddl_offset.get(), Ordering::AcqRel);
        Offset::new(before)
    }

    /// Somebody waits for this offset: it is published at once.
    pub(crate) fn want(&self, offset: Offset) {
        self.wanted.fetch_max(offset.get(), Ordering::AcqRel);
        self.hint();
    }

    /// Another process says that the log goes up to here, and perhaps that somebody waits for it.
    pub(crate) fn told(&self, offset: Offset, wanted: bool) {
        self.told_head.fetch_max(offset.get(), Ordering::AcqRel);
        if wanted {
            self.told_wanted.fetch_max(offset.get(), Ordering::AcqRel);
        }
        self.wake.notify_one();
    }

    /// The head that others spoke of, and the offset that somebody waits for there, since the last call.
    pub(crate) fn take_told(&self) -> (Offset, Offset) {
        let wanted = self.told_wanted.swap(0, Ordering::AcqRel);
        (Offset::new(self.told_head.swap(0, Ordering::AcqRel)), Offset::new(wanted))
    }

    /// There is news of the lake: who follows it looks.
    pub(crate) fn hint(&self) {
        self.hinted.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether there was a hint since the last call.
    pub(crate) fn take_hint(&self) -> bool {
        self.hinted.swap(false, Ordering::AcqRel)
    }

    /// Whether somebody waits for more than the watermark.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > self.watermark().get()
    }

    pub(crate) fn pending_bytes(&self) -> u64 {
        self.pending_bytes.load(Ordering::Acquire)
    }

    /// All that is pending is about to be read.
    pub(crate) fn reading(&self) {
        self.pending_bytes.store(0, Ordering::Release);
    }

    /// Moves the watermark and wakes the waiters; never back.
    pub(crate) fn published(&self, watermark: Offset) {
        self.head.fetch_max(watermark.get(), Ordering::AcqRel);
        self.watermark.send_if_modified(|now| {
            let moved = watermark > *now;
            *now = watermark.max(*now);
            moved
        });
        self.rumoured.send_if_modified(|now| std::mem::replace(now, watermark.max(*now)) < watermark);
    }

    /// Ends when the coordinator is to look again.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}
