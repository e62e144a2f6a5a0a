//! Release of master keys to a principal, so that a program outside, such as pyarrow or Spark,
//! reads exactly the columns that policy grants.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_core::{Classification, Clock, Result};
use lockgate_keys::{Key, KeyId};
use lockgate_lake::{Keyring as _, Manifest, MasterKeyId, Role, SnapshotRef, StoreKeyring};
use lockgate_policy::{Decision, Request, Resource};
use serde_json::json;

use crate::{Workspace, audit::Event};

/// The master keys of one snapshot that policy grants to whom acts, by their id. Recorded.
pub fn release(workspace: &mut Workspace, snapshot: &SnapshotRef, purpose: &str) -> Result<BTreeMap<String, Key>> {
    let manifest = workspace.lake.manifest(snapshot)?;
    let resource = resource(&manifest);
    let request = Request { principal: &workspace.principal, action: "release-keys", resource, purpose };
    let decision = workspace.policy.demand(&request)?;
    let classes = granted(&manifest, &decision);
    let keys = master_keys(workspace, &manifest, &classes)?;
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
) -> Result<BTreeMap<String, Key>> {
    let granted: Vec<_> = classes.iter().copied().collect();
    let keyring = StoreKeyring::new(workspace.keys.clone(), &granted);
    let mut keys = BTreeMap::new();
    for file in manifest.files_with(Role::Data) {
        for class in std::iter::once(None).chain(granted.iter().copied().map(Some)) {
            let id = MasterKeyId::new(KeyId::parse(&file.key), class);
            let key = keyring.master_key(&id)?;
            keys.insert(id.to_string(), key);
        }
    }
    Ok(keys)
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
    // A row filter cannot be kept by a key, so nothing is released under one.
    if !obligations.row_filters.is_empty() {
        return BTreeSet::new();
    }
    Classification::ALL.into_iter().filter(|class| !withheld.contains(class)).collect()
}
