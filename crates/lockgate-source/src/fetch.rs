//! From a URI to the contents it names.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use futures::StreamExt as _;
use lockgate_core::{Failure, Result, Sensitive, limits};
use object_store::{
    ObjectStoreExt as _,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as ObjectPath,
};
use reqwest::{Certificate, Client, Identity, StatusCode, redirect, tls::Version};
use tokio::runtime::Handle;

use crate::{
    content::{Content, Spool},
    spec::{SourceSpec, Tls},
};

/// How to reach S3.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<Sensitive<String>>,
    pub session_token: Option<Sensitive<String>>,
}

impl S3Options {
    /// A client for `bucket`. Plain HTTP is accepted for an endpoint on this machine only.
    pub fn client(&self, bucket: &str) -> Result<AmazonS3> {
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        if let Some(endpoint) = &self.endpoint {
            let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(local.iter().any(|prefix| endpoint.starts_with(prefix)));
        }
        builder = builder.with_region(self.region.as_deref().unwrap_or("us-east-1"));
        if let Some(key) = &self.access_key {
            builder = builder.with_access_key_id(key);
        }
        if let Some(key) = &self.secret_key {
            builder = builder.with_secret_access_key(key.expose());
        }
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token.expose());
        }
        builder.build().map_err(|error| {
            Failure::input(format!("S3 bucket {bucket:?} cannot be used: {error}"))
                .hint("set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for another provider, AWS_ENDPOINT_URL")
        })
    }
}

/// Fetches sources.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Relative paths start here.
    pub base: PathBuf,
    /// Where fetched bytes are kept, encrypted.
    pub spool: PathBuf,
    pub s3: S3Options,
    pub runtime: Handle,
}

impl Fetcher {
    /// The files that the URI names, each with its own URI; sorted, at least one.
    pub fn resolve(&self, spec: &SourceSpec) -> Result<Vec<String>> {
        let uri = &spec.uri;
        if uri.starts_with("https://") || uri.starts_with("s3://") {
            return Ok(vec![uri.clone()]);
        }
        if let Some((scheme, _)) = uri.split_once("://") {
            return Err(Failure::input(format!("sources cannot be read over {scheme}://"))
                .hint("use a path, https:// or s3://"));
        }
        let path = self.base.join(uri);
        let mut files = Vec::new();
        if path.is_dir() {
            list_folder(&path, &mut files)?;
        } else if uri.contains(['*', '?', '[']) {
            let pattern = path.to_string_lossy();
            let matches =
                glob::glob(&pattern).map_err(|error| Failure::input(format!("{uri:?} is not a glob: {error}")))?;
            for found in matches.take(limits::SOURCE_FILES_MAX + 1) {
                let found = found.map_err(|e| Failure::input(format!("{uri:?} cannot be listed: {e}")))?;
                if found.is_file() && !is_signature(&found) {
                    files.push(found);
                }
            }
        } else {
            files.push(path.clone());
        }
        if files.len() > limits::SOURCE_FILES_MAX {
            return Err(Failure::input(format!("{uri:?} names more than 10,000 files")));
        }
        files.sort();
        let missing = files.is_empty()
            || files.iter().any(|f| matches!(f.symlink_metadata(), Err(e) if e.kind() == std::io::ErrorKind::NotFound));
        if missing {
            let failure = Failure::input(format!("source {} does not exist", path.display()));
            return Err(match &spec.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        }
        Ok(files.into_iter().map(|f| f.to_string_lossy().into_owned()).collect())
    }

    /// The content behind one URI of [`Self::resolve`].
    pub fn open(&self, uri: &str, tls: Option<&Tls>) -> Result<Content> {
        if uri.starts_with("https://") {
            self.runtime.block_on(self.https(uri, tls))
        } else if let Some(rest) = uri.strip_prefix("s3://") {
            self.runtime.block_on(self.s3(rest))
        } else {
            Content::file(Path::new(uri))
        }
    }

    async fn https(&self, uri: &str, tls: Option<&Tls>) -> Result<Content> {
        let client = self.client(tls)?;
        let refused = |error: reqwest::Error| {
            // The URL may carry a token in its query: it stays out of the message.
            Failure::unreachable(format!("{} cannot be fetched: {}", host(uri), root_cause(&error)))
        };
        let answer = client.get(uri).send().await.map_err(refused)?;
        if answer.status() != StatusCode::OK {
            return Err(Failure::unreachable(format!("{} answered {}", host(uri), answer.status())));
        }
        let mut spool = Spool::new(&self.spool)?;
        let mut body = answer.bytes_stream();
        while let Some(chunk) = body.next().await {
            spool.write(&chunk.map_err(refused)?)?;
        }
        Ok(Content::spool(spool.finish()?))
    }

    fn client(&self, tls: Option<&Tls>) -> Result<Client> {
        let mut builder = Client::builder()
            .https_only(true)
            .tls_version_min(Version::TLS_1_3)
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_mins(1));
        if let Some(ca) = tls.and_then(|tls| tls.ca.as_deref()) {
            let certificates = Certificate::from_pem_bundle(&self.pem(ca)?)
                .map_err(|_| Failure::input(format!("{ca} holds no PEM certificate")))?;
            builder = builder.tls_certs_only(certificates);
        }
        if let Some(identity) = tls.and_then(|tls| tls.client_identity.as_deref()) {
            let identity = Identity::from_pem(&self.pem(identity)?)
                .map_err(|_| Failure::input(format!("{identity} holds no PEM certificate with its key")))?;
            builder = builder.identity(identity);
        }
        builder.build().map_err(|error| Failure::input(format!("TLS cannot be set up: {error}")))
    }

