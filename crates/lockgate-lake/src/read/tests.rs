use std::collections::BTreeMap;

use arrow::{
    array::{AsArray as _, StringArray},
    datatypes::{DataType, Field, Schema},
};
use lockgate_core::{Classification as C, RunId, Timestamp};
use lockgate_keys::{KeyId, KeyStore, LocalStore, Unlock};
use lockgate_proof::SigningKey;

use super::*;
use crate::{Column, Governance, Layout, SnapshotRef, SnapshotWriter, Storage, StoreKeyring};

struct World {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    store: Arc<dyn KeyStore>,
    signer: SigningKey,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let unlock = Unlock::create_key_file(&dir.path().join("k")).unwrap();
        Self {
            store: Arc::new(LocalStore::create(&dir.path().join("keys"), &unlock).unwrap()),
            runtime: tokio::runtime::Runtime::new().unwrap(),
            signer: SigningKey::from_seed("test.example/w", &[1; 32]).unwrap(),
            dir,
        }
    }

    fn lake(&self) -> Lake {
        let storage = Storage::local(self.dir.path().join("lake"), self.runtime.handle().clone()).unwrap();
        Lake::new(storage, self.signer.verifying_key())
    }

    fn commit(&self, version: u64, rows: u32) -> SnapshotRef {
        let lake = self.lake();
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, true),
            Field::new("city", DataType::Utf8, true),
        ]));
        let layout = Layout {
            dataset: "people".parse().unwrap(),
            columns: vec![("id".into(), C::Restricted), ("city".into(), C::Internal)],
            schema: schema.clone(),
            buckets: 4,
            generation: version,
        };
        let mut writer = SnapshotWriter::new(&lake, self.store.clone(), layout, &self.dir.path().join("tmp")).unwrap();
        let ids: StringArray = (0..rows).map(|i| Some(format!("secret-person-{i}"))).collect();
        let cities: StringArray = (0..rows).map(|i| Some(format!("town-{}", i % 7))).collect();
        let batch = RecordBatch::try_new(schema, vec![Arc::new(ids), Arc::new(cities)]).unwrap();
        let subjects: Vec<_> = (0..rows)
            .map(|i| {
                let mut s = [0; 16];
                s[..4].copy_from_slice(&Digest::of(&i.to_be_bytes()).as_bytes()[..4]);
                Some(s)
            })
            .collect();
        writer.write(&batch, &subjects).unwrap();
        let staged = writer.finish().unwrap();
        assert_eq!(staged.subjects.count, u64::from(rows));
        let manifest = Manifest {
            dataset: "people".parse().unwrap(),
            version,
            parent: None,
            created: Timestamp::from_millis(version as i64 * 1000),
            run: RunId::generate(),
            columns: vec![Column {
                name: "id".into(),
                logical_type: "string".into(),
                classification: C::Restricted,
                protection: "keep".into(),
                derived_from: vec![],
            }],
            rows: staged.rows,
            files: staged.files,
            subjects: staged.subjects,
            governance: Governance {
                owner: "o".into(),
                purpose: "p".into(),
                lawful_basis: "contract".into(),
                retention_days: 1,
                classification: C::Restricted,
            },
            contract: None,
            sources: vec![],
            inputs: vec![],
            recipe: serde_json::Value::Null,
        };
        let snapshot = lake.stage(&self.signer, &manifest).unwrap();
        lake.publish(&snapshot).unwrap();
        snapshot
    }

    fn read(&self, snapshot: &SnapshotRef, keyring: Arc<dyn Keyring>, columns: &[&str]) -> Result<Vec<String>> {
        let lake = self.lake();
        let manifest = lake.manifest(snapshot)?;
        let options = ReadOptions {
            keyring,
            columns: Some(columns.iter().map(|c| (*c).to_owned()).collect()),
            role: Role::Data,
            spool: self.dir.path().join("tmp"),
        };
        let mut out = Vec::new();
        for batch in lake.read(&manifest, options) {
            out.extend(batch?.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        out.sort();
        Ok(out)
    }

    fn all(&self) -> Arc<dyn Keyring> {
        Arc::new(StoreKeyring::all(self.store.clone()))
    }
}

#[test]
fn a_snapshot_comes_back_and_old_versions_stay() {
    let world = World::new();
    let first = world.commit(1, 100);
    let second = world.commit(2, 200);
    assert_eq!(world.read(&first, world.all(), &["id"]).unwrap().len(), 100);
    assert_eq!(world.read(&second, world.all(), &["city", "id"]).unwrap()[0], "town-0");
    let lake = world.lake();
    let name: Name = "people".parse().unwrap();
    assert_eq!(lake.head(&name).unwrap(), Some(second.clone()));
    assert_eq!(lake.at_time(&name, Timestamp::from_millis(1500)).unwrap(), Some(first));
    assert_eq!(lake.at_time(&name, Timestamp::from_millis(500)).unwrap(), None);
    assert_eq!(lake.datasets().unwrap(), [name]);
}

#[test]
fn a_class_that_was_not_granted_stays_unreadable() {
    let world = World::new();
    let snapshot = world.commit(1, 50);
    let internal: Arc<dyn Keyring> = Arc::new(StoreKeyring::new(world.store.clone(), &[C::Public, C::Internal]));
    assert_eq!(world.read(&snapshot, internal.clone(), &["city"]).unwrap().len(), 50);
    assert_eq!(world.read(&snapshot, internal, &["id"]).unwrap_err().fault(), lockgate_core::Fault::Denied);
    let nothing: Arc<dyn Keyring> = Arc::new(crate::MapKeyring(BTreeMap::new()));
    assert!(world.read(&snapshot, nothing, &["city"]).is_err());
}

#[test]
fn a_destroyed_bucket_is_unreadable_and_the_others_are_not() {
    let world = World::new();
    let snapshot = world.commit(1, 100);
    let manifest = world.lake().manifest(&snapshot).unwrap();
    world.store.destroy(&KeyId::parse(&manifest.files[1].key), "test").unwrap();
    let lake = world.lake();
    let mut readable = 0;
    for record in &manifest.files {
        let file = lake.file(&manifest.dataset, record, world.dir.path()).unwrap();
        readable += usize::from(open_file(file, world.all(), None).is_ok());
    }
    assert_eq!(readable, manifest.files.len() - 1);
}

#[test]
fn no_byte_on_disk_is_plain_and_every_flipped_byte_is_found() {
    let world = World::new();
    let snapshot = world.commit(1, 100);
    let mut stack = vec![world.dir.path().to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { stack.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(13).any(|w| w == b"secret-person"), "{}", file.display());
    }
    for file in files.iter().filter(|f| f.starts_with(world.dir.path().join("lake"))) {
        let original = std::fs::read(file).unwrap();
        for at in (0..original.len()).step_by(original.len() / 40 + 1) {
            let mut changed = original.clone();
            changed[at] ^= 4;
            std::fs::write(file, &changed).unwrap();
            let lake = world.lake();
            let outcome = lake
                .head(&snapshot.dataset)
                .and_then(|head| lake.manifest(&head.unwrap()))
                .and_then(|manifest| world.read(&snapshot, world.all(), &["id"]).map(|_| manifest));
            assert_eq!(outcome.unwrap_err().fault(), lockgate_core::Fault::Integrity, "{} {at}", file.display());
        }
        std::fs::write(file, &original).unwrap();
    }
}

#[test]
fn one_of_two_writers_wins() {
    let world = World::new();
    world.commit(1, 10);
    let lake = world.lake();
    let mut other = lake.manifest(&lake.head(&"people".parse().unwrap()).unwrap().unwrap()).unwrap();
    other.rows = 7;
    let staged = lake.stage(&world.signer, &other).unwrap();
    assert!(lake.publish(&staged).unwrap_err().to_string().contains("first"));
    assert!(!lake.is_published(&staged).unwrap());
}
