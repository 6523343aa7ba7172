//! Functions over types that users made.

use duckmesh_catalog::{ColumnType, EnumRef, TypeDef, types::oid};
use sqlparser::ast::DataType;

use super::{Ex, Kind, Rewriter, signature::shown};
use crate::{
    sql::{plan::Origin, quote},
    wire::error::{PgError, PgResult, SqlState},
};

impl Rewriter<'_> {
    /// `enum_range` and its like; `greatest` and `least`, which the engine compares as texts. None: not one of them.
    pub fn enum_call(&mut self, name: &str, values: &mut [Ex], at: Option<u32>) -> PgResult<Option<Ex>> {
        if matches!(name, "greatest" | "least") {
            return self.enum_extreme(name, values);
        }
        if !matches!(name, "enum_range" | "enum_first" | "enum_last") {
            return Ok(None);
        }
        let known = values.iter().find_map(|v| match (&v.ty, &v.kind) {
            (Some(ColumnType::Enum(of)), _) => Some(of.clone()),
            _ => None,
        });
        let Some(of) = known else {
            return Err(self.undefined_function(name, values, at));
        };
        let ty = ColumnType::Enum(of.clone());
        let mut sides = Vec::new();
        for value in values.iter() {
            let value = match (&value.kind, &value.ty) {
                (Kind::Null, _) => Ex { kind: Kind::Plain, ..self.settle(value.clone(), &ty)? },
                _ => self.settle(value.clone(), &ty)?,
            };
            if value.ty.as_ref() != Some(&ty) {
                return Err(self.undefined_function(name, values, at));
            }
            sides.push(value.sql);
        }
        let ex = match (name, sides.as_slice()) {
            ("enum_first", [_]) => edge(&of, of.labels.first().map(|l| l.name.as_str()))?,
            ("enum_last", [_]) => edge(&of, of.labels.last().map(|l| l.name.as_str()))?,
            ("enum_range", [_]) => Ex::of(list(&of)?, ColumnType::Array(Box::new(ty))),
            ("enum_range", [low, high]) => {
                let sql = format!(
                    "list_filter({all}, lambda label: ({low} IS NULL OR label >= {low}) AND ({high} IS NULL OR label <= {high}))",
                    all = list(&of)?
                );
                Ex::of(sql, ColumnType::Array(Box::new(ty)))
            }
            _ => return Err(self.undefined_function(name, values, at)),
        };
        Ok(Some(ex.at(at)))
    }

    /// The oid of an expression's type, as far as it is known: of a column that was declared with a domain the domain's.
    pub fn type_number(&self, value: &Ex) -> Option<u32> {
        match &value.kind {
            Kind::Row(_) => return Some(value.ty.as_ref().map_or(oid::RECORD, ColumnType::oid)),
            _ if value.is_unknown() => return Some(oid::UNKNOWN),
            _ => {}
        }
        if let Some(Origin::Table(table, id)) = &value.origin
            && let Some(domain) = table.column_by_id(*id).and_then(|c| c.domain)
        {
            return self.ctx.schema.type_by_uuid(domain).map(|def| def.oid());
        }
        value.ty.as_ref().map(ColumnType::oid)
    }

    /// A cast to a domain: to the type below it, and then its checks.
    pub fn domain_cast(&mut self, ex: Ex, def: &TypeDef, data_type: &DataType, at: Option<u32>) -> PgResult<Ex> {
        let ex = match &ex.kind {
            Kind::Str(text) => {
                let text = text.clone();
                self.cast_text(&text, data_type, at)?
            }
            _ => {
                let ty = self.type_of(data_type)?;
                self.cast(ex, &ty, at)?
            }
        };
        self.domain_checked(ex, def)
    }

    /// A value of the type below a domain, if the domain takes it.
    pub fn domain_checked(&mut self, ex: Ex, def: &TypeDef) -> PgResult<Ex> {
        let Some(ty) = ex.ty.clone() else { return Ok(ex) };
        let tests = crate::sql::domain::tests(def, &ex.sql, &mut self.session, self.ctx)?;
        if tests.is_empty() {
            return Ok(Ex { kind: Kind::Plain, ..ex });
        }
        let mut whens = String::new();
        for test in tests {
            let message =
                quote::literal(&format!("SQLSTATE {}: {}", test.error.code().0, test.error.fields().message))?;
            let fails = super::literal::cast_to(&format!("error({message})"), &ty);
            whens.push_str(&format!(" WHEN NOT ({}) THEN {fails}", test.sql));
        }
        Ok(Ex::of(format!("(CASE{whens} ELSE {} END)", ex.sql), ty).at(ex.position))
    }

    fn enum_extreme(&mut self, name: &str, values: &mut [Ex]) -> PgResult<Option<Ex>> {
        if !values.iter().any(|v| matches!(v.ty, Some(ColumnType::Enum(_)))) {
            return Ok(None);
        }
        let ty = self.unify(values, &name.to_ascii_uppercase())?;
        let texts: Vec<&str> = values.iter().map(|v| v.sql.as_str()).collect();
        let function = if name == "greatest" { "list_max" } else { "list_min" };
        Ok(Some(Ex::plain(format!("{function}([{}])", texts.join(", ")), ty)))
    }
}

fn list(of: &EnumRef) -> PgResult<String> {
    let labels: Vec<String> = of.labels.iter().map(|l| quote::literal(&l.name)).collect::<PgResult<_>>()?;
    let list = ColumnType::Array(Box::new(ColumnType::Enum(of.clone())));
    Ok(list.cast(&format!("[{}]", labels.join(", "))))
}

fn edge(of: &EnumRef, label: Option<&str>) -> PgResult<Ex> {
    let ty = ColumnType::Enum(of.clone());
    match label {
        Some(label) => Ok(Ex::of(format!("CAST({} AS {})", quote::literal(label)?, of.duckdb()), ty)),
        None => Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("enum {} contains no values", shown(&ty)),
        )),
    }
}
