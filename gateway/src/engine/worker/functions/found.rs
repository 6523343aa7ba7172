//! Rows of system relations by their keys: names, definitions and comments of objects, and objects of names.
//!
//! A correlated subquery for each of them takes DuckDB longer to plan than all else in most statements of the catalog. So the
//! gateway names the file with the rows, and it is read here, once: such a file never changes. The statement's own text
//! is all that names files here, and it is the gateway's.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque, hash_map::Entry},
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use arrow::{
    array::{Array as _, AsArray as _, RecordBatchReader as _, StringArray},
    compute::cast,
    datatypes::DataType,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Failure, Outcome, Value, held};
use crate::engine::{protocol::InlineRows, worker::small::is_below};
use crate::pgcatalog::{procedure_shown, type_shown};

type Args<'a> = &'a [Option<&'a str>];

/// Relations that are kept, by the keys they are found by.
const KEPT_MAX: usize = 64;
/// Their texts together, roughly.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Between the parts of a key. No name holds it.
const SEPARATOR: char = '\0';
/// What rows in the text itself begin with; anything else but nothing is the path of a file.
const INLINE: char = '{';

/// Folders whose files may be read.
static FOLDERS: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Says where the files are; once, before the first statement.
pub fn allow(folders: Vec<PathBuf>) {
    let _ = FOLDERS.set(folders);
}

/// `pg_found(rows, column, keys, key …)`: the column's text in the row whose `keys` columns (with commas between) are these.
pub fn found(args: Args<'_>) -> Outcome<Value> {
    let (Some(rows), Some(column), Some(keys)) = (arg(args, 0), arg(args, 1), arg(args, 2)) else {
        return Ok(Value::Null);
    };
    let mut key = String::new();
    for (at, part) in args.iter().skip(3).enumerate() {
        let Some(part) = part else { return Ok(Value::Null) };
        if at > 0 {
            key.push(SEPARATOR);
        }
        key.push_str(part);
    }
    Ok(of(rows, keys)?.cell(&key, column).map_or(Value::Null, |text| Value::Text(text.to_owned())))
}

/// `pg_format_type(types, oid, modifier)`.
pub fn format_type(args: Args<'_>) -> Outcome<Value> {
    let (Some(rows), Some(ty)) = (arg(args, 0), arg(args, 1)) else { return Ok(Value::Null) };
    let types = of(rows, "#k")?;
    let Some(name) = types.cell(ty, "#v") else {
        return Ok(Value::Text(if ty == "0" { "-" } else { "???" }.to_owned()));
    };
    let modifier: Option<i64> = arg(args, 2).and_then(|text| text.parse().ok());
    let base = types.cell(ty, "#b").unwrap_or_default();
    let mut text = match (base, modifier) {
        ("1042", Some(-1)) => "bpchar".to_owned(),
        ("1560", Some(-1)) => "\"bit\"".to_owned(),
        ("1083" | "1114" | "1184" | "1186" | "1266" | "1560" | "1562", Some(0..)) => {
            match held::type_modified(&[Some(base), arg(args, 2)])? {
                Value::Text(text) => text,
                _ => return Ok(Value::Null),
            }
        }
        _ => name.to_owned(),
    };
    // The length of a text and the digits of a number begin at 4.
    match (base, modifier.map(|modifier| modifier - 4)) {
        ("1042" | "1043", Some(length @ 0..)) => text.push_str(&format!("({length})")),
        ("1700", Some(digits @ 0..)) => text.push_str(&format!("({},{})", digits >> 16, digits & 0x7ff)),
        _ => {}
    }
    text.push_str(types.cell(ty, "#a").unwrap_or_default());
    Ok(Value::Text(text))
}

/// `pg_reg_found(kind, rows, name)`: the number of what is named so.
pub fn named(args: Args<'_>) -> Outcome<Value> {
    let (Some(kind), Some(rows), Some(name)) = (arg(args, 0), arg(args, 1), arg(args, 2)) else {
        return Ok(Value::Null);
    };
    Ok(number(kind, rows, name)?.map_or(Value::Null, Value::Int))
}

/// `pg_reg_in(kind, rows, text)`: a cast, which takes numbers too.
///
/// # Errors
/// When nothing is named so.
pub fn read(args: Args<'_>) -> Outcome<Value> {
    let (Some(kind), Some(rows), Some(text)) = (arg(args, 0), arg(args, 1), arg(args, 2)) else {
        return Ok(Value::Null);
    };
    // A text is a relation's name, whatever its characters; what is read as a `regclass` may be a number too.
    let takes_numbers = kind != "class";
    let kind = if kind == "classin" { "class" } else { kind };
    if text == "-" && takes_numbers {
        return Ok(Value::Int(0));
    }
    if takes_numbers && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.parse().map_or(Value::Null, Value::Int));
    }
    if plain_name(text).is_empty() {
        return Err(Failure::new("42602", "invalid name syntax"));
    }
    if let Some(number) = number(kind, rows, text)? {
        return Ok(Value::Int(number));
    }
    let (state, what) = match kind {
        "class" => ("42P01", "relation"),
        "type" => ("42704", "type"),
        "namespace" => ("3F000", "schema"),
        "role" => ("42704", "role"),
        "dictionary" => ("42704", "text search dictionary"),
        "oper" | "operator" => return Err(Failure::new("42883", format!("operator does not exist: {text}"))),
        _ => ("42883", "function"),
    };
    Err(Failure::new(state, format!("{what} \"{text}\" does not exist")))
}

