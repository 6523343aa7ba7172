//! Rows of system relations, made once for a schema: many as Parquet files in the lake's scratch folder, few as text.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use arrow::array::RecordBatch;
use duckmesh_catalog::LakeSchema;
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

use super::names;
use crate::{
    session::scratch_path,
    sql::deparse::Definitions,
    wire::{PgError, PgResult},
};

/// Relations of different schemas and sessions whose rows are kept; the oldest go first.
const KEPT_MAX: usize = 256;
/// Rows of a group: of one object's rows the engine reads no others.
const GROUP_ROWS: usize = 4096;
/// A file that is no longer kept is removed after this: a statement that was given its path has opened it long before.
const REMOVED_AFTER: Duration = Duration::from_secs(600);

/// The files of one lake.
#[derive(Default)]
pub struct Files(Mutex<State>);

#[derive(Default)]
struct State {
    /// Rows that are the same for ever, by relation.
    fixed: HashMap<(&'static str, &'static str), PathBuf>,
    /// Rows of one schema, by relation and what else they depend on.
    made: VecDeque<Made>,
    /// The definitions of the newest schema that was asked for.
    definitions: Option<(Weak<LakeSchema>, Arc<Definitions>)>,
    /// To be removed.
    old: VecDeque<(Instant, PathBuf)>,
}

struct Made {
    key: String,
    schema: Weak<LakeSchema>,
    own: Own,
}

/// The rows that a lake has in a system relation.
#[derive(Clone, Debug)]
pub enum Own {
    /// None of its own.
    Nothing,
    /// Few: a query that gives them, or they themselves.
    Text(String),
    /// A file with all rows of the relation.
    File(PathBuf),
}

/// A query that gives a file's rows.
#[must_use]
pub fn read(path: &Path) -> String {
    format!("SELECT * FROM read_parquet([{}])", names::literal(&path.display().to_string()))
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file with a relation's fixed rows, where it was made.
    #[must_use]
    pub fn fixed(&self, relation: (&'static str, &'static str)) -> Option<PathBuf> {
        self.lock().fixed.get(&relation).cloned()
    }

    /// Remembers it.
    pub fn keep_fixed(&self, relation: (&'static str, &'static str), path: PathBuf) {
        self.lock().fixed.insert(relation, path);
    }

    /// The definitions made for that very schema.
    #[must_use]
    pub fn definitions(&self, schema: &Arc<LakeSchema>) -> Option<Arc<Definitions>> {
        let state = self.lock();
        let (of, made) = state.definitions.as_ref()?;
        std::ptr::eq(of.as_ptr(), Arc::as_ptr(schema)).then(|| Arc::clone(made))
    }

    /// Remembers them.
    pub fn keep_definitions(&self, schema: &Arc<LakeSchema>, made: Arc<Definitions>) {
        self.lock().definitions = Some((Arc::downgrade(schema), made));
    }

    /// What was made for that very schema.
    #[must_use]
    pub fn find(&self, key: &str, schema: &Arc<LakeSchema>) -> Option<Own> {
        let state = self.lock();
        // A `Weak` keeps its address from being given to another schema.
        let same = |made: &&Made| made.key == key && std::ptr::eq(made.schema.as_ptr(), Arc::as_ptr(schema));
        state.made.iter().find(same).map(|made| made.own.clone())
    }

    /// Remembers it.
    pub fn keep(&self, key: String, schema: &Arc<LakeSchema>, own: Own) {
        let mut state = self.lock();
        state.made.push_back(Made { key, schema: Arc::downgrade(schema), own });
        if state.made.len() > KEPT_MAX
            && let Some(Own::File(path)) = state.made.pop_front().map(|made| made.own)
        {
            state.old.push_back((Instant::now(), path));
        }
        drop(state);
        self.sweep();
    }

    /// A file that no other statement will use.
    pub fn keep_no_longer(&self, path: PathBuf) {
        self.lock().old.push_back((Instant::now(), path));
        self.sweep();
    }

    fn sweep(&self) {
        let mut gone = Vec::new();
        let mut state = self.lock();
        while state.old.front().is_some_and(|(since, _)| since.elapsed() > REMOVED_AFTER) {
            gone.extend(state.old.pop_front().map(|(_, path)| path));
        }
        drop(state);
        for path in gone {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes a batch to a new file in the scratch folder. Blocks.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(scratch: &Path, batch: &RecordBatch) -> PgResult<PathBuf> {
    let path = scratch_path(scratch);
    let file = File::create_new(&path).map_err(PgError::internal)?;
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(PgError::internal)?;
    writer.write(batch).map_err(PgError::internal)?;
    writer.close().map_err(PgError::internal)?;
    Ok(path)
}
