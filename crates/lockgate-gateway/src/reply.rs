//! Answers: a body of JSON, and what a refused client gets to know.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

pub(crate) type Body = Full<Bytes>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    bytes(status, serde_json::to_vec(value).unwrap_or_default())
}

pub(crate) fn bytes(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Predictions are about people: no cache between here and the client keeps one.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The protocol's error object.
pub(crate) fn error(status: StatusCode, text: &str) -> Response<Body> {
    json(status, &serde_json::json!({"error": text}))
}

pub(crate) fn limited(seconds: u64) -> Response<Body> {
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, "too many requests; wait as Retry-After says");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(crate) fn wrong_method(allowed: &'static str) -> Response<Body> {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "this path has another method");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

pub(crate) fn unauthenticated(text: &str) -> Response<Body> {
    let mut response = error(StatusCode::UNAUTHORIZED, text);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    response
}

/// Busy or unable to keep the record; the client may try again.
pub(crate) fn unavailable(text: &str) -> Response<Body> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(1u64));
    response
}

pub(crate) fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(crate) fn with_id(mut response: Response<Body>, id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
