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
