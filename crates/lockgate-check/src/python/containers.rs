//! Items, slices and attributes of values.

use std::{rc::Rc, sync::Arc};

use super::{FunctionKind, Interpreter, syntax::Span};
use crate::value::{Args, CHOICES_MAX, How, Kind, Object, Text, Val, Why};

impl Interpreter<'_> {
    fn is_parameter(why: &Why, name: &str) -> bool {
        matches!(why, Why::Parameter(parameter) if &**parameter == name)
    }

    /// What an iteration gives, where that is known.
    pub(super) fn items(&self, val: &Val) -> Option<Vec<Val>> {
        items(val)
    }

    /// An item of something that is not known item by item.
    pub(super) fn item_of(&self, val: &Val, at: Span) -> Val {
        match &val.kind {
            Kind::Reference(name) => Val::reference(Arc::clone(name)),
            Kind::Dict(dict) => {
                let keys: Vec<Val> = dict.borrow().entries.iter().map(|(k, _)| k.clone()).collect();
                Val::choice(keys.into_iter().chain([self.unknown(Why::Expression, at)]).collect())
            }
            Kind::Object(object) => self.object(&format!("{}[]", object.callee)),
            Kind::External(name) => Val::new(Kind::External(format!("{name}[]").into())),
            _ => self.unknown(Why::Expression, at),
        }
    }

    pub(super) fn object(&self, callee: &str) -> Val {
        Val::new(Kind::Object(Rc::new(Object {
            callee: callee.into(),
            args: crate::value::Args::default(),
            attrs: std::cell::RefCell::default(),
        })))
    }

    pub(super) fn index(&mut self, object: &Val, index: &Val, at: Span) -> Val {
        let (objects, indices) = (object.options(), index.options());
        if objects.len() * indices.len() > 1 {
            let mut out = Vec::new();
            for object in &objects {
                for index in &indices {
                    if out.len() < CHOICES_MAX {
                        out.push(self.index(object, index, at));
                    }
                }
            }
            return Val::choice(out);
        }
        match &object.kind {
            Kind::List(items) => {
                let items = items.borrow();
                match index.as_int().and_then(|i| position(i, items.len())) {
                    Some(i) => items.get(i).cloned().unwrap_or_else(|| self.unknown(Why::Expression, at)),
                    None if items.len() <= CHOICES_MAX && !items.is_empty() && index.is_unknown() => {
                        Val::choice(items.iter().cloned().collect())
                    }
                    None => self.unknown(Why::Expression, at),
                }
            }
            Kind::Tuple(items) => match index.as_int().and_then(|i| position(i, items.len())) {
                Some(i) => items.get(i).cloned().unwrap_or_else(Val::none),
                None => self.unknown(Why::Expression, at),
            },
            Kind::Dict(dict) => {
                let dict = dict.borrow();
                if let Some(val) = dict.get_val(index) {
                    return val.clone();
                }
                // An unknown key may be any of them.
                if index.as_str().is_none() && index.as_int().is_none() && !dict.entries.is_empty() {
                    let all = dict.entries.iter().map(|(_, v)| v.clone());
                    return Val::choice(all.chain([self.unknown(Why::Expression, at)]).collect());
                }
                // `**kwargs` of a task.
                match index.as_str() {
                    Some("params") if dict.open => self.unknown(Why::Outside("params".into()), at),
                    Some("dag_run") if dict.open => self.made("dag_run", Args::default()),
                    _ => self.unknown(Why::Expression, at),
                }
            }
            Kind::Str(Text::Known(text)) => match index.as_int() {
                Some(i) => {
                    let chars: Vec<char> = text.chars().collect();
                    match position(i, chars.len()).and_then(|i| chars.get(i)) {
                        Some(c) => {
                            Val { kind: Kind::Str(Text::Known(c.to_string().into())), trace: object.trace.clone() }
                        }
                        None => self.unknown(Why::Expression, at),
                    }
                }
                None => self.unknown(Why::Expression, at),
            },
            Kind::Bytes(bytes) => {
                match index.as_int().and_then(|i| position(i, bytes.len())).and_then(|i| bytes.get(i)) {
                    Some(b) => Val::new(Kind::Int(i64::from(*b))),
                    None => self.unknown(Why::Expression, at),
                }
            }
            Kind::External(name) => self.external_item(name, index, at),
            Kind::Object(object) => {
                if let Some(key) = index.as_str()
                    && let Some(val) = object.attrs.borrow().get(&*format!("[{key}]"))
                {
                    return val.clone();
                }
                self.object_item(object, index, at)
            }
            Kind::Class(class) => {
                // `Color["RED"]`, or a generic class.
                index.as_str().and_then(|key| class.find(key)).unwrap_or_else(|| object.clone())
            }
            Kind::Instance(instance) => {
                // A `NamedTuple` counts its fields.
                let field = index.as_int().and_then(|i| {
                    let fields = instance.class.all_fields();
                    position(i, fields.len()).and_then(|i| fields.get(i).cloned())
                });
                let key = index.as_str().or(field.as_deref());
                if let Some(val) = key.and_then(|key| instance.attrs.borrow().get(key).cloned()) {
                    val
                } else {
                    let method = self.attribute(object, "__getitem__", at);
                    if matches!(method.kind, Kind::Bound(_)) {
                        return self.call_values(&method, vec![index.clone()], at);
                    }
                    self.unknown(Why::Expression, at)
                }
            }
            Kind::Reference(name) => Val::reference(Arc::clone(name)),
            Kind::Unknown(unknown)
                if matches!(&unknown.why, Why::Outside(name) if &**name == "params")
                    && index.as_str().is_some_and(|name| self.is_narrow_parameter(name)) =>
            {
                self.unknown(Why::Expression, at)
            }
            Kind::Unknown(unknown) => {
                let is_context = ["context", "kwargs", "ctx"].iter().any(|name| Self::is_parameter(&unknown.why, name));
                match index.as_str().filter(|_| is_context) {
                    Some("params") => self.unknown(Why::Outside("params".into()), at),
                    Some("dag_run") => self.made("dag_run", Args::default()),
                    _ => object.clone(),
                }
            }
            _ => self.unknown(Why::Expression, at),
        }
    }

    pub(super) fn slice(&mut self, object: &Val, bounds: &[Option<Val>; 3], at: Span) -> Val {
        let number = |bound: &Option<Val>| bound.as_ref().and_then(Val::as_int);
        if bounds.iter().flatten().any(|b| b.as_int().is_none() && !matches!(b.kind, Kind::None)) {
            return self.unknown(Why::Expression, at);
        }
        let [lower, upper, step] = bounds;
        let (lower, upper, step) = (number(lower), number(upper), number(step).unwrap_or(1));
        let place = self.place(at);
        let options = object.options().into_iter().map(|object| match &object.kind {
            Kind::Str(Text::Known(text)) => {
                let chars: Vec<char> = text.chars().collect();
                let cut: String = range(lower, upper, step, chars.len()).filter_map(|i| chars.get(i)).collect();
                Val { kind: Kind::Str(Text::Known(cut.into())), trace: object.trace.clone() }
                    .step(place, How::Changed("[...]"))
            }
            Kind::Bytes(bytes) => {
                let cut: Vec<u8> =
                    range(lower, upper, step, bytes.len()).filter_map(|i| bytes.get(i).copied()).collect();
                Val { kind: Kind::Bytes(cut.into()), trace: object.trace.clone() }.step(place, How::Changed("[...]"))
            }
            Kind::List(items) => {
                let items = items.borrow();
                Val::list(range(lower, upper, step, items.len()).filter_map(|i| items.get(i).cloned()).collect())
            }
            Kind::Tuple(items) => {
                Val::tuple(range(lower, upper, step, items.len()).filter_map(|i| items.get(i).cloned()).collect())
            }
            Kind::Reference(_) | Kind::Object(_) => object.clone(),
            _ => Val::unknown(Why::Expression, Some(place)),
        });
        Val::choice(options.collect())
    }

    pub(super) fn set_item(&mut self, object: &Val, index: Val, val: Val, place: crate::source::Place) {
        for object in object.options() {
            if let Some(name) = index.as_str() {
                match &object.kind {
                    Kind::External(callee) => self.collector.environment_set(callee, name, &val, place),
                    _ => self.collector.assigned(name, &val, place),
                }
            }
            match &object.kind {
                Kind::Dict(dict) => {
                    let mut dict = dict.borrow_mut();
                    let val = match dict.get_val(&index) {
                        // In a branch, what was there before may still stand.
                        Some(before) if !self.journals.is_empty() => Val::choice(vec![before.clone(), val.clone()]),
                        _ => val.clone(),
                    };
                    if dict.entries.len() < 4096 {
                        dict.set(index.clone(), val);
                    }
                }
                Kind::List(items) => {
                    let mut items = items.borrow_mut();
                    let len = items.len();
                    if let Some(slot) = index.as_int().and_then(|i| position(i, len)).and_then(|i| items.get_mut(i)) {
                        *slot = val.clone();
                    }
                }
                Kind::Instance(instance) => {
                    if let Some(name) = index.as_str() {
                        instance.attrs.borrow_mut().insert(name.into(), val.clone());
                    }
                }
                Kind::External(name) => {
                    if let Some(key) = index.as_str() {
                        self.environment.insert(format!("{name}[{key}]").into(), val.clone());
                    }
                }
                Kind::Object(object) => {
                    if let Some(name) = index.as_str() {
                        object.attrs.borrow_mut().insert(format!("[{name}]").into(), val.clone());
                    }
                    self.object_set(object, &index, &val, place);
                }
                _ => {}
            }
        }
    }

    pub(super) fn attribute(&mut self, object: &Val, name: &str, at: Span) -> Val {
        match &object.kind {
            Kind::Choice(options) => {
                let options = options.to_vec();
                Val::choice(options.iter().map(|option| self.attribute(option, name, at)).collect())
            }
            Kind::Module(file) => {
                let file = *file;
                match self.module(file).and_then(|scope| scope.vars.borrow().get(name).cloned()) {
                    Some(val) => val,
                    None => self.submodule(file, name).unwrap_or_else(|| self.unknown(Why::Name(name.into()), at)),
                }
            }
            Kind::External(base) => self.external_attribute(base, name, at),
            Kind::Class(class) => self.class_attribute(class, object, name, at),
            Kind::Instance(instance) => {
                if let Some(val) = instance.attrs.borrow().get(name) {
                    return val.clone();
                }
                match instance.class.find(name) {
                    Some(Val { kind: Kind::Function(f), .. }) => match f.kind {
                        FunctionKind::Property => self.call_function(&f, Some(object.clone()), Args::default(), at),
                        FunctionKind::Static => Val::new(Kind::Function(f)),
                        FunctionKind::Class => self.bound(&Val::new(Kind::Class(Rc::clone(&instance.class))), name),
                        FunctionKind::Plain => self.bound(object, name),
                    },
                    Some(Val { kind: Kind::Instance(descriptor), trace }) => match descriptor.class.find("__get__") {
                        Some(Val { kind: Kind::Function(get), .. }) => {
                            let class = Val::new(Kind::Class(Rc::clone(&instance.class)));
                            let descriptor = Val { kind: Kind::Instance(descriptor), trace };
                            let args = Args { positional: vec![object.clone(), class], ..Args::default() };
                            self.call_function(&get, Some(descriptor), args, at)
                        }
                        _ => Val { kind: Kind::Instance(descriptor), trace },
                    },
                    Some(val) => val,
                    None if name == "__dict__" => {
                        let attrs = instance.attrs.borrow();
                        Val::dict(attrs.iter().map(|(k, v)| (Val::str(Arc::clone(k)), v.clone())).collect(), false)
                    }
                    None if name == "__class__" => Val::new(Kind::Class(Rc::clone(&instance.class))),
                    None => match (instance.class.find("__getattr__"), instance.class.outside_base(0)) {
                        (Some(Val { kind: Kind::Function(get), .. }), _) => {
                            let args = Args { positional: vec![Val::str(name)], ..Args::default() };
                            self.call_function(&get, Some(object.clone()), args, at)
                        }
                        (_, Some(_)) => self.bound(object, name),
                        _ => self.unknown(Why::Name(name.into()), at),
                    },
                }
            }
            Kind::Object(inner) => {
                if let Some(val) = inner.attrs.borrow().get(name) {
                    return val.clone();
                }
                self.object_attribute(object, inner, name, at)
            }
            // A member of an enumeration is followed as its value.
            Kind::Str(_) if name == "value" => object.clone(),
            Kind::Str(_) if name == "name" && object.as_str().is_some_and(|text| self.members.contains_key(text)) => {
                let class = object.as_str().and_then(|text| self.members.get(text).cloned());
                let attrs = class.as_ref().map(|class| class.attrs.borrow());
                let name = attrs.iter().flat_map(|attrs| attrs.iter()).find(|(_, val)| val.as_str() == object.as_str());
                name.map_or_else(|| object.clone(), |(name, _)| Val::str(Arc::clone(name)))
            }
            Kind::Str(_) if self.member_method(object, name).is_some_and(|f| f.kind == FunctionKind::Property) => {
                match self.member_method(object, name) {
                    Some(f) => self.call_function(&f, Some(object.clone()), Args::default(), at),
                    None => self.bound(object, name),
                }
            }
            Kind::Unknown(unknown) if name == "conf" && Self::is_parameter(&unknown.why, "dag_run") => {
                self.unknown(Why::Outside("dag_run.conf".into()), at)
            }
            Kind::Path(path) => self.path_attribute(path, object, name),
            Kind::Reference(reference) => match name {
                // What is done with a secret keeps it a secret.
                "value" | "get_secret_value" => Val::reference(Arc::clone(reference)),
                _ => self.bound(object, name),
            },
            Kind::Function(closure) => match name {
                "__name__" => Val::str(Arc::clone(&closure.function.name)),
                _ => self.bound(object, name),
            },
            _ => self.bound(object, name),
        }
    }

    /// The method of an enumeration whose member a text is.
    pub(super) fn member_method(&self, text: &Val, name: &str) -> Option<Rc<super::Closure>> {
        let class = self.members.get(text.as_str()?)?;
        match class.find(name)?.kind {
            Kind::Function(f) => Some(f),
            _ => None,
        }
    }

    fn class_attribute(&mut self, class: &Rc<super::Class>, object: &Val, name: &str, at: Span) -> Val {
        match class.find(name) {
            Some(Val { kind: Kind::Function(f), .. }) => match f.kind {
                FunctionKind::Class => self.bound(object, name),
                _ => Val::new(Kind::Function(f)),
            },
            // A member whose class has methods of its own is more than its value.
            Some(val) if class.is_enum_with_methods() => {
                let attrs = [("value".into(), val), ("name".into(), Val::str(name))].into_iter().collect();
                let member = crate::value::Instance { class: Rc::clone(class), attrs: std::cell::RefCell::new(attrs) };
                Val::new(Kind::Instance(Rc::new(member)))
            }
            Some(val) => {
                if let (Some(text), true) = (val.as_str(), class.is_text_with_methods()) {
                    self.members.insert(text.into(), Rc::clone(class));
                }
                val
            }
            None if name == "__name__" => Val::str(Arc::clone(&class.def.name)),
            None => match class.outside_base(0) {
                Some(base) if !base.starts_with("enum.") => Val::new(Kind::External(format!("{base}.{name}").into())),
                _ => self.unknown(Why::Name(name.into()), at),
            },
        }
    }

    pub(super) fn bound(&self, object: &Val, name: &str) -> Val {
        Val::new(Kind::Bound(Rc::new((object.clone(), name.into()))))
    }
}

