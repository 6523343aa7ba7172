//! An S3 server inside the test's process that does what a script says: errors, delays, lost answers, other bytes.
//!
//! It knows one bucket of any name, keeps objects in memory, checks no signatures but can refuse key ids, and writes down
//! every request.

mod answer;
mod objects;
mod script;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Runtime};

pub use objects::{Object, Objects};
use script::Script;
pub use script::{Fault, Seen, Verb, Where};

/// The server; ends when dropped.
pub struct FakeS3 {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// A runtime of its own: tests block theirs.
    runtime: Option<Runtime>,
}

struct Shared {
    state: Mutex<State>,
}

/// What the server knows.
#[derive(Default)]
struct State {
    objects: Objects,
    script: Script,
    journal: Vec<Seen>,
    /// Key ids that are refused.
    refused_keys: Vec<String>,
    /// A store of old: PUT replaces whatever the condition says.
    ignores_conditions: bool,
}

impl FakeS3 {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("fake-s3")
            .build()
            .expect("a runtime");
        let listener = runtime.block_on_thread(|| async { TcpListener::bind("127.0.0.1:0").await.expect("a port") });
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared { state: Mutex::default() });
        runtime.spawn(serve(listener, shared.clone()));
        Self { shared, address, runtime: Some(runtime) }
    }

    /// The environment in which a program uses this server.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        self.env_at(self.address.port())
    }

    /// The same through another port of this machine, such as a proxy's.
    #[must_use]
    pub fn env_at(&self, port: u16) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test-key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test-secret".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, requests of that kind go wrong that way, as often as it says.
    pub fn on(&self, at: Where, fault: Fault) {
        self.state().script.add(at, fault);
    }

    /// Whether some fault of the script has not happened as often as it was to.
    #[must_use]
    pub fn has_faults_left(&self) -> bool {
        self.state().script.has_left()
    }

    /// No faults any more.
    pub fn heal(&self) {
        self.state().script = Script::default();
    }

    /// Refuses requests that are signed with these key ids, with 403.
    pub fn refuse_keys(&self, keys: &[&str]) {
        self.state().refused_keys = keys.iter().map(|key| (*key).to_owned()).collect();
    }

    /// Lets PUT replace objects, whatever its condition says.
    pub fn ignore_conditions(&self) {
        self.state().ignores_conditions = true;
    }

    /// What was asked since the last call.
    #[must_use]
    pub fn take_journal(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().journal)
    }

    /// How often something was asked since the journal was taken.
    #[must_use]
    pub fn count(&self, verb: Verb, part_of_key: &str) -> usize {
        self.state().journal.iter().filter(|seen| seen.verb == verb && seen.key.contains(part_of_key)).count()
    }

    /// Works on the objects themselves, as a person with a console would.
    pub fn objects<T>(&self, work: impl FnOnce(&mut Objects) -> T) -> T {
        work(&mut self.state().objects)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Blocks on a future also where the caller's thread has a runtime already.
trait BlockOnThread {
    fn block_on_thread<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce() -> F + Send) -> T;
}

impl BlockOnThread for Runtime {
    fn block_on_thread<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce() -> F + Send) -> T {
        std::thread::scope(|scope| scope.spawn(|| self.block_on(work())).join().expect("it ends"))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let shared = shared.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
                    answer::answer(&shared, &parts, body).await
                }
            });
            // An answer that is dropped ends the connection with an error: that is what it is for.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// The error that makes hyper close a connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is dropped")
    }
}

impl std::error::Error for Dropped {}

impl From<Infallible> for Dropped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
