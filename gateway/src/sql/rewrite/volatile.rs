//! Values that are another at each call, where the engine's text needs them several times.
//!
//! Postgres evaluates an argument once. Our texts and macros, and the engine's own CASE and NULLIF, write it several times, and
//! `random()` would be several times another. Each call has a number, so that what was written several times can be told from
//! several calls; where one is, the value is made once and handed on.

use std::{collections::HashSet, sync::LazyLock};

use sqlparser::ast::{Expr, Function};

use super::{Rewriter, call::is_aggregate, expr::Ex};
use crate::sql::{macros::MACROS, quote};

/// Macros that make such values; each takes the call's number.
const CALLS: [&str; 2] = ["pg_random(", "pg_random_uuid("];

/// What writes an argument several times, beside our texts: most of our macros, and these of the engine's own.
static REPEATING: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let name = |sql: &&'static str| sql.strip_prefix("CREATE OR REPLACE MACRO ")?.split_once('(').map(|(name, _)| name);
    let ours =
        MACROS.iter().filter_map(name).filter(|name| !CALLS.iter().any(|call| call.strip_suffix('(') == Some(name)));
    ours.chain(["NULLIF", "round_even"]).collect()
});

impl Rewriter<'_> {
    /// A call of `random()` and the like.
    pub(super) fn another_each_time(&mut self, call: &str) -> String {
        if !self.has_functions() {
            return format!("{call}()");
        }
        self.volatile_calls += 1;
        match call {
            "random" => format!("pg_random({})", self.volatile_calls),
            _ => format!("pg_random_uuid({})", self.volatile_calls),
        }
    }

    /// An expression as it was written, in which each such value is made once.
    pub(super) fn once(&self, expr: &Expr, mut ex: Ex) -> Ex {
        if self.volatile_calls == 0 {
            return ex;
        }
        let many = |function: &Function| {
            let name = quote::parts(&function.name).unwrap_or_default();
            function.over.is_some() || name.last().is_some_and(|name| is_aggregate(name))
        };
        match expr {
            // What is computed of many rows has a value for each of them: outside there is none to hand on.
            Expr::Function(function) if many(function) => ex.sql = sealed(&ex.sql),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ex.sql = sealed(&ex.sql),
            _ => ex = self.made_once(ex),
        }
        ex
    }

    /// The expression, in which each such value is made once.
    pub(super) fn made_once(&self, mut ex: Ex) -> Ex {
        if self.volatile_calls == 0 {
            return ex;
        }
        // The engine has no subqueries in its lambdas.
        while let Some(call) = repeated(&ex.sql).filter(|_| !ex.sql.contains("SELECT")) {
            // Inside each other they have names of their own; in texts that are alike, the same ones.
            let name = format!("\"%{}\"", ex.sql.matches("lambda ").count());
            ex.sql = format!("list_transform([{call}], lambda {name}: {})[1]", ex.sql.replace(&call, &name));
        }
        ex
    }
}

/// The text with calls that nobody looks for any more.
fn sealed(sql: &str) -> String {
    let mut text = sql.to_owned();
    for call in CALLS {
        while let Some(at) = text.find(call) {
            let end = text.get(at..).and_then(|rest| rest.find(')')).map_or(text.len(), |end| at + end + 1);
            text.replace_range(at..end, if call == "pg_random(" { "random()" } else { "gen_random_uuid()" });
        }
    }
    text
}

/// A call whose value is needed several times.
fn repeated(sql: &str) -> Option<String> {
    let mut seen = HashSet::new();
    // For each parenthesis that is open, whether it is of a call that writes its arguments several times.
    let mut open: Vec<bool> = Vec::new();
    let (mut quote, mut word) = (None, 0);
    for (at, byte) in sql.bytes().enumerate() {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => (quote, word) = (None, at + 1),
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => {
                let name = sql.get(word..at).unwrap_or_default();
                if CALLS.iter().any(|call| call.strip_suffix('(') == Some(name)) {
                    let rest = sql.get(word..).unwrap_or_default();
                    let call = rest.get(..=rest.find(')')?)?;
                    if open.contains(&true) || !seen.insert(call) {
                        return Some(call.to_owned());
                    }
                }
                open.push(REPEATING.contains(name));
                word = at + 1;
            }
            (None, b')') => {
                open.pop();
                word = at + 1;
            }
            (None, byte) if !(byte.is_ascii_alphanumeric() || byte == b'_') => word = at + 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_repeated_where_it_is_written_twice_or_a_macro_does_so() {
        let check = |sql: &str, expect: Option<&str>| assert_eq!(repeated(sql).as_deref(), expect, "{sql}");
        check("pg_random(1) + pg_random(2)", None);
        check("CASE WHEN pg_random(1) = 0 THEN 1 WHEN pg_random(1) = 1 THEN 2 END", Some("pg_random(1)"));
        check("pg_lpad(CAST(pg_random(1) AS VARCHAR), 3, ' ')", Some("pg_random(1)"));
        check("pg_lpad(x, 3, ' ') || pg_random_uuid(1)", None);
        check("NULLIF((pg_random(3)), 1)", Some("pg_random(3)"));
        check("concat('NULLIF(', pg_random(1), ')')", None);
        check("\"NULLIF\" + (pg_random(1))", None);
        assert_eq!(
            sealed("sum(pg_random(12) + pg_random(1)) || pg_random_uuid(3)"),
            "sum(random() + random()) || gen_random_uuid()"
        );
        check("list_transform([pg_random(1)], lambda \"%0\": NULLIF(\"%0\", 1))[1]", None);
    }
}
