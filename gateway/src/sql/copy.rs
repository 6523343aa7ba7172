//! COPY … FROM STDIN and … TO STDOUT.

use std::sync::Arc;

use duckmesh_catalog::{ColumnId, TableDef};
use sqlparser::tokenizer::Token;

use super::{
    ddl::names::{is_system_schema, schema_in_lake, schema_in_sql},
    parse,
    plan::{CopyInPlan, CopyOutPlan, Plan, PlanContext},
    query,
    scan::{Scan, begins_with},
};
use crate::{
    copy::{CopyOptions, CopyTarget, Direction, ForceColumns, RawCopyOptions},
    pgcatalog::shapes,
    wire::error::{PgError, PgResult, SqlState},
};

mod options;

/// Plans the text of one statement, before sqlparser sees it: sqlparser takes what follows `FROM STDIN` for data.
/// None: not COPY.
pub fn preparse(text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    if !begins_with(text, &["copy"]) {
        return Ok(None);
    }
    let Some(mut scan) = Scan::new(text) else {
        return Ok(None);
    };
    scan.expect_word(&["copy"])?;
    let statement = statement(&mut scan)?;
    match &statement.source {
        Source::Query { .. } => copy_query(&statement, ctx),
        Source::Table { name, columns } => copy_table(&statement, name, columns, ctx),
    }
    .map(Some)
}

/// COPY as it was written.
#[derive(Debug)]
struct CopyStatement<'a> {
    source: Source<'a>,
    direction: Direction,
    raw: RawCopyOptions,
    condition: Option<Condition<'a>>,
}

/// What follows WHERE.
#[derive(Clone, Copy, Debug)]
struct Condition<'a> {
    sql: &'a str,
    /// Characters before it.
    before: u32,
}

#[derive(Debug)]
enum Source<'a> {
    Table {
        name: Vec<String>,
        columns: Vec<String>,
    },
    Query {
        sql: &'a str,
        /// Characters before it.
        before: u32,
    },
}

fn statement<'a>(scan: &mut Scan<'a>) -> PgResult<CopyStatement<'a>> {
    // COPY BINARY t …: the form of PostgreSQL before 7.3.
    let binary = scan.sees(&["binary"])
        && matches!(scan.ahead(1), Some(Token::Word(_)))
        && !scan.sees(&["binary", "from"])
        && !scan.sees(&["binary", "to"])
        && scan.word(&["binary"]);
    let source = if scan.take(&Token::LParen) {
        query_source(scan)?
    } else {
        let name = scan.name()?;
        let columns = match scan.take(&Token::LParen) {
            true => names(scan)?,
            false => Vec::new(),
        };
        Source::Table { name, columns }
    };
    let direction = if scan.word(&["to"]) {
        Direction::To
    } else if matches!(source, Source::Table { .. }) && scan.word(&["from"]) {
        Direction::From
    } else {
        return Err(scan.unexpected());
    };
    target(scan, direction)?;
    let mut raw = options::read(scan)?;
    if binary {
        raw.format = Some("binary".to_owned());
    }
    let condition = condition(scan, direction)?;
    scan.done(CopyStatement { source, direction, raw, condition })
}

/// WHERE is the last of a COPY FROM: the rest of the text.
fn condition<'a>(scan: &mut Scan<'a>, direction: Direction) -> PgResult<Option<Condition<'a>>> {
    let at = scan.position();
    if !scan.word(&["where"]) {
        return Ok(None);
    }
    if direction == Direction::To {
        let error = PgError::new(SqlState::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO");
        return Err(error.or_position(at));
    }
    let (from, start) = (scan.position(), scan.byte());
    if scan.is_done() {
        return Err(scan.unexpected());
    }
    let first = scan.mark();
    while scan.advance().is_some() {}
    let end = start + scan.source(first, scan.mark()).len();
    let sql = scan.text().get(start..end).unwrap_or_default();
    Ok(Some(Condition { sql, before: from.unwrap_or(1) - 1 }))
}

/// The text within the parentheses.
fn query_source<'a>(scan: &mut Scan<'a>) -> PgResult<Source<'a>> {
    let (from, start) = (scan.position(), scan.byte());
    let mut depth = 1;
    loop {
        match scan.peek() {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth -= 1,
            Some(_) => {}
            None => return Err(scan.unexpected()),
        }
        if depth == 0 {
            break;
        }
        scan.advance();
    }
    let sql = scan.text().get(start..scan.byte()).unwrap_or_default();
    scan.expect(&Token::RParen)?;
    Ok(Source::Query { sql, before: from.unwrap_or(1) - 1 })
}

