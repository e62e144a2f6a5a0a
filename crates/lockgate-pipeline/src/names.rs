//! Whether and how people, organizations, places and addresses are looked for.

use std::{path::Path, sync::Arc};

use lockgate_core::Result;
use lockgate_detect::Names;
use lockgate_names::Finder;
pub use lockgate_names::NETWORK;
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

/// What finds them; `networks` is the folder of all networks.
pub fn finder(looking: Looking, networks: &Path) -> Result<Option<Arc<dyn Names>>> {
    Ok(match looking {
        Looking::Off => None,
        Looking::Lists => Some(Arc::new(Finder::lists())),
        Looking::Network => Some(Arc::new(Finder::open(&NETWORK.folder(networks))?)),
    })
}

/// Whether the network is in its folder.
pub fn is_installed(networks: &Path) -> bool {
    NETWORK.folder(networks).is_dir()
}
