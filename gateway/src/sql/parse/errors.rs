//! What the tokenizer and the parser found wrong, as Postgres says it.

use super::*;
use crate::sql::dialect::Postgres;

pub(super) fn too_long(max: usize) -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("statement is longer than {max} bytes"))
        .hint("Load many rows with COPY … FROM STDIN.")
}

/// The error of a text that ends inside a literal, identifier or comment.
pub(super) fn unterminated(text: &str, error: &TokenizerError) -> PgError {
    if error.message.contains("encoded string")
        && let at = position::byte(text, error.location)
        && let Some(error) = wrong_escape(text, at).or_else(|| wrong_bytes(text, at))
    {
        return error;
    }
    let message = error.message.as_str();
    let what = if message.contains("dollar-quoted") {
        "unterminated dollar-quoted string"
    } else if message.contains("comment") {
        "unterminated /* comment"
    } else if message.contains("delimiter") {
        "unterminated quoted identifier"
    } else if message.contains("nterminated") {
        "unterminated quoted string"
    } else {
        "syntax error"
    };
    let mut at = position::byte(text, error.location);
    if what.ends_with("comment") || message.contains("dollar-quoted") {
        // The tokenizer tells where the text ended; Postgres tells where the token began.
        let opening = if what.ends_with("comment") { "/*" } else { "$" };
        at = text.find(opening).unwrap_or(at);
    }
    let lexeme = text.get(at..).unwrap_or_default();
    let message =
        if lexeme.is_empty() { format!("{what} at end of input") } else { format!("{what} at or near \"{lexeme}\"") };
    PgError::new(SqlState::SYNTAX_ERROR, message).position(position::of_byte(text, at))
}

/// `E'\xff'`: bytes that are no UTF-8.
fn wrong_bytes(text: &str, at: usize) -> Option<PgError> {
    let literal = text.get(at..)?;
    let inside = literal.get(literal.find('\'')? + 1..)?;
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = inside;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..)?;
        let radix = match (c, after.chars().next()) {
            ('\'', _) => break,
            ('\\', Some('x')) => 16,
            ('\\', Some('0'..='7')) => 8,
            ('\\', Some(escaped)) => {
                bytes.push(b' ');
                rest = after.get(escaped.len_utf8()..)?;
                continue;
            }
            _ => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                rest = after;
                continue;
            }
        };
        let (from, max) = if radix == 16 { (1, 2) } else { (0, 3) };
        let digits: String = after.chars().skip(from).take(max).take_while(|c| c.is_digit(radix)).collect();
        let value = u32::from_str_radix(&digits, radix).unwrap_or(u32::from(b'x'));
        bytes.push(u8::try_from(value & 0xff).unwrap_or_default());
        rest = after.get(from + digits.len()..)?;
    }
    std::str::from_utf8(&bytes).is_err().then(|| crate::value::invalid_utf8(&bytes))
}

