//! Real messages of DuckDB 1.5.6, and what clients get.

use std::collections::BTreeMap;

use super::from_duckdb;

struct Row {
    kind: String,
    message: String,
    name: String,
    code: String,
    shown: String,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("messages.txt").lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let mut parts = line.split(" ~ ").map(|part| part.replace("\\n", "\n").replace("\\t", "\t"));
        let mut part = || parts.next().unwrap_or_else(|| panic!("five parts: {line}"));
        Row { kind: part(), message: part(), name: part(), code: part(), shown: part() }
    };
    lines.map(parse).collect()
}

fn extra(name: &str) -> BTreeMap<String, String> {
    if name.is_empty() { BTreeMap::new() } else { BTreeMap::from([("name".to_owned(), name.to_owned())]) }
}

#[test]
fn messages_of_duckdb() {
    let rows = rows();
    assert!(rows.len() > 70);
    for Row { kind, message, name, code, shown } in &rows {
        let error = from_duckdb(kind, message, &extra(name), "");
        assert_eq!((error.code().0, &error.fields().message), (code.as_str(), shown), "{kind}: {message}");
    }
}

#[test]
fn nothing_of_the_machine_is_told() {
    for Row { kind, message, name, .. } in rows() {
        let error = from_duckdb(&kind, &message, &extra(&name), "");
        let fields = error.fields();
        let all = format!("{} {:?} {:?}", fields.message, fields.detail, fields.hint);
        for secret in ["t_17", "t_18", "/etc", "/data", ".parquet", "Candidate", "Did you mean", "pg_enum"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
}

#[test]
fn internal_errors_are_a_number() {
    for kind in ["INTERNAL", "FATAL", "Serialization", "whatever"] {
        let error = from_duckdb(kind, "Attempted to dereference /secret", &BTreeMap::new(), "");
        assert_eq!(error.code().0, "XX000");
        assert!(error.fields().message.starts_with("internal error "), "{error}");
    }
}

#[test]
fn positions_are_in_the_clients_text() {
    let check = |sql: &str, name: &str, expected: Option<u32>| {
        let message = format!("Referenced column \"{name}\" not found in FROM clause!");
        assert_eq!(from_duckdb("Binder", &message, &extra(name), sql).fields().position, expected, "{sql}");
    };
    check("SELECT nope FROM t", "nope", Some(8));
    check("select NOPE from t", "nope", Some(8));
    check("SELECT nopes, \"nope\" FROM t", "nope", Some(15));
    check("SELECT 'ü', nope FROM t", "nope", Some(13));
    check("SELECT 1", "nope", None);
    check("", "nope", None);
}

/// Each state that a function of the worker fails with is one that the gateway passes on.
#[test]
fn states_of_our_functions_are_passed_on() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/worker/functions");
    let mut folders = vec![folder];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for state in text.split("Failure::new(\"").skip(1).filter_map(|rest| rest.get(..5)) {
                seen += 1;
                // What should never happen is told as such.
                assert!(
                    state == "XX000" || super::RAISED.iter().any(|known| known.0 == state),
                    "{}: {state}",
                    path.display()
                );
            }
        }
    }
    assert!(seen > 50, "the functions were read");
}
