//! Whether a Postgres is still the one that acknowledged what this process told its clients (PG4, TK4).
//!
//! A server that was promoted, or restored, has another timeline than the one the deployment's row names. That is
//! taken for the same database only where nothing can be missing: commits were synchronous, this process was connected
//! before, and all that it saw acknowledged is there. Else every connection is refused until an operator begins a new
//! incarnation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::{Client, Error};

/// Who a server is, whether its commits wait for a standby, and whether the deployment's row is there.
const WHO: &str = "SELECT (pg_control_system()).system_identifier::text,
    substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
    current_setting('synchronous_standby_names') <> ''
        AND current_setting('synchronous_commit') IN ('on', 'remote_apply', 'remote_write'),
    to_regclass('duckmesh.incarnation') IS NOT NULL";
const ROW: &str = "SELECT number, system_identifier, timeline, synchronous, lost
    FROM duckmesh.incarnation ORDER BY number DESC LIMIT 1";
/// A lake without a lane has lost it; one that is in neither list was dropped, perhaps by another server.
const HEADS: &str = "SELECT lake_id, head FROM duckmesh.lane UNION ALL
    SELECT lake_id, -1 FROM duckmesh.lake WHERE state = 'ready' AND lake_id NOT IN (SELECT lake_id FROM duckmesh.lane)";
const ADOPT: &str = "UPDATE duckmesh.incarnation SET system_identifier = $1, timeline = $2
    WHERE number = $3 AND system_identifier = $4 AND timeline = $5";

/// What one process knows of the database it is connected to; shared by all of its connections.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    inner: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// As of the last connection that was accepted.
    server: Option<Server>,
    /// The incarnation that it belonged to.
    number: Option<i64>,
    /// The highest offset of each lake that this process saw in the log.
    heads: HashMap<i64, i64>,
    lost: Option<String>,
}

/// One history of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    system: String,
    timeline: String,
}

/// The deployment's row.
struct Incarnation {
    number: i64,
    server: Server,
    synchronous: bool,
    lost: bool,
}

impl Witness {
    /// The log of a lake was seen to go up to here.
    pub fn saw(&self, lake: i64, head: i64) {
        let mut known = self.known();
        let last = known.heads.entry(lake).or_insert(head);
        *last = head.max(*last);
    }

    /// The lake is dropped: nothing of it can be missing.
    pub fn forget(&self, lake: i64) {
        self.known().heads.remove(&lake);
    }

    /// Why no connection is to be used any more.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        self.known().lost.clone()
    }

    /// Looks at a new connection; false where it must not be used.
    pub(super) async fn accepts(&self, client: &Client) -> Result<bool, Error> {
        if self.lost().is_some() {
            return Ok(false);
        }
        let who = match client.query_one(WHO, &[]).await {
            Ok(who) => who,
            // Some services hide it. Then nothing is promised about a failover that loses rows.
            Err(error) if error.as_db_error().is_some() => {
                tracing::debug!(%error, "the database does not say which it is");
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let server = Server { system: who.try_get(0)?, timeline: who.try_get(1)? };
        let synchronous: bool = who.try_get(2)?;
        let row = if who.try_get::<_, bool>(3)? { client.query_opt(ROW, &[]).await? } else { None };
        let Some(row) = row else {
            // Nothing was acknowledged yet.
            self.known().server = Some(server);
            return Ok(true);
        };
        let row = Incarnation {
            number: row.try_get(0)?,
            server: Server { system: row.try_get(1)?, timeline: row.try_get(2)? },
            synchronous: row.try_get(3)?,
            lost: row.try_get(4)?,
        };
        let verdict = self.judge(client, &server, &row).await?;
        if let Err(why) = verdict {
            let message = format!("{why}: stop all servers, run duckmesh admin new-incarnation, and start them again");
            tracing::error!(reason = why, "the database is not the one that acknowledged writes");
            self.known().lost = Some(message);
            return Ok(false);
        }
        if row.synchronous != synchronous {
            let sql = "UPDATE duckmesh.incarnation SET synchronous = $1 WHERE number = $2";
            client.execute(sql, &[&synchronous, &row.number]).await?;
        }
        let mut known = self.known();
        (known.server, known.number) = (Some(server), Some(row.number));
        Ok(true)
    }

    /// Whether nothing can be missing, or why something may be.
    async fn judge(
        &self,
        client: &Client,
        server: &Server,
        row: &Incarnation,
    ) -> Result<Result<(), &'static str>, Error> {
        if row.lost {
            return Ok(Err("another server found that acknowledged writes are missing"));
        }
        let (before, number) = {
            let known = self.known();
            (known.server.clone(), known.number)
        };
        if number.is_some_and(|number| number != row.number) {
            return Ok(Err("another incarnation was begun while this server ran"));
        }
        if before.as_ref() == Some(server) && row.server == *server {
            return Ok(Ok(()));
        }
        if let Some(before) = before {
            if row.server != *server && row.server != before {
                return Ok(Err("the database is another one, or was restored"));
            }
            if !self.has_all(client).await? {
                let sql = "UPDATE duckmesh.incarnation SET lost = true WHERE number = $1";
                client.execute(sql, &[&row.number]).await?;
                return Ok(Err("acknowledged writes are missing after a failover"));
            }
        } else if row.server != *server {
            return Ok(Err("the database was failed over or restored while no server ran"));
        }
        if row.server == *server {
            return Ok(Ok(()));
        }
        if !row.synchronous {
            return Ok(Err("the database failed over to a standby that was not synchronous"));
        }
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&server.system, &server.timeline, &row.number, &row.server.system, &row.server.timeline];
        client.execute(ADOPT, &values).await?;
        tracing::warn!(timeline = server.timeline, "failed over: everything acknowledged is there");
        Ok(Ok(()))
    }

    async fn has_all(&self, client: &Client) -> Result<bool, Error> {
        let heads: HashMap<i64, i64> = client
            .query(HEADS, &[])
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, Error>>()?;
        let known = self.known();
        Ok(known.heads.iter().all(|(lake, head)| heads.get(lake).is_none_or(|there| there >= head)))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
