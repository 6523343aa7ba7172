//! This server among others of one Postgres catalog: it says that it lives, and takes its share of the lakes.
//!
//! Two tasks, each with one statement or two from time to time, however many lakes there are. A lake that nobody writes to
//! costs no statement of its own.

pub mod ask;
pub mod assign;
pub mod cancel;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use duckmesh_catalog::{
    Catalog, ErrorKind, LakeId, LakeName, Node, NodeSpec, Roles,
    fleet::{Beat, Fleet as View, LakeRow},
};
use duckmesh_ingest::{Lake, bus::LaneState};
use futures::StreamExt;
use tokio::{
    sync::{Mutex, Notify},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{config::Config, session::Server};

/// A server says that it lives so often in the time that it counts as alive: two that are lost do no harm.
const BEATS_PER_LEASE: u32 = 3;
/// How often it looks at the others in that time: what a dead or leaving one did is taken over within two.
const LOOKS_PER_LEASE: u32 = 5;
/// What a beat may take at least: a slow machine is not a dead connection.
const BEAT_LIMIT_MIN: Duration = Duration::from_secs(1);
/// But not less often than this: a look also says what others wrote.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Lakes opened at once.
const OPENED_AT_ONCE: usize = 4;
/// How long a server whose publication hung leaves publishing to the others, if there are any.
const REST: Duration = Duration::from_secs(60);
/// How long the last words to the catalog may take.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

/// Lakes that are open here. Made once a look: a deployment may have thousands, and each is looked for.
type Opened = HashMap<LakeId, (LakeName, Arc<Lake>)>;

/// This server among the others.
pub struct Fleet {
    server: Arc<Server>,
    node: Node,
    spec: NodeSpec,
    roles: Roles,
    lease: Duration,
    /// Its place among the others is another's by now.
    is_displaced: Notify,
    /// Whether it leaves its duties to others.
    is_retired: AtomicBool,
    /// Lakes it was told to publish. Held during a look.
    mine: Mutex<HashSet<LakeId>>,
    /// Lakes that are being opened to be maintained.
    taking: std::sync::Mutex<HashSet<LakeId>>,
    /// Since when it leaves publishing to the others, because a publication of it hung.
    resting: Mutex<Option<Instant>>,
}

/// The tasks; they end with this.
pub struct Running {
    fleet: Arc<Fleet>,
    tasks: Vec<JoinHandle<()>>,
}

/// Comes among the servers of a shared catalog.
///
/// # Errors
/// Of the catalog.
pub async fn enter(
    catalog: &Catalog,
    config: &Config,
    address: Option<String>,
) -> duckmesh_catalog::catalog::Result<(Node, NodeSpec)> {
    let name = format!("pid-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
    let spec = NodeSpec { name, address, roles: config.roles };
    Ok((catalog.enter_fleet(&spec, config.lease).await?, spec))
}

/// Starts the tasks of a server that came; `more` ends with them.
#[must_use]
pub fn start(server: Arc<Server>, place: (Node, NodeSpec), config: &Config, more: JoinHandle<()>) -> Running {
    let (node, spec) = place;
    let fleet = Arc::new(Fleet {
        server,
        node,
        spec,
        roles: config.roles,
        lease: config.lease,
        is_displaced: Notify::new(),
        is_retired: AtomicBool::new(false),
        mine: Mutex::default(),
        taking: std::sync::Mutex::default(),
        resting: Mutex::default(),
    });
    let (beats, pins, looks, ears) = (fleet.clone(), fleet.clone(), fleet.clone(), fleet.clone());
    let beats = tokio::spawn(async move { beats.beat().await });
    let pins = tokio::spawn(async move { pins.tell_pins().await });
    let looks = tokio::spawn(async move { looks.look().await });
    let ears = tokio::spawn(async move { ears.hear().await });
    let tasks = vec![beats, pins, looks, ears, more];
    Running { fleet, tasks }
}

impl Running {
    /// Leaves this server's duties to the others, if there are any; at the beginning of a stop.
    pub async fn retire(&self) {
        self.fleet.retire().await;
    }

    /// Waits until another server has this one's place, because it was not heard of for so long: its clients' keys are that
    /// one's, and it must end.
    pub async fn displaced(&self) {
        self.fleet.is_displaced.notified().await;
    }

    /// Goes; at the end of a stop.
    pub async fn leave(self) {
        for task in &self.tasks {
            task.abort();
        }
        let leave = self.fleet.catalog().leave_fleet(&self.fleet.node);
        if !matches!(tokio::time::timeout(LEAVE_WAIT, leave).await, Ok(Ok(()))) {
            tracing::info!("the others learn by the lease's end that this server is gone");
        }
    }
}

impl Fleet {
    fn catalog(&self) -> &Catalog {
        self.server.lakes.catalog()
    }

    async fn beat(&self) {
        let mut pause = self.lease / BEATS_PER_LEASE;
        // When the last beat began that was answered, and whether one since then was not.
        let (mut heard, mut unheard) = (Instant::now(), false);
        loop {
            sleep(pause).await;
            let began = Instant::now();
            // A connection that says nothing must not cost the lease where another one would do.
            let limit = (self.lease / 2).max(BEAT_LIMIT_MIN);
            let beat = timeout(limit, self.catalog().beat(&self.node, self.lease)).await;
            let beat = match beat {
                // One that was not heard of may have come too late, and would have said so.
                Ok(Ok(Beat::InTime)) if unheard && heard.elapsed() >= self.lease => Ok(Ok(Beat::Late)),
                other => other,
            };
            unheard |= !matches!(beat, Ok(Ok(_)));
            if matches!(beat, Ok(Ok(_))) {
                (heard, unheard) = (began, false);
            }
            pause = match beat {
                Ok(Ok(Beat::InTime)) => self.lease / BEATS_PER_LEASE,
                Ok(Ok(beat)) => {
                    tracing::warn!(node = self.node.name, ?beat, "this server was thought dead");
                    self.revive(beat).await;
                    self.lease / BEATS_PER_LEASE
                }
                Ok(Err(error)) => {
                    tracing::warn!(%error, "could not say that this server lives");
                    self.lease / (BEATS_PER_LEASE * 4)
                }
                Err(_) => {
                    tracing::warn!("could not say that this server lives: no answer in time");
                    Duration::ZERO
                }
            };
        }
    }

    /// Says what is read here; beside the beats, which must not wait for it.
    async fn tell_pins(&self) {
        loop {
            sleep(self.lease / BEATS_PER_LEASE).await;
            if let Err(error) = self.server.lakes.tell_pins().await {
                tracing::warn!(%error, "could not say what is read here");
            }
        }
    }

    /// Passes on what sessions of other gateways notify of.
    async fn hear(&self) {
        let Some(mut told) = self.server.lakes.told() else { return };
        while let Some(heard) = told.recv().await {
            self.server.lakes.hear(&heard);
        }
    }

    /// After it was thought dead: what it held may be another's.
    async fn revive(&self, beat: Beat) {
        // Sessions that believe in locks which another gateway's may have by now must not go on.
        let owners = self.server.lakes.lock_owners();
        owners.iter().for_each(|owner| self.server.cancels.end(*owner));
        // Of these alone: a session that comes now may have a lock.
        if let Err(error) = self.catalog().release_locks_of(&self.node, &owners).await {
            tracing::warn!(%error, "could not give back advisory locks");
        }
        if beat == Beat::Forgotten {
            *self.resting.lock().await = None;
        }
        if beat != Beat::Forgotten {
            return;
        }
        match self.catalog().enter_again(&self.node, &self.spec, self.lease).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                tracing::error!("another server has this one's place: it stops");
                self.is_displaced.notify_one();
            }
            Err(error) => tracing::warn!(%error, "could not come back among the servers"),
        }
    }

    async fn look(self: &Arc<Self>) {
        let pause = (self.lease / LOOKS_PER_LEASE).min(LOOK_PAUSE_MAX);
        loop {
            match self.catalog().fleet().await {
                Ok(view) => self.apply(&view).await,
                Err(error) => tracing::warn!(%error, "could not look at the other servers"),
            }
            sleep(pause).await;
        }
    }

    async fn apply(self: &Arc<Self>, view: &View) {
        metrics::gauge!("duckmesh_servers").set(view.members.len() as f64);
        let mut mine = self.mine.lock().await;
        let rows: HashMap<LakeId, &LakeRow> = view.lakes.iter().map(|row| (row.id, row)).collect();
        let mut opened = self.opened();
        self.follow(&rows, &mut opened).await;
        if self.roles.coordinator && !self.is_retired.load(Ordering::Relaxed) {
            mine.retain(|id| rows.contains_key(id));
            let orders = match self.rests(view, &mut mine, &opened).await {
                true => assign::Orders::default(),
                false => assign::publishing(&self.node.name, view, &mine),
            };
            for id in &orders.give {
                mine.remove(id);
                with_open(&opened, *id, |lake| lake.lead(false));
            }
            let take: Vec<LakeRow> =
                orders.take.iter().filter_map(|id| rows.get(id).map(|row| (*row).clone())).collect();
            mine.extend(&orders.take);
            if !take.is_empty() {
                self.open(take);
            }
            metrics::gauge!("duckmesh_lakes_published").set(mine.len() as f64);
        }
        if self.roles.maintenance && !self.is_retired.load(Ordering::Relaxed) {
            self.maintain(view, &opened).await;
        }
        if !self.roles.gateway {
            drop(opened);
            self.close_unneeded(&rows, &mine).await;
        }
    }

    fn opened(&self) -> Opened {
        self.server.lakes.opened().into_iter().map(|(name, id, lake)| (id, (name, lake))).collect()
    }

    /// After a publication hung here, the others publish, if there are any: where one hung the next may. Alone it goes on.
    async fn rests(&self, view: &View, mine: &mut HashSet<LakeId>, opened: &Opened) -> bool {
        let hung: Vec<LakeId> = opened.iter().filter(|(_, (_, lake))| lake.take_gave_up()).map(|(id, _)| *id).collect();
        mine.retain(|id| !hung.contains(id));
        let others = view.members.iter().any(|m| m.roles.coordinator && m.id != self.node.id);
        let mut resting = self.resting.lock().await;
        let is_sick = opened.values().any(|(_, lake)| lake.is_stuck());
        let rests = others && (!hung.is_empty() || resting.is_some_and(|since| is_sick || since.elapsed() < REST));
        if rests == resting.is_some() {
            return rests;
        }
        let roles = Roles { coordinator: !rests && self.roles.coordinator, ..self.roles };
        if let Err(error) = self.catalog().change_roles(&self.node, roles).await {
            tracing::warn!(%error, "could not tell the others who publishes");
            return resting.is_some();
        }
        *resting = rests.then(Instant::now);
        if rests {
            tracing::warn!(lakes = mine.len(), "a publication hung here: publishing is left to the others");
            mine.drain().for_each(|id| with_open(opened, id, |lake| lake.lead(false)));
        } else {
            tracing::info!("takes part in publishing again");
        }
        rests
    }

    /// Tells open lakes what was written, and closes those that are gone.
    async fn follow(&self, rows: &HashMap<LakeId, &LakeRow>, opened: &mut Opened) {
        let gone: Vec<LakeId> = opened.keys().filter(|id| !rows.contains_key(id)).copied().collect();
        for (id, (_, lake)) in opened.iter() {
            if let Some((head, ddl_offset)) = rows.get(id).and_then(|row| row.lane) {
                lake.observe(LaneState { head, ddl_offset });
            }
        }
        for id in gone {
            let Some((name, lake)) = opened.remove(&id) else { continue };
            drop(lake);
            if self.server.lakes.close(&name, id).await {
                tracing::info!(lake = %name, "the lake was dropped by another server");
            }
        }
    }

    /// Opens lakes and publishes them, beside the looks: one that opens slowly keeps nobody waiting. Those that cannot be
    /// opened are tried again at a later look.
    fn open(self: &Arc<Self>, rows: Vec<LakeRow>) {
        let fleet = self.clone();
        tokio::spawn(async move {
            let open = |row: LakeRow| fleet.open_one(row);
            futures::stream::iter(rows).for_each_concurrent(OPENED_AT_ONCE, open).await;
        });
    }

    async fn open_one(&self, row: LakeRow) {
        let opened = self.server.lakes.open(&row.name).await;
        let mut mine = self.mine.lock().await;
        match opened {
            // It may have been left to another one meanwhile.
            Ok(Some(open)) if open.info.id == row.id => open.lake.lead(mine.contains(&row.id)),
            Ok(_) => drop(mine.remove(&row.id)),
            // One lake's damage is that lake's.
            Err(error) => {
                mine.remove(&row.id);
                tracing::warn!(lake = %row.name, %error, "cannot open the lake");
            }
        }
    }

    async fn maintain(self: &Arc<Self>, view: &View, opened: &Opened) {
        let me = self.node.name.as_str();
        let mut take = Vec::new();
        for row in &view.lakes {
            // Another took it over while this server was thought dead.
            if row.maintainer.as_deref() != Some(me) {
                with_open(opened, row.id, |lake| lake.maintain(false));
            }
            let (is_wanted, has) = (assign::maintains(me, view, row), row.maintainer.as_deref() == Some(me));
            let done = match (is_wanted, has) {
                (true, false) if row.maintainer.is_none() && self.taking().insert(row.id) => {
                    take.push(row.clone());
                    Ok(())
                }
                (false, true) => {
                    with_open(opened, row.id, |lake| lake.maintain(false));
                    self.catalog().drop_maintenance(row.id, me).await
                }
                _ => Ok(()),
            };
            if let Err(error) = done {
                tracing::warn!(lake = %row.name, %error, "could not change who maintains the lake");
            }
        }
        if take.is_empty() {
            return;
        }
        // Beside the looks, as those that are published.
        let fleet = self.clone();
        tokio::spawn(async move {
            let one = |row: LakeRow| fleet.maintain_one(row);
            futures::stream::iter(take).for_each_concurrent(OPENED_AT_ONCE, one).await;
        });
    }

    fn taking(&self) -> std::sync::MutexGuard<'_, HashSet<LakeId>> {
        self.taking.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn maintain_one(&self, row: LakeRow) {
        if let Err(error) = self.take_maintenance(&row).await {
            tracing::warn!(lake = %row.name, %error, "could not change who maintains the lake");
        }
        self.taking().remove(&row.id);
    }

    async fn take_maintenance(&self, row: &LakeRow) -> duckmesh_catalog::catalog::Result<()> {
        match self.server.lakes.open(&row.name).await {
            Ok(Some(open)) if open.info.id == row.id => {
                if self.catalog().take_maintenance(row.id, &self.node.name).await? {
                    open.lake.maintain(true);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(lake = %row.name, %error, "cannot open the lake"),
        }
        Ok(())
    }

    /// Without clients only lakes with a duty are kept open.
    async fn close_unneeded(&self, rows: &HashMap<LakeId, &LakeRow>, mine: &HashSet<LakeId>) {
        let me = Some(self.node.name.as_str());
        let is_maintained = |id: LakeId| rows.get(&id).is_some_and(|row| row.maintainer.as_deref() == me);
        let unneeded: Vec<(LakeName, LakeId)> = self
            .server
            .lakes
            .opened()
            .into_iter()
            .filter(|(_, id, lake)| !mine.contains(id) && !lake.is_leading() && !is_maintained(*id))
            .map(|(name, id, _)| (name, id))
            .collect();
        for (name, id) in unneeded {
            // Maintenance that was taken since this look is not in the view yet.
            let is_taken = self.taking().contains(&id);
            if !is_taken && !self.is_maintaining(id) {
                self.server.lakes.close(&name, id).await;
            }
        }
    }

    fn is_maintaining(&self, id: LakeId) -> bool {
        self.server.lakes.opened().into_iter().any(|(_, of, lake)| of == id && lake.is_maintaining())
    }

    async fn retire(&self) {
        let others = match self.catalog().fleet().await {
            Ok(view) => view.members.iter().any(|m| m.roles.coordinator && m.id != self.node.id),
            Err(_) => false,
        };
        // Alone it publishes to its end: nobody else would.
        if !others || self.is_retired.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut mine = self.mine.lock().await;
        let roles = Roles { coordinator: false, maintenance: false, ..self.roles };
        if let Err(error) = self.catalog().change_roles(&self.node, roles).await {
            tracing::warn!(%error, "could not tell the others that this server stops");
        }
        for (_, _, lake) in self.server.lakes.opened() {
            lake.lead(false);
            lake.maintain(false);
        }
        tracing::info!(lakes = mine.len(), "left to other coordinators");
        mine.clear();
    }
}

fn with_open(opened: &Opened, id: LakeId, act: impl Fn(&Lake)) {
    if let Some((_, lake)) = opened.get(&id) {
        act(lake);
    }
}
