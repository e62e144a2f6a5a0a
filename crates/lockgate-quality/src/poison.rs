//! Poisoning: whether a part of new data was made to mislead the model, beside a golden baseline.
//!
//! Half of the baseline teaches every method what is usual, the other half what chance does to its
//! scores, so that a verdict is a p-value and not a threshold that somebody guessed. The guilty part
//! is the smallest that explains it: rows, else a run of rows, else a source; never all where a part
//! will do. Values are not kept and not named.

mod baseline;
mod chance;
mod copies;
mod encode;
mod forest;
mod labels;
mod mahalanobis;
mod methods;
mod outlier;
mod screen;
mod shift;
mod sources;
mod trigger;
mod verdict;

pub use baseline::{BASELINE_ROWS_MAX, Baseline, Options};
pub use encode::Role;
pub use methods::Method;
pub use screen::Screen;
pub use sources::SourceWeight;
pub use verdict::{MethodResult, Part, Screening, Segment};

#[cfg(test)]
mod tests;
