//! Conditions of outer joins in forms that the engine joins by hashes. Where a test of one side stands beside the equations, or
//! one of both sides that is no comparison, it compares each row with each other one; some subqueries there it refuses.

use std::ops::ControlFlow;

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{BinaryOperator, CaseWhen, Expr, Query, Visit, Visitor, helpers::attached_token::AttachedToken};

use super::{
    Rewriter,
    rows::row_items,
    scope::{Scope, Star},
};
use crate::{sql::quote, wire::error::PgResult};

/// Where the relations of a join stand in their scope: from `first` the left ones, from `middle` the right ones.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub first: usize,
    pub middle: usize,
    pub end: usize,
}

/// What an expression is made of. Names inside of subqueries that could be those of a side count as such.
#[derive(Clone, Copy, Default)]
struct Uses {
    left: bool,
    right: bool,
    subquery: bool,
    call: bool,
    /// Something of a query around.
    outer: bool,
    /// A row: a NULL in its place is not a NULL in each of its fields.
    row: bool,
    /// Something whose columns are not known.
    unknown: bool,
}

impl Uses {
    const fn only_left(self) -> bool {
        self.left && !self.right
    }

    const fn only_right(self) -> bool {
        self.right && !self.left
    }

    /// Whether it can stand beside either side.
    const fn is_fixed(self) -> bool {
        !self.left && !self.right && !self.subquery && !self.call && !self.outer
    }
}

struct Reader<'a> {
    scope: &'a Scope,
    sides: Sides,
    uses: Uses,
    /// Subqueries around.
    depth: usize,
}

impl Reader<'_> {
    fn relation(&mut self, index: usize) {
        self.uses.left |= (self.sides.first..self.sides.middle).contains(&index);
        self.uses.right |= (self.sides.middle..self.sides.end).contains(&index);
    }

    fn column(&mut self, name: &str) {
        let mut found = false;
        for star in &self.scope.star {
            match star {
                Star::Column(relation, column) if self.is_called(*relation, *column, name) => {
                    self.relation(*relation);
                    self.uses.row |= self.is_row(*relation, *column);
                    found = true;
                }
                Star::Column(..) => {}
                // A join before this one made it: it is the left side's, or one that stands alone on the right.
                Star::Merged(column, _) => self.uses.unknown |= column.name == name,
                Star::All(_) => self.uses.unknown = true,
            }
        }
        let before = self.uses;
        self.named(name, found);
        self.uses.row |= !found && (self.uses.left, self.uses.right) != (before.left, before.right);
    }

    fn is_row(&self, relation: usize, column: usize) -> bool {
        let column = self.scope.relations.get(relation).and_then(|r| r.columns.get(column));
        column.is_some_and(|c| matches!(c.ty, Some(ColumnType::Record(_))))
    }

    fn is_called(&self, relation: usize, column: usize, name: &str) -> bool {
        self.scope.relations.get(relation).and_then(|r| r.columns.get(column)).is_some_and(|c| c.name == name)
    }

    /// A relation by its name: a column's, or the whole row. `found`: it was found as something else.
    fn named(&mut self, name: &str, mut found: bool) {
        let relations = &self.scope.relations;
        for (index, _) in relations.iter().enumerate().filter(|(_, relation)| relation.name == name) {
            self.relation(index);
            found = true;
        }
        self.uses.outer |= !found && self.depth == 0;
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.uses.subquery = true;
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.column(&quote::fold(ident)),
            Expr::CompoundIdentifier(parts) => {
                if let [.., table, column] = parts.as_slice() {
                    let (table, column) = (quote::fold(table), quote::fold(column));
                    self.named(&table, false);
                    let relations = self.scope.relations.iter().filter(|relation| relation.name == table);
                    let mut columns = relations.flat_map(|relation| &relation.columns).filter(|c| c.name == column);
                    self.uses.row |= columns.any(|c| matches!(c.ty, Some(ColumnType::Record(_))));
                }
            }
            Expr::Function(_) => {
                self.uses.call = true;
                self.uses.row |= row_items(expr).is_some();
            }
            Expr::Tuple(_) => self.uses.row = true,
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => self.uses.unknown = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What is said in an AND, one by one; what is said of two rows, of each of their fields.
fn conjuncts(expr: &Expr, found: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if let (Some(l), Some(r)) = (row_items(left), row_items(right))
                && l.len() == r.len() =>
        {
            found.extend(l.into_iter().zip(r).map(|(l, r)| Expr::BinaryOp {
                left: Box::new(l.clone()),
                op: BinaryOperator::Eq,
                right: Box::new(r.clone()),
            }));
        }
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        Expr::Nested(inner) if matches!(**inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            conjuncts(inner, found);
        }
        other => found.push(other.clone()),
    }
}

const fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
}

