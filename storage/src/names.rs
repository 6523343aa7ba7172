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
        format!("{PREFIX}{:012}-{}-{}.parquet", self.first.get(), self.part, start_of(sha256))
    }
}

/// A new name for a file whose content is not known yet.
pub(crate) fn staged() -> String {
    format!("{PREFIX}staged-{}.parquet", Uuid::now_v7())
}

/// A new name for a file with this content that was staged elsewhere before it got its place.
pub(crate) fn staged_as(sha256: &str) -> String {
    format!("{PREFIX}staged-{}-{}.parquet", Uuid::now_v7(), start_of(sha256))
}

/// A new name for a file with this content that others are merged into.
pub(crate) fn merged(sha256: &str) -> String {
    format!("{PREFIX}merged-{}-{}.parquet", Uuid::now_v7(), start_of(sha256))
}

/// A new name for a file that is made for its time alone.
pub(crate) fn clock() -> String {
    format!("{PREFIX}clock-{}.parquet", Uuid::now_v7())
}

/// The beginning of the SHA-256 of a file's content, where its name has it: of all files that were written here to a
/// remote store.
#[must_use]
pub fn hash(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, hash) = name.strip_prefix(PREFIX)?.strip_suffix(".parquet")?.rsplit_once('-')?;
    (hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(hash)
}

fn start_of(sha256: &str) -> &str {
    sha256.get(..HASH_DIGITS).unwrap_or(sha256)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_hash_of_their_content() {
        let sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let start = Some("0123456789abcdef01234567");
        assert_eq!(hash(&NameSeed::new(Offset::new(7), 1).name(sha256)), start);
        assert_eq!(hash(&format!("main/t/{}", staged_as(sha256))), start);
        assert_eq!(hash(&merged(sha256)), start);
        assert!(is_ours(&merged(sha256)) && is_ours(&staged_as(sha256)));
        assert_eq!(first_offset(&staged_as(sha256)), None);
        assert_eq!(hash(&staged()), None, "not known when it is named");
        assert_eq!(hash("main/t/ducklake-018f0000-0000-7000-8000-0123456789ab.parquet"), None);
    }
}
