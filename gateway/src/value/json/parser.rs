//! Postgres' grammar of JSON, over its lexer.

use super::lexer::{Kind, Lexer};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Objects and arrays within each other: keeps the stack safe.
const DEPTH_MAX: usize = 1_000;

/// A JSON value; numbers are as written.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Checks that the text is JSON.
pub(in crate::value) fn check(text: &str) -> PgResult<()> {
    document(text, false).map(drop)
}

/// The value, or only a check of it.
pub(crate) fn document(text: &str, build: bool) -> PgResult<Node> {
    let mut parser = Parser { lexer: Lexer::new(text, build), build };
    parser.lexer.advance()?;
    let node = parser.value(0)?;
    if parser.lexer.kind != Kind::End {
        return Err(parser.lexer.expected("end of input"));
    }
    Ok(node)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    build: bool,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> PgResult<Node> {
        if depth > DEPTH_MAX {
            return Err(PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let node = match self.lexer.kind {
            Kind::ObjectStart => return self.object(depth),
            Kind::ArrayStart => return self.array(depth),
            Kind::String if self.build => Node::String(std::mem::take(&mut self.lexer.string)),
            Kind::Number if self.build => Node::Number(self.lexer.token().to_owned()),
            Kind::String | Kind::Number | Kind::Null => Node::Null,
            Kind::True => Node::Bool(true),
            Kind::False => Node::Bool(false),
            _ => return Err(self.lexer.expected("JSON value")),
        };
        self.lexer.advance()?;
        Ok(node)
    }

    fn object(&mut self, depth: usize) -> PgResult<Node> {
        let mut members = Vec::new();
        self.lexer.advance()?;
        if self.lexer.kind == Kind::ObjectEnd {
            self.lexer.advance()?;
            return Ok(Node::Object(members));
        }
        let mut wanted = "string or \"}\"";
        loop {
            if self.lexer.kind != Kind::String {
                return Err(self.lexer.expected(wanted));
            }
            let name = std::mem::take(&mut self.lexer.string);
            self.lexer.advance()?;
            if self.lexer.kind != Kind::Colon {
                return Err(self.lexer.expected("\":\""));
            }
            self.lexer.advance()?;
            let value = self.value(depth + 1)?;
            if self.build {
                members.push((name, value));
            }
            let kind = self.lexer.kind;
            if kind != Kind::Comma && kind != Kind::ObjectEnd {
                return Err(self.lexer.expected("\",\" or \"}\""));
            }
            self.lexer.advance()?;
            if kind == Kind::ObjectEnd {
                return Ok(Node::Object(members));
            }
            wanted = "string";
        }
    }

    fn array(&mut self, depth: usize) -> PgResult<Node> {
        let mut elements = Vec::new();
        self.lexer.advance()?;
        if self.lexer.kind == Kind::ArrayEnd {
            self.lexer.advance()?;
            return Ok(Node::Array(elements));
        }
        loop {
            let value = self.value(depth + 1)?;
            if self.build {
                elements.push(value);
            }
            let kind = self.lexer.kind;
            if kind != Kind::Comma && kind != Kind::ArrayEnd {
                return Err(self.lexer.expected("\",\" or \"]\""));
            }
            self.lexer.advance()?;
            if kind == Kind::ArrayEnd {
                return Ok(Node::Array(elements));
            }
        }
    }
}
