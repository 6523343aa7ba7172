//! What Postgres' grammar refuses and the parser takes, or refuses at another place: by neighbouring words.

use sqlparser::{keywords::Keyword, tokenizer::Token, tokenizer::TokenWithSpan};

use super::{keyword, near};
use crate::wire::error::{PgError, PgResult};

/// Tokens that are looked at: a longer statement is made by a program, and most of it is values.
const LOOKED_AT: usize = 20_000;

/// Words that begin a clause, and are never a name.
fn begins_clause(word: Keyword) -> bool {
    use Keyword as K;
    matches!(
        word,
        K::FROM
            | K::WHERE
            | K::GROUP
            | K::HAVING
            | K::ORDER
            | K::LIMIT
            | K::OFFSET
            | K::UNION
            | K::EXCEPT
            | K::INTERSECT
    )
}

/// Whether what follows these words is wrong whatever it is part of.
fn is_wrong(before: Option<&Token>, last: &Token, next: Option<&Token>) -> bool {
    use Keyword as K;
    let named = matches!(before, Some(Token::Period)) || before.and_then(keyword) == Some(K::AS);
    let word = next.and_then(keyword);
    match (last, keyword(last)) {
        (Token::Comma, _) => word.is_some_and(begins_clause),
        _ if named => false,
        (_, Some(K::GROUP)) if before.and_then(keyword) == Some(K::WITHIN) => false,
        (_, Some(K::GROUP | K::ORDER | K::PARTITION)) => word != Some(K::BY),
        (_, Some(K::FROM)) => word.is_some_and(|word| begins_clause(word) || word == K::SELECT),
        (_, Some(K::SET)) => word == Some(K::WHERE),
        _ => false,
    }
}

/// Fails at the first word that cannot stand where it does. `end`: the semicolon, if there is one.
pub(super) fn check(text: &str, tokens: &[TokenWithSpan], end: Option<&TokenWithSpan>, length: usize) -> PgResult<()> {
    use Keyword as K;
    let wrong = |at: Option<&TokenWithSpan>| -> PgResult<()> { Err::<(), PgError>(near(text, at.or(end), length)) };
    let mut words = tokens.iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).take(LOOKED_AT).peekable();
    let Some(first) = words.next() else { return Ok(()) };
    let begins = keyword(&first.token);
    let wanted = match begins {
        Some(K::INSERT) => Some(K::INTO),
        Some(K::DELETE) => Some(K::FROM),
        Some(K::SELECT | K::WITH | K::UPDATE) => None,
        _ => return Ok(()),
    };
    if let Some(wanted) = wanted {
        return match words.next() {
            Some(second) if keyword(&second.token) == Some(wanted) => Ok(()),
            second => wrong(second),
        };
    }
    let (mut before, mut last): (Option<&Token>, &TokenWithSpan) = (None, first);
    loop {
        let next = words.next();
        if is_wrong(before, &last.token, next.map(|t| &t.token)) {
            return wrong(next);
        }
        let Some(next) = next else { return Ok(()) };
        (before, last) = (Some(&last.token), next);
    }
}
