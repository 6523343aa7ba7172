//! What the wire needs of a session: the border between messages and their meaning.
//!
//! The wire knows no SQL, no lake and no engine; the session knows no message and no socket.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use duckmesh_catalog::ColumnType;

use super::{PgError, PgResult, cancel::Cancel};
use crate::value::ValueContext;

/// Opens sessions.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// The session it opens.
    type Session: Session;

    /// Checks the startup parameters (database exists, user, settings) and opens a session. Errors are sent as FATAL.
    async fn connect(&self, startup: Startup, cancel: Cancel) -> PgResult<Self::Session>;
}

/// What the client said at its start, after the wire parsed it.
#[derive(Clone, Debug, Default)]
pub struct Startup {
    /// `user`; never empty.
    pub user: String,
    /// `database`; defaults to the user.
    pub database: String,
    /// All other parameters in order, those of `options=-c name=value` too.
    pub settings: Vec<(String, String)>,
    /// The backend id of BackendKeyData.
    pub process_id: i32,
    /// The peer's address, for logs and `pg_stat_activity`.
    pub peer: Option<std::net::SocketAddr>,
}

/// The state byte of ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `I`
    Idle,
    /// `T`
    InTransaction,
    /// `E`
    Failed,
}

/// A connection's meaning. Methods are called one at a time.
#[async_trait]
pub trait Session: Send + 'static {
    /// One statement of a query string, parsed but not yet looked at.
    type Statement: Send + Sync + Clone;
    /// A planned statement. Cheap to clone; it re-plans itself inside `execute` when the lake's schema has changed.
    type Prepared: Prepared;
    /// A running COPY FROM STDIN.
    type CopyIn: CopySink;

    /// Cuts a query string into statements. Empty statements (`;;`, comments) do not appear.
    async fn parse(&mut self, sql: Arc<str>) -> PgResult<Vec<Self::Statement>>;

    /// Plans a statement: names, parameter types, result columns. Executes nothing.
    /// `param_types`: oids given by the client, 0 for "find out". Fails with 25P02 in a failed transaction,
    /// except for COMMIT and ROLLBACK.
    async fn prepare(&mut self, statement: &Self::Statement, param_types: &[u32]) -> PgResult<Self::Prepared>;

    /// The oids of types by their names, 0 for `unknown`.
    async fn type_oids(&mut self, names: &[TypeName]) -> PgResult<Vec<u32>>;

    /// The result columns of a planned statement, found out without executing it; none for a statement without rows.
    async fn describe(&mut self, prepared: &Self::Prepared) -> PgResult<Option<Arc<[ResultColumn]>>>;

    /// Executes. On an error inside a transaction block the session marks the block failed by itself.
    async fn execute(
        &mut self,
        prepared: &Self::Prepared,
        params: Params,
        place: Place,
    ) -> PgResult<Outcome<Self::CopyIn>>;

    /// CopyDone: gives the tag `COPY n`, after the rows are durable (or buffered in a transaction). A `CopyIn` that is dropped
    /// instead is a failed COPY: nothing of it becomes visible.
    async fn copy_done(&mut self, copy: Self::CopyIn) -> PgResult<String>;

    /// The end of an implicit transaction: at Sync, and at the end of a simple query. `failed`: a statement since the
    /// last call failed, so what is buffered must be dropped; else it is committed now. Outside implicit transactions
    /// it does nothing.
    async fn end_implicit(&mut self, failed: bool) -> PgResult<()>;

    /// Whether the implicit transaction has writes that its end may still lose: their answers, and those after them, are
    /// kept until then.
    fn has_unsettled_writes(&self) -> bool;

    /// An error that arose in the wire during a statement (bad parameter format, lost portal …): marks an open block
    /// as failed.
    fn note_error(&mut self);

    /// The state byte.
    fn status(&self) -> Status;

    /// Notices since the last call, already filtered by `client_min_messages`.
    fn take_notices(&mut self) -> Vec<PgError>;

    /// Parameters to report by ParameterStatus since the last call; after `connect`, all of them.
    fn take_parameter_changes(&mut self) -> Vec<(String, String)>;

    /// The command about prepared statements or cursors that a statement is: the wire has these, and runs it.
    fn command(&self, _prepared: &Self::Prepared) -> Option<Command<Self::Statement>> {
        None
    }

    /// Counts statements: what was made after a savepoint has a higher number than it.
    fn moment(&self) -> u64 {
        0
    }

    /// ROLLBACK TO: portals that were made after this moment are gone.
    fn take_rolled_back_to(&mut self) -> Option<u64> {
        None
    }

    /// Whether a transaction ended without effect.
    fn is_rolled_back(&self, _transaction: u64) -> bool {
        false
    }

    /// Takes all rows of a result, to be read in any order.
    async fn keep(&mut self, _rows: Rows) -> PgResult<Box<dyn KeptRows>> {
        Err(PgError::unsupported("scrollable cursors are not supported"))
    }

    /// Whether a statement shows prepared statements or cursors: then it is told of them first.
    fn wants_directory(&self, _prepared: &Self::Prepared) -> bool {
        false
    }

    /// What there is of them.
    fn set_directory(&mut self, _directory: Directory) {}

    /// Is told that the connection waits for its client.
    fn idles(&mut self) {}

    /// Notifications that arrived since the last call.
    fn take_notifications(&mut self) -> Vec<Notification> {
        Vec::new()
    }

    /// Is told when a notification arrives.
    fn notified(&self) -> Arc<tokio::sync::Notify> {
        Arc::default()
    }

    /// How values are read and written for this client now.
    fn value_context(&self) -> Arc<ValueContext>;

    /// Number counting up with every transaction end: portals of an older one are gone.
    fn transaction_id(&self) -> u64;

    /// Refuses to change what a cursor that is open reads.
    ///
    /// # Errors
    /// 55006.
    fn check_not_in_use(&self, prepared: &Self::Prepared, open: &[&Self::Prepared]) -> PgResult<()>;

    /// How long a COPY may wait for its client's data, if that has an end.
    fn copy_timeout(&self) -> Option<std::time::Duration>;

    /// The `idle_session_timeout` or `idle_in_transaction_session_timeout` in force now, if any.
    fn idle_timeout(&self) -> Option<std::time::Duration>;

    /// The client is gone or said goodbye: roll back, release.
    async fn close(self);
}

