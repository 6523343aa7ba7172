//! The transaction itself.

use std::sync::Arc;

use uuid::Uuid;

use super::{MissingFrom, Publication, Published, diff, files, inlined, truncate};
use crate::{
    Catalog, ErrorKind, LakeSchema, Offset, SnapshotId, TableDef, TableId,
    catalog::{Book, Result},
    ddl::DdlOp,
    error::Error,
    failpoint,
    files::NewFile,
    params, rejected_rows,
    snapshots::{self, SnapshotInfo},
    store::{Dialect, Isolation, Statement, Transaction, Value},
    tables::{self, Source},
};

/// Attempts against writers that are not ours and keep taking the next snapshot id.
pub(super) const ATTEMPTS: usize = 20;
/// Attempts where the store cannot now; each may have waited for a lock already.
pub(super) const ATTEMPTS_BUSY: usize = 4;

impl Catalog {
    /// Publishes: all of it, or nothing.
    ///
    /// [`ErrorKind::NotFound`] names the uuid of a table that is gone; other kinds as they say. A snapshot that another writer
    /// of the lake made meanwhile is no error: the publication is made again after it.
    pub async fn publish(&self, publication: &Publication) -> Result<Published> {
        let book = self.book(publication.lake).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.publish_once(&book, publication).await {
                // AlreadyExists of DDL is the user's; of the store it is the next snapshot's id, taken by another writer.
                Err(e)
                    if (attempt < ATTEMPTS && is_store_conflict(&e))
                        || (attempt < ATTEMPTS_BUSY && e.is_soon_over()) =>
                {
                    tracing::debug!(lake = %publication.lake, attempt, error = %e, "publishing again");
                }
                Err(e) if is_store_conflict(&e) => {
                    return Err(Error::caused(ErrorKind::Retry, "other writers keep taking the next snapshot", e));
                }
                other => return other,
            }
        }
    }

    async fn publish_once(&self, book: &Book, publication: &Publication) -> Result<Published> {
        let mut tx = book.store.begin_with(Isolation::RepeatableRead).await?;
        match self.write(&mut tx, book, publication).await {
            Ok((published, rest)) => {
                failpoint::hit("publish-before-commit")?;
                tx.commit_with(rest).await?;
                failpoint::hit("publish-after-commit")?;
                Ok(published)
            }
            Err(e) => {
                tx.rollback().await;
                Err(e)
            }
        }
    }

    /// Moves the watermark; the rest is what to write before the commit.
    async fn write(
        &self,
        tx: &mut Transaction,
        book: &Book,
        publication: &Publication,
    ) -> Result<(Published, Vec<Statement>)> {
        move_watermark(tx, publication).await?;
        let latest = snapshots::info(&tx.query_one(snapshots::LATEST, vec![]).await?)?;
        let ddl_offset = publication.ddl_offset.unwrap_or(latest.ddl_offset);
        let mut statements = dead_letters(self, publication);
        statements.extend(rejected_rows::statements(publication, self.inner.clock.now()));
        let mut snapshot = latest.id;
        if !publication.ddl.is_empty() || !publication.files.is_empty() {
            let old = match book.schema(latest.schema_version, latest.ddl_offset.get()) {
                Some(schema) => schema,
                None => Arc::new(tables::load(&mut Source::Transaction(tx), &latest).await?),
            };
            if let Some(made) = self.snapshot_of(tx, book.store.dialect(), &latest, &old, publication).await? {
                snapshot = made.0;
                statements.extend(made.1);
            }
        }
        let gaps = publication.rejected.iter().filter(|rejection| rejection.missing_from != MissingFrom::Nothing);
        let gap = gaps.map(|rejection| rejection.offset).chain(latest.gap).max();
        statements.push(cover(snapshot, publication.new_watermark, ddl_offset, gap));
        Ok((Published { snapshot, watermark: publication.new_watermark }, statements))
    }

    /// The new snapshot and the statements that make it; none where there is nothing to show.
    async fn snapshot_of(
        &self,
        tx: &mut Transaction,
        dialect: Dialect,
        latest: &SnapshotInfo,
        old: &LakeSchema,
        publication: &Publication,
    ) -> Result<Option<(SnapshotId, Vec<Statement>)>> {
        let row = tx
            .query_one(
                "SELECT next_catalog_id, next_file_id FROM @ducklake_snapshot WHERE snapshot_id = $1",
                params![latest.id],
            )
            .await?;
        let snapshot = latest.id.next();
        let mut next_file_id = row.int(1)?;
        // A snapshot without schema changes can raise it, too (other writers' macros).
        let old = LakeSchema { next_catalog_id: row.int(0)?, ..old.clone() };
        let new = old.apply(&publication.ddl)?;
        let mut diff = diff::diff(&old, &new, snapshot)?;
        let schema_version = latest.schema_version + i64::from(!diff.is_empty());
        let mut statements = std::mem::take(&mut diff.statements);
        for table in &diff.versioned {
            statements.push(Statement::new(
                "INSERT INTO @ducklake_schema_versions(begin_snapshot, schema_version, table_id) VALUES ($1, $2, $3)",
                params![snapshot, schema_version, *table],
            ));
        }
        statements.extend(inlined::follow(tx, dialect, &old, &new, &diff, schema_version).await?);
        let silent = statements.is_empty();
        let mut changes = diff.changes;
        for table in truncated(&old, &new, &publication.ddl) {
            let (ends, entries) = truncate::statements(tx, table, snapshot).await?;
            statements.extend(ends);
            changes.extend(entries);
        }
        for (table, new_files) in by_table(&old, &new, publication)? {
            let before = old.table_by_uuid(table.uuid).map(AsRef::as_ref);
            files::insert(tx, &mut statements, snapshot, (&table, before), &new_files, &mut next_file_id).await?;
            changes.push(format!("inserted_into_table:{}", table.id));
        }
        // What only DuckMesh knows of (sequences) makes a snapshot too, without an entry for other programs.
        if changes.is_empty() && silent {
            return Ok(None);
        }
        // Time travel by time needs times in the order of ids, whatever this machine's clock does.
        let time = self.inner.clock.now().max(latest.time + chrono::Duration::microseconds(1));
        let mut all = vec![
            Statement::new(
                "INSERT INTO @ducklake_snapshot(snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
                 VALUES ($1, $2, $3, $4, $5)",
                params![snapshot, time, schema_version, new.next_catalog_id, next_file_id],
            ),
            Statement::new(
                "INSERT INTO @ducklake_snapshot_changes(snapshot_id, changes_made, commit_extra_info) VALUES ($1, $2, $3)",
                params![snapshot, changes.join(","), extra_info(publication)],
            ),
        ];
        all.append(&mut statements);
        Ok(Some((snapshot, all)))
    }
}