    fn pem(&self, file: &str) -> Result<Vec<u8>> {
        let path = self.base.join(file);
        std::fs::read(&path).map_err(|e| Failure::io("read", &path, &e))
    }

    async fn s3(&self, rest: &str) -> Result<Content> {
        let (bucket, key) =
            rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(|| {
                Failure::input(format!("s3://{rest} does not name an object")).hint("write s3://bucket/key")
            })?;
        let store = self.s3.client(bucket)?;
        let failed = |error: object_store::Error| match error {
            object_store::Error::NotFound { .. } => Failure::input(format!("s3://{rest} does not exist")),
            other => Failure::unreachable(format!("s3://{rest} cannot be read: {other}")),
        };
        let object = store.get(&ObjectPath::from(key)).await.map_err(failed)?;
        let mut spool = Spool::new(&self.spool)?;
        let mut body = object.into_stream();
        while let Some(chunk) = body.next().await {
            spool.write(&chunk.map_err(failed)?)?;
        }
        Ok(Content::spool(spool.finish()?))
    }
}

fn list_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|e| Failure::io("list", folder, &e))? {
        let path = entry.map_err(|e| Failure::io("list", folder, &e))?.path();
        if path.is_file() && !is_signature(&path) {
            files.push(path);
        }
        if files.len() > limits::SOURCE_FILES_MAX {
            break;
        }
    }
    Ok(())
}

fn is_signature(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "minisig")
}

fn host(uri: &str) -> String {
    let public = public_uri(uri);
    let end = public.match_indices('/').nth(2).map_or(public.len(), |(at, _)| at);
    public.get(..end).unwrap_or(&public).to_owned()
}

/// How a source is named on record: its URI without what may be a secret, which is user, query
/// and fragment.
pub fn public_uri(uri: &str) -> String {
    let bare = uri.split(['?', '#']).next().unwrap_or(uri);
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        // A local path may hold any of these characters.
        None => uri.to_owned(),
    }
}

/// Where the signature of a source lies: beside it, with the same query.
pub(crate) fn signature_uri(uri: &str) -> String {
    match uri.find(['?', '#']).filter(|_| uri.contains("://")) {
        Some(at) => {
            let (path, rest) = uri.split_at(at);
            format!("{path}.minisig{rest}")
        }
        None => format!("{uri}.minisig"),
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
