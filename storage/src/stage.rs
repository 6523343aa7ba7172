//! Staged files: Parquet that is written to its final place while the rows arrive, before any frame names it.
//!
//! A batch is encoded beside the runtime while the caller parses the next one; full pieces are uploaded meanwhile.
//! In memory are one open row group, one batch, and one piece on its way.

use std::{mem, sync::Arc};

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
    store::{LakeFiles, blocking},
};

/// A file ends when it has about this size.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Bytes that are uploaded at once; S3 wants at least 5 MiB.
const PIECE_BYTES: usize = 8 << 20;

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
    open: Option<OpenFile>,
    rows: u64,
    /// Something went wrong, or a future was dropped in the middle: what is open cannot be continued.
    broken: bool,
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
        Ok((mem::take(&mut self.done), mem::take(&mut self.claims)))
    }

    /// Deletes everything that was written.
    pub async fn abort(mut self) {
        discard(self.files.clone(), self.folder.clone(), self.open.take(), mem::take(&mut self.done)).await;
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
        let path = names::object_path(&format!("{}{name}", self.folder))?;
        // Before there is a file: the sweep must never see one without its claim.
        self.claims.push(self.files.claims.claim(path.to_string()));
        let upload = self.files.store.put_multipart(&path);
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
        file.path = mem::take(&mut open.name);
        let relative = format!("{}{}", self.folder, file.path);
        self.open = None;
        self.done.push(file);
        self.files.seal(&relative).await
    }
}

impl Drop for StagedWriter {
    fn drop(&mut self) {
        if self.open.is_none() && self.done.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (open, done) = (self.open.take(), mem::take(&mut self.done));
            runtime.spawn(discard(self.files.clone(), mem::take(&mut self.folder), open, done));
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

/// Deletes what a writer wrote. What cannot be deleted now, the sweep gets.
async fn discard(files: LakeFiles, folder: String, open: Option<OpenFile>, done: Vec<NewFile>) {
    if let Some(mut open) = open {
        if let Some(encoding) = open.encoding.take() {
            let _ = encoding.await;
        }
        let _ = open.sent().await;
        // An upload that is complete cannot be aborted: then its file has a name.
        if open.upload.abort().await.is_err() && !open.name.is_empty() {
            let _ = files.delete(&format!("{folder}{}", open.name)).await;
        }
    }
    for file in done {
        if let Err(error) = files.delete(&format!("{folder}{}", file.path)).await {
            tracing::warn!(%error, "a staged file stays until the sweep");
        }
    }
}
