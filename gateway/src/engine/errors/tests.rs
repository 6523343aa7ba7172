//! Real messages of DuckDB 1.5.6, and what clients get.

use std::collections::BTreeMap;

use super::from_duckdb;

/// Exception type, message, `name` of the extra fields, SQLSTATE, message.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const ROWS: &[Row] = &[
    // values
    ("Conversion", "Could not convert string 'abc' to INT32", "", "22P02", "invalid input syntax for type integer: \"abc\""),
    ("Conversion", "Could not convert string 'x' to INT32 when casting from source column b", "", "22P02", "invalid input syntax for type integer: \"x\""),
    ("Conversion", "Could not convert string '99999999999' to INT32", "", "22003", "value \"99999999999\" is out of range for type integer"),
    ("Conversion", "Could not convert string 'abc' to INT64", "", "22P02", "invalid input syntax for type bigint: \"abc\""),
    ("Conversion", "Could not convert string 'it's' to DOUBLE", "", "22P02", "invalid input syntax for type double precision: \"it's\""),
    ("Conversion", "Could not convert string 'abc' to BOOL", "", "22P02", "invalid input syntax for type boolean: \"abc\""),
    ("Conversion", "Could not convert string 'abc' to INT128", "", "22P02", "invalid input syntax for type uuid: \"abc\""),
    ("Conversion", "Could not convert string 'abc' to INTERVAL", "", "22007", "invalid input syntax for type interval: \"abc\""),
    ("Conversion", "Could not convert string \"abc\" to DECIMAL(10,2)", "", "22P02", "invalid input syntax for type numeric: \"abc\""),
    ("Conversion", "Could not cast value 12345678901234 to DECIMAL(5,2)", "", "22003", "numeric field overflow"),
    ("Conversion", "Type INT64 with value 99999999999 can't be cast because the value is out of range for the destination type INT32", "", "22003", "integer out of range"),
    ("Conversion", "Type DOUBLE with value 1e+300 can't be cast because the value is out of range for the destination type FLOAT", "", "22003", "value out of range: overflow"),
    ("Conversion", "invalid date field format: \"abc\", expected format is (YYYY-MM-DD)", "", "22007", "invalid input syntax for type date: \"abc\""),
    ("Conversion", "date field value out of range: \"2020-13-45\"", "", "22008", "date/time field value out of range: \"2020-13-45\""),
    ("Conversion", "invalid timestamp field format: \"abc\", expected format is (YYYY-MM-DD HH:MM:SS[.US][±HH[:MM[:SS]]| ZONE])", "", "22007", "invalid input syntax for type timestamp: \"abc\""),
    ("Conversion", "time field value out of range: \"abc\", expected format is ([YYYY-MM-DD ]HH:MM:SS[.MS])", "", "22007", "invalid input syntax for type time: \"abc\""),
    ("Conversion", "time field value out of range: \"25:00\", expected format is ([YYYY-MM-DD ]HH:MM:SS[.MS])", "", "22008", "date/time field value out of range: \"25:00\""),
    ("Conversion", "Malformed JSON at byte 1 of input: unexpected end of data.  Input: \"{\"", "", "22P02", "invalid input syntax for type json"),
    ("Conversion", "Unimplemented type for cast (INTEGER -> DATE) when casting from source column a", "", "42846", "cannot cast type integer to date"),
    ("Conversion", "extract specifier \"nope\" not recognized", "", "22023", "unit \"nope\" not recognized"),
    ("Conversion", "Date out of range: 2020-13-45", "", "22008", "date field value out of range: 2020-13-45"),
    ("Conversion", "Epoch seconds out of range for TIMESTAMP WITH TIME ZONE", "", "22008", "timestamp out of range"),
    ("Out of Range", "Overflow in addition of INT32 (2147483647 + 1)!", "", "22003", "integer out of range"),
    ("Out of Range", "Overflow in addition of INT64 (9223372036854775807 + 1)!", "", "22003", "bigint out of range"),
    ("Out of Range", "Overflow in multiplication of DECIMAL(38) (99999999999999999999999999999999999999 * 10). You might want to add an explicit cast to a decimal with a smaller scale.", "", "22003", "value overflows numeric format"),
    ("Out of Range", "Overflow in HUGEINT addition: 170141183460469231731687303715884105727 + 1", "", "22003", "value overflows numeric format"),
    ("Out of Range", "Overflow in negation of numeric value!", "", "22003", "value out of range"),
    ("Out of Range", "cannot take square root of a negative number", "", "2201F", "cannot take square root of a negative number"),
    ("Out of Range", "cannot take logarithm of zero", "", "2201E", "cannot take logarithm of zero"),
    ("Out of Range", "Cannot create a string of size: '10000000000', the maximum supported string size is: '4294967295'", "", "54000", "requested length too large"),
    ("Invalid Input", "missing ): (", "", "2201B", "invalid regular expression: missing )"),
    ("Invalid Input", "SQLSTATE 22012: division by zero", "", "22012", "division by zero"),
    ("Invalid Input", "my message", "", "22023", "my message"),
    ("Invalid Input", "More than one row returned by a subquery used as an expression - scalar subqueries can only return a single row.\n\nUse \"SET scalar_subquery_error_on_multiple_rows=false\" to revert to previous behavior of returning a random row.", "", "21000", "more than one row returned by a subquery used as an expression"),
    ("Syntax", "Invalid escape string. Escape string must be empty or one character.", "", "22025", "invalid escape string"),
    ("Not implemented", "Unknown TimeZone 'nope'!\n\nCandidate time zones: \"Europe/Kiev\"", "", "22023", "time zone \"nope\" not recognized"),
    // names
    ("Binder", "Referenced column \"nope\" was not found because the FROM clause is missing", "nope", "42703", "column \"nope\" does not exist"),
    ("Binder", "Referenced column \"nope\" not found in FROM clause!\nCandidate bindings: \"n\"", "nope", "42703", "column \"nope\" does not exist"),
    ("Binder", "Referenced column zz not found in FROM clause and can't find in alias map.", "", "42703", "column \"zz\" does not exist"),
    ("Binder", "Values list \"t\" does not have a column named \"nope\"", "", "42703", "column t.nope does not exist"),
    ("Binder", "Values list \"t_17\" does not have a column named \"nope\"", "", "42703", "column \"nope\" does not exist"),
    ("Binder", "Referenced table \"x\" not found!\nCandidate tables: \"t\"", "", "42P01", "missing FROM-clause entry for table \"x\""),
    ("Binder", "Ambiguous reference to column name \"a\" (use: \"t_17.a\" or \"t_18.a\")", "", "42702", "column reference \"a\" is ambiguous"),
    ("Binder", "Ambiguous reference to table \"a\" (duplicate alias \"a\", explicitly alias one of the tables using \"AS my_alias\")", "", "42712", "table name \"a\" specified more than once"),
    ("Binder", "Column \"zz\" does not exist on left side of join!", "", "42703", "column \"zz\" specified in USING clause does not exist in left table"),
    ("Binder", "table \"t\" has 6 columns available but 8 columns specified", "", "42P10", "table \"t\" has 6 columns available but 8 columns specified"),
    ("Binder", "Circular reference to CTE \"x\", use WITH RECURSIVE to use recursive CTEs.", "", "42P01", "relation \"x\" does not exist"),
    ("Catalog", "Table with name nope does not exist!\nDid you mean \"pg_enum\"?", "nope", "42P01", "relation \"nope\" does not exist"),
    ("Catalog", "Table with name \"sch.nope\" does not exist because schema \"sch\" does not exist.", "", "42P01", "relation \"sch.nope\" does not exist"),
    ("Catalog", "Scalar Function with name nope does not exist!\nDid you mean \"now\"?", "nope", "42883", "function nope does not exist"),
    ("Catalog", "Type with name nope does not exist!\nDid you mean \"type\"?", "nope", "42704", "type \"nope\" does not exist"),
    // types of expressions
    ("Binder", "No function matches the given name and argument types '+(INTEGER, VARCHAR)'. You might need to add explicit type casts.\n\tCandidate functions:\n\t+(TINYINT) -> TINYINT", "+", "42883", "operator does not exist: integer + text"),
    ("Binder", "No function matches the given name and argument types '-(VARCHAR)'. You might need to add explicit type casts.", "-", "42883", "operator does not exist: - text"),
    ("Binder", "No function matches the given name and argument types 'lower(INTEGER_LITERAL, STRUCT(a INTEGER, b VARCHAR))'. You might need to add explicit type casts.", "lower", "42883", "function lower(integer, record) does not exist"),
    ("Binder", "No function matches the given name and argument types 'min()'. You might need to add explicit type casts.", "min", "42883", "function min() does not exist"),
    ("Binder", "Could not choose a best candidate function for the function call \"+(DATE, STRING_LITERAL)\". In order to select one, please add explicit type casts.", "", "42725", "operator is not unique: date + unknown"),
    ("Binder", "UNNEST() can only be applied to lists, structs and NULL, not INTEGER", "", "42883", "function unnest(integer) does not exist"),
    // grouping and shape
    ("Binder", "column \"a\" must appear in the GROUP BY clause or must be part of an aggregate function.\nEither add it to the GROUP BY list, or use \"ANY_VALUE(a)\" if the exact value of \"a\" is not important.", "", "42803", "column \"a\" must appear in the GROUP BY clause or be used in an aggregate function"),
    ("Binder", "column a must appear in the GROUP BY clause or be used in an aggregate function", "", "42803", "column \"a\" must appear in the GROUP BY clause or be used in an aggregate function"),
    ("Binder", "WHERE clause cannot contain aggregates!", "", "42803", "aggregate functions are not allowed in WHERE"),
    ("Binder", "WHERE clause cannot contain window functions!", "", "42P20", "window functions are not allowed in WHERE"),
    ("Binder", "aggregate function calls cannot be nested", "", "42803", "aggregate function calls cannot be nested"),
    ("Binder", "Set operations can only apply to expressions with the same number of result columns", "", "42601", "each UNION query must have the same number of columns"),
    ("Binder", "Subquery returns 2 columns - expected 1", "", "42601", "subquery must return only one column"),
    ("Binder", "ORDER term out of range - should be between 1 and 1", "", "42P10", "ORDER BY position is not in select list"),
    ("Binder", "LIMIT/OFFSET cannot be negative", "", "2201W", "LIMIT must not be negative"),
    ("Parser", "syntax error at or near \"WHERE\"", "", "42601", "syntax error at or near \"WHERE\""),
    ("Parser", "syntax error at end of input", "", "42601", "syntax error at end of input"),
    ("Parser", "Max expression depth limit of 250 exceeded. Use \"SET max_expression_depth TO x\" to increase the maximum expression depth.", "", "54001", "stack depth limit exceeded"),
    // the engine
    ("Out of Memory", "Allocation failure", "", "53200", "out of memory"),
    ("INTERRUPT", "Interrupted!", "", "57014", "canceling statement due to user request"),
    ("Permission", "Cannot access file \"/etc/passwd.csv\" - file system operations are disabled by configuration", "", "42501", "permission denied"),
    ("IO", "No files found that match the pattern \"/data/lake/x.parquet\"", "", "58P01", "a file of a table is missing"),
    ("IO", "Could not read from file \"/data/lake/x.parquet\"", "", "58030", "a file of a table cannot be read"),
    ("Invalid Input", "File '/data/lake/x.parquet' too small to be a Parquet file", "", "22023", "invalid value"),
    ("Refused", "permission denied for function read_text", "", "42501", "permission denied for function read_text"),
    ("Refused", "only SELECT can be run", "", "0A000", "only SELECT can be run"),
];

