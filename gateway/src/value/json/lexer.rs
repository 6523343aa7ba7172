//! Cuts JSON into tokens as Postgres' lexer does, with its errors.

use crate::wire::error::{PgError, SqlState};

/// How much of a line an error shows.
const CONTEXT_BYTES: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Number,
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    True,
    False,
    Null,
    End,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Whether escapes are decoded into `string`.
    decode: bool,
    pub kind: Kind,
    start: usize,
    end: usize,
    /// The last string token, decoded.
    pub string: String,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, decode: bool) -> Self {
        Self { text, decode, kind: Kind::End, start: 0, end: 0, string: String::new() }
    }

    /// The token as it is written.
    pub fn token(&self) -> &'a str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn run(&self, mut at: usize, take: impl Fn(u8) -> bool) -> usize {
        while self.byte(at).is_some_and(&take) {
            at += 1;
        }
        at
    }

    pub fn advance(&mut self) -> Result<(), PgError> {
        self.start = self.run(self.end, |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        self.end = self.start + 1;
        self.kind = match self.byte(self.start) {
            None => {
                self.end = self.start;
                Kind::End
            }
            Some(b'{') => Kind::ObjectStart,
            Some(b'}') => Kind::ObjectEnd,
            Some(b'[') => Kind::ArrayStart,
            Some(b']') => Kind::ArrayEnd,
            Some(b',') => Kind::Comma,
            Some(b':') => Kind::Colon,
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => self.word()?,
        };
        Ok(())
    }

    fn word(&mut self) -> Result<Kind, PgError> {
        // Bytes of other alphabets belong to words, for a better error.
        let end = self.run(self.start, |b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
        if end == self.start {
            let width = self.text.get(self.start..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
            self.end = self.start + width;
            return Err(self.invalid_token());
        }
        self.end = end;
        match self.token() {
            "true" => Ok(Kind::True),
            "false" => Ok(Kind::False),
            "null" => Ok(Kind::Null),
            _ => Err(self.invalid_token()),
        }
    }

    fn number(&mut self) -> Result<Kind, PgError> {
        let digit = |b: u8| b.is_ascii_digit();
        let mut at = self.start + usize::from(self.byte(self.start) == Some(b'-'));
        let mut wrong = false;
        match self.byte(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at = self.run(at, digit),
            _ => wrong = true,
        }
        if self.byte(at) == Some(b'.') {
            let end = self.run(at + 1, digit);
            wrong |= end == at + 1;
            at = end;
        }
        if matches!(self.byte(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(self.byte(at), Some(b'+' | b'-')));
            let end = self.run(at, digit);
            wrong |= end == at;
            at = end;
        }
        let end = self.run(at, |b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
        self.end = end;
        if wrong || end > at { Err(self.invalid_token()) } else { Ok(Kind::Number) }
    }

    fn string(&mut self) -> Result<Kind, PgError> {
        self.string.clear();
        let mut high: Option<u32> = None;
        let mut at = self.start + 1;
        loop {
            let plain = self.run(at, |b| b != b'"' && b != b'\\' && b >= 0x20);
            if plain > at && high.is_some() {
                return Err(self.lone_surrogate(at + 1));
            }
            if self.decode {
                self.string.push_str(self.text.get(at..plain).unwrap_or_default());
            }
            at = plain;
            match self.byte(at) {
                None => {
                    self.end = at;
                    return Err(self.invalid_token());
                }
                Some(b'"') => {
                    self.end = at + 1;
                    return if high.is_some() { Err(self.lone_surrogate(at + 1)) } else { Ok(Kind::String) };
                }
                Some(b'\\') => at = self.escape(at + 1, &mut high)?,
                Some(control) => {
                    self.end = at;
                    return Err(self.error(format!("Character with value 0x{control:02x} must be escaped.")));
                }
            }
        }
    }

    /// What follows a backslash; answers where the string goes on.
    fn escape(&mut self, at: usize, high: &mut Option<u32>) -> Result<usize, PgError> {
        let Some(mark) = self.byte(at) else {
            self.end = at;
            return Err(self.invalid_token());
        };
        if mark == b'u' {
            return self.unicode(at + 1, high);
        }
        if high.is_some() {
            return Err(self.lone_surrogate(at + 1));
        }
        let plain = match mark {
            b'"' | b'\\' | b'/' => char::from(mark),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => {
                let shown = self.text.get(at..).and_then(|t| t.chars().next()).unwrap_or_default();
                self.end = at + shown.len_utf8();
                return Err(self.error(format!("Escape sequence \"\\{shown}\" is invalid.")));
            }
        };
        if self.decode {
            self.string.push(plain);
        }
        Ok(at + 1)
    }

    fn unicode(&mut self, at: usize, high: &mut Option<u32>) -> Result<usize, PgError> {
        let mut code = 0;
        for i in at..at + 4 {
            let digit = self.byte(i).and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                self.end = match self.text.get(i..).and_then(|t| t.chars().next()) {
                    Some(c) => i + c.len_utf8(),
                    None => self.text.len(),
                };
                return Err(self.error("\"\\u\" must be followed by four hexadecimal digits.".to_owned()));
            };
            code = code << 4 | digit;
        }
        let end = at + 4;
        match (code, high.take()) {
            (0xD800..=0xDBFF, Some(_)) => {
                self.end = end;
                return Err(self.error("Unicode high surrogate must not follow a high surrogate.".to_owned()));
            }
            (0xD800..=0xDBFF, None) => *high = Some(code),
            (0xDC00..=0xDFFF, Some(first)) => {
                let both = 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00);
                self.string.extend(char::from_u32(both));
            }
            (0xDC00..=0xDFFF, None) | (_, Some(_)) => return Err(self.lone_surrogate(end)),
            // Text of a json value is kept as it is, so this one hurts nobody; lone surrogates do: the engine cannot read them.
            (0, None) if !self.decode => {}
            (0, None) => {
                self.end = end;
                let error = self.error("\\u0000 cannot be converted to text.".to_owned());
                let context = error.fields().context.clone().unwrap_or_default();
                return Err(PgError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                    .detail("\\u0000 cannot be converted to text.")
                    .context(context));
            }
            (_, None) => self.string.extend(char::from_u32(code)),
        }
        Ok(end)
    }

    fn lone_surrogate(&mut self, end: usize) -> PgError {
        self.end = end;
        self.error("Unicode low surrogate must follow a high surrogate.".to_owned())
    }

    fn invalid_token(&self) -> PgError {
        self.error(format!("Token \"{}\" is invalid.", self.token()))
    }

    /// `Expected string, but found "}".`
    #[cold]
    pub fn expected(&self, what: &str) -> PgError {
        if self.kind == Kind::End {
            return self.error("The input string ended unexpectedly.".to_owned());
        }
        self.error(format!("Expected {what}, but found \"{}\".", self.token()))
    }

    #[cold]
    fn error(&self, detail: String) -> PgError {
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(detail)
            .context(self.context())
    }

    /// The line up to the token's end, as Postgres shows it.
    fn context(&self) -> String {
        let bytes = self.text.as_bytes();
        let before = bytes.get(..self.start).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
        let mut start = line_start;
        while self.end - start >= CONTEXT_BYTES {
            start += self.text.get(start..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
        }
        if start - line_start <= 3 {
            start = line_start;
        }
        let prefix = if start > line_start { "..." } else { "" };
        let goes_on = self.kind != Kind::End || self.end < bytes.len();
        let more = goes_on && self.byte(self.end).is_some_and(|b| b != b'\n' && b != b'\r');
        let suffix = if more { "..." } else { "" };
        let shown = self.text.get(start..self.end).unwrap_or_default();
        format!("JSON data, line {line}: {prefix}{shown}{suffix}")
    }
}
