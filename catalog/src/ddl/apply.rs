//! Applying changes to a schema. Messages of errors are Postgres' own.

use std::sync::Arc;

use uuid::Uuid;

use super::{CommentTarget, DdlOp};
use crate::{
    ColumnDef, ColumnId, ColumnType, Constraint, ConstraintKind, ErrorKind, IndexDef, LakeSchema, SchemaDef, SchemaId,
    SequenceDef, SequenceId, SequenceSpec, TableDef, TableId, ViewDef, ViewId, catalog::Result, error::Error,
    schema::DEFAULT_SCHEMA,
};

impl LakeSchema {
    /// The schema after the changes, in order. All of them can be made, or the error of the first that cannot.
    ///
    /// `snapshot`, `schema_version` and `ddl_offset` stay as they were: publication gives new ones.
    pub fn apply(&self, ops: &[DdlOp]) -> Result<Self> {
        let mut schema = self.clone();
        for op in ops {
            schema.apply_one(op)?;
        }
        // Postgres allows a table without columns; a lake's files need one.
        if let Some(bare) = schema.tables.values().find(|table| table.columns.is_empty()) {
            let message = format!("cannot drop the last column of table \"{}\"", bare.name);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        schema.link_types();
        Ok(schema)
    }

    fn apply_one(&mut self, op: &DdlOp) -> Result<()> {
        match op {
            DdlOp::CreateSchema { uuid, name } => self.create_schema(*uuid, name),
            DdlOp::DropSchema { uuid } => self.drop_schema(*uuid),
            DdlOp::CreateTable { uuid, schema, name, columns, constraints } => {
                self.create_table(*uuid, *schema, name, columns, constraints)
            }
            DdlOp::DropTable { uuid } => {
                let id = self.table_mut(*uuid)?.id;
                self.tables.remove(&id);
                self.sequences.retain(|_, s| s.spec.owner.is_none_or(|(table, _)| table != *uuid));
                Ok(())
            }
            DdlOp::RenameTable { uuid, name } => {
                let schema = self.table_mut(*uuid)?.schema_id;
                self.check_free(schema, name)?;
                self.table_mut(*uuid)?.name.clone_from(name);
                Ok(())
            }
            DdlOp::AddColumn { table, column } => self.table_mut(*table)?.add_column(column),
            DdlOp::DropColumn { table, column } => {
                self.table_mut(*table)?.drop_column(*column)?;
                self.sequences.retain(|_, s| s.spec.owner != Some((*table, *column)));
                Ok(())
            }
            DdlOp::RenameColumn { table, column, name, checks } => {
                self.table_mut(*table)?.rename_column(*column, name, checks)
            }
            DdlOp::SetDefault { table, column, default } => {
                self.table_mut(*table)?.column_mut(*column)?.default.clone_from(default);
                Ok(())
            }
            DdlOp::SetNullable { table, column, nullable } => {
                self.table_mut(*table)?.column_mut(*column)?.nullable = *nullable;
                Ok(())
            }
            DdlOp::AddConstraint { table, constraint } => self.table_mut(*table)?.add_constraint(constraint),
            DdlOp::DropConstraint { table, name } => self.table_mut(*table)?.drop_constraint(name),
            DdlOp::CreateView { uuid, schema, name, duckdb_sql, postgres_sql, columns } => {
                self.create_view(*uuid, *schema, name, duckdb_sql, postgres_sql, columns)
            }
            DdlOp::DropView { uuid } => {
                let id = self.view_mut(*uuid)?.id;
                self.views.remove(&id);
                Ok(())
            }
            DdlOp::RenameView { uuid, name } => {
                let schema = self.view_mut(*uuid)?.schema_id;
                self.check_free(schema, name)?;
                self.view_mut(*uuid)?.name.clone_from(name);
                Ok(())
            }
            DdlOp::SetType { table, column, ty } => self.table_mut(*table)?.set_type(*column, ty),
            DdlOp::Truncate { table } => self.table_mut(*table).map(|_| ()),
            DdlOp::CreateSequence { uuid, schema, name, spec } => self.create_sequence(*uuid, *schema, name, spec),
            DdlOp::AlterSequence { uuid, name, spec } => self.alter_sequence(*uuid, name, spec),
            DdlOp::DropSequence { uuid } => {
                let id = self.sequence_id(*uuid)?;
                self.sequences.remove(&id);
                Ok(())
            }
            DdlOp::CreateIndex { table, index } => {
                let schema = self.table_mut(*table)?.schema_id;
                self.check_free(schema, &index.name)?;
                self.table_mut(*table)?.indexes.push(index.clone());
                Ok(())
            }
            DdlOp::AlterIndex { table, index } => self.alter_index(*table, index),
            DdlOp::DropIndex { table, index } => {
                self.table_mut(*table)?.index_mut(*index)?;
                self.table_mut(*table)?.indexes.retain(|i| i.uuid != *index);
                Ok(())
            }
            DdlOp::CreateType { uuid, schema, name, spec } => self.create_type(*uuid, *schema, name, spec),
            DdlOp::AlterType { uuid, schema, name, spec } => self.alter_type(*uuid, *schema, name, spec),
            DdlOp::DropType { uuid } => self.drop_type(*uuid),
            DdlOp::Comment { on, comment } => self.comment(on, comment.as_ref()),
            DdlOp::Retype { table, column } => self.table_mut(*table)?.retype(column),
            DdlOp::RenameSchema { uuid, name } => self.rename_schema(*uuid, name),
            DdlOp::Move { uuid, schema } => self.move_relation(*uuid, *schema),
        }
    }

    fn create_schema(&mut self, uuid: Uuid, name: &str) -> Result<()> {
        if self.schemas.contains_key(name) {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("schema \"{name}\" already exists")));
        }
        let schema = SchemaDef {
            id: SchemaId::new(self.next_id()),
            uuid,
            name: name.to_owned(),
            path: folder(name, uuid),
            comment: None,
        };
        self.schemas.insert(name.to_owned(), Arc::new(schema));
        Ok(())
    }

    fn drop_schema(&mut self, uuid: Uuid) -> Result<()> {
        let schema = Arc::clone(self.schema_by_uuid(uuid)?);
        let used = self.tables.values().any(|t| t.schema_id == schema.id)
            || self.views.values().any(|v| v.schema_id == schema.id)
            || self.sequences.values().any(|s| s.schema_id == schema.id)
            || self.types.values().any(|t| t.schema_id == schema.id);
        if used {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("cannot drop schema {} because other objects depend on it", schema.name),
            ));
        }
        if schema.name == DEFAULT_SCHEMA {
            return Err(Error::new(ErrorKind::Invalid, "cannot drop schema public: every lake has it"));
        }
        self.schemas.remove(&schema.name);
        Ok(())
    }

    fn rename_schema(&mut self, uuid: Uuid, name: &str) -> Result<()> {
        if self.schemas.contains_key(name) {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("schema \"{name}\" already exists")));
        }
        let schema = Arc::clone(self.schema_by_uuid(uuid)?);
        if schema.name == DEFAULT_SCHEMA {
            return Err(Error::new(ErrorKind::Invalid, "cannot rename schema public: every lake has it"));
        }
        // DuckLake has one row for a schema, without history: the renamed one is another, with all that was in it.
        let id = SchemaId::new(self.next_id());
        self.schemas.remove(&schema.name);
        self.schemas.insert(name.to_owned(), Arc::new(SchemaDef { id, name: name.to_owned(), ..(*schema).clone() }));
        let own = |of: SchemaId| of == schema.id;
        self.tables.values_mut().filter(|t| own(t.schema_id)).for_each(|t| Arc::make_mut(t).schema_id = id);
        self.views.values_mut().filter(|v| own(v.schema_id)).for_each(|v| Arc::make_mut(v).schema_id = id);
        self.sequences.values_mut().filter(|s| own(s.schema_id)).for_each(|s| Arc::make_mut(s).schema_id = id);
        self.types.values_mut().filter(|t| own(t.schema_id)).for_each(|t| Arc::make_mut(t).schema_id = id);
        Ok(())
    }

    fn move_relation(&mut self, uuid: Uuid, schema: Uuid) -> Result<()> {
        let schema = self.schema_by_uuid(schema)?.id;
        if let Some(table) = self.table_by_uuid(uuid).cloned() {
            let indexes = table.indexes.iter().map(|index| &index.name);
            std::iter::once(&table.name).chain(indexes).try_for_each(|name| self.check_free(schema, name))?;
            let table = self.table_mut(uuid)?;
            table.schema_id = schema;
            // Another table may have had that name there.
            table.path = format!("{uuid}-{schema}/");
            return Ok(());
        }
        if let Ok(view) = self.view_mut(uuid).map(|view| view.clone()) {
            self.check_free(schema, &view.name)?;
            self.view_mut(uuid)?.schema_id = schema;
            return Ok(());
        }
        let id = self.sequence_id(uuid)?;
        let Some(sequence) = self.sequences.get(&id).cloned() else { return Ok(()) };
        self.check_free(schema, &sequence.name)?;
        self.sequences.insert(id, Arc::new(SequenceDef { schema_id: schema, ..(*sequence).clone() }));
        Ok(())
    }

    fn create_table(
        &mut self,
        uuid: Uuid,
        schema: Uuid,
        name: &str,
        columns: &[ColumnDef],
        constraints: &[Constraint],
    ) -> Result<()> {
        let schema_id = self.schema_by_uuid(schema)?.id;
        self.check_free(schema_id, name)?;
        if self.table_by_uuid(uuid).is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("relation \"{name}\" already exists")));
        }
        let mut table = TableDef {
            id: TableId::new(self.next_id()),
            uuid,
            schema_id,
            name: name.to_owned(),
            path: folder(name, uuid),
            columns: Vec::with_capacity(columns.len()),
            next_column_id: ColumnId::new(1),
            constraints: Vec::with_capacity(constraints.len()),
            indexes: Vec::new(),
            comment: None,
        };
        for column in columns {
            if table.column(&column.name).is_some() {
                let message = format!("column \"{}\" specified more than once", column.name);
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            table.push_column(column)?;
        }
        for constraint in constraints {
            table.add_constraint(constraint)?;
        }
        self.tables.insert(table.id, Arc::new(table));
        Ok(())
    }

    fn create_view(
        &mut self,
        uuid: Uuid,
        schema: Uuid,
        name: &str,
        duckdb_sql: &str,
        postgres_sql: &str,
        columns: &[(String, ColumnType)],
    ) -> Result<()> {
        let schema_id = self.schema_by_uuid(schema)?.id;
        if let Ok(view) = self.view_mut(uuid) {
            duckdb_sql.clone_into(&mut view.duckdb_sql);
            view.postgres_sql = Some(postgres_sql.to_owned());
            view.columns = columns.to_vec();
            return Ok(());
        }
        self.check_free(schema_id, name)?;
        let view = ViewDef {
            id: ViewId::new(self.next_id()),
            uuid,
            schema_id,
            name: name.to_owned(),
            duckdb_sql: duckdb_sql.to_owned(),
            postgres_sql: Some(postgres_sql.to_owned()),
            columns: columns.to_vec(),
            comment: None,
        };
        self.views.insert(view.id, Arc::new(view));
        Ok(())
    }

    fn create_sequence(&mut self, uuid: Uuid, schema: Uuid, name: &str, spec: &SequenceSpec) -> Result<()> {
        let schema_id = self.schema_by_uuid(schema)?.id;
        self.check_free(schema_id, name)?;
        let id = SequenceId::new(self.next_id());
        let sequence = SequenceDef { id, uuid, schema_id, name: name.to_owned(), spec: spec.clone() };
        self.sequences.insert(id, Arc::new(sequence));
        Ok(())
    }

    fn alter_sequence(&mut self, uuid: Uuid, name: &str, spec: &SequenceSpec) -> Result<()> {
        let id = self.sequence_id(uuid)?;
        let Some(sequence) = self.sequences.get(&id).cloned() else { return Ok(()) };
        if sequence.name != name {
            self.check_free(sequence.schema_id, name)?;
        }
        let changed = SequenceDef { name: name.to_owned(), spec: spec.clone(), ..(*sequence).clone() };
        self.sequences.insert(id, Arc::new(changed));
        Ok(())
    }

    fn alter_index(&mut self, table: Uuid, index: &IndexDef) -> Result<()> {
        let schema = self.table_mut(table)?.schema_id;
        if self.table_mut(table)?.index_mut(index.uuid)?.name != index.name {
            self.check_free(schema, &index.name)?;
        }
        self.table_mut(table)?.index_mut(index.uuid)?.clone_from(index);
        Ok(())
    }

    fn sequence_id(&self, uuid: Uuid) -> Result<SequenceId> {
        let found = self.sequence_by_uuid(uuid).map(|s| s.id);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("sequence {uuid} does not exist")))
    }

    fn comment(&mut self, on: &CommentTarget, comment: Option<&String>) -> Result<()> {
        let comment = comment.cloned();
        match on {
            CommentTarget::Schema(uuid) => {
                let name = self.schema_by_uuid(*uuid)?.name.clone();
                if let Some(schema) = self.schemas.get_mut(&name) {
                    Arc::make_mut(schema).comment = comment;
                }
            }
            CommentTarget::Table(uuid) => self.table_mut(*uuid)?.comment = comment,
            CommentTarget::Column(table, column) => {
                self.table_mut(*table)?.column_mut(*column)?.comment = comment;
            }
            CommentTarget::View(uuid) => self.view_mut(*uuid)?.comment = comment,
            CommentTarget::Constraint(table, name) => {
                let table = self.table_mut(*table)?;
                let found = table.constraints.iter_mut().find(|c| c.name == *name);
                let missing = || Error::new(ErrorKind::NotFound, format!("constraint \"{name}\" does not exist"));
                found.ok_or_else(missing)?.comment = comment;
            }
            CommentTarget::Type(uuid) => return self.comment_type(*uuid, comment),
        }
        Ok(())
    }

    fn next_id(&mut self) -> i64 {
        let id = self.next_catalog_id;
        self.next_catalog_id += 1;
        id
    }

    /// Tables, views and sequences share their names.
    fn check_free(&self, schema: SchemaId, name: &str) -> Result<()> {
        let taken = self.tables.values().any(|t| t.schema_id == schema && t.name == name)
            || self.views.values().any(|v| v.schema_id == schema && v.name == name)
            || self.sequences.values().any(|s| s.schema_id == schema && s.name == name)
            || self.index(schema, name).is_some();
        if taken {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("relation \"{name}\" already exists")));
        }
        Ok(())
    }

    pub(super) fn schema_by_uuid(&self, uuid: Uuid) -> Result<&Arc<SchemaDef>> {
        self.schemas
            .values()
            .find(|s| s.uuid == uuid)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("schema {uuid} does not exist")))
    }

    fn table_mut(&mut self, uuid: Uuid) -> Result<&mut TableDef> {
        self.tables
            .values_mut()
            .find(|t| t.uuid == uuid)
            .map(Arc::make_mut)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("table {uuid} does not exist")))
    }

    fn view_mut(&mut self, uuid: Uuid) -> Result<&mut ViewDef> {
        self.views
            .values_mut()
            .find(|v| v.uuid == uuid)
            .map(Arc::make_mut)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("view {uuid} does not exist")))
    }
}

