//! System relations: `pg_catalog`, `information_schema` and `duckmesh`.

use duckmesh_catalog::TableId;

use crate::{
    session::{ClientSession, Pin},
    sql::plan::SystemUse,
    wire::{PgError, PgResult},
};

/// The oid of a table: the same on every gateway, and for the life of the table.
#[must_use]
pub fn table_oid(id: TableId) -> u32 {
    16_384 + u32::try_from(id.get()).unwrap_or(0)
}

/// The statement that makes the view of a system relation on the engine's connection.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn view(session: &ClientSession, pin: &Pin, system: &SystemUse) -> PgResult<String> {
    let _ = (session, pin);
    Err(PgError::unsupported(format!("{}.{} is not there yet", system.schema, system.name)))
}
