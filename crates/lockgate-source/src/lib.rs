//! Opens and authenticates sources: local files, globs and folders, `https://` and `s3://`.
//! A crate of its own since this is where hostile bytes come in.
//!
//! Invariants: a source's signature or digest is checked over all of its bytes before one row is
//! read, and the rows come from those very bytes; what is fetched is kept encrypted; records,
//! files and decompression have limits. This crate does not decide what a row means.

mod content;
mod fetch;
mod rows;
mod spec;
mod table;
mod trust;

pub use content::Content;
pub use fetch::{Fetcher, S3Options, public_uri};
pub use rows::{Malformed, RowBatch, Rows};
pub use spec::{Format, SourceSpec, Tls, Trust};
pub use table::{Batches, Dates, Part, Table};
pub use trust::{Authenticated, Publishers, authenticate};
