//! Proves from a ledger that promises G1 to G7 held: the same checker for every crash and fault test.
//!
//! It believes nothing but the answers that clients got, and asks the server only for what is there now.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    harness::Client,
    ledger::{ACCOUNTS, Kind, Ledger, NAMES, OPENING, Op, OpId, Outcome, ReadEnd, Reading, Seen},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Operations of which the client was told in the end.
    pub acknowledged: usize,
    /// Operations of which nobody knows.
    pub unknown: usize,
    /// Operations that were refused.
    pub refused: usize,
    /// Acknowledged operations that are not there, or not wholly.
    pub lost: usize,
    /// Operations that are there more than once.
    pub duplicated: usize,
    /// Every promise that was broken, a line each.
    pub broken: String,
}

/// The reader that looks at the end.
const LAST: u32 = u32::MAX;

/// Checks everything that readers saw, and what is in the tables now.
///
/// # Panics
/// With every promise that was broken.
pub async fn check(ledger: &Ledger, client: &Client) {
    let verdict = verdict(ledger, client).await;
    let (highest, ops) = (ledger.highest(), ledger.ops().len());
    assert!(
        verdict.broken.is_empty(),
        "promises broken (highest token {highest}, {ops} operations):\n{}",
        verdict.broken
    );
}

/// As [`check`], for those who report.
///
/// # Panics
/// When the server does not answer.
pub async fn verdict(ledger: &Ledger, client: &Client) -> Verdict {
    // A server that takes over on Postgres waits until the dead one's lease ran out: the reading's barrier does.
    match ledger.try_read(client, LAST).await {
        ReadEnd::Noted => {
            let mut verdict = of(&ledger.ops(), &ledger.readings());
            for lie in ledger.lies() {
                let _ = writeln!(verdict.broken, "{lie}");
            }
            verdict
        }
        end => panic!("the last reading: {end:?}"),
    }
}

/// What operations and readings say, without a server. The last reading is the state at the end.
#[must_use]
pub fn of(ops: &BTreeMap<OpId, Op>, readings: &[Reading]) -> Verdict {
    let mut verdict = Verdict::default();
    for op in ops.values() {
        match op.outcome {
            Outcome::Ok(_) => verdict.acknowledged += 1,
            Outcome::Error(_) => verdict.refused += 1,
            Outcome::Unknown | Outcome::Invoked => verdict.unknown += 1,
        }
    }
    let mut broken = String::new();
    let last = readings.last();
    if let Some(last) = last {
        for (id, op) in ops {
            let there = |table: &usize| last.tables[*table].get(id).copied().unwrap_or(0);
            let rows: Vec<u32> = op.kind.tables().iter().map(there).collect();
            verdict.lost += usize::from(offset(op).is_some() && rows.iter().any(|rows| *rows < op.parts));
            verdict.duplicated += usize::from(rows.iter().any(|rows| *rows > op.parts));
        }
    }
    let mut before: BTreeMap<u32, &Reading> = BTreeMap::new();
    let mut at: BTreeMap<u64, &Reading> = BTreeMap::new();
    for reading in readings {
        one_reading(ops, reading, &mut broken);
        if let Some((snapshot, watermark)) = reading.snapshot {
            exactly(ops, reading, watermark, &mut broken);
            let first = at.entry(snapshot).or_insert(reading);
            if (&first.tables, first.total) != (&reading.tables, reading.total) {
                let (one, two) = (first.reader, reading.reader);
                let _ = writeln!(broken, "G6: snapshot {snapshot} was one thing to reader {one}, another to {two}");
            }
        } else {
            if let Some(earlier) = before.insert(reading.reader, reading) {
                never_fewer(earlier, reading, &mut broken);
            }
        }
        if let Some(last) = last {
            never_fewer(reading, last, &mut broken);
        }
    }
    one_offset_each(ops, &mut broken);
    verdict.broken = broken;
    verdict
}

