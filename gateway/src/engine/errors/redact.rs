//! What of DuckDB's texts may be shown.

/// Suggestions begin with these; they list names that the statement did not use.
const SUGGESTIONS: [&str; 8] = [
    "Did you mean",
    "Candidate",
    "(use:",
    "You might want to",
    " Use \"SET",
    "Use \"SET",
    " when casting from source column",
    "LINE ",
];

/// The first sentence of a message, without suggestions; none where it holds something of the machine.
pub fn shown(message: &str) -> Option<String> {
    let line = message.lines().next()?;
    let end = SUGGESTIONS.iter().filter_map(|s| line.find(s)).min().unwrap_or(line.len());
    let line = line.get(..end)?.trim().trim_end_matches('!');
    let lowered = line.to_ascii_lowercase();
    let machine = line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | '[' | ',')).any(is_machine)
        || lowered.contains("duckdb")
        || lowered.contains(".parquet")
        || lowered.contains("read_parquet");
    (!machine && !line.is_empty()).then(|| line.to_owned())
}

fn is_machine(word: &str) -> bool {
    is_internal(word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '/'))
        || word.starts_with('/') && word.len() > 1
        || word.contains("://")
}

/// Whether a name is one of the views that are made for a statement: `t_17`.
pub fn is_internal(name: &str) -> bool {
    let view = name.strip_prefix("t_").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    view || name.starts_with("__")
}
