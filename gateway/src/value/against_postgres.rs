//! Every text form and error against a real PostgreSQL: the judge.
//!
//! Needs the server's binaries (`initdb`, `postgres`); without them the test fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::BytesMut;
use duckmesh_catalog::types::ColumnType;

use super::*;
use crate::wire::error::PgError;

const BINARIES: &[&str] = &[
    "/usr/lib/postgresql/15/bin",
    "/usr/pgsql-15/bin",
    "/opt/homebrew/opt/postgresql@15/bin",
    "/usr/local/opt/postgresql@15/bin",
];

/// A corpus line: settings that differ from the defaults, a type, texts for it.
struct Corpus {
    settings: &'static [(&'static str, &'static str)],
    ty: ColumnType,
    texts: Vec<String>,
}

fn corpus() -> Vec<Corpus> {
    let lines = |text: &str| text.lines().map(|l| l.replace("␣", " ").replace("␤", "\n")).collect::<Vec<_>>();
    let plain = |ty: ColumnType, text: &str| Corpus { settings: &[], ty, texts: lines(text) };
    let with = |settings, ty: ColumnType, text: &str| Corpus { settings, ty, texts: lines(text) };
    let list = |ty: ColumnType| ColumnType::Array(Box::new(ty));
    let dates = include_str!("corpus/dates.txt");
    let times = include_str!("corpus/times.txt");
    let stamps = include_str!("corpus/timestamps.txt");
    let intervals = include_str!("corpus/intervals.txt");
    let json = include_str!("corpus/json.txt");
    let numbers = include_str!("corpus/numbers.txt");
    let arrays = include_str!("corpus/arrays.txt");
    let other = include_str!("corpus/other.txt");
    vec![
        plain(ColumnType::Bool, other),
        plain(ColumnType::Uuid, other),
        plain(ColumnType::Bytea, other),
        with(&[("bytea_output", "escape")], ColumnType::Bytea, other),
        plain(ColumnType::Varchar(Some(5)), other),
        plain(ColumnType::Char(5), other),
        plain(ColumnType::Text, other),
        plain(ColumnType::Int2, numbers),
        plain(ColumnType::Int4, numbers),
        plain(ColumnType::Int8, numbers),
        plain(ColumnType::Float4, numbers),
        plain(ColumnType::Float8, numbers),
        with(&[("extra_float_digits", "0")], ColumnType::Float8, numbers),
        with(&[("extra_float_digits", "-3")], ColumnType::Float4, numbers),
        plain(ColumnType::Numeric(10, 2), numbers),
        plain(ColumnType::Numeric(38, 9), numbers),
        plain(ColumnType::Numeric(4, 4), numbers),
        plain(ColumnType::Numeric(5, 0), numbers),
        plain(ColumnType::Date, dates),
        with(&[("datestyle", "ISO, DMY")], ColumnType::Date, dates),
        with(&[("datestyle", "ISO, YMD")], ColumnType::Date, dates),
        with(&[("datestyle", "German")], ColumnType::Date, dates),
        with(&[("datestyle", "SQL, DMY")], ColumnType::Date, dates),
        with(&[("datestyle", "Postgres, MDY")], ColumnType::Date, dates),
        plain(ColumnType::Time, times),
        plain(ColumnType::Timestamp, stamps),
        plain(ColumnType::Timestamp, dates),
        plain(ColumnType::Timestamp, times),
        with(&[("datestyle", "SQL, DMY")], ColumnType::Timestamp, stamps),
        with(&[("datestyle", "Postgres, MDY")], ColumnType::Timestamp, stamps),
        plain(ColumnType::Timestamptz, stamps),
        plain(ColumnType::Timestamptz, dates),
        with(&[("timezone", "Europe/Paris")], ColumnType::Timestamptz, stamps),
        with(&[("timezone", "America/St_Johns")], ColumnType::Timestamptz, stamps),
        with(&[("timezone", "<+05:30>-05:30")], ColumnType::Timestamptz, stamps),
        with(&[("timezone", "Europe/Paris"), ("datestyle", "Postgres, DMY")], ColumnType::Timestamptz, stamps),
        with(&[("timezone", "America/New_York"), ("datestyle", "SQL, MDY")], ColumnType::Timestamptz, stamps),
        with(&[("timezone", "Asia/Kolkata"), ("datestyle", "German")], ColumnType::Timestamptz, stamps),
        plain(ColumnType::Interval, intervals),
        with(&[("intervalstyle", "postgres_verbose")], ColumnType::Interval, intervals),
        with(&[("intervalstyle", "sql_standard")], ColumnType::Interval, intervals),
        with(&[("intervalstyle", "iso_8601")], ColumnType::Interval, intervals),
        plain(ColumnType::Json, json),
        plain(ColumnType::Jsonb, json),
        plain(list(ColumnType::Int4), arrays),
        plain(list(ColumnType::Text), arrays),
        plain(list(ColumnType::Char(3)), arrays),
        plain(list(ColumnType::Timestamp), arrays),
    ]
}

