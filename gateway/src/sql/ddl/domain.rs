//! CREATE and ALTER DOMAIN.

use std::sync::Arc;

use duckmesh_catalog::{ColumnDef, DomainCheck, DomainSpec, TableDef, TypeDef, TypeSpec, ddl::DdlOp};
use sqlparser::{
    ast::{ColumnOption, DataType, Expr, Ident, Statement},
    parser::Parser,
};
use uuid::Uuid;

use super::{
    Planner,
    alter::{Altered, schema_field},
    names::{generated, quote, schema_in_sql},
    preparse::object,
};
use crate::sql::dialect::Postgres;
use crate::{
    sql::{
        domain, parse,
        plan::{Plan, PlanContext},
        query,
        rewrite::Rewriter,
        scan::Scan,
        user_type,
    },
    wire::error::{PgError, PgResult, SqlState},
};

/// What was said after the name.
struct Said {
    data_type: DataType,
    default: Option<Expr>,
    nullable: Option<bool>,
    /// Name and expression.
    checks: Vec<(Option<Ident>, Expr)>,
}

/// CREATE DOMAIN, after these words.
pub(super) fn create(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let parts = scan.name()?;
    scan.word(&["as"]);
    let rest = scan.text().get(scan.byte()..).unwrap_or_default();
    let rest = rest.trim_end().trim_end_matches(';');
    let said = said(rest, || scan.unexpected())?;
    let declared = user_type::resolve(&said.data_type, ctx)?;
    if let duckmesh_catalog::ColumnType::Record(_) = declared.ty {
        return Err(PgError::unsupported("a domain over a composite type is not supported")
            .hint("Use the composite type, and a CHECK constraint of the table."));
    }
    let (schema, name) = planner.place_for_type(&object(&parts))?;
    let default = match &said.default {
        Some(expr) => planner.default(expr, &name, &declared.ty)?,
        None => None,
    };
    let mut spec = DomainSpec {
        base: declared.ty,
        parent: declared.domain.map(|domain| domain.uuid),
        nullable: said.nullable != Some(false),
        default,
        checks: Vec::new(),
    };
    for (given, expr) in said.checks {
        let check = planner.domain_check(&name, &spec, given.as_ref(), &expr)?;
        spec.checks.push(check);
    }
    let spec = TypeSpec::Domain(spec);
    planner.ops.push(DdlOp::CreateType { uuid: Uuid::new_v4(), schema: schema.uuid, name, spec });
    Ok(planner.finish("CREATE DOMAIN"))
}

/// What stands after the name: its grammar is that of a column, which the parser knows.
fn said(text: &str, unexpected: impl Fn() -> PgError) -> PgResult<Said> {
    let sql = format!("CREATE TABLE x (value {text}\n)");
    let parsed = Parser::parse_sql(&Postgres {}, &sql);
    let Ok([Statement::CreateTable(table)]) = parsed.as_deref() else { return Err(unexpected()) };
    let ([column], []) = (table.columns.as_slice(), table.constraints.as_slice()) else { return Err(unexpected()) };
    let mut said = Said { data_type: column.data_type.clone(), default: None, nullable: None, checks: Vec::new() };
    for option in &column.options {
        match &option.option {
            ColumnOption::Null | ColumnOption::NotNull => {
                let nullable = matches!(option.option, ColumnOption::Null);
                if said.nullable.is_some_and(|before| before != nullable) {
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints"));
                }
                said.nullable = Some(nullable);
            }
            ColumnOption::Check(check) => {
                let name = option.name.clone().or_else(|| check.name.clone());
                said.checks.push((name, (*check.expr).clone()));
            }
            ColumnOption::Default(_) if said.default.is_some() => {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "multiple default expressions"));
            }
            ColumnOption::Default(expr) => said.default = Some(expr.clone()),
            ColumnOption::Collation(collation) => {
                if !matches!(collation.to_string().trim_matches('"'), "C" | "POSIX" | "default" | "ucs_basic") {
                    return Err(PgError::unsupported(format!("collation {collation} is not supported"))
                        .hint("Text is compared by its bytes: COLLATE \"C\"."));
                }
            }
            ColumnOption::PrimaryKey(_) | ColumnOption::Unique(_) => {
                let what = if matches!(option.option, ColumnOption::Unique(_)) { "unique" } else { "primary key" };
                let message = format!("{what} constraints not possible for domains");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
            _ => return Err(unexpected()),
        }
    }
    Ok(said)
}

