//! What a statement turned into: all that execution needs, without any syntax tree.
//!
//! Plans are made on threads with large stacks and hold only owned values, so that they can be kept, sent and dropped anywhere.

mod command;

use std::sync::Arc;

pub use command::{SettingPlan, TransactionPlan};
use duckmesh_catalog::{ColumnId, ColumnType, Constraint, LakeName, LakeSchema, TableDef, ddl::DdlOp};
use uuid::Uuid;

use crate::{
    copy::{CopyOptions, RawCopyOptions},
    session::temporary::OnCommit,
    wire::{PgError, backend::Command},
};

/// What planning may look at.
#[derive(Clone)]
pub struct PlanContext {
    /// The lake's name: `current_database()`.
    pub lake: LakeName,
    /// What exists, the open transaction's own changes included.
    pub schema: Arc<LakeSchema>,
    /// `search_path` resolved to the names that exist (SQL names: `public`, never `main`), without `pg_catalog`.
    pub search_path: Vec<String>,
    /// Oids the client gave for parameters; 0 or missing: find out.
    pub param_types: Vec<u32>,
    /// Parameters whose values are arrays of several dimensions: they travel as text.
    pub grids: Vec<usize>,
    /// Whether numerics are computed with all their digits, which takes longer: the engine's decimals had no room.
    pub exact: bool,
    /// How literals are read (time zone, date order, now).
    pub values: Arc<crate::value::ValueContext>,
    /// The session's user.
    pub user: String,
    /// Where the statement begins in its text.
    pub start: super::position::Start,
}

/// A planned statement.
#[derive(Clone, Debug)]
pub enum Plan {
    /// SELECT, VALUES, WITH … SELECT, TABLE.
    Query(QueryPlan),
    /// INSERT.
    Insert(InsertPlan),
    /// COPY t FROM STDIN.
    CopyIn(CopyInPlan),
    /// COPY … TO STDOUT.
    CopyOut(CopyOutPlan),
    /// DDL that is known whole: operations for the log.
    Ddl(DdlPlan),
    /// CREATE TABLE AS, SELECT INTO.
    CreateTableAs(CreateTableAsPlan),
    /// CREATE VIEW: its column types come from describing the query.
    CreateView(CreateViewPlan),
    /// CREATE, DROP and COMMENT ON DATABASE.
    Database(DatabasePlan),
    /// BEGIN, COMMIT, …
    Transaction(TransactionPlan),
    /// SET, RESET, SHOW, DISCARD.
    Setting(SettingPlan),
    /// EXPLAIN.
    Explain(ExplainPlan),
    /// PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE: the wire holds what they are about.
    Command(Box<Command<super::Statement>>),
    /// DO.
    Do(DoPlan),
    /// LISTEN (true), UNLISTEN; none is all.
    Listen(bool, Option<String>),
    /// NOTIFY.
    Notify(String, String),
    /// `CALL duckmesh.expire_snapshots`, of those older than this.
    ExpireSnapshots(String),
    /// `CALL duckmesh.settle_dead_letters`, up to this offset.
    SettleDeadLetters(i64),
    /// Accepted, does nothing.
    NoOp {
        /// The command's tag.
        tag: String,
        /// What the user should know.
        notice: Option<PgError>,
    },
}

impl Plan {
    /// Types of its parameters by position.
    #[must_use]
    pub fn params(&self) -> &[ParamType] {
        match self {
            Self::Query(query) => &query.params,
            Self::Insert(insert) => &insert.params,
            Self::CreateTableAs(create) => &create.query.params,
            Self::Explain(explain) => explain.inner.params(),
            _ => &[],
        }
    }

    /// Whether it writes to the log.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Insert(_) | Self::CopyIn(_) | Self::Ddl(_) | Self::CreateTableAs(_) | Self::CreateView(_))
    }

    /// Whether it only reads, so that time travel applies to it.
    #[must_use]
    pub fn reads(&self) -> bool {
        match self {
            Self::Query(_) | Self::CopyOut(_) => true,
            Self::Explain(explain) => explain.inner.reads(),
            _ => false,
        }
    }
}

