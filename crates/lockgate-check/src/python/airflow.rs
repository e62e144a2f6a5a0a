//! What Airflow, Dagster and Prefect add to Python: DAGs, tasks and what depends on what,
//! templates in arguments, and functions that become tasks.

use std::{rc::Rc, sync::Arc};

use super::{
    Closure, Interpreter,
    calls::entries,
    dotted,
    syntax::{Op, Span, Stmt},
};
use crate::{
    facts,
    jinja::{self, Context, Known},
    value::{Args, How, Kind, Text, Val, joined},
};

impl Interpreter<'_> {
    /// `with x as y`: what `y` is.
    pub(super) fn enter(&mut self, val: &Val, at: Span) -> Val {
        match &val.kind {
            Kind::Object(object) => {
                let last = object.callee.rsplit('.').next().unwrap_or_default();
                if matches!(last, "DAG" | "TaskGroup") {
                    self.dags.push(val.clone());
                }
                val.clone()
            }
            Kind::Instance(instance) => match instance.class.find("__enter__") {
                Some(Val { kind: Kind::Function(f), .. }) => {
                    self.call_function(&f, Some(val.clone()), Args::default(), at)
                }
                _ => val.clone(),
            },
            _ => val.clone(),
        }
    }

    /// What a function's return means for what decorated it.
    pub(super) fn returned(&mut self, val: &Val, stmt: &Stmt) {
        let Some(key) = self.frames.last().and_then(|frame| frame.function) else { return };
        let Some((_, closure, _)) = self.defined.iter().find(|(k, ..)| *k == key).cloned() else { return };
        let place = self.place(stmt.at);
        for decorator in closure.decorators.iter().filter_map(dotted) {
            let last = decorator.rsplit('.').next().unwrap_or_default();
            if last == "bash" && decorator.contains("task") {
                for option in val.options() {
                    if let Some(text) = option.as_text() {
                        let sink = crate::collect::Sink { what: "@task.bash", place, access: "" };
                        self.returned_command(&option, sink);
                        let rendered = self.rendered(&text.flat(), &option, &[], stmt.at);
                        let text = rendered.as_text().map(Text::flat).unwrap_or_default();
                        self.collector.script(&text, &rendered.trace, place, "@task.bash", &mut Vec::new());
                    }
                }
            }
        }
    }

    /// A function that was defined with outside decorators.
    pub(super) fn decorated(&mut self, closure: &Rc<Closure>) {
        let place = crate::source::Place {
            file: closure.file,
            start: closure.function.name_at.start,
            end: closure.function.name_at.end,
        };
        for decorator in &closure.decorators {
            let Some(name) = dotted(decorator) else { continue };
            let last = name.rsplit('.').next().unwrap_or_default();
            let is_task = matches!(
                last,
                "task"
                    | "asset"
                    | "op"
                    | "flow"
                    | "job"
                    | "multi_asset"
                    | "sensor"
                    | "virtualenv"
                    | "kubernetes"
                    | "docker"
                    | "bash"
                    | "external_python"
                    | "short_circuit"
                    | "branch"
            );
            if is_task && self.collector.quiet == 0 {
                let own = match &decorator.kind {
                    Kind::Object(object) => object.args.keyword("task_id").and_then(Val::as_str),
                    _ => None,
                };
                let task = own.unwrap_or(&closure.function.name).to_owned();
                let key = self.collector.task_of(closure.file, &closure.function.name);
                self.task_names.insert(key, task.clone());
                let what = facts::Task {
                    dag: self.dags.last().and_then(dag_id).unwrap_or_default(),
                    name: task,
                    operator: name.to_string(),
                    upstream: Vec::new(),
                };
                let raw = self.collector.raw(place, &None, what);
                self.collector.found.tasks.push(raw);
            }
        }
    }

    /// A task is given what another one returned.
    pub(super) fn given_by(&mut self, from: &str, to: &str) {
        let (Some(from), Some(to)) = (self.task_names.get(from).cloned(), self.task_names.get(to).cloned()) else {
            return;
        };
        let file = self.current_file();
        let mut tasks = self.collector.found.tasks.iter_mut().rev().filter(|t| t.place.file == file);
        if let Some(task) = tasks.find(|task| task.what.name == to)
            && !task.what.upstream.contains(&from)
            && task.what.upstream.len() < 256
        {
            task.what.upstream.push(from);
        }
    }

    /// `a >> b`, `a << [b, c]`.
    pub(super) fn depends(&mut self, left: &Val, op: Op, right: &Val) {
        let (before, after) = if op == Op::ShiftRight { (left, right) } else { (right, left) };
        let names = |this: &Self, val: &Val| -> Vec<String> {
            let all = this.items(val).unwrap_or_else(|| vec![val.clone()]);
            all.iter()
                .filter_map(|v| match &v.kind {
                    Kind::Object(object) => object.args.keyword("task_id").and_then(Val::as_str).map(str::to_owned),
                    _ => None,
                })
                .collect()
        };
        let (before, after) = (names(self, before), names(self, after));
        let file = self.current_file();
        for task in self.collector.found.tasks.iter_mut().rev().filter(|t| t.place.file == file).take(1_000) {
            if after.contains(&task.what.name) {
                for name in &before {
                    if !task.what.upstream.contains(name) && task.what.upstream.len() < 256 {
                        task.what.upstream.push(name.clone());
                    }
                }
            }
        }
    }

    /// A task that an operator's constructor makes.
    pub(super) fn task_of(&mut self, callee: &str, args: &Args, at: Span) {
        let Some(name) = args.keyword("task_id").and_then(Val::as_str) else { return };
        // A decorator is noted with its function.
        if callee.rsplit('.').next() == Some("task") || callee.contains(".task.") {
            return;
        }
        let dag = self
            .dags
            .iter()
            .chain(args.keyword("dag"))
            .find_map(|dag| match &dag.kind {
                Kind::Object(object) => object.args.get(0, "dag_id").and_then(Val::as_str).map(str::to_owned),
                _ => None,
            })
            .unwrap_or_default();
        let what = facts::Task { dag, name: name.to_owned(), operator: callee.to_owned(), upstream: Vec::new() };
        let raw = self.collector.raw(self.place(at), &None, what);
        self.collector.found.tasks.push(raw);
    }

    /// The values of a text's templates, with the parameters of the call and its DAG.
    pub(super) fn rendered(&mut self, text: &str, val: &Val, keywords: &[(Arc<str>, Val)], at: Span) -> Val {
        if !jinja::is_template(text) {
            return val.clone();
        }
        let mut names: Vec<(Arc<str>, Known)> = Vec::new();
        let mut params: Vec<(Arc<str>, Known)> = Vec::new();
        let mut traces = vec![val.trace.clone()];
        let mut add = |from: &Val, params: &mut Vec<(Arc<str>, Known)>| {
            for (name, val) in entries(from) {
                traces.extend(val.options().iter().take(4).map(|v| v.trace.clone()));
                if !params.iter().any(|(known, _)| *known == name) {
                    params.push((name, known(&val, 0)));
                }
            }
        };
        if let Some((_, own)) = keywords.iter().find(|(k, _)| &**k == "params") {
            add(own, &mut params);
        }
        let mut macros: Vec<(Arc<str>, Val)> = Vec::new();
        let from_keyword: Vec<Val> = keywords.iter().filter(|(k, _)| &**k == "dag").map(|(_, v)| v.clone()).collect();
        for dag in self.dags.iter().rev().chain(&from_keyword) {
            if let Kind::Object(object) = &dag.kind {
                if let Some(own) = object.args.keyword("params") {
                    add(own, &mut params);
                }
                if let Some(own) = object.args.keyword("default_args")
                    && let Some((_, own)) = entries(own).into_iter().find(|(k, _)| &**k == "params")
                {
                    add(&own, &mut params);
                }
                if let Some(own) = object.args.keyword("user_defined_macros") {
                    let mut called = Vec::new();
                    for (name, val) in entries(own) {
                        // A macro without arguments is called once.
                        if matches!(val.kind, Kind::Function(_)) {
                            called.push((name, val));
                        }
                    }
                    macros.extend(called);
                    add(own, &mut names);
                }
            }
        }
        if let Some((_, own)) = keywords.iter().find(|(k, _)| &**k == "templates_dict") {
            let mut inner = Vec::new();
            add(own, &mut inner);
            names.push(("templates_dict".into(), Known::Map(inner)));
        }
        for (name, function) in macros {
            let result = self.call_values(&function, Vec::new(), at);
            traces.extend(result.options().iter().take(4).map(|v| v.trace.clone()));
            names.retain(|(known, _)| *known != name);
            names.push((name, Known::Call(Box::new(known(&result, 0)))));
        }
        names.push(("params".into(), Known::Map(params)));
        let variables = self
            .environment
            .iter()
            .filter_map(|(name, val)| {
                let name = match name.strip_prefix("Variable[") {
                    Some(rest) => rest.strip_suffix(']')?.to_owned(),
                    // What tasks hand on is asked for by key or by task.
                    None if name.starts_with("XCom[") => name.to_string(),
                    None => return None,
                };
                let text = val.options().iter().find_map(|v| v.as_text().cloned())?;
                Some((Arc::from(name), text))
            })
            .collect();
        match jinja::render(text, &Context { names, variables, ..Context::default() }) {
            Some(text) => {
                // Of the parameters, those whose text stands in what was made.
                let flat = text.flat();
                let tree = self.world.tree;
                let stands = |trace: &crate::value::Trace| {
                    crate::value::literals(trace).iter().any(|place| {
                        let source = tree.file(place.file).and_then(|f| f.text().ok());
                        let literal =
                            source.and_then(|t| t.get(place.start as usize..place.end as usize)).unwrap_or_default();
                        let bare = literal.trim_matches(['"', '\'', 'f', 'r', 'b']);
                        bare.len() < 2 || bare.len() > 64 || flat.contains(bare)
                    })
                };
                let first = traces.first().cloned();
                let kept: Vec<_> = first.into_iter().chain(traces.into_iter().skip(1).filter(stands)).collect();
                Val::text(text, joined(self.place(at), How::Rendered, kept))
            }
            None => val.clone(),
        }
    }

    /// A template of the program's own, rendered with the names that it is given.
    pub(super) fn rendered_with(&mut self, text: &str, val: &Val, names: &Val, at: Span) -> Val {
        let mut traces = vec![val.trace.clone()];
        let names = entries(names)
            .into_iter()
            .map(|(name, val)| {
                traces.push(val.trace.clone());
                (name, known(&val, 0))
            })
            .collect();
        match jinja::render(text, &Context { names, ..Context::default() }) {
            Some(text) => Val::text(text, joined(self.place(at), How::Rendered, traces)),
            None => val.clone(),
        }
    }
}

