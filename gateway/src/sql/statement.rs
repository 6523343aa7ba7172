//! A parsed statement that can be kept, cloned, sent and dropped anywhere.

use std::{fmt, mem, sync::Arc};

use sqlparser::ast;

use super::thread;

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
    tree: Tree,
}

/// The syntax tree; its drop happens where the stack is large.
pub(super) struct Tree(Option<Box<ast::Statement>>);

impl Drop for Inner {
    fn drop(&mut self) {
        let tree = mem::replace(&mut self.tree, Tree(None));
        if self.end - self.start > SHALLOW_BYTES {
            thread::drop_there(tree);
        }
    }
}

impl Statement {
    pub(super) fn new(source: Arc<str>, start: usize, end: usize, tree: ast::Statement) -> Self {
        let tree = Tree(Some(Box::new(tree)));
        Self {
            inner: Arc::new(Inner {
                source,
                start,
                end,
                tree,
            }),
        }
    }

    /// Its own text, without the semicolon.
    #[must_use]
    pub fn text(&self) -> &str {
        self.inner
            .source
            .get(self.inner.start..self.inner.end)
            .unwrap_or_default()
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

    /// The tree. Only for threads of [`thread`].
    pub(super) fn tree(&self) -> Option<&ast::Statement> {
        self.inner.tree.0.as_deref()
    }

    /// Whether a failed transaction block may still run it (COMMIT, ROLLBACK, ROLLBACK TO).
    #[must_use]
    pub fn ends_failed_transaction(&self) -> bool {
        matches!(
            self.tree(),
            Some(ast::Statement::Commit { .. } | ast::Statement::Rollback { .. })
        )
    }

    /// Whether it is COPY … FROM STDIN: not allowed in the extended protocol's describe.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(self.tree(), Some(ast::Statement::Copy { .. }))
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the tree: printing a deep one overflows the stack.
        f.debug_tuple("Statement").field(&self.text()).finish()
    }
}
