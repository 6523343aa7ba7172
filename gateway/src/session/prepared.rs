//! A planned statement, and when its plan is old.

use std::sync::{Arc, OnceLock};

use duckmesh_catalog::LakeSchema;

use super::{ClientSession, Pin};
use crate::{
    sql::{self, plan::Plan},
    wire::{
        PgResult,
        backend::{Prepared, ResultColumn},
    },
};

/// A planned statement. Cheap to clone.
#[derive(Clone)]
pub struct PreparedStatement(Arc<Inner>);

struct Inner {
    statement: sql::Statement,
    plan: Plan,
    made_for: MadeFor,
    schema: Arc<LakeSchema>,
    param_types: Vec<u32>,
    columns: OnceLock<Option<Arc<[ResultColumn]>>>,
}

/// What a plan was made for: it is old when any of it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFor {
    /// The lake's schema version.
    pub schema_version: i64,
    /// DDL of the open transaction.
    pub own_ddl: u64,
    /// Changes of the session's temporary tables.
    pub temporary: u64,
    /// Changes of settings that planning looks at (search_path, DateStyle, …).
    pub settings: u64,
}

impl PreparedStatement {
    /// A plan of that statement.
    #[must_use]
    pub fn new(statement: sql::Statement, plan: Plan, made_for: MadeFor, schema: Arc<LakeSchema>) -> Self {
        let param_types = plan.params().iter().map(|param| param.oid).collect();
        Self(Arc::new(Inner { statement, plan, made_for, schema, param_types, columns: OnceLock::new() }))
    }

    /// The same with these types of parameters.
    #[must_use]
    pub fn with_parameters(&self, types: &[u32]) -> Self {
        let Inner { statement, plan, made_for, schema, .. } = &*self.0;
        Self(Arc::new(Inner {
            statement: statement.clone(),
            plan: plan.clone(),
            made_for: made_for.clone(),
            schema: schema.clone(),
            param_types: types.to_vec(),
            columns: OnceLock::new(),
        }))
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// The statement it came from.
    #[must_use]
    pub fn statement(&self) -> &sql::Statement {
        &self.0.statement
    }

    /// What it was made for.
    #[must_use]
    pub fn made_for(&self) -> &MadeFor {
        &self.0.made_for
    }

    /// The schema it was planned against; its `ddl_offset` is what an append names.
    #[must_use]
    pub fn schema(&self) -> &Arc<LakeSchema> {
        &self.0.schema
    }

    /// Types of its parameters, given or found out when it was first planned: they stay when it is planned again, because the
    /// client goes by them.
    #[must_use]
    pub fn types(&self) -> &[u32] {
        &self.0.param_types
    }

    /// Its result columns, once they were found out.
    #[must_use]
    pub fn described(&self) -> Option<&Option<Arc<[ResultColumn]>>> {
        self.0.columns.get()
    }

    /// Remembers the result columns.
    pub fn set_described(&self, columns: Option<Arc<[ResultColumn]>>) {
        // Lost only to another caller that found out the same.
        let _ = self.0.columns.set(columns);
    }
}

impl Prepared for PreparedStatement {
    fn param_types(&self) -> &[u32] {
        &self.0.param_types
    }

    fn text(&self) -> &str {
        self.0.statement.text()
    }

    fn ends_failed_block(&self) -> bool {
        use sql::plan::TransactionPlan as T;
        matches!(self.0.plan, Plan::Transaction(T::Commit { .. } | T::Rollback { .. } | T::RollbackTo(_)))
    }
}

/// Whether a plan still fits what is there now; if not, the statement planned again.
///
/// # Errors
/// Whatever is wrong with the statement now.
pub async fn current_plan(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    pin: &Pin,
) -> PgResult<PreparedStatement> {
    if *prepared.made_for() == session.made_for(pin) || matches!(prepared.plan(), Plan::Setting(_)) {
        return Ok(prepared.clone());
    }
    session.plan(prepared.statement(), prepared.types(), pin).await
}
