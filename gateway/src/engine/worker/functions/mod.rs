//! Postgres' functions that DuckDB's SQL cannot say, in Rust: the list of them, and what a function is.
//!
//! They take texts and give a text, a list of texts, a number or a flag. They touch nothing outside their arguments, but `found`,
//! which reads files that its arguments name.

mod bits;
mod bytes;
pub(crate) mod encodings;
pub mod floats;
pub(crate) mod found;
mod grids;
mod hashes;
mod held;
mod json;
mod json_elements;
mod json_order;
mod json_populate;
mod json_scan;
mod json_strip;
mod jsonpath;
mod mathematics;

pub(crate) mod number;
mod numeric;
mod pattern;
mod ranges;
mod reach;
mod regular;
mod sizes;
mod styles;
mod template;
mod texts;
mod time;

use crate::wire::error::{PgError, PgResult, SqlState};

/// An error with Postgres' code.
#[derive(Debug)]
pub struct Failure {
    state: &'static str,
    message: String,
}

impl Failure {
    pub fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self { state, message: message.into() }
    }

    /// As `engine/errors` reads it.
    pub fn raised(&self) -> String {
        format!("SQLSTATE {}: {}", self.state, self.message)
    }
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self::new(error.code().0, error.fields().message.clone())
    }
}

impl From<Failure> for PgError {
    fn from(failure: Failure) -> Self {
        Self::new(SqlState(failure.state), failure.message)
    }
}

pub type Outcome<T> = Result<T, Failure>;

/// What a function gives.
pub enum Value {
    Null,
    Text(String),
    Bytes(Vec<u8>),
    Bool(bool),
    Int(i64),
    Texts(Vec<Option<String>>),
}

/// The type of what a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    Text,
    Bytes,
    Bool,
    Int,
    Texts,
}

/// How many arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Exactly(usize),
    Any,
}

/// A function.
pub struct Function {
    pub name: &'static str,
    pub takes: Takes,
    pub gives: Gives,
    /// Whether it is called for NULL; else NULL gives NULL.
    pub sees_null: bool,
    /// Whether it fails for some texts: then DuckDB must not call it for rows that the query does not use (see `udf`).
    pub fails: bool,
    pub run: fn(&[Option<&str>]) -> Outcome<Value>,
}

const fn row(name: &'static str, takes: usize, gives: Gives, run: fn(&[Option<&str>]) -> Outcome<Value>) -> Function {
    Function { name, takes: Takes::Exactly(takes), gives, sees_null: false, fails: false, run }
}

/// A function of what people wrote, which may be wrong.
const fn reader(
    name: &'static str,
    takes: usize,
    gives: Gives,
    run: fn(&[Option<&str>]) -> Outcome<Value>,
) -> Function {
    Function { fails: true, ..row(name, takes, gives, run) }
}

const fn any(name: &'static str, gives: Gives, run: fn(&[Option<&str>]) -> Outcome<Value>) -> Function {
    Function { name, takes: Takes::Any, gives, sees_null: true, fails: false, run }
}

