//! The files of a table at a snapshot, and the statistics to prune them by; only what is new is read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    Catalog, ColumnId, ErrorKind, FileId, LakeId, SnapshotId, TableId,
    catalog::{Book, Result, lock},
    error::Error,
    files::{DataFile, DeleteFile, FileRange, TableFiles},
    params,
    store::{Row, Store},
};

mod changes;
mod inlined;

use inlined::Inlined;

/// Answers of one table that are remembered: the newest, and a few that transactions pinned.
const ANSWERS_REMEMBERED: usize = 8;

/// An answer may name files that another process merged meanwhile and will delete: older ones are asked for again.
const ANSWER_AGE_MAX: TimeDelta = TimeDelta::seconds(30);
/// Merges that may happen, one after the other, while files are read.
const REFRESHES_MAX: usize = 16;
/// Ranges of files that are gone are dropped when there are so many more ranges than files.
const RANGES_SPARE_MAX: usize = 1024;

type Ranges = Arc<HashMap<FileId, FileRange>>;

/// Statistics of a column, extended by one reader at a time.
type SharedRanges = Arc<AsyncMutex<RangeEntry>>;

/// What is remembered of a lake's files.
#[derive(Default)]
pub(crate) struct FileCache {
    tables: Mutex<HashMap<TableId, Arc<AsyncMutex<Entry>>>>,
    ranges: Mutex<HashMap<(TableId, ColumnId), SharedRanges>>,
    /// Merges that this process made or tried.
    pub(crate) merges: AtomicU64,
}

/// All files a table ever had, as far as the catalog still has them.
#[derive(Default)]
struct Entry {
    /// The newest snapshot of the lake that is in here; none: nothing was read yet.
    upto: Option<i64>,
    /// When that was, and how many merges this process had made.
    read_at: DateTime<Utc>,
    merges: u64,
    folders: Folders,
    files: BTreeMap<i64, FileRow>,
    deletes: BTreeMap<i64, DeleteRow>,
    inlined: Inlined,
    columns: Vec<ColumnRow>,
    /// Snapshots at which the answer changes.
    steps: BTreeSet<i64>,
    /// Below this snapshot the rows of merged files differ with each snapshot.
    partial_max: Option<i64>,
    /// Answers by the step they begin at.
    answers: Vec<(i64, Arc<TableFiles>)>,
}

/// A folder below the lake's data path, or absolute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    path: String,
    is_relative: bool,
}

struct FileRow {
    file: DataFile,
    end: Option<i64>,
}

/// The life of a column, nested ones too.
struct ColumnRow {
    id: i64,
    parent: Option<i64>,
    begin: i64,
    end: Option<i64>,
}

struct DeleteRow {
    data_file: i64,
    begin: i64,
    end: Option<i64>,
    file: DeleteFile,
}

#[derive(Default)]
struct RangeEntry {
    upto_file: i64,
    ranges: Ranges,
}

impl Catalog {
    /// The files of a table at a snapshot.
    pub async fn files(&self, lake: LakeId, snapshot: SnapshotId, table: TableId) -> Result<Arc<TableFiles>> {
        let book = self.book(lake).await?;
        let entry = Arc::clone(lock(&book.files.tables).entry(table).or_default());
        let mut entry = self.patiently(entry.lock()).await?;
        let (now, merges) = (self.now(), book.files.merges.load(Ordering::Acquire));
        let is_old = now.signed_duration_since(entry.read_at).abs() > ANSWER_AGE_MAX || entry.merges != merges;
        if entry.upto != Some(snapshot.get()) || is_old {
            if let Err(error) = entry.refresh(&book.store, table).await {
                // Half of what happened may be in it.
                *entry = Entry::default();
                return Err(error);
            }
            (entry.read_at, entry.merges) = (now, merges);
        }
        let answer = entry.answer(&book.store, table, snapshot).await?;
        if entry.upto != Some(snapshot.get()) {
            // Of a snapshot that expired meanwhile some files may have been missing in what was read.
            let sql = "SELECT 1 FROM @ducklake_snapshot WHERE snapshot_id = $1";
            if book.store.query_opt(sql, params![snapshot]).await?.is_none() {
                return Err(Error::new(
                    ErrorKind::SnapshotExpired,
                    format!("snapshot {snapshot} is not there any more"),
                ));
            }
        }
        Ok(answer)
    }

