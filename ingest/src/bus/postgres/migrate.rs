//! Brings the log's tables up to date, under a lock; refuses what a newer program made.

use super::*;

const MIGRATIONS: &[(&str, &str)] = &[
    ("log_0001_lane", include_str!("../../../../migrations/postgres/log_0001_lane.sql")),
    ("log_0002_writer", include_str!("../../../../migrations/postgres/log_0002_writer.sql")),
    ("log_0003_given_up", include_str!("../../../../migrations/postgres/log_0003_given_up.sql")),
    ("log_0004_told", include_str!("../../../../migrations/postgres/log_0004_told.sql")),
];
/// Advisory lock of migrations ("DMLG").
const LOCK: i64 = 0x444d_4c47;

/// Applies what is missing, and names it; with `apply` off it only refuses where something is.
pub(super) async fn run(connections: &Connections, apply: bool) -> Result<Vec<&'static str>> {
    let mut client = client(connections).await?;
    let done = timeout(LONG, migrate(&mut client, apply)).await;
    done.unwrap_or_else(|_| Err(BusError::new(BusErrorKind::Unavailable, "the log did not answer in time")))
}

async fn migrate(client: &mut Object, apply: bool) -> Result<Vec<&'static str>> {
    let failed = |e| postgres("migrate the log", &e);
    let t = client.transaction().await.map_err(failed)?;
    t.batch_execute(LONG_AT_SERVER).await.map_err(failed)?;
    if apply {
        t.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
        t.batch_execute(
            "CREATE SCHEMA IF NOT EXISTS duckmesh;
             CREATE TABLE IF NOT EXISTS duckmesh.log_version (version integer NOT NULL)",
        )
        .await
        .map_err(failed)?;
    }
    let there = t.query_one("SELECT to_regclass('duckmesh.log_version') IS NOT NULL", &[]).await.map_err(failed)?;
    let mut version = 0_i32;
    if there.try_get(0).map_err(failed)? {
        let sql = "SELECT coalesce(max(version), 0) FROM duckmesh.log_version";
        version = t.query_one(sql, &[]).await.map_err(failed)?.try_get(0).map_err(failed)?;
    }
    let known = MIGRATIONS.len() as i32;
    if version > known {
        let message = format!("the log has version {version}, this program knows {known}: use a newer one");
        return Err(BusError::new(BusErrorKind::Corrupt, message));
    }
    if version < known && !apply {
        let message = format!("the log has version {version}, this program needs {known}: run duckmesh migrate");
        return Err(BusError::new(BusErrorKind::Corrupt, message));
    }
    let mut applied = Vec::new();
    for (done, (name, sql)) in (1_i32..).zip(MIGRATIONS).filter(|(n, _)| *n > version) {
        t.batch_execute(sql).await.map_err(failed)?;
        t.execute("INSERT INTO duckmesh.log_version VALUES ($1)", &[&done]).await.map_err(failed)?;
        applied.push(*name);
    }
    t.commit().await.map_err(failed)?;
    Ok(applied)
}
