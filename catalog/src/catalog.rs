//! The catalog of one deployment: where its stores are, and what is remembered of them.

use std::{
    collections::HashMap,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    ErrorKind, LakeId, LakeSchema,
    clock::Clock,
    error::Error,
    lakes::{self, LakeInfo},
    migrate::{self, Migration},
    postgres::{Failure, PATIENCE, Unconnected, Witness},
    store::{Dialect, Store},
    table_files::FileCache,
};

/// Result of the catalog.
pub type Result<T> = std::result::Result<T, Error>;

/// The Postgres schema of what is not of one lake.
pub const REGISTRY_SCHEMA: &str = "duckmesh";
/// Schemas of one lake that are remembered: a few pinned old ones beside the newest.
const SCHEMAS_REMEMBERED: usize = 16;

/// Where the catalog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// SQLite files below a folder.
    Sqlite {
        /// The folder of the whole server.
        data_dir: PathBuf,
    },
    /// A Postgres database.
    Postgres {
        /// `postgres://…`, or key=value.
        url: String,
    },
}

/// The book of all lakes. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) location: Location,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Store,
    /// A place for each lake, held while it is opened: one that opens slowly keeps nobody from the others.
    books: Mutex<HashMap<LakeId, BookPlace>>,
    closed: std::sync::atomic::AtomicBool,
    migrates: bool,
    /// What this process applied.
    migrated: Mutex<Vec<String>>,
}

/// Held while a lake is opened.
type BookPlace = Arc<tokio::sync::Mutex<Option<Arc<Book>>>>;

/// How a catalog is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Connections to Postgres at once.
    pub connections: usize,
    /// How long a statement waits in all while Postgres is away, has no more connections, or says nothing.
    pub patience: Duration,
    /// Whether tables are brought up to date; else it is refused where that is due.
    pub migrate: bool,
    /// Only to look at what a server may be using: what was interrupted stays as it is.
    pub look_only: bool,
    /// Refuses a Postgres that may lack what was acknowledged; none accepts any.
    pub witness: Option<Witness>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            connections: crate::store::postgres::CONNECTIONS,
            patience: PATIENCE,
            migrate: true,
            look_only: false,
            witness: Some(Witness::default()),
        }
    }
}

/// A schema, with the schema version and snapshot it was read at.
type CachedSchema = ((i64, i64), Arc<LakeSchema>);

/// One lake's part of the catalog.
pub(crate) struct Book {
    pub(crate) store: Store,
    pub(crate) files: FileCache,
    schemas: Mutex<Vec<CachedSchema>>,
}

impl Book {
    pub(crate) fn schema(&self, version: i64, ddl_offset: i64) -> Option<Arc<LakeSchema>> {
        let mut schemas = lock(&self.schemas);
        let at = schemas.iter().position(|(key, _)| *key == (version, ddl_offset))?;
        let entry = schemas.remove(at);
        let schema = Arc::clone(&entry.1);
        schemas.push(entry);
        Some(schema)
    }

    pub(crate) fn remember(&self, schema: &Arc<LakeSchema>) {
        let key = (schema.schema_version, schema.ddl_offset.get());
        let mut schemas = lock(&self.schemas);
        schemas.retain(|(k, _)| *k != key);
        if schemas.len() >= SCHEMAS_REMEMBERED {
            schemas.remove(0);
        }
        schemas.push((key, Arc::clone(schema)));
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog: makes what is missing, brings it up to date under a lock, refuses what a newer program made.
    pub async fn open(location: Location, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(location, clock, OpenOptions::default()).await
    }

    /// The same, otherwise.
    pub async fn open_with(location: Location, clock: Arc<dyn Clock>, options: OpenOptions) -> Result<Self> {
        let registry = match &location {
            Location::Sqlite { data_dir } => {
                lakes::make_folder(data_dir.join("lakes")).await?;
                Store::open_sqlite(&data_dir.join("duckmesh.sqlite")).await?
            }
            Location::Postgres { url } => {
                Store::open_postgres(url, REGISTRY_SCHEMA, (options.connections, options.patience), options.witness)
                    .await?
            }
        };
        let inner = Inner {
            location,
            clock,
            registry,
            books: Mutex::default(),
            migrates: options.migrate,
            migrated: Mutex::default(),
            closed: std::sync::atomic::AtomicBool::default(),
        };
        let catalog = Self { inner: Arc::new(inner) };
        catalog.migrate(&catalog.inner.registry, REGISTRY_SCHEMA, "registry", migrate::REGISTRY).await?;
        if options.look_only {
            return Ok(catalog);
        }
        catalog.begin_first_incarnation().await?;
        if !catalog.is_shared() {
            catalog.finish_interrupted().await?;
        }
        for lake in catalog.lakes().await? {
            match catalog.book(lake.id).await {
                // Another server dropped it meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => drop(opened?),
            }
        }
        Ok(catalog)
    }

    /// The registry's store; in Postgres also the place of tables that belong to no lake.
    #[must_use]
    pub fn registry(&self) -> &Store {
        &self.inner.registry
    }

    /// The time by the clock it was opened with.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.inner.clock.now()
    }

