//! Expressions.

use std::{rc::Rc, sync::Arc};

use super::{
    Interpreter, ROUNDS_MAX, Scope,
    syntax::{Call, Cmp, Collection, Comprehension, Expr, Logic, Node, Op, Part, Span},
};
use crate::value::{Args, CHOICES_MAX, How, Kind, Piece, TEXT_BYTES_MAX, Text, Val, Why, joined, literal, same};

impl Interpreter<'_> {
    pub(super) fn eval(&mut self, expr: &Expr) -> Val {
        if !self.step() {
            return self.unknown(Why::Limit("400,000 steps"), expr.at);
        }
        let at = expr.at;
        match &expr.node {
            Node::Str(text) => Val::text(Text::Known(Arc::clone(text)), literal(self.place(at))),
            Node::Bytes(bytes) => Val { kind: Kind::Bytes(Arc::clone(bytes)), trace: literal(self.place(at)) },
            Node::Int(n) => Val::new(Kind::Int(*n)),
            Node::Large(digits) => self.large(digits, 10, at),
            Node::Float(n) => Val::new(Kind::Float(*n)),
            Node::Bool(b) => Val::new(Kind::Bool(*b)),
            Node::None => Val::none(),
            Node::Name(name) => self.lookup(name, at),
            Node::Attribute(object, name) => {
                let object = self.eval(object);
                self.attribute(&object, name, at)
            }
            Node::Index(object, index) => {
                let object = self.eval(object);
                if let Node::Slice(lower, upper, step) = &index.node {
                    let mut bound = |e: &Option<Box<Expr>>| e.as_ref().map(|e| self.eval(e));
                    let bounds = [bound(lower), bound(upper), bound(step)];
                    return self.slice(&object, &bounds, at);
                }
                let index = self.eval(index);
                self.index(&object, &index, at)
            }
            Node::Slice(..) | Node::Other => self.unknown(Why::Expression, at),
            Node::Call(call) => self.call_expr(call, at),
            Node::Format(parts) => self.format(parts, at),
            Node::Binary(left, op, right) => {
                let left = self.eval(left);
                let right = self.eval(right);
                self.binary(&left, *op, &right, at)
            }
            Node::Not(inner) => {
                let val = self.eval(inner);
                val.truth().map_or_else(|| self.unknown(Why::Expression, at), |truth| Val::new(Kind::Bool(!truth)))
            }
            Node::Negate(inner) => match self.eval(inner).kind {
                Kind::Int(n) => {
                    n.checked_neg().map_or_else(|| self.unknown(Why::Expression, at), |n| Val::new(Kind::Int(n)))
                }
                Kind::Float(n) => Val::new(Kind::Float(-n)),
                _ => self.unknown(Why::Expression, at),
            },
            Node::Unary(inner) => {
                self.eval(inner);
                self.unknown(Why::Expression, at)
            }
            Node::Compare(left, rest) => self.compare(left, rest, at),
            Node::Logic(values, logic) => {
                let val = self.logic(values, *logic);
                self.collector.stands_in(&val, self.place(at));
                val
            }
            Node::Conditional(test, body, orelse) => {
                self.eval(test);
                let (body, orelse) = (self.eval(body), self.eval(orelse));
                let val = Val::choice(vec![body, orelse]);
                self.collector.stands_in(&val, self.place(at));
                val
            }
            Node::List(items) | Node::Set(items) => Val::list(self.all(items)),
            Node::Tuple(items) => Val::tuple(self.all(items)),
            Node::Dict(items) => self.dict(items, at),
            Node::Starred(inner) | Node::Await(inner) => self.eval(inner),
            Node::Comprehension(c) => self.comprehension(c, at),
            Node::Lambda(function) => self.lambda(function),
            Node::Walrus(target, value) => {
                let val = self.eval(value);
                self.assign(target, val.clone());
                val
            }
            Node::Yield(value) => {
                let val = value.as_ref().map_or_else(Val::none, |value| self.eval(value));
                if let Some(frame) = self.frame() {
                    frame.yields.push(val);
                }
                Val::none()
            }
        }
    }

    /// Items of a display, with `*` taken apart.
    fn all(&mut self, items: &[Expr]) -> Vec<Val> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let val = self.eval(item);
            match &item.node {
                Node::Starred(_) => match self.items(&val) {
                    Some(items) => out.extend(items),
                    None => out.push(val),
                },
                _ => out.push(val),
            }
        }
        out
    }

    fn dict(&mut self, items: &[(Option<Expr>, Expr)], at: Span) -> Val {
        let mut dict = crate::value::Dict::default();
        for (key, value) in items {
            match key {
                Some(key) => {
                    let key_val = self.eval(key);
                    let val = self.eval(value);
                    if let Some(name) = key_val.as_str() {
                        self.collector.assigned(name, &val, self.place(value.at));
                    }
                    dict.set(key_val, val);
                }
                None => match self.eval(value).kind {
                    Kind::Dict(more) => {
                        let more = more.borrow();
                        for (k, v) in &more.entries {
                            dict.set(k.clone(), v.clone());
                        }
                        dict.open |= more.open;
                    }
                    _ => dict.open = true,
                },
            }
        }
        let pairs = self.place(at);
        self.collector.dictionary(&dict, pairs);
        Val::new(Kind::Dict(Rc::new(std::cell::RefCell::new(dict))))
    }

    fn call_expr(&mut self, call: &Call, at: Span) -> Val {
        let function = self.eval(&call.function);
        let mut args = Args::default();
        for arg in &call.positional {
            let val = self.eval(arg);
            match &arg.node {
                Node::Starred(_) => match self.items(&val) {
                    Some(items) => args.positional.extend(items),
                    None => args.open = true,
                },
                _ => args.positional.push(val),
            }
        }
        for (name, value) in &call.keywords {
            // What a field may hold, for those who read its description.
            let is_example = name.as_deref().is_some_and(|name| matches!(name, "examples" | "example"));
            let captions = self.collector.captions;
            self.collector.captions |= is_example;
            let val = self.eval(value);
            self.collector.captions = captions;
            if let Some(name) = name {
                args.keywords.push((Arc::clone(name), val));
            } else {
                let mut known = false;
                for option in val.options() {
                    if let Kind::Dict(dict) = &option.kind {
                        known = true;
                        let dict = dict.borrow();
                        args.open |= dict.open;
                        for (key, val) in &dict.entries {
                            if let Some(key) = key.as_str() {
                                args.keywords.push((key.into(), val.clone()));
                            }
                        }
                    }
                }
                args.open |= !known;
            }
        }
        self.call(&function, args, at)
    }

    fn format(&mut self, parts: &[Part], at: Span) -> Val {
        // Each value that may be one of several multiplies the texts.
        let mut texts: Vec<(Vec<Piece>, Vec<crate::value::Trace>)> = vec![(Vec::new(), Vec::new())];
        for part in parts {
            match part {
                Part::Literal(span, text) => {
                    let trace = literal(self.place(*span));
                    for (pieces, traces) in &mut texts {
                        pieces.push(Piece::Known(Arc::clone(text)));
                        traces.push(trace.clone());
                    }
                }
                Part::Value(value, conversion, format) => {
                    let val = self.eval(value);
                    let options = val.options();
                    let mut more = Vec::with_capacity(texts.len() * options.len());
                    for (pieces, traces) in texts {
                        for option in options.iter().take((CHOICES_MAX / options.len().max(1)).max(1) * options.len()) {
                            let mut pieces = pieces.clone();
                            let mut traces = traces.clone();
                            pieces.extend(super::strings::formatted(option, *conversion, format));
                            traces.push(option.trace.clone());
                            more.push((pieces, traces));
                        }
                    }
                    more.truncate(CHOICES_MAX);
                    texts = more;
                }
            }
        }
        let place = self.place(at);
        let options = texts
            .into_iter()
            .map(|(pieces, traces)| self.text(pieces, joined(place, How::Joined, traces), at))
            .collect();
        Val::choice(options)
    }

    /// A text of bounded length.
    pub(super) fn text(&mut self, pieces: Vec<Piece>, trace: crate::value::Trace, at: Span) -> Val {
        let size: usize = pieces.iter().map(|piece| if let Piece::Known(text) = piece { text.len() } else { 3 }).sum();
        // Long texts cost what their bytes do.
        self.steps += size as u64 / 256;
        if size > TEXT_BYTES_MAX || pieces.len() > 4096 {
            return self.unknown(Why::Limit("256 KiB of text"), at);
        }
        Val::text(Text::of(pieces), trace)
    }

    pub(super) fn binary(&mut self, left: &Val, op: Op, right: &Val, at: Span) -> Val {
        let (lefts, rights) = (left.options(), right.options());
        if lefts.len() * rights.len() == 1 {
            return self.binary_one(left, op, right, at);
        }
        let mut out = Vec::new();
        for left in &lefts {
            for right in &rights {
                if out.len() < CHOICES_MAX {
                    out.push(self.binary_one(left, op, right, at));
                }
            }
        }
        Val::choice(out)
    }

    fn binary_one(&mut self, left: &Val, op: Op, right: &Val, at: Span) -> Val {
        let place = self.place(at);
        let is_text = |val: &Val| matches!(val.kind, Kind::Str(_));
        match (op, &left.kind, &right.kind) {
            (Op::Add, Kind::Int(a), Kind::Int(b)) => self.number(a.checked_add(*b), at),
            (Op::Subtract, Kind::Int(a), Kind::Int(b)) => self.number(a.checked_sub(*b), at),
            (Op::Multiply, Kind::Int(a), Kind::Int(b)) => self.number(a.checked_mul(*b), at),
            (Op::FloorDivide, Kind::Int(a), Kind::Int(b)) => self.number(a.checked_div_euclid(*b), at),
            (Op::Modulo, Kind::Int(a), Kind::Int(b)) => self.number(a.checked_rem_euclid(*b), at),
            (Op::Xor, Kind::Int(a), Kind::Int(b)) => Val::new(Kind::Int(a ^ b)),
            (Op::And, Kind::Int(a), Kind::Int(b)) => Val::new(Kind::Int(a & b)),
            (Op::Or, Kind::Int(a), Kind::Int(b)) => Val::new(Kind::Int(a | b)),
            (Op::ShiftLeft, Kind::Int(a), Kind::Int(b)) if (0..48).contains(b) => {
                self.number(a.checked_shl(*b as u32), at)
            }
            (Op::ShiftRight, Kind::Int(a), Kind::Int(b)) if (0..63).contains(b) => Val::new(Kind::Int(a >> b)),
            (Op::Power, Kind::Int(a), Kind::Int(b)) => {
                self.number(u32::try_from(*b).ok().and_then(|b| a.checked_pow(b)), at)
            }
            (Op::Add, Kind::Bytes(a), Kind::Bytes(b)) if a.len() + b.len() < TEXT_BYTES_MAX => Val {
                kind: Kind::Bytes([&a[..], &b[..]].concat().into()),
                trace: joined(place, How::Joined, [left.trace.clone(), right.trace.clone()]),
            },
            (Op::Add, Kind::List(a), Kind::List(b)) => {
                let both: Vec<Val> = a.borrow().iter().chain(b.borrow().iter()).take(4096).cloned().collect();
                Val::list(both)
            }
            (Op::Add, Kind::Tuple(a), Kind::Tuple(b)) => {
                Val::tuple(a.iter().chain(b.iter()).take(4096).cloned().collect())
            }
            (Op::Or, Kind::Dict(a), Kind::Dict(b)) => {
                let (a, b) = (a.borrow(), b.borrow());
                let mut dict = crate::value::Dict { entries: a.entries.clone(), open: a.open || b.open };
                for (k, v) in &b.entries {
                    dict.set(k.clone(), v.clone());
                }
                Val::dict(dict.entries, dict.open)
            }
            (Op::Add, ..) if is_text(left) || is_text(right) => {
                let pieces = [left.pieces(), right.pieces()].concat();
                self.text(pieces, joined(place, How::Joined, [left.trace.clone(), right.trace.clone()]), at)
            }
            (Op::Modulo, Kind::Str(format), _) => {
                let format = format.clone();
                self.percent(&format, left, right, at)
            }
            (Op::Modulo, Kind::Bytes(_), _) => self.unknown(Why::Expression, at),
            (Op::Multiply, Kind::Str(text), Kind::Int(n)) | (Op::Multiply, Kind::Int(n), Kind::Str(text)) => {
                let n = usize::try_from(*n).unwrap_or(0);
                match text.known() {
                    Some(text) if text.len().saturating_mul(n) <= TEXT_BYTES_MAX => Val::text(
                        Text::Known(text.repeat(n).into()),
                        joined(place, How::Joined, [left.trace.clone(), right.trace.clone()]),
                    ),
                    _ => self.unknown(Why::Limit("256 KiB of text"), at),
                }
            }
            (Op::Multiply, Kind::List(items), Kind::Int(n)) if (0..=256).contains(n) && items.borrow().len() <= 16 => {
                let items = items.borrow();
                Val::list(items.iter().cloned().cycle().take(items.len() * *n as usize).collect())
            }
            // `path / "name"`.
            (Op::Divide, Kind::Path(_), _) | (Op::Divide, _, Kind::Path(_)) => {
                self.path_join(&[left.clone(), right.clone()], at)
            }
            (Op::Divide, Kind::Object(_) | Kind::Instance(_) | Kind::External(_), Kind::Str(_)) => {
                self.object_join(left, right, at)
            }
            (Op::ShiftRight | Op::ShiftLeft, ..) => {
                self.depends(left, op, right);
                right.clone()
            }
            _ => {
                // What is not followed keeps the name of its reference: `secret + 1` is still one.
                for side in [left, right] {
                    if let Kind::Reference(_) = side.kind {
                        return side.clone();
                    }
                }
                self.unknown(Why::Expression, at)
            }
        }
    }

    fn number(&self, n: Option<i64>, at: Span) -> Val {
        n.map_or_else(|| self.unknown(Why::Limit("64-bit numbers"), at), |n| Val::new(Kind::Int(n)))
    }

    fn compare(&mut self, left: &Expr, rest: &[(Cmp, Expr)], at: Span) -> Val {
        let left_val = self.eval(left);
        let mut truth = Some(true);
        let mut previous = left_val;
        for (cmp, right) in rest {
            let val = self.eval(right);
            let place = self.place(at);
            self.collector.compared(name_of(left), &previous, name_of(right), &val, place);
            let holds = match cmp {
                Cmp::Equal | Cmp::NotEqual => match (previous.piece(), val.piece()) {
                    (Piece::Known(_), Piece::Known(_)) => Some(same(&previous, &val) == (*cmp == Cmp::Equal)),
                    _ => None,
                },
                Cmp::In | Cmp::NotIn => self.contains(&val, &previous).map(|yes| yes == (*cmp == Cmp::In)),
                Cmp::Other => None,
            };
            truth = match (truth, holds) {
                (Some(a), Some(b)) => Some(a && b),
                _ => None,
            };
            previous = val;
        }
        truth.map_or_else(|| self.unknown(Why::Expression, at), |truth| Val::new(Kind::Bool(truth)))
    }

    fn logic(&mut self, values: &[Expr], logic: Logic) -> Val {
        let mut options = Vec::with_capacity(values.len());
        for (i, value) in values.iter().enumerate() {
            let val = self.eval(value);
            let is_last = i + 1 == values.len();
            match (logic, val.truth()) {
                // `x or default`: what is false for certain is not the value, what is true ends it.
                (Logic::Or, Some(false)) | (Logic::And, Some(true)) if !is_last => {}
                (Logic::Or, Some(true)) if !matches!(val.kind, Kind::Str(_)) => {
                    options.push(val);
                    break;
                }
                _ => options.push(val),
            }
        }
        Val::choice(options)
    }

    fn comprehension(&mut self, c: &Comprehension, at: Span) -> Val {
        let scope = Scope::new(self.frames.last().map(|frame| Rc::clone(&frame.scope)));
        let Some(outer) = self.frame().map(|frame| std::mem::replace(&mut frame.scope, scope)) else {
            return self.unknown(Why::Expression, at);
        };
        let mut keys = Vec::new();
        let mut out = Vec::new();
        let complete = self.generate(c, 0, &mut keys, &mut out);
        if let Some(frame) = self.frame() {
            frame.scope = outer;
        }
        match c.kind {
            Collection::Dict => Val::dict(keys.into_iter().zip(out).collect(), !complete),
            _ if complete || !out.is_empty() => Val::list(out),
            _ => self.unknown(Why::Expression, at),
        }
    }

    /// Runs the generators from `depth` on; false when something iterated over is not known.
    fn generate(&mut self, c: &Comprehension, depth: usize, keys: &mut Vec<Val>, out: &mut Vec<Val>) -> bool {
        let Some((target, iter, ifs)) = c.generators.get(depth) else {
            if out.len() < 4096 {
                if let Some(key) = &c.key {
                    keys.push(self.eval(key));
                }
                let val = self.eval(&c.element);
                if let (Some(name), Collection::Dict) = (keys.last().and_then(Val::as_str), c.kind) {
                    let name: Arc<str> = name.into();
                    self.collector.assigned(&name, &val, self.place(c.element.at));
                }
                out.push(val);
            }
            return true;
        };
        let over = self.eval(iter);
        let (items, mut complete) = match self.items(&over) {
            Some(items) => (items, true),
            None => (vec![self.item_of(&over, iter.at)], false),
        };
        self.rounds(items.len(), ROUNDS_MAX * 4, iter.at);
        for item in items.into_iter().take(ROUNDS_MAX * 4) {
            self.assign(target, item);
            let mut kept = true;
            for test in ifs {
                let val = self.eval(test);
                kept &= val.truth() != Some(false);
            }
            if kept {
                complete &= self.generate(c, depth + 1, keys, out);
            }
            if !self.step() {
                return false;
            }
        }
        complete
    }

    /// Whether a container holds a value, where that is known.
    fn contains(&self, container: &Val, item: &Val) -> Option<bool> {
        match &container.kind {
            Kind::Str(text) => Some(text.known()?.contains(item.as_str()?)),
            Kind::List(items) => Some(items.borrow().iter().any(|i| same(i, item))),
            Kind::Tuple(items) => Some(items.iter().any(|i| same(i, item))),
            Kind::Dict(dict) => Some(dict.borrow().get_val(item).is_some()),
            _ => None,
        }
    }
}

/// What an expression is called, for those that compare a password with a text.
fn name_of(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Name(name) | Node::Attribute(_, name) => Some(name),
        Node::Index(_, index) => match &index.node {
            Node::Str(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}
