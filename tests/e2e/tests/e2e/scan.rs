//! `lockgate scan`: what it finds in files of every kind, and what it writes redacted.

use std::{fs, io::Write as _, process::Command};

use serde_json::{Value, json};

use crate::world::{World, judge, run};

fn world() -> World {
    let world = World::people("id,email,city\n");
    let people = "id,ssn,phone,note,amount\n1,078051129,6502530000,\"call +1 650-253-0000, \"\"now\"\"\",12\n2,536904399,2125550123,ana@mail.example,13\n";
    world.write("in/people.csv", people.as_bytes());
    world.write("in/notes.txt", "nothing here\nmail bo@mail.example\ncard 4111 1111 1111 1111\n".as_bytes());
    world.write(
        "in/deep/events.jsonl",
        b"{\"user\":{\"mails\":[\"eve@mail.example\"]},\"card\":4111111111111111,\"ok\":true}\n{\"user\":{\"mails\":[]},\"n\":1.5}\n",
    );
    world.write("in/one.json", b"[{\"iban\":\"DE89370400440532013000\"},{\"iban\":null}]");
    world.write("in/.hidden.txt", b"hidden@mail.example");
    let script = "\
import gzip, sys, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({'ssn': pa.array([78051129, 536904399]), 'mail': ['x@mail.example', None]}), 'in/table.parquet')
with gzip.open('in/log.txt.gz', 'wt') as f: f.write('from 10.218.6.131\\n' * 3)
";
    run(Command::new(judge("python")).args(["-c", script]).current_dir(world.path(""))).ok();
    world
}

#[test]
fn every_kind_of_file_is_scanned_and_tells_columns() {
    let world = world();
    let done = world.lockgate(&["scan", "in", "--format", "json"]).ok().json();
    let found: Vec<(String, String, String, u64)> = done["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| {
            let text = |key: &str| g[key].as_str().unwrap_or_default().to_owned();
            (text("file").replace("in/", ""), text("column"), text("entity"), g["count"].as_u64().unwrap())
        })
        .collect();
    let row =
        |file: &str, column: &str, entity: &str, count| (file.to_owned(), column.to_owned(), entity.to_owned(), count);
    assert_eq!(
        found,
        [
            row(".hidden.txt", "", "EMAIL_ADDRESS", 1),
            row("deep/events.jsonl", "card", "CREDIT_CARD", 1),
            row("deep/events.jsonl", "user.mails[]", "EMAIL_ADDRESS", 1),
            row("log.txt.gz", "", "IP_ADDRESS", 3),
            row("notes.txt", "", "CREDIT_CARD", 1),
            row("notes.txt", "", "EMAIL_ADDRESS", 1),
            row("one.json", "[].iban", "IBAN_CODE", 1),
            row("people.csv", "note", "EMAIL_ADDRESS", 1),
            row("people.csv", "note", "PHONE_NUMBER", 1),
            row("people.csv", "phone", "PHONE_NUMBER", 2),
            row("people.csv", "ssn", "US_SSN", 2),
            row("table.parquet", "mail", "EMAIL_ADDRESS", 1),
            row("table.parquet", "ssn", "US_SSN", 1),
        ]
    );
    assert_eq!((done["files"].as_u64(), done["rows"].as_u64()), (Some(7), Some(14)));
    // Shapes, never values.
    let table = world.lockgate(&["scan", "in"]).ok();
    assert!(table.out.contains("999999999") && table.out.contains("xxx@xxxx.xxxxxxx"), "{}", table.out);
    for value in ["078051129", "eve@", "4111", "ana@"] {
        assert!(!table.out.contains(value) && !table.err.contains(value), "{value}");
    }
    let sampled = world.lockgate(&["scan", "in/log.txt.gz", "--sample", "1", "--format", "json"]).ok().json();
    assert_eq!(sampled["groups"][0]["count"], 1);
    // SARIF as its schema has it: one run, rules, and a place for each result.
    let sarif = world.lockgate(&["scan", "in/notes.txt", "--format", "sarif"]).ok().json();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let lines: Vec<(&str, u64)> = results
        .iter()
        .map(|r| {
            let line = r["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap();
            (r["ruleId"].as_str().unwrap(), line)
        })
        .collect();
    assert_eq!(lines, [("CREDIT_CARD", 3), ("EMAIL_ADDRESS", 2)]);
    // A reader of the whole object model agrees.
    world.write("found.sarif", sarif.to_string().as_bytes());
    let read = "from sarif_pydantic import Sarif; s = Sarif.model_validate_json(open('found.sarif').read()); print(s.version, len(s.runs[0].results))";
    let judged = run(Command::new(judge("python")).args(["-c", read]).current_dir(world.path(""))).ok();
    assert!(judged.out.trim().ends_with("2.1.0 2"), "{}", judged.out);
    world.lockgate(&["verify", "--format", "sarif"]).fails(2, "findings about files");
}

