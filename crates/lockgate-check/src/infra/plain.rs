//! Files of lines: settings, scripts, SQL, requirements, keys.

use super::{config_value, val};
use crate::{
    collect::{Collector, Sink},
    credentials, facts, settings,
    source::Place,
    storage,
    value::{How, joined, literal},
};

/// Environment files, INI, properties, TOML and their kin.
pub fn settings(collector: &mut Collector<'_>, file: u32, text: &str) {
    let path = collector.tree.file(file).map(|f| f.path.to_ascii_lowercase()).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    if matches!(name.as_str(), "poetry.lock" | "uv.lock" | "cargo.lock") {
        return;
    }
    if matches!(name.as_str(), ".pgpass" | "pgpass" | ".netrc" | "_netrc") {
        lines(collector, file, text);
        return;
    }
    let entries = if name.ends_with(".conf") { settings::directives(text) } else { settings::entries(text) };
    if entries.len() >= settings::ENTRIES_MAX {
        collector.problem(file, 0, "of its settings the first 50,000 were looked at");
    }
    let known = settings::Known::new(&entries);
    let mut sections: hashbrown::HashMap<&str, Section> = hashbrown::HashMap::new();
    let place_of = |entry: &settings::Entry<'_>| Place::new(file, entry.start, entry.start + entry.value.len());
    for entry in &entries {
        let place = place_of(entry);
        let (text, used) = known.value(entry);
        let text = if name.ends_with(".properties") { unescaped(&text) } else { text };
        let ways = used.iter().filter_map(|i| entries.get(*i)).map(|e| literal(place_of(e)));
        let trace = if used.is_empty() {
            literal(place)
        } else {
            joined(place, How::Joined, std::iter::once(literal(place)).chain(ways))
        };
        let plain = if name.ends_with(".properties") { unescaped(entry.value) } else { entry.value.to_owned() };
        let value = val(&plain, place);
        let what =
            if entry.section.is_empty() { entry.name.to_owned() } else { format!("{}.{}", entry.section, entry.name) };
        let sink = Sink { what: &what, place, access: "any" };
        config_value(collector, entry.name, &value, sink);
        if !used.is_empty() {
            collector.credentials_in(entry.name, &text, &trace, sink);
        }
        // Poetry's `name = "*"`: any version.
        if entry.section.ends_with("dependencies") && entry.section.contains("poetry") && entry.value == "*" {
            collector.package("pip", entry.name, place, "pyproject");
        }
        collector.switch(&what, entry.value, place);
        if matches!(name.as_str(), "pip.conf" | "pip.ini") && entry.name == "trusted-host" && !entry.value.is_empty() {
            collector.verification_off("trusted-host", place, "");
        }
        // A remote of rclone that stands for a path of another one.
        if name == "rclone.conf"
            && entry.name == "remote"
            && let Some((remote, path)) = entry.value.split_once(':')
        {
            let kind = entries.iter().find(|e| e.section == remote && e.name == "type");
            let provider = kind.and_then(|kind| storage::provider_of(kind.value)).unwrap_or("any");
            if let Some(location) = storage::path(provider, path) {
                collector.storage(&location, &trace, sink);
            }
        }
        // A runner of GitLab, whose jobs are containers.
        if entry.name == "privileged" && entry.value == "true" && entry.section.contains("runners") {
            let workload = facts::Workload {
                kind: "runner".to_owned(),
                name: entry.section.to_owned(),
                privileged: true,
                root: facts::Switch::Unset,
                escalation: facts::Switch::Unset,
                ..facts::Workload::default()
            };
            let raw = collector.raw(place, &None, workload);
            collector.found.workloads.push(raw);
        }
        let lower = what.to_ascii_lowercase();
        let talks = [
            "description",
            "comment",
            "deny",
            "prohibited",
            "forbidden",
            "blocked",
            "guard",
            "refuse",
            "readme",
            "homepage",
        ]
        .iter()
        .any(|w| lower.contains(w));
        if talks {
            continue;
        }
        let text = super::rendered(&text).unwrap_or(text);
        for mut location in storage::find(&text) {
            if location.provider == "abfs" && location.account.is_empty() {
                let section = sections.entry(entry.section).or_insert_with(|| Section::new(&entries, entry.section));
                location.account.clone_from(&section.account);
            }
            collector.storage(&location, &trace, sink);
        }
        let is_bucket = storage::names_bucket(entry.name);
        let is_container = storage::noun(entry.name) == "container";
        if (is_bucket || is_container) && !text.contains("://") && !text.is_empty() {
            // What stands beside it says whose it is.
            let section = sections.entry(entry.section).or_insert_with(|| Section::new(&entries, entry.section));
            let provider = storage::provider_of(&what).or(section.provider);
            let account = section.account.clone();
            if is_bucket || provider == Some("abfs") || !account.is_empty() {
                let provider = provider.unwrap_or(if account.is_empty() { "any" } else { "abfs" });
                collector.storage(&storage::bucket(provider, &text, &account, ""), &trace, sink);
            }
        }
    }
}

