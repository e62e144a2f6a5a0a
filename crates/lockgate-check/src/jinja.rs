//! Jinja as Airflow and dbt use it: rendered with what is known, holes where it is not.
//!
//! The template runs with fuel, so that a loop in it ends. What it asks for and nobody knows
//! becomes a hole with the name that it was asked by: `var.value.x` and `conn.x` are references,
//! everything else is known only when it runs. Conditions on unknown things take their first side.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use minijinja::{
    Environment, Error, State, UndefinedBehavior, Value,
    value::{Enumerator, Object},
};

use crate::value::{HOLE, REFERENCE, TEXT_BYTES_MAX, Text};

const FUEL: u64 = 50_000;
/// Filters that the engine has; others leave their value as it is.
const FILTERS: [&str; 45] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "upper",
];

/// Whether a text has anything to render.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// What templates may ask for.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Names with their values: `params`, loop variables, macros that are texts.
    pub names: Vec<(Arc<str>, Known)>,
    /// Airflow's Variables that the code sets.
    pub variables: Vec<(Arc<str>, Text)>,
    /// Variables of dbt that are lists or mappings.
    pub nested: Vec<(Arc<str>, Known)>,
}

/// A known value.
#[derive(Clone, Debug)]
pub enum Known {
    Text(Text),
    List(Vec<Known>),
    Map(Vec<(Arc<str>, Known)>),
    /// What it gives when it is called.
    Call(Box<Known>),
}

type Names = Arc<Mutex<Vec<Arc<str>>>>;

/// The text that a template makes; none where it is not a template.
pub fn render(template: &str, context: &Context) -> Option<Text> {
    if template.len() > TEXT_BYTES_MAX {
        return None;
    }
    // A loop over what is not known runs once; where that cannot be, not at all.
    rendered(template, context, true).or_else(|| rendered(template, context, false))
}

fn rendered(template: &str, context: &Context, loops: bool) -> Option<Text> {
    let names: Names = Arc::default();
    let mut env = Environment::new();
    add_filters(&mut env, template);
    // What nobody knows takes its default.
    for name in ["default", "d"] {
        env.add_filter(name, |value: Value, other: Option<Value>, _: minijinja::value::Rest<Value>| {
            let unknown = value.is_undefined() || value.downcast_object_ref::<Hole>().is_some();
            match other {
                Some(other) if unknown => other,
                _ => value,
            }
        });
    }
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    let root = Value::from_object(Root { context: context.clone(), names: Arc::clone(&names), loops });
    let out = env.render_str(template, root).ok()?;
    if out.len() > TEXT_BYTES_MAX {
        return None;
    }
    let names = names.lock().map(|names| names.clone()).unwrap_or_default();
    // Every hole left its number behind.
    let mut flat = String::new();
    let mut order = Vec::new();
    let mut rest = out.as_str();
    while let Some(at) = rest.find([HOLE, REFERENCE]) {
        let (before, after) = rest.split_at(at);
        flat.push_str(before);
        let mark = after.chars().next().unwrap_or(HOLE);
        flat.push(mark);
        let after = after.get(mark.len_utf8()..).unwrap_or_default();
        let digits = after.find(';').unwrap_or(0);
        let name = after.get(..digits).and_then(|n| n.parse::<usize>().ok()).and_then(|n| names.get(n).cloned());
        order.push(name.unwrap_or_else(|| "?".into()));
        rest = after.get(digits + 1..).unwrap_or_default();
    }
    flat.push_str(rest);
    Some(Text::from_flat(&flat, &order))
}

/// Filters that are not Jinja's own leave their value as it is.
fn add_filters(env: &mut Environment<'_>, template: &str) {
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('|') {
        let name: String =
            after.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(64).collect();
        if !name.is_empty() && !FILTERS.contains(&name.as_str()) {
            env.add_filter(name, |value: Value, _: minijinja::value::Rest<Value>| value);
        }
        rest = after;
    }
}

