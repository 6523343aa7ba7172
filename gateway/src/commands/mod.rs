//! What statements do: one file, one verb. Plans come in, outcomes go out.

pub mod barrier;
pub mod failure;

mod calls;
pub(crate) use calls::state as sequence_state;
pub mod cursor;
pub mod describe;
mod render;
pub mod select;
mod tables;

mod aside;
mod checks;
mod conform;
pub mod copy_in;
pub mod copy_judge;
mod copy_out;
mod copy_out_parquet;
mod copy_parquet;
mod copy_places;
mod copy_where;
mod defaults;
mod insert;
mod row_buffer;
mod spool;
pub mod write;

mod create_as;
mod create_view;
mod database;
mod ddl;
mod do_block;
mod rewrite_table;

pub mod expire;
mod explain;
mod generated;
pub mod in_use;
mod numbers;
mod setting;
mod settle;
mod transaction;

use crate::{
    session::{ClientSession, Pin, PreparedStatement, temporary},
    sql::plan::{InsertPlan, InsertSource, Plan, QueryPlan},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Params, Place},
    },
};

/// Runs a planned statement.
///
/// # Errors
/// What the client gets; the session is left as it was, an open block is marked failed by the caller.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
    place: Place,
) -> PgResult<Outcome<copy_in::CopyIn>> {
    if prepared.plan().writes()
        && let Some(transaction) = session.transaction_for_writes(place)
    {
        // Here, where the first write of an implicit transaction counts too.
        transaction.payload.add_statement(prepared.statement().text(), &params);
    }
    match prepared.plan() {
        Plan::Transaction(plan) => transaction::run(session, plan, place).await,
        Plan::Setting(plan) => setting::run(session, plan, place),
        Plan::NoOp { tag, notice } => {
            match tag.as_str() {
                "LOCK TABLE" if session.transaction.is_none() && matches!(place, Place::Last | Place::First) => {
                    let message = "LOCK TABLE can only be used in transaction blocks";
                    return Err(PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
                }
                "VACUUM" => not_in_block(session, tag, place)?,
                _ => {}
            }
            notice.iter().cloned().for_each(|notice| session.notice(notice));
            Ok(Outcome::Complete(tag.clone()))
        }
        Plan::Do(plan) => do_block::run(session, plan).await,
        Plan::Command(_) => Err(PgError::internal("a command of the wire reached the session")),
        Plan::Listen(on, name) => {
            session.listening.listen(*on, name.clone());
            Ok(Outcome::Complete(if *on { "LISTEN" } else { "UNLISTEN" }.to_owned()))
        }
        Plan::Notify(channel, payload) => {
            session.notify(channel, payload)?;
            Ok(Outcome::Complete("NOTIFY".to_owned()))
        }
        Plan::ExpireSnapshots(older_than) => {
            writable(session, "CALL")?;
            not_in_block(session, "CALL duckmesh.expire_snapshots", place)?;
            expire::run(session, older_than).await
        }
        Plan::SettleDeadLetters(through) => {
            writable(session, "CALL")?;
            not_in_block(session, "CALL duckmesh.settle_dead_letters", place)?;
            settle::run(session, *through).await
        }
        Plan::Query(_) => select::run(session, prepared, params).await,
        Plan::CopyOut(_) => copy_out::run(session, prepared, params).await,
        Plan::Explain(_) => explain::run(session, prepared, params).await,
        Plan::Database(plan) => {
            not_in_block(session, plan.name(), place)?;
            database::run(session, plan).await
        }
        Plan::Insert(plan) => {
            if !temporary::is_temporary(&plan.table) {
                writable(session, "INSERT")?;
            }
            let Some(query) = computed(prepared.plan()) else {
                return insert::run(session, prepared, params, place).await;
            };
            if calls::has_effects(query) {
                let exact = exact(session, prepared).await?;
                return insert::run(session, &exact, params, place).await;
            }
            match insert::run(session, prepared, params.clone(), place).await {
                Err(error) if select::has_no_room(&error) => {
                    let exact = exact(session, prepared).await?;
                    insert::run(session, &exact, params, place).await
                }
                done => done,
            }
        }
        Plan::CopyIn(plan) => {
            if !temporary::is_temporary(&plan.table) {
                writable(session, "COPY FROM")?;
            }
            copy_in::begin(session, prepared, plan, place).await
        }
        Plan::Ddl(plan) => {
            writable(session, &plan.tag)?;
            if plan.alone {
                not_in_block(session, &format!("{} CONCURRENTLY", plan.tag), place)?;
            }
            ddl::run(session, prepared, plan, place).await
        }
        Plan::CreateTableAs(_) => {
            writable(session, "CREATE TABLE AS")?;
            let Some(query) = computed(prepared.plan()) else {
                return create_as::run(session, prepared, params, place).await;
            };
            if calls::has_effects(query) {
                let exact = exact(session, prepared).await?;
                return create_as::run(session, &exact, params, place).await;
            }
            match create_as::run(session, prepared, params.clone(), place).await {
                Err(error) if select::has_no_room(&error) => {
                    let exact = exact(session, prepared).await?;
                    create_as::run(session, &exact, params, place).await
                }
                done => done,
            }
        }
        Plan::CreateView(plan) => {
            writable(session, "CREATE VIEW")?;
            create_view::run(session, prepared, plan, place).await
        }
    }
}

/// The query of a write that computes its rows with the engine's decimals. All rows are there before any is written, so that they
/// can be computed again; what has an effect is not run twice.
fn computed(plan: &Plan) -> Option<&QueryPlan> {
    let query = match plan {
        Plan::Insert(InsertPlan { source: InsertSource::Query(query), .. }) => query,
        Plan::CreateTableAs(plan) => &plan.query,
        _ => return None,
    };
    query.decimals.then_some(query)
}

/// The statement planned to compute numerics with all their digits.
async fn exact(session: &mut ClientSession, prepared: &PreparedStatement) -> PgResult<PreparedStatement> {
    let pin = session.schema_for_planning(true).await?;
    session.plan_otherwise(prepared, &pin, |context| context.exact = true).await
}

/// Refuses what cannot be part of a transaction.
fn not_in_block(session: &ClientSession, command: &str, place: Place) -> PgResult<()> {
    if session.transaction.is_some() || !matches!(place, Place::Last | Place::First) {
        let text = format!("{command} cannot run inside a transaction block");
        return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, text));
    }
    Ok(())
}

/// Refuses writes in a read-only transaction, as Postgres does.
fn writable(session: &ClientSession, command: &str) -> PgResult<()> {
    let read_only = match &session.transaction {
        Some(transaction) if transaction.explicit => session.settings.transaction_read_only(),
        // SET TRANSACTION may have come before it in the same query string.
        _ => session.settings.transaction_read_only() || session.settings.default_transaction_read_only(),
    };
    if read_only {
        let text = format!("cannot execute {command} in a read-only transaction");
        return Err(PgError::new(SqlState::READ_ONLY_SQL_TRANSACTION, text));
    }
    Ok(())
}

/// The plan to run now, and the pinned state to run it on.
async fn current(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    pin: Pin,
) -> PgResult<(PreparedStatement, Pin)> {
    let prepared = crate::session::current_plan(session, prepared, &pin).await?;
    Ok((prepared, pin))
}

/// A plan of another kind than its statement's: a bug, answered as one.
fn wrong_plan() -> PgError {
    PgError::internal("a statement's plan changed its kind when it was planned again")
}
