//! Arguments by name: `make_date(year => 2020, month => 1, day => 2)`.

use std::sync::LazyLock;

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, Value};

use crate::sql::quote;

/// Functions of Postgres whose parameters have names, but for `make_interval`, where each may be left out.
const NAMED: &[(&str, &[&str])] = &[
    ("make_date", &["year", "month", "day"]),
    ("make_time", &["hour", "min", "sec"]),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"]),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"]),
    ("jsonb_set", &["jsonb_in", "path", "replacement", "create_if_missing"]),
    ("jsonb_insert", &["jsonb_in", "path", "replacement", "insert_after"]),
    ("jsonb_set_lax", &["jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"]),
    ("jsonb_path_exists", PATH),
    ("jsonb_path_match", PATH),
    ("jsonb_path_query", PATH),
    ("jsonb_path_query_array", PATH),
    ("jsonb_path_query_first", PATH),
    ("jsonb_path_exists_tz", PATH),
    ("jsonb_path_match_tz", PATH),
    ("jsonb_path_query_tz", PATH),
    ("jsonb_path_query_array_tz", PATH),
    ("jsonb_path_query_first_tz", PATH),
];

/// The parameters of functions of JSON paths.
const PATH: &[&str] = &["target", "path", "vars", "silent"];

/// What stands for a parameter before a named one, where it may be left out.
static DEFAULTS: LazyLock<[(&str, Expr); 2]> = LazyLock::new(|| {
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    [("vars", text("{}")), ("create_if_missing", Expr::value(Value::Boolean(true)))]
});

fn default_of(parameter: &str) -> Option<&'static Expr> {
    DEFAULTS.iter().find(|(name, _)| *name == parameter).map(|(_, expr)| expr)
}

/// The arguments in the order of the parameters. None: none is named, or they do not fit.
pub(super) fn in_order<'f>(function: &Function, args: &'f [FunctionArg]) -> Option<Vec<&'f Expr>> {
    let name = quote::parts(&function.name)?.pop()?;
    let (_, names) = NAMED.iter().find(|known| known.0 == name)?;
    let mut places: Vec<Option<&Expr>> = vec![None; names.len()];
    let mut any = false;
    for (n, arg) in args.iter().enumerate() {
        let (at, expr) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if !any => (n, expr),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), operator }
            | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), operator }
                if matches!(operator, FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment) =>
            {
                any = true;
                let name = quote::fold(name);
                (names.iter().position(|known| *known == name)?, expr)
            }
            _ => return None,
        };
        let place = places.get_mut(at).filter(|place| place.is_none())?;
        *place = Some(expr);
    }
    let count = places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let filled = names.iter().zip(places).take(count).map(|(name, place)| place.or_else(|| default_of(name)));
    filled.collect::<Option<Vec<_>>>().filter(|_| any)
}