#[test]
fn a_scan_can_fail_a_build_and_names_what_it_could_not_read() {
    let world = world();
    world.lockgate(&["scan", "in", "--fail-on", "CREDIT_CARD,US_SSN"]).fails(1, "found CREDIT_CARD, US_SSN");
    world.lockgate(&["scan", "in", "--fail-on", "any", "--entities", "IMEI"]).ok();
    world.lockgate(&["scan", "in", "--fail-on", "secret"]).ok();
    world.lockgate(&["scan", "in", "--language", "de", "--fail-on", "US_SSN"]).fails(2, "not looked for");
    world
        .lockgate(&["scan", "in/people.csv", "--language", "de", "--entities", "US_SSN,DE_TAX_ID", "--fail-on", "any"])
        .ok();
    world.lockgate(&["scan", "in", "--language", "en", "--fail-on", "US_SSN"]).fails(1, "found US_SSN");
    world.lockgate(&["scan", "in", "--language", "xx"]).fails(2, "known are en");
    world.write("key.txt", b"use AKIAIOSFODNN7EXAMPLQ now\n");
    world.lockgate(&["scan", "key.txt", "--fail-on", "secret"]).fails(1, "found AWS_ACCESS_KEY");
    world.lockgate(&["scan", "key.txt", "--fail-on", "personal"]).ok();
    world.lockgate(&["scan", "in", "--fail-on", "CREDIT_CRAD"]).fails(2, "CREDIT_CRAD");
    world.lockgate(&["scan", "in", "--entities", "EMAIL"]).fails(2, "EMAIL");
    world.lockgate(&["scan", "in", "--min-score", "7"]).fails(2, "between 0 and 1");
    world.lockgate(&["scan", "absent"]).fails(3, "absent");
    world.write("in/broken.parquet", b"PAR1 this is none");
    world.write("in/broken.txt.gz", &[0x1f, 0x8b, 8, 0, 1, 2, 3]);
    world.write("in/odd.txt", &[b'x', 0xff, 0xfe, b' ', b'a', b'@', b'b', b'.', b'd', b'e', b'\n']);
    let done = world.lockgate(&["scan", "in", "--format", "json"]);
    let done = done.fails(3, "2 files were not scanned");
    let found: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(found["unread"].as_array().unwrap().len(), 2, "{found}");
    assert!(done.out.contains("odd.txt"));
    // A bomb stops at its limit, and a line without an end does not fill the memory.
    let bomb = "import gzip; f = gzip.open('in/bomb.txt.gz', 'wb'); [f.write(bytes(1 << 20)) for _ in range(400)]";
    run(Command::new(judge("python")).args(["-c", bomb]).current_dir(world.path(""))).ok();
    world.lockgate(&["scan", "in/bomb.txt.gz"]).fails(3, "bomb.txt.gz");
}

