//! Validators: what a pattern cannot say.

use std::net::{Ipv4Addr, Ipv6Addr};

const STRONG: f32 = 1.0;
const LIKELY: f32 = 0.8;
const POSSIBLE: f32 = 0.6;

/// The whole match counts.
fn whole(score: f32, value: &str) -> Option<(f32, usize)> {
    Some((score, value.len()))
}

pub(crate) fn always_strong(value: &str, _: &str) -> Option<(f32, usize)> {
    whole(LIKELY, value)
}

pub(crate) fn email(value: &str, _: &str) -> Option<(f32, usize)> {
    let (local, domain) = value.split_once('@')?;
    let plain = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    (plain && !domain.contains("..")).then_some((STRONG, value.len()))
}

pub(crate) fn url(value: &str, _: &str) -> Option<(f32, usize)> {
    // Punctuation that ends the sentence is not part of the address.
    let kept = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
    (kept.len() > kept.find("://")? + 3).then_some((LIKELY, kept.len()))
}

/// ISO 7064 mod 97-10 over the rearranged digits, as ISO 13616 asks.
pub(crate) fn iban(value: &str, _: &str) -> Option<(f32, usize)> {
    // The match may have run into the next word: try shorter ends at the spaces.
    let mut candidate = value;
    loop {
        if iban_checks(candidate) {
            return Some((STRONG, candidate.len()));
        }
        candidate = candidate.get(..candidate.rfind(' ')?)?;
    }
}

fn iban_checks(value: &str) -> bool {
    let compact: Vec<u8> = value.bytes().filter(|b| *b != b' ').collect();
    if !(15..=34).contains(&compact.len()) {
        return false;
    }
    let (head, tail) = compact.split_at(4);
    tail.iter().chain(head).fold(0u32, |rest, b| {
        if b.is_ascii_digit() {
            (rest * 10 + u32::from(b - b'0')) % 97
        } else {
            (rest * 100 + u32::from(b.to_ascii_uppercase() - b'A') + 10) % 97
        }
    }) == 1
}

pub(crate) fn date(value: &str, _: &str) -> Option<(f32, usize)> {
    let day = value.split(['T', ' ']).next()?;
    let parts: Vec<u32> = day.split(['-', '/', '.']).map(str::parse).collect::<Result<_, _>>().ok()?;
    let &[first, second, third] = parts.as_slice() else {
        return None;
    };
    let (year, month, date) = if day.find(['-', '/', '.']) == Some(4) {
        (first, second, third)
    } else if second > 12 {
        (third, first, second)
    } else {
        (third, second, first)
    };
    let four_digits = year >= 100;
    let plausible =
        (1..=12).contains(&month) && (1..=31).contains(&date) && (!four_digits || (1800..=2200).contains(&year));
    plausible.then_some((if four_digits { LIKELY } else { POSSIBLE }, value.len()))
}

pub(crate) fn ssn(value: &str, _: &str) -> Option<(f32, usize)> {
    let mut parts = value.split('-').map(|part| part.parse::<u32>().unwrap_or(0));
    let (area, group, serial) = (parts.next()?, parts.next()?, parts.next()?);
    (area != 0 && area != 666 && area < 900 && group != 0 && serial != 0).then_some((LIKELY, value.len()))
}

pub(crate) fn ip(value: &str, before: &str) -> Option<(f32, usize)> {
    // 1.2.3.4 inside 0.1.2.3.4 or behind a "v" is a version.
    if before.ends_with(['.', 'v', ':']) {
        return None;
    }
    if value.parse::<Ipv4Addr>().is_ok() {
        return whole(LIKELY, value);
    }
    let kept = value.trim_end_matches(['.', ':']);
    let kept = if value.starts_with(kept) && value.ends_with("::") { value } else { kept };
    let colons = kept.bytes().filter(|b| *b == b':').count();
    (colons >= 2 && kept.len() > 4 && kept.parse::<Ipv6Addr>().is_ok()).then_some((STRONG, kept.len()))
}

/// The Luhn check of ISO/IEC 7812-1, annex B.
pub(crate) fn card(value: &str, _: &str) -> Option<(f32, usize)> {
    let digits: Vec<u32> = value.bytes().filter(u8::is_ascii_digit).map(|b| u32::from(b - b'0')).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    let varied = digits.windows(2).any(|pair| pair.first() != pair.last());
    ((12..=19).contains(&digits.len()) && sum.is_multiple_of(10) && varied).then_some((STRONG, value.len()))
}

pub(crate) fn phone(value: &str, before: &str) -> Option<(f32, usize)> {
    let number = value.split(['x', 'e']).next()?;
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let international = value.starts_with('+') || value.starts_with("00");
    let separated = number.contains([' ', '-', '(', '/']) || number.matches('.').count() >= 2;
    let glued = before.ends_with(|c: char| c.is_alphanumeric() || c == '.' || c == '-' || c == '_');
    if glued || !(7..=16).contains(&digits) || !(international || separated) {
        return None;
    }
    let kept = value.trim_end_matches([' ', '-', '.', '/', '(']);
    let score = if international { LIKELY } else { POSSIBLE };
    (digits >= 9 || international).then_some((score, kept.len()))
}

pub(crate) fn phone_in_context(value: &str, before: &str) -> Option<(f32, usize)> {
    const WORDS: [&str; 7] = ["phone", "call", "tel", "mobile", "fax", "cell", " on "];
    let start = before.len().saturating_sub(24);
    let near = (start..=before.len()).find_map(|at| before.get(at..)).unwrap_or_default().to_ascii_lowercase();
    (!before.ends_with(['+', '.', '-', '_', '/']) && WORDS.iter().any(|word| near.contains(word)))
        .then_some((POSSIBLE, value.len()))
}
