//! A PostgreSQL server of its own for a test, in a temporary folder and on a Unix socket only.

use std::{
    io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A running server; dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct PostgresServer {
    folder: tempfile::TempDir,
    programs: PathBuf,
    /// User and group to run as, where this process is root (which Postgres refuses).
    run_as: Option<(u32, u32)>,
    databases: AtomicU32,
}

impl PostgresServer {
    /// Makes a cluster and starts a server. Blocking: about two seconds.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("duckmesh-pg").tempdir()?;
        let run_as = run_as(folder.path())?;
        if let Some((user, group)) = run_as {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let server = Self { folder, programs: programs()?, run_as, databases: AtomicU32::new(0) };
        let data = server.data();
        server.run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])?;
        let settings = format!("-c listen_addresses= -c unix_socket_directories={}", server.socket().display());
        let log = server.socket().join("log");
        let log = log.to_string_lossy();
        server.run("pg_ctl", &["-D", &data, "-w", "-t", "60", "-l", &log, "-o", &settings, "start"])?;
        Ok(server)
    }

    /// A new empty database, as a connection string for tokio-postgres and for libpq.
    pub fn database(&self) -> io::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let socket = self.socket().to_string_lossy().into_owned();
        self.run("createdb", &["-h", &socket, "-U", "postgres", &name])?;
        Ok(format!("host={socket} user=postgres dbname={name}"))
    }

    /// The folder of its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server as a crash would.
    pub fn stop_immediately(&self) -> io::Result<()> {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "stop"])
    }

    /// Starts it again after [`Self::stop_immediately`].
    pub fn start_again(&self) -> io::Result<()> {
        let settings = format!("-c listen_addresses= -c unix_socket_directories={}", self.socket().display());
        let log = self.socket().join("log");
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-l", &log.to_string_lossy(), "-o", &settings, "start"])
    }

    fn data(&self) -> String {
        self.folder.path().join("data").to_string_lossy().into_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.run_as {
            command.uid(user).gid(group);
        }
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program}: {status}"))) }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = self.stop_immediately();
    }
}

/// The newest installed server programs.
fn programs() -> io::Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| path.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).find(|folder| folder.join("initdb").exists()));
    found.pop().or(on_path).ok_or_else(|| io::Error::other("PostgreSQL's server programs are not installed"))
}

/// The user `postgres`, where this process is root. A new folder belongs to whoever made it.
fn run_as(own_folder: &Path) -> io::Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata(own_folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let fields = |line: &str| -> Option<(u32, u32)> {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users
        .lines()
        .find_map(fields)
        .map(Some)
        .ok_or_else(|| io::Error::other("there is no user postgres to run the server as"))
}
