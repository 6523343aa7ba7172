//! Foreign keys: what they refer to must be a key, and stays while they do.
//!
//! They are information: no row is ever looked at.

use std::sync::Arc;

use duckmesh_catalog::{
    ColumnDef, ColumnId, ColumnType, IndexDef, IndexKey, IndexedBy, LakeSchema, TableDef,
    ddl::DdlOp,
    schema::{Constraint, ConstraintKind, ForeignKeyAction, ForeignKeyRules},
};
use sqlparser::ast::{
    ConstraintCharacteristics, ConstraintReferenceMatchKind, DeferrableInitial, ForeignKeyConstraint, ReferentialAction,
};

use super::{
    Planner,
    alter::Altered,
    lookup::Relation,
    names::{quote, schema_in_lake},
};
use crate::{
    sql::rewrite::{comparable, shown},
    wire::error::{PgError, PgResult, SqlState},
};

/// Whether a value would lose its fraction as the key's: no index looks such up.
fn loses(own: &ColumnType, key: &ColumnType) -> bool {
    use ColumnType as T;
    let is_int = |ty: &T| matches!(ty.bare(), T::Int2 | T::Int4 | T::Int8);
    let is_float = |ty: &T| matches!(ty.bare(), T::Float4 | T::Float8);
    let is_numeric = |ty: &T| matches!(ty.bare(), T::Numeric(..));
    (is_int(key) && (is_float(own) || is_numeric(own))) || (is_numeric(key) && is_float(own))
}

