//! Commands that are put together with what whoever starts a run types in: `dag_run.conf`, and
//! parameters that take any text. Airflow renders templates before the shell reads them, so quotes
//! around one do not hold.

use std::sync::Arc;

use super::super::{Interpreter, calls::entries};
use crate::{
    collect::Sink,
    value::{Args, Kind, Val, is_outside},
};

/// Filters after which a text is a number or a word of the shell.
const HARMLESS: [&str; 7] = ["int", "float", "length", "count", "bool", "quote", "hash"];

impl Interpreter<'_> {
    /// Looks at a call's commands. `raw` are its arguments with their templates, `args` those with
    /// what is known put in.
    pub(super) fn injected(&mut self, name: &str, last: &str, raw: &Args, args: &Args, sink: Sink<'_>) {
        let runs_text = ["BashOperator", "SSHOperator", "WinRMOperator", "ShellOperation"].contains(&last)
            || matches!(
                name,
                "os.system" | "os.popen" | "subprocess.getoutput" | "subprocess.getstatusoutput" | "commands.getoutput"
            )
            || name.starts_with("subprocess.") && args.keyword("shell").and_then(Val::truth) == Some(true)
            || matches!(last, "create_subprocess_shell" | "exec_command" | "shell_run_command");
        let of = |args: &Args| -> Vec<Val> {
            let named = ["bash_command", "command", "cmd", "commands", "args"].iter().find_map(|key| args.keyword(key));
            named.or_else(|| args.positional.first()).cloned().into_iter().collect()
        };
        let (templates, texts) = if runs_text {
            (of(raw), of(args))
        } else if last.contains("PodOperator") || last.contains("DockerOperator") {
            let script = |args: &Args| self.script_of(args).into_iter().collect::<Vec<_>>();
            (script(raw), script(args))
        } else {
            return;
        };
        let open = self.open_parameters(raw);
        for val in templates.iter().flat_map(Val::options) {
            if val.as_text().is_some_and(|text| takes_outside(&text.flat(), &open)) {
                self.collector.runs_outside(last, &val.trace, sink);
                return;
            }
        }
        for val in texts.iter().flat_map(Val::options) {
            if val.as_text().is_some_and(|text| text.holes().iter().any(|hole| is_outside(hole))) {
                self.collector.runs_outside(last, &val.trace, sink);
                return;
            }
        }
    }

    /// The same for a text that a task returns as its command.
    pub(in crate::python) fn returned_command(&mut self, val: &Val, sink: Sink<'_>) {
        let open = self.open_parameters(&Args::default());
        let Some(text) = val.as_text() else { return };
        if takes_outside(&text.flat(), &open) || text.holes().iter().any(|hole| is_outside(hole)) {
            self.collector.runs_outside(sink.what, &val.trace, sink);
        }
    }

    /// What follows `sh -c` in a container's words.
    fn script_of(&self, args: &Args) -> Option<Val> {
        let words: Vec<Val> = ["cmds", "arguments", "command"]
            .iter()
            .filter_map(|key| args.keyword(key))
            .filter_map(|val| if val.as_text().is_some() { Some(vec![val.clone()]) } else { self.items(val) })
            .flatten()
            .collect();
        let is_shell = words.first().and_then(Val::as_str).is_some_and(|program| {
            matches!(program.rsplit('/').next().unwrap_or(program), "sh" | "bash" | "zsh" | "dash")
        });
        let at = words.iter().position(|w| w.as_str().is_some_and(|w| w.starts_with('-') && w.ends_with('c')));
        at.filter(|_| is_shell).and_then(|at| words.get(at + 1).cloned())
    }

    /// Whether a parameter of the DAG takes only some texts.
    pub(in crate::python) fn is_narrow_parameter(&self, name: &str) -> bool {
        let of_dags = self.dags.iter().filter_map(|dag| match &dag.kind {
            Kind::Object(object) => object.args.keyword("params").cloned(),
            _ => None,
        });
        of_dags.flat_map(|params| entries(&params)).any(|(known, val)| &*known == name && !takes_any_text(&val))
    }

    /// Parameters of the call and of its DAG that take any text.
    fn open_parameters(&self, args: &Args) -> Vec<Arc<str>> {
        let of_dags = self.dags.iter().chain(args.keyword("dag")).filter_map(|dag| match &dag.kind {
            Kind::Object(object) => object.args.keyword("params").cloned(),
            _ => None,
        });
        let given = args.keyword("params").cloned().into_iter().chain(of_dags);
        given.flat_map(|params| entries(&params)).filter(|(_, val)| takes_any_text(val)).map(|(name, _)| name).collect()
    }
}

/// `Param("x", type="string")` without a list, a pattern or a format that narrows it.
fn takes_any_text(val: &Val) -> bool {
    let Kind::Object(object) = &val.kind else { return false };
    let kind = object.args.keyword("type");
    let is_text = kind.is_some_and(|kind| match &kind.kind {
        Kind::List(items) => items.borrow().iter().any(|item| item.as_str() == Some("string")),
        _ => kind.as_str() == Some("string"),
    });
    let is_narrow = ["enum", "pattern", "format", "const"].iter().any(|key| object.args.keyword(key).is_some());
    object.callee.ends_with("Param") && is_text && !is_narrow
}

/// Whether a template prints what comes from outside.
fn takes_outside(template: &str, open: &[Arc<str>]) -> bool {
    template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(expression, _)| {
        let mut parts = expression.split('|').map(str::trim);
        let value = parts.next().unwrap_or_default();
        if parts.any(|filter| {
            HARMLESS.contains(&filter.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        }) {
            return false;
        }
        // Of `a if b else c`, `b` is not printed.
        let printed = match value.split_once(" if ") {
            Some((yes, rest)) => format!("{yes} {}", rest.split_once(" else ").map_or("", |(_, no)| no)),
            None => value.to_owned(),
        };
        printed.contains("dag_run.conf") || open.iter().any(|name| names_parameter(&printed, name))
    })
}

/// `params.name`, `params["name"]` or `params.get("name")`.
fn names_parameter(expression: &str, name: &str) -> bool {
    expression.split("params").skip(1).any(|rest| {
        let rest = rest.trim_start_matches(['.', '[', '(', '"', '\'', ' ']);
        let rest = rest.strip_prefix("get(").map_or(rest, |rest| rest.trim_start_matches(['"', '\'', ' ']));
        rest.strip_prefix(name).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

impl crate::collect::Collector<'_> {
    /// A command that takes text from outside.
    pub fn runs_outside(&mut self, program: &str, trace: &crate::value::Trace, sink: Sink<'_>) {
        if self.quiet > 0 {
            return;
        }
        let what = crate::facts::Command {
            program: program.chars().take(100).collect(),
            sink: sink.what.to_owned(),
            does: vec!["outside-input".to_owned()],
        };
        let raw = self.raw(sink.place, trace, what);
        self.found.commands.push(raw);
    }
}
