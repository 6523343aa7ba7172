//! The two stores behind one set of SQL: statements are written once, with `$1` placeholders, and run by a thin driver.
//!
//! In the text of a statement `@name` is a table of the store's own place: `name` of a SQLite file, `"schema".name` of
//! Postgres; `@@now_ms` is the store's clock in milliseconds. Booleans, uuids and timestamps are given and got in one form ([`Value`]); the drivers know how each store keeps them.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    postgres::{Connections, Witness},
};

pub(crate) mod postgres;
mod sqlite;
mod value;

pub use value::{Row, Value};

/// Result of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Makes the parameters of a statement: `params![1_i64, "text", None::<i64>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}

/// Which SQL a store speaks, where the two differ and no common form exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A SQLite file.
    Sqlite,
    /// A schema of a Postgres database.
    Postgres,
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text.
    pub sql: std::borrow::Cow<'static, str>,
    /// Its parameters, `$1` first.
    pub params: Vec<Value>,
    /// How many rows it must change; another number fails the batch with [`ErrorKind::Corrupt`].
    pub rows: Option<u64>,
}

impl Statement {
    /// A statement that may change any number of rows.
    pub fn new(sql: impl Into<std::borrow::Cow<'static, str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params, rows: None }
    }

    /// The same with the number of rows it must change.
    #[must_use]
    pub fn expect(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }
}

/// A place for tables: one SQLite file, or one schema of a Postgres database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(Arc<postgres::Postgres>),
}

impl Store {
    /// Opens a SQLite file, and makes it where it is missing.
    pub async fn open_sqlite(path: &Path) -> Result<Self> {
        let sqlite = sqlite::Sqlite::open(path.to_owned()).await?;
        Ok(Self { inner: Inner::Sqlite(Arc::new(sqlite)) })
    }

    /// Connects to a Postgres database (`postgres://…`, or key=value with a socket folder as host); tables are in `schema`.
    /// With a witness, a database that may lack what was acknowledged is refused.
    /// `pool` is how many connections, and how long one is waited for.
    pub async fn open_postgres(
        url: &str,
        schema: &str,
        pool: (usize, Duration),
        witness: Option<Witness>,
    ) -> Result<Self> {
        let postgres = postgres::Postgres::open(url, schema, pool, witness).await?;
        Ok(Self { inner: Inner::Postgres(Arc::new(postgres)) })
    }

