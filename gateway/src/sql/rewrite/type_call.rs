//! Calls that are none: `float8(x)` is a cast, `normalize(x, NFD)` has a word for an argument, and `concat(VARIADIC list)` takes
//! its arguments from an array.

use duckmesh_catalog::ColumnType as T;
use sqlparser::ast::{DataType, Expr, Function, FunctionArg, FunctionArgExpr, NormalizationForm};

use super::{
    Ex, Rewriter,
    call::is_aggregate,
    cast::system_type,
    functions::{SCALARS, session},
    signature::{self, Row},
};
use crate::{
    pgcatalog,
    sql::{types, written::VARIADIC},
    wire::error::{PgError, PgResult, SqlState},
};

/// Forms that a text can be normalized to.
const FORMS: [&str; 4] = ["nfc", "nfd", "nfkc", "nfkd"];

/// Types whose names are functions of Postgres with another meaning, or with none.
const NO_CASTS: [&str; 3] = ["json", "jsonb", "interval"];

impl Rewriter<'_> {
    /// `float8(x)`, `date(x)`, `regclass('x')`: a cast, as no function has the name of a type. None: it is no type's name.
    pub(super) fn type_call(&mut self, name: &str, whole: &Function, args: &[&Expr]) -> PgResult<Option<Ex>> {
        let [value] = args else { return Ok(None) };
        let is_function = |name: &str| {
            let of_one = |row: &Row| row.0 == name && signature::arguments(row.1, 1).is_some();
            [SCALARS, pgcatalog::functions::FUNCTIONS].iter().any(|table| table.iter().any(of_one))
                || is_aggregate(name)
                || session(name).is_some()
        };
        if name.ends_with("range") || NO_CASTS.contains(&name) || is_function(name) {
            return Ok(None);
        }
        let data_type = DataType::Custom(whole.name.clone(), Vec::new());
        if system_type(&data_type).is_none() && types::name_to_type(name).is_err() {
            return Ok(None);
        }
        match self.cast_expr(value, value, &data_type) {
            Err(error) if error.code() == SqlState::CANNOT_COERCE => {
                let value = self.expr(value)?;
                let at = self.at(sqlparser::ast::Spanned::span(&whole.name));
                Err(self.undefined_function(name, &[value], at))
            }
            cast => cast.map(Some),
        }
    }

    /// `normalize(x, NFD)`: the form is a word. None: something else.
    pub(super) fn normalize_call(&mut self, name: &str, args: &[&Expr]) -> PgResult<Option<Ex>> {
        let word = |expr: &Expr| match expr {
            Expr::Identifier(ident) if ident.quote_style.is_none() => {
                FORMS.into_iter().find(|form| ident.value.eq_ignore_ascii_case(form))
            }
            _ => None,
        };
        let (true, [text, rest @ ..], true) = (name == "normalize", args, self.has_functions()) else {
            return Ok(None);
        };
        let form = match rest {
            [] => "nfc",
            [form] => match word(form) {
                Some(form) => form,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let text = self.expr(text)?;
        let text = self.settle(text, &T::Text)?;
        Ok(Some(Ex::of(format!("pg_normalize({}, '{form}')", text.sql), T::Text)))
    }

    /// `x IS NFC NORMALIZED`.
    pub(super) fn is_normalized(
        &mut self,
        expr: &Expr,
        form: Option<NormalizationForm>,
        negated: bool,
    ) -> PgResult<Ex> {
        let at = self.at_expr(expr);
        if !self.has_functions() {
            return self.refuse("IS NORMALIZED in a view that any DuckDB reads", at);
        }
        let form = match form {
            None | Some(NormalizationForm::NFC) => "nfc",
            Some(NormalizationForm::NFD) => "nfd",
            Some(NormalizationForm::NFKC) => "nfkc",
            Some(NormalizationForm::NFKD) => "nfkd",
        };
        let text = self.expr(expr)?;
        let text = self.settle(text, &T::Text)?.sql;
        let op = if negated { "<>" } else { "=" };
        Ok(Ex::of(format!("(pg_normalize({text}, '{form}') {op} {text})"), T::Bool))
    }

    /// `concat(a, VARIADIC list)`: what takes any number of arguments, given as an array. None: it has no such argument.
    pub(super) fn variadic_call(&mut self, name: &str, args: &[FunctionArg], at: Option<u32>) -> PgResult<Option<Ex>> {
        let given = |arg: &FunctionArg| match arg {
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. }
                if name.value == VARIADIC =>
            {
                Some(expr.clone())
            }
            _ => None,
        };
        let Some((list, before)) = args.split_last().and_then(|(last, before)| Some((given(last)?, before))) else {
            return Ok(None);
        };
        let mut values = Vec::new();
        for arg in before {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return self.refuse("this form of an argument", at);
            };
            values.push(self.expr(expr)?);
        }
        let list = self.expr(&list)?;
        if !list.is_unknown() && list.ty.as_ref().is_some_and(|ty| !matches!(ty, T::Array(_) | T::Grid(_))) {
            let error = PgError::new(SqlState::DATATYPE_MISMATCH, "VARIADIC argument must be an array");
            return Err(error.or_position(list.position).or_position(at));
        }
        let list = self.settle(list, &T::Array(Box::new(T::Text)))?;
        let by_name = |r: &mut Self, name: &str, mut values: Vec<Ex>| {
            r.special_call(name, &mut values, at)?;
            r.by_table(SCALARS, name, values, at).map(Some)
        };
        match (name, values.as_slice()) {
            ("concat", []) => {
                let nothing = Ex::of("''", T::Text);
                by_name(self, "array_to_string", vec![list, nothing])
            }
            ("concat_ws", [separator]) => by_name(self, "array_to_string", vec![list, separator.clone()]),
            ("num_nulls", []) => Ok(Some(Ex::of(nulls_of(&list.sql, "IS NULL"), T::Int4))),
            ("num_nonnulls", []) => Ok(Some(Ex::of(nulls_of(&list.sql, "IS NOT NULL"), T::Int4))),
            _ => self.refuse(&format!("VARIADIC with {name}"), at),
        }
    }
}

/// How many elements are so.
fn nulls_of(list: &str, is: &str) -> String {
    format!("CAST(len(list_filter({list}, lambda v: v {is})) AS INTEGER)")
}
