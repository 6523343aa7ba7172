//! SET, RESET, SHOW, DISCARD.

use super::plan::Plan;
use crate::wire::error::PgResult;

/// Plans the text of one statement, before sqlparser sees it. None: not one of these commands.
pub fn preparse(text: &str) -> PgResult<Option<Plan>> {
    let _ = text;
    Ok(None)
}
