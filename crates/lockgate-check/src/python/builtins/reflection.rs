//! Names that are made when the program runs, code in texts, and what objects are asked for by
//! name.

use std::{rc::Rc, sync::Arc};

use crate::{
    python::{Interpreter, syntax::Span},
    value::{Args, How, Instance, Kind, Object, Trace, Val, Why},
};

/// Deepest texts that `eval` and `exec` run within each other.
const TEXTS_DEEP_MAX: u32 = 4;

impl Interpreter<'_> {
    /// Names at run time.
    pub(super) fn reflection(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "getattr" => {
                let attribute = args.positional.get(1)?.as_str()?.to_owned();
                let val = self.attribute(first?, &attribute, at);
                match (val.is_unknown(), args.positional.get(2)) {
                    (true, Some(default)) => Val::choice(vec![default.clone(), val]),
                    _ => val,
                }
            }
            "setattr" | "object.__setattr__" => {
                let attribute = args.positional.get(1)?.as_str()?.to_owned();
                let val = args.positional.get(2)?.clone();
                let place = self.place(at);
                let val = val.step(place, How::Assigned(attribute.as_str().into()));
                self.collector.assigned(&attribute, &val, place);
                let owner = match &first?.kind {
                    Kind::External(owner) => Arc::clone(owner),
                    _ => "".into(),
                };
                self.switch(&owner, &attribute, &val, place);
                self.set_attribute_of(first?, &attribute, val, place);
                Val::none()
            }
            "vars" => match first {
                Some(object) => self.attribute(object, "__dict__", at),
                None => self.names(false),
            },
            "globals" => self.names(true),
            "locals" => self.names(false),
            // Text that runs text that runs text.
            "eval" | "exec" | "ast.literal_eval" if self.texts_deep >= TEXTS_DEEP_MAX => {
                self.unknown(Why::Limit("texts that run texts"), at)
            }
            "eval" | "ast.literal_eval" => {
                use crate::python::syntax::{Parser as _, StmtNode};
                let text = first?.as_str()?.to_owned();
                if text.len() > 64 << 10 {
                    return None;
                }
                let module = crate::python::ruff::Ruff { notebook: false }.parse(text.trim()).ok()?;
                let [stmt] = module.body.as_slice() else { return None };
                let StmtNode::Expr(expr) = &stmt.node else { return None };
                self.texts_deep += 1;
                let val = self.eval(expr);
                self.texts_deep -= 1;
                // Its places are within the text; what is shown is the text itself.
                retraced(&val, &first?.trace, 0)
            }
            "exec" => {
                use crate::python::syntax::Parser as _;
                let text = first?.as_str()?.to_owned();
                if text.len() > 64 << 10 {
                    return None;
                }
                let module = crate::python::ruff::Ruff { notebook: false }.parse(&text).ok()?;
                self.collector.quiet += 1;
                self.texts_deep += 1;
                self.block(&module.body);
                self.texts_deep -= 1;
                self.collector.quiet -= 1;
                let trace = first?.trace.clone();
                let scope = Rc::clone(&self.frames.last()?.scope);
                for stmt in &module.body {
                    if let crate::python::syntax::StmtNode::Assign(targets, _) = &stmt.node {
                        for target in targets {
                            if let crate::python::syntax::Node::Name(name) = &target.node {
                                let val = scope.vars.borrow().get(name).cloned();
                                if let Some(val) = val {
                                    self.bind(&scope, Arc::clone(name), retraced(&val, &trace, 0));
                                }
                            }
                        }
                    }
                }
                Val::none()
            }
            "__import__" | "importlib.import_module" => {
                let module: Arc<str> = first?.as_str()?.into();
                self.import(&[(Arc::clone(&module), Some("\u{1}import".into()))]);
                let scope = Rc::clone(&self.frames.last()?.scope);
                scope.vars.borrow_mut().remove("\u{1}import").unwrap_or_else(Val::none)
            }
            "copy.copy" | "copy.deepcopy" | "typing.cast" | "dataclasses.replace" | "weakref.ref" => {
                let val = if name == "typing.cast" { args.positional.get(1)? } else { first? };
                match &val.kind {
                    Kind::Dict(dict) => {
                        let dict = dict.borrow();
                        Val::dict(dict.entries.clone(), dict.open)
                    }
                    Kind::List(items) => Val::list(items.borrow().clone()),
                    Kind::Instance(instance) if name != "typing.cast" => {
                        let instance = Rc::clone(instance);
                        self.changed(&instance, &val.clone(), args.keywords.clone(), at)
                    }
                    _ => val.clone(),
                }
            }
            "dataclasses.asdict" => self.attribute(first?, "__dict__", at),
            "types.SimpleNamespace" | "argparse.Namespace" | "munch.Munch" | "box.Box" | "easydict.EasyDict" => {
                let object = self.made(name, args.clone());
                if let Kind::Object(made) = &object.kind {
                    let from_dict = first.map(crate::python::calls::entries).unwrap_or_default();
                    let place = self.place(at);
                    for (k, v) in from_dict.into_iter().chain(args.keywords.iter().cloned()) {
                        self.collector.assigned(&k, &v, place);
                        made.attrs.borrow_mut().insert(format!("[{k}]").into(), v.clone());
                        made.attrs.borrow_mut().insert(k, v);
                    }
                }
                object
            }
            "collections.namedtuple" | "typing.NamedTuple" | "dataclasses.make_dataclass" => {
                self.made("\u{1}record", args.clone())
            }
            "str.__new__" | "int.__new__" | "bytes.__new__" => args.positional.get(1)?.clone(),
            "\u{1}record" => return None,
            "print" | "isinstance" | "issubclass" | "hasattr" | "callable" | "any" | "all" => {
                self.unknown(Why::Expression, at)
            }
            _ => return None,
        })
    }

    /// The names of the running function or module as a mapping.
    fn names(&self, global: bool) -> Val {
        let Some(frame) = self.frames.last() else { return Val::none() };
        let scope = if global { &frame.globals } else { &frame.scope };
        let entries = scope.vars.borrow().iter().map(|(k, v)| (Val::str(Arc::clone(k)), v.clone())).collect();
        Val::dict(entries, false)
    }

    pub(in crate::python) fn object_item(&mut self, object: &Rc<Object>, index: &Val, at: Span) -> Val {
        // A frame, a bucket, a configuration section: named by its key when that is known.
        if let Some(key) = index.as_str()
            && let Some(Kind::Object(section)) = object.attrs.borrow().get(&*format!("[{key}]")).map(|v| &v.kind)
        {
            return Val::new(Kind::Object(Rc::clone(section)));
        }
        if matches!(&*object.callee, "context" | "ctx") || object.callee.ends_with("get_current_context") {
            match index.as_str() {
                Some("params") => return self.unknown(Why::Outside("params".into()), at),
                Some("dag_run") => return self.made("dag_run", Args::default()),
                _ => {}
            }
        }
        self.object(&object.callee)
    }

    pub(in crate::python) fn instance_method(
        &mut self,
        instance: &Rc<Instance>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        match name {
            "dict" | "model_dump" | "_asdict" | "to_dict" | "asdict" => self.attribute(receiver, "__dict__", at),
            "copy" | "model_copy" | "_replace" => {
                let update = args.keyword("update").map(crate::python::calls::entries);
                let changes = update.unwrap_or_else(|| args.keywords.clone());
                self.changed(instance, receiver, changes, at)
            }
            "get" => match args.positional.first().and_then(Val::as_str) {
                Some(key) => {
                    instance.attrs.borrow().get(key).cloned().unwrap_or_else(|| self.unknown(Why::Expression, at))
                }
                None => self.unknown(Why::Expression, at),
            },
            _ => self.external(&format!("{}.{name}", instance.class.def.name), Some(receiver), args.clone(), at),
        }
    }
}

