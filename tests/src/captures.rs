//! Statements that real clients sent, run again on PostgreSQL and on DuckMesh, and a grid of what came of them.
//!
//! They are in `tests/captures/*.sql`, a file for each client. A line `--@ {…}` begins a statement and says how it was sent:
//! `extended` with `types` and `params`; `differs` is the reason why the answer has another shape than PostgreSQL's. In
//! statements and parameters `{oid:customers}` is the oid of that relation on the server that is asked.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde_json::Value as Json;

use crate::harness::{
    client::join,
    wire::{Answer, Value, WireClient},
};

/// Oids from here are given at run time: they differ between servers.
const FIRST_OWN_OID: u64 = 16_384;

/// A statement as a client sent it.
pub struct Captured {
    /// The line it is at.
    pub line: usize,
    /// Its text.
    pub sql: String,
    /// Why its answer is accepted although it differs.
    pub differs: Option<String>,
    extended: bool,
    types: Vec<String>,
    params: Vec<Json>,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The same columns, parameters, SQLSTATE and rows.
    Same,
    /// The same columns, parameters and SQLSTATE; other rows.
    Rows(String),
    /// Answered with other columns or parameters, or failed otherwise.
    Shape(String),
    /// An error where PostgreSQL answers.
    Refused(String),
}

/// The statements of a client.
///
/// # Panics
/// When the file cannot be read.
#[must_use]
pub fn read(path: &Path) -> Vec<Captured> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut all: Vec<Captured> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(head) = line.strip_prefix("--@ ") {
            let head: Json = serde_json::from_str(head).unwrap_or_else(|e| panic!("{}: {e}: {head}", path.display()));
            let list = |key: &str| head.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
            let text = |value: &Json| value.as_str().map(str::to_owned);
            all.push(Captured {
                line: number + 1,
                sql: String::new(),
                differs: head.get("differs").and_then(text),
                extended: head.get("extended").is_some(),
                types: list("types").iter().filter_map(text).collect(),
                params: list("params"),
            });
        } else if let Some(last) = all.last_mut() {
            last.sql.push_str(line);
            last.sql.push('\n');
        }
    }
    all
}

/// A server with the schema of the captures.
pub struct Side {
    client: WireClient,
    oids: BTreeMap<String, u32>,
}

impl Side {
    /// Loads the schema.
    ///
    /// # Panics
    /// When a statement of it fails.
    #[must_use]
    pub fn new(mut client: WireClient, schema: &str) -> Self {
        for answer in client.query(schema) {
            assert_eq!(answer.error, None, "the schema can be loaded");
        }
        Self { client, oids: BTreeMap::new() }
    }

    fn oid(&mut self, relation: &str) -> u32 {
        if let Some(oid) = self.oids.get(relation) {
            return *oid;
        }
        let rows = self.client.query(&format!("SELECT '{relation}'::regclass::oid"));
        let oid = rows[0].rows.first().and_then(|row| row[0].clone()?.parse().ok()).unwrap_or_default();
        self.oids.insert(relation.to_owned(), oid);
        oid
    }

    /// Runs a statement.
    pub fn run(&mut self, statement: &Captured) -> Answer {
        let sql = self.filled(&statement.sql);
        if !statement.extended {
            return self.client.query(&sql).into_iter().last().unwrap_or_default();
        }
        let types: Vec<u32> = statement.types.iter().map(|name| type_oid(name)).collect();
        let values: Vec<Value> = statement.params.iter().map(|param| self.value(param)).collect();
        self.client.try_extended(&sql, &types, &values).unwrap_or_else(|e| panic!("{sql}\n{e}"))
    }

    fn filled(&mut self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{oid:") {
            let (relation, tail) = after.split_once('}').unwrap_or((after, ""));
            let _ = write!(filled, "{before}{}", self.oid(relation));
            rest = tail;
        }
        filled + rest
    }

    fn value(&mut self, param: &Json) -> Value {
        if let Some(text) = param.as_str() {
            return Value::Text(self.filled(text));
        }
        if let Some(relation) = param.get("oid").and_then(Json::as_str) {
            return Value::Binary(self.oid(relation).to_be_bytes().to_vec());
        }
        let Some(hex) = param.get("hex").and_then(Json::as_str) else { return Value::Null };
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("0"), 16).unwrap_or_default();
        Value::Binary((0..hex.len()).step_by(2).map(byte).collect())
    }
}

fn type_oid(name: &str) -> u32 {
    match name {
        "bool" => 16,
        "name" => 19,
        "int8" => 20,
        "int2" => 21,
        "int4" => 23,
        "text" => 25,
        "oid" => 26,
        "varchar" => 1043,
        "text[]" => 1009,
        "oid[]" => 1028,
        "-" => 0,
        other => panic!("the type {other} is not known to the replay"),
    }
}

