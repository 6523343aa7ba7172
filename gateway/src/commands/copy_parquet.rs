//! COPY FROM STDIN of a Parquet file: its columns by name, as rows of the table's types.
//!
//! The file is a stranger's. It is read by an engine of its own, behind the walls of every engine, that sees this one file
//! and nothing else: whatever the file does to it, only this COPY fails.

mod columns;

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    datatypes::Int64Type,
};
use duckmesh_catalog::{ColumnDef, TableDef};
use tokio::sync::SemaphorePermit;

use super::{aside::Aside, conform, select, spool::Spool, tables::quote};
use crate::{
    engine::{Engine, EngineColumn, QueryRequest, Relation, ResultStream},
    limits::{COPY_PARQUET_READERS, COPY_PARQUET_READERS_MEMORY_BYTES},
    session::ClientSession,
    value::ValueContext,
    wire::{PgError, PgResult, SqlState, backend::Session as _},
};

/// What the file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";
/// The same of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// The smallest file: both marks, and the footer's length.
const BYTES_MIN: u64 = 12;
/// The relation that the file is.
const RELATION: &str = "copied_file";

/// A file that is being read.
pub struct Reader {
    stream: ResultStream,
    aside: Aside,
    ctx: Arc<ValueContext>,
    table: Arc<TableDef>,
    /// The table's columns that the file has, in the order of the result.
    columns: Vec<ColumnDef>,
    rows: u64,
    _engine: Ended,
    _spool: Spool,
    _permit: SemaphorePermit<'static>,
}

/// Ends the engine with the COPY.
struct Ended(Engine);

impl Drop for Ended {
    fn drop(&mut self) {
        let engine = self.0.clone();
        tokio::spawn(async move { engine.shutdown().await });
    }
}

impl Reader {
    /// Looks at the file's columns and begins to read those that the COPY takes: of `wanted`, or with `all` whatever the
    /// file has.
    ///
    /// # Errors
    /// 22P04 where it is no Parquet file, 42703 for a column that the table has not, 42804 for one of another type.
    pub async fn open(
        session: &ClientSession,
        spool: Spool,
        table: &Arc<TableDef>,
        wanted: &[ColumnDef],
        all: bool,
    ) -> PgResult<Self> {
        check_marks(&spool)?;
        let aside = Aside::of(session);
        let permit = aside.stoppable(async { COPY_PARQUET_READERS.acquire().await.map_err(PgError::internal) }).await?;
        let mut options = session.lake.engine_options.clone();
        options.read_folders = vec![spool.folder().to_owned()];
        options.memory_bytes = options.memory_bytes.min(COPY_PARQUET_READERS_MEMORY_BYTES);
        options.threads = 1;
        options.concurrent_max = 2;
        options.setup = Vec::new();
        options.foreign_files = true;
        let engine = Ended(Engine::new(options));
        let request = |sql: String| {
            let path = spool.path().display().to_string().replace('\'', "''");
            let sql_of_file = format!("SELECT * FROM read_parquet('{path}', hive_partitioning = false)");
            let relations = vec![Relation { name: RELATION.to_owned(), sql: sql_of_file, small: None, file: None }];
            QueryRequest { relations, client_sql: Arc::default(), ..select::request(session, sql) }
        };
        let found = aside.stoppable(engine.0.describe(request(format!("SELECT * FROM \"{RELATION}\"")))).await;
        let found = found.map_err(unreadable)?;
        let mut taken = columns::taken(table, wanted, all, &found)?;
        if let Some(counted) = columns::doubtful(&taken) {
            let query = request(format!("SELECT {counted} FROM \"{RELATION}\""));
            let mut counts = aside.stoppable(engine.0.query(query)).await.map_err(unreadable)?;
            let mut values = Vec::new();
            while let Some(batch) = aside.stoppable(counts.next()).await.map_err(unreadable)? {
                values.extend(
                    batch.columns().iter().filter_map(|c| c.as_primitive_opt::<Int64Type>()?.values().first().copied()),
                );
            }
            columns::settle(&mut taken, &values)?;
        }
        let list: Vec<String> = taken.iter().map(columns::Taken::sql).collect();
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        let query = request(format!("SELECT {list} FROM \"{RELATION}\""));
        let stream = aside.stoppable(engine.0.query(query)).await.map_err(unreadable)?;
        Ok(Self {
            stream,
            aside,
            ctx: session.value_context(),
            table: table.clone(),
            columns: taken.into_iter().map(|t| t.column.clone()).collect(),
            rows: 0,
            _engine: engine,
            _spool: spool,
            _permit: permit,
        })
    }

