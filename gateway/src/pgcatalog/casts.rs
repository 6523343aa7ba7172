//! Which types Postgres makes of which by itself, as `pg_cast` says.

use std::{collections::HashSet, sync::OnceLock};

use duckmesh_catalog::types::oid;

use super::{procedure, rows, types};

/// Columns of `pg_cast` by position.
mod at {
    pub const SOURCE: usize = 1;
    pub const TARGET: usize = 2;
    pub const CONTEXT: usize = 4;
}

/// Whether an assignment makes the second type of the first. Of types of users nothing is known: the answer is yes.
#[must_use]
pub fn assigns(from: u32, to: u32) -> bool {
    static PAIRS: OnceLock<HashSet<(u32, u32)>> = OnceLock::new();
    let pairs = PAIRS.get_or_init(|| {
        let lines = rows::of("pg_cast").unwrap_or_default().lines();
        let pair = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            let number = |at: usize| cells.get(at)?.parse::<u32>().ok();
            let explicit = cells.get(at::CONTEXT) == Some(&"e");
            (!explicit).then_some((number(at::SOURCE)?, number(at::TARGET)?))
        };
        lines.filter_map(pair).collect()
    });
    let (Some(source), Some(target)) = (types::by_oid(from), types::by_oid(to)) else { return true };
    let is_text = matches!(to, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME);
    let elements = source.element != 0 && target.element != 0;
    from == to
        || is_text
        || pairs.contains(&(from, to))
        || (elements && source.name.starts_with('_') && assigns(source.element, target.element))
}

/// The name of a type of Postgres' own, as a cast says it.
#[must_use]
pub fn name(ty: u32) -> Option<String> {
    types::by_oid(ty).map(|_| procedure::name(ty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_of_postgres() {
        for (from, to, expect) in [
            (oid::NUMERIC, oid::INT4, true),
            (oid::INT4, oid::BOOL, false),
            (oid::BOOL, oid::INT4, false),
            (oid::TIMESTAMPTZ, oid::INT4, false),
            (oid::TIMESTAMPTZ, oid::TEXT, true),
            (oid::TEXT, oid::INT4, false),
            (1231, 1007, true),
            (1231, oid::INT4, false),
        ] {
            assert_eq!(assigns(from, to), expect, "{from} {to}");
        }
        assert_eq!(name(1007).as_deref(), Some("integer[]"));
    }
}
