//! A DuckMesh server as a process of its own, with a folder of its own.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tempfile::TempDir;

use super::{Client, WireClient, eventually, paths, process};

/// A start includes migrations and the publication of what a crash left.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// SIGTERM drains for at most 30 s by default.
const STOP_LIMIT: Duration = Duration::from_secs(45);
/// Much longer than a line takes from the server to its log.
const SAID_LIMIT: Duration = Duration::from_secs(30);
/// Lines of the log shown when a test fails.
const LOG_TAIL: usize = 60;

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Data folder; a new temporary one without.
    pub data: Option<PathBuf>,
    /// `--catalog`; SQLite without.
    pub catalog: Option<String>,
    /// `DUCKMESH_FAILPOINTS`.
    pub failpoints: Option<String>,
    /// Whether HTTP is on, at the environment's `DUCKMESH_HTTP`.
    pub http: bool,
    /// More arguments.
    pub args: Vec<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
}

/// A server; killed when dropped.
pub struct Server {
    options: ServerOptions,
    folder: Option<TempDir>,
    data: PathBuf,
    child: Option<Child>,
    reader: Option<JoinHandle<()>>,
    log: Arc<Mutex<Vec<String>>>,
    port: u16,
}

impl Server {
    /// Starts one on SQLite in a new folder.
    #[must_use]
    pub fn start() -> Self {
        Self::with(ServerOptions::default())
    }

