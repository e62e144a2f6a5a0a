//! A workspace: its configuration, its keys, its lake, its audit log and its catalog, opened
//! together under one lock.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use lockgate_catalog::{Catalog as _, SqliteCatalog};
use lockgate_core::{Clock, Failure, Name, Principal, Result, nearest, yaml};
use lockgate_keys::{KeyId, KeyStore, LocalStore, Unlock};
use lockgate_lake::{Lake, Storage};
use lockgate_policy::{Decision, Policy, Request, Resource};
use lockgate_proof::{LogReader, SigningKey, VerifyingKey};
use lockgate_source::S3Options;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::audit::{Event, Journal};

/// The name of the file that marks a workspace.
pub const WORKSPACE_FILE: &str = "lockgate.yaml";

/// `lockgate.yaml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Lockgate workspace")]
pub struct WorkspaceFile {
    /// `lockgate/v1`.
    pub api_version: String,
    /// `Workspace`.
    pub kind: String,
    #[schemars(with = "String")]
    pub name: Name,
    /// Where everything that Lockgate writes lies.
    #[serde(default = "default_state")]
    pub state: PathBuf,
    /// `s3://bucket/prefix`; a folder below `state` when absent.
    pub lake: Option<String>,
    pub keys: KeysConfig,
    /// The folder with the Rego policies.
    #[serde(default = "default_policies")]
    pub policies: PathBuf,
    /// Publishers whose signatures are accepted: name and minisign public key.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub publishers: BTreeMap<Name, String>,
    /// Who acts here; the first one acts when nobody is named. A client of the gateway is known by
    /// the path of its SPIFFE id, or by the whole id when `gateway.tls` names another authority.
    pub principals: Vec<PrincipalConfig>,
    /// How `lockgate serve` listens.
    #[serde(default)]
    pub gateway: GatewayConfig,
    /// What `lockgate check` holds the code of this folder against.
    #[serde(default)]
    pub check: lockgate_check::config::Config,
}

fn default_state() -> PathBuf {
    ".lockgate".into()
}

fn default_policies() -> PathBuf {
    "policies".into()
}

/// What unlocks the key store. Exactly one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeysConfig {
    /// A file with 64 hexadecimal digits that only its owner can read. Keep it elsewhere and back
    /// it up: without it nothing can be decrypted.
    KeyFile(PathBuf),
    /// The environment variable that holds the passphrase.
    PassphraseEnv(String),
}

/// The gateway: mutual TLS, limits, and tokens as an option.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address and port for clients.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Address and port for Prometheus and probes, in plain HTTP; none when absent.
    #[schemars(with = "Option<String>")]
    pub metrics: Option<SocketAddr>,
    /// Host names and addresses in the server's certificate.
    pub names: Vec<String>,
    pub rate_limit: RateLimit,
    /// The largest body of a request.
    pub max_body_bytes: usize,
    /// The most rows of one inference.
    pub max_rows: usize,
    pub max_connections: usize,
    /// How long a request may take.
    pub request_timeout_secs: u64,
    /// Certificates from your own authority; the workspace's local one when absent.
    pub tls: Option<TlsFiles>,
    /// Tokens that every request must carry, on top of its client certificate.
    pub jwt: Option<JwtConfig>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            metrics: None,
            names: vec!["localhost".into(), "127.0.0.1".into()],
            rate_limit: RateLimit::default(),
            max_body_bytes: 1 << 20,
            max_rows: 4_096,
            max_connections: 1_024,
            request_timeout_secs: 30,
            tls: None,
            jwt: None,
        }
    }
}

/// Requests of one principal.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    pub requests_per_second: u32,
    /// How many may come at once.
    pub burst: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests_per_second: 100, burst: 200 }
    }
}

/// PEM files, relative to the workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's certificate and those between it and the authority.
    pub certificate: PathBuf,
    /// The server's private key; only its owner may read it.
    pub key: PathBuf,
    /// The authority that names clients.
    pub client_authority: PathBuf,
    /// The trust domain that this authority names clients in; ids of others are refused.
    pub trust_domain: String,
}

