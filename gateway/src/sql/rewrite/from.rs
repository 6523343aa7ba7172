//! FROM: relations, subqueries, functions and joins.

use std::{ops::Range, sync::Arc};

use duckmesh_catalog::{TableDef, ViewDef};
use sqlparser::ast::{
    FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, SelectItem, Spanned,
    TableAlias, TableFactor, TableSampleKind, TableSampleMethod, TableWithJoins, WildcardAdditionalOptions,
};

use super::{
    Audience, Column, Ex, Relation, Rewriter, VIEW_DEPTH_MAX, VIEWS_MAX,
    outer_join::{Form, Sides},
    relations::Target,
    scope::{Star, column_ex},
    system_column, unique,
};
use crate::{
    pgcatalog::{oids, shapes::Shape},
    sql::{
        parse,
        plan::{Origin, TableUse},
        quote,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// `AS alias (column, …)` as given.
#[derive(Default)]
pub(super) struct Alias {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) at: Option<u32>,
}

impl Rewriter<'_> {
    /// All of FROM, comma by comma.
    pub fn from(&mut self, from: &[TableWithJoins]) -> PgResult<String> {
        let mut items = Vec::with_capacity(from.len());
        for item in from {
            items.push(self.table_with_joins(item)?);
        }
        Ok(items.join(", "))
    }

    fn table_with_joins(&mut self, item: &TableWithJoins) -> PgResult<String> {
        let star_start = self.scopes.last().map_or(0, |s| s.star.len());
        let first = self.scopes.last().map_or(0, |s| s.relations.len());
        let mut sql = self.factor(&item.relation)?;
        for join in &item.joins {
            sql = self.deeper(|r| r.join(sql, join, first, star_start))?;
        }
        Ok(sql)
    }

    fn join(&mut self, left: String, join: &Join, first: usize, star_start: usize) -> PgResult<String> {
        if join.global {
            return self.refuse("GLOBAL JOIN", None);
        }
        let middle = self.scopes.last().map_or(0, |s| s.relations.len());
        let star_middle = self.scopes.last().map_or(0, |s| s.star.len());
        let right = self.factor(&join.relation)?;
        let end = self.scopes.last().map_or(0, |s| s.relations.len());
        let (word, constraint) = match &join.join_operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) => ("JOIN", c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => ("LEFT JOIN", c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("RIGHT JOIN", c),
            JoinOperator::FullOuter(c) => ("FULL JOIN", c),
            JoinOperator::CrossJoin(JoinConstraint::None) => {
                return Ok(format!("{left} CROSS JOIN {right}"));
            }
            JoinOperator::CrossJoin(_)
            | JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => return self.refuse("this kind of join", None),
        };
        if word != "JOIN"
            && let Some(scope) = self.scopes.last_mut()
        {
            scope.outer_join = true;
            if word != "LEFT JOIN" {
                scope.nullable.extend(first..middle);
            }
            if word != "RIGHT JOIN" {
                scope.nullable.extend(middle..end);
            }
        }
        let condition = match constraint {
            JoinConstraint::On(expr) if word == "JOIN" => {
                let condition = self.condition(expr, "JOIN/ON")?;
                self.add_filters(expr, true);
                condition
            }
            JoinConstraint::On(expr) => {
                let alias = self.chosen_alias(word, join, middle..end);
                let form = self.outer_condition(word, expr, Sides { first, middle, end }, alias.is_some());
                let lent = self.lent.len();
                if matches!(form, Form::EachRow) {
                    self.lend(first..middle);
                }
                let condition = self.outer_on(&form, expr)?;
                self.lent.truncate(lent);
                if let (Form::EachRow, Some(alias)) = (&form, alias) {
                    return Ok(format!(
                        "{left} LEFT JOIN LATERAL (SELECT {alias}.* FROM {right} WHERE {condition}) AS {alias} ON TRUE"
                    ));
                }
                condition
            }
            JoinConstraint::Using(names) => {
                let mut idents = Vec::new();
                for name in names {
                    match name.0.as_slice() {
                        [sqlparser::ast::ObjectNamePart::Identifier(ident)] => {
                            idents.push((quote::fold(ident), self.at(ident.span)));
                        }
                        _ => return self.refuse("this form of USING", self.at(name.span())),
                    }
                }
                self.merge(word, &idents, star_start, star_middle)?
            }
            JoinConstraint::Natural => {
                let names = self.common_names(star_start, star_middle)?;
                self.note_natural(join, &names);
                if names.is_empty() { "TRUE".to_owned() } else { self.merge(word, &names, star_start, star_middle)? }
            }
            JoinConstraint::None => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error at end of input"));
            }
        };
        Ok(format!("{left} {word} {right} ON {condition}"))
    }

    fn lend(&mut self, relations: Range<usize>) {
        let own = self.scopes.last().and_then(|scope| scope.relations.get(relations)).unwrap_or_default();
        let names: Vec<String> = own.iter().map(|relation| quote::name(&relation.engine)).collect();
        self.lent.extend(names);
    }

    /// The alias of a right side that can be chosen for each row of the left one.
    fn chosen_alias(&self, word: &str, join: &Join, right: Range<usize>) -> Option<String> {
        let able = word == "LEFT JOIN"
            && right.len() == 1
            && match &join.relation {
                TableFactor::Table { args, .. } => args.is_none(),
                TableFactor::Derived { lateral, .. } => !lateral,
                _ => false,
            };
        let relation = self.scopes.last()?.relations.get(right.start)?;
        (able && relation.known).then(|| quote::name(&relation.engine))
    }

    /// The columns that both sides of a NATURAL join have.
    fn common_names(&self, start: usize, middle: usize) -> PgResult<Vec<(String, Option<u32>)>> {
        let left = self.star_names(start, middle)?;
        let right = self.star_names(middle, usize::MAX)?;
        Ok(left.into_iter().filter(|n| right.contains(n)).map(|n| (n, None)).collect())
    }

    fn star_names(&self, start: usize, end: usize) -> PgResult<Vec<String>> {
        let Some(scope) = self.scopes.last() else {
            return Ok(Vec::new());
        };
        let end = end.min(scope.star.len());
        scope
            .star
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .map(|star| match star {
                Star::Column(r, c) => Ok(scope
                    .relations
                    .get(*r)
                    .and_then(|r| r.columns.get(*c))
                    .map(|c| c.name.clone())
                    .unwrap_or_default()),
                Star::Merged(column, _) => Ok(column.name.clone()),
                Star::All(_) => self.refuse("NATURAL JOIN or USING with a relation whose columns are not known", None),
            })
            .collect()
    }

    /// USING: the condition; the merged columns come first in `*`.
    fn merge(&mut self, word: &str, names: &[(String, Option<u32>)], start: usize, middle: usize) -> PgResult<String> {
        let left_names = self.star_names(start, middle)?;
        let right_names = self.star_names(middle, usize::MAX)?;
        let mut conditions = Vec::new();
        let mut merged = Vec::new();
        let mut gone = Vec::new();
        for (name, at) in names {
            let find = |side: &[String], offset: usize, which: &str| {
                let mut found = (0..side.len()).filter(|i| side.get(*i) == Some(name));
                match (found.next(), found.next()) {
                    (Some(i), None) => Ok(offset + i),
                    (Some(_), Some(_)) => Err(PgError::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("common column name \"{name}\" appears more than once in {which} table"),
                    )
                    .or_position(*at)),
                    (None, _) => Err(PgError::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!("column \"{name}\" specified in USING clause does not exist in {which} table"),
                    )),
                }
            };
            let l = find(&left_names, start, "left")?;
            let r = find(&right_names, middle, "right")?;
            let Some(scope) = self.scopes.last() else {
                return Err(PgError::internal("a join without a scope"));
            };
            let text = |i: usize| match scope.star.get(i) {
                Some(Star::Column(rel, c)) => scope.relations.get(*rel).and_then(|relation| {
                    let column = relation.columns.get(*c)?;
                    Some((column_ex(relation, column).sql, column.clone()))
                }),
                Some(Star::Merged(column, sql)) => Some((sql.clone(), column.clone())),
                _ => None,
            };
            let (Some((l_sql, l_column)), Some((r_sql, r_column))) = (text(l), text(r)) else {
                return Err(PgError::internal("a column of USING without its text"));
            };
            let side = |sql: &str, column: &Column| Ex::plain(sql.to_owned(), column.ty.clone()).at(*at);
            let (a, b) = self.meet(side(&l_sql, &l_column), side(&r_sql, &r_column), "=")?;
            conditions.push(format!("{} = {}", a.sql, b.sql));
            let (column, sql) = match word {
                "RIGHT JOIN" => (r_column, r_sql),
                "FULL JOIN" => {
                    let mut sides = [side(&l_sql, &l_column), side(&r_sql, &r_column)];
                    let ty = self.unify(&mut sides, "JOIN/USING")?.or(l_column.ty.clone());
                    let [l, r] = sides;
                    (Column { origin: None, ty, ..l_column }, format!("COALESCE({}, {})", l.sql, r.sql))
                }
                _ => (l_column, l_sql),
            };
            merged.push(Star::Merged(column, sql));
            gone.extend([l, r]);
        }
        if let Some(scope) = self.scopes.last_mut() {
            let tail = scope.star.split_off(start);
            scope.star.extend(merged);
            scope
                .star
                .extend(tail.into_iter().enumerate().filter(|(i, _)| !gone.contains(&(start + i))).map(|(_, s)| s));
        }
        Ok(conditions.join(" AND "))
    }

    /// One item of FROM.
    fn factor(&mut self, factor: &TableFactor) -> PgResult<String> {
        self.deeper(|r| r.factor_here(factor))
    }

    fn factor_here(&mut self, factor: &TableFactor) -> PgResult<String> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let alias = self.alias(alias.as_ref())?;
                let sql = self.relation(name, alias)?;
                Ok(sql + &self.sample(sample.as_ref())?)
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, sample: None, .. }
                if args.settings.is_none() =>
            {
                self.function(name, &args.args, alias.as_ref(), *with_ordinality, false)
            }
            TableFactor::Function { lateral, name, args, with_ordinality, alias } => {
                self.function(name, args, alias.as_ref(), *with_ordinality, *lateral)
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality,
            } => {
                let args: Vec<FunctionArg> =
                    array_exprs.iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e.clone()))).collect();
                let name = ObjectName::from(vec![Ident::new("unnest")]);
                self.function(&name, &args, alias.as_ref(), *with_ordinality, false)
            }
            // Views keep what was taken when they were made.
            TableFactor::Derived { subquery, alias: None, sample: None, .. } if !self.in_view() => {
                Err(self.unnamed(subquery))
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                self.derived(*lateral, subquery, alias.as_ref())
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                Ok(format!("({})", self.table_with_joins(table_with_joins)?))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                // Under its alias nothing of what it is made of can be named: as of a query.
                let mut query = parse::query("SELECT * FROM nothing")?;
                if let sqlparser::ast::SetExpr::Select(select) = query.body.as_mut() {
                    // A `*` that stands nowhere.
                    select.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
                    select.from = vec![(**table_with_joins).clone()];
                }
                self.derived(false, &query, alias.as_ref())
            }
            TableFactor::Table { name, .. } => self.refuse("this form of FROM", self.at(name.span())),
            TableFactor::Derived { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => self.refuse("this form of FROM", None),
        }
    }

    pub(super) fn alias(&self, alias: Option<&TableAlias>) -> PgResult<Alias> {
        let Some(alias) = alias else {
            return Ok(Alias::default());
        };
        if alias.at.is_some() {
            return self.refuse("AT in an alias", self.at(alias.name.span));
        }
        if let Some(column) = alias.columns.iter().find(|c| c.data_type.is_some()) {
            return self.refuse("a column definition list", self.at(column.name.span));
        }
        Ok(Alias {
            name: Some(quote::fold(&alias.name)),
            columns: alias.columns.iter().map(|c| quote::fold(&c.name)).collect(),
            at: self.at(alias.name.span),
        })
    }

    /// Registers a relation and writes ` AS "alias"("c", …)` behind its text.
    pub(super) fn place(
        &mut self,
        body: String,
        alias: Alias,
        default: (&str, Option<String>),
        mut columns: Vec<Column>,
        known: bool,
        table: Option<usize>,
    ) -> PgResult<String> {
        let given = alias.name.is_some();
        let name = alias.name.unwrap_or_else(|| default.0.to_owned());
        if known && alias.columns.len() > columns.len() {
            return Err(PgError::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!(
                    "table \"{name}\" has {} columns available but {} columns specified",
                    columns.len(),
                    alias.columns.len()
                ),
            )
            .or_position(alias.at));
        }
        let renamed = !alias.columns.is_empty();
        for (n, new) in alias.columns.iter().enumerate() {
            match columns.get_mut(n) {
                Some(column) => column.name = new.clone(),
                None => columns.push(Column { name: new.clone(), engine: new.clone(), ty: None, origin: None }),
            }
        }
        let mut list = String::new();
        if renamed {
            unique(&mut columns);
            let names: Vec<String> = columns.iter().map(|c| quote::name(&c.engine)).collect();
            list = format!("({})", names.join(", "));
        } else if table.is_some() {
            // The engine tells names apart without regard to case: two that differ only there cannot be told apart.
            let mut seen = std::collections::HashSet::new();
            if let Some(column) = columns.iter().find(|c| !seen.insert(c.name.to_lowercase())) {
                return self
                    .refuse(&format!("a table with columns that differ only in case (\"{}\")", column.name), alias.at);
            }
        }
        let engine = self.engine_alias(if name.is_empty() { "sub" } else { &name });
        let texts = super::lent_interval::has_texts(&body);
        let text = format!("{body} AS {}{list}", quote::name(&engine));
        let relation = Relation {
            name,
            schema: if given { None } else { default.1 },
            engine,
            columns,
            known: known || (renamed && table.is_none()),
            table,
            scalar: false,
            texts,
        };
        self.add_relation(relation)?;
        Ok(text)
    }

    /// A relation by its name.
    fn relation(&mut self, name: &ObjectName, mut alias: Alias) -> PgResult<String> {
        if alias.at.is_none() {
            alias.at = self.at(name.span());
        }
        match self.resolve(name)? {
            Target::Cte(cte) => {
                let body = self.with_interval_texts(quote::name(&cte.engine), &cte.columns, cte.known);
                self.place(body, alias, (&cte.name, None), cte.columns.clone(), cte.known, None)
            }
            Target::Extra(relation) => self.place(
                quote::name(&relation.engine),
                alias,
                (&relation.name, None),
                relation.columns.clone(),
                true,
                None,
            ),
            Target::Table(table, schema) => self.table(table, schema, alias),
            Target::View(view, schema) => self.view(&view, schema, alias),
            Target::System(shape) => self.system_relation(shape, alias),
            Target::Sequence(sequence, schema) => self.sequence_relation(&sequence, &schema, alias),
        }
    }

    fn system_relation(&mut self, shape: &'static Shape, alias: Alias) -> PgResult<String> {
        self.bounded("subquery")?;
        if self.audience == Audience::Lake {
            return self.refuse("a view over system relations", alias.at);
        }
        let view = self.use_system(shape.schema, shape.name);
        let columns = shape.columns.iter().zip(1_i16..).map(|(column, number)| Column {
            name: column.name.to_owned(),
            engine: column.name.to_owned(),
            ty: Some(column.ty.clone()),
            origin: Some(Origin::Relation(shape.oid, number)),
        });
        let mut columns: Vec<Column> = columns.collect();
        if alias.columns.is_empty() && shape.kind == 'r' {
            // Behind all others, and not in `*`.
            columns.extend(system_column::of_system(shape.oid));
        }
        let place = (shape.name, Some(shape.schema.to_owned()));
        self.place(quote::name(&view), alias, place, columns, true, None)
    }

    fn table(&mut self, table: Arc<TableDef>, schema: String, alias: Alias) -> PgResult<String> {
        let mut columns = super::table_columns(&table);
        let index = self.tables.len();
        let earlier = self.tables.iter().filter(|t| t.table.id == table.id).count();
        // Each use has a view of its own: conditions that prune one must not prune the other.
        let view = match earlier {
            0 => format!("t_{}", table.id),
            n => format!("t_{}_{}", table.id, n + 1),
        };
        let body = match self.audience {
            Audience::Engine if alias.columns.is_empty() => {
                let (body, hidden) = self.with_tableoid(quote::name(&view), &table);
                columns.extend(hidden);
                body
            }
            Audience::Engine => quote::name(&view),
            Audience::Lake => format!(
                "{{DUCKLAKE_CATALOG}}.{}.{}",
                quote::name(super::relations::lake_schema(&schema)),
                quote::name(&table.name)
            ),
        };
        let name = table.name.clone();
        self.tables.push(TableUse { table, view, filters: Vec::new() });
        let body = self.with_interval_texts(body, &columns, true);
        self.place(body, alias, (&name, Some(schema)), columns, true, Some(index))
    }

    /// A view stands for its query.
    fn view(&mut self, view: &ViewDef, schema: String, alias: Alias) -> PgResult<String> {
        if self.audience == Audience::Lake {
            let columns = view
                .columns
                .iter()
                .map(|(name, ty)| Column {
                    name: name.clone(),
                    engine: name.clone(),
                    ty: Some(ty.clone()),
                    origin: None,
                })
                .collect::<Vec<_>>();
            let known = !columns.is_empty();
            let body = format!(
                "{{DUCKLAKE_CATALOG}}.{}.{}",
                quote::name(super::relations::lake_schema(&schema)),
                quote::name(&view.name)
            );
            return self.place(body, alias, (&view.name, Some(schema)), columns, known, None);
        }
        self.view_depth += 1;
        self.views += 1;
        // Views of views that each name others twice grow by powers: the depth alone bounds nothing.
        if self.view_depth > VIEW_DEPTH_MAX || self.views > VIEWS_MAX {
            return Err(super::too_complex().or_position(alias.at));
        }
        let scopes = std::mem::take(&mut self.scopes);
        let ctes = std::mem::take(&mut self.ctes);
        let extra = self.extra.take();
        let foreign = std::mem::replace(&mut self.dialect_duckdb, view.postgres_sql.is_none());
        let asks = Some(view.postgres_sql.as_deref().is_some_and(super::system_column::is_tableoid_named));
        let asked = std::mem::replace(&mut self.names_tableoid, asks);
        let rows = super::view_text::query(view).and_then(|query| self.query(&query, None));
        self.dialect_duckdb = foreign;
        self.names_tableoid = asked;
        self.scopes = scopes;
        self.ctes = ctes;
        self.extra = extra;
        self.view_depth -= 1;
        let mut rows = rows.map_err(|error| match error.code() {
            SqlState::INSUFFICIENT_PRIVILEGE => error,
            _ => error.context(format!("view \"{}\"", view.name)),
        })?;
        if rows.known && view.columns.len() == rows.columns.len() {
            for (column, (name, _)) in rows.columns.iter_mut().zip(&view.columns) {
                column.name.clone_from(name);
            }
        }
        for (column, number) in rows.columns.iter_mut().zip(1_i16..) {
            // A view's columns are its own, not its tables'.
            column.origin = Some(Origin::Relation(oids::view(view.id), number));
        }
        let body = self.with_interval_texts(format!("({})", rows.sql), &rows.columns, rows.known);
        self.place(body, alias, (&view.name, Some(schema)), rows.columns, rows.known, None)
    }

    fn derived(&mut self, lateral: bool, query: &Query, alias: Option<&TableAlias>) -> PgResult<String> {
        let alias = self.alias(alias)?;
        // Without LATERAL a subquery does not see its neighbours.
        let hidden = if lateral { None } else { self.scopes.pop() };
        let below = std::mem::replace(&mut self.lent_below, self.scopes.len());
        let rows = self.query(query, None);
        self.lent_below = below;
        self.scopes.extend(hidden);
        let mut rows = rows?;
        for column in &mut rows.columns {
            column.origin = column.origin.take().filter(|_| rows.known);
        }
        let body = format!("{}({})", if lateral { "LATERAL " } else { "" }, rows.sql);
        let body = self.with_interval_texts(body, &rows.columns, rows.known);
        self.place(body, alias, ("", None), rows.columns, rows.known, None)
    }

    fn sample(&mut self, sample: Option<&TableSampleKind>) -> PgResult<String> {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return Ok(String::new());
        };
        let method = match sample.name {
            Some(TableSampleMethod::Bernoulli) => "BERNOULLI",
            Some(TableSampleMethod::System) => "SYSTEM",
            _ => return self.refuse("this sampling method", None),
        };
        let quantity = sample.quantity.as_ref().filter(|quantity| quantity.unit.is_none());
        let Some(quantity) = quantity.and_then(|quantity| super::literal::constant_number(&quantity.value)) else {
            return self.refuse("a sample percentage that is computed", None);
        };
        let Some(percent) = Some(quantity).filter(|p| (0.0..=100.0).contains(p)) else {
            return Err(PgError::new(SqlState("2202H"), "sample percentage must be between 0 and 100"));
        };
        if sample.bucket.is_some() || sample.offset.is_some() {
            return self.refuse("this form of TABLESAMPLE", None);
        }
        let seed = match &sample.seed {
            Some(seed) => match &seed.value.value {
                sqlparser::ast::Value::Number(n, _) => match n.parse::<u32>() {
                    Ok(n) => format!(" REPEATABLE ({n})"),
                    Err(_) => return self.refuse("this seed", None),
                },
                _ => return self.refuse("this seed", None),
            },
            None => String::new(),
        };
        Ok(format!(" TABLESAMPLE {method} ({percent} PERCENT){seed}"))
    }
}
