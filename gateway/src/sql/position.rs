//! Where something stands in a text: lines and columns into bytes and characters.

use sqlparser::tokenizer::{Location, Span};

/// Byte offset of a location; the text's end where it is beyond.
pub(super) fn byte(text: &str, location: Location) -> usize {
    let mut line = 1;
    let mut start = 0;
    while line < location.line {
        match text.get(start..).and_then(|rest| rest.find('\n')) {
            Some(at) => start += at + 1,
            None => return text.len(),
        }
        line += 1;
    }
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
    text.get(start..)
        .and_then(|rest| rest.char_indices().nth(column))
        .map_or(text.len(), |(at, _)| start + at)
}

/// Position of a byte as errors tell it: 1-based, in characters.
pub(super) fn of_byte(text: &str, byte: usize) -> u32 {
    let characters = text.get(..byte).unwrap_or(text).chars().count();
    u32::try_from(characters + 1).unwrap_or(u32::MAX)
}

/// Position of a span's start; none for nodes without one.
pub(super) fn of_span(text: &str, span: Span) -> Option<u32> {
    (span.start.line > 0).then(|| of_byte(text, byte(text, span.start)))
}
