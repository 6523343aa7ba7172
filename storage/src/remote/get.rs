//! Objects out of a bucket: ranges side by side, in order, hashed while they come.

use std::{
    fs::File,
    io::Write,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use object_store::{Attribute, GetOptions, GetRange, ObjectStore, path::Path};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::{Remote, SLOWEST_BYTES_PER_SECOND};
use crate::{
    error::{Error, ErrorKind, Result},
    file::hex,
    names,
    store::blocking,
};

/// Bytes asked for at once.
pub(crate) const RANGE_BYTES: u64 = 8 << 20;
/// Ranges of one object on their way at once.
const RANGES_AT_ONCE: usize = 4;
/// Ranges on their way in this process: with the size of one, the memory of all downloads.
pub(crate) const RANGES_MAX: usize = 16;
/// An answer whose next bytes take longer is broken off.
const STALL_TIMEOUT: Duration = Duration::from_secs(3);
/// The user metadata that has an object's SHA-256.
pub(super) const SHA256_ATTRIBUTE: Attribute = Attribute::Metadata(std::borrow::Cow::Borrowed("sha256"));
/// Transfers of an object whose bytes are not what was stored, before it is given up.
const TRANSFERS_MAX: u32 = 3;

/// What an object must be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) size_bytes: u64,
    /// The beginning of its SHA-256, where it is known.
    pub(crate) sha256: Option<String>,
}

impl Expected {
    /// As far as a file's name and the catalog say it.
    pub(crate) fn of(relative: &str, size_bytes: u64) -> Self {
        Self { size_bytes, sha256: names::hash(relative).map(str::to_owned) }
    }

    pub(crate) fn is(&self, size_bytes: u64, sha256: &str) -> bool {
        self.size_bytes == size_bytes && self.sha256.as_ref().is_none_or(|start| sha256.starts_with(start.as_str()))
    }
}

