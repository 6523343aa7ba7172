//! What clients asked of the catalog and did not get: `duckmesh.unsupported`, so that gaps are seen.
//!
//! Never holds a value of a statement: its constants are cut out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use crate::wire::{PgError, SqlState};

/// Different gaps that one lake remembers; further ones are not kept.
const GAPS_MAX: usize = 1000;
/// Bytes of a statement that are shown, a constant or name more or less.
const QUERY_BYTES_MAX: usize = 2000;
/// Characters of what is missing: a client chooses them.
const NAME_CHARACTERS_MAX: usize = 200;

/// The gaps of one lake since the server started.
#[derive(Default)]
pub struct Unsupported(Mutex<HashMap<(u64, String), Gap>>);

/// Something that was asked for and is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// A number of the statement without its constants.
    pub fingerprint: u64,
    /// What is missing: a relation, function or type, or what the refusal says.
    pub name: String,
    /// The error's code.
    pub sqlstate: &'static str,
    /// The statement without its constants.
    pub query: String,
    /// How often.
    pub asked: i64,
    /// When for the first time.
    pub first_at: DateTime<Utc>,
    /// When for the last time.
    pub last_at: DateTime<Utc>,
}

impl Unsupported {
    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, String), Gap>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an error, where it is about the catalog.
    pub fn note(&self, sql: &str, error: &PgError, now: DateTime<Utc>) {
        let code = error.code();
        let gap = [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_FUNCTION,
            SqlState::UNDEFINED_OBJECT,
            SqlState::UNDEFINED_COLUMN,
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::FEATURE_NOT_SUPPORTED,
        ];
        if !gap.contains(&code) || !asks_catalog(sql) {
            return;
        }
        let query = without_constants(sql);
        let name = missing(&error.fields().message);
        let fingerprint = fnv(query.as_bytes());
        let mut gaps = self.lock();
        let key = (fingerprint, name.clone());
        if gaps.len() >= GAPS_MAX && !gaps.contains_key(&key) {
            return;
        }
        let gap = gaps.entry(key).or_insert(Gap {
            fingerprint,
            name,
            sqlstate: code.0,
            query,
            asked: 0,
            first_at: now,
            last_at: now,
        });
        gap.asked += 1;
        gap.last_at = now;
    }

    /// All of them, the most asked first.
    #[must_use]
    pub fn all(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.lock().values().cloned().collect();
        gaps.sort_by(|a, b| b.asked.cmp(&a.asked).then(a.first_at.cmp(&b.first_at)));
        gaps
    }
}

/// Whether a statement is about the catalog at all.
fn asks_catalog(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    ["pg_", "information_schema", "::reg", "to_reg", "current_setting"].iter().any(|word| lower.contains(word))
}

/// What a message names: between quotes, or a function before its arguments.
fn missing(message: &str) -> String {
    let quoted = message.split('"').nth(1);
    let function = message.strip_prefix("function ").and_then(|rest| rest.split('(').next());
    function.or(quoted).unwrap_or(message).chars().take(NAME_CHARACTERS_MAX).collect()
}

/// A statement with `?` for every constant, in lower case, without comments, blanks made one.
fn without_constants(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next().filter(|_| out.len() < QUERY_BYTES_MAX) {
        let in_word = out.ends_with(|p: char| p.is_alphanumeric() || p == '_' || p == '$');
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let constant = match c {
            '\'' => {
                // E'…' has backslashes before quotes that end nothing.
                let escapes = rest.len() < sql.len() && is_escape_string(&out);
                Some(string(after, escapes))
            }
            '$' if !in_word => dollar_quoted(rest),
            c if c.is_ascii_digit() && !in_word => {
                Some(after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.'))
            }
            _ => None,
        };
        if let Some(after) = constant {
            out.push('?');
            rest = after;
            continue;
        }
        rest = match c {
            '"' => {
                let end = after.find('"').map_or(after.len(), |end| end + 1);
                out.extend(['"']);
                out.push_str(after.get(..end).unwrap_or_default());
                after.get(end..).unwrap_or_default()
            }
            '-' if after.starts_with('-') => after.find('\n').and_then(|end| after.get(end..)).unwrap_or_default(),
            '/' if after.starts_with('*') => comment(after.get(1..).unwrap_or_default()),
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
                after
            }
            c => {
                out.extend(c.to_lowercase());
                after
            }
        };
    }
    out.trim_end_matches([' ', ';']).to_owned()
}

