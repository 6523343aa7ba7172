//! GROUP BY: its keys and sets, and what it decides beyond what it names.

use duckmesh_catalog::ConstraintKind;
use sqlparser::ast::{Distinct, Expr, GroupByExpr, GroupByWithModifier, Select};

use super::{Column, Ex, Kind, Rewriter, scope::column_ex, select::Item, set::integer};
use crate::{
    sql::{plan::Origin, quote, rows_from as marks},
    wire::error::PgResult,
};

/// How the text of a function begins that gives rows.
const ROWS: &str = "unnest(";

/// What GROUP BY lists.
pub(super) enum Group {
    Key(Ex),
    /// `(a, b)`.
    Several(Vec<Group>),
    /// GROUPING SETS, ROLLUP, CUBE.
    Sets(&'static str, Vec<Group>),
}

impl Group {
    pub(super) fn keys<'g>(&'g self, found: &mut Vec<&'g Ex>) {
        match self {
            Self::Key(key) => found.push(key),
            Self::Several(groups) | Self::Sets(_, groups) => groups.iter().for_each(|g| g.keys(found)),
        }
    }

    fn keys_mut<'g>(&'g mut self, found: &mut Vec<&'g mut Ex>) {
        match self {
            Self::Key(key) => found.push(key),
            Self::Several(groups) | Self::Sets(_, groups) => groups.iter_mut().for_each(|g| g.keys_mut(found)),
        }
    }

    fn has_sets(&self) -> bool {
        matches!(self, Self::Sets(..))
    }

    /// Its text; keys as they are given.
    fn text(&self, write: &impl Fn(&Ex) -> String) -> String {
        let list = |groups: &[Self]| groups.iter().map(|g| g.text(write)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Key(key) => write(key),
            Self::Several(groups) => format!("({})", list(groups)),
            Self::Sets(word, groups) => format!("{word} ({})", list(groups)),
        }
    }
}

