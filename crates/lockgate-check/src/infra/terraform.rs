//! Terraform and OpenTofu: a module is a folder, evaluated with its variables' values.
//!
//! Variables have their defaults and what `*.tfvars` and callers of the tree give them; locals,
//! `for_each`, functions on texts and lists, and modules with a path of the tree are followed.
//! What a provider computes is not known; what a data source or a generated secret gives is a
//! reference.

mod folders;
mod functions;
mod given;
mod names;
mod types;

use hashbrown::HashMap;
use hcl_edit::{
    Span as _,
    expr::{BinaryOperator, Expression, ObjectKey, UnaryOperator},
    structure::{Block, Body, Structure},
    template::{Directive, Element, Template},
};

pub use folders::{Folders, sources};
use folders::{called, folder_files, values_below};
use given::{given_to, nested};
pub use names::resolve;

use super::cloud;
use crate::{
    collect::{Collector, Sink},
    source::Place,
    value::{How, Kind, Piece, Text, Val, Why, joined, literal},
};

/// Deepest modules within modules, and deepest references.
const DEPTH_MAX: usize = 8;
/// Most evaluations of a folder with all of its modules.
const STEPS_MAX: u64 = 300_000;
/// Most instances of a resource with `for_each`.
const INSTANCES_MAX: usize = 32;

/// One evaluation of a folder.
struct Module<'b> {
    tree: &'b crate::source::Tree,
    folder: String,
    bodies: &'b [(u32, Body)],
    given: HashMap<String, Val>,
    /// Variables with the defaults of their types.
    completed: HashMap<String, Val>,
    locals: HashMap<String, (u32, &'b Expression)>,
    /// `each.key`, `each.value`, `count.index` and the names of `for`.
    names: Vec<(String, Val)>,
    /// Locals and variables that are being evaluated: a cycle is unknown.
    asking: Vec<String>,
    outputs: HashMap<String, Val>,
    /// Evaluations that are left.
    left: u64,
}

/// Reads the folder of a file; the first of its files that is asked for does it for all.
pub fn read(collector: &mut Collector<'_>, file: u32) {
    let Some(source) = collector.tree.file(file) else { return };
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let members = folder_files(collector, &folder);
    let first = members.iter().find(|id| collector.tree.asked.get(**id as usize) == Some(&true)).copied();
    // A module that the tree calls is judged with what its callers give it.
    if first != Some(file) || called(collector).contains(&folder) {
        return;
    }
    run(collector, &folder, HashMap::new(), 0);
}

/// Evaluates a folder and returns its outputs.
fn run(
    collector: &mut Collector<'_>,
    folder: &str,
    mut given: HashMap<String, Val>,
    depth: usize,
) -> HashMap<String, Val> {
    if depth > DEPTH_MAX || collector.steps >= STEPS_MAX {
        if let Some(first) = folder_files(collector, folder).first().copied() {
            collector.problem(
                first,
                0,
                "it is called deeper than 8 modules within modules, and was not looked at there",
            );
        }
        return HashMap::new();
    }
    let mut bodies: Vec<(u32, Body)> = Vec::new();
    let mut values: Vec<(u32, Body)> = Vec::new();
    let mut files = folder_files(collector, folder);
    if depth == 0 {
        files.extend(values_below(collector, folder));
    }
    for id in files {
        let Some(file) = collector.tree.file(id) else { continue };
        let text = match file.text() {
            Ok(text) => text,
            Err(what) => {
                let what = what.to_owned();
                collector.problem(id, 0, &what);
                continue;
            }
        };
        match hcl_edit::parser::parse_body(text) {
            Ok(body) if file.path.contains(".tfvars") => values.push((id, body)),
            Ok(body) => bodies.push((id, body)),
            Err(error) => {
                let offset = error.location().offset();
                let what = format!("it is not HCL, and was read line by line: {}", error.message());
                collector.problem(id, u32::try_from(offset).unwrap_or(0), &what);
                let text = std::sync::Arc::clone(text);
                super::plain::lines(collector, id, &text);
            }
        }
    }
    let plain = Module {
        tree: collector.tree,
        folder: folder.to_owned(),
        bodies: &[],
        given: HashMap::new(),
        completed: HashMap::new(),
        locals: HashMap::new(),
        names: Vec::new(),
        asking: Vec::new(),
        outputs: HashMap::new(),
        left: STEPS_MAX.saturating_sub(collector.steps),
    };
    let mut plain = plain;
    for (id, body) in &values {
        for attribute in body.attributes() {
            let val = plain.eval(*id, &attribute.value, 0);
            let name = attribute.key.as_str();
            collector.assigned(name, &val, place(*id, attribute.value.span()));
            nested(collector, &val, place(*id, attribute.value.span()), 0);
            if depth == 0 {
                // Of several files of values any may be the one.
                let known = given.remove(name);
                given.insert(
                    name.to_owned(),
                    known.map_or_else(|| val.clone(), |known| Val::choice(vec![known, val.clone()])),
                );
            }
        }
    }
    let mut module = Module {
        tree: collector.tree,
        folder: folder.to_owned(),
        bodies: &bodies,
        given,
        completed: HashMap::new(),
        locals: HashMap::new(),
        names: Vec::new(),
        asking: Vec::new(),
        outputs: HashMap::new(),
        left: STEPS_MAX.saturating_sub(collector.steps),
    };
    for (id, body) in &bodies {
        for block in body.blocks().filter(|b| b.ident.as_str() == "locals") {
            for attribute in block.body.attributes() {
                module.locals.insert(attribute.key.as_str().to_owned(), (*id, &attribute.value));
            }
        }
    }
    for (id, body) in &bodies {
        for structure in body {
            if let Structure::Block(block) = structure {
                module.block(collector, *id, block, depth);
            }
        }
    }
    // What callers may still evaluate.
    collector.steps = STEPS_MAX.saturating_sub(module.left).max(collector.steps);
    if collector.steps >= STEPS_MAX
        && depth == 0
        && let Some((id, _)) = bodies.first()
    {
        collector.problem(*id, 0, "its evaluation stopped after 300,000 steps; what lies behind is unresolved");
    }
    module.outputs
}