impl Interpreter<'_> {
    /// A copy of an object in which some fields are others.
    fn changed(&mut self, instance: &Rc<Instance>, receiver: &Val, changes: Vec<(Arc<str>, Val)>, at: Span) -> Val {
        let place = self.place(at);
        let mut attrs = instance.attrs.borrow().clone();
        for (name, val) in changes {
            self.collector.assigned(&name, &val, place);
            let val = val.step(place, How::Passed(Arc::clone(&name)));
            attrs.insert(name, val);
        }
        let copy = Instance { class: Rc::clone(&instance.class), attrs: std::cell::RefCell::new(attrs) };
        Val { kind: Kind::Instance(Rc::new(copy)), trace: receiver.trace.clone() }
    }
}

/// The same value with another way: what was read from a text came that text's way.
pub fn retraced(val: &Val, trace: &Trace, depth: usize) -> Val {
    if depth > 16 {
        return val.clone();
    }
    let again = |val: &Val| retraced(val, trace, depth + 1);
    match &val.kind {
        Kind::List(items) => Val::list(items.borrow().iter().map(again).collect()),
        Kind::Tuple(items) => Val::tuple(items.iter().map(again).collect()),
        Kind::Dict(dict) => {
            let dict = dict.borrow();
            Val::dict(dict.entries.iter().map(|(k, v)| (again(k), again(v))).collect(), dict.open)
        }
        _ => Val { kind: val.kind.clone(), trace: trace.clone() },
    }
}
