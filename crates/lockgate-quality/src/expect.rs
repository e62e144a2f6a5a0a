//! Expectations: suites of Great Expectations, judged in one pass over Arrow batches.
//!
//! Everything that is kept while batches pass can be merged, so that files, row groups and
//! machines combine. Memory does not grow with the rows: counts of many values spill to disk as
//! keyed hashes, and quantiles of more than two million numbers come from a sketch with a stated
//! error. Text of the data is in a result only where [`Values::Show`] allows it; extremes and
//! quantiles of numbers and dates are what their expectations observe, and are shown.

mod condition;
mod dates;
mod divergence;
mod gather;
mod kwargs;
mod outcome;
mod row;
mod sieve;
mod state;
mod suite;
mod text;
mod validator;

pub(crate) use dates::moment;
pub use outcome::{ExceptionInfo, ExpectationResult, Statistics, SuiteResult};
pub use sieve::Sieve;
pub use suite::{EXPECTATIONS_MAX, KINDS, Suite};
pub use validator::{Options, Sql, Validator, Values};

#[cfg(test)]
mod tests;
