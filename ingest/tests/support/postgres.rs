//! A PostgreSQL of a test's own: a fresh cluster in a temporary folder, reached by a Unix socket.

use std::{
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running server; it ends with the value.
pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    server: Child,
}

impl Postgres {
    /// Starts one; none where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let bin = bin()?;
        let folder = TempDir::new().unwrap();
        if let Some((uid, gid)) = unprivileged() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let made = command(&bin, folder.path(), "initdb")
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "-D", "data"])
            .status();
        assert!(made.unwrap().success(), "initdb");
        let server = serve(&bin, folder.path());
        Some(Self { folder, bin, server })
    }

    /// Stops it as a crash would, and starts it again.
    pub fn crash(&mut self) {
        let pid = self.server.id().to_string();
        let sent = Command::new("kill").args(["-QUIT", &pid]).status();
        assert!(sent.unwrap().success(), "kill");
        self.server.wait().unwrap();
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        self.server = serve(&self.bin, self.folder.path());
    }

    /// How to connect.
    pub fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.folder.path().display())
    }
}

/// A program of PostgreSQL's in the server's folder.
fn command(bin: &Path, folder: &Path, program: &str) -> Command {
    let mut command = Command::new(bin.join(program));
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = unprivileged() {
        command.uid(uid).gid(gid);
    }
    command
}

/// Starts the server, and waits until it takes connections.
fn serve(bin: &Path, folder: &Path) -> Child {
    let server = command(bin, folder, "postgres")
        .args(["-D", "data", "-c", "listen_addresses=", "-k"])
        .arg(folder)
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let pid = folder.join("data/postmaster.pid");
    while !std::fs::read_to_string(&pid).is_ok_and(|text| text.contains("ready")) {
        assert!(Instant::now() < until, "PostgreSQL did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> =
        versions.filter_map(|v| Some(v.ok()?.path().join("bin"))).filter(|bin| bin.join("initdb").exists()).collect();
    found.sort();
    found.pop()
}

/// PostgreSQL refuses to run as root: then it runs as the user `postgres`.
fn unprivileged() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|l| l.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
