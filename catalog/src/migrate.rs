//! Brings the tables of a store up to date, under a lock; refuses what a newer program made.

use crate::{
    error::{Error, ErrorKind},
    failpoint,
    store::{Dialect, Isolation, Result, Store, Transaction, quote},
};

/// A step: applied once, in order.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, rising.
    pub version: i64,
    /// Its name, for operators.
    pub name: &'static str,
    /// Its statements for SQLite, tables written as `@table`.
    pub sqlite: &'static str,
    /// Its statements for Postgres.
    pub postgres: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// The registry of lakes.
pub(crate) const REGISTRY: &[Migration] = &[
    migration!(1, "0001_registry"),
    migration!(6, "0006_fleet"),
    migration!(7, "0007_incarnation"),
    migration!(9, "0009_database_comment"),
];
/// The tables of one lake.
pub(crate) const LAKE: &[Migration] = &[
    migration!(1, "0001_lake"),
    migration!(2, "0002_sequences"),
    migration!(3, "0003_types"),
    migration!(5, "0005_rejected_rows"),
    migration!(11, "0011_given_up"),
    migration!(12, "0012_gaps"),
];

/// The advisory lock under which one process migrates a Postgres database: "duckmesh" in ASCII.
const LOCK: i64 = 0x6475_636b_6d65_7368;

/// Applies what is missing of a set of tables. Sets of different names live in one store without knowing each other.
/// Gives the names of those that it applied.
pub async fn migrate(store: &Store, schema: &str, set: &str, migrations: &[Migration]) -> Result<Vec<&'static str>> {
    let mut tx = begin(store, schema).await?;
    let applied = apply(&mut tx, store.dialect(), set, migrations).await?;
    failpoint::hit("migrate-mid")?;
    tx.commit().await?;
    Ok(applied)
}

/// Refuses tables that [`migrate`] would change, or that a newer program made.
pub async fn check(store: &Store, set: &str, migrations: &[Migration]) -> Result<()> {
    let mut have = 0;
    if !store.columns_of("duckmesh_migration").await?.is_empty() {
        let sql = "SELECT max(version) FROM @duckmesh_migration WHERE migration_set = $1";
        have = store.query_one(sql, vec![set.into()]).await?.opt_int(0)?.unwrap_or(0);
    }
    let known = known(set, have, migrations)?;
    if have < known {
        let text = format!("the {set} tables have version {have}, this program needs {known}: run duckmesh migrate");
        return Err(Error::new(ErrorKind::Corrupt, text));
    }
    Ok(())
}

/// The version of this program, which must not be below that of the tables.
fn known(set: &str, have: i64, migrations: &[Migration]) -> Result<i64> {
    let known = migrations.last().map_or(0, |m| m.version);
    if have > known {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "the {set} tables have version {have}, made by a newer DuckMesh; this one knows version {known}: \
                 start the newer program, or restore a backup that is older than its upgrade"
            ),
        ));
    }
    Ok(known)
}

/// Begins the transaction in which a store is made or changed: the lock is held, the schema is there.
pub(crate) async fn begin(store: &Store, schema: &str) -> Result<Transaction> {
    // Read committed: what another process made while we waited for the lock must be seen.
    let mut tx = store.begin_with(Isolation::ReadCommitted).await?;
    if store.dialect() == Dialect::Postgres {
        tx.take_long().await?;
        tx.query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS held", vec![LOCK.into()]).await?;
        tx.script(&format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema))).await?;
    }
    Ok(tx)
}

/// Applies what is missing, inside a transaction of [`begin`].
pub(crate) async fn apply(
    tx: &mut Transaction,
    dialect: Dialect,
    set: &str,
    migrations: &[Migration],
) -> Result<Vec<&'static str>> {
    tx.script(
        "CREATE TABLE IF NOT EXISTS @duckmesh_migration(
            migration_set TEXT NOT NULL, version BIGINT NOT NULL, name TEXT NOT NULL,
            PRIMARY KEY (migration_set, version))",
    )
    .await?;
    let row =
        tx.query_one("SELECT max(version) FROM @duckmesh_migration WHERE migration_set = $1", vec![set.into()]).await?;
    let have = row.opt_int(0)?.unwrap_or(0);
    known(set, have, migrations)?;
    let mut applied = Vec::new();
    for migration in migrations.iter().filter(|m| m.version > have) {
        tx.script(match dialect {
            Dialect::Sqlite => migration.sqlite,
            Dialect::Postgres => migration.postgres,
        })
        .await?;
        tx.execute(
            "INSERT INTO @duckmesh_migration(migration_set, version, name) VALUES ($1, $2, $3)",
            vec![set.into(), migration.version.into(), migration.name.into()],
        )
        .await?;
        applied.push(migration.name);
    }
    Ok(applied)
}
