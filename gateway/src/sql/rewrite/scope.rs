//! Which names stand for which columns.

use std::ops::ControlFlow;

use duckmesh_catalog::ColumnType;
use sqlparser::ast::{Expr, Ident, WindowSpec, visit_expressions};

use super::{
    Ex, Kind, Rewriter,
    record::row_of,
    scale,
    system_column::{self, is_hidden},
};
use crate::{
    sql::{ddl::names, plan::Origin, quote},
    wire::error::{PgError, PgResult, SqlState},
};

/// A column of a relation or of a query's output.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Column {
    /// Its Postgres name.
    pub name: String,
    /// Its name for the engine: unique without regard to case.
    pub engine: String,
    pub ty: Option<ColumnType>,
    pub origin: Option<Origin>,
}

/// A relation in FROM.
#[derive(Clone, Debug, Default)]
pub(in crate::sql) struct Relation {
    /// The name columns are qualified with.
    pub name: String,
    /// The schema it was found in, for `public.orders.id`; none under an alias.
    pub schema: Option<String>,
    /// The alias for the engine.
    pub engine: String,
    pub columns: Vec<Column>,
    /// Whether `columns` is all there is.
    pub known: bool,
    /// Index in `Rewriter::tables`.
    pub table: Option<usize>,
    /// Whether it is a function that gives single values: its name alone is the value.
    pub scalar: bool,
    /// Whether the texts of its intervals stand beside them.
    pub texts: bool,
}

/// A column of `SELECT *`, in order.
#[derive(Clone, Debug)]
pub(in crate::sql) enum Star {
    /// A relation's column.
    Column(usize, usize),
    /// A column that USING or NATURAL made of two: its text.
    Merged(Column, String),
    /// All of a relation whose columns are not known.
    All(usize),
}

/// The names of one FROM.
#[derive(Clone, Debug, Default)]
pub(in crate::sql) struct Scope {
    pub relations: Vec<Relation>,
    pub star: Vec<Star>,
    /// Whether some join is an outer one: then conditions of ON say nothing about all rows.
    pub outer_join: bool,
    /// What WINDOW names, each made of all it is made from.
    pub windows: Vec<(String, WindowSpec)>,
    /// Whether a relation may be missing in a row.
    pub nullable: Vec<usize>,
    /// Whether clauses may repeat each other's expressions, as GROUP BY and DISTINCT ON ask for.
    pub repeats: bool,
    /// What GROUP BY and DISTINCT ON are by, where it is more than a column.
    pub keys: Vec<Expr>,
    /// Subqueries and keys that were written: the same one again is the same text.
    pub asked: Vec<(Expr, bool, Ex)>,
}

/// A common table expression in scope.
#[derive(Clone, Debug)]
pub(in crate::sql) struct Cte {
    pub name: String,
    pub engine: String,
    pub columns: Vec<Column>,
    pub known: bool,
}

