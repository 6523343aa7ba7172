//! ADD COLUMN, ALTER COLUMN.

use duckmesh_catalog::{
    ColumnDef, ColumnType,
    ddl::DdlOp,
    schema::{ConstraintKind, DefaultValue},
};
use sqlparser::ast::{self, AlterColumnOperation, Expr, Ident};

use super::{
    Planner,
    alter::Altered,
    constraint::{self, Pending},
    create_table::{COLUMNS_MAX, push},
    default::to_lake_text,
};
use crate::{
    sql::{
        check, default, parse,
        plan::{DefaultProgram, SessionValue},
        user_type,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// An action as Postgres' messages name it.
pub(super) fn action_name(op: &AlterColumnOperation) -> &'static str {
    match op {
        AlterColumnOperation::SetNotNull => "ALTER COLUMN ... SET NOT NULL",
        AlterColumnOperation::DropNotNull => "ALTER COLUMN ... DROP NOT NULL",
        AlterColumnOperation::SetDefault { .. } | AlterColumnOperation::DropDefault => "ALTER COLUMN ... SET DEFAULT",
        AlterColumnOperation::SetDataType { .. } => "ALTER COLUMN ... SET DATA TYPE",
        AlterColumnOperation::AddGenerated { .. } => "ALTER COLUMN ... ADD IDENTITY",
    }
}

impl Planner<'_> {
    pub(super) fn add_column(
        &mut self,
        table: &mut Altered,
        column: &ast::ColumnDef,
        if_not_exists: bool,
    ) -> PgResult<()> {
        let name = self.fold(&column.name)?;
        if table.new.column(&name).is_some() {
            let message = format!("column \"{name}\" of relation \"{}\" already exists", table.new.name);
            if !if_not_exists {
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            let notice = PgError::notice(format!("{message}, skipping"));
            self.notices.push(notice.with_code(SqlState::DUPLICATE_COLUMN));
            return Ok(());
        }
        if table.new.columns.len() >= COLUMNS_MAX {
            return Err(PgError::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("tables can have at most {COLUMNS_MAX} columns"),
            ));
        }
        let mut added = self.column(column, &table.new)?;
        let numbered = super::serial::is_numbered(column) || added.generated().is_some();
        table.rewritten |= numbered;
        let of_domain = match (&added.default, added.domain) {
            (None, Some(domain)) => crate::sql::domain::default(&self.ctx.schema, domain),
            _ => None,
        };
        added.initial_default = match added.default.as_ref().or(of_domain.as_ref()) {
            None => None,
            _ if numbered => None,
            Some(DefaultValue::Literal(text)) => Some(text.clone()),
            Some(DefaultValue::Expression(sql)) => self.once(sql, &added.ty)?,
            Some(DefaultValue::Generated(_)) => None,
        };
        // Values that differ are in rows alone: all of them are written with theirs.
        let has_default = of_domain.is_some() || added.default.is_some() && !self.is_of_nulls(&added)?;
        let differs = added.initial_default.is_none() && has_default;
        table.rewritten |= differs;
        if !differs {
            self.domain_takes(table, &added)?;
        }
        let mut pending: Vec<Pending<'_>> = Vec::new();
        constraint::of_column(column, &added.name, &mut pending);
        let (id, nullable, has_values) = (added.id, added.nullable, added.initial_default.is_some());
        self.ops.push(DdlOp::AddColumn { table: table.new.uuid, column: added.clone() });
        push(&mut table.new, added);
        self.check_generated(&table.new)?;
        if !nullable && !has_values && !numbered && !differs {
            self.validate_not_null(table, &name)?;
        }
        let schema = table.schema.clone();
        for item in &pending {
            let constraint = self.constraint(&mut table.new, &schema, item)?;
            if let ConstraintKind::Check { expression } = &constraint.kind {
                check::compile_one(expression, &table.new, self.ctx)?;
                self.validate_check(table, &constraint.name, expression)?;
            } else {
                self.tell_not_enforced();
            }
            table.new.constraints.push(constraint.clone());
            self.ops.push(DdlOp::AddConstraint { table: table.new.uuid, constraint });
        }
        debug_assert!(table.new.column_by_id(id).is_some());
        Ok(())
    }

    /// Whether a column's default is NULL, which stands against that of its domain.
    fn is_of_nulls(&self, added: &ColumnDef) -> PgResult<bool> {
        let Some(DefaultValue::Expression(sql)) = &added.default else { return Ok(false) };
        Ok(super::default::is_null(&parse::expression(sql)?))
    }

    /// The value that rows which are there already get: the expression's, computed once. None: each row has its own.
    fn once(&self, sql: &str, ty: &ColumnType) -> PgResult<Option<String>> {
        if sql.contains("nextval(") {
            return Ok(None);
        }
        let program = default::compile(sql, ty, self.ctx)?;
        let moment = matches!(
            program,
            DefaultProgram::Session(
                SessionValue::TransactionTime
                    | SessionValue::StatementTime
                    | SessionValue::CurrentDate
                    | SessionValue::LocalTime
                    | SessionValue::LocalTimestamp
            )
        );
        let holds_moment =
            matches!(ty.bare(), ColumnType::Timestamptz | ColumnType::Timestamp | ColumnType::Date | ColumnType::Time);
        Ok(match program {
            DefaultProgram::Constant(text) => Some(text),
            // `now` is read as the start of the transaction, in the session's zone.
            _ if moment && holds_moment => Some(to_lake_text("now", ty, &self.ctx.values)?),
            DefaultProgram::Session(SessionValue::User) => Some(to_lake_text(&self.ctx.user, ty, &self.ctx.values)?),
            DefaultProgram::Session(SessionValue::Database) => {
                Some(to_lake_text(self.ctx.lake.as_str(), ty, &self.ctx.values)?)
            }
            _ => None,
        })
    }

    /// What an identity column is does not change under its numbers.
    fn keeps_identity(
        &mut self,
        table: &Altered,
        name: &str,
        id: duckmesh_catalog::ColumnId,
        op: &AlterColumnOperation,
    ) -> PgResult<()> {
        if self.ctx.schema.identity(table.new.uuid, id).is_none() {
            return Ok(());
        }
        let message = format!("column \"{name}\" of relation \"{}\" is an identity column", table.new.name);
        let error = PgError::new(SqlState::SYNTAX_ERROR, message);
        match op {
            AlterColumnOperation::DropNotNull | AlterColumnOperation::SetDefault { .. } => Err(error),
            AlterColumnOperation::DropDefault => {
                Err(error.hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."))
            }
            AlterColumnOperation::SetDataType { data_type, .. } => {
                let ty = user_type::resolve_at(data_type, self.text, self.ctx)?.ty;
                super::serial::check_type(&ty)?;
                self.sequence_follows(table.new.uuid, id, ty)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn alter_column(
        &mut self,
        table: &mut Altered,
        column: &Ident,
        op: &AlterColumnOperation,
    ) -> PgResult<()> {
        let name = self.fold(column)?;
        let id = table.column_id(&name)?;
        self.keeps_identity(table, &name, id, op)?;
        match op {
            AlterColumnOperation::SetNotNull => self.set_nullable(table, &name, false),
            AlterColumnOperation::DropNotNull => {
                let in_key = table
                    .new
                    .constraints
                    .iter()
                    .any(|c| matches!(&c.kind, ConstraintKind::PrimaryKey { columns } if columns.contains(&id)));
                if in_key {
                    return Err(PgError::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!("column \"{name}\" is in a primary key"),
                    ));
                }
                self.set_nullable(table, &name, true)
            }
            AlterColumnOperation::SetDefault { value } => self.set_default(table, &name, Some(value)),
            AlterColumnOperation::DropDefault => self.set_default(table, &name, None),
            AlterColumnOperation::SetDataType { data_type, using, .. } => {
                let declared = user_type::resolve_at(data_type, self.text, self.ctx)?;
                let domain = declared.domain.map(|domain| domain.uuid);
                self.set_type(table, &name, (declared.ty, domain), using.as_ref())
            }
            AlterColumnOperation::AddGenerated { generated_as, sequence_options } => {
                self.add_identity(table, &name, generated_as.as_ref(), sequence_options.as_ref())
            }
        }
    }

    fn set_nullable(&mut self, table: &mut Altered, name: &str, nullable: bool) -> PgResult<()> {
        let uuid = table.new.uuid;
        let Some(column) = table.new.columns.iter_mut().find(|c| c.name == name) else {
            return Ok(());
        };
        if column.nullable == nullable {
            return Ok(());
        }
        column.nullable = nullable;
        let id = column.id;
        if !nullable {
            self.validate_not_null(table, name)?;
        }
        self.ops.push(DdlOp::SetNullable { table: uuid, column: id, nullable });
        Ok(())
    }

    fn set_default(&mut self, table: &mut Altered, name: &str, value: Option<&Expr>) -> PgResult<()> {
        let uuid = table.new.uuid;
        if let Some(column) = table.new.column(name) {
            super::generated::refused(column, &table.new.name)?;
        }
        let Some((ty, domain)) = table.new.column(name).map(|c| (c.ty.clone(), c.domain)) else {
            return Ok(());
        };
        let default = match value {
            Some(value) => self.default_over(value, name, &ty, domain)?,
            None => None,
        };
        let Some(column) = table.new.columns.iter_mut().find(|c| c.name == name) else {
            return Ok(());
        };
        column.default = default.clone();
        let column = column.id;
        self.ops.push(DdlOp::SetDefault { table: uuid, column, default });
        Ok(())
    }
}
