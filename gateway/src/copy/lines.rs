//! Finds the ends of lines in COPY data, as Postgres' `CopyReadLineText` does.

use memchr::{memchr2, memchr3};

use super::options::{CopyFormat, CopyOptions};
use crate::wire::error::{PgError, SqlState};

/// How lines end: the first one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The line is `buffer[..end]`, the next one begins at `next`.
    Line { end: usize, next: usize },
    /// `\.`: the line is `buffer[..end]` (often empty), everything after it is ignored.
    EndOfCopy { end: usize },
    /// More data is needed.
    Incomplete,
}

/// Looks for one line after the other; remembers where it is within a line that is not complete.
pub(super) struct LineFinder {
    csv: bool,
    quote: u8,
    /// None where it is the quote itself.
    escape: Option<u8>,
    end: LineEnd,
    /// How far the line was looked at.
    at: usize,
    in_quote: bool,
    after_escape: bool,
    /// Line ends within quotes, by which the line number grows.
    pub inner_lines: u64,
}

impl LineFinder {
    pub fn new(options: &CopyOptions) -> Self {
        Self {
            csv: options.format == CopyFormat::Csv,
            quote: options.quote,
            escape: (options.escape != options.quote).then_some(options.escape),
            end: LineEnd::Unknown,
            at: 0,
            in_quote: false,
            after_escape: false,
            inner_lines: 0,
        }
    }

    fn next_line(&mut self) {
        self.at = 0;
        self.in_quote = false;
        self.after_escape = false;
    }

    /// Looks on in `buffer`, which begins with the line's first byte and grows from call to call; `last` says that
    /// nothing will follow.
    pub fn find(&mut self, buffer: &[u8], last: bool) -> Result<Found, PgError> {
        loop {
            let Some(step) = self.next_special(buffer) else {
                self.at = buffer.len();
                return Ok(Found::Incomplete);
            };
            self.at = step;
            let byte = buffer.get(step).copied().unwrap_or_default();
            // These look at what follows: without it nothing may change yet.
            if matches!(byte, b'\r' | b'\\') && step + 1 >= buffer.len() && !last {
                return Ok(Found::Incomplete);
            }
            if self.csv && self.quotes(byte) {
                self.at = step + 1;
                continue;
            }
            let found = match byte {
                b'\r' => Some(self.carriage_return(buffer, step)?),
                b'\n' => Some(self.newline(step)?),
                b'\\' if !self.csv || step == 0 => match self.backslash(buffer, step, last)? {
                    Step::Found(found) => Some(found),
                    Step::Skip(to) => {
                        self.at = to;
                        None
                    }
                    Step::Wait => return Ok(Found::Incomplete),
                },
                _ => {
                    self.at = step + 1;
                    None
                }
            };
            if let Some(found) = found {
                self.next_line();
                return Ok(found);
            }
        }
    }

    /// The next byte that may matter.
    fn next_special(&self, buffer: &[u8]) -> Option<usize> {
        let rest = buffer.get(self.at..)?;
        let offset = if !self.csv {
            memchr3(b'\n', b'\r', b'\\', rest)
        } else if self.at == 0 && rest.first() == Some(&b'\\') || self.after_escape && !rest.is_empty() {
            Some(0)
        } else if self.in_quote {
            let ends = memchr2(self.quote, self.escape.unwrap_or(self.quote), rest);
            // Line ends within quotes only count.
            let upto = rest.get(..ends.unwrap_or(rest.len())).unwrap_or_default();
            let counted = if self.end == LineEnd::Lf { b'\n' } else { b'\r' };
            match (memchr2(counted, counted, upto), ends) {
                (None, ends) => ends,
                (inner, _) => inner,
            }
        } else {
            memchr3(b'\n', b'\r', self.quote, rest)
        }?;
        Some(self.at + offset)
    }

    /// Keeps track of quotes; true where the byte is within them or is one.
    fn quotes(&mut self, byte: u8) -> bool {
        let was_in_quote = self.in_quote;
        if self.in_quote && self.escape == Some(byte) {
            self.after_escape = !self.after_escape;
        }
        if byte == self.quote && !self.after_escape {
            self.in_quote = !self.in_quote;
        }
        if self.escape != Some(byte) {
            self.after_escape = false;
        }
        let counted = if self.end == LineEnd::Lf { b'\n' } else { b'\r' };
        if self.in_quote && byte == counted {
            self.inner_lines += 1;
        }
        was_in_quote || self.in_quote
    }

    fn carriage_return(&mut self, buffer: &[u8], at: usize) -> Result<Found, PgError> {
        match self.end {
            LineEnd::Unknown | LineEnd::CrLf => {
                if buffer.get(at + 1) == Some(&b'\n') {
                    self.end = LineEnd::CrLf;
                    return Ok(Found::Line { end: at, next: at + 2 });
                }
                if self.end == LineEnd::CrLf {
                    return Err(self.stray("carriage return", "\\r"));
                }
                self.end = LineEnd::Cr;
            }
            LineEnd::Lf => return Err(self.stray("carriage return", "\\r")),
            LineEnd::Cr => {}
        }
        Ok(Found::Line { end: at, next: at + 1 })
    }

    fn newline(&mut self, at: usize) -> Result<Found, PgError> {
        if matches!(self.end, LineEnd::Cr | LineEnd::CrLf) {
            return Err(self.stray("newline", "\\n"));
        }
        self.end = LineEnd::Lf;
        Ok(Found::Line { end: at, next: at + 1 })
    }

    fn backslash(&mut self, buffer: &[u8], at: usize, last: bool) -> Result<Step, PgError> {
        let Some(next) = buffer.get(at + 1) else {
            return Ok(Step::Skip(at + 1));
        };
        if *next != b'.' {
            return Ok(Step::Skip(if self.csv { at + 1 } else { at + 2 }));
        }
        let mut after = at + 2;
        if self.end == LineEnd::CrLf {
            match buffer.get(after) {
                None if !last => return Ok(Step::Wait),
                Some(b'\r') => after += 1,
                _ if self.csv => return Ok(Step::Skip(at + 1)),
                Some(b'\n') => return Err(other_style()),
                _ => return Err(corrupt()),
            }
        }
        match (buffer.get(after), self.end) {
            (None, _) if !last => Ok(Step::Wait),
            (Some(b'\n'), LineEnd::Lf | LineEnd::CrLf | LineEnd::Unknown)
            | (Some(b'\r'), LineEnd::Cr | LineEnd::Unknown) => Ok(Step::Found(Found::EndOfCopy { end: at })),
            (Some(b'\n' | b'\r'), _) => Err(other_style()),
            _ if self.csv => Ok(Step::Skip(at + 1)),
            _ => Err(corrupt()),
        }
    }

    fn stray(&self, what: &str, escape: &str) -> PgError {
        let (kind, hint) = if self.csv {
            ("unquoted", format!("Use quoted CSV field to represent {what}."))
        } else {
            ("literal", format!("Use \"{escape}\" to represent {what}."))
        };
        bad_format(format!("{kind} {what} found in data")).hint(hint)
    }
}

enum Step {
    Found(Found),
    Skip(usize),
    Wait,
}

pub(super) fn bad_format(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

fn corrupt() -> PgError {
    bad_format("end-of-copy marker corrupt")
}

fn other_style() -> PgError {
    bad_format("end-of-copy marker does not match previous newline style")
}