/// Names up to a closing parenthesis.
fn names(scan: &mut Scan<'_>) -> PgResult<Vec<String>> {
    let mut names = vec![scan.ident()?];
    while scan.take(&Token::Comma) {
        names.push(scan.ident()?);
    }
    scan.expect(&Token::RParen)?;
    Ok(names)
}

/// STDIN and STDOUT mean the same to Postgres: the client.
fn target(scan: &mut Scan<'_>, direction: Direction) -> PgResult<()> {
    if scan.word(&["stdin"]) || scan.word(&["stdout"]) {
        return Ok(());
    }
    if scan.word(&["program"]) {
        return Err(denied("pg_execute_server_program", "to or from an external program"));
    }
    scan.string()?;
    Err(match direction {
        Direction::From => denied("pg_read_server_files", "from a file"),
        Direction::To => denied("pg_write_server_files", "to a file"),
    })
}

fn denied(role: &str, what: &str) -> PgError {
    PgError::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("must be superuser or have privileges of the {role} role to COPY {what}"),
    )
    .hint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.")
}

fn copy_query(statement: &CopyStatement<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let Source::Query { sql, before } = &statement.source else {
        return Err(PgError::internal("COPY of a query without one"));
    };
    let shifted = |error| shifted(error, *before);
    let tree = parse::query(sql).map_err(shifted)?;
    let query = query::plan_query(&tree, sql, ctx).map_err(shifted)?;
    // Where planning does not know a name, the engine's description tells it when the statement runs: the options are
    // checked now as far as they do not name columns.
    let names: Option<Vec<_>> = query.columns.iter().map(|c| c.name.clone()).collect();
    let columns = names.unwrap_or_default();
    let mut raw = statement.raw.clone();
    if columns.is_empty() {
        raw.force_quote = raw.force_quote.map(|_| ForceColumns::All);
    }
    let target = CopyTarget { relation: None, all: &columns, columns: &columns };
    let options = CopyOptions::new(&raw, Direction::To, &target)?;
    Ok(Plan::CopyOut(CopyOutPlan { query, columns, options, raw: Box::new(statement.raw.clone()) }))
}

/// An error's position within a piece of the statement as one in the statement.
fn shifted(error: PgError, before: u32) -> PgError {
    match error.fields().position {
        Some(at) => error.position(at + before),
        None => error,
    }
}

fn copy_table(statement: &CopyStatement<'_>, name: &[String], columns: &[String], ctx: &PlanContext) -> PgResult<Plan> {
    if statement.direction == Direction::To
        && let Some(plan) = copy_system(statement, name, columns, ctx)?
    {
        return Ok(plan);
    }
    let found = find(name, statement.direction, ctx)?;
    let (ids, names) = chosen(&found.table, columns)?;
    let all: Vec<_> = found.table.columns.iter().map(|c| c.name.clone()).collect();
    let target = CopyTarget { relation: Some(&found.table.name), all: &all, columns: &names };
    let options = CopyOptions::new(&statement.raw, statement.direction, &target)?;
    if statement.direction == Direction::From {
        let compiled = |c: &Condition<'_>| {
            super::check::compile_copy_where(c.sql, &found.schema_name, &found.table, ctx)
                .map_err(|error| shifted(error, c.before))
        };
        let condition = statement.condition.as_ref().map(compiled).transpose()?;
        return Ok(Plan::CopyIn(CopyInPlan {
            condition,
            all_columns: columns.is_empty(),
            schema_name: found.schema_name,
            table: found.table,
            columns: ids,
            options,
        }));
    }
    let list: Vec<_> = names.iter().map(|n| quoted(n)).collect();
    let sql = format!("SELECT {} FROM {}.{}", list.join(", "), quoted(&found.schema_name), quoted(&found.table.name));
    let query = query::plan_query(&parse::query(&sql)?, &sql, ctx)?;
    Ok(Plan::CopyOut(CopyOutPlan { query, columns: names, options, raw: Box::new(statement.raw.clone()) }))
}

