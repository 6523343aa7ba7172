//! Cuts a line of COPY data into fields.

use memchr::memchr2;

use super::lines::bad_format;
use super::options::{CopyFormat, CopyOptions};
use crate::value::invalid_utf8;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Where a field's bytes are.
#[derive(Clone, Copy, Debug)]
enum Place {
    Null,
    Line(usize, usize),
    Scratch(usize, usize),
}

/// The fields of one line; its memory is used again for the next.
#[derive(Default)]
pub(super) struct Fields {
    places: Vec<Place>,
    scratch: Vec<u8>,
}

impl Fields {
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The field's bytes; none for NULL.
    #[inline]
    pub fn get<'a>(&'a self, i: usize, line: &'a [u8]) -> Option<&'a [u8]> {
        match self.places.get(i)? {
            Place::Null => None,
            Place::Line(start, end) => line.get(*start..*end),
            Place::Scratch(start, end) => self.scratch.get(*start..*end),
        }
    }

    /// Cuts `line`, which has no line end.
    pub fn split(&mut self, line: &[u8], options: &CopyOptions) -> PgResult<()> {
        self.places.clear();
        self.scratch.clear();
        match options.format {
            CopyFormat::Text => self.split_text(line, options),
            CopyFormat::Csv => self.split_csv(line, options),
            CopyFormat::Binary | CopyFormat::Parquet => Err(bad_format("lines in binary COPY data")),
        }
    }

    fn split_text(&mut self, line: &[u8], options: &CopyOptions) -> PgResult<()> {
        let delimiter = options.delimiter;
        let mut start = 0;
        loop {
            let rest = line.get(start..).unwrap_or_default();
            let end = match memchr2(delimiter, b'\\', rest) {
                Some(n) if rest.get(n) == Some(&b'\\') => {
                    start = self.escaped(line, start, start + n, options)?;
                    if start > line.len() {
                        return Ok(());
                    }
                    continue;
                }
                Some(n) => start + n,
                None => line.len(),
            };
            let field = line.get(start..end).unwrap_or_default();
            self.places.push(if field == options.null { Place::Null } else { Place::Line(start, end) });
            if end == line.len() {
                return Ok(());
            }
            start = end + 1;
        }
    }

    /// A field with a backslash at `at`; answers where the next field begins, beyond the line for none.
    fn escaped(&mut self, line: &[u8], start: usize, mut at: usize, options: &CopyOptions) -> PgResult<usize> {
        let begin = self.scratch.len();
        self.scratch.extend_from_slice(line.get(start..at).unwrap_or_default());
        // Bytes written as numbers may make what is no text.
        let mut numbered = false;
        let (end, next) = loop {
            let rest = line.get(at..).unwrap_or_default();
            match rest {
                [] => break (at, line.len() + 1),
                [byte, ..] if *byte == options.delimiter => break (at, at + 1),
                [b'\\'] => {
                    at += 1;
                }
                [b'\\', mark, tail @ ..] => {
                    let (byte, used) = unescape(*mark, tail);
                    numbered |= (byte == 0 || byte >= 0x80) && byte != *mark;
                    self.scratch.push(byte);
                    at += 1 + used;
                }
                [byte, ..] => {
                    self.scratch.push(*byte);
                    at += 1;
                }
            }
        };
        if line.get(start..end) == Some(&options.null) {
            self.scratch.truncate(begin);
            self.places.push(Place::Null);
            return Ok(next);
        }
        if numbered {
            check_text(self.scratch.get(begin..).unwrap_or_default())?;
        }
        self.places.push(Place::Scratch(begin, self.scratch.len()));
        Ok(next)
    }

    fn split_csv(&mut self, line: &[u8], options: &CopyOptions) -> PgResult<()> {
        let (delimiter, quote) = (options.delimiter, options.quote);
        let mut start = 0;
        loop {
            let rest = line.get(start..).unwrap_or_default();
            let end = match memchr2(delimiter, quote, rest) {
                Some(n) if rest.get(n) == Some(&quote) => {
                    start = self.quoted(line, start, start + n, options)?;
                    if start > line.len() {
                        return Ok(());
                    }
                    continue;
                }
                Some(n) => start + n,
                None => line.len(),
            };
            let field = line.get(start..end).unwrap_or_default();
            self.places.push(if field == options.null { Place::Null } else { Place::Line(start, end) });
            if end == line.len() {
                return Ok(());
            }
            start = end + 1;
        }
    }

    /// A field with a quote at `at`; answers where the next field begins, beyond the line for none.
    fn quoted(&mut self, line: &[u8], start: usize, at: usize, options: &CopyOptions) -> PgResult<usize> {
        let (delimiter, quote, escape) = (options.delimiter, options.quote, options.escape);
        let begin = self.scratch.len();
        self.scratch.extend_from_slice(line.get(start..at).unwrap_or_default());
        let mut at = at;
        let mut in_quote = false;
        loop {
            let rest = line.get(at..).unwrap_or_default();
            let stop = if in_quote { memchr2(quote, escape, rest) } else { memchr2(quote, delimiter, rest) };
            let plain = stop.unwrap_or(rest.len());
            self.scratch.extend_from_slice(rest.get(..plain).unwrap_or_default());
            at += plain;
            let Some(&byte) = line.get(at) else {
                if in_quote {
                    return Err(bad_format("unterminated CSV quoted field"));
                }
                self.places.push(Place::Scratch(begin, self.scratch.len()));
                return Ok(line.len() + 1);
            };
            at += 1;
            if !in_quote {
                if byte == delimiter {
                    self.places.push(Place::Scratch(begin, self.scratch.len()));
                    return Ok(at);
                }
                in_quote = true;
                continue;
            }
            if byte == escape
                && let Some(next) = line.get(at).copied().filter(|n| *n == escape || *n == quote)
            {
                self.scratch.push(next);
                at += 1;
            } else if byte == quote {
                in_quote = false;
            } else {
                self.scratch.push(byte);
            }
        }
    }
}

/// What follows a backslash: the byte it means, and how many bytes of `mark` and `tail` it takes.
fn unescape(mark: u8, tail: &[u8]) -> (u8, usize) {
    let digits = |radix: u32, most: usize| {
        let digits = tail.iter().take(most).map_while(|b| char::from(*b).to_digit(radix));
        digits.fold((0_u32, 0_usize), |(value, n), d| (value * radix + d, n + 1))
    };
    #[allow(clippy::cast_possible_truncation)]
    match mark {
        b'0'..=b'7' => {
            let (value, n) = digits(8, 2);
            let shift = u32::from(mark - b'0') << (3 * n);
            ((shift | value) as u8, 1 + n)
        }
        b'x' => match digits(16, 2) {
            (_, 0) => (b'x', 1),
            (value, n) => (value as u8, 1 + n),
        },
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (11, 1),
        other => (other, 1),
    }
}

/// Text is UTF-8 without NUL.
pub(super) fn check_text(bytes: &[u8]) -> PgResult<()> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(invalid_utf8(bytes));
    }
    if memchr::memchr(0, bytes).is_some() {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
    }
    Ok(())
}
