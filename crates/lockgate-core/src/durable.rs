//! Files that are there whole or not at all, whatever happens to the machine.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
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
    replace(path, bytes, if readers == Readers::Owner { 0o600 } else { 0o666 }, None)
}

/// Writes what a user asked for to the place that the user named: a device, a pipe and what a link
/// leads to are written, not replaced, and a file that is there keeps its mode.
pub fn write_to(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |error: &std::io::Error| Failure::io("write", path, error);
    // Behind these names stands what the process has open, whatever it is.
    if path.starts_with("/dev") || path.starts_with("/proc") {
        let opened = fs::OpenOptions::new().append(true).open(path);
        return opened.and_then(|mut file| file.write_all(bytes)).map_err(|e| fail(&e));
    }
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        // A link to nothing yet.
        Err(_) if is_link => return fs::write(path, bytes).map_err(|e| fail(&e)),
        Err(_) => path.to_path_buf(),
    };
    match fs::metadata(&target) {
        Ok(meta) if meta.is_file() => replace(&target, bytes, 0o600, Some(meta.permissions().mode())),
        Ok(_) => fs::OpenOptions::new()
            .write(true)
            .open(&target)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|e| fail(&e)),
        Err(_) => replace(&target, bytes, 0o666, None),
    }
}

/// `kept` is the mode of the file that was there.
fn replace(path: &Path, bytes: &[u8], mode: u32, kept: Option<u32>) -> Result<()> {
    let fail = |error: &std::io::Error| Failure::io("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = folder.join(name);
    // Never a file that is there already: it may be a link, or have another mode.
    let open = || fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary);
    let mut file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_folder(folder).map_err(|e| fail(&e))?;
            open()
        }
        // An interrupted write left it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(&temporary).map_err(|e| fail(&e))?;
            open()
        }
        opened => opened,
    }
    .map_err(|e| fail(&e))?;
    let keep =
        || kept.map_or(Ok(()), |mode| fs::set_permissions(&temporary, fs::Permissions::from_mode(mode & 0o7777)));
    let written = file
        .write_all(bytes)
        .and_then(|()| keep())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // A full disk has no room for a half-written file.
        let _ = fs::remove_file(&temporary);
        return Err(fail(&error));
    }
    sync_folder(folder).map_err(|e| fail(&e))
}

/// Creates a folder and those above it, each of them durable.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("."));
    create_folder(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(above)
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::File::open(folder).and_then(|folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_a_user_names_is_written_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.txt");
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_to(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        write_to(Path::new("/dev/null"), b"gone").unwrap();
        use std::os::unix::fs::FileTypeExt as _;
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn what_an_interrupted_write_left_decides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/secret.key");
        write(&path, b"old", Readers::Owner).unwrap();
        fs::write(dir.path().join("a/b/secret.key.new"), b"half").unwrap();
        write(&path, b"new", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let elsewhere = dir.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("a/b/secret.key.new")).unwrap();
        write(&path, b"newer", Readers::Owner).unwrap();
        assert!(!elsewhere.exists());
    }
}
