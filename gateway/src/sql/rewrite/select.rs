//! SELECT: its list, WHERE, GROUP BY, HAVING, windows and ORDER BY.

use std::collections::{HashMap, HashSet};

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, ObjectName, OrderBy, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, Spanned, WildcardAdditionalOptions,
};

use super::{
    Column, Kind, Rewriter, Scope, column_name, group_by, pull_up, record, scope::column_ex, system_column::is_hidden,
};
use crate::{
    sql::{empty_list, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// A query's text and what it shows.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Rows {
    pub sql: String,
    pub columns: Vec<Column>,
    /// Whether `columns` is all there is.
    pub known: bool,
}

/// Gives every column a name for the engine that differs without regard to case.
pub(in crate::sql) fn unique(columns: &mut [Column]) {
    let mut seen = HashSet::new();
    // The next number to try for a name: without it a list of equal names costs the square of its length.
    let mut next: HashMap<String, usize> = HashMap::new();
    for column in columns {
        let mut engine = column.name.clone();
        while !seen.insert(engine.to_lowercase()) {
            let n = next.entry(column.name.to_lowercase()).or_insert(1);
            engine = format!("{}_{n}", column.name);
            *n += 1;
        }
        column.engine = engine;
    }
}

/// The engine's column of rows that have none.
const NOTHING: &str = "row";
/// Postgres' limit of a target list.
const COLUMNS_MAX: usize = 1664;

/// Fails for a list that is longer than Postgres', also before it is all expanded.
fn few_columns(count: usize) -> PgResult<()> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    let message = format!("target lists can have at most {COLUMNS_MAX} entries");
    Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message))
}

/// One item of the list, written.
pub(super) struct Item {
    pub(super) sql: String,
    pub(super) column: Column,
    /// `t.*` of a relation whose columns are not known.
    pub(super) star: bool,
}

