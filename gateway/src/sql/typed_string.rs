//! `inet '10.0.0.1'`, `mood 'happy'`: strings with the name of a type before them, which the parser reads for the types it
//! knows only. They become the casts that they are.

use duckmesh_catalog::types::TextType;
use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

/// All that is written otherwise for the parser.
pub(super) fn as_parsed(tokens: Vec<TokenWithSpan>, own: bool) -> Vec<TokenWithSpan> {
    similar_as_from(stars_as_fields(rows_as_names(as_casts(tokens, own))))
}

/// Writes `type 'text'` as `'text'::type`. `own`: also where the name is none of Postgres' types, but may be a user's.
pub(super) fn as_casts(tokens: Vec<TokenWithSpan>, own: bool) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let start = if is_string(&token.token) { type_before(&out, own) } else { None };
        let Some(start) = start else {
            out.push(token);
            continue;
        };
        let span = token.span;
        let name: Vec<TokenWithSpan> = out.drain(start..).filter(|t| !is_blank(t)).collect();
        out.extend([token, TokenWithSpan { token: Token::DoubleColon, span }]);
        out.extend(name);
    }
    out
}

/// `substring(x SIMILAR p ESCAPE e)` as `substring(x FROM p FOR e)`, which means the same and is what the parser knows.
pub(super) fn similar_as_from(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(|t| !is_blank(t))).collect();
    let word = |tokens: &[TokenWithSpan], at: Option<&usize>, wanted: &str| {
        let token = at.and_then(|at| tokens.get(*at)).map(|t| &t.token);
        matches!(token, Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(wanted))
    };
    let mut calls: Vec<(usize, bool)> = Vec::new();
    let mut depth = 0_usize;
    for (n, at) in solid.iter().enumerate() {
        match tokens.get(*at).map(|t| &t.token) {
            Some(Token::LParen) => {
                depth += 1;
                if word(&tokens, n.checked_sub(1).and_then(|n| solid.get(n)), "substring") {
                    calls.push((depth, false));
                }
            }
            Some(Token::RParen) => {
                if calls.last().is_some_and(|call| call.0 == depth) {
                    calls.pop();
                }
                depth = depth.saturating_sub(1);
            }
            _ => {
                let Some(call) = calls.last_mut().filter(|call| call.0 == depth) else { continue };
                let new = if word(&tokens, Some(at), "similar") && !word(&tokens, solid.get(n + 1), "to") && !call.1 {
                    call.1 = true;
                    "FROM"
                } else if word(&tokens, Some(at), "escape") && call.1 {
                    "FOR"
                } else {
                    continue;
                };
                if let Some(token) = tokens.get_mut(*at) {
                    token.token = Token::make_keyword(new);
                }
            }
        }
    }
    tokens
}

/// What `(row).*` is read as: a field of this name, which no row has.
pub(super) const ALL_FIELDS: &str = "\u{1}*";

/// The star of `(row).*` as the name of a field: the parser reads it behind names only.
pub(super) fn stars_as_fields(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(|t| !is_blank(t))).collect();
    let stars = solid.windows(3).filter_map(|three| {
        let [a, b, c] = three else { return None };
        let token = |at: &usize| tokens.get(*at).map(|t| &t.token);
        let is_star =
            token(a) == Some(&Token::RParen) && token(b) == Some(&Token::Period) && token(c) == Some(&Token::Mul);
        is_star.then_some(*c)
    });
    for at in stars.collect::<Vec<_>>() {
        if let Some(star) = tokens.get_mut(at) {
            star.token = Token::make_word(ALL_FIELDS, Some('"'));
        }
    }
    tokens
}

/// Functions of one row, whose argument may be written as `t.*`: all of `t`.
const TAKE_ROWS: [&str; 9] =
    ["array_agg", "count", "json_agg", "jsonb_agg", "max", "min", "row_to_json", "to_json", "to_jsonb"];

/// Writes `count(t.*)` as `count(t)`.
fn rows_as_names(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let solid: Vec<usize> = (0..tokens.len()).filter(|at| tokens.get(*at).is_some_and(|t| !is_blank(t))).collect();
    let token = |at: &usize| tokens.get(*at).map(|t| &t.token);
    let mut gone = Vec::new();
    for six in solid.windows(6) {
        let [name, open, relation, period, star, close] = six else { continue };
        let takes = match token(name) {
            Some(Token::Word(w)) => TAKE_ROWS.iter().any(|known| w.value.eq_ignore_ascii_case(known)),
            _ => false,
        };
        let ends = matches!(token(close), Some(Token::RParen))
            || matches!(token(close), Some(Token::Word(w)) if w.keyword == Keyword::ORDER);
        let whole = matches!(token(relation), Some(Token::Word(_)))
            && token(period) == Some(&Token::Period)
            && token(star) == Some(&Token::Mul);
        if takes && token(open) == Some(&Token::LParen) && whole && ends {
            gone.extend([*period, *star]);
        }
    }
    for at in gone.into_iter().rev() {
        tokens.remove(at);
    }
    tokens
}

