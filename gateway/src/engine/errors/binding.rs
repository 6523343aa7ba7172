//! Errors of names, types of expressions, and form: found before anything runs.

use super::{
    Fault, INVALID_ESCAPE_SEQUENCE, redact,
    text::{arguments, postgres_type, relation_of},
};
use crate::wire::error::{PgError, SqlState};

const CAST_HINT: &str =
    "No function matches the given name and argument types. You might need to add explicit type casts.";
const OPERATOR_HINT: &str =
    "No operator matches the given name and argument types. You might need to add explicit type casts.";

pub(super) fn too_deep() -> PgError {
    PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .hint("The statement is nested too deeply.")
}

pub(super) fn parser(fault: &Fault<'_>) -> PgError {
    if fault.has("window \"") && fault.has("already defined") {
        return PgError::new(SqlState::WINDOWING_ERROR, fault.plain("window is already defined"));
    }
    if fault.has("depth limit") || fault.has("nested too deep") {
        return too_deep();
    }
    if fault.has("Invalid escape string") {
        return PgError::new(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .hint("Escape string must be empty or one character.");
    }
    if fault.has("cannot run multiple commands") {
        return PgError::new(SqlState::SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement");
    }
    PgError::new(SqlState::SYNTAX_ERROR, fault.plain("syntax error"))
}

pub(super) fn catalog(fault: &Fault<'_>) -> PgError {
    let name = fault.extra.get("name").map(String::as_str).or_else(|| fault.between("with name ", " does not exist"));
    let name = name.unwrap_or("").trim_matches('"');
    let what = fault.extra.get("type").map_or("", String::as_str);
    let position = fault.position_of(name);
    let error = if what.contains("Function") || fault.has("Function with name") || fault.has("Macro") {
        PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist")).hint(CAST_HINT)
    } else if what == "Type" || fault.has("Type with name") {
        PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
    } else if what == "Schema" || fault.message.starts_with("Schema with name") {
        PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
    } else if fault.has("Table with name") || what == "Table" || what == "View" {
        if redact::is_internal(name) {
            return PgError::internal(format!("duckdb: {}", fault.message));
        }
        PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
    } else {
        PgError::new(SqlState::UNDEFINED_OBJECT, fault.plain("a name in the statement does not exist"))
    };
    error.or_position(position)
}

pub(super) fn binder(fault: &Fault<'_>) -> PgError {
    if let Some(raised) = super::raised(fault.message) {
        return raised;
    }
    if fault.has("depth limit of") || fault.has("tree depth of") {
        return too_deep();
    }
    if fault.has("can only take parameters in the range [0, 1]") {
        return PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "percentile value is not between 0 and 1");
    }
    columns(fault)
        .or_else(|| tables(fault))
        .or_else(|| functions(fault))
        .or_else(|| grouping(fault))
        .or_else(|| limits(fault))
        .or_else(|| shapes(fault))
        .unwrap_or_else(|| PgError::new(SqlState::SYNTAX_ERROR, fault.plain("the statement cannot be bound")))
}

fn columns(fault: &Fault<'_>) -> Option<PgError> {
    let missing = |name: &str, message: String| {
        PgError::new(SqlState::UNDEFINED_COLUMN, message).or_position(fault.position_of(name))
    };
    if fault.message.starts_with("Referenced column") {
        let name = fault.extra.get("name").map(String::as_str);
        let name = name.or_else(|| fault.between("Referenced column \"", "\" "));
        let name = name.or_else(|| fault.between("Referenced column ", " not found"))?;
        return Some(missing(name, format!("column \"{name}\" does not exist")));
    }
    if let Some(name) = fault.between("does not have a column named \"", "\"") {
        let table = fault.between(" \"", "\" does not have").filter(|t| !redact::is_internal(t));
        let message = match table {
            Some(table) => format!("column {table}.{name} does not exist"),
            None => format!("column \"{name}\" does not exist"),
        };
        let whole = table.map_or_else(|| name.to_owned(), |table| format!("{table}.{name}"));
        return Some(missing(&whole, message));
    }
    if let Some(name) = fault.between("Ambiguous reference to column name \"", "\"") {
        let error = PgError::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous"));
        return Some(error.or_position(fault.position_of(name)));
    }
    if let Some(name) = fault.between("Column \"", "\" in EXCLUDE list") {
        return Some(missing(name, format!("column \"{name}\" does not exist")));
    }
    if let Some(name) = fault.between("Column \"", "\" does not exist on ") {
        let side = if fault.has("left side") { "left" } else { "right" };
        let message = format!("column \"{name}\" specified in USING clause does not exist in {side} table");
        return Some(missing(name, message));
    }
    if let Some(name) = fault.between("Could not find key \"", "\" in struct") {
        return Some(missing(name, format!("column \"{name}\" not found in data type record")));
    }
    if fault.message.starts_with("Cannot extract field") {
        return Some(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            "column notation applied to a value that is not a record",
        ));
    }
    None
}