/// What NOTIFY tells a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The backend that said it.
    pub sender: i32,
    /// Where.
    pub channel: String,
    /// What.
    pub payload: String,
}

/// What a planned statement says of itself.
pub trait Prepared: Send + Sync + Clone + 'static {
    /// Oids of its parameters.
    fn param_types(&self) -> &[u32];
    /// Its text.
    fn text(&self) -> &str {
        ""
    }
    /// Whether it is a transaction command that may run in a failed block (COMMIT, ROLLBACK, ROLLBACK TO).
    fn ends_failed_block(&self) -> bool;
}

/// A type as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// The words of it.
    pub name: String,
    /// Where they begin, for errors.
    pub position: Option<u32>,
}

/// A command about what the wire holds.
#[derive(Clone, Debug)]
pub enum Command<S> {
    /// `PREPARE name (types) AS statement`.
    Prepare {
        /// The statement's name.
        name: String,
        /// The statement.
        statement: S,
        /// The types of its parameters, as written.
        param_types: Vec<TypeName>,
        /// The whole command, for `pg_prepared_statements`.
        text: String,
    },
    /// `EXECUTE name (values)`
    Execute {
        /// The statement's name.
        name: String,
        /// Values of its parameters.
        given: Given,
        /// What stands before EXECUTE when it is only explained.
        explain: Option<String>,
    },
    /// `CREATE TABLE … AS EXECUTE name (values) …`
    CreateAs {
        /// The statement's name.
        name: String,
        /// Values of its parameters.
        given: Given,
        /// What stands before EXECUTE.
        before: String,
        /// What stands behind it.
        after: String,
    },
    /// `DEALLOCATE name`; none is ALL.
    Deallocate(Option<String>),
    /// `DECLARE name CURSOR FOR statement`
    Declare {
        /// The cursor's name.
        name: String,
        /// Its query.
        statement: S,
        /// The rest.
        options: CursorOptions,
        /// The whole command, for `pg_cursors`.
        text: String,
    },
    /// `FETCH`, and `MOVE`, which shows no rows.
    Fetch {
        /// The cursor's name.
        name: String,
        /// Which rows.
        direction: Direction,
        /// Whether it is MOVE.
        moves: bool,
    },
    /// `CLOSE name`; none is ALL.
    Close(Option<String>),
}

/// Values of an EXECUTE.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Each of them.
    pub values: Vec<GivenValue>,
    /// All of them as written, with the commas between.
    pub list: String,
    /// The characters before that.
    pub before: usize,
}

/// A value of an EXECUTE.
#[derive(Clone, Debug)]
pub struct GivenValue {
    /// Its expression.
    pub source: String,
    /// Where that stands.
    pub position: Option<u32>,
    /// What it is, where it is a constant.
    pub written: Option<Written>,
}

/// A constant as it is written.
#[derive(Clone, Debug)]
pub enum Written {
    /// A string, of no type yet; none is NULL.
    Text(Option<String>),
    /// A number.
    Number(String),
}

/// What DECLARE says of a cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorOptions {
    /// BINARY
    pub binary: bool,
    /// SCROLL, NO SCROLL
    pub scroll: Option<bool>,
    /// WITH HOLD
    pub hold: bool,
    /// Whether it goes backward where it says neither SCROLL nor NO SCROLL.
    pub backward: bool,
}

impl CursorOptions {
    /// Whether it goes backward.
    #[must_use]
    pub fn scrolls(&self) -> bool {
        self.scroll.unwrap_or(self.backward)
    }
}