/// What an iteration gives, where that is known.
fn items(val: &Val) -> Option<Vec<Val>> {
    match &val.kind {
        Kind::List(items) => Some(items.borrow().clone()),
        Kind::Tuple(items) => Some(items.to_vec()),
        Kind::Object(object) if &*object.callee == "\u{1}tuple" => Some(object.args.positional.clone()),
        Kind::Dict(dict) if !dict.borrow().open => Some(dict.borrow().entries.iter().map(|(k, _)| k.clone()).collect()),
        Kind::Str(Text::Known(text)) if text.len() <= 4096 => Some(
            text.chars()
                .map(|c| Val { kind: Kind::Str(Text::Known(c.to_string().into())), trace: val.trace.clone() })
                .collect(),
        ),
        Kind::Bytes(bytes) if bytes.len() <= 4096 => {
            Some(bytes.iter().map(|b| Val { kind: Kind::Int(i64::from(*b)), trace: val.trace.clone() }).collect())
        }
        Kind::Choice(options) => {
            let mut all = Vec::new();
            for option in options.iter() {
                all.extend(items(option)?);
            }
            Some(all)
        }
        // The members of an enumeration.
        Kind::Class(class) if class.outside_base(0).is_some_and(|base| base.starts_with("enum.")) => {
            Some(class.attrs.borrow().values().filter(|val| !matches!(val.kind, Kind::Function(_))).cloned().collect())
        }
        _ => None,
    }
}

