//! What each `*` stood for, and by which columns each NATURAL join was: a view keeps what it was when it was made.

use std::collections::{HashMap, HashSet};

use sqlparser::{
    ast::{
        Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, Spanned,
        TableWithJoins, WildcardAdditionalOptions,
    },
    tokenizer::Location,
};

use super::{
    Rewriter, Rows,
    scope::{Relation, Scope, Star},
    system_column::is_hidden,
};
use crate::{sql::quote, wire::error::PgResult};

/// By the place in the text.
#[derive(Clone, Debug, Default)]
pub(in crate::sql) struct Expanded {
    stars: HashMap<Location, Vec<Expr>>,
    naturals: HashMap<Location, Vec<String>>,
}

impl Rewriter<'_> {
    /// Writes a query as one that stands in a view.
    pub(in crate::sql) fn query_of_view(&mut self, query: &Query) -> PgResult<Rows> {
        self.view_depth += 1;
        let rows = self.query(query, None);
        self.view_depth -= 1;
        rows
    }

    /// Notes what a `*` stands for: all of FROM, or one relation. What no names tell apart stays a `*`.
    pub(super) fn note_star(&mut self, options: &WildcardAdditionalOptions, relation: Option<&Relation>) {
        let at = options.wildcard_token.0.span.start;
        if self.expanded.is_none() || self.in_view() || at.line == 0 {
            return;
        }
        let Some(scope) = self.scopes.last() else { return };
        let names = match relation {
            Some(relation) => relation_names(scope, relation),
            None => scope_names(scope),
        };
        if let (Some(names), Some(expanded)) = (names, &mut self.expanded) {
            expanded.stars.insert(at, names.into_iter().map(expression).collect());
        }
    }

    /// The same for `t.*`. A relation of a query outside is another's.
    pub(super) fn note_qualified_star(&mut self, name: &ObjectName, options: &WildcardAdditionalOptions) {
        let Some(parts) = quote::parts(name).filter(|_| self.expanded.is_some()) else { return };
        let (Some(table), rest) = (parts.last(), parts.get(..parts.len().saturating_sub(1)).unwrap_or_default()) else {
            return;
        };
        let is_it = |r: &&Relation| r.name == *table && rest.last().is_none_or(|s| r.schema.as_ref() == Some(s));
        let found = self.scopes.last().and_then(|scope| scope.relations.iter().find(is_it)).cloned();
        if let Some(relation) = found {
            self.note_star(options, Some(&relation));
        }
    }

    /// Notes the columns that a NATURAL join is by.
    pub(super) fn note_natural(&mut self, join: &Join, names: &[(String, Option<u32>)]) {
        let at = join.relation.span().start;
        if self.in_view() || at.line == 0 {
            return;
        }
        if let Some(expanded) = &mut self.expanded {
            expanded.naturals.insert(at, names.iter().map(|(name, _)| name.clone()).collect());
        }
    }
}

/// The names of all that `*` shows; none where one of them is not known or means another too.
fn scope_names(scope: &Scope) -> Option<Vec<Vec<String>>> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for star in &scope.star {
        match star {
            Star::Column(r, c) => {
                let relation = scope.relations.get(*r)?;
                let column = relation.columns.get(*c)?;
                if !is_hidden(column) {
                    all.push((qualified(scope, relation, &column.name)?, true));
                    seen.insert(&column.name);
                }
            }
            Star::Merged(column, _) => all.push((vec![column.name.clone()], false)),
            Star::All(_) => return None,
        }
    }
    // A merged column has no relation: its name alone must do.
    let lone = |(names, has_relation): &(Vec<String>, bool)| {
        *has_relation || names.first().is_some_and(|name| !seen.contains(name))
    };
    all.iter().all(lone).then(|| all.iter().map(|(names, _)| names.clone()).collect())
}

fn relation_names(scope: &Scope, relation: &Relation) -> Option<Vec<Vec<String>>> {
    let shown = relation.columns.iter().filter(|column| !is_hidden(column));
    shown.map(|column| qualified(scope, relation, &column.name)).collect()
}

/// A column's name with its relation's.
fn qualified(scope: &Scope, relation: &Relation, column: &str) -> Option<Vec<String>> {
    let same = relation.columns.iter().filter(|other| other.name == column).count();
    if !relation.known || relation.name.is_empty() || same != 1 {
        return None;
    }
    let namesakes = scope.relations.iter().filter(|other| other.name == relation.name).count();
    let own = [relation.name.clone(), column.to_owned()];
    match (&relation.schema, namesakes) {
        (_, 1) => Some(own.to_vec()),
        (Some(schema), _) => Some(std::iter::once(schema.clone()).chain(own).collect()),
        (None, _) => None,
    }
}

fn expression(names: Vec<String>) -> Expr {
    let mut idents: Vec<Ident> = names.into_iter().map(|name| Ident::with_quote('"', name)).collect();
    match idents.pop_if(|_| true) {
        Some(only) if idents.is_empty() => Expr::Identifier(only),
        last => {
            idents.extend(last);
            Expr::CompoundIdentifier(idents)
        }
    }
}

impl Expanded {
    /// Writes out every `*` of a list and every NATURAL of its FROM.
    pub(in crate::sql) fn write_out(&self, select: &mut Select) {
        let mut list = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            let options = match &item {
                SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => Some(options),
                _ => None,
            };
            match options.and_then(|options| self.stars.get(&options.wildcard_token.0.span.start)) {
                Some(names) => list.extend(names.iter().cloned().map(SelectItem::UnnamedExpr)),
                None => list.push(item),
            }
        }
        select.projection = list;
        select.from.iter_mut().for_each(|from| self.name_naturals(from));
    }

    /// `a NATURAL JOIN b` as `a JOIN b USING (…)`.
    pub(in crate::sql) fn name_naturals(&self, from: &mut TableWithJoins) {
        for join in &mut from.joins {
            let at = join.relation.span().start;
            let constraint = match &mut join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint) => constraint,
                _ => continue,
            };
            let Some(names) = self.naturals.get(&at).filter(|_| *constraint == JoinConstraint::Natural) else {
                continue;
            };
            let column = |name: &String| ObjectName::from(vec![Ident::with_quote('"', name)]);
            *constraint = match names.as_slice() {
                [] => JoinConstraint::On(Expr::value(sqlparser::ast::Value::Boolean(true))),
                names => JoinConstraint::Using(names.iter().map(column).collect()),
            };
        }
    }
}
