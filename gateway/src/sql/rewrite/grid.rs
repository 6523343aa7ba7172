//! Arrays of several dimensions: constructors, subscripts, functions and operators. Their values travel as text
//! (`engine/worker/functions/grids.rs`); an array of one dimension that begins at 1 is the engine's list.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{AccessExpr, Expr, Subscript};

use super::{Ex, Rewriter, operator::is_number};
use crate::wire::error::PgResult;

/// The element of an array of any dimensions.
fn element(ty: &ColumnType) -> Option<&ColumnType> {
    match ty {
        ColumnType::Array(element) | ColumnType::Grid(element) => Some(element),
        _ => None,
    }
}

/// Whether an expression's value travels as an array's text.
pub(super) fn is_grid(ex: &Ex) -> bool {
    matches!(ex.ty, Some(ColumnType::Grid(_))) && !ex.is_unknown()
}

/// What orders and compares as arrays do, of their text.
pub(super) fn order_key(text: &str, element: &ColumnType) -> String {
    let mapped = |key: String| {
        let keys = format!("list_transform(pg_grid_list({text}), lambda g: CAST({key} AS VARCHAR))");
        format!("pg_grid_like({text}, pg_text_array({keys}))")
    };
    match element {
        ty if is_number(ty) => format!("pg_grid_key({text},'n')"),
        ColumnType::Enum(_) => format!("pg_grid_key({},'n')", mapped(format!("enum_code({})", element.cast("g")))),
        ColumnType::Interval => {
            format!("pg_grid_key({},'n')", mapped(super::interval::key(&element.cast("g"))))
        }
        ColumnType::AsText(held) if super::held::keyed(element) => {
            format!("pg_grid_key({},'t')", mapped(format!("hex({})", super::held::key_of(*held, "g"))))
        }
        _ => format!("pg_grid_key({text},'t')"),
    }
}

/// What stands between arrays that are gathered, and for one that is NULL.
const BETWEEN: char = '\u{1f}';
const NO_ARRAY: char = '\u{1e}';

fn gathered(text: &str, order: &str, tail: &str) -> String {
    format!("pg_grid_gather(string_agg(coalesce({text}, '{NO_ARRAY}'), '{BETWEEN}'{order}){tail})")
}

/// Whether a list has all elements of another; NULL is no element that any list has.
pub(super) fn list_contains(l: &str, r: &str) -> String {
    format!("(list_has_all({l}, {r}) AND (({l}) IS NULL OR len({r}) = list_count({r})))")
}

