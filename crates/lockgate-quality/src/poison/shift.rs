//! Labels that come too often where a column has some value, by what a model of the baseline
//! expects: flips among people of one kind, none of which is strange by itself.

use super::{
    copies::Group,
    encode::{Block, CODES},
};

/// The least variance that the normal distribution is used with.
const VARIANCE_MIN: f64 = 5.0;

#[derive(Clone, Copy, Default)]
struct Cell {
    hits: f64,
    expected: f64,
    variance: f64,
}

/// A group for each column, value and label of which more rows have come than expected; of each
/// column the most surprising.
pub(crate) fn groups(block: &Block, predicted: &[f32]) -> Vec<Group> {
    let classes = predicted.len() / block.rows.max(1);
    let mut groups: Vec<Group> = block
        .coarse
        .iter()
        .enumerate()
        .filter_map(|(feature, codes)| {
            let mut cells = vec![Cell::default(); CODES * classes];
            for ((code, shares), label) in codes.iter().zip(predicted.chunks(classes.max(1))).zip(&block.labels) {
                let start = usize::from(*code) * classes;
                let cells = cells.get_mut(start..start + classes)?;
                for (class, (cell, share)) in cells.iter_mut().zip(shares).enumerate() {
                    let share = f64::from(*share);
                    cell.hits += f64::from(u8::from(usize::from(*label) == class));
                    cell.expected += share;
                    cell.variance += share * (1.0 - share);
                }
            }
            let (place, score) = cells
                .iter()
                .map(|cell| surprise(*cell))
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, score)| *score > 0.0)?;
            let (code, class) = (place / classes, place % classes);
            let own = |(row, (own, label)): (usize, (&u8, &u16))| {
                (usize::from(*own) == code && usize::from(*label) == class).then_some(row)
            };
            let rows: Vec<usize> = codes.iter().zip(&block.labels).enumerate().filter_map(own).collect();
            let expected = cells.get(place)?.expected;
            Some(Group { score: score as f32, rows, features: vec![feature], expected, class: Some(class as u16) })
        })
        .collect();
    groups.sort_by(|a, b| b.score.total_cmp(&a.score));
    groups
}

/// The common logarithm of one in how many, of a normal deviation upwards.
fn surprise(cell: Cell) -> f64 {
    if cell.hits <= cell.expected || cell.variance < VARIANCE_MIN {
        return 0.0;
    }
    (cell.hits - cell.expected).powi(2) / (2.0 * cell.variance) / std::f64::consts::LN_10
}
