//! A term as leader: wait for work, read the log behind the watermark, publish, trim.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use duckmesh_catalog::{Offset, failpoint, leases::Lease};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    End,
    plan::{self, Unit},
    recover::{Backoff, Failure},
};
use crate::{
    bus::StoredRecord,
    lake::{Shared, Stop},
};

/// Keys are looked through this often.
const FORGET_INTERVAL: Duration = Duration::from_secs(600);

/// An idle log is looked at this often while others say when they append: what they say may be lost.
const IDLE_LOOK: Duration = Duration::from_secs(5);

/// A leader at work.
pub(super) struct Leader<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) lease: &'a Lease,
    pub(super) watermark: Offset,
    pub(super) backoff: Backoff,
    trimmed: Instant,
    forgot: Instant,
}

/// How one pass over the log ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Everything that was there is published.
    Done,
    /// There may be more.
    More,
}

/// Publishes until the lake stops or another epoch begins.
pub(super) async fn run(shared: &Arc<Shared>, lease: &Lease, stop: &mut watch::Receiver<Stop>) -> End {
    let mut leader = Leader {
        shared,
        lease,
        watermark: shared.progress.watermark(),
        backoff: Backoff::new(),
        trimmed: Instant::now(),
        forgot: Instant::now(),
    };
    leader.reload_watermark().await;
    // A term begins with what the one before left behind.
    let mut wait = false;
    loop {
        if wait && leader.wait_for_work(stop).await == Next::Stop {
            return leader.end();
        }
        wait = match leader.pass(stop).await {
            Ok(Pass::Done) => true,
            Ok(Pass::More) => false,
            Err(Failure::Fenced) => return End::Fenced,
            Err(Failure::Reload) => {
                leader.reload_watermark().await;
                false
            }
            Err(failure) => {
                leader.report(&failure);
                leader.pause(stop).await;
                false
            }
        };
        if stopped(stop, &leader) {
            return leader.end();
        }
        if wait {
            leader.tidy().await;
        }
    }
}

/// Whether the drain's time is over.
fn out_of_time(stop: &watch::Receiver<Stop>) -> bool {
    matches!(*stop.borrow(), Stop::Drain(until) if Instant::now() >= until)
}