    /// The range of a column in each file of a table that has statistics.
    pub async fn ranges(
        &self,
        lake: LakeId,
        table: TableId,
        column: ColumnId,
    ) -> Result<Arc<HashMap<FileId, FileRange>>> {
        let book = self.book(lake).await?;
        let (newest, files) = self.newest_file(&book, table).await?.unzip();
        let entry = Arc::clone(
            lock(&book.files.ranges)
                .entry((table, column))
                .or_insert_with(|| Arc::new(AsyncMutex::new(RangeEntry { upto_file: -1, ranges: Ranges::default() }))),
        );
        let mut entry = self.patiently(entry.lock()).await?;
        if files.is_some_and(|files| entry.ranges.len() > 2 * files + RANGES_SPARE_MAX) {
            *entry = RangeEntry { upto_file: -1, ranges: Ranges::default() };
        }
        if newest.is_none_or(|newest| newest > entry.upto_file) {
            entry.extend(&book.store, table, column).await?;
            // Files without statistics of this column need not be asked for again.
            entry.upto_file = entry.upto_file.max(newest.unwrap_or(-1));
        }
        Ok(Arc::clone(&entry.ranges))
    }

    /// The newest file that [`Catalog::files`] has seen of a table, and how many there are.
    async fn newest_file(&self, book: &Book, table: TableId) -> Result<Option<(i64, usize)>> {
        let Some(entry) = lock(&book.files.tables).get(&table).map(Arc::clone) else { return Ok(None) };
        let entry = self.patiently(entry.lock()).await?;
        Ok(entry.upto.map(|_| (entry.newest_file(), entry.files.len())))
    }
}

impl RangeEntry {
    async fn extend(&mut self, store: &Store, table: TableId, column: ColumnId) -> Result<()> {
        let rows = store
            .query(
                "SELECT data_file_id, min_value, max_value, null_count, value_count
                 FROM @ducklake_file_column_stats WHERE table_id = $1 AND column_id = $2 AND data_file_id > $3",
                params![table, column, self.upto_file],
            )
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let ranges = Arc::make_mut(&mut self.ranges);
        for row in rows {
            let id = row.int(0)?;
            let range = FileRange {
                file: FileId::new(id),
                min: row.opt_text(1)?,
                max: row.opt_text(2)?,
                null_count: row.opt_count(3)?,
                value_count: row.opt_count(4)?,
            };
            ranges.insert(range.file, range);
            self.upto_file = self.upto_file.max(id);
        }
        Ok(())
    }
}

impl Entry {
    /// Reads what happened since the newest snapshot in here.
    async fn refresh(&mut self, store: &Store, table: TableId) -> Result<()> {
        let (mut newest, mut effect) = self.changes(store, table).await?;
        for _ in 0..REFRESHES_MAX {
            let is_nothing = effect == changes::Effect::default();
            if !is_nothing {
                self.apply(store, table, &effect).await?;
            }
            self.upto = Some(newest);
            if is_nothing {
                return Ok(());
            }
            // Files that were merged while these were read are missing in what was read.
            let (later, since) = self.changes(store, table).await?;
            if !since.merged && !since.rewritten {
                return Ok(());
            }
            (newest, effect) = (later, since);
        }
        Err(Error::new(ErrorKind::Retry, format!("the files of table {table} are merged faster than they are read")))
    }

    /// The lake's newest snapshot, and what the snapshots up to it did to the table since the newest in here.
    async fn changes(&self, store: &Store, table: TableId) -> Result<(i64, changes::Effect)> {
        let mut effect = changes::Effect::default();
        let Some(since) = self.upto else {
            effect.rewritten = true;
            let row = store.query_one("SELECT max(snapshot_id) FROM @ducklake_snapshot", vec![]).await?;
            return Ok((row.int(0)?, effect));
        };
        let rows = store
            .query(
                "SELECT s.snapshot_id, c.changes_made FROM @ducklake_snapshot s
                 LEFT JOIN @ducklake_snapshot_changes c ON c.snapshot_id = s.snapshot_id
                 WHERE s.snapshot_id > $1 ORDER BY s.snapshot_id",
                params![since],
            )
            .await?;
        for (row, expected) in rows.iter().zip(since.saturating_add(1)..) {
            // What an expired snapshot did is not known.
            effect.rewritten |= row.int(0)? != expected;
            effect.add(row.opt_text(1)?.as_deref(), table);
        }
        Ok((rows.last().map_or(Ok(since), |row| row.int(0))?, effect))
    }

    async fn apply(&mut self, store: &Store, table: TableId, effect: &changes::Effect) -> Result<()> {
        let since = self.upto.unwrap_or(-1);
        if effect.altered {
            self.folders = Folders::default();
        }
        let is_whole = if effect.rewritten {
            false
        } else if effect.merged {
            self.read_merged(store, table, since).await?
        } else {
            if effect.files {
                self.read_files(store, table, since).await?;
            }
            true
        };
        if !is_whole {
            // History itself may be other now (rewritten files, flushed rows): begin anew.
            *self = Self::default();
            self.read_files(store, table, -1).await?;
        }
        if effect.altered || !is_whole {
            self.read_columns(store, table).await?;
        }
        if effect.inlined || !is_whole {
            self.inlined = Inlined::read(store, table).await?;
            self.steps.extend(self.inlined.steps());
        }
        Ok(())
    }

