//! Privileges and types as `information_schema` lists them: whoever made a thing may do all with it, and everybody may read the
//! system's.

use duckmesh_catalog::{ColumnType, ConstraintKind};

use super::Source;
use crate::pgcatalog::{
    book::{self, Book, Relation, key_columns},
    content::{Cell, Content, row},
    types,
};

const OF_TABLES: [&str; 7] = ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];
const OF_COLUMNS: [&str; 4] = ["INSERT", "SELECT", "UPDATE", "REFERENCES"];

fn shown<'b, 'a>(system: &'b [Relation<'a>], book: &'b Book<'a>) -> impl Iterator<Item = (&'b Relation<'a>, bool)> {
    let of = |own| move |r: &'b Relation<'a>| (r, own);
    system
        .iter()
        .map(of(false))
        .chain(book.relations.iter().map(of(true)))
        .filter(|(r, _)| !matches!(r.kind, 'i' | 'S'))
}

/// `role_table_grants` and `table_privileges`.
pub fn of_tables<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = names(source);
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    for (relation, own) in shown(system, book) {
        let mut push = |grantee, privilege, grantable| {
            let below = if privilege == "SELECT" { "YES" } else { "NO" };
            rows.push(row![user, grantee, lake, relation.schema, relation.name, privilege, grantable, below]);
        };
        OF_TABLES.into_iter().for_each(|privilege| push(user, privilege, "YES"));
        if !own {
            push("PUBLIC", "SELECT", "NO");
        }
    }
    Content {
        columns: &[
            "grantor",
            "grantee",
            "table_catalog",
            "table_schema",
            "table_name",
            "privilege_type",
            "is_grantable",
            "with_hierarchy",
        ],
        rows,
    }
}

/// `role_column_grants` and `column_privileges`.
pub fn of_columns<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = names(source);
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    for (relation, own) in shown(system, book) {
        for column in &relation.columns {
            let mut push = |grantee, privilege, grantable| {
                let (schema, table) = (relation.schema, relation.name);
                rows.push(row![user, grantee, lake, schema, table, column.name, privilege, grantable]);
            };
            OF_COLUMNS.into_iter().for_each(|privilege| push(user, privilege, "YES"));
            if !own {
                push("PUBLIC", "SELECT", "NO");
            }
        }
    }
    Content {
        columns: &[
            "grantor",
            "grantee",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "privilege_type",
            "is_grantable",
        ],
        rows,
    }
}

/// `column_udt_usage`
pub fn type_usage<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let columns = shown(system, book).flat_map(|(r, _)| r.columns.iter().map(move |c| (r, c)));
    let rows = columns.map(|(r, c)| {
        let name = types::by_oid(c.type_oid).map_or("text", |ty| ty.name);
        row![lake, "pg_catalog", name, lake, r.schema, r.name, c.name]
    });
    Content {
        columns: &[
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
        ],
        rows: rows.collect(),
    }
}

/// `data_type_privileges`
pub fn of_types<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let columns = shown(system, book).flat_map(|(r, _)| r.columns.iter().map(move |c| (r, c)));
    let rows = columns.map(|(r, c)| row![lake, r.schema, r.name, "TABLE", c.num.to_string()]);
    Content {
        columns: &["object_catalog", "object_schema", "object_name", "object_type", "dtd_identifier"],
        rows: rows.collect(),
    }
}

/// `element_types`: of the columns that are arrays.
pub fn element_types<'a>(book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let columns = book.relations.iter().filter(|r| !matches!(r.kind, 'i' | 'S')).flat_map(|r| {
        r.columns.iter().filter_map(move |c| match c.ty {
            Some(ColumnType::Array(element)) => Some((r, c, element.oid())),
            _ => None,
        })
    });
    let rows = columns.map(|(r, c, element)| {
        let name = types::by_oid(element).map_or("text", |ty| ty.name);
        let (num, whole) = (c.num.to_string(), format!("a{}", c.num));
        row![lake, r.schema, r.name, "TABLE", num, types::sql_name(element), lake, "pg_catalog", name, whole]
    });
    Content {
        columns: &[
            "object_catalog",
            "object_schema",
            "object_name",
            "object_type",
            "collection_type_identifier",
            "data_type",
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "dtd_identifier",
        ],
        rows: rows.collect(),
    }
}

/// `constraint_table_usage`: of a foreign key the table it refers to, of another key its own.
pub fn constraint_tables<'a>(book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let rows = book.constraints.iter().filter_map(|con| {
        let (schema, table) = match &con.constraint.kind {
            ConstraintKind::ForeignKey { target, .. } => (book::sql_schema(&target.0), target.1.as_str()),
            _ => key_columns(con.constraint).map(|_| (con.schema, con.table.name.as_str()))?,
        };
        Some(row![lake, schema, table, lake, con.schema, con.constraint.name.as_str()])
    });
    Content {
        columns: &[
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
        rows: rows.collect(),
    }
}

/// `view_table_usage`
pub fn view_tables<'a>(book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let mut rows = Vec::new();
    for relation in &book.relations {
        let book::Source::View(view) = relation.source else { continue };
        for (schema, table) in source.definitions.reads(view.id) {
            rows.push(row![lake, relation.schema, relation.name, lake, schema.clone(), table.clone()]);
        }
    }
    Content {
        columns: &["view_catalog", "view_schema", "view_name", "table_catalog", "table_schema", "table_name"],
        rows,
    }
}

fn names<'a>(source: &'a Source<'a>) -> (&'a str, &'a str) {
    (source.session.lake.info.name.as_str(), source.session.user.as_str())
}
