//! Which part plans which statement.

use sqlparser::ast;

use super::{
    command, copy, ddl, explain, insert,
    plan::{Plan, PlanContext},
    position, query, setting,
    statement::{Statement, Tree},
    thread, transaction, utility,
};
use crate::wire::error::{PgError, PgResult};

/// Plans a statement: checks it against the schema and says what execution must do.
pub async fn plan(statement: &Statement, ctx: PlanContext) -> PgResult<Plan> {
    let statement = statement.clone();
    thread::run(move || plan_here(&statement, &ctx)).await
}

/// Plans on this thread, which must have a large stack.
pub(super) fn plan_here(statement: &Statement, ctx: &PlanContext) -> PgResult<Plan> {
    if super::command::explains_execute(statement.text()) {
        return from_text(statement, ctx)?.ok_or_else(|| unsupported(&statement.verb()));
    }
    match statement.tree() {
        Tree::Ast(tree) => plan_tree(tree, statement.source(), ctx).and_then(|plan| match plan {
            Some(plan) => Ok(plan),
            None => from_text(statement, ctx)?.ok_or_else(|| unsupported(&statement.verb())),
        }),
        Tree::Text => from_text(statement, ctx)?.ok_or_else(|| unsupported(&statement.verb())),
        Tree::Failed(error) => from_text(statement, ctx)?.ok_or_else(|| error.clone()),
    }
}

/// Plans a tree: none where it must be read from its text.
pub(super) fn plan_tree(tree: &ast::Statement, text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    match tree {
        ast::Statement::Query(query) => query::plan_statement(query, text, ctx).map(Some),
        ast::Statement::Insert(insert) => insert::plan(insert, text, ctx).map(Some),
        ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. } => {
            explain::plan(tree, text, ctx).map(Some)
        }
        other => ddl::plan_ddl(other, text, ctx),
    }
}

/// Commands that are read from their text.
fn from_text(statement: &Statement, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let text = statement.text();
    let plan = || {
        if let Some(plan) = transaction::preparse(text)? {
            return Ok(Some(plan));
        }
        if let Some(plan) = command::preparse(text)? {
            return Ok(Some(plan));
        }
        if let Some(plan) = utility::preparse(text, ctx)? {
            return Ok(Some(plan));
        }
        if let Some(plan) = setting::preparse(text)? {
            return Ok(Some(plan));
        }
        if let Some(plan) = copy::preparse(text, ctx)? {
            return Ok(Some(plan));
        }
        ddl::preparse(text, ctx)
    };
    plan().map_err(|error: PgError| {
        let error = at_semicolon(error, statement);
        // They count from the statement's start, clients from the text's.
        let before = position::of_byte(statement.source(), statement.offset()) - 1;
        match error.fields().position {
            Some(at) => error.position(at + before),
            None => error,
        }
    })
}

/// A statement that another one may follow ends at its semicolon.
fn at_semicolon(error: PgError, statement: &Statement) -> PgError {
    let end = statement.offset() + statement.text().len();
    let follows = statement.source().get(end..).is_some_and(|rest| rest.trim_start().starts_with(';'));
    if !follows || error.fields().message != "syntax error at end of input" {
        return error;
    }
    PgError::new(error.code(), "syntax error at or near \";\"").or_position(error.fields().position)
}

/// What DuckMesh does not do, each with what to do instead.
fn unsupported(verb: &str) -> PgError {
    let (message, hint) = match verb {
        "UPDATE" | "DELETE" | "MERGE" => (
            format!("{verb} is not supported yet"),
            "This version writes with INSERT and COPY; changing rows follows in a later one.",
        ),
        "GRANT" | "REVOKE" => (
            format!("{verb} is not supported yet"),
            "Access is by database: every user of a lake may read and write it.",
        ),
        "INSTALL" | "LOAD" | "ATTACH" | "DETACH" | "PRAGMA" | "EXPORT" | "IMPORT" | "FORCE" => {
            (format!("{verb} is not supported"), "The engine's configuration is fixed.")
        }
        "" => ("this statement is not supported".into(), "See docs/sql.md for what is."),
        _ => (format!("{verb} is not supported"), "See docs/sql.md for what is."),
    };
    PgError::unsupported(message).hint(hint)
}
