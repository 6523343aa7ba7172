//! Every limit and interval of a lake's log, in one place.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

/// Publications at once, where nobody says how many.
const PUBLICATIONS_MAX: usize = 8;

/// Bytes in the queues of all lakes, where nobody says how many.
const QUEUE_BYTES_ALL: u64 = 256 << 20;
/// What the queues are measured in.
pub const QUEUE_UNIT_BYTES: usize = 1024;

/// Room for so many bytes in the queues of all lakes.
#[must_use]
pub fn queue_room(bytes: u64) -> Arc<Semaphore> {
    let units = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(QUEUE_UNIT_BYTES);
    Arc::new(Semaphore::new(units.clamp(1, u32::MAX as usize).min(Semaphore::MAX_PERMITS)))
}

/// How a lease is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKeeping {
    /// The lake competes for it, and renews it while it publishes.
    Renewed,
    /// It is taken when [`crate::Lake::lead`] says so, and holds as long as the owner lives, which somebody else tells the
    /// catalog for all lakes together.
    WhileAlive,
}

/// How one lake gathers, keeps and publishes writes. The defaults are for a machine of a few gigabytes.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// Who holds the lease: unique to this process, for as long as several may publish. Where a file lock lets
    /// only one run (the embedded server), a name that stays: a restart after a crash takes over at once, not
    /// after the old lease's end.
    pub owner: String,
    /// How long rows wait for company before they are published, when nobody waits for them.
    pub commit_interval: Duration,
    /// Unpublished bytes (as stored in the log) that are published without waiting for the interval.
    pub commit_bytes: u64,
    /// Bytes read from the log at once; also bounds what a publication holds in memory, times compression.
    pub read_bytes_max: usize,
    /// Arrow bytes of one publication; a single record may be larger.
    pub publication_bytes_max: usize,
    /// How long the lease lives without being renewed.
    pub lease_ttl: Duration,
    /// How the lease is kept.
    pub lease: LeaseKeeping,
    /// Whether whoever publishes also merges and sweeps.
    pub maintains: bool,
    /// Whether somebody says by [`crate::Lake::observe`] what others append: then nobody looks by a timer of the lake's own.
    pub told: bool,
    /// Publications that a process makes at once, of all its lakes: each lake waits for its turn.
    pub turns: Arc<Semaphore>,
    /// What reads, encodes and publishes may take without a step forward; longer than the slowest upload of
    /// `publication_bytes_max`. Then it hangs, and the lease is given up.
    pub publication_deadline: Duration,
    /// Tries of a publication that cannot be encoded, before it is split and at last rejected.
    pub attempts_max: u32,
    /// How a non-leader learns of the watermark while somebody waits here, and a leader of other processes' appends.
    pub poll_interval: Duration,
    /// Size of one write in memory; larger ones must be staged as files.
    pub write_bytes_max: usize,
    /// Writes in one group.
    pub group_writes_max: usize,
    /// Bytes in memory of one group; a single write may be larger.
    pub group_bytes_max: usize,
    /// Writes that wait for a group.
    pub queue_writes_max: usize,
    /// Bytes in memory of the writes that wait for a group or are in one.
    pub queue_bytes_max: usize,
    /// Units of [`QUEUE_UNIT_BYTES`] that all lakes of a process may have in their queues together.
    pub queue_room: Arc<Semaphore>,
    /// Offsets of the log that may wait for publication; then writers wait too, and are refused.
    pub lag_max: i64,
    /// How long a write waits for a place in the queue.
    pub queue_wait_max: Duration,
    /// Published offsets that stay in the log.
    pub keep_offsets: i64,
    /// How often the log is trimmed behind the watermark: a trim costs a commit, so not for every publication.
    pub trim_interval: Duration,
    /// How long idempotency keys are remembered.
    pub key_window: Duration,
    /// How old a file must be that nothing refers to, before it is deleted. Every process that writes the lake must
    /// have the same.
    pub sweep_grace: Duration,
    /// Whether small files of a table are merged.
    pub merge_files: bool,
    /// How long snapshots are kept that are not the newest; none is for ever.
    pub retention: Option<Duration>,
    /// How long files stay that were merged into another: statements of other processes may still read them.
    pub merge_grace: Duration,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            owner: format!("pid-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
            commit_interval: Duration::from_secs(1),
            commit_bytes: 32 << 20,
            read_bytes_max: 16 << 20,
            publication_bytes_max: 64 << 20,
            lease_ttl: Duration::from_secs(10),
            lease: LeaseKeeping::Renewed,
            maintains: true,
            told: false,
            turns: Arc::new(Semaphore::new(PUBLICATIONS_MAX)),
            publication_deadline: Duration::from_secs(300),
            attempts_max: 3,
            poll_interval: Duration::from_millis(50),
            write_bytes_max: 32 << 20,
            group_writes_max: 4096,
            group_bytes_max: 8 << 20,
            queue_writes_max: 16_384,
            queue_bytes_max: 128 << 20,
            queue_room: queue_room(QUEUE_BYTES_ALL),
            lag_max: 1_000_000,
            queue_wait_max: Duration::from_secs(15),
            keep_offsets: 0,
            trim_interval: Duration::from_secs(10),
            key_window: Duration::from_secs(25 * 3600),
            sweep_grace: Duration::from_secs(3600),
            merge_files: true,
            retention: None,
            merge_grace: Duration::from_secs(3600),
        }
    }
}
