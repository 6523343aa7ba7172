//! Forms of Postgres that the parser does not read, written as it does: strings on several lines, TRIM without characters,
//! ONLY, OPERATOR before ANY. And numbers with letters behind them, or strings side by side, which it reads and Postgres does not.

use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::dialect::Postgres;
use super::position;
use crate::wire::error::{PgError, PgResult, SqlState};

/// Tokens that are looked at for numbers: a longer statement is made by a program, and most of it is values.
const LOOKED_AT: usize = 20_000;

/// All that is written otherwise for the parser.
pub(super) fn as_parsed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let tokens = national_types(national(continued(signs_apart(tokens))));
    plain_operators(without_only(table_queries(trims_with_blanks(unicode_names(tokens)))))
}

/// Fails at a number or a parameter that letters follow at once, and at a string that another follows on the same line.
pub(super) fn check(text: &str, tokens: &[TokenWithSpan]) -> PgResult<()> {
    for (n, token) in tokens.iter().take(LOOKED_AT).enumerate() {
        let next = tokens.get(n + 1).filter(|next| next.span.start == token.span.end);
        let (what, end) = match (&token.token, next.map(|next| &next.token)) {
            (Token::Number(..), Some(Token::Word(word))) if word.quote_style.is_none() => {
                ("numeric literal", next.map(|next| next.span.end))
            }
            // Postgres 15 has neither `0x10` nor `1_000`.
            (Token::HexStringLiteral(_), _)
                if text.get(position::byte(text, token.span.start)..).is_some_and(|rest| rest.starts_with('0')) =>
            {
                ("numeric literal", Some(token.span.end))
            }
            (Token::Number(number, _), _) if number.contains('_') => ("numeric literal", Some(token.span.end)),
            (string, Some(Token::Whitespace(Whitespace::Space))) if text_of(string).is_some() => {
                let mut blanks = tokens.iter().skip(n + 1);
                let second =
                    blanks.find(|t| !matches!(t.token, Token::Whitespace(Whitespace::Space | Whitespace::Tab)));
                let Some(second) = second.filter(|t| matches!(t.token, Token::SingleQuotedString(_))) else { continue };
                let start = position::byte(text, second.span.start);
                let lexeme = text.get(start..position::byte(text, second.span.end)).unwrap_or_default();
                let message = format!("syntax error at or near \"{lexeme}\"");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).position(position::of_byte(text, start)));
            }
            (Token::Placeholder(name), _) if is_number_with_letters(name) => ("parameter", Some(token.span.end)),
            _ => continue,
        };
        let start = position::byte(text, token.span.start);
        let end = end.map_or(text.len(), |end| position::byte(text, end));
        let lexeme = text.get(start..end).unwrap_or_default();
        let message = format!("trailing junk after {what} at or near \"{lexeme}\"");
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message).position(position::of_byte(text, start)));
    }
    Ok(())
}

/// `$1a`.
fn is_number_with_letters(parameter: &str) -> bool {
    let name = parameter.strip_prefix('$').unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_digit()) && name.contains(|c: char| !c.is_ascii_digit())
}

/// `'a'` and `'b'` on lines of their own are one string.
fn continued(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Where the blanks behind the last string begin, and whether a line ends in them.
    let mut behind: Option<(usize, bool)> = None;
    for token in tokens {
        match (&token.token, behind) {
            (Token::Whitespace(blank), Some((at, ended))) => {
                behind = Some((at, ended || matches!(blank, Whitespace::Newline)));
                out.push(token);
            }
            (Token::SingleQuotedString(more), Some((at, true))) => {
                out.truncate(at);
                if let Some(last) = out.last_mut() {
                    let more = match &last.token {
                        Token::EscapedStringLiteral(_) => escaped("E", more),
                        Token::UnicodeStringLiteral(_) => escaped("U&", more),
                        _ => more.clone(),
                    };
                    if let Some(text) = text_of_mut(&mut last.token) {
                        text.push_str(&more);
                    }
                    last.span.end = token.span.end;
                }
                behind = Some((at, false));
            }
            (string, _) if text_of(string).is_some() => {
                out.push(token);
                behind = Some((out.len(), false));
            }
            _ => {
                out.push(token);
                behind = None;
            }
        }
    }
    out
}

