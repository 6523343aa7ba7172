//! The same statements against PostgreSQL and DuckMesh: rows, columns, types, command tags and SQLSTATEs side by side.
//!
//! Statements are in `tests/differential/*.sql`, each ended by `;` at a line's end. A comment line `-- differs: REASON` before
//! a statement accepts its difference; a reason that is no longer needed fails, so that none outlives its cause. The data of a
//! COPY FROM STDIN follows it, up to a line `\.`, as psql has it. A line `-- errors: whole` in a file compares messages and the
//! fields of what an error is about too, and `-- errors: all` hints besides.

use std::{fmt::Write as _, fs, path::Path};

use crate::harness::{
    client::join,
    wire::{Answer, CopyEnd, WireClient},
};

/// From here on Postgres numbers what users make.
const FIRST_OWN_OID: u32 = 16_384;

/// Sums of a run.
#[derive(Debug, Default)]
pub struct Summary {
    /// Statements with the same answer.
    pub same: usize,
    /// Statements whose difference is accepted.
    pub accepted: usize,
    /// What differs and should not.
    pub different: String,
    /// How many that are.
    pub different_count: usize,
}

struct Statement {
    line: usize,
    sql: String,
    accepted: Option<String>,
    /// What COPY FROM STDIN is given.
    data: Option<String>,
}

impl Statement {
    fn run(&self, client: &mut WireClient) -> Vec<Answer> {
        match &self.data {
            None => client.query(&self.sql),
            Some(data) => client
                .copy_in(&self.sql, &mut [data.clone().into_bytes()].into_iter(), CopyEnd::Done)
                .unwrap_or_else(|e| panic!("{}\n{e}", self.sql)),
        }
    }
}

/// Runs a file on both.
///
/// # Panics
/// When the file cannot be read, or a connection is lost.
pub fn run(path: &Path, postgres: &mut WireClient, duckmesh: &mut WireClient, summary: &mut Summary) {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let says = |what: &str| text.lines().any(|line| line.strip_prefix("-- errors: ") == Some(what));
    let fields = if says("all") {
        ALL
    } else if says("whole") {
        WHOLE
    } else {
        CODE
    };
    for statement in parse(&text) {
        let theirs = statement.run(postgres);
        let ours = statement.run(duckmesh);
        let mut difference = compare(&theirs, &ours, fields);
        if difference.is_none() && postgres.state != duckmesh.state {
            difference = Some(format!("state: PostgreSQL {}, DuckMesh {}", postgres.state, duckmesh.state));
        }
        match (difference, statement.accepted) {
            (None, None) => summary.same += 1,
            (Some(_), Some(_)) => summary.accepted += 1,
            (Some(text), None) => {
                summary.different_count += 1;
                let _ = writeln!(summary.different, "{name}:{}: {}\n{text}", statement.line, statement.sql);
            }
            (None, Some(reason)) => {
                summary.different_count += 1;
                let _ = writeln!(
                    summary.different,
                    "{name}:{}: {}\n    no longer differs; remove the line \"differs: {reason}\"",
                    statement.line, statement.sql
                );
            }
        }
    }
}

fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let (mut sql, mut accepted, mut start) = (String::new(), None, 0);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if sql.is_empty() {
            if let Some(reason) = line.trim().strip_prefix("-- differs:") {
                accepted = Some(reason.trim().to_owned());
                continue;
            }
            if line.trim().is_empty() || line.trim().starts_with("--") {
                continue;
            }
            start = number + 1;
        } else {
            sql.push('\n');
        }
        sql.push_str(line);
        if line.trim_end().ends_with(';') {
            let reads = sql.to_lowercase().contains("from stdin");
            let data = reads.then(|| {
                let data = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "\\.");
                data.map(|line| format!("{line}\n")).collect()
            });
            statements.push(Statement { line: start, sql: std::mem::take(&mut sql), accepted: accepted.take(), data });
        }
    }
    assert!(sql.is_empty(), "the last statement has no end: {sql}");
    statements
}

fn compare(theirs: &[Answer], ours: &[Answer], fields: &[char]) -> Option<String> {
    if theirs.len() != ours.len() {
        return Some(format!("    answers: PostgreSQL {theirs:?}\n    DuckMesh {ours:?}"));
    }
    theirs.iter().zip(ours).find_map(|(a, b)| {
        let mut text = String::new();
        let mut differ = |what: &str, a: String, b: String| {
            if a != b {
                let _ = write!(
                    text,
                    "{}    {what}: PostgreSQL {a}\n    {what}: DuckMesh   {b}",
                    if text.is_empty() { "" } else { "\n" }
                );
            }
        };
        differ("error", error(a, fields), error(b, fields));
        if a.error.is_some() && b.error.is_some() {
            // An error may come before or after the columns: PostgreSQL computes constants while it plans.
            return (!text.is_empty()).then_some(text);
        }
        differ("tag", format!("{:?}", a.tag), format!("{:?}", b.tag));
        let columns = |x: &Answer| {
            // Numbers of objects that users made are each server's own.
            let own = |oid: u32| if oid >= FIRST_OWN_OID { "own".to_owned() } else { oid.to_string() };
            let columns = x.columns.iter().flatten().map(|c| format!("{} {}", c.name, own(c.oid)));
            columns.collect::<Vec<_>>().join(", ")
        };
        differ("columns", columns(a), columns(b));
        let rows = |x: &Answer| format!("{:?}", x.rows.iter().map(|row| join(row)).collect::<Vec<_>>());
        differ("rows", rows(a), rows(b));
        (!text.is_empty()).then_some(text)
    })
}

/// SQLSTATE and position: texts may say more than Postgres' do.
const CODE: &[char] = &['C', 'P'];
/// With message, detail, context, and schema, table, column, type and constraint.
const WHOLE: &[char] = &['C', 'P', 'M', 'D', 'W', 's', 't', 'c', 'd', 'n'];
/// And the hint.
const ALL: &[char] = &['C', 'P', 'M', 'D', 'H', 'W', 's', 't', 'c', 'd', 'n'];

fn error(answer: &Answer, fields: &[char]) -> String {
    let Some(error) = &answer.error else { return "none".into() };
    let field = |letter: &char| error.get(letter).map(|value| format!("{letter} {value:?}"));
    fields.iter().filter_map(field).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_a_semicolon_at_a_line_end() {
        let found = parse("-- about\nSELECT 1;\n-- differs: because\nSELECT\n ';' ;\nSELECT 3;\n");
        let texts: Vec<_> = found.iter().map(|s| (s.line, s.sql.as_str(), s.accepted.as_deref())).collect();
        assert_eq!(texts, [(2, "SELECT 1;", None), (4, "SELECT\n ';' ;", Some("because")), (6, "SELECT 3;", None)]);
    }

    #[test]
    fn a_difference_is_found() {
        let answer = |tag: &str| vec![Answer { tag: Some(tag.into()), ..Answer::default() }];
        assert!(compare(&answer("SELECT 1"), &answer("SELECT 2"), CODE).is_some());
        assert!(compare(&answer("SELECT 1"), &answer("SELECT 1"), CODE).is_none());
        assert!(compare(&answer("SELECT 1"), &[], CODE).is_some());
    }
}
