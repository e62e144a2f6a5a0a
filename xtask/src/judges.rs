//! The outside programs that judge what Lockgate emits, in a Python environment under `target`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::run;

pub fn bin(root: &Path) -> PathBuf {
    root.join("target/judges/bin")
}

/// nextest: the machine's own where it has one.
pub fn nextest(root: &Path) -> String {
    let own = Command::new("cargo-nextest").arg("--version").output().is_ok();
    if own { "cargo-nextest".to_owned() } else { bin(root).join("cargo-nextest").to_string_lossy().into_owned() }
}

/// Installs what the lists in `tests` pin, unless it is there already.
pub fn install(root: &Path) -> Result<()> {
    debian(root, "tests/debian.txt")?;
    let mut wanted = String::new();
    for list in ["tests/judges.txt", "tests/judges-alone.txt", "tests/judges-wheels.txt"] {
        wanted.push_str(&fs::read_to_string(root.join(list)).with_context(|| list.to_owned())?);
    }
    let stamp = root.join("target/judges/installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    run(root, "python3", &["-m", "venv", "target/judges"])?;
    let pip = bin(root).join("pip").to_string_lossy().into_owned();
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    run(root, &pip, &[&quiet[..], &["--requirement", "tests/judges.txt"]].concat())?;
    // These declare a newer Python than they need, or nothing else of the list.
    let alone = ["--no-deps", "--ignore-requires-python", "--requirement", "tests/judges-alone.txt"];
    run(root, &pip, &[&quiet[..], &alone].concat())?;
    // Archives that the program itself reads.
    let wheels = ["--no-deps", "--dest", "target/judges/wheels", "--requirement", "tests/judges-wheels.txt"];
    run(root, &pip, &[&["download", "--quiet", "--disable-pip-version-check"], &wheels[..]].concat())?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Debian's packages, when this is Debian and we may install them.
pub fn debian(root: &Path, list: &str) -> Result<()> {
    let list = fs::read_to_string(root.join(list))?;
    let missing: Vec<&str> = list
        .lines()
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .filter(|name| {
            let status = Command::new("dpkg").args(["-s", name]).output();
            !status.is_ok_and(|output| output.status.success())
        })
        .collect();
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if missing.is_empty() || !is_root || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(());
    }
    run(root, "apt-get", &["update", "-qq"])?;
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(missing);
    run(root, "apt-get", &args)
}
