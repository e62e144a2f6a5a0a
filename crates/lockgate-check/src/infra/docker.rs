//! Dockerfiles: images, what is installed, what is set, and who runs it.
//!
//! <https://docs.docker.com/reference/dockerfile/>

use super::val;
use crate::{
    collect::{Collector, Sink},
    credentials, facts, shell,
    source::Place,
    value::literal,
};

/// Most variables of a stage, and most bytes of one.
const VARIABLES_MAX: usize = 1_000;
const VALUE_BYTES_MAX: usize = 16 << 10;

/// One instruction with its lines joined.
struct Instruction {
    name: String,
    rest: String,
    start: usize,
    end: usize,
}

fn instructions(text: &str) -> Vec<Instruction> {
    let mut out: Vec<Instruction> = Vec::new();
    let mut offset = 0;
    let mut open = false;
    let mut document: Option<String> = None;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim();
        if let Some(end) = &document {
            if body == end {
                document = None;
            } else if let Some(last) = out.last_mut() {
                last.rest.push('\n');
                last.rest.push_str(body);
                last.end = start + line.trim_end().len();
            }
            continue;
        }
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let (continued, body) = match body.strip_suffix('\\') {
            Some(body) => (true, body.trim_end()),
            None => (false, body),
        };
        if open {
            if let Some(last) = out.last_mut() {
                last.rest.push_str(" \\\n");
                last.rest.push_str(body);
                last.end = start + line.trim_end().len();
            }
        } else {
            let (name, rest) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
            out.push(Instruction {
                name: name.to_ascii_uppercase(),
                rest: rest.trim().to_owned(),
                start: start + line.len() - line.trim_start().len(),
                end: start + line.trim_end().len(),
            });
            // Neither `1<<2` nor `<<<`.
            let starts = |marker: &str| {
                marker
                    .trim_start_matches('-')
                    .starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '"' | '\''))
            };
            if let Some((_, marker)) = rest.split_once("<<").filter(|(_, marker)| starts(marker))
                && matches!(name.to_ascii_uppercase().as_str(), "RUN" | "COPY")
            {
                document = Some(
                    marker
                        .trim_start_matches('-')
                        .split_whitespace()
                        .next()
                        .unwrap_or("EOF")
                        .trim_matches(['"', '\''])
                        .to_owned(),
                );
            }
        }
        open = continued;
        if out.len() > 10_000 {
            break;
        }
    }
    out
}

pub fn read(collector: &mut Collector<'_>, file: u32, text: &str) {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut stages: Vec<String> = Vec::new();
    let mut user: Option<(String, Place)> = None;
    let mut secrets: Vec<String> = Vec::new();
    for instruction in instructions(text) {
        let place = Place::new(file, instruction.start, instruction.end);
        let trace = literal(place);
        let sink = Sink { what: &instruction.name.clone(), place, access: "any" };
        let rest = instruction.rest.as_str();
        match instruction.name.as_str() {
            "FROM" => {
                let words: Vec<&str> = rest.split_whitespace().filter(|w| !w.starts_with("--")).collect();
                let image = shell::expand_plain(words.first().copied().unwrap_or_default(), &variables);
                if !stages.contains(&image) {
                    collector.image(&image, &trace, sink);
                }
                if let [_, as_word, name, ..] = words.as_slice()
                    && as_word.eq_ignore_ascii_case("as")
                {
                    stages.push((*name).to_owned());
                }
                user = None;
                secrets.clear();
            }
            "ARG" | "ENV" | "LABEL" => {
                // Without a default it comes from who builds, and stays in the history all the same.
                let bare = rest.split_whitespace().filter(|word| !word.contains('='));
                if instruction.name == "ARG" {
                    secrets.extend(bare.filter(|name| is_secret_name(name)).map(str::to_owned));
                }
                // What the environment takes over is in the image for good.
                for secret in secrets.iter().filter(|name| instruction.name == "ENV" && uses(rest, name)) {
                    baked(collector, secret, place, sink);
                }
                for (name, value) in assignments(&instruction.name, rest, &variables) {
                    if instruction.name == "LABEL" {
                        continue;
                    }
                    let named = val(&value, place);
                    collector.named(&name, &named, sink, "image");
                    collector.switch(&name, &value, place);
                    for location in crate::storage::find(&value) {
                        collector.storage(&location, &trace, sink);
                    }
                    variables.retain(|(known, _)| *known != name);
                    if value.len() <= VALUE_BYTES_MAX && variables.len() < VARIABLES_MAX {
                        variables.push((name, value));
                    }
                }
            }
            "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK" => {
                let script = rest.trim_start_matches('-').trim();
                let script: String = rest
                    .split_whitespace()
                    .take_while(|w| w.starts_with("--"))
                    .fold(script.to_owned(), |s, flag| s.replacen(flag.trim_start_matches('-'), "", 1));
                if script.trim_start().starts_with('[')
                    && let Ok(words) = serde_json::from_str::<Vec<String>>(script.trim())
                {
                    let words: Vec<crate::value::Val> = words.iter().map(|w| val(w, place)).collect();
                    collector.words(&words, place, &instruction.name);
                } else {
                    // `RUN <<EOF` runs the lines below it.
                    let script = match script.trim_start().strip_prefix("<<").and_then(|s| s.split_once('\n')) {
                        Some((_, lines)) => lines.to_owned(),
                        None => script,
                    };
                    // An argument of the build is there while it runs.
                    let used = secrets.iter().filter(|name| instruction.name == "RUN" && uses(&script, name));
                    for secret in used {
                        baked(collector, secret, place, sink);
                    }
                    collector.script(&script, &trace, place, &instruction.name, &mut variables.clone());
                }
            }
            "COPY" | "ADD" => copied(collector, rest, place, sink),
            "USER" => user = Some((shell::expand_plain(rest, &variables), place)),
            _ => {}
        }
    }
    if let Some((user, place)) = user
        && matches!(user.split(':').next(), Some("root" | "0"))
    {
        let workload = facts::Workload {
            kind: "image".to_owned(),
            root: facts::Switch::Yes,
            escalation: facts::Switch::Unset,
            ..facts::Workload::default()
        };
        let raw = collector.raw(place, &None, workload);
        collector.found.workloads.push(raw);
    }
}

