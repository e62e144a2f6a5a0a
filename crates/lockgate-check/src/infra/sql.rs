//! SQL, with the Jinja of dbt and Airflow rendered and the variables of psql and Hive put in.

mod grants;
mod spoken;

use super::{config_value, val};
use crate::{
    collect::{Collector, Sink},
    source::Place,
    storage,
    value::literal,
};

/// Most files of macros that a model is rendered with, and most bytes of them.
const MACRO_FILES_MAX: usize = 200;
const MACRO_BYTES_MAX: usize = 128 << 10;
/// Longest SQL that variables make.
const SQL_BYTES_MAX: usize = 4 << 20;
/// Longest value of a variable of psql.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// SQL in a file, with Jinja rendered as dbt and Airflow do.
pub fn sql(collector: &mut Collector<'_>, file: u32, text: &str) {
    let body = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    let (variables, nested) = project(collector, file);
    let context = crate::jinja::Context { names: Vec::new(), variables, nested };
    let macros = if body.contains("{{") { macros(collector, file) } else { String::new() };
    // `{{ config(location=...) }}` of dbt renders to nothing; as a mapping it shows what it says.
    let body = body.replace("{{ config(", "{{ dict(").replace("{{config(", "{{ dict(");
    let body = joined_literals(&spoken::folded(&with_variables(&spoken::printed(&opened(&body)))));
    let rendered = if crate::jinja::is_template(&body) && !body.contains("${{") {
        let rendered = crate::jinja::render(&format!("{macros}{body}"), &context);
        let rendered = rendered.or_else(|| crate::jinja::render(&body, &context)).map(|text| text.flat().to_string());
        // Hooks are texts that dbt renders once more.
        rendered.map(|text| {
            let again = if crate::jinja::is_template(&text) { crate::jinja::render(&text, &context) } else { None };
            again.map_or(text, |again| again.flat().to_string())
        })
    } else {
        super::rendered(&body)
    };
    let body = without_remarks(&without_comments(&rendered.unwrap_or(body)));
    // Where it stands as it is; otherwise where its beginning does.
    let find = |needle: &str| {
        let known = needle.split([crate::value::HOLE, crate::value::REFERENCE]).next().unwrap_or(needle);
        let at = (!known.is_empty()).then(|| text.find(known)).flatten();
        at.map(|at| Place::new(file, at, at + known.len()))
    };
    for location in storage::find(&body) {
        let scheme = format!("{}://", location.provider);
        let place = find(&location.bucket).or_else(|| find(&scheme)).unwrap_or(Place::new(file, 0, 0));
        let access = spoken::access(&body, &location);
        collector.storage(&location, &literal(place), Sink { what: "SQL", place, access });
    }
    for (key, from, to) in crate::collect::pairs(&body) {
        let (Some(name), Some(value)) = (body.get(key.0..key.1), body.get(from..to)) else { continue };
        // A table may be called as a bucket is.
        let lower = name.to_ascii_lowercase();
        if matches!(
            lower.as_str(),
            "from" | "join" | "into" | "table" | "schema" | "database" | "view" | "as" | "update"
        ) {
            continue;
        }
        let name = if lower == "identified by" { "password" } else { name };
        let place = find(value).unwrap_or(Place::new(file, 0, 0));
        config_value(collector, name, &val(value, place), Sink { what: "SQL", place, access: "" });
    }
    grants::grants(collector, &body, &find, Place::new(file, 0, 0));
    spoken::variables(collector, &body, &find, Place::new(file, 0, 0));
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let place = Place::new(file, offset, offset + line.trim_end().len());
        offset += line.len();
        if !line.trim_start().starts_with("--") {
            let line = of_psql(line.trim_end(), &|_| None);
            collector.credentials_in("", &line, &literal(place), Sink { what: "SQL", place, access: "" });
        }
    }
}

/// Grants in a text that stands elsewhere, such as a hook of dbt.
pub(super) fn grants(collector: &mut Collector<'_>, text: &str, place: Place) {
    grants::grants(collector, text, &|_| None, place);
}

