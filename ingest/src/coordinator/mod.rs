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
mod work;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use duckmesh_catalog::{ErrorKind, leases::Lease};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::lake::{Shared, Stop};

/// A lease is renewed this often in its life, so that two lost renewals do no harm.
const RENEWALS_PER_TTL: u32 = 3;
/// How long giving back the lease may take.
const RELEASE_WAIT: Duration = Duration::from_secs(1);
/// Pause after a fenced term, so that two processes do not take the lease from each other in a spin.
const FENCED_PAUSE: Duration = Duration::from_millis(200);

/// Why a term as leader ended.
#[derive(Debug)]
enum End {
    /// The lake is being closed, and what could be published is.
    Stopped,
    /// Another epoch publishes.
    Fenced,
}

/// Runs until the lake stops.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<Stop>) {
    let (lake, options) = (shared.info.id, &shared.options);
    let retry = options.lease_ttl / RENEWALS_PER_TTL;
    while !is_over(&mut stop) {
        match shared.catalog.acquire_lease(lake, &options.owner, options.lease_ttl).await {
            Ok(Some(lease)) => {
                tracing::info!(lake = %shared.info.name, epoch = %lease.epoch, "publishing");
                shared.meters.leader.set(1.0);
                shared.leading.store(true, Ordering::Release);
                let end = lead(&shared, &lease, &mut stop).await;
                shared.leading.store(false, Ordering::Release);
                shared.meters.leader.set(0.0);
                match end {
                    End::Stopped => {
                        let release = shared.catalog.release_lease(&lease);
                        if !matches!(timeout(RELEASE_WAIT, release).await, Ok(Ok(()))) {
                            tracing::info!(lake = %shared.info.name, "the lease is left to expire");
                        }
                        return;
                    }
                    End::Fenced => {
                        tracing::warn!(lake = %shared.info.name, epoch = %lease.epoch, "fenced: another epoch publishes");
                        standby(&shared, &mut stop, FENCED_PAUSE).await;
                    }
                }
            }
            // Another one publishes, and will publish what this process leaves in the log.
            Ok(None) if *stop.borrow() != Stop::No => return,
            Ok(None) => standby(&shared, &mut stop, retry).await,
            Err(error) => {
                tracing::warn!(lake = %shared.info.name, %error, "could not ask for the lease");
                standby(&shared, &mut stop, retry.min(Duration::from_secs(1))).await;
            }
        }
    }
}

/// Publishes while the lease holds. Renewal runs beside the work: a long upload must not cost the lease.
async fn lead(shared: &Arc<Shared>, lease: &Lease, stop: &mut watch::Receiver<Stop>) -> End {
    tokio::select! {
        end = work::run(shared, lease, stop) => end,
        () = renew(shared, lease) => End::Fenced,
        never = sweep::run(shared) => match never {},
        never = merge::run(shared, lease) => match never {},
        never = cleanup::run(shared) => match never {},
    }
}

/// Renews by the monotonic timer; ends when another epoch has begun.
async fn renew(shared: &Shared, lease: &Lease) {
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
async fn standby(shared: &Shared, stop: &mut watch::Receiver<Stop>, pause: Duration) {
    let until = Instant::now() + pause;
    // Kept while others wake: a stream of writers must not put it off.
    let mut look = None;
    loop {
        let at = match shared.progress.is_wanted() {
            true => *look.get_or_insert_with(|| Instant::now() + shared.look_interval()),
            false => until,
        };
        tokio::select! {
            () = sleep_until(at.min(until)) => look = None,
            () = shared.progress.woken() => if !shared.progress.take_hint() {
                continue;
            },
            _ = stop.changed() => return,
        }
        if shared.progress.is_wanted()
            && let Ok((watermark, _)) = shared.catalog.watermark(shared.info.id).await
        {
            shared.progress.published(watermark);
        }
        // The leader reads what is pending here: only it can say when.
        shared.progress.reading();
        if Instant::now() >= until {
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