fn context(settings: &[(&str, &str)]) -> Arc<ValueContext> {
    let mut ctx = ValueContext::new(chrono::DateTime::UNIX_EPOCH);
    for (name, value) in settings {
        match *name {
            "timezone" => ctx.time_zone = TimeZone::parse(value).expect(value),
            "bytea_output" => ctx.bytea_output = ByteaOutput::Escape,
            "extra_float_digits" => ctx.extra_float_digits = value.parse().expect("a number"),
            "intervalstyle" => {
                ctx.interval_style = match *value {
                    "postgres_verbose" => IntervalStyle::PostgresVerbose,
                    "sql_standard" => IntervalStyle::SqlStandard,
                    _ => IntervalStyle::Iso8601,
                }
            }
            _ => {
                let (style, order) = value.split_once(", ").unwrap_or((value, "DMY"));
                ctx.date_style = match style {
                    "SQL" => DateStyle::Sql,
                    "Postgres" => DateStyle::Postgres,
                    "German" => DateStyle::German,
                    _ => DateStyle::Iso,
                };
                ctx.date_order = match order {
                    "DMY" => DateOrder::Dmy,
                    "YMD" => DateOrder::Ymd,
                    _ => DateOrder::Mdy,
                };
            }
        }
    }
    Arc::new(ctx)
}

/// Text and binary form through Arrow, or the error as one line.
fn ours(ty: &ColumnType, text: &str, ctx: &Arc<ValueContext>) -> String {
    let run = || -> Result<String, PgError> {
        let array = if *ty == ColumnType::Interval {
            // What a lake cannot hold is refused later than what Postgres refuses.
            let value = interval::parse(text.as_bytes(), None, ctx)?;
            let nanos = value.micros.saturating_mul(1000);
            let value = arrow::datatypes::IntervalMonthDayNano::new(value.months, value.days, nanos);
            Arc::new(arrow::array::IntervalMonthDayNanoArray::from(vec![value])) as arrow::array::ArrayRef
        } else {
            // The judge is asked with a cast.
            let mut column = ColumnBuilder::new(ty, 1)?.explicit_cast();
            column.append_text(text.as_bytes(), ctx)?;
            column.finish()
        };
        let encoder = Encoder::new(array.data_type(), "", Some(ty), ctx)?;
        let bound = encoder.bind(&array)?;
        let mut shown = BytesMut::new();
        bound.encode_text(0, &mut shown)?;
        let mut binary = BytesMut::new();
        bound.encode_binary(0, &mut binary)?;
        let hex = binary.iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        });
        if *ty != ColumnType::Interval {
            let mut again = ColumnBuilder::new(ty, 1)?;
            again.append_binary(&binary, ctx)?;
            assert_eq!(&again.finish(), &array, "binary form of {text}");
        }
        Ok(format!("{} = {hex}", String::from_utf8_lossy(&shown)))
    };
    run().unwrap_or_else(|error| {
        let fields = error.fields();
        format!(
            "{}|{}|{}|{}",
            fields.code.0,
            fields.message,
            fields.detail.as_deref().unwrap_or_default(),
            fields.hint.as_deref().unwrap_or_default()
        )
    })
}

