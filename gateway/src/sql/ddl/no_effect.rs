//! ALTER TABLE with what says how PostgreSQL keeps a table: accepted with a notice, as programs that copy schemas say it.

use duckmesh_catalog::ConstraintKind;
use sqlparser::tokenizer::Token;

use super::{
    Planner,
    lookup::{Relation, no_column, no_relation},
    preparse::object,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// An action, with what it names.
enum Action {
    Column(String, String),
    Table(String),
    ClusterOn(String),
}

/// ALTER TABLE behind the table's name. None: some action is another one, and nothing is read.
pub(super) fn plan(
    scan: &mut Scan<'_>,
    table: &[String],
    if_exists: bool,
    ctx: &PlanContext,
) -> PgResult<Option<Plan>> {
    let start = scan.mark();
    let mut actions = Vec::new();
    loop {
        let Some(action) = action(scan) else {
            scan.back_to(start);
            return Ok(None);
        };
        actions.push(action);
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    let is_whole = scan.is_done();
    scan.back_to(start);
    if !is_whole {
        return Ok(None);
    }
    let mut planner = Planner::new(scan.text(), ctx);
    let found = match planner.find(&object(table))? {
        Some(Relation::Table(found)) => found,
        // Of views and sequences the other forms say what is wrong.
        Some(_) => return Ok(None),
        None if if_exists => {
            let shown = table.last().cloned().unwrap_or_default();
            planner.notices.push(PgError::notice(format!("relation \"{shown}\" does not exist, skipping")));
            return Ok(Some(planner.finish("ALTER TABLE")));
        }
        None => return Err(no_relation(&table.join("."))),
    };
    for action in actions {
        let what = match action {
            Action::Column(column, what) => {
                found.column(&column).ok_or_else(|| no_column(&column, &found.name))?;
                what
            }
            Action::Table(what) => what,
            Action::ClusterOn(index) => {
                let has_index = |kind: &ConstraintKind| {
                    matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
                };
                let is_there = found.indexes.iter().any(|i| i.name == index)
                    || found.constraints.iter().any(|c| c.name == index && has_index(&c.kind));
                if !is_there {
                    let message = format!("index \"{index}\" for table \"{}\" does not exist", found.name);
                    return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
                }
                "CLUSTER ON".to_owned()
            }
        };
        planner.notices.push(PgError::notice(format!("ALTER TABLE … {what} has no effect")));
    }
    Ok(Some(planner.finish("ALTER TABLE")))
}

fn action(scan: &mut Scan<'_>) -> Option<Action> {
    const STORAGES: [&str; 4] = ["plain", "external", "extended", "main"];
    if scan.word(&["cluster", "on"]) {
        return scan.ident().ok().map(Action::ClusterOn);
    }
    if scan.word(&["set", "without", "cluster"]) || scan.word(&["set", "without", "oids"]) {
        return Some(Action::Table("SET WITHOUT".to_owned()));
    }
    if scan.word(&["alter"]) {
        scan.word(&["column"]);
        let column = scan.ident().ok()?;
        let what = if scan.word(&["set", "statistics"]) {
            scan.take(&Token::Minus);
            matches!(scan.advance(), Some(Token::Number(..))).then_some("SET STATISTICS")?
        } else if scan.word(&["set", "storage"]) {
            let storage = scan.ident().ok()?;
            STORAGES.contains(&storage.to_lowercase().as_str()).then_some("SET STORAGE")?
        } else if scan.word(&["set", "compression"]) {
            scan.ident().ok().map(|_| "SET COMPRESSION")?
        } else {
            options(scan)?
        };
        return Some(Action::Column(column, format!("ALTER COLUMN … {what}")));
    }
    options(scan).map(|what| Action::Table(what.to_owned()))
}

/// `SET (a = 1, toast.b = 2)`, `RESET (a)`.
fn options(scan: &mut Scan<'_>) -> Option<&'static str> {
    let what = if scan.word(&["set"]) {
        "SET (…)"
    } else if scan.word(&["reset"]) {
        "RESET (…)"
    } else {
        return None;
    };
    if !scan.take(&Token::LParen) {
        return None;
    }
    loop {
        match scan.advance()? {
            Token::RParen => return Some(what),
            Token::LParen => return None,
            _ => {}
        }
    }
}
