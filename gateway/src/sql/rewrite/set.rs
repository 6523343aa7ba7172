//! Whole queries: WITH, set operations, VALUES, ORDER BY, LIMIT.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{
    Cte, Expr, Fetch, LimitClause, OrderBy, OrderByKind, Query, SetExpr, SetOperator, SetQuantifier, Value, Values,
    With,
};

use super::{Column, Ex, Kind, Rewriter, Rows, scope, ties, too_complex, unique};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// Recursive queries inside each other: the first part of each is written twice.
const RECURSIVE_DEPTH_MAX: usize = 4;
/// How often the parts of one are written again because a column turned out to be another type.
const RECURSIVE_LOOKS_MAX: usize = 3;

impl Rewriter<'_> {
    /// A query. `hints`: what the columns will be stored as, for parameters and bare strings.
    pub fn query(&mut self, query: &Query, hints: Option<&[ColumnType]>) -> PgResult<Rows> {
        self.deeper(|r| {
            let ctes = r.ctes.len();
            let rows = r.query_here(query, hints);
            r.ctes.truncate(ctes);
            rows
        })
    }

    fn query_here(&mut self, query: &Query, hints: Option<&[ColumnType]>) -> PgResult<Rows> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return self.refuse("this form of a query", None);
        }
        self.locks |= !locks.is_empty();
        let top = std::mem::take(&mut self.top);
        let with = match with {
            Some(with) => self.with(with)?,
            None => String::new(),
        };
        let ties = fetch.as_ref().is_some_and(|f| f.with_ties);
        let limit = self.limit(limit_clause.as_ref(), fetch.as_ref())?;
        let keyed = order_by.as_ref().filter(|_| ties).and_then(|order_by| ties::with_keys(body, order_by));
        let order_by = keyed.as_ref().map(|keyed| &keyed.order_by).or(order_by.as_ref());
        let mut rows = match body.as_ref() {
            SetExpr::Select(select) => {
                self.top = top && select.distinct.is_none();
                let select = keyed.as_ref().map_or(select.as_ref(), |keyed| &keyed.select);
                self.select(select, order_by, hints)?
            }
            other => {
                let mut rows = self.set_expr(other, hints)?;
                if let Some(order_by) = order_by {
                    let order = self.order_by_output(order_by, &rows)?.join(", ");
                    rows.sql = if rows.columns.iter().any(|c| self.is_keyed(c.ty.as_ref())) {
                        // The engine orders a set operation by its columns only.
                        format!("SELECT * FROM ({}) AS \"o\" ORDER BY {order}", rows.sql)
                    } else {
                        format!("{} ORDER BY {order}", rows.sql)
                    };
                }
                rows
            }
        };
        if ties {
            let shown = rows.columns.len().saturating_sub(keyed.as_ref().map_or(0, |keyed| keyed.added));
            rows.sql = self.with_ties(&rows, shown, order_by, fetch.as_ref(), limit_clause.as_ref())?;
            rows.columns.truncate(shown);
        } else {
            rows.sql.push_str(&limit);
        }
        rows.sql = format!("{with}{}", rows.sql);
        Ok(rows)
    }

    fn with(&mut self, with: &With) -> PgResult<String> {
        let mut parts = Vec::new();
        for (n, cte) in with.cte_tables.iter().enumerate() {
            let name = quote::fold(&cte.alias.name);
            if !self.in_view() && with.cte_tables.iter().take(n).any(|other| quote::fold(&other.alias.name) == name) {
                let message = format!("WITH query name \"{name}\" specified more than once");
                return Err(PgError::new(SqlState::DUPLICATE_ALIAS, message).or_position(self.at(cte.alias.name.span)));
            }
        }
        for cte in self.in_order(with)? {
            if with.recursive {
                self.well_formed(cte)?;
            }
            parts.push(self.cte(cte, with.recursive)?);
        }
        let word = if with.recursive { "WITH RECURSIVE" } else { "WITH" };
        Ok(format!("{word} {} ", parts.join(", ")))
    }

    fn cte(&mut self, cte: &Cte, recursive: bool) -> PgResult<String> {
        let name = quote::fold(&cte.alias.name);
        let at = self.at(cte.alias.name.span);
        if cte.from.is_some() || cte.alias.columns.iter().any(|c| c.data_type.is_some()) {
            return self.refuse("this form of WITH", at);
        }
        let engine = format!("c_{}", self.number());
        let given: Vec<String> = cte.alias.columns.iter().map(|c| quote::fold(&c.name)).collect();
        let rename = |rows: &mut Rows| {
            if rows.known && given.len() > rows.columns.len() {
                return Err(PgError::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    format!(
                        "WITH query \"{name}\" has {} columns available but {} columns specified",
                        rows.columns.len(),
                        given.len()
                    ),
                )
                .or_position(at));
            }
            for (column, new) in rows.columns.iter_mut().zip(&given) {
                column.name.clone_from(new);
            }
            unique(&mut rows.columns);
            Ok(())
        };
        let mut first_types = None;
        if recursive && let SetExpr::SetOperation { op: SetOperator::Union, left, .. } = cte.query.body.as_ref() {
            self.recursive_depth += 1;
            if self.recursive_depth > RECURSIVE_DEPTH_MAX {
                return Err(too_complex().or_position(at));
            }
            // Once for its columns: the second part reads them.
            let (tables, system) = (self.tables.len(), self.system.len());
            let ctes = self.ctes.len();
            if let Some(with) = &cte.query.with {
                self.with(with)?;
            }
            let mut rows = self.set_expr(left, None)?;
            self.ctes.truncate(ctes);
            self.tables.truncate(tables);
            self.system.truncate(system);
            self.recursive_depth -= 1;
            rename(&mut rows)?;
            first_types = Some(rows.columns.iter().map(|c| c.ty.clone()).collect::<Vec<_>>());
            self.ctes.push(scope::Cte {
                name: name.clone(),
                engine: engine.clone(),
                columns: rows.columns,
                known: rows.known,
            });
        }
        // A common table expression does not see the FROM it stands beside, only outer ones: those are still pushed.
        let marks = (self.tables.len(), self.system.len());
        let recursing = self.recursing.len();
        if first_types.is_some() {
            self.recursing.push(quote::name(&engine));
        }
        let mut rows = self.query(&cte.query, None)?;
        if let Some(first_types) = first_types {
            // Numbers of two scales that meet are text, and the second part reads them as such.
            for _ in 0..RECURSIVE_LOOKS_MAX {
                if !self.ctes.last_mut().is_some_and(|own| took_types(own, &rows)) {
                    break;
                }
                self.tables.truncate(marks.0);
                self.system.truncate(marks.1);
                rows = self.query(&cte.query, None)?;
            }
            self.ctes.pop();
            self.recursing.truncate(recursing);
            if let Some((n, error)) = other_type(&name, &first_types, &rows) {
                let at = match cte.query.body.as_ref() {
                    SetExpr::SetOperation { left, .. } => self.at_item(left, n),
                    _ => at,
                };
                return Err(error.or_position(at));
            }
        }
        rename(&mut rows)?;
        let list = if rows.known && !rows.columns.is_empty() {
            let names: Vec<String> = rows.columns.iter().map(|c| quote::name(&c.engine)).collect();
            format!("({})", names.join(", "))
        } else {
            String::new()
        };
        for column in &mut rows.columns {
            column.origin = column.origin.take().filter(|_| !recursive);
            if recursive && column.ty.as_ref().is_some_and(super::is_long) {
                column.ty = Some(super::LONG);
            }
        }
        self.ctes.push(scope::Cte { name, engine: engine.clone(), columns: rows.columns, known: rows.known });
        Ok(format!("{}{list} AS ({})", quote::name(&engine), rows.sql))
    }

    /// The body of a query.
    fn set_expr(&mut self, body: &SetExpr, hints: Option<&[ColumnType]>) -> PgResult<Rows> {
        match body {
            SetExpr::Select(select) => self.select(select, None, hints),
            SetExpr::Query(query) => {
                let mut rows = self.query(query, hints)?;
                rows.sql = format!("({})", rows.sql);
                Ok(rows)
            }
            SetExpr::Values(values) => self.values(values, hints),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                self.deeper(|r| r.set_operation(left, *op, *set_quantifier, right, hints))
            }
            SetExpr::Table(table) => {
                let parts: Vec<sqlparser::ast::Ident> = [&table.schema_name, &table.table_name]
                    .into_iter()
                    .flatten()
                    .map(|n| sqlparser::ast::Ident::new(n.clone()))
                    .collect();
                let name = sqlparser::ast::ObjectName::from(parts);
                self.table_command(&name)
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.refuse("a statement that changes data inside a query", None)
            }
        }
    }

    fn set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
        hints: Option<&[ColumnType]>,
    ) -> PgResult<Rows> {
        let word = match op {
            SetOperator::Union => "UNION",
            SetOperator::Except => "EXCEPT",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Minus => return self.refuse("MINUS", None),
        };
        let all = match quantifier {
            SetQuantifier::All => " ALL",
            SetQuantifier::Distinct | SetQuantifier::None => "",
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
                return self.refuse("BY NAME", None);
            }
        };
        self.in_set = true;
        let mut l = self.set_expr(left, hints)?;
        let types: Vec<ColumnType> = l.columns.iter().map_while(|c| c.ty.clone()).collect();
        let hints = hints.or((l.known && types.len() == l.columns.len()).then_some(&types[..]));
        self.in_set = true;
        let r = self.set_expr(right, hints)?;
        self.in_set = false;
        if l.known && r.known && l.columns.len() != r.columns.len() {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("each {word} query must have the same number of columns"),
            )
            .or_position(self.at_first_item(right)));
        }
        let left_types: Vec<Option<ColumnType>> = l.columns.iter().map(|c| c.ty.clone()).collect();
        for (n, (a, b)) in l.columns.iter_mut().zip(&r.columns).enumerate() {
            a.origin = None;
            let (Some(at), Some(bt)) = (&a.ty, &b.ty) else {
                a.ty = None;
                continue;
            };
            if !super::operator::comparable(at, bt) {
                return Err(PgError::new(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "{word} types {} and {} cannot be matched",
                        super::signature::shown(at),
                        super::signature::shown(bt)
                    ),
                )
                .or_position(self.at_item(right, n)));
            }
            let both = [at, bt].map(|ty| matches!(ty, ColumnType::Numeric(..)) || super::operator::is_int(ty));
            let mixed = both == [true, true] && super::scale::types_differ(at, bt);
            a.ty = super::operator::common(at, bt).map(|ty| match ty {
                ColumnType::Numeric(..) if mixed && self.has_functions() => {
                    super::scale::long_of([super::scale::bound_of(at), super::scale::bound_of(bt)])
                }
                ty => ty,
            });
        }
        let types: Vec<Option<ColumnType>> = l.columns.iter().map(|c| c.ty.clone()).collect();
        l.columns.iter_mut().zip(left_types).for_each(|(c, ty)| c.ty = ty);
        // What compares by values shows the left side's.
        let all_of = op != SetOperator::Union && types.iter().any(|ty| self.is_keyed(ty.as_ref()));
        let (mut l, r) = (self.unified_rows(l, &types, all_of)?, self.unified_rows(r, &types, all_of)?);
        l.columns.iter_mut().zip(types).for_each(|(c, ty)| c.ty = ty);
        // EXCEPT and INTERSECT have their own precedence: say what the tree says.
        let wrap = |rows: &Rows, side: &SetExpr| match side {
            SetExpr::SetOperation { op: inner, .. } if *inner != op => format!("({})", rows.sql),
            _ => rows.sql.clone(),
        };
        let right_sql = match right {
            SetExpr::SetOperation { .. } => format!("({})", r.sql),
            _ => r.sql.clone(),
        };
        let known = l.known && r.known;
        let mut sql = format!("{} {word}{all} {right_sql}", wrap(&l, left));
        // The engine takes nothing else as a recursive query.
        let recursive = self.recursing.iter().any(|name| right_sql.contains(name));
        if known && !recursive && l.columns.iter().any(|c| self.is_keyed(c.ty.as_ref())) {
            sql = self.by_value(word, all, &wrap(&l, left), &right_sql, &l.columns).unwrap_or(sql);
        }
        Ok(Rows { sql, columns: l.columns, known })
    }

    fn values(&mut self, values: &Values, hints: Option<&[ColumnType]>) -> PgResult<Rows> {
        if values.explicit_row || values.value_keyword {
            return self.refuse("this form of VALUES", None);
        }
        let width = values.rows.first().map_or(0, |row| row.content.len());
        if width == 0 {
            return self.refuse("VALUES without columns", None);
        }
        let mut types: Vec<Option<ColumnType>> = vec![None; width];
        let mut seen = vec![false; width];
        let mut cells = Vec::with_capacity(values.rows.len());
        let clause = self.clause.replace(("VALUES", self.scopes.len()));
        for row in &values.rows {
            if row.content.len() != width {
                let at = row.content.first().and_then(|e| self.at_expr(e));
                return Err(
                    PgError::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length").or_position(at)
                );
            }
            let mut exs = Vec::with_capacity(width);
            for (n, cell) in row.content.iter().enumerate() {
                let ex = self.expr(cell)?;
                if !ex.is_unknown()
                    && let (Some(slot), Some(first)) = (types.get_mut(n), seen.get_mut(n))
                {
                    *slot = match (&*slot, &ex.ty) {
                        (None, ty) if !*first => ty.clone(),
                        (Some(a), Some(b)) => super::operator::common(a, b),
                        _ => None,
                    };
                    *first = true;
                }
                exs.push(ex);
            }
            cells.push(exs);
        }
        self.clause = clause;
        for (n, ty) in types.iter_mut().enumerate() {
            let column = || cells.iter().filter_map(|row: &Vec<Ex>| row.get(n)).filter(|ex| !ex.is_unknown());
            let exact = ty.as_ref().is_some_and(|ty| matches!(ty, ColumnType::Numeric(..)));
            if exact && self.has_functions() && super::scale::differ(column()) {
                *ty = Some(super::scale::long_of(column().map(super::scale::bound_of_value)));
            }
        }
        let mut rows = Vec::with_capacity(cells.len());
        for exs in cells {
            let mut row = Vec::with_capacity(width);
            for (n, ex) in exs.into_iter().enumerate() {
                let hint = types.get(n).cloned().flatten();
                let hint = hint.or_else(|| hints.and_then(|h| h.get(n).cloned()));
                let unknown = ex.is_unknown() && !seen.get(n).copied().unwrap_or(false);
                // It has no digits of its own: the others decide how many there are.
                if ex.kind == Kind::Null && types.get(n).is_some_and(|ty| matches!(ty, Some(ColumnType::Numeric(..)))) {
                    row.push(ex.sql);
                    continue;
                }
                let ex = match hint {
                    Some(ty) => self.settle(ex, &super::scale::any_digits(&ty))?,
                    None if unknown => self.settle(ex, &ColumnType::Text)?,
                    None => ex,
                };
                let ex = match types.get(n).cloned().flatten() {
                    Some(ty) => self.unified(ex, &ty)?,
                    None => ex,
                };
                row.push(ex.sql);
            }
            rows.push(format!("({})", row.join(", ")));
        }
        let columns = (0..width)
            .map(|n| Column {
                name: format!("column{}", n + 1),
                engine: format!("column{}", n + 1),
                ty: match types.get(n).cloned().flatten() {
                    None if !seen.get(n).copied().unwrap_or(false) => {
                        Some(hints.and_then(|h| h.get(n).cloned()).unwrap_or(ColumnType::Text))
                    }
                    ty => ty,
                },
                origin: None,
            })
            .collect::<Vec<_>>();
        let names: Vec<String> = columns.iter().map(|c| quote::name(&c.engine)).collect();
        Ok(Rows {
            sql: format!("SELECT * FROM (VALUES {}) AS \"values\"({})", rows.join(", "), names.join(", ")),
            columns,
            known: true,
        })
    }

    /// LIMIT, OFFSET and FETCH as text.
    fn limit(&mut self, clause: Option<&LimitClause>, fetch: Option<&Fetch>) -> PgResult<String> {
        let mut sql = String::new();
        let (limit, offset) = match clause {
            None => (None, None),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (limit.as_ref(), offset.as_ref())
            }
            Some(LimitClause::OffsetCommaLimit { limit, .. }) => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .hint("Use separate LIMIT and OFFSET clauses.")
                    .or_position(self.at_expr(limit)));
            }
            Some(_) => return self.refuse("LIMIT BY", None),
        };
        if let Some(expr) = limit {
            sql.push_str(&self.limit_value(" LIMIT ", "LIMIT", expr)?);
        }
        if let Some(fetch) = fetch {
            if fetch.percent {
                return self.refuse("FETCH … PERCENT", None);
            }
            match &fetch.quantity {
                Some(expr) => sql.push_str(&self.limit_value(" LIMIT ", "LIMIT", expr)?),
                None => sql.push_str(" LIMIT 1"),
            }
        }
        if let Some(offset) = offset {
            sql.push_str(&self.limit_value(" OFFSET ", "OFFSET", &offset.value)?);
        }
        Ok(sql)
    }

    pub(super) fn limit_value(&mut self, before: &str, word: &str, expr: &Expr) -> PgResult<String> {
        // Its columns would be nobody's.
        let scopes = std::mem::take(&mut self.scopes);
        let ex = self.expr(expr).and_then(|ex| self.settle(ex, &ColumnType::Int8));
        self.scopes = scopes;
        let ex = ex.map_err(|error| match error.code() {
            SqlState::UNDEFINED_COLUMN => PgError::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("argument of {word} must not contain variables"),
            )
            .or_position(self.at_expr(expr)),
            _ => error,
        })?;
        if let Some(n) = integer(expr)
            && n < 0
        {
            let code = if word == "LIMIT" { SqlState::INVALID_ROW_COUNT_IN_LIMIT } else { SqlState("2201X") };
            return Err(PgError::new(code, format!("{word} must not be negative")));
        }
        Ok(match ex.kind {
            super::Kind::Null => String::new(),
            _ => format!("{before}{}", ex.sql),
        })
    }

    /// ORDER BY over output columns only: set operations.
    pub(super) fn order_by_output(&mut self, order_by: &OrderBy, rows: &Rows) -> PgResult<Vec<String>> {
        let exprs = match &order_by.kind {
            OrderByKind::Expressions(exprs) if order_by.interpolate.is_none() => exprs,
            _ => return self.refuse("this form of ORDER BY", None),
        };
        let mut items = Vec::new();
        for item in exprs {
            let at = self.at_expr(&item.expr);
            let position = match &item.expr {
                Expr::Identifier(ident) => {
                    let name = quote::fold(ident);
                    rows.columns.iter().position(|c| c.name == name).map(|p| p + 1)
                }
                other => integer(other).and_then(|n| usize::try_from(n).ok()),
            };
            let Some(position) = position.filter(|_| rows.known) else {
                return Err(PgError::unsupported("invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                    .detail("Only result column names can be used, not expressions or functions.")
                    .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
                    .or_position(at));
            };
            let options = self.order_options(&item.options, item.with_fill.is_some(), at)?;
            let keyed = rows.columns.get(position.wrapping_sub(1)).filter(|c| self.is_keyed(c.ty.as_ref()));
            items.push(match keyed {
                Some(column) => {
                    let ex = Ex::plain(quote::name(&column.engine), column.ty.clone());
                    format!("{}{options}", self.order_key(&ex))
                }
                None => format!("{position}{options}"),
            });
        }
        Ok(items)
    }
}

