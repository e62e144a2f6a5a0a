//! Calls: functions and classes of the tree are followed, everything else is asked of
//! `builtins` and shown to `sinks`.

mod classes;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use hashbrown::HashMap;

use super::{
    CALLS_DEEP_MAX, Class, Closure, Frame, FunctionKey, FunctionKind, Interpreter, Scope,
    decoding::LARGE,
    dotted,
    syntax::{Function, Span},
};
use crate::value::{Args, How, Kind, Object, Val, Why};

/// Longest name of a chain of calls.
const CALLEE_BYTES_MAX: usize = 200;

impl Interpreter<'_> {
    pub(super) fn call_values(&mut self, function: &Val, positional: Vec<Val>, at: Span) -> Val {
        self.call(function, Args { positional, ..Args::default() }, at)
    }

    pub(super) fn call(&mut self, function: &Val, args: Args, at: Span) -> Val {
        if !self.step() {
            return self.unknown(Why::Limit("400,000 steps"), at);
        }
        match &function.kind {
            Kind::Choice(options) => {
                let results = options.iter().map(|option| self.call(option, args.clone(), at)).collect();
                Val::choice(results)
            }
            Kind::Function(closure) => self.call_function(closure, None, args, at),
            Kind::Class(class) => self.instantiate(class, args, at),
            Kind::Bound(bound) => {
                let (receiver, name) = (bound.0.clone(), Arc::clone(&bound.1));
                self.method(&receiver, &name, args, at)
            }
            Kind::External(name) => {
                let name = Arc::clone(name);
                self.external(&name, None, args, at)
            }
            Kind::Object(object) if &*object.callee == "functools.partial" => self.partial(object, args, at),
            Kind::Object(object) if &*object.callee == "\u{1}record" => {
                let object = Rc::clone(object);
                self.record(&object, &args, at)
            }
            Kind::Object(object) if &*object.callee == "operator.itemgetter" => {
                match (args.positional.first(), object.args.positional.first()) {
                    (Some(of), Some(key)) => self.index(of, key, at),
                    _ => self.unknown(Why::Expression, at),
                }
            }
            Kind::Object(object) if &*object.callee == "operator.attrgetter" => {
                match (args.positional.first(), object.args.positional.first().and_then(Val::as_str)) {
                    (Some(of), Some(name)) => self.attribute(of, name, at),
                    _ => self.unknown(Why::Expression, at),
                }
            }
            Kind::Object(object) => {
                let callee = Arc::clone(&object.callee);
                self.external(&callee, Some(function), args, at)
            }
            Kind::Instance(instance) => match instance.class.find("__call__").map(|v| v.kind) {
                Some(Kind::Function(f)) => self.call_function(&f, Some(function.clone()), args, at),
                _ => self.unknown(Why::Call(Arc::clone(&instance.class.def.name)), at),
            },
            _ => self.external("?", None, args, at),
        }
    }

    fn partial(&mut self, object: &Rc<Object>, args: Args, at: Span) -> Val {
        let Some((function, first)) = object.args.positional.split_first() else {
            return self.unknown(Why::Expression, at);
        };
        let mut all = Args { positional: first.to_vec(), keywords: object.args.keywords.clone(), open: args.open };
        all.positional.extend(args.positional);
        for (name, val) in args.keywords {
            all.keywords.retain(|(k, _)| *k != name);
            all.keywords.push((name, val));
        }
        self.call(function, all, at)
    }

    fn method(&mut self, receiver: &Val, name: &str, args: Args, at: Span) -> Val {
        // What an unknown text is changed to is used; what it was is not.
        if name == "replace"
            && matches!(receiver.kind, Kind::Unknown(_) | Kind::Object(_))
            && let Some(text) = args.positional.get(1).and_then(Val::as_str)
        {
            let sink = crate::collect::Sink { what: "replace", place: self.place(at), access: "any" };
            self.collector.watched(text, &args.positional.get(1).map(|v| v.trace.clone()).unwrap_or_default(), sink);
        }
        match &receiver.kind {
            Kind::Choice(options) => {
                let results = options.iter().map(|option| self.method(option, name, args.clone(), at)).collect();
                Val::choice(results)
            }
            Kind::Str(_) if self.member_method(receiver, name).is_some() => match self.member_method(receiver, name) {
                Some(f) => self.call_function(&f, Some(receiver.clone()), args, at),
                None => self.unknown(Why::Name(name.into()), at),
            },
            Kind::Str(text) => {
                let text = text.clone();
                self.text_method(&text, receiver, name, &args, at)
            }
            Kind::Bytes(bytes) => {
                let bytes = Arc::clone(bytes);
                self.bytes_method(&bytes, receiver, name, &args, at)
            }
            Kind::List(items) => {
                let items = Rc::clone(items);
                self.list_method(&items, receiver, name, &args, at)
            }
            Kind::Tuple(items) => {
                let list = Rc::new(RefCell::new(items.to_vec()));
                self.list_method(&list, receiver, name, &args, at)
            }
            Kind::Dict(dict) => {
                let dict = Rc::clone(dict);
                self.dict_method(&dict, receiver, name, &args, at)
            }
            Kind::Path(path) => {
                let path = path.clone();
                self.path_method(&path, receiver, name, &args, at)
            }
            Kind::Int(n) if name == "to_bytes" => self.to_bytes(&n.to_be_bytes(), receiver, &args, at),
            Kind::Instance(instance) => {
                let class = Rc::clone(&instance.class);
                match class.find(name).map(|v| v.kind) {
                    Some(Kind::Function(f)) => self.call_function(&f, Some(receiver.clone()), args, at),
                    Some(other) => self.call(&Val::new(other), args, at),
                    None if matches!(name, "_replace" | "model_copy" | "_asdict" | "model_dump") => {
                        self.instance_method(instance, receiver, name, &args, at)
                    }
                    None => match class.outside_base(0) {
                        Some(base) => self.external(&format!("{base}.{name}"), Some(receiver), args, at),
                        None => self.instance_method(instance, receiver, name, &args, at),
                    },
                }
            }
            Kind::Class(class) => match class.find(name).map(|v| v.kind) {
                Some(Kind::Function(f)) => self.call_function(&f, Some(receiver.clone()), args, at),
                _ => self.unknown(Why::Name(name.into()), at),
            },
            Kind::Object(object)
                if &*object.callee == "functools.partial" && matches!(name, "expand" | "expand_kwargs") =>
            {
                let object = Rc::clone(object);
                let each = |val: &Val| self.items(val).map_or_else(|| val.clone(), Val::choice);
                let keywords = args.keywords.iter().map(|(k, v)| (Arc::clone(k), each(v))).collect();
                self.partial(&object, Args { keywords, ..args }, at)
            }
            Kind::Object(object) if &*object.callee == LARGE && name == "to_bytes" => {
                let Some(Kind::Bytes(bytes)) = object.args.positional.first().map(|v| &v.kind) else {
                    return self.unknown(Why::Expression, at);
                };
                self.to_bytes(&Arc::clone(bytes), receiver, &args, at)
            }
            Kind::Object(object)
                if &*object.callee == "urllib.parse.ParseResult" && matches!(name, "_replace" | "geturl") =>
            {
                let object = Rc::clone(object);
                self.url_method(&object, receiver, name, &args).unwrap_or_else(|| self.unknown(Why::Expression, at))
            }
            Kind::Object(object) => {
                let callee = chained(&object.callee, name);
                self.external(&callee, Some(receiver), args, at)
            }
            // `EnvVar("X").get_value(default="...")`.
            Kind::Reference(reference) if name == "get_value" && args.get(0, "default").is_some() => {
                let default = args.get(0, "default").cloned().unwrap_or_else(Val::none);
                let positional = vec![Val::str(Arc::clone(reference)), default];
                self.external("os.getenv", None, Args { positional, ..Args::default() }, at)
            }
            Kind::Reference(reference) => match name {
                "get" | "format" | "encode" | "decode" | "strip" | "replace" | "lower" | "upper" | "split"
                | "get_secret_value" | "rstrip" | "lstrip" | "removeprefix" => Val::reference(Arc::clone(reference)),
                _ => self.external(&format!("?.{name}"), Some(receiver), args, at),
            },
            Kind::Function(closure) => {
                // `task.override(...)(...)`, `task.partial(x=1).expand(y=[...])`, `f.submit(...)`.
                let closure = Rc::clone(closure);
                match name {
                    "override" | "with_options" | "configured" | "to_job" | "alias" => receiver.clone(),
                    "partial" => {
                        let mut all = args;
                        all.positional.insert(0, receiver.clone());
                        self.made("functools.partial", all)
                    }
                    "expand" | "expand_kwargs" => self.expanded(&closure, args, at),
                    "submit" | "map" | "delay" | "apply_async" | "remote" | "fn" | "__call__" | "function" => {
                        self.call_function(&closure, None, args, at)
                    }
                    _ => self.external(&format!("{}.{name}", closure.function.name), Some(receiver), args, at),
                }
            }
            // What is done with a text from outside leaves it one.
            Kind::Unknown(unknown)
                if matches!(unknown.why, Why::Outside(_))
                    && matches!(
                        name,
                        "get" | "strip" | "lower" | "upper" | "format" | "replace" | "rstrip" | "lstrip"
                    ) =>
            {
                receiver.clone()
            }
            _ => self.external(&format!("?.{name}"), Some(receiver), args, at),
        }
    }

    /// `task.expand(x=[...])` calls for every item.
    pub(super) fn expanded(&mut self, closure: &Rc<Closure>, args: Args, at: Span) -> Val {
        if !closure.decorators.is_empty() && self.collector.is_outside() {
            let task = self.collector.task_of(closure.file, &closure.function.name);
            let given: Vec<Val> = args.positional.iter().chain(args.keywords.iter().map(|(_, v)| v)).cloned().collect();
            self.given_to(&given, &task);
        }
        let each = |this: &Self, val: &Val| {
            this.items(val)
                .map_or_else(|| val.clone(), |items| if items.is_empty() { Val::none() } else { Val::choice(items) })
        };
        let args = Args {
            positional: args.positional.iter().map(|v| each(self, v)).collect(),
            keywords: args.keywords.iter().map(|(k, v)| (Arc::clone(k), each(self, v))).collect(),
            open: args.open,
        };
        self.call_function(closure, None, args, at)
    }

    pub(super) fn call_function(&mut self, closure: &Rc<Closure>, receiver: Option<Val>, args: Args, at: Span) -> Val {
        let key: FunctionKey = (closure.file, closure.function.name_at.start);
        self.called.insert(key);
        let name = Arc::clone(&closure.function.name);
        let again = self.frames.iter().filter(|frame| frame.function == Some(key) && key.1 != 0).count();
        if self.frames.len() >= CALLS_DEEP_MAX || again >= 3 {
            return self.unknown(Why::Limit("24 calls deep"), at);
        }
        let place = self.place(at);
        let scope = Scope::new(Some(Rc::clone(&closure.scope)));
        self.parameters(closure, receiver.as_ref(), args, &scope, place);
        let globals = outermost(&closure.scope);
        let method_of = receiver.and_then(|val| closure.class.borrow().clone().map(|class| (class, val)));
        self.collector.calls.push((place, Arc::clone(&name)));
        let task = self.task_given(closure, &scope);
        let mut val = self.within_share(key, |this| this.run(closure, scope, globals, Some(key), method_of));
        if let Some(task) = task {
            // What nobody knows of a task's result is still that task's.
            if matches!(val.kind, Kind::Unknown(_) | Kind::None) && self.task_names.contains_key(&task) {
                val = self.made("airflow.models.xcom_arg.XComArg", Args::default());
            }
            mark(&val, &task);
            for option in val.options() {
                if let Some(address) = address(&option).filter(|_| self.results.len() < RESULTS_MAX) {
                    self.results.insert(address, (option, Arc::clone(&task)));
                }
            }
        }
        self.collector.calls.pop();
        val.step(place, How::Returned(name))
    }

    /// The task that a function is which a DAG calls; the tasks whose results it is given are noted.
    fn task_given(&mut self, closure: &Rc<Closure>, scope: &Rc<Scope>) -> Option<Arc<str>> {
        if closure.decorators.is_empty() || !self.collector.is_outside() {
            return None;
        }
        let task = self.collector.task_of(closure.file, &closure.function.name);
        let given: Vec<Val> = scope.vars.borrow().values().flat_map(Val::options).collect();
        self.given_to(&given, &task);
        Some(task)
    }

    /// Notes the tasks whose results another one is given.
    fn given_to(&mut self, given: &[Val], task: &Arc<str>) {
        for val in given {
            let of_object = match &val.kind {
                Kind::Object(object) => object.attrs.borrow().get(OF_TASK).and_then(Val::as_str).map(Arc::from),
                _ => None,
            };
            let known = || address(val).and_then(|at| self.results.get(&at)).map(|(_, task)| Arc::clone(task));
            if let Some(from) = of_object.or_else(known).filter(|from| from != task) {
                self.collector.found.flows.push((Arc::clone(&from), Arc::clone(task)));
                self.given_by(&from, task);
            }
        }
    }

    fn parameters(
        &mut self,
        closure: &Rc<Closure>,
        receiver: Option<&Val>,
        args: Args,
        scope: &Rc<Scope>,
        place: crate::source::Place,
    ) {
        let function = &closure.function;
        let mut positional = args.positional.into_iter();
        let mut keywords: Vec<(Arc<str>, Val)> = args.keywords;
        let mut receiver = if closure.kind == FunctionKind::Static { None } else { receiver };
        for (i, parameter) in function.parameters.iter().enumerate() {
            let val = if let Some(val) = receiver.take() {
                val.clone()
            } else if let Some(k) = keywords.iter().position(|(k, _)| *k == parameter.name) {
                keywords.remove(k).1.step(place, How::Passed(Arc::clone(&parameter.name)))
            } else if let Some(val) = (!parameter.keyword_only).then(|| positional.next()).flatten() {
                val.step(place, How::Passed(Arc::clone(&parameter.name)))
            } else if let Some(Some(default)) = closure.defaults.get(i) {
                if args.open {
                    Val::choice(vec![
                        default.clone(),
                        Val::unknown(Why::Parameter(Arc::clone(&parameter.name)), Some(place)),
                    ])
                } else {
                    default.clone()
                }
            } else {
                Val::unknown(Why::Parameter(Arc::clone(&parameter.name)), Some(place))
            };
            scope.vars.borrow_mut().insert(Arc::clone(&parameter.name), val);
        }
        if let Some(name) = &function.variadic {
            scope.vars.borrow_mut().insert(Arc::clone(name), Val::tuple(positional.collect()));
        }
        if let Some(name) = &function.keywords {
            let entries = keywords.into_iter().map(|(k, v)| (Val::str(k), v)).collect();
            scope.vars.borrow_mut().insert(Arc::clone(name), Val::dict(entries, args.open));
        }
    }

    fn run(
        &mut self,
        closure: &Rc<Closure>,
        scope: Rc<Scope>,
        globals: Rc<Scope>,
        function: Option<FunctionKey>,
        method_of: Option<(Rc<Class>, Val)>,
    ) -> Val {
        let frame = Frame { function, method_of, ..Frame::new(closure.file, scope, globals) };
        let body = Arc::clone(&closure.function);
        let dags = self.dags.len();
        if let Some(dag) = closure.decorators.iter().find(|d| dotted(d).is_some_and(|name| name.ends_with(".dag"))) {
            let (own, keywords) = match &dag.kind {
                Kind::Object(object) => (object.args.get(0, "dag_id").cloned(), object.args.keywords.clone()),
                _ => (None, Vec::new()),
            };
            let name = own.unwrap_or_else(|| Val::str(Arc::clone(&closure.function.name)));
            self.dags.push(self.made("airflow.DAG", Args { positional: vec![name], keywords, ..Args::default() }));
        }
        let entered = self.collector.enter_task(closure);
        let (value, frame) = self.in_frame(frame, |this| {
            if let Some(value) = &body.value {
                Some(this.eval(value))
            } else {
                this.block(&body.body);
                None
            }
        });
        self.collector.leave_task(entered);
        self.dags.truncate(dags);
        if let Some(value) = value {
            return value;
        }
        let Some(frame) = frame else { return Val::none() };
        if body.is_generator {
            let manager = closure.decorators.iter().filter_map(dotted).any(|name| name.ends_with("contextmanager"));
            return if manager { Val::choice(frame.yields) } else { Val::list(frame.yields) };
        }
        Val::choice(frame.returns)
    }

    /// Follows a function that nobody calls, with what its annotations and defaults say.
    pub(super) fn run_uncalled(&mut self, closure: &Rc<Closure>, class: Option<&Rc<Class>>) {
        let key = (closure.file, closure.function.name_at.start);
        let scope = Scope::new(Some(Rc::clone(&closure.scope)));
        let globals = outermost(&closure.scope);
        self.frames.push(Frame::new(closure.file, Rc::clone(&globals), Rc::clone(&globals)));
        let receiver = class.filter(|_| closure.kind != FunctionKind::Static).map(|class| {
            if closure.kind == FunctionKind::Class || &*closure.function.name == "__init__" {
                return if closure.kind == FunctionKind::Class {
                    Val::new(Kind::Class(Rc::clone(class)))
                } else {
                    self.empty_instance(class)
                };
            }
            self.default_instance(class)
        });
        let mut first = receiver.clone();
        for (i, parameter) in closure.function.parameters.iter().enumerate() {
            let val = match first.take() {
                Some(receiver) => receiver,
                None => match closure.defaults.get(i).cloned().flatten() {
                    Some(default) => default,
                    None => self.unknown_parameter(&closure.function, i),
                },
            };
            scope.vars.borrow_mut().insert(Arc::clone(&parameter.name), val);
        }
        if let Some(name) = &closure.function.variadic {
            let val = Val::unknown(Why::Parameter(Arc::clone(name)), None);
            scope.vars.borrow_mut().insert(Arc::clone(name), val);
        }
        if let Some(name) = &closure.function.keywords {
            scope.vars.borrow_mut().insert(Arc::clone(name), Val::dict(Vec::new(), true));
        }
        self.partitions(closure, &scope);
        self.assets(closure);
        let method_of = receiver.and_then(|val| class.map(|class| (Rc::clone(class), val)));
        self.run(closure, scope, globals, Some(key), method_of);
        self.frames.pop();
    }

    /// Dagster's assets are given those that their parameters are called as.
    fn assets(&mut self, closure: &Rc<Closure>) {
        let is_asset =
            |d: Arc<str>| d.rsplit('.').next().is_some_and(|last| matches!(last, "asset" | "multi_asset" | "op"));
        if !closure.decorators.iter().filter_map(dotted).any(is_asset) {
            return;
        }
        let task = self.collector.task_of(closure.file, &closure.function.name);
        for parameter in &closure.function.parameters {
            let from = self.collector.task_of(closure.file, &parameter.name);
            self.collector.found.flows.push((from, Arc::clone(&task)));
        }
    }

    /// Dagster's partitions: `context.partition_key` is one of those that the decorator names.
    fn partitions(&mut self, closure: &Rc<Closure>, scope: &Rc<Scope>) {
        for decorator in &closure.decorators {
            let Kind::Object(decorator) = &decorator.kind else { continue };
            let Some(Val { kind: Kind::Object(definition), .. }) = decorator.args.keyword("partitions_def") else {
                continue;
            };
            let Some(keys) = definition.args.get(0, "partition_keys").and_then(|v| self.items(v)) else { continue };
            if let Some(Val { kind: Kind::Object(context), .. }) = scope.vars.borrow().get("context") {
                context.attrs.borrow_mut().insert("partition_key".into(), Val::choice(keys));
            }
        }
    }

    fn unknown_parameter(&mut self, function: &Function, i: usize) -> Val {
        let Some(parameter) = function.parameters.get(i) else { return Val::none() };
        if let Some(annotation) = &parameter.annotation {
            let annotation = self.eval(annotation);
            match &annotation.kind {
                Kind::External(name) if name.contains('.') && !name.starts_with("typing.") => {
                    return self.object(name);
                }
                Kind::Class(class) if self.frames.len() < CALLS_DEEP_MAX / 2 => {
                    return self.default_instance(&Rc::clone(class));
                }
                _ => {}
            }
        }
        match &*parameter.name {
            // What pipelines call these everywhere.
            "spark" | "sc" | "s3" | "context" | "ti" | "dag_run" => self.object(&parameter.name),
            name => self.unknown(Why::Parameter(name.into()), parameter.at),
        }
    }

    /// Calls something outside of the tree.
    pub(super) fn external(&mut self, name: &str, receiver: Option<&Val>, args: Args, at: Span) -> Val {
        let name: Arc<str> = if name.len() > CALLEE_BYTES_MAX {
            name.chars().take(CALLEE_BYTES_MAX).collect::<String>().into()
        } else {
            name.into()
        };
        if &*name == "super" {
            return self.made("super", args);
        }
        if let Some(val) = self.builtin(&name, &args, at) {
            return val;
        }
        if let Some(val) = self.call_through(&name, &args, at) {
            return val;
        }
        if let Some(val) = self.outside(&name, receiver, &args, at) {
            return val;
        }
        let made = self.made(&name, args);
        if let (Kind::Object(object), Some(Val { kind: Kind::Object(from), .. })) = (&made.kind, receiver) {
            object.attrs.borrow_mut().insert("\u{1}from".into(), Val::new(Kind::Object(Rc::clone(from))));
        }
        made
    }

    /// What an outside callable returns.
    pub(super) fn made(&self, callee: &str, args: Args) -> Val {
        Val::new(Kind::Object(Rc::new(Object { callee: callee.into(), args, attrs: RefCell::new(HashMap::new()) })))
    }

    /// Functions that are handed to others to be called.
    fn call_through(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let last = name.rsplit('.').next().unwrap_or(name);
        match last {
            "submit" | "apply" | "apply_async" | "run_in_executor" | "to_thread" | "create_task" | "map"
            | "starmap" | "imap" | "call_soon" | "run" => {
                let at_function = args.positional.iter().position(|v| matches!(v.kind, Kind::Function(_)))?;
                let function = args.positional.get(at_function)?.clone();
                let mut rest = Args {
                    positional: args.positional.get(at_function + 1..).unwrap_or_default().to_vec(),
                    keywords: args.keywords.clone(),
                    open: args.open,
                };
                if matches!(last, "map" | "imap" | "starmap") {
                    rest.positional =
                        rest.positional.iter().map(|v| self.items(v).map_or_else(|| v.clone(), Val::choice)).collect();
                }
                Some(self.call(&function, rest, at))
            }
            "Thread" | "Process" | "Timer" => {
                let function = args.keyword("target")?.clone();
                let positional = args.keyword("args").and_then(|v| self.items(v)).unwrap_or_default();
                let keywords = args.keyword("kwargs").map(entries).unwrap_or_default();
                self.call(&function, Args { positional, keywords, open: false }, at);
                None
            }
            _ => {
                let function = args.keyword("python_callable").filter(|f| matches!(f.kind, Kind::Function(_)))?.clone();
                let positional = args.keyword("op_args").and_then(|v| self.items(v)).unwrap_or_default();
                let mut keywords = args.keyword("op_kwargs").map(entries).unwrap_or_default();
                keywords.extend(args.keyword("templates_dict").map(|v| ("templates_dict".into(), v.clone())));
                let task = args.keyword("task_id").and_then(Val::as_str).map(str::to_owned);
                let before = self.collector.set_task(task);
                let result = self.call(&function, Args { positional, keywords, open: true }, at);
                self.collector.restore_task(before);
                if let Some(task) = args.keyword("task_id").and_then(Val::as_str) {
                    self.environment.insert(format!("XCom[task:{task}]").into(), result.clone());
                }
                self.outside(name, None, args, at);
                let made = self.made(name, args.clone());
                if let Kind::Object(object) = &made.kind {
                    object.attrs.borrow_mut().insert("output".into(), result);
                }
                Some(made)
            }
        }
    }
}