    /// Where the catalog is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// Whether it was not closed yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.inner.closed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Closes all stores.
    pub async fn close(&self) {
        self.inner.closed.store(true, std::sync::atomic::Ordering::Release);
        let books: Vec<_> = lock(&self.inner.books).drain().collect();
        if self.inner.registry.dialect() == Dialect::Sqlite {
            for (_, place) in books {
                if let Some(book) = place.lock().await.take() {
                    book.store.close().await;
                }
            }
        }
        self.inner.registry.close().await;
    }

    /// The part of a lake; opened, and brought up to date, at its first use.
    pub(crate) async fn book(&self, lake: LakeId) -> Result<Arc<Book>> {
        let held = lock(&self.inner.books).entry(lake).or_default().clone();
        let mut open = self.patiently(held.lock()).await?;
        if let Some(book) = open.as_ref() {
            return Ok(Arc::clone(book));
        }
        let sql = "SELECT place FROM @lake WHERE lake_id = $1 AND state = 'ready'";
        let Some(row) = self.inner.registry.query_opt(sql, vec![lake.into()]).await? else {
            lock(&self.inner.books).remove(&lake);
            return Err(Error::new(ErrorKind::NotFound, format!("lake {lake} does not exist")));
        };
        let place = row.text(0)?;
        let store = self.open_place(&place).await?;
        self.migrate(&store, &place, "lake", migrate::LAKE).await?;
        let book = Arc::new(Book { store, files: FileCache::default(), schemas: Mutex::default() });
        *open = Some(Arc::clone(&book));
        Ok(book)
    }

    /// Waits for something that others have while they ask the catalog, not longer than the catalog itself is waited for:
    /// where it does not answer, those behind each other would wait many times that.
    ///
    /// # Errors
    /// [`ErrorKind::Retry`] where it took longer.
    pub async fn patiently<T>(&self, wait: impl Future<Output = T>) -> Result<T> {
        let Some(connections) = self.inner.registry.connections() else { return Ok(wait.await) };
        let limit = connections.budget();
        tokio::time::timeout(limit, wait).await.map_err(|_| {
            let message = "Postgres: no answer in time (others wait for the same)";
            Error::caused(ErrorKind::Retry, message, Unconnected(Failure::Late))
        })
    }

    /// The migrations that this process applied, each as `<schema or folder>/<name>`.
    #[must_use]
    pub fn migrated(&self) -> Vec<String> {
        lock(&self.inner.migrated).clone()
    }

    async fn migrate(&self, store: &Store, place: &str, set: &str, migrations: &[Migration]) -> Result<()> {
        if !self.inner.migrates {
            return migrate::check(store, set, migrations).await;
        }
        let applied = migrate::migrate(store, place, set, migrations).await?;
        lock(&self.inner.migrated).extend(applied.iter().map(|name| format!("{place}/{name}")));
        Ok(())
    }

    /// Forgets a lake that is dropped, and closes its file.
    pub(crate) async fn forget(&self, lake: LakeId) {
        let place = lock(&self.inner.books).remove(&lake);
        if let Some(place) = place
            && let Some(book) = place.lock().await.take()
            && book.store.dialect() == Dialect::Sqlite
        {
            book.store.close().await;
        }
    }

    /// The store at a place of the registry: a folder below `lakes`, or a schema.
    pub(crate) async fn open_place(&self, place: &str) -> Result<Store> {
        match &self.inner.location {
            Location::Sqlite { data_dir } => {
                Store::open_sqlite(&data_dir.join("lakes").join(place).join("catalog.sqlite")).await
            }
            Location::Postgres { .. } => Ok(self.inner.registry.in_schema(place)),
        }
    }

    /// A store in the lake's own place: Postgres the lake's schema, SQLite the file `catalog.sqlite`.
    pub async fn lake_store(&self, lake: &LakeInfo) -> Result<Store> {
        Ok(self.book(lake.id).await?.store.clone())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
