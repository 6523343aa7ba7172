//! Names of types in a statement, those that users made included.

use std::{ops::ControlFlow, sync::Arc};

use duckmesh_catalog::{
    ColumnType, TypeDef, TypeSpec,
    types::{RecordType, oid},
};
use sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Ident, ObjectName, visit_expressions_mut};

use super::{
    ddl::{names::schema_in_lake, place},
    plan::PlanContext,
    quote, types,
};
use crate::{
    pgcatalog::oids,
    wire::error::{PgError, PgResult, SqlState},
};

/// What a type's name stands for.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The type of its values.
    pub ty: ColumnType,
    /// The domain it is.
    pub domain: Option<Arc<TypeDef>>,
}

impl From<ColumnType> for Declared {
    fn from(ty: ColumnType) -> Self {
        Self { ty, domain: None }
    }
}

/// What a type's syntax means. Built-in types come first, as with `pg_catalog` at the search path's head.
pub fn resolve(ty: &DataType, ctx: &PlanContext) -> PgResult<Declared> {
    match ty {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _)) => {
            let system = matches!(&**element, DataType::Custom(name, _) if system_named(name).is_some());
            if !is_user_type(element, ctx) && !system {
                return types::resolve(ty).map(Declared::from);
            }
            let element = resolve(element, ctx)?;
            if let Some(domain) = &element.domain {
                return Err(PgError::unsupported(format!("arrays of domain {} are not supported", domain.name))
                    .hint("Use an array of the type below it, and a CHECK constraint."));
            }
            Ok(array(element.ty).into())
        }
        DataType::Custom(name, modifiers) if modifiers.is_empty() && system_named(name).is_some() => {
            Ok(system_named(name).unwrap_or(ColumnType::Text).into())
        }
        DataType::Custom(name, modifiers) => match types::resolve(ty) {
            Err(error) if error.code() == SqlState::UNDEFINED_OBJECT => {
                let Some((def, is_array)) = named(name, ctx) else {
                    return Err(if row_type(name, ctx).is_some() { row_of_relation(name) } else { error });
                };
                if !modifiers.is_empty() {
                    let message = format!("type modifier is not allowed for type \"{}\"", def.name);
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
                }
                let declared = declared(&def, ctx)?;
                Ok(if is_array { array(declared.ty).into() } else { declared })
            }
            other => other.map(Declared::from),
        },
        DataType::Regclass => {
            Ok(ColumnType::system(oid::REGCLASS).ok_or_else(|| PgError::internal("regclass is a type"))?.into())
        }
        other => types::resolve(other).map(Declared::from),
    }
}

/// The same, with the position in the statement's text where the syntax tree knows it.
pub fn resolve_at(ty: &DataType, text: &str, ctx: &PlanContext) -> PgResult<Declared> {
    resolve(ty, ctx).map_err(|error| match ty {
        DataType::Custom(name, _) => error.or_position(place::of_name(text, name)),
        _ => error,
    })
}

/// The type of values of a type that a user made.
pub fn declared(def: &Arc<TypeDef>, ctx: &PlanContext) -> PgResult<Declared> {
    let Some(ty) = ctx.schema.column_type(def) else {
        return Err(PgError::internal(format!("type {} has no values", def.name)));
    };
    let domain = matches!(def.spec, TypeSpec::Domain(_)).then(|| Arc::clone(def));
    Ok(Declared { ty, domain })
}

/// The rows that a composite type is of.
#[must_use]
pub fn record(def: &TypeDef, ctx: &PlanContext) -> Option<RecordType> {
    match ctx.schema.column_type(def)? {
        ColumnType::Record(row) => Some(*row),
        _ => None,
    }
}

