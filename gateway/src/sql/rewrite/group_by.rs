//! What GROUP BY decides beyond what it names.

use duckmesh_catalog::ConstraintKind;

use super::{Column, Rewriter, scope::column_ex};
use crate::sql::plan::Origin;

impl Rewriter<'_> {
    /// Grouped by a table's primary key, its other columns have one value in each group: those used are grouped by, too.
    pub fn depends_on_keys(&self, group_by: &str, texts: &[&str]) -> String {
        let mut more = String::new();
        let sets = ["GROUPING SETS (", "ROLLUP (", "CUBE ("].iter().any(|word| group_by.contains(word));
        let Some(scope) = self.scopes.last().filter(|_| !sets) else { return more };
        for relation in &scope.relations {
            let Some(table) = relation.table.and_then(|index| self.tables.get(index)).map(|t| &t.table) else {
                continue;
            };
            let key = table.constraints.iter().find_map(|constraint| match &constraint.kind {
                ConstraintKind::PrimaryKey { columns } => Some(columns),
                _ => None,
            });
            let has = |text: &str, column: &Column| text.contains(&column_ex(relation, column).sql);
            let of = |column: &&Column, id| matches!(&column.origin, Some(Origin::Table(_, own)) if *own == id);
            let grouped = |id| relation.columns.iter().find(|c| of(c, id)).is_some_and(|c| has(group_by, c));
            if !key.is_some_and(|key| key.iter().all(|id| grouped(*id))) {
                continue;
            }
            for column in &relation.columns {
                if !has(group_by, column) && texts.iter().any(|text| has(text, column)) {
                    more.push_str(&format!(", {}", column_ex(relation, column).sql));
                }
            }
        }
        more
    }
}
