//! Defaults of columns as programs.

use duckmesh_catalog::{ColumnDef, ColumnType, TableDef, schema::DefaultValue};
use sqlparser::ast::Expr;

use super::{
    ddl, parse,
    plan::{DefaultProgram, PlanContext, SqlPart},
    rewrite::{Ex, Kind, Rewriter},
};
use crate::{
    value::{ColumnBuilder, sql_literal},
    wire::error::{PgError, PgResult, SqlState},
};

/// Compiles a Postgres expression as the default of a column of type `ty`. It may name no column and hold no subquery.
pub fn compile(expression: &str, ty: &ColumnType, ctx: &PlanContext) -> PgResult<DefaultProgram> {
    let expr = parse::expression(expression)?;
    if ddl::is_null(&expr) {
        return Ok(DefaultProgram::Null);
    }
    if let Some(text) = ddl::fixed(&expr, ty, ctx) {
        return Ok(DefaultProgram::Constant(text));
    }
    let mut rewriter = Rewriter::new(ctx, expression);
    rewriter.bounds = Some("DEFAULT expression");
    let ex = compiled(&mut rewriter, &expr)?;
    match &ex.kind {
        Kind::Null => return Ok(DefaultProgram::Null),
        // Checked as a value; the text is the lake's own where both agree.
        Kind::Str(text) => {
            rewriter.constant(text, ty, None)?;
            if matches!(ty, ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Uuid) {
                return Ok(DefaultProgram::Constant(text.clone()));
            }
        }
        Kind::Number(n) if is_plain(n, ty) => return Ok(DefaultProgram::Constant(n.clone())),
        _ => {}
    }
    if let (ColumnType::Bool, "TRUE" | "FALSE") = (ty, ex.sql.as_str()) {
        return Ok(DefaultProgram::Constant(ex.sql.to_lowercase()));
    }
    if ex.sql == "pg_random_uuid(1)" && *ty == ColumnType::Uuid {
        return Ok(DefaultProgram::RandomUuid);
    }
    let bare = ex.ty.as_ref() == Some(ty.bare())
        || matches!(ex.ty, Some(ColumnType::Timestamptz | ColumnType::Timestamp | ColumnType::Date));
    let parts = rewriter.parts(&ex.sql)?;
    let ex = assigned(&mut rewriter, ex, ty)?;
    if let [SqlPart::Session(value)] = parts.as_slice()
        && bare
        && matches!(
            ty.bare(),
            ColumnType::Timestamptz
                | ColumnType::Timestamp
                | ColumnType::Date
                | ColumnType::Time
                | ColumnType::Text
                | ColumnType::Varchar(_)
        )
    {
        return Ok(DefaultProgram::Session(value.clone()));
    }
    let sql = ty.cast(&ex.sql);
    Ok(DefaultProgram::Expression(rewriter.parts(&sql)?))
}

/// A column's default as an expression of a query.
pub(super) fn value(rewriter: &mut Rewriter<'_>, table: &TableDef, column: &ColumnDef) -> PgResult<Ex> {
    if let Some(sequence) = rewriter.ctx.schema.identity(table.uuid, column.id) {
        let space = rewriter.ctx.schema.schema_name(sequence.schema_id).unwrap_or_default();
        let text = super::sequence::default_text(space, &sequence.name);
        return rewriter.expr(&parse::expression(&text)?);
    }
    let of_domain = match (&column.default, column.domain) {
        (None, Some(domain)) => super::domain::default(&rewriter.ctx.schema, domain),
        _ => None,
    };
    match column.default.as_ref().or(of_domain.as_ref()) {
        // What it is computed from is known once the row is.
        None | Some(DefaultValue::Generated(_)) => {
            let mut ex = Ex::plain("NULL", None);
            ex.kind = Kind::Null;
            Ok(ex)
        }
        Some(DefaultValue::Literal(text)) => {
            let mut builder = ColumnBuilder::new(&column.ty, 1)?;
            builder.append_lake_text(text)?;
            Ok(Ex::of(sql_literal(&column.ty, &builder.finish(), 0)?, column.ty.clone()))
        }
        Some(DefaultValue::Expression(text)) => {
            let expr = parse::expression(text)?;
            rewriter.expr(&expr)
        }
    }
}

fn compiled(rewriter: &mut Rewriter<'_>, expr: &Expr) -> PgResult<Ex> {
    rewriter.expr(expr).map_err(|error| match error.code() {
        SqlState::UNDEFINED_COLUMN => PgError::unsupported("cannot use column reference in DEFAULT expression")
            .or_position(error.fields().position),
        _ => error,
    })
}

/// What CREATE TABLE says where the types do not fit.
fn assigned(rewriter: &mut Rewriter<'_>, ex: Ex, ty: &ColumnType) -> PgResult<Ex> {
    rewriter.assign(ex, ty, "", None).map_err(|error| {
        let message = error.fields().message.clone();
        match (error.code(), message.rsplit_once(" but expression is of type ")) {
            (SqlState::DATATYPE_MISMATCH, Some((_, given))) => PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("column is of type {ty} but default expression is of type {given}"),
            )
            .hint("You will need to rewrite or cast the expression."),
            _ => error,
        }
    })
}

/// A number that is its own text in the lake.
fn is_plain(n: &str, ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Int2 => n.parse::<i16>().is_ok(),
        ColumnType::Int4 => n.parse::<i32>().is_ok(),
        ColumnType::Int8 => n.parse::<i64>().is_ok(),
        ColumnType::Float8 => n.parse::<f64>().is_ok(),
        _ => false,
    }
}
