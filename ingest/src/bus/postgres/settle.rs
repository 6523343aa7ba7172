//! Appends whose answer was lost: decided on a new connection, before anybody is told (PG2).
//!
//! Each process has a row for each lake, with the number of its last append. An append writes its number there, in its
//! own transaction, and only over the number before it. To settle is to write a higher number: that waits for an append
//! that is being committed, tells whether it was, and fences one that is still on its way.

use tokio::time::sleep;

use super::{
    append::{self, Attempt},
    *,
};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// A row of nobody goes after this; a process makes sure of its own more often.
pub(super) const SEAT_KEPT: &str = "2 days";
const SEAT_CHECKED: Duration = Duration::from_secs(3600);

/// This process among the writers of a lane.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// The number of the last append.
    seq: i64,
    /// When its row was seen to be there; none means that the row is to be made, or read.
    checked: Option<Instant>,
}

impl PostgresBus {
    /// Appends; what it gives is known, or [`BusErrorKind::Unknown`] after the database stayed away.
    pub(super) async fn append_settled(&self, lake: LakeId, records: &[NewRecord]) -> Result<Vec<AppendOutcome>> {
        let outcomes = self.append_or_settle(lake, records).await?;
        for (record, outcome) in records.iter().zip(&outcomes) {
            if let AppendOutcome::Appended { first } = outcome {
                self.saw(lake, first.get() + i64::from(record.offsets) - 1);
            }
        }
        Ok(outcomes)
    }

    async fn append_or_settle(&self, lake: LakeId, records: &[NewRecord]) -> Result<Vec<AppendOutcome>> {
        let seat = self.seat(lake);
        let mut seat = seat.lock().await;
        if seat.checked.is_none_or(|at| at.elapsed() >= SEAT_CHECKED) {
            self.take_seat(&mut seat, lake).await?;
        }
        let at = Attempt { lake, writer: &self.writer, seq: seat.seq + 1 };
        // Not known from here on, also for one that is given up in between.
        let checked = seat.checked.take();
        let mut known = None;
        let lost = match self.on(async |client| append::append(client, at, records, &mut known).await).await {
            Ok(outcomes) => {
                let appended = outcomes.iter().any(|o| matches!(o, AppendOutcome::Appended { .. }));
                *seat = Seat { seq: seat.seq + i64::from(appended), checked };
                return Ok(outcomes);
            }
            Err(error) if error.kind() == BusErrorKind::Unknown => error,
            Err(error) => return Err(error),
        };
        tracing::warn!(%lake, error = %lost, "the answer to an append was lost: looking whether it is in the log");
        let Some((appended, base)) = self.settle(at).await else { return Err(lost) };
        *seat = Seat { seq: at.seq + 1, checked: Some(Instant::now()) };
        if appended != at.seq {
            let message = format!("nothing was appended: {lost}");
            return Err(BusError::new(BusErrorKind::Unavailable, message));
        }
        match known {
            Some(outcomes) => Ok(outcomes),
            None if append::is_one_statement(records) => Ok(append::appended(base, records).collect()),
            // The commit was not sent, so that this cannot be; if it is, nobody is told anything wrong.
            None => Err(lost),
        }
    }

    /// Makes the row, or reads where it stands and fences what may be on its way.
    async fn take_seat(&self, seat: &mut Seat, lake: LakeId) -> Result<()> {
        let sql = "INSERT INTO duckmesh.writer AS w (lake_id, writer) VALUES ($1, $2)
            ON CONFLICT (lake_id, writer) DO UPDATE SET seq = w.seq + 1, touched = now() RETURNING seq";
        let seq = self
            .on(async |client| {
                let failed = |e| postgres("append", &e);
                let row = client.query_one(sql, &[&lake.get(), &&*self.writer]).await.map_err(failed)?;
                row.try_get(0).map_err(failed)
            })
            .await
            // Nothing of a write is in this statement.
            .map_err(|e| match e.kind() {
                BusErrorKind::Unknown => BusError::new(BusErrorKind::Unavailable, e.to_string()),
                _ => e,
            })?;
        *seat = Seat { seq, checked: Some(Instant::now()) };
        Ok(())
    }

    /// The last append of this process that is in the log, and the offset before it. Nothing of this one comes after that. A database
    /// that stays away is waited for as long as any statement waits, before a writer is told that nobody knows (CL5).
    async fn settle(&self, at: Attempt<'_>) -> Option<(i64, i64)> {
        let until = Instant::now() + self.connections.budget();
        let sql = "UPDATE duckmesh.writer SET seq = $3::bigint, touched = now()
            WHERE lake_id = $1 AND writer = $2 RETURNING appended, base";
        loop {
            let asked = self
                .on(async |client| {
                    let failed = |e| postgres("look for an append", &e);
                    let (lake, next) = (at.lake.get(), at.seq + 1);
                    let row = client.query_opt(sql, &[&lake, &at.writer, &next]).await.map_err(failed)?;
                    row.map(|row| Ok((row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?))).transpose()
                })
                .await;
            match asked {
                Ok(found) => return found,
                Err(error) if Instant::now() + PAUSE >= until => {
                    tracing::error!(lake = %at.lake, %error, "whether an append is in the log cannot be found out");
                    return None;
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}