fn extra(name: &str) -> BTreeMap<String, String> {
    if name.is_empty() { BTreeMap::new() } else { BTreeMap::from([("name".to_owned(), name.to_owned())]) }
}

#[test]
fn messages_of_duckdb() {
    for (kind, message, name, code, expected) in ROWS {
        let error = from_duckdb(kind, message, &extra(name), "");
        assert_eq!((error.code().0, error.fields().message.as_str()), (*code, *expected), "{kind}: {message}");
    }
}

#[test]
fn nothing_of_the_machine_is_told() {
    for (kind, message, name, ..) in ROWS {
        let error = from_duckdb(kind, message, &extra(name), "");
        let fields = error.fields();
        let all = format!("{} {:?} {:?}", fields.message, fields.detail, fields.hint);
        for secret in ["t_17", "t_18", "/etc", "/data", ".parquet", "Candidate", "Did you mean", "pg_enum"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
}

#[test]
fn internal_errors_are_a_number() {
    for kind in ["INTERNAL", "FATAL", "Serialization", "whatever"] {
        let error = from_duckdb(kind, "Attempted to dereference /secret", &BTreeMap::new(), "");
        assert_eq!(error.code().0, "XX000");
        assert!(error.fields().message.starts_with("internal error "), "{error}");
    }
}

#[test]
fn positions_are_in_the_clients_text() {
    let check = |sql: &str, name: &str, expected: Option<u32>| {
        let message = format!("Referenced column \"{name}\" not found in FROM clause!");
        assert_eq!(from_duckdb("Binder", &message, &extra(name), sql).fields().position, expected, "{sql}");
    };
    check("SELECT nope FROM t", "nope", Some(8));
    check("select NOPE from t", "nope", Some(8));
    check("SELECT nopes, \"nope\" FROM t", "nope", Some(15));
    check("SELECT 'ü', nope FROM t", "nope", Some(13));
    check("SELECT 1", "nope", None);
    check("", "nope", None);
}