/// The column that the second part of a recursive query makes another type than the first.
fn other_type(name: &str, first: &[Option<ColumnType>], rows: &Rows) -> Option<(usize, PgError)> {
    for (n, (first, column)) in first.iter().zip(&rows.columns).enumerate() {
        let (Some(first), Some(all)) = (first, &column.ty) else { continue };
        // Texts of all kinds take the first one's type in Postgres.
        let texts = [first, all].iter().all(|ty| super::operator::is_text(ty));
        if first.oid() != all.oid() && !texts {
            let message = format!(
                "recursive query \"{name}\" column {} has type {} in non-recursive term but type {} overall",
                n + 1,
                super::shown(first),
                super::shown(all)
            );
            let error = PgError::new(SqlState::DATATYPE_MISMATCH, message)
                .hint("Cast the output of the non-recursive term to the correct type.");
            return Some((n, error));
        }
    }
    None
}

/// Gives a recursive query the types that its parts have together; whether that changes what its second part reads.
fn took_types(own: &mut scope::Cte, rows: &Rows) -> bool {
    let mut changed = false;
    for (known, found) in own.columns.iter_mut().zip(&rows.columns) {
        if known.ty != Some(super::LONG) && found.ty.as_ref().is_some_and(super::number::is_long) {
            // Its digits may become more with each round.
            known.ty = Some(super::LONG);
            changed = true;
        }
    }
    changed
}

/// An integer constant.
pub(super) fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(v) => match &v.value {
            Value::Number(n, _) => n.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => integer(expr).map(i64::wrapping_neg),
        _ => None,
    }
}
