//! Listening, handshakes, connections and the end of them.

use std::{
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, RwLock},
    thread::JoinHandle,
    time::Duration,
};

use hyper::{
    Request, Response,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use lockgate_core::{Clock, Failure, Result};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    Endpoint, Identity, Options, Peer, Sink, State,
    handle::{self, Gate},
    metrics::Metrics,
    options::{HEADER_BYTES_MAX, HEADERS_MAX, STREAMS_MAX},
    places::{Place, Places},
    record::Recorder,
    reply::{self, Body},
    tls::{self, Current},
};

/// How long requests in flight may go on after the gateway was asked to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A gateway that is ready to start.
pub struct Gateway {
    options: Options,
    gate: Arc<Gate>,
    tls: Arc<ServerConfig>,
    certificate: Arc<Current>,
    record: JoinHandle<()>,
}

/// A gateway at work. [`Self::stop`] lets requests in flight end; dropping it does not wait.
pub struct Running {
    /// Where it listens; the port is the real one when port 0 was asked for.
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    gate: Arc<Gate>,
    certificate: Arc<Current>,
    end: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    record: JoinHandle<()>,
}

impl Gateway {
    /// Checks everything that can be wrong before anything listens.
    pub fn new(options: Options, identity: &Identity, state: State, sink: impl Sink) -> Result<Self> {
        let certificate = Current::new(identity)?;
        let tls = tls::server_config(identity, Arc::clone(&certificate))?;
        let limiter = handle::limiter(&options.limits)?;
        let (recorder, record) = Recorder::start(sink)?;
        let metrics = Metrics::new();
        metrics.serves(&state, Clock.now().millis() as f64 / 1_000.0);
        let gate = Gate {
            state: RwLock::new(Arc::new(state)),
            limits: options.limits,
            limiter,
            in_flight: Semaphore::new(options.limits.in_flight_max),
            busy: Places::new(options.limits.in_flight_max / 4),
            strangers: Places::new(options.limits.connections_max / 16),
            recorder,
            metrics,
        };
        Ok(Self { options, gate: Arc::new(gate), tls, certificate, record })
    }

    /// Listens and answers from now on.
    pub async fn start(self) -> Result<Running> {
        let (end, ended) = watch::channel(false);
        let listener = bind(self.options.listen).await?;
        let address = listener.local_addr().map_err(|e| Failure::unreachable(e.to_string()))?;
        let mut tasks = Vec::new();
        let mut metrics = None;
        if let Some(at) = self.options.metrics {
            let listener = bind(at).await?;
            metrics = listener.local_addr().ok();
            tasks.push(tokio::spawn(serve_metrics(listener, Arc::clone(&self.gate), ended.clone())));
        }
        let tls = TlsAcceptor::from(self.tls);
        tasks.push(tokio::spawn(accept(listener, tls, Arc::clone(&self.gate), ended.clone())));
        tasks.push(tokio::spawn(tidy(Arc::clone(&self.gate), ended)));
        let (gate, certificate, record) = (self.gate, self.certificate, self.record);
        Ok(Running { address, metrics, gate, certificate, end, tasks, record })
    }
}

impl Running {
    /// Answers from `state` from now on. Requests in flight end on the one they began with.
    pub fn replace(&self, state: State) -> Result<()> {
        self.gate.metrics.serves(&state, Clock.now().millis() as f64 / 1_000.0);
        *self.gate.state.write().map_err(|_| Failure::bug("the gateway's state is locked"))? = Arc::new(state);
        Ok(())
    }

    /// New connections see this certificate from now on.
    pub fn renew(&self, identity: &Identity) -> Result<()> {
        self.certificate.replace(identity)
    }

