//! A session's temporary tables, views and sequences: what they are, and where their rows lie.
//!
//! Nothing of them reaches the log, the lake or another session. Rows are Parquet files in the scratch folder, which any
//! engine worker can read, and which go when the last state that holds them goes. A state is changed by copy: a
//! transaction and its savepoints keep the ones they began with, and ROLLBACK puts that back.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use arrow::array::RecordBatch;
use duckmesh_catalog::{
    ColumnId, LakeSchema, SchemaDef, SchemaId, SequenceDef, TableDef,
    ddl::{CommentTarget, DdlOp},
};
use uuid::Uuid;

use super::{Pin, scratch_path};
use crate::{
    commands::failure,
    limits::{BUFFERED_WRITE_BYTES_MAX, TEMPORARY_OBJECTS_MAX},
    wire::{PgError, PgResult, SqlState},
};

/// Ids from here on are of temporary objects: no lake's own count comes that far, and oids are made of them.
const FIRST_ID: i64 = 1_000_000_000;
static NEXT_ID: AtomicI64 = AtomicI64::new(FIRST_ID);

/// What names begin with that schemas of sessions have.
pub const SCHEMA_PREFIX: &str = "pg_temp_";
/// The name by which each session knows its own.
pub const SCHEMA_ALIAS: &str = "pg_temp";

/// What happens to a table's rows when a transaction commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCommit {
    /// They go.
    DeleteRows,
    /// The table goes.
    Drop,
}

/// The temporary objects of one session.
pub struct Temporary {
    scratch: PathBuf,
    /// Name and identity of its schema.
    name: String,
    uuid: Uuid,
    id: SchemaId,
    /// Whether anything temporary was ever made here: before, nobody sees the schema.
    used: bool,
    state: Arc<State>,
    /// Differs for each state it ever had.
    version: u64,
    bytes_max: u64,
    /// The lake's schema with this one in it, for the last that was asked for.
    shown: Mutex<Option<Shown>>,
}

struct Shown {
    of: Arc<LakeSchema>,
    version: u64,
    with: Arc<LakeSchema>,
}

/// All of it at one moment.
#[derive(Clone)]
pub struct State {
    schema: Arc<LakeSchema>,
    rows: HashMap<Uuid, Rows>,
    on_commit: HashMap<Uuid, OnCommit>,
}

/// A table's rows, in order: files, then those in memory.
#[derive(Clone, Default)]
struct Rows {
    files: Vec<Arc<TempFile>>,
    tail: Vec<(Vec<ColumnId>, RecordBatch)>,
    tail_bytes: usize,
    /// The rows of `tail` as files, once somebody read them.
    tail_files: Vec<Arc<TempFile>>,
}

/// A file with rows; it is removed with the last that holds it.
pub struct TempFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a path says itself where temporary tables are looked for.
#[must_use]
pub fn names_own(path: &[String], own: &str) -> bool {
    path.iter().any(|name| name == own || name == SCHEMA_ALIAS)
}

/// Whether a statement that makes something may make something temporary.
#[must_use]
pub fn mentions(text: &str) -> bool {
    text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"temp"))
}

/// Whether a table is temporary.
#[must_use]
pub fn is_temporary(table: &TableDef) -> bool {
    table.schema_id.get() >= FIRST_ID
}

/// Whether a sequence is temporary.
#[must_use]
pub fn is_temporary_sequence(sequence: &SequenceDef) -> bool {
    sequence.schema_id.get() >= FIRST_ID
}

/// Writes rows to a new file of the scratch folder.
///
/// # Errors
/// When the folder cannot be written.
pub async fn write_file(
    scratch: &std::path::Path,
    table: &Arc<TableDef>,
    columns: Vec<ColumnId>,
    batches: Vec<RecordBatch>,
) -> PgResult<Arc<TempFile>> {
    let path = scratch_path(scratch);
    let (table, to) = (table.clone(), path.clone());
    let bytes = tokio::task::spawn_blocking(move || {
        duckmesh_storage::write_scratch(&table, &columns, &batches, &to)?;
        Ok(std::fs::metadata(&to).map_or(0, |m| m.len()))
    })
    .await
    .map_err(PgError::internal)?
    .map_err(failure::storage)?;
    Ok(Arc::new(TempFile { path, bytes }))
}

