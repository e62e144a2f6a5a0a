//! Serve: loads what may be served, names the server and its clients, and keeps the record.
//!
//! Invariants: a model is loaded only when its deployment, its package's signature, its provenance
//! and policy allow it; what was loaded is checked again whenever anything changes, and what fails
//! never replaces what answers. The workspace is locked only while the gateway starts.

mod authority;
mod load;
mod record;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use lockgate_core::{Clock, Digest, Failure, Name, Result, Sensitive, Timestamp};
use lockgate_gateway::{Authority, ClientDomain, Gateway, Identity, Limits, Options, Running};
use serde::Serialize;
use serde_json::json;

pub use authority::{Certificate, identity, issue};
use load::{Loaded, Loader};
pub use record::open_log;
pub(crate) use record::waiting;

use crate::{
    Workspace,
    audit::Event,
    deploy,
    workspace::{self, GatewayConfig, TlsFiles},
};

/// The life of the gateway's own certificate; it is renewed at half of it.
const SERVER_LIFE: Duration = Duration::from_hours(24);

/// What the command line says instead of the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
}

/// A gateway at work that follows what changes in its workspace.
pub struct Served {
    running: Running,
    loader: Loader,
    renewal: Option<Renewal>,
    taken: Digest,
    /// Why the last change was not taken up.
    refused: Option<String>,
}

/// The local authority and when it last named the server.
struct Renewal {
    authority: Authority,
    names: Vec<String>,
    at: Timestamp,
}

/// What answers.
#[derive(Clone, Debug, Serialize)]
pub struct Answering {
    pub address: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Endpoint and version of its deployment.
    pub endpoints: Vec<(String, u64)>,
}

/// Starts the gateway of a workspace and gives the workspace's lock back.
pub fn serve(mut workspace: Workspace, overrides: Overrides) -> Result<Served> {
    let config = workspace.config.gateway.clone();
    let options = options(&config, overrides);
    let loader = Loader::new(&workspace)?;
    let taken = loader.fingerprint()?;
    let heads = deploy::heads(&workspace.state(), &workspace.signer.verifying_key())?;
    if heads.is_empty() && loader.newest_on_record()?.is_empty() {
        return Err(Failure::input("nothing is deployed in this workspace")
            .hint("give the pipeline a `deployment: {endpoint: NAME}` and run it, or use `lockgate deploy`"));
    }
    for deploy::Recorded { deployment, .. } in heads {
        workspace.demand("serve", deployment.resource(), &deployment.purpose)?;
    }
    let Loaded { state, failures } = loader.load(&[])?;
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure);
    }
    let keys = record::prepare(&mut workspace)?;
    let (identity, renewal) = if let Some(files) = &config.tls {
        (from_files(&workspace.root, files)?, None)
    } else {
        let authority = authority::open(&mut workspace)?;
        let renewal = Renewal { authority, names: config.names.clone(), at: Clock.now() };
        (renewal.identity()?, Some(renewal))
    };
    let sink = record::Record::open(&workspace.state(), keys)?;
    let gateway = Gateway::new(options, &identity, state, sink)?;
    let runtime = workspace.environment.runtime.clone();
    let running = runtime.block_on(gateway.start())?;
    let event = Event::new("gateway.started", &workspace.principal.id, "gateway", Clock.now()).detail(
        json!({"address": running.address, "endpoints": serving(&running), "policy": workspace.policy.digest()}),
    );
    workspace.journal.append(vec![event])?;
    Ok(Served { running, loader, renewal, taken, refused: None })
}

impl Served {
    pub fn answering(&self) -> Answering {
        Answering { address: self.running.address, metrics: self.running.metrics, endpoints: serving(&self.running) }
    }

