//! What sessions of different processes tell each other: rows, numbered without a gap in the order of their commits, and a
//! notification that there are some.
//!
//! Rows are kept for some minutes: who did not hear the notification reads them later, each once. It never passes over a row
//! without saying so.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use duckmesh_catalog::postgres::{Connections, Failure};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_postgres::error::SqlState;

use super::lock;

/// The channel on which the rest are told that there is something.
pub(super) const CHANNEL: &str = "duckmesh_told";
/// How long rows are kept, and how many: a process that was away for longer is told that it missed some.
const KEPT: &str = "10 minutes";
const KEPT_MAX: i64 = 100_000;
/// Between two looks for rows that are older.
const CLEANED: Duration = Duration::from_secs(60);
/// Texts that wait to be stored, or to be taken; of further ones it is told that there were some.
const WAITING_MAX: usize = 10_000;
/// Rows stored, and read, in one statement.
const STORED_AT_ONCE: usize = 64;
const READ_AT_ONCE: i64 = 500;
/// Between two tries to store: what is told is not lost while the database is away.
const RETRY: Duration = Duration::from_millis(500);
/// Between two looks: as a rule, and while notifications do not arrive.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_DEAF: Duration = Duration::from_secs(1);
/// In place of texts that were too many.
const MISSED: &str = "";

const HEAD: &str = "SELECT head FROM duckmesh.told_head";
/// The head's row is held to the commit, so that numbers are in the order of commits. A batch that came already is refused
/// whole. It is on disk before others hear of it: a crash that took numbers back would give them again, to other texts.
const STORE: &str = "WITH moved AS (
        UPDATE duckmesh.told_head SET head = head + cardinality($2::text[]) RETURNING head - cardinality($2::text[]) AS base
    ), stored AS (
        INSERT INTO duckmesh.told (number, writer, seq, body)
        SELECT base + n, $1, $3::bigint + n, body FROM moved, unnest($2::text[]) WITH ORDINALITY AS said (body, n)
    )
    SELECT pg_notify($4, '') FROM moved";
const READ: &str = "SELECT h.head, t.number, t.writer, t.body FROM duckmesh.told_head h LEFT JOIN LATERAL (
        SELECT number, writer, body FROM duckmesh.told WHERE number > $1 ORDER BY number LIMIT $2
    ) AS t ON true ORDER BY t.number";
const CLEAN: &str = "DELETE FROM duckmesh.told WHERE said < now() - $1::text::interval
    OR number <= (SELECT head FROM duckmesh.told_head) - $2";

/// What comes of other processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// What one of them said.
    Text(String),
    /// Something was said that cannot be had any more.
    Missed,
}

/// One process' part in it.
pub(super) struct Told {
    connections: Connections,
    me: Arc<str>,
    outbox: Mutex<Outbox>,
    said: Notify,
    hinted: Notify,
    /// Who takes what others said.
    taker: Mutex<Option<mpsc::Sender<Heard>>>,
    /// The number up to which it was read.
    read: AtomicI64,
}

#[derive(Default)]
struct Outbox {
    texts: VecDeque<String>,
    /// Whether there were too many.
    is_over: bool,
}

/// A look at the rows.
struct Page {
    head: i64,
    /// Number, writer, text.
    rows: Vec<(i64, String, String)>,
}

impl Told {
    /// What is said from `head` on is heard.
    pub(super) fn new(connections: Connections, me: Arc<str>, head: i64) -> Self {
        let (outbox, taker, read) = (Mutex::default(), Mutex::default(), AtomicI64::new(head));
        Self { connections, me, outbox, said: Notify::new(), hinted: Notify::new(), taker, read }
    }

    pub(super) fn tell(&self, text: &str) {
        let mut outbox = lock(&self.outbox);
        match outbox.texts.len() < WAITING_MAX {
            true => outbox.texts.push_back(text.to_owned()),
            false => outbox.is_over = true,
        }
        drop(outbox);
        self.said.notify_one();
    }

    pub(super) fn taken(&self) -> mpsc::Receiver<Heard> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        *lock(&self.taker) = Some(sender);
        self.hint();
        receiver
    }

    /// There may be something.
    pub(super) fn hint(&self) {
        self.hinted.notify_one();
    }

    fn next_batch(&self) -> Vec<String> {
        let mut outbox = lock(&self.outbox);
        let some = outbox.texts.len().min(STORED_AT_ONCE);
        let mut batch: Vec<String> = outbox.texts.drain(..some).collect();
        if outbox.texts.is_empty() && std::mem::take(&mut outbox.is_over) {
            batch.push(MISSED.to_owned());
        }
        batch
    }

    async fn store(&self, after: i64, batch: &[String]) -> Result<(), Failure> {
        let client = self.connections.get().await?;
        let stored = self.connections.bounded(async {
            let statement = client.prepare_cached(STORE).await?;
            client.execute(&statement, &[&&*self.me, &batch, &after, &CHANNEL]).await
        });
        let stored = stored.await.map(drop);
        self.done(client, stored)
    }

    async fn clean(&self) -> Result<(), Failure> {
        let client = self.connections.get().await?;
        let cleaned = self.connections.bounded(client.execute(CLEAN, &[&KEPT, &KEPT_MAX])).await;
        self.done(client, cleaned.map(drop))
    }

    async fn page(&self, after: i64) -> Result<Page, Failure> {
        let client = self.connections.get().await?;
        let rows = self.connections.bounded(async {
            let statement = client.prepare_cached(READ).await?;
            client.query(&statement, &[&after, &READ_AT_ONCE]).await
        });
        let rows = rows.await;
        let rows = self.done(client, rows)?;
        let mut page = Page { head: after, rows: Vec::with_capacity(rows.len()) };
        for row in rows {
            page.head = row.try_get(0).map_err(Failure::Server)?;
            if let Some(number) = row.try_get(1).map_err(Failure::Server)? {
                let (writer, text) = (row.try_get(2), row.try_get(3));
                page.rows.push((number, writer.map_err(Failure::Server)?, text.map_err(Failure::Server)?));
            }
        }
        Ok(page)
    }

    fn done<T>(&self, client: deadpool_postgres::Object, done: Result<T, Failure>) -> Result<T, Failure> {
        if done.as_ref().is_err_and(Failure::is_of_connection) {
            Connections::discard(client);
        }
        done
    }

    /// Gives what came since the last time to whoever takes it.
    async fn catch_up(&self, taker: &mpsc::Sender<Heard>) -> Result<(), Failure> {
        loop {
            let before = self.read.load(Ordering::Acquire);
            let page = self.page(before).await?;
            let is_last = page.rows.len() < usize::try_from(READ_AT_ONCE).unwrap_or(usize::MAX);
            let (heard, read) = page.since(before, &self.me);
            for heard in heard {
                // Rows wait where they are while the taker is behind.
                if taker.send(heard).await.is_err() {
                    return Ok(());
                }
            }
            self.read.store(read, Ordering::Release);
            if is_last {
                return Ok(());
            }
        }
    }
}