    /// Takes merged files in the place of those that they were made of. False where the catalog has another number of
    /// files then: another program did more.
    async fn read_merged(&mut self, store: &Store, table: TableId, since: i64) -> Result<bool> {
        let known = self.newest_file();
        self.read_files(store, table, since).await?;
        let merged: Vec<_> = self
            .files
            .range(known.saturating_add(1)..)
            .filter(|(_, row)| row.file.partial_max.is_some())
            .filter_map(|(id, row)| {
                let start = row.file.row_id_start?;
                Some((*id, start..start.saturating_add_unsigned(row.file.record_count)))
            })
            .collect();
        self.files.retain(|id, row| {
            let start = row.file.row_id_start;
            let is_in = |rows: &std::ops::Range<i64>| start.is_some_and(|start| rows.contains(&start));
            row.end.is_some() || !merged.iter().any(|(by, rows)| id < by && is_in(rows))
        });
        self.answers.clear();
        let sql = "SELECT count(*) FROM @ducklake_data_file WHERE table_id = $1 AND data_file_id <= $2";
        let count = store.query_one(sql, params![table, self.newest_file()]).await?.count(0)?;
        Ok(count == self.files.len() as u64)
    }

    fn newest_file(&self) -> i64 {
        self.files.last_key_value().map_or(-1, |(id, _)| *id)
    }

    async fn read_files(&mut self, store: &Store, table: TableId, since: i64) -> Result<()> {
        let rows = store
            .query(
                "SELECT data_file_id, path, path_is_relative, record_count, file_size_bytes, row_id_start,
                    begin_snapshot, partial_max, end_snapshot, mapping_id,
                    (SELECT count(*) FROM @ducklake_file_column_stats s WHERE s.data_file_id = f.data_file_id)
                 FROM @ducklake_data_file f
                 WHERE table_id = $1 AND (begin_snapshot > $2 OR end_snapshot > $2 OR data_file_id > $3)",
                // A merged file is new, and visible since its oldest rows are.
                params![table, since, self.newest_file()],
            )
            .await?;
        if self.folders.0.is_empty() {
            self.folders = Folders::read(store, table).await?;
        }
        let gone = || Error::new(ErrorKind::NotFound, format!("table {table} does not exist"));
        for row in rows {
            let file = file_row(&row, self.folders.at(row.int(6)?).ok_or_else(gone)?)?;
            self.steps.insert(file.file.begin_snapshot.get());
            self.steps.extend(file.end);
            self.partial_max = self.partial_max.max(file.file.partial_max.map(SnapshotId::get));
            self.files.insert(file.file.id.get(), file);
        }
        let rows = store
            .query(
                "SELECT delete_file_id, path, path_is_relative, delete_count, file_size_bytes,
                    data_file_id, begin_snapshot, end_snapshot
                 FROM @ducklake_delete_file WHERE table_id = $1 AND (begin_snapshot > $2 OR end_snapshot > $2)",
                params![table, since],
            )
            .await?;
        for row in rows {
            let delete = delete_row(&row, self.folders.at(row.int(6)?).ok_or_else(gone)?)?;
            self.steps.insert(delete.begin);
            self.steps.extend(delete.end);
            self.deletes.insert(delete.file.id.get(), delete);
        }
        Ok(())
    }

    async fn read_columns(&mut self, store: &Store, table: TableId) -> Result<()> {
        let sql = "SELECT column_id, parent_column, begin_snapshot, end_snapshot
             FROM @ducklake_column WHERE table_id = $1";
        self.columns.clear();
        for row in store.query(sql, params![table]).await? {
            let column =
                ColumnRow { id: row.int(0)?, parent: row.opt_int(1)?, begin: row.int(2)?, end: row.opt_int(3)? };
            self.steps.insert(column.begin);
            self.steps.extend(column.end);
            self.columns.push(column);
        }
        Ok(())
    }