impl Rewriter<'_> {
    /// A SELECT with its ORDER BY, which may name both its FROM and its list.
    pub fn select(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
        hints: Option<&[ColumnType]>,
    ) -> PgResult<Rows> {
        // Names of a query around could be those of a relation that was beside the subquery.
        if self.scopes.is_empty()
            && order_by.is_none()
            && let Some(pulled) = pull_up::pulled(select)
        {
            let before = (self.top, self.in_set, self.listless, self.clause, self.operator_placed, self.depth);
            if let Ok(rows) = self.select_scoped(&pulled, None, hints) {
                return Ok(rows);
            }
            self.scopes.clear();
            (self.top, self.in_set, self.listless, self.clause, self.operator_placed, self.depth) = before;
        }
        self.select_scoped(select, order_by, hints)
    }

    fn select_scoped(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
        hints: Option<&[ColumnType]>,
    ) -> PgResult<Rows> {
        let windows = self.named_windows(&select.named_window)?;
        let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(exprs, _) if exprs.is_empty());
        let repeats = grouped || matches!(select.distinct, Some(Distinct::On(_)));
        let mut keys = Vec::new();
        group_by::keys_of(select, &mut keys);
        self.scopes.push(Scope { windows, repeats, keys, ..Scope::default() });
        // What a clause outside does not take, a query inside of it may.
        let (in_set, clause) = (self.in_set, self.clause.take());
        let rows = self.select_here(select, order_by, hints);
        (self.in_set, self.clause) = (in_set, clause);
        self.scopes.pop();
        rows
    }

    fn select_here(
        &mut self,
        select: &Select,
        order_by: Option<&OrderBy>,
        hints: Option<&[ColumnType]>,
    ) -> PgResult<Rows> {
        self.plain_select(select)?;
        let top = std::mem::take(&mut self.top);
        let in_set = std::mem::take(&mut self.in_set);
        let listless = std::mem::take(&mut self.listless);
        let from = self.from(&select.from)?;
        let selection = match &select.selection {
            Some(expr) => {
                let sql = self.condition(expr, "WHERE")?;
                self.add_filters(expr, false);
                format!(" WHERE {sql}")
            }
            None => String::new(),
        };
        let outer = std::mem::take(&mut self.aggregated);
        let empty = empty_list::is_empty(&select.projection);
        let mut items = if empty { Vec::new() } else { self.list(&select.projection, hints, top)? };
        if empty && select.distinct.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error: DISTINCT without a list"));
        }
        if items.is_empty() && listless {
            let column =
                Column { name: "?column?".into(), engine: NOTHING.into(), ty: Some(ColumnType::Bool), origin: None };
            items.push(Item { sql: "TRUE".into(), column, star: false });
        }
        let aggregated = std::mem::replace(&mut self.aggregated, outer);
        self.one_row |= top && aggregated && has_one_group(select) && !items.iter().any(|i| i.sql.contains("unnest("));
        if !in_set {
            items.iter_mut().for_each(null_as_text);
        }
        let known = items.iter().all(|i| !i.star);
        let mut columns: Vec<Column> = items.iter().map(|i| i.column.clone()).collect();
        unique(&mut columns);
        for (item, column) in items.iter_mut().zip(&columns) {
            item.column.engine.clone_from(&column.engine);
        }
        let mut keys = self.group_by(&select.group_by, &items, known)?;
        let mut having = match &select.having {
            Some(expr) => format!(" HAVING {}", self.condition(expr, "HAVING")?),
            None => String::new(),
        };
        self.check_windows()?;
        if select.qualify.is_some() {
            return self.refuse("QUALIFY", None);
        }
        let distinct = match &select.distinct {
            Some(distinct) if known && order_by.is_some() && self.view_depth == 0 => {
                self.sorts_what_is_distinct(distinct, order_by, &items)?;
                Some(distinct)
            }
            other => other.as_ref(),
        };
        let mut distinct = match distinct {
            None | Some(Distinct::All) => String::new(),
            Some(Distinct::Distinct) if known && items.iter().any(|i| self.is_keyed_item(i)) => {
                let key = |i: &Item| if self.is_keyed_item(i) { self.item_key(i) } else { i.sql.clone() };
                let keys: Vec<String> = items.iter().map(key).filter(|key| !is_literal(key)).collect();
                let keys = if keys.is_empty() { "nullif(TRUE, NULL)".to_owned() } else { keys.join(", ") };
                format!("DISTINCT ON ({keys}) ")
            }
            Some(Distinct::Distinct) => "DISTINCT ".into(),
            Some(Distinct::On(exprs)) => {
                let mut keys = Vec::new();
                for expr in exprs {
                    keys.push(self.sort_key(expr, &items, known, true)?);
                }
                format!("DISTINCT ON ({}) ", keys.join(", "))
            }
        };
        let mut order = match order_by {
            Some(order_by) => format!(" ORDER BY {}", self.order_by(order_by, &items, known)?),
            None => String::new(),
        };
        let mut from = from;
        let others = &mut [&mut having, &mut distinct, &mut order];
        if let Some(rows) = self.group_by_rows(&mut keys, &mut items, others) {
            from = if from.is_empty() { rows } else { format!("{from}, {rows}") };
        }
        let mut group_by = String::new();
        if !keys.is_empty() {
            group_by = format!(" GROUP BY {}", self.group_by_value(&keys, &mut items, others));
            let others = others.iter().map(|text| text.as_str());
            let texts = items.iter().map(|i| i.sql.as_str()).chain(others);
            let used = self.depends_on_keys(&keys, &group_by, &texts.collect::<Vec<_>>());
            group_by.push_str(&used);
        }
        // DISTINCT wants ORDER BY's expressions in the list as they are.
        let mut list = list_text(&items, self.scopes.len() == 1 && distinct.is_empty());
        if items.is_empty() {
            // The engine's rows have a column at least; nobody sees it.
            list = format!("TRUE AS {}", quote::name(NOTHING));
        }
        // Of rows that are grouped each group has a number of its own, or its aggregates' arguments have them.
        let texts = &mut [&mut list, &mut distinct, &mut order];
        let is_grouped = aggregated || !group_by.is_empty();
        let numbered = if is_grouped { None } else { self.with_numbers(texts, &from, &selection) };
        let (from, selection) = match numbered {
            Some(numbered) => (format!(" FROM {numbered}"), String::new()),
            None if from.is_empty() => (String::new(), selection),
            None => (format!(" FROM {from}"), selection),
        };
        Ok(Rows {
            sql: Self::numbers_stay(format!("SELECT {distinct}{list}{from}{selection}{group_by}{having}{order}")),
            columns,
            known,
        })
    }

    /// `TABLE t`.
    pub fn table_command(&mut self, name: &ObjectName) -> PgResult<Rows> {
        self.scopes.push(Scope::default());
        let rows = self.table_rows(name);
        self.scopes.pop();
        rows
    }

    fn table_rows(&mut self, name: &ObjectName) -> PgResult<Rows> {
        let from = self.from(&[sqlparser::ast::TableWithJoins {
            relation: sqlparser::ast::TableFactor::Table {
                name: name.clone(),
                alias: None,
                args: None,
                with_hints: Vec::new(),
                version: None,
                with_ordinality: false,
                partitions: Vec::new(),
                json_path: None,
                sample: None,
                index_hints: Vec::new(),
            },
            joins: Vec::new(),
        }])?;
        let scope = self.scopes.last().cloned().unwrap_or_default();
        let (star, known) = self.star(&scope);
        let list: Vec<String> = star.iter().map(|(_, sql)| sql.clone()).collect();
        let mut columns: Vec<Column> = star.into_iter().map(|(c, _)| c).collect();
        unique(&mut columns);
        Ok(Rows { sql: format!("SELECT {} FROM {from}", list.join(", ")), columns, known })
    }

    /// Refuses what is not Postgres'.
    fn plain_select(&self, select: &Select) -> PgResult<()> {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct: _,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection: _,
            exclude,
            into,
            from: _,
            lateral_views,
            prewhere,
            selection: _,
            connect_by,
            group_by: _,
            cluster_by,
            distribute_by,
            sort_by,
            having: _,
            named_window: _,
            qualify: _,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        if into.is_some() {
            return self.refuse("SELECT INTO here", None);
        }
        let plain = select_modifiers.is_none()
            && top.is_none()
            && exclude.is_none()
            && lateral_views.is_empty()
            && prewhere.is_none()
            && connect_by.is_empty()
            && cluster_by.is_empty()
            && distribute_by.is_empty()
            && sort_by.is_empty()
            && value_table_mode.is_none()
            && matches!(flavor, SelectFlavor::Standard);
        if plain { Ok(()) } else { self.refuse("this form of SELECT", None) }
    }

    /// The list, `*` written out.
    fn list(&mut self, projection: &[SelectItem], hints: Option<&[ColumnType]>, top: bool) -> PgResult<Vec<Item>> {
        let mut items = Vec::new();
        few_columns(projection.len())?;
        for item in projection {
            few_columns(items.len())?;
            match item {
                SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { root, access_chain })
                    if record::is_all_fields(access_chain) =>
                {
                    items.extend(self.all_fields(root, access_chain)?);
                }
                SelectItem::UnnamedExpr(expr) => {
                    let name = column_name::of(expr);
                    let hint = hints.and_then(|h| h.get(items.len()).cloned());
                    let column = top.then_some(items.len());
                    items.push(self.top_item(expr, name, hint, column)?);
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let hint = hints.and_then(|h| h.get(items.len()).cloned());
                    let column = top.then_some(items.len());
                    items.push(self.top_item(expr, quote::fold(alias), hint, column)?);
                }
                SelectItem::Wildcard(options) => {
                    self.plain_wildcard(options)?;
                    let Some(scope) = self.scopes.last().filter(|s| !s.relations.is_empty()).cloned() else {
                        return Err(PgError::new(
                            SqlState::SYNTAX_ERROR,
                            "SELECT * with no tables specified is not valid",
                        )
                        .or_position(self.at(options.wildcard_token.0.span)));
                    };
                    let (star, _) = self.star(&scope);
                    self.note_star(options, None);
                    items.extend(star.into_iter().map(star_item));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    self.plain_wildcard(options)?;
                    items.extend(self.qualified_star(name)?);
                    self.note_qualified_star(name, options);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                    items.extend(self.all_fields(expr, &[])?);
                }
                SelectItem::ExprWithAliases { expr, .. } => {
                    return self.refuse("several aliases", self.at_expr(expr));
                }
            }
        }
        few_columns(items.len())?;
        Ok(items)
    }

    fn plain_wildcard(&self, options: &WildcardAdditionalOptions) -> PgResult<()> {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        if opt_ilike.is_some()
            || opt_exclude.is_some()
            || opt_except.is_some()
            || opt_replace.is_some()
            || opt_rename.is_some()
            || opt_alias.is_some()
        {
            return self.refuse("this form of *", self.at(wildcard_token.0.span));
        }
        Ok(())
    }

    pub(super) fn qualified_star(&mut self, name: &ObjectName) -> PgResult<Vec<Item>> {
        let at = self.at(name.span());
        let parts = quote::parts(name).unwrap_or_default();
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some(schema.as_str()), table),
            _ => return self.refuse("this form of *", at),
        };
        let relation = self.relation_named(schema, table, at)?;
        if !relation.known {
            return Ok(vec![star_item((
                Column { name: "*".into(), engine: String::new(), ty: None, origin: None },
                format!("{}.*", quote::name(&relation.engine)),
            ))]);
        }
        let shown = relation.columns.iter().filter(|c| !is_hidden(c));
        Ok(shown.map(|c| star_item((c.clone(), column_ex(relation, c).sql))).collect())
    }

    /// An item of the list; one of the statement's own list may be made by the gateway.
    fn top_item(
        &mut self,
        expr: &Expr,
        name: String,
        hint: Option<ColumnType>,
        column: Option<usize>,
    ) -> PgResult<Item> {
        if let Some(column) = column
            && let Some((sql, ty)) = self.row_call(expr, column)?
        {
            let column = Column { engine: name.clone(), name, ty: Some(ty), origin: None };
            return Ok(Item { sql, column, star: false });
        }
        self.item(expr, name, hint)
    }

    fn item(&mut self, expr: &Expr, name: String, hint: Option<ColumnType>) -> PgResult<Item> {
        let mut ex = self.expr(expr)?;
        let hinted = hint.is_some();
        match (&ex.kind, hint) {
            // A bare NULL keeps its freedom: a set operation may type it.
            (Kind::Null, None) => {}
            (_, Some(ty)) if ex.is_unknown() => ex = self.settle(ex, &ty)?,
            _ if ex.is_unknown() => ex = self.settle(ex, &ColumnType::Text)?,
            _ => {}
        }
        let ty = match ex.kind {
            Kind::Null if !hinted => None,
            _ => ex.full_type(),
        };
        Ok(Item { sql: ex.sql, column: Column { engine: name.clone(), name, ty, origin: ex.origin }, star: false })
    }

    /// WHERE, HAVING, ON: must be boolean.
    pub fn condition(&mut self, expr: &Expr, place: &str) -> PgResult<String> {
        let outer = self.clause;
        match place {
            "WHERE" => self.clause = Some(("WHERE", self.scopes.len())),
            "JOIN/ON" => self.clause = Some(("JOIN conditions", self.scopes.len())),
            "FILTER" => self.clause = Some(("FILTER", self.scopes.len())),
            // It is about groups.
            "HAVING" => self.clause = None,
            _ => {}
        }
        match place {
            "AND" | "OR" => {}
            place => self.only_truth = matches!(place, "WHERE" | "JOIN/ON" | "FILTER" | "HAVING" | "CASE/WHEN"),
        }
        let ex = self.expr(expr);
        self.clause = outer;
        let ex = ex?;
        let ex = self.settle_unknown(ex, &ColumnType::Bool)?;
        match &ex.ty {
            Some(ColumnType::Bool) | None => Ok(ex.sql),
            Some(ty) => Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!("argument of {place} must be type boolean, not type {}", super::signature::shown(ty)),
            )
            .or_position(self.at_expr(expr))),
        }
    }
}