/// All of them.
pub const FUNCTIONS: &[Function] = &[
    // numeric
    reader("pg_num_in", 1, Gives::Text, numeric::read),
    row("pg_num_of_float", 2, Gives::Text, numeric::of_float),
    row("pg_num_key", 1, Gives::Bytes, numeric::key),
    row("pg_num_fit", 3, Gives::Text, numeric::fit),
    row("pg_num_int", 2, Gives::Int, numeric::whole),
    row("pg_num_bound", 3, Gives::Text, numeric::bound),
    row("pg_num_add", 2, Gives::Text, numeric::add),
    row("pg_num_sub", 2, Gives::Text, numeric::subtract),
    row("pg_num_mul", 2, Gives::Text, numeric::multiply),
    row("pg_num_div", 2, Gives::Text, numeric::divide),
    row("pg_num_mod", 2, Gives::Text, numeric::modulo),
    row("pg_num_quotient", 2, Gives::Text, numeric::whole_quotient),
    row("pg_num_neg", 1, Gives::Text, numeric::negate),
    row("pg_num_abs", 1, Gives::Text, numeric::absolute),
    row("pg_num_sign", 1, Gives::Text, numeric::sign),
    row("pg_num_round", 2, Gives::Text, numeric::round),
    row("pg_num_trunc", 2, Gives::Text, numeric::truncate),
    row("pg_num_ceil", 1, Gives::Text, numeric::ceiling),
    row("pg_num_floor", 1, Gives::Text, numeric::floor),
    row("pg_num_sqrt", 1, Gives::Text, numeric::sqrt),
    row("pg_num_ln", 1, Gives::Text, numeric::ln),
    row("pg_num_log10", 1, Gives::Text, numeric::log10),
    row("pg_num_log", 2, Gives::Text, numeric::log),
    row("pg_num_exp", 1, Gives::Text, numeric::exp),
    row("pg_num_power", 2, Gives::Text, numeric::power),
    row("pg_num_gcd", 2, Gives::Text, numeric::gcd),
    row("pg_num_lcm", 2, Gives::Text, numeric::lcm),
    row("pg_num_scale", 1, Gives::Int, numeric::scale),
    row("pg_num_min_scale", 1, Gives::Int, numeric::min_scale),
    row("pg_num_trim_scale", 1, Gives::Text, numeric::trim_scale),
    row("pg_num_factorial", 1, Gives::Text, numeric::factorial),
    row("pg_num_sum", 1, Gives::Text, numeric::sum),
    row("pg_num_avg", 1, Gives::Text, numeric::average),
    row("pg_num_spread", 4, Gives::Text, numeric::spread),
    row("pg_num_spread_all", 2, Gives::Text, numeric::spread_all),
    any("pg_num_greatest", Gives::Text, numeric::greatest),
    any("pg_num_least", Gives::Text, numeric::least),
    row("pg_num_bucket", 4, Gives::Int, numeric::width_bucket),
    row("pg_num_series", 3, Gives::Texts, numeric::series),
    // types that are held as text
    reader("pg_held_in", 4, Gives::Text, held::read),
    row("pg_held_key", 2, Gives::Bytes, held::key),
    any("pg_found", Gives::Text, found::found),
    any("pg_format_type", Gives::Text, found::format_type),
    any("pg_reg_found", Gives::Int, found::named),
    reader("pg_reg_in", 3, Gives::Int, found::read),
    reader("pg_type_modified", 2, Gives::Text, held::type_modified),
    reader("pg_held_fit", 4, Gives::Text, held::fit),
    any("pg_bits_of", Gives::Text, |args| or_null(args, bits::computed)),
    reader("pg_bits_number", 3, Gives::Int, bits::number),
    row("pg_held_text", 3, Gives::Text, held::show),
    row("pg_inet_test", 3, Gives::Bool, held::inet_test),
    reader("pg_inet_of", 3, Gives::Text, held::inet_of),
    row("pg_inet_number", 3, Gives::Int, held::inet_number),
    reader("pg_mac_of", 3, Gives::Text, held::mac_of),
    reader("pg_money_in", 1, Gives::Text, held::money_in),
    row("pg_money_text", 1, Gives::Text, held::money_text),
    reader("pg_money_of", 3, Gives::Text, held::money_of),
    reader("pg_timetz_of", 4, Gives::Text, held::timetz_of),
    row("pg_timetz_number", 2, Gives::Int, held::timetz_number),
    any("pg_range_make", Gives::Text, ranges::make),
    row("pg_range_test", 6, Gives::Bool, ranges::test),
    reader("pg_range_of", 6, Gives::Text, ranges::computed),
    row("pg_range_part", 4, Gives::Text, ranges::part),
    row("pg_range_flag", 4, Gives::Bool, ranges::flag),
    row("pg_range_list", 2, Gives::Texts, ranges::list),
    row("pg_range_gather", 3, Gives::Text, ranges::gathered),
    // arrays of several dimensions
    any("pg_grid_stack", Gives::Text, grids::stack),
    row("pg_grid_gather", 1, Gives::Text, grids::gathered),
    row("pg_grid_dims", 1, Gives::Text, grids::dims),
    row("pg_grid_number", 3, Gives::Int, grids::number),
    reader("pg_grid_element", 2, Gives::Text, grids::element),
    reader("pg_grid_slice", 2, Gives::Text, grids::slice),
    reader("pg_grid_list", 1, Gives::Texts, grids::list),
    reader("pg_grid_flat", 1, Gives::Texts, grids::flat),
    reader("pg_grid_like", 2, Gives::Text, grids::like),
    any("pg_grid_string", Gives::Text, grids::string),
    any("pg_grid_cat", Gives::Text, grids::cat),
    row("pg_grid_key", 2, Gives::Bytes, grids::key),
    any("pg_grid_fill", Gives::Text, grids::fill),
    row("pg_grid_json", 2, Gives::Text, grids::json),
    // json
    reader("pg_json", 1, Gives::Text, json::check),
    reader("pg_jsonb", 1, Gives::Text, json::normal),
    row("pg_json_quote", 1, Gives::Text, json::quote),
    row("pg_jsonb_order", 1, Gives::Bytes, json_order::key),
    any("pg_json_object", Gives::Text, json::object),
    any("pg_json_row", Gives::Text, json::row),
    any("pg_json_array", Gives::Text, json::array),
    any("pg_json_pair", Gives::Text, json::pair),
    reader("pg_json_zip", 2, Gives::Text, json::zipped),
    row("pg_json_alternate", 1, Gives::Text, json_populate::alternating),
    row("pg_json_line", 1, Gives::Text, json_populate::lines),
    row("pg_json_one", 2, Gives::Text, json_populate::object),
    row("pg_json_many", 2, Gives::Texts, json_populate::objects),
    row("pg_json_list", 1, Gives::Texts, json_populate::list_of),
    row("pg_json_pairs", 2, Gives::Texts, json_populate::pairs),
    row("pg_json_member", 2, Gives::Text, json::member),
    row("pg_json_member_text", 2, Gives::Text, json::member_text),
    row("pg_json_element", 2, Gives::Text, json::element),
    row("pg_json_element_text", 2, Gives::Text, json::element_text),
    row("pg_jsonb_element", 2, Gives::Text, json_elements::element_of_binary),
    row("pg_jsonb_element_text", 2, Gives::Text, json_elements::element_of_binary_text),
    row("pg_json_path", 2, Gives::Text, json::path),
    row("pg_json_path_text", 2, Gives::Text, json::path_text),
    any("pg_json_steps", Gives::Text, json::steps),
    any("pg_json_steps_text", Gives::Text, json::steps_text),
    row("pg_json_type", 1, Gives::Text, json::type_of),
    reader("pg_json_length", 1, Gives::Int, json::length),
    reader("pg_json_elements", 1, Gives::Texts, json::elements),
    reader("pg_json_elements_text", 1, Gives::Texts, json::elements_text),
    reader("pg_json_keys", 1, Gives::Texts, json::keys),
    reader("pg_json_values", 1, Gives::Texts, json::values),
    reader("pg_json_values_text", 1, Gives::Texts, json::values_text),
    reader("pg_json_scalar", 2, Gives::Text, json::scalar),
    row("pg_jsonb_has", 2, Gives::Bool, json::exists),
    row("pg_jsonb_has_any", 2, Gives::Bool, json::exists_any),
    row("pg_jsonb_has_all", 2, Gives::Bool, json::exists_all),
    row("pg_jsonb_contains", 2, Gives::Bool, json::contains),
    reader("pg_jsonb_concat", 2, Gives::Text, json::concat),
    reader("pg_jsonb_without", 2, Gives::Text, json::without),
    reader("pg_jsonb_without_all", 2, Gives::Text, json::without_all),
    reader("pg_jsonb_without_at", 2, Gives::Text, json::without_at),
    reader("pg_jsonb_delete", 2, Gives::Text, json::delete_path),
    reader("pg_jsonb_set", 4, Gives::Text, json::set),
    reader("pg_jsonb_insert", 4, Gives::Text, json::insert),
    row("pg_json_strip", 1, Gives::Text, json_strip::strip_text),
    row("pg_jsonb_strip", 1, Gives::Text, json_strip::strip_nulls),
    row("pg_jsonb_pretty", 1, Gives::Text, json::pretty),
    // paths
    reader("pg_jsonpath", 1, Gives::Text, jsonpath::read),
    any("pg_jsonpath_query", Gives::Texts, |args| or_null(args, jsonpath::query)),
    any("pg_jsonpath_array", Gives::Text, |args| or_null(args, jsonpath::query_array)),
    any("pg_jsonpath_first", Gives::Text, |args| or_null(args, jsonpath::query_first)),
    any("pg_jsonpath_exists", Gives::Bool, |args| or_null(args, jsonpath::exists)),
    any("pg_jsonpath_match", Gives::Bool, |args| or_null(args, jsonpath::matches)),
    // templates
    reader("pg_char_of_time", 2, Gives::Text, template::time),
    reader("pg_char_of_interval", 2, Gives::Text, template::interval),
    reader("pg_char_of_number", 3, Gives::Text, template::number),
    reader("pg_time_of_char", 2, Gives::Text, template::parse_time),
    reader("pg_number_of_char", 2, Gives::Text, template::parse_number),
    // times
    reader("pg_read", 4, Gives::Text, texts::read),
    row("pg_zone_offset", 1, Gives::Int, time::zone_offset),
    reader("pg_zone_name", 1, Gives::Text, time::zone_name),
    row("pg_real_text", 1, Gives::Text, floats::real_text),
    row("pg_styled", 3, Gives::Text, styles::styled),
    row("pg_interval_times", 2, Gives::Text, time::scaled),
    row("pg_interval_over", 2, Gives::Text, time::divided),
    reader("pg_interval_fit", 2, Gives::Text, time::fitted),
    row("pg_interval_days", 1, Gives::Text, time::days_justified),
    row("pg_interval_hours", 1, Gives::Text, time::hours_justified),
    row("pg_interval_justified", 1, Gives::Text, time::justified),
    // patterns and texts
    reader("pg_regexp_like", 3, Gives::Bool, regular::like),
    reader("pg_regexp_match", 3, Gives::Texts, regular::captures),
    reader("pg_regexp_matches", 3, Gives::Texts, regular::all_captures),
    reader("pg_regexp_split", 3, Gives::Texts, regular::split),
    reader("pg_regexp_replace", 4, Gives::Text, regular::replace),
    reader("pg_regexp_replace_from", 6, Gives::Text, regular::replace_from),
    reader("pg_regexp_count", 4, Gives::Int, regular::count),
    reader("pg_regexp_instr", 7, Gives::Int, regular::position),
    reader("pg_regexp_substr", 6, Gives::Text, regular::part),
    row("pg_bytes_text", 1, Gives::Text, bytes::as_text),
    row("pg_text_bytes", 1, Gives::Bytes, bytes::of_text),
    row("pg_bytes_ones", 1, Gives::Int, bytes::ones),
    row("pg_bytes_hash", 2, Gives::Bytes, bytes::hash),
    row("pg_hash", 2, Gives::Int, hashes::plain),
    row("pg_hash_seeded", 3, Gives::Int, hashes::seeded),
    reader("pg_size_shown", 1, Gives::Text, sizes::pretty),
    reader("pg_size_read", 1, Gives::Int, sizes::bytes),
    row("pg_normalize", 2, Gives::Text, pattern::normalized),
    reader("pg_get_byte", 2, Gives::Int, bytes::get_byte),
    reader("pg_bytea", 1, Gives::Bytes, bytes::read),
    reader("pg_convert_to", 2, Gives::Bytes, encodings::to),
    reader("pg_convert_from_bytes", 2, Gives::Text, encodings::from),
    reader("pg_set_byte", 3, Gives::Bytes, bytes::set_byte),
    reader("pg_get_bit", 2, Gives::Int, bytes::get_bit),
    reader("pg_set_bit", 3, Gives::Bytes, bytes::set_bit),
    reader("pg_similar", 3, Gives::Bool, pattern::similar),
    reader("pg_similar_part", 3, Gives::Text, pattern::similar_part),
    any("pg_format", Gives::Text, pattern::format),
    reader("pg_parse_ident", 2, Gives::Texts, pattern::parse_ident),
    any("pg_record", Gives::Text, pattern::record),
    row("pg_record_field", 2, Gives::Text, pattern::record_field),
    row("pg_record_part", 3, Gives::Text, pattern::record_part),
    reader("pg_encode", 2, Gives::Text, pattern::encode),
    reader("pg_decode", 2, Gives::Bytes, pattern::decode),
    reader("pg_unistr", 1, Gives::Text, pattern::unistr),
    row("pg_char_in", 1, Gives::Text, texts::byte),
    row("pg_cut_name", 1, Gives::Text, texts::name),
    row("pg_quote_ident", 1, Gives::Text, pattern::quote_ident),
];

