//! TRUNCATE: a table's files end at a snapshot. It goes through the log like DDL, because its place in the order counts.

use std::sync::Arc;

use duckmesh_catalog::{ConstraintKind, TableDef, ddl::DdlOp};
use sqlparser::tokenizer::Token;
use uuid::Uuid;

use super::{
    Planner,
    lookup::{Relation, no_relation},
    names::schema_in_lake,
    preparse::object,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// TRUNCATE, after that word.
pub(super) fn plan(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    scan.word(&["table"]);
    let mut tables: Vec<Arc<TableDef>> = Vec::new();
    loop {
        scan.word(&["only"]);
        let parts = scan.name()?;
        scan.take(&Token::Mul);
        let name = object(&parts);
        planner.not_system(&name)?;
        match planner.find(&name)? {
            Some(Relation::Table(table)) => {
                if tables.iter().all(|known| known.uuid != table.uuid) {
                    tables.push(table);
                }
            }
            Some(other) => {
                let message = format!("\"{}\" is not a table", other.name());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            None => return Err(no_relation(&parts.join("."))),
        }
        if !scan.take(&Token::Comma) {
            break;
        }
    }
    let restart = scan.word(&["restart", "identity"]);
    if !restart {
        scan.word(&["continue", "identity"]);
    }
    let cascade = scan.word(&["cascade"]);
    if !cascade {
        scan.word(&["restrict"]);
    }
    scan.done(())?;
    planner.referring(&mut tables, cascade)?;
    for table in tables {
        planner.ops.push(DdlOp::Truncate { table: table.uuid });
        if restart {
            planner.restart(&table);
        }
    }
    Ok(planner.finish("TRUNCATE TABLE"))
}

impl Planner<'_> {
    /// Tables that refer to these by a foreign key are truncated with them, or stand against it.
    fn referring(&mut self, tables: &mut Vec<Arc<TableDef>>, cascade: bool) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        let mut next = 0;
        while let Some(target) = tables.get(next).cloned() {
            next += 1;
            let space = lake.schema_name(target.schema_id).unwrap_or_default();
            let refers = |kind: &ConstraintKind| match kind {
                ConstraintKind::ForeignKey { target: (schema, name), .. } => {
                    *name == target.name && (schema == space || schema_in_lake(schema) == Some(space))
                }
                _ => false,
            };
            for table in lake.tables.values() {
                let known = tables.iter().any(|t| t.uuid == table.uuid);
                if known || !table.constraints.iter().any(|c| refers(&c.kind)) {
                    continue;
                }
                if !cascade {
                    let message = "cannot truncate a table referenced in a foreign key constraint";
                    return Err(PgError::unsupported(message)
                        .detail(format!("Table \"{}\" references \"{}\".", table.name, target.name))
                        .hint(format!(
                            "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                            table.name
                        )));
                }
                self.notices.push(PgError::notice(format!("truncate cascades to table \"{}\"", table.name)));
                tables.push(table.clone());
            }
        }
        Ok(())
    }

    fn restart(&mut self, table: &TableDef) {
        let lake = self.ctx.schema.clone();
        for sequence in lake.sequences.values() {
            if sequence.spec.owner.is_some_and(|(owner, _)| owner == table.uuid) {
                let mut spec = sequence.spec.clone();
                (spec.state, spec.first) = (Uuid::new_v4(), spec.start);
                self.put_sequence(sequence, spec);
            }
        }
    }
}
