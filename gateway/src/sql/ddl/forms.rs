//! What CREATE and ALTER may say that the parser does not read: what has no effect here is left out, the rest is written
//! otherwise.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Writes all of it as the parser reads it.
pub(in crate::sql) fn as_parsed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut written = Written::new(&tokens);
    if written.says(0, &["create"]) {
        let mut at = 1;
        let mut recursive = None;
        const BEFORE: [&str; 10] = [
            "or",
            "replace",
            "global",
            "local",
            "temp",
            "temporary",
            "unlogged",
            "unique",
            "recursive",
            "materialized",
        ];
        while let Some(word) = BEFORE.iter().find(|word| written.says(at, &[word])) {
            if *word == "recursive" {
                recursive = Some(at);
            }
            at += 1;
        }
        if written.says(at, &["table"]) {
            written.table(at + 1);
        } else if written.says(at, &["view"]) {
            written.view(at + 1, recursive);
        } else if written.says(at, &["index"]) {
            written.index(at + 1);
        }
    } else if written.says(0, &["alter", "table"]) {
        written.altered(2);
    }
    let changes = written.changes;
    if changes.is_empty() { tokens } else { changed(tokens, changes) }
}

/// A change at a token.
enum Change {
    Gone,
    Behind(Vec<Token>),
}

fn changed(tokens: Vec<TokenWithSpan>, mut changes: Vec<(usize, Change)>) -> Vec<TokenWithSpan> {
    changes.sort_by_key(|(at, _)| *at);
    let mut changes = changes.into_iter().peekable();
    let mut out = Vec::with_capacity(tokens.len() + 8);
    for (at, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        let mut more = Vec::new();
        let mut stays = true;
        while let Some((_, change)) = changes.next_if(|(place, _)| *place == at) {
            match change {
                Change::Gone => stays = false,
                Change::Behind(tokens) => more.extend(tokens),
            }
        }
        if stays {
            out.push(token);
        }
        out.extend(more.into_iter().map(|token| TokenWithSpan { token, span }));
    }
    out
}

/// A statement's tokens without blanks, and what is to change of them.
struct Written<'a> {
    tokens: &'a [TokenWithSpan],
    solid: Vec<usize>,
    changes: Vec<(usize, Change)>,
}

impl<'a> Written<'a> {
    fn new(tokens: &'a [TokenWithSpan]) -> Self {
        let solid = |(_, token): &(usize, &TokenWithSpan)| !matches!(token.token, Token::Whitespace(_));
        let solid = tokens.iter().enumerate().filter(solid).map(|(at, _)| at).collect();
        Self { tokens, solid, changes: Vec::new() }
    }