/// `\\u002d` of Java's properties.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\u") {
        out.push_str(before);
        let code = after.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        if let Some(c) = code {
            out.push(c);
            rest = after.get(4..).unwrap_or_default();
        } else {
            out.push_str("\\u");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Most variables of a Makefile, and most bytes that they make of it.
const VARIABLES_MAX: usize = 5_000;
const MAKE_BYTES_MAX: usize = 8 << 20;

/// What the settings of a section say of the storage in it.
struct Section {
    provider: Option<&'static str>,
    account: String,
}

impl Section {
    fn new(entries: &[settings::Entry<'_>], name: &str) -> Self {
        let own = || entries.iter().filter(|entry| entry.section == name);
        let is_kind = |entry: &&settings::Entry<'_>| {
            let name = entry.name.to_ascii_lowercase();
            matches!(name.as_str(), "type" | "name" | "provider" | "kind" | "connector.class")
        };
        Self {
            provider: own().filter(is_kind).find_map(|entry| storage::provider_of(entry.value)),
            account: own().find_map(|entry| storage::account(entry.name, entry.value)).unwrap_or_default(),
        }
    }
}

/// Lines of a text that is of no format of its own.
pub fn lines(collector: &mut Collector<'_>, file: u32, text: &str) {
    let path = collector.tree.file(file).map(|f| f.path.to_ascii_lowercase()).unwrap_or_default();
    let mut offset = 0;
    let mut machine = false;
    for line in text.split_inclusive('\n') {
        let place = Place::new(file, offset, offset + line.trim_end().len());
        offset += line.len();
        let line = line.trim();
        let sink = Sink { what: "a line", place, access: "" };
        if path.ends_with("pgpass") {
            if line.starts_with('#') {
                continue;
            }
            let mut fields = line.splitn(5, ':');
            if let Some(password) = fields.nth(4) {
                collector.secret_value("password", &val(password, place), sink);
            }
            continue;
        }
        machine |= line.contains("machine ");
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            if machine
                && word == "password"
                && let Some(password) = words.next()
            {
                collector.secret_value("password", &val(password, place), sink);
            }
        }
        // `- name: value`, `{"name": "value"`.
        let bare = |name: &str| name.trim_matches([' ', '-', '{', '[', '"', '\'', ',']).to_owned();
        if let Some((name, value)) = line.split_once([':', '=']).map(|(name, value)| (bare(name), value))
            && credentials::wanted(&name).is_some()
        {
            let value = value.trim().trim_end_matches(['}', ']', ',']).trim().trim_matches(['"', '\'']);
            config_value(collector, &name, &val(value, place), sink);
        } else {
            collector.credentials_in("", line, &literal(place), sink);
        }
        for location in storage::find(line) {
            if !line.starts_with('#') {
                collector.storage(&location, &literal(place), sink);
            }
        }
    }
}

pub fn shell(collector: &mut Collector<'_>, file: u32, text: &str) {
    // Each command has its own place, so the script is read here and not as one text.
    let mut environment = Vec::new();
    let path = collector.tree.file(file).map_or_else(|| "".into(), |f| f.path.clone());
    if crate::source::is_cron(&path) {
        for (at, line) in scheduled(text, path.contains("cron.d/")) {
            collector.script_at(line, Place::new(file, at, at + line.len()), "cron", &mut environment);
        }
        return;
    }
    collector.script_file(file, text, "shell", &mut environment);
}

/// The commands of a table of cron with their places, and the settings between them. A table of the
/// system names a user before the command.
fn scheduled(text: &str, of_system: bool) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim_end();
        let first = body.split_whitespace().next().unwrap_or_default();
        let fields = match first.chars().next() {
            Some('@') => 1,
            Some(c) if c.is_ascii_digit() || c == '*' => 5,
            Some('#') | None => continue,
            _ => {
                out.push((start, body));
                continue;
            }
        };
        let mut rest = body;
        for _ in 0..fields + usize::from(of_system) {
            rest = rest.trim_start();
            rest = rest.get(rest.find(char::is_whitespace).unwrap_or(rest.len())..).unwrap_or_default();
        }
        let command = rest.trim_start();
        out.push((start + body.len() - command.len(), command));
    }
    out
}

