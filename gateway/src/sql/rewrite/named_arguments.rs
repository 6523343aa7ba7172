//! Arguments by name: `make_date(year => 2020, month => 1, day => 2)`.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator};

use crate::sql::quote;

/// Functions of Postgres whose parameters have names, but for `make_interval`, where each may be left out.
const NAMED: &[(&str, &[&str])] = &[
    ("make_date", &["year", "month", "day"]),
    ("make_time", &["hour", "min", "sec"]),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"]),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"]),
    ("jsonb_set", &["jsonb_in", "path", "replacement", "create_if_missing"]),
    ("jsonb_insert", &["jsonb_in", "path", "replacement", "insert_after"]),
    ("jsonb_path_exists", &["target", "path", "vars", "silent"]),
    ("jsonb_path_match", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_array", &["target", "path", "vars", "silent"]),
    ("jsonb_path_query_first", &["target", "path", "vars", "silent"]),
];

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
    let given = places.iter().take_while(|place| place.is_some()).count();
    (any && given == args.len()).then(|| places.into_iter().flatten().collect())
}
