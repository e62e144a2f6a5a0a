//! What an expression may be, and how it came to be so.
//!
//! A value is what the code makes of it without running it: known, one of several, a secret
//! that is only named, or unknown with the reason. Every text carries the way it went, from its
//! literals to here, so that a finding can show it step by step.

mod text;
mod trace;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use hashbrown::HashMap;

pub use text::{HOLE, Piece, REFERENCE, Text};
pub use trace::{How, Step, Trace, joined, literal, literals, steps};

use crate::source::Place;

/// Most alternatives that are kept apart; more of them become unknown.
pub const CHOICES_MAX: usize = 24;
/// Longest text that is made by joining; longer ones become unknown.
pub const TEXT_BYTES_MAX: usize = 256 << 10;
/// Most entries of a mapping that are kept apart.
const ENTRIES_MAX: usize = 2_048;

/// A value with the way it went.
#[derive(Clone, Debug)]
pub struct Val {
    pub kind: Kind,
    pub trace: Trace,
}

#[derive(Clone, Debug)]
pub enum Kind {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Text),
    /// A file path or a location as an object with `/` and `.parent`.
    Path(Text),
    Bytes(Arc<[u8]>),
    List(Rc<RefCell<Vec<Val>>>),
    Tuple(Rc<[Val]>),
    Dict(Rc<RefCell<Dict>>),
    /// A function of the tree.
    Function(Rc<crate::python::Closure>),
    Class(Rc<crate::python::Class>),
    Instance(Rc<Instance>),
    Module(u32),
    /// Something imported from outside of the tree, by its dotted name.
    External(Arc<str>),
    /// What an outside callable returned.
    Object(Rc<Object>),
    /// A method with its receiver.
    Bound(Rc<(Val, Arc<str>)>),
    /// A secret or a setting that is only named: its value is elsewhere.
    Reference(Arc<str>),
    /// One of several.
    Choice(Rc<[Val]>),
    Unknown(Rc<Unknown>),
}

/// Why a value could not be followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    pub why: Why,
    pub place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    Parameter(Arc<str>),
    Name(Arc<str>),
    Call(Arc<str>),
    Limit(&'static str),
    Runtime(Arc<str>),
    /// What whoever starts a run types in: `dag_run.conf`, `params`.
    Outside(Arc<str>),
    Expression,
}

/// How the words of [`Why::Outside`] end, by which a hole in a text is known as one.
const OUTSIDE: &str = "comes from whoever starts the run";

/// Whether a hole is filled by what somebody outside types in.
pub fn is_outside(hole: &str) -> bool {
    hole.ends_with(OUTSIDE)
}

impl Why {
    /// What was not followed, and what would make it clear.
    pub fn words(&self) -> (String, &'static str) {
        match self {
            Self::Parameter(name) => (
                format!("the parameter `{name}` has no caller in the files that were read"),
                "check the folder that holds the callers too, or give the parameter a default",
            ),
            Self::Name(name) => {
                (format!("`{name}` is not defined in the files that were read"), "check the folder that defines it too")
            }
            Self::Call(name) => (
                format!("`{name}` gives its value only when it runs"),
                "allow it by name, or name the value in the code",
            ),
            Self::Limit(limit) => {
                (format!("the evaluation stopped at its limit ({limit})"), "make the expression simpler")
            }
            Self::Runtime(name) => (
                format!("`{name}` is known only when it runs"),
                "give it a default, or accept the finding with a reason",
            ),
            Self::Outside(name) => (format!("`{name}` {OUTSIDE}"), "check it against a list of what is allowed"),
            Self::Expression => ("the expression is not one that is followed".to_owned(), "name the value in the code"),
        }
    }
}

/// A mapping in the order of its making. Keys that are not text or numbers are left out.
#[derive(Debug, Default)]
pub struct Dict {
    pub entries: Vec<(Val, Val)>,
    /// Whether there may be entries that are not known.
    pub open: bool,
}

impl Dict {
    pub fn get(&self, key: &str) -> Option<&Val> {
        self.entries.iter().rev().find(|(k, _)| k.as_str() == Some(key)).map(|(_, v)| v)
    }

