//! What to do about a failure: stop, read the watermark again, wait, or find the record that cannot be applied.

use std::{fmt, time::Duration};

use duckmesh_catalog::ErrorKind;

use crate::error::BusError;

/// Why a publication did not happen, by what to do.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Another epoch publishes: stop.
    Fenced,
    /// The watermark may be another one: read it, and go on from there.
    Reload,
    /// A store cannot now (down, full, read-only): try again, for ever. Never the fault of a record.
    Wait(String),
    /// Something in it cannot be applied: try a few times, then find out which record it is.
    Unappliable(String),
    /// It can never be applied (a refused DDL): reject it now.
    Refused(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("another epoch publishes"),
            Self::Reload => f.write_str("the watermark moved"),
            Self::Wait(why) | Self::Unappliable(why) | Self::Refused(why) => f.write_str(why),
        }
    }
}

impl From<duckmesh_catalog::Error> for Failure {
    fn from(error: duckmesh_catalog::Error) -> Self {
        match error.kind() {
            ErrorKind::Fenced => Self::Fenced,
            // Unknown: our own commit may have succeeded, and only its answer was lost.
            ErrorKind::WatermarkMoved | ErrorKind::Unknown => Self::Reload,
            ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Invalid => Self::Unappliable(error.to_string()),
            _ => Self::Wait(error.to_string()),
        }
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        Self::Wait(error.to_string())
    }
}

/// Growing pauses between tries.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(20);
    const MAX: Duration = Duration::from_secs(5);

    pub(super) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(Self::MAX);
        pause
    }

    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}
