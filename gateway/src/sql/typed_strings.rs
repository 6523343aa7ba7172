//! `inet '10.0.0.1'`: constants of types whose names the parser does not know, as the casts that they are.

use duckmesh_catalog::types::TextType;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Writes `type 'text'` as `'text'::type`; both stay where they are in the text.
pub(super) fn as_casts(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        let Some(string) = string_behind(tokens, at) else {
            at += 1;
            continue;
        };
        let (Some(name), Some(text)) = (tokens.get(at).cloned(), tokens.get(string).cloned()) else { return };
        let cast = TokenWithSpan { token: Token::DoubleColon, span: text.span };
        let name = TokenWithSpan { token: name.token, span: text.span };
        tokens.splice(at..=string, [text, cast, name]);
        at += 3;
    }
}

/// Where the string of a type's name stands.
fn string_behind(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    let Token::Word(word) = &tokens.get(at)?.token else { return None };
    let name = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
    if name != "money" && TextType::of_name(&name).is_none() {
        return None;
    }
    let before = tokens.get(..at)?.iter().rev().find(|t| !matches!(t.token, Token::Whitespace(_)));
    if before.is_some_and(|t| matches!(t.token, Token::Period | Token::DoubleColon)) {
        return None;
    }
    let behind = tokens.get(at + 1..)?.iter().position(|t| !matches!(t.token, Token::Whitespace(_)))? + at + 1;
    let is_string = matches!(
        tokens.get(behind)?.token,
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_)
    );
    is_string.then_some(behind)
}
