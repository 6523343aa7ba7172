//! Where something stands in a text: lines and columns into bytes and characters.

use sqlparser::tokenizer::Location;

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
    text.get(start..).and_then(|rest| rest.char_indices().nth(column)).map_or(text.len(), |(at, _)| start + at)
}

/// Position of a byte as errors tell it: 1-based, in characters.
pub(super) fn of_byte(text: &str, byte: usize) -> u32 {
    let characters = text.get(..byte).unwrap_or(text).chars().count();
    u32::try_from(characters + 1).unwrap_or(u32::MAX)
}

/// The place found last. The next one is mostly behind it: a text with a million values is walked once, not a million
/// times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    line: u64,
    column: u64,
    byte: usize,
    characters: u32,
}

impl Cursor {
    /// The position of a location, 1-based, in characters.
    pub(super) fn seek(&mut self, text: &str, to: Location) -> u32 {
        if self.line == 0 || (to.line, to.column) < (self.line, self.column) {
            *self = Self { line: 1, column: 1, byte: 0, characters: 0 };
        }
        for c in text.get(self.byte..).unwrap_or_default().chars() {
            if (self.line, self.column) >= (to.line, to.column) {
                break;
            }
            self.byte += c.len_utf8();
            self.characters = self.characters.saturating_add(1);
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.characters.saturating_add(1)
    }
}

/// Where a statement begins in its text: without it, the positions in the last of many statements would be searched for
/// from the text's beginning, each time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Which text: the address and length of it. It is only compared.
    text: (usize, usize),
    cursor: Cursor,
}

impl Start {
    pub(super) fn new(text: &str, cursor: Cursor) -> Self {
        Self { text: address(text), cursor }
    }

    /// A cursor for a text: at the statement's start, if it is that text.
    pub(super) fn cursor(&self, text: &str) -> Cursor {
        // A cursor checks nothing against the text: at worst a position in an error would be wrong.
        if self.text == address(text) { self.cursor } else { Cursor::default() }
    }
}

fn address(text: &str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_forward_and_back() {
        let text = "añb\nçd\n\nx";
        let mut cursor = Cursor::default();
        for (line, column, expect) in [(1, 1, 1), (1, 3, 3), (2, 2, 6), (4, 1, 9), (1, 2, 2), (2, 1, 5)] {
            let location = Location { line, column };
            assert_eq!(cursor.seek(text, location), expect, "{line}:{column}");
            assert_eq!(of_byte(text, byte(text, location)), expect);
        }
    }
}
