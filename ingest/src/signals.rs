//! How processes on one Postgres wake each other: by NOTIFY, over one listening connection for all lakes.
//!
//! A signal is a hint and never a fact: who gets one asks the database. One that is lost costs a second at most, because
//! whoever waits also looks by itself; while nothing is heard, it looks often.
//!
//! Why signals are sent beside the transactions they tell of, and not in them: a transaction that notified takes a lock of the
//! whole database for its commit, so that the commits of all lakes would wait for each other's disk
//! (`docs/decisions/0013-listen-notify-and-incarnation.md`).

mod told;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use duckmesh_catalog::{
    LakeId, Offset,
    postgres::{Alone, Connections, Failure},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

pub use self::told::Heard;
pub(crate) use self::told::head as told_so_far;
use crate::lake::Shared;

/// The channel; Postgres divides channels by database, and a database has one deployment.
const CHANNEL: &str = "duckmesh";
/// Every process says that it is there this often, and hears itself: a listener that hears nothing is not one.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a heartbeat may take to be heard.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(2);
/// A process that was not heard of for so long is gone.
const PEER_LIMIT: Duration = Duration::from_secs(16);
/// Before the next try to listen: where the server is away, and where what is sent does not arrive (a pooler between).
const RETRY: Duration = Duration::from_millis(500);
const RETRY_DEAF: Duration = Duration::from_secs(30);
/// Signals of one statement.
const BATCH: usize = 64;

/// What is said of a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// There is something in its log, after there was nothing.
    Appended,
    /// Somebody waits for an offset.
    Wanted,
    /// The watermark moved.
    Published,
}

impl Kind {
    const ALL: [(Self, &'static str); 3] = [(Self::Appended, "a"), (Self::Wanted, "w"), (Self::Published, "p")];

    fn letter(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, letter)| letter)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, letter)| *letter == text).map(|(kind, _)| *kind)
    }
}

/// The signals of one process. Cheap to clone; they end with the last of its clones.
#[derive(Clone)]
pub struct Signals {
    inner: Arc<Inner>,
    _tasks: Arc<Tasks>,
}

struct Inner {
    connections: Connections,
    /// This process: what it said itself it need not hear.
    me: Arc<str>,
    lakes: Mutex<HashMap<LakeId, Vec<Weak<Shared>>>>,
    outbox: Mutex<BTreeMap<(LakeId, Kind), Offset>>,
    told: Arc<told::Told>,
    wake: Notify,
    /// Whether what is said is heard here.
    heard: watch::Sender<bool>,
    /// When another process was last heard of.
    peer: Mutex<Option<Instant>>,
}

struct Tasks([JoinHandle<()>; 4]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Signals {
    /// Begins to listen; what others told up to `told` was before.
    pub(crate) fn start(connections: Connections, me: Arc<str>, told: i64) -> Self {
        let told = Arc::new(told::Told::new(connections.clone(), me.clone(), told));
        let inner = Arc::new(Inner {
            connections,
            me,
            lakes: Mutex::default(),
            outbox: Mutex::default(),
            told: told.clone(),
            wake: Notify::new(),
            heard: watch::Sender::new(false),
            peer: Mutex::default(),
        });
        let heard = inner.heard.subscribe();
        let tasks = [
            tokio::spawn(talk(inner.clone())),
            tokio::spawn(listen(inner.clone())),
            tokio::spawn(told::store(told.clone())),
            tokio::spawn(told::read(told, heard)),
        ];
        Self { inner, _tasks: Arc::new(Tasks(tasks)) }
    }

    /// Whether signals of others arrive: else one has to look by oneself, and often.
    #[must_use]
    pub fn are_heard(&self) -> bool {
        *self.inner.heard.borrow()
    }

    /// Changes with [`Self::are_heard`].
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.inner.heard.subscribe()
    }

    /// The lake gets what others say of it, while it lives.
    pub(crate) fn join(&self, shared: &Arc<Shared>) {
        let mut lakes = lock(&self.inner.lakes);
        let of_lake = lakes.entry(shared.info.id).or_default();
        of_lake.retain(|lake| lake.strong_count() > 0);
        of_lake.push(Arc::downgrade(shared));
    }

    /// Tells all other processes something, each once: their [`Self::told`] give it, in the order it was said here. Those that do
    /// not hear it now read it later, within some minutes.
    pub fn tell(&self, text: &str) {
        self.inner.told.tell(text);
    }

    /// What other processes tell, from this one's start on; to the last one who asked.
    #[must_use]
    pub fn told(&self) -> mpsc::Receiver<Heard> {
        self.inner.told.taken()
    }

    /// Tells others that the log has something up to this offset.
    pub(crate) fn appended(&self, lake: LakeId, head: Offset) {
        self.say(lake, Kind::Appended, head);
    }

    /// Tells others that somebody waits for this offset.
    pub(crate) fn wanted(&self, lake: LakeId, offset: Offset) {
        self.say(lake, Kind::Wanted, offset);
    }

    /// Tells others that the watermark is here.
    pub(crate) fn published(&self, lake: LakeId, watermark: Offset) {
        self.say(lake, Kind::Published, watermark);
    }

    fn say(&self, lake: LakeId, kind: Kind, offset: Offset) {
        // Who hears, and hears of nobody, is alone.
        if self.are_heard() && !self.inner.has_peers() {
            return;
        }
        let mut outbox = lock(&self.inner.outbox);
        let last = outbox.entry((lake, kind)).or_insert(offset);
        *last = offset.max(*last);
        drop(outbox);
        self.inner.wake.notify_one();
    }
}

