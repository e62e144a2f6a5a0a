//! What a team says in `check:` of its `lockgate.yaml`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lockgate_core::{Failure, Result, nearest, yaml};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage;

/// The section `check` of `lockgate.yaml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Files that are not checked, as globs relative to `lockgate.yaml`.
    pub exclude: Vec<String>,
    pub storage: StorageConfig,
    pub personal: PersonalConfig,
    /// Rules of the built-in bundle and of your own by name: another severity, or `off`.
    pub rules: BTreeMap<String, RuleSetting>,
    /// Folders with rules of your own, relative to `lockgate.yaml`.
    pub policies: Vec<PathBuf>,
    /// What rules of your own find as `input.parameters.own`.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Accepted findings, relative to `lockgate.yaml`.
    pub baseline: Option<PathBuf>,
}

/// Which locations pipelines may touch: `s3://bucket/prefix`, `gs://bucket`,
/// `abfs://container@account`, or a bucket's name alone for every provider. `*` stands for anything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageConfig {
    pub prohibited: Vec<String>,
    /// When there are any, everything else is not allowed.
    pub allowed: Vec<String>,
}

/// Where personal data lies, and where tasks that read it may send something.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PersonalConfig {
    pub locations: Vec<String>,
    /// Locations, or hosts without a scheme.
    pub approved_sinks: Vec<String>,
}

/// A `lockgate.yaml` of a repository that is checked and is no workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckFile {
    /// `lockgate/v1`.
    pub api_version: String,
    /// `Check`.
    pub kind: String,
    #[serde(default)]
    pub check: Config,
}

/// What tells a workspace's file from one that is for checks alone.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    check: Config,
}

impl CheckFile {
    /// The section `check` of a `lockgate.yaml` of either kind.
    pub fn read(path: &Path) -> Result<Config> {
        let head: Head = yaml::read(path)?;
        if head.kind == "Workspace" {
            return Ok(head.check);
        }
        let file: Self = yaml::read(path)?;
        if file.api_version != "lockgate/v1" || file.kind != "Check" {
            return Err(Failure::input(format!(
                "{}: it is not a `lockgate/v1` of kind Workspace or Check",
                path.display()
            ))
            .hint("start it with `apiVersion: lockgate/v1` and `kind: Check`"));
        }
        Ok(file.check)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleSetting {
    Off,
    Low,
    Medium,
    High,
    Critical,
}

/// A location's pattern as rules see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    pub pattern: String,
    pub provider: String,
    pub bucket: String,
    pub account: String,
    pub key: String,
}

/// What rules find in `input.parameters`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Parameters {
    pub prohibited: Vec<Pattern>,
    pub allowed: Vec<Pattern>,
    pub personal: Vec<Pattern>,
    pub approved: Vec<Pattern>,
    pub approved_hosts: Vec<String>,
    pub own: BTreeMap<String, serde_json::Value>,
}

impl Config {
    /// Holds the section against the rules that there are.
    pub fn check(&self, rules: &[&str]) -> Result<()> {
        for name in self.rules.keys() {
            if !rules.contains(&name.as_str()) {
                let failure =
                    Failure::input(format!("lockgate.yaml: check.rules names {name:?}, and there is no such rule"));
                return Err(match nearest(name, rules.iter().copied()) {
                    Some(near) => failure.hint(format!("did you mean {near:?}?")),
                    None => failure.hint("`lockgate check --rules` lists them"),
                });
            }
        }
        self.parameters().map(drop)
    }

    /// Names of buckets that the team's patterns name.
    pub fn watched(&self) -> Result<Vec<String>> {
        let parameters = self.parameters()?;
        let all = parameters.prohibited.iter().chain(&parameters.personal);
        Ok(all
            .map(|p| p.bucket.clone())
            // A plain word is most often another thing of that name.
            .filter(|bucket| !bucket.contains('*') && bucket.contains(['-', '.', '_']) && bucket.len() >= 6)
            .collect())
    }

    pub fn parameters(&self) -> Result<Parameters> {
        let all = |field: &str, patterns: &[String]| -> Result<Vec<Pattern>> {
            patterns.iter().map(|p| pattern(p).map_err(|e| e.at(format!("lockgate.yaml: check.{field}")))).collect()
        };
        let (sinks, hosts): (Vec<String>, Vec<String>) =
            self.personal.approved_sinks.iter().cloned().partition(|sink| sink.contains("://"));
        Ok(Parameters {
            prohibited: all("storage.prohibited", &self.storage.prohibited)?,
            allowed: all("storage.allowed", &self.storage.allowed)?,
            personal: all("personal.locations", &self.personal.locations)?,
            approved: all("personal.approvedSinks", &sinks)?,
            approved_hosts: hosts,
            own: self.parameters.clone(),
        })
    }
}

/// Reads a pattern of locations.
pub fn pattern(text: &str) -> Result<Pattern> {
    let bare = text.trim().trim_end_matches("/**").trim_end_matches("/*").trim_end_matches('/');
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | '*'))
    };
    let wrong = || {
        Failure::input(format!("{text:?} is not a storage location"))
            .hint("write s3://bucket/prefix, gs://bucket, abfs://container@account, or a bucket's name; buckets are in lower case")
    };
    if !bare.contains("://") && !bare.starts_with("arn:") && !is_name(bare.split('/').next().unwrap_or_default()) {
        return Err(wrong());
    }
    let location = if bare.contains("://") || bare.starts_with("arn:") {
        storage::find(bare).pop()
    } else {
        storage::path("any", bare)
    };
    match location {
        Some(location) if is_name(&location.bucket) => Ok(Pattern {
            pattern: text.to_owned(),
            provider: location.provider.to_owned(),
            bucket: location.bucket,
            account: location.account,
            key: location.key,
        }),
        _ => Err(wrong()),
    }
}