/// G1 (acknowledged is there), G2 (whole or not at all), G3 (covered by the barrier), G4 (a prefix of the log), once; and the
/// bank's total.
fn one_reading(ops: &BTreeMap<OpId, Op>, reading: &Reading, broken: &mut String) {
    let who = reading.reader;
    let rows = |table: usize, id: &OpId| reading.tables[table].get(id).copied().unwrap_or(0);
    let shown = |id: &OpId, op: &Op| op.kind.tables().iter().any(|table| rows(*table, id) > 0);
    // Everything up to the highest token that shows must show.
    let prefix = ops.iter().filter_map(|(id, op)| offset(op).filter(|_| shown(id, op))).max().unwrap_or(0);
    for (id, op) in ops {
        let first = op.kind.tables().first().map_or(0, |table| rows(*table, id));
        for (table, name) in NAMES.iter().enumerate() {
            let (is, should) = (rows(table, id), if op.kind.tables().contains(&table) { first } else { 0 });
            if is != should {
                let _ = writeln!(broken, "G2: reader {who} saw {is} rows of {id:?} in {name}, not {should}: {op:?}");
            }
        }
        if first != 0 && first != op.parts {
            let _ = writeln!(broken, "G2/G5: reader {who} saw {first} of {} rows of {id:?} {op:?}", op.parts);
        }
        match &op.outcome {
            Outcome::Ok(offset) if first == 0 && *offset <= reading.must_cover => {
                let _ = writeln!(broken, "G1/G3: reader {who} (barrier {}) misses {id:?} {op:?}", reading.must_cover);
            }
            Outcome::Ok(offset) if first == 0 && *offset < prefix => {
                let _ = writeln!(broken, "G4: reader {who} saw offset {prefix} but not {id:?} {op:?}");
            }
            Outcome::Error(error) if first != 0 => {
                let _ = writeln!(broken, "G7: {id:?} failed with {error} but reader {who} saw it");
            }
            _ => {}
        }
    }
    for (seen, name) in reading.tables.iter().zip(NAMES) {
        for id in seen.keys().filter(|id| !ops.contains_key(id)) {
            let _ = writeln!(broken, "reader {who} saw {id:?} in {name}, which nobody wrote");
        }
    }
    if let Some(total) = reading.total {
        let open = ops.iter().any(|(id, op)| op.kind == Kind::Opening && shown(id, op));
        let should = if open { i64::from(ACCOUNTS) * OPENING } else { 0 };
        if total != should {
            let _ =
                writeln!(broken, "G2: reader {who} found {total} in the bank, not {should}: {:?}", reading.snapshot);
        }
    }
}

/// G4: a snapshot is exactly the log up to its watermark.
fn exactly(ops: &BTreeMap<OpId, Op>, reading: &Reading, watermark: u64, broken: &mut String) {
    for (id, op) in ops {
        let Some(offset) = offset(op) else { continue };
        let there = op.kind.tables().iter().any(|table| reading.tables[*table].contains_key(id));
        if there != (offset <= watermark) {
            let what = if there { "has" } else { "lacks" };
            let _ = writeln!(broken, "G4: {:?} (snapshot, watermark) {what} {id:?} {op:?}", reading.snapshot);
        }
    }
}

/// G4: what was seen once is seen ever after.
fn never_fewer(earlier: &Reading, later: &Reading, broken: &mut String) {
    let gone = |one: &Seen, two: &Seen| one.iter().find(|(id, n)| two.get(id) != Some(n)).map(|(id, _)| *id);
    if let Some(id) = earlier.tables.iter().zip(&later.tables).find_map(|(one, two)| gone(one, two)) {
        let _ = writeln!(broken, "G4: reader {} saw {id:?}, reader {} later did not", earlier.reader, later.reader);
    }
}

/// Tokens are positions of one log: no two operations have the same, a writer's only grow, and a repetition gets the first
/// one's (G5).
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
        if let Some(other) = op.repeats.iter().find(|repeat| **repeat != offset) {
            let _ = writeln!(broken, "G5: {id:?} has token {offset}, its repetition got {other}");
        }
    }
}

