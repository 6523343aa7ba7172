//! Every type in every way, side by side with PostgreSQL 15: text and binary, in and out, parameters, COPY, defaults, casts,
//! comparisons, NULL, extreme values and what does not parse. A new type is one row of `TYPES`.

use std::fmt::Write as _;

use duckmesh_tests::harness::{
    Postgres, Server, WireClient,
    wire::{Answer, Column, CopyEnd, Value},
};

/// A type, values of it, and texts that are none.
struct Row {
    ty: &'static str,
    values: &'static [&'static str],
    wrong: &'static [&'static str],
    /// Whether it has an order.
    ordered: bool,
}

const fn row(ty: &'static str, values: &'static [&'static str], wrong: &'static [&'static str]) -> Row {
    Row { ty, values, wrong, ordered: true }
}

const fn unordered(ty: &'static str, values: &'static [&'static str], wrong: &'static [&'static str]) -> Row {
    Row { ty, values, wrong, ordered: false }
}

const TYPES: &[Row] = &[
    row("boolean", &["t", "f", " yes ", "off"], &["maybe", "", "2"]),
    row("smallint", &["0", "-32768", "32767", " 12 "], &["32768", "x", "", "1.5"]),
    row("integer", &["0", "-2147483648", "2147483647"], &["2147483648", "x", "1 2"]),
    row("bigint", &["0", "-9223372036854775808", "9223372036854775807"], &["9223372036854775808", "x"]),
    row(
        "real",
        &["0", "-0", "1.5", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity", "0.1"],
        &["1e39", "x", ""],
    ),
    row(
        "double precision",
        &[
            "0",
            "-0",
            "0.1",
            "1.7976931348623157e308",
            "5e-324",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e15",
            "123456789.123",
        ],
        &["1e309", "x", ""],
    ),
    row("numeric(10,3)", &["0", "1.5", "-9999999.999", "9999999.999", "0.0005"], &["99999999", "x", ""]),
    row("numeric(38,0)", &["99999999999999999999999999999999999999", "-1"], &["x"]),
    row("text", &["a", "", "ä€😀", "it's", "tab\there", "line\nbreak", "back\\slash", "\\N", "NULL"], &[]),
    row("varchar(5)", &["a", "", "äöüß€", "abc  "], &["abcdefg"]),
    row("char(4)", &["a", "", "äöü", "abcd"], &["abcdefg"]),
    row("bytea", &["\\x00ff10", "\\x", "abc", "\\001\\\\"], &["\\xf", "\\xzz"]),
    row(
        "date",
        &["2024-02-29", "0001-01-01", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "epoch"],
        &["2024-02-30", "x", "", "5874898-01-01"],
    ),
    row("time", &["00:00:00", "24:00:00", "12:34:56.789012", "04:05 PM"], &["25:00", "x", ""]),
    row(
        "timetz",
        &["00:00:00+00", "24:00:00+00", "12:34:56.789012-03:30", "10:00+01", "09:00+00", "12:00:00+15:59:59"],
        &["25:00+00", "x", "", "12:00+16"],
    ),
    row(
        "timestamp",
        &[
            "2024-02-29 12:34:56.789012",
            "0001-01-01 00:00:00",
            "4713-01-01 00:00:00 BC",
            "infinity",
            "-infinity",
            "epoch",
        ],
        &["2024-02-30", "x", ""],
    ),
    row(
        "timestamptz",
        &["2024-02-29 12:34:56.789012+05:30", "0001-01-01 00:00:00+00", "infinity", "-infinity", "2024-07-01 12:00-07"],
        &["2024-02-30", "x", "2024-01-01 12:00+99"],
    ),
    row(
        "interval",
        &["1 year 2 mons 3 days 04:05:06.789", "00:00:00", "-1 year", "P1Y2M3DT4H5M6S"],
        &["x", "", "1 foo"],
    ),
    row(
        "uuid",
        &[
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "{A0EEBC999C0B4EF8BB6D6BB9BD380A12}",
            "00000000-0000-0000-0000-000000000000",
        ],
        &["x", "", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1"],
    ),
    unordered("json", &["{\"b\": 1,  \"a\": [1, null]}", "1", "\"x\"", "null"], &["{", "", "x"]),
    unordered("jsonb", &["{\"b\": 1,  \"a\": [1, null], \"b\": 2}", "1", "\"x\"", "null", "[1.50]"], &["{", "", "x"]),
    row(
        "inet",
        &[
            "192.168.1.5",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "0.0.0.0/0",
            "255.255.255.255",
            "::1",
            "2001:db8::/32",
            "::ffff:1.2.3.4",
        ],
        &["1.2.3", "1.2.3.256", "1.2.3.4/33", "", "x", ":::"],
    ),
    row(
        "cidr",
        &["10.0.0.0/8", "192.168.1", "10", "::/0", "2001:db8::/32", "1.2.3.4"],
        &["10.0.0.1/8", "x", "", "1.2.3.4/33"],
    ),
    row(
        "macaddr",
        &["08:00:2b:01:02:03", "0800.2b01.0204", "ff-ff-ff-ff-ff-ff", "000000000000"],
        &["x", "", "08:00:2b:01:02"],
    ),
    row("macaddr8", &["08:00:2b:01:02:03:04:05", "08002b:010203", "0000000000000000"], &["x", "", "08:00:2b"]),
    row(
        "money",
        &["0", "$1,234.56", "-5", "(1)", "92233720368547758.07", "-92233720368547758.08", "0.005"],
        &["x", "92233720368547758.08", "1.2.3"],
    ),
    row(
        "int4range",
        &["[1,5)", "(1,5]", "empty", "(,)", "[3,]", "[-2147483648,2147483646]"],
        &["x", "[5,1]", "[1,5", "[1,2147483647]"],
    ),
    row("int8range", &["[1,5)", "empty", "(,9223372036854775807)", "[1,1]"], &["x", "[5,1]"]),
    row("numrange", &["[1.5,2.50]", "empty", "(,)", "(1,2)", "[1e3,)"], &["x", "[5,1]", "[a,b]"]),
    row(
        "daterange",
        &["[2024-01-01,2024-01-31]", "empty", "(,infinity)", "(2024-01-01,)"],
        &["x", "[2024-01-02,2024-01-01]"],
    ),
    row(
        "tsrange",
        &["[2024-01-01 10:00,2024-01-02)", "empty", "(,)", "[\"2024-01-01 00:00:00.5\",)"],
        &["x", "[2024-01-02,2024-01-01]"],
    ),
    row("tstzrange", &["[2024-01-01 10:00+02,2024-01-02 00:00+00)", "empty", "(,)"], &["x", "[2024-01-02,2024-01-01]"]),
    row("int4multirange", &["{[1,5),[7,9)}", "{}", "{(,3]}", "{[1,3),[2,4)}"], &["x", "{[5,1]}", "{[1,5)"]),
    row("nummultirange", &["{[1.5,2.50],[7,9)}", "{}"], &["x"]),
    row(
        "timestamp(3)",
        &[
            "2024-02-29 12:34:56.789512",
            "1999-12-31 23:59:59.9995",
            "infinity",
            "-infinity",
            "0044-03-15 12:00:00.1235 BC",
        ],
        &["x", "2024-02-30"],
    ),
    row("timestamptz(0)", &["2024-02-29 12:34:56.5+05:30", "1969-12-31 23:59:59.5+00", "infinity"], &["x"]),
    row("time(2)", &["12:34:56.785", "23:59:59.999", "00:00"], &["25:00", "x"]),
    row("timetz(1)", &["12:34:56.75-03:30", "23:59:59.99+00"], &["25:00+00", "x"]),
    row("interval(2)", &["1 year 2 mons 3 days 04:05:06.785", "00:00:00", "-1 year"], &["x", ""]),
    row("interval day to second(1)", &["3 04:05:06.789", "1:2", "5", "2 years 1 day"], &["x", ""]),
    row("interval year to month", &["1-2", "5", "-1 year", "1 year 5 days"], &["x", ""]),
    row("bit(5)", &["10110", "00000", "b11111"], &["10210"]),
    row("bit varying(9)", &["", "1", "101010101", "x1f"], &["2", "xg", " 1"]),
    row("varbit", &["", "0", "00", "xdeadbeef"], &["x1 "]),
];

struct Both {
    theirs: WireClient,
    ours: WireClient,
    checks: usize,
    different: String,
}

/// The modifiers of times and bits; those of texts and numbers are not told of every expression.
fn modifier(column: &Column) -> i32 {
    const TOLD: [u32; 14] = [1083, 1114, 1184, 1186, 1266, 1560, 1562, 1183, 1115, 1185, 1187, 1270, 1561, 1563];
    if TOLD.contains(&column.oid) { column.typmod } else { -1 }
}

fn said(answer: &Answer) -> String {
    match &answer.error {
        // Which parameter it was is said by Postgres alone, and so is whether all of a value is missing.
        Some(error) => {
            let message = error[&'M'].replace(" in bind parameter 1", "");
            format!("{} {}", error[&'C'], message.replace("no data left", "insufficient data left"))
        }
        // The pieces that it comes in mean nothing.
        None if !answer.copied.is_empty() => format!("{:?} {:?}", answer.tag, answer.copied),
        None => {
            let oids: Vec<(u32, i32)> = answer.columns.iter().flatten().map(|c| (c.oid, modifier(c))).collect();
            format!("{:?} {oids:?} {:?}", answer.tag, answer.rows)
        }
    }
}

impl Both {
    fn compare(&mut self, what: &str, theirs: &str, ours: &str) {
        self.checks += 1;
        if theirs != ours && !ACCEPTED.iter().any(|(part, _)| what.contains(part)) {
            let _ = writeln!(self.different, "{what}\n  theirs: {theirs}\n  ours:   {ours}");
        }
    }

    fn query(&mut self, sql: &str) -> Answer {
        let (theirs, ours) = (self.theirs.query(sql).remove(0), self.ours.query(sql).remove(0));
        self.compare(sql, &said(&theirs), &said(&ours));
        theirs
    }

    fn extended(&mut self, sql: &str, types: &[u32], value: &Value) {
        let values = std::slice::from_ref(value);
        let theirs = self.theirs.try_extended(sql, types, values).unwrap();
        let ours = self.ours.try_extended(sql, types, values).unwrap();
        self.compare(&format!("{sql} {value:?}"), &said(&theirs), &said(&ours));
    }

    fn copy_in(&mut self, sql: &str, bytes: &[u8]) {
        let answer = |client: &mut WireClient| {
            let answers = client.copy_in(sql, &mut std::iter::once(bytes.to_vec()), CopyEnd::Done).unwrap();
            said(&answers[0])
        };
        let (theirs, ours) = (answer(&mut self.theirs), answer(&mut self.ours));
        self.compare(&format!("{sql} {:?}", String::from_utf8_lossy(bytes)), &theirs, &ours);
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The bytes of the one field of the one row of a binary COPY.
fn field(copied: &[u8]) -> Vec<u8> {
    const HEADER: usize = 11 + 4 + 4 + 2;
    let length = u32::from_be_bytes(copied[HEADER..HEADER + 4].try_into().unwrap()) as usize;
    copied[HEADER + 4..HEADER + 4 + length].to_vec()
}

fn constants(both: &mut Both, row: &Row) {
    let ty = row.ty;
    both.query(&format!("SELECT NULL::{ty} AS v, NULL::{ty}[] AS l"));
    for value in row.values {
        let literal = quoted(value);
        let oid = both.query(&format!("SELECT {literal}::{ty} AS v")).columns.unwrap()[0].oid;
        both.query(&format!("SELECT {literal}::{ty}::text AS v, ARRAY[{literal}::{ty}, NULL] AS l"));
        both.extended(&format!("SELECT $1::{ty} AS v"), &[], &Value::Text((*value).to_owned()));
        let bytes = both.query(&format!("COPY (SELECT {literal}::{ty}) TO STDOUT (FORMAT binary)")).copied;
        let bytes = field(&bytes);
        both.extended(&format!("SELECT $1::{ty} AS v"), &[oid], &Value::Binary(bytes.clone()));
        // A text may end anywhere.
        if !matches!(oid, 25 | 1042 | 1043 | 17 | 114 | 3802) {
            both.extended("SELECT $1 AS v", &[oid], &Value::Binary(bytes[..bytes.len() - 1].to_vec()));
            both.extended("SELECT $1 AS v", &[oid], &Value::Binary([&bytes[..], &[0]].concat()));
        }
        let list = both.query(&format!("COPY (SELECT ARRAY[{literal}::{ty}, NULL]) TO STDOUT (FORMAT binary)")).copied;
        let list_oid = both.query(&format!("SELECT NULL::{ty}[] AS l")).columns.unwrap()[0].oid;
        both.extended(&format!("SELECT $1::{ty}[] AS l"), &[list_oid], &Value::Binary(field(&list)));
    }
    both.extended(&format!("SELECT $1::{ty} AS v"), &[], &Value::Null);
    for wrong in row.wrong {
        both.query(&format!("SELECT {}::{ty} AS v", quoted(wrong)));
        both.extended(&format!("SELECT $1::{ty} AS v"), &[], &Value::Text((*wrong).to_owned()));
    }
}

fn stored(both: &mut Both, row: &Row, number: usize) {
    let ty = row.ty;
    let first = quoted(row.values[0]);
    both.query(&format!("CREATE TABLE t{number} (id int, v {ty} DEFAULT {first}, l {ty}[])"));
    both.query(&format!("CREATE TABLE u{number} (id int, v {ty}, l {ty}[])"));
    both.query(&format!("INSERT INTO t{number} (id) VALUES (0)"));
    for (id, value) in row.values.iter().enumerate() {
        let literal = quoted(value);
        both.query(&format!("INSERT INTO t{number} VALUES ({}, {literal}, ARRAY[{literal}, NULL]::{ty}[])", id + 1));
        let sql = format!("INSERT INTO t{number} VALUES ({}, $1, NULL)", id + 101);
        both.extended(&sql, &[], &Value::Text((*value).to_owned()));
        both.query(&format!(
            "INSERT INTO t{number} SELECT {}, {literal}::{ty}, ARRAY[NULL, {literal}::{ty}]",
            id + 201
        ));
    }
    both.query(&format!("INSERT INTO t{number} VALUES (-1, NULL, '{{}}')"));
    for wrong in row.wrong {
        both.query(&format!("INSERT INTO t{number} VALUES (-2, {}, NULL)", quoted(wrong)));
        both.copy_in(&format!("COPY t{number} (v) FROM STDIN (FORMAT csv)"), format!("\"{wrong}\"\n").as_bytes());
    }
    both.query(&format!("SELECT * FROM t{number} ORDER BY id"));
    for format in ["text", "csv", "binary"] {
        let out = both.query(&format!("COPY (SELECT * FROM t{number} ORDER BY id) TO STDOUT (FORMAT {format})")).copied;
        both.copy_in(&format!("COPY u{number} FROM STDIN (FORMAT {format})"), &out);
    }
    both.query(&format!("SELECT * FROM u{number} ORDER BY id, v::text NULLS FIRST"));
    both.query(&format!("SELECT count(v) AS n, count(l) AS m FROM u{number} WHERE v IS NOT NULL"));
    if !row.ordered {
        return;
    }
    both.query(&format!("SELECT id, v FROM t{number} ORDER BY v, id"));
    both.query(&format!("SELECT v, count(*) FROM t{number} GROUP BY v ORDER BY v DESC"));
    for value in row.values {
        let literal = quoted(value);
        for op in ["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"] {
            both.query(&format!("SELECT count(*) FROM t{number} WHERE v {op} {literal}"));
        }
        both.extended(&format!("SELECT count(*) FROM t{number} WHERE v < $1"), &[], &Value::Text((*value).to_owned()));
        both.query(&format!("SELECT count(*) FROM t{number} WHERE v IN ({literal}, {first})"));
        both.query(&format!("SELECT count(*) FROM t{number} WHERE v BETWEEN {first} AND {literal}"));
        both.query(&format!("SELECT count(*) FROM t{number} WHERE v = ANY (l)"));
    }
}

/// Differences that have a reason: what the statement has in it, and the reason.
const ACCEPTED: &[(&str, &str)] = &[
    ("SELECT id, v FROM t4 ORDER BY v, id", "the engine's sort gives 0 back for -0"),
    ("SELECT id, v FROM t5 ORDER BY v, id", "the engine's sort gives 0 back for -0"),
    ("SELECT $1::numeric(38,0)[] AS l", "parameters of numeric[] have nine places"),
];

#[test]
fn every_type_in_every_way() {
    let postgres = Postgres::start();
    let server = Server::start();
    assert_eq!(
        WireClient::connect(postgres.port(), "postgres", "tester").query("CREATE DATABASE types")[0].error,
        None
    );
    let theirs = WireClient::connect(postgres.port(), "types", "tester");
    let ours = server.wire();
    let mut both = Both { theirs, ours, checks: 0, different: String::new() };
    both.query("SET timezone = 'UTC'");
    for (number, row) in TYPES.iter().enumerate() {
        constants(&mut both, row);
        stored(&mut both, row, number);
    }
    let Both { checks, different, .. } = both;
    let unexplained: Vec<&str> =
        different.split_inclusive("\n  ours:").filter(|d| !ACCEPTED.iter().any(|(what, _)| d.contains(what))).collect();
    println!("types: {checks} checks");
    assert!(unexplained.is_empty(), "of {checks} checks:\n{different}");
}

#[test]
fn composite_values_come_in_binary() {
    let (postgres, server) = (Postgres::start(), Server::start());
    let mut said_by_both = Vec::new();
    for mut client in [WireClient::connect(postgres.port(), "postgres", "tester"), server.wire()] {
        for sql in ["CREATE TYPE pair AS (a int, b text)", "SET timezone = 'UTC'"] {
            assert_eq!(client.query(sql)[0].error, None, "{sql}");
        }
        let oid = client.query("SELECT 'pair'::regtype::oid")[0].rows[0][0].clone().unwrap().parse().unwrap();
        let field =
            |oid: u32, bytes: &[u8]| [&oid.to_be_bytes()[..], &(bytes.len() as i32).to_be_bytes(), bytes].concat();
        let row = |fields: &[Vec<u8>]| [&(fields.len() as i32).to_be_bytes()[..], &fields.concat()].concat();
        let fine = row(&[field(23, &7_i32.to_be_bytes()), field(25, b"a \"b\", c")]);
        let null = row(&[field(23, &7_i32.to_be_bytes()), [&25_u32.to_be_bytes()[..], &[0xff; 4]].concat()]);
        let mut values = vec![
            Value::Text("(1,\"x y\")".to_owned()),
            Value::Text("(1)".to_owned()),
            Value::Text("(x,y)".to_owned()),
            Value::Null,
            Value::Binary(row(&[field(23, &7_i32.to_be_bytes())])),
            Value::Binary(row(&[field(20, &[0; 8]), field(25, b"x")])),
            Value::Binary(fine[..fine.len() - 1].to_vec()),
            Value::Binary([&fine[..], &[0]].concat()),
        ];
        values.extend([fine, null].map(Value::Binary));
        let mut answers = Vec::new();
        for value in &values {
            for sql in ["SELECT $1::text", "SELECT ($1).a, ($1).b", "SELECT ($1::pair).b || '!'"] {
                answers.push(said(&client.try_extended(sql, &[oid], std::slice::from_ref(value)).unwrap()));
            }
        }
        let described = client.try_extended("SELECT $1::pair", &[], &values[..1]).unwrap();
        assert_eq!((described.parameters, described.error), (Some(vec![oid]), None));
        said_by_both.push(answers);
    }
    assert_eq!(said_by_both[1], said_by_both[0]);
}

/// G9: types made of types hold each other's fields; what would be too many is refused while it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_composite_types_are_bounded_in_depth_and_in_all() {
    let server = Server::start();
    let client = server.client().await;
    let hundred = |of: &str| (0..100).map(|n| format!("f{n} {of}")).collect::<Vec<_>>().join(", ");
    client.ok(&format!("CREATE TYPE t1 AS ({})", hundred("int"))).await;
    let error = client.fails(&format!("CREATE TYPE t2 AS ({})", hundred("t1"))).await;
    assert!(error.starts_with("54011"), "{error}");
    client.ok("CREATE TYPE d0 AS (a int)").await;
    let mut deepest = 0;
    for depth in 1..40 {
        let sql = format!("CREATE TYPE d{depth} AS (a d{})", depth - 1);
        if client.rows(&sql).await.is_err() {
            break;
        }
        deepest = depth;
    }
    assert_eq!(deepest, 15, "as many as are documented");
    // One that is inside of others grows: they would be too large, or too deep.
    client
        .ok("CREATE TYPE small AS (a int); CREATE TYPE many AS (a t1, b t1, c t1, d t1, e t1, f t1, g t1, h small)")
        .await;
    let more = (0..900).map(|n| format!("ADD ATTRIBUTE g{n} int")).collect::<Vec<_>>().join(", ");
    assert!(client.fails(&format!("ALTER TYPE small {more}")).await.starts_with("0A000"));
    assert!(client.fails("ALTER TYPE d0 ADD ATTRIBUTE b small").await.starts_with("0A000"));
    client.ok("CREATE TABLE t (x d15, y many); INSERT INTO t VALUES (NULL, NULL); SELECT * FROM t").await;
}
