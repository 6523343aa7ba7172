//! What ranges are, and what is computed with them: as `rangetypes.c` does.

use std::cmp::Ordering;

use duckmesh_catalog::types::RangeType;

use super::Point;
use crate::value::context::ValueContext;
use crate::wire::error::{PgError, PgResult, SqlState};

const DATA_EXCEPTION: SqlState = SqlState("22000");

/// One end.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// None: there is no end.
    pub value: Option<Point>,
    pub inclusive: bool,
    pub lower: bool,
}

/// A range; `None` is the empty one.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub of: RangeType,
    pub ends: Option<(End, End)>,
}

impl End {
    pub fn new(value: Option<Point>, inclusive: bool, lower: bool) -> Self {
        let inclusive = inclusive && value.is_some();
        Self { value, inclusive, lower }
    }

    /// By the values alone.
    fn values(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (None, None) if self.lower == other.lower => Ordering::Equal,
            (None, _) => {
                if self.lower {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (_, None) => {
                if other.lower {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(a), Some(b)) => a.compared(b),
        }
    }

    /// `range_cmp_bounds`.
    pub fn compared(&self, other: &Self) -> Ordering {
        let by_value = self.values(other);
        if by_value != Ordering::Equal || self.value.is_none() {
            return by_value;
        }
        let inward = |end: &Self| if end.lower { Ordering::Greater } else { Ordering::Less };
        match (self.inclusive, other.inclusive) {
            (true, true) => Ordering::Equal,
            (false, false) if self.lower == other.lower => Ordering::Equal,
            (false, _) => inward(self),
            (true, false) => inward(other).reverse(),
        }
    }

    /// The other side of the same cut.
    fn flipped(&self) -> Self {
        Self { value: self.value.clone(), inclusive: !self.inclusive, lower: !self.lower }
    }

    fn key(&self) -> Vec<u8> {
        let Some(value) = &self.value else { return vec![if self.lower { 0 } else { 2 }] };
        let mut key = vec![1];
        key.extend(value.key());
        key.push(u8::from(self.inclusive != self.lower));
        key
    }

    /// Whether this upper end meets that lower one.
    fn meets(&self, lower: &Self) -> bool {
        self.value.is_some() && self.values(lower) == Ordering::Equal && self.inclusive != lower.inclusive
    }
}

impl Range {
    pub fn empty(of: RangeType) -> Self {
        Self { of, ends: None }
    }

    /// From its ends: empty where they leave nothing; of types with a next value always `[a,b)`.
    pub fn new(of: RangeType, lower: End, upper: End) -> PgResult<Self> {
        let Some((mut lower, mut upper)) = Self::checked(lower, upper)? else { return Ok(Self::empty(of)) };
        if matches!(of, RangeType::Int4 | RangeType::Int8 | RangeType::Date) {
            if let (Some(value), false) = (lower.value.as_ref().filter(|value| value.has_next(of)), lower.inclusive) {
                lower = End::new(Some(value.next(of)?), true, true);
            }
            if let (Some(value), true) = (upper.value.as_ref().filter(|value| value.has_next(of)), upper.inclusive) {
                upper = End::new(Some(value.next(of)?), false, false);
            }
            return Ok(Self { of, ends: Self::checked(lower, upper)? });
        }
        Ok(Self { of, ends: Some((lower, upper)) })
    }

    fn checked(lower: End, upper: End) -> PgResult<Option<(End, End)>> {
        match lower.values(&upper) {
            Ordering::Greater => {
                Err(PgError::new(DATA_EXCEPTION, "range lower bound must be less than or equal to range upper bound"))
            }
            Ordering::Equal if !(lower.inclusive && upper.inclusive) => Ok(None),
            _ => Ok(Some((lower, upper))),
        }
    }

    /// Both ends of both; none if either is empty.
    fn both<'a>(&'a self, other: &'a Self) -> Option<(&'a End, &'a End, &'a End, &'a End)> {
        match (&self.ends, &other.ends) {
            (Some((l1, u1)), Some((l2, u2))) => Some((l1, u1, l2, u2)),
            _ => None,
        }
    }

    pub fn point(of: RangeType, value: Point) -> Self {
        let end = |lower| End::new(Some(value.clone()), true, lower);
        // Not canonical, so that the greatest value has one too.
        Self { of, ends: Some((end(true), end(false))) }
    }

    pub fn contains(&self, other: &Self) -> bool {
        match self.both(other) {
            Some((l1, u1, l2, u2)) => l1.compared(l2).is_le() && u1.compared(u2).is_ge(),
            None => other.ends.is_none(),
        }
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.both(other).is_some_and(|(l1, u1, l2, u2)| {
            (l1.compared(l2).is_ge() && l1.compared(u2).is_le()) || (l2.compared(l1).is_ge() && l2.compared(u1).is_le())
        })
    }

    pub fn before(&self, other: &Self) -> bool {
        self.both(other).is_some_and(|(_, u1, l2, _)| u1.compared(l2).is_lt())
    }

    pub fn ends_before(&self, other: &Self) -> bool {
        self.both(other).is_some_and(|(_, u1, _, u2)| u1.compared(u2).is_le())
    }

    pub fn begins_after(&self, other: &Self) -> bool {
        self.both(other).is_some_and(|(l1, _, l2, _)| l1.compared(l2).is_ge())
    }

    pub fn adjacent(&self, other: &Self) -> bool {
        self.both(other).is_some_and(|(l1, u1, l2, u2)| u1.meets(l2) || u2.meets(l1))
    }

    /// The smallest range with both.
    pub fn merged(&self, other: &Self) -> Self {
        let Some((l1, u1, l2, u2)) = self.both(other) else {
            return if self.ends.is_none() { other.clone() } else { self.clone() };
        };
        let lower = if l1.compared(l2).is_le() { l1 } else { l2 };
        let upper = if u1.compared(u2).is_ge() { u1 } else { u2 };
        Self { of: self.of, ends: Some((lower.clone(), upper.clone())) }
    }

    pub fn union(&self, other: &Self) -> PgResult<Self> {
        if self.both(other).is_some() && !self.overlaps(other) && !self.adjacent(other) {
            return Err(PgError::new(DATA_EXCEPTION, "result of range union would not be contiguous"));
        }
        Ok(self.merged(other))
    }

    pub fn intersection(&self, other: &Self) -> PgResult<Self> {
        let Some((l1, u1, l2, u2)) = self.both(other).filter(|_| self.overlaps(other)) else {
            return Ok(Self::empty(self.of));
        };
        let lower = if l1.compared(l2).is_ge() { l1 } else { l2 };
        let upper = if u1.compared(u2).is_le() { u1 } else { u2 };
        Self::new(self.of, lower.clone(), upper.clone())
    }

    /// What is left and right of the other in this one.
    pub fn without(&self, other: &Self) -> PgResult<Vec<Self>> {
        let Some((l1, u1, l2, u2)) = self.both(other).filter(|_| self.overlaps(other)) else {
            return Ok(vec![self.clone()]);
        };
        let mut parts = Vec::new();
        if l1.compared(l2).is_lt() {
            parts.push(Self::new(self.of, l1.clone(), l2.flipped())?);
        }
        if u1.compared(u2).is_gt() {
            parts.push(Self::new(self.of, u2.flipped(), u1.clone())?);
        }
        Ok(parts)
    }

    pub fn difference(&self, other: &Self) -> PgResult<Self> {
        let mut parts = self.without(other)?;
        if parts.len() > 1 {
            return Err(PgError::new(DATA_EXCEPTION, "result of range difference would not be contiguous"));
        }
        Ok(parts.pop().unwrap_or_else(|| Self::empty(self.of)))
    }

    /// Bytes that order as `range_cmp` does.
    pub fn key(&self) -> Vec<u8> {
        let Some((lower, upper)) = &self.ends else { return vec![0] };
        let mut key = vec![1];
        key.extend(lower.key());
        key.extend(upper.key());
        key
    }

    pub fn text(&self, ctx: &ValueContext) -> String {
        let Some((lower, upper)) = &self.ends else { return "empty".to_owned() };
        let show = |end: &End| end.value.as_ref().map(|v| quoted(&v.write(self.of, ctx))).unwrap_or_default();
        format!(
            "{}{},{}{}",
            if lower.inclusive { '[' } else { '(' },
            show(lower),
            show(upper),
            if upper.inclusive { ']' } else { ')' }
        )
    }
}

/// In quotes where the text needs them.
fn quoted(text: &str) -> String {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',') || c.is_ascii_whitespace();
    if text.is_empty() || text.contains(special) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
