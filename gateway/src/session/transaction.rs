//! An open transaction: its pinned snapshot, its buffered writes, and what its own statements see.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema},
};
use chrono::{DateTime, Utc};
use duckmesh_catalog::{ColumnDef, LakeSchema, Offset, SnapshotId, SnapshotInfo, TableDef, ddl::DdlOp};
use duckmesh_ingest::{Part, SnapshotPin};
use duckmesh_storage::Claim;
use uuid::Uuid;

use super::{advisory::Key, lakes::OpenLake, temporary};
use crate::{commands::write::Payload, sql::plan::QueryPlan, wire::PgError};

/// A transaction, explicit (BEGIN) or implicit (several statements before Sync).
pub struct Transaction {
    /// Whether BEGIN was said.
    pub explicit: bool,
    /// Whether a statement failed: only ROLLBACK (or COMMIT, which then rolls back) goes on.
    pub failed: bool,
    /// `now()`.
    pub started: DateTime<Utc>,
    /// The isolation level that it said.
    pub isolation: Option<String>,
    /// The snapshot all its reads see; pinned by the first statement that needs one.
    pub pin: Option<Pin>,
    /// Its writes in order.
    pub parts: Vec<Part>,
    /// Of its last DDL; 0 without. No other transaction has the same: plans may outlive one that was rolled back.
    pub own_ddl: u64,
    /// Arrow bytes in `parts`.
    pub bytes: usize,
    /// What the client sent, for its idempotency key.
    pub payload: Payload,
    /// Whether its idempotency key was used before: it runs on the snapshot that the first one ran on, and its COMMIT
    /// stores nothing.
    pub is_repeat: bool,
    /// What its DDL found out about rows that others write too: looked at again when others did.
    pub validations: Vec<Validation>,
    /// Tables whose rows its DDL wrote anew: rows that others add meanwhile would be lost.
    pub rewritten: Vec<Uuid>,
    /// What was temporary when it began.
    pub temporary: Arc<temporary::State>,
    /// Keep its staged files, until the log names them.
    claims: Vec<Claim>,
    /// Its own rows as local files, by table: staged ones and scratch ones.
    own: HashMap<Uuid, OwnRows>,
    /// Files of rows that a TRUNCATE hid.
    hidden: Vec<PathBuf>,
    savepoints: Vec<Savepoint>,
    lake: Arc<OpenLake>,
}

/// A number that no DDL of this process had before.
fn next_ddl() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What a row that COPY left out takes in memory, about.
const REJECTED_ROW_BYTES: usize = 512;

/// Queries that must find no row for a change to be right.
pub struct Validation {
    /// What existed when the change was made, the transaction's earlier changes included.
    pub schema: Arc<LakeSchema>,
    /// Each with the error that its first row is.
    pub queries: Vec<(QueryPlan, PgError)>,
    /// How many parts the transaction had before the change.
    parts_before: usize,
}

/// A pinned snapshot.
#[derive(Clone)]
pub struct Pin {
    /// The snapshot.
    pub snapshot: SnapshotInfo,
    /// What exists at it, without the transaction's own changes.
    pub base: Arc<LakeSchema>,
    /// With the transaction's own changes.
    pub schema: Arc<LakeSchema>,
    /// Keeps the snapshot from expiring.
    pub kept: Option<Arc<SnapshotPin>>,
}

impl Pin {
    /// For expressions that may name types of a schema, and no table.
    #[must_use]
    pub fn types_of(schema: &LakeSchema) -> Self {
        let nothing = Self::nothing();
        let known =
            LakeSchema { schemas: schema.schemas.clone(), types: schema.types.clone(), ..(*nothing.schema).clone() };
        Self { schema: Arc::new(known), ..nothing }
    }

    /// For statements that look at nothing: no schema, no snapshot.
    #[must_use]
    pub fn nothing() -> Self {
        let schema = Arc::new(LakeSchema {
            snapshot: SnapshotId::new(0),
            schema_version: -1,
            next_catalog_id: 0,
            ddl_offset: Offset::ZERO,
            schemas: Default::default(),
            tables: Default::default(),
            views: Default::default(),
            sequences: Default::default(),
            types: Default::default(),
        });
        let snapshot = SnapshotInfo {
            id: SnapshotId::new(0),
            time: DateTime::UNIX_EPOCH,
            schema_version: -1,
            watermark: Offset::ZERO,
            ddl_offset: Offset::ZERO,
            gap: None,
        };
        Self { snapshot, base: schema.clone(), schema, kept: None }
    }
}

