//! Every decoder of what comes from outside, given changed bytes for a while: it may refuse them, and never panic.
//!
//! Seeded and without tools: inputs of `corpus/<target>` are changed, cut and joined. What makes a decoder panic is written
//! there, so that it is tried first from then on. `make fuzz` runs for long (`DUCKMESH_FUZZ_SECONDS` for each target,
//! `DUCKMESH_SEED`). The conversation itself is `tests/wire/hostile.rs`, Parquet files `tests/python/parquet.py`.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use duckmesh::{
    copy::{BatchLimits, CopyOptions, CopyParser, CopyTarget, Direction, OnError, RawCopyOptions, RowSink, SinkColumn},
    value::{ColumnBuilder, ValueContext},
};
use duckmesh_catalog::ColumnType;

/// Inputs that are kept in memory beside the corpus, because they got a decoder further.
const KEPT_MAX: usize = 256;
const INPUT_BYTES_MAX: usize = 4096;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).unwrap_or(0)
    }
}

/// Bytes that mean something to some decoder.
const MEANINGFUL: &[&[u8]] = &[
    b"\\",
    b"\\N",
    b"\\.",
    b"\n",
    b"\r\n",
    b"\t",
    b",",
    b"\"",
    b"{",
    b"}",
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"NaN",
    b"infinity",
    b"-",
    b"9999999999999999999999",
    b"e",
    b"E+",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\\x",
    b"\\u0000",
    b"[",
    b"]",
    b":",
    b"BC",
    b"1",
    b"2000-01-01",
    b"\xff\xff",
];

fn changed(random: &mut Random, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = inputs[random.below(inputs.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(6) {
            0 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] = random.next() as u8;
            }
            1 if !input.is_empty() => {
                let at = at.min(input.len() - 1);
                input[at] ^= 1 << random.below(8);
            }
            2 => input.truncate(at),
            3 => {
                let other = &inputs[random.below(inputs.len())];
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            4 => {
                let piece = input[at..].to_vec();
                input.extend(piece);
            }
            _ => {
                let piece = MEANINGFUL[random.below(MEANINGFUL.len())];
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// Runs a decoder over changed inputs. It answers something that tells how far it came: new answers keep their input.
fn fuzz(target: &str, seeds: &[&[u8]], decode: impl Fn(&[u8]) -> String) {
    let number = |name: &str, default: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, seconds) = (number("DUCKMESH_SEED", 20_261_121), number("DUCKMESH_FUZZ_SECONDS", 2));
    println!("{target}: DUCKMESH_SEED={seed} DUCKMESH_FUZZ_SECONDS={seconds}");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut inputs: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        inputs.push(fs::read(entry.path()).unwrap());
    }
    let known = inputs.len();
    let mut answers = std::collections::HashSet::new();
    let mut random = Random(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0_u64;
    while runs < known as u64 || Instant::now() < end {
        let input = match usize::try_from(runs).ok().filter(|n| *n < known) {
            Some(n) => inputs[n].clone(),
            None => changed(&mut random, &inputs),
        };
        match catch_unwind(AssertUnwindSafe(|| decode(&input))) {
            Ok(answer) => {
                if answers.len() < KEPT_MAX && answers.insert(answer) {
                    inputs.push(input);
                }
            }
            Err(_) => {
                let name = format!(
                    "crash-{:016x}",
                    input.iter().fold(seed, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)))
                );
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(&name), &input).unwrap();
                panic!("{target} panics; the input is in {}/{name}", folder.display());
            }
        }
        runs += 1;
    }
    println!("{target}: {runs} inputs, {} kinds of answers", answers.len());
    assert!(runs > known as u64 && answers.len() > 1, "{target} does the same whatever it is given");
}

fn types() -> Vec<ColumnType> {
    use ColumnType as T;
    let scalars = vec![
        T::Bool,
        T::Int2,
        T::Int4,
        T::Int8,
        T::Float4,
        T::Float8,
        T::Numeric(12, 3),
        T::Text,
        T::Varchar(Some(5)),
        T::Char(3),
        T::Bytea,
        T::Date,
        T::Time,
        T::Timestamp,
        T::Timestamptz,
        T::Interval,
        T::Uuid,
        T::Json,
        T::Jsonb,
    ];
    let arrays = scalars.iter().map(|ty| T::Array(Box::new(ty.clone()))).collect::<Vec<_>>();
    scalars.into_iter().chain(arrays).collect()
}

