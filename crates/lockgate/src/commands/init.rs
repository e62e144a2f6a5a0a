//! `lockgate init`: a workspace that a user can read and change.

use std::{fs, path::Path};

use lockgate_core::{Failure, Name, Result};

use crate::{
    cli::{Global, InitArgs},
    output,
};

const FILES: [(&str, &str); 5] = [
    ("lockgate.yaml", include_str!("../../templates/lockgate.yaml")),
    ("pipeline.yaml", include_str!("../../templates/pipeline.yaml")),
    ("contracts/people.yaml", include_str!("../../templates/people.yaml")),
    ("data/people.csv", "id,email,city\nP1,ana@example.com,Oslo\nP2,bo@example.com,Rome\nP3,carla@example.com,Oslo\n"),
    (".gitignore", "/.lockgate/\n/lockgate.key\n"),
];

pub fn init(global: &Global, args: &InitArgs) -> Result<()> {
    let name: Name = args.name.parse()?;
    if args.dir.join("lockgate.yaml").exists() {
        return Err(Failure::usage(format!("{} is a workspace already", args.dir.display())));
    }
    for (place, text) in FILES {
        write(&args.dir.join(place), &text.replace("{name}", name.as_str()))?;
    }
    write(&args.dir.join("policies/default.rego"), lockgate_policy::DEFAULT_POLICY)?;
    output::say(global, &format!("wrote a workspace to {}", args.dir.display()));
    output::say(global, "next: `lockgate run pipeline.yaml`; then bring your own data, contract and pipeline");
    Ok(())
}

/// Writes a file that must not be there yet.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Err(Failure::usage(format!("{} exists; nothing was overwritten", path.display())));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
    }
    fs::write(path, text).map_err(|e| Failure::io("write", path, &e))
}
