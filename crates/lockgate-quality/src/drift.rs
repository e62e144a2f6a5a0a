//! Drift: whether a column is distributed as it was, by two-sample tests and distances.
//!
//! A verdict needs both: a distance that matters and a test that says it is no chance, after
//! correction for how many columns were tested. With a million rows every difference is
//! significant; with thirty no distance is.

mod categories;
mod compare;
mod gather;
mod kernel;
mod ranks;
mod special;
mod verdict;

pub use categories::Counts;
pub use compare::{Column, from_categories, from_numbers, from_profiles, from_texts};
pub use gather::Gathered;
pub use kernel::maximum_mean_discrepancy;
pub use ranks::{Measured, Samples, welch, z_of_means};
pub use verdict::{ColumnDrift, Correction, DriftReport, Limits, Named, judge};

#[cfg(test)]
mod tests;
