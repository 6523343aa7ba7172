//! A parsed statement that can be kept, cloned, sent and dropped anywhere.

use std::{fmt, mem, sync::Arc};

use sqlparser::ast;

use super::{position, thread};
use crate::{memory::LargeStatement, wire::error::PgError};

/// Below this many bytes of text no tree is deep enough to hurt any stack.
const SHALLOW_BYTES: usize = 2048;

/// One statement of a text.
#[derive(Clone)]
pub struct Statement {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<str>,
    start: usize,
    end: usize,
    place: position::Cursor,
    tree: Tree,
    /// Goes behind the tree: what the tree took is free by then.
    _large: Option<Arc<LargeStatement>>,
}

/// What statements are cut from.
pub(super) struct Text {
    source: Arc<str>,
    large: Option<Arc<LargeStatement>>,
}

impl Text {
    pub(super) fn new(source: &Arc<str>) -> Self {
        Self { source: source.clone(), large: LargeStatement::of(source.len()).map(Arc::new) }
    }
}

/// What parsing gave. A tree's drop happens where the stack is large.
pub(super) enum Tree {
    /// The text says all: transaction commands, settings, COPY.
    Text,
    /// A syntax tree.
    Ast(Box<ast::Statement>),
    /// DDL that the parser could not read: other readers may.
    Failed(PgError),
}

impl Drop for Inner {
    fn drop(&mut self) {
        let tree = mem::replace(&mut self.tree, Tree::Text);
        if self.end - self.start > SHALLOW_BYTES {
            thread::drop_there(tree);
        }
    }
}

impl Statement {
    pub(super) fn new(text: &Text, (start, end): (usize, usize), place: position::Cursor, tree: Tree) -> Self {
        let (source, _large) = (text.source.clone(), text.large.clone());
        Self { inner: Arc::new(Inner { source, start, end, place, tree, _large }) }
    }

    /// Its own text, without the semicolon.
    #[must_use]
    pub fn text(&self) -> &str {
        self.inner.source.get(self.inner.start..self.inner.end).unwrap_or_default()
    }

    /// The whole text it came in: positions of errors count from its start.
    #[must_use]
    pub fn source(&self) -> &Arc<str> {
        &self.inner.source
    }

    /// Byte offset of the statement in that text.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.inner.start
    }

    /// Where it begins, for positions of what is in it.
    #[must_use]
    pub fn start(&self) -> position::Start {
        position::Start::new(&self.inner.source, self.inner.place)
    }

    /// The tree. Only for threads of [`thread`].
    pub(super) fn tree(&self) -> &Tree {
        &self.inner.tree
    }

    /// The first word, upper case.
    #[must_use]
    pub fn verb(&self) -> String {
        let text = self.text().trim_start_matches(|c: char| c == '(' || c.is_whitespace());
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        text.get(..end).unwrap_or_default().to_ascii_uppercase()
    }

    /// Whether only planning tells if it is written right: the parser did not read it.
    #[must_use]
    pub fn is_read_late(&self) -> bool {
        !matches!(self.inner.tree, Tree::Ast(_))
    }

    /// Whether a failed transaction block may still run it.
    #[must_use]
    pub fn ends_failed_transaction(&self) -> bool {
        matches!(self.verb().as_str(), "COMMIT" | "END" | "ROLLBACK" | "ABORT")
    }

    /// Whether it is COPY.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.verb() == "COPY"
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the tree: printing a deep one overflows the stack.
        f.debug_tuple("Statement").field(&self.text()).finish()
    }
}