/// JSON Web Tokens signed with RS256, ES256 or EdDSA.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtConfig {
    /// The issuer's public keys (JWKS), relative to the workspace.
    pub jwks: PathBuf,
    /// The `iss` that a token must have.
    pub issuer: String,
    /// The `aud` that a token must have.
    pub audience: String,
    /// The claim that lists roles; the workspace's principals give them when absent.
    pub roles_claim: Option<String>,
}

/// A person or service and its roles.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrincipalConfig {
    pub id: String,
    pub roles: Vec<String>,
}

/// What the program knows and a library must not look up by itself.
#[derive(Clone, Debug)]
pub struct Environment {
    pub runtime: Handle,
    pub s3: S3Options,
    /// Looks up the passphrase when the configuration asks for one.
    pub passphrase: fn(&str) -> Option<String>,
    /// Where networks that find names lie.
    pub networks: PathBuf,
}

/// An opened workspace. Dropping it releases the lock.
#[derive(Debug)]
pub struct Workspace {
    pub root: PathBuf,
    pub config: WorkspaceFile,
    pub environment: Environment,
    pub keys: Arc<dyn KeyStore>,
    pub signer: SigningKey,
    pub lake: Lake,
    pub catalog: SqliteCatalog,
    pub policy: Policy,
    pub journal: Journal,
    pub principal: Principal,
    _lock: File,
}

/// What to do about a workspace that has no state: keys, log and lake are made by a run only, so
/// that state that was lost is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    Create,
    Refuse,
}

fn no_state(root: &Path) -> Failure {
    Failure::input(format!("the workspace in {} has no state yet", root.display()))
        .hint("run a pipeline first: lockgate run PIPELINE")
}

/// The folder of the nearest `lockgate.yaml`, from `start` upward.
pub fn find(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start.ancestors().find(|folder| folder.join(WORKSPACE_FILE).is_file()).map(Path::to_owned)
}

/// Reads `lockgate.yaml` in `root`.
pub fn read_config(root: &Path) -> Result<WorkspaceFile> {
    let path = root.join(WORKSPACE_FILE);
    let config: WorkspaceFile = yaml::read(&path)?;
    if config.api_version != "lockgate/v1" || config.kind != "Workspace" {
        return Err(Failure::input(format!("{} is not a workspace of lockgate/v1", path.display()))
            .hint("start with `apiVersion: lockgate/v1` and `kind: Workspace`"));
    }
    if config.principals.is_empty() {
        return Err(Failure::input(format!("{} names no principal", path.display()))
            .hint("principals: [{id: you, roles: [data-engineer]}]"));
    }
    let mut ids: Vec<&str> = config.principals.iter().map(|p| p.id.as_str()).collect();
    ids.sort_unstable();
    if let Some([twice, _]) = ids.array_windows().find(|[a, b]| a == b) {
        return Err(Failure::input(format!("{} names the principal {twice:?} twice", path.display())));
    }
    check_gateway(&config.gateway).map_err(|failure| failure.at(path.display()))?;
    Ok(config)
}

/// Limits that let nothing through, or everything, are mistakes.
fn check_gateway(gateway: &GatewayConfig) -> Result<()> {
    let limits = [
        ("rateLimit.requestsPerSecond", gateway.rate_limit.requests_per_second as usize, 1_000_000_000),
        ("rateLimit.burst", gateway.rate_limit.burst as usize, 1_000_000_000),
        ("maxBodyBytes", gateway.max_body_bytes, 64 << 20),
        ("maxRows", gateway.max_rows, 1 << 20),
        ("maxConnections", gateway.max_connections, 100_000),
        ("requestTimeoutSecs", usize::try_from(gateway.request_timeout_secs).unwrap_or(usize::MAX), 3_600),
    ];
    match limits.iter().find(|(_, value, max)| *value == 0 || value > max) {
        None => Ok(()),
        Some((name, _, max)) => Err(Failure::input(format!("gateway.{name} must be between 1 and {max}"))),
    }
}