#[derive(Default)]
struct OwnRows {
    /// Local paths of the staged files among its parts.
    staged: Vec<PathBuf>,
    /// Files made of its row parts, for its own reads.
    scratch: Vec<Scratch>,
    /// Indexes into `parts` of row parts that are in no file yet.
    unwritten: Vec<usize>,
}

/// A file of some row parts.
struct Scratch {
    path: PathBuf,
    /// Indexes into `parts`.
    parts: Vec<usize>,
    rows: usize,
}

impl OwnRows {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.staged.iter().chain(self.scratch.iter().map(|file| &file.path))
    }

    /// The row parts that the next file is made of: the new ones, and those of the files before that are no larger. So a
    /// transaction that writes and reads in turn has few files (the logarithm of its rows), and writes each row as seldom.
    /// Files that are replaced go to `replaced`: an open cursor may read them until the transaction's end.
    fn take_unwritten(&mut self, parts: &[Part], replaced: &mut Vec<PathBuf>) -> Vec<usize> {
        let mut taken = std::mem::take(&mut self.unwritten);
        let mut rows: usize = taken.iter().map(|index| rows_of(parts, *index)).sum();
        while !taken.is_empty()
            && let Some(mut last) = self.scratch.pop_if(|last| last.rows <= rows)
        {
            rows += last.rows;
            last.parts.append(&mut taken);
            taken = last.parts;
            replaced.push(last.path);
        }
        taken
    }
}

fn rows_of(parts: &[Part], index: usize) -> usize {
    match parts.get(index) {
        Some(Part::Rows { batch, .. }) => batch.num_rows(),
        _ => 0,
    }
}

struct Savepoint {
    name: String,
    parts: usize,
    bytes: usize,
    rewritten: usize,
    schema: Option<Arc<LakeSchema>>,
    mark: Mark,
}

/// What the session had at a savepoint, beside the transaction's own.
#[derive(Clone)]
pub struct Mark {
    /// What was temporary.
    pub temporary: Arc<temporary::State>,
    /// The advisory locks of the transaction.
    pub locks: HashMap<(Key, bool), u32>,
    /// Its mark in the settings.
    pub settings: usize,
    /// How far LISTEN and NOTIFY were.
    pub listening: (usize, usize),
    /// When it was.
    pub moment: u64,
}

impl Transaction {
    /// Begins.
    #[must_use]
    pub fn begin(
        lake: Arc<OpenLake>,
        explicit: bool,
        started: DateTime<Utc>,
        temporary: Arc<temporary::State>,
    ) -> Self {
        Self {
            explicit,
            failed: false,
            started,
            isolation: None,
            pin: None,
            parts: Vec::new(),
            own_ddl: 0,
            bytes: 0,
            payload: Payload::collecting(),
            is_repeat: false,
            validations: Vec::new(),
            rewritten: Vec::new(),
            temporary,
            claims: Vec::new(),
            own: HashMap::new(),
            hidden: Vec::new(),
            savepoints: Vec::new(),
            lake,
        }
    }

    /// Adds rows or files of a table.
    pub fn push(&mut self, table: Uuid, part: Part) {
        let own = self.own.entry(table).or_default();
        match &part {
            Part::Rejected(rows) => self.bytes += rows.len() * REJECTED_ROW_BYTES,
            Part::Rows { batch, .. } => {
                self.bytes += batch.get_array_memory_size();
                own.unwritten.push(self.parts.len());
            }
            Part::Files { files, .. } => {
                let folder = self.pin.as_ref().and_then(|pin| table_folder(&pin.schema, table));
                for file in files {
                    let path = folder.as_ref().map(|folder| format!("{folder}{}", file.path));
                    own.staged.extend(path.and_then(|path| self.lake.files.local_path(&path)));
                }
            }
            Part::Ddl(_) => {}
        }
        self.parts.push(part);
    }

