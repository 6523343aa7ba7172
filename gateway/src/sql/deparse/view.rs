//! A view's query in PostgreSQL's layout: names resolved, `*` written out, one column a line.

use duckmesh_catalog::{ColumnType, EnumRef, EnumType, LakeSchema, ViewDef};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, OrderByExpr, OrderByKind,
    OrderBySort, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier,
    TableFactor, Value,
};

use super::{
    RELATION, Shown, TEXT_BYTES_MAX,
    node::{Class, Node},
    outputs,
    print::Printer,
    resolve::{self, Names},
};
use crate::{
    pgcatalog::{names, sql_schema},
    sql::{parse, quote},
};

/// Blanks that a SELECT's parts are indented by.
const SELECT_INDENT: usize = 8;

/// A relation in FROM.
struct Entry {
    name: String,
    columns: Vec<(String, Class)>,
    enums: Vec<EnumRef>,
}

/// The relations of a SELECT.
struct From {
    entries: Vec<Entry>,
    /// Columns that USING made one of two, with the relation whose column it is; none: of both.
    merged: Vec<(String, Option<usize>)>,
}

impl Names for From {
    fn column(&self, parts: &[String]) -> Option<(String, Class)> {
        let (table, name) = match parts {
            [name] => (None, name),
            [table, name] => (Some(table), name),
            _ => return None,
        };
        if table.is_none()
            && let Some((_, of)) = self.merged.iter().rev().find(|(column, _)| column == name)
        {
            let of = of.and_then(|at| self.entries.get(at))?;
            let (_, class) = of.columns.iter().find(|(column, _)| column == name)?;
            return Some((format!("{}.{}", names::quoted(&of.name), names::quoted(name)), *class));
        }
        let entries = self.entries.iter().filter(|entry| table.is_none_or(|table| *table == entry.name));
        let mut found = entries.filter_map(|e| Some((e, e.columns.iter().find(|(column, _)| column == name)?.1)));
        let (entry, class) = found.next()?;
        found.next().is_none().then(|| (format!("{}.{}", names::quoted(&entry.name), names::quoted(name)), class))
    }

    fn enums(&self) -> Vec<&EnumType> {
        self.entries.iter().flat_map(|entry| &entry.enums).map(|of| &**of).collect()
    }
}

/// None: shown as it was written, whose names are the view's.
pub fn shown(view: &ViewDef, schema: &LakeSchema) -> Option<Shown> {
    let sql = view.postgres_sql.as_deref().filter(|sql| sql.len() <= TEXT_BYTES_MAX)?;
    let parsed = parse::query(sql).ok()?;
    let text = |pretty| Some(format!("{};", Writer { view, schema, pretty }.query(&parsed)?));
    if let (Some(full), Some(pretty)) = (text(false), text(true)) {
        return Some(Shown { full, pretty });
    }
    let written = format!(" {};", outputs::named(view, &parsed)?);
    Some(Shown { full: written.clone(), pretty: written })
}