impl Temporary {
    /// None yet. `bytes_max`: what the rows of all tables together may take.
    #[must_use]
    pub fn new(scratch: PathBuf, process_id: i32, bytes_max: u64) -> Self {
        let id = SchemaId::new(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let name = format!("{SCHEMA_PREFIX}{}", process_id.unsigned_abs());
        let uuid = Uuid::new_v4();
        let state = Arc::new(State::empty(id, uuid, &name));
        Self { scratch, name, uuid, id, used: false, state, version: 0, bytes_max, shown: Mutex::default() }
    }

    /// The schema's name, where anything temporary was made.
    #[must_use]
    pub fn schema_name(&self) -> Option<&str> {
        self.used.then_some(self.name.as_str())
    }

    /// The schema's id.
    #[must_use]
    pub fn schema_id(&self) -> SchemaId {
        self.id
    }

    /// Shows the schema from now on: something is about to be made in it.
    pub fn show(&mut self) {
        if !std::mem::replace(&mut self.used, true) {
            self.version += 1;
        }
    }

    /// Which state this is: another number whenever plans may be old.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What there is now, to come back to.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Comes back to it.
    pub fn restore(&mut self, state: Arc<State>) {
        if !Arc::ptr_eq(&self.state, &state) {
            self.state = state;
            self.version += 1;
        }
    }

    /// DISCARD TEMP.
    pub fn discard(&mut self) {
        if self.used {
            self.restore(Arc::new(State::empty(self.id, self.uuid, &self.name)));
        }
    }

    /// A transaction committed: what was to go then goes.
    pub fn committed(&mut self) {
        if self.state.on_commit.is_empty() {
            return;
        }
        let drops: Vec<DdlOp> = self
            .state
            .on_commit
            .iter()
            .filter(|(_, action)| **action == OnCommit::Drop)
            .map(|(table, _)| DdlOp::DropTable { uuid: *table })
            .collect();
        let emptied: Vec<Uuid> = self.state.on_commit.keys().copied().collect();
        if !drops.is_empty() {
            // Each names something that is there.
            let _ = self.apply(&drops);
        }
        let has_rows = emptied.iter().any(|table| self.state.rows.contains_key(table));
        if has_rows {
            let state = Arc::make_mut(&mut self.state);
            emptied.iter().for_each(|table| drop(state.rows.remove(table)));
        }
    }

    /// The lake's schema with what is temporary in it.
    #[must_use]
    pub fn shown(&self, schema: &Arc<LakeSchema>) -> Arc<LakeSchema> {
        if !self.used {
            return schema.clone();
        }
        let mut known = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = known.as_ref().filter(|s| s.version == self.version && Arc::ptr_eq(&s.of, schema)) {
            return shown.with.clone();
        }
        let mut with = (**schema).clone();
        // A transaction's schema has what was temporary when its last DDL ran.
        with.tables.retain(|_, t| t.schema_id != self.id);
        with.views.retain(|_, v| v.schema_id != self.id);
        with.sequences.retain(|_, s| s.schema_id != self.id);
        let own = &self.state.schema;
        for def in own.schemas.values() {
            with.schemas.insert(def.name.clone(), def.clone());
            with.schemas.insert(SCHEMA_ALIAS.to_owned(), def.clone());
        }
        with.tables.extend(own.tables.iter().map(|(id, t)| (*id, t.clone())));
        with.views.extend(own.views.iter().map(|(id, v)| (*id, v.clone())));
        with.sequences.extend(own.sequences.iter().map(|(id, s)| (*id, s.clone())));
        // They have the enums of the moment they were made in.
        with.link_types();
        let with = Arc::new(with);
        *known = Some(Shown { of: schema.clone(), version: self.version, with: with.clone() });
        with
    }

    /// A pin with what is temporary in its schema.
    #[must_use]
    pub fn in_pin(&self, pin: Pin) -> Pin {
        Pin { schema: self.shown(&pin.schema), ..pin }
    }

    /// Divides changes into those of the lake and those of temporary objects.
    #[must_use]
    pub fn split(&self, ops: Vec<DdlOp>) -> (Vec<DdlOp>, Vec<DdlOp>) {
        let mut known = self.known();
        ops.into_iter().partition(|op| !self.is_own(op, &mut known))
    }

    /// Whether all of these changes are of temporary objects.
    #[must_use]
    pub fn owns(&self, ops: &[DdlOp]) -> bool {
        let mut known = self.known();
        self.used && !ops.is_empty() && ops.iter().all(|op| self.is_own(op, &mut known))
    }

    /// What is temporary.
    fn known(&self) -> Vec<Uuid> {
        let own = &self.state.schema;
        let tables = own.tables.values().map(|t| t.uuid);
        let views = own.views.values().map(|v| v.uuid);
        tables.chain(views).chain(own.sequences.values().map(|s| s.uuid)).chain([self.uuid]).collect()
    }

    /// Whether a change is of something temporary; what it makes is known from then on.
    fn is_own(&self, op: &DdlOp, known: &mut Vec<Uuid>) -> bool {
        let (object, schema) = target(op);
        if schema == Some(self.uuid) {
            known.push(object);
        }
        known.contains(&object)
    }

    /// Writes rows that are in memory only, of tables that are about to change: they are of the columns of now.
    ///
    /// # Errors
    /// When the scratch folder cannot be written.
    pub async fn settle(&mut self, ops: &[DdlOp]) -> PgResult<()> {
        for op in ops.iter().filter(|op| !matches!(op, DdlOp::Truncate { .. } | DdlOp::DropTable { .. })) {
            let table = target(op).0;
            if let Some(def) = self.state.schema.table_by_uuid(table).cloned() {
                self.flush(&def).await?;
            }
        }
        Ok(())
    }

    /// Makes changes, all of temporary objects.
    ///
    /// # Errors
    /// When they do not fit; 54000 where there are too many objects.
    pub fn apply(&mut self, ops: &[DdlOp]) -> PgResult<()> {
        let mut schema = (*self.state.schema).clone();
        let count = i64::try_from(ops.len()).unwrap_or(i64::MAX);
        schema.next_catalog_id = NEXT_ID.fetch_add(count, Ordering::Relaxed);
        let schema = schema.apply(ops).map_err(failure::catalog)?;
        if schema.tables.len() + schema.views.len() + schema.sequences.len() > TEMPORARY_OBJECTS_MAX {
            let message = format!("a session can have at most {TEMPORARY_OBJECTS_MAX} temporary objects");
            return Err(PgError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message));
        }
        let state = Arc::make_mut(&mut self.state);
        for op in ops {
            match op {
                DdlOp::Truncate { table } => drop(state.rows.remove(table)),
                DdlOp::DropTable { uuid } => {
                    state.rows.remove(uuid);
                    state.on_commit.remove(uuid);
                }
                _ => {}
            }
        }
        state.schema = Arc::new(schema);
        self.version += 1;
        Ok(())
    }

