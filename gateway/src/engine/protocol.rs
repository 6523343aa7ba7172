//! What gateway and worker say to each other: frames over a Unix socket, one request at a time per connection.
//!
//! A frame is its kind (1 byte), the length of its head and the length of its body (4 bytes each, little endian), the
//! head and the body. Heads are JSON, except those of batches (an Arrow IPC message, whose body is the frame's body).
//! The gateway sends `Request` and `Cancel`; the worker answers every request with frames that end in exactly one of
//! `Described`, `Done` and `Failed`. Before that it may ask for numbers of sequences (`Numbers`, answered by
//! `Numbered`). A cancelled request is answered too: the gateway reads on until the end, so that the connection can
//! serve the next one.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// The largest head of a frame in bytes: SQL text is at most 16 MiB, and JSON may double it.
pub const HEAD_BYTES_MAX: u32 = 64 << 20;
/// The largest body of a frame in bytes: one batch.
pub const BODY_BYTES_MAX: u32 = 1 << 30;
/// Bytes before the head.
pub const PREFIX_BYTES: usize = 9;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Gateway to worker: [`Request`].
    Request,
    /// Gateway to worker: [`Cancel`].
    Cancel,
    /// Worker to gateway: [`Columns`], with the Arrow IPC schema message as body.
    Schema,
    /// Worker to gateway: a record batch.
    Batch,
    /// Worker to gateway: the rows are complete.
    Done,
    /// Worker to gateway: [`EngineError`].
    Failed,
    /// Worker to gateway: [`Columns`] of a statement that was not run.
    Described,
    /// Worker to gateway: [`NumbersWanted`], while a statement runs.
    Numbers,
    /// Gateway to worker: [`Numbered`], its answer.
    Numbered,
}

impl FrameKind {
    /// Its byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Request => b'Q',
            Self::Cancel => b'C',
            Self::Schema => b'S',
            Self::Batch => b'B',
            Self::Done => b'D',
            Self::Failed => b'E',
            Self::Described => b'T',
            Self::Numbers => b'N',
            Self::Numbered => b'n',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        const ALL: [FrameKind; 9] = [
            FrameKind::Request,
            FrameKind::Cancel,
            FrameKind::Schema,
            FrameKind::Batch,
            FrameKind::Done,
            FrameKind::Failed,
            FrameKind::Described,
            FrameKind::Numbers,
            FrameKind::Numbered,
        ];
        ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// The start of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// What it is.
    pub kind: FrameKind,
    /// Bytes of the head.
    pub head_bytes: usize,
    /// Bytes of the body.
    pub body_bytes: usize,
}

impl Prefix {
    /// As bytes; an error where a length is over its limit.
    pub fn encode(kind: FrameKind, head: &[u8], body: &[u8]) -> io::Result<[u8; PREFIX_BYTES]> {
        let length = |bytes: &[u8], max: u32| {
            u32::try_from(bytes.len()).ok().filter(|n| *n <= max).ok_or_else(|| invalid("frame too large"))
        };
        let mut out = [0; PREFIX_BYTES];
        out[0] = kind.byte();
        out[1..5].copy_from_slice(&length(head, HEAD_BYTES_MAX)?.to_le_bytes());
        out[5..9].copy_from_slice(&length(body, BODY_BYTES_MAX)?.to_le_bytes());
        Ok(out)
    }

    /// From bytes.
    pub fn decode(bytes: [u8; PREFIX_BYTES]) -> io::Result<Self> {
        let [kind, h0, h1, h2, h3, b0, b1, b2, b3] = bytes;
        let kind = FrameKind::from_byte(kind).ok_or_else(|| invalid("unknown frame"))?;
        let (head, body) = (u32::from_le_bytes([h0, h1, h2, h3]), u32::from_le_bytes([b0, b1, b2, b3]));
        if head > HEAD_BYTES_MAX || body > BODY_BYTES_MAX {
            return Err(invalid("frame too large"));
        }
        Ok(Self { kind, head_bytes: head as usize, body_bytes: body as usize })
    }
}