impl Workspace {
    /// Opens the workspace in `root` as the principal `acting`, the first one when `None`. State
    /// that is absent as a whole is created; what an interrupted run left is put right.
    pub fn open(root: &Path, acting: Option<&str>, environment: Environment, absent: Absent) -> Result<Self> {
        let config = read_config(root)?;
        let principal = principal(&config, acting)?;
        let state = root.join(&config.state);
        if !state.exists() && absent == Absent::Refuse {
            return Err(no_state(root));
        }
        if !state.exists() {
            create_state(root, &config, &environment)?;
        }
        let lock = lock(&state)?;
        let keys = LocalStore::open(&state.join("keys"), &unlock(root, &config, &environment, Use::Open)?)?;
        let keys: Arc<dyn KeyStore> = Arc::new(keys);
        let signer = signing_key(keys.as_ref(), &config.name)?;
        let verifying = read_trust(&state)?;
        if signer.verifying_key() != verifying {
            return Err(Failure::integrity("trust.vkey is not the public key of this key store")
                .hint("keys and trust.vkey belong together; restore both from the same backup"));
        }
        let lake = open_lake(&state, &config, &environment, verifying)?;
        let catalog = SqliteCatalog::open(&state.join("catalog.db"), environment.runtime.clone())?;
        let mut journal = Journal::open(&state, signer.clone())?;
        journal.recover(&lake, &principal.id)?;
        {
            let name = "tmp";
            let _ = fs::remove_dir_all(state.join(name));
        }
        lake.sweep()?;
        if catalog.close_open_runs()? > 0 {
            crate::reindex::reindex(&lake, &catalog)?;
        }
        let policy = Policy::read_folder(&root.join(&config.policies))?;
        Ok(Self {
            root: root.to_owned(),
            environment,
            keys,
            signer,
            lake,
            catalog,
            policy,
            journal,
            principal,
            config,
            _lock: lock,
        })
    }

    /// Asks policy whether whom acts may do this; a no is a failure and an audit event.
    pub fn demand(&mut self, action: &str, resource: Resource, purpose: &str) -> Result<Decision> {
        let about = format!("{} {}", resource.kind, resource.name);
        let request = Request { principal: &self.principal, action, resource, purpose, client: None };
        let decision = self.policy.demand(&request);
        if decision.is_err() {
            let event = Event::new("policy.denied", &self.principal.id, &about, Clock.now())
                .detail(serde_json::json!({"action": action, "purpose": purpose, "policy": self.policy.digest()}));
            self.journal.append(vec![event])?;
        }
        decision
    }

    pub fn state(&self) -> PathBuf {
        self.root.join(&self.config.state)
    }

    /// For files on their way to the lake; always ciphertext.
    pub fn spool(&self) -> PathBuf {
        self.state().join("tmp")
    }

    /// Replaces the root of the key hierarchy. The secret that seals it stays the same.
    pub fn rotate_root(root: &Path, environment: &Environment) -> Result<u32> {
        let config = read_config(root)?;
        let state = root.join(&config.state);
        let _lock = lock(&state)?;
        let unlock = unlock(root, &config, environment, Use::Open)?;
        let mut store = LocalStore::open(&state.join("keys"), &unlock)?;
        store.rotate_root(&unlock)
    }
}

/// Opens what can be verified without any key: the lake and the audit log.
pub fn open_public(root: &Path, environment: &Environment) -> Result<(WorkspaceFile, VerifyingKey, Lake, LogReader)> {
    let config = read_config(root)?;
    let state = root.join(&config.state);
    if !state.exists() {
        return Err(no_state(root));
    }
    let key = read_trust(&state)?;
    let lake = open_lake(&state, &config, environment, key.clone())?;
    let log = LogReader::open(&state.join("audit"), &key)?;
    Ok((config, key, lake, log))
}

