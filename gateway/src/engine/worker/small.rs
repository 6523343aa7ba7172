//! Small files of the lake, decoded once and kept: what was just published is read by everybody who waited for it.
//!
//! DuckDB takes longer to bind, open and plan a Parquet file of some rows than to scan a million of them. A file that is
//! anything but expected is left to DuckDB, whose errors are the ones that are known.

use std::{
    collections::{HashMap, VecDeque},
    fs::{File, Metadata},
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, TimeUnit},
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::engine::protocol::{Relation, SMALL_BYTES_MAX, SMALL_ROWS_MAX, SmallFiles, SmallType};

/// Decoded bytes that are kept for later statements.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Files of [`SMALL_BYTES_MAX`] may be much larger once they are uncompressed, and their dictionaries' words are written out.
const DECODED_BYTES_MAX: usize = 8 << 20;
/// What may be decoded before its size is looked at.
const LOOKED_AT_BYTES: usize = 32 << 20;
/// Rows of a chunk of DuckDB's.
const CHUNK_ROWS: usize = 2048;

/// The files, and what statements that run now read of them.
pub struct Small {
    /// Only files below these are read.
    folders: Vec<PathBuf>,
    kept: Mutex<Kept>,
    lent: Mutex<HashMap<i64, Arc<Rows>>>,
    next: AtomicI64,
}

#[derive(Default)]
struct Kept {
    files: HashMap<String, Arc<Decoded>>,
    /// In the order in which they came: the oldest goes first, whatever it was read.
    order: VecDeque<String>,
    bytes: usize,
}

/// A file's rows, and what the file looked like.
struct Decoded {
    seen: Seen,
    /// None has more than [`CHUNK_ROWS`].
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// Files never change; one that did is damaged, and read again.
#[derive(PartialEq, Eq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl From<&Metadata> for Seen {
    fn from(of: &Metadata) -> Self {
        Self { bytes: of.len(), modified: of.modified().ok() }
    }
}

/// The rows of a relation.
pub struct Rows {
    /// Name and type of each column.
    pub columns: Vec<(String, SmallType)>,
    /// For each chunk its columns, in that order.
    pub chunks: Vec<Vec<ArrayRef>>,
}

/// The relations of a statement as they are run; their rows are there until it is dropped.
pub struct Lent<'a> {
    small: &'a Small,
    numbers: Vec<i64>,
    /// The relations.
    pub relations: Vec<Relation>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut lent = lock(&self.small.lent);
        for number in &self.numbers {
            lent.remove(number);
        }
    }
}

impl Small {
    /// None yet, of files below `folders`.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, kept: Mutex::default(), lent: Mutex::default(), next: AtomicI64::new(1) }
    }

    /// Has the rows of small files at hand, and says so in the relations.
    pub fn lend(&self, relations: &[Relation]) -> Lent<'_> {
        let mut out = Lent { small: self, numbers: Vec::new(), relations: Vec::with_capacity(relations.len()) };
        for relation in relations {
            let rows = relation.small.as_ref().and_then(|small| self.rows(small));
            let sql = match rows {
                Some(rows) => {
                    let number = self.next.fetch_add(1, Ordering::Relaxed);
                    lock(&self.lent).insert(number, Arc::new(rows));
                    out.numbers.push(number);
                    format!("SELECT * FROM {}({number})", super::small_scan::NAME)
                }
                None => relation.sql.clone(),
            };
            out.relations.push(Relation { name: relation.name.clone(), sql, small: None, file: None });
        }
        out
    }

    /// What was lent under a number.
    pub fn lent(&self, number: i64) -> Option<Arc<Rows>> {
        lock(&self.lent).get(&number).cloned()
    }

    /// None where any file is not as expected.
    fn rows(&self, small: &SmallFiles) -> Option<Rows> {
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        for path in &small.paths {
            let file = self.file(path)?;
            bytes += file.bytes;
            if bytes > DECODED_BYTES_MAX {
                return None;
            }
            for batch in &file.batches {
                let column = |(name, ty): &(String, SmallType)| {
                    let array = batch.column_by_name(name)?;
                    (*array.data_type() == arrow_type(*ty)).then(|| Arc::clone(array))
                };
                chunks.push(small.columns.iter().map(column).collect::<Option<Vec<_>>>()?);
            }
        }
        Some(Rows { chunks, columns: small.columns.clone() })
    }

    fn file(&self, path: &str) -> Option<Arc<Decoded>> {
        // Each time: a file that was removed or changed meanwhile is an error that DuckDB tells.
        let seen = Seen::from(&std::fs::metadata(path).ok()?);
        if let Some(known) = lock(&self.kept).files.get(path).filter(|known| known.seen == seen) {
            return Some(Arc::clone(known));
        }
        if !is_below(Path::new(path), &self.folders) {
            return None;
        }
        // Several may decode it at once: it takes less than to wait.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(path))).ok().flatten()?;
        let decoded = Arc::new(decoded);
        lock(&self.kept).add(path, Arc::clone(&decoded));
        Some(decoded)
    }
}

