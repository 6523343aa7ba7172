//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET TRANSACTION.

use sqlparser::tokenizer::Token;

use super::{
    plan::{Plan, TransactionPlan},
    scan::{Scan, begins_with},
};
use crate::wire::error::{PgError, PgResult};

const VERBS: [&str; 11] =
    ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare", "set", "lock"];

/// Modes of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// READ ONLY or READ WRITE.
    pub read_only: Option<bool>,
    /// The level, in lower case.
    pub isolation: Option<String>,
    /// DEFERRABLE: kept for those who ask.
    pub deferrable: Option<bool>,
}

/// Plans the text of one statement, before sqlparser sees it. None: not a transaction command.
pub fn preparse(text: &str) -> PgResult<Option<Plan>> {
    if !begins_with(text, &VERBS) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else {
        return Ok(None);
    };
    Ok(command(&mut scan)?.map(Plan::Transaction))
}

fn command(scan: &mut Scan<'_>) -> PgResult<Option<TransactionPlan>> {
    if scan.word(&["begin"]) {
        let _ = scan.word(&["work"]) || scan.word(&["transaction"]);
        return begin(scan, "BEGIN").map(Some);
    }
    if scan.word(&["start"]) {
        scan.expect_word(&["transaction"])?;
        return begin(scan, "START TRANSACTION").map(Some);
    }
    if scan.sees(&["commit", "prepared"]) || scan.sees(&["rollback", "prepared"]) {
        return Err(two_phase());
    }
    if scan.sees(&["prepare", "transaction"]) {
        return Err(two_phase());
    }
    if scan.word(&["commit"]) || scan.word(&["end"]) {
        let and_chain = end(scan)?;
        return scan.done(Some(TransactionPlan::Commit { and_chain }));
    }
    if scan.word(&["rollback"]) || scan.word(&["abort"]) {
        return rollback(scan).map(Some);
    }
    if scan.word(&["savepoint"]) {
        let name = scan.ident()?;
        return scan.done(Some(TransactionPlan::Savepoint(name)));
    }
    if scan.word(&["release"]) {
        scan.word(&["savepoint"]);
        let name = scan.ident()?;
        return scan.done(Some(TransactionPlan::Release(name)));
    }
    if scan.sees(&["set", "transaction"]) || scan.sees(&["set", "local", "transaction"]) {
        return set(scan).map(Some);
    }
    Ok(None)
}

fn begin(scan: &mut Scan<'_>, tag: &'static str) -> PgResult<TransactionPlan> {
    let modes = modes(scan)?;
    scan.done(TransactionPlan::Begin { tag, modes })
}

fn set(scan: &mut Scan<'_>) -> PgResult<TransactionPlan> {
    scan.word(&["set"]);
    scan.word(&["local"]);
    scan.word(&["transaction"]);
    if scan.sees(&["snapshot"]) {
        return Err(PgError::unsupported("SET TRANSACTION SNAPSHOT is not supported")
            .hint("SET duckmesh.snapshot reads the lake at a snapshot."));
    }
    if scan.is_done() {
        return Err(scan.unexpected());
    }
    let modes = modes(scan)?;
    scan.done(TransactionPlan::Set { modes })
}

fn rollback(scan: &mut Scan<'_>) -> PgResult<TransactionPlan> {
    let _ = scan.word(&["work"]) || scan.word(&["transaction"]);
    if scan.word(&["to"]) {
        scan.word(&["savepoint"]);
        let name = scan.ident()?;
        return scan.done(TransactionPlan::RollbackTo(name));
    }
    let and_chain = chain(scan)?;
    scan.done(TransactionPlan::Rollback { and_chain })
}

fn end(scan: &mut Scan<'_>) -> PgResult<bool> {
    let _ = scan.word(&["work"]) || scan.word(&["transaction"]);
    chain(scan)
}

fn chain(scan: &mut Scan<'_>) -> PgResult<bool> {
    if !scan.word(&["and"]) {
        return Ok(false);
    }
    let no = scan.word(&["no"]);
    scan.expect_word(&["chain"])?;
    Ok(!no)
}

/// Takes modes to the end of the statement. Of a mode said twice the last counts, as in Postgres.
pub fn modes(scan: &mut Scan<'_>) -> PgResult<Modes> {
    let mut modes = Modes::default();
    let mut after_comma = false;
    while !scan.is_done() || after_comma {
        if scan.word(&["isolation", "level"]) {
            modes.isolation = Some(level(scan)?.to_owned());
        } else if scan.word(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if scan.word(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if scan.word(&["deferrable"]) {
            modes.deferrable = Some(true);
        } else if scan.word(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else {
            return Err(scan.unexpected());
        }
        after_comma = scan.take(&Token::Comma);
    }
    Ok(modes)
}

fn level(scan: &mut Scan<'_>) -> PgResult<&'static str> {
    const LEVELS: [(&[&str], &str); 4] = [
        (&["serializable"], "serializable"),
        (&["repeatable", "read"], "repeatable read"),
        (&["read", "committed"], "read committed"),
        (&["read", "uncommitted"], "read uncommitted"),
    ];
    LEVELS.into_iter().find(|(words, _)| scan.word(words)).map(|(_, level)| level).ok_or_else(|| scan.unexpected())
}

fn two_phase() -> PgError {
    PgError::unsupported("two-phase commit is not supported")
        .hint("Use COMMIT: a transaction is written as one frame of the log.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> String {
        match preparse(text) {
            Ok(Some(Plan::Transaction(plan))) => format!("{plan:?}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => {
                let at = error.fields().position.unwrap_or(0);
                format!("{error} @{at}")
            }
        }
    }

    #[test]
    fn commands() {
        for (text, expected) in [
            ("BEGIN", r#"Begin { tag: "BEGIN", modes: Modes { read_only: None, isolation: None, deferrable: None } }"#),
            (
                "/* a /* b */ */ begin -- x\n work isolation level repeatable read, read only;",
                "Begin { tag: \"BEGIN\", modes: Modes { read_only: Some(true), isolation: Some(\"repeatable read\"), \
                 deferrable: None } }",
            ),
            (
                "start transaction read write not deferrable",
                "Begin { tag: \"START TRANSACTION\", modes: Modes { read_only: Some(false), isolation: None, \
                 deferrable: Some(false) } }",
            ),
            ("begin isolation level foo", "42601: syntax error at or near \"foo\" @23"),
            ("begin read only,", "42601: syntax error at end of input @17"),
            ("COMMIT AND NO CHAIN", "Commit { and_chain: false }"),
            ("end transaction and chain", "Commit { and_chain: true }"),
            ("abort work", "Rollback { and_chain: false }"),
            ("rollback to savepoint \"A b\"", "RollbackTo(\"A b\")"),
            ("ROLLBACK TO Foo", "RollbackTo(\"foo\")"),
            ("release savepoint x", "Release(\"x\")"),
            ("savepoint", "42601: syntax error at end of input @10"),
            (
                "set transaction read only",
                "Set { modes: Modes { read_only: Some(true), isolation: None, deferrable: None } }",
            ),
            ("prepare transaction 'x'", "0A000: two-phase commit is not supported @0"),
            ("set x = 1", "None"),
            ("select 1", "None"),
            ("beginx", "None"),
        ] {
            assert_eq!(plan(text), expected, "{text}");
        }
    }
}
