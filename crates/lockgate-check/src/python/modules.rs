//! The modules of a tree: parsed once, found from an import, evaluated on demand.

use std::{
    rc::Rc,
    sync::{Arc, OnceLock},
};

use hashbrown::HashMap;

use super::{
    Frame, Interpreter, Scope,
    ruff::Ruff,
    syntax::{Module, Parser as _, Span, SyntaxError},
};
use crate::{
    source::{Language, Tree},
    value::{How, Kind, Val, Why},
};

/// Stands for the root of the tree in paths that code makes of `__file__`.
pub(super) const ROOT: &str = "/\u{1}tree/";

type Parsed = Result<Arc<Module>, SyntaxError>;

/// All Python files of a tree, each parsed when it is first needed.
pub struct World<'a> {
    pub tree: &'a Tree,
    parsed: Vec<OnceLock<Parsed>>,
}

impl<'a> World<'a> {
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, parsed: tree.files.iter().map(|_| OnceLock::new()).collect() }
    }

    /// The module of a file, or why it is none.
    pub fn module(&self, file: u32) -> Option<&Parsed> {
        let source = self.tree.file(file)?;
        let notebook = match source.language {
            Language::Python => false,
            Language::Notebook => true,
            _ => return None,
        };
        let cell = self.parsed.get(file as usize)?;
        Some(cell.get_or_init(|| {
            let text = source.text().map_err(|what| SyntaxError { what: what.to_owned(), offset: 0 })?;
            Ruff { notebook }.parse(text).map(Arc::new)
        }))
    }

    /// The file of a module as an import from `from` would find it: beside it, in a folder above
    /// it, or in the folders that tools put on the path.
    fn find(&self, from: &str, name: &str, level: u32) -> Option<u32> {
        let path = name.replace('.', "/");
        let mut folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let at = |folder: &str| {
            let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let package =
                if path.is_empty() { format!("{start}__init__.py") } else { format!("{start}{path}/__init__.py") };
            self.tree
                .find(&format!("{start}{path}.py"))
                .or_else(|| self.tree.find(&package))
                .filter(|file| self.tree.file(*file).is_some_and(|f| f.language == Language::Python))
        };
        if level > 0 {
            for _ in 1..level {
                folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            }
            return at(folder);
        }
        loop {
            if let Some(file) = at(folder) {
                return Some(file);
            }
            for beside in ["src", "plugins", "include", "dags", "lib", "python"] {
                let beside = if folder.is_empty() { beside.to_owned() } else { format!("{folder}/{beside}") };
                if let Some(file) = at(&beside) {
                    return Some(file);
                }
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
    }
}

impl Interpreter<'_> {
    /// What a module set of the environment, of Variables and of XCom.
    pub(super) fn settings_of(&self, file: u32) -> HashMap<Arc<str>, Val> {
        self.settings.get(&file).cloned().unwrap_or_default()
    }

    /// The names of a module, evaluated when this is the first time.
    pub(super) fn module(&mut self, file: u32) -> Option<Rc<Scope>> {
        if let Some(scope) = self.modules.get(&file) {
            let scope = Rc::clone(scope);
            self.environment.extend(self.settings_of(file));
            return Some(scope);
        }
        let world = self.world;
        let module = match world.module(file)? {
            Ok(module) => Arc::clone(module),
            Err(error) => {
                self.collector.problem(file, error.offset, &error.what);
                // What cannot be parsed is looked at line by line, once.
                if self.gave_up.insert((file, "lines"))
                    && let Some(Ok(text)) = world.tree.file(file).map(crate::source::File::text)
                {
                    crate::infra::lines(&mut self.collector, file, text);
                }
                return None;
            }
        };
        if let Some(doubt) = world.tree.file(file).and_then(crate::source::File::doubt) {
            self.collector.problem(file, 0, doubt);
        }
        if let Some(error) = &module.error {
            self.collector.problem(file, error.offset, &format!("it is not all Python: {}", error.what));
        }
        let scope = Scope::new(None);
        self.modules.insert(file, Rc::clone(&scope));
        self.loading.insert(file);
        // A module is evaluated for itself, not as part of the branch that imports it.
        let journals = std::mem::take(&mut self.journals);
        let quiet = std::mem::replace(&mut self.collector.quiet, 0);
        let frames = std::mem::take(&mut self.frames);
        let calls = std::mem::take(&mut self.collector.calls);
        let environment = std::mem::take(&mut self.environment);
        // It gets the same steps whoever imports it first.
        let costly = std::mem::take(&mut self.costly);
        let steps = std::mem::replace(&mut self.steps, 0);
        let limit = std::mem::replace(&mut self.limit, super::STEPS_MAX);
        let frame = Frame::new(file, Rc::clone(&scope), Rc::clone(&scope));
        let task = self.collector.set_task(None);
        let deep = self.loading.len() < 64;
        self.in_frame(frame, |this| {
            if deep {
                this.block(&module.body);
            }
        });
        self.collector.restore_task(task);
        self.journals = journals;
        self.collector.quiet = quiet;
        self.frames = frames;
        self.collector.calls = calls;
        // What it set is seen by who imports it, whoever that is.
        let set = std::mem::replace(&mut self.environment, environment);
        self.environment.extend(set.iter().map(|(name, val)| (Arc::clone(name), val.clone())));
        self.settings.insert(file, set);
        self.costly = costly;
        self.steps = steps;
        self.limit = limit;
        self.loading.remove(&file);
        Some(scope)
    }

    pub(super) fn submodule(&mut self, file: u32, name: &str) -> Option<Val> {
        let path = Arc::clone(&self.world.tree.file(file)?.path);
        let folder = path.strip_suffix("/__init__.py")?;
        let found = self.world.find(&format!("{folder}/x"), name, 1)?;
        Some(Val::new(Kind::Module(found)))
    }

    fn here(&self) -> Arc<str> {
        self.world.tree.file(self.current_file()).map_or_else(|| "".into(), |file| Arc::clone(&file.path))
    }

    pub(super) fn import(&mut self, names: &[(Arc<str>, Option<Arc<str>>)]) {
        let here = self.here();
        for (name, alias) in names {
            let found = self.world.find(&here, name, 0).filter(|file| *file != self.current_file());
            match (alias, found) {
                (Some(alias), Some(file)) => {
                    self.module(file);
                    self.bind_local(alias, Val::new(Kind::Module(file)));
                }
                (Some(alias), None) => self.bind_local(alias, Val::new(Kind::External(Arc::clone(name)))),
                (None, found) => {
                    if let Some(file) = found {
                        self.module(file);
                    }
                    let first: Arc<str> = name.split('.').next().unwrap_or(name).into();
                    let val = match self.world.find(&here, &first, 0).filter(|file| *file != self.current_file()) {
                        Some(file) => Val::new(Kind::Module(file)),
                        // A package without `__init__.py` of the tree.
                        None => Val::new(Kind::External(Arc::clone(&first))),
                    };
                    self.bind_local(&first, val);
                }
            }
        }
    }

    pub(super) fn import_from(
        &mut self,
        module: Option<&str>,
        level: u32,
        names: &[(Arc<str>, Option<Arc<str>>)],
        at: Span,
    ) {
        let here = self.here();
        let place = self.place(at);
        let base = module.unwrap_or_default();
        let found = self.world.find(&here, base, level).filter(|file| *file != self.current_file());
        let scope = found.and_then(|file| self.module(file));
        for (name, alias) in names {
            if &**name == "*" {
                if let Some(scope) = &scope {
                    let all: Vec<(Arc<str>, Val)> =
                        scope.vars.borrow().iter().map(|(k, v)| (Arc::clone(k), v.clone())).collect();
                    for (name, val) in all {
                        if !name.starts_with('_') {
                            self.bind_local(&name, val);
                        }
                    }
                }
                continue;
            }
            let inside = scope.as_ref().and_then(|scope| scope.vars.borrow().get(name).cloned());
            let dotted = if base.is_empty() { name.to_string() } else { format!("{base}.{name}") };
            let val = match inside {
                Some(val) => val.step(place, How::Assigned(Arc::clone(name))),
                None => match self.world.find(&here, &dotted, level).filter(|file| *file != self.current_file()) {
                    Some(file) => {
                        self.module(file);
                        Val::new(Kind::Module(file))
                    }
                    None if found.is_some() || level > 0 => self.unknown(Why::Name(Arc::clone(name)), at),
                    None => Val::new(Kind::External(dotted.into())),
                },
            };
            self.bind_local(alias.as_ref().unwrap_or(name), val);
        }
    }

    /// A file of the tree by the path that code made.
    pub(super) fn tree_file(&self, path: &str) -> Option<u32> {
        let here = self.here();
        let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
        let relative = path.strip_prefix(ROOT);
        let mut candidates = Vec::new();
        if let Some(path) = relative {
            candidates.push(path.to_owned());
        } else {
            let path = path.trim_start_matches("./");
            // What a container mounts: `/opt/airflow/dags/x` is `dags/x`.
            candidates.push(if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") });
            candidates.push(path.to_owned());
            for mount in ["/opt/airflow/", "/usr/local/airflow/", "/app/", "/workspace/"] {
                candidates.extend(path.strip_prefix(mount).map(str::to_owned));
            }
        }
        candidates.iter().find_map(|path| {
            let mut parts: Vec<&str> = Vec::new();
            for part in path.split('/') {
                match part {
                    "" | "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            self.world.tree.find(&parts.join("/"))
        })
    }
}
