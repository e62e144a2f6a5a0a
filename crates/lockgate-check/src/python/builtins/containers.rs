//! Lists, mappings and iterations whose items are known.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use crate::{
    python::{Interpreter, ROUNDS_MAX, syntax::Span},
    value::{Args, Dict, Kind, Val},
};

impl Interpreter<'_> {
    /// Lists, mappings and iterations.
    pub(super) fn container(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "list" | "set" | "frozenset" | "sorted" | "iter" | "tuple" | "collections.deque" => match first {
                None => Val::list(Vec::new()),
                Some(val) => match self.items(val) {
                    Some(mut items) => {
                        if name == "sorted" {
                            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()).then(a.as_int().cmp(&b.as_int())));
                            if args.keyword("reverse").and_then(Val::truth) == Some(true) {
                                items.reverse();
                            }
                        }
                        if name == "tuple" { Val::tuple(items) } else { Val::list(items) }
                    }
                    None => val.clone(),
                },
            },
            "reversed" => {
                let mut items = self.items(first?)?;
                items.reverse();
                Val::list(items)
            }
            "dict"
            | "collections.OrderedDict"
            | "collections.ChainMap"
            | "types.MappingProxyType"
            | "collections.defaultdict" => {
                let mut dict = Dict { open: args.open, ..Dict::default() };
                for source in &args.positional {
                    match &source.kind {
                        Kind::Dict(from) => {
                            let from = from.borrow();
                            dict.open |= from.open;
                            for (k, v) in &from.entries {
                                // In a chain of mappings, the first one wins.
                                if name != "collections.ChainMap" || dict.get_val(k).is_none() {
                                    dict.set(k.clone(), v.clone());
                                }
                            }
                        }
                        Kind::External(_) | Kind::Function(_) if name == "collections.defaultdict" => {}
                        _ => match self.items(source) {
                            Some(pairs) => {
                                for pair in pairs {
                                    if let Some([k, v]) = self.items(&pair).as_deref() {
                                        dict.set(k.clone(), v.clone());
                                    }
                                }
                            }
                            None => dict.open = true,
                        },
                    }
                }
                let place = self.place(at);
                for (k, v) in &args.keywords {
                    self.collector.assigned(k, v, place);
                    dict.set(Val::str(Arc::clone(k)), v.clone());
                }
                Val::new(Kind::Dict(Rc::new(RefCell::new(dict))))
            }
            "dict.fromkeys" => {
                let keys = self.items(first?)?;
                let val = args.positional.get(1).cloned().unwrap_or_else(Val::none);
                Val::dict(keys.into_iter().map(|k| (k, val.clone())).collect(), false)
            }
            "zip" | "itertools.zip_longest" => {
                let lists: Option<Vec<Vec<Val>>> = args.positional.iter().map(|v| self.items(v)).collect();
                let lists = lists?;
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
                Val::list(
                    (0..shortest)
                        .map(|i| Val::tuple(lists.iter().filter_map(|list| list.get(i).cloned()).collect()))
                        .collect(),
                )
            }
            "enumerate" => {
                let start = args.get(1, "start").and_then(Val::as_int).unwrap_or(0);
                let items = self.items(first?)?;
                Val::list(
                    items
                        .into_iter()
                        .enumerate()
                        .map(|(i, item)| Val::tuple(vec![Val::new(Kind::Int(start + i as i64)), item]))
                        .collect(),
                )
            }
            "range" => {
                let numbers: Option<Vec<i64>> = args.positional.iter().map(Val::as_int).collect();
                let (from, to, step) = match numbers?.as_slice() {
                    [to] => (0, *to, 1),
                    [from, to] => (*from, *to, 1),
                    [from, to, step] if *step != 0 => (*from, *to, *step),
                    _ => return None,
                };
                let mut items = Vec::new();
                let mut n = from;
                while (step > 0 && n < to || step < 0 && n > to) && items.len() < ROUNDS_MAX {
                    items.push(Val::new(Kind::Int(n)));
                    n = n.saturating_add(step);
                }
                Val::list(items)
            }
            "map" | "filter" => {
                let function = first?.clone();
                let mut lists = Vec::new();
                for list in args.positional.get(1..)? {
                    lists.push(self.items(list)?);
                }
                let shortest = lists.iter().map(Vec::len).min().unwrap_or(0).min(ROUNDS_MAX * 4);
                let mut out = Vec::new();
                for i in 0..shortest {
                    let args: Vec<Val> = lists.iter().filter_map(|list| list.get(i).cloned()).collect();
                    if name == "map" {
                        out.push(self.call_values(&function, args, at));
                        continue;
                    }
                    let item = args.first().cloned()?;
                    let keep = if matches!(function.kind, Kind::None) {
                        item.truth()
                    } else {
                        self.call_values(&function, args, at).truth()
                    };
                    if keep != Some(false) {
                        out.push(item);
                    }
                }
                Val::list(out)
            }
            "min" | "max" => {
                let items = if args.positional.len() == 1 { self.items(first?)? } else { args.positional.clone() };
                Val::choice(items)
            }
            "sum" => {
                let items = self.items(first?)?;
                let mut total = args.get(1, "start").cloned().unwrap_or_else(|| Val::new(Kind::Int(0)));
                for item in items {
                    total = self.binary(&total, crate::python::syntax::Op::Add, &item, at);
                }
                total
            }
            "next" => {
                let items = self.items(first?)?;
                items.into_iter().next().or_else(|| args.positional.get(1).cloned()).unwrap_or_else(Val::none)
            }
            "itertools.chain" => {
                let lists: Option<Vec<Vec<Val>>> = args.positional.iter().map(|v| self.items(v)).collect();
                Val::list(lists?.concat())
            }
            "itertools.chain.from_iterable" => {
                let mut all = Vec::new();
                for list in self.items(first?)? {
                    all.extend(self.items(&list)?);
                }
                Val::list(all)
            }
            "itertools.product" => {
                let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
                for list in &args.positional {
                    let items = self.items(list)?;
                    rows = rows
                        .iter()
                        .flat_map(|row| {
                            items.iter().map(move |item| [row.as_slice(), std::slice::from_ref(item)].concat())
                        })
                        .take(1024)
                        .collect();
                }
                Val::list(rows.into_iter().map(Val::tuple).collect())
            }
            "itertools.islice" => {
                let items = self.items(first?)?;
                let most = args.positional.get(1).and_then(Val::as_int).unwrap_or(0).clamp(0, 4096) as usize;
                Val::list(items.into_iter().take(most).collect())
            }
            "functools.reduce" => {
                let mut items = self.items(args.positional.get(1)?)?.into_iter();
                let function = first?.clone();
                let mut so_far = match args.positional.get(2) {
                    Some(start) => start.clone(),
                    None => items.next()?,
                };
                for item in items.take(ROUNDS_MAX * 4) {
                    so_far = self.call_values(&function, vec![so_far, item], at);
                }
                so_far
            }
            "operator.add" | "operator.concat" | "operator.mod" | "operator.truediv" => {
                let op = match name {
                    "operator.mod" => crate::python::syntax::Op::Modulo,
                    "operator.truediv" => crate::python::syntax::Op::Divide,
                    _ => crate::python::syntax::Op::Add,
                };
                self.binary(first?, op, args.positional.get(1)?, at)
            }
            "operator.getitem" => self.index(first?, args.positional.get(1)?, at),
            _ => return None,
        })
    }
}
