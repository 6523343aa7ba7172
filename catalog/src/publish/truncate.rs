//! The end of all rows that a table has: its files, their deleted positions, and rows that other writers inlined.

use crate::{
    SnapshotId, TableId,
    catalog::Result,
    params,
    store::{Statement, Transaction, quote},
};

/// Statements that end a table's rows at a snapshot, and their entries in `changes_made`.
pub(super) async fn statements(
    tx: &mut Transaction,
    table: TableId,
    at: SnapshotId,
) -> Result<(Vec<Statement>, Vec<String>)> {
    let mut statements = vec![
        Statement::new(
            "UPDATE @ducklake_data_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            params![at, table],
        ),
        Statement::new(
            "UPDATE @ducklake_delete_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            params![at, table],
        ),
        Statement::new(
            "UPDATE @ducklake_table_stats SET record_count = 0, file_size_bytes = 0 WHERE table_id = $1",
            params![table],
        ),
    ];
    let inlined =
        tx.query("SELECT table_name FROM @ducklake_inlined_data_tables WHERE table_id = $1", params![table]).await?;
    let mut changes = vec![format!("deleted_from_table:{table}")];
    if !inlined.is_empty() {
        changes.push(format!("inlined_delete:{table}"));
    }
    for row in inlined {
        let name = quote(&row.text(0)?);
        statements.push(Statement::new(
            format!("UPDATE @{name} SET end_snapshot = $1 WHERE end_snapshot IS NULL"),
            params![at],
        ));
    }
    Ok((statements, changes))
}
