//! Where in the statement's text things stand that the parser does not place: casts, types, operators. Only errors ask.

use sqlparser::ast::{Expr, SelectItem, SetExpr};

use super::Rewriter;
use crate::wire::error::PgError;

/// A word, number, quoted text or sign, and where it begins, from 1.
struct Piece {
    at: u32,
    text: String,
}

impl Rewriter<'_> {
    fn pieces(&self) -> Vec<Piece> {
        if self.view_depth > 0 {
            return Vec::new();
        }
        pieces(self.text)
    }

    /// Where the casts of a chain `x::a::b` or `CAST(x AS a)` are reported: at the last `::`, or at CAST.
    pub(super) fn at_cast(&self, cast: &Expr) -> Option<u32> {
        self.cast_place(cast).map(|(at, _)| at)
    }

    /// Where the type of a cast begins.
    pub(super) fn at_cast_type(&self, cast: &Expr) -> Option<u32> {
        self.cast_place(cast).and_then(|(_, ty)| ty)
    }

    fn cast_place(&self, cast: &Expr) -> Option<(u32, Option<u32>)> {
        use sqlparser::ast::CastKind;
        let (mut casts, mut base) = (0, cast);
        let Expr::Cast { kind, .. } = cast else { return None };
        while let Expr::Cast { kind: CastKind::DoubleColon, expr, .. } = base {
            casts += 1;
            base = expr;
        }
        let start = if casts > 0 { self.at_expr(base)? } else { self.at_expr(cast)? };
        let pieces = self.pieces();
        let first = pieces.iter().position(|piece| piece.at == start)?;
        if *kind != CastKind::DoubleColon {
            let before = pieces.get(..first)?;
            let at = before.iter().rposition(|piece| piece.text != "(")?;
            let word = before.get(at).filter(|piece| piece.text.eq_ignore_ascii_case("cast"))?;
            return Some((word.at, None));
        }
        // Parentheses around the operand are closed before its cast.
        let (mut depth, mut seen) = (0_i32, 0);
        let outer = opened(pieces.get(..first)?, base);
        for (piece, next) in pieces.iter().skip(first).zip(pieces.iter().skip(first + 1)) {
            match piece.text.as_str() {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "::" if depth == -outer => {
                    seen += 1;
                    if seen == casts {
                        return Some((piece.at, Some(next.at)));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// An error with its position, where it is that its cast cannot be.
    pub(super) fn at_impossible_cast(&self, error: PgError, cast: &Expr) -> PgError {
        match self.at_cast(cast).filter(|_| error.fields().message.starts_with("cannot cast type ")) {
            Some(at) => error.position(at),
            None => error,
        }
    }

    /// Where a word or sign stands that follows a place, outside of parentheses that open behind it.
    pub(super) fn at_next(&self, after: Option<u32>, wanted: &[&str]) -> Option<u32> {
        let after = after?;
        let mut depth = 0_i32;
        for piece in self.pieces().iter().skip_while(|piece| piece.at < after) {
            match piece.text.as_str() {
                text if depth <= 0 && wanted.iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                    return Some(piece.at);
                }
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ => {}
            }
        }
        None
    }

    /// Where what is before a place begins, if it is that.
    pub(super) fn at_before(&self, place: Option<u32>, wanted: &str) -> Option<u32> {
        let place = place?;
        let pieces = self.pieces();
        let before = pieces.iter().rev().skip_while(|piece| piece.at >= place);
        before.take(1).find(|piece| piece.text == wanted).map(|piece| piece.at)
    }

    /// Where the column of a query's output is computed: of the first SELECT, as Postgres has it.
    pub(in crate::sql) fn at_item(&self, body: &SetExpr, item: usize) -> Option<u32> {
        let found = match body {
            SetExpr::Select(select) => match select.projection.get(item) {
                Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
                    // A star before it moves it.
                    let plain = |item: &SelectItem| {
                        matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
                    };
                    select.projection.iter().take(item).all(plain).then(|| self.at_expr(expr))?
                }
                _ => None,
            },
            SetExpr::SetOperation { left, .. } => return self.at_item(left, item),
            SetExpr::Query(query) => return self.at_item(&query.body, item),
            _ => None,
        };
        found.or_else(|| self.at_body(body))
    }
}

/// Parentheses that open directly before an operand and belong to it.
fn opened(before: &[Piece], operand: &Expr) -> i32 {
    let mut depth = 0;
    let mut expr = operand;
    while let Expr::Nested(inner) = expr {
        depth += 1;
        expr = inner;
    }
    let written = before.iter().rev().take_while(|piece| piece.text == "(").count();
    i32::try_from(written).map_or(0, |written| depth.min(written))
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut chars = text.chars().zip(1_u32..).peekable();
    while let Some((c, at)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        let mut piece = String::from(c);
        let is_word = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '$');
        match c {
            '-' if chars.next_if(|(c, _)| *c == '-').is_some() => {
                while chars.next_if(|(c, _)| *c != '\n').is_some() {}
                continue;
            }
            '/' if chars.next_if(|(c, _)| *c == '*').is_some() => {
                let mut before = ' ';
                for (c, _) in chars.by_ref() {
                    if before == '*' && c == '/' {
                        break;
                    }
                    before = c;
                }
                continue;
            }
            quote @ ('\'' | '"') => {
                for (c, _) in chars.by_ref() {
                    piece.push(c);
                    if c == quote {
                        break;
                    }
                }
            }
            ':' => piece.extend(chars.next_if(|(c, _)| *c == ':').map(|(c, _)| c)),
            c if is_word(&c) => {
                while let Some((c, _)) = chars.next_if(|(c, _)| is_word(c) || *c == '.') {
                    piece.push(c);
                }
            }
            _ => {}
        }
        found.push(Piece { at, text: piece });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn a_text_in_pieces() {
        let shown: Vec<(u32, String)> =
            pieces("a.b::int -- x\n('it''s'::ö)").into_iter().map(|p| (p.at, p.text)).collect();
        let expect =
            [(1, "a.b"), (4, "::"), (6, "int"), (15, "("), (16, "'it'"), (20, "'s'"), (23, "::"), (25, "ö"), (26, ")")];
        assert_eq!(shown, expect.map(|(at, text)| (at, text.to_owned())));
    }
}
