//! DuckDB's errors as Postgres' clients know them: SQLSTATE, message, and nothing of the machine.
//!
//! It must never tell a client paths, file lists, names of internal views or names that the statement did not use.

mod binding;
mod conversion;
mod redact;
mod text;

use std::collections::BTreeMap;

use super::protocol::{EngineError, REFUSED};
use crate::wire::error::{PgError, SqlState};

/// What is said of a decimal that the engine has no room for.
pub const DECIMAL_OVERFLOW: &str = "value overflows numeric format";

const DATA_EXCEPTION: SqlState = SqlState("22000");
const CARDINALITY_VIOLATION: SqlState = SqlState("21000");
const INVALID_ARGUMENT_FOR_LOGARITHM: SqlState = SqlState("2201E");
const INVALID_ARGUMENT_FOR_POWER: SqlState = SqlState("2201F");
const INVALID_ESCAPE_SEQUENCE: SqlState = SqlState("22025");
const SUBSTRING_ERROR: SqlState = SqlState("22011");
const RAISE_EXCEPTION: SqlState = SqlState("P0001");

/// States that trusted macros raise: `error('SQLSTATE 22012: division by zero')`.
const RAISED: [SqlState; 48] = [
    SqlState::INVALID_NAME,
    SqlState("22013"),
    SqlState("22014"),
    SqlState("22016"),
    SqlState("2200C"),
    SqlState("22031"),
    SqlState::SEQUENCE_LIMIT_EXCEEDED,
    DATA_EXCEPTION,
    SqlState::SYNTAX_ERROR,
    SqlState::INVALID_TIME_ZONE_DISPLACEMENT,
    SqlState("22039"),
    SqlState("2203A"),
    SqlState("2203B"),
    SqlState("2203C"),
    SqlState("22038"),
    SqlState("22036"),
    SqlState("22033"),
    SqlState::CHECK_VIOLATION,
    SqlState::NOT_NULL_VIOLATION,
    SqlState::UNDEFINED_TABLE,
    SqlState::UNDEFINED_FUNCTION,
    SqlState::INVALID_SCHEMA_NAME,
    SqlState::DIVISION_BY_ZERO,
    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
    SqlState::INVALID_PARAMETER_VALUE,
    SqlState::INVALID_TEXT_REPRESENTATION,
    SqlState::INVALID_DATETIME_FORMAT,
    SqlState::DATETIME_FIELD_OVERFLOW,
    SqlState::INTERVAL_FIELD_OVERFLOW,
    SqlState::NULL_VALUE_NOT_ALLOWED,
    SqlState::ARRAY_SUBSCRIPT_ERROR,
    SqlState::STRING_DATA_RIGHT_TRUNCATION,
    SqlState::STRING_DATA_LENGTH_MISMATCH,
    SqlState::INVALID_REGULAR_EXPRESSION,
    SqlState::INVALID_ROW_COUNT_IN_LIMIT,
    SqlState::FEATURE_NOT_SUPPORTED,
    SqlState::DATATYPE_MISMATCH,
    SqlState::UNDEFINED_OBJECT,
    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
    SqlState::UNTRANSLATABLE_CHARACTER,
    SqlState::PROGRAM_LIMIT_EXCEEDED,
    SqlState::STATEMENT_TOO_COMPLEX,
    CARDINALITY_VIOLATION,
    INVALID_ESCAPE_SEQUENCE,
    SqlState("2201G"),
    INVALID_ARGUMENT_FOR_LOGARITHM,
    INVALID_ARGUMENT_FOR_POWER,
    SUBSTRING_ERROR,
];

/// The error for a client, of what a worker reported. `sql` is the client's text, or empty.
#[must_use]
pub fn from_engine(error: &EngineError, sql: &str) -> PgError {
    from_duckdb(&error.exception_type, &error.message, &error.extra, sql)
}