fn number(kind: &str, rows: &str, text: &str) -> Outcome<Option<i64>> {
    let name = plain_name(text);
    let system = |name: &str| {
        let rest = name.strip_prefix("pg_catalog.").or_else(|| name.strip_prefix("information_schema."));
        rest.unwrap_or(name).to_owned()
    };
    let keys: Vec<(&str, String)> = match kind {
        "class" => {
            let mut keys = vec![("#y", name.clone()), ("#q", name.clone())];
            // With the database before it.
            let parts = name.split_once('.').filter(|(_, rest)| rest.contains('.'));
            keys.extend(parts.map(|(_, rest)| ("#q", rest.to_owned())));
            keys
        }
        "type" => {
            // A modifier is read and forgotten.
            let bare = match name.split_once('(').and_then(|(ty, rest)| Some((ty, rest.split_once(')')?.1))) {
                Some((ty, behind)) => format!("{}{behind}", ty.trim_end()),
                None => name.clone(),
            };
            let shown = type_shown(&bare);
            vec![("#v+#a", text.to_lowercase()), ("#v+#a", shown), ("#p", name.clone()), ("#t", system(&name))]
        }
        "namespace" => vec![("~#v", name)],
        "operator" => {
            let plain = text.replace(' ', "");
            vec![("#v", plain.strip_prefix("pg_catalog.").map_or(plain.clone(), str::to_owned))]
        }
        // Where several have the name, it is shown with its schema.
        "oper" => vec![("#o", text.strip_prefix("pg_catalog.").unwrap_or(text).to_owned())],
        "function" => {
            let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
            match name.split_once('(') {
                Some((name, types)) => vec![("#s", procedure_shown(name, types))],
                None => vec![("#v", name.to_owned())],
            }
        }
        "dictionary" => vec![("#v", name.strip_prefix("pg_catalog.").unwrap_or(&name).to_owned())],
        _ => vec![("#v", name)],
    };
    let mut least: Option<i64> = None;
    for (columns, key) in keys {
        let found = of(rows, columns)?.cell(&key, "#k").and_then(|number| number.parse().ok());
        least = match (least, found) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    Ok(least)
}

/// A name of one or more parts as it is compared: folded where it is not quoted, without quotes.
fn plain_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let (mut quoted, mut chars) = (false, text.trim().chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => name.extend(chars.next()),
            '"' => quoted = !quoted,
            c if quoted => name.push(c),
            '.' => {
                name.truncate(name.trim_end().len());
                name.push('.');
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
            }
            c => name.extend(c.to_lowercase()),
        }
    }
    name
}

fn arg<'a>(args: Args<'a>, at: usize) -> Option<&'a str> {
    args.get(at).copied().flatten()
}

/// The rows of a relation by some of their columns.
struct Found {
    columns: Vec<String>,
    rows: Vec<Vec<Option<Box<str>>>>,
    by_key: HashMap<String, usize>,
    bytes: usize,
}

