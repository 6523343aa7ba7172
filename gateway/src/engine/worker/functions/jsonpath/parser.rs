//! The grammar of paths.

use std::rc::Rc;

use super::{
    super::{
        Failure, Outcome,
        number::Number,
        regular::{self, REGEX_BYTES_MAX},
    },
    item::Item,
    lexer::{self, Token},
};

/// Levels inside each other: a level takes some kilobytes of a thread's stack.
const DEPTH_MAX: usize = 40;
/// Words of one path. Chains and steps are walked one inside the other.
const TOKENS_MAX: usize = 1_000;

/// A path.
#[derive(Debug)]
pub struct Path {
    pub lax: bool,
    pub expr: Expr,
}

/// What gives values, or a truth.
#[derive(Debug)]
pub enum Expr {
    Root,
    Current,
    Last,
    Variable(String),
    Constant(Item),
    Steps(Box<Expr>, Vec<Step>),
    Sign(char, Box<Expr>),
    Arithmetic(char, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsUnknown(Box<Expr>),
    Exists(Box<Expr>),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    StartsWith(Box<Expr>, Box<Expr>),
    LikeRegex(Box<Expr>, Rc<Like>),
}

/// The regular expression of LIKE_REGEX, as it was written and as it matches.
#[derive(Debug)]
pub struct Like {
    pub pattern: String,
    pub flags: String,
    pub regex: regex::Regex,
}

impl Expr {
    pub fn is_predicate(&self) -> bool {
        matches!(
            self,
            Self::And(..)
                | Self::Or(..)
                | Self::Not(_)
                | Self::IsUnknown(_)
                | Self::Exists(_)
                | Self::Compare(..)
                | Self::StartsWith(..)
                | Self::LikeRegex(..)
        )
    }
}

/// What follows a value.
#[derive(Debug)]
pub enum Step {
    Member(String),
    AnyMember,
    AnyElement,
    Elements(Vec<(Expr, Option<Expr>)>),
    /// `**{first to last}`.
    Deep(u32, u32),
    Filter(Expr),
    Method(Method),
    /// `.datetime()`, with its template.
    Datetime(Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Type,
    Size,
    Abs,
    Floor,
    Ceiling,
    Double,
    KeyValue,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Abs => "abs",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
            Self::Double => "double",
            Self::KeyValue => "keyvalue",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Type, Self::Size, Self::Abs, Self::Floor, Self::Ceiling, Self::Double, Self::KeyValue]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// Reads a path.
pub fn parse(text: &str) -> Outcome<Path> {
    let tokens = lexer::tokens(text)?;
    if tokens.len() == 1 {
        return Err(Failure::new("22P02", format!("invalid input syntax for type jsonpath: \"{text}\"")));
    }
    if tokens.len() > TOKENS_MAX {
        return Err(Failure::new("54000", format!("a jsonpath may have at most {TOKENS_MAX} words")));
    }
    let mut parser = Parser { text, tokens, at: 0, depth: 0, filters: 0, subscripts: 0 };
    let lax = if parser.word("strict") {
        false
    } else {
        parser.word("lax");
        true
    };
    let expr = parser.or()?;
    match parser.peek() {
        Token::End => Ok(Path { lax, expr }),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    filters: usize,
    subscripts: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.ahead(0)
    }

    fn ahead(&self, places: usize) -> &Token {
        self.tokens.get(self.at + places).map_or(&Token::End, |(token, _)| token)
    }

    fn unexpected(&self) -> Failure {
        let at = self.tokens.get(self.at).map_or(self.text.len(), |(_, at)| *at);
        lexer::near(self.text.get(at..).unwrap_or_default())
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Outcome<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn sees_word(&self, places: usize, word: &str) -> bool {
        matches!(self.ahead(places), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let is = self.sees_word(0, word);
        self.at += usize::from(is);
        is
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Failure::new("54001", "stack depth limit exceeded"));
        }
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn predicate(&self, expr: Expr) -> Outcome<Box<Expr>> {
        if expr.is_predicate() { Ok(Box::new(expr)) } else { Err(self.unexpected()) }
    }

    fn value(&self, expr: Expr) -> Outcome<Box<Expr>> {
        if expr.is_predicate() { Err(self.unexpected()) } else { Ok(Box::new(expr)) }
    }

    fn or(&mut self) -> Outcome<Expr> {
        self.deeper(|p| {
            let mut left = p.and()?;
            while p.sign("||") {
                let l = p.predicate(left)?;
                let right = p.and()?;
                left = Expr::Or(l, p.predicate(right)?);
            }
            Ok(left)
        })
    }

    fn and(&mut self) -> Outcome<Expr> {
        let mut left = self.not()?;
        while self.sign("&&") {
            let l = self.predicate(left)?;
            let right = self.not()?;
            left = Expr::And(l, self.predicate(right)?);
        }
        Ok(left)
    }

    fn not(&mut self) -> Outcome<Expr> {
        if !self.sign("!") {
            return self.comparison();
        }
        self.deeper(|p| {
            // Its operand is in parentheses, or EXISTS.
            if !matches!(p.peek(), Token::Sign("(" | "!")) && !p.sees_word(0, "exists") {
                return Err(p.unexpected());
            }
            let inner = p.not()?;
            Ok(Expr::Not(p.predicate(inner)?))
        })
    }

    fn comparison(&mut self) -> Outcome<Expr> {
        if self.sees_word(0, "exists") && *self.ahead(1) == Token::Sign("(") {
            self.at += 2;
            let inner = self.or()?;
            let inner = self.value(inner)?;
            self.expect(")")?;
            return Ok(Expr::Exists(inner));
        }
        let left = self.sum()?;
        let op = match self.peek() {
            Token::Sign("==") => "==",
            Token::Sign("=") => "==",
            Token::Sign("<>" | "!=") => "<>",
            Token::Sign("<") => "<",
            Token::Sign("<=") => "<=",
            Token::Sign(">") => ">",
            Token::Sign(">=") => ">=",
            _ => "",
        };
        if !op.is_empty() {
            self.at += 1;
            let left = self.value(left)?;
            let right = self.sum()?;
            return Ok(Expr::Compare(op, left, self.value(right)?));
        }
        if self.sees_word(0, "starts") && self.sees_word(1, "with") {
            self.at += 2;
            let left = self.value(left)?;
            let prefix = match self.peek().clone() {
                Token::String(text) => Expr::Constant(Item::string(text)),
                Token::Variable(name) => Expr::Variable(name),
                _ => return Err(self.unexpected()),
            };
            self.at += 1;
            return Ok(Expr::StartsWith(left, Box::new(prefix)));
        }
        if self.word("like_regex") {
            let left = self.value(left)?;
            let Token::String(pattern) = self.peek().clone() else { return Err(self.unexpected()) };
            self.at += 1;
            let mut flags = String::new();
            if self.word("flag") {
                let Token::String(given) = self.peek().clone() else { return Err(self.unexpected()) };
                self.at += 1;
                flags = given;
            }
            let regex = regular(&pattern, &flags)?;
            return Ok(Expr::LikeRegex(left, Rc::new(Like { pattern, flags, regex })));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Outcome<Expr> {
        let mut left = self.product()?;
        while let Token::Sign(sign @ ("+" | "-")) = *self.peek() {
            self.at += 1;
            let l = self.value(left)?;
            let right = self.product()?;
            left = Expr::Arithmetic(if sign == "+" { '+' } else { '-' }, l, self.value(right)?);
        }
        Ok(left)
    }

    fn product(&mut self) -> Outcome<Expr> {
        let mut left = self.unary()?;
        while let Token::Sign(sign @ ("*" | "/" | "%")) = *self.peek() {
            self.at += 1;
            let l = self.value(left)?;
            let right = self.unary()?;
            left = Expr::Arithmetic(sign.chars().next().unwrap_or('*'), l, self.value(right)?);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Outcome<Expr> {
        let Token::Sign(sign @ ("+" | "-")) = *self.peek() else { return self.accessors() };
        self.at += 1;
        self.deeper(|p| {
            let inner = p.unary()?;
            Ok(Expr::Sign(if sign == "+" { '+' } else { '-' }, p.value(inner)?))
        })
    }

    fn accessors(&mut self) -> Outcome<Expr> {
        let mut base = self.primary()?;
        let mut steps = Vec::new();
        loop {
            if self.sign(".") {
                steps.push(self.after_dot()?);
            } else if self.sign("[") {
                steps.push(self.subscript()?);
            } else if self.sign("?") {
                self.expect("(")?;
                self.filters += 1;
                let condition = self.or()?;
                self.filters -= 1;
                let condition = self.predicate(condition)?;
                self.expect(")")?;
                steps.push(Step::Filter(*condition));
            } else {
                break;
            }
        }
        if !steps.is_empty() {
            base = Expr::Steps(Box::new(base), steps);
        }
        if base.is_predicate() && self.sees_word(0, "is") && self.sees_word(1, "unknown") {
            self.at += 2;
            return Ok(Expr::IsUnknown(Box::new(base)));
        }
        Ok(base)
    }

    fn primary(&mut self) -> Outcome<Expr> {
        let token = self.peek().clone();
        self.at += 1;
        Ok(match token {
            Token::Root => Expr::Root,
            Token::Variable(name) => Expr::Variable(name),
            Token::String(text) => Expr::Constant(Item::string(text)),
            Token::Number(text, _) => Expr::Constant(Item::number(Number::read(&text)?.write())),
            Token::Sign("@") if self.filters == 0 => {
                return Err(Failure::new("42601", "@ is not allowed in root expressions"));
            }
            Token::Sign("@") => Expr::Current,
            Token::Sign("(") => {
                let inner = self.or()?;
                self.expect(")")?;
                inner
            }
            Token::Word(word) => match word.as_str() {
                "true" => Expr::Constant(Item::Bool(true)),
                "false" => Expr::Constant(Item::Bool(false)),
                "null" => Expr::Constant(Item::Null),
                w if w.eq_ignore_ascii_case("last") && self.subscripts == 0 => {
                    return Err(Failure::new("42601", "LAST is allowed only in array subscripts"));
                }
                w if w.eq_ignore_ascii_case("last") => Expr::Last,
                _ => {
                    self.at -= 1;
                    return Err(self.unexpected());
                }
            },
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        })
    }

    fn after_dot(&mut self) -> Outcome<Step> {
        if self.sign("**") {
            return self.levels();
        }
        if self.sign("*") {
            return Ok(Step::AnyMember);
        }
        let name = match self.peek().clone() {
            Token::String(name) => name,
            Token::Word(name) => {
                if *self.ahead(1) == Token::Sign("(") {
                    let lower = name.to_ascii_lowercase();
                    if lower == "datetime" {
                        self.at += 2;
                        let template = match self.peek().clone() {
                            Token::String(template) => {
                                self.at += 1;
                                Some(template)
                            }
                            _ => None,
                        };
                        self.expect(")")?;
                        return Ok(Step::Datetime(template));
                    }
                    let Some(method) = Method::named(&lower) else {
                        self.at += 1;
                        return Err(self.unexpected());
                    };
                    self.at += 2;
                    self.expect(")")?;
                    return Ok(Step::Method(method));
                }
                name
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Step::Member(name))
    }

    /// What follows `**`.
    fn levels(&mut self) -> Outcome<Step> {
        if !self.sign("{") {
            return Ok(Step::Deep(0, u32::MAX));
        }
        let first = self.level()?;
        let last = if self.word("to") { self.level()? } else { first };
        self.expect("}")?;
        Ok(Step::Deep(first, last))
    }

    fn level(&mut self) -> Outcome<u32> {
        if self.word("last") {
            return Ok(u32::MAX);
        }
        let Token::Number(text, true) = self.peek().clone() else { return Err(self.unexpected()) };
        self.at += 1;
        text.parse().map_err(|_| Failure::new("22003", format!("value \"{text}\" is out of range for type integer")))
    }

    fn subscript(&mut self) -> Outcome<Step> {
        if *self.peek() == Token::Sign("*") && *self.ahead(1) == Token::Sign("]") {
            self.at += 2;
            return Ok(Step::AnyElement);
        }
        self.subscripts += 1;
        let mut all = Vec::new();
        loop {
            let from = self.or()?;
            let from = *self.value(from)?;
            let to = if self.word("to") {
                let to = self.or()?;
                Some(*self.value(to)?)
            } else {
                None
            };
            all.push((from, to));
            if !self.sign(",") {
                break;
            }
        }
        self.subscripts -= 1;
        self.expect("]")?;
        Ok(Step::Elements(all))
    }
}

/// A regular expression with XQuery's flags.
fn regular(pattern: &str, flags: &str) -> Outcome<regex::Regex> {
    if flags.chars().any(|flag| !"ismxq".contains(flag)) {
        return Err(Failure::new("42601", "invalid input syntax for type jsonpath"));
    }
    let has = |flag: char| flags.contains(flag);
    if has('x') && !has('q') {
        let message = "XQuery \"x\" flag (expanded regular expressions) is not implemented";
        return Err(Failure::new("0A000", message));
    }
    let pattern = if has('q') { regex::escape(pattern) } else { regular::translate(pattern) };
    regex::RegexBuilder::new(&pattern)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| regular::invalid(error.to_string().lines().last().unwrap_or_default()))
}
