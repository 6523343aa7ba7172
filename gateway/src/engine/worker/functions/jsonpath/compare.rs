//! Comparisons of values.

use std::cmp::Ordering;

use super::{
    super::{Outcome, number::Number},
    item::Item,
};
use crate::value::TimeZone;

/// The truth of `a op b`; none is unknown. `zone`: the session's, where a path may use it.
///
/// # Errors
/// Of times that cannot be compared without one.
pub fn compare(op: &str, a: &Item, b: &Item, zone: Option<&TimeZone>) -> Outcome<Option<bool>> {
    let order = match (a, b) {
        (Item::Moment(a), Item::Moment(b)) => a.compared(b, zone)?,
        (a, b) => return Ok(plain(op, a, b)),
    };
    Ok(order.map(|order| holds(op, order)))
}

fn plain(op: &str, a: &Item, b: &Item) -> Option<bool> {
    let order = match (a, b) {
        (Item::Null, Item::Null) => Ordering::Equal,
        // A null differs from everything, and has no order.
        (Item::Null, _) | (_, Item::Null) => return Some(op == "<>"),
        (Item::Bool(a), Item::Bool(b)) => a.cmp(b),
        (Item::Number(a), Item::Number(b)) => numbers(a, b)?,
        (Item::String(a), Item::String(b)) => match op {
            "==" => return Some(a == b),
            "<>" => return Some(a != b),
            // By the units of UTF-16, as the standard has it.
            _ => a.encode_utf16().cmp(b.encode_utf16()),
        },
        _ => return None,
    };
    Some(holds(op, order))
}

fn holds(op: &str, order: Ordering) -> bool {
    match op {
        "==" => order == Ordering::Equal,
        "<>" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }
}

fn numbers(a: &str, b: &str) -> Option<Ordering> {
    match (Number::read(a).ok()?, Number::read(b).ok()?) {
        (Number::Finite(a), Number::Finite(b)) => Some(a.compared(&b)),
        _ => None,
    }
}