/// ALTER DOMAIN, after these words.
pub(super) fn alter(mut scan: Scan<'_>, ctx: &PlanContext) -> PgResult<Plan> {
    let mut planner = Planner::new(scan.text(), ctx);
    let parts = scan.name()?;
    let def = planner.type_named(&parts)?;
    let TypeSpec::Domain(spec) = &def.spec else {
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("{} is not a domain", def.name)));
    };
    let mut spec = spec.clone();
    if scan.word(&["set", "not", "null"]) {
        scan.done(())?;
        if spec.nullable {
            planner.values_hold(&def, "VALUE IS NOT NULL", |column, table| {
                let message = format!("column \"{column}\" of table \"{table}\" contains null values");
                PgError::new(SqlState::NOT_NULL_VIOLATION, message)
            })?;
        }
        spec.nullable = false;
    } else if scan.word(&["drop", "not", "null"]) {
        scan.done(())?;
        spec.nullable = true;
    } else if scan.word(&["drop", "default"]) {
        scan.done(())?;
        spec.default = None;
    } else if scan.word(&["set", "default"]) {
        let text = scan.text().get(scan.byte()..).unwrap_or_default().trim_end().trim_end_matches(';');
        let expr = parse::expression(text)?;
        spec.default = planner.default(&expr, &def.name, &spec.base)?;
    } else if scan.sees(&["add"]) {
        add_check(&mut scan, &mut planner, &def, &mut spec)?;
    } else if scan.word(&["drop", "constraint"]) {
        drop_check(&mut scan, &mut planner, &def, &mut spec)?;
    } else if scan.word(&["rename", "constraint"]) {
        let old = scan.ident()?;
        scan.expect_word(&["to"])?;
        let new = scan.ident()?;
        scan.done(())?;
        if spec.checks.iter().any(|c| c.name == new) {
            let message = format!("constraint \"{new}\" for domain {} already exists", def.name);
            return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
        }
        let check = spec.checks.iter_mut().find(|c| c.name == old).ok_or_else(|| no_check(&old, &def))?;
        check.name = new;
    } else if scan.word(&["validate", "constraint"]) {
        let name = scan.ident()?;
        scan.done(())?;
        let Some(check) = spec.checks.iter().find(|c| c.name == name) else {
            return Err(no_check(&name, &def));
        };
        planner.values_hold(&def, &check.expression, violated)?;
        return Ok(planner.finish("ALTER DOMAIN"));
    } else {
        planner.alter_any(&mut scan, &def, "ALTER DOMAIN")?;
        return Ok(planner.finish("ALTER DOMAIN"));
    }
    planner.put_type(&def, TypeSpec::Domain(spec));
    Ok(planner.finish("ALTER DOMAIN"))
}

fn violated(column: &str, table: &str) -> PgError {
    let message = format!("column \"{column}\" of table \"{table}\" contains values that violate the new constraint");
    PgError::new(SqlState::CHECK_VIOLATION, message)
}

fn no_check(name: &str, def: &TypeDef) -> PgError {
    let message = format!("constraint \"{name}\" of domain \"{}\" does not exist", def.name);
    PgError::new(SqlState::UNDEFINED_OBJECT, message)
}

fn add_check(scan: &mut Scan<'_>, planner: &mut Planner<'_>, def: &TypeDef, spec: &mut DomainSpec) -> PgResult<()> {
    scan.word(&["add"]);
    let text = scan.text().get(scan.byte()..).unwrap_or_default().trim_end().trim_end_matches(';').trim_end();
    let lower = text.to_ascii_lowercase();
    let not_valid = lower.ends_with("not valid");
    let text = if not_valid { text.get(..text.len() - "not valid".len()).unwrap_or_default() } else { text };
    let said = said(&format!("int {text}"), || scan.unexpected())?;
    if said.default.is_some() || said.nullable.is_some() || said.checks.len() != 1 {
        return Err(scan.unexpected());
    }
    for (given, expr) in said.checks {
        let check = planner.domain_check(&def.name, spec, given.as_ref(), &expr)?;
        if !not_valid {
            planner.values_hold(def, &check.expression, violated)?;
        }
        spec.checks.push(check);
    }
    Ok(())
}

