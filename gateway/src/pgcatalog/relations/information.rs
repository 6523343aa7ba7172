//! `information_schema`.

use duckmesh_catalog::{
    ColumnType, ConstraintKind, DefaultValue, DomainCheck, Identity, TypeDef, TypeSpec, types::modifier::PRECISION_MAX,
};

use crate::pgcatalog::{
    book::{self, Book, Column, Con, Relation, Source, key_columns},
    content::{Cell, Content, row},
    definitions, types,
};
use crate::sql::deparse::{self, Definitions};

/// What an unlimited text may have, as Postgres says it.
const OCTETS_MAX: i32 = 1 << 30;
/// Cells of a column at the end that a field of a type has not.
const OF_TABLES_ONLY: usize = 11;
/// Bytes of a character.
const CHARACTER_BYTES: i64 = 4;

fn yes(flag: bool) -> &'static str {
    if flag { "YES" } else { "NO" }
}

pub fn catalog_name(lake: &str) -> Content<'_> {
    Content { columns: &["catalog_name"], rows: vec![row![lake]] }
}

pub fn tables<'a>(system: &[Relation<'a>], book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let row = |r: &Relation<'a>| {
        let table = r.kind == 'r';
        let own = matches!(r.source, Source::Table(_));
        let kind = match table {
            true if r.is_temporary() => "LOCAL TEMPORARY",
            true => "BASE TABLE",
            false => "VIEW",
        };
        row![lake, r.schema, r.name, kind, yes(own), "NO"]
    };
    Content {
        columns: &["table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "is_typed"],
        rows: system.iter().chain(&book.relations).filter(|r| !matches!(r.kind, 'i' | 'S' | 'c')).map(row).collect(),
    }
}

pub fn views<'a>(book: &Book<'a>, source: &'a super::Source<'a>) -> Content<'a> {
    let (lake, visible) = (source.session.lake.info.name.as_str(), book.visible(&source.search_path));
    let rows = book.relations.iter().filter_map(|r| {
        let Source::View(view) = r.source else { return None };
        Some(row![
            lake,
            r.schema,
            r.name,
            definitions::view(view, &source.definitions, &visible, book, false),
            "NONE",
            "NO",
            "NO",
            "NO",
            "NO",
            "NO"
        ])
    });
    Content {
        columns: &[
            "table_catalog",
            "table_schema",
            "table_name",
            "view_definition",
            "check_option",
            "is_updatable",
            "is_insertable_into",
            "is_trigger_updatable",
            "is_trigger_deletable",
            "is_trigger_insertable_into",
        ],
        rows: rows.collect(),
    }
}

pub fn schemata<'a>(book: &Book<'a>, lake: &'a str, user: &'a str) -> Content<'a> {
    let system = book::system_namespaces();
    let names = system.iter().map(|s| s.name).chain(book.namespaces.iter().map(|s| s.name));
    let rows = names.map(|name| row![lake, name, user]);
    Content { columns: &["catalog_name", "schema_name", "schema_owner"], rows: rows.collect() }
}

pub fn columns<'a>(system: &[Relation<'a>], book: &Book<'a>, source: &super::Source<'a>) -> Content<'a> {
    let (lake, shown) = (source.session.lake.info.name.as_str(), &source.definitions);
    let seen = definitions::Seen::by(book, &source.search_path);
    let relations = system.iter().chain(&book.relations).filter(|r| !matches!(r.kind, 'i' | 'S' | 'c'));
    Content {
        columns: &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "column_default",
            "is_nullable",
            "data_type",
            "character_maximum_length",
            "character_octet_length",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "datetime_precision",
            "interval_type",
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "domain_catalog",
            "domain_schema",
            "domain_name",
            "dtd_identifier",
            "is_self_referencing",
            "is_identity",
            "identity_generation",
            "identity_start",
            "identity_increment",
            "identity_maximum",
            "identity_minimum",
            "identity_cycle",
            "is_generated",
            "generation_expression",
            "is_updatable",
        ],
        rows: relations
            .flat_map(|r| r.columns.iter().map(move |c| (r, c)))
            .map(|(r, c)| column(book, r, c, lake, (shown, &seen)))
            .collect(),
    }
}

