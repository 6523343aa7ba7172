//! COMMENT ON.

use duckmesh_catalog::ddl::{CommentTarget, DdlOp};
use sqlparser::ast::{CommentObject, ObjectName};

use super::{
    Planner,
    lookup::{Relation, no_column, no_relation, no_schema},
};
use crate::{
    sql::plan::Plan,
    wire::error::{PgError, PgResult, SqlState},
};

pub(super) fn plan(
    mut planner: Planner<'_>,
    object: &CommentObject,
    name: &ObjectName,
    comment: Option<String>,
) -> PgResult<Plan> {
    // An empty comment is none, as in Postgres.
    let comment = comment.filter(|c| !c.is_empty());
    if comment.as_ref().is_some_and(|c| c.contains('\0')) {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
    }
    let on = match object {
        CommentObject::Table => match planner.relation(name)? {
            Relation::Table(table) => CommentTarget::Table(table.uuid),
            other => return Err(wrong_kind(other.name(), "a table")),
        },
        CommentObject::View => match planner.relation(name)? {
            Relation::View(view) => CommentTarget::View(view.uuid),
            other => return Err(wrong_kind(other.name(), "a view")),
        },
        CommentObject::Column => match planner.column_target(name)? {
            Some(target) => target,
            None => {
                planner.notices.push(PgError::notice("comments on columns of views are not kept"));
                return Ok(planner.finish("COMMENT"));
            }
        },
        CommentObject::Type => CommentTarget::Type(super::user_type::commented(&mut planner, name, false)?),
        CommentObject::Domain => CommentTarget::Type(super::user_type::commented(&mut planner, name, true)?),
        CommentObject::Schema => {
            let name = planner.schema_name(name)?;
            let schema = planner.schema(&name).ok_or_else(|| no_schema(&name))?;
            CommentTarget::Schema(schema.uuid)
        }
        CommentObject::Database => {
            planner.notices.push(PgError::notice("comments on databases are not kept"));
            return Ok(planner.finish("COMMENT"));
        }
        other => {
            return Err(PgError::unsupported(format!("COMMENT ON {other} is not supported"))
                .hint("Comments can be on schemas, tables, columns and views."));
        }
    };
    planner.ops.push(DdlOp::Comment { on, comment });
    Ok(planner.finish("COMMENT"))
}

impl Planner<'_> {
    fn relation(&mut self, name: &ObjectName) -> PgResult<Relation> {
        self.not_system(name)?;
        if let Some(found) = self.find(name)? {
            return Ok(found);
        }
        let (schema, name) = self.split(name)?;
        Err(match schema {
            Some(schema) if self.schema(&schema).is_none() => no_schema(&schema),
            Some(schema) => no_relation(&format!("{schema}.{name}")),
            None => no_relation(&name),
        })
    }

    /// None: a column of a view.
    fn column_target(&mut self, name: &ObjectName) -> PgResult<Option<CommentTarget>> {
        let mut relation = name.clone();
        let column = relation.0.pop().and_then(|part| part.as_ident().cloned());
        let (Some(column), false) = (column, relation.0.is_empty()) else {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "column name must be qualified"));
        };
        let column = self.fold(&column)?;
        match self.relation(&relation)? {
            Relation::Table(table) => match table.column(&column) {
                Some(found) => Ok(Some(CommentTarget::Column(table.uuid, found.id))),
                None => Err(no_column(&column, &table.name)),
            },
            Relation::View(view) if view.columns.iter().any(|(n, _)| *n == column) => Ok(None),
            other => Err(no_column(&column, other.name())),
        }
    }
}

fn wrong_kind(name: &str, kind: &str) -> PgError {
    PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not {kind}"))
}
