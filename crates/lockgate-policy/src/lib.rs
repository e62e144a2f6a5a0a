//! Pure decisions: may this principal do this to that, for this purpose, and under which
//! obligations? Policies are Rego (<https://www.openpolicyagent.org/docs/policy-language>).
//!
//! Invariants: evaluation does no I/O; whatever goes wrong, a panic or a time-out included, the
//! answer is no; an answer without an explicit `allow: true` is no.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::Duration,
};

use lockgate_core::{Classification, Digest, Failure, Principal, Result, yaml};
use regorus::{CompiledPolicy, Engine, Value};
use serde::{Deserialize, Serialize};

/// The rule that every policy bundle defines.
const ENTRYPOINT: &str = "data.lockgate.decision";
const DEADLINE: Duration = Duration::from_millis(250);
const POLICY_FILES_MAX: usize = 256;

/// What is asked.
#[derive(Clone, Debug, Serialize)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    /// `read`, `derive`, `train`, `publish`, `deploy`, `serve`, `infer`, `metadata`, `release-keys`, `detokenize`...
    pub action: &'a str,
    pub resource: Resource,
    pub purpose: &'a str,
    /// The workload that the request came through, where it is not the principal itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a str>,
}

/// What it is asked of.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Resource {
    /// `dataset`, `model` or `endpoint`.
    pub kind: String,
    pub name: String,
    // Absent, not null: in Rego, null is a value like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    /// The purpose that the data was collected for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Column names with their classification.
    pub columns: BTreeMap<String, Classification>,
    /// What protection did to each stored column: an operator's name.
    pub protection: BTreeMap<String, String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub allow: bool,
    /// Why, for people and for the audit log; it must hold no data value.
    pub reasons: Vec<String>,
    pub obligations: Obligations,
}

/// What the one who acts on an allowed request must do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Obligations {
    /// SQL predicates; a row is visible when all of them hold.
    pub row_filters: Vec<String>,
    /// SQL expressions that stand in for columns.
    pub column_masks: BTreeMap<String, String>,
    /// Columns that must not be seen at all.
    pub hidden_columns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allow: bool,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    obligations: Obligations,
}

/// A compiled set of policies.
#[derive(Clone)]
pub struct Policy {
    compiled: Arc<CompiledPolicy>,
    digest: Digest,
}

impl Policy {
    /// Reads and compiles every `.rego` file of a folder, tests (`*_test.rego`) left out.
    pub fn read_folder(folder: &Path) -> Result<Self> {
        Self::compile(&Self::files(folder)?)
    }

    /// The digest that the policies of a folder have once compiled.
    pub fn digest_folder(folder: &Path) -> Result<Digest> {
        Self::files(folder).map(|files| digest(&files))
    }

    fn files(folder: &Path) -> Result<Vec<(String, String)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| Failure::io("read the policies in", folder, &e))? {
            let path = entry.map_err(|e| Failure::io("read", folder, &e))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(".rego") && !name.ends_with("_test.rego") {
                files.push((name, yaml::read_text(&path)?));
            }
        }
        if files.is_empty() || files.len() > POLICY_FILES_MAX {
            return Err(Failure::input(format!("{} holds no policy, or more than 256 files", folder.display()))
                .hint("`lockgate init` writes a policy to start from; without one, everything is denied"));
        }
        files.sort();
        Ok(files)
    }

    /// Compiles policies given as name and text.
    pub fn compile(files: &[(String, String)]) -> Result<Self> {
        regorus::utils::limits::set_fallback_execution_timer_config(Some(
            regorus::utils::limits::ExecutionTimerConfig {
                limit: DEADLINE,
                check_interval: NonZeroU32::MIN.saturating_add(63),
            },
        ));
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            let mut engine = Engine::new();
            engine.set_strict_builtin_errors(true);
            for (name, text) in files {
                engine
                    .add_policy(name.clone(), text.clone())
                    .map_err(|e| Failure::input(format!("policy {name} is not valid Rego: {e}")))?;
            }
            engine.compile_with_entrypoint(&ENTRYPOINT.into()).map_err(|e| {
                Failure::input(format!("the policies do not define {ENTRYPOINT}: {e}"))
                    .hint("write `package lockgate` and a rule `decision := {\"allow\": ..., \"reasons\": [...]}`")
            })
        }))
        .unwrap_or_else(|_| Err(Failure::input("the policies cannot be compiled")))?;
        Ok(Self { compiled: Arc::new(compiled), digest: digest(files) })
    }

    /// The digest of all policy files, for the record.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Decides. It never fails: what cannot be decided is denied.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let denied =
            |why: &str| Decision { allow: false, reasons: vec![why.to_owned()], obligations: Obligations::default() };
        let Ok(input) = serde_json::to_string(request) else {
            return denied("the request could not be written as JSON");
        };
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let input = Value::from_json_str(&input).ok()?;
            let value = self.compiled.eval_with_input(input).ok()?;
            serde_json::from_str::<Answer>(&value.to_json_str().ok()?).ok()
        }));
        match answer {
            Ok(Some(answer)) => {
                Decision { allow: answer.allow, reasons: answer.reasons, obligations: answer.obligations }
            }
            Ok(None) => denied("the policy gave no answer"),
            Err(_) => denied("the policy engine failed"),
        }
    }

    /// Like [`Self::decide`], but a no is a failure.
    pub fn demand(&self, request: &Request<'_>) -> Result<Decision> {
        let decision = self.decide(request);
        if decision.allow {
            return Ok(decision);
        }
        let reasons =
            if decision.reasons.is_empty() { "no rule allows it".to_owned() } else { decision.reasons.join("; ") };
        Err(Failure::denied(format!(
            "policy denies {} to {} the {} {} for purpose {:?}: {reasons}",
            request.principal.id, request.action, request.resource.kind, request.resource.name, request.purpose
        ))
        .hint("ask the owner of the policies, or act in another role with --as"))
    }
}

fn digest(files: &[(String, String)]) -> Digest {
    let mut all = Vec::new();
    for part in files.iter().flat_map(|(name, text)| [name, text]) {
        all.extend_from_slice(part.as_bytes());
        all.push(0);
    }
    Digest::of(&all)
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Policy({})", self.digest)
    }
}

/// The policy that a new workspace starts from.
pub const DEFAULT_POLICY: &str = include_str!("../policies/default.rego");

#[cfg(test)]
mod tests;
