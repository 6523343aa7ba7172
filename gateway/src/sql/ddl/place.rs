//! Where things stand in a statement's text: positions for errors.

use sqlparser::{
    ast::{Ident, ObjectName, Spanned},
    tokenizer::{Location, Span},
};

/// The 1-based position, in characters, of a place that sqlparser gives as line and column.
#[must_use]
pub fn of_location(text: &str, location: Location) -> Option<u32> {
    let line = location.line.checked_sub(1)?;
    let column = location.column.checked_sub(1)?;
    let before: u64 =
        text.split_inclusive('\n').take(usize::try_from(line).ok()?).map(|l| l.chars().count() as u64).sum();
    u32::try_from(before + column + 1).ok()
}

/// The position of a span's start; none where the tree does not know it.
#[must_use]
pub fn of_span(text: &str, span: Span) -> Option<u32> {
    of_location(text, span.start)
}

/// The position of what follows a span.
#[must_use]
pub fn after(text: &str, span: Span) -> Option<u32> {
    let end = of_location(text, span.end)?;
    let blanks =
        text.chars().skip(usize::try_from(end).ok()?.checked_sub(1)?).take_while(|c| c.is_whitespace()).count();
    end.checked_add(u32::try_from(blanks).ok()?)
}

/// The position of an identifier.
#[must_use]
pub fn of_ident(text: &str, ident: &Ident) -> Option<u32> {
    of_span(text, ident.span)
}

/// The position of a name.
#[must_use]
pub fn of_name(text: &str, name: &ObjectName) -> Option<u32> {
    of_span(text, name.span())
}
