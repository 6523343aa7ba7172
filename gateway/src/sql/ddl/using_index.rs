//! `ADD CONSTRAINT … PRIMARY KEY USING INDEX`: an index that is there becomes a key.

use duckmesh_catalog::{
    ColumnId, IndexDef,
    ddl::DdlOp,
    schema::{Constraint, ConstraintKind, ConstraintOptions, IndexedBy},
};
use sqlparser::ast::ConstraintUsingIndex;

use super::{Planner, alter::Altered, foreign_key::deferral, lookup::already_exists};
use crate::wire::error::{PgError, PgResult, SqlState};

impl Planner<'_> {
    /// Makes a key of the index that is named.
    pub(super) fn key_of_index(
        &mut self,
        table: &mut Altered,
        said: &ConstraintUsingIndex,
        is_primary: bool,
    ) -> PgResult<()> {
        let index_name = self.fold(&said.index_name)?;
        let found = table.new.indexes.iter().find(|index| index.name == index_name).cloned();
        let at = self.place_of_key(said, is_primary);
        let index = found.ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("index \"{index_name}\" does not exist")).or_position(at)
        })?;
        let columns = key_columns(&index).map_err(|error| error.or_position(at))?;
        let name = match &said.name {
            Some(name) => self.fold(name)?,
            None => index_name.clone(),
        };
        if name != index_name {
            let message =
                format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{index_name}\" to \"{name}\"");
            self.notices.push(PgError::notice(message));
        }
        if name != index_name && self.key_name_taken(&table.new, &table.schema, &name) {
            return Err(already_exists(&name));
        }
        if table.new.constraints.iter().any(|c| c.name == name) {
            let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.new.name);
            return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        let kind = if is_primary {
            if table.new.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::PrimaryKey { .. })) {
                let message = format!("multiple primary keys for table \"{}\" are not allowed", table.new.name);
                return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
            }
            self.columns_not_null(table, &columns)?;
            ConstraintKind::PrimaryKey { columns }
        } else {
            ConstraintKind::Unique { columns }
        };
        let uuid = table.new.uuid;
        let (deferrable, deferred) = deferral(said.characteristics.as_ref())?;
        let options = ConstraintOptions {
            deferrable,
            deferred,
            nulls_not_distinct: index.nulls_not_distinct,
            include: index.include.clone(),
            ..ConstraintOptions::default()
        };
        let constraint = Constraint { options, ..Constraint::new(name, kind) };
        table.new.indexes.retain(|other| other.uuid != index.uuid);
        table.new.constraints.push(constraint.clone());
        self.ops.push(DdlOp::DropIndex { table: uuid, index: index.uuid });
        self.ops.push(DdlOp::AddConstraint { table: uuid, constraint });
        self.tell_not_enforced();
        Ok(())
    }

    /// Where the constraint begins: its first word stands before a name.
    fn place_of_key(&self, said: &ConstraintUsingIndex, is_primary: bool) -> Option<u32> {
        let (name, word) = match &said.name {
            Some(name) => (name, "constraint"),
            None => (&said.index_name, if is_primary { "primary" } else { "unique" }),
        };
        let name_at = usize::try_from(self.at(name)?).ok()?;
        let before: String = self.text.chars().take(name_at - 1).collect();
        let found = before.to_ascii_lowercase().rfind(word)?;
        u32::try_from(before.get(..found)?.chars().count() + 1).ok()
    }

    fn columns_not_null(&mut self, table: &mut Altered, columns: &[ColumnId]) -> PgResult<()> {
        let nullable: Vec<(ColumnId, String)> = table
            .new
            .columns
            .iter()
            .filter(|column| column.nullable && columns.contains(&column.id))
            .map(|column| (column.id, column.name.clone()))
            .collect();
        for (id, name) in nullable {
            self.validate_not_null(table, &name)?;
            self.ops.push(DdlOp::SetNullable { table: table.new.uuid, column: id, nullable: false });
            if let Some(column) = table.new.columns.iter_mut().find(|column| column.id == id) {
                column.nullable = false;
            }
        }
        Ok(())
    }
}

/// The columns of an index that a key could have made.
fn key_columns(index: &IndexDef) -> PgResult<Vec<ColumnId>> {
    let name = &index.name;
    let wrong = |message: String| {
        Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
            .detail("Cannot create a primary key or unique constraint using such an index."))
    };
    if !index.unique {
        return wrong(format!("\"{name}\" is not a unique index"));
    }
    if index.keys.iter().any(|key| !matches!(key.of, IndexedBy::Column(_))) {
        return wrong(format!("index \"{name}\" contains expressions"));
    }
    if index.predicate.is_some() {
        return wrong(format!("\"{name}\" is a partial index"));
    }
    if let Some(at) = index.keys.iter().position(|key| key.descending || key.nulls_first) {
        return wrong(format!("index \"{name}\" column number {} does not have default sorting behavior", at + 1));
    }
    let column = |key: &duckmesh_catalog::schema::IndexKey| match key.of {
        IndexedBy::Column(id) => Some(id),
        IndexedBy::Expression(..) => None,
    };
    Ok(index.keys.iter().filter_map(column).collect())
}
