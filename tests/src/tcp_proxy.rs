//! A TCP proxy in the test's process: between any two that speak, it delays, slows, cuts, swallows and refuses, as told
//! while it runs. It knows no protocol, and never changes a byte that it delivers.
//!
//! A blackhole holds bytes and their ends back; the kernel of this machine still acknowledges them, which a cable that
//! was pulled would not: what depends on TCP's own timeouts cannot be tried with it.

use std::{
    collections::VecDeque,
    io,
    net::TcpListener as StdListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    runtime::Runtime,
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

/// Bytes of one read, and the pieces in which a slowed direction is delivered.
const READ_BYTES: usize = 16 << 10;
/// Deliveries per second of a slowed direction.
const SLOW_STEPS: u64 = 50;
/// Reads that wait for their delivery, for each direction: a delay must not slow what is long.
const IN_FLIGHT: usize = 256;
/// How long the far end may take to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From who connected to the proxy.
    ToServer,
    /// Back to who connected.
    ToClient,
}

/// What is done to one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Toxics {
    delay: Duration,
    bytes_per_second: Option<u64>,
    blackhole: bool,
}

/// What is done to all connections now.
#[derive(Clone, Debug, Default)]
struct Settings {
    target: u16,
    refuse: bool,
    ways: [Toxics; 2],
}

/// What happens once, to the first connection that meets it.
#[derive(Debug, Default)]
struct Once {
    /// Bytes that still pass before the connection is cut.
    cut_after: [Option<u64>; 2],
    /// What a request must contain for its reply to be dropped.
    drop_reply: VecDeque<Lost>,
}

/// A reply that does not come.
#[derive(Clone, Debug)]
struct Lost {
    /// What the connection must have said before.
    after: Vec<u8>,
    /// What the request must contain.
    request: Vec<u8>,
    /// What comes in its place.
    instead: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    settings: watch::Sender<Settings>,
    /// Counted up to end every connection there is.
    cuts: watch::Sender<u64>,
    once: Mutex<Once>,
    passed: [AtomicU64; 2],
    accepted: AtomicU64,
    open: AtomicU64,
    dropped_replies: AtomicU64,
}

