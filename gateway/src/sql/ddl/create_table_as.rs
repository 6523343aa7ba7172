//! CREATE TABLE AS, SELECT INTO.

use sqlparser::ast::{self, CreateTable, DataType, Ident, ObjectName};

use super::{
    Planner,
    lookup::{already_exists, exists_skipping},
    temporary::Temporary,
};
use crate::{
    sql::{
        plan::{CreateTableAsPlan, Plan, PlanContext},
        query,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What CREATE TABLE AS says besides its query.
#[derive(Clone, Copy, Debug)]
pub struct NewTable<'a> {
    /// The new table's name.
    pub name: &'a ObjectName,
    /// Names given to its columns.
    pub columns: &'a [Ident],
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// False for WITH NO DATA.
    pub with_data: bool,
    /// Whether it is temporary.
    pub temporary: Temporary,
}

/// Plans CREATE TABLE AS, and SELECT … INTO, whose query must come without the INTO.
pub fn plan_create_table_as(table: NewTable<'_>, query: &ast::Query, text: &str, ctx: &PlanContext) -> PgResult<Plan> {
    make(Planner::new(text, ctx), table, query)
}

pub(super) fn plan(planner: Planner<'_>, create: &CreateTable) -> PgResult<Plan> {
    let Some(query) = &create.query else {
        return Err(PgError::internal("CREATE TABLE AS without a query"));
    };
    let typed = create.columns.iter().any(|c| c.data_type != DataType::Unspecified);
    if typed || !create.constraints.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "CREATE TABLE AS names columns without types or constraints"));
    }
    let columns: Vec<_> = create.columns.iter().map(|c| c.name.clone()).collect();
    let table = NewTable {
        name: &create.name,
        columns: &columns,
        if_not_exists: create.if_not_exists,
        with_data: create.with_data.as_ref().is_none_or(|w| w.data),
        temporary: Temporary::of_tree(create),
    };
    make(planner, table, query)
}

fn make(mut planner: Planner<'_>, table: NewTable<'_>, query: &ast::Query) -> PgResult<Plan> {
    let (schema, name) = planner.place(table.name, &table.temporary)?;
    let on_commit = table.temporary.on_commit(&schema, uuid::Uuid::nil())?.map(|(_, action)| action);
    let exists = match planner.taken(&schema, &name)? {
        Some(_) if !table.if_not_exists => return Err(already_exists(&name)),
        taken => taken.map(|_| exists_skipping(&name)),
    };
    let mut column_names = Vec::new();
    for column in table.columns {
        let name = planner.fold(column)?;
        if column_names.contains(&name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        column_names.push(name);
    }
    let query = query::plan_query(query, planner.text, planner.ctx)?;
    Ok(Plan::CreateTableAs(CreateTableAsPlan {
        schema: schema.uuid,
        name,
        column_names,
        query,
        with_data: table.with_data,
        exists,
        on_commit,
    }))
}
