//! Types of the lake: those that users made, and the row types of its relations.

use duckmesh_catalog::{ColumnType, TypeDef, TypeSpec, types::oid, user_types::DomainSpec};

use crate::pgcatalog::{
    book::{Book, Relation},
    content::{Cell, Content, row},
    definitions, names, oids, rows, types,
};

/// A function of `pg_proc`, for the columns that name one.
fn function(name: &str) -> Cell<'static> {
    rows::procedure(name).unwrap_or_default().into()
}

/// What `pg_type` says of how values are held.
struct Held {
    len: i16,
    by_value: bool,
    align: &'static str,
    storage: &'static str,
    collation: u32,
}

/// What `pg_type` says of what a type is.
struct Kind<'a> {
    oid: u32,
    name: String,
    namespace: u32,
    kind: char,
    category: char,
    relation: u32,
    element: u32,
    array: u32,
    not_null: bool,
    base: u32,
    typmod: i32,
    default: Option<String>,
    /// Input, output, receive and send.
    functions: [&'a str; 4],
    subscript: &'a str,
    held: Held,
}

const ENUM: [&str; 4] = ["enum_in", "enum_out", "enum_recv", "enum_send"];
const DOMAIN: [&str; 4] = ["domain_in", "", "domain_recv", ""];
const RECORD: [&str; 4] = ["record_in", "record_out", "record_recv", "record_send"];
const ARRAY: [&str; 4] = ["array_in", "array_out", "array_recv", "array_send"];

/// Rows of `pg_type`.
pub fn types<'a>(book: &Book<'a>) -> Content<'a> {
    let mut rows = Vec::new();
    for def in book.schema.types.values() {
        let namespace = namespace(book, def);
        rows.push(row(user(book, def, namespace)));
        rows.push(row(array(def.array_oid(), def.oid(), &def.name, namespace, alignment(def))));
    }
    for relation in book.relations.iter().filter(|r| matches!(r.kind, 'r' | 'v')) {
        let (oid, array_oid) = (oids::row_type(relation.oid), oids::row_array(relation.oid));
        rows.push(row(record(oid, relation.name, relation.namespace, relation.oid, array_oid)));
        rows.push(row(array(array_oid, oid, relation.name, relation.namespace, "d")));
    }
    Content {
        columns: &[
            "oid",
            "typname",
            "typnamespace",
            "typowner",
            "typlen",
            "typbyval",
            "typtype",
            "typcategory",
            "typispreferred",
            "typisdefined",
            "typdelim",
            "typrelid",
            "typsubscript",
            "typelem",
            "typarray",
            "typinput",
            "typoutput",
            "typreceive",
            "typsend",
            "typalign",
            "typstorage",
            "typnotnull",
            "typbasetype",
            "typtypmod",
            "typcollation",
            "typdefault",
            "typdefaultbin",
        ],
        rows,
    }
}

fn row<'a>(ty: Kind<'_>) -> Vec<Cell<'a>> {
    let [input, output, receive, send] = ty.functions;
    let mut row = row![
        ty.oid,
        ty.name,
        ty.namespace,
        oids::OWNER,
        ty.held.len,
        ty.held.by_value,
        ty.kind,
        ty.category,
        false,
        true,
        ",",
        ty.relation,
    ];
    row.extend([function(ty.subscript), ty.element.into(), ty.array.into()]);
    row.extend([function(input), function(output), function(receive), function(send)]);
    // Who copies a domain takes the one for an expression, where both are there, and the other for a constant.
    let shown = ty.default.clone();
    row.extend(row![ty.held.align, ty.held.storage, ty.not_null, ty.base, ty.typmod, ty.held.collation]);
    row.extend(row![shown, ty.default]);
    row
}

fn namespace(book: &Book<'_>, def: &TypeDef) -> u32 {
    let schema = book.schema.schemas.values().find(|s| s.id == def.schema_id);
    schema.map_or(0, |s| oids::schema(s.id, &s.name))
}

