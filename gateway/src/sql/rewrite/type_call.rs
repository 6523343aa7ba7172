//! Calls that are none: `float8(x)` is a cast, and `normalize(x, NFD)` has a word for an argument.

use duckmesh_catalog::{ColumnType as T, types::TextType};
use sqlparser::ast::{DataType, Expr, Function, NormalizationForm};

use super::{
    Ex, Rewriter,
    call::is_aggregate,
    cast::system_type,
    functions::{SCALARS, session},
    signature::{self, Row},
};
use crate::{
    pgcatalog,
    sql::types,
    wire::error::{PgResult, SqlState},
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
        let bare = super::text_cast::is_bare_bpchar(&data_type);
        if !bare && system_type(&data_type).is_none() && types::name_to_type(name).is_err() {
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

    /// `timestamptz(date, time)`. None: another function.
    pub(super) fn moment_call(&mut self, name: &str, values: &[Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        let ty = match name {
            "timestamp" => T::Timestamp,
            "timestamptz" => T::Timestamptz,
            _ => return Ok(None),
        };
        let [day, time] = values else { return Ok(None) };
        let (day, time) = (self.settle(day.clone(), &T::Date)?, self.settle(time.clone(), &T::Time)?);
        if day.ty != Some(T::Date) || !self.has_functions() {
            return Ok(None);
        }
        let whole = match &time.ty {
            Some(T::Time) => self.add(day, time, at)?,
            Some(T::AsText(TextType::Timetz)) if ty == T::Timestamptz => {
                match self.held_operator("+", &day, &time, at)? {
                    Some(whole) => whole,
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        self.cast(whole, &ty, at).map(Some)
    }
}