/// Whether it is a string of bits.
pub(super) fn is_bits(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::AsText(held) if held.is_bits())
}

/// `DAY TO SECOND(3)`
pub(super) fn interval_type(ty: &ColumnType) -> Option<String> {
    match ty {
        ColumnType::Modified(base, _) if **base == ColumnType::Interval => {
            Some(ty.to_string().strip_prefix("interval ")?.to_uppercase())
        }
        _ => None,
    }
}

/// SQL's name of a type's schema.
fn schema_of<'a>(book: &Book<'a>, def: &TypeDef) -> &'a str {
    book::sql_schema(book.schema.schema_name(def.schema_id).unwrap_or_default())
}

/// A domain of `information_schema` and what it is over.
#[derive(Clone, Copy)]
pub(super) struct OwnDomain {
    pub name: &'static str,
    base: &'static str,
    length: Option<i64>,
    digits: Option<i32>,
}

/// All of them.
pub(super) const OWN_DOMAINS: [OwnDomain; 5] = [
    OwnDomain { name: "cardinal_number", base: "int4", length: None, digits: None },
    OwnDomain { name: "character_data", base: "varchar", length: None, digits: None },
    OwnDomain { name: "sql_identifier", base: "name", length: None, digits: None },
    OwnDomain { name: "time_stamp", base: "timestamptz", length: None, digits: Some(2) },
    OwnDomain { name: "yes_or_no", base: "varchar", length: Some(3), digits: None },
];

/// A column's type, of a domain what it is over, and the system's domain where it is one.
fn base_type(column: &Column<'_>) -> (Option<&'static types::Type>, Option<OwnDomain>) {
    let ty = types::by_oid(column.type_oid);
    let own = OWN_DOMAINS.into_iter().find(|own| ty.is_some_and(|ty| ty.name == own.name));
    match (own, column.domain) {
        (Some(own), _) => (types::by_name(own.base), Some(own)),
        (None, Some(_)) => (column.ty.and_then(|ty| types::by_oid(ty.oid())), None),
        (None, None) => (ty, None),
    }
}

/// The schema and internal name of a column's type; of a domain what it is over.
pub(super) fn udt<'a>(column: &Column<'a>) -> (&'a str, String) {
    match (column.ty, base_type(column).0) {
        (Some(ColumnType::Enum(of)), _) => (book::sql_schema(&of.schema), of.name.clone()),
        (Some(ColumnType::Record(row)), _) => (book::sql_schema(&row.schema), row.name.clone()),
        (Some(ColumnType::Array(element)), None) => match &**element {
            ColumnType::Enum(of) => (book::sql_schema(&of.schema), format!("_{}", of.name)),
            ColumnType::Record(row) => (book::sql_schema(&row.schema), format!("_{}", row.name)),
            _ => ("pg_catalog", "text".to_owned()),
        },
        (_, ty) => ("pg_catalog", ty.map_or("text", |t| t.name).to_owned()),
    }
}

