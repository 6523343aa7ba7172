//! ALTER TABLE with what says how PostgreSQL keeps a table: accepted with a notice, as programs that copy schemas say it.

use std::sync::Arc;

use duckmesh_catalog::{ConstraintKind, TableDef, ddl::DdlOp};
use sqlparser::tokenizer::Token;

use super::{
    Planner,
    lookup::{Relation, no_column, no_relation},
    plan_ddl, preparse,
    preparse::object,
};
use crate::{
    sql::{
        parse,
        plan::{DdlPlan, Plan, PlanContext},
        scan::Scan,
        statement::Tree,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// An action, with what it names.
enum Action {
    Column(String, String),
    Table(String),
    ClusterOn(String),
    Constraint(String, Deferrable),
}

/// ALTER TABLE behind the table's name. None: no action is of these, and nothing is read.
pub(super) fn plan(
    scan: &mut Scan<'_>,
    table: &[String],
    if_exists: bool,
    ctx: &PlanContext,
) -> PgResult<Option<Plan>> {
    let start = scan.mark();
    let all = actions(scan);
    scan.back_to(start);
    let others = all.iter().any(|found| found.action.is_none());
    if all.iter().all(|found| found.action.is_none()) {
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
    let mut rest = None;
    if others {
        let text = without(scan.text(), &all);
        rest = planned(&text, ctx)?;
        if rest.is_none() {
            return Ok(None);
        }
    }
    // Columns that the other actions add are columns too.
    let after = match &rest {
        Some(plan) => ctx.schema.apply(&plan.ops).ok().and_then(|after| after.table_by_uuid(found.uuid).cloned()),
        None => None,
    };
    planner.without_effect(after.as_ref().unwrap_or(&found), all.into_iter().filter_map(|found| found.action))?;
    let mut plan = planner.finish("ALTER TABLE");
    if let (Plan::Ddl(plan), Some(mut rest)) = (&mut plan, rest) {
        rest.notices.append(&mut plan.notices);
        rest.ops.append(&mut plan.ops);
        *plan = rest;
    }
    Ok(Some(plan))
}

/// An action of the statement.
struct Found {
    /// None: another one.
    action: Option<Action>,
    /// Its bytes, with the comma before it.
    bytes: std::ops::Range<usize>,
    /// Where that comma is.
    comma: Option<usize>,
}

/// All actions up to the statement's end.
fn actions(scan: &mut Scan<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    let mut comma = None;
    while !scan.is_done() {
        let start = scan.mark();
        let from = scan.byte();
        let mut found = action(scan).filter(|_| scan.is_done() || scan.peek() == Some(&Token::Comma));
        if found.is_none() {
            scan.back_to(start);
            let mut depth = 0_usize;
            while let Some(token) = scan.peek() {
                match token {
                    Token::LParen | Token::LBracket => depth += 1,
                    Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                    Token::Comma if depth == 0 => break,
                    _ => {}
                }
                scan.advance();
            }
        }
        let bytes = comma.unwrap_or(from)..scan.byte();
        all.push(Found { action: found.take(), bytes, comma });
        comma = Some(scan.byte());
        scan.take(&Token::Comma);
    }
    all
}

/// The statement with blanks in place of those actions: everything else keeps its place.
fn without(text: &str, all: &[Found]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut blank = |range: std::ops::Range<usize>| {
        bytes.iter_mut().take(range.end).skip(range.start).filter(|b| **b != b'\n').for_each(|byte| *byte = b' ');
    };
    let mut first = true;
    for found in all {
        match (found.action.is_some(), found.comma) {
            (true, _) => blank(found.bytes.clone()),
            (false, Some(comma)) if first => blank(comma..comma + 1),
            (false, _) => {}
        }
        first &= found.action.is_some();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// The plan of what is left; none where that is something else.
fn planned(text: &str, ctx: &PlanContext) -> PgResult<Option<DdlPlan>> {
    let statements = parse::parse_here(&Arc::from(text))?;
    let [statement] = statements.as_slice() else { return Ok(None) };
    let plan = match statement.tree() {
        Tree::Ast(tree) => plan_ddl(tree, text, ctx)?,
        Tree::Failed(error) => match preparse(text, ctx)? {
            Some(plan) => Some(plan),
            None => return Err(error.clone()),
        },
        Tree::Text => None,
    };
    Ok(plan.and_then(|plan| match plan {
        Plan::Ddl(plan) => Some(plan),
        _ => None,
    }))
}

impl Planner<'_> {
    /// Tells what has no effect, of what is there.
    fn without_effect(&mut self, table: &TableDef, actions: impl Iterator<Item = Action>) -> PgResult<()> {
        for action in actions {
            let what = match action {
                Action::Column(column, what) => {
                    table.column(&column).ok_or_else(|| no_column(&column, &table.name))?;
                    what
                }
                Action::Table(what) => what,
                Action::Constraint(name, said) => {
                    self.deferred(table, &name, said)?;
                    continue;
                }
                Action::ClusterOn(index) => {
                    let has_index = |kind: &ConstraintKind| {
                        matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
                    };
                    let is_there = table.indexes.iter().any(|i| i.name == index)
                        || table.constraints.iter().any(|c| c.name == index && has_index(&c.kind));
                    if !is_there {
                        let message = format!("index \"{index}\" for table \"{}\" does not exist", table.name);
                        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
                    }
                    "CLUSTER ON".to_owned()
                }
            };
            self.notices.push(PgError::notice(format!("ALTER TABLE … {what} has no effect")));
        }
        Ok(())
    }

    /// `ALTER CONSTRAINT`: when a foreign key would be looked at.
    fn deferred(&mut self, table: &TableDef, name: &str, said: Deferrable) -> PgResult<()> {
        let Some(found) = table.constraints.iter().find(|c| c.name == *name) else {
            let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        };
        let mut constraint = found.clone();
        let ConstraintKind::ForeignKey { rules, .. } = &mut constraint.kind else {
            let message =
                format!("constraint \"{name}\" of relation \"{}\" is not a foreign key constraint", table.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        rules.deferrable = said.deferrable;
        rules.deferred = said.deferred;
        self.ops.push(DdlOp::DropConstraint { table: table.uuid, name: name.to_owned() });
        self.ops.push(DdlOp::AddConstraint { table: table.uuid, constraint });
        Ok(())
    }
}

/// What is said of when a constraint is looked at.
#[derive(Clone, Copy, Default)]
struct Deferrable {
    deferrable: bool,
    deferred: bool,
}

impl Deferrable {
    fn read(scan: &mut Scan<'_>) -> Option<Self> {
        let mut said = Self::default();
        while !scan.is_done() && scan.peek() != Some(&Token::Comma) {
            if scan.word(&["not", "deferrable"]) || scan.word(&["initially", "immediate"]) {
                continue;
            }
            if scan.word(&["deferrable"]) {
                said.deferrable = true;
            } else if scan.word(&["initially", "deferred"]) {
                // It says the other too.
                said = Self { deferrable: true, deferred: true };
            } else {
                return None;
            }
        }
        Some(said)
    }
}

fn action(scan: &mut Scan<'_>) -> Option<Action> {
    const STORAGES: [&str; 4] = ["plain", "external", "extended", "main"];
    if scan.word(&["cluster", "on"]) {
        return scan.ident().ok().map(Action::ClusterOn);
    }
    if scan.word(&["set", "without", "cluster"]) || scan.word(&["set", "without", "oids"]) {
        return Some(Action::Table("SET WITHOUT".to_owned()));
    }
    if scan.word(&["set", "access", "method", "heap"]) {
        return Some(Action::Table("SET ACCESS METHOD".to_owned()));
    }
    if scan.word(&["alter", "constraint"]) {
        let name = scan.ident().ok()?;
        return Deferrable::read(scan).map(|said| Action::Constraint(name, said));
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
