//! What sessions of different processes tell each other: texts of any length, in pieces that NOTIFY takes.
//!
//! Nothing is kept: what cannot be sent now is lost, as what is said while nobody listens.

use std::collections::HashMap;

/// The channel of texts.
pub(super) const CHANNEL: &str = "duckmesh_told";
/// Bytes of a text in one notification, which may have 7999 with what is before it.
const PIECE_BYTES: usize = 7000;
/// Pieces of a text that is taken: a notification and its names have two.
const PIECES_MAX: usize = 8;

/// The payloads of a text: `<process> <number> <which piece> <of how many> <piece>`.
pub(super) fn payloads(me: &str, number: u64, text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let mut at = rest.len().min(PIECE_BYTES);
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        let (piece, more) = rest.split_at(at);
        pieces.push(piece);
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    let count = pieces.len();
    pieces.iter().enumerate().map(|(at, piece)| format!("{me} {number} {at} {count} {piece}")).collect()
}

/// Puts pieces together. Those of one process come in their order; some may be lost, and their text with them.
#[derive(Debug, Default)]
pub(super) struct Pieces(HashMap<String, Begun>);

/// A text of which some pieces are there.
#[derive(Debug)]
struct Begun {
    number: u64,
    next: usize,
    text: String,
}

impl Pieces {
    /// Takes a payload of another process; gives the text that is whole with it.
    pub(super) fn take(&mut self, me: &str, payload: &str) -> Option<String> {
        let mut words = payload.splitn(5, ' ');
        let (from, number) = (words.next()?, words.next()?.parse().ok()?);
        let (at, count): (usize, usize) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let piece = words.next().filter(|_| from != me && count <= PIECES_MAX)?;
        let begun = self.0.remove(from).filter(|begun| begun.number == number && begun.next == at);
        let mut begun = match begun {
            Some(begun) => begun,
            None if at == 0 => Begun { number, next: 0, text: String::new() },
            None => return None,
        };
        begun.next += 1;
        begun.text.push_str(piece);
        if begun.next == count {
            return Some(begun.text);
        }
        self.0.insert(from.to_owned(), begun);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_arrive_whole_and_half_ones_not_at_all() {
        let (long, mut there) = ("ä".repeat(8000), Pieces::default());
        let sent = payloads("a", 1, &long);
        assert!(sent.len() == 3 && sent.iter().all(|payload| payload.len() < 7999), "{}", sent.len());
        assert_eq!(there.take("b", &sent[0]), None);
        assert_eq!(there.take("b", &payloads("c", 9, "between")[0]).as_deref(), Some("between"));
        assert_eq!(there.take("b", &sent[1]), None);
        assert_eq!(there.take("b", &sent[2]), Some(long));
        // Without its first piece, or one in between, a text is none.
        assert_eq!((there.take("b", &sent[1]), there.take("b", &sent[2])), (None, None));
        assert_eq!((there.take("b", &sent[0]), there.take("b", &sent[2])), (None, None));
        assert_eq!(there.take("b", &sent[0]), None);
        assert_eq!(there.take("b", &payloads("a", 2, "")[0]).as_deref(), Some(""), "and nothing of the one before");
        assert_eq!(there.take("a", &payloads("a", 3, "own")[0]), None);
        assert_eq!(there.take("b", "what is this"), None);
        let (endless, mut last) = (payloads("a", 4, &"x".repeat((PIECES_MAX + 1) * PIECE_BYTES)), None);
        endless.iter().for_each(|piece| last = there.take("b", piece));
        assert_eq!(last, None, "what nobody here sends is not gathered");
    }
}
