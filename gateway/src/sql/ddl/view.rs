//! CREATE [OR REPLACE] VIEW.

use sqlparser::ast::{CreateTableOptions, CreateView};
use uuid::Uuid;

use super::{
    Planner,
    lookup::{Relation, already_exists},
    temporary::{Temporary, is_temporary_schema},
};
use crate::{
    session::temporary::is_temporary,
    sql::{
        plan::{CreateViewPlan, Plan},
        view,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// Why there are no materialized views.
pub(super) fn no_materialized() -> PgError {
    PgError::unsupported("materialized views are not supported yet")
        .hint("Use CREATE VIEW, or CREATE TABLE AS for a copy of the rows.")
}

pub(super) fn create(mut planner: Planner<'_>, create: &CreateView) -> PgResult<Plan> {
    if create.materialized {
        return Err(no_materialized());
    }
    if create.if_not_exists || create.or_alter || create.secure {
        return Err(
            PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"not\"").hint("Use CREATE OR REPLACE VIEW.")
        );
    }
    if let CreateTableOptions::With(options) = &create.options
        && !options.is_empty()
    {
        planner.notices.push(PgError::notice("options of a view have no effect"));
    }
    let stored = view::qualify(&create.query, planner.text, planner.ctx)?;
    // As in Postgres, what reads temporary rows is temporary.
    let reads = stored.query.tables.iter().any(|used| is_temporary(&used.table));
    let (mut schema, name) = planner.place(&create.name, &Temporary::new(create.temporary))?;
    let mut notice = None;
    if reads && !is_temporary_schema(&schema) {
        (schema, _) = planner.place(&create.name, &Temporary::new(true))?;
        notice = Some(PgError::notice(format!("view \"{name}\" will be a temporary view")));
    }
    let old = match planner.taken(&schema, &name)? {
        None => None,
        Some(_) if !create.or_replace => return Err(already_exists(&name)),
        Some(Relation::View(view)) => Some(view),
        Some(Relation::Table(_) | Relation::Sequence(_)) => {
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not a view")));
        }
    };
    let mut column_names: Vec<String> = Vec::new();
    for column in &create.columns {
        let name = planner.fold(&column.name)?;
        if column_names.contains(&name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        column_names.push(name);
    }
    if let Some(old) = &old {
        // What the view reads must not read the view.
        let own = Relation::View(std::sync::Arc::clone(old));
        let mut readers = super::depends::views_on(&planner, std::slice::from_ref(&own));
        let mut new = old.as_ref().clone();
        new.postgres_sql = Some(stored.postgres_sql.clone());
        let circle = std::iter::once(own)
            .chain(readers.drain(..).map(|d| Relation::View(d.view)))
            .any(|on| super::depends::reads(&planner.ctx.schema, &new, &on));
        if circle {
            return Err(PgError::new(
                SqlState::INVALID_OBJECT_DEFINITION,
                format!("infinite recursion detected in rules for relation \"{name}\""),
            ));
        }
    }
    Ok(Plan::CreateView(CreateViewPlan {
        uuid: old.as_ref().map_or_else(Uuid::new_v4, |v| v.uuid),
        schema: schema.uuid,
        name,
        column_names,
        query: stored.query,
        duckdb_sql: stored.duckdb_sql,
        postgres_sql: stored.postgres_sql,
        notice,
        replaces: old.map(|v| v.columns.clone()),
    }))
}