/// The attribute of a task's result that names the task.
const OF_TASK: &str = "\u{1}task";
/// Most results of tasks that are known again.
const RESULTS_MAX: usize = 4_096;

fn mark(val: &Val, task: &str) {
    for option in val.options() {
        if let Kind::Object(object) = &option.kind {
            object.attrs.borrow_mut().insert(OF_TASK.into(), Val::str(task));
        }
    }
}

/// Where a value that others may share is kept.
fn address(val: &Val) -> Option<usize> {
    match &val.kind {
        Kind::List(items) => Some(Rc::as_ptr(items) as usize),
        Kind::Dict(dict) => Some(Rc::as_ptr(dict) as usize),
        Kind::Tuple(items) => Some(items.as_ptr() as usize),
        Kind::Instance(instance) => Some(Rc::as_ptr(instance) as usize),
        _ => None,
    }
}

/// Text keys of a mapping with their values.
pub(super) fn entries(val: &Val) -> Vec<(Arc<str>, Val)> {
    match &val.kind {
        Kind::Dict(dict) => {
            dict.borrow().entries.iter().filter_map(|(k, v)| Some((k.as_str()?.into(), v.clone()))).collect()
        }
        _ => Vec::new(),
    }
}

/// The name of a method of what a call returned.
pub(super) fn chained(callee: &str, name: &str) -> String {
    if callee.len() + name.len() >= CALLEE_BYTES_MAX {
        // The start says whose it is, the end what is done.
        let start: String = callee.chars().take(CALLEE_BYTES_MAX / 2).collect();
        return format!("{start}.…{name}").replace('…', "");
    }
    format!("{callee}.{name}")
}

fn outermost(scope: &Rc<Scope>) -> Rc<Scope> {
    let mut scope = Rc::clone(scope);
    while let Some(parent) = &scope.parent {
        scope = Rc::clone(parent);
    }
    scope
}
