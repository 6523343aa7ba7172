//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET TRANSACTION.

use super::plan::Plan;
use crate::wire::error::PgResult;

/// Plans the text of one statement, before sqlparser sees it. None: not a transaction command.
pub fn preparse(text: &str) -> PgResult<Option<Plan>> {
    let _ = text;
    Ok(None)
}
