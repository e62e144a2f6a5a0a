//! From a source to an encrypted, provable snapshot.

use std::{collections::HashSet, fs};

use crate::world::{World, column, data};

fn ingest_income(world: &World) -> serde_json::Value {
    let data = data("income", "adult/applicants.csv");
    let source = format!("applicants={}", data.path.display());
    world
        .lockgate(&[
            "ingest",
            "pipeline.yaml",
            "--source",
            &source,
            "--trust",
            "applicants=unauthenticated",
            "--format",
            "json",
        ])
        .ok()
        .json()
}

#[test]
fn forty_eight_thousand_people_and_no_value_of_theirs_on_disk() {
    let world = World::example("income");
    let outcome = &ingest_income(&world)[0];
    let number = |key: &str| outcome[key].as_u64().unwrap();
    assert_eq!(number("rows_read"), number("rows_committed") + number("rows_quarantined"));
    assert!(number("rows_committed") > 1_000);
    assert_eq!(number("subjects"), number("rows_committed"));
    world.lockgate(&["verify"]).ok();

    // Every planted value of a protected column, looked for in every byte of the workspace.
    let data = data("income", "adult/applicants.csv");
    let mut planted: HashSet<Vec<u8>> = HashSet::new();
    for name in ["applicant_id", "full_name", "email", "phone", "ssn", "address", "signup_ip"] {
        planted.extend(column(&data.path, name).into_iter().filter(|v| v.len() >= 7).map(String::into_bytes));
    }
    assert!(planted.len() > 5_000);
    let mut lengths: Vec<usize> = planted.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let starts: HashSet<[u8; 6]> = planted.iter().map(|v| v[..6].try_into().unwrap()).collect();
    for file in world.files() {
        let bytes = fs::read(&file).unwrap();
        for at in 0..bytes.len().saturating_sub(6) {
            if !starts.contains(&bytes[at..at + 6]) {
                continue;
            }
            for length in &lengths {
                if let Some(window) = bytes.get(at..at + length) {
                    assert!(!planted.contains(window), "a planted value stands in {}", file.display());
                }
            }
        }
    }
}

#[test]
fn the_same_input_is_not_committed_twice_and_a_changed_one_is_version_two() {
    let world = World::people("id,email,city\nP1,ana@example.com,Oslo\nP2,bo@example.com,Rome\n");
    let run = || world.lockgate(&["run", "pipeline.yaml", "--format", "json"]).ok().json();
    assert_eq!(run()["ingested"][0]["snapshot"]["version"], 1);
    let again = run();
    assert_eq!(again["ingested"][0]["snapshot"]["version"], 1);
    assert_eq!(again["ingested"][0]["unchanged"], true);
    world.write("data/people.csv", b"id,email,city\nP1,ana@example.com,Oslo\n");
    assert_eq!(run()["ingested"][0]["snapshot"]["version"], 2);
    world.lockgate(&["verify"]).ok();
}

#[test]
fn rows_that_break_the_contract_are_quarantined_up_to_a_threshold() {
    let rows: String = (0..100).map(|i| format!("P{i},p{i}@example.com,Oslo\n")).collect();
    let world = World::people(&format!("id,email,city\n{rows}P1,twice@example.com,Oslo\nP900,only-two-fields\n"));
    world.lockgate(&["run", "pipeline.yaml"]).fails(1, "2 of 102 rows broke the contract");
    world.lockgate(&["verify"]).ok();
    world.edit(
        "pipeline.yaml",
        "    contract: contracts/people.yaml\n",
        "    contract: contracts/people.yaml\n    quality: {maxQuarantinedPercent: 5}\n",
    );
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(done.out.contains("102 rows read = 100 committed + 2 quarantined"), "{}", done.out);
    let datasets = world.lockgate(&["datasets", "--format", "json"]).ok().json();
    assert_eq!(datasets[1]["dataset"], "people.quarantine");
    assert_eq!(datasets[1]["rows"], 2);
    world.lockgate(&["verify"]).ok();
}

