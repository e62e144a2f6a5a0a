//! What the program takes from its environment. The only reader of environment variables.
#![expect(clippy::disallowed_methods, reason = "this is the one reader of environment variables")]

use std::{env, path::PathBuf};

use lockgate_core::{Failure, Result, Sensitive};
use lockgate_pipeline::Environment;
use lockgate_source::S3Options;
use tokio::runtime::Runtime;

/// The runtime and everything wired to it.
pub struct Setup {
    pub runtime: Runtime,
    pub environment: Environment,
}

pub fn setup() -> Result<Setup> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unreachable(format!("threads cannot be started: {error}")))?;
    let environment = Environment {
        runtime: runtime.handle().clone(),
        s3: S3Options {
            endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            access_key: variable("AWS_ACCESS_KEY_ID"),
            secret_key: variable("AWS_SECRET_ACCESS_KEY").map(Sensitive::new),
            session_token: variable("AWS_SESSION_TOKEN").map(Sensitive::new),
        },
        passphrase: |name| env::var(name).ok(),
        networks: networks(),
    };
    Ok(Setup { runtime, environment })
}

/// Where networks that find names lie.
pub fn networks() -> PathBuf {
    if let Some(folder) = variable("LOCKGATE_NETWORKS") {
        return folder.into();
    }
    let data = variable("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    data.unwrap_or_else(|| ".".into()).join("lockgate/networks")
}

/// How many threads work on files.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(64)
}

pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// User and secret for a registry, when both are set.
pub fn registry_credentials() -> Option<(String, String)> {
    Some((variable("LOCKGATE_REGISTRY_USER")?, variable("LOCKGATE_REGISTRY_PASSWORD")?))
}
