//! The gate: a syntax tree is checked node by node and written anew as DuckDB SQL.
//!
//! Every match over the parser's enums names what it takes; what is not named is refused. No text of a client is
//! copied: names are quoted, strings are quoted again, numbers are checked.

mod expr;
mod scope;

mod distinct;
mod distinct_values;
mod expanded;
mod from;
mod grid;
mod group_by;
mod order_by;
mod ordinality;
mod select;
mod set;
mod set_by_value;

mod access;
mod aggregate;
mod arithmetic;
mod array_text;
mod bits;
mod bytea;
mod call;
mod case;
mod cast;
mod datetime;
mod fields;
mod filter;
mod frame;
mod held;
mod hypothetical;
mod interval;
mod json;
mod json_record;
mod lent_interval;
mod literal;
mod membership;
mod modifier;
mod named_arguments;
mod named_constant;
mod number;
mod number_list;
mod operator;
mod outer_join;
mod own;
mod params;
mod place;
mod privilege;
mod pull_up;
mod rowless;
mod rows;
mod rows_from;
mod scale;
mod session_call;
mod special;
mod styled;
mod system_call;
mod system_cast;
mod system_column;
mod table_function;
mod text;
mod text_cast;
mod ties;
mod type_call;
mod user_type;
mod variadic;
mod vector;
mod view_text;
mod volatile;

mod closest;
mod column_name;
mod forbidden;
mod function_list;
mod functions;
mod record;
mod recursion;
mod relations;
mod signature;

use std::{cell::Cell, sync::Arc};

use duckmesh_catalog::ColumnType;
use sqlparser::{
    ast::{self, Spanned},
    tokenizer::Span,
};

pub(super) use self::column_name::figured as column_name_of;
pub(crate) use self::number::{LONG, is_long};
pub(super) use self::{
    call::is_aggregate,
    cast::assignable,
    expanded::Expanded,
    expr::{Ex, Kind},
    literal::string_of,
    operator::comparable,
    params::of_oid,
    relations::Target,
    scope::{Column, Relation, Scope, Star},
    select::{Rows, unique},
    signature::shown,
    system_column::SYSTEM_COLUMNS,
};
use super::{
    plan::{
        CallArg, Origin, OutputColumn, ParamType, PlanContext, QueryPlan, RowCall, SessionValue, SqlPart, SystemUse,
        TableUse,
    },
    position,
    quote::{self, HOLE},
    thread,
};
use crate::pgcatalog::functions as system_functions;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Levels of expressions and queries inside each other, after chains of AND and OR were made flat.
const DEPTH_MAX: usize = 400;
/// Levels of views inside views.
const VIEW_DEPTH_MAX: usize = 16;
/// Views that one statement may expand, all levels counted.
const VIEWS_MAX: usize = 500;
/// The rewritten text may be longer than the client's, but not without limit.
const SQL_BYTES_MAX: usize = 32 << 20;

/// `numeric` without precision: any.
pub(super) const NUMERIC: ColumnType = ColumnType::Numeric(0, 0);

/// For whom the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Our engine: tables are views by id.
    Engine,
    /// Any DuckDB with the lake attached: what a view stores.
    Lake,
}