/// Runs a statement on both.
pub fn run(statement: &Captured, postgres: &mut Side, duckmesh: &mut Side) -> Outcome {
    let theirs = postgres.run(statement);
    let ours = duckmesh.run(statement);
    match (theirs.sqlstate(), ours.sqlstate()) {
        (None, None) => {}
        (a, b) if a == b => return Outcome::Same,
        (None, Some(code)) => {
            let text = |letter: char| ours.error.as_ref().and_then(|e| e.get(&letter)).cloned().unwrap_or_default();
            return Outcome::Refused(format!("{code} {}", text('M')));
        }
        (a, b) => return Outcome::Shape(format!("SQLSTATE: PostgreSQL {a:?}, DuckMesh {b:?}")),
    }
    let (a, b) = (shape(&theirs), shape(&ours));
    if a != b {
        return Outcome::Shape(first_difference(&a, &b));
    }
    let (a, b) = (rows(&theirs), rows(&ours));
    // What DuckMesh has besides: its schema, its settings.
    let b: Vec<String> = b.into_iter().filter(|line| !line.contains("duckmesh") || a.contains(line)).collect();
    if a == b { Outcome::Same } else { Outcome::Rows(first_difference(&a, &b)) }
}

/// Parameters and columns, one a line. Of a table's columns it says that they are one, and their place.
fn shape(answer: &Answer) -> Vec<String> {
    let parameters = answer.parameters.iter().flatten().enumerate().map(|(n, oid)| format!("${} {oid}", n + 1));
    let columns = answer.columns.iter().flatten().map(|c| {
        let place = if c.table == 0 { "" } else { " of a relation" };
        format!("{} {} {}{place}", c.name, c.oid, c.typmod)
    });
    parameters.chain(columns).collect()
}

/// Rows in order of their text, oids of own objects masked.
fn rows(answer: &Answer) -> Vec<String> {
    let columns = answer.columns.as_deref().unwrap_or_default();
    let masked = |(index, value): (usize, &Option<String>)| {
        let oid = matches!(columns.get(index).map(|c| c.oid), Some(26 | 28));
        let own = |v: &String| oid && v.parse().is_ok_and(|n: u64| n >= FIRST_OWN_OID);
        value.as_ref().map(|v| if own(v) { "#".to_owned() } else { v.clone() })
    };
    let mut lines: Vec<String> =
        answer.rows.iter().map(|row| join(&row.iter().enumerate().map(masked).collect::<Vec<_>>())).collect();
    lines.sort();
    lines
}

fn first_difference(theirs: &[String], ours: &[String]) -> String {
    let only = |a: &[String], b: &[String]| a.iter().find(|line| !b.contains(line)).cloned().unwrap_or_default();
    format!(
        "PostgreSQL ({}) {}\n    DuckMesh   ({}) {}",
        theirs.len(),
        only(theirs, ours),
        ours.len(),
        only(ours, theirs)
    )
}

/// What came of a client's statements.
#[derive(Default)]
pub struct Row {
    /// Statements.
    pub statements: usize,
    /// The same in everything.
    pub same: usize,
    /// Of the same shape, with other rows.
    pub rows: usize,
    /// Of another shape, with a reason.
    pub shape: usize,
    /// Refused, with a reason.
    pub refused: usize,
}

/// The grid, and below it every reason.
#[must_use]
pub fn page(grid: &BTreeMap<String, Row>, reasons: &BTreeMap<String, usize>, clients: &str) -> String {
    let mut page = String::from(CLIENTS);
    for line in clients.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let (name, did) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let did: Vec<&str> = did.split(' ').collect();
        let marks = CAPABILITIES.iter().map(|what| if did.contains(what) { "yes" } else { "-" });
        let _ = writeln!(page, "| {name} | {} |", marks.collect::<Vec<_>>().join(" | "));
    }
    page.push_str(HEAD);
    let mut sum = Row::default();
    let line = |name: &str, row: &Row| {
        format!("| {name} | {} | {} | {} | {} | {} |\n", row.statements, row.same, row.rows, row.shape, row.refused)
    };
    for (client, row) in grid {
        page.push_str(&line(client, row));
        sum.statements += row.statements;
        sum.same += row.same;
        sum.rows += row.rows;
        sum.shape += row.shape;
        sum.refused += row.refused;
    }
    page.push_str(&line("all", &sum));
    page.push_str("\n## Reasons\n\n| statements | why the answer differs |\n| ---: | --- |\n");
    for (reason, count) in reasons {
        let _ = writeln!(page, "| {count} | {reason} |");
    }
    page
}

/// What the program of a client can show that it does.
pub const CAPABILITIES: [&str; 9] =
    ["connect", "introspect", "create", "insert", "bulk", "parameters", "transaction", "error", "cancel"];

const CLIENTS: &str = "# Compatibility

## Clients

Each has a program in `tests/clients` that passes on PostgreSQL 15 and on DuckMesh, and says what it has done: connected; looked at
what there is; made tables; inserted; loaded in bulk; queried with parameters; taken a transaction back; got an error with
its SQLSTATE and gone on; stopped a running statement. `-`: the client does not do that, or not through this program. The
grid is `tests/clients/grid.tsv`, which each program's run is compared with.

| client | connect | introspect | create | insert | bulk load | parameters | transaction | error | cancel |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

const HEAD: &str = "
## The catalog

What real clients ask of the catalog, recorded against PostgreSQL 15, and what DuckMesh answers beside PostgreSQL 15 on the
same schema. This page is written by the suite `captures` (`DUCKMESH_WRITE_DOCS=1`), which fails where it is out of date.

*same*: parameters, columns, types, modifiers, SQLSTATE and rows, but for rows about DuckMesh's own schema and settings. *other
rows*: all that, but other rows, because other things exist: DuckMesh lacks some of PostgreSQL's functions, types and indexes.
*other shape* and *refused* have a reason each, below.

| client | statements | same | other rows | other shape | refused |
| --- | ---: | ---: | ---: | ---: | ---: |
";