/// COPY of a relation of the system. None: it is none.
fn copy_system(
    statement: &CopyStatement<'_>,
    name: &[String],
    said: &[String],
    ctx: &PlanContext,
) -> PgResult<Option<Plan>> {
    let shape = match name {
        [name] => shapes::find("pg_catalog", name),
        [schema, name] if is_system_schema(schema) => shapes::find(schema, name),
        _ => None,
    };
    let Some(shape) = shape else { return Ok(None) };
    if shape.kind != 'r' {
        return Err(of_other("view", shape.name, Direction::To));
    }
    let all: Vec<String> = shape.columns.iter().map(|c| c.name.to_owned()).collect();
    if let Some(missing) = said.iter().find(|name| !all.contains(name)) {
        return Err(super::ddl::no_column(missing, shape.name));
    }
    let names = if said.is_empty() { all.clone() } else { said.to_vec() };
    let target = CopyTarget { relation: Some(shape.name), all: &all, columns: &names };
    let options = CopyOptions::new(&statement.raw, Direction::To, &target)?;
    let list: Vec<_> = names.iter().map(|n| quoted(n)).collect();
    let sql = format!("SELECT {} FROM {}.{}", list.join(", "), quoted(shape.schema), quoted(shape.name));
    let query = query::plan_query(&parse::query(&sql)?, &sql, ctx)?;
    let raw = Box::new(statement.raw.clone());
    Ok(Some(Plan::CopyOut(CopyOutPlan { query, columns: names, options, raw })))
}

struct Found {
    table: Arc<TableDef>,
    /// SQL's name of its schema.
    schema_name: String,
}

fn find(name: &[String], direction: Direction, ctx: &PlanContext) -> PgResult<Found> {
    let (said, relation) = match name {
        [name] => (None, name),
        [schema, name] => (Some(schema), name),
        [database, schema, name] if database == ctx.lake.as_str() => (Some(schema), name),
        [_, _, _] => {
            return Err(PgError::unsupported(format!(
                "cross-database references are not implemented: \"{}\"",
                name.join(".")
            )));
        }
        _ => {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {}", name.join(".")),
            ));
        }
    };
    if said.is_some_and(|s| is_system_schema(s)) {
        return Err(PgError::unsupported(format!("COPY of \"{}\" is not supported", name.join(".")))
            .hint("Try the COPY (SELECT ...) TO variant."));
    }
    let path = match said {
        Some(schema) => std::slice::from_ref(schema),
        None => ctx.search_path.as_slice(),
    };
    for schema in path.iter().filter_map(|s| schema_in_lake(s)) {
        if let Some(table) = ctx.schema.table(schema, relation) {
            return Ok(Found { table: Arc::clone(table), schema_name: schema_in_sql(schema).to_owned() });
        }
        if ctx.schema.view(schema, relation).is_some() {
            return Err(of_other("view", relation, direction));
        }
        if ctx.schema.sequence(schema, relation).is_some() {
            return Err(of_other("sequence", relation, direction));
        }
    }
    Err(super::ddl::no_relation(&name.join(".")))
}

/// For what is no table.
fn of_other(kind: &str, name: &str, direction: Direction) -> PgError {
    let way = if direction == Direction::From { "to" } else { "from" };
    let error = PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot copy {way} {kind} \"{name}\""));
    match (kind, direction) {
        ("view", Direction::From) => error.hint("COPY into the table that the view reads."),
        ("view", Direction::To) => error.hint("Try the COPY (SELECT ...) TO variant."),
        _ => error,
    }
}

/// The columns of the COPY: those said, or all.
fn chosen(table: &TableDef, said: &[String]) -> PgResult<(Vec<ColumnId>, Vec<String>)> {
    if said.is_empty() {
        let given = table.columns.iter().filter(|c| c.generated().is_none());
        return Ok(given.map(|c| (c.id, c.name.clone())).unzip());
    }
    let (mut ids, mut names) = (Vec::new(), Vec::new());
    for name in said {
        let Some(column) = table.column(name) else {
            return Err(super::ddl::no_column(name, &table.name));
        };
        if column.generated().is_some() {
            let message = format!("column \"{name}\" is a generated column");
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
                .detail("Generated columns cannot be used in COPY."));
        }
        if ids.contains(&column.id) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        ids.push(column.id);
        names.push(column.name.clone());
    }
    Ok((ids, names))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