/// The type of an oid, as of a parameter.
#[must_use]
pub fn of_oid(number: u32, ctx: &PlanContext) -> Option<ColumnType> {
    if let Some(ty) = super::rewrite::of_oid(number) {
        return Some(ty);
    }
    let (def, is_array) = ctx.schema.type_by_oid(number)?;
    let ty = ctx.schema.column_type(def)?;
    Some(if is_array { array(ty) } else { ty })
}

/// The type of a name's parts, and whether the name is that of its arrays.
#[must_use]
pub fn find(parts: &[String], ctx: &PlanContext) -> Option<(Arc<TypeDef>, bool)> {
    let (name, schemas): (&String, Vec<&str>) = match parts {
        [name] => (name, ctx.search_path.iter().filter_map(|s| schema_in_lake(s)).collect()),
        [schema, name] => (name, schema_in_lake(schema).into_iter().collect()),
        [lake, schema, name] if lake == ctx.lake.as_str() => (name, schema_in_lake(schema).into_iter().collect()),
        _ => return None,
    };
    let known = |name: &str| schemas.iter().find_map(|schema| ctx.schema.user_type(schema, name)).cloned();
    match known(name) {
        Some(def) => Some((def, false)),
        None => Some((known(name.strip_prefix('_')?)?, true)),
    }
}

fn named(name: &ObjectName, ctx: &PlanContext) -> Option<(Arc<TypeDef>, bool)> {
    find(&quote::parts(name)?, ctx)
}

/// Whether a name is that of a type that a user made.
#[must_use]
pub fn is_user_type(ty: &DataType, ctx: &PlanContext) -> bool {
    match ty {
        DataType::Custom(name, _) => types::resolve(ty).is_err() && named(name, ctx).is_some(),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::Qualified(element, _)) => {
            is_user_type(element, ctx)
        }
        _ => false,
    }
}

/// The domain that a type's name means.
#[must_use]
pub fn domain(ty: &DataType, ctx: &PlanContext) -> Option<Arc<TypeDef>> {
    definition(ty, ctx).filter(|def| matches!(def.spec, TypeSpec::Domain(_)))
}

/// The definition behind a type's name, of whatever kind.
#[must_use]
pub fn definition(ty: &DataType, ctx: &PlanContext) -> Option<Arc<TypeDef>> {
    match ty {
        DataType::Custom(name, _) if types::resolve(ty).is_err() => {
            named(name, ctx).filter(|(_, is_array)| !is_array).map(|(def, _)| def)
        }
        _ => None,
    }
}

/// Gives the name of a type that a user made its schema.
pub fn qualify(ty: &mut DataType, ctx: &PlanContext) {
    match ty {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => qualify(element, ctx),
        DataType::Custom(name, _) if is_user_type(&DataType::Custom(name.clone(), Vec::new()), ctx) => {
            let Some((def, is_array)) = named(name, ctx) else { return };
            let schema = ctx.schema.schema_name(def.schema_id).unwrap_or_default();
            let shown = if is_array { format!("_{}", def.name) } else { def.name.clone() };
            let parts = [super::ddl::names::schema_in_sql(schema).to_owned(), shown];
            *name = ObjectName::from(parts.map(|part| Ident::with_quote('"', part)).to_vec());
        }
        _ => {}
    }
}

/// The same for the type that an expression itself names.
pub fn qualify_in(expr: &mut Expr, ctx: &PlanContext) {
    match expr {
        Expr::Cast { data_type, .. } => qualify(data_type, ctx),
        Expr::TypedString(typed) => qualify(&mut typed.data_type, ctx),
        _ => {}
    }
}

/// An expression's text as it is stored: whatever the search path is later, its types are found.
#[must_use]
pub fn stored(expr: &Expr, ctx: &PlanContext) -> String {
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |inner| {
        qualify_in(inner, ctx);
        ControlFlow::<()>::Continue(())
    });
    expr.to_string()
}

