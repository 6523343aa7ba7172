//! INSERT: rows of constants go straight to the log, anything else through the engine.

use std::sync::Arc;

use duckmesh_catalog::{ColumnDef, ColumnType, Identity, TableDef};
use sqlparser::ast::{self, Expr, SetExpr, Spanned, Value};

use super::{
    parse::Overriding,
    plan::{Cell, InsertPlan, InsertSource, Plan, PlanContext},
    quote,
    returning::{is_named, returning},
    rewrite::{Rewriter, Target, assignable, shown},
    types,
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// The relation that RETURNING's expressions read: the rows that were inserted.
pub const RETURNING_ROWS: &str = "returning_rows";

/// Plans an INSERT.
pub fn plan(insert: &ast::Insert, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    plain(insert)?;
    let mut rewriter = Rewriter::new(ctx, text);
    let ast::TableObject::TableName(name) = &insert.table else {
        return Err(PgError::unsupported("INSERT INTO this target is not supported"));
    };
    let (table, schema_name) = match rewriter.resolve(name)? {
        Target::Table(table, schema) => (table, schema),
        Target::View(view, _) => {
            return Err(PgError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot insert into view \"{}\"", view.name),
            )
            .hint("Insert into the table that the view reads."));
        }
        Target::System(crate::pgcatalog::shapes::Shape { name, .. }) => {
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for table {name}")));
        }
        Target::Sequence(sequence, _) => {
            let message = format!("cannot change sequence \"{}\"", sequence.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        Target::Cte(_) | Target::Extra(_) => {
            return Err(PgError::unsupported("INSERT INTO this target is not supported"));
        }
    };
    let given = targets(&mut rewriter, insert, &table)?;
    let (columns, source) = source(&mut rewriter, insert, &table, given)?;
    let returning = match &insert.returning {
        Some(items) => Some(returning(&mut rewriter, insert, items, (&table, &schema_name))?),
        None => None,
    };
    let params = rewriter.param_types()?;
    let source = match source {
        Source::Plan(source) => source,
        Source::Rows(rows) => {
            let returning_params = params.clone();
            let mut plan = rewriter.finish(rows)?;
            plan.params = returning_params;
            InsertSource::Query(plan)
        }
    };
    let columns = columns.iter().map(|c| c.id).collect();
    Ok(Plan::Insert(InsertPlan { table: table.clone(), schema_name, columns, source, returning, params }))
}

/// The source, before all parameters' types are known.
enum Source {
    Plan(InsertSource),
    Rows(super::rewrite::Rows),
}

/// Refuses what is not Postgres' INSERT, and ON CONFLICT.
fn plain(insert: &ast::Insert) -> PgResult<()> {
    let ast::Insert {
        insert_token: _,
        optimizer_hints: _,
        or,
        ignore,
        into: _,
        table: _,
        table_alias: _,
        columns: _,
        overwrite,
        source: _,
        assignments,
        partitioned,
        after_columns,
        has_table_keyword,
        on,
        returning: _,
        output,
        replace_into,
        priority: _,
        insert_alias,
        settings,
        format_clause,
        multi_table_insert_type,
        multi_table_into_clauses,
        multi_table_when_clauses,
        multi_table_else_clause,
    } = insert;
    if on.is_some() {
        return Err(PgError::unsupported("ON CONFLICT is not supported yet")
            .hint("Keys are information here, not enforced; repeat a write safely with duckmesh.idempotency_key."));
    }
    let fine = or.is_none()
        && !ignore
        && !overwrite
        && assignments.is_empty()
        && partitioned.is_none()
        && after_columns.is_empty()
        && !has_table_keyword
        && output.is_none()
        && !replace_into
        && insert_alias.is_none()
        && settings.is_none()
        && format_clause.is_none()
        && multi_table_insert_type.is_none()
        && multi_table_into_clauses.is_empty()
        && multi_table_when_clauses.is_empty()
        && multi_table_else_clause.is_none();
    if fine { Ok(()) } else { Err(PgError::unsupported("this form of INSERT is not supported")) }
}

/// The columns that were named; none when no list was given.
fn targets<'t>(
    rewriter: &mut Rewriter<'_>,
    insert: &ast::Insert,
    table: &'t Arc<TableDef>,
) -> PgResult<Option<Vec<&'t ColumnDef>>> {
    if insert.columns.is_empty() {
        return Ok(None);
    }
    let mut columns: Vec<&ColumnDef> = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let at = rewriter.at(name.span());
        let parts = quote::parts(name).unwrap_or_default();
        let [name] = parts.as_slice() else {
            return Err(PgError::unsupported("INSERT into a part of a column is not supported").or_position(at));
        };
        let column = table.column(name).ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", table.name),
            )
            .or_position(at)
        })?;
        if columns.iter().any(|c| c.id == column.id) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            )
            .or_position(at));
        }
        columns.push(column);
    }
    Ok(Some(columns))
}

