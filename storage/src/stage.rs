//! Staged files: Parquet that is written while the rows arrive, before any frame names it.
//!
//! A batch is encoded beside the runtime while the caller parses the next one; full pieces are written meanwhile.
//! In memory are one open row group, one batch, and one piece on its way. In a folder of this machine a file is written
//! to its final place. For a bucket it is written on this machine first: its name tells the hash of its content, which
//! is known at its end. Then it is uploaded, while the next file takes rows, and becomes a file of the cache.

use std::{collections::VecDeque, mem, sync::Arc};

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::task::JoinHandle;

use crate::{
    claims::Claim,
    error::{Error, ErrorKind, Result},
    file::FileEncoder,
    layout::{Layout, Others},
    names,
    store::{LakeFiles, Place, blocking},
};

/// A file ends when it has about this size.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Bytes that are written at once.
const PIECE_BYTES: usize = 8 << 20;
/// Uploads of finished files that go on while the next file takes rows.
const UPLOADS_MAX: usize = 2;

/// Writes one table's rows to staged files, with bounded memory. Dropped without [`StagedWriter::finish`], it deletes
/// what it wrote as well as it can; the sweep gets the rest.
pub struct StagedWriter {
    files: LakeFiles,
    table: Arc<TableDef>,
    folder: String,
    columns: Vec<ColumnId>,
    layout: Option<Arc<Layout>>,
    file_bytes_max: u64,
    /// Finished files.
    done: Vec<NewFile>,
    /// Keep all of its files from the sweep.
    claims: Vec<Claim>,
    /// Finished files on their way to a bucket, oldest first.
    uploads: VecDeque<Upload>,
    open: Option<OpenFile>,
    rows: u64,
    /// Something went wrong, or a future was dropped in the middle: what is open cannot be continued.
    broken: bool,
}

/// A file on its way to a bucket, with its claim.
struct Upload {
    file: NewFile,
    running: JoinHandle<Result<Claim>>,
}

/// The file that takes rows now.
struct OpenFile {
    name: String,
    upload: Box<dyn MultipartUpload>,
    /// Here while nothing is being encoded.
    idle: Option<FileEncoder>,
    encoding: Option<JoinHandle<Result<FileEncoder>>>,
    uploading: Option<JoinHandle<object_store::Result<()>>>,
}

impl StagedWriter {
    pub(crate) fn new(files: LakeFiles, table: Arc<TableDef>, schema_path: &str, columns: Vec<ColumnId>) -> Self {
        let folder = format!("{schema_path}{}", table.path);
        Self {
            files,
            table,
            folder,
            columns,
            layout: None,
            file_bytes_max: FILE_BYTES_MAX,
            done: Vec::new(),
            claims: Vec::new(),
            uploads: VecDeque::new(),
            open: None,
            rows: 0,
            broken: false,
        }
    }

