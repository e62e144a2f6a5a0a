//! "Did you mean": the nearest known word, and which words may be repeated in a message at all.

/// The candidate nearest to `word`, when it is near enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.len().max(word.len()) / 3).max(1))
        .min()
        .map(|(_, c)| c)
}

/// The word, when it looks like an identifier. What somebody wrote where a name belongs may be a
/// value, such as the first row of a file without a header, and values stay out of messages.
pub fn printable_name(word: &str) -> Option<&str> {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let starts = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (plain && starts && digits <= 4 && word.len() <= 48).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_slips_and_nothing_far_away() {
        let known = ["sources", "purpose", "training"];
        assert_eq!(nearest("souces", known), Some("sources"));
        assert_eq!(nearest("Purpose", known), Some("purpose"));
        assert_eq!(nearest("banana", known), None);
    }
}
