//! What names stand for: variables with their defaults, locals, attributes of resources, items of
//! lists and mappings. A name that asks for itself is unknown.

use std::sync::Arc;

use hcl_edit::{
    Span as _,
    expr::{Expression, Traversal, TraversalOperator},
};

use super::{Module, place};
use crate::{
    source::Place,
    value::{How, Kind, Piece, Text, Val, Why},
};

impl Module<'_> {
    pub(super) fn traversal(&mut self, file: u32, traversal: &Traversal, at: Place, depth: usize) -> Val {
        let mut operators = traversal.operators.iter().map(hcl_edit::Decorated::value);
        let mut val = match &traversal.expr {
            Expression::Variable(root) => {
                let mut attribute = || match operators.next() {
                    Some(TraversalOperator::GetAttr(name)) => Some(name.as_str().to_owned()),
                    _ => None,
                };
                match root.as_str() {
                    "var" => attribute().map_or_else(Val::none, |name| self.variable(&name, at, depth)),
                    "local" => attribute().map_or_else(Val::none, |name| self.local(&name, at, depth)),
                    "each" | "count" => {
                        let name = format!("{}.{}", root.as_str(), attribute().unwrap_or_default());
                        self.name(&name, at)
                    }
                    "module" => {
                        let name = attribute().unwrap_or_default();
                        self.outputs
                            .get(&format!("\u{1}{name}"))
                            .cloned()
                            .unwrap_or_else(|| Val::unknown(Why::Call(format!("module.{name}").into()), Some(at)))
                    }
                    "data" => {
                        let (kind, name) = (attribute().unwrap_or_default(), attribute().unwrap_or_default());
                        return self.of_resource("data", &kind, &name, operators.next(), at, depth);
                    }
                    "path" => {
                        attribute();
                        Val::str("")
                    }
                    other => {
                        if let Some((_, val)) = self.names.iter().rev().find(|(known, _)| known == other) {
                            val.clone()
                        } else {
                            let name = attribute().unwrap_or_default();
                            return self.of_resource("resource", other, &name, operators.next(), at, depth);
                        }
                    }
                }
            }
            other => self.eval(file, other, depth + 1),
        };
        for operator in operators {
            val = match operator {
                TraversalOperator::GetAttr(name) => item(&val, &Val::str(name.as_str()), at),
                TraversalOperator::Index(index) => {
                    let index = self.eval(file, index, depth + 1);
                    item(&val, &index, at)
                }
                TraversalOperator::LegacyIndex(n) => item(&val, &Val::new(Kind::Int(*n.value() as i64)), at),
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => val,
            };
        }
        val
    }

    /// An attribute of a resource: what the resource is called, where the code says so.
    pub(super) fn of_resource(
        &mut self,
        what: &str,
        kind: &str,
        name: &str,
        operator: Option<&TraversalOperator>,
        at: Place,
        depth: usize,
    ) -> Val {
        let attribute = match operator {
            Some(TraversalOperator::GetAttr(name)) => name.as_str().to_owned(),
            _ => String::new(),
        };
        let generated =
            kind.starts_with("random_") || what == "data" || kind.contains("secret") || kind.contains("vault");
        let key = format!("{what}.{kind}.{name}");
        if depth < 40 && !self.asking.contains(&key) {
            for (file, body) in self.bodies {
                let block = body.blocks().find(|b| {
                    b.ident.as_str() == what
                        && b.labels.iter().map(hcl_edit::structure::BlockLabel::as_str).eq([kind, name])
                });
                let Some(block) = block else { continue };
                let wanted: &[&str] = match attribute.as_str() {
                    "id" | "bucket" | "name" | "arn" | "self_link" | "url" | "bucket_domain_name" => {
                        &["bucket", "name"]
                    }
                    _ => &[],
                };
                let found = std::iter::once(attribute.as_str())
                    .chain(wanted.iter().copied())
                    .find_map(|name| block.body.get_attribute(name));
                if let Some(found) = found {
                    self.asking.push(key);
                    let val = self.eval(*file, &found.value, depth + 1);
                    self.asking.pop();
                    if attribute == "arn" && kind.starts_with("aws_s3_bucket") {
                        let pieces = [vec![Piece::Known("arn:aws:s3:::".into())], val.pieces()].concat();
                        return Val::text(Text::of(pieces), val.trace);
                    }
                    return val;
                }
            }
        }
        if generated {
            return Val::reference(format!("{kind}.{name}.{attribute}"));
        }
        Val::unknown(Why::Call(format!("{kind}.{name}.{attribute}").into()), Some(at))
    }

    pub(super) fn variable(&mut self, name: &str, at: Place, depth: usize) -> Val {
        let key = format!("var.{name}");
        if let Some(val) = self.completed.get(name) {
            return val.clone();
        }
        if self.asking.contains(&key) || depth > 40 {
            return self
                .given
                .get(name)
                .cloned()
                .unwrap_or_else(|| Val::unknown(Why::Parameter(name.into()), Some(at)));
        }
        let given = self.given.get(name).cloned();
        for (file, body) in self.bodies {
            let block = body
                .blocks()
                .find(|b| b.ident.as_str() == "variable" && b.labels.first().is_some_and(|l| l.as_str() == name));
            let Some(block) = block else { continue };
            let default = block.body.get_attribute("default");
            self.asking.push(key.clone());
            let val = given.clone().or_else(|| {
                let default = default?;
                let val = self.eval(*file, &default.value, depth + 1);
                Some(val.step(place(*file, default.value.span()), How::Default(name.into())))
            });
            let val = match (val, block.body.get_attribute("type")) {
                (Some(val), Some(kind)) => Some(self.completed(*file, val, &kind.value, depth)),
                (val, _) => val,
            };
            self.asking.pop();
            if let Some(val) = val {
                // Within another question it may lack what that one is about.
                if self.asking.is_empty() {
                    self.completed.insert(name.to_owned(), val.clone());
                }
                return val;
            }
        }
        given.unwrap_or_else(|| Val::reference(key))
    }

    pub(super) fn local(&mut self, name: &str, at: Place, depth: usize) -> Val {
        let key = format!("local.{name}");
        let Some((file, expression)) =
            self.locals.get(name).copied().filter(|_| !self.asking.contains(&key) && depth < 40)
        else {
            return Val::unknown(Why::Name(key.into()), Some(at));
        };
        self.asking.push(key);
        let val = self.eval(file, expression, depth + 1);
        self.asking.pop();
        val.step(place(file, expression.span()), How::Assigned(name.into()))
    }
}

/// An item of a list or a mapping; any of them where the key is not known.
pub(super) fn item(of: &Val, key: &Val, at: Place) -> Val {
    let unknown = || Val::unknown(Why::Expression, Some(at));
    match &of.kind {
        Kind::Dict(dict) => {
            let dict = dict.borrow();
            match dict.get_val(key) {
                Some(val) => val.clone(),
                None if key.as_str().is_none() && !dict.entries.is_empty() => {
                    Val::choice(dict.entries.iter().map(|(_, v)| v.clone()).collect())
                }
                None => unknown(),
            }
        }
        Kind::List(items) => {
            let items = items.borrow();
            match key.as_int().and_then(|i| usize::try_from(i).ok()) {
                Some(i) => items.get(i).cloned().unwrap_or_else(unknown),
                None if key.as_str().is_some() => items.first().map_or_else(unknown, |first| item(first, key, at)),
                None => Val::choice(items.clone()),
            }
        }
        Kind::Choice(options) => Val::choice(options.iter().map(|option| item(option, key, at)).collect()),
        Kind::Reference(name) => Val::reference(Arc::clone(name)),
        _ => unknown(),
    }
}

/// A relative path from a folder.
pub fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
