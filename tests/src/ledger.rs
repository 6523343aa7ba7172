//! What clients did and what they were told: the ground that the checker stands on.
//!
//! An operation inserts `parts` rows `(writer, seq, part)` in one statement or one transaction, so that half of it can be seen.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::harness::client::{Client, offset_of, sqlstate, token_of};

/// Names an operation: who, and its how-manieth.
pub type OpId = (u32, u32);

/// How an operation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One INSERT into `ledger_a`.
    Insert,
    /// One transaction that writes into `ledger_a` and `ledger_b`.
    Transaction,
    /// One COPY into `ledger_a`.
    Copy,
}

/// What the client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Invoked,
    /// Success, with the token's offset.
    Ok(u64),
    /// A definite error: nothing happened.
    Error(String),
    /// The connection was lost, or 08007.
    Unknown,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Op {
    /// How it was written.
    pub kind: Kind,
    /// Rows it writes into each of its tables.
    pub parts: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// Rows of each operation that a reader saw.
pub type Seen = BTreeMap<OpId, u32>;

/// One reading.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Who read: the readings of one reader are in order.
    pub reader: u32,
    /// Offsets that the barrier was asked to cover: all acknowledged when it started.
    pub must_cover: u64,
    /// `ledger_a`.
    pub a: Seen,
    /// `ledger_b`, read in the same transaction.
    pub b: Seen,
    /// The snapshot it read, when it asked.
    pub snapshot: Option<String>,
}

/// All operations and readings of a test.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ops: BTreeMap<OpId, Op>,
    readings: Vec<Reading>,
    next: BTreeMap<u32, u32>,
}

/// The tables that operations write to.
pub const TABLES: &str = "CREATE TABLE ledger_a (writer int, seq int, part int); \
                          CREATE TABLE ledger_b (writer int, seq int, part int)";

impl Ledger {
    /// All operations so far.
    #[must_use]
    pub fn ops(&self) -> BTreeMap<OpId, Op> {
        self.lock().ops.clone()
    }

    /// All readings so far.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        self.lock().readings.clone()
    }

    /// How many operations were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.lock().ops.values().filter(|op| matches!(op.outcome, Outcome::Ok(_))).count()
    }

    /// The highest offset acknowledged.
    #[must_use]
    pub fn highest(&self) -> u64 {
        let inner = self.lock();
        inner
            .ops
            .values()
            .filter_map(|op| if let Outcome::Ok(offset) = op.outcome { Some(offset) } else { None })
            .max()
            .unwrap_or(0)
    }

    /// Does one operation and notes what became of it; false when the connection is lost.
    pub async fn write(&self, client: &Client, writer: u32, kind: Kind, parts: u32) -> bool {
        let seq = self.invoke(writer, kind, parts);
        client.take_notices();
        let result = match kind {
            Kind::Insert => client.rows(&insert("ledger_a", writer, seq, parts)).await.map(drop),
            Kind::Transaction => {
                let (a, b) = (insert("ledger_a", writer, seq, parts), insert("ledger_b", writer, seq, parts));
                client.rows(&format!("BEGIN; {a}; {b}; COMMIT")).await.map(drop)
            }
            Kind::Copy => copy(client, writer, seq, parts).await,
        };
        let (outcome, alive) = match result {
            Ok(()) => {
                let token = token_of(&client.take_notices()).unwrap_or_else(|| panic!("no token for {kind:?}"));
                (Outcome::Ok(offset_of(&token)), true)
            }
            Err(error) => match sqlstate(&error).as_str() {
                "" => (Outcome::Unknown, false),
                // Shutdown and lost workers end statements before the log; 08007 says that nobody knows.
                "08007" | "57P01" | "08006" => (Outcome::Unknown, true),
                _ => (Outcome::Error(error.to_string()), true),
            },
        };
        if let Some(op) = self.lock().ops.get_mut(&(writer, seq)) {
            op.outcome = outcome;
        }
        alive
    }

    /// Reads everything after a barrier over all that is acknowledged now, and notes it; false when the connection is lost.
    pub async fn read(&self, client: &Client, reader: u32) -> bool {
        let must_cover = self.highest();
        let seen = async {
            client
                .rows(&format!("SET duckmesh.barrier_timeout = '60s'; SET duckmesh.min_token = '{must_cover}'"))
                .await?;
            client.rows("BEGIN").await?;
            let a = client.rows(&count("ledger_a")).await?;
            let b = client.rows(&count("ledger_b")).await?;
            client.rows("COMMIT").await?;
            Ok::<_, tokio_postgres::Error>((a, b))
        };
        match seen.await {
            Ok((a, b)) => {
                let reading = Reading { reader, must_cover, a: seen_of(&a), b: seen_of(&b), snapshot: None };
                self.lock().readings.push(reading);
                true
            }
            Err(error) if error.is_closed() || error.as_db_error().is_none() => false,
            Err(error) => panic!("a read failed: {}", crate::harness::client::explain(&error)),
        }
    }

    fn invoke(&self, writer: u32, kind: Kind, parts: u32) -> u32 {
        let mut inner = self.lock();
        let next = inner.next.entry(writer).or_default();
        let seq = *next;
        *next += 1;
        inner.ops.insert((writer, seq), Op { kind, parts, outcome: Outcome::Invoked });
        seq
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in a table: rows of each operation.
#[must_use]
pub fn count(table: &str) -> String {
    format!("SELECT writer, seq, count(*) FROM {table} GROUP BY writer, seq")
}

/// The answer of [`count`].
///
/// # Panics
/// When it is something else.
#[must_use]
pub fn seen_of(rows: &[Vec<Option<String>>]) -> Seen {
    let number = |row: &[Option<String>], i: usize| -> u32 {
        row.get(i).cloned().flatten().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no number: {row:?}"))
    };
    rows.iter().map(|row| ((number(row, 0), number(row, 1)), number(row, 2))).collect()
}

fn insert(table: &str, writer: u32, seq: u32, parts: u32) -> String {
    let rows: Vec<String> = (0..parts).map(|part| format!("({writer}, {seq}, {part})")).collect();
    format!("INSERT INTO {table} VALUES {}", rows.join(", "))
}

async fn copy(client: &Client, writer: u32, seq: u32, parts: u32) -> Result<(), tokio_postgres::Error> {
    use futures::SinkExt;
    let sink = client.pg.copy_in("COPY ledger_a FROM STDIN").await?;
    futures::pin_mut!(sink);
    for first in (0..parts).step_by(1000) {
        let last = parts.min(first + 1000);
        let lines: String = (first..last).map(|part| format!("{writer}\t{seq}\t{part}\n")).collect();
        sink.send(std::io::Cursor::new(lines.into_bytes())).await?;
    }
    sink.close().await
}
