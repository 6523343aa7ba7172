//! BEGIN, COMMIT, ROLLBACK and savepoints.

use super::{copy_in::CopyIn, write};
use crate::{
    session::{ClientSession, Mark, Transaction},
    sql::{plan::TransactionPlan, transaction::Modes},
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
        TransactionPlan::Begin { tag, modes } => {
            begin(session, modes.read_only)?;
            apply(session, modes)?;
            noted_isolation(session, modes.isolation.as_deref());
            tag
        }
        TransactionPlan::Commit { and_chain } => commit(session, *and_chain).await?,
        TransactionPlan::Rollback { and_chain } => rollback(session, *and_chain)?,
        TransactionPlan::Savepoint(name) => {
            block(session, "SAVEPOINT")?;
            savepoint(session, name)?;
            "SAVEPOINT"
        }
        TransactionPlan::Release(name) => {
            block(session, "RELEASE SAVEPOINT")?;
            release(session, name)?;
            "RELEASE"
        }
        TransactionPlan::RollbackTo(name) => {
            block(session, "ROLLBACK TO SAVEPOINT")?;
            rollback_to(session, name)?;
            "ROLLBACK"
        }
        TransactionPlan::Set { modes } => {
            if session.in_block() {
                apply_mode(session, modes.read_only)?;
                apply(session, modes)?;
                noted_isolation(session, modes.isolation.as_deref());
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

/// SAVEPOINT in the open transaction, whether BEGIN was said or not.
///
/// # Errors
/// Without a transaction.
pub fn savepoint(session: &mut ClientSession, name: &str) -> PgResult<()> {
    let mark = Mark {
        temporary: session.temporary.state(),
        locks: session.advisory.of_transaction(),
        settings: session.settings.on_savepoint(),
        listening: session.listening.mark(),
        moment: session.moment,
    };
    let transaction = session.transaction.as_mut().ok_or_else(|| PgError::internal("a savepoint of no transaction"))?;
    transaction.savepoint(name.to_owned(), mark);
    // What comes now is after it.
    session.moment += 1;
    Ok(())
}

/// RELEASE SAVEPOINT.
///
/// # Errors
/// A name that none has.
pub fn release(session: &mut ClientSession, name: &str) -> PgResult<()> {
    let found = session.transaction.as_mut().and_then(|transaction| transaction.release(name));
    session.settings.on_release(found.ok_or_else(|| no_savepoint(name))?.settings);
    Ok(())
}

/// ROLLBACK TO SAVEPOINT.
///
/// # Errors
/// A name that none has.
pub fn rollback_to(session: &mut ClientSession, name: &str) -> PgResult<()> {
    let found = session.transaction.as_mut().and_then(|transaction| transaction.rollback_to(name));
    let mark = found.ok_or_else(|| no_savepoint(name))?;
    session.temporary.restore(mark.temporary);
    session.advisory.back_to(&mark.locks);
    session.settings.on_rollback_to(mark.settings);
    session.listening.back_to(mark.listening);
    session.rolled_back_to = Some(mark.moment);
    Ok(())
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

/// The isolation level and DEFERRABLE, which a transaction has from its first query on.
fn apply(session: &mut ClientSession, modes: &Modes) -> PgResult<()> {
    let Some(transaction) = &mut session.transaction else { return Ok(()) };
    let has_read = transaction.pin.is_some();
    let late = |what: &str| {
        let message = format!("SET TRANSACTION {what} must be called before any query");
        PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message)
    };
    if let Some(level) = &modes.isolation {
        let default = session.settings.default_transaction_isolation();
        if has_read && transaction.isolation.as_ref().unwrap_or(&default) != level {
            return Err(late("ISOLATION LEVEL"));
        }
        transaction.isolation = Some(level.clone());
    }
    let Some(deferrable) = modes.deferrable else { return Ok(()) };
    if has_read {
        return Err(late("[NOT] DEFERRABLE"));
    }
    session.settings.set("transaction_deferrable", Some(if deferrable { "on" } else { "off" }), true)
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
