//! Which lakes there are: making one, dropping one, listing them.

use std::{fmt::Write, path::PathBuf};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Catalog, ErrorKind, LakeId, LakeName, Location,
    catalog::{REGISTRY_SCHEMA, Result},
    error::Error,
    migrate, params,
    store::{Isolation, Row, Statement, Store, Transaction, quote},
};

/// The longest name Postgres gives a schema, in bytes.
const SCHEMA_NAME_MAX: usize = 63;

/// A lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeInfo {
    /// Its identity.
    pub id: LakeId,
    /// Its name: the name of the Postgres database.
    pub name: LakeName,
    /// Absolute folder or URL of its files, with a slash at the end.
    pub data_path: String,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl Catalog {
    /// Makes a lake with the schema `main` and snapshot 0. An empty `data_path` is the folder `files/` beside an embedded
    /// lake's catalog.
    pub async fn create_lake(&self, name: &LakeName, data_path: &str) -> Result<LakeInfo> {
        if self.place_of(name).await?.is_some() {
            return Err(exists(name));
        }
        let mut data_path = match (&self.inner.location, data_path) {
            (Location::Sqlite { .. }, "") => self.default_data_path(name)?,
            (_, path) => path.to_owned(),
        };
        if !data_path.ends_with('/') {
            data_path.push('/');
        }
        // A folder without a lake is somebody's data until a person says otherwise.
        if let Some(folder) = self.lake_folder(name).filter(|folder| folder.join("catalog.sqlite").exists()) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("folder {} already holds a lake: move it away first", folder.display()),
            ));
        }
        if let Location::Postgres { .. } = &self.inner.location {
            return self.make_in_schema(name, &data_path).await;
        }
        let mut tx = self.inner.registry.begin().await?;
        let (lake, _) = self.register(&mut tx, name, &data_path, "making").await?;
        tx.commit().await?;
        if let Err(error) = self.make_in_folder(&lake).await {
            // What is half made keeps the name taken; if it cannot go now, it goes at the next start.
            if let Err(error) = self.remove(lake.id).await {
                tracing::warn!(%error, lake = %lake.name, "a lake half made stays until the next start");
            }
            return Err(error);
        }
        Ok(lake)
    }

    /// Removes a lake from the catalog: an embedded lake's folder with all that is in it, or a Postgres lake's schema. Files
    /// of a data path elsewhere are the caller's. Whoever holds the lake's log open must have closed it.
    pub async fn drop_lake(&self, lake: LakeId) -> Result<()> {
        if let Location::Postgres { .. } = &self.inner.location {
            return self.drop_schema(lake).await;
        }
        let rows = self
            .inner
            .registry
            .execute("UPDATE @lake SET state = 'dropping' WHERE lake_id = $1 AND state = 'ready'", params![lake])
            .await?;
        if rows == 0 {
            return Err(missing(lake));
        }
        self.forget(lake).await;
        self.remove(lake).await
    }

    /// All lakes by name.
    pub async fn lakes(&self) -> Result<Vec<LakeInfo>> {
        let rows = self
            .inner
            .registry
            .query("SELECT lake_id, name, data_path, created_at FROM @lake WHERE state = 'ready' ORDER BY name", vec![])
            .await?;
        rows.iter().map(info).collect()
    }

    /// The lake of that name.
    pub async fn lake(&self, name: &LakeName) -> Result<Option<LakeInfo>> {
        let row = self
            .inner
            .registry
            .query_opt(
                "SELECT lake_id, name, data_path, created_at FROM @lake WHERE state = 'ready' AND name = $1",
                params![name.as_str()],
            )
            .await?;
        row.as_ref().map(info).transpose()
    }

    /// Sets or takes away the comment of a lake; false where there is none of that name.
    pub async fn comment_on_lake(&self, name: &LakeName, comment: Option<&str>) -> Result<bool> {
        let sql = "UPDATE @lake SET comment = $2 WHERE name = $1 AND state = 'ready'";
        Ok(self.inner.registry.execute(sql, params![name.as_str(), comment]).await? > 0)
    }

    /// The comments of all lakes that have one.
    pub async fn lake_comments(&self) -> Result<Vec<(LakeId, String)>> {
        let sql = "SELECT lake_id, comment FROM @lake WHERE state = 'ready' AND comment IS NOT NULL ORDER BY lake_id";
        let rows = self.inner.registry.query(sql, vec![]).await?;
        rows.iter().map(|row| Ok((LakeId::new(row.int(0)?), row.text(1)?))).collect()
    }

    /// The folder of an embedded lake: its catalog, its log and its scratch files. None where the catalog is Postgres.
    #[must_use]
    pub fn lake_folder(&self, name: &LakeName) -> Option<PathBuf> {
        match &self.inner.location {
            Location::Sqlite { data_dir } => Some(data_dir.join("lakes").join(folder_name(name))),
            Location::Postgres { .. } => None,
        }
    }

    /// Ends what a crash interrupted: lakes half made or half dropped go. The data folder is locked, so that nobody else is at
    /// it; in Postgres a lake comes and goes in one transaction, and nothing is ever half done.
    pub(crate) async fn finish_interrupted(&self) -> Result<()> {
        let rows =
            self.inner.registry.query("SELECT lake_id, name, state FROM @lake WHERE state <> 'ready'", vec![]).await?;
        for row in rows {
            tracing::warn!(lake = row.text(1)?, state = row.text(2)?, "ending what was interrupted");
            self.remove(LakeId::new(row.int(0)?)).await?;
        }
        Ok(())
    }

    async fn place_of(&self, name: &LakeName) -> Result<Option<String>> {
        let row =
            self.inner.registry.query_opt("SELECT place FROM @lake WHERE name = $1", params![name.as_str()]).await?;
        row.map(|r| r.text(0)).transpose()
    }

    fn default_data_path(&self, name: &LakeName) -> Result<String> {
        let folder = self
            .lake_folder(name)
            .and_then(|f| std::path::absolute(f.join("files")).ok())
            .and_then(|f| f.to_str().map(str::to_owned));
        folder.ok_or_else(|| Error::new(ErrorKind::Invalid, "the data folder's path is not UTF-8"))
    }

    /// Enters a lake into the registry; gives its place, too.
    async fn register(
        &self,
        tx: &mut Transaction,
        name: &LakeName,
        data_path: &str,
        state: &str,
    ) -> Result<(LakeInfo, String)> {
        let created = self.inner.clock.now();
        let row = tx
            .query_one(
                "INSERT INTO @lake(name, place, data_path, created_at, state) VALUES ($1, $2, $3, $4, $5)
                 RETURNING lake_id",
                params![name.as_str(), "", data_path, created, state],
            )
            .await
            .map_err(|e| if e.kind() == ErrorKind::AlreadyExists { exists(name) } else { e })?;
        let id = LakeId::new(row.int(0)?);
        let place = match &self.inner.location {
            Location::Sqlite { .. } => folder_name(name),
            Location::Postgres { .. } => schema_name(name, id),
        };
        tx.execute("UPDATE @lake SET place = $1 WHERE lake_id = $2", params![&place, id]).await?;
        Ok((LakeInfo { id, name: name.clone(), data_path: data_path.to_owned(), created }, place))
    }

    async fn make_in_folder(&self, lake: &LakeInfo) -> Result<()> {
        let folder = self.lake_folder(&lake.name).unwrap_or_default();
        make_folder(folder.join("files")).await?;
        make_folder(folder.join("scratch")).await?;
        let store = Store::open_sqlite(&folder.join("catalog.sqlite")).await?;
        let mut tx = migrate::begin(&store, "").await?;
        self.fill(&mut tx, &store, lake).await?;
        tx.commit().await?;
        store.close().await;
        self.ready(lake.id).await
    }

    /// Registers and makes a lake in one transaction: other servers see it whole or not at all.
    async fn make_in_schema(&self, name: &LakeName, data_path: &str) -> Result<LakeInfo> {
        let mut tx = migrate::begin(&self.inner.registry, REGISTRY_SCHEMA).await?;
        let (lake, place) = self.register(&mut tx, name, data_path, "ready").await?;
        tx.go_to_schema(&place);
        tx.script(&format!("CREATE SCHEMA IF NOT EXISTS {}", quote(&place))).await?;
        self.fill(&mut tx, &self.inner.registry, &lake).await?;
        tx.commit().await?;
        Ok(lake)
    }

    async fn drop_schema(&self, lake: LakeId) -> Result<()> {
        let mut tx = self.inner.registry.begin_with(Isolation::ReadCommitted).await?;
        let sql = "DELETE FROM @lake WHERE lake_id = $1 AND state = 'ready' RETURNING place";
        let place = tx.query_opt(sql, params![lake]).await?.ok_or_else(|| missing(lake))?.text(0)?;
        tx.script(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quote(&place))).await?;
        tx.commit().await?;
        self.forget(lake).await;
        Ok(())
    }

    async fn fill(&self, tx: &mut Transaction, store: &Store, lake: &LakeInfo) -> Result<()> {
        migrate::apply(tx, store.dialect(), "lake", migrate::LAKE).await?;
        tx.batch(first_rows(lake)).await?;
        Ok(())
    }

    async fn ready(&self, lake: LakeId) -> Result<()> {
        let sql = "UPDATE @lake SET state = 'ready' WHERE lake_id = $1 AND state = 'making'";
        self.inner.registry.execute(sql, params![lake]).await.map(drop)
    }

    async fn unregister(&self, lake: LakeId) -> Result<()> {
        let sql = "DELETE FROM @lake WHERE lake_id = $1";
        self.inner.registry.execute(sql, params![lake]).await.map(drop)
    }

    /// Removes what a registered lake has, then its row.
    async fn remove(&self, lake: LakeId) -> Result<()> {
        let row = self.inner.registry.query_one("SELECT place FROM @lake WHERE lake_id = $1", params![lake]).await?;
        let place = row.text(0)?;
        if let Location::Sqlite { data_dir } = &self.inner.location
            && !place.is_empty()
        {
            remove_folder(data_dir.join("lakes").join(place)).await?;
        }
        self.unregister(lake).await
    }
}

