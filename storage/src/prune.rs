//! Leaving out files whose statistics say that no row can match.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use duckmesh_catalog::{
    ColumnId, ColumnType, FileId,
    files::{DataFile, FileRange},
};

use crate::parse::Scalar;

/// Statistics by column, then by file, as the catalog gives them. A missing entry is unknown.
pub type Ranges = HashMap<ColumnId, Arc<HashMap<FileId, FileRange>>>;

/// One condition that every row of the result must meet.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnPredicate {
    /// The column.
    pub column: ColumnId,
    /// Its type now.
    pub ty: ColumnType,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be. Values are in the lake's text form, exact, and meant as constants of the column's own type
/// (for numbers: any exact decimal). What cannot be understood never prunes.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `column <op> value`
    Compare(Comparison, String),
    /// `column IN (…)`, NULLs left out.
    In(Vec<String>),
    /// `column IS NULL`
    IsNull,
    /// `column IS NOT NULL`
    IsNotNull,
}

/// A comparison with a constant on its right. BETWEEN is two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// The files that may hold a row for which all predicates are true, in their order.
#[must_use]
pub fn prune(files: &[DataFile], ranges: &Ranges, predicates: &[ColumnPredicate]) -> Vec<DataFile> {
    let tests: Vec<_> = predicates.iter().filter_map(|p| Some((ranges.get(&p.column)?, Compiled::new(p)))).collect();
    let may_match = |file: &&DataFile| {
        let mut known = tests.iter().filter_map(|(ranges, test)| Some((ranges.get(&file.id)?, test)));
        known.all(|(range, test)| test.may_match(range))
    };
    files.iter().filter(may_match).cloned().collect()
}

/// A predicate whose constants are read once for all files.
struct Compiled<'a> {
    ty: &'a ColumnType,
    test: CompiledTest,
}

enum CompiledTest {
    Compare(Comparison, Scalar),
    In(Vec<Scalar>),
    /// A comparison that is not understood: true for no NULL, and nothing else is known.
    NotNull,
    Null,
}

impl<'a> Compiled<'a> {
    fn new(predicate: &'a ColumnPredicate) -> Self {
        let ty = &predicate.ty;
        let test = match &predicate.test {
            Test::IsNull => CompiledTest::Null,
            Test::IsNotNull => CompiledTest::NotNull,
            Test::In(values) => {
                let values: Option<_> = values.iter().map(|v| constant(v, ty)).collect();
                values.map_or(CompiledTest::NotNull, CompiledTest::In)
            }
            // Blanks behind a char(n) count for its order in ways its stored form does not show.
            Test::Compare(comparison, _) if matches!(ty, ColumnType::Char(_)) && *comparison != Comparison::Eq => {
                CompiledTest::NotNull
            }
            Test::Compare(comparison, value) => {
                constant(value, ty).map_or(CompiledTest::NotNull, |v| CompiledTest::Compare(*comparison, v))
            }
        };
        Self { ty, test }
    }

    fn may_match(&self, range: &FileRange) -> bool {
        // Both counts are 0 where DuckLake has no statistics at all, as for intervals.
        let counted = (range.value_count.unwrap_or(0), range.null_count.unwrap_or(0)) != (0, 0);
        let only_nulls = counted && range.value_count == Some(0);
        let no_nulls = counted && range.null_count == Some(0);
        let within = |comparison, value: &Scalar| self.within(range, comparison, value);
        match &self.test {
            CompiledTest::Null => !no_nulls,
            CompiledTest::NotNull => !only_nulls,
            CompiledTest::Compare(comparison, value) => !only_nulls && within(*comparison, value),
            CompiledTest::In(values) => !only_nulls && values.iter().any(|v| within(Comparison::Eq, v)),
        }
    }

    /// Whether a value between the file's bounds may compare so. Each bound counts for itself; none is unknown.
    fn within(&self, range: &FileRange, comparison: Comparison, value: &Scalar) -> bool {
        let min_is = |allowed: fn(Ordering) -> bool| {
            let min = range.min.as_deref().and_then(|text| Scalar::parse(text, self.ty));
            let order = min.and_then(|min| slack(min, -1.0).order(value));
            order.is_none_or(allowed)
        };
        let max_is = |allowed: fn(Ordering) -> bool| {
            let max = range.max.as_deref().and_then(|text| Scalar::parse(text, self.ty));
            let order = max.and_then(|max| slack(max, 1.0).order(value));
            order.is_none_or(allowed)
        };
        // NaN is larger than every number, and is not in the bounds.
        let may_be_nan = matches!(self.ty, ColumnType::Float4 | ColumnType::Float8);
        match comparison {
            Comparison::Eq => min_is(Ordering::is_le) && max_is(Ordering::is_ge),
            Comparison::Lt => min_is(Ordering::is_lt),
            Comparison::Le => min_is(Ordering::is_le),
            Comparison::Gt => may_be_nan || max_is(Ordering::is_gt),
            Comparison::Ge => may_be_nan || max_is(Ordering::is_ge),
        }
    }
}

/// A predicate's constant as the column's files hold it.
fn constant(text: &str, ty: &ColumnType) -> Option<Scalar> {
    let text = if matches!(ty, ColumnType::Char(_)) { text.trim_end_matches(' ') } else { text };
    Scalar::parse(text, ty)
}

/// A bound of floats, moved outwards by more than a `real` can be off: the column may have been `real` when the file
/// was written and be `double precision` now, and 0.1 is not the same number in both.
fn slack(bound: Scalar, direction: f64) -> Scalar {
    match bound {
        Scalar::Float(v) => {
            let distance = v.abs() * f64::from(f32::EPSILON) + f64::from(f32::MIN_POSITIVE);
            Scalar::Float(if v.is_finite() { v + direction * distance } else { v })
        }
        other => other,
    }
}
