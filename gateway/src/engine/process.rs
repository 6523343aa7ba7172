//! A worker process from start to end.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    os::{
        fd::OwnedFd,
        unix::{fs::DirBuilderExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::{oneshot, watch};

use super::{
    options::EngineOptions,
    protocol::{Hello, Wall, WorkerConfig},
};

/// Environment that a worker gets from the gateway's: where its library is, and the failpoints of tests.
const ENVIRONMENT_KEPT: [&str; 3] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DUCKMESH_FAILPOINTS"];
/// `RLIMIT_NOFILE` of a worker.
const OPEN_FILES_MAX: u64 = 4096;

/// A running worker. Dropping it ends the process.
pub struct Process {
    /// Its process id while it is not reaped.
    pid: Arc<Mutex<Option<u32>>>,
    /// Held open: the worker ends when this closes.
    control: Mutex<Option<UnixStream>>,
    exited: watch::Receiver<bool>,
    /// What it said of itself.
    pub hello: WorkerHello,
}

/// What a worker says of itself.
#[derive(Clone, Debug)]
pub struct WorkerHello {
    /// Its process id.
    pub pid: u32,
    /// DuckDB's version.
    pub duckdb: String,
    /// The walls around it.
    pub walls: Vec<Wall>,
    /// Where it listens.
    pub socket: PathBuf,
}

impl Process {
    /// Starts a worker and waits until it listens.
    pub async fn start(options: &EngineOptions) -> Result<Self, String> {
        let options = options.clone();
        let (started, ready) = oneshot::channel();
        // The worker's parent is this thread, which lives until the worker has ended: the kernel ends a worker with
        // the *thread* that started it, and tokio's threads come and go.
        thread::Builder::new()
            .name("engine-worker".to_owned())
            .spawn(move || run(&options, started))
            .map_err(|e| format!("no thread: {e}"))?;
        ready.await.map_err(|_| "the thread that starts it ended".to_owned())?
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&self, signal: i32) {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = pid.and_then(|p| i32::try_from(p).ok()) {
            // SAFETY: it is not reaped while the lock is held, so the number is still its own.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Whether it has ended.
    pub fn has_exited(&self) -> bool {
        *self.exited.borrow()
    }

    /// Waits until it has ended and its folders are gone.
    pub async fn exited(&self) {
        let mut exited = self.exited.clone();
        // An error means that the thread is gone, and with it the process.
        let _ = exited.wait_for(|done| *done).await;
    }

    /// Asks it to end.
    pub fn close(&self) {
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
    }
}

/// The thread of a worker.
fn run(options: &EngineOptions, started: oneshot::Sender<Result<Process, String>>) {
    let folders = match Folders::create(options) {
        Ok(folders) => folders,
        Err(e) => {
            let _ = started.send(Err(format!("cannot make its folders: {e}")));
            return;
        }
    };
    match spawn(options, &folders) {
        Ok((mut child, control, hello)) => {
            let pid = Arc::new(Mutex::new(Some(child.id())));
            let (ended, exited) = watch::channel(false);
            let process = Process { pid: Arc::clone(&pid), control: Mutex::new(Some(control)), exited, hello };
            // Where nobody takes it, it is dropped, and killed by that.
            let _ = started.send(Ok(process));
            wait(&mut child, &pid);
            drop(folders);
            let _ = ended.send(true);
        }
        Err(why) => {
            drop(folders);
            let _ = started.send(Err(why));
        }
    }
}

/// Waits for the end, and reaps it under the lock, so that no signal can meet another process of that number.
fn wait(child: &mut Child, pid: &Mutex<Option<u32>>) {
    // SAFETY: zeroed is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: out pointer to a local; WNOWAIT leaves the child to be reaped below.
        let done = unsafe { libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        if done == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break;
        }
    }
    let mut pid = pid.lock().unwrap_or_else(PoisonError::into_inner);
    *pid = None;
    match child.wait() {
        Ok(status) => tracing::info!(pid = child.id(), %status, "engine worker ended"),
        Err(error) => {
            tracing::error!(pid = child.id(), %error, "cannot wait for the engine worker")
        }
    }
}

fn spawn(options: &EngineOptions, folders: &Folders) -> Result<(Child, UnixStream, WorkerHello), String> {
    let (ours, theirs) = UnixStream::pair().map_err(|e| format!("no socket pair: {e}"))?;
    let mut command = Command::new(&options.program);
    command.arg("engine").env_clear().env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    // Each arena of malloc takes 64 MiB of the address space that the worker may have.
    command.env("MALLOC_ARENA_MAX", "4");
    for name in ENVIRONMENT_KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.current_dir(&folders.spill).stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|e| format!("cannot start {}: {e}", options.program.display()))?;
    // It holds the worker's end of the pair open otherwise, and the worker's death would not be seen here.
    drop(command);
    match greet(options, folders, &ours, child.id()) {
        Ok(hello) => Ok((child, ours, hello)),
        Err(why) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(why)
        }
    }
}

