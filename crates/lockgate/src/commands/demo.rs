//! `lockgate demo`: a workspace to read and change, seeded data with planted trouble, and every
//! gate at work on it.

mod data;
mod traffic;

use std::{fs, net::SocketAddr, path::Path};

use lockgate_core::{Failure, Fault, Result};
use lockgate_pipeline::{
    serve::{self, Overrides, Served},
    verify,
};

use super::{init::write, run};
use crate::{
    cli::{DemoArgs, Format, Global, RunArgs},
    environment::{self, Setup},
    output,
};

const NOT_SIGNED: &str = "applications-7.csv";

pub fn demo(global: &Global, args: &DemoArgs) -> Result<()> {
    let dir = args.dir.as_path();
    if dir.join("lockgate.yaml").exists() {
        return Err(Failure::usage(format!("{} is a workspace already", dir.display()))
            .hint("choose another folder with --dir, or remove it"));
    }
    title("1", "A workspace, and data from a bank's branch");
    write_workspace(dir, args.rows)?;
    output::line(&format!(
        "   {} holds the pipeline, a contract, policies and seven files of {} applications in all.",
        dir.display(),
        args.rows
    ));
    let inner = Global { workspace: Some(dir.to_owned()), format: Format::Table, acting: None, quiet: global.quiet };
    let pipeline = RunArgs { pipeline: dir.join("pipeline.yaml"), source: Vec::new(), trust: Vec::new() };

    title("2", "A file was changed after it was signed: nothing is read from it");
    refused(run::run(&inner, &pipeline), Fault::Integrity)?;
    let aside = dir.join("refused");
    fs::create_dir_all(&aside).map_err(|e| Failure::io("create", &aside, &e))?;
    for name in [NOT_SIGNED.to_owned(), format!("{NOT_SIGNED}.minisig")] {
        let (from, to) = (dir.join("data").join(&name), aside.join(&name));
        fs::rename(&from, &to).map_err(|e| Failure::io("move", &from, &e))?;
    }

    title("3", "Without it, the run: rows that break the contract and a poisoned file are quarantined");
    run::run(&inner, &pipeline)?;

    title("4", "An analyst sees the shape, not the people");
    let analyst = Global { acting: Some("analyst".into()), ..clone(&inner) };
    super::query::query(
        &analyst,
        &query(
            "SELECT purpose, count(*) AS applications, round(avg(age)) AS age FROM applications GROUP BY purpose ORDER BY purpose",
        ),
    )?;
    super::query::query(&analyst, &query("SELECT age, income, debt, note FROM applications WHERE note <> '' LIMIT 3"))?;
    refused(super::query::query(&analyst, &query("SELECT email FROM applications")), Fault::Input)?;

    title("5", "The model answers behind the gateway: mutual TLS, policy, limits, a record of every answer");
    let (setup, served) = serve(dir, &inner, args.port)?;
    let answering = served.answering();
    setup.runtime.block_on(async {
        traffic::send(dir, &answering).await?;
        // What was answered becomes leaves of the gateway's log once a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        Ok(())
    })?;

    title("6", "The chain, from the sources to the answers, verified offline and without any key");
    super::verify::verify(&inner)?;

    title("7", "One flipped byte, and verification says where");
    flip_and_verify(dir)?;

    title("✓", "What next");
    next(dir, if args.exit { None } else { Some(answering.address.port()) })?;
    if args.exit {
        setup.runtime.block_on(served.stop());
        return Ok(());
    }
    output::line("");
    output::line(&format!("The gateway goes on answering on https://{}. Ctrl-C ends it.", answering.address));
    super::serve::until_asked(&inner, &setup, served)
}

