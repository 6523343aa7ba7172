//! The functions of arrays of several dimensions over their held texts.

use super::{Failure, Outcome, Value, number::Number};
use crate::value::held::grid::{self, Dimension, Grid};

type Args<'a> = &'a [Option<&'a str>];

fn grid(args: Args<'_>, at: usize) -> Outcome<Grid> {
    Ok(Grid::parse(super::text(args, at))?)
}

fn out(grid: &Grid) -> Outcome<Value> {
    Ok(Value::Text(grid.text()))
}

/// `pg_grid_stack(a, b, …)`: `ARRAY[a, b]` of arrays.
pub fn stack(args: Args<'_>) -> Outcome<Value> {
    let parts =
        args.iter().map(|text| text.map_or_else(|| Ok(Grid::default()), Grid::parse)).collect::<Result<Vec<_>, _>>()?;
    out(&Grid::stacked(&parts)?)
}

/// `pg_grid_gather(texts)`: the same of what an aggregate joined.
pub fn gathered(args: Args<'_>) -> Outcome<Value> {
    let texts = || super::text(args, 0).split('\u{1f}');
    if texts().any(|text| text == "\u{1e}") {
        return Err(Failure::new("22004", "cannot accumulate null arrays"));
    }
    let parts = texts().map(Grid::parse).collect::<Result<Vec<_>, _>>()?;
    if parts.iter().any(|p| p.dimensions.is_empty()) {
        return Err(Failure::new("2202E", "cannot accumulate empty arrays"));
    }
    match Grid::stacked(&parts) {
        Ok(grid) => out(&grid),
        Err(_) => Err(Failure::new("2202E", "cannot accumulate arrays of different dimensionality")),
    }
}

pub fn dims(args: Args<'_>) -> Outcome<Value> {
    let grid = grid(args, 0)?;
    Ok(if grid.dimensions.is_empty() { Value::Null } else { Value::Text(grid.bounds_text()) })
}

/// `pg_grid_number(what, array, dimension)`.
pub fn number(args: Args<'_>) -> Outcome<Value> {
    let grid = grid(args, 1)?;
    let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let dimension = usize::try_from(super::integer(args, 2) - 1).ok().and_then(|n| grid.dimensions.get(n));
    Ok(match (super::text(args, 0), dimension) {
        ("cardinality", _) => count(grid.elements.len()),
        ("ndims", _) if grid.dimensions.is_empty() => Value::Null,
        ("ndims", _) => count(grid.dimensions.len()),
        (_, None) => Value::Null,
        ("lower", Some(d)) => Value::Int(d.low.into()),
        ("upper", Some(d)) => Value::Int(d.high()),
        (_, Some(d)) => count(d.length),
    })
}

/// `pg_grid_element(array, '1,2')`.
pub fn element(args: Args<'_>) -> Outcome<Value> {
    let subscripts: Vec<i64> = super::text(args, 1).split(',').map(|n| n.parse().unwrap_or(i64::MIN)).collect();
    Ok(grid(args, 0)?.at(&subscripts).map_or(Value::Null, |text| Value::Text(text.to_owned())))
}

/// `pg_grid_slice(array, '1:2,:3')`.
pub fn slice(args: Args<'_>) -> Outcome<Value> {
    let bounds: Vec<_> = super::text(args, 1)
        .split(',')
        .map(|part| match part.split_once(':') {
            Some((low, high)) => (low.parse().ok(), high.parse().ok()),
            // One subscript among slices is a slice from 1.
            None => (Some(1), part.parse().ok()),
        })
        .collect();
    out(&grid(args, 0)?.slice(&bounds))
}

/// All elements in their order.
pub fn list(args: Args<'_>) -> Outcome<Value> {
    Ok(Value::Texts(grid(args, 0)?.elements))
}

/// The elements of an array that a list holds.
pub fn flat(args: Args<'_>) -> Outcome<Value> {
    let grid = grid(args, 0)?;
    if grid.is_list() { Ok(Value::Texts(grid.elements)) } else { Err(grid::refused().into()) }
}

/// `pg_grid_like(shape, elements)`: other elements in the same place.
pub fn like(args: Args<'_>) -> Outcome<Value> {
    let (shape, elements) = (grid(args, 0)?, grid(args, 1)?);
    out(&Grid { dimensions: shape.dimensions, elements: elements.elements })
}

/// `pg_grid_string(array, separator, null)`: `array_to_string`.
pub fn string(args: Args<'_>) -> Outcome<Value> {
    let (Some(array), Some(separator)) = (args.first().copied().flatten(), args.get(1).copied().flatten()) else {
        return Ok(Value::Null);
    };
    let null = args.get(2).copied().flatten();
    let grid = Grid::parse(array)?;
    let texts: Vec<&str> = grid.elements.iter().filter_map(|e| e.as_deref().or(null)).collect();
    Ok(Value::Text(texts.join(separator)))
}

pub fn cat(args: Args<'_>) -> Outcome<Value> {
    let side = |at: usize| args.get(at).copied().flatten();
    match (side(0), side(1)) {
        (None, None) => Ok(Value::Null),
        (Some(one), None) | (None, Some(one)) => Ok(Value::Text(one.to_owned())),
        (Some(a), Some(b)) => out(&Grid::parse(a)?.joined(&Grid::parse(b)?)?),
    }
}

/// `pg_grid_key(array, kind)`: bytes that order as `array_cmp` does, over numbers (`n`) or texts.
pub fn key(args: Args<'_>) -> Outcome<Value> {
    let grid = grid(args, 0)?;
    let numbers = super::text(args, 1) == "n";
    let mut key = Vec::new();
    for element in &grid.elements {
        match element {
            None => key.push(2),
            Some(text) => {
                key.push(1);
                key.extend(if numbers { Number::read(text)?.key() } else { text.clone().into_bytes() });
                key.push(0);
            }
        }
    }
    key.push(0);
    key.push(u8::try_from(grid.dimensions.len()).unwrap_or(u8::MAX));
    for dimension in &grid.dimensions {
        key.extend(u32::try_from(dimension.length).unwrap_or(u32::MAX).to_be_bytes());
        key.extend((dimension.low.cast_unsigned() ^ (1 << 31)).to_be_bytes());
    }
    Ok(Value::Bytes(key))
}

/// `pg_grid_fill(value, lengths, lows)`: `array_fill`.
pub fn fill(args: Args<'_>) -> Outcome<Value> {
    let numbers = |at: usize| -> Outcome<Option<Vec<i64>>> {
        let Some(text) = args.get(at).copied().flatten() else { return Ok(None) };
        let missing = || Failure::new("22004", "dimension values cannot be null");
        let grid = Grid::parse(text)?;
        if grid.dimensions.len() > 1 {
            return Err(Failure::new("2202E", "wrong number of array subscripts"));
        }
        grid.elements
            .iter()
            .map(|e| e.as_ref().and_then(|e| e.parse().ok()).ok_or_else(missing))
            .collect::<Result<_, _>>()
            .map(Some)
    };
    let missing = || Failure::new("22004", "dimension array or low bound array cannot be null");
    let lengths = numbers(1)?.ok_or_else(missing)?;
    let lows = if args.len() > 2 { numbers(2)?.ok_or_else(missing)? } else { vec![1; lengths.len()] };
    if lows.len() != lengths.len() {
        return Err(Failure::new("2202E", "wrong number of array subscripts"));
    }
    if lengths.len() > grid::DIMENSIONS_MAX {
        let message = format!("number of dimensions ({}) exceeds the maximum allowed (6)", lengths.len());
        return Err(Failure::new("54000", message));
    }
    let total = lengths.iter().try_fold(1_i64, |total, n| total.checked_mul(*n)).unwrap_or(i64::MAX);
    if lengths.iter().any(|n| *n < 0) || total > FILLED_MAX {
        return Err(Failure::new("54000", format!("array size exceeds the maximum allowed ({FILLED_MAX})")));
    }
    if total == 0 {
        return out(&Grid::default());
    }
    let dimension = |(length, low): (&i64, &i64)| Dimension {
        low: i32::try_from(*low).unwrap_or(1),
        length: usize::try_from(*length).unwrap_or(0),
    };
    let value = args.first().copied().flatten().map(str::to_owned);
    let elements = vec![value; usize::try_from(total).unwrap_or(0)];
    out(&Grid { dimensions: lengths.iter().zip(&lows).map(dimension).collect(), elements })
}

/// `pg_grid_json(array, kind)`: numbers (`n`) and truths (`b`) are plain, the rest are strings.
pub fn json(args: Args<'_>) -> Outcome<Value> {
    fn level(grid: &Grid, depth: usize, at: &mut usize, kind: &str, out: &mut String) {
        let Some(dimension) = grid.dimensions.get(depth) else { return out.push_str("[]") };
        out.push('[');
        for n in 0..dimension.length {
            if n > 0 {
                out.push(',');
            }
            if depth + 1 < grid.dimensions.len() {
                level(grid, depth + 1, at, kind, out);
                continue;
            }
            match (grid.elements.get(*at).and_then(Option::as_deref), kind) {
                (None, _) => out.push_str("null"),
                (Some(truth), "b") => out.push_str(if truth == "t" { "true" } else { "false" }),
                (Some(number), "n") if !number.ends_with(['N', 'y']) => out.push_str(number),
                (Some(text), _) => crate::value::json::write_string(text, out),
            }
            *at += 1;
        }
        out.push(']');
    }
    let grid = grid(args, 0)?;
    let (mut text, mut at) = (String::new(), 0);
    level(&grid, 0, &mut at, super::text(args, 1), &mut text);
    Ok(Value::Text(text))
}

/// Elements that `array_fill` makes. Postgres' limit is 134,217,727: here a call cannot be interrupted, and that many take a minute.
const FILLED_MAX: i64 = 10_000_000;