/// A Python index as a position.
pub(super) fn position(i: i64, len: usize) -> Option<usize> {
    let len = i64::try_from(len).ok()?;
    let i = if i < 0 { i + len } else { i };
    if (0..len).contains(&i) { usize::try_from(i).ok() } else { None }
}

/// The positions of a Python slice.
fn range(lower: Option<i64>, upper: Option<i64>, step: i64, len: usize) -> Box<dyn Iterator<Item = usize>> {
    let len = len as i64;
    let clamp = |i: i64, low: i64, high: i64| (if i < 0 { i.saturating_add(len) } else { i }).clamp(low, high);
    match step.cmp(&0) {
        std::cmp::Ordering::Equal => Box::new(std::iter::empty()),
        std::cmp::Ordering::Greater => {
            let from = lower.map_or(0, |i| clamp(i, 0, len));
            let to = upper.map_or(len, |i| clamp(i, 0, len));
            Box::new((from..to.max(from)).step_by(step as usize).map(|i| i as usize))
        }
        std::cmp::Ordering::Less => {
            let from = lower.map_or(len - 1, |i| clamp(i, -1, len - 1));
            let to = upper.map_or(-1, |i| clamp(i, -1, len - 1));
            Box::new((to + 1..=from).rev().step_by(step.unsigned_abs() as usize).map(|i| i as usize))
        }
    }
}
