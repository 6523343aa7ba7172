//! Text into statements, with Postgres' syntax errors.

mod errors;
mod escapes;
mod grammar;

use std::sync::Arc;

use sqlparser::{
    ast,
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Whitespace},
};

use errors::{near, syntax_error, too_long};

use super::{
    ddl, empty_list, forms, frame_exclude, grouping_element, position, postfix, rows_from,
    statement::{Statement, Text, Tree},
    symmetric, thread, typed_string, written,
};
use crate::sql::dialect::Postgres;
use crate::wire::error::{PgError, PgResult, SqlState};

/// A statement's text; what is longer is data, and belongs into COPY.
const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// The same for INSERT … VALUES.
const INSERT_BYTES_MAX: usize = 16 << 20;
/// Nesting of parentheses; each level takes some ten kilobytes of stack.
const NESTING_MAX: usize = 128;
/// Casts of one operand (`x::a::b`), each a level of the tree that no parenthesis shows.
const CASTS_MAX: usize = 2000;
/// Empty brackets after a type: the parser nests an array type for each, and drops it so. Postgres has 6 dimensions.
const BRACKETS_MAX: usize = 64;

/// Commands that are read from their text: the parser takes what follows `COPY … FROM STDIN` for data, and knows too few
/// forms of the others.
const TEXT_COMMANDS: [Keyword; 29] = [
    Keyword::TRUNCATE,
    Keyword::PREPARE,
    Keyword::EXECUTE,
    Keyword::DEALLOCATE,
    Keyword::DECLARE,
    Keyword::FETCH,
    Keyword::CLOSE,
    Keyword::LOCK,
    Keyword::ANALYZE,
    Keyword::VACUUM,
    Keyword::CLUSTER,
    Keyword::REFRESH,
    Keyword::LISTEN,
    Keyword::UNLISTEN,
    Keyword::NOTIFY,
    Keyword::CALL,
    Keyword::COPY,
    Keyword::SET,
    Keyword::RESET,
    Keyword::SHOW,
    Keyword::DISCARD,
    Keyword::BEGIN,
    Keyword::START,
    Keyword::COMMIT,
    Keyword::END,
    Keyword::ROLLBACK,
    Keyword::ABORT,
    Keyword::SAVEPOINT,
    Keyword::RELEASE,
];
/// Commands that exist, and are refused as such.
const UNSUPPORTED: [&str; 34] = [
    "analyse",
    "do",
    "call",
    "export",
    "import",
    "force",
    "attach",
    "detach",
    "pragma",
    "install",
    "load",
    "checkpoint",
    "vacuum",
    "analyze",
    "cluster",
    "reindex",
    "listen",
    "notify",
    "unlisten",
    "grant",
    "revoke",
    "lock",
    "prepare",
    "execute",
    "deallocate",
    "declare",
    "fetch",
    "move",
    "close",
    "refresh",
    "security",
    "reassign",
    "merge",
    "truncate",
];
/// Commands with forms that the parser does not know.
const DDL_COMMANDS: [Keyword; 4] = [Keyword::CREATE, Keyword::ALTER, Keyword::DROP, Keyword::COMMENT];

/// Parses a text of any number of statements. All of them must be right, as in Postgres.
pub async fn parse(text: Arc<str>) -> PgResult<Vec<Statement>> {
    thread::run(move || parse_here(&text)).await
}