/// A query for the engine.
#[derive(Clone, Debug, Default)]
pub struct QueryPlan {
    /// DuckDB SQL, rendered from the checked tree, with holes.
    pub sql: Vec<SqlPart>,
    /// The lake's tables it reads; each is a view `TableUse::view` on the engine's connection.
    pub tables: Vec<TableUse>,
    /// Relations of `pg_catalog`, `information_schema` and `duckmesh` it reads; each is a view `SystemUse::view`.
    pub system: Vec<SystemUse>,
    /// Parameter types by position; the type of a hole is repeated in it.
    pub params: Vec<ParamType>,
    /// What is known of the output columns by position: shorter or empty where not known (`SELECT *` over unknown shapes).
    pub columns: Vec<OutputColumn>,
    /// Whether its rows have no columns; the engine's have one.
    pub no_columns: bool,
    /// Columns whose values the gateway makes.
    pub row_calls: Vec<RowCall>,
    /// Sequences whose numbers the engine asks for, row by row, as `nextval` names them.
    pub numbers: Vec<CallArg>,
    /// Whether it asks for row locks (`FOR UPDATE`): there are none.
    pub locks: bool,
    /// Whether it has one row at most: aggregates without groups.
    pub one_row: bool,
    /// Whether it computes with the engine's decimals, which may have no room where Postgres has.
    pub decimals: bool,
}

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlPart {
    /// As it is.
    Text(String),
    /// A parameter: rendered as a literal with a cast (`value::literal`), or as `CAST(NULL AS …)` to describe.
    Param(usize),
    /// A parameter of which only is asked whether it is NULL: the engine may know it before it looks at rows.
    Tested(usize),
    /// A parameter that is an array, as what can stand after `IN`: `(1, 2)`.
    Listed(usize),
    /// A value of the session, rendered as a literal when the statement runs.
    Session(SessionValue),
}

/// Values that depend on the session or the moment.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionValue {
    /// `now()`, `current_timestamp`, `transaction_timestamp()`: start of the transaction, timestamptz.
    TransactionTime,
    /// `statement_timestamp()`.
    StatementTime,
    /// `clock_timestamp()`.
    ClockTime,
    /// `current_date`, in the session's zone.
    CurrentDate,
    /// `current_time`/`localtime` as time without zone, in the session's zone.
    LocalTime,
    /// `localtimestamp`.
    LocalTimestamp,
    /// `current_database()`, `current_catalog`.
    Database,
    /// `current_user`, `session_user`, `user`.
    User,
    /// `current_schema`.
    Schema,
    /// `pg_my_temp_schema()`.
    TemporarySchema,
    /// `current_schemas(bool)` as a text list; the flag: with pg_catalog.
    Schemas(bool),
    /// `pg_listening_channels()` as a text list.
    Channels,
    /// Where functions of the engine find the rows of a relation that only they read.
    RowsOf(&'static str),
    /// `version()`.
    Version,
    /// `pg_backend_pid()`.
    BackendPid,
    /// `current_setting(name [, missing_ok])`.
    Setting(String, bool),
    /// `txid_current()`.
    TransactionId,
    /// `pg_postmaster_start_time()`.
    ServerStart,
    /// A function that the gateway runs, once for the statement, before the engine sees it.
    Call(SessionCall),
    /// Which of the query's `numbers` the engine asks for.
    Number(usize),
}

/// A call of a function that the gateway runs.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionCall {
    /// The function.
    pub function: SessionFunction,
    /// Its arguments.
    pub args: Vec<CallArg>,
    /// Which call of its statement it is: each is run once, in this order.
    pub number: usize,
}

/// An argument of such a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallArg {
    /// NULL.
    Null,
    /// A constant, as text.
    Text(String),
    /// A parameter.
    Param(usize),
    /// A text's hash: programs lock by name with it.
    Hash(Box<CallArg>, crate::value::hash::Hashed, Option<i64>),
}

/// Functions that the gateway runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SessionFunction {
    NextVal,
    CurrVal,
    LastVal,
    SetVal,
    /// `last_value` of a sequence that is read as a relation.
    SequenceLast,
    /// `is_called` of one.
    SequenceCalled,
    SerialSequence,
    SetConfig,
    Sleep,
    SleepFor,
    SleepUntil,
    Notify,
    AdvisoryLock(AdvisoryCall),
    AdvisoryUnlock {
        shared: bool,
    },
    AdvisoryUnlockAll,
    /// `pg_cancel_backend`, `pg_terminate_backend`.
    Signal {
        /// Whether the connection ends, too.
        ends: bool,
    },
}

/// Which advisory lock function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvisoryCall {
    /// `pg_try_…`: does not wait.
    pub tries: bool,
    /// `…_xact_…`: until the transaction's end.
    pub transaction: bool,
    /// `…_shared`.
    pub shared: bool,
}

/// A column of a query whose values the gateway makes, row by row: `SELECT nextval('s') FROM t`.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCall {
    /// The column's position.
    pub column: usize,
    /// What makes them.
    pub kind: RowCallKind,
}

