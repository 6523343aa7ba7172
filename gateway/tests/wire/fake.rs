//! A session that knows these statements: select N, insert, badcommit, begin, commit, rollback, fail, two ($1, $2),
//! copyin, copyout, copyendless, sleep, aside, panic, deallocate x. It keeps a ledger of what is durable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use bytes::Bytes;
use duckmesh::{
    value::ValueContext,
    wire::{
        PgError, PgResult, SqlState,
        backend::{
            Command, Connector, CopySink, CopySource, CursorOptions, Direction, Format, Given, Outcome, Params, Place,
            Prepared, ResultColumn, RowSource, RowTag, Rows, Session, Startup, Status, TypeName,
        },
        cancel::Cancel,
    },
};
use tokio::sync::Notify;

#[derive(Default)]
pub struct Ledger {
    pub durable: AtomicUsize,
    pub copied_bytes: AtomicUsize,
    pub pieces_max: AtomicUsize,
    pub sessions: AtomicUsize,
    pub batches: AtomicUsize,
    pub gone: AtomicUsize,
    /// A statement that waits has started.
    pub waiting: Notify,
}

#[derive(Default)]
pub struct Fake {
    pub ledger: Arc<Ledger>,
}

pub struct FakeSession {
    ledger: Arc<Ledger>,
    cancel: Cancel,
    status: Status,
    buffered: usize,
    transaction: u64,
    bad_commit: bool,
    notices: Vec<PgError>,
    parameters: Vec<(String, String)>,
    idle: Option<Duration>,
}

#[async_trait]
impl Connector for Fake {
    type Session = FakeSession;

    async fn connect(&self, startup: Startup, cancel: Cancel) -> PgResult<FakeSession> {
        if startup.database == "nowhere" {
            let message = "database \"nowhere\" does not exist";
            return Err(PgError::new(SqlState::INVALID_CATALOG_NAME, message));
        }
        let mut parameters = vec![("server_version".to_owned(), "15.18".to_owned())];
        parameters.extend(startup.settings.iter().filter(|(name, _)| name != "idle").cloned());
        let idle = startup.settings.iter().any(|(name, _)| name == "idle");
        self.ledger.sessions.fetch_add(1, Ordering::SeqCst);
        Ok(FakeSession {
            ledger: Arc::clone(&self.ledger),
            cancel,
            status: Status::Idle,
            buffered: 0,
            transaction: 1,
            bad_commit: false,
            notices: Vec::new(),
            parameters,
            idle: idle.then_some(Duration::from_millis(50)),
        })
    }
}

#[derive(Clone)]
pub struct FakePrepared {
    sql: Arc<str>,
    params: Vec<u32>,
    columns: Option<Vec<ResultColumn>>,
}

impl Prepared for FakePrepared {
    fn param_types(&self) -> &[u32] {
        &self.params
    }
    fn ends_failed_block(&self) -> bool {
        matches!(&*self.sql, "commit" | "rollback")
    }
}

fn column() -> ResultColumn {
    ResultColumn {
        name: "n".into(),
        table_oid: 0,
        attnum: 0,
        type_oid: 23,
        typlen: 4,
        typmod: -1,
        duckdb_type: "INTEGER".into(),
        declared: None,
    }
}

impl FakeSession {
    fn end(&mut self, commit: bool) -> PgResult<()> {
        let buffered = std::mem::take(&mut self.buffered);
        let bad = std::mem::take(&mut self.bad_commit);
        self.status = Status::Idle;
        self.transaction += 1;
        if commit && bad {
            return Err(PgError::new(SqlState::SERIALIZATION_FAILURE, "cannot commit"));
        }
        if commit {
            self.ledger.durable.fetch_add(buffered, Ordering::SeqCst);
        }
        Ok(())
    }

    fn write(&mut self, rows: usize, place: Place) -> PgResult<()> {
        self.buffered += rows;
        if place == Place::Last && self.status == Status::Idle && self.buffered == rows {
            self.end(true)?;
        }
        Ok(())
    }

