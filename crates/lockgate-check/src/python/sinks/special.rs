//! Calls that are known by name: commands, containers, permissions, what is installed.

use std::sync::Arc;

use super::super::{Interpreter, calls::entries};
use crate::{
    collect::Sink,
    value::{Args, Kind, Text, Val},
};

impl Interpreter<'_> {
    /// Calls that are known by name.
    pub(super) fn special(
        &mut self,
        name: &str,
        last: &str,
        args: &Args,
        keywords: &[(Arc<str>, Val)],
        sink: Sink<'_>,
    ) {
        let place = sink.place;
        self.deserializes(name, last, args, place);
        if name.ends_with("_create_unverified_context") || last == "disable_ssl_verification" {
            self.collector.verification_off(name, place, "");
        }
        if last == "set_missing_host_key_policy" {
            let policy = args.positional.first().map(|v| match &v.kind {
                Kind::Object(object) => object.callee.to_string(),
                Kind::External(name) => name.to_string(),
                _ => String::new(),
            });
            if policy.is_some_and(|p| p.ends_with("AutoAddPolicy") || p.ends_with("WarningPolicy")) {
                self.collector.verification_off(name, place, "");
            }
        }
        if matches!(name, "ftplib.FTP" | "telnetlib.Telnet" | "imaplib.IMAP4" | "poplib.POP3") {
            self.collector.unencrypted(name, place);
        }
        if last == "make_public" {
            self.open_storage(name, "it is made public", place);
        }
        self.connects(name, last, args, sink);
        let keyword = |names: &[&str]| keywords.iter().find(|(k, _)| names.contains(&&**k)).map(|(_, v)| v.clone());
        // Commands.
        let is_shell = matches!(
            name,
            "os.system" | "os.popen" | "subprocess.getoutput" | "subprocess.getstatusoutput" | "commands.getoutput"
        ) || name.starts_with("subprocess.")
            || name.starts_with("sh.")
            || last == "system"
            || matches!(
                last,
                "create_subprocess_shell"
                    | "exec_command"
                    | "ShellOperation"
                    | "shell_run_command"
                    | "execute_shell_command"
                    | "run_bash_command"
            );
        let command = keyword(&["bash_command", "command", "cmd", "commands", "script", "user_data", "startup_script"])
            .or_else(|| is_shell.then(|| args.positional.first().or_else(|| args.keyword("args")).cloned()).flatten());
        let mut environment = self.environment_words();
        let env = keyword(&["env", "env_vars", "environment"]);
        if let Some(env) = &env {
            let more = self.collector.environment_of(&entries(env));
            environment.extend(more);
        }
        if let Some(command) = command
            && (is_shell
                || last.contains("Operator")
                || last.contains("task")
                || last.contains("run")
                || name.starts_with("prefect")
                || last == "bash")
        {
            self.commands(&command, name, place, &mut environment);
        }
        if let (Some(cmds), Some(arguments)) = (keyword(&["cmds"]), keyword(&["arguments"])) {
            let words: Vec<Val> = [cmds, arguments].iter().filter_map(|v| self.items(v)).flatten().collect();
            self.collector.words(&words, place, name);
        }
        // Containers.
        let is_container = [
            "KubernetesPodOperator",
            "DockerOperator",
            "V1Container",
            "V1PodSpec",
            "kubernetes",
            "docker",
            "KubernetesJobOperator",
            "DockerSwarmOperator",
            "GKEStartPodOperator",
            "EksPodOperator",
            "K8sRunLauncher",
            "DockerContainer",
            "KubernetesJob",
        ]
        .iter()
        .any(|word| last.contains(word));
        if is_container || name.contains("docker") && matches!(last, "run" | "create" | "pull") {
            let image = keyword(&["image"])
                .or_else(|| (name.contains("docker")).then(|| args.positional.first().cloned()).flatten());
            for image in image.iter().flat_map(Val::options) {
                if let Some(text) = image.as_text().map(Text::flat) {
                    self.collector.image(&text, &image.trace, sink);
                }
            }
        }
        if is_container
            || last.ends_with("SecurityContext")
            || last.contains("HostPath")
            || last == "Mount"
            || last == "run"
        {
            self.workload(name, last, keywords, sink);
        }
        // Packages that a task installs.
        if let Some(requirements) = keyword(&["requirements"])
            && let Some(items) = self.items(&requirements)
        {
            for item in items.iter().filter_map(Val::as_str) {
                self.collector.package("pip", item, place, name);
            }
        }
    }
}
