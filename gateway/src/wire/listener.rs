//! The port: who is let in, how many, and how all of them are seen off.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    PgError, SqlState, WireLimits,
    backend::Connector,
    cancel::{CancelRegistry, Reason},
    fault::Fault,
    reply,
    serve::serve_connection,
};

/// An idle client that vanished is noticed after idle + interval x count.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 3;
/// Pauses while the process is out of file descriptors or memory.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
/// After cancelling what is still running: how long it may take to stop.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// Asks everybody to leave.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// The switch, and what listens to it.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for. A switch that is gone can ask no more.
    pub async fn requested(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Counts sockets and sessions.
#[derive(Debug)]
pub struct Admission {
    unauthenticated: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
    by_ip: Mutex<HashMap<IpAddr, usize>>,
    per_ip_max: usize,
}

/// One socket's place, given back when dropped.
#[derive(Debug, Default)]
pub struct Ticket {
    admission: Option<Arc<Admission>>,
    ip: Option<IpAddr>,
    unauthenticated: Option<OwnedSemaphorePermit>,
    session: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Room for what `limits` say.
    #[must_use]
    pub fn new(limits: &WireLimits) -> Arc<Self> {
        Arc::new(Self {
            unauthenticated: Arc::new(Semaphore::new(limits.unauthenticated_max)),
            sessions: Arc::new(Semaphore::new(limits.connections_max)),
            by_ip: Mutex::default(),
            per_ip_max: limits.connections_per_ip_max,
        })
    }

    /// Lets a socket in that has not said yet who it is.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr) -> Result<Ticket, PgError> {
        let unauthenticated = Arc::clone(&self.unauthenticated).try_acquire_owned().map_err(|_| too_many())?;
        let ip = peer.ip();
        if !ip.is_loopback() {
            let mut by_ip = self.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_ip.entry(ip).or_default();
            if *count >= self.per_ip_max {
                return Err(too_many());
            }
            *count += 1;
        }
        Ok(Ticket {
            admission: Some(Arc::clone(self)),
            ip: Some(ip).filter(|ip| !ip.is_loopback()),
            unauthenticated: Some(unauthenticated),
            session: None,
        })
    }
}

impl Ticket {
    /// The client said who it is: its socket becomes a session, if there is room. Cancel requests never come here, so
    /// they are served by a full server too.
    pub(super) fn admit(&mut self) -> Result<(), Fault> {
        if let Some(admission) = &self.admission {
            let session = Arc::clone(&admission.sessions).try_acquire_owned();
            self.session = Some(session.map_err(|_| Fault::Fatal(too_many()))?);
            self.unauthenticated = None;
        }
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let (Some(admission), Some(ip)) = (&self.admission, self.ip) {
            let mut by_ip = admission.by_ip.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_ip.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    by_ip.remove(&ip);
                }
            }
        }
    }
}

/// Accepts and serves until shutdown; returns when the last connection has ended.
pub async fn listen<C: Connector>(
    listener: TcpListener,
    connector: Arc<C>,
    registry: Arc<CancelRegistry>,
    limits: Arc<WireLimits>,
    mut shutdown: Shutdown,
) {
    let admission = Admission::new(&limits);
    let mut connections = JoinSet::new();
    let mut back_off = BACK_OFF_MIN;
    let mut stop = shutdown.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.requested() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                back_off = BACK_OFF_MIN;
                let Some(ticket) = let_in(&admission, &socket, peer, &limits) else {
                    continue;
                };
                let (connector, registry) = (Arc::clone(&connector), Arc::clone(&registry));
                let (limits, shutdown) = (Arc::clone(&limits), stop.clone());
                connections.spawn(serve_connection(socket, Some(peer), connector, registry, limits, shutdown, ticket));
            }
            Err(error) if is_about_one_client(&error) => {}
            Err(error) => {
                // Out of descriptors: the waiting client stays in the queue, so accepting again at once would spin.
                tracing::warn!(%error, "cannot accept connections");
                tokio::select! { () = sleep(back_off) => {}, () = stop.requested() => {} }
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
    drop(listener);
    see_off(&mut connections, &registry, limits.drain).await;
}

async fn see_off(connections: &mut JoinSet<()>, registry: &CancelRegistry, drain: Duration) {
    let all_gone = async |connections: &mut JoinSet<()>| while connections.join_next().await.is_some() {};
    if timeout(drain, all_gone(connections)).await.is_ok() {
        return;
    }
    registry.cancel_all(Reason::Shutdown);
    if timeout(CANCEL_GRACE, all_gone(connections)).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time");
        connections.shutdown().await;
    }
}

fn let_in(admission: &Arc<Admission>, socket: &TcpStream, peer: SocketAddr, limits: &WireLimits) -> Option<Ticket> {
    if let Err(error) = prepare_socket(socket, limits) {
        tracing::debug!(%error, %peer, "cannot set socket options");
    }
    match admission.enter(peer) {
        Ok(ticket) => Some(ticket),
        Err(error) => {
            // One try, no task, no waiting: a flood must cost less than it costs to make.
            let mut refusal = BytesMut::new();
            reply::error(&mut refusal, &error);
            let _ = socket.try_write(&refusal);
            None
        }
    }
}

fn prepare_socket(socket: &TcpStream, limits: &WireLimits) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_COUNT);
    let options = SockRef::from(socket);
    options.set_tcp_keepalive(&keepalive)?;
    // Linux counts the time of a closed window too: anything shorter would cut off slow readers before their deadline.
    #[cfg(target_os = "linux")]
    options.set_tcp_user_timeout(Some(limits.write_deadline))?;
    #[cfg(not(target_os = "linux"))]
    let _ = limits;
    Ok(())
}

fn is_about_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn too_many() -> PgError {
    PgError::fatal(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}