/// Names the clients and starts the gateway.
fn serve(dir: &Path, global: &Global, port: u16) -> Result<(Setup, Served)> {
    let (setup, mut workspace) = super::open(global, None)?;
    for client in ["branch-app", "analyst", "stranger"] {
        let quiet = Global { quiet: true, ..clone(global) };
        super::keys::issue(&quiet, &mut workspace, client, &dir.join("clients").join(client), 24)?;
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let served = serve::serve(workspace, Overrides { listen: Some(listen), metrics: None })?;
    Ok((setup, served))
}

/// Commands to try; without a port the gateway has to be started again.
fn next(dir: &Path, port: Option<u16>) -> Result<()> {
    let body = serde_json::to_string(&traffic::applicants()).map_err(|_| Failure::bug("a body cannot be written"))?;
    write(&dir.join("request.json"), &body)?;
    let place = dir.display();
    let client = format!("{place}/clients/branch-app");
    if port.is_none() {
        output::line(&format!("   lockgate --workspace {place} serve &"));
    }
    let port = port.unwrap_or(8443);
    for command in [
        format!("lockgate --workspace {place} datasets"),
        format!("lockgate --workspace {place} lineage loan-features.debt"),
        format!("lockgate --workspace {place} audit tail --log gateway"),
        format!(
            "lockgate --workspace {place} --as analyst query 'SELECT * FROM applications LIMIT 5' --purpose credit-scoring"
        ),
        format!("lockgate --workspace {place} verify"),
        format!(
            "curl --cert {client}/client.crt --key {client}/client.key --cacert {client}/authority.crt --json @{place}/request.json https://localhost:{port}/v2/models/loans/infer"
        ),
    ] {
        output::line(&format!("   {command}"));
    }
    Ok(())
}

fn title(mark: &str, text: &str) {
    output::line("");
    output::line(&output::strong(&format!("{mark}  {text}")));
}

fn clone(global: &Global) -> Global {
    Global {
        workspace: global.workspace.clone(),
        format: global.format,
        acting: global.acting.clone(),
        quiet: global.quiet,
    }
}

fn query(sql: &str) -> crate::cli::QueryArgs {
    crate::cli::QueryArgs { sql: sql.into(), purpose: "credit-scoring".into(), limit: 20 }
}

/// Demands that a step was refused, and shows how.
fn refused<T>(outcome: Result<T>, fault: Fault) -> Result<()> {
    match outcome {
        Err(failure) if failure.fault() == fault => {
            output::line(&format!("   refused, exit {}: {failure}", fault.exit_code()));
            Ok(())
        }
        Err(failure) => Err(failure),
        Ok(_) => Err(Failure::bug("the demo's trouble was not noticed")),
    }
}

fn write_workspace(dir: &Path, rows: u64) -> Result<()> {
    let pair = minisign::KeyPair::generate_unencrypted_keypair()
        .map_err(|_| Failure::bug("a signing key could not be made"))?;
    let workspace = include_str!("../../templates/demo/lockgate.yaml").replace("{publisher}", &pair.pk.to_base64());
    write(&dir.join("lockgate.yaml"), &workspace)?;
    write(&dir.join("pipeline.yaml"), include_str!("../../templates/demo/pipeline.yaml"))?;
    write(&dir.join("contracts/applications.yaml"), include_str!("../../templates/demo/applications.yaml"))?;
    write(&dir.join("policies/default.rego"), lockgate_policy::DEFAULT_POLICY)?;
    write(&dir.join(".gitignore"), "/.lockgate/\n/clients/\n*.key\n")?;
    let secret = pair.sk.to_box(None).map_err(|_| Failure::bug("a signing key could not be written"))?;
    write(&dir.join("demo-branch.key"), &secret.into_string())?;
    for (name, text) in data::files(rows) {
        let path = dir.join("data").join(&name);
        let signature = minisign::sign(None, &pair.sk, text.as_bytes(), Some(&name), None)
            .map_err(|_| Failure::bug("a file could not be signed"))?;
        write(&dir.join("data").join(format!("{name}.minisig")), &signature.into_string())?;
        // The last file changes on its way.
        let text = if name == NOT_SIGNED { text.replacen(",no\n", ",yes\n", 1) } else { text };
        write(&path, &text)?;
    }
    Ok(())
}

fn flip_and_verify(dir: &Path) -> Result<()> {
    let folder = dir.join(".lockgate/lake/applications/data");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .map_err(|e| Failure::io("read", &folder, &e))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let path = files.first().ok_or_else(|| Failure::bug("the demo's lake is empty"))?;
    let original = fs::read(path).map_err(|e| Failure::io("read", path, &e))?;
    let mut changed = original.clone();
    if let Some(byte) = changed.get_mut(original.len() / 2) {
        *byte ^= 1;
    }
    fs::write(path, changed).map_err(|e| Failure::io("write", path, &e))?;
    let setup = environment::setup()?;
    let broken = verify::verify(dir, &setup.environment).map(|tree| tree.broken());
    fs::write(path, original).map_err(|e| Failure::io("write", path, &e))?;
    for (name, why) in broken? {
        output::line(&format!("   {} {name}: {why}", output::verdict(false, "✗")));
    }
    output::line("   The byte is back in place.");
    Ok(())
}
