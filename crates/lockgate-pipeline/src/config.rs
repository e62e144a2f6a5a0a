//! The pipeline file: what flows where, under which rules.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lockgate_core::{Digest, Failure, Name, Result, nearest, yaml};
use lockgate_protect::Operator;
use lockgate_source::SourceSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Looking;

/// A pipeline, from its sources to a served prediction.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Lockgate pipeline")]
pub struct PipelineFile {
    /// `lockgate/v1`.
    pub api_version: String,
    /// `Pipeline`.
    pub kind: String,
    #[schemars(with = "String")]
    pub name: Name,
    /// What the data is used for; policy compares it with the purpose of the contract.
    pub purpose: String,
    pub lawful_basis: LawfulBasis,
    /// Datasets to ingest, by name.
    #[schemars(with = "BTreeMap<String, Ingest>")]
    pub sources: BTreeMap<Name, Ingest>,
    /// Feature sets to derive, by name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FeatureSet>")]
    pub features: BTreeMap<Name, FeatureSet>,
    pub training: Option<Training>,
    #[serde(default)]
    pub gates: Gates,
    pub publishing: Option<Publishing>,
    pub deployment: Option<Deployment>,
}

/// Article 6(1) of the GDPR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LawfulBasis {
    Consent,
    Contract,
    LegalObligation,
    VitalInterests,
    PublicTask,
    LegitimateInterests,
    /// The data is about nobody.
    NotPersonal,
}

impl LawfulBasis {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal-obligation",
            Self::VitalInterests => "vital-interests",
            Self::PublicTask => "public-task",
            Self::LegitimateInterests => "legitimate-interests",
            Self::NotPersonal => "not-personal",
        }
    }
}

/// A source and what happens to it on its way into the lake.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingest {
    pub source: SourceSpec,
    /// The data contract (ODCS v3.1), relative to the pipeline file.
    pub contract: PathBuf,
    #[serde(default)]
    pub protection: Protection,
    #[serde(default)]
    pub quality: Quality,
    /// How many buckets the data subjects are spread over; erasing one rewrites one bucket.
    #[serde(default = "default_buckets")]
    pub buckets: u16,
}

fn default_buckets() -> u16 {
    16
}

/// What happens to values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Protection {
    /// Operators by column; other columns take the default of their classification.
    pub columns: BTreeMap<String, Operator>,
    /// Findings that a person has declared harmless.
    pub allow: Vec<Allow>,
    /// Recognizers of your own beside those that are built in: YAML as Presidio's, relative to the
    /// pipeline.
    pub recognizers: Option<PathBuf>,
    /// Whether people, organizations, places and addresses are looked for in text, and how.
    pub names: Looking,
}

/// A finding that is not what it seems.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allow {
    pub column: String,
    /// The entity, for example `PHONE_NUMBER`.
    pub entity: String,
    /// Why it is harmless; kept on the audit log.
    pub reason: String,
}

/// When a run must stop.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quality {
    /// The run stops when more rows than this break the contract.
    pub max_quarantined_percent: f64,
    /// Files whose values are distributed unlike those of the other files are quarantined whole.
    pub distribution: Vec<Distribution>,
    /// Suites of expectations that the rows must meet.
    pub expectations: Vec<Expectations>,
    /// Data that is known to be good: what `drift` and `poisoning` hold new rows against.
    pub baseline: Option<Golden>,
    /// Whether the rows are distributed as the baseline is.
    pub drift: Option<Drift>,
    /// Whether rows or files were made to mislead a model.
    pub poisoning: Option<Poisoning>,
}

/// What happens when a gate fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// The run ends and nothing is committed.
    Stop,
    /// The guilty rows or files are put aside and the others go on; the run ends when no part is
    /// guilty by itself.
    Quarantine,
    /// It is said and recorded.
    Warn,
}

impl OnFail {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Quarantine => "quarantine",
            Self::Warn => "warn",
        }
    }
}

fn stop() -> OnFail {
    OnFail::Stop
}

fn quarantine() -> OnFail {
    OnFail::Quarantine
}

fn warn() -> OnFail {
    OnFail::Warn
}

/// A suite of Great Expectations, which judges the rows that the contract lets in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectations {
    /// JSON, relative to the pipeline.
    pub suite: PathBuf,
    /// Rows can be quarantined by expectations about each row only; others stop the run.
    #[serde(default = "stop")]
    pub on_fail: OnFail,
}

/// A file of golden data, in the format of the source and under its contract, or a profile of it
/// as `lockgate profile --out` writes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Golden {
    /// Relative to the pipeline.
    pub file: PathBuf,
    /// `sha256:` and the digest of the file: whoever could change it could let anything in.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// Drift, column by column, beside the baseline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Drift {
    /// These columns only; all but dates and times when empty.
    pub columns: Vec<String>,
    /// The distance from which on a difference matters.
    pub distance: f64,
    /// The adjusted p-value below which it is no chance.
    pub alpha: f64,
    /// Files that have drifted are what is quarantined.
    pub on_fail: OnFail,
}