/// The rows of a lake in which nothing is yet, as the official extension writes them.
fn first_rows(lake: &LakeInfo) -> Vec<Statement> {
    let metadata = "INSERT INTO @ducklake_metadata(key, value) VALUES ($1, $2)";
    let created_by = concat!("DuckMesh ", env!("CARGO_PKG_VERSION"));
    vec![
        Statement::new(metadata, params!["version", "1.0"]),
        Statement::new(metadata, params!["created_by", created_by]),
        Statement::new(metadata, params!["data_path", &lake.data_path]),
        Statement::new(metadata, params!["encrypted", "false"]),
        Statement::new(
            "INSERT INTO @ducklake_snapshot(snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
             VALUES (0, $1, 0, 1, 0)",
            params![lake.created],
        ),
        Statement::new(
            "INSERT INTO @ducklake_snapshot_changes(snapshot_id, changes_made) VALUES (0, 'created_schema:\"main\"')",
            vec![],
        ),
        Statement::new(
            "INSERT INTO @ducklake_schema(schema_id, schema_uuid, begin_snapshot, schema_name, path, path_is_relative)
             VALUES (0, $1, 0, 'main', 'main/', $2)",
            params![Uuid::new_v4(), true],
        ),
        Statement::new(
            "INSERT INTO @duckmesh_state(lake_id, watermark, ddl_offset, epoch, lease_until_ms) VALUES ($1, 0, 0, 0, 0)",
            params![lake.id],
        ),
        Statement::new("INSERT INTO @duckmesh_snapshot(snapshot_id, watermark, ddl_offset) VALUES (0, 0, 0)", vec![]),
    ]
}

