//! Records that could not be applied, kept with their reason.

use chrono::{DateTime, Utc};

use crate::{Catalog, LakeId, Offset, catalog::Result, params, publish::Rejection, store::Row};

/// A rejected record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was rejected.
    pub rejection: Rejection,
    /// When.
    pub time: DateTime<Utc>,
}

impl Catalog {
    /// All rejected records of a lake by offset.
    pub async fn dead_letters(&self, lake: LakeId) -> Result<Vec<DeadLetter>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT log_offset, reason, attempts, frame, rejected_at FROM @duckmesh_dead_letter ORDER BY log_offset",
                vec![],
            )
            .await?;
        rows.iter().map(|row| Ok(DeadLetter { rejection: read(row)?, time: row.time(4)? })).collect()
    }

    /// The next rejected records above an offset, at most `limit`.
    pub async fn dead_letters_above(&self, lake: LakeId, offset: Offset, limit: i64) -> Result<Vec<DeadLetter>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT log_offset, reason, attempts, frame, rejected_at FROM @duckmesh_dead_letter
                 WHERE log_offset > $1 ORDER BY log_offset LIMIT $2",
                params![offset, limit],
            )
            .await?;
        rows.iter().map(|row| Ok(DeadLetter { rejection: read(row)?, time: row.time(4)? })).collect()
    }

    /// How many records of a lake were rejected.
    pub async fn dead_letter_count(&self, lake: LakeId) -> Result<i64> {
        let book = self.book(lake).await?;
        book.store.query_one("SELECT count(*) FROM @duckmesh_dead_letter", vec![]).await?.int(0)
    }

    /// Why an offset was rejected; none: it was not.
    pub async fn rejection(&self, lake: LakeId, offset: Offset) -> Result<Option<Rejection>> {
        let book = self.book(lake).await?;
        let row = book
            .store
            .query_opt(
                "SELECT log_offset, reason, attempts, frame FROM @duckmesh_dead_letter WHERE log_offset = $1",
                params![offset],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &Row) -> Result<Rejection> {
    Ok(Rejection {
        offset: Offset::new(row.int(0)?),
        reason: row.text(1)?,
        attempts: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
        frame: row.blob(3)?,
    })
}