impl Found {
    fn cell(&self, key: &str, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.rows.get(*self.by_key.get(key)?)?.get(at)?.as_deref()
    }

    /// `keys`: columns with commas between; `+` puts two together; `~` before one takes it as a name. A row where one is NULL is
    /// not found. Of several with one key the least `#k` is.
    fn new(columns: Vec<String>, rows: Vec<Vec<Option<Box<str>>>>, keys: &str) -> Self {
        let at = |name: &str| columns.iter().position(|column| column == name);
        let cell = |row: &[Option<Box<str>>], name: &str| row.get(at(name)?)?.as_deref().map(str::to_owned);
        let part = |row: &[Option<Box<str>>], key: &str| match (key.split_once('+'), key.strip_prefix('~')) {
            (Some((first, second)), _) => Some(cell(row, first)? + &cell(row, second)?),
            (None, Some(name)) => cell(row, name).map(|name| plain_name(&name)),
            (None, None) => cell(row, key),
        };
        let number = |row: &[Option<Box<str>>]| cell(row, "#k").and_then(|number| number.parse::<i64>().ok());
        let (mut by_key, mut bytes): (HashMap<String, usize>, usize) = (HashMap::new(), 0);
        for (index, row) in rows.iter().enumerate() {
            bytes += row.iter().map(|cell| 16 + cell.as_ref().map_or(0, |text| text.len())).sum::<usize>();
            let parts: Option<Vec<String>> = keys.split(',').map(|key| part(row, key)).collect();
            let Some(parts) = parts else { continue };
            match by_key.entry(parts.join(&SEPARATOR.to_string())) {
                Entry::Vacant(free) => {
                    free.insert(index);
                }
                Entry::Occupied(mut taken) => {
                    if rows.get(*taken.get()).is_some_and(|other| number(row) < number(other)) {
                        taken.insert(index);
                    }
                }
            }
        }
        Self { columns, rows, by_key, bytes }
    }
}

/// Those that were asked for lately, oldest first.
static KEPT: Mutex<VecDeque<(Asked, Arc<Found>)>> = Mutex::new(VecDeque::new());

/// Rows and key columns.
type Asked = (String, String);

thread_local! {
    /// A call for each row of a chunk asks for the same ones.
    static LAST: RefCell<Vec<(Asked, Arc<Found>)>> = const { RefCell::new(Vec::new()) };
}

/// Those of a thread: a finder looks into some of them in turn.
const LAST_MAX: usize = 4;

fn of(rows: &str, keys: &str) -> Outcome<Arc<Found>> {
    let same = |asked: &Asked| asked.0 == rows && asked.1 == keys;
    let last = LAST.with_borrow(|last| last.iter().find(|(asked, _)| same(asked)).map(|(_, found)| Arc::clone(found)));
    if let Some(found) = last {
        return Ok(found);
    }
    let known = {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(asked, _)| same(asked));
        // To the end: it was asked for just now.
        at.and_then(|at| kept.remove(at)).map(|entry| {
            let found = Arc::clone(&entry.1);
            kept.push_back(entry);
            found
        })
    };
    let found = match known {
        Some(found) => found,
        None => {
            let (columns, cells) = match rows {
                "" => Cells::default(),
                rows if rows.starts_with(INLINE) => inline(rows)?,
                path => file(path)?,
            };
            let found = Arc::new(Found::new(columns, cells, keys));
            keep((rows.to_owned(), keys.to_owned()), Arc::clone(&found));
            found
        }
    };
    LAST.with_borrow_mut(|last| {
        if last.len() >= LAST_MAX {
            last.remove(0);
        }
        last.push(((rows.to_owned(), keys.to_owned()), Arc::clone(&found)));
    });
    Ok(found)
}

fn keep(asked: Asked, found: Arc<Found>) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back((asked, found));
    while kept.len() > KEPT_MAX || kept.iter().map(|(_, found)| found.bytes).sum::<usize>() > KEPT_BYTES_MAX {
        kept.pop_front();
    }
}

type Cells = (Vec<String>, Vec<Vec<Option<Box<str>>>>);