    /// ON COMMIT.
    pub fn set_on_commit(&mut self, table: Uuid, action: OnCommit) {
        Arc::make_mut(&mut self.state).on_commit.insert(table, action);
    }

    /// How many bytes of rows are left.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.bytes_max.saturating_sub(self.state.rows.values().map(Rows::bytes).sum())
    }

    /// Adds rows to a table: files, then what is in memory.
    ///
    /// # Errors
    /// 53400 where they take more than a session may have.
    pub async fn push(
        &mut self,
        table: &Arc<TableDef>,
        files: Vec<Arc<TempFile>>,
        tail: Vec<(Vec<ColumnId>, RecordBatch)>,
    ) -> PgResult<()> {
        if !files.is_empty() {
            // What is in memory came before.
            self.flush(table).await?;
        }
        let tail_bytes: usize = tail.iter().map(|(_, batch)| batch.get_array_memory_size()).sum();
        let bytes = files.iter().map(|f| f.bytes).sum::<u64>() + tail_bytes as u64;
        if bytes > self.room() {
            return Err(too_large());
        }
        let rows = Arc::make_mut(&mut self.state).rows.entry(table.uuid).or_default();
        rows.files.extend(files);
        if !tail.is_empty() {
            rows.tail_files.clear();
            rows.tail.extend(tail);
            rows.tail_bytes += tail_bytes;
        }
        let in_memory: usize = self.state.rows.values().map(|rows| rows.tail_bytes).sum();
        if in_memory > BUFFERED_WRITE_BYTES_MAX { self.flush(table).await } else { Ok(()) }
    }

    /// Files with all rows of a table.
    ///
    /// # Errors
    /// When the scratch folder cannot be written.
    pub async fn files(&mut self, table: &Arc<TableDef>) -> PgResult<Vec<Arc<TempFile>>> {
        self.write_tail(table).await?;
        let Some(rows) = self.state.rows.get(&table.uuid) else { return Ok(Vec::new()) };
        Ok(rows.files.iter().chain(&rows.tail_files).cloned().collect())
    }

    /// Moves what is in memory of a table to files.
    ///
    /// # Errors
    /// When the scratch folder cannot be written.
    pub async fn flush(&mut self, table: &Arc<TableDef>) -> PgResult<()> {
        self.write_tail(table).await?;
        if self.state.rows.get(&table.uuid).is_some_and(|rows| !rows.tail.is_empty())
            && let Some(rows) = Arc::make_mut(&mut self.state).rows.get_mut(&table.uuid)
        {
            rows.files.append(&mut rows.tail_files);
            rows.tail.clear();
            rows.tail_bytes = 0;
        }
        Ok(())
    }

    async fn write_tail(&mut self, table: &Arc<TableDef>) -> PgResult<()> {
        let Some(rows) = self.state.rows.get(&table.uuid) else { return Ok(()) };
        if rows.tail.is_empty() || !rows.tail_files.is_empty() {
            return Ok(());
        }
        let mut groups: Vec<(Vec<ColumnId>, Vec<RecordBatch>)> = Vec::new();
        for (columns, batch) in &rows.tail {
            match groups.last_mut().filter(|(last, _)| last == columns) {
                Some((_, batches)) => batches.push(batch.clone()),
                None => groups.push((columns.clone(), vec![batch.clone()])),
            }
        }
        let mut files = Vec::with_capacity(groups.len());
        for (columns, batches) in groups {
            files.push(write_file(&self.scratch, table, columns, batches).await?);
        }
        if let Some(rows) = Arc::make_mut(&mut self.state).rows.get_mut(&table.uuid) {
            rows.tail_files = files;
        }
        Ok(())
    }
}