fn place(file: u32, span: Option<std::ops::Range<usize>>) -> Place {
    span.map_or(Place::new(file, 0, 0), |span| Place::new(file, span.start, span.end))
}

impl<'b> Module<'b> {
    fn block(&mut self, collector: &mut Collector<'_>, file: u32, block: &'b Block, depth: usize) {
        let labels: Vec<&str> = block.labels.iter().map(hcl_edit::structure::BlockLabel::as_str).collect();
        let find = |name: &str| block.body.get_attribute(name).map(|a| &a.value);
        match (block.ident.as_str(), labels.as_slice()) {
            ("variable", [name]) => {
                if let Some(default) = find("default") {
                    let val = self.eval(file, default, 0);
                    collector.assigned(name, &val, place(file, default.span()));
                }
            }
            ("locals", _) => {
                for attribute in block.body.attributes() {
                    let val = self.eval(file, &attribute.value, 0);
                    collector.assigned(attribute.key.as_str(), &val, place(file, attribute.value.span()));
                    nested(collector, &val, place(file, attribute.value.span()), 0);
                }
            }
            ("output", [name]) => {
                if let Some(value) = find("value") {
                    let val = self.eval(file, value, 0);
                    self.outputs.insert((*name).to_owned(), val);
                }
            }
            ("module", [name]) => {
                let source = find("source").and_then(Expression::as_str).unwrap_or_default().to_owned();
                let mut given = HashMap::new();
                for attribute in block.body.attributes() {
                    let val = self.eval(file, &attribute.value, 0);
                    let at = place(file, attribute.value.span());
                    collector.assigned(attribute.key.as_str(), &val, at);
                    given.insert(
                        attribute.key.as_str().to_owned(),
                        val.step(at, How::Passed(attribute.key.as_str().into())),
                    );
                }
                if source.starts_with('.') {
                    let folder = resolve(&self.folder, &source);
                    collector.steps = STEPS_MAX.saturating_sub(self.left).max(collector.steps) + 1_000;
                    let outputs = run(collector, &folder, given, depth + 1);
                    self.left = STEPS_MAX.saturating_sub(collector.steps);
                    let entries = outputs.into_iter().map(|(k, v)| (Val::str(k), v)).collect();
                    self.outputs.insert(format!("\u{1}{name}"), Val::dict(entries, true));
                } else {
                    let val = Val::dict(given.into_iter().map(|(k, v)| (Val::str(k), v)).collect(), true);
                    self.used(collector, &format!("module.{name}"), "module", &val, place(file, block.span()), false);
                }
            }
            ("resource" | "data", [kind, name]) => self.resource(collector, file, block, kind, name),
            ("provider" | "terraform", _) => {
                let val = self.body(file, &block.body, 0);
                self.used(
                    collector,
                    block.ident.as_str(),
                    labels.first().copied().unwrap_or_default(),
                    &val,
                    place(file, block.span()),
                    false,
                );
            }
            _ => {}
        }
    }