/// A server of its own, stopped when dropped.
struct Server {
    folder: tempfile::TempDir,
    binaries: PathBuf,
}

/// PostgreSQL refuses root: run as its own user then.
fn run(command: &str) -> std::process::Output {
    let is_root = unsafe {
        // SAFETY: geteuid has no preconditions.
        libc::geteuid() == 0
    };
    let mut shell = if is_root {
        let mut su = Command::new("su");
        su.args(["postgres", "-s", "/bin/sh", "-c", command]);
        su
    } else {
        let mut sh = Command::new("sh");
        sh.args(["-c", command]);
        sh
    };
    shell.current_dir("/").output().expect("a shell")
}

impl Server {
    fn start() -> Self {
        let binaries = BINARIES.iter().map(Path::new).find(|p| p.join("initdb").exists());
        let binaries = binaries.expect("PostgreSQL 15 is needed for this test").to_owned();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("permissions");
        let (bin, at) = (binaries.display(), folder.path().display());
        let output = run(&format!(
            "{bin}/initdb -D {at}/data -E UTF8 --locale=C -A trust -U judge >/dev/null && \
             {bin}/pg_ctl -D {at}/data -w -l {at}/log -o \"-k {at} -c listen_addresses= -c fsync=off\" start >/dev/null"
        ));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder, binaries }
    }

    /// What the server says to each text of each corpus, in order.
    fn judge(&self, corpora: &[Corpus]) -> Vec<String> {
        let mut script = "SET client_min_messages = error;\n".to_owned();
        for corpus in corpora {
            ask(corpus, &mut script);
        }
        let path = self.folder.path().join("script.sql");
        std::fs::write(&path, script).expect("the script");
        let at = self.folder.path().display();
        let output =
            run(&format!("{}/psql -h {at} -U judge -d postgres -XAtq -f {}", self.binaries.display(), path.display()));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(unhex).collect()
    }
}

/// Appends the questions of one corpus; answers come as hexadecimal lines.
fn ask(corpus: &Corpus, script: &mut String) {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    // Output functions by name: casts to text strip blanks, and write booleans as words.
    let (out, send) = functions(&corpus.ty);
    let _ = write!(
        script,
        "RESET ALL;
         SET timezone TO 'UTC';
         CREATE OR REPLACE FUNCTION pg_temp.say(t text, type text) RETURNS text LANGUAGE plpgsql AS $f$
         DECLARE r text; m text; d text; h text; s text; c text;
         BEGIN
           c := quote_literal(t) || '::' || type;
           EXECUTE 'SELECT {out}(' || c || ')::text || '' = '' || encode({send}(' || c || '), ''hex'')' INTO r;
           RETURN r;
         EXCEPTION WHEN others THEN
           GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL,
             h = PG_EXCEPTION_HINT;
           RETURN s || '|' || m || '|' || coalesce(d, '') || '|' || coalesce(h, '');
         END $f$;\n"
    );
    for (name, value) in corpus.settings {
        let _ = writeln!(script, "SET {name} TO {};", quote_list(value));
    }
    for text in &corpus.texts {
        let (text, ty) = (quote(text), quote(&corpus.ty.to_string()));
        let _ = writeln!(script, "SELECT encode(convert_to(pg_temp.say({text}, {ty}), 'UTF8'), 'hex');");
    }
}

/// `'ISO, DMY'` is a list of words for SET.
fn quote_list(value: &str) -> String {
    if value.contains(", ") { value.to_owned() } else { format!("'{value}'") }
}

