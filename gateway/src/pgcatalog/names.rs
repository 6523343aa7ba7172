//! Names as Postgres writes them in definitions.

/// Keywords that cannot stand as a name without quotes.
const KEYWORDS: &str = include_str!("data/keywords.txt");

/// `quote_ident`
#[must_use]
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts && name.chars().all(plain) && !KEYWORDS.split_whitespace().any(|word| word == name) {
        return name.to_owned();
    }
    identifier(name)
}

/// A name in quotes, whatever it is.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `quote_literal`, for texts without backslashes as Postgres deparses them.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names quoted, between commas.
#[must_use]
pub fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_quote_ident() {
        for (name, expect) in [
            ("orders", "orders"),
            ("Mixed Case", "\"Mixed Case\""),
            ("select", "\"select\""),
            ("integer", "\"integer\""),
            ("name", "name"),
            ("a\"b", "\"a\"\"b\""),
            ("1a", "\"1a\""),
            ("_x1", "_x1"),
            ("é", "\"é\""),
        ] {
            assert_eq!(quoted(name), expect);
        }
    }
}
