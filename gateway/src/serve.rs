//! `duckmesh serve`: opens everything, serves until told to stop, and closes in order.

mod waiting;

use std::{
    fs::File,
    future::Future,
    io::{Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use duckmesh_catalog::{Catalog, LakeName, clock::SystemClock};
use duckmesh_storage::{Location as StorageLocation, Stores};
use tokio::net::TcpListener;

use crate::{
    config::Config,
    fleet, http,
    session::{Lakes, Readiness, Server, SessionConnector},
    wire::{self, WireLimits, cancel::CancelRegistry},
};
use waiting::Waiting;

/// How often the catalog is asked whether it is there, and how long it may take to say so.
const CATALOG_WATCH: Duration = Duration::from_secs(1);
/// The lake that exists from the first start on.
const FIRST_LAKE: &str = "duckmesh";
const FIRST_LAKE_ATTEMPTS: u32 = 20;
/// What the end publishes of the log, it publishes within this.
const LAKES_DRAIN_MAX: Duration = Duration::from_secs(10);
/// What is read of the lock's file: a number.
const HOLDER_BYTES_MAX: u64 = 32;
const FIRST_LAKE_PAUSE: Duration = Duration::from_millis(250);

/// What was opened for clients.
struct Started {
    server: Arc<Server>,
    fleet: Option<fleet::Running>,
}

/// Serves until `stop` resolves, then drains and returns.
///
/// # Errors
/// When something cannot be opened; the message is for the operator.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<()> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make the data folder {}", config.data.display()))?;
    let _lock = lock(&config)?;
    // Before the lakes: what they count must have somewhere to go.
    let metrics = http::install_metrics()?;
    let listener = match config.roles.gateway {
        true => Some(
            TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?,
        ),
        false => None,
    };
    let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
    // The port that there is, where any was asked for.
    let config = Arc::new(Config { listen: address.unwrap_or(config.listen), ..config });
    let readiness = Arc::new(Readiness::default());
    let http = match config.http {
        None => None,
        Some(at) => {
            let listener = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at} (http)"))?;
            let http_address = listener.local_addr()?;
            eprintln!("http on {http_address} (/health, /ready, /metrics)");
            Some(tokio::spawn(http::serve(listener, readiness.clone(), metrics)))
        }
    };
    // Clients that come before everything is there are told so.
    let (connector, cancels) = (Arc::new(SessionConnector::default()), Arc::new(CancelRegistry::default()));
    let limits = WireLimits { connections_max: config.max_connections, drain: config.drain, ..WireLimits::default() };
    let (stop_sender, shutdown) = wire::Shutdown::new();
    let accept = listener.map(|listener| {
        let (connector, cancels) = (connector.clone(), cancels.clone());
        tokio::spawn(wire::listener::listen(listener, connector, cancels, Arc::new(limits), shutdown))
    });
    if let Some(at) = address {
        tracing::info!("listening on {at}");
    }
    tokio::pin!(stop);
    let started = tokio::select! {
        started = start(config.clone(), readiness.clone(), cancels, address) => started?,
        () = &mut stop => {
            tracing::info!("stopped before it was ready");
            return Ok(());
        }
    };
    let server = started.server.clone();
    let watch = tokio::spawn(watch_health(server.clone()));
    readiness.started();
    // Nobody else sets it.
    let _ = connector.0.set(server);
    match address {
        Some(at) => eprintln!("ready: psql \"host={} port={} dbname={FIRST_LAKE}\"", at.ip(), at.port()),
        None => eprintln!("ready: no Postgres port"),
    }

    let is_displaced = tokio::select! {
        () = stop => false,
        () = displaced(&started) => true,
    };
    tracing::info!("stopping: no new connections, running statements have {} s", config.drain.as_secs());
    readiness.stopping();
    stop_sender.send_replace(true);
    if let Some(fleet) = &started.fleet {
        fleet.retire().await;
    }
    if let Some(accept) = accept {
        accept.await.context("the listener failed")?;
    }
    watch.abort();
    if let Some(http) = http {
        http.abort();
    }
    close(started, config.drain).await;
    tracing::info!("stopped");
    if is_displaced {
        bail!("another server took this one's place while it was not heard of: start it again");
    }
    Ok(())
}

/// Waits until this server must end because another has its place.
async fn displaced(started: &Started) {
    match &started.fleet {
        Some(fleet) => fleet.displaced().await,
        None => std::future::pending().await,
    }
}