/// Reads a frame whole (worker side: frames of the gateway are small).
pub fn read_frame(from: &mut impl Read) -> io::Result<(FrameKind, Vec<u8>)> {
    let mut prefix = [0; PREFIX_BYTES];
    from.read_exact(&mut prefix)?;
    let prefix = Prefix::decode(prefix)?;
    let mut head = vec![0; prefix.head_bytes];
    from.read_exact(&mut head)?;
    let skipped = io::copy(&mut from.take(prefix.body_bytes as u64), &mut io::sink())?;
    if skipped == prefix.body_bytes as u64 { Ok((prefix.kind, head)) } else { Err(invalid("frame cut short")) }
}

/// Writes a frame.
pub fn write_frame(to: &mut impl Write, kind: FrameKind, head: &[u8], body: &[u8]) -> io::Result<()> {
    let prefix = Prefix::encode(kind, head, body)?;
    // One write for prefix and head: small answers are one packet, and one wake-up of the reader.
    let mut start = Vec::with_capacity(PREFIX_BYTES + head.len());
    start.extend_from_slice(&prefix);
    start.extend_from_slice(head);
    to.write_all(&start)?;
    to.write_all(body)
}

/// Few rows of a relation of the catalog, as JSON in the statement itself: `pg_found` and its like take them.
#[derive(Serialize, Deserialize)]
pub struct InlineRows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Their texts.
    pub rows: Vec<Vec<Option<Box<str>>>>,
}

/// What the gateway asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Names it in [`Cancel`]; rises on each connection.
    pub id: u64,
    /// What to do.
    pub verb: Verb,
    /// Trusted statements that are run first on the request's own connection.
    pub prelude: Vec<String>,
    /// Relations that the statement may name, beside what the prelude made.
    pub relations: Vec<Relation>,
    /// Whether its rows are few: it is run to its end, which plans it once.
    pub at_once: bool,
    /// Whether it has one row at most: then it need not be found out.
    pub one_row: bool,
    /// The statement: exactly one SELECT.
    pub sql: String,
    /// The session's time zone, for DuckDB's `TimeZone`.
    pub time_zone: String,
    /// The number by which the statement asks for numbers of sequences, where it does.
    pub numbers: Option<u64>,
}

/// How many numbers of which of a statement's sequences.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NumbersWanted {
    /// Its place among the statement's.
    pub sequence: usize,
    /// As many.
    pub count: usize,
}

/// The numbers, or why there are none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Numbered {
    /// As many as were asked for.
    pub numbers: Vec<i64>,
    /// The error that the statement ends with.
    pub error: Option<String>,
}

/// A relation of one statement alone. Trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// Its name; no other relation that the statement can see has it.
    pub name: String,
    /// The query that it stands for.
    pub sql: String,
    /// The same, where it is no more than some small files: the worker may have their rows at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small: Option<SmallFiles>,
    /// The Parquet file whose rows they are, where others will ask for them too: the worker may have them as a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Small Parquet files that have all columns under these names, with these types. Trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallFiles {
    /// Name and type of each column, in order.
    pub columns: Vec<(String, SmallType)>,
    /// Absolute paths, in the order of their rows.
    pub paths: Vec<String>,
}

/// Rows of a relation's small files together. To scan them takes less than to open one Parquet file.
pub const SMALL_ROWS_MAX: u64 = 32_768;
/// Bytes of them.
pub const SMALL_BYTES_MAX: u64 = 256 << 10;

/// Types whose values the worker gives to DuckDB by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SmallType {
    /// `BOOLEAN`
    Bool,
    /// `SMALLINT`
    Int2,
    /// `INTEGER`
    Int4,
    /// `BIGINT`
    Int8,
    /// `FLOAT`
    Float4,
    /// `DOUBLE`
    Float8,
    /// `DECIMAL(precision, scale)`
    Numeric(u8, u8),
    /// `VARCHAR`
    Text,
    /// `JSON`
    Json,
    /// `BLOB`
    Bytea,
    /// `DATE`
    Date,
    /// `TIME`
    Time,
    /// `TIMESTAMP`
    Timestamp,
    /// `TIMESTAMP WITH TIME ZONE`
    Timestamptz,
    /// `UUID`
    Uuid,
}

/// What to do with the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Run it and send its rows.
    Query,
    /// Name its result columns, without running it.
    Describe,
    /// Show its plan.
    Explain,
    /// Run it and show its plan with times.
    ExplainAnalyze,
}

/// Stop working on a request. Of another request than the running one it does nothing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cancel {
    /// The request.
    pub id: u64,
}

