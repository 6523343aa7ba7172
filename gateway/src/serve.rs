//! `duckmesh serve`: opens everything, serves until told to stop, and closes in order.

use std::{fs::File, future::Future, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use duckmesh_catalog::{Catalog, LakeName, Location, clock::SystemClock};
use duckmesh_storage::{Location as StorageLocation, Stores};
use tokio::net::TcpListener;

use crate::{
    config::Config,
    http,
    session::{Lakes, Server, SessionConnector},
    wire::{self, WireLimits},
};

/// The lake that exists from the first start on.
const FIRST_LAKE: &str = "duckmesh";

/// Serves until `stop` resolves, then drains and returns.
///
/// # Errors
/// When something cannot be opened; the message is for the operator.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<()> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make the data folder {}", config.data.display()))?;
    let _lock = lock(&config)?;
    let config = Arc::new(config);
    let location = match &config.catalog_url {
        None => Location::Sqlite { data_dir: config.data.clone() },
        Some(url) => Location::Postgres { url: url.clone() },
    };
    let catalog = Catalog::open(location, Arc::new(SystemClock)).await.context("cannot open the catalog")?;
    // Before the lakes: what they count must have somewhere to go.
    let metrics = http::install_metrics()?;
    let stores = stores(&config);
    if let Some(StorageLocation::Bucket(bucket)) = &config.storage {
        let probed = stores.probe(bucket).await?;
        tracing::info!(storage = probed.url, "the store does what is needed of it");
    }
    let lakes = Arc::new(Lakes::new(config.clone(), catalog, stores));
    open_lakes(&lakes).await?;
    let server = Arc::new(Server::new(config.clone(), lakes.clone()));

    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let (stop_sender, shutdown) = wire::Shutdown::new();
    let http = match config.http {
        None => None,
        Some(at) => {
            let listener = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at} (http)"))?;
            let http_address = listener.local_addr()?;
            eprintln!("http on {http_address} (/health, /ready, /metrics)");
            Some(tokio::spawn(http::serve(listener, server.clone(), metrics)))
        }
    };
    eprintln!("ready: psql \"host={} port={} dbname={FIRST_LAKE}\"", address.ip(), address.port());
    let limits = WireLimits { connections_max: config.max_connections, drain: config.drain, ..WireLimits::default() };
    let connector = Arc::new(SessionConnector(server.clone()));
    let registry = server.cancels.clone();
    let accept = tokio::spawn(wire::listener::listen(listener, connector, registry, Arc::new(limits), shutdown));

    stop.await;
    tracing::info!("stopping: no new connections, running statements have {} s", config.drain.as_secs());
    server.stopping();
    stop_sender.send_replace(true);
    accept.await.context("the listener failed")?;
    if let Some(http) = http {
        http.abort();
    }
    lakes.shutdown(Duration::from_secs(10).min(config.drain)).await;
    tracing::info!("stopped");
    Ok(())
}

/// The stores as this process's environment says how they are reached.
#[must_use]
pub fn stores(config: &Config) -> Stores {
    Stores::new(std::env::vars().collect(), config.cache_bytes)
}

/// Resolves at SIGTERM or SIGINT.
pub async fn termination() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Opens every lake, so that what a crash left in a log is published without waiting for a client; makes the first.
async fn open_lakes(lakes: &Lakes) -> Result<()> {
    let first = LakeName::parse(FIRST_LAKE).context("the first lake's name")?;
    if lakes.catalog().lakes().await?.is_empty() {
        lakes.create(&first).await?;
    }
    let (mut engine_checked, mut opened_any, mut failed) = (false, false, None);
    for info in lakes.catalog().lakes().await? {
        let opened = match lakes.open(&info.name).await {
            Ok(opened) => opened,
            // One lake's damage is that lake's: its clients get the error at connect.
            Err(error) => {
                tracing::error!(lake = %info.name, %error, "cannot open the lake");
                failed = Some((info.name, error));
                continue;
            }
        };
        opened_any = true;
        if let Some(lake) = opened.filter(|_| !engine_checked) {
            // A DuckDB library without ICU, JSON or Parquet must fail here, not at somebody's first query.
            let status = lake.engine.status().await.map_err(anyhow::Error::msg).context("the engine cannot run")?;
            tracing::info!(duckdb = status.duckdb, "engine ready");
            engine_checked = true;
        }
    }
    match failed {
        Some((name, error)) if !opened_any => Err(error).with_context(|| format!("cannot open the lake {name}")),
        _ => Ok(()),
    }
}

/// Holds the data folder: two servers on one folder would both believe its scratch files and its log are theirs.
fn lock(config: &Config) -> Result<File> {
    let path = config.data.join("duckmesh.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", config.data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another DuckMesh server uses the data folder {}", config.data.display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).context("cannot lock the data folder"),
    }
}
