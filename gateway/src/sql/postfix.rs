//! What stands behind an expression or a table's name and the parser does not read there: `ISNULL`, `NOTNULL`, `COLLATE` behind
//! a cast, `*` behind a table.

use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Words behind which an expression begins: what follows them is none's end.
const BEGINS: [&str; 22] = [
    "as",
    "select",
    "where",
    "and",
    "or",
    "not",
    "on",
    "by",
    "having",
    "when",
    "then",
    "else",
    "case",
    "distinct",
    "from",
    "join",
    "in",
    "like",
    "ilike",
    "between",
    "returning",
    "using",
];
/// Collations that compare by bytes, as everything here does.
const BY_BYTES: [&str; 4] = ["C", "POSIX", "default", "ucs_basic"];
/// Words and points that the name of a type has at most.
const TYPE_WORDS_MAX: usize = 8;

/// Writes all of them as the parser reads them.
pub(super) fn as_parsed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    plain_tables(plain_casts(null_tests(tokens)))
}

fn says(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// The places of what is not blank.
fn solid(tokens: &[TokenWithSpan]) -> Vec<usize> {
    tokens.iter().enumerate().filter(|(_, t)| !matches!(t.token, Token::Whitespace(_))).map(|(at, _)| at).collect()
}

/// Whether an expression may end with it.
fn ends_expression(token: &Token) -> bool {
    match token {
        Token::Word(Word { quote_style: Some(_), .. }) => true,
        Token::Word(word) => !BEGINS.iter().any(|begins| word.value.eq_ignore_ascii_case(begins)),
        Token::RParen
        | Token::RBracket
        | Token::Number(..)
        | Token::Placeholder(_)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::DollarQuotedString(_) => true,
        _ => false,
    }
}

/// `a ISNULL` as `a IS NULL`.
fn null_tests(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| says(&t.token, "isnull") || says(&t.token, "notnull")) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |n: Option<usize>| n.and_then(|n| places.get(n)).and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let tests: Vec<usize> = (1..places.len())
        .filter(|n| token(Some(*n)).is_some_and(|t| says(t, "isnull") || says(t, "notnull")))
        .filter(|n| token(n.checked_sub(1)).is_some_and(ends_expression) && token(Some(n + 1)) != Some(&Token::LParen))
        .filter_map(|n| places.get(n).copied())
        .collect();
    let mut out = Vec::with_capacity(tokens.len() + 2 * tests.len());
    for (at, token) in tokens.into_iter().enumerate() {
        if tests.binary_search(&at).is_err() {
            out.push(token);
            continue;
        }
        let words: &[&str] = if says(&token.token, "isnull") { &["IS", "NULL"] } else { &["IS", "NOT", "NULL"] };
        let span = token.span;
        out.extend(words.iter().map(|word| TokenWithSpan { token: Token::make_keyword(word), span }));
    }
    out
}

/// `a::text COLLATE "C"` as `a::text`: it says what is so anyway.
fn plain_casts(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_cast = |t: &TokenWithSpan| t.token == Token::DoubleColon;
    if !tokens.iter().any(|t| says(&t.token, "collate")) || !tokens.iter().any(is_cast) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |n: usize| places.get(n).and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut gone = Vec::new();
    for n in 1..places.len() {
        if !token(n).is_some_and(|t| says(t, "collate")) || !is_behind_cast(n, token) {
            continue;
        }
        let qualified = token(n + 2) == Some(&Token::Period);
        let name = if qualified { n + 3 } else { n + 1 };
        if let Some(Token::Word(word)) = token(name)
            && BY_BYTES.contains(&word.value.as_str())
        {
            gone.extend((n..=name).filter_map(|n| places.get(n).copied()));
        }
    }
    without(tokens, &gone)
}

