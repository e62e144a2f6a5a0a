//! Floods: rows that come more often than they should, alike or all but alike.

use hashbrown::HashMap;

use super::{
    chance::surprise_of_count,
    encode::{Block, Encoder, Role, mix},
};

/// Columns that rows may differ in, one at a time; of wider tables the first.
const LEFT_OUT_MAX: usize = 64;

/// A text of which more than this share of the rows have one of their own is left out, where so many
/// other columns are there.
const DISTINCT_MAX: f64 = 0.8;
const OTHERS_MIN: usize = 4;

/// Which rows count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// All values but identifiers.
    Exactly,
    /// All but one column, numbers by their bin and texts by a sketch.
    Nearly,
}

/// Rows that share something.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// What the rows share, as a hash: the same in every part of the data.
    pub(crate) key: u64,
    /// The common logarithm of one in how many.
    pub(crate) score: f32,
    pub(crate) rows: Vec<usize>,
    /// The features that make the group.
    pub(crate) features: Vec<usize>,
    /// How many rows of those a clean batch would have.
    pub(crate) expected: f64,
    /// Of rows that share values and a label, that label.
    pub(crate) class: Option<u16>,
}

impl Group {
    /// The most surprising first; of those that say the same, the one that says most: a pair of values
    /// rather than either of them.
    pub(crate) fn order(&self, other: &Self) -> std::cmp::Ordering {
        let by_score = other.score.total_cmp(&self.score);
        by_score
            .then_with(|| other.features.len().cmp(&self.features.len()))
            .then_with(|| self.features.cmp(&other.features))
            .then_with(|| self.rows.cmp(&other.rows))
    }
}

/// How often each row comes in the baseline.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    alike: Alike,
    /// Which features are numbers with bins.
    binned: Vec<bool>,
    /// Texts that hardly any two rows share tell no row from another.
    left_out: Vec<bool>,
    counts: HashMap<u64, u32>,
    rows: usize,
}

impl Copies {
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block, alike: Alike) -> Self {
        let binned = encoder.features.iter().map(|feature| feature.role == Role::Number).collect();
        let texts = encoder.features.iter().filter(|feature| feature.role == Role::Text).count();
        let left_out = encoder
            .features
            .iter()
            .map(|feature| {
                let spare = alike == Alike::Nearly && encoder.features.len() - texts >= OTHERS_MIN;
                spare && feature.role == Role::Text && feature.distinct > DISTINCT_MAX
            })
            .collect();
        let mut copies = Self { alike, binned, left_out, counts: HashMap::new(), rows: baseline.rows };
        let mut counts = HashMap::new();
        copies.keys(baseline, |_, key, _| *counts.entry(key).or_insert(0u32) += 1);
        copies.counts = counts;
        copies
    }

    /// The groups of more than two rows that are one too many, the most surprising first. A row is
    /// in one group only.
    pub(crate) fn groups(&self, block: &Block) -> Vec<Group> {
        let mut found: HashMap<u64, (u32, Option<usize>)> = HashMap::new();
        self.keys(block, |_, key, left_out| found.entry(key).or_insert((0, left_out)).0 += 1);
        let share = block.rows as f64 / self.rows.max(1) as f64;
        let mut surprising: HashMap<u64, Group> = found
            .into_iter()
            .filter(|(_, (count, _))| *count > 2)
            .filter_map(|(key, (count, left_out))| {
                let expected = share * f64::from(self.counts.get(&key).copied().unwrap_or(0) + 1);
                let score = surprise_of_count(u64::from(count), expected) as f32;
                let features = left_out.into_iter().collect();
                (score > 0.0).then(|| (key, Group { key, score, rows: Vec::new(), features, expected, class: None }))
            })
            .collect();
        // Each row goes to its most surprising group.
        let mut best: Vec<Option<(f32, u64)>> = vec![None; block.rows];
        self.keys(block, |row, key, _| {
            if let (Some(group), Some(best)) = (surprising.get(&key), best.get_mut(row))
                && best.is_none_or(|(score, _)| group.score > score)
            {
                *best = Some((group.score, key));
            }
        });
        for (row, best) in best.into_iter().enumerate() {
            if let Some(group) = best.and_then(|(_, key)| surprising.get_mut(&key)) {
                group.rows.push(row);
            }
        }
        let mut groups: Vec<Group> = surprising.into_values().filter(|group| group.rows.len() > 2).collect();
        groups.sort_by(Group::order);
        groups
    }

    /// Calls `each` with every key of every row, and with the feature that the key leaves out.
    fn keys(&self, block: &Block, mut each: impl FnMut(usize, u64, Option<usize>)) {
        let mut parts: Vec<Vec<u64>> = Vec::with_capacity(block.fine.len());
        for (index, (fine, coarse)) in block.fine.iter().zip(&block.coarse).enumerate() {
            if self.left_out.get(index).copied().unwrap_or(false) {
                parts.push(vec![0; block.rows]);
                continue;
            }
            let bins = self.alike == Alike::Nearly && self.binned.get(index).copied().unwrap_or(false);
            let part =
                |(fine, coarse): (&u64, &u8)| mix(if bins { u64::from(*coarse) } else { *fine }, index as u64 + 1);
            parts.push(fine.iter().zip(coarse).map(part).collect());
        }
        for row in 0..block.rows {
            let label = block.labels.get(row).map_or(0, |label| mix(u64::from(*label), 0));
            let own = |part: &Vec<u64>| part.get(row).copied().unwrap_or(0);
            let all = parts.iter().fold(label, |sum, part| sum.wrapping_add(own(part)));
            match self.alike {
                Alike::Exactly => each(row, all, None),
                Alike::Nearly => {
                    for (feature, part) in parts.iter().enumerate().take(LEFT_OUT_MAX) {
                        if self.left_out.get(feature).copied().unwrap_or(false) {
                            continue;
                        }
                        each(row, mix(all.wrapping_sub(own(part)), feature as u64), Some(feature));
                    }
                }
            }
        }
    }
}