fn context() -> Arc<ValueContext> {
    Arc::new(ValueContext::new(chrono::DateTime::UNIX_EPOCH))
}

/// A digit for a number: answers tell kinds apart, not values.
fn kind(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).take(60).collect()
}

fn copy(format: &str, on_error: OnError, input: &[u8]) -> String {
    let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let types =
        [ColumnType::Int4, ColumnType::Text, ColumnType::Numeric(12, 3), ColumnType::Array(Box::new(ColumnType::Date))];
    let columns: Vec<SinkColumn> = names
        .iter()
        .zip(types)
        .map(|(name, ty)| SinkColumn { name: name.clone(), ty, not_null: name == "a" })
        .collect();
    let raw = RawCopyOptions {
        format: Some(format.to_owned()),
        on_error: (on_error == OnError::Ignore).then(|| "ignore".to_owned()),
        ..RawCopyOptions::default()
    };
    let target = CopyTarget { relation: Some("t"), all: &names, columns: &names };
    let options = CopyOptions::new(&raw, Direction::From, &target).unwrap();
    let limits = BatchLimits { rows: 3, bytes: 200 };
    let run = |piece: usize| {
        let mut sink = RowSink::new("t", &columns, limits, context()).unwrap().with_lines();
        let mut parser = CopyParser::new(options.clone());
        let fed = input.chunks(piece.max(1)).try_for_each(|piece| parser.feed(piece, &mut sink));
        let ended = fed.and_then(|()| parser.finish(&mut sink));
        let rejected = sink.rejected().count();
        let mut rows = 0;
        while let Some(batch) = sink.take_batch() {
            rows += batch.num_rows();
        }
        if ended.is_ok() {
            rows += sink.take_rest().unwrap().map_or(0, |batch| batch.num_rows());
            assert_eq!(rows as u64, sink.rows(), "rows are lost");
        }
        (ended.map(|()| rows).map_err(|error| (error.to_string(), error.fields().context.clone())), rejected)
    };
    let whole = run(input.len());
    // Where the bytes are cut means nothing.
    assert_eq!(run(1), whole, "cut into single bytes");
    assert_eq!(run(7), whole, "cut into sevens");
    match whole {
        (Ok(rows), rejected) => format!("{} rows, {} rejected", rows.min(9), rejected.min(9)),
        (Err((error, _)), _) => kind(&error),
    }
}

const LINES: &[&[u8]] = &[
    b"1\tone\t1.5\t{2020-01-01}\n2\t\\N\t\\N\t\\N\n",
    b"1\ta\\tb\\\\\\x41\\101\t-1\t{}\r\n2\t\t0\t{NULL}\r\n\\.\r\n",
    b"x\ty\n",
    b"1\ta\t2\t\\N\r2\tb\t3\t\\N\r",
];
const CSV: &[&[u8]] = &[
    b"1,one,1.5,{2020-01-01}\n2,,,\n",
    b"1,\"a,\"\"b\"\"\nc\",-1,\"{}\"\r\n2,\"\",0,\r\n",
    b"1,\"open\n",
    b"1,a,2,\r2,b,3,\r",
];

#[test]
fn fuzz_copy_text() {
    fuzz("copy_text", LINES, |input| copy("text", OnError::Stop, input));
}

#[test]
fn fuzz_copy_text_with_rows_left_out() {
    fuzz("copy_ignore", LINES, |input| copy("text", OnError::Ignore, input));
}

#[test]
fn fuzz_copy_csv() {
    fuzz("copy_csv", CSV, |input| copy("csv", OnError::Ignore, input));
}

