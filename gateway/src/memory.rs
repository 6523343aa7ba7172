//! Gives memory back to the operating system after large statements.
//!
//! A tree of a large text is a hundred thousand small pieces. The allocator keeps them in the arenas of several threads
//! once they are free: without this, one statement of half a megabyte leaves the gateway hundreds of megabytes larger.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Texts from this many bytes on.
pub const LARGE_TEXT_BYTES: usize = 64 << 10;
/// What comes meanwhile is given back together: a look through all arenas takes some milliseconds.
const PAUSE: Duration = Duration::from_secs(1);

static IS_PENDING: AtomicBool = AtomicBool::new(false);

/// Somebody's large statement; with the end of the last part of it the memory is given back.
#[derive(Debug)]
pub struct LargeStatement(());

impl LargeStatement {
    /// For a text of that many bytes; none where it is small.
    #[must_use]
    pub fn of(text_bytes: usize) -> Option<Self> {
        (text_bytes >= LARGE_TEXT_BYTES).then_some(Self(()))
    }
}

impl Drop for LargeStatement {
    fn drop(&mut self) {
        give_back_soon();
    }
}

/// Gives back what is free after a short while.
pub fn give_back_soon() {
    if IS_PENDING.swap(true, Ordering::AcqRel) {
        return;
    }
    let trim = || {
        thread::sleep(PAUSE);
        IS_PENDING.store(false, Ordering::Release);
        give_back();
    };
    if thread::Builder::new().name("memory".into()).spawn(trim).is_err() {
        IS_PENDING.store(false, Ordering::Release);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    // SAFETY: it takes the allocator's own locks and touches only memory that is free.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