impl Inner {
    fn has_peers(&self) -> bool {
        lock(&self.peer).is_some_and(|at| at.elapsed() < PEER_LIMIT)
    }

    /// Says something to all who listen. It need not survive a crash, so that it waits for no disk.
    async fn notify(&self, channel: &str, payloads: &[String]) -> Result<(), Failure> {
        let client = self.connections.get().await?;
        let sql = "SELECT set_config('synchronous_commit', 'off', true), count(pg_notify($1, p))
            FROM unnest($2::text[]) AS said (p)";
        let said = self.connections.bounded(async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, &[&channel, &payloads]).await
        });
        let said = said.await.map(drop);
        if said.as_ref().is_err_and(Failure::is_of_connection) {
            Connections::discard(client);
        }
        said
    }

    fn heartbeat(&self) -> String {
        format!("{} h", self.me)
    }

    /// A payload: `<process> h`, or `<process> <kind> <lake> <offset>`. What is none of these is of a newer program.
    fn hear(&self, payload: &str) -> bool {
        let mut words = payload.split(' ');
        let (from, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if from == &*self.me {
            return kind == "h";
        }
        *lock(&self.peer) = Some(Instant::now());
        let mut number = || words.next()?.parse::<i64>().ok();
        if let (Some(kind), Some(lake), Some(offset)) = (Kind::parse(kind), number(), number()) {
            for lake in self.lakes_of(LakeId::new(lake)) {
                match kind {
                    Kind::Appended => lake.progress.told(Offset::new(offset), false),
                    Kind::Wanted => lake.progress.told(Offset::new(offset), true),
                    Kind::Published => lake.progress.rumoured(Offset::new(offset)),
                }
            }
        }
        false
    }

    fn lakes_of(&self, lake: LakeId) -> Vec<Arc<Shared>> {
        lock(&self.lakes).get(&lake).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// Much may have been said while nobody listened: everybody looks.
    fn everybody_looks(&self) {
        let lakes: Vec<_> = lock(&self.lakes).values().flatten().filter_map(Weak::upgrade).collect();
        lakes.iter().for_each(|lake| lake.progress.hint());
    }
}

/// Sends what is to be said; what cannot be sent is dropped, because those who wait look by themselves.
async fn talk(inner: Arc<Inner>) {
    loop {
        inner.wake.notified().await;
        loop {
            let said: Vec<String> = {
                let mut outbox = lock(&inner.outbox);
                let some: Vec<_> = outbox.keys().take(BATCH).copied().collect();
                let of = |key: &(LakeId, Kind), at: Offset| format!("{} {} {} {at}", inner.me, key.1.letter(), key.0);
                some.iter().filter_map(|key| outbox.remove(key).map(|at| of(key, at))).collect()
            };
            if said.is_empty() {
                break;
            }
            if let Err(error) = inner.notify(CHANNEL, &said).await {
                tracing::debug!(%error, "could not signal to other servers");
            }
        }
    }
}

/// Listens, for ever.
async fn listen(inner: Arc<Inner>) {
    let mut told = false;
    loop {
        let pause = match inner.connections.alone().await {
            Ok(alone) => match listen_on(&inner, alone).await {
                Ended::Lost => {
                    told = false;
                    RETRY
                }
                Ended::Deaf => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("LISTEN brings nothing (a pooler in transaction mode?): looking often instead");
                    }
                    RETRY_DEAF
                }
            },
            Err(error) => {
                tracing::debug!(%error, "cannot listen to other servers");
                RETRY
            }
        };
        inner.heard.send_replace(false);
        sleep(pause).await;
    }
}

/// Why a listening connection is given up.
enum Ended {
    /// It was good, or could have been.
    Lost,
    /// What is said does not arrive on it.
    Deaf,
}

async fn listen_on(inner: &Inner, mut alone: Alone) -> Ended {
    let listening =
        timeout(HEARTBEAT_LIMIT, alone.client.batch_execute(&format!("LISTEN {CHANNEL}; LISTEN {}", told::CHANNEL)))
            .await;
    if !matches!(listening, Ok(Ok(()))) {
        return Ended::Lost;
    }
    // Of what was told before nothing is heard here.
    inner.told.hint();
    loop {
        // Over another connection: what comes back has gone the way that the others' signals go.
        if inner.notify(CHANNEL, &[inner.heartbeat()]).await.is_err() {
            return Ended::Lost;
        }
        let said = Instant::now();
        let mut heard = false;
        loop {
            let until = said + if heard { HEARTBEAT } else { HEARTBEAT_LIMIT };
            tokio::select! {
                biased;
                notification = alone.notifications.recv() => match notification {
                    Some(notification) if notification.channel() == told::CHANNEL => inner.told.hint(),
                    Some(notification) if inner.hear(notification.payload()) => {
                        heard = true;
                        if !inner.heard.send_replace(true) {
                            tracing::info!("listening to other servers");
                            inner.everybody_looks();
                        }
                    }
                    Some(_) => {}
                    None => return Ended::Lost,
                },
                () = sleep_until(until) => match heard {
                    true => break,
                    false => return if *inner.heard.borrow() { Ended::Lost } else { Ended::Deaf },
                },
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
