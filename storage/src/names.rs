//! Names of objects, and the paths they have below a lake's folder.

use duckmesh_catalog::Offset;
use object_store::path::{Path, PathPart};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};

/// What all files written here begin with: only these are ever swept.
const PREFIX: &str = "duckmesh-";
/// Hex digits of the content's SHA-256 in a name.
const HASH_DIGITS: usize = 24;

/// From what a part's name is made, besides its content. A retry of the same work gives the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameSeed {
    first: Offset,
    part: u32,
}

impl NameSeed {
    /// Of the part-th file (from 0) that starts with rows of the frame at `first`.
    #[must_use]
    pub const fn new(first: Offset, part: u32) -> Self {
        Self { first, part }
    }

    /// The name of a file with this content.
    pub(crate) fn name(self, sha256: &str) -> String {
        let hash = sha256.get(..HASH_DIGITS).unwrap_or(sha256);
        format!("{PREFIX}{:012}-{}-{hash}.parquet", self.first.get(), self.part)
    }
}

/// A new name for a file whose content is not known yet.
pub(crate) fn staged() -> String {
    format!("{PREFIX}staged-{}.parquet", Uuid::now_v7())
}

/// A new name for a file that others are merged into.
pub(crate) fn merged() -> String {
    format!("{PREFIX}merged-{}.parquet", Uuid::now_v7())
}

/// For a part that a coordinator made: the first offset whose rows are in it. None for a staged or merged file.
#[must_use]
pub fn first_offset(path: &str) -> Option<Offset> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (offset, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    offset.parse().ok().map(Offset::new)
}

/// Whether a path's last part is a name that was made here, or that of such a file's unfinished upload
/// (`….parquet#1`).
#[must_use]
pub fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once(".parquet"));
    ending.is_some_and(|(_, ending)| ending.is_empty() || ending.starts_with('#'))
}

/// A path that came from the catalog, as an object's path. `..`, absolute and empty parts are refused: a foreign writer
/// of the catalog must not lead reads or writes out of the lake's folder.
pub(crate) fn object_path(relative: &str) -> Result<Path> {
    let refuse = || Error::new(ErrorKind::Corrupt, format!("unsafe path in the catalog: {relative:?}"));
    let mut parts = Vec::new();
    for part in relative.split('/') {
        parts.push(PathPart::parse(part).map_err(|_| refuse())?);
        if part.is_empty() {
            return Err(refuse());
        }
    }
    Ok(parts.into_iter().collect())
}