/// Whether the type of a cast ends before this place.
fn is_behind_cast<'a>(n: usize, token: impl Fn(usize) -> Option<&'a Token>) -> bool {
    let mut at = n;
    let mut words = 0;
    while let Some(before) = at.checked_sub(1) {
        at = before;
        match token(at) {
            Some(Token::DoubleColon) => return words > 0,
            Some(Token::RParen | Token::RBracket) => {
                while !matches!(token(at), None | Some(Token::LParen | Token::LBracket)) {
                    let Some(before) = at.checked_sub(1) else { return false };
                    at = before;
                }
            }
            Some(Token::Word(_) | Token::Period) if words < TYPE_WORDS_MAX => words += 1,
            _ => return false,
        }
    }
    false
}

/// `FROM t *` as `FROM t`: no table has others below it.
fn plain_tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| t.token == Token::Mul) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |n: usize| places.get(n).and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut gone = Vec::new();
    for n in 0..places.len() {
        let begins = token(n).is_some_and(|t| ["from", "join", "table"].iter().any(|word| says(t, word)));
        // `extract(year FROM a * b)` is another FROM: a table's name has no `*` with an operand behind it.
        if !begins || !matches!(token(n + 1), Some(Token::Word(_))) {
            continue;
        }
        let mut at = n + 2;
        while token(at) == Some(&Token::Period) && matches!(token(at + 1), Some(Token::Word(_))) {
            at += 2;
        }
        let ends = match token(at + 1) {
            None | Some(Token::RParen | Token::Comma | Token::SemiColon) => true,
            Some(Token::Word(word)) => word.quote_style.is_none(),
            _ => false,
        };
        if token(at) == Some(&Token::Mul) && ends && !is_in_call(n, token) {
            gone.extend(places.get(at).copied());
        }
    }
    without(tokens, &gone)
}

/// Whether FROM stands in a call's parentheses: no SELECT is between them.
fn is_in_call<'a>(n: usize, token: impl Fn(usize) -> Option<&'a Token>) -> bool {
    let mut depth = 0_usize;
    for at in (0..n).rev() {
        match token(at) {
            Some(Token::RParen) => depth += 1,
            Some(Token::LParen) if depth == 0 => return true,
            Some(Token::LParen) => depth -= 1,
            Some(found) if depth == 0 && says(found, "select") => return false,
            _ => {}
        }
    }
    false
}

/// The tokens without those at these places, which are in order.
fn without(tokens: Vec<TokenWithSpan>, gone: &[usize]) -> Vec<TokenWithSpan> {
    if gone.is_empty() {
        return tokens;
    }
    let kept = |at: &usize| gone.binary_search(at).is_err();
    tokens.into_iter().enumerate().filter(|(at, _)| kept(at)).map(|(_, token)| token).collect()
}

#[cfg(test)]
mod tests {
    use crate::sql::parse;

    #[test]
    fn what_stands_behind_is_read() {
        for (sql, expected) in [
            ("SELECT a ISNULL, (b) NOTNULL FROM t", "SELECT a IS NULL, (b) IS NOT NULL FROM t"),
            ("SELECT 1 IN (1) ISNULL", "SELECT 1 IN (1) IS NULL"),
            ("SELECT a AS isnull FROM t", "SELECT a AS isnull FROM t"),
            ("SELECT a::text COLLATE \"C\" FROM t", "SELECT a::TEXT FROM t"),
            ("SELECT a::varchar(3) COLLATE pg_catalog.\"POSIX\" b", "SELECT a::VARCHAR(3) AS b"),
            ("SELECT a COLLATE \"C\" FROM t", "SELECT a COLLATE \"C\" FROM t"),
            ("SELECT * FROM s.t* WHERE a > 1", "SELECT * FROM s.t WHERE a > 1"),
            ("SELECT * FROM t* x", "SELECT * FROM t x"),
            ("SELECT extract(year FROM a * b)", "SELECT EXTRACT(YEAR FROM a * b)"),
        ] {
            assert_eq!(parse::query(sql).unwrap().to_string(), expected, "{sql}");
        }
    }
}
