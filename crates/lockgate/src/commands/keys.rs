//! `lockgate keys`.

use std::{collections::BTreeMap, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use lockgate_core::{
    Clock, Failure, Result, Sensitive,
    durable::{self, Readers},
};
use lockgate_keys::KeyState;
use lockgate_pipeline::{Workspace, audit::Event, release, serve};
use lockgate_policy::Resource;
use serde_json::json;

use crate::{
    cli::{Global, KeysCommand},
    output,
};

pub fn keys(global: &Global, command: &KeysCommand) -> Result<()> {
    match command {
        KeysCommand::List => {
            let (_setup, workspace) = super::open(global, None)?;
            let keys: Vec<_> = workspace
                .keys
                .list()?
                .into_iter()
                .map(|(id, state)| match state {
                    KeyState::Destroyed { at, reason } => {
                        json!({"key": id.to_string(), "state": "destroyed", "at": at, "reason": reason})
                    }
                    _ => json!({"key": id.to_string(), "state": "active"}),
                })
                .collect();
            let text = |value: &serde_json::Value, key: &str| {
                value.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
            };
            output::rows(global, &["key", "state", "at", "reason"], &keys, |k| {
                ["key", "state", "at", "reason"].map(|c| text(k, c)).to_vec()
            })
        }
        KeysCommand::Release { snapshot, purpose, out } => release(global, snapshot, purpose, out),
        KeysCommand::Issue { principal, out, hours } => {
            let (_setup, mut workspace) = super::open(global, None)?;
            issue(global, &mut workspace, principal, out, *hours)
        }
        KeysCommand::Rotate => {
            let root = super::find_root(global, None)?;
            let (setup, mut workspace) = super::open(global, None)?;
            let resource =
                Resource { kind: "workspace".into(), name: workspace.config.name.to_string(), ..Resource::default() };
            workspace.demand("administer", resource, "administration")?;
            drop(workspace);
            let number = Workspace::rotate_root(&root, &setup.environment)?;
            let (_setup, mut workspace) = super::open(global, None)?;
            let event = Event::new("root.rotated", &workspace.principal.id, "keys", Clock.now())
                .detail(json!({"root": number}));
            workspace.journal.append(vec![event])?;
            output::say(global, &format!("root key {number} is in use; no data was rewritten"));
            Ok(())
        }
    }
}

/// Issues a client's certificate and writes it, its key and the authority's certificate to `out`.
pub fn issue(global: &Global, workspace: &mut Workspace, principal: &str, out: &Path, hours: u64) -> Result<()> {
    let place = out.join("client.crt");
    if let Ok(pem) = fs::read_to_string(&place) {
        let theirs = serve::identity(&pem).unwrap_or_else(|_| "something else".into());
        let domain = serve::trust_domain(&workspace.config.name);
        if theirs != format!("spiffe://{domain}/{principal}") {
            return Err(Failure::usage(format!("{} is of {theirs}; nothing was overwritten", place.display()))
                .hint("choose another folder with --out"));
        }
    }
    let issued = serve::issue(workspace, principal, Duration::from_hours(hours))?;
    let known = workspace.config.principals.iter().any(|p| p.id == principal);
    durable::write(&out.join("client.key"), issued.key.expose().as_bytes(), Readers::Owner)?;
    durable::write(&out.join("client.crt"), issued.certificate.as_bytes(), Readers::Anyone)?;
    durable::write(&out.join("authority.crt"), issued.authority.as_bytes(), Readers::Anyone)?;
    output::say(global, &format!("{} is in {}, good until {}", issued.id, out.display(), issued.not_after));
    if !known {
        output::say(global, &format!("lockgate.yaml names no principal {principal:?}, so policy will give it no role"));
    }
    Ok(())
}

fn release(global: &Global, snapshot: &str, purpose: &str, out: &Path) -> Result<()> {
    let (_setup, mut workspace) = super::open(global, None)?;
    let snapshot = super::snapshot(&workspace, snapshot)?;
    let keys = release::release(&mut workspace, &snapshot, purpose)?;
    let text: BTreeMap<&String, String> = keys.iter().map(|(id, key)| (id, hex::encode(key.expose()))).collect();
    let text = serde_json::to_string_pretty(&text).map_err(|_| Failure::bug("keys could not be written"))?;
    let text = Sensitive::new(text);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .map_err(|e| Failure::io("create", out, &e))?;
    file.write_all(text.expose().as_bytes()).map_err(|e| Failure::io("write", out, &e))?;
    output::say(global, &format!("{} master keys of {snapshot} are in {}", keys.len(), out.display()));
    Ok(())
}
