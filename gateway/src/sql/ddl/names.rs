//! Names in DDL: folding, truncating, quoting, and which are refused.

use sqlparser::ast::{Ident, ObjectName};

use super::place;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Postgres' longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Words of PostgreSQL 15's grammar that `quote_identifier` quotes: all but its unreserved ones.
const KEYWORDS: &str = "\
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean \
    both case cast char character check coalesce collate collation column concurrently constraint \
    create cross current_catalog current_date current_role current_schema current_time \
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except \
    exists extract false fetch float for foreign freeze from full grant greatest group grouping having \
    ilike in initially inner inout int integer intersect interval into is isnull join lateral leading \
    least left like limit localtime localtimestamp national natural nchar none normalize not notnull \
    null nullif numeric offset on only or order out outer overlaps overlay placing position precision \
    primary real references returning right row select session_user setof similar smallint some \
    substring symmetric table tablesample then time timestamp to trailing treat trim true union unique \
    user using values varchar variadic verbose when where window with xmlattributes xmlconcat \
    xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable \
    ";

/// The words of it that can be no column's name without quotes, but for those that are values themselves.
const RESERVED: &str = "\
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create \
    deferrable desc distinct do else end except fetch for foreign from grant group having in initially \
    intersect into lateral leading limit not offset on only or order placing primary references returning \
    select some symmetric table then to trailing union unique using variadic when where window with \
    ";

/// Whether a word is no name without quotes.
#[must_use]
pub fn is_reserved(word: &str) -> bool {
    RESERVED.split_whitespace().any(|k| k == word)
}

/// A name as SQL text: with quotes where it would not be read back as itself.
#[must_use]
pub fn quote(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !KEYWORDS.split_whitespace().any(|k| k == name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A schema's name in SQL: DuckLake's `main` is `public` here.
#[must_use]
pub fn schema_in_sql(name: &str) -> &str {
    if name == duckmesh_catalog::schema::DEFAULT_SCHEMA { "public" } else { name }
}

/// A schema's name in the lake. None for SQL's `main`, which is not the lake's.
#[must_use]
pub fn schema_in_lake(name: &str) -> Option<&str> {
    match name {
        "public" => Some(duckmesh_catalog::schema::DEFAULT_SCHEMA),
        duckmesh_catalog::schema::DEFAULT_SCHEMA => None,
        other => Some(other),
    }
}

/// Schemas that are not in a lake.
#[must_use]
pub fn is_system_schema(name: &str) -> bool {
    matches!(name, "pg_catalog" | "information_schema" | "duckmesh" | "pg_toast")
}

/// Collects names of one statement, and the notices about those that were too long.
#[derive(Debug, Default)]
pub struct Names {
    /// `identifier "…" will be truncated to "…"`.
    pub notices: Vec<PgError>,
}

impl Names {
    /// The name of an identifier: folded unless quoted, cut to 63 bytes.
    pub fn fold(&mut self, ident: &Ident, text: &str) -> PgResult<String> {
        let name = match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => fold(&ident.value),
        };
        if name.is_empty() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "zero-length delimited identifier at or near \"\"\"\"")
                .or_position(place::of_ident(text, ident)));
        }
        Ok(self.cut(name))
    }

    /// Cuts a name to what Postgres keeps of it.
    pub fn cut(&mut self, name: String) -> String {
        if name.len() <= NAME_BYTES_MAX {
            return name;
        }
        let cut = clip(&name, NAME_BYTES_MAX).to_owned();
        let mut notice = PgError::notice(format!("identifier \"{name}\" will be truncated to \"{cut}\""));
        notice = notice.with_code(SqlState::NAME_TOO_LONG);
        self.notices.push(notice);
        cut
    }

    /// The schema and the name; the schema only where it was said. A third part must be the database.
    pub fn split(&mut self, whole: &ObjectName, text: &str, database: &str) -> PgResult<(Option<String>, String)> {
        let mut parts = Vec::new();
        for part in &whole.0 {
            let Some(ident) = part.as_ident() else {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{part}\""))
                    .or_position(place::of_name(text, whole)));
            };
            parts.push(self.fold(ident, text)?);
        }
        match parts.as_slice() {
            [name] => Ok((None, name.clone())),
            [schema, name] => Ok((Some(schema.clone()), name.clone())),
            [other, schema, name] if other == database => Ok((Some(schema.clone()), name.clone())),
            [other, schema, name] => Err(PgError::unsupported(format!(
                "cross-database references are not implemented: \"{other}.{schema}.{name}\""
            ))
            .or_position(place::of_name(text, whole))),
            _ => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper qualified name (too many dotted names): {}", parts.join(".")),
            )
            .or_position(place::of_name(text, whole))),
        }
    }
}

/// An unquoted name as Postgres folds it: ASCII only.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The beginning of a text, not longer than this and not within a character.
#[must_use]
pub fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A generated name as Postgres makes it (`t_a_check`): the longer of the two parts is cut until it fits.
#[must_use]
pub fn generated(first: &str, second: Option<&str>, label: &str) -> String {
    let second = second.unwrap_or_default();
    let overhead = label.len() + 1 + usize::from(!second.is_empty());
    let available = NAME_BYTES_MAX.saturating_sub(overhead);
    let (mut a, mut b) = (first.len(), second.len());
    while a + b > available {
        if a > b { a -= 1 } else { b -= 1 }
    }
    let (first, second) = (clip(first, a), clip(second, b));
    if second.is_empty() { format!("{first}_{label}") } else { format!("{first}_{second}_{label}") }
}
