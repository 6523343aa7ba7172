//! The server's configuration: one struct, read from a TOML file, then the environment, then flags.

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory};
use duckmesh_catalog::{Location, OpenOptions, Roles};
use duckmesh_ingest::PostgresBusOptions;
use duckmesh_storage::Location as StorageLocation;
use serde::Deserialize;

/// Options as a person gives them. Every field may come from the TOML file (same name with `_`), from the environment or from a
/// flag; the later wins. Help texts are the reference in `docs/configuration.md`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Folder of the embedded server: lakes, their log and their files [default: ./duckmesh-data]
    #[arg(long, env = "DUCKMESH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of the Postgres port; until authentication exists it must be loopback [default: 127.0.0.1:5433]
    #[arg(long, env = "DUCKMESH_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Address of /health, /ready and /metrics, or "off" [default: 127.0.0.1:5480]
    #[arg(long, env = "DUCKMESH_HTTP", value_name = "HOST:PORT")]
    pub http: Option<String>,
    /// Where catalog and log are: "sqlite" (in the data folder) or a postgres:// URL [default: sqlite]
    #[arg(long, env = "DUCKMESH_CATALOG", value_name = "sqlite|URL")]
    pub catalog: Option<String>,
    /// Connections to Postgres that this server uses at once for catalog and log, besides one that listens [default: 24]
    #[arg(long, env = "DUCKMESH_CATALOG_CONNECTIONS", value_name = "N")]
    pub catalog_connections: Option<usize>,
    /// How long a statement, and anything else, waits in all for a Postgres (catalog and log) that is away, has no more connections or says nothing, in seconds; then it ends with 08006. Postgres itself ends a statement after four fifths of it [default: 10]
    #[arg(long, env = "DUCKMESH_CATALOG_WAIT_SECONDS", value_name = "S")]
    pub catalog_wait_seconds: Option<u64>,
    /// Refuse to start where tables of catalog or log are to be brought up to date, instead of doing it; then "duckmesh migrate" does [default: false]
    #[arg(long, env = "DUCKMESH_NO_MIGRATE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub no_migrate: Option<bool>,
    /// What this server does, joined by commas: "gateway" serves clients, "coordinator" publishes, "maintenance" merges and sweeps; parts of it only with a Postgres catalog [default: gateway,coordinator,maintenance]
    #[arg(long, env = "DUCKMESH_ROLE", value_name = "ROLES")]
    pub role: Option<String>,
    /// Where other servers of the same Postgres catalog reach this one's Postgres port, to pass on cancel requests [default: listen's address]
    #[arg(long, env = "DUCKMESH_ADVERTISE", value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// How long a server of a Postgres catalog counts as alive after it last said so, in milliseconds: after that others publish its lakes, and its advisory locks and pins are void; the same on every server [default: 5000]
    #[arg(long, env = "DUCKMESH_LEASE_MS", value_name = "MS")]
    pub lease_ms: Option<u64>,
    /// Publications made at once, of all lakes together; further ones wait in turn [default: 8]
    #[arg(long, env = "DUCKMESH_PUBLICATIONS_MAX", value_name = "N")]
    pub publications_max: Option<usize>,
    /// How long a publication may make no step forward before it counts as hanging and its lake is left to another server (or tried anew), in seconds; longer than the slowest upload of 64 MiB [default: 300]
    #[arg(long, env = "DUCKMESH_PUBLICATION_DEADLINE_SECONDS", value_name = "S")]
    pub publication_deadline_seconds: Option<u64>,
    /// How long a start waits for a Postgres catalog or a bucket that cannot be reached yet, in seconds; what answers and cannot do what is needed is refused at once [default: 60]
    #[arg(long, env = "DUCKMESH_STARTUP_WAIT_SECONDS", value_name = "S")]
    pub startup_wait_seconds: Option<u64>,
    /// Memory of writes that wait for the log, of all lakes together, in MiB; further ones wait, and get 53400 after 15 seconds [default: 256]
    #[arg(long, env = "DUCKMESH_QUEUE_MB", value_name = "MIB")]
    pub queue_mb: Option<u64>,
    /// Writes of a lake that are in the log and not published; when there are more, writers wait, and get 53400 after 15 seconds [default: 1000000]
    #[arg(long, env = "DUCKMESH_LAG_MAX", value_name = "N")]
    pub lag_max: Option<u32>,
    /// Where new lakes keep their files: "data" (in the data folder), file:///folder, s3://bucket/prefix, and gs:// or az:// where that is built in; how a bucket is reached say the variables of its vendor's own tools, as AWS_ENDPOINT_URL [default: data]
    #[arg(long, env = "DUCKMESH_STORAGE", value_name = "data|URL")]
    pub storage: Option<String>,
    /// Disk that copies of files in buckets may take, in the data folder, in MiB; files that running statements read may take more [default: 10240]
    #[arg(long, env = "DUCKMESH_CACHE_MB", value_name = "MIB")]
    pub cache_mb: Option<u64>,
    /// How long rows may wait for publication while nobody asks for them, in milliseconds [default: 1000]
    #[arg(long, env = "DUCKMESH_COMMIT_INTERVAL_MS", value_name = "MS")]
    pub commit_interval_ms: Option<u64>,
    /// How old a file must be that nothing refers to (of a COPY that a crash broke off) before it is deleted, in seconds; the same on every server of a lake [default: 3600]
    #[arg(long, env = "DUCKMESH_SWEEP_GRACE_SECONDS", value_name = "S")]
    pub sweep_grace_seconds: Option<u64>,
    /// Whether small files of a table are merged into larger ones [default: true]
    #[arg(long, env = "DUCKMESH_MERGE_FILES", value_name = "BOOL")]
    pub merge_files: Option<bool>,
    /// How long files stay that were merged into another, for statements of other servers that still read them, in seconds; longer than the longest statement there [default: 3600]
    #[arg(long, env = "DUCKMESH_MERGE_GRACE_SECONDS", value_name = "S")]
    pub merge_grace_seconds: Option<u64>,
    /// How long snapshots are kept that are not the newest, in hours, and with them the rows that were since replaced; 0 keeps them until CALL duckmesh.expire_snapshots [default: 0]
    #[arg(long, env = "DUCKMESH_SNAPSHOT_RETENTION_HOURS", value_name = "H")]
    pub snapshot_retention_hours: Option<u64>,
    /// Memory DuckDB may use for a lake's queries, in MiB; its process may have twice this and 1 GiB [default: a quarter of the machine's, at most 4096]
    #[arg(long, env = "DUCKMESH_ENGINE_MEMORY_MB", value_name = "MIB")]
    pub engine_memory_mb: Option<u64>,
    /// Threads of a lake's engine [default: the machine's cores]
    #[arg(long, env = "DUCKMESH_ENGINE_THREADS", value_name = "N")]
    pub engine_threads: Option<u32>,
    /// Disk a lake's engine may use for spilling, in MiB [default: 16384]
    #[arg(long, env = "DUCKMESH_ENGINE_TEMP_MB", value_name = "MIB")]
    pub engine_temp_mb: Option<u64>,
    /// Disk the temporary tables of one session may use, in MiB [default: 1024]
    #[arg(long, env = "DUCKMESH_TEMPORARY_MB", value_name = "MIB")]
    pub temporary_mb: Option<u64>,
    /// The largest Parquet file that COPY FROM STDIN takes, in MiB: it is kept on disk until it is whole [default: 4096]
    #[arg(long, env = "DUCKMESH_COPY_PARQUET_MAX_MB", value_name = "MIB")]
    pub copy_parquet_max_mb: Option<u64>,
    /// Connections served at once [default: 200]
    #[arg(long, env = "DUCKMESH_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// How long SIGTERM waits for running statements, in seconds [default: 30]
    #[arg(long, env = "DUCKMESH_DRAIN_SECONDS", value_name = "S")]
    pub drain_seconds: Option<u64>,
    /// Default of the setting statement_timeout, in seconds; 0 is none [default: 60]
    #[arg(long, env = "DUCKMESH_STATEMENT_TIMEOUT_SECONDS", value_name = "S")]
    pub statement_timeout_seconds: Option<u32>,
    /// Log lines: "text" or "json" [default: text]
    #[arg(long, env = "DUCKMESH_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, as a tracing filter [default: info]
    #[arg(long, env = "DUCKMESH_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// Absolute data folder.
    pub data: PathBuf,
    /// Postgres port.
    pub listen: SocketAddr,
    /// HTTP port; none is off.
    pub http: Option<SocketAddr>,
    /// Postgres URL of catalog and log; none is SQLite in the data folder.
    pub catalog_url: Option<String>,
    /// See [`Options::catalog_connections`].
    pub catalog_connections: usize,
    /// See [`Options::catalog_wait_seconds`].
    pub catalog_wait: Duration,
    /// The opposite of [`Options::no_migrate`].
    pub migrate: bool,
    /// See [`Options::role`].
    pub roles: Roles,
    /// See [`Options::advertise`].
    pub advertise: Option<String>,
    /// See [`Options::lease_ms`].
    pub lease: Duration,
    /// See [`Options::publications_max`].
    pub publications_max: usize,
    /// See [`Options::publication_deadline_seconds`].
    pub publication_deadline: Duration,
    /// See [`Options::startup_wait_seconds`].
    pub startup_wait: Duration,
    /// See [`Options::queue_mb`].
    pub queue_bytes: u64,
    /// See [`Options::lag_max`].
    pub lag_max: i64,
    /// Where new lakes keep their files; none is the data folder.
    pub storage: Option<StorageLocation>,
    /// What copies of files in buckets may take, in bytes.
    pub cache_bytes: u64,
    /// See [`Options::commit_interval_ms`].
    pub commit_interval: Duration,
    /// See [`Options::sweep_grace_seconds`].
    pub sweep_grace: Duration,
    /// See [`Options::merge_files`].
    pub merge_files: bool,
    /// See [`Options::merge_grace_seconds`].
    pub merge_grace: Duration,
    /// See [`Options::snapshot_retention_hours`]; none is for ever.
    pub retention: Option<Duration>,
    /// DuckDB's `memory_limit` in bytes.
    pub engine_memory_bytes: u64,
    /// DuckDB's `threads`.
    pub engine_threads: u32,
    /// DuckDB's `max_temp_directory_size` in bytes.
    pub engine_temp_bytes: u64,
    /// What one session's temporary tables may take, in bytes.
    pub temporary_bytes: u64,
    /// The largest Parquet file that COPY FROM STDIN takes.
    pub copy_parquet_bytes_max: u64,
    /// Connections served at once.
    pub max_connections: usize,
    /// How long SIGTERM waits.
    pub drain: Duration,
    /// What `statement_timeout` is where a client did not say otherwise.
    pub statement_timeout: Duration,
    /// Whether log lines are JSON.
    pub log_json: bool,
    /// Tracing filter.
    pub log: String,
}

