//! The vocabulary every Lockgate crate shares: classifications, identifiers, digests,
//! sensitive values, limits, time and failures.
//!
//! Invariants: nothing here does I/O but `yaml`, which reads files, and `durable`, which writes them; a [`Sensitive`] value never prints itself.

mod classification;
mod digest;
pub mod durable;
mod failure;
mod id;
pub mod limits;
mod random;
mod sensitive;
mod suggest;
mod time;
pub mod yaml;

pub use classification::Classification;
pub use digest::{Digest, Hasher};
pub use failure::{Failure, Fault, Result};
pub use id::{Name, Principal, RunId};
pub use random::SplitMix64;
pub use sensitive::{Sensitive, same_secret};
pub use suggest::{nearest, printable_name};
pub use time::{Clock, Timestamp};
