//! One operation on a bucket, tried until it succeeds, fails for good, or its time is over.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{Remote, build::Clients};

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an attempt may take that moves no bytes worth mentioning.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// What an attempt gets beside that, for its bytes: what is slower is broken off and tried again.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 512 << 10;
/// No attempt but the second begins later than this after the first: less than a shared lake's lease, so that a coordinator that
/// cannot reach the store says so before others wonder about it.
pub const RETRY_BUDGET: Duration = Duration::from_secs(4);
/// So many attempts are made whatever they took: one that crawled says nothing of the next.
const ATTEMPTS_MIN: u32 = 2;
/// The pause before the second attempt; then twice that, and so on.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(800);
/// Attempts with credentials that were refused: the first, and those with credentials read anew.
const REFUSALS_MAX: u32 = 3;

impl Remote {
    /// Runs an operation that moves so many bytes. A lost answer is an attempt that failed: what is tried must know
    /// what it means that an earlier attempt may have succeeded.
    pub(crate) async fn attempts<T, F>(
        &self,
        doing: &'static str,
        bytes: u64,
        mut attempt: impl FnMut(Clients) -> F,
    ) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let limit = ATTEMPT_TIMEOUT + Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST_BYTES_PER_SECOND);
        let began = Instant::now();
        let (mut pause, mut refusals, mut attempts) = (PAUSE_FIRST, 0, 0);
        loop {
            attempts += 1;
            let (clients, generation) = self.bucket.clients();
            let error = match timeout(limit, attempt(clients)).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => error,
                Err(_) => too_slow(doing, limit),
            };
            if is_refused(&error) {
                refusals += 1;
                self.bucket.renew(generation);
            }
            let is_late = began.elapsed() + pause > RETRY_BUDGET && attempts >= ATTEMPTS_MIN;
            if is_final(&error) || refusals >= REFUSALS_MAX || is_late {
                return Err(error);
            }
            self.bucket.meters.retries.increment(1);
            tracing::info!(doing, error = %brief(&error), "the store failed; trying again");
            sleep(jittered(pause, began)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Trying again would end the same way.
fn is_final(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(
        error,
        E::NotFound { .. }
            | E::AlreadyExists { .. }
            | E::Precondition { .. }
            | E::NotModified { .. }
            | E::InvalidPath { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::UnknownConfigurationKey { .. }
    )
}

fn is_refused(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })
}

fn too_slow(doing: &str, limit: Duration) -> object_store::Error {
    let why = format!("could not {doing} within {:.1} s", limit.as_secs_f64());
    object_store::Error::Generic { store: "bucket", source: why.into() }
}

/// The first line: bodies of error pages do not belong in a log.
fn brief(error: &object_store::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

/// Between half of a pause and all of it, so that those who failed together do not come back together. The clock's own
/// last digits are random enough.
fn jittered(pause: Duration, began: Instant) -> Duration {
    let noise = f64::from(began.elapsed().subsec_nanos() % 1000) / 1000.0;
    pause.mul_f64(0.5 + noise / 2.0)
}