fn source<'t>(
    rewriter: &mut Rewriter<'_>,
    insert: &ast::Insert,
    table: &'t Arc<TableDef>,
    given: Option<Vec<&'t ColumnDef>>,
) -> PgResult<(Vec<&'t ColumnDef>, Source)> {
    let Some(query) = &insert.source else {
        return Ok((Vec::new(), Source::Plan(InsertSource::DefaultValues)));
    };
    let all: Vec<&ColumnDef> = table.columns.iter().collect();
    let places = insert.columns.iter().map(|name| rewriter.at(name.span())).collect();
    let into = Into { table, overriding: super::parse::overriding(insert), places };
    if let Some(values) = plain_values(query) {
        return rows_of_values(rewriter, values, given, all, &into);
    }
    let named = given.is_some();
    let mut columns = given.unwrap_or(all);
    let hints: Vec<ColumnType> = columns.iter().map(|c| c.ty.clone()).collect();
    rewriter.top = true;
    let rows = rewriter.query(query, Some(&hints))?;
    rewriter.top = false;
    let at = rewriter.at_query(query);
    if !rows.known {
        return Err(PgError::unsupported("INSERT from a query whose columns are not known is not supported")
            .hint("Name the columns instead of *.")
            .or_position(at));
    }
    rows.columns.first().map(drop).ok_or_else(|| super::empty_list::inserted(at))?;
    let at_target = into.places.get(rows.columns.len()).copied().flatten();
    let at_extra = rewriter.at_item(&query.body, columns.len());
    check_width(rows.columns.len(), columns.len(), named, at_extra, at_target)?;
    columns.truncate(rows.columns.len());
    let mut list = Vec::new();
    let mut written = Vec::new();
    for (n, (column, shown)) in columns.iter().zip(&rows.columns).enumerate() {
        writable(column)?;
        if into.identity(rewriter, column)? == Own::Ignored {
            continue;
        }
        written.push(*column);
        let source = format!("\"source\".{}", quote::name(&shown.engine));
        let ex = super::rewrite::Ex::plain(source, shown.ty.clone());
        // Where it stands is asked where it does not fit.
        let assigned = rewriter.assign(ex, &column.ty, &column.name, None);
        let ex = assigned.map_err(|e| e.or_position(rewriter.at_item(&query.body, n)))?;
        list.push(format!("{} AS {}", ex.sql, quote::name(&format!("a{}", list.len()))));
    }
    let rows = super::rewrite::Rows {
        sql: format!("SELECT {} FROM ({}) AS \"source\"", list.join(", "), rows.sql),
        columns: Vec::new(),
        known: false,
    };
    Ok((written, Source::Rows(rows)))
}

/// What rows go into, as far as identity columns ask.
struct Into<'t> {
    table: &'t TableDef,
    overriding: Option<Overriding>,
    /// Where the columns stand that were named.
    places: Vec<Option<u32>>,
}

/// What becomes of a value that a statement gives for a column.
#[derive(PartialEq, Eq)]
enum Own {
    /// It counts.
    Taken,
    /// The column's own number counts.
    Ignored,
}