/// One statement's rewriting.
pub(super) struct Rewriter<'a> {
    pub ctx: &'a PlanContext,
    pub text: &'a str,
    pub audience: Audience,
    pub scopes: Vec<Scope>,
    pub ctes: Vec<scope::Cte>,
    pub tables: Vec<TableUse>,
    pub system: Vec<SystemUse>,
    pub params: Vec<Option<ColumnType>>,
    pub session: Vec<SessionValue>,
    /// A name that only this statement may read: INSERT's `returning_rows`.
    pub extra: Option<Relation>,
    /// What may not stand here, with what it is called: subqueries and parameters in CHECK and DEFAULT.
    pub bounds: Option<&'static str>,
    /// Columns of the query itself that the gateway makes.
    pub row_calls: Vec<RowCall>,
    /// Sequences whose numbers the engine asks for while it runs.
    pub numbers: Vec<CallArg>,
    /// Whether the next SELECT is the statement's own, whose columns the gateway may make.
    pub top: bool,
    /// Whether row locks were asked for.
    pub locks: bool,
    calls: usize,
    /// Whether the engine's decimals are computed with.
    decimals: bool,
    /// Calls of what is another value each time.
    volatile_calls: usize,
    /// Whether the next SELECT is a side of a set operation: its bare NULLs take the other side's types.
    in_set: bool,
    /// A clause that takes no aggregates, and how deep in queries it is.
    clause: Option<(&'static str, usize)>,
    /// Whether false and unknown are the same for who asks: a filter does.
    only_truth: bool,
    /// Whether the next SELECT may be without a list: only whether there are rows is asked.
    listless: bool,
    /// Whether the SELECT at hand has an aggregate.
    aggregated: bool,
    /// Whether the statement has one row at most.
    one_row: bool,
    depth: usize,
    view_depth: usize,
    /// Views expanded so far.
    views: usize,
    recursive_depth: usize,
    /// The engine's names of relations that a condition sees as those of a query around.
    lent: Vec<String>,
    /// So many scopes are those of queries around, though the innermost is one of them: VALUES has none of its own.
    lent_below: usize,
    /// The engine's names of recursive queries that are being written.
    recursing: Vec<String>,
    names: usize,
    dialect_duckdb: bool,
    /// Whether texts are made that a row is held as: those of the session's settings are made of it where it is shown.
    in_row: bool,
    /// Whether an error has its operator's position already.
    operator_placed: bool,
    /// Whether the statement names `tableoid` anywhere, once that was asked.
    names_tableoid: Option<bool>,
    /// Whether VALUES stands for a SELECT.
    pub values_give_rows: bool,
    /// Inside of what there are no functions of many rows, and how deep in queries that is.
    sets_barred: Option<(&'static str, usize)>,
    /// What `*` stood for, where that is asked for.
    pub expanded: Option<Expanded>,
    cursor: Cell<position::Cursor>,
}

impl<'a> Rewriter<'a> {
    pub fn new(ctx: &'a PlanContext, text: &'a str) -> Self {
        Self {
            ctx,
            text,
            audience: Audience::Engine,
            scopes: Vec::new(),
            ctes: Vec::new(),
            tables: Vec::new(),
            system: Vec::new(),
            params: Vec::new(),
            session: Vec::new(),
            extra: None,
            bounds: None,
            row_calls: Vec::new(),
            numbers: Vec::new(),
            top: false,
            locks: false,
            calls: 0,
            decimals: false,
            volatile_calls: 0,
            in_set: false,
            listless: false,
            clause: None,
            only_truth: false,
            aggregated: false,
            one_row: false,
            depth: 0,
            view_depth: 0,
            views: 0,
            recursive_depth: 0,
            lent: Vec::new(),
            lent_below: 0,
            recursing: Vec::new(),
            names: 0,
            dialect_duckdb: false,
            in_row: false,
            operator_placed: false,
            names_tableoid: None,
            values_give_rows: false,
            sets_barred: None,
            expanded: None,
            cursor: Cell::new(ctx.start.cursor(text)),
        }
    }

    /// A whole query as a plan.
    pub fn finish(mut self, mut rows: Rows) -> PgResult<QueryPlan> {
        self.name_numbers(&mut rows);
        let params = self.param_types()?;
        Ok(QueryPlan {
            sql: self.parts(&rows.sql)?,
            tables: std::mem::take(&mut self.tables),
            system: std::mem::take(&mut self.system),
            params,
            columns: if rows.known { rows.columns.iter().map(output).collect() } else { Vec::new() },
            no_columns: rows.known && rows.columns.is_empty(),
            row_calls: std::mem::take(&mut self.row_calls),
            numbers: std::mem::take(&mut self.numbers),
            locks: self.locks,
            one_row: std::mem::take(&mut self.one_row),
            decimals: self.decimals,
        })
    }

    /// Columns of `regclass` and its like go out with the names that clients see, computed intervals if they can.
    fn name_numbers(&mut self, rows: &mut Rows) {
        let named = |column: &Column| match &column.ty {
            Some(ColumnType::System(system)) if system.is_named() => Some((system.oid(), false)),
            Some(ColumnType::Array(element)) => match &**element {
                ColumnType::System(system) if system.is_named() => Some((system.oid(), true)),
                _ => None,
            },
            _ => None,
        };
        // What a lake holds fits; what was computed may not.
        let functions = self.has_functions();
        let sent = |column: &Column| {
            let interval = column.ty.as_ref().is_some_and(|ty| *ty.bare() == ColumnType::Interval);
            functions && interval && column.origin.is_none()
        };
        if !rows.known || !rows.columns.iter().any(|column| named(column).is_some() || sent(column)) {
            return;
        }
        let mut list = Vec::with_capacity(rows.columns.len());
        for column in &rows.columns {
            let name = quote::name(&column.engine);
            list.push(match named(column) {
                Some((ty, false)) => {
                    let text = self.looked_up(system_functions::output(ty), "", &[&name]);
                    format!("(CAST({name} AS VARCHAR) || ':' || {text}) AS {name}")
                }
                Some((ty, true)) => {
                    let text = self.looked_up(system_functions::output(ty), "", &["\"x\""]);
                    format!("list_transform({name}, lambda \"x\": CAST(\"x\" AS VARCHAR) || ':' || {text}) AS {name}")
                }
                None if sent(column) => format!("pg_interval_sent({name}) AS {name}"),
                None => name,
            });
        }
        rows.sql = format!("SELECT {} FROM ({}) AS \"named\"", list.join(", "), rows.sql);
    }

    /// The types of all parameters: text where nothing tells.
    pub fn param_types(&self) -> PgResult<Vec<ParamType>> {
        params::finish(self)
    }

    /// Splits a text at its holes.
    pub fn parts(&self, sql: &str) -> PgResult<Vec<SqlPart>> {
        if sql.len() > SQL_BYTES_MAX {
            return Err(too_complex());
        }
        let mut intervals = interval::Apart::new(self.bounds.is_some());
        let mut parts = Vec::new();
        for (n, piece) in sql.split(HOLE).enumerate() {
            if n % 2 == 0 {
                if !piece.is_empty() {
                    parts.push(SqlPart::Text(piece.to_owned()));
                }
                continue;
            }
            if let Some(fixed) = interval::of_piece(piece) {
                parts.push(SqlPart::Text(intervals.written(fixed)));
                continue;
            }
            let index = piece.get(1..).and_then(|i| i.parse::<usize>().ok());
            parts.push(match (piece.as_bytes().first(), index) {
                (Some(b'p'), Some(index)) => SqlPart::Param(index),
                (Some(b't'), Some(index)) => SqlPart::Tested(index),
                (Some(b'l'), Some(index)) => SqlPart::Listed(index),
                (Some(b's'), Some(index)) => SqlPart::Session(
                    self.session.get(index).cloned().ok_or_else(|| PgError::internal("a hole without its value"))?,
                ),
                _ => return Err(PgError::internal("a hole that is none")),
            });
        }
        Ok(parts)
    }

    /// Goes one level down.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        thread::check()?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_complex());
        }
        let result = work(self);
        self.depth -= 1;
        result
    }

    /// What comes now stands in a clause that takes no aggregates, up to the end.
    pub fn stands_in(&mut self, clause: &'static str) {
        self.clause = Some((clause, self.scopes.len()));
    }

    /// Whether a view's text is being written.
    fn in_view(&self) -> bool {
        self.view_depth > 0
    }

    /// A number for a name of our own.
    fn number(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    pub fn at(&self, span: Span) -> Option<u32> {
        // Inside a view the positions belong to another text.
        if self.view_depth > 0 || span.start.line == 0 {
            return None;
        }
        let mut cursor = self.cursor.get();
        let position = cursor.seek(self.text, span.start);
        self.cursor.set(cursor);
        Some(position)
    }

    /// Where an expression begins. Never `Spanned::span`: it recurses through the whole tree, and a long chain of
    /// operators would overflow any stack.
    pub fn at_expr(&self, expr: &ast::Expr) -> Option<u32> {
        use ast::Expr as E;
        let mut expr = expr;
        loop {
            expr = match expr {
                E::BinaryOp { left, .. } => left,
                E::Nested(inner) | E::IsNull(inner) | E::IsNotNull(inner) => inner,
                E::Cast { expr, .. } | E::Collate { expr, .. } | E::Between { expr, .. } => expr,
                E::InList { expr, .. } | E::Like { expr, .. } | E::ILike { expr, .. } => expr,
                E::UnaryOp { expr, .. } => expr,
                E::Tuple(items) => items.first()?,
                E::CompoundFieldAccess { root, .. } => root,
                E::AtTimeZone { timestamp, .. } => timestamp,
                E::Identifier(ident) => return self.at(ident.span),
                E::CompoundIdentifier(parts) => return self.at(parts.first()?.span),
                E::Value(value) => return self.at(value.span),
                E::TypedString(typed) => return self.at(typed.value.span),
                E::Function(function) => return self.at(function.name.span()),
                E::Case { case_token, .. } => return self.at(case_token.0.span),
                _ => return None,
            };
        }
    }

    /// Where a query begins.
    pub fn at_query(&self, query: &ast::Query) -> Option<u32> {
        self.at_body(&query.body)
    }

    pub fn at_body(&self, body: &ast::SetExpr) -> Option<u32> {
        let mut body = body;
        loop {
            body = match body {
                ast::SetExpr::Select(select) => return self.at(select.select_token.0.span),
                ast::SetExpr::Query(query) => &query.body,
                ast::SetExpr::SetOperation { left, .. } => left,
                _ => return None,
            };
        }
    }

    /// An operator's error stands at the operator, which the parser does not place: it is before the right side.
    fn at_operator(&mut self, error: PgError, op: &ast::BinaryOperator, right: &ast::Expr) -> PgError {
        if self.operator_placed || self.view_depth > 0 || !error.fields().message.starts_with("operator ") {
            return error;
        }
        self.operator_placed = true;
        let op: Vec<char> = op.to_string().chars().collect();
        let Some(end) = self.at_expr(right).and_then(|at| usize::try_from(at).ok()) else { return error };
        let before: Vec<char> = self.text.chars().take(end.saturating_sub(1)).collect();
        let mut stop = before.len();
        while stop > 0 && before.get(stop - 1).is_some_and(|c| c.is_whitespace() || *c == '(') {
            stop -= 1;
        }
        match stop.checked_sub(op.len()) {
            Some(start) if before.get(start..stop) == Some(&op[..]) => {
                error.position(u32::try_from(start + 1).unwrap_or(u32::MAX))
            }
            _ => error,
        }
    }

    /// What DuckMesh does not do.
    fn refuse<T>(&self, what: &str, at: Option<u32>) -> PgResult<T> {
        Err(PgError::unsupported(format!("{what} is not supported"))
            .hint("See docs/sql.md for what is.")
            .or_position(at))
    }

    /// Subqueries, parameters and the like, where there is a bound.
    fn bounded(&self, what: &str) -> PgResult<()> {
        match self.bounds {
            Some(place) => Err(PgError::unsupported(format!("cannot use {what} in {place}"))),
            None => Ok(()),
        }
    }

    /// A value that the session fills in.
    fn session_value(&mut self, value: SessionValue) -> String {
        let index = self.session.iter().position(|v| *v == value).unwrap_or_else(|| {
            self.session.push(value);
            self.session.len() - 1
        });
        format!("{HOLE}s{index}{HOLE}")
    }
}

