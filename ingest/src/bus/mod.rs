//! The log behind one trait: durable, ordered, dense; every backend passes the suite in [`conformance`].

pub mod conformance;
pub mod postgres;
pub mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use duckmesh_catalog::{LakeId, Offset};

use crate::{error::BusError, frame::IdempotencyKey, signals::Signals};

/// A durable log with one lane per lake. What it promises, each sentence tested by [`conformance`]:
///
/// - **Durable on return.** When `append` returned `Appended`, the record survives the loss of this process.
/// - **Dense.** Offsets start at 1. Whatever number of writers there is, on any number of processes, a record
///   begins at the offset behind the record before it: if offset n can be read, so can every offset below it
///   that was not trimmed.
/// - **Nothing partially.** A record is in the log with all its offsets and all its keys, or not at all.
/// - **Stale is refused.** A record made for another `ddl_offset` than the lane's is refused, decided in the
///   statement or transaction that gives the offsets.
/// - **Given up is refused.** Where several processes share the log, a record that names a file which was given up is
///   refused, in the same way.
/// - **Moved is refused.** A record with a `head_max` is refused, in the same way, when the lane's head is above it.
/// - **Once.** Keys are recorded in the transaction that appends the record. A record with a key that was
///   recorded before is refused whole, and every such key is named with its first offset and whether the
///   payload is the same.
/// - **Neighbours are not harmed.** A refused record does not keep the others of the same call out of the log.
/// - **Reading while appending.** A read sees whole records only and never waits for writers.
/// - **Trim stops at the watermark.** `trim` removes no record that covers an offset above the one given.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Makes the lane of a lake if there is none, and says where it stands.
    async fn open_lane(&self, lake: LakeId) -> Result<LaneState, BusError>;

    /// Appends records in order, each on its own merits, in one commit. One outcome per record.
    ///
    /// An error means that nothing was appended, except [`crate::BusErrorKind::Unknown`]: then all that would
    /// have been accepted is in the log, or nothing is.
    async fn append(&self, lake: LakeId, records: Vec<NewRecord>) -> Result<Vec<AppendOutcome>, BusError>;

    /// Records that cover offsets above `after`, in order, up to about `bytes_max` of bodies; at least one if
    /// there is one. The first may begin at or below `after`.
    async fn read(&self, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>, BusError>;

    /// Where the lane stands: everything acknowledged before the call is at or below `head`.
    async fn lane(&self, lake: LakeId) -> Result<LaneState, BusError>;

    /// Removes records that end at or below `watermark`. Gives how many.
    async fn trim(&self, lake: LakeId, watermark: Offset) -> Result<u64, BusError>;

    /// The offset of the write that an idempotency key was recorded with; none if it is not recorded.
    async fn recorded(&self, lake: LakeId, key: &str) -> Result<Option<Offset>, BusError>;

    /// How long the oldest record above `after` has been in the log, in seconds by the store's clock; none where there is
    /// none, or the store does not know.
    async fn oldest_age(&self, _lake: LakeId, _after: Offset) -> Result<Option<f64>, BusError> {
        Ok(None)
    }

    /// Forgets idempotency keys that are older than `window` by the store's clock. Gives how many.
    async fn forget_keys(&self, lake: LakeId, window: Duration) -> Result<u64, BusError>;

    /// From now on no record may name these files, and nobody's that is on its way: gives where the lane stands behind the
    /// last one that might. A log of one process needs no list: there claims say exactly which files are still needed.
    async fn give_up(&self, lake: LakeId, _files: &[String]) -> Result<LaneState, BusError> {
        self.lane(lake).await
    }

    /// Removes the lane with everything in it.
    async fn drop_lane(&self, lake: LakeId) -> Result<(), BusError>;

    /// Whether other processes may append to the same lanes.
    fn is_shared(&self) -> bool;

    /// How processes that share the log wake each other; none where it is not shared.
    fn signals(&self) -> Option<&Signals> {
        None
    }
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    /// The highest offset given; 0 for none.
    pub head: Offset,
    /// The offset of the last DDL frame; 0 for none.
    pub ddl_offset: Offset,
}

/// A record to append.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// How many offsets it takes; at least 1.
    pub offsets: u32,
    /// The `ddl_offset` it was made for.
    pub made_for: Offset,
    /// Whether it has DDL: then it takes one offset, and the lane's `ddl_offset` becomes that.
    pub ddl: bool,
    /// Refused when the lane's head is above this.
    pub head_max: Option<Offset>,
    /// Names of the files that it has instead of rows.
    pub files: Vec<String>,
    /// Keys of its frames.
    pub keys: Vec<RecordKey>,
    /// The bytes.
    pub body: Bytes,
}

impl NewRecord {
    /// Whether nothing but the schema decides if it is appended.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.keys.is_empty() && self.head_max.is_none() && self.files.is_empty()
    }
}

/// The idempotency key of one of a record's frames.
#[derive(Clone, Debug)]
pub struct RecordKey {
    /// Which of the record's offsets, from 0.
    pub index: u32,
    /// The key.
    pub key: IdempotencyKey,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is in the log.
    Appended {
        /// The offset of its first frame.
        first: Offset,
    },
    /// It was made for another schema; nothing of it is in the log.
    Stale {
        /// The lane's `ddl_offset`.
        current: Offset,
    },
    /// The lane's head is above its `head_max`; nothing of it is in the log.
    Moved,
    /// A file that it names was given up; nothing of it is in the log.
    GivenUp,
    /// It has keys that were seen before; nothing of it is in the log.
    KeysSeen(Vec<SeenKey>),
}

/// A key that was recorded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenKey {
    /// Which of the record's offsets, from 0.
    pub index: u32,
    /// The offset that the key's first write got.
    pub first: Offset,
    /// Whether that write had the same payload.
    pub same_payload: bool,
}

/// A record in the log.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// The first offset it covers.
    pub first: Offset,
    /// The last offset it covers.
    pub last: Offset,
    /// Whether it has DDL.
    pub ddl: bool,
    /// The bytes.
    pub body: Bytes,
}

/// Failpoints stand on both sides of a backend's commit; an error injected there is one of a lost connection.
pub(crate) fn failpoint(name: &'static str, kind: crate::BusErrorKind) -> Result<(), BusError> {
    duckmesh_catalog::failpoint::hit(name).map_err(|e| BusError::new(kind, format!("failpoint {name}: {e}")))
}