/// What stands in a string of any kind that goes on over lines.
fn text_of(token: &Token) -> Option<&String> {
    match token {
        Token::SingleQuotedString(text)
        | Token::EscapedStringLiteral(text)
        | Token::UnicodeStringLiteral(text)
        | Token::NationalStringLiteral(text)
        | Token::SingleQuotedByteStringLiteral(text)
        | Token::HexStringLiteral(text) => Some(text),
        _ => None,
    }
}

fn text_of_mut(token: &mut Token) -> Option<&mut String> {
    match token {
        Token::SingleQuotedString(text)
        | Token::EscapedStringLiteral(text)
        | Token::UnicodeStringLiteral(text)
        | Token::NationalStringLiteral(text)
        | Token::SingleQuotedByteStringLiteral(text)
        | Token::HexStringLiteral(text) => Some(text),
        _ => None,
    }
}

/// A string behind one with escapes has them too, whatever it begins with.
fn escaped(prefix: &str, text: &str) -> String {
    let again = format!("{prefix}'{}'", text.replace('\'', "''"));
    let tokens = Tokenizer::new(&Postgres {}, &again).tokenize().unwrap_or_default();
    let read = tokens.into_iter().next().as_ref().and_then(text_of).cloned();
    read.unwrap_or_else(|| text.to_owned())
}

/// `N'a'` as `'a'::bpchar`.
fn national(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| matches!(t.token, Token::NationalStringLiteral(_))) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 2);
    for token in tokens {
        let span = token.span;
        let Token::NationalStringLiteral(text) = token.token else {
            out.push(token);
            continue;
        };
        let all = [Token::SingleQuotedString(text), Token::DoubleColon, Token::make_word("bpchar", None)];
        out.extend(all.map(|token| TokenWithSpan { token, span }));
    }
    out
}

/// `national character` and `nchar` as `character`, where they are no column's name.
fn national_types(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_national = |token: &Token| says(token, "national") || says(token, "nchar");
    if !tokens.iter().any(|t| is_national(&t.token)) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |at: Option<&usize>| at.and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut words = Vec::new();
    for pair in places.windows(2) {
        let is_type = !matches!(token(pair.first()), None | Some(Token::LParen | Token::Comma));
        if is_type && token(pair.get(1)).is_some_and(is_national) {
            words.extend(pair.get(1).copied());
        }
    }
    for at in words.into_iter().rev() {
        let next = places.iter().find(|place| **place > at).and_then(|place| tokens.get(*place));
        let goes_on = next.is_some_and(|t| says(&t.token, "char") || says(&t.token, "character"));
        match tokens.get_mut(at) {
            Some(word) if says(&word.token, "nchar") => word.token = Token::make_word("char", None),
            Some(_) if goes_on => drop(tokens.remove(at)),
            _ => {}
        }
    }
    tokens
}

/// `U&"d\0061t"` as the name that it is.
fn unicode_names(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_sign = |t: &TokenWithSpan| t.token == Token::Ampersand;
    if !tokens.iter().any(is_sign) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        let mut before = out.iter().rev();
        let follows = match (before.next(), before.next()) {
            (Some(sign), Some(letter)) => {
                is_sign(sign)
                    && says(&letter.token, "u")
                    && letter.span.end == sign.span.start
                    && sign.span.end == token.span.start
            }
            _ => false,
        };
        if let (true, Token::Word(word)) = (follows, &mut token.token)
            && word.quote_style.is_some()
        {
            word.value = escaped("U&", &word.value);
            out.truncate(out.len() - 2);
        }
        out.push(token);
    }
    out
}

fn says(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// The places of what is not blank.
fn solid(tokens: &[TokenWithSpan]) -> Vec<usize> {
    tokens.iter().enumerate().filter(|(_, t)| !matches!(t.token, Token::Whitespace(_))).map(|(at, _)| at).collect()
}

/// `trim(BOTH FROM x)` as `trim(BOTH ' ' FROM x)`, and `trim(FROM x)` as `trim(x)`.
fn trims_with_blanks(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| says(&t.token, "trim")) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |n: Option<&usize>| n.and_then(|at| tokens.get(*at)).map(|t| &t.token);
    let mut changes = Vec::new();
    for (n, at) in places.iter().enumerate() {
        let opens =
            token(Some(at)).is_some_and(|t| says(t, "trim")) && token(places.get(n + 1)) == Some(&Token::LParen);
        let from = |n: usize| places.get(n).copied().filter(|at| token(Some(at)).is_some_and(|t| says(t, "from")));
        if !opens {
            continue;
        }
        let sided =
            token(places.get(n + 2)).is_some_and(|t| ["both", "leading", "trailing"].iter().any(|w| says(t, w)));
        match (from(n + 2), from(n + 3)) {
            (Some(at), _) => changes.push((at, false)),
            (_, Some(at)) if sided => changes.push((at, true)),
            _ => {}
        }
    }
    let mut changes = changes.into_iter().peekable();
    let mut out = Vec::with_capacity(tokens.len() + changes.len());
    for (at, token) in tokens.drain(..).enumerate() {
        match changes.next_if(|change| change.0 == at) {
            Some((_, true)) => {
                out.push(TokenWithSpan { token: Token::SingleQuotedString(" ".into()), span: token.span });
                out.push(token);
            }
            Some((_, false)) => {}
            None => out.push(token),
        }
    }
    out
}