fn output(column: &Column) -> OutputColumn {
    OutputColumn {
        name: Some(column.name.clone()),
        origin: column.origin.clone(),
        ty: column.ty.clone().filter(only_postgres),
    }
}

/// Types that the engine's own does not tell.
fn only_postgres(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Varchar(_) | ColumnType::Char(_) | ColumnType::Json | ColumnType::Jsonb | ColumnType::Text => true,
        ColumnType::System(_) | ColumnType::Enum(_) => true,
        ColumnType::AsText(_) | ColumnType::Money | ColumnType::Grid(_) | ColumnType::Modified(..) => true,
        ColumnType::Record(_) => true,
        ty if number::is_long(ty) || scale::is_declared(ty) => true,
        ColumnType::Array(element) => only_postgres(element),
        _ => false,
    }
}

pub(super) fn too_complex() -> PgError {
    PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").hint("The statement nests too deeply.")
}

/// A table's columns as a relation shows them.
pub(super) fn table_columns(table: &Arc<duckmesh_catalog::TableDef>) -> Vec<Column> {
    table
        .columns
        .iter()
        .map(|c| Column {
            name: c.name.clone(),
            engine: c.name.clone(),
            ty: Some(c.ty.clone()),
            origin: Some(Origin::Table(table.clone(), c.id)),
        })
        .collect()
}
