//! This machine: the data folder, and how many files a process may open.

use std::{io::Write, path::Path};

use super::Check;
use crate::config::Config;

/// Descriptors for engines, stores and files, beside one for each client.
const DESCRIPTORS_SPARE: u64 = 256;

pub(super) fn look(config: &Config) -> Vec<Check> {
    vec![descriptors(config)]
}

/// Whether a folder, or the one it would be made in, can be written and synced.
pub(super) fn folder(name: &str, path: &Path) -> Check {
    let there = path.ancestors().find(|p| p.exists()).unwrap_or(path);
    let probe = there.join(format!(".duckmesh-doctor-{}", std::process::id()));
    let written = std::fs::File::create(&probe).and_then(|mut file| {
        file.write_all(b"probe")?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&probe);
    match written.and(removed) {
        Ok(()) => Check::ok(name, format!("{} can be written", path.display())),
        Err(e) => Check::failed(
            name,
            format!("{}: {e}", there.display()),
            "Let the user that runs DuckMesh write there, or choose another folder with --data.",
        ),
    }
}

fn descriptors(config: &Config) -> Check {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: out pointer to a local.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Check::warning("open files", std::io::Error::last_os_error().to_string(), "See ulimit -n.");
    }
    let needed = config.max_connections as u64 + config.catalog_connections as u64 + DESCRIPTORS_SPARE;
    let found = format!("a process may open {}, {needed} are needed", limit.rlim_cur);
    if limit.rlim_cur >= needed {
        return Check::ok("open files", found);
    }
    Check::warning("open files", found, "Raise LimitNOFILE (systemd) or ulimit -n, or lower --max-connections.")
}