/// Parses on this thread, which must have a large stack.
pub(super) fn parse_here(text: &Arc<str>) -> PgResult<Vec<Statement>> {
    if text.len() > INSERT_BYTES_MAX {
        return Err(too_long(INSERT_BYTES_MAX));
    }
    if text.contains('\0') {
        return Err(PgError::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    let (text, tokens) = escapes::tokens(text)?;
    let text = &text;
    let mut statements = Vec::new();
    let mut line_starts = LineStarts::default();
    let mut cursor = position::Cursor::default();
    let source = Text::new(text);
    for tokens in split(tokens) {
        thread::check()?;
        statements.push(one(text, &source, tokens, &mut line_starts, &mut cursor)?);
    }
    Ok(statements)
}

/// A query alone, as in `COPY (query) TO`; positions count from the text's start.
pub fn query(text: &str) -> PgResult<ast::Query> {
    let mut parser = parser_of(text)?;
    let query = parser.parse_query().map_err(|e| syntax_error(text, &e, None, text.len()))?;
    match &parser.peek_token_ref().token {
        Token::EOF => Ok(*query),
        _ => Err(near(text, Some(parser.peek_token_ref()), text.len())),
    }
}

/// A statement alone.
pub fn tree(text: &str) -> PgResult<ast::Statement> {
    let mut parser = Parser::new(&Postgres {})
        .with_recursion_limit(NESTING_MAX)
        .try_with_sql(text)
        .map_err(|e| syntax_error(text, &e, None, text.len()))?;
    parser.parse_statement().map_err(|e| syntax_error(text, &e, None, text.len()))
}

/// An expression alone: defaults and checks.
pub fn expression(text: &str) -> PgResult<ast::Expr> {
    let mut parser = parser_of(text)?;
    let expr = parser.parse_expr().map_err(|e| syntax_error(text, &e, None, text.len()))?;
    match &parser.peek_token_ref().token {
        Token::EOF => Ok(expr),
        _ => Err(near(text, Some(parser.peek_token_ref()), text.len())),
    }
}

/// A parser over a text of its own.
fn parser_of(text: &str) -> PgResult<Parser<'static>> {
    let tokens = Tokenizer::new(&Postgres {}, text)
        .tokenize_with_location()
        .map_err(|e| syntax_error(text, &ParserError::from(e), None, text.len()))?;
    bounded(&tokens)?;
    let tokens = as_parsed(tokens, false);
    Ok(Parser::new(&Postgres {}).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens))
}

/// All that is written otherwise for the parser.
fn as_parsed(tokens: Vec<TokenWithSpan>, own: bool) -> Vec<TokenWithSpan> {
    let tokens = typed_string::as_parsed(postfix::as_parsed(written::as_parsed(arrows(tokens))), own);
    let tokens = rows_from::marked(symmetric::marked(grouping_element::as_parsed(tokens)));
    forms::marked(empty_list::marked(frame_exclude::marked(tokens)))
}

/// `name := value` is the older way to write `name => value`.
fn arrows(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    for token in tokens.iter_mut().filter(|t| t.token == Token::Assignment) {
        token.token = Token::RArrow;
    }
    tokens
}

/// Refuses what the parser nests in a loop, so that its own limit does not see it: dropping such a tree takes more stack than
/// any thread has.
fn bounded(tokens: &[TokenWithSpan]) -> PgResult<()> {
    let (mut casts, mut brackets, mut last) = (0, 0, &Token::EOF);
    for token in tokens.iter().map(|t| &t.token).filter(|token| !matches!(token, Token::Whitespace(_))) {
        match token {
            Token::DoubleColon => casts += 1,
            Token::Comma | Token::LParen => casts = 0,
            _ => {}
        }
        match (last, token) {
            (Token::LBracket, Token::RBracket) => brackets += 1,
            (Token::RBracket, Token::LBracket) => {}
            _ => brackets = 0,
        }
        last = token;
        if brackets > BRACKETS_MAX {
            let message = format!("number of array dimensions ({brackets}) exceeds the maximum allowed (6)");
            return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        if casts > CASTS_MAX {
            return Err(errors::too_deep());
        }
    }
    Ok(())
}

/// How deep parentheses, brackets, CASE and NOT nest.
fn nesting(tokens: &[TokenWithSpan]) -> usize {
    let (mut open, mut deepest, mut nots) = (0_usize, 0, 0);
    for token in tokens.iter().map(|t| &t.token).filter(|token| !matches!(token, Token::Whitespace(_))) {
        let word = keyword(token);
        match (token, word) {
            (Token::LParen | Token::LBracket, _) | (_, Some(Keyword::CASE)) => open += 1,
            (Token::RParen | Token::RBracket, _) | (_, Some(Keyword::END)) => open = open.saturating_sub(1),
            _ => {}
        }
        nots = if word == Some(Keyword::NOT) { nots + 1 } else { 0 };
        deepest = deepest.max(open + nots);
    }
    deepest
}

/// The tokens of each statement, without semicolons and empty statements.
fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut all = Vec::new();
    let mut current: Vec<TokenWithSpan> = Vec::new();
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) if current.is_empty() => {}
            Token::Whitespace(Whitespace::SingleLineComment { .. })
            | Token::Whitespace(Whitespace::MultiLineComment(_)) => {}
            // Kept, so that an error knows what ended the statement.
            Token::SemiColon => {
                if !current.is_empty() {
                    current.push(token);
                    all.push(std::mem::take(&mut current));
                }
            }
            _ => current.push(token),
        }
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

