//! A run: the parent writes a job to the worker's standard input, the worker isolates itself,
//! trains, and leaves the model in the one folder that it may write to.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
};

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use lockgate_core::{Digest, Failure, Fault, Result, Sensitive, limits};
use lockgate_keys::Key;
use lockgate_lake::{Keyring, MapKeyring, SUBJECT_COLUMN, open_file};
use serde::{Deserialize, Serialize};

use crate::{
    features::{Matrix, Part, Roles, part_of},
    isolate::{self, Grants, Layer, Limits},
    logistic, trees,
    watch::Attempt,
};

/// The hidden argument that makes the program a worker.
pub const WORKER_FLAG: &str = "__train-worker";

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrainerSpec {
    LogisticRegression { penalty: f64, iterations: u64 },
    GradientBoosting { budget: f32 },
    Command(Vec<String>),
}

/// Everything that a run needs, and nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Encrypted files of the feature set, in the order of its manifest.
    pub files: Vec<PathBuf>,
    pub columns: Vec<String>,
    pub label: String,
    pub positive: String,
    pub exclude: Vec<String>,
    pub text: Vec<String>,
    pub holdout: f64,
    pub seed: u64,
    pub trainer: TrainerSpec,
    pub limits: Limits,
    pub accept_missing: Vec<Layer>,
    pub readable: Vec<PathBuf>,
    /// The only folder that may be written to; it exists and is empty.
    pub output: PathBuf,
    /// Becomes a private memory file system; it exists and is empty.
    pub scratch: PathBuf,
}

/// What a run says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub model: Digest,
    pub rows: u64,
    pub layers: Vec<Layer>,
}

#[derive(Serialize, Deserialize)]
struct Order {
    job: Job,
    /// Master keys by id, in hexadecimal.
    keys: BTreeMap<String, String>,
}

/// A line that a worker or its supervisor writes.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer {
    Done { rows: u64, layers: Vec<Layer> },
    Failed { exit_code: u8, what: String, hint: Option<String> },
    Attempts(Vec<Attempt>),
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// What the trainer tried beyond what it was granted. Empty without namespaces and seccomp: then nobody
    /// could watch.
    pub attempts: Vec<Attempt>,
    pub outcome: Result<Outcome>,
}

/// Runs a job in a process of its own; the keys reach that process and no other.
pub fn run(job: &Job, keys: &BTreeMap<String, Key>) -> Result<Ran> {
    let order = Order {
        job: job.clone(),
        keys: keys.iter().map(|(id, key)| (id.clone(), hex::encode(key.expose()))).collect(),
    };
    let order = Sensitive::new(serde_json::to_vec(&order).map_err(|_| Failure::bug("a job could not be written"))?);
    let program =
        std::env::current_exe().map_err(|e| Failure::unreachable(format!("the program cannot find itself: {e}")))?;
    let mut child = Command::new(program)
        .arg(WORKER_FLAG)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::unreachable(format!("the trainer cannot be started: {e}")))?;
    if let Some(mut input) = child.stdin.take() {
        // A worker that ended early says why on its standard output.
        let _ = input.write_all(order.expose());
    }
    let output = child.wait_with_output().map_err(|e| Failure::unreachable(format!("the trainer was lost: {e}")))?;
    let (mut attempts, mut answer) = (Vec::new(), None);
    for line in output.stdout.split(|b| *b == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Answer::Attempts(told)) => attempts = told,
            Ok(other) => answer = Some(other),
            Err(_) => {}
        }
    }
    Ok(Ran { attempts, outcome: outcome(job, answer, output.status) })
}