/// A proxy on 127.0.0.1; it ends when dropped, with all its connections.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl TcpProxy {
    /// Starts one that passes everything to a port of 127.0.0.1.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(target: u16) -> Self {
        let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let port = listener.local_addr().expect("its address").port();
        // Its own threads: tests with and without a runtime use it, and a test that blocks does not stop it.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tcp-proxy")
            .enable_all()
            .build()
            .expect("a runtime");
        let shared = Arc::new(Shared {
            settings: watch::Sender::new(Settings { target, ..Settings::default() }),
            cuts: watch::Sender::new(0),
            once: Mutex::default(),
            passed: Default::default(),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            dropped_replies: AtomicU64::new(0),
        });
        runtime.spawn(accept(shared.clone(), listener));
        Self { port, shared, runtime: Some(runtime) }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// New connections go to another port from now on.
    pub fn set_target(&self, port: u16) {
        self.shared.settings.send_modify(|s| s.target = port);
    }

    /// What goes this way arrives so much later; what is long is not slower for it.
    pub fn delay(&self, way: Way, delay: Duration) {
        self.shared.settings.send_modify(|s| s.ways[way as usize].delay = delay);
    }

    /// So many bytes per second pass this way, for each connection; none is as many as come.
    pub fn rate(&self, way: Way, bytes_per_second: Option<u64>) {
        self.shared
            .settings
            .send_modify(|s| s.ways[way as usize].bytes_per_second = bytes_per_second.map(|n| n.max(1)));
    }

    /// Nothing comes through this way, neither bytes nor ends of connections, until it is switched off; then it does.
    pub fn blackhole(&self, way: Way, on: bool) {
        self.shared.settings.send_modify(|s| s.ways[way as usize].blackhole = on);
    }

    /// As [`Self::blackhole`], both ways: connections are opened, and nothing is heard.
    pub fn blackhole_all(&self, on: bool) {
        self.shared.settings.send_modify(|s| s.ways.iter_mut().for_each(|way| way.blackhole = on));
    }

    /// New connections are reset; those that are open go on.
    pub fn refuse(&self, on: bool) {
        self.shared.settings.send_modify(|s| s.refuse = on);
    }

    /// Resets every connection there is.
    pub fn cut_all(&self) {
        self.shared.cuts.send_modify(|n| *n += 1);
    }

    /// Cuts the connection that takes the n-th byte this way, counted from now over all of them. Once.
    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.once().cut_after[way as usize] = Some(bytes);
    }

    /// The next request that contains these bytes (any, if none are given) reaches the server; its reply is swallowed,
    /// and then the connection is cut. Once for each call.
    pub fn drop_reply(&self, request: &[u8]) {
        self.replace_reply(&[], request, &[]);
    }

    /// The same; on a connection that said `after` before, or with it, and `instead` comes in the place of the reply.
    pub fn replace_reply(&self, after: &[u8], request: &[u8], instead: &[u8]) {
        let lost = Lost { after: after.to_vec(), request: request.to_vec(), instead: instead.to_vec() };
        self.once().drop_reply.push_back(lost);
    }

    /// How many replies were swallowed.
    #[must_use]
    pub fn dropped_replies(&self) -> u64 {
        self.shared.dropped_replies.load(Ordering::Acquire)
    }

    /// Bytes delivered this way since the start.
    #[must_use]
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.passed[way as usize].load(Ordering::Acquire)
    }

    /// Connections accepted since the start; those that were refused are among them.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Acquire)
    }

    fn once(&self) -> std::sync::MutexGuard<'_, Once> {
        self.shared.once.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: StdListener) {
    let listener = TcpListener::from_std(listener).expect("a listener of this runtime");
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        shared.accepted.fetch_add(1, Ordering::AcqRel);
        let (target, refuse) = {
            let settings = shared.settings.borrow();
            (settings.target, settings.refuse)
        };
        if refuse {
            reset(&client);
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.open.fetch_add(1, Ordering::AcqRel);
            connection(&shared, client, target).await;
            shared.open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

/// The socket ends with a reset instead of an orderly end, when it is dropped.
fn reset(socket: &TcpStream) {
    let _ = socket.set_zero_linger();
}

async fn connection(shared: &Arc<Shared>, mut client: TcpStream, target: u16) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(Ok(mut server)) = timeout(CONNECT_LIMIT, TcpStream::connect(("127.0.0.1", target))).await else {
        return reset(&client);
    };
    for socket in [&client, &server] {
        let _ = socket.set_nodelay(true);
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // Says that the reply to what was just delivered is to be swallowed.
    let (swallow, swallowing) = watch::channel(None);
    let there = pass(shared.clone(), Way::ToServer, from_client, to_server, Reply::Watch(swallow));
    let back = pass(shared.clone(), Way::ToClient, from_server, to_client, Reply::Obey(swallowing));
    let is_cut = tokio::select! {
        ended = async { tokio::try_join!(there, back) } => ended.is_err(),
        _ = cuts.changed() => true,
    };
    if is_cut {
        reset(&client);
        reset(&server);
    }
}

/// What a direction has to do with dropped replies.
enum Reply {
    Watch(watch::Sender<Option<Vec<u8>>>),
    Obey(watch::Receiver<Option<Vec<u8>>>),
}

/// Passes bytes until their end; an error cuts the connection.
async fn pass(
    shared: Arc<Shared>,
    way: Way,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    reply: Reply,
) -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let read = async move {
        loop {
            let mut bytes = vec![0; READ_BYTES];
            let n = from.read(&mut bytes).await?;
            bytes.truncate(n);
            if sender.send((Instant::now(), bytes)).await.is_err() || n == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let write = async move {
        let mut settings = shared.settings.subscribe();
        let mut said = Said::default();
        while let Some((arrived, bytes)) = receiver.recv().await {
            let toxics = settings.borrow_and_update().ways[way as usize];
            sleep_until(arrived + toxics.delay).await;
            opened(&mut settings, way).await;
            if bytes.is_empty() {
                return to.shutdown().await;
            }
            match &reply {
                Reply::Watch(swallow) => {
                    if let Some(instead) = wants_reply_dropped(&shared, &mut said, &bytes) {
                        // Before the delivery: its reply may come at once.
                        swallow.send_replace(Some(instead));
                    }
                }
                Reply::Obey(swallowing) => {
                    let instead = swallowing.borrow().clone();
                    if let Some(instead) = instead {
                        shared.dropped_replies.fetch_add(1, Ordering::AcqRel);
                        if instead.is_empty() {
                            return Err(cut());
                        }
                        // A reset could overtake it.
                        to.write_all(&instead).await?;
                        return to.shutdown().await;
                    }
                }
            }
            deliver(&shared, way, &mut settings, &mut to, &bytes).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}

/// Waits until the direction is no black hole.
async fn opened(settings: &mut watch::Receiver<Settings>, way: Way) {
    let _ = settings.wait_for(|s| !s.ways[way as usize].blackhole).await;
}

async fn deliver(
    shared: &Shared,
    way: Way,
    settings: &mut watch::Receiver<Settings>,
    to: &mut WriteHalf<'_>,
    bytes: &[u8],
) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let rate = settings.borrow().ways[way as usize].bytes_per_second;
        let piece = rate.map_or(rest.len(), |rate| usize::try_from(rate.div_ceil(SLOW_STEPS)).unwrap_or(1));
        let (now, later) = rest.split_at(piece.min(rest.len()));
        if let Some(rate) = rate {
            sleep(Duration::from_secs_f64(now.len() as f64 / rate as f64)).await;
        }
        opened(settings, way).await;
        let (allowed, ends) = allowance(shared, way, now.len());
        to.write_all(&now[..allowed]).await?;
        shared.passed[way as usize].fetch_add(allowed as u64, Ordering::AcqRel);
        if ends {
            return Err(cut());
        }
        rest = later;
    }
    Ok(())
}

/// How many of so many bytes pass, and whether the connection is cut behind them.
fn allowance(shared: &Shared, way: Way, bytes: usize) -> (usize, bool) {
    let mut once = shared.once.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(left) = &mut once.cut_after[way as usize] else { return (bytes, false) };
    let wanted = bytes as u64;
    if wanted < *left {
        *left -= wanted;
        return (bytes, false);
    }
    let allowed = usize::try_from(*left).unwrap_or(bytes);
    once.cut_after[way as usize] = None;
    (allowed, true)
}

/// What a connection said since a reply is to be lost.
#[derive(Default)]
struct Said {
    /// The end of it.
    tail: Vec<u8>,
    /// Whether what must come before was in it.
    after: bool,
}

/// What comes in the place of the reply to these bytes, if a request that is waited for is in them, or began in those before.
fn wants_reply_dropped(shared: &Shared, said: &mut Said, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut once = shared.once.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(wanted) = once.drop_reply.front() else {
        *said = Said::default();
        return None;
    };
    said.tail.extend_from_slice(bytes);
    let has = |what: &[u8]| what.is_empty() || said.tail.windows(what.len()).any(|window| window == what);
    said.after |= has(&wanted.after);
    let found = said.after && has(&wanted.request);
    let keep = wanted.after.len().max(wanted.request.len()).saturating_sub(1).min(said.tail.len());
    said.tail.drain(..said.tail.len() - keep);
    if !found {
        return None;
    }
    *said = Said::default();
    once.drop_reply.pop_front().map(|lost| lost.instead)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the test")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        time::Instant,
    };

    use super::*;
    use crate::harness::eventually;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A server that sends back what it gets; its threads end with their connections.
    fn echo() -> u16 {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                    let _ = io::copy(&mut from, &mut to);
                });
            }
        });
        port
    }

    fn connect(proxy: &TcpProxy) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn ask(stream: &mut TcpStream, text: &str) -> io::Result<String> {
        stream.write_all(text.as_bytes())?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer).unwrap())
    }

    #[test]
    fn bytes_and_ends_pass_unchanged() {
        let proxy = TcpProxy::start(echo());
        let mut stream = connect(&proxy);
        let long = "x".repeat(1 << 20);
        let mut sender = stream.try_clone().unwrap();
        let sent = long.clone();
        let writer = std::thread::spawn(move || {
            sender.write_all(sent.as_bytes()).unwrap();
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        writer.join().unwrap();
        assert_eq!(back, long);
        eventually("both ends are closed", LIMIT, || (proxy.open() == 0).then_some(()));
        assert_eq!((proxy.passed(Way::ToServer), proxy.passed(Way::ToClient)), (1 << 20, 1 << 20));
    }

    #[test]
    fn delay_and_rate_take_their_time() {
        let proxy = TcpProxy::start(echo());
        let mut stream = connect(&proxy);
        proxy.delay(Way::ToClient, Duration::from_millis(150));
        let start = Instant::now();
        assert_eq!(ask(&mut stream, "late").unwrap(), "late");
        assert!(start.elapsed() >= Duration::from_millis(150));
        proxy.delay(Way::ToClient, Duration::ZERO);
        proxy.rate(Way::ToServer, Some(1000));
        let start = Instant::now();
        ask(&mut stream, &"y".repeat(200)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(190));
    }

    #[test]
    fn cuts_are_where_they_were_asked_for() {
        let proxy = TcpProxy::start(echo());
        let mut stream = connect(&proxy);
        proxy.cut_after(Way::ToClient, 3);
        stream.write_all(b"abcdef").unwrap();
        let mut got = Vec::new();
        assert!(stream.read_to_end(&mut got).is_err());
        assert!(got.len() <= 3, "{got:?}");
        assert_eq!(proxy.passed(Way::ToClient), 3);
        let (mut one, mut two) = (connect(&proxy), connect(&proxy));
        assert_eq!((ask(&mut one, "1").unwrap(), ask(&mut two, "2").unwrap()), ("1".to_owned(), "2".to_owned()));
        proxy.cut_all();
        assert!(ask(&mut one, "1").is_err() && ask(&mut two, "2").is_err());
    }

    #[test]
    fn a_blackhole_holds_back_and_lets_go() {
        let proxy = TcpProxy::start(echo());
        let mut stream = connect(&proxy);
        ask(&mut stream, "before").unwrap();
        proxy.blackhole(Way::ToClient, true);
        stream.write_all(b"held").unwrap();
        eventually("the server's side", LIMIT, || (proxy.passed(Way::ToServer) == 10).then_some(()));
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut four = [0; 4];
        assert!(stream.read_exact(&mut four).is_err());
        proxy.blackhole(Way::ToClient, false);
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.read_exact(&mut four).unwrap();
        assert_eq!(&four, b"held");
    }

    #[test]
    fn one_reply_is_dropped_and_new_connections_are_refused() {
        let proxy = TcpProxy::start(echo());
        let (mut one, mut two) = (connect(&proxy), connect(&proxy));
        proxy.drop_reply(b"COMMIT");
        assert_eq!(ask(&mut one, "BEGIN").unwrap(), "BEGIN");
        two.write_all(b"COM").unwrap();
        eventually("the first half", LIMIT, || (proxy.passed(Way::ToClient) == 8).then_some(()));
        let mut half = [0; 3];
        two.read_exact(&mut half).unwrap();
        assert!(ask(&mut two, "MIT").is_err());
        assert_eq!((proxy.dropped_replies(), proxy.passed(Way::ToServer)), (1, 11));
        assert_eq!(ask(&mut one, "COMMIT").unwrap(), "COMMIT");
        proxy.refuse(true);
        assert!(ask(&mut connect(&proxy), "?").is_err());
        assert_eq!(ask(&mut one, "still").unwrap(), "still");
        proxy.refuse(false);
        assert_eq!(ask(&mut connect(&proxy), "again").unwrap(), "again");
    }
}
