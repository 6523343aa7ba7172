//! `CREATE SCHEMA s CREATE TABLE … CREATE INDEX …`: the schema and what is in it, in one step.

use std::sync::Arc;

use duckmesh_catalog::ddl::DdlOp;
use sqlparser::{ast::Statement, tokenizer::Token};

use super::{Planner, names::schema_in_sql, plan_ddl, preparse, schema};
use crate::{
    commands::failure,
    sql::{
        parse,
        plan::{Plan, PlanContext},
        scan::{Scan, is_word},
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// Plans it; none for a CREATE SCHEMA without elements, which the parser reads. `scan` stands behind `CREATE SCHEMA`.
pub(super) fn plan(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let if_not_exists = scan.sees(&["if", "not", "exists"]);
    let mut starts = Vec::new();
    let mut depth = 0_usize;
    while let Some(token) = scan.peek() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            token if depth == 0 && (is_word(token, "create") || is_word(token, "grant")) => starts.push(scan.byte()),
            _ => {}
        }
        scan.advance();
    }
    let Some(first) = starts.first().copied() else { return Ok(None) };
    if if_not_exists {
        let at = scan.text().get(..first).map(|before| before.chars().count() + 1);
        return Err(PgError::unsupported("CREATE SCHEMA IF NOT EXISTS cannot include schema elements")
            .or_position(at.and_then(|at| u32::try_from(at).ok())));
    }
    let text = scan.text();
    let head = text.get(..first).unwrap_or_default();
    let Statement::CreateSchema { schema_name, if_not_exists, .. } = parse::tree(head)? else { return Ok(None) };
    let planned = schema::create(Planner::new(head, ctx), &schema_name, if_not_exists)?;
    let Plan::Ddl(mut plan) = planned else { return Ok(None) };
    let Some(DdlOp::CreateSchema { name, .. }) = plan.ops.first() else { return Ok(None) };
    let mut inner = ctx.clone();
    inner.search_path.insert(0, schema_in_sql(name).to_owned());
    inner.schema = Arc::new(ctx.schema.apply(&plan.ops).map_err(failure::catalog)?);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut elements: Vec<(usize, &str)> =
        starts.iter().zip(ends).map(|(from, to)| (*from, text.get(*from..to).unwrap_or_default())).collect();
    // As Postgres does: what others need comes first, wherever it stands.
    elements.sort_by_key(|(_, element)| order(element));
    for (_, element) in &elements {
        is_inside(element, schema_in_sql(name))?;
    }
    for (from, element) in elements {
        let before = u32::try_from(text.get(..from).unwrap_or_default().chars().count()).unwrap_or(0);
        let placed = |error: PgError| match error.fields().position {
            Some(at) => error.position(at + before),
            None => error,
        };
        let planned = element_plan(element.trim_end().trim_end_matches(';'), &inner).map_err(placed)?;
        match planned {
            Plan::Ddl(more) if more.validations.is_empty() && more.rewrites.is_empty() && more.on_commit.is_none() => {
                inner.schema = Arc::new(inner.schema.apply(&more.ops).map_err(failure::catalog)?);
                plan.ops.extend(more.ops);
                plan.notices.extend(more.notices);
            }
            Plan::NoOp { notice, .. } => plan.notices.extend(notice),
            _ => {
                return Err(PgError::unsupported("this element of CREATE SCHEMA is not supported")
                    .hint("Create views and filled tables after the schema, each with a statement of its own."));
            }
        }
    }
    Ok(Some(Plan::Ddl(plan)))
}

/// What is made must be in the schema that is made.
fn is_inside(element: &str, schema: &str) -> PgResult<()> {
    let Some(mut scan) = Scan::new(element) else { return Ok(()) };
    if !scan.word(&["create"]) {
        return Ok(());
    }
    const BEFORE: [&str; 8] = ["or", "replace", "temp", "temporary", "unlogged", "unique", "recursive", "local"];
    while BEFORE.iter().any(|word| scan.word(&[word])) {}
    let parts = if scan.word(&["index"]) {
        while !scan.is_done() && !scan.word(&["on"]) {
            scan.advance();
        }
        scan.word(&["only"]);
        scan.name()
    } else if scan.word(&["table"]) || scan.word(&["view"]) || scan.word(&["sequence"]) {
        scan.word(&["if", "not", "exists"]);
        scan.name()
    } else {
        return Ok(());
    };
    match parts.unwrap_or_default().as_slice() {
        [other, _] if other != schema => {
            let message =
                format!("CREATE specifies a schema ({other}) different from the one being created ({schema})");
            Err(PgError::new(SqlState::INVALID_SCHEMA_DEFINITION, message))
        }
        _ => Ok(()),
    }
}

fn element_plan(text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    let planned = match parse::tree(text) {
        Ok(tree) => plan_ddl(&tree, text, ctx)?,
        Err(error) => return preparse(text, ctx)?.ok_or(error),
    };
    match planned {
        Some(plan) => Ok(plan),
        None => {
            preparse(text, ctx)?.ok_or_else(|| PgError::unsupported("this element of CREATE SCHEMA is not supported"))
        }
    }
}

/// Sequences, tables, views, indexes, triggers, grants.
fn order(element: &str) -> u8 {
    let words = || element.split_whitespace().map(str::to_ascii_lowercase).take(4);
    let has = |wanted: &str| words().any(|word| word == wanted);
    match () {
        () if has("grant") => 5,
        () if has("trigger") => 4,
        () if has("index") => 3,
        () if has("view") => 2,
        () if has("sequence") => 0,
        () => 1,
    }
}
