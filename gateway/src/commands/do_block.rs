//! DO: its statements in one transaction, undone where one of them ends with an error that the block expects.

use super::{copy_in::CopyIn, transaction};
use crate::{
    session::ClientSession,
    sql::plan::DoPlan,
    wire::{
        PgError, PgResult,
        backend::{Outcome, Params, Place, Session as _},
    },
};

/// No SAVEPOINT runs inside a block: the newest of this name is its own.
const SAVEPOINT: &str = "duckmesh do block";

/// Runs a block.
///
/// # Errors
/// Of its statements, but for those that it handles.
pub async fn run(session: &mut ClientSession, plan: &DoPlan) -> PgResult<Outcome<CopyIn>> {
    // Outside of a transaction it is one: the wire ends it behind this statement, or what follows.
    session.transaction_for_writes(Place::MoreMayFollow);
    transaction::savepoint(session, SAVEPOINT)?;
    let done = statements(session, plan).await;
    let handled = done.as_ref().is_err_and(|error| plan.handled.iter().any(|condition| condition.takes(error)));
    if handled {
        transaction::rollback_to(session, SAVEPOINT)?;
    }
    transaction::release(session, SAVEPOINT)?;
    match done {
        Err(error) if !handled => Err(error),
        _ => Ok(Outcome::Complete("DO".to_owned())),
    }
}

async fn statements(session: &mut ClientSession, plan: &DoPlan) -> PgResult<()> {
    let sent = session.client_sql.clone();
    for statement in &plan.statements {
        let done = statement_of(session, statement).await;
        session.client_sql.clone_from(&sent);
        // It would count from the statement's own start.
        done.map_err(PgError::unplaced)?;
    }
    Ok(())
}

async fn statement_of(session: &mut ClientSession, statement: &crate::sql::Statement) -> PgResult<()> {
    let prepared = session.prepare(statement, &[]).await?;
    match Box::pin(super::run(session, &prepared, Params::default(), Place::MoreMayFollow)).await? {
        Outcome::Rows(_) => Err(PgError::unsupported("RETURNING in a DO block is not supported")),
        _ => Ok(()),
    }
}
