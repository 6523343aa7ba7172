//! Waiting for something to become true, with an end: tests never sleep for a fixed time and hope.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Between two looks.
const STEP: Duration = Duration::from_millis(20);

/// Looks until `look` gives something.
///
/// # Panics
/// When `limit` passes first; the message names `what`.
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(STEP);
    }
}

/// As [`eventually`], for futures.
///
/// # Panics
/// When `limit` passes first.
pub async fn eventually_async<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(STEP).await;
    }
}