    /// The table's columns that the file has, in the order of batches.
    #[must_use]
    pub fn columns(&self) -> &[ColumnDef] {
        &self.columns
    }

    /// The number of the first row of the batch that comes next, from 1.
    #[must_use]
    pub fn next_row(&self) -> u64 {
        self.rows + 1
    }

    /// The next rows, in the columns' types.
    ///
    /// # Errors
    /// For a value that does not fit its column, with its row and column.
    pub async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        let next = self.aside.stoppable(self.stream.next()).await;
        let Some(batch) = next.map_err(|e| self.in_table(unreadable(e)))? else { return Ok(None) };
        if self.columns.is_empty() {
            self.rows += batch.num_rows() as u64;
            return Ok(Some(batch.project(&[]).map_err(PgError::internal)?));
        }
        let arrays = tokio::task::block_in_place(|| {
            let arrays = batch.columns().iter().zip(&self.columns);
            arrays.map(|(array, column)| self.array(array, column)).collect::<PgResult<Vec<_>>>()
        })?;
        let columns: Vec<&ColumnDef> = self.columns.iter().collect();
        self.rows += batch.num_rows() as u64;
        conform::record_batch(&columns, arrays).map(Some)
    }

    fn array(&self, array: &ArrayRef, column: &ColumnDef) -> PgResult<ArrayRef> {
        conform::array(array, &column.ty, &self.ctx).map_err(|error| {
            // Only now: which row it is.
            let fails = |row: &usize| conform::array(&array.slice(*row, 1), &column.ty, &self.ctx).is_err();
            match (0..array.len()).find(fails) {
                Some(row) => {
                    let row = self.rows + row as u64 + 1;
                    error.context(format!("COPY {}, row {row}, column {}", self.table.name, column.name))
                }
                None => self.in_table(error),
            }
        })
    }

    fn in_table(&self, error: PgError) -> PgError {
        error.context(format!("COPY {}", self.table.name))
    }
}

/// The marks at both ends, before an engine is started for it.
fn check_marks(spool: &Spool) -> PgResult<()> {
    let read = || -> std::io::Result<([u8; 4], [u8; 4])> {
        let mut file = File::open(spool.path())?;
        let (mut first, mut last) = ([0; 4], [0; 4]);
        file.read_exact(&mut first)?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut last)?;
        Ok((first, last))
    };
    let marks = (spool.bytes() >= BYTES_MIN).then(read).transpose().map_err(PgError::internal)?;
    match marks {
        Some((first, last)) if first == *MAGIC && last == *MAGIC => Ok(()),
        Some((first, last)) if first == *MAGIC_ENCRYPTED || last == *MAGIC_ENCRYPTED => {
            Err(PgError::unsupported("encrypted Parquet files are not supported"))
        }
        Some((first, _)) if first == *MAGIC => Err(not_parquet().detail("The file has no end: it was cut off.")),
        _ => Err(not_parquet()),
    }
}

fn not_parquet() -> PgError {
    PgError::new(SqlState::BAD_COPY_FILE_FORMAT, "COPY data is not a Parquet file")
}

/// The engine reads nothing but this file: if it ended, that was the file's doing.
fn unreadable(error: PgError) -> PgError {
    if error.code() != SqlState::CRASH_SHUTDOWN {
        return error;
    }
    PgError::new(SqlState::BAD_COPY_FILE_FORMAT, "the Parquet file cannot be read").detail("The reader ended over it.")
}

/// Quotes a name of the file's for the engine.
fn quoted(column: &EngineColumn) -> String {
    quote(&column.name)
}