/// Parses one statement's tokens.
fn one(
    text: &str,
    source: &Text,
    mut tokens: Vec<TokenWithSpan>,
    lines: &mut LineStarts,
    cursor: &mut position::Cursor,
) -> PgResult<Statement> {
    if let Some(first) = tokens.first() {
        cursor.seek(text, first.span.start);
    }
    let new = |start, end, tree| Statement::new(source, (start, end), *cursor, tree);
    let semicolon = tokens.pop_if(|t| t.token == Token::SemiColon);
    while tokens.pop_if(|t| matches!(t.token, Token::Whitespace(_))).is_some() {}
    let start = tokens.first().map_or(0, |t| lines.byte(text, t.span.start));
    let end = tokens.last().map_or(start, |t| lines.byte(text, t.span.end));
    let first = tokens.first().and_then(|t| keyword(&t.token));
    if end - start > STATEMENT_BYTES_MAX && first != Some(Keyword::INSERT) {
        return Err(too_long(STATEMENT_BYTES_MAX));
    }
    let others = ["move", "do", "checkpoint", "reindex", "analyse"];
    if first.is_some_and(|k| TEXT_COMMANDS.contains(&k)) || others.iter().any(|w| starts_with_word(text, start, w)) {
        return Ok(new(start, end, Tree::Text));
    }
    bounded(&tokens)?;
    written::check(text, &tokens)?;
    let overriding = if first == Some(Keyword::INSERT) { without_overriding(&mut tokens) } else { None };
    if matches!(first, Some(Keyword::SELECT | Keyword::WITH)) {
        row_locks(&mut tokens);
    }
    let is_ddl = first.is_some_and(|k| DDL_COMMANDS.contains(&k));
    if is_ddl {
        identity_options(&mut tokens);
    }
    tokens = as_parsed(tokens, !is_ddl);
    if is_ddl {
        tokens = ddl::forms::as_parsed(tokens);
    }
    grammar::check(text, &tokens, semicolon.as_ref(), end)?;
    let end_of_input = semicolon.as_ref().map(|t| t.span.start);
    // The parser tries other readings where one nests too deeply, and complains of the last.
    let is_deep = nesting(&tokens) >= NESTING_MAX / 2;
    let syntax_error = |error: &ParserError| match is_deep {
        true => errors::too_deep(),
        false => syntax_error(text, error, end_of_input, end),
    };
    let mut parser = Parser::new(&Postgres {}).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    let tree = parser.parse_statement().map_err(|e| syntax_error(&e)).and_then(|tree| match parser.peek_token_ref() {
        rest if rest.token == Token::EOF => Ok(tree),
        _ if is_deep => Err(errors::too_deep()),
        rest => Err(near(text, Some(rest), end)),
    });
    let tree = tree.map(|tree| marked(tree, overriding));
    let tree = match tree {
        Ok(tree) => tree,
        // Commands that are not supported anyway: the client learns that, not that the parser lacks them.
        Err(_) if UNSUPPORTED.iter().any(|verb| starts_with_word(text, start, verb)) => {
            return Ok(new(start, end, Tree::Text));
        }
        Err(error) if first.is_some_and(|k| DDL_COMMANDS.contains(&k)) => {
            return Ok(new(start, end, Tree::Failed(error)));
        }
        Err(error) => return Err(error),
    };
    if end - start > STATEMENT_BYTES_MAX && !is_insert_values(&tree) {
        return Err(too_long(STATEMENT_BYTES_MAX));
    }
    Ok(new(start, end, Tree::Ast(Box::new(tree))))
}

fn is_insert_values(tree: &ast::Statement) -> bool {
    matches!(tree, ast::Statement::Insert(insert)
        if insert.source.as_ref().is_some_and(|q| matches!(*q.body, ast::SetExpr::Values(_))))
}

/// `FOR NO KEY UPDATE` and `FOR KEY SHARE`, which the parser does not know, as the kinds that it does: none locks anything.
/// `FOR READ ONLY` says what is so anyway.
fn row_locks(tokens: &mut Vec<TokenWithSpan>) {
    let is = |t: &TokenWithSpan, what: &str| matches!(&t.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(what));
    if !tokens.iter().any(|t| is(t, "key") || is(t, "only")) {
        return;
    }
    let words: Vec<usize> = (0..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).collect();
    let mut gone = Vec::new();
    for window in words.windows(4) {
        let [a, b, c, d] = *window else { continue };
        let said = |at: usize, word: &str| is(&tokens[at], word);
        if said(a, "for") && said(b, "no") && said(c, "key") && said(d, "update") {
            gone.extend([b, c]);
        }
    }
    for window in words.windows(3) {
        let [a, b, c] = *window else { continue };
        if is(&tokens[a], "for") && is(&tokens[b], "key") && is(&tokens[c], "share") {
            gone.push(b);
        }
        if is(&tokens[a], "for") && is(&tokens[b], "read") && is(&tokens[c], "only") {
            gone.extend([a, b, c]);
        }
    }
    gone.sort_unstable();
    for at in gone.into_iter().rev() {
        tokens.remove(at);
    }
}

