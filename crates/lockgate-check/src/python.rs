//! Python read without running it: modules are evaluated from top to bottom, as far as their
//! values are known, through names, texts, containers, functions, classes and imports.
//!
//! Both sides of a condition are taken and their values kept apart; loops over known values are
//! unrolled; functions are followed at their calls, and those that nobody calls are followed
//! once with unknown arguments. Every evaluation has a budget; what does not fit in it is
//! unknown, and said to be.

mod airflow;
mod builtins;
mod calls;
mod collections;
mod containers;
mod decoding;
mod environment;
mod eval;
mod exec;
mod formats;
mod modules;
mod paths;
mod ruff;
mod sinks;
mod strings;
pub mod syntax;
mod unsafe_calls;
mod workloads;

use std::{cell::RefCell, rc::Rc, sync::Arc};

pub use builtins::retraced;
use hashbrown::{HashMap, HashSet};
pub use modules::World;
pub use ruff::STACK_BYTES;
use syntax::{ClassDef, Function, Span};

use crate::{
    collect::Collector,
    source::Place,
    value::{Val, Why},
};

/// Most evaluation steps of a module with everything that it calls.
const STEPS_MAX: u64 = 400_000;
/// Steps from which a function counts as costly, and most of them in each later call of it.
const STEPS_COSTLY: u64 = 25_000;
const STEPS_AGAIN_MAX: u64 = 5_000;
/// Steps that the functions of a file which nobody calls share; beyond them, each has a few.
const STEPS_FILE_MAX: u64 = 1_000_000;
const STEPS_LATER_MAX: u64 = 20_000;
/// Deepest calls.
const CALLS_DEEP_MAX: usize = 24;
/// Most rounds of a loop over known values.
const ROUNDS_MAX: usize = 64;
/// Most classes of a file, and methods of each, that are followed again as what they inherit.
const INHERITING_MAX: usize = 32;
/// Most classes that one inherits from.
const ANCESTORS_MAX: usize = 64;

/// Names with their values, and the scope around them.
#[derive(Debug)]
pub struct Scope {
    vars: RefCell<HashMap<Arc<str>, Val>>,
    parent: Option<Rc<Scope>>,
}

impl Scope {
    fn new(parent: Option<Rc<Self>>) -> Rc<Self> {
        Rc::new(Self { vars: RefCell::new(HashMap::new()), parent })
    }

    fn get(&self, name: &str) -> Option<Val> {
        let mut scope = self;
        loop {
            if let Some(val) = scope.vars.borrow().get(name) {
                return Some(val.clone());
            }
            scope = scope.parent.as_deref()?;
        }
    }
}

/// A function of the tree with what it closes over.
#[derive(Debug)]
pub struct Closure {
    pub function: Arc<Function>,
    pub file: u32,
    pub defaults: Vec<Option<Val>>,
    scope: Rc<Scope>,
    /// The class it was defined in, for `super()`.
    class: RefCell<Option<Rc<Class>>>,
    pub kind: FunctionKind,
    /// Dotted names of outside decorators, such as `airflow.decorators.task`, with what they were
    /// called with.
    pub decorators: Vec<Val>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    Plain,
    Static,
    Class,
    Property,
}

/// A class of the tree.
#[derive(Debug)]
pub struct Class {
    pub def: Arc<ClassDef>,
    pub attrs: RefCell<HashMap<Arc<str>, Val>>,
    pub bases: Vec<Val>,
    /// Annotated fields in order: those of a dataclass, a settings class or a named tuple.
    pub fields: RefCell<Vec<Arc<str>>>,
}

impl Class {
    /// The attribute here or in a base of the tree.
    fn find(&self, name: &str) -> Option<Val> {
        if let Some(val) = self.attrs.borrow().get(name) {
            return Some(val.clone());
        }
        self.ancestors().iter().find_map(|class| class.attrs.borrow().get(name).cloned())
    }

    /// Its bases of the tree and theirs, in the order in which names are looked up, each once.
    fn ancestors(&self) -> Vec<Rc<Class>> {
        let mut out: Vec<Rc<Class>> = Vec::new();
        let of = |class: &Class| class.bases.iter().rev().filter_map(Val::class).cloned().collect::<Vec<_>>();
        let mut waiting = of(self);
        while let Some(class) = waiting.pop() {
            if out.len() >= ANCESTORS_MAX {
                break;
            }
            if !out.iter().any(|seen| Rc::ptr_eq(seen, &class)) {
                waiting.extend(of(&class));
                out.push(class);
            }
        }
        out
    }