impl Planner<'_> {
    /// The foreign key and the columns' part of its name.
    pub(super) fn foreign_key(
        &mut self,
        table: &TableDef,
        schema: &str,
        key: &ForeignKeyConstraint,
        own: Option<&str>,
    ) -> PgResult<(ConstraintKind, String)> {
        let missing = |name: &str| {
            PgError::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" referenced in foreign key constraint does not exist"),
            )
        };
        let (target, target_table) = self.target(table, schema, &key.foreign_table)?;
        let mut columns = Vec::new();
        let mut names = Vec::new();
        match own {
            Some(own) => names.push(own.to_owned()),
            None => {
                for ident in &key.columns {
                    names.push(self.fold(ident)?);
                }
            }
        }
        for name in &names {
            columns.push(table.column(name).ok_or_else(|| missing(name))?.id);
        }
        let mut target_columns = Vec::new();
        for ident in &key.referred_columns {
            let name = self.fold(ident)?;
            if target_table.column(&name).is_none() {
                return Err(missing(&name));
            }
            target_columns.push(name);
        }
        if !target_columns.is_empty() && target_columns.len() != columns.len() {
            return Err(PgError::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        let rules = rules(key)?;
        Ok((ConstraintKind::ForeignKey { columns, target, target_columns, rules }, names.join("_")))
    }

    /// What it refers to must be a key, of types that compare with its own.
    pub(super) fn foreign_key_fits(
        &mut self,
        table: &TableDef,
        schema: &str,
        key: &ForeignKeyConstraint,
        kind: &ConstraintKind,
        name: &str,
    ) -> PgResult<()> {
        let ConstraintKind::ForeignKey { columns, target_columns, .. } = kind else { return Ok(()) };
        let (_, target) = self.target(table, schema, &key.foreign_table)?;
        let referred = referred(&target, target_columns)?;
        if referred.len() != columns.len() {
            return Err(PgError::new(
                SqlState::INVALID_FOREIGN_KEY,
                "number of referencing and referenced columns for foreign key disagree",
            ));
        }
        for (own, other) in columns.iter().filter_map(|id| table.column_by_id(*id)).zip(referred) {
            if !comparable(&own.ty, &other.ty) || loses(&own.ty, &other.ty) {
                return Err(PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!("foreign key constraint \"{name}\" cannot be implemented"),
                )
                .detail(format!(
                    "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                    own.name,
                    other.name,
                    shown(&own.ty),
                    shown(&other.ty)
                )));
            }
        }
        Ok(())
    }

    /// Foreign keys of other tables that refer to these, or to a column: without CASCADE an error; with it they go.
    pub(super) fn drop_foreign_keys_on(
        &mut self,
        dropped: &[Relation],
        cascade: bool,
        what: Option<String>,
    ) -> PgResult<()> {
        let found = self.foreign_keys_on(dropped);
        let lines: Vec<_> = found.iter().map(|(_, _, line)| line.clone()).collect();
        self.restrict_or_tell_lines(&lines, cascade, what)?;
        self.push_drops_of(found);
        Ok(())
    }

    /// They, with the line that tells of each.
    pub(super) fn foreign_keys_on(&self, dropped: &[Relation]) -> Vec<(uuid::Uuid, String, (String, String))> {
        let lake = &self.ctx.schema;
        let mut found = Vec::new();
        for on in dropped {
            let Relation::Table(target) = on else { continue };
            for table in lake.tables.values().filter(|t| dropped.iter().all(|d| d.uuid() != t.uuid)) {
                for constraint in table.constraints.iter().filter(|c| refers_to(c, lake, target)) {
                    let holder = self.describe(&Relation::Table(Arc::clone(table)));
                    let line = (format!("constraint {} on {holder}", quote(&constraint.name)), self.describe(on));
                    found.push((table.uuid, constraint.name.clone(), line));
                }
            }
        }
        found
    }

    pub(super) fn push_drops_of(&mut self, found: Vec<(uuid::Uuid, String, (String, String))>) {
        for (table, name, _) in found {
            self.ops.push(DdlOp::DropConstraint { table, name });
        }
    }

    /// Foreign keys that refer to a column go with it. What tells of each, and of the column.
    pub(super) fn drop_foreign_keys_on_column(&mut self, table: &mut Altered, column: &str) -> Vec<(String, String)> {
        let on = self.describe(&Relation::Table(Arc::clone(&table.old)));
        let id = table.new.column(column).map(|c| c.id);
        let target = table.new.clone();
        let found = self.foreign_keys_to(table, &|constraint, own| {
            let ConstraintKind::ForeignKey { columns, target_columns, .. } = &constraint.kind else { return false };
            // A key of the column itself goes with it anyway.
            let goes = own && id.is_some_and(|id| columns.contains(&id));
            !goes && referred(&target, target_columns).is_ok_and(|list| list.iter().any(|c| c.name == column))
        });
        self.drop_those(table, found, &format!("column {} of {on}", quote(column)))
    }

    /// Foreign keys that stand on a key or an index, before that is dropped: without CASCADE an error; with it they go.
    pub(super) fn drop_foreign_keys_on_key(
        &mut self,
        table: &mut Altered,
        key: &str,
        (what, cascade): (String, bool),
    ) -> PgResult<()> {
        let target = table.new.clone();
        let found = self.foreign_keys_to(table, &|constraint, _| {
            let ConstraintKind::ForeignKey { target_columns, .. } = &constraint.kind else { return false };
            key_referred(&target, target_columns).is_some_and(|name| name == key)
        });
        let lines = self.drop_those(table, found, &format!("index {}", quote(key)));
        self.restrict_or_tell_lines(&lines, cascade, Some(what))
    }

    /// Foreign keys that refer to a table, its own among them, with the tables that have them.
    fn foreign_keys_to(
        &self,
        table: &Altered,
        wanted: &dyn Fn(&Constraint, bool) -> bool,
    ) -> Vec<(Arc<TableDef>, String)> {
        let lake = &self.ctx.schema;
        let of = |holder: &Arc<TableDef>, constraints: &[Constraint], own: bool| {
            let found = constraints.iter().filter(|c| refers_to(c, lake, &table.old) && wanted(c, own));
            found.map(|c| (Arc::clone(holder), c.name.clone())).collect::<Vec<_>>()
        };
        let mut found = of(&table.old, &table.new.constraints, true);
        for holder in lake.tables.values().filter(|t| t.uuid != table.old.uuid) {
            found.extend(of(holder, &holder.constraints, false));
        }
        let dropped = |uuid, of: &str| {
            let same = |op: &DdlOp| matches!(op, DdlOp::DropConstraint { table, name } if *table == uuid && name == of);
            self.ops.iter().any(same)
        };
        found.retain(|(holder, name)| !dropped(holder.uuid, name));
        found
    }

    fn drop_those(
        &mut self,
        table: &mut Altered,
        found: Vec<(Arc<TableDef>, String)>,
        on: &str,
    ) -> Vec<(String, String)> {
        let mut lines = Vec::with_capacity(found.len());
        for (holder, name) in found {
            let shown = self.describe(&Relation::Table(Arc::clone(&holder)));
            lines.push((format!("constraint {} on {shown}", quote(&name)), on.to_owned()));
            if holder.uuid == table.old.uuid {
                table.new.constraints.retain(|c| c.name != name);
            }
            self.ops.push(DdlOp::DropConstraint { table: holder.uuid, name });
        }
        lines
    }

    /// Foreign keys name the table and the columns that they refer to: they follow when one is renamed.
    pub(super) fn foreign_keys_renamed(&mut self, table: &mut Altered, rename: &dyn Fn(&mut String, &mut Vec<String>)) {
        let lake = self.ctx.schema.clone();
        let target = Arc::clone(&table.old);
        let renamed = |constraint: &Constraint| {
            let mut after = constraint.clone();
            if let ConstraintKind::ForeignKey { target: (_, name), target_columns, .. } = &mut after.kind {
                rename(name, target_columns);
            }
            (after != *constraint).then_some(after)
        };
        for constraint in &mut table.new.constraints {
            if refers_to(constraint, &lake, &target)
                && let Some(after) = renamed(constraint)
            {
                self.ops.push(DdlOp::DropConstraint { table: target.uuid, name: constraint.name.clone() });
                self.ops.push(DdlOp::AddConstraint { table: target.uuid, constraint: after.clone() });
                *constraint = after;
            }
        }
        for holder in lake.tables.values().filter(|t| t.uuid != target.uuid) {
            for constraint in holder.constraints.iter().filter(|c| refers_to(c, &lake, &target)) {
                let Some(after) = renamed(constraint) else { continue };
                self.ops.push(DdlOp::DropConstraint { table: holder.uuid, name: constraint.name.clone() });
                self.ops.push(DdlOp::AddConstraint { table: holder.uuid, constraint: after });
            }
        }
    }
}

