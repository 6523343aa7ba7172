//! `CREATE TABLE t (LIKE other …)`: another table's columns, and what INCLUDING says.

use std::sync::Arc;

use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, ConstraintKind, ConstraintOptions, SchemaId, TableDef, ddl::DdlOp,
    schema::Constraint,
};
use sqlparser::{
    ast::{CreateTable, Statement},
    tokenizer::Token,
};
use uuid::Uuid;

use super::{
    Planner,
    constraint::{self, Pending},
    create_table::{empty, empty_named, not_enforced, push},
    lookup::{Relation, already_exists, exists_skipping, no_relation},
    preparse::object,
    temporary::Temporary,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
        user_type,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What is taken over besides columns and NOT NULL.
#[derive(Clone, Copy, Debug, Default)]
struct Including {
    defaults: bool,
    constraints: bool,
    indexes: bool,
    identity: bool,
    comments: bool,
    generated: bool,
}

/// Whether a LIKE was read as a column of that name, which Postgres does not allow without quotes.
pub(super) fn is_misread(create: &CreateTable) -> bool {
    create.columns.iter().any(|c| c.name.quote_style.is_none() && c.name.value.eq_ignore_ascii_case("like"))
}

/// CREATE TABLE, after these words; none: not this form.
pub(super) fn plan(scan: &mut Scan<'_>, ctx: &PlanContext, temporary: Temporary) -> PgResult<Option<Plan>> {
    let if_not_exists = scan.word(&["if", "not", "exists"]);
    let Ok(new) = scan.name() else { return Ok(None) };
    if !scan.take(&Token::LParen) {
        return Ok(None);
    }
    let Some(elements) = elements(scan)? else { return Ok(None) };
    scan.expect(&Token::RParen)?;
    let temporary = temporary.read_on_commit(scan)?;
    scan.done(())?;
    // With blanks where LIKE stood, so that everything else keeps its place.
    let rest = without_likes(scan.text(), &elements);
    let rest = if elements.iter().all(|e| matches!(e, Element::Like(_))) { None } else { Some(rest) };
    let parsed = rest.as_deref().map(table_of).transpose()?;
    let mut planner = Planner::new(rest.as_deref().unwrap_or(scan.text()), ctx);
    let (schema, name) = planner.place(&object(&new), &temporary)?;
    if planner.taken(&schema, &name)?.is_some() {
        if !if_not_exists {
            return Err(already_exists(&name));
        }
        planner.notices.push(exists_skipping(&name));
        return Ok(Some(planner.finish("CREATE TABLE")));
    }
    let mut table = empty(&schema, &name);
    let mut indexes = Vec::new();
    let mut pending: Vec<Pending<'_>> = Vec::new();
    let mut columns = parsed.iter().flat_map(|create| &create.columns);
    for element in &elements {
        match element {
            Element::Like(like) => {
                let source = planner.like_source(like)?;
                let ids = planner.columns_like(&mut table, &source, &schema.name, like.including)?;
                if planner.constraints_like(&mut table, &schema.name, &source, like.including, &ids)? {
                    planner.notices.push(not_enforced());
                }
                if like.including.indexes {
                    indexes.push((source, ids));
                }
            }
            Element::Column => {
                let Some(column) = columns.next() else { continue };
                let parsed = planner.column(column, &table)?;
                constraint::of_column(column, &parsed.name, &mut pending);
                push(&mut table, parsed);
            }
            Element::Constraint => {}
        }
    }
    planner.check_generated(&table)?;
    pending.extend(parsed.iter().flat_map(|create| &create.constraints).map(Pending::of_table));
    let constraints = planner.constraints(&mut table, &schema.name, &pending)?;
    let (uuid, columns) = (table.uuid, table.columns.clone());
    planner.on_commit = temporary.on_commit(&schema, uuid)?;
    planner.ops.push(DdlOp::CreateTable { uuid, schema: schema.uuid, name, columns, constraints });
    for (source, ids) in indexes {
        planner.indexes_like(&mut table, &source, &ids)?;
    }
    Ok(Some(planner.finish("CREATE TABLE")))
}

/// A thing between the parentheses.
enum Element {
    Like(Like),
    Column,
    Constraint,
}

/// `LIKE t INCLUDING …`
struct Like {
    name: Vec<String>,
    including: Including,
    position: Option<u32>,
    /// Its bytes, with the comma before it, or behind the first.
    bytes: std::ops::Range<usize>,
}

/// What stands between the parentheses; none where there is no LIKE.
fn elements(scan: &mut Scan<'_>) -> PgResult<Option<Vec<Element>>> {
    const CONSTRAINTS: [&str; 6] = ["constraint", "primary", "unique", "check", "foreign", "exclude"];
    let mut all = Vec::new();
    let mut comma = None;
    loop {
        let start = comma.unwrap_or_else(|| scan.byte());
        if scan.word(&["like"]) {
            let position = scan.position();
            let name = scan.name()?;
            let including = options(scan)?;
            // The first has no comma before it: it takes the one behind.
            let last = scan.peek() != Some(&Token::Comma);
            let end = scan.byte() + usize::from(comma.is_none() && !last);
            all.push(Element::Like(Like { name, including, position, bytes: start..end }));
        } else {
            let of_table = CONSTRAINTS.iter().any(|word| scan.sees(&[word]));
            all.push(if of_table { Element::Constraint } else { Element::Column });
            let mut depth = 0_usize;
            loop {
                match scan.peek() {
                    Some(Token::LParen) => depth += 1,
                    Some(Token::RParen | Token::Comma) if depth == 0 => break,
                    Some(Token::RParen) => depth -= 1,
                    None => return Ok(None),
                    _ => {}
                }
                scan.advance();
            }
        }
        let only_likes_so_far = all.iter().all(|e| matches!(e, Element::Like(_)));
        comma = Some(scan.byte()).filter(|_| !only_likes_so_far);
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    Ok(all.iter().any(|e| matches!(e, Element::Like(_))).then_some(all))
}

/// The statement with blanks in place of LIKE.
fn without_likes(text: &str, elements: &[Element]) -> String {
    let mut rest = text.to_owned();
    for element in elements {
        if let Element::Like(like) = element
            && let Some(part) = rest.get(like.bytes.clone())
        {
            // As many characters as there were: positions count them.
            let blanks: String = part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
            let ascii = part.is_ascii();
            if ascii {
                rest.replace_range(like.bytes.clone(), &blanks);
            } else {
                // Bytes must stay where they are for the next LIKE, too.
                rest.replace_range(like.bytes.clone(), &" ".repeat(part.len()));
            }
        }
    }
    rest
}

fn table_of(text: &str) -> PgResult<CreateTable> {
    match crate::sql::parse::tree(text)? {
        Statement::CreateTable(create) => Ok(create),
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE TABLE with LIKE")),
    }
}

impl Planner<'_> {
    fn like_source(&mut self, like: &Like) -> PgResult<Arc<TableDef>> {
        match self.find(&object(&like.name))? {
            Some(Relation::Table(table)) => Ok(table),
            Some(Relation::View(view)) => Ok(Arc::new(columns_of(&view.name, &view.columns))),
            Some(other) => {
                let message = format!("LIKE of the {} \"{}\" is not supported", other.kind(), other.name());
                Err(PgError::unsupported(message).hint("Use CREATE TABLE AS SELECT … WITH NO DATA."))
            }
            None => {
                let found = user_type::find(&like.name, self.ctx).filter(|(_, is_array)| !is_array);
                let row = found.and_then(|(def, _)| user_type::record(&def, self.ctx));
                let row = row.ok_or_else(|| no_relation(&like.name.join(".")).or_position(like.position))?;
                Ok(Arc::new(columns_of(&row.name, &row.fields)))
            }
        }
    }
}

/// A table of these columns, which nothing else is said of.
fn columns_of(name: &str, columns: &[(String, ColumnType)]) -> TableDef {
    let mut table = empty_named(SchemaId::new(0), name);
    for (name, ty) in columns {
        let id = table.next_column_id;
        let is_list = matches!(ty, ColumnType::Array(_));
        let column = ColumnDef {
            id,
            element_id: is_list.then(|| id.next()),
            name: name.clone(),
            ty: ty.clone(),
            nullable: true,
            default: None,
            initial_default: None,
            comment: None,
            domain: None,
        };
        push(&mut table, column);
    }
    table
}

fn options(scan: &mut Scan<'_>) -> PgResult<Including> {
    let mut all = Including::default();
    loop {
        let on = scan.word(&["including"]);
        if !on && !scan.word(&["excluding"]) {
            return Ok(all);
        }
        match scan.ident()?.as_str() {
            "all" => {
                all =
                    Including { defaults: on, constraints: on, indexes: on, identity: on, comments: on, generated: on };
            }
            "defaults" => all.defaults = on,
            "constraints" => all.constraints = on,
            "indexes" => all.indexes = on,
            "identity" => all.identity = on,
            "comments" => all.comments = on,
            "generated" => all.generated = on,
            "statistics" | "storage" | "compression" => {}
            other => {
                let message = format!("syntax error at or near \"{other}\"");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
        }
    }
}

impl Planner<'_> {
    /// The columns with numbers of their own; gives the old and new number of each.
    fn columns_like(
        &mut self,
        table: &mut TableDef,
        source: &Arc<TableDef>,
        lake_schema: &str,
        including: Including,
    ) -> PgResult<Vec<(ColumnId, ColumnId)>> {
        let lake = self.ctx.schema.clone();
        let space = lake.schema(lake_schema).ok_or_else(|| PgError::internal("a schema is gone"))?;
        let mut ids = Vec::with_capacity(source.columns.len());
        for old in &source.columns {
            if table.column(&old.name).is_some() {
                let message = format!("column \"{}\" specified more than once", old.name);
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            let mut column = old.clone();
            column.id = table.next_column_id;
            column.element_id = old.element_id.map(|_| column.id.next());
            column.initial_default = None;
            let kept = if column.generated().is_some() { including.generated } else { including.defaults };
            if !kept {
                column.default = None;
            }
            if !including.comments {
                column.comment = None;
            }
            if let Some(sequence) = lake.identity(source.uuid, old.id).filter(|_| including.identity) {
                let name = self.sequence_name(lake_schema, &table.name, &column.name);
                let mut spec = sequence.spec.clone();
                (spec.state, spec.first) = (Uuid::new_v4(), spec.start);
                spec.owner = Some((table.uuid, column.id));
                self.ops.push(DdlOp::CreateSequence { uuid: Uuid::new_v4(), schema: space.uuid, name, spec });
            }
            ids.push((old.id, column.id));
            push(table, column);
        }
        Ok(ids)
    }
    /// CHECK constraints keep their names, keys get new ones: those of indexes are unique in a schema. Whether there are keys.
    fn constraints_like(
        &mut self,
        table: &mut TableDef,
        lake_schema: &str,
        source: &TableDef,
        including: Including,
        ids: &[(ColumnId, ColumnId)],
    ) -> PgResult<bool> {
        let new = |columns: &[ColumnId]| -> Vec<ColumnId> {
            columns.iter().filter_map(|c| ids.iter().find(|(old, _)| old == c).map(|(_, new)| *new)).collect()
        };
        let column_name = |columns: &[ColumnId]| {
            let names = columns.iter().filter_map(|id| source.column_by_id(*id)).map(|c| c.name.as_str());
            names.collect::<Vec<_>>().join("_")
        };
        let mut keys = false;
        for constraint in &source.constraints {
            let (second, label, kind) = match &constraint.kind {
                ConstraintKind::Check { .. } if including.constraints => {
                    if table.constraints.iter().any(|c| c.name == constraint.name) {
                        let (name, table) = (&constraint.name, &table.name);
                        let message = format!("constraint \"{name}\" for relation \"{table}\" already exists");
                        return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
                    }
                    // A new table has no row that was not looked at.
                    let options = ConstraintOptions { not_valid: false, ..constraint.options.clone() };
                    table.constraints.push(Constraint { options, ..constraint.clone() });
                    continue;
                }
                ConstraintKind::PrimaryKey { columns } if including.indexes => {
                    if table.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::PrimaryKey { .. })) {
                        let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
                    }
                    (None, "pkey", ConstraintKind::PrimaryKey { columns: new(columns) })
                }
                ConstraintKind::Unique { columns } if including.indexes => {
                    (Some(column_name(columns)), "key", ConstraintKind::Unique { columns: new(columns) })
                }
                // As in Postgres, foreign keys are never copied.
                _ => continue,
            };
            let name = self.free_name(table, lake_schema, second.as_deref(), label);
            let options = &constraint.options;
            let options = ConstraintOptions { include: new(&options.include), ..options.clone() };
            table.constraints.push(Constraint { options, ..Constraint::new(name, kind) });
            keys = true;
        }
        Ok(keys)
    }
}