const MIB: u64 = 1024 * 1024;
/// A lake's own queue may have so much.
const QUEUE_BYTES_MIN: u64 = 128 * MIB;
/// Below this a slow round trip to the catalog would look like a death.
const LEASE_MIN: Duration = Duration::from_millis(200);

/// A coordinator reads, publishes and renews its lease beside writers and readers.
const CATALOG_CONNECTIONS_MIN: usize = 4;

impl Config {
    /// Where the catalog is.
    #[must_use]
    pub fn location(&self) -> Location {
        match &self.catalog_url {
            None => Location::Sqlite { data_dir: self.data.clone() },
            Some(url) => Location::Postgres { url: url.clone() },
        }
    }

    /// Connections of the log: a third of all; a lake has one append in flight at a time.
    #[must_use]
    pub fn log_connections(&self) -> usize {
        (self.catalog_connections / 3).max(1)
    }

    /// How the catalog is opened.
    #[must_use]
    pub fn catalog_options(&self) -> OpenOptions {
        let connections = self.catalog_connections - self.log_connections();
        let patience = self.catalog_wait;
        OpenOptions { connections, patience, migrate: self.migrate, ..OpenOptions::default() }
    }

    /// How a log in Postgres is opened.
    #[must_use]
    pub fn log_options(&self) -> PostgresBusOptions {
        let (connections, patience) = (self.log_connections(), self.catalog_wait);
        PostgresBusOptions { connections, patience, migrate: self.migrate, witness: None }
    }
}