fn column<'a>(
    book: &Book<'a>,
    relation: &Relation<'a>,
    column: &Column<'a>,
    lake: &'a str,
    (shown, seen): (&Definitions, &definitions::Seen<'a>),
) -> Vec<Cell<'a>> {
    let shown = definitions::column_default(shown, relation, column, seen);
    let computed = matches!(column.default, Some(DefaultValue::Generated(_)));
    let (default, expression) = if computed { (None, shown) } else { (shown, None) };
    let (ty, own) = base_type(column);
    let (space, name) = udt(column);
    let data_type = match column.ty {
        Some(ColumnType::Enum(_) | ColumnType::Record(_)) => "USER-DEFINED",
        _ if name.starts_with('_') || ty.is_some_and(|ty| ty.element != 0 && ty.len == -1) => "ARRAY",
        _ => types::sql_name(ty.map_or(column.type_oid, |t| t.oid)),
    };
    let limit = match column.ty {
        Some(ColumnType::Varchar(Some(n)) | ColumnType::Char(n)) => Some(i64::from(*n)),
        Some(ColumnType::Modified(ty, bits)) if is_bits(ty) => Some(i64::from(*bits)),
        _ => own.and_then(|own| own.length),
    };
    let octets = match (limit, name.as_str()) {
        (_, "bit" | "varbit") => None,
        (Some(n), _) => i32::try_from(n * CHARACTER_BYTES).ok(),
        (None, "text" | "varchar") => Some(OCTETS_MAX),
        _ => None,
    };
    let (precision, radix, scale) = numeric(ty.map_or(column.type_oid, |t| t.oid), column.ty);
    let fractional = match name.as_str() {
        _ if own.is_some_and(|own| own.digits.is_some()) => own.and_then(|own| own.digits),
        "date" => Some(0),
        "time" | "timetz" | "timestamp" | "timestamptz" | "interval" => {
            Some(column.ty.map_or(PRECISION_MAX, ColumnType::second_digits))
        }
        _ => None,
    };
    let of_domain = column.domain.is_some_and(|def| matches!(&def.spec, TypeSpec::Domain(spec) if !spec.nullable));
    let not_null = column.not_null && relation.kind != 'v' || of_domain;
    let domain = column.domain.map(|d| (schema_of(book, d), d.name.as_str()));
    let domain = domain.or(own.map(|own| ("information_schema", own.name)));
    row![
        lake,
        relation.schema,
        relation.name,
        column.name,
        i32::from(column.num),
        default,
        yes(!not_null),
        data_type,
        limit,
        octets,
        precision,
        radix,
        scale,
        fractional,
        column.ty.and_then(interval_type),
        lake,
        space,
        name,
        domain.map(|_| lake),
        domain.map(|d| d.0),
        domain.map(|d| d.1),
        column.num.to_string(),
        "NO",
        yes(column.identity.is_some()),
        column.identity.map(|s| match s.spec.identity {
            Some(Identity::ByDefault) => "BY DEFAULT",
            _ => "ALWAYS",
        }),
        column.identity.map(|s| s.spec.start.to_string()),
        column.identity.map(|s| s.spec.increment.to_string()),
        column.identity.map(|s| s.spec.max.to_string()),
        column.identity.map(|s| s.spec.min.to_string()),
        yes(column.identity.is_some_and(|s| s.spec.cycle)),
        if computed { "ALWAYS" } else { "NEVER" },
        expression,
        yes(matches!(relation.source, Source::Table(_))),
    ]
}

/// Precision, its base, and scale of a number.
pub(super) fn numeric(oid: u32, ty: Option<&ColumnType>) -> (Option<i32>, Option<i32>, Option<i32>) {
    match types::by_oid(oid).map(|t| t.name) {
        Some("int2") => (Some(16), Some(2), Some(0)),
        Some("int4") => (Some(32), Some(2), Some(0)),
        Some("int8") => (Some(64), Some(2), Some(0)),
        Some("float4") => (Some(24), Some(2), None),
        Some("float8") => (Some(53), Some(2), None),
        Some("numeric") => match ty {
            Some(ColumnType::Numeric(p, s)) => (Some(i32::from(*p)), Some(10), Some(i32::from(*s))),
            _ => (None, Some(10), None),
        },
        _ => (None, None, None),
    }
}

