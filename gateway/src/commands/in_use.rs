//! What a cursor reads stays as it is while the cursor is open.

use duckmesh_catalog::ddl::DdlOp;
use uuid::Uuid;

use crate::{
    sql::plan::Plan,
    wire::{PgError, PgResult, SqlState},
};

/// Refuses DDL on a table that one of the open queries reads.
///
/// # Errors
/// 55006.
pub fn check<'p>(plan: &Plan, open: impl Iterator<Item = &'p Plan>) -> PgResult<()> {
    let Plan::Ddl(plan) = plan else { return Ok(()) };
    let action = match plan.tag.as_str() {
        "TRUNCATE TABLE" => "TRUNCATE",
        tag @ ("ALTER TABLE" | "DROP TABLE") => tag,
        _ => return Ok(()),
    };
    let tables = open.flat_map(|plan| match plan {
        Plan::Query(query) => query.tables.as_slice(),
        _ => &[],
    });
    for used in tables {
        if plan.ops.iter().any(|op| changes(op, used.table.uuid)) {
            let name = &used.table.name;
            let message =
                format!("cannot {action} \"{name}\" because it is being used by active queries in this session");
            return Err(PgError::new(SqlState::OBJECT_IN_USE, message));
        }
    }
    Ok(())
}

/// Whether a change is one of that table's content or columns. Names may change under a cursor.
fn changes(op: &DdlOp, wanted: Uuid) -> bool {
    match op {
        DdlOp::Truncate { table }
        | DdlOp::DropTable { uuid: table }
        | DdlOp::AddColumn { table, .. }
        | DdlOp::DropColumn { table, .. }
        | DdlOp::SetDefault { table, .. }
        | DdlOp::SetNullable { table, .. }
        | DdlOp::AddConstraint { table, .. }
        | DdlOp::DropConstraint { table, .. }
        | DdlOp::SetType { table, .. }
        | DdlOp::Retype { table, .. } => *table == wanted,
        _ => false,
    }
}
