//! What stands in an expression itself, not in its subqueries.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Visit, Visitor};

/// Shows each expression that no subquery holds, until `see` breaks.
pub(super) fn visit<B, T: Visit>(node: &T, see: impl FnMut(&Expr) -> ControlFlow<B>) -> ControlFlow<B> {
    node.visit(&mut Own { see, depth: 0 })
}

struct Own<F> {
    see: F,
    /// Subqueries around.
    depth: usize,
}

impl<B, F: FnMut(&Expr) -> ControlFlow<B>> Visitor for Own<F> {
    type Break = B;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<B> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<B> {
        match self.depth {
            0 => (self.see)(expr),
            _ => ControlFlow::Continue(()),
        }
    }
}
