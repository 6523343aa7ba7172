//! Functions of the system that look something up: their text over relations that only they read.
//!
//! `$1` … are the arguments. `@name` are the rows of `internal.name`, for what looks one up by its key (`engine/worker`'s
//! functions); `"s_internal_name"` is that relation. Its columns begin with `#`, so that no argument's column can be taken for
//! theirs.

use duckmesh_catalog::types::oid;

/// Name, arguments and result as letters (those of the gate's function table), DuckDB text. Texts that name `"s_internal_x"` need
/// the system relation `internal.x` under that view's name, those that name `@x` a text that says where its rows are.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("format_type", "li>t", FORMAT_TYPE),
    // Of a default there are two texts where they differ: for the computer and for people.
    ("pg_get_expr", "aa>t", "CAST($1 AS VARCHAR)"),
    (
        "pg_get_expr",
        "aab>t",
        "(CASE WHEN $3 THEN COALESCE(pg_found(@expressions, '#p', '#k', CAST($1 AS VARCHAR)), CAST($1 AS VARCHAR)) \
         ELSE CAST($1 AS VARCHAR) END)",
    ),
    ("pg_table_is_visible", "l>b", "CAST(pg_found(@relations, '#s', '#k', CAST($1 AS VARCHAR)) AS BOOLEAN)"),
    ("pg_type_is_visible", "l>b", "CAST(pg_found(@types, '#s', '#k', CAST($1 AS VARCHAR)) AS BOOLEAN)"),
    ("pg_function_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_operator_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_opclass_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_opfamily_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_collation_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_conversion_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_statistics_obj_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_ts_config_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_ts_dict_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_ts_parser_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_ts_template_is_visible", "l>b", "($1 IS NOT NULL)"),
    ("pg_get_userbyid", "l>M", USER_BY_ID),
    ("acldefault", "al>X", DEFAULT_PRIVILEGES),
    ("pg_encoding_to_char", "a>M", ENCODING_NAME),
    (
        "pg_char_to_encoding",
        "t>i",
        "(CASE upper(replace($1, '-', '')) WHEN 'UTF8' THEN 6 WHEN 'SQL_ASCII' THEN 0 ELSE -1 END)",
    ),
    ("pg_get_viewdef", "l>t", VIEW),
    ("pg_get_viewdef", "t>t", NAMED_VIEW),
    ("pg_get_viewdef", "tb>t", NAMED_VIEW_PRETTY),
    ("pg_get_viewdef", "lb>t", VIEW_PRETTY),
    ("pg_get_viewdef", "li>t", "pg_found(@viewdefs, '#p', '#k', CAST($1 AS VARCHAR))"),
    ("pg_get_constraintdef", "l>t", CONSTRAINT),
    ("pg_get_constraintdef", "lb>t", CONSTRAINT_PRETTY),
    ("pg_get_indexdef", "l>t", "pg_found(@indexdefs, '#v', '#k,#n', CAST($1 AS VARCHAR), '0')"),
    ("pg_get_indexdef", "lib>t", INDEX),
    ("pg_get_ruledef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_ruledef", "ab>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_triggerdef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_triggerdef", "ab>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_partkeydef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_statisticsobjdef_columns", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_function_sqlbody", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_functiondef", "l>t", "pg_found(@procedures, '#f', '#k', CAST($1 AS VARCHAR))"),
    ("oidvectortypes", "A>t", VECTOR_TYPES),
    ("pg_get_serial_sequence", "tt>t", SERIAL),
    ("pg_relation_is_publishable", "a>b", "FALSE"),
    ("pg_is_in_recovery", ">b", "FALSE"),
    ("pg_blocking_pids", "i>L", "CAST(CASE WHEN $1 IS NOT NULL THEN [] END AS INTEGER[])"),
    ("obj_description", "lt>t", OBJECT_COMMENT),
    ("obj_description", "l>t", "pg_found(@descriptions, '#v', '#k,#n', CAST($1 AS VARCHAR), '0')"),
    ("col_description", "li>t", COLUMN_COMMENT),
    (
        "shobj_description",
        "lt>t",
        "(SELECT \"#v\" FROM \"s_internal_shared_descriptions\" WHERE \"#k\" = $1 AND \"#c\" = $2)",
    ),
    ("pg_relation_size", "R>l", SIZE),
    ("pg_relation_size", "Rt>l", FORK_SIZE),
    ("pg_table_size", "R>l", SIZE),
    ("pg_total_relation_size", "R>l", SIZE),
    ("pg_indexes_size", "R>l", "CAST(0 AS BIGINT)"),
    ("pg_database_size", "t>l", "(SELECT \"#v\" FROM \"s_internal_database_sizes\" WHERE \"#d\" = $1)"),
    (
        "pg_database_size",
        "a>l",
        "(SELECT \"#v\" FROM \"s_internal_database_sizes\" WHERE \"#d\" = CAST($1 AS VARCHAR) OR CAST(\"#k\" AS VARCHAR) = CAST($1 AS VARCHAR))",
    ),
    ("pg_tablespace_size", "a>l", "(SELECT CAST(sum(\"#v\") AS BIGINT) FROM \"s_internal_database_sizes\")"),
    ("pg_tablespace_location", "a>t", "''"),
    ("has_table_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_table_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_schema_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_schema_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_database_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_database_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_column_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    (
        "has_column_privilege",
        "aaat>b",
        "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL AND $4 IS NOT NULL THEN TRUE END",
    ),
    ("has_any_column_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    (
        "has_any_column_privilege",
        "aat>b",
        "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END",
    ),
    ("has_function_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_function_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_sequence_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_sequence_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_type_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_type_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_language_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_tablespace_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("pg_has_role", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("pg_has_role", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("pg_partition_ancestors", "l>l", "$1"),
    ("pg_partition_root", "l>l", "CAST(NULL AS BIGINT)"),
    ("generate_subscripts", "Ai>i", "CAST(unnest(range(1, len($1) + 1)) AS INTEGER)"),
    (
        "generate_subscripts",
        "Aib>i",
        "CAST(unnest(CASE WHEN $3 THEN range(len($1), 0, -1) ELSE range(1, len($1) + 1) END) AS INTEGER)",
    ),
    ("pg_describe_object", "lli>t", "CAST(NULL AS VARCHAR)"),
    ("current_setting", "t>t", SETTING),
    ("current_setting", "tb>t", SETTING_OR_NULL),
    ("row_security_active", "a>b", "FALSE"),
    ("pg_get_function_result", "l>t", "pg_found(@procedures, '#r', '#k', CAST($1 AS VARCHAR))"),
    ("pg_get_function_arguments", "l>t", "pg_found(@procedures, '#d', '#k', CAST($1 AS VARCHAR))"),
    ("pg_get_function_identity_arguments", "l>t", "pg_found(@procedures, '#i', '#k', CAST($1 AS VARCHAR))"),
    ("pg_get_function_arg_default", "ai>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_statisticsobjdef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_partition_constraintdef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_relation_filenode", "R>o", "$1"),
    ("pg_relation_filepath", "R>t", "CAST(NULL AS VARCHAR)"),
    ("pg_relation_is_updatable", "Rb>i", "CASE WHEN $1 IS NULL THEN NULL ELSE 8 END"),
    ("pg_column_is_updatable", "Rib>b", "FALSE"),
    (
        "pg_index_column_has_property",
        "Rit>b",
        "CASE WHEN lower($3) IN ('asc', 'orderable', 'returnable') THEN TRUE ELSE FALSE END",
    ),
    ("pg_index_has_property", "Rt>b", "FALSE"),
    ("pg_indexam_has_property", "lt>b", "CASE WHEN lower($2) = 'can_exclude' THEN FALSE ELSE TRUE END"),
    ("pg_collation_actual_version", "l>t", "CAST(NULL AS VARCHAR)"),
    ("pg_database_collation_actual_version", "l>t", "CAST(NULL AS VARCHAR)"),
    ("pg_is_wal_replay_paused", ">b", "FALSE"),
    ("pg_last_xact_replay_timestamp", ">z", "CAST(NULL AS TIMESTAMPTZ)"),
    ("pg_stat_get_live_tuples", "l>l", LIVE),
    ("pg_stat_get_dead_tuples", "l>l", "CAST(0 AS BIGINT)"),
    ("has_column_privilege", "att>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_foreign_data_wrapper_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    (
        "has_foreign_data_wrapper_privilege",
        "aat>b",
        "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END",
    ),
    ("has_server_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    ("has_server_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    ("has_language_privilege", "aat>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END"),
    (
        "has_tablespace_privilege",
        "aat>b",
        "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END",
    ),
    ("has_parameter_privilege", "at>b", "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN TRUE END"),
    (
        "has_parameter_privilege",
        "aat>b",
        "CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL THEN TRUE END",
    ),
];

/// `oid::regclass` as text.
pub const REGCLASS_TEXT: &str = "COALESCE(pg_found(@relations, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regnamespace` as text.
pub const REGNAMESPACE_TEXT: &str = "COALESCE(pg_found(@namespaces, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regproc` as text.
pub const REGPROC_TEXT: &str = "COALESCE(pg_found(@procedures, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regprocedure` as text.
const REGPROCEDURE_TEXT: &str = "COALESCE(pg_found(@procedures, '#s', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regdictionary` as text.
const REGDICTIONARY_TEXT: &str = "COALESCE(pg_found(@dictionaries, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regoperator` as text.
pub const REGOPERATOR_TEXT: &str = "COALESCE(pg_found(@operators, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '0' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regoper` as text.
const REGOPER_TEXT: &str = "COALESCE(pg_found(@operators, '#o', '#k', CAST($1 AS VARCHAR)), CAST($1 AS VARCHAR))";
/// `oid::regrole` as text.
pub const REGROLE_TEXT: &str = "COALESCE(pg_found(@roles, '#v', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// The number of what is named so, or NULL, by the type's oid.
#[must_use]
pub fn found(ty: u32) -> &'static str {
    match ty {
        oid::REGNAMESPACE => FIND_NAMESPACE,
        oid::REGROLE => FIND_ROLE,
        oid::REGTYPE => FIND_TYPE,
        oid::REGCLASS => FIND_CLASS,
        oid::REGOPER => FIND_OPER,
        oid::REGOPERATOR => FIND_OPERATOR,
        oid::REGDICTIONARY => FIND_DICTIONARY,
        _ => FIND_PROCEDURE,
    }
}

