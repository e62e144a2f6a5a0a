//! Files that are there whole or not at all, whatever happens to the machine.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{Failure, Result};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the process's umask lets.
    Anyone,
    Owner,
}

/// Writes `bytes` so that a reader sees the old file or the new one, and waits for the disk.
/// Folders on the way are created.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    let fail = |error: &std::io::Error| Failure::io("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
    let open = || fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary);
    let mut file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(|e| fail(&e))?;
            open()
        }
        opened => opened,
    }
    .map_err(|e| fail(&e))?;
    file.write_all(bytes).map_err(|e| fail(&e))?;
    file.sync_all().map_err(|e| fail(&e))?;
    fs::rename(&temporary, path).map_err(|e| fail(&e))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| fail(&e))
}
