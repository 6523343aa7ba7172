//! Columns as DuckLake keeps them: one row for each, nested ones below their parent; defaults as text; what only Postgres
//! knows in tags.

use std::collections::HashMap;

use crate::{ColumnDef, ColumnId, ColumnType, DefaultValue, ErrorKind, catalog::Result, error::Error, tables::COMMENT};

/// Tag of the declared type, where DuckLake's loses something of it.
pub(crate) const TYPE: &str = "duckmesh.type";
/// Tag of a default that is a Postgres expression.
pub(crate) const DEFAULT: &str = "duckmesh.default";
/// Tag of the expression of a generated column. Other writers know nothing of it, and write NULL.
pub(crate) const GENERATED: &str = "duckmesh.generated";
/// Tag of the domain that a column was declared with.
pub(crate) const DOMAIN: &str = "duckmesh.domain";
/// Nesting that another writer's type may have.
const DEPTH_MAX: usize = 64;

/// Expressions that mean the same in DuckDB, so that other writers of the lake may evaluate them.
const SHARED_EXPRESSIONS: &[&str] = &["now()", "gen_random_uuid()", "current_timestamp", "CURRENT_TIMESTAMP"];

/// A row of `ducklake_column`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRow {
    pub id: i64,
    pub name: String,
    pub ty: String,
    pub nullable: bool,
    pub parent: Option<i64>,
    pub initial_default: Option<String>,
    pub default_value: Option<String>,
    pub default_type: Option<String>,
}

/// The top-level columns of a table from its rows in order, and its column tags.
pub(crate) fn read(rows: &[ColumnRow], tags: &HashMap<(i64, String), String>) -> Result<Vec<ColumnDef>> {
    let mut children: HashMap<i64, Vec<&ColumnRow>> = HashMap::new();
    for row in rows {
        if let Some(parent) = row.parent {
            children.entry(parent).or_default().push(row);
        }
    }
    let tag = |id: i64, key: &str| tags.get(&(id, key.to_owned())).cloned();
    rows.iter()
        .filter(|row| row.parent.is_none())
        .map(|row| {
            let (plain, element_id) = column_type(row, &children)?;
            let declared = tag(row.id, TYPE).and_then(|json| serde_json::from_str::<ColumnType>(&json).ok());
            // Another writer may have changed the type since: then the tag speaks of what is gone.
            let ty = declared.filter(|d| forget_declared(d) == plain).unwrap_or(plain);
            let expression = tag(row.id, DEFAULT);
            let generated = tag(row.id, GENERATED).map(DefaultValue::Generated);
            Ok(ColumnDef {
                id: ColumnId::new(row.id),
                element_id,
                name: row.name.clone(),
                nullable: row.nullable,
                default: generated.or_else(|| read_default(row, &ty, expression)),
                initial_default: row.initial_default.as_ref().map(|text| from_lake_text(&ty, text)),
                comment: tag(row.id, COMMENT),
                domain: tag(row.id, DOMAIN).and_then(|uuid| uuid.parse().ok()),
                ty,
            })
        })
        .collect()
}

/// The rows of a column that we make: itself, and an array's element.
pub(crate) fn write(column: &ColumnDef) -> Vec<ColumnRow> {
    let (default_value, default_type) = write_default(column);
    let mut rows = vec![ColumnRow {
        id: column.id.get(),
        name: column.name.clone(),
        ty: column.ty.ducklake(),
        nullable: column.nullable,
        parent: None,
        initial_default: column.initial_default.as_ref().map(|text| to_lake_text(&column.ty, text)),
        default_value: Some(default_value),
        default_type: Some(default_type),
    }];
    if let (ColumnType::Array(element), Some(id)) = (&column.ty, column.element_id) {
        rows.push(ColumnRow {
            id: id.get(),
            name: "element".into(),
            ty: element.ducklake(),
            nullable: true,
            parent: Some(column.id.get()),
            initial_default: None,
            default_value: Some("NULL".into()),
            default_type: Some("literal".into()),
        });
    }
    rows
}

/// The tags of a column.
pub(crate) fn tags(column: &ColumnDef) -> Vec<(&'static str, String)> {
    let mut tags = Vec::new();
    if forget_declared(&column.ty) != column.ty
        && let Ok(json) = serde_json::to_string(&column.ty)
    {
        tags.push((TYPE, json));
    }
    if let Some(DefaultValue::Expression(text)) = &column.default {
        tags.push((DEFAULT, text.clone()));
    }
    if let Some(expression) = column.generated() {
        tags.push((GENERATED, expression.to_owned()));
    }
    if let Some(domain) = &column.domain {
        tags.push((DOMAIN, domain.to_string()));
    }
    if let Some(comment) = &column.comment {
        tags.push((COMMENT, comment.clone()));
    }
    tags
}

/// The type as DuckLake gives it back.
fn forget_declared(ty: &ColumnType) -> ColumnType {
    match ty {
        ColumnType::Array(element) => ColumnType::Array(Box::new(forget_declared(element))),
        ColumnType::Other(_) => ty.clone(),
        scalar => ColumnType::from_ducklake(&scalar.ducklake()),
    }
}

