//! Appends to the log: one write, its token, and what to do when the schema changed meanwhile.

use std::sync::{Arc, atomic::Ordering};

use duckmesh_catalog::{LakeSchema, Offset, TableDef, failpoint, user_types::TypeSpec};
use duckmesh_ingest::{AppendErrorKind, Appended, IdempotencyKey, Part, Validated, Write};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{barrier, ddl, failure};
use crate::{
    limits::{DDL_PUBLICATION_WAIT, STALE_SCHEMA_RETRIES_MAX},
    session::{ClientSession, Pin},
    wire::{PgError, PgResult, SqlState},
};

/// What became of an append.
pub enum Fate {
    /// It is durable.
    Durable(Appended),
    /// The schema changed under it; the new one is published and may be loaded.
    SchemaChanged,
    /// Rows came into a table that it was validated for.
    RowsArrived,
}

/// Appends outside a transaction block and tells the client its token.
///
/// # Errors
/// Of the log. Never after the write became durable, but for `write_visibility = visible`, where the wait itself may fail.
pub async fn append(
    session: &mut ClientSession,
    parts: Vec<Part>,
    made_for: Offset,
    payload: &Payload,
) -> PgResult<Fate> {
    append_validated(session, parts, made_for, None, payload).await
}

/// The same for what is right only while no other rows come into some tables.
///
/// # Errors
/// As [`append`].
pub async fn append_validated(
    session: &mut ClientSession,
    parts: Vec<Part>,
    made_for: Offset,
    validated: Option<Validated>,
    payload: &Payload,
) -> PgResult<Fate> {
    let key = payload.key(session);
    let lake = session.lake.lake.clone();
    if !has_ddl(&parts) {
        lake.pass(&parts).await;
    }
    failpoint::hit("insert-before-append").map_err(failure::catalog)?;
    session.shield.store(true, Ordering::Relaxed);
    let result = lake.append(Write { parts, made_for, key, validated }).await;
    match result {
        Ok(appended) => {
            failpoint::hit("insert-after-append").map_err(failure::catalog)?;
            // The shield stays up: from here on "cancelled" would be said of something that is stored.
            acknowledged(session, &appended);
            if session.settings.waits_until_visible() {
                barrier::wait(session, appended.offset).await?;
            }
            Ok(Fate::Durable(appended))
        }
        Err(error) => {
            session.shield.store(false, Ordering::Relaxed);
            match error.kind() {
                AppendErrorKind::StaleSchema { current } => {
                    wait_for_ddl(session, current).await?;
                    Ok(Fate::SchemaChanged)
                }
                AppendErrorKind::RowsArrived => Ok(Fate::RowsArrived),
                _ => Err(failure::append(error)),
            }
        }
    }
}

/// The token, three ways: notice, ParameterStatus, and `SHOW`.
fn acknowledged(session: &mut ClientSession, appended: &Appended) {
    session.last_write = session.last_write.max(appended.offset);
    session.wrote();
    let token = session.token(appended.offset).to_string();
    session.settings.set_internal("duckmesh.last_token", &token);
    session.settings.set_internal("duckmesh.idempotency_key", "");
    if appended.duplicate {
        session.notice(PgError::notice(format!("duplicate: this write was stored before; token {token}")));
    } else {
        session.notice(PgError::notice(format!("token {token}")));
    }
}

/// Waits until the DDL at `offset` is published (or rejected), so that the schema it made can be loaded.
///
/// # Errors
/// 08007 when it is not published in time.
pub async fn wait_for_ddl(session: &ClientSession, offset: Offset) -> PgResult<()> {
    let wait = session.lake.lake.wait_for(offset);
    match tokio::time::timeout(DDL_PUBLICATION_WAIT, wait).await {
        Ok(result) => result.map_err(failure::wait),
        Err(_) => Err(PgError::new(
            SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
            format!("the schema change at token {} is stored but not published yet", session.token(offset)),
        )
        .hint("It will be; see duckmesh.lag for what holds publication up.")),
    }
}

