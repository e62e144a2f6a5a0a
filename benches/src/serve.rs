//! `serve`: CPU time a request of the gateway with mutual TLS, policy, limits, schema check,
//! inference and a durable record, against nginx that ends mutual TLS and forwards to a trivial
//! upstream. The same clients load both, one after the other.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lockgate_core::Clock;
use lockgate_gateway::{Authority, SpiffeId};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_rustls::TlsConnector;

use crate::process::{self, Running};

const PATH: &str = "/v2/models/income/infer";
const WARM_UP: Duration = Duration::from_secs(1);

pub fn bench(connections: usize, seconds: u64) -> Result<()> {
    let runtime = Runtime::new()?;
    let load = Load { connections, time: Duration::from_secs(seconds), body: body() };
    let (workspace, data) = process::income_workspace()?;
    let here = workspace.path();
    let config = here.join("lockgate.yaml");
    let mut text = fs::read_to_string(&config)?;
    text.push_str("\ngateway:\n  rateLimit: {requestsPerSecond: 1000000, burst: 1000000}\n");
    fs::write(&config, text)?;
    let program = process::lockgate()?;
    let lockgate = |args: &[&str]| process::run(Command::new(&program).args(args).current_dir(here));
    let source = format!("applicants={}", data.display());
    lockgate(&["run", "pipeline.yaml", "--quiet", "--source", &source])?;
    lockgate(&["keys", "issue", "branch-app", "--out", "client", "--quiet"])?;

    let serve = ["serve", "--listen", "127.0.0.1:0", "--format", "jsonl", "--quiet"];
    let mut child = Running(Command::new(&program).args(serve).current_dir(here).stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
    let answering: Value = serde_json::from_str(&line)?;
    let address: SocketAddr = answering["address"].as_str().context("an address")?.parse()?;
    let read = |name: &str| fs::read_to_string(here.join("client").join(name));
    let tls = client(&read("authority.crt")?, &read("client.crt")?, &read("client.key")?)?;
    let (example, ours) = load.run(&runtime, address, &tls, child.0.id())?;
    drop(child);

    let upstream = runtime.block_on(trivial(example))?;
    let (nginx, port, tls) = nginx(here, upstream)?;
    let (_, theirs) = load.run(&runtime, port, &tls, nginx.0.id())?;
    println!("{connections} connections, HTTP/1.1, mutual TLS 1.3, one row of 10 features a request");
    for (name, m) in [("nginx: mutual TLS, proxy_pass", &theirs), ("lockgate serve, everything on", &ours)] {
        println!(
            "{name:<34} {:>7.1} CPU us/request   {:>7.0} requests/s   median {:>6.2} ms",
            m.cpu_us, m.rate, m.median_ms
        );
    }
    println!("ratio of CPU time                  {:>7.2}", ours.cpu_us / theirs.cpu_us);
    Ok(())
}

/// A row of the income model.
fn body() -> Bytes {
    let text = |name: &str, value: &str| json!({"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [value]});
    let number = |name: &str, value: f64| json!({"name": name, "shape": [1, 1], "datatype": "FP32", "data": [value]});
    let inputs = json!({"inputs": [
        number("age", 39.0), text("workclass", "State-gov"), number("education_num", 13.0),
        text("marital_status", "Never-married"), text("occupation", "Adm-clerical"), text("relationship", "Not-in-family"),
        number("capital_gain", 2174.0), number("capital_loss", 0.0), number("hours_per_week", 40.0),
        text("native_country", "United-States"),
    ]});
    Bytes::from(inputs.to_string())
}

struct Load {
    connections: usize,
    time: Duration,
    body: Bytes,
}

struct Measured {
    cpu_us: f64,
    rate: f64,
    median_ms: f64,
}

impl Load {
    /// Every connection sends its next request when it has the answer to the one before.
    fn run(&self, runtime: &Runtime, to: SocketAddr, tls: &Arc<ClientConfig>, pid: u32) -> Result<(Bytes, Measured)> {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..self.connections {
                let (tls, body) = (Arc::clone(tls), self.body.clone());
                tasks.push(tokio::spawn(one(to, tls, body, Arc::clone(&stop), Arc::clone(&count))));
            }
            tokio::time::sleep(WARM_UP).await;
            let (cpu, answered, begun) = (process::cpu_secs(pid)?, count.load(Ordering::Relaxed), Instant::now());
            tokio::time::sleep(self.time).await;
            let (cpu, answered) = (process::cpu_secs(pid)? - cpu, count.load(Ordering::Relaxed) - answered);
            let took = begun.elapsed().as_secs_f64();
            stop.store(true, Ordering::Relaxed);
            let mut latencies = Vec::new();
            let mut example = Bytes::new();
            for task in tasks {
                let (last, took) = task.await??;
                example = last;
                latencies.extend(took);
            }
            latencies.sort_unstable();
            let median_ms = latencies[latencies.len() / 2].as_secs_f64() * 1e3;
            let measured = Measured { cpu_us: cpu * 1e6 / answered as f64, rate: answered as f64 / took, median_ms };
            Ok((example, measured))
        })
    }
}

async fn one(
    to: SocketAddr,
    tls: Arc<ClientConfig>,
    body: Bytes,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> Result<(Bytes, Vec<Duration>)> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(tls).connect(ServerName::try_from("localhost")?, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut latencies = Vec::new();
    let mut last = Bytes::new();
    while !stop.load(Ordering::Relaxed) {
        let request = Request::post(PATH)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))?;
        let begun = Instant::now();
        let response = sender.send_request(request).await?;
        if response.status() != 200 {
            bail!("the answer was {}", response.status());
        }
        last = response.into_body().collect().await?.to_bytes();
        latencies.push(begun.elapsed());
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok((last, latencies))
}

fn client(authority: &str, certificate: &str, key: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    Ok(Arc::new(config))
}

/// Answers everything with the same bytes.
async fn trivial(answer: Bytes) -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = answer.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer.clone();
                async move {
                    request.into_body().collect().await?;
                    Ok::<_, hyper::Error>(hyper::Response::new(Full::new(answer)))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

fn nginx(here: &Path, upstream: SocketAddr) -> Result<(Running, SocketAddr, Arc<ClientConfig>)> {
    let authority = Authority::create("bench.lockgate.local", &[7; 32], Clock.now())?;
    let day = Duration::from_hours(24);
    let server = authority.issue_server(&["localhost".to_owned()], day, Clock.now())?;
    let id = SpiffeId::new("bench.lockgate.local", "client")?;
    let issued = authority.issue_client(&id, day, Clock.now())?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = here.join("nginx");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("server.crt"), &server.certificate)?;
    fs::write(folder.join("server.key"), server.key.expose())?;
    fs::write(folder.join("authority.crt"), authority.certificate())?;
    let place = folder.display();
    let config = format!(
        "daemon off; worker_processes 2; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  keepalive_requests 1000000000;
  upstream trivial {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {port} ssl;
    ssl_certificate {place}/server.crt; ssl_certificate_key {place}/server.key;
    ssl_protocols TLSv1.3; ssl_client_certificate {place}/authority.crt; ssl_verify_client on;
    location / {{ proxy_pass http://trivial; proxy_http_version 1.1; proxy_set_header Connection ''; }}
  }}
}}"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("error.log"));
    let child = Running(command.spawn().context("nginx is missing; as root, `cargo xtask bench` installs it")?);
    let begun = Instant::now();
    while std::net::TcpStream::connect(port).is_err() {
        if begun.elapsed() > Duration::from_secs(5) {
            bail!("nginx did not start: {}", fs::read_to_string(folder.join("error.log")).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((child, port, client(authority.certificate(), &issued.certificate, issued.key.expose())?))
}
