//! COPY against what PostgreSQL 15 does with the same bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use bytes::BytesMut;
use duckmesh_catalog::types::ColumnType;

use super::*;
use crate::value::{Encoder, ValueContext};
use crate::wire::error::PgError;

fn context() -> Arc<ValueContext> {
    Arc::new(ValueContext::new(chrono::DateTime::UNIX_EPOCH))
}

/// `orders(a int, b text, amount numeric(5,2))`
fn columns() -> Vec<SinkColumn> {
    [("a", ColumnType::Int4), ("b", ColumnType::Text), ("amount", ColumnType::Numeric(5, 2))]
        .into_iter()
        .map(|(name, ty)| SinkColumn { name: name.to_owned(), ty, not_null: false })
        .collect()
}

fn names() -> Vec<String> {
    columns().into_iter().map(|c| c.name).collect()
}

fn options(raw: &RawCopyOptions, direction: Direction) -> Result<CopyOptions, PgError> {
    let names = names();
    CopyOptions::new(raw, direction, &CopyTarget { relation: Some("orders"), all: &names, columns: &names })
}

/// `csv header=match null=x`: words for options.
fn raw(words: &str) -> RawCopyOptions {
    let mut raw = RawCopyOptions::default();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let text = Some(value.replace("NONE", "").replace("NL", "\n"));
        let force = Some(ForceColumns::Named(value.split(',').map(str::to_owned).collect()));
        match name {
            "csv" => raw.format = Some("csv".to_owned()),
            "format" => raw.format = text,
            "delimiter" => raw.delimiter = text,
            "null" => raw.null = text,
            "header" => raw.header = text,
            "quote" => raw.quote = text,
            "escape" => raw.escape = text,
            "encoding" => raw.encoding = text,
            "force_null" => raw.force_null = force,
            "force_not_null" => raw.force_not_null = force,
            "force_quote" => raw.force_quote = force,
            other => panic!("{other}"),
        }
    }
    raw
}

