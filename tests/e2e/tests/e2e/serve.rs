//! Behind the gateway: who gets in, who may ask, what is refused, and what is on record.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    models::customers,
    world::{World, judge, root, run},
};

pub const INFER: &str = "/v2/models/churn/infer";
/// A feature value that must be nowhere after it was sent.
const PLANTED: &str = "271.828182";

/// A workspace with a deployed model, clients, and the gateway when it is started.
pub struct Served {
    pub world: World,
    pub child: Option<Child>,
    pub port: u16,
}

impl Served {
    /// `gateway` is YAML below that key of lockgate.yaml.
    pub fn prepare(gateway: &str) -> Self {
        let world = customers("trainer: {logisticRegression: {}}");
        let text = fs::read_to_string(world.path("model.yaml")).unwrap();
        world.write("model.yaml", format!("{text}deployment: {{endpoint: churn}}\n").as_bytes());
        let roles =
            "  - id: dpo\n    roles: [dpo]\n  - id: shop\n    roles: [service]\n  - id: ana\n    roles: [service]\n";
        world.edit("lockgate.yaml", "  - id: dpo\n    roles: [dpo]\n", &format!("{roles}gateway: {gateway}\n"));
        world.lockgate(&["run", "model.yaml"]).ok();
        for client in ["shop", "analyst", "stranger"] {
            world.lockgate(&["keys", "issue", client, "--out", client]).ok();
        }
        Self { world, child: None, port: 0 }
    }

    pub fn start(gateway: &str) -> Self {
        let mut served = Self::prepare(gateway);
        served.up();
        served
    }