    /// The first base that is not of the tree, by its dotted name.
    fn outside_base(&self, depth: usize) -> Option<Arc<str>> {
        self.bases.iter().find_map(|base| match &base.kind {
            crate::value::Kind::External(name) => Some(Arc::clone(name)),
            crate::value::Kind::Class(class) if depth < 8 => class.outside_base(depth + 1),
            crate::value::Kind::Object(object) => Some(Arc::clone(&object.callee)),
            _ => None,
        })
    }

    /// Whether its members are objects: an enumeration whose members are not texts themselves.
    fn is_enum_with_methods(&self) -> bool {
        let is_text = |base: &crate::value::Val| {
            matches!(&base.kind, crate::value::Kind::External(name)
                if matches!(&**name, "str" | "builtins.str" | "enum.StrEnum" | "int"))
        };
        self.outside_base(0).is_some_and(|base| base.starts_with("enum."))
            && !self.bases.iter().any(is_text)
            && self.has_methods()
    }

    /// Whether its members are texts with methods: `class Lake(str, Enum)`.
    fn is_text_with_methods(&self) -> bool {
        self.outside_base(0).is_some_and(|base| base.starts_with("enum.") || &*base == "str") && self.has_methods()
    }

    fn has_methods(&self) -> bool {
        self.attrs.borrow().values().any(|v| matches!(v.kind, crate::value::Kind::Function(_)))
    }

    /// Whether it sets a field, other than to a function, that a base of the tree has too.
    fn overrides(&self) -> bool {
        let ancestors = self.ancestors();
        self.attrs.borrow().iter().filter(|(_, val)| !matches!(val.kind, crate::value::Kind::Function(_))).any(
            |(name, _)| {
                ancestors
                    .iter()
                    .any(|base| base.attrs.borrow().contains_key(name) || base.fields.borrow().contains(name))
            },
        )
    }

    /// Methods of its bases that it does not have itself.
    fn inherited_methods(&self) -> Vec<Rc<Closure>> {
        let mut seen: HashSet<Arc<str>> = self.attrs.borrow().keys().cloned().collect();
        let mut out: Vec<Rc<Closure>> = Vec::new();
        for base in self.ancestors() {
            let mut methods: Vec<Rc<Closure>> = Vec::new();
            for val in base.attrs.borrow().values() {
                if let crate::value::Kind::Function(function) = &val.kind
                    && seen.insert(Arc::clone(&function.function.name))
                {
                    methods.push(Rc::clone(function));
                }
            }
            methods.sort_by_key(|method| method.function.name_at.start);
            out.extend(methods);
        }
        out
    }

    /// Fields in order: those of the bases first.
    fn all_fields(&self) -> Vec<Arc<str>> {
        let mut fields: Vec<Arc<str>> = Vec::new();
        for class in self.ancestors().iter().rev() {
            fields.extend(class.fields.borrow().iter().cloned());
        }
        fields.extend(self.fields.borrow().iter().cloned());
        let mut seen = HashSet::new();
        fields.retain(|field| seen.insert(Arc::clone(field)));
        fields
    }
}

/// Which function: its file and where its name stands.
type FunctionKey = (u32, u32);

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Return,
    Raise,
    Break,
    Continue,
}

/// What is being run.
struct Frame {
    file: u32,
    scope: Rc<Scope>,
    globals: Rc<Scope>,
    /// Names that `global` declared.
    global_names: Vec<Arc<str>>,
    returns: Vec<Val>,
    yields: Vec<Val>,
    function: Option<FunctionKey>,
    /// The class that the running method was defined in, and its object.
    method_of: Option<(Rc<Class>, Val)>,
}

impl Frame {
    fn new(file: u32, scope: Rc<Scope>, globals: Rc<Scope>) -> Self {
        Self {
            file,
            scope,
            globals,
            global_names: Vec::new(),
            returns: Vec::new(),
            yields: Vec::new(),
            function: None,
            method_of: None,
        }
    }
}

/// What a branch changed: scope, name, value before.
type Journal = Vec<(Rc<Scope>, Arc<str>, Option<Val>)>;

