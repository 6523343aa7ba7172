//! Random tables of all types, copied out of PostgreSQL 15 and into DuckMesh and back, in every format: the same bytes.
//!
//! The seed is printed and can be given (`DUCKMESH_SEED`); `make test-copy` runs many rounds (`DUCKMESH_COPY_ROUNDS`).

use std::{env, fmt::Write as _};

use duckmesh_tests::harness::{
    Postgres, Server,
    wire::{CopyEnd, WireClient},
};

/// Rows of a table: more than one batch of the parser is another suite's.
const ROWS: usize = 60;
const COLUMNS_MAX: u64 = 12;

/// A generator of random numbers that gives the same ones for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// One of the extremes, often; else what `usual` gives.
    fn or(&mut self, extremes: &[&str], usual: impl FnOnce(&mut Self) -> String) -> String {
        match self.below(3) {
            0 => self.one_of(extremes).to_owned(),
            _ => usual(self),
        }
    }
}

/// A type as it is declared, and how one of its values is made, in Postgres' text form. A new type is a line here.
type Type = (&'static str, fn(&mut Random) -> String);

const TYPES: &[Type] = &[
    ("boolean", |r| r.one_of(&["t", "f"]).to_owned()),
    ("smallint", |r| r.or(&["-32768", "32767", "0"], |r| (r.next() as i16).to_string())),
    ("integer", |r| r.or(&["-2147483648", "2147483647", "0"], |r| (r.next() as i32).to_string())),
    ("bigint", |r| r.or(&["-9223372036854775808", "9223372036854775807"], |r| (r.next() as i64).to_string())),
    ("real", |r| {
        let extremes = ["NaN", "Infinity", "-Infinity", "-0", "3.4028235e+38", "1e-45", "1.1754944e-38"];
        r.or(&extremes, |r| finite(f64::from(f32::from_bits(r.next() as u32)), |f| (f as f32).to_string()))
    }),
    ("double precision", |r| {
        let extremes = ["NaN", "Infinity", "-Infinity", "-0", "1.7976931348623157e+308", "5e-324"];
        r.or(&extremes, |r| finite(f64::from_bits(r.next()), |f| format!("{f:e}")))
    }),
    ("numeric(12,3)", |r| r.or(&["-999999999.999", "999999999.999", "0"], |r| decimal(r, 9, 3))),
    ("numeric(38,10)", |r| r.or(&["-9999999999999999999999999999.9999999999", "0.0000000001"], |r| decimal(r, 18, 10))),
    ("numeric(5,0)", |r| r.or(&["-99999", "99999"], |r| decimal(r, 5, 0))),
    ("text", text),
    ("varchar(7)", |r| text(r).chars().take(7).collect()),
    ("char(5)", |r| text(r).chars().take(5).collect()),
    ("bytea", |r| {
        let bytes = (0..r.below(12)).map(|_| format!("{:02x}", r.next() as u8)).collect::<String>();
        format!("\\x{bytes}")
    }),
    ("date", |r| r.or(&["infinity", "-infinity", "0001-01-01", "4713-01-01 BC", "9999-12-31"], date)),
    ("time", |r| r.or(&["00:00:00", "23:59:59.999999"], time)),
    ("timestamp", |r| {
        let extremes =
            ["infinity", "-infinity", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "0044-03-15 12:00:00 BC"];
        r.or(&extremes, |r| format!("{} {}", date(r), time(r)))
    }),
    ("timestamptz", |r| {
        let extremes = ["infinity", "-infinity", "1969-12-31 23:59:59.999999+00"];
        r.or(&extremes, |r| format!("{} {}{}", date(r), time(r), r.one_of(&["+00", "-08", "+05:30"])))
    }),
    ("interval", |r| {
        let extremes = ["00:00:00", "-178000 years", "1 mon -1 days", "1 day 1193:02:47.295"];
        r.or(&extremes, |r| {
            format!("{} mons {} days {}.{:03}", r.next() as i16, r.next() as i8, r.below(4000), r.below(1000))
        })
    }),
    ("uuid", |r| {
        let (high, low) = (r.next(), r.next());
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }),
    ("json", |r| r.or(&["null", "[]", " {\"b\" : 1, \"a\":[1 ,2.50], \"b\":null} "], json)),
    ("jsonb", |r| r.or(&["null", "[]", "{\"b\" : 1, \"a\":[1 ,2.50], \"b\":null}"], json)),
    ("timestamp(3)", |r| r.or(&["infinity", "1999-12-31 23:59:59.9995"], |r| format!("{} {}", date(r), time(r)))),
    ("timestamptz(0)", |r| r.or(&["-infinity"], |r| format!("{} {}+00", date(r), time(r)))),
    ("time(1)", |r| r.or(&["00:00:00", "23:59:59.999999"], time)),
    ("timetz(2)", |r| format!("{}{}", time(r), r.one_of(&["+00", "-08", "+05:30"]))),
    ("interval day to second(1)", |r| format!("{} days {}.{:03}", r.next() as i8, r.below(4000), r.below(1000))),
    ("interval year to month", |r| format!("{} mons", r.next() as i16)),
    ("bit(7)", |r| bits(r, 7)),
    ("bit varying(20)", |r| {
        let n = r.below(21);
        bits(r, n)
    }),
    ("timestamp(0)[]", |r| list(r, |r| format!("{} {}", date(r), time(r)))),
    ("bit(3)[]", |r| list(r, |r| bits(r, 3))),
    ("varbit[]", |r| {
        list(r, |r| {
            let n = r.below(12);
            bits(r, n)
        })
    }),
    ("boolean[]", |r| list(r, |r| r.one_of(&["t", "f"]).to_owned())),
    ("integer[]", |r| list(r, |r| (r.next() as i32).to_string())),
    ("bigint[]", |r| list(r, |r| (r.next() as i64).to_string())),
    ("double precision[]", |r| list(r, |r| r.one_of(&["NaN", "-Infinity", "1.5", "-0"]).to_owned())),
    ("numeric(12,3)[]", |r| list(r, |r| decimal(r, 9, 3))),
    ("text[]", |r| list(r, text)),
    ("bytea[]", |r| list(r, |r| format!("\\x{:04x}", r.next() as u16))),
    ("date[]", |r| list(r, date)),
    ("timestamptz[]", |r| list(r, |r| format!("{} {}+00", date(r), time(r)))),
    ("uuid[]", |r| list(r, |r| format!("{:032x}", u128::from(r.next())))),
    ("jsonb[]", |r| list(r, json)),
];

fn bits(r: &mut Random, length: u64) -> String {
    (0..length).map(|_| r.one_of(&["0", "1"])).collect()
}

fn finite(value: f64, shown: impl Fn(f64) -> String) -> String {
    if value.is_finite() { shown(value) } else { "1.5".to_owned() }
}

fn decimal(r: &mut Random, digits: u32, scale: u32) -> String {
    let sign = r.one_of(&["", "-"]);
    let whole = r.next() % 10_u64.pow(digits.min(18));
    match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{:0width$}", r.next() % 10_u64.pow(scale), width = scale as usize),
    }
}