/// Tables that the operations truncate, of those that were there before and still are.
fn truncated(old: &LakeSchema, new: &LakeSchema, ops: &[DdlOp]) -> Vec<TableId> {
    let mut tables: Vec<TableId> = Vec::new();
    for op in ops {
        let DdlOp::Truncate { table } = op else { continue };
        let there = old.table_by_uuid(*table).and(new.table_by_uuid(*table));
        tables.extend(there.map(|t| t.id).filter(|id| !tables.contains(id)));
    }
    tables
}

/// The compare-and-set that everything hangs on: one row, or the reason why not.
async fn move_watermark(tx: &mut Transaction, publication: &Publication) -> Result<()> {
    if publication.new_watermark < publication.expected_watermark {
        return Err(Error::new(ErrorKind::Invalid, "a watermark does not go back"));
    }
    let rows = tx
        .execute(
            "UPDATE @duckmesh_state SET watermark = $1, ddl_offset = COALESCE($2, ddl_offset)
             WHERE lake_id = $5 AND watermark = $3 AND epoch = $4",
            params![
                publication.new_watermark,
                publication.ddl_offset,
                publication.expected_watermark,
                publication.epoch,
                publication.lake
            ],
        )
        .await?;
    if rows == 1 {
        return Ok(());
    }
    let sql = "SELECT watermark, epoch FROM @duckmesh_state WHERE lake_id = $1";
    let Some(row) = tx.query_opt(sql, params![publication.lake]).await? else {
        return Err(Error::new(ErrorKind::Fenced, "the lake was dropped"));
    };
    let (watermark, epoch) = (row.int(0)?, row.int(1)?);
    Err(if epoch == publication.epoch.get() {
        Error::new(
            ErrorKind::WatermarkMoved,
            format!("the watermark is {watermark}, not {}", publication.expected_watermark),
        )
    } else {
        Error::new(ErrorKind::Fenced, format!("epoch {epoch} publishes now, not {}", publication.epoch))
    })
}

