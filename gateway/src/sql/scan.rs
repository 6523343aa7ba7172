//! Utility statements token by token: those that sqlparser reads not at all, or otherwise than Postgres.

use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::ddl::place;
use crate::sql::dialect::Postgres;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Statements above this length are not looked at: no utility statement is so long.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The tokens of one statement, without blanks and comments, and a place in them.
pub struct Scan<'a> {
    text: &'a str,
    tokens: Vec<TokenWithSpan>,
    at: usize,
}

/// Whether the statement's first word is one of these: cheap, so that an INSERT of megabytes is not tokenized for it.
#[must_use]
pub fn begins_with(text: &str, words: &[&str]) -> bool {
    let first = first_word(text);
    words.iter().any(|word| word.eq_ignore_ascii_case(first))
}

fn first_word(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = after_comment(comment);
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            return rest.get(..end).unwrap_or_default();
        }
    }
}

/// Comments of Postgres nest.
fn after_comment(text: &str) -> &str {
    let mut depth = 1;
    let bytes = text.as_bytes();
    let mut at = 0;
    while depth > 0 {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'*'), Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            (Some(b'/'), Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (Some(_), _) => at += 1,
            (None, _) => return "",
        }
    }
    text.get(at..).unwrap_or_default()
}

impl<'a> Scan<'a> {
    /// Cuts the statement into tokens; none where it has no tokens, is too long, or the tokenizer refuses it (the parser then
    /// says why). A semicolon at the end is left out.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let dialect = Postgres {};
        let mut tokens = Tokenizer::new(&dialect, text).tokenize_with_location().ok()?;
        tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        if tokens.last().is_some_and(|t| t.token == Token::SemiColon) {
            tokens.pop();
        }
        (!tokens.is_empty()).then_some(Self { text, tokens, at: 0 })
    }

    /// The statement's text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The token at this place.
    #[must_use]
    pub fn peek(&self) -> Option<&Token> {
        self.ahead(0)
    }

    /// The token some places on.
    #[must_use]
    pub fn ahead(&self, places: usize) -> Option<&Token> {
        self.tokens.get(self.at + places).map(|t| &t.token)
    }

    /// Takes the token at this place.
    pub fn advance(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes a token, if it is this one.
    pub fn take(&mut self, token: &Token) -> bool {
        let is = self.peek() == Some(token);
        self.at += usize::from(is);
        is
    }

    /// Takes a token that must be this one.
    pub fn expect(&mut self, token: &Token) -> PgResult<()> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Whether these unquoted words are next.
    #[must_use]
    pub fn sees(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(i, word)| self.ahead(i).is_some_and(|t| is_word(t, word)))
    }

    /// Takes these unquoted words, if all are next.
    pub fn word(&mut self, words: &[&str]) -> bool {
        let sees = self.sees(words);
        if sees {
            self.at += words.len();
        }
        sees
    }

    /// Takes words that must be next.
    pub fn expect_word(&mut self, words: &[&str]) -> PgResult<()> {
        for word in words {
            if !self.word(&[word]) {
                return Err(self.unexpected());
            }
        }
        Ok(())
    }

    /// Whether everything is taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The value, if nothing follows.
    pub fn done<T>(&self, value: T) -> PgResult<T> {
        if self.is_done() { Ok(value) } else { Err(self.unexpected()) }
    }

    /// Takes an identifier, folded unless quoted.
    pub fn ident(&mut self) -> PgResult<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let name = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                };
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Takes a string constant.
    pub fn string(&mut self) -> PgResult<String> {
        match self.peek().and_then(string_of) {
            Some(text) => {
                self.at += 1;
                Ok(text)
            }
            None => Err(self.unexpected()),
        }
    }

    /// Takes identifiers with dots between: a name.
    pub fn name(&mut self) -> PgResult<Vec<String>> {
        let mut parts = vec![self.ident()?];
        while self.take(&Token::Period) {
            parts.push(self.ident()?);
        }
        Ok(parts)
    }

    /// `syntax error at or near "x"` at this place.
    #[must_use]
    pub fn unexpected(&self) -> PgError {
        let Some(token) = self.tokens.get(self.at) else {
            let end = u32::try_from(self.text.chars().count() + 1).ok();
            return PgError::new(SqlState::SYNTAX_ERROR, "syntax error at end of input").or_position(end);
        };
        let source = self.source(self.at, self.at + 1);
        PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{source}\""))
            .or_position(place::of_span(self.text, token.span))
    }

    /// The 1-based position of the token at this place, in characters.
    #[must_use]
    pub fn position(&self) -> Option<u32> {
        let token = self.tokens.get(self.at)?;
        place::of_span(self.text, token.span)
    }

    /// Where the scan stands: for [`Scan::source`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.at
    }

    /// Goes back to a mark.
    pub fn back_to(&mut self, mark: usize) {
        self.at = mark.min(self.at);
    }

    /// The text of the tokens from one mark to another.
    #[must_use]
    pub fn source(&self, from: usize, to: usize) -> &'a str {
        let start = self.tokens.get(from).map(|t| t.span.start);
        let end = to.checked_sub(1).and_then(|last| self.tokens.get(last)).map(|t| t.span.end);
        match (start, end) {
            (Some(start), Some(end)) => {
                self.text.get(byte_of(self.text, start)..byte_of(self.text, end)).unwrap_or_default()
            }
            _ => "",
        }
    }

    /// The byte where the token at this place begins; the text's length at the end.
    #[must_use]
    pub fn byte(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |t| byte_of(self.text, t.span.start))
    }
}

/// The text of a string constant.
#[must_use]
pub fn string_of(token: &Token) -> Option<String> {
    match token {
        Token::SingleQuotedString(s) | Token::EscapedStringLiteral(s) | Token::UnicodeStringLiteral(s) => {
            Some(s.clone())
        }
        Token::DollarQuotedString(s) => Some(s.value.clone()),
        _ => None,
    }
}

/// Whether a token is this unquoted word.
#[must_use]
pub fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(expected))
}

fn byte_of(text: &str, location: Location) -> usize {
    let Some(position) = place::of_location(text, location) else {
        return text.len();
    };
    text.char_indices().nth(position as usize - 1).map_or(text.len(), |(byte, _)| byte)
}