/// Variables by name: texts, then lists and mappings.
type Variables = (Vec<(std::sync::Arc<str>, crate::value::Text)>, Vec<(std::sync::Arc<str>, crate::jinja::Known)>);

/// The variables of dbt's project, for `var('name')`.
fn project(collector: &Collector<'_>, file: u32) -> Variables {
    let mut out = Variables::default();
    let Some(text) = project_file(collector, file).and_then(|id| collector.tree.file(id)).and_then(|f| f.text().ok())
    else {
        return out;
    };
    for document in crate::yaml::parse(text).unwrap_or_default() {
        let Some(vars) = document.get("vars") else { continue };
        // A project may keep its own below its name.
        let nested = vars.entries().iter().flat_map(|(_, below)| below.entries());
        for (name, value) in vars.entries().iter().chain(nested) {
            if let (Some(name), Some(value)) = (name.str(), value.str()) {
                out.0.push((name.into(), crate::value::Text::Known(value.into())));
            } else if let Some(name) = name.str() {
                out.1.push((name.into(), super::names::known(value, 0)));
            }
        }
    }
    out
}

/// The `dbt_project.yml` above a file.
fn project_file(collector: &Collector<'_>, file: u32) -> Option<u32> {
    let path = collector.tree.file(file)?.path.clone();
    let mut folder = &*path;
    loop {
        let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
        let name = if above.is_empty() { "dbt_project.yml".to_owned() } else { format!("{above}/dbt_project.yml") };
        if let Some(id) = collector.tree.find(&name) {
            return Some(id);
        }
        if above.is_empty() {
            return None;
        }
        folder = above;
    }
}

/// The macros beside a project's models, which each of them may call.
fn macros(collector: &Collector<'_>, file: u32) -> String {
    let mut out = String::new();
    let Some(path) = collector.tree.file(file).map(|f| f.path.clone()) else { return out };
    let Some(root) = path.split("models/").next().filter(|root| root.len() < path.len()) else { return out };
    let start = format!("{root}macros/");
    let sources = collector.tree.files.iter().filter(|f| f.path.starts_with(&start) && f.path.ends_with(".sql"));
    for text in sources.take(MACRO_FILES_MAX).filter_map(|source| source.text().ok()) {
        if text.contains("macro") && out.len() + text.len() < MACRO_BYTES_MAX {
            out.push_str(text);
            out.push('\n');
        }
    }
    out
}