impl Rewriter<'_> {
    pub(super) fn group_by(&mut self, group_by: &GroupByExpr, items: &[Item], known: bool) -> PgResult<Vec<Group>> {
        let (exprs, modifiers) = match group_by {
            GroupByExpr::Expressions(exprs, modifiers) => (exprs, modifiers),
            GroupByExpr::All(_) => return self.refuse("GROUP BY ALL", None),
        };
        if let Some(modifier) = modifiers.first() {
            return match modifier {
                GroupByWithModifier::GroupingSets(Expr::GroupingSets(_))
                | GroupByWithModifier::Rollup
                | GroupByWithModifier::Cube
                | GroupByWithModifier::Totals
                | GroupByWithModifier::GroupingSets(_) => self.refuse("this form of GROUP BY", None),
            };
        }
        let distinct = |expr: &Expr| matches!(expr, Expr::Identifier(ident) if ident.value == marks::DISTINCT_SETS);
        let outer = self.clause.replace(("GROUP BY", self.scopes.len()));
        let listed = exprs.iter().filter(|expr| !distinct(expr));
        let groups: PgResult<Vec<Group>> = listed.map(|expr| self.group(expr, items, known)).collect();
        self.clause = outer;
        match groups? {
            groups if exprs.iter().any(distinct) => super::rows_from::distinct_sets(groups),
            groups => Ok(groups),
        }
    }

    fn group(&mut self, expr: &Expr, items: &[Item], known: bool) -> PgResult<Group> {
        let several = |r: &mut Self, exprs: &[Expr]| {
            let groups = exprs.iter().map(|expr| r.group(expr, items, known));
            PgResult::Ok(Group::Several(groups.collect::<PgResult<Vec<_>>>()?))
        };
        let sets = |r: &mut Self, word: &'static str, sets: &[Vec<Expr>]| {
            let sets = sets.iter().map(|set| match set.as_slice() {
                // ROLLUP, CUBE and other sets inside of sets stand bare there.
                [one @ (Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_))] => r.group(one, items, known),
                [Expr::Function(_)] => match nested_sets(set.as_slice()) {
                    Some(nested) => r.group(&nested, items, known),
                    None => several(r, set),
                },
                set => several(r, set),
            });
            PgResult::Ok(Group::Sets(word, sets.collect::<PgResult<Vec<_>>>()?))
        };
        match expr {
            Expr::GroupingSets(s) => sets(self, "GROUPING SETS", s),
            Expr::Cube(s) => sets(self, "CUBE", s),
            Expr::Rollup(s) => sets(self, "ROLLUP", s),
            Expr::Tuple(exprs) => several(self, exprs),
            other => Ok(Group::Key(self.group_key(other, items, known)?)),
        }
    }

    fn group_key(&mut self, expr: &Expr, items: &[Item], known: bool) -> PgResult<Ex> {
        if let Expr::Identifier(ident) = expr {
            return match self.column(ident) {
                Ok(ex) if !matches!(ex.kind, Kind::Row(_)) && (ex.ty.is_some() || ex.origin.is_some()) => Ok(ex),
                // Postgres prefers the FROM's column; else the list's, also to a whole row.
                other => match listed(items, &quote::fold(ident)) {
                    Some(item) => Ok(Ex::plain(item.sql.clone(), item.column.ty.clone())),
                    None => other,
                },
            };
        }
        match integer(expr) {
            Some(n) => {
                let sql = self.ordinal(n, "GROUP BY", expr, items, known, true)?;
                let item = items.iter().find(|i| i.sql == sql);
                Ok(Ex::plain(sql, item.and_then(|i| i.column.ty.clone())))
            }
            None => self.expr(expr),
        }
    }

    /// Grouped by what a set-returning function gives, its rows must be there before the groups are: a relation of its
    /// own, beside the others. Several such keys give their rows side by side.
    pub(super) fn group_by_rows(
        &mut self,
        groups: &mut [Group],
        items: &mut [Item],
        texts: &mut [&mut String],
    ) -> Option<String> {
        let mut keys = Vec::new();
        groups.iter_mut().for_each(|group| group.keys_mut(&mut keys));
        keys.retain(|key| without_quoted(&key.sql).contains(ROWS));
        if keys.is_empty() {
            return None;
        }
        let relation = quote::name(&format!("rows_{}", self.number()));
        let mut moved: Vec<(String, String)> = Vec::new();
        for key in keys {
            let known = moved.iter().find(|(sql, _)| *sql == key.sql).map(|(_, column)| column.clone());
            let column = known.unwrap_or_else(|| {
                let column = format!("\"r{}\"", moved.len());
                moved.push((key.sql.clone(), column.clone()));
                column
            });
            key.sql = format!("{relation}.{column}");
        }
        // The longest first: one may be a part of another.
        let mut order: Vec<&(String, String)> = moved.iter().collect();
        order.sort_by_key(|(sql, _)| std::cmp::Reverse(sql.len()));
        for (sql, column) in order {
            let column = format!("{relation}.{column}");
            let moved = |text: &str| put(text, &[(sql, &column)], true);
            items.iter_mut().for_each(|item| item.sql = moved(&item.sql));
            texts.iter_mut().for_each(|text| **text = moved(text));
        }
        let list: Vec<String> = moved.iter().map(|(sql, column)| format!("{sql} AS {column}")).collect();
        Some(format!("LATERAL (SELECT {}) AS {relation}", list.join(", ")))
    }

    /// A group of values that are equal though their texts differ is one: its key groups, and the list shows one of them.
    pub(super) fn group_by_value(&self, groups: &[Group], items: &mut [Item], others: &mut [&mut String]) -> String {
        let mut keys = Vec::new();
        groups.iter().for_each(|g| g.keys(&mut keys));
        let sets = groups.iter().any(Group::has_sets);
        let mut by_key: Vec<(String, String)> = Vec::new();
        for key in keys {
            if !self.is_keyed(key.ty.as_ref()) || by_key.iter().any(|(sql, _)| *sql == key.sql) {
                continue;
            }
            // A query inside may not ask for the group's.
            let inside = |text: &str| text.contains(&key.sql) && has_query(text);
            if items.iter().any(|i| inside(&i.sql)) || others.iter().any(|text| inside(text)) {
                continue;
            }
            let by = self.order_key(key);
            let asked = format!("grouping({})", key.sql);
            // A set that leaves the key out shows NULL.
            let shown = match sets {
                true => format!("(CASE WHEN grouping({by}) = 0 THEN first({}) END)", key.sql),
                false => format!("first({})", key.sql),
            };
            // Arguments of aggregates are of the rows, all else is of the group.
            let of_group = |text: &str| {
                outside_aggregates(text, &[(&by, &by), (&asked, &format!("grouping({by})")), (&key.sql, &shown)])
            };
            items.iter_mut().for_each(|item| item.sql = of_group(&item.sql));
            others.iter_mut().for_each(|text| **text = of_group(text));
            by_key.push((key.sql.clone(), by));
        }
        let write = |key: &Ex| {
            let by = by_key.iter().find(|(sql, _)| *sql == key.sql);
            by.map_or_else(|| key.sql.clone(), |(_, by)| by.clone())
        };
        groups.iter().map(|g| g.text(&write)).collect::<Vec<_>>().join(", ")
    }

    /// Grouped by a table's primary key, its other columns have one value in each group: those used are grouped by, too.
    pub(super) fn depends_on_keys(&self, groups: &[Group], group_by: &str, texts: &[&str]) -> String {
        let mut more = String::new();
        let Some(scope) = self.scopes.last().filter(|_| !groups.iter().any(Group::has_sets)) else { return more };
        let mut listed = Vec::new();
        groups.iter().for_each(|group| group.keys(&mut listed));
        for relation in &scope.relations {
            let Some(table) = relation.table.and_then(|index| self.tables.get(index)).map(|t| &t.table) else {
                continue;
            };
            let key = table.constraints.iter().find_map(|constraint| match &constraint.kind {
                ConstraintKind::PrimaryKey { columns } => Some(columns),
                _ => None,
            });
            let has = |text: &str, column: &Column| {
                let sql = column_ex(relation, column).sql;
                // What only an aggregate reads is no matter of the group; a query inside has aggregates of its own.
                let shown = put(text, &[(&sql, "\0")], has_query(text));
                shown.contains('\0')
            };
            let of = |column: &&Column, id| matches!(&column.origin, Some(Origin::Table(_, own)) if *own == id);
            // The column itself: of a value that is computed from the key there can be many rows.
            let is_listed = |column: &Column| {
                let sql = column_ex(relation, column).sql;
                listed.iter().any(|key| key.sql == sql)
            };
            let grouped = |id| relation.columns.iter().find(|c| of(c, id)).is_some_and(is_listed);
            if !key.is_some_and(|key| key.iter().all(|id| grouped(*id))) {
                continue;
            }
            for column in &relation.columns {
                if !has(group_by, column) && texts.iter().any(|text| has(text, column)) {
                    more.push_str(&format!(", {}", column_ex(relation, column).sql));
                }
            }
        }
        more
    }
}