    /// The same Postgres connections with the tables of another schema; a SQLite store is itself.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Self {
        match &self.inner {
            Inner::Sqlite(_) => self.clone(),
            Inner::Postgres(pg) => Self { inner: Inner::Postgres(Arc::new(pg.in_schema(schema))) },
        }
    }

    /// The connections to its Postgres; none of SQLite.
    #[must_use]
    pub fn connections(&self) -> Option<&Connections> {
        match &self.inner {
            Inner::Sqlite(_) => None,
            Inner::Postgres(store) => Some(store.connections()),
        }
    }

    /// Which SQL it speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Reads, on its own, what is committed.
    pub async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        match &self.inner {
            Inner::Sqlite(store) => store.query(sql, params).await,
            Inner::Postgres(store) => store.query(sql, params).await,
        }
    }

    /// Reads at most one row.
    pub async fn query_opt(&self, sql: &str, params: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Reads one row; none is [`ErrorKind::Corrupt`].
    pub async fn query_one(&self, sql: &str, params: Vec<Value>) -> Result<Row> {
        self.query_opt(sql, params).await?.ok_or_else(missing_row)
    }

    /// The columns of a table of this place in order; none where there is no such table.
    pub async fn columns_of(&self, table: &str) -> Result<Vec<String>> {
        let rows = match &self.inner {
            Inner::Sqlite(store) => {
                let sql = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
                store.query(sql, vec![table.into()]).await?
            }
            Inner::Postgres(store) => {
                let sql = "SELECT CAST(attname AS TEXT) FROM pg_attribute
                    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
                let name = format!("{}.{}", quote(store.schema()), quote(table));
                store.query(sql, vec![name.into()]).await?
            }
        };
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Runs one statement in a transaction of its own; gives the number of rows it changed.
    pub async fn execute(&self, sql: &str, params: Vec<Value>) -> Result<u64> {
        let mut tx = self.begin().await?;
        let rows = tx.execute(sql, params).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Begins a transaction that writes: SQLite's only writer, Postgres at repeatable read. Dropping it rolls it back.
    pub async fn begin(&self) -> Result<Transaction> {
        self.begin_with(Isolation::RepeatableRead).await
    }

    /// Begins a transaction that writes, at a chosen isolation (which SQLite needs not: it has one writer).
    pub async fn begin_with(&self, isolation: Isolation) -> Result<Transaction> {
        Ok(Transaction {
            inner: match &self.inner {
                Inner::Sqlite(store) => TransactionInner::Sqlite(store.begin().await?),
                Inner::Postgres(store) => TransactionInner::Postgres(store.begin(isolation).await?),
            },
        })
    }

    /// Closes its connections once running work has ended.
    pub async fn close(&self) {
        match &self.inner {
            Inner::Sqlite(store) => store.close().await,
            Inner::Postgres(store) => store.close(),
        }
    }
}

/// What a transaction sees of others that commit while it runs (Postgres).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what is committed when it starts: for short updates that take a row lock and go on.
    ReadCommitted,
    /// All statements see one state; a row changed meanwhile is [`ErrorKind::Retry`].
    RepeatableRead,
}

/// A transaction that writes.
#[derive(Debug)]
pub struct Transaction {
    inner: TransactionInner,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // lives on one stack frame, is never stored
enum TransactionInner {
    Sqlite(sqlite::SqliteTransaction),
    Postgres(postgres::PostgresTransaction),
}

impl Transaction {
    /// Reads (or writes with RETURNING).
    pub async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        match &mut self.inner {
            TransactionInner::Sqlite(tx) => tx.query(sql, params).await,
            TransactionInner::Postgres(tx) => tx.query(sql, params).await,
        }
    }

    /// Reads at most one row.
    pub async fn query_opt(&mut self, sql: &str, params: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Reads one row; none is [`ErrorKind::Corrupt`].
    pub async fn query_one(&mut self, sql: &str, params: Vec<Value>) -> Result<Row> {
        self.query_opt(sql, params).await?.ok_or_else(missing_row)
    }

    /// Writes; gives the number of rows it changed.
    pub async fn execute(&mut self, sql: &str, params: Vec<Value>) -> Result<u64> {
        let counts = self.batch(vec![Statement::new(sql.to_owned(), params)]).await?;
        Ok(counts.first().copied().unwrap_or(0))
    }

    /// Writes many statements in order, with one trip to the store; stops at the first that fails.
    pub async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        match &mut self.inner {
            TransactionInner::Sqlite(tx) => tx.batch(statements).await,
            TransactionInner::Postgres(tx) => tx.batch(statements).await,
        }
    }

    /// Its statements may take longer than others from here on (Postgres): what is known to change much.
    pub async fn take_long(&mut self) -> Result<()> {
        match &mut self.inner {
            TransactionInner::Sqlite(_) => Ok(()),
            TransactionInner::Postgres(tx) => tx.take_long().await,
        }
    }

    /// From here on `@table` is one of that schema (Postgres).
    pub fn go_to_schema(&mut self, schema: &str) {
        if let TransactionInner::Postgres(tx) = &mut self.inner {
            tx.go_to_schema(schema);
        }
    }

    /// Runs statements without parameters, separated by semicolons (migrations).
    pub async fn script(&mut self, sql: &str) -> Result<()> {
        match &mut self.inner {
            TransactionInner::Sqlite(tx) => tx.script(sql).await,
            TransactionInner::Postgres(tx) => tx.script(sql).await,
        }
    }

    /// Commits. [`ErrorKind::Unknown`] where the answer was lost.
    pub async fn commit(self) -> Result<()> {
        self.commit_with(Vec::new()).await
    }

    /// Writes the last statements and commits. Dropped or failed, it is rolled back.
    pub async fn commit_with(self, statements: Vec<Statement>) -> Result<()> {
        match self.inner {
            TransactionInner::Sqlite(tx) => tx.commit_with(statements).await,
            TransactionInner::Postgres(mut tx) => {
                if !statements.is_empty() {
                    tx.batch(statements).await?;
                }
                tx.commit().await
            }
        }
    }

    /// Rolls back and waits for it.
    pub async fn rollback(self) {
        match self.inner {
            TransactionInner::Sqlite(tx) => tx.rollback().await,
            TransactionInner::Postgres(tx) => tx.rollback().await,
        }
    }
}

fn missing_row() -> Error {
    Error::new(ErrorKind::Corrupt, "a row that must be in the store is missing")
}

/// The text of a statement as a store wants it: `@table` qualified, `$n` as its own placeholder, `@@now_ms` as its clock.
fn render(sql: &str, schema: Option<&str>) -> String {
    let now = match schema {
        None => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        Some(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    };
    let mut out = String::with_capacity(sql.len() + 64);
    let mut quoted = false;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\'' => {
                quoted = !quoted;
                out.push(c);
            }
            // A comment may hold an apostrophe; it is left out.
            '-' if !quoted && rest.starts_with('-') => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
            }
            '@' if !quoted && rest.starts_with("@now_ms") => {
                rest = rest.strip_prefix("@now_ms").unwrap_or_default();
                out.push_str(now);
            }
            '@' if !quoted && rest.starts_with(|n: char| n.is_alphabetic() || n == '"') => {
                if let Some(schema) = schema {
                    out.push_str(&quote(schema));
                    out.push('.');
                }
            }
            // SQLite numbers `$name` by first appearance; `?n` is the n-th parameter.
            '$' if !quoted && schema.is_none() && rest.starts_with(|n: char| n.is_ascii_digit()) => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

/// An identifier in SQL, of both stores.
#[must_use]
pub fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// The row counts a batch promised.
fn check_rows(statement: &Statement, rows: u64) -> Result<()> {
    match statement.rows {
        Some(expected) if expected != rows => Err(Error::new(
            ErrorKind::Corrupt,
            format!("a statement changed {rows} rows instead of {expected}: {}", statement.sql),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_rendered_for_each_store() {
        let sql = "-- it's @x\nSELECT '@a $1' FROM @t WHERE a = $2 AND b = $1";
        assert_eq!(render(sql, None), "\nSELECT '@a $1' FROM t WHERE a = ?2 AND b = ?1");
        assert_eq!(render(sql, Some("lake_\"x")), "\nSELECT '@a $1' FROM \"lake_\"\"x\".t WHERE a = $2 AND b = $1");
    }
}
