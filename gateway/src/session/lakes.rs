//! The lakes this server has open: log, files, engine and scratch folder of each.

mod dropping;
mod making;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use duckmesh_catalog::{
    Catalog, FileId, Incarnations, LakeId, LakeInfo, LakeName, Node, SnapshotId, pins::PinReport, postgres::Connections,
};
use duckmesh_ingest::{
    Bus, Heard, Kept, Lake, LakeOptions, LeaseKeeping, PostgresBus, PostgresBusOptions, Signals, SqliteBus, queue_room,
};
use duckmesh_storage::{LakeFiles, Location, Stores};
use tokio::sync::{Mutex, OnceCell, Semaphore, mpsc};

use super::{
    advisory::Locks,
    channels::{self, Channels},
    prefetch::{Prefetch, Reads},
    sequences::Sequences,
};
use crate::{
    commands::failure,
    config::Config,
    engine::{Engine, EngineOptions},
    limits::SCRATCH_FILE_PREFIX,
    pgcatalog, sql,
    wire::{PgError, PgResult},
};

/// One open lake.
pub struct OpenLake {
    /// What the registry says of it.
    pub info: LakeInfo,
    /// The histories that its tokens belong to.
    pub incarnations: Incarnations,
    /// Its log, group commit, coordinator and waiters.
    pub lake: Arc<Lake>,
    /// Its Parquet files.
    pub files: LakeFiles,
    /// Its DuckDB.
    pub engine: Engine,
    /// How engines of this lake are made.
    pub engine_options: EngineOptions,
    /// Folder of files that clients copy and that are read when they are whole.
    pub spool: PathBuf,
    /// Folder for Parquet files of open transactions and of system relations.
    pub scratch: PathBuf,
    /// The files of system relations in it.
    pub system: pgcatalog::Files,
    /// What the footers of some of its files said.
    pub has_columns: HasColumns,
    /// The numbers of its sequences.
    pub sequences: Sequences,
    /// Its advisory locks.
    pub locks: Arc<Locks>,
    /// Its channels.
    pub channels: Arc<Channels>,
    /// What was asked of the catalog and is not there.
    pub unsupported: pgcatalog::Unsupported,
    /// The tables that are read, where their files are in a bucket.
    pub reads: Option<Arc<Reads>>,
}

/// Files that were asked whether they have their table's columns.
#[derive(Default)]
pub struct HasColumns(std::sync::Mutex<HashMap<FileId, bool>>);

impl HasColumns {
    const FILES_MAX: usize = 10_000;

    /// What is known of a file.
    #[must_use]
    pub fn get(&self, file: FileId) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&file).copied()
    }

    /// Remembers what a file said.
    pub fn insert(&self, file: FileId, has: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::FILES_MAX {
            known.clear();
        }
        known.insert(file, has);
    }
}

/// All open lakes.
pub struct Lakes {
    config: Arc<Config>,
    catalog: Catalog,
    stores: Stores,
    /// This server among others of the same catalog; none where it is alone.
    node: Option<Node>,
    /// Lakes that were opened, for as long as somebody has them.
    known: std::sync::Mutex<HashMap<LakeId, Known>>,
    /// What the other servers know of this one's readers.
    told: Mutex<HashMap<LakeId, Vec<SnapshotId>>>,
    /// Publications at once.
    turns: Arc<Semaphore>,
    /// Bytes that wait for the log.
    queue_room: Arc<Semaphore>,
    /// The log of all lakes, where they share one.
    shared_bus: OnceCell<Arc<dyn Bus>>,
    /// A place per lake, so that one that opens slowly keeps nobody from the others.
    places: std::sync::Mutex<HashMap<LakeName, Place>>,
}

/// A lake that was opened, seen without its place: that may be held for long.
struct Known {
    name: LakeName,
    lake: Weak<Lake>,
    locks: Weak<Locks>,
    channels: Weak<Channels>,
}

/// Held while the lake is opened or dropped.
type Place = Arc<Mutex<Option<Arc<OpenLake>>>>;

impl Lakes {
    /// None open yet.
    #[must_use]
    pub fn new(config: Arc<Config>, catalog: Catalog, stores: Stores, node: Option<Node>) -> Self {
        let turns = Arc::new(Semaphore::new(config.publications_max));
        let (shared_bus, places, told) = (OnceCell::new(), std::sync::Mutex::default(), Mutex::default());
        let queue_room = queue_room(config.queue_bytes);
        let known = std::sync::Mutex::default();
        Self { config, catalog, stores, node, known, told, turns, queue_room, shared_bus, places }
    }