fn unhex(text: &str) -> String {
    let digit = |b: u8| u8::try_from(char::from(b).to_digit(16).unwrap_or(0)).unwrap_or(0);
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(|p| digit(p[0]) << 4 | digit(p[1])).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Output and send functions of a type.
fn functions(ty: &ColumnType) -> (String, String) {
    let name = match ty {
        ColumnType::Varchar(_) => "varchar".to_owned(),
        ColumnType::Char(_) => "bpchar".to_owned(),
        ColumnType::Array(_) => return ("array_out".to_owned(), "array_send".to_owned()),
        other => oid_name(other).to_owned(),
    };
    let underscore = !matches!(
        ty,
        ColumnType::Bool
            | ColumnType::Int2
            | ColumnType::Int4
            | ColumnType::Int8
            | ColumnType::Float4
            | ColumnType::Float8
            | ColumnType::Bytea
            | ColumnType::Text
            | ColumnType::Varchar(_)
            | ColumnType::Char(_)
    );
    let mark = if underscore { "_" } else { "" };
    (format!("{name}{mark}out"), format!("{name}{mark}send"))
}

fn oid_name(ty: &ColumnType) -> &'static str {
    match ty {
        ColumnType::Bool => "bool",
        ColumnType::Int2 => "int2",
        ColumnType::Int4 => "int4",
        ColumnType::Int8 => "int8",
        ColumnType::Float4 => "float4",
        ColumnType::Float8 => "float8",
        ColumnType::Numeric(..) => "numeric",
        ColumnType::Bytea => "bytea",
        ColumnType::Date => "date",
        ColumnType::Time => "time",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Timestamptz => "timestamptz",
        ColumnType::Interval => "interval",
        ColumnType::Uuid => "uuid",
        ColumnType::Json => "json",
        ColumnType::Jsonb => "jsonb",
        _ => "text",
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (bin, at) = (self.binaries.display(), self.folder.path().display());
        run(&format!("{bin}/pg_ctl -D {at}/data -m immediate stop; rm -rf {at}/data"));
    }
}

/// Where the lake differs from Postgres on purpose.
fn is_known_difference(ty: &ColumnType, text: &str, theirs: &str, ours: &str) -> bool {
    // Numbers that a lake cannot hold.
    ours.contains("a lake cannot hold NaN")
        // Lists have one dimension and begin at 1.
        || ours.starts_with("0A000|multidimensional arrays") || ours.starts_with("0A000|arrays that do not begin at index 1")
        // 64 bits of microseconds since 1970 end in the year 294247.
        || matches!(ty, ColumnType::Timestamp | ColumnType::Timestamptz) && text.starts_with("29") && !theirs.contains('|')
        // The engine cannot read json text with half a surrogate pair.
        || *ty == ColumnType::Json && ours.contains("surrogate")
        // Arrow's intervals have nanoseconds in 64 bits.
        || *ty == ColumnType::Interval && (text.starts_with("9223372036854775807") || text.starts_with("2562047788"))
}

#[test]
fn values_are_those_of_postgres() {
    let server = Server::start();
    let mut wrong = String::new();
    let mut count = 0;
    let corpora = corpus();
    let mut judged = server.judge(&corpora).into_iter();
    for corpus in &corpora {
        let ctx = context(corpus.settings);
        for text in &corpus.texts {
            let theirs = judged.next().expect("an answer to each question");
            let ours = ours(&corpus.ty, text, &ctx);
            count += 1;
            if ours != theirs && !is_known_difference(&corpus.ty, text, &theirs, &ours) {
                let _ = writeln!(
                    wrong,
                    "{} {:?} {text:?}\n  postgres {theirs}\n  ours     {ours}",
                    corpus.ty, corpus.settings
                );
            }
        }
    }
    assert!(wrong.is_empty(), "of {count} values\n{wrong}");
}