fn drop_check(scan: &mut Scan<'_>, planner: &mut Planner<'_>, def: &TypeDef, spec: &mut DomainSpec) -> PgResult<()> {
    let if_exists = scan.word(&["if", "exists"]);
    let name = scan.ident()?;
    if !scan.word(&["cascade"]) {
        scan.word(&["restrict"]);
    }
    scan.done(())?;
    let before = spec.checks.len();
    spec.checks.retain(|c| c.name != name);
    if spec.checks.len() == before {
        if !if_exists {
            return Err(no_check(&name, def));
        }
        let message = format!("constraint \"{name}\" of domain \"{}\" does not exist, skipping", def.name);
        planner.notices.push(PgError::notice(message));
    }
    Ok(())
}

impl Planner<'_> {
    /// A check with its name, which must be an expression over `VALUE`.
    fn domain_check(
        &mut self,
        domain_name: &str,
        spec: &DomainSpec,
        given: Option<&Ident>,
        expr: &Expr,
    ) -> PgResult<DomainCheck> {
        let expression = user_type::stored(expr, self.ctx);
        let mut rewriter = Rewriter::new(self.ctx, &expression);
        let null = spec.base.cast("NULL");
        domain::condition(&mut rewriter, &expression, &null, &spec.base).map_err(|e| {
            // Its position counts from the expression's start.
            PgError::new(e.code(), e.fields().message.clone())
        })?;
        let taken = |name: &str| spec.checks.iter().any(|c| c.name == name);
        let name = match given {
            Some(ident) => {
                let name = self.fold(ident)?;
                if taken(&name) {
                    let message = format!("constraint \"{name}\" for domain \"{domain_name}\" already exists");
                    return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
                }
                name
            }
            None => {
                let mut number = 0;
                let mut name = generated(domain_name, None, "check");
                while taken(&name) {
                    number += 1;
                    name = generated(domain_name, None, &format!("check{number}"));
                }
                name
            }
        };
        Ok(DomainCheck { name, expression })
    }

    /// What rows that are there show in a new column must fit its domain.
    pub(super) fn domain_takes(&mut self, table: &Altered, column: &ColumnDef) -> PgResult<()> {
        let Some(domain) = column.domain else { return Ok(()) };
        let lake = self.ctx.schema.clone();
        let Some(of) = lake.type_by_uuid(domain) else { return Ok(()) };
        let value = match &column.initial_default {
            Some(text) => format!("CAST('{}' AS {})", text.replace('\'', "''"), column.ty),
            None => format!("CAST(NULL AS {})", column.ty),
        };
        for (expression, error) in domain::expressions(&lake, of) {
            let sql = format!(
                "SELECT 1 FROM (SELECT {value} AS value FROM {}.{}) AS x WHERE NOT ({expression}) LIMIT 1",
                quote(schema_field(table)),
                quote(&table.old.name)
            );
            let tree = parse::query(&sql)?;
            let plan = query::plan_query(&tree, &sql, self.ctx)?;
            self.validations.push((plan, error));
        }
        Ok(())
    }

    /// Rows that are there must fit: of every column that was declared with the domain, or one over it.
    fn values_hold(&mut self, def: &TypeDef, expression: &str, error: impl Fn(&str, &str) -> PgError) -> PgResult<()> {
        let lake = self.ctx.schema.clone();
        let over = |uuid: Uuid| domain::chain(&lake, uuid).iter().any(|(below, _)| below.uuid == def.uuid);
        let columns: Vec<(Arc<TableDef>, ColumnDef)> = lake
            .tables
            .values()
            .flat_map(|t| t.columns.iter().map(move |c| (Arc::clone(t), c.clone())))
            .filter(|(_, c)| c.domain.is_some_and(over))
            .collect();
        for (table, column) in columns {
            let schema = schema_in_sql(lake.schema_name(table.schema_id).unwrap_or_default());
            let sql = format!(
                "SELECT 1 FROM (SELECT {} AS value FROM {}.{}) AS x WHERE NOT ({expression}) LIMIT 1",
                quote(&column.name),
                quote(schema),
                quote(&table.name)
            );
            let tree = parse::query(&sql)?;
            let plan = query::plan_query(&tree, &sql, self.ctx)?;
            let error = error(&column.name, &table.name).schema(schema).table(&table.name).column(&column.name);
            self.validations.push((plan, error));
        }
        Ok(())
    }
}
