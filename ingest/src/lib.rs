//! The kitchen: orders on a numbered roll. Frames, the durable log and its backends, group commit, the coordinator.
//!
//! This crate knows writes, offsets, lanes and leases. It must never know about the wire protocol, DuckDB or a SQL
//! parser. Its one invariant: an acknowledgement is given only after [`bus::Bus::append`] returned an offset.

pub mod bus;
mod coordinator;
pub mod error;
pub mod frame;
mod gates;
mod lake;
mod meters;
pub mod options;
mod progress;
mod publish;
mod readers;
mod signals;

pub use bus::{
    Bus,
    postgres::{PostgresBus, PostgresBusOptions},
    sqlite::SqliteBus,
};
pub use error::{AppendError, AppendErrorKind, BusError, BusErrorKind, OpenError, WaitError};
pub use frame::{IdempotencyKey, Part, Validated, Write};
pub use gates::Hold;
pub use lake::{Appended, Lake};
pub use options::{LakeOptions, LeaseKeeping, queue_room};
pub use readers::{Kept, Reading, SnapshotPin};
pub use signals::{Heard, Signals};
