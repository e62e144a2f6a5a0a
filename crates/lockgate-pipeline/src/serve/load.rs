//! From deployments on disk to endpoints that may answer. Needs no key and no lock.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lockgate_core::{Digest, Failure, Principal, Result, yaml};
use lockgate_gateway::{Endpoint, EndpointParts, State, TokenOptions, Tokens};
use lockgate_infer::Model;
use lockgate_policy::{Policy, Request, Resource};
use lockgate_proof::{LogReader, VerifyingKey};

use crate::{
    Workspace, audit,
    deploy::{self, Recorded},
    model,
    workspace::{self, WorkspaceFile},
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
}

/// What policy is asked before an endpoint is loaded.
pub(super) struct Demand {
    pub resource: Resource,
    pub purpose: String,
}

impl Loader {
    pub(super) fn new(workspace: &Workspace) -> Result<Self> {
        Ok(Self {
            root: workspace.root.clone(),
            state: workspace.state(),
            key: workspace.signer.verifying_key(),
            model_key: model::model_key(workspace)?.public_pem()?,
            actor: workspace.principal.id.clone(),
        })
    }

    /// Of everything that [`Self::load`] reads, the packages left out: they never change.
    pub(super) fn fingerprint(&self) -> Result<Digest> {
        let config = workspace::read_config(&self.root)?;
        let mut all = read(&self.root.join(workspace::WORKSPACE_FILE))?;
        all.extend_from_slice(Policy::read_folder(&self.root.join(&config.policies))?.digest().as_bytes());
        if let Some(path) = super::jwks_path(&self.root, &config) {
            all.extend(read(&path)?);
        }
        for endpoint in deploy::endpoints(&self.state)? {
            all.extend(format!("{endpoint}{:?}", deploy::versions(&self.state, &endpoint)?).into_bytes());
        }
        Ok(Digest::of(&all))
    }

    /// What policy must allow before [`Self::load`] can succeed.
    pub(super) fn demands(&self) -> Result<Vec<Demand>> {
        Ok(deploy::heads(&self.state, &self.key)?.iter().map(demand).collect())
    }

    pub(super) fn load(&self) -> Result<State> {
        let config = workspace::read_config(&self.root)?;
        let policy = Policy::read_folder(&self.root.join(&config.policies))?;
        let heads = deploy::heads(&self.state, &self.key)?;
        if heads.is_empty() {
            return Err(Failure::input("nothing is deployed in this workspace")
                .hint("give the pipeline a `deployment: {endpoint: NAME}` and run it, or use `lockgate deploy`"));
        }
        self.on_record(&heads)?;
        let roles: HashMap<String, Vec<String>> =
            config.principals.iter().map(|p| (p.id.clone(), p.roles.clone())).collect();
        let actor = Principal { id: self.actor.clone(), roles: roles.get(&self.actor).cloned().unwrap_or_default() };
        let endpoints =
            heads.iter().map(|head| self.endpoint(head, &policy, &actor).map(Arc::new)).collect::<Result<Vec<_>>>()?;
        let tokens = self.tokens(&config)?;
        Ok(State::new(endpoints, roles, super::trust_domain(&config.name), policy, tokens))
    }

    fn endpoint(&self, head: &Recorded, policy: &Policy, actor: &Principal) -> Result<Endpoint> {
        let deployment = &head.deployment;
        let place = format!("endpoint {}", deployment.endpoint);
        let root = deploy::package_root(&self.state, &deployment.model, &deployment.package);
        let package = lockgate_registry::verify(&root, &self.model_key).map_err(|f| f.at(&place))?;
        let bytes = package.read("model.onnx")?;
        if Digest::of(&bytes) != deployment.artifact {
            return Err(Failure::integrity(format!("{place}: model.onnx is not the artifact that was deployed")));
        }
        model::check_provenance(&package, deployment.artifact, &self.key).map_err(|f| f.at(&place))?;
        let Demand { resource, purpose } = demand(head);
        policy.demand(&Request { principal: actor, action: "serve", resource, purpose: &purpose, client: None })?;
        Ok(Endpoint::new(EndpointParts {
            name: deployment.endpoint.clone(),
            version: deployment.version,
            package: deployment.package,
            artifact: deployment.artifact,
            model: Model::load(&bytes).map_err(|f| f.at(&place))?,
            classification: deployment.classification,
            purpose,
        }))
    }

    /// Demands that the audit log tells of every deployment.
    fn on_record(&self, heads: &[Recorded]) -> Result<()> {
        let mut last = Ok(());
        for _ in 0..LOG_READS_MAX {
            last = self.look_up(heads);
            if last.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        last
    }

    fn look_up(&self, heads: &[Recorded]) -> Result<()> {
        let log = LogReader::open(&self.state.join("audit"), &self.key)?;
        let mut missing: Vec<&Recorded> = heads.iter().collect();
        for leaf in log.leaves(0) {
            let event = audit::parse(&leaf?.1)?;
            missing.retain(|head| !deploy::tells_of(&event, head));
        }
        match missing.first() {
            None => Ok(()),
            Some(head) => Err(Failure::integrity(format!(
                "the audit log does not tell of deployment {} of endpoint {}",
                head.deployment.version, head.deployment.endpoint
            ))
            .hint("deploy it again")),
        }
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

fn demand(head: &Recorded) -> Demand {
    let deployment = &head.deployment;
    Demand {
        resource: Resource {
            kind: "endpoint".into(),
            name: deployment.endpoint.to_string(),
            classification: Some(deployment.classification),
            purpose: Some(deployment.purpose.clone()),
            ..Resource::default()
        },
        purpose: deployment.purpose.clone(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Failure::io("read", path, &e))
}
