//! What `docs/functions.md` says of functions: those of the tables, those written in code, and those that are refused.

/// Functions that code and not a table's row writes: name, and what is special.
#[cfg(test)]
const WRITTEN: &[(&str, &str)] = &[
    ("extract, date_part, date_trunc, age, make_interval", "fields as in Postgres; `extract` is `numeric`"),
    ("to_char, to_date, to_timestamp, to_number", "Postgres' templates"),
    ("now, current_timestamp, current_date, localtime, clock_timestamp …", "values of the session"),
    ("avg, stddev, stddev_pop, variance, var_pop, sum, min, max of numeric", "exact, with Postgres' scale"),
    ("sum, avg of interval", ""),
    ("sqrt, ln, log, exp, power, div, mod, gcd, lcm, round, trunc of numeric", "exact, with Postgres' scale"),
    ("concat, concat_ws, format, quote_literal", "any arguments"),
    (
        "regexp_match, regexp_matches, regexp_replace, regexp_split_to_array, regexp_split_to_table, regexp_count, \
         regexp_instr, regexp_substr, regexp_like",
        "flags `g i c n s x q`; back references and lookaround with a bound of steps",
    ),
    ("encode, decode, unistr, get_byte, set_byte, get_bit, set_bit", ""),
    ("generate_subscripts, array_fill", "of any dimensions"),
    ("rank, dense_rank, percent_rank, cume_dist", "also as aggregates with WITHIN GROUP"),
    ("substring, overlay, position, trim, ceil, floor", "also in SQL's own syntax"),
    ("to_json, to_jsonb, row_to_json, array_to_json", "rows too: `row_to_json(t)`"),
    ("json_build_object, json_build_array, json_object, json_agg, json_object_agg and their jsonb twins", ""),
    (
        "json_typeof, json_array_length, json_extract_path, json_extract_path_text, json_strip_nulls and their jsonb twins",
        "",
    ),
    ("jsonb_set, jsonb_set_lax, jsonb_insert, jsonb_pretty", ""),
    (
        "jsonb_contains, jsonb_contained, jsonb_exists, jsonb_exists_any, jsonb_exists_all, jsonb_concat, jsonb_delete, \
         jsonb_delete_path",
        "what the operators do",
    ),
    (
        "jsonb_path_query, jsonb_path_query_array, jsonb_path_query_first, jsonb_path_exists, jsonb_path_match, and their _tz twins",
        "",
    ),
    (
        "json_array_elements, json_array_elements_text, json_object_keys, json_each, json_each_text and their jsonb twins",
        "in FROM, or among other values",
    ),
    (
        "json_to_record, json_to_recordset, json_populate_record, json_populate_recordset and their jsonb twins",
        "with a column definition list in FROM, or a row; `json_populate_record` and `json_populate_recordset` as values too",
    ),
    ("enum_first, enum_last, enum_range", ""),
    ("int4range, int8range, numrange, tsrange, tstzrange, daterange and their multiranges", "constructors of ranges"),
    ("lower, upper, isempty, lower_inc, upper_inc, lower_inf, upper_inf, range_merge, multirange", "of ranges"),
    ("range_agg, range_intersect_agg", "aggregates of ranges"),
    ("sum, min, max of money; min, max of inet and timetz", ""),
    ("generate_series, unnest, string_to_table", "`unnest` of several arrays in FROM"),
    ("count, grouping, percentile_cont, percentile_disc, mode", ""),
    ("pg_typeof, current_setting, current_schemas", "`pg_typeof` of what is known before it runs"),
];

/// Functions of Postgres that are refused: how names begin, why, and what to use.
const REFUSED: &[(&str, &str, &str)] = &[
    ("to_ascii", "the encoding is UTF8", "unaccent()"),
    ("to_tsvector", "there is no text search", "LIKE, ~ or starts_with()"),
    ("to_tsquery", "there is no text search", "LIKE, ~ or starts_with()"),
    ("plainto_tsquery", "there is no text search", "LIKE, ~ or starts_with()"),
    ("websearch_to_tsquery", "there is no text search", "LIKE, ~ or starts_with()"),
    ("ts_", "there is no text search", "LIKE, ~ or starts_with()"),
    ("xmlagg", "there is no xml", "json_agg()"),
    ("xmlparse", "there is no xml", "text"),
    ("setseed", "random numbers of one session cannot be repeated", "md5() of a key"),
];