/// The list's text. `sure`: text is text there whatever the engine makes of it.
fn list_text(items: &[Item], sure: bool) -> String {
    let text = |item: &Item| match item.star {
        true => item.sql.clone(),
        // The engine types a NULL by itself while it plans, and otherwise when it runs.
        false if sure && is_made_text(&item.column) => {
            format!("CAST({} AS VARCHAR) AS {}", item.sql, quote::name(&item.column.engine))
        }
        false => format!("{} AS {}", item.sql, quote::name(&item.column.engine)),
    };
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Whether a text is a constant alone: nothing is ordered or made different by it, and the engine takes none, or a number as a place.
pub(super) fn is_literal(sql: &str) -> bool {
    let cast =
        sql.strip_prefix("CAST(").and_then(|inner| inner.strip_suffix(')')).and_then(|inner| inner.rsplit_once(" AS "));
    let sql = cast.map_or(sql, |(value, _)| value);
    let text = sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let number = sql.strip_prefix('-').unwrap_or(sql);
    text.is_some_and(|text| !text.contains('\''))
        || !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        || matches!(sql, "NULL" | "TRUE" | "FALSE")
}

/// Whether it is text that no relation holds so.
fn is_made_text(column: &Column) -> bool {
    column.origin.is_none() && column.ty == Some(ColumnType::Text)
}

/// What nothing gives a type is text.
fn null_as_text(item: &mut Item) {
    if item.sql == "NULL" && item.column.ty.is_none() {
        item.sql = "CAST(NULL AS VARCHAR)".to_owned();
        item.column.ty = Some(ColumnType::Text);
    }
}

fn star_item((column, sql): (Column, String)) -> Item {
    Item { star: column.name == "*" && column.engine.is_empty(), sql, column }
}

/// Whether aggregates are over all rows.
fn has_one_group(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(groups, modifiers) if groups.is_empty() && modifiers.is_empty())
}

impl Rewriter<'_> {
    /// RETURNING: a list over a scope that the caller pushed.
    pub fn returning(&mut self, projection: &[SelectItem]) -> PgResult<Rows> {
        let mut items = self.list(projection, None, false)?;
        let mut columns: Vec<Column> = items.iter().map(|i| i.column.clone()).collect();
        unique(&mut columns);
        for (item, column) in items.iter_mut().zip(&columns) {
            item.column.engine.clone_from(&column.engine);
        }
        let list: Vec<String> =
            items.iter().map(|i| format!("{} AS {}", i.sql, quote::name(&i.column.engine))).collect();
        Ok(Rows { sql: list.join(", "), columns, known: true })
    }
}
