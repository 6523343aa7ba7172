//! What a name that is not there may have been meant to be, as Postgres guesses it (`parse_relation.c`).

use super::{Relation, Rewriter, system_column::is_hidden};
use crate::sql::{insert::RETURNING_ROWS, plan::Origin};

/// Changed letters that a suggestion may have.
const DISTANCE_MAX: usize = 3;
/// Names are never longer, in letters.
const LETTERS_MAX: usize = 63;

/// What was found so far.
struct Search<'a> {
    distance: usize,
    first: Option<(&'a str, &'a str)>,
    second: Option<(&'a str, &'a str)>,
}

impl<'a> Search<'a> {
    /// Looks at a column: `penalty` is how far its relation's name is from the one that was given.
    fn see(&mut self, penalty: usize, relation: &'a str, column: &'a str, wanted: &str) {
        if penalty > self.distance {
            return;
        }
        let distance = levenshtein(column, wanted);
        // More than half of the letters are others: no suggestion is better than that one.
        if distance > wanted.len() / 2 {
            return;
        }
        let distance = distance + penalty;
        if distance < self.distance {
            *self = Self { distance, first: Some((relation, column)), second: None };
        } else if distance == self.distance {
            match (self.first, self.second) {
                (_, Some(_)) => *self = Self { distance: distance.saturating_sub(1), first: None, second: None },
                (Some(_), None) => self.second = Some((relation, column)),
                (None, None) if self.distance <= DISTANCE_MAX => self.first = Some((relation, column)),
                (None, None) => {}
            }
        }
    }
}

impl Rewriter<'_> {
    /// The hint for a column that is not there; `table` qualified it.
    pub(super) fn column_hint(&self, table: Option<&str>, wanted: &str) -> Option<String> {
        let mut search = Search { distance: DISTANCE_MAX + 1, first: None, second: None };
        for scope in self.scopes.iter().rev() {
            for relation in scope.relations.iter().filter(|r| r.known) {
                let penalty = table.map_or(0, |table| levenshtein(table, &relation.name));
                for column in relation.columns.iter().filter(|c| !is_hidden(c)) {
                    if column.name == wanted && penalty == 0 {
                        return None;
                    }
                    search.see(penalty, &relation.name, &column.name, wanted);
                }
            }
        }
        let (table, column) = search.first?;
        let first = format!("Perhaps you meant to reference the column \"{table}.{column}\"");
        Some(match search.second {
            Some((table, column)) => format!("{first} or the column \"{table}.{column}\"."),
            None => format!("{first}."),
        })
    }

    /// The relation around that has another name here than its own, which was used.
    pub(super) fn renamed(&self, table: &str) -> Option<&Relation> {
        let is_of = |relation: &&Relation| {
            let used = relation.table.and_then(|index| self.tables.get(index)).map(|used| used.table.name.as_str());
            // Rows that are being written are of no table that is read.
            let written = match relation.columns.first().and_then(|column| column.origin.as_ref()) {
                Some(Origin::Table(written, _)) if relation.engine == RETURNING_ROWS => Some(written.name.as_str()),
                _ => None,
            };
            used.or(written) == Some(table) && relation.name != table
        };
        self.scopes.iter().rev().flat_map(|scope| &scope.relations).find(is_of)
    }
}

/// Letters to insert, delete or change.
fn levenshtein(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) =
        (one.chars().take(LETTERS_MAX).collect(), other.chars().take(LETTERS_MAX).collect());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((b, above), pair) in other.iter().zip(row.iter().skip(1)).zip(row.iter()) {
            let left = next.last().copied().unwrap_or(i + 1);
            next.push((above + 1).min(left + 1).min(pair + usize::from(a != b)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::levenshtein;

    #[test]
    fn letters_are_counted() {
        for (one, other, expect) in
            [("name", "nme", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0), ("äb", "ab", 1)]
        {
            assert_eq!(levenshtein(one, other), expect, "{one} {other}");
        }
    }
}
