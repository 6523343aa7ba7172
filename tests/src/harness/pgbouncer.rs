//! A PgBouncer in front of a server, in transaction mode.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    eventually,
    postgres::{as_postgres, free_port},
    process,
};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A pooler; stopped when dropped.
pub struct PgBouncer {
    _folder: TempDir,
    port: u16,
    child: Child,
}

impl PgBouncer {
    /// Starts one with two server connections for each database of the server on that port; each says `connect` when it is
    /// made. `settings` are lines of its file.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start(server: u16, connect: &str, settings: &[&str]) -> Self {
        let folder = TempDir::with_prefix("duckmesh-bouncer-").expect("a temporary folder");
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
        fs::set_permissions(folder.path(), mode).expect("permissions");
        let port = free_port();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server} user=tester connect_query='{connect}'\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n{}\n",
            settings.join("\n")
        );
        fs::write(&file, text).expect("its configuration");
        let mut command: Command = as_postgres(&program());
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let child = command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut bouncer = Self { child: child.expect("pgbouncer starts"), port, _folder: folder };
        eventually("PgBouncer answers", START_LIMIT, || {
            if let Some(status) = bouncer.child.try_wait().expect("its status") {
                let log = fs::read_to_string(bouncer._folder.path().join("log")).unwrap_or_default();
                panic!("PgBouncer ended with {status}: {log}");
            }
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        bouncer
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn program() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"].map(PathBuf::from);
    places.into_iter().find(|path| path.exists()).expect("pgbouncer is missing: make setup")
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = process::signal(self.child.id(), process::KILL);
        let _ = self.child.wait();
    }
}