/// Which rows a FETCH wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The next rows; 0 is the one where the cursor stands.
    Forward(i64),
    /// The rows before, nearest first.
    Backward(i64),
    /// The row of that number, negative from the end.
    Absolute(i64),
    /// The row so many on.
    Relative(i64),
}

/// Rows that are kept, to be read in any order.
#[async_trait]
pub trait KeptRows: Send {
    /// How many there are.
    fn count(&self) -> u64;
    /// Rows from a place on (0 is the first), at most so many and at least one batch's rest; empty at the end.
    async fn read(&mut self, from: u64, count: u64) -> PgResult<Option<RecordBatch>>;
}

/// A prepared statement, as `pg_prepared_statements` shows it.
#[derive(Clone, Debug)]
pub struct HeldStatement {
    /// Its name.
    pub name: String,
    /// Its text; the whole command where SQL made it.
    pub text: String,
    /// Oids of its parameters.
    pub param_types: Vec<u32>,
    /// Whether SQL made it.
    pub from_sql: bool,
    /// When.
    pub made: chrono::DateTime<chrono::Utc>,
}

/// Prepared statements and cursors of a session, for the relations that show them.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The prepared statements.
    pub statements: Vec<HeldStatement>,
    /// Name, text, options, when.
    pub cursors: Vec<(String, String, CursorOptions, chrono::DateTime<chrono::Utc>)>,
}

/// Where a statement stands among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The only or last statement before the implicit transaction ends: if nothing was buffered before it, its write
    /// is durable before `execute` returns.
    Last,
    /// The same, behind others of the implicit transaction.
    LastOfSeveral,
    /// Others may follow, and none came before since the last Sync: what can be no part of a transaction runs alone.
    First,
    /// Others may follow in the same implicit transaction: writes are buffered until `end_implicit`, and the wire
    /// keeps its replies back until then.
    MoreMayFollow,
}

/// Bound parameters as they came.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// Values; none is NULL.
    pub values: Vec<Option<Bytes>>,
    /// Format of each value; as many as values.
    pub formats: Vec<Format>,
}

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Format code 0.
    Text,
    /// Format code 1.
    Binary,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Oid of the table it comes from unchanged; 0 otherwise.
    pub table_oid: u32,
    /// Attribute number in that table; 0 otherwise.
    pub attnum: i16,
    /// Postgres' type.
    pub type_oid: u32,
    /// Postgres' `typlen`.
    pub typlen: i16,
    /// Postgres' type modifier.
    pub typmod: i32,
    /// DuckDB's type, as the encoder needs it.
    pub duckdb_type: String,
    /// The declared type where it comes from a table's column unchanged.
    pub declared: Option<ColumnType>,
}

/// What executing gave.
pub enum Outcome<C> {
    /// Nothing to run (EmptyQueryResponse).
    Empty,
    /// Done: CommandComplete with this tag.
    Complete(String),
    /// Rows.
    Rows(Rows),
    /// The client may send data now.
    CopyIn(C),
    /// Data for the client.
    CopyOut(Box<dyn CopySource>),
}

/// Rows that stream.
pub struct Rows {
    /// Their columns: as many as each batch has.
    pub columns: Arc<[ResultColumn]>,
    /// The batches.
    pub batches: Box<dyn RowSource>,
    /// The command's tag.
    pub tag: RowTag,
    /// Whether the rows' own command asks for binary values (a binary cursor).
    pub binary: bool,
}

/// The tag of a command that gave rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowTag {
    /// `SELECT n`
    Select,
    /// `INSERT 0 n`
    Insert,
    /// `FETCH n`
    Fetch,
    /// Without a number: `SHOW`, `EXPLAIN`.
    Plain(&'static str),
}

/// Where rows come from. Dropping it ends the query.
#[async_trait]
pub trait RowSource: Send {
    /// The next batch; none at the end. After an error or none it must not be called again.
    async fn next(&mut self) -> PgResult<Option<RecordBatch>>;
}

/// Where COPY FROM STDIN puts its data.
#[async_trait]
pub trait CopySink: Send + 'static {
    /// Columns that are copied.
    fn column_count(&self) -> usize;
    /// Format of the copy as a whole.
    fn format(&self) -> Format;
    /// Takes a piece, cut anywhere.
    async fn data(&mut self, piece: Bytes) -> PgResult<()>;
}

/// Where COPY TO STDOUT gets its data.
#[async_trait]
pub trait CopySource: Send {
    /// Columns that are copied.
    fn column_count(&self) -> usize;
    /// Format of the copy as a whole.
    fn format(&self) -> Format;
    /// The next piece: whole CopyData messages, one a row as clients count them (`copy::CopyWriter::write_messages` makes
    /// them); none at the end.
    async fn next(&mut self) -> PgResult<Option<Bytes>>;
    /// Rows given so far, for the tag.
    fn rows(&self) -> u64;
}
