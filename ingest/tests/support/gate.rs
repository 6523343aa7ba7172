//! A log that can be held, and made to fail, in front of a real one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use duckmesh_catalog::{LakeId, Offset};
use duckmesh_ingest::{
    Bus, BusError, BusErrorKind,
    bus::{AppendOutcome, LaneState, NewRecord, StoredRecord},
};
use tokio::sync::Semaphore;

/// Lets as many appends through as it has permits, and fails those it was told to.
pub struct GatedBus {
    inner: Arc<dyn Bus>,
    pub gate: Semaphore,
    /// Sizes of the groups that came, in offsets.
    pub groups: Mutex<Vec<u32>>,
    /// The next append's failure.
    pub failure: Mutex<Option<BusErrorKind>>,
}

impl GatedBus {
    pub fn new(inner: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { inner, gate: Semaphore::new(0), groups: Mutex::default(), failure: Mutex::default() })
    }

    pub fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

#[async_trait]
impl Bus for GatedBus {
    async fn append(&self, lake: LakeId, records: Vec<NewRecord>) -> Result<Vec<AppendOutcome>, BusError> {
        let offsets = records.iter().map(|r| r.offsets).sum();
        self.groups.lock().unwrap().push(offsets);
        self.gate.acquire().await.unwrap().forget();
        if let Some(kind) = self.failure.lock().unwrap().take() {
            return Err(BusError::new(kind, "as told"));
        }
        self.inner.append(lake, records).await
    }

    async fn open_lane(&self, lake: LakeId) -> Result<LaneState, BusError> {
        self.inner.open_lane(lake).await
    }

    async fn read(&self, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>, BusError> {
        self.inner.read(lake, after, bytes_max).await
    }

    async fn lane(&self, lake: LakeId) -> Result<LaneState, BusError> {
        self.inner.lane(lake).await
    }

    async fn trim(&self, lake: LakeId, watermark: Offset) -> Result<u64, BusError> {
        self.inner.trim(lake, watermark).await
    }

    async fn recorded(&self, lake: LakeId, key: &str) -> Result<Option<Offset>, BusError> {
        self.inner.recorded(lake, key).await
    }

    async fn forget_keys(&self, lake: LakeId, window: Duration) -> Result<u64, BusError> {
        self.inner.forget_keys(lake, window).await
    }

    async fn drop_lane(&self, lake: LakeId) -> Result<(), BusError> {
        self.inner.drop_lane(lake).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}
