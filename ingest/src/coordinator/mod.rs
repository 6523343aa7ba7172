//! The coordinator of a lake: one at a time, by lease and epoch, turns the log into published snapshots.
//!
//! The watermark in the catalog is the only state: whatever happens, the next coordinator reads it and goes on
//! from there.

mod cleanup;
mod commit;
pub(crate) mod merge;
mod plan;
mod poison;
mod recover;
mod sweep;
mod tiers;
pub(crate) mod watchdog;
mod work;

use std::{sync::Arc, time::Duration};

use duckmesh_catalog::{ErrorKind, leases::Lease};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    lake::{Shared, Stop},
    options::LeaseKeeping,
};

/// A lease is renewed this often in its life, so that two lost renewals do no harm.
const RENEWALS_PER_TTL: u32 = 3;
/// How long giving back the lease may take.
const RELEASE_WAIT: Duration = Duration::from_secs(1);
/// Pause after a fenced term, so that two processes do not take the lease from each other in a spin.
const FENCED_PAUSE: Duration = Duration::from_millis(200);

/// As good as never.
const FAR: Duration = Duration::from_secs(3600);

/// Why a term as leader ended.
#[derive(Debug)]
enum End {
    /// The lake is being closed, and what could be published is.
    Stopped,
    /// Another epoch publishes.
    Fenced,
    /// Another process is to publish.
    HandedOver,
}

/// Runs until the lake stops.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    let options = &shared.options;
    let retry = options.lease_ttl / RENEWALS_PER_TTL;
    while !is_over(&mut stop) {
        if !*shared.lead.borrow() {
            if *stop.borrow() != Stop::No {
                return;
            }
            standby(&shared, &mut stop, None).await;
            continue;
        }
        match acquire(&shared).await {
            Ok(Some(lease)) => {
                tracing::info!(lake = %shared.info.name, epoch = %lease.epoch, "publishing");
                shared.meters.leader.set(1.0);
                let end = {
                    let _leading = Leading::begin(&shared, &lease);
                    lead(&shared, &lease, &mut stop).await
                };
                shared.meters.leader.set(0.0);
                match end {
                    End::Stopped => return release(&shared, &lease).await,
                    End::HandedOver => release(&shared, &lease).await,
                    End::Fenced => {
                        tracing::warn!(lake = %shared.info.name, epoch = %lease.epoch, "fenced: another epoch publishes");
                        standby(&shared, &mut stop, Some(FENCED_PAUSE)).await;
                    }
                }
            }
            // Another one publishes, and will publish what this process leaves in the log.
            Ok(None) if *stop.borrow() != Stop::No => return,
            Ok(None) => standby(&shared, &mut stop, Some(retry)).await,
            Err(error) => {
                tracing::warn!(lake = %shared.info.name, %error, "could not ask for the lease");
                standby(&shared, &mut stop, Some(retry.min(Duration::from_secs(1)))).await;
            }
        }
    }
}

async fn acquire(shared: &Shared) -> duckmesh_catalog::catalog::Result<Option<Lease>> {
    let (lake, options) = (shared.info.id, &shared.options);
    match options.lease {
        LeaseKeeping::Renewed => shared.catalog.acquire_lease(lake, &options.owner, options.lease_ttl).await,
        LeaseKeeping::WhileAlive => shared.catalog.acquire_lease_while_alive(lake, &options.owner).await,
    }
}

async fn release(shared: &Shared, lease: &Lease) {
    let release = shared.catalog.release_lease(lease);
    if !matches!(timeout(RELEASE_WAIT, release).await, Ok(Ok(()))) {
        tracing::info!(lake = %shared.info.name, "the lease is left to expire");
    }
}

/// Says that this process publishes, for as long as it does, however that ends.
struct Leading<'a> {
    shared: &'a Shared,
    term: u64,
}

impl<'a> Leading<'a> {
    fn begin(shared: &'a Shared, lease: &Lease) -> Self {
        let term = shared.watch.enter(lease);
        shared.leading.send_replace(true);
        Self { shared, term }
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        // A term that was given up ends when it can: then another one may be there.
        if self.shared.watch.leave(self.term) {
            self.shared.leading.send_replace(false);
        }
    }
}

