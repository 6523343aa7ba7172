//! The servers of one Postgres catalog: who lives, by the database's clock, and what each of them does.
//!
//! A server keeps everything that is its own (leases, pins, advisory locks) by one statement from time to time, however many
//! lakes there are. Nothing here decides what may be published: that is the epoch's, in the publication itself.

use std::time::Duration;

use crate::{
    Catalog, Epoch, ErrorKind, LakeId, LakeName, Lease, Offset,
    catalog::Result,
    error::Error,
    failpoint,
    leases::millis,
    params,
    store::{Dialect, Isolation, Row},
};

/// Slots are numbered from 1; 0 is a server that is alone.
pub const SLOT_MAX: i64 = 2047;
/// Rows of servers that died are kept so long: their slot is in keys that clients still have.
const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// Servers that start at once take each other's slot.
const ATTEMPTS: usize = 20;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Serves clients.
    pub gateway: bool,
    /// Publishes.
    pub coordinator: bool,
    /// Merges and sweeps.
    pub maintenance: bool,
}

/// A server that comes.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Never used before.
    pub name: String,
    /// Where its Postgres port is, for the others.
    pub address: Option<String>,
    /// What it does.
    pub roles: Roles,
}

/// A server's place among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id, never given twice.
    pub id: i64,
    /// Its name, as leases have it.
    pub name: String,
    /// A small number of its own while it lives.
    pub slot: i64,
}

/// What a server found out by saying that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It was in time.
    InTime,
    /// It was thought dead: what it held may be another's now.
    Late,
    /// It was thought dead for so long that it was forgotten.
    Forgotten,
}

/// What is done for a lake by one server at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Publication.
    Publish,
    /// Merging and sweeping, where the one who publishes does not do it.
    Maintain,
}

impl Duty {
    fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Maintain => "maintain",
        }
    }
}

/// A server that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it does.
    pub roles: Roles,
}

/// A lake as all servers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeRow {
    /// Its id.
    pub id: LakeId,
    /// Its name.
    pub name: LakeName,
    /// The head and the DDL offset of its log; none: it has no lane yet.
    pub lane: Option<(Offset, Offset)>,
    /// Who publishes, if that server lives.
    pub publisher: Option<String>,
    /// Who maintains, if that server lives.
    pub maintainer: Option<String>,
}

/// All servers that live and all lakes, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// By id.
    pub members: Vec<Member>,
    /// By id.
    pub lakes: Vec<LakeRow>,
}

