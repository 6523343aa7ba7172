//! `has_table_privilege` and its kin, of constants: the role and the object must exist and the privilege must be one. Where
//! they do, the answer is yes: there is one role, and it may do everything.

use duckmesh_catalog::{ColumnType, types::oid};

use super::{Ex, Kind, Rewriter, relations::Target};
use crate::{
    pgcatalog::functions,
    sql::scan::Scan,
    wire::error::{PgError, PgResult, SqlState},
};

/// What the functions ask about: the name between `has_` and `_privilege`, the type that a name of it is read as, and the
/// privileges that there are.
const KINDS: &[(&str, Option<u32>, &[&str])] = &[
    ("table", Some(oid::REGCLASS), TABLE),
    ("any_column", Some(oid::REGCLASS), COLUMN),
    ("column", Some(oid::REGCLASS), COLUMN),
    ("sequence", Some(oid::REGCLASS), &["USAGE", "SELECT", "UPDATE"]),
    ("schema", Some(oid::REGNAMESPACE), &["CREATE", "USAGE"]),
    ("type", Some(oid::REGTYPE), &["USAGE"]),
    ("function", Some(oid::REGPROCEDURE), &["EXECUTE"]),
    ("database", None, &["CREATE", "TEMPORARY", "TEMP", "CONNECT"]),
    ("language", None, &["USAGE"]),
    ("tablespace", None, &["CREATE"]),
];
const TABLE: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "RULE"];
const COLUMN: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];

impl Rewriter<'_> {
    /// The call, where a constant of it is to be looked at. None: another function, or nothing to look at.
    pub(super) fn privilege_call(&mut self, name: &str, values: &[Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let kind = name.strip_prefix("has_").and_then(|rest| rest.strip_suffix("_privilege"));
        let Some((kind, input, privileges)) = KINDS.iter().find(|known| Some(known.0) == kind).copied() else {
            return Ok(None);
        };
        let plain = if kind == "column" { 3 } else { 2 };
        let (role, rest) = match values.len().checked_sub(plain) {
            Some(0) => (None, values),
            Some(1) => (values.first(), values.get(1..).unwrap_or_default()),
            _ => return Ok(None),
        };
        let mut found = Vec::new();
        if let Some(Kind::Str(role)) = role.map(|r| &r.kind).filter(|kind| !is(kind, "public")) {
            let role = crate::sql::quote::literal(role)?;
            found.push(self.looked_up(functions::input(oid::REGROLE), "", &[&role]));
        }
        let object = rest.first().map(|o| &o.kind);
        if let (Some(Kind::Str(object)), Some(input)) = (object, input) {
            let text = crate::sql::quote::literal(object)?;
            found.push(self.looked_up(functions::input(input), "", &[&text]));
        }
        if let (Some(Kind::Str(table)), Some(Kind::Str(column)), "column") =
            (object, rest.get(1).map(|c| &c.kind), kind)
        {
            self.column_is_there(table, column, at)?;
        }
        if let Some(Kind::Str(asked)) = rest.last().map(|p| &p.kind) {
            known(asked, privileges)?;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let there: Vec<String> = found.iter().map(|sql| format!("{sql} IS NOT NULL")).collect();
        Ok(Some(Ex::of(format!("({})", there.join(" AND ")), ColumnType::Bool).at(at)))
    }

    fn column_is_there(&self, table: &str, column: &str, at: Option<u32>) -> PgResult<()> {
        let Some(Ok(parts)) = Scan::new(table).map(|mut scan| scan.name()) else { return Ok(()) };
        let name = sqlparser::ast::ObjectName::from(
            parts.iter().map(|part| sqlparser::ast::Ident::with_quote('"', part)).collect::<Vec<_>>(),
        );
        match self.resolve(&name) {
            Ok(Target::Table(found, _)) if found.column(column).is_none() => {
                let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
                Err(PgError::new(SqlState::UNDEFINED_COLUMN, message).or_position(at).unplaced())
            }
            _ => Ok(()),
        }
    }
}

fn is(kind: &Kind, text: &str) -> bool {
    matches!(kind, Kind::Str(found) if found == text)
}

/// `SELECT, INSERT WITH GRANT OPTION`: each must be one of the object's.
fn known(asked: &str, privileges: &[&str]) -> PgResult<()> {
    for one in asked.split(',') {
        let one = one.trim();
        let word = one.to_ascii_uppercase();
        let word = word.strip_suffix("WITH GRANT OPTION").map_or(word.as_str(), str::trim_end);
        if !privileges.contains(&word) {
            let message = format!("unrecognized privilege type: \"{one}\"");
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
    }
    Ok(())
}
