//! CREATE SCHEMA, ALTER SCHEMA.

use duckmesh_catalog::{ddl::DdlOp, schema::DEFAULT_SCHEMA};
use sqlparser::ast::{AlterSchema, AlterSchemaOperation, Ident, ObjectName, SchemaName};
use uuid::Uuid;

use super::{
    Planner,
    lookup::{differs_in_case, no_schema, same_but_case},
    names::{is_system_schema, schema_in_sql},
};
use crate::{
    sql::plan::Plan,
    wire::error::{PgError, PgResult, SqlState},
};

pub(super) fn create(mut planner: Planner<'_>, name: &SchemaName, if_not_exists: bool) -> PgResult<Plan> {
    let (name, owner) = match name {
        SchemaName::Simple(name) => (planner.schema_name(name)?, None),
        SchemaName::UnnamedAuthorization(owner) => (planner.fold(owner)?, Some(owner)),
        SchemaName::NamedAuthorization(name, owner) => (planner.schema_name(name)?, Some(owner)),
    };
    if let Some(owner) = owner {
        planner.check_owner(owner)?;
    }
    check_name(&name)?;
    if planner.schema(&name).is_some() || is_system_schema(&name) {
        let message = format!("schema \"{name}\" already exists");
        if !if_not_exists {
            return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, message));
        }
        let notice = PgError::notice(format!("{message}, skipping"));
        planner.notices.push(notice.with_code(SqlState::DUPLICATE_SCHEMA));
        return Ok(planner.finish("CREATE SCHEMA"));
    }
    let mut others = planner.ctx.schema.schemas.keys();
    if let Some(other) = others.find(|other| same_but_case(schema_in_sql(other), &name)) {
        return Err(differs_in_case("schema", &name, schema_in_sql(other)));
    }
    // `public` may have been dropped: the lake's own name for it is another.
    let name = if name == "public" { DEFAULT_SCHEMA.to_owned() } else { name };
    planner.ops.push(DdlOp::CreateSchema { uuid: Uuid::new_v4(), name });
    Ok(planner.finish("CREATE SCHEMA"))
}

pub(super) fn alter(mut planner: Planner<'_>, alter: &AlterSchema) -> PgResult<Plan> {
    let name = planner.schema_name(&alter.name)?;
    if planner.schema(&name).is_none() && !is_system_schema(&name) {
        return Err(no_schema(&name));
    }
    for operation in &alter.operations {
        match operation {
            AlterSchemaOperation::OwnerTo { owner } => planner.check_new_owner(owner)?,
            AlterSchemaOperation::Rename { name: new } => {
                let Some(schema) = planner.schema(&name) else {
                    let message = format!("permission denied to rename schema \"{name}\"");
                    return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
                };
                let new = planner.schema_name(new)?;
                if planner.schema(&new).is_some() || is_system_schema(&new) {
                    let message = format!("schema \"{new}\" already exists");
                    return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, message));
                }
                check_name(&new)?;
                let mut others = planner.ctx.schema.schemas.keys();
                if let Some(other) = others.find(|o| same_but_case(schema_in_sql(o), &new) && !same_but_case(o, &name))
                {
                    return Err(differs_in_case("schema", &new, schema_in_sql(other)));
                }
                planner.rename_schema(&schema, &new)?;
            }
            _ => {
                return Err(PgError::unsupported("this form of ALTER SCHEMA is not supported"));
            }
        }
    }
    Ok(planner.finish("ALTER SCHEMA"))
}

fn check_name(name: &str) -> PgResult<()> {
    let unacceptable = |detail: &str| {
        Err(PgError::new(SqlState::RESERVED_NAME, format!("unacceptable schema name \"{name}\"")).detail(detail))
    };
    if name.to_lowercase().starts_with("pg_") {
        return unacceptable("The prefix \"pg_\" is reserved for system schemas.");
    }
    if name.to_lowercase() == DEFAULT_SCHEMA {
        return unacceptable("The name \"main\" is reserved: it is what the lake calls schema \"public\".");
    }
    Ok(())
}

impl Planner<'_> {
    /// A schema's name: one part, or the database and one.
    pub(super) fn schema_name(&mut self, name: &ObjectName) -> PgResult<String> {
        match self.split(name)? {
            (None, name) => Ok(name),
            (Some(database), name) if database == self.ctx.lake.as_str() => Ok(name),
            (Some(_), _) => {
                Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \".\"")
                    .or_position(self.at_name(name)))
            }
        }
    }

    /// There are no roles yet: the owner is always the session's user.
    pub(super) fn check_owner(&mut self, owner: &Ident) -> PgResult<()> {
        let name = self.fold(owner)?;
        let own = ["current_user", "session_user", "current_role"];
        if name == self.ctx.user || own.contains(&name.as_str()) {
            return Ok(());
        }
        Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
    }

    pub(super) fn check_new_owner(&mut self, owner: &sqlparser::ast::Owner) -> PgResult<()> {
        match owner {
            sqlparser::ast::Owner::Ident(owner) => self.check_owner(owner),
            _ => Ok(()),
        }
    }
}
