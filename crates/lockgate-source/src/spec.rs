//! A source as a pipeline declares it.

use lockgate_core::{Digest, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where data comes from and why it is trusted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSpec {
    /// A path, a glob, a folder, `https://...` or `s3://bucket/key`. Relative paths start at the
    /// folder of the pipeline file.
    pub uri: String,
    /// Taken from the name of the file when absent.
    pub format: Option<Format>,
    /// Why the bytes are trusted. There is no default.
    pub trust: Trust,
    /// The text encoding by its WHATWG label; UTF-8 when absent.
    pub encoding: Option<String>,
    /// The field separator of CSV; a comma when absent.
    pub delimiter: Option<char>,
    /// TLS settings for `https://`.
    pub tls: Option<Tls>,
    /// Shown when the source does not exist: where to get it or how to make it.
    pub hint: Option<String>,
}

/// The format of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 4180 with a header row.
    Csv,
    /// One JSON object a line.
    Jsonl,
    Parquet,
}

/// Why a source is trusted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Trust {
    /// Nobody vouches for it. Recorded as such.
    Unauthenticated,
    /// The SHA-256 of the file.
    Sha256(#[schemars(with = "String")] Digest),
    /// A minisign signature by a publisher that the workspace lists; it lies beside the file
    /// with `.minisig` appended.
    Publisher(#[schemars(with = "String")] Name),
}

/// TLS for `https://` sources: version 1.3 only.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file of the only authority that is accepted.
    pub ca: Option<String>,
    /// PEM file with the client certificate and its key.
    pub client_identity: Option<String>,
}
