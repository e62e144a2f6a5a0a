//! `lockgate check`: policy as code.

use std::path::{Path, PathBuf};

use lockgate_check::{
    Options,
    config::{CheckFile, Config},
    finding::{Finding, findings},
    read,
    rules::{Answer, Bundle},
    source::Tree,
};
use lockgate_core::{Failure, Result};

use crate::{
    cli::{CheckArgs, Format, Global},
    environment, output,
};

pub fn check(global: &Global, args: &CheckArgs) -> Result<()> {
    let paths = paths(&args.paths)?;
    let root = root(args.root.as_deref(), &paths)?;
    let config = config(&root)?;
    let folders: Vec<PathBuf> = config.policies.iter().map(|folder| root.join(folder)).collect();
    let bundle = Bundle::new(&folders, &config)?;
    let threads = args.threads.unwrap_or_else(environment::threads).max(1);
    let tree = Tree::walk(&root, &paths, &config.exclude)?;
    let read = read(&tree, &Options { threads, key: None, watch: config.watched()? })?;
    if args.facts {
        return output::json(global, &read.facts);
    }
    let verdicts = bundle.judge(&read.facts, &config, threads)?;
    let found = findings(&read.facts, &bundle, &verdicts)?;
    if global.format == Format::Table {
        for finding in &found {
            output::line(&format!(
                "{}:{}:{} {} {}",
                finding.file, finding.line, finding.column, finding.rule, finding.message
            ));
        }
    } else {
        output::json(global, &found)?;
    }
    let violations = found.iter().filter(|f: &&Finding| f.answer == Answer::Violation).count();
    if violations > 0 {
        return Err(Failure::findings(format!("{violations} violations")));
    }
    Ok(())
}

/// The paths as they are on disk; links in what was named are followed, once.
fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let here = [PathBuf::from(".")];
    let named = if named.is_empty() { &here[..] } else { named };
    named.iter().map(|path| path.canonicalize().map_err(|e| Failure::io("open", path, &e))).collect()
}

/// The folder that everything is relative to.
fn root(named: Option<&Path>, paths: &[PathBuf]) -> Result<PathBuf> {
    if let Some(root) = named {
        let root = root.canonicalize().map_err(|e| Failure::io("open", root, &e))?;
        return match paths.iter().find(|path| !path.starts_with(&root)) {
            Some(path) => Err(Failure::usage(format!("{} lies outside of --root {}", path.display(), root.display()))),
            None => Ok(root),
        };
    }
    let mut common = paths.first().cloned().unwrap_or_default();
    while !paths.iter().all(|path| path.starts_with(&common)) {
        if !common.pop() {
            break;
        }
    }
    if common.is_file() {
        common.pop();
    }
    let marked =
        common.ancestors().find(|folder| folder.join(".git").exists() || folder.join("lockgate.yaml").is_file());
    Ok(marked.map_or_else(|| common.clone(), Path::to_path_buf))
}

fn config(root: &Path) -> Result<Config> {
    let path = root.join("lockgate.yaml");
    if !path.is_file() {
        return Ok(Config::default());
    }
    CheckFile::read(&path)
}
