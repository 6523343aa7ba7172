//! Names and strings as SQL text, and Postgres' folding of names.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' NAMEDATALEN - 1.
const NAME_BYTES_MAX: usize = 63;

/// Holes of a text under construction stand between two of these; no text of a client holds one.
pub(super) const HOLE: char = '\0';

/// A name as an identifier of SQL.
pub(super) fn name(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for c in name.chars().filter(|c| *c != HOLE) {
        if c == '"' {
            quoted.push('"');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A text as a literal of SQL.
pub(super) fn literal(text: &str) -> PgResult<String> {
    if text.contains(HOLE) {
        return Err(PgError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// The name an identifier means: folded unless quoted, cut as Postgres does.
pub(super) fn fold(ident: &Ident) -> String {
    let mut name = match ident.quote_style {
        Some(_) => ident.value.clone(),
        // Postgres folds ASCII letters only in UTF-8 databases.
        None => ident.value.to_ascii_lowercase(),
    };
    if name.len() > NAME_BYTES_MAX {
        let mut end = NAME_BYTES_MAX;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// The folded parts of a name; none for forms that are no plain names.
pub(super) fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(fold(ident)),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}
