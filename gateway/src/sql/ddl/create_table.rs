//! CREATE TABLE.

use duckmesh_catalog::{
    ColumnId, SchemaId, TableDef,
    ddl::DdlOp,
    ids::TableId,
    schema::{ColumnDef, Constraint, SchemaDef},
};
use sqlparser::ast::{CreateTable, CreateTableOptions};
use uuid::Uuid;

use super::{
    Planner,
    constraint::{self, Pending},
    lookup::{already_exists, exists_skipping},
    temporary::Temporary,
};
use crate::{
    sql::{check, plan::Plan},
    wire::error::{PgError, PgResult, SqlState},
};

/// Postgres' greatest number of columns.
pub(super) const COLUMNS_MAX: usize = 1600;

pub(super) fn plan(mut planner: Planner<'_>, create: &CreateTable) -> PgResult<Plan> {
    refuse(create)?;
    let temporary = Temporary::of_tree(create);
    let (schema, name) = planner.place(&create.name, &temporary)?;
    if planner.taken(&schema, &name)?.is_some() {
        if create.if_not_exists {
            planner.notices.push(exists_skipping(&name));
            return Ok(planner.finish("CREATE TABLE"));
        }
        return Err(already_exists(&name));
    }
    if create.columns.len() > COLUMNS_MAX {
        return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, format!("tables can have at most {COLUMNS_MAX} columns")));
    }
    if create.columns.is_empty() {
        return Err(PgError::unsupported("a table without columns is not supported")
            .hint("Give it at least one column: Parquet files have one."));
    }
    let mut table = empty(&schema, &name);
    let mut pending: Vec<Pending<'_>> = Vec::new();
    for column in &create.columns {
        let parsed = planner.column(column, &table)?;
        constraint::of_column(column, &parsed.name, &mut pending);
        push(&mut table, parsed);
    }
    planner.check_generated(&table)?;
    pending.extend(create.constraints.iter().map(Pending::of_table));
    let constraints = planner.constraints(&mut table, &schema.name, &pending)?;
    planner.on_commit = temporary.on_commit(&schema, table.uuid)?;
    planner.ops.push(DdlOp::CreateTable {
        uuid: table.uuid,
        schema: schema.uuid,
        name,
        columns: table.columns,
        constraints,
    });
    planner.tell_what_is_not_kept(create);
    Ok(planner.finish("CREATE TABLE"))
}

/// The table as far as it is known, for checks of its own parts.
pub(super) fn empty(schema: &SchemaDef, name: &str) -> TableDef {
    empty_named(schema.id, name)
}

/// A table without columns.
pub(super) fn empty_named(schema_id: SchemaId, name: &str) -> TableDef {
    TableDef {
        id: TableId::new(0),
        uuid: Uuid::new_v4(),
        schema_id,
        name: name.to_owned(),
        path: String::new(),
        columns: Vec::new(),
        next_column_id: ColumnId::new(1),
        constraints: Vec::new(),
        indexes: Vec::new(),
        comment: None,
    }
}

/// Adds a column whose id is the table's next one.
pub(super) fn push(table: &mut TableDef, column: ColumnDef) {
    let taken = if column.element_id.is_some() { 2 } else { 1 };
    table.next_column_id = ColumnId::new(column.id.get() + taken);
    table.columns.push(column);
}

fn refuse(create: &CreateTable) -> PgResult<()> {
    let unsupported = |what: &str, hint: &str| Err(PgError::unsupported(format!("{what} is not supported")).hint(hint));
    if create.or_replace {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"table\""));
    }
    if create.inherits.is_some() {
        return unsupported("INHERITS", "Use a table of its own, and a view over both.");
    }
    if create.partition_by.is_some() || create.partition_of.is_some() || create.for_values.is_some() {
        return unsupported(
            "partitioning of tables",
            "A table is kept as many files with statistics: queries skip those they do not need.",
        );
    }
    if create.external || create.clone.is_some() || create.transient || create.iceberg || create.location.is_some() {
        return unsupported("this form of CREATE TABLE", "See docs/sql.md for what is.");
    }
    Ok(())
}

impl Planner<'_> {
    /// Turns what was said of constraints into constraints with names, in Postgres' order; NOT NULL of keys is set on
    /// the columns. CHECK expressions are compiled, to be sure that they will work.
    pub(super) fn constraints(
        &mut self,
        table: &mut TableDef,
        schema: &str,
        pending: &[Pending<'_>],
    ) -> PgResult<Vec<Constraint>> {
        let mut keys = 0;
        let pending = self.without_equal_keys(table, pending)?;
        let (foreign, own): (Vec<_>, Vec<_>) = pending.iter().partition(|item: &&Pending<'_>| item.is_foreign_key());
        for item in own.into_iter().chain(foreign) {
            let constraint = self.constraint(table, schema, item)?;
            if let duckmesh_catalog::schema::ConstraintKind::Check { expression } = &constraint.kind {
                let at = item.expression_at(self.text);
                check::compile_one(expression, table, self.ctx).map_err(|e| match at {
                    Some(at) => e.position(at),
                    None => e,
                })?;
            } else {
                keys += 1;
            }
            table.constraints.push(constraint);
        }
        if keys > 0 {
            self.notices.push(not_enforced());
        }
        Ok(table.constraints.clone())
    }

    fn tell_what_is_not_kept(&mut self, create: &CreateTable) {
        if create.unlogged {
            self.notices.push(PgError::notice("UNLOGGED has no effect: every write goes through the log"));
        }
        if let CreateTableOptions::With(options) = &create.table_options
            && !options.is_empty()
        {
            self.notices.push(PgError::notice("storage parameters have no effect"));
        }
    }
}

/// One notice for all keys of a statement.
pub(super) fn not_enforced() -> PgError {
    PgError::notice("PRIMARY KEY, UNIQUE and FOREIGN KEY constraints are kept as information and not enforced")
}
