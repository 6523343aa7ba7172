//! Postgres' hashes of values, as `hashtext()` gives them: programs make keys of advisory locks with them.

/// What a value is hashed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashed {
    /// Its bytes.
    Text,
    /// Its bytes without the blanks at its end.
    Padded,
    /// Four bytes.
    Int4,
    /// Eight bytes; what fits into four has the hash of those.
    Int8,
    /// `oid`: four bytes without a sign.
    Oid,
    /// A number with a fraction.
    Float8,
    /// Sixteen bytes.
    Uuid,
}

/// What a function of Postgres hashes, by its name without `extended`.
#[must_use]
pub fn hashed_by(name: &str) -> Option<Hashed> {
    Some(match name {
        "hashtext" | "hashname" => Hashed::Text,
        "hashbpchar" => Hashed::Padded,
        "hashint2" | "hashint4" => Hashed::Int4,
        "hashint8" => Hashed::Int8,
        "hashoid" => Hashed::Oid,
        "hashfloat4" | "hashfloat8" => Hashed::Float8,
        "uuid_hash" => Hashed::Uuid,
        _ => return None,
    })
}

/// The hash of a value's text: of 32 bits, or of 64 with a seed. None: the text is no such value.
#[must_use]
pub fn of(kind: Hashed, text: &str, seed: Option<i64>) -> Option<i64> {
    let seeded = Seeded::new(seed);
    Some(match kind {
        Hashed::Text => seeded.bytes(text.as_bytes()),
        Hashed::Padded => seeded.bytes(text.trim_end_matches(' ').as_bytes()),
        Hashed::Int4 => seeded.word(text.trim().parse::<i32>().ok()?.cast_unsigned()),
        Hashed::Oid => seeded.word(text.trim().parse().ok()?),
        Hashed::Int8 => {
            let value: i64 = text.trim().parse().ok()?;
            let [low, high] = halves(value.cast_unsigned());
            seeded.word(low ^ if value >= 0 { high } else { !high })
        }
        Hashed::Float8 => {
            let value: f64 = text.trim().parse().ok()?;
            match value {
                // Both zeros are equal, and all that are no numbers.
                0.0 => return Some(seed.unwrap_or(0)),
                value if value.is_nan() => seeded.bytes(&f64::NAN.to_le_bytes()),
                value => seeded.bytes(&value.to_le_bytes()),
            }
        }
        Hashed::Uuid => seeded.bytes(&super::uuid_text::parse(text.as_bytes()).ok()?),
    })
}

/// The lower and the upper half.
fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// A hash at its beginning. It is Bob Jenkins' `lookup3` as Postgres has it since 9.
struct Seeded {
    seed: Option<i64>,
}

/// What the hash of so many bytes begins with.
fn beginning(length: usize) -> u32 {
    // Lengths are far below the bounds of four bytes: texts are.
    0x9e37_79b9_u32.wrapping_add(u32::try_from(length).unwrap_or(u32::MAX)).wrapping_add(3_923_095)
}

impl Seeded {
    fn new(seed: Option<i64>) -> Self {
        Self { seed }
    }

    fn state(&self, length: usize) -> State {
        let start = beginning(length);
        let mut state = State { a: start, b: start, c: start };
        if let Some(seed) = self.seed.filter(|seed| *seed != 0) {
            let [low, high] = halves(seed.cast_unsigned());
            state.a = state.a.wrapping_add(high);
            state.b = state.b.wrapping_add(low);
            state.mix();
        }
        state
    }

    fn done(&self, mut state: State) -> i64 {
        state.finish();
        match self.seed {
            None => state.c.cast_signed().into(),
            Some(_) => (u64::from(state.b) << 32 | u64::from(state.c)).cast_signed(),
        }
    }

    fn word(&self, word: u32) -> i64 {
        let mut state = self.state(4);
        state.a = state.a.wrapping_add(word);
        self.done(state)
    }

    fn bytes(&self, bytes: &[u8]) -> i64 {
        let mut state = self.state(bytes.len());
        let mut chunks = bytes.chunks_exact(12);
        for chunk in &mut chunks {
            state.add(chunk, 0);
            state.mix();
        }
        // The lowest byte of the last word is the length's.
        state.add(chunks.remainder(), 8);
        self.done(state)
    }
}

struct State {
    a: u32,
    b: u32,
    c: u32,
}

impl State {
    /// Adds up to twelve bytes, four to each word; those of the last are moved up by so many bits.
    fn add(&mut self, bytes: &[u8], moved: u32) {
        let word = |at: usize| {
            let bytes = bytes.iter().skip(at).take(4).enumerate();
            bytes.fold(0_u32, |sum, (n, byte)| sum | u32::from(*byte) << (8 * n))
        };
        self.a = self.a.wrapping_add(word(0));
        self.b = self.b.wrapping_add(word(4));
        self.c = self.c.wrapping_add(word(8) << moved);
    }

    fn mix(&mut self) {
        let Self { a, b, c } = self;
        let step = |x: &mut u32, y: u32, z: &mut u32, bits: u32| {
            *x = x.wrapping_sub(*z) ^ z.rotate_left(bits);
            *z = z.wrapping_add(y);
        };
        step(a, *b, c, 4);
        step(b, *c, a, 6);
        step(c, *a, b, 8);
        step(a, *b, c, 16);
        step(b, *c, a, 19);
        step(c, *a, b, 4);
    }

    fn finish(&mut self) {
        let Self { a, b, c } = self;
        let step = |x: &mut u32, y: u32, bits: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(bits));
        step(c, *b, 14);
        step(a, *c, 11);
        step(b, *a, 25);
        step(c, *b, 16);
        step(a, *c, 4);
        step(b, *a, 14);
        step(c, *b, 24);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_postgres() {
        for (kind, text, seed, expected) in [
            (Hashed::Text, "", None, -1_477_818_771),
            (Hashed::Text, "foo", None, 1_955_559_433),
            (Hashed::Text, "a longer text of many words", None, 1_544_002_651),
            (Hashed::Text, "a longer text of many words", Some(7), -5_064_136_981_002_301_114),
            (Hashed::Int4, "42", None, 1_509_752_520),
            (Hashed::Int8, "-42000000000", None, -1_553_215_597),
            (Hashed::Float8, "1.5", Some(3), -4_770_388_998_205_660_040),
        ] {
            assert_eq!(of(kind, text, seed), Some(expected), "{text}");
        }
    }
}
