//! JSON as rows and arrays: what `json_populate_record` and its like read, and the members of an object as rows.

use super::{Failure, Outcome, Value, json::written_pairs, json_scan as scan, text};
use crate::value::{
    held::{grid::Grid, record},
    json::write_string,
};
use scan::Shape;

type Args<'a> = &'a [Option<&'a str>];

fn invalid(message: String) -> Failure {
    Failure::new("22023", message)
}

/// `pg_json_one(json, function)`: the object that a function of rows is given.
pub fn object(args: Args<'_>) -> Outcome<Value> {
    let (json, function) = (text(args, 0), text(args, 1));
    match scan::shape(json) {
        Shape::Object => Ok(Value::Text(json.to_owned())),
        Shape::Array => Err(invalid(format!("cannot call {function} on an array"))),
        _ => Err(invalid(format!("cannot call {function} on a scalar"))),
    }
}

/// `pg_json_many(json, function)`: the objects of an array.
pub fn objects(args: Args<'_>) -> Outcome<Value> {
    let (json, function) = (text(args, 0), text(args, 1));
    let what = match scan::shape(json) {
        Shape::Array => {
            let parts: Vec<&str> = scan::parts(json).map(|(_, value)| value).collect();
            if parts.iter().any(|part| scan::shape(part) != Shape::Object) {
                return Err(invalid(format!("argument of {function} must be an array of objects")));
            }
            return Ok(Value::Texts(parts.into_iter().map(|part| Some(part.to_owned())).collect()));
        }
        _ if function.starts_with("jsonb") => "a non-array",
        Shape::Object => "an object",
        _ => "a scalar",
    };
    Err(invalid(format!("cannot call {function} on {what}")))
}

/// `pg_json_list(json)`: the elements, as JSON, of what becomes an array of one dimension; a string is the array's text.
pub fn list_of(args: Args<'_>) -> Outcome<Value> {
    let json = text(args, 0);
    let several = || Failure::new("0A000", "multidimensional arrays in JSON are not supported here");
    match scan::shape(json) {
        Shape::Null => Ok(Value::Null),
        Shape::Array => {
            let mut items = Vec::new();
            for (n, (_, value)) in scan::parts(json).enumerate() {
                match scan::shape(value) {
                    Shape::Array if n == 0 => return Err(several()),
                    Shape::Null => items.push(None),
                    _ => items.push(Some(value.to_owned())),
                }
            }
            Ok(Value::Texts(items))
        }
        Shape::String => {
            let grid = Grid::parse(&scan::unquoted(json))?;
            if grid.dimensions.len() > 1 || !grid.is_list() {
                return Err(several());
            }
            let quoted = |item: String| {
                let mut out = String::new();
                write_string(&item, &mut out);
                out
            };
            Ok(Value::Texts(grid.elements.into_iter().map(|item| item.map(quoted)).collect()))
        }
        _ => Err(Failure::new("22P02", "expected JSON array")),
    }
}

/// `pg_json_pairs(json, function)`: the members of an object as rows of a name and a value.
pub fn pairs(args: Args<'_>) -> Outcome<Value> {
    let (json, function) = (text(args, 0), text(args, 1));
    match (scan::shape(json), function.starts_with("jsonb")) {
        (Shape::Object, _) => {}
        (_, true) => return Err(invalid(format!("cannot call {function} on a non-object"))),
        (Shape::Array, false) => return Err(invalid("cannot deconstruct an array as an object".to_owned())),
        _ => return Err(invalid("cannot deconstruct a scalar".to_owned())),
    }
    let row = |(name, value): (Option<&str>, &str)| {
        let name = scan::unquoted(name.unwrap_or_default());
        let value = match function.ends_with("text") {
            true => scan::as_text(value),
            false => Some(value.to_owned()),
        };
        Some(record::text([Some(name.as_str()), value.as_deref()].into_iter()))
    };
    Ok(Value::Texts(scan::parts(json).map(row).collect()))
}

/// `json_object(array)`: names and values in turns, or in two columns.
pub fn alternating(args: Args<'_>) -> Outcome<Value> {
    let wrong = |message: &str| Failure::new("2202E", message.to_owned());
    let grid = Grid::parse(text(args, 0))?;
    match grid.dimensions.as_slice() {
        [] => {}
        [one] if one.length % 2 == 0 => {}
        [_] => return Err(wrong("array must have even number of elements")),
        [_, two] if two.length == 2 => {}
        [_, _] => return Err(wrong("array must have two columns")),
        _ => return Err(wrong("wrong number of array subscripts")),
    }
    written_pairs(grid.elements.chunks_exact(2).filter_map(|pair| pair.first().zip(pair.last())))
}

/// An array or an object with a line for each part, as `array_to_json(x, true)` writes it.
pub fn lines(args: Args<'_>) -> Outcome<Value> {
    let json = text(args, 0);
    let parts =
        || scan::parts(json).map(|(name, value)| name.map_or(value.to_owned(), |name| format!("{name}:{value}")));
    Ok(Value::Text(match scan::shape(json) {
        Shape::Object => format!("{{{}}}", parts().collect::<Vec<_>>().join(",\n ")),
        Shape::Array => format!("[{}]", parts().collect::<Vec<_>>().join(",\n ")),
        _ => json.to_owned(),
    }))
}