impl Catalog {
    /// Whether several servers may share this catalog.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.registry().dialect() == Dialect::Postgres
    }

    /// A server comes. It lives for `ttl` from now, by the database's clock.
    pub async fn enter_fleet(&self, spec: &NodeSpec, ttl: Duration) -> Result<Node> {
        self.forget_nodes().await?;
        for _ in 0..ATTEMPTS {
            match self.insert_node(spec, ttl).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
        Err(Error::new(ErrorKind::Retry, "other servers keep taking the next slot"))
    }

    async fn insert_node(&self, spec: &NodeSpec, ttl: Duration) -> Result<Node> {
        let Roles { gateway, coordinator, maintenance } = spec.roles;
        let sql = "INSERT INTO @node(name, slot, address, gateway, coordinator, maintenance, alive_until_ms)
             SELECT CAST($1 AS TEXT), min(s), CAST($2 AS TEXT), CAST($3 AS BOOLEAN), CAST($4 AS BOOLEAN),
                CAST($5 AS BOOLEAN), @@now_ms + $6 FROM generate_series(1, $7) AS s
             WHERE NOT EXISTS (SELECT 1 FROM @node n WHERE n.slot = s)
             RETURNING node_id, slot";
        let mut tx = self.registry().begin_with(Isolation::ReadCommitted).await?;
        if let Some(address) = &spec.address {
            // Clients that look for somebody at this address find the new one. That the other is gone it does not say:
            // on another machine the same loopback address is another server's.
            let sql = "UPDATE @node SET address = NULL WHERE address = $1";
            tx.execute(sql, params![address]).await?;
        }
        let values =
            params![&spec.name, spec.address.clone(), gateway, coordinator, maintenance, millis(ttl), SLOT_MAX];
        let row = tx.query_one(sql, values).await?;
        tx.commit().await?;
        Ok(Node { id: row.int(0)?, name: spec.name.clone(), slot: row.int(1)? })
    }

    async fn forget_nodes(&self) -> Result<()> {
        let sql = "DELETE FROM @node WHERE alive_until_ms < @@now_ms - $1";
        self.registry().query(sql, params![millis(FORGET_AFTER)]).await.map(drop)
    }

    /// A server says that it lives.
    pub async fn beat(&self, node: &Node, ttl: Duration) -> Result<Beat> {
        failpoint::hit("lease-before-renew")?;
        let sql = "UPDATE @node AS n SET alive_until_ms = @@now_ms + $1
             FROM (SELECT node_id, alive_until_ms > @@now_ms AS lived FROM @node WHERE node_id = $2 FOR UPDATE) AS b
             WHERE n.node_id = b.node_id RETURNING b.lived";
        let row = self.registry().query_opt(sql, params![millis(ttl), node.id]).await?;
        Ok(match row {
            None => Beat::Forgotten,
            Some(row) if row.bool(0)? => Beat::InTime,
            Some(_) => Beat::Late,
        })
    }

    /// A server that was forgotten comes again, with the slot that is in its clients' keys.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when another server has that slot by now.
    pub async fn enter_again(&self, node: &Node, spec: &NodeSpec, ttl: Duration) -> Result<()> {
        let sql = "INSERT INTO @node(node_id, name, slot, address, gateway, coordinator, maintenance, alive_until_ms)
             OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, @@now_ms + $8)";
        let (Roles { gateway, coordinator, maintenance }, address) = (spec.roles, spec.address.clone());
        let values = params![node.id, &node.name, node.slot, address, gateway, coordinator, maintenance, millis(ttl)];
        self.registry().query(sql, values).await.map(drop)
    }

    /// A server gives up some of its roles: others are to take over what it did.
    pub async fn change_roles(&self, node: &Node, roles: Roles) -> Result<()> {
        let sql = "UPDATE @node SET gateway = $1, coordinator = $2, maintenance = $3 WHERE node_id = $4";
        let values = params![roles.gateway, roles.coordinator, roles.maintenance, node.id];
        self.registry().query(sql, values).await.map(drop)
    }

    /// A server goes, with everything that it held.
    pub async fn leave_fleet(&self, node: &Node) -> Result<()> {
        self.registry().query("DELETE FROM @node WHERE node_id = $1", params![node.id]).await.map(drop)
    }

    /// All servers that live, and all lakes.
    pub async fn fleet(&self) -> Result<Fleet> {
        let members = "SELECT node_id, name, gateway, coordinator, maintenance FROM @node
             WHERE alive_until_ms > @@now_ms ORDER BY node_id";
        let lakes = "SELECT k.lake_id, k.name, l.head, l.ddl_offset, p.name, m.name
             FROM @lake k
             LEFT JOIN @lane l ON l.lake_id = k.lake_id
             LEFT JOIN @lease pl ON pl.lake_id = k.lake_id AND pl.duty = 'publish'
             LEFT JOIN @node p ON p.name = pl.owner AND p.alive_until_ms > @@now_ms
             LEFT JOIN @lease ml ON ml.lake_id = k.lake_id AND ml.duty = 'maintain'
             LEFT JOIN @node m ON m.name = ml.owner AND m.alive_until_ms > @@now_ms
             WHERE k.state = 'ready' ORDER BY k.lake_id";
        let members = self.registry().query(members, vec![]).await?;
        let lakes = self.registry().query(lakes, vec![]).await?;
        Ok(Fleet {
            members: members.iter().map(member).collect::<Result<_>>()?,
            lakes: lakes.iter().map(lake_row).collect::<Result<_>>()?,
        })
    }

    /// Where the clients of a living server's slot are served.
    pub async fn gateway_of_slot(&self, slot: i64) -> Result<Option<String>> {
        let sql = "SELECT address FROM @node WHERE slot = $1 AND gateway AND alive_until_ms > @@now_ms";
        let row = self.registry().query_opt(sql, params![slot]).await?;
        row.map(|row| row.opt_text(0)).transpose().map(Option::flatten)
    }

    /// Slots of the other living servers that serve clients, and where.
    pub async fn other_gateways(&self, node: &Node) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT slot, address FROM @node
             WHERE gateway AND address IS NOT NULL AND alive_until_ms > @@now_ms AND node_id <> $1 ORDER BY slot";
        let rows = self.registry().query(sql, params![node.id]).await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
    }

    /// Takes the lease of a lake for a server, for as long as that lives; none while another living server has it.
    pub async fn acquire_lease_while_alive(&self, lake: LakeId, owner: &str) -> Result<Option<Lease>> {
        let book = self.book(lake).await?;
        let mut tx = book.store.begin_with(Isolation::ReadCommitted).await?;
        let row = tx
            .query_opt(
                "UPDATE @duckmesh_state SET epoch = epoch + 1, lease_owner = $1, lease_until_ms = 0
                 WHERE lake_id = $2 AND (lease_owner IS NULL OR lease_owner = $1 OR (lease_until_ms <= @@now_ms
                    AND NOT EXISTS (SELECT 1 FROM duckmesh.node n
                                    WHERE n.name = lease_owner AND n.alive_until_ms > @@now_ms)))
                 RETURNING epoch",
                params![owner, lake],
            )
            .await?;
        let Some(row) = row else {
            tx.rollback().await;
            return Ok(None);
        };
        let epoch = Epoch::new(row.int(0)?);
        let sql = "INSERT INTO duckmesh.lease(lake_id, duty, owner, epoch) VALUES ($1, 'publish', $2, $3)
             ON CONFLICT (lake_id, duty) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch";
        tx.execute(sql, params![lake, owner, epoch]).await?;
        tx.commit().await?;
        Ok(Some(Lease { lake, epoch, owner: owner.to_owned() }))
    }

    /// Takes on the maintenance of a lake, for as long as the server lives; false while another living server has it.
    pub async fn take_maintenance(&self, lake: LakeId, owner: &str) -> Result<bool> {
        let sql = "INSERT INTO @lease(lake_id, duty, owner, epoch) VALUES ($1, $2, $3, 1)
             ON CONFLICT (lake_id, duty) DO UPDATE SET owner = excluded.owner, epoch = lease.epoch + 1
             WHERE lease.owner = excluded.owner OR NOT EXISTS
                (SELECT 1 FROM @node n WHERE n.name = lease.owner AND n.alive_until_ms > @@now_ms)
             RETURNING epoch";
        let row = self.registry().query_opt(sql, params![lake, Duty::Maintain.name(), owner]).await?;
        Ok(row.is_some())
    }

    /// Gives a duty back.
    pub(crate) async fn drop_duty(&self, lake: LakeId, duty: Duty, owner: &str) -> Result<()> {
        let sql = "DELETE FROM @lease WHERE lake_id = $1 AND duty = $2 AND owner = $3";
        self.registry().query(sql, params![lake, duty.name(), owner]).await.map(drop)
    }

    /// Gives maintenance back.
    pub async fn drop_maintenance(&self, lake: LakeId, owner: &str) -> Result<()> {
        self.drop_duty(lake, Duty::Maintain, owner).await
    }
}

fn member(row: &Row) -> Result<Member> {
    let roles = Roles { gateway: row.bool(2)?, coordinator: row.bool(3)?, maintenance: row.bool(4)? };
    Ok(Member { id: row.int(0)?, name: row.text(1)?, roles })
}

fn lake_row(row: &Row) -> Result<LakeRow> {
    let name = row.text(1)?;
    let lane = match (row.opt_int(2)?, row.opt_int(3)?) {
        (Some(head), Some(ddl)) => Some((Offset::new(head), Offset::new(ddl))),
        _ => None,
    };
    Ok(LakeRow {
        id: LakeId::new(row.int(0)?),
        name: LakeName::parse(&name)
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "the registry holds a lake without a fit name"))?,
        lane,
        publisher: row.opt_text(4)?,
        maintainer: row.opt_text(5)?,
    })
}