fn kind_name(con: &Con<'_>) -> &'static str {
    match con.constraint.kind {
        ConstraintKind::Check { .. } => "CHECK",
        ConstraintKind::PrimaryKey { .. } => "PRIMARY KEY",
        ConstraintKind::Unique { .. } => "UNIQUE",
        ConstraintKind::ForeignKey { .. } => "FOREIGN KEY",
    }
}

pub fn table_constraints<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    for con in &book.constraints {
        let (name, table) = (con.constraint.name.as_str(), con.table.name.as_str());
        let distinct = matches!(con.constraint.kind, ConstraintKind::Unique { .. })
            .then_some(yes(!con.constraint.options.nulls_not_distinct));
        let shown = kind_name(con);
        let (deferrable, deferred) = definitions::deferral(con);
        let (deferrable, deferred) = (yes(deferrable), yes(deferred));
        rows.push(row![lake, con.schema, name, lake, con.schema, table, shown, deferrable, deferred, "YES", distinct]);
    }
    for (relation, column, name) in not_nulls(book) {
        let (schema, table) = (relation.schema, relation.name);
        let _ = column;
        rows.push(row![lake, schema, name, lake, schema, table, "CHECK", "NO", "NO", "YES", None::<&str>]);
    }
    Content {
        columns: &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
            "nulls_distinct",
        ],
        rows,
    }
}

/// NOT NULL as Postgres 15 shows it there: a check named after oids.
fn not_nulls<'b, 'a>(book: &'b Book<'a>) -> impl Iterator<Item = (&'b Relation<'a>, &'b Column<'a>, String)> {
    let tables = book.relations.iter().filter(|r| r.kind == 'r');
    tables.flat_map(|r| {
        let columns = r.columns.iter().filter(|c| c.not_null);
        columns.map(move |c| (r, c, format!("{}_{}_{}_not_null", r.namespace, r.oid, c.num)))
    })
}

pub fn check_constraints<'a>(book: &Book<'a>, source: &'a super::Source<'a>) -> Content<'a> {
    let lake = source.session.lake.info.name.as_str();
    let checks = book.constraints.iter().filter_map(|con| match &con.constraint.kind {
        ConstraintKind::Check { expression } => {
            let shown = source.definitions.check(con.table.id, &con.constraint.name);
            let clause = shown.map_or(expression.as_str(), |shown| &shown.full);
            let clause = format!("({})", deparse::types_seen(clause, true));
            Some(row![lake, con.schema, con.constraint.name.as_str(), clause])
        }
        _ => None,
    });
    let not_null = not_nulls(book).map(|(r, c, name)| row![lake, r.schema, name, format!("{} IS NOT NULL", c.name)]);
    let domains = book.schema.types.values().flat_map(|def| {
        let schema = schema_of(book, def);
        let checks: &[DomainCheck] = match &def.spec {
            TypeSpec::Domain(spec) => &spec.checks,
            _ => &[],
        };
        checks.iter().map(move |c| {
            let shown = source.definitions.domain_check(def.id, &c.name);
            let clause = shown.map_or_else(|| format!("(({}))", c.expression), |shown| format!("({})", shown.full));
            let clause = deparse::types_seen(&clause, true);
            row![lake, schema, c.name.as_str(), clause]
        })
    });
    Content {
        columns: &["constraint_catalog", "constraint_schema", "constraint_name", "check_clause"],
        rows: checks.chain(not_null).chain(domains).collect(),
    }
}

pub fn key_column_usage<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = book.constraints.iter().flat_map(|con| {
        let foreign = matches!(con.constraint.kind, ConstraintKind::ForeignKey { .. });
        let columns = match &con.constraint.kind {
            ConstraintKind::ForeignKey { columns, .. } => columns.as_slice(),
            _ => key_columns(con.constraint).unwrap_or_default(),
        };
        let named = columns.iter().filter_map(|id| con.table.column_by_id(*id)).zip(1_i32..);
        named.map(move |(column, n)| {
            let (name, table) = (con.constraint.name.as_str(), con.table.name.as_str());
            let position = foreign.then_some(n);
            row![lake, con.schema, name, lake, con.schema, table, column.name.as_str(), n, position]
        })
    });
    Content {
        columns: &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
            "position_in_unique_constraint",
        ],
        rows: rows.collect(),
    }
}

