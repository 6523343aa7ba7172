//! `IN`, `BETWEEN`, `ANY` and `ALL`.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{BinaryOperator, Expr, Query, SetExpr};

use super::{
    Ex, Rewriter, Rows,
    number::is_exact,
    operator::{comparable, compared, is_blank_filled, is_widened},
    rows::row_items,
};
use crate::{
    sql::{quote, symmetric},
    wire::error::{PgError, PgResult, SqlState},
};

/// Bytes of an expression that is written several times.
const REPEATED_BYTES_MAX: usize = 400;

impl Rewriter<'_> {
    pub fn in_list(&mut self, expr: &Expr, list: &[Expr], negated: bool) -> PgResult<Ex> {
        let not = if negated { "NOT " } else { "" };
        if let Some(left) = row_items(expr) {
            let mut parts = Vec::new();
            for item in list {
                let Some(right) = row_items(item) else {
                    return self.refuse("this form of IN", self.at_expr(expr));
                };
                parts.push(self.compare_rows(&left, "=", &right)?.sql);
            }
            return Ok(Ex::of(format!("({not}({}))", parts.join(" OR ")), ColumnType::Bool));
        }
        let left = self.expr(expr)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.expr(item)?);
        }
        let left = if left.is_unknown() {
            let ty = items.iter().find(|i| !i.is_unknown()).and_then(|i| i.ty.clone());
            self.settle(left, &ty.unwrap_or(ColumnType::Text))?
        } else {
            left
        };
        let long = self.any_keyed(items.iter().map(|i| &i.ty).chain([&left.ty]))
            || items.iter().any(|i| is_blank_filled(&i.ty, &left.ty) && !i.is_unknown());
        let mut texts = Vec::with_capacity(items.len());
        for mut item in items {
            // A list is of the left side's own type.
            if let Some(ty @ ColumnType::AsText(_)) = left.ty.clone().filter(|_| item.is_unknown()) {
                item = self.settle(item, &ty)?;
            }
            if long {
                let (l, r) = self.meet(left.clone(), item, "=")?;
                texts.push(format!("{} = {}", l.sql, r.sql));
                continue;
            }
            // Among several, exact numbers are cast to the `real` beside them.
            let exact = item.ty.as_ref().is_some_and(is_exact) && !item.is_unknown();
            if list.len() > 1 && left.ty == Some(ColumnType::Float4) && exact {
                texts.push(format!("CAST({} AS FLOAT)", item.sql));
                continue;
            }
            let (_, item) = self.meet(left.clone(), item, "=")?;
            texts.push(item.sql);
        }
        if long {
            return Ok(Ex::of(format!("({not}({}))", texts.join(" OR ")), ColumnType::Bool));
        }
        Ok(Ex::of(format!("({} {not}IN ({}))", left.sql, texts.join(", ")), ColumnType::Bool))
    }

    /// `x IN (SELECT …)`. Where `only_truth` counts, false may be unknown.
    pub fn in_subquery(&mut self, expr: &Expr, query: &Query, negated: bool, only_truth: bool) -> PgResult<Ex> {
        self.bounded("subquery")?;
        let not = if negated { "NOT " } else { "" };
        let before = std::mem::take(&mut self.aggregated);
        let mut left = match row_items(expr) {
            Some(items) => {
                let mut exs = Vec::new();
                for item in items {
                    exs.push(self.expr(item)?);
                }
                exs
            }
            None => vec![self.expr(expr)?],
        };
        let of_groups = std::mem::replace(&mut self.aggregated, before);
        self.aggregated |= of_groups;
        let hints: Vec<ColumnType> = left.iter().map_while(|l| l.ty.clone()).collect();
        let rows = self.query(query, (hints.len() == left.len()).then_some(&hints[..]))?;
        if rows.known && rows.columns.len() != left.len() {
            let what = if rows.columns.len() > left.len() { "many" } else { "few" };
            return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("subquery has too {what} columns"))
                .or_position(self.at_next(self.at_expr(expr), &["not", "in"])));
        }
        for (n, slot) in left.iter_mut().enumerate() {
            let ty = rows.columns.get(n).filter(|_| rows.known).and_then(|c| c.ty.clone());
            if slot.is_unknown() {
                *slot = self.settle(slot.clone(), ty.as_ref().unwrap_or(&ColumnType::Text))?;
            }
            if let (Some(a), Some(b)) = (&slot.ty, &ty)
                && !comparable(a, b)
            {
                let at = self.at_next(self.at_expr(expr), &["not", "in"]);
                return Err(self.undefined_operator("=", Some(a), Some(b), at.or(slot.position)));
            }
        }
        let keyed = self.any_keyed(left.iter().map(|l| &l.ty).chain(rows.columns.iter().map(|c| &c.ty)));
        let filled = left.iter().zip(&rows.columns).any(|(l, c)| is_blank_filled(&l.ty, &c.ty));
        // The engine takes a row with a NULL in it for unknown, also where another field differs. An aggregate could not
        // stand in the subquery.
        if left.len() > 1 && rows.known && (negated || !only_truth) && !of_groups {
            return self.in_rows(left, &rows, negated);
        }
        if left.len() > 1 && rows.known && !of_groups && self.reads_around(&rows.sql) {
            return self.some_row(left, &rows);
        }
        if rows.known && (keyed || filled) {
            return self.in_keyed_rows(left, &rows, not);
        }
        let texts: Vec<&str> = left.iter().map(|e| e.sql.as_str()).collect();
        let left = match texts.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("({})", many.join(", ")),
        };
        if rows.known && texts.len() == 1 && self.is_lent(&left) {
            return Ok(Ex::of(self.in_lent(&left, &rows.sql, negated, only_truth), ColumnType::Bool));
        }
        Ok(Ex::of(format!("({left} {not}IN ({}))", rows.sql), ColumnType::Bool))
    }

    /// Whether the text of a subquery names a relation outside of it.
    fn reads_around(&self, sql: &str) -> bool {
        let mut around = self.scopes.iter().flat_map(|scope| &scope.relations).map(|r| quote::name(&r.engine));
        around.any(|name| sql.contains(&format!("{name}.")))
    }

    /// Whether a value is about a query around the one that is written.
    fn is_lent(&self, value: &str) -> bool {
        let around =
            self.scopes.iter().rev().skip(1).flat_map(|scope| &scope.relations).map(|r| quote::name(&r.engine));
        let mut names = around.chain(self.lent.iter().cloned());
        names.any(|name| value.contains(&format!("{name}.")))
    }

    /// `x IN (SELECT …)` of another query's `x`: the engine loses columns of the subquery's where that reads a table.
    fn in_lent(&mut self, value: &str, rows: &str, negated: bool, only_truth: bool) -> String {
        let name = format!("q_{}", self.number());
        let some = |test: &str| format!("EXISTS (SELECT 1 FROM ({rows}) AS {name}({name}) WHERE {test})");
        let equal = some(&format!("{name} = {value}"));
        if only_truth && !negated {
            return equal;
        }
        let (yes, no) = if negated { ("FALSE", "TRUE") } else { ("TRUE", "FALSE") };
        let unknown = some(&format!("{name} IS NULL OR {value} IS NULL"));
        format!("(CASE WHEN {equal} THEN {yes} WHEN {unknown} THEN NULL ELSE {no} END)")
    }

    /// `(a, b) IN (SELECT …)`, where values are compared by their keys.
    fn in_keyed_rows(&mut self, left: Vec<Ex>, rows: &Rows, not: &str) -> PgResult<Ex> {
        let (mut ls, mut rs, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (n, (l, column)) in left.into_iter().zip(&rows.columns).enumerate() {
            let name = format!("\"x{n}\"");
            let (l, r) = self.meet(l, Ex::plain(name.clone(), column.ty.clone()), "=")?;
            ls.push(l.sql);
            rs.push(r.sql);
            names.push(name);
        }
        let left = if let [one] = ls.as_slice() { one.clone() } else { format!("({})", ls.join(", ")) };
        let sql =
            format!("({left} {not}IN (SELECT {} FROM ({}) AS \"s\"({})))", rs.join(", "), rows.sql, names.join(", "));
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// `(a, b) IN (SELECT …)`, false where no row can be equal.
    fn in_rows(&mut self, left: Vec<Ex>, rows: &Rows, negated: bool) -> PgResult<Ex> {
        let (alias, names, equal) = self.pairs(left, rows)?;
        let (found, none) = if negated { ("FALSE", "TRUE") } else { ("TRUE", "FALSE") };
        let sql = format!(
            "(SELECT CASE WHEN count(*) FILTER (WHERE {equal}) > 0 THEN {found} \
             WHEN count(*) FILTER (WHERE ({equal}) IS NULL) > 0 THEN NULL ELSE {none} END FROM ({}) AS {alias}({names}))",
            rows.sql
        );
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// `(a, b) IN (SELECT …)` of a row about a query around, where only its truth counts: the engine has no such IN.
    fn some_row(&mut self, left: Vec<Ex>, rows: &Rows) -> PgResult<Ex> {
        let (alias, names, equal) = self.pairs(left, rows)?;
        let sql = format!("EXISTS (SELECT 1 FROM ({}) AS {alias}({names}) WHERE {equal})", rows.sql);
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// A name for a subquery, those of its columns, and that they are equal to a row's fields.
    fn pairs(&mut self, left: Vec<Ex>, rows: &Rows) -> PgResult<(String, String, String)> {
        let alias = format!("r_{}", self.number());
        let (mut equal, mut names) = (Vec::new(), Vec::new());
        for (n, (l, column)) in left.into_iter().zip(&rows.columns).enumerate() {
            let (l, r) = self.meet(l, Ex::plain(format!("{alias}.x{n}"), column.ty.clone()), "=")?;
            equal.push(format!("{} = {}", l.sql, r.sql));
            names.push(format!("x{n}"));
        }
        Ok((alias, names.join(", "), equal.join(" AND ")))
    }

    pub fn between(&mut self, expr: &Expr, negated: bool, low: &Expr, high: &Expr) -> PgResult<Ex> {
        if let Some(low) = symmetric::low(low) {
            return self.between_symmetric(expr, negated, &low, high);
        }
        let not = if negated { "NOT " } else { "" };
        let mut ex = self.expr(expr)?;
        if matches!(ex.ty, Some(ColumnType::Array(_) | ColumnType::Grid(_) | ColumnType::Record(_))) {
            // The engine has no BETWEEN of these.
            let (above, below) = (self.compare(expr, ">=", low)?, self.compare(expr, "<=", high)?);
            return Ok(Ex::of(format!("({not}({} AND {}))", above.sql, below.sql), ColumnType::Bool));
        }
        let (mut low, mut high) = (self.expr(low)?, self.expr(high)?);
        if ex.is_unknown() {
            let ty = [&low, &high].into_iter().find(|e| !e.is_unknown()).and_then(|e| e.ty.clone());
            ex = self.settle(ex, &ty.unwrap_or(ColumnType::Text))?;
        }
        if self.any_keyed([&ex.ty, &low.ty, &high.ty]) {
            let (a, low) = self.meet(ex.clone(), low, ">=")?;
            let (b, high) = self.meet(ex, high, "<=")?;
            let sql = format!("({not}({} >= {} AND {} <= {}))", a.sql, low.sql, b.sql, high.sql);
            return Ok(Ex::of(sql, ColumnType::Bool));
        }
        (_, low) = self.meet(ex.clone(), low, ">=")?;
        (_, high) = self.meet(ex.clone(), high, "<=")?;
        Ok(Ex::of(format!("({} {not}BETWEEN {} AND {})", ex.sql, low.sql, high.sql), ColumnType::Bool))
    }

    /// Between the smaller and the greater bound.
    fn between_symmetric(&mut self, expr: &Expr, negated: bool, low: &Expr, high: &Expr) -> PgResult<Ex> {
        let up = self.between(expr, false, low, high)?;
        let down = self.between(expr, false, high, low)?;
        let not = if negated { "NOT " } else { "" };
        Ok(Ex::of(format!("({not}({} OR {}))", up.sql, down.sql), ColumnType::Bool))
    }

    /// `x = ANY (array)`, `x < ALL (SELECT …)`.
    pub fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        word: &str,
        only_truth: bool,
    ) -> PgResult<Ex> {
        let at = self.at_expr(left);
        let symbol = match op {
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::Lt => "<",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Gt => ">",
            BinaryOperator::GtEq => ">=",
            BinaryOperator::PGLikeMatch => return self.pattern_quantified(left, "LIKE", right, word),
            BinaryOperator::PGILikeMatch => return self.pattern_quantified(left, "ILIKE", right, word),
            BinaryOperator::PGNotLikeMatch => return self.pattern_quantified(left, "NOT LIKE", right, word),
            BinaryOperator::PGNotILikeMatch => return self.pattern_quantified(left, "NOT ILIKE", right, word),
            BinaryOperator::PGRegexMatch => return self.pattern_quantified(left, "~", right, word),
            BinaryOperator::PGRegexIMatch => return self.pattern_quantified(left, "~*", right, word),
            BinaryOperator::PGRegexNotMatch => return self.pattern_quantified(left, "!~", right, word),
            BinaryOperator::PGRegexNotIMatch => return self.pattern_quantified(left, "!~*", right, word),
            _ => return self.refuse("this operator with ANY or ALL", at),
        };
        let right = match right {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        if let (Expr::Subquery(query), Some(_), ("=", "ANY") | ("<>", "ALL")) = (right, row_items(left), (symbol, word))
        {
            return self.in_subquery(left, query, word == "ALL", only_truth);
        }
        if let Expr::Subquery(query) = right {
            return self.quantified_query(left, symbol, query, word);
        }
        let l = self.expr(left)?;
        let r = self.expr(right)?;
        let r = match &l.ty {
            Some(ty) if r.is_unknown() && !l.is_unknown() => {
                self.settle(r, &ColumnType::Array(Box::new(compared(ty))))?
            }
            _ => self.settle_unknown(r, &ColumnType::Array(Box::new(ColumnType::Text)))?,
        };
        let r = self.grid_list(&r)?;
        let element = match &r.ty {
            Some(ColumnType::Array(element)) => Some((**element).clone()),
            Some(_) => {
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    "op ANY/ALL (array) requires array on right side",
                )
                .or_position(at));
            }
            None => None,
        };
        let l = match &element {
            Some(ty) if l.is_unknown() => self.settle(l, ty)?,
            _ => self.settle_unknown(l, &ColumnType::Text)?,
        };
        if let (Some(a), Some(b)) = (&l.ty, &element)
            && !comparable(a, b)
        {
            return Err(self.undefined_operator(symbol, Some(a), Some(b), at));
        }
        let nested = element.as_ref().is_some_and(is_nested);
        if self.any_keyed([&l.ty, &element]) || is_widened(&l.ty, &element) || is_blank_filled(&l.ty, &element) {
            // A name of its own: a left side of columns may come to stand inside.
            let name = format!("q_{}", self.number());
            let (a, b) = self.meet(l, Ex::plain(name.clone(), element), symbol)?;
            let test = Quantified { left: a.sql, symbol, word, right: b.sql, name };
            let sql = test.of_rows(&format!("SELECT unnest({})", r.sql), nested, false);
            return Ok(Ex::of(format!("(CASE WHEN {} IS NOT NULL THEN {sql} END)", r.sql), ColumnType::Bool));
        }
        let sql = match (symbol, word) {
            ("=", "ANY") | ("<>", "ALL") if listed(&r).is_some() => {
                let (not, list) = (if word == "ALL" { "NOT " } else { "" }, listed(&r).unwrap_or_default());
                format!("({} {not}IN {list})", l.sql)
            }
            // A list of each row is looked through; as a subquery it would be a join, which no join may have in its condition.
            ("=", "ANY") if r.origin.is_some() || is_column(&r.sql) || is_short(&r.sql) => format!(
                "(CASE WHEN list_contains({list}, {value}) THEN TRUE WHEN len({list}) = 0 THEN FALSE \
                 WHEN {value} IS NULL OR {list} IS NULL OR list_count({list}) < len({list}) THEN NULL ELSE FALSE END)",
                list = r.sql,
                value = l.sql
            ),
            _ if r.sql.starts_with(['[', '\'']) || r.sql.starts_with("CAST([") => {
                format!("({} {symbol} {word} (SELECT unnest({})))", l.sql, r.sql)
            }
            _ => format!(
                "(CASE WHEN {list} IS NOT NULL THEN {} {symbol} {word} (SELECT unnest({list})) END)",
                l.sql,
                list = r.sql
            ),
        };
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// `x LIKE ANY (array)`.
    pub fn pattern_quantified(&mut self, left: &Expr, op: &str, right: &Expr, word: &str) -> PgResult<Ex> {
        let at = self.at_expr(left);
        let right = match right {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        if matches!(right, Expr::Subquery(_)) {
            return self.refuse("this operator with ANY or ALL of a query", at);
        }
        let l = self.expr(left)?;
        let l = super::special::with_blanks(self.settle(l, &ColumnType::Text)?);
        if let Expr::Array(array) = right
            && !array.elem.is_empty()
            && !array.elem.iter().any(|item| matches!(item, Expr::Array(_)))
        {
            // Each by itself: a function over a list sees no columns of outer queries.
            let mut tests = Vec::new();
            for item in &array.elem {
                let item = self.expr(item)?;
                let item = self.settle(item, &ColumnType::Text)?;
                tests.push(self.pattern_test(&l.sql, op, &item.sql));
            }
            let joined = tests.join(if word == "ANY" { " OR " } else { " AND " });
            return Ok(Ex::of(format!("({joined})"), ColumnType::Bool));
        }
        let r = self.expr(right)?;
        let r = self.settle(r, &ColumnType::Array(Box::new(ColumnType::Text)))?;
        let (decides, otherwise) = if word == "ANY" { ("TRUE", "FALSE") } else { ("FALSE", "TRUE") };
        let name = format!("p_{}", self.number());
        let one = self.pattern_test(&l.sql, op, &name);
        let each = format!("list_transform({}, lambda {name}: {one})", r.sql);
        let sql = format!(
            "(CASE WHEN list_contains({each}, {decides}) THEN {decides} \
             WHEN {} IS NULL OR list_count({each}) < len({each}) THEN NULL ELSE {otherwise} END)",
            r.sql
        );
        Ok(Ex::of(sql, ColumnType::Bool))
    }

    /// Whether a text is as a pattern says.
    fn pattern_test(&self, text: &str, op: &str, pattern: &str) -> String {
        let flags = if op.ends_with('*') { "i" } else { "" };
        let test = match op {
            op if !op.contains('~') => format!("{text} {op} {pattern} ESCAPE '\\'"),
            _ if !self.has_functions() => format!("regexp_matches({text}, {pattern}, 's{flags}')"),
            _ => format!("pg_regexp_like({text}, {pattern}, '{flags}')"),
        };
        if op.starts_with('!') { format!("NOT {test}") } else { test }
    }

    pub fn quantified_query(&mut self, left: &Expr, symbol: &str, query: &Query, word: &str) -> PgResult<Ex> {
        self.bounded("subquery")?;
        if matches!(query.body.as_ref(), SetExpr::Values(v) if v.rows.is_empty()) {
            return self.refuse("an empty list", self.at_query(query));
        }
        let l = self.expr(left)?;
        let hints: Vec<ColumnType> = l.ty.clone().into_iter().collect();
        let rows = self.query(query, (!hints.is_empty() && !l.is_unknown()).then_some(&hints[..]))?;
        let ty = rows.columns.first().and_then(|c| c.ty.clone()).unwrap_or(ColumnType::Text);
        let l = self.settle(l, &ty)?;
        if rows.known && l.ty == Some(ColumnType::Interval) && ty == ColumnType::Interval && self.has_functions() {
            // Of intervals the engine makes no such join.
            let (a, b) = (super::interval::key(&l.sql), super::interval::key("\"x\""));
            let sql = format!("({a} {symbol} {word} (SELECT {b} FROM ({}) AS \"s\"(\"x\")))", rows.sql);
            return Ok(Ex::of(sql, ColumnType::Bool));
        }
        let filled = is_blank_filled(&l.ty, &Some(ty.clone()));
        let nested = is_nested(&ty);
        let lent = self.is_lent(&l.sql);
        if rows.known && (filled || nested || lent || self.any_keyed([&l.ty, &Some(ty.clone())])) {
            let name = format!("q_{}", self.number());
            let (a, b) = self.meet(l, Ex::of(name.clone(), ty), symbol)?;
            let test = Quantified { left: a.sql, symbol, word, right: b.sql, name };
            return Ok(Ex::of(test.of_rows(&rows.sql, nested, lent), ColumnType::Bool));
        }
        Ok(Ex::of(format!("({} {symbol} {word} ({}))", l.sql, rows.sql), ColumnType::Bool))
    }
}

/// Whether the engine holds values of the type, or their keys, as lists or rows.
fn is_nested(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Array(_) | ColumnType::Record(_))
}

/// A value beside all rows of a query, of whose column, by that name, the right side is made.
struct Quantified<'a> {
    left: String,
    symbol: &'a str,
    word: &'a str,
    right: String,
    name: String,
}

impl Quantified<'_> {
    fn of_rows(&self, rows: &str, nested: bool, lent: bool) -> String {
        let Self { left, symbol, word, right, name } = self;
        if !lent && (!nested || matches!((*symbol, *word), ("=", "ANY") | ("<>", "ALL"))) {
            return format!("({left} {symbol} {word} (SELECT {right} FROM ({rows}) AS {name}({name})))");
        }
        // The engine's own join takes some lists and rows for ordered that are not.
        let test = format!("({left} {symbol} {right})");
        let (decides, sought, otherwise) = match *word {
            "ANY" => ("TRUE", test.clone(), "FALSE"),
            _ => ("FALSE", format!("NOT {test}"), "TRUE"),
        };
        format!(
            "(SELECT CASE WHEN count(*) FILTER (WHERE {sought}) > 0 THEN {decides} \
             WHEN count(*) FILTER (WHERE {test} IS NULL) > 0 THEN NULL ELSE {otherwise} END \
             FROM ({rows}) AS {name}({name}))"
        )
    }
}

/// What stands for an array after `IN`; none where it is neither written out nor a parameter.
fn listed(array: &Ex) -> Option<String> {
    match quote::elements(&array.sql).is_some() {
        true => Some(quote::after_in(&array.sql)),
        false => super::params::listed(&array.sql),
    }
}

/// Whether a list is written again rather than looked through in a subquery, where a function of it sees no columns.
fn is_short(list: &str) -> bool {
    list.len() <= REPEATED_BYTES_MAX
        && !list.starts_with(['[', '\''])
        && !list.starts_with("CAST([")
        && !list.contains("SELECT")
}

/// Whether a text is a column's name alone.
fn is_column(sql: &str) -> bool {
    sql.starts_with('"') && sql.ends_with('"') && !sql.contains(['(', '\'', ' ', quote::HOLE])
}
