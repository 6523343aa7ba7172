//! GRANT and REVOKE: there are no roles but the session's own, and nobody may do less than it.

use sqlparser::tokenizer::Token;

use super::{
    Planner,
    lookup::{no_relation, no_schema},
    preparse::object,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
    },
    wire::error::{PgError, PgResult, SqlState},
};

const NO_EFFECT: &str =
    "privileges have no effect yet: whoever connects may read and write every table of the database";

/// GRANT or REVOKE, after that word; also the one of ALTER DEFAULT PRIVILEGES, whose `tag` is another.
pub(super) fn plan(mut scan: Scan<'_>, ctx: &PlanContext, revokes: bool, tag: &str) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let to = if revokes { "from" } else { "to" };
    if revokes {
        let _ = scan.word(&["grant", "option", "for"]) || scan.word(&["admin", "option", "for"]);
    }
    while !scan.sees(&["on"]) {
        if scan.is_done() || scan.sees(&[to]) {
            return Err(PgError::unsupported("membership of roles is not supported").hint("There are no roles yet."));
        }
        scan.advance();
    }
    scan.word(&["on"]);
    if tag == "ALTER DEFAULT PRIVILEGES" {
        scan.advance();
    } else {
        planner.granted_on(&mut scan)?;
    }
    scan.expect_word(&[to])?;
    loop {
        scan.word(&["group"]);
        let role = scan.ident()?;
        if role != "public" {
            planner.check_owner(&sqlparser::ast::Ident::with_quote('"', role))?;
        }
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    let _ = scan.word(&["with", "grant", "option"]) || scan.word(&["cascade"]) || scan.word(&["restrict"]);
    if scan.word(&["granted", "by"]) {
        scan.ident()?;
    }
    scan.done(())?;
    planner.notices.push(PgError::warning(SqlState::WARNING, NO_EFFECT));
    Ok(planner.finish(tag))
}

impl Planner<'_> {
    /// Takes what privileges are on; tables, sequences and schemas must exist.
    fn granted_on(&mut self, scan: &mut Scan<'_>) -> PgResult<()> {
        if scan.word(&["all"]) {
            // ALL TABLES IN SCHEMA …
            scan.advance();
            scan.expect_word(&["in", "schema"])?;
            return self.schemas_named(scan);
        }
        if scan.word(&["schema"]) {
            return self.schemas_named(scan);
        }
        const OTHERS: [&[&str]; 9] = [
            &["database"],
            &["language"],
            &["function"],
            &["procedure"],
            &["routine"],
            &["domain"],
            &["type"],
            &["tablespace"],
            &["large", "object"],
        ];
        if OTHERS.iter().any(|words| scan.word(words)) {
            while !scan.is_done() && !scan.sees(&["to"]) && !scan.sees(&["from"]) {
                scan.advance();
            }
            return Ok(());
        }
        let _ = scan.word(&["table"]) || scan.word(&["sequence"]);
        loop {
            let parts = scan.name()?;
            if self.find(&object(&parts))?.is_none() {
                return Err(no_relation(&parts.join(".")));
            }
            if !scan.take(&Token::Comma) {
                return Ok(());
            }
        }
    }

    fn schemas_named(&mut self, scan: &mut Scan<'_>) -> PgResult<()> {
        loop {
            let name = scan.ident()?;
            if self.schema(&name).is_none() {
                return Err(no_schema(&name));
            }
            if !scan.take(&Token::Comma) {
                return Ok(());
            }
        }
    }
}
