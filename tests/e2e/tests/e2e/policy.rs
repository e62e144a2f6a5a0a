//! The policy that a new workspace starts from, judged by OPA itself.

use std::{collections::BTreeMap, fs, process::Command};

use lockgate_core::{Classification, Principal};
use lockgate_policy::{DEFAULT_POLICY, Policy, Request, Resource};
use serde_json::{Value, json};

use crate::world::{judge, run};

const OPA: &str = r"
import json, sys
from opa_bindings import OpaEngine
engine = OpaEngine()
engine.add_policy('default.rego', open(sys.argv[1]).read())
for line in open(sys.argv[2]):
    print(json.dumps(engine.eval_document('lockgate.decision', json.loads(line))))
";

/// Every role alone and some together, every action, each kind of resource, with and without a
/// purpose, a fitting purpose and another.
fn questions() -> Vec<Value> {
    let roles = [
        &[][..],
        &["data-engineer"],
        &["ml-engineer"],
        &["analyst"],
        &["service"],
        &["dpo"],
        &["analyst", "dpo"],
        &["analyst", "ml-engineer"],
        &["nobody"],
    ];
    let actions = [
        "ingest",
        "read",
        "derive",
        "train",
        "publish",
        "deploy",
        "serve",
        "infer",
        "metadata",
        "release",
        "release-keys",
        "detokenize",
        "administer",
        "other",
    ];
    let columns = json!({"name": "confidential", "ssn": "restricted", "age": "internal", "city": "public"});
    let resources = [
        json!({"kind": "dataset", "name": "d", "classification": "restricted", "purpose": "loans", "columns": columns, "protection": {"ssn": "tokenize"}}),
        json!({"kind": "dataset", "name": "d", "classification": "restricted", "purpose": "loans", "columns": columns, "protection": {"ssn": "keep"}}),
        json!({"kind": "endpoint", "name": "e", "classification": "confidential", "purpose": "loans", "columns": {}, "protection": {}}),
        json!({"kind": "model", "name": "m", "columns": {}, "protection": {}}),
        json!({"kind": "workspace", "name": "w", "columns": {}, "protection": {}}),
    ];
    let mut all = Vec::new();
    for roles in roles {
        for action in actions {
            for resource in &resources {
                for purpose in ["loans", "marketing"] {
                    all.push(json!({
                        "principal": {"id": "x", "roles": roles}, "action": action, "resource": resource, "purpose": purpose,
                    }));
                }
            }
        }
    }
    all
}

fn ours(policy: &Policy, question: &Value) -> Value {
    let texts = |value: &Value| -> BTreeMap<String, String> { serde_json::from_value(value.clone()).unwrap() };
    let class = |value: &Value| -> Option<Classification> { serde_json::from_value(value.clone()).ok() };
    let resource = &question["resource"];
    let principal: Principal = serde_json::from_value(question["principal"].clone()).unwrap();
    let decision = policy.decide(&Request {
        principal: &principal,
        action: question["action"].as_str().unwrap(),
        resource: Resource {
            kind: resource["kind"].as_str().unwrap().into(),
            name: resource["name"].as_str().unwrap().into(),
            classification: class(&resource["classification"]),
            purpose: resource["purpose"].as_str().map(str::to_owned),
            columns: texts(&resource["columns"]).into_iter().map(|(k, v)| (k, class(&json!(v)).unwrap())).collect(),
            protection: texts(&resource["protection"]),
        },
        purpose: question["purpose"].as_str().unwrap(),
        client: None,
    });
    serde_json::to_value(decision).unwrap()
}

#[test]
fn opa_decides_as_we_do() {
    let policy = Policy::compile(&[("default.rego".into(), DEFAULT_POLICY.into())]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let questions = questions();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    fs::write(dir.path().join("questions.jsonl"), lines).unwrap();
    fs::write(dir.path().join("default.rego"), DEFAULT_POLICY).unwrap();
    let mut command = Command::new(judge("python"));
    command.args(["-c", OPA]).arg(dir.path().join("default.rego")).arg(dir.path().join("questions.jsonl"));
    let theirs = run(&mut command).ok();
    let mut allowed = 0;
    for (question, line) in questions.iter().zip(theirs.out.lines()) {
        let mut theirs: Value = serde_json::from_str(line).unwrap();
        if theirs["obligations"].is_null() {
            theirs["obligations"] = json!({"row_filters": [], "column_masks": {}, "hidden_columns": []});
        }
        let ours = ours(&policy, question);
        assert_eq!(ours, theirs, "{question}");
        allowed += usize::from(ours["allow"] == true);
    }
    assert_eq!(theirs.out.lines().count(), questions.len());
    assert!(allowed > 50 && allowed < questions.len() / 2, "{allowed} of {}", questions.len());
}
