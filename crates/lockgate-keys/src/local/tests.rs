use super::*;

fn unlock(byte: u8) -> Unlock {
    Unlock::KeyFile(Key::new([byte; 32]))
}

fn bucket() -> KeyId {
    KeyId::purpose("lake.people").child("b03.g1")
}

fn with_bucket(dir: &Path) -> LocalStore {
    let store = LocalStore::create(dir, &unlock(1)).unwrap();
    store.create(&KeyId::purpose("lake.people")).unwrap();
    store.create(&bucket()).unwrap();
    store
}

#[test]
fn keys_survive_a_reopen_and_a_rotation_of_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = with_bucket(dir.path());
    let before = store.derive(&bucket(), "restricted").unwrap();
    let bucket_file = fs::read(store.place(&bucket())).unwrap();
    assert_eq!(store.rotate_root(&unlock(2)).unwrap(), 2);
    assert_eq!(fs::read(store.place(&bucket())).unwrap(), bucket_file);

    assert!(LocalStore::open(dir.path(), &unlock(1)).is_err());
    let store = LocalStore::open(dir.path(), &unlock(2)).unwrap();
    let after = store.derive(&bucket(), "restricted").unwrap();
    assert_eq!(before.expose(), after.expose());
}

#[test]
fn an_interrupted_rotation_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_bucket(dir.path());
    let before = store.derive(&bucket(), "x").unwrap();
    let roots =
        Roots { current: (2, cipher::random_key().unwrap()), previous: Some((1, store.roots.current.1.clone())) };
    store.write_roots(&roots, &unlock(2)).unwrap();

    let store = LocalStore::open(dir.path(), &unlock(2)).unwrap();
    assert!(store.roots.previous.is_none());
    let store = LocalStore::open(dir.path(), &unlock(2)).unwrap();
    assert_eq!(store.derive(&bucket(), "x").unwrap().expose(), before.expose());
}

#[test]
fn a_destroyed_key_is_overwritten_and_never_returns() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_bucket(dir.path());
    store.destroy(&bucket(), "erasure case 7").unwrap();
    store.destroy(&bucket(), "again").unwrap();
    assert!(store.derive(&bucket(), "x").is_err());
    assert!(store.create(&bucket()).is_err());
    let store = LocalStore::open(dir.path(), &unlock(1)).unwrap();
    match store.state(&bucket()).unwrap() {
        KeyState::Destroyed { reason, .. } => assert_eq!(reason, "erasure case 7"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_flipped_byte_of_the_store_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let place = with_bucket(dir.path()).place(&bucket());
    for file in [dir.path().join("root.json"), place] {
        let original = fs::read(&file).unwrap();
        for at in 0..original.len() {
            let mut changed = original.clone();
            changed[at] ^= 1;
            fs::write(&file, &changed).unwrap();
            let outcome = LocalStore::open(dir.path(), &unlock(1)).and_then(|store| store.derive(&bucket(), "x"));
            assert!(outcome.is_err(), "{} byte {at}", file.display());
        }
        fs::write(&file, &original).unwrap();
    }
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let right = Unlock::passphrase("correct horse battery".into()).unwrap();
    LocalStore::create(dir.path(), &right).unwrap();
    LocalStore::open(dir.path(), &right).unwrap();
    let wrong = Unlock::passphrase("incorrect horse battery".into()).unwrap();
    let failure = LocalStore::open(dir.path(), &wrong).unwrap_err();
    assert_eq!(failure.fault(), lockgate_core::Fault::Integrity);
    assert!(Unlock::passphrase("short".into()).is_err());
}
