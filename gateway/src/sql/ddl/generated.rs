//! Generated columns: what their expressions may be, and what depends on them.

use duckmesh_catalog::{ColumnDef, TableDef, ddl::DdlOp, schema::DefaultValue};

use super::{Planner, alter::Altered, rename};
use crate::{
    sql::{check, plan::Plan, scan::Scan},
    wire::error::{PgError, PgResult, SqlState},
};

/// `ALTER COLUMN … DROP EXPRESSION`: its values stay, new rows get NULL.
pub(super) fn drop_expression(
    mut planner: Planner<'_>,
    scan: &mut Scan<'_>,
    table: &TableDef,
    name: &str,
) -> PgResult<Plan> {
    scan.word(&["drop", "expression"]);
    let if_exists = scan.word(&["if", "exists"]);
    scan.done(())?;
    let message = format!("column \"{name}\" of relation \"{}\" is not a stored generated column", table.name);
    match table.column(name).filter(|column| column.generated().is_some()) {
        Some(column) => {
            planner.ops.push(DdlOp::SetDefault { table: table.uuid, column: column.id, default: None });
        }
        None if if_exists => planner.notices.push(PgError::notice(format!("{message}, skipping"))),
        None => return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)),
    }
    Ok(planner.finish("ALTER TABLE"))
}

impl Planner<'_> {
    /// Checks the expressions of a table's generated columns.
    pub(super) fn check_generated(&self, table: &TableDef) -> PgResult<()> {
        for column in table.columns.iter().filter(|c| c.generated().is_some()) {
            let expression = column.generated().unwrap_or_default();
            for other in table.columns.iter().filter(|c| c.generated().is_some()) {
                if rename::expression_names(expression, &other.name) {
                    let message =
                        format!("cannot use generated column \"{}\" in column generation expression", other.name);
                    return Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, message)
                        .detail("A generated column cannot reference another generated column."));
                }
            }
            check::compile_generated(column, table, self.ctx).map(drop)?;
        }
        Ok(())
    }

    /// Columns that are computed from one go with it. What tells of each, and of what it is computed.
    pub(super) fn drop_generated_of(&mut self, table: &mut Altered, name: &str) -> Vec<(String, String)> {
        let of: Vec<ColumnDef> = readers(&table.new, name).cloned().collect();
        let shown = table.new.name.clone();
        let mut lines = Vec::with_capacity(of.len());
        for column in of {
            lines.push((format!("column {} of table {shown}", column.name), format!("column {name} of table {shown}")));
            table.new.columns.retain(|c| c.id != column.id);
            self.ops.push(DdlOp::DropColumn { table: table.new.uuid, column: column.id });
        }
        lines
    }

    /// Expressions with a column's new name.
    pub(super) fn generated_follow(&mut self, table: &mut Altered, old: &str, new: &str) -> PgResult<()> {
        for column in &mut table.new.columns {
            if let Some(DefaultValue::Generated(expression)) = &mut column.default
                && let Some(renamed) = rename::in_expression(expression, old, new)?
            {
                *expression = renamed;
                let (id, default) = (column.id, column.default.clone());
                self.ops.push(DdlOp::SetDefault { table: table.new.uuid, column: id, default });
            }
        }
        Ok(())
    }

    /// Refuses another type for what others are computed from.
    pub(super) fn not_computed_from(&self, table: &Altered, name: &str) -> PgResult<()> {
        let Some(reader) = readers(&table.new, name).next() else { return Ok(()) };
        Err(PgError::unsupported("cannot alter type of a column used by a generated column")
            .detail(format!("Column \"{name}\" is used by generated column \"{}\".", reader.name)))
    }
}

/// The columns that are computed from one.
fn readers<'t>(table: &'t TableDef, name: &'t str) -> impl Iterator<Item = &'t ColumnDef> {
    table.columns.iter().filter(move |c| c.generated().is_some_and(|sql| rename::expression_names(sql, name)))
}

/// What a generated column refuses that is done to defaults.
pub(super) fn refused(column: &ColumnDef, table: &str) -> PgResult<()> {
    if column.generated().is_none() {
        return Ok(());
    }
    let message = format!("column \"{}\" of relation \"{table}\" is a generated column", column.name);
    Err(PgError::new(SqlState::SYNTAX_ERROR, message))
}
