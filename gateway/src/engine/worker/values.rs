//! A statement's text without what its plain values hold: their words and dots say nothing of what it reads.
//!
//! In DuckDB a text in quotes is a file where a table can stand. One is left out only where it stands as a value for sure:
//! behind an operator or a word that takes one, in a list of a call's arguments, or in a list of SELECT's or WHERE's.

/// Reserved words that a value follows.
const BEFORE_VALUES: [&str; 14] = [
    "and", "between", "case", "else", "escape", "having", "ilike", "in", "like", "not", "or", "select", "then", "when",
];
/// Words behind which tables stand.
const BEFORE_TABLES: [&str; 11] =
    ["describe", "from", "join", "lateral", "only", "pivot", "show", "summarize", "table", "unpivot", "using"];

/// What is before a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before<'a> {
    Nothing,
    Word(&'a str),
    Number,
    Name,
    Operator,
    Comma,
    Dot,
    Open,
    Other,
}

/// The text, its quotes kept. None: what it holds cannot be told without a parser.
pub fn without_values(sql: &str) -> Option<String> {
    let mut out = String::with_capacity(sql.len());
    // For each parenthesis that is open: whether the items between its commas are values.
    let mut lists = vec![false];
    let mut before = Before::Nothing;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, next) = match first {
            '\'' | '"' => quoted(rest, first)?,
            c if is_word(c) => rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            // It may be a blank for DuckDB.
            c if !c.is_ascii() => return None,
            _ => rest.split_at(1),
        };
        let is_number = token.bytes().all(|b| b.is_ascii_digit());
        // With a prefix a text has escapes, or is something else; `1FROM` are two tokens.
        if is_word(first) && (next.starts_with('\'') || first.is_ascii_digit() && !is_number) {
            return None;
        }
        let in_list = lists.last().copied().unwrap_or_default();
        if first == '\'' {
            let is_value = match before {
                Before::Operator => true,
                Before::Word(word) => is_one_of(&BEFORE_VALUES, word),
                Before::Comma | Before::Open => in_list,
                Before::Nothing | Before::Number | Before::Name | Before::Dot | Before::Other => false,
            };
            out.push_str(if is_value { "''" } else { token });
        } else {
            out.push_str(token);
        }
        before = match first {
            '\'' => Before::Other,
            '"' => Before::Name,
            c if c.is_ascii_whitespace() => before,
            _ if is_number => Before::Number,
            // Behind these a reserved word is a name.
            c if is_word(c) && is_name(before) => Before::Name,
            c if is_word(c) => Before::Word(token),
            '(' | '[' => {
                lists.push(holds_values(first, before, in_list));
                Before::Open
            }
            ')' | ']' => {
                lists.pop();
                Before::Other
            }
            ',' => Before::Comma,
            // `1.FROM` are two tokens.
            '.' if before != Before::Number => Before::Dot,
            // Not a colon: `FROM x: 'file'` names a table.
            '=' | '<' | '>' | '|' | '~' | '+' | '-' | '/' | '%' => Before::Operator,
            _ => Before::Other,
        };
        if let (Before::Word(word), Some(list)) = (before, lists.last_mut()) {
            // `FROM a, 'file'` in a list of values is one of a query in it.
            *list = is_one_of(&["select", "where", "having"], word) || *list && !is_one_of(&BEFORE_TABLES, word);
        }
        rest = next;
    }
    (lists.len() == 1).then_some(out)
}

/// Whether what is between the commas of a parenthesis that opens here are values.
fn holds_values(open: char, before: Before<'_>, in_list: bool) -> bool {
    match before {
        _ if open == '[' => true,
        Before::Word(word) => !is_one_of(&BEFORE_TABLES, word) && !word.eq_ignore_ascii_case("as"),
        Before::Operator => true,
        Before::Comma | Before::Open => in_list,
        // `"f"('x')`, and `FROM "a" ('x')`, where a table's columns are named.
        Before::Name => true,
        Before::Nothing | Before::Number | Before::Dot | Before::Other => false,
    }
}

/// Whether a word that stands here is a name whatever it says.
fn is_name(before: Before<'_>) -> bool {
    match before {
        Before::Word(word) => word.eq_ignore_ascii_case("as"),
        other => other == Before::Dot,
    }
}

/// A text or a name in quotes, and what follows. None: it has no end.
fn quoted(sql: &str, quote: char) -> Option<(&str, &str)> {
    let mut at = 1;
    loop {
        at += sql.get(at..)?.find(quote)? + 1;
        if !sql.get(at..)?.starts_with(quote) {
            return sql.split_at_checked(at);
        }
        at += 1;
    }
}

fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out_and_tables_are_not() {
        let left_out = [
            "SELECT 'a.b' AS x, 'c.d', 1.5, 'e'",
            "SELECT f('a.b', g('c.d'), 'e'), \"f\"('a.b') FROM t WHERE x = 'a.b' AND y LIKE 'c.d'",
            "SELECT CASE WHEN x IN ('a.b', 'c.d') THEN 'e' ELSE 'f' END FROM t",
            "SELECT ['a.b', 'c.d'], x || 'e' FROM t WHERE (('a.b') = x)",
            "SELECT 'it''s' FROM (SELECT 'a.b' AS x) t",
        ];
        for sql in left_out {
            let out = without_values(sql);
            let is_empty = |out: &str| out.split('\'').skip(1).step_by(2).all(str::is_empty);
            assert!(out.as_deref().is_some_and(is_empty), "{sql}: {out:?}");
        }
        let kept = [
            "SELECT 1 FROM 'a.b'",
            "SELECT 1 FROM (SELECT 1), 'a.b'",
            "SELECT 1 FROM x: 'a.b'",
            "SELECT 1 FROM t JOIN 'a.b' ON true",
            "SELECT 1 FROM ('a.b' JOIN t ON true)",
            "SELECT 1 FROM (t JOIN u ON f(1, 2) = 1), 'a.b'",
            "SELECT f(1, (FROM 'a.b'))",
            "SELECT f((SELECT 1 FROM t, 'a.b'))",
            "SELECT f((SELECT 1 FROM t, LATERAL (SELECT 2) u, 'a.b'))",
            "SELECT 1 IN (FROM t, 'a.b')",
            "SELECT (TABLE 'a.b')",
            "SELECT 1 FROM (PIVOT 'a.b' ON a)",
            "SELECT 1 FROM (DESCRIBE 'a.b')",
            "WITH x AS MATERIALIZED (TABLE 'a.b') SELECT 1",
            "SELECT 1 FROM values, 'a.b'",
            "SELECT 1 FROM \"select\", 'a.b'",
            "SELECT 1 FROM range(1), 'a.b'",
            "SELECT 1 FROM main.select, 'a.b'",
            "SELECT 1 FROM t AS where, 'a.b'",
            "SELECT 1.FROM t, 'a.b'",
            "SELECT f(1) AS x FROM t, 'a.b'",
        ];
        for sql in kept {
            assert_eq!(without_values(sql).as_deref(), Some(sql));
        }
        for sql in [
            "SELECT 1 FROM\u{a0}t, 'a.b'",
            "SELECT E'\\'' || x",
            "SELECT 'a",
            "SELECT \"a",
            "SELECT (1",
            "SELECT 1)",
            "SELECT x'00'",
            "SELECT 1FROM t, 'a.b'",
        ] {
            assert_eq!(without_values(sql), None, "{sql}");
        }
    }
}