impl Rewriter<'_> {
    /// An array as its text.
    pub fn grid_text(&mut self, ex: Ex) -> PgResult<String> {
        let Some(ColumnType::Array(inner)) = ex.ty.clone() else { return Ok(ex.sql) };
        let texts = self.element_texts(&ex, &inner)?;
        Ok(format!("pg_text_array({texts})"))
    }

    /// `ARRAY[a, b]` where these are arrays. None: they are not.
    pub fn stacked(&mut self, parts: &[Ex], ty: Option<&ColumnType>) -> PgResult<Option<Ex>> {
        let Some(inner) = ty.and_then(element).cloned() else { return Ok(None) };
        if !self.has_functions() {
            return Ok(None);
        }
        let mut texts = Vec::with_capacity(parts.len());
        for part in parts {
            texts.push(self.grid_text(part.clone())?);
        }
        Ok(Some(Ex::of(format!("pg_grid_stack({})", texts.join(", ")), ColumnType::Grid(Box::new(inner)))))
    }

    /// A value's text as an element's type.
    fn element_of(&mut self, sql: String, ty: &ColumnType) -> PgResult<Ex> {
        match ty {
            ColumnType::Numeric(..) => Ok(Ex::of(sql, super::LONG)),
            ColumnType::AsText(_) | ColumnType::Text => Ok(Ex::of(sql, ty.clone())),
            ty => self.cast(Ex::of(sql, ColumnType::Text), ty, None),
        }
    }

    /// The elements in their order, as a list of their type.
    pub fn grid_list(&mut self, ex: &Ex) -> PgResult<Ex> {
        let Some(ColumnType::Grid(inner)) = ex.ty.clone() else { return Ok(ex.clone()) };
        self.typed_list(format!("pg_grid_list({})", ex.sql), &inner)
    }

    fn typed_list(&mut self, texts: String, inner: &ColumnType) -> PgResult<Ex> {
        let name = format!("g_{}", self.number());
        let each = self.element_of(name.clone(), inner)?;
        let ty = each.ty.clone().unwrap_or(ColumnType::Text);
        let sql =
            if each.sql == name { texts } else { format!("list_transform({texts}, lambda {name}: {})", each.sql) };
        Ok(Ex::of(sql, ColumnType::Array(Box::new(ty))))
    }

    /// A cast of an array of several dimensions to another element. None: to something else.
    pub fn cast_grid(&mut self, ex: &Ex, ty: &ColumnType) -> PgResult<Option<Ex>> {
        if let Some(cast) = self.cast_vector(ex, ty)? {
            return Ok(Some(cast));
        }
        let (Some(ColumnType::Grid(from)), Some(to)) = (&ex.ty, element(ty)) else { return Ok(None) };
        let grid = |sql: String| Ex::of(sql, ColumnType::Grid(Box::new(to.clone()))).at(ex.position);
        if from.as_ref() == to || matches!(to, ColumnType::Text) {
            return Ok(Some(grid(ex.sql.clone())));
        }
        let list = self.grid_list(ex)?;
        let Some(ColumnType::Array(each)) = list.ty.clone() else { return Ok(None) };
        let name = format!("g_{}", self.number());
        let cast = self.cast(Ex::of(name.clone(), *each), to, ex.position)?;
        let inner = cast.ty.clone().unwrap_or(ColumnType::Text);
        let mapped = Ex::of(
            format!("list_transform({}, lambda {name}: {})", list.sql, cast.sql),
            ColumnType::Array(Box::new(inner)),
        );
        let texts = self.grid_text(mapped)?;
        Ok(Some(grid(format!("pg_grid_like({}, {texts})", ex.sql))))
    }

    /// For a column of arrays of any dimensions.
    pub fn gridded(&mut self, ex: Ex, element: &ColumnType) -> PgResult<Ex> {
        let (at, ty) = (ex.position, ColumnType::Array(Box::new(element.clone())));
        let text = match self.cast_grid(&ex, &ty)? {
            Some(cast) => cast.sql,
            None => {
                let list = self.cast(ex, &ty, at)?;
                self.grid_text(list)?
            }
        };
        Ok(Ex::of(text, ColumnType::Grid(Box::new(element.clone()))).at(at))
    }

    /// For a column of a lake, which has one dimension: more is an error when it runs.
    pub fn flat(&mut self, ex: Ex) -> PgResult<Ex> {
        let Some(ColumnType::Grid(inner)) = ex.ty.clone() else { return Ok(ex) };
        let list = self.typed_list(format!("pg_grid_flat({})", ex.sql), &inner)?;
        Ok(list.at(ex.position))
    }

    /// `a[1][2]`, `a[1:2][3]` of an array, all of its subscripts at once. None: not of an array, or one that a list does.
    pub fn grid_access(&mut self, ex: &Ex, chain: &[AccessExpr]) -> PgResult<Option<Ex>> {
        let Some(inner) = ex.ty.as_ref().and_then(element).cloned() else { return Ok(None) };
        if !self.has_functions() && is_grid(ex) {
            return self.refuse("a subscript of an array of several dimensions here", ex.position);
        }
        if !self.has_functions() || super::vector::is_vector(ex) || (chain.len() < 2 && !is_grid(ex)) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        let mut sliced = false;
        for access in chain {
            let AccessExpr::Subscript(subscript) = access else { return Ok(None) };
            parts.push(match subscript {
                Subscript::Index { index } => (None, self.subscript(index)?),
                Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                    sliced = true;
                    let low = lower_bound.as_ref().map(|e| self.subscript(e)).transpose()?;
                    let high = upper_bound.as_ref().map(|e| self.subscript(e)).transpose()?;
                    (Some(low.unwrap_or_default()), high.unwrap_or_default())
                }
                Subscript::Slice { .. } => return self.refuse("a stride in a slice", ex.position),
            });
        }
        let text = |sql: &str| if sql.is_empty() { "''".to_owned() } else { format!("CAST({sql} AS VARCHAR)") };
        let pieces: Vec<String> = parts
            .iter()
            .map(|(low, high)| match low {
                Some(low) => format!("{} || ':' || {}", text(low), text(high)),
                None => text(high),
            })
            .collect();
        let subscripts = pieces.join(" || ',' || ");
        let array = self.grid_text(ex.clone())?;
        if sliced {
            let sql = format!("pg_grid_slice({array}, {subscripts})");
            return Ok(Some(Ex::of(sql, ColumnType::Grid(Box::new(inner)))));
        }
        self.element_of(format!("pg_grid_element({array}, {subscripts})"), &inner).map(Some)
    }

    fn subscript(&mut self, expr: &Expr) -> PgResult<String> {
        let ex = self.expr(expr)?;
        Ok(self.settle(ex, &ColumnType::Int4)?.sql)
    }

    /// Functions with an array of several dimensions among their arguments, and `array_fill`. None: not one of them.
    pub fn grid_call(&mut self, name: &str, values: &mut [Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        if !self.has_functions() {
            return Ok(None);
        }
        if let Some(ex) = self.vector_call(name, values, at)? {
            return Ok(Some(ex));
        }
        if name == "array_fill" {
            return self.array_fill(values);
        }
        if name == "generate_subscripts"
            && let [array, dimension, rest @ ..] = &*values
            && rest.len() < 2
            && array.ty.as_ref().and_then(element).is_some()
        {
            let (array, dimension, rest) = (array.clone(), dimension.clone(), rest.first().cloned());
            return self.subscripts_of(array, dimension, rest).map(Some);
        }
        if !values.iter().any(is_grid) {
            return Ok(None);
        }
        let Some(first) = values.first().cloned() else { return Ok(None) };
        let x = first.sql.clone();
        let number = |what: &str, dimension: &str| {
            let sql = format!("CAST(pg_grid_number('{what}', {x}, {dimension}) AS INTEGER)");
            Ex::of(sql, T::Int4)
        };
        Ok(Some(match (name, values.len()) {
            ("array_dims", 1) => Ex::of(format!("pg_grid_dims({x})"), T::Text),
            ("array_ndims", 1) => number("ndims", "''"),
            ("cardinality", 1) => number("cardinality", "''"),
            ("array_length" | "array_upper" | "array_lower", 2) => {
                let Some(dimension) = values.get(1).cloned() else { return Ok(None) };
                let dimension = self.settle(dimension, &T::Int4)?;
                number(name.trim_start_matches("array_"), &format!("CAST({} AS VARCHAR)", dimension.sql))
            }
            ("unnest", 1) => {
                let list = self.grid_list(&first)?;
                let ty = list.ty.as_ref().and_then(element).cloned();
                Ex::plain(format!("unnest({})", list.sql), ty)
            }
            ("array_to_string", 2 | 3) => {
                let mut texts = vec![x];
                for value in values.iter().skip(1) {
                    texts.push(self.settle(value.clone(), &T::Text)?.sql);
                }
                Ex::of(format!("pg_grid_string({})", texts.join(", ")), T::Text)
            }
            ("array_cat", 2) => {
                let Some(second) = values.get(1).cloned() else { return Ok(None) };
                return self.grid_concat(first, second);
            }
            ("array_position", 2 | 3) => return self.position_in_grid(&first, values, at).map(Some),
            ("array_positions" | "array_remove", _) => {
                let what = if name == "array_remove" { "removing" } else { "searching for" };
                let message = format!(
                    "{what} elements {} multidimensional arrays is not supported",
                    if name == "array_remove" { "from" } else { "in" }
                );
                return Err(crate::wire::error::PgError::unsupported(message).or_position(None));
            }
            ("array_append" | "array_prepend", 2) => {
                let message = "argument must be empty or one-dimensional array";
                return Err(crate::wire::error::PgError::new(crate::wire::error::SqlState("22000"), message));
            }
            (
                "to_json" | "to_jsonb" | "array_to_json" | "coalesce" | "nullif" | "greatest" | "least" | "concat"
                | "concat_ws" | "format" | "pg_typeof" | "row",
                _,
            ) => return Ok(None),
            _ if name.starts_with("json") || super::call::is_aggregate(name) => return Ok(None),
            _ => return Err(self.undefined_function(name, values, at)),
        }))
    }

    /// `array_agg` of arrays: one dimension more. None: not of arrays.
    pub fn grid_aggregate(
        &mut self,
        name: &str,
        values: &[Ex],
        distinct: &str,
        order: &str,
        tail: &str,
    ) -> PgResult<Option<Ex>> {
        let [ex] = values else { return Ok(None) };
        let inner = ex.ty.as_ref().filter(|_| name == "array_agg" && !ex.is_unknown()).and_then(element).cloned();
        let Some(inner) = inner.filter(|_| self.has_functions() && !super::vector::is_vector(ex)) else {
            return Ok(None);
        };
        let sql = match distinct.is_empty() {
            true => gathered(&self.grid_text(ex.clone())?, order, tail),
            false => self.different_arrays(ex, order, tail)?,
        };
        Ok(Some(Ex::of(sql, ColumnType::Grid(Box::new(inner)))))
    }

    /// `array_agg(DISTINCT array)`: in the order of the arrays, which is not that of their texts.
    fn different_arrays(&mut self, ex: &Ex, order: &str, tail: &str) -> PgResult<String> {
        let way = super::json::list_order(&ex.sql, order);
        let Some(way) = way.filter(|_| !is_grid(ex) && !self.is_keyed(ex.ty.as_ref())) else {
            return self.refuse("array_agg(DISTINCT …) of these arrays", ex.position);
        };
        let name = format!("g_{}", self.number());
        let text = self.grid_text(Ex::plain(name.clone(), ex.ty.clone()))?;
        let list = format!("list_sort(list(DISTINCT {}){tail}, {way})", ex.sql);
        let texts = format!("list_transform({list}, lambda {name}: coalesce({text}, '{NO_ARRAY}'))");
        Ok(format!("pg_grid_gather(array_to_string({texts}, '{BETWEEN}'))"))
    }

    /// `ARRAY(SELECT array)`: one dimension more. None: not of arrays.
    pub fn grid_of_rows(&mut self, rows: &super::Rows) -> PgResult<Option<Ex>> {
        let [column] = rows.columns.as_slice() else { return Ok(None) };
        let ex = Ex::plain("\"a\".\"x\"", column.ty.clone());
        let inner = ex.ty.as_ref().and_then(element).cloned();
        let Some(inner) = inner.filter(|_| self.has_functions() && !super::vector::is_vector(&ex)) else {
            return Ok(None);
        };
        let all = gathered(&self.grid_text(ex)?, "", "");
        let sql = format!("(SELECT coalesce({all}, '{{}}') FROM ({}) AS \"a\"(\"x\"))", rows.sql);
        Ok(Some(Ex::of(sql, ColumnType::Grid(Box::new(inner)))))
    }

    /// `array_position` of an array that may have several dimensions, or bounds of its own.
    fn position_in_grid(&mut self, grid: &Ex, values: &[Ex], at: Option<u32>) -> PgResult<Ex> {
        let number = |what: &str, dimension: &str| format!("pg_grid_number('{what}', {}, '{dimension}')", grid.sql);
        let before = format!("({} - 1)", number("lower", "1"));
        let mut values = values.to_vec();
        if let Some(first) = values.first_mut() {
            *first = self.grid_list(grid)?;
        }
        if let Some(start) = values.get_mut(2) {
            let settled = self.settle(start.clone(), &ColumnType::Int4)?;
            *start = Ex::of(format!("CAST({} - {before} AS INTEGER)", settled.sql), ColumnType::Int4);
        }
        let found = match self.exact_call("array_position", &mut values)? {
            Some(found) => found,
            None => self.by_table(super::functions::SCALARS, "array_position", values, at)?,
        };
        let several = "error('SQLSTATE 0A000: searching for elements in multidimensional arrays is not supported')";
        let sql = format!(
            "CAST(CASE WHEN {} > 1 THEN CAST({several} AS INTEGER) ELSE {} + {before} END AS INTEGER)",
            number("ndims", ""),
            found.sql
        );
        Ok(Ex::of(sql, ColumnType::Int4).at(at))
    }

    fn array_fill(&mut self, values: &[Ex]) -> PgResult<Option<Ex>> {
        use ColumnType as T;
        let numbers = T::Array(Box::new(T::Int4));
        let [value, rest @ ..] = values else { return Ok(None) };
        if !(1..=2).contains(&rest.len()) {
            return Ok(None);
        }
        let value = self.settle(value.clone(), &T::Text)?;
        let Some(inner) = value.ty.clone() else { return Ok(None) };
        let mut texts = vec![match inner {
            T::Bool => format!("CASE WHEN {v} THEN 't' WHEN NOT {v} THEN 'f' END", v = value.sql),
            _ => self.text_of(value)?.sql,
        }];
        for list in rest {
            let list = self.settle(list.clone(), &numbers)?;
            texts.push(self.grid_text(list)?);
        }
        Ok(Some(Ex::of(format!("pg_grid_fill({})", texts.join(", ")), T::Grid(Box::new(inner)))))
    }

    /// `generate_subscripts(array, dimension)`.
    pub fn subscripts_of(&mut self, array: Ex, dimension: Ex, reverse: Option<Ex>) -> PgResult<Ex> {
        let text = self.grid_text(array)?;
        let dimension = self.settle(dimension, &ColumnType::Int4)?;
        let bound = |what: &str| format!("pg_grid_number('{what}', {text}, CAST({} AS VARCHAR))", dimension.sql);
        let series = format!("generate_series({}, {})", bound("lower"), bound("upper"));
        let series = match reverse {
            Some(flag) => {
                let flag = self.settle(flag, &ColumnType::Bool)?.sql;
                format!("(CASE WHEN {flag} THEN list_reverse({series}) ELSE {series} END)")
            }
            None => series,
        };
        Ok(Ex::of(format!("unnest(CAST({series} AS INTEGER[]))"), ColumnType::Int4))
    }

    /// `a || b`, one of them an array of several dimensions.
    pub fn grid_concat(&mut self, l: Ex, r: Ex) -> PgResult<Option<Ex>> {
        let inner = [&l, &r].into_iter().find_map(|e| e.ty.as_ref().filter(|_| !e.is_unknown()).and_then(element));
        let Some(inner) = inner.cloned() else { return Ok(None) };
        let list = ColumnType::Array(Box::new(inner.clone()));
        let (l, r) = (self.settle(l, &list)?, self.settle(r, &list)?);
        if [&l, &r].into_iter().any(|e| e.ty.as_ref().is_some_and(|t| element(t).is_none())) {
            return Ok(None);
        }
        let (a, b) = (self.grid_text(l)?, self.grid_text(r)?);
        Ok(Some(Ex::of(format!("pg_grid_cat({a}, {b})"), ColumnType::Grid(Box::new(inner)))))
    }

    /// An operator with an array of several dimensions on a side. None: not one of them.
    pub fn grid_operator(&mut self, op: &str, l: &Ex, r: &Ex) -> PgResult<Option<Ex>> {
        if !is_grid(l) && !is_grid(r) {
            return Ok(None);
        }
        match op {
            "||" => self.grid_concat(l.clone(), r.clone()),
            // What contains what is a question of elements.
            "@>" | "<@" | "&&" => {
                let inner = [l, r].into_iter().find_map(|e| e.ty.as_ref().filter(|_| is_grid(e)).and_then(element));
                let Some(list) = inner.map(|i| ColumnType::Array(Box::new(i.clone()))) else { return Ok(None) };
                let (l, r) = (self.settle(l.clone(), &list)?, self.settle(r.clone(), &list)?);
                let (l, r) = (self.grid_list(&l)?, self.grid_list(&r)?);
                let (l, r) = if op == "<@" { (r, l) } else { (l, r) };
                let sql = match op {
                    "&&" => format!("list_has_any({}, {})", l.sql, r.sql),
                    _ => list_contains(&l.sql, &r.sql),
                };
                Ok(Some(Ex::of(sql, ColumnType::Bool)))
            }
            _ => Ok(None),
        }
    }

    /// Two sides of a comparison, at least one of them an array of several dimensions.
    pub fn meet_grid(&mut self, l: Ex, r: Ex) -> PgResult<(Ex, Ex)> {
        let inner = [&l, &r].into_iter().find_map(|e| e.ty.as_ref().and_then(element)).cloned();
        let inner = inner.unwrap_or(ColumnType::Text);
        let mut key = |ex: Ex| -> PgResult<Ex> {
            let text = self.grid_text(ex.clone())?;
            Ok(Ex { sql: order_key(&text, &inner), ty: None, ..ex })
        };
        Ok((key(l)?, key(r)?))
    }
}
