//! DDL as operations for the log.
//!
//! Everything here is pure: it looks at the schema in the context and changes nothing.

use duckmesh_catalog::ddl::DdlOp;
use sqlparser::ast::{self, ObjectType, Statement};

use super::plan::{DdlPlan, Plan, PlanContext, QueryPlan, TableRewrite};
use crate::{
    session::temporary::OnCommit,
    wire::error::{PgError, PgResult},
};

pub mod names;
pub mod place;

mod lookup;

mod schema;
mod schema_elements;

mod attribute;
mod column;
mod constraint;
mod create_table;
mod create_table_as;
mod default;
mod domain;
mod generated;
mod index;
mod like;
mod move_to;
mod no_effect;
mod sequence;
mod serial;
mod set_type;
mod temporary;
mod truncate;
mod user_type;

mod view;

mod depends;
mod drop;
mod foreign_key;
mod rename;

mod alter;
mod alter_column;
mod using_index;
mod validate;

mod comment;
mod database;
pub(in crate::sql) mod forms;
mod preparse;
mod privileges;
mod refused;

#[cfg(test)]
mod tests;

pub use create_table_as::{NewTable, plan_create_table_as};
pub use preparse::preparse;
pub use temporary::Temporary;

pub(in crate::sql) use default::{fixed, is_null, nextval};
pub(in crate::sql) use index::must_be_index;
pub(in crate::sql) use lookup::{no_column, no_relation};

/// Plans a DDL statement; none for a statement that is not DDL. `text` is what was parsed, for positions.
pub fn plan_ddl(statement: &Statement, text: &str, ctx: &PlanContext) -> PgResult<Option<Plan>> {
    let planner = Planner::new(text, ctx);
    match statement {
        Statement::CreateSchema { schema_name, if_not_exists, .. } => {
            schema::create(planner, schema_name, *if_not_exists)
        }
        // From its text: the tree does not hold all of INCLUDING.
        Statement::CreateTable(create) if create.like.is_some() || like::is_misread(create) => return Ok(None),
        Statement::CreateTable(create) if create.query.is_some() => create_table_as::plan(planner, create),
        Statement::CreateTable(create) => create_table::plan(planner, create),
        Statement::CreateView(create) => view::create(planner, create),
        // From their text.
        Statement::Grant(_) | Statement::Revoke(_) => return Ok(None),
        Statement::AlterTable(alter) => alter::plan(planner, alter),
        Statement::AlterSchema(alter) => schema::alter(planner, alter),
        // From their text: the parser knows too few forms of them.
        Statement::CreateType { .. }
        | Statement::CreateDomain(_)
        | Statement::AlterType(_)
        | Statement::DropDomain(_)
        | Statement::Drop { object_type: ObjectType::Type, .. } => return Ok(None),
        Statement::Drop { object_type, if_exists, names, cascade, .. } => {
            let wanted = drop::Wanted { names, if_exists: *if_exists, cascade: *cascade };
            drop_statement(planner, object_type, &wanted)
        }
        Statement::Comment { object_type, object_name, comment, .. } => {
            comment::plan(planner, object_type, object_name, comment.clone())
        }
        Statement::CreateDatabase { db_name, .. } => database::create_named(planner, db_name),
        Statement::CreateIndex(create) => index::create(planner, create),
        other => return refused::plan(other).transpose(),
    }
    .map(Some)
}

fn drop_statement(planner: Planner<'_>, object_type: &ObjectType, wanted: &drop::Wanted<'_>) -> PgResult<Plan> {
    match object_type {
        ObjectType::Table => drop::relations(planner, wanted, drop::Kind::Table),
        ObjectType::View => drop::relations(planner, wanted, drop::Kind::View),
        ObjectType::Schema => drop::schemas(planner, wanted),
        ObjectType::Sequence => sequence::drop(planner, wanted),
        ObjectType::Index => index::drop(planner, wanted),
        ObjectType::Database => database::drop(planner, wanted),
        other => refused::drop(other, wanted),
    }
}

/// A plan under construction.
struct Planner<'a> {
    text: &'a str,
    ctx: &'a PlanContext,
    names: names::Names,
    ops: Vec<DdlOp>,
    notices: Vec<PgError>,
    validations: Vec<(QueryPlan, PgError)>,
    rewrites: Vec<TableRewrite>,
    on_commit: Option<(uuid::Uuid, OnCommit)>,
    /// Whether it is refused in a transaction block.
    alone: bool,
}

impl<'a> Planner<'a> {
    fn new(text: &'a str, ctx: &'a PlanContext) -> Self {
        Self {
            text,
            ctx,
            names: names::Names::default(),
            ops: Vec::new(),
            notices: Vec::new(),
            validations: Vec::new(),
            rewrites: Vec::new(),
            on_commit: None,
            alone: false,
        }
    }

    fn finish(self, tag: &str) -> Plan {
        let mut notices = self.names.notices;
        notices.extend(self.notices);
        Plan::Ddl(DdlPlan {
            ops: self.ops,
            tag: tag.to_owned(),
            notices,
            validations: self.validations,
            rewrites: self.rewrites,
            on_commit: self.on_commit,
            alone: self.alone,
        })
    }

    fn at_name(&self, name: &ast::ObjectName) -> Option<u32> {
        place::of_name(self.text, name)
    }

    fn at(&self, ident: &ast::Ident) -> Option<u32> {
        place::of_ident(self.text, ident)
    }

    fn fold(&mut self, ident: &ast::Ident) -> PgResult<String> {
        self.names.fold(ident, self.text)
    }

    fn split(&mut self, name: &ast::ObjectName) -> PgResult<(Option<String>, String)> {
        self.names.split(name, self.text, self.ctx.lake.as_str())
    }
}
