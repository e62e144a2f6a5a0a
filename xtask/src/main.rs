//! Development tasks: `cargo xtask test`, `cargo xtask setup`, `cargo xtask generate`,
//! `cargo xtask bench NAME`, `cargo xtask fuzz TARGET`.
//!
//! `test` installs what the tests need and runs everything that must hold before a change lands.
#![expect(clippy::print_stdout, reason = "a task tells what it is doing")]

mod generate;
mod judges;
mod map;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Development tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and run everything.
    Test,
    /// Install what the tests need.
    Setup,
    /// Write the generated files: schemas and the command line's reference.
    Generate,
    /// Feed a target of `fuzz` with what may break it: engine, names, checks, recognizers,
    /// suite, profile, contract or check.
    Fuzz {
        target: String,
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Build in release and run a benchmark: accuracy, check, detect, ingest, poisoning, quality, serve, audit or
    /// infer.
    Bench {
        name: String,
        /// Its options, such as `--megabytes 100`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?.to_owned();
    match Cli::parse().task {
        Task::Test => test(&root),
        Task::Setup => judges::install(&root),
        Task::Bench { name, options } => bench(&root, &name, &options),
        Task::Fuzz { target, seconds } => fuzz(&root, &target, seconds),
        Task::Generate => {
            run(&root, "cargo", &["build", "--package", "lockgate"])?;
            generate::write(&root)
        }
    }
}

fn test(root: &Path) -> Result<()> {
    let start = Instant::now();
    step("what the tests need", || judges::install(root))?;
    let bin = judges::bin(root);
    let deny = bin.join("cargo-deny").to_string_lossy().into_owned();
    let nextest = judges::nextest(root);
    step("format", || run(root, "cargo", &["fmt", "--all", "--check"]))?;
    step("crate map", || map::check(root))?;
    step("lints", || {
        run(root, "cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
    })?;
    step("licences and duplicates", || {
        run(root, &deny, &["--log-level", "error", "check", "licenses", "bans", "sources"])
    })?;
    step("build", || run(root, "cargo", &["build", "--workspace", "--quiet"]))?;
    step("generated files", || generate::check(root))?;
    step("examples in the documentation", || run(root, "cargo", &["test", "--workspace", "--doc", "--quiet"]))?;
    step("tests", || run(root, &nextest, &["nextest", "run", "--workspace"]))?;
    println!("all passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// cargo-fuzz asks for a nightly compiler only for its flags.
fn fuzz(root: &Path, target: &str, seconds: u32) -> Result<()> {
    let program = root.join("target/fuzz-tools/bin/cargo-fuzz");
    if !program.exists() {
        let tool = ["install", "--quiet", "--locked", "--root", "target/fuzz-tools", "cargo-fuzz@0.13.2"];
        run(root, "cargo", &tool)?;
    }
    seed(root, target)?;
    let mut options = vec!["run", "--sanitizer", "none", "--target-dir", "target/fuzz"];
    if target == "recognizers" {
        options.extend(["--features", "pipeline"]);
    }
    let status = Command::new(&program)
        .args(options)
        .args([target, "--"])
        .args([format!("-max_total_time={seconds}"), "-max_len=16384".into(), "-timeout=5".into()])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root)
        .status()
        .context("cargo-fuzz")?;
    if !status.success() {
        bail!("{target} found something; its input lies below fuzz/artifacts/{target}");
    }
    Ok(())
}

/// What a target starts from: whole documents of its own where it reads some, else the examples of
/// the recognizers.
fn seed(root: &Path, target: &str) -> Result<()> {
    let corpus = root.join("fuzz/corpus").join(target);
    let seeds = root.join("fuzz/seeds");
    fs::create_dir_all(&corpus)?;
    match target {
        "suite" => {
            for (number, suite) in fs::read_to_string(seeds.join("suite.jsonl"))?.lines().enumerate() {
                fs::write(corpus.join(format!("suite-{number}")), suite)?;
            }
        }
        "check" => {
            // Every case of the corpus, its file's name first.
            let cases = root.join("crates/lockgate-check/corpus");
            for file in ["python_credentials.txt", "python_storage.txt", "other.txt", "clean.txt"] {
                for (number, case) in fs::read_to_string(cases.join(file))?.split("### ").enumerate().skip(1) {
                    let (head, body) = case.split_once('\n').unwrap_or((case, ""));
                    let path = head.rsplit(" | ").next().unwrap_or("a.py");
                    fs::write(corpus.join(format!("{file}-{number}")), format!("{path}\n{body}"))?;
                }
            }
        }
        "contract" => {
            fs::copy(seeds.join("contract.yaml"), corpus.join("contract"))?;
            fs::copy(root.join("examples/reviews/contracts/reviews.yaml"), corpus.join("reviews"))?;
        }
        "profile" => {
            let out = corpus.join("whole");
            let (program, out_text) = ("target/debug/lockgate", out.to_string_lossy().into_owned());
            run(root, "cargo", &["build", "--package", "lockgate"])?;
            run(root, program, &["profile", "fuzz/seeds/people.csv", "--quiet", "--out", &out_text])?;
            // The target adds the first bytes and the digest.
            let bytes = fs::read(&out)?;
            let body = bytes.get(8..bytes.len().saturating_sub(32)).context("a profile has a body")?;
            fs::write(&out, body)?;
        }
        _ => {
            let examples = fs::read_to_string(root.join("crates/lockgate-detect/src/examples.tsv"))?;
            for (number, line) in examples.lines().enumerate() {
                if let Some(text) = line.rsplit('\t').next() {
                    fs::write(corpus.join(format!("example-{number}")), text)?;
                }
            }
        }
    }
    Ok(())
}

fn bench(root: &Path, name: &str, options: &[String]) -> Result<()> {
    match name {
        "serve" => judges::debian(root, "benches/debian.txt")?,
        "infer" => judges::install(root)?,
        _ => {}
    }
    run(root, "cargo", &["build", "--release", "--package", "lockgate", "--package", "lockgate-bench"])?;
    let mut args = vec![name];
    args.extend(options.iter().map(String::as_str));
    run(root, "target/release/lockgate-bench", &args)
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let start = Instant::now();
    work().with_context(|| format!("step \"{name}\" failed"))?;
    println!("   {name}: {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn run(root: &Path, program: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(args)
        .current_dir(root)
        .status()
        .with_context(|| format!("{program} cannot be started"))?;
    if !status.success() {
        bail!("`{program} {}` failed", args.join(" "));
    }
    Ok(())
}

fn output(root: &Path, program: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(root).output()?;
    if !output.status.success() {
        bail!("`{} {}` failed", program.display(), args.join(" "));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn program(root: &Path) -> PathBuf {
    root.join("target/debug/lockgate")
}
