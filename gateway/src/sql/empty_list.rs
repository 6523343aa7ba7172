//! `SELECT` without a list, which the parser knows before FROM only: a name that nobody's column has stands for the list.

use sqlparser::{
    ast::{Expr, Ident, SelectItem},
    tokenizer::{Token, TokenWithSpan, Whitespace, Word},
};

use crate::wire::error::PgError;

/// No name of Postgres holds a control character unless somebody means it.
pub(super) const MARK: &str = "\u{2}nothing";
/// What may follow SELECT where there is no list.
const NEXT: [&str; 11] =
    ["union", "intersect", "except", "where", "group", "having", "order", "limit", "offset", "fetch", "for"];

/// Writes the name where a list is missing.
pub(super) fn marked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_solid = |t: &&TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
    let mut places = Vec::new();
    let mut before: Option<&Token> = None;
    for (at, token) in tokens.iter().enumerate().filter(|(_, t)| !matches!(t.token, Token::Whitespace(_))) {
        // `AS select` is a name.
        let named = before.is_some_and(|t| *t == Token::Period || says(t, "as"));
        before = Some(&token.token);
        if named || !says(&token.token, "select") {
            continue;
        }
        let next = tokens.iter().skip(at + 1).find(is_solid).map(|t| &t.token);
        let ends = match next {
            None | Some(Token::RParen | Token::SemiColon | Token::EOF) => true,
            Some(next) => NEXT.iter().any(|word| says(next, word)),
        };
        if ends {
            places.push(at);
        }
    }
    let mut tokens = tokens;
    for at in places.into_iter().rev() {
        let Some(span) = tokens.get(at).map(|t| t.span) else { continue };
        let name = Token::Word(Word {
            value: MARK.to_owned(),
            quote_style: Some('"'),
            keyword: sqlparser::keywords::Keyword::NoKeyword,
        });
        let added = [Token::Whitespace(Whitespace::Space), name];
        tokens.splice(at + 1..at + 1, added.map(|token| TokenWithSpan { token, span }));
    }
    tokens
}

/// Whether a SELECT has no list.
pub(super) fn is_empty(projection: &[SelectItem]) -> bool {
    match projection {
        [] => true,
        [SelectItem::UnnamedExpr(Expr::Identifier(Ident { value, .. }))] => value == MARK,
        _ => false,
    }
}

/// The error of an INSERT from such a query.
pub(super) fn inserted(at: Option<u32>) -> PgError {
    PgError::unsupported("INSERT from a SELECT without a list is not supported")
        .hint("INSERT … DEFAULT VALUES makes a row of defaults.")
        .or_position(at)
}

fn says(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use crate::sql::parse;
    use sqlparser::ast::SetExpr;

    #[test]
    fn a_missing_list_is_known_again() {
        for (sql, empty) in [
            ("SELECT", true),
            ("SELECT FROM t", true),
            ("SELECT WHERE true", true),
            ("SELECT ORDER BY 1", true),
            ("SELECT 1 AS select", false),
            ("SELECT a", false),
        ] {
            let query = parse::query(sql).unwrap();
            let SetExpr::Select(select) = *query.body else { panic!("{sql}") };
            assert_eq!(super::is_empty(&select.projection), empty, "{sql}");
        }
    }
}