/// Puts the options of `AS IDENTITY (…)` into the one order that the parser knows; Postgres takes any.
fn identity_options(tokens: &mut [TokenWithSpan]) {
    const ORDER: [&str; 6] = ["increment", "minvalue", "maxvalue", "start", "cache", "cycle"];
    let is = |t: &TokenWithSpan, what: &str| matches!(&t.token, Token::Word(w) if w.value.eq_ignore_ascii_case(what));
    let rank = |t: &TokenWithSpan| ORDER.iter().position(|word| is(t, word));
    let mut from = 0;
    while let Some(identity) = tokens.iter().skip(from).position(|t| is(t, "identity")).map(|at| at + from) {
        from = identity + 1;
        let next = tokens.iter().skip(from).position(|t| !matches!(t.token, Token::Whitespace(_)));
        let Some(open) = next.map(|at| at + from).filter(|at| tokens[*at].token == Token::LParen) else { continue };
        let Some(close) = tokens.iter().skip(open).position(|t| t.token == Token::RParen).map(|at| at + open) else {
            return;
        };
        let mut groups: Vec<(usize, Vec<TokenWithSpan>)> = Vec::new();
        let mut negated = false;
        for token in &tokens[open + 1..close] {
            match rank(token) {
                Some(rank) if !negated => groups.push((rank, vec![token.clone()])),
                Some(rank) => {
                    if let Some((place, group)) = groups.last_mut() {
                        *place = rank;
                        group.push(token.clone());
                    }
                }
                None if is(token, "no") => groups.push((usize::MAX, vec![token.clone()])),
                None => match groups.last_mut() {
                    Some((_, group)) => group.push(token.clone()),
                    None => groups.push((0, vec![token.clone()])),
                },
            }
            negated = is(token, "no") || (negated && matches!(token.token, Token::Whitespace(_)));
        }
        groups.sort_by_key(|(rank, _)| *rank);
        for (slot, token) in tokens[open + 1..close].iter_mut().zip(groups.into_iter().flat_map(|(_, g)| g)) {
            *slot = token;
        }
        from = close;
    }
}

/// What `OVERRIDING` says of identity columns: the tree has no place for it, but one for MySQL's priorities, which Postgres'
/// grammar does not know.
fn marked(mut tree: ast::Statement, overriding: Option<Overriding>) -> ast::Statement {
    if let (ast::Statement::Insert(insert), Some(overriding)) = (&mut tree, overriding) {
        insert.priority = Some(match overriding {
            Overriding::System => ast::MysqlInsertPriority::HighPriority,
            Overriding::User => ast::MysqlInsertPriority::LowPriority,
        });
    }
    tree
}

/// What `INSERT … OVERRIDING` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overriding {
    /// `SYSTEM VALUE`: given values count, also where the system makes them.
    System,
    /// `USER VALUE`: given values of identity columns do not count.
    User,
}

/// What an INSERT's tree says of it.
pub(super) fn overriding(insert: &ast::Insert) -> Option<Overriding> {
    insert.priority.as_ref().map(|mark| match mark {
        ast::MysqlInsertPriority::HighPriority => Overriding::System,
        _ => Overriding::User,
    })
}

/// Takes `OVERRIDING SYSTEM VALUE` out: the parser does not know it.
fn without_overriding(tokens: &mut Vec<TokenWithSpan>) -> Option<Overriding> {
    let word = |t: &TokenWithSpan, what: &str| {
        matches!(&t.token, Token::Word(w)
        if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(what))
    };
    // It stands before VALUES or SELECT: never deep in the text.
    let at = tokens.iter().take(10_000).position(|t| word(t, "overriding"))?;
    let words: Vec<usize> =
        (at..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).take(3).collect();
    if let [_, kind, value] = words[..]
        && (word(&tokens[kind], "system") || word(&tokens[kind], "user"))
        && word(&tokens[value], "value")
    {
        let system = word(&tokens[kind], "system");
        tokens.drain(at..=value);
        return Some(if system { Overriding::System } else { Overriding::User });
    }
    None
}