/// `TABLE t` as `SELECT * FROM t`, where a query stands; positions stay.
fn table_queries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const BEFORE: [&str; 8] = ["as", "union", "all", "distinct", "intersect", "except", "for", "explain"];
    if !tokens.iter().any(|t| says(&t.token, "table")) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |at: &usize| tokens.get(*at).map(|t| &t.token);
    let inserts = places.first().and_then(token).is_some_and(|t| says(t, "insert"));
    let mut queries = Vec::new();
    for (n, at) in places.iter().enumerate() {
        let named = matches!(places.get(n + 1).and_then(token), Some(Token::Word(_)));
        if !named || !token(at).is_some_and(|t| says(t, "table")) {
            continue;
        }
        let before = n.checked_sub(1).and_then(|n| places.get(n)).and_then(token);
        let begins = match before {
            None | Some(Token::LParen | Token::RParen) => true,
            Some(word) if BEFORE.iter().any(|w| says(word, w)) => true,
            // `INSERT INTO t TABLE u`.
            Some(Token::Word(_)) => inserts,
            _ => false,
        };
        if begins {
            queries.push(*at);
        }
    }
    let mut queries = queries.iter().peekable();
    let mut all = Vec::with_capacity(tokens.len());
    for (at, t) in tokens.into_iter().enumerate() {
        match queries.next_if(|query| **query == at) {
            Some(_) => {
                let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
                all.extend(words.map(|token| TokenWithSpan { token, span: t.span }));
            }
            None => all.push(t),
        }
    }
    all
}

/// `FROM ONLY t` as `FROM t`: no table has others below it.
fn without_only(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| says(&t.token, "only")) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |at: &usize| tokens.get(*at).map(|t| &t.token);
    let mut gone = Vec::new();
    for (n, three) in places.windows(3).enumerate() {
        let [before, only, next] = three else { continue };
        let in_from = token(before).is_some_and(|t| *t == Token::Comma || says(t, "from") || says(t, "join"));
        if !in_from || !token(only).is_some_and(|t| says(t, "only")) {
            continue;
        }
        match token(next) {
            Some(Token::Word(_)) => gone.push(*only),
            Some(Token::LParen) => {
                let mut rest = places.iter().skip(n + 3);
                if let Some(close) = rest.find(|at| !matches!(token(at), Some(Token::Word(_) | Token::Period)))
                    && token(close) == Some(&Token::RParen)
                {
                    gone.extend([*only, *next, *close]);
                }
            }
            _ => {}
        }
    }
    gone.sort_unstable();
    without(tokens, &gone)
}

/// The tokens without those at these places, which are in order.
fn without(tokens: Vec<TokenWithSpan>, gone: &[usize]) -> Vec<TokenWithSpan> {
    let mut gone = gone.iter().peekable();
    tokens
        .into_iter()
        .enumerate()
        .filter(|(at, _)| gone.next_if(|place| *place == at).is_none())
        .map(|(_, t)| t)
        .collect()
}

/// `a>-1` as `a> -1`: an operator ends in a sign only where it holds one of some characters before.
fn signs_apart(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let joined = |t: &TokenWithSpan| matches!(&t.token, Token::CustomBinaryOperator(op) if operator_of(op) < op.len());
    if !tokens.iter().any(joined) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 2);
    for token in tokens {
        let Token::CustomBinaryOperator(text) = &token.token else {
            out.push(token);
            continue;
        };
        let (head, signs) = text.split_at(operator_of(text));
        let mut span = token.span;
        let mut pieces = Tokenizer::new(&Postgres {}, head).tokenize().unwrap_or_default();
        pieces.extend(signs.chars().map(|sign| if sign == '-' { Token::Minus } else { Token::Plus }));
        for piece in pieces {
            let length = piece.to_string().len() as u64;
            span.end.column = span.start.column + length;
            out.push(TokenWithSpan { token: piece, span });
            span.start = span.end;
        }
    }
    out
}

