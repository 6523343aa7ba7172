//! Windows: PARTITION BY, ORDER BY and frames.

use std::ops::ControlFlow;

use duckmesh_catalog::{ColumnType, types::TextType};
use sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowSpec, WindowType, visit_expressions,
};

use super::{
    Ex, Kind, Rewriter,
    aggregate::names_column,
    number,
    operator::{is_int, is_number},
    signature::shown,
};
use crate::{
    sql::{frame_exclude, quote},
    wire::error::{PgError, PgResult, SqlState},
};

const NEGATIVE: &str = "invalid preceding or following size in window function";
/// Rows that an offset counts at most: a place and it together stay within the engine's numbers.
const ROWS_MAX: i64 = i64::MAX / 2;

/// A frame's text, and the type of the key that its distances are added to.
struct Frame {
    sql: String,
    key: Option<ColumnType>,
}

impl Rewriter<'_> {
    /// What stands behind OVER.
    pub fn over(&mut self, over: &WindowType) -> PgResult<String> {
        let windows = self.scopes.last().map(|scope| scope.windows.as_slice()).unwrap_or_default();
        let spec = match over {
            WindowType::NamedWindow(ident) => self.window_named(windows, ident)?.clone(),
            WindowType::WindowSpec(spec) => self.made_of(windows, spec, None)?,
        };
        self.window_spec(&spec)
    }

    /// WINDOW: each definition with what it takes from those before it.
    pub(super) fn named_windows(&self, named: &[NamedWindowDefinition]) -> PgResult<Vec<(String, WindowSpec)>> {
        let mut windows: Vec<(String, WindowSpec)> = Vec::new();
        for NamedWindowDefinition(ident, definition) in named {
            let name = quote::fold(ident);
            if windows.iter().any(|(other, _)| *other == name) {
                let message = format!("window \"{name}\" is already defined");
                return Err(PgError::new(SqlState::WINDOWING_ERROR, message).or_position(self.definition_at(ident)));
            }
            let spec = match definition {
                NamedWindowExpr::WindowSpec(spec) => self.made_of(&windows, spec, Some(ident))?,
                NamedWindowExpr::NamedWindow(other) => {
                    let message = format!("syntax error at or near \"{}\"", other.value);
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, message).or_position(self.at(other.span)));
                }
            };
            windows.push((name, spec));
        }
        Ok(windows)
    }

    /// Where a definition's parenthesis stands, behind its name.
    fn definition_at(&self, name: &Ident) -> Option<u32> {
        let at = self.at(name.span)?;
        let behind = self.text.chars().skip(usize::try_from(at).ok()?).position(|c| c == '(')?;
        Some(at + 1 + u32::try_from(behind).ok()?)
    }

    /// Windows that nothing uses are right, too.
    pub(super) fn check_windows(&mut self) -> PgResult<()> {
        let windows = self.scopes.last().map(|scope| scope.windows.clone()).unwrap_or_default();
        for (_, spec) in &windows {
            self.window_spec(spec)?;
        }
        Ok(())
    }

    fn window_named<'w>(&self, windows: &'w [(String, WindowSpec)], ident: &Ident) -> PgResult<&'w WindowSpec> {
        let name = quote::fold(ident);
        let found = windows.iter().find(|(other, _)| *other == name).map(|(_, spec)| spec);
        found.ok_or_else(|| {
            let message = format!("window \"{name}\" does not exist");
            PgError::new(SqlState::UNDEFINED_OBJECT, message).or_position(self.at(ident.span))
        })
    }

    /// A window with what it takes from the one that it names. `defined`: its own name, in WINDOW.
    fn made_of(
        &self,
        windows: &[(String, WindowSpec)],
        spec: &WindowSpec,
        defined: Option<&Ident>,
    ) -> PgResult<WindowSpec> {
        let Some(ident) = &spec.window_name else { return Ok(spec.clone()) };
        let base = self.window_named(windows, ident).map_err(|e| match self.at(ident.span) {
            Some(at) => e.position(self.parenthesis_before(at)),
            None => e,
        })?;
        let name = quote::fold(ident);
        let at = self.at(ident.span).map(|at| self.parenthesis_before(at));
        let wrong = |message: String| PgError::new(SqlState::WINDOWING_ERROR, message).or_position(at);
        if !spec.partition_by.is_empty() {
            return Err(wrong(format!("cannot override PARTITION BY clause of window \"{name}\"")));
        }
        let (own, excluded) = frame_exclude::of(&spec.order_by);
        let (order_by, frame_excludes) = frame_exclude::of(&base.order_by);
        if !own.is_empty() && !order_by.is_empty() {
            return Err(wrong(format!("cannot override ORDER BY clause of window \"{name}\"")));
        }
        if base.window_frame.is_some() || frame_excludes.is_some() {
            let error = wrong(format!("cannot copy window \"{name}\" because it has a frame clause"));
            let plain = defined.is_none() && own.is_empty() && spec.window_frame.is_none() && excluded.is_none();
            return Err(if plain { error.hint("Omit the parentheses in this OVER clause.") } else { error });
        }
        Ok(WindowSpec {
            window_name: None,
            partition_by: base.partition_by.clone(),
            order_by: base.order_by.iter().chain(&spec.order_by).cloned().collect(),
            window_frame: spec.window_frame.clone(),
        })
    }

    /// `(PARTITION BY … ORDER BY … ROWS …)`.
    fn window_spec(&mut self, spec: &WindowSpec) -> PgResult<String> {
        let mut parts = Vec::new();
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for expr in &spec.partition_by {
                let ex = self.expr(expr)?;
                keys.push(self.sorted(ex));
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        let (order_by, excluded) = frame_exclude::of(&spec.order_by);
        let frame = match &spec.window_frame {
            Some(frame) => Some(self.frame(frame, order_by)?),
            None => None,
        };
        if !order_by.is_empty() {
            // A key and a distance together may be more than the key's type holds.
            let widens = frame.as_ref().is_some_and(|frame| frame.key.as_ref().is_some_and(is_int));
            let key = if widens { Self::widened_key } else { |r: &Self, ex| Some(r.sorted(ex)) };
            parts.push(format!("ORDER BY {}", self.order_list(order_by, key)?.join(", ")));
        }
        parts.extend(frame.map(|frame| frame.sql));
        parts.extend(excluded.map(|what| format!("EXCLUDE {what}")));
        Ok(format!("({})", parts.join(" ")))
    }

    fn frame(&mut self, frame: &WindowFrame, keys: &[OrderByExpr]) -> PgResult<Frame> {
        let units = match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => "GROUPS",
        };
        let windowing = |message: &str| Err(PgError::new(SqlState::WINDOWING_ERROR, message));
        if units == "GROUPS" && keys.is_empty() {
            return windowing("GROUPS mode requires an ORDER BY clause");
        }
        let counted = |bound: &WindowFrameBound| {
            matches!(bound, WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_)))
        };
        let distance = counted(&frame.start_bound) || frame.end_bound.as_ref().is_some_and(counted);
        let mut key = None;
        if units == "RANGE" && distance {
            let [only] = keys else {
                return windowing("RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column");
            };
            let ex = self.expr(&only.expr)?;
            let offset =
                [Some(&frame.start_bound), frame.end_bound.as_ref()].into_iter().flatten().find_map(|b| match b {
                    WindowFrameBound::Preceding(Some(e)) | WindowFrameBound::Following(Some(e)) => self.at_expr(e),
                    _ => None,
                });
            key = self.range_key(ex).map_err(|e| e.or_position(offset))?;
        }
        let start = self.frame_bound(&frame.start_bound, units, key.as_ref())?;
        let sql = match &frame.end_bound {
            Some(end) => format!("{units} BETWEEN {start} AND {}", self.frame_bound(end, units, key.as_ref())?),
            None => format!("{units} {start}"),
        };
        Ok(Frame { sql, key })
    }

    fn widened_key(&self, ex: Ex) -> Option<String> {
        Some(format!("CAST({} AS HUGEINT)", self.sorted(ex)))
    }

    /// The type of the key that distances are added to. None: it is not known.
    fn range_key(&self, key: Ex) -> PgResult<Option<ColumnType>> {
        use ColumnType as T;
        let Some(ty) = key.ty.filter(|_| key.kind != Kind::Null).map(|ty| ty.bare().clone()) else { return Ok(None) };
        let held = number::is_long(&ty) || ty == T::AsText(TextType::Timetz);
        let known = is_number(&ty) || matches!(ty, T::Date | T::Time | T::Timestamp | T::Timestamptz | T::Interval);
        if held || !known {
            let message =
                format!("RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}", shown(&ty));
            let error = PgError::unsupported(message);
            return Err(match (held, &ty) {
                (true, T::Numeric(..)) => error.hint("Cast the column to numeric with a precision and a scale."),
                (true, _) => error.hint("Cast the column to time."),
                _ => error,
            });
        }
        Ok(Some(ty))
    }

    fn frame_bound(&mut self, bound: &WindowFrameBound, units: &str, key: Option<&ColumnType>) -> PgResult<String> {
        let (expr, word, place) = match bound {
            WindowFrameBound::CurrentRow => return Ok("CURRENT ROW".to_owned()),
            WindowFrameBound::Preceding(expr) => (expr, "PRECEDING", "starting"),
            WindowFrameBound::Following(expr) => (expr, "FOLLOWING", "ending"),
        };
        let Some(expr) = expr else { return Ok(format!("UNBOUNDED {word}")) };
        if names_column(expr) && !asks(expr) {
            let message = format!("argument of {units} must not contain variables");
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).or_position(self.at_expr(expr)));
        }
        let ex = self.expr(expr)?;
        if units != "RANGE" {
            let ex = self.settle(ex, &ColumnType::Int8)?;
            return Ok(format!("{} {word}", rows(&ex, place)));
        }
        let wanted = match key {
            Some(key) if is_number(key) => key.clone(),
            _ => ColumnType::Interval,
        };
        let ex = self.settle(ex, &wanted)?;
        if let (Some(key), Some(offset)) = (key, ex.ty.clone()) {
            let fits = match key {
                key if is_int(key) => is_int(&offset),
                ColumnType::Numeric(..) => is_int(&offset) || matches!(offset, ColumnType::Numeric(..)),
                key if is_number(key) => is_number(&offset),
                _ => *offset.bare() == ColumnType::Interval,
            };
            if !fits {
                let (key, offset) = (shown(key), shown(&offset));
                let message = format!(
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {key} and offset type {offset}"
                );
                return Err(PgError::unsupported(message)
                    .hint("Cast the offset value to an appropriate type.")
                    .or_position(self.at_expr(expr)));
            }
        }
        Ok(format!("{} {word}", self.distance(ex, key)?))
    }

    /// A distance from a key; it is not negative.
    fn distance(&mut self, ex: Ex, key: Option<&ColumnType>) -> PgResult<String> {
        let ex = match key {
            // The engine would compare decimals with floats.
            Some(ty @ (ColumnType::Float4 | ColumnType::Float8)) => {
                let at = ex.position;
                self.cast(ex, ty, at)?
            }
            _ => ex,
        };
        let negative = match &ex.kind {
            Kind::Number(n) => n.starts_with('-'),
            _ => ex.sql.starts_with('-'),
        };
        if negative {
            return Err(PgError::new(SqlState("22013"), NEGATIVE));
        }
        Ok(match key {
            Some(key) if is_int(key) => format!("CAST({} AS HUGEINT)", ex.sql),
            Some(ColumnType::Interval) => self.sorted(ex),
            _ => ex.sql,
        })
    }
}

/// Whether an expression has a subquery: its columns are its own.
pub(super) fn asks(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |part| match part {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// A count of rows or groups; it is not negative.
fn rows(ex: &Ex, place: &str) -> String {
    match &ex.kind {
        Kind::Number(n) if n.parse::<i64>().is_ok_and(|n| (0..=ROWS_MAX).contains(&n)) => ex.sql.clone(),
        _ => format!(
            "(CASE WHEN {x} < 0 THEN error('SQLSTATE 22013: frame {place} offset must not be negative') \
             ELSE least({x}, {ROWS_MAX}) END)",
            x = ex.sql
        ),
    }
}