fn info(row: &Row) -> Result<LakeInfo> {
    let name = row.text(1)?;
    Ok(LakeInfo {
        id: LakeId::new(row.int(0)?),
        name: LakeName::parse(&name)
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "the registry holds a lake without a fit name"))?,
        data_path: row.text(2)?,
        created: row.time(3)?,
    })
}

fn missing(lake: LakeId) -> Error {
    Error::new(ErrorKind::NotFound, format!("lake {lake} does not exist"))
}

fn exists(name: &LakeName) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("database \"{name}\" already exists"))
}

/// A lake's name as a folder: what is not a small letter, digit, `-` or `_` is percent-encoded, so that names that differ
/// in case are two folders on every file system, and no name means another place.
#[must_use]
pub fn folder_name(name: &LakeName) -> String {
    let mut out = String::new();
    for byte in name.as_str().bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A lake's schema in Postgres; a name that does not fit is cut and told apart by the lake's id.
fn schema_name(name: &LakeName, id: LakeId) -> String {
    let plain = format!("lake_{name}");
    if plain.len() <= SCHEMA_NAME_MAX {
        return plain;
    }
    let tail = format!("_{id}");
    let mut cut = SCHEMA_NAME_MAX - tail.len();
    while !plain.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{tail}", plain.get(..cut).unwrap_or_default())
}

pub(crate) async fn make_folder(path: PathBuf) -> Result<()> {
    on_disk(path, |path| std::fs::create_dir_all(path)).await
}

async fn remove_folder(path: PathBuf) -> Result<()> {
    on_disk(path, |path| match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    })
    .await
}

async fn on_disk(path: PathBuf, work: impl FnOnce(&PathBuf) -> std::io::Result<()> + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        work(&path).map_err(|e| {
            let kind = match e.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Full,
                _ => ErrorKind::Store,
            };
            Error::caused(kind, format!("folder {}: {e}", path.display()), e)
        })
    })
    .await
    .map_err(|e| Error::caused(ErrorKind::Store, "work on a folder ended early", e))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_folders_and_schemas() {
        let name = |text: &str| LakeName::parse(text).unwrap();
        assert_eq!(folder_name(&name("sales_1")), "sales_1");
        assert_eq!(folder_name(&name("../A b")), "%2E%2E%2F%41%20b");
        assert_eq!(schema_name(&name("sales"), LakeId::new(1)), "lake_sales");
        let long = schema_name(&name(&"ä".repeat(31)), LakeId::new(7));
        assert!(long.len() <= SCHEMA_NAME_MAX && long.ends_with("_7"), "{long}");
    }
}
