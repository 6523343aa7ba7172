//! Conditions on columns that every row of the result meets: what files are pruned by.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};

use super::Rewriter;
use crate::sql::{
    plan::{ColumnFilter, FilterOp, FilterValue, Origin},
    quote, symmetric,
};

impl Rewriter<'_> {
    /// Takes the conditions of a WHERE (or an inner join's ON) that compare a column with a constant. What is not
    /// understood is left: a filter too few only reads more.
    pub fn add_filters(&mut self, condition: &Expr, on: bool) {
        // An ON says nothing about rows that an outer join adds.
        if on && self.scopes.last().is_none_or(|s| s.outer_join) {
            return;
        }
        let mut rest = vec![condition];
        while let Some(expr) = rest.pop() {
            match expr {
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => rest.extend([left.as_ref(), right.as_ref()]),
                Expr::Nested(inner) => rest.push(inner),
                other => self.add_filter(other),
            }
        }
    }

    fn add_filter(&mut self, expr: &Expr) {
        match expr {
            Expr::BinaryOp { left, op, right } => {
                let (op, mirrored) = match op {
                    BinaryOperator::Eq => (FilterOp::Eq, FilterOp::Eq),
                    BinaryOperator::Lt => (FilterOp::Lt, FilterOp::Gt),
                    BinaryOperator::LtEq => (FilterOp::LtEq, FilterOp::GtEq),
                    BinaryOperator::Gt => (FilterOp::Gt, FilterOp::Lt),
                    BinaryOperator::GtEq => (FilterOp::GtEq, FilterOp::LtEq),
                    _ => return,
                };
                if !self.push_filter(left, op, &[right]) {
                    self.push_filter(right, mirrored, &[left]);
                }
            }
            Expr::Between { expr, negated: false, low, high } if symmetric::low(low).is_none() => {
                self.push_filter(expr, FilterOp::GtEq, &[low]);
                self.push_filter(expr, FilterOp::LtEq, &[high]);
            }
            Expr::InList { expr, list, negated: false } => {
                let values: Vec<&Expr> = list.iter().collect();
                self.push_filter(expr, FilterOp::In, &values);
            }
            Expr::IsNotNull(expr) => {
                self.push_filter(expr, FilterOp::IsNotNull, &[]);
            }
            Expr::IsNull(expr) => {
                self.push_filter(expr, FilterOp::IsNull, &[]);
            }
            _ => {}
        }
    }

    fn push_filter(&mut self, column: &Expr, op: FilterOp, values: &[&Expr]) -> bool {
        let Some((table, id, ty, nullable)) = self.filter_column(column) else {
            return false;
        };
        // Files know the order of an enum's texts, not of its labels.
        if matches!(ty, ColumnType::Enum(_))
            && matches!(op, FilterOp::Lt | FilterOp::LtEq | FilterOp::Gt | FilterOp::GtEq)
        {
            return false;
        }
        // The order of rows is not that of their texts, and a row of NULLs is NULL.
        if matches!(ty, ColumnType::Record(_)) && op != FilterOp::IsNotNull {
            return false;
        }
        // Where a relation may be missing, its NULLs are not its files'.
        if op == FilterOp::IsNull && nullable {
            return false;
        }
        let values: Option<Vec<FilterValue>> = values.iter().map(|v| self.filter_value(v, &ty)).collect();
        let Some(values) = values else { return false };
        if let Some(table) = self.tables.get_mut(table) {
            table.filters.push(ColumnFilter { column: id, op, values });
        }
        true
    }

    /// A column of a table in the innermost FROM: index of the use, column, type, and whether the table may be missing.
    fn filter_column(&self, expr: &Expr) -> Option<(usize, duckmesh_catalog::ColumnId, ColumnType, bool)> {
        let scope = self.scopes.last()?;
        let (table, name) = match expr {
            Expr::Identifier(ident) => (None, quote::fold(ident)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => (Some(quote::fold(table)), quote::fold(name)),
                _ => return None,
            },
            Expr::Nested(inner) => return self.filter_column(inner),
            _ => return None,
        };
        let mut found = None;
        for (index, relation) in scope.relations.iter().enumerate() {
            if table.as_ref().is_some_and(|t| *t != relation.name) {
                continue;
            }
            if !relation.known && table.is_none() {
                return None;
            }
            if let Some(column) = relation.columns.iter().find(|c| c.name == name) {
                if found.is_some() {
                    return None;
                }
                let Some(Origin::Table(_, id)) = &column.origin else { return None };
                found = Some((relation.table?, *id, column.ty.clone()?, scope.nullable.contains(&index)));
            }
        }
        found
    }

    /// A constant that reads as the column's type without any loss.
    fn filter_value(&self, expr: &Expr, ty: &ColumnType) -> Option<FilterValue> {
        match expr {
            Expr::Nested(inner) => self.filter_value(inner, ty),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.filter_value(expr, ty)? {
                FilterValue::Text(n) if n.starts_with(|c: char| c.is_ascii_digit()) && numeric(ty) => {
                    Some(FilterValue::Text(format!("-{n}")))
                }
                _ => None,
            },
            Expr::Value(v) => match &v.value {
                Value::Number(n, false) => number_fits(n, ty).then(|| FilterValue::Text(n.clone())),
                Value::SingleQuotedString(s) => string_fits(ty).then(|| FilterValue::Text(s.clone())),
                Value::Boolean(b) if *ty == ColumnType::Bool => Some(FilterValue::Text(b.to_string())),
                Value::Placeholder(p) => {
                    let index = p.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)?;
                    let found = self.params.get(index)?.as_ref()?;
                    // A parameter may have more digits than the column's type.
                    let fits = !matches!(ty, ColumnType::Numeric(..)) && (string_fits(ty) || numeric(ty));
                    (found == ty && fits).then_some(FilterValue::Param(index))
                }
                _ => None,
            },
            Expr::TypedString(typed) => {
                let same = self.is_exactly(&typed.data_type, ty)?;
                match &typed.value.value {
                    Value::SingleQuotedString(s) if same && string_fits(ty) => Some(FilterValue::Text(s.clone())),
                    _ => None,
                }
            }
            Expr::Cast { expr, data_type, .. } => {
                let same = self.is_exactly(data_type, ty)?;
                match expr.as_ref() {
                    Expr::Value(v) if same && string_fits(ty) => match &v.value {
                        Value::SingleQuotedString(s) => Some(FilterValue::Text(s.clone())),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a constant of the type is compared with a column of the other as it is: a precision would round it first.
    fn is_exactly(&self, data_type: &DataType, ty: &ColumnType) -> Option<bool> {
        let of = crate::sql::user_type::resolve(data_type, self.ctx).ok()?.ty;
        Some(of == *ty && !matches!(of, ColumnType::Modified(..)))
    }
}

fn numeric(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 | ColumnType::Float8 | ColumnType::Numeric(..))
}

fn number_fits(n: &str, ty: &ColumnType) -> bool {
    match ty {
        ColumnType::Int2 => n.parse::<i16>().is_ok(),
        ColumnType::Int4 => n.parse::<i32>().is_ok(),
        ColumnType::Int8 => n.parse::<i64>().is_ok(),
        ColumnType::Float8 => n.parse::<f64>().is_ok_and(f64::is_finite),
        ColumnType::Numeric(p, s) => {
            let (whole, fraction) = n.split_once('.').unwrap_or((n, ""));
            let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
            digits(whole)
                && digits(fraction)
                && fraction.len() <= usize::try_from(*s).unwrap_or(0)
                && whole.len() + usize::try_from(*s).unwrap_or(0) <= usize::from(*p)
        }
        _ => false,
    }
}

/// Types whose constants are written as strings, and whose order is the files' own.
fn string_fits(ty: &ColumnType) -> bool {
    matches!(
        ty.bare(),
        ColumnType::Text
            | ColumnType::Varchar(_)
            | ColumnType::Date
            | ColumnType::Time
            | ColumnType::Timestamp
            | ColumnType::Timestamptz
            | ColumnType::Uuid
            | ColumnType::Enum(_)
    )
}
