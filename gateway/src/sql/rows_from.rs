//! `ROWS FROM (f(), g())` and `GROUP BY DISTINCT`, which the parser does not know: names stand for their words that nobody's
//! function or column has.

use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// The function that stands for `ROWS FROM`.
pub(super) const ROWS_FROM: &str = "\u{2}rows from";
/// The first key that stands for `DISTINCT`.
pub(super) const DISTINCT_SETS: &str = "\u{2}distinct sets";

/// Writes both as the parser knows them.
pub(super) fn marked(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_solid = |t: &TokenWithSpan| !matches!(t.token, Token::Whitespace(_));
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(is_solid)).collect();
    let says = |tokens: &[TokenWithSpan], at: Option<&usize>, word: &str| {
        let token = at.and_then(|at| tokens.get(*at)).map(|t| &t.token);
        matches!(token, Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
    for place in (1..solid.len()).rev() {
        let (Some(at), before) = (solid.get(place).copied(), solid.get(place - 1)) else { continue };
        let Some(span) = tokens.get(at).map(|t| t.span) else { continue };
        let next = solid.get(place + 1).copied();
        let behind = solid.get(place + 2).and_then(|at| tokens.get(*at)).map(|t| &t.token);
        let comma = before.and_then(|at| tokens.get(*at)).is_some_and(|t| t.token == Token::Comma);
        let stands = comma || ["from", "join", "lateral"].iter().any(|word| says(&tokens, before, word));
        // After a comma `rows` may be a column too, before a FROM that has a query.
        let inside = solid.get(place + 3);
        let of_query = ["select", "values", "with", "table"].iter().any(|word| says(&tokens, inside, word))
            || inside.and_then(|at| tokens.get(*at)).is_some_and(|t| t.token == Token::LParen);
        if says(&tokens, Some(&at), "rows")
            && says(&tokens, next.as_ref(), "from")
            && behind == Some(&Token::LParen)
            && stands
            && !of_query
            && let Some(from) = next
        {
            tokens.splice(at..=from, [TokenWithSpan { token: named(ROWS_FROM), span }]);
        } else if says(&tokens, Some(&at), "distinct")
            && says(&tokens, before, "by")
            && says(&tokens, place.checked_sub(2).and_then(|at| solid.get(at)), "group")
        {
            let words = [named(DISTINCT_SETS), Token::Comma];
            tokens.splice(at..=at, words.map(|token| TokenWithSpan { token, span }));
        }
    }
    tokens
}

/// The words that a name of ours stands for.
pub(super) fn words(name: &str) -> Option<&'static str> {
    match name {
        ROWS_FROM => Some("ROWS FROM "),
        DISTINCT_SETS => Some("DISTINCT"),
        _ => None,
    }
}

fn named(name: &str) -> Token {
    let keyword = sqlparser::keywords::Keyword::NoKeyword;
    Token::Word(Word { value: name.to_owned(), quote_style: Some('"'), keyword })
}

#[cfg(test)]
mod tests {
    use crate::sql::{frame_exclude::unmarked, parse};

    #[test]
    fn what_stands_for_words_is_written_as_them_again() {
        for sql in [
            "SELECT * FROM ROWS FROM (f(1), g(2, 3)) WITH ORDINALITY AS t (a, b, n)",
            "SELECT a FROM t GROUP BY DISTINCT ROLLUP (a, b), ROLLUP (a, c)",
        ] {
            let tree = parse::query(sql).unwrap().to_string();
            assert!(tree.contains('\u{2}'), "{tree}");
            let again = unmarked(tree.clone());
            assert!(!again.contains('\u{2}'), "{again}");
            assert_eq!(parse::query(&again).unwrap().to_string(), tree);
        }
    }
}