/// The text of a value of `regclass` and its like, by the type's oid.
#[must_use]
pub fn output(ty: u32) -> &'static str {
    match ty {
        oid::REGNAMESPACE => REGNAMESPACE_TEXT,
        oid::REGROLE => REGROLE_TEXT,
        oid::REGTYPE => REGTYPE_TEXT,
        oid::REGCLASS => REGCLASS_TEXT,
        oid::REGOPER => REGOPER_TEXT,
        oid::REGOPERATOR => REGOPERATOR_TEXT,
        oid::REGDICTIONARY => REGDICTIONARY_TEXT,
        oid::REGPROCEDURE => REGPROCEDURE_TEXT,
        _ => REGPROC_TEXT,
    }
}

/// The number of a name or number given as text, by the type's oid.
#[must_use]
pub fn input(ty: u32) -> &'static str {
    match ty {
        oid::REGNAMESPACE => FROM_NAMESPACE,
        oid::REGROLE => FROM_ROLE,
        oid::REGTYPE => FROM_TYPE,
        oid::REGCLASS => FROM_CLASS,
        oid::REGOPER => FROM_OPER,
        oid::REGOPERATOR => FROM_OPERATOR,
        oid::REGDICTIONARY => FROM_DICTIONARY,
        _ => FROM_PROCEDURE,
    }
}

