//! Utility statements that a lake has no need of, accepted for those who send them to every server; LISTEN and NOTIFY.

use sqlparser::tokenizer::Token;

use super::{
    ddl, do_block,
    plan::{Plan, PlanContext},
    scan::{Scan, begins_with},
};
use crate::{
    pgcatalog::shapes,
    wire::error::{PgError, PgResult, SqlState},
};

/// Plans such a statement from its text; none for others.
pub fn preparse(text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    const VERBS: [&str; 13] = [
        "lock",
        "analyze",
        "analyse",
        "vacuum",
        "cluster",
        "reindex",
        "checkpoint",
        "listen",
        "unlisten",
        "notify",
        "do",
        "call",
        "refresh",
    ];
    if !begins_with(text, &VERBS) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else { return Ok(None) };
    let verb = scan.ident()?;
    Ok(Some(match verb.as_str() {
        "lock" => lock(&mut scan, ctx)?,
        "analyze" | "analyse" => {
            maintained(&mut scan, ctx, "ANALYZE", "statistics are kept with every file: ANALYZE has nothing to do")?
        }
        "vacuum" => maintained(&mut scan, ctx, "VACUUM", "there are no dead rows: VACUUM has nothing to do")?,
        "cluster" => cluster(&mut scan, ctx)?,
        "reindex" => reindex(&mut scan, ctx)?,
        "checkpoint" => {
            scan.done(())?;
            no_op("CHECKPOINT", None)
        }
        "listen" => {
            let name = scan.ident()?;
            scan.done(Plan::Listen(true, Some(name)))?
        }
        "unlisten" => {
            let name = if scan.take(&Token::Mul) { None } else { Some(scan.ident()?) };
            scan.done(Plan::Listen(false, name))?
        }
        "notify" => {
            let channel = scan.ident()?;
            let payload = if scan.take(&Token::Comma) { scan.string()? } else { String::new() };
            scan.done(Plan::Notify(channel, payload))?
        }
        "do" => do_block::plan(&mut scan)?,
        "call" => {
            return call(&mut scan).map(Some);
        }
        _ => {
            return Err(
                PgError::unsupported("materialized views are not supported").hint("Use a view, or CREATE TABLE AS.")
            );
        }
    }))
}

/// `CALL` of one of the two procedures.
fn call(scan: &mut Scan<'_>) -> PgResult<Plan> {
    let name = scan.name()?;
    match name.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["duckmesh", "expire_snapshots"] => expire_snapshots(scan),
        ["duckmesh", "settle_dead_letters"] => settle_dead_letters(scan),
        _ => {
            let message = format!("procedure {}() does not exist", name.join("."));
            Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message).hint(
                "The procedures are duckmesh.expire_snapshots(older_than => '7 days') and \
                 duckmesh.settle_dead_letters(through => 42).",
            ))
        }
    }
}

/// `([name =>] `
fn argument(scan: &mut Scan<'_>, name: &str) -> PgResult<()> {
    scan.expect(&Token::LParen)?;
    if scan.word(&[name]) && !scan.take(&Token::RArrow) {
        scan.expect(&Token::Assignment)?;
    }
    Ok(())
}

/// `([through =>] 42)`
fn settle_dead_letters(scan: &mut Scan<'_>) -> PgResult<Plan> {
    argument(scan, "through")?;
    let number = match scan.peek() {
        Some(Token::Number(number, _)) => number.parse().ok(),
        _ => None,
    };
    let through = number.ok_or_else(|| scan.unexpected())?;
    scan.advance();
    scan.expect(&Token::RParen)?;
    scan.done(Plan::SettleDeadLetters(through))
}

/// `([older_than =>] '7 days')`
fn expire_snapshots(scan: &mut Scan<'_>) -> PgResult<Plan> {
    argument(scan, "older_than")?;
    for ty in ["interval", "timestamptz", "timestamp"] {
        scan.word(&[ty]);
    }
    let older_than = scan.string()?;
    scan.expect(&Token::RParen)?;
    scan.done(Plan::ExpireSnapshots(older_than))
}

fn no_op(tag: &str, notice: Option<&str>) -> Plan {
    Plan::NoOp { tag: tag.to_owned(), notice: notice.map(PgError::notice) }
}