/// `E'\000'` and `E'\u0000'` are terminated, and no text.
fn wrong_escape(text: &str, at: usize) -> Option<PgError> {
    let literal = text.get(at..)?;
    let mut rest = literal.get(literal.find('\'')? + 1..)?;
    while let Some(found) = rest.find('\\') {
        let escape = rest.get(found..)?;
        let after = escape.get(1..)?;
        let digits = |from: usize, max: usize, radix: u32| {
            let all = after.get(from..).unwrap_or_default();
            let end = all.char_indices().take(max).take_while(|(_, c)| c.is_digit(radix)).count();
            all.get(..end).and_then(|digits| Some((end, u32::from_str_radix(digits, radix).ok()?)))
        };
        let (is_zero, unicode) = match after.chars().next()? {
            '0'..='7' => (digits(0, 3, 8).is_some_and(|(_, value)| value == 0), None),
            'x' => (digits(1, 2, 16).is_some_and(|(_, value)| value == 0), None),
            'u' => (false, digits(1, 4, 16)),
            'U' => (false, digits(1, 8, 16)),
            _ => (false, None),
        };
        if is_zero {
            let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
            return Some(PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
        }
        if let Some((length, 0)) = unicode {
            let lexeme = escape.get(..length + 2).unwrap_or_default();
            let byte = text.len() - rest.len() + found;
            let message = format!("invalid Unicode escape value at or near \"{lexeme}\"");
            return Some(PgError::new(SqlState::SYNTAX_ERROR, message).position(position::of_byte(text, byte)));
        }
        rest = after.get(after.chars().next()?.len_utf8()..)?;
    }
    None
}

/// The error for a statement that nests too deeply.
pub(super) fn too_deep() -> PgError {
    PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint("The statement nests too deeply.")
}

/// Postgres' words for the parser's error. `end_of_input`: where the semicolon stands that ended the statement.
pub(super) fn syntax_error(text: &str, error: &ParserError, end_of_input: Option<Location>, end: usize) -> PgError {
    let message = match error {
        ParserError::RecursionLimitExceeded => return too_deep(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    match location_in(message).or(end_of_input) {
        Some(location) => near_byte(text, position::byte(text, location)),
        None => near_byte(text, end),
    }
}

/// `… at Line: 3, Column: 14` at a message's end.
fn location_in(message: &str) -> Option<Location> {
    let (_, tail) = message.rsplit_once("Line: ")?;
    let (line, column) = tail.split_once(", Column: ")?;
    let column: String = column.chars().take_while(char::is_ascii_digit).collect();
    let location = Location { line: line.parse().ok()?, column: column.parse().ok()? };
    (location.line > 0).then_some(location)
}

pub(super) fn near(text: &str, token: Option<&TokenWithSpan>, end: usize) -> PgError {
    match token.filter(|t| t.span.start.line > 0) {
        Some(token) => near_byte(text, position::byte(text, token.span.start)),
        None => near_byte(text, end),
    }
}

/// What is Postgres' syntax, and not the parser's: by the words that it begins with.
fn known(lexeme: &str, rest: &str) -> Option<&'static str> {
    let mut words = rest.split_whitespace().map(str::to_ascii_lowercase);
    let (first, second) = (words.next()?, words.next().unwrap_or_default());
    let third = words.next().unwrap_or_default();
    match (first.as_str(), second.as_str(), third.as_str()) {
        _ if lexeme.len() > first.len() => None,
        ("search", "depth" | "breadth", "first") => Some("SEARCH of WITH RECURSIVE"),
        ("cycle", column, "set") if !column.is_empty() => Some("CYCLE of WITH RECURSIVE"),
        ("drop", "expression" | "expression;", _) => Some("DROP EXPRESSION"),
        _ => None,
    }
}

/// `syntax error at or near "x"`, x being the token that begins there.
fn near_byte(text: &str, at: usize) -> PgError {
    let rest = text.get(at..).unwrap_or_default();
    let error = |message: String| PgError::new(SqlState::SYNTAX_ERROR, message).position(position::of_byte(text, at));
    let token = Tokenizer::new(&Postgres {}, rest)
        .with_unescape(false)
        .tokenize_with_location()
        .ok()
        .and_then(|tokens| tokens.into_iter().find(|t| !matches!(t.token, Token::Whitespace(_))));
    match token {
        Some(token) => {
            let start = position::byte(rest, token.span.start);
            let lexeme = rest.get(start..position::byte(rest, token.span.end)).unwrap_or_default();
            if let Some(what) = known(lexeme, rest.get(start..).unwrap_or_default()) {
                return PgError::unsupported(format!("{what} is not supported"))
                    .hint("See docs/sql.md for what is.")
                    .position(position::of_byte(text, at));
            }
            error(format!("syntax error at or near \"{lexeme}\""))
        }
        None => error("syntax error at end of input".into()),
    }
}
