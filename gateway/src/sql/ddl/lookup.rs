//! Names of statements as objects of the lake.

use std::sync::Arc;

use duckmesh_catalog::{
    LakeSchema, SequenceDef, TableDef,
    schema::{SchemaDef, ViewDef},
};
use sqlparser::ast::ObjectName;
use uuid::Uuid;

use super::{
    Planner,
    constraint::is_key,
    names::{is_system_schema, schema_in_lake, schema_in_sql},
};
use crate::{
    session::temporary::SCHEMA_PREFIX,
    wire::error::{PgError, PgResult, SqlState},
};

/// A table, a view or a sequence.
#[derive(Clone, Debug)]
pub(super) enum Relation {
    Table(Arc<TableDef>),
    View(Arc<ViewDef>),
    Sequence(Arc<SequenceDef>),
}

impl Relation {
    pub(super) fn uuid(&self) -> Uuid {
        match self {
            Self::Table(t) => t.uuid,
            Self::View(v) => v.uuid,
            Self::Sequence(s) => s.uuid,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Table(t) => &t.name,
            Self::View(v) => &v.name,
            Self::Sequence(s) => &s.name,
        }
    }

    /// The lake's name of its schema.
    pub(super) fn schema<'s>(&self, lake: &'s LakeSchema) -> &'s str {
        let id = match self {
            Self::Table(t) => t.schema_id,
            Self::View(v) => v.schema_id,
            Self::Sequence(s) => s.schema_id,
        };
        lake.schema_name(id).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::View(_) => "view",
            Self::Sequence(_) => "sequence",
        }
    }
}

/// The relation of that name in a schema of the lake.
pub(super) fn relation_in(lake: &LakeSchema, schema: &str, name: &str) -> Option<Relation> {
    lake.table(schema, name)
        .map(|t| Relation::Table(Arc::clone(t)))
        .or_else(|| lake.view(schema, name).map(|v| Relation::View(Arc::clone(v))))
        .or_else(|| lake.sequence(schema, name).map(|s| Relation::Sequence(Arc::clone(s))))
}

/// `schema "x" does not exist`.
pub(super) fn no_schema(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}

impl Planner<'_> {
    /// The schema of that SQL name.
    pub(super) fn schema(&self, name: &str) -> Option<Arc<SchemaDef>> {
        self.ctx.schema.schema(schema_in_lake(name)?).cloned()
    }

    /// The relation a name means. None: it does not exist, or its schema does not.
    pub(super) fn find(&mut self, name: &ObjectName) -> PgResult<Option<Relation>> {
        let (schema, name) = self.split(name)?;
        Ok(self.find_split(schema.as_deref(), &name))
    }

    pub(super) fn find_split(&self, schema: Option<&str>, name: &str) -> Option<Relation> {
        let lake = &self.ctx.schema;
        match schema {
            Some(schema) => relation_in(lake, schema_in_lake(schema)?, name),
            None => {
                self.ctx.search_path.iter().filter_map(|s| schema_in_lake(s)).find_map(|s| relation_in(lake, s, name))
            }
        }
    }

    /// Refuses names in `pg_catalog` and the like.
    pub(super) fn not_system(&mut self, name: &ObjectName) -> PgResult<()> {
        match self.split(name)? {
            (Some(schema), name) if is_system_schema(&schema) => Err(PgError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied: \"{name}\" is a system catalog"),
            )),
            _ => Ok(()),
        }
    }

    /// The schema and name for a new relation; fails where the schema does not exist.
    pub(super) fn place_for_new(&mut self, name: &ObjectName) -> PgResult<(Arc<SchemaDef>, String)> {
        let at = self.at_name(name);
        let (schema, name) = self.split(name)?;
        let Some(schema) = schema else {
            // The session's own schema is searched first, and takes only what is called temporary.
            let mut named = self.ctx.search_path.iter().filter(|s| !s.starts_with(SCHEMA_PREFIX));
            let first = named.find_map(|s| self.schema(s));
            let schema = first.ok_or_else(|| {
                PgError::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in").or_position(at)
            })?;
            return Ok((schema, name));
        };
        if is_system_schema(&schema) {
            return Err(PgError::new(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied to create \"{schema}.{name}\""),
            )
            .detail("System catalog modifications are currently disallowed."));
        }
        match self.schema(&schema) {
            Some(schema) => Ok((schema, name)),
            None => Err(no_schema(&schema).or_position(at)),
        }
    }

    /// The relation that has the name already. One that differs in case only is refused: DuckDB cannot tell them apart.
    pub(super) fn taken(&self, schema: &SchemaDef, name: &str) -> PgResult<Option<Relation>> {
        let lake = &self.ctx.schema;
        if let Some(relation) = relation_in(lake, &schema.name, name) {
            return Ok(Some(relation));
        }
        let keyed = |t: &TableDef| t.constraints.iter().any(|c| c.name == name && is_key(&c.kind));
        if lake.index(schema.id, name).is_some() || lake.tables.values().any(|t| t.schema_id == schema.id && keyed(t)) {
            return Err(already_exists(name));
        }
        if lake.user_type(&schema.name, name).is_some() {
            // A relation's rows are a type of its name.
            return Err(PgError::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists"))
                .hint("A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type."));
        }
        let tables = lake.tables.values().map(|t| (t.schema_id, &t.name));
        let views = lake.views.values().map(|v| (v.schema_id, &v.name));
        let similar = tables.chain(views).find(|(id, other)| *id == schema.id && same_but_case(other, name));
        match similar {
            Some((_, other)) => Err(differs_in_case("relation", name, other)),
            None => Ok(None),
        }
    }

    /// A relation as messages name it: with its schema where the name alone does not find it.
    pub(super) fn describe(&self, relation: &Relation) -> String {
        let name = relation.name();
        let found = self.find_split(None, name);
        let shown = match found {
            Some(found) if found.uuid() == relation.uuid() => super::names::quote(name),
            _ => {
                let schema = schema_in_sql(relation.schema(&self.ctx.schema));
                format!("{}.{}", super::names::quote(schema), super::names::quote(name))
            }
        };
        format!("{} {shown}", relation.kind())
    }
}

/// Whether DuckDB takes two names for the same.
pub(super) fn same_but_case(a: &str, b: &str) -> bool {
    a != b && a.to_lowercase() == b.to_lowercase()
}

/// Names that differ in case only.
pub(super) fn differs_in_case(kind: &str, name: &str, other: &str) -> PgError {
    PgError::unsupported(format!("{kind} \"{name}\" differs from \"{other}\" in case only"))
        .hint("DuckDB, which reads the lake, does not tell them apart: choose another name.")
}

/// `relation "x" already exists`.
pub(super) fn already_exists(name: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
}

/// `relation "x" already exists, skipping`.
pub(super) fn exists_skipping(name: &str) -> PgError {
    PgError::notice(format!("relation \"{name}\" already exists, skipping")).with_code(SqlState::DUPLICATE_TABLE)
}

/// `relation "x" does not exist`.
pub(in crate::sql) fn no_relation(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// `column "x" of relation "t" does not exist`.
pub(in crate::sql) fn no_column(column: &str, relation: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{column}\" of relation \"{relation}\" does not exist"))
}
