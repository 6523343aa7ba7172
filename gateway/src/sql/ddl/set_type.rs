//! ALTER COLUMN … TYPE: where files can be read as the new type they stay, else all rows are written anew.

use std::sync::Arc;

use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, ConstraintKind, ddl::DdlOp, schema::DefaultValue};
use sqlparser::ast::Expr;
use uuid::Uuid;

use super::{
    Planner,
    alter::{Altered, schema_field},
    depends,
    lookup::Relation,
    rename,
    validate::quoted,
};
use crate::{
    pgcatalog::definitions::{self, Seen},
    sql::{
        check, parse,
        plan::{PlanContext, TableRewrite},
        rewrite::{Ex, Rewriter, Rows, assignable, shown},
        user_type,
    },
    value,
    wire::error::{PgError, PgResult, SqlState},
};

impl Planner<'_> {
    pub(super) fn set_type(
        &mut self,
        table: &mut Altered,
        name: &str,
        (ty, domain): (ColumnType, Option<Uuid>),
        using: Option<&Expr>,
    ) -> PgResult<()> {
        let Some(column) = table.new.column(name).cloned() else { return Ok(()) };
        self.not_computed_from(table, name)?;
        let changed = table.old.column_by_id(column.id).is_some_and(|old| old.ty != column.ty);
        if changed || table.conversions.contains_key(&column.id) {
            return Err(PgError::unsupported(format!("cannot alter type of column \"{name}\" twice"))
                .hint("Use a statement for each."));
        }
        if column.ty == ty && column.domain == domain && using.is_none() {
            return Ok(());
        }
        self.no_view_on(table, name)?;
        let plain = using.is_none_or(|expr| says_nothing(expr, name, &ty, self.ctx));
        let fresh = table.old.column_by_id(column.id).is_none();
        if column.ty.reads_as(&ty) && plain && column.domain == domain && !fresh {
            if let ColumnType::Varchar(Some(length)) = &ty {
                self.validate_length(table, name, *length)?;
            }
            return self.read_as(table, &column, ty);
        }
        if fresh {
            return Err(PgError::unsupported(format!(
                "changing column \"{name}\", which is new in the same statement, is not supported"
            ))
            .hint("Use a statement for each."));
        }
        let default = self.default_as(&column, &ty)?;
        let is_array = matches!(ty, ColumnType::Array(_));
        let element_id = match column.element_id {
            _ if !is_array => None,
            Some(id) => Some(id),
            None => {
                let id = table.new.next_column_id;
                table.new.next_column_id = id.next();
                Some(id)
            }
        };
        let retyped = ColumnDef { ty, domain, default, element_id, initial_default: None, ..column };
        let source = using.map_or_else(|| quoted(name), ToString::to_string);
        table.conversions.insert(retyped.id, (source, using.is_some()));
        table.rewritten = true;
        if let Some(column) = table.new.columns.iter_mut().find(|c| c.id == retyped.id) {
            column.clone_from(&retyped);
        }
        // Expressions must still make sense of it.
        for constraint in &table.new.constraints {
            if let ConstraintKind::Check { expression } = &constraint.kind
                && rename::expression_names(expression, name)
            {
                check::compile_one(expression, &table.new, self.ctx).map_err(PgError::unplaced)?;
            }
        }
        self.ops.push(DdlOp::Retype { table: table.new.uuid, column: retyped });
        Ok(())
    }

    /// The files stay: they are read as the new type.
    fn read_as(&mut self, table: &mut Altered, column: &ColumnDef, ty: ColumnType) -> PgResult<()> {
        // A constant is as its column's type has it: of another type it may be another one, or none.
        let default = match &column.default {
            Some(DefaultValue::Literal(_)) => self.default_as(column, &ty)?,
            other => other.clone(),
        };
        let (uuid, id) = (table.new.uuid, column.id);
        self.ops.push(DdlOp::SetType { table: uuid, column: id, ty: ty.clone() });
        if default != column.default {
            self.ops.push(DdlOp::SetDefault { table: uuid, column: id, default: default.clone() });
        }
        if let Some(column) = table.new.columns.iter_mut().find(|c| c.id == id) {
            (column.ty, column.default) = (ty, default);
        }
        Ok(())
    }

    fn no_view_on(&mut self, table: &Altered, name: &str) -> PgResult<()> {
        let relation = Relation::Table(Arc::clone(&table.old));
        let Some(dependent) = depends::views_on_column(self, &relation, name).first().cloned() else { return Ok(()) };
        let view = &dependent.view.name;
        let message = "cannot alter type of a column used by a view or rule";
        Err(PgError::unsupported(message).detail(format!("rule _RETURN on view {view} depends on column \"{name}\"")))
    }

    /// A default as a value of another type.
    fn default_as(&mut self, column: &ColumnDef, ty: &ColumnType) -> PgResult<Option<DefaultValue>> {
        let name = &column.name;
        let cannot = || {
            let message = format!("default for column \"{name}\" cannot be cast automatically to type {}", shown(ty));
            PgError::new(SqlState::DATATYPE_MISMATCH, message)
        };
        let text = match &column.default {
            None => return Ok(None),
            Some(DefaultValue::Generated(_)) => return Ok(column.default.clone()),
            Some(_) if !assignable(&column.ty, ty) => return Err(cannot()),
            // The constant keeps the type that it had before: `9.99` is a number, also where it becomes an integer.
            Some(value @ DefaultValue::Literal(_)) if keeps_type(&column.ty) => {
                definitions::default(value, &column.ty, &Seen::default())
            }
            // An amount is a number, whatever the currency.
            Some(DefaultValue::Literal(text)) if column.ty == ColumnType::Money => text.clone(),
            Some(DefaultValue::Literal(text)) => {
                let shown = value::shown_lake_text(&column.ty, text).unwrap_or_else(|_| text.clone());
                format!("'{}'", shown.replace('\'', "''"))
            }
            Some(DefaultValue::Expression(sql)) => sql.clone(),
        };
        let expression = parse::expression(&text)?;
        self.default(&expression, name, ty)
    }

    /// All rows anew, where an action asks for that.
    pub(super) fn rewrite(&mut self, table: &Altered) -> PgResult<()> {
        if !table.rewritten {
            return Ok(());
        }
        if let Some(column) = table.new.columns.iter().find(|c| !c.ty.is_writable()) {
            let message = format!("column \"{}\" has type {}, which can only be read", column.name, column.ty);
            return Err(PgError::unsupported(message).hint("Drop the column first, or use CREATE TABLE AS."));
        }
        let there = |c: &&ColumnDef| table.old.column_by_id(c.id).is_some() && c.generated().is_none();
        let columns: Vec<&ColumnDef> = table.new.columns.iter().filter(there).collect();
        let values = columns.iter().enumerate().map(|(n, column)| {
            let own = table.old.column_by_id(column.id).map(|old| quoted(&old.name)).unwrap_or_default();
            format!("{} AS a{n}", table.conversions.get(&column.id).map_or(&own, |(sql, _)| sql))
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let values = if columns.is_empty() { "1 AS a0".to_owned() } else { values };
        let sql = format!("SELECT {values} FROM {}.{}", quoted(schema_field(table)), quoted(&table.old.name));
        let tree = parse::query(&sql)?;
        let hints: Vec<ColumnType> = columns.iter().map(|c| c.ty.clone()).collect();
        let mut rewriter = Rewriter::new(self.ctx, &sql);
        rewriter.bounds = None;
        rewriter.top = true;
        let hints = (!columns.is_empty()).then_some(&hints[..]);
        let rows = rewriter.query(&tree, hints).map_err(PgError::unplaced)?;
        rewriter.top = false;
        let mut list = Vec::with_capacity(columns.len());
        for (column, found) in columns.iter().zip(&rows.columns) {
            let ex = Ex::plain(format!("\"source\".{}", quoted(&found.engine)), found.ty.clone());
            let ex = rewriter.assign(ex, &column.ty, &column.name, None).map_err(|e| mistaken(e, column, table))?;
            list.push(format!("{} AS {}", ex.sql, quoted(&found.engine)));
        }
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        let sql = format!("SELECT {list} FROM ({}) AS \"source\"", rows.sql);
        let query = rewriter.finish(Rows { sql, columns: Vec::new(), known: false })?;
        let columns: Vec<ColumnId> = columns.iter().map(|c| c.id).collect();
        self.ops.push(DdlOp::Truncate { table: table.new.uuid });
        self.rewrites.push(TableRewrite { table: table.new.uuid, columns, query });
        Ok(())
    }
}

/// Types whose constants can be written with their type's name wherever they are read.
fn keeps_type(ty: &ColumnType) -> bool {
    use ColumnType as T;
    let number = matches!(ty, T::Int2 | T::Int4 | T::Int8 | T::Numeric(..) | T::Float4 | T::Float8);
    number || matches!(ty, T::Text | T::Varchar(_) | T::Char(_) | T::Bool)
}

/// Postgres' words for a value that is not of the new type.
fn mistaken(error: PgError, column: &ColumnDef, table: &Altered) -> PgError {
    if error.code() != SqlState::DATATYPE_MISMATCH {
        return error;
    }
    let (name, ty) = (&column.name, shown(&column.ty));
    match table.conversions.get(&column.id) {
        Some((_, true)) => PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("result of USING clause for column \"{name}\" cannot be cast automatically to type {ty}"),
        )
        .hint("You might need to add an explicit cast."),
        Some((_, false)) => PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("column \"{name}\" cannot be cast automatically to type {ty}"),
        )
        .hint(format!("You might need to specify \"USING {name}::{ty}\".")),
        None => error,
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
