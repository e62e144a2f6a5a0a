//! One module a command.

mod audit;
mod check;
mod contract;
mod demo;
mod drift;
mod expect;
mod explain;
mod init;
mod keys;
mod lake;
mod model;
mod names;
mod picture;
mod profile;
mod quarantine;
mod query;
mod run;
mod scan;
mod screen;
mod serve;
mod verify;

use std::path::PathBuf;

use clap::CommandFactory as _;
use lockgate_core::{Failure, Result};
use lockgate_pipeline::{
    Workspace, config,
    workspace::{self, Absent},
};

use crate::{
    cli::{CatalogCommand, Cli, Command, Format, Global, PolicyCommand, QuarantineCommand, SchemaKind},
    environment::{self, Setup},
    output,
};

pub fn dispatch(cli: &Cli) -> Result<()> {
    let global = &cli.global;
    if global.format == Format::Sarif && !matches!(cli.command, Command::Scan(_) | Command::Check(_)) {
        return Err(Failure::usage("--format sarif is for findings about files")
            .hint("use it with `lockgate scan` or `lockgate check`"));
    }
    if matches!(global.format, Format::Github | Format::Gitlab | Format::Junit)
        && !matches!(cli.command, Command::Check(_))
    {
        return Err(Failure::usage("--format github, gitlab and junit are for findings in code")
            .hint("use it with `lockgate check`"));
    }
    match &cli.command {
        Command::Init(args) => init::init(global, args),
        Command::Demo(args) => demo::demo(global, args),
        Command::Run(args) => run::run(global, args),
        Command::Ingest(args) => run::ingest(global, args),
        Command::Query(args) => query::query(global, args),
        Command::Train(args) => model::train(global, args),
        Command::Model(command) => model::model(global, command),
        Command::Deploy(args) => serve::deploy(global, args),
        Command::Serve(args) => serve::serve(global, args),
        Command::Scan(args) => scan::scan(global, args),
        Command::Check(args) => check::check(global, args),
        Command::Policy(PolicyCommand::Test(args)) => check::policy_test(global, args),
        Command::Contract(command) => contract::contract(global, command),
        Command::Profile(args) => profile::profile(global, args),
        Command::Drift(args) => drift::drift(global, args),
        Command::Screen(args) => screen::screen(global, args),
        Command::Expect(args) => expect::expect(global, args),
        Command::Names(command) => names::names(global, command),
        Command::Explain(args) => explain::explain(global, args),
        Command::Quarantine(QuarantineCommand::Release(args)) => quarantine::release(global, args),
        Command::Datasets => lake::datasets(global),
        Command::Lineage(args) => lake::lineage(global, args),
        Command::Audit(args) => audit::audit(global, args),
        Command::Keys(command) => keys::keys(global, command),
        Command::Verify => verify::verify(global),
        Command::Catalog(CatalogCommand::Rebuild) => lake::rebuild(global),
        Command::Schema(args) => output::json(
            global,
            &match args.kind {
                SchemaKind::Pipeline => config::pipeline_schema(),
                SchemaKind::Workspace => workspace::workspace_schema(),
                SchemaKind::Facts => lockgate_check::facts::schema(),
            },
        ),
        Command::Completions(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "lockgate", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// The workspace's folder: named, or the nearest one upward from here, or from `near`.
fn find_root(global: &Global, near: Option<&std::path::Path>) -> Result<PathBuf> {
    if let Some(named) = &global.workspace {
        if named.join(workspace::WORKSPACE_FILE).is_file() {
            return Ok(named.clone());
        }
        return Err(Failure::input(format!("{} holds no lockgate.yaml", named.display()))
            .hint("`lockgate init DIR` makes a workspace"));
    }
    let here =
        std::env::current_dir().map_err(|e| Failure::input(format!("the current folder cannot be read: {e}")))?;
    workspace::find(&here)
        .or_else(|| {
            near.and_then(std::path::Path::parent).and_then(|folder| {
                workspace::find(if folder.as_os_str().is_empty() { std::path::Path::new(".") } else { folder })
            })
        })
        .ok_or_else(|| {
            Failure::usage("there is no workspace here")
                .hint("`lockgate init` makes one, --workspace names one, `lockgate demo` shows one")
        })
}

fn open(global: &Global, near: Option<&std::path::Path>) -> Result<(Setup, Workspace)> {
    open_with(global, near, Absent::Refuse)
}

/// Like [`open`], but a workspace that was never used gets its keys, log and lake.
fn open_or_create(global: &Global, near: &std::path::Path) -> Result<(Setup, Workspace)> {
    open_with(global, Some(near), Absent::Create)
}

fn open_with(global: &Global, near: Option<&std::path::Path>, absent: Absent) -> Result<(Setup, Workspace)> {
    let root = find_root(global, near)?;
    let setup = environment::setup()?;
    let workspace = Workspace::open(&root, global.acting.as_deref(), setup.environment.clone(), absent)?;
    Ok((setup, workspace))
}

/// Reads `dataset`, `dataset@version` or `dataset@2026-01-31T00:00:00Z`.
fn snapshot(workspace: &Workspace, text: &str) -> Result<lockgate_lake::SnapshotRef> {
    let (name, at) = text.split_once('@').map_or((text, None), |(name, at)| (name, Some(at)));
    let dataset: lockgate_core::Name = name.parse()?;
    let missing =
        || Failure::input(format!("there is no snapshot {text}")).hint("`lockgate datasets` lists what there is");
    match at {
        None => workspace.lake.head(&dataset)?.ok_or_else(missing),
        Some(at) => match at.parse::<u64>() {
            Ok(version) => workspace.lake.at_version(&dataset, version),
            Err(_) => workspace.lake.at_time(&dataset, at.parse()?)?.ok_or_else(missing),
        },
    }
}
