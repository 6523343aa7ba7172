//! A view's query as stored: for us with every name qualified, for other programs as DuckDB SQL.

use std::{collections::HashSet, ops::ControlFlow};

use sqlparser::ast::{
    self, Ident, ObjectName, ObjectNamePart, Select, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use super::{
    frame_exclude,
    plan::{PlanContext, QueryPlan, SessionValue},
    quote,
    rewrite::{Audience, Expanded, Rewriter, Target},
    user_type,
};
use crate::{
    session::temporary::{SCHEMA_ALIAS, SCHEMA_PREFIX},
    wire::error::{PgError, PgResult, SqlState},
};

/// A view's query in its three forms.
#[derive(Clone, Debug)]
pub struct ViewQuery {
    /// To describe and run now.
    pub query: QueryPlan,
    /// Postgres SQL with every relation qualified.
    pub postgres_sql: String,
    /// DuckDB SQL with `{DUCKLAKE_CATALOG}`.
    pub duckdb_sql: String,
}

/// Qualifies the names in a view's query. `text` is what it was parsed from. Parameters are refused.
pub fn qualify(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<ViewQuery> {
    let plan = super::query::plan_query(query, text, ctx)?;
    if !plan.params.is_empty() {
        return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let mut names = CteNames::default();
    let _ = query.visit(&mut names);
    let (duckdb_sql, expanded) = match for_lake(query, text, ctx) {
        Ok(written) => written,
        // It is a query of ours: DuckDB alone has no words for it, and others cannot read the view.
        Err(_) => (for_us_alone(&plan), expanded_for_us(query, text, ctx)?),
    };
    let mut qualified = query.clone();
    let mut visitor = Qualify { rewriter: Rewriter::new(ctx, text), ctes: names.0, expanded };
    if let ControlFlow::Break(error) = VisitMut::visit(&mut qualified, &mut visitor) {
        return Err(error);
    }
    Ok(ViewQuery { query: plan, postgres_sql: frame_exclude::unmarked(qualified.to_string()), duckdb_sql })
}

/// The query for any DuckDB with the lake attached, and what each `*` in it stands for.
fn for_lake(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<(String, Expanded)> {
    let mut rewriter = Rewriter::new(ctx, text);
    rewriter.audience = Audience::Lake;
    rewriter.expanded = Some(Expanded::default());
    let rows = rewriter.query(query, None)?;
    let mut sql = String::new();
    for part in rewriter.parts(&rows.sql)? {
        match part {
            super::plan::SqlPart::Text(text) => sql.push_str(&text),
            super::plan::SqlPart::Param(_) | super::plan::SqlPart::Tested(_) | super::plan::SqlPart::Listed(_) => {}
            super::plan::SqlPart::Session(value) => sql.push_str(match value {
                SessionValue::TransactionTime | SessionValue::StatementTime | SessionValue::ClockTime => "now()",
                SessionValue::CurrentDate => "current_date",
                SessionValue::LocalTime => "CAST(now() AS TIME)",
                SessionValue::LocalTimestamp => "CAST(now() AS TIMESTAMP)",
                SessionValue::Database => "current_database()",
                _ => {
                    return Err(PgError::unsupported("a view that reads the session's settings is not supported"));
                }
            }),
        }
    }
    Ok((sql, rewriter.expanded.take().unwrap_or_default()))
}

/// What other programs get of a view that only DuckMesh can read: an error that says so.
fn for_us_alone(plan: &QueryPlan) -> String {
    const SAYS: &str = "error('this view can be read through DuckMesh only')";
    let named = |(n, column): (usize, &super::plan::OutputColumn)| {
        let name = column.name.clone().unwrap_or_else(|| format!("column{}", n + 1));
        format!("{} AS {}", if n == 0 { SAYS } else { "NULL" }, quote::name(&name))
    };
    let list: Vec<String> = plan.columns.iter().enumerate().map(named).collect();
    if list.is_empty() { format!("SELECT {SAYS}") } else { format!("SELECT {}", list.join(", ")) }
}

/// What each `*` stands for. Fails for what no view may do.
fn expanded_for_us(query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Expanded> {
    Rewriter::new(ctx, text).query_of_view(query)?;
    let mut rewriter = Rewriter::new(ctx, text);
    rewriter.expanded = Some(Expanded::default());
    rewriter.query(query, None)?;
    Ok(rewriter.expanded.take().unwrap_or_default())
}

/// Names of common table expressions anywhere in the query: such a name alone is left as it is.
#[derive(Default)]
struct CteNames(HashSet<String>);

impl Visitor for CteNames {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.0.insert(quote::fold(&cte.alias.name));
        }
        ControlFlow::Continue(())
    }
}

struct Qualify<'a> {
    rewriter: Rewriter<'a>,
    ctes: HashSet<String>,
    expanded: Expanded,
}

impl VisitorMut for Qualify<'_> {
    type Break = PgError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<PgError> {
        self.expanded.write_out(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PgError> {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            self.expanded.name_naturals(table_with_joins);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<PgError> {
        let parts = quote::parts(relation).unwrap_or_default();
        if let [name] = parts.as_slice()
            && self.ctes.contains(name)
        {
            return ControlFlow::Continue(());
        }
        let (mut schema, name) = match self.rewriter.resolve(relation) {
            Ok(Target::Table(table, schema)) => (schema, table.name.clone()),
            Ok(Target::View(view, schema)) => (schema, view.name.clone()),
            Ok(Target::System(shape)) => (shape.schema.to_owned(), shape.name.to_owned()),
            // Functions in FROM are visited as relations too; the plan has checked them.
            Ok(Target::Sequence(sequence, schema)) => (schema, sequence.name.clone()),
            Ok(Target::Cte(_) | Target::Extra(_)) | Err(_) => return ControlFlow::Continue(()),
        };
        // By its own name: what depends on it is found by that.
        if schema == SCHEMA_ALIAS
            && let Some(own) = self.rewriter.ctx.schema.schemas.keys().find(|name| name.starts_with(SCHEMA_PREFIX))
        {
            schema.clone_from(own);
        }
        let quoted = |name: String| ObjectNamePart::Identifier(Ident::with_quote('"', name));
        *relation = ObjectName(vec![quoted(schema), quoted(name)]);
        ControlFlow::Continue(())
    }

    /// Types that users made get their schema too.
    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<PgError> {
        user_type::qualify_in(expr, self.rewriter.ctx);
        ControlFlow::Continue(())
    }
}
