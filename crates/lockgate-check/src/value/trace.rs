//! The way a value went, from the literals it was made of, step by step.

use std::{rc::Rc, sync::Arc};

use hashbrown::HashSet;

use crate::source::Place;

/// Most steps that are shown of a way.
const STEPS_MAX: usize = 16;
/// Most steps that are looked through for where a way starts.
const LOOKED_MAX: usize = 4_096;

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
    fn walk(trace: &Trace, out: &mut Vec<Place>, seen: &mut HashSet<*const Step>, depth: usize) {
        let Some(step) = trace else { return };
        // Ways meet again: `x = x + x` has as many paths as it has steps squared and squared again.
        if depth > 200 || out.len() >= 32 || seen.len() > LOOKED_MAX || !seen.insert(Rc::as_ptr(step)) {
            return;
        }
        if step.from.is_empty() && !out.contains(&step.place) {
            out.push(step.place);
        }
        for from in &step.from {
            walk(from, out, seen, depth + 1);
        }
    }
    let mut out = Vec::new();
    walk(trace, &mut out, &mut HashSet::new(), 0);
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
