//! Places where a test can stop the process, or make a step fail, exactly there.
//!
//! `DUCKMESH_FAILPOINTS` names them: `name=park` writes `failpoint-reached name` to stderr and parks the thread for ever,
//! `name=abort` ends the process, `name=error` makes the step fail, `name=wait:/a/file` goes on once that file is there,
//! `name=3*park` acts at the third hit. Several are joined by `;`.

use std::{
    collections::HashMap,
    io::Write,
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::error::{Error, ErrorKind};

/// Every name there is.
pub const ALL: &[&str] = &[
    "startup-after-auth",
    "insert-before-append",
    "insert-after-append",
    "insert-before-complete",
    "copy-after-stage",
    "copy-before-append",
    "bus-append-before-commit",
    "bus-append-after-commit",
    "lease-before-renew",
    "commit-after-read",
    "commit-after-encode",
    "commit-after-put",
    "publish-before-commit",
    "publish-after-commit",
    "compact-after-put",
    "compact-before-publish",
    "trim-before",
    "trim-after",
    "pin-after-insert",
    "retention-after-list",
    "retention-before-delete",
    "migrate-mid",
    "encode-poison",
    "ddl-after-validate",
    "cache-after-download",
    "cache-before-rename",
    "engine-before-lock",
    "engine-mid-stream",
];

/// How often a waiting place looks for its file.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Park,
    Abort,
    Error,
    Wait(PathBuf),
}

#[derive(Debug)]
struct Armed {
    action: Action,
    /// Acts at this hit; none is every one.
    nth: Option<u64>,
    hits: AtomicU64,
}

static ARMED: LazyLock<HashMap<String, Armed>> =
    LazyLock::new(|| parse(&std::env::var("DUCKMESH_FAILPOINTS").unwrap_or_default()));

/// Passes the place of that name: nothing happens unless the environment names it.
pub fn hit(name: &'static str) -> Result<(), Error> {
    debug_assert!(ALL.contains(&name), "failpoint {name} is not in the list");
    let Some(armed) = ARMED.get(name) else {
        return Ok(());
    };
    let hit = armed.hits.fetch_add(1, Ordering::SeqCst) + 1;
    if armed.nth.is_some_and(|nth| nth != hit) {
        return Ok(());
    }
    let _ = writeln!(std::io::stderr(), "failpoint-reached {name}");
    match &armed.action {
        Action::Error => Err(Error::new(ErrorKind::Store, format!("failpoint {name}"))),
        Action::Abort => std::process::abort(),
        Action::Park => aside(|| {
            loop {
                std::thread::park();
            }
        }),
        Action::Wait(file) => {
            aside(|| {
                while !file.exists() {
                    std::thread::sleep(LOOK);
                }
            });
            Ok(())
        }
    }
}

/// Blocks this thread, and not the runtime: its other tasks go on elsewhere.
fn aside<T>(block: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(block),
        _ => block(),
    }
}

fn parse(text: &str) -> HashMap<String, Armed> {
    text.split(';')
        .filter_map(|part| {
            let (name, action) = part.trim().split_once('=')?;
            let (nth, action) = match action.split_once('*') {
                Some((nth, action)) => (Some(nth.trim().parse().ok()?), action),
                None => (None, action),
            };
            let action = match action.trim() {
                "park" => Action::Park,
                "abort" => Action::Abort,
                "error" => Action::Error,
                other => Action::Wait(PathBuf::from(other.strip_prefix("wait:")?)),
            };
            Some((name.trim().to_owned(), Armed { action, nth, hits: AtomicU64::new(0) }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_documented() {
        let armed = parse("publish-before-commit=park; trim-after = 3*error;x=jump;y;z=0x*park");
        assert_eq!(armed.len(), 2);
        assert_eq!(armed["publish-before-commit"].action, Action::Park);
        assert_eq!(armed["publish-before-commit"].nth, None);
        assert_eq!(armed["trim-after"].action, Action::Error);
        assert_eq!(armed["trim-after"].nth, Some(3));
        hit("publish-before-commit").unwrap();
    }
}
