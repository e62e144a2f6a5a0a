//! Files of lines: settings, scripts, SQL, requirements, keys.

use super::{config_value, val};
use crate::{
    collect::{Collector, Sink},
    credentials, settings,
    source::Place,
    storage,
    value::literal,
};

/// Environment files, INI, properties, TOML and their kin.
pub fn settings(collector: &mut Collector<'_>, file: u32, text: &str) {
    let path = collector.tree.file(file).map(|f| f.path.to_ascii_lowercase()).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    if matches!(name.as_str(), "poetry.lock" | "uv.lock" | "cargo.lock") {
        return;
    }
    if matches!(name.as_str(), ".pgpass" | ".netrc" | "_netrc") {
        lines(collector, file, text);
        return;
    }
    for entry in settings::entries(text) {
        let place = Place::new(file, entry.start, entry.start + entry.value.len());
        let value = val(entry.value, place);
        let what =
            if entry.section.is_empty() { entry.name.to_owned() } else { format!("{}.{}", entry.section, entry.name) };
        let sink = Sink { what: &what, place, access: "any" };
        config_value(collector, entry.name, &value, sink);
        collector.environment_switch(entry.name, entry.value, place);
        let lower = what.to_ascii_lowercase();
        let talks = ["description", "comment", "deny", "prohibited", "forbidden", "blocked", "readme", "homepage"]
            .iter()
            .any(|w| lower.contains(w));
        if talks {
            continue;
        }
        for location in storage::find(&super::rendered(entry.value).unwrap_or_else(|| entry.value.to_owned())) {
            collector.storage(&location, &value.trace, sink);
        }
        let words = credentials::words(entry.name);
        let last = words.iter().rev().find(|w| *w != "name").map_or("", String::as_str);
        if last == "bucket" && !entry.value.contains("://") && !entry.value.is_empty() {
            let provider = storage::provider_of(&what).unwrap_or("any");
            collector.storage(&storage::bucket(provider, entry.value, "", ""), &value.trace, sink);
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
        if path.ends_with(".pgpass") {
            let mut fields = line.splitn(5, ':');
            if let Some(password) = fields.nth(4) {
                collector.secret_value("password", &val(password, place), sink, "");
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
                collector.secret_value("password", &val(password, place), sink, "");
            }
        }
        if let Some((name, value)) = line.split_once([':', '='])
            && credentials::wanted(name.trim().trim_start_matches("- ").trim_matches('"')).is_some()
        {
            let value = value.trim().trim_matches(['"', '\'', ',']);
            config_value(collector, name.trim().trim_start_matches("- ").trim_matches('"'), &val(value, place), sink);
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
    collector.script_file(file, text, "shell", &mut environment);
}

/// A Makefile: variables, then recipes as scripts.
pub fn makefile(collector: &mut Collector<'_>, file: u32, text: &str) {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let body = line.trim_end();
        let place = Place::new(file, start, start + body.len());
        if let Some(recipe) = body.strip_prefix('\t') {
            collector.script(recipe.trim_start_matches(['@', '-']), &literal(place), place, "make", &mut Vec::new());
        } else if let Some((name, value)) = body.split_once('=')
            && !name.contains(char::is_whitespace)
                | name.trim_end_matches([' ', ':', '?', '+']).chars().all(|c| c.is_alphanumeric() || c == '_')
        {
            let name = name.trim_end_matches([' ', ':', '?', '+']).trim_start_matches("export ");
            config_value(collector, name, &val(value.trim(), place), Sink { what: "make", place, access: "" });
        }
    }
}

/// SQL in a file, with Jinja rendered as dbt and Airflow do.
pub fn sql(collector: &mut Collector<'_>, file: u32, text: &str) {
    // Comments talk; strings that begin like one are rare.
    let mut offset = 0;
    for statement in text.split_inclusive(';') {
        let start = offset;
        offset += statement.len();
        let body: String = statement
            .lines()
            .map(|line| line.split("--").next().filter(|_| !line.contains("://--")).unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        let body = without_comments(&super::rendered(&body).unwrap_or(body));
        for location in storage::find(&body) {
            // Its own line, when it stands there as it is.
            let needle = location.bucket.as_str();
            let at = statement.find(needle).unwrap_or_else(|| statement.len() - statement.trim_start().len());
            let place = Place::new(file, start + at, start + at + needle.len());
            collector.storage(&location, &literal(place), Sink { what: "SQL", place, access: "any" });
        }
        for (key, from, to) in crate::collect::pairs(&body) {
            let (Some(name), Some(value)) = (body.get(key.0..key.1), body.get(from..to)) else { continue };
            let name = if name.eq_ignore_ascii_case("identified by") { "password" } else { name };
            let at = statement.find(value).unwrap_or(0);
            let place = Place::new(file, start + at, start + at + value.len());
            config_value(collector, name, &val(value, place), Sink { what: "SQL", place, access: "" });
        }
        let at = statement.len() - statement.trim_start().len();
        let place = Place::new(file, start + at, start + statement.trim_end().len());
        collector.credentials_in("", &body, &literal(place), Sink { what: "SQL", place, access: "" });
    }
}

/// SQL without block comments and without lists of what is blocked.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        // `s3://bucket/*` is no comment.
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '/') {
            out.push_str(before);
            out.push_str("/*");
            rest = after;
            continue;
        }
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    let upper = out.to_ascii_uppercase();
    let blocked = ["BLOCKED_LOCATIONS", "DENIED_LOCATIONS", "PROHIBITED_LOCATIONS"].iter().find_map(|w| upper.find(w));
    if let Some(at) = blocked
        && let Some(end) = out.get(at..).and_then(|t| t.find(')'))
        && upper.len() == out.len()
    {
        out.replace_range(at..at + end, "");
    }
    out
}

/// `requirements.txt`, after PEP 508.
pub fn requirements(collector: &mut Collector<'_>, file: u32, text: &str) {
    let mut offset = 0;
    let mut hashed = false;
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
            hashed |= body.starts_with("--hash");
            continue;
        }
        let _ = hashed;
        let body = body.split(" #").next().unwrap_or(body).trim_end_matches('\\');
        // `-c constraints.txt` pins elsewhere; a constraints file is where it is pinned.
        let is_url = body.contains("://");
        if !is_url && !text.contains("\n-c ") && !text.starts_with("-c ") && !text.contains("--constraint") {
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
