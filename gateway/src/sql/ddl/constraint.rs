//! CHECK, PRIMARY KEY, UNIQUE and FOREIGN KEY, with the names Postgres gives them.

use std::ops::ControlFlow;

use duckmesh_catalog::{
    ColumnId, TableDef,
    ddl::DdlOp,
    schema::{Constraint, ConstraintKind, ConstraintOptions},
};
use sqlparser::ast::{
    self, CheckConstraint, ColumnOption, Expr, ForeignKeyConstraint, Ident, IndexColumn, NullsDistinctOption,
    PrimaryKeyConstraint, Spanned, TableConstraint, UniqueConstraint, visit_expressions,
};

use super::{
    Planner,
    foreign_key::deferral,
    lookup::{Relation, no_relation, relation_in},
    names::{generated, schema_in_lake},
    place,
};
use crate::{
    session::temporary::is_temporary,
    sql::user_type,
    wire::error::{PgError, PgResult, SqlState},
};

/// A constraint as it was said, of a column or of the table.
#[derive(Clone)]
pub(super) struct Pending<'a> {
    name: Option<&'a Ident>,
    said: Said<'a>,
    /// The column it was said at.
    column: Option<String>,
}

#[derive(Clone, Copy)]
enum Said<'a> {
    Check(&'a CheckConstraint),
    PrimaryKey(&'a PrimaryKeyConstraint),
    Unique(&'a UniqueConstraint),
    ForeignKey(&'a ForeignKeyConstraint),
    Refused(&'static str),
}

/// Collects the constraints said at a column.
pub(super) fn of_column<'a>(column: &'a ast::ColumnDef, folded: &str, pending: &mut Vec<Pending<'a>>) {
    for option in &column.options {
        let said = match &option.option {
            ColumnOption::Check(check) => Said::Check(check),
            ColumnOption::PrimaryKey(key) => Said::PrimaryKey(key),
            ColumnOption::Unique(key) => Said::Unique(key),
            ColumnOption::ForeignKey(key) => Said::ForeignKey(key),
            _ => continue,
        };
        pending.push(Pending { name: option.name.as_ref(), said, column: Some(folded.to_owned()) });
    }
}

impl<'a> Pending<'a> {
    /// A constraint said at the table.
    pub(super) fn of_table(constraint: &'a TableConstraint) -> Self {
        let (name, said) = match constraint {
            TableConstraint::Check(check) => (check.name.as_ref(), Said::Check(check)),
            TableConstraint::PrimaryKey(key) => (key.name.as_ref(), Said::PrimaryKey(key)),
            TableConstraint::Unique(key) => (key.name.as_ref(), Said::Unique(key)),
            TableConstraint::ForeignKey(key) => (key.name.as_ref(), Said::ForeignKey(key)),
            TableConstraint::Exclude(_) => (None, Said::Refused("EXCLUDE constraints")),
            _ => (None, Said::Refused("this kind of constraint")),
        };
        Self { name, said, column: None }
    }

    /// Whether it refers to another constraint, which has to be there before it.
    pub(super) fn is_foreign_key(&self) -> bool {
        matches!(self.said, Said::ForeignKey(_))
    }

    /// Where its expression stands.
    pub(super) fn expression_at(&self, text: &str) -> Option<u32> {
        match &self.said {
            Said::Check(check) => place::of_span(text, check.expr.span()),
            _ => None,
        }
    }
}

impl Planner<'_> {
    /// The constraint with its name; a primary key makes its columns NOT NULL.
    pub(super) fn constraint(
        &mut self,
        table: &mut TableDef,
        schema: &str,
        pending: &Pending<'_>,
    ) -> PgResult<Constraint> {
        let own = pending.column.as_deref();
        let (kind, second, label) = match &pending.said {
            Said::Refused(what) => {
                return Err(PgError::unsupported(format!("{what} are not supported")));
            }
            Said::Check(check) => {
                let kind = ConstraintKind::Check { expression: user_type::stored(&check.expr, self.ctx) };
                // Also behind a column the name is of what the condition reads.
                (kind, only_column(&check.expr), "check")
            }
            Said::PrimaryKey(key) => {
                let columns = self.key(table, &key.columns, own, "primary key")?;
                let has_key = |c: &Constraint| matches!(c.kind, ConstraintKind::PrimaryKey { .. });
                if table.constraints.iter().any(has_key) {
                    return Err(PgError::new(
                        SqlState::INVALID_TABLE_DEFINITION,
                        format!("multiple primary keys for table \"{}\" are not allowed", table.name),
                    ));
                }
                for column in table.columns.iter_mut().filter(|c| columns.contains(&c.id)) {
                    column.nullable = false;
                }
                (ConstraintKind::PrimaryKey { columns }, None, "pkey")
            }
            Said::Unique(key) => {
                let columns = self.key(table, &key.columns, own, "unique")?;
                let second = joined(table, &columns);
                (ConstraintKind::Unique { columns }, Some(second), "key")
            }
            Said::ForeignKey(key) => {
                let (kind, second) = self.foreign_key(table, schema, key, own)?;
                let name = match pending.name {
                    Some(name) => self.given_name(table, schema, name, &kind)?,
                    None => self.free_name(table, schema, Some(&second), "fkey"),
                };
                self.foreign_key_fits(table, schema, key, &kind, &name)?;
                (kind, Some(second), "fkey")
            }
        };
        let name = match pending.name {
            Some(name) => self.given_name(table, schema, name, &kind)?,
            None => self.free_name(table, schema, second.as_deref(), label),
        };
        let options = self.constraint_options(table, &pending.said)?;
        Ok(Constraint { options, ..Constraint::new(name, kind) })
    }

    /// What a constraint says beyond its kind.
    fn constraint_options(&mut self, table: &TableDef, said: &Said<'_>) -> PgResult<ConstraintOptions> {
        let mut options = ConstraintOptions::default();
        let (characteristics, include) = match said {
            Said::PrimaryKey(key) => (&key.characteristics, key.include.as_slice()),
            Said::Unique(key) => {
                options.nulls_not_distinct = key.nulls_distinct == NullsDistinctOption::NotDistinct;
                (&key.characteristics, key.include.as_slice())
            }
            Said::Check(check) => {
                options.no_inherit = check.no_inherit;
                return Ok(options);
            }
            Said::ForeignKey(_) | Said::Refused(_) => return Ok(options),
        };
        (options.deferrable, options.deferred) = deferral(characteristics.as_ref())?;
        for ident in include {
            let column = self.key_column(table, ident)?;
            options.include.push(column);
        }
        Ok(options)
    }

    fn key_column(&mut self, table: &TableDef, ident: &Ident) -> PgResult<ColumnId> {
        let name = self.fold(ident)?;
        let at = self.at(ident);
        let found = table.column(&name).map(|column| column.id);
        found.ok_or_else(|| {
            let message = format!("column \"{name}\" named in key does not exist");
            PgError::new(SqlState::UNDEFINED_COLUMN, message).or_position(at)
        })
    }

    fn given_name(&mut self, table: &TableDef, schema: &str, name: &Ident, kind: &ConstraintKind) -> PgResult<String> {
        let name = self.fold(name)?;
        // A key has an index of its name.
        if is_key(kind) && self.key_name_taken(table, schema, &name) {
            return Err(super::lookup::already_exists(&name));
        }
        if table.constraints.iter().all(|c| c.name != name) {
            return Ok(name);
        }
        Err(match kind {
            ConstraintKind::Check { .. } if table.id.get() == 0 => {
                PgError::new(SqlState::DUPLICATE_OBJECT, format!("check constraint \"{name}\" already exists"))
            }
            _ => PgError::new(
                SqlState::DUPLICATE_OBJECT,
                format!("constraint \"{name}\" for relation \"{}\" already exists", table.name),
            ),
        })
    }

    /// Whether a key cannot have a name, because a relation of the schema has it.
    pub(super) fn key_name_taken(&self, table: &TableDef, schema: &str, name: &str) -> bool {
        let lake = &self.ctx.schema;
        let has = |t: &TableDef| {
            t.indexes.iter().any(|index| index.name == name)
                || t.constraints.iter().any(|c| c.name == name && is_key(&c.kind))
        };
        // What the statement did to its own table counts, not what that was before.
        let mut others = lake.tables.values().filter(|t| t.schema_id == table.schema_id && t.uuid != table.uuid);
        name == table.name
            || relation_in(lake, schema, name).is_some()
            || has(table)
            || others.any(|t| has(t))
            || self.ops.iter().any(|op| match op {
                DdlOp::CreateIndex { index, .. } => index.name == name,
                DdlOp::CreateSequence { name: other, .. } => other == name,
                _ => false,
            })
    }

    /// The first name of its kind that is free.
    pub(super) fn free_name(&self, table: &TableDef, schema: &str, second: Option<&str>, label: &str) -> String {
        let lake = &self.ctx.schema;
        let is_index = matches!(label, "pkey" | "key");
        let taken = |name: &str| {
            let mut others = lake.tables.values().filter(|t| t.schema_id == table.schema_id && t.uuid != table.uuid);
            table.constraints.iter().any(|c| c.name == name)
                || others.any(|t| t.constraints.iter().any(|c| c.name == name))
                || (is_index && self.key_name_taken(table, schema, name))
        };
        let mut number = 0_u32;
        loop {
            let label = match number {
                0 => label.to_owned(),
                n => format!("{label}{n}"),
            };
            let name = generated(&table.name, second, &label);
            if !taken(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// Constraints of one statement, keys over the same columns once: the primary one, or the first, by a name that one of them has.
    pub(super) fn without_equal_keys<'p>(
        &mut self,
        table: &TableDef,
        all: &[Pending<'p>],
    ) -> PgResult<Vec<Pending<'p>>> {
        type Key = Option<(Vec<ColumnId>, ConstraintOptions)>;
        let mut kept: Vec<(Key, Pending<'p>)> = Vec::with_capacity(all.len());
        for item in all {
            let own = item.column.as_deref();
            let columns = match &item.said {
                Said::PrimaryKey(key) => Some(self.key(table, &key.columns, own, "primary key")?),
                Said::Unique(key) => Some(self.key(table, &key.columns, own, "unique")?),
                _ => None,
            };
            let key = columns
                .map(|columns| Ok::<_, PgError>((columns, self.constraint_options(table, &item.said)?)))
                .transpose()?;
            let known = kept.iter_mut().find(|(known, _)| key.is_some() && *known == key);
            match known {
                // Two primary keys are an error, which is told later.
                Some((_, known)) if !matches!((known.said, item.said), (Said::PrimaryKey(_), Said::PrimaryKey(_))) => {
                    known.name = match item.said {
                        Said::PrimaryKey(_) => item.name.or(known.name),
                        _ => known.name.or(item.name),
                    };
                    if matches!(item.said, Said::PrimaryKey(_)) {
                        (known.said, known.column) = (item.said, item.column.clone());
                    }
                }
                _ => kept.push((key, item.clone())),
            }
        }
        Ok(kept.into_iter().map(|(_, item)| item).collect())
    }

    /// The columns of a key.
    fn key(
        &mut self,
        table: &TableDef,
        columns: &[IndexColumn],
        own: Option<&str>,
        what: &str,
    ) -> PgResult<Vec<ColumnId>> {
        if let Some(own) = own {
            return Ok(table.column(own).map(|c| c.id).into_iter().collect());
        }
        let mut ids = Vec::new();
        for column in columns {
            let Expr::Identifier(ident) = &column.column.expr else {
                return Err(PgError::unsupported("keys over expressions are not supported"));
            };
            let found = self.key_column(table, ident)?;
            if ids.contains(&found) {
                let name = self.fold(ident)?;
                let message = format!("column \"{name}\" appears twice in {what} constraint");
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message).or_position(self.at(ident)));
            }
            ids.push(found);
        }
        Ok(ids)
    }

    /// The table a foreign key refers to; it may be the one that is being made.
    pub(super) fn target(
        &mut self,
        table: &TableDef,
        schema: &str,
        name: &ast::ObjectName,
    ) -> PgResult<((String, String), TableDef)> {
        let (said, target) = self.split(name)?;
        let same_schema = said.as_deref().is_none_or(|s| schema_in_lake(s) == Some(schema));
        if target == table.name && same_schema {
            return Ok(((schema.to_owned(), target), table.clone()));
        }
        match self.find_split(said.as_deref(), &target) {
            Some(relation @ Relation::Table(_)) => {
                let in_schema = relation.schema(&self.ctx.schema).to_owned();
                let Relation::Table(found) = relation else {
                    return Err(no_relation(&target));
                };
                let own = [table, &found].map(is_temporary);
                if own[0] != own[1] {
                    let kind = if own[0] { "temporary" } else { "permanent" };
                    let message = format!("constraints on {kind} tables may reference only {kind} tables");
                    return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
                }
                Ok(((in_schema, target), found.as_ref().clone()))
            }
            Some(Relation::View(_) | Relation::Sequence(_)) => Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("referenced relation \"{target}\" is not a table"),
            )),
            None => {
                let shown = match said {
                    Some(schema) => format!("{schema}.{target}"),
                    None => target,
                };
                Err(no_relation(&shown))
            }
        }
    }
}

/// The only column an expression names; none where it names several, or none.
fn only_column(expr: &Expr) -> Option<String> {
    let mut names = std::collections::BTreeSet::new();
    let _ = visit_expressions(expr, |e| {
        let ident = match e {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(ident) = ident {
            names.insert(match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => super::names::fold(&ident.value),
            });
        }
        ControlFlow::<()>::Continue(())
    });
    if names.len() == 1 { names.pop_first() } else { None }
}

fn joined(table: &TableDef, columns: &[ColumnId]) -> String {
    let names: Vec<_> = columns.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.as_str()).collect();
    names.join("_")
}

/// Whether it is what an index keeps.
pub(super) fn is_key(kind: &ConstraintKind) -> bool {
    matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. })
}