/// What makes a column's values.
#[derive(Clone, Debug, PartialEq)]
pub enum RowCallKind {
    /// A sequence, named as it was written.
    Sequence {
        /// Its name.
        name: CallArg,
        /// `setval`: the engine's value is twice the number, and one more where it counts as given. Else `nextval`.
        sets: bool,
    },
    /// `pg_cancel_backend`, `pg_terminate_backend`: the engine's value is the session's number, the result whether it is there.
    Signal {
        /// Whether the connection ends, too.
        ends: bool,
    },
}

/// The type of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamType {
    /// Its Postgres oid.
    pub oid: u32,
    /// The type its value is read as.
    pub ty: ColumnType,
}

/// A table in a query.
#[derive(Clone, Debug)]
pub struct TableUse {
    /// The table.
    pub table: Arc<TableDef>,
    /// The view's name on the engine's connection.
    pub view: String,
    /// Conditions that every row of the result needs from this table (all of them): for pruning files. May be empty.
    pub filters: Vec<ColumnFilter>,
}

/// `column op value` with a constant or parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnFilter {
    /// The column.
    pub column: ColumnId,
    /// The comparison.
    pub op: FilterOp,
    /// Values: one, for `In` several, for `IsNull`/`IsNotNull` none.
    pub values: Vec<FilterValue>,
}

/// Comparisons that can prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FilterOp {
    Eq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    In,
    IsNull,
    IsNotNull,
}

/// A constant to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterValue {
    /// Text form, to be read as the column's type.
    Text(String),
    /// A parameter.
    Param(usize),
}

/// A system relation in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUse {
    /// `pg_catalog`, `information_schema` or `duckmesh`.
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// Its name in the statement; none where only functions look for rows of it.
    pub view: Option<String>,
}

/// A relation's column that is shown unchanged.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Of a table of the lake.
    Table(Arc<TableDef>, ColumnId),
    /// Of a view or a system relation: its oid, and the column's number.
    Relation(u32, i16),
}

/// What planning knows of an output column.
#[derive(Clone, Debug, Default)]
pub struct OutputColumn {
    /// Its name as Postgres gives it (`?column?`, `count`, …), where known.
    pub name: Option<String>,
    /// The table and column it shows unchanged.
    pub origin: Option<Origin>,
    /// Its Postgres type where it differs from what the engine's type tells (varchar from a cast, jsonb, regclass …).
    pub ty: Option<ColumnType>,
}

/// INSERT.
#[derive(Clone, Debug)]
pub struct InsertPlan {
    /// The target.
    pub table: Arc<TableDef>,
    /// Its schema's SQL name, for messages.
    pub schema_name: String,
    /// Target columns in the order of the source; others get their default.
    pub columns: Vec<ColumnId>,
    /// Where rows come from.
    pub source: InsertSource,
    /// What the statement returns.
    pub returning: Option<Returning>,
    /// Parameter types by position.
    pub params: Vec<ParamType>,
}

/// Where an INSERT's rows come from.
#[derive(Clone, Debug)]
pub enum InsertSource {
    /// `DEFAULT VALUES`: one row.
    DefaultValues,
    /// Rows of constants, parameters and DEFAULT: no engine needed.
    Values(Vec<Vec<Cell>>),
    /// Anything else: the engine gives rows with one column per target column, already assigned to its type.
    Query(QueryPlan),
}

/// A simple value of a VALUES row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// The column's default.
    Default,
    /// NULL.
    Null,
    /// A constant in Postgres' text form, fit for the column's type.
    Text(String),
    /// A parameter; its `ParamType` is the column's type (or what the client gave, when it can be assigned).
    Param(usize),
}

/// RETURNING.
#[derive(Clone, Debug)]
pub enum Returning {
    /// Columns of the row: output name and column.
    Columns(Vec<(String, ColumnId)>),
    /// Expressions: a query whose only table is the inserted rows.
    Query(QueryPlan),
}

/// COPY FROM STDIN.
#[derive(Clone, Debug)]
pub struct CopyInPlan {
    /// The target.
    pub table: Arc<TableDef>,
    /// Its schema's SQL name.
    pub schema_name: String,
    /// Columns in the data's order.
    pub columns: Vec<ColumnId>,
    /// Whether they are all, since the statement names none.
    pub all_columns: bool,
    /// WHERE: only rows for which it is true are stored. An expression over the table's columns.
    pub condition: Option<Vec<SqlPart>>,
    /// The format.
    pub options: CopyOptions,
}

