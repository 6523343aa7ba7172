//! Postgres as a store: a pool of connections; tables in one schema.

use std::{task::Poll, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use futures::StreamExt;
use tokio_postgres::{
    Config, NoTls,
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{Isolation, Result, Row, Statement, Value, check_rows, render, value};
use crate::error::{Error, ErrorKind};

/// Connections of one process to the catalog.
const CONNECTIONS: usize = 16;
/// How long a caller waits for a free connection, and for a new one.
const POOL_WAIT: Duration = Duration::from_secs(10);
/// Bounds that the server itself keeps, so that a lost client cannot hold locks for ever.
const SERVER_LIMITS: &str =
    "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c timezone=UTC";
/// Statements that a connection keeps prepared: lists of ids make ever new ones, and both sides would keep all of them.
const PREPARED_MAX: usize = 256;
/// Seconds between 1970 and 2000, where Postgres counts from.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// A schema of a Postgres database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: Pool,
    schema: String,
}

impl Postgres {
    pub(super) async fn open(url: &str, schema: &str) -> Result<Self> {
        let mut config: Config = url
            .parse()
            .map_err(|e| Error::caused(ErrorKind::Invalid, "the catalog's Postgres URL cannot be read", e))?;
        let options = match config.get_options() {
            Some(own) => format!("{SERVER_LIMITS} {own}"),
            None => SERVER_LIMITS.to_owned(),
        };
        config.options(options).connect_timeout(POOL_WAIT);
        if config.get_application_name().is_none() {
            config.application_name("duckmesh");
        }
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(POOL_WAIT), create: Some(POOL_WAIT), recycle: Some(POOL_WAIT) })
            .build()
            .map_err(|e| Error::caused(ErrorKind::Store, "the connection pool cannot be made", e))?;
        let postgres = Self { pool, schema: schema.to_owned() };
        drop(postgres.connection().await?);
        Ok(postgres)
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn in_schema(&self, schema: &str) -> Self {
        Self { pool: self.pool.clone(), schema: schema.to_owned() }
    }

    pub(super) async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let client = self.connection().await?;
        select(&client, &render(sql, Some(&self.schema)), &params).await
    }

    pub(super) async fn begin(&self, isolation: Isolation) -> Result<PostgresTransaction> {
        let client = self.connection().await?;
        let tx = PostgresTransaction { client: Some(client), schema: self.schema.clone() };
        let begin = match isolation {
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        tx.client()?.batch_execute(begin).await.map_err(|e| error("begin", e))?;
        Ok(tx)
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    async fn connection(&self) -> Result<Object> {
        let client = self.pool.get().await.map_err(|e| match e {
            PoolError::Backend(e) => error("connect", e),
            PoolError::Timeout(_) => Error::caused(ErrorKind::Retry, "Postgres: no connection in time", e),
            other => Error::caused(ErrorKind::Store, format!("Postgres: {other}"), other),
        })?;
        if client.statement_cache.size() > PREPARED_MAX {
            client.statement_cache.clear();
        }
        Ok(client)
    }
}

/// A transaction on a connection of its own.
pub(super) struct PostgresTransaction {
    /// Taken at the end.
    client: Option<Object>,
    schema: String,
}

impl std::fmt::Debug for PostgresTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresTransaction").finish_non_exhaustive()
    }
}

impl PostgresTransaction {
    fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or_else(|| Error::new(ErrorKind::Store, "the transaction has ended"))
    }

    pub(super) async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        select(self.client()?, &render(sql, Some(&self.schema)), &params).await
    }

    /// All statements are sent before the first answer is awaited; after an error the server skips the rest of the transaction.
    pub(super) async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        let client = self.client()?;
        let mut prepared = Vec::with_capacity(statements.len());
        for statement in &statements {
            let sql = render(&statement.sql, Some(&self.schema));
            prepared.push(client.prepare_cached(&sql).await.map_err(|e| error(&sql, e))?);
        }
        // The first poll of each puts its message on the connection: in this order, and without a wait between.
        let mut answers: Vec<_> = prepared
            .iter()
            .zip(&statements)
            .map(|(prepared, statement)| Box::pin(client.execute_raw(prepared, binds(&statement.params))))
            .collect();
        let mut early = Vec::with_capacity(answers.len());
        for answer in &mut answers {
            early.push(futures::poll!(answer.as_mut()));
        }
        let mut counts = Vec::with_capacity(statements.len());
        for ((early, answer), statement) in early.into_iter().zip(answers).zip(&statements) {
            let rows = match early {
                Poll::Ready(answer) => answer,
                Poll::Pending => answer.await,
            };
            let rows = rows.map_err(|e| error(&statement.sql, e))?;
            check_rows(statement, rows)?;
            counts.push(rows);
        }
        Ok(counts)
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<()> {
        let sql = render(sql, Some(&self.schema));
        self.client()?.batch_execute(&sql).await.map_err(|e| error("script", e))
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let client = self.client.take().ok_or_else(|| Error::new(ErrorKind::Store, "the transaction has ended"))?;
        client.batch_execute("COMMIT").await.map_err(|e| {
            // Without a word of the server the commit may have happened.
            if e.as_db_error().is_none() {
                Error::caused(ErrorKind::Unknown, "Postgres: the answer to COMMIT was lost", e)
            } else {
                error("commit", e)
            }
        })
    }

    pub(super) async fn rollback(mut self) {
        if let Some(client) = self.client.take() {
            end(client).await;
        }
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(end(client))),
            // Nobody is left to roll it back: without its connection the server does.
            Err(_) => drop(Object::take(client)),
        }
    }
}

