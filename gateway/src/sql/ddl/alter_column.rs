//! ADD COLUMN, ALTER COLUMN.

use duckmesh_catalog::{
    ColumnType,
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
    depends,
    lookup::Relation,
};
use crate::{
    sql::{
        check, default,
        plan::{DefaultProgram, PlanContext, SessionValue},
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

/// Whether USING only casts the column to its new type.
fn says_nothing(using: &Expr, name: &str, ty: &ColumnType, ctx: &PlanContext) -> bool {
    match using {
        Expr::Nested(inner) => says_nothing(inner, name, ty, ctx),
        Expr::Identifier(ident) => crate::sql::quote::fold(ident) == name,
        Expr::Cast { expr, data_type, .. } => {
            user_type::resolve(data_type, ctx).is_ok_and(|cast| cast.ty == *ty) && says_nothing(expr, name, ty, ctx)
        }
        _ => false,
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
        if numbered {
            self.validate_empty(table, &name)?;
        }
        let of_domain = match (&added.default, added.domain) {
            (None, Some(domain)) => crate::sql::domain::default(&self.ctx.schema, domain),
            _ => None,
        };
        added.initial_default = match added.default.as_ref().or(of_domain.as_ref()) {
            None => None,
            _ if numbered => None,
            Some(DefaultValue::Literal(text)) => Some(text.clone()),
            Some(DefaultValue::Expression(sql)) => Some(self.once(sql, &added.ty)?),
            Some(DefaultValue::Generated(_)) => None,
        };
        self.domain_takes(table, &added)?;
        let mut pending: Vec<Pending<'_>> = Vec::new();
        constraint::of_column(column, &added.name, &mut pending);
        let (id, nullable, has_values) = (added.id, added.nullable, added.initial_default.is_some());
        self.ops.push(DdlOp::AddColumn { table: table.new.uuid, column: added.clone() });
        push(&mut table.new, added);
        self.check_generated(&table.new)?;
        if !nullable && !has_values && !numbered {
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

    /// The value that rows which are there already get: the expression's, computed once.
    fn once(&self, sql: &str, ty: &ColumnType) -> PgResult<String> {
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
            matches!(ty, ColumnType::Timestamptz | ColumnType::Timestamp | ColumnType::Date | ColumnType::Time);
        match program {
            // `now` is read as the start of the transaction, in the session's zone.
            _ if moment && holds_moment => to_lake_text("now", ty, &self.ctx.values),
            DefaultProgram::Session(SessionValue::User) => to_lake_text(&self.ctx.user, ty, &self.ctx.values),
            DefaultProgram::Session(SessionValue::Database) => {
                to_lake_text(self.ctx.lake.as_str(), ty, &self.ctx.values)
            }
            _ => Err(PgError::unsupported(format!(
                "ADD COLUMN with the default {sql} is not supported: rows that are there would each need a value"
            ))
            .hint("Add the column without a default, then use ALTER COLUMN … SET DEFAULT for new rows.")),
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
                if table.new.column(&name).is_some_and(|column| column.domain != domain) {
                    return Err(PgError::unsupported("changing a column to or from a domain is not supported")
                        .hint("Add a column of the domain, or use a CHECK constraint."));
                }
                self.set_type(table, &name, declared.ty, using.as_ref())
            }
            AlterColumnOperation::AddGenerated { generated_as, sequence_options } => {
                self.add_identity(table, &name, generated_as.as_ref(), sequence_options.as_ref())
            }
        }
    }

    /// Files are not written anew: the new type must be one that they can be read as.
    fn set_type(&mut self, table: &mut Altered, name: &str, ty: ColumnType, using: Option<&Expr>) -> PgResult<()> {
        let Some(column) = table.new.column(name).cloned() else { return Ok(()) };
        self.not_computed_from(table, name)?;
        if column.ty == ty && using.is_none() {
            return Ok(());
        }
        if !column.ty.reads_as(&ty) || !using.is_none_or(|expr| says_nothing(expr, name, &ty, self.ctx)) {
            let message = format!("changing column \"{name}\" from {} to {ty} is not supported", column.ty);
            return Err(PgError::unsupported(message).hint(
                "Types can widen (integers, text, precision of numeric). Else add a column of the new type, \
                 or use CREATE TABLE AS with a cast.",
            ));
        }
        let relation = Relation::Table(std::sync::Arc::clone(&table.old));
        if let Some(dependent) = depends::views_on_column(self, &relation, name).first() {
            let view = &dependent.view.name;
            let message = "cannot alter type of a column used by a view or rule";
            return Err(PgError::unsupported(message)
                .detail(format!("rule _RETURN on view {view} depends on column \"{name}\"")));
        }
        if let ColumnType::Varchar(Some(length)) = &ty {
            self.validate_length(table, name, *length)?;
        }
        let id = column.id;
        if let Some(column) = table.new.columns.iter_mut().find(|c| c.id == id) {
            column.ty = ty.clone();
        }
        self.ops.push(DdlOp::SetType { table: table.new.uuid, column: id, ty });
        Ok(())
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
        let Some(ty) = table.new.column(name).map(|c| c.ty.clone()) else {
            return Ok(());
        };
        let default = match value {
            Some(value) => self.default(value, name, &ty)?,
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
