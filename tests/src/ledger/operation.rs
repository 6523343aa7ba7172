//! One try of an operation: its statements, and what its answer means. It never tries again by itself.

use super::{ACCOUNTS, Kind, NAMES, OPENING, OpId, Outcome};
use crate::harness::client::{Client, offset_of, sqlstate, token_of};

/// What became of a try.
#[derive(Clone, Debug)]
pub struct Try {
    /// What the client was told.
    pub outcome: Outcome,
    /// Whether the connection is of further use.
    pub alive: bool,
}

/// Sends an operation once; `keyed` names it, so that a repetition is harmless.
pub async fn attempt(client: &Client, kind: Kind, id: OpId, parts: u32, keyed: bool) -> Try {
    client.take_notices();
    if keyed {
        let (writer, seq) = id;
        let named = client.rows(&format!("SET duckmesh.idempotency_key = 'op-{writer}-{seq}'")).await;
        if let Err(error) = named {
            let alive = !sqlstate(&error).is_empty();
            return Try { outcome: Outcome::Error(format!("not sent: {error}")), alive };
        }
    }
    let result = match kind {
        Kind::Copy => copy(client, id, parts).await,
        _ => client.rows(&statements(kind, id, parts)).await.map(drop),
    };
    match result {
        Ok(()) => {
            let token = token_of(&client.take_notices()).unwrap_or_else(|| panic!("no token for {kind:?} {id:?}"));
            Try { outcome: Outcome::Ok(offset_of(&token)), alive: true }
        }
        Err(error) => {
            let state = sqlstate(&error);
            if !state.is_empty() && kind.tables().len() > 1 {
                // The block that failed is still open.
                let _ = client.rows("ROLLBACK").await;
            }
            let (outcome, alive) = match state.as_str() {
                "" => (Outcome::Unknown, false),
                // Nobody knows; and what a shutdown cut off may have been appended.
                "08007" | "57P01" => (Outcome::Unknown, true),
                _ => (Outcome::Error(crate::harness::client::explain(&error)), true),
            };
            Try { outcome, alive }
        }
    }
}

fn statements(kind: Kind, id: OpId, parts: u32) -> String {
    let inserts: Vec<String> = kind.tables().iter().map(|table| insert(kind, *table, id, parts)).collect();
    match inserts.as_slice() {
        [one] => one.clone(),
        many => format!("BEGIN; {}; COMMIT", many.join("; ")),
    }
}

fn insert(kind: Kind, table: usize, id: OpId, parts: u32) -> String {
    let (writer, seq) = id;
    let rows: Vec<String> = (0..parts)
        .map(|part| match money(kind, table, id, part) {
            None => format!("({writer}, {seq}, {part})"),
            Some((account, amount)) => format!("({writer}, {seq}, {part}, {account}, {amount})"),
        })
        .collect();
    format!("INSERT INTO {} VALUES {}", NAMES[table], rows.join(", "))
}

/// Account and amount of a row of the bank: what a transfer takes from one account it gives to another.
fn money(kind: Kind, table: usize, (writer, seq): OpId, part: u32) -> Option<(u32, i64)> {
    let amount = i64::from(1 + (writer.wrapping_mul(7919).wrapping_add(seq * 31 + part)) % 100);
    match (kind, NAMES[table]) {
        (Kind::Opening, _) => Some((part, OPENING)),
        (Kind::Transfer, "bank_debits") => Some(((seq + part) % ACCOUNTS, -amount)),
        (Kind::Transfer, _) => Some(((seq + part + 1 + writer % (ACCOUNTS - 1)) % ACCOUNTS, amount)),
        _ => None,
    }
}

async fn copy(client: &Client, (writer, seq): OpId, parts: u32) -> Result<(), tokio_postgres::Error> {
    use futures::SinkExt;
    let sink = client.pg.copy_in("COPY ledger_a FROM STDIN").await?;
    futures::pin_mut!(sink);
    for first in (0..parts).step_by(1000) {
        let last = parts.min(first + 1000);
        let lines: String = (first..last).map(|part| format!("{writer}\t{seq}\t{part}\n")).collect();
        sink.send(std::io::Cursor::new(lines.into_bytes())).await?;
    }
    sink.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transfer_takes_it_gives() {
        for id in [(0, 0), (3, 17), (1_000_000, 9)] {
            let legs = (0..5).map(|part| {
                let (from, taken) = money(Kind::Transfer, 2, id, part).unwrap();
                let (to, given) = money(Kind::Transfer, 3, id, part).unwrap();
                assert!(from < ACCOUNTS && to < ACCOUNTS && from != to && given > 0, "{id:?}");
                taken + given
            });
            assert_eq!(legs.sum::<i64>(), 0);
        }
    }
}
