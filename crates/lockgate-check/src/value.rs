//! What an expression may be, and how it came to be so.
//!
//! A value is what the code makes of it without running it: known, one of several, a secret
//! that is only named, or unknown with the reason. Every text carries the way it went, from its
//! literals to here, so that a finding can show it step by step.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use hashbrown::HashMap;

use crate::source::Place;

/// Most alternatives that are kept apart; more of them become unknown.
pub const CHOICES_MAX: usize = 24;
/// Longest text that is made by joining; longer ones become unknown.
pub const TEXT_BYTES_MAX: usize = 256 << 10;
/// Most entries of a mapping that are kept apart.
const ENTRIES_MAX: usize = 2_048;
/// Most steps that are shown of a way.
pub const STEPS_MAX: usize = 16;

/// A value with the way it went.
#[derive(Clone, Debug)]
pub struct Val {
    pub kind: Kind,
    pub trace: Trace,
}

/// The last step of a way; each step knows those before it.
pub type Trace = Option<Rc<Step>>;

/// One step of a value's way through the code.
#[derive(Debug)]
pub struct Step {
    pub place: Place,
    pub how: How,
    pub from: Vec<Trace>,
}

/// What happened to a value at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    Literal,
    Assigned(Arc<str>),
    Joined,
    Changed(&'static str),
    Decoded(&'static str),
    Passed(Arc<str>),
    Returned(Arc<str>),
    Called(Arc<str>),
    Default(Arc<str>),
    Read(Arc<str>),
    Rendered,
}

impl How {
    /// The step in words.
    pub fn words(&self) -> String {
        match self {
            Self::Literal => "written here".to_owned(),
            Self::Assigned(name) => format!("assigned to `{name}`"),
            Self::Joined => "joined with other text".to_owned(),
            Self::Changed(how) => format!("changed by `{how}`"),
            Self::Decoded(how) => format!("decoded from {how}"),
            Self::Passed(name) => format!("passed as `{name}`"),
            Self::Returned(name) => format!("returned by `{name}`"),
            Self::Called(name) => format!("calls `{name}`"),
            Self::Default(name) => format!("default of `{name}`"),
            Self::Read(name) => format!("read from {name}"),
            Self::Rendered => "rendered by a template".to_owned(),
        }
    }
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
    Expression,
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
            Self::Runtime(name) => {
                (format!("`{name}` is known only when it runs"), "give it a default, or list it in `check.parameters`")
            }
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

/// Text with holes where it is not known.
#[derive(Clone, Debug)]
pub enum Text {
    Known(Arc<str>),
    Parts(Arc<[Piece]>),
}

#[derive(Clone, Debug)]
pub enum Piece {
    Known(Arc<str>),
    /// Something that is only named, such as a secret.
    Reference(Arc<str>),
    Unknown(Arc<str>),
}

/// Stands for a hole in flattened text.
pub const HOLE: char = '\u{FFFC}';
/// Stands for a hole that is filled by a reference.
pub const REFERENCE: char = '\u{FFFB}';

impl Text {
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Parts(_) => None,
        }
    }

    /// The text with [`HOLE`] and [`REFERENCE`] where it is not known.
    pub fn flat(&self) -> Arc<str> {
        match self {
            Self::Known(text) => Arc::clone(text),
            Self::Parts(parts) => {
                let mut flat = String::new();
                for part in parts.iter() {
                    match part {
                        Piece::Known(text) => flat.push_str(text),
                        Piece::Reference(_) => flat.push(REFERENCE),
                        Piece::Unknown(_) => flat.push(HOLE),
                    }
                }
                flat.into()
            }
        }
    }

    /// The names of what fills its holes.
    pub fn holes(&self) -> Vec<Arc<str>> {
        match self {
            Self::Known(_) => Vec::new(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Piece::Known(_) => None,
                    Piece::Reference(name) | Piece::Unknown(name) => Some(Arc::clone(name)),
                })
                .collect(),
        }
    }

    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Known(text) => vec![Piece::Known(Arc::clone(text))],
            Self::Parts(parts) => parts.to_vec(),
        }
    }

    pub fn of(pieces: Vec<Piece>) -> Self {
        let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match (&piece, out.last_mut()) {
                (Piece::Known(text), _) if text.is_empty() => {}
                (Piece::Known(text), Some(Piece::Known(last))) => *last = format!("{last}{text}").into(),
                _ => out.push(piece),
            }
        }
        match out.as_slice() {
            [] => Self::Known("".into()),
            [Piece::Known(text)] => Self::Known(Arc::clone(text)),
            _ => Self::Parts(out.into()),
        }
    }

    /// Text from its flat form; the holes keep the names of `names` in order.
    pub fn from_flat(flat: &str, names: &[Arc<str>]) -> Self {
        if !flat.contains([HOLE, REFERENCE]) {
            return Self::Known(flat.into());
        }
        let mut pieces = Vec::new();
        let mut names = names.iter();
        let mut text = String::new();
        for c in flat.chars() {
            if c == HOLE || c == REFERENCE {
                pieces.push(Piece::Known(std::mem::take(&mut text).into()));
                let name = names.next().cloned().unwrap_or_else(|| "?".into());
                pieces.push(if c == HOLE { Piece::Unknown(name) } else { Piece::Reference(name) });
            } else {
                text.push(c);
            }
        }
        pieces.push(Piece::Known(text.into()));
        Self::of(pieces)
    }

    /// Changes the known pieces, keeping the holes.
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Known(text) => Self::Known(change(text).into()),
            Self::Parts(parts) => Self::of(
                parts
                    .iter()
                    .map(|part| match part {
                        Piece::Known(text) => Piece::Known(change(text).into()),
                        other => other.clone(),
                    })
                    .collect(),
            ),
        }
    }
}