/// The same for a value as a client sends it.
#[must_use]
pub fn input_of_parameter(ty: u32) -> &'static str {
    if ty == oid::REGCLASS { READ_CLASS } else { input(ty) }
}

/// `oid::regtype` as text.
const REGTYPE_TEXT: &str = "COALESCE(pg_found(@types, '#v', '#k', CAST($1 AS VARCHAR)) || pg_found(@types, '#a', '#k', CAST($1 AS VARCHAR)), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// What finds a number: the text of `to_regclass` and its like, and that of a cast, which takes numbers too and fails where
/// there is none.
macro_rules! finder {
    ($found:ident, $input:ident, $kind:literal, $relation:literal) => {
        const $found: &str = concat!("pg_reg_found('", $kind, "', @", $relation, ", $1)");
        const $input: &str = concat!("pg_reg_in('", $kind, "', @", $relation, ", $1)");
    };
}
finder!(FIND_CLASS, FROM_CLASS, "class", "relations");
const READ_CLASS: &str = "pg_reg_in('classin', @relations, $1)";
finder!(FIND_TYPE, FROM_TYPE, "type", "types");
finder!(FIND_NAMESPACE, FROM_NAMESPACE, "namespace", "namespaces");
finder!(FIND_ROLE, FROM_ROLE, "role", "roles");
finder!(FIND_PROCEDURE, FROM_PROCEDURE, "function", "procedures");
finder!(FIND_DICTIONARY, FROM_DICTIONARY, "dictionary", "dictionaries");
finder!(FIND_OPER, FROM_OPER, "oper", "operators");
finder!(FIND_OPERATOR, FROM_OPERATOR, "operator", "operators");