/// Commits the open transaction: one frame with all its writes.
///
/// # Errors
/// 40001 when the schema of what it wrote changed; errors of the log; those of validations that found rows of others.
pub async fn commit(session: &mut ClientSession) -> PgResult<()> {
    let Some(mut transaction) = session.end_transaction() else { return Ok(()) };
    let parts = transaction.take_parts();
    let Some(mut pin) = transaction.pin.clone().filter(|_| !parts.is_empty()) else { return Ok(()) };
    let payload = transaction.payload.clone();
    let mut validated = ddl::validated(
        &pin,
        transaction.validations.iter().flat_map(|v| &v.queries),
        transaction.rewritten.iter().copied(),
    );
    let mut hold = None;
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        let made_for = pin.base.ddl_offset;
        match append_validated(session, parts.clone(), made_for, validated.clone(), &payload).await? {
            Fate::Durable(appended) => {
                if has_ddl(&parts) {
                    published(session, appended.offset).await?;
                }
                return Ok(());
            }
            Fate::SchemaChanged => {
                let newer = barrier::planning_pin(session, false).await?;
                refit(&mut pin, newer, &parts)?;
            }
            // What it wrote anew lacks them.
            Fate::RowsArrived if !transaction.rewritten.is_empty() => return Err(rows_came()),
            Fate::RowsArrived => {
                // Its own rows were checked before: only those of others are looked at again.
                hold = hold.or_else(|| validated.as_ref().map(|v| session.lake.lake.hold(&v.tables)));
                let newer = barrier::newest_pin_strong(session).await?;
                if let Some(validated) = &mut validated {
                    validated.through = newer.snapshot.watermark;
                }
                for validation in &transaction.validations {
                    let pin = Pin { schema: validation.schema.clone(), ..newer.clone() };
                    ddl::validate(session, &pin, &validation.queries).await?;
                }
                refit(&mut pin, newer, &parts)?;
            }
        }
    }
    Err(changed())
}

fn has_ddl(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::Ddl(_)))
}

/// Takes over a newer schema, where the writes mean the same under it.
fn refit(pin: &mut Pin, newer: Pin, parts: &[Part]) -> PgResult<()> {
    if newer.base.ddl_offset != pin.base.ddl_offset && !still_fits(pin, &newer.base, parts) {
        return Err(changed());
    }
    pin.base = newer.base;
    Ok(())
}

/// Waits for the publication of a DDL frame and reports what it said.
///
/// # Errors
/// The rejection's reason.
pub async fn published(session: &ClientSession, offset: Offset) -> PgResult<()> {
    // The change is in the log: whatever keeps its publication from being seen, nobody may say that it failed.
    let not_seen = |error: PgError| {
        if error.code() == SqlState::TRANSACTION_RESOLUTION_UNKNOWN {
            return error;
        }
        tracing::warn!(%error, "the outcome of a schema change is not known");
        PgError::new(
            SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
            format!(
                "the schema change at token {} is stored; whether it was applied is not known",
                session.token(offset)
            ),
        )
        .hint("See whether it is there, or repeat it with the same duckmesh.idempotency_key.")
    };
    wait_for_ddl(session, offset).await.map_err(not_seen)?;
    match session.lake.lake.outcome(offset).await.map_err(failure::catalog).map_err(not_seen)? {
        None => Ok(()),
        Some(rejection) => Err(PgError::new(SqlState::SERIALIZATION_FAILURE, "the change was not applied")
            .detail(rejection.reason)
            .hint("Another program changed the lake meanwhile. Nothing of this was stored; retry.")),
    }
}

