//! Benchmarks. Each measures Lockgate and a peer, or a limit of the machine, in the same run and
//! prints the ratio: `cargo xtask bench NAME`.
#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "a benchmark prints what it measured")]

mod accuracy;
mod audit;
mod check;
mod detect;
mod infer;
mod ingest;
mod poisoning;
mod process;
mod quality;
mod serve;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// All gates on the way into the lake, against plain CSV to zstd Parquet.
    Ingest {
        #[arg(long, default_value_t = 500)]
        megabytes: u64,
    },
    /// A request through the gateway, against nginx that only ends TLS and forwards.
    Serve {
        #[arg(long, default_value_t = 32)]
        connections: usize,
        #[arg(long, default_value_t = 8)]
        seconds: u64,
    },
    /// Events a second against plain appends, and proofs in a log of a million.
    Audit {
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
    },
    /// What is found of labelled text, beside Presidio: a table in Markdown.
    Accuracy {
        /// JSON lines with `text` and `spans` of `type`, `start` and `end` in code points.
        #[arg(long)]
        gold: PathBuf,
    },
    /// Code with planted violations, beside bandit, ruff, detect-secrets, checkov and semgrep: a
    /// table in Markdown.
    Check {
        /// A folder of DAGs for the time.
        #[arg(long)]
        dags: Option<PathBuf>,
        /// Rules of semgrep; without them it is left out, since they come over the network.
        #[arg(long)]
        semgrep_rules: Option<PathBuf>,
    },
    /// Finding and redacting, against a bare automaton and Presidio.
    Detect {
        /// The text to scan; made when it is not given.
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, default_value_t = 50)]
        megabytes: usize,
    },
    /// One row through our evaluator and through onnxruntime.
    Infer,
    /// Expectations, profiles and drift, against Great Expectations, whylogs and Evidently.
    Quality {
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Leave the peers out, which do not hold as many rows as we do.
        #[arg(long)]
        alone: bool,
    },
    /// Attacks planted in the Adult data, and how often each method sees them: a table in Markdown.
    Poisoning {
        /// `applicants.csv` of the Adult data; when it is nowhere, people are made up.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Clean batches, which say where 1 % false alarms lie.
        #[arg(long, default_value_t = 1_000)]
        clean: usize,
        /// Batches of each attack at each rate.
        #[arg(long, default_value_t = 100)]
        attacked: usize,
        /// Clean data beside baselines of several sizes.
        #[arg(long, default_value_t = 40)]
        trials: usize,
    },
    /// The peer of `ingest`, as a process of its own.
    #[command(hide = true)]
    PlainIngest { csv: PathBuf, parquet: PathBuf },
}

fn main() -> Result<()> {
    match Cli::parse().bench {
        Bench::Ingest { megabytes } => ingest::bench(megabytes),
        Bench::Serve { connections, seconds } => serve::bench(connections, seconds),
        Bench::Audit { events } => audit::bench(events),
        Bench::Check { dags, semgrep_rules } => check::bench(dags, semgrep_rules),
        Bench::Accuracy { gold } => accuracy::bench(&gold),
        Bench::Detect { file, megabytes } => detect::bench(file, megabytes),
        Bench::Infer => infer::bench(),
        Bench::Quality { rows, alone } => quality::bench(rows, alone),
        Bench::Poisoning { data, clean, attacked, trials } => poisoning::bench(data, clean, attacked, trials),
        Bench::PlainIngest { csv, parquet } => ingest::plain(&csv, &parquet),
    }
}
