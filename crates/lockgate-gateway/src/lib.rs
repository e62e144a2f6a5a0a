//! The gateway: a client proves who it is, policy says what it may ask, limits say how often, the
//! model's schema says in which form, and the answer leaves only when it is on record.
//!
//! Invariants: TLS 1.3 with a client certificate, or nothing; a request is judged whole before one
//! byte of an answer is sent; what cannot be decided, inspected or recorded is refused; no feature
//! value reaches a log, a metric or a record. This crate does not decide which models may be
//! served: it is given endpoints that were verified.
//!
//! Protocol: Open Inference Protocol v2 over REST
//! (<https://github.com/kserve/open-inference-protocol>).

mod authorize;
mod body;
mod handle;
mod identity;
mod issue;
mod metrics;
mod options;
mod places;
mod protocol;
mod record;
mod reply;
mod route;
mod server;
mod state;
mod tls;
mod token;

/// Certificates as bytes.
pub use rustls::pki_types as pki;

pub use identity::{ClientDomain, Peer, SpiffeId};
pub use issue::{Authority, Issued};
pub use options::{Limits, Options};
pub use record::{Entry, Sink};
pub use server::{Gateway, Running};
pub use state::{Endpoint, State};
pub use tls::Identity;
pub use token::{TokenOptions, Tokens};
