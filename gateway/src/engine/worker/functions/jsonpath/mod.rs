//! SQL/JSON paths: `jsonb_path_query` and its like, as PostgreSQL 15 has them.

mod compare;
mod item;
mod lexer;
mod method;
mod moment;
mod parser;
mod print;
mod walk;

use std::{cell::RefCell, rc::Rc};

use self::{item::Item, parser::Path, walk::Walk};
use super::{Failure, Outcome, Value, flag, text};
use crate::value::TimeZone;

/// Values of one call; beyond is no answer but a load.
const ITEMS_MAX: usize = 10_000_000;

/// A path as Postgres shows it.
pub fn normal(path: &str) -> Outcome<String> {
    parser::parse(path).map(|path| print::shown(&path))
}

/// Text to `jsonpath`.
pub fn read(args: &[Option<&str>]) -> Outcome<Value> {
    normal(text(args, 0)).map(Value::Text)
}

/// All values that a path finds. Arguments: the document, the path, variables, whether errors are silent.
pub fn query(args: &[Option<&str>]) -> Outcome<Value> {
    let found = match found(args)? {
        (_, Ok(found)) => found,
        (found, Err(_)) if flag(args, 3) => found,
        (_, Err(error)) => return Err(error),
    };
    Ok(Value::Texts(found.iter().map(|item| Some(item.write())).collect()))
}

/// The same as an array.
pub fn query_array(args: &[Option<&str>]) -> Outcome<Value> {
    match found(args)? {
        (_, Ok(found)) => Ok(Value::Text(Item::Array(Rc::new(found)).write())),
        (found, Err(_)) if flag(args, 3) => Ok(Value::Text(Item::Array(Rc::new(found)).write())),
        (_, Err(error)) => Err(error),
    }
}

/// The first of them.
pub fn query_first(args: &[Option<&str>]) -> Outcome<Value> {
    match found(args)? {
        (_, Ok(found)) => Ok(found.first().map_or(Value::Null, |item| Value::Text(item.write()))),
        (found, Err(_)) if flag(args, 3) => Ok(found.first().map_or(Value::Null, |item| Value::Text(item.write()))),
        (_, Err(error)) => Err(error),
    }
}

/// Whether the path finds anything; NULL after a silent error.
pub fn exists(args: &[Option<&str>]) -> Outcome<Value> {
    let path = parsed(text(args, 1))?;
    match found(args)? {
        (_, Ok(found)) => Ok(Value::Bool(!found.is_empty())),
        // In lax mode Postgres looks no further than the first value.
        (found, Err(_)) if !found.is_empty() && path.lax => Ok(Value::Bool(true)),
        (_, Err(_)) if flag(args, 3) => Ok(Value::Null),
        (_, Err(error)) => Err(error),
    }
}

/// The truth of a path that is a predicate.
pub fn matches(args: &[Option<&str>]) -> Outcome<Value> {
    let silent = flag(args, 3);
    match found(args)? {
        (_, Ok(found)) => match found.as_slice() {
            [Item::Bool(value)] => Ok(Value::Bool(*value)),
            [Item::Null] => Ok(Value::Null),
            _ if silent => Ok(Value::Null),
            _ => Err(Failure::new("22038", "single boolean result is expected")),
        },
        (_, Err(_)) if silent => Ok(Value::Null),
        (_, Err(error)) => Err(error),
    }
}

/// What was found, up to an error if there was one. The outer error is one that nothing silences.
#[allow(clippy::type_complexity)]
fn found(args: &[Option<&str>]) -> Outcome<(Vec<Item>, Outcome<Vec<Item>>)> {
    let path = parsed(text(args, 1))?;
    let document = Item::parse(text(args, 0))?;
    let variables = match args.get(2).copied().flatten() {
        Some(text) => match Item::parse(text)? {
            Item::Object(members) => members,
            _ => return Err(Failure::new("22023", "\"vars\" argument is not an object")),
        },
        None => Rc::default(),
    };
    let mut out = Vec::new();
    let zone = args.get(4).copied().flatten().and_then(TimeZone::parse);
    let mut walk = Walk::new(&path, &document, &variables, ITEMS_MAX, zone);
    match walk.run(&mut out) {
        Ok(()) => Ok((Vec::new(), Ok(out))),
        Err(walk::Stop::Silent(error)) => Ok((out, Err(error))),
        Err(walk::Stop::Loud(error)) => Err(error),
    }
}

