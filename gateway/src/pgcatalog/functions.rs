//! Functions of the system that look something up: their text over relations that only they read.
//!
//! `$1` … are the arguments. The relations' columns begin with `#`, so that no argument's column can be taken for theirs.

/// Name, arguments and result as letters (those of the gate's function table), DuckDB text. Texts that name `"s_internal_x"` need
/// the system relation `internal.x` under that view's name.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("format_type", "li>t", FORMAT_TYPE),
    ("pg_get_expr", "aa>t", "CAST($1 AS VARCHAR)"),
    ("pg_get_expr", "aab>t", "CAST($1 AS VARCHAR)"),
    ("pg_table_is_visible", "l>b", "(SELECT \"#s\" FROM \"s_internal_relations\" WHERE \"#k\" = $1)"),
    ("pg_type_is_visible", "l>b", "($1 IS NOT NULL)"),
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
    ("pg_get_userbyid", "l>t", USER_BY_ID),
    ("pg_encoding_to_char", "a>t", "(CASE CAST($1 AS INTEGER) WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' ELSE '' END)"),
    (
        "pg_char_to_encoding",
        "t>i",
        "(CASE upper(replace($1, '-', '')) WHEN 'UTF8' THEN 6 WHEN 'SQL_ASCII' THEN 0 ELSE -1 END)",
    ),
    ("pg_get_viewdef", "l>t", VIEW),
    ("pg_get_viewdef", "lb>t", VIEW),
    ("pg_get_viewdef", "li>t", VIEW),
    ("pg_get_constraintdef", "l>t", CONSTRAINT),
    ("pg_get_constraintdef", "lb>t", CONSTRAINT),
    ("pg_get_indexdef", "l>t", "(SELECT \"#v\" FROM \"s_internal_indexdefs\" WHERE \"#k\" = $1 AND \"#n\" = 0)"),
    ("pg_get_indexdef", "lib>t", "(SELECT \"#v\" FROM \"s_internal_indexdefs\" WHERE \"#k\" = $1 AND \"#n\" = $2)"),
    ("pg_get_ruledef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_ruledef", "ab>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_triggerdef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_triggerdef", "ab>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_partkeydef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_statisticsobjdef_columns", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_function_result", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_function_arguments", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_function_identity_arguments", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_function_sqlbody", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_functiondef", "a>t", "CAST(NULL AS VARCHAR)"),
    ("pg_get_serial_sequence", "tt>t", "CAST(NULL AS VARCHAR)"),
    ("pg_relation_is_publishable", "a>b", "FALSE"),
    ("pg_is_in_recovery", ">b", "FALSE"),
    ("obj_description", "lt>t", OBJECT_COMMENT),
    (
        "obj_description",
        "l>t",
        "(SELECT any_value(\"#v\") FROM \"s_internal_descriptions\" WHERE \"#k\" = $1 AND \"#n\" = 0)",
    ),
    ("col_description", "li>t", COLUMN_COMMENT),
    ("shobj_description", "lt>t", "CAST(NULL AS VARCHAR)"),
    ("pg_relation_size", "l>l", SIZE),
    ("pg_relation_size", "lt>l", SIZE),
    ("pg_table_size", "l>l", SIZE),
    ("pg_total_relation_size", "l>l", SIZE),
    ("pg_indexes_size", "l>l", "CAST(0 AS BIGINT)"),
    ("pg_database_size", "t>l", "(SELECT \"#v\" FROM \"s_internal_database_sizes\" WHERE \"#d\" = $1)"),
    (
        "pg_database_size",
        "a>l",
        "(SELECT \"#v\" FROM \"s_internal_database_sizes\" WHERE \"#d\" = CAST($1 AS VARCHAR) OR CAST(\"#k\" AS VARCHAR) = CAST($1 AS VARCHAR))",
    ),
    ("pg_tablespace_size", "a>l", "(SELECT CAST(sum(\"#v\") AS BIGINT) FROM \"s_internal_database_sizes\")"),
    ("pg_tablespace_location", "a>t", "''"),
    ("has_table_privilege", "at>b", "TRUE"),
    ("has_table_privilege", "aat>b", "TRUE"),
    ("has_schema_privilege", "at>b", "TRUE"),
    ("has_schema_privilege", "aat>b", "TRUE"),
    ("has_database_privilege", "at>b", "TRUE"),
    ("has_database_privilege", "aat>b", "TRUE"),
    ("has_column_privilege", "aat>b", "TRUE"),
    ("has_column_privilege", "aaat>b", "TRUE"),
    ("has_any_column_privilege", "at>b", "TRUE"),
    ("has_any_column_privilege", "aat>b", "TRUE"),
    ("has_function_privilege", "at>b", "TRUE"),
    ("has_function_privilege", "aat>b", "TRUE"),
    ("has_sequence_privilege", "at>b", "TRUE"),
    ("has_sequence_privilege", "aat>b", "TRUE"),
    ("has_type_privilege", "at>b", "TRUE"),
    ("has_type_privilege", "aat>b", "TRUE"),
    ("has_language_privilege", "at>b", "TRUE"),
    ("has_tablespace_privilege", "at>b", "TRUE"),
    ("pg_has_role", "at>b", "TRUE"),
    ("pg_has_role", "aat>b", "TRUE"),
    ("to_regclass", "t>?", TO_REGCLASS),
    ("pg_partition_ancestors", "l>l", "$1"),
    ("pg_partition_root", "l>l", "CAST(NULL AS BIGINT)"),
    ("generate_subscripts", "Ai>i", "CAST(unnest(range(1, len($1) + 1)) AS INTEGER)"),
    ("pg_describe_object", "lli>t", "CAST(NULL AS VARCHAR)"),
    ("current_setting", "t>t", SETTING),
    ("current_setting", "tb>t", SETTING_OR_NULL),
    ("row_security_active", "a>b", "FALSE"),
];

