//! What a snapshot's `changes_made` means for the remembered files of one table.

use crate::TableId;

/// The effect of some snapshots on a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    /// Files or delete files were added or closed.
    pub files: bool,
    /// Rows in the catalog were added or closed.
    pub inlined: bool,
    /// Columns may be other ones.
    pub altered: bool,
    /// Files became one, with the same rows.
    pub merged: bool,
    /// Rows of older snapshots may have changed: rewritten files, flushed rows, or something we do not know.
    pub rewritten: bool,
}

impl Effect {
    /// Adds the effect of a snapshot.
    pub fn add(&mut self, changes: Option<&str>, table: TableId) {
        // A comma inside a name cuts it in two; the second half is then a change we do not know: safe.
        for change in changes.unwrap_or_default().split(',').filter(|c| !c.is_empty()) {
            let (kind, object) = change.split_once(':').unwrap_or((change, ""));
            let own = object.parse() == Ok(table.get());
            match kind {
                "inserted_into_table" | "deleted_from_table" | "dropped_table" => self.files |= own,
                "inlined_insert" | "inlined_delete" => self.inlined |= own,
                "altered_table" => self.altered |= own,
                // Also a table under a new name; the name says nothing of the id.
                "created_table" => self.altered = true,
                "merge_adjacent" => self.merged |= own,
                "created_schema" | "dropped_schema" | "altered_schema" | "created_view" | "dropped_view"
                | "altered_view" => {}
                _ => self.rewritten = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_as_the_official_extension_writes_them() {
        let check = |changes: &str, expect: &str| {
            let mut effect = Effect::default();
            effect.add(Some(changes), TableId::new(1));
            let mut got = String::new();
            let Effect { files, inlined, altered, merged, rewritten } = effect;
            for (on, letter) in [(files, 'f'), (inlined, 'i'), (altered, 'a'), (merged, 'm'), (rewritten, 'r')] {
                if on {
                    got.push(letter);
                }
            }
            assert_eq!(got, expect, "{changes}");
        };
        check("inserted_into_table:1", "f");
        check("inserted_into_table:11,deleted_from_table:2", "");
        check("inlined_insert:1,inlined_delete:1", "i");
        check("altered_table:1,inserted_into_table:1", "fa");
        check("created_view:\"main\".\"v\"", "");
        check("created_table:\"main\".\"a,b\"", "ar");
        check("merge_adjacent:1,inserted_into_table:1", "fm");
        check("merge_adjacent:2", "");
        check("flushed_inlined:2", "r");
        check("", "");
    }
}
