//! Windows: PARTITION BY, ORDER BY and frames.

use std::ops::ControlFlow;

use duckmesh_catalog::{ColumnType, types::TextType};
use sqlparser::ast::{
    Expr, OrderByExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType, visit_expressions,
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

impl Rewriter<'_> {
    /// What stands behind OVER.
    pub fn over(&mut self, over: &WindowType) -> PgResult<String> {
        match over {
            WindowType::NamedWindow(ident) => {
                let name = quote::fold(ident);
                if self.scopes.last().is_some_and(|scope| !scope.windows.contains(&name)) {
                    let message = format!("window \"{name}\" does not exist");
                    return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message).or_position(self.at(ident.span)));
                }
                Ok(quote::name(&name))
            }
            WindowType::WindowSpec(spec) => self.window_spec(spec),
        }
    }

    /// `(PARTITION BY … ORDER BY … ROWS …)`.
    pub fn window_spec(&mut self, spec: &WindowSpec) -> PgResult<String> {
        let mut parts = Vec::new();
        if let Some(name) = &spec.window_name {
            parts.push(quote::name(&quote::fold(name)));
        }
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for expr in &spec.partition_by {
                let ex = self.expr(expr)?;
                keys.push(self.sorted(ex));
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        let (order_by, excluded) = frame_exclude::of(&spec.order_by);
        if !order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.order_list(order_by, Self::sorted)?));
        }
        if let Some(frame) = &spec.window_frame {
            // The keys of the window that this one is made of are not at hand.
            let keys = spec.window_name.is_none().then_some(order_by);
            parts.push(self.frame(frame, keys)?);
        }
        parts.extend(excluded.map(|what| format!("EXCLUDE {what}")));
        Ok(format!("({})", parts.join(" ")))
    }

    fn frame(&mut self, frame: &WindowFrame, keys: Option<&[OrderByExpr]>) -> PgResult<String> {
        let units = match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => "GROUPS",
        };
        let windowing = |message: &str| Err(PgError::new(SqlState::WINDOWING_ERROR, message));
        if units == "GROUPS" && keys.is_some_and(<[_]>::is_empty) {
            return windowing("GROUPS mode requires an ORDER BY clause");
        }
        let counted = |bound: &WindowFrameBound| {
            matches!(bound, WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_)))
        };
        let distance = counted(&frame.start_bound) || frame.end_bound.as_ref().is_some_and(counted);
        let mut key = None;
        if units == "RANGE"
            && distance
            && let Some(keys) = keys
        {
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
        Ok(match &frame.end_bound {
            Some(end) => format!("{units} BETWEEN {start} AND {}", self.frame_bound(end, units, key.as_ref())?),
            None => format!("{units} {start}"),
        })
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
        Ok(ex.sql)
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