/// A Makefile: variables, then recipes as scripts.
pub fn makefile(collector: &mut Collector<'_>, file: u32, text: &str) {
    let mut offset = 0;
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut lines = text.split_inclusive('\n').peekable();
    let mut expanded = 0;
    while let Some(line) = lines.next() {
        let start = offset;
        offset += line.len();
        // A line that goes on in the next one.
        while text.get(start..offset).is_some_and(|body| body.trim_end().ends_with('\\'))
            && let Some(more) = lines.next()
        {
            offset += more.len();
        }
        let body = text.get(start..offset).unwrap_or(line).trim_end();
        let place = Place::new(file, start, start + body.len());
        if let Some(recipe) = body.strip_prefix('\t') {
            // `$$` is the shell's own dollar.
            let recipe = of_make(recipe.trim_start_matches(['@', '-']), &variables, 0).replace("$$", "$");
            expanded += recipe.len();
            if expanded > MAKE_BYTES_MAX {
                let at = u32::try_from(start).unwrap_or(0);
                collector.problem(file, at, "its variables make more of it than is followed");
                return;
            }
            collector.script(&recipe, &literal(place), place, "make", &mut Vec::new());
        } else if let Some((name, value)) = body.split_once('=') {
            let name = name.trim_end_matches([' ', ':', '?', '+']).trim_start_matches("export ");
            if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                let value = of_make(value.trim(), &variables, 0);
                expanded += value.len();
                if expanded > MAKE_BYTES_MAX || variables.len() > VARIABLES_MAX {
                    let at = u32::try_from(start).unwrap_or(0);
                    collector.problem(file, at, "its variables make more of it than is followed");
                    return;
                }
                variables.retain(|(known, _)| known != name);
                config_value(collector, name, &val(&value, place), Sink { what: "make", place, access: "" });
                variables.push((name.to_owned(), value));
            }
        }
    }
}

/// `$(NAME)` and the functions that join texts.
fn of_make(text: &str, variables: &[(String, String)], depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("$(").or_else(|| rest.find("${")) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if out.len() > crate::interpolate::BYTES_MAX {
            return out;
        }
        let (open, close) = if after.starts_with("$(") { ('(', ')') } else { ('{', '}') };
        let mut level = 0;
        let end = after.char_indices().find_map(|(i, c)| {
            level += i32::from(c == open) - i32::from(c == close);
            (level == 0 && i > 0).then_some(i)
        });
        let Some(end) = end.filter(|_| depth < 8) else {
            out.push_str(after);
            return out;
        };
        let inner = after.get(2..end).unwrap_or_default();
        let known = variables.iter().rev().find(|(name, _)| name == inner).map(|(_, value)| value.clone());
        out.push_str(&known.unwrap_or_else(|| {
            let inner = of_make(inner, variables, depth + 1);
            let function = |name: &str| inner.strip_prefix(name).and_then(|args| args.split_once(','));
            if let Some((prefix, name)) = function("addprefix ") {
                format!("{}{}", prefix.trim(), name.trim())
            } else if let Some((suffix, name)) = function("addsuffix ") {
                format!("{}{}", name.trim(), suffix.trim())
            } else {
                // The shell's `$(command)` too.
                format!("$({inner})")
            }
        }));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// `requirements.txt`, after PEP 508.
pub fn requirements(collector: &mut Collector<'_>, file: u32, text: &str) {
    let mut offset = 0;
    // What `pip-compile` pinned into the file beside it is pinned.
    let path = collector.tree.file(file).map_or_else(|| "".into(), |f| f.path.clone());
    let is_compiled =
        path.strip_suffix(".in").is_some_and(|stem| collector.tree.find(&format!("{stem}.txt")).is_some());
    let is_constrained = text.contains("\n-c ") || text.starts_with("-c ") || text.contains("--constraint");
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim();
        let place = Place::new(file, start, start + line.trim_end().len());
        let sink = Sink { what: "requirements", place, access: "" };
        collector.credentials_in("", body, &literal(place), sink);
        if body.contains("--trusted-host") {
            collector.verification_off("--trusted-host", place, "");
        }
        if body.is_empty() || body.starts_with(['#', '-', '.']) {
            continue;
        }
        let body = body.split(" #").next().unwrap_or(body).trim_end_matches('\\').trim();
        // `-c constraints.txt` pins elsewhere; a constraints file is where it is pinned.
        let is_archive = body.contains("://") && !body.contains("git+");
        if !is_archive && !is_constrained && !is_compiled {
            collector.package("pip", body, place, "requirements");
        }
    }
}

/// A private key as a file.
pub fn key(collector: &mut Collector<'_>, file: u32, text: &str) {
    if let Some(at) = text.find("-----BEGIN")
        && text.get(at..).and_then(|t| t.lines().next()).is_some_and(|t| t.contains("PRIVATE KEY"))
        && !text.contains("ENCRYPTED")
    {
        let place = Place::new(file, at, text.len());
        let value = val(text.get(at..).unwrap_or_default().trim(), place);
        collector.named("private_key", &value, Sink { what: "a file", place, access: "" }, "name");
    }
}
