//! The rows of each system relation that has any.

mod class;
mod constraint;
mod counters;
mod dependency;
mod domain;
mod information;
mod internal;
mod listing;
mod privileges;
mod routine;
mod sequence;
mod server;
mod user_type;

use std::sync::Arc;

use crate::{
    session::{ClientSession, Pin},
    sql::deparse::Definitions,
};

use super::{
    book::{self, Book},
    content::Content,
    definitions,
};

/// What the rows are made from.
pub struct Source<'a> {
    pub session: &'a ClientSession,
    pub pin: &'a Pin,
    /// Schemas that exist and are searched for names without one.
    pub search_path: Vec<String>,
    /// Definitions as Postgres shows them, where a relation has some.
    pub definitions: Arc<Definitions>,
}

/// The rows that are the same in every lake, where a relation has them besides those of `rows.tsv`.
#[must_use]
pub fn fixed(schema: &str, name: &str) -> Option<Content<'static>> {
    let relations = book::system_relations;
    match (schema, name) {
        ("pg_catalog", "pg_class") => Some(class::classes(&relations(), &[])),
        ("pg_catalog", "pg_attribute") => Some(class::attributes(&relations())),
        ("pg_catalog", "pg_namespace") => Some(listing::namespaces(&book::system_namespaces())),
        ("internal", "types") => Some(internal::types()),
        ("internal", "procedures") => Some(internal::procedures()),
        ("internal", "keywords") => Some(internal::keywords()),
        ("internal", "dictionaries") => Some(internal::dictionaries()),
        ("internal", "operators") => Some(internal::operators()),
        ("internal", "token_types") => Some(internal::token_types()),
        ("internal", "descriptions") => Some(internal::system_descriptions()),
        _ => None,
    }
}

/// The rows of the lake. They depend on the schema, the lake, the session's user and its search path only.
#[must_use]
pub fn of_schema<'a>(schema: &str, name: &str, book: &Book<'a>, source: &'a Source<'a>) -> Option<Content<'a>> {
    let user = source.session.user.as_str();
    let lake = source.session.lake.info.name.as_str();
    // Only the relations that show the system's too make its list.
    let system = || book::system_relations();
    Some(match (schema, name) {
        ("pg_catalog", "pg_class") => class::classes(&book.relations, &book.constraints),
        ("pg_catalog", "pg_attribute") => class::attributes(&book.relations),
        ("pg_catalog", "pg_type") => user_type::types(book),
        ("pg_catalog", "pg_enum") => user_type::labels(book),
        ("information_schema", "domains") => domain::domains(book, lake),
        ("information_schema", "domain_constraints") => domain::constraints(book, lake),
        ("information_schema", "column_domain_usage") => domain::columns(book, lake),
        ("information_schema", "domain_udt_usage") => domain::types(book, lake),
        ("internal", "types") => user_type::named(book, &source.search_path),
        ("pg_catalog", "pg_attrdef") => {
            let seen = definitions::Seen::by(book, &source.search_path);
            class::defaults(&book.relations, &source.definitions, &seen)
        }
        ("pg_catalog", "pg_extension") => listing::extensions(),
        ("pg_catalog", "pg_namespace") => listing::namespaces(&book.namespaces),
        ("pg_catalog", "pg_constraint") => constraint::constraints(book, &source.definitions),
        ("pg_catalog", "pg_index") => constraint::indexes(book, &source.definitions),
        ("pg_catalog", "pg_indexes") => constraint::index_list(book, &source.definitions),
        ("pg_catalog", "pg_sequence") => sequence::sequences(book),
        ("pg_catalog", "pg_depend") => {
            let mut all = sequence::dependencies(book);
            all.rows.extend(dependency::all(book));
            all.rows.extend(counters::view_dependencies(book, source));
            all.rows.extend(counters::extension_members());
            all.rows.extend(user_type::dependencies(book));
            all
        }
        ("pg_catalog", "pg_rewrite") => counters::rules(book),
        ("pg_catalog", "pg_stat_user_indexes" | "pg_stat_all_indexes") => counters::indexes(book),
        ("pg_catalog", "pg_statio_user_tables" | "pg_statio_all_tables") => counters::table_blocks(book),
        ("information_schema", "role_table_grants" | "table_privileges") => {
            privileges::of_tables(&system(), book, source)
        }
        ("information_schema", "role_column_grants" | "column_privileges") => {
            privileges::of_columns(&system(), book, source)
        }
        ("information_schema", "column_udt_usage") => privileges::type_usage(&system(), book, source),
        ("information_schema", "data_type_privileges") => privileges::of_types(&system(), book, source),
        ("information_schema", "element_types") => privileges::element_types(&system(), book, source),
        ("information_schema", "routines") => routine::routines(lake),
        ("information_schema", "parameters") => routine::parameters(lake),
        ("information_schema", "routine_privileges" | "role_routine_grants") => routine::privileges(source),
        ("information_schema", "collations" | "collation_character_set_applicability") => routine::collations(lake),
        ("information_schema", "applicable_roles") => routine::applicable_roles(user, false),
        ("information_schema", "administrable_role_authorizations") => routine::applicable_roles(user, true),
        ("information_schema", "user_defined_types") => routine::user_types(book, lake),
        ("information_schema", "attributes") => information::attributes(book, lake),
        ("information_schema", "column_column_usage") => information::computed_columns(book, lake),
        ("information_schema", "udt_privileges" | "role_udt_grants") => {
            privileges::of_row_types(&system(), book, source)
        }
        ("information_schema", "usage_privileges" | "role_usage_grants") => privileges::of_usage(book, source),
        ("information_schema", "view_column_usage") => privileges::view_columns(book, source),
        ("information_schema", "constraint_table_usage") => privileges::constraint_tables(book, source),
        ("information_schema", "view_table_usage") => privileges::view_tables(book, source),
        ("information_schema", "sequences") => sequence::information(book, lake),
        ("pg_catalog", "pg_description") => listing::descriptions(book),
        ("pg_catalog", "pg_tables") => listing::tables(&system(), book, user),
        ("pg_catalog", "pg_views") => listing::views(&system(), book, source),
        ("information_schema", "tables") => information::tables(&system(), book, lake),
        ("information_schema", "columns") => information::columns(&system(), book, source),
        ("information_schema", "views") => information::views(book, source),
        ("information_schema", "schemata") => information::schemata(book, lake, user),
        ("information_schema", "table_constraints") => information::table_constraints(book, lake),
        ("information_schema", "key_column_usage") => information::key_column_usage(book, lake),
        ("information_schema", "constraint_column_usage") => information::constraint_column_usage(book, lake),
        ("information_schema", "referential_constraints") => information::referential_constraints(book, lake),
        ("information_schema", "check_constraints") => information::check_constraints(book, source),
        ("information_schema", "information_schema_catalog_name") => information::catalog_name(lake),
        ("internal", "relations") => internal::relations(&system(), book, &source.search_path),
        ("internal", "constraintdefs") => internal::constraint_definitions(book, source),
        ("internal", "indexdefs") => internal::index_definitions(book, &source.definitions, &source.search_path),
        ("internal", "expressions") => internal::expressions(book, source),
        ("internal", "serials") => sequence::serials(book),
        ("internal", "viewdefs") => internal::view_definitions(book, source),
        ("internal", "descriptions") => internal::descriptions(book),
        ("internal", "namespaces") => internal::namespaces(book),
        _ => return None,
    })
}

pub use internal::{dictionary, is_bare_label, is_name, operator, operators_named};
pub use server::{of_server, sizes};
pub use user_type::relations as composites;