#[test]
fn what_is_written_redacted_holds_no_value() {
    let world = world();
    for file in ["in/people.csv", "in/notes.txt", "in/deep/events.jsonl"] {
        let out = format!("clean.{}", file.rsplit('.').next().unwrap());
        world.lockgate(&["scan", file, "--redact", "--output", &out]).ok();
        let clean = fs::read_to_string(world.path(&out)).unwrap();
        for value in ["078051129", "536904399", "6502530000", "253-0000", "mail.example", "4111"] {
            assert!(!clean.contains(value), "{value} in {clean}");
        }
        assert_eq!(clean.lines().count(), fs::read_to_string(world.path(file)).unwrap().lines().count());
        // Doing it again changes nothing.
        world.lockgate(&["scan", &out, "--redact", "-o", "twice.txt"]).ok();
        assert_eq!(world.lockgate(&["scan", &out, "--format", "json"]).ok().json()["groups"], json!([]));
    }
    assert!(fs::read_to_string(world.path("clean.csv")).unwrap().contains("\"call <PHONE_NUMBER>, \"\"now\"\"\",12"));
    world.lockgate(&["scan", "in/people.csv", "--redact", "-o", "in/people.csv"]).fails(2, "the output is the input");
    world.lockgate(&["scan", "in/table.parquet", "--redact", "-o", "x"]).fails(3, "cannot be redacted");
    world.lockgate(&["scan", "in", "--redact"]).fails(2, "--output");
    world.lockgate(&["scan", "in", "--redact", "-o", "x", "--fail-on", "any"]).fails(2, "--fail-on");
    world.lockgate(&["scan", "in", "-o", "x"]).fails(2, "--redact");
    world.lockgate(&["scan", "in", "--explain"]).fails(2, "--explain");
    world.lockgate(&["scan", "in", "--countries", "uk"]).fails(2, "known are");
    // Keys above a value tell what it is.
    world.write("nested.jsonl", b"{\"ssn\":{\"value\":\"078051129\"},\"n\":{\"value\":\"078051129\"}}\n");
    world.lockgate(&["scan", "nested.jsonl", "--redact", "-o", "clean"]).ok();
    let clean = fs::read_to_string(world.path("clean")).unwrap();
    assert_eq!(clean, "{\"ssn\":{\"value\":\"<US_SSN>\"},\"n\":{\"value\":\"078051129\"}}\n");
    world.lockgate(&["scan", "in/notes.txt", "--redact", "-o", "/dev/null"]).fails(2, "not a regular file");
}

#[test]
fn nothing_slips_through_a_redaction() {
    let world = world();
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq9\nabcdefghijklmnop\n-----END RSA PRIVATE KEY-----";
    let long = format!("{}ana@mail.example\n", "x,".repeat((1 << 19) - 6));
    let utf16: Vec<u8> = "to ana@mail.example\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe][..], &utf16].concat();
    let key = format!("before\n{key}\nafter\n");
    let cases: [(&str, &[u8], &[&str]); 8] = [
        ("key.txt", key.as_bytes(), &["MIIE", "abcdefghijklmnop", "END RSA"]),
        ("headless.csv", b"ana@mail.example,536-22-1234\nbo@mail.example,536-22-1235\n", &["ana@", "536-22"]),
        ("twice.jsonl", b"{\"a\":\"ana@mail.example\",\"a\":\"x\"}\n", &["ana@"]),
        ("keys.jsonl", b"{\"ana@mail.example\":1,\"bo@mail.example\":2e2}\n", &["ana@", "bo@"]),
        ("long.txt", long.as_bytes(), &["ana@"]),
        ("wide.txt", &utf16, &["a\u{0}n\u{0}a\u{0}@", "ana@"]),
        ("marked.txt", &marked, &["a\u{0}n\u{0}a\u{0}@", "ana@"]),
        ("escaped.jsonl", b"{\"a\":\"ana\\u0040mail.example\"}\n", &["u0040", "ana"]),
    ];
    for (name, bytes, values) in cases {
        world.write(name, bytes);
        let scanned = world.lockgate(&["scan", name, "--format", "json"]).ok().json();
        assert!(!scanned["groups"].as_array().unwrap().is_empty(), "{name}");
        world.lockgate(&["scan", name, "--fail-on", "any"]).fails(1, "found");
        world.lockgate(&["scan", name, "--redact", "-o", "clean"]).ok();
        let clean = String::from_utf8(fs::read(world.path("clean")).unwrap()).unwrap();
        for value in values {
            assert!(!clean.contains(value), "{value} in {}", &clean[..clean.len().min(300)]);
        }
    }
    // What is not touched keeps its bytes.
    let kept = fs::read_to_string(world.path("clean")).unwrap();
    assert_eq!(kept, "{\"a\":\"<EMAIL_ADDRESS>\"}\n");
    world.write(
        "kept.jsonl",
        b"{ \"z\": 1e2, \"n\":12345678901234567890123, \"mail\":\"a@mail.example\", \"z\":[true,null]}\n",
    );
    world.lockgate(&["scan", "kept.jsonl", "--redact", "-o", "clean"]).ok();
    let kept = fs::read_to_string(world.path("clean")).unwrap();
    assert_eq!(kept, "{ \"z\": 1e2, \"n\":12345678901234567890123, \"mail\":\"<EMAIL_ADDRESS>\", \"z\":[true,null]}\n");
    // Fields beside a labelled text are seen by a build that must fail.
    world.write("label.jsonl", b"{\"id\":\"1\",\"text\":\"x\",\"ssn\":\"536-22-1234\"}\n");
    world.lockgate(&["scan", "label.jsonl", "--fail-on", "any"]).fails(1, "found US_SSN");
    world.write("archive.zip", b"PK\x03\x04 and more");
    world.lockgate(&["scan", "archive.zip"]).fails(3, "archive");
}

