//! Release of master keys to a principal, so that a program outside, such as pyarrow or Spark,
//! reads exactly the columns that policy grants.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_core::{Classification, Clock, Failure, Result};
use lockgate_keys::{Key, KeyId};
use lockgate_lake::{Keyring as _, Manifest, MasterKeyId, Role, Scope, SnapshotRef, StoreKeyring};
use lockgate_policy::{Decision, Resource};
use serde_json::json;

use crate::{Workspace, audit::Event};

/// The master keys of one snapshot that policy grants to whom acts, by their id. Recorded.
pub fn release(workspace: &mut Workspace, snapshot: &SnapshotRef, purpose: &str) -> Result<BTreeMap<String, Key>> {
    let manifest = workspace.lake.manifest(snapshot)?;
    let decision = workspace.demand("release-keys", resource(&manifest), purpose)?;
    if !decision.obligations.row_filters.is_empty() {
        return Err(Failure::denied(format!("policy shows only some rows of {snapshot}, and a key opens all"))
            .hint("use `lockgate query`"));
    }
    let classes = granted(&manifest, &decision);
    // The commitments say which rows are about the same person: as sensitive as anything here.
    let restricted = classes.contains(&Classification::Restricted);
    let subject = if restricted { Subject::Released } else { Subject::Withheld };
    let keys = master_keys(workspace, &manifest, &classes, subject)?;
    let event = Event::new("key.released", &workspace.principal.id, &snapshot.to_string(), Clock.now())
        .detail(json!({"classes": classes, "purpose": purpose, "reasons": decision.reasons, "keys": keys.len()}));
    workspace.journal.append(vec![event])?;
    Ok(keys)
}

/// The footer key and the keys of `classes` for every data file.
pub(crate) fn master_keys(
    workspace: &Workspace,
    manifest: &Manifest,
    classes: &BTreeSet<Classification>,
    subject: Subject,
) -> Result<BTreeMap<String, Key>> {
    let keyring = StoreKeyring::all(workspace.keys.clone());
    let scopes = std::iter::once(Scope::Footer)
        .chain((subject == Subject::Released).then_some(Scope::Subject))
        .chain(classes.iter().copied().map(Scope::Class));
    let mut keys = BTreeMap::new();
    for scope in scopes {
        for file in manifest.files_with(Role::Data) {
            let id = MasterKeyId::new(KeyId::parse(&file.key), scope);
            let key = keyring.master_key(&id)?;
            keys.insert(id.to_string(), key);
        }
    }
    Ok(keys)
}

/// Whether the commitments to the data subjects are released, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Released,
    Withheld,
}

/// What policy is asked about a snapshot.
pub(crate) fn resource(manifest: &Manifest) -> Resource {
    Resource {
        kind: "dataset".into(),
        name: manifest.dataset.to_string(),
        classification: Some(manifest.governance.classification),
        purpose: Some(manifest.governance.purpose.clone()),
        columns: manifest.columns.iter().map(|c| (c.name.clone(), c.classification)).collect(),
        protection: manifest.columns.iter().map(|c| (c.name.clone(), c.protection.clone())).collect(),
    }
}

/// The classes of which no column is hidden or masked: a key opens a class as a whole.
fn granted(manifest: &Manifest, decision: &Decision) -> BTreeSet<Classification> {
    let obligations = &decision.obligations;
    let withheld: BTreeSet<Classification> = manifest
        .columns
        .iter()
        .filter(|c| obligations.hidden_columns.contains(&c.name) || obligations.column_masks.contains_key(&c.name))
        .map(|c| c.classification)
        .collect();
    let present: BTreeSet<Classification> = manifest.columns.iter().map(|c| c.classification).collect();
    present.difference(&withheld).copied().collect()
}