/// The oid of a type that every lake has: a column's, or one of the system's own.
pub fn system_oid(name: &str) -> Option<u32> {
    if let Ok(ty) = types::name_to_type(name) {
        return Some(ty.oid());
    }
    let plain = name.trim();
    let plain = plain.strip_prefix("pg_catalog.").unwrap_or(plain);
    let plain =
        plain.strip_prefix('"').and_then(|p| p.strip_suffix('"')).map_or_else(|| plain.to_lowercase(), Into::into);
    crate::pgcatalog::types::by_name(&plain).map(|ty| ty.oid)
}

/// The oid of a type's name in text, as in `'mood'::regtype`.
pub fn name_to_oid(name: &str, ctx: &PlanContext) -> PgResult<u32> {
    let error = match types::name_to_type(name) {
        Ok(ty) => return Ok(ty.oid()),
        Err(error) => error,
    };
    let plain = name.trim();
    let (plain, suffixed) = plain.strip_suffix("[]").map_or((plain, false), |plain| (plain, true));
    let dialect = crate::sql::dialect::Postgres {};
    let parsed = sqlparser::parser::Parser::new(&dialect)
        .try_with_sql(plain)
        .and_then(|mut parser| parser.parse_object_name(false));
    let parsed = parsed.ok();
    if let Some(relation) = parsed.as_ref().and_then(|name| row_type(name, ctx)) {
        return Ok(if suffixed { oids::row_array(relation) } else { oids::row_type(relation) });
    }
    match parsed.and_then(|name| named(&name, ctx)) {
        Some((def, false)) => Ok(if suffixed { def.array_oid() } else { def.oid() }),
        Some((def, true)) => Ok(def.array_oid()),
        None => Err(error),
    }
}

/// Whoever changes the relation would have to change rows elsewhere.
fn row_of_relation(name: &ObjectName) -> PgError {
    PgError::unsupported(format!("a column cannot have the row type of relation {name}"))
        .hint("Make a composite type with the same fields: CREATE TYPE … AS (…).")
}

/// The oid of the table or view whose rows have a type of that name.
fn row_type(name: &ObjectName, ctx: &PlanContext) -> Option<u32> {
    let parts = quote::parts(name)?;
    let (name, schemas): (&String, Vec<&str>) = match parts.as_slice() {
        [name] => (name, ctx.search_path.iter().filter_map(|s| schema_in_lake(s)).collect()),
        [schema, name] => (name, schema_in_lake(schema).into_iter().collect()),
        _ => return None,
    };
    schemas.into_iter().find_map(|schema| {
        let table = ctx.schema.table(schema, name).map(|t| oids::table(t.id));
        table.or_else(|| ctx.schema.view(schema, name).map(|v| oids::view(v.id)))
    })
}

fn array(element: ColumnType) -> ColumnType {
    match element {
        list @ ColumnType::Array(_) => list,
        scalar => ColumnType::Array(Box::new(scalar)),
    }
}

/// Types of Postgres' own catalog that a table may have: numbers, names, and numbers that are shown as names.
fn system_named(name: &ObjectName) -> Option<ColumnType> {
    let quoted = name.0.last().and_then(|p| p.as_ident()).is_some_and(|ident| ident.quote_style.is_some());
    let parts = quote::parts(name)?;
    let ("pg_catalog", word) = (match parts.as_slice() {
        [word] => ("pg_catalog", word.as_str()),
        [schema, word] => (schema.as_str(), word.as_str()),
        _ => return None,
    }) else {
        return None;
    };
    let number = match word {
        "oid" => oid::OID,
        "name" => oid::NAME,
        "char" if quoted => oid::CHAR,
        "xid" => oid::XID,
        "cid" => oid::CID,
        "regclass" => oid::REGCLASS,
        "regtype" => oid::REGTYPE,
        "regproc" => oid::REGPROC,
        "regprocedure" => oid::REGPROCEDURE,
        "regnamespace" => oid::REGNAMESPACE,
        "regrole" => oid::REGROLE,
        _ => return None,
    };
    ColumnType::system(number)
}
