//! Who may publish for a lake: a lease by the database's clock, and the epoch that every takeover raises.

use std::time::Duration;

use crate::{Catalog, Epoch, ErrorKind, LakeId, Offset, catalog::Result, error::Error};

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

impl Catalog {
    /// The watermark and the epoch that may move it.
    pub async fn watermark(&self, lake: LakeId) -> Result<(Offset, Epoch)> {
        let _ = lake;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// Takes the lease with a higher epoch; none while another owner holds it.
    pub async fn acquire_lease(
        &self,
        lake: LakeId,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>> {
        let _ = (lake, owner, ttl);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// Holds the lease longer; [`ErrorKind::Fenced`] where another epoch has begun.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        let _ = (lease, ttl);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// Gives the lease back.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let _ = lease;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