impl Options {
    /// Takes what this does not say from `file`.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            http: self.http.or(file.http),
            catalog: self.catalog.or(file.catalog),
            catalog_connections: self.catalog_connections.or(file.catalog_connections),
            catalog_wait_seconds: self.catalog_wait_seconds.or(file.catalog_wait_seconds),
            no_migrate: self.no_migrate.or(file.no_migrate),
            role: self.role.or(file.role),
            advertise: self.advertise.or(file.advertise),
            lease_ms: self.lease_ms.or(file.lease_ms),
            publications_max: self.publications_max.or(file.publications_max),
            publication_deadline_seconds: self.publication_deadline_seconds.or(file.publication_deadline_seconds),
            startup_wait_seconds: self.startup_wait_seconds.or(file.startup_wait_seconds),
            queue_mb: self.queue_mb.or(file.queue_mb),
            lag_max: self.lag_max.or(file.lag_max),
            storage: self.storage.or(file.storage),
            cache_mb: self.cache_mb.or(file.cache_mb),
            commit_interval_ms: self.commit_interval_ms.or(file.commit_interval_ms),
            sweep_grace_seconds: self.sweep_grace_seconds.or(file.sweep_grace_seconds),
            merge_files: self.merge_files.or(file.merge_files),
            merge_grace_seconds: self.merge_grace_seconds.or(file.merge_grace_seconds),
            snapshot_retention_hours: self.snapshot_retention_hours.or(file.snapshot_retention_hours),
            engine_memory_mb: self.engine_memory_mb.or(file.engine_memory_mb),
            engine_threads: self.engine_threads.or(file.engine_threads),
            engine_temp_mb: self.engine_temp_mb.or(file.engine_temp_mb),
            temporary_mb: self.temporary_mb.or(file.temporary_mb),
            copy_parquet_max_mb: self.copy_parquet_max_mb.or(file.copy_parquet_max_mb),
            max_connections: self.max_connections.or(file.max_connections),
            drain_seconds: self.drain_seconds.or(file.drain_seconds),
            statement_timeout_seconds: self.statement_timeout_seconds.or(file.statement_timeout_seconds),
            log_format: self.log_format.or(file.log_format),
            log: self.log.or(file.log),
        }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or has a key that is no option.
    pub fn from_file(path: &std::path::Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
    }

    /// Fills in the defaults and checks.
    ///
    /// # Errors
    /// When a value makes no sense; the message says which.
    pub fn resolve(self) -> Result<Config> {
        let data = self.data.unwrap_or_else(|| PathBuf::from("./duckmesh-data"));
        let data = std::path::absolute(&data).with_context(|| format!("data: {}", data.display()))?;
        let listen = address("listen", self.listen.as_deref().unwrap_or("127.0.0.1:5433"))?;
        if !listen.ip().is_loopback() {
            bail!(
                "listen: {listen} is not a loopback address; DuckMesh has no authentication yet and refuses to serve a network"
            );
        }
        let http = match self.http.as_deref().unwrap_or("127.0.0.1:5480") {
            "off" => None,
            text => Some(address("http", text)?),
        };
        if let Some(http) = http.filter(|a| !a.ip().is_loopback()) {
            bail!("http: {http} is not a loopback address; metrics are not for the network without authentication");
        }
        let catalog_url = match self.catalog.as_deref().unwrap_or("sqlite") {
            "sqlite" => None,
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => Some(url.to_owned()),
            _ => bail!("catalog: must be \"sqlite\" or a postgres:// URL"),
        };
        let roles = roles(self.role.as_deref().unwrap_or("gateway,coordinator,maintenance"))?;
        let log_json = match self.log_format.as_deref().unwrap_or("text") {
            "text" => false,
            "json" => true,
            other => bail!("log_format: {other:?} is neither \"text\" nor \"json\""),
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let config = Config {
            data,
            listen,
            http,
            catalog_url,
            catalog_connections: self.catalog_connections.unwrap_or(24),
            catalog_wait: Duration::from_secs(self.catalog_wait_seconds.unwrap_or(10)),
            migrate: !self.no_migrate.unwrap_or(false),
            roles,
            advertise: self.advertise,
            lease: Duration::from_millis(self.lease_ms.unwrap_or(5000)),
            publications_max: self.publications_max.unwrap_or(8),
            publication_deadline: Duration::from_secs(self.publication_deadline_seconds.unwrap_or(300)),
            startup_wait: Duration::from_secs(self.startup_wait_seconds.unwrap_or(60)),
            queue_bytes: self.queue_mb.unwrap_or(256).saturating_mul(MIB),
            lag_max: self.lag_max.unwrap_or(1_000_000).into(),
            storage: storage(self.storage.as_deref())?,
            cache_bytes: self.cache_mb.unwrap_or(10_240).saturating_mul(MIB),
            commit_interval: Duration::from_millis(self.commit_interval_ms.unwrap_or(1000)),
            sweep_grace: Duration::from_secs(self.sweep_grace_seconds.unwrap_or(3600)),
            merge_files: self.merge_files.unwrap_or(true),
            merge_grace: Duration::from_secs(self.merge_grace_seconds.unwrap_or(3600)),
            retention: self
                .snapshot_retention_hours
                .filter(|h| *h > 0)
                .map(|h| Duration::from_secs(h.saturating_mul(3600))),
            engine_memory_bytes: self.engine_memory_mb.unwrap_or_else(default_engine_memory_mb) * MIB,
            engine_threads: self.engine_threads.unwrap_or_else(|| u32::try_from(cores).unwrap_or(u32::MAX)),
            engine_temp_bytes: self.engine_temp_mb.unwrap_or(16_384) * MIB,
            temporary_bytes: self.temporary_mb.unwrap_or(1024) * MIB,
            copy_parquet_bytes_max: self.copy_parquet_max_mb.unwrap_or(4096).saturating_mul(MIB),
            max_connections: self.max_connections.unwrap_or(200),
            drain: Duration::from_secs(self.drain_seconds.unwrap_or(30)),
            statement_timeout: Duration::from_secs(self.statement_timeout_seconds.unwrap_or(60).into()),
            log_json,
            log: self.log.unwrap_or_else(|| "info".to_owned()),
        };
        if config.engine_threads == 0 || config.max_connections == 0 || config.engine_memory_bytes < 64 * MIB {
            bail!("engine_threads and max_connections must be at least 1, engine_memory_mb at least 64");
        }
        if config.catalog_connections < CATALOG_CONNECTIONS_MIN {
            bail!("catalog_connections: at least {CATALOG_CONNECTIONS_MIN}: the log and the catalog need some each");
        }
        let all = Roles { gateway: true, coordinator: true, maintenance: true };
        if config.catalog_url.is_none() && config.roles != all {
            bail!("role: a server on SQLite is alone and does everything; parts of it need a postgres:// catalog");
        }
        if config.lease < LEASE_MIN {
            bail!("lease_ms: must be at least {}", LEASE_MIN.as_millis());
        }
        if config.publications_max == 0 || config.lag_max == 0 || config.queue_bytes < QUEUE_BYTES_MIN {
            bail!("publications_max and lag_max must be at least 1, queue_mb at least 128");
        }
        if config.catalog_wait.is_zero() {
            bail!("catalog_wait_seconds: must be at least 1: a new connection takes its time");
        }
        if config.publication_deadline.is_zero() {
            bail!("publication_deadline_seconds: must be at least 1");
        }
        if config.statement_timeout.as_millis() > i32::MAX as u128 {
            bail!("statement_timeout_seconds: at most {}; 0 is no limit", i32::MAX / 1000);
        }
        if config.sweep_grace.is_zero() {
            bail!("sweep_grace_seconds: must be at least 1: files that are being written are young");
        }
        if config.merge_grace.is_zero() {
            bail!("merge_grace_seconds: must be at least 1: statements that run now may read what was just merged");
        }
        Ok(config)
    }
}

