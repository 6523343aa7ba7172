//! Which files of a table become one. Pure: files in, files out.
//!
//! Files grow through tiers, as in a log-structured merge tree: so many of one tier make one of the next, so that a row
//! is written again only a few times.

use duckmesh_catalog::MergeInput;

/// Files of a tier are smaller than this; larger ones stay as they are.
const TIERS: [u64; 3] = [64 << 10, 512 << 10, SIZE_MAX];
/// Files of this size and more are never merged.
pub(super) const SIZE_MAX: u64 = 4 << 20;
/// So many files of one tier become one.
pub(super) const FAN_IN: usize = 10;
/// Files merged at once: what the catalog's transaction names, one by one.
pub(super) const FILES_MAX: usize = 500;
/// Their bytes, all of which are held in memory.
const BYTES_MAX: u64 = 48 << 20;

/// The files to merge next, in order; none where nothing is to be done. `files` are in the order of their row ids.
///
/// Only neighbours whose row ids follow each other are merged: rows keep their ids. Smaller files between those of a tier
/// go with them.
pub(super) fn next(files: &[MergeInput]) -> &[MergeInput] {
    for (tier, below) in TIERS.iter().enumerate() {
        let from = tier.checked_sub(1).and_then(|lower| TIERS.get(lower)).copied().unwrap_or(0);
        let fit = |a: &MergeInput, b: &MergeInput| {
            a.row_id_end() == b.row_id_start && a.size_bytes < *below && b.size_bytes < *below
        };
        for run in files.chunk_by(fit) {
            let of_tier = run.iter().filter(|file| (from..*below).contains(&file.size_bytes)).count();
            if of_tier >= FAN_IN {
                return within_bounds(run);
            }
        }
    }
    &[]
}

/// How many files at the end already wait for others of their tier.
pub(super) fn waiting(files: &[MergeInput]) -> usize {
    let Some(last) = files.last() else { return 0 };
    let tier = TIERS.iter().position(|below| last.size_bytes < *below);
    let Some(below) = tier.and_then(|tier| TIERS.get(tier)) else { return 0 };
    let from = tier.and_then(|tier| TIERS.get(tier.checked_sub(1)?)).copied().unwrap_or(0);
    let mut next = last.row_id_end();
    let run = files.iter().rev().take_while(|file| {
        let fits = file.row_id_end() == next && file.size_bytes < *below;
        next = file.row_id_start;
        fits
    });
    run.filter(|file| file.size_bytes >= from).count()
}

/// As many of the first as may be merged at once; always more than one, because two are far below the bounds.
fn within_bounds(run: &[MergeInput]) -> &[MergeInput] {
    let mut bytes = 0;
    let fits = run.iter().take(FILES_MAX).take_while(|file| {
        bytes += file.size_bytes;
        bytes <= BYTES_MAX
    });
    let count = fits.count();
    run.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use duckmesh_catalog::{FileId, SnapshotId};

    use super::*;

    /// Files of these sizes in KiB, ten rows each; a negative one has a gap before it.
    fn files(sizes: &[i64]) -> Vec<MergeInput> {
        let mut row = 0;
        let file = |(n, size): (usize, &i64)| {
            let gap = i64::from(*size < 0);
            let start = row + gap;
            row = start + 10;
            let snapshot = SnapshotId::new(n as i64);
            MergeInput {
                id: FileId::new(n as i64),
                path: String::new(),
                record_count: 10,
                size_bytes: size.unsigned_abs() << 10,
                row_id_start: start,
                begin_snapshot: snapshot,
                last_snapshot: snapshot,
            }
        };
        sizes.iter().enumerate().map(file).collect()
    }

    #[test]
    fn ten_neighbours_of_a_tier_become_one() {
        let check = |sizes: &[i64], expect: &[i64]| {
            let files = files(sizes);
            let got: Vec<i64> = next(&files).iter().map(|f| f.id.get()).collect();
            assert_eq!(got, expect, "{sizes:?}");
        };
        let ids = |range: std::ops::Range<i64>| range.collect::<Vec<_>>();
        check(&[], &[]);
        check(&[1; 9], &[]);
        check(&[1; 10], &ids(0..10));
        check(&[1; 23], &ids(0..23));
        // A gap between row ids, and a file that is too large, keep their sides apart.
        check(&[1, 1, 1, 1, 1, -1, 1, 1, 1, 1], &[]);
        check(&[1, 1, 1, 1, 5000, 1, 1, 1, 1, 1], &[]);
        check(&[[1; 4].as_slice(), &[5000], &[1; 10]].concat(), &ids(5..15));
        // Tiers: what nine small ones wait for is not that a larger one is written again.
        check(&[[100].as_slice(), &[1; 9]].concat(), &[]);
        check(&[[100].as_slice(), &[1; 10]].concat(), &ids(1..11));
        check(&[[100; 9].as_slice(), &[1; 9]].concat(), &[]);
        // With those of a tier go smaller ones between and behind them.
        check(&[[100; 10].as_slice(), &[1; 9]].concat(), &ids(0..19));
        check(&[100, 1].repeat(10), &ids(0..20));
        check(&[[1000; 10].as_slice(), &[100; 9]].concat(), &ids(0..19));
        check(&[4096; 20], &[]);
        // Bounds of one merge.
        check(&[4000; 30], &ids(0..12));
        check(&[1; 700], &ids(0..500));
    }

    #[test]
    fn files_that_wait_are_counted_from_the_end() {
        let check = |sizes: &[i64], expect: usize| assert_eq!(waiting(&files(sizes)), expect, "{sizes:?}");
        check(&[], 0);
        check(&[1, 1, 1], 3);
        check(&[1, 1, -1, 1, 1], 3);
        check(&[1, 1, 100, 1, 1], 2);
        check(&[100, 1, 100, 1000, 100, 1, 1, 100], 2);
        check(&[5000], 0);
    }

    #[test]
    fn a_table_that_grows_file_by_file_keeps_few_and_writes_a_row_few_times() {
        let (mut table, mut row, mut rewritten, added) = (Vec::<MergeInput>::new(), 0, 0, 20_000_u64);
        let mut most = 0;
        for _ in 0..added {
            table.push(MergeInput { row_id_start: row, size_bytes: 8 << 10, ..files(&[8]).remove(0) });
            row += 10;
            loop {
                let (first, merged) = match next(&table) {
                    [] => break,
                    inputs => (inputs[0].row_id_start, inputs.to_vec()),
                };
                let at = table.iter().position(|f| f.row_id_start == first).unwrap();
                let size_bytes = merged.iter().map(|f| f.size_bytes).sum();
                let record_count = merged.iter().map(|f| f.record_count).sum();
                rewritten += size_bytes;
                let one = MergeInput { size_bytes, record_count, ..merged[0].clone() };
                table.splice(at..at + merged.len(), [one]);
            }
            most = most.max(table.iter().filter(|file| file.size_bytes < SIZE_MAX).count());
        }
        assert!(most <= 3 * FAN_IN, "{most} files beside the full ones");
        assert!(rewritten <= 4 * added * (8 << 10), "{}", rewritten / (added * (8 << 10)));
    }
}
