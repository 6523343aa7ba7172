//! The functions of ranges and multiranges over their stored texts.
//!
//! A value comes with its shape: `r` a range, `m` a multirange, `e` an element.

use duckmesh_catalog::types::{RangeType, TextType};

use super::{Failure, Outcome, Value};
use crate::value::held::range::{self, End, Multirange, Point, Range};

type Args<'a> = &'a [Option<&'a str>];

/// What stands on a side.
enum Side {
    Range(Range),
    Multirange(Multirange),
}

fn of(args: Args<'_>, at: usize) -> Outcome<RangeType> {
    match TextType::of_name(super::text(args, at)) {
        Some(TextType::Range(of) | TextType::Multirange(of)) => Ok(of),
        _ => Err(Failure::new("XX000", "a range type without a name")),
    }
}

fn side(of: RangeType, args: Args<'_>, at: usize) -> Outcome<Side> {
    let text = super::text(args, at + 1);
    Ok(match super::text(args, at) {
        "m" => Side::Multirange(range::stored_multirange(of, text)?),
        "e" => Side::Range(Range::point(of, Point::of_engine(of, text)?)),
        _ => Side::Range(range::stored(of, text)?),
    })
}

impl Side {
    /// The smallest range with all of it.
    fn span(&self) -> Range {
        match self {
            Self::Range(range) => range.clone(),
            Self::Multirange(many) => many.span(),
        }
    }

    fn many(&self) -> Outcome<Multirange> {
        Ok(match self {
            Self::Range(range) => Multirange::new(range.of, vec![range.clone()])?,
            Self::Multirange(many) => many.clone(),
        })
    }

    fn is_many(&self) -> bool {
        matches!(self, Self::Multirange(_))
    }
}

fn utc() -> crate::value::ValueContext {
    crate::value::ValueContext::new(chrono::DateTime::UNIX_EPOCH)
}

/// `pg_range_make(type, lower, upper, flags)`.
pub fn make(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 0)?;
    let Some(flags) = args.get(3).copied().flatten() else {
        return Err(Failure::new("22000", "range constructor flags argument must not be null"));
    };
    let (from, to) = match flags {
        "[]" => (true, true),
        "[)" => (true, false),
        "(]" => (false, true),
        "()" => (false, false),
        _ => return Err(Failure::new("42601", "invalid range bound flags")),
    };
    let point = |at: usize| args.get(at).copied().flatten().map(|text| Point::of_engine(of, text)).transpose();
    let made = Range::new(of, End::new(point(1)?, from, true), End::new(point(2)?, to, false))?;
    Ok(Value::Text(made.text(&utc())))
}

/// `pg_range_test(op, type, shape, a, shape, b)`.
pub fn test(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 1)?;
    let (a, b) = (side(of, args, 2)?, side(of, args, 4)?);
    let spans = |test: fn(&Range, &Range) -> bool| test(&a.span(), &b.span());
    let many = a.is_many() || b.is_many();
    Ok(Value::Bool(match super::text(args, 0) {
        "@>" if many => a.many()?.contains(&b.many()?),
        "@>" => spans(Range::contains),
        "<@" if many => b.many()?.contains(&a.many()?),
        "<@" => spans(|a, b| b.contains(a)),
        "&&" if many => a.many()?.overlaps(&b.many()?),
        "&&" => spans(Range::overlaps),
        "<<" => spans(Range::before),
        ">>" => spans(|a, b| b.before(a)),
        "&<" => spans(Range::ends_before),
        "&>" => spans(Range::begins_after),
        _ if many => a.many()?.adjacent(&b.many()?),
        _ => spans(Range::adjacent),
    }))
}

/// `pg_range_of(op, type, shape, a, shape, b)`.
pub fn computed(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 1)?;
    let (a, b) = (side(of, args, 2)?, side(of, args, 4)?);
    let op = super::text(args, 0);
    if a.is_many() && op != "merge" {
        let (a, b) = (a.many()?, b.many()?);
        let result = match op {
            "+" => a.union(&b)?,
            "*" => a.intersection(&b)?,
            _ => a.difference(&b)?,
        };
        return Ok(Value::Text(result.text(&utc())));
    }
    let (a, b) = (a.span(), b.span());
    let result = match op {
        "+" => a.union(&b)?,
        "*" => a.intersection(&b)?,
        "merge" => a.merged(&b),
        _ => a.difference(&b)?,
    };
    Ok(Value::Text(result.text(&utc())))
}

/// `pg_range_part(what, type, shape, a)`.
pub fn part(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 1)?;
    let value = side(of, args, 2)?;
    let what = super::text(args, 0);
    match what {
        "multirange" => return Ok(Value::Text(value.many()?.text(&utc()))),
        "merge" => return Ok(Value::Text(value.span().text(&utc()))),
        _ => {}
    }
    let end = value.span().ends.map(|(lower, upper)| if what == "lower" { lower } else { upper });
    Ok(match end.and_then(|end| end.value) {
        Some(point) => Value::Text(point.for_engine(of)),
        None => Value::Null,
    })
}

/// `pg_range_flag(what, type, shape, a)`.
pub fn flag(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 1)?;
    let span = side(of, args, 2)?.span();
    let Some((lower, upper)) = span.ends else { return Ok(Value::Bool(super::text(args, 0) == "isempty")) };
    Ok(Value::Bool(match super::text(args, 0) {
        "lower_inc" => lower.inclusive,
        "upper_inc" => upper.inclusive,
        "lower_inf" => lower.value.is_none(),
        "upper_inf" => upper.value.is_none(),
        _ => false,
    }))
}

/// `pg_range_list(type, multirange)`: its ranges.
pub fn list(args: Args<'_>) -> Outcome<Value> {
    let many = range::stored_multirange(of(args, 0)?, super::text(args, 1))?;
    Ok(Value::Texts(many.ranges.iter().map(|r| Some(r.text(&utc()))).collect()))
}

/// `pg_range_gather(what, type, texts)`: ranges that an aggregate joined with `;`.
pub fn gathered(args: Args<'_>) -> Outcome<Value> {
    let of = of(args, 1)?;
    let texts = super::text(args, 2);
    let pieces = texts.split(';').filter(|t| !t.is_empty());
    let mut ranges = Vec::new();
    for piece in pieces {
        if piece.starts_with('{') {
            ranges.extend(range::stored_multirange(of, piece)?.ranges);
        } else {
            ranges.push(range::stored(of, piece)?);
        }
    }
    if super::text(args, 0) == "multirange" {
        return Ok(Value::Text(Multirange::new(of, ranges)?.text(&utc())));
    }
    let mut rest = ranges.into_iter();
    let Some(mut result) = rest.next() else { return Ok(Value::Null) };
    for range in rest {
        result = result.intersection(&range)?;
    }
    Ok(Value::Text(result.text(&utc())))
}