#[test]
fn fuzz_copy_binary() {
    let head = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let row = b"\0\x04\0\0\0\x04\0\0\0\x01\0\0\0\x01a\0\0\0\x0a\0\x01\0\0\0\0\0\x01\0\x07\xff\xff\xff\xff";
    let whole = [&head[..], row, row, b"\xff\xff"].concat();
    fuzz("copy_binary", &[&whole, head, &[&head[..], b"\xff\xff"].concat()], |input| {
        copy("binary", OnError::Stop, input)
    });
}

/// The first byte says which type.
fn value(
    input: &[u8],
    append: impl Fn(&mut ColumnBuilder, &[u8], &ValueContext) -> duckmesh::wire::PgResult<()>,
) -> String {
    let (types, ctx) = (types(), context());
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    let ty = &types[usize::from(*first) % types.len()];
    let mut builder = ColumnBuilder::new(ty, 1).unwrap();
    match append(&mut builder, rest, &ctx) {
        Ok(()) => {
            assert_eq!(builder.len(), 1);
            let array = builder.finish();
            assert_eq!(array.len(), 1);
            let encoder = duckmesh::value::Encoder::new(array.data_type(), &ty.duckdb(), Some(ty), &ctx).unwrap();
            let mut out = bytes::BytesMut::new();
            // What was taken can be shown, in both forms.
            encoder.bind(&array).unwrap().encode_text(0, &mut out).unwrap();
            encoder.bind(&array).unwrap().encode_binary(0, &mut out).unwrap();
            format!("{ty} taken")
        }
        Err(error) => format!("{ty} {}", kind(&error.to_string())),
    }
}

fn of_each_type(values: &[&[u8]]) -> Vec<Vec<u8>> {
    let count = u8::try_from(types().len()).unwrap();
    (0..count).flat_map(|ty| values.iter().map(move |value| [&[ty], *value].concat())).collect()
}

#[test]
fn fuzz_values_in_text() {
    let values: &[&[u8]] = &[
        b"1",
        b"t",
        b"-1.5e3",
        b"abc",
        b"\\x00ff",
        b"2020-02-29",
        b"12:34:56.789",
        b"2020-02-29 12:34:56.789+05:30",
        b"1 day 2:03:04",
        b"P1Y2M3DT4H5M6S",
        b"6f1a3c52-7a43-4f0e-9a5b-0c8f4b6d2e11",
        b"{\"a\": [1, 2.50, null]}",
        b"{1,NULL,\"a\\\"b\"}",
    ];
    let seeds = of_each_type(values);
    fuzz("values_text", &seeds.iter().map(Vec::as_slice).collect::<Vec<_>>(), |input| {
        value(input, ColumnBuilder::append_text)
    });
}

#[test]
fn fuzz_values_in_binary() {
    let list = b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x07";
    let values: &[&[u8]] = &[
        b"\x01",
        b"\0\x01",
        b"\0\0\0\x01",
        &[0; 8],
        &[0; 16],
        b"abc",
        b"\x01{\"a\":1}",
        b"\0\x01\0\0\0\0\0\x03\0\x07",
        list,
    ];
    let seeds = of_each_type(values);
    fuzz("values_binary", &seeds.iter().map(Vec::as_slice).collect::<Vec<_>>(), |input| {
        value(input, ColumnBuilder::append_binary)
    });
}

#[test]
fn fuzz_frames() {
    use duckmesh_catalog::{Offset, RejectedRow};
    use duckmesh_ingest::{Part, frame};
    let row = RejectedRow {
        relation: "s.t".into(),
        line: Some(3),
        column: Some("a".into()),
        reason: "no".into(),
        content: Some("x".into()),
    };
    let record = frame::encode_parts(Offset::new(7), &[Part::Ddl(Vec::new()), Part::Rejected(vec![row])]).unwrap();
    // The checksum would hide what is behind it: it is made right again.
    fuzz("frames", &[&record], |input| {
        let mut input = input.to_vec();
        if let Some(rest) = input.get(8..) {
            let sum = crc32c::crc32c(rest).to_le_bytes();
            input[4..8].copy_from_slice(&sum);
        }
        match frame::decode(&Bytes::from(input), 1) {
            Ok(body) => kind(&format!("{body:?}")),
            Err(error) => kind(&error.to_string()),
        }
    });
}
