//! Group commit: while one append is in flight, the next group gathers. No timer: an idle log appends at once.

mod gather;
mod validated;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use duckmesh_catalog::Offset;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    bus::{AppendOutcome, LaneState, NewRecord, SeenKey},
    error::{AppendError, AppendErrorKind, BusError, BusErrorKind},
    frame::{KEY_BYTES_MAX, Part, Write},
    lake::{Appended, Shared, Stop},
    options::QUEUE_UNIT_BYTES,
    progress::Urgency,
};

/// Between two looks whether publication came nearer.
const LAG_PAUSE: Duration = Duration::from_millis(200);
/// Groups below this are encoded where they are gathered; handing them to another thread costs more.
const INLINE_BYTES_MAX: usize = 128 << 10;

/// Where writes come in.
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    room_max: u32,
}

/// A write that waits for its group.
struct Queued {
    write: Write,
    bytes: usize,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// Given back when the write is answered: the bytes are bounded until then, in this lake and in all.
    _room: [OwnedSemaphorePermit; 2],
}

/// A record with the writes that are in it, in the order of its offsets.
struct Gathered {
    record: NewRecord,
    writes: Vec<Queued>,
}

impl Publisher {
    /// Starts the group commit of a lake. It ends when the lake stops, after what was queued.
    pub(crate) fn start(shared: Arc<Shared>, stop: watch::Receiver<Stop>) -> (Self, JoinHandle<()>) {
        let (queue, queued) = mpsc::channel(shared.options.queue_writes_max.max(1));
        let room_max = shared.options.queue_bytes_max.div_ceil(QUEUE_UNIT_BYTES).max(1);
        let room_max = u32::try_from(room_max).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        let task = tokio::spawn(commit_groups(Arc::clone(&shared), queued, stop));
        let publisher = Self { shared, queue, room: Arc::new(Semaphore::new(room_max as usize)), room_max };
        (publisher, task)
    }

    /// Queues a write and waits until it is durable.
    pub(crate) async fn append(&self, write: Write) -> Result<Appended, AppendError> {
        let started = Instant::now();
        let mut write = write;
        if let Some(validated) = &mut write.validated
            && write.key.is_none()
        {
            // Most of the look, before the write's turn: while it has that, nobody else appends.
            let head = self.shared.bus.lane(self.shared.info.id).await?.head;
            if !validated::advance(&self.shared, validated, head).await? {
                return Err(validated::rows_arrived());
            }
        }
        let bytes = check(&write, self.shared.options.write_bytes_max)?;
        self.lag_allows().await?;
        // The lake's own first: a lake that is full takes nothing of what the others share.
        let own = self.room(&self.room, bytes, self.room_max).await?;
        let of_all = &self.shared.options.queue_room;
        let room = [own, self.room(of_all, bytes, self.room_max).await?];
        let (reply, answer) = oneshot::channel();
        let queued = Queued { write, bytes, reply, _room: room };
        self.enqueue(queued).await?;
        let lost = || AppendError::new(AppendErrorKind::Unknown, "the log's task ended");
        let answer = answer.await.map_err(|_| lost())?;
        self.shared.meters.append_seconds.record(started.elapsed());
        answer
    }

    /// Bytes in the queue: waits for room, not for ever.
    async fn room(&self, room: &Arc<Semaphore>, bytes: usize, max: u32) -> Result<OwnedSemaphorePermit, AppendError> {
        let units = u32::try_from(bytes.div_ceil(QUEUE_UNIT_BYTES)).unwrap_or(u32::MAX);
        let units = units.clamp(1, max);
        match Arc::clone(room).try_acquire_many_owned(units) {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(AppendError::closed()),
            Err(TryAcquireError::NoPermits) => {}
        }
        let wait = Arc::clone(room).acquire_many_owned(units);
        match timeout(self.shared.options.queue_wait_max, wait).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(AppendError::closed()),
            Err(_) => Err(queue_full()),
        }
    }

    /// While too much waits for publication, writers wait: the store may be away for longer than the log has room.
    async fn lag_allows(&self) -> Result<(), AppendError> {
        let (progress, options) = (&self.shared.progress, &self.shared.options);
        let is_short = || progress.lane().head.get() - progress.watermark().get() < options.lag_max;
        if is_short() {
            return Ok(());
        }
        let until = Instant::now() + options.queue_wait_max;
        while Instant::now() < until {
            // Who does not publish knows the watermark of the last time somebody waited.
            if let Ok((watermark, _)) = self.shared.catalog.watermark(self.shared.info.id).await {
                progress.published(watermark);
            }
            if is_short() {
                return Ok(());
            }
            progress.want(progress.lane().head);
            sleep(LAG_PAUSE).await;
        }
        let message = format!("{} writes are waiting to be published", options.lag_max);
        Err(AppendError::new(AppendErrorKind::QueueFull, message))
    }

    async fn enqueue(&self, queued: Queued) -> Result<(), AppendError> {
        let queued = match self.queue.try_send(queued) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(AppendError::closed()),
            Err(mpsc::error::TrySendError::Full(queued)) => queued,
        };
        let wait = self.shared.options.queue_wait_max;
        self.queue.send_timeout(queued, wait).await.map_err(|e| match e {
            mpsc::error::SendTimeoutError::Timeout(_) => queue_full(),
            mpsc::error::SendTimeoutError::Closed(_) => AppendError::closed(),
        })
    }
}

