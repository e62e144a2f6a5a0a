//! `lockgate run` and `lockgate ingest`.

use lockgate_catalog::{Catalog as _, Run};
use lockgate_core::{Clock, Failure, Name, Result, RunId};
use lockgate_pipeline::{
    Pipeline, Progress as _, Workspace,
    deploy::{self, Deployed},
    derive::{self, Derived},
    ingest::{self, Outcome},
    model::{self, Published},
};
use lockgate_source::Trust;
use serde::Serialize;

use crate::{
    cli::{Format, Global, IngestArgs, RunArgs},
    environment::{self, Setup},
    output::{self, Terminal},
};

/// Reads the pipeline and applies what the command line says about its sources.
pub fn read_pipeline(args: &RunArgs) -> Result<Pipeline> {
    let mut pipeline = Pipeline::read(&args.pipeline)?;
    for setting in &args.source {
        let (name, uri) = split(setting)?;
        let here =
            std::env::current_dir().map_err(|e| Failure::input(format!("the current folder cannot be read: {e}")))?;
        let uri = if uri.contains("://") { uri.to_owned() } else { here.join(uri).to_string_lossy().into_owned() };
        source(&mut pipeline, name)?.uri = uri;
    }
    for setting in &args.trust {
        let (name, trust) = split(setting)?;
        source(&mut pipeline, name)?.trust = match trust {
            "unauthenticated" => Trust::Unauthenticated,
            digest => Trust::Sha256(digest.parse()?),
        };
    }
    Ok(pipeline)
}

fn split(setting: &str) -> Result<(&str, &str)> {
    setting.split_once('=').ok_or_else(|| Failure::usage(format!("{setting:?} is not NAME=VALUE")))
}

fn source<'p>(pipeline: &'p mut Pipeline, name: &str) -> Result<&'p mut lockgate_source::SourceSpec> {
    let name: Name = name.parse()?;
    let failure = Failure::usage(format!("the pipeline has no source {name}"));
    pipeline.file.sources.get_mut(&name).map(|ingest| &mut ingest.source).ok_or(failure)
}

pub fn ingest(global: &Global, args: &IngestArgs) -> Result<()> {
    let pipeline = read_pipeline(&args.run)?;
    let (_setup, mut workspace) = super::open_or_create(global, &args.run.pipeline)?;
    let only = args.only.as_deref().map(str::parse::<Name>).transpose()?;
    let progress = Terminal::new(global);
    let outcomes = recorded(&mut workspace, &pipeline, |workspace, run| {
        ingest_sources(workspace, &pipeline, only.as_ref(), run, &progress)
    })?;
    progress.finish();
    report(global, &outcomes)
}

/// Does the work of a run, with its beginning and its end in the catalog.
fn recorded<T>(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    work: impl FnOnce(&mut Workspace, &RunId) -> Result<T>,
) -> Result<T> {
    let run = RunId::generate();
    let mut entry = Run {
        id: run.clone(),
        pipeline: pipeline.file.name.clone(),
        pipeline_digest: pipeline.digest.to_string(),
        purpose: pipeline.file.purpose.clone(),
        started: Clock.now(),
        finished: None,
        outcome: "running".into(),
    };
    workspace.catalog.put_run(&entry)?;
    let outcome = work(workspace, &run);
    entry.finished = Some(Clock.now());
    entry.outcome = if outcome.is_ok() { "done" } else { "failed" }.into();
    workspace.catalog.put_run(&entry)?;
    outcome
}

fn ingest_sources(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    only: Option<&Name>,
    run: &RunId,
    progress: &Terminal,
) -> Result<Vec<Outcome>> {
    let names: Vec<Name> = match only {
        Some(name) => vec![name.clone()],
        None => pipeline.file.sources.keys().cloned().collect(),
    };
    names.iter().map(|name| ingest::ingest(workspace, pipeline, name, run, progress)).collect()
}

/// What a run came to.
#[derive(Serialize)]
struct Report {
    run: String,
    ingested: Vec<Outcome>,
    derived: Vec<Derived>,
    published: Option<Published>,
    deployed: Option<Deployed>,
}

pub fn run(global: &Global, args: &RunArgs) -> Result<()> {
    let pipeline = read_pipeline(args)?;
    let (setup, mut workspace) = super::open_or_create(global, &args.pipeline)?;
    let progress = Terminal::new(global);
    let outcome =
        recorded(&mut workspace, &pipeline, |workspace, run| stages(workspace, &setup, &pipeline, run, &progress))?;
    progress.finish();
    if global.format != Format::Table {
        return output::json(global, &outcome);
    }
    report(global, &outcome.ingested)?;
    for derived in &outcome.derived {
        let unchanged = if derived.unchanged { " (unchanged)" } else { "" };
        output::line(&format!(
            "{}{unchanged}  {} rows, manifest {}",
            derived.snapshot, derived.rows, derived.snapshot.manifest
        ));
    }
    if let Some(published) = &outcome.published {
        super::model::print(published);
    }
    if let Some(deployed) = &outcome.deployed {
        super::serve::print(deployed);
    }
    Ok(())
}

fn stages(
    workspace: &mut Workspace,
    setup: &Setup,
    pipeline: &Pipeline,
    run: &RunId,
    progress: &Terminal,
) -> Result<Report> {
    let ingested = ingest_sources(workspace, pipeline, None, run, progress)?;
    let engine = lockgate_query::Engine::new(setup.runtime.handle().clone());
    let names: Vec<Name> = pipeline.file.features.keys().cloned().collect();
    let derived = names
        .iter()
        .map(|name| derive::derive(workspace, &engine, pipeline, name, run, progress))
        .collect::<Result<Vec<_>>>()?;
    let published = model::train(workspace, pipeline, run, progress, environment::registry_credentials())?;
    let deployed = match (&pipeline.file.deployment, &published) {
        (Some(deployment), Some(published)) => {
            progress.stage("deploy", deployment.endpoint.as_str());
            Some(deploy::deploy(workspace, &deployment.endpoint, &published.path, Some(run))?)
        }
        _ => None,
    };
    Ok(Report { run: run.to_string(), ingested, derived, published, deployed })
}

fn report(global: &Global, outcomes: &[Outcome]) -> Result<()> {
    if global.format != Format::Table {
        return output::json(global, &outcomes);
    }
    for outcome in outcomes {
        let unchanged = if outcome.unchanged { " (unchanged)" } else { "" };
        output::line(&format!("{}{unchanged}  manifest {}", outcome.snapshot, outcome.snapshot.manifest));
        output::line(&format!(
            "  {} rows read = {} committed + {} quarantined; {} data subjects; {} values transformed",
            outcome.rows_read,
            outcome.rows_committed,
            outcome.rows_quarantined,
            outcome.subjects,
            outcome.transformations
        ));
        for source in &outcome.sources {
            output::line(&format!("  source {source}"));
        }
        if let Some(quarantine) = &outcome.quarantine {
            output::line(&format!("  refused rows are in {quarantine}"));
        }
        for (column, rule, count) in &outcome.violations {
            output::line(&format!("    {count:>8}  {column}: {rule}"));
        }
        for finding in &outcome.findings {
            output::line(&format!(
                "    {:>8}  {} in {}: {}",
                finding.count, finding.entity, finding.column, finding.operator
            ));
        }
    }
    Ok(())
}
