//! Elements of ROLLUP, CUBE and GROUPING SETS that begin with a parenthesis and go on behind it: the parser takes it for the
//! parenthesis of a list.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Writes `ROLLUP ((a)::date, b)` as `ROLLUP (((a)::date), b)`.
pub(super) fn as_parsed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let says = |at: Option<&usize>, word: &str| {
        let token = at.and_then(|at| tokens.get(*at)).map(|t| &t.token);
        matches!(token, Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    };
    let solid: Vec<usize> = (0..tokens.len())
        .filter(|at| tokens.get(*at).is_some_and(|t| !matches!(t.token, Token::Whitespace(_))))
        .collect();
    let token = |n: usize| solid.get(n).and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut wrapped: Vec<(usize, usize)> = Vec::new();
    for n in 0..solid.len() {
        let before = n.checked_sub(1).and_then(|n| solid.get(n));
        let sets = says(solid.get(n), "rollup")
            || says(solid.get(n), "cube")
            || (says(solid.get(n), "sets") && says(before, "grouping"));
        if sets && token(n + 1) == Some(&Token::LParen) {
            elements(n + 2, &token, &mut wrapped);
        }
    }
    if wrapped.is_empty() {
        return tokens;
    }
    let place = |n: usize| solid.get(n).copied();
    let starts: Vec<usize> = wrapped.iter().filter_map(|(from, _)| place(*from)).collect();
    let ends: Vec<usize> = wrapped.iter().filter_map(|(_, to)| place(*to)).collect();
    let mut all = Vec::with_capacity(tokens.len() + 2 * wrapped.len());
    for (at, t) in tokens.iter().enumerate() {
        let parenthesis = |token| TokenWithSpan { token, span: t.span };
        all.extend(starts.iter().filter(|start| **start == at).map(|_| parenthesis(Token::LParen)));
        all.push(t.clone());
        all.extend(ends.iter().filter(|end| **end == at).map(|_| parenthesis(Token::RParen)));
    }
    all
}

/// From an element's first token on to the end of the list: those that need parentheses, first and last token.
fn elements<'t>(mut n: usize, token: &impl Fn(usize) -> Option<&'t Token>, wrapped: &mut Vec<(usize, usize)>) {
    loop {
        let first = n;
        let (mut depth, mut closed_at) = (0_usize, None);
        let end = loop {
            match token(n) {
                None => return,
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) if depth == 0 => break Token::RParen,
                Some(Token::RParen) => {
                    depth -= 1;
                    if depth == 0 && closed_at.is_none() {
                        closed_at = Some(n);
                    }
                }
                Some(Token::Comma) if depth == 0 => break Token::Comma,
                Some(_) => {}
            }
            n += 1;
        };
        let goes_on = closed_at.is_some_and(|at| at + 1 < n);
        if token(first) == Some(&Token::LParen) && goes_on {
            wrapped.push((first, n - 1));
        }
        if end == Token::RParen {
            return;
        }
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::tokenizer::Tokenizer;

    use crate::sql::dialect::Postgres;

    #[test]
    fn elements_that_go_on_behind_their_parenthesis_have_another() {
        for (sql, expected) in [
            ("rollup ((a)::date, b)", "rollup (((a)::date), b)"),
            ("cube((a*1)::int,(b),(c)+1)", "cube(((a*1)::int),(b),((c)+1))"),
            (
                "grouping sets ((a), ((a)||'x', b), rollup((a)+1), ())",
                "grouping sets ((a), ((a)||'x', b), rollup(((a)+1)), ())",
            ),
            ("grouping sets ((a)||'x', (b, c))", "grouping sets (((a)||'x'), (b, c))"),
            ("rollup (a, (b, c))", "rollup (a, (b, c))"),
            ("rollup ((a)::date", "rollup ((a)::date"),
        ] {
            let tokens = Tokenizer::new(&Postgres {}, sql).tokenize_with_location().unwrap();
            let shown: String = super::as_parsed(tokens).iter().map(|t| t.token.to_string()).collect();
            assert_eq!(shown, expected);
        }
    }
}