fn queue_full() -> AppendError {
    AppendError::new(AppendErrorKind::QueueFull, "too many writes are waiting for the log")
}

/// What a caller can do wrong, found before the write is queued; gives its size in memory.
fn check(write: &Write, bytes_max: usize) -> Result<usize, AppendError> {
    let invalid = |message: &str| Err(AppendError::new(AppendErrorKind::Invalid, message));
    if write.parts.is_empty() {
        return invalid("a write without parts");
    }
    // Postgres has no NUL in text: found there, it would fail the whole group.
    let unfit = |key: &str| key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0');
    if write.key.as_ref().is_some_and(|k| unfit(&k.key)) {
        return invalid("an idempotency key has 1 to 512 bytes without NUL");
    }
    let mut bytes = 0;
    for part in &write.parts {
        if let Part::Rows { columns, batch, .. } = part
            && columns.len() != batch.num_columns()
        {
            return invalid("columns and batch differ");
        }
        bytes += gather::size(part);
    }
    if bytes > bytes_max {
        let message = format!("a write of {bytes} bytes is larger than the limit of {bytes_max}");
        return Err(AppendError::new(AppendErrorKind::TooLarge, message));
    }
    Ok(bytes)
}

async fn commit_groups(shared: Arc<Shared>, mut queue: mpsc::Receiver<Queued>, mut stop: watch::Receiver<Stop>) {
    let mut left = VecDeque::new();
    let mut running = true;
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop), if running => {
                // What is in the queue is still taken; a new write is refused.
                running = false;
                queue.close();
            }
            first = queue.recv(), if left.is_empty() => match first {
                Some(first) => left.push_back(first),
                None => return,
            },
            () = std::future::ready(()), if !left.is_empty() => {
                // The writers that the last group woke get a chance to come into this one.
                tokio::task::yield_now().await;
                let group = next_group(&shared, &mut left, &mut queue);
                if commit(&shared, group).await == Log::IsSilent {
                    // They waited behind it for as long as anybody does, and would wait for the same.
                    let behind: Vec<_> = left.drain(..).chain(std::iter::from_fn(|| queue.try_recv().ok())).collect();
                    refuse(&shared, behind, &silent());
                }
            }
        }
    }
}

/// Ends when the lake stops or is gone.
async fn stopped(stop: &mut watch::Receiver<Stop>) {
    let _ = stop.wait_for(|stop| *stop != Stop::No).await;
}

/// Takes what is there, up to the limits of a group.
fn next_group(shared: &Shared, left: &mut VecDeque<Queued>, queue: &mut mpsc::Receiver<Queued>) -> Vec<Queued> {
    let options = &shared.options;
    let (mut group, mut bytes) = (Vec::new(), 0);
    while group.len() < options.group_writes_max.max(1) {
        let Some(write) = left.pop_front().or_else(|| queue.try_recv().ok()) else {
            break;
        };
        if !group.is_empty() && bytes + write.bytes > options.group_bytes_max {
            left.push_front(write);
            break;
        }
        bytes += write.bytes;
        group.push(write);
    }
    group
}

fn silent() -> AppendError {
    AppendError::new(AppendErrorKind::Unavailable, "the log does not answer")
}

/// Whether there is somebody to append to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Answers,
    /// It took all the time there is, and what became of an append is not known.
    IsSilent,
}

/// Appends a group and answers each of its writes. A record that was refused for a repeated key goes again
/// without it.
async fn commit(shared: &Arc<Shared>, mut group: Vec<Queued>) -> Log {
    shared.meters.group_writes.record(group.len() as f64);
    let (last, first): (Vec<_>, Vec<_>) = group.into_iter().partition(|queued| queued.write.validated.is_some());
    group = first;
    while !group.is_empty() {
        let (records, writes): (Vec<_>, Vec<_>) = gather(group).await.into_iter().map(|g| (g.record, g.writes)).unzip();
        if records.is_empty() {
            break;
        }
        let sizes: Vec<(u32, usize, bool)> = records.iter().map(|r| (r.offsets, r.body.len(), r.ddl)).collect();
        let outcomes = match shared.bus.append(shared.info.id, records).await {
            Ok(outcomes) => outcomes,
            Err(e) => {
                let failed_with_them = writes.into_iter().flatten().chain(last);
                return failed(shared, failed_with_them, e);
            }
        };
        announce(shared, &sizes, &outcomes);
        group =
            writes.into_iter().zip(outcomes).flat_map(|(writes, outcome)| answer(shared, writes, outcome)).collect();
    }
    let mut last = last.into_iter();
    while let Some(queued) = last.next() {
        if validated::commit(shared, queued).await == Log::IsSilent {
            refuse(shared, last, &silent());
            return Log::IsSilent;
        }
    }
    Log::Answers
}