fn principal(config: &WorkspaceFile, acting: Option<&str>) -> Result<Principal> {
    let found = match acting {
        None => config.principals.first(),
        Some(id) => config.principals.iter().find(|principal| principal.id == id),
    };
    found.map(|p| Principal { id: p.id.clone(), roles: p.roles.clone() }).ok_or_else(|| {
        let id = acting.unwrap_or_default();
        let known: Vec<&str> = config.principals.iter().map(|p| p.id.as_str()).collect();
        let near = nearest(id, known.iter().copied())
            .map_or_else(|| format!("known here: {}", known.join(", ")), |near| format!("did you mean {near:?}?"));
        Failure::usage(format!("the workspace knows no principal {id:?}")).hint(near)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Open,
    Create,
}

fn unlock(root: &Path, config: &WorkspaceFile, environment: &Environment, purpose: Use) -> Result<Unlock> {
    match &config.keys {
        KeysConfig::KeyFile(path) => {
            let path = root.join(path);
            if purpose == Use::Create && !path.exists() {
                return Unlock::create_key_file(&path);
            }
            Unlock::key_file(&path)
        }
        KeysConfig::PassphraseEnv(variable) => {
            let text = (environment.passphrase)(variable).ok_or_else(|| {
                Failure::usage(format!("the environment variable {variable} is not set"))
                    .hint("it must hold the passphrase of the key store")
            })?;
            Unlock::passphrase(text)
        }
    }
}

fn signing_key(keys: &dyn KeyStore, workspace: &Name) -> Result<SigningKey> {
    let id = KeyId::purpose("workspace.signing");
    keys.create(&id)?;
    let seed = keys.derive(&id, "lockgate/v1/ed25519")?;
    SigningKey::from_seed(&format!("lockgate.local/{workspace}"), seed.expose())
}

fn read_trust(state: &Path) -> Result<VerifyingKey> {
    let path = state.join("trust.vkey");
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::integrity(format!("{} cannot be read: {error}", path.display()))
            .hint("it holds the workspace's public key; restore it from your backup")
    })?;
    if !text.ends_with('\n') || text.lines().count() != 1 {
        return Err(Failure::integrity(format!("{} was changed", path.display())));
    }
    VerifyingKey::parse(&text)
}

fn open_lake(state: &Path, config: &WorkspaceFile, environment: &Environment, key: VerifyingKey) -> Result<Lake> {
    let runtime = environment.runtime.clone();
    let storage = match &config.lake {
        None => Storage::local(state.join("lake"), runtime)?,
        Some(uri) => {
            let rest = uri.strip_prefix("s3://").ok_or_else(|| {
                Failure::input(format!("lake: {uri:?} is not an S3 location"))
                    .hint("write s3://bucket/prefix, or leave it out")
            })?;
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            Storage::remote(Arc::new(environment.s3.client(bucket)?), prefix, runtime)
        }
    };
    Ok(Lake::new(storage, key))
}

/// Creates the whole state beside its final place and moves it there in one step.
fn create_state(root: &Path, config: &WorkspaceFile, environment: &Environment) -> Result<()> {
    let state = root.join(&config.state);
    let fresh = tempfile::Builder::new()
        .prefix(".lockgate-new-")
        .tempdir_in(root)
        .map_err(|e| Failure::io("create the workspace's state in", root, &e))?;
    let unlock = unlock(root, config, environment, Use::Create)?;
    let keys = LocalStore::create(&fresh.path().join("keys"), &unlock)?;
    let signer = signing_key(&keys, &config.name)?;
    let trust = fresh.path().join("trust.vkey");
    let mut file = File::create(&trust).map_err(|e| Failure::io("create", &trust, &e))?;
    writeln!(file, "{}", signer.verifying_key())
        .and_then(|()| file.sync_all())
        .map_err(|e| Failure::io("write", &trust, &e))?;
    let mut journal = Journal::create(fresh.path(), signer)?;
    journal.append(vec![Event::new("workspace.created", "lockgate", config.name.as_str(), Clock.now())])?;
    drop(journal);
    let fresh = fresh.keep();
    fs::rename(&fresh, &state).map_err(|e| Failure::io("create", &state, &e))
}

fn lock(state: &Path) -> Result<File> {
    let path = state.join("lock");
    let file = File::create(&path).map_err(|e| Failure::io("lock", &path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(Failure::unreachable("another lockgate command is working in this workspace")
                .hint("wait for it to end, then try again"))
        }
        Err(fs::TryLockError::Error(error)) => Err(Failure::io("lock", &path, &error)),
    }
}

/// The JSON Schema of workspace files, for editors.
pub fn workspace_schema() -> serde_json::Value {
    schemars::schema_for!(WorkspaceFile).to_value()
}
