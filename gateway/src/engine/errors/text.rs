//! Finding parts of messages and of statements.

/// What is between two texts: the first `before`, and the first `after` behind it.
/// NUL as `after` is the end of the line.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    if after == "\u{0}" {
        return rest.lines().next();
    }
    rest.split_once(after).map(|(found, _)| found)
}

/// Where a statement has a name as a word of its own: 1-based, in characters.
pub fn position_of(sql: &str, name: &str) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    let (lower_sql, lower_name) = (sql.to_ascii_lowercase(), name.to_ascii_lowercase());
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let at = lower_sql.match_indices(&lower_name).map(|(at, _)| at).find(|&at| {
        let before = lower_sql.get(..at).and_then(|s| s.chars().next_back());
        let after = lower_sql.get(at + lower_name.len()..).and_then(|s| s.chars().next());
        !before.is_some_and(word) && !after.is_some_and(word)
    })?;
    // A quoted name begins with its quote.
    let quoted = sql.get(..at).is_some_and(|s| s.ends_with('"'));
    let at = if quoted { at - 1 } else { at };
    u32::try_from(sql.get(..at)?.chars().count() + 1).ok()
}

/// The relation that a name of a column is of, and where the name begins with it: as it is written before the name, or the
/// only one of a simple query. None: it cannot be told from the text.
pub fn relation_of(sql: &str, name: &str) -> Option<(String, Option<u32>)> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let position = position_of(sql, name)?;
    let before: Vec<char> = sql.chars().take(usize::try_from(position).ok()?.saturating_sub(1)).collect();
    if let Some((_, rest)) = before.split_last().filter(|(last, _)| **last == '.') {
        let length = rest.iter().rev().take_while(|c| word(**c)).count();
        let said: String = rest.get(rest.len() - length..)?.iter().collect();
        let start = position.checked_sub(u32::try_from(length).ok()? + 1)?;
        return (length > 0).then(|| (said.to_lowercase(), Some(start)));
    }
    only_relation(sql).map(|relation| (relation, Some(position)))
}

/// The name that columns have in `SELECT … FROM t [AS] x …` over one table.
fn only_relation(sql: &str) -> Option<String> {
    const ENDS: [&str; 7] = ["where", "group", "having", "order", "limit", "offset", "fetch"];
    let lower = sql.to_lowercase();
    let words: Vec<&str> = lower.trim_end_matches([';', ' ', '\n']).split_whitespace().collect();
    if lower.contains('(') && words.iter().filter(|w| w.ends_with("select")).count() > 1 || lower.contains('"') {
        return None;
    }
    let mut froms = words.iter().enumerate().filter(|(_, w)| **w == "from");
    let (from, _) = froms.next().filter(|_| froms.next().is_none())?;
    let is_name = |w: &&str| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.'));
    let table = words.get(from + 1).copied().filter(is_name)?;
    let alias = match words.get(from + 2).copied() {
        Some("as") => words.get(from + 3).copied(),
        Some(end) if ENDS.contains(&end) => None,
        other => other,
    };
    let after = from + 2 + usize::from(words.get(from + 2) == Some(&"as")) + usize::from(alias.is_some());
    if words.get(after).is_some_and(|end| !ENDS.contains(end)) {
        return None;
    }
    match alias {
        Some(alias) => Some(alias).filter(is_name).map(str::to_owned),
        None => table.rsplit('.').next().map(str::to_owned),
    }
}

/// Splits at commas that are in no bracket and no quotes.
pub fn arguments(list: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut out) = (0i32, false, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if depth == 0 && !quoted => {
                out.extend(list.get(start..at).map(str::trim));
                start = at + 1;
            }
            _ => {}
        }
    }
    out.extend(list.get(start..).map(str::trim).filter(|rest| !rest.is_empty()));
    out
}

/// Postgres' name of a type that DuckDB names.
pub fn postgres_type(name: &str) -> String {
    let name = name.trim().trim_matches('"');
    if let Some(element) = name.strip_suffix("[]") {
        return format!("{}[]", postgres_type(element));
    }
    match name {
        "BOOL" | "BOOLEAN" => "boolean",
        "INT8" | "TINYINT" | "INT16" | "SMALLINT" | "UINT8" | "UTINYINT" => "smallint",
        "INT32" | "INTEGER" | "INTEGER_LITERAL" | "UINT16" | "USMALLINT" => "integer",
        "INT64" | "BIGINT" | "UINT32" | "UINTEGER" => "bigint",
        "FLOAT" => "real",
        "DOUBLE" => "double precision",
        "VARCHAR" => "text",
        "BLOB" => "bytea",
        "DATE" => "date",
        "TIME" => "time without time zone",
        "TIME WITH TIME ZONE" => "time with time zone",
        "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" | "TIMESTAMP_NS" => "timestamp without time zone",
        "TIMESTAMP WITH TIME ZONE" => "timestamp with time zone",
        "INTERVAL" => "interval",
        "UUID" => "uuid",
        "JSON" => "json",
        "NULL" | "STRING_LITERAL" | "UNKNOWN" => "unknown",
        "INT128" | "HUGEINT" | "UHUGEINT" | "UINT64" | "UBIGINT" | "BIGNUM" => "numeric",
        other if other.starts_with("DECIMAL") => "numeric",
        other if other.starts_with("STRUCT") => "record",
        other => return other.to_ascii_lowercase(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::relation_of;

    #[test]
    fn a_column_is_shown_with_its_relation() {
        for (sql, expect) in [
            ("SELECT a, count(*) FROM t", Some(("t", 8))),
            ("select a from s.t as x where b > 1 group by b;", Some(("x", 8))),
            ("SELECT x.a, y.b FROM t x, u y GROUP BY y.b", Some(("x", 8))),
            ("SELECT a FROM t x, u y GROUP BY y.b", None),
            ("SELECT a FROM t JOIN u USING (b) GROUP BY b", None),
            ("SELECT a, (SELECT 1) FROM t GROUP BY b", None),
            ("SELECT b FROM t", None),
        ] {
            let found = relation_of(sql, "a");
            assert_eq!(found, expect.map(|(name, at)| (name.to_owned(), Some(at))), "{sql}");
        }
    }
}