/// Sends `pieces` and shows the rows as `a|b|amount`, or the error.
fn copy(words: &str, pieces: &[&[u8]]) -> String {
    let run = || -> Result<String, PgError> {
        let mut parser = CopyParser::new(options(&raw(words), Direction::From)?);
        let limits = BatchLimits { rows: 2, bytes: 1 << 20 };
        let mut sink = RowSink::new("orders", &columns(), limits, context())?;
        for piece in pieces {
            parser.feed(piece, &mut sink)?;
        }
        parser.finish(&mut sink)?;
        let mut batches = Vec::new();
        while let Some(batch) = sink.take_batch() {
            batches.push(batch);
        }
        batches.extend(sink.take_rest()?);
        let plain = options(&raw("delimiter=| null=NULL"), Direction::To)?;
        let mut out = BytesMut::new();
        for batch in &batches {
            let encoders = batch
                .columns()
                .iter()
                .map(|c| Encoder::new(c.data_type(), "", None, &context()))
                .collect::<Result<Vec<_>, _>>()?;
            CopyWriter::new(plain.clone(), encoders).write(batch, 0..batch.num_rows(), &mut out)?;
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    };
    run().unwrap_or_else(|error| {
        let fields = error.fields();
        let part = |text: &Option<String>| text.as_ref().map_or(String::new(), |t| format!(" / {t}"));
        format!("{error}{}{}", part(&fields.hint), part(&fields.context))
    })
}

/// Options, data, and what Postgres does.
const CASES: &[(&str, &[u8], &str)] = &[
    ("", b"1\tx\t2\n2\ty\n", "22P04: missing data for column \"amount\" / COPY orders, line 2: \"2\ty\""),
    ("", b"1\tx\t2\t3\n", "22P04: extra data after last expected column / COPY orders, line 1: \"1\tx\t2\t3\""),
    (
        "",
        b"1\tx\tabc\n",
        "22P02: invalid input syntax for type numeric: \"abc\" / COPY orders, line 1, column amount: \"abc\"",
    ),
    ("", b"1\tx\t1000\n", "22003: numeric field overflow / COPY orders, line 1, column amount: \"1000\""),
    ("", b"1\tx\t10\n\\.\n2\tx\t10\n", "1|x|10.00\n"),
    ("", b"1\tx\t10\n\\.x\n", "22P04: end-of-copy marker corrupt / COPY orders, line 2"),
    ("", b"1\tx\\.\t10\n", "22P04: end-of-copy marker corrupt / COPY orders, line 1"),
    ("", b"1\tx\t10\\.\n", "1|x|10.00\n"),
    (
        "",
        b"1\tx\t10\r\n2\ty\t10\n",
        "22P04: literal newline found in data / Use \"\\n\" to represent newline. / COPY orders, line 2",
    ),
    (
        "",
        b"1\tx\t10\n2\ty\t10\r\n",
        "22P04: literal carriage return found in data / Use \"\\r\" to represent carriage return. / COPY orders, line 2",
    ),
    (
        "",
        b"1\tx\t10\r2\ty\t10\n3\tz\t4\r",
        "22P04: literal newline found in data / Use \"\\n\" to represent newline. / COPY orders, line 2",
    ),
    ("", b"1\t\\\n\t10\n", "1|\\n|10.00\n"),
    ("", b"1\ta\\tb\\141\\x62\\N\\q\t\\N\n", "1|a\\tbabNq|NULL\n"),
    ("", b"1\t\\N\t10", "1|NULL|10.00\n"),
    ("", b"1\t\xff\t10\n", "22021: invalid byte sequence for encoding \"UTF8\": 0xff / COPY orders, line 1"),
    (
        "",
        b"1\t\\377\t10\n",
        "22021: invalid byte sequence for encoding \"UTF8\": 0xff / COPY orders, line 1: \"1\t\\377\t10\"",
    ),
    (
        "",
        b"1\ta\\000b\t10\n",
        "22021: invalid byte sequence for encoding \"UTF8\": 0x00 / COPY orders, line 1: \"1\ta\\000b\t10\"",
    ),
    ("", b"\n", "22P02: invalid input syntax for type integer: \"\" / COPY orders, line 1, column a: \"\""),
    ("", b"", ""),
    ("", b"1\ta\\\tb\t10\n", "1|a\\tb|10.00\n"),
    ("", b"1\ta\\\\b\t10\n", "1|a\\\\b|10.00\n"),
    ("delimiter=| null=NONE", b"1||10\n2|a\\|b|\n", "1|NULL|10.00\n2|a\\|b|NULL\n"),
    ("", b"1\tx\t10\\", "1|x|10.00\n"),
    (
        "",
        b"99999999999\tx\t10\n",
        "22003: value \"99999999999\" is out of range for type integer / COPY orders, line 1, column a: \"99999999999\"",
    ),
    ("", b"1\tx\t10\n\\.", "22P04: end-of-copy marker corrupt / COPY orders, line 2"),
    ("", b"1\tx\t10\r\n\\.\n", "22P04: end-of-copy marker does not match previous newline style / COPY orders, line 2"),
    ("", b"1\tx\t10\n\\.\r\n", "22P04: end-of-copy marker does not match previous newline style / COPY orders, line 2"),
    ("header=match", b"a\tb\tamount\n1\tx\t3\n", "1|x|3.00\n"),
    (
        "header=match",
        b"a\t\\N\tamount\n1\tx\t3\n",
        "22P04: column name mismatch in header line field 2: got null value (\"\\N\"), expected \"b\" \
         / COPY orders, line 1: \"a\t\\N\tamount\"",
    ),
    ("csv", b"1,\"a\nb\",2\n", "1|a\\nb|2.00\n"),
    ("csv", b"1,\"a,2\n", "22P04: unterminated CSV quoted field / COPY orders, line 1: \"1,\"a,2\n\""),
    ("csv", b"1,\"\",2\n2,,3\n", "1||2.00\n2|NULL|3.00\n"),
    ("csv", b"1,x,2,3\n", "22P04: extra data after last expected column / COPY orders, line 1: \"1,x,2,3\""),
    ("csv", b"1,x\n", "22P04: missing data for column \"amount\" / COPY orders, line 1: \"1,x\""),
    ("csv", b"1,\"x\"\"y\"z,3\n", "1|x\"yz|3.00\n"),
    ("csv", b"1,x\"y\"z,3\n", "1|xyz|3.00\n"),
    ("csv", b"1,x,3\n\\.\n2,x,3\n", "1|x|3.00\n"),
    ("csv", b"1,\\.,3\n", "1|\\\\.|3.00\n"),
    (
        "csv",
        b"1,x,3\r\n2,y,4\n",
        "22P04: unquoted newline found in data / Use quoted CSV field to represent newline. / COPY orders, line 2",
    ),
    (
        "csv",
        b"1,x,3\n2,y\r,4\n",
        "22P04: unquoted carriage return found in data / Use quoted CSV field to represent carriage return. \
         / COPY orders, line 2",
    ),
    ("csv", b"1,\"x\r\ny\",3\r\n2,y,4\r\n", "1|x\\r\\ny|3.00\n2|y|4.00\n"),
    (
        "csv header=match",
        b"a,b,c\n1,x,3\n",
        "22P04: column name mismatch in header line field 3: got \"c\", expected \"amount\" \
         / COPY orders, line 1: \"a,b,c\"",
    ),
    (
        "csv header=match",
        b"a,b\n1,x,3\n",
        "22P04: wrong number of fields in header line: got 2, expected 3 / COPY orders, line 1: \"a,b\"",
    ),
    ("csv header=match", b"a,b,amount\n1,x,3\n", "1|x|3.00\n"),
    (
        "csv header",
        b"a,\"b\nc\",amount\n1,x,zz\n",
        "22P02: invalid input syntax for type numeric: \"zz\" / COPY orders, line 2, column amount: \"zz\"",
    ),
    ("csv escape=\\", b"1,\"a\\\"b\\c\\\\\",3\n", "1|a\"b\\\\c\\\\|3.00\n"),
    ("csv force_null=b", b"1,\"\",3\n", "1|NULL|3.00\n"),
    ("csv force_not_null=b", b"1,,3\n", "1||3.00\n"),
    ("csv null=x", b"1,\"x\",3\n2,x,3\n", "1|x|3.00\n2|NULL|3.00\n"),
    ("csv", b"\n", "22P04: missing data for column \"b\" / COPY orders, line 1: \"\""),
    ("csv", b"1,\xc3(,2\n", "22021: invalid byte sequence for encoding \"UTF8\": 0xc3 0x28 / COPY orders, line 1"),
    ("csv", b"1,x,\n", "1|x|NULL\n"),
    ("csv", b"1,x,3\r2,y,4\r", "1|x|3.00\n2|y|4.00\n"),
    (
        "csv",
        b"1,x,3\n\"\\.\"\n",
        "22P02: invalid input syntax for type integer: \"\\.\" / COPY orders, line 2, column a: \"\\.\"",
    ),
    (
        "csv",
        b"1,x,3\n\\.a\n",
        "22P02: invalid input syntax for type integer: \"\\.a\" / COPY orders, line 2, column a: \"\\.a\"",
    ),
];

#[test]
fn rows_and_errors_are_those_of_postgres() {
    for (words, data, expected) in CASES {
        let shown = copy(words, &[data]).replace("\\|", "|");
        assert_eq!(shown, expected.replace("\\|", "|"), "{words} {:?}", String::from_utf8_lossy(data));
    }
}

#[test]
fn frames_may_be_cut_anywhere() {
    for (words, data, _) in CASES {
        let whole = copy(words, &[data]);
        for cut in 0..=data.len() {
            let (a, b) = data.split_at(cut);
            assert_eq!(copy(words, &[a, b]), whole, "{words} {a:?} {b:?}");
        }
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(copy(words, &bytes), whole, "{words} {:?}", String::from_utf8_lossy(data));
    }
}

/// The rows of `to_stdout.expected`, which is what Postgres wrote.
fn written_rows() -> RecordBatch {
    let texts: Vec<Option<&str>> = vec![
        Some("a\tb\\c\nd\re\u{8}f\u{c}gvh"),
        Some(""),
        None,
        Some("x,\"y\",z"),
        Some("\\."),
        Some("é;|"),
        Some("\u{1}\u{7f}"),
        Some(" sp "),
        Some("NULL"),
        Some("\\N"),
    ];
    let mut times: Vec<Option<i64>> = vec![None; texts.len()];
    times[0] = Some(1_704_153_600_000_000);
    times[2] = Some(i64::MAX);
    let numbers = Int32Array::from_iter_values(1..=10);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(numbers)),
        ("b", Arc::new(StringArray::from(texts))),
        ("c", Arc::new(TimestampMicrosecondArray::from(times))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

#[test]
fn written_as_postgres_writes() {
    let expected = include_str!("to_stdout.expected");
    let batch = written_rows();
    for (words, expected) in [
        "",
        "csv",
        "csv header force_quote=a,c null=NULL",
        "header delimiter=| null=NONE",
        "csv quote=' escape=\\ delimiter=;",
        "b csv",
        "csv force_quote=a,b,c",
        "csv null=3 delimiter=1",
    ]
    .into_iter()
    .zip(expected.split_inclusive("\n--\n"))
    {
        let (batch, words) = match words.strip_prefix("b ") {
            Some(words) => (batch.project(&[1]).unwrap(), words),
            None => (batch.clone(), words),
        };
        let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        let target = CopyTarget { relation: Some("w"), all: &names, columns: &names };
        let mut raw = raw(words);
        // The word for an empty text is not meant here.
        if words.contains("null=NULL") {
            raw.null = Some("NULL".to_owned());
        }
        let options = CopyOptions::new(&raw, Direction::To, &target).unwrap();
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.data_type(), "", None, &context()).unwrap()).collect();
        let writer = CopyWriter::new(options, encoders);
        let mut out = BytesMut::new();
        writer.header(&names, &mut out);
        writer.write(&batch, 0..batch.num_rows(), &mut out).unwrap();
        let expected = expected.strip_suffix("--\n").unwrap_or(expected);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{words}");
    }
}