/// Evaluates modules of one world; one for each thread.
pub struct Interpreter<'a> {
    world: &'a World<'a>,
    pub collector: Collector<'a>,
    modules: HashMap<u32, Rc<Scope>>,
    /// Modules that are being evaluated: a cyclic import sees what there is so far.
    loading: HashSet<u32>,
    frames: Vec<Frame>,
    journals: Vec<Journal>,
    steps: u64,
    called: HashSet<FunctionKey>,
    /// Functions that were defined, in order, by file.
    defined: Vec<(FunctionKey, Rc<Closure>, Option<Rc<Class>>)>,
    /// What tasks returned, by where it is kept; held, so that nothing else is kept there meanwhile.
    results: HashMap<usize, (crate::value::Val, Arc<str>)>,
    /// Classes that give their bases' fields other values, by file.
    overriding: Vec<(u32, Rc<Class>)>,
    seen: HashSet<FunctionKey>,
    gave_up: HashSet<(u32, &'static str)>,
    /// DAGs of `with DAG(...)`, the innermost last, with their parameters.
    dags: Vec<Val>,
    /// What was set in `os.environ` and in Airflow's Variables.
    environment: HashMap<Arc<str>, Val>,
    /// What tasks are called, by the functions that they are.
    task_names: HashMap<Arc<str>, String>,
    /// How many texts of `eval` and `exec` are being run within each other.
    texts_deep: u32,
    /// Names that loops over known values give one after the other.
    loops: Vec<Arc<str>>,
    /// Where the steps end of the call that is being followed.
    limit: u64,
    /// Functions that took many steps.
    costly: HashSet<FunctionKey>,
    /// Members of enumerations that are texts and have methods, by their text.
    members: HashMap<Arc<str>, Rc<Class>>,
    /// What each module left in `environment` that was evaluated.
    settings: HashMap<u32, HashMap<Arc<str>, Val>>,
}

impl<'a> Interpreter<'a> {
    pub fn new(world: &'a World<'a>, collector: Collector<'a>) -> Self {
        Self {
            world,
            collector,
            modules: HashMap::new(),
            loading: HashSet::new(),
            frames: Vec::new(),
            journals: Vec::new(),
            steps: 0,
            called: HashSet::new(),
            defined: Vec::new(),
            overriding: Vec::new(),
            results: HashMap::new(),
            seen: HashSet::new(),
            gave_up: HashSet::new(),
            dags: Vec::new(),
            environment: HashMap::new(),
            settings: HashMap::new(),
            members: HashMap::new(),
            task_names: HashMap::new(),
            texts_deep: 0,
            loops: Vec::new(),
            limit: STEPS_MAX,
            costly: HashSet::new(),
        }
    }

    /// Evaluates a file as a module: its top level and what that calls.
    pub fn file(&mut self, file: u32) {
        self.steps = 0;
        self.environment.clear();
        self.module(file);
        if let Some(Ok(text)) = self.world.tree.file(file).map(|source| source.text()) {
            self.collector.comments(file, text);
        }
    }

    /// What a failure of our own left half done is put away.
    pub fn failed(&mut self, file: u32) {
        self.frames.clear();
        self.journals.clear();
        self.dags.clear();
        self.limit = STEPS_MAX;
        self.texts_deep = 0;
        self.loops.clear();
        self.collector.calls.clear();
        self.collector.quiet = 0;
        self.collector.entered = None;
        self.collector.restore_task(None);
        self.collector.problem(file, 0, "its reader failed, which is a bug of Lockgate; what was found before counts");
    }

    /// The functions that were called.
    pub fn called(&self) -> &HashSet<FunctionKey> {
        &self.called
    }

    /// Follows the functions of a file that nobody called, with unknown arguments. `called` are
    /// those that modules called; of the others, those that one of the same file calls are left to it,
    /// so that what is found does not depend on which thread read which file.
    pub fn uncalled(&mut self, file: u32, called: &HashSet<FunctionKey>) {
        self.called.clear();
        self.environment = self.settings_of(file);
        self.costly.clear();
        let mut next = 0;
        let mut spent = 0;
        while let Some((key, closure, class)) = self.defined.get(next).cloned() {
            next += 1;
            if key.0 != file || called.contains(&key) || self.called.contains(&key) {
                continue;
            }
            self.entered(key, &mut spent, |this| this.run_uncalled(&closure, class.as_ref()));
        }
        self.inherited(file, &mut spent);
    }

    /// Follows a function from outside, with what is left of the steps of its file.
    fn entered(&mut self, key: FunctionKey, spent: &mut u64, follow: impl FnOnce(&mut Self)) {
        self.steps = 0;
        self.limit = if *spent < STEPS_FILE_MAX { STEPS_MAX } else { STEPS_LATER_MAX };
        self.collector.entered = Some(key);
        follow(self);
        self.collector.entered = None;
        *spent += self.steps;
        self.limit = STEPS_MAX;
    }