/// Names of the engine's aggregates that texts of ours call.
const AGGREGATES: [&str; 64] = [
    "any_value",
    "approx_count_distinct",
    "approx_quantile",
    "approx_top_k",
    "arg_max",
    "arg_max_null",
    "arg_min",
    "arg_min_null",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "count_if",
    "count_star",
    "covar_pop",
    "covar_samp",
    "entropy",
    "favg",
    "first",
    "fsum",
    "geomean",
    "histogram",
    "json_group_array",
    "json_group_object",
    "json_group_structure",
    "kurtosis",
    "last",
    "list",
    "mad",
    "max",
    "max_by",
    "median",
    "min",
    "min_by",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "product",
    "quantile_cont",
    "quantile_disc",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "skewness",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "sum_no_overflow",
    "var_pop",
    "var_samp",
    "variance",
];

/// A text in which others are put for some, but not in what aggregates are given, nor in what a client wrote as text.
fn outside_aggregates(text: &str, pairs: &[(&str, &str)]) -> String {
    put(text, pairs, false)
}

/// The same; `everywhere`: in what aggregates are given, too.
fn put(text: &str, pairs: &[(&str, &str)], everywhere: bool) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        // `t.a` is no part of `t.a2`.
        let ends = |from: &str| !(from.ends_with(is_word) && rest[from.len()..].starts_with(is_word));
        if let Some((from, to)) = pairs.iter().find(|(from, _)| rest.starts_with(from) && ends(from)) {
            out.push_str(to);
            rest = &rest[from.len()..];
            continue;
        }
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let called = !everywhere && rest[word..].starts_with('(') && AGGREGATES.contains(&&rest[..word]);
        let call = if called { call_length(rest, word) } else { None };
        let length = match word {
            0 => quoted(rest).unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8)),
            word => call.unwrap_or(word),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// The length of the literal or the quoted name that a text begins with. Quotes in it are doubled: what follows them is quoted
