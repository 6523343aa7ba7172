//! A file that a client sends in pieces, and that can be read only when it is whole: kept in a folder of its own, up to a
//! limit, and gone with this value.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::wire::{PgError, PgResult, SqlState};

/// The file's name in its folder.
const FILE: &str = "copied.parquet";

/// A spooled file.
pub struct Spool {
    folder: Folder,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

/// The folder, removed with this value.
struct Folder(PathBuf);

impl Spool {
    /// An empty file in a new folder below `root` that nobody else may look into.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn create(root: &Path, bytes_max: u64) -> PgResult<Self> {
        let path = root.join(Uuid::new_v4().simple().to_string());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.and_then(|()| DirBuilder::new().mode(0o700).create(&path)).map_err(failed)?;
        let folder = Folder(path);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.0.join(FILE));
        Ok(Self { folder, file: file.map_err(failed)?, bytes: 0, bytes_max })
    }

    /// Adds a piece. Blocks.
    ///
    /// # Errors
    /// 54000 where the file becomes too large, 53100 where the disk is full.
    pub fn write(&mut self, piece: &[u8]) -> PgResult<()> {
        self.bytes += piece.len() as u64;
        if self.bytes > self.bytes_max {
            let message = format!("the Parquet file is larger than {} bytes", self.bytes_max);
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
                .hint("Copy several smaller files, or raise copy_parquet_max_mb in the server's configuration."));
        }
        self.file.write_all(piece).map_err(failed)
    }

    /// How large it is.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.0.join(FILE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the lake is opened the next time.
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "cannot remove a spooled file");
        }
    }
}

fn failed(error: io::Error) -> PgError {
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return PgError::new(SqlState::DISK_FULL, "could not write the copied file: no space left on device");
    }
    tracing::error!(%error, "cannot spool a copied file");
    PgError::new(SqlState::IO_ERROR, "the copied file cannot be written on the server")
        .hint("The server's log has the details.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_private_bounded_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(&root.path().join("spool"), 10).unwrap();
        spool.write(b"12345").unwrap();
        spool.write(b"67890").unwrap();
        assert_eq!(fs::read(spool.path()).unwrap(), b"1234567890");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(spool.folder()), mode(&spool.path())), (0o700, 0o600));
        assert_eq!(spool.write(b"x").unwrap_err().code(), SqlState::PROGRAM_LIMIT_EXCEEDED);
        let folder = spool.folder().to_owned();
        drop(spool);
        assert!(!folder.exists());
    }
}