/// The columns of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// In order.
    pub columns: Vec<EngineColumn>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineColumn {
    /// Its name.
    pub name: String,
    /// DuckDB's name of its type as `typeof()` writes it, for example `DECIMAL(18,3)`, `BIGINT[]`, `JSON`.
    pub duckdb_type: String,
}

/// What went wrong in DuckDB, as `errors_as_json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineError {
    /// DuckDB's `exception_type`, for example `Conversion`.
    pub exception_type: String,
    /// DuckDB's `exception_message`.
    pub message: String,
    /// The other fields: `position`, `error_subtype`, `name`, `candidates` …
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// The exception type of refusals by the worker itself.
pub const REFUSED: &str = "Refused";

impl EngineError {
    /// An error of a type.
    #[must_use]
    pub fn new(exception_type: &str, message: impl Into<String>) -> Self {
        Self { exception_type: exception_type.to_owned(), message: message.into(), extra: BTreeMap::new() }
    }

    /// What should not happen.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("Internal", message)
    }

    /// A setting that DuckDB does not take.
    #[must_use]
    pub fn settings(message: impl Into<String>) -> Self {
        Self::new("Settings", message)
    }

    /// Text that is no statement.
    #[must_use]
    pub fn syntax(message: impl Into<String>) -> Self {
        Self::new("Parser", message)
    }

    /// A statement that the worker does not run.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    /// Adds what is for the log.
    #[must_use]
    pub fn detailed(mut self, detail: &str) -> Self {
        self.extra.insert("detail".to_owned(), detail.to_owned());
        self
    }

    /// The request was cancelled.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new("Interrupt", "Interrupted!")
    }

    /// A failure to turn rows into Arrow.
    #[must_use]
    pub fn arrow(error: impl std::fmt::Display) -> Self {
        Self::internal(format!("arrow: {error}"))
    }

    /// Reads DuckDB's error text: JSON with `errors_as_json`, else `Kind Error: message`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) {
            let mut extra: BTreeMap<String, String> = fields
                .into_iter()
                .map(|(key, value)| (key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect();
            let exception_type = extra.remove("exception_type").unwrap_or_else(|| "Unknown".to_owned());
            let message = extra.remove("exception_message").unwrap_or_default();
            return Self { exception_type, message, extra };
        }
        match text.split_once(" Error: ") {
            // Errors of the parser are JSON behind a prefix.
            Some((_, json)) if json.starts_with('{') => Self::parse(json),
            Some((kind, message)) if kind.len() < 40 => Self::new(kind, message),
            _ => Self::new("Unknown", text),
        }
    }

    /// Whether the database that raised it must not be used again.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self.exception_type.to_ascii_uppercase().as_str(), "INTERNAL" | "FATAL")
    }
}

/// What a worker is told at its start, on its standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerConfig {
    /// Where it listens; its folder is the worker's alone.
    pub socket: PathBuf,
    /// The process that it belongs to: it ends when that one does.
    pub parent_pid: u32,
    /// Folders that it reads: the lake's files and the scratch files of open transactions.
    pub read_folders: Vec<PathBuf>,
    /// The folder that it spills to; its alone.
    pub temp_folder: PathBuf,
    /// DuckDB's `memory_limit` in bytes.
    pub memory_bytes: u64,
    /// `RLIMIT_AS` in bytes; 0 is none.
    pub address_space_bytes: u64,
    /// DuckDB's `max_temp_directory_size` and the largest file that it may write, in bytes.
    pub temp_bytes: u64,
    /// DuckDB's `threads`.
    pub threads: usize,
    /// `RLIMIT_NOFILE`.
    pub open_files: u64,
    /// Trusted SQL, run before the configuration is locked.
    pub setup: Vec<String>,
    /// Functions that `setup` makes and that statements may call although they would be refused by name.
    pub trusted_functions: Vec<String>,
    /// Whether the operating system's walls are put up; off only where a test needs DuckDB's own ones alone.
    pub sandbox: bool,
}

/// The first thing a worker says, on its standard input's other direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Hello {
    /// It listens.
    Ready {
        /// DuckDB's version.
        duckdb: String,
        /// The walls and how they stand.
        walls: Vec<Wall>,
    },
    /// It ends; this is why.
    Failed(String),
}

/// One of the operating system's limits on a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// For example `landlock`.
    pub name: String,
    /// Whether it stands.
    pub stands: bool,
    /// How, or why not.
    pub detail: String,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