    pub fn get_val(&self, key: &Val) -> Option<&Val> {
        self.entries.iter().rev().find(|(k, _)| same(k, key)).map(|(_, v)| v)
    }

    pub fn set(&mut self, key: Val, value: Val) {
        let is_full = self.entries.len() >= ENTRIES_MAX;
        match self.entries.iter_mut().find(|(k, _)| same(k, &key)) {
            Some((_, v)) => *v = value,
            None if is_full => self.open = true,
            None => self.entries.push((key, value)),
        }
    }
}

/// Whether two keys are the same known value.
pub fn same(a: &Val, b: &Val) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Str(a), Kind::Str(b)) => matches!((a.known(), b.known()), (Some(a), Some(b)) if a == b),
        (Kind::Int(a), Kind::Int(b)) => a == b,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::None, Kind::None) => true,
        (Kind::Bytes(a), Kind::Bytes(b)) => a == b,
        _ => false,
    }
}

/// An object of a class of the tree.
#[derive(Debug)]
pub struct Instance {
    pub class: Rc<crate::python::Class>,
    pub attrs: RefCell<HashMap<Arc<str>, Val>>,
}

/// What an outside callable returned: its name and what it was called with.
#[derive(Debug)]
pub struct Object {
    pub callee: Arc<str>,
    pub args: Args,
    /// What was set on it later.
    pub attrs: RefCell<HashMap<Arc<str>, Val>>,
}

/// The arguments of a call.
#[derive(Clone, Debug, Default)]
pub struct Args {
    pub positional: Vec<Val>,
    pub keywords: Vec<(Arc<str>, Val)>,
    /// Whether there were more that are not known (`*args`, `**kwargs`).
    pub open: bool,
}

impl Args {
    pub fn keyword(&self, name: &str) -> Option<&Val> {
        self.keywords.iter().rev().find(|(k, _)| &**k == name).map(|(_, v)| v)
    }

    /// The argument of a parameter, by name or by position.
    pub fn get(&self, index: usize, name: &str) -> Option<&Val> {
        self.keyword(name).or_else(|| self.positional.get(index))
    }
}

impl Val {
    pub fn new(kind: Kind) -> Self {
        Self { kind, trace: None }
    }

    pub fn none() -> Self {
        Self::new(Kind::None)
    }

    pub fn class(&self) -> Option<&Rc<crate::python::Class>> {
        match &self.kind {
            Kind::Class(class) => Some(class),
            _ => None,
        }
    }

    pub fn str(text: impl Into<Arc<str>>) -> Self {
        Self::new(Kind::Str(Text::Known(text.into())))
    }

    pub fn text(text: Text, trace: Trace) -> Self {
        Self { kind: Kind::Str(text), trace }
    }

    pub fn list(items: Vec<Val>) -> Self {
        Self::new(Kind::List(Rc::new(RefCell::new(items))))
    }

    pub fn tuple(items: Vec<Val>) -> Self {
        Self::new(Kind::Tuple(items.into()))
    }

    pub fn dict(entries: Vec<(Val, Val)>, open: bool) -> Self {
        Self::new(Kind::Dict(Rc::new(RefCell::new(Dict { entries, open }))))
    }

    pub fn unknown(why: Why, place: Option<Place>) -> Self {
        Self::new(Kind::Unknown(Rc::new(Unknown { why, place })))
    }

    pub fn reference(name: impl Into<Arc<str>>) -> Self {
        Self::new(Kind::Reference(name.into()))
    }

