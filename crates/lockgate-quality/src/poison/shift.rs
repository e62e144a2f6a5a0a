//! Labels that come too often where a column has some value, by what a model of the baseline
//! expects: flips among people of one kind, none of which is strange by itself.
//!
//! The model is a little wrong everywhere. By how much is known from rows that it did not learn on,
//! as exactly as they are many; so what is judged is the difference between two samples.

use super::{
    copies::Group,
    encode::{Block, CODES},
};

/// The least variance, on either side, that the normal distribution is used with.
const VARIANCE_MIN: f64 = 5.0;

/// How often labels come with each value of each column, beside what the model expects.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    classes: usize,
    /// By feature, by code and class.
    held_out: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    rows: f64,
    hits: f64,
    expected: f64,
    variance: f64,
}

impl Shift {
    pub(crate) fn fit(held_out: &Block, predicted: &[f32], classes: usize) -> Self {
        let held_out = held_out.coarse.iter().map(|codes| cells(codes, held_out, predicted, classes)).collect();
        Self { classes, held_out }
    }

    /// A group for each column: the value and label of which most more rows have come than expected.
    pub(crate) fn groups(&self, block: &Block, predicted: &[f32]) -> Vec<Group> {
        let classes = self.classes;
        let group = |(feature, (codes, known)): (usize, (&Vec<u8>, &Vec<Cell>))| {
            let own = cells(codes, block, predicted, classes);
            let tried = own.iter().zip(known).filter(|(own, known)| can_tell(own, known)).count();
            let (place, score) = own
                .iter()
                .zip(known)
                .map(|(own, known)| surprise(own, known))
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))?;
            // The best of so many.
            let score = score - (tried.max(1) as f64).log10();
            if score <= 0.0 {
                return None;
            }
            let (code, class) = (place / classes, place % classes);
            let is_own = |(row, (own, label)): (usize, (&u8, &u16))| {
                (usize::from(*own) == code && usize::from(*label) == class).then_some(row)
            };
            let rows: Vec<usize> = codes.iter().zip(&block.labels).enumerate().filter_map(is_own).collect();
            let expected = own.get(place)?.expected;
            Some(Group {
                key: place as u64,
                score: score as f32,
                rows,
                features: vec![feature],
                expected,
                class: Some(class as u16),
            })
        };
        let mut groups: Vec<Group> = block.coarse.iter().zip(&self.held_out).enumerate().filter_map(group).collect();
        groups.sort_by(|a, b| b.score.total_cmp(&a.score));
        groups
    }
}

fn cells(codes: &[u8], block: &Block, predicted: &[f32], classes: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); CODES * classes];
    for ((code, shares), label) in codes.iter().zip(predicted.chunks(classes.max(1))).zip(&block.labels) {
        let start = usize::from(*code) * classes;
        let own = cells.iter_mut().skip(start).take(classes).enumerate();
        for ((class, cell), share) in own.zip(shares) {
            let share = f64::from(*share);
            cell.rows += 1.0;
            cell.hits += f64::from(u8::from(usize::from(*label) == class));
            cell.expected += share;
            cell.variance += share * (1.0 - share);
        }
    }
    cells
}

fn can_tell(own: &Cell, known: &Cell) -> bool {
    own.variance >= VARIANCE_MIN && known.variance >= VARIANCE_MIN
}

/// The common logarithm of one in how many, of a normal deviation upwards.
fn surprise(own: &Cell, known: &Cell) -> f64 {
    if !can_tell(own, known) {
        return 0.0;
    }
    let usual = (known.hits - known.expected) / known.rows;
    let more = (own.hits - own.expected) / own.rows - usual;
    if more <= 0.0 {
        return 0.0;
    }
    let variance = own.variance / own.rows.powi(2) + known.variance / known.rows.powi(2);
    more.powi(2) / (2.0 * variance) / std::f64::consts::LN_10
}
