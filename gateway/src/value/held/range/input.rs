//! `range_in`.

use duckmesh_catalog::types::RangeType;

use super::{End, Point, Range};
use crate::value::context::ValueContext;
use crate::wire::error::{PgError, PgResult, SqlState};

fn malformed(text: &str, detail: &str) -> PgError {
    let message = format!("malformed range literal: \"{text}\"");
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(detail)
}

/// A text of a client.
pub(crate) fn read(of: RangeType, text: &str, ctx: &ValueContext) -> PgResult<Range> {
    let rest = text.trim_ascii_start();
    if rest.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("empty")) {
        if rest.get(5..).is_some_and(|behind| !behind.trim_ascii().is_empty()) {
            return Err(malformed(text, "Junk after \"empty\" key word."));
        }
        return Ok(Range::empty(of));
    }
    let mut chars = rest.chars();
    let from = match chars.next() {
        Some('[') => true,
        Some('(') => false,
        _ => return Err(malformed(text, "Missing left parenthesis or bracket.")),
    };
    let (lower, mut rest) = bound(text, chars.as_str())?;
    rest = rest.strip_prefix(',').ok_or_else(|| malformed(text, "Missing comma after lower bound."))?;
    let (upper, rest) = bound(text, rest)?;
    let mut chars = rest.chars();
    let to = match chars.next() {
        Some(']') => true,
        Some(')') => false,
        _ => return Err(malformed(text, "Too many commas.")),
    };
    if !chars.as_str().trim_ascii().is_empty() {
        return Err(malformed(text, "Junk after right parenthesis or bracket."));
    }
    let point = |bound: Option<String>| bound.map(|b| Point::read(of, &b, ctx)).transpose();
    Range::new(of, End::new(point(lower)?, from, true), End::new(point(upper)?, to, false))
}

/// A bound's text without quotes, none where there is none, and what follows it.
fn bound<'a>(text: &str, rest: &'a str) -> PgResult<(Option<String>, &'a str)> {
    if rest.starts_with([',', ')', ']']) {
        return Ok((None, rest));
    }
    let end = || malformed(text, "Unexpected end of input.");
    let mut out = String::new();
    let mut quoted = false;
    let mut chars = rest.char_indices().peekable();
    loop {
        let (at, c) = match chars.peek() {
            Some(next) => *next,
            None => return Err(end()),
        };
        if !quoted && matches!(c, ',' | ')' | ']') {
            return Ok((Some(out), rest.get(at..).unwrap_or_default()));
        }
        chars.next();
        match c {
            '\\' => out.push(chars.next().ok_or_else(end)?.1),
            '"' if !quoted => quoted = true,
            '"' => match chars.peek() {
                Some((_, '"')) => {
                    out.push('"');
                    chars.next();
                }
                _ => quoted = false,
            },
            c => out.push(c),
        }
    }
}

/// A text that the lake or the engine has: in UTC, whatever the session's zone.
pub(crate) fn stored(of: RangeType, text: &str) -> PgResult<Range> {
    read(of, text, &ValueContext::new(chrono::DateTime::UNIX_EPOCH))
}
