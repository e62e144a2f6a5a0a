//! `lockgate keys`.

use lockgate_core::{Clock, Result};
use lockgate_keys::KeyState;
use lockgate_pipeline::{Workspace, audit::Event};
use serde_json::json;

use crate::{cli::{Global, KeysCommand}, environment, output};

pub fn keys(global: &Global, command: &KeysCommand) -> Result<()> {
    match command {
        KeysCommand::List => {
            let (_setup, workspace) = super::open(global, None)?;
            let keys: Vec<_> = workspace
                .keys
                .list()?
                .into_iter()
                .map(|(id, state)| match state {
                    KeyState::Destroyed { at, reason } => json!({"key": id.to_string(), "state": "destroyed", "at": at, "reason": reason}),
                    _ => json!({"key": id.to_string(), "state": "active"}),
                })
                .collect();
            let text = |value: &serde_json::Value, key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            output::rows(global, &["key", "state", "at", "reason"], &keys, |k| ["key", "state", "at", "reason"].map(|c| text(k, c)).to_vec())
        }
        KeysCommand::Rotate => {
            let root = super::find_root(global, None)?;
            let setup = environment::setup()?;
            let number = Workspace::rotate_root(&root, &setup.environment)?;
            let mut workspace = Workspace::open(&root, global.acting.as_deref(), setup.environment.clone())?;
            let event = Event::new("root.rotated", &workspace.principal.id, "keys", Clock.now()).detail(json!({"root": number}));
            workspace.journal.append(vec![event])?;
            output::say(global, &format!("root key {number} is in use; no data was rewritten"));
            Ok(())
        }
    }
}
