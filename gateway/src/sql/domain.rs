//! What a domain asks of its values, as conditions of the engine.

use std::sync::Arc;

use duckmesh_catalog::{ColumnId, ColumnType, DefaultValue, DomainSpec, LakeSchema, TableDef, TypeDef, TypeSpec};
use uuid::Uuid;

use super::{
    parse,
    plan::{PlanContext, SessionValue, SqlPart},
    quote,
    rewrite::{Column, Rewriter, Scope, Star},
};
use crate::{
    pgcatalog::sql_schema,
    wire::error::{PgError, PgResult, SqlState},
};

/// Domains over domains; a circle cannot be made, a broken catalog may hold one.
const DEPTH_MAX: usize = 100;

/// A domain's test of a value: what must not be false, and the error if it is.
pub struct DomainTest {
    /// DuckDB SQL.
    pub sql: String,
    /// What is said of a value that fails.
    pub error: PgError,
}

/// The same for rows of a table.
#[derive(Debug)]
pub struct CompiledTest {
    /// The column whose value is tested.
    pub column: ColumnId,
    /// DuckDB SQL over the table's columns.
    pub sql: Vec<SqlPart>,
    /// What is said of a row that fails.
    pub error: PgError,
}

/// A domain and those below it, the lowest first.
#[must_use]
pub fn chain(schema: &LakeSchema, domain: Uuid) -> Vec<(Arc<TypeDef>, DomainSpec)> {
    let mut all = Vec::new();
    let mut next = Some(domain);
    while let Some(def) = next.and_then(|uuid| schema.type_by_uuid(uuid)) {
        let TypeSpec::Domain(spec) = &def.spec else { break };
        all.push((Arc::clone(def), spec.clone()));
        next = spec.parent;
        if all.len() > DEPTH_MAX {
            break;
        }
    }
    all.reverse();
    all
}

/// What a column of a domain without a default of its own stores.
#[must_use]
pub fn default(schema: &LakeSchema, domain: Uuid) -> Option<DefaultValue> {
    chain(schema, domain).into_iter().rev().find_map(|(_, spec)| spec.default)
}

/// Tests of all columns that were declared with domains.
pub fn compile(table: &TableDef, ctx: &PlanContext) -> PgResult<Vec<CompiledTest>> {
    let mut tests = Vec::new();
    for column in &table.columns {
        let Some(domain) = column.domain else { continue };
        let value = quote::name(&column.name);
        let Some(of) = ctx.schema.type_by_uuid(domain) else { continue };
        for (_, spec) in chain(&ctx.schema, domain) {
            for (expression, error) in asked(&ctx.schema, of, &spec) {
                let mut rewriter = Rewriter::new(ctx, &expression);
                let sql = condition(&mut rewriter, &expression, &value, &column.ty)?;
                tests.push(CompiledTest { column: column.id, sql: rewriter.parts(&sql)?, error });
            }
        }
    }
    Ok(tests)
}

/// Tests of one value, given as DuckDB SQL. `session`: the values of the session that the statement asks for so far.
pub(in crate::sql) fn tests(
    of: &TypeDef,
    value: &str,
    session: &mut Vec<SessionValue>,
    ctx: &PlanContext,
) -> PgResult<Vec<DomainTest>> {
    let mut tests = Vec::new();
    for (_, spec) in chain(&ctx.schema, of.uuid) {
        for (expression, error) in asked(&ctx.schema, of, &spec) {
            let mut rewriter = Rewriter::new(ctx, &expression);
            rewriter.session.clone_from(session);
            let sql = condition(&mut rewriter, &expression, value, &spec.base)?;
            // Its holes are the statement's.
            *session = std::mem::take(&mut rewriter.session);
            tests.push(DomainTest { sql, error });
        }
    }
    Ok(tests)
}

/// All expressions over `VALUE` of a domain and those below it, and what is said where they are false.
#[must_use]
pub fn expressions(schema: &LakeSchema, of: &TypeDef) -> Vec<(String, PgError)> {
    chain(schema, of.uuid).iter().flat_map(|(_, spec)| asked(schema, of, spec)).collect()
}

/// Expressions over `VALUE` of a domain or one below it, and what is said where they are false.
fn asked(schema: &LakeSchema, of: &TypeDef, spec: &DomainSpec) -> Vec<(String, PgError)> {
    let named = |error: PgError| {
        let schema = schema.schema_name(of.schema_id).map_or("", sql_schema);
        error.schema(schema).data_type(of.name.clone())
    };
    let mut all = Vec::new();
    if !spec.nullable {
        let message = format!("domain {} does not allow null values", of.name);
        all.push(("VALUE IS NOT NULL".to_owned(), named(PgError::new(SqlState::NOT_NULL_VIOLATION, message))));
    }
    for check in &spec.checks {
        let message = format!("value for domain {} violates check constraint \"{}\"", of.name, check.name);
        let error = PgError::new(SqlState::CHECK_VIOLATION, message).constraint(check.name.clone());
        all.push((check.expression.clone(), named(error)));
    }
    all
}

/// A domain's expression, with `VALUE` for the value; also how CREATE DOMAIN validates it.
pub(in crate::sql) fn condition(
    rewriter: &mut Rewriter<'_>,
    expression: &str,
    value: &str,
    ty: &ColumnType,
) -> PgResult<String> {
    let expr = parse::expression(expression)?;
    rewriter.bounds = Some("check constraint");
    let column = Column { name: "value".into(), engine: "value".into(), ty: Some(ty.clone()), origin: None };
    let scope = Scope { star: vec![Star::Merged(column, value.to_owned())], ..Scope::default() };
    rewriter.scopes.push(scope);
    let sql = rewriter.condition(&expr, "CHECK");
    rewriter.scopes.pop();
    sql
}
