//! Records that could not be applied, kept with their reason.

use chrono::{DateTime, Utc};

use uuid::Uuid;

use crate::{
    Catalog, LakeId, Offset,
    catalog::Result,
    params,
    publish::{MissingFrom, Rejection},
    store::Row,
};

/// What stands for all tables.
const ANYTHING: &str = "*";

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
                "SELECT log_offset, reason, attempts, frame, missing_from, rejected_at FROM @duckmesh_dead_letter
                 ORDER BY log_offset",
                vec![],
            )
            .await?;
        rows.iter().map(|row| Ok(DeadLetter { rejection: read(row)?, time: row.time(5)? })).collect()
    }

    /// The next rejected records above an offset, at most `limit`.
    pub async fn dead_letters_above(&self, lake: LakeId, offset: Offset, limit: i64) -> Result<Vec<DeadLetter>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT log_offset, reason, attempts, frame, missing_from, rejected_at FROM @duckmesh_dead_letter
                 WHERE log_offset > $1 ORDER BY log_offset LIMIT $2",
                params![offset, limit],
            )
            .await?;
        rows.iter().map(|row| Ok(DeadLetter { rejection: read(row)?, time: row.time(5)? })).collect()
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
                "SELECT log_offset, reason, attempts, frame, missing_from FROM @duckmesh_dead_letter WHERE log_offset = $1",
                params![offset],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Acknowledged writes in a range of offsets that could not be applied and that nobody has dealt with, newest first, at
    /// most `limit`. Without their frames.
    pub async fn gaps(&self, lake: LakeId, after: Offset, through: Offset, limit: i64) -> Result<Vec<Gap>> {
        let book = self.book(lake).await?;
        let sql = "SELECT log_offset, reason, missing_from FROM @duckmesh_dead_letter
             WHERE log_offset > $1 AND log_offset <= $2 AND missing_from IS NOT NULL ORDER BY log_offset DESC LIMIT $3";
        let rows = book.store.query(sql, params![after, through, limit]).await?;
        let gap = |row: &Row| {
            let missing_from = MissingFrom::parse(row.opt_text(2)?.as_deref());
            Ok(Gap { offset: Offset::new(row.int(0)?), reason: row.text(1)?, missing_from })
        };
        rows.iter().map(gap).collect()
    }

    /// An operator has dealt with the rejected records up to an offset: readers are not told of them any more. How many.
    pub async fn settle_dead_letters(&self, lake: LakeId, through: Offset) -> Result<u64> {
        let book = self.book(lake).await?;
        let sql = "UPDATE @duckmesh_dead_letter SET missing_from = NULL
             WHERE log_offset <= $1 AND missing_from IS NOT NULL RETURNING log_offset";
        Ok(book.store.query(sql, params![through]).await?.len() as u64)
    }
}

/// A write that readers miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its offset.
    pub offset: Offset,
    /// Why it could not be applied.
    pub reason: String,
    /// Whose readers miss it.
    pub missing_from: MissingFrom,
}

impl MissingFrom {
    /// As it is kept.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Anything => Some(ANYTHING.to_owned()),
            Self::Tables(tables) => Some(tables.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")),
        }
    }

    /// What cannot be read may be missing anywhere.
    fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::Nothing };
        let tables: std::result::Result<Vec<Uuid>, _> = text.split(',').map(Uuid::parse_str).collect();
        tables.map_or(Self::Anything, Self::Tables)
    }
}

fn read(row: &Row) -> Result<Rejection> {
    Ok(Rejection {
        offset: Offset::new(row.int(0)?),
        reason: row.text(1)?,
        attempts: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
        frame: row.blob(3)?,
        missing_from: MissingFrom::parse(row.opt_text(4)?.as_deref()),
    })
}
