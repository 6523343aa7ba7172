//! What the parser does not know of windows and groups: `EXCLUDE` of a frame becomes a last key of its ORDER BY that nobody's column
//! is called like; GROUPING SETS directly inside GROUPING SETS are its own.

use sqlparser::{
    ast::{Expr, Ident, OrderByExpr},
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word},
};

use super::{empty_list, forms, rows_from};
use crate::sql::dialect::Postgres;

/// How the key begins: no name of Postgres holds a control character unless somebody means it.
const MARK: &str = "\u{2}exclude ";
/// What can be excluded.
const EXCLUDED: [&str; 3] = ["CURRENT ROW", "GROUP", "TIES"];

/// Writes both as the parser knows them.
pub(super) fn marked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = match tokens.iter().any(|t| says(&t.token, "exclude")) {
        true => excluded(tokens),
        false => tokens,
    };
    let tokens = match tokens.iter().any(|t| says(&t.token, "preceding") || says(&t.token, "following")) {
        true => bounded(tokens),
        false => tokens,
    };
    match tokens.iter().filter(|t| says(&t.token, "grouping")).count() {
        0 | 1 => tokens,
        _ => flattened(tokens),
    }
}

/// What a frame excludes, by the keys of its window, and how many of these are real.
pub(super) fn of(keys: &[OrderByExpr]) -> (&[OrderByExpr], Option<&'static str>) {
    let Some((OrderByExpr { expr: Expr::Identifier(Ident { value, .. }), .. }, rest)) = keys.split_last() else {
        return (keys, None);
    };
    let found = value.strip_prefix(MARK).and_then(|what| EXCLUDED.into_iter().find(|known| *known == what));
    if found.is_some() { (rest, found) } else { (keys, None) }
}

/// A text that was written from a tree, with words where names of ours stand: as Postgres would read it.
pub(super) fn unmarked(sql: String) -> String {
    if !sql.contains('\u{2}') {
        return sql;
    }
    let Ok(tokens) = Tokenizer::new(&Postgres {}, &sql).tokenize() else { return sql };
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    // For each open parenthesis: what its frame excludes.
    let mut open: Vec<Option<&'static str>> = vec![None];
    let (mut after_distinct, mut after_variadic) = (false, false);
    for token in tokens {
        match &token {
            Token::LParen => open.push(None),
            Token::RParen => {
                if let Some(what) = open.pop().flatten() {
                    out.extend([
                        Token::Whitespace(Whitespace::Space),
                        Token::make_word(&format!("EXCLUDE {what}"), None),
                    ]);
                }
            }
            Token::Word(word) if word.value == empty_list::MARK => {
                trim(&mut out);
                continue;
            }
            Token::Comma if std::mem::take(&mut after_distinct) => continue,
            Token::RArrow if std::mem::take(&mut after_variadic) => {
                trim(&mut out);
                continue;
            }
            Token::Word(word) if word.value == forms::VARIADIC => {
                after_variadic = true;
                out.push(Token::make_word("VARIADIC", None));
                continue;
            }
            Token::Word(word) if rows_from::words(&word.value).is_some() => {
                after_distinct = word.value == rows_from::DISTINCT_SETS;
                out.push(Token::make_word(rows_from::words(&word.value).unwrap_or_default(), None));
                continue;
            }
            Token::Word(word) => {
                let found =
                    word.value.strip_prefix(MARK).and_then(|what| EXCLUDED.into_iter().find(|known| *known == what));
                if let (Some(what), Some(slot)) = (found, open.last_mut()) {
                    *slot = Some(what);
                    trim(&mut out);
                    // `, key` or `ORDER BY key`.
                    if out.pop_if(|t| *t == Token::Comma).is_none() {
                        for _ in 0..2 {
                            out.pop();
                            trim(&mut out);
                        }
                    }
                    continue;
                }
            }
            _ => {}
        }
        out.push(token);
    }
    out.iter().map(ToString::to_string).collect()
}

/// A frame's bound that begins with a string stands in parentheses: the parser would take it for an interval's text.
fn bounded(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut close = None;
    for (at, token) in tokens.iter().enumerate() {
        if close == Some(at) {
            out.push(TokenWithSpan { token: Token::RParen, span: token.span });
            out.push(TokenWithSpan { token: Token::Whitespace(Whitespace::Space), span: token.span });
        }
        let begins = matches!(token.token, Token::SingleQuotedString(_))
            && out.iter().rev().find(|t| !is_blank(t)).is_some_and(|before| {
                ["between", "and", "rows", "range", "groups"].iter().any(|word| says(&before.token, word))
            });
        if begins && let Some(end) = bound_end(&tokens, at) {
            out.push(TokenWithSpan { token: Token::LParen, span: token.span });
            close = Some(end);
        }
        out.push(token.clone());
    }
    out
}

/// Where a bound that begins at a place has its PRECEDING or FOLLOWING.
fn bound_end(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in solid(tokens, from) {
        match token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return None,
            Token::RParen => depth -= 1,
            _ if depth > 0 => {}
            Token::Comma => return None,
            token if says(token, "and") => return None,
            token if says(token, "preceding") || says(token, "following") => return Some(at),
            _ => {}
        }
    }
    None
}

fn trim(tokens: &mut Vec<Token>) {
    while tokens.pop_if(|t| matches!(t, Token::Whitespace(_))).is_some() {}
}