impl Into<'_> {
    /// What becomes of a given value; an error where the statement may give none.
    fn identity(&self, rewriter: &Rewriter<'_>, column: &ColumnDef) -> PgResult<Own> {
        if column.generated().is_some() {
            let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
            let detail = format!("Column \"{}\" is a generated column.", column.name);
            return Err(PgError::new(SqlState::GENERATED_ALWAYS, message).detail(detail));
        }
        let Some(sequence) = rewriter.ctx.schema.identity(self.table.uuid, column.id) else { return Ok(Own::Taken) };
        match (self.overriding, sequence.spec.identity) {
            (Some(Overriding::User), _) => Ok(Own::Ignored),
            (None, Some(Identity::Always)) => {
                let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
                let detail = format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name);
                Err(PgError::new(SqlState::GENERATED_ALWAYS, message)
                    .detail(detail)
                    .hint("Use OVERRIDING SYSTEM VALUE to override."))
            }
            _ => Ok(Own::Taken),
        }
    }
}

fn check_width(
    expressions: usize,
    targets: usize,
    named: bool,
    at: Option<u32>,
    at_target: Option<u32>,
) -> PgResult<()> {
    let error = |message: &str, at| PgError::new(SqlState::SYNTAX_ERROR, message).or_position(at);
    if expressions > targets {
        return Err(error("INSERT has more expressions than target columns", at));
    }
    if expressions < targets && named {
        return Err(error("INSERT has more target columns than expressions", at_target));
    }
    Ok(())
}

fn writable(column: &ColumnDef) -> PgResult<()> {
    if column.ty.is_writable() {
        Ok(())
    } else {
        Err(PgError::unsupported(format!("column \"{}\" has type {}, which can only be read", column.name, column.ty)))
    }
}

/// VALUES alone, in parentheses or not.
fn plain_values(query: &ast::Query) -> Option<&ast::Values> {
    let ast::Query { with: None, order_by: None, limit_clause: None, fetch: None, body, .. } = query else {
        return None;
    };
    match body.as_ref() {
        SetExpr::Values(values) => Some(values),
        SetExpr::Query(inner) => plain_values(inner),
        _ => None,
    }
}

/// VALUES: cells where every value is a constant, a parameter or DEFAULT; else a query.
fn rows_of_values<'t>(
    rewriter: &mut Rewriter<'_>,
    values: &ast::Values,
    given: Option<Vec<&'t ColumnDef>>,
    all: Vec<&'t ColumnDef>,
    into: &Into<'_>,
) -> PgResult<(Vec<&'t ColumnDef>, Source)> {
    let named = given.is_some();
    let mut columns = given.unwrap_or(all);
    let width = values.rows.first().map_or(0, |r| r.content.len());
    for row in &values.rows {
        super::thread::check()?;
        let cells = &row.content;
        if cells.len() != width {
            let at = cells.first().and_then(|e| rewriter.at_expr(e));
            return Err(
                PgError::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length").or_position(at)
            );
        }
        if cells.len() > columns.len() {
            let at = cells.get(columns.len()).and_then(|e| rewriter.at_expr(e));
            check_width(cells.len(), columns.len(), named, at, None)?;
        }
    }
    check_width(width, columns.len(), named, None, into.places.get(width).copied().flatten())?;
    columns.truncate(width);
    for column in &columns {
        writable(column)?;
    }
    let mut rows = Vec::with_capacity(values.rows.len());
    for row in &values.rows {
        super::thread::check()?;
        let mut cells = Vec::with_capacity(width);
        for (expr, column) in row.content.iter().zip(&columns) {
            if !says_default(expr) && into.identity(rewriter, column)? == Own::Ignored {
                cells.push(Cell::Default);
                continue;
            }
            match cell(rewriter, expr, column)? {
                Some(cell) => cells.push(cell),
                None => return computed(rewriter, values, columns, into),
            }
        }
        rows.push(cells);
    }
    Ok((columns, Source::Plan(InsertSource::Values(rows))))
}

