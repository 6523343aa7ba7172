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
/// Characters of a statement that are shown.
const QUERY_CHARACTERS_MAX: usize = 2000;

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
    function.or(quoted).unwrap_or(message).to_owned()
}

/// A statement with `?` for every constant, in lower case, without comments, blanks made one.
fn without_constants(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql.chars().peekable();
    let mut kept = 0;
    while let Some(c) = rest.next() {
        if kept >= QUERY_CHARACTERS_MAX {
            break;
        }
        kept += 1;
        match c {
            '\'' => {
                out.push('?');
                while let Some(inner) = rest.next() {
                    if inner == '\'' && rest.next_if_eq(&'\'').is_none() {
                        break;
                    }
                }
            }
            '"' => {
                out.push(c);
                for inner in rest.by_ref() {
                    out.push(inner);
                    if inner == '"' {
                        break;
                    }
                }
            }
            '-' if rest.peek() == Some(&'-') => while rest.next_if(|inner| *inner != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                let mut before = ' ';
                for inner in rest.by_ref() {
                    if before == '*' && inner == '/' {
                        break;
                    }
                    before = inner;
                }
            }
            c if c.is_ascii_digit() && !out.ends_with(|p: char| p.is_alphanumeric() || p == '_' || p == '$') => {
                out.push('?');
                while rest.next_if(|inner| inner.is_ascii_alphanumeric() || *inner == '.').is_some() {}
            }
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.extend(c.to_lowercase()),
        }
    }
    out.trim_end_matches([' ', ';']).to_owned()
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
}
