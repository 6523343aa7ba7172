//! Objects into a bucket: created, never replaced, and known to be there when it is said so.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesOrdered};
use object_store::{
    Attributes, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, multipart::PartId, path::Path,
};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{Remote, get::SHA256_ATTRIBUTE};
use crate::{
    error::{Error, ErrorKind, Result},
    file::hex,
    store::blocking,
};

/// Larger files are uploaded in pieces of this; S3 wants at least 5 MiB, and at most 10,000 pieces.
pub(crate) const PIECE_BYTES: u64 = 8 << 20;
/// Pieces of one file on their way at once: with the size of one, an upload's memory.
const PIECES_AT_ONCE: usize = 4;
/// How often an object that is neither there nor can be created is tried, before the store is called broken.
const ROUNDS_MAX: u32 = 4;

impl Remote {
    /// Creates an object. The same content there already is success, whoever put it; other content is an error.
    pub(crate) async fn create(
        &self,
        relative: &str,
        bytes: Bytes,
        sha256: &str,
        slots: &Arc<Semaphore>,
    ) -> Result<()> {
        let path = self.object(relative)?;
        let size = bytes.len() as u64;
        for _ in 0..ROUNDS_MAX {
            let put = self.attempts("store a file", size, |clients| {
                let (path, payload) = (path.clone(), PutPayload::from(bytes.clone()));
                let attributes = attributes(sha256);
                let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
                async move { clients.objects.put_opts(&path, payload, options).await }
            });
            match put.await {
                Ok(_) => return Ok(()),
                // An earlier try succeeded: its answer was lost, or its process died behind it.
                Err(object_store::Error::AlreadyExists { .. }) => {
                    match self.decide(relative, size, sha256, slots).await {
                        Ok(true) => return Ok(()),
                        Ok(false) => {
                            let why = format!("{relative} is there already with other content");
                            return Err(Error::new(ErrorKind::AlreadyExists, why));
                        }
                        // Another one's try was on its way and failed (409), or the store is not of one mind yet.
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(e) => return Err(Error::store("store a file", e)),
            }
        }
        Err(Error::new(ErrorKind::Io, format!("{relative}: the store says it exists, and that it does not")))
    }

    /// Replaces an object: for what is no data.
    pub(crate) async fn overwrite(&self, relative: &str, bytes: Bytes) -> Result<()> {
        let path = self.object(relative)?;
        let put = self.attempts("store a file", bytes.len() as u64, |clients| {
            let (path, payload) = (path.clone(), PutPayload::from(bytes.clone()));
            async move { clients.objects.put_opts(&path, payload, PutOptions::default()).await }
        });
        put.await.map(drop).map_err(|e| Error::store("store a file", e))
    }

    /// Stores a local file under a name that nobody else gives to another content, in pieces where it is large. What is sent is
    /// hashed anew: a file that somebody changed since it was written becomes no object, and its write fails.
    pub(crate) async fn upload(
        &self,
        relative: &str,
        from: &FilePath,
        size_bytes: u64,
        sha256: &str,
        slots: &Arc<Semaphore>,
    ) -> Result<()> {
        let file = PathBuf::from(from);
        let file = Arc::new(blocking(move || File::open(file).map_err(|e| Error::io("open a staged file", e))).await?);
        if size_bytes <= PIECE_BYTES {
            let (bytes, hash) = piece(&file, 0, size_bytes, Sha256::new()).await?;
            written(relative, hash, sha256)?;
            return self.create(relative, bytes, sha256, slots).await;
        }
        let path = self.object(relative)?;
        let begun = self.attempts("begin an upload", 0, |clients| {
            let path = path.clone();
            let options = PutMultipartOptions { attributes: attributes(sha256), ..PutMultipartOptions::default() };
            async move { clients.parts.create_multipart_opts(&path, options).await }
        });
        let id = begun.await.map_err(|e| Error::store("begin an upload", e))?;
        let sent = self.send(&path, &id, &file, size_bytes).await;
        let done = match sent.and_then(|(parts, hash)| written(relative, hash, sha256).map(|()| parts)) {
            Ok(parts) => self.complete(&path, &id, parts).await,
            Err(error) => {
                self.abort(&path, &id).await;
                return Err(error);
            }
        };
        let Err(error) = done else { return Ok(()) };
        // The answer to its end may have been lost: then the upload is gone, and the object is there.
        if matches!(self.decide(relative, size_bytes, sha256, slots).await, Ok(true)) {
            return Ok(());
        }
        self.abort(&path, &id).await;
        Err(error)
    }

    /// Whether an object is what it must be, by what the store knows of it, else by its bytes.
    pub(crate) async fn decide(
        &self,
        relative: &str,
        size_bytes: u64,
        sha256: &str,
        slots: &Arc<Semaphore>,
    ) -> Result<bool> {
        match self.look(relative).await? {
            (size, _) if size != size_bytes => Ok(false),
            (_, Some(known)) => Ok(known == sha256),
            (_, None) => Ok(self.hash(relative, size_bytes, slots).await? == sha256),
        }
    }

    /// Sends a file in pieces; with the hash of what was sent.
    async fn send(&self, path: &Path, id: &str, file: &Arc<File>, size_bytes: u64) -> Result<(Vec<PartId>, Sha256)> {
        let mut sent: Vec<PartId> = Vec::new();
        let (mut on_their_way, mut hash, mut start) = (FuturesOrdered::new(), Sha256::new(), 0);
        while start < size_bytes || !on_their_way.is_empty() {
            if start < size_bytes && on_their_way.len() < PIECES_AT_ONCE {
                let length = PIECE_BYTES.min(size_bytes - start);
                let bytes;
                (bytes, hash) = piece(file, start, length, hash).await?;
                let index = usize::try_from(start / PIECE_BYTES).unwrap_or(usize::MAX);
                on_their_way.push_back(self.send_piece(path, id, index, bytes));
                start += length;
            } else if let Some(piece) = on_their_way.next().await {
                sent.push(piece?);
            }
        }
        Ok((sent, hash))
    }

    async fn send_piece(&self, path: &Path, id: &str, index: usize, bytes: Bytes) -> Result<PartId> {
        let sent = self.attempts("upload a piece", bytes.len() as u64, |clients| {
            let (path, id, payload) = (path.clone(), id.to_owned(), PutPayload::from(bytes.clone()));
            async move { clients.parts.put_part(&path, &id, index, payload).await }
        });
        sent.await.map_err(|e| Error::store("upload a piece", e))
    }

    async fn complete(&self, path: &Path, id: &str, parts: Vec<PartId>) -> Result<()> {
        let numbers: Vec<String> = parts.into_iter().map(|part| part.content_id).collect();
        let completed = self.attempts("end an upload", PIECE_BYTES, |clients| {
            let (path, id) = (path.clone(), id.to_owned());
            let parts = numbers.iter().map(|number| PartId { content_id: number.clone() }).collect();
            async move { clients.parts.complete_multipart(&path, &id, parts).await }
        });
        completed.await.map(drop).map_err(|e| Error::store("end an upload", e))
    }

    /// As well as it can: the sweep gets what stays.
    pub(super) async fn abort(&self, path: &Path, id: &str) {
        let aborted = self.attempts("abort an upload", 0, |clients| {
            let (path, id) = (path.clone(), id.to_owned());
            async move { clients.parts.abort_multipart(&path, &id).await }
        });
        match aborted.await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(%error, "an unfinished upload stays until the sweep"),
        }
    }
}

fn attributes(sha256: &str) -> Attributes {
    Attributes::from_iter([(SHA256_ATTRIBUTE, sha256.to_owned())])
}

/// Reads a piece of a file, and counts it into a hash.
async fn piece(file: &Arc<File>, start: u64, length: u64, mut hash: Sha256) -> Result<(Bytes, Sha256)> {
    let file = Arc::clone(file);
    blocking(move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, start).map_err(|e| Error::io("read a staged file", e))?;
        hash.update(&bytes);
        Ok((bytes.into(), hash))
    })
    .await
}

/// Fails if what was sent is not what was written.
fn written(relative: &str, hash: Sha256, sha256: &str) -> Result<()> {
    if hex(hash.finalize().as_slice()) == sha256 {
        return Ok(());
    }
    let why = format!("{relative}: the staged file is not what was written; somebody changed it on this machine");
    // No object is damaged: the write that it was made for fails, and may be repeated.
    Err(Error::new(ErrorKind::Io, why))
}
