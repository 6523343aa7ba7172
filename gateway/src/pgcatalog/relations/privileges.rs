//! Privileges and types as `information_schema` lists them: whoever made a thing may do all with it, and everybody may read the
//! system's.

use duckmesh_catalog::{ColumnType, ConstraintKind};

use super::{Source, information::OWN_DOMAINS};
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

/// Without types that are rows.
fn tables<'b, 'a>(system: &'b [Relation<'a>], book: &'b Book<'a>) -> impl Iterator<Item = (&'b Relation<'a>, bool)> {
    shown(system, book).filter(|(r, _)| r.kind != 'c')
}

/// `role_table_grants` and `table_privileges`.
pub fn of_tables<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = names(source);
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    for (relation, own) in tables(system, book) {
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
    for (relation, own) in tables(system, book) {
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
    let columns = tables(system, book).flat_map(|(r, _)| r.columns.iter().map(move |c| (r, c)));
    let rows = columns.map(|(r, c)| {
        let (space, name) = super::information::udt(c);
        row![lake, space, name, lake, r.schema, r.name, c.name]
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
    let kind = |r: &Relation<'_>| if r.kind == 'c' { "USER-DEFINED TYPE" } else { "TABLE" };
    let rows = columns.map(|(r, c)| row![lake, r.schema, r.name, kind(r), c.num.to_string()]);
    let domains = super::domain::all(book).map(|(def, _, space)| row![lake, space, def.name.as_str(), "DOMAIN", "1"]);
    let routines = super::routine::types()
        .map(|(routine, number, _)| row![lake, "pg_catalog", routine, "ROUTINE", number.to_string()]);
    let rows = rows.chain(domains).chain(routines);
    Content {
        columns: &["object_catalog", "object_schema", "object_name", "object_type", "dtd_identifier"],
        rows: rows.collect(),
    }
}

/// `element_types`: of columns, domains, parameters and results that are arrays.
pub fn element_types<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let row = |schema: &'a str, name: Cell<'a>, kind: &'a str, number: usize, element: Element| {
        let (num, whole) = (number.to_string(), format!("a{number}"));
        let Element { data_type, schema: space, name: ty } = element;
        vec![
            lake.into(),
            schema.into(),
            name,
            kind.into(),
            num.into(),
            data_type.into(),
            lake.into(),
            space.into(),
            ty.into(),
            whole.into(),
        ]
    };
    let mut rows = Vec::new();
    for (r, _) in shown(system, book) {
        let kind = if r.kind == 'c' { "USER-DEFINED TYPE" } else { "TABLE" };
        for c in &r.columns {
            if let Some(element) = Element::of(c.ty, c.type_oid) {
                rows.push(row(r.schema, r.name.into(), kind, usize::try_from(c.num).unwrap_or(0), element));
            }
        }
    }
    for (def, spec, space) in super::domain::all(book) {
        if let Some(element) = Element::of(Some(&spec.base), spec.base.oid()) {
            rows.push(row(space, def.name.as_str().into(), "DOMAIN", 1, element));
        }
    }
    for (routine, number, ty) in super::routine::types() {
        if let Some(element) = Element::of(None, ty) {
            rows.push(row("pg_catalog", routine.into(), "ROUTINE", number, element));
        }
    }
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
        rows,
    }
}

/// What an array holds.
struct Element {
    data_type: &'static str,
    schema: String,
    name: String,
}

impl Element {
    fn of(ty: Option<&ColumnType>, oid: u32) -> Option<Self> {
        if let Some(ColumnType::Array(element)) = ty
            && let ColumnType::Enum(of) = &**element
        {
            let schema = book::sql_schema(&of.schema).to_owned();
            return Some(Self { data_type: "USER-DEFINED", schema, name: of.name.clone() });
        }
        if let Some(ColumnType::Array(element)) = ty
            && let ColumnType::Record(row) = &**element
        {
            let schema = book::sql_schema(&row.schema).to_owned();
            return Some(Self { data_type: "USER-DEFINED", schema, name: row.name.clone() });
        }
        let array = types::by_oid(oid).filter(|ty| ty.element != 0 && ty.name.starts_with('_'))?;
        let name = types::by_oid(array.element).map_or("text", |ty| ty.name).to_owned();
        Some(Self { data_type: types::sql_name(array.element), schema: "pg_catalog".to_owned(), name })
    }
}

/// `udt_privileges` and `role_udt_grants`: of types that are rows.
pub fn of_row_types<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = names(source);
    let rows = shown(system, book).flat_map(|(r, _)| {
        let row = move |(grantee, grantable)| row![user, grantee, lake, r.schema, r.name, "TYPE USAGE", grantable];
        [("PUBLIC", "NO"), (user, "YES")].map(row)
    });
    Content {
        columns: &["grantor", "grantee", "udt_catalog", "udt_schema", "udt_name", "privilege_type", "is_grantable"],
        rows: rows.collect(),
    }
}

/// `usage_privileges` and `role_usage_grants`: of collations and domains.
pub fn of_usage<'a>(book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, user) = names(source);
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    let mut push = |grantee, schema: &'a str, name: &'a str, kind, grantable| {
        rows.push(row![user, grantee, lake, schema, name, kind, "USAGE", grantable]);
    };
    for name in super::routine::collation_names() {
        push("PUBLIC", "pg_catalog", name, "COLLATION", "NO");
    }
    let domains = super::domain::all(book).map(|(def, _, space)| (space, def.name.as_str()));
    for (space, name) in OWN_DOMAINS.map(|own| ("information_schema", own.name)).into_iter().chain(domains) {
        push("PUBLIC", space, name, "DOMAIN", "NO");
        push(user, space, name, "DOMAIN", "YES");
    }
    Content {
        columns: &[
            "grantor",
            "grantee",
            "object_catalog",
            "object_schema",
            "object_name",
            "object_type",
            "privilege_type",
            "is_grantable",
        ],
        rows,
    }
}

/// `view_column_usage`
pub fn view_columns<'a>(book: &Book<'a>, source: &'a Source<'a>) -> Content<'a> {
    let (lake, _) = names(source);
    let mut rows = Vec::new();
    for relation in &book.relations {
        let book::Source::View(view) = relation.source else { continue };
        for (schema, table, column) in source.definitions.columns_read(view.id) {
            let (schema, table, column) = (schema.clone(), table.clone(), column.clone());
            rows.push(row![lake, relation.schema, relation.name, lake, schema, table, column]);
        }
    }
    Content {
        columns: &[
            "view_catalog",
            "view_schema",
            "view_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
        ],
        rows,
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
