//! Statements that ended the worker again and again are refused for a while.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// So many crashes …
const CRASHES_MAX: u32 = 3;
/// … within this time, and a statement is refused until it is over.
const WINDOW: Duration = Duration::from_secs(600);
/// Statements remembered.
const REMEMBERED_MAX: usize = 1000;

/// A statement without its literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of a statement's text: literals, case and white space do not count.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut bytes = sql.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\'' => {
                    // A doubled quote begins the next literal, which comes to the same.
                    while bytes.next().is_some_and(|b| b != b'\'') {}
                    b'\''.hash(&mut hasher);
                }
                b'0'..=b'9' => {
                    while bytes.next_if(u8::is_ascii_digit).is_some() {}
                    b'0'.hash(&mut hasher);
                }
                _ if byte.is_ascii_whitespace() => {
                    while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                    b' '.hash(&mut hasher);
                }
                _ => byte.to_ascii_lowercase().hash(&mut hasher),
            }
        }
        Self(hasher.finish())
    }
}

/// The statements that crashed workers.
#[derive(Default)]
pub struct Quarantine(Mutex<HashMap<Fingerprint, Crashes>>);

struct Crashes {
    count: u32,
    last: Instant,
}

impl Quarantine {
    /// How long a statement is refused yet.
    pub fn refused(&self, fingerprint: Fingerprint, now: Instant) -> Option<Duration> {
        let crashes = self.lock();
        let of = crashes.get(&fingerprint)?;
        if of.count < CRASHES_MAX {
            None
        } else {
            WINDOW.checked_sub(now.duration_since(of.last)).filter(|d| !d.is_zero())
        }
    }

    /// A worker ended while it ran.
    pub fn count(&self, fingerprint: Fingerprint, now: Instant) {
        let mut crashes = self.lock();
        crashes.retain(|_, of| now.duration_since(of.last) < WINDOW);
        if crashes.len() >= REMEMBERED_MAX {
            let oldest = crashes.iter().min_by_key(|(_, of)| of.last).map(|(key, _)| *key);
            oldest.and_then(|key| crashes.remove(&key));
        }
        let of = crashes.entry(fingerprint).or_insert(Crashes { count: 0, last: now });
        of.count += 1;
        of.last = now;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Crashes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_do_not_count() {
        let same = |a, b| assert_eq!(Fingerprint::of(a), Fingerprint::of(b), "{a} / {b}");
        let other = |a, b| assert_ne!(Fingerprint::of(a), Fingerprint::of(b), "{a} / {b}");
        same("SELECT 1", "select  22");
        same("SELECT 'a' FROM t", "SELECT 'bcd'\nFROM t");
        other("SELECT a", "SELECT b");
        other("SELECT 'a'", "SELECT 1");
    }

    #[test]
    fn refused_after_three_crashes_for_ten_minutes() {
        let (quarantine, print) = (Quarantine::default(), Fingerprint::of("SELECT crash(1)"));
        let now = Instant::now();
        for _ in 0..CRASHES_MAX {
            assert_eq!(quarantine.refused(print, now), None);
            quarantine.count(print, now);
        }
        assert_eq!(quarantine.refused(print, now), Some(WINDOW));
        assert_eq!(quarantine.refused(print, now + WINDOW), None);
    }
}