async fn end(client: Object) {
    if client.batch_execute("ROLLBACK").await.is_err() {
        // Never back into the pool in the middle of a transaction.
        drop(Object::take(client));
    }
}

async fn select(client: &Object, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
    let run = async {
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query_raw(&statement, binds(params)).await?;
        futures::pin_mut!(rows);
        let mut out = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row?;
            let fields = (0..row.len()).map(|i| row.try_get::<_, Got>(i).map(|got| got.0));
            out.push(Row(fields.collect::<std::result::Result<_, _>>()?));
        }
        Ok(out)
    };
    run.await.map_err(|e| error(sql, e))
}

fn binds(params: &[Value]) -> impl ExactSizeIterator<Item = Bind<'_>> {
    params.iter().map(Bind)
}

/// A parameter, written as the type that the server found for it.
#[derive(Debug)]
struct Bind<'a>(&'a Value);

type Boxed = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Bind<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Boxed> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(v) if *ty == Type::BOOL => (*v != 0).to_sql(ty, out),
            Value::Int(v) if *ty == Type::INT4 => i32::try_from(*v)?.to_sql(ty, out),
            Value::Int(v) if *ty == Type::INT2 => i16::try_from(*v)?.to_sql(ty, out),
            Value::Int(v) if *ty == Type::INT8 => v.to_sql(ty, out),
            Value::Bool(v) if *ty == Type::BOOL => v.to_sql(ty, out),
            Value::Bool(v) if *ty == Type::INT8 => i64::from(*v).to_sql(ty, out),
            Value::Float(v) if *ty == Type::FLOAT8 => v.to_sql(ty, out),
            Value::Blob(v) if *ty == Type::BYTEA => v.as_slice().to_sql(ty, out),
            Value::Text(v) if *ty == Type::UUID => {
                out.extend_from_slice(uuid::Uuid::parse_str(v)?.as_bytes());
                Ok(IsNull::No)
            }
            Value::Text(v) if *ty == Type::TIMESTAMPTZ => {
                let time = value::parse_time(v).ok_or("not a timestamp")?;
                (time.timestamp_micros() - EPOCH_2000_US).to_sql(&Type::INT8, out)
            }
            Value::Text(v) if <&str as ToSql>::accepts(ty) => v.as_str().to_sql(ty, out),
            other => Err(format!("a {other:?} cannot be given as {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

struct Got(Value);

impl<'a> FromSql<'a> for Got {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Boxed> {
        Ok(Self(match *ty {
            Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::FLOAT4 => Value::Float(f32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Value::Float(f64::from_sql(ty, raw)?),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            Type::UUID => Value::Text(uuid::Uuid::from_slice(raw)?.to_string()),
            Type::TIMESTAMPTZ => {
                let us = i64::from_sql(&Type::INT8, raw)?;
                let time = us.checked_add(EPOCH_2000_US).and_then(chrono::DateTime::from_timestamp_micros);
                Value::Text(value::time_text(time.ok_or("a timestamp out of range")?))
            }
            _ => Value::Text(<&str>::from_sql(ty, raw)?.to_owned()),
        }))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Boxed> {
        Ok(Self(Value::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::BOOL
                | Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::FLOAT4
                | Type::FLOAT8
                | Type::BYTEA
                | Type::UUID
                | Type::TIMESTAMPTZ
        ) || <&str as FromSql>::accepts(ty)
    }
}

fn error(what: &str, error: tokio_postgres::Error) -> Error {
    let kind = match error.code() {
        Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
            ErrorKind::Retry
        }
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED => ErrorKind::Retry,
        Some(code) if *code == SqlState::UNIQUE_VIOLATION => ErrorKind::AlreadyExists,
        Some(code) if *code == SqlState::DISK_FULL => ErrorKind::Full,
        Some(code) if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => ErrorKind::Corrupt,
        // The server goes down or comes up, or has no more connections.
        Some(code) if code.code().starts_with("57P") || code.code().starts_with("53") => ErrorKind::Retry,
        Some(code) if code.code().starts_with("08") => ErrorKind::Retry,
        Some(_) => ErrorKind::Store,
        // No word of the server: the connection is gone, and with it the transaction, whose COMMIT was not sent.
        None if error.is_closed() || std::error::Error::source(&error).is_some_and(|s| s.is::<std::io::Error>()) => {
            ErrorKind::Retry
        }
        None => ErrorKind::Store,
    };
    let message = match error.as_db_error() {
        Some(db) => format!("Postgres: {} ({what})", db.message()),
        None => format!("Postgres: {error} ({what})"),
    };
    Error::caused(kind, message, error)
}