/// `LOCK [TABLE] [ONLY] a, b [IN … MODE] [NOWAIT]`
fn lock(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    const MODES: [&[&str]; 8] = [
        &["access", "share"],
        &["row", "share"],
        &["row", "exclusive"],
        &["share", "update", "exclusive"],
        &["share", "row", "exclusive"],
        &["share"],
        &["exclusive"],
        &["access", "exclusive"],
    ];
    scan.word(&["table"]);
    loop {
        scan.word(&["only"]);
        relation(scan, ctx)?;
        scan.take(&Token::Mul);
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    if scan.word(&["in"]) {
        if !MODES.iter().any(|mode| scan.word(mode)) {
            return Err(scan.unexpected());
        }
        scan.expect_word(&["mode"])?;
    }
    scan.word(&["nowait"]);
    scan.done(())?;
    let notice = "tables are not locked: readers have a fixed snapshot, and writers never wait for each other";
    Ok(no_op("LOCK TABLE", Some(notice)))
}

/// `VERB [(options)] [words] [a [(columns)], b]`
fn maintained(scan: &mut Scan<'_>, ctx: &PlanContext, tag: &str, notice: &str) -> PgResult<Plan> {
    if scan.peek() == Some(&Token::LParen) {
        parenthesis(scan)?;
    }
    while ["full", "freeze", "verbose", "analyze", "analyse"].iter().any(|word| scan.word(&[word])) {}
    while !scan.is_done() {
        relation(scan, ctx)?;
        if scan.peek() == Some(&Token::LParen) {
            parenthesis(scan)?;
        }
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    scan.done(no_op(tag, Some(notice)))
}

fn cluster(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    if scan.peek() == Some(&Token::LParen) {
        parenthesis(scan)?;
    }
    scan.word(&["verbose"]);
    if !scan.is_done() {
        relation(scan, ctx)?;
        if scan.word(&["using"]) {
            scan.ident()?;
        }
    }
    scan.done(no_op("CLUSTER", Some("files keep the order in which rows came: CLUSTER has no effect")))
}

fn reindex(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    if scan.peek() == Some(&Token::LParen) {
        parenthesis(scan)?;
    }
    let table = scan.word(&["table"]);
    let of_index = scan.word(&["index"]);
    if !table && !of_index && !["schema", "database", "system"].iter().any(|word| scan.word(&[word])) {
        return Err(scan.unexpected());
    }
    scan.word(&["concurrently"]);
    if table {
        relation(scan, ctx)?;
    } else if of_index {
        let parts = scan.name()?;
        ddl::must_be_index(&parts, scan.text(), ctx)?;
    } else if !scan.is_done() {
        scan.name()?;
    }
    scan.done(no_op("REINDEX", Some("indexes have no effect: REINDEX has nothing to do")))
}

/// Takes what stands in parentheses.
fn parenthesis(scan: &mut Scan<'_>) -> PgResult<()> {
    let mut depth = 0_usize;
    loop {
        match scan.advance() {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth = depth.saturating_sub(1),
            Some(_) => {}
            None => return Err(scan.unexpected()),
        }
        if depth == 0 {
            return Ok(());
        }
    }
}

/// Takes the name of a relation that must exist.
fn relation(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<()> {
    let parts = scan.name()?;
    let lake = &ctx.schema;
    let in_schema = |space: &str, name: &str| {
        let lake_name = ddl::names::schema_in_lake(space).unwrap_or_default();
        lake.table(lake_name, name).is_some()
            || lake.view(lake_name, name).is_some()
            || lake.sequence(lake_name, name).is_some()
            || shapes::find(space, name).is_some()
    };
    let found = match parts.as_slice() {
        [name] => in_schema("pg_catalog", name) || ctx.search_path.iter().any(|space| in_schema(space, name)),
        [space, name] | [_, space, name] => in_schema(space, name),
        _ => false,
    };
    if found {
        return Ok(());
    }
    let message = format!("relation \"{}\" does not exist", parts.join("."));
    Err(PgError::new(SqlState::UNDEFINED_TABLE, message))
}