    async fn statement(&mut self, sql: &str, params: Params, place: Place) -> PgResult<Outcome<Sink>> {
        if let Some(Ok(rows)) = sql.strip_prefix("select ").map(str::parse) {
            return Ok(Outcome::Rows(rows_of(rows, &self.ledger)));
        }
        let complete = |tag: &str| Ok(Outcome::Complete(tag.to_owned()));
        match sql {
            "insert" | "two" => {
                assert!(params.values.iter().all(Option::is_some));
                self.write(1, place)?;
                complete("INSERT 0 1")
            }
            "badcommit" => {
                self.bad_commit = true;
                self.write(1, Place::MoreMayFollow)?;
                complete("INSERT 0 1")
            }
            "begin" => {
                self.status = Status::InTransaction;
                complete("BEGIN")
            }
            "commit" if self.status == Status::Failed => {
                self.end(false)?;
                complete("ROLLBACK")
            }
            "commit" => {
                self.end(true)?;
                complete("COMMIT")
            }
            "rollback" => {
                self.end(false)?;
                complete("ROLLBACK")
            }
            "aside" => {
                self.notices.push(PgError::notice("token l/1"));
                self.parameters.push(("duckmesh.last_token".into(), "l/1".into()));
                complete("SET")
            }
            "sleep" => {
                self.ledger.waiting.notify_one();
                let reason = self.cancel.cancelled().await;
                self.ledger.gone.fetch_add(1, Ordering::SeqCst);
                Err(reason.error())
            }
            "copyin" => {
                let sink = Sink { ledger: Arc::clone(&self.ledger), bytes: 0 };
                Ok(Outcome::CopyIn(sink))
            }
            "copyout" => Ok(Outcome::CopyOut(Box::new(Source { left: 2 }))),
            "copyendless" => Ok(Outcome::CopyOut(Box::new(Source { left: u64::MAX }))),
            "panic" => panic!("on purpose"),
            "discard all" => complete("DISCARD ALL"),
            _ => Err(PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero").position(3)),
        }
    }
}

#[async_trait]
impl Session for FakeSession {
    type Statement = Arc<str>;
    type Prepared = FakePrepared;
    type CopyIn = Sink;

    async fn parse(&mut self, sql: Arc<str>) -> PgResult<Vec<Arc<str>>> {
        if sql.contains("syntax") {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error").position(1));
        }
        Ok(sql.split(';').map(str::trim).filter(|part| !part.is_empty()).map(Arc::from).collect())
    }

    async fn type_oids(&mut self, names: &[TypeName]) -> PgResult<Vec<u32>> {
        Ok(vec![0; names.len()])
    }

    async fn prepare(&mut self, statement: &Arc<str>, _: &[u32]) -> PgResult<FakePrepared> {
        let prepared = FakePrepared {
            params: if &**statement == "two" { vec![23, 25] } else { Vec::new() },
            columns: statement.starts_with("select").then(|| vec![column()]),
            sql: Arc::clone(statement),
        };
        if self.status == Status::Failed && !prepared.ends_failed_block() {
            return Err(PgError::new(SqlState::IN_FAILED_SQL_TRANSACTION, "aborted"));
        }
        Ok(prepared)
    }

    async fn describe(&mut self, prepared: &FakePrepared) -> PgResult<Option<Arc<[ResultColumn]>>> {
        Ok(prepared.columns.clone().map(Arc::from))
    }

    async fn copy_done(&mut self, sink: Sink) -> PgResult<String> {
        self.ledger.copied_bytes.fetch_add(sink.bytes, Ordering::SeqCst);
        Ok("COPY 1".into())
    }

    async fn execute(&mut self, prepared: &FakePrepared, params: Params, place: Place) -> PgResult<Outcome<Sink>> {
        let outcome = self.statement(&Arc::clone(&prepared.sql), params, place).await;
        if outcome.is_err() {
            self.note_error();
        }
        outcome
    }

    fn has_unsettled_writes(&self) -> bool {
        true
    }