    pub fn up(&mut self) {
        let args = ["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--format", "jsonl"];
        let mut child = self.world.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Ok(answering) = serde_json::from_str::<Value>(&line) else {
            let output = child.wait_with_output().unwrap();
            panic!("{}", String::from_utf8_lossy(&output.stderr))
        };
        self.port = answering["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        self.world.write("metrics.txt", answering["metrics"].as_str().unwrap().as_bytes());
        self.child = Some(child);
    }

    pub fn folder(&self, client: &str) -> String {
        self.world.path(client).to_str().unwrap().to_owned()
    }

    /// What Python's own client gets for each request; `client` is made a folder.
    pub fn ask(&self, requests: Value) -> Vec<Value> {
        let mut requests = requests;
        for request in requests.as_array_mut().unwrap() {
            let client = request["client"].as_str().unwrap_or("shop").to_owned();
            if request["client"] != json!("nobody") {
                request["folder"] = json!(self.folder(&client));
            }
            request["authority"] = json!(format!("{}/authority.crt", self.folder("shop")));
        }
        let script = root().join("tests/e2e/data/gateway.py");
        let mut command = Command::new(judge("python"));
        let done = run(command.arg(script).arg(self.port.to_string()).arg(requests.to_string())).ok();
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn statuses(&self, requests: Value) -> Vec<u64> {
        self.ask(requests).iter().map(|answer| answer["status"].as_u64().unwrap()).collect()
    }

    pub fn stop(&mut self) -> String {
        let child = self.child.take().unwrap();
        run(Command::new("kill").args(["-TERM", &child.id().to_string()])).ok();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub fn events(&self) -> Vec<Value> {
        let done = self.world.lockgate(&["audit", "export", "--log", "gateway"]).ok();
        done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A body for the model; `age`, `spend` and `plan` as they are given.
fn body(age: Value, spend: Value, plan: Value) -> String {
    let rows = age.as_array().unwrap().len();
    let input = |name, datatype, data| json!({"name": name, "shape": [rows, 1], "datatype": datatype, "data": data});
    json!({"id": "r", "inputs": [input("age", "FP32", age), input("plan", "BYTES", plan), input("spend", "FP32", spend)]})
        .to_string()
}

pub fn good() -> String {
    body(json!([40]), json!([PLANTED.parse::<f64>().unwrap()]), json!(["plus"]))
}

#[test]
fn who_may_do_what_at_the_gateway() {
    let mut served = Served::start("{}");
    let mut matrix = Vec::new();
    for client in ["shop", "analyst", "stranger"] {
        let row = served.statuses(json!([
            {"client": client, "path": "/v2/health/live"},
            {"client": client, "path": "/v2/health/ready"},
            {"client": client, "path": "/v2"},
            {"client": client, "path": "/v2/models/churn"},
            {"client": client, "path": "/v2/models/churn/versions/1/ready"},
            {"client": client, "path": "/v2/models/churn/versions/2"},
            {"client": client, "path": INFER, "body": good()},
            {"client": client, "path": "/v2/models/other/infer", "body": good()},
            {"client": client, "path": INFER, "body": good(), "headers": {"lockgate-purpose": "marketing"}},
            {"client": client, "path": INFER},
            {"client": client, "path": "/v2/models", "method": "DELETE"},
        ]));
        matrix.push((client, row));
    }
    // live, ready, server | metadata, ready, no version | infer, no model, wrong purpose | method, no path
    assert_eq!(
        matrix,
        [
            ("shop", vec![200, 200, 200, 200, 200, 404, 200, 404, 404, 405, 404]),
            ("analyst", vec![200, 200, 200, 200, 200, 404, 403, 404, 404, 405, 404]),
            ("stranger", vec![200, 200, 200, 404, 404, 404, 404, 404, 404, 405, 404]),
        ]
    );
    // Without a client's certificate, with another authority's, and with TLS 1.2 nobody is heard.
    let other = World::people("id,email,city\n");
    other.write("data/people.csv", b"id,email,city\nP1,a@example.com,Oslo\n");
    other.lockgate(&["run", "pipeline.yaml"]).ok();
    other.lockgate(&["keys", "issue", "shop", "--out", "shop"]).ok();
    fs::rename(other.path("shop"), served.world.path("foreign")).unwrap();
    let refused = served.statuses(json!([
        {"client": "nobody", "path": "/v2/health/live"},
        {"client": "foreign", "path": "/v2/health/live"},
        {"client": "shop", "path": "/v2/health/live", "tls": "1.2"},
    ]));
    assert_eq!(refused, [0, 0, 0]);
    let told = served.stop();
    let events = served.events();
    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((count("inference"), count("request.denied")), (1, 7), "{events:?}");
    let handshakes = events.iter().filter(|e| e["kind"] == "handshake.refused");
    assert_eq!(handshakes.map(|e| e["detail"]["count"].as_u64().unwrap()).sum::<u64>(), 3);
    for event in &events {
        let named = event["detail"]["artifact"].as_str().is_some_and(|a| a.starts_with("sha256:"));
        assert!(named || event["about"] == "gateway", "{event}");
    }
    // The value that was asked about is in no log and no file.
    assert!(!told.contains(PLANTED));
    for file in served.world.files() {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(PLANTED.len()).any(|w| w == PLANTED.as_bytes()), "{}", file.display());
    }
    served.world.lockgate(&["verify"]).ok();
}

#[test]
fn what_does_not_fit_the_model_is_refused_before_it_is_asked() {
    let served = Served::start("{maxBodyBytes: 20000, maxRows: 3, rateLimit: {requestsPerSecond: 1000, burst: 1000}}");
    let wrong_type = body(json!(["forty"]), json!([1.0]), json!(["plus"]));
    let number_for_text = body(json!([40]), json!([1.0]), json!([7]));
    let many = body(json!([1, 2, 3, 4]), json!([1, 2, 3, 4]), json!(["a", "a", "a", "a"]));
    let long = body(json!([40]), json!([1.0]), json!(["x".repeat(30_000)]));
    let deep = "[".repeat(5_000);
    let nested = good().replace("[40]", "[[[[[40]]]]]");
    let huge_shape = good().replace("\"shape\":[1,1]", "\"shape\":[9007199254740993,1]");
    // A number that is missing is one that the model has learned of; a text is not.
    let null = good().replace("[40]", "[null]");
    let null_text = good().replace("[\"plus\"]", "[null]");
    // Data may be nested as its shape is.
    let rows = good().replace("[40]", "[[40]]");
    let cases = [
        (400, "\"age\": data must hold 1 numbers", wrong_type.as_str()),
        (400, "\"plan\": data must hold 1 texts", &number_for_text),
        (400, "1 to 3 rows", &many),
        (413, "20000 bytes", &long),
        (400, "protocol asks for", &deep),
        (400, "data must hold", &nested),
        (400, "shape must be", &huge_shape),
        (400, "JSON", ""),
        (400, "protocol asks for", "{}"),
        (400, "JSON", "{\"inputs\": [NaN]}"),
        (200, "probabilities", &null),
        (400, "data must hold", &null_text),
        (200, "probabilities", &rows),
    ];
    let requests: Vec<Value> =
        cases.iter().map(|(_, _, body)| json!({"path": INFER, "method": "POST", "body": body})).collect();
    for ((status, words, body), answer) in cases.iter().zip(served.ask(json!(requests))) {
        let short: String = body.chars().take(60).collect();
        assert_eq!(answer["status"], *status, "{short}: {answer}");
        let told = answer["body"].as_str().unwrap().replace("\\\"", "\"");
        assert!(told.contains(words), "{words}: {answer}");
    }
    let without = good().replace("\"spend\"", "\"spent\"");
    let odd = served.ask(json!([
        {"path": INFER, "body": without},
        {"path": INFER, "body": good(), "headers": {"content-type": "text/plain"}},
        {"path": INFER, "body": good(), "headers": {"content-encoding": "gzip"}},
        {"path": INFER, "body": good(), "headers": {"x": "y".repeat(80_000)}},
        {"path": INFER, "body": good().replace("\"id\"", "\"outputs\":[{\"name\":\"label\"}],\"id\"")},
        {"path": INFER, "body": good().replace("\"id\"", "\"outputs\":[{\"name\":\"weights\"}],\"id\"")},
    ]));
    let mut statuses: Vec<u64> = odd.iter().map(|a| a["status"].as_u64().unwrap()).collect();
    // Headers beyond the limit are not read to their end, so who is still sending them may find the
    // connection closed before the answer (RFC 9112, section 9.6). Nothing was asked in either case.
    assert!(matches!(statuses.remove(3), 431 | 0), "{odd:?}");
    assert_eq!(statuses, [400, 415, 415, 200, 400], "{odd:?}");
    let answer: Value = serde_json::from_str(odd[4]["body"].as_str().unwrap()).unwrap();
    assert_eq!(answer["outputs"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(odd[4]["headers"]["cache-control"], "no-store");
}

#[test]
fn each_principal_has_its_own_rate_and_a_slow_request_is_cut() {
    let served = Served::start("{requestTimeoutSecs: 1, rateLimit: {requestsPerSecond: 1, burst: 5}}");
    let answers = served.ask(json!([{"path": "/v2/health/live", "repeat": 12, "connection": "one"}]));
    let limited: Vec<&Value> = answers.iter().filter(|a| a["status"] == 429).collect();
    assert!(limited.len() >= 6 && answers.iter().filter(|a| a["status"] == 200).count() >= 5, "{answers:?}");
    assert_eq!(limited[0]["headers"]["retry-after"], "1");
    // Another principal is not held up.
    assert_eq!(served.statuses(json!([{"client": "analyst", "path": "/v2/health/live"}])), [200]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(served.statuses(json!([{"path": INFER, "body": good(), "slow": 2.5}])), [408]);
}

#[test]
fn a_new_deployment_answers_and_a_changed_package_never_does() {
    let mut served = Served::start("{}");
    let first = served.world.lockgate(&["verify", "--format", "json"]).ok();
    assert!(first.out.contains("churn@1"));
    // Another seed makes another package.
    served.world.edit("model.yaml", "exclude: [id]", "exclude: [id]\n  seed: 9");
    served.world.lockgate(&["run", "model.yaml"]).ok();
    let begun = Instant::now();
    while served.statuses(json!([{"path": "/v2/models/churn/versions/2"}])) != [200] {
        assert!(begun.elapsed() < Duration::from_secs(30), "the new deployment never answered");
        std::thread::sleep(Duration::from_millis(500));
    }
    // Rolling back is deploying the first package again.
    let packages: Vec<PathBuf> = packages(&served.world);
    assert_eq!(packages.len(), 2);
    let deployed = |text: &str| serde_json::from_str::<Value>(text).unwrap()["unchanged"] == json!(true);
    let outcomes: Vec<bool> = packages
        .iter()
        .map(|p| {
            deployed(&served.world.lockgate(&["deploy", "churn", p.to_str().unwrap(), "--format", "json"]).ok().out)
        })
        .collect();
    assert_eq!(
        outcomes.iter().filter(|unchanged| !**unchanged).count(),
        outcomes.len() - usize::from(outcomes[0]),
        "{outcomes:?}"
    );
    let told = served.stop();
    assert!(told.contains("churn@2 answers now"), "{told}");
    served.world.lockgate(&["verify"]).ok();

    let served = &mut served;
    let newest = fs::read_dir(served.world.path(".lockgate/endpoints/churn")).unwrap().count();
    let head = served.world.path(&format!(".lockgate/endpoints/churn/{newest:08}.json"));
    for place in packages.iter().map(|p| p.join("package/model.onnx")).chain([head]) {
        let whole = fs::read(&place).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&place, changed).unwrap();
        served.world.lockgate(&["verify"]).fails(5, "");
        let last = packages.last().unwrap().join("package/model.onnx");
        if place == last || place.extension().is_some_and(|e| e == "json") {
            served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(5, "");
        }
        fs::write(&place, whole).unwrap();
    }
    served.world.lockgate(&["--as", "analyst", "serve"]).fails(4, "policy denies analyst to serve the endpoint churn");
    served.world.lockgate(&["--as", "analyst", "deploy", "churn", packages[0].to_str().unwrap()]).fails(4, "to deploy");
}

#[test]
fn what_changes_while_it_serves_holds_at_once() {
    let mut served = Served::start("{rateLimit: {requestsPerSecond: 1000, burst: 1000}}");
    let ask = || json!([{"path": INFER, "body": good()}]);
    let until = |served: &Served, status: u64| {
        let begun = Instant::now();
        while served.statuses(ask()) != [status] {
            assert!(begun.elapsed() < Duration::from_secs(20), "never {status}");
            std::thread::sleep(Duration::from_millis(300));
        }
    };
    until(&served, 200);
    // A broken policy changes nothing.
    let policy = fs::read_to_string(served.world.path("policies/default.rego")).unwrap();
    served.world.write("policies/default.rego", b"package lockgate\nnonsense {");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(served.statuses(ask()), [200]);
    // Policy hides an output: it is gone from answers, metadata and messages.
    let hiding = format!("{policy}\nhidden contains \"probabilities\" if input.resource.kind == \"endpoint\"\n");
    served.world.write("policies/default.rego", hiding.as_bytes());
    let begun = Instant::now();
    while served.ask(ask())[0]["body"].as_str().unwrap().contains("probabilities") {
        assert!(begun.elapsed() < Duration::from_secs(20), "the output was never hidden");
        std::thread::sleep(Duration::from_millis(300));
    }
    let wanting = |name: &str| good().replace("\"id\"", &format!("\"outputs\":[{{\"name\":\"{name}\"}}],\"id\""));
    let answers = served.ask(json!([
        {"path": "/v2/models/churn"},
        {"path": INFER, "body": wanting("probabilities")},
        {"path": INFER, "body": wanting("nonsense")},
        {"path": INFER, "body": wanting("label")},
    ]));
    let statuses: Vec<u64> = answers.iter().map(|a| a["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 400, 200], "{answers:?}");
    assert!(!answers.iter().any(|a| a["body"].as_str().unwrap().contains("probabilities")), "{answers:?}");
    // What SQL alone can keep, an endpoint cannot: the answer is no.
    for (rule, with) in [
        ("\"row_filters\": [],", "\"row_filters\": [\"true\"],"),
        ("\"column_masks\": masks,", "\"column_masks\": {\"label\": \"0\"},"),
    ] {
        let kept = policy.replace(rule, with);
        assert_ne!(kept, policy);
        served.world.write("policies/default.rego", kept.as_bytes());
        until(&served, 404);
        served.world.write("policies/default.rego", policy.as_bytes());
        until(&served, 200);
    }
    // A principal that is taken away has no role, even while a deployment cannot be taken up.
    let head = served.world.path(".lockgate/endpoints/churn/00000002.json");
    fs::write(&head, b"not a deployment").unwrap();
    served.world.edit("lockgate.yaml", "  - id: shop\n    roles: [service]\n", "");
    until(&served, 404);
    fs::remove_file(&head).unwrap();
    served.world.edit("lockgate.yaml", "  - id: ana\n", "  - id: shop\n    roles: [service]\n  - id: ana\n");
    until(&served, 200);
    // What holds from the next start on is said.
    served.world.edit("lockgate.yaml", "burst: 1000", "burst: 1001");
    // A policy that lets nobody serve the endpoint takes it away.
    served.world.write("policies/default.rego", policy.replace("\"deploy\", \"serve\"", "\"deploy\"").as_bytes());
    until(&served, 404);
    let told = served.stop();
    assert!(told.contains("limits or certificates of the gateway were changed"), "{told}");
    assert!(told.contains("is not taken up") && told.contains("to serve the endpoint churn"), "{told}");
}

#[test]
fn http_2_has_the_same_limits() {
    let served = Served::start("{maxBodyBytes: 5000}");
    let folder = served.folder("shop");
    let curl = |extra: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--http2", "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--max-time", "10"]);
        command.args(["--cert", &format!("{folder}/client.crt"), "--key", &format!("{folder}/client.key")]);
        command.args(["--cacert", &format!("{folder}/authority.crt"), "-H", "content-type: application/json"]);
        command.args(extra).arg(format!("https://localhost:{}{INFER}", served.port));
        run(&mut command).out
    };
    assert_eq!(curl(&["-d", &good()]), "2 200");
    assert_eq!(curl(&["-d", &"x".repeat(20_000)]), "2 413");
    assert_eq!(curl(&["-d", &good(), "-H", &format!("lockgate-purpose: {}", "p".repeat(200))]), "2 400");
    // A head that is too large: the stream is refused, with or without a status.
    let large = curl(&["-d", &good(), "-H", &format!("x: {}", "y".repeat(60_000))]);
    assert!(large == "2 431" || large.ends_with(" 000"), "{large}");
    assert_eq!(curl(&["-d", &good()]), "2 200");
}

#[test]
fn a_deployment_that_could_not_be_served_is_not_made() {
    let mut served = Served::prepare("{}");
    let package = packages(&served.world).remove(0);
    let copy = served.world.path("copy").join(package.file_name().unwrap());
    run(Command::new("cp").arg("-r").arg(&package).arg(served.world.path("moved"))).ok();
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::rename(&package, &copy).unwrap();
    served.world.lockgate(&["deploy", "other", copy.to_str().unwrap()]).fails(5, "is not there");
    fs::rename(&copy, &package).unwrap();
    fs::remove_dir_all(served.world.path("moved")).unwrap();
    served.world.lockgate(&["verify"]).ok();
    // A deployment that was cut off before its event is finished by the next one.
    served.world.edit("model.yaml", "exclude: [id]", "exclude: [id]\n  seed: 9");
    served.world.lockgate(&["run", "model.yaml"]).ok();
    let second = served.world.path(".lockgate/endpoints/churn/00000002.json");
    fs::rename(&second, served.world.path("second.json")).unwrap();
    // Without the newest deployment nothing older answers in its place.
    served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(5, "tells of another one");
    served.world.lockgate(&["verify"]).fails(5, "which is not there");
    fs::rename(served.world.path("second.json"), &second).unwrap();
    served.world.lockgate(&["verify"]).ok();
    served.up();
    assert_eq!(served.statuses(json!([{"path": "/v2/models/churn/versions/2"}])), [200]);
}

fn packages(world: &World) -> Vec<PathBuf> {
    let mut packages: Vec<PathBuf> =
        fs::read_dir(world.path(".lockgate/models/churn")).unwrap().map(|e| e.unwrap().path()).collect();
    packages.sort();
    packages
}

#[test]
fn no_answer_is_lost_from_the_record_when_the_gateway_is_killed() {
    let mut served = Served::prepare("{rateLimit: {requestsPerSecond: 100000, burst: 100000}}");
    let mut answered = Vec::new();
    for round in 0..6u64 {
        served.up();
        // What a killed append left is gone; the log can be verified while the gateway answers.
        served.world.lockgate(&["verify"]).ok();
        let requests = json!([{"path": INFER, "body": good(), "repeat": 400, "connection": "one"}]);
        let killed = served.child.as_ref().unwrap().id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(150 + 170 * round));
            run(Command::new("kill").args(["-KILL", &killed.to_string()]));
        });
        for answer in served.ask(requests) {
            if answer["status"] == 200 {
                answered.push(answer["headers"]["x-request-id"].as_str().unwrap().to_owned());
            }
        }
        killer.join().unwrap();
        let mut child = served.child.take().unwrap();
        child.wait().unwrap();
    }
    assert!(answered.len() > 20, "{}", answered.len());
    served.up();
    served.stop();
    let events = served.events();
    for id in &answered {
        assert_eq!(events.iter().filter(|event| event["id"] == json!(id)).count(), 1, "{id}");
    }
    served.world.lockgate(&["verify"]).ok();
    // Every byte of the gateway's log is covered.
    for file in served.world.files().iter().filter(|f| f.to_str().unwrap().contains("/gateway/audit/")) {
        let whole = fs::read(file).unwrap();
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(file, changed).unwrap();
        served.world.lockgate(&["verify"]).fails(5, "");
        fs::write(file, whole).unwrap();
    }
    fs::rename(served.world.path(".lockgate/gateway"), served.world.path("aside")).unwrap();
    served.world.lockgate(&["verify"]).fails(5, "");
    served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(5, "the gateway's log is gone");
}

#[test]
fn tritonclient_gets_what_onnxruntime_says_and_prometheus_reads_the_metrics() {
    let served = Served::start("{}");
    let onnx = packages(&served.world).remove(0).join("package/model.onnx");
    let metrics = fs::read_to_string(served.world.path("metrics.txt")).unwrap();
    let script = r"
import sys, ssl, urllib.request, gevent.ssl, numpy as np, onnxruntime as ort
import tritonclient.http as triton
from prometheus_client.openmetrics.parser import text_string_to_metric_families
port, folder, onnx, metrics = sys.argv[1:5]
def context():
    made = gevent.ssl.create_default_context(cafile=folder + '/authority.crt')
    made.load_cert_chain(folder + '/client.crt', folder + '/client.key')
    return made
client = triton.InferenceServerClient('localhost:' + port, ssl=True, ssl_context_factory=context)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready('churn')
described = client.get_model_metadata('churn')
names = {i['name']: i['datatype'] for i in described['inputs']}
assert names == {'age': 'FP32', 'spend': 'FP32', 'plan': 'BYTES'}, names
n = 200
rng = np.random.default_rng(7)
feed = {'age': rng.uniform(18, 80, (n, 1)).astype(np.float32), 'spend': rng.uniform(0, 500, (n, 1)).astype(np.float32),
        'plan': rng.choice(['basic', 'plus', 'max', 'new'], (n, 1)).astype(object)}
inputs = []
for name, values in feed.items():
    tensor = triton.InferInput(name, list(values.shape), names[name])
    tensor.set_data_from_numpy(values, binary_data=False)
    inputs.append(tensor)
wanted = [triton.InferRequestedOutput(o['name'], binary_data=False) for o in described['outputs']]
answer = client.infer('churn', inputs, outputs=wanted)
label, probabilities = ort.InferenceSession(onnx).run(None, feed)
assert (answer.as_numpy('label') == label).all()
worst = np.abs(answer.as_numpy('probabilities') - probabilities).max()
assert worst < 1e-6, worst
text = urllib.request.urlopen('http://' + metrics + '/metrics').read().decode()
families = {f.name: f for f in text_string_to_metric_families(text)}
rows = families['lockgate_inferred_rows'].samples[0].value
assert rows == n, rows
assert not any('shop' in str(s.labels) for f in families.values() for s in f.samples)
print('ok')
";
    let mut command = Command::new(judge("python"));
    command.args(["-c", script, &served.port.to_string(), &served.folder("shop")]).arg(onnx).arg(metrics.trim());
    assert_eq!(run(&mut command).ok().out.trim(), "ok");
}
