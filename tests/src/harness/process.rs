//! Signals to processes, by their number, and what /proc says about them.

use std::fs;

/// Ends it at once, as a power cut would.
pub const KILL: i32 = libc::SIGKILL;
/// Asks it to stop.
pub const TERM: i32 = libc::SIGTERM;
/// Freezes it.
pub const STOP: i32 = libc::SIGSTOP;
/// Thaws it.
pub const CONT: i32 = libc::SIGCONT;

/// Sends a signal; whether the process was there.
#[must_use]
pub fn signal(pid: u32, signal: i32) -> bool {
    let Ok(pid) = i32::try_from(pid) else { return false };
    // SAFETY: kill only takes numbers.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// Whether this is root, whom PostgreSQL refuses and who may mount.
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: geteuid only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Live children of a process.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| status(*pid).is_some_and(|(ppid, zombie)| ppid == parent && !zombie)).collect()
}

/// The words a process was started with.
#[must_use]
pub fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Highest resident memory of a process so far, in KiB.
#[must_use]
pub fn peak_memory_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmHWM:")
}

/// Resident memory of a process now, in KiB.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmRSS:")
}

/// Processor time of a process so far, in hundredths of a second.
#[must_use]
pub fn ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let (_, rest) = text.rsplit_once(')').unwrap_or_default();
    // Of the user and of the system; the kernel counts in hundredths wherever Linux runs us.
    rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
}

fn memory_kib(pid: u32, what: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn status(pid: u32) -> Option<(u32, bool)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything: what counts begins after the last one.
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?;
    Some((words.next()?.parse().ok()?, state == "Z"))
}
