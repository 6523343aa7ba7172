//! How the tables are read: behind a barrier over all that is acknowledged, or at a snapshot of the past.

use tokio_postgres::Error;

use super::{Ledger, NAMES, Reading, Seen};
use crate::harness::client::{Client, Row, explain, sqlstate};

/// How long a barrier may wait: longer than a takeover takes.
const BARRIER: &str = "SET duckmesh.barrier_timeout = '60s'";

/// What became of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadEnd {
    /// It is in the ledger.
    Noted,
    /// The connection was lost.
    Lost,
    /// The server said why it cannot answer now.
    Refused(String),
}

impl Ledger {
    /// Reads everything after a barrier over all that is acknowledged now, and notes it; false when the connection is lost.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn read(&self, client: &Client, reader: u32) -> bool {
        match self.try_read(client, reader).await {
            ReadEnd::Noted => true,
            ReadEnd::Lost => false,
            ReadEnd::Refused(error) => panic!("a read failed: {error}"),
        }
    }

    /// As [`Self::read`], where refusals are to be expected.
    pub async fn try_read(&self, client: &Client, reader: u32) -> ReadEnd {
        let must_cover = self.highest();
        let barrier = format!("{BARRIER}; RESET duckmesh.snapshot; SET duckmesh.min_token = '{must_cover}'");
        let read = self.all_tables(client, &barrier).await;
        self.end(client, read.map(|(tables, total)| Reading { reader, must_cover, tables, total, snapshot: None }))
            .await
    }

    /// Reads a snapshot of the past: the newest, or one that was read before (`earlier` chooses), and notes it.
    pub async fn try_travel(&self, client: &Client, reader: u32, earlier: Option<usize>) -> ReadEnd {
        let read = async {
            let (snapshot, watermark) = match earlier.and_then(|n| self.travelled(n)) {
                Some(known) => known,
                None => newest(client).await?,
            };
            let choice = format!("{BARRIER}; RESET duckmesh.min_token; SET duckmesh.snapshot = '{snapshot}'");
            let (tables, total) = self.all_tables(client, &choice).await?;
            let snapshot = Some((snapshot, watermark));
            Ok(Reading { reader, must_cover: watermark, tables, total, snapshot })
        };
        let read = read.await;
        self.end(client, read).await
    }

    /// A snapshot that was read before.
    fn travelled(&self, n: usize) -> Option<(u64, u64)> {
        let inner = self.lock();
        let known: Vec<_> = inner.readings.iter().filter_map(|reading| reading.snapshot).collect();
        known.get(n % known.len().max(1)).copied()
    }

    async fn end(&self, client: &Client, read: Result<Reading, Error>) -> ReadEnd {
        match read {
            Ok(reading) => {
                self.note(reading);
                ReadEnd::Noted
            }
            Err(error) => {
                self.refused_read();
                if sqlstate(&error).is_empty() {
                    return ReadEnd::Lost;
                }
                let _ = client.rows("ROLLBACK").await;
                ReadEnd::Refused(explain(&error))
            }
        }
    }

    /// All tables in one transaction, which is one snapshot.
    async fn all_tables(&self, client: &Client, settings: &str) -> Result<([Seen; 4], Option<i64>), Error> {
        client.rows(settings).await?;
        client.rows("BEGIN").await?;
        let mut tables: [Seen; 4] = Default::default();
        let mut total = None;
        let bank = self.has_bank();
        for (name, seen) in NAMES.iter().zip(&mut tables).filter(|(name, _)| bank || !name.starts_with("bank")) {
            *seen = seen_of(&client.rows(&count(name)).await?);
        }
        if bank {
            let sum = |table: &str| format!("SELECT sum(amount) FROM {table}");
            let sql = format!(
                "SELECT coalesce(sum(sum), 0) FROM ({} UNION ALL {}) AS both_sides",
                sum("bank_debits"),
                sum("bank_credits")
            );
            let rows = client.rows(&sql).await?;
            total = Some(number(&rows, 0).unwrap_or_else(|| panic!("no total: {rows:?}")));
        }
        client.rows("COMMIT").await?;
        Ok((tables, total))
    }
}

/// The newest snapshot that this server knows of, and its watermark.
async fn newest(client: &Client) -> Result<(u64, u64), Error> {
    let sql = "SELECT snapshot_id, watermark FROM duckmesh.snapshots ORDER BY snapshot_id DESC LIMIT 1";
    client.rows("RESET duckmesh.snapshot; RESET duckmesh.min_token").await?;
    let rows = client.rows(sql).await?;
    let both = number(&rows, 0).zip(number(&rows, 1)).unwrap_or_else(|| panic!("no snapshot: {rows:?}"));
    Ok((both.0.unsigned_abs(), both.1.unsigned_abs()))
}

fn number(rows: &[Row], column: usize) -> Option<i64> {
    rows.first()?.get(column)?.as_deref()?.parse().ok()
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
pub fn seen_of(rows: &[Row]) -> Seen {
    let number = |row: &[Option<String>], i: usize| -> u32 {
        row.get(i).cloned().flatten().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no number: {row:?}"))
    };
    rows.iter().map(|row| ((number(row, 0), number(row, 1)), number(row, 2))).collect()
}
