//! Where things are in this checkout and on this machine.

use std::{env, path::PathBuf};

/// The repository's root: of the checkout that runs, which may share its build with another one.
///
/// # Panics
/// Never: packages are folders of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("a package is in the repository").to_owned()
}

/// A file under `tests/`.
#[must_use]
pub fn tests(relative: &str) -> PathBuf {
    root().join("tests").join(relative)
}

/// The server's binary: `DUCKMESH_BIN`, or the one built with this test.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn server_binary() -> PathBuf {
    if let Some(path) = env::var_os("DUCKMESH_BIN") {
        return path.into();
    }
    let path = profile_dir().join("duckmesh");
    assert!(path.exists(), "{} is missing: cargo build --package duckmesh --bins", path.display());
    path
}

/// `target/debug` (or where cargo put it): test binaries are in its `deps`.
///
/// # Panics
/// When the system does not tell where this program is.
#[must_use]
pub fn profile_dir() -> PathBuf {
    let me = env::current_exe().expect("the path of this program");
    let dir = me.parent().expect("the folder of this program");
    if dir.ends_with("deps") {
        dir.parent().expect("deps is in the profile's folder").to_owned()
    } else {
        dir.to_owned()
    }
}

/// A folder that survives between runs, for downloads.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn cache() -> PathBuf {
    let dir = profile_dir().parent().expect("the target folder").join("test-downloads");
    std::fs::create_dir_all(&dir).expect("the cache folder");
    dir
}

/// Python with the official DuckDB, made by `make setup`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn python() -> PathBuf {
    let path = env::var_os("DUCKMESH_PYTHON").map_or_else(|| root().join(".venv/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is missing: make setup", path.display());
    path
}

/// Folder of PostgreSQL's programs, newest version first; `DUCKMESH_PG_BIN` overrides.
///
/// # Panics
/// When there is none of version 15 or newer.
#[must_use]
pub fn postgres_bin() -> PathBuf {
    if let Some(path) = env::var_os("DUCKMESH_PG_BIN") {
        return path.into();
    }
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(version, bin)| *version >= 15 && bin.join("initdb").exists())
        .collect();
    // 15 is the version whose behaviour the server follows; a newer one only where there is no 15.
    found.sort_by_key(|(version, _)| *version);
    if let Some((_, bin)) = found.into_iter().next() {
        return bin;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).find(|dir| dir.join("initdb").exists());
    on_path.expect("PostgreSQL 15 or newer is needed: make setup")
}
