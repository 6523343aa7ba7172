//! Sequences by name, and the text of a default that takes their numbers.

use std::{ops::ControlFlow, sync::Arc};

use duckmesh_catalog::{LakeSchema, SequenceDef, schema::DEFAULT_SCHEMA};

use sqlparser::ast::{Expr, Ident, visit_expressions_mut};

use super::{ddl::names, scan::Scan};
use crate::wire::error::{PgError, PgResult, SqlState};

/// `nextval('public.t_id_seq'::regclass)`: how the default of a serial column is kept. The schema is always named, so that it
/// means the same under every search path.
#[must_use]
pub fn default_text(lake_schema: &str, name: &str) -> String {
    let whole = format!("{}.{}", names::quote(names::schema_in_sql(lake_schema)), names::quote(name));
    format!("nextval('{}'::regclass)", whole.replace('\'', "''"))
}

/// The sequence whose numbers a default takes, and nothing else.
#[must_use]
pub fn of_default(text: &str, schema: &LakeSchema) -> Option<Arc<SequenceDef>> {
    let name = text.strip_prefix("nextval('")?.strip_suffix("'::regclass)")?.replace("''", "'");
    find(&name, schema, &[]).ok().map(|(sequence, _)| sequence)
}

/// How the calls of `nextval` in a default are named while the rest is computed.
#[must_use]
pub fn number_column(index: usize) -> String {
    format!("duckmesh_number_{index}")
}

/// A default's expression with its calls of `nextval` as columns, and the names of the sequences.
///
/// # Errors
/// Of a text that is no expression; 0A000 where a name is computed.
pub fn without_numbers(text: &str) -> PgResult<(String, Vec<String>)> {
    let mut expr = super::parse::expression(text)?;
    let mut names = Vec::new();
    let _ = visit_expressions_mut(&mut expr, |e| {
        if let Some(name) = super::ddl::nextval(e) {
            *e = Expr::Identifier(Ident::new(number_column(names.len())));
            names.push(name);
        }
        ControlFlow::<()>::Continue(())
    });
    let rest = expr.to_string();
    if rest.to_ascii_lowercase().contains("nextval(") {
        return Err(PgError::unsupported("nextval of a computed name is not supported in a default"));
    }
    Ok((rest, names))
}

/// The sequence of a name as `nextval` takes it.
///
/// # Errors
/// 42P01 where there is none, 42809 where it is something else.
pub fn resolve(name: &str, schema: &LakeSchema, search_path: &[String]) -> PgResult<Arc<SequenceDef>> {
    find(name, schema, search_path).map(|(sequence, _)| sequence)
}

fn find(name: &str, schema: &LakeSchema, search_path: &[String]) -> PgResult<(Arc<SequenceDef>, String)> {
    let parts = parts(name)?;
    let missing =
        || PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", parts.join(".")));
    let in_schema = |space: &str, name: &str| {
        let space = if space == "public" { DEFAULT_SCHEMA } else { space };
        if let Some(sequence) = schema.sequence(space, name) {
            return Some(Ok((sequence.clone(), space.to_owned())));
        }
        let other = schema.table(space, name).is_some() || schema.view(space, name).is_some();
        other.then(|| Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not a sequence"))))
    };
    match parts.as_slice() {
        [name] => search_path.iter().find_map(|space| in_schema(space, name)).unwrap_or_else(|| Err(missing())),
        [space, name] | [_, space, name] => in_schema(space, name).unwrap_or_else(|| Err(missing())),
        _ => Err(missing()),
    }
}

/// `pg_get_serial_sequence`: the sequence that a column owns.
///
/// # Errors
/// 42P01 without the table, 42703 without the column.
pub fn serial(table: &str, column: &str, schema: &LakeSchema, search_path: &[String]) -> PgResult<Option<String>> {
    let name = parts(table)?;
    let missing = || PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", name.join(".")));
    let lake = |space: &str| if space == "public" { DEFAULT_SCHEMA.to_owned() } else { space.to_owned() };
    let found = match name.as_slice() {
        [table] => search_path.iter().find_map(|space| schema.table(&lake(space), table)),
        [space, table] | [_, space, table] => schema.table(&lake(space), table),
        _ => None,
    };
    let found = found.ok_or_else(missing)?;
    let column = found.column(column).ok_or_else(|| super::ddl::no_column(column, &found.name))?;
    let owned = schema.sequences.values().find(|s| s.spec.owner == Some((found.uuid, column.id)));
    Ok(owned.map(|sequence| {
        let space = names::schema_in_sql(schema.schema_name(sequence.schema_id).unwrap_or_default());
        format!("{}.{}", names::quote(space), names::quote(&sequence.name))
    }))
}

/// The parts of a name in a text, folded unless quoted.
///
/// # Errors
/// 42602 for a text that is no name.
pub fn parts(name: &str) -> PgResult<Vec<String>> {
    let invalid = || PgError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut scan = Scan::new(name).ok_or_else(invalid)?;
    let parts = scan.name().map_err(|_| invalid())?;
    scan.done(parts).map_err(|_| invalid())
}
