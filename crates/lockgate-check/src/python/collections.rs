//! Methods of lists and mappings.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{Interpreter, syntax::Span};
use crate::value::{Args, Dict, Kind, Val, Why};

impl Interpreter<'_> {
    pub(super) fn list_method(
        &mut self,
        items: &Rc<RefCell<Vec<Val>>>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        let first = args.positional.first().cloned();
        match (name, first) {
            ("append" | "add" | "appendleft", Some(val)) => {
                if items.borrow().len() < 4096 {
                    items.borrow_mut().push(val);
                }
                Val::none()
            }
            ("extend" | "update", Some(val)) => {
                if let Some(more) = self.items(&val)
                    && items.borrow().len() < 4096
                {
                    items.borrow_mut().extend(more.into_iter().take(4096));
                }
                Val::none()
            }
            ("insert", Some(i)) => {
                let len = items.borrow().len();
                if let (Some(val), Some(i)) = (args.positional.get(1), i.as_int())
                    && len < 4096
                {
                    items.borrow_mut().insert(i.clamp(0, len as i64) as usize, val.clone());
                }
                Val::none()
            }
            ("reverse", _) => {
                items.borrow_mut().reverse();
                Val::none()
            }
            ("sort", _) => {
                items.borrow_mut().sort_by(|a, b| a.as_str().cmp(&b.as_str()).then(a.as_int().cmp(&b.as_int())));
                Val::none()
            }
            ("pop", i) => {
                let mut items = items.borrow_mut();
                let len = items.len();
                match i.map_or(len.checked_sub(1), |i| i.as_int().and_then(|i| super::containers::position(i, len))) {
                    Some(i) if i < len => items.remove(i),
                    _ => self.unknown(Why::Expression, at),
                }
            }
            ("copy" | "union" | "difference" | "intersection", _) => Val::list(items.borrow().clone()),
            ("index", Some(item)) => match items.borrow().iter().position(|i| crate::value::same(i, &item)) {
                Some(i) => Val::new(Kind::Int(i as i64)),
                None => self.unknown(Why::Expression, at),
            },
            ("_asdict", _) => receiver.clone(),
            _ => self.unknown(Why::Expression, at),
        }
    }

    pub(super) fn dict_method(
        &mut self,
        dict: &Rc<RefCell<Dict>>,
        receiver: &Val,
        name: &str,
        args: &Args,
        at: Span,
    ) -> Val {
        let place = self.place(at);
        match name {
            "get" | "pop" | "setdefault" => {
                let Some(key) = args.positional.first() else { return Val::none() };
                let found = if key.as_str().is_some() || key.as_int().is_some() {
                    dict.borrow().get_val(key).cloned()
                } else {
                    Some(self.index(receiver, key, at))
                };
                let default = args.get(1, "default").cloned();
                if let (Some(default), Some(name)) = (&default, key.as_str()) {
                    self.collector.assigned(name, default, place);
                }
                match (found, default) {
                    (Some(found), _) => found,
                    (None, default) if dict.borrow().open => {
                        let unknown = self.unknown(Why::Expression, at);
                        Val::choice(default.into_iter().chain([unknown]).collect())
                    }
                    (None, Some(default)) => {
                        if name == "setdefault" {
                            dict.borrow_mut().set(key.clone(), default.clone());
                        }
                        default
                    }
                    (None, None) => Val::none(),
                }
            }
            "items" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                let dict = dict.borrow();
                Val::list(dict.entries.iter().map(|(k, v)| Val::tuple(vec![k.clone(), v.clone()])).collect())
            }
            "values" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                Val::list(dict.borrow().entries.iter().map(|(_, v)| v.clone()).collect())
            }
            "keys" if !dict.borrow().entries.is_empty() || !dict.borrow().open => {
                Val::list(dict.borrow().entries.iter().map(|(k, _)| k.clone()).collect())
            }
            "copy" | "__copy__" => {
                let dict = dict.borrow();
                Val::dict(dict.entries.clone(), dict.open)
            }
            "update" => {
                let mut more: Vec<(Val, Val)> = Vec::new();
                for source in &args.positional {
                    match &source.kind {
                        Kind::Dict(from) if !Rc::ptr_eq(from, dict) => {
                            more.extend(from.borrow().entries.iter().cloned());
                        }
                        _ => dict.borrow_mut().open = true,
                    }
                }
                for (k, v) in &args.keywords {
                    self.collector.assigned(k, v, place);
                    more.push((Val::str(Arc::clone(k)), v.clone()));
                }
                for (k, v) in more {
                    dict.borrow_mut().set(k, v);
                }
                Val::none()
            }
            _ => self.unknown(Why::Expression, at),
        }
    }
}
