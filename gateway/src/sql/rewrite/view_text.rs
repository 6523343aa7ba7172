//! The text of a view, read as what it was written in.

use std::ops::ControlFlow;

use duckmesh_catalog::ViewDef;
use sqlparser::{
    ast::{Expr, Ident, ObjectNamePart, Query, visit_expressions_mut, visit_relations_mut},
    dialect::DuckDbDialect,
    parser::Parser,
};

use super::relations::sql_schema;
use crate::{
    sql::parse,
    wire::error::{PgError, PgResult},
};

/// The query of a view: ours in Postgres' SQL, others' in DuckDB's.
pub(super) fn query(view: &ViewDef) -> PgResult<Query> {
    if let Some(sql) = &view.postgres_sql {
        return parse::query(sql);
    }
    let unreadable = || {
        PgError::unsupported(format!(
            "view \"{}\" was made by another program with SQL that DuckMesh does not read",
            view.name
        ))
    };
    // In DuckLake's form the catalog's name is a hole; schemas carry the lake's names.
    let sql = view.duckdb_sql.replace("{DUCKLAKE_CATALOG}.", "");
    let mut parser = Parser::new(&DuckDbDialect {}).try_with_sql(&sql).map_err(|_| unreadable())?;
    let mut query = parser.parse_query().map(|q| *q).map_err(|_| unreadable())?;
    let rename = |first: &mut Ident| {
        if first.value.eq_ignore_ascii_case("main") {
            *first = Ident::with_quote('"', sql_schema("main"));
        }
    };
    let _ = visit_relations_mut(&mut query, |name| {
        if let [ObjectNamePart::Identifier(first), _] = name.0.as_mut_slice() {
            rename(first);
        }
        ControlFlow::<()>::Continue(())
    });
    let _ = visit_expressions_mut(&mut query, |expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [first, _, _] = parts.as_mut_slice()
        {
            rename(first);
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(query)
}
