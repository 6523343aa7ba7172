//! Several servers on one Postgres catalog: roles, duties that change hands, and what sessions of different gateways share.

mod duties;
mod garbage;
mod gateways;
mod load;
mod locks;
mod notices;
mod readers;
mod sessions;

use std::time::Duration;

use duckmesh_tests::harness::{Client, Postgres, Server, ServerOptions, eventually_async};
use tempfile::TempDir;

/// How long a server counts as alive here: short, so that a death is noticed soon.
pub const LEASE: Duration = Duration::from_millis(2500);
/// Longer than this machine can be too busy for.
const LONG_LEASE: Duration = Duration::from_secs(20);
/// What takes longer fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A catalog, and a folder in which each server has its own.
pub struct Fleet {
    pub postgres: Postgres,
    folder: TempDir,
    lease: Duration,
}

impl Fleet {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { postgres: Postgres::start(), folder, lease: LEASE }
    }

    /// Where nobody is to be thought dead: a server that is too busy to say that it lives loses the locks of its sessions.
    pub fn where_nobody_dies() -> Self {
        Self { lease: LONG_LEASE, ..Self::new() }
    }

    /// A server with all roles.
    pub fn server(&self, name: &str) -> Server {
        self.server_with(name, &[])
    }

    pub fn server_with(&self, name: &str, args: &[&str]) -> Server {
        let lease = self.lease.as_millis().to_string();
        let args = ["--lease-ms", &lease].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        let data = Some(self.folder.path().join(name));
        Server::with(ServerOptions { data, catalog: Some(self.postgres.url()), args, ..ServerOptions::default() })
    }

    /// Lakes that a server publishes, as the catalog says.
    pub async fn published_by(&self, catalog: &Client, server: &Server) -> Vec<String> {
        catalog
            .text(&format!(
                "SELECT k.name FROM duckmesh.lease l JOIN duckmesh.lake k USING (lake_id)
                 JOIN duckmesh.node n ON n.name = l.owner
                 WHERE l.duty = 'publish' AND n.alive_until_ms > extract(epoch FROM clock_timestamp()) * 1000
                    AND n.name LIKE 'pid-{}-%' ORDER BY 1",
                server.pid()
            ))
            .await
    }

    /// Waits until a server publishes so many lakes.
    pub async fn until_published(&self, server: &Server, lakes: usize) {
        let catalog = self.postgres.client().await;
        eventually_async(&format!("{lakes} lakes are published by one server"), PATIENCE, async || {
            (self.published_by(&catalog, server).await.len() == lakes).then_some(())
        })
        .await;
    }
}

/// Makes a table, and waits until it is there for all.
pub async fn make(client: &Client, table: &str) {
    client.ok(&format!("CREATE TABLE {table} (n bigint)")).await;
}