fn text(r: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "a", "B", " ", "\t", "\n", "\r", "\r\n", "\\", "\\N", "\\.", "\"", "'", ",", "|", "{", "}", "NULL", "null",
        "ä", "漢", "🦆", "\u{b}", "\u{8}", "\u{7f}", "%", "\u{feff}",
    ];
    (0..r.below(8)).map(|_| r.one_of(PIECES)).collect()
}

fn date(r: &mut Random) -> String {
    format!("{:04}-{:02}-{:02}", 1 + r.below(9998), 1 + r.below(12), 1 + r.below(28))
}

fn time(r: &mut Random) -> String {
    format!("{:02}:{:02}:{:02}.{:06}", r.below(24), r.below(60), r.below(60), r.below(1_000_000))
}

fn json(r: &mut Random) -> String {
    let text: String = text(r).chars().flat_map(char::escape_unicode_json).collect();
    format!("{{\"{}\": [{}, true, \"{text}\"]}}", r.one_of(&["a", "b c", ""]), decimal(r, 5, 2).replace("-0", "-10"))
}

/// JSON's way to write any character.
trait Escaped {
    fn escape_unicode_json(self) -> Vec<char>;
}

impl Escaped for char {
    fn escape_unicode_json(self) -> Vec<char> {
        let mut units = [0; 2];
        let units = self.encode_utf16(&mut units);
        units
            .iter()
            .fold(String::new(), |mut text, unit| {
                let _ = write!(text, "\\u{unit:04x}");
                text
            })
            .chars()
            .collect()
    }
}

fn list(r: &mut Random, element: fn(&mut Random) -> String) -> String {
    let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let values: Vec<String> =
        (0..r.below(5)).map(|_| if r.below(4) == 0 { "NULL".to_owned() } else { quoted(element(r)) }).collect();
    format!("{{{}}}", values.join(","))
}

