//! Settings that a program gets when it starts: environment variables, Airflow's Variables, XCom.

use std::sync::Arc;

use super::{Interpreter, syntax::Span};
use crate::{
    collect::Sink,
    credentials,
    value::{Args, How, Kind, Val},
};

impl Interpreter<'_> {
    /// Settings that the program gets when it starts: a reference, and its default.
    pub(super) fn setting(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let place = self.place(at);
        let (reference, default) = match name {
            "os.getenv" | "os.environ.get" | "os.environ.pop" | "environ.get" | "getenv" | "os.environb.get" => {
                (args.get(0, "key")?, args.get(1, "default"))
            }
            "decouple.config"
            | "starlette.config.Config"
            | "environs.Env.str"
            | "environs.Env"
            | "environ.Env.str"
            | "environ.Env"
            | "environs.env.str"
            | "prefect.variables.Variable.get"
            | "dagster.EnvVar"
            | "dagster.EnvVar.int"
            | "st.secrets.get"
            | "streamlit.secrets.get"
            | "airflow.configuration.conf.get"
            | "google.colab.userdata.get" => {
                let default = args.get(1, "default").or_else(|| args.keyword("fallback"));
                (args.positional.first().or_else(|| args.keyword("name"))?, default)
            }
            _ if name.ends_with("Variable.get") => {
                let default = args.keyword("default").or_else(|| args.get(1, "default_var"));
                (args.get(0, "key")?, default)
            }
            _ if name.ends_with("xcom_push") => {
                let key: Arc<str> = args.get(0, "key")?.as_str()?.into();
                let val = args.get(1, "value")?.clone();
                self.collector.assigned(&key, &val, place);
                self.environment.insert(format!("XCom[{key}]").into(), val);
                return Some(Val::none());
            }
            _ if name.ends_with("xcom_pull") => {
                let key = args.keyword("key").and_then(Val::as_str).map(|k| format!("XCom[{k}]"));
                let task = args.get(0, "task_ids").and_then(Val::as_str).map(|t| format!("XCom[task:{t}]"));
                return key.into_iter().chain(task).find_map(|name| self.environment.get(name.as_str()).cloned());
            }
            _ if name.ends_with("Variable.setdefault") => (args.get(0, "key")?, args.get(1, "default")),
            _ if name.ends_with("Variable.set") || name == "os.putenv" => {
                let key: Arc<str> = args.get(0, "key")?.as_str()?.into();
                let val = args.get(1, "value")?.clone();
                self.collector.assigned(&key, &val, place);
                let owner = if name == "os.putenv" { "os.environ" } else { "Variable" };
                self.environment.insert(format!("{owner}[{key}]").into(), val);
                return Some(Val::none());
            }
            // It stands unless somebody set another before.
            "os.environ.setdefault" | "environ.setdefault" => {
                let key: Arc<str> = args.get(0, "key")?.as_str()?.into();
                let val = args.get(1, "default")?.clone().step(place, How::Default(Arc::clone(&key)));
                self.collector.environment_set("os.environ", &key, &val, place);
                let val = Val::choice(vec![val, Val::reference(Arc::clone(&key))]);
                self.environment.entry(format!("os.environ[{key}]").into()).or_insert_with(|| val.clone());
                return Some(val);
            }
            "os.environ.update" => {
                // A mapping, or pairs.
                let mut given = args.positional.first().map(super::calls::entries).unwrap_or_default();
                for pair in args.positional.first().and_then(|first| self.items(first)).unwrap_or_default() {
                    if let Some([key, val]) = self.items(&pair).as_deref()
                        && let Some(key) = key.as_str()
                    {
                        given.push((key.into(), val.clone()));
                    }
                }
                for (key, val) in given.into_iter().chain(args.keywords.clone()) {
                    self.collector.environment_set("os.environ", &key, &val, place);
                    self.environment.insert(format!("os.environ[{key}]").into(), val);
                }
                return Some(Val::none());
            }
            _ => return None,
        };
        let key: Arc<str> = match reference.as_text() {
            Some(text) => text.flat(),
            None => "?".into(),
        };
        let owner = if name.contains("Variable") { "Variable" } else { "os.environ" };
        let mut options = Vec::new();
        options.extend(self.environment.get(format!("{owner}[{key}]").as_str()).cloned());
        if let Some(default) = default {
            let default = default.clone().step(place, How::Default(Arc::clone(&key)));
            self.collector.assigned(&key, &default, place);
            // A key that is looked up elsewhere and looks like one here.
            let is_key = key.to_ascii_lowercase().ends_with("key")
                && default.as_str().is_some_and(|text| {
                    credentials::is_random(text) || text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit())
                });
            if is_key && self.collector.quiet == 0 {
                self.collector.secret_value(&key, &default, Sink { what: name, place, access: "" });
            }
            if !matches!(default.kind, Kind::None) {
                options.push(default);
            }
        }
        options.push(Val::reference(key));
        Some(Val::choice(options))
    }

    pub(super) fn external_item(&mut self, name: &Arc<str>, index: &Val, _at: Span) -> Val {
        match &**name {
            "os.environ" | "environ" | "os.environb" | "streamlit.secrets" => {
                let key = index.as_str().unwrap_or("?").to_owned();
                let set = self.environment.get(format!("{name}[{key}]").as_str()).cloned();
                Val::choice(set.into_iter().chain([Val::reference(key)]).collect())
            }
            // A generic type.
            _ if name.rsplit('.').next().is_some_and(|last| last.starts_with(char::is_uppercase)) => {
                Val::new(Kind::External(Arc::clone(name)))
            }
            _ => {
                if let Some(key) = index.as_str()
                    && let Some(val) = self.environment.get(format!("{name}[{key}]").as_str())
                {
                    return val.clone();
                }
                self.object(&format!("{name}[]"))
            }
        }
    }

    pub(super) fn external_attribute(&mut self, base: &Arc<str>, name: &str, _at: Span) -> Val {
        match (&**base, name) {
            ("string", "ascii_lowercase") => Val::str("abcdefghijklmnopqrstuvwxyz"),
            ("string", "ascii_uppercase") => Val::str("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("string", "ascii_letters") => Val::str("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("string", "digits") => Val::str("0123456789"),
            ("os" | "os.path", "sep") => Val::str("/"),
            ("sys", "executable") => Val::str("python3"),
            _ => Val::new(Kind::External(super::calls::chained(base, name).into())),
        }
    }
}
