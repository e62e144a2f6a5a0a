//! Numbers for Prometheus, in the OpenMetrics text format. Labels are names of endpoints and
//! status codes, never principals.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    endpoint: String,
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Deployed {
    endpoint: String,
    version: u64,
    artifact: String,
}

/// Of one gateway.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Histogram,
    pub(crate) rows: Counter,
    pub(crate) handshakes_refused: Counter,
    pub(crate) limited: Counter,
    pub(crate) connections: Gauge,
    serving: Family<Deployed, Gauge<i64, std::sync::atomic::AtomicI64>>,
    last_reload: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("lockgate");
        let buckets = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let new = Self {
            requests: Family::default(),
            seconds: Histogram::new(buckets),
            rows: Counter::default(),
            handshakes_refused: Counter::default(),
            limited: Counter::default(),
            connections: Gauge::default(),
            serving: Family::default(),
            last_reload: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests by endpoint and status code", new.requests.clone());
        registry.register("request_seconds", "From the head of a request to its answer", new.seconds.clone());
        registry.register("inferred_rows", "Rows that models answered for", new.rows.clone());
        registry.register("handshakes_refused", "Connections without a good client", new.handshakes_refused.clone());
        registry.register("requests_limited", "Requests beyond their principal's rate", new.limited.clone());
        registry.register("connections", "Open connections", new.connections.clone());
        registry.register("endpoint", "Deployments in service", new.serving.clone());
        registry.register("reload_timestamp_seconds", "When deployments were last read", new.last_reload.clone());
        Self { registry, ..new }
    }

    /// `endpoint` must be a known name or `-`, so that labels stay few.
    pub(crate) fn answered(&self, endpoint: &str, code: u16, seconds: f64) {
        self.requests.get_or_create(&Answered { endpoint: endpoint.to_owned(), code }).inc();
        self.seconds.observe(seconds);
    }

    pub(crate) fn serves(&self, state: &crate::State, now_secs: f64) {
        self.serving.clear();
        for endpoint in state.endpoints.values().map(|served| &served.endpoint) {
            let deployed = Deployed {
                endpoint: endpoint.name.to_string(),
                version: endpoint.version,
                artifact: endpoint.artifact.to_string(),
            };
            self.serving.get_or_create(&deployed).set(1);
        }
        self.last_reload.set(now_secs);
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