/// `gateway,coordinator,maintenance`, or some of it.
fn roles(text: &str) -> Result<Roles> {
    let mut roles = Roles { gateway: false, coordinator: false, maintenance: false };
    for word in text.split(',').map(str::trim) {
        match word {
            "gateway" => roles.gateway = true,
            "coordinator" => roles.coordinator = true,
            "maintenance" => roles.maintenance = true,
            other => bail!("role: {other:?} is none of gateway, coordinator, maintenance"),
        }
    }
    Ok(roles)
}

/// Where new lakes keep their files; none is the data folder.
fn storage(text: Option<&str>) -> Result<Option<StorageLocation>> {
    match text {
        None | Some("data") => Ok(None),
        Some(url) if url.contains("://") => {
            StorageLocation::parse(url).map(Some).map_err(|e| anyhow::anyhow!("storage: {e}"))
        }
        Some(_) => bail!("storage: must be \"data\", or file:///folder, s3://bucket/prefix, gs://… or az://…"),
    }
}

/// Resolves `HOST:PORT`; a name is looked up, and its first address is taken.
fn address(option: &str, text: &str) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    text.to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .with_context(|| format!("{option}: {text:?} is not HOST:PORT"))
}

/// A quarter of the machine's memory, at most 4 GiB.
fn default_engine_memory_mb() -> u64 {
    let total_kb = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| text.lines().next()?.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(4 * 1024 * 1024);
    (total_kb / 1024 / 4).clamp(256, 4096)
}

