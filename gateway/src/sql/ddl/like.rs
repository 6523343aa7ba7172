//! `CREATE TABLE t (LIKE other …)`: another table's columns, and what INCLUDING says.

use std::sync::Arc;

use duckmesh_catalog::{ColumnId, ConstraintKind, TableDef, ddl::DdlOp, schema::Constraint};
use sqlparser::tokenizer::Token;
use uuid::Uuid;

use super::{
    Planner,
    create_table::{empty, not_enforced, push},
    lookup::{Relation, already_exists, exists_skipping, no_relation},
    names::generated,
    preparse::object,
    temporary::Temporary,
};
use crate::{
    sql::{
        plan::{Plan, PlanContext},
        scan::Scan,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What is taken over besides columns and NOT NULL.
#[derive(Clone, Copy, Debug, Default)]
struct Including {
    defaults: bool,
    constraints: bool,
    indexes: bool,
    identity: bool,
    comments: bool,
    generated: bool,
}

/// CREATE TABLE, after these words; none: not this form.
pub(super) fn plan(scan: &mut Scan<'_>, ctx: &PlanContext, temporary: Temporary) -> PgResult<Option<Plan>> {
    let if_not_exists = scan.word(&["if", "not", "exists"]);
    let Ok(new) = scan.name() else { return Ok(None) };
    if !scan.take(&Token::LParen) || !scan.word(&["like"]) {
        return Ok(None);
    }
    let at = scan.position();
    let old = scan.name()?;
    let including = options(scan)?;
    if scan.peek() == Some(&Token::Comma) {
        return Err(PgError::unsupported("LIKE beside other columns is not supported")
            .hint("Create the table with LIKE alone, then use ALTER TABLE … ADD COLUMN."));
    }
    scan.expect(&Token::RParen)?;
    let temporary = temporary.read_on_commit(scan)?;
    scan.done(())?;
    let mut planner = Planner::new(scan.text(), ctx);
    let (schema, name) = planner.place(&object(&new), &temporary)?;
    if planner.taken(&schema, &name)?.is_some() {
        if !if_not_exists {
            return Err(already_exists(&name));
        }
        planner.notices.push(exists_skipping(&name));
        return Ok(Some(planner.finish("CREATE TABLE")));
    }
    let source = match planner.find(&object(&old))? {
        Some(Relation::Table(table)) => table,
        Some(other) => {
            return Err(PgError::unsupported(format!(
                "LIKE of the {} \"{}\" is not supported",
                other.kind(),
                other.name()
            ))
            .hint("Use CREATE TABLE AS SELECT … WITH NO DATA."));
        }
        None => return Err(no_relation(&old.join(".")).or_position(at)),
    };
    let mut table = empty(&schema, &name);
    let ids = planner.columns_like(&mut table, &source, &schema.name, including)?;
    let constraints = constraints_like(&name, &source, including, &ids);
    if constraints.iter().any(|c| !matches!(c.kind, ConstraintKind::Check { .. })) {
        planner.notices.push(not_enforced());
    }
    let (uuid, columns) = (table.uuid, table.columns.clone());
    planner.on_commit = temporary.on_commit(&schema, uuid)?;
    planner.ops.push(DdlOp::CreateTable { uuid, schema: schema.uuid, name, columns, constraints });
    if including.indexes {
        planner.indexes_like(&mut table, &source, &ids)?;
    }
    Ok(Some(planner.finish("CREATE TABLE")))
}

fn options(scan: &mut Scan<'_>) -> PgResult<Including> {
    let mut all = Including::default();
    loop {
        let on = scan.word(&["including"]);
        if !on && !scan.word(&["excluding"]) {
            return Ok(all);
        }
        match scan.ident()?.as_str() {
            "all" => {
                all =
                    Including { defaults: on, constraints: on, indexes: on, identity: on, comments: on, generated: on };
            }
            "defaults" => all.defaults = on,
            "constraints" => all.constraints = on,
            "indexes" => all.indexes = on,
            "identity" => all.identity = on,
            "comments" => all.comments = on,
            "generated" => all.generated = on,
            "statistics" | "storage" | "compression" => {}
            other => {
                let message = format!("syntax error at or near \"{other}\"");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
        }
    }
}

impl Planner<'_> {
    /// The columns with numbers of their own; gives the old and new number of each.
    fn columns_like(
        &mut self,
        table: &mut TableDef,
        source: &Arc<TableDef>,
        lake_schema: &str,
        including: Including,
    ) -> PgResult<Vec<(ColumnId, ColumnId)>> {
        let lake = self.ctx.schema.clone();
        let space = lake.schema(lake_schema).ok_or_else(|| PgError::internal("a schema is gone"))?;
        let mut ids = Vec::with_capacity(source.columns.len());
        for old in &source.columns {
            let mut column = old.clone();
            column.id = table.next_column_id;
            column.element_id = old.element_id.map(|_| column.id.next());
            column.initial_default = None;
            let kept = if column.generated().is_some() { including.generated } else { including.defaults };
            if !kept {
                column.default = None;
            }
            if !including.comments {
                column.comment = None;
            }
            if let Some(sequence) = lake.identity(source.uuid, old.id).filter(|_| including.identity) {
                let name = self.sequence_name(lake_schema, &table.name, &column.name);
                let mut spec = sequence.spec.clone();
                (spec.state, spec.first) = (Uuid::new_v4(), spec.start);
                spec.owner = Some((table.uuid, column.id));
                self.ops.push(DdlOp::CreateSequence { uuid: Uuid::new_v4(), schema: space.uuid, name, spec });
            }
            ids.push((old.id, column.id));
            push(table, column);
        }
        Ok(ids)
    }
}

/// CHECK constraints keep their names, keys get new ones: those of indexes are unique in a schema.
fn constraints_like(
    name: &str,
    source: &TableDef,
    including: Including,
    ids: &[(ColumnId, ColumnId)],
) -> Vec<Constraint> {
    let new = |columns: &[ColumnId]| -> Vec<ColumnId> {
        columns.iter().filter_map(|c| ids.iter().find(|(old, _)| old == c).map(|(_, new)| *new)).collect()
    };
    let column_name = |columns: &[ColumnId]| {
        let names = columns.iter().filter_map(|id| source.column_by_id(*id)).map(|c| c.name.as_str());
        names.collect::<Vec<_>>().join("_")
    };
    let take = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Check { .. } => including.constraints.then(|| constraint.clone()),
        ConstraintKind::PrimaryKey { columns } => including.indexes.then(|| {
            Constraint::new(generated(name, None, "pkey"), ConstraintKind::PrimaryKey { columns: new(columns) })
        }),
        ConstraintKind::Unique { columns } => including.indexes.then(|| {
            let key = generated(name, Some(&column_name(columns)), "key");
            Constraint::new(key, ConstraintKind::Unique { columns: new(columns) })
        }),
        // As in Postgres, foreign keys are never copied.
        ConstraintKind::ForeignKey { .. } => None,
    };
    source.constraints.iter().filter_map(take).collect()
}