/// A value that needs no engine.
fn cell(rewriter: &mut Rewriter<'_>, expr: &Expr, column: &ColumnDef) -> PgResult<Option<Cell>> {
    // The number of what a name stands for is looked up.
    let is_name = |expr: &Expr| !matches!(expr, Expr::Identifier(ident) if is_default(ident));
    if is_named(column) && is_name(expr) {
        return Ok(None);
    }
    Ok(match expr {
        Expr::Nested(inner) => cell(rewriter, inner, column)?,
        Expr::Identifier(ident) if is_default(ident) => Some(Cell::Default),
        Expr::Value(value) => match &value.value {
            Value::Null => Some(Cell::Null),
            Value::Placeholder(name) => param(rewriter, name, column, value.span)?,
            Value::Boolean(b) => match &column.ty {
                ColumnType::Bool => Some(Cell::Text(b.to_string())),
                ty if assignable(&ColumnType::Bool, ty) => Some(Cell::Text(b.to_string())),
                _ => return Err(mismatch(column, "boolean", rewriter.at(value.span))),
            },
            Value::Number(n, false) => number(rewriter, n, column, value.span)?,
            Value::SingleQuotedByteStringLiteral(digits) if is_bits(column) => Some(Cell::Text(format!("b{digits}"))),
            Value::HexStringLiteral(digits) if is_bits(column) => Some(Cell::Text(format!("x{digits}"))),
            other => super::rewrite::string_of(other).map(Cell::Text),
        },
        Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(v) => match &v.value {
                Value::Number(n, false) => number(rewriter, &types::negated(n), column, v.span)?,
                _ => None,
            },
            _ => None,
        },
        // The input word of the same meaning: no engine is needed for the commonest call in a VALUES list.
        Expr::Function(call) if is_now(call) && has_moment(&column.ty) => Some(Cell::Text("now".to_owned())),
        _ => None,
    })
}

fn is_bits(column: &ColumnDef) -> bool {
    matches!(column.ty.bare(), ColumnType::AsText(held) if held.is_bits())
}

fn has_moment(ty: &ColumnType) -> bool {
    matches!(ty.bare(), ColumnType::Timestamptz | ColumnType::Timestamp | ColumnType::Date)
}

/// `now()` and `CURRENT_TIMESTAMP`.
fn is_now(call: &ast::Function) -> bool {
    let [ast::ObjectNamePart::Identifier(name)] = call.name.0.as_slice() else { return false };
    let plain = call.over.is_none() && call.filter.is_none() && call.within_group.is_empty();
    plain
        && match &call.args {
            ast::FunctionArguments::None => name.value.eq_ignore_ascii_case("current_timestamp"),
            ast::FunctionArguments::List(list) => {
                list.args.is_empty() && list.clauses.is_empty() && name.value.eq_ignore_ascii_case("now")
            }
            ast::FunctionArguments::Subquery(_) => false,
        }
}

fn says_default(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => says_default(inner),
        Expr::Identifier(ident) => is_default(ident),
        _ => false,
    }
}

fn is_default(ident: &ast::Ident) -> bool {
    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default")
}

/// Whether a column of integers has room for a whole number; others are asked when they take it.
fn holds(ty: &ColumnType, n: &str) -> bool {
    match ty {
        ColumnType::Int2 => n.parse::<i64>().is_ok_and(|n| i16::try_from(n).is_ok()),
        ColumnType::Int4 => n.parse::<i64>().is_ok_and(|n| i32::try_from(n).is_ok()),
        _ => true,
    }
}

/// A number where the column takes it as written.
fn number(
    rewriter: &mut Rewriter<'_>,
    n: &str,
    column: &ColumnDef,
    span: sqlparser::tokenizer::Span,
) -> PgResult<Option<Cell>> {
    let ex = rewriter.number_literal(n, rewriter.at(span))?;
    let ty = ex.ty.unwrap_or(ColumnType::Int4);
    if !assignable(&ty, &column.ty) {
        return Err(mismatch(column, &shown(&ty), rewriter.at(span)));
    }
    let whole = matches!(ty, ColumnType::Int4 | ColumnType::Int8);
    if whole && !holds(&column.ty, n) {
        // A constant is cast, not read: the cast has words of its own.
        return Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{} out of range", shown(&column.ty))));
    }
    Ok(match &column.ty {
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 if whole => Some(Cell::Text(n.to_owned())),
        // A fraction is rounded by the assignment.
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => None,
        ColumnType::Float4 | ColumnType::Float8 | ColumnType::Numeric(..) => Some(Cell::Text(n.to_owned())),
        ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_) if whole => {
            Some(Cell::Text(n.parse::<i64>().map_or_else(|_| n.to_owned(), |n| n.to_string())))
        }
        _ => None,
    })
}

