//! What the gateway answers from: verified endpoints, roles, policy and token keys, replaced as
//! one whole when any of it changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use lockgate_core::{Classification, Digest, Name};
use lockgate_infer::Model;
use lockgate_policy::{Policy, Resource};

use crate::{ClientDomain, Tokens, authorize::Decisions};

/// A model behind a name.
#[derive(Debug)]
pub struct Endpoint {
    pub name: Name,
    /// Which deployment of the endpoint this is.
    pub version: u64,
    pub package: Digest,
    pub artifact: Digest,
    pub model: Model,
    /// The highest class among the columns that the model was trained on.
    pub classification: Classification,
    /// What the model may be used for.
    pub purpose: String,
}

impl Endpoint {
    /// What policy is asked about it. Its columns are the model's outputs.
    pub(crate) fn resource(&self) -> Resource {
        Resource {
            kind: "endpoint".into(),
            name: self.name.to_string(),
            classification: Some(self.classification),
            purpose: Some(self.purpose.clone()),
            columns: self.model.outputs().map(|name| (name.to_owned(), self.classification)).collect(),
            protection: BTreeMap::new(),
        }
    }
}

/// An endpoint with what every event about it says, written once.
#[derive(Debug)]
pub(crate) struct Served {
    pub endpoint: Arc<Endpoint>,
    pub about: Arc<str>,
    /// Members of a JSON object.
    pub told: String,
}

impl From<Arc<Endpoint>> for Served {
    fn from(endpoint: Arc<Endpoint>) -> Self {
        let Endpoint { name, artifact, package, version, .. } = endpoint.as_ref();
        let about = format!("endpoint {name}").into();
        let told = format!("\"artifact\":\"{artifact}\",\"package\":\"{package}\",\"version\":{version}");
        Self { endpoint, about, told }
    }
}

/// Everything a decision and an answer depend on.
#[derive(Debug)]
pub struct State {
    pub(crate) endpoints: HashMap<String, Served>,
    pub(crate) roles: HashMap<String, Vec<String>>,
    pub(crate) domain: ClientDomain,
    pub(crate) policy: Policy,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) decisions: Decisions,
    /// The policy as events tell it: a member of a JSON object.
    pub(crate) told: String,
}

impl State {
    /// `roles` are those of each principal of the workspace; who is not among them has none.
    pub fn new(
        endpoints: Vec<Arc<Endpoint>>,
        roles: HashMap<String, Vec<String>>,
        domain: ClientDomain,
        policy: Policy,
        tokens: Option<Tokens>,
    ) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(|e| (e.name.to_string(), e.into())).collect(),
            roles,
            domain,
            told: format!("\"policy\":\"{}\"", policy.digest()),
            policy,
            tokens,
            decisions: Decisions::default(),
        }
    }
}
