//! DO: the form in which tools make what may be there already, `BEGIN …; EXCEPTION WHEN … THEN NULL; END`.
//!
//! There is no procedural language: any other block is refused.

use std::sync::Arc;

use sqlparser::tokenizer::Token;

use super::{
    parse,
    plan::{DoPlan, Plan},
    scan::Scan,
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Statements of a block.
const STATEMENTS_MAX: usize = 1000;

/// What a block may hold, by the first word.
const COMMANDS: [&str; 8] = ["create", "alter", "drop", "comment", "grant", "revoke", "truncate", "insert"];

const HINT: &str = "A block may be BEGIN, definitions and INSERTs, EXCEPTION WHEN … THEN NULL, END. \
    Other statements are for the client to send.";

/// The conditions that statements of a block can end with, as PL/pgSQL names them.
const CONDITIONS: &[(&str, &str)] = &[
    ("feature_not_supported", "0A000"),
    ("data_exception", "22000"),
    ("string_data_right_truncation", "22001"),
    ("numeric_value_out_of_range", "22003"),
    ("null_value_not_allowed", "22004"),
    ("invalid_datetime_format", "22007"),
    ("datetime_field_overflow", "22008"),
    ("division_by_zero", "22012"),
    ("invalid_parameter_value", "22023"),
    ("invalid_text_representation", "22P02"),
    ("integrity_constraint_violation", "23000"),
    ("restrict_violation", "23001"),
    ("not_null_violation", "23502"),
    ("foreign_key_violation", "23503"),
    ("unique_violation", "23505"),
    ("check_violation", "23514"),
    ("exclusion_violation", "23P01"),
    ("invalid_transaction_state", "25000"),
    ("active_sql_transaction", "25001"),
    ("read_only_sql_transaction", "25006"),
    ("dependent_objects_still_exist", "2BP01"),
    ("invalid_schema_name", "3F000"),
    ("syntax_error_or_access_rule_violation", "42000"),
    ("insufficient_privilege", "42501"),
    ("syntax_error", "42601"),
    ("invalid_name", "42602"),
    ("duplicate_column", "42701"),
    ("ambiguous_column", "42702"),
    ("undefined_column", "42703"),
    ("undefined_object", "42704"),
    ("duplicate_object", "42710"),
    ("duplicate_alias", "42712"),
    ("duplicate_function", "42723"),
    ("ambiguous_function", "42725"),
    ("grouping_error", "42803"),
    ("datatype_mismatch", "42804"),
    ("wrong_object_type", "42809"),
    ("invalid_foreign_key", "42830"),
    ("cannot_coerce", "42846"),
    ("undefined_function", "42883"),
    ("reserved_name", "42939"),
    ("undefined_table", "42P01"),
    ("undefined_parameter", "42P02"),
    ("duplicate_database", "42P04"),
    ("duplicate_schema", "42P06"),
    ("duplicate_table", "42P07"),
    ("invalid_column_reference", "42P10"),
    ("invalid_column_definition", "42611"),
    ("invalid_schema_definition", "42P15"),
    ("invalid_table_definition", "42P16"),
    ("invalid_object_definition", "42P17"),
    ("program_limit_exceeded", "54000"),
    ("object_not_in_prerequisite_state", "55000"),
    ("object_in_use", "55006"),
    ("lock_not_available", "55P03"),
    ("query_canceled", "57014"),
    ("internal_error", "XX000"),
    ("raise_exception", "P0001"),
];

/// An error that ends a block without being one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every one but a cancelled statement.
    Others,
    /// A code; one of a class where it ends with three zeros.
    Code(String),
}

impl Condition {
    fn named(name: &str) -> PgResult<Self> {
        if name == "others" {
            return Ok(Self::Others);
        }
        let found = CONDITIONS.iter().find(|(known, _)| *known == name);
        found.map(|(_, code)| Self::Code((*code).to_owned())).ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized exception condition \"{name}\""))
        })
    }

    /// Whether an error is meant.
    #[must_use]
    pub fn takes(&self, error: &PgError) -> bool {
        let code = error.code();
        match self {
            Self::Others => code != SqlState::QUERY_CANCELED,
            Self::Code(own) => match own.strip_suffix("000") {
                Some(class) => code.0.starts_with(class),
                None => *own == code.0,
            },
        }
    }
}

/// Plans what follows DO.
pub fn plan(scan: &mut Scan<'_>) -> PgResult<Plan> {
    let mut language = None;
    let mut body = None;
    while !scan.is_done() {
        if scan.word(&["language"]) {
            if language.is_some() {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
            }
            language = Some(if matches!(scan.peek(), Some(Token::Word(_))) { scan.ident()? } else { scan.string()? });
        } else if body.is_some() {
            return Err(scan.unexpected());
        } else {
            body = Some(scan.string()?);
        }
    }
    let Some(body) = body else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "no inline code specified"));
    };
    match language.as_deref() {
        None | Some("plpgsql") => {}
        Some(name @ ("sql" | "c" | "internal")) => {
            return Err(PgError::unsupported(format!("language \"{name}\" does not support inline code execution")));
        }
        Some(name) => {
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")));
        }
    }
    // Positions would be of the block's own text, which is not what the client sent.
    block(&body).map(Plan::Do).map_err(PgError::unplaced)
}

