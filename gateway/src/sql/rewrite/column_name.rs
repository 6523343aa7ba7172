//! How Postgres names an output column that has no alias (its FigureColname).

use sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, DataType, Expr, FunctionArguments, SelectItem, SetExpr,
    TrimWhereField,
};

use crate::sql::{quote, types};

/// The name of an expression's column.
pub(in crate::sql) fn of(expr: &Expr) -> String {
    figure(expr).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// The same, where there is one.
pub(in crate::sql) fn figured(expr: &Expr) -> Option<String> {
    figure(expr).map(|(name, _)| name)
}

/// The name and how strong it is: 2 a column's or function's, 1 what a cast's type overrides.
fn figure(expr: &Expr) -> Option<(String, u8)> {
    let strong = |name: &str| Some((name.to_owned(), 2));
    match expr {
        Expr::Identifier(ident) => Some((quote::fold(ident), 2)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|p| (quote::fold(p), 2)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figure(inner),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|a| match a {
                AccessExpr::Dot(field) => Some(field),
                AccessExpr::Subscript(_) => None,
            });
            field.map_or_else(|| figure(root), figure)
        }
        Expr::Cast { expr, data_type, .. } => match figure(expr) {
            Some((name, 2)) => Some((name, 2)),
            _ => Some((type_name(data_type), 1)),
        },
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), 1)),
        Expr::Interval(_) => Some(("interval".into(), 1)),
        Expr::Function(function) => {
            if matches!(function.args, FunctionArguments::Subquery(_)) {
                return strong("array");
            }
            let name = function.name.0.last()?.as_ident()?;
            Some((quote::fold(name), 2))
        }
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            Some((name, 2)) => Some((name, 2)),
            _ => Some(("case".into(), 1)),
        },
        Expr::Array(_) => strong("array"),
        Expr::Exists { negated: false, .. } => strong("exists"),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => figure(expr).map(|(n, _)| (n, 2)),
                SelectItem::ExprWithAlias { alias, .. } => Some((quote::fold(alias), 2)),
                _ => None,
            },
            SetExpr::Values(_) => strong("column1"),
            _ => None,
        },
        Expr::Extract { .. } => strong("extract"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { shorthand, .. } => strong(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Trim { trim_where, .. } => strong(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Tuple(_) => strong("row"),
        Expr::BinaryOp { op: BinaryOperator::Overlaps, .. } => strong("overlaps"),
        _ => None,
    }
}

/// The internal name of a type.
fn type_name(ty: &DataType) -> String {
    use duckmesh_catalog::ColumnType as T;
    fn name(ty: &T) -> &'static str {
        match ty {
            T::Bool => "bool",
            T::Int2 => "int2",
            T::Int4 => "int4",
            T::Int8 => "int8",
            T::Float4 => "float4",
            T::Float8 => "float8",
            T::Numeric(..) => "numeric",
            T::Text | T::Other(_) => "text",
            T::Varchar(_) => "varchar",
            T::Char(_) => "bpchar",
            T::Bytea => "bytea",
            T::Date => "date",
            T::Time => "time",
            T::Timestamp => "timestamp",
            T::Timestamptz => "timestamptz",
            T::Interval => "interval",
            T::Uuid => "uuid",
            T::Json => "json",
            T::Jsonb => "jsonb",
            T::Money => "money",
            T::AsText(ty) => ty.internal_name(),
            T::System(system) => crate::pgcatalog::types::by_oid(system.oid()).map_or("text", |ty| ty.name),
            T::Array(element) | T::Grid(element) => name(element),
            T::Modified(ty, _) => name(ty),
            T::Record(_) => "record",
            // Users' types are known by their names alone here.
            T::Enum(_) => "",
        }
    }
    match types::resolve(ty) {
        Ok(ty) => name(&ty).to_owned(),
        Err(_) => match ty {
            ty if types::wide_numeric(ty).is_some() => "numeric".into(),
            DataType::Custom(name, _) => name.0.last().and_then(|p| p.as_ident()).map_or_else(String::new, quote::fold),
            DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => type_name(element),
            other => other.to_string().to_lowercase(),
        },
    }
}