/// How much of a run of operator characters is one operator.
fn operator_of(run: &str) -> usize {
    let mut end = run.len();
    while let Some(before) = run.get(..end).and_then(|op| op.strip_suffix(['+', '-']))
        && !before.is_empty()
        && !before.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?'])
    {
        end = before.len();
    }
    end
}

/// `a OPERATOR(pg_catalog.=) ANY (b)` as `a = ANY (b)`.
fn plain_operators(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| says(&t.token, "operator")) {
        return tokens;
    }
    let places = solid(&tokens);
    let token = |at: &usize| tokens.get(*at).map(|t| &t.token);
    let mut gone = Vec::new();
    for seven in places.windows(7) {
        let [operator, open, schema, period, _, close, next] = seven else { continue };
        let word = |at: &usize, word: &str| token(at).is_some_and(|t| says(t, word));
        let named = word(operator, "operator") && token(open) == Some(&Token::LParen) && word(schema, "pg_catalog");
        let whole = token(period) == Some(&Token::Period) && token(close) == Some(&Token::RParen);
        if named && whole && ["any", "all", "some"].iter().any(|w| word(next, w)) {
            gone.extend([*operator, *open, *schema, *period, *close]);
        }
    }
    without(tokens, &gone)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::sql::dialect::Postgres;
    use sqlparser::tokenizer::Tokenizer;

    use crate::sql::parse;

    #[test]
    fn forms_are_written_as_the_parser_reads_them() {
        for (sql, expected) in [
            ("SELECT 'a'\n  'b'\n'c'", "SELECT 'abc'"),
            ("SELECT 'a' 'b'", "SELECT 'a' 'b'"),
            ("SELECT b'01'\n'10'", "SELECT B'0110'"),
            ("SELECT U&'\\0041'\n'\\0042'", "SELECT U&'AB'"),
            ("SELECT N'a'", "SELECT 'a'::bpchar"),
            ("SELECT 1 U&\"d\\0061t\", u & \"b\"", "SELECT 1 \"dat\", u & \"b\""),
            ("SELECT 'a',\n'b'", "SELECT 'a',\n'b'"),
            ("SELECT trim(BOTH FROM x)", "SELECT trim(BOTH ' 'FROM x)"),
            ("SELECT trim(FROM x), trim('y' FROM x)", "SELECT trim( x), trim('y' FROM x)"),
            ("SELECT a OPERATOR(pg_catalog.=) ANY (b)", "SELECT a = ANY (b)"),
            ("SELECT a>-1, b<>+-2, c<<-3, f*-g", "SELECT a>-1, b<>+-2, c<<-3, f*-g"),
            ("SELECT a OPERATOR(pg_catalog.~) b", "SELECT a OPERATOR(pg_catalog.~) b"),
            (
                "SELECT 1 FROM ONLY s.t, ONLY (u) x FETCH FIRST 2 ROWS ONLY",
                "SELECT 1 FROM  s.t,  u x FETCH FIRST 2 ROWS ONLY",
            ),
        ] {
            let tokens = Tokenizer::new(&Postgres {}, sql).tokenize_with_location().unwrap();
            let shown: String = super::as_parsed(tokens).iter().map(|t| t.token.to_string()).collect();
            assert_eq!(shown, expected, "{sql}");
        }
    }

    #[test]
    fn numbers_and_strings_end() {
        for (sql, wrong) in [
            ("SELECT 123abc", Some("trailing junk after numeric literal at or near \"123abc\"")),
            ("SELECT 1 abc, 1e5, 0.5 x", None),
            ("SELECT $1a", Some("trailing junk after parameter at or near \"$1a\"")),
            ("SELECT $1 a", None),
            ("SELECT 'a' 'b'", Some("syntax error at or near \"'b'\"")),
            ("SELECT 'a'\n 'b'", None),
        ] {
            let said = parse::parse_here(&Arc::from(sql)).err().map(|error| error.fields().message.clone());
            assert_eq!(said.as_deref(), wrong, "{sql}");
        }
    }
}
