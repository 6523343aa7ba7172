//! DDL that DuckMesh does not do, each with what to do instead.

use sqlparser::ast::{ObjectType, Statement};

use super::drop::Wanted;
use crate::{
    sql::{plan::Plan, scan::Scan},
    wire::error::{PgError, PgResult, SqlState},
};

const HINT_FUNCTION: &str = "Use views, and the built-in functions.";
const HINT_ROLE: &str = "Access is by database; roles follow in a later version.";
const HINT_EXTENSION: &str = "The engine's functions are fixed; nothing can be loaded.";

fn refuse(what: &str, hint: &str) -> PgError {
    PgError::unsupported(format!("{what} is not supported")).hint(hint)
}

/// Statements that are DDL and always refused; none for anything else.
pub(super) fn plan(statement: &Statement) -> Option<PgResult<Plan>> {
    let error = match statement {
        Statement::CreateFunction(_) => refuse("CREATE FUNCTION", HINT_FUNCTION),
        Statement::CreateProcedure { .. } => refuse("CREATE PROCEDURE", HINT_FUNCTION),
        Statement::CreateMacro { .. } => refuse("CREATE MACRO", HINT_FUNCTION),
        Statement::DropFunction(_) => refuse("DROP FUNCTION", HINT_FUNCTION),
        Statement::DropProcedure { .. } => refuse("DROP PROCEDURE", HINT_FUNCTION),
        Statement::CreateTrigger(_) => {
            refuse("CREATE TRIGGER", "Tables have no triggers: follow the lake by its tokens.")
        }
        Statement::DropTrigger(_) => refuse("DROP TRIGGER", "Tables have no triggers."),
        Statement::CreateExtension(_) => refuse("CREATE EXTENSION", HINT_EXTENSION),
        Statement::DropExtension(_) => refuse("DROP EXTENSION", HINT_EXTENSION),
        Statement::CreateRole(_) => refuse("CREATE ROLE", HINT_ROLE),
        Statement::CreateUser(_) => refuse("CREATE USER", HINT_ROLE),
        Statement::AlterRole { .. } => refuse("ALTER ROLE", HINT_ROLE),
        Statement::CreatePolicy(_) => refuse("CREATE POLICY", HINT_ROLE),
        Statement::DropPolicy(_) => refuse("DROP POLICY", HINT_ROLE),
        Statement::CreateServer(_) => refuse("CREATE SERVER", "A lake reads its own files only."),
        Statement::CreateSecret { .. } => refuse("CREATE SECRET", "The engine's configuration is fixed."),
        Statement::AttachDuckDBDatabase { .. } | Statement::AttachDatabase { .. } => {
            refuse("ATTACH", "Each database is a lake of its own: connect to it.")
        }
        _ => return None,
    };
    Some(Err(error))
}

/// DROP of what cannot be made.
pub(super) fn drop(kind: &ObjectType, wanted: &Wanted<'_>) -> PgResult<Plan> {
    let word = kind.to_string().to_lowercase();
    let first = wanted.names.first().map(ToString::to_string).unwrap_or_default();
    if wanted.if_exists {
        return Ok(Plan::NoOp {
            tag: format!("DROP {kind}"),
            notice: Some(PgError::notice(format!("{word} \"{first}\" does not exist, skipping"))),
        });
    }
    let code = match kind {
        ObjectType::MaterializedView => SqlState::UNDEFINED_TABLE,
        _ => SqlState::UNDEFINED_OBJECT,
    };
    Err(PgError::new(code, format!("{word} \"{first}\" does not exist")))
}

/// `CREATE TABLE t OF type`.
pub(super) fn typed_table() -> PgError {
    refuse("CREATE TABLE … OF", "Use CREATE TABLE t (LIKE type), which has the same columns.")
}

/// Forms that sqlparser does not read, by their first words.
pub(super) fn by_words(scan: &mut Scan<'_>) -> PgResult<Option<Plan>> {
    const FORMS: [(&[&str], &str); 24] = [
        (&["alter", "system"], "The server's settings are given where it is started; SET changes a session's."),
        (&["create", "function"], HINT_FUNCTION),
        (&["create", "or", "replace", "function"], HINT_FUNCTION),
        (&["create", "procedure"], HINT_FUNCTION),
        (&["create", "or", "replace", "procedure"], HINT_FUNCTION),
        (&["alter", "function"], HINT_FUNCTION),
        (&["create", "aggregate"], HINT_FUNCTION),
        (&["create", "operator"], HINT_FUNCTION),
        (&["create", "cast"], HINT_FUNCTION),
        (&["create", "trigger"], "Tables have no triggers."),
        (&["create", "event", "trigger"], "Tables have no triggers."),
        (&["create", "rule"], "Tables have no rules: use views."),
        (&["create", "extension"], HINT_EXTENSION),
        (&["alter", "extension"], HINT_EXTENSION),
        (&["create", "role"], HINT_ROLE),
        (&["create", "user"], HINT_ROLE),
        (&["create", "group"], HINT_ROLE),
        (&["alter", "role"], HINT_ROLE),
        (&["alter", "user"], HINT_ROLE),
        (&["alter", "database"], "A database's settings are those of the server."),
        (&["create", "tablespace"], "A lake has one place for its files."),
        (&["create", "foreign"], "A lake reads its own files only."),
        (&["create", "publication"], "Follow the lake by its tokens."),
        (&["create", "subscription"], "Write to the lake with INSERT and COPY."),
    ];
    for (words, hint) in FORMS {
        if scan.sees(words) {
            return Err(refuse(&words.join(" ").to_uppercase(), hint));
        }
    }
    Ok(None)
}
