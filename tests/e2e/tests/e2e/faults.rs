//! What goes wrong, and how it ends.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Stdio},
    time::Duration,
};

use crate::world::{World, run};

fn people() -> World {
    World::people("id,email,city\nP1,ana@example.com,Oslo\nP2,bo@example.com,Rome\n")
}

/// A linear congruential generator (Knuth's MMIX constants), so that a failure can be repeated.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn killed_at_random_instants_it_loses_and_doubles_nothing() {
    let rows: String = (0..400).map(|i| format!("P{i},p{i}@example.com,Oslo\n")).collect();
    let world = World::people(&format!("id,email,city\n{rows}"));
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    let whole = {
        world.write("data/people.csv", b"id,email,city\nP1,a@example.com,Oslo\n");
        let start = std::time::Instant::now();
        world.lockgate(&["run", "pipeline.yaml"]).ok();
        start.elapsed().as_micros() as u64
    };
    let mut seed = Seeded(20_261_122);
    let kills = 200;
    let mut interrupted = 0;
    for round in 0..kills {
        world.write("data/people.csv", format!("id,email,city\n{rows}Q{round},q@example.com,Rome\n").as_bytes());
        let mut child = world
            .command(&["run", "pipeline.yaml", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(seed.below(whole + whole / 4)));
        interrupted += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        if round % 20 == 19 {
            world.lockgate(&["run", "pipeline.yaml"]).ok();
            world.lockgate(&["verify"]).ok();
        }
    }
    assert!(interrupted > kills / 4, "only {interrupted} runs were interrupted");
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    world.lockgate(&["verify"]).ok();
    let datasets = world.lockgate(&["datasets", "--format", "json"]).ok().json();
    let committed = world.lockgate(&["audit", "export"]).ok().out;
    let commits = committed.lines().filter(|line| line.contains("\"kind\":\"snapshot.committed\"")).count();
    assert_eq!(datasets.as_array().unwrap().len(), commits, "one catalog entry and one event for each snapshot");
    assert!(fs::read_dir(world.path(".lockgate/pending")).unwrap().next().is_none());
}

#[test]
fn every_file_of_the_state_is_covered_byte_by_byte() {
    let world = people();
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    let state = world.path(".lockgate");
    let mut seed = Seeded(7);
    let covered = ["lake", "audit", "trust.vkey"];
    let files: Vec<_> =
        world.files().into_iter().filter(|f| covered.iter().any(|c| f.starts_with(state.join(c)))).collect();
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let original = fs::read(&file).unwrap();
        for _ in 0..6 {
            let mut changed = original.clone();
            let at = seed.below(changed.len() as u64) as usize;
            changed[at] ^= 1 << seed.below(8);
            fs::write(&file, &changed).unwrap();
            let done = world.lockgate(&["verify"]);
            assert_eq!(done.code, 5, "{} byte {at}: {}", file.display(), done.err);
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(world.lockgate(&["verify"]).code, 5, "without {}", file.display());
        fs::write(&file, &original).unwrap();
    }
    world.lockgate(&["verify"]).ok();
    fs::write(state.join("lake/people/data/stray.parquet"), b"x").unwrap();
    world.lockgate(&["verify"]).fails(5, "belongs to no snapshot");
}

#[test]
fn broken_keys_are_named() {
    let world = people();
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    let key = world.path("lockgate.key");
    let original = fs::read(&key).unwrap();
    fs::write(&key, "00".repeat(32)).unwrap();
    world.lockgate(&["run", "pipeline.yaml"]).fails(5, "cannot be unlocked");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "chmod 600");
    fs::remove_file(&key).unwrap();
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "restore it from your backup");
    fs::write(&key, original).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let bucket = world.files().into_iter().find(|f| f.to_string_lossy().contains("keys/purpose/lake.people")).unwrap();
    fs::write(&bucket, b"{}").unwrap();
    world.write("data/people.csv", b"id,email,city\nP9,z@example.com,Oslo\n");
    world.lockgate(&["run", "pipeline.yaml"]).fails(5, "key lake.people is damaged");
    // What is public stays verifiable without any key.
    world.lockgate(&["verify"]).ok();
}

#[test]
fn a_passphrase_can_take_the_place_of_the_key_file() {
    let world = people();
    world.edit("lockgate.yaml", "keyFile: lockgate.key", "passphraseEnv: TEST_PASSPHRASE");
    world.lockgate(&["run", "pipeline.yaml"]).fails(2, "TEST_PASSPHRASE is not set");
    let with = |text: &str| run(world.command(&["run", "pipeline.yaml"]).env("TEST_PASSPHRASE", text));
    with("correct horse battery").ok();
    with("wrong horse battery").fails(5, "cannot be unlocked");
    run(world.command(&["keys", "rotate"]).env("TEST_PASSPHRASE", "correct horse battery")).ok();
    with("correct horse battery").ok();
}

