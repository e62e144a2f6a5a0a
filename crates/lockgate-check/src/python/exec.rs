//! Statements.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use hashbrown::HashMap;

use super::{
    Class, Closure, Flow, FunctionKind, Interpreter, Journal, ROUNDS_MAX, Scope, dotted,
    syntax::{ClassDef, Expr, Function, Node, Op, Stmt, StmtNode},
};
use crate::{
    source::Place,
    value::{How, Kind, Text, Val, Why},
};

/// What a branch left behind: by scope and name.
type Changes = HashMap<(usize, Arc<str>), (Rc<Scope>, Val)>;

impl Interpreter<'_> {
    pub(super) fn block(&mut self, body: &[Stmt]) -> Flow {
        for stmt in body {
            let flow = self.stmt(stmt);
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    fn stmt(&mut self, stmt: &Stmt) -> Flow {
        if !self.step() {
            return Flow::Next;
        }
        match &stmt.node {
            StmtNode::Function(function) => {
                let val = self.define(function);
                self.bind_local(&function.name, val);
            }
            StmtNode::Class(def) => {
                let val = self.class(def);
                self.bind_local(&def.name, val);
            }
            StmtNode::Return(value) => {
                let val = value.as_ref().map_or_else(Val::none, |value| self.eval(value));
                self.returned(&val, stmt);
                if let Some(frame) = self.frame() {
                    frame.returns.push(val);
                }
                return Flow::Return;
            }
            StmtNode::Assign(targets, value) => {
                let captions = std::mem::replace(&mut self.collector.captions, is_captions(targets, value));
                let val = self.eval(value);
                self.collector.captions = captions;
                for target in targets {
                    self.assign(target, val.clone());
                }
            }
            StmtNode::Annotated(target, annotation, value) => {
                self.eval(annotation);
                if let Some(value) = value {
                    let val = self.eval(value);
                    self.assign(target, val);
                }
            }
            StmtNode::Augmented(target, op, value) => self.augment(target, *op, value, stmt),
            StmtNode::For(target, iter, body, orelse) => return self.for_loop(target, iter, body, orelse),
            StmtNode::While(test, body, orelse) => {
                self.eval(test);
                // Twice, so that what one round leaves is seen by the next.
                for _ in 0..2 {
                    self.branches(&[body, &[]]);
                }
                self.block(orelse);
            }
            StmtNode::If(test, body, orelse) => return self.condition(test, body, orelse),
            StmtNode::With(items, body) => {
                let dags = self.dags.len();
                for (context, target) in items {
                    let val = self.eval(context);
                    let entered = self.enter(&val, context.at);
                    if let Some(target) = target {
                        self.assign(target, entered);
                    }
                }
                let flow = self.block(body);
                self.dags.truncate(dags);
                return flow;
            }
            StmtNode::Match(subject, cases) => {
                self.eval(subject);
                let at = subject.at;
                let mut journals = Vec::new();
                let mut flows = Vec::new();
                for case in cases {
                    self.journals.push(Vec::new());
                    for name in &case.bound {
                        let val = self.unknown(Why::Name(Arc::clone(name)), at);
                        self.bind_local(name, val);
                    }
                    flows.push(self.block(&case.body));
                    let journal = self.journals.pop().unwrap_or_default();
                    journals.push(self.undo(journal));
                }
                journals.push(HashMap::new());
                flows.push(Flow::Next);
                return self.join(journals, &flows);
            }
            StmtNode::Raise(value) => {
                if let Some(value) = value {
                    self.collector.quiet += 1;
                    self.eval(value);
                    self.collector.quiet -= 1;
                }
                return Flow::Raise;
            }
            StmtNode::Try(body, handlers, orelse, finally) => {
                // What a handler sees may be from before or after the body.
                self.block(body);
                for (name, handler) in handlers {
                    self.journals.push(Vec::new());
                    if let Some(name) = name {
                        let val = self.unknown(Why::Name(Arc::clone(name)), stmt.at);
                        self.bind_local(name, val);
                    }
                    let flow = self.block(handler);
                    let journal = self.journals.pop().unwrap_or_default();
                    let changed = self.undo(journal);
                    self.join(vec![changed, HashMap::new()], &[flow, Flow::Next]);
                }
                self.block(orelse);
                self.block(finally);
            }
            StmtNode::Assert(test) => {
                self.collector.quiet += 1;
                self.eval(test);
                self.collector.quiet -= 1;
            }
            StmtNode::Import(names) => self.import(names),
            StmtNode::ImportFrom(module, level, names) => self.import_from(module.as_deref(), *level, names, stmt.at),
            StmtNode::Global(names) => {
                let names = names.clone();
                if let Some(frame) = self.frame() {
                    frame.global_names.extend(names);
                }
            }
            StmtNode::Delete(targets) => {
                for target in targets {
                    if !matches!(target.node, Node::Name(_)) {
                        self.eval(target);
                    }
                }
            }
            StmtNode::Expr(value) => {
                // A text alone is documentation.
                if !matches!(value.node, Node::Str(_)) {
                    self.eval(value);
                }
            }
            StmtNode::Magic(text, is_shell) => self.magic(text, *is_shell, stmt.at),
            StmtNode::Break => return Flow::Break,
            StmtNode::Continue => return Flow::Continue,
            StmtNode::Pass => {}
        }
        Flow::Next
    }

    /// Runs alternatives from the same start and joins what they leave.
    fn branches(&mut self, bodies: &[&[Stmt]]) -> Flow {
        let mut changes = Vec::new();
        let mut flows = Vec::new();
        for body in bodies {
            self.journals.push(Vec::new());
            flows.push(self.block(body));
            let journal = self.journals.pop().unwrap_or_default();
            changes.push(self.undo(journal));
        }
        self.join(changes, &flows)
    }

    fn condition(&mut self, test: &Expr, body: &[Stmt], orelse: &[Stmt]) -> Flow {
        let truth = self.eval(test).truth();
        // A round of a loop is decided by the value that it has.
        if let Some(holds) = truth
            && self.asks_of_round(test)
        {
            return self.block(if holds { body } else { orelse });
        }
        // Only what no configuration can change is left out.
        match &test.node {
            Node::Bool(false) | Node::Int(0) => return self.block(orelse),
            Node::Bool(true) | Node::Int(1) => return self.block(body),
            Node::Name(name) if &**name == "TYPE_CHECKING" => {
                self.block(body);
                return self.block(orelse);
            }
            Node::Compare(left, _) if matches!(&left.node, Node::Name(name) if &**name == "__name__") => {
                return self.block(body);
            }
            _ => {}
        }
        self.branches(&[body, orelse])
    }

    /// Whether a condition compares the variable of a loop, or asks a text about it.
    fn asks_of_round(&self, test: &Expr) -> bool {
        let is_of_loop = |expr: &Expr| matches!(&expr.node, Node::Name(name) if self.loops.contains(name));
        match &test.node {
            Node::Compare(left, others) => is_of_loop(left) || others.iter().any(|(_, other)| is_of_loop(other)),
            Node::Call(call) => {
                let asks = matches!(&call.function.node, Node::Attribute(_, name)
                    if matches!(&**name, "startswith" | "endswith"));
                asks && call.positional.iter().any(is_of_loop)
            }
            _ => false,
        }
    }

    /// Takes a branch's changes back and returns what it had left behind.
    fn undo(&mut self, journal: Journal) -> Changes {
        let mut left = HashMap::new();
        for (scope, name, before) in journal.into_iter().rev() {
            let key = (Rc::as_ptr(&scope) as usize, Arc::clone(&name));
            let mut vars = scope.vars.borrow_mut();
            if let Some(now) = vars.get(&name)
                && !left.contains_key(&key)
            {
                left.insert(key, (Rc::clone(&scope), now.clone()));
            }
            match before {
                Some(before) => drop(vars.insert(name, before)),
                None => drop(vars.remove(&name)),
            }
        }
        left
    }

    /// Gives every name the values that the branches left which go on.
    fn join(&mut self, changes: Vec<Changes>, flows: &[Flow]) -> Flow {
        let going: Vec<_> =
            changes.into_iter().zip(flows).filter(|(_, flow)| **flow == Flow::Next).map(|(c, _)| c).collect();
        if going.is_empty() {
            return flows.first().copied().unwrap_or(Flow::Next);
        }
        let mut names: Vec<(usize, Arc<str>)> = Vec::new();
        let mut scopes: HashMap<usize, Rc<Scope>> = HashMap::new();
        for change in &going {
            for (key, (scope, _)) in change {
                scopes.entry(key.0).or_insert_with(|| Rc::clone(scope));
                if !names.contains(key) {
                    names.push(key.clone());
                }
            }
        }
        names.sort_by(|a, b| a.1.cmp(&b.1));
        for key in names {
            let Some(scope) = scopes.get(&key.0).cloned() else { continue };
            let before = scope.vars.borrow().get(&key.1).cloned();
            let options: Vec<Val> = going
                .iter()
                .filter_map(|change| change.get(&key).map(|(_, val)| val.clone()).or_else(|| before.clone()))
                .collect();
            let joined = Val::choice(options);
            let place = crate::value::literals(&joined.options().last().map(|v| v.trace.clone()).unwrap_or_default());
            if let Some(place) = place.first() {
                self.collector.stands_in(&joined, *place);
            }
            self.bind(&scope, key.1, joined);
        }
        Flow::Next
    }

    /// Says where a loop has more rounds than are followed.
    pub(super) fn rounds(&mut self, count: usize, most: usize, at: super::syntax::Span) {
        if count > most && self.collector.quiet == 0 {
            let what = format!("of the {count} rounds of a loop the first {most} were followed");
            self.collector.problem(self.current_file(), at.start, &what);
        }
    }

    fn for_loop(&mut self, target: &Expr, iter: &Expr, body: &[Stmt], orelse: &[Stmt]) -> Flow {
        let over = self.eval(iter);
        match self.items(&over) {
            Some(items) if items.is_empty() => {}
            Some(items) => {
                self.rounds(items.len(), ROUNDS_MAX, iter.at);
                let loops = self.loops.len();
                let targets = match &target.node {
                    Node::Tuple(targets) => targets.as_slice(),
                    _ => std::slice::from_ref(target),
                };
                for target in targets {
                    if let Node::Name(name) = &target.node {
                        self.loops.push(Arc::clone(name));
                    }
                }
                for item in items.into_iter().take(ROUNDS_MAX) {
                    self.assign(target, item);
                    match self.block(body) {
                        Flow::Break => break,
                        Flow::Return => {
                            self.loops.truncate(loops);
                            return Flow::Return;
                        }
                        Flow::Raise => {
                            self.loops.truncate(loops);
                            return Flow::Next;
                        }
                        Flow::Next | Flow::Continue => {}
                    }
                    if self.steps >= self.limit {
                        break;
                    }
                }
                self.loops.truncate(loops);
            }
            None => {
                let item = self.item_of(&over, iter.at);
                self.journals.push(Vec::new());
                self.assign(target, item);
                let flow = self.block(body);
                let journal = self.journals.pop().unwrap_or_default();
                let changed = self.undo(journal);
                // A loop may end after any round, so what it leaves stands beside what was.
                self.join(
                    vec![changed, HashMap::new()],
                    &[if flow == Flow::Return { flow } else { Flow::Next }, Flow::Next],
                );
            }
        }
        self.block(orelse)
    }

    fn augment(&mut self, target: &Expr, op: Op, value: &Expr, stmt: &Stmt) {
        let before = self.eval(target);
        let by = self.eval(value);
        if let (Kind::List(list), Op::Add) = (&before.kind, op)
            && let Some(items) = self.items(&by)
        {
            list.borrow_mut().extend(items.into_iter().take(4096));
            return;
        }
        if let (Kind::Dict(dict), Op::Or, Kind::Dict(more)) = (&before.kind, op, &by.kind) {
            if !Rc::ptr_eq(dict, more) {
                for (k, v) in &more.borrow().entries {
                    dict.borrow_mut().set(k.clone(), v.clone());
                }
            }
            return;
        }
        let val = self.binary(&before, op, &by, stmt.at);
        self.assign(target, val);
    }

    /// Gives a target its value.
    pub(super) fn assign(&mut self, target: &Expr, val: Val) {
        let place = self.place(target.at);
        match &target.node {
            Node::Name(name) => {
                let val = val.step(place, How::Assigned(Arc::clone(name)));
                self.collector.assigned(name, &val, place);
                self.bind_local(name, val);
            }
            Node::Attribute(object, name) => {
                let object = self.eval(object);
                let val = val.step(place, How::Assigned(Arc::clone(name)));
                self.collector.assigned(name, &val, place);
                self.switch("", name, &val, place);
                self.set_attribute(&object, name, val, place);
            }
            Node::Index(object, index) => {
                let object = self.eval(object);
                let index = self.eval(index);
                let name: Arc<str> = index.as_str().unwrap_or("[]").into();
                let val = val.step(place, How::Assigned(Arc::clone(&name)));
                self.set_item(&object, index, val, place);
            }
            Node::Tuple(targets) | Node::List(targets) => match self.items(&val) {
                Some(items) => self.unpack(targets, &items),
                None => {
                    for target in targets {
                        let item = self.item_of(&val, target.at);
                        self.assign(target, item);
                    }
                }
            },
            Node::Starred(inner) => self.assign(inner, val),
            _ => {}
        }
    }

    fn unpack(&mut self, targets: &[Expr], items: &[Val]) {
        let star = targets.iter().position(|t| matches!(t.node, Node::Starred(_)));
        for (i, target) in targets.iter().enumerate() {
            let val = match star {
                Some(star) if i == star => {
                    let after = targets.len() - star - 1;
                    Val::list(items.get(star..items.len().saturating_sub(after)).unwrap_or_default().to_vec())
                }
                Some(star) if i > star => items
                    .len()
                    .checked_sub(targets.len() - i)
                    .and_then(|i| items.get(i))
                    .cloned()
                    .unwrap_or_else(Val::none),
                _ => items.get(i).cloned().unwrap_or_else(Val::none),
            };
            self.assign(target, val);
        }
    }

    fn set_attribute(&mut self, object: &Val, name: &Arc<str>, val: Val, place: crate::source::Place) {
        for object in object.options() {
            match &object.kind {
                Kind::Instance(instance) => {
                    let mut attrs = instance.attrs.borrow_mut();
                    let val = match attrs.get(name) {
                        // In a branch, what was set before may still stand.
                        Some(before) if !self.journals.is_empty() => Val::choice(vec![before.clone(), val.clone()]),
                        _ => val.clone(),
                    };
                    attrs.insert(Arc::clone(name), val);
                }
                Kind::Class(class) => drop(class.attrs.borrow_mut().insert(Arc::clone(name), val.clone())),
                Kind::Object(object) => {
                    object.attrs.borrow_mut().insert(Arc::clone(name), val.clone());
                    self.set_on(object, name, &val, place);
                }
                Kind::Module(file) => {
                    if let Some(scope) = self.modules.get(file).cloned() {
                        self.bind(&scope, Arc::clone(name), val.clone());
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn set_attribute_of(&mut self, object: &Val, name: &str, val: Val, place: crate::source::Place) {
        self.set_attribute(object, &name.into(), val, place);
    }

    /// Makes a function, and notes it as one that may never be called.
    fn define(&mut self, function: &Arc<Function>) -> Val {
        let mut defaults = self.defaults(function);
        let mut kind = FunctionKind::Plain;
        let mut outside = Vec::new();
        let mut inside = Vec::new();
        for decorator in function.decorators.iter().rev() {
            let val = self.eval(decorator);
            self.option_default(function, &val, self.place(decorator.at), &mut defaults);
            match dotted(&val).as_deref() {
                Some("staticmethod") => kind = FunctionKind::Static,
                Some("classmethod") => kind = FunctionKind::Class,
                Some("property" | "functools.cached_property" | "cached_property") => kind = FunctionKind::Property,
                Some(_) => outside.push(val),
                None if matches!(val.kind, Kind::Function(_)) => inside.push(val),
                None => {}
            }
        }
        let closure = self.closure(function, defaults, kind, outside);
        let key = (closure.file, function.name_at.start);
        if self.seen.insert(key) {
            self.defined.push((key, Rc::clone(&closure), None));
        }
        self.decorated(&closure);
        let mut val = Val::new(Kind::Function(closure));
        for decorator in inside {
            let result = self.call_values(&decorator, vec![val.clone()], function.name_at);
            if matches!(result.kind, Kind::Function(_)) {
                val = result;
            }
        }
        val
    }

    /// `@click.option("--bucket", default="...")`: the parameter of that name has this default.
    fn option_default(&mut self, function: &Function, decorator: &Val, place: Place, defaults: &mut [Option<Val>]) {
        let Kind::Object(object) = &decorator.kind else { return };
        let is_option = matches!(object.callee.rsplit('.').next(), Some("option" | "argument"));
        let Some(default) = object.args.keyword("default").filter(|_| is_option && object.callee.contains("click"))
        else {
            return;
        };
        let names = object.args.positional.iter().filter_map(Val::as_str);
        // Its own name for the parameter, or the longest of its options.
        let Some(option) = names.max_by_key(|name| (!name.starts_with('-'), name.len())) else { return };
        let name = option.trim_start_matches('-').split('/').next().unwrap_or(option).replace('-', "_");
        let val = default.clone().step(place, How::Default(option.into()));
        self.collector.assigned(&name, &val, place);
        let index = function.parameters.iter().position(|parameter| *parameter.name == *name);
        if let Some(slot) = index.and_then(|i| defaults.get_mut(i)) {
            *slot = Some(val);
        }
    }

    fn defaults(&mut self, function: &Function) -> Vec<Option<Val>> {
        let mut defaults = Vec::with_capacity(function.parameters.len());
        for parameter in &function.parameters {
            let place = self.place(parameter.at);
            defaults.push(parameter.default.as_ref().map(|default| {
                let val = self.eval(default).step(place, How::Default(Arc::clone(&parameter.name)));
                self.collector.assigned(&parameter.name, &val, place);
                val
            }));
        }
        defaults
    }

    fn closure(
        &mut self,
        function: &Arc<Function>,
        defaults: Vec<Option<Val>>,
        kind: FunctionKind,
        decorators: Vec<Val>,
    ) -> Rc<Closure> {
        let scope = self.frames.last().map_or_else(|| Scope::new(None), |frame| Rc::clone(&frame.scope));
        Rc::new(Closure {
            function: Arc::clone(function),
            file: self.current_file(),
            defaults,
            scope,
            class: RefCell::new(None),
            kind,
            decorators,
        })
    }

    pub(super) fn lambda(&mut self, function: &Arc<Function>) -> Val {
        let defaults = self.defaults(function);
        Val::new(Kind::Function(self.closure(function, defaults, FunctionKind::Plain, Vec::new())))
    }

    fn class(&mut self, def: &Arc<ClassDef>) -> Val {
        for decorator in &def.decorators {
            self.eval(decorator);
        }
        let bases = def.bases.iter().map(|base| self.eval(base)).collect();
        for (_, value) in &def.keywords {
            self.eval(value);
        }
        let scope = Scope::new(self.frames.last().map(|frame| Rc::clone(&frame.scope)));
        let class = Rc::new(Class {
            def: Arc::clone(def),
            attrs: RefCell::new(HashMap::new()),
            bases,
            fields: RefCell::new(Vec::new()),
        });
        for stmt in &def.body {
            if let StmtNode::Annotated(target, _, _) = &stmt.node
                && let Node::Name(name) = &target.node
            {
                class.fields.borrow_mut().push(Arc::clone(name));
            }
        }
        // The body sees its own names; methods do not, so their scope is the one around.
        let outer = self.frames.last().map(|frame| Rc::clone(&frame.scope));
        if let Some(frame) = self.frame() {
            frame.scope = Rc::clone(&scope);
        }
        let mark = self.defined.len();
        self.block(&def.body);
        if let (Some(frame), Some(outer)) = (self.frame(), outer.clone()) {
            frame.scope = outer;
        }
        for (_, closure, owner) in self.defined.iter_mut().skip(mark) {
            if owner.is_none() && Rc::ptr_eq(&closure.scope, &scope) {
                *owner = Some(Rc::clone(&class));
            }
        }
        if class.outside_base(0).is_some_and(|base| &*base == "enum.StrEnum") {
            for (name, val) in scope.vars.borrow_mut().iter_mut() {
                if matches!(&val.kind, Kind::Object(object) if &*object.callee == "enum.auto") {
                    *val = Val::text(Text::Known(name.to_lowercase().into()), val.trace.clone());
                }
            }
        }
        for (name, val) in scope.vars.borrow().iter() {
            if let Kind::Function(closure) = &val.kind {
                *closure.class.borrow_mut() = Some(Rc::clone(&class));
            }
            class.attrs.borrow_mut().insert(Arc::clone(name), val.clone());
        }
        if class.overrides() {
            self.overriding.push((self.current_file(), Rc::clone(&class)));
        }
        Val::new(Kind::Class(class))
    }
}

/// `LABELS = {"password": "Passwort"}`: what people read beside a field, not what is in it.
fn is_captions(targets: &[Expr], value: &Expr) -> bool {
    const LAST: [&str; 22] = [
        "label",
        "labels",
        "caption",
        "captions",
        "title",
        "titles",
        "translation",
        "translations",
        "i18n",
        "l10n",
        "locale",
        "locales",
        "placeholder",
        "placeholders",
        "help",
        "texts",
        "tooltip",
        "tooltips",
        "hint",
        "hints",
        "message",
        "messages",
    ];
    matches!(value.node, Node::Dict(_))
        && targets.iter().any(|target| {
            let (Node::Name(name) | Node::Attribute(_, name)) = &target.node else { return false };
            crate::credentials::words(name).last().is_some_and(|last| LAST.contains(&last.as_str()))
        })
}