fn offset(op: &Op) -> Option<u64> {
    if let Outcome::Ok(offset) = op.outcome { Some(offset) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: OpId = (0, 0);
    const SECOND: OpId = (0, 1);

    fn op(kind: Kind, outcome: Outcome) -> Op {
        Op { kind, parts: 2, outcome, repeats: Vec::new() }
    }

    fn row(outcome: Outcome) -> Op {
        op(Kind::Insert, outcome)
    }

    fn reading(a: &[(OpId, u32)], must_cover: u64) -> Reading {
        let tables = [a.iter().copied().collect(), Seen::new(), Seen::new(), Seen::new()];
        Reading { reader: 1, must_cover, tables, ..Reading::default() }
    }

    fn found(ops: &[(OpId, Op)], readings: &[Reading]) -> Verdict {
        of(&ops.iter().cloned().collect(), readings)
    }

    fn broken(ops: &[(OpId, Op)], a: &[(OpId, u32)], must_cover: u64) -> String {
        found(ops, &[reading(a, must_cover)]).broken
    }

    #[test]
    fn each_broken_promise_is_found() {
        let both = [(FIRST, row(Outcome::Ok(5))), (SECOND, row(Outcome::Ok(6)))];
        assert_eq!(broken(&both, &[(FIRST, 2), (SECOND, 2)], 6), "");
        assert_eq!(broken(&both, &[(FIRST, 2)], 5), "");
        assert!(broken(&both, &[(FIRST, 2)], 6).contains("G1/G3"));
        assert!(broken(&both, &[(SECOND, 2)], 0).contains("G4"));
        assert!(broken(&both, &[(FIRST, 1)], 0).contains("G2/G5"));
        assert!(broken(&both, &[(FIRST, 4)], 0).contains("G2/G5"));
        assert!(broken(&[(FIRST, row(Outcome::Error("x".into())))], &[(FIRST, 2)], 0).contains("G7"));
        assert_eq!(broken(&[(FIRST, row(Outcome::Unknown))], &[(FIRST, 2)], 0), "");
        assert_eq!(broken(&[(FIRST, row(Outcome::Unknown))], &[], 9), "");
        assert!(broken(&[], &[(FIRST, 2)], 0).contains("nobody wrote"));
        assert!(broken(&[(FIRST, row(Outcome::Ok(6))), (SECOND, row(Outcome::Ok(6)))], &[], 0).contains("same token"));
    }

    #[test]
    fn a_repetition_must_get_the_first_token() {
        let mut repeated = row(Outcome::Ok(5));
        repeated.repeats.push(5);
        assert_eq!(broken(&[(FIRST, repeated.clone())], &[(FIRST, 2)], 5), "");
        repeated.repeats.push(7);
        assert!(broken(&[(FIRST, repeated)], &[(FIRST, 2)], 5).contains("G5"));
    }

    #[test]
    fn half_a_transfer_and_money_from_nowhere_are_found() {
        let ops = [(FIRST, op(Kind::Opening, Outcome::Ok(1))), (SECOND, op(Kind::Transfer, Outcome::Ok(2)))];
        let mut both = reading(&[], 2);
        both.tables[2].insert(SECOND, 2);
        both.tables[3].extend([(FIRST, 2), (SECOND, 2)]);
        both.total = Some(i64::from(ACCOUNTS) * OPENING);
        assert_eq!(found(&ops, &[both.clone()]).broken, "");
        let mut poorer = both.clone();
        poorer.total = Some(1);
        assert!(found(&ops, &[poorer, both.clone()]).broken.contains("in the bank"));
        let mut half = both.clone();
        half.tables[2].clear();
        let verdict = found(&ops, &[both, half]);
        assert!(verdict.broken.contains("G2") && verdict.lost == 1, "{verdict:?}");
    }

    #[test]
    fn a_snapshot_is_the_log_up_to_its_watermark_and_stays_so() {
        let ops = [(FIRST, row(Outcome::Ok(5))), (SECOND, row(Outcome::Ok(6)))];
        let last = reading(&[(FIRST, 2), (SECOND, 2)], 6);
        let at = |a: &[(OpId, u32)], watermark| Reading { snapshot: Some((9, watermark)), ..reading(a, watermark) };
        assert_eq!(found(&ops, &[at(&[(FIRST, 2)], 5), last.clone()]).broken, "");
        assert!(found(&ops, &[at(&[(FIRST, 2), (SECOND, 2)], 5), last.clone()]).broken.contains("has"));
        assert!(found(&ops, &[at(&[(FIRST, 2)], 6), last.clone()]).broken.contains("lacks"));
        let unknown = [(FIRST, row(Outcome::Ok(5))), (SECOND, row(Outcome::Unknown))];
        let changed = [at(&[(FIRST, 2)], 5), at(&[(FIRST, 2), (SECOND, 2)], 5), last];
        assert!(found(&unknown, &changed).broken.contains("G6"));
    }

    #[test]
    fn what_is_lost_and_what_is_there_twice_is_counted() {
        let ops = [
            (FIRST, row(Outcome::Ok(5))),
            (SECOND, row(Outcome::Unknown)),
            ((1, 0), row(Outcome::Error(String::new()))),
        ];
        let verdict = found(&ops, &[reading(&[(SECOND, 4)], 5)]);
        let counts = (verdict.acknowledged, verdict.unknown, verdict.refused, verdict.lost, verdict.duplicated);
        assert_eq!(counts, (1, 1, 1, 1, 1));
    }
}
