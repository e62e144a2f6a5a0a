//! Isolation forest (Liu, Ting and Zhou, 2008): rows that few random cuts set apart.

use lockgate_core::SplitMix64;

use super::encode::{Block, Encoder, Role};

const TREES: usize = 100;
/// Rows that each tree is grown on, and the depth that they allow.
const SAMPLE: usize = 256;
const DEPTH: usize = 8;

/// Trees over numbers, and over how rare a category is.
#[derive(Clone, Debug)]
pub(crate) struct Forest {
    inputs: Vec<Input>,
    trees: Vec<Vec<Node>>,
}

#[derive(Clone, Debug)]
enum Input {
    /// Missing ones stand at the median.
    Number { feature: usize, median: f32 },
    /// By code, the logarithm of its share.
    Category { feature: usize, rarity: Vec<f32> },
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Cut {
        input: usize,
        at: f32,
        left: usize,
        right: usize,
    },
    /// How many steps it took, and would have taken on.
    Leaf(f32),
}

impl Forest {
    pub(crate) fn fit(encoder: &Encoder, baseline: &Block, seed: u64) -> Self {
        let inputs: Vec<Input> = encoder
            .features
            .iter()
            .enumerate()
            .filter_map(|(feature, own)| match own.role {
                Role::Number => {
                    let mut values: Vec<f32> =
                        baseline.numbers.get(feature)?.iter().copied().filter(|v| v.is_finite()).collect();
                    values.sort_unstable_by(f32::total_cmp);
                    Some(Input::Number { feature, median: values.get(values.len() / 2).copied().unwrap_or(0.0) })
                }
                Role::Category => {
                    let codes = baseline.coarse.get(feature)?;
                    let mut counts = [0.5f32; super::encode::CODES];
                    for code in codes {
                        if let Some(count) = counts.get_mut(usize::from(*code)) {
                            *count += 1.0;
                        }
                    }
                    let all = codes.len().max(1) as f32;
                    Some(Input::Category { feature, rarity: counts.iter().map(|c| -(c / all).ln()).collect() })
                }
                _ => None,
            })
            .collect();
        let mut forest = Self { inputs, trees: Vec::new() };
        let rows = forest.rows(baseline);
        let mut random = SplitMix64::new(seed ^ 0x666f_7265_7374);
        for _ in 0..TREES {
            let mut sample: Vec<&[f32]> = (0..SAMPLE.min(rows.len()))
                .filter_map(|_| rows.get(random.below(rows.len() as u64) as usize).map(Vec::as_slice))
                .collect();
            let mut tree = Vec::new();
            grow(&mut tree, &mut sample, 0, forest.inputs.len(), &mut random);
            forest.trees.push(tree);
        }
        forest
    }

    fn rows(&self, block: &Block) -> Vec<Vec<f32>> {
        let mut rows = vec![Vec::with_capacity(self.inputs.len()); block.rows];
        for input in &self.inputs {
            match input {
                Input::Number { feature, median } => {
                    let values = block.numbers.get(*feature).into_iter().flatten();
                    for (row, value) in rows.iter_mut().zip(values) {
                        row.push(if value.is_nan() { *median } else { *value });
                    }
                }
                Input::Category { feature, rarity } => {
                    let codes = block.coarse.get(*feature).into_iter().flatten();
                    for (row, code) in rows.iter_mut().zip(codes) {
                        row.push(rarity.get(usize::from(*code)).copied().unwrap_or(0.0));
                    }
                }
            }
        }
        rows
    }

    /// The anomaly score of each row: 1 is set apart at once, 0.5 is usual.
    pub(crate) fn score(&self, block: &Block) -> Vec<f32> {
        let usual = path(SAMPLE);
        let depth = |row: &Vec<f32>| {
            let total: f32 = self.trees.iter().map(|tree| steps(tree, row)).sum();
            (-(total / self.trees.len().max(1) as f32) / usual).exp2()
        };
        self.rows(block).iter().map(depth).collect()
    }
}

/// Adds a node with what hangs below it and returns its place.
fn grow(tree: &mut Vec<Node>, rows: &mut [&[f32]], depth: usize, inputs: usize, random: &mut SplitMix64) -> usize {
    let place = tree.len();
    tree.push(Node::Leaf(depth as f32 + path(rows.len())));
    if depth >= DEPTH || rows.len() < 2 || inputs == 0 {
        return place;
    }
    // An input that all rows agree in cuts nothing; some others are tried.
    for _ in 0..inputs.min(8) {
        let input = random.below(inputs as u64) as usize;
        let value = |row: &&[f32]| row.get(input).copied().unwrap_or(0.0);
        let low = rows.iter().map(value).fold(f32::INFINITY, f32::min);
        let high = rows.iter().map(value).fold(f32::NEG_INFINITY, f32::max);
        if !(high > low && (high - low).is_finite()) {
            continue;
        }
        let at = low + (high - low) * random.unit() as f32;
        rows.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)));
        let middle = rows.partition_point(|row| value(row) <= at);
        let (left, right) = rows.split_at_mut(middle);
        let left = grow(tree, left, depth + 1, inputs, random);
        let right = grow(tree, right, depth + 1, inputs, random);
        if let Some(node) = tree.get_mut(place) {
            *node = Node::Cut { input, at, left, right };
        }
        return place;
    }
    place
}

fn steps(tree: &[Node], row: &[f32]) -> f32 {
    let mut place = 0;
    // A tree is no deeper than this.
    for _ in 0..=DEPTH {
        match tree.get(place) {
            Some(Node::Cut { input, at, left, right }) => {
                place = if row.get(*input).is_some_and(|value| value <= at) { *left } else { *right };
            }
            Some(Node::Leaf(steps)) => return *steps,
            None => return 0.0,
        }
    }
    0.0
}

/// The mean number of steps to a row among `n` in a random binary tree.
fn path(n: usize) -> f32 {
    const EULER: f32 = 0.577_215_7;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        n => 2.0 * ((n as f32 - 1.0).ln() + EULER) - 2.0 * (n as f32 - 1.0) / n as f32,
    }
}