    fn resource(&mut self, collector: &mut Collector<'_>, file: u32, block: &'b Block, kind: &str, name: &str) {
        let address =
            if block.ident.as_str() == "data" { format!("data.{kind}.{name}") } else { format!("{kind}.{name}") };
        let each = block.body.get_attribute("for_each").map(|a| self.eval(file, &a.value, 0));
        let count = block.body.get_attribute("count").map(|a| self.eval(file, &a.value, 0));
        let mut instances: Vec<Vec<(String, Val)>> = Vec::new();
        match each.as_ref().map(|v| &v.kind) {
            Some(Kind::Dict(dict)) => {
                for (k, v) in &dict.borrow().entries {
                    instances.push(vec![("each.key".to_owned(), k.clone()), ("each.value".to_owned(), v.clone())]);
                }
            }
            Some(Kind::List(items)) => {
                for item in items.borrow().iter() {
                    instances
                        .push(vec![("each.key".to_owned(), item.clone()), ("each.value".to_owned(), item.clone())]);
                }
            }
            _ => {}
        }
        if count.is_some_and(|c| c.as_int() == Some(0)) {
            return;
        }
        if instances.is_empty() {
            instances.push(Vec::new());
        }
        if instances.len() > INSTANCES_MAX {
            collector.problem(file, 0, "of the instances of a resource the first 32 were looked at");
        }
        for names in instances.into_iter().take(INSTANCES_MAX) {
            let before = self.names.len();
            self.names.extend(names);
            let val = self.body(file, &block.body, 0);
            self.names.truncate(before);
            let at = place(file, block.span());
            // A block is shown by its first line.
            let at = Place {
                end: block
                    .labels
                    .last()
                    .and_then(hcl_edit::Span::span)
                    .map_or(at.end, |s| u32::try_from(s.end).unwrap_or(at.end)),
                ..at
            };
            self.used(collector, &address, kind, &val, at, block.ident.as_str() == "data");
        }
    }

    /// What a resource is given.
    fn used(&mut self, collector: &mut Collector<'_>, address: &str, kind: &str, val: &Val, at: Place, is_data: bool) {
        given_to(collector, address, kind, val, at, 0);
        cloud::terraform(collector, kind, address, val, at, is_data);
        if kind.starts_with("azurerm_data_factory_dataset") {
            self.dataset(collector, address, val, at);
        }
        if kind.starts_with("kubernetes_") {
            super::kubernetes::terraform(collector, kind, address, val, at);
        }
    }

    /// A dataset of Azure's data factory: its container, in the account of the service that it names.
    fn dataset(&mut self, collector: &mut Collector<'_>, address: &str, val: &Val, at: Place) {
        let service = cloud::at(val, "linked_service_name").as_ref().and_then(Val::as_str).map(str::to_owned);
        let Some(account) = service.and_then(|service| self.service_account(&service)) else { return };
        for path in ["azure_blob_storage_location.container", "azure_blob_fs_location.file_system"] {
            for option in cloud::at(val, path).iter().flat_map(Val::options) {
                if let Some(container) = option.as_text().map(Text::flat) {
                    let location = crate::storage::bucket("abfs", &container, &account, "");
                    let place = cloud::place_of(Some(&option), at);
                    collector.storage(&location, &option.trace, Sink { what: address, place, access: "any" });
                }
            }
        }
    }

    /// The storage account of a linked service, by its name.
    fn service_account(&mut self, name: &str) -> Option<String> {
        let bodies = self.bodies;
        let blocks = bodies.iter().flat_map(|(id, body)| body.blocks().map(|block| (*id, block)));
        let services = blocks.filter(|(_, block)| {
            let kind = block.labels.first().map_or("", |label| label.as_str());
            block.ident.as_str() == "resource" && kind.starts_with("azurerm_data_factory_linked_service")
        });
        for (id, block) in services {
            let mut text = |key: &str| {
                let value = &block.body.get_attribute(key)?.value;
                self.eval(id, value, 0).as_str().map(str::to_owned)
            };
            if text("name").as_deref() == Some(name) {
                let endpoint = ["service_endpoint", "url", "connection_string"].iter().find_map(|key| text(key));
                return endpoint.and_then(|endpoint| crate::storage::account_in(&endpoint));
            }
        }
        None
    }