/// `format_type(type, modifier)`; `regtype` as text with modifier NULL.
pub const FORMAT_TYPE: &str = "pg_format_type(@types, CAST($1 AS VARCHAR), CAST($2 AS VARCHAR))";

const USER_BY_ID: &str =
    "COALESCE(pg_found(@roles, '#v', '#k', CAST($1 AS VARCHAR)), 'unknown (OID=' || CAST($1 AS VARCHAR) || ')')";
/// What the owner, and everyone, may do with an object of a kind as long as nobody granted or revoked anything.
const DEFAULT_PRIVILEGES: &str = "(SELECT CASE CAST($1 AS VARCHAR) WHEN 'c' THEN CAST([] AS VARCHAR[]) \
    WHEN 'r' THEN [\"#v\" || '=arwdDxt/' || \"#v\"] WHEN 's' THEN [\"#v\" || '=rwU/' || \"#v\"] \
    WHEN 'd' THEN ['=Tc/' || \"#v\", \"#v\" || '=CTc/' || \"#v\"] WHEN 'f' THEN ['=X/' || \"#v\", \"#v\" || '=X/' || \"#v\"] \
    WHEN 'l' THEN ['=U/' || \"#v\", \"#v\" || '=U/' || \"#v\"] WHEN 'L' THEN [\"#v\" || '=rw/' || \"#v\"] \
    WHEN 'n' THEN [\"#v\" || '=UC/' || \"#v\"] WHEN 'p' THEN [\"#v\" || '=sA/' || \"#v\"] \
    WHEN 't' THEN [\"#v\" || '=C/' || \"#v\"] WHEN 'F' THEN [\"#v\" || '=U/' || \"#v\"] WHEN 'S' THEN [\"#v\" || '=U/' || \"#v\"] \
    WHEN 'T' THEN ['=U/' || \"#v\", \"#v\" || '=U/' || \"#v\"] \
    ELSE error('SQLSTATE XX000: unrecognized object type abbreviation: ' || CAST($1 AS VARCHAR)) END \
    FROM \"s_internal_roles\" WHERE \"#k\" = $2)";
const SETTING: &str = "(CASE WHEN $1 IS NOT NULL THEN COALESCE((SELECT \"#v\" FROM \"s_internal_settings\" WHERE lower(\"#k\") = lower($1)), \
    error('SQLSTATE 42704: unrecognized configuration parameter \"' || $1 || '\"')) END)";
const SETTING_OR_NULL: &str = "(CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN COALESCE((SELECT \"#v\" FROM \"s_internal_settings\" WHERE lower(\"#k\") = lower($1)), \
    CASE WHEN NOT $2 THEN error('SQLSTATE 42704: unrecognized configuration parameter \"' || $1 || '\"') END) END)";
/// With the flag a relation that is found without its schema is shown without: number -1.
/// A column that the index does not have is an empty text.
const INDEX: &str = "COALESCE(pg_found(@indexdefs, '#v', '#k,#n', CAST($1 AS VARCHAR), \
    CAST(CASE WHEN $3 THEN -1 - $2 ELSE $2 END AS VARCHAR)), CASE WHEN $2 > 0 AND $3 IS NOT NULL AND \
    pg_found(@indexdefs, '#v', '#k,#n', CAST($1 AS VARCHAR), '0') IS NOT NULL THEN '' END)";
const VIEW: &str = "pg_found(@viewdefs, '#v', '#k', CAST($1 AS VARCHAR))";
/// By the view's name.
const NAMED_VIEW: &str = "pg_found(@viewdefs, '#v', '#k', CAST(pg_reg_in('class', @relations, $1) AS VARCHAR))";
const NAMED_VIEW_PRETTY: &str = "(CASE WHEN $2 THEN pg_found(@viewdefs, '#p', '#k', CAST(pg_reg_in('class', @relations, $1) AS VARCHAR)) \
    WHEN NOT $2 THEN pg_found(@viewdefs, '#v', '#k', CAST(pg_reg_in('class', @relations, $1) AS VARCHAR)) END)";