    /// This server among others of the same catalog; none where it is alone.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Makes what the lakes of a shared catalog have in common.
    ///
    /// # Errors
    /// Of the log.
    pub async fn prepare(&self) -> PgResult<()> {
        if let Some(url) = &self.config.catalog_url {
            self.shared_bus(url).await?;
        }
        Ok(())
    }

    /// Lakes that are open now, and those that were closed and that sessions still have.
    #[must_use]
    pub fn opened(&self) -> Vec<(LakeName, LakeId, Arc<Lake>)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, open| open.lake.strong_count() > 0);
        known.iter().filter_map(|(id, open)| Some((open.name.clone(), *id, open.lake.upgrade()?))).collect()
    }

    /// Tells the other servers what readers of this one keep.
    ///
    /// # Errors
    /// Of the catalog.
    pub async fn tell_pins(&self) -> duckmesh_catalog::catalog::Result<()> {
        let Some(node) = &self.node else { return Ok(()) };
        // Held until it is written: what is older must not come later.
        let mut told = self.catalog.patiently(self.told.lock()).await?;
        let reports: Vec<PinReport> = self
            .opened()
            .into_iter()
            .filter_map(|(_, lake, open)| open.kept().map(|kept| (lake, kept)))
            .map(|(lake, Kept { oldest, snapshots })| PinReport { lake, oldest, snapshots })
            .collect();
        if reports.is_empty() && told.is_empty() {
            return Ok(());
        }
        self.catalog.report_pins(node, &reports).await?;
        *told = reports.into_iter().map(|report| (report.lake, report.snapshots)).collect();
        Ok(())
    }

    /// Tells them of one pin, if they do not know of it yet; whether they did not.
    ///
    /// # Errors
    /// Of the catalog.
    pub async fn tell_pin(&self, lake: LakeId, snapshot: SnapshotId) -> duckmesh_catalog::catalog::Result<bool> {
        let told = self.catalog.patiently(self.told.lock()).await?;
        let is_known = told.get(&lake).is_some_and(|told| told.contains(&snapshot));
        drop(told);
        if self.node.is_none() || is_known {
            return Ok(false);
        }
        self.tell_pins().await?;
        Ok(true)
    }

    /// What sessions of other gateways say to those who listen; none where this server is alone.
    #[must_use]
    pub fn told(&self) -> Option<mpsc::Receiver<Heard>> {
        self.node.as_ref().and(self.shared_bus.get())?.signals().map(Signals::told)
    }

    /// Gives it to the lake that it is for, if that is open here.
    pub fn hear(&self, heard: &Heard) {
        let Heard::Text(text) = heard else {
            tracing::warn!("some notifications of other servers were not heard here: listeners are told so");
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            return known.values().filter_map(|open| open.channels.upgrade()).for_each(|channels| channels.missed());
        };
        let Some((lake, told)) = channels::read(text) else { return };
        let of_lake = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&lake).and_then(|open| open.channels.upgrade())
        };
        if let Some(channels) = of_lake {
            channels.deliver(&told);
        }
    }

    /// Sessions that hold advisory locks, of all lakes.
    #[must_use]
    pub fn lock_owners(&self) -> Vec<i32> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter_map(|open| open.locks.upgrade()).flat_map(|locks| locks.owners()).collect()
    }

    /// Closes a lake that is not there any more, or that nobody needs here; false where it is closed already.
    pub async fn close(&self, name: &LakeName, id: LakeId) -> bool {
        let place = self.place(name);
        let closed = {
            let mut open = place.lock().await;
            let closed = open.take_if(|lake| lake.info.id == id);
            if let Some(lake) = &closed {
                lake.engine.shutdown().await;
                lake.lake.shutdown(Duration::ZERO).await;
            }
            closed.is_some()
        };
        self.leave(name, &place);
        closed
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Opens a lake, or gives the open one. None if there is no such lake.
    ///
    /// # Errors
    /// When its parts cannot be opened.
    pub async fn open(&self, name: &LakeName) -> PgResult<Option<Arc<OpenLake>>> {
        let place = self.place(name);
        let opened = {
            let mut open = self.catalog.patiently(place.lock()).await.map_err(failure::catalog)?;
            if let Some(lake) = open.clone() {
                // Not while the place is held: many who connect ask the catalog beside each other.
                drop(open);
                if !self.is_replaced(&lake).await? {
                    return Ok(Some(lake));
                }
                open = self.catalog.patiently(place.lock()).await.map_err(failure::catalog)?;
                if let Some(lake) = open.take_if(|now| now.info.id == lake.info.id) {
                    tracing::warn!(lake = %lake.info.name, "the lake was dropped by another server");
                    lake.engine.shutdown().await;
                    lake.lake.shutdown(Duration::ZERO).await;
                }
            }
            match open.clone() {
                Some(lake) => Ok(Some(lake)),
                None => self.open_in(&mut open, name).await,
            }
        };
        if !matches!(opened, Ok(Some(_))) {
            self.leave(name, &place);
        }
        opened
    }

    /// Whether another server of the same catalog has dropped the lake, and perhaps made one of its name.
    async fn is_replaced(&self, lake: &OpenLake) -> PgResult<bool> {
        if self.config.catalog_url.is_none() {
            return Ok(false);
        }
        let now = self.catalog.lake(&lake.info.name).await.map_err(failure::catalog)?;
        Ok(now.is_none_or(|now| now.id != lake.info.id))
    }

    async fn open_in(&self, open: &mut Option<Arc<OpenLake>>, name: &LakeName) -> PgResult<Option<Arc<OpenLake>>> {
        let Some(info) = self.catalog.lake(name).await.map_err(failure::catalog)? else { return Ok(None) };
        let lake = Arc::new(self.open_parts(info).await?);
        let known = Known {
            name: name.clone(),
            lake: Arc::downgrade(&lake.lake),
            locks: Arc::downgrade(&lake.locks),
            channels: Arc::downgrade(&lake.channels),
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(lake.info.id, known);
        *open = Some(lake.clone());
        Ok(Some(lake))
    }

    fn place(&self, name: &LakeName) -> Place {
        self.places().entry(name.clone()).or_default().clone()
    }

    /// Forgets a place where no lake is: clients may ask for any name.
    fn leave(&self, name: &LakeName, place: &Place) {
        let mut places = self.places();
        // The map's and the caller's: nobody else waits for it.
        if Arc::strong_count(place) == 2 && place.try_lock().is_ok_and(|open| open.is_none()) {
            places.remove(name);
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<LakeName, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lake's files. What is in its cache is looked at, beside the runtime's workers.
    async fn files(&self, info: &LakeInfo) -> duckmesh_storage::Result<LakeFiles> {
        let (stores, info, folder) = (self.stores.clone(), info.clone(), self.folder(&info.name));
        let opened = tokio::task::spawn_blocking(move || stores.open(&info.data_path, &folder, info.name.as_str()));
        let ended_early = |e: tokio::task::JoinError| {
            duckmesh_storage::Error::new(duckmesh_storage::ErrorKind::Io, format!("opening files ended early: {e}"))
        };
        opened.await.map_err(ended_early)?
    }

    /// Deletes a lake's files that are not in its folder. The lake is gone already: what cannot be deleted stays, and
    /// is nobody's.
    async fn drop_files(&self, info: &LakeInfo) {
        if Path::new(&info.data_path).starts_with(self.folder(&info.name)) {
            return;
        }
        let destroyed = match self.files(info).await {
            Ok(files) => files.destroy().await,
            Err(error) => Err(error),
        };
        if let Err(error) = destroyed {
            tracing::warn!(lake = %info.name, path = info.data_path, %error, "files of a dropped lake stay");
        }
    }

    /// Publishes what is in the logs, within `drain`, and stops engines and coordinators.
    pub async fn shutdown(&self, drain: std::time::Duration) {
        let places: Vec<_> = self.places().drain().map(|(_, place)| place).collect();
        let mut lakes = Vec::with_capacity(places.len());
        for place in places {
            lakes.extend(place.lock().await.take());
        }
        futures::future::join_all(lakes.iter().map(|lake| async {
            lake.engine.shutdown().await;
            lake.lake.shutdown(drain).await;
        }))
        .await;
    }

    /// `<data>/lakes/<name>`, the name percent-encoded.
    fn folder(&self, name: &LakeName) -> PathBuf {
        self.config.data.join("lakes").join(duckmesh_catalog::folder_name(name))
    }

    async fn bus(&self, name: &LakeName) -> PgResult<Arc<dyn Bus>> {
        let Some(url) = &self.config.catalog_url else {
            return Ok(Arc::new(SqliteBus::open(&self.folder(name).join("log.sqlite")).map_err(PgError::internal)?));
        };
        self.shared_bus(url).await
    }

    async fn shared_bus(&self, url: &str) -> PgResult<Arc<dyn Bus>> {
        let witness = self.catalog.registry().connections().and_then(Connections::witness).cloned();
        let options = PostgresBusOptions { witness, ..self.config.log_options() };
        let open = async || PostgresBus::open_with(url, options).await.map(|(log, _)| Arc::new(log) as Arc<dyn Bus>);
        self.shared_bus.get_or_try_init(open).await.cloned().map_err(failure::bus)
    }

    async fn open_parts(&self, info: LakeInfo) -> PgResult<OpenLake> {
        let folder = self.folder(&info.name);
        let scratch = folder.join("scratch");
        empty_scratch(&scratch).await.map_err(PgError::internal)?;
        let spool = folder.join("spool");
        emptied(&spool).await.map_err(PgError::internal)?;
        let files = self.files(&info).await.map_err(failure::storage)?;
        let bus = self.bus(&info.name).await?;
        let incarnations = self.catalog.incarnations(info.id).await.map_err(failure::catalog)?;
        let mut options = LakeOptions {
            commit_interval: self.config.commit_interval,
            sweep_grace: self.config.sweep_grace,
            merge_files: self.config.merge_files,
            merge_grace: self.config.merge_grace,
            retention: self.config.retention,
            ..LakeOptions::default()
        };
        options.turns = self.turns.clone();
        options.publication_deadline = self.config.publication_deadline;
        options.queue_room = self.queue_room.clone();
        options.lag_max = self.config.lag_max;
        match &self.node {
            // The data folder's lock lets one process in, so that a restart may take its own lease at once.
            None => "embedded".clone_into(&mut options.owner),
            Some(node) => {
                options.owner.clone_from(&node.name);
                options.lease = LeaseKeeping::WhileAlive;
                options.lease_ttl = self.config.lease;
                options.maintains = self.config.roles.maintenance;
                options.told = true;
            }
        }
        let lake =
            Lake::open(self.catalog.clone(), info.clone(), bus, files.clone(), options).await.map_err(failure::open)?;
        let program = std::env::current_exe().map_err(PgError::internal)?;
        let mut options =
            EngineOptions::new(program, vec![files.local_folder().to_owned(), scratch.clone()], folder.join("spill"));
        options.memory_bytes = self.config.engine_memory_bytes;
        options.threads = self.config.engine_threads as usize;
        options.spill_bytes = self.config.engine_temp_bytes;
        options.setup = sql::macros::MACROS.iter().map(|&sql| sql.to_owned()).collect();
        let engine = Engine::new(options.clone());
        let alone = self.config.catalog_url.is_none();
        let sequences = Sequences::new(self.catalog.clone(), info.id, alone);
        let locks = match &self.node {
            None => Locks::default(),
            Some(node) => Locks::among_others(self.catalog.clone(), info.id, node.clone()),
        };
        let channels = match &self.node {
            None => Channels::default(),
            Some(_) => Channels::among_others(info.id, lake.bus().clone()),
        };
        let (locks, channels) = (Arc::new(locks), Arc::new(channels));
        let system = pgcatalog::Files::default();
        let reads = files.is_remote().then(Arc::default);
        if let Some(reads) = reads.clone() {
            let (catalog, lake, files) = (self.catalog.clone(), Arc::downgrade(&lake), files.clone());
            tokio::spawn(Prefetch { catalog, id: info.id, lake, files, reads }.run());
        }
        let (has_columns, unsupported) = (HasColumns::default(), pgcatalog::Unsupported::default());
        Ok(OpenLake {
            info,
            incarnations,
            lake,
            files,
            engine,
            engine_options: options,
            spool,
            scratch,
            system,
            has_columns,
            unsupported,
            reads,
            sequences,
            locks,
            channels,
        })
    }
}

/// The data path of a new lake. No other lake has it, or had it: files of a lake of that name that was dropped, or of
/// another server's, are never taken for its own, nor for garbage.
fn data_path(storage: &Location, name: &LakeName) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let unique = unique.get(..12).unwrap_or(&unique);
    storage.data_path(&format!("{}-{unique}", duckmesh_catalog::folder_name(name)))
}

/// Removes what a crash left.
async fn emptied(folder: &Path) -> std::io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the folder, and removes what a crash left in it.
async fn empty_scratch(scratch: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(scratch).await?;
    let mut entries = tokio::fs::read_dir(scratch).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH_FILE_PREFIX) {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}