/// Whether a constraint is a foreign key that refers to a table.
fn refers_to(constraint: &Constraint, lake: &LakeSchema, table: &TableDef) -> bool {
    let ConstraintKind::ForeignKey { target: (schema, name), .. } = &constraint.kind else { return false };
    let space = lake.schema_name(table.schema_id).unwrap_or_default();
    *name == table.name && (schema == space || schema_in_lake(schema) == Some(space))
}

/// The name of the key, or of the index, that a foreign key stands on.
fn key_referred<'t>(target: &'t TableDef, names: &[String]) -> Option<&'t str> {
    let primary = |c: &&Constraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. });
    if names.is_empty() {
        return target.constraints.iter().find(primary).map(|c| c.name.as_str());
    }
    let wanted: Vec<ColumnId> = names.iter().filter_map(|name| target.column(name)).map(|c| c.id).collect();
    let same = |ids: &[ColumnId]| ids.len() == wanted.len() && wanted.iter().all(|id| ids.contains(id));
    let key = target.constraints.iter().find(|c| match &c.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => same(columns),
        _ => false,
    });
    let of_index = |index: &&IndexDef| index.predicate.is_none() && index.unique && same(&columns_of(index));
    key.map(|c| c.name.as_str()).or_else(|| target.indexes.iter().find(of_index).map(|index| index.name.as_str()))
}

/// The columns of an index; none where it has an expression.
fn columns_of(index: &IndexDef) -> Vec<ColumnId> {
    let column = |key: &IndexKey| match &key.of {
        IndexedBy::Column(id) => Some(*id),
        IndexedBy::Expression(..) => None,
    };
    index.keys.iter().map(column).collect::<Option<_>>().unwrap_or_default()
}

/// The columns that are referred to, which must be a key.
fn referred<'t>(target: &'t TableDef, names: &[String]) -> PgResult<Vec<&'t ColumnDef>> {
    let columns = |ids: &[ColumnId]| ids.iter().filter_map(|id| target.column_by_id(*id)).collect::<Vec<_>>();
    if names.is_empty() {
        let key = target.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey { columns } => Some(columns),
            _ => None,
        });
        return key.map(|key| columns(key)).ok_or_else(|| {
            let message = format!("there is no primary key for referenced table \"{}\"", target.name);
            PgError::new(SqlState::UNDEFINED_OBJECT, message)
        });
    }
    let wanted: Vec<&ColumnDef> = names.iter().filter_map(|name| target.column(name)).collect();
    let same = |ids: &[ColumnId]| ids.len() == wanted.len() && wanted.iter().all(|c| ids.contains(&c.id));
    let keyed = target.constraints.iter().any(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns } => same(columns),
        _ => false,
    });
    let unique = |index: &&IndexDef| index.unique && index.predicate.is_none();
    let indexed = target.indexes.iter().filter(unique).any(|index| same(&columns_of(index)));
    if keyed || indexed {
        return Ok(wanted);
    }
    let message = format!("there is no unique constraint matching given keys for referenced table \"{}\"", target.name);
    Err(PgError::new(SqlState::INVALID_FOREIGN_KEY, message))
}

fn rules(key: &ForeignKeyConstraint) -> PgResult<ForeignKeyRules> {
    let action = |said: &Option<ReferentialAction>| match said {
        None | Some(ReferentialAction::NoAction) => ForeignKeyAction::NoAction,
        Some(ReferentialAction::Restrict) => ForeignKeyAction::Restrict,
        Some(ReferentialAction::Cascade) => ForeignKeyAction::Cascade,
        Some(ReferentialAction::SetNull) => ForeignKeyAction::SetNull,
        Some(ReferentialAction::SetDefault) => ForeignKeyAction::SetDefault,
    };
    let full = match &key.match_kind {
        Some(ConstraintReferenceMatchKind::Partial) => {
            return Err(PgError::unsupported("MATCH PARTIAL not yet implemented"));
        }
        kind => matches!(kind, Some(ConstraintReferenceMatchKind::Full)),
    };
    let (deferrable, deferred) = deferral(key.characteristics.as_ref())?;
    let (on_update, on_delete) = (action(&key.on_update), action(&key.on_delete));
    Ok(ForeignKeyRules { on_update, on_delete, full, deferrable, deferred })
}

/// Whether a constraint is DEFERRABLE, and INITIALLY DEFERRED.
pub(super) fn deferral(said: Option<&ConstraintCharacteristics>) -> PgResult<(bool, bool)> {
    let deferred = said.is_some_and(|c| c.initially == Some(DeferrableInitial::Deferred));
    let deferrable = said.and_then(|c| c.deferrable);
    if deferred && deferrable == Some(false) {
        let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    Ok((deferrable.unwrap_or(deferred), deferred))
}
