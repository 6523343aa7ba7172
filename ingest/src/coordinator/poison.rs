//! Records that cannot be applied: tried again, cornered by halving, recorded with their reason. The lane goes on.

use std::sync::Arc;

use duckmesh_catalog::publish::Publication;

use super::{
    commit::{self, rejections},
    plan::Unit,
    recover::Failure,
    work::Leader,
};

impl Leader<'_> {
    /// Publishes units, or rejects those that cannot be. On return the watermark covers all of them.
    pub(super) async fn publish(&mut self, units: Vec<Unit>) -> Result<(), Failure> {
        let mut stack = vec![units];
        while let Some(units) = stack.pop() {
            let Some(last) = units.last().map(|u| u.last) else {
                continue;
            };
            let units = Arc::new(units);
            let Some(failure) = self.attempts(&units).await? else {
                self.shared.meters.publications.increment(1);
                self.advance(last);
                continue;
            };
            let units = Arc::unwrap_or_clone(units);
            match halve(units) {
                Pieces::Two(left, right) => stack.extend([right, left]),
                Pieces::One(unit) => self.reject(&unit, &failure).await?,
            }
        }
        Ok(())
    }

    /// Tries a publication as often as it may be tried; gives the reason if it is the units' own fault.
    async fn attempts(&mut self, units: &Arc<Vec<Unit>>) -> Result<Option<String>, Failure> {
        let mut attempt = 1;
        loop {
            self.shared.watch.moved();
            let failure = match commit::publish(self.shared, self.lease, self.watermark, units, attempt).await {
                Ok(()) => return Ok(None),
                Err(failure) => failure,
            };
            match failure {
                Failure::Refused(why) => return Ok(Some(why)),
                Failure::Unappliable(why) if attempt >= self.shared.options.attempts_max => {
                    return Ok(Some(why));
                }
                Failure::Unappliable(_) => {
                    self.report(&failure);
                    attempt += 1;
                    tokio::time::sleep(self.backoff.next()).await;
                }
                other => return Err(other),
            }
        }
    }

    /// Moves the watermark over a unit, with the reason recorded in the same transaction.
    async fn reject(&mut self, unit: &Unit, why: &str) -> Result<(), Failure> {
        let rejected = rejections(unit, why, self.shared.options.attempts_max);
        tracing::error!(lake = %self.shared.info.name, first = %unit.first, last = %unit.last, reason = why,
            "a write could not be applied and is rejected");
        let count = rejected.len() as u64;
        let publication = Publication {
            lake: self.shared.info.id,
            epoch: self.lease.epoch,
            expected_watermark: self.watermark,
            new_watermark: unit.last,
            ddl: Vec::new(),
            // The lane's DDL offset is this one: without it here, every later append would be stale for ever.
            ddl_offset: unit.ddl.then_some(unit.last),
            files: Vec::new(),
            rejected,
            rejected_rows: Vec::new(),
        };
        match self.shared.publish(&publication).await.map_err(Failure::from) {
            Ok(_) => {}
            // A rejection cannot be rejected: only an operator can help.
            Err(Failure::Unappliable(why) | Failure::Refused(why)) => {
                return Err(Failure::Wait(why));
            }
            Err(other) => return Err(other),
        }
        self.shared.meters.dead_letters.increment(count);
        self.advance(unit.last);
        Ok(())
    }
}

/// What failed, in smaller pieces.
enum Pieces {
    /// Two halves, in order.
    Two(Vec<Unit>, Vec<Unit>),
    /// The one that cannot be halved.
    One(Box<Unit>),
}

fn halve(mut units: Vec<Unit>) -> Pieces {
    if units.len() > 1 {
        let right = units.split_off(units.len() / 2);
        return Pieces::Two(units, right);
    }
    match units.pop() {
        Some(unit) if unit.offsets() > 1 => {
            let half = unit.offsets() / 2;
            let (left, right) = unit.split_at(half);
            Pieces::Two(vec![left], vec![right])
        }
        Some(unit) => Pieces::One(Box::new(unit)),
        None => Pieces::Two(Vec::new(), Vec::new()),
    }
}