/// What the snapshot covers of the log; for a publication that shows nothing, the newest snapshot covers more from now on.
pub(super) fn cover(snapshot: SnapshotId, watermark: Offset, ddl_offset: Offset, gap: Option<Offset>) -> Statement {
    Statement::new(
        "INSERT INTO @duckmesh_snapshot(snapshot_id, watermark, ddl_offset, gap, made_ms) VALUES ($1, $2, $3, $4, @@now_ms)
         ON CONFLICT (snapshot_id) DO UPDATE
         SET watermark = excluded.watermark, ddl_offset = excluded.ddl_offset, gap = excluded.gap",
        params![snapshot, watermark, ddl_offset, gap],
    )
    .expect(1)
}

fn dead_letters(catalog: &Catalog, publication: &Publication) -> Vec<Statement> {
    let now = catalog.inner.clock.now();
    publication
        .rejected
        .iter()
        .map(|rejection| {
            Statement::new(
                "INSERT INTO @duckmesh_dead_letter(log_offset, rejected_at, attempts, reason, frame, missing_from)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                params![
                    rejection.offset,
                    now,
                    rejection.attempts,
                    &rejection.reason,
                    Value::Blob(rejection.frame.clone()),
                    rejection.missing_from.text()
                ],
            )
            .expect(1)
        })
        .collect()
}

/// The files by table, each table once. Files of a table that this publication drops are left out: nobody could see them.
fn by_table(
    old: &LakeSchema,
    new: &LakeSchema,
    publication: &Publication,
) -> Result<Vec<(Arc<TableDef>, Vec<NewFile>)>> {
    let mut tables: Vec<(Uuid, Vec<NewFile>)> = Vec::new();
    for (uuid, files) in publication.files.iter().filter(|(_, files)| !files.is_empty()) {
        match tables.iter_mut().find(|(known, _)| known == uuid) {
            Some((_, known)) => known.extend(files.iter().cloned()),
            None => tables.push((*uuid, files.clone())),
        }
    }
    let mut out = Vec::with_capacity(tables.len());
    for (uuid, files) in tables {
        match new.table_by_uuid(uuid) {
            Some(table) => out.push((Arc::clone(table), files)),
            None if old.table_by_uuid(uuid).is_some() => {}
            None => {
                return Err(Error::new(ErrorKind::NotFound, format!("table {uuid} does not exist")));
            }
        }
    }
    Ok(out)
}

fn extra_info(publication: &Publication) -> String {
    serde_json::json!({
        "watermark": publication.new_watermark.get(),
        "epoch": publication.epoch.get(),
    })
    .to_string()
}

/// Whether the store itself found a key taken (a rule of SQL has no cause).
pub(super) fn is_store_conflict(error: &Error) -> bool {
    error.kind() == ErrorKind::AlreadyExists && std::error::Error::source(error).is_some()
}
