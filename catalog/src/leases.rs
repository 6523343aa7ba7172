//! Who may publish for a lake: a lease by the database's clock, and the epoch that every takeover raises.

use std::time::Duration;

use crate::{
    Catalog, Epoch, ErrorKind, LakeId, Offset, catalog::Result, error::Error, failpoint, params, store::Isolation,
};

/// The right to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// For this lake.
    pub lake: LakeId,
    /// Publications name it.
    pub epoch: Epoch,
    /// Who has it.
    pub owner: String,
}

/// Who publishes for a lake now.
#[derive(Clone, Debug, PartialEq)]
pub struct LeaseState {
    /// The last epoch.
    pub epoch: Epoch,
    /// Who has, or had, the lease.
    pub owner: Option<String>,
    /// How long it still holds by the database's clock; negative where it ran out.
    pub seconds_left: f64,
}

impl Catalog {
    /// Who publishes for a lake now.
    pub async fn lease_state(&self, lake: LakeId) -> Result<LeaseState> {
        let book = self.book(lake).await?;
        let sql = "SELECT epoch, lease_owner, lease_until_ms - @@now_ms FROM @duckmesh_state WHERE lake_id = $1";
        let row = book.store.query_one(sql, params![lake]).await?;
        Ok(LeaseState {
            epoch: Epoch::new(row.int(0)?),
            owner: row.opt_text(1)?,
            seconds_left: row.int(2)? as f64 / 1000.0,
        })
    }

    /// The watermark and the epoch that may move it.
    pub async fn watermark(&self, lake: LakeId) -> Result<(Offset, Epoch)> {
        let book = self.book(lake).await?;
        let row = book
            .store
            .query_one("SELECT watermark, epoch FROM @duckmesh_state WHERE lake_id = $1", params![lake])
            .await?;
        Ok((Offset::new(row.int(0)?), Epoch::new(row.int(1)?)))
    }

    /// Takes the lease with a higher epoch; none while another owner holds it. The same owner takes it anew, fencing its
    /// former self.
    pub async fn acquire_lease(&self, lake: LakeId, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        let book = self.book(lake).await?;
        let mut tx = book.store.begin_with(Isolation::ReadCommitted).await?;
        let row = tx
            .query_opt(
                "UPDATE @duckmesh_state
                 SET epoch = epoch + 1, lease_owner = $1, lease_until_ms = @@now_ms + $2
                 WHERE lake_id = $3 AND (lease_owner IS NULL OR lease_owner = $1 OR lease_until_ms <= @@now_ms)
                 RETURNING epoch",
                params![owner, millis(ttl), lake],
            )
            .await?;
        let Some(row) = row else {
            tx.rollback().await;
            return Ok(None);
        };
        let epoch = Epoch::new(row.int(0)?);
        tx.commit().await?;
        Ok(Some(Lease { lake, epoch, owner: owner.to_owned() }))
    }

    /// Holds the lease longer; [`ErrorKind::Fenced`] where another epoch has begun. A lease that ran out while nobody took
    /// it is held again.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        failpoint::hit("lease-before-renew")?;
        let book = self.book(lease.lake).await?;
        let mut tx = book.store.begin_with(Isolation::ReadCommitted).await?;
        let rows = tx
            .execute(
                "UPDATE @duckmesh_state SET lease_until_ms = @@now_ms + $1
                 WHERE lake_id = $4 AND epoch = $2 AND lease_owner = $3",
                params![millis(ttl), lease.epoch, &lease.owner, lease.lake],
            )
            .await?;
        if rows != 1 {
            tx.rollback().await;
            return Err(Error::new(ErrorKind::Fenced, format!("epoch {} no longer holds the lease", lease.epoch)));
        }
        tx.commit().await
    }

    /// Gives the lease back, if it is still held.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let book = self.book(lease.lake).await?;
        let mut tx = book.store.begin_with(Isolation::ReadCommitted).await?;
        tx.execute(
            "UPDATE @duckmesh_state SET lease_owner = NULL, lease_until_ms = 0
             WHERE lake_id = $3 AND epoch = $1 AND lease_owner = $2",
            params![lease.epoch, &lease.owner, lease.lake],
        )
        .await?;
        if self.is_shared() {
            let sql =
                "DELETE FROM duckmesh.lease WHERE lake_id = $1 AND duty = 'publish' AND owner = $2 AND epoch = $3";
            tx.execute(sql, params![lease.lake, &lease.owner, lease.epoch]).await?;
        }
        tx.commit().await
    }
}

pub(crate) fn millis(ttl: Duration) -> i64 {
    // A century is as good as for ever, and cannot overflow the sum with the clock.
    const MAX: i64 = 100 * 366 * 86_400_000;
    i64::try_from(ttl.as_millis()).unwrap_or(MAX).min(MAX)
}
