//! Clients of the demo's gateway: one that may, one that may not, one that nobody knows, and one
//! without a certificate.

use std::{fs, path::Path};

use lockgate_core::{Failure, Result};
use lockgate_pipeline::serve::Answering;
use reqwest::{Certificate, Client, Identity, StatusCode, header::RETRY_AFTER, tls::Version};
use serde_json::{Value, json};

use crate::output;

/// More than the demo's rate limit lets through at once.
const BURST: usize = 60;

/// Sends what each client sends and shows what each gets. What was not refused as it must be is
/// a failure.
pub(super) async fn send(dir: &Path, answering: &Answering) -> Result<()> {
    let base = format!("https://localhost:{}/v2", answering.address.port());
    let infer = format!("{base}/models/loans/infer");
    let authority = read(&dir.join("clients/branch-app/authority.crt"))?;

    let nobody = client(&authority, None)?.get(&base).send().await;
    show("no certificate", &format!("{base} … closed in the handshake"), nobody.is_err())?;

    let branch = client(&authority, Some(&dir.join("clients/branch-app")))?;
    let good = applicants();
    let (status, body) = post(&branch, &infer, &good).await?;
    show("branch-app", &format!("POST /v2/models/loans/infer … {status}"), status == StatusCode::OK)?;
    estimates(&body);

    let analyst = client(&authority, Some(&dir.join("clients/analyst")))?;
    let (status, body) = post(&analyst, &infer, &good).await?;
    show("analyst", &format!("the same … {status}: {}", error(&body)), status == StatusCode::FORBIDDEN)?;

    let stranger = client(&authority, Some(&dir.join("clients/stranger")))?;
    let (status, body) = post(&stranger, &infer, &good).await?;
    show("stranger", &format!("the same … {status}: {}", error(&body)), status == StatusCode::NOT_FOUND)?;

    let mut malformed = good.clone();
    if let Some(input) = malformed.pointer_mut("/inputs/0/data/0") {
        *input = json!("thirty-nine");
    }
    let (status, body) = post(&branch, &infer, &malformed).await?;
    show("branch-app", &format!("a text for an age … {status}: {}", error(&body)), status == StatusCode::BAD_REQUEST)?;

    let (mut answered, mut limited, mut wait) = (0, 0, None);
    for _ in 0..BURST {
        let response = branch.post(&infer).json(&good).send().await.map_err(|_| unanswered())?;
        match response.status() {
            StatusCode::OK => answered += 1,
            StatusCode::TOO_MANY_REQUESTS => {
                limited += 1;
                wait = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::to_owned);
            }
            _ => return Err(unanswered()),
        }
    }
    let text = format!(
        "{BURST} requests in a row … {answered} answered, {limited} limited (429, Retry-After: {})",
        wait.as_deref().unwrap_or("?")
    );
    show("branch-app", &text, limited > 0 && answered > 0)
}

fn show(who: &str, what: &str, as_it_must: bool) -> Result<()> {
    output::line(&format!("   {} {who:<14} {what}", output::verdict(as_it_must, if as_it_must { "✓" } else { "✗" })));
    if as_it_must { Ok(()) } else { Err(Failure::bug("the demo's gateway did not answer as it must")) }
}

/// Three applicants whom nobody has seen.
pub(super) fn applicants() -> Value {
    let column = |name: &str, datatype: &str, data: Value| json!({"name": name, "shape": [3, 1], "datatype": datatype, "data": data});
    json!({"inputs": [
        column("age", "FP32", json!([39, 24, 61])),
        column("income", "FP32", json!([64_000, 21_000, 48_000])),
        column("debt", "FP32", json!([8_000, 45_000, 41_000])),
        column("years_employed", "FP32", json!([9, 1, 20])),
        column("purpose", "BYTES", json!(["home", "car", "study"])),
    ]})
}

fn estimates(body: &Value) {
    let mut outputs = body.pointer("/outputs").and_then(Value::as_array).into_iter().flatten();
    let probabilities = outputs.rfind(|o| o.get("name").is_some_and(|n| n == "probabilities"));
    let data = probabilities.and_then(|o| o.get("data")).and_then(Value::as_array);
    for (number, pair) in (1..).zip(data.map(Vec::as_slice).unwrap_or_default().chunks(2)) {
        if let Some(approval) = pair.last().and_then(Value::as_f64) {
            output::line(&format!("       applicant {number}: {:.0} % likely to be approved", approval * 100.0));
        }
    }
}

async fn post(client: &Client, url: &str, body: &Value) -> Result<(StatusCode, Value)> {
    let response = client.post(url).json(body).send().await.map_err(|_| unanswered())?;
    let status = response.status();
    let bytes = response.bytes().await.map_err(|_| unanswered())?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

fn error(body: &Value) -> &str {
    body.get("error").and_then(Value::as_str).unwrap_or("")
}

fn client(authority: &str, certificate: Option<&Path>) -> Result<Client> {
    let wrong = |_| Failure::bug("the demo's certificates cannot be used");
    let root = Certificate::from_pem(authority.as_bytes()).map_err(wrong)?;
    let mut builder = Client::builder().tls_certs_only([root]).tls_version_min(Version::TLS_1_3).no_proxy();
    if let Some(folder) = certificate {
        let pem = format!("{}{}", read(&folder.join("client.crt"))?, read(&folder.join("client.key"))?);
        builder = builder.identity(Identity::from_pem(pem.as_bytes()).map_err(wrong)?);
    }
    builder.build().map_err(wrong)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))
}

fn unanswered() -> Failure {
    Failure::unreachable("the demo's gateway did not answer")
}
