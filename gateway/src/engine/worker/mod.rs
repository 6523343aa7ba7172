//! The process `duckmesh engine`: one DuckDB instance behind walls, serving requests on a Unix socket.
//!
//! It never trusts a statement: the gateway's gate is the first wall, everything here holds without it.

mod batches;
mod duck;
pub(crate) mod functions;
mod gate;
mod kept;
mod numbers;
mod out;
mod plain;
mod relations;
mod sandbox;
mod session;
mod settings;
mod small;
mod small_scan;
mod types;
#[cfg(not(test))]
mod udf;
#[cfg(test)]
pub(crate) mod udf;
mod udf_float;
mod values;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::net::{UnixListener, UnixStream},
    },
    process::ExitCode,
    sync::Arc,
};

use self::{duck::Database, gate::Gate, kept::Kept, small::Small};
use super::protocol::{Hello, WorkerConfig};

/// Stack of a thread that parses, binds and runs statements.
const STACK_BYTES: usize = 64 << 20;

/// What all connections of a worker share.
pub(super) struct Instance {
    database: Arc<Database>,
    gate: Gate,
    kept: Kept,
    small: Arc<Small>,
}

/// Entry of `duckmesh engine`. Standard input is one end of a socket pair whose other end the gateway holds.
pub fn main() -> ExitCode {
    // SAFETY: descriptor 0 is open and used by nothing else in this process.
    let mut control = unsafe { UnixStream::from_raw_fd(0) };
    match start(&mut control) {
        Ok(listening) => serve(control, listening),
        Err(why) => {
            // The gateway logs it; where it is gone, nobody is left to tell.
            let _ = say(&mut control, &Hello::Failed(why));
            ExitCode::FAILURE
        }
    }
}

struct Listening {
    listener: UnixListener,
    instance: Arc<Instance>,
}

fn start(control: &mut UnixStream) -> Result<Listening, String> {
    let config = read_config(control)?;
    sandbox::close_descriptors(control.as_raw_fd());
    sandbox::die_with_parent(config.parent_pid)?;
    let listener = UnixListener::bind(&config.socket).map_err(|e| format!("cannot listen: {e}"))?;
    let walls = sandbox::raise(&config);
    functions::found::allow(config.read_folders.clone());
    let small = Arc::new(Small::new(config.read_folders.clone()));
    let (database, version) =
        settings::open(&config, &small).map_err(|e| format!("{}: {}", e.exception_type, e.message))?;
    let gate = Gate::new(&database, &config.trusted_functions).map_err(|e| e.message)?;
    let kept = Kept::new(config.read_folders.clone());
    say(control, &Hello::Ready { duckdb: version, walls }).map_err(|e| format!("cannot answer: {e}"))?;
    Ok(Listening { listener, instance: Arc::new(Instance { database: Arc::new(database), gate, kept, small }) })
}

fn read_config(control: &mut UnixStream) -> Result<WorkerConfig, String> {
    let mut line = String::new();
    // The line is all that the gateway ever sends here, so nothing is lost in the reader's buffer.
    BufReader::new(control).read_line(&mut line).map_err(|e| format!("cannot read the configuration: {e}"))?;
    serde_json::from_str(&line).map_err(|e| format!("cannot read the configuration: {e}"))
}

fn say(control: &mut UnixStream, hello: &Hello) -> io::Result<()> {
    let mut line = serde_json::to_vec(hello)?;
    line.push(b'\n');
    control.write_all(&line)
}

/// Accepts until the gateway closes its end.
fn serve(mut control: UnixStream, listening: Listening) -> ExitCode {
    let Listening { listener, instance } = listening;
    let accepting = std::thread::Builder::new().name("accept".to_owned()).spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else {
                // Out of descriptors or memory: yield, so that others can give some back.
                std::thread::yield_now();
                continue;
            };
            let instance = Arc::clone(&instance);
            // Without a thread the connection is dropped, and its request fails at the gateway.
            let _ = std::thread::Builder::new()
                .name("query".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || session::serve(&instance, connection));
        }
    });
    if accepting.is_err() {
        return ExitCode::FAILURE;
    }
    // Blocks until the gateway closes its end or is gone.
    let mut rest = [0; 64];
    while matches!(control.read(&mut rest), Ok(n) if n > 0) {}
    // Not a return: that would wait for nothing and run destructors under running queries.
    // SAFETY: ends the process at once; nothing here has to be saved.
    unsafe { libc::_exit(0) }
}

/// A SQL/JSON path as Postgres shows it; else Postgres' error.
pub fn jsonpath(text: &str) -> crate::wire::PgResult<String> {
    functions::jsonpath(text)
}
