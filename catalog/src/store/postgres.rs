//! Postgres as a store: a pool of connections; tables in one schema.

use std::{task::Poll, time::Duration};

use deadpool_postgres::Object;
use futures::TryStreamExt;
use tokio::time::Instant;
use tokio_postgres::{
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{Isolation, Result, Row, Statement, Value, check_rows, render, value};
use crate::{
    error::{Error, ErrorKind},
    postgres::{Connections, Failure, LONG, LONG_AT_SERVER, Limits, POOLER_ADVICE, Unconnected, Witness},
};

/// Connections of one process to the catalog, where nobody says otherwise.
pub(crate) const CONNECTIONS: usize = 16;
/// What its sessions begin with; a lost client cannot hold locks for ever. Limits of statements and locks are of the budget.
const SETTINGS: &str = "-c idle_in_transaction_session_timeout=10s -c timezone=UTC -c duckmesh.settings=here";
/// Seconds between 1970 and 2000, where Postgres counts from.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// A schema of a Postgres database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    connections: Connections,
    schema: String,
}

impl Postgres {
    pub(super) async fn open(
        url: &str,
        schema: &str,
        (connections, budget): (usize, Duration),
        witness: Option<Witness>,
    ) -> Result<Self> {
        let limits = Limits { connections, settings: SETTINGS, name: "duckmesh", budget };
        let postgres = Self { connections: Connections::new(url, &limits, witness)?, schema: schema.to_owned() };
        drop(postgres.connection().await?);
        if connections > 1 {
            postgres.refuse_pooler().await?;
        }
        Ok(postgres)
    }

    /// Behind a pooler in transaction mode no statement would work for long: better not at all, with what to do.
    async fn refuse_pooler(&self) -> Result<()> {
        let between = self.connections.between().await.map_err(|e| error("look for a pooler", e))?;
        if between.forgets_statements {
            let found = "a pooler in transaction mode stands before Postgres, and forgets prepared statements";
            return Err(Error::new(ErrorKind::Store, format!("{found}. {POOLER_ADVICE}")));
        }
        if between.drops_settings {
            tracing::warn!(
                "settings of connections do not arrive: a pooler stands before Postgres; connect directly, or give \
                 the role its statement_timeout, lock_timeout and idle_in_transaction_session_timeout"
            );
        }
        Ok(())
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) fn in_schema(&self, schema: &str) -> Self {
        Self { connections: self.connections.clone(), schema: schema.to_owned() }
    }

    pub(super) async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let began = Instant::now();
        let lent = Lent(Some(self.connection().await?));
        let sql = render(sql, Some(&self.schema));
        let first = self.connections.left_of(began);
        let rows = select(&self.connections, lent.client()?, &sql, &params, first).await;
        lent.give_back(&sql, rows)
    }

    pub(super) async fn begin(&self, isolation: Isolation) -> Result<PostgresTransaction> {
        let began = Instant::now();
        let client = self.connection().await?;
        let begin = match isolation {
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        let mut tx = PostgresTransaction {
            client: Some(client),
            connections: self.connections.clone(),
            schema: self.schema.clone(),
            limit: self.connections.budget(),
        };
        let begun = tx.connections.within(tx.connections.left_of(began), tx.client()?.batch_execute(begin)).await;
        tx.ended("begin", begun)?;
        Ok(tx)
    }

    pub(super) fn close(&self) {
        self.connections.close();
    }

    async fn connection(&self) -> Result<Object> {
        self.connections.get().await.map_err(|failure| {
            let (kind, message) = told(&failure, "connect");
            Error::caused(kind, message, Unconnected(failure))
        })
    }
}

/// A connection that goes back to the pool only where it is known to be of use: not where nobody waited for its answer.
struct Lent(Option<Object>);

impl Lent {
    fn client(&self) -> Result<&Object> {
        self.0.as_ref().ok_or_else(|| Error::new(ErrorKind::Store, "the connection was given back"))
    }

    fn give_back<T>(mut self, what: &str, done: std::result::Result<T, Failure>) -> Result<T> {
        let client = self.0.take();
        done.map_err(|failure| {
            if let Some(client) = client.filter(|_| failure.is_of_connection()) {
                Connections::discard(client);
            }
            error(what, failure)
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            Connections::discard(client);
        }
    }
}

/// A transaction on a connection of its own.
pub(super) struct PostgresTransaction {
    /// Taken at the end.
    client: Option<Object>,
    connections: Connections,
    schema: String,
    /// How long an answer is waited for.
    limit: Duration,
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

    pub(super) fn go_to_schema(&mut self, schema: &str) {
        schema.clone_into(&mut self.schema);
    }

    /// Its statements may take long from here on.
    pub(super) async fn take_long(&mut self) -> Result<()> {
        let done = self.connections.bounded(self.client()?.batch_execute(LONG_AT_SERVER)).await;
        self.ended("limits", done)?;
        self.limit = LONG;
        Ok(())
    }

    /// After a failure of the connection there is nothing left to roll back here: the server does.
    fn ended<T>(&mut self, what: &str, done: std::result::Result<T, Failure>) -> Result<T> {
        done.map_err(|failure| {
            if failure.is_of_connection()
                && let Some(client) = self.client.take()
            {
                Connections::discard(client);
            }
            error(what, failure)
        })
    }

    pub(super) async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let sql = render(sql, Some(&self.schema));
        let rows = select(&self.connections, self.client()?, &sql, &params, self.limit).await;
        self.ended(&sql, rows)
    }

