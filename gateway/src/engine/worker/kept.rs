//! Rows of system relations as tables of DuckDB's own: what clients ask of the catalog, they ask again and again.
//!
//! To bind and plan a table of its own takes DuckDB a fraction of what a Parquet file takes it, and of a table it knows how many
//! values are in a column. A file that cannot be kept is left to DuckDB, whose errors are the ones that are known.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::{
    duck::Database,
    settings::{identifier, quoted},
    small::is_below,
};
use crate::engine::protocol::Relation;

/// The schema of the tables. The worker's gate refuses statements that name it.
pub const SCHEMA: &str = "duckmesh_kept";

/// Values of one table: two thousand tables of fifty columns have as many in `pg_attribute`.
const TABLE_VALUES_MAX: u64 = 3 << 20;
/// Values of all tables together. Most are numbers, truth values and NULL.
const VALUES_MAX: u64 = 6 << 20;
/// Tables at once.
const TABLES_MAX: usize = 128;
/// Files that were read once.
const ASKED_MAX: usize = 512;

/// The tables that were asked for lately.
pub struct Kept {
    /// Only files below these are read.
    folders: Vec<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    tables: VecDeque<Arc<Table>>,
    /// Files that were read once, oldest first: a table is made when they are read again.
    asked: VecDeque<String>,
    /// How many were made.
    made: u64,
    /// Whether one is being made.
    making: bool,
}

/// A table, until nobody wants it any more.
pub struct Table {
    database: Arc<Database>,
    path: String,
    name: String,
    values: u64,
}

impl Drop for Table {
    fn drop(&mut self) {
        // One that stays is a few rows that nobody names.
        let _ = self.database.connect().and_then(|c| c.execute(&format!("DROP TABLE {}", self.name)));
    }
}

/// A statement's relations, and the tables that they name, which stay as long.
pub struct Standing<'a> {
    /// The relations.
    pub relations: Cow<'a, [Relation]>,
    _tables: Vec<Arc<Table>>,
}

impl Kept {
    /// None yet, of files below `folders`.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, state: Arc::default() }
    }

    /// Puts tables for files.
    pub fn standing<'a>(&self, database: &Arc<Database>, relations: &'a [Relation]) -> Standing<'a> {
        let mut tables = Vec::new();
        if relations.iter().all(|relation| relation.file.is_none()) {
            return Standing { relations: Cow::Borrowed(relations), _tables: tables };
        }
        let stand_in = |relation: &Relation| {
            let table = relation.file.as_deref().and_then(|path| self.table(database, path));
            let sql = table.as_ref().map_or_else(|| relation.sql.clone(), |table| format!("FROM {}", table.name));
            tables.extend(table);
            Relation { name: relation.name.clone(), sql, small: relation.small.clone(), file: None }
        };
        let relations = relations.iter().map(stand_in).collect();
        Standing { relations: Cow::Owned(relations), _tables: tables }
    }

    fn table(&self, database: &Arc<Database>, path: &str) -> Option<Arc<Table>> {
        let mut state = lock(&self.state);
        if let Some(at) = state.tables.iter().position(|table| table.path == path) {
            let table = state.tables.remove(at)?;
            state.tables.push_back(Arc::clone(&table));
            return Some(table);
        }
        let Some(at) = state.asked.iter().position(|asked| asked == path) else {
            state.asked.push_back(path.to_owned());
            if state.asked.len() > ASKED_MAX {
                state.asked.pop_front();
            }
            return None;
        };
        if state.making || !is_below(Path::new(path), &self.folders) {
            return None;
        }
        // Whatever comes of it: what cannot be kept is not tried each time.
        state.asked.remove(at);
        state.made += 1;
        let name = format!("{SCHEMA}.{}", identifier(&format!("t{}", state.made)));
        let (shared, database, path) = (Arc::clone(&self.state), Arc::clone(database), path.to_owned());
        // This statement does not wait: it reads the file.
        let made = move || {
            let table = make(database, path, name).map(Arc::new);
            let mut state = lock(&shared);
            state.making = false;
            state.tables.extend(table);
            let gone = state.shrink();
            drop(state);
            // To drop a table takes DuckDB a moment.
            drop(gone);
        };
        state.making = thread::Builder::new().name("keep".to_owned()).spawn(made).is_ok();
        None
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn make(database: Arc<Database>, path: String, name: String) -> Option<Table> {
    let values = values(&path).filter(|values| *values <= TABLE_VALUES_MAX)?;
    let sql = format!("CREATE TABLE {name} AS FROM read_parquet([{}])", quoted(&path));
    database.connect().and_then(|connection| connection.execute(&sql)).ok()?;
    Some(Table { database, path, name, values })
}

impl State {
    /// Takes out what is too much.
    fn shrink(&mut self) -> Vec<Arc<Table>> {
        let mut gone = Vec::new();
        while self.tables.len() > TABLES_MAX || self.tables.iter().map(|table| table.values).sum::<u64>() > VALUES_MAX {
            gone.extend(self.tables.pop_front());
        }
        gone
    }
}

/// Rows times columns.
fn values(path: &str) -> Option<u64> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let metadata = reader.metadata().file_metadata();
    let columns = u64::try_from(metadata.schema_descr().num_columns()).ok()?;
    u64::try_from(metadata.num_rows()).ok()?.checked_mul(columns)
}