/// COPY TO STDOUT.
#[derive(Clone, Debug)]
pub struct CopyOutPlan {
    /// What is copied.
    pub query: QueryPlan,
    /// Column names, for the header. Empty where only the engine knows them: then `options` must be made again from `raw`.
    pub columns: Vec<String>,
    /// The format.
    pub options: CopyOptions,
    /// The format as it was written.
    pub raw: Box<RawCopyOptions>,
}

/// DDL.
#[derive(Clone, Debug)]
pub struct DdlPlan {
    /// For the log, in order. Empty: nothing to do (IF EXISTS …).
    pub ops: Vec<DdlOp>,
    /// The command's tag.
    pub tag: String,
    /// Notices.
    pub notices: Vec<PgError>,
    /// Queries that must give no row before the change is made (SET NOT NULL, ADD CHECK), with the error if they do.
    pub validations: Vec<(QueryPlan, PgError)>,
    /// Tables whose rows are all written anew, in the same write; the operations truncate them.
    pub rewrites: Vec<TableRewrite>,
    /// ON COMMIT of the temporary table that is made.
    pub on_commit: Option<(Uuid, OnCommit)>,
    /// CONCURRENTLY: refused in a transaction block.
    pub alone: bool,
}

/// The rows of a table after ALTER TABLE, from those before.
#[derive(Clone, Debug)]
pub struct TableRewrite {
    /// The table.
    pub table: Uuid,
    /// Columns that the query gives; others get their default, for each row its own.
    pub columns: Vec<ColumnId>,
    /// The query over the table as it was.
    pub query: QueryPlan,
}

/// CREATE TABLE AS.
#[derive(Clone, Debug)]
pub struct CreateTableAsPlan {
    /// The new table's schema.
    pub schema: Uuid,
    /// Its name.
    pub name: String,
    /// Column names given; the query's otherwise.
    pub column_names: Vec<String>,
    /// The query.
    pub query: QueryPlan,
    /// False for WITH NO DATA.
    pub with_data: bool,
    /// The table exists and IF NOT EXISTS was said: only the notice.
    pub exists: Option<PgError>,
    /// ON COMMIT of a temporary table.
    pub on_commit: Option<OnCommit>,
}

/// CREATE [OR REPLACE] VIEW.
#[derive(Clone, Debug)]
pub struct CreateViewPlan {
    /// The view's identity: the old one's where it replaces.
    pub uuid: Uuid,
    /// The schema it goes to.
    pub schema: Uuid,
    /// Its name.
    pub name: String,
    /// Column names given; the query's otherwise.
    pub column_names: Vec<String>,
    /// The query, to describe.
    pub query: QueryPlan,
    /// What DuckLake stores, with `{DUCKLAKE_CATALOG}`.
    pub duckdb_sql: String,
    /// What DuckMesh runs: names qualified.
    pub postgres_sql: String,
    /// That it becomes temporary, because of what it reads.
    pub notice: Option<PgError>,
    /// The old view's columns: a replacement may only add to them.
    pub replaces: Option<Vec<(String, ColumnType)>>,
}

/// CREATE and DROP DATABASE.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum DatabasePlan {
    Create { name: String, notices: Vec<PgError> },
    Drop { name: String, if_exists: bool, force: bool },
    Comment { name: String, comment: Option<String> },
}

impl DatabasePlan {
    /// The command, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CREATE DATABASE",
            Self::Drop { .. } => "DROP DATABASE",
            Self::Comment { .. } => "COMMENT ON DATABASE",
        }
    }
}

/// DO.
#[derive(Clone, Debug)]
pub struct DoPlan {
    /// What it runs.
    pub statements: Vec<super::Statement>,
    /// Errors that only undo it.
    pub handled: Vec<super::do_block::Condition>,
}

/// EXPLAIN.
#[derive(Clone, Debug)]
pub struct ExplainPlan {
    /// Whether to run it.
    pub analyze: bool,
    /// Format: text or json.
    pub json: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// What is explained.
    pub inner: Box<Plan>,
}

/// A CHECK constraint ready for the engine.
#[derive(Clone, Debug)]
pub struct CompiledCheck {
    /// The constraint.
    pub constraint: Constraint,
    /// DuckDB SQL over the table's columns.
    pub sql: Vec<SqlPart>,
}

/// A default ready to be computed.
#[derive(Clone, Debug, PartialEq)]
pub enum DefaultProgram {
    /// NULL.
    Null,
    /// A constant in the lake's text form.
    Constant(String),
    /// A value of the session or moment, cast to the column's type.
    Session(SessionValue),
    /// `gen_random_uuid()`: new for each row.
    RandomUuid,
    /// Anything else: the engine computes it, one value per row.
    Expression(Vec<SqlPart>),
}