    /// All statements are sent before the first answer is awaited; after an error the server skips the rest of the transaction.
    pub(super) async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        let answers = send_all((&self.connections, self.limit), self.client()?, &statements, &self.schema).await;
        let what = match &statements[..] {
            [one] => one.sql.to_string(),
            _ => "a batch".to_owned(),
        };
        let (counts, failed) = self.ended(&what, answers)?;
        for (statement, rows) in statements.iter().zip(&counts) {
            check_rows(statement, *rows)?;
        }
        match failed {
            Some((sql, failure)) => self.ended(&sql, Err(failure)),
            None => Ok(counts),
        }
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<()> {
        let sql = render(sql, Some(&self.schema));
        let done = self.connections.within(self.limit, self.client()?.batch_execute(&sql)).await;
        self.ended("script", done)
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let client = self.client.take().ok_or_else(|| Error::new(ErrorKind::Store, "the transaction has ended"))?;
        let done = self.connections.within(self.limit, client.batch_execute("COMMIT")).await;
        done.map_err(|failure| {
            // Without a word of the server, or with its word that it ends, the commit may have happened.
            let ends = |code: &SqlState| code.code().starts_with("57P");
            let unknown = failure.ends_session() || failure.code().is_none_or(ends);
            if failure.is_of_connection() || failure.ends_session() {
                Connections::discard(client);
            }
            if unknown {
                Error::caused(ErrorKind::Unknown, "Postgres: the answer to COMMIT was lost", failure)
            } else {
                error("commit", failure)
            }
        })
    }

    pub(super) async fn rollback(mut self) {
        if let Some(client) = self.client.take() {
            end(client, self.connections.clone()).await;
        }
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(end(client, self.connections.clone()))),
            // Nobody is left to roll it back: without its connection the server does.
            Err(_) => drop(Object::take(client)),
        }
    }
}

async fn end(client: Object, connections: Connections) {
    if connections.bounded(client.batch_execute("ROLLBACK")).await.is_err() {
        // Never back into the pool in the middle of a transaction.
        Connections::discard(client);
    }
}

/// The counts until the first statement that failed, and how it failed.
type Counts = (Vec<u64>, Option<(String, Failure)>);

/// Each answer is waited for, not all of them together: a batch may be as long as it has to be, while the server goes on with it.
async fn send_all(
    (connections, limit): (&Connections, Duration),
    client: &Object,
    statements: &[Statement],
    schema: &str,
) -> std::result::Result<Counts, Failure> {
    let mut prepared = Vec::with_capacity(statements.len());
    for statement in statements {
        let sql = render(&statement.sql, Some(schema));
        match connections.within(limit, client.prepare_cached(&sql)).await {
            Ok(one) => prepared.push(one),
            Err(e) => return Ok((Vec::new(), Some((sql, e)))),
        }
    }
    // The first poll of each puts its message on the connection: in this order, and without a wait between.
    let mut answers: Vec<_> = prepared
        .iter()
        .zip(statements)
        .map(|(prepared, statement)| Box::pin(client.execute_raw(prepared, binds(&statement.params))))
        .collect();
    let mut early = Vec::with_capacity(answers.len());
    for answer in &mut answers {
        early.push(futures::poll!(answer.as_mut()));
    }
    let mut counts = Vec::with_capacity(statements.len());
    for ((early, answer), statement) in early.into_iter().zip(answers).zip(statements) {
        let rows = match early {
            Poll::Ready(answer) => answer.map_err(Failure::Server),
            Poll::Pending => connections.within(limit, answer).await,
        };
        match rows {
            Ok(rows) => counts.push(rows),
            Err(e) => return Ok((counts, Some((statement.sql.to_string(), e)))),
        }
    }
    Ok((counts, None))
}

/// Each answer is waited for for so long, and each row.
async fn select(
    connections: &Connections,
    client: &Object,
    sql: &str,
    params: &[Value],
    limit: Duration,
) -> std::result::Result<Vec<Row>, Failure> {
    let begun = async {
        let statement = client.prepare_cached(sql).await?;
        client.query_raw(&statement, binds(params)).await
    };
    let rows = connections.within(limit, begun).await?;
    futures::pin_mut!(rows);
    let mut out = Vec::new();
    while let Some(row) = connections.within(limit, rows.try_next()).await? {
        let fields = (0..row.len()).map(|i| row.try_get::<_, Got>(i).map(|got| got.0));
        out.push(Row(fields.collect::<std::result::Result<_, _>>().map_err(Failure::Server)?));
    }
    Ok(out)
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

fn error(what: &str, failure: Failure) -> Error {
    let (kind, message) = told(&failure, what);
    Error::caused(kind, message, failure)
}

fn told(failure: &Failure, what: &str) -> (ErrorKind, String) {
    let kind = match failure.code() {
        Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
            ErrorKind::Retry
        }
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED => ErrorKind::Retry,
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => ErrorKind::Retry,
        Some(code) if *code == SqlState::UNIQUE_VIOLATION => ErrorKind::AlreadyExists,
        Some(code) if *code == SqlState::DISK_FULL => ErrorKind::Full,
        Some(code) if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => ErrorKind::Corrupt,
        // The server goes down or comes up, or has no more connections.
        Some(code) if code.code().starts_with("57P") || code.code().starts_with("53") => ErrorKind::Retry,
        Some(code) if code.code().starts_with("08") && *code != SqlState::PROTOCOL_VIOLATION => ErrorKind::Retry,
        Some(_) => ErrorKind::Store,
        None if matches!(failure, Failure::Lost(_)) => ErrorKind::Lost,
        // No word of the server: the connection is gone, and with it the transaction, whose COMMIT was not sent.
        None if failure.is_of_connection() || failure.is_passing() => ErrorKind::Retry,
        None => ErrorKind::Store,
    };
    (kind, format!("Postgres: {failure} ({what})"))
}