    /// The endpoints that answer, sorted.
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        let state = self.gate.state();
        let served = state.iter().flat_map(|state| state.endpoints.values());
        let mut endpoints: Vec<_> = served.map(|served| Arc::clone(&served.endpoint)).collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        endpoints
    }

    /// Stops listening, lets requests in flight end, and closes the record.
    pub async fn stop(self) {
        let _ = self.end.send(true);
        for task in self.tasks {
            let _ = timeout(DRAIN * 2, task).await;
        }
        // The recorder's thread ends when nobody can send to it any more.
        drop(self.gate);
        let _ = tokio::task::spawn_blocking(move || self.record.join()).await;
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::unreachable(format!("cannot listen on {address}: {error}"))
            .hint("another program may listen there; choose another port")
    })
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, gate: Arc<Gate>, mut ended: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(gate.limits.connections_max));
    let mut connections = ended.clone();
    connections.mark_unchanged();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            _ = ended.changed() => break,
        };
        let Ok(permit) = permit else { break };
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => {
                let Ok(accepted) = accepted else {
                    // Out of file handles, most likely: wait for some to come free.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                accepted
            },
            _ = ended.changed() => break,
        };
        // Who has not proved who it is has few places, so that it cannot take those of others.
        let Some(stranger) = gate.strangers.enter(&from.ip().to_string()) else {
            gate.metrics.handshakes_refused.inc();
            gate.recorder.count("handshake.refused", "unknown");
            continue;
        };
        tokio::spawn(connection(stream, tls.clone(), Arc::clone(&gate), connections.clone(), (permit, stranger)));
    }
    drop(listener);
    // Every connection holds a permit until it has ended.
    let all = u32::try_from(gate.limits.connections_max).unwrap_or(u32::MAX);
    let _ = timeout(DRAIN, room.acquire_many(all)).await;
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    gate: Arc<Gate>,
    mut ended: watch::Receiver<bool>,
    (_permit, stranger): (OwnedSemaphorePermit, Place),
) {
    let _ = stream.set_nodelay(true);
    let shaken = match timeout(gate.limits.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => peer(&stream).map(|peer| (stream, peer)),
        Ok(Err(_)) | Err(_) => None,
    };
    let Some((stream, peer)) = shaken else {
        gate.metrics.handshakes_refused.inc();
        gate.recorder.count("handshake.refused", "unknown");
        return;
    };
    drop(stranger);
    // A connection ends with the certificate that opened it.
    let left = peer.not_after.millis().saturating_sub(Clock.now().millis()).max(0).unsigned_abs();
    let age = gate.limits.connection_age.min(Duration::from_millis(left));
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let peer = Arc::new(peer);
    let limits = gate.limits;
    gate.metrics.connections.inc();
    let service = service_fn({
        let gate = Arc::clone(&gate);
        move |request: Request<Incoming>| {
            let (gate, peer) = (Arc::clone(&gate), Arc::clone(&peer));
            async move { Ok::<Response<Body>, std::convert::Infallible>(gate.answer(&peer, request).await) }
        }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX as u32)
            .keep_alive_interval(limits.header)
            .keep_alive_timeout(limits.handshake);
        drive(builder.serve_connection(io, service), http2::Connection::graceful_shutdown, &mut ended, age).await;
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(64 << 10);
        drive(builder.serve_connection(io, service), http1::Connection::graceful_shutdown, &mut ended, age).await;
    }
    gate.metrics.connections.dec();
}

/// Serves until the connection is closed. Once it is old, or the gateway stops, requests in flight
/// may end and no new one begins.
async fn drive<C: Future>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    ended: &mut watch::Receiver<bool>,
    age: Duration,
) {
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(age) => {}
        _ = ended.changed() => {}
    }
    shut_down(connection.as_mut());
    let _ = timeout(DRAIN, connection).await;
}

fn peer(stream: &TlsStream<TcpStream>) -> Option<Peer> {
    Peer::read(stream.get_ref().1.peer_certificates()?.first()?).ok()
}

async fn tidy(gate: Arc<Gate>, mut ended: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(handle::TIDY) => gate.tidy(),
            _ = ended.changed() => return,
        }
    }
}

/// Plain HTTP for the machine's own eyes: Prometheus and the probes of an orchestrator.
async fn serve_metrics(listener: TcpListener, gate: Arc<Gate>, mut ended: watch::Receiver<bool>) {
    const CONNECTIONS_MAX: usize = 16;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&room).acquire_owned() => permit,
            _ = ended.changed() => return,
        };
        let Ok(permit) = permit else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                stream
            },
            _ = ended.changed() => return,
        };
        let gate = Arc::clone(&gate);
        let mut ended = ended.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request: Request<Incoming>| {
                let response = own_eyes(&gate, request.uri().path());
                async move { Ok::<_, std::convert::Infallible>(response) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(DRAIN).max_headers(HEADERS_MAX);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            drive(connection, http1::Connection::graceful_shutdown, &mut ended, DRAIN * 6).await;
        });
    }
}

fn own_eyes(gate: &Gate, path: &str) -> Response<Body> {
    use hyper::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue},
    };
    match path {
        "/metrics" => {
            let mut response = reply::bytes(StatusCode::OK, gate.metrics.text().into_bytes());
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        "/livez" => reply::json(StatusCode::OK, &serde_json::json!({"live": true})),
        "/readyz" => gate.ready(),
        _ => reply::error(StatusCode::NOT_FOUND, "try /metrics, /livez or /readyz"),
    }
}