fn outcome(job: &Job, answer: Option<Answer>, status: ExitStatus) -> Result<Outcome> {
    match answer {
        Some(Answer::Done { rows, layers }) => {
            let model = Digest::of(&read_model(&job.output)?);
            Ok(Outcome { model, rows, layers })
        }
        Some(Answer::Failed { exit_code, what, hint }) => {
            let fault =
                [Fault::Findings, Fault::Usage, Fault::Input, Fault::Denied, Fault::Integrity, Fault::Unreachable]
                    .into_iter()
                    .find(|fault| fault.exit_code() == exit_code)
                    .unwrap_or(Fault::Bug);
            let failure = Failure::new(fault, what);
            Err(match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        _ => Err(Failure::findings(format!("the trainer ended without an answer ({status})"))
            .hint("it may have met a limit: see training.isolation.memoryMib and cpuSecs")),
    }
}

/// Reads the model that a trainer left. The trainer may have left anything under that name, so a
/// link, a pipe and a file that is too large are refused before they are followed or waited for.
pub fn read_model(output: &Path) -> Result<Vec<u8>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let missing = || {
        Failure::findings("the trainer left no model.onnx")
            .hint("it must write a plain file model.onnx to the folder in LOCKGATE_OUTPUT")
    };
    let mut file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(output.join("model.onnx"))
        .map_err(|_| missing())?;
    let metadata = file.metadata().map_err(|_| missing())?;
    if !metadata.is_file() {
        return Err(missing());
    }
    if metadata.len() > limits::MODEL_BYTES_MAX {
        return Err(Failure::findings("the model is larger than 512 MiB"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|_| missing())?;
    Ok(bytes)
}

/// The worker's side. Must be called before the process starts a thread.
pub fn worker() -> u8 {
    let answer = match work() {
        Ok((rows, layers)) => Answer::Done { rows, layers },
        Err(failure) => Answer::Failed {
            exit_code: failure.fault().exit_code(),
            what: failure.to_string(),
            hint: failure.hint_text().map(str::to_owned),
        },
    };
    tell(&answer);
    u8::from(matches!(answer, Answer::Failed { .. }))
}

fn matrix(job: &Job, batches: &[RecordBatch]) -> Result<Matrix> {
    let roles = Roles { label: &job.label, positive: &job.positive, exclude: &job.exclude, text: &job.text };
    Matrix::new(batches, roles)
}

pub(crate) fn tell(answer: &Answer) {
    let mut text = serde_json::to_vec(answer).unwrap_or_default();
    text.push(b'\n');
    let _ = std::io::stdout().write_all(&text);
}

fn work() -> Result<(u64, Vec<Layer>)> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(limits::DOCUMENT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::bug(format!("the job cannot be read: {e}")))?;
    let text = Sensitive::new(bytes);
    let Order { job, keys } =
        serde_json::from_slice(text.expose()).map_err(|_| Failure::bug("the job is malformed"))?;
    let keys = keys
        .into_iter()
        .map(|(id, digits)| {
            let mut key = [0u8; 32];
            hex::decode_to_slice(digits, &mut key).map_err(|_| Failure::bug("a key is malformed"))?;
            Ok((id, Key::new(key)))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    let layers = isolate(&job)?;
    let batches = read_training_rows(&job, Arc::new(MapKeyring(keys)))?;
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    let model = match &job.trainer {
        TrainerSpec::LogisticRegression { penalty, iterations } => {
            Some(logistic::train(&matrix(&job, &batches)?, *penalty, *iterations)?)
        }
        TrainerSpec::GradientBoosting { budget } => Some(trees::train(&matrix(&job, &batches)?, *budget, job.seed)?),
        TrainerSpec::Command(command) => {
            run_command(&job, command, &batches)?;
            None
        }
    };
    if let Some(model) = model {
        let path = job.output.join("model.onnx");
        fs::write(&path, model).map_err(|e| Failure::io("write", &path, &e))?;
    }
    Ok((rows, layers))
}

fn isolate(job: &Job) -> Result<Vec<Layer>> {
    let accepted = &job.accept_missing;
    let mut layers = Vec::new();
    let is_command = matches!(job.trainer, TrainerSpec::Command(_));
    let grants = grants(job, is_command);
    let watcher = isolate::namespaces(&job.scratch, &grants, accepted)?;
    if watcher.is_some() {
        layers.push(Layer::Namespaces);
    }
    if is_command && !layers.contains(&Layer::Namespaces) {
        return Err(Failure::unreachable(
            "a command cannot train without namespaces: its input would lie on disk in the clear",
        )
        .hint("use a built-in trainer on this machine"));
    }
    isolate::limits(job.limits)?;
    if isolate::landlock(&grants, accepted)? {
        layers.push(Layer::Landlock);
    }
    if isolate::seccomp(watcher.as_ref(), accepted)? {
        layers.push(Layer::Seccomp);
    }
    Ok(layers)
}

fn grants(job: &Job, is_command: bool) -> Grants {
    let mut readable = job.files.clone();
    if is_command {
        let system = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/urandom"];
        readable.extend(system.iter().map(PathBuf::from).filter(|path| path.exists()));
        readable.extend(job.readable.iter().cloned());
    }
    if matches!(job.trainer, TrainerSpec::GradientBoosting { .. }) {
        // perpetual wants to see that there is memory; the amount that it may use is fixed.
        readable.push("/proc/meminfo".into());
    }
    let mut writable = vec![job.output.clone(), job.scratch.clone()];
    if is_command {
        writable.push("/dev/null".into());
    }
    Grants { readable, writable, execute: is_command }
}

/// Decrypts the feature set and keeps the rows of the training side.
fn read_training_rows(job: &Job, keyring: Arc<dyn Keyring>) -> Result<Vec<RecordBatch>> {
    let mut columns = job.columns.clone();
    columns.push(SUBJECT_COLUMN.to_owned());
    let mut out = Vec::new();
    let mut row = 0u64;
    for path in &job.files {
        let file = fs::File::open(path).map_err(|e| Failure::io("open", path, &e))?;
        let (reader, order) = open_file(file, Arc::clone(&keyring), Some(&columns))?;
        for batch in reader {
            let batch = batch
                .and_then(|b| b.project(&order))
                .map_err(|_| Failure::denied("a column of the feature set cannot be decrypted"))?;
            let subjects = batch.column(batch.num_columns() - 1).as_fixed_size_binary();
            let mask: BooleanArray = (0..batch.num_rows())
                .map(|at| {
                    let subject = subjects.is_valid(at).then(|| subjects.value(at));
                    Some(part_of(subject, row + at as u64, job.seed, job.holdout) == Part::Train)
                })
                .collect();
            row += batch.num_rows() as u64;
            let visible: Vec<usize> = (0..job.columns.len()).collect();
            let batch = batch.project(&visible).map_err(|_| Failure::bug("a batch lost its columns"))?;
            out.push(
                arrow::compute::filter_record_batch(&batch, &mask)
                    .map_err(|_| Failure::bug("a batch could not be split"))?,
            );
        }
    }
    Ok(out)
}

/// Runs a user's trainer inside the isolation that is already in force.
fn run_command(job: &Job, command: &[String], batches: &[RecordBatch]) -> Result<()> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::input("training.trainer.command is empty"))?;
    let input = job.scratch.join("input");
    fs::create_dir_all(&input).map_err(|e| Failure::io("create", &input, &e))?;
    write_parquet(&input.join("train.parquet"), batches)?;
    let status = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &job.scratch)
        .env("TMPDIR", &job.scratch)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .env("LOCKGATE_INPUT", &input)
        .env("LOCKGATE_OUTPUT", &job.output)
        .env("LOCKGATE_LABEL", &job.label)
        .env("LOCKGATE_POSITIVE", &job.positive)
        .env("LOCKGATE_EXCLUDE", job.exclude.join(","))
        .env("LOCKGATE_TEXT", job.text.join(","))
        .env("LOCKGATE_SEED", job.seed.to_string())
        .current_dir(&job.scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|e| {
            Failure::findings(format!("the trainer {program:?} cannot be started: {e}"))
                .hint("list its interpreter's folder under training.isolation.readable")
        })?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::findings(format!("the trainer ended with {status}"))
        .hint("what it prints is not kept, since it may hold values; run it by hand on data of your own"))
}

fn write_parquet(path: &Path, batches: &[RecordBatch]) -> Result<()> {
    let first = batches.first().ok_or_else(|| Failure::input("there is no row to train on"))?;
    let file = fs::File::create(path).map_err(|e| Failure::io("create", path, &e))?;
    let failed = |_| Failure::bug("the training rows could not be written");
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, first.schema(), None).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.close().map(|_| ()).map_err(failed)
}