fn greet(options: &EngineOptions, folders: &Folders, control: &UnixStream, pid: u32) -> Result<WorkerHello, String> {
    let say = |e: io::Error| format!("no answer from it: {e}");
    control.set_read_timeout(Some(options.start_timeout)).map_err(say)?;
    let config = WorkerConfig {
        socket: folders.socket(),
        parent_pid: std::process::id(),
        read_folders: options.read_folders.clone(),
        temp_folder: folders.spill.clone(),
        memory_bytes: options.memory_bytes,
        address_space_bytes: options.address_space(),
        temp_bytes: options.spill_bytes,
        threads: options.threads,
        open_files: OPEN_FILES_MAX,
        setup: options.setup.clone(),
        trusted_functions: options.trusted_functions.clone(),
        sandbox: options.sandbox,
    };
    let mut line = serde_json::to_vec(&config).map_err(|e| e.to_string())?;
    line.push(b'\n');
    (&mut &*control).write_all(&line).map_err(say)?;
    let mut answer = String::new();
    BufReader::new(control).read_line(&mut answer).map_err(say)?;
    match serde_json::from_str(&answer) {
        Ok(Hello::Ready { duckdb, walls }) => {
            for wall in walls.iter().filter(|wall| !wall.stands) {
                tracing::warn!(pid, wall = wall.name, why = wall.detail, "a wall around the engine does not stand");
            }
            tracing::info!(pid, duckdb, "engine worker started");
            Ok(WorkerHello { pid, duckdb, walls, socket: folders.socket() })
        }
        Ok(Hello::Failed(why)) => Err(why),
        Err(_) => Err("it ended while starting".to_owned()),
    }
}

/// The folders of one worker, removed with it.
struct Folders {
    home: PathBuf,
    spill: PathBuf,
    /// Where the socket is, if its path in `home` would be too long.
    short: Option<PathBuf>,
}

/// A socket's path has at most 104 bytes on some systems.
const SOCKET_PATH_BYTES_MAX: usize = 100;
const FOLDER_PREFIX: &str = "worker-";

impl Folders {
    fn create(options: &EngineOptions) -> io::Result<Self> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let name: String = name.chars().take(12).collect();
        // Landlock can only allow what exists.
        for folder in &options.read_folders {
            fs::create_dir_all(folder)?;
        }
        fs::create_dir_all(&options.spill_folder)?;
        let root = options.spill_folder.canonicalize()?;
        sweep(&root);
        let home = root.join(format!("{FOLDER_PREFIX}{}-{name}", std::process::id()));
        let short = (home.as_os_str().len() + "/engine".len() > SOCKET_PATH_BYTES_MAX)
            .then(|| std::env::temp_dir().join(format!("duckmesh-{name}")));
        let folders = Self { spill: home.join("spill"), home, short };
        private_folder(&folders.home)?;
        private_folder(&folders.spill)?;
        if let Some(short) = &folders.short {
            private_folder(short)?;
        }
        Ok(folders)
    }

    fn socket(&self) -> PathBuf {
        self.short.as_ref().unwrap_or(&self.home).join("engine")
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        remove(&self.home);
        if let Some(short) = &self.short {
            remove(short);
        }
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "cannot remove a folder of an engine worker");
    }
}

/// Removes what workers of gateways left that are no more.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let gateway = name.to_str().and_then(|n| n.strip_prefix(FOLDER_PREFIX)).and_then(|n| n.split_once('-'));
        let Some(pid) = gateway.and_then(|(pid, _)| pid.parse::<i32>().ok()).filter(|pid| *pid > 0) else {
            continue;
        };
        // SAFETY: signal 0 only asks whether the process exists.
        let gone = unsafe { libc::kill(pid, 0) } != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
        if gone {
            remove(&entry.path());
        }
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}