    /// Follows what classes inherit once more with the fields that they set themselves.
    fn inherited(&mut self, file: u32, spent: &mut u64) {
        let classes: Vec<Rc<Class>> =
            self.overriding.iter().filter(|(of, _)| *of == file).map(|(_, class)| Rc::clone(class)).collect();
        for class in classes.into_iter().take(INHERITING_MAX) {
            for method in class.inherited_methods().into_iter().take(INHERITING_MAX) {
                let key = (file, class.def.at.start);
                self.entered(key, spent, |this| this.run_uncalled(&method, Some(&class)));
            }
        }
    }

    /// Counts a step; false when the budget is spent.
    fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps >= self.limit
            && let Some(file) = self.frames.first().map(|frame| frame.file)
        {
            let what = match self.limit {
                STEPS_MAX => "its evaluation stopped after 400,000 steps; what lies behind is unresolved",
                STEPS_LATER_MAX => {
                    "its functions took more than 1,000,000 steps; those that follow were followed for 20,000 each"
                }
                _ => "later calls of a function that takes many steps were followed for 5,000 steps each",
            };
            if self.gave_up.insert((file, what)) {
                self.collector.problem(file, 0, what);
            }
        }
        self.steps < self.limit
    }

    /// Follows a call within its share of the steps: what was costly once is looked at again only
    /// a little.
    fn within_share<T>(&mut self, key: FunctionKey, follow: impl FnOnce(&mut Self) -> T) -> T {
        let (before, around) = (self.steps, self.limit);
        if self.costly.contains(&key) {
            self.limit = around.min(before + STEPS_AGAIN_MAX);
        }
        let out = follow(self);
        self.limit = around;
        if self.steps - before >= STEPS_COSTLY {
            self.costly.insert(key);
        }
        out
    }

    fn frame(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    fn current_file(&self) -> u32 {
        self.frames.last().map_or(0, |frame| frame.file)
    }

    fn place(&self, at: Span) -> Place {
        Place { file: self.current_file(), start: at.start, end: at.end }
    }

    fn unknown(&self, why: Why, at: Span) -> Val {
        Val::unknown(why, Some(self.place(at)))
    }

    /// Binds a name in a scope, and keeps what it was for the branch that is being run.
    fn bind(&mut self, scope: &Rc<Scope>, name: Arc<str>, val: Val) {
        let before = scope.vars.borrow_mut().insert(Arc::clone(&name), val);
        if let Some(journal) = self.journals.last_mut() {
            journal.push((Rc::clone(scope), name, before));
        }
    }

    fn bind_local(&mut self, name: &Arc<str>, val: Val) {
        let Some(frame) = self.frames.last() else { return };
        let scope = if frame.global_names.contains(name) { Rc::clone(&frame.globals) } else { Rc::clone(&frame.scope) };
        self.bind(&scope, Arc::clone(name), val);
    }

    fn lookup(&mut self, name: &str, at: Span) -> Val {
        if let Some(val) = self.frames.last().and_then(|frame| frame.scope.get(name)) {
            return val;
        }
        if builtins::is_builtin(name) {
            return Val::new(crate::value::Kind::External(name.into()));
        }
        match name {
            "__name__" => Val::str("__main__"),
            "__file__" => {
                let file = self.current_file();
                let path = self.world.tree.file(file).map_or("", |file| &file.path);
                Val::new(crate::value::Kind::Path(crate::value::Text::Known(format!("{}{path}", modules::ROOT).into())))
            }
            // A notebook's names.
            "spark" | "dbutils" | "sc" | "sqlContext" => Val::new(crate::value::Kind::External(name.into())),
            _ => self.unknown(Why::Name(name.into()), at),
        }
    }

    /// Runs code with the values of a module.
    fn in_frame<T>(&mut self, frame: Frame, run: impl FnOnce(&mut Self) -> T) -> (T, Option<Frame>) {
        self.frames.push(frame);
        let result = run(self);
        (result, self.frames.pop())
    }
}

/// What a decorator or a base is called, for those that decide how a thing is read.
pub fn dotted(val: &Val) -> Option<Arc<str>> {
    match &val.kind {
        crate::value::Kind::External(name) => Some(Arc::clone(name)),
        crate::value::Kind::Object(object) => Some(Arc::clone(&object.callee)),
        _ => None,
    }
}