impl Page {
    /// What is in it for somebody who has read up to `before`, and up to where he has then.
    fn since(self, before: i64, me: &str) -> (Vec<Heard>, i64) {
        let (mut heard, mut read) = (Vec::new(), before);
        for (number, writer, text) in self.rows {
            if number != read + 1 {
                heard.push(Heard::Missed);
            }
            read = number;
            if writer != me {
                heard.push(if text == MISSED { Heard::Missed } else { Heard::Text(text) });
            }
        }
        // Rows that are gone already; or the database was put back to an earlier state.
        if read == before && self.head != before {
            heard.push(Heard::Missed);
            read = self.head;
        }
        (heard, read)
    }
}

/// The number that was said last.
pub(crate) async fn head(connections: &Connections) -> Result<i64, Failure> {
    let client = connections.get().await?;
    let row = connections.bounded(client.query_one(HEAD, &[])).await?;
    row.try_get(0).map_err(Failure::Server)
}

/// Stores what is said here, in its order, each once.
pub(super) async fn store(told: Arc<Told>) {
    let (mut after, mut cleaned): (i64, Option<Instant>) = (0, None);
    loop {
        told.said.notified().await;
        loop {
            let batch = told.next_batch();
            if batch.is_empty() {
                break;
            }
            while let Err(failure) = told.store(after, &batch).await {
                if !may_be_stored_later(&failure) {
                    break;
                }
                tracing::debug!(error = %failure, "could not tell other servers");
                sleep(RETRY).await;
            }
            after += i64::try_from(batch.len()).unwrap_or(i64::MAX);
            if cleaned.is_none_or(|at| at.elapsed() >= CLEANED) {
                cleaned = Some(Instant::now());
                if let Err(error) = told.clean().await {
                    tracing::debug!(%error, "could not remove what was told long ago");
                }
            }
        }
    }
}

/// Whether trying again may help; and not after a try of which only the answer was lost.
fn may_be_stored_later(failure: &Failure) -> bool {
    match (failure, failure.code()) {
        (Failure::Closed | Failure::Lost(_), _) => false,
        (_, Some(code)) if *code == SqlState::UNIQUE_VIOLATION => false,
        (_, Some(code)) if ["22", "42"].iter().any(|class| code.code().starts_with(class)) => {
            tracing::warn!(error = %failure, "what was to be told to other servers cannot be");
            false
        }
        _ => true,
    }
}

/// Reads what others said: when there is a notification, and by looking.
pub(super) async fn read(told: Arc<Told>, heard: watch::Receiver<bool>) {
    loop {
        let pause = if *heard.borrow() { LOOK } else { LOOK_DEAF };
        // Whichever of the two it was.
        let _ = timeout(pause, told.hinted.notified()).await;
        let Some(taker) = lock(&told.taker).clone() else { continue };
        if let Err(error) = told.catch_up(&taker).await {
            tracing::debug!(%error, "could not read what other servers tell");
            sleep(RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(head: i64, rows: &[(i64, &str, &str)]) -> Page {
        Page { head, rows: rows.iter().map(|(n, who, what)| (*n, (*who).into(), (*what).into())).collect() }
    }

    #[test]
    fn what_was_passed_over_is_said() {
        let text = |text: &str| Heard::Text(text.to_owned());
        let here = |head, rows: &[_], before| page(head, rows).since(before, "me");
        assert_eq!(here(7, &[], 7), (vec![], 7), "nothing new");
        let all = [(8, "a", "x"), (9, "me", "own"), (10, "b", "y")];
        assert_eq!(here(10, &all, 7), (vec![text("x"), text("y")], 10));
        assert_eq!(here(10, &all[1..], 8), (vec![text("y")], 10));
        assert_eq!(here(10, &all[2..], 7), (vec![Heard::Missed, text("y")], 10), "some were removed");
        assert_eq!(here(10, &[], 7), (vec![Heard::Missed], 10), "all of them were");
        assert_eq!(here(3, &[], 7), (vec![Heard::Missed], 3), "a restore");
        assert_eq!(here(8, &[(8, "a", MISSED)], 7), (vec![Heard::Missed], 8), "its writer had too many");
    }
}