    async fn end_implicit(&mut self, failed: bool) -> PgResult<()> {
        if self.status == Status::Idle {
            self.end(!failed)?;
        }
        Ok(())
    }

    fn note_error(&mut self) {
        if self.status == Status::InTransaction {
            self.status = Status::Failed;
        }
    }

    fn status(&self) -> Status {
        self.status
    }
    fn take_notices(&mut self) -> Vec<PgError> {
        std::mem::take(&mut self.notices)
    }
    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.parameters)
    }
    fn command(&self, prepared: &FakePrepared) -> Option<Command<Self::Statement>> {
        let name = || "x".to_owned();
        Some(match &*prepared.sql {
            "deallocate x" => Command::Deallocate(Some(name())),
            "execute x" => Command::Execute { name: name(), given: Given::default(), explain: None },
            "declare x" => Command::Declare {
                name: name(),
                statement: Arc::from("select 7"),
                options: CursorOptions::default(),
                text: "declare x".into(),
            },
            "close x" => Command::Close(Some(name())),
            "fetch 2" => Command::Fetch { name: name(), direction: Direction::Forward(2), moves: false },
            "fetch -1" => Command::Fetch { name: name(), direction: Direction::Backward(1), moves: false },
            "move 1" => Command::Fetch { name: name(), direction: Direction::Forward(1), moves: true },
            _ => return None,
        })
    }
    fn value_context(&self) -> Arc<ValueContext> {
        Arc::new(ValueContext::new(chrono::DateTime::UNIX_EPOCH))
    }
    fn transaction_id(&self) -> u64 {
        self.transaction
    }
    fn check_not_in_use(&self, _: &Self::Prepared, _: &[&Self::Prepared]) -> PgResult<()> {
        Ok(())
    }
    fn copy_timeout(&self) -> Option<Duration> {
        None
    }
    fn idle_timeout(&self) -> Option<Duration> {
        self.idle
    }
    async fn close(self) {
        self.ledger.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

const BATCH_ROWS: u64 = 3;

fn rows_of(rows: u64, ledger: &Arc<Ledger>) -> Rows {
    let batches = Box::new(Numbers { next: 0, rows, ledger: Arc::clone(ledger) });
    Rows { columns: Arc::from(vec![column()]), batches, tag: RowTag::Select, binary: false }
}

struct Numbers {
    next: u64,
    rows: u64,
    ledger: Arc<Ledger>,
}

#[async_trait]
impl RowSource for Numbers {
    async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        self.ledger.batches.fetch_add(1, Ordering::SeqCst);
        let from = self.next;
        // Large results come in large batches.
        let size = if self.rows > 1000 { 8192 } else { BATCH_ROWS };
        self.next = (from + size).min(self.rows);
        if from == self.next {
            return Ok(None);
        }
        let array: ArrayRef = Arc::new((from..self.next).map(|n| n as i32).collect::<Int32Array>());
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        Ok(Some(RecordBatch::try_new(schema, vec![array]).unwrap()))
    }
}

pub struct Sink {
    ledger: Arc<Ledger>,
    bytes: usize,
}

#[async_trait]
impl CopySink for Sink {
    fn column_count(&self) -> usize {
        2
    }
    fn format(&self) -> Format {
        Format::Text
    }
    async fn data(&mut self, piece: Bytes) -> PgResult<()> {
        if piece.starts_with(b"bad") {
            return Err(PgError::new(SqlState::BAD_COPY_FILE_FORMAT, "bad data").context("COPY t, line 1"));
        }
        self.bytes += piece.len();
        self.ledger.pieces_max.fetch_max(piece.len(), Ordering::SeqCst);
        Ok(())
    }
}

struct Source {
    left: u64,
}

#[async_trait]
impl CopySource for Source {
    fn column_count(&self) -> usize {
        1
    }
    fn format(&self) -> Format {
        Format::Text
    }
    async fn next(&mut self) -> PgResult<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(Bytes::from_static(b"d\0\0\0\x06a\n")))
    }
    fn rows(&self) -> u64 {
        2
    }
}