fn all_of(mut tests: Vec<Expr>) -> Option<Expr> {
    let first = (!tests.is_empty()).then(|| tests.remove(0))?;
    Some(tests.into_iter().fold(first, |left, right| {
        let (left, right) = (Box::new(left), Box::new(right));
        Expr::BinaryOp { left, op: BinaryOperator::And, right }
    }))
}

/// The value where the tests hold, NULL elsewhere: what is equal to nothing.
fn only_where(tests: Vec<Expr>, value: Expr) -> Expr {
    let Some(condition) = all_of(tests) else { return value };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: value }],
        else_result: None,
    }
}

/// How a join's condition is written.
pub(super) enum Form {
    AsSaid,
    /// Another condition that is true of the same pairs.
    Instead(Box<Expr>),
    /// The right side is chosen for each row of the left one.
    EachRow,
}

impl Rewriter<'_> {
    /// How the condition of an outer join is written. `word`: which join. `each_row`: whether the right side can be chosen for each
    /// row of the left one.
    pub(super) fn outer_condition(&self, word: &str, expr: &Expr, sides: Sides, each_row: bool) -> Form {
        self.outer_form(word, expr, sides, each_row).unwrap_or(Form::AsSaid)
    }

    fn outer_form(&self, word: &str, expr: &Expr, sides: Sides, each_row: bool) -> Option<Form> {
        let scope = self.scopes.last()?;
        let uses = |expr: &Expr| {
            let mut reader = Reader { scope, sides, uses: Uses::default(), depth: 0 };
            let _ = expr.visit(&mut reader);
            reader.uses
        };
        let mut said = Vec::new();
        conjuncts(expr, &mut said);
        let each: Vec<Uses> = said.iter().map(uses).collect();
        if each.iter().any(|uses| uses.unknown) {
            return None;
        }
        let operands = |expr: &Expr| match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => Some((uses(left), uses(right), op.clone())),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                Some((uses(left), uses(right), BinaryOperator::NotEq))
            }
            _ => None,
        };
        let across = |(l, r): (Uses, Uses)| l.only_left() && r.only_right() || l.only_right() && r.only_left();
        // The equation, or else the comparison, that takes what the sides are tested for.
        let of_both = |wanted: fn(&BinaryOperator) -> bool| {
            said.iter().zip(&each).position(|(expr, of)| {
                !of.subquery && !of.row && operands(expr).is_some_and(|(l, r, op)| wanted(&op) && across((l, r)))
            })
        };
        let equation = of_both(|op| *op == BinaryOperator::Eq);
        let key = equation.or_else(|| of_both(|op| !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq)));
        let (left_preserved, right_preserved) = (word != "RIGHT JOIN", word != "LEFT JOIN");
        let mut tests: [Vec<Expr>; 2] = [Vec::new(), Vec::new()];
        let (mut rest, mut mixed, mut refused) = (Vec::new(), false, false);
        for (n, (expr, of)) in said.iter().zip(&each).enumerate() {
            if Some(n) == key {
                continue;
            }
            let fixed = of.is_fixed();
            // Of subqueries the engine makes joins of its own, which lose columns beside this one.
            let takes = key.is_some() && !of.outer && !of.subquery;
            if takes && left_preserved && (of.only_left() || fixed) {
                tests[0].push(expr.clone());
            } else if takes && right_preserved && (of.only_right() || fixed) {
                tests[1].push(expr.clone());
            } else {
                mixed |= of.left && of.right && !operands(expr).is_some_and(|(l, r, _)| across((l, r)));
                refused |= of.outer || of.subquery;
                rest.push(expr.clone());
            }
        }
        if each_row && (refused || mixed && equation.is_some()) {
            return Some(Form::EachRow);
        }
        let Expr::BinaryOp { left, op, right } = said.get(key?)?.clone() else { return None };
        if tests.iter().all(Vec::is_empty) {
            return None;
        }
        let swapped = uses(&left).only_right();
        let [of_left, of_right] = tests;
        let (of_first, of_second) = if swapped { (of_right, of_left) } else { (of_left, of_right) };
        let comparison = Expr::BinaryOp {
            left: Box::new(only_where(of_first, *left)),
            op,
            right: Box::new(only_where(of_second, *right)),
        };
        rest.insert(0, comparison);
        all_of(rest).map(|instead| Form::Instead(Box::new(instead)))
    }

    /// A condition of an outer join: in another form where that is known, and as it was said where that form is none.
    pub(super) fn outer_on(&mut self, form: &Form, expr: &Expr) -> PgResult<String> {
        if let Form::Instead(instead) = form {
            let before = (self.scopes.len(), self.clause, self.operator_placed, self.depth);
            if let Ok(condition) = self.condition(instead, "JOIN/ON") {
                return Ok(condition);
            }
            self.scopes.truncate(before.0);
            (self.clause, self.operator_placed, self.depth) = (before.1, before.2, before.3);
        }
        self.condition(expr, "JOIN/ON")
    }
}
