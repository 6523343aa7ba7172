//! DROP TABLE, DROP VIEW, DROP SCHEMA.

use duckmesh_catalog::ddl::DdlOp;
use sqlparser::ast::ObjectName;

use super::{
    Planner,
    depends::{self, Dependent},
    lookup::{Relation, no_schema},
    names::{is_system_schema, quote, schema_in_sql},
};
use crate::{
    session::temporary::SCHEMA_ALIAS,
    sql::plan::Plan,
    wire::error::{PgError, PgResult, SqlState},
};

/// What is to be dropped.
pub(super) struct Wanted<'a> {
    pub(super) names: &'a [ObjectName],
    pub(super) if_exists: bool,
    pub(super) cascade: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
        }
    }
}

pub(super) fn relations(mut planner: Planner<'_>, wanted: &Wanted<'_>, kind: Kind) -> PgResult<Plan> {
    let mut dropped: Vec<Relation> = Vec::new();
    for name in wanted.names {
        if let Some(relation) = planner.named_to_drop(name, wanted.if_exists, kind)?
            && dropped.iter().all(|d| d.uuid() != relation.uuid())
        {
            dropped.push(relation);
        }
    }
    let dependents = depends::views_on(&planner, &dropped);
    planner.restrict_or_tell(&dependents, wanted.cascade, || match dropped.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    })?;
    let only = match dropped.as_slice() {
        [only] => Some(planner.describe(only)),
        _ => None,
    };
    planner.drop_foreign_keys_on(&dropped, wanted.cascade, only)?;
    for view in dependents {
        planner.ops.push(DdlOp::DropView { uuid: view.view.uuid });
    }
    planner.push_drops(&dropped);
    Ok(planner.finish(match kind {
        Kind::Table => "DROP TABLE",
        Kind::View => "DROP VIEW",
    }))
}

pub(super) fn schemas(mut planner: Planner<'_>, wanted: &Wanted<'_>) -> PgResult<Plan> {
    let mut schemas = Vec::new();
    for name in wanted.names {
        let name = planner.schema_name(name)?;
        if is_system_schema(&name) || name.starts_with(SCHEMA_ALIAS) {
            return Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop schema {name} because it is required by the database system"),
            ));
        }
        match planner.schema(&name) {
            Some(schema) if name == "public" => {
                let _ = schema;
                return Err(PgError::unsupported("schema public cannot be dropped")
                    .hint("Every lake has it: DROP its tables instead."));
            }
            Some(schema) => schemas.push(schema),
            None if wanted.if_exists => {
                planner.notices.push(PgError::notice(format!("schema \"{name}\" does not exist, skipping")))
            }
            None => return Err(no_schema(&name)),
        }
    }
    let mut inside = Vec::new();
    let mut lines = Vec::new();
    for schema in &schemas {
        for relation in depends::relations_of(&planner.ctx.schema, schema.id) {
            lines.push((planner.describe(&relation), format!("schema {}", quote(schema_in_sql(&schema.name)))));
            inside.push(relation);
        }
    }
    let types: Vec<_> = planner.ctx.schema.types.values().cloned().collect();
    let types: Vec<_> = types.into_iter().filter(|t| schemas.iter().any(|s| s.id == t.schema_id)).collect();
    for def in &types {
        let space = schemas.iter().find(|s| s.id == def.schema_id).map(|s| quote(schema_in_sql(&s.name)));
        lines.push((planner.type_shown(def), format!("schema {}", space.unwrap_or_default())));
    }
    let dependents = depends::views_on(&planner, &inside);
    for dependent in &dependents {
        let view = Relation::View(std::sync::Arc::clone(&dependent.view));
        lines.push((planner.describe(&view), planner.describe(&dependent.on)));
    }
    let foreign = planner.foreign_keys_on(&inside);
    lines.extend(foreign.iter().map(|(_, _, line)| line.clone()));
    let first = schemas.first().map(|s| format!("schema {}", quote(schema_in_sql(&s.name))));
    planner.restrict_or_tell_lines(&lines, wanted.cascade, first)?;
    for dependent in dependents {
        planner.ops.push(DdlOp::DropView { uuid: dependent.view.uuid });
    }
    planner.push_drops_of(foreign);
    planner.push_drops(&inside);
    planner.drop_types(&types, true, &inside)?;
    for schema in schemas {
        planner.ops.push(DdlOp::DropSchema { uuid: schema.uuid });
    }
    Ok(planner.finish("DROP SCHEMA"))
}

