//! A start that waits for what is not there yet: everything of a deployment may be started at once.
//!
//! Only for what cannot be reached. What answers, and cannot do what is needed, is refused at once.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{session::Readiness, wire::PgError};

/// Pauses between tries.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// An error that may be another one later.
pub(super) trait MayPass: fmt::Display {
    /// Whether trying again may help, with nothing done by an operator.
    fn may_pass(&self) -> bool;
}

impl MayPass for duckmesh_catalog::Error {
    fn may_pass(&self) -> bool {
        use duckmesh_catalog::ErrorKind as Kind;
        // A handshake that TLS refuses is the connection's end, and the next one ends the same way.
        let is_refusal = self.failure().is_some_and(|failure| failure.code().is_none() && !failure.is_passing());
        matches!(self.kind(), Kind::Retry | Kind::Unknown) && !is_refusal
    }
}

impl MayPass for duckmesh_storage::Error {
    fn may_pass(&self) -> bool {
        self.may_pass()
    }
}

impl MayPass for PgError {
    fn may_pass(&self) -> bool {
        ["08", "57P"].iter().any(|class| self.code().0.starts_with(class))
    }
}

impl MayPass for anyhow::Error {
    fn may_pass(&self) -> bool {
        let is_passing = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<PgError>().is_some_and(MayPass::may_pass)
                || cause.downcast_ref::<duckmesh_catalog::Error>().is_some_and(MayPass::may_pass)
        };
        self.chain().any(is_passing)
    }
}

/// How long a start waits, for all that it waits for together.
pub(super) struct Waiting {
    readiness: Arc<Readiness>,
    end: Instant,
}

impl Waiting {
    pub(super) fn new(readiness: Arc<Readiness>, limit: Duration) -> Self {
        Self { readiness, end: Instant::now() + limit }
    }

    /// Tries until it succeeds, fails for good, or the time is over: at least once.
    pub(super) async fn until<T, E: MayPass>(
        &self,
        what: &str,
        attempt: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, E> {
        self.readiness.waits_for(what);
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let left = self.end.saturating_duration_since(Instant::now());
            if !error.may_pass() || left.is_zero() {
                return Err(error);
            }
            tracing::warn!(%error, "the start waits for {what}, {} s at most", left.as_secs());
            self.readiness.waits_for(format!("{what}: {error}"));
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::wire::SqlState;

    async fn tries(state: SqlState, succeeds_at: u32, limit: Duration) -> (bool, u32) {
        let tries = AtomicU32::new(0);
        let waiting = Waiting::new(Arc::default(), limit);
        let done = waiting
            .until("a test", async || match tries.fetch_add(1, Ordering::Relaxed) + 1 {
                n if n == succeeds_at => Ok(()),
                _ => Err(PgError::new(state, "no")),
            })
            .await;
        (done.is_ok(), tries.into_inner())
    }

    #[tokio::test]
    async fn what_may_pass_is_waited_for_and_nothing_else() {
        let long = Duration::from_secs(60);
        assert_eq!(tries(SqlState::CONNECTION_FAILURE, 3, long).await, (true, 3));
        assert_eq!(tries(SqlState::CANNOT_CONNECT_NOW, 2, long).await, (true, 2));
        assert_eq!(tries(SqlState::FEATURE_NOT_SUPPORTED, 2, long).await, (false, 1));
        assert_eq!(tries(SqlState::CONNECTION_FAILURE, 2, Duration::ZERO).await, (false, 1));
        let (done, tried) = tries(SqlState::CONNECTION_FAILURE, 1000, PAUSE_FIRST * 2).await;
        assert!(!done && (2..10).contains(&tried), "{tried}");
    }
}
