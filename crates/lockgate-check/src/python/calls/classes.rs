//! Objects of the tree's classes: their constructors, their fields with defaults, and what they
//! take from their bases.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use hashbrown::HashMap;

use crate::{
    python::{Class, FunctionKind, Interpreter, syntax::Span},
    value::{Args, How, Instance, Kind, Object, Val, Why},
};

impl Interpreter<'_> {
    pub(in crate::python) fn instantiate(&mut self, class: &Rc<Class>, args: Args, at: Span) -> Val {
        let outside = class.outside_base(0);
        // `Color("red")` of an enumeration.
        if outside.as_deref().is_some_and(|base| base.starts_with("enum.")) {
            return args.positional.first().cloned().unwrap_or_else(Val::none);
        }
        if let Some(Val { kind: Kind::Function(new), .. }) = class.find("__new__") {
            let of = Val::new(Kind::Class(Rc::clone(class)));
            let made = self.call_function(&new, Some(of), args.clone(), at);
            if matches!(
                made.kind,
                Kind::Str(_) | Kind::Choice(_) | Kind::Reference(_) | Kind::Int(_) | Kind::Instance(_)
            ) {
                return made;
            }
        }
        let val = self.empty_instance(class);
        let Kind::Instance(instance) = &val.kind else { return val };
        if let Some(Val { kind: Kind::Function(init), .. }) = class.find("__init__") {
            self.call_function(&init, Some(val.clone()), args.clone(), at);
        } else {
            self.fill_fields(class, instance, &args, at);
        }
        if let Some(Val { kind: Kind::Function(after), .. }) = class.find("__post_init__") {
            self.call_function(&after, Some(val.clone()), Args::default(), at);
        }
        if let Some(base) = outside {
            let has_init = class.find("__init__").is_some();
            if !has_init {
                self.outside(&base, None, &args, at);
            }
        }
        val
    }

    /// Fields of a dataclass, a model or a settings class.
    pub(super) fn fill_fields(&mut self, class: &Rc<Class>, instance: &Rc<Instance>, args: &Args, at: Span) {
        let place = self.place(at);
        for (i, name) in class.all_fields().into_iter().enumerate() {
            let given = args.get(i, &name).cloned();
            let val = match given {
                Some(val) => {
                    self.collector.assigned(&name, &val, place);
                    val.step(place, How::Passed(Arc::clone(&name)))
                }
                None => match class.find(&name) {
                    Some(default) => self.field_default(&default, at),
                    None => Val::unknown(Why::Parameter(Arc::clone(&name)), Some(place)),
                },
            };
            instance.attrs.borrow_mut().insert(name, val);
        }
        for (name, val) in &args.keywords {
            instance.attrs.borrow_mut().entry(Arc::clone(name)).or_insert_with(|| val.clone());
        }
    }

    /// The default of `field(default=...)`, `Field(...)`, `Param(...)`.
    pub(super) fn field_default(&mut self, default: &Val, at: Span) -> Val {
        let Kind::Object(object) = &default.kind else { return default.clone() };
        let last = object.callee.rsplit('.').next().unwrap_or_default();
        if !matches!(last, "field" | "Field" | "attrib" | "ib" | "Param" | "Factory") {
            return default.clone();
        }
        if let Some(val) = object.args.keyword("default").or_else(|| object.args.positional.first()) {
            return val.clone();
        }
        match object.args.keyword("default_factory").or_else(|| object.args.keyword("factory")).cloned() {
            Some(factory) => self.call(&factory, Args::default(), at),
            None => self.unknown(Why::Expression, at),
        }
    }

    /// An object of a class whose arguments are not known.
    pub(super) fn default_instance(&mut self, class: &Rc<Class>) -> Val {
        let quiet = std::mem::replace(&mut self.collector.quiet, 1);
        let called = self.called.clone();
        let val = self.instantiate(class, Args { open: true, ..Args::default() }, class.def.at);
        // That was no call of the program's.
        self.called = called;
        self.collector.quiet = quiet;
        val
    }

    pub(super) fn empty_instance(&self, class: &Rc<Class>) -> Val {
        Val::new(Kind::Instance(Rc::new(Instance { class: Rc::clone(class), attrs: RefCell::new(HashMap::new()) })))
    }

    pub(in crate::python) fn super_attribute(&mut self, name: &str, at: Span) -> Val {
        let Some((class, receiver)) = self.frames.last().and_then(|frame| frame.method_of.clone()) else {
            return self.unknown(Why::Expression, at);
        };
        for base in &class.bases {
            match &base.kind {
                Kind::Class(base) => {
                    match base.find(name) {
                        Some(Val { kind: Kind::Function(f), .. }) if f.kind == FunctionKind::Property => {
                            return self.call_function(&f, Some(receiver), Args::default(), at);
                        }
                        Some(found @ Val { kind: Kind::Function(_), .. }) => {
                            let args = Args { positional: vec![found, receiver], ..Args::default() };
                            return self.made("functools.partial", args);
                        }
                        Some(found) => return found,
                        None => {}
                    }
                    if name == "__init__"
                        && let Kind::Instance(instance) = &receiver.kind
                    {
                        // A base without one of its own takes fields.
                        let (base, instance) = (Rc::clone(base), Rc::clone(instance));
                        self.fill_fields(&base, &instance, &Args { open: true, ..Args::default() }, at);
                    }
                }
                Kind::External(base) => {
                    let name = if name == "__init__" { base.to_string() } else { format!("{base}.{name}") };
                    return Val::new(Kind::External(name.into()));
                }
                _ => {}
            }
        }
        self.unknown(Why::Name(name.into()), at)
    }

    /// An object of a `namedtuple`: its values in order and by name.
    pub(super) fn record(&mut self, object: &Rc<Object>, args: &Args, at: Span) -> Val {
        let fields: Vec<String> = match object.args.get(1, "field_names") {
            Some(names) => {
                if let Some(names) = names.as_str() {
                    names.split([' ', ',']).filter(|n| !n.is_empty()).map(str::to_owned).collect()
                } else {
                    let items = self.items(names).unwrap_or_default();
                    items
                        .iter()
                        .map(|i| i.as_str().or_else(|| self.first_text(i)).unwrap_or_default().to_owned())
                        .collect()
                }
            }
            None => Vec::new(),
        };
        let place = self.place(at);
        let values: Vec<Val> =
            fields.iter().enumerate().map(|(i, name)| args.get(i, name).cloned().unwrap_or_else(Val::none)).collect();
        for (name, val) in fields.iter().zip(&values) {
            self.collector.assigned(name, val, place);
        }
        let made = self.made("\u{1}tuple", Args { positional: values.clone(), ..Args::default() });
        if let Kind::Object(made) = &made.kind {
            for (name, val) in fields.iter().zip(values) {
                made.attrs.borrow_mut().insert(name.as_str().into(), val);
            }
        }
        made
    }

    pub(super) fn first_text<'v>(&self, val: &'v Val) -> Option<&'v str> {
        match &val.kind {
            Kind::Tuple(items) => items.first().and_then(Val::as_str),
            _ => None,
        }
    }
}
