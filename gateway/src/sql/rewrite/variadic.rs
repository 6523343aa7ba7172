//! `f(a, VARIADIC array)`: the elements of an array as arguments.

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{Ex, Kind, Rewriter, functions::SCALARS};
use crate::{
    sql::{forms::VARIADIC, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// The arguments of a call before `VARIADIC`, and the array. None: it has no such argument.
fn split(function: &Function) -> Option<(Vec<&Expr>, &Expr)> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let (last, before) = list.args.split_last()?;
    let array = match last {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } if name.value == VARIADIC => expr,
        FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. }
            if name.value == VARIADIC =>
        {
            expr
        }
        _ => return None,
    };
    let plain = |arg| match arg {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    Some((before.iter().map(plain).collect::<Option<_>>()?, array))
}

impl Rewriter<'_> {
    /// A call with `VARIADIC`. None: without.
    pub(super) fn variadic_call(&mut self, function: &Function, at: Option<u32>) -> PgResult<Option<Ex>> {
        let Some((before, array)) = split(function) else { return Ok(None) };
        let name = quote::parts(&function.name).and_then(|mut parts| parts.pop()).unwrap_or_default();
        if !self.has_functions() {
            return self.refuse("VARIADIC in a view that any DuckDB reads", at);
        }
        let mut values = Vec::with_capacity(before.len());
        for expr in before {
            values.push(self.expr(expr)?);
        }
        let at_array = self.at_expr(array);
        let mut array = self.expr(array)?;
        if matches!(array.kind, Kind::Param(_)) {
            array = self.settle(array, &ColumnType::Array(Box::new(ColumnType::Text)))?;
        }
        let array = self.grid_list(&array)?;
        let Some(ColumnType::Array(element)) = array.ty.clone() else {
            let message = "VARIADIC argument must be an array";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).or_position(at_array));
        };
        match (name.as_str(), values.len()) {
            ("concat", 0) => self.joined_texts(array, Ex::of("''", ColumnType::Text), at).map(Some),
            ("concat_ws", 1) => match values.pop() {
                Some(between) => self.joined_texts(array, between, at).map(Some),
                None => Ok(None),
            },
            ("num_nulls" | "num_nonnulls", 0) => {
                let is = if name == "num_nulls" { "IS NULL" } else { "IS NOT NULL" };
                let each = format!("n_{}", self.number());
                let sql = format!("CAST(len(list_filter({}, lambda {each}: {each} {is})) AS INTEGER)", array.sql);
                Ok(Some(Ex::of(sql, ColumnType::Int4)))
            }
            ("json_build_array" | "jsonb_build_array", 0) => {
                let each = format!("j_{}", self.number());
                let item = self.json_of(Ex::of(each.clone(), *element))?;
                let items = format!("list_transform({}, lambda {each}: coalesce({item}, 'null'))", array.sql);
                let text = format!("('[' || coalesce(array_to_string({items}, ', '), '') || ']')");
                let text = format!("(CASE WHEN {} IS NOT NULL THEN {text} END)", array.sql);
                Ok(Some(Self::json_result(name.contains("jsonb"), &text)))
            }
            _ => Err(PgError::unsupported(format!("VARIADIC arguments of {name} are not supported"))
                .hint("Write the elements as arguments.")
                .or_position(at)),
        }
    }

    fn joined_texts(&mut self, array: Ex, between: Ex, at: Option<u32>) -> PgResult<Ex> {
        let mut values = vec![array, between];
        self.texts_of_first(&mut values)?;
        self.by_table(SCALARS, "array_to_string", values, at)
    }
}