impl Default for Drift {
    fn default() -> Self {
        Self { columns: Vec::new(), distance: 0.1, alpha: 0.05, on_fail: warn() }
    }
}

/// Poisoning, beside the baseline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Poisoning {
    /// The column that the model predicts; without it labels and backdoors are not judged.
    pub label: Option<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// How often clean data may raise an alarm.
    pub false_alarms: f64,
    pub on_fail: OnFail,
}

impl Default for Poisoning {
    fn default() -> Self {
        Self { label: None, ignore: Vec::new(), false_alarms: 0.01, on_fail: quarantine() }
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            max_quarantined_percent: 1.0,
            distribution: Vec::new(),
            expectations: Vec::new(),
            baseline: None,
            drift: None,
            poisoning: None,
        }
    }
}

/// Guards a categorical column, such as the label, against a poisoned file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Distribution {
    pub column: String,
    /// The largest total variation distance (0 to 1) between a file and all other files.
    pub max_total_variation: f64,
}

/// A feature set, derived by SQL from snapshots under policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeatureSet {
    /// The query; tables are datasets, `dataset@version` names an old one.
    pub sql: String,
    /// The column of the result that identifies the data subject, or `none`.
    pub subject: String,
}

/// How the model is made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Training {
    #[schemars(with = "String")]
    pub features: Name,
    /// The column to predict.
    pub label: String,
    /// The label's value that counts as positive.
    pub positive: String,
    pub trainer: Trainer,
    /// Columns that are no features: identifiers, protected attributes that the model must not see.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Columns of text of which each word, as white space separates them, is a feature.
    #[serde(default)]
    pub text: Vec<String>,
    /// The share of rows held out for the gates.
    #[serde(default = "default_holdout")]
    pub holdout: f64,
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub isolation: Isolation,
}

fn default_holdout() -> f64 {
    0.25
}

/// A built-in trainer or any command.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Trainer {
    LogisticRegression(LogisticRegression),
    GradientBoosting(GradientBoosting),
    /// Reads `train.parquet` from the folder in `LOCKGATE_INPUT`, writes `model.onnx` to the one
    /// in `LOCKGATE_OUTPUT`.
    Command(Vec<String>),
}

/// Standardized numbers, one-hot categories.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogisticRegression {
    /// The strength of the L2 penalty.
    pub penalty: f64,
    pub iterations: u64,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self { penalty: 1.0, iterations: 200 }
    }
}

/// Gradient-boosted trees that set their own parameters from a budget.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GradientBoosting {
    /// Fitting effort; 0.5 is quick, 1.5 thorough.
    pub budget: f32,
}

impl Default for GradientBoosting {
    fn default() -> Self {
        Self { budget: 0.5 }
    }
}

/// Layers of isolation that the user accepts to be missing on this machine.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Isolation {
    pub accept_missing: Vec<Layer>,
    /// Address space of the trainer in MiB; 4,096 when absent.
    pub memory_mib: Option<u64>,
    /// CPU seconds of the trainer; 3,600 when absent.
    pub cpu_secs: Option<u64>,
    /// Folders that a command may read besides its input: its interpreter and libraries.
    pub readable: Vec<PathBuf>,
}

/// A layer of isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    Namespaces,
    Landlock,
    Seccomp,
}

impl Layer {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// What a model must satisfy on held-out rows before it is published.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gates {
    pub metrics: MetricGates,
    pub fairness: Option<FairnessGates>,
    pub robustness: Option<RobustnessGates>,
    pub artifact: ArtifactGate,
}

/// Thresholds on metrics.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MetricGates {
    pub min_roc_auc: Option<f64>,
    pub min_accuracy: Option<f64>,
    pub max_log_loss: Option<f64>,
    /// Expected calibration error over ten bins.
    pub max_calibration_error: Option<f64>,
}

/// Thresholds on differences between groups, each against the worst pair of groups.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FairnessGates {
    /// Protected attributes; columns of the feature set.
    pub attributes: Vec<String>,
    /// Groups with fewer held-out rows are reported but not judged.
    #[serde(default = "default_group")]
    pub min_group_rows: u64,
    pub max_demographic_parity_difference: Option<f64>,
    pub max_equalized_odds_difference: Option<f64>,
    /// The four-fifths rule asks for 0.8.
    pub min_disparate_impact: Option<f64>,
}

fn default_group() -> u64 {
    100
}

/// Accuracy under bounded disturbance of the input.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RobustnessGates {
    /// Noise on numbers, in standard deviations of each column.
    #[serde(default = "default_noise")]
    pub numeric_noise: f64,
    /// The share of categorical values that are replaced by another one.
    #[serde(default = "default_flips")]
    pub category_flips: f64,
    pub max_accuracy_drop: f64,
}

