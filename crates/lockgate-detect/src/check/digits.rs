//! Check digits, as standards define them.

/// The place of a letter in the alphabet, from 0; 0 for anything else.
pub(crate) fn letter(byte: u8) -> u32 {
    let letter = byte.to_ascii_uppercase();
    if letter.is_ascii_uppercase() { u32::from(letter - b'A') } else { 0 }
}

/// What a digit or a letter counts in most check sums: letters from 10 on; 0 for anything else.
pub(crate) fn worth(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ if byte.is_ascii_alphabetic() => letter(byte) + 10,
        _ => 0,
    }
}

/// The digits of a value, in order; at most 40 count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    all: [u8; 40],
    len: usize,
}

impl Digits {
    pub(crate) fn of(value: &str) -> Self {
        let mut digits = Self { all: [0; 40], len: 0 };
        for byte in value.bytes().filter(u8::is_ascii_digit) {
            if let Some(place) = digits.all.get_mut(digits.len) {
                *place = byte - b'0';
                digits.len += 1;
            }
        }
        digits
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.all.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The digit at a place; 0 beyond the end.
    pub(crate) fn at(&self, place: usize) -> u32 {
        self.as_slice().get(place).copied().unwrap_or(0).into()
    }

    /// Some digits as one number.
    pub(crate) fn number(&self, places: std::ops::Range<usize>) -> u64 {
        let places = places.start..places.end.min(self.len);
        self.as_slice()
            .get(places)
            .unwrap_or_default()
            .iter()
            .fold(0, |n, d| n.wrapping_mul(10).wrapping_add(u64::from(*d)))
    }

    /// The sum of digits times weights, from the first on.
    pub(crate) fn weighted(&self, weights: &[u32]) -> u32 {
        self.as_slice().iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
    }

    /// All digits are the same: nobody's number.
    pub(crate) fn is_uniform(&self) -> bool {
        self.as_slice().windows(2).all(|pair| pair.first() == pair.last())
    }

    /// ISO/IEC 7812-1, annex B (Luhn).
    pub(crate) fn luhn(&self) -> bool {
        luhn(self.as_slice().iter().copied())
    }

    /// ISO 7064 mod 11,10, the last digit being the check.
    pub(crate) fn mod_11_10(&self) -> bool {
        let mut check = 10;
        let Some((last, head)) = self.as_slice().split_last() else { return false };
        for digit in head {
            let sum = (check + u32::from(*digit)) % 10;
            check = (if sum == 0 { 10 } else { sum } * 2) % 11;
        }
        (11 - check) % 10 == u32::from(*last)
    }

    /// Verhoeff's dihedral check (Verhoeff 1969, "Error detecting decimal codes").
    pub(crate) fn verhoeff(&self) -> bool {
        const PERMUTED: [[u8; 10]; 8] = [
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
            [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
            [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
            [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
            [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
            [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
            [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
        ];
        // The dihedral group of order ten: rotations 0 to 4, reflections 5 to 9.
        let product = |a: u8, b: u8| match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => (a + b - 5) % 5 + 5,
            (false, true) => (a + 5 - 5 - b + 5) % 5 + 5,
            (false, false) => (a + 5 - b) % 5,
        };
        let sum = self.as_slice().iter().rev().enumerate().fold(0, |sum, (place, digit)| {
            let row = PERMUTED.get(place % 8).copied().unwrap_or_default();
            product(sum, row.get(usize::from(*digit)).copied().unwrap_or(0))
        });
        self.len > 1 && sum == 0
    }
}

/// Luhn's sum over digits that are checked together.
pub(crate) fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(digit) * 2) {
            (0, double) => double / 2,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 mod 97-10 over letters and digits; the remainder.
pub(crate) fn mod_97(text: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0;
    for byte in text {
        rest = match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' | b'a'..=b'z' => (rest * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
            _ => return None,
        };
    }
    Some(rest)
}

/// Letters and digits without what separates them, upper case; at most 64 count.
pub(crate) fn compact(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).take(64).map(|c| c.to_ascii_uppercase()).collect()
}

/// Whether there is such a day. A year of two digits may be of any century.
pub(crate) fn is_day(year: u64, month: u64, day: u64) -> bool {
    let leap = if year < 100 {
        year.is_multiple_of(4)
    } else {
        (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
    };
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=last).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standards() {
        assert!(Digits::of("79927398713").luhn() && !Digits::of("79927398710").luhn());
        assert!(Digits::of("2363").verhoeff() && !Digits::of("2364").verhoeff());
        assert!(Digits::of("07945").mod_11_10() && !Digits::of("07946").mod_11_10());
        assert_eq!(mod_97("794".bytes()), Some(794 % 97));
        assert!(is_day(2000, 2, 29) && !is_day(1900, 2, 29) && !is_day(2023, 13, 1) && !is_day(2023, 4, 31));
    }
}
