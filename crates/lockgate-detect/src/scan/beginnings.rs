//! Where one of many words may begin in a text.
//!
//! A table says of every three characters, folded to 32 kinds, whether a word begins with them. It
//! is asked at each byte without waiting for the byte before, unlike an automaton, and seldom says
//! yes.

/// Kinds of characters: 26 letters without case, and these.
const DIGIT: u8 = 26;
const AT_SIGN: u8 = 27;
const COLON: u8 = 28;
const SLASH: u8 = 29;
const JOINER: u8 = 30;
const OTHER: u8 = 31;
const KINDS: usize = 32;
const THREES: usize = KINDS * KINDS * KINDS;

#[derive(Clone)]
pub(crate) struct Beginnings {
    /// For each byte its kind.
    kinds: [u8; 256],
    /// For each three kinds in a row, a bit.
    begins: [u64; THREES / 64],
}

impl std::fmt::Debug for Beginnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Beginnings({})", self.begins.iter().map(|word| word.count_ones()).sum::<u32>())
    }
}

impl Beginnings {
    /// Of words that are not empty.
    pub(crate) fn of<'w>(words: impl Iterator<Item = &'w [u8]>) -> Self {
        let mut kinds = [OTHER; 256];
        for (byte, kind) in (0..=u8::MAX).zip(&mut kinds) {
            *kind = match byte {
                b'a'..=b'z' => byte - b'a',
                b'A'..=b'Z' => byte - b'A',
                b'0'..=b'9' => DIGIT,
                b'@' => AT_SIGN,
                b':' => COLON,
                b'/' => SLASH,
                b'-' | b'_' => JOINER,
                _ => OTHER,
            };
        }
        let mut found = Self { kinds, begins: [0; THREES / 64] };
        for word in words {
            found.admit(word);
        }
        found
    }

    /// Notes what a word begins with; a short one with whatever follows.
    fn admit(&mut self, word: &[u8]) {
        let kinds = self.kinds;
        let of = |at: usize| match word.get(at).and_then(|byte| kinds.get(usize::from(*byte))) {
            Some(kind) => usize::from(*kind)..usize::from(*kind) + 1,
            None => 0..KINDS,
        };
        for first in of(0) {
            for second in of(1) {
                for third in of(2) {
                    let three = (first * KINDS + second) * KINDS + third;
                    if let Some(bits) = self.begins.get_mut(three / 64) {
                        *bits |= 1 << (three % 64);
                    }
                }
            }
        }
    }

    fn kind(&self, byte: u8) -> usize {
        self.kinds.get(usize::from(byte)).map_or(0, |kind| usize::from(*kind))
    }

    /// The first `Some` that `at` gives for a place from `from` on where a word may begin.
    pub(crate) fn find<T>(&self, text: &[u8], from: usize, mut at: impl FnMut(usize) -> Option<T>) -> Option<T> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let other = usize::from(OTHER);
        let mut three =
            rest.first().map_or(other, |b| self.kind(*b)) * KINDS + rest.get(1).map_or(other, |b| self.kind(*b));
        for place in 0..rest.len() {
            // Behind the end there is nothing.
            let next = rest.get(place + 2).map_or(other, |byte| self.kind(*byte));
            three = (three * KINDS + next) % THREES;
            let bits = self.begins.get(three / 64).copied().unwrap_or_default();
            if bits >> (three % 64) & 1 == 1
                && let Some(found) = at(from + place)
            {
                return Some(found);
            }
        }
        None
    }
}