fn starts_with_word(text: &str, start: usize, word: &str) -> bool {
    text.get(start..start + word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word))
        && !text
            .get(start + word.len()..)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// The place found last, so that a text of many lines, or of many statements on one line, is walked once.
#[derive(Default)]
struct LineStarts {
    line: u64,
    /// Characters of the line before the place.
    characters: u64,
    byte: usize,
}

impl LineStarts {
    fn byte(&mut self, text: &str, location: Location) -> usize {
        let characters = location.column.saturating_sub(1);
        if self.line == 0 || (location.line, characters) < (self.line, self.characters) {
            (self.line, self.characters, self.byte) = (1, 0, 0);
        }
        while self.line < location.line {
            match text.get(self.byte..).and_then(|rest| memchr::memchr(b'\n', rest.as_bytes())) {
                Some(at) => self.byte += at + 1,
                None => return text.len(),
            }
            (self.line, self.characters) = (self.line + 1, 0);
        }
        let rest = text.get(self.byte..).unwrap_or_default();
        let further = usize::try_from(characters - self.characters).unwrap_or(usize::MAX);
        // Most lines are ASCII up to there: then characters are bytes.
        let is_ascii = rest.as_bytes().get(..further).is_some_and(<[u8]>::is_ascii);
        let bytes = if is_ascii { Some(further) } else { rest.char_indices().nth(further).map(|(at, _)| at) };
        match bytes {
            Some(bytes) => (self.characters, self.byte) = (characters, self.byte + bytes),
            None => return text.len(),
        }
        self.byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        parse_here(&Arc::from(sql)).expect("parses").iter().map(|s| s.text().to_owned()).collect()
    }

    #[track_caller]
    fn check_error(sql: &str, message: &str, position: u32) {
        let error = parse_here(&Arc::from(sql)).expect_err("must fail");
        assert_eq!(error.code(), SqlState::SYNTAX_ERROR, "{sql}");
        assert_eq!(error.fields().message, message, "{sql}");
        assert_eq!(error.fields().position, Some(position), "{sql}");
    }

    #[test]
    fn statements_know_their_text() {
        assert_eq!(texts(""), Vec::<String>::new());
        assert_eq!(texts(" ; ;; "), Vec::<String>::new());
        assert_eq!(
            texts("select 1 ;\n insert into t values ('ü;x') -- c ; d\n; /* a; /* b */ */ select 2 "),
            ["select 1", "insert into t values ('ü;x')", "select 2"]
        );
        assert_eq!(texts("copy t from stdin; select 1"), ["copy t from stdin", "select 1"]);
        assert_eq!(texts("insert into t (a) overriding system value values (1)").len(), 1);
        assert_eq!(texts("select $tag$ ; $x$ $tag$, e'\\'; ', $1::int").len(), 1);
    }

    #[test]
    fn syntax_errors_are_postgres_own() {
        check_error("selec 1", "syntax error at or near \"selec\"", 1);
        check_error("select 1 from", "syntax error at end of input", 14);
        check_error("select 1 from;", "syntax error at or near \";\"", 14);
        check_error("select 'ü' 1 2", "syntax error at or near \"1\"", 12);
        check_error("select 'abc", "unterminated quoted string at or near \"'abc\"", 8);
        check_error("select \"abc", "unterminated quoted identifier at or near \"\"abc\"", 8);
        check_error("select 1 /* x", "unterminated /* comment at or near \"/* x\"", 10);
        check_error("select $$x", "unterminated dollar-quoted string at or near \"$$x\"", 8);
        check_error("select 1; selec 2", "syntax error at or near \"selec\"", 11);
        check_error("select (1", "syntax error at end of input", 10);
    }

    #[test]
    fn long_chains_neither_overflow_nor_pass_the_limit() {
        let chain = format!("select 1{}", "+1".repeat(400_000));
        let statements = thread::run_blocking(move || parse_here(&Arc::from(chain.as_str())));
        drop(statements.expect("parses"));
        let long = format!("select '{}'", "x".repeat(STATEMENT_BYTES_MAX));
        let error = parse_here(&Arc::from(long.as_str())).expect_err("too long");
        assert_eq!(error.code(), SqlState::PROGRAM_LIMIT_EXCEEDED);
        let insert = format!("insert into t values ('{}')", "x".repeat(STATEMENT_BYTES_MAX));
        assert!(parse_here(&Arc::from(insert.as_str())).is_ok());
    }
}