fn default_noise() -> f64 {
    0.1
}

fn default_flips() -> f64 {
    0.05
}

/// Limits on the artifact itself; only ONNX with known operators passes at all.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ArtifactGate {
    pub max_size_mib: u64,
}

impl Default for ArtifactGate {
    fn default() -> Self {
        Self { max_size_mib: 64 }
    }
}

/// Where the signed package goes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Publishing {
    #[schemars(with = "String")]
    pub model: Name,
    /// An OCI reference such as `registry.example.com/team/model`; the package stays local
    /// without one.
    pub registry: Option<String>,
}

/// Behind which endpoint the model answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    #[schemars(with = "String")]
    pub endpoint: Name,
}

/// A pipeline that was read and validated.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub file: PipelineFile,
    /// The folder that relative paths start at.
    pub base: PathBuf,
    pub digest: Digest,
    pub text: String,
}

impl Pipeline {
    pub fn read(path: &Path) -> Result<Self> {
        let text = yaml::read_text(path)?;
        let place = path.display().to_string();
        let file: PipelineFile = yaml::parse(&text, &place)?;
        validate(&file).map_err(|failure| failure.at(&place))?;
        let base = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { digest: Digest::of(text.as_bytes()), file, base, text })
    }
}

fn validate(file: &PipelineFile) -> Result<()> {
    if file.api_version != "lockgate/v1" || file.kind != "Pipeline" {
        return Err(Failure::input("this is not a pipeline of lockgate/v1")
            .hint("start with `apiVersion: lockgate/v1` and `kind: Pipeline`"));
    }
    if file.sources.is_empty() {
        return Err(Failure::input("the pipeline has no source"));
    }
    for (name, ingest) in &file.sources {
        let percent = ingest.quality.max_quarantined_percent;
        if !(0.0..=100.0).contains(&percent) {
            return Err(Failure::input(format!("source {name}: maxQuarantinedPercent must be between 0 and 100")));
        }
        if !(1..=1024).contains(&ingest.buckets) {
            return Err(Failure::input(format!("source {name}: buckets must be between 1 and 1,024")));
        }
        validate_quality(&ingest.quality).map_err(|failure| failure.at(format!("source {name}")))?;
        for guard in &ingest.quality.distribution {
            if !(0.0..=1.0).contains(&guard.max_total_variation) {
                return Err(Failure::input(format!("source {name}: maxTotalVariation must be between 0 and 1")));
            }
        }
    }
    let sources_and_features = || file.sources.keys().chain(file.features.keys()).map(Name::as_str);
    if let Some(name) = sources_and_features().find(|name| name.ends_with(".quarantine")) {
        return Err(Failure::input(format!("{name} is the name of a quarantine; choose another")));
    }
    for name in file.features.keys() {
        if file.sources.contains_key(name) {
            return Err(Failure::input(format!("{name} is both a source and a feature set")));
        }
    }
    if let Some(training) = &file.training {
        if !file.features.contains_key(&training.features) {
            let failure = Failure::input(format!("training uses {}, which is not a feature set", training.features));
            return Err(match nearest(training.features.as_str(), sources_and_features()) {
                Some(near) => failure.hint(format!("did you mean {near:?}?")),
                None => failure,
            });
        }
        if !(0.05..=0.9).contains(&training.holdout) {
            return Err(Failure::input("training.holdout must be between 0.05 and 0.9"));
        }
    }
    if file.publishing.is_some() && file.training.is_none() {
        return Err(Failure::input("there is nothing to publish without `training`"));
    }
    if file.deployment.is_some() && file.publishing.is_none() {
        return Err(Failure::input("there is nothing to deploy without `publishing`"));
    }
    Ok(())
}

fn validate_quality(quality: &Quality) -> Result<()> {
    let (drift, poisoning) = (&quality.drift, &quality.poisoning);
    if quality.baseline.is_none() && (drift.is_some() || poisoning.is_some()) {
        let what = if drift.is_some() { "drift" } else { "poisoning" };
        return Err(Failure::input(format!("quality.{what} has no baseline to hold the rows against"))
            .hint("quality.baseline: {file: golden.csv, digest: \"sha256:...\"}"));
    }
    if drift.as_ref().is_some_and(|d| !(0.0..=1.0).contains(&d.distance) || !(0.0..=1.0).contains(&d.alpha)) {
        return Err(Failure::input("quality.drift: distance and alpha must be between 0 and 1"));
    }
    if poisoning.as_ref().is_some_and(|p| !(p.false_alarms > 0.0 && p.false_alarms < 1.0)) {
        return Err(Failure::input("quality.poisoning.falseAlarms must be more than 0 and less than 1"));
    }
    Ok(())
}

/// The JSON Schema of pipeline files, for editors.
pub fn pipeline_schema() -> serde_json::Value {
    schemars::schema_for!(PipelineFile).to_value()
}
