//! WITH ORDINALITY: rows of functions in FROM with their numbers.
//!
//! A window over a subquery that reads columns beside it counts the rows in any order: the engine makes a join of it. So numbers
//! stand in a list beside the one that gives the rows, wherever there is one.

use super::Rewriter;
use crate::{sql::quote, wire::error::PgResult};

const UNNEST: &str = "(SELECT unnest(";

impl Rewriter<'_> {
    /// The rows of a function with these columns, and `number` behind them.
    pub(super) fn with_ordinals(&self, sql: &str, names: &[String], number: &str, at: Option<u32>) -> PgResult<String> {
        let (list, number) = (names.join(", "), quote::name(number));
        if let Some(counted) = counted(sql) {
            return Ok(format!("(SELECT {list}, {number} FROM {counted} AS \"f\"({number}, {list}))"));
        }
        if reads_columns(sql) {
            return self.refuse("WITH ORDINALITY of this function over columns", at);
        }
        Ok(format!("(SELECT {list}, row_number() OVER () AS {number} FROM {sql} AS \"f\"({list}))"))
    }
}

/// Whether the text of a function in FROM names columns.
pub(super) fn reads_columns(sql: &str) -> bool {
    sql.contains('"')
}

/// The rows of lists with their numbers before them. None: they are of none.
fn counted(sql: &str) -> Option<String> {
    let at = sql.find(UNNEST)?;
    let (before, rows) = (sql.get(..at)?, sql.get(at + UNNEST.len()..)?);
    let lengths: Vec<String> = lists_of(rows)?.into_iter().map(|list| format!("len({list})")).collect();
    let numbers = format!("{UNNEST}range(1, greatest({}) + 1))", lengths.join(", "));
    if before.is_empty() {
        return Some(format!("{numbers}, unnest({rows}"));
    }
    // Fields are computed of the elements outside.
    let fields = before.strip_prefix("(SELECT ")?;
    Some(format!("(SELECT \"%n\", {fields}{numbers} AS \"%n\", unnest({rows}"))
}

/// Rows of several functions beside each other, NULL where one has fewer: what the engine does with lists. None: not all are lists.
pub(super) fn side_by_side(sides: &[String]) -> Option<String> {
    let counts = sides.iter().any(|side| reads_columns(side));
    let sides: Vec<String> =
        sides.iter().map(|side| of_numbers(side).filter(|_| counts).unwrap_or_else(|| side.clone())).collect();
    let items: Vec<&str> = sides.iter().map(|side| items_of(side)).collect::<Option<_>>()?;
    Some(format!("(SELECT {})", items.join(", ")))
}

/// A series of numbers as a list.
fn of_numbers(sql: &str) -> Option<String> {
    let rest = sql.strip_prefix("(SELECT CAST(generate_series AS ")?.strip_suffix("))")?;
    let (ty, bounds) = rest.split_once(") FROM generate_series(")?;
    Some(format!("{UNNEST}CAST(generate_series({bounds}) AS {ty}[])))"))
}

/// The items of a SELECT that does nothing but unnest lists.
fn items_of(sql: &str) -> Option<&str> {
    const NEXT: &str = "), unnest(";
    let rows = sql.strip_prefix(UNNEST)?;
    let length: usize = lists_of(rows)?.iter().map(|list| list.len() + NEXT.len()).sum();
    // Nothing follows the last of them but its own parenthesis and the whole's: no FROM.
    let is_all = length - NEXT.len() + "))".len() == rows.len();
    sql.strip_prefix("(SELECT ")?.strip_suffix(')').filter(|_| is_all)
}

/// The lists that a select list unnests, behind the first `unnest(`. None: there is something else in it.
fn lists_of(mut rest: &str) -> Option<Vec<&str>> {
    let mut lists = Vec::new();
    loop {
        let end = closing(rest)?;
        lists.push(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix(", unnest(") {
            Some(next) => rest = next,
            None if [")", " FROM ", " AS "].iter().any(|end| rest.starts_with(end)) => return Some(lists),
            None => return None,
        }
    }
}

/// Where the parenthesis closes that is open at the begin.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Some(at),
            (None, b')') => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_beside_the_lists() {
        let check = |sql: &str, expect: Option<&str>| assert_eq!(counted(sql).as_deref(), expect, "{sql}");
        check(
            "(SELECT unnest(f(\"t\".\"a\", ')')))",
            Some("(SELECT unnest(range(1, greatest(len(f(\"t\".\"a\", ')'))) + 1)), unnest(f(\"t\".\"a\", ')')))"),
        );
        check(
            "(SELECT unnest(a), unnest(b) FROM (SELECT c AS j))",
            Some("(SELECT unnest(range(1, greatest(len(a), len(b)) + 1)), unnest(a), unnest(b) FROM (SELECT c AS j))"),
        );
        check(
            "(SELECT x.\"r\".a FROM (SELECT unnest(l) AS \"r\") AS x)",
            Some(
                "(SELECT \"%n\", x.\"r\".a FROM (SELECT unnest(range(1, greatest(len(l)) + 1)) AS \"%n\", unnest(l) AS \"r\") AS x)",
            ),
        );
        let sides = |sides: &[&str]| side_by_side(&sides.iter().map(|side| (*side).to_owned()).collect::<Vec<_>>());
        let both = sides(&["(SELECT unnest(a), unnest(f(b)))", "(SELECT unnest(c))"]);
        assert_eq!(both.as_deref(), Some("(SELECT unnest(a), unnest(f(b)), unnest(c))"));
        assert_eq!(sides(&["(SELECT unnest(a))", "(SELECT unnest(b) FROM t)"]), None);
        assert_eq!(sides(&["(SELECT unnest(a))", "(SELECT f(b))"]), None);
        let series = "(SELECT CAST(generate_series AS INTEGER) FROM generate_series(1, 2))";
        assert_eq!(sides(&["(SELECT unnest(a))", series]), None);
        let both = sides(&["(SELECT unnest(\"t\".a))", series]);
        assert_eq!(both.as_deref(), Some("(SELECT unnest(\"t\".a), unnest(CAST(generate_series(1, 2) AS INTEGER[])))"));
        check("generate_series(1, 2)", None);
        check("(SELECT unnest(a) + 1)", None);
    }
}