/// `NAME=value NAME="value"`, and the old `ENV NAME value`.
fn assignments(instruction: &str, rest: &str, variables: &[(String, String)]) -> Vec<(String, String)> {
    let joined = rest.replace("\\\n", " ");
    let first = joined.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        if instruction == "ENV"
            && let Some((name, value)) = joined.split_once(char::is_whitespace)
        {
            return vec![(name.to_owned(), shell::expand_plain(value.trim().trim_matches('"'), variables))];
        }
        return Vec::new();
    }
    let script = shell::read(&format!("export {joined}"), &mut variables.to_vec());
    script.commands.into_iter().flat_map(|command| command.assignments).collect()
}

fn is_secret_name(name: &str) -> bool {
    matches!(credentials::wanted(name), Some(credentials::Wanted::Password | credentials::Wanted::Token))
}

/// Whether a script uses a variable.
fn uses(script: &str, name: &str) -> bool {
    script.match_indices('$').any(|(at, _)| {
        let rest = script.get(at + 1..).unwrap_or_default().trim_start_matches('{');
        rest.strip_prefix(name).is_some_and(|tail| !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// A secret that a layer of the image is made with.
fn baked(collector: &mut Collector<'_>, name: &str, place: Place, sink: Sink<'_>) {
    let fact = facts::Credential {
        name: name.chars().take(100).collect(),
        how: "image".to_owned(),
        sink: sink.what.to_owned(),
        strength: credentials::Strength::Literal,
        entity: None,
        fingerprint: String::new(),
        hint: "a file or an argument".to_owned(),
        instead: String::new(),
    };
    let raw = collector.raw(place, &literal(place), fact);
    collector.found.credentials.push(raw);
}

/// Keys and credentials that are copied into the image.
fn copied(collector: &mut Collector<'_>, rest: &str, place: Place, sink: Sink<'_>) {
    // The form as a list in JSON, for names with spaces in them.
    let plain = rest.replace(['[', ']', '"'], " ").replace(',', " ");
    let rest = if rest.contains("[\"") { plain.as_str() } else { rest };
    // What another stage made is looked at there.
    if rest.contains("--from=") {
        return;
    }
    for word in rest.split_whitespace().filter(|w| !w.starts_with("--")) {
        let name = word.trim_end_matches('/').rsplit('/').next().unwrap_or(word).to_ascii_lowercase();
        let is_secret =
            matches!(
                name.as_str(),
                "id_rsa"
                    | "id_dsa"
                    | "id_ecdsa"
                    | "id_ed25519"
                    | ".npmrc"
                    | ".pypirc"
                    | ".netrc"
                    | ".pgpass"
                    | ".env"
                    | "credentials"
                    | "credentials.json"
                    | "service-account.json"
                    | "kubeconfig"
                    | ".aws"
                    | ".ssh"
                    | ".kube"
                    | ".gnupg"
                    | ".azure"
            ) || name.ends_with(".pem") && !name.contains("cert") && !name.contains("ca") && !name.contains("pub")
                || name.ends_with(".key")
                || name.ends_with(".p12");
        if is_secret && rest.split_whitespace().next_back() != Some(word) {
            baked(collector, word, place, sink);
            return;
        }
    }
}
