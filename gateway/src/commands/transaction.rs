//! BEGIN, COMMIT, ROLLBACK and savepoints.

use super::{copy_in::CopyIn, write};
use crate::{
    session::{ClientSession, Mark, Transaction},
    sql::{plan::TransactionPlan, transaction::Modes},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Place},
    },
};

/// The setting that says whether the transaction may write.
pub const READ_ONLY: &str = "transaction_read_only";

/// Runs a transaction command.
///
/// # Errors
/// Of the log, at COMMIT; unknown savepoints.
pub async fn run(session: &mut ClientSession, plan: &TransactionPlan, place: Place) -> PgResult<Outcome<CopyIn>> {
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
            set_transaction(session, modes, place)?;
            "SET"
        }
    };
    Ok(Outcome::Complete((*tag).to_owned()))
}

/// SET TRANSACTION: several statements of one query string are a transaction too.
fn set_transaction(session: &mut ClientSession, modes: &Modes, place: Place) -> PgResult<()> {
    session.transaction_for_writes(place);
    if session.transaction.is_none() && place == Place::Last {
        let text = "SET TRANSACTION can only be used in transaction blocks";
        warn(session, SqlState::NO_ACTIVE_SQL_TRANSACTION, text);
        return Ok(());
    }
    apply_mode(session, modes.read_only)?;
    apply(session, modes)?;
    noted_isolation(session, modes.isolation.as_deref());
    Ok(())
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
    let (has_read, within) = (transaction.pin.is_some(), transaction.has_savepoint());
    let late = |what: &str| {
        let message = match (has_read, what) {
            (true, _) => format!("SET TRANSACTION {what} must be called before any query"),
            (false, "ISOLATION LEVEL") => format!("SET TRANSACTION {what} must not be called in a subtransaction"),
            (false, _) => format!("SET TRANSACTION {what} cannot be called within a subtransaction"),
        };
        PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message)
    };
    if let Some(level) = &modes.isolation {
        let default = session.settings.default_transaction_isolation();
        if (has_read || within) && transaction.isolation.as_ref().unwrap_or(&default) != level {
            return Err(late("ISOLATION LEVEL"));
        }
        transaction.isolation = Some(level.clone());
    }
    let Some(deferrable) = modes.deferrable else { return Ok(()) };
    if has_read || within {
        return Err(late("[NOT] DEFERRABLE"));
    }
    session.settings.set("transaction_deferrable", Some(if deferrable { "on" } else { "off" }), true)
}

/// `SET transaction_read_only` in a block, which is of the transaction whatever was said.
///
/// # Errors
/// 25001 for what would write after a query that was told not to.
pub fn set_read_only(session: &mut ClientSession, value: Option<&str>) -> PgResult<()> {
    let transaction = session.transaction.as_ref();
    let has_read = transaction.is_some_and(|transaction| transaction.pin.is_some());
    let within = transaction.is_some_and(Transaction::has_savepoint);
    let was = session.settings.transaction_read_only();
    session.settings.set(READ_ONLY, value, true)?;
    let message = match was && !session.settings.transaction_read_only() {
        true if within => "cannot set transaction read-write mode inside a read-only transaction",
        true if has_read => "transaction read-write mode must be set before any query",
        _ => return Ok(()),
    };
    Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
}

/// Every transaction reads one snapshot and appends one frame: that is at least what each level asks for, but for SERIALIZABLE.
fn noted_isolation(session: &mut ClientSession, isolation: Option<&str>) {
    if isolation.is_some_and(|level| level.eq_ignore_ascii_case("serializable")) {
        session.notice(PgError::notice("transactions are REPEATABLE READ: one snapshot, one atomic write"));
    }
}

async fn commit(session: &mut ClientSession, and_chain: bool) -> PgResult<&'static str> {
    if !session.in_block() {
        if and_chain {
            // Refused before anything is stored: what came before it in the same query string goes with it.
            return ended_without_block(session, true, "COMMIT");
        }
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
        return ended_without_block(session, false, "COMMIT");
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