    /// Takes over what keeps staged files.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        self.claims.extend(claims);
    }

    /// Notes what the DDL that comes next depends on.
    pub fn push_validation(&mut self, queries: &[(QueryPlan, PgError)]) {
        if let Some(pin) = self.pin.as_ref().filter(|_| !queries.is_empty()) {
            let (schema, queries, parts_before) = (pin.schema.clone(), queries.to_vec(), self.parts.len());
            self.validations.push(Validation { schema, queries, parts_before });
        }
    }

    /// Adds DDL, whose effect on `schema` the caller computed.
    pub fn push_ddl(&mut self, ops: Vec<DdlOp>, schema: Arc<LakeSchema>) {
        if let Some(pin) = &mut self.pin {
            pin.schema = schema;
        }
        self.own_ddl = next_ddl();
        self.forget_truncated(&ops);
        self.parts.push(Part::Ddl(ops));
    }

    /// What was written to a table before it was truncated is not seen any more.
    fn forget_truncated(&mut self, ops: &[DdlOp]) {
        for op in ops {
            if let DdlOp::Truncate { table } = op
                && let Some(own) = self.own.remove(table)
            {
                // Staged files may come back by ROLLBACK TO: they stay until the transaction's end.
                self.hidden.extend(own.paths().cloned());
            }
        }
    }

    /// Whether this transaction truncated a table: then it sees no row that was there before.
    #[must_use]
    pub fn truncates(&self, table: Uuid) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Ddl(ops) if ops.contains(&DdlOp::Truncate { table })))
    }

    /// Local files with this transaction's own rows of a table. Rows that are in no file yet are written to one.
    ///
    /// # Errors
    /// When the scratch folder cannot be written.
    pub async fn own_files(&mut self, table: &Arc<TableDef>) -> Result<Vec<PathBuf>, duckmesh_storage::Error> {
        let Some(own) = self.own.get_mut(&table.uuid) else { return Ok(Vec::new()) };
        let mut groups: Vec<(Vec<duckmesh_catalog::ColumnId>, Vec<_>, Vec<usize>)> = Vec::new();
        for index in own.take_unwritten(&self.parts, &mut self.hidden) {
            let Some(Part::Rows { columns, batch, .. }) = self.parts.get(index) else { continue };
            // Columns that this transaction dropped after it wrote them.
            let kept: Vec<usize> = (0..columns.len())
                .filter(|i| columns.get(*i).is_some_and(|id| table.column_by_id(*id).is_some()))
                .collect();
            let columns = kept.iter().filter_map(|i| columns.get(*i).copied()).collect::<Vec<_>>();
            let Ok(batch) = batch.project(&kept) else { continue };
            let (columns, batch) = match table.column_of_nulls().filter(|_| kept.is_empty()) {
                // As publication does: a column that shows its rows as NULL says that they are there.
                Some(column) => (vec![column.id], nulls(column, batch.num_rows())?),
                None => {
                    let batch = in_types(table, &columns, batch)?;
                    (columns, batch)
                }
            };
            match groups.last_mut().filter(|(last, ..)| *last == columns) {
                Some((_, batches, parts)) => {
                    batches.push(batch);
                    parts.push(index);
                }
                None => groups.push((columns, vec![batch], vec![index])),
            }
        }
        for (columns, batches, parts) in groups {
            let path = scratch_path(&self.lake.scratch);
            let (table, to) = (table.clone(), path.clone());
            let rows = batches.iter().map(|batch| batch.num_rows()).sum();
            tokio::task::spawn_blocking(move || duckmesh_storage::write_scratch(&table, &columns, &batches, &to))
                .await
                .map_err(|e| duckmesh_storage::Error::new(duckmesh_storage::ErrorKind::Io, e.to_string()))??;
            own.scratch.push(Scratch { path, parts, rows });
        }
        Ok(own.paths().cloned().collect())
    }

    /// Whether it is within a savepoint: a transaction of its own to Postgres.
    #[must_use]
    pub fn has_savepoint(&self) -> bool {
        !self.savepoints.is_empty()
    }

    /// SAVEPOINT.
    pub fn savepoint(&mut self, name: String, mark: Mark) {
        self.savepoints.push(Savepoint {
            name,
            parts: self.parts.len(),
            bytes: self.bytes,
            rewritten: self.rewritten.len(),
            schema: self.pin.as_ref().map(|pin| pin.schema.clone()),
            mark,
        });
    }

    /// RELEASE: what the session had at the savepoint. None if there is none of that name.
    pub fn release(&mut self, name: &str) -> Option<Mark> {
        let at = self.savepoints.iter().rposition(|s| s.name == name)?;
        self.savepoints.drain(at..).next().map(|savepoint| savepoint.mark)
    }

    /// ROLLBACK TO: what the session had at the savepoint. None if there is none of that name.
    pub fn rollback_to(&mut self, name: &str) -> Option<Mark> {
        let at = self.savepoints.iter().rposition(|s| s.name == name)?;
        self.savepoints.truncate(at + 1);
        if let Some(mark) = self.savepoints.get(at) {
            self.parts.truncate(mark.parts);
            self.validations.retain(|validation| validation.parts_before < mark.parts);
            self.bytes = mark.bytes;
            // A plan made after the savepoint is as old as one made before it.
            self.own_ddl = next_ddl();
            self.rewritten.truncate(mark.rewritten);
            if let Some(pin) = &mut self.pin {
                pin.schema = mark.schema.clone().unwrap_or_else(|| pin.base.clone());
            }
        }
        self.rebuild_own();
        self.failed = false;
        self.savepoints.get(at).map(|savepoint| savepoint.mark.clone())
    }

    /// Takes the writes, for the log: from here on staged files may be the lake's.
    pub fn take_parts(&mut self) -> Vec<Part> {
        self.own.values_mut().for_each(|own| own.staged.clear());
        self.hidden.retain(|path| path.starts_with(&self.lake.scratch));
        std::mem::take(&mut self.parts)
    }

    /// After parts were cut off: scratch files may hold rows that are gone, so all own rows are written again on demand.
    fn rebuild_own(&mut self) {
        let mut before: Vec<PathBuf> = self.own.values().flat_map(OwnRows::paths).cloned().collect();
        before.append(&mut self.hidden);
        self.own.clear();
        let parts = std::mem::take(&mut self.parts);
        let bytes = std::mem::take(&mut self.bytes);
        for part in parts {
            match part {
                Part::Rows { table, .. } | Part::Files { table, .. } => self.push(table, part),
                Part::Ddl(ops) => {
                    self.forget_truncated(&ops);
                    self.parts.push(Part::Ddl(ops));
                }
                Part::Rejected(rows) => self.parts.push(Part::Rejected(rows)),
            }
        }
        self.bytes = bytes;
        let kept: Vec<&PathBuf> = self.own.values().flat_map(OwnRows::paths).chain(&self.hidden).collect();
        before.iter().filter(|path| !kept.contains(path)).for_each(remove);
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Scratch files, and staged files of writes that never went to the log.
        self.own.values().flat_map(OwnRows::paths).chain(&self.hidden).for_each(remove);
    }
}

