//! `CALL duckmesh.settle_dead_letters`: somebody has dealt with writes that could not be applied.

use duckmesh_catalog::Offset;

use super::{copy_in::CopyIn, failure, select};
use crate::{
    session::ClientSession,
    wire::{
        PgResult,
        backend::{Outcome, RowTag},
    },
};

/// The column of its one row: how many writes readers are not told of any more.
pub const COLUMN: &str = "settled";

/// Runs it. The letters stay in `duckmesh.dead_letters`.
///
/// # Errors
/// Of the catalog.
pub async fn run(session: &ClientSession, through: i64) -> PgResult<Outcome<CopyIn>> {
    let (catalog, lake) = (session.server.lakes.catalog(), session.lake.info.id);
    let settled = catalog.settle_dead_letters(lake, Offset::new(through)).await.map_err(failure::catalog)?;
    select::text_rows(&[COLUMN], &[vec![Some(settled.to_string())]], RowTag::Plain("CALL"))
}