    /// Takes up new deployments, policies, principals and token keys, and renews the server's
    /// certificate. Returns what was taken up; a failure says what was not, and everything else was.
    pub fn follow(&mut self) -> Result<Option<Answering>> {
        if let Some(renewal) = &mut self.renewal
            && Clock.now().millis() - renewal.at.millis() > SERVER_LIFE.as_millis() as i64 / 2
        {
            self.running.renew(&renewal.identity()?)?;
            renewal.at = Clock.now();
        }
        let changed = self.take_up();
        let told = self.refused.take();
        match changed {
            Ok(answering) => Ok(answering),
            Err(failure) => {
                // What was taken up in part is not what any file says: it is tried again at the
                // next look, and told only once.
                self.taken = Digest::of(b"");
                let known = told.as_deref() == Some(&failure.to_string());
                self.refused = Some(failure.to_string());
                if known { Ok(None) } else { Err(failure) }
            }
        }
    }

    fn take_up(&mut self) -> Result<Option<Answering>> {
        let fingerprint = self.loader.fingerprint()?;
        if fingerprint == self.taken {
            return Ok(None);
        }
        let Loaded { state, failures } = self.loader.load(&self.running.endpoints())?;
        self.running.replace(state)?;
        if let Some(failure) =
            failures.into_iter().reduce(|all, one| Failure::new(all.fault(), format!("{all}; {one}")))
        {
            return Err(failure);
        }
        self.taken = fingerprint;
        Ok(Some(self.answering()))
    }

    /// Lets requests in flight end and closes the record.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

fn serving(running: &Running) -> Vec<(String, u64)> {
    running.endpoints().iter().map(|endpoint| (endpoint.name.to_string(), endpoint.version)).collect()
}

impl Renewal {
    fn identity(&self) -> Result<Identity> {
        let issued = self.authority.issue_server(&self.names, SERVER_LIFE, Clock.now())?;
        Ok(Identity {
            certificates: issued.certificate,
            key: issued.key,
            client_authority: self.authority.certificate().to_owned(),
        })
    }
}

fn options(config: &GatewayConfig, overrides: Overrides) -> Options {
    Options {
        listen: overrides.listen.unwrap_or(config.listen),
        metrics: overrides.metrics.or(config.metrics),
        limits: Limits {
            requests_per_second: config.rate_limit.requests_per_second,
            burst: config.rate_limit.burst,
            body_bytes_max: config.max_body_bytes,
            rows_max: config.max_rows,
            connections_max: config.max_connections,
            request: Duration::from_secs(config.request_timeout_secs),
            ..Limits::default()
        },
    }
}

fn from_files(root: &Path, files: &TlsFiles) -> Result<Identity> {
    let read = |path: &PathBuf| {
        let path = root.join(path);
        fs::read_to_string(&path).map_err(|e| Failure::io("read", &path, &e))
    };
    let key = root.join(&files.key);
    let mode = fs::metadata(&key).map_err(|e| Failure::io("read", &key, &e))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(
            Failure::input(format!("others may read {}", key.display())).hint(format!("chmod 600 {}", key.display()))
        );
    }
    Ok(Identity {
        certificates: read(&files.certificate)?,
        key: Sensitive::new(read(&files.key)?),
        client_authority: read(&files.client_authority)?,
    })
}

/// The trust domain of a workspace's local authority.
pub fn trust_domain(workspace: &Name) -> String {
    format!("{workspace}.lockgate.local")
}

/// The folder of the gateway's own log and of what belongs to it.
fn folder(state: &Path) -> PathBuf {
    state.join("gateway")
}

/// The trust domain that clients must be of.
fn client_domain(config: &workspace::WorkspaceFile) -> ClientDomain {
    match &config.gateway.tls {
        Some(files) => ClientDomain { name: files.trust_domain.clone(), by_path: false },
        None => ClientDomain { name: trust_domain(&config.name), by_path: true },
    }
}

fn jwks_path(root: &Path, config: &workspace::WorkspaceFile) -> Option<PathBuf> {
    config.gateway.jwt.as_ref().map(|jwt| root.join(&jwt.jwks))
}
