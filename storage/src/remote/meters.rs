//! What a bucket counts for operators.

use metrics::{Counter, counter};

pub(crate) struct Meters {
    /// Attempts that failed and were followed by another.
    pub(crate) retries: Counter,
    /// Answers that were not what was stored: truncated, changed, or an error in the place of a file.
    pub(crate) bad_answers: Counter,
    /// Live files that are not there, or are something else: an operator must look.
    pub(crate) alarms: Counter,
    /// Uploads that nobody finished.
    pub(crate) aborted: Counter,
}

impl Meters {
    pub(crate) fn new(bucket: &str) -> Self {
        let bucket = || [("bucket", bucket.to_owned())];
        Self {
            retries: counter!("duckmesh_store_retries_total", &bucket()),
            bad_answers: counter!("duckmesh_store_bad_answers_total", &bucket()),
            alarms: counter!("duckmesh_integrity_alarms_total", &bucket()),
            aborted: counter!("duckmesh_aborted_uploads_total", &bucket()),
        }
    }
}