fn user<'a>(book: &Book<'_>, def: &TypeDef, namespace: u32) -> Kind<'a> {
    let of = |kind, category, functions, held| Kind {
        oid: def.oid(),
        name: def.name.clone(),
        namespace,
        kind,
        category,
        relation: 0,
        element: 0,
        array: def.array_oid(),
        not_null: false,
        base: 0,
        typmod: -1,
        default: None,
        functions,
        subscript: "",
        held,
    };
    match &def.spec {
        TypeSpec::Enum(_) => {
            let held = Held { len: 4, by_value: true, align: "i", storage: "p", collation: 0 };
            of('e', 'E', ENUM, held)
        }
        TypeSpec::Composite(_) => record(def.oid(), &def.name, namespace, def.relation_oid(), def.array_oid()),
        TypeSpec::Domain(domain) => {
            let base = types::by_oid(domain.base.oid());
            let held = Held {
                len: base.map_or(4, |t| t.len),
                by_value: base.is_none_or(|t| t.by_value),
                align: base.map_or("i", |t| t.align),
                storage: base.map_or("p", |t| t.storage),
                collation: base.map_or(0, |t| t.collation),
            };
            let default =
                domain.default.as_ref().map(|d| definitions::default(d, &domain.base, &definitions::Seen::default()));
            Kind {
                not_null: !domain.nullable,
                base: parent(book, domain).map_or(domain.base.oid(), TypeDef::oid),
                typmod: if parent(book, domain).is_some() { -1 } else { domain.base.typmod() },
                default,
                ..of('d', category(&domain.base), DOMAIN, held)
            }
        }
    }
}

/// The domain that a domain is over.
fn parent<'b>(book: &Book<'b>, domain: &DomainSpec) -> Option<&'b TypeDef> {
    domain.parent.and_then(|uuid| book.schema.type_by_uuid(uuid)).map(AsRef::as_ref)
}

/// What types are made of, as rows of `pg_depend`: domains of the types below, composite types of those of their fields.
pub fn dependencies<'a>(book: &Book<'a>) -> Vec<Vec<Cell<'a>>> {
    const TYPE: u32 = 1247;
    const CLASS: u32 = 1259;
    // An array needs its element, which is what is made.
    let needed = |ty: &ColumnType| match ty {
        ColumnType::Array(element) => element.oid(),
        other => other.oid(),
    };
    let own = |oid: &u32| *oid >= oids::FIRST_OWN;
    let mut rows = Vec::new();
    for def in book.schema.types.values() {
        match &def.spec {
            TypeSpec::Enum(_) => {}
            TypeSpec::Domain(domain) => {
                let below = parent(book, domain).map_or_else(|| needed(&domain.base), TypeDef::oid);
                rows.extend(Some(below).filter(own).map(|below| row![TYPE, def.oid(), 0, TYPE, below, 0, "n"]));
            }
            TypeSpec::Composite(fields) => {
                rows.push(row![CLASS, def.relation_oid(), 0, TYPE, def.oid(), 0, "i"]);
                for ((_, field), number) in fields.iter().zip(1..) {
                    let needed = Some(needed(field)).filter(own);
                    rows.extend(needed.map(|oid| row![CLASS, def.relation_oid(), number, TYPE, oid, 0, "n"]));
                }
            }
        }
    }
    rows
}

fn record<'a>(oid: u32, name: &str, namespace: u32, relation: u32, array: u32) -> Kind<'a> {
    Kind {
        oid,
        name: name.to_owned(),
        namespace,
        kind: 'c',
        category: 'C',
        relation,
        element: 0,
        array,
        not_null: false,
        base: 0,
        typmod: -1,
        default: None,
        functions: RECORD,
        subscript: "",
        held: Held { len: -1, by_value: false, align: "d", storage: "x", collation: 0 },
    }
}

fn array<'a>(oid: u32, element: u32, name: &str, namespace: u32, align: &'static str) -> Kind<'a> {
    Kind {
        oid,
        name: array_name(name),
        namespace,
        kind: 'b',
        category: 'A',
        relation: 0,
        element,
        array: 0,
        not_null: false,
        base: 0,
        typmod: -1,
        default: None,
        functions: ARRAY,
        subscript: "array_subscript_handler",
        held: Held { len: -1, by_value: false, align, storage: "x", collation: 0 },
    }
}

