//! Staged files that somebody still needs: the sweep must not take them, however old they are.
//!
//! Within this process a claim is seen at once. Other processes on the same files see it by the files' age: whoever
//! has claims renews them, more often than the sweep's grace. An object in a bucket cannot be made younger: there each
//! process with claims keeps an object that lists them (`lake.rs`).

use std::{
    collections::BTreeSet,
    fs::{File, FileTimes},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::{
    cache::Pin,
    store::{LakeFiles, Place, blocking},
};

/// The claims of one process on one lake's files, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(Arc<Mutex<BTreeSet<String>>>);

/// Keeps a staged file from the sweep, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    path: String,
    /// Keeps the local copy of a remote file: the transaction reads what it wrote.
    held: Option<Pin>,
}

impl Claim {
    pub(crate) fn hold(&mut self, pin: Pin) {
        self.held = Some(pin);
    }
}

impl Claims {
    /// Claims a file, by its path below the data path. Names of staged files are unique, so that one claim is all.
    pub(crate) fn claim(&self, path: String) -> Claim {
        self.lock().insert(path.clone());
        Claim { claims: self.clone(), path, held: None }
    }

    /// Whether a file is claimed; one that is still being uploaded goes by the name it will have.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.lock().contains(finished(path))
    }

    /// All claimed paths.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.path);
    }
}

impl LakeFiles {
    /// Makes every claimed file as young as can be, so that no other process takes it for garbage.
    pub async fn renew_claims(&self) {
        let claimed = self.claims.all();
        if let Place::Remote(remote) = &self.place {
            if let Err(error) = remote.publish_claims(&claimed).await {
                tracing::warn!(%error, "could not renew the claims on staged files");
            }
            return;
        }
        let paths: Vec<_> = claimed.iter().filter_map(|path| self.local_path(path)).collect();
        if paths.is_empty() {
            return;
        }
        let now = match self.now().await {
            Ok(now) => now,
            Err(error) => {
                tracing::warn!(%error, "could not renew the claims on staged files");
                return;
            }
        };
        let renewed = blocking(move || {
            paths.iter().for_each(|path| renew(path, now));
            Ok(())
        });
        if let Err(error) = renewed.await {
            tracing::warn!(%error, "could not renew the claims on staged files");
        }
    }
}

/// A file that is still being uploaded gets younger by itself, with every piece; between pieces it has a name of
/// object_store's.
fn renew(path: &Path, now: DateTime<Utc>) {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push("#1");
    for path in [path.as_os_str(), &unfinished] {
        // What is not there has the other name, or is gone with its statement.
        if let Ok(file) = File::open(path) {
            let _ = file.set_times(FileTimes::new().set_modified(now.into()));
        }
    }
}

/// The name that an unfinished upload (`….parquet#1`) will have.
fn finished(path: &str) -> &str {
    path.rsplit_once('#').map_or(path, |(finished, _)| finished)
}