impl TableDef {
    fn add_column(&mut self, column: &ColumnDef) -> Result<()> {
        if self.column(&column.name).is_some() {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("column \"{}\" of relation \"{}\" already exists", column.name, self.name),
            ));
        }
        self.push_column(column)
    }

    fn push_column(&mut self, column: &ColumnDef) -> Result<()> {
        let is_array = matches!(column.ty, ColumnType::Array(_));
        if column.id != self.next_column_id || column.element_id != is_array.then(|| column.id.next()) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("column \"{}\" of relation \"{}\" was numbered for another table", column.name, self.name),
            ));
        }
        self.next_column_id = column.element_id.unwrap_or(column.id).next();
        self.columns.push(column.clone());
        Ok(())
    }

    fn drop_column(&mut self, column: ColumnId) -> Result<()> {
        self.column_mut(column)?;
        self.columns.retain(|c| c.id != column);
        // CHECK expressions are text here: the caller drops those that name the column by operations of their own.
        self.constraints.retain(|c| match &c.kind {
            ConstraintKind::PrimaryKey { columns }
            | ConstraintKind::Unique { columns }
            | ConstraintKind::ForeignKey { columns, .. } => {
                !columns.contains(&column) && !c.options.include.contains(&column)
            }
            ConstraintKind::Check { .. } => true,
        });
        self.indexes.retain(|index| !index.has_column(column));
        Ok(())
    }

    fn rename_column(&mut self, column: ColumnId, name: &str, checks: &[Constraint]) -> Result<()> {
        if self.columns.iter().any(|c| c.id != column && c.name == name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("column \"{name}\" of relation \"{}\" already exists", self.name),
            ));
        }
        name.clone_into(&mut self.column_mut(column)?.name);
        for check in checks {
            if let Some(old) = self.constraints.iter_mut().find(|c| c.name == check.name) {
                old.kind.clone_from(&check.kind);
            }
        }
        Ok(())
    }

    fn set_type(&mut self, column: ColumnId, ty: &ColumnType) -> Result<()> {
        let table = self.name.clone();
        let column = self.column_mut(column)?;
        if !column.ty.reads_as(ty) {
            let message = format!("column \"{}\" of relation \"{table}\" cannot become {ty}", column.name);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        column.ty = ty.clone();
        Ok(())
    }

    fn retype(&mut self, column: &ColumnDef) -> Result<()> {
        let (table, next) = (self.name.clone(), self.next_column_id);
        let own = self.column_mut(column.id)?;
        let is_array = matches!(column.ty, ColumnType::Array(_));
        if column.element_id.is_some() != is_array
            || (own.element_id != column.element_id && column.element_id.is_some_and(|id| id != next))
        {
            let message = format!("column \"{}\" of relation \"{table}\" was numbered for another table", column.name);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let added = column.element_id.filter(|_| own.element_id != column.element_id);
        own.clone_from(column);
        if let Some(id) = added {
            self.next_column_id = id.next();
        }
        Ok(())
    }

    fn add_constraint(&mut self, constraint: &Constraint) -> Result<()> {
        if self.constraints.iter().any(|c| c.name == constraint.name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("constraint \"{}\" for relation \"{}\" already exists", constraint.name, self.name),
            ));
        }
        let is_key = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. });
        if is_key(constraint) && self.constraints.iter().any(is_key) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("multiple primary keys for table \"{}\" are not allowed", self.name),
            ));
        }
        self.constraints.push(constraint.clone());
        Ok(())
    }

    fn drop_constraint(&mut self, name: &str) -> Result<()> {
        let before = self.constraints.len();
        self.constraints.retain(|c| c.name != name);
        if self.constraints.len() == before {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("constraint \"{name}\" of relation \"{}\" does not exist", self.name),
            ));
        }
        Ok(())
    }

    fn index_mut(&mut self, uuid: Uuid) -> Result<&mut IndexDef> {
        let missing = || Error::new(ErrorKind::NotFound, format!("index {uuid} does not exist"));
        self.indexes.iter_mut().find(|index| index.uuid == uuid).ok_or_else(missing)
    }

    fn column_mut(&mut self, id: ColumnId) -> Result<&mut ColumnDef> {
        let name = self.name.clone();
        self.columns.iter_mut().find(|c| c.id == id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("column {id} of relation \"{name}\" does not exist"))
        })
    }
}

/// The folder of a schema or table: its name where every file system and URL takes it, else its uuid.
fn folder(name: &str, uuid: Uuid) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain && name.len() <= 63 { format!("{name}/") } else { format!("{uuid}/") }
}