/// A value as COPY's text format has it.
fn field(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn run(client: &mut WireClient, sql: &str) {
    assert_eq!(client.query(sql)[0].error, None, "{sql}");
}

fn load(client: &mut WireClient, sql: &str, bytes: &[u8], note: &str) {
    let mut pieces = bytes.chunks(1009).map(<[u8]>::to_vec);
    let answers = client.copy_in(sql, &mut pieces, CopyEnd::Done).unwrap();
    assert_eq!(answers[0].tag, Some(format!("COPY {ROWS}")), "{note}: {sql}: {:?}", answers[0].error);
}

fn unload(client: &mut WireClient, table: &str, columns: &str, options: &str) -> Vec<u8> {
    let sql = format!("COPY (SELECT {columns} FROM {table} ORDER BY id) TO STDOUT ({options})");
    let answers = client.query(&sql);
    assert_eq!(answers[0].error, None, "{sql}");
    answers[0].copied.clone()
}

fn shown(bytes: &[u8]) -> Vec<String> {
    bytes.split_inclusive(|b| *b == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

fn round(r: &mut Random, theirs: &mut WireClient, ours: &mut WireClient, n: u64, note: &str) {
    let count = 1 + r.below(COLUMNS_MAX);
    let types: Vec<Type> = (0..count).map(|_| TYPES[usize::try_from(r.below(TYPES.len() as u64)).unwrap()]).collect();
    let columns: Vec<String> = types.iter().enumerate().map(|(i, (name, _))| format!("c{i} {name}")).collect();
    let note = format!("{note}, table ({})", columns.join(", "));
    for (client, tables) in [(&mut *theirs, ["a", "b"]), (&mut *ours, ["a", "b"])] {
        for table in tables {
            run(client, &format!("CREATE TABLE {table}{n} (id int, {})", columns.join(", ")));
        }
    }
    let mut data = String::new();
    for id in 0..ROWS {
        let _ = write!(data, "{id}");
        for (_, value) in &types {
            let value = if r.below(6) == 0 { "\\N".to_owned() } else { field(&value(r)) };
            let _ = write!(data, "\t{value}");
        }
        data.push('\n');
    }
    load(theirs, &format!("COPY a{n} FROM STDIN"), data.as_bytes(), &note);
    let list: Vec<String> = (0..types.len()).map(|i| format!("c{i}")).collect();
    let list = format!("id, {}", list.join(", "));
    for options in [
        "FORMAT text",
        "FORMAT csv, HEADER",
        "FORMAT binary",
        "FORMAT csv, FORCE_QUOTE *, DELIMITER '|', QUOTE '''', NULL 'NULL'",
        "FORMAT text, DELIMITER ',', NULL ''",
    ] {
        let note = format!("{note}, {options}");
        let input = options.replace("FORCE_QUOTE *, ", "");
        let bytes = unload(theirs, &format!("a{n}"), &list, options);
        run(ours, &format!("TRUNCATE a{n}"));
        load(ours, &format!("COPY a{n} FROM STDIN ({input})"), &bytes, &note);
        let again = unload(ours, &format!("a{n}"), &list, options);
        assert_eq!(shown(&again), shown(&bytes), "{note}: ours, and PostgreSQL's");
        assert_eq!(again, bytes, "{note}");
        // And what is ours, there and back.
        run(theirs, &format!("TRUNCATE b{n}"));
        load(theirs, &format!("COPY b{n} FROM STDIN ({input})"), &again, &note);
        assert_eq!(unload(theirs, &format!("b{n}"), &list, options), bytes, "{note}: PostgreSQL's of ours");
    }
    // Text is what all of them are compared by: Parquet has no PostgreSQL to compare with.
    let parquet = unload(ours, &format!("a{n}"), &list, "FORMAT parquet");
    load(ours, &format!("COPY b{n} FROM STDIN (FORMAT parquet)"), &parquet, &note);
    let (before, after) =
        (unload(ours, &format!("a{n}"), &list, "FORMAT text"), unload(ours, &format!("b{n}"), &list, "FORMAT text"));
    assert_eq!(shown(&after), shown(&before), "{note}: through Parquet, and before");
}

#[test]
fn copy_of_random_tables_is_as_postgres_has_it() {
    let number = |name: &str, default: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, rounds) = (number("DUCKMESH_SEED", 20_261_121), number("DUCKMESH_COPY_ROUNDS", 6));
    println!("DUCKMESH_SEED={seed}");
    let (postgres, server) = (Postgres::start(), Server::start());
    let mut theirs = WireClient::connect(postgres.port(), "postgres", "tester");
    let mut ours = server.wire();
    for client in [&mut theirs, &mut ours] {
        run(client, "SET timezone = 'UTC'");
        run(client, "SET client_min_messages = warning");
    }
    let mut random = Random(seed);
    for n in 0..rounds {
        round(&mut random, &mut theirs, &mut ours, n, &format!("DUCKMESH_SEED={seed}, round {n}"));
    }
}