/// The error for a client, of what a worker said that reads the client's own file. Errors of values are told as ever.
#[must_use]
pub fn of_foreign_file(error: &EngineError) -> PgError {
    match error.exception_type.to_ascii_uppercase().as_str() {
        "INTERRUPT" | "CONVERSION" | "OUT OF RANGE" | "OUT OF MEMORY" => from_engine(error, ""),
        _ => {
            tracing::info!(kind = error.exception_type, "a client's file cannot be read");
            PgError::new(SqlState::BAD_COPY_FILE_FORMAT, "the Parquet file cannot be read")
                .detail("It is damaged, or has something that no reader here knows.")
        }
    }
}

/// The error for a client. `sql` is the client's own text, which positions refer to; empty where it is not known.
#[must_use]
pub fn from_duckdb(exception_type: &str, message: &str, extra: &BTreeMap<String, String>, sql: &str) -> PgError {
    let fault = Fault { message, extra, sql };
    match exception_type.to_ascii_uppercase().as_str() {
        "INTERRUPT" => PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"),
        "CONVERSION" => conversion::conversion(&fault),
        "OUT OF RANGE" => conversion::out_of_range(&fault),
        "BINDER" if fault.has("interval cannot be 0") => invalid_input(&fault),
        "BINDER" => binding::binder(&fault),
        "CATALOG" => binding::catalog(&fault),
        "PARSER" | "SYNTAX" => binding::parser(&fault),
        "INVALID INPUT" => invalid_input(&fault),
        "OUT OF MEMORY" => out_of_memory(&fault),
        "OBJECT SIZE" => PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, fault.plain("value too large")),
        "MISMATCH TYPE" | "INVALID TYPE" | "UNKNOWN TYPE" => {
            PgError::new(SqlState::DATATYPE_MISMATCH, fault.plain("type mismatch"))
        }
        "DIVIDE BY ZERO" => PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        "NOT IMPLEMENTED" => not_implemented(&fault),
        "PARAMETER NOT RESOLVED" => {
            PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter for this statement")
        }
        "PERMISSION" | "SETTINGS" | "NETWORK" | "HTTP" | "MISSING EXTENSION" | "AUTOLOAD" => {
            PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, "permission denied")
        }
        "IO" => input_output(&fault),
        REFUSED_UPPER => refused(&fault),
        _ => PgError::internal(format!("duckdb {exception_type}: {message} {extra:?}")),
    }
}

const REFUSED_UPPER: &str = "REFUSED";
const _: () = assert!(REFUSED.len() == REFUSED_UPPER.len());

/// What DuckDB said.
struct Fault<'a> {
    message: &'a str,
    extra: &'a BTreeMap<String, String>,
    sql: &'a str,
}

impl Fault<'_> {
    /// What is between two texts in the message.
    fn between(&self, before: &str, after: &str) -> Option<&str> {
        text::between(self.message, before, after)
    }

    fn has(&self, part: &str) -> bool {
        self.message.contains(part)
    }

    /// The message where it can be shown, else the other text.
    fn plain(&self, otherwise: &str) -> String {
        redact::shown(self.message).unwrap_or_else(|| otherwise.to_owned())
    }

    /// Where the client's text has a name.
    fn position_of(&self, name: &str) -> Option<u32> {
        text::position_of(self.sql, name)
    }
}

fn invalid_input(fault: &Fault<'_>) -> PgError {
    if fault.has("interval cannot be 0") {
        return PgError::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero");
    }
    if let Some(raised) = raised(fault.message) {
        return raised;
    }
    if fault.has(" is undefined outside [") {
        return PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range");
    }
    if fault.has("Cannot subtract infinite timestamps") {
        return PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "cannot subtract infinite timestamps");
    }
    if fault.has("can't be cast to the destination type INT64")
        && let Some(error) = conversion::date_or_time(fault)
    {
        return error;
    }
    if fault.has("More than one row returned by a subquery") {
        let message = "more than one row returned by a subquery used as an expression";
        return PgError::new(CARDINALITY_VIOLATION, message);
    }
    if let Some(reason) = regular_expression(fault.message) {
        return PgError::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"));
    }
    if let Some(to) = fault.between("out of range for the destination type ", "\u{0}") {
        return conversion::out_of_type(to);
    }
    // Statements name no files: what is wrong with one is wrong with the lake's own.
    if fault.has(".parquet") || fault.has("arquet file") || fault.has("magic bytes") {
        return damaged(fault);
    }
    if fault.has("Malformed JSON") {
        return PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json");
    }
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, fault.plain("invalid value"))
}

