//! What clients did and what they were told: the ground that the checker stands on.
//!
//! An operation inserts `parts` rows `(writer, seq, part)` into each of its tables, in one statement or one transaction, so
//! that half of it can be seen. It never decides whether a promise held: that is the checker's.

mod operation;
mod reading;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

pub use operation::{Try, attempt};
pub use reading::{ReadEnd, count, seen_of};

use crate::harness::client::Client;

/// Names an operation: who, and its how-manieth.
pub type OpId = (u32, u32);

/// The tables, by their place in a reading.
pub const NAMES: [&str; 4] = ["ledger_a", "ledger_b", "bank_debits", "bank_credits"];

/// Accounts of the bank.
pub const ACCOUNTS: u32 = 10;
/// What each account is given when the bank opens.
pub const OPENING: i64 = 1000;
/// The writer that opens the bank.
const BANKER: u32 = 1_000_000;

/// How an operation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One INSERT into `ledger_a`.
    Insert,
    /// One transaction that writes into `ledger_a` and `ledger_b`.
    Transaction,
    /// One COPY into `ledger_a`.
    Copy,
    /// One transaction that takes from accounts in `bank_debits` and gives to others in `bank_credits`.
    Transfer,
    /// One INSERT that gives every account its first money.
    Opening,
}

impl Kind {
    /// Which tables it writes to, by their place in [`NAMES`].
    #[must_use]
    pub fn tables(self) -> &'static [usize] {
        match self {
            Self::Insert | Self::Copy => &[0],
            Self::Transaction => &[0, 1],
            Self::Transfer => &[2, 3],
            Self::Opening => &[3],
        }
    }
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
    /// Tokens that repetitions with its key got after the first one.
    pub repeats: Vec<u64>,
}

/// Rows of each operation that a reader saw.
pub type Seen = BTreeMap<OpId, u32>;

/// One reading: all tables in one snapshot.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Who read: the readings of one reader are in order, but for those of chosen snapshots.
    pub reader: u32,
    /// Offsets that the barrier was asked to cover: all acknowledged when it started.
    pub must_cover: u64,
    /// What each of [`NAMES`] held.
    pub tables: [Seen; 4],
    /// The bank's money, when the bank is open.
    pub total: Option<i64>,
    /// The snapshot it chose, and the watermark that is said to be its.
    pub snapshot: Option<(u64, u64)>,
}

/// What was done in all, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tries of operations.
    pub tries: u64,
    /// Tries that ended with a lost connection, or with 08007.
    pub unknown_tries: u64,
    /// Tries that were refused with a definite error.
    pub refused_tries: u64,
    /// Reads that ended with an honest error or a lost connection.
    pub refused_reads: u64,
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
    tally: Tally,
    highest: u64,
    bank: bool,
    dishonest: Vec<String>,
}

/// The tables that operations write to.
pub const TABLES: &str = "CREATE TABLE ledger_a (writer int, seq int, part int); \
                          CREATE TABLE ledger_b (writer int, seq int, part int)";

/// The tables of the bank.
pub const BANK: &str = "CREATE TABLE bank_debits (writer int, seq int, part int, account int, amount bigint); \
                        CREATE TABLE bank_credits (writer int, seq int, part int, account int, amount bigint)";

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

    /// How often what was tried.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.lock().tally
    }

    /// How many operations were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.lock().ops.values().filter(|op| matches!(op.outcome, Outcome::Ok(_))).count()
    }

    /// The highest offset acknowledged.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.lock().highest
    }

    /// Does one operation, once, without a key, and notes what became of it; false when the connection is lost.
    pub async fn write(&self, client: &Client, writer: u32, kind: Kind, parts: u32) -> bool {
        let id = self.invoke(writer, kind, parts);
        let tried = attempt(client, kind, id, parts, false).await;
        self.tried(&tried.outcome);
        self.settle(id, tried.outcome);
        tried.alive
    }

    /// Makes the bank's tables and gives its accounts their money.
    ///
    /// # Panics
    /// When that fails.
    pub async fn open_bank(&self, client: &Client) {
        client.ok(BANK).await;
        assert!(self.write(client, BANKER, Kind::Opening, ACCOUNTS).await, "the bank opens");
        self.lock().bank = true;
    }

    /// Notes that an operation begins.
    pub fn invoke(&self, writer: u32, kind: Kind, parts: u32) -> OpId {
        let mut inner = self.lock();
        let next = inner.next.entry(writer).or_default();
        let seq = *next;
        *next += 1;
        let op = Op { kind, parts, outcome: Outcome::Invoked, repeats: Vec::new() };
        inner.ops.insert((writer, seq), op);
        (writer, seq)
    }

    /// Counts a try.
    pub fn tried(&self, outcome: &Outcome) {
        let tally = &mut self.lock().tally;
        tally.tries += 1;
        match outcome {
            Outcome::Unknown => tally.unknown_tries += 1,
            Outcome::Error(_) => tally.refused_tries += 1,
            Outcome::Invoked | Outcome::Ok(_) => {}
        }
    }

    /// Notes what became of an operation in the end.
    pub fn settle(&self, id: OpId, outcome: Outcome) {
        let mut inner = self.lock();
        if let Outcome::Ok(offset) = outcome {
            inner.highest = inner.highest.max(offset);
        }
        if let Some(op) = inner.ops.get_mut(&id) {
            op.outcome = outcome;
        }
    }

    /// Notes the token that a repetition of an acknowledged operation got.
    pub fn repeated(&self, id: OpId, offset: u64) {
        if let Some(op) = self.lock().ops.get_mut(&id) {
            op.repeats.push(offset);
        }
    }

    /// Notes an answer that no server may give, whatever fails.
    pub fn dishonest(&self, what: String) {
        self.lock().dishonest.push(what);
    }

    /// Answers that no server may give.
    #[must_use]
    pub fn lies(&self) -> Vec<String> {
        self.lock().dishonest.clone()
    }

    fn has_bank(&self) -> bool {
        self.lock().bank
    }

    fn note(&self, reading: Reading) {
        self.lock().readings.push(reading);
    }

    fn refused_read(&self) {
        self.lock().tally.refused_reads += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
