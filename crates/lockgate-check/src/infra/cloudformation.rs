//! CloudFormation, as YAML and as JSON: parameters' defaults, mappings, `Sub`, `Join`, `Ref`,
//! `FindInMap` and `If` are followed.

use super::cloud;
use crate::{
    collect::{Collector, Sink},
    storage,
    value::{How, Kind, Piece, Text, Val, Why, joined, literal},
    yaml::{Data, Node},
};

struct Stack<'n> {
    file: u32,
    document: &'n Node,
}

pub fn read(collector: &mut Collector<'_>, file: u32, document: &Node) {
    let stack = Stack { file, document };
    for (name, parameter) in document.get("Parameters").map(Node::entries).unwrap_or_default() {
        if let (Some(name), Some(default)) = (name.str(), parameter.get("Default"))
            && let Some(val) = super::scalar(default, file)
        {
            super::config_value(
                collector,
                name,
                &val,
                Sink { what: "Parameters", place: default.place(file), access: "" },
            );
        }
    }
    // What SAM gives to all functions.
    for (name, properties) in document.get("Globals").map(Node::entries).unwrap_or_default() {
        let val = stack.value(properties, 0);
        given(collector, name.str().unwrap_or("Globals"), &val, properties.place(file), 0);
    }
    for (name, resource) in document.get("Resources").map(Node::entries).unwrap_or_default() {
        let (Some(name), Some(kind)) = (name.str(), resource.get("Type").and_then(Node::str)) else { continue };
        let Some(properties) = resource.get("Properties") else { continue };
        let val = stack.value(properties, 0);
        given(collector, name, &val, properties.place(file), 0);
        cloud::cloudformation(collector, kind, name, &val, properties.place(file));
    }
}

impl Stack<'_> {
    fn value(&self, node: &Node, depth: usize) -> Val {
        let place = node.place(self.file);
        if depth > 40 {
            return Val::unknown(Why::Limit("nesting"), Some(place));
        }
        if let Some(tag) = node.tag.as_deref() {
            return self.function(tag.trim_start_matches('!'), node, node, depth);
        }
        match &node.data {
            Data::Map(entries) => {
                if let [(key, inner)] = &entries[..]
                    && let Some(name) = key.str().filter(|k| k.starts_with("Fn::") || *k == "Ref")
                {
                    return self.function(name.trim_start_matches("Fn::"), inner, node, depth);
                }
                let entries =
                    entries.iter().filter_map(|(k, v)| Some((Val::str(k.str()?), self.value(v, depth + 1)))).collect();
                Val::dict(entries, false)
            }
            Data::List(items) => Val::list(items.iter().map(|item| self.value(item, depth + 1)).collect()),
            Data::Scalar(..) => {
                let plain = crate::yaml::value(node, self.file, 0);
                match &plain.kind {
                    // Where it stands matters for switches too.
                    Kind::Bool(_) => Val { trace: literal(place), ..plain },
                    _ => plain,
                }
            }
        }
    }

    /// An argument without its own tag, which names the function.
    fn bare(&self, node: &Node, depth: usize) -> Val {
        let node = Node { tag: None, ..node.clone() };
        self.value(&node, depth + 1)
    }

    fn function(&self, name: &str, argument: &Node, whole: &Node, depth: usize) -> Val {
        let place = whole.place(self.file);
        match name {
            "Ref" => self.reference(argument.str().unwrap_or_default(), depth),
            "GetAtt" => self.reference(argument.str().unwrap_or_default().split('.').next().unwrap_or_default(), depth),
            "Sub" => {
                let (template, names) = match argument.items() {
                    [template, names, ..] => (template, Some(names)),
                    _ => (argument, None),
                };
                let text = template.str().unwrap_or_default();
                let mut pieces = Vec::new();
                let mut traces = vec![literal(template.place(self.file))];
                let mut rest = text;
                while let Some((before, after)) = rest.split_once("${") {
                    pieces.push(Piece::Known(before.into()));
                    let Some((name, tail)) = after.split_once('}') else { break };
                    let own = names.and_then(|n| n.get(name)).map(|n| self.value(n, depth + 1));
                    let val = own.unwrap_or_else(|| self.reference(name.split('.').next().unwrap_or(name), depth + 1));
                    let val = val.options().into_iter().next().unwrap_or(val);
                    pieces.extend(val.pieces());
                    traces.push(val.trace);
                    rest = tail;
                }
                pieces.push(Piece::Known(rest.into()));
                Val::text(Text::of(pieces), joined(place, How::Joined, traces))
            }
            "Join" => {
                let inner = self.bare(argument, depth);
                let Kind::List(items) = &inner.kind else { return Val::unknown(Why::Expression, Some(place)) };
                let items = items.borrow().clone();
                let (Some(separator), Some(Val { kind: Kind::List(parts), .. })) =
                    (items.first().and_then(Val::as_str), items.get(1))
                else {
                    return Val::unknown(Why::Expression, Some(place));
                };
                let mut pieces = Vec::new();
                let mut traces = Vec::new();
                for (i, part) in parts.borrow().iter().enumerate() {
                    if i > 0 {
                        pieces.push(Piece::Known(separator.into()));
                    }
                    pieces.extend(part.options().first().map(Val::pieces).unwrap_or_default());
                    traces.push(part.trace.clone());
                }
                Val::text(Text::of(pieces), joined(place, How::Joined, traces))
            }
            "FindInMap" => {
                let items: Vec<Val> = argument.items().iter().map(|i| self.value(i, depth + 1)).collect();
                let mut node = self.document.get("Mappings");
                for (i, key) in items.iter().enumerate() {
                    node = match (node, key.as_str()) {
                        (Some(map), Some(key)) => map.get(key),
                        // A key that only the region or the account decides: the first one stands for it.
                        (Some(map), None) if i > 0 => map.entries().first().map(|(_, v)| v),
                        _ => None,
                    };
                }
                node.map_or_else(|| Val::unknown(Why::Expression, Some(place)), |n| self.value(n, depth + 1))
            }
            "If" => {
                let items: Vec<Val> = argument.items().iter().skip(1).map(|i| self.value(i, depth + 1)).collect();
                Val::choice(items)
            }
            "Select" => {
                let items = argument.items();
                let index = items.first().and_then(Node::str).and_then(|i| i.parse::<usize>().ok());
                let from = items.get(1).map(|list| self.value(list, depth + 1));
                let found = match (from.map(|v| v.kind), index) {
                    (Some(Kind::List(list)), Some(index)) => list.borrow().get(index).cloned(),
                    _ => None,
                };
                found.unwrap_or_else(|| Val::unknown(Why::Call(name.into()), Some(place)))
            }
            "Split" => match argument.items() {
                [separator, text] => {
                    let (separator, text) = (separator.str().unwrap_or_default(), self.value(text, depth + 1));
                    let Some(known) = text.as_str().filter(|_| !separator.is_empty()) else { return text };
                    let part = |part: &str| Val::text(Text::Known(part.into()), text.trace.clone());
                    Val::list(known.split(separator).map(part).collect())
                }
                _ => Val::unknown(Why::Call(name.into()), Some(place)),
            },
            "ImportValue" | "GetAZs" | "Cidr" | "Transform" => Val::unknown(Why::Call(name.into()), Some(place)),
            "Base64" => self.bare(argument, depth),
            _ => self.bare(argument, depth),
        }
    }

    fn reference(&self, name: &str, depth: usize) -> Val {
        if let Some(parameter) = self.document.get("Parameters").and_then(|p| p.get(name)) {
            return match parameter.get("Default").and_then(|d| super::scalar(d, self.file)) {
                Some(default) => default,
                None => Val::reference(name),
            };
        }
        if depth < 30
            && let Some(resource) = self.document.get("Resources").and_then(|r| r.get(name))
            && let Some(bucket) = resource.at("Properties.BucketName")
        {
            return self.value(bucket, depth + 1);
        }
        Val::unknown(Why::Runtime(name.into()), None)
    }
}