/// again.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    Some(text[1..].find(quote).map_or(text.len(), |end| end + 2))
}

/// A text less its literals and quoted names.
fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[quoted(rest).unwrap_or(rest.len())..];
    }
    out.push_str(rest);
    out
}

/// Whether there is a query in a text.
fn has_query(text: &str) -> bool {
    without_quoted(text).contains("SELECT ")
}

/// The length of an aggregate's call with what belongs to it. None of a window's: that is over groups.
fn call_length(text: &str, word: usize) -> Option<usize> {
    let mut length = word + closed(&text[word..]);
    for clause in [" WITHIN GROUP ", " FILTER "] {
        if text[length..].starts_with(clause) {
            length += clause.len();
            length += closed(&text[length..]);
        }
    }
    (!text[length..].starts_with(" OVER ")).then_some(length)
}

/// The length of a text up to the end of the parenthesis that it begins with; quoted ones do not count.
fn closed(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// The item of that name, where it is the only one.
fn listed<'i>(items: &'i [Item], name: &str) -> Option<&'i Item> {
    items.iter().find(|i| !i.star && i.column.name == name)
}

/// `ROLLUP (a, b)` as an element of GROUPING SETS: the parser reads a call there.
fn nested_sets(set: &[Expr]) -> Option<Expr> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments};
    let [Expr::Function(function)] = set else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let one = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Tuple(exprs))) => Some(exprs.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(vec![expr.clone()]),
        _ => None,
    };
    let sets: Vec<Vec<Expr>> = list.args.iter().map(one).collect::<Option<_>>()?;
    match function.name.to_string().to_ascii_lowercase().as_str() {
        "rollup" => Some(Expr::Rollup(sets)),
        "cube" => Some(Expr::Cube(sets)),
        _ => None,
    }
}

/// What GROUP BY and DISTINCT ON are by, where it is more than a column or a constant.
pub(super) fn keys_of(select: &Select, keys: &mut Vec<Expr>) {
    let mut add = |expr: &Expr| {
        let plain = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
        if !plain && !keys.contains(expr) {
            keys.push(expr.clone());
        }
    };
    if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
        for expr in exprs {
            match expr {
                Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                    sets.iter().flatten().for_each(&mut add)
                }
                other => add(other),
            }
        }
    }
    if let Some(Distinct::On(exprs)) = &select.distinct {
        exprs.iter().for_each(&mut add);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn arguments_of_aggregates_stay() {
        for (text, expect) in [
            ("x + sum(x * (x + 1)) + my_sum(x)", "F + sum(x * (x + 1)) + my_sum(F)"),
            ("count(DISTINCT \")\" || ')' || x) > x", "count(DISTINCT \")\" || ')' || x) > F"),
            ("key(x)", "key(x)"),
            ("'x ''x' || x || 'x", "'x ''x' || F || 'x"),
            ("sum(x) FILTER (WHERE x > 0) / x", "sum(x) FILTER (WHERE x > 0) / F"),
            ("sum(x) OVER (ORDER BY x)", "sum(F) OVER (ORDER BY F)"),
            ("\"it's\" || x || 'x' || x", "\"it's\" || F || 'x' || F"),
            ("x2 || x.y || regr_slope(x, x)", "x2 || F.y || regr_slope(x, x)"),
        ] {
            assert_eq!(super::outside_aggregates(text, &[("key(x)", "key(x)"), ("x", "F")]), expect);
        }
    }

    #[test]
    fn aggregates_that_are_called_are_known() {
        for (name, signature, template) in super::super::functions::AGGREGATES {
            let called = |text: &str| {
                let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                words.clone().any(|word| super::AGGREGATES.contains(&word))
            };
            assert!(called(if template.is_empty() { name } else { template }), "{name} {signature}");
        }
    }
}
