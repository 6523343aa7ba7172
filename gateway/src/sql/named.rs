//! Names of the catalog's objects in data: what a column of `regclass` is given.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use duckmesh_catalog::ColumnType;

use super::{plan::PlanContext, rewrite::Rewriter};
use crate::{
    value::Names,
    wire::error::{PgError, PgResult, SqlState},
};

/// A longer text is no name.
const NAME_BYTES_MAX: usize = 1024;
/// Names that are remembered.
const KNOWN_MAX: usize = 10_000;

/// Whether values of a type may be written as names: `regclass` and its like, and arrays of them.
#[must_use]
pub fn takes_names(ty: &ColumnType) -> bool {
    match ty {
        ColumnType::System(system) => system.is_named(),
        ColumnType::Array(element) => takes_names(element),
        _ => false,
    }
}

/// The names that a command's snapshot has.
pub struct SchemaNames {
    ctx: PlanContext,
    known: Mutex<HashMap<(u32, String), u32>>,
}

impl SchemaNames {
    /// Those that planning would find.
    #[must_use]
    pub fn new(ctx: PlanContext) -> Self {
        Self { ctx, known: Mutex::default() }
    }
}

impl Names for SchemaNames {
    fn number(&self, ty: u32, name: &str) -> PgResult<u32> {
        if name.len() > NAME_BYTES_MAX {
            return Err(PgError::new(SqlState("42602"), "invalid name syntax"));
        }
        let key = (ty, name.to_owned());
        if let Some(number) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*number);
        }
        let number = Rewriter::new(&self.ctx, "").named_constant(name, ty, None)?;
        let number = number.parse().map_err(PgError::internal)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < KNOWN_MAX {
            known.insert(key, number);
        }
        Ok(number)
    }
}
