//! Backdoors: a word, a value, or a pair of values that few rows of the baseline have, that more
//! rows have now, and that goes with a label which the rows themselves do not suggest.

use hashbrown::HashMap;

use super::{
    chance::{surprise_of_count, surprise_of_share},
    copies::Group,
    encode::{Block, Encoder, NO_CLASS, Role, mix},
};

/// Fewer rows are no backdoor.
const ROWS_MIN: u32 = 4;
/// How much more often it must come than in the baseline.
const LIFT_MIN: f64 = 2.0;
/// Columns whose pairs are looked at.
const PAIR_COLUMNS_MAX: usize = 40;
/// Counters that tell rare pairs apart before they are kept, as powers of two.
const SKETCH_BITS: u32 = 22;

/// The baseline's rows, in which what the batch has often is counted.
#[derive(Clone, Debug)]
pub(crate) struct Triggers {
    items: Items,
    baseline: Block,
    classes: usize,
}

/// What of a row can be a trigger.
#[derive(Clone, Debug)]
struct Items {
    /// Features whose values are paired: categories by value, numbers by code.
    paired: Vec<(usize, bool)>,
    /// Features whose values stand alone.
    single: Vec<usize>,
}

/// One that may be a trigger.
#[derive(Clone, Debug, Default)]
struct Candidate {
    features: Vec<usize>,
    rows: Vec<usize>,
    before: u32,
}

impl Triggers {
    pub(crate) fn fit(encoder: &Encoder, baseline: Block, classes: usize) -> Self {
        let with = |wanted: fn(Role) -> bool| {
            encoder.features.iter().enumerate().filter(move |(_, feature)| wanted(feature.role))
        };
        let paired = with(|role| role != Role::Text)
            .map(|(index, feature)| (index, feature.role == Role::Number))
            .take(PAIR_COLUMNS_MAX)
            .collect();
        let single = with(|role| role != Role::Text).map(|(index, _)| index).collect();
        Self { items: Items { paired, single }, baseline, classes }
    }

    /// Groups of rows that share what looks like a trigger; `predicted` is what the model of the
    /// baseline says of each row.
    pub(crate) fn groups(&self, block: &Block, predicted: &[f32]) -> Vec<Group> {
        let mut candidates = self.frequent(block);
        self.items.each(&self.baseline, |_, key, _| {
            if let Some(candidate) = candidates.get_mut(&key) {
                candidate.before += 1;
            }
        });
        let share = block.rows as f64 / self.baseline.rows.max(1) as f64;
        let mut groups: Vec<Group> = candidates
            .into_iter()
            .filter_map(|(key, candidate)| {
                let expected = share * f64::from(candidate.before + 1);
                if (candidate.rows.len() as f64) < LIFT_MIN * expected {
                    return None;
                }
                let (score, class) = self.surprise(&candidate, block, predicted)?;
                let count = surprise_of_count(candidate.rows.len() as u64, expected);
                let score = (score + score.min(count)) as f32;
                Some(Group {
                    key,
                    score,
                    rows: candidate.rows,
                    features: candidate.features,
                    expected,
                    class: Some(class),
                })
            })
            .collect();
        groups.sort_by(Group::order);
        groups
    }

    /// How surprising the labels of the rows are, and which label it is.
    fn surprise(&self, candidate: &Candidate, block: &Block, predicted: &[f32]) -> Option<(f64, u16)> {
        let rows = candidate.rows.len() as f64;
        let of = |class: usize| {
            let hits = candidate.rows.iter().filter(|row| block.labels.get(**row) == Some(&(class as u16))).count();
            let mean: f64 = candidate
                .rows
                .iter()
                .filter_map(|row| predicted.get(row * self.classes + class))
                .map(|share| f64::from(*share))
                .sum::<f64>()
                / rows;
            (surprise_of_share(hits as f64, rows, mean), class as u16)
        };
        (0..self.classes).map(of).filter(|(score, _)| *score > 1.0).max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// What enough rows with a label have, and not too many. What comes rarely is told apart by
    /// counters that many share, then counted, and only then are its rows kept.
    fn frequent(&self, block: &Block) -> HashMap<u64, Candidate> {
        let mut sketch = vec![0u16; 1 << SKETCH_BITS];
        let place = |key: u64| (key >> (64 - SKETCH_BITS)) as usize;
        let least = ROWS_MIN.max((block.rows / 2_000) as u32);
        // What very many rows have is no trigger.
        let most = (block.rows / 4) as u32;
        self.items.each(block, |_, key, _| {
            if let Some(count) = sketch.get_mut(place(key)) {
                *count = count.saturating_add(1);
            }
        });
        let may_be = |key: u64| sketch.get(place(key)).is_some_and(|count| u32::from(*count) >= least);
        let mut counts: HashMap<u64, u32> = HashMap::new();
        let labelled = |row: usize| block.labels.get(row).is_some_and(|label| *label != NO_CLASS);
        self.items.each(block, |row, key, _| {
            if may_be(key) && labelled(row) {
                *counts.entry(key).or_default() += 1;
            }
        });
        counts.retain(|_, count| (least..=most).contains(count));
        let mut candidates: HashMap<u64, Candidate> = HashMap::with_capacity(counts.len());
        self.items.each(block, |row, key, features| {
            if !labelled(row) || !counts.contains_key(&key) {
                return;
            }
            let candidate = candidates.entry(key).or_default();
            if candidate.rows.is_empty() {
                candidate.features = features.iter().flatten().copied().collect();
            }
            candidate.rows.push(row);
        });
        candidates
    }
}

impl Items {
    /// Calls `each` with every item of every row and the features it is made of.
    fn each(&self, block: &Block, mut each: impl FnMut(usize, u64, [Option<usize>; 2])) {
        for feature in &self.single {
            for (row, fine) in block.fine.get(*feature).into_iter().flatten().enumerate() {
                each(row, mix(*fine, 1), [Some(*feature), None]);
            }
        }
        for (row, tokens) in block.tokens.iter().enumerate() {
            for token in tokens {
                each(row, mix(*token, 2), [None, None]);
            }
        }
        let values: Vec<(usize, Vec<u64>)> = self
            .paired
            .iter()
            .map(|(feature, binned)| {
                let slot = *feature as u64 + 3;
                let values: Vec<u64> = if *binned {
                    block.coarse.get(*feature).into_iter().flatten().map(|code| mix(u64::from(*code), slot)).collect()
                } else {
                    block.fine.get(*feature).into_iter().flatten().map(|fine| mix(*fine, slot)).collect()
                };
                (*feature, values)
            })
            .collect();
        for (place, (left, a)) in values.iter().enumerate() {
            for (right, b) in values.iter().skip(place + 1) {
                for (row, (a, b)) in a.iter().zip(b).enumerate() {
                    each(row, mix(a.wrapping_add(*b), 4), [Some(*left), Some(*right)]);
                }
            }
        }
    }
}