/// `oid::regclass` as text.
pub const REGCLASS_TEXT: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_relations\" WHERE \"#k\" = $1), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regnamespace` as text.
pub const REGNAMESPACE_TEXT: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_namespaces\" WHERE \"#k\" = $1), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regproc` as text.
pub const REGPROC_TEXT: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_procedures\" WHERE \"#k\" = $1), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `oid::regrole` as text.
pub const REGROLE_TEXT: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_roles\" WHERE \"#k\" = $1), CASE WHEN $1 = 0 THEN '-' ELSE CAST($1 AS VARCHAR) END)";
/// `text::regclass` and `to_regclass`: NULL where there is none.
pub const TO_REGCLASS: &str = "(SELECT \"#k\" FROM \"s_internal_relations\" WHERE \"#v\" = $1 OR (\"#s\" AND 'public.' || \"#v\" = $1) OR (\"#s\" AND 'pg_catalog.' || \"#v\" = $1))";

/// `format_type(type, modifier)`; `regtype` as text with modifier NULL.
pub const FORMAT_TYPE: &str = "(CASE WHEN $1 IS NULL THEN NULL ELSE COALESCE((SELECT (CASE WHEN \"#b\" = 1042 AND $2 = -1 THEN 'bpchar' ELSE \"#v\" END) || \
    (CASE WHEN $2 IS NULL OR CAST($2 AS INTEGER) < 4 THEN '' \
    WHEN \"#b\" IN (1042, 1043) THEN '(' || CAST(CAST($2 AS INTEGER) - 4 AS VARCHAR) || ')' \
    WHEN \"#b\" = 1700 THEN '(' || CAST((CAST($2 AS INTEGER) - 4) // 65536 AS VARCHAR) || ',' || CAST((CAST($2 AS INTEGER) - 4) % 2048 AS VARCHAR) || ')' \
    ELSE '' END) || \"#a\" FROM \"s_internal_types\" WHERE \"#k\" = $1), CASE WHEN $1 = 0 THEN '-' ELSE '???' END) END)";

const USER_BY_ID: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_roles\" WHERE \"#k\" = $1), 'unknown (OID=' || CAST($1 AS VARCHAR) || ')')";
const SETTING: &str = "(CASE WHEN $1 IS NOT NULL THEN COALESCE((SELECT \"#v\" FROM \"s_internal_settings\" WHERE lower(\"#k\") = lower($1)), \
    error('SQLSTATE 42704: unrecognized configuration parameter \"' || $1 || '\"')) END)";
const SETTING_OR_NULL: &str = "(CASE WHEN $1 IS NOT NULL AND $2 IS NOT NULL THEN COALESCE((SELECT \"#v\" FROM \"s_internal_settings\" WHERE lower(\"#k\") = lower($1)), \
    CASE WHEN NOT $2 THEN error('SQLSTATE 42704: unrecognized configuration parameter \"' || $1 || '\"') END) END)";
const VIEW: &str = "(SELECT \"#v\" FROM \"s_internal_viewdefs\" WHERE \"#k\" = $1)";
const CONSTRAINT: &str = "(SELECT \"#v\" FROM \"s_internal_constraintdefs\" WHERE \"#k\" = $1)";
const OBJECT_COMMENT: &str =
    "(SELECT \"#v\" FROM \"s_internal_descriptions\" WHERE \"#k\" = $1 AND \"#c\" = $2 AND \"#n\" = 0)";
const COLUMN_COMMENT: &str =
    "(SELECT \"#v\" FROM \"s_internal_descriptions\" WHERE \"#k\" = $1 AND \"#c\" = 'pg_class' AND \"#n\" = $2)";
const SIZE: &str = "COALESCE((SELECT \"#v\" FROM \"s_internal_sizes\" WHERE \"#k\" = $1), 0)";

/// The internal relations that a text reads: `relations` where it names `"s_internal_relations"`.
pub fn reads(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split("\"s_internal_").skip(1).filter_map(|rest| rest.split_once('"').map(|(name, _)| name))
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
        let own = [REGCLASS_TEXT, REGNAMESPACE_TEXT, REGPROC_TEXT, REGROLE_TEXT, TO_REGCLASS];
        let texts = FUNCTIONS.iter().map(|f| f.2).chain(own);
        let mut seen = 0;
        for name in texts.flat_map(reads) {
            assert!(shapes::internal(name).is_some(), "{name}");
            seen += 1;
        }
        assert!(seen > 20);
    }
}
