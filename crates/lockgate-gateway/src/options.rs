//! How the gateway is set up; assembled by whoever wires it.

use std::{net::SocketAddr, time::Duration};

/// Where the gateway listens and within which limits.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    /// Plain HTTP for `/metrics`, `/livez` and `/readyz`; keep it off the public network.
    pub metrics: Option<SocketAddr>,
    pub limits: Limits,
}

/// Everything that is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of one principal, in the long run.
    pub requests_per_second: u32,
    /// Requests of one principal at once.
    pub burst: u32,
    pub body_bytes_max: usize,
    /// Rows of one inference.
    pub rows_max: usize,
    pub connections_max: usize,
    /// Requests that are worked on at once.
    pub in_flight_max: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last, and between requests.
    pub header: Duration,
    /// From the head of a request to its answer.
    pub request: Duration,
    /// A connection that is older is closed after its request, so that identities are proved again.
    pub connection_age: Duration,
}

/// The head of a request.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;
pub(crate) const HEADERS_MAX: usize = 64;
/// Requests on one HTTP/2 connection at once.
pub(crate) const STREAMS_MAX: u32 = 32;

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 100,
            burst: 200,
            body_bytes_max: 1 << 20,
            rows_max: 4_096,
            connections_max: 1_024,
            in_flight_max: 256,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(30),
            request: Duration::from_secs(30),
            connection_age: Duration::from_hours(1),
        }
    }
}
