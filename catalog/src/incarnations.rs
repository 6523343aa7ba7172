//! Incarnations of a deployment on Postgres: which history of the database its tokens belong to.
//!
//! A failover or a restore that lost acknowledged writes begins a new one, by an operator's word. Tokens of an old one are
//! good up to where each lake stood when the next began; above that they were lost, whatever is there now.

use crate::{
    Catalog, LakeId, Offset,
    catalog::Result,
    error::{Error, ErrorKind},
    params,
    store::{Dialect, Isolation},
};

/// Which server this is, in the words of `duckmesh_incarnation`.
const THIS: &str =
    "(pg_control_system()).system_identifier::text, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
    current_setting('synchronous_standby_names') <> ''
        AND current_setting('synchronous_commit') IN ('on', 'remote_apply', 'remote_write')";

/// The incarnations of one lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incarnations {
    /// The number of the one that is; 1 is the first, whose tokens do not name it.
    current: i64,
    /// Of each one but the first: its number, and the lake's head when it began.
    begins: Vec<(i64, Offset)>,
}

impl Incarnations {
    /// The number that tokens of now name; 1 where there was never another.
    #[must_use]
    pub fn current(&self) -> i64 {
        self.current.max(1)
    }

    /// Whether an offset that a token of that incarnation names is still the write it was given for.
    #[must_use]
    pub fn holds(&self, number: i64, offset: Offset) -> bool {
        let survived = self.begins.iter().filter(|(later, _)| *later > number).all(|(_, head)| offset <= *head);
        (1..=self.current()).contains(&number) && survived
    }
}

impl Catalog {
    /// The incarnations of a lake. An embedded catalog has one.
    pub async fn incarnations(&self, lake: LakeId) -> Result<Incarnations> {
        if self.inner.registry.dialect() == Dialect::Sqlite {
            return Ok(Incarnations::default());
        }
        let registry = &self.inner.registry;
        let current = registry.query_one("SELECT coalesce(max(number), 1) FROM @incarnation", vec![]).await?.int(0)?;
        let sql = "SELECT number, head FROM @incarnation_head WHERE lake_id = $1 ORDER BY number";
        let rows = registry.query(sql, params![lake]).await?;
        let begins = rows.iter().map(|row| Ok((row.int(0)?, Offset::new(row.int(1)?)))).collect::<Result<_>>()?;
        Ok(Incarnations { current, begins })
    }

    /// Writes down which server this is, where nobody did.
    pub(crate) async fn begin_first_incarnation(&self) -> Result<()> {
        if self.inner.registry.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO @incarnation(number, system_identifier, timeline, synchronous)
             SELECT 1, {THIS} WHERE NOT EXISTS (SELECT FROM @incarnation) ON CONFLICT DO NOTHING"
        );
        match self.inner.registry.execute(&sql, vec![]).await {
            Err(error) if error.kind() == ErrorKind::Store => {
                tracing::warn!(%error, "the database does not say which it is: a failover that loses rows is not noticed");
                Ok(())
            }
            done => done.map(drop),
        }
    }

    /// Begins a new incarnation with what the database has now; gives its number. No server may run.
    pub async fn new_incarnation(&self) -> Result<i64> {
        if self.inner.registry.dialect() == Dialect::Sqlite {
            return Err(Error::new(ErrorKind::Invalid, "an embedded catalog has one incarnation"));
        }
        let mut tx = self.inner.registry.begin_with(Isolation::ReadCommitted).await?;
        tx.script("LOCK TABLE @incarnation IN EXCLUSIVE MODE; LOCK TABLE @lane IN SHARE MODE").await?;
        let number = tx.query_one("SELECT coalesce(max(number), 0) + 1 FROM @incarnation", vec![]).await?.int(0)?;
        let sql = format!(
            "INSERT INTO @incarnation(number, system_identifier, timeline, synchronous) SELECT $1::bigint, {THIS}"
        );
        tx.execute(&sql, params![number]).await?;
        let sql = "INSERT INTO @incarnation_head(number, lake_id, head) SELECT $1::bigint, lake_id, head FROM @lane";
        tx.execute(sql, params![number]).await?;
        tx.commit().await?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_hold_up_to_where_the_next_incarnation_began() {
        let three = Incarnations { current: 3, begins: vec![(2, Offset::new(10)), (3, Offset::new(20))] };
        let check =
            |number, offset, holds| assert_eq!(three.holds(number, Offset::new(offset)), holds, "{number}.{offset}");
        check(1, 10, true);
        check(1, 11, false);
        check(2, 20, true);
        check(2, 21, false);
        check(3, 1000, true);
        check(4, 1, false);
        check(0, 1, false);
        assert!(Incarnations::default().holds(1, Offset::new(5)) && Incarnations::default().current() == 1);
    }
}
