//! From deployments on disk to endpoints that may answer. Needs no key and no lock.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use lockgate_core::{Digest, Failure, Fault, Name, Principal, Result, yaml};
use lockgate_gateway::{Endpoint, State, TokenOptions, Tokens};
use lockgate_policy::{Policy, Request};
use lockgate_proof::{LogReader, VerifyingKey};

use crate::{
    Workspace, audit,
    deploy::{self, Recorded},
    model,
    workspace::{self, GatewayConfig, WorkspaceFile},
};

/// Reading a log while a run appends to it can meet a tile that was just replaced.
const LOG_READS_MAX: usize = 5;

/// Reads and checks what a workspace serves.
pub(super) struct Loader {
    root: PathBuf,
    state: PathBuf,
    key: VerifyingKey,
    /// PEM of the key that signs packages.
    model_key: String,
    actor: String,
    /// The settings that hold until the gateway ends.
    started: String,
}

/// What could be loaded, and why the rest could not.
pub(super) struct Loaded {
    pub state: State,
    pub failures: Vec<Failure>,
}

impl Loader {
    pub(super) fn new(workspace: &Workspace) -> Result<Self> {
        Ok(Self {
            root: workspace.root.clone(),
            state: workspace.state(),
            key: workspace.signer.verifying_key(),
            model_key: model::model_key(workspace)?.public_pem()?,
            actor: workspace.principal.id.clone(),
            started: lasting(&workspace.config),
        })
    }

    /// Of everything that [`Self::load`] reads, the packages left out: they never change.
    pub(super) fn fingerprint(&self) -> Result<Digest> {
        let config = workspace::read_config(&self.root)?;
        let mut all = yaml::read_text(&self.root.join(workspace::WORKSPACE_FILE))?.into_bytes();
        all.extend_from_slice(Policy::digest_folder(&self.root.join(&config.policies))?.as_bytes());
        if let Some(path) = super::jwks_path(&self.root, &config) {
            all.extend(yaml::read_text(&path)?.into_bytes());
        }
        for endpoint in deploy::endpoints(&self.state)? {
            all.extend(format!("{endpoint}{:?}", deploy::versions(&self.state, &endpoint)?).into_bytes());
        }
        Ok(Digest::of(&all))
    }

    /// Loads every endpoint. Policy, roles and token keys are those of now, whatever becomes of an
    /// endpoint: one that policy denies is gone; one whose newest deployment is not what it must be
    /// goes on with what is in `loaded`, if anything.
    pub(super) fn load(&self, loaded: &[Arc<Endpoint>]) -> Result<Loaded> {
        let config = workspace::read_config(&self.root)?;
        let policy = Policy::read_folder(&self.root.join(&config.policies))?;
        let tokens = self.tokens(&config)?;
        let roles: HashMap<String, Vec<String>> =
            config.principals.iter().map(|p| (p.id.clone(), p.roles.clone())).collect();
        let actor = Principal { id: self.actor.clone(), roles: roles.get(&self.actor).cloned().unwrap_or_default() };
        let (mut endpoints, mut failures) = (Vec::new(), Vec::new());
        let newest = self.newest_on_record()?;
        let names: BTreeSet<Name> = deploy::endpoints(&self.state)?.into_iter().chain(newest.keys().cloned()).collect();
        for name in names {
            let before = loaded.iter().find(|endpoint| endpoint.name == name);
            let checked = self.head(&name, &newest).and_then(|head| {
                let (resource, purpose) = (head.deployment.resource(), &head.deployment.purpose);
                let request = Request { principal: &actor, action: "serve", resource, purpose, client: None };
                policy.demand(&request)?;
                let same = before.filter(|e| e.version == head.deployment.version);
                same.map_or_else(|| self.endpoint(&head).map(Arc::new), |endpoint| Ok(Arc::clone(endpoint)))
            });
            match checked {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(failure) => {
                    if failure.fault() != Fault::Denied {
                        endpoints.extend(before.cloned());
                    }
                    failures.push(failure.at(format!("endpoint {name}")));
                }
            }
        }
        if lasting(&config) != self.started {
            failures.push(
                Failure::input("addresses, limits or certificates of the gateway were changed")
                    .hint("they hold from the next start on"),
            );
        }
        let domain = super::client_domain(&config);
        Ok(Loaded { state: State::new(endpoints, roles, domain, policy, tokens), failures })
    }

    fn head(&self, name: &Name, newest: &HashMap<Name, u64>) -> Result<Recorded> {
        let head =
            deploy::head(&self.state, name, &self.key)?.ok_or_else(|| Failure::integrity("it has no deployment"))?;
        if newest.get(name) != Some(&head.deployment.version) {
            return Err(Failure::integrity(format!(
                "its newest deployment here is {}, and the audit log tells of another one",
                head.deployment.version
            ))
            .hint("deploy again; if that does not help, restore the workspace from a copy"));
        }
        Ok(head)
    }

    fn endpoint(&self, head: &Recorded) -> Result<Endpoint> {
        let deployment = &head.deployment;
        Ok(Endpoint {
            name: deployment.endpoint.clone(),
            version: deployment.version,
            package: deployment.package,
            artifact: deployment.artifact,
            model: deploy::check(deployment, &self.state, &self.key, &self.model_key)?,
            classification: deployment.classification,
            purpose: deployment.purpose.clone(),
        })
    }

    /// The newest deployment of each endpoint that the audit log tells of.
    pub(super) fn newest_on_record(&self) -> Result<HashMap<Name, u64>> {
        let mut read = self.look_up();
        for _ in 1..LOG_READS_MAX {
            if read.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            read = self.look_up();
        }
        read
    }

    fn look_up(&self) -> Result<HashMap<Name, u64>> {
        let log = LogReader::open(&self.state.join("audit"), &self.key)?;
        let mut newest = HashMap::new();
        for leaf in log.leaves(0) {
            if let Some((endpoint, version)) = deploy::told(&audit::parse(&leaf?.1)?) {
                let known = newest.entry(endpoint).or_default();
                *known = version.max(*known);
            }
        }
        Ok(newest)
    }

    fn tokens(&self, config: &WorkspaceFile) -> Result<Option<Tokens>> {
        let Some(jwt) = &config.gateway.jwt else { return Ok(None) };
        let path = self.root.join(&jwt.jwks);
        let options = TokenOptions {
            issuer: jwt.issuer.clone(),
            audience: jwt.audience.clone(),
            roles_claim: jwt.roles_claim.clone(),
        };
        Tokens::new(&yaml::read_text(&path)?, options).map(Some).map_err(|f| f.at(path.display()))
    }
}

/// What of the configuration is read when the gateway starts, and not again.
fn lasting(config: &WorkspaceFile) -> String {
    format!("{:?}", GatewayConfig { jwt: None, ..config.gateway.clone() })
}