#[test]
fn long_values_are_cut_in_errors() {
    let long = "y".repeat(150);
    let shown = copy("", &[format!("1\t2\t{long}\n").as_bytes()]);
    assert!(shown.ends_with(&format!("column amount: \"{}...\"", "y".repeat(100))), "{shown}");
}

#[test]
fn null_in_a_column_without_null() {
    let mut not_null = columns();
    not_null[1].not_null = true;
    let limits = BatchLimits { rows: 100, bytes: 1 << 20 };
    let mut sink = RowSink::new("orders", &not_null, limits, context()).unwrap();
    let mut parser = CopyParser::new(options(&raw("csv"), Direction::From).unwrap());
    let error = parser.feed(b"1,x,2\n2,,3\n", &mut sink).unwrap_err();
    assert_eq!(
        error.to_string(),
        "23502: null value in column \"b\" of relation \"orders\" violates not-null constraint"
    );
    assert_eq!(error.fields().context.as_deref(), Some("COPY orders, line 2: \"2,,3\""));
    assert_eq!(error.fields().detail.as_deref(), Some("Failing row contains (2, null, 3.00)."));
}

#[test]
fn options_are_checked_as_postgres_does() {
    use Direction::{From, To};
    for (words, direction, expected) in [
        ("format=foo", From, "22023: COPY format \"foo\" not recognized"),
        ("delimiter=ab", From, "0A000: COPY delimiter must be a single one-byte character"),
        ("delimiter=a", From, "22023: COPY delimiter cannot be \"a\""),
        ("delimiter=\\", From, "22023: COPY delimiter cannot be \"\\\""),
        ("delimiter=NONE", From, "0A000: COPY delimiter must be a single one-byte character"),
        ("delimiter=NL", From, "22023: COPY delimiter cannot be newline or carriage return"),
        ("null=aNL", From, "22023: COPY null representation cannot use newline or carriage return"),
        ("delimiter=, null=a,b", From, "0A000: COPY delimiter must not appear in the NULL specification"),
        ("quote=\"", From, "0A000: COPY quote available only in CSV mode"),
        ("escape=\"", From, "0A000: COPY escape available only in CSV mode"),
        ("csv quote=\"\"", From, "0A000: COPY quote must be a single one-byte character"),
        ("csv escape=\"\"", From, "0A000: COPY escape must be a single one-byte character"),
        ("csv quote=,", From, "22023: COPY delimiter and quote must be different"),
        ("csv null=a\"b", From, "0A000: CSV quote character must not appear in the NULL specification"),
        ("csv force_quote=a", From, "0A000: COPY force quote only available using COPY TO"),
        ("csv force_not_null=a", To, "0A000: COPY force not null only available using COPY FROM"),
        ("csv force_null=a", To, "0A000: COPY force null only available using COPY FROM"),
        ("force_null=a", From, "0A000: COPY force null available only in CSV mode"),
        ("force_not_null=a", From, "0A000: COPY force not null available only in CSV mode"),
        ("force_quote=a", To, "0A000: COPY force quote available only in CSV mode"),
        ("csv force_null=zz", From, "42703: column \"zz\" of relation \"orders\" does not exist"),
        ("csv header=maybe", From, "42601: header requires a Boolean value or \"match\""),
        ("csv header=match", To, "0A000: cannot use \"match\" with HEADER in COPY TO"),
        ("encoding=klingon", From, "22023: argument to option \"encoding\" must be a valid encoding name"),
    ] {
        assert_eq!(options(&raw(words), direction).unwrap_err().to_string(), expected, "{words}");
    }
}