/// The log took none of these writes, or nobody knows.
fn failed(shared: &Arc<Shared>, writes: impl IntoIterator<Item = Queued>, error: BusError) -> Log {
    tracing::warn!(lake = %shared.info.name, %error, "append failed");
    let unknown = error.kind() == BusErrorKind::Unknown;
    refuse(shared, writes, &AppendError::from(error));
    if !unknown {
        return Log::Answers;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move { look(&shared).await });
    Log::IsSilent
}

/// After an unknown outcome the lane may be further than was announced: what is in it is to be published.
async fn look(shared: &Shared) {
    if let Ok(lane) = shared.bus.lane(shared.info.id).await {
        shared.progress.observe(lane);
        shared.progress.wake();
    }
}

/// Records of a group; large ones are encoded off the runtime's workers.
async fn gather(group: Vec<Queued>) -> Vec<Gathered> {
    if group.iter().map(|w| w.bytes).sum::<usize>() < INLINE_BYTES_MAX {
        return gather::records(group);
    }
    // A panic while encoding drops the writes; their callers learn that the outcome is unknown.
    tokio::task::spawn_blocking(move || gather::records(group)).await.unwrap_or_default()
}

/// Tells the coordinator and the counters what is in the log now, before any writer is told.
fn announce(shared: &Shared, sizes: &[(u32, usize, bool)], outcomes: &[AppendOutcome]) {
    let (mut head, mut ddl, mut frames, mut bytes) = (Offset::ZERO, None, 0, 0);
    for ((offsets, size, is_ddl), outcome) in sizes.iter().zip(outcomes) {
        if let AppendOutcome::Appended { first } = outcome {
            head = head.max(Offset::new(first.get() + i64::from(*offsets) - 1));
            ddl = if *is_ddl { Some(*first) } else { ddl };
            frames += u64::from(*offsets);
            bytes += *size as u64;
        }
    }
    if frames > 0 {
        shared.meters.frames.increment(frames);
        shared.meters.bytes.increment(bytes);
        let urgency = shared.progress.appended(head, ddl, bytes, shared.options.commit_bytes);
        if let Some(signals) = shared.signals_to_leader() {
            match urgency {
                Urgency::None => {}
                Urgency::Tell => signals.appended(shared.info.id, head),
                Urgency::Publish => signals.wanted(shared.info.id, head),
            }
        }
    }
}

/// Answers the writes of one record; gives back those that must be appended again without their neighbours.
fn answer(shared: &Shared, writes: Vec<Queued>, outcome: AppendOutcome) -> Vec<Queued> {
    match outcome {
        AppendOutcome::Appended { first } => {
            let mut rows = 0;
            for (offset, queued) in (first.get()..).map(Offset::new).zip(writes) {
                rows += gather::rows(&queued.write);
                let _ = queued.reply.send(Ok(Appended { offset, duplicate: false }));
            }
            shared.meters.rows.increment(rows);
            Vec::new()
        }
        AppendOutcome::Stale { current } => {
            let kind = AppendErrorKind::StaleSchema { current };
            refuse(shared, writes, &AppendError::new(kind, "the schema changed meanwhile"));
            Vec::new()
        }
        AppendOutcome::Moved => {
            refuse(shared, writes, &validated::rows_arrived());
            Vec::new()
        }
        AppendOutcome::GivenUp => {
            let message = "staged rows were given up, because nothing was heard of the server for so long";
            refuse(shared, writes, &AppendError::new(AppendErrorKind::GivenUp, message));
            Vec::new()
        }
        AppendOutcome::KeysSeen(seen) => {
            let (repeated, again): (Vec<_>, Vec<_>) =
                (0_u32..).zip(writes).partition(|(index, _)| seen.iter().any(|s| s.index == *index));
            for (index, queued) in repeated {
                if let Some(seen) = seen.iter().find(|s| s.index == index) {
                    // Another process may have written it: a barrier on it is not above the head.
                    shared.progress.observe(LaneState { head: seen.first, ddl_offset: Offset::ZERO });
                    let _ = queued.reply.send(repeat(*seen));
                }
            }
            again.into_iter().map(|(_, queued)| queued).collect()
        }
    }
}

/// What the repeat of a key gets.
fn repeat(seen: SeenKey) -> Result<Appended, AppendError> {
    if seen.same_payload {
        return Ok(Appended { offset: seen.first, duplicate: true });
    }
    let message = "the idempotency key was used with another payload";
    Err(AppendError::new(AppendErrorKind::KeyReused, message))
}

fn refuse(shared: &Shared, writes: impl IntoIterator<Item = Queued>, error: &AppendError) {
    for queued in writes {
        shared.meters.refused.increment(1);
        let _ = queued.reply.send(Err(error.clone()));
    }
}
