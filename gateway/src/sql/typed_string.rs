//! `mood 'happy'`: strings with the name of a type before them, which the parser reads for types it knows only.

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Whitespace},
};

/// `mood 'happy'` of a type that the parser does not know, as `CAST('happy' AS mood)`.
pub(super) fn as_casts(tokens: &mut Vec<TokenWithSpan>) {
    let is_name = |t: &TokenWithSpan| matches!(&t.token, Token::Word(w) if w.keyword == Keyword::NoKeyword);
    let blank = |t: &TokenWithSpan| matches!(t.token, Token::Whitespace(_));
    let mut at = 0;
    while at < tokens.len() {
        let end = at;
        at += 1;
        if !matches!(tokens[end].token, Token::SingleQuotedString(_)) {
            continue;
        }
        let Some(name_end) = (0..end).rev().find(|i| !blank(&tokens[*i])) else { continue };
        if name_end + 1 == end || !is_name(&tokens[name_end]) {
            continue;
        }
        let mut start = name_end;
        while start >= 2 && tokens[start - 1].token == Token::Period && is_name(&tokens[start - 2]) {
            start -= 2;
        }
        // After an expression the name would be its label, and the string a mistake.
        let before = (0..start).rev().find(|i| !blank(&tokens[*i])).map(|i| &tokens[i].token);
        let fits = match before {
            None | Some(Token::Comma | Token::LParen | Token::LBracket | Token::Eq | Token::Neq | Token::Lt) => true,
            Some(Token::Gt | Token::LtEq | Token::GtEq | Token::StringConcat) => true,
            Some(Token::Word(w)) => {
                w.quote_style.is_none() && w.keyword != Keyword::NoKeyword && w.keyword != Keyword::AS
            }
            _ => false,
        };
        if !fits {
            continue;
        }
        let span = tokens[start].span;
        let new = |token| TokenWithSpan { token, span };
        let space = || new(Token::Whitespace(Whitespace::Space));
        let mut cast = vec![new(Token::make_keyword("CAST")), new(Token::LParen), tokens[end].clone(), space()];
        cast.extend([new(Token::make_keyword("AS")), space()]);
        cast.extend(tokens[start..=name_end].iter().cloned());
        cast.push(new(Token::RParen));
        let length = cast.len();
        tokens.splice(start..=end, cast);
        at = start + length;
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::{dialect::PostgreSqlDialect, tokenizer::Tokenizer};

    #[test]
    fn names_before_strings_are_types() {
        for (sql, expected) in [
            ("SELECT mood 'ok'", "SELECT CAST('ok' AS mood)"),
            ("SELECT s.mood 'ok', 1", "SELECT CAST('ok' AS s.mood), 1"),
            ("SELECT date '2024-01-01'", "SELECT date '2024-01-01'"),
            ("SELECT 'a' 'b'", "SELECT 'a' 'b'"),
            ("SELECT x AS y, 'z'", "SELECT x AS y, 'z'"),
            ("SELECT a b 'c'", "SELECT a b 'c'"),
            ("SELECT m = mood 'ok'", "SELECT m = CAST('ok' AS mood)"),
            ("VALUES (1)", "VALUES (1)"),
        ] {
            let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap();
            super::as_casts(&mut tokens);
            let shown: String = tokens.iter().map(|t| t.token.to_string()).collect();
            assert_eq!(shown, expected, "{sql}");
        }
    }
}