/// A file of the lake that is not what was written.
fn damaged(fault: &Fault<'_>) -> PgError {
    tracing::error!(detail = fault.message, "a file of the lake is damaged");
    PgError::new(SqlState::DATA_CORRUPTED, "a file of the lake is damaged")
        .hint("The server's log names it. Restore it from a backup.")
}

/// `SQLSTATE xxxxx: message`, or the message of a plain `error()`.
fn raised(message: &str) -> Option<PgError> {
    let (code, rest) = message.strip_prefix("SQLSTATE ")?.split_once(": ")?;
    let state = RAISED.into_iter().find(|state| state.0 == code).unwrap_or(RAISE_EXCEPTION);
    Some(PgError::new(state, rest))
}

/// RE2's complaints, which come without a word that says so.
fn regular_expression(message: &str) -> Option<&str> {
    const COMPLAINTS: [&str; 11] = [
        "missing )",
        "missing ]",
        "unexpected )",
        "no argument for repetition operator",
        "bad repetition operator",
        "invalid repetition size",
        "invalid escape sequence",
        "invalid character class",
        "invalid perl operator",
        "invalid named capture",
        "trailing \\",
    ];
    let found = COMPLAINTS.into_iter().find(|complaint| message.starts_with(complaint))?;
    Some(match found {
        "missing )" | "unexpected )" => "parentheses () not balanced",
        "missing ]" => "brackets [] not balanced",
        "no argument for repetition operator" | "bad repetition operator" => "quantifier operand invalid",
        "invalid repetition size" => "invalid repetition count(s)",
        "invalid escape sequence" | "trailing \\" => "invalid escape \\ sequence",
        "invalid character class" if message.contains("range") => "invalid character range",
        other => other,
    })
}

fn not_implemented(fault: &Fault<'_>) -> PgError {
    if let Some(zone) = fault.between("Unknown TimeZone '", "'") {
        return PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{zone}\" not recognized"));
    }
    if fault.has("Unsupported Arrow type UNKNOWN") {
        return PgError::new(SqlState::INDETERMINATE_DATATYPE, "could not determine data type of a result column");
    }
    PgError::unsupported(fault.plain("the query engine does not support this"))
}

fn out_of_memory(fault: &Fault<'_>) -> PgError {
    if fault.has("max_temp_directory_size") || fault.has("temporary") && fault.has("disk") {
        return PgError::new(SqlState::DISK_FULL, "the statement needs more temporary space than it may use")
            .hint("Ask for less at once, or for the space limit of the query engine to be raised.");
    }
    PgError::new(SqlState::OUT_OF_MEMORY, "out of memory")
        .detail("The statement needs more memory than the query engine may use.")
        .hint("Ask for less at once, or for the memory limit of the query engine to be raised.")
}

fn input_output(fault: &Fault<'_>) -> PgError {
    let id = PgError::internal(format!("duckdb IO: {}", fault.message));
    let detail = id.fields().message.clone();
    if fault.has("No space left") || fault.has("File too large") {
        return PgError::new(SqlState::DISK_FULL, "no space left for temporary files").detail(detail);
    }
    if fault.has("No files found") || fault.has("No such file") {
        return PgError::new(SqlState::UNDEFINED_FILE, "a file of a table is missing").detail(detail);
    }
    PgError::new(SqlState::IO_ERROR, "a file of a table cannot be read").detail(detail)
}

fn refused(fault: &Fault<'_>) -> PgError {
    if fault.has("permission denied") {
        return PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, fault.message);
    }
    if fault.has("nested too deeply") {
        return binding::too_deep();
    }
    PgError::unsupported(fault.plain("the query engine does not run this statement"))
}

#[cfg(test)]
mod tests;
