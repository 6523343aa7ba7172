//! Several servers over one PostgreSQL and one folder or bucket of files, each connection between them and their clients through a proxy.
//! It starts and stops; what is done to it meanwhile is the nemesis' part.

use std::process::Command;

use tempfile::TempDir;

use crate::{
    fake_s3::FakeS3,
    harness::{Client, Postgres, Server, ServerOptions, paths},
    tcp_proxy::TcpProxy,
};

/// The database that workloads write to: made anew, because the first one may be of an older run.
pub const DATABASE: &str = "duckmesh";
/// A lease this short makes takeovers short; long enough for a machine that does much else.
const LEASE_MS: &str = "3000";

/// Where the files of a deployment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// In the folder of the server that made the lake.
    Folder,
    /// In a bucket of a store in the test's process. Old snapshots, and files that were replaced, go soon.
    Bucket,
}

/// A server with its proxies.
pub struct Member {
    /// The process.
    pub server: Server,
    /// Between its clients and it.
    pub front: TcpProxy,
    /// Between it and PostgreSQL.
    pub back: TcpProxy,
    /// Between it and the bucket.
    pub store: Option<TcpProxy>,
    /// Whether clients connect to it.
    pub is_gateway: bool,
    /// For messages.
    pub name: String,
}

/// The whole of it. Servers end before what they stand on.
pub struct Deployment {
    /// Gateways first.
    pub members: Vec<Member>,
    /// Catalog and log.
    pub postgres: Postgres,
    /// The bucket.
    pub bucket: Option<FakeS3>,
    folder: TempDir,
}

impl Deployment {
    /// Starts PostgreSQL and servers: gateways, and coordinators of their own where the server has roles.
    #[must_use]
    pub fn start(gateways: usize, coordinators: usize) -> Self {
        Self::start_with(Files::Folder, gateways, coordinators)
    }

    /// The same with files elsewhere.
    #[must_use]
    pub fn start_with(files: Files, gateways: usize, coordinators: usize) -> Self {
        let bucket = (files == Files::Bucket).then(FakeS3::start);
        let postgres = Postgres::start();
        let folder = TempDir::with_prefix("duckmesh-fleet-").expect("a temporary folder");
        let mut deployment = Self { members: Vec::new(), postgres, bucket, folder };
        let has_roles = knows_flag("--role");
        for n in 0..gateways {
            let role =
                has_roles.then_some(if coordinators == 0 { "gateway,coordinator,maintenance" } else { "gateway" });
            deployment.add(&format!("gateway-{n}"), role, true);
        }
        for n in 0..if has_roles { coordinators } else { 0 } {
            deployment.add(&format!("coordinator-{n}"), Some("coordinator,maintenance"), false);
        }
        deployment
    }

    fn add(&mut self, name: &str, role: Option<&str>, is_gateway: bool) {
        let back = TcpProxy::start(self.postgres.port());
        let catalog = format!("postgres://tester@127.0.0.1:{}/postgres", back.port());
        let mut args = Vec::new();
        if let Some(role) = role {
            args.extend(["--role", role, "--lease-ms", LEASE_MS].map(str::to_owned));
        }
        let (mut env, mut store) = (Vec::new(), None);
        if let Some(bucket) = &self.bucket {
            let proxy = TcpProxy::start(bucket.address().port());
            env = bucket.env_at(proxy.port());
            args.extend(["--storage", "s3://lakes/run", "--merge-grace-seconds", "2"].map(str::to_owned));
            store = Some(proxy);
        }
        let data = Some(self.folder.path().join(name));
        let options = ServerOptions { data, catalog: Some(catalog), args, env, ..ServerOptions::default() };
        let server = Server::with(options);
        let front = TcpProxy::start(server.port());
        self.members.push(Member { server, front, back, store, is_gateway, name: name.to_owned() });
    }

    /// The ports that clients connect to; the same while servers come and go.
    #[must_use]
    pub fn gateways(&self) -> Vec<u16> {
        self.members.iter().filter(|member| member.is_gateway).map(|member| member.front.port()).collect()
    }

    /// Connects to a gateway, past its proxy.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client(&self, gateway: usize) -> Client {
        self.members[gateway].server.client_of(DATABASE).await
    }

    /// S13: what is wrong with the bucket after all that happened: an object that was written twice with different contents, a
    /// file of a snapshot that is not there. Also how many objects were written, and how many files are named.
    pub async fn look_at_bucket(&self) -> (Vec<String>, usize, usize) {
        let Some(bucket) = &self.bucket else { return Default::default() };
        let named = "SELECT path FROM lake_duckmesh.ducklake_data_file WHERE path_is_relative ORDER BY data_file_id";
        let named = self.postgres.client().await.text(named).await;
        bucket.objects(|objects| {
            let rewritten =
                objects.rewritten().into_iter().map(|key| format!("S13: {key} was written again, with other bytes"));
            let there: std::collections::BTreeSet<&str> =
                objects.all.keys().filter_map(|key| key.rsplit('/').next()).collect();
            let missing = named.iter().filter(|path| path.rsplit('/').next().is_none_or(|name| !there.contains(name)));
            let missing = missing.map(|path| format!("S13: {path} is named by a snapshot, and gone"));
            (rewritten.chain(missing).collect(), objects.written.len(), named.len())
        })
    }
}

impl Member {
    /// Kills it and starts it again.
    pub fn restart(&mut self) {
        self.server.restart();
        self.front.set_target(self.server.port());
    }

    /// Kills it and starts it again, stopped at these failpoints.
    pub fn restart_with_failpoints(&mut self, failpoints: Option<&str>) {
        self.server.restart_with_failpoints(failpoints);
        self.front.set_target(self.server.port());
    }

    /// Nothing is done to its connections any more.
    pub fn heal(&self) {
        for proxy in [Some(&self.front), Some(&self.back), self.store.as_ref()].into_iter().flatten() {
            proxy.refuse(false);
            proxy.blackhole_all(false);
            for way in [crate::tcp_proxy::Way::ToServer, crate::tcp_proxy::Way::ToClient] {
                proxy.delay(way, std::time::Duration::ZERO);
                proxy.rate(way, None);
            }
        }
    }
}

/// Whether the server that is tested has an option.
#[must_use]
pub fn knows_flag(flag: &str) -> bool {
    let help = Command::new(paths::server_binary()).args(["serve", "--help"]).output().expect("the server runs");
    String::from_utf8_lossy(&help.stdout).split_whitespace().any(|word| word == flag)
}
