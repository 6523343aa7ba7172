//! A statement with the relations of its own, as common table expressions.
//!
//! Not views: making one binds its query, and so does every use of it.

use super::settings::identifier;
use crate::engine::protocol::Relation;

/// The statement, where the relations can be named. It was checked before: what is put in front of it is trusted.
pub fn with(relations: &[Relation], sql: &str) -> String {
    if relations.is_empty() {
        return sql.to_owned();
    }
    let (recursive, rest) = match after_word(sql, "with") {
        None => ("", format!(" {sql}")),
        Some(rest) => match after_word(rest, "recursive") {
            Some(rest) => ("RECURSIVE ", format!(", {rest}")),
            None => ("", format!(", {rest}")),
        },
    };
    let defined: Vec<String> = relations
        .iter()
        .map(|relation| format!("{} AS NOT MATERIALIZED ({})", identifier(&relation.name), relation.sql))
        .collect();
    format!("WITH {recursive}{}{rest}", defined.join(", "))
}

/// What follows the word that the text begins with.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (first, rest) = text.split_at_checked(word.len())?;
    let ends = rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '"');
    (ends && first.eq_ignore_ascii_case(word)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_come_before_the_statements_own() {
        let check = |sql: &str, expect: &str| {
            let relation =
                |name: &str, sql: &str| Relation { name: name.into(), sql: sql.into(), small: None, file: None };
            assert_eq!(with(&[relation("t", "SELECT 1"), relation("a\"b", "SELECT 2")], sql), expect);
        };
        let defined = r#"t" AS NOT MATERIALIZED (SELECT 1), "a""b" AS NOT MATERIALIZED (SELECT 2)"#;
        check("SELECT * FROM t", &format!(r#"WITH "{defined} SELECT * FROM t"#));
        check("(SELECT 1) UNION SELECT 2", &format!(r#"WITH "{defined} (SELECT 1) UNION SELECT 2"#));
        check("WITH x AS (SELECT 1) SELECT 2", &format!(r#"WITH "{defined},  x AS (SELECT 1) SELECT 2"#));
        check(
            "with recursive x AS (SELECT 1) SELECT 2",
            &format!(r#"WITH RECURSIVE "{defined},  x AS (SELECT 1) SELECT 2"#),
        );
        check("WITH\"x\" AS (SELECT 1) SELECT 2", &format!(r#"WITH "{defined}, "x" AS (SELECT 1) SELECT 2"#));
        check("withheld", &format!(r#"WITH "{defined} withheld"#));
        assert_eq!(with(&[], "WITH x AS (SELECT 1) SELECT 2"), "WITH x AS (SELECT 1) SELECT 2");
    }
}
