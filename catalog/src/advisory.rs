//! Advisory locks of the sessions of all servers of one Postgres catalog: rows that count while their server lives.

use crate::{
    Catalog, LakeId, Node,
    catalog::Result,
    params,
    store::{Isolation, Row, Value},
};

/// A lock that a session holds, or waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockRow {
    /// Which sort of key: 1 is one number, 2 is two.
    pub kind: i64,
    /// The first of two numbers; else 0.
    pub class: i64,
    /// The number, or the second.
    pub object: i64,
    /// The session's server.
    pub node: i64,
    /// The session there.
    pub owner: i64,
    /// Beside others who share it.
    pub shared: bool,
    /// Whether it is held; else waited for.
    pub granted: bool,
}

impl LockRow {
    /// What PostgreSQL's own lock is asked for while the rows of a key are looked at. Keys that meet there wait for each other
    /// a moment longer, nothing else.
    fn number(&self, lake: LakeId) -> i64 {
        // FNV-1a over the numbers.
        let numbers = [lake.get(), self.kind, self.class, self.object];
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        hash.cast_signed()
    }

    fn values(&self, lake: LakeId) -> Vec<Value> {
        params![lake, self.kind, self.class, self.object, self.node, self.owner, self.shared, self.granted]
    }
}

const INSERT: &str = "INSERT INTO @advisory_lock(lake_id, kind, class_key, object_key, node_id, owner, shared, granted)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";

impl Catalog {
    /// Takes a lock; false where another living session's stands against it.
    pub async fn take_lock(&self, lake: LakeId, lock: &LockRow) -> Result<bool> {
        let mut tx = self.registry().begin_with(Isolation::ReadCommitted).await?;
        let hold = "SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS held";
        tx.query(hold, params![lock.number(lake)]).await?;
        let against = "SELECT 1 FROM @advisory_lock a
             JOIN @node n ON n.node_id = a.node_id AND n.alive_until_ms > @@now_ms
             WHERE a.lake_id = $1 AND a.kind = $2 AND a.class_key = $3 AND a.object_key = $4 AND a.granted
                AND NOT (a.node_id = $5 AND a.owner = $6) AND NOT (a.shared AND $7) LIMIT 1";
        let mut values = lock.values(lake);
        values.truncate(7);
        if tx.query_opt(against, values).await?.is_some() {
            tx.rollback().await;
            return Ok(false);
        }
        tx.execute(INSERT, lock.values(lake)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Says that a session waits for a lock.
    pub async fn note_waiting(&self, lake: LakeId, lock: &LockRow) -> Result<()> {
        self.registry().query(INSERT, lock.values(lake)).await.map(drop)
    }

    /// Gives a lock back, or ends a wait.
    pub async fn release_lock(&self, lake: LakeId, lock: &LockRow) -> Result<()> {
        let sql = "DELETE FROM @advisory_lock WHERE lake_id = $1 AND kind = $2 AND class_key = $3 AND object_key = $4
             AND node_id = $5 AND owner = $6 AND shared = $7 AND granted = $8";
        self.registry().query(sql, lock.values(lake)).await.map(drop)
    }

    /// Gives all locks of some of a server's sessions back.
    pub async fn release_locks_of(&self, node: &Node, owners: &[i32]) -> Result<()> {
        let owners: Vec<String> = owners.iter().map(ToString::to_string).collect();
        if owners.is_empty() {
            return Ok(());
        }
        let owners = owners.join(", ");
        let sql = format!("DELETE FROM @advisory_lock WHERE node_id = $1 AND owner IN ({owners})");
        self.registry().query(&sql, params![node.id]).await.map(drop)
    }

    /// All that sessions of living servers hold or wait for.
    pub async fn locks(&self, lake: LakeId) -> Result<Vec<LockRow>> {
        let sql = "SELECT a.kind, a.class_key, a.object_key, a.node_id, a.owner, a.shared, a.granted
             FROM @advisory_lock a JOIN @node n ON n.node_id = a.node_id AND n.alive_until_ms > @@now_ms
             WHERE a.lake_id = $1";
        self.registry().query(sql, params![lake]).await?.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<LockRow> {
    Ok(LockRow {
        kind: row.int(0)?,
        class: row.int(1)?,
        object: row.int(2)?,
        node: row.int(3)?,
        owner: row.int(4)?,
        shared: row.bool(5)?,
        granted: row.bool(6)?,
    })
}
