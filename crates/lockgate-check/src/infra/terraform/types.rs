//! Types of variables: what `optional(type, default)` adds to an object that lacks it.

use hcl_edit::expr::{Expression, ObjectKey};

use super::Module;
use crate::value::{Dict, Kind, Val};

/// As deep as expressions are followed.
const DEPTH_MAX: usize = 40;
/// Most fields of an object that are given their defaults.
const FIELDS_MAX: usize = 512;

impl Module<'_> {
    /// A value with the defaults of its type.
    pub(super) fn completed(&mut self, file: u32, val: Val, kind: &Expression, depth: usize) -> Val {
        let Expression::FuncCall(call) = kind else { return val };
        let Some(first) = call.args.iter().next().filter(|_| depth < DEPTH_MAX) else { return val };
        match call.name.name.as_str() {
            "optional" => self.completed(file, val, first, depth + 1),
            "map" => {
                let Kind::Dict(dict) = &val.kind else { return val };
                let (entries, open) = (dict.borrow().entries.clone(), dict.borrow().open);
                let entries =
                    entries.into_iter().map(|(k, v)| (k, self.completed(file, v, first, depth + 1))).collect();
                Val { trace: val.trace.clone(), ..Val::dict(entries, open) }
            }
            "list" | "set" => {
                let Kind::List(items) = &val.kind else { return val };
                let items = items.borrow().clone();
                let items = items.into_iter().map(|v| self.completed(file, v, first, depth + 1)).collect();
                Val { trace: val.trace.clone(), ..Val::list(items) }
            }
            "object" => {
                let (Kind::Dict(dict), Expression::Object(fields)) = (&val.kind, first) else { return val };
                let mut dict = Dict { entries: dict.borrow().entries.clone(), open: dict.borrow().open };
                for (key, field) in fields.iter().take(FIELDS_MAX) {
                    let (ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name))) = key else {
                        continue;
                    };
                    let field = field.expr();
                    let key = Val::str(name.as_str());
                    let given = dict.get_val(&key).filter(|given| !matches!(given.kind, Kind::None)).cloned();
                    let given = given.or_else(|| default_of(field).map(|default| self.eval(file, default, depth + 1)));
                    if let Some(given) = given {
                        let given = self.completed(file, given, field, depth + 1);
                        dict.set(key, given);
                    }
                }
                Val { trace: val.trace.clone(), ..Val::dict(dict.entries, dict.open) }
            }
            _ => val,
        }
    }
}

/// The default of `optional(type, default)`.
fn default_of(field: &Expression) -> Option<&Expression> {
    let Expression::FuncCall(call) = field else { return None };
    if call.name.name.as_str() == "optional" { call.args.iter().nth(1) } else { None }
}
