//! Tables of SQL and what it answers: `tests/sql/*.slt`.
//!
//! A record is a line `statement ok`, `statement error SQLSTATE` or `query`, the SQL, and for a query a line `----` with the
//! rows after it, columns joined by `|`, NULL as `NULL`. An empty line ends a record; a line that begins with `#` says why.

use std::{fmt::Write as _, fs, path::Path};

use crate::harness::{
    client::join,
    wire::{Answer, WireClient},
};

/// What a record wants.
#[derive(Debug, PartialEq, Eq)]
enum Want {
    Ok,
    Error(String),
    Rows(Vec<String>),
}

#[derive(Debug)]
struct Record {
    line: usize,
    sql: String,
    want: Want,
}

/// Runs a file: every record that was not answered as it says, as text.
///
/// # Panics
/// When the file cannot be read or understood.
#[must_use]
pub fn run(path: &Path, client: &mut WireClient) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut failures = String::new();
    for record in parse(&text, &name) {
        let answers = match client.try_query(&record.sql) {
            Ok(answers) => answers,
            Err(error) => {
                let _ = writeln!(failures, "{name}:{}: {}\n  {error}", record.line, record.sql);
                return failures;
            }
        };
        if let Some(difference) = judge(&record.want, &answers) {
            let _ = writeln!(failures, "{name}:{}: {}\n  {difference}", record.line, record.sql);
        }
    }
    failures
}

fn judge(want: &Want, answers: &[Answer]) -> Option<String> {
    let error = answers.iter().find_map(|answer| answer.error.as_ref());
    let state = error.and_then(|e| e.get(&'C')).map_or("", String::as_str);
    match (want, error) {
        (Want::Error(code), Some(_)) if code == state => None,
        (Want::Error(code), Some(error)) => Some(format!("wanted error {code}, got {state}: {:?}", error.get(&'M'))),
        (Want::Error(code), None) => Some(format!("wanted error {code}, got success: {:?}", answers.last())),
        (_, Some(error)) => Some(format!("got error {state}: {:?} {:?}", error.get(&'M'), error.get(&'D'))),
        (Want::Ok, None) => None,
        (Want::Rows(rows), None) => {
            let got: Vec<String> = answers.last().map_or(Vec::new(), |a| a.rows.iter().map(|row| join(row)).collect());
            (got != *rows).then(|| format!("wanted {rows:#?}\n  got {got:#?}"))
        }
    }
}

fn parse(text: &str, name: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, head)) = lines.next() {
        let head = head.trim();
        if head.is_empty() || head.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = head.split_whitespace().collect();
        let mut want = match words.as_slice() {
            ["statement", "ok"] => Want::Ok,
            ["statement", "error", code] => Want::Error((*code).to_owned()),
            ["query"] => Want::Rows(Vec::new()),
            _ => panic!("{name}:{}: not a record: {head}", number + 1),
        };
        let mut sql = String::new();
        let mut rows = Vec::new();
        let mut in_rows = false;
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            match line {
                "----" => in_rows = true,
                row if in_rows => rows.push(row.to_owned()),
                line => {
                    sql.push_str(if sql.is_empty() { "" } else { "\n" });
                    sql.push_str(line);
                }
            }
        }
        if matches!(want, Want::Rows(_)) {
            assert!(in_rows, "{name}:{}: a query needs ---- and its rows", number + 1);
            want = Want::Rows(rows);
        }
        records.push(Record { line: number + 1, sql, want });
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_documented() {
        let text = "# why\nstatement ok\nCREATE TABLE t\n (a int)\n\nstatement error 42P01\nSELECT 1\n\nquery\nSELECT 2\n----\n2|NULL\n3|\n";
        let records = parse(text, "x");
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].sql, "CREATE TABLE t\n (a int)");
        assert_eq!(records[1].want, Want::Error("42P01".into()));
        assert_eq!(records[2].want, Want::Rows(vec!["2|NULL".into(), "3|".into()]));
        assert_eq!(records[2].line, 9);
    }

    #[test]
    fn a_wrong_answer_is_found() {
        let rows = |text: &str| vec![Answer { rows: vec![vec![Some(text.into())]], ..Answer::default() }];
        let error = vec![Answer { error: Some([('C', "42601".to_owned())].into()), ..Answer::default() }];
        assert_eq!(judge(&Want::Rows(vec!["1".into()]), &rows("1")), None);
        assert!(judge(&Want::Rows(vec!["1".into()]), &rows("2")).is_some());
        assert!(judge(&Want::Ok, &error).is_some());
        assert_eq!(judge(&Want::Error("42601".into()), &error), None);
        assert!(judge(&Want::Error("42601".into()), &rows("1")).is_some());
        assert!(judge(&Want::Error("42P01".into()), &error).is_some());
    }
}