    /// Ends files at about this size instead of 512 MiB.
    #[must_use]
    pub fn with_file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// Takes a batch; returns when the one before is encoded, so that the caller's parsing overlaps with encoding.
    /// An error may belong to an earlier batch. After one, or after this future was dropped, only abort is possible.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if mem::replace(&mut self.broken, true) {
            return Err(broken());
        }
        let rows = batch.num_rows() as u64;
        let mut open = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let open = self.begin().await?;
                self.open.insert(open)
            }
        };
        let mut encoder = open.settle().await?;
        if encoder.size_bytes() >= self.file_bytes_max {
            open.idle = Some(encoder);
            self.end().await?;
            let next = self.begin().await?;
            open = self.open.insert(next);
            encoder = open.settle().await?;
        }
        if encoder.pending_bytes() >= PIECE_BYTES {
            open.send(encoder.take()).await?;
        }
        open.encoding = Some(tokio::task::spawn_blocking(move || {
            encoder.write(&batch)?;
            Ok(encoder)
        }));
        self.rows += rows;
        self.broken = false;
        Ok(())
    }

    /// Makes everything durable and says what was written, names below the table's folder; nothing if no row came.
    /// The claims are to be kept until the log names the files, or nobody needs them.
    pub async fn finish(mut self) -> Result<(Vec<NewFile>, Vec<Claim>)> {
        if mem::replace(&mut self.broken, true) {
            return Err(broken());
        }
        self.end().await?;
        self.uploaded(0).await?;
        Ok((mem::take(&mut self.done), mem::take(&mut self.claims)))
    }

    /// Deletes everything that was written.
    pub async fn abort(mut self) {
        let left = self.left();
        left.discard().await;
    }

    fn left(&mut self) -> Left {
        Left {
            files: self.files.clone(),
            folder: self.folder.clone(),
            open: self.open.take(),
            uploads: mem::take(&mut self.uploads),
            done: mem::take(&mut self.done),
            _claims: mem::take(&mut self.claims),
        }
    }

    /// Rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    async fn begin(&mut self) -> Result<OpenFile> {
        let layout = match &self.layout {
            Some(layout) => layout.clone(),
            None => {
                let layout = Arc::new(Layout::new(&self.table, &self.columns, Others::Refused)?);
                self.layout.insert(layout).clone()
            }
        };
        let name = names::staged();
        let (store, path) = match &self.files.place {
            Place::Folder { store, .. } => {
                let path = names::object_path(&format!("{}{name}", self.folder))?;
                // Before there is a file: the sweep must never see one without its claim.
                self.claims.push(self.files.claims.claim(path.to_string()));
                (store, path)
            }
            Place::Remote(lake) => (&lake.staging, names::object_path(&name)?),
        };
        let upload = ObjectStoreExt::put_multipart(store.as_ref(), &path);
        Ok(OpenFile {
            name,
            upload: upload.await.map_err(|e| Error::store("begin a staged file", e))?,
            idle: Some(FileEncoder::new(layout)?),
            encoding: None,
            uploading: None,
        })
    }

    /// Ends the open file, if there is one: it is durable on return.
    async fn end(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let encoder = open.settle().await?;
        let (bytes, mut file) = blocking(move || encoder.finish()).await?;
        open.send(bytes).await?;
        open.sent().await?;
        open.upload.complete().await.map_err(|e| Error::store("end a staged file", e))?;
        let name = mem::take(&mut open.name);
        self.open = None;
        if let Place::Remote(lake) = self.files.place.clone() {
            self.uploaded(UPLOADS_MAX - 1).await?;
            file.path = names::staged_as(&file.sha256);
            let relative = format!("{}{}", self.folder, file.path);
            let from = lake.cache.partial().join(name);
            let mut claim = self.files.claims.claim(relative.clone());
            let of = file.clone();
            let running = tokio::spawn(async move {
                let stored = lake.put_staged(&relative, from.clone(), &of).await;
                if stored.is_err() {
                    let _ = tokio::fs::remove_file(&from).await;
                }
                claim.hold(stored?);
                Ok(claim)
            });
            self.uploads.push_back(Upload { file, running });
            return Ok(());
        }
        file.path = name;
        let relative = format!("{}{}", self.folder, file.path);
        self.done.push(file);
        self.files.seal(&relative).await
    }

    /// Waits until no more than so many uploads are on their way.
    async fn uploaded(&mut self, left: usize) -> Result<()> {
        while self.uploads.len() > left {
            let Some(upload) = self.uploads.front_mut() else { break };
            let ended = (&mut upload.running).await;
            let Some(Upload { file, .. }) = self.uploads.pop_front() else { break };
            // Whatever its end was, there may be an object of that name.
            self.done.push(file);
            self.claims.push(ended.map_err(|e| Error::caused(ErrorKind::Io, "an upload task ended early", e))??);
        }
        Ok(())
    }
}

impl Drop for StagedWriter {
    fn drop(&mut self) {
        if self.open.is_none() && self.done.is_empty() && self.uploads.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.left().discard());
        }
    }
}

impl OpenFile {
    /// The encoder, when it has encoded what it was given.
    async fn settle(&mut self) -> Result<FileEncoder> {
        if let Some(encoding) = &mut self.encoding {
            let encoded = encoding.await;
            self.encoding = None;
            return encoded.map_err(|e| Error::caused(ErrorKind::Io, "an encoding task ended early", e))?;
        }
        self.idle.take().ok_or_else(broken)
    }

    /// Sends a piece on its way when the one before has arrived.
    async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.sent().await?;
        self.uploading = Some(tokio::spawn(self.upload.put_part(bytes.into())));
        Ok(())
    }

    /// Waits until every piece has arrived.
    async fn sent(&mut self) -> Result<()> {
        let Some(uploading) = &mut self.uploading else {
            return Ok(());
        };
        let sent = uploading.await;
        self.uploading = None;
        sent.map_err(|e| Error::caused(ErrorKind::Io, "an upload task ended early", e))?
            .map_err(|e| Error::store("write a staged file", e))
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Io, "a staged file was broken off before")
}

/// What a writer wrote and nobody needs.
struct Left {
    files: LakeFiles,
    folder: String,
    open: Option<OpenFile>,
    uploads: VecDeque<Upload>,
    done: Vec<NewFile>,
    /// To the end: the sweep of another process must not meet half of a deletion.
    _claims: Vec<Claim>,
}

impl Left {
    /// Deletes it. What cannot be deleted now, the sweep gets.
    async fn discard(self) {
        let Self { files, folder, open, uploads, mut done, _claims } = self;
        if let Some(mut open) = open {
            if let Some(encoding) = open.encoding.take() {
                let _ = encoding.await;
            }
            let _ = open.sent().await;
            // An upload that is complete cannot be aborted: then its file has a name.
            if open.upload.abort().await.is_err() && !open.name.is_empty() {
                let _ = match &files.place {
                    Place::Folder { .. } => files.delete(&format!("{folder}{}", open.name)).await.is_ok(),
                    Place::Remote(lake) => std::fs::remove_file(lake.cache.partial().join(&open.name)).is_ok(),
                };
            }
        }
        for upload in uploads {
            let _ = upload.running.await;
            done.push(upload.file);
        }
        for file in done {
            if let Err(error) = files.delete(&format!("{folder}{}", file.path)).await {
                tracing::warn!(%error, "a staged file stays until the sweep");
            }
        }
    }
}
