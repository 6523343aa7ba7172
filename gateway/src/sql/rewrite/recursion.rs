//! WITH RECURSIVE: the order of its queries, and where one may name itself. What Postgres refuses there the engine runs
//! without an end, or to another result.

use std::{collections::HashSet, ops::ControlFlow};

use sqlparser::{
    ast::{
        Cte, Expr, JoinOperator, LimitClause, ObjectName, OrderByKind, Query, Select, SetExpr, SetOperator,
        SetQuantifier, Spanned, TableFactor, TableWithJoins, Visit, Visitor, With,
    },
    tokenizer::Span,
};

use super::{Rewriter, call::is_aggregate, own};
use crate::{
    sql::{quote, thread},
    wire::error::{PgError, PgResult, SqlState},
};

/// Where a query names itself.
#[derive(Clone, Copy)]
enum Place {
    Here,
    First,
    Subquery,
    OuterJoin,
    Intersect,
    Except,
}

impl Place {
    /// What is said of it, where it may not stand there.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Here => None,
            Self::First => Some("its non-recursive term"),
            Self::Subquery => Some("a subquery"),
            Self::OuterJoin => Some("an outer join"),
            Self::Intersect => Some("INTERSECT"),
            Self::Except => Some("EXCEPT"),
        }
    }
}

/// Names of one query inside of another.
struct Names<'a> {
    name: &'a str,
    /// Queries around that have another one of this name.
    hidden: usize,
    found: Vec<Span>,
}

impl Names<'_> {
    fn hides(&self, query: &Query) -> bool {
        query.with.as_ref().is_some_and(|with| with.cte_tables.iter().any(|cte| name_of(cte) == self.name))
    }
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.hidden += usize::from(self.hides(query));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.hidden -= usize::from(self.hides(query));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if self.hidden == 0 && is_named(relation, self.name) {
            self.found.push(relation.span());
        }
        ControlFlow::Continue(())
    }
}

/// The first call of an aggregate of a query itself.
fn aggregate_in<T: Visit>(node: &T) -> Option<Span> {
    let found = own::visit(node, |expr| match expr {
        Expr::Function(function)
            if function.over.is_none()
                && quote::parts(&function.name).and_then(|mut p| p.pop()).is_some_and(|name| is_aggregate(&name)) =>
        {
            ControlFlow::Break(function.name.span())
        }
        _ => ControlFlow::Continue(()),
    });
    found.break_value()
}

fn name_of(cte: &Cte) -> String {
    quote::fold(&cte.alias.name)
}

fn is_named(relation: &ObjectName, name: &str) -> bool {
    quote::parts(relation).is_some_and(|parts| matches!(parts.as_slice(), [only] if only == name))
}

/// Where something names a query.
fn named_in<T: Visit>(node: &T, name: &str) -> Vec<Span> {
    let mut names = Names { name, hidden: 0, found: Vec::new() };
    let _ = node.visit(&mut names);
    names.found
}

impl Rewriter<'_> {
    /// The queries of WITH in an order in which each reads only those before it, and itself.
    pub(super) fn in_order<'w>(&self, with: &'w With) -> PgResult<Vec<&'w Cte>> {
        let mut left: Vec<&Cte> = with.cte_tables.iter().collect();
        if !with.recursive || self.in_view() {
            return Ok(left);
        }
        let names: Vec<String> = left.iter().map(|cte| name_of(cte)).collect();
        // Whom each reads: asked once for each pair.
        let mut reads: Vec<(&Cte, Vec<&str>)> = Vec::with_capacity(left.len());
        for cte in left.drain(..) {
            thread::check()?;
            let own = name_of(cte);
            let others = names.iter().filter(|name| **name != own && !named_in(&cte.query, name).is_empty());
            reads.push((cte, others.map(String::as_str).collect()));
        }
        let mut ordered = Vec::with_capacity(reads.len());
        let mut known: HashSet<String> = HashSet::new();
        while !reads.is_empty() {
            thread::check()?;
            let Some(next) = reads.iter().position(|(_, others)| others.iter().all(|name| known.contains(*name)))
            else {
                let at = reads.first().and_then(|(cte, _)| self.at(cte.alias.name.span));
                return Err(
                    PgError::unsupported("mutual recursion between WITH items is not implemented").or_position(at)
                );
            };
            let (cte, _) = reads.remove(next);
            known.insert(name_of(cte));
            ordered.push(cte);
        }
        Ok(ordered)
    }

    /// Checks a query that may name itself.
    pub(super) fn well_formed(&self, cte: &Cte) -> PgResult<()> {
        let (name, query) = (name_of(cte), cte.query.as_ref());
        if self.in_view() || named_in(query, &name).is_empty() {
            return Ok(());
        }
        let mut body = query.body.as_ref();
        while let SetExpr::Query(inner) = body {
            if inner.with.is_some() || inner.order_by.is_some() || inner.limit_clause.is_some() {
                break;
            }
            body = inner.body.as_ref();
        }
        let SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } = body else {
            let message = format!(
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            );
            return Err(recursion(message).or_position(self.at(cte.alias.name.span)));
        };
        let mut walk = Walk { rewriter: self, name: &name, seen: 0 };
        if let Some(with) = &query.with {
            walk.none_in(with, Place::Subquery)?;
        }
        walk.none_in(left.as_ref(), Place::First)?;
        walk.body(right, Place::Here)?;
        self.plain_recursion(query)
    }

    /// Fails for what Postgres does not do with the whole of a recursive query.
    fn plain_recursion(&self, query: &Query) -> PgResult<()> {
        let sorted = query.order_by.as_ref().map(|order| match &order.kind {
            OrderByKind::Expressions(keys) => keys.first().and_then(|key| self.at_expr(&key.expr)),
            OrderByKind::All(_) => None,
        });
        let (limit, offset) = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            _ => (None, None),
        };
        let fetch = query.fetch.as_ref().map(|fetch| fetch.quantity.as_ref().and_then(|n| self.at_expr(n)));
        let clauses = [
            ("ORDER BY", sorted),
            ("OFFSET", offset.map(|n| self.at_expr(n))),
            ("LIMIT", limit.map(|n| self.at_expr(n)).or(fetch)),
            ("FOR UPDATE/SHARE", (!query.locks.is_empty()).then_some(None)),
        ];
        for (what, found) in clauses {
            if let Some(at) = found {
                let message = format!("{what} in a recursive query is not implemented");
                return Err(PgError::unsupported(message).or_position(at));
            }
        }
        Ok(())
    }
}