impl Remote {
    /// Writes an object to a new local file, and returns when its bytes are those that are expected. What is not is
    /// fetched again; what stays something else is damaged.
    pub(crate) async fn download(
        &self,
        relative: &str,
        expected: &Expected,
        to: &FilePath,
        slots: &Arc<Semaphore>,
    ) -> Result<()> {
        let mut last = None;
        for _ in 0..TRANSFERS_MAX {
            let hash = match self.transfer(relative, expected, Some(to), slots).await {
                Ok(hash) => hash,
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    self.bucket.meters.bad_answers.increment(1);
                    last = Some((String::new(), error));
                    continue;
                }
                Err(error) => return Err(self.alarmed(error)),
            };
            if expected.is(expected.size_bytes, &hash) {
                return Ok(());
            }
            self.bucket.meters.bad_answers.increment(1);
            let error = Error::new(ErrorKind::Corrupt, format!("{relative}: the content is not what was written"));
            // The same wrong bytes twice were not made on the way.
            let is_same = last.as_ref().is_some_and(|(before, _)| *before == hash);
            last = Some((hash, error));
            if is_same {
                break;
            }
        }
        let (_, error) = last.unwrap_or_else(|| (String::new(), Error::new(ErrorKind::Io, "nothing was fetched")));
        Err(self.alarmed(error))
    }

    /// The SHA-256 of an object, read anew.
    pub(crate) async fn hash(&self, relative: &str, size_bytes: u64, slots: &Arc<Semaphore>) -> Result<String> {
        let expected = Expected { size_bytes, sha256: None };
        self.transfer(relative, &expected, None, slots).await
    }

    /// Size and SHA-256, as far as the store knows them.
    pub(crate) async fn look(&self, relative: &str) -> Result<(u64, Option<String>)> {
        let path = self.object(relative)?;
        let found = self.attempts("look at a file", 0, |clients| {
            let path = path.clone();
            let options = GetOptions { head: true, ..GetOptions::default() };
            async move { clients.objects.get_opts(&path, options).await }
        });
        let found = found.await.map_err(|e| Error::store("look at a file", e))?;
        Ok((found.meta.size, found.attributes.get(&SHA256_ATTRIBUTE).map(|value| value.to_string())))
    }

    /// The bytes of a small object.
    pub(crate) async fn read(&self, relative: &str) -> Result<Bytes> {
        let path = self.object(relative)?;
        let read = self.attempts("read a file", RANGE_BYTES, |clients| {
            let path = path.clone();
            async move { clients.objects.get_opts(&path, GetOptions::default()).await?.bytes().await }
        });
        read.await.map_err(|e| Error::store("read a file", e))
    }

    async fn transfer(
        &self,
        relative: &str,
        expected: &Expected,
        to: Option<&FilePath>,
        slots: &Arc<Semaphore>,
    ) -> Result<String> {
        let path = self.object(relative)?;
        let size = expected.size_bytes;
        let to: Option<PathBuf> = to.map(FilePath::to_path_buf);
        let create = move || match to {
            Some(to) => File::create(to).map_err(|e| Error::io("create a file of the cache", e)).map(Some),
            None => Ok(None),
        };
        let mut sink = (blocking(create).await?, Sha256::new());
        let ranges = (0..size).step_by(usize::try_from(RANGE_BYTES).unwrap_or(usize::MAX));
        let ranges = ranges.map(|start| start..(start + RANGE_BYTES).min(size));
        let mut pieces =
            stream::iter(ranges.map(|range| self.range(relative, &path, range, size, slots))).buffered(RANGES_AT_ONCE);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let (mut file, mut hash) = sink;
            sink = blocking(move || {
                hash.update(&piece);
                if let Some(file) = &mut file {
                    file.write_all(&piece).map_err(|e| Error::io("write a file of the cache", e))?;
                }
                Ok((file, hash))
            })
            .await?;
        }
        Ok(hex(sink.1.finalize().as_slice()))
    }

    /// One range, whole.
    async fn range(
        &self,
        relative: &str,
        path: &Path,
        range: Range<u64>,
        size: u64,
        slots: &Arc<Semaphore>,
    ) -> Result<Bytes> {
        let _slot = slots.acquire().await;
        let length = range.end - range.start;
        let fetched = self.attempts("read a file", length, |clients| {
            let path = path.clone();
            let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
            async move {
                let found = clients.objects.get_opts(&path, options).await?;
                let size = found.meta.size;
                Ok((size, collected(found.into_stream(), length).await?))
            }
        });
        let (found, bytes) = fetched.await.map_err(|e| Error::store("read a file", e))?;
        if found != size {
            let why = format!("{relative}: {found} bytes are there where {size} were written");
            return Err(Error::new(ErrorKind::Corrupt, why));
        }
        Ok(bytes)
    }

    /// A live file that is gone, or is something else, must be loud.
    fn alarmed(&self, error: Error) -> Error {
        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) {
            self.bucket.meters.alarms.increment(1);
            tracing::error!(%error, bucket = self.bucket.name, "integrity: a file of the lake is not what was stored");
        }
        error
    }
}

/// All bytes of an answer, which are as many as were asked for.
async fn collected(
    mut answer: stream::BoxStream<'static, object_store::Result<Bytes>>,
    length: u64,
) -> object_store::Result<Bytes> {
    let broken = |why: String| object_store::Error::Generic { store: "bucket", source: why.into() };
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    let began = Instant::now();
    loop {
        match timeout(STALL_TIMEOUT, answer.next()).await {
            Err(_) => return Err(broken(format!("no bytes for {} s", STALL_TIMEOUT.as_secs()))),
            Ok(Some(piece)) => bytes.extend_from_slice(&piece?),
            Ok(None) if bytes.len() as u64 == length => return Ok(bytes.freeze()),
            Ok(None) => return Err(broken(format!("{} bytes came where {length} were announced", bytes.len()))),
        }
        if bytes.len() as u64 > length {
            return Err(broken("more bytes came than were asked for".to_owned()));
        }
        let expected = began.elapsed().saturating_sub(STALL_TIMEOUT).as_secs().saturating_mul(SLOWEST_BYTES_PER_SECOND);
        if (bytes.len() as u64) < expected {
            return Err(broken(format!("only {} bytes in {} s", bytes.len(), began.elapsed().as_secs())));
        }
    }
}