fn column_type(row: &ColumnRow, children: &HashMap<i64, Vec<&ColumnRow>>) -> Result<(ColumnType, Option<ColumnId>)> {
    let below = children.get(&row.id).map_or(&[][..], Vec::as_slice);
    match (row.ty.as_str(), below) {
        ("list", [element]) if !children.contains_key(&element.id) => {
            Ok((ColumnType::Array(Box::new(ColumnType::from_ducklake(&element.ty))), Some(ColumnId::new(element.id))))
        }
        (_, []) => Ok((ColumnType::from_ducklake(&row.ty), None)),
        _ => Ok((ColumnType::Other(nested(row, children, 0)?), None)),
    }
}

/// A nested type as DuckDB writes it.
fn nested(row: &ColumnRow, children: &HashMap<i64, Vec<&ColumnRow>>, depth: usize) -> Result<String> {
    if depth > DEPTH_MAX {
        return Err(Error::new(ErrorKind::Corrupt, format!("column {} is nested too deep", row.name)));
    }
    let below = children.get(&row.id).map_or(&[][..], Vec::as_slice);
    let inner = |row: &ColumnRow| nested(row, children, depth + 1);
    Ok(match (row.ty.as_str(), below) {
        ("list", [element]) => format!("{}[]", inner(element)?),
        ("map", [key, value]) => format!("MAP({}, {})", inner(key)?, inner(value)?),
        ("struct", members) => {
            let members: Vec<String> = members
                .iter()
                .map(|m| Ok(format!("{} {}", crate::store::quote(&m.name), inner(m)?)))
                .collect::<Result<_>>()?;
            format!("STRUCT({})", members.join(", "))
        }
        _ => ColumnType::from_ducklake(&row.ty).duckdb(),
    })
}

/// What DuckLake holds for a default: the value, and whether it is a literal or an expression.
fn write_default(column: &ColumnDef) -> (String, String) {
    match &column.default {
        None if matches!(column.ty, ColumnType::Array(_)) => ("NULL".into(), String::new()),
        None => ("NULL".into(), "literal".into()),
        // The word alone would be no default at all.
        Some(DefaultValue::Literal(text)) if text == "NULL" => ("'NULL'".into(), "expression".into()),
        Some(DefaultValue::Literal(text)) => (to_lake_text(&column.ty, text), "literal".into()),
        Some(DefaultValue::Expression(text)) if SHARED_EXPRESSIONS.contains(&text.as_str()) => {
            (text.clone(), "expression".into())
        }
        Some(DefaultValue::Expression(_) | DefaultValue::Generated(_)) => ("NULL".into(), "literal".into()),
    }
}

fn read_default(row: &ColumnRow, ty: &ColumnType, expression: Option<String>) -> Option<DefaultValue> {
    let value = row.default_value.as_deref().filter(|v| *v != "NULL");
    let is_expression = row.default_type.as_deref() == Some("expression");
    if let Some(text) = expression {
        // The tag holds while the column still has what we wrote beside it.
        let shared = SHARED_EXPRESSIONS.contains(&text.as_str());
        if (shared && is_expression && value == Some(text.as_str())) || (!shared && value.is_none()) {
            return Some(DefaultValue::Expression(text));
        }
    }
    let value = value?;
    Some(match (is_expression, value) {
        (true, "'NULL'") => DefaultValue::Literal("NULL".into()),
        (true, "CAST('t' AS BOOLEAN)") => DefaultValue::Literal("true".into()),
        (true, "CAST('f' AS BOOLEAN)") => DefaultValue::Literal("false".into()),
        (true, text) => DefaultValue::Expression(text.to_owned()),
        (false, text) => DefaultValue::Literal(from_lake_text(ty, text)),
    })
}

/// DuckDB reads a blob's text as bytes, `\xAA` for those that do not print; we keep blobs as hex.
fn to_lake_text(ty: &ColumnType, text: &str) -> String {
    if *ty != ColumnType::Bytea {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (at, c) in text.chars().enumerate() {
        if at % 2 == 0 {
            out.push_str("\\x");
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn from_lake_text(ty: &ColumnType, text: &str) -> String {
    use std::fmt::Write;
    if *ty != ColumnType::Bytea {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match rest.strip_prefix("\\x").and_then(|r| r.get(..2)) {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                out.push_str(&hex.to_ascii_uppercase());
                rest = rest.get(4..).unwrap_or_default();
            }
            _ => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(out, "{byte:02X}");
                }
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_change_their_text_form_and_nothing_else_does() {
        assert_eq!(to_lake_text(&ColumnType::Bytea, "aa00"), "\\xAA\\x00");
        assert_eq!(from_lake_text(&ColumnType::Bytea, "a\\xAA\\x00é"), "61AA00C3A9");
        assert_eq!(to_lake_text(&ColumnType::Text, "\\xAA"), "\\xAA");
    }
}
