//! DDL that sqlparser does not read: from its tokens.

use sqlparser::{
    ast::{Ident, ObjectName},
    tokenizer::Token,
};

use super::{
    Planner, comment,
    create_table_as::{NewTable, plan_create_table_as},
    database, domain, index, like,
    lookup::{Relation, no_column, no_relation},
    no_effect, privileges, refused, rename, schema_elements, sequence, serial,
    temporary::Temporary,
    truncate, user_type,
};
use crate::{
    sql::{
        parse,
        plan::{Plan, PlanContext},
        scan::{Scan, begins_with},
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// Plans statements that sqlparser cannot read (`ALTER VIEW … RENAME`, `DROP DATABASE … WITH (FORCE)` …), from the text of
/// one statement. None: not one of them.
pub fn preparse(text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    if !begins_with(
        text,
        &[
            "truncate", "create", "drop", "alter", "comment", "grant", "revoke", "refresh", "reindex", "cluster",
            "security",
        ],
    ) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else {
        return Ok(None);
    };
    if scan.word(&["create", "database"]) {
        return database::create_scanned(&mut scan, ctx).map(Some);
    }
    if scan.word(&["drop", "database"]) {
        return database::drop_scanned(&mut scan, ctx).map(Some);
    }
    if scan.sees(&["create", "materialized", "view"]) {
        return Err(super::view::no_materialized());
    }
    if scan.word(&["create", "schema"]) {
        return schema_elements::plan(scan, ctx);
    }
    if scan.word(&["grant"]) {
        return privileges::plan(scan, ctx, false, "GRANT").map(Some);
    }
    if scan.word(&["revoke"]) {
        return privileges::plan(scan, ctx, true, "REVOKE").map(Some);
    }
    if scan.word(&["alter", "default", "privileges"]) {
        while !scan.is_done() && !scan.sees(&["grant"]) && !scan.sees(&["revoke"]) {
            scan.advance();
        }
        let revokes = scan.sees(&["revoke"]);
        scan.advance();
        return privileges::plan(scan, ctx, revokes, "ALTER DEFAULT PRIVILEGES").map(Some);
    }
    if scan.word(&["truncate"]) {
        return truncate::plan(scan, ctx).map(Some);
    }
    let beginning = scan.mark();
    if scan.word(&["create"]) {
        let temporary = Temporary::read(&mut scan);
        if scan.word(&["sequence"]) || scan.word(&["unlogged", "sequence"]) {
            return sequence::create(scan, ctx, &temporary).map(Some);
        }
        if scan.word(&["unlogged", "table"]) || scan.word(&["table"]) {
            let start = scan.mark();
            if let Some(plan) = like::plan(&mut scan, ctx, temporary)? {
                return Ok(Some(plan));
            }
            scan.back_to(start);
            return create_table_as(scan, ctx, temporary);
        }
        scan.back_to(beginning);
    }
    if scan.word(&["alter", "index"]) {
        return index::alter(scan, ctx).map(Some);
    }
    if scan.word(&["drop", "index", "concurrently"]) {
        return index::drop_concurrently(scan, ctx).map(Some);
    }
    if scan.word(&["comment", "on"]) {
        return comment::scanned(scan, ctx).map(Some);
    }
    if scan.word(&["create", "type"]) {
        return user_type::create(scan, ctx).map(Some);
    }
    if scan.word(&["alter", "type"]) {
        return user_type::alter(scan, ctx).map(Some);
    }
    if scan.word(&["create", "domain"]) {
        return domain::create(scan, ctx).map(Some);
    }
    if scan.word(&["alter", "domain"]) {
        return domain::alter(scan, ctx).map(Some);
    }
    if scan.word(&["drop", "type"]) {
        return user_type::drop(scan, ctx, false).map(Some);
    }
    if scan.word(&["drop", "domain"]) {
        return user_type::drop(scan, ctx, true).map(Some);
    }
    if scan.word(&["alter", "sequence"]) {
        return sequence::alter(scan, ctx).map(Some);
    }
    if scan.word(&["alter", "view"]) {
        return alter_view(scan, ctx).map(Some);
    }
    if scan.word(&["alter", "table"]) {
        return alter_table(scan, ctx);
    }
    refused::by_words(&mut scan)
}

/// A name of these parts. It has no place in any text: its errors have no position.
pub(super) fn object(parts: &[String]) -> ObjectName {
    ObjectName::from(parts.iter().map(|p| Ident::with_quote('"', p)).collect::<Vec<_>>())
}

fn alter_view(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let if_exists = scan.word(&["if", "exists"]);
    let parts = scan.name()?;
    let name = object(&parts);
    planner.not_system(&name)?;
    let Some(view) = planner.find(&name)? else {
        let shown = parts.last().cloned().unwrap_or_default();
        if if_exists {
            let notice = format!("relation \"{shown}\" does not exist, skipping");
            planner.notices.push(PgError::notice(notice));
            return Ok(planner.finish("ALTER VIEW"));
        }
        return Err(no_relation(&parts.join(".")));
    };
    if !matches!(view, Relation::View(_)) {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", view.name())));
    }
    if scan.word(&["rename", "to"]) {
        let new = scan.name()?;
        rename::view(&mut planner, &view, &object(&new))?;
        return scan.done(planner.finish("ALTER VIEW"));
    }
    if scan.word(&["owner", "to"]) {
        let owner = scan.ident()?;
        planner.check_owner(&Ident::with_quote('"', owner))?;
        return scan.done(planner.finish("ALTER VIEW"));
    }
    if scan.word(&["set", "schema"]) {
        planner.set_schema(&mut scan, &view)?;
        return Ok(planner.finish("ALTER VIEW"));
    }
    if scan.word(&["rename"]) {
        scan.word(&["column"]);
        let old = scan.ident()?;
        scan.expect_word(&["to"])?;
        let new = scan.ident()?;
        rename::view_column(&mut planner, &view, &old, &new)?;
        return scan.done(planner.finish("ALTER VIEW"));
    }
    if scan.word(&["alter"]) || scan.sees(&["set"]) || scan.sees(&["reset"]) {
        return without_effect(scan, planner, &view);
    }
    Err(PgError::unsupported("this form of ALTER VIEW is not supported").hint("Use CREATE OR REPLACE VIEW."))
}

/// Behind `ALTER VIEW v`: options, and defaults of columns, which only writes through the view would ask for.
fn without_effect(mut scan: Scan<'_>, mut planner: Planner<'_>, view: &Relation) -> PgResult<Plan> {
    let options = scan.sees(&["set"]) || scan.sees(&["reset"]);
    if !options {
        scan.word(&["column"]);
        let column = scan.ident()?;
        if let Relation::View(view) = view
            && !view.columns.iter().any(|(name, _)| *name == column)
        {
            return Err(no_column(&column, &view.name));
        }
    }
    let parentheses = scan.ahead(1) == Some(&Token::LParen);
    let default = scan.sees(&["set", "default"]) || scan.sees(&["drop", "default"]);
    if options != parentheses || options == default {
        return Err(scan.unexpected());
    }
    let what = if options { "options of a view have no effect" } else { "defaults of a view's columns have no effect" };
    planner.notices.push(PgError::notice(what));
    Ok(planner.finish("ALTER VIEW"))
}

fn alter_table(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let mut planner = Planner::new(scan.text(), ctx);
    let if_exists = scan.word(&["if", "exists"]);
    scan.word(&["only"]);
    let Ok(parts) = scan.name() else {
        return Ok(None);
    };
    scan.take(&Token::Mul);
    if let Some(plan) = serial::alter_scanned(&mut scan, &parts, ctx)? {
        return Ok(Some(plan));
    }
    if let Some(plan) = no_effect::plan(&mut scan, &parts, if_exists, ctx)? {
        return Ok(Some(plan));
    }
    if scan.sees(&["set", "schema"]) {
        let Some(relation) = planner.find(&object(&parts))? else {
            let shown = parts.last().cloned().unwrap_or_default();
            if !if_exists {
                return Err(no_relation(&parts.join(".")));
            }
            planner.notices.push(PgError::notice(format!("relation \"{shown}\" does not exist, skipping")));
            return Ok(Some(planner.finish("ALTER TABLE")));
        };
        scan.word(&["set", "schema"]);
        planner.set_schema(&mut scan, &relation)?;
        return Ok(Some(planner.finish("ALTER TABLE")));
    }
    let (what, hint) = if scan.word(&["set", "tablespace"]) {
        ("SET TABLESPACE", "A lake has one place for its files.")
    } else if scan.word(&["inherit"]) || scan.word(&["no", "inherit"]) {
        ("INHERIT", "Use a view over both tables.")
    } else if scan.word(&["attach", "partition"]) || scan.word(&["detach", "partition"]) {
        ("partitions", "A table is kept as many files with statistics: queries skip those they do not need.")
    } else {
        return Ok(None);
    };
    match planner.find(&object(&parts))? {
        None if if_exists => {
            let shown = parts.last().cloned().unwrap_or_default();
            let notice = format!("relation \"{shown}\" does not exist, skipping");
            planner.notices.push(PgError::notice(notice));
            Ok(Some(planner.finish("ALTER TABLE")))
        }
        None => Err(no_relation(&parts.join("."))),
        Some(_) => Err(PgError::unsupported(format!("ALTER TABLE … {what} is not supported")).hint(hint)),
    }
}

/// `CREATE TABLE t (a, b) AS query`: columns without types.
fn create_table_as(mut scan: Scan<'_>, ctx: &PlanContext, temporary: Temporary) -> PgResult<Option<Plan>> {
    let if_not_exists = scan.word(&["if", "not", "exists"]);
    let Ok(parts) = scan.name() else {
        return Ok(None);
    };
    if scan.sees(&["of"]) {
        return Err(refused::typed_table());
    }
    let mut columns = Vec::new();
    if scan.take(&Token::LParen) {
        loop {
            let Ok(column) = scan.ident() else {
                return Ok(None);
            };
            columns.push(Ident::with_quote('"', column));
            if !scan.take(&Token::Comma) {
                break;
            }
        }
        if !scan.take(&Token::RParen) {
            return Ok(None);
        }
    }
    let temporary = temporary.read_on_commit(&mut scan)?;
    if !scan.word(&["as"]) {
        return Ok(None);
    }
    let rest = scan.text().get(scan.byte()..).unwrap_or_default();
    let (sql, with_data) = without_data_clause(rest.trim_end().trim_end_matches(';').trim_end());
    let query = parse::query(sql)?;
    let table = NewTable { name: &object(&parts), columns: &columns, if_not_exists, with_data, temporary };
    plan_create_table_as(table, &query, sql, ctx).map(Some)
}

/// Cuts `WITH [NO] DATA` off.
fn without_data_clause(sql: &str) -> (&str, bool) {
    let words: Vec<_> = sql.split_whitespace().rev().take(3).map(str::to_ascii_lowercase).collect();
    let cut = |count: usize| {
        let mut rest = sql;
        for _ in 0..count {
            rest = rest.trim_end();
            let at = rest.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            rest = rest.get(..at).unwrap_or_default();
        }
        rest
    };
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["data", "no", "with"] => (cut(3), false),
        ["data", "with", ..] => (cut(2), true),
        _ => (sql, true),
    }
}
