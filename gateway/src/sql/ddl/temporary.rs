//! What CREATE says of temporary objects, and the schema they go to.

use std::sync::Arc;

use duckmesh_catalog::schema::SchemaDef;
use sqlparser::ast::{self, CreateTable, ObjectName};
use uuid::Uuid;

use super::Planner;
use crate::{
    session::temporary::{OnCommit, SCHEMA_ALIAS, SCHEMA_PREFIX},
    sql::scan::Scan,
    wire::error::{PgError, PgResult, SqlState},
};

/// TEMPORARY, and ON COMMIT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Temporary {
    said: bool,
    /// The inner none is PRESERVE ROWS.
    on_commit: Option<Option<OnCommit>>,
}

/// Whether a schema is a session's own.
pub(super) fn is_temporary_schema(schema: &SchemaDef) -> bool {
    schema.name.starts_with(SCHEMA_PREFIX)
}

impl Temporary {
    /// With or without the word.
    #[must_use]
    pub fn new(said: bool) -> Self {
        Self { said, on_commit: None }
    }

    pub(super) fn of_tree(create: &CreateTable) -> Self {
        let on_commit = create.on_commit.as_ref().map(|action| match action {
            ast::OnCommit::DeleteRows => Some(OnCommit::DeleteRows),
            ast::OnCommit::Drop => Some(OnCommit::Drop),
            ast::OnCommit::PreserveRows => None,
        });
        Self { said: create.temporary, on_commit }
    }

    /// Takes `[GLOBAL | LOCAL] TEMP | TEMPORARY`.
    pub(super) fn read(scan: &mut Scan<'_>) -> Self {
        const FORMS: [&[&str]; 6] = [
            &["temp"],
            &["temporary"],
            &["local", "temp"],
            &["local", "temporary"],
            &["global", "temp"],
            &["global", "temporary"],
        ];
        Self::new(FORMS.iter().any(|form| scan.word(form)))
    }

    /// Takes `ON COMMIT …`, where it stands.
    pub(super) fn read_on_commit(mut self, scan: &mut Scan<'_>) -> PgResult<Self> {
        if scan.word(&["on", "commit"]) {
            self.on_commit = Some(if scan.word(&["preserve", "rows"]) {
                None
            } else if scan.word(&["delete", "rows"]) {
                Some(OnCommit::DeleteRows)
            } else {
                scan.expect_word(&["drop"])?;
                Some(OnCommit::Drop)
            });
        }
        Ok(self)
    }

    /// ON COMMIT for a new table in that schema.
    pub(super) fn on_commit(&self, schema: &SchemaDef, table: Uuid) -> PgResult<Option<(Uuid, OnCommit)>> {
        if self.on_commit.is_some() && !is_temporary_schema(schema) {
            let message = "ON COMMIT can only be used on temporary tables";
            return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        Ok(self.on_commit.flatten().map(|action| (table, action)))
    }
}

impl Planner<'_> {
    /// The schema and name for a new relation, which may be temporary.
    pub(super) fn place(&mut self, name: &ObjectName, temporary: &Temporary) -> PgResult<(Arc<SchemaDef>, String)> {
        if !temporary.said {
            return self.place_for_new(name);
        }
        let at = self.at_name(name);
        let (schema, name) = self.split(name)?;
        let own = self.schema(SCHEMA_ALIAS).ok_or_else(|| PgError::internal("no schema for temporary tables"))?;
        match schema {
            Some(schema) if schema != SCHEMA_ALIAS && schema != own.name => {
                let message = "cannot create temporary relation in non-temporary schema";
                Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message).or_position(at))
            }
            _ => Ok((own, name)),
        }
    }
}
