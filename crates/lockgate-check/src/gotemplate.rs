//! Go templates as Helm uses them, rendered with what is known.
//!
//! A value that nobody knows before the chart is installed leaves a hole; a condition on it takes
//! the side that [`Context::unknown`] says, so that a chart is rendered once for each. What an action prints keeps the way of the values that it was made of,
//! so that a manifest can be shown with the line of `values.yaml` behind it. The language is that
//! of Go's package `text/template`; the functions are those of Helm and Sprig that make texts.

mod functions;
mod parse;
mod print;

use std::{ops::Range, rc::Rc, sync::Arc};

use hashbrown::HashMap;

pub use functions::{copied, merged};
use parse::{Command, Expr, Pipe};
pub use parse::{Node, Template, parse};

use crate::{
    source::Place,
    value::{How, Kind, Text, Trace, Val, Why, joined},
};

/// Deepest nesting of blocks, parentheses and templates that include each other.
const DEPTH_MAX: usize = 40;
/// Most steps of one rendering.
const STEPS_MAX: u32 = 50_000;
/// Largest text that is rendered.
const RENDERED_BYTES_MAX: usize = 512 << 10;
/// What a map or a list counts for that a function is given.
const CONTAINER_BYTES: usize = 4 << 10;
/// Most rounds of one `range`.
const ROUNDS_MAX: usize = 256;

/// A rendered text and where its pieces come from.
#[derive(Debug, Default)]
pub struct Rendered {
    pub text: String,
    pub pieces: Vec<Piece>,
    /// Whether a condition was on something that nobody knows.
    pub was_open: bool,
    /// Whether some of a list's items were left out.
    pub is_cut: bool,
}

/// A stretch of the rendered text.
#[derive(Clone, Debug)]
pub struct Piece {
    pub at: Range<usize>,
    /// Its text in the template, or the action that printed it.
    pub source: Range<usize>,
    /// The way of what an action printed; text of the template has none.
    pub printed: Option<Trace>,
}

impl Rendered {
    /// The byte of the template behind a byte of the rendered text.
    pub fn source_of(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.at.end <= at);
        let Some(piece) = self.pieces.get(index) else {
            return self.pieces.last().map_or(0, |piece| piece.source.end);
        };
        if piece.printed.is_some() {
            piece.source.start
        } else {
            piece.source.start + at.saturating_sub(piece.at.start)
        }
    }

    /// The pieces that a stretch was made of.
    pub fn within(&self, at: Range<usize>) -> impl Iterator<Item = &Piece> {
        let first = self.pieces.partition_point(|piece| piece.at.end <= at.start);
        self.pieces.get(first..).unwrap_or_default().iter().take_while(move |piece| piece.at.start < at.end)
    }
}

/// What templates ask for.
pub struct Context<'c> {
    /// `.` at the start: `Values`, `Release`, `Chart` and their kin.
    pub root: Val,
    /// What `define` named, by name.
    pub named: &'c HashMap<String, (u32, Rc<Vec<Node>>)>,
    /// `.Files.Get`.
    pub file: &'c dyn Fn(&str) -> Option<String>,
    /// The side that conditions take on what nobody knows.
    pub unknown: Side,
}

/// A side of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    First,
    Second,
}

/// Why a template was not rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(pub &'static str);

/// Renders the template of a file.
pub fn render(template: &Template, file: u32, context: &Context<'_>) -> Result<Rendered, Stopped> {
    let mut engine = Engine {
        context,
        file,
        steps: 0,
        vars: vec![("$".into(), context.root.clone())],
        loops: Loop::On,
        was_open: false,
        is_cut: false,
    };
    let mut out = Rendered::default();
    engine.nodes(&template.nodes, &context.root, &mut Out::Mapped(&mut out), 0)?;
    Ok(Rendered { was_open: engine.was_open, is_cut: engine.is_cut, ..out })
}