fn tables(fault: &Fault<'_>) -> Option<PgError> {
    if let Some(name) = fault.between("Referenced table \"", "\" not found") {
        let error = PgError::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{name}\""));
        return Some(error.or_position(fault.position_of(name)));
    }
    if let Some(name) = fault.between("Ambiguous reference to table \"", "\"") {
        let message = format!("table name \"{name}\" specified more than once");
        return Some(PgError::new(SqlState::DUPLICATE_ALIAS, message));
    }
    if let Some(name) = fault.between("Duplicate alias \"", "\"") {
        let message = format!("table name \"{name}\" specified more than once");
        return Some(PgError::new(SqlState::DUPLICATE_ALIAS, message));
    }
    if let Some(name) = fault.between("Circular reference to CTE \"", "\"") {
        let detail =
            format!("There is a WITH item named \"{name}\", but it cannot be referenced from this part of the query.");
        let error = PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
        return Some(error.detail(detail).hint("Use WITH RECURSIVE, or re-order the WITH items."));
    }
    if fault.has("columns available but") {
        let name = fault.between("table \"", "\" has").filter(|name| redact::is_internal(name));
        let message = match name {
            Some(_) => "a table has fewer columns available than specified".to_owned(),
            None => fault.plain("a table has fewer columns available than specified"),
        };
        return Some(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
    }
    None
}

fn functions(fault: &Fault<'_>) -> Option<PgError> {
    if fault.message.starts_with("No function matches") {
        let call = fault.extra.get("call").map(String::as_str);
        let call = call.or_else(|| fault.between("argument types '", "'. You might"))?;
        return Some(no_function(fault, call, false));
    }
    if let Some(call) = fault.between("for the function call \"", "\". In order") {
        return Some(no_function(fault, call, true));
    }
    if let Some(of) = fault.between("UNNEST() can only be applied to lists, structs and NULL, not ", "\u{0}") {
        return Some(no_function(fault, &format!("unnest({of})"), false));
    }
    None
}

/// `+(INTEGER, VARCHAR)` or `lower(DATE)`, of which there is none, or more than one.
fn no_function(fault: &Fault<'_>, call: &str, ambiguous: bool) -> PgError {
    let (name, rest) = call.split_once('(').unwrap_or((call, ""));
    let types: Vec<String> = arguments(rest.strip_suffix(')').unwrap_or(rest)).into_iter().map(postgres_type).collect();
    let operator = !name.is_empty() && name.chars().all(|c| c.is_ascii_punctuation() && c != '_' && c != '"');
    let shown = match (operator, types.as_slice()) {
        (true, [one]) => format!("{name} {one}"),
        (true, [left, right]) => format!("{left} {name} {right}"),
        _ => format!("{name}({})", types.join(", ")),
    };
    let error = match (operator, ambiguous) {
        (true, false) => {
            let message = format!("operator does not exist: {shown}");
            PgError::new(SqlState::UNDEFINED_FUNCTION, message).hint(OPERATOR_HINT)
        }
        (true, true) => PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {shown}"))
            .hint("Could not choose a best candidate operator. You might need to add explicit type casts."),
        (false, false) => {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {shown} does not exist")).hint(CAST_HINT)
        }
        (false, true) => PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {shown} is not unique"))
            .hint("Could not choose a best candidate function. You might need to add explicit type casts."),
    };
    if operator { error } else { error.or_position(fault.position_of(name)) }
}

