//! SET SCHEMA, and ALTER SCHEMA … RENAME TO, with what names the moved: views, defaults and foreign keys.

use std::{collections::HashMap, sync::Arc};

use duckmesh_catalog::{ConstraintKind, DefaultValue, LakeSchema, SchemaDef, ddl::DdlOp, schema::DEFAULT_SCHEMA};
use sqlparser::tokenizer::Token;

use super::{
    Planner,
    alter::Altered,
    depends,
    lookup::{Relation, no_schema, relation_in},
    names::{is_system_schema, schema_in_sql},
    rename,
    temporary::is_temporary_schema,
};
use crate::{
    sql::{scan::Scan, sequence},
    wire::error::{PgError, PgResult, SqlState},
};

impl Planner<'_> {
    /// `SET SCHEMA name`, after these words.
    pub(super) fn set_schema(&mut self, scan: &mut Scan<'_>, relation: &Relation) -> PgResult<()> {
        let name = scan.ident()?;
        if scan.peek() == Some(&Token::Comma) {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \",\""));
        }
        scan.done(())?;
        let lake = self.ctx.schema.clone();
        if is_system_schema(&name) {
            let message = format!("permission denied for schema {name}");
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        let target = self.schema(&name).ok_or_else(|| no_schema(&name))?;
        let own = relation.schema(&lake).to_owned();
        let own = lake.schema(&own).cloned().ok_or_else(|| PgError::internal("a relation without its schema"))?;
        if is_temporary_schema(&target) || is_temporary_schema(&own) {
            return Err(PgError::unsupported("cannot move objects into or out of temporary schemas"));
        }
        if let Relation::Sequence(sequence) = relation
            && let Some((table, _)) = sequence.spec.owner
        {
            let table = lake.table_by_uuid(table).map(|t| t.name.clone()).unwrap_or_default();
            return Err(PgError::unsupported("cannot move an owned sequence into another schema")
                .detail(format!("Sequence \"{}\" is linked to table \"{table}\".", sequence.name)));
        }
        if own.id == target.id {
            return Ok(());
        }
        let mut moved = vec![relation.clone()];
        if let Relation::Table(table) = relation {
            let owned = lake.sequences.values().filter(|s| s.spec.owner.is_some_and(|(owner, _)| owner == table.uuid));
            moved.extend(owned.map(|s| Relation::Sequence(Arc::clone(s))));
        }
        for relation in &moved {
            if relation_in(&lake, &target.name, relation.name()).is_some() {
                let message = format!("relation \"{}\" already exists in schema \"{name}\"", relation.name());
                return Err(PgError::new(SqlState::DUPLICATE_TABLE, message));
            }
        }
        if let Relation::Table(table) = relation {
            let altered = Altered {
                old: Arc::clone(table),
                new: table.as_ref().clone(),
                schema: own.name.clone(),
                rewritten: true,
                grows: false,
                conversions: HashMap::new(),
            };
            self.rewrite(&altered)?;
        }
        for relation in &moved {
            self.ops.push(DdlOp::Move { uuid: relation.uuid(), schema: target.uuid });
        }
        self.followed(&lake, &moved, (&own, &target.name))
    }

    /// `ALTER SCHEMA … RENAME TO`.
    pub(super) fn rename_schema(&mut self, schema: &SchemaDef, name: &str) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        if schema.name == DEFAULT_SCHEMA {
            return Err(PgError::unsupported("renaming schema public is not supported")
                .hint("Every lake has it; other programs know it as \"main\"."));
        }
        for def in lake.types.values().filter(|t| t.schema_id == schema.id) {
            self.not_in_texts(def)?;
        }
        self.ops.push(DdlOp::RenameSchema { uuid: schema.uuid, name: name.to_owned() });
        let relations = depends::relations_of(&lake, schema.id);
        let owned = lake.sequences.values().filter(|s| s.schema_id == schema.id && s.spec.owner.is_some());
        let relations: Vec<_> = relations.into_iter().chain(owned.map(|s| Relation::Sequence(Arc::clone(s)))).collect();
        self.followed(&lake, &relations, (schema, name))
    }

    /// What names relations that are in another schema now names them there. Names are the lake's.
    fn followed(&mut self, lake: &LakeSchema, moved: &[Relation], (own, target): (&SchemaDef, &str)) -> PgResult<()> {
        self.defaults_follow(lake, moved, (&own.name, target));
        self.foreign_keys_follow(lake, moved, (&own.name, target));
        for view in lake.views.values() {
            let read: Vec<&Relation> = moved.iter().filter(|r| depends::reads(lake, view, r)).collect();
            if read.is_empty() {
                continue;
            }
            let mut text = view.as_ref().clone();
            for relation in read {
                let old = (own.name.as_str(), relation.name());
                let sql = rename::relation_in_view(&text, old, (Some(schema_in_sql(target)), relation.name()));
                text.postgres_sql = Some(sql.ok_or_else(|| {
                    PgError::unsupported(format!(
                        "cannot move {}: view {} reads it",
                        self.describe(relation),
                        view.name
                    ))
                    .hint("Drop the view, move what it reads, and make the view again.")
                })?);
            }
            rename::restate(self, view, &text.postgres_sql.unwrap_or_default(), rename::after(self)?)?;
        }
        Ok(())
    }

    /// Defaults name their sequences.
    fn defaults_follow(&mut self, lake: &LakeSchema, moved: &[Relation], (own, target): (&str, &str)) {
        let renamed: Vec<(String, String)> = moved
            .iter()
            .filter(|r| matches!(r, Relation::Sequence(_)))
            .map(|r| (sequence::default_text(own, r.name()), sequence::default_text(target, r.name())))
            .collect();
        for table in lake.tables.values() {
            for column in &table.columns {
                let Some(DefaultValue::Expression(text)) = &column.default else { continue };
                let new = renamed.iter().fold(text.clone(), |text, (old, new)| text.replace(old, new));
                if new != *text {
                    let default = Some(DefaultValue::Expression(new));
                    self.ops.push(DdlOp::SetDefault { table: table.uuid, column: column.id, default });
                }
            }
        }
    }

    /// Foreign keys name the table that they refer to.
    fn foreign_keys_follow(&mut self, lake: &LakeSchema, moved: &[Relation], (own, target): (&str, &str)) {
        for table in lake.tables.values() {
            for constraint in &table.constraints {
                let mut after = constraint.clone();
                let ConstraintKind::ForeignKey { target: (schema, name), .. } = &mut after.kind else { continue };
                let same = schema == own || (schema == schema_in_sql(own));
                if !same || !moved.iter().any(|r| matches!(r, Relation::Table(_)) && r.name() == name) {
                    continue;
                }
                let sql = schema == schema_in_sql(own);
                *schema = if sql { schema_in_sql(target).to_owned() } else { target.to_owned() };
                self.ops.push(DdlOp::DropConstraint { table: table.uuid, name: constraint.name.clone() });
                self.ops.push(DdlOp::AddConstraint { table: table.uuid, constraint: after });
            }
        }
    }
}
