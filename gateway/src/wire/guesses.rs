//! Cancel requests, counted by address: who guesses keys is not listened to for a while. A right key costs nothing.
//!
//! A key of protocol 3.0 has 32 bits. At the rate that is left to one address, trying half of them takes years.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Wrong requests of one address that are looked at one after the other: clients that come too late, or that were
/// disconnected, send wrong keys too.
const BURST: u32 = 60;
/// One more for each of these.
const EACH: Duration = Duration::from_millis(50);
/// Addresses with a count of their own, each some tens of bytes; further ones share one.
const ADDRESSES_MAX: usize = 4096;
/// Between two looks for counts that are over, while there are that many.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Who has asked how much. By the monotonic clock, which is the caller's.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// When all that an address asked is paid for.
    paid_at: HashMap<IpAddr, Instant>,
    /// The same of all addresses without a place.
    others: Option<Instant>,
    swept_at: Option<Instant>,
}

impl Guesses {
    /// Counts a request; whether it may be looked at.
    pub(super) fn charge(&self, address: IpAddr, now: Instant) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_at = table.place(network(address), now);
        let owed = paid_at.saturating_duration_since(now);
        let is_heard = owed < EACH * BURST;
        if is_heard {
            *paid_at = now + owed + EACH;
        }
        is_heard
    }

    /// The request was right.
    pub(super) fn refund(&self, address: IpAddr, now: Instant) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_at = table.place(network(address), now);
        *paid_at = now + paid_at.saturating_duration_since(now).saturating_sub(EACH);
    }
}

impl Table {
    fn place(&mut self, address: IpAddr, now: Instant) -> &mut Instant {
        let is_full = self.paid_at.len() >= ADDRESSES_MAX && !self.paid_at.contains_key(&address);
        if is_full && self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_PAUSE) {
            self.swept_at = Some(now);
            self.paid_at.retain(|_, paid_at| *paid_at > now);
        }
        if is_full && self.paid_at.len() >= ADDRESSES_MAX {
            return self.others.get_or_insert(now);
        }
        self.paid_at.entry(address).or_insert(now)
    }
}

/// What one client has for itself: an address, of version 6 the half that its network gives.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(n).into()
    }

    #[test]
    fn guesses_are_counted_by_address_and_time_pays_for_them() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let heard = |at: IpAddr, now| (0..1000).filter(|_| guesses.charge(at, now)).count();
        assert_eq!(heard(address(1), now), 60);
        assert_eq!(heard(address(1), now), 0);
        assert_eq!(heard(address(2), now), 60, "each has its own");
        assert_eq!(heard(address(1), now + EACH * 3), 3);
        assert_eq!(heard(address(1), now + Duration::from_secs(60)), 60);
        let v6 = |text: &str| text.parse().expect("an address");
        assert_eq!(heard(v6("2001:db8:1:2::1"), now), 60);
        assert_eq!(heard(v6("2001:db8:1:2:ffff::2"), now), 0, "of the same network");
        assert_eq!(heard(v6("::ffff:0.0.0.2"), now), 0, "the same in another form");
        for _ in 0..1000 {
            assert!(guesses.charge(address(3), now), "right keys are never too many");
            guesses.refund(address(3), now);
        }
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let heard = (0..100_000).filter(|n| guesses.charge(address(*n), now)).count();
        assert_eq!(heard, ADDRESSES_MAX + 60);
        let len = || guesses.0.lock().expect("whole").paid_at.len();
        assert_eq!(len(), ADDRESSES_MAX);
        assert!(guesses.charge(address(200_000), now + Duration::from_secs(10)), "what is paid for gives way");
        assert_eq!(len(), 1);
    }
}