    /// One of `options`, flattened, without repetitions of known text.
    pub fn choice(options: Vec<Val>) -> Self {
        let mut flat: Vec<Val> = Vec::with_capacity(options.len());
        let mut add = |val: Val| {
            // What is beyond the limit is dropped below.
            if flat.len() > CHOICES_MAX {
                return;
            }
            let twice = flat.iter().any(|seen| match (&seen.kind, &val.kind) {
                (Kind::Unknown(a), Kind::Unknown(b)) => Rc::ptr_eq(a, b) || a.why == b.why,
                (Kind::List(a), Kind::List(b)) => Rc::ptr_eq(a, b),
                (Kind::Dict(a), Kind::Dict(b)) => Rc::ptr_eq(a, b),
                (Kind::Instance(a), Kind::Instance(b)) => Rc::ptr_eq(a, b),
                (Kind::Object(a), Kind::Object(b)) => Rc::ptr_eq(a, b),
                (Kind::Function(a), Kind::Function(b)) => Rc::ptr_eq(a, b),
                (Kind::External(a), Kind::External(b)) => a == b,
                _ => same(seen, &val),
            });
            if !twice {
                flat.push(val);
            }
        };
        for option in options {
            match &option.kind {
                Kind::Choice(inner) => inner.iter().cloned().for_each(&mut add),
                _ => add(option),
            }
        }
        if flat.len() > CHOICES_MAX {
            flat.truncate(CHOICES_MAX - 1);
            flat.push(Val::unknown(Why::Limit("alternatives"), None));
        }
        match flat.len() {
            0 => Val::none(),
            1 => flat.swap_remove(0),
            _ => Val::new(Kind::Choice(flat.into())),
        }
    }

    /// The alternatives: itself when there is but one.
    pub fn options(&self) -> Vec<Val> {
        match &self.kind {
            Kind::Choice(options) => options.to_vec(),
            _ => vec![self.clone()],
        }
    }

    /// Known text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str(text) | Kind::Path(text) => text.known(),
            _ => None,
        }
    }

    /// Text, known or with holes.
    pub fn as_text(&self) -> Option<&Text> {
        match &self.kind {
            Kind::Str(text) | Kind::Path(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self.kind {
            Kind::Int(n) => Some(n),
            Kind::Bool(b) => Some(i64::from(b)),
            _ => None,
        }
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    /// Whether it is true, where that is known.
    pub fn truth(&self) -> Option<bool> {
        match &self.kind {
            Kind::None => Some(false),
            Kind::Bool(b) => Some(*b),
            Kind::Int(n) => Some(*n != 0),
            Kind::Float(n) => Some(*n != 0.0),
            Kind::Str(Text::Known(text)) => Some(!text.is_empty()),
            Kind::Bytes(bytes) => Some(!bytes.is_empty()),
            Kind::Tuple(items) => Some(!items.is_empty()),
            Kind::List(items) => Some(!items.borrow().is_empty()),
            _ => None,
        }
    }

    /// The same value one step further, where it has a way to show.
    pub fn step(mut self, place: Place, how: How) -> Self {
        match &mut self.kind {
            Kind::Str(_) | Kind::Path(_) | Kind::Bytes(_) if self.trace.is_some() => {
                let from = vec![self.trace.take()];
                self.trace = Some(Rc::new(Step { place, how, from }));
            }
            Kind::Choice(options) => {
                let options: Vec<Val> = options.iter().map(|option| option.clone().step(place, how.clone())).collect();
                self.kind = Kind::Choice(options.into());
            }
            _ => {}
        }
        self
    }

    /// What a hole is called that this value fills.
    pub fn piece(&self) -> Piece {
        match &self.kind {
            Kind::Str(Text::Known(text)) | Kind::Path(Text::Known(text)) => Piece::Known(Arc::clone(text)),
            Kind::Int(n) => Piece::Known(n.to_string().into()),
            Kind::Float(n) => Piece::Known(n.to_string().into()),
            Kind::Bool(b) => Piece::Known(if *b { "True" } else { "False" }.into()),
            Kind::None => Piece::Known("None".into()),
            Kind::Reference(name) => Piece::Reference(Arc::clone(name)),
            Kind::Unknown(unknown) => Piece::Unknown(unknown.why.words().0.into()),
            Kind::Object(object) => Piece::Unknown(format!("`{}()`", object.callee).into()),
            Kind::External(name) => Piece::Unknown(format!("`{name}`").into()),
            _ => Piece::Unknown("an object".into()),
        }
    }

    /// As pieces of text.
    pub fn pieces(&self) -> Vec<Piece> {
        match &self.kind {
            Kind::Str(text) | Kind::Path(text) => text.pieces(),
            _ => vec![self.piece()],
        }
    }
}