/// Whether writes made for one schema mean the same under a newer one.
fn still_fits(pin: &Pin, newer: &LakeSchema, parts: &[Part]) -> bool {
    // Rows are compared with their table as it was when they were written: later parts may have changed it since.
    let (mut was, mut schema) = (LakeSchema::clone(&pin.base), newer.clone());
    for part in parts {
        match part {
            Part::Ddl(ops) => match (was.apply(ops), schema.apply(ops)) {
                (Ok(before), Ok(applied)) => (was, schema) = (before, applied),
                _ => return false,
            },
            Part::Rejected(_) => {}
            Part::Rows { table, .. } | Part::Files { table, .. } => {
                if !same_table(&was, &schema, *table) {
                    return false;
                }
            }
        }
    }
    true
}

/// Whether rows made for a table are what would be made for it in another schema, and its staged files are where its files are.
#[must_use]
pub fn same_table(one: &LakeSchema, other: &LakeSchema, table: Uuid) -> bool {
    let (Some(a), Some(b)) = (one.table_by_uuid(table), other.table_by_uuid(table)) else { return false };
    let same = Arc::ptr_eq(a, b) || (a.columns == b.columns && a.constraints == b.constraints);
    same && folder(one, a) == folder(other, b) && domains(one, a) == domains(other, b)
}

/// Where a table's files are.
fn folder<'s>(schema: &'s LakeSchema, table: &'s TableDef) -> Option<(&'s str, &'s str)> {
    let of = schema.schemas.values().find(|s| s.id == table.schema_id)?;
    Some((&of.path, &table.path))
}

/// The domains of a table's columns, down to their base types: what they demand is no part of the columns.
fn domains<'s>(schema: &'s LakeSchema, table: &TableDef) -> Vec<Option<&'s TypeSpec>> {
    let mut found = Vec::new();
    for column in &table.columns {
        let mut next = column.domain;
        while let Some(uuid) = next {
            let spec = schema.type_by_uuid(uuid).map(|of| &of.spec);
            found.push(spec);
            next = match spec {
                Some(TypeSpec::Domain(domain)) => domain.parent,
                _ => None,
            };
        }
    }
    found
}

fn rows_came() -> PgError {
    let message = "could not serialize access due to concurrent writes to an altered table";
    PgError::new(SqlState::SERIALIZATION_FAILURE, message).hint("Nothing was stored. Retry the transaction.")
}

/// The error for a write whose table changed under it.
#[must_use]
pub fn changed() -> PgError {
    PgError::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent schema change")
        .hint("Nothing was stored. Retry the transaction.")
}

/// What makes two writes "the same" for an idempotency key: what the client sent, not what it turned into, because defaults
/// such as `now()` differ each time.
#[derive(Clone, Default)]
pub struct Payload(Option<Sha256>);

impl Payload {
    /// Nothing yet; collects only if the session has a key.
    #[must_use]
    pub fn new(session: &ClientSession) -> Self {
        Self(session.settings.idempotency_key().map(|_| Sha256::new()))
    }

    /// Adds bytes that the client sent.
    pub fn add(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.0 {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }

    /// Adds a piece of a stream: where it was cut does not matter.
    pub fn add_stream(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.0 {
            hash.update(bytes);
        }
    }

    /// Adds a statement and its parameters.
    pub fn add_statement(&mut self, text: &str, params: &crate::wire::backend::Params) {
        if self.0.is_none() {
            return;
        }
        self.add(text.as_bytes());
        for (value, format) in params.values.iter().zip(&params.formats) {
            self.add(&[u8::from(value.is_some()), *format as u8]);
            self.add(value.as_deref().unwrap_or_default());
        }
    }

    /// Collects whether or not there is a key: one may be set before COMMIT.
    #[must_use]
    pub fn collecting() -> Self {
        Self(Some(Sha256::new()))
    }

    /// What was collected so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0.clone().unwrap_or_default().finalize().into()
    }

    fn key(&self, session: &ClientSession) -> Option<IdempotencyKey> {
        let key = session.settings.idempotency_key()?;
        Some(IdempotencyKey { key, payload_sha256: self.digest() })
    }
}