    fn token(&self, n: usize) -> Option<&'a Token> {
        self.solid.get(n).and_then(|at| self.tokens.get(*at)).map(|t| &t.token)
    }

    fn says(&self, n: usize, words: &[&str]) -> bool {
        words.iter().zip(n..).all(|(word, n)| crate::sql::scan::is_word(self.token(n).unwrap_or(&Token::EOF), word))
    }

    fn is_name(&self, n: usize) -> bool {
        matches!(self.token(n), Some(Token::Word(_)))
    }

    fn drop(&mut self, range: std::ops::Range<usize>) {
        self.changes.extend(range.filter_map(|n| self.solid.get(n)).map(|at| (*at, Change::Gone)));
    }

    fn add_behind(&mut self, n: usize, tokens: Vec<Token>) {
        if let Some(at) = self.solid.get(n) {
            self.changes.push((*at, Change::Behind(tokens)));
        }
    }

    /// The place behind the parenthesis that closes the one here.
    fn behind_parentheses(&self, n: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = n;
        while let Some(token) = self.token(at) {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// CREATE TABLE, behind these words.
    fn table(&mut self, start: usize) {
        let mut at = start;
        let mut depth = 0_usize;
        while let Some(token) = self.token(at) {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if depth == 1 => self.part(at),
                // The query of CREATE TABLE AS says what it says.
                _ if depth == 0 && self.says(at, &["as"]) => return,
                _ if depth == 0 && self.says(at, &["using", "heap"]) => self.drop(at..at + 2),
                _ if depth == 0 && self.says(at, &["without", "oids"]) => self.drop(at..at + 2),
                _ if depth == 0 && self.says(at, &["tablespace", "pg_default"]) => self.drop(at..at + 2),
                _ if depth == 0 && self.says(at, &["with"]) => self.options(at + 1),
                _ => {}
            }
            at += 1;
        }
    }

    /// ALTER TABLE, behind these words.
    fn altered(&mut self, start: usize) {
        let mut at = start;
        at += if self.says(at, &["if", "exists"]) { 2 } else { 0 };
        at += usize::from(self.says(at, &["only"]) && self.is_name(at + 1));
        while self.is_name(at) && self.token(at + 1) == Some(&Token::Period) {
            at += 2;
        }
        if self.token(at + 1) == Some(&Token::Mul) {
            self.drop(at + 1..at + 2);
        }
        let mut retypes = false;
        for at in at + 1..self.solid.len() {
            self.part(at);
            if self.says(at, &["alter"]) {
                let column = at + if self.says(at + 1, &["column"]) { 2 } else { 1 };
                retypes = self.says(column + 1, &["type"]) || self.says(column + 1, &["set", "data", "type"]);
            } else if self.says(at, &["using"]) || self.token(at) == Some(&Token::Comma) {
                retypes = false;
            } else if retypes && self.says(at, &["collate"]) {
                self.collation(at);
            }
        }
    }

    /// `COLLATE "C"` behind a type: text is compared so anyway.
    fn collation(&mut self, at: usize) {
        let name = if self.token(at + 2) == Some(&Token::Period) { at + 3 } else { at + 1 };
        if let Some(Token::Word(word)) = self.token(name)
            && matches!(word.value.as_str(), "C" | "POSIX" | "default" | "ucs_basic")
        {
            self.drop(at..name + 1);
        }
    }

    /// What may stand within the definition of a column or a constraint.
    fn part(&mut self, at: usize) {
        let begins = |token: Option<&Token>| {
            matches!(token, None | Some(Token::Comma | Token::LParen))
                || ["add", "column", "set", "exists"]
                    .iter()
                    .any(|w| crate::sql::scan::is_word(token.unwrap_or(&Token::EOF), w))
        };
        if self.says(at, &["compression"])
            && self.is_name(at + 1)
            && !begins(at.checked_sub(1).and_then(|n| self.token(n)))
        {
            self.drop(at..at + 2);
        } else if self.says(at, &["unique", "nulls"]) {
            let end = at + if self.says(at + 2, &["not"]) { 4 } else { 3 };
            // With columns it is a constraint of the table, which the parser reads.
            if self.says(end - 1, &["distinct"]) && self.token(end) != Some(&Token::LParen) {
                self.drop(at + 1..end);
            }
        } else if self.says(at, &["on", "delete", "set"]) && self.token(at + 4) == Some(&Token::LParen) {
            self.drop(at + 4..self.behind_parentheses(at + 4));
        } else if self.says(at, &["no", "inherit", "not", "valid"]) {
            self.drop(at + 2..at + 4);
        }
    }

    /// CREATE VIEW, behind these words.
    fn view(&mut self, start: usize, recursive: Option<usize>) {
        let mut at = start;
        at += if self.says(at, &["if", "not", "exists"]) { 3 } else { 0 };
        while self.is_name(at) && self.token(at + 1) == Some(&Token::Period) {
            at += 2;
        }
        let name = at;
        at += 1;
        let columns = if self.token(at) == Some(&Token::LParen) { at..self.behind_parentheses(at) } else { at..at };
        at = columns.end;
        if self.says(at, &["with"]) && self.token(at + 1) == Some(&Token::LParen) {
            self.options(at + 1);
            at = self.behind_parentheses(at + 1);
        }
        if !self.says(at, &["as"]) {
            return;
        }
        let mut end = self.solid.len();
        // Nothing is written through a view.
        for words in [
            &["with", "check", "option"][..],
            &["with", "local", "check", "option"],
            &["with", "cascaded", "check", "option"],
        ] {
            if let Some(from) = end.checked_sub(words.len()).filter(|from| *from > at && self.says(*from, words)) {
                self.drop(from..end);
                end = from;
            }
        }
        if let (Some(word), false) = (recursive, columns.is_empty()) {
            self.drop(word..word + 1);
            self.recursive(name, columns, (at, end));
        }
    }

    /// `RECURSIVE VIEW v (a) AS query` as `VIEW v (a) AS WITH RECURSIVE v (a) AS (query) SELECT a FROM v`.
    fn recursive(&mut self, name: usize, columns: std::ops::Range<usize>, (as_word, end): (usize, usize)) {
        let all = |range: std::ops::Range<usize>| range.filter_map(|n| self.token(n)).cloned().collect::<Vec<_>>();
        let (own, list) = (all(name..name + 1), all(columns.clone()));
        let inner = all(columns.start + 1..columns.end - 1);
        let word = Token::make_keyword;
        let before =
            [vec![word("WITH"), word("RECURSIVE")], own.clone(), list, vec![word("AS"), Token::LParen]].concat();
        let behind = [vec![Token::RParen, word("SELECT")], inner, vec![word("FROM")], own].concat();
        self.add_behind(as_word, before);
        self.add_behind(end - 1, behind);
    }

    /// CREATE INDEX, behind these words.
    fn index(&mut self, start: usize) {
        let mut depth = 0_usize;
        for at in start..self.solid.len() {
            match self.token(at) {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.says(at, &["on", "only"]) && self.is_name(at + 2) => self.drop(at + 1..at + 2),
                _ if depth == 0 && self.says(at, &["with"]) => self.options(at + 1),
                _ => {}
            }
        }
    }

    /// `(a, toast.b = 1)` as `(a = true, b = 1)`.
    fn options(&mut self, open: usize) {
        if self.token(open) != Some(&Token::LParen) {
            return;
        }
        let mut at = open + 1;
        while self.is_name(at) {
            if self.token(at + 1) == Some(&Token::Period) && self.is_name(at + 2) {
                self.drop(at..at + 2);
                at += 2;
            }
            if matches!(self.token(at + 1), Some(Token::Comma | Token::RParen)) {
                self.add_behind(at, vec![Token::Eq, Token::make_keyword("TRUE")]);
            }
            while !matches!(self.token(at), None | Some(Token::Comma | Token::RParen)) {
                at += 1;
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::dialect::Postgres;
    use sqlparser::tokenizer::Tokenizer;

    #[test]
    fn forms_are_written_as_the_parser_reads_them() {
        for (sql, expected) in [
            ("create table t (a int) using heap without oids", "create table t (a int)  "),
            ("create table t (a text compression lz4, compression text)", "create table t (a text, compression text)"),
            ("create table t (a int unique nulls not distinct)", "create table t (a int unique)"),
            (
                "create table t (a int references u on delete set null (a))",
                "create table t (a int references u on delete set null)",
            ),
            ("create table t (a int) with (toast.x = 1, y)", "create table t (a int) with (x = 1, y=TRUE)"),
            ("create table t with (f=1) as select 1 using heap", "create table t with (f=1) as select 1 using heap"),
            (
                "create view v with (security_barrier) as select 1",
                "create view v with (security_barrier=TRUE) as select 1",
            ),
            ("create view v as select 1 with local check option", "create view v as select 1"),
            (
                "create recursive view s.v (n) as values (1)",
                "create view s.v (n) asWITHRECURSIVEv(n)AS( values (1))SELECTnFROMv",
            ),
            ("create unique index i on only t (a)", "create unique index i on t (a)"),
            ("alter table only s.t* add a text compression pglz", "alter table only s.t add a text"),
            (
                "alter table t alter a type varchar(3) collate \"C\" using b",
                "alter table t alter a type varchar(3) using b",
            ),
            ("alter table t alter a set compression pglz", "alter table t alter a set compression pglz"),
        ] {
            let tokens = Tokenizer::new(&Postgres {}, sql).tokenize_with_location().unwrap();
            let shown: String = super::as_parsed(tokens).iter().map(|t| t.token.to_string()).collect();
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(plain(&shown), plain(expected), "{sql}");
        }
    }
}
