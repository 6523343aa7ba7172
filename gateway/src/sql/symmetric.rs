//! `BETWEEN SYMMETRIC`, which the parser does not know: the lower bound is marked with an operator that there is not.

use sqlparser::{
    ast::{BinaryOperator, Expr, UnaryOperator},
    tokenizer::{Token, TokenWithSpan},
};

/// Writes `BETWEEN SYMMETRIC a` as `BETWEEN !! a`, and leaves ASYMMETRIC out: it says what is so anyway.
pub(super) fn marked(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let says = |token: &Token, word: &str| matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
    // Nobody's own mark: the operator is refused.
    let has_mark = tokens.iter().any(|t| t.token == Token::DoubleExclamationMark);
    if has_mark || !tokens.iter().any(|t| says(&t.token, "symmetric") || says(&t.token, "asymmetric")) {
        return tokens;
    }
    let mut after_between = false;
    tokens.retain_mut(|t| {
        if matches!(t.token, Token::Whitespace(_)) {
            return true;
        }
        let here = std::mem::replace(&mut after_between, says(&t.token, "between"));
        if here && says(&t.token, "symmetric") {
            t.token = Token::DoubleExclamationMark;
        }
        !(here && says(&t.token, "asymmetric"))
    });
    tokens
}

/// The lower bound without the mark. None: it has none, the bounds are in their order.
pub(super) fn low(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::PGPrefixFactorial, expr } => Some((**expr).clone()),
        Expr::BinaryOp { left, op, right } if *op != BinaryOperator::And => {
            let left = Box::new(low(left)?);
            Some(Expr::BinaryOp { left, op: op.clone(), right: right.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::parse;

    #[test]
    fn a_mark_is_taken_off_again() {
        for (bound, expect) in [("a + 1", "a + 1"), ("a * 2 - b", "a * 2 - b"), ("-1::int", "-1::INT"), ("(a)", "(a)")]
        {
            let expr = parse::expression(&format!("x BETWEEN SYMMETRIC {bound} AND 9")).unwrap();
            let sqlparser::ast::Expr::Between { low, high, .. } = expr else { panic!("{bound}") };
            assert_eq!(super::low(&low).map(|e| e.to_string()).as_deref(), Some(expect));
            assert_eq!((super::low(&high), high.to_string().as_str()), (None, "9"));
        }
        let plain = parse::expression("x BETWEEN ASYMMETRIC 1 AND 9").unwrap();
        assert_eq!(plain.to_string(), "x BETWEEN 1 AND 9");
    }
}