/// The path of the last call is likely that of the next.
fn parsed(text: &str) -> Outcome<Rc<Path>> {
    thread_local! {
        static LAST: RefCell<Option<(String, Rc<Path>)>> = const { RefCell::new(None) };
    }
    LAST.with(|last| {
        let mut last = last.borrow_mut();
        if let Some((known, path)) = last.as_ref()
            && known == text
        {
            return Ok(Rc::clone(path));
        }
        let path = Rc::new(parser::parse(text)?);
        *last = Some((text.to_owned(), Rc::clone(&path)));
        Ok(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, path: &str) -> String {
        match query(&[Some(json), Some(path), Some("{\"x\": 2}"), Some("f")]) {
            Ok(Value::Texts(items)) => items.into_iter().flatten().collect::<Vec<_>>().join(" "),
            Ok(_) => "?".to_owned(),
            Err(error) => error.raised(),
        }
    }

    #[test]
    fn what_postgres_finds() {
        let json = r#"{"a": [1, 2, {"b": [3, "x"]}], "c": null, "d e": {"f": 1.50}}"#;
        for (path, expected) in [
            ("$", r#"{"a": [1, 2, {"b": [3, "x"]}], "c": null, "d e": {"f": 1.50}}"#),
            ("$.a[*]", r#"1 2 {"b": [3, "x"]}"#),
            ("$.a[1 to last].b", r#"[3, "x"]"#),
            ("$.a[last]", r#"{"b": [3, "x"]}"#),
            ("strict $.a.b", "SQLSTATE 2203A: jsonpath member accessor can only be applied to an object"),
            ("strict $.z", "SQLSTATE 2203A: JSON object does not contain key \"z\""),
            ("$.z", ""),
            ("$.\"d e\".f", "1.50"),
            ("$.**.f", "1.50"),
            ("$.a[*] ? (@ > 1)", "2"),
            ("$.a[*] ? (@ == $x)", "2"),
            ("$.a.size()", "3"),
            ("$.a[*].type()", r#""number" "number" "object""#),
            ("$.a[0] + 3 * 2", "7"),
            ("-$.a[0]", "-1"),
            ("$.a[0] > 0 && $.c == null", "true"),
            ("$.a[*] > \"a\"", "null"),
            ("\"2024-03-05 10:20:30.50 +05\".datetime()", "\"2024-03-05T10:20:30.5+05:00\""),
            ("\"10:20:30\".datetime().type()", "\"time without time zone\""),
            ("\"05/03/2024\".datetime(\"DD/MM/YYYY\") < \"2024-03-05T00:00:01\".datetime()", "true"),
            ("\"x\".datetime()", "SQLSTATE 22031: datetime format is not recognized: \"x\""),
            (
                "\"2024-03-05\".datetime() < \"2024-03-05T00:00:01+00\".datetime()",
                "SQLSTATE 0A000: cannot convert value from date to timestamptz without time zone usage",
            ),
            ("$.a[5]", ""),
            ("strict $.a[5]", "SQLSTATE 22033: jsonpath array subscript is out of bounds"),
            ("$.a[*].b[*] ? (@ like_regex \"^X\" flag \"i\")", "\"x\""),
            ("$.a[*].b[*] ? (@ starts with \"x\")", "\"x\""),
            ("$ ? (exists (@.c))", r#"{"a": [1, 2, {"b": [3, "x"]}], "c": null, "d e": {"f": 1.50}}"#),
            ("$.a[*] ? ((@ > \"q\") is unknown)", r#"1 2 {"b": [3, "x"]}"#),
            ("$nothing", "SQLSTATE 42704: could not find jsonpath variable \"nothing\""),
            ("$.", "SQLSTATE 42601: syntax error at end of jsonpath input"),
            ("@", "SQLSTATE 42601: @ is not allowed in root expressions"),
            ("last", "SQLSTATE 42601: LAST is allowed only in array subscripts"),
            ("", "SQLSTATE 22P02: invalid input syntax for type jsonpath: \"\""),
        ] {
            assert_eq!(shown(json, path), expected, "{path}");
        }
    }

    #[test]
    fn paths_are_shown_as_postgres_shows_them() {
        for (path, expected) in [
            ("lax  $.a [ * ]", "$.\"a\"[*]"),
            ("strict $.**{2 to last}.b", "strict $.**{2 to last}.\"b\""),
            ("$.a[0, 1 to last - 1]", "$.\"a\"[0,1 to last - 1]"),
            ("$.a + 2 * -3", "($.\"a\" + 2 * -3)"),
            ("($.a + 2).b", "($.\"a\" + 2).\"b\""),
            ("7.50.floor()", "(7.50).floor()"),
            (
                "$v ? (@ > 1 && !(@ < .5) || exists(@.x)) . size()",
                "$\"v\"?(@ > 1 && !(@ < 0.5) || exists (@.\"x\")).size()",
            ),
            ("$ ? ((@ == 1) is unknown)", "$?((@ == 1) is unknown)"),
            ("$ ? (@ like_regex \"a\\\\d\" flag \"si\")", "$?(@ like_regex \"a\\\\d\" flag \"is\")"),
            ("$.t.datetime(\"HH24\") <> $w", "($.\"t\".datetime(\"HH24\") != $\"w\")"),
            ("- + $.a", "(-(+$.\"a\"))"),
        ] {
            assert_eq!(normal(path).unwrap_or_else(|e| e.raised()), expected, "{path}");
        }
    }

    #[test]
    fn hostile_paths_end() {
        let chain = format!("$ ? ({}@ == 1)", "@ == 1 && ".repeat(240));
        for path in [
            "(".repeat(900),
            "(".repeat(100_000),
            format!("${}", ".a".repeat(490)),
            format!("${}", "[0]".repeat(300)),
            format!("${}", ".type()".repeat(240)),
            "!".repeat(900),
            "-".repeat(900),
            chain,
        ] {
            let _ = normal(&path);
            let _ = shown("1", &path);
        }
    }
}