#[test]
fn a_public_column_with_a_finding_stops_the_run() {
    let world = World::people("id,email,city\nP1,ana@example.com,write to bo@example.com\n");
    world.edit(
        "contracts/people.yaml",
        "name: city, logicalType: string, classification: internal",
        "name: city, logicalType: string, classification: public",
    );
    let done = world.lockgate(&["run", "pipeline.yaml"]).fails(1, "EMAIL_ADDRESS in column \"city\"");
    assert!(!done.err.contains("bo@"));
    let datasets = world.lockgate(&["datasets", "--format", "json"]).ok().json();
    assert_eq!(datasets, serde_json::json!([]));
}

#[test]
fn a_signature_decides_before_one_row_is_read() {
    let world = World::people("id,email,city\nP1,ana@example.com,Oslo\n");
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let csv = fs::read(world.path("data/people.csv")).unwrap();
    let signature = minisign::sign(None, &pair.sk, &csv[..], None, None).unwrap();
    world.write("data/people.csv.minisig", signature.into_string().as_bytes());
    world.edit("lockgate.yaml", "publishers: {}", &format!("publishers: {{registry-office: {}}}", pair.pk.to_base64()));
    world.edit("pipeline.yaml", "trust: unauthenticated", "trust: {publisher: registry-ofice}");
    world.lockgate(&["run", "pipeline.yaml"]).fails(3, "did you mean \"registry-office\"?");
    world.edit("pipeline.yaml", "registry-ofice", "registry-office");
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(done.out.contains("(publisher:registry-office)"), "{}", done.out);

    world.write("data/people.csv", b"id,email,city\nP1,eve@example.com,Oslo\n");
    world.lockgate(&["run", "pipeline.yaml"]).fails(5, "signature");
    let tail = world.lockgate(&["audit", "tail", "-n", "1", "--format", "jsonl"]).ok();
    assert_eq!(tail.json()["kind"], "source.refused");
    fs::remove_file(world.path("data/people.csv.minisig")).unwrap();
    world.lockgate(&["run", "pipeline.yaml"]).fails(5, "cannot be read");
}

#[test]
fn roles_decide_who_may_ingest_and_for_what() {
    let world = World::people("id,email,city\nP1,ana@example.com,Oslo\n");
    world.lockgate(&["run", "pipeline.yaml", "--as", "analyst"]).fails(4, "policy denies analyst to ingest");
    let tail = world.lockgate(&["audit", "tail", "-n", "1", "--format", "jsonl"]).ok().json();
    assert_eq!((&tail["kind"], &tail["actor"]), (&"policy.denied".into(), &"analyst".into()));
    world.lockgate(&["run", "pipeline.yaml", "--as", "analist"]).fails(2, "did you mean \"analyst\"?");
    world.edit("pipeline.yaml", "purpose: demonstration", "purpose: marketing");
    world.lockgate(&["run", "pipeline.yaml"]).fails(4, "marketing");
}

#[test]
fn three_thousand_reviews_without_the_addresses_in_their_text() {
    let data = data("reviews", "reviews/reviews.csv");
    let world = World::example("reviews");
    let source = format!("reviews={}", data.path.display());
    let done = world
        .lockgate(&[
            "run",
            "pipeline.yaml",
            "--source",
            &source,
            "--trust",
            "reviews=unauthenticated",
            "--format",
            "json",
        ])
        .ok()
        .json();
    let outcome = &done["ingested"][0];
    assert_eq!(outcome["rows_read"], outcome["rows_committed"]);
    world.lockgate(&["verify"]).ok();
    let texts = world
        .lockgate(&[
            "--as",
            "pipeline",
            "query",
            "SELECT text FROM reviews",
            "--purpose",
            "sentiment",
            "--limit",
            "5000",
            "--format",
            "json",
        ])
        .ok()
        .json();
    let texts: Vec<&str> = texts.as_array().unwrap().iter().filter_map(|row| row["text"].as_str()).collect();
    assert!(texts.len() >= 3_000 && texts.iter().filter(|t| t.contains("<EMAIL_ADDRESS>")).count() > 100);
    // The planted addresses all stand at these hosts.
    assert!(!texts.iter().any(|t| t.contains("@example.")), "an address is left in a text");
}