    /// A body as a mapping; blocks of one name become a list.
    fn body(&mut self, file: u32, body: &'b Body, depth: usize) -> Val {
        let mut entries: Vec<(Val, Val)> = Vec::new();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let val = self.eval(file, &attribute.value, depth + 1);
                    entries.push((Val::str(attribute.key.as_str()), val));
                }
                Structure::Block(block) if depth < DEPTH_MAX => {
                    let mut name = block.ident.as_str().to_owned();
                    let bodies = if name == "dynamic" {
                        name = block.labels.first().map_or(name, |l| l.as_str().to_owned());
                        self.dynamic(file, block, &name, depth)
                    } else {
                        vec![self.body(file, &block.body, depth + 1)]
                    };
                    match entries.iter().find(|(k, _)| k.as_str() == Some(&name)) {
                        Some((_, Val { kind: Kind::List(items), .. })) => items.borrow_mut().extend(bodies),
                        _ => entries.push((Val::str(name), Val::list(bodies))),
                    }
                }
                Structure::Block(_) => {}
            }
        }
        Val::dict(entries, false)
    }

    /// `dynamic "x" { for_each = ... content { ... } }`: its content once for each item.
    fn dynamic(&mut self, file: u32, block: &'b Block, name: &str, depth: usize) -> Vec<Val> {
        let Some(content) = block.body.get_blocks("content").next() else { return Vec::new() };
        let over = block.body.get_attribute("for_each").map(|a| self.eval(file, &a.value, depth + 1));
        let iterator = match block.body.get_attribute("iterator").map(|a| &a.value) {
            Some(Expression::Variable(own)) => own.as_str().to_owned(),
            _ => name.to_owned(),
        };
        let items: Vec<(Val, Val)> = match over.as_ref().map(|v| &v.kind) {
            Some(Kind::Dict(dict)) => dict.borrow().entries.clone(),
            Some(Kind::List(items)) => items.borrow().iter().map(|item| (item.clone(), item.clone())).collect(),
            _ => {
                let unknown = || Val::unknown(Why::Expression, Some(place(file, block.span())));
                vec![(unknown(), unknown())]
            }
        };
        let mut out = Vec::new();
        for (key, value) in items.into_iter().take(INSTANCES_MAX) {
            let before = self.names.len();
            let item = Val::dict(vec![(Val::str("key"), key), (Val::str("value"), value)], false);
            self.names.push((iterator.clone(), item));
            out.push(self.body(file, &content.body, depth + 1));
            self.names.truncate(before);
        }
        out
    }

    fn eval(&mut self, file: u32, expression: &Expression, depth: usize) -> Val {
        let at = place(file, expression.span());
        self.left = self.left.saturating_sub(1);
        if depth > 48 || self.left == 0 {
            return Val::unknown(Why::Limit("300,000 steps"), Some(at));
        }
        match expression {
            Expression::Null(_) => Val::none(),
            Expression::Bool(b) => Val { kind: Kind::Bool(*b.value()), trace: literal(at) },
            Expression::Number(n) => match n.value().as_i64() {
                Some(n) => Val::new(Kind::Int(n)),
                None => Val::new(Kind::Float(n.value().as_f64().unwrap_or(0.0))),
            },
            Expression::String(s) => Val::text(Text::Known(s.value().as_str().into()), literal(at)),
            Expression::Array(array) => Val::list(array.iter().map(|e| self.eval(file, e, depth + 1)).collect()),
            Expression::Object(object) => {
                let mut entries = Vec::new();
                for (key, value) in object {
                    let key = match key {
                        ObjectKey::Ident(name) => Val::str(name.as_str()),
                        ObjectKey::Expression(Expression::Variable(name)) => Val::str(name.as_str()),
                        ObjectKey::Expression(expression) => self.eval(file, expression, depth + 1),
                    };
                    entries.push((key, self.eval(file, value.expr(), depth + 1)));
                }
                Val::dict(entries, false)
            }
            Expression::StringTemplate(template) => self.elements(file, template.iter(), at, depth),
            Expression::HeredocTemplate(heredoc) => self.template(file, &heredoc.template, at, depth),
            Expression::Parenthesis(inner) => self.eval(file, inner.inner(), depth + 1),
            Expression::Variable(name) => self.name(name.as_str(), at),
            Expression::Conditional(c) => {
                self.eval(file, &c.cond_expr, depth + 1);
                let (a, b) = (self.eval(file, &c.true_expr, depth + 1), self.eval(file, &c.false_expr, depth + 1));
                Val::choice(vec![a, b])
            }
            Expression::FuncCall(call) => self.call(file, call, at, depth),
            Expression::Traversal(traversal) => self.traversal(file, traversal, at, depth),
            Expression::UnaryOp(op) => match (op.operator.value(), self.eval(file, &op.expr, depth + 1)) {
                (UnaryOperator::Not, Val { kind: Kind::Bool(on), trace }) => Val { kind: Kind::Bool(!on), trace },
                (UnaryOperator::Neg, Val { kind: Kind::Int(n), trace }) => {
                    Val { kind: Kind::Int(n.saturating_neg()), trace }
                }
                _ => Val::unknown(Why::Expression, Some(at)),
            },
            Expression::BinaryOp(op) => {
                let (a, b) = (self.eval(file, &op.lhs_expr, depth + 1), self.eval(file, &op.rhs_expr, depth + 1));
                let same = a.as_str().zip(b.as_str()).map(|(a, b)| a == b);
                match (op.operator.value(), a.as_int(), b.as_int()) {
                    (BinaryOperator::Eq, ..) if same.is_some() => Val::new(Kind::Bool(same == Some(true))),
                    (BinaryOperator::NotEq, ..) if same.is_some() => Val::new(Kind::Bool(same == Some(false))),
                    (BinaryOperator::Plus, Some(a), Some(b)) => Val::new(Kind::Int(a.saturating_add(b))),
                    (BinaryOperator::Minus, Some(a), Some(b)) => Val::new(Kind::Int(a.saturating_sub(b))),
                    _ => Val::unknown(Why::Expression, Some(at)),
                }
            }
            Expression::ForExpr(each) => self.for_each(file, each, depth),
        }
    }

    fn name(&self, name: &str, at: Place) -> Val {
        match self.names.iter().rev().find(|(known, _)| known == name) {
            Some((_, val)) => val.clone(),
            None => Val::unknown(Why::Name(name.into()), Some(at)),
        }
    }

    fn elements<'e>(&mut self, file: u32, elements: impl Iterator<Item = &'e Element>, at: Place, depth: usize) -> Val {
        let mut texts: Vec<(Vec<Piece>, Vec<crate::value::Trace>)> = vec![(Vec::new(), Vec::new())];
        for element in elements {
            let val = match element {
                Element::Literal(text) => {
                    Val::text(Text::Known(text.value().as_str().into()), literal(place(file, text.span())))
                }
                Element::Interpolation(i) => self.eval(file, &i.expr, depth + 1),
                Element::Directive(directive) => match &**directive {
                    Directive::If(d) => self.template(file, &d.if_expr.template, at, depth + 1),
                    Directive::For(d) => self.template(file, &d.for_expr.template, at, depth + 1),
                },
            };
            let options = val.options();
            let mut more = Vec::new();
            for (pieces, traces) in texts {
                for option in options.iter().take(8) {
                    let (mut pieces, mut traces) = (pieces.clone(), traces.clone());
                    pieces.extend(option.pieces());
                    traces.push(option.trace.clone());
                    more.push((pieces, traces));
                }
            }
            more.truncate(16);
            // Texts that double are cut where no name is that long.
            for (pieces, _) in &mut more {
                let size: usize = pieces.iter().map(|p| if let Piece::Known(t) = p { t.len() } else { 1 }).sum();
                if size > crate::interpolate::BYTES_MAX {
                    *pieces = vec![Piece::Unknown("a text that is too long".into())];
                }
            }
            texts = more;
        }
        Val::choice(
            texts
                .into_iter()
                .map(|(pieces, traces)| {
                    let trace = if traces.len() == 1 {
                        traces.into_iter().next().flatten()
                    } else {
                        joined(at, How::Joined, traces)
                    };
                    Val::text(Text::of(pieces), trace)
                })
                .collect(),
        )
    }

    fn template(&mut self, file: u32, template: &Template, at: Place, depth: usize) -> Val {
        if depth > 48 {
            return Val::unknown(Why::Limit("nesting"), Some(at));
        }
        self.elements(file, template.iter(), at, depth)
    }
}
