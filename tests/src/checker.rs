//! Proves from a ledger that promises G1 to G4 held: the same checker for every crash test.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    harness::{Client, client::explain},
    ledger::{Kind, Ledger, Op, OpId, Outcome, Reading, Seen, count, seen_of},
};

/// Checks everything that readers saw, and what is in the tables now.
///
/// # Panics
/// With every promise that was broken.
pub async fn check(ledger: &Ledger, client: &Client) {
    let ops = ledger.ops();
    let mut broken = String::new();
    let highest = ledger.highest();
    // A server that takes over on Postgres waits until the dead one's lease ran out.
    client.ok(&format!("SET duckmesh.barrier_timeout = '60s'; SET duckmesh.min_token = '{highest}'")).await;
    let a = seen_of(&client.rows(&count("ledger_a")).await.unwrap_or_else(|e| panic!("{}", explain(&e))));
    let b = seen_of(&client.rows(&count("ledger_b")).await.unwrap_or_else(|e| panic!("{}", explain(&e))));
    let last = Reading { reader: u32::MAX, must_cover: highest, a, b, snapshot: None };
    let mut before: BTreeMap<u32, Reading> = BTreeMap::new();
    for reading in ledger.readings().into_iter().chain([last.clone()]) {
        one_reading(&ops, &reading, &mut broken);
        if let Some(earlier) = before.get(&reading.reader) {
            never_fewer(earlier, &reading, &mut broken);
        }
        never_fewer(&reading, &last, &mut broken);
        before.insert(reading.reader, reading);
    }
    one_offset_each(&ops, &mut broken);
    assert!(broken.is_empty(), "promises broken (highest token {highest}, {} operations):\n{broken}", ops.len());
}

/// G1 (acknowledged is there), G2 (whole or not at all), G3 (covered by the barrier), G4 (a prefix of the log), once.
fn one_reading(ops: &BTreeMap<OpId, Op>, reading: &Reading, broken: &mut String) {
    let who = reading.reader;
    // Everything up to the highest token that shows must show.
    let shown = |id: &OpId| reading.a.contains_key(id);
    let prefix = ops.iter().filter_map(|(id, op)| offset(op).filter(|_| shown(id))).max().unwrap_or(0);
    for (id, op) in ops {
        let in_a = reading.a.get(id).copied().unwrap_or(0);
        let in_b = reading.b.get(id).copied().unwrap_or(0);
        let twin = if op.kind == Kind::Transaction { in_a } else { 0 };
        if in_a != 0 && in_a != op.parts {
            let _ = writeln!(broken, "G2/G5: reader {who} saw {in_a} of {} rows of {id:?} {op:?}", op.parts);
        }
        if in_b != twin {
            let _ = writeln!(broken, "G2: reader {who} saw {in_a} rows of {id:?} in a and {in_b} in b: {op:?}");
        }
        match &op.outcome {
            Outcome::Ok(offset) if in_a == 0 && *offset <= reading.must_cover => {
                let _ = writeln!(broken, "G1/G3: reader {who} (barrier {}) misses {id:?} {op:?}", reading.must_cover);
            }
            Outcome::Ok(offset) if in_a == 0 && *offset < prefix => {
                let _ = writeln!(broken, "G4: reader {who} saw offset {prefix} but not {id:?} {op:?}");
            }
            Outcome::Error(error) if in_a != 0 => {
                let _ = writeln!(broken, "G7: {id:?} failed with {error} but reader {who} saw it");
            }
            _ => {}
        }
    }
    for id in reading.a.keys().chain(reading.b.keys()).filter(|id| !ops.contains_key(id)) {
        let _ = writeln!(broken, "reader {who} saw {id:?}, which nobody wrote");
    }
}

/// G4: what was seen once is seen ever after.
fn never_fewer(earlier: &Reading, later: &Reading, broken: &mut String) {
    let gone = |one: &Seen, two: &Seen| one.iter().find(|(id, n)| two.get(id) != Some(n)).map(|(id, _)| *id);
    if let Some(id) = gone(&earlier.a, &later.a).or_else(|| gone(&earlier.b, &later.b)) {
        let _ = writeln!(broken, "G4: reader {} saw {id:?}, reader {} later did not", earlier.reader, later.reader);
    }
}

/// Tokens are positions of one log: no two operations have the same, and a writer's only grow.
fn one_offset_each(ops: &BTreeMap<OpId, Op>, broken: &mut String) {
    let mut by_offset = BTreeMap::new();
    let mut of_writer: BTreeMap<u32, u64> = BTreeMap::new();
    for (id, op) in ops {
        let Some(offset) = offset(op) else { continue };
        if let Some(other) = by_offset.insert(offset, *id) {
            let _ = writeln!(broken, "G3: {id:?} and {other:?} were given the same token {offset}");
        }
        if let Some(before) = of_writer.insert(id.0, offset).filter(|before| *before >= offset) {
            let _ = writeln!(broken, "G3: writer {} got token {offset} after {before}", id.0);
        }
    }
}

fn offset(op: &Op) -> Option<u64> {
    if let Outcome::Ok(offset) = op.outcome { Some(offset) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(outcome: Outcome) -> Op {
        Op { kind: Kind::Insert, parts: 2, outcome }
    }

    fn found(ops: &[(OpId, Op)], a: &[(OpId, u32)], must_cover: u64) -> String {
        let reading = Reading { reader: 1, must_cover, a: a.iter().copied().collect(), b: Seen::new(), snapshot: None };
        let mut broken = String::new();
        one_reading(&ops.iter().cloned().collect(), &reading, &mut broken);
        one_offset_each(&ops.iter().cloned().collect(), &mut broken);
        broken
    }

    #[test]
    fn each_broken_promise_is_found() {
        let (first, second) = ((0, 0), (0, 1));
        let both = [(first, op(Outcome::Ok(5))), (second, op(Outcome::Ok(6)))];
        assert_eq!(found(&both, &[(first, 2), (second, 2)], 6), "");
        assert_eq!(found(&both, &[(first, 2)], 5), "");
        assert!(found(&both, &[(first, 2)], 6).contains("G1/G3"));
        assert!(found(&both, &[(second, 2)], 0).contains("G4"));
        assert!(found(&both, &[(first, 1)], 0).contains("G2/G5"));
        assert!(found(&both, &[(first, 4)], 0).contains("G2/G5"));
        assert!(found(&[(first, op(Outcome::Error("x".into())))], &[(first, 2)], 0).contains("G7"));
        assert_eq!(found(&[(first, op(Outcome::Unknown))], &[(first, 2)], 0), "");
        assert_eq!(found(&[(first, op(Outcome::Unknown))], &[], 9), "");
        assert!(found(&[], &[(first, 2)], 0).contains("nobody wrote"));
        assert!(found(&[(first, op(Outcome::Ok(6))), (second, op(Outcome::Ok(6)))], &[], 0).contains("same token"));
    }
}
