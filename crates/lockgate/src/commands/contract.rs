//! `lockgate contract`: test data against a contract, infer a first one, compare two.

use std::path::PathBuf;

use lockgate_core::{Classification, Failure, Result, durable};
use lockgate_detect::{Engine, known};
use lockgate_pipeline::{contract as held, quality};
use lockgate_quality::{Change, ChangeKind, Contract, Draft, Metric, diff, infer, profile::Options};
use lockgate_source::Dates;
use serde_json::json;

use super::{expect::Queries, names};
use crate::{
    cli::{ContractCommand, ContractDiffArgs, ContractInferArgs, ContractTestArgs, Format, Global},
    environment, output,
};

pub fn contract(global: &Global, command: &ContractCommand) -> Result<()> {
    match command {
        ContractCommand::Test(args) => test(global, args),
        ContractCommand::Infer(args) => first(global, args),
        ContractCommand::Diff(args) => compare(global, args),
    }
}

fn test(global: &Global, args: &ContractTestArgs) -> Result<()> {
    let contract = Contract::read(&args.contract)?;
    let data = data(&contract, args)?;
    let engine = names::add(global, args.names, Engine::new())?;
    let setup = environment::setup()?;
    let needs_sql = contract.quality.iter().any(|rule| match &rule.metric {
        Metric::Sql(_) => true,
        Metric::Expectation(suite) => suite.needs_sql(),
        _ => false,
    });
    let sql = if needs_sql {
        let tables = quality::open(&data, Dates::Parsed)?;
        Some(Queries::new(&setup, contract.dataset.as_str(), &args.table, &tables)?)
    } else {
        None
    };
    let progress = output::Terminal::new(global);
    let sql = sql.as_ref().map(|sql| sql as &dyn lockgate_quality::expect::Sql);
    let others: Vec<(String, PathBuf)> = args
        .table
        .iter()
        .map(|table| {
            table.split_once('=').map(|(name, path)| (name.to_owned(), path.into())).ok_or_else(|| {
                Failure::usage(format!("--table {table} is not NAME=FILE"))
                    .hint("for example --table orders=orders.parquet")
            })
        })
        .collect::<Result<_>>()?;
    let keys = held::reference_keys(&contract, &data, &others)?;
    let tested = held::test(&contract, &data, &engine, sql, &keys, &progress)?;
    progress.finish();
    if global.format == Format::Table {
        let mut rows: Vec<[String; 4]> = Vec::new();
        for broken in &tested.rows_broken {
            let first: Vec<String> = broken.first.iter().map(ToString::to_string).collect();
            let what = format!("{} rows, such as {}", broken.rows, first.join(", "));
            rows.push([output::verdict(false, "✗"), broken.column.clone(), broken.rule.clone(), what]);
        }
        for rule in &tested.quality {
            let mark = match (rule.passed, rule.warning) {
                (true, _) => output::verdict(true, "✓"),
                (false, true) => "!".to_owned(),
                (false, false) => output::verdict(false, "✗"),
            };
            let observed = rule.observed.map(|value| format!("{value}, ")).unwrap_or_default();
            let column = rule.column.clone().unwrap_or_default();
            rows.push([mark, column, rule.rule.clone(), format!("{observed}{}", rule.demand)]);
        }
        if !rows.is_empty() {
            output::rows(global, &["", "column", "rule", "observed"], &rows, |row| row.to_vec())?;
            output::line("");
        }
        for problem in &tested.governance {
            output::line(&format!("{} {problem}", output::verdict(false, "✗")));
        }
        output::line(&format!("{} of {} rows keep the contract", tested.accepted, tested.rows));
    } else {
        output::json(global, &tested)?;
    }
    if tested.passed {
        return Ok(());
    }
    Err(Failure::findings(format!("the data does not keep the contract of {}", contract.dataset)))
}

/// The files that are named, or else those that the contract's servers name.
fn data(contract: &Contract, args: &ContractTestArgs) -> Result<Vec<PathBuf>> {
    if !args.data.is_empty() {
        return Ok(args.data.clone());
    }
    let folder = args.contract.parent().unwrap_or(std::path::Path::new("."));
    let files: Vec<PathBuf> = contract.files.iter().map(|path| folder.join(path)).collect();
    if files.is_empty() {
        return Err(Failure::usage("no file is named, and the contract has no server of type local")
            .hint("lockgate contract test CONTRACT DATA"));
    }
    Ok(files)
}

fn first(global: &Global, args: &ContractInferArgs) -> Result<()> {
    let tables = quality::open(&args.data, Dates::Parsed)?;
    let engine = names::add(global, args.names, Engine::new())?;
    let progress = output::Terminal::new(global);
    let profile = quality::profile(&tables, &engine, &Options::default(), environment::threads(), &progress)?;
    progress.finish();
    let stem = args.data.first().and_then(|path| path.file_stem()).unwrap_or_default().to_string_lossy().to_lowercase();
    let draft = Draft {
        dataset: args.dataset.clone().unwrap_or_else(|| stem.split('.').next().unwrap_or("dataset").to_owned()),
        owner: args.owner.clone(),
        purpose: args.purpose.clone(),
        subject: args.subject.clone(),
    };
    let text = infer(&profile, &draft, &classification);
    match &args.out {
        Some(path) => {
            if path.exists() {
                return Err(Failure::usage(format!("{} exists already", path.display()))
                    .hint("choose another name, then compare with `lockgate contract diff`"));
            }
            durable::write_to(path, text.as_bytes())?;
            output::say(global, &format!("contract written to {}", path.display()));
        }
        None => output::line(text.trim_end()),
    }
    Ok(())
}

/// Secrets and what identifies one person by itself are restricted, other personal values
/// confidential.
fn classification(entity: &str) -> Classification {
    let secret = known().iter().any(|known| known.entity.as_str() == entity && known.secret);
    let identifying = ["PERSON", "EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "MEDICAL_LICENSE"];
    match entity {
        _ if !quality::is_personal(entity) => Classification::Internal,
        _ if secret || identifying.contains(&entity) || entity.contains("SSN") || entity.contains("PASSPORT") => {
            Classification::Restricted
        }
        _ => Classification::Confidential,
    }
}

fn compare(global: &Global, args: &ContractDiffArgs) -> Result<()> {
    let (old, new) = (Contract::read(&args.old)?, Contract::read(&args.new)?);
    let changes = diff(&old, &new);
    if global.format == Format::Table {
        output::rows(global, &["", "column", "change"], &changes, |change: &Change| {
            let kind = match change.kind {
                ChangeKind::Breaking => output::verdict(false, "breaking"),
                ChangeKind::Weakening => output::verdict(false, "weakening"),
                ChangeKind::Compatible => "compatible".to_owned(),
            };
            vec![kind, change.column.clone().unwrap_or_default(), change.what.clone()]
        })?;
    } else {
        output::json(global, &json!({"changes": changes}))?;
    }
    let count = |kind: ChangeKind| changes.iter().filter(|change| change.kind == kind).count();
    let (breaking, weakening) = (count(ChangeKind::Breaking), count(ChangeKind::Weakening));
    if breaking + weakening == 0 {
        return Ok(());
    }
    Err(Failure::findings(format!("{breaking} breaking changes, {weakening} that weaken protection"))
        .hint("raise the contract's major version and tell those who read the data"))
}
