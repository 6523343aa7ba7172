//! Time as an argument: nothing below the edge of the process reads a clock by itself.

use chrono::{DateTime, SubsecRound, Utc};

/// Gives the wall-clock time that is written into snapshots.
pub trait Clock: Send + Sync + 'static {
    /// Now, to the microsecond.
    fn now(&self) -> DateTime<Utc>;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
