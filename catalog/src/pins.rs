//! What readers of all servers keep: one row for each server and lake, by the database's clock, that counts while its server
//! lives.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    Catalog, ErrorKind, LakeId, Node, SnapshotId, catalog::Result, error::Error, failpoint, leases::millis, params,
};

/// Snapshots that one row names; beyond that, everything from the first one on is kept.
const NAMED_MAX: usize = 1000;

/// What the readers of a server keep of a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinReport {
    /// The lake.
    pub lake: LakeId,
    /// For how long the longest one reads.
    pub oldest: Duration,
    /// Pinned snapshots, rising.
    pub snapshots: Vec<SnapshotId>,
}

/// What readers of a lake keep, of all servers that live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The database's time.
    pub now: DateTime<Utc>,
    /// Since when the longest one reads.
    pub oldest: Option<DateTime<Utc>>,
    /// Pinned snapshots.
    pub snapshots: BTreeSet<SnapshotId>,
    /// Everything from this one on is pinned too.
    pub all_from: Option<SnapshotId>,
}

impl Pins {
    /// Whether a reader keeps a snapshot.
    #[must_use]
    pub fn keeps(&self, snapshot: SnapshotId) -> bool {
        self.snapshots.contains(&snapshot) || self.all_from.is_some_and(|from| snapshot >= from)
    }
}

impl Catalog {
    /// Says what this server's readers keep: of these lakes this, of the others nothing.
    pub async fn report_pins(&self, node: &Node, reports: &[PinReport]) -> Result<()> {
        let rows: Vec<_> = reports
            .iter()
            .map(|report| {
                let mut names: Vec<String> = report.snapshots.iter().take(NAMED_MAX).map(ToString::to_string).collect();
                if report.snapshots.len() > NAMED_MAX {
                    names.push("+".to_owned());
                }
                serde_json::json!({
                    "lake_id": report.lake.get(), "age_ms": millis(report.oldest), "snapshots": names.join(","),
                })
            })
            .collect();
        let rows =
            serde_json::to_string(&rows).map_err(|e| Error::caused(ErrorKind::Store, "pins cannot be written", e))?;
        let sql = "WITH said AS (
                SELECT r.* FROM json_to_recordset(CAST(CAST($2 AS text) AS json)) AS r(lake_id bigint, age_ms bigint, snapshots text)
                JOIN @lake k ON k.lake_id = r.lake_id),
             gone AS (DELETE FROM @pin WHERE node_id = $1 AND lake_id NOT IN (SELECT lake_id FROM said))
             INSERT INTO @pin(node_id, lake_id, oldest_ms, snapshots)
             SELECT n.node_id, s.lake_id, @@now_ms - s.age_ms, s.snapshots
             FROM said s CROSS JOIN (SELECT node_id FROM @node WHERE node_id = $1) n
             ON CONFLICT (node_id, lake_id)
             DO UPDATE SET oldest_ms = excluded.oldest_ms, snapshots = excluded.snapshots RETURNING lake_id";
        let said = self.registry().query(sql, params![node.id, rows]).await?;
        if said.is_empty() && !reports.is_empty() {
            let text = "the servers do not know this one any more, nor what is read here";
            return Err(Error::new(ErrorKind::Fenced, text));
        }
        failpoint::hit("pin-after-insert")
    }

    /// What readers keep of a lake.
    pub async fn pins(&self, lake: LakeId) -> Result<Pins> {
        if !self.is_shared() {
            return Ok(Pins { now: self.now(), ..Pins::default() });
        }
        let sql = "SELECT @@now_ms, p.oldest_ms, p.snapshots FROM (SELECT 1) one
             LEFT JOIN (@pin p JOIN @node n ON n.node_id = p.node_id AND n.alive_until_ms > @@now_ms)
                ON p.lake_id = $1";
        let mut pins = Pins::default();
        for row in self.registry().query(sql, params![lake]).await? {
            pins.now = time(row.int(0)?)?;
            let Some(oldest) = row.opt_int(1)? else { continue };
            let oldest = time(oldest)?;
            pins.oldest = Some(pins.oldest.map_or(oldest, |known| known.min(oldest)));
            let names = row.text(2)?;
            let mut ids = Vec::new();
            for name in names.split(',').filter(|name| !name.is_empty() && *name != "+") {
                let id = name.parse().map_err(|e| Error::caused(ErrorKind::Corrupt, "a pin cannot be read", e))?;
                ids.push(SnapshotId::new(id));
            }
            if names.ends_with('+') {
                pins.all_from = pins.all_from.into_iter().chain(ids.first().copied()).min();
            }
            pins.snapshots.extend(ids);
        }
        Ok(pins)
    }
}

fn time(ms: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_millis(ms).ok_or_else(|| Error::new(ErrorKind::Corrupt, "a time out of range"))
}
