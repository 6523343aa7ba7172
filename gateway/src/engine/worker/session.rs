//! One connection of the gateway: its requests, one after another, each on a DuckDB connection of its own.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use duckmesh_catalog::failpoint;

use super::{
    Instance,
    batches::{BatchWriter, SendError},
    duck::{Connection, DuckResult, Interrupter, Statement},
    gate::Gate,
    numbers::{self, Supply},
    out::Out,
    relations,
    settings::quoted,
};
use crate::engine::protocol::{
    Cancel, Columns, EngineColumn, EngineError, FrameKind, Relation, Request, Verb, read_frame,
};

/// Stack of the thread that only reads frames.
const READER_STACK_BYTES: usize = 256 << 10;
/// DuckDB forgets an interrupt that comes in the moment before a statement starts: it is repeated until the end.
const INTERRUPT_AGAIN: Duration = Duration::from_millis(5);
/// Rows of a statement that is run at once: a catalog of a thousand tables has half as many columns.
const WHOLE_ROWS_MAX: u64 = 100_000;
/// The time zone that an instance is opened with.
const UTC: &str = "UTC";
/// A time zone's name is never longer.
const TIME_ZONE_BYTES_MAX: usize = 64;

/// Serves until the gateway closes the connection.
pub fn serve(instance: &Instance, stream: UnixStream) {
    let Ok(incoming) = stream.try_clone() else {
        return;
    };
    let current = Arc::new(Current::default());
    let (requests, received) = sync_channel(1);
    let reading = {
        let current = Arc::clone(&current);
        thread::Builder::new()
            .name("reader".to_owned())
            .stack_size(READER_STACK_BYTES)
            .spawn(move || read_requests(incoming, &current, &requests))
    };
    if reading.is_ok() {
        // Ends both directions whatever happens here, so that reader and gateway notice.
        let closing = Closing(stream);
        let _ = answer_requests(instance, &closing.0, &current, &received);
    }
}

struct Closing(UnixStream);

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// The request that is being worked on, shared with the reader.
#[derive(Default)]
struct Current(Mutex<Working>);

#[derive(Default)]
struct Working {
    id: Option<u64>,
    cancelled: bool,
    interrupter: Option<Interrupter>,
    /// Where its numbers come from.
    supply: Option<Arc<Supply>>,
}

impl Current {
    fn lock(&self) -> MutexGuard<'_, Working> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where its numbers come from; a request that is stopped already gets none.
    fn supplied(&self, supply: Option<Arc<Supply>>) {
        let mut working = self.lock();
        if let Some(supply) = supply.as_ref().filter(|_| working.cancelled) {
            supply.stop();
        }
        working.supply = supply;
    }

    /// False while another request is being worked on.
    fn begin(&self, id: u64) -> bool {
        let mut working = self.lock();
        let free = working.id.is_none();
        if free {
            *working = Working { id: Some(id), ..Working::default() };
        }
        free
    }

    fn end(&self) {
        *self.lock() = Working::default();
    }

    fn cancel(self: &Arc<Self>, id: Option<u64>) {
        let mut working = self.lock();
        if working.id.is_none() || !(id.is_none() || working.id == id) {
            return;
        }
        let first = !std::mem::replace(&mut working.cancelled, true);
        let id = working.id;
        if let Some(supply) = &working.supply {
            supply.stop();
        }
        drop(working);
        self.interrupt(id);
        if !first {
            return;
        }
        let current = Arc::clone(self);
        let again = move || {
            while current.interrupt(id) {
                thread::sleep(INTERRUPT_AGAIN);
            }
        };
        // Without it the cancel is as good as one interrupt.
        let _ = thread::Builder::new().name("cancel".to_owned()).stack_size(READER_STACK_BYTES).spawn(again);
    }

    /// Interrupts a request; false once it has ended.
    fn interrupt(&self, id: Option<u64>) -> bool {
        let working = self.lock();
        let runs = working.id == id;
        if let Some(interrupter) = working.interrupter.as_ref().filter(|_| runs) {
            interrupter.interrupt();
        }
        runs
    }

