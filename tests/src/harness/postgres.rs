//! A PostgreSQL cluster of its own, in a temporary folder, on a free port.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, UNIX_EPOCH},
};

use tempfile::TempDir;

use super::{Client, eventually, paths, process};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A cluster; stopped when dropped. Anybody on 127.0.0.1 may connect as anybody.
pub struct Postgres {
    folder: TempDir,
    data: PathBuf,
    settings: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    /// Makes and starts a cluster that does not sync: it lives as long as the test.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&["fsync=off", "synchronous_commit=on", "full_page_writes=off"])
    }

    /// Makes and starts a cluster with its defaults and these settings.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        Self::made(None, settings)
    }

    /// The same with its data in a folder of another file system; its log of writes (`pg_wal`) stays where there is room.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_data_on(disk: &Path, settings: &[&str]) -> Self {
        Self::made(Some(disk), settings)
    }

    fn made(disk: Option<&Path>, settings: &[&str]) -> Self {
        let folder = open_folder();
        let data = disk.unwrap_or(folder.path()).join("data");
        if disk.is_some() {
            initdb(&data, &["-X", &text(&folder.path().join("wal"))]);
        } else {
            copy(&template(), &data);
        }
        let settings = settings.iter().map(|s| (*s).to_owned()).collect();
        let mut cluster = Self { folder, data, settings, port: free_port(), child: None };
        cluster.launch();
        cluster
    }

    /// Makes and starts a standby that follows this cluster, under a name for `synchronous_standby_names`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let folder = open_folder();
        let data = folder.path().join("data");
        let source = format!("{} application_name={name}", self.keywords());
        let made = as_postgres(&paths::postgres_bin().join("pg_basebackup"))
            .args(["-d", &source, "-D", &text(&data), "-R", "-X", "stream", "-c", "fast", "--no-sync"])
            .output()
            .expect("pg_basebackup runs");
        assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
        let mut standby = Self { folder, data, settings: self.settings.clone(), port: free_port(), child: None };
        standby.launch();
        standby
    }

    /// Makes a standby the primary.
    ///
    /// # Panics
    /// When it does not become one.
    pub fn promote(&self) {
        let mut command = as_postgres(&paths::postgres_bin().join("pg_ctl"));
        let done = command.args(["-D", &text(&self.data), "-w", "-t", "60", "promote"]).output().expect("pg_ctl runs");
        assert!(done.status.success(), "pg_ctl: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Ends it as a crash would: no checkpoint, no word to its clients.
    pub fn stop_immediately(&mut self) {
        self.stop_with(libc::SIGQUIT);
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.stop_with(libc::SIGINT);
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it was stopped");
        self.launch();
    }

    /// Freezes it with all its processes, or thaws them.
    pub fn freeze(&self, on: bool) {
        let Some(child) = &self.child else { return };
        let signal = if on { process::STOP } else { process::CONT };
        for pid in process::children(child.id()).into_iter().chain([child.id()]) {
            let _ = process::signal(pid, signal);
        }
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    fn stop_with(&mut self, signal: i32) {
        if let Some(mut child) = self.child.take() {
            let _ = process::signal(child.id(), signal);
            let _ = child.wait();
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL as the server's `--catalog` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://tester@127.0.0.1:{}/postgres", self.port)
    }

    /// As libpq wants it.
    #[must_use]
    pub fn keywords(&self) -> String {
        format!("host=127.0.0.1 port={} user=tester dbname=postgres", self.port)
    }

    /// Connects.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client(&self) -> Client {
        Client::connect(self.port, "postgres").await.expect("PostgreSQL answers")
    }

    fn launch(&mut self) {
        let mut command = as_postgres(&paths::postgres_bin().join("postgres"));
        let socket = text(self.folder.path());
        command.args(["-D", &text(&self.data), "-p", &self.port.to_string(), "-k", &socket]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "timezone=UTC"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log")).expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts");
        self.child = Some(child);
        let port = self.port;
        eventually("PostgreSQL answers", START_LIMIT, || {
            let child = self.child.as_mut()?;
            if let Some(status) = child.try_wait().expect("its status") {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("PostgreSQL ended with {status}: {log}");
            }
            super::wire::answers(port).then_some(())
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.freeze(false);
        // SIGQUIT is its immediate shutdown; SIGKILL would leave its children and its shared memory.
        self.stop_immediately();
    }
}

/// Makes the files of a cluster, not synced.
fn initdb(data: &Path, more: &[&str]) {
    let made = as_postgres(&paths::postgres_bin().join("initdb"))
        .args(["-D", &text(data), "-U", "tester", "-A", "trust", "-E", "UTF8"])
        .args(["--lc-collate=C", "--lc-ctype=C.UTF-8", "--no-sync"])
        .args(more)
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
}

/// The files of an empty cluster, made once for all tests of a build: `initdb` takes ten times as long as a copy of what it makes.
fn template() -> PathBuf {
    let program = fs::metadata(paths::postgres_bin().join("initdb")).expect("initdb is there");
    let installed =
        program.modified().expect("its time").duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    let template = paths::cache().join(format!("postgres-{installed}"));
    if !template.exists() {
        let folder = open_folder();
        let data = folder.path().join("data");
        initdb(&data, &[]);
        let partial = paths::cache().join(format!("postgres-{installed}.{}", std::process::id()));
        copy(&data, &partial);
        // Whoever is first wins: a folder that is there and not empty is not replaced.
        if fs::rename(&partial, &template).is_err() {
            let _ = fs::remove_dir_all(&partial);
            assert!(template.exists(), "no template of a cluster in {}", template.display());
        }
    }
    template
}

/// Copies a folder with its owners and modes.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", &text(from), &text(to)]).output().expect("cp runs");
    assert!(done.status.success(), "cp: {}", String::from_utf8_lossy(&done.stderr));
}

/// A temporary folder that PostgreSQL's own user may write in.
fn open_folder() -> TempDir {
    let folder = TempDir::with_prefix("duckmesh-pg-").expect("a temporary folder");
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
    fs::set_permissions(folder.path(), mode).expect("permissions");
    folder
}

/// PostgreSQL refuses root: then its programs run as its own user.
pub(super) fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new(program);
    if process::is_root() {
        use std::os::unix::process::CommandExt;
        let (user, group) = postgres_user();
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

fn postgres_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the user postgres");
    let mut words = line.split(':').skip(2).map(|n| n.parse().expect("a number"));
    (words.next().unwrap_or(0), words.next().unwrap_or(0))
}

/// A port nobody listens on now.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}