fn inline(text: &str) -> Outcome<Cells> {
    let parsed: InlineRows = serde_json::from_str(text).map_err(unreadable)?;
    Ok((parsed.columns, parsed.rows))
}

fn file(path: &str) -> Outcome<Cells> {
    let path = Path::new(path);
    if !FOLDERS.get().is_some_and(|folders| is_below(path, folders)) {
        return Err(unreadable("a file of rows that may not be read"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build()).map_err(unreadable)?;
    let columns = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(unreadable)?;
        let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let texts: Vec<_> = texts.collect::<Result<_, _>>().map_err(unreadable)?;
        let texts: Vec<_> = texts.iter().map(|column| column.as_string::<i32>()).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cell = |column: &&StringArray| (!column.is_null(row)).then(|| column.value(row).into());
            texts.iter().map(cell).collect::<Vec<Option<Box<str>>>>()
        }));
    }
    Ok((columns, rows))
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::new("XX000", format!("rows of the catalog cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: &str = r##"{"columns":["#k","#v","#b","#a","#p","#t"],"rows":[
        ["23","integer","23","","int4","int4"],["1007","integer","23","[]","int4[]","_int4"],
        ["1042","character","1042","","bpchar","bpchar"],["1700","numeric","1700","","numeric","numeric"],
        ["1114","timestamp without time zone","1114","","timestamp","timestamp"]]}"##;

    fn text(value: Outcome<Value>) -> Option<String> {
        match value.expect("an answer") {
            Value::Text(text) => Some(text),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    #[test]
    fn types_are_formatted_with_their_modifiers() {
        let check = |ty: Option<&str>, modifier: Option<&str>, expect: Option<&str>| {
            assert_eq!(text(format_type(&[Some(TYPES), ty, modifier])).as_deref(), expect, "{ty:?} {modifier:?}");
        };
        check(Some("23"), Some("-1"), Some("integer"));
        check(Some("23"), None, Some("integer"));
        check(Some("1007"), Some("-1"), Some("integer[]"));
        check(Some("1042"), Some("-1"), Some("bpchar"));
        check(Some("1042"), None, Some("character"));
        check(Some("1042"), Some("9"), Some("character(5)"));
        check(Some("1700"), Some("655366"), Some("numeric(10,2)"));
        check(Some("1114"), Some("3"), Some("timestamp(3) without time zone"));
        check(Some("0"), Some("-1"), Some("-"));
        check(Some("99999"), Some("-1"), Some("???"));
        check(None, Some("-1"), None);
    }

    #[test]
    fn names_are_found_as_they_are_written() {
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(text(named(&[Some("type"), Some(TYPES), Some(name)])).as_deref(), expect, "{name}");
        };
        check("INT4", Some("23"));
        check("integer", Some("23"));
        check("Integer[]", Some("1007"));
        check("\"pg_catalog\".\"int4\"", Some("23"));
        check("pg_catalog . _int4", Some("1007"));
        check("nothing", None);
        assert_eq!(plain_name("\"A.b\" . C"), "A.b.c");
        assert_eq!(plain_name("\"a\"\"b\""), "a\"b");
        let missing = read(&[Some("type"), Some(TYPES), Some("nothing")]).err().expect("an error");
        assert_eq!(missing.raised(), "SQLSTATE 42704: type \"nothing\" does not exist");
        assert_eq!(text(read(&[Some("type"), Some(TYPES), Some("-")])).as_deref(), Some("0"));
        assert_eq!(text(read(&[Some("type"), Some(TYPES), Some("77")])).as_deref(), Some("77"));
    }

    #[test]
    fn rows_are_found_by_several_columns_and_nothing_else_is_read() {
        let rows = r##"{"columns":["#k","#n","#v"],"rows":[["5","0","whole"],["5","1","first"]]}"##;
        let one = |key: &str| text(found(&[Some(rows), Some("#v"), Some("#k,#n"), Some("5"), Some(key)]));
        assert_eq!((one("0").as_deref(), one("1").as_deref(), one("2")), (Some("whole"), Some("first"), None));
        assert!(found(&[Some("/etc/hostname"), Some("#v"), Some("#k"), Some("5")]).is_err());
        assert_eq!(text(found(&[Some(""), Some("#v"), Some("#k"), Some("5")])), None);
    }
}
