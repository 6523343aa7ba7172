//! CHECK constraints as DuckDB expressions.

use duckmesh_catalog::{TableDef, schema::ConstraintKind};

use super::{
    parse,
    plan::{CompiledCheck, PlanContext, SqlPart},
    quote,
    rewrite::{Column, Relation, Rewriter, Scope, Star},
};
use crate::wire::error::PgResult;

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
    let mut rewriter = Rewriter::new(ctx, expression);
    rewriter.bounds = Some(place);
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
    });
    rewriter.scopes.push(scope);
    let sql = rewriter.condition(&expr, clause)?;
    rewriter.parts(&sql)
}