impl Rewriter<'_> {
    /// An alias that no relation around has.
    pub fn engine_alias(&mut self, name: &str) -> String {
        let lower = name.to_lowercase();
        let taken = self.scopes.iter().flat_map(|s| &s.relations).any(|r| r.engine.to_lowercase() == lower);
        if taken || lower.is_empty() { format!("{name}_r{}", self.number()) } else { name.to_owned() }
    }

    /// Adds a relation to the innermost scope.
    pub fn add_relation(&mut self, relation: Relation) -> PgResult<usize> {
        let Some(scope) = self.scopes.last_mut() else {
            return Err(PgError::internal("a relation without a scope"));
        };
        if !relation.name.is_empty()
            && scope.relations.iter().any(|r| {
                r.name == relation.name
                    && (r.schema == relation.schema || r.schema.is_none() || relation.schema.is_none())
            })
        {
            return Err(PgError::new(
                SqlState::DUPLICATE_ALIAS,
                format!("table name \"{}\" specified more than once", relation.name),
            ));
        }
        let index = scope.relations.len();
        if relation.known {
            let shown = relation.columns.iter().enumerate().filter(|(_, c)| !is_hidden(c));
            scope.star.extend(shown.map(|(c, _)| Star::Column(index, c)));
        } else {
            scope.star.push(Star::All(index));
        }
        scope.relations.push(relation);
        Ok(index)
    }

    /// Whether these expressions are about queries outside of this one alone: their aggregate is the outer query's.
    pub(super) fn are_of_outer_query(&self, exprs: &[&Expr]) -> bool {
        let Some(inner) = self.scopes.last().filter(|_| self.scopes.len() > 1) else { return false };
        let has = |name: &str| inner.relations.iter().any(|r| !r.known || r.columns.iter().any(|c| c.name == name));
        let mut outer = false;
        let mut own_of = |part: &Expr| {
            let own = match part {
                Expr::Identifier(ident) => has(&quote::fold(ident)),
                Expr::CompoundIdentifier(parts) => {
                    let table = parts.first().map(quote::fold);
                    inner.relations.iter().any(|r| table.as_ref() == Some(&r.name))
                }
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => true,
                _ => return ControlFlow::Continue(()),
            };
            outer |= !own;
            if own { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let own = exprs.iter().any(|expr| visit_expressions(*expr, &mut own_of).is_break());
        outer && !own
    }

    /// `a`, unqualified.
    pub fn column(&mut self, ident: &Ident) -> PgResult<Ex> {
        let name = quote::fold(ident);
        let at = self.at(ident.span);
        if ident.quote_style.is_none() && name == "default" {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context").or_position(at));
        }
        if ident.quote_style.is_none() && !self.in_view() && names::is_reserved(&name) {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{}\"", ident.value))
                .or_position(at));
        }
        // A word of the grammar, and a function: never a column.
        if ident.quote_style.is_none()
            && matches!(name.as_str(), "current_schema" | "current_role")
            && let Some(ex) = self.session_call(&name, &[], at)?
        {
            return Ok(ex);
        }
        let mut guess = false;
        for (depth, scope) in self.scopes.iter().rev().enumerate() {
            let mut found: Option<Ex> = None;
            for star in &scope.star {
                let ex = match star {
                    Star::Column(r, c) => match scope.relations.get(*r) {
                        Some(relation) => match relation.columns.get(*c) {
                            Some(column) if column.name == name => {
                                self.lent_interval(depth, relation, *c, column_ex(relation, column))
                            }
                            _ => continue,
                        },
                        None => continue,
                    },
                    Star::Merged(column, sql) if column.name == name => {
                        Ex { origin: column.origin.clone(), ..Ex::plain(sql.clone(), column.ty.clone()) }
                    }
                    Star::Merged(..) => continue,
                    Star::All(_) => {
                        guess = true;
                        continue;
                    }
                };
                if found.is_some() {
                    return Err(PgError::new(
                        SqlState::AMBIGUOUS_COLUMN,
                        format!("column reference \"{name}\" is ambiguous"),
                    )
                    .or_position(at));
                }
                found = Some(ex);
            }
            if let Some(ex) = found {
                return Ok(ex.at(at));
            }
            if guess {
                return Ok(Ex::plain(quote::name(&name), None).at(at));
            }
        }
        if let Some(ex) = self.hidden_column(&name, at)? {
            return Ok(ex.at(at));
        }
        let numbered = |s: &Scope| {
            let found = s.relations.iter().enumerate().find(|(_, r)| r.name == name);
            found.map(|(index, relation)| (relation.clone(), s.nullable.contains(&index)))
        };
        let whole_row = self.scopes.iter().rev().find_map(numbered);
        if let Some((relation, _)) = whole_row.as_ref().filter(|(r, _)| r.scalar)
            && let Some(column) = relation.columns.first()
        {
            return Ok(column_ex(relation, column).at(at));
        }
        if let Some((relation, may_miss)) = whole_row {
            if relation.known && self.has_functions() {
                let shown = relation.columns.iter().filter(|c| !is_hidden(c));
                let mut fields: Vec<_> = shown.map(|c| (c.name.clone(), column_ex(&relation, c))).collect();
                // A table's rows have a type of their own, whose fields an alias does not rename.
                let table = relation.table.and_then(|index| self.tables.get(index)).map(|used| used.table.clone());
                if let Some(table) = table.as_ref().filter(|table| table.columns.len() == fields.len()) {
                    fields.iter_mut().zip(&table.columns).for_each(|(field, own)| field.0.clone_from(&own.name));
                }
                let mut ex = self.record(fields)?;
                if let (Some(ColumnType::Record(row)), Some(table)) = (&mut ex.ty, table) {
                    let own = row_of(&table);
                    (row.oid, row.array_oid, row.name) = (own.oid, own.array_oid, own.name);
                }
                // Where an outer join found none, there is no row.
                if may_miss && let Kind::Row(fields) = &ex.kind {
                    let nulls: Vec<String> = fields.iter().map(|(_, sql, _)| format!("{sql} IS NULL")).collect();
                    ex.sql = format!("(CASE WHEN NOT ({}) THEN {} END)", nulls.join(" AND "), ex.sql);
                }
                return Ok(ex.at(at));
            }
            return self.refuse("a whole row as a value", at);
        }
        let hint = self.column_hint(None, &name);
        Err(hinted(undefined_column(&format!("\"{name}\""), at), hint))
    }

    /// `t.a`, `s.t.a`, `db.s.t.a`.
    pub fn qualified_column(&mut self, parts: &[Ident]) -> PgResult<Ex> {
        let at = parts.first().and_then(|p| self.at(p.span));
        let names: Vec<String> = parts.iter().map(quote::fold).collect();
        let (schema, table, name) = match names.as_slice() {
            [table, name] => (None, table, name),
            [schema, table, name] => (Some(schema.as_str()), table, name),
            [lake, schema, table, name] if lake == self.ctx.lake.as_str() => (Some(schema.as_str()), table, name),
            [_, _, _, _] => {
                return self.refuse("a reference to another database", at);
            }
            _ => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "improper qualified name (too many dotted names)")
                    .or_position(at));
            }
        };
        let relation = self.relation_named(schema, table, at)?.clone();
        match relation.columns.iter().position(|c| c.name == *name).and_then(|n| Some((n, relation.columns.get(n)?))) {
            Some((place, column)) => {
                let own = |scope: &Scope| scope.relations.iter().any(|r| r.engine == relation.engine);
                let depth = self.scopes.iter().rev().position(own).unwrap_or_default();
                Ok(self.lent_interval(depth, &relation, place, column_ex(&relation, column)).at(at))
            }
            None if !relation.known => {
                Ok(Ex::plain(format!("{}.{}", quote::name(&relation.engine), quote::name(name)), None).at(at))
            }
            None => {
                let missing = system_column::missing(&relation, name, at);
                let hint = || self.column_hint(Some(table), name);
                Err(missing.unwrap_or_else(|| hinted(undefined_column(&format!("{table}.{name}"), at), hint())))
            }
        }
    }

    /// The relation that qualifies a column.
    pub fn relation_named(&self, schema: Option<&str>, table: &str, at: Option<u32>) -> PgResult<&Relation> {
        self.scopes
            .iter()
            .rev()
            .flat_map(|s| &s.relations)
            .find(|r| r.name == *table && (schema.is_none() || r.schema.as_deref() == schema))
            .ok_or_else(|| {
                let (what, hint) = match self.renamed(table) {
                    Some(relation) => (
                        "invalid reference to",
                        Some(format!("Perhaps you meant to reference the table alias \"{}\".", relation.name)),
                    ),
                    None => ("missing", None),
                };
                let message = format!("{what} FROM-clause entry for table \"{table}\"");
                hinted(PgError::new(SqlState::UNDEFINED_TABLE, message).or_position(at), hint)
            })
    }

    /// What `*` shows of a scope: names and texts. The flag: whether that is all.
    pub fn star(&self, scope: &Scope) -> (Vec<(Column, String)>, bool) {
        let mut all = true;
        let mut columns = Vec::new();
        for star in &scope.star {
            match star {
                Star::Column(r, c) => {
                    let relation = scope.relations.get(*r);
                    if let Some((relation, column)) = relation.and_then(|r| Some((r, r.columns.get(*c)?))) {
                        columns.push((column.clone(), column_ex(relation, column).sql));
                    }
                }
                Star::Merged(column, sql) => columns.push((column.clone(), sql.clone())),
                Star::All(r) => {
                    all = false;
                    if let Some(relation) = scope.relations.get(*r) {
                        columns.push((
                            Column { name: "*".into(), engine: String::new(), ty: None, origin: None },
                            format!("{}.*", quote::name(&relation.engine)),
                        ));
                    }
                }
            }
        }
        (columns, all)
    }
}

pub(super) fn column_ex(relation: &Relation, column: &Column) -> Ex {
    Ex {
        origin: column.origin.clone(),
        ..scale::of_column(
            format!("{}.{}", quote::name(&relation.engine), quote::name(&column.engine)),
            column.ty.clone(),
        )
    }
}

fn hinted(error: PgError, hint: Option<String>) -> PgError {
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

pub(in crate::sql) fn undefined_column(shown: &str, at: Option<u32>) -> PgError {
    PgError::new(SqlState::UNDEFINED_COLUMN, format!("column {shown} does not exist")).or_position(at)
}