fn unsupported() -> PgError {
    PgError::unsupported("this DO block is not supported: there is no procedural language").hint(HINT)
}

fn block(body: &str) -> PgResult<DoPlan> {
    let mut scan = Scan::new(body).ok_or_else(unsupported)?;
    if !scan.word(&["begin"]) {
        return Err(unsupported());
    }
    let mut plan = DoPlan { statements: Vec::new(), handled: Vec::new() };
    loop {
        if scan.word(&["end"]) {
            break;
        }
        if scan.word(&["exception"]) {
            plan.handled = handlers(&mut scan)?;
            break;
        }
        let text = statement(&mut scan)?;
        if text.eq_ignore_ascii_case("null") {
            continue;
        }
        if plan.statements.len() == STATEMENTS_MAX || !COMMANDS.iter().any(|word| begins_with(&text, word)) {
            return Err(unsupported());
        }
        plan.statements.extend(parse::parse_here(&Arc::from(text.as_str()))?);
    }
    scan.take(&Token::SemiColon);
    if scan.is_done() { Ok(plan) } else { Err(unsupported()) }
}

fn begins_with(text: &str, word: &str) -> bool {
    super::scan::begins_with(text, &[word])
}

/// A statement's text, whose semicolon is taken.
fn statement(scan: &mut Scan<'_>) -> PgResult<String> {
    let start = scan.mark();
    while scan.peek().is_some_and(|token| *token != Token::SemiColon) {
        scan.advance();
    }
    let text = scan.source(start, scan.mark()).to_owned();
    scan.expect(&Token::SemiColon)?;
    if text.is_empty() { Err(unsupported()) } else { Ok(text) }
}

/// `WHEN a OR b THEN NULL; …`, and the block's END.
fn handlers(scan: &mut Scan<'_>) -> PgResult<Vec<Condition>> {
    let mut handled = Vec::new();
    while scan.word(&["when"]) {
        loop {
            handled.push(match scan.word(&["sqlstate"]) {
                true => Condition::Code(scan.string()?),
                false => Condition::named(&scan.ident()?)?,
            });
            if !scan.word(&["or"]) {
                break;
            }
        }
        scan.expect_word(&["then"])?;
        while !scan.sees(&["when"]) && !scan.sees(&["end"]) {
            if !scan.word(&["null"]) {
                return Err(unsupported());
            }
            scan.expect(&Token::SemiColon)?;
        }
    }
    scan.expect_word(&["end"])?;
    if handled.is_empty() { Err(unsupported()) } else { Ok(handled) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::thread;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let text = text.to_owned();
        let shown = thread::run_blocking(move || {
            let mut scan = Scan::new(&text).expect("has tokens");
            scan.word(&["do"]);
            Ok(match plan(&mut scan) {
                Ok(Plan::Do(plan)) => {
                    let texts: Vec<&str> = plan.statements.iter().map(super::super::Statement::text).collect();
                    format!("{} | {:?}", texts.join("; "), plan.handled)
                }
                Ok(_) => "another plan".to_owned(),
                Err(error) => error.to_string(),
            })
        });
        assert_eq!(shown.expect("runs"), expect);
    }

    #[test]
    fn blocks_of_definitions_are_read() {
        check(
            "do 'BEGIN CREATE TYPE \"m\" AS ENUM(''a;'', ''b''); EXCEPTION WHEN duplicate_object THEN null; END'",
            "CREATE TYPE \"m\" AS ENUM('a;', 'b') | [Code(\"42710\")]",
        );
        check(
            "do language plpgsql $x$ begin drop table a; alter table b add c int; exception when others or sqlstate '22000' then \
             NULL; when undefined_table then end; $x$",
            "drop table a; alter table b add c int | [Others, Code(\"22000\"), Code(\"42P01\")]",
        );
        check("do $$begin create schema s; end$$ language 'plpgsql'", "create schema s | []");
        let refused = "0A000: this DO block is not supported: there is no procedural language";
        for body in [
            "declare x int; begin end",
            "begin if true then create schema s; end if; end",
            "begin raise notice 'x'; end",
            "begin create schema s; exception when others then raise; end",
            "begin create schema s; end; select 1",
            "",
        ] {
            check(&format!("do $$ {body} $$"), refused);
        }
        check(
            "do $$begin create schema s; exception when no_such then null; end$$",
            "42704: unrecognized exception condition \"no_such\"",
        );
        check("do $$begin end$$ language x", "42704: language \"x\" does not exist");
    }

    #[test]
    fn conditions_take_their_codes() {
        let error = PgError::new(SqlState::DUPLICATE_TABLE, "x");
        for (name, takes) in [
            ("duplicate_table", true),
            ("duplicate_object", false),
            ("syntax_error_or_access_rule_violation", true),
            ("data_exception", false),
            ("others", true),
        ] {
            assert_eq!(Condition::named(name).expect("known").takes(&error), takes, "{name}");
        }
        assert!(!Condition::Others.takes(&PgError::new(SqlState::QUERY_CANCELED, "x")));
    }
}