/// Whether a file is in one of the folders or below it.
pub fn is_below(path: &Path, folders: &[PathBuf]) -> bool {
    let plain = path.components().all(|part| !matches!(part, Component::ParentDir));
    plain && folders.iter().any(|folder| path.starts_with(folder))
}

impl Kept {
    fn add(&mut self, path: &str, decoded: Arc<Decoded>) {
        self.bytes += decoded.bytes;
        match self.files.insert(path.to_owned(), decoded) {
            Some(before) => self.bytes = self.bytes.saturating_sub(before.bytes),
            None => self.order.push_back(path.to_owned()),
        }
        while self.bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.files.remove(&oldest).map_or(0, |gone| gone.bytes);
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }
}

/// The file whole; none where it is not small, or cannot be read.
fn decode(path: &str) -> Option<Decoded> {
    let mut file = File::open(path).ok()?;
    let seen = Seen::from(&file.metadata().ok()?);
    if seen.bytes > SMALL_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(seen.bytes).ok()?);
    file.by_ref().take(SMALL_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    // By the types of Parquet: another writer's Arrow schema could name others.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(bytes), options).ok()?;
    let rows = u64::try_from(reader.metadata().file_metadata().num_rows()).ok()?;
    if rows > SMALL_ROWS_MAX {
        return None;
    }
    // No word of a dictionary is longer than all that is uncompressed.
    let uncompressed: i64 = reader.metadata().row_groups().iter().map(|group| group.total_byte_size()).sum();
    let uncompressed = usize::try_from(uncompressed).ok()?.max(1);
    if uncompressed > DECODED_BYTES_MAX {
        return None;
    }
    let (mut batches, mut bytes, mut decoded) = (Vec::new(), 0, 0);
    for batch in reader.with_batch_size((LOOKED_AT_BYTES / uncompressed).clamp(1, CHUNK_ROWS)).build().ok()? {
        let batch = batch.ok()?;
        decoded += batch.num_rows() as u64;
        bytes += batch.get_array_memory_size();
        if bytes > DECODED_BYTES_MAX {
            return None;
        }
        batches.push(batch);
    }
    (decoded == rows).then_some(Decoded { seen, batches, bytes })
}

/// What a column of the type is decoded to.
fn arrow_type(ty: SmallType) -> DataType {
    match ty {
        SmallType::Bool => DataType::Boolean,
        SmallType::Int2 => DataType::Int16,
        SmallType::Int4 => DataType::Int32,
        SmallType::Int8 => DataType::Int64,
        SmallType::Float4 => DataType::Float32,
        SmallType::Float8 => DataType::Float64,
        SmallType::Numeric(precision, scale) => DataType::Decimal128(precision, scale.cast_signed()),
        SmallType::Text | SmallType::Json => DataType::Utf8,
        SmallType::Bytea => DataType::Binary,
        SmallType::Date => DataType::Date32,
        SmallType::Time => DataType::Time64(TimeUnit::Microsecond),
        SmallType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SmallType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SmallType::Uuid => DataType::FixedSizeBinary(16),
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_below_a_folder_by_whole_names_and_without_a_way_up() {
        let folders = [PathBuf::from("/lake/files"), PathBuf::from("/lake/scratch")];
        let check = |path: &str, expect: bool| assert_eq!(is_below(Path::new(path), &folders), expect, "{path}");
        check("/lake/files/main/t/a.parquet", true);
        check("/lake/scratch/b.parquet", true);
        check("/lake/files/../secret", false);
        check("/lake/scratch/../files/a.parquet", false);
        check("/lake/files2/a.parquet", false);
        check("/lake/a.parquet", false);
        check("files/a.parquet", false);
        check("", false);
    }
}
