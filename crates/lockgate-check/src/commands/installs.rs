//! What commands bring along: packages that are installed, containers that are run.

use crate::{
    collect::{Collector, Sink},
    facts,
    source::Place,
    value::{HOLE, REFERENCE, Trace},
};

impl Collector<'_> {
    pub(super) fn installs(&mut self, program: &str, words: &[&str], place: Place, sink: &str) {
        let mut rest = words.get(1..).unwrap_or_default();
        let mut manager = program;
        if program.starts_with("python") && rest.first() == Some(&"-m") {
            manager = rest.get(1).copied().unwrap_or_default();
            rest = rest.get(2..).unwrap_or_default();
        }
        if manager == "uv" && rest.first() == Some(&"pip") {
            manager = "pip";
            rest = rest.get(1..).unwrap_or_default();
        }
        if matches!(manager, "npm" | "yarn" | "pnpm") {
            self.node_packages(rest, place, sink);
            return;
        }
        let manager = match manager {
            "pip" | "pip3" | "pipx" => "pip",
            "conda" | "mamba" | "micromamba" => "conda",
            _ => return,
        };
        if rest.first() != Some(&"install") && !(manager == "conda" && rest.contains(&"install")) {
            return;
        }
        // Hashes and constraints pin what the names do not. Conda's `-c` names a channel.
        let pins = |w: &&str| {
            matches!(*w, "--require-hashes" | "-c" | "--constraint" | "--no-index") || w.starts_with("--constraint=")
        };
        if manager == "pip" && rest.iter().any(pins) {
            return;
        }
        let mut skip = false;
        for word in rest.iter().skip(1) {
            if std::mem::take(&mut skip) {
                continue;
            }
            if word.starts_with('-') {
                skip = matches!(
                    *word,
                    "-r" | "--requirement"
                        | "-c"
                        | "--channel"
                        | "-i"
                        | "--index-url"
                        | "--extra-index-url"
                        | "-t"
                        | "--target"
                        | "--prefix"
                        | "-f"
                        | "--find-links"
                        | "-e"
                        | "--editable"
                        | "-n"
                        | "--name"
                        | "--trusted-host"
                        | "--python"
                        | "--cache-dir"
                        | "--root"
                        | "--proxy"
                        | "--timeout"
                        | "--retries"
                        | "--platform"
                ) && !word.contains('=');
                continue;
            }
            // `2>&1`.
            if word.chars().all(|c| c.is_ascii_digit()) {
                continue;
            }
            // The tools that install are what they are.
            let bare = word.split(['=', '<', '>', '~', '[']).next().unwrap_or(word);
            if *word == "install" || matches!(bare, "pip" | "setuptools" | "wheel" | "uv") && !word.contains('=') {
                continue;
            }
            self.package(manager, word, place, sink);
        }
    }

    /// `npm install name`, `yarn add name`; without names it is the lock file that says which.
    fn node_packages(&mut self, words: &[&str], place: Place, sink: &str) {
        let takes_value =
            |w: &&str| matches!(*w, "--omit" | "--include" | "--prefix" | "--registry" | "-C" | "--loglevel");
        let values: Vec<usize> = words.iter().enumerate().filter(|(_, w)| takes_value(w)).map(|(i, _)| i + 1).collect();
        let words = words.iter().copied().enumerate().filter(|(i, _)| !values.contains(i)).map(|(_, w)| w);
        let mut words = words.filter(|w| !w.starts_with('-') && *w != "global");
        if !matches!(words.next(), Some("install" | "i" | "add")) {
            return;
        }
        for word in words {
            // `@scope/name@1.2.3`; a file, a folder and an address are what they are.
            let (scope, name) = word.strip_prefix('@').map_or(("", word), |name| ("@", name));
            if word.starts_with(['.', '/'])
                || name.contains(':')
                || name.ends_with(".tgz")
                || scope.is_empty() && name.contains('/')
            {
                continue;
            }
            let (name, version) = name.split_once('@').unwrap_or((name, ""));
            // `@4` and `@4.1` are ranges.
            let is_exact = version.starts_with(|c: char| c.is_ascii_digit()) && version.matches('.').count() >= 2;
            let version = if is_exact { format!("=={version}") } else { String::new() };
            self.package("npm", &format!("{scope}{name}{version}"), place, sink);
        }
    }

    pub(super) fn container(&mut self, words: &[&str], trace: &Trace, sink: Sink<'_>) {
        let start = words.iter().position(|w| matches!(*w, "run" | "pull" | "create")).map_or(1, |i| i + 1);
        let (workload, image) = self.run_options(words.get(start..).unwrap_or_default(), trace, sink);
        let Some(image) = image else { return };
        self.image(image, trace, sink);
        self.weakened(facts::Workload { image: image.replace([HOLE, REFERENCE], "…"), ..workload }, trace, sink);
    }

    /// The options of a container that something else starts: `--privileged --network host`.
    pub fn container_options(&mut self, options: &str, trace: &Trace, sink: Sink<'_>) {
        let words: Vec<&str> = options.split_whitespace().collect();
        let (workload, _) = self.run_options(&words, trace, sink);
        self.weakened(workload, trace, sink);
    }

    /// A workload that has more rights than it needs.
    fn weakened(&mut self, workload: facts::Workload, trace: &Trace, sink: Sink<'_>) {
        if self.quiet == 0
            && (workload.privileged
                || !workload.host_mounts.is_empty()
                || !workload.host_namespaces.is_empty()
                || !workload.capabilities.is_empty()
                || workload.root == facts::Switch::Yes)
        {
            let raw = self.raw(sink.place, trace, workload);
            self.found.workloads.push(raw);
        }
    }

    /// What the options of `docker run` say, and the image behind them.
    fn run_options<'w>(
        &mut self,
        rest: &[&'w str],
        trace: &Trace,
        sink: Sink<'_>,
    ) -> (facts::Workload, Option<&'w str>) {
        let mut workload = facts::Workload {
            kind: "docker".to_owned(),
            root: facts::Switch::Unset,
            escalation: facts::Switch::Unset,
            ..facts::Workload::default()
        };
        let mut skip = false;
        let mut image = None;
        for (i, word) in rest.iter().enumerate() {
            if std::mem::take(&mut skip) {
                continue;
            }
            if !word.starts_with('-') {
                image = Some(*word);
                break;
            }
            let (name, value) = word.split_once('=').map_or((*word, None), |(n, v)| (n, Some(v)));
            let value = value.or_else(|| rest.get(i + 1).copied()).unwrap_or_default();
            match name {
                "--privileged" => workload.privileged = true,
                "-v" | "--volume" | "--mount" => {
                    // `type=bind,source=/etc,target=/x` says what `/etc:/x` does.
                    let source = value
                        .split(',')
                        .find_map(|part| part.strip_prefix("source=").or_else(|| part.strip_prefix("src=")));
                    let source = source.unwrap_or_else(|| value.split(':').next().unwrap_or(value));
                    if source.contains("docker.sock") || source == "/" || source.starts_with("/etc") {
                        workload.host_mounts.push(source.to_owned());
                    }
                }
                "--network" | "--net" if value == "host" => workload.host_namespaces.push("network".to_owned()),
                "--pid" if value == "host" => workload.host_namespaces.push("pid".to_owned()),
                "-u" | "--user" => {
                    workload.root = if matches!(value.split(':').next(), Some("0" | "root")) {
                        facts::Switch::Yes
                    } else {
                        facts::Switch::No
                    };
                }
                "--cap-add" => workload.capabilities.push(value.to_owned()),
                "-e" | "--env" => {
                    if let Some((name, value)) = value.split_once('=') {
                        self.command_value(name, value, trace, sink);
                    }
                }
                _ => {}
            }
            let is_switch =
                matches!(
                    name,
                    "--rm"
                        | "--detach"
                        | "--privileged"
                        | "--init"
                        | "--read-only"
                        | "--interactive"
                        | "--tty"
                        | "--no-healthcheck"
                        | "--quiet"
                ) || name.strip_prefix('-').is_some_and(|letters| letters.chars().all(|c| "ditPq".contains(c)));
            skip = !is_switch && !word.contains('=');
        }
        (workload, image)
    }
}