#[test]
fn labelled_lines_are_answered_line_by_line() {
    let world = world();
    world.write(
        "texts.jsonl",
        "{\"id\":7,\"text\":\"é 4111 1111 1111 1111\"}\n{\"id\":\"x\",\"text\":\"my ssn is 078051129\"}\n".as_bytes(),
    );
    let done = world.lockgate(&["scan", "texts.jsonl", "--explain"]).ok();
    let lines: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["id"], 7);
    assert_eq!(lines[0]["spans"][0]["type"], "CREDIT_CARD");
    assert_eq!((lines[0]["spans"][0]["start"].as_u64(), lines[0]["spans"][0]["end"].as_u64()), (Some(2), Some(21)));
    assert_eq!(lines[1]["spans"][0]["why"]["context"]["word"], "ssn");
    let mut child = world
        .command(&["scan"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"write to ana@mail.example\n").unwrap();
    let out = child.wait_with_output().unwrap();
    let line: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((line["id"].as_u64(), line["spans"][0]["type"].as_str()), (Some(1), Some("EMAIL_ADDRESS")));
}

#[test]
fn a_team_adds_recognizers_and_presidio_files_are_read_as_they_are() {
    let world = world();
    let own = r"
supported_languages: [en]
global_regex_flags: 26
recognizers:
  - name: Employee id
    supported_languages:
      - language: en
        context: [employee, badge]
    supported_entity: EMPLOYEE_ID
    patterns:
      - {name: strong, regex: '\bEMP-[0-9]{6}\b', score: 0.9}
      - {name: weak, regex: '\b[A-Z]{2}[0-9]{3}\b', score: 0.05}
  - name: Projects
    supported_language: en
    supported_entity: PROJECT
    deny_list: [Blue Heron, night+owl]
  - name: CreditCardRecognizer
    type: predefined
  - name: Switched off
    enabled: false
    supported_entity: NOTHING
    deny_list: [the]
allow_list: [support@mail.example]
thresholds: {PHONE_NUMBER: 0.99}
";
    world.write("own.yaml", own.as_bytes());
    let text = "write to support@mail.example about emp-123456, his badge is XY123\ncode XY124\n\
                the blue heron and Night+Owl, not blueheron; +1 650-253-0000 or ana@mail.example\n";
    world.write("texts.txt", text.as_bytes());
    let done = world.lockgate(&["scan", "texts.txt", "--recognizers", "own.yaml", "--format", "json"]).ok().json();
    let found: Vec<(&str, u64)> = done["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["entity"].as_str().unwrap(), g["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, [("EMAIL_ADDRESS", 1), ("EMPLOYEE_ID", 2), ("PROJECT", 2)]);
    world
        .lockgate(&["scan", "texts.txt", "--recognizers", "own.yaml", "--fail-on", "PROJECT"])
        .fails(1, "found PROJECT");
    for (wrong, right, words) in [
        ("[0-9]{6}\\b'", "[0-9]{6}(?<!x)'", "own.yaml:5: recognizer \"Employee id\""),
        ("[0-9]{6}\\b'", "[0-9]{6'", "own.yaml:5: recognizer"),
        ("score: 0.9", "score: 9", "does not lie between 0 and 1"),
        ("supported_entity: EMPLOYEE_ID", "supported_entity: employee id", "is no entity"),
        ("    supported_entity: EMPLOYEE_ID\n", "", "needs one supported_entity"),
        ("deny_list: [Blue", "denylist: [Blue", "did you mean \"deny_list\"?"),
        ("PHONE_NUMBER: 0.99", "PHONE_NUMBR: 0.99", "unknown entity"),
    ] {
        world.write("own.yaml", own.replacen(wrong, right, 1).as_bytes());
        world.lockgate(&["scan", "texts.txt", "--recognizers", "own.yaml"]).fails(3, words);
    }
    // In a pipeline, too: what they find is protected and on record.
    world.write("own.yaml", own.as_bytes());
    world.edit("pipeline.yaml", "    protection:\n", "    protection:\n      recognizers: own.yaml\n");
    world.write("data/people.csv", b"id,email,city\nP1,a@mail.example,Blue Heron\n");
    let done = world.lockgate(&["run", "pipeline.yaml"]).ok();
    assert!(done.out.contains("PROJECT in city: redact"), "{}", done.out);
}