/// A value as a template sees it.
fn known(val: &Val, depth: usize) -> Known {
    if depth > 8 {
        return Known::Text(Text::Known("".into()));
    }
    match &val.kind {
        Kind::Dict(dict) => Known::Map(
            dict.borrow().entries.iter().filter_map(|(k, v)| Some((k.as_str()?.into(), known(v, depth + 1)))).collect(),
        ),
        Kind::List(items) => Known::List(items.borrow().iter().map(|v| known(v, depth + 1)).collect()),
        Kind::Tuple(items) => Known::List(items.iter().map(|v| known(v, depth + 1)).collect()),
        // `Param("default", type="string")`.
        Kind::Object(object) if object.callee.ends_with("Param") => match object.args.get(0, "default") {
            Some(default) => known(&default.clone(), depth + 1),
            None => Known::Text(Text::of(val.pieces())),
        },
        Kind::Choice(options) => options
            .iter()
            .find(|option| option.as_text().is_some())
            .or(options.first())
            .map_or_else(|| Known::Text(Text::Known("".into())), |option| known(option, depth + 1)),
        _ => Known::Text(Text::of(val.pieces())),
    }
}

/// The name of a DAG's object.
fn dag_id(dag: &Val) -> Option<String> {
    match &dag.kind {
        Kind::Object(object) => object.args.get(0, "dag_id").and_then(Val::as_str).map(str::to_owned),
        _ => None,
    }
}