fn param(
    rewriter: &mut Rewriter<'_>,
    name: &str,
    column: &ColumnDef,
    span: sqlparser::tokenizer::Span,
) -> PgResult<Option<Cell>> {
    let at = rewriter.at(span);
    let ex = rewriter.param(name, at)?;
    let index = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).unwrap_or(1) - 1;
    let given = rewriter
        .ctx
        .param_types
        .get(index)
        .copied()
        .filter(|oid| *oid != 0 && *oid != duckmesh_catalog::types::oid::UNKNOWN);
    match given {
        None => {
            rewriter.param_is(index, &column.ty, at)?;
            // An earlier use may have given it another length of the same type: the column's own counts here.
            Ok(Some(Cell::Param(index)))
        }
        Some(oid) if oid == column.ty.oid() => Ok(Some(Cell::Param(index))),
        Some(oid) => {
            let ty = super::user_type::of_oid(oid, rewriter.ctx).unwrap_or(ColumnType::Text);
            if !assignable(&ty, &column.ty) {
                return Err(mismatch(column, &shown(&ty), ex.position));
            }
            Ok(same_text(&ty, &column.ty).then_some(Cell::Param(index)))
        }
    }
}

/// Whether the cast of an assignment is what reading the value's text as the other type gives. (psycopg sends small numbers
/// as smallint, whatever the column is.)
fn same_text(given: &ColumnType, column: &ColumnType) -> bool {
    use ColumnType as T;
    match given {
        T::Text | T::Varchar(_) | T::Char(_) => matches!(column, T::Text | T::Varchar(_) | T::Char(_)),
        T::Int2 => matches!(column, T::Int4 | T::Int8 | T::Float8 | T::Numeric(..)),
        T::Int4 => matches!(column, T::Int8 | T::Float8 | T::Numeric(..)),
        T::Int8 => matches!(column, T::Numeric(..)),
        T::Numeric(..) => matches!(column, T::Float8),
        _ => false,
    }
}

fn mismatch(column: &ColumnDef, given: &str, at: Option<u32>) -> PgError {
    PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("column \"{}\" is of type {} but expression is of type {given}", column.name, shown(&column.ty)),
    )
    .hint("You will need to rewrite or cast the expression.")
    .or_position(at)
}

/// Rows with expressions: a query of SELECTs. DEFAULT is the column's default, written as an expression.
fn computed<'t>(
    rewriter: &mut Rewriter<'_>,
    values: &ast::Values,
    columns: Vec<&'t ColumnDef>,
    into: &Into<'_>,
) -> PgResult<(Vec<&'t ColumnDef>, Source)> {
    let mut rows = Vec::with_capacity(values.rows.len());
    rewriter.stands_in("VALUES");
    // One row is a query of its own: its functions may give many.
    rewriter.values_give_rows = values.rows.len() == 1;
    for row in &values.rows {
        super::thread::check()?;
        let mut cells = Vec::with_capacity(columns.len());
        for (expr, column) in row.content.iter().zip(&columns) {
            let at = rewriter.at_expr(expr);
            let ex = if says_default(expr) || into.identity(rewriter, column)? == Own::Ignored {
                super::default::value(rewriter, into.table, column)?
            } else {
                rewriter.expr(expr)?
            };
            let ex = rewriter.assign(ex, &column.ty, &column.name, at)?;
            cells.push(column.ty.cast(&ex.sql));
        }
        rows.push(cells);
    }
    let names: Vec<String> = (0..columns.len()).map(|n| quote::name(&format!("a{n}"))).collect();
    let sql = match rows.as_slice() {
        [cells] => {
            let list: Vec<String> = cells.iter().zip(&names).map(|(cell, name)| format!("{cell} AS {name}")).collect();
            format!("SELECT {}", list.join(", "))
        }
        rows => {
            let rows: Vec<String> = rows.iter().map(|cells| format!("({})", cells.join(", "))).collect();
            format!("SELECT * FROM (VALUES {}) AS \"source\"({})", rows.join(", "), names.join(", "))
        }
    };
    let rows = super::rewrite::Rows { sql, columns: Vec::new(), known: false };
    Ok((columns, Source::Rows(rows)))
}
