//! Domains in `information_schema`, and their constraints.

use duckmesh_catalog::{ColumnType, DomainCheck, DomainSpec, TypeDef, TypeSpec, types::TextType};

use crate::{
    pgcatalog::{
        book::{self, Book},
        content::{Cell, Content, row},
        definitions, oids, procedure, types,
    },
    sql::deparse::{self, Definitions, Shown},
};

/// What an unlimited text may have, as Postgres says it.
const OCTETS_MAX: i32 = 1 << 30;

/// Domains with SQL's name of their schema.
pub(super) fn all<'b, 'a>(
    book: &'b Book<'a>,
) -> impl Iterator<Item = (&'a TypeDef, &'a DomainSpec, &'a str)> + use<'b, 'a> {
    let schema = book.schema;
    schema.types.values().filter_map(move |def| match &def.spec {
        TypeSpec::Domain(spec) => {
            let space = book::sql_schema(schema.schema_name(def.schema_id).unwrap_or_default());
            Some((def.as_ref(), spec, space))
        }
        _ => None,
    })
}

/// The type below: its schema and its internal name.
fn below(spec: &DomainSpec) -> (&str, String) {
    match &spec.base {
        ColumnType::Enum(of) => (book::sql_schema(&of.schema), of.name.clone()),
        ty => ("pg_catalog", types::by_oid(ty.oid()).map_or("text", |t| t.name).to_owned()),
    }
}

pub fn domains<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = all(book).map(|(def, spec, space)| {
        let (type_space, type_name) = below(spec);
        let data_type = match &spec.base {
            ColumnType::Enum(_) => "USER-DEFINED".to_owned(),
            ColumnType::Array(element) if matches!(**element, ColumnType::Enum(_)) => "USER-DEFINED".to_owned(),
            // Not `ARRAY`: so does Postgres' own view say it.
            ty => procedure::name(ty.oid()),
        };
        let limit = match &spec.base {
            ColumnType::Varchar(Some(n)) | ColumnType::Char(n) => i32::try_from(*n).ok(),
            ColumnType::Modified(ty, bits) if super::information::is_bits(ty) => Some(*bits),
            _ => None,
        };
        let octets = match (limit, &spec.base) {
            (Some(n), ColumnType::Varchar(_) | ColumnType::Char(_)) => n.checked_mul(4),
            (None, ColumnType::Text | ColumnType::Varchar(_)) => Some(OCTETS_MAX),
            _ => None,
        };
        let (precision, radix, scale) = super::information::numeric(spec.base.oid(), Some(&spec.base));
        let fractional = match spec.base.bare() {
            ColumnType::Date => Some(0),
            ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::Timestamptz
            | ColumnType::Interval
            | ColumnType::AsText(TextType::Timetz) => Some(spec.base.second_digits()),
            _ => None,
        };
        let default = spec.default.as_ref().map(|d| definitions::default(d, &spec.base, &definitions::Seen::default()));
        row![
            lake,
            space,
            def.name.as_str(),
            data_type,
            limit,
            octets,
            precision,
            radix,
            scale,
            fractional,
            default,
            lake,
            type_space,
            type_name,
            "1",
        ]
    });
    Content {
        columns: &[
            "domain_catalog",
            "domain_schema",
            "domain_name",
            "data_type",
            "character_maximum_length",
            "character_octet_length",
            "numeric_precision",
            "numeric_precision_radix",
            "numeric_scale",
            "datetime_precision",
            "domain_default",
            "udt_catalog",
            "udt_schema",
            "udt_name",
            "dtd_identifier",
        ],
        rows: rows.collect(),
    }
}

pub fn constraints<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = all(book).flat_map(|(def, spec, space)| {
        let row = move |check: &'a DomainCheck| {
            row![lake, space, check.name.as_str(), lake, space, def.name.as_str(), "NO", "NO"]
        };
        spec.checks.iter().map(row)
    });
    Content {
        columns: &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "domain_catalog",
            "domain_schema",
            "domain_name",
            "is_deferrable",
            "initially_deferred",
        ],
        rows: rows.collect(),
    }
}

pub fn columns<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = book.relations.iter().flat_map(|relation| {
        relation.columns.iter().filter_map(move |column| {
            let def = column.domain?;
            let space = book::sql_schema(book.schema.schema_name(def.schema_id).unwrap_or_default());
            Some(row![lake, space, def.name.as_str(), lake, relation.schema, relation.name, column.name])
        })
    });
    Content {
        columns: &[
            "domain_catalog",
            "domain_schema",
            "domain_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
        ],
        rows: rows.collect(),
    }
}

pub fn types<'a>(book: &Book<'a>, lake: &'a str) -> Content<'a> {
    let rows = all(book).map(|(def, spec, space)| {
        let (type_space, type_name) = below(spec);
        row![lake, type_space, type_name, lake, space, def.name.as_str()]
    });
    Content {
        columns: &["udt_catalog", "udt_schema", "udt_name", "domain_catalog", "domain_schema", "domain_name"],
        rows: rows.collect(),
    }
}

/// A domain's constraint as `pg_constraint` has it: oid, namespace, the domain's oid, name and expression.
pub fn checks<'a>(book: &Book<'a>, definitions: &Definitions) -> Vec<Check<'a>> {
    let mut range = oids::Range::domain_checks();
    let mut found = Vec::new();
    for (def, spec, _) in all(book) {
        let schema = book.schema.schemas.values().find(|s| s.id == def.schema_id);
        let space = schema.map_or(0, |s| oids::schema(s.id, &s.name));
        for check in &spec.checks {
            let oid = range.give(duckmesh_catalog::TableId::new(def.id.get()), &check.name);
            let written = || Shown { full: check.expression.clone(), pretty: check.expression.clone() };
            let expression = definitions.domain_check(def.id, &check.name).cloned().unwrap_or_else(written);
            let [full, pretty] = [&expression.full, &expression.pretty].map(|text| deparse::types_seen(text, true));
            let expression = Shown { full, pretty };
            found.push(Check { oid, space, domain: def.oid(), name: check.name.as_str(), expression });
        }
    }
    found
}

/// A CHECK of a domain.
pub struct Check<'a> {
    pub oid: u32,
    space: u32,
    domain: u32,
    name: &'a str,
    pub expression: Shown,
}

/// A constraint's cell that no constraint of a table sets.
pub fn row_of(check: Check<'_>) -> Vec<Cell<'_>> {
    let Check { oid, space, domain, name, expression } = check;
    row![
        oid,
        name,
        space,
        'c',
        true,
        0_u32,
        0_u32,
        0_u32,
        " ",
        " ",
        " ",
        true,
        false,
        Cell::Null,
        Cell::Null,
        expression.full,
        domain,
        false,
        false,
    ]
}