/// Opens everything that clients need, and waits for what is not there yet.
async fn start(
    config: Arc<Config>,
    readiness: Arc<Readiness>,
    cancels: Arc<CancelRegistry>,
    address: Option<SocketAddr>,
) -> Result<Started> {
    let waiting = Waiting::new(readiness.clone(), config.startup_wait);
    let open = async || Catalog::open_with(config.location(), Arc::new(SystemClock), config.catalog_options()).await;
    let catalog = waiting.until("the catalog", open).await.context("cannot open the catalog")?;
    let stores = stores(&config);
    if let Some(StorageLocation::Bucket(bucket)) = &config.storage {
        let probed = waiting.until("the store", async || stores.probe(bucket).await).await?;
        tracing::info!(storage = probed.url, "the store does what is needed of it");
    }
    let reached_at = address.map(|at| config.advertise.clone().unwrap_or_else(|| at.to_string()));
    let place = match catalog.is_shared() {
        true => {
            let enter = async || fleet::enter(&catalog, &config, reached_at.clone()).await;
            Some(waiting.until("the catalog", enter).await.context("cannot come among the servers")?)
        }
        false => None,
    };
    let lakes = Arc::new(Lakes::new(config.clone(), catalog, stores, place.as_ref().map(|(node, _)| node.clone())));
    waiting.until("the lakes", async || open_lakes(&lakes, &config).await).await?;
    let server = Arc::new(Server::new(config.clone(), lakes.clone(), cancels.clone(), readiness));
    let fleet = place.map(|place| {
        let slot = place.0.slot;
        let elsewhere = cancels.join_others(slot);
        let forward = fleet::cancel::forward(lakes.catalog().clone(), slot, reached_at, elsewhere);
        fleet::start(server.clone(), place, &config, tokio::spawn(forward))
    });
    Ok(Started { server, fleet })
}

/// When the last client is gone.
async fn close(started: Started, drain: Duration) {
    let lakes = &started.server.lakes;
    lakes.shutdown(LAKES_DRAIN_MAX.min(drain)).await;
    if let Some(fleet) = started.fleet {
        fleet.leave().await;
    }
    lakes.catalog().close().await;
}

/// Keeps `/ready` true: no new client is served while the catalog does not answer, or publications hang for good.
async fn watch_health(server: Arc<Server>) {
    let store = server.lakes.catalog().registry().clone();
    loop {
        let answer = tokio::time::timeout(CATALOG_WATCH, store.query("SELECT 1", Vec::new())).await;
        let answers = matches!(answer, Ok(Ok(_)));
        if server.readiness.catalog_answers(answers) != answers {
            match answers {
                true => tracing::info!("the catalog answers again"),
                false => tracing::error!("the catalog does not answer: no new clients until it does"),
            }
        }
        let (stuck, well): (Vec<_>, Vec<_>) =
            server.lakes.opened().into_iter().partition(|(_, _, lake)| lake.is_stuck());
        for (lakes, is_stuck) in [(&stuck, 1.0), (&well, 0.0)] {
            let say = |name: &LakeName| {
                metrics::gauge!("duckmesh_publications_stuck", "lake" => name.to_string()).set(is_stuck)
            };
            lakes.iter().for_each(|(name, _, _)| say(name));
        }
        server.readiness.stuck(stuck.into_iter().map(|(name, _, _)| name.to_string()).collect());
        tokio::time::sleep(CATALOG_WATCH).await;
    }
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
/// Where others share the catalog it opens the first that it can: the rest come as they are needed.
async fn open_lakes(lakes: &Arc<Lakes>, config: &Config) -> Result<()> {
    lakes.prepare().await?;
    make_first(lakes).await?;
    if !config.roles.gateway {
        return Ok(());
    }
    let (mut engine_checked, mut opened_any, mut failed) = (false, false, None);
    for info in lakes.catalog().lakes().await? {
        if opened_any && lakes.node().is_some() {
            break;
        }
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

/// Makes the first lake where there is none. Another server that starts now may do it too, or take ours for one whose making
/// had stopped.
async fn make_first(lakes: &Arc<Lakes>) -> Result<()> {
    let first = LakeName::parse(FIRST_LAKE).context("the first lake's name")?;
    let mut attempt = 0;
    while lakes.catalog().lakes().await?.is_empty() {
        attempt += 1;
        match lakes.create(&first, || ()).await {
            Err(error) if attempt == FIRST_LAKE_ATTEMPTS => return Err(error.into()),
            Err(error) if lakes.node().is_some() => {
                tracing::info!(%error, "another server makes the first lake");
                tokio::time::sleep(FIRST_LAKE_PAUSE).await;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Holds the data folder: two servers on one folder would both believe its scratch files and its log are theirs. The file says
/// who does.
pub(crate) fn lock(config: &Config) -> Result<File> {
    let path = config.data.join("duckmesh.lock");
    let mut file = File::options()
        .create(true)
        .read(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", config.data.display()))?;
    match file.try_lock() {
        Ok(()) => {
            // For those who come later; that it is held is the lock's to say.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().map_or_else(|_| String::new(), |pid| format!(": process {pid}"));
            bail!("another DuckMesh server uses the data folder {}{holder}", config.data.display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).context("cannot lock the data folder"),
    }
}
