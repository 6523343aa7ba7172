//! ALTER TYPE … ATTRIBUTE: the fields of composite types.

use std::sync::Arc;

use duckmesh_catalog::{
    ColumnType, TypeDef, TypeSpec,
    ddl::types::{ROW_FIELDS_MAX, fields_of, is_within},
};
use sqlparser::{
    ast::{DataType, Statement},
    parser::Parser,
    tokenizer::Token,
};

use super::{Planner, names::quote};
use crate::sql::dialect::Postgres;
use crate::{
    sql::{scan::Scan, user_type},
    wire::error::{PgError, PgResult, SqlState},
};

/// A type, and where it stands.
type Typed = (DataType, Option<u32>);

/// What is said of a field.
pub(super) enum Action {
    Add(String, Typed),
    Drop(String, bool),
    Alter(String, Typed),
    Rename(String, String),
}

impl Action {
    /// Postgres drops first, then changes, then adds.
    fn pass(&self) -> u8 {
        match self {
            Self::Drop(..) => 0,
            Self::Alter(..) => 1,
            Self::Add(..) => 2,
            Self::Rename(..) => 3,
        }
    }
}

/// The actions; none where the statement is about something else.
pub(super) fn read(scan: &mut Scan<'_>) -> PgResult<Option<Vec<Action>>> {
    let mut actions = Vec::new();
    loop {
        let action = if scan.word(&["add", "attribute"]) {
            let name = scan.ident()?;
            Action::Add(name, data_type(scan)?)
        } else if scan.word(&["drop", "attribute"]) {
            let if_exists = scan.word(&["if", "exists"]);
            Action::Drop(scan.ident()?, if_exists)
        } else if scan.word(&["alter", "attribute"]) {
            let name = scan.ident()?;
            scan.word(&["set", "data"]);
            scan.expect_word(&["type"])?;
            Action::Alter(name, data_type(scan)?)
        } else if actions.is_empty() && scan.word(&["rename", "attribute"]) {
            let name = scan.ident()?;
            scan.expect_word(&["to"])?;
            let action = Action::Rename(name, scan.ident()?);
            behaviour(scan);
            return scan.done(Some(vec![action]));
        } else if actions.is_empty() {
            return Ok(None);
        } else {
            return Err(scan.unexpected());
        };
        behaviour(scan);
        actions.push(action);
        if !scan.take(&Token::Comma) {
            return scan.done(Some(actions));
        }
    }
}

/// There are no typed tables that CASCADE could reach.
fn behaviour(scan: &mut Scan<'_>) {
    if !scan.word(&["cascade"]) {
        scan.word(&["restrict"]);
    }
}

/// A type up to the next action; its grammar is the parser's.
fn data_type(scan: &mut Scan<'_>) -> PgResult<Typed> {
    let at = scan.position();
    let (from, mut depth) = (scan.mark(), 0_u32);
    while let Some(token) = scan.peek() {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => break,
            _ if depth == 0 && (scan.sees(&["cascade"]) || scan.sees(&["restrict"])) => break,
            _ => {}
        }
        scan.advance();
    }
    let sql = format!("CREATE TABLE x (y {})", scan.source(from, scan.mark()));
    let parsed = Parser::parse_sql(&Postgres {}, &sql);
    match parsed.as_deref() {
        Ok([Statement::CreateTable(table)]) if table.constraints.is_empty() => match table.columns.as_slice() {
            [column] if column.options.is_empty() => Ok((column.data_type.clone(), at)),
            _ => Err(scan.unexpected()),
        },
        _ => Err(scan.unexpected()),
    }
}

