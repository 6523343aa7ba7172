//! Multiranges: ranges in order that neither overlap nor meet.

use duckmesh_catalog::types::RangeType;

use super::{Range, input};
use crate::value::context::ValueContext;
use crate::wire::error::{PgError, PgResult, SqlState};

/// A multirange.
#[derive(Clone, Debug)]
pub(crate) struct Multirange {
    pub of: RangeType,
    pub ranges: Vec<Range>,
}

impl Multirange {
    pub fn new(of: RangeType, mut ranges: Vec<Range>) -> PgResult<Self> {
        ranges.retain(|r| r.ends.is_some());
        ranges.sort_by_cached_key(Range::key);
        let mut kept: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match kept.last_mut() {
                Some(last) if last.overlaps(&range) || last.adjacent(&range) => *last = last.merged(&range),
                _ => kept.push(range),
            }
        }
        Ok(Self { of, ranges: kept })
    }

    /// The smallest range with all.
    pub fn span(&self) -> Range {
        match (self.ranges.first(), self.ranges.last()) {
            (Some(first), Some(last)) => first.merged(last),
            _ => Range::empty(self.of),
        }
    }

    pub fn contains(&self, other: &Self) -> bool {
        other.ranges.iter().all(|theirs| self.ranges.iter().any(|ours| ours.contains(theirs)))
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        other.ranges.iter().any(|theirs| self.ranges.iter().any(|ours| ours.overlaps(theirs)))
    }

    /// Whether the one ends where the other begins.
    pub fn adjacent(&self, other: &Self) -> bool {
        let meet = |a: &Self, b: &Self| match (a.ranges.last(), b.ranges.first()) {
            (Some(last), Some(first)) => last.before(first) && last.adjacent(first),
            _ => false,
        };
        meet(self, other) || meet(other, self)
    }

    pub fn union(&self, other: &Self) -> PgResult<Self> {
        Self::new(self.of, [self.ranges.clone(), other.ranges.clone()].concat())
    }

    pub fn intersection(&self, other: &Self) -> PgResult<Self> {
        let mut parts = Vec::new();
        for ours in &self.ranges {
            for theirs in &other.ranges {
                parts.push(ours.intersection(theirs)?);
            }
        }
        Self::new(self.of, parts)
    }

    pub fn difference(&self, other: &Self) -> PgResult<Self> {
        let mut parts = self.ranges.clone();
        for theirs in &other.ranges {
            let mut left = Vec::new();
            for ours in &parts {
                left.extend(ours.without(theirs)?);
            }
            parts = left;
        }
        Self::new(self.of, parts)
    }

    pub fn key(&self) -> Vec<u8> {
        self.ranges.iter().flat_map(Range::key).collect()
    }

    pub fn text(&self, ctx: &ValueContext) -> String {
        let texts: Vec<String> = self.ranges.iter().map(|r| r.text(ctx)).collect();
        format!("{{{}}}", texts.join(","))
    }
}

fn malformed(text: &str, detail: &str) -> PgError {
    let message = format!("malformed multirange literal: \"{text}\"");
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(detail)
}

/// `multirange_in`.
pub(crate) fn read(of: RangeType, text: &str, ctx: &ValueContext) -> PgResult<Multirange> {
    let mut rest = text.trim_ascii_start();
    rest = rest.strip_prefix('{').ok_or_else(|| malformed(text, "Missing left brace."))?.trim_ascii_start();
    let mut ranges = Vec::new();
    loop {
        if rest.starts_with('}') && ranges.is_empty() {
            break;
        }
        let length = match rest.chars().next() {
            None => return Err(malformed(text, "Unexpected end of input.")),
            Some('[' | '(') => range_length(rest).ok_or_else(|| malformed(text, "Unexpected end of input."))?,
            Some('e' | 'E') if rest.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("empty")) => 5,
            Some(_) => return Err(malformed(text, "Expected range start.")),
        };
        let (range, behind) = rest.split_at(length);
        ranges.push(input::read(of, range, ctx)?);
        rest = behind.trim_ascii_start();
        match rest.chars().next() {
            Some(',') => rest = rest.get(1..).unwrap_or_default().trim_ascii_start(),
            Some('}') => break,
            None => return Err(malformed(text, "Unexpected end of input.")),
            Some(_) => return Err(malformed(text, "Expected comma or end of multirange.")),
        }
    }
    if !rest.get(1..).unwrap_or_default().trim_ascii().is_empty() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    Multirange::new(of, ranges)
}

/// Up to and with the bracket that closes a range's text.
fn range_length(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            b')' | b']' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A text that the lake or the engine has.
pub(crate) fn stored(of: RangeType, text: &str) -> PgResult<Multirange> {
    read(of, text, &ValueContext::new(chrono::DateTime::UNIX_EPOCH))
}