/// NULL where an argument is NULL: of functions that take any number of them.
fn or_null(args: &[Option<&str>], run: fn(&[Option<&str>]) -> Outcome<Value>) -> Outcome<Value> {
    if args.iter().any(Option::is_none) { Ok(Value::Null) } else { run(args) }
}

/// A SQL/JSON path as Postgres shows it; for the gate, which says with its place where a text is none.
pub fn jsonpath(text: &str) -> PgResult<String> {
    Ok(jsonpath::normal(text)?)
}

/// An argument; empty where it is missing.
fn text<'a>(args: &[Option<&'a str>], at: usize) -> &'a str {
    args.get(at).copied().flatten().unwrap_or_default()
}

fn integer(args: &[Option<&str>], at: usize) -> i64 {
    text(args, at).parse().unwrap_or(0)
}

fn flag(args: &[Option<&str>], at: usize) -> bool {
    matches!(text(args, at), "t" | "true")
}

/// The elements of an array's text of one dimension.
fn list(text: &str) -> Vec<Option<String>> {
    let inner = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or_default();
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() {
        let (mut item, mut quoted) = (String::new(), false);
        while let Some(c) = chars.next() {
            match c {
                ',' => break,
                '"' => {
                    quoted = true;
                    while let Some(c) = chars.next() {
                        match c {
                            '"' => break,
                            '\\' => item.extend(chars.next()),
                            c => item.push(c),
                        }
                    }
                }
                '\\' => item.extend(chars.next()),
                c => item.push(c),
            }
        }
        let bare = if quoted { item } else { item.trim().to_owned() };
        items.push((quoted || !bare.eq_ignore_ascii_case("null")).then_some(bare));
    }
    items
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_are_read() {
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(super::list("{a,\"b,\\\"c\",NULL}"), [some("a"), some("b,\"c"), None]);
        assert!(super::list("{}").is_empty());
    }

    #[test]
    fn names_differ() {
        let mut names: Vec<&str> = super::FUNCTIONS.iter().map(|f| f.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