fn given(collector: &mut Collector<'_>, address: &str, val: &Val, at: crate::source::Place, depth: usize) {
    if depth > 12 {
        return;
    }
    let place_of = |v: &Val| crate::value::literals(&v.trace).into_iter().find(|p| p.file == at.file).unwrap_or(at);
    match &val.kind {
        Kind::Dict(dict) => {
            let entries = dict.borrow().entries.clone();
            if entries.iter().any(|(k, v)| k.as_str() == Some("Effect") && v.as_str() == Some("Deny")) {
                return;
            }
            for (key, value) in &entries {
                let Some(name) = key.as_str() else { continue };
                if matches!(name, "Tags" | "Description" | "Comment") {
                    continue;
                }
                let sink = Sink { what: address, place: place_of(value), access: "any" };
                collector.named(name, value, sink, "name");
                collector.switch(name, value.as_str().unwrap_or_default(), sink.place);
                if storage::names_bucket(name) {
                    for option in value.options() {
                        if let Some(text) = option.as_text().map(Text::flat)
                            && !text.is_empty()
                            && !text.contains(':')
                        {
                            collector.storage(&storage::bucket("s3", &text, "", ""), &option.trace, sink);
                        }
                    }
                }
                given(collector, address, value, at, depth + 1);
            }
            collector.dictionary(&dict.borrow(), at);
        }
        Kind::List(items) => {
            items.borrow().iter().for_each(|item| given(collector, address, item, at, depth + 1));
        }
        Kind::Str(text) => {
            let sink = Sink { what: address, place: place_of(val), access: "any" };
            super::text_given(collector, text, val, sink);
        }
        Kind::Choice(options) => options.iter().for_each(|v| given(collector, address, v, at, depth + 1)),
        _ => {}
    }
}