    /// DuckDB forgets an interrupt when the next statement starts, so it is asked for between statements too.
    fn check(&self) -> DuckResult<()> {
        if self.lock().cancelled { Err(EngineError::interrupted()) } else { Ok(()) }
    }
}

fn read_requests(mut incoming: UnixStream, current: &Arc<Current>, requests: &SyncSender<Request>) {
    loop {
        match read_frame(&mut incoming) {
            Ok((FrameKind::Request, head)) => {
                let Ok(request) = serde_json::from_slice::<Request>(&head) else {
                    break;
                };
                if !current.begin(request.id) || requests.send(request).is_err() {
                    break;
                }
            }
            Ok((FrameKind::Cancel, head)) => {
                let Ok(cancel) = serde_json::from_slice::<Cancel>(&head) else {
                    break;
                };
                current.cancel(Some(cancel.id));
            }
            Ok((FrameKind::Numbered, head)) => {
                let Ok(numbered) = serde_json::from_slice(&head) else {
                    break;
                };
                if let Some(supply) = &current.lock().supply {
                    supply.answer(numbered);
                }
            }
            Ok(_) | Err(_) => break,
        }
    }
    // Nobody wants the answer any more; a write that is under way fails.
    current.cancel(None);
    let _ = incoming.shutdown(Shutdown::Both);
}

fn answer_requests(
    instance: &Instance,
    stream: &UnixStream,
    current: &Current,
    received: &Receiver<Request>,
) -> io::Result<()> {
    // Made ahead: making and dropping it is then no part of a statement's time. Kept where a statement left nothing on it.
    let mut ready = instance.database.connect();
    while let Ok(request) = received.recv() {
        let out = Out::new(stream)?;
        let connection = std::mem::replace(&mut ready, Err(EngineError::internal("no connection ahead")));
        let done = connection.and_then(|connection| {
            current.lock().interrupter = Some(connection.interrupter());
            let supplied = request.numbers.map(|key| numbers::open(key, out.clone()));
            current.supplied(supplied.as_ref().map(|open| Arc::clone(&open.supply)));
            let outcome = answer(instance, &connection, &request, current, &out);
            outcome.map(|()| connection)
        });
        // Before the answer's end: the gateway may send the next request as soon as it has read that.
        current.end();
        match &done {
            Ok(_) => {}
            Err(error) => {
                let head = serde_json::to_vec(error)?;
                out.frame(FrameKind::Failed, &head, &[])?;
            }
        }
        out.flush()?;
        ready = match done {
            // Nothing of the statement is left on it: a SELECT leaves nothing, views and a time zone would stay.
            Ok(connection) if request.prelude.is_empty() && request.time_zone == UTC => Ok(connection),
            done => {
                drop(done);
                instance.database.connect()
            }
        };
    }
    Ok(())
}

/// Works on a request and writes all of its answer but an error.
fn answer(
    instance: &Instance,
    connection: &Connection,
    request: &Request,
    current: &Current,
    out: &Out,
) -> DuckResult<()> {
    current.check()?;
    set_time_zone(connection, &request.time_zone)?;
    for sql in &request.prelude {
        connection.execute(sql)?;
        current.check()?;
    }
    instance.gate.check(connection, &request.sql, &request.relations)?;
    current.check()?;
    // Until the statement is over.
    let standing = instance.kept.standing(&instance.database, &request.relations);
    let lent = instance.small.lend(&standing.relations);
    if request.at_once && request.verb == Verb::Query {
        match whole(connection, &lent.relations, request, current, out) {
            Ok(false) => current.check()?,
            done => return sent(done.map(drop)),
        }
    }
    let sql = relations::with(&lent.relations, &request.sql);
    let (sql, explain) = match request.verb {
        Verb::Query | Verb::Describe => (sql, false),
        Verb::Explain => (format!("EXPLAIN {sql}"), true),
        Verb::ExplainAnalyze => (format!("EXPLAIN ANALYZE {sql}"), true),
    };
    let statement = connection.prepare(&sql)?;
    Gate::check_kind(statement.kind(), explain)?;
    current.check()?;
    sent(match request.verb {
        Verb::Describe => describe(&statement, out),
        _ => stream(&statement, current, out),
    })
}

