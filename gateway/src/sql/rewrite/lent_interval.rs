//! Intervals of a query around. The engine computes a subquery once for values that are equal, and to it `1 mon` and `30 days` are:
//! relations have the texts of their intervals beside them, and a subquery reads these.

use duckmesh_catalog::ColumnType;

use super::{Audience, Column, Ex, Relation, Rewriter};
use crate::sql::quote;

/// How the name of a text begins; its column's place follows.
const TEXT: &str = "\u{2}interval ";

/// Whether texts stand in what with_interval_texts() gave.
pub(super) fn has_texts(body: &str) -> bool {
    let body = body.strip_prefix("LATERAL ").unwrap_or(body);
    body.starts_with("(SELECT *, CAST(") && body.contains(TEXT)
}

fn name_of(place: usize) -> String {
    quote::name(&format!("{TEXT}{place}"))
}

impl Rewriter<'_> {
    /// What stands in FROM, with the texts of its intervals where a subquery may ask for them.
    pub(super) fn with_interval_texts(&self, body: String, columns: &[Column], known: bool) -> String {
        let is_interval = |column: &Column| column.ty == Some(ColumnType::Interval);
        let reads = self.audience == Audience::Engine && known && self.has_functions();
        if !reads || !columns.iter().any(is_interval) || !self.nests() || self.recursing.contains(&body) {
            return body;
        }
        let texts: Vec<String> = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| is_interval(column))
            .map(|(place, column)| format!("CAST({} AS VARCHAR) AS {}", quote::name(&column.engine), name_of(place)))
            .collect();
        let (lateral, body) = match body.strip_prefix("LATERAL ") {
            Some(rest) => ("LATERAL ", rest),
            None => ("", body.as_str()),
        };
        format!("{lateral}(SELECT *, {} FROM {body})", texts.join(", "))
    }

    /// Whether there may be a subquery.
    fn nests(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        self.view_depth > 0 || text.contains("lateral") || text.matches("select").count() > 1
    }

    /// A column of a relation as a query inside of the relation's reads it. `depth`: so many queries are between; in a query with
    /// groups only what it groups by is there.
    pub(super) fn lent_interval(&self, depth: usize, relation: &Relation, place: usize, ex: Ex) -> Ex {
        let grouped = self.scopes.iter().rev().nth(depth).is_none_or(|scope| scope.repeats);
        let own = depth == 0 && self.scopes.len() > self.lent_below;
        if own || grouped || !relation.texts || ex.ty != Some(ColumnType::Interval) {
            return ex;
        }
        let sql = format!("CAST({}.{} AS INTERVAL)", quote::name(&relation.engine), name_of(place));
        Ex { sql, ..ex }
    }
}
