//! Definitions as text: what `pg_get_constraintdef`, `pg_get_indexdef`, `pg_get_viewdef` and `pg_get_expr` give.

use duckmesh_catalog::{ColumnId, ColumnType, ConstraintKind, DefaultValue, TableDef, ViewDef};

use super::{
    book::{Book, Con, key_columns, sql_schema},
    names, oids,
};

/// `PRIMARY KEY (id)`, `CHECK (amount >= 0)`, …
#[must_use]
pub fn constraint(book: &Book<'_>, con: &Con<'_>, search_path: &[String]) -> String {
    match &con.constraint.kind {
        ConstraintKind::Check { expression } => format!("CHECK ({expression})"),
        ConstraintKind::PrimaryKey { columns } => format!("PRIMARY KEY ({})", column_list(con.table, columns)),
        ConstraintKind::Unique { columns } => format!("UNIQUE ({})", column_list(con.table, columns)),
        ConstraintKind::ForeignKey { columns, target, target_columns } => {
            let found = book.target(target);
            let shown = match found {
                Some(table) => {
                    let schema = sql_schema(&target.0);
                    let visible = book.visible(search_path).get(table.name.as_str()) == Some(&oids::table(table.id));
                    let qualifier = if visible { String::new() } else { format!("{}.", names::quoted(schema)) };
                    format!("{qualifier}{}", names::quoted(&table.name))
                }
                None => format!("{}.{}", names::quoted(sql_schema(&target.0)), names::quoted(&target.1)),
            };
            let referred = match found {
                Some(table) => {
                    names::list(book.target_columns(table, target_columns).into_iter().map(|c| c.name.as_str()))
                }
                None => names::list(target_columns.iter().map(String::as_str)),
            };
            format!("FOREIGN KEY ({}) REFERENCES {shown}({referred})", column_list(con.table, columns))
        }
    }
}

/// `CREATE UNIQUE INDEX …` of a key; with its table's schema or without.
#[must_use]
pub fn index(con: &Con<'_>, qualified: bool) -> Option<String> {
    let columns = key_columns(con.constraint)?;
    Some(format!(
        "CREATE UNIQUE INDEX {} ON {}{} USING btree ({})",
        names::quoted(&con.constraint.name),
        if qualified { format!("{}.", names::quoted(con.schema)) } else { String::new() },
        names::quoted(&con.table.name),
        column_list(con.table, columns)
    ))
}

/// A view's query.
#[must_use]
pub fn view(view: &ViewDef) -> String {
    let sql = view.postgres_sql.as_deref().unwrap_or(&view.duckdb_sql);
    format!(" {};", sql.trim().trim_end_matches(';'))
}

fn column_list(table: &TableDef, columns: &[ColumnId]) -> String {
    names::list(columns.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.as_str()))
}

/// A default as Postgres writes it: `'new'::text`, `0`, `now()`.
#[must_use]
pub fn default(default: &DefaultValue, ty: &ColumnType) -> String {
    use ColumnType as T;
    let text = match default {
        // As Postgres shows it to those who find the sequence without its schema.
        DefaultValue::Expression(expression) => return expression.replacen("nextval('public.", "nextval('", 1),
        DefaultValue::Literal(text) => text,
    };
    let typed = |text: &str, name: &str| format!("{}::{name}", names::literal(text));
    match ty {
        T::Bool => text.clone(),
        T::Int2 | T::Int4 | T::Int8 | T::Numeric(..) | T::Float4 | T::Float8 => {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty();
            let name = if matches!(ty, T::Int4 | T::Int8 | T::Int2) && text.parse::<i32>().is_ok() {
                "integer".to_owned()
            } else {
                base_name(ty)
            };
            // The lake keeps a constant with its column's scale: `0` comes back as `0.00`.
            let whole =
                text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map(|(whole, _)| whole);
            let shown = whole.unwrap_or(text);
            if plain { shown.to_owned() } else { typed(shown, &name) }
        }
        T::Bytea => typed(&format!("\\x{}", text.to_ascii_lowercase()), "bytea"),
        T::Char(_) => typed(text, "bpchar"),
        T::Enum(of) => {
            let now = of.former().find(|(old, _)| *old == text.as_str()).map_or(text.as_str(), |(_, now)| now);
            typed(now, &of.to_string())
        }
        _ => typed(text, &base_name(ty)),
    }
}

/// A type's name without its modifier.
fn base_name(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Numeric(..) => "numeric".to_owned(),
        ColumnType::Varchar(_) => "character varying".to_owned(),
        ColumnType::Char(_) => "character".to_owned(),
        ColumnType::Array(element) => format!("{}[]", base_name(element)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_as_postgres_writes_them() {
        use ColumnType as T;
        let literal = |text: &str| DefaultValue::Literal(text.to_owned());
        for (value, ty, expect) in [
            (literal("0"), T::Numeric(12, 2), "0"),
            (literal("0.00"), T::Numeric(12, 2), "0"),
            (literal("1.50"), T::Numeric(12, 2), "1.50"),
            (literal("-1"), T::Int4, "'-1'::integer"),
            (literal("-1"), T::Int8, "'-1'::integer"),
            (literal("true"), T::Bool, "true"),
            (literal("FR"), T::Char(2), "'FR'::bpchar"),
            (literal("it's"), T::Text, "'it''s'::text"),
            (literal("x"), T::Varchar(Some(20)), "'x'::character varying"),
            (literal("2024-01-01"), T::Date, "'2024-01-01'::date"),
            (literal("DEAD"), T::Bytea, "'\\xdead'::bytea"),
            (DefaultValue::Expression("now()".into()), T::Timestamptz, "now()"),
        ] {
            assert_eq!(default(&value, &ty), expect);
        }
    }
}