pub fn constraint_column_usage<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = book.constraints.iter().flat_map(|con| {
        let used: Vec<(&'a str, &'a str, &'a str)> = match &con.constraint.kind {
            ConstraintKind::ForeignKey { target, target_columns, .. } => {
                let table = book.target(target);
                let columns = table.map(|t| book.target_columns(t, target_columns)).unwrap_or_default();
                let schema = book::sql_schema(&target.0);
                columns.into_iter().map(|c| (schema, target.1.as_str(), c.name.as_str())).collect()
            }
            ConstraintKind::Check { expression } => super::constraint::named(con.table, expression)
                .iter()
                .filter_map(|id| con.table.column_by_id(*id))
                .map(|c| (con.schema, con.table.name.as_str(), c.name.as_str()))
                .collect(),
            _ => key_columns(con.constraint)
                .unwrap_or_default()
                .iter()
                .filter_map(|id| con.table.column_by_id(*id))
                .map(|c| (con.schema, con.table.name.as_str(), c.name.as_str()))
                .collect(),
        };
        let name = con.constraint.name.as_str();
        used.into_iter().map(move |(s, t, c)| row![lake, s, t, c, lake, con.schema, name])
    });
    Content {
        columns: &[
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
        ],
        rows: rows.collect(),
    }
}

pub fn referential_constraints<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = book.constraints.iter().filter_map(|con| {
        let ConstraintKind::ForeignKey { target, target_columns, rules, .. } = &con.constraint.kind else {
            return None;
        };
        let table = book.target(target);
        let ids = table.map(|t| book.target_columns(t, target_columns).iter().map(|c| c.id).collect::<Vec<_>>());
        let key = table.zip(ids).and_then(|(t, ids)| book.key(t.id, &ids));
        Some(row![
            lake,
            con.schema,
            con.constraint.name.as_str(),
            key.map(|_| lake),
            key.map(|k| k.schema),
            key.map(|k| k.constraint.name.as_str()),
            if rules.full { "FULL" } else { "NONE" },
            rules.on_update.words(),
            rules.on_delete.words(),
        ])
    });
    Content {
        columns: &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "unique_constraint_catalog",
            "unique_constraint_schema",
            "unique_constraint_name",
            "match_option",
            "update_rule",
            "delete_rule",
        ],
        rows: rows.collect(),
    }
}

/// `attributes`: the fields of composite types.
pub fn attributes<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let (shown, seen) = (Definitions::default(), definitions::Seen::default());
    let fields = book.relations.iter().filter(|r| r.kind == 'c').flat_map(|r| r.columns.iter().map(move |c| (r, c)));
    let rows = fields.map(|(relation, field)| {
        let mut cells = column(book, relation, field, lake, (&shown, &seen));
        // What columns of tables have and fields have not.
        cells.truncate(cells.len() - OF_TABLES_ONLY);
        cells.push("NO".into());
        cells
    });
    Content {
        columns: &[
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "attribute_name",
            "ordinal_position",
            "attribute_default",
            "is_nullable",
            "data_type",
            "character_maximum_length",
            "character_octet_length",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "datetime_precision",
            "interval_type",
            "attribute_udt_catalog",
            "attribute_udt_schema",
            "attribute_udt_name",
            "",
            "",
            "",
            "dtd_identifier",
            "is_derived_reference_attribute",
        ],
        rows: rows.collect(),
    }
}

/// `column_column_usage`: the columns that computed ones are computed of.
pub fn computed_columns<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let mut rows: Vec<Vec<Cell<'a>>> = Vec::new();
    for relation in &book.relations {
        let Source::Table(table) = relation.source else { continue };
        for computed in &relation.columns {
            let Some(DefaultValue::Generated(expression)) = computed.default else { continue };
            let used = super::constraint::named(table, expression);
            for column in used.iter().filter_map(|id| table.column_by_id(*id)) {
                rows.push(row![lake, relation.schema, relation.name, column.name.as_str(), computed.name]);
            }
        }
    }
    Content { columns: &["table_catalog", "table_schema", "table_name", "column_name", "dependent_column"], rows }
}