fn remove(path: &PathBuf) {
    // A file that cannot be removed now is garbage that nothing refers to.
    let _ = std::fs::remove_file(path);
}

/// Rows of one column that is NULL in all of them.
fn nulls(column: &ColumnDef, rows: usize) -> Result<RecordBatch, duckmesh_storage::Error> {
    let field = Field::new(&column.name, column.ty.arrow(), true);
    let array = arrow::array::new_null_array(field.data_type(), rows);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array])
        .map_err(|e| duckmesh_storage::Error::new(duckmesh_storage::ErrorKind::Invalid, e.to_string()))
}

/// Rows in the types that their columns have by now: the transaction may have widened one after it wrote to it.
fn in_types(
    table: &TableDef,
    columns: &[duckmesh_catalog::ColumnId],
    batch: RecordBatch,
) -> Result<RecordBatch, duckmesh_storage::Error> {
    let failed = |e: arrow::error::ArrowError| {
        duckmesh_storage::Error::new(duckmesh_storage::ErrorKind::Invalid, format!("rows of an older type: {e}"))
    };
    let wanted: Vec<_> = columns.iter().map(|id| table.column_by_id(*id).map(|column| column.ty.arrow())).collect();
    let fits = |(field, ty): (&Arc<Field>, &Option<DataType>)| {
        ty.as_ref().is_none_or(|ty| field.data_type().equals_datatype(ty))
    };
    if batch.schema_ref().fields().iter().zip(&wanted).all(fits) {
        return Ok(batch);
    }
    let mut named = Vec::with_capacity(wanted.len());
    for ((array, field), ty) in batch.columns().iter().zip(batch.schema_ref().fields()).zip(&wanted) {
        let array = match ty {
            Some(ty) if !field.data_type().equals_datatype(ty) => arrow::compute::cast(array, ty).map_err(failed)?,
            _ => Arc::clone(array),
        };
        named.push((Field::new(field.name(), array.data_type().clone(), true), array));
    }
    let (fields, arrays): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(failed)
}

/// A new file in the scratch folder.
#[must_use]
pub fn scratch_path(scratch: &std::path::Path) -> PathBuf {
    scratch.join(format!("{}{}.parquet", crate::limits::SCRATCH_FILE_PREFIX, Uuid::new_v4().simple()))
}

/// Folder of a table below the lake's data path.
#[must_use]
pub fn table_folder(schema: &LakeSchema, table: Uuid) -> Option<String> {
    let table = schema.table_by_uuid(table)?;
    let folder = schema.schemas.values().find(|s| s.id == table.schema_id)?;
    Some(format!("{}{}", folder.path, table.path))
}