/// Plans the change of a composite type.
pub(super) fn alter(planner: &mut Planner<'_>, def: &Arc<TypeDef>, mut actions: Vec<Action>) -> PgResult<()> {
    let TypeSpec::Composite(fields) = &def.spec else { return Err(PgError::internal("not a composite type")) };
    let mut fields = fields.clone();
    let shown = quote(&def.name);
    let missing = |name: &str| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", def.name);
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    };
    actions.sort_by_key(Action::pass);
    for action in actions {
        match action {
            Action::Rename(from, to) => {
                let unknown = || PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{from}\" does not exist"));
                let at = place(&fields, &from).ok_or_else(unknown)?;
                free(&fields, &to, def)?;
                planner.not_in_texts(def)?;
                if let Some((name, _)) = fields.get_mut(at) {
                    *name = to;
                }
            }
            Action::Drop(name, if_exists) => match place(&fields, &name) {
                Some(at) => {
                    unused(planner, def)?;
                    fields.remove(at);
                }
                None if if_exists => {
                    let message = format!("column \"{name}\" of relation \"{}\" does not exist, skipping", def.name);
                    planner.notices.push(PgError::notice(message));
                }
                None => return Err(missing(&name)),
            },
            Action::Alter(name, ty) => {
                let at = place(&fields, &name).ok_or_else(|| missing(&name))?;
                let ty = resolved(planner, &ty, def, &shown)?;
                unused(planner, def)?;
                if let Some((_, old)) = fields.get_mut(at) {
                    *old = ty;
                }
            }
            Action::Add(name, ty) => {
                let ty = resolved(planner, &ty, def, &shown)?;
                free(&fields, &name, def)?;
                unused(planner, def)?;
                if fields.iter().map(|(_, ty)| fields_of(ty)).sum::<usize>() + fields_of(&ty) > ROW_FIELDS_MAX {
                    return Err(super::user_type::too_many_fields());
                }
                fields.push((name, ty));
            }
        }
    }
    planner.put_type(def, TypeSpec::Composite(fields));
    super::user_type::check_rows(planner)
}

fn place(fields: &[(String, ColumnType)], name: &str) -> Option<usize> {
    fields.iter().position(|(field, _)| field == name)
}

fn free(fields: &[(String, ColumnType)], name: &str, def: &TypeDef) -> PgResult<()> {
    if place(fields, name).is_none() {
        return Ok(());
    }
    let message = format!("column \"{name}\" of relation \"{}\" already exists", def.name);
    Err(PgError::new(SqlState::DUPLICATE_COLUMN, message))
}

fn resolved(planner: &Planner<'_>, (ty, at): &Typed, def: &TypeDef, shown: &str) -> PgResult<ColumnType> {
    let ty = user_type::resolve(ty, planner.ctx).map_err(|e| e.or_position(*at))?.ty;
    if is_within(&ty, def.uuid) {
        let message = format!("composite type {shown} cannot be made a member of itself");
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    Ok(ty)
}

/// Rows keep the text that they were written with: their fields cannot become others.
fn unused(planner: &Planner<'_>, def: &TypeDef) -> PgResult<()> {
    let Some(used) = use_of(planner, def) else { return Ok(()) };
    let message = format!("cannot alter type \"{}\" because column \"{used}\" uses it", def.name);
    Err(PgError::unsupported(message)
        .detail("Rows hold the text of their fields as they were when they were written.")
        .hint("Make another type, and a column of it."))
}

/// The same of an enum's labels: those inside of rows would stay what they were.
pub(super) fn not_within_rows(planner: &Planner<'_>, def: &TypeDef) -> PgResult<()> {
    let Some(used) = use_of(planner, def) else { return Ok(()) };
    Err(PgError::unsupported(format!(
        "cannot rename labels of type \"{}\": column \"{used}\" holds rows with them",
        def.name
    ))
    .detail("Rows hold the text of their fields as they were when they were written."))
}

/// A column whose rows hold values of a type.
fn use_of(planner: &Planner<'_>, def: &TypeDef) -> Option<String> {
    let is_row = |ty: &ColumnType| match ty {
        ColumnType::Array(element) => matches!(**element, ColumnType::Record(_)),
        other => matches!(other, ColumnType::Record(_)),
    };
    planner.ctx.schema.tables.values().find_map(|table| {
        let column = table.columns.iter().find(|c| is_row(&c.ty) && is_within(&c.ty, def.uuid))?;
        Some(format!("{}.{}", table.name, column.name))
    })
}
