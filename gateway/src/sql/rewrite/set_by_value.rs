//! UNION, INTERSECT and EXCEPT of values that may be equal though their texts differ.

use super::{Column, Ex, Rewriter};
use crate::sql::quote;

impl Rewriter<'_> {
    /// The text of an operation that compares rows by their values. None: UNION ALL compares none.
    pub(super) fn by_value(
        &self,
        word: &str,
        all: &str,
        left: &str,
        right: &str,
        columns: &[Column],
    ) -> Option<String> {
        match (word, all.is_empty()) {
            (_, true) => Some(self.set_by_value(word, left, right, columns)),
            ("UNION", false) => None,
            (_, false) => Some(self.all_by_value(word, left, right, columns)),
        }
    }

    /// What the columns of a relation are compared by.
    fn keys_of(&self, alias: &str, columns: &[Column]) -> Vec<String> {
        let key = |(n, c): (usize, &Column)| self.sorted(Ex::plain(format!("\"{alias}\".\"u{n}\""), c.ty.clone()));
        columns.iter().enumerate().map(key).collect()
    }

    /// The text of EXCEPT ALL or INTERSECT ALL over two queries: of equal rows each is the first, the second … one, and has its
    /// like on the other side or none.
    fn all_by_value(&self, word: &str, left: &str, right: &str, columns: &[Column]) -> String {
        let names: Vec<String> = (0..columns.len()).map(|n| format!("\"u{n}\"")).collect();
        let names = names.join(", ");
        let side = |query: &str, alias: &str| {
            let keys = self.keys_of("s", columns).join(", ");
            format!(
                "(SELECT {names}, row_number() OVER (PARTITION BY {keys}) FROM ({query}) AS \"s\"({names})) \
                 AS \"{alias}\"({names}, \"nth\")"
            )
        };
        let shown: Vec<String> =
            columns.iter().enumerate().map(|(n, c)| format!("\"u\".\"u{n}\" AS {}", quote::name(&c.engine))).collect();
        let (us, ws) = (self.keys_of("u", columns), self.keys_of("w", columns));
        let pairs: Vec<String> = us.iter().zip(ws).map(|(a, b)| format!("{a} IS NOT DISTINCT FROM {b}")).collect();
        let not = if word == "EXCEPT" { "NOT " } else { "" };
        format!(
            "SELECT {} FROM {} WHERE {not}EXISTS (SELECT 1 FROM {} WHERE {} AND \"u\".\"nth\" = \"w\".\"nth\")",
            shown.join(", "),
            side(left, "u"),
            side(right, "w"),
            pairs.join(" AND ")
        )
    }

    /// The text of the operation over two queries with these columns: one row of each group of equal ones.
    fn set_by_value(&self, word: &str, left: &str, right: &str, columns: &[Column]) -> String {
        let keys = |alias: &str| self.keys_of(alias, columns);
        let names: Vec<String> = (0..columns.len()).map(|n| format!("\"u{n}\"")).collect();
        let names = names.join(", ");
        let shown: Vec<String> =
            columns.iter().enumerate().map(|(n, c)| format!("\"u\".\"u{n}\" AS {}", quote::name(&c.engine))).collect();
        let head = format!("SELECT DISTINCT ON ({}) {}", keys("u").join(", "), shown.join(", "));
        if word == "UNION" {
            return format!("{head} FROM ({left} UNION ALL {right}) AS \"u\"({names})");
        }
        let pairs: Vec<String> =
            keys("u").iter().zip(keys("w")).map(|(a, b)| format!("{a} IS NOT DISTINCT FROM {b}")).collect();
        let not = if word == "EXCEPT" { "NOT " } else { "" };
        format!(
            "{head} FROM ({left}) AS \"u\"({names}) WHERE {not}EXISTS (SELECT 1 FROM ({right}) AS \"w\"({names}) WHERE {})",
            pairs.join(" AND ")
        )
    }
}