/// The error for rows that are too many.
#[must_use]
pub fn too_large() -> PgError {
    let message = "the temporary tables of this session are too large";
    PgError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message)
        .hint("Drop or truncate temporary tables, or raise temporary_mb in the server's configuration.")
}

impl Rows {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum::<u64>() + self.tail_bytes as u64
    }
}

impl State {
    fn empty(id: SchemaId, uuid: Uuid, name: &str) -> Self {
        let def = SchemaDef { id, uuid, name: name.to_owned(), path: String::new(), comment: None };
        let mut schema = (*Pin::nothing().schema).clone();
        schema.schemas.insert(name.to_owned(), Arc::new(def));
        Self { schema: Arc::new(schema), rows: HashMap::new(), on_commit: HashMap::new() }
    }
}

/// What a change is made to, and the schema of what it makes.
fn target(op: &DdlOp) -> (Uuid, Option<Uuid>) {
    match op {
        DdlOp::CreateTable { uuid, schema, .. }
        | DdlOp::CreateView { uuid, schema, .. }
        | DdlOp::CreateSequence { uuid, schema, .. }
        | DdlOp::CreateType { uuid, schema, .. } => (*uuid, Some(*schema)),
        DdlOp::CreateSchema { uuid, .. }
        | DdlOp::DropSchema { uuid }
        | DdlOp::DropTable { uuid }
        | DdlOp::RenameTable { uuid, .. }
        | DdlOp::DropView { uuid }
        | DdlOp::RenameView { uuid, .. }
        | DdlOp::AlterSequence { uuid, .. }
        | DdlOp::DropSequence { uuid }
        | DdlOp::AlterType { uuid, .. }
        | DdlOp::DropType { uuid } => (*uuid, None),
        DdlOp::AddColumn { table, .. }
        | DdlOp::DropColumn { table, .. }
        | DdlOp::RenameColumn { table, .. }
        | DdlOp::SetDefault { table, .. }
        | DdlOp::SetNullable { table, .. }
        | DdlOp::AddConstraint { table, .. }
        | DdlOp::DropConstraint { table, .. }
        | DdlOp::SetType { table, .. }
        | DdlOp::Retype { table, .. }
        | DdlOp::CreateIndex { table, .. }
        | DdlOp::AlterIndex { table, .. }
        | DdlOp::DropIndex { table, .. }
        | DdlOp::Truncate { table } => (*table, None),
        DdlOp::Comment { on, .. } => match on {
            CommentTarget::Schema(uuid)
            | CommentTarget::Table(uuid)
            | CommentTarget::Column(uuid, _)
            | CommentTarget::Constraint(uuid, _)
            | CommentTarget::View(uuid)
            | CommentTarget::Type(uuid) => (*uuid, None),
        },
    }
}
