//! Several functions side by side in FROM, and the sets of GROUP BY DISTINCT.

use std::collections::BTreeSet;

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, TableAlias};

use super::{Column, Ex, Rewriter, group_by::Group, ordinality::side_by_side};
use crate::{
    sql::quote,
    wire::error::{PgError, PgResult, SqlState},
};

/// Postgres' limit of grouping sets.
const SETS_MAX: usize = 4096;

impl Rewriter<'_> {
    /// `ROWS FROM (f(), g())`: their rows beside each other, NULL where one has fewer.
    pub(super) fn rows_from(
        &mut self,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        ordinality: bool,
        at: Option<u32>,
    ) -> PgResult<String> {
        let alias = self.alias(alias)?;
        let (mut columns, mut sides, mut first) = (Vec::new(), Vec::new(), None);
        for (n, arg) in args.iter().enumerate() {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) = arg else {
                return self.refuse("this form of ROWS FROM", at);
            };
            let at = self.at(function.name.span());
            let name = self.function_name(function)?;
            let mut values = Vec::new();
            if let FunctionArguments::List(list) = &function.args {
                for arg in &list.args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => values.push(self.expr(expr)?),
                        _ => return self.refuse("this form of an argument", at),
                    }
                }
            }
            let (sql, shown) = self.table_function(&name, values, at)?;
            let names: Vec<String> = (0..shown.len()).map(|k| format!("r{n}_{k}")).collect();
            for ((shown, ty), engine) in shown.into_iter().zip(&names) {
                let name = if shown.is_empty() { name.clone() } else { shown.to_owned() };
                columns.push(Column { name, engine: engine.clone(), ty, origin: None });
            }
            sides.push((sql, names.iter().map(|name| quote::name(name)).collect::<Vec<_>>(), at));
            first.get_or_insert(name);
        }
        if ordinality {
            let ty = Some(ColumnType::Int8);
            columns.push(Column { name: "ordinality".into(), engine: "n".into(), ty, origin: None });
        }
        let body = self.beside(&sides, ordinality)?;
        self.place(body, alias, (first.as_deref().unwrap_or_default(), None), columns, true, None)
    }

    /// The texts of functions with their columns, as one.
    fn beside(&self, sides: &[(String, Vec<String>, Option<u32>)], ordinality: bool) -> PgResult<String> {
        let mut list: Vec<String> = sides.iter().flat_map(|(_, names, _)| names.clone()).collect();
        let texts: Vec<String> = sides.iter().map(|(sql, ..)| sql.clone()).collect();
        if let Some(rows) = side_by_side(&texts) {
            return match ordinality {
                true => self.with_ordinals(&rows, &list, "n", None),
                false => Ok(format!("(SELECT {list} FROM {rows} AS \"f\"({list}))", list = list.join(", "))),
            };
        }
        if ordinality {
            list.push("\"n\"".to_owned());
        }
        let mut from = String::new();
        for (n, (sql, names, at)) in sides.iter().enumerate() {
            let side = format!("{} AS \"s{n}\"", self.with_ordinals(sql, names, "n", *at)?);
            match n {
                0 => from.push_str(&side),
                _ => from.push_str(&format!(" FULL JOIN {side} USING (\"n\")")),
            }
        }
        Ok(format!("(SELECT {} FROM {from} ORDER BY \"n\")", list.join(", ")))
    }
}

/// All sets that several items of GROUP BY make together, each once.
pub(super) fn distinct_sets(groups: Vec<Group>) -> PgResult<Vec<Group>> {
    let mut all: Vec<Vec<Ex>> = vec![Vec::new()];
    for group in &groups {
        let sets = sets_of(group)?;
        if all.len().saturating_mul(sets.len()) > SETS_MAX {
            return Err(too_many());
        }
        all = all.iter().flat_map(|one| sets.iter().map(|set| [one.as_slice(), set].concat())).collect();
    }
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for set in all {
        let mut keys = BTreeSet::new();
        let set: Vec<Ex> = set.into_iter().filter(|key| keys.insert(key.sql.clone())).collect();
        if seen.insert(keys) {
            kept.push(Group::Several(set.into_iter().map(Group::Key).collect()));
        }
    }
    Ok(vec![Group::Sets("GROUPING SETS", kept)])
}

fn sets_of(group: &Group) -> PgResult<Vec<Vec<Ex>>> {
    let items = match group {
        Group::Key(key) => return Ok(vec![vec![key.clone()]]),
        Group::Several(groups) => return Ok(vec![keys_of(groups)]),
        Group::Sets("GROUPING SETS", groups) => {
            let mut sets = Vec::new();
            for group in groups {
                sets.extend(sets_of(group)?);
            }
            return if sets.len() > SETS_MAX { Err(too_many()) } else { Ok(sets) };
        }
        Group::Sets(_, groups) => groups.iter().map(|g| keys_of(std::slice::from_ref(g))).collect::<Vec<_>>(),
    };
    if matches!(group, Group::Sets("ROLLUP", _)) {
        let prefixes = (0..=items.len()).rev();
        return Ok(prefixes.map(|n| items.iter().take(n).flatten().cloned().collect()).collect());
    }
    if items.len() > 12 {
        return Err(too_many());
    }
    let subsets = (0..1_usize << items.len()).rev();
    let subset = |mask: usize| items.iter().enumerate().filter(move |(n, _)| mask >> n & 1 == 1);
    Ok(subsets.map(|mask| subset(mask).flat_map(|(_, keys)| keys.clone()).collect()).collect())
}

fn keys_of(groups: &[Group]) -> Vec<Ex> {
    let mut keys = Vec::new();
    groups.iter().for_each(|group| group.keys(&mut keys));
    keys.into_iter().cloned().collect()
}

fn too_many() -> PgError {
    let message = format!("too many grouping sets present (maximum {SETS_MAX})");
    PgError::new(SqlState::STATEMENT_TOO_COMPLEX, message)
}
