//! BEGIN, COMMIT, ROLLBACK and savepoints.

use super::{copy_in::CopyIn, write};
use crate::{
    session::{ClientSession, Mark, Transaction},
    sql::plan::TransactionPlan,
    wire::{PgError, PgResult, SqlState, backend::Outcome},
};

/// The setting that says whether the transaction may write.
pub const READ_ONLY: &str = "transaction_read_only";

/// Runs a transaction command.
///
/// # Errors
/// Of the log, at COMMIT; unknown savepoints.
pub async fn run(session: &mut ClientSession, plan: &TransactionPlan) -> PgResult<Outcome<CopyIn>> {
    let tag = match plan {
        TransactionPlan::Begin { tag, read_only, isolation } => {
            begin(session, *read_only)?;
            noted_isolation(session, isolation.as_deref());
            tag
        }
        TransactionPlan::Commit { and_chain } => commit(session, *and_chain).await?,
        TransactionPlan::Rollback { and_chain } => rollback(session, *and_chain)?,
        TransactionPlan::Savepoint(name) => {
            block(session, "SAVEPOINT")?;
            let mark = Mark {
                temporary: session.temporary.state(),
                locks: session.advisory.of_transaction(),
                settings: session.settings.on_savepoint(),
                listening: session.listening.mark(),
                moment: session.moment,
            };
            block(session, "SAVEPOINT")?.savepoint(name.clone(), mark);
            // What comes now is after it.
            session.moment += 1;
            "SAVEPOINT"
        }
        TransactionPlan::Release(name) => {
            let found = block(session, "RELEASE SAVEPOINT")?.release(name);
            session.settings.on_release(found.ok_or_else(|| no_savepoint(name))?.settings);
            "RELEASE"
        }
        TransactionPlan::RollbackTo(name) => {
            let found = block(session, "ROLLBACK TO SAVEPOINT")?.rollback_to(name);
            let mark = found.ok_or_else(|| no_savepoint(name))?;
            session.temporary.restore(mark.temporary);
            session.advisory.back_to(&mark.locks);
            session.settings.on_rollback_to(mark.settings);
            session.listening.back_to(mark.listening);
            session.rolled_back_to = Some(mark.moment);
            "ROLLBACK"
        }
        TransactionPlan::Set { read_only, isolation } => {
            if session.in_block() {
                apply_mode(session, *read_only)?;
                noted_isolation(session, isolation.as_deref());
            } else {
                warn(
                    session,
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "SET TRANSACTION can only be used in transaction blocks",
                );
            }
            "SET"
        }
    };
    Ok(Outcome::Complete((*tag).to_owned()))
}

fn begin(session: &mut ClientSession, read_only: Option<bool>) -> PgResult<()> {
    if session.in_block() {
        warn(session, SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
    } else {
        // What came before BEGIN in the same query string belongs to the block, as in Postgres.
        let (lake, now) = (session.lake.clone(), session.statement_time);
        let temporary = session.temporary.state();
        let transaction = session.transaction.get_or_insert_with(|| Transaction::begin(lake, true, now, temporary));
        transaction.explicit = true;
        session.settings.on_begin();
        if session.settings.default_transaction_read_only() {
            session.settings.set(READ_ONLY, Some("on"), true)?;
        }
    }
    apply_mode(session, read_only)
}

fn apply_mode(session: &mut ClientSession, read_only: Option<bool>) -> PgResult<()> {
    let Some(read_only) = read_only else { return Ok(()) };
    set_read_only(session, Some(if read_only { "on" } else { "off" }))
}

/// `SET transaction_read_only` in a block, which is of the transaction whatever was said.
///
/// # Errors
/// 25001 for what would write after a query that was told not to.
pub fn set_read_only(session: &mut ClientSession, value: Option<&str>) -> PgResult<()> {
    let has_read = session.transaction.as_ref().is_some_and(|transaction| transaction.pin.is_some());
    let was = session.settings.transaction_read_only();
    session.settings.set(READ_ONLY, value, true)?;
    if has_read && was && !session.settings.transaction_read_only() {
        let message = "transaction read-write mode must be set before any query";
        return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    }
    Ok(())
}

/// Every transaction reads one snapshot and appends one frame: that is at least what each level asks for, but for SERIALIZABLE.
fn noted_isolation(session: &mut ClientSession, isolation: Option<&str>) {
    if isolation.is_some_and(|level| level.eq_ignore_ascii_case("serializable")) {
        session.notice(PgError::notice("transactions are REPEATABLE READ: one snapshot, one atomic write"));
    }
}

async fn commit(session: &mut ClientSession, and_chain: bool) -> PgResult<&'static str> {
    if !session.in_block() {
        // What was written before in the same query string ends here, as in Postgres.
        let open = session.transaction.is_some();
        let result = write::commit(session).await;
        if result.is_err() {
            session.rolled_back();
        }
        session.settings.on_implicit_end(result.is_err());
        result?;
        if open {
            session.committed();
        } else {
            session.advisory.end_transaction();
            session.listening.end(true);
            session.temporary.committed();
        }
        return ended_without_block(session, and_chain, "COMMIT");
    }
    let failed = session.transaction.as_ref().is_some_and(|t| t.failed);
    let read_only = session.settings.transaction_read_only();
    if failed {
        session.end_transaction();
        session.rolled_back();
        session.settings.on_rollback();
    } else {
        let result = write::commit(session).await;
        if let Err(error) = result {
            session.rolled_back();
            session.settings.on_rollback();
            return Err(error);
        }
        session.committed();
        session.settings.on_commit();
    }
    if and_chain {
        begin(session, Some(read_only))?;
    }
    Ok(if failed { "ROLLBACK" } else { "COMMIT" })
}

fn rollback(session: &mut ClientSession, and_chain: bool) -> PgResult<&'static str> {
    if !session.in_block() {
        if and_chain {
            return ended_without_block(session, true, "ROLLBACK");
        }
        session.end_transaction();
        session.rolled_back();
        session.settings.on_implicit_end(true);
        warn(session, SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
        return Ok("ROLLBACK");
    }
    let read_only = session.settings.transaction_read_only();
    session.end_transaction();
    session.rolled_back();
    session.settings.on_rollback();
    if and_chain {
        begin(session, Some(read_only))?;
    }
    Ok("ROLLBACK")
}

fn ended_without_block(session: &mut ClientSession, and_chain: bool, tag: &'static str) -> PgResult<&'static str> {
    if and_chain {
        return Err(PgError::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{tag} AND CHAIN can only be used in transaction blocks"),
        ));
    }
    warn(session, SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
    Ok(tag)
}

fn block<'a>(session: &'a mut ClientSession, command: &str) -> PgResult<&'a mut Transaction> {
    session.transaction.as_mut().filter(|t| t.explicit).ok_or_else(|| {
        let text = format!("{command} can only be used in transaction blocks");
        PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, text)
    })
}

fn no_savepoint(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
}

fn warn(session: &mut ClientSession, code: SqlState, text: &str) {
    session.notice(PgError::warning(code, text));
}