    async fn answer(&mut self, store: &Store, table: TableId, at: SnapshotId) -> Result<Arc<TableFiles>> {
        let step = match self.partial_max {
            Some(max) if at.get() < max => at.get(),
            _ => self.steps.range(..=at.get()).next_back().copied().unwrap_or(-1),
        };
        if let Some((_, answer)) = self.answers.iter().find(|(known, _)| *known == step) {
            return Ok(Arc::clone(answer));
        }
        let at_id = at.get();
        let visible = |begin: i64, end: Option<i64>| begin <= at_id && end.is_none_or(|end| end > at_id);
        let mut deletes: HashMap<i64, &DeleteFile> = HashMap::new();
        for delete in self.deletes.values().filter(|d| visible(d.begin, d.end)) {
            deletes.insert(delete.data_file, &delete.file);
        }
        let files: Vec<DataFile> = self
            .files
            .values()
            .filter(|row| visible(row.file.begin_snapshot.get(), row.end))
            .map(|row| DataFile { deletes: deletes.get(&row.file.id.get()).copied().cloned(), ..row.file.clone() })
            .collect();
        let inlined_deletes = self.inlined.deletes_at(at_id, &files);
        let columns: Vec<&ColumnRow> = self.columns.iter().filter(|c| visible(c.begin, c.end)).collect();
        let parents: BTreeSet<i64> = columns.iter().filter_map(|c| c.parent).collect();
        let answer = Arc::new(TableFiles {
            table,
            snapshot: at,
            columns_since: SnapshotId::new(columns.iter().map(|c| c.begin).max().unwrap_or(at_id)),
            leaf_columns: columns.iter().filter(|c| !parents.contains(&c.id)).count() as u64,
            files,
            inlined: self.inlined.rows_at(store, table, at).await?,
            inlined_deletes,
        });
        if self.answers.len() >= ANSWERS_REMEMBERED {
            self.answers.remove(0);
        }
        self.answers.push((step, Arc::clone(&answer)));
        Ok(answer)
    }
}

pub(crate) async fn folder(store: &Store, table: TableId) -> Result<Folder> {
    let folders = Folders::read(store, table).await?;
    folders
        .at(i64::MAX)
        .cloned()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("table {table} does not exist")))
}

/// The folders that a table had: a table that moved to another schema has its files there from then on.
#[derive(Debug, Default)]
struct Folders(Vec<(i64, Folder)>);

impl Folders {
    async fn read(store: &Store, table: TableId) -> Result<Self> {
        let rows = store
            .query(
                "SELECT s.path, s.path_is_relative, t.path, t.path_is_relative, t.begin_snapshot
                 FROM @ducklake_table t JOIN (
                    SELECT DISTINCT schema_id, path, path_is_relative FROM @ducklake_schema) s ON s.schema_id = t.schema_id
                 WHERE t.table_id = $1 ORDER BY t.begin_snapshot",
                params![table],
            )
            .await?;
        let mut folders = Vec::with_capacity(rows.len());
        for row in &rows {
            let schema =
                Folder { path: row.opt_text(0)?.unwrap_or_default(), is_relative: row.opt_bool(1)?.unwrap_or(true) };
            let (path, is_relative) = below(&schema, row.opt_text(2)?.unwrap_or_default(), row.opt_bool(3)?);
            folders.push((row.int(4)?, Folder { path, is_relative }));
        }
        Ok(Self(folders))
    }

    /// Where files are that begin at a snapshot.
    fn at(&self, snapshot: i64) -> Option<&Folder> {
        let known = self.0.iter().rev().find(|(begin, _)| *begin <= snapshot);
        known.or_else(|| self.0.first()).map(|(_, folder)| folder)
    }
}

/// A path that may be relative to a folder that may be relative to the lake's data path.
pub(crate) fn below(folder: &Folder, path: String, path_is_relative: Option<bool>) -> (String, bool) {
    if path_is_relative.unwrap_or(true) {
        (format!("{}{path}", folder.path), folder.is_relative)
    } else {
        (path, false)
    }
}

fn file_row(row: &Row, folder: &Folder) -> Result<FileRow> {
    let (path, path_is_relative) = below(folder, row.text(1)?, row.opt_bool(2)?);
    Ok(FileRow {
        file: DataFile {
            id: FileId::new(row.int(0)?),
            path,
            path_is_relative,
            record_count: row.count(3)?,
            size_bytes: row.count(4)?,
            row_id_start: row.opt_int(5)?,
            begin_snapshot: SnapshotId::new(row.int(6)?),
            partial_max: row.opt_int(7)?.map(SnapshotId::new),
            is_mapped: row.opt_int(9)?.is_some(),
            columns_with_stats: row.count(10)?,
            deletes: None,
        },
        end: row.opt_int(8)?,
    })
}

fn delete_row(row: &Row, folder: &Folder) -> Result<DeleteRow> {
    let (path, path_is_relative) = below(folder, row.text(1)?, row.opt_bool(2)?);
    Ok(DeleteRow {
        file: DeleteFile {
            id: FileId::new(row.int(0)?),
            path,
            path_is_relative,
            delete_count: row.count(3)?,
            size_bytes: row.count(4)?,
        },
        data_file: row.int(5)?,
        begin: row.int(6)?,
        end: row.opt_int(7)?,
    })
}