/// Why a function of Postgres is refused, and what to use instead.
pub(super) fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    REFUSED.iter().find(|(start, ..)| name.starts_with(start)).map(|(_, why, instead)| (*why, *instead))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt::Write as _};

    use super::{
        super::{
            functions::{AGGREGATES, SCALARS, WINDOWS},
            signature::{Row, letter, shown},
        },
        REFUSED, WRITTEN,
    };

    /// `t` as `text`.
    fn argument(c: char) -> String {
        match c {
            'a' => "any".into(),
            'A' => "array".into(),
            'X' => "text[]".into(),
            '*' => "…".into(),
            c => letter(c).map_or_else(|| c.to_string(), |ty| shown(&ty)),
        }
    }

    fn table(rows: &[Row]) -> String {
        let mut names: BTreeMap<&str, (Vec<String>, &str)> = BTreeMap::new();
        for (name, signature, text) in rows {
            let arguments = signature.split('>').next().unwrap_or_default();
            let arguments: Vec<String> = arguments.chars().map(argument).collect();
            let call = format!("({})", arguments.join(", ").replace(", …", " …"));
            let how = match *text {
                "" => "same",
                text if text.starts_with(&format!("{name}(")) => "same",
                text if text.contains("pg_") => "our own",
                text if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.matches('(').count() == 1 => {
                    "renamed"
                }
                _ => "written",
            };
            let entry = names.entry(name).or_insert((Vec::new(), how));
            if !entry.0.contains(&call) {
                entry.0.push(call);
            }
        }
        let mut out = String::from("| function | arguments | how |\n| --- | --- | --- |\n");
        for (name, (calls, how)) in names {
            let _ = writeln!(out, "| `{name}` | {} | {how} |", calls.join(" "));
        }
        out
    }

    fn page() -> String {
        let mut out = String::from(
            "# Functions\n\nMade from the tables in `gateway/src/sql/rewrite`; a test compares it. *Same*: DuckDB's own of \
             that name. *Renamed*: DuckDB's own of another name. *Written*: a text of DuckDB's SQL. *Our own*: a macro, or a \
             function of the worker (`gateway/src/engine/worker/functions`). What is on no list is `42883`.\n",
        );
        for (title, rows) in [("Of one row", SCALARS), ("Aggregates", AGGREGATES), ("Windows", WINDOWS)] {
            let _ = write!(out, "\n## {title}\n\n{}", table(rows));
        }
        out.push_str("\n## Written in code\n\n| functions | |\n| --- | --- |\n");
        for (names, note) in WRITTEN {
            let _ = writeln!(out, "| {names} | {note} |");
        }
        out.push_str("\n## Refused (`0A000`)\n\n| begins with | why | instead |\n| --- | --- | --- |\n");
        for (name, why, instead) in REFUSED {
            let _ = writeln!(out, "| `{name}` | {why} | {instead} |");
        }
        out
    }

    #[test]
    fn the_documented_functions_are_these() {
        if let Some(path) = std::env::var_os("DUCKMESH_WRITE_FUNCTIONS") {
            std::fs::write(path, page()).unwrap();
            return;
        }
        let documented = include_str!("../../../../docs/functions.md");
        assert!(
            documented == page(),
            "docs/functions.md is old: run this test with DUCKMESH_WRITE_FUNCTIONS=docs/functions.md"
        );
    }

    #[test]
    fn what_is_refused_is_not_there() {
        for (start, ..) in REFUSED {
            assert!(!SCALARS.iter().chain(AGGREGATES).any(|r| r.0.starts_with(start)), "{start}");
        }
    }
}
