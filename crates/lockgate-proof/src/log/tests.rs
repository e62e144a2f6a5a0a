use super::*;

fn key() -> SigningKey {
    SigningKey::from_seed("test.example/audit", &[3; 32]).unwrap()
}

fn leaf(i: u64) -> Vec<u8> {
    format!("event {i}").into_bytes()
}

#[test]
fn grows_in_batches_of_any_size_and_verifies_after_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut size = 0;
    assert!(Log::open(dir.path(), key()).is_err());
    Log::create(dir.path(), key()).unwrap();
    assert!(Log::create(dir.path(), key()).is_err());
    for batch in [1, 2, 253, 1, 255, 257, 3, 1000] {
        let mut log = Log::open(dir.path(), key()).unwrap();
        let leaves: Vec<_> = (size..size + batch).map(leaf).collect();
        assert_eq!(log.append(&leaves).unwrap(), size);
        size += batch;
        log.reader().verify().unwrap();
    }
    let reader = LogReader::open(dir.path(), &key().verifying_key()).unwrap();
    assert_eq!(reader.size(), size);
    for (index, bytes) in reader.leaves(0).map(Result::unwrap) {
        assert_eq!(bytes, leaf(index));
    }
    for index in [0, 1, 255, 256, size - 1] {
        let proof = reader.prove(index).unwrap();
        proof.verify(&leaf(index), reader.root_hash()).unwrap();
        assert!(proof.verify(b"another event", reader.root_hash()).is_err());
    }
    reader.prove_consistency(256).unwrap();
}

#[test]
fn any_flipped_byte_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), key()).unwrap();
    log.append(&(0..300).map(leaf).collect::<Vec<_>>()).unwrap();
    for file in files_below(dir.path()).unwrap() {
        let original = fs::read(&file).unwrap();
        for at in (0..original.len()).step_by(97).chain([original.len() - 1]) {
            let mut changed = original.clone();
            changed[at] ^= 1;
            fs::write(&file, &changed).unwrap();
            let failure = LogReader::open(dir.path(), &key().verifying_key())
                .and_then(|reader| reader.verify())
                .expect_err("a flipped byte must be found");
            assert_eq!(failure.fault(), lockgate_core::Fault::Integrity, "{file:?} {at}");
        }
        fs::write(&file, &original).unwrap();
    }
}

#[test]
fn what_lies_beyond_the_checkpoint_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::create(dir.path(), key()).unwrap();
    log.append(&[leaf(0)]).unwrap();
    let checkpoint = fs::read(dir.path().join(CHECKPOINT)).unwrap();
    log.append(&[leaf(1), leaf(2)]).unwrap();
    // The crash: tiles of the second batch are there, its checkpoint is not.
    let partial = fs::read(dir.path().join("tile/entries/000.p/3")).unwrap();
    fs::write(dir.path().join(CHECKPOINT), checkpoint).unwrap();
    fs::create_dir_all(dir.path().join("tile/0/000.p")).unwrap();
    let one = record_hash(&leaf(0)).0;
    fs::write(dir.path().join("tile/0/000.p/1"), one).unwrap();
    fs::create_dir_all(dir.path().join("tile/entries/000.p")).unwrap();
    fs::write(dir.path().join("tile/entries/000.p/1"), tiles::pack(&[leaf(0)])).unwrap();
    assert!(!partial.is_empty());

    let mut log = Log::open(dir.path(), key()).unwrap();
    assert_eq!(log.reader().size(), 1);
    log.reader().verify().unwrap();
    log.append(&[leaf(9)]).unwrap();
    log.reader().verify().unwrap();
}
