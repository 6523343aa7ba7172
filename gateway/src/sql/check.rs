//! CHECK constraints as DuckDB expressions.

use std::ops::ControlFlow;

use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, SchemaId, TableDef, TableId, schema::ConstraintKind};
use sqlparser::ast::{Expr, Function, visit_expressions};

use super::{
    parse,
    plan::{CompiledCheck, PlanContext, SqlPart},
    quote,
    rewrite::{Column, Relation, Rewriter, Scope, Star},
    sequence,
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Compiles all CHECK constraints of a table.
pub fn compile(table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<CompiledCheck>> {
    let mut checks = Vec::new();
    for constraint in &table.constraints {
        if let ConstraintKind::Check { expression } = &constraint.kind {
            checks.push(CompiledCheck { constraint: constraint.clone(), sql: compile_one(expression, table, ctx)? });
        }
    }
    Ok(checks)
}

/// Functions whose value is another at each call.
fn calls_random(function: &Function) -> bool {
    const RANDOM: [&str; 5] = ["random", "gen_random_uuid", "uuid_generate_v4", "uuid", "uuidv7"];
    quote::parts(&function.name).unwrap_or_default().last().is_some_and(|name| RANDOM.contains(&name.as_str()))
}

/// Compiles the expression of a generated column over its table's others.
pub fn compile_generated(column: &ColumnDef, table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<SqlPart>> {
    let Some(expression) = column.generated() else { return Ok(Vec::new()) };
    let expr = parse::expression(expression)?;
    let mut is_random = false;
    let _ = visit_expressions(&expr, |inner| {
        is_random |= matches!(inner, Expr::Function(function) if calls_random(function));
        ControlFlow::<()>::Continue(())
    });
    if is_random {
        let message = "generation expression is not immutable";
        return Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    let mut rewriter = over(table, expression, ctx);
    rewriter.bounds = Some("column generation expression");
    let ex = rewriter.expr(&expr)?;
    let ex = rewriter.assign(ex, &column.ty, &column.name, None)?;
    let parts = rewriter.parts(&format!("CAST({} AS {})", ex.sql, column.ty.duckdb()))?;
    if parts.iter().any(|part| !matches!(part, SqlPart::Text(_))) {
        let message = "generation expression is not immutable";
        return Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(parts)
}

/// Compiles a default's expression over columns with the numbers of its sequences.
pub fn compile_with_numbers(
    expression: &str,
    numbers: usize,
    ty: &ColumnType,
    ctx: &PlanContext,
) -> PgResult<Vec<SqlPart>> {
    let column = |index| ColumnDef {
        id: ColumnId::new(0),
        element_id: None,
        name: sequence::number_column(index),
        ty: ColumnType::Int8,
        nullable: true,
        default: None,
        initial_default: None,
        comment: None,
        domain: None,
    };
    let table = TableDef {
        id: TableId::new(0),
        uuid: uuid::Uuid::nil(),
        schema_id: SchemaId::new(0),
        name: "numbers".to_owned(),
        path: String::new(),
        columns: (0..numbers).map(column).collect(),
        next_column_id: ColumnId::new(1),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    };
    let expr = parse::expression(expression)?;
    let mut rewriter = over(&table, expression, ctx);
    rewriter.bounds = Some("DEFAULT expression");
    let ex = rewriter.expr(&expr)?;
    let ex = rewriter.assign(ex, ty, "", None)?;
    rewriter.parts(&format!("CAST({} AS {})", ex.sql, ty.duckdb()))
}

/// Compiles one CHECK expression over a table's columns, named without a qualifier; also how CREATE TABLE validates it.
pub fn compile_one(expression: &str, table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<SqlPart>> {
    compile_bounded(expression, None, table, ctx, ("check constraint", "CHECK"))
}

/// Compiles the condition of a COPY FROM.
pub fn compile_copy_where(
    expression: &str,
    schema: &str,
    table: &TableDef,
    ctx: &PlanContext,
) -> PgResult<Vec<SqlPart>> {
    compile_bounded(expression, Some(schema), table, ctx, (COPY_WHERE, "COPY FROM WHERE"))
}

/// As PostgreSQL calls the place.
const COPY_WHERE: &str = "COPY FROM WHERE condition";

fn compile_bounded(
    expression: &str,
    schema: Option<&str>,
    table: &TableDef,
    ctx: &PlanContext,
    (place, clause): (&'static str, &str),
) -> PgResult<Vec<SqlPart>> {
    let expr = parse::expression(expression)?;
    let mut rewriter = within(schema, table, expression, ctx);
    rewriter.bounds = Some(place);
    let sql = rewriter.condition(&expr, clause)?;
    rewriter.parts(&sql)
}

/// A rewriter in whose scope are a table's columns, named without a qualifier.
fn over<'a>(table: &TableDef, expression: &'a str, ctx: &'a PlanContext) -> Rewriter<'a> {
    within(None, table, expression, ctx)
}

/// The same, where they can be named by their schema too.
fn within<'a>(schema: Option<&str>, table: &TableDef, expression: &'a str, ctx: &'a PlanContext) -> Rewriter<'a> {
    let mut rewriter = Rewriter::new(ctx, expression);
    let mut scope = Scope::default();
    let mut columns = Vec::new();
    for (n, column) in table.columns.iter().enumerate() {
        let column = Column {
            name: column.name.clone(),
            engine: column.name.clone(),
            ty: Some(column.ty.clone()),
            origin: None,
        };
        // Merged columns are written without a qualifier: the rows to check have no table's name.
        scope.star.push(Star::Merged(column.clone(), quote::name(&column.engine)));
        columns.push(column);
        let _ = n;
    }
    scope.relations.push(Relation {
        name: table.name.clone(),
        schema: schema.map(str::to_owned),
        engine: table.name.clone(),
        columns,
        known: true,
        table: None,
        scalar: false,
        texts: false,
    });
    rewriter.scopes.push(scope);
    rewriter
}
