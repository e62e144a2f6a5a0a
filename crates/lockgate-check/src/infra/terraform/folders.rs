//! Modules as folders: their files, who calls them, and the values that lie beside or below.

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::resolve;
use crate::{
    collect::Collector,
    source::{Language, Role},
};

/// Most files of values in folders below.
const VALUES_FILES_MAX: usize = 32;

/// Files of Terraform by their folder.
pub type Folders = HashMap<String, Vec<u32>>;

/// The folders that others call, from those that are asked for and that nobody calls.
pub(super) fn called(collector: &mut Collector<'_>) -> Rc<HashSet<String>> {
    if let Some(called) = &collector.called_modules {
        return Rc::clone(called);
    }
    let mut calls: HashMap<String, Vec<String>> = HashMap::new();
    for (file, asked) in collector.tree.files.iter().zip(&collector.tree.asked) {
        // An example of a module is not what it is for.
        let is_example = file.role == Role::Test || file.path.split('/').any(|part| part.starts_with("example"));
        if file.language != Language::Terraform || !asked || is_example {
            continue;
        }
        let Some(Ok(body)) = file.text().ok().map(|text| hcl_edit::parser::parse_body(text)) else { continue };
        let own = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let modules = body.blocks().filter(|block| block.ident.as_str() == "module");
        let sources = modules.filter_map(|block| block.body.get_attribute("source")?.value.as_str().map(str::to_owned));
        let folders = sources.filter(|source| source.starts_with('.')).map(|source| resolve(own, &source));
        calls.entry(own.to_owned()).or_default().extend(folders.filter(|folder| folder != own));
    }
    let named: HashSet<&String> = calls.values().flatten().collect();
    // Folders that call each other and that nobody else calls are judged by themselves.
    let mut waiting: Vec<&String> = calls.keys().filter(|own| !named.contains(own)).collect();
    let mut called = HashSet::new();
    while let Some(caller) = waiting.pop() {
        for folder in calls.get(caller).into_iter().flatten() {
            if called.insert(folder.clone()) {
                waiting.push(folder);
            }
        }
    }
    let called = Rc::new(called);
    collector.called_modules = Some(Rc::clone(&called));
    called
}

/// The folders that the modules of a text are in, by their relative sources.
pub fn sources(text: &str, own: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("source")?.trim_start().strip_prefix('='));
    lines
        .map(|source| source.trim().trim_matches('"'))
        .filter(|source| source.starts_with('.'))
        .map(|source| resolve(own, source))
        .filter(|folder| folder != own)
        .collect()
}

/// Files of values in folders below that hold nothing else, such as `envs/prod.tfvars`.
pub(super) fn values_below(collector: &mut Collector<'_>, folder: &str) -> Vec<u32> {
    let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let tree = collector.tree;
    let is_values = |id: &u32| tree.file(*id).is_some_and(|file| file.path.contains(".tfvars"));
    let folders = folders(collector);
    // Another module in between has values of its own.
    let is_module = |own: &str| folders.get(own).is_some_and(|files| !files.iter().all(is_values));
    let is_ours = |own: &str| {
        let mut above = own;
        while let Some((next, _)) = above.rsplit_once('/') {
            if next == folder || is_module(next) {
                return next == folder;
            }
            above = next;
        }
        folder.is_empty()
    };
    let is_below = |own: &str| own != folder && own.starts_with(&start) && is_ours(own);
    let below = folders.iter().filter(|(own, files)| is_below(own) && files.iter().all(is_values));
    let mut files: Vec<u32> = below.flat_map(|(_, files)| files).copied().collect();
    files.sort_unstable();
    files.truncate(VALUES_FILES_MAX);
    files
}

pub(super) fn folder_files(collector: &mut Collector<'_>, folder: &str) -> Vec<u32> {
    folders(collector).get(folder).cloned().unwrap_or_default()
}

/// The files of Terraform by their folder, looked for when they are first asked for.
pub(super) fn folders(collector: &mut Collector<'_>) -> Rc<Folders> {
    if let Some(folders) = &collector.modules {
        return Rc::clone(folders);
    }
    let mut folders = Folders::new();
    for (id, file) in (0u32..).zip(&collector.tree.files).filter(|(_, f)| f.language == Language::Terraform) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folders.entry(folder.to_owned()).or_default().push(id);
    }
    let folders = Rc::new(folders);
    collector.modules = Some(Rc::clone(&folders));
    folders
}
