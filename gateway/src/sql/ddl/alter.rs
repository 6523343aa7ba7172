//! ALTER TABLE: its actions one after the other, each on what the ones before left.

use std::{collections::HashMap, sync::Arc};

use duckmesh_catalog::{
    ColumnId, TableDef,
    ddl::DdlOp,
    schema::{Constraint, ConstraintKind},
};
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation as Operation, DropBehavior, Ident, RenameTableNameKind,
    TableConstraint,
};

use super::{
    Planner,
    constraint::{Pending, is_key},
    create_table::not_enforced,
    depends,
    lookup::{Relation, already_exists, no_column, no_relation},
    names::{self, schema_in_sql},
    rename,
};
use crate::{
    sql::{check, plan::Plan},
    wire::error::{PgError, PgResult, SqlState},
};

/// The table an ALTER TABLE changes, before it and so far.
pub(super) struct Altered {
    pub(super) old: Arc<TableDef>,
    pub(super) new: TableDef,
    /// The lake's name of its schema.
    pub(super) schema: String,
    /// Whether rows that are there must be written anew.
    pub(super) rewritten: bool,
    /// Whether it gets columns in the same statement.
    pub(super) grows: bool,
    /// What columns of another type are made of, in words of the table as it was: the expression, and whether USING said it.
    pub(super) conversions: HashMap<ColumnId, (String, bool)>,
}

impl Altered {
    /// Nothing is changed yet. `schema`: the lake's name of its schema.
    pub(super) fn new(table: Arc<TableDef>, schema: String) -> Self {
        let conversions = HashMap::new();
        Self { new: table.as_ref().clone(), old: table, schema, rewritten: false, grows: false, conversions }
    }

    /// The column of that name, as it is now.
    pub(super) fn column_id(&self, name: &str) -> PgResult<ColumnId> {
        let column = self.new.column(name);
        column.map(|c| c.id).ok_or_else(|| no_column(name, &self.new.name))
    }
}

pub(super) fn plan(mut planner: Planner<'_>, alter: &AlterTable) -> PgResult<Plan> {
    planner.not_system(&alter.name)?;
    let table = match planner.find(&alter.name)? {
        Some(Relation::Table(table)) => table,
        Some(view) => return on_view(planner, &view, &alter.operations),
        None => {
            let (schema, name) = planner.split(&alter.name)?;
            if alter.if_exists {
                let notice = format!("relation \"{name}\" does not exist, skipping");
                planner.notices.push(PgError::notice(notice));
                return Ok(planner.finish("ALTER TABLE"));
            }
            let shown = schema.map_or(name.clone(), |s| format!("{s}.{name}"));
            return Err(no_relation(&shown));
        }
    };
    let schema = Relation::Table(Arc::clone(&table)).schema(&planner.ctx.schema).to_owned();
    let mut altered = Altered::new(table, schema);
    let mut operations: Vec<&Operation> = alter.operations.iter().collect();
    operations.sort_by_key(|operation| pass(operation));
    altered.grows = operations.iter().any(|operation| matches!(operation, Operation::AddColumn { .. }));
    for operation in operations {
        planner.action(&mut altered, operation)?;
    }
    // Rows need a column that is there.
    altered.rewritten |= altered.old.columns.iter().all(|column| altered.new.column_by_id(column.id).is_none());
    planner.rewrite(&altered)?;
    Ok(planner.finish("ALTER TABLE"))
}

/// Postgres' order of the actions of one statement, whatever order they are written in.
fn pass(operation: &Operation) -> u8 {
    match operation {
        Operation::DropColumn { .. } | Operation::DropConstraint { .. } => 0,
        Operation::AlterColumn {
            op: AlterColumnOperation::DropDefault | AlterColumnOperation::DropNotNull, ..
        } => 0,
        Operation::AlterColumn { op: AlterColumnOperation::SetDataType { .. }, .. } => 1,
        Operation::AddColumn { .. } => 2,
        Operation::AlterColumn { .. } => 3,
        Operation::AddConstraint { .. } => 4,
        _ => 5,
    }
}