/// All names at once.
#[derive(Debug)]
struct Root {
    context: Context,
    names: Names,
    /// Whether a loop over what is not known has a round.
    loops: bool,
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if let Some((_, known)) = self.context.names.iter().find(|(name, _)| &**name == key) {
            return Some(self.known(known));
        }
        if matches!(key, "range" | "dict" | "lipsum" | "loop" | "namespace") {
            return None;
        }
        Some(self.hole(key))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Root {
    fn hole(self: &Arc<Self>, name: &str) -> Value {
        Value::from_object(Hole { name: name.into(), root: Arc::clone(self) })
    }

    fn known(self: &Arc<Self>, known: &Known) -> Value {
        match known {
            Known::Text(Text::Known(text)) => Value::from(&**text),
            Known::Text(text @ Text::Parts(_)) => {
                let mut out = String::new();
                for piece in text.pieces() {
                    match piece {
                        crate::value::Piece::Known(text) => out.push_str(&text),
                        crate::value::Piece::Reference(name) => out.push_str(&self.mark(&name, REFERENCE)),
                        crate::value::Piece::Unknown(name) => out.push_str(&self.mark(&name, HOLE)),
                    }
                }
                Value::from(out)
            }
            Known::Call(result) => {
                let result = self.known(result);
                Value::from_function(move |_: minijinja::value::Rest<Value>| result.clone())
            }
            Known::List(items) => items.iter().map(|item| self.known(item)).collect(),
            Known::Map(entries) => {
                let fields = entries.iter().map(|(name, known)| (Arc::clone(name), self.known(known))).collect();
                Value::from_object(Map { fields, root: Arc::clone(self) })
            }
        }
    }

    fn mark(&self, name: &str, mark: char) -> String {
        let Ok(mut names) = self.names.lock() else { return mark.to_string() };
        names.push(name.into());
        format!("{mark}{};", names.len() - 1)
    }
}

/// A mapping some of whose keys are known.
#[derive(Debug)]
struct Map {
    fields: Vec<(Arc<str>, Value)>,
    root: Arc<Root>,
}

impl Object for Map {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let found = self.fields.iter().find(|(name, _)| &**name == key).map(|(_, value)| value.clone());
        Some(found.unwrap_or_else(|| self.root.hole(key)))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let key = args.first().and_then(Value::as_str).unwrap_or_default();
        let found = self.fields.iter().find(|(name, _)| &**name == key).map(|(_, value)| value.clone());
        Ok(match method {
            "get" => found.or_else(|| args.get(1).cloned()).unwrap_or_else(|| self.root.hole(key)),
            _ => self.root.hole(method),
        })
    }
}

/// Something that is not known; asking it for more gives what is not known either.
struct Hole {
    name: Arc<str>,
    root: Arc<Root>,
}

impl fmt::Debug for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hole({})", self.name)
    }
}

impl Hole {
    fn further(&self, name: &str) -> Value {
        let name = if self.name.len() > 200 { self.name.to_string() } else { format!("{}.{name}", self.name) };
        self.root.hole(&name)
    }

    /// `var.value.get('x', 'default')`, `var('x', 'default')`, `env_var('X', 'default')`.
    fn called(&self, name: &str, args: &[Value]) -> Value {
        let key = args.first().and_then(Value::as_str).unwrap_or_default();
        let is_setting =
            name.starts_with("var.value") || name.starts_with("var.json") || matches!(name, "env_var" | "var");
        if is_setting {
            if let Some((_, text)) = self.root.context.variables.iter().find(|(known, _)| &**known == key) {
                return self.root.known(&Known::Text(text.clone()));
            }
            if let Some((_, known)) = self.root.context.nested.iter().find(|(known, _)| &**known == key) {
                return self.root.known(known);
            }
            return match args.get(1) {
                Some(default) if !default.is_undefined() && !default.is_none() => default.clone(),
                _ => self.root.hole(&format!("{name}.{key}")),
            };
        }
        if name.ends_with("xcom_pull")
            && let Some(options) = args.last()
        {
            let of = |key: &str| options.get_attr(key).ok().and_then(|v| v.as_str().map(str::to_owned));
            let wanted = [of("key").map(|k| format!("XCom[{k}]")), of("task_ids").map(|t| format!("XCom[task:{t}]"))];
            for name in wanted.into_iter().flatten() {
                if let Some((_, text)) = self.root.context.variables.iter().find(|(known, _)| **known == *name) {
                    return self.root.known(&Known::Text(text.clone()));
                }
            }
        }
        self.root.hole(&format!("{name}()"))
    }
}

impl Object for Hole {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if let ("var.value" | "var.json", Some((_, text))) =
            (&*self.name, self.root.context.variables.iter().find(|(known, _)| &**known == key))
        {
            return Some(self.root.known(&Known::Text(text.clone())));
        }
        Some(self.further(key))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(if self.root.loops { vec![self.further("item")] } else { Vec::new() })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        Ok(self.called(&self.name, args))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method == "get" {
            return Ok(self.called(&self.name, args));
        }
        Ok(self.called(&format!("{}.{method}", self.name), args))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_reference = ["var.value", "var.json", "conn", "connection", "env_var", "secrets", "vault"]
            .iter()
            .any(|start| self.name.starts_with(start));
        f.write_str(&self.root.mark(&self.name, if is_reference { REFERENCE } else { HOLE }))
    }
}