fn sent(outcome: Result<(), SendError>) -> DuckResult<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(SendError::Rows(error)) => Err(error),
        // The error cannot be told, but ends the work; the connection ends at the next write.
        Err(SendError::Gone) => Err(EngineError::interrupted()),
    }
}

fn set_time_zone(connection: &Connection, time_zone: &str) -> DuckResult<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '/' | ':');
    if time_zone.len() > TIME_ZONE_BYTES_MAX || !time_zone.chars().all(plain) {
        return Err(EngineError::new("Invalid Input", "not a time zone"));
    }
    if time_zone == UTC {
        // What the instance was opened with.
        return Ok(());
    }
    connection.execute(&format!("SET TimeZone = {}", quoted(time_zone)))
}

fn describe(statement: &Statement<'_>, out: &Out) -> Result<(), SendError> {
    let columns = statement.columns().map_err(SendError::Rows)?;
    let head = serde_json::to_vec(&named(&columns)).map_err(io::Error::from)?;
    out.frame(FrameKind::Described, &head, &[])?;
    Ok(())
}

fn stream(statement: &Statement<'_>, current: &Current, out: &Out) -> Result<(), SendError> {
    let columns = statement.columns().map_err(SendError::Rows)?;
    let form = statement.arrow_form(&columns).map_err(SendError::Rows)?;
    let mut writer = BatchWriter::start(out, &named(&columns), form.schema())?;
    // They are known long before the first row of a slow statement.
    writer.send_columns()?;
    let pending = statement.start().map_err(SendError::Rows)?;
    current.check().map_err(SendError::Rows)?;
    let mut rows = pending.into_rows().map_err(SendError::Rows)?;
    while let Some(chunk) = rows.next(&form).map_err(SendError::Rows)? {
        writer.push(chunk)?;
        failpoint::hit("engine-mid-stream").map_err(|e| SendError::Rows(EngineError::internal(e.to_string())))?;
        current.check().map_err(SendError::Rows)?;
    }
    writer.flush()?;
    out.frame(FrameKind::Done, b"{}", &[])?;
    Ok(())
}

/// A statement of few rows: run at once, which plans it once; to prepare and to start it plans it twice. False, and nothing is
/// sent, where its rows are not few: what is run at once is held in memory whole.
fn whole(
    connection: &Connection,
    relations: &[Relation],
    request: &Request,
    current: &Current,
    out: &Out,
) -> Result<bool, SendError> {
    let limit = if request.one_row { String::new() } else { format!(" LIMIT {}", WHOLE_ROWS_MAX + 1) };
    // Inside another SELECT only a SELECT can stand.
    let limited = format!("SELECT * FROM ({}) AS \"whole\"{limit}", request.sql);
    let (columns, mut rows) = connection.run(&relations::with(relations, &limited)).map_err(SendError::Rows)?;
    if rows.count() > WHOLE_ROWS_MAX {
        return Ok(false);
    }
    let form = connection.arrow_form(&columns).map_err(SendError::Rows)?;
    let mut writer = BatchWriter::start(out, &named(&columns), form.schema())?;
    while let Some(chunk) = rows.next(&form).map_err(SendError::Rows)? {
        writer.push(chunk)?;
        current.check().map_err(SendError::Rows)?;
    }
    writer.flush()?;
    out.frame(FrameKind::Done, b"{}", &[])?;
    Ok(true)
}

fn named(columns: &super::duck::Columns) -> Columns {
    let pairs = columns.names.iter().zip(&columns.types);
    Columns { columns: pairs.map(|(name, of)| EngineColumn { name: name.clone(), duckdb_type: of.name() }).collect() }
}
