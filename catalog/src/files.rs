//! Data files of tables: what the lake knows about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ColumnId, FileId, SnapshotId, TableId};

/// A Parquet file that is about to become part of a table (or is staged for it).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Path below the table's folder.
    pub path: String,
    /// Rows in it.
    pub record_count: u64,
    /// Its size.
    pub size_bytes: u64,
    /// Size of the Parquet footer, as DuckLake counts it (the metadata's length, without the 8 bytes behind it).
    pub footer_size_bytes: u64,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: String,
    /// Statistics of each leaf column in the file.
    pub stats: Vec<ColumnStats>,
}

/// Statistics of one column in one file, as DuckLake writes them: text, decimals with their scale, blobs as upper-case hex,
/// timestamps in ISO with `+00`. None where DuckLake has none (interval, timetz, int128, all NULL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// The leaf's field id (an array's element has its own).
    pub column: ColumnId,
    /// Compressed size in the file.
    pub size_bytes: u64,
    /// Values, NULLs not counted.
    pub value_count: u64,
    /// NULLs.
    pub null_count: u64,
    /// Smallest value.
    pub min: Option<String>,
    /// Largest value.
    pub max: Option<String>,
    /// For floats: whether there is a NaN.
    pub contains_nan: Option<bool>,
}

/// A file of a table at a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its id.
    pub id: FileId,
    /// Path below the lake's data path (joined from schema, table and file path), or absolute.
    pub path: String,
    /// Whether `path` is below the data path.
    pub path_is_relative: bool,
    /// Rows in it, deleted ones counted.
    pub record_count: u64,
    /// Its size.
    pub size_bytes: u64,
    /// First row id.
    pub row_id_start: Option<i64>,
    /// Since when it is visible.
    pub begin_snapshot: SnapshotId,
    /// For a merged file: rows in it carry their own snapshot up to this one.
    pub partial_max: Option<SnapshotId>,
    /// Whether its columns are found by a name mapping: another program wrote it, without field ids.
    pub is_mapped: bool,
    /// Columns of the file that the lake has statistics of, leaves only. A file may lack columns: its rows have their default.
    pub columns_with_stats: u64,
    /// Positions hidden by a delete file.
    pub deletes: Option<DeleteFile>,
}

/// A delete file: Parquet with columns `file_path` and `pos`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteFile {
    /// Its id.
    pub id: FileId,
    /// Path below the lake's data path, or absolute.
    pub path: String,
    /// Whether `path` is below the data path.
    pub path_is_relative: bool,
    /// Rows it hides.
    pub delete_count: u64,
    /// Its size.
    pub size_bytes: u64,
}

/// The rows of a table at a snapshot: its files, and what others inlined in the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFiles {
    /// The table.
    pub table: TableId,
    /// A snapshot they are of: the one asked for, or an earlier one since which the table did not change.
    pub snapshot: SnapshotId,
    /// The snapshot at which its columns became what they are. In files of later snapshots they have these names; those of
    /// that snapshot itself may have been written before or after the change.
    pub columns_since: SnapshotId,
    /// Columns that hold values: an array counts as its element.
    pub leaf_columns: u64,
    /// Its files, by id.
    pub files: Vec<DataFile>,
    /// Rows in the catalog itself.
    pub inlined: Option<InlinedRows>,
    /// Positions in files that another writer hid by rows in the catalog, beside what delete files hide.
    pub inlined_deletes: BTreeMap<FileId, Vec<u64>>,
}

/// The smallest and largest value of a column in a file, for pruning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// The file.
    pub file: FileId,
    /// Smallest value in the lake's text form; none is unknown.
    pub min: Option<String>,
    /// Largest value in the lake's text form; none is unknown.
    pub max: Option<String>,
    /// NULLs; none is unknown.
    pub null_count: Option<u64>,
    /// Values, NULLs not counted; none is unknown.
    pub value_count: Option<u64>,
}

/// A file that may be merged with its neighbours: its rows are all there is of it, and it has exactly the table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeInput {
    /// Its id.
    pub id: FileId,
    /// Path below the lake's data path.
    pub path: String,
    /// Rows in it.
    pub record_count: u64,
    /// Its size.
    pub size_bytes: u64,
    /// First row id.
    pub row_id_start: i64,
    /// Since when it is visible.
    pub begin_snapshot: SnapshotId,
    /// Since when all of it is visible: a merged file has rows of several snapshots.
    pub last_snapshot: SnapshotId,
}

impl MergeInput {
    /// The row id behind its last.
    #[must_use]
    pub fn row_id_end(&self) -> i64 {
        self.row_id_start.saturating_add_unsigned(self.record_count)
    }
}

/// Rows that another writer inlined in the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct InlinedRows {
    /// The table.
    pub table: TableId,
    /// Names of the table's top-level columns at the snapshot, in order.
    pub columns: Vec<String>,
    /// The rows' values, in the store's text form; none is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}