fn is_string(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_))
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// Where the name of a type begins that the tokens end with.
fn type_before(tokens: &[TokenWithSpan], own: bool) -> Option<usize> {
    let end = tokens.iter().rposition(|t| !is_blank(t))?;
    let token = |at: usize| tokens.get(at).map(|t| &t.token);
    let before =
        |at: usize| tokens.get(..at).and_then(|some| some.iter().rev().find(|t| !is_blank(t))).map(|t| &t.token);
    if token(end) == Some(&Token::RParen) {
        return interval_before(tokens);
    }
    let Some(Token::Word(word)) = token(end) else { return None };
    let name = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
    if matches!(name.as_str(), "money" | "name") || TextType::of_name(&name).is_some() {
        let is_type = !matches!(before(end), Some(Token::Period | Token::DoubleColon));
        return is_type.then_some(end);
    }
    let is_name = |at: usize| matches!(token(at), Some(Token::Word(w)) if w.keyword == Keyword::NoKeyword);
    if !own || end + 1 == tokens.len() || !is_name(end) {
        return None;
    }
    let mut start = end;
    while start >= 2 && token(start - 1) == Some(&Token::Period) && is_name(start - 2) {
        start -= 2;
    }
    // After an expression the name would be its label, and the string a mistake.
    let fits = match before(start) {
        None | Some(Token::Comma | Token::LParen | Token::LBracket | Token::Eq | Token::Neq | Token::Lt) => true,
        Some(Token::Gt | Token::LtEq | Token::GtEq | Token::StringConcat) => true,
        Some(Token::Word(w)) => w.quote_style.is_none() && w.keyword != Keyword::NoKeyword && w.keyword != Keyword::AS,
        _ => false,
    };
    fits.then_some(start)
}

/// `interval(2)`, which the parser reads as an interval of the number.
fn interval_before(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut solid = tokens.iter().enumerate().rev().filter(|(_, t)| !is_blank(t));
    let mut next = || solid.next();
    let (_, close) = next()?;
    let (_, digits) = next()?;
    let (_, open) = next()?;
    let (start, word) = next()?;
    let fits = close.token == Token::RParen
        && matches!(digits.token, Token::Number(..))
        && open.token == Token::LParen
        && matches!(&word.token, Token::Word(w) if w.keyword == Keyword::INTERVAL);
    let is_type = !matches!(next().map(|(_, t)| &t.token), Some(Token::Period | Token::DoubleColon));
    (fits && is_type).then_some(start)
}

#[cfg(test)]
mod tests {
    use crate::sql::dialect::Postgres;
    use sqlparser::tokenizer::Tokenizer;

    #[test]
    fn names_before_strings_are_types() {
        for (sql, expected) in [
            ("SELECT mood 'ok'", "SELECT 'ok'::mood"),
            ("SELECT s.mood 'ok', 1", "SELECT 'ok'::s.mood, 1"),
            ("SELECT inet '::1', cidr'::/0'", "SELECT '::1'::inet, '::/0'::cidr"),
            ("SELECT x::inet '::1'", "SELECT x::inet '::1'"),
            ("SELECT date '2024-01-01'", "SELECT date '2024-01-01'"),
            ("SELECT 'a' 'b'", "SELECT 'a' 'b'"),
            ("SELECT interval (2) '1 s', f(2)", "SELECT '1 s'::interval(2), f(2)"),
            ("SELECT x AS y, 'z'", "SELECT x AS y, 'z'"),
            ("SELECT a b 'c'", "SELECT a b 'c'"),
            ("SELECT m = mood 'ok'", "SELECT m = 'ok'::mood"),
            ("VALUES (1)", "VALUES (1)"),
        ] {
            let tokens = Tokenizer::new(&Postgres {}, sql).tokenize_with_location().unwrap();
            let shown: String = super::as_casts(tokens, true).iter().map(|t| t.token.to_string()).collect();
            assert_eq!(shown, expected, "{sql}");
        }
    }
}
