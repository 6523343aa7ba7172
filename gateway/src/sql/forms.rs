//! Forms that the parser does not know, written as those that it does: `f() AS (a int)` without a name, and
//! `VARIADIC`, for which an argument stands that nobody's function has.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

/// The name of the argument that is `VARIADIC`.
pub(super) const VARIADIC: &str = "\u{2}variadic";

/// Words that begin what an AS in front of a parenthesis is about, where it is no list of columns.
const QUERIES: [Keyword; 7] = [
    Keyword::SELECT,
    Keyword::VALUES,
    Keyword::WITH,
    Keyword::TABLE,
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
];

/// Writes all of them as the parser knows them.
pub(super) fn marked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_solid = |t: &TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(is_solid)).collect();
    let token = |n: usize| solid.get(n).and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut open: Vec<Option<Word>> = Vec::new();
    let mut closed: Option<Word> = None;
    // What stands before the token of a place.
    let mut before: Vec<(usize, Vec<Token>)> = Vec::new();
    let mut gone = Vec::new();
    for (n, at) in solid.iter().enumerate() {
        match token(n) {
            Some(Token::LParen) => {
                let called = match n.checked_sub(1).and_then(token) {
                    Some(Token::Word(word)) => Some(word.clone()),
                    _ => None,
                };
                open.push(called);
            }
            Some(Token::RParen) => closed = open.pop().flatten(),
            Some(Token::Word(word))
                if word.keyword == Keyword::AS && is_list(token(n + 1), token(n + 2), token(n + 3)) =>
            {
                let follows = n.checked_sub(1).and_then(token) == Some(&Token::RParen);
                if let (true, Some(name), Some(next)) = (follows, closed.take(), solid.get(n + 1)) {
                    before.push((*next, vec![Token::Word(name)]));
                }
            }
            Some(Token::Word(word)) if is_variadic(word) => {
                let begins = matches!(n.checked_sub(1).and_then(token), Some(Token::LParen | Token::Comma));
                let goes_on = !matches!(token(n + 1), None | Some(Token::Comma | Token::RParen | Token::Period));
                if begins && goes_on && matches!(open.last(), Some(Some(_))) {
                    gone.push(*at);
                    let name = Word { value: VARIADIC.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword };
                    before.push((*at, vec![Token::Word(name), Token::RArrow]));
                }
            }
            _ => {}
        }
    }
    if before.is_empty() {
        return tokens;
    }
    let mut before = before.into_iter().peekable();
    let mut out = Vec::with_capacity(tokens.len() + 4);
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        if let Some((_, words)) = before.next_if(|(place, _)| *place == at) {
            out.extend(words.into_iter().map(|token| TokenWithSpan { token, span }));
        }
        if gone.binary_search(&at).is_err() {
            out.push(token);
        }
    }
    out
}

fn is_variadic(word: &Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("variadic")
}

/// Whether it begins a list of columns and their types: `(a int`.
fn is_list(open: Option<&Token>, name: Option<&Token>, ty: Option<&Token>) -> bool {
    let is_name = matches!(name, Some(Token::Word(word)) if !QUERIES.contains(&word.keyword));
    open == Some(&Token::LParen) && is_name && matches!(ty, Some(Token::Word(_)))
}

#[cfg(test)]
mod tests {
    use crate::sql::{frame_exclude::unmarked, parse};

    #[test]
    fn forms_are_written_as_the_parser_knows_them() {
        for (sql, expected) in [
            ("SELECT * FROM f(1) AS (a int, b text)", "SELECT * FROM f(1) AS f (a INT, b TEXT)"),
            ("SELECT * FROM g.f(1) AS (a int[])", "SELECT * FROM g.f(1) AS f (a INT[])"),
            (
                "SELECT trim(LEADING FROM x), trim(both from y)",
                "SELECT TRIM(LEADING ' ' FROM x), TRIM(BOTH ' ' FROM y)",
            ),
            ("WITH x(a) AS (VALUES (1)) SELECT a FROM x", "WITH x (a) AS (VALUES (1)) SELECT a FROM x"),
            ("SELECT f(1, VARIADIC a), variadic FROM t", "SELECT f(1, VARIADIC a), variadic FROM t"),
        ] {
            assert_eq!(unmarked(parse::query(sql).unwrap().to_string()), expected, "{sql}");
        }
    }
}
