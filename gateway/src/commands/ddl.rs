//! DDL: through the log like every write; the statement waits for its publication and reports what that said.

use std::{collections::BTreeSet, sync::Arc};

use duckmesh_catalog::ddl::DdlOp;
use duckmesh_ingest::{Part, Validated};
use uuid::Uuid;

use super::{
    barrier,
    copy_in::CopyIn,
    current, insert, rewrite_table, select,
    write::{self, Fate, Payload},
    wrong_plan,
};
use crate::{
    limits::STALE_SCHEMA_RETRIES_MAX,
    session::{ClientSession, Pin, PreparedStatement},
    sql::plan::{DdlPlan, Plan, QueryPlan},
    wire::{
        PgError, PgResult,
        backend::{Outcome, Params, Place},
    },
};

/// Runs DDL.
///
/// # Errors
/// Validation queries that find rows; errors of the log; the rejection's reason.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    plan: &DdlPlan,
    place: Place,
) -> PgResult<Outcome<CopyIn>> {
    if session.transaction_for_writes(place).is_some() {
        let pin = barrier::transaction_pin(session).await?;
        let (prepared, pin) = current(session, prepared, pin).await?;
        let Plan::Ddl(plan) = prepared.plan() else { return Err(wrong_plan()) };
        validate(session, &pin, &plan.validations).await?;
        let rewritten = rewrite_table::rows(session, &pin, &plan.ops, &plan.rewrites).await?;
        notices(session, plan);
        if let Some(transaction) = &mut session.transaction {
            transaction.push_validation(&plan.validations);
            transaction.rewritten.extend(plan.rewrites.iter().map(|rewrite| rewrite.table));
        }
        buffer(session, &pin, plan.ops.clone()).await?;
        for (table, rows) in rewritten {
            insert::buffer(session, &table, rows).await?;
        }
        on_commit(session, plan);
        return Ok(Outcome::Complete(plan.tag.clone()));
    }
    let tag = plan.tag.clone();
    let mut payload = Payload::new(session);
    payload.add(prepared.statement().text().as_bytes());
    let mut prepared = prepared.clone();
    let mut hold = None;
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        // The barrier first: a validation must see every row that was acknowledged before. Temporary rows are here.
        let pin = match prepared.plan() {
            Plan::Ddl(plan) if session.temporary.owns(&plan.ops) => barrier::planning_pin(session, false).await?,
            _ => barrier::writing_pin_strong(session).await?,
        };
        prepared = current(session, &prepared, pin.clone()).await?.0;
        let Plan::Ddl(plan) = prepared.plan() else { return Err(wrong_plan()) };
        validate(session, &pin, &plan.validations).await?;
        if plan.ops.is_empty() {
            notices(session, plan);
            session.settings.set_internal("duckmesh.idempotency_key", "");
            return Ok(Outcome::Complete(tag));
        }
        let rewritten = rewrite_table::rows(session, &pin, &plan.ops, &plan.rewrites).await?;
        let (of_lake, temporary) = session.temporary.split(plan.ops.clone());
        session.temporary.settle(&temporary).await?;
        if of_lake.is_empty() {
            session.temporary.apply(&temporary)?;
            for (table, rows) in rewritten {
                insert::keep(session, &table, rows).await?;
            }
            on_commit(session, plan);
            notices(session, plan);
            return Ok(Outcome::Complete(tag));
        }
        let mut parts = vec![Part::Ddl(of_lake)];
        let mut claims = Vec::new();
        for (_, rows) in rewritten {
            parts.extend(rows.parts);
            claims.extend(rows.claims);
        }
        let validated = validated(&pin, &plan.validations, plan.rewrites.iter().map(|rewrite| rewrite.table));
        let tables = validated.as_ref().map(|validated| validated.tables.clone());
        match write::append_validated(session, parts, pin.base.ddl_offset, validated, &payload).await? {
            Fate::Durable(appended) => {
                write::published(session, appended.offset).await?;
                if !temporary.is_empty() {
                    session.temporary.apply(&temporary)?;
                }
                notices(session, plan);
                return Ok(Outcome::Complete(tag));
            }
            Fate::SchemaChanged => {}
            // From now on new rows of this server wait, so that the next look is the last.
            Fate::RowsArrived => hold = hold.or_else(|| tables.map(|tables| session.lake.lake.hold(&tables))),
        }
    }
    Err(write::changed())
}

/// Puts DDL into the open transaction, and shows the transaction its effect.
///
/// # Errors
/// When the operations do not fit the transaction's own state: a bug of planning.
pub async fn buffer(session: &mut ClientSession, pin: &Pin, ops: Vec<DdlOp>) -> PgResult<()> {
    let (ops, temporary) = session.temporary.split(ops);
    if !temporary.is_empty() {
        session.temporary.settle(&temporary).await?;
        session.temporary.apply(&temporary)?;
    }
    if ops.is_empty() {
        return Ok(());
    }
    let applied = pin.schema.apply(&ops).map_err(super::failure::catalog)?;
    let transaction = session.transaction.as_mut().ok_or_else(|| PgError::internal("no transaction for DDL"))?;
    transaction.push_ddl(ops, Arc::new(applied));
    Ok(())
}

fn on_commit(session: &mut ClientSession, plan: &DdlPlan) {
    if let Some((table, action)) = plan.on_commit.filter(|_| !plan.ops.is_empty()) {
        session.temporary.set_on_commit(table, action);
    }
}

fn notices(session: &mut ClientSession, plan: &DdlPlan) {
    plan.notices.iter().cloned().for_each(|notice| session.notice(notice));
}

/// Runs queries that must find no row.
///
/// # Errors
/// The error of the first one that does.
pub async fn validate(session: &mut ClientSession, pin: &Pin, queries: &[(QueryPlan, PgError)]) -> PgResult<()> {
    for (query, error) in queries {
        let running = select::start(session, pin, query, &Params::default()).await?;
        if running.collect().await?.iter().any(|batch| batch.num_rows() > 0) {
            return Err(error.clone());
        }
    }
    // A test waits here: other work of this thread goes on meanwhile.
    tokio::task::block_in_place(|| duckmesh_catalog::failpoint::hit("ddl-after-validate"))
        .map_err(super::failure::catalog)
}

/// What the log is told that was looked at: the tables of the queries and those whose rows are written anew, up to the
/// snapshot's watermark.
pub fn validated<'a>(
    pin: &Pin,
    queries: impl IntoIterator<Item = &'a (QueryPlan, PgError)>,
    rewritten: impl IntoIterator<Item = Uuid>,
) -> Option<Validated> {
    let looked_at = queries.into_iter().flat_map(|(query, _)| query.tables.iter().map(|used| used.table.uuid));
    let tables: BTreeSet<Uuid> = looked_at.chain(rewritten).collect();
    let tables: Vec<Uuid> = tables.into_iter().collect();
    (!tables.is_empty()).then_some(Validated { through: pin.snapshot.watermark, tables })
}
