//! What an engine is given, and what a statement is given with its text.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{
    protocol::{Relation, Verb},
    stream::CancelHandle,
};
use crate::wire::error::PgResult;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// How the engine of one lake runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The binary whose `engine` verb is the worker: this one.
    pub program: PathBuf,
    /// Folders that statements read: the lake's files, and the scratch files of open transactions.
    pub read_folders: Vec<PathBuf>,
    /// Where workers keep what does not fit in memory. Each has a folder of its own there.
    pub spill_folder: PathBuf,
    /// DuckDB's `memory_limit`, which it does not keep exactly.
    pub memory_bytes: u64,
    /// The process's limit, which the kernel keeps. None is twice the memory, 1 GiB, and the stacks.
    pub address_space_bytes: Option<u64>,
    /// Most that is spilled.
    pub spill_bytes: u64,
    /// Threads of DuckDB.
    pub threads: usize,
    /// Statements that run at once; further ones wait.
    pub concurrent_max: usize,
    /// Statements that wait; further ones are refused.
    pub waiting_max: usize,
    /// Whether the files are a client's own: an error in reading them is told to that client, and is no news of the lake.
    pub foreign_files: bool,
    /// Trusted SQL of every worker, run before its configuration is locked: macros.
    pub setup: Vec<String>,
    /// Functions of `setup` that statements may call although a built-in one of that name is refused.
    pub trusted_functions: Vec<String>,
    /// The operating system's walls. Off only in tests of DuckDB's own.
    pub sandbox: bool,
    /// How long a worker may take to start.
    pub start_timeout: Duration,
    /// How long a worker may take to answer a stop, before new statements get another worker.
    pub answer_grace: Duration,
    /// After a deadline: how long the interrupt may take to work before the worker is ended.
    pub interrupt_grace: Duration,
    /// The same after a cancel by the user, who waits for nothing any more: longer, because ending the worker ends
    /// its other statements. Where it has none, it is ended at once.
    pub cancel_grace: Duration,
    /// From SIGTERM to SIGKILL.
    pub term_grace: Duration,
}

/// Stack of a worker's connection: its query thread and its reader.
const CONNECTION_STACK_BYTES: u64 = 65 * MIB;

impl EngineOptions {
    /// The defaults, for a lake whose files are in `read_folders`.
    #[must_use]
    pub fn new(program: PathBuf, read_folders: Vec<PathBuf>, spill_folder: PathBuf) -> Self {
        Self {
            program,
            read_folders,
            spill_folder,
            memory_bytes: GIB,
            address_space_bytes: None,
            spill_bytes: 10 * GIB,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            concurrent_max: 8,
            waiting_max: 200,
            foreign_files: false,
            setup: Vec::new(),
            trusted_functions: Vec::new(),
            sandbox: true,
            start_timeout: Duration::from_secs(20),
            answer_grace: Duration::from_millis(100),
            interrupt_grace: Duration::from_secs(1),
            cancel_grace: Duration::from_secs(10),
            term_grace: Duration::from_secs(2),
        }
    }

    /// `RLIMIT_AS` of a worker.
    #[must_use]
    pub fn address_space(&self) -> u64 {
        let stacks = (self.concurrent_max as u64 + 2) * CONNECTION_STACK_BYTES;
        self.address_space_bytes.unwrap_or(self.memory_bytes * 2 + GIB + stacks)
    }
}

/// A statement for the engine.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// Trusted statements run first, on the statement's own connection: temporary views of the catalog.
    pub prelude: Vec<String>,
    /// Trusted relations that the statement may name: its tables' files.
    pub relations: Vec<Relation>,
    /// Whether its rows are few: then it is planned once, where others are prepared before they stream.
    pub at_once: bool,
    /// Whether it has one row at most: then it need not be found out whether they are few.
    pub one_row: bool,
    /// Exactly one SELECT, rendered from the checked tree.
    pub sql: String,
    /// The client's own text, which positions of errors refer to; empty where there is none.
    pub client_sql: Arc<str>,
    /// The session's time zone.
    pub time_zone: String,
    /// When it is stopped.
    pub deadline: Option<Instant>,
    /// Stops it from elsewhere.
    pub cancel: CancelHandle,
    /// What to do with it.
    pub verb: Verb,
    /// Where numbers of sequences come from that it asks for while it runs.
    pub numbers: Option<NumberSource>,
}

/// Gives a statement numbers: of which of its sequences, and how many.
#[derive(Clone)]
pub struct NumberSource {
    /// The number that the statement's text asks by; no other statement has it.
    pub key: u64,
    /// Takes them.
    pub next: Arc<NextNumbers>,
}

/// Takes so many numbers of one of a statement's sequences.
pub type NextNumbers = dyn Fn(usize, usize) -> BoxFuture<'static, PgResult<Vec<i64>>> + Send + Sync;

impl fmt::Debug for NumberSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberSource").field("key", &self.key).finish_non_exhaustive()
    }
}

impl QueryRequest {
    /// A query in UTC without deadline.
    #[must_use]
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            prelude: Vec::new(),
            relations: Vec::new(),
            at_once: false,
            one_row: false,
            sql: sql.into(),
            client_sql: Arc::default(),
            time_zone: "UTC".to_owned(),
            deadline: None,
            cancel: CancelHandle::default(),
            verb: Verb::Query,
            numbers: None,
        }
    }
}