impl Planner<'_> {
    fn action(&mut self, table: &mut Altered, operation: &Operation) -> PgResult<()> {
        match operation {
            Operation::AddColumn { if_not_exists, column_def, .. } => {
                self.add_column(table, column_def, *if_not_exists)
            }
            Operation::DropColumn { column_names, if_exists, drop_behavior, .. } => {
                let cascade = matches!(drop_behavior, Some(DropBehavior::Cascade));
                column_names.iter().try_for_each(|name| self.drop_column(table, name, *if_exists, cascade))
            }
            Operation::RenameColumn { old_column_name, new_column_name } => {
                rename::column(self, table, old_column_name, new_column_name)
            }
            Operation::RenameTable { table_name: RenameTableNameKind::To(name) | RenameTableNameKind::As(name) } => {
                rename::table(self, table, name)
            }
            Operation::AlterColumn { column_name, op } => self.alter_column(table, column_name, op),
            Operation::AddConstraint { constraint: TableConstraint::PrimaryKeyUsingIndex(said), .. } => {
                self.key_of_index(table, said, true)
            }
            Operation::AddConstraint { constraint: TableConstraint::UniqueUsingIndex(said), .. } => {
                self.key_of_index(table, said, false)
            }
            Operation::AddConstraint { constraint, not_valid } => self.add_constraint(table, constraint, *not_valid),
            Operation::DropConstraint { if_exists, name, drop_behavior } => {
                let cascade = matches!(drop_behavior, Some(DropBehavior::Cascade));
                self.drop_constraint(table, name, *if_exists, cascade)
            }
            Operation::RenameConstraint { old_name, new_name } => self.rename_constraint(table, old_name, new_name),
            Operation::ValidateConstraint { name } => {
                let name = self.fold(name)?;
                self.validate_constraint(table, &name)
            }
            Operation::OwnerTo { new_owner } => self.check_new_owner(new_owner),
            // There are none.
            Operation::DisableTrigger { name } | Operation::EnableTrigger { name }
                if ["all", "user"].iter().any(|word| name.value.eq_ignore_ascii_case(word)) =>
            {
                self.notices.push(PgError::notice(format!("ALTER TABLE … {operation} has no effect")));
                Ok(())
            }
            Operation::SetLogged
            | Operation::SetUnlogged
            | Operation::ReplicaIdentity { .. }
            | Operation::SetOptionsParens { .. } => {
                self.notices.push(PgError::notice(format!("ALTER TABLE … {operation} has no effect")));
                Ok(())
            }
            other => Err(PgError::unsupported(format!("ALTER TABLE … {other} is not supported"))),
        }
    }

    fn drop_column(&mut self, table: &mut Altered, name: &Ident, if_exists: bool, cascade: bool) -> PgResult<()> {
        let name = self.fold(name)?;
        let id = match table.column_id(&name) {
            Ok(id) => id,
            Err(error) if if_exists => {
                let message = format!("{}, skipping", error.fields().message);
                self.notices.push(PgError::notice(message));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if table.new.columns.len() == 1 && !table.grows {
            return Err(PgError::unsupported(format!(
                "cannot drop column \"{name}\": it is the only one of table \"{}\"",
                table.new.name
            ))
            .hint("Use DROP TABLE, or add another column first."));
        }
        let mut lines = self.drop_generated_of(table, &name);
        lines.extend(self.drop_foreign_keys_on_column(table, &name));
        let relation = Relation::Table(Arc::clone(&table.old));
        let what = format!("column {name} of {}", self.describe(&relation));
        // Views were made for the table as it was before this statement.
        if let Some(before) = table.old.column_by_id(id) {
            let dependents = depends::views_on_column(self, &relation, &before.name);
            let dropped = |uuid| self.ops.contains(&DdlOp::DropView { uuid });
            let dependents: Vec<_> = dependents.into_iter().filter(|d| !dropped(d.view.uuid)).collect();
            lines.extend(self.lines_of_column(&dependents));
            for dependent in dependents {
                self.ops.push(DdlOp::DropView { uuid: dependent.view.uuid });
            }
        }
        self.restrict_or_tell_lines(&lines, cascade, Some(what))?;
        let gone: Vec<_> = table
            .new
            .constraints
            .iter()
            .filter(|c| rename::constraint_names(c, id, &name))
            .map(|c| c.name.clone())
            .collect();
        for constraint in gone {
            table.new.constraints.retain(|c| c.name != constraint);
            self.ops.push(DdlOp::DropConstraint { table: table.new.uuid, name: constraint });
        }
        let indexes: Vec<_> =
            table.new.indexes.iter().filter(|i| rename::index_names(i, id, &name)).map(|i| i.uuid).collect();
        for index in indexes {
            table.new.indexes.retain(|i| i.uuid != index);
            self.ops.push(DdlOp::DropIndex { table: table.new.uuid, index });
        }
        table.new.columns.retain(|c| c.id != id);
        self.ops.push(DdlOp::DropColumn { table: table.new.uuid, column: id });
        Ok(())
    }

    fn add_constraint(&mut self, table: &mut Altered, constraint: &TableConstraint, not_valid: bool) -> PgResult<()> {
        let pending = Pending::of_table(constraint);
        let before = table.new.clone();
        let schema = table.schema.clone();
        let mut constraint = self.constraint(&mut table.new, &schema, &pending)?;
        let may_wait = matches!(constraint.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. });
        constraint.options.not_valid = not_valid && may_wait;
        match &constraint.kind {
            ConstraintKind::Check { expression } => {
                let at = pending.expression_at(self.text);
                check::compile_one(expression, &table.new, self.ctx).map_err(|e| match at {
                    Some(at) => e.position(at),
                    None => e,
                })?;
                if !not_valid {
                    self.validate_check(table, &constraint.name, expression)?;
                }
            }
            _ => self.tell_not_enforced(),
        }
        // A primary key makes its columns NOT NULL.
        for (old, new) in before.columns.iter().zip(&table.new.columns.clone()) {
            if old.nullable && !new.nullable {
                self.validate_not_null(table, &new.name)?;
                self.ops.push(DdlOp::SetNullable { table: table.new.uuid, column: new.id, nullable: false });
            }
        }
        table.new.constraints.push(constraint.clone());
        self.ops.push(DdlOp::AddConstraint { table: table.new.uuid, constraint });
        Ok(())
    }

    /// `VALIDATE CONSTRAINT`: rows that were there before it are looked at.
    fn validate_constraint(&mut self, table: &mut Altered, name: &str) -> PgResult<()> {
        let mut constraint = self.constraint_named(table, name)?;
        match &constraint.kind {
            ConstraintKind::ForeignKey { .. } => {}
            ConstraintKind::Check { .. } if !constraint.options.not_valid => {}
            ConstraintKind::Check { expression } => self.validate_check(table, name, expression)?,
            ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } => {
                let table = &table.new.name;
                let message =
                    format!("constraint \"{name}\" of relation \"{table}\" is not a foreign key or check constraint");
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        }
        if constraint.options.not_valid {
            constraint.options.not_valid = false;
            let uuid = table.new.uuid;
            table.new.constraints.retain(|c| c.name != name);
            table.new.constraints.push(constraint.clone());
            self.ops.push(DdlOp::DropConstraint { table: uuid, name: name.to_owned() });
            self.ops.push(DdlOp::AddConstraint { table: uuid, constraint });
        }
        Ok(())
    }

    /// Once for each statement.
    pub(super) fn tell_not_enforced(&mut self) {
        let notice = not_enforced();
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    fn drop_constraint(&mut self, table: &mut Altered, name: &Ident, if_exists: bool, cascade: bool) -> PgResult<()> {
        let name = self.fold(name)?;
        match self.constraint_named(table, &name) {
            Ok(_) => {}
            Err(error) if if_exists => {
                let message = format!("{}, skipping", error.fields().message);
                self.notices.push(PgError::notice(message));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let what = format!(
            "constraint {} on {}",
            names::quote(&name),
            self.describe(&Relation::Table(Arc::clone(&table.old)))
        );
        self.drop_foreign_keys_on_key(table, &name, (what, cascade))?;
        table.new.constraints.retain(|c| c.name != name);
        self.ops.push(DdlOp::DropConstraint { table: table.new.uuid, name });
        Ok(())
    }

    fn rename_constraint(&mut self, table: &mut Altered, old: &Ident, new: &Ident) -> PgResult<()> {
        let (old, new) = (self.fold(old)?, self.fold(new)?);
        let mut constraint = self.constraint_named(table, &old).map_err(|_| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("constraint \"{old}\" for table \"{}\" does not exist", table.new.name),
            )
        })?;
        if is_key(&constraint.kind) && self.key_name_taken(&table.new, &table.schema, &new) {
            return Err(already_exists(&new));
        }
        if self.constraint_named(table, &new).is_ok() {
            return Err(PgError::new(
                SqlState::DUPLICATE_OBJECT,
                format!("constraint \"{new}\" for relation \"{}\" already exists", table.new.name),
            ));
        }
        constraint.name = new;
        let uuid = table.new.uuid;
        table.new.constraints.retain(|c| c.name != old);
        table.new.constraints.push(constraint.clone());
        self.ops.push(DdlOp::DropConstraint { table: uuid, name: old });
        self.ops.push(DdlOp::AddConstraint { table: uuid, constraint });
        Ok(())
    }

    fn constraint_named(&self, table: &Altered, name: &str) -> PgResult<Constraint> {
        let found = table.new.constraints.iter().find(|c| c.name == name);
        found.cloned().ok_or_else(|| {
            PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("constraint \"{name}\" of relation \"{}\" does not exist", table.new.name),
            )
        })
    }
}

