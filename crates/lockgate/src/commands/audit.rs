//! `lockgate audit`.

use lockgate_core::{Failure, Result};
use lockgate_pipeline::{audit, serve, workspace};
use lockgate_proof::{LogReader, VerifyingKey};
use serde_json::json;

use crate::{
    cli::{AuditArgs, AuditCommand, Format, Global, LogName},
    environment, output,
};

pub fn audit(global: &Global, args: &AuditArgs) -> Result<()> {
    let root = super::find_root(global, None)?;
    let setup = environment::setup()?;
    let (config, key, _, log) = workspace::open_public(&root, &setup.environment)?;
    if args.log == LogName::Workspace {
        return read(global, &log, &key, &args.command);
    }
    let opened = serve::open_log(&root.join(&config.state), &log)?;
    let (log, key, _lock) =
        opened.ok_or_else(|| Failure::input("the gateway has no log yet").hint("`lockgate serve` begins it"))?;
    read(global, &log, &key, &args.command)
}

fn read(global: &Global, log: &LogReader, key: &VerifyingKey, command: &AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Tail { lines } => tail(global, log, *lines),
        AuditCommand::Verify => {
            log.verify()?;
            let summary = json!({"events": log.size(), "root": log.root_hash().to_string(), "key": key.to_string()});
            match global.format {
                Format::Table => output::line(&format!(
                    "{} {} events, root {}, signed by {key}",
                    output::verdict(true, "whole:"),
                    log.size(),
                    log.root_hash()
                )),
                _ => output::json(global, &summary)?,
            }
            Ok(())
        }
        AuditCommand::Prove { event } => prove(global, log, &key.to_string(), event),
        AuditCommand::Export => {
            for leaf in log.leaves(0) {
                let (_, bytes) = leaf?;
                output::line(&String::from_utf8_lossy(&bytes));
            }
            Ok(())
        }
    }
}

fn tail(global: &Global, log: &LogReader, lines: u64) -> Result<()> {
    let mut events = Vec::new();
    for leaf in log.leaves(log.size().saturating_sub(lines)) {
        let (index, bytes) = leaf?;
        events.push((index, audit::parse(&bytes)?));
    }
    if global.format != Format::Table {
        for (_, event) in &events {
            output::json(global, event)?;
        }
        return Ok(());
    }
    output::rows(global, &["#", "time", "event", "about", "actor"], &events, |(index, event)| {
        vec![index.to_string(), event.time.to_string(), event.kind.clone(), event.about.clone(), event.actor.clone()]
    })
}

/// The proof in the terms of RFC 6962: leaf, index, path, and the checkpoint that it leads to.
fn prove(global: &Global, log: &LogReader, key: &str, wanted: &str) -> Result<()> {
    let index = match wanted.parse::<u64>() {
        Ok(index) => index,
        Err(_) => find(log, wanted)?,
    };
    let proof = log.prove(index)?;
    let leaf = log.leaves(index).next().ok_or_else(|| Failure::input(format!("there is no event {index}")))??.1;
    proof.verify(&leaf, log.root_hash())?;
    let text = String::from_utf8_lossy(&leaf).into_owned();
    match global.format {
        Format::Table => {
            output::line(&format!("event      {text}"));
            output::line(&format!("index      {index} of {}", proof.tree_size));
            for hash in &proof.path {
                output::line(&format!("path       {hash}"));
            }
            output::line(&format!("root       {}", log.root_hash()));
            output::line(&format!("key        {key}"));
            output::line(&output::verdict(true, "the path leads from the event to the signed root"));
            Ok(())
        }
        _ => output::json(global, &json!({"leaf": text, "proof": proof, "checkpoint": log.checkpoint()?, "key": key})),
    }
}

fn find(log: &LogReader, id: &str) -> Result<u64> {
    for leaf in log.leaves(0) {
        let (index, bytes) = leaf?;
        if audit::parse(&bytes)?.id == id {
            return Ok(index);
        }
    }
    Err(Failure::input(format!("there is no event {id:?}"))
        .hint("name its index or its id, as `lockgate audit tail` prints them"))
}
