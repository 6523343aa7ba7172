//! The few threads with large stacks on which syntax trees live and die.
//!
//! A tree of one mebibyte of SQL can be a hundred thousand levels deep; merely dropping it overflows an ordinary stack,
//! and a stack overflow ends the process.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

use tokio::sync::oneshot;

use crate::wire::error::{PgError, PgResult};

/// Enough for one mebibyte of any SQL, in debug builds too.
const STACK_BYTES: usize = 64 << 20;
/// Planning is short; more threads than this only fight for the processors.
const THREADS_MAX: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    static IS_SQL_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on a thread with a large stack. A panic in it is an internal error, nothing more.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> PgResult<T> + Send + 'static) -> PgResult<T> {
    let (reply, answer) = oneshot::channel();
    send(Box::new(move || {
        // The receiver is gone when the client is: nobody needs the answer then.
        let _ = reply.send(guarded(work));
    }))?;
    answer.await.map_err(|_| PgError::internal("a SQL thread dropped its work"))?
}

/// The same for callers that may block (tests, start-up).
pub fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> PgResult<T> + Send + 'static) -> PgResult<T> {
    let (reply, answer) = mpsc::sync_channel(1);
    send(Box::new(move || {
        let _ = reply.send(guarded(work));
    }))?;
    answer.recv().map_err(|_| PgError::internal("a SQL thread dropped its work"))?
}

/// Drops a value where its depth does no harm.
pub(super) fn drop_there<T: Send + 'static>(value: T) {
    if IS_SQL_THREAD.get() {
        drop(value);
    } else {
        // Without the thread the value is leaked with the job: better than a stack overflow.
        let _ = send(Box::new(move || drop(value)));
    }
}

fn guarded<T>(work: impl FnOnce() -> PgResult<T>) -> PgResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(PgError::internal(format!("panic while planning: {what}")))
    })
}

fn send(job: Job) -> PgResult<()> {
    static POOL: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();
    match POOL.get_or_init(start) {
        Some(sender) => sender.send(job).map_err(|refused| {
            std::mem::forget(refused);
            PgError::internal("no SQL thread is left")
        }),
        None => {
            std::mem::forget(job);
            Err(PgError::internal("no SQL thread could be started"))
        }
    }
}

fn start() -> Option<mpsc::Sender<Job>> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let count = thread::available_parallelism().map_or(2, |n| n.get().clamp(2, THREADS_MAX));
    let started = (0..count)
        .filter(|n| {
            let receiver = receiver.clone();
            thread::Builder::new()
                .name(format!("sql-{n}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&receiver))
                .is_ok()
        })
        .count();
    (started > 0).then_some(sender)
}

fn serve(jobs: &Mutex<mpsc::Receiver<Job>>) {
    IS_SQL_THREAD.set(true);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // The second guard is for the drop of a value: a panic there must not cost the thread.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error_and_the_threads_go_on() {
        for _ in 0..20 {
            let error = run_blocking(|| -> PgResult<()> { panic!("boom") }).expect_err("panics");
            assert_eq!(error.code().0, "XX000");
        }
        assert_eq!(run_blocking(|| Ok(7)).expect("works"), 7);
    }
}
