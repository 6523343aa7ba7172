//! A server on each of the two catalogs, for suites that must hold on both.

use duckmesh_tests::harness::{Client, Lake, Postgres, Server, ServerOptions};

/// A server and what it stands on; the server goes first.
pub struct Stand {
    pub server: Server,
    pub postgres: Option<Postgres>,
}

impl Stand {
    pub fn sqlite() -> Self {
        Self::sqlite_with(ServerOptions::default())
    }

    pub fn sqlite_with(options: ServerOptions) -> Self {
        Self { server: Server::with(options), postgres: None }
    }

    pub fn postgres() -> Self {
        Self::postgres_with(ServerOptions::default())
    }

    pub fn postgres_with(mut options: ServerOptions) -> Self {
        let postgres = Postgres::start();
        options.catalog = Some(postgres.url());
        Self { server: Server::with(options), postgres: Some(postgres) }
    }

    pub async fn client(&self) -> Client {
        self.server.client().await
    }

    /// The newest snapshot, as DuckLake's own table has it.
    pub async fn newest_snapshot(&self) -> String {
        const NEWEST: &str = "SELECT max(snapshot_id) FROM";
        match &self.postgres {
            None => {
                let path = self.server.data().join("lakes/duckmesh/catalog.sqlite");
                let catalog = rusqlite::Connection::open(path).unwrap();
                catalog.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                let newest = format!("{NEWEST} ducklake_snapshot");
                catalog.query_row(&newest, [], |row| row.get::<_, i64>(0)).unwrap().to_string()
            }
            Some(postgres) => postgres.client().await.value(&format!("{NEWEST} lake_duckmesh.ducklake_snapshot")).await,
        }
    }

    /// The lake as plain DuckDB attaches it.
    pub fn lake(&self) -> Lake {
        match &self.postgres {
            None => Lake::sqlite(self.server.data()),
            Some(postgres) => Lake::postgres(&postgres.keywords()),
        }
    }
}

/// Makes of each `async fn name(stand: &mut Stand)` a test on SQLite and one on Postgres.
macro_rules! on_both_catalogs {
    ($($name:ident),* $(,)?) => { on_both_catalogs!(with duckmesh_tests::harness::ServerOptions::default(); $($name),*); };
    (with $options:expr; $($name:ident),* $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&mut crate::stand::Stand::sqlite_with($options)).await; }
        )* }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&mut crate::stand::Stand::postgres_with($options)).await; }
        )* }
    };
}
pub(crate) use on_both_catalogs;
