//! SET, RESET, SHOW, DISCARD.

use duckmesh_catalog::{Offset, Token};

use super::{copy_in::CopyIn, failure, select, transaction};
use crate::{
    session::{ClientSession, gaps::Gaps, settings::Settings},
    sql::plan::SettingPlan,
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Place, RowTag},
    },
};

const LAST_TOKEN: &str = "duckmesh.last_token";
/// Settings that say which snapshot a transaction reads.
const CHOOSE_SNAPSHOT: [&str; 2] = ["duckmesh.snapshot", "duckmesh.as_of"];

/// `SET duckmesh.last_token`: from now on this connection goes on where another left off, as a pooler asks it to that
/// follows this parameter. What it wrote itself stays what it depends on.
fn continued(session: &mut ClientSession, token: &str) -> PgResult<()> {
    let here = &session.lake.info.name;
    if !token.is_empty() {
        let parsed = Token::parse(token, here).ok_or_else(|| {
            let message = format!("invalid value for parameter \"{LAST_TOKEN}\": \"{token}\"");
            PgError::new(SqlState::INVALID_PARAMETER_VALUE, message).hint("Tokens look like sales/42.")
        })?;
        if parsed.lake != *here {
            let message = format!("token {parsed} belongs to another database");
            return Err(PgError::new(SqlState::TOKEN_OF_OTHER_LAKE, message));
        }
        if !session.lake.incarnations.holds(parsed.incarnation, parsed.offset) {
            return Err(failure::token_of_lost_incarnation(&parsed));
        }
        session.last_write = session.last_write.max(parsed.offset);
    }
    session.settings.set_internal(LAST_TOKEN, token);
    Ok(())
}

/// A transaction reads one snapshot: what chooses it comes before the first statement that reads or writes, as in Postgres
/// `SET TRANSACTION` does.
///
/// # Errors
/// 25001 when `name` chooses a snapshot and the transaction has one.
pub fn may_choose(session: &ClientSession, name: &str) -> PgResult<()> {
    let has_snapshot = session.transaction.as_ref().is_some_and(|transaction| transaction.pin.is_some());
    match CHOOSE_SNAPSHOT.iter().find(|own| own.eq_ignore_ascii_case(name)).filter(|_| has_snapshot) {
        Some(own) => {
            let message = format!("{own} must be set before any query of the transaction");
            Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
        }
        None => Ok(()),
    }
}

/// Runs the command.
///
/// # Errors
/// Unknown settings, values that a setting does not take.
pub fn run(session: &mut ClientSession, plan: &SettingPlan, place: Place) -> PgResult<Outcome<CopyIn>> {
    let tag = match plan {
        SettingPlan::Set { name, value: Some(value), .. } if name.eq_ignore_ascii_case(LAST_TOKEN) => {
            continued(session, value)?;
            "SET"
        }
        SettingPlan::Set { name, value, .. } if name.eq_ignore_ascii_case(transaction::READ_ONLY) => {
            // Of the transaction that runs, be it one statement: none after it.
            transaction::set_read_only(session, value.as_deref())?;
            "SET"
        }
        SettingPlan::Set { name, value, local } => {
            may_choose(session, name)?;
            let alone = session.transaction.is_none() && place == Place::Last;
            if *local && alone {
                session.notice(Settings::local_outside_transaction());
            }
            session.settings.set(name, value.as_deref(), *local)?;
            "SET"
        }
        SettingPlan::SetMany(all) => {
            for (name, value) in all {
                may_choose(session, name)?;
                session.settings.set(name, Some(value), false)?;
            }
            "SET"
        }
        SettingPlan::Reset(name) => {
            may_choose(session, name)?;
            session.settings.reset(name)?;
            "RESET"
        }
        SettingPlan::ResetAll => {
            for name in
                CHOOSE_SNAPSHOT.into_iter().filter(|name| session.settings.get(name).is_some_and(|v| !v.is_empty()))
            {
                may_choose(session, name)?;
            }
            session.settings.reset_all();
            "RESET"
        }
        SettingPlan::Show(name) => {
            let (own_name, value) = session.settings.show(name)?;
            return select::text_rows(&[&own_name], &[vec![Some(value)]], RowTag::Plain("SHOW"));
        }
        SettingPlan::ShowAll => {
            let all = session.settings.all();
            let rows: Vec<Vec<Option<String>>> = all
                .into_iter()
                .map(|shown| vec![Some(shown.name), Some(shown.setting), Some(shown.description.to_owned())])
                .collect();
            return select::text_rows(&["name", "setting", "description"], &rows, RowTag::Plain("SHOW"));
        }
        SettingPlan::DiscardAll => {
            if session.transaction.is_some() {
                let text = "DISCARD ALL cannot run inside a transaction block";
                return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, text));
            }
            session.settings.discard();
            session.given().clear();
            session.temporary.discard();
            session.advisory.release_all();
            session.listening.stop();
            // A pooled connection's next user depends on nothing that this one wrote.
            session.last_write = Offset::ZERO;
            session.gaps = Gaps::default();
            session.settings.set_internal("duckmesh.last_token", "");
            "DISCARD ALL"
        }
        SettingPlan::Discard(tag) => {
            match *tag {
                "DISCARD SEQUENCES" => session.given().clear(),
                "DISCARD TEMP" => session.temporary.discard(),
                _ => {}
            }
            tag
        }
    };
    Ok(Outcome::Complete(tag.to_owned()))
}
