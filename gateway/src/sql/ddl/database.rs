//! CREATE DATABASE, DROP DATABASE: each database is a lake.

use duckmesh_catalog::LakeName;
use sqlparser::{ast::ObjectName, tokenizer::Token};

use super::{Planner, drop::Wanted};
use crate::{
    sql::{
        plan::{DatabasePlan, Plan, PlanContext},
        scan::{Scan, string_of},
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// CREATE DATABASE that sqlparser could read: no options.
pub(super) fn create_named(mut planner: Planner<'_>, name: &ObjectName) -> PgResult<Plan> {
    let name = single(&mut planner, name)?;
    checked(&name)?;
    Ok(Plan::Database(DatabasePlan::Create { name, notices: planner.names.notices }))
}

pub(super) fn drop(mut planner: Planner<'_>, wanted: &Wanted<'_>) -> PgResult<Plan> {
    let [name] = wanted.names else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \",\""));
    };
    let name = single(&mut planner, name)?;
    dropped(name, wanted.if_exists, false, planner.ctx)
}

pub(super) fn single(planner: &mut Planner<'_>, name: &ObjectName) -> PgResult<String> {
    match planner.split(name)? {
        (None, name) => Ok(name),
        (Some(_), _) => {
            Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \".\"")
                .or_position(planner.at_name(name)))
        }
    }
}

fn dropped(name: String, if_exists: bool, force: bool, ctx: &PlanContext) -> PgResult<Plan> {
    if name == ctx.lake.as_str() {
        return Err(PgError::new(SqlState::OBJECT_IN_USE, "cannot drop the currently open database"));
    }
    Ok(Plan::Database(DatabasePlan::Drop { name, if_exists, force }))
}

fn checked(name: &str) -> PgResult<()> {
    match LakeName::parse(name) {
        Some(_) => Ok(()),
        None => Err(PgError::new(SqlState::INVALID_NAME, format!("database name \"{name}\" is not allowed"))),
    }
}

/// CREATE DATABASE name, after these two words, with options.
pub(super) fn create_scanned(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut names = super::names::Names::default();
    let name = scan.ident()?;
    let name = names.cut(name);
    scan.word(&["with"]);
    while !scan.is_done() {
        option(scan, ctx)?;
    }
    checked(&name)?;
    Ok(Plan::Database(DatabasePlan::Create { name, notices: names.notices }))
}

/// DROP DATABASE [IF EXISTS] name [[WITH] (FORCE)], after the first two words.
pub(super) fn drop_scanned(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let if_exists = scan.word(&["if", "exists"]);
    let name = scan.ident()?;
    let name = super::names::Names::default().cut(name);
    let mut force = false;
    scan.word(&["with"]);
    if scan.take(&Token::LParen) {
        scan.expect_word(&["force"])?;
        scan.expect(&Token::RParen)?;
        force = true;
    }
    let plan = dropped(name, if_exists, force, ctx)?;
    scan.done(plan)
}

fn option(scan: &mut Scan<'_>, ctx: &PlanContext) -> PgResult<()> {
    let at = scan.position();
    let name = match scan.word(&["connection", "limit"]) {
        true => "connection_limit".to_owned(),
        false => scan.ident()?,
    };
    scan.take(&Token::Eq);
    let is_default = scan.word(&["default"]);
    let value = if is_default { String::new() } else { option_value(scan)? };
    let lower = value.to_ascii_lowercase();
    let refused =
        |what: &str, hint: &str| Err(PgError::unsupported(format!("{what} \"{value}\" is not supported")).hint(hint));
    match name.as_str() {
        "owner" if is_default || value == ctx.user => Ok(()),
        "owner" => Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{value}\" does not exist"))),
        "template" if is_default || matches!(lower.as_str(), "template0" | "template1") => Ok(()),
        "template" => refused("template database", "A new database is empty."),
        "encoding" if is_default || matches!(lower.as_str(), "utf8" | "utf-8" | "unicode" | "6") => Ok(()),
        "encoding" => refused("encoding", "Text is UTF8."),
        "locale" | "lc_collate" | "lc_ctype" | "icu_locale"
            if is_default || matches!(lower.as_str(), "c" | "posix" | "c.utf-8" | "c.utf8") =>
        {
            Ok(())
        }
        "locale" | "lc_collate" | "lc_ctype" | "icu_locale" => {
            refused("locale", "Text is compared by its bytes: locale \"C\".")
        }
        "locale_provider" | "strategy" | "collation_version" | "oid" => Ok(()),
        "tablespace" if is_default || lower == "pg_default" => Ok(()),
        "tablespace" => Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("tablespace \"{value}\" does not exist"))),
        "allow_connections" | "is_template" | "connection_limit" => Ok(()),
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, format!("option \"{name}\" not recognized")).or_position(at)),
    }
}

fn option_value(scan: &mut Scan<'_>) -> PgResult<String> {
    let minus = scan.take(&Token::Minus);
    match scan.peek() {
        Some(Token::Number(number, _)) => {
            let number = format!("{}{number}", if minus { "-" } else { "" });
            scan.advance();
            Ok(number)
        }
        Some(token) if string_of(token).is_some() => scan.string(),
        _ => scan.ident(),
    }
}
