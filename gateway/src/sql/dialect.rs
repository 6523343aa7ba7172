//! PostgreSQL's grammar where the parser's dialect of that name differs from it: how tightly operators bind, and which
//! words can be names without AS.

use std::any::TypeId;

use sqlparser::{
    ast::{Expr, UnaryOperator},
    dialect::{Dialect, PostgreSqlDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use crate::pgcatalog;

/// The dialect that every text is parsed with.
#[derive(Debug, Default, Clone, Copy)]
pub struct Postgres {}

const BASE: PostgreSqlDialect = PostgreSqlDialect {};
/// Of a sign: tighter than `^`, `AT TIME ZONE` and COLLATE (`UMINUS` in PostgreSQL's `gram.y`), looser than brackets.
const SIGN: u8 = 125;

macro_rules! as_base {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { BASE.$name() })* };
}

impl Dialect for Postgres {
    /// What the parser does for PostgreSQL alone it does for this one.
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let other = self.prec_value(Precedence::PgOther);
        let (op, precedence) = match parser.peek_token_ref().token {
            Token::Minus => (UnaryOperator::Minus, SIGN),
            Token::Plus => (UnaryOperator::Plus, SIGN),
            // Any other operator binds as one between two operands does: looser than arithmetic.
            Token::Tilde => (UnaryOperator::BitwiseNot, other),
            Token::AtSign => (UnaryOperator::PGAbs, other),
            Token::PGSquareRoot => (UnaryOperator::PGSquareRoot, other),
            Token::PGCubeRoot => (UnaryOperator::PGCubeRoot, other),
            _ => return None,
        };
        parser.advance_token();
        Some(parser.parse_subexpr(precedence).map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Word(word) => match word.keyword {
                Keyword::OPERATOR => Some(Ok(self.prec_value(Precedence::PgOther))),
                // Operators of other dialects: names.
                Keyword::DIV
                | Keyword::GLOB
                | Keyword::MATCH
                | Keyword::MEMBER
                | Keyword::REGEXP
                | Keyword::RLIKE
                | Keyword::XOR => Some(Ok(self.prec_unknown())),
                _ => BASE.get_next_precedence(parser),
            },
            _ => BASE.get_next_precedence(parser),
        }
    }

    fn is_select_item_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        BASE.is_select_item_alias(explicit, kw, parser) || pgcatalog::is_bare_label(&word(kw))
    }

    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        // `UPDATE t SET`: the grammar prefers the command there.
        BASE.is_table_factor_alias(explicit, kw, parser) || (*kw != Keyword::SET && pgcatalog::is_name(&word(kw)))
    }

    fn is_table_alias(&self, kw: &Keyword, parser: &mut Parser) -> bool {
        BASE.is_table_alias(kw, parser)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        BASE.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        BASE.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        BASE.is_identifier_part(ch)
    }

    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        BASE.is_reserved_for_identifier(kw)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        BASE.is_custom_operator_part(ch)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        BASE.prec_value(precedence)
    }

    as_base! {
        allow_extract_custom
        allow_extract_single_quotes
        supports_aliased_function_args
        supports_alter_column_type_using
        supports_alter_user_as_alter_role
        supports_array_typedef_with_brackets
        supports_bitwise_shift_operators
        supports_comma_separated_trim
        supports_comment_on
        supports_comment_optimizer_hint
        supports_create_index_with_clause
        supports_create_table_like_parenthesized
        supports_empty_projections
        supports_exclude_constraint
        supports_explain_with_utility_options
        supports_factorial_operator
        supports_filter_during_aggregation
        supports_geometric_types
        supports_group_by_expr
        supports_insert_table_alias
        supports_interval_options
        supports_left_associative_joins_without_parens
        supports_listen_notify
        supports_load_extension
        supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_expr_name
        supports_nested_comments
        supports_notnull_operator
        supports_numeric_literal_underscores
        supports_order_by_using_operator
        supports_select_wildcard_with_alias
        supports_set_names
        supports_string_escape_constant
        supports_unicode_string_literal
        supports_xml_expressions
    }
}

fn word(keyword: &Keyword) -> String {
    format!("{keyword:?}").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text as the tree groups it.
    fn grouped(sql: &str) -> String {
        let mut parser = Parser::new(&Postgres {}).try_with_sql(sql).unwrap();
        fn show(expr: &Expr) -> String {
            match expr {
                Expr::BinaryOp { left, op, right } => format!("({} {op} {})", show(left), show(right)),
                Expr::UnaryOp { op, expr } => format!("({op} {})", show(expr)),
                other => other.to_string(),
            }
        }
        let expr = parser.parse_expr().unwrap();
        assert_eq!(parser.peek_token_ref().token, Token::EOF, "{sql}");
        show(&expr)
    }

    #[test]
    fn operators_bind_as_in_postgres() {
        for (sql, expected) in [
            ("-2 ^ 2", "((- 2) ^ 2)"),
            ("- a.b[1] * 2", "((- a.b[1]) * 2)"),
            ("-a::int ^ 2", "((- a::INT) ^ 2)"),
            ("@ -5 + 3", "(@((- 5) + 3))"),
            ("~ 1 + 2 & 4", "((~ (1 + 2)) & 4)"),
            ("|/ 16 + 9", "(|/(16 + 9))"),
            ("a ~ 'x' || 'y'", "((a ~ 'x') || 'y')"),
            ("b = a ~~ 'x'", "(b = (a ~~ 'x'))"),
            ("a !~* b + 1", "(a !~* (b + 1))"),
            ("a OPERATOR(pg_catalog.~) b || c", "((a OPERATOR(pg_catalog.~) b) || c)"),
        ] {
            assert_eq!(grouped(sql).replace("@ ", "@").replace("|/ ", "|/"), expected, "{sql}");
        }
    }

    /// What the parser's own dialect says of itself is not forgotten when the parser learns more.
    #[test]
    fn names_without_as() {
        for sql in [
            "SELECT 1 top",
            "SELECT 1 exclude, 2 match, 3 div, 4 glob, 5 xor, 6 regexp FROM t",
            "SELECT format.a FROM (SELECT 1 AS a) format",
            "SELECT 1 FROM a settings JOIN b pivot ON true",
            "SELECT 1 FROM a anti JOIN b semi USING (x)",
            "SELECT 1 end FROM t",
        ] {
            assert!(Parser::parse_sql(&Postgres {}, sql).is_ok(), "{sql}");
        }
        for sql in ["UPDATE t SET a = 1, SET b = 2", "SELECT 1 FROM t where"] {
            assert!(Parser::parse_sql(&Postgres {}, sql).is_err(), "{sql}");
        }
    }
}