impl Val {
    pub fn new(kind: Kind) -> Self {
        Self { kind, trace: None }
    }

    pub fn none() -> Self {
        Self::new(Kind::None)
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

/// A step that joins several ways.
pub fn joined(place: Place, how: How, from: impl IntoIterator<Item = Trace>) -> Trace {
    let from: Vec<Trace> = from.into_iter().flatten().map(Some).collect();
    if from.is_empty() { None } else { Some(Rc::new(Step { place, how, from })) }
}

/// The first step of a way.
pub fn literal(place: Place) -> Trace {
    Some(Rc::new(Step { place, how: How::Literal, from: Vec::new() }))
}

/// The steps of a way from its literals on, at most [`STEPS_MAX`].
pub fn steps(trace: &Trace) -> Vec<(Place, How)> {
    fn walk(trace: &Trace, out: &mut Vec<(Place, How)>, seen: &mut Vec<*const Step>, depth: usize) {
        let Some(step) = trace else { return };
        if depth > 200 || out.len() > 200 || seen.contains(&Rc::as_ptr(step)) {
            return;
        }
        seen.push(Rc::as_ptr(step));
        for from in &step.from {
            walk(from, out, seen, depth + 1);
        }
        out.push((step.place, step.how.clone()));
    }
    let mut all = Vec::new();
    walk(trace, &mut all, &mut Vec::new(), 0);
    all.dedup();
    if all.len() > STEPS_MAX {
        let tail = all.split_off(all.len() - STEPS_MAX / 2);
        all.truncate(STEPS_MAX / 2);
        all.extend(tail);
    }
    all
}

/// The places of the literals that a way starts from, at most 32.
pub fn literals(trace: &Trace) -> Vec<Place> {
    fn walk(trace: &Trace, out: &mut Vec<Place>, depth: usize) {
        let Some(step) = trace else { return };
        if depth > 200 || out.len() >= 32 {
            return;
        }
        if step.from.is_empty() && !out.contains(&step.place) {
            out.push(step.place);
        }
        for from in &step.from {
            walk(from, out, depth + 1);
        }
    }
    let mut out = Vec::new();
    walk(trace, &mut out, 0);
    out
}

/// A long way is dropped step by step, so that its end does not overflow the stack.
impl Drop for Step {
    fn drop(&mut self) {
        let mut waiting: Vec<Trace> = std::mem::take(&mut self.from);
        while let Some(trace) = waiting.pop() {
            if let Some(step) = trace
                && let Ok(mut step) = Rc::try_unwrap(step)
            {
                waiting.append(&mut step.from);
            }
        }
    }
}
