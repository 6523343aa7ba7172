//! What a lake's log counts for operators.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles are made once: the hot path only adds.
pub(crate) struct Meters {
    pub(crate) frames: Counter,
    pub(crate) rows: Counter,
    pub(crate) bytes: Counter,
    pub(crate) refused: Counter,
    pub(crate) group_writes: Histogram,
    pub(crate) append_seconds: Histogram,
    pub(crate) publish_seconds: Histogram,
    pub(crate) publications: Counter,
    pub(crate) publish_failures: Counter,
    pub(crate) abandoned: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) swept: Counter,
    pub(crate) merges: Counter,
    pub(crate) merged_files: Counter,
    pub(crate) deleted: Counter,
    pub(crate) lag: Gauge,
    pub(crate) leader: Gauge,
}

impl Meters {
    pub(crate) fn new(lake: &str) -> Self {
        let lake = || [("lake", lake.to_owned())];
        Self {
            frames: counter!("duckmesh_appended_frames_total", &lake()),
            rows: counter!("duckmesh_appended_rows_total", &lake()),
            bytes: counter!("duckmesh_appended_bytes_total", &lake()),
            refused: counter!("duckmesh_refused_writes_total", &lake()),
            group_writes: histogram!("duckmesh_group_writes", &lake()),
            append_seconds: histogram!("duckmesh_append_seconds", &lake()),
            publish_seconds: histogram!("duckmesh_publish_seconds", &lake()),
            publications: counter!("duckmesh_publications_total", &lake()),
            publish_failures: counter!("duckmesh_publish_failures_total", &lake()),
            abandoned: counter!("duckmesh_abandoned_publications_total", &lake()),
            dead_letters: counter!("duckmesh_dead_letters_total", &lake()),
            swept: counter!("duckmesh_swept_files_total", &lake()),
            merges: counter!("duckmesh_merges_total", &lake()),
            merged_files: counter!("duckmesh_merged_files_total", &lake()),
            deleted: counter!("duckmesh_deleted_files_total", &lake()),
            lag: gauge!("duckmesh_watermark_lag_frames", &lake()),
            leader: gauge!("duckmesh_coordinator_leader", &lake()),
        }
    }
}