/// `_mood`, cut as Postgres cuts it.
fn array_name(name: &str) -> String {
    const NAME_BYTES_MAX: usize = 63;
    let mut whole = format!("_{name}");
    while whole.len() > NAME_BYTES_MAX {
        whole.pop();
    }
    whole
}

fn alignment(def: &TypeDef) -> &'static str {
    match &def.spec {
        TypeSpec::Enum(_) => "i",
        TypeSpec::Composite(_) => "d",
        TypeSpec::Domain(domain) => match types::by_oid(domain.base.oid()).map(|t| t.align) {
            Some("d") => "d",
            _ => "i",
        },
    }
}

/// `typcategory`.
fn category(ty: &ColumnType) -> char {
    match ty.oid() {
        oid::BOOL => 'B',
        oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC | oid::OID => 'N',
        oid::DATE | oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => 'D',
        oid::INTERVAL => 'T',
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => 'S',
        _ => match ty {
            ColumnType::Array(_) => 'A',
            ColumnType::Enum(_) => 'E',
            _ => 'U',
        },
    }
}

/// Rows of `pg_enum`.
pub fn labels<'a>(book: &Book<'a>) -> Content<'a> {
    let rows = book.schema.types.values().flat_map(|def| {
        let labels = def.labels().unwrap_or_default().iter().zip(1_i32..);
        labels.map(|(label, order)| {
            vec![label.oid().into(), def.oid().into(), Cell::Float(f64::from(order)), Cell::from(label.name.as_str())]
        })
    });
    Content { columns: &["oid", "enumtypid", "enumsortorder", "enumlabel"], rows: rows.collect() }
}

/// What our functions know of them, beside `internal::types`.
pub fn named<'a>(book: &Book<'a>, search_path: &[String]) -> Content<'a> {
    let mut rows = Vec::new();
    let mut both = |oid: u32, array: u32, schema: &str, name: &str, seen: bool| {
        let quoted = names::quoted(name);
        let shown = if seen { quoted } else { format!("{}.{quoted}", names::quoted(schema)) };
        let whole = format!("{schema}.{name}");
        // By the names that finders compare: with the schema where only that finds it.
        let plain = if seen { name.to_owned() } else { whole.clone() };
        rows.push(row![oid, shown.clone(), oid, "", plain.clone(), whole.clone(), seen]);
        rows.push(row![array, shown, oid, "[]", format!("{plain}[]"), format!("{schema}.{}", array_name(name)), seen]);
    };
    for def in book.schema.types.values() {
        let schema = crate::pgcatalog::book::sql_schema(book.schema.schema_name(def.schema_id).unwrap_or_default());
        let found = search_path.iter().find_map(|space| {
            let lake = if space == "public" { duckmesh_catalog::schema::DEFAULT_SCHEMA } else { space };
            book.schema.user_type(lake, &def.name)
        });
        let seen = types::by_name(&def.name).is_none() && found.is_some_and(|found| found.uuid == def.uuid);
        both(def.oid(), def.array_oid(), schema, &def.name, seen);
    }
    let visible = book.visible(search_path);
    for relation in book.relations.iter().filter(|r| matches!(r.kind, 'r' | 'v')) {
        let seen = visible.get(relation.name) == Some(&relation.oid);
        let (oid, array) = (oids::row_type(relation.oid), oids::row_array(relation.oid));
        both(oid, array, relation.schema, relation.name, seen);
    }
    Content { columns: &["#k", "#v", "#b", "#a", "#p", "#t", "#s"], rows }
}

/// The relations of composite types.
pub fn relations<'a>(book: &Book<'a>) -> Vec<Relation<'a>> {
    let mut all = Vec::new();
    for def in book.schema.types.values() {
        let TypeSpec::Composite(fields) = &def.spec else { continue };
        let schema = book.schema.schema_name(def.schema_id).unwrap_or_default();
        let columns = fields.iter().zip(1..).map(|((name, ty), num)| crate::pgcatalog::book::field(name, ty, num));
        all.push(Relation {
            oid: def.relation_oid(),
            namespace: namespace(book, def),
            schema: crate::pgcatalog::book::sql_schema(schema),
            name: &def.name,
            kind: 'c',
            columns: columns.collect(),
            source: crate::pgcatalog::book::Source::Composite(def.oid()),
        });
    }
    all
}
