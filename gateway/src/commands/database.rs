//! CREATE, DROP and COMMENT ON DATABASE: a database is a lake.

use std::sync::atomic::Ordering;

use duckmesh_catalog::LakeName;

use super::{copy_in::CopyIn, failure};
use crate::{
    session::ClientSession,
    sql::plan::DatabasePlan,
    wire::{PgError, PgResult, SqlState, backend::Outcome},
};

/// Runs the command.
///
/// # Errors
/// 42P04, 3D000, 55006.
pub async fn run(session: &mut ClientSession, plan: &DatabasePlan) -> PgResult<Outcome<CopyIn>> {
    let server = session.server.clone();
    match plan {
        DatabasePlan::Create { name, notices } => {
            let shield = session.shield.clone();
            server.lakes.create(&parse(name)?, || shield.store(true, Ordering::Relaxed)).await?;
            notices.iter().cloned().for_each(|notice| session.notice(notice));
            Ok(Outcome::Complete("CREATE DATABASE".to_owned()))
        }
        DatabasePlan::Drop { name, if_exists, .. } => {
            let lake = parse(name)?;
            if lake == session.lake.info.name {
                return Err(PgError::new(SqlState::OBJECT_IN_USE, "cannot drop the currently open database"));
            }
            let shield = session.shield.clone();
            // From there on "cancelled" would be said of a database that goes.
            match server.lakes.drop_lake(&lake, || shield.store(true, Ordering::Relaxed)).await {
                Err(error) if *if_exists && error.code() == SqlState::INVALID_CATALOG_NAME => {
                    session.notice(PgError::notice(format!("database \"{name}\" does not exist, skipping")));
                }
                result => result?,
            }
            Ok(Outcome::Complete("DROP DATABASE".to_owned()))
        }
        DatabasePlan::Comment { name, comment } => {
            let catalog = server.lakes.catalog();
            let known = match LakeName::parse(name) {
                Some(lake) => catalog.comment_on_lake(&lake, comment.as_deref()).await.map_err(failure::catalog)?,
                None => false,
            };
            if !known {
                // As in Postgres no more than a warning: a dump may name the database that it was made from.
                let message = format!("database \"{name}\" does not exist");
                session.notice(PgError::warning(SqlState::INVALID_CATALOG_NAME, message));
            }
            Ok(Outcome::Complete("COMMENT".to_owned()))
        }
    }
}

fn parse(name: &str) -> PgResult<LakeName> {
    LakeName::parse(name).ok_or_else(|| {
        PgError::new(SqlState::INVALID_NAME, format!("\"{name}\" cannot be the name of a database"))
            .hint("Names have 1 to 63 bytes.")
    })
}