fn recursion(message: String) -> PgError {
    PgError::new(SqlState("42P19"), message)
}

/// A walk over the recursive term.
struct Walk<'w, 'a> {
    rewriter: &'w Rewriter<'a>,
    name: &'w str,
    seen: usize,
}

impl Walk<'_, '_> {
    fn misplaced(&self, what: &str, span: Span) -> PgError {
        let message = format!("recursive reference to query \"{}\" must not appear {what}", self.name);
        recursion(message).or_position(self.rewriter.at(span))
    }

    fn none_in<T: Visit>(&self, node: &T, place: Place) -> PgResult<()> {
        match named_in(node, self.name).first() {
            Some(span) => Err(self.misplaced(&format!("within {}", place.words().unwrap_or_default()), *span)),
            None => Ok(()),
        }
    }

    fn body(&mut self, body: &SetExpr, place: Place) -> PgResult<()> {
        match body {
            SetExpr::Select(select) => self.select(select, place),
            SetExpr::Query(query) => self.query(query, place),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let all = matches!(set_quantifier, SetQuantifier::All);
                let (l, r) = match op {
                    SetOperator::Union => (place, place),
                    SetOperator::Intersect if all => (Place::Intersect, Place::Intersect),
                    SetOperator::Intersect => (place, place),
                    _ if all => (Place::Except, Place::Except),
                    _ => (place, Place::Except),
                };
                self.body(left, l)?;
                self.body(right, r)
            }
            other => self.none_in(other, Place::Subquery),
        }
    }

    fn query(&mut self, query: &Query, place: Place) -> PgResult<()> {
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                if name_of(cte) == self.name {
                    return Ok(());
                }
                self.query(&cte.query, place)?;
            }
        }
        self.body(&query.body, place)
    }

    fn select(&mut self, select: &Select, place: Place) -> PgResult<()> {
        let before = self.seen;
        for from in &select.from {
            self.joined(from, place)?;
        }
        // What is left stands in an expression.
        let factors = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        let in_factors: Vec<Span> = factors.flat_map(|factor| named_in(factor, self.name)).collect();
        if let Some(span) = named_in(select, self.name).into_iter().find(|span| !in_factors.contains(span)) {
            return Err(self.misplaced("within a subquery", span));
        }
        let direct = |from: &TableWithJoins| {
            std::iter::once(&from.relation)
                .chain(from.joins.iter().map(|join| &join.relation))
                .any(|factor| matches!(factor, TableFactor::Table { name, .. } if is_named(name, self.name)))
        };
        if self.seen > before
            && select.from.iter().any(direct)
            && let Some(span) = aggregate_in(&select.projection).or_else(|| aggregate_in(&select.having))
        {
            let message = "aggregate functions are not allowed in a recursive query's recursive term";
            return Err(recursion(message.to_owned()).or_position(self.rewriter.at(span)));
        }
        Ok(())
    }

    fn joined(&mut self, from: &TableWithJoins, place: Place) -> PgResult<()> {
        // A join may have no row of what stands before it, or of what it joins.
        let misses_before = |join: &JoinOperator| {
            matches!(join, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_))
        };
        let misses_own = |join: &JoinOperator| {
            matches!(join, JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::FullOuter(_))
        };
        let later = |n: usize| from.joins.iter().skip(n).any(|join| misses_before(&join.join_operator));
        let at = |missed: bool| if missed { Place::OuterJoin } else { place };
        self.factor(&from.relation, at(later(0)))?;
        for (n, join) in from.joins.iter().enumerate() {
            self.factor(&join.relation, at(misses_own(&join.join_operator) || later(n + 1)))?;
        }
        Ok(())
    }

    fn factor(&mut self, factor: &TableFactor, place: Place) -> PgResult<()> {
        match factor {
            TableFactor::Table { name, args: None, .. } => {
                if !is_named(name, self.name) {
                    return Ok(());
                }
                if let Some(words) = place.words() {
                    return Err(self.misplaced(&format!("within {words}"), name.span()));
                }
                self.seen += 1;
                match self.seen {
                    1 => Ok(()),
                    _ => Err(self.misplaced("more than once", name.span())),
                }
            }
            TableFactor::Derived { subquery, .. } => self.query(subquery, place),
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins, place),
            other => self.none_in(other, Place::Subquery),
        }
    }
}