/// Whether what was written ends with the `E` of a string.
fn is_escape_string(out: &str) -> bool {
    let before = out.strip_suffix('e');
    before.is_some_and(|before| !before.ends_with(|p: char| p.is_alphanumeric() || p == '_' || p == '$'))
}

/// What follows a string, whose first quote is gone.
fn string(text: &str, escapes: bool) -> &str {
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if escapes => drop(rest.next()),
            '\'' if rest.next_if(|(_, next)| *next == '\'').is_none() => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

/// What follows `$tag$ … $tag$`; none where no such string begins: `$1`.
fn dollar_quoted(text: &str) -> Option<&str> {
    let tag = text.get(..text.get(1..)?.find('$')? + 2)?;
    let name = tag.trim_matches('$');
    let plain =
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    let inside = plain.then(|| text.get(tag.len()..))??;
    Some(inside.find(tag).and_then(|end| inside.get(end + tag.len()..)).unwrap_or_default())
}

/// What follows a comment, whose beginning is gone. Comments nest.
fn comment(mut text: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let Some(at) = text.find(['/', '*']) else { return "" };
        let here = text.get(at..).unwrap_or_default();
        let (step, by) = match here {
            _ if here.starts_with("/*") => (2, 1),
            _ if here.starts_with("*/") => (2, -1),
            _ => (1, 0),
        };
        depth += by;
        text = here.get(step..).unwrap_or_default();
    }
    text
}

/// FNV-1a: the same on every server, so that gaps of several can be put together.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_cut_out() {
        for (sql, expect) in [
            ("SELECT  *\nFROM pg_x WHERE a = 'it''s' AND b = 12.5;", "select * from pg_x where a = ? and b = ?"),
            ("SELECT c1, $1 /* 'x' */ FROM \"Mixed 1\" -- 5\n", "select c1, $1 from \"Mixed 1\""),
            ("SELECT E'a", "select e?"),
            (r"SELECT E'it\'s', 'it\', table1 FROM pg_x", "select e?, ?, table1 from pg_x"),
            ("SELECT $$secret's$$, $a$ $$ $a$, $1 FROM pg_x", "select ?, ?, $1 from pg_x"),
            ("SELECT /* a /* b */ 'c' */ 1 FROM pg_x", "select ? from pg_x"),
            ("SELECT 'ä''ö' -- 5\n, '' /*", "select ? , ?"),
        ] {
            assert_eq!(without_constants(sql), expect);
        }
    }

    #[test]
    fn gaps_are_counted_and_other_errors_are_not() {
        let gaps = Unsupported::default();
        let now = DateTime::UNIX_EPOCH;
        let missing =
            |what: &str| PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{what}\" does not exist"));
        gaps.note("SELECT 1 FROM pg_nothing", &missing("pg_nothing"), now);
        gaps.note("select 2  from pg_nothing", &missing("pg_nothing"), now);
        gaps.note("SELECT 1 FROM orders", &missing("orders"), now);
        gaps.note("SELECT 1 / 0 FROM pg_class", &PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"), now);
        let function = PgError::new(SqlState::UNDEFINED_FUNCTION, "function pg_x(integer) does not exist");
        gaps.note("SELECT pg_x(1)", &function, now);
        let all: Vec<_> = gaps.all().into_iter().map(|gap| (gap.name, gap.asked, gap.sqlstate)).collect();
        assert_eq!(all, [("pg_nothing".into(), 2, "42P01"), ("pg_x".into(), 1, "42883")]);
    }
    #[test]
    fn what_is_remembered_is_bounded() {
        let gaps = Unsupported::default();
        for n in 0..2 * GAPS_MAX {
            let name = format!("pg_{n}_{}", "x".repeat(1000));
            let error = PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
            gaps.note(&format!("SELECT 1 FROM {name} {}", "/* */ pg_y, ".repeat(200)), &error, DateTime::UNIX_EPOCH);
        }
        let all = gaps.all();
        assert_eq!(all.len(), GAPS_MAX);
        assert!(all.iter().all(|gap| gap.name.len() <= NAME_CHARACTERS_MAX && gap.query.len() <= QUERY_BYTES_MAX));
    }
}