/// ALTER TABLE on a view: Postgres allows what makes sense there.
fn on_view(mut planner: Planner<'_>, view: &Relation, operations: &[Operation]) -> PgResult<Plan> {
    for operation in operations {
        let action = match operation {
            Operation::RenameTable { table_name: RenameTableNameKind::To(name) | RenameTableNameKind::As(name) } => {
                match (view, planner.split(name)?) {
                    (Relation::Sequence(sequence), (None, name)) => planner.rename_sequence(sequence, &name)?,
                    _ => rename::view(&mut planner, view, name)?,
                }
                continue;
            }
            Operation::OwnerTo { new_owner } => {
                planner.check_new_owner(new_owner)?;
                continue;
            }
            Operation::RenameColumn { old_column_name, new_column_name } => {
                let (old, new) = (planner.fold(old_column_name)?, planner.fold(new_column_name)?);
                rename::view_column(&mut planner, view, &old, &new)?;
                continue;
            }
            Operation::AddColumn { .. } => "ADD COLUMN",
            Operation::DropColumn { .. } => "DROP COLUMN",
            Operation::AddConstraint { .. } => "ADD CONSTRAINT",
            Operation::DropConstraint { .. } => "DROP CONSTRAINT",
            Operation::AlterColumn { op, .. } => super::alter_column::action_name(op),
            _ => {
                return Err(PgError::unsupported(format!("ALTER TABLE … {operation} is not supported for views")));
            }
        };
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("ALTER action {action} cannot be performed on relation \"{}\"", view.name()),
        )
        .detail("This operation is not supported for views."));
    }
    Ok(planner.finish("ALTER TABLE"))
}

impl Planner<'_> {
    /// What depends, and on what: the same as for whole relations, with the column's name.
    fn lines_of_column(&self, dependents: &[depends::Dependent]) -> Vec<(String, String)> {
        dependents
            .iter()
            .map(|d| {
                let view = Relation::View(Arc::clone(&d.view));
                let on = match &d.column {
                    Some(column) => format!("column {column} of {}", self.describe(&d.on)),
                    None => self.describe(&d.on),
                };
                (self.describe(&view), on)
            })
            .collect()
    }
}

/// The SQL name of the table's schema, for the fields of errors.
pub(super) fn schema_field(table: &Altered) -> &str {
    schema_in_sql(&table.schema)
}