impl Planner<'_> {
    fn named_to_drop(&mut self, name: &ObjectName, if_exists: bool, kind: Kind) -> PgResult<Option<Relation>> {
        self.not_system(name)?;
        let (schema, relation) = self.split(name)?;
        let missing_schema = schema.filter(|s| self.schema(s).is_none());
        match (self.find(name)?, kind) {
            (Some(found @ Relation::Table(_)), Kind::Table) | (Some(found @ Relation::View(_)), Kind::View) => {
                return Ok(Some(found));
            }
            (Some(Relation::Sequence(_)), kind) => {
                let what = if kind == Kind::Table { "a table" } else { "a view" };
                return Err(wrong_kind(&relation, what, "DROP SEQUENCE to remove a sequence"));
            }
            (Some(_), Kind::Table) => {
                return Err(wrong_kind(&relation, "a table", "DROP VIEW to remove a view"));
            }
            (Some(_), Kind::View) => {
                return Err(wrong_kind(&relation, "a view", "DROP TABLE to remove a table"));
            }
            (None, _) => {}
        }
        let word = kind.word();
        if self.index(name)?.is_some() {
            return Err(wrong_kind(
                &relation,
                if kind == Kind::Table { "a table" } else { "a view" },
                "DROP INDEX to remove an index",
            ));
        }
        match (missing_schema, if_exists) {
            (Some(schema), true) => {
                self.notices.push(PgError::notice(format!("schema \"{schema}\" does not exist, skipping")))
            }
            (Some(schema), false) => return Err(no_schema(&schema)),
            (None, true) => {
                self.notices.push(PgError::notice(format!("{word} \"{relation}\" does not exist, skipping")))
            }
            (None, false) => {
                return Err(PgError::new(SqlState::UNDEFINED_TABLE, format!("{word} \"{relation}\" does not exist")));
            }
        }
        Ok(None)
    }

    fn push_drops(&mut self, relations: &[Relation]) {
        for relation in relations {
            let uuid = relation.uuid();
            self.ops.push(match relation {
                Relation::Table(_) => DdlOp::DropTable { uuid },
                Relation::View(_) => DdlOp::DropView { uuid },
                Relation::Sequence(_) => DdlOp::DropSequence { uuid },
            });
        }
    }

    /// Without CASCADE dependents are an error; with it, a notice.
    pub(super) fn restrict_or_tell(
        &mut self,
        dependents: &[Dependent],
        cascade: bool,
        only: impl Fn() -> Option<Relation>,
    ) -> PgResult<()> {
        let lines: Vec<_> = dependents
            .iter()
            .map(|d| {
                let view = Relation::View(std::sync::Arc::clone(&d.view));
                let on = match &d.column {
                    Some(column) => format!("column {} of {}", quote(column), self.describe(&d.on)),
                    None => self.describe(&d.on),
                };
                (self.describe(&view), on)
            })
            .collect();
        let what = only().map(|relation| self.describe(&relation));
        self.restrict_or_tell_lines(&lines, cascade, what)
    }

    /// `lines`: what depends, and on what. `what` is dropped; none: several things.
    pub(super) fn restrict_or_tell_lines(
        &mut self,
        lines: &[(String, String)],
        cascade: bool,
        what: Option<String>,
    ) -> PgResult<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if !cascade {
            let what = what.unwrap_or_else(|| "desired object(s)".to_owned());
            let detail: Vec<_> = lines.iter().map(|(a, b)| format!("{a} depends on {b}")).collect();
            return Err(PgError::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop {what} because other objects depend on it"),
            )
            .detail(detail.join("\n"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        let gone: Vec<_> = lines.iter().map(|(a, _)| format!("drop cascades to {a}")).collect();
        self.notices.push(match gone.as_slice() {
            [only] => PgError::notice(only.clone()),
            several => {
                PgError::notice(format!("drop cascades to {} other objects", several.len())).detail(several.join("\n"))
            }
        });
        Ok(())
    }
}

fn wrong_kind(name: &str, kind: &str, hint: &str) -> PgError {
    PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not {kind}")).hint(format!("Use {hint}."))
}
