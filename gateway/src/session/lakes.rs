//! The lakes this server has open: log, files, engine and scratch folder of each.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use duckmesh_catalog::{Catalog, FileId, Incarnations, LakeInfo, LakeName, postgres::Connections};
use duckmesh_ingest::{Bus, Lake, LakeOptions, PostgresBus, PostgresBusOptions, SqliteBus};
use duckmesh_storage::LakeFiles;
use tokio::sync::{Mutex, OnceCell};

use super::{advisory::Locks, channels::Channels, sequences::Sequences};
use crate::{
    commands::failure,
    config::Config,
    engine::{Engine, EngineOptions},
    limits::SCRATCH_FILE_PREFIX,
    pgcatalog, sql,
    wire::{PgError, PgResult, SqlState},
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
    /// The log of all lakes, where it is in Postgres.
    log: OnceCell<PostgresBus>,
    /// A place per lake, so that one that opens slowly keeps nobody from the others.
    places: std::sync::Mutex<HashMap<LakeName, Place>>,
}

/// Held while the lake is opened or dropped.
type Place = Arc<Mutex<Option<Arc<OpenLake>>>>;

impl Lakes {
    /// None open yet.
    #[must_use]
    pub fn new(config: Arc<Config>, catalog: Catalog) -> Self {
        Self { config, catalog, log: OnceCell::new(), places: std::sync::Mutex::default() }
    }

    /// The catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Makes a lake.
    ///
    /// # Errors
    /// 42P04 if it exists.
    pub async fn create(&self, name: &LakeName) -> PgResult<()> {
        let files = self.folder(name).join("files");
        tokio::fs::create_dir_all(&files).await.map_err(PgError::internal)?;
        let data_path = format!("{}/", files.display());
        self.catalog.create_lake(name, &data_path).await.map(drop).map_err(|error| match error.kind() {
            duckmesh_catalog::ErrorKind::AlreadyExists => {
                PgError::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
            }
            _ => failure::catalog(error),
        })
    }

    /// Opens a lake, or gives the open one. None if there is no such lake.
    ///
    /// # Errors
    /// When its parts cannot be opened.
    pub async fn open(&self, name: &LakeName) -> PgResult<Option<Arc<OpenLake>>> {
        let place = self.place(name);
        let opened = {
            let mut open = place.lock().await;
            if let Some(lake) = open.as_ref() {
                if !self.is_replaced(lake).await? {
                    return Ok(Some(lake.clone()));
                }
                if let Some(lake) = open.take() {
                    tracing::warn!(lake = %lake.info.name, "the lake was dropped by another server");
                    lake.engine.shutdown().await;
                    lake.lake.shutdown(Duration::ZERO).await;
                }
            }
            self.open_in(&mut open, name).await
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

    /// Drops a lake that nobody is connected to but, at most, `own` references held by the caller's side.
    ///
    /// # Errors
    /// 55006 while sessions use it, 3D000 if there is none.
    pub async fn drop_lake(&self, name: &LakeName) -> PgResult<()> {
        let place = self.place(name);
        let dropped = self.drop_in(&mut *place.lock().await, name).await;
        self.leave(name, &place);
        dropped
    }

    async fn drop_in(&self, open: &mut Option<Arc<OpenLake>>, name: &LakeName) -> PgResult<()> {
        let Some(info) = self.catalog.lake(name).await.map_err(failure::catalog)? else {
            return Err(PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist")));
        };
        if let Some(lake) = open.as_ref() {
            let others = Arc::strong_count(lake) - 1;
            if others > 0 {
                let text = format!("database \"{name}\" is being accessed by other users");
                let sessions = if others == 1 { "is 1 other session" } else { "are other sessions" };
                return Err(
                    PgError::new(SqlState::OBJECT_IN_USE, text).detail(format!("There {sessions} using the database."))
                );
            }
        }
        if let Some(lake) = open.take() {
            lake.engine.shutdown().await;
            lake.lake.shutdown(std::time::Duration::ZERO).await;
        }
        // Another server that has the lake open must not be able to append to it any more.
        self.bus(name).await?.drop_lane(info.id).await.map_err(failure::bus)?;
        self.catalog.drop_lake(info.id).await.map_err(failure::catalog)?;
        let folder = self.folder(name);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(PgError::internal(error)),
            _ => Ok(()),
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
        self.catalog.close().await;
    }

    /// `<data>/lakes/<name>`, the name percent-encoded.
    fn folder(&self, name: &LakeName) -> PathBuf {
        self.config.data.join("lakes").join(duckmesh_catalog::folder_name(name))
    }

    async fn bus(&self, name: &LakeName) -> PgResult<Arc<dyn Bus>> {
        Ok(match &self.config.catalog_url {
            None => Arc::new(SqliteBus::open(&self.folder(name).join("log.sqlite")).map_err(PgError::internal)?),
            Some(url) => {
                let witness = self.catalog.registry().connections().and_then(Connections::witness).cloned();
                let options = PostgresBusOptions { witness, ..self.config.log_options() };
                let open = async || PostgresBus::open_with(url, options).await.map(|(log, _)| log);
                Arc::new(self.log.get_or_try_init(open).await.map_err(failure::bus)?.clone())
            }
        })
    }

    async fn open_parts(&self, info: LakeInfo) -> PgResult<OpenLake> {
        let folder = self.folder(&info.name);
        let scratch = folder.join("scratch");
        empty_scratch(&scratch).await.map_err(PgError::internal)?;
        let spool = folder.join("spool");
        emptied(&spool).await.map_err(PgError::internal)?;
        let files = LakeFiles::open(&info.data_path).map_err(failure::storage)?;
        let bus = self.bus(&info.name).await?;
        let incarnations = self.catalog.incarnations(info.id).await.map_err(failure::catalog)?;
        let mut options = LakeOptions {
            commit_interval: self.config.commit_interval,
            sweep_grace: self.config.sweep_grace,
            merge_files: self.config.merge_files,
            merge_grace: self.config.merge_grace,
            ..LakeOptions::default()
        };
        if self.config.catalog_url.is_none() {
            // The data folder's lock lets one process in, so that a restart may take its own lease at once.
            "embedded".clone_into(&mut options.owner);
        } else {
            // Half the default barrier: a reader that waits while a crashed server's lease runs out is not turned away.
            options.lease_ttl = Duration::from_secs(5);
        }
        let lake =
            Lake::open(self.catalog.clone(), info.clone(), bus, files.clone(), options).await.map_err(failure::open)?;
        let program = std::env::current_exe().map_err(PgError::internal)?;
        let mut options =
            EngineOptions::new(program, vec![PathBuf::from(&info.data_path), scratch.clone()], folder.join("spill"));
        options.memory_bytes = self.config.engine_memory_bytes;
        options.threads = self.config.engine_threads as usize;
        options.spill_bytes = self.config.engine_temp_bytes;
        options.setup = sql::macros::MACROS.iter().map(|&sql| sql.to_owned()).collect();
        let engine = Engine::new(options.clone());
        let alone = self.config.catalog_url.is_none();
        let sequences = Sequences::new(self.catalog.clone(), info.id, alone);
        let (locks, channels) = (Arc::default(), Arc::default());
        let system = pgcatalog::Files::default();
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
            sequences,
            locks,
            channels,
        })
    }
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
