//! Outside programs judge what we emit.

use std::{fs, process::Command};

use crate::world::{World, judge, run};

fn people() -> World {
    let rows: String = (0..200).map(|i| format!("P{i},p{i}@example.com,Town {}\n", i % 5)).collect();
    let world = World::people(&format!("id,email,city\n{rows}"));
    world.lockgate(&["run", "pipeline.yaml"]).ok();
    world
}

/// Reads every data file with pyarrow and the given keys; prints the number of rows with a
/// readable value for each column, and `-` where the key is missing.
const READ: &str = r#"
import base64, json, sys
from pathlib import Path
import pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
keys = {k: bytes.fromhex(v) for k, v in json.load(open(sys.argv[2])).items()}
class Kms(pe.KmsClient):
    def __init__(self, config): super().__init__()
    def wrap_key(self, key, master): raise NotImplementedError
    def unwrap_key(self, wrapped, master):
        raw = base64.b64decode(wrapped)
        return AESGCM(keys[master]).decrypt(raw[:12], raw[12:], master.encode())
factory = pe.CryptoFactory(lambda config: Kms(config))
config = pe.KmsConnectionConfig(kms_instance_id="lockgate", kms_instance_url="DEFAULT")
counts = {}
for path in sorted(Path(sys.argv[1]).glob("*/data/*.parquet")):
    open_ = lambda: pq.ParquetFile(str(path), decryption_properties=factory.file_decryption_properties(config))
    try: names = open_().schema_arrow.names
    except KeyError: continue
    if "operator" in names: continue
    for name in names:
        try: n = open_().read(columns=[name]).column(0).drop_null().length()
        except Exception: n = None
        counts[name] = counts.get(name, 0) + n if n is not None else None
print(json.dumps(counts))
"#;

#[test]
fn pyarrow_reads_what_was_granted_and_is_refused_the_rest() {
    let world = people();
    let lake = world.path(".lockgate/lake");
    let read =
        |keys: &str| run(Command::new(judge("python")).args(["-c", READ]).arg(&lake).arg(world.path(keys))).ok().json();

    world.lockgate(&["keys", "release", "people", "--purpose", "demonstration", "--out", "some.json"]).ok();
    assert_eq!(read("some.json"), serde_json::json!({"id": null, "email": null, "city": 200, "_subject": null}));
    world.lockgate(&["--as", "dpo", "keys", "release", "people", "--purpose", "request", "--out", "all.json"]).ok();
    assert_eq!(read("all.json"), serde_json::json!({"id": 200, "email": 200, "city": 200, "_subject": 200}));
    world
        .lockgate(&["--as", "analyst", "keys", "release", "people", "--purpose", "demonstration", "--out", "none.json"])
        .fails(4, "denies");
}

#[test]
fn aics_tlog_verifies_checkpoint_inclusion_and_consistency() {
    let world = people();
    let audit = world.path(".lockgate/audit");
    let vkey = world.path(".lockgate/trust.vkey");
    let tlog = |args: &[&str]| {
        let mut command = Command::new(judge("aics-tlog"));
        command.args(args).arg("--tiles").arg(&audit).arg("--vkey-file").arg(&vkey);
        run(&mut command)
    };
    tlog(&["verify-checkpoint"]).ok();
    fs::copy(audit.join("checkpoint"), world.path("old")).unwrap();
    for round in 0..300 {
        // Enough events for a second tile.
        world.write("data/people.csv", format!("id,email,city\nP{round},x@example.com,Oslo\n").as_bytes());
        if round % 7 == 0 {
            world.lockgate(&["run", "pipeline.yaml"]).ok();
        }
    }
    let tail = world.lockgate(&["audit", "tail", "-n", "1", "--format", "jsonl"]).ok().json();
    let proof = world.lockgate(&["audit", "prove", tail["id"].as_str().unwrap(), "--format", "json"]).ok().json();
    assert!(proof["proof"]["tree_size"].as_u64().unwrap() > 200);
    let index = proof["proof"]["index"].to_string();
    world.write("leaf", proof["leaf"].as_str().unwrap().as_bytes());
    let leaf = world.path("leaf").display().to_string();
    tlog(&["verify-inclusion", "--leaf", &leaf, "--index", &index]).ok();
    let old = world.path("old").display().to_string();
    tlog(&["verify-consistency", "--old-checkpoint", &old]).ok();

    world.write("leaf", b"{\"id\":\"forged\"}");
    assert_ne!(tlog(&["verify-inclusion", "--leaf", &leaf, "--index", &index]).code, 0);
    world.lockgate(&["audit", "verify"]).ok();
}

#[test]
fn minisign_signs_what_we_accept() {
    let world = World::people("id,email,city\nP1,ana@example.com,Oslo\n");
    if run(Command::new("sh").args(["-c", "command -v minisign"])).code != 0 {
        // Only a machine where Debian packages cannot be installed lacks it.
        assert_ne!(run(Command::new("id").arg("-u")).out, "0\n", "`cargo xtask setup` installs minisign");
        return;
    }
    let minisign = |args: &[&str]| run(Command::new("minisign").args(args).current_dir(world.dir.path())).ok();
    minisign(&["-G", "-W", "-p", "k.pub", "-s", "k.key"]);
    minisign(&["-S", "-s", "k.key", "-m", "data/people.csv"]);
    let public = fs::read_to_string(world.path("k.pub")).unwrap();
    let public = public.lines().nth(1).unwrap();
    world.edit("lockgate.yaml", "publishers: {}", &format!("publishers: {{office: {public}}}"));
    world.edit("pipeline.yaml", "trust: unauthenticated", "trust: {publisher: office}");
    world.lockgate(&["run", "pipeline.yaml"]).ok();
}