const VIEW_PRETTY: &str = "(CASE WHEN $2 THEN pg_found(@viewdefs, '#p', '#k', CAST($1 AS VARCHAR)) WHEN NOT $2 THEN pg_found(@viewdefs, '#v', '#k', CAST($1 AS VARCHAR)) END)";
const CONSTRAINT_PRETTY: &str = "(CASE WHEN $2 THEN pg_found(@constraintdefs, '#p', '#k', CAST($1 AS VARCHAR)) WHEN NOT $2 THEN pg_found(@constraintdefs, '#v', '#k', CAST($1 AS VARCHAR)) END)";
const CONSTRAINT: &str = "pg_found(@constraintdefs, '#v', '#k', CAST($1 AS VARCHAR))";
const OBJECT_COMMENT: &str = "pg_found(@descriptions, '#v', '#k,#c,#n', CAST($1 AS VARCHAR), $2, '0')";
const COLUMN_COMMENT: &str =
    "pg_found(@descriptions, '#v', '#k,#c,#n', CAST($1 AS VARCHAR), 'pg_class', CAST($2 AS VARCHAR))";
const SIZE: &str = "COALESCE(CAST(pg_found(@sizes, '#v', '#k', CAST($1 AS VARCHAR)) AS BIGINT), 0)";

/// Encodings by their number, from 0.
const ENCODING_NAME: &str = "CASE WHEN $1 IS NULL THEN NULL WHEN CAST($1 AS INTEGER) < 0 THEN '' ELSE COALESCE(list_extract([\
    'SQL_ASCII', 'EUC_JP', 'EUC_CN', 'EUC_KR', 'EUC_TW', 'EUC_JIS_2004', 'UTF8', 'MULE_INTERNAL', \
    'LATIN1', 'LATIN2', 'LATIN3', 'LATIN4', 'LATIN5', 'LATIN6', 'LATIN7', 'LATIN8', 'LATIN9', \
    'LATIN10', 'WIN1256', 'WIN1258', 'WIN866', 'WIN874', 'KOI8R', 'WIN1251', 'WIN1252', 'ISO_8859_5', \
    'ISO_8859_6', 'ISO_8859_7', 'ISO_8859_8', 'WIN1250', 'WIN1253', 'WIN1254', 'WIN1255', 'WIN1257', \
    'KOI8U', 'SJIS', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB', 'SHIFT_JIS_2004'], CAST($1 AS INTEGER) + 1), '') END";
/// The types of a vector: `integer, text`.
const VECTOR_TYPES: &str =
    "array_to_string(list_transform($1, lambda o: pg_format_type(@types, CAST(o AS VARCHAR), NULL)), ', ')";
/// Only the main fork has something in it.
const FORK_SIZE: &str = "CASE WHEN $2 IS NULL THEN NULL WHEN $2 <> 'main' THEN 0 ELSE COALESCE(CAST(pg_found(@sizes, '#v', '#k', CAST($1 AS VARCHAR)) AS BIGINT), 0) END";
const LIVE: &str = "COALESCE(CAST(pg_found(@sizes, '#r', '#k', CAST($1 AS VARCHAR)) AS BIGINT), 0)";
/// The sequence of a column whose table is named as text.
const SERIAL: &str = "pg_found(@serials, '#v', '#k,#c', CAST(pg_reg_found('class', @relations, $1) AS VARCHAR), $2)";

/// The internal relations that a text reads: `relations` where it names `"s_internal_relations"`.
pub fn reads(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split("\"s_internal_").skip(1).filter_map(|rest| rest.split_once('"').map(|(name, _)| name))
}

/// The internal relations that a text looks up rows of: `relations` where it names `@relations`.
pub fn looks_up(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('@')
        .skip(1)
        .map(|rest| rest.split_once(|c: char| !c.is_ascii_lowercase()).map_or(rest, |(name, _)| name))
}

/// The name of the view of a system relation on the engine's connection.
#[must_use]
pub fn view_name(schema: &str, name: &str) -> String {
    format!("s_{schema}_{name}")
}

#[cfg(test)]
mod tests {
    use super::{super::shapes, *};

    #[test]
    fn every_relation_that_is_read_exists() {
        let named = [
            oid::REGCLASS,
            oid::REGTYPE,
            oid::REGPROC,
            oid::REGNAMESPACE,
            oid::REGROLE,
            oid::REGOPER,
            oid::REGOPERATOR,
            oid::REGDICTIONARY,
        ];
        let own = named.into_iter().flat_map(|ty| [output(ty), input(ty), found(ty)]);
        let texts = FUNCTIONS.iter().map(|f| f.2).chain(own);
        let mut seen = 0;
        for name in texts.flat_map(|text| reads(text).chain(looks_up(text))) {
            assert!(shapes::internal(name).is_some(), "{name}");
            seen += 1;
        }
        assert!(seen > 20);
    }
}
