//! The few threads with large stacks on which syntax trees live and die.
//!
//! A tree of one mebibyte of SQL can be a hundred thousand levels deep; merely dropping it overflows an ordinary stack,
//! and a stack overflow ends the process.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tokio::sync::oneshot;

use crate::wire::error::{PgError, PgResult, SqlState};

/// Enough for one mebibyte of any SQL, in debug builds too.
const STACK_BYTES: usize = 64 << 20;
/// Planning is short; more threads than this only fight for the processors.
const THREADS_MAX: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    static IS_SQL_THREAD: Cell<bool> = const { Cell::new(false) };
    /// Whether anybody still waits for the work that this thread does.
    static GIVEN_UP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Runs `work` on a thread with a large stack. A panic in it is an internal error, nothing more.
///
/// When the future is dropped (a cancel, a deadline, a client that left), work in the queue is not begun, and work that
/// runs ends at its next [`check`].
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> PgResult<T> + Send + 'static) -> PgResult<T> {
    let (reply, answer) = oneshot::channel();
    let waiting = Waiting(Arc::default());
    let given_up = waiting.0.clone();
    send(Box::new(move || {
        GIVEN_UP.set(Some(given_up));
        let done = guarded(|| check().and_then(|()| work()));
        let given_up = GIVEN_UP.take();
        if given_up.is_some_and(|given_up| given_up.load(Ordering::Relaxed)) {
            // A value of unknown depth is dropped here, and not where the answer would be.
            drop(done);
            return;
        }
        // The receiver is gone when the client is: nobody needs the answer then.
        let _ = reply.send(done);
    }))?;
    let answer = answer.await.map_err(|_| PgError::internal("a SQL thread dropped its work"))?;
    drop(waiting);
    answer
}

/// Whoever waits for work; the work is given up with it.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An error once nobody waits any more for what this thread does. Cheap: for every node of a tree.
pub(super) fn check() -> PgResult<()> {
    let given_up = GIVEN_UP.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)));
    if given_up {
        return Err(PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"));
    }
    Ok(())
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

    #[tokio::test]
    async fn work_ends_soon_after_nobody_waits() {
        let (begun, has_begun) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let endless = run(move || -> PgResult<()> {
            let _ = begun.send(());
            let error = loop {
                if let Err(error) = check() {
                    break error;
                }
            };
            let _ = ended.send(());
            Err(error)
        });
        let mut endless = Box::pin(endless);
        tokio::select! {
            _ = &mut endless => panic!("it has no end of its own"),
            begun = has_begun => begun.expect("begun"),
        }
        drop(endless);
        has_ended.await.expect("ended");
        assert_eq!(run(|| check().map(|()| 7)).await.expect("the thread is free for others"), 7);
    }

    #[test]
    fn a_panic_is_an_internal_error_and_the_threads_go_on() {
        for _ in 0..20 {
            let error = run_blocking(|| -> PgResult<()> { panic!("boom") }).expect_err("panics");
            assert_eq!(error.code().0, "XX000");
        }
        assert_eq!(run_blocking(|| Ok(7)).expect("works"), 7);
    }
}
