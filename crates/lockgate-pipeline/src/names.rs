//! Whether and how people, organizations, places and addresses are looked for.

use std::{path::Path, sync::Arc};

use lockgate_core::{Failure, Result};
use lockgate_detect::{Engine, Names};
use lockgate_names::Finder;
pub use lockgate_names::{NETWORK, NOTICES};
use schemars::JsonSchema;
use serde::Deserialize;

/// How people, organizations, places and addresses are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Looking {
    /// Not at all.
    #[default]
    Off,
    /// By word lists and the words beside: fast, finds what is plain.
    Lists,
    /// By the network, too, which reads what stands around: slow, finds most.
    /// `lockgate names install` puts it in its place.
    Network,
}

/// Adds what finds them to an engine that is asked for them.
pub fn add(engine: Engine, looking: Looking, networks: &Path) -> Result<Engine> {
    let finder: Arc<dyn Names> = match looking {
        Looking::Off => return Ok(engine),
        _ if !engine.wants_names() => return Ok(engine),
        Looking::Lists => Arc::new(Finder::lists()),
        Looking::Network => Arc::new(Finder::open(&NETWORK.folder(networks))?),
    };
    Ok(engine.with_names(finder))
}

/// Fails when the network could not read something: what was found then is not all.
pub fn check(engine: &Engine) -> Result<()> {
    engine.check().map_err(|why| Failure::unreachable(why).hint("`--names lists` needs no network"))
}
