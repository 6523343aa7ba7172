//! Rows beside rows: `(a, b) < (c, d)`, `(a, b) = (SELECT …)`.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, Query};

use super::{Ex, Kind, Rewriter, operator::apart, shown};
use crate::wire::error::{PgError, PgResult, SqlState};

/// A field of a row: name, text and type.
type Field = (String, String, Option<ColumnType>);

impl Rewriter<'_> {
    pub(super) fn compare_rows(&mut self, l: &[&Expr], op: &str, r: &[&Expr]) -> PgResult<Ex> {
        if l.len() != r.len() {
            let at = l.first().and_then(|first| self.at_next(self.at_expr(first), &[op, "not", "in"]));
            return Err(
                PgError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions").or_position(at)
            );
        }
        let (mut ls, mut rs) = (Vec::new(), Vec::new());
        for (a, b) in l.iter().zip(r) {
            let (a, b) = (self.expr(a)?, self.expr(b)?);
            let (a, b) = self.meet_fields(a, b, op)?;
            ls.push(a.sql);
            rs.push(b.sql);
        }
        if !matches!(op, "=" | "<>") && !op.starts_with("IS") {
            return Ok(Ex::of(ordered_rows(&ls, op, &rs), ColumnType::Bool));
        }
        if matches!(op, "=" | "<>") {
            let parts: Vec<String> = ls.iter().zip(&rs).map(|(a, b)| format!("{a} = {b}")).collect();
            let not = if op == "=" { "" } else { "NOT " };
            return Ok(Ex::of(format!("({not}({}))", parts.join(" AND ")), ColumnType::Bool));
        }
        Ok(Ex::of(format!("(({}) {op} ({}))", ls.join(", "), rs.join(", ")), ColumnType::Bool))
    }

    /// Rows that are values already: `t = u`, `ROW(1, 2) < (1, 3)`.
    pub fn compare_fields(&mut self, l: &[Field], op: &str, r: &[Field], at: Option<u32>) -> PgResult<Ex> {
        same_fields(l.iter().map(|f| f.2.as_ref()), r.iter().map(|f| f.2.as_ref()))?;
        let (mut ls, mut rs) = (Vec::new(), Vec::new());
        for ((_, a, a_type), (_, b, b_type)) in l.iter().zip(r) {
            let (a, b) = (Ex::plain(a.clone(), a_type.clone()), Ex::plain(b.clone(), b_type.clone()));
            let (a, b) = self.meet(a.at(at), b.at(at), "=")?;
            ls.push(self.sorted(a));
            rs.push(self.sorted(b));
        }
        let sql = format!("((({})) {op} (({})))", row_of(&ls), row_of(&rs));
        Ok(Ex::of(apart(sql, op), ColumnType::Bool))
    }

    /// Two rows as what they are compared by: the values of their fields.
    pub(super) fn meet_records(&mut self, l: Ex, r: Ex) -> PgResult<(Ex, Ex)> {
        if let (Some(ColumnType::Record(a)), Some(ColumnType::Record(b))) = (&l.ty, &r.ty) {
            same_fields(a.fields.iter().map(|(_, ty)| Some(ty)), b.fields.iter().map(|(_, ty)| Some(ty)))?;
        }
        let key = |ex: Ex| Ex { sql: self.sorted(ex.clone()), ty: None, kind: Kind::Plain, ..ex };
        Ok((key(l), key(r)))
    }

    /// Two fields that stand beside each other in rows: they are compared with `=` and in the order of `op` as well.
    pub(super) fn meet_fields(&mut self, l: Ex, r: Ex, op: &str) -> PgResult<(Ex, Ex)> {
        let (l, r) = self.rows_meet(l, r)?;
        // Of these the key for an order serves for both; of a number it would not.
        let held = [&l.ty, &r.ty].into_iter().any(|ty| matches!(ty, Some(ColumnType::AsText(_))));
        self.meet(l, r, if held { op } else { "=" })
    }

    /// `(a, b) = (SELECT c, d …)`: NULL where there is no row, an error where there are two.
    pub(super) fn compare_row_query(&mut self, l: &[&Expr], op: &str, query: &Query) -> PgResult<Ex> {
        self.bounded("subquery")?;
        let rows = self.query(query, None)?;
        if !rows.known {
            return self.refuse("a row compared with a query whose columns are not known", self.at_query(query));
        }
        if rows.columns.len() != l.len() {
            let what = if rows.columns.len() > l.len() { "many" } else { "few" };
            return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("subquery has too {what} columns")));
        }
        let alias = format!("r_{}", self.number());
        let (mut ls, mut rs, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (n, (item, column)) in l.iter().zip(&rows.columns).enumerate() {
            names.push(format!("x{n}"));
            let ex = self.expr(item)?;
            let (a, b) = self.meet_fields(ex, Ex::plain(format!("{alias}.x{n}"), column.ty.clone()), op)?;
            ls.push(a.sql);
            rs.push(b.sql);
        }
        let equal: Vec<String> = ls.iter().zip(&rs).map(|(a, b)| format!("{a} = {b}")).collect();
        let condition = match op {
            "=" => format!("({})", equal.join(" AND ")),
            "<>" => format!("(NOT ({}))", equal.join(" AND ")),
            op if op.starts_with("IS") => format!("(({}) {op} ({}))", ls.join(", "), rs.join(", ")),
            op => ordered_rows(&ls, op, &rs),
        };
        let sql = format!("(SELECT {condition} FROM ({}) AS {alias}({}))", rows.sql, names.join(", "));
        Ok(Ex::of(sql, ColumnType::Bool))
    }
}

/// Fails where rows with fields of these types are not compared.
fn same_fields<'t>(
    l: impl ExactSizeIterator<Item = Option<&'t ColumnType>>,
    r: impl ExactSizeIterator<Item = Option<&'t ColumnType>>,
) -> PgResult<()> {
    if l.len() != r.len() {
        let message = "cannot compare record types with different numbers of columns";
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    for (n, (a, b)) in l.zip(r).enumerate() {
        if let (Some(from), Some(to)) = (a, b)
            && from.oid() != to.oid()
        {
            let (from, to, n) = (shown(from), shown(to), n + 1);
            let message = format!("cannot compare dissimilar column types {from} and {to} at record column {n}");
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
        }
    }
    Ok(())
}

fn row_of(fields: &[String]) -> String {
    format!("row({})", fields.join(", "))
}

/// The fields of a row as written: `(a, b)`, `ROW(a, b)`.
pub(super) fn row_items(expr: &Expr) -> Option<Vec<&Expr>> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments};
    match expr {
        Expr::Tuple(items) => Some(items.iter().collect()),
        // `((a, b))`: in parentheses a row is a row.
        Expr::Nested(inner) => row_items(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let item = |arg| match arg {
                &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
                _ => None,
            };
            list.args.iter().map(item).collect()
        }
        _ => None,
    }
}

/// `(a, b) < (c, d)`: the first fields that differ decide, and where one of these is NULL nothing is known.
fn ordered_rows(l: &[String], op: &str, r: &[String]) -> String {
    let strict = op.trim_end_matches('=');
    let mut pairs = l.iter().zip(r).rev();
    let mut text = pairs.next().map_or_else(|| "TRUE".to_owned(), |(a, b)| format!("{a} {op} {b}"));
    for (a, b) in pairs {
        text = format!("({a} {strict} {b} OR ({a} = {b} AND {text}))");
    }
    format!("({text})")
}
