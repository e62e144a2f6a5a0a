//! Bodies: read whole within a limit, in plain JSON or not at all. What is in them is another
//! module's matter.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    StatusCode,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
};
use lockgate_core::{Failure, Result};

/// Why a request is refused, and with which status.
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub failure: Failure,
}

pub(crate) fn refusal(status: StatusCode, failure: Failure) -> Refusal {
    Refusal { status, failure }
}

pub(crate) fn too_large(max: usize) -> Refusal {
    refusal(StatusCode::PAYLOAD_TOO_LARGE, Failure::input(format!("a body may have {max} bytes")))
}

/// What cannot be inspected is refused.
pub(crate) fn plain_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let wrong = |text: &str| refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, Failure::input(text));
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(wrong("send the body without an encoding"));
    }
    if headers.contains_key("inference-header-content-length") {
        return Err(wrong("binary tensors are not accepted; send data as JSON"));
    }
    let media = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    match media {
        None => Ok(()),
        Some(media) if media.split(';').next().is_some_and(|m| m.trim().eq_ignore_ascii_case("application/json")) => {
            Ok(())
        }
        Some(_) => Err(wrong("send application/json")),
    }
}

/// The whole body, when it is within its limit; of a larger one, at most `read_max` are read.
pub(crate) async fn read(mut body: Incoming, max: usize, read_max: usize) -> Result<Bytes, Refusal> {
    let mut all = BytesMut::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| refusal(StatusCode::BAD_REQUEST, Failure::input("the body ended early")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= max {
            all.extend_from_slice(&data);
        } else {
            // Most clients read an answer only after they have sent everything; some more is
            // read for their sake and thrown away.
            all = BytesMut::new();
            if seen > read_max {
                break;
            }
        }
    }
    if seen > max {
        return Err(too_large(max));
    }
    Ok(all.freeze())
}
