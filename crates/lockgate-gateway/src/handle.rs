//! One request, from its head to its answer.

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use governor::{
    RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::HashMapStateStore,
};
use hyper::{
    Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{AUTHORIZATION, HeaderMap},
    http::request::Parts,
};
use lockgate_core::{Clock, Failure, Fault, Result};
use lockgate_policy::Decision;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    Endpoint, Entry, Limits, Peer, State,
    authorize::{self, Question},
    body::{self, Refusal, refusal},
    metrics::Metrics,
    places::Places,
    protocol::{self, Inference},
    record::{self, Recorder},
    reply::{self, Body},
    route::{Part, Route, route},
    state::Served,
};

/// Larger inferences leave the threads that serve connections.
const INLINE_ROWS_MAX: usize = 64;
/// How long the unread body of a refused request is read and thrown away.
const UNREAD: Duration = Duration::from_secs(2);
/// How many times the limit of a body is read before the connection is cut.
const DISCARDED_MAX: usize = 16;
const PURPOSE: &str = "lockgate-purpose";
const PURPOSE_BYTES_MAX: usize = 128;
/// Of the reasons for a refusal that an event tells.
const REASONS_BYTES_MAX: usize = 4 << 10;

/// What every request shares.
pub(crate) struct Gate {
    pub state: RwLock<Arc<State>>,
    pub limits: Limits,
    pub limiter: RateLimiter<String, HashMapStateStore<String>, DefaultClock>,
    pub in_flight: Semaphore,
    /// Requests of each client that are worked on.
    pub busy: Places,
    /// Connections of each address that have not proved who they are.
    pub strangers: Places,
    pub recorder: Recorder,
    pub metrics: Metrics,
}

/// Who asks.
struct Caller {
    principal: String,
    roles: Vec<String>,
    client: String,
}

impl Gate {
    pub(crate) fn state(&self) -> Option<Arc<State>> {
        self.state.read().ok().map(|state| Arc::clone(&state))
    }