/// Whether the lake stops, and there is nothing left to publish or no time left.
fn stopped(stop: &watch::Receiver<Stop>, leader: &Leader<'_>) -> bool {
    if !leader.leads() {
        return true;
    }
    match *stop.borrow() {
        Stop::No => stop.has_changed().is_err(),
        Stop::Drain(_) => out_of_time(stop) || leader.shared.progress.lane().head <= leader.watermark,
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Publish,
    Stop,
}

impl Leader<'_> {
    /// Whether this process is still to publish.
    fn leads(&self) -> bool {
        *self.shared.lead.borrow()
    }

    fn end(&self) -> End {
        if self.leads() { End::Stopped } else { End::HandedOver }
    }

    /// Ends at once when a barrier waits, a DDL was appended or enough bytes are there; else after the
    /// interval, which runs only while there is work. Wakes come from writers and waiters, of other processes too; a
    /// shared log is also looked at by timer, rarely while what others say is heard.
    async fn wait_for_work(&self, stop: &mut watch::Receiver<Stop>) -> Next {
        let (progress, options) = (&self.shared.progress, &self.shared.options);
        let mut since = None;
        let mut lead = self.shared.lead.subscribe();
        loop {
            if stopped(stop, self) {
                return Next::Stop;
            }
            self.heed_others().await;
            let draining = *stop.borrow() != Stop::No;
            let waiting = progress.lane().head > self.watermark;
            let urgent = progress.is_wanted() || progress.pending_bytes() >= options.commit_bytes;
            if urgent || (waiting && draining) {
                return Next::Publish;
            }
            let now = Instant::now();
            let due = match (waiting, options.commit_interval) {
                (true, interval) => Some(*since.get_or_insert(now) + interval),
                // Where somebody else looks for all lakes together, no lake has a timer of its own.
                (false, interval) => self
                    .shared
                    .bus
                    .signals()
                    .filter(|_| !options.told)
                    .map(|signals| now + if signals.are_heard() { interval.max(IDLE_LOOK) } else { interval }),
            };
            if waiting && due.is_some_and(|due| due <= now) {
                return Next::Publish;
            }
            tokio::select! {
                () = progress.woken() => {}
                _ = stop.changed() => {}
                _ = lead.changed() => {}
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {
                    // What others appended may have waited for this look: it does not wait for another interval.
                    if !waiting
                        && let Ok(lane) = self.shared.bus.lane(self.shared.info.id).await
                        && lane.head > progress.observe(lane)
                    {
                        return Next::Publish;
                    }
                }
            }
        }
    }

    /// Looks for what other processes spoke of; what somebody waits for there is wanted here, as far as it exists.
    async fn heed_others(&self) {
        let (progress, lake) = (&self.shared.progress, self.shared.info.id);
        let (head, wanted) = progress.take_told();
        if head > progress.lane().head
            && let Ok(lane) = self.shared.bus.lane(lake).await
        {
            progress.observe(lane);
        }
        let wanted = wanted.min(progress.lane().head);
        if wanted > self.watermark {
            progress.want(wanted);
        } else if let Some(signals) = self.shared.bus.signals().filter(|_| wanted > Offset::ZERO) {
            // It was published before it was asked for, or the word of it was lost.
            signals.published(lake, self.watermark);
        }
    }

    /// Reads what one read gives, and publishes it.
    async fn pass(&mut self, stop: &watch::Receiver<Stop>) -> Result<Pass, Failure> {
        let shared = self.shared;
        let limit = shared.options.read_bytes_max;
        // Asked before the read: what is appended during it is no hole.
        let head = shared.progress.lane().head;
        shared.progress.reading();
        let records = {
            let _busy = shared.watch.begin("reading the log", None);
            shared.bus.read(shared.info.id, self.watermark, limit).await?
        };
        if records.is_empty() {
            return if head > self.watermark {
                Err(Failure::Wait(format!("the log has a hole: nothing up to its head {head}")))
            } else {
                Ok(Pass::Done)
            };
        }
        self.check_dense(&records)?;
        let decoding = shared.watch.begin("decoding", None);
        failpoint::hit("commit-after-read").map_err(Failure::from)?;
        let more = records.iter().map(|r| r.body.len()).sum::<usize>() >= limit;
        let mut records = VecDeque::from(records);
        drop(decoding);
        while !records.is_empty() {
            let some = plan::next_chunk(&mut records, shared.options.publication_bytes_max);
            let steps = {
                let _busy = shared.watch.begin("decoding", None);
                self.decode(some).await?
            };
            for step in steps {
                // In the order in which lakes asked: none waits for another's backlog.
                let turn = Arc::clone(&shared.options.turns).acquire_owned().await;
                let _busy = shared.watch.begin("publishing", turn.ok());
                let started = Instant::now();
                self.publish(step).await?;
                shared.meters.publish_seconds.record(started.elapsed());
                if out_of_time(stop) || !self.leads() {
                    return Ok(Pass::Done);
                }
            }
        }
        Ok(if more { Pass::More } else { Pass::Done })
    }

    /// Plans the publications of some records. Decompressing and checking takes its time: off the runtime's workers.
    async fn decode(&self, records: Vec<StoredRecord>) -> Result<Vec<Vec<Unit>>, Failure> {
        let (watermark, bytes_max) = (self.watermark, self.shared.options.publication_bytes_max);
        tokio::task::spawn_blocking(move || {
            let units = records.iter().map(|r| Unit::decode(r, watermark)).collect();
            plan::plan(units, bytes_max)
        })
        .await
        .map_err(|e| Failure::Wait(format!("could not decode: {e}")))
    }

    /// A hole would mean that acknowledged writes are lost, or an offset was given twice: the lane stops,
    /// loudly (CO6).
    fn check_dense(&self, records: &[StoredRecord]) -> Result<(), Failure> {
        let mut expected = self.watermark.next();
        for record in records {
            let is_first = expected == self.watermark.next();
            let fits = record.first == expected || (is_first && record.first < expected);
            if !fits || record.last < expected {
                return Err(Failure::Wait(format!(
                    "the log has a hole: expected offset {expected}, found {} to {}",
                    record.first, record.last
                )));
            }
            expected = record.last.next();
        }
        Ok(())
    }

    /// The watermark is at `now`.
    pub(super) fn advance(&mut self, now: Offset) {
        self.watermark = now;
        self.backoff.reset();
        let progress = &self.shared.progress;
        let moved = now > progress.watermark();
        progress.published(now);
        if let Some(signals) = self.shared.bus.signals().filter(|_| moved) {
            signals.published(self.shared.info.id, now);
        }
        let lag = progress.lane().head.get() - now.get();
        self.shared.meters.lag.set(lag.max(0) as f64);
    }

    /// Asks the catalog where the watermark is, until it answers.
    async fn reload_watermark(&mut self) {
        loop {
            match self.shared.catalog.watermark(self.shared.info.id).await {
                Ok((watermark, _)) => return self.advance(watermark),
                Err(error) => {
                    tracing::warn!(lake = %self.shared.info.name, %error, "could not read the watermark");
                    tokio::time::sleep(self.backoff.next()).await;
                }
            }
        }
    }

    pub(super) fn report(&self, failure: &Failure) {
        self.shared.meters.publish_failures.increment(1);
        tracing::error!(lake = %self.shared.info.name, watermark = %self.watermark, %failure, "could not publish");
    }

    async fn pause(&mut self, stop: &mut watch::Receiver<Stop>) {
        let until = Instant::now() + self.backoff.next();
        let _ = timeout_at(until, stop.changed()).await;
    }

    /// Removes what is published from the log, and old keys. A failure is tried again the next time.
    async fn tidy(&mut self) {
        let shared = self.shared;
        let keep = shared.options.keep_offsets.max(0);
        if self.trimmed.elapsed() >= shared.options.trim_interval {
            self.trimmed = Instant::now();
            let through = Offset::new(self.watermark.get().saturating_sub(keep));
            if let Err(failure) = self.trim(through).await {
                tracing::warn!(lake = %shared.info.name, %failure, "could not trim the log");
            }
        }
        if self.forgot.elapsed() >= FORGET_INTERVAL {
            self.forgot = Instant::now();
            if let Err(error) = shared.bus.forget_keys(shared.info.id, shared.options.key_window).await {
                tracing::warn!(lake = %shared.info.name, %error, "could not forget old keys");
            }
        }
    }

    async fn trim(&self, through: Offset) -> Result<(), Failure> {
        failpoint::hit("trim-before")?;
        self.shared.bus.trim(self.shared.info.id, through).await?;
        failpoint::hit("trim-after")?;
        Ok(())
    }
}