fn says(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// Places of the next tokens from a place on, without blanks.
fn solid(tokens: &[TokenWithSpan], from: usize) -> impl Iterator<Item = (usize, &Token)> {
    tokens.iter().enumerate().skip(from).filter(|(_, t)| !is_blank(t)).map(|(at, t)| (at, &t.token))
}

fn excluded(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut from = 0;
    while let Some(at) = (from..tokens.len()).find(|at| tokens.get(*at).is_some_and(|t| says(&t.token, "exclude"))) {
        from = at + 1;
        let next: Vec<(usize, &Token)> = solid(&tokens, at + 1).take(2).collect();
        let (what, end) = match next.as_slice() {
            [(_, a), (end, b)] if says(a, "current") && says(b, "row") => (Some("CURRENT ROW"), *end),
            [(_, a), (end, b)] if says(a, "no") && says(b, "others") => (None, *end),
            [(end, a), ..] if says(a, "group") => (Some("GROUP"), *end),
            [(end, a), ..] if says(a, "ties") => (Some("TIES"), *end),
            _ => continue,
        };
        let Some((frame, ordered)) = frame_before(&tokens, at) else { continue };
        let span = tokens.get(at).map(|t| t.span);
        tokens.drain(at..=end);
        let (Some(what), Some(span)) = (what, span) else { continue };
        let key =
            Token::Word(Word { value: format!("{MARK}{what}"), quote_style: Some('"'), keyword: Keyword::NoKeyword });
        let blank = Token::Whitespace(sqlparser::tokenizer::Whitespace::Space);
        let words = match ordered {
            true => vec![Token::Comma, key, blank],
            false => vec![Token::make_keyword("ORDER"), Token::make_keyword("BY"), key, blank],
        };
        tokens.splice(frame..frame, words.into_iter().map(|token| TokenWithSpan { token, span }));
    }
    tokens
}

/// Where the frame before a place begins, and whether its window has an ORDER BY.
fn frame_before(tokens: &[TokenWithSpan], at: usize) -> Option<(usize, bool)> {
    let (mut depth, mut frame, mut ordered) = (0_usize, None, false);
    for (place, token) in tokens.get(..at)?.iter().enumerate().rev() {
        match &token.token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => break,
            Token::LParen => depth -= 1,
            token if depth == 0 && frame.is_none() => {
                frame = ["rows", "range", "groups"].iter().any(|word| says(token, word)).then_some(place);
            }
            token if depth == 0 => ordered |= says(token, "order"),
            _ => {}
        }
    }
    frame.map(|frame| (frame, ordered))
}

/// Takes away `GROUPING SETS (` and its `)` inside of another's.
fn flattened(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    // For each open parenthesis: whether it is of GROUPING SETS, and whether it is left out.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next: Vec<(usize, &Token)> = solid(&tokens, at).take(3).collect();
        if let [(_, a), (_, b), (end, Token::LParen)] = next.as_slice()
            && says(a, "grouping")
            && says(b, "sets")
            && !is_blank(token)
        {
            let inner = open.last().is_some_and(|(sets, _)| *sets);
            open.push((true, inner));
            if !inner {
                out.extend(tokens.get(at..=*end).unwrap_or_default().iter().cloned());
            }
            at = end + 1;
            continue;
        }
        let left_out = match &token.token {
            Token::LParen => {
                open.push((false, false));
                false
            }
            Token::RParen => open.pop().is_some_and(|(_, left_out)| left_out),
            _ => false,
        };
        if !left_out {
            out.push(token.clone());
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::sql::parse;

    #[test]
    fn grouping_sets_inside_each_other_are_one() {
        for (sql, expect) in [
            ("GROUPING SETS (GROUPING SETS (a, b), ())", "GROUPING SETS (a, b, ())"),
            (
                "GROUPING SETS ((a), GROUPING SETS (GROUPING SETS (b, (a, b)), ROLLUP (a)))",
                "GROUPING SETS ((a), b, (a, b), ROLLUP (a))",
            ),
        ] {
            let query = parse::query(&format!("SELECT 1 FROM t GROUP BY {sql}")).unwrap().to_string();
            let plain = parse::query(&format!("SELECT 1 FROM t GROUP BY {expect}")).unwrap().to_string();
            assert_eq!(query, plain);
        }
    }

    #[test]
    fn what_a_frame_excludes_is_found_again() {
        for (window, expect, keys) in [
            ("ORDER BY a ROWS CURRENT ROW EXCLUDE TIES", Some("TIES"), 1),
            ("ROWS BETWEEN 1 PRECEDING AND (1 + 2) FOLLOWING EXCLUDE CURRENT ROW", Some("CURRENT ROW"), 0),
            ("PARTITION BY (b) ORDER BY a, b GROUPS 1 PRECEDING EXCLUDE GROUP", Some("GROUP"), 2),
            ("ORDER BY a RANGE UNBOUNDED PRECEDING EXCLUDE NO OTHERS", None, 1),
            ("ORDER BY a", None, 1),
        ] {
            let text = format!("SELECT sum(x) OVER ({window})");
            let tree = parse::query(&text).unwrap().to_string();
            let again = parse::query(&super::unmarked(tree.clone())).unwrap().to_string();
            assert_eq!((again, super::unmarked(tree.clone()).contains('\u{2}')), (tree, false), "{window}");
            let expr = parse::expression(&format!("sum(x) OVER ({window})")).unwrap();
            let sqlparser::ast::Expr::Function(function) = expr else { panic!("{window}") };
            let Some(sqlparser::ast::WindowType::WindowSpec(spec)) = function.over else { panic!("{window}") };
            let (real, what) = super::of(&spec.order_by);
            assert_eq!((real.len(), what), (keys, expect), "{window}");
        }
    }
}
