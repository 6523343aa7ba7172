//! A column's definition in CREATE TABLE and ADD COLUMN.

use duckmesh_catalog::{
    ColumnId, ColumnType, TableDef,
    schema::{ColumnDef, DefaultValue},
};
use sqlparser::ast::{self, ColumnOption, Expr, GeneratedExpressionMode, ObjectName, Spanned};

use uuid::Uuid;

use super::{
    Planner,
    lookup::{differs_in_case, same_but_case},
    place, serial,
};
use crate::{
    sql::{rewrite::SYSTEM_COLUMNS, types, user_type},
    wire::error::{PgError, PgResult, SqlState},
};

impl Planner<'_> {
    /// The column's definition, with the table's next id. Constraints other than NOT NULL are not looked at.
    pub(super) fn column(&mut self, column: &ast::ColumnDef, table: &TableDef) -> PgResult<ColumnDef> {
        let name = self.fold(&column.name)?;
        if column.name.quote_style.is_none() && super::names::is_reserved(&name) {
            let message = format!("syntax error at or near \"{}\"", column.name.value);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).or_position(self.at(&column.name)));
        }
        check_new_name(&name, table)?;
        let serial = serial::of_type(&column.data_type);
        let declared = match &serial {
            Some(ty) => ty.clone().into(),
            None => user_type::resolve_at(&column.data_type, self.text, self.ctx)
                .map_err(|error| error.or_position(super::place::after(self.text, column.name.span)))?,
        };
        let ty = types::of_column(&column.data_type, declared.ty);
        if types::is_plain_numeric(&column.data_type) {
            self.notices.push(PgError::notice(format!("column \"{name}\" of type numeric is stored as numeric(38,9)")));
        }
        let (mut nullable, mut default) =
            self.options(column, &name, (&ty, declared.domain.as_ref().map(|domain| domain.uuid)), &table.name)?;
        if let Some(numbers) = serial::asked(column, serial.is_some(), &table.name)? {
            nullable = false;
            let known = default.is_some();
            default = self.numbered(&numbers, &name, &ty, table, known)?;
        }
        let element_id = matches!(ty, ColumnType::Array(_)).then(|| ColumnId::new(table.next_column_id.get() + 1));
        Ok(ColumnDef {
            id: table.next_column_id,
            element_id,
            name,
            ty,
            nullable,
            default,
            initial_default: None,
            comment: None,
            domain: declared.domain.map(|domain| domain.uuid),
        })
    }

    fn options(
        &mut self,
        column: &ast::ColumnDef,
        name: &str,
        (ty, domain): (&ColumnType, Option<Uuid>),
        table: &str,
    ) -> PgResult<(bool, Option<DefaultValue>)> {
        let (mut said, mut is_key, mut default): (Option<bool>, bool, Option<&Expr>) = (None, false, None);
        let mut computed = None;
        for option in &column.options {
            match &option.option {
                ColumnOption::Null | ColumnOption::NotNull => {
                    let nullable = matches!(option.option, ColumnOption::Null);
                    if said.is_some_and(|s| s != nullable) {
                        return Err(conflicting_null(name, table).or_position(place::of_span(self.text, option.span())));
                    }
                    said = Some(nullable);
                }
                ColumnOption::PrimaryKey(_) => is_key = true,
                ColumnOption::Default(expr) if default.is_some() => {
                    return Err(PgError::new(
                        SqlState::SYNTAX_ERROR,
                        format!("multiple default values specified for column \"{name}\" of table \"{table}\""),
                    )
                    .or_position(place::of_span(self.text, expr.span())));
                }
                ColumnOption::Default(expr) => default = Some(expr),
                ColumnOption::Unique(_) | ColumnOption::ForeignKey(_) | ColumnOption::Check(_) => {}
                ColumnOption::Collation(collation) => self.collation(collation, ty)?,
                // What makes numbers is looked at by `serial`.
                ColumnOption::Generated { generation_expr: None, .. } => {}
                ColumnOption::Generated { generation_expr: Some(expr), generation_expr_mode, .. } => {
                    if !matches!(generation_expr_mode, Some(GeneratedExpressionMode::Stored)) {
                        return Err(PgError::new(SqlState::SYNTAX_ERROR, "generated columns must be STORED"));
                    }
                    if computed.is_some() {
                        let message =
                            format!("multiple generation clauses specified for column \"{name}\" of table \"{table}\"");
                        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
                    }
                    computed = Some(user_type::stored(expr, self.ctx));
                }
                ColumnOption::Identity(_) => {
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"IDENTITY\""));
                }
                other => {
                    return Err(PgError::unsupported(format!("column option {other} is not supported")));
                }
            }
        }
        if computed.is_some() && default.is_some() {
            let message =
                format!("both default and generation expression specified for column \"{name}\" of table \"{table}\"");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        let default = match default {
            _ if computed.is_some() => computed.map(DefaultValue::Generated),
            Some(expr) => self.default_over(expr, name, ty, domain)?,
            None => None,
        };
        Ok((!is_key && said != Some(false), default))
    }

    /// Text is compared by its bytes, which is Postgres' collation "C".
    fn collation(&mut self, collation: &ObjectName, ty: &ColumnType) -> PgResult<()> {
        let (_, name) = self.split(collation)?;
        let text = match ty {
            ColumnType::Array(element) => element.as_ref(),
            other => other,
        };
        if !matches!(text, ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Char(_)) {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("collations are not supported by type {}", type_name(ty)),
            )
            .or_position(self.at_name(collation)));
        }
        match name.as_str() {
            "C" | "POSIX" | "default" | "ucs_basic" => Ok(()),
            _ => Err(PgError::unsupported(format!("collation \"{name}\" is not supported"))
                .hint("Text is compared by its bytes: COLLATE \"C\".")
                .or_position(self.at_name(collation))),
        }
    }
}

/// Refuses a name that the table has already, in this case or another.
pub(super) fn check_new_name(name: &str, table: &TableDef) -> PgResult<()> {
    if SYSTEM_COLUMNS.contains(&name) {
        return Err(PgError::new(
            SqlState::DUPLICATE_COLUMN,
            format!("column name \"{name}\" conflicts with a system column name"),
        ));
    }
    if table.column(name).is_some() {
        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
    }
    match table.columns.iter().find(|c| same_but_case(&c.name, name)) {
        Some(other) => Err(differs_in_case("column", name, &other.name)),
        None => Ok(()),
    }
}

/// A type as messages about it say: without its length.
pub(super) fn type_name(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Varchar(_) => "character varying".into(),
        ColumnType::Char(_) => "character".into(),
        ColumnType::Numeric(..) => "numeric".into(),
        ColumnType::Modified(ty, _) => type_name(ty),
        ColumnType::Array(element) => format!("{}[]", type_name(element)),
        other => other.to_string(),
    }
}

fn conflicting_null(column: &str, table: &str) -> PgError {
    PgError::new(
        SqlState::SYNTAX_ERROR,
        format!("conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{table}\""),
    )
}
