//! `hashtext()` and its like.

use super::{Outcome, Value, integer, text};
use crate::value::hash;

/// `pg_hash(function, text)`.
pub fn plain(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(hashed(args, None))
}

/// `pg_hash_seeded(function, text, seed)`.
pub fn seeded(args: &[Option<&str>]) -> Outcome<Value> {
    Ok(hashed(args, Some(integer(args, 2))))
}

fn hashed(args: &[Option<&str>], seed: Option<i64>) -> Value {
    let hash = hash::hashed_by(text(args, 0)).and_then(|kind| hash::of(kind, text(args, 1), seed));
    hash.map_or(Value::Null, Value::Int)
}
