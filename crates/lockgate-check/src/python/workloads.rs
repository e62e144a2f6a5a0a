//! What tasks run: containers and what they may do, commands, notebooks' magics.

use std::sync::Arc;

use super::{Interpreter, calls::entries, syntax::Span};
use crate::{
    collect::Sink,
    credentials, facts,
    source::Place,
    value::{Kind, Text, Val},
};

impl Interpreter<'_> {
    pub(super) fn commands(
        &mut self,
        command: &Val,
        name: &str,
        place: Place,
        environment: &mut Vec<(String, String)>,
    ) {
        for option in command.options() {
            match &option.kind {
                Kind::Str(text) => {
                    let flat = text.flat();
                    // A template's file is read as a file.
                    if !flat.trim_end().ends_with(".sh") || flat.contains(' ') {
                        self.collector.script(&flat, &option.trace, place, name, environment);
                    }
                }
                Kind::List(_) | Kind::Tuple(_) => {
                    let items = self.items(&option).unwrap_or_default();
                    let is_script =
                        items.iter().all(|i| i.as_str().is_some_and(|t| t.contains(' '))) && items.len() > 1;
                    if is_script {
                        for item in &items {
                            self.commands(item, name, place, environment);
                        }
                    } else {
                        self.collector.words(&items, place, name);
                    }
                }
                _ => {}
            }
        }
    }

    /// What a container may do.
    pub(super) fn workload(&mut self, name: &str, last: &str, keywords: &[(Arc<str>, Val)], sink: Sink<'_>) {
        let keyword = |names: &[&str]| keywords.iter().find(|(k, _)| names.contains(&&**k)).map(|(_, v)| v.clone());
        let text = |names: &[&str]| keyword(names).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let mut workload = facts::Workload {
            kind: last.to_owned(),
            name: text(&["name", "task_id"]),
            // What is not said is said by the connection.
            namespace: Some(text(&["namespace"])).filter(|n| !n.is_empty()).unwrap_or_else(|| "…".to_owned()),
            image: text(&["image"]),
            service_account: text(&["service_account_name"]),
            root: facts::Switch::Unset,
            escalation: facts::Switch::Unset,
            ..facts::Workload::default()
        };
        let mut own: Vec<(Arc<str>, Val)> = keywords.to_vec();
        for name in ["security_context", "container_security_context"] {
            own.extend(keyword(&[name]).map(|v| entries(&v)).unwrap_or_default());
        }
        let mut bad = false;
        for (key, val) in &own {
            let key = credentials::words(key).join("_");
            let is = |truth: bool| val.options().iter().any(|v| matches!(v.kind, Kind::Bool(b) if b == truth));
            match key.as_str() {
                "privileged" if is(true) => (workload.privileged, bad) = (true, true),
                "run_as_user" if val.as_int() == Some(0) => {
                    workload.root = facts::Switch::Yes;
                    bad = true;
                }
                "user"
                    if name.to_lowercase().contains("docker")
                        && (val.as_int() == Some(0)
                            || val
                                .as_str()
                                .is_some_and(|user| matches!(user.split(':').next(), Some("root" | "0")))) =>
                {
                    workload.root = facts::Switch::Yes;
                    bad = true;
                }
                "run_as_non_root" if is(false) => {
                    workload.root = facts::Switch::Yes;
                    bad = true;
                }
                "run_as_user" | "run_as_non_root" if workload.root == facts::Switch::Unset => {
                    workload.root = facts::Switch::No;
                }
                "allow_privilege_escalation" if is(true) => {
                    workload.escalation = facts::Switch::Yes;
                    bad = true;
                }
                "host_network" | "hostnetwork" if is(true) => {
                    workload.host_namespaces.push("network".to_owned());
                    bad = true;
                }
                "host_pid" if is(true) => {
                    workload.host_namespaces.push("pid".to_owned());
                    bad = true;
                }
                "network_mode" if val.as_str() == Some("host") => {
                    workload.host_namespaces.push("network".to_owned());
                    bad = true;
                }
                "path" if last.contains("HostPath") => {
                    workload.host_mounts.push(val.as_str().unwrap_or("…").to_owned());
                    bad = true;
                }
                "source"
                    if last == "Mount"
                        && val.as_str().is_some_and(|s| {
                            s.ends_with("docker.sock") || s == "/" || s.starts_with("/etc") || s.starts_with("/proc")
                        }) =>
                {
                    workload.host_mounts.push(val.as_str().unwrap_or("…").to_owned());
                    bad = true;
                }
                _ => {}
            }
        }
        let is_pod = last.contains("PodOperator") || last.contains("JobOperator") || last == "kubernetes";
        workload.training = is_pod && facts::is_training(&[&workload.name, &workload.image, &workload.namespace]);
        if (bad || workload.training) && self.collector.quiet == 0 {
            let raw = self.collector.raw(sink.place, &None, workload);
            self.collector.found.workloads.push(raw);
        }
    }

    /// `!command` and `%magic` of notebooks.
    pub(super) fn magic(&mut self, text: &str, is_shell: bool, at: Span) {
        let place = self.place(at);
        let mut rest = text.trim();
        if !is_shell {
            for magic in ["%sh", "sh", "bash", "%bash", "sx", "system"] {
                if let Some(script) = rest.strip_prefix(magic) {
                    rest = script.trim();
                    let trace = crate::value::literal(place);
                    self.collector.script(rest, &trace, place, "notebook", &mut Vec::new());
                    return;
                }
            }
            if let Some(assignment) = rest.strip_prefix("env ").or_else(|| rest.strip_prefix("set_env ")) {
                let (name, value) = assignment.split_once(['=', ' ']).unwrap_or((assignment, ""));
                let val = Val::text(Text::Known(value.trim().into()), crate::value::literal(place));
                self.collector.environment_set("os.environ", name.trim(), &val, place);
                return;
            }
            if !rest.starts_with("pip ") && !rest.starts_with("conda ") {
                let trace = crate::value::literal(place);
                self.collector.credentials_in("", rest, &trace, Sink { what: "notebook", place, access: "" });
                let val = Val::text(Text::Known(rest.into()), trace);
                self.collector.locations(&val, Sink { what: "notebook", place, access: "any" });
                return;
            }
        }
        // `{name}` stands for a variable of the notebook.
        let mut script = String::new();
        let mut left = rest;
        while let Some((before, after)) = left.split_once('{') {
            script.push_str(before);
            let Some((name, tail)) = after.split_once('}') else {
                script.push('{');
                left = after;
                continue;
            };
            let val = self.lookup(name.trim(), at);
            script.push_str(&Text::of(val.pieces()).flat());
            left = tail;
        }
        script.push_str(left);
        let mut environment: Vec<(String, String)> = self.environment_words();
        if let Some(frame) = self.frames.last() {
            let names: Vec<(Arc<str>, Val)> =
                frame.globals.vars.borrow().iter().map(|(k, v)| (Arc::clone(k), v.clone())).collect();
            environment.extend(self.collector.environment_of(&names));
        }
        let trace = crate::value::literal(place);
        self.collector.script(&script, &trace, place, "notebook", &mut environment);
    }

    pub(super) fn environment_words(&self) -> Vec<(String, String)> {
        self.environment
            .iter()
            .filter_map(|(name, val)| {
                let name = name.strip_prefix("os.environ[")?.strip_suffix(']')?;
                Some((name.to_owned(), val.as_text()?.flat().to_string()))
            })
            .collect()
    }
}