/// Where text goes: with its places, or into a value.
enum Out<'o> {
    Mapped(&'o mut Rendered),
    Plain { text: &'o mut Vec<crate::value::Piece>, traces: &'o mut Vec<Trace>, bytes: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loop {
    On,
    Break,
    Continue,
}

struct Engine<'e, 'c> {
    context: &'e Context<'c>,
    file: u32,
    steps: u32,
    vars: Vec<(Arc<str>, Val)>,
    loops: Loop,
    was_open: bool,
    is_cut: bool,
}

impl Engine<'_, '_> {
    fn step(&mut self) -> Result<(), Stopped> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(Stopped("it takes more than 50,000 steps to render")) } else { Ok(()) }
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Val, out: &mut Out<'_>, depth: usize) -> Result<(), Stopped> {
        if depth > DEPTH_MAX {
            return Err(Stopped("it is nested or includes itself more than 40 levels deep"));
        }
        let names = self.vars.len();
        for node in nodes {
            self.step()?;
            if self.loops != Loop::On {
                break;
            }
            match node {
                Node::Text(at, text) => out.text(text, at.clone())?,
                Node::Action(pipe, at) => {
                    let value = self.pipe(pipe, dot, depth)?;
                    if pipe.names.is_empty() {
                        out.value(&value, at.clone(), self.place(at))?;
                    }
                }
                Node::If { branches, otherwise } => {
                    let mut done = false;
                    for (pipe, body) in branches {
                        let value = self.pipe(pipe, dot, depth)?;
                        if self.holds(&value) {
                            self.nodes(body, dot, out, depth + 1)?;
                            done = true;
                            break;
                        }
                    }
                    if !done {
                        self.nodes(otherwise, dot, out, depth + 1)?;
                    }
                }
                Node::With { pipe, body, otherwise } => {
                    let value = self.pipe(pipe, dot, depth)?;
                    if self.holds(&value) {
                        self.nodes(body, &value, out, depth + 1)?;
                    } else {
                        self.nodes(otherwise, dot, out, depth + 1)?;
                    }
                }
                Node::Range { pipe, body, otherwise } => self.range(pipe, body, otherwise, dot, out, depth)?,
                Node::Template { name, argument, at } => {
                    let argument = match argument {
                        Some(pipe) => self.pipe(pipe, dot, depth)?,
                        None => Val::none(),
                    };
                    let value = self.include(name, &argument, depth)?;
                    out.value(&value, at.clone(), self.place(at))?;
                }
                Node::Break => self.loops = Loop::Break,
                Node::Continue => self.loops = Loop::Continue,
            }
        }
        self.vars.truncate(names);
        Ok(())
    }

    fn place(&self, at: &Range<usize>) -> Place {
        Place::new(self.file, at.start, at.end)
    }

    /// Whether a condition takes its first side.
    fn holds(&mut self, value: &Val) -> bool {
        if value.is_unknown() {
            self.was_open = true;
            return self.context.unknown == Side::First;
        }
        is_true(value)
    }

    /// What is touched costs what looking at it does.
    fn spend(&mut self, items: usize) {
        self.steps = self.steps.saturating_add(u32::try_from(items / 16).unwrap_or(STEPS_MAX));
    }

    fn range(
        &mut self,
        pipe: &Pipe,
        body: &[Node],
        otherwise: &[Node],
        dot: &Val,
        out: &mut Out<'_>,
        depth: usize,
    ) -> Result<(), Stopped> {
        let names = self.vars.len();
        let bare = Pipe { names: Vec::new(), assigns: false, commands: pipe.commands.clone() };
        let over = self.pipe(&bare, dot, depth)?;
        let rounds: Vec<(Val, Val)> = match &over.kind {
            Kind::List(items) => {
                let items = items.borrow();
                self.is_cut |= items.len() > ROUNDS_MAX;
                let first = items.iter().take(ROUNDS_MAX).enumerate();
                first.map(|(i, v)| (Val::new(Kind::Int(i as i64)), v.clone())).collect()
            }
            // Go ranges over the keys of a map in their order.
            Kind::Dict(dict) => {
                let mut entries = dict.borrow().entries.clone();
                self.is_cut |= entries.len() > ROUNDS_MAX;
                self.spend(entries.len());
                entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
                entries
            }
            Kind::Int(n) => {
                (0..*n).take(ROUNDS_MAX).map(|i| (Val::new(Kind::Int(i)), Val::new(Kind::Int(i)))).collect()
            }
            Kind::Unknown(_) => vec![(over.clone(), over.clone())],
            _ => Vec::new(),
        };
        if rounds.is_empty() {
            return self.nodes(otherwise, dot, out, depth + 1);
        }
        for (key, value) in rounds.into_iter().take(ROUNDS_MAX) {
            self.vars.truncate(names);
            match pipe.names.as_slice() {
                [one] => self.vars.push((Arc::clone(one), value.clone())),
                [first, second] => {
                    self.vars.push((Arc::clone(first), key));
                    self.vars.push((Arc::clone(second), value.clone()));
                }
                _ => {}
            }
            self.nodes(body, &value, out, depth + 1)?;
            match std::mem::replace(&mut self.loops, Loop::On) {
                Loop::Break => break,
                Loop::On | Loop::Continue => {}
            }
        }
        self.vars.truncate(names);
        Ok(())
    }

    /// What a named template prints for a value.
    fn include(&mut self, name: &str, dot: &Val, depth: usize) -> Result<Val, Stopped> {
        let Some((file, nodes)) = self.context.named.get(name).map(|(file, nodes)| (*file, Rc::clone(nodes))) else {
            return Ok(unknown(&format!("the template `{name}`")));
        };
        let mut text = Vec::new();
        let mut traces = Vec::new();
        let vars = std::mem::replace(&mut self.vars, vec![("$".into(), dot.clone())]);
        let here = std::mem::replace(&mut self.file, file);
        let mut out = Out::Plain { text: &mut text, traces: &mut traces, bytes: 0 };
        let done = self.nodes(&nodes, dot, &mut out, depth + 1);
        self.vars = vars;
        self.file = here;
        done?;
        Ok(Val::text(Text::of(text), joined(Place::new(file, 0, 0), How::Rendered, traces)))
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Val, depth: usize) -> Result<Val, Stopped> {
        if depth > DEPTH_MAX {
            return Err(Stopped("it is nested or includes itself more than 40 levels deep"));
        }
        let mut value: Option<Val> = None;
        for command in pipe.commands.iter() {
            self.step()?;
            value = Some(self.command(command, value, dot, depth)?);
        }
        let value = value.unwrap_or_else(Val::none);
        if let Some(name) = pipe.names.last() {
            let known = self.vars.iter_mut().rev().find(|(n, _)| n == name).filter(|_| pipe.assigns);
            match known {
                Some((_, known)) => *known = value.clone(),
                None => self.vars.push((Arc::clone(name), value.clone())),
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, piped: Option<Val>, dot: &Val, depth: usize) -> Result<Val, Stopped> {
        let Some((first, rest)) = command.split_first() else { return Ok(piped.unwrap_or_else(Val::none)) };
        if let Expr::Function(name) = first {
            let mut args = Vec::with_capacity(rest.len() + 1);
            for arg in rest {
                args.push(self.expr(arg, dot, depth)?);
            }
            args.extend(piped);
            return self.call(name, args, depth);
        }
        if rest.is_empty() && piped.is_none() {
            return self.expr(first, dot, depth);
        }
        // A method: those of `.Files` read the chart's files, the others are the cluster's.
        if let Expr::Field(path) | Expr::Variable(_, path) = first
            && let [.., files, method] = path.as_slice()
            && &**files == "Files"
            && &**method == "Get"
            && let Some(arg) = rest.first()
        {
            let name = self.expr(arg, dot, depth)?;
            let text = name.as_str().and_then(|name| (self.context.file)(name));
            return Ok(text.map_or_else(|| unknown("a file of the chart"), Val::str));
        }
        Ok(unknown("what the cluster has"))
    }

    fn call(&mut self, name: &str, args: Vec<Val>, depth: usize) -> Result<Val, Stopped> {
        match (name, args.as_slice()) {
            ("include", [name, rest @ ..]) => match name.as_str() {
                Some(name) => {
                    let name = name.to_owned();
                    let argument = rest.first().cloned().unwrap_or_else(Val::none);
                    self.include(&name, &argument, depth)
                }
                None => Ok(unknown("a template")),
            },
            ("tpl", [text, inner, ..]) => {
                let Some(known) = text.as_str().filter(|text| text.contains("{{")) else { return Ok(text.clone()) };
                self.spend(known.len());
                let Ok(template) = parse(known) else { return Ok(unknown("a template")) };
                let mut pieces = Vec::new();
                let mut traces = vec![text.trace.clone()];
                let vars = std::mem::replace(&mut self.vars, vec![("$".into(), inner.clone())]);
                let mut out = Out::Plain { text: &mut pieces, traces: &mut traces, bytes: 0 };
                let done = self.nodes(&template.nodes, inner, &mut out, depth + 1);
                self.vars = vars;
                done?;
                Ok(Val::text(Text::of(pieces), joined(Place::new(self.file, 0, 0), How::Rendered, traces)))
            }
            _ => {
                // Long texts cost what their bytes do.
                let is_container = |arg: &&Val| matches!(arg.kind, Kind::Dict(_) | Kind::List(_));
                let containers = args.iter().filter(is_container).count();
                self.spend(args.iter().map(size).sum());
                let value = functions::call(name, &args, self.file);
                let bytes = value.as_text().map_or(0, |text| text.flat().len()) + containers * CONTAINER_BYTES;
                self.steps += u32::try_from(bytes / 256).unwrap_or(STEPS_MAX);
                Ok(value)
            }
        }
    }

    fn expr(&mut self, expr: &Expr, dot: &Val, depth: usize) -> Result<Val, Stopped> {
        self.step()?;
        Ok(match expr {
            Expr::Dot => dot.clone(),
            Expr::Nil => Val::none(),
            Expr::Literal(kind, at) => {
                let trace = if matches!(kind, Kind::Str(_)) { crate::value::literal(self.place(at)) } else { None };
                Val { kind: kind.clone(), trace }
            }
            Expr::Field(path) => {
                self.spend(size(dot) * path.len());
                fields(dot, path)
            }
            Expr::Variable(name, path) => {
                let value = self.vars.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
                fields(&value.unwrap_or_else(|| unknown(&format!("`${name}`"))), path)
            }
            Expr::Paren(pipe, path) => {
                let value = self.pipe(pipe, dot, depth + 1)?;
                fields(&value, path)
            }
            Expr::Function(name) => self.call(name, Vec::new(), depth)?,
        })
    }
}

impl Out<'_> {
    fn text(&mut self, text: &str, at: Range<usize>) -> Result<(), Stopped> {
        match self {
            Self::Mapped(out) => {
                let start = out.text.len();
                out.text.push_str(text);
                if !text.is_empty() {
                    out.pieces.push(Piece { at: start..out.text.len(), source: at, printed: None });
                }
                limit(out.text.len())
            }
            Self::Plain { text: pieces, bytes, .. } => {
                pieces.push(crate::value::Piece::Known(text.into()));
                *bytes += text.len();
                limit(*bytes)
            }
        }
    }

    fn value(&mut self, value: &Val, at: Range<usize>, place: Place) -> Result<(), Stopped> {
        let printed = functions::printed(value);
        let trace = functions::traces(value);
        match self {
            Self::Mapped(out) => {
                let start = out.text.len();
                out.text.push_str(&printed.flat());
                let trace = joined(place, How::Rendered, trace);
                if out.text.len() > start {
                    out.pieces.push(Piece { at: start..out.text.len(), source: at, printed: Some(trace) });
                }
                limit(out.text.len())
            }
            Self::Plain { text, traces, bytes } => {
                *bytes += printed.flat().len();
                text.extend(printed.pieces());
                if traces.len() < 256 {
                    traces.extend(trace);
                }
                limit(*bytes)
            }
        }
    }
}

fn limit(bytes: usize) -> Result<(), Stopped> {
    if bytes > RENDERED_BYTES_MAX { Err(Stopped("it renders to more than 512 KiB")) } else { Ok(()) }
}

pub fn unknown(what: &str) -> Val {
    Val::unknown(Why::Runtime(what.into()), None)
}

/// Whether a condition on a value takes its first side.
fn is_true(value: &Val) -> bool {
    match &value.kind {
        Kind::Dict(dict) => !dict.borrow().entries.is_empty() || dict.borrow().open,
        _ => value.truth().unwrap_or(true),
    }
}

/// `.a.b.c`; what is missing is nothing, as in Helm.
fn fields(value: &Val, path: &[Arc<str>]) -> Val {
    let mut value = value.clone();
    for name in path {
        value = match &value.kind {
            Kind::Dict(dict) => {
                let dict = dict.borrow();
                match dict.get(name) {
                    Some(inner) => inner.clone(),
                    None if dict.open => unknown(&format!("`.{}`", path.join("."))),
                    None => Val::none(),
                }
            }
            // A text that a function made may be anything once it is read.
            Kind::Unknown(_) | Kind::Str(_) => return unknown(&format!("`.{}`", path.join("."))),
            _ => return Val::none(),
        };
    }
    value
}

/// How many items a list or a map has.
fn size(value: &Val) -> usize {
    match &value.kind {
        Kind::List(items) => items.borrow().len(),
        Kind::Dict(dict) => dict.borrow().entries.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