/// Merges and sweeps what another process publishes, while this one is told to. Ends with the lake.
pub(crate) async fn maintain(shared: Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    let mut on = shared.maintain.subscribe();
    let mut leading = shared.leading.subscribe();
    let upkeep = async {
        loop {
            if on.wait_for(|on| *on).await.is_err() || leading.wait_for(|leading| !*leading).await.is_err() {
                return;
            }
            tokio::select! {
                _ = on.wait_for(|on| !*on) => {}
                // Whoever publishes does it beside.
                _ = leading.wait_for(|leading| *leading), if shared.options.maintains => {}
                never = sweep::run(&shared) => match never {},
                never = merge::run(&shared, None) => match never {},
                never = cleanup::run(&shared) => match never {},
            }
        }
    };
    tokio::select! {
        () = upkeep => {}
        _ = stop.wait_for(|stop| *stop != Stop::No) => {}
    }
}

/// Publishes while the lease holds. Renewal runs beside the work: a long upload must not cost the lease.
async fn lead(shared: &Arc<Shared>, lease: &Lease, stop: &mut watch::Receiver<Stop>) -> End {
    let maintains = shared.options.maintains;
    tokio::select! {
        end = work::run(shared, lease, stop) => end,
        () = renew(shared, lease) => End::Fenced,
        never = watchdog::beat(shared) => match never {},
        never = sweep::run(shared), if maintains => match never {},
        never = merge::run(shared, Some(lease)), if maintains => match never {},
        never = cleanup::run(shared), if maintains => match never {},
    }
}

/// Renews by the monotonic timer; ends when another epoch has begun.
async fn renew(shared: &Shared, lease: &Lease) {
    if shared.options.lease == LeaseKeeping::WhileAlive {
        // Kept with all that this process has.
        std::future::pending::<()>().await;
    }
    let ttl = shared.options.lease_ttl;
    let mut pause = ttl / RENEWALS_PER_TTL;
    loop {
        sleep(pause).await;
        pause = match shared.catalog.renew_lease(lease, ttl).await {
            Ok(()) => ttl / RENEWALS_PER_TTL,
            Err(e) if e.kind() == ErrorKind::Fenced => return,
            Err(error) => {
                tracing::warn!(lake = %shared.info.name, %error, "could not renew the lease");
                ttl / (RENEWALS_PER_TTL * 4)
            }
        };
    }
}

/// While another process publishes: waits before the next try for the lease, and learns the watermark for those who
/// wait here. It is asked for only while somebody waits: when somebody begins to, when the other process says that it
/// published, and by timer, which is slow while what others say is heard.
async fn standby(shared: &Shared, stop: &mut watch::Receiver<Stop>, pause: Option<Duration>) {
    let until = pause.map(|pause| Instant::now() + pause);
    let mut lead = shared.lead.subscribe();
    if until.is_none() && *lead.borrow_and_update() {
        return;
    }
    // Kept while others wake: a stream of writers must not put it off.
    let mut look = None;
    loop {
        let at = match shared.progress.is_wanted() {
            true => *look.get_or_insert_with(|| Instant::now() + shared.look_interval()),
            false => until.unwrap_or_else(|| Instant::now() + FAR),
        };
        tokio::select! {
            () = sleep_until(until.map_or(at, |until| at.min(until))) => look = None,
            () = shared.progress.woken() => if !shared.progress.take_hint() {
                continue;
            },
            _ = stop.changed() => return,
            _ = lead.changed() => return,
        }
        if shared.progress.is_wanted()
            && let Ok((watermark, _)) = shared.catalog.watermark(shared.info.id).await
        {
            shared.progress.published(watermark);
        }
        // The leader reads what is pending here: only it can say when.
        shared.progress.reading();
        if until.is_some_and(|until| Instant::now() >= until) {
            return;
        }
    }
}

/// Whether the drain's time is over, or the lake is gone.
fn is_over(stop: &mut watch::Receiver<Stop>) -> bool {
    let gone = stop.has_changed().is_err();
    gone || match *stop.borrow_and_update() {
        Stop::No => false,
        Stop::Drain(until) => Instant::now() >= until,
    }
}