/// The columns of a join's USING.
fn using(join: &Join) -> Vec<String> {
    use JoinOperator as J;
    match &join.join_operator {
        J::Join(on)
        | J::Inner(on)
        | J::Left(on)
        | J::LeftOuter(on)
        | J::Right(on)
        | J::RightOuter(on)
        | J::FullOuter(on) => match on {
            JoinConstraint::Using(columns) => columns.iter().filter_map(|c| quote::parts(c)?.pop()).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

struct Writer<'a> {
    view: &'a ViewDef,
    schema: &'a LakeSchema,
    pretty: bool,
}

impl Writer<'_> {
    fn query(&self, query: &Query) -> Option<String> {
        let plain = query.with.is_none() && query.fetch.is_none() && query.locks.is_empty();
        if !plain {
            return None;
        }
        let order = match &query.order_by {
            None => &[][..],
            Some(order) => match &order.kind {
                OrderByKind::Expressions(list) => list.as_slice(),
                OrderByKind::All(_) => return None,
            },
        };
        let mut text = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order)?,
            body if order.is_empty() => self.set(body)?,
            _ => return None,
        };
        if let Some(limit) = &query.limit_clause {
            let LimitClause::LimitOffset { limit, offset, limit_by } = limit else { return None };
            if !limit_by.is_empty() {
                return None;
            }
            let number = |expr: &Expr| match expr {
                Expr::Value(value) => match &value.value {
                    Value::Number(text, _) => Some(text.clone()),
                    _ => None,
                },
                _ => None,
            };
            // Postgres writes OFFSET first.
            if let Some(offset) = offset {
                text.push_str(&format!("\n OFFSET {}", number(&offset.value)?));
            }
            if let Some(limit) = limit {
                text.push_str(&format!("\n LIMIT {}", number(limit)?));
            }
        }
        Some(text)
    }

    fn set(&self, body: &SetExpr) -> Option<String> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                // What stands on the right of another would need parentheses.
                let SetExpr::Select(right) = right.as_ref() else { return None };
                let left = match left.as_ref() {
                    SetExpr::SetOperation { op: inner, set_quantifier: all, .. }
                        if inner != op || all != set_quantifier =>
                    {
                        return None;
                    }
                    left => self.set(left)?,
                };
                let op = match op {
                    SetOperator::Union => "UNION",
                    SetOperator::Intersect => "INTERSECT",
                    SetOperator::Except => "EXCEPT",
                    SetOperator::Minus => return None,
                };
                let all = match set_quantifier {
                    SetQuantifier::All => " ALL",
                    SetQuantifier::None | SetQuantifier::Distinct => "",
                    _ => return None,
                };
                Some(format!("{left}\n{op}{all}\n{}", self.select(right, &[])?))
            }
            _ => None,
        }
    }

    fn select(&self, select: &Select, order: &[OrderByExpr]) -> Option<String> {
        let plain = select.into.is_none() && select.named_window.is_empty() && select.qualify.is_none();
        if !plain || select.from.is_empty() {
            return None;
        }
        let mut from = From { entries: Vec::new(), merged: Vec::new() };
        for item in &select.from {
            let first = from.entries.len();
            from.entries.push(self.entry(&item.relation)?);
            for join in &item.joins {
                let right = from.entries.len();
                from.entries.push(self.entry(&join.relation)?);
                for name in using(join) {
                    let named = |entry: &Entry| entry.columns.iter().any(|(column, _)| *column == name);
                    let before = from.merged.iter().rev().find(|(column, _)| *column == name).map(|(_, of)| *of);
                    let left = || (first..right).find(|at| from.entries.get(*at).is_some_and(named));
                    let of = match &join.join_operator {
                        JoinOperator::FullOuter(_) => None,
                        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => Some(right),
                        _ => before.unwrap_or_else(left),
                    };
                    from.merged.push((name, of));
                }
            }
        }
        let outputs = self.outputs(select, &from)?;
        let mut text = String::from(" SELECT ");
        match &select.distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => text.push_str("DISTINCT "),
            Some(Distinct::On(_)) => return None,
        }
        self.list(&outputs, &mut text)?;
        text.push_str("\n   FROM ");
        text.push_str(&self.from(select, &from)?);
        if let Some(condition) = &select.selection {
            text.push_str(&format!("\n  WHERE {}", self.condition(condition, &from)?));
        }
        let GroupByExpr::Expressions(groups, modifiers) = &select.group_by else { return None };
        if !modifiers.is_empty() {
            return None;
        }
        if !groups.is_empty() {
            let keys = groups.iter().map(|key| self.key(key, &outputs, &from)).collect::<Option<Vec<_>>>()?;
            text.push_str(&format!("\n  GROUP BY {}", keys.join(", ")));
        }
        if let Some(condition) = &select.having {
            text.push_str(&format!("\n HAVING {}", self.condition(condition, &from)?));
        }
        if !order.is_empty() {
            let keys = order.iter().map(|key| self.order(key, &outputs, &from)).collect::<Option<Vec<_>>>()?;
            text.push_str(&format!("\n  ORDER BY {}", keys.join(", ")));
        }
        Some(text)
    }

    /// A relation of the lake with columns of known types.
    fn entry(&self, factor: &TableFactor) -> Option<Entry> {
        let TableFactor::Table { name, alias, args: None, sample: None, with_ordinality: false, .. } = factor else {
            return None;
        };
        let (schema, relation) = self.named(name)?;
        let columns: Vec<(&String, &ColumnType)> = match self.schema.table(&schema, &relation) {
            Some(table) => table.columns.iter().map(|c| (&c.name, &c.ty)).collect(),
            None => self.schema.view(&schema, &relation)?.columns.iter().map(|(name, ty)| (name, ty)).collect(),
        };
        let enums = columns.iter().filter_map(|(_, ty)| match ty {
            ColumnType::Enum(of) => Some(of.clone()),
            _ => None,
        });
        let enums = enums.collect();
        let columns: Vec<(String, Class)> =
            columns.into_iter().map(|(name, ty)| (name.clone(), Class::of(ty))).collect();
        if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) || columns.is_empty() {
            return None;
        }
        Some(Entry { name: alias.as_ref().map_or(relation, |alias| quote::fold(&alias.name)), columns, enums })
    }

    /// The schema's name in the lake, and the relation's.
    fn named(&self, name: &sqlparser::ast::ObjectName) -> Option<(String, String)> {
        match quote::parts(name)?.as_slice() {
            [schema, relation] if schema == "public" => {
                Some((duckmesh_catalog::schema::DEFAULT_SCHEMA.to_owned(), relation.clone()))
            }
            [schema, relation] => Some((schema.clone(), relation.clone())),
            _ => None,
        }
    }

    /// What is shown, in order; the view's columns have the names.
    fn outputs(&self, select: &Select, from: &From) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        let every = |entry: &Entry, nodes: &mut Vec<Node>| {
            let table = names::quoted(&entry.name);
            nodes.extend(entry.columns.iter().map(|(name, _)| Node::Var(format!("{table}.{}", names::quoted(name)))));
        };
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    let typed = resolve::settled(resolve::expression(expr, from)?)?;
                    nodes.push(typed.node);
                }
                SelectItem::Wildcard(_) if !from.merged.is_empty() => return None,
                SelectItem::Wildcard(_) => from.entries.iter().for_each(|entry| every(entry, &mut nodes)),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let parts = quote::parts(name)?;
                    let entry = from.entries.iter().find(|entry| parts.last() == Some(&entry.name))?;
                    every(entry, &mut nodes);
                }
                _ => return None,
            }
        }
        (nodes.len() == self.view.columns.len()).then_some(nodes)
    }

    fn list(&self, outputs: &[Node], text: &mut String) -> Option<()> {
        for (index, (node, (name, _))) in outputs.iter().zip(&self.view.columns).enumerate() {
            let mut field = self.text(node, true);
            let own = match node {
                Node::Var(shown) => shown.rsplit_once('.').map(|(_, column)| column.to_owned()),
                _ => None,
            };
            if own != Some(names::quoted(name)) {
                field.push_str(&format!(" AS {}", names::quoted(name)));
            }
            if index > 0 {
                text.push(',');
            }
            if field.starts_with('\n') {
                text.truncate(text.trim_end_matches(' ').len());
            } else if index > 0 {
                text.push_str("\n    ");
            }
            text.push_str(&field);
        }
        Some(())
    }

    fn text(&self, node: &Node, casts: bool) -> String {
        let enums = |oid| {
            let def = self.schema.types.values().find(|def| def.oid() == oid)?;
            let schema = self.schema.schema_name(def.schema_id)?;
            Some(format!("\"{}\".\"{}\"", sql_schema(schema), def.name))
        };
        let mut printer = Printer::new(self.pretty, SELECT_INDENT, &enums);
        printer.node(node, casts);
        printer.out
    }

    fn condition(&self, expr: &Expr, from: &From) -> Option<String> {
        let typed = resolve::expression(expr, from)?;
        (typed.class == Some(Class::Bool)).then(|| self.text(&typed.node, false))
    }

    /// A key of GROUP BY or ORDER BY: a number or name of an output, or an expression.
    fn key_node(&self, expr: &Expr, outputs: &[Node], from: &From, by_name: bool) -> Option<Node> {
        if let Expr::Value(value) = expr {
            let Value::Number(number, _) = &value.value else { return None };
            return outputs.get(number.parse::<usize>().ok()?.checked_sub(1)?).cloned();
        }
        if let (Expr::Identifier(name), true) = (expr, by_name) {
            let name = quote::fold(name);
            if let Some(at) = self.view.columns.iter().position(|(column, _)| *column == name) {
                return outputs.get(at).cloned();
            }
        }
        Some(resolve::expression(expr, from)?.node)
    }

    fn key(&self, expr: &Expr, outputs: &[Node], from: &From) -> Option<String> {
        // GROUP BY takes a column before an output's name.
        let by_name = !matches!(expr, Expr::Identifier(name) if from.column(&[quote::fold(name)]).is_some());
        let node = self.key_node(expr, outputs, from, by_name)?;
        Some(self.wrapped(&node))
    }

    fn wrapped(&self, node: &Node) -> String {
        let shown = self.text(node, true);
        let needs = match node {
            Node::Var(_) => false,
            Node::Call(..) | Node::Words(..) => true,
            _ => self.pretty,
        };
        if needs { format!("({shown})") } else { shown }
    }

    fn order(&self, key: &OrderByExpr, outputs: &[Node], from: &From) -> Option<String> {
        let node = self.key_node(&key.expr, outputs, from, true)?;
        let mut shown = self.wrapped(&node);
        let descending = match &key.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(_) => return None,
        };
        match (descending, key.options.nulls_first) {
            (false, Some(true)) => shown.push_str(" NULLS FIRST"),
            (true, Some(false)) => shown.push_str(" DESC NULLS LAST"),
            (true, _) => shown.push_str(" DESC"),
            (false, _) => {}
        }
        Some(shown)
    }

    fn from(&self, select: &Select, from: &From) -> Option<String> {
        let mut items = Vec::new();
        for item in &select.from {
            let mut text = self.relation(&item.relation)?;
            for join in &item.joins {
                text = self.join(text, join, from)?;
            }
            items.push(text);
        }
        Some(items.join(",\n    "))
    }

    fn join(&self, left: String, join: &Join, from: &From) -> Option<String> {
        use JoinOperator as J;
        let right = self.relation(&join.relation)?;
        let (word, constraint) = match &join.join_operator {
            J::Join(on) | J::Inner(on) => ("JOIN", on),
            J::Left(on) | J::LeftOuter(on) => ("LEFT JOIN", on),
            J::Right(on) | J::RightOuter(on) => ("RIGHT JOIN", on),
            J::FullOuter(on) => ("FULL JOIN", on),
            J::CrossJoin(JoinConstraint::None) => ("CROSS JOIN", &JoinConstraint::None),
            _ => return None,
        };
        let on = match constraint {
            JoinConstraint::None if word == "CROSS JOIN" => String::new(),
            JoinConstraint::Using(_) => {
                let columns: Vec<String> = using(join).iter().map(|name| names::quoted(name)).collect();
                format!(" USING ({})", columns.join(", "))
            }
            JoinConstraint::On(condition) => {
                let shown = self.condition(condition, from)?;
                if self.pretty { format!(" ON {shown}") } else { format!(" ON ({shown})") }
            }
            _ => return None,
        };
        let joined = format!("{left}\n     {word} {right}{on}");
        Some(if self.pretty { joined } else { format!("({joined})") })
    }

    /// A relation's name between marks: whether its schema is shown depends on who asks.
    fn relation(&self, factor: &TableFactor) -> Option<String> {
        let TableFactor::Table { name, alias, .. } = factor else { return None };
        let (schema, relation) = self.named(name)?;
        let shown = format!("{RELATION}{}{RELATION}{relation}{RELATION}", sql_schema(&schema));
        Some(match alias.as_ref().map(|alias| quote::fold(&alias.name)).filter(|alias| *alias != relation) {
            Some(alias) => format!("{shown} {}", names::quoted(&alias)),
            None => shown,
        })
    }
}
