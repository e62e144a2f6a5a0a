//! The paths of the Open Inference Protocol v2. Which methods they take and who may use them is
//! decided where requests are handled.

/// What is asked, by path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'p> {
    Live,
    Ready,
    Server,
    Model { name: &'p str, version: Option<&'p str>, part: Part },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Metadata,
    Ready,
    Infer,
}

/// What `path` asks for; `None` when nothing is there.
pub(crate) fn route(path: &str) -> Option<Route<'_>> {
    let mut parts = path.strip_prefix("/v2")?.split('/');
    if parts.next() != Some("") {
        return None;
    }
    let parts: Vec<&str> = parts.take(8).collect();
    Some(match parts.as_slice() {
        [] => Route::Server,
        ["health", "live"] => Route::Live,
        ["health", "ready"] => Route::Ready,
        ["models", name, rest @ ..] => {
            let (version, rest) = match rest {
                ["versions", version, rest @ ..] => (Some(*version), rest),
                rest => (None, rest),
            };
            let part = match rest {
                [] => Part::Metadata,
                ["ready"] => Part::Ready,
                ["infer"] => Part::Infer,
                _ => return None,
            };
            Route::Model { name, version, part }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_protocol_and_no_others() {
        let model = |version, part| Some(Route::Model { name: "m", version, part });
        for (path, expect) in [
            ("/v2", Some(Route::Server)),
            ("/v2/health/live", Some(Route::Live)),
            ("/v2/health/ready", Some(Route::Ready)),
            ("/v2/models/m", model(None, Part::Metadata)),
            ("/v2/models/m/ready", model(None, Part::Ready)),
            ("/v2/models/m/versions/3/infer", model(Some("3"), Part::Infer)),
            ("/v2/", None),
            ("/v2x", None),
            ("/v2/models", None),
            ("/v2/models/m/", None),
            ("/v2/models/m/infer/x", None),
            ("/v2/models/m/versions", None),
            ("/", None),
        ] {
            assert_eq!(route(path), expect, "{path}");
        }
    }
}