    /// Answers, within the time and the number of requests that are allowed.
    pub(crate) async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
        let begun = Instant::now();
        let id = uuid::Uuid::now_v7().to_string();
        let mut label = None;
        let response = match self.in_flight.try_acquire() {
            Err(_) => reply::unavailable("too many requests are worked on at once"),
            Ok(_permit) => {
                let (head, body) = request.into_parts();
                let mut body = Some(body);
                let work = self.admit(peer, &head, &mut body, &id, &mut label);
                let response = match tokio::time::timeout(self.limits.request, work).await {
                    Ok(response) => response,
                    Err(_) => reply::closing(reply::error(StatusCode::REQUEST_TIMEOUT, "the request took too long")),
                };
                // Most clients read an answer only after they have sent everything.
                if let Some(unread) = body {
                    let _ = tokio::time::timeout(
                        UNREAD,
                        body::read(unread, self.limits.body_bytes_max, self.limits.body_bytes_max),
                    )
                    .await;
                }
                response
            }
        };
        let code = response.status().as_u16();
        self.metrics.answered(label.as_deref().unwrap_or("-"), code, begun.elapsed().as_secs_f64());
        reply::with_id(response, &id)
    }

    async fn admit(
        &self,
        peer: &Peer,
        request: &Parts,
        body: &mut Option<Incoming>,
        id: &str,
        label: &mut Option<String>,
    ) -> Response<Body> {
        let Some(state) = self.state() else {
            return reply::unavailable("the gateway is not ready");
        };
        // A connection may outlive the certificate that opened it.
        if Clock.now() >= peer.not_after {
            self.recorder.count("request.expired", peer.id.as_str());
            return reply::closing(reply::unauthenticated("the client's certificate has expired"));
        }
        let Some(client) = peer.principal(&state.domain) else {
            self.recorder.count("request.foreign", peer.id.as_str());
            return reply::closing(reply::unauthenticated("the client is of another trust domain"));
        };
        let Some(_place) = self.busy.enter(client) else {
            return reply::unavailable("too many requests of this client are worked on at once");
        };
        if let Some(refusal) = self.over_limit(client) {
            return refusal;
        }
        let Some(caller) = caller(&state, peer, client, &request.headers) else {
            self.recorder.count("request.unauthenticated", client);
            return reply::unauthenticated("a token that is good here is needed");
        };
        if caller.principal != client
            && let Some(refusal) = self.over_limit(&caller.principal)
        {
            return refusal;
        }
        let Some(route) = route(request.uri.path()) else {
            return reply::error(StatusCode::NOT_FOUND, "there is nothing here for you");
        };
        let allowed = if matches!(route, Route::Model { part: Part::Infer, .. }) { "POST" } else { "GET" };
        if request.method.as_str() != allowed {
            return reply::wrong_method(allowed);
        }
        match route {
            Route::Live => reply::json(StatusCode::OK, &json!({"live": true})),
            Route::Ready => self.ready(),
            Route::Server => reply::json(
                StatusCode::OK,
                &json!({"name": "lockgate", "version": env!("CARGO_PKG_VERSION"), "extensions": []}),
            ),
            Route::Model { name, version, part } => {
                let served = state
                    .endpoints
                    .get(name)
                    .filter(|served| version.is_none_or(|version| version.parse() == Ok(served.endpoint.version)));
                if served.is_some() {
                    *label = Some(name.to_owned());
                }
                self.model(&state, served, name, part, caller, (request, body), id).await
            }
        }
    }

    fn over_limit(&self, principal: &str) -> Option<Response<Body>> {
        let early = self.limiter.check_key(&principal.to_owned()).err()?;
        self.metrics.limited.inc();
        self.recorder.count("request.limited", principal);
        let wait = early.wait_time_from(DefaultClock::default().now());
        Some(reply::limited(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
    }

    /// Whether there is something to answer and the record can be kept.
    pub(crate) fn ready(&self) -> Response<Body> {
        let ready = !self.recorder.failing() && self.state().is_some_and(|state| !state.endpoints.is_empty());
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        reply::json(status, &json!({"ready": ready}))
    }

    #[expect(clippy::too_many_arguments, reason = "one request, taken apart")]
    async fn model(
        &self,
        state: &State,
        served: Option<&Served>,
        name: &str,
        part: Part,
        caller: Caller,
        (request, body): (&Parts, &mut Option<Incoming>),
        id: &str,
    ) -> Response<Body> {
        // What a caller may not see looks like what is not there.
        let nothing = || reply::error(StatusCode::NOT_FOUND, "there is nothing here for you");
        let Some(served) = served else {
            self.recorder.count("request.unknown", &caller.principal);
            return nothing();
        };
        let endpoint = &served.endpoint;
        let action = if part == Part::Infer { "infer" } else { "metadata" };
        let mut declared = request.headers.get_all(PURPOSE).iter().map(|value| value.to_str().unwrap_or_default());
        let purpose = declared.next().unwrap_or(&endpoint.purpose).to_owned();
        if declared.next().is_some() || purpose.len() > PURPOSE_BYTES_MAX {
            return reply::error(StatusCode::BAD_REQUEST, "one purpose of at most 128 bytes may be declared");
        }
        let ask = |action| {
            let question = Question {
                principal: caller.principal.clone(),
                roles: caller.roles.clone(),
                client: caller.client.clone(),
                action,
                endpoint: name.to_owned(),
                purpose: purpose.clone(),
            };
            authorize::decide(state, endpoint, question)
        };
        let decision = ask(action);
        let hides_all = |decision: &Decision| {
            endpoint.model.outputs().all(|output| decision.obligations.hidden_columns.iter().any(|h| h == output))
        };
        if !decision.allow || hides_all(&decision) {
            let entry = entry("request.denied", id, &caller, served, state, &denied(action, &decision));
            let metadata = ask("metadata");
            let visible = part == Part::Infer && metadata.allow && !hides_all(&metadata);
            return match self.recorder.record(entry).await {
                Ok(()) if visible => reply::error(StatusCode::FORBIDDEN, "policy does not let you do this"),
                Ok(()) => nothing(),
                Err(_) => reply::unavailable("the record cannot be kept"),
            };
        }
        match part {
            Part::Metadata => {
                reply::json(StatusCode::OK, &protocol::describe(endpoint, &decision.obligations.hidden_columns))
            }
            Part::Ready => reply::json(StatusCode::OK, &json!({"name": name, "ready": true})),
            Part::Infer => self.infer(state, served, &decision, &caller, (request, body), id).await,
        }
    }

    async fn infer(
        &self,
        state: &State,
        served: &Served,
        decision: &Decision,
        caller: &Caller,
        (request, body): (&Parts, &mut Option<Incoming>),
        id: &str,
    ) -> Response<Body> {
        let _expected = self.recorder.expect();
        let outcome = self.predict(&served.endpoint, decision, (request, body), id).await;
        let (response, kind, detail) = match outcome {
            Ok((body, rows)) => {
                self.metrics.rows.inc_by(rows as u64);
                (reply::bytes(StatusCode::OK, body), "inference", format!("\"rows\":{rows}"))
            }
            Err(Refusal { status, failure }) => {
                let mut text = failure.to_string();
                if let Some(hint) = failure.hint_text() {
                    text = format!("{text}; {hint}");
                }
                (reply::error(status, &text), "request.refused", format!("\"status\":{}", status.as_u16()))
            }
        };
        match self.recorder.record(entry(kind, id, caller, served, state, &detail)).await {
            Ok(()) => response,
            Err(_) => reply::unavailable("the record cannot be kept, so there is no answer"),
        }
    }

    async fn predict(
        &self,
        endpoint: &Arc<Endpoint>,
        decision: &Decision,
        (request, body): (&Parts, &mut Option<Incoming>),
        id: &str,
    ) -> Result<(Vec<u8>, usize), Refusal> {
        body::plain_json(&request.headers)?;
        let max = self.limits.body_bytes_max;
        let Some(unread) = body.take_if(|body| body.size_hint().lower() <= (max * DISCARDED_MAX) as u64) else {
            return Err(body::too_large(max));
        };
        let body = body::read(unread, max, max * DISCARDED_MAX).await?;
        let Inference { id: theirs, inputs, rows, outputs } =
            protocol::read(&body, &endpoint.model, &decision.obligations.hidden_columns, self.limits.rows_max)
                .map_err(|f| refusal(StatusCode::BAD_REQUEST, f))?;
        let prediction = if rows <= INLINE_ROWS_MAX && endpoint.model.is_quick() {
            endpoint.model.run(inputs)
        } else {
            let endpoint = Arc::clone(endpoint);
            tokio::task::spawn_blocking(move || endpoint.model.run(inputs))
                .await
                .unwrap_or_else(|_| Err(Failure::bug("an inference was cut off")))
        };
        let prediction = prediction.map_err(|failure| match failure.fault() {
            Fault::Bug => refusal(StatusCode::INTERNAL_SERVER_ERROR, Failure::bug("the model cannot answer")),
            _ => refusal(StatusCode::BAD_REQUEST, failure),
        })?;
        let hidden = &decision.obligations.hidden_columns;
        let body = protocol::write(endpoint, theirs.as_deref().unwrap_or(id), &prediction, &outputs, hidden)
            .map_err(|f| refusal(StatusCode::INTERNAL_SERVER_ERROR, f))?;
        Ok((body, rows))
    }

    /// Forgets principals who have not asked for a while.
    pub(crate) fn tidy(&self) {
        self.limiter.retain_recent();
    }
}

/// Who asks: the bearer of a token where tokens are asked for, the client itself where not.
fn caller(state: &State, peer: &Peer, client: &str, headers: &HeaderMap) -> Option<Caller> {
    let roles = |principal: &str| state.roles.get(principal).cloned().unwrap_or_default();
    let Some(tokens) = &state.tokens else {
        return Some(Caller { principal: client.into(), roles: roles(client), client: client.into() });
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")).map(str::trim),
        _ => None,
    };
    let verified = tokens.verify(token?, peer, Clock.now())?;
    let roles = verified.roles.clone().unwrap_or_else(|| roles(&verified.subject));
    Some(Caller { principal: verified.subject.clone(), roles, client: client.into() })
}

fn denied(action: &str, decision: &Decision) -> String {
    let reasons = serde_json::to_string(&decision.reasons).unwrap_or_default();
    let reasons = if (1..=REASONS_BYTES_MAX).contains(&reasons.len()) { &reasons } else { "[\"too long to tell\"]" };
    format!("\"action\":\"{action}\",\"reasons\":{reasons}")
}

/// `members` are what is told beside the deployment and the policy, as JSON.
fn entry(kind: &'static str, id: &str, caller: &Caller, served: &Served, state: &State, members: &str) -> Entry {
    let mut all = format!("{members},{},{}", served.told, state.told);
    if caller.client != caller.principal
        && let Ok(client) = serde_json::to_string(&caller.client)
    {
        all.push_str(",\"client\":");
        all.push_str(&client);
    }
    Entry {
        id: id.to_owned(),
        time: Clock.now(),
        kind,
        actor: caller.principal.clone(),
        about: Arc::clone(&served.about),
        detail: record::object(&all),
    }
}

/// A keyed limiter for `limits`.
pub(crate) fn limiter(limits: &Limits) -> Result<RateLimiter<String, HashMapStateStore<String>, DefaultClock>> {
    let wrong = || Failure::usage("a rate limit must allow at least one request a second");
    let rate = std::num::NonZeroU32::new(limits.requests_per_second).ok_or_else(wrong)?;
    let burst = std::num::NonZeroU32::new(limits.burst).ok_or_else(wrong)?;
    Ok(RateLimiter::hashmap(governor::Quota::per_second(rate).allow_burst(burst)))
}

/// How often [`Gate::tidy`] is due.
pub(crate) const TIDY: Duration = Duration::from_mins(1);
