//! Where a value of an INSERT stands in the text it came in.

use std::sync::Arc;

use sqlparser::ast::{self, Expr};

use super::{
    position::Cursor,
    statement::{Statement, Tree},
    thread,
};

/// The position of a constant in the VALUES of a text that is one INSERT; none where it is something else.
pub async fn of(sql: Arc<str>, row: usize, column: usize) -> Option<u32> {
    let statements = super::parse(sql).await.ok()?;
    let [statement] = statements.as_slice() else { return None };
    let statement = statement.clone();
    thread::run(move || Ok(here(&statement, row, column))).await.ok()?
}

fn here(statement: &Statement, row: usize, column: usize) -> Option<u32> {
    let Tree::Ast(tree) = statement.tree() else { return None };
    let ast::Statement::Insert(insert) = tree.as_ref() else { return None };
    let ast::SetExpr::Values(values) = insert.source.as_ref()?.body.as_ref() else { return None };
    let mut expr = values.rows.get(row)?.content.get(column)?;
    loop {
        expr = match expr {
            Expr::Nested(inner) => inner,
            Expr::Value(value) => {
                // Numbers have their type already: what is wrong with one is told without a place, as in Postgres.
                super::rewrite::string_of(&value.value)?;
                return Some(Cursor::default().seek(statement.source(), value.span.start));
            }
            _ => return None,
        };
    }
}
