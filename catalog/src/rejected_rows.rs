//! Rows of a stored write that were left out of it, kept with their reason: bounded in size, the oldest go first.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Catalog, LakeId, Offset,
    catalog::Result,
    params,
    publish::Publication,
    store::{Statement, Value},
};

/// Rows that a lake keeps.
pub const ROWS_KEPT_MAX: i64 = 10_000;
/// Rows of one statement to the store: SQLite takes some thousand parameters.
const ROWS_AT_ONCE: usize = 50;

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The table, as `schema.table`, when it was written.
    pub relation: String,
    /// The line of the data, from 1; none where this stands for several rows.
    pub line: Option<i64>,
    /// The column whose value was refused.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// The beginning of the line.
    pub content: Option<String>,
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRow {
    /// The write that it was left out of.
    pub offset: Offset,
    /// When that was published.
    pub time: DateTime<Utc>,
    /// What it was.
    pub row: RejectedRow,
}

impl Catalog {
    /// The rows that are kept, in the order of the log.
    pub async fn rejected_rows(&self, lake: LakeId) -> Result<Vec<KeptRow>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT log_offset, rejected_at, relation, line, column_name, reason, content
                 FROM @duckmesh_rejected_row ORDER BY log_offset, place",
                vec![],
            )
            .await?;
        let kept = rows.iter().map(|row| {
            Ok(KeptRow {
                offset: Offset::new(row.int(0)?),
                time: row.time(1)?,
                row: RejectedRow {
                    relation: row.text(2)?,
                    line: row.opt_int(3)?,
                    column: row.opt_text(4)?,
                    reason: row.text(5)?,
                    content: row.opt_text(6)?,
                },
            })
        });
        kept.collect()
    }
}

/// What a publication adds; nothing where it left nothing out.
pub(crate) fn statements(publication: &Publication, now: DateTime<Utc>) -> Vec<Statement> {
    let mut statements = Vec::new();
    for (offset, rows) in &publication.rejected_rows {
        for (chunk, first) in rows.chunks(ROWS_AT_ONCE).zip((0_i64..).step_by(ROWS_AT_ONCE)) {
            statements.push(insert(*offset, now, chunk, first));
        }
    }
    if !statements.is_empty() {
        statements.push(Statement::new(
            "DELETE FROM @duckmesh_rejected_row WHERE log_offset <
                (SELECT min(log_offset) FROM
                    (SELECT log_offset FROM @duckmesh_rejected_row ORDER BY log_offset DESC LIMIT $1) AS newest)",
            params![ROWS_KEPT_MAX],
        ));
    }
    statements
}

fn insert(offset: Offset, now: DateTime<Utc>, rows: &[RejectedRow], first: i64) -> Statement {
    let (mut places, mut values): (Vec<String>, Vec<Value>) = (Vec::new(), Vec::new());
    for (row, place) in rows.iter().zip(first..) {
        let from = values.len() + 1;
        let list: Vec<String> = (from..from + 8).map(|n| format!("${n}")).collect();
        places.push(format!("({})", list.join(", ")));
        values.extend(params![
            offset,
            place,
            now,
            &row.relation,
            row.line,
            row.column.clone(),
            &row.reason,
            row.content.clone()
        ]);
    }
    let sql = format!(
        "INSERT INTO @duckmesh_rejected_row(log_offset, place, rejected_at, relation, line, column_name, reason, content)
         VALUES {}",
        places.join(", ")
    );
    Statement::new(sql, values).expect(rows.len() as u64)
}
