//! "Did you mean": the nearest known word.

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
