//! The stores of a process: one client for each bucket, one cache for all lakes.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    cache::Cache,
    claims::Claims,
    error::Result,
    lake::RemoteLake,
    location::{BucketPrefix, Location, Scheme},
    probe::{self, Probed},
    remote::{Bucket, Environment, Remote},
    store::{LakeFiles, Place},
};

/// The stores of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stores {
    environment: Arc<Environment>,
    cache: Cache,
    buckets: Arc<Mutex<HashMap<(Scheme, String), Arc<Bucket>>>>,
}

impl Stores {
    /// With the variables that say how buckets are reached, and a cache of so many bytes for the files in them.
    #[must_use]
    pub fn new(environment: Environment, cache_bytes: u64) -> Self {
        Self { environment: Arc::new(environment), cache: Cache::new(cache_bytes), buckets: Arc::default() }
    }

    /// Opens a lake's data path. What of a bucket's files is on this machine is below `folder`, which is the lake's own.
    /// Blocks shortly.
    ///
    /// # Errors
    /// When there is no such place, or the environment does not say how it is reached.
    pub fn open(&self, data_path: &str, folder: &Path, lake: &str) -> Result<LakeFiles> {
        let bucket = match Location::parse(data_path)? {
            Location::Folder(_) => return LakeFiles::open(data_path),
            Location::Bucket(bucket) => bucket,
        };
        let remote = RemoteLake::open(self.remote(&bucket)?, bucket.url(), &self.cache, folder, lake)?;
        Ok(LakeFiles { place: Place::Remote(Arc::new(remote)), claims: Claims::default() })
    }

    /// Tries whether a store does what the promises need, with objects of its own that it removes again.
    ///
    /// # Errors
    /// What it does not, and what to do; the message is for an operator.
    pub async fn probe(&self, at: &BucketPrefix) -> Result<Probed> {
        probe::probe(&self.remote(at)?, &at.url()).await
    }

    fn remote(&self, at: &BucketPrefix) -> Result<Remote> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (at.scheme, at.bucket.clone());
        let bucket = match buckets.get(&key) {
            Some(bucket) => Arc::clone(bucket),
            None => {
                let bucket = Arc::new(Bucket::open(at, Arc::clone(&self.environment))?);
                buckets.insert(key, Arc::clone(&bucket));
                bucket
            }
        };
        Ok(Remote::new(bucket, &at.prefix))
    }
}