/// The reference that `docs/configuration.md` holds, made from the options' own help texts.
#[must_use]
pub fn reference() -> String {
    #[derive(clap::Parser)]
    struct Reference {
        #[command(flatten)]
        options: Options,
    }
    let mut text = String::from("| flag | environment | TOML key | meaning |\n| --- | --- | --- | --- |\n");
    for arg in Reference::command().get_arguments() {
        let Some(long) = arg.get_long().filter(|l| *l != "help") else { continue };
        let env = arg.get_env().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let _ = writeln!(text, "| `--{long}` | `{env}` | `{}` | {help} |", long.replace('-', "_"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_unknown_keys_are_refused() {
        let file: Options = toml::from_str("listen = '127.0.0.1:1'\nlog = 'debug'").unwrap();
        let flags = Options { listen: Some("127.0.0.1:2".into()), ..Options::default() };
        let config = flags.or(file).resolve().unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.log, "debug");
        assert!(toml::from_str::<Options>("lisen = 'x'").is_err());
    }

    #[test]
    fn addresses_beyond_loopback_are_refused() {
        let refused = |options: Options| options.resolve().unwrap_err().to_string();
        assert!(refused(Options { listen: Some("0.0.0.0:5433".into()), ..Options::default() }).contains("loopback"));
        assert!(refused(Options { http: Some("0.0.0.0:80".into()), ..Options::default() }).contains("loopback"));
        assert!(refused(Options { catalog: Some("mysql://x".into()), ..Options::default() }).contains("catalog"));
    }

    #[test]
    fn roles_are_named_and_parts_need_a_shared_catalog() {
        let of = |role: &str, catalog: &str| {
            Options { role: Some(role.into()), catalog: Some(catalog.into()), ..Options::default() }.resolve()
        };
        let roles = of("coordinator, maintenance", "postgres://x").unwrap().roles;
        assert_eq!(roles, Roles { gateway: false, coordinator: true, maintenance: true });
        for (role, catalog) in [("gateway", "sqlite"), ("", "postgres://x"), ("gateway,leader", "postgres://x")] {
            assert!(of(role, catalog).unwrap_err().to_string().contains("role"), "{role}");
        }
    }

    #[test]
    fn storage_is_the_data_folder_or_a_url() {
        let resolved = |text: &str| Options { storage: Some(text.into()), ..Options::default() }.resolve();
        assert_eq!(resolved("data").unwrap().storage, None);
        assert!(resolved("s3://bucket/prefix").unwrap().storage.unwrap().is_remote());
        assert!(!resolved("file:///srv/lakes").unwrap().storage.unwrap().is_remote());
        for wrong in ["", "lakes", "/srv/lakes", "file://lakes", "ftp://host/a", "s3://", "s3://bucket/../a"] {
            assert!(resolved(wrong).unwrap_err().to_string().contains("storage"), "{wrong:?}");
        }
    }

    #[test]
    fn the_documented_reference_is_this_one() {
        let page = include_str!("../../docs/configuration.md");
        assert!(page.contains(&reference()), "docs/configuration.md is old; it must contain:\n{}", reference());
    }
}