#[test]
fn bad_configuration_says_where_and_what_was_meant() {
    let world = people();
    world.edit("pipeline.yaml", "purpose:", "purpos:");
    let done = world.lockgate(&["run", "pipeline.yaml"]).fails(3, "pipeline.yaml:4:1: unknown key \"purpos\"");
    assert!(done.err.contains("did you mean \"purpose\"?"));
    world.edit("pipeline.yaml", "purpos:", "purpose:");
    world.edit("contracts/people.yaml", "      role: owner\n", "");
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "orphaned dataset: the contract states no owner");
    world.lockgate(&["run", "nowhere.yaml"]).fails(3, "nowhere.yaml");
    world.lockgate(&["frobnicate"]).fails(2, "unrecognized subcommand");
}

#[test]
fn bad_sources_end_in_a_clear_error_and_change_nothing() {
    let world = people();
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    let refused = |uri: &str, code: i32, words: &str| {
        world.lockgate(&["run", "pipeline.yaml", "--source", &format!("people={uri}")]).fails(code, words);
    };
    refused("data/none.csv", 3, "does not exist");
    refused("ftp://example.com/x.csv", 3, "cannot be read over ftp");
    world.write("data/extra.csv", b"id,email,city,iban\nP1,a@example.com,Oslo,x\n");
    refused("data/extra.csv", 3, "\"iban\" is not in the contract");
    world.write("data/latin.csv", b"id,email,city\nP1,a@example.com,Z\xfcrich\n");
    refused("data/latin.csv", 3, "encoding: windows-1252");
    world.write("data/empty.csv", b"");
    refused("data/empty.csv", 3, "the file is empty");
    world.write("data/no.parquet", b"this is a text file");
    refused("data/no.parquet", 3, "the Parquet file");
    symlink(world.path("data/b.csv"), world.path("data/a.csv")).unwrap();
    symlink(world.path("data/a.csv"), world.path("data/b.csv")).unwrap();
    refused("data/a.csv", 3, "a.csv");
    let outcome = world.lockgate(&["run", "pipeline.yaml", "--format", "json"]).ok().json();
    assert_eq!(outcome["ingested"][0]["snapshot"]["version"], 1);
    world.lockgate(&["verify"]).ok();
}

#[test]
fn a_gigabyte_in_one_line_and_a_bomb_are_stopped_early() {
    let world = people();
    // A sparse file: a gigabyte of zero bytes after an opening quote, without a line's end.
    let path = world.path("data/line.csv");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"id,email,city\n\"").unwrap();
    file.set_len(1 << 30).unwrap();
    world
        .lockgate(&["run", "pipeline.yaml", "--source", "people=data/line.csv"])
        .fails(3, "a record is larger than 1 MiB");
    fs::remove_file(path).unwrap();
    let zip = "head -c 400000000 /dev/zero | tr '\\0' '\\n' | gzip -9 > data/bomb.csv.gz";
    run(Command::new("sh").args(["-c", zip]).current_dir(world.dir.path())).ok();
    world.lockgate(&["run", "pipeline.yaml", "--source", "people=data/bomb.csv.gz"]).fails(3, "decompression bomb");
}

#[test]
fn a_full_disk_and_a_damaged_catalog_are_named_with_the_way_out() {
    let world = people();
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    for journal in ["-wal", "-shm"] {
        // SQLite mends the file from its journal where it can.
        let _ = fs::remove_file(world.path(&format!(".lockgate/catalog.db{journal}")));
    }
    fs::write(world.path(".lockgate/catalog.db"), b"not a database at all, not even nearly so").unwrap();
    world.lockgate(&["datasets"]).fails(5, "lockgate catalog rebuild");
    world.lockgate(&["catalog", "rebuild"]).ok();
    let datasets = world.lockgate(&["datasets", "--format", "json"]).ok().json();
    assert_eq!(datasets[0]["dataset"], "people");

    // A limit on file size is what a process sees of a full disk without a disk to fill.
    let rows: String = (0..40_000).map(|i| format!("P{i},p{i}@example.com,Oslo\n")).collect();
    world.write("data/people.csv", format!("id,email,city\n{rows}").as_bytes());
    let shell = format!("trap '' XFSZ; ulimit -f 64; exec {} run pipeline.yaml", crate::world::program().display());
    let done = run(Command::new("bash").args(["-c", &shell]).current_dir(world.dir.path()).env("NO_COLOR", "1"));
    assert!([3, 6].contains(&done.code), "{} {}", done.code, done.err);
    assert!(done.err.contains("error:"), "{}", done.err);
    world.lockgate(&["verify"]).ok();
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    world.lockgate(&["verify"]).ok();
}