    /// Starts one.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn with(options: ServerOptions) -> Self {
        Self::try_with(options).unwrap_or_else(|log| panic!("the server did not become ready:\n{log}"))
    }

    /// Starts one that may refuse: then gives what it said.
    ///
    /// # Errors
    /// The log of a server that ended before it was ready.
    pub fn try_with(options: ServerOptions) -> Result<Self, String> {
        let mut server = Self::in_folder(options);
        server.launch()?;
        Ok(server)
    }

    fn in_folder(options: ServerOptions) -> Self {
        let folder = options.data.is_none().then(|| TempDir::with_prefix("duckmesh-").expect("a temporary folder"));
        let data = match (&options.data, &folder) {
            (Some(data), _) => data.clone(),
            (None, Some(folder)) => folder.path().join("data"),
            (None, None) => unreachable!("a folder is made when none is given"),
        };
        Self { options, folder, data, child: None, reader: None, log: Arc::default(), port: 0 }
    }

    /// Starts one and does not wait until it is ready: it may have to wait itself.
    #[must_use]
    pub fn begin(options: ServerOptions) -> Self {
        let mut server = Self::in_folder(options);
        server.spawn();
        server
    }

    /// Waits until one that was begun is ready.
    ///
    /// # Errors
    /// The log of a server that ended before it was ready.
    pub fn until_ready(&mut self) -> Result<(), String> {
        self.wait_ready()
    }

    /// The Postgres port of one that was begun, and may not be ready.
    ///
    /// # Panics
    /// When it does not listen.
    #[must_use]
    pub fn listening_port(&self) -> u16 {
        eventually("the server listens", READY_LIMIT, || {
            let log = self.log();
            let (_, rest) = log.split_once("listening on ")?;
            rest.split_whitespace().next()?.rsplit(':').next()?.parse().ok()
        })
    }

    /// Starts it again on the same folder, with the same options.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn restart(&mut self) {
        self.kill();
        self.launch().unwrap_or_else(|log| panic!("the server did not become ready again:\n{log}"));
    }

    /// Starts it again with other failpoints.
    pub fn restart_with_failpoints(&mut self, failpoints: Option<&str>) {
        self.options.failpoints = failpoints.map(str::to_owned);
        self.restart();
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.join_log();
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> ExitStatus {
        assert!(process::signal(self.pid(), process::TERM), "the server is not running");
        self.stop_begun()
    }

    /// Waits for its end, after somebody asked for it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop_begun(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("a running server");
        let status = eventually("the server ends after SIGTERM", STOP_LIMIT, || child.try_wait().expect("its status"));
        self.child = None;
        self.join_log();
        status
    }

    /// Its process.
    ///
    /// # Panics
    /// When it was stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().ok().flatten().is_some())
    }

    /// Its engine workers.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        let children = process::children(self.pid());
        children.into_iter().filter(|pid| process::command_line(*pid).iter().any(|word| word == "engine")).collect()
    }

    /// Its Postgres port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The status of a GET on its HTTP port, and the body: for servers started with `DUCKMESH_HTTP`.
    ///
    /// # Panics
    /// When it has no such port, or gives no answer.
    #[must_use]
    pub fn http(&self, path: &str) -> (u16, String) {
        use std::io::{Read, Write};
        let log = self.log();
        let address = log.lines().find_map(|line| line.strip_prefix("http on ")?.split(' ').next());
        let mut stream = std::net::TcpStream::connect(address.expect("an HTTP port")).expect("HTTP answers");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder that goes when the server goes, for a test's own files.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.folder.as_ref().map_or_else(|| self.data.join("..").join("scratch-of-test"), |f| f.path().to_owned())
    }

    /// Everything it wrote to stderr since its last start.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits until its log holds `words`: lines arrive through a pipe, possibly after what was answered to a client.
    pub fn says(&self, words: &str) {
        eventually(&format!("the log says {words:?}"), SAID_LIMIT, || self.log().contains(words).then_some(()));
    }

    /// Whether a failpoint was reached since the last start.
    #[must_use]
    pub fn reached(&self, failpoint: &str) -> bool {
        let line = format!("failpoint-reached {failpoint}");
        self.log.lock().unwrap_or_else(PoisonError::into_inner).contains(&line)
    }

    /// Connects to the first database.
    pub async fn client(&self) -> Client {
        self.client_of("duckmesh").await
    }

    /// Connects to a database.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn client_of(&self, database: &str) -> Client {
        Client::connect(self.port, database).await.unwrap_or_else(|e| panic!("cannot connect to {database}: {e:?}"))
    }

    /// Connects with the byte-level client.
    #[must_use]
    pub fn wire(&self) -> WireClient {
        WireClient::connect(self.port, "duckmesh", "tester")
    }

    fn launch(&mut self) -> Result<(), String> {
        self.spawn();
        self.wait_ready()
    }

    fn spawn(&mut self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut command = Command::new(paths::server_binary());
        command.arg("serve").arg("--data").arg(&self.data).args(["--listen", "127.0.0.1:0"]);
        let http_is_chosen = self.options.env.iter().any(|(name, _)| name == "DUCKMESH_HTTP");
        if !self.options.http && !http_is_chosen {
            command.args(["--http", "off"]);
        }
        if let Some(catalog) = &self.options.catalog {
            command.args(["--catalog", catalog]);
        }
        command.args(&self.options.args).envs(self.options.env.iter().map(|(k, v)| (k, v)));
        if let Some(failpoints) = &self.options.failpoints {
            command.env("DUCKMESH_FAILPOINTS", failpoints);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stderr = child.stderr.take().expect("a pipe");
        let log = self.log.clone();
        self.reader = Some(std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { break };
                log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }));
        self.child = Some(child);
    }

    fn wait_ready(&mut self) -> Result<(), String> {
        let port = eventually("the server is ready", READY_LIMIT, || {
            if let Some(port) = self.ready_port() {
                return Some(Some(port));
            }
            self.has_ended().then_some(None)
        });
        match port {
            Some(port) => {
                self.port = port;
                Ok(())
            }
            None => {
                self.join_log();
                self.child = None;
                Err(self.log())
            }
        }
    }

    fn ready_port(&self) -> Option<u16> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let line = log.iter().find_map(|line| line.strip_prefix("ready: "))?;
        if line == "no Postgres port" {
            return Some(0);
        }
        line.split_whitespace().find_map(|word| word.trim_matches('"').strip_prefix("port=")?.parse().ok())
    }

    fn join_log(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A worker that outlives its server would hold the pipe: the server's own end is what counts.
            let _ = eventually_joined(&reader).then(|| reader.join());
        }
    }
}

fn eventually_joined(reader: &JoinHandle<()>) -> bool {
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while !reader.is_finished() {
        if std::time::Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let errors = lines.iter().filter(|line| line.contains("ERROR")).take(LOG_TAIL);
            eprintln!("--- the server's errors ---\n{}", errors.copied().collect::<Vec<_>>().join("\n"));
            let tail = lines.len().saturating_sub(LOG_TAIL);
            eprintln!("--- last lines of the server's log ---\n{}", lines[tail..].join("\n"));
        }
    }
}