/// `'s3://' || 'bucket'` as the one text that it is.
fn joined_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("||") {
        if let (Some(left), Some(right)) = (before.trim_end().strip_suffix('\''), after.trim_start().strip_prefix('\''))
        {
            out.push_str(left);
            rest = right;
        } else {
            out.push_str(before);
            out.push_str("||");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `SET hivevar:name=value;` of Hive, `\set name value` of psql, `DECLARE`d nowhere else.
fn with_variables(text: &str) -> String {
    let mut names: Vec<(String, String)> = Vec::new();
    for line in text.lines().take(2_000) {
        let line = line.trim().trim_end_matches(';');
        let lower = line.to_ascii_lowercase();
        let set = lower.starts_with("set ").then(|| line.get(4..)).flatten();
        let pair = set.and_then(|l| l.split_once('=')).or_else(|| line.strip_prefix("\\set ")?.split_once(' '));
        if let Some((name, value)) = pair {
            let value = value.trim();
            // psql joins what follows the name.
            let joined = line.starts_with("\\set ") && (value.contains(" :") || value.contains("' '"));
            let value = if joined {
                let of = |word: &str| {
                    let known = word.strip_prefix(':').and_then(|n| names.iter().rev().find(|(name, _)| name == n));
                    known.map_or_else(|| word.trim_matches('\'').to_owned(), |(_, value)| value.clone())
                };
                let made: String = value.split_whitespace().map(of).collect();
                // Variables that double each other end here.
                if made.len() > VALUE_BYTES_MAX { crate::value::REFERENCE.to_string() } else { made }
            } else {
                value.trim_matches(['\'', '"']).to_owned()
            };
            names.push((name.trim().to_owned(), value));
        }
    }
    // What a command prints is known when it runs.
    let known = |name: &str| {
        let value = names.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        value.map(|value| if value.starts_with('`') { crate::value::REFERENCE.to_string() } else { value })
    };
    let text = &of_psql(text, &known);
    if names.is_empty() {
        return text.clone();
    }
    crate::interpolate::substitute(text, "${", "}", |name| {
        known(name).or_else(|| known(&format!("hivevar:{name}"))).or_else(|| known(name.split_once(':')?.1))
    })
}

/// `:name` and `:'name'` of psql as the text that `\set` gave it.
fn of_psql(text: &str, known: &impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        out.push_str(before);
        if out.len() > SQL_BYTES_MAX {
            break;
        }
        let quoted = after.strip_prefix('\'').and_then(|inner| inner.split_once('\''));
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, tail) = quoted.unwrap_or_else(|| after.split_at(end));
        // A name in quotes that nothing sets here is given by who runs it.
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_given = quoted.is_some() && is_name && before.ends_with([' ', '(', ',', '=']);
        let value = known(name).or_else(|| is_given.then(|| crate::value::REFERENCE.to_string()));
        if let Some(value) = value.filter(|_| is_name && !out.ends_with(':')) {
            out.push_str(&format!("'{value}'"));
            rest = tail;
        } else {
            out.push(':');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// A line of SQL without the comment at its end; `--` within quotes is none.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut previous = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            // `s3://bucket/--part` is no comment either.
            (None, '-') if previous == '-' && !line.get(..at - 1).is_some_and(|before| before.ends_with("://")) => {
                return line.get(..at - 1).unwrap_or(line);
            }
            _ => {}
        }
        previous = c;
    }
    line
}

/// What a statement writes about a table, such as `COMMENT ON ROLE x IS '...'`, is for people.
fn without_remarks(text: &str) -> String {
    use std::sync::LazyLock;

    use regex::Regex;
    static REMARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\bcomment\s+on\s+[^;']{1,300}?\bis\s+'(?:[^']|'')*'|\bcomment\s*=?\s*'(?:[^']|'')*'").ok()
    });
    REMARK.as_ref().map_or_else(|| text.to_owned(), |regex| regex.replace_all(text, "").into_owned())
}

/// Macros that nobody calls here, with their defaults: what they would write is read.
fn opened(text: &str) -> String {
    if !text.contains("{% macro") && !text.contains("{%- macro") {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) =
        rest.find("macro ").filter(|at| rest.get(..*at).is_some_and(|b| b.trim_end().ends_with(['%', '-'])))
    {
        let open = rest.get(..at).and_then(|b| b.rfind("{%")).unwrap_or(at);
        out.push_str(rest.get(..open).unwrap_or_default());
        let after = rest.get(at..).unwrap_or_default();
        let (head, tail) = after.split_once("%}").unwrap_or((after, ""));
        let parameters = head.split_once('(').and_then(|(_, p)| p.rsplit_once(')')).map_or("", |(p, _)| p);
        for (name, default) in parameters.split(',').filter_map(|p| p.split_once('=')) {
            out.push_str(&format!("{{% set {} = {} %}}", name.trim(), default.trim()));
        }
        rest = tail;
    }
    out.push_str(rest);
    for end in ["{% endmacro %}", "{%- endmacro %}", "{%- endmacro -%}", "{% endmacro -%}"] {
        out = out.replace(end, "");
    }
    out
}

/// SQL without block comments.
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
    without_blocked(&out)
}

/// Lists of what is blocked, such as Snowflake's `STORAGE_BLOCKED_LOCATIONS = ('s3://...')`, name
/// what is not used.
fn without_blocked(text: &str) -> String {
    use std::sync::LazyLock;

    use regex::Regex;
    static BLOCKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b[a-z_]*(?:blocked|denied|prohibited|forbidden|excluded)[a-z_]*\s*=?\s*\([^)]*\)").ok()
    });
    BLOCKED.as_ref().map_or_else(|| text.to_owned(), |regex| regex.replace_all(text, "").into_owned())
}
