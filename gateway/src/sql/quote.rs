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

/// Bytes of a list that is written out after `IN`: the engine looks at a longer one faster as rows.
const LISTED_BYTES_MAX: usize = 8 << 10;

/// A list of the engine's as what can stand after `IN`: written out where it is short, which is a condition on one relation
/// that is met where its rows are read; a subquery would be a join above all others.
#[must_use]
pub fn after_in(list: &str) -> String {
    match elements(list) {
        Some(inner) if !inner.trim().is_empty() && inner.len() <= LISTED_BYTES_MAX => format!("({inner})"),
        _ => format!("(SELECT unnest({list}))"),
    }
}

/// What stands between the brackets of a text that is one list of the engine's, cast or not; none for other expressions.
#[must_use]
pub fn elements(list: &str) -> Option<&str> {
    let (list, is_cast) = match list.strip_prefix("CAST(") {
        Some(list) => (list, true),
        None => (list, false),
    };
    let inner = list.strip_prefix('[')?;
    let (mut depth, mut quoted) = (1_u32, None);
    for (at, byte) in inner.bytes().enumerate() {
        match (quoted, byte) {
            (Some(quote), byte) if byte == quote => quoted = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quoted = Some(byte),
            (None, b'[') => depth += 1,
            (None, b']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let (inner, rest) = (inner.get(..at)?, inner.get(at + 1..)?);
            let ends = match is_cast {
                true => rest.strip_prefix(" AS ").and_then(|ty| ty.strip_suffix("[])")).is_some_and(is_type_name),
                false => rest.is_empty(),
            };
            return ends.then_some(inner);
        }
    }
    None
}

fn is_type_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'(' | b')' | b',' | b' ' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lists_are_written_out() {
        for (list, expect) in [
            ("['r', 'p']", "('r', 'p')"),
            ("CAST([CAST(1 AS BIGINT), CAST(2 AS BIGINT)] AS BIGINT[])", "(CAST(1 AS BIGINT), CAST(2 AS BIGINT))"),
            ("CAST([CAST(1 AS DECIMAL(3,2))] AS DECIMAL(3,2)[])", "(CAST(1 AS DECIMAL(3,2)))"),
            ("['a]', 'it''s [']", "('a]', 'it''s [')"),
            ("[]", "(SELECT unnest([]))"),
            ("CAST([] AS BIGINT[])", "(SELECT unnest(CAST([] AS BIGINT[])))"),
            ("[1][1:1]", "(SELECT unnest([1][1:1]))"),
            ("CAST([1] AS INTEGER[]) || [2]", "(SELECT unnest(CAST([1] AS INTEGER[]) || [2]))"),
            ("list_concat([1], [2])", "(SELECT unnest(list_concat([1], [2])))"),
            (
                "CAST([1] AS INTEGER[]) || CAST([2] AS INTEGER[])",
                "(SELECT unnest(CAST([1] AS INTEGER[]) || CAST([2] AS INTEGER[])))",
            ),
        ] {
            assert_eq!(after_in(list), expect);
        }
    }
}