fn grouping(fault: &Fault<'_>) -> Option<PgError> {
    if fault.has("must appear in the GROUP BY clause") {
        let name = fault.between("column \"", "\"").or_else(|| fault.between("column ", " must appear"))?;
        let (shown, position) = match relation_of(fault.sql, name) {
            Some((relation, position)) => (format!("{relation}.{name}"), position),
            None => (name.to_owned(), fault.position_of(name)),
        };
        let message =
            format!("column \"{shown}\" must appear in the GROUP BY clause or be used in an aggregate function");
        return Some(PgError::new(SqlState::GROUPING_ERROR, message).or_position(position));
    }
    if let Some((clause, _)) = fault.message.split_once(" clause cannot contain aggregates") {
        let message = format!("aggregate functions are not allowed in {clause}");
        return Some(PgError::new(SqlState::GROUPING_ERROR, message));
    }
    if let Some((clause, _)) = fault.message.split_once(" clause cannot contain window functions") {
        let message = format!("window functions are not allowed in {clause}");
        return Some(PgError::new(SqlState::WINDOWING_ERROR, message));
    }
    if fault.has("aggregate function calls cannot") {
        return Some(PgError::new(SqlState::GROUPING_ERROR, fault.plain("aggregate function calls cannot be nested")));
    }
    None
}

/// What the engine does not do, and Postgres does.
fn limits(fault: &Fault<'_>) -> Option<PgError> {
    const LIMITS: [(&str, &str, &str); 4] = [
        (
            "Join condition for non-inner LATERAL JOIN",
            "this condition of an outer LATERAL join is not supported",
            "Move the condition into the LATERAL subquery's WHERE.",
        ),
        ("LATERAL join cannot contain aggregates", "aggregates of an outer query in LATERAL are not supported", ""),
        (
            "subqueries in lambda expressions are not supported",
            "a subquery among these arguments is not supported",
            "Move the subquery into FROM.",
        ),
        ("Invalid type for BETWEEN", "this range of values is not supported", ""),
    ];
    if fault.has("The combining JOIN type must be INNER or LEFT for a LATERAL reference") {
        let message = "invalid reference to FROM-clause entry";
        return Some(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).detail(fault.plain(message)));
    }
    if fault.message.starts_with("GROUPING child") {
        let message = "arguments to GROUPING must be grouping expressions of the associated query level";
        return Some(PgError::new(SqlState::GROUPING_ERROR, message));
    }
    let (_, message, hint) = LIMITS.iter().find(|(theirs, ..)| fault.has(theirs))?;
    let error = PgError::unsupported(*message);
    Some(if hint.is_empty() { error } else { error.hint(*hint) })
}

/// Whether a negative number is OFFSET's, which Postgres looks at first: LIMIT is not said, or says a number itself.
fn is_offset(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().map(str::to_ascii_lowercase).collect();
    let pairs: Vec<(&str, bool)> = words
        .iter()
        .zip(words.iter().skip(1))
        .map(|(word, value)| (word.as_str(), value.starts_with(|c: char| c.is_ascii_digit())))
        .collect();
    pairs.contains(&("offset", false)) && !pairs.contains(&("limit", false))
}

fn shapes(fault: &Fault<'_>) -> Option<PgError> {
    let syntax = |message: &str| Some(PgError::new(SqlState::SYNTAX_ERROR, message));
    if fault.has("same number of result columns") {
        return syntax("each UNION query must have the same number of columns");
    }
    if fault.has("Subquery returns ") && fault.has("expected 1") {
        return syntax("subquery must return only one column");
    }
    for (term, clause) in [("ORDER term out of range", "ORDER BY"), ("GROUP BY term out of range", "GROUP BY")] {
        if fault.has(term) {
            let message = format!("{clause} position is not in select list");
            return Some(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
    }
    if fault.has("LIMIT/OFFSET cannot be negative") {
        return Some(match is_offset(fault.sql) {
            true => PgError::new(SqlState::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET must not be negative"),
            false => PgError::new(SqlState::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT must not be negative"),
        });
    }
    if fault.has("Cannot compare values of type") || fault.has("Cannot mix values of type") {
        return Some(PgError::new(SqlState::DATATYPE_MISMATCH, fault.plain("types cannot be compared")));
    }
    None
}
