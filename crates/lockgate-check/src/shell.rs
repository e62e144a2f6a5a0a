//! Shell scripts as far as their commands, assignments and quotes go.
//!
//! A tolerant reader instead of a shell's parser: what is checked is often half a script, with
//! templates in it, and must not be refused for that. Variables are followed in order; what is
//! not assigned is a reference to the environment.

use crate::value::{HOLE, REFERENCE};

/// Most commands that are read of a script.
const COMMANDS_MAX: usize = 5_000;
/// Deepest scripts within scripts.
const DEPTH_MAX: usize = 6;
const WORD_BYTES_MAX: usize = 64 << 10;
/// Most `$(...)` of one script that are looked into.
const SUBSTITUTIONS_MAX: usize = 1_000;

/// A command with what stands in front of it.
#[derive(Clone, Debug, Default)]
pub struct Command {
    pub assignments: Vec<(String, String)>,
    pub words: Vec<String>,
    /// The text of a here-document.
    pub document: String,
    /// Where it starts in the script, in bytes.
    pub offset: usize,
    /// Whether its output goes to the next one.
    pub piped: bool,
    /// Whether the next one runs it.
    pub runs_on: bool,
}

/// The commands of a script in order, those within `$(...)` and `sh -c` included. `variables`
/// starts with the environment that is known and ends with what the script assigned.
pub fn read(script: &str, variables: &mut Vec<(String, String)>) -> Vec<Command> {
    let mut out = Vec::new();
    scan(script, 0, variables, &mut out, 0);
    // A pipe counts where what comes out of it is run.
    let runs: Vec<bool> = out.iter().skip(1).map(is_interpreter).chain([false]).collect();
    for (command, runs) in out.iter_mut().zip(runs) {
        command.runs_on = command.piped && runs;
    }
    out
}

/// Whether a command runs what it reads.
fn is_interpreter(command: &Command) -> bool {
    let words = command.words.iter().map(String::as_str).find(|w| !matches!(*w, "sudo" | "env" | "-E"));
    let program = words.map_or("", |w| w.rsplit('/').next().unwrap_or(w));
    matches!(program, "sh" | "bash" | "zsh" | "dash" | "ksh" | "perl" | "ruby" | "node")
        || program.starts_with("python")
}

fn scan(script: &str, base: usize, variables: &mut Vec<(String, String)>, out: &mut Vec<Command>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let mut reader = Reader { substitutions: 0, chars: script.char_indices().peekable(), script };
    let mut command = Command { offset: base, ..Command::default() };
    let mut documents: Vec<(String, usize)> = Vec::new();
    loop {
        reader.blanks();
        let Some((at, c)) = reader.chars.peek().copied() else { break };
        if command.words.is_empty() && command.assignments.is_empty() {
            command.offset = base + at;
        }
        match c {
            '\n' => {
                reader.chars.next();
                for (end, index) in documents.drain(..) {
                    let text = reader.document(&end);
                    let text = expand_plain(&text, variables);
                    // Its command is done, or is the one that is being read.
                    out.get_mut(index).unwrap_or(&mut command).document.push_str(&text);
                }
                finish(&mut command, variables, out, depth, false);
            }
            '#' => reader.skip_line(),
            ';' | '&' | '(' | ')' | '|' => {
                reader.chars.next();
                let piped = c == '|' && reader.chars.peek().is_none_or(|(_, c)| *c != '|');
                while reader.chars.peek().is_some_and(|(_, n)| matches!(n, ';' | '&' | '|')) {
                    reader.chars.next();
                }
                finish(&mut command, variables, out, depth, piped);
            }
            '<' | '>' => {
                reader.chars.next();
                let mut operator = c.to_string();
                while let Some((_, n)) = reader.chars.peek()
                    && matches!(n, '<' | '>' | '&' | '-' | '|')
                {
                    operator.push(*n);
                    reader.chars.next();
                }
                reader.blanks();
                let word = reader.word(variables, base, out, depth);
                if operator.starts_with("<<<") {
                    command.document.push_str(&word);
                } else if operator.starts_with("<<") {
                    documents.push((word, out.len()));
                } else if !word.is_empty() {
                    command.words.push(word);
                }
            }
            _ => {
                let word = reader.word(variables, base, out, depth);
                let word = appended(word, variables);
                let assigned = word.split_once('=').filter(|(name, _)| {
                    !name.is_empty()
                        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                        && !name.starts_with(|c: char| c.is_ascii_digit())
                });
                match assigned {
                    Some((name, value)) if command.words.is_empty() => {
                        command.assignments.push((name.to_owned(), value.to_owned()));
                    }
                    // A keyword is no command.
                    _ if command.words.is_empty()
                        && matches!(
                            word.as_str(),
                            "if" | "then"
                                | "else"
                                | "elif"
                                | "fi"
                                | "do"
                                | "done"
                                | "while"
                                | "until"
                                | "!"
                                | "{"
                                | "}"
                                | "time"
                                | "[["
                                | "["
                        ) => {}
                    _ => command.words.push(word),
                }
            }
        }
        if out.len() >= COMMANDS_MAX {
            return;
        }
    }
    finish(&mut command, variables, out, depth, false);
}

/// `name+=more` as `name=all of it`.
fn appended(word: String, variables: &[(String, String)]) -> String {
    match word.split_once("+=") {
        Some((name, more)) if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
            let before = variables.iter().rev().find(|(known, _)| known == name).map_or("", |(_, v)| v);
            format!("{name}={before}{more}")
        }
        _ => word,
    }
}

fn finish(
    command: &mut Command,
    variables: &mut Vec<(String, String)>,
    out: &mut Vec<Command>,
    depth: usize,
    piped: bool,
) {
    let mut done = std::mem::take(command);
    if done.words.is_empty() && done.assignments.is_empty() {
        return;
    }
    let mut set = |name: &str, value: &str| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.to_owned()));
    };
    if done.words.is_empty() {
        for (name, value) in &done.assignments {
            set(name, value);
        }
    }
    if matches!(
        done.words.first().map(String::as_str),
        Some("export" | "declare" | "local" | "readonly" | "set" | "env" | "typeset")
    ) {
        let words = std::mem::take(&mut done.words);
        let mut rest = Vec::new();
        for (i, word) in words.iter().enumerate() {
            match word.split_once('=') {
                Some((name, value))
                    if i > 0 && rest.len() < 2 && name.chars().all(|c| c.is_alphanumeric() || c == '_') =>
                {
                    set(name, value);
                    done.assignments.push((name.to_owned(), value.to_owned()));
                }
                _ => rest.push(word.clone()),
            }
        }
        // `env A=b program`.
        if rest.first().is_some_and(|w| w == "env") {
            rest.remove(0);
        }
        done.words = rest;
    }
    done.piped = piped;
    // A script within: `sh -c "..."`, `ssh host "..."`, `eval "..."`.
    let program = done.words.first().map(|w| w.rsplit('/').next().unwrap_or(w).to_owned()).unwrap_or_default();
    let inner = match program.as_str() {
        "sh" | "bash" | "zsh" | "dash" | "ksh" => {
            let flag = done.words.iter().position(|w| w.starts_with('-') && !w.starts_with("--") && w.ends_with('c'));
            flag.and_then(|i| done.words.get(i + 1))
                .cloned()
                .or_else(|| (!done.document.is_empty()).then(|| done.document.clone()))
        }
        "eval" => Some(done.words.get(1..).unwrap_or_default().join(" ")),
        "ssh" | "su" | "xargs" | "watch" | "docker" | "kubectl" | "sudo" => {
            done.words.iter().skip(1).find(|w| w.contains(' ') && !w.starts_with('{')).cloned()
        }
        _ => None,
    };
    let offset = done.offset;
    out.push(done);
    if let Some(inner) = inner {
        let mut variables = variables.clone();
        scan_at(&inner, offset, &mut variables, out, depth + 1);
    }
}

fn scan_at(script: &str, offset: usize, variables: &mut Vec<(String, String)>, out: &mut Vec<Command>, depth: usize) {
    let before = out.len();
    scan(script, 0, variables, out, depth);
    for command in out.iter_mut().skip(before) {
        command.offset = offset;
    }
}

struct Reader<'t> {
    /// How many `$(...)` were read.
    substitutions: usize,
    chars: std::iter::Peekable<std::str::CharIndices<'t>>,
    script: &'t str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        loop {
            match self.chars.peek() {
                Some((_, ' ' | '\t' | '\r')) => drop(self.chars.next()),
                Some((at, '\\'))
                    if self.script.get(at + 1..).is_some_and(|r| r.starts_with('\n') || r.starts_with("\r\n")) =>
                {
                    self.chars.next();
                    while self.chars.peek().is_some_and(|(_, c)| matches!(c, '\r' | '\n')) {
                        self.chars.next();
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.chars.peek().is_some_and(|(_, c)| *c != '\n') {
            self.chars.next();
        }
    }

    /// The lines of a here-document up to its end.
    fn document(&mut self, end: &str) -> String {
        let mut out = String::new();
        loop {
            let mut line = String::new();
            let mut any = false;
            for (_, c) in self.chars.by_ref() {
                any = true;
                if c == '\n' {
                    break;
                }
                line.push(c);
            }
            if !any || line.trim() == end {
                return out;
            }
            out.push_str(&line);
            out.push('\n');
        }
    }

    fn word(&mut self, variables: &[(String, String)], base: usize, out: &mut Vec<Command>, depth: usize) -> String {
        let mut word = String::new();
        while let Some((_, c)) = self.chars.peek().copied() {
            if word.len() > WORD_BYTES_MAX {
                self.chars.next();
                continue;
            }
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.chars.next();
                    for (_, c) in self.chars.by_ref() {
                        if c == '\'' {
                            break;
                        }
                        word.push(c);
                    }
                }
                '"' => {
                    self.chars.next();
                    while let Some((_, c)) = self.chars.peek().copied() {
                        match c {
                            '"' => {
                                self.chars.next();
                                break;
                            }
                            '\\' => {
                                self.chars.next();
                                match self.chars.next() {
                                    Some((_, '\n')) | None => {}
                                    Some((_, c)) => {
                                        if !matches!(c, '"' | '\\' | '$' | '`') {
                                            word.push('\\');
                                        }
                                        word.push(c);
                                    }
                                }
                            }
                            '$' | '`' => self.dollar(&mut word, variables, base, out, depth),
                            _ => {
                                word.push(c);
                                self.chars.next();
                            }
                        }
                    }
                }
                '\\' => {
                    self.chars.next();
                    match self.chars.next() {
                        Some((_, '\n')) | None => {}
                        Some((_, c)) => word.push(c),
                    }
                }
                '$' | '`' => self.dollar(&mut word, variables, base, out, depth),
                _ => {
                    word.push(c);
                    self.chars.next();
                }
            }
        }
        word
    }

    /// `$name`, `${name:-default}`, `$(command)`, a backquote.
    fn dollar(
        &mut self,
        word: &mut String,
        variables: &[(String, String)],
        base: usize,
        out: &mut Vec<Command>,
        depth: usize,
    ) {
        let Some((at, c)) = self.chars.next() else { return };
        let rest = self.script.get(at + c.len_utf8()..).unwrap_or_default();
        if c == '`' || rest.starts_with('(') {
            self.substitutions += 1;
            if self.substitutions > SUBSTITUTIONS_MAX {
                word.push(HOLE);
                return;
            }
        }
        if c == '`' {
            let inner = rest.split('`').next().unwrap_or_default();
            self.skip(inner.chars().count() + 1);
            let mut variables = variables.to_vec();
            scan_at(inner, base + at, &mut variables, out, depth + 1);
            word.push(HOLE);
        } else if rest.starts_with("((") {
            let length = rest.find("))").map_or(2, |end| rest.get(..end + 2).map_or(2, |t| t.chars().count()));
            self.skip(length);
            word.push(HOLE);
        } else if rest.starts_with('(') {
            let inner = balanced(rest, '(', ')');
            self.skip(inner.chars().count() + 2);
            // `$(echo text | base64 -d)` stays a hole; what it runs is read.
            let mut variables = variables.to_vec();
            scan_at(inner, base + at, &mut variables, out, depth + 1);
            word.push(HOLE);
        } else if rest.starts_with('{') && !rest.starts_with("{{") {
            let inner = balanced(rest, '{', '}');
            self.skip(inner.chars().count() + 2);
            word.push_str(&parameter(inner, variables, 0));
        } else {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.is_empty() {
                match rest.chars().next() {
                    Some('@' | '*' | '#' | '?' | '!' | '$' | '-') => {
                        self.skip(1);
                        word.push(HOLE);
                    }
                    _ => word.push('$'),
                }
            } else {
                self.skip(name.chars().count());
                word.push_str(&value_of(&name, variables));
            }
        }
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.chars.next();
        }
    }
}

/// What stands between the first bracket and the one that closes it.
fn balanced(text: &str, open: char, close: char) -> &str {
    let mut depth = 0usize;
    for (i, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return text.get(open.len_utf8()..i).unwrap_or_default();
            }
        }
    }
    text.get(open.len_utf8()..).unwrap_or_default()
}

fn value_of(name: &str, variables: &[(String, String)]) -> String {
    match variables.iter().rev().find(|(known, _)| known == name) {
        Some((_, value)) => value.clone(),
        None => REFERENCE.to_string(),
    }
}

/// `name:-default` and its kin.
fn parameter(inner: &str, variables: &[(String, String)], depth: usize) -> String {
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, operator) = inner.split_at(end);
    let known = variables.iter().rev().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    for start in [":-", "-", ":=", "="] {
        if let Some(default) = operator.strip_prefix(start) {
            return known
                .filter(|v| !v.is_empty())
                .unwrap_or_else(|| expand_at(default.trim_matches('"'), variables, depth + 1));
        }
    }
    match (known, operator) {
        (Some(value), "") => value,
        (Some(value), operator) => replaced(&value, operator),
        (None, _) => REFERENCE.to_string(),
    }
}

/// `${name/from/to}`, `${name#prefix}`, `${name%suffix}`, `${name,,}`, `${name^^}`.
fn replaced(value: &str, operator: &str) -> String {
    if operator == ",," {
        return value.to_lowercase();
    }
    if operator == "^^" {
        return value.to_uppercase();
    }
    if let Some(rule) = operator.strip_prefix("//").or_else(|| operator.strip_prefix('/')) {
        let (from, to) = rule.split_once('/').unwrap_or((rule, ""));
        return if from.is_empty() { value.to_owned() } else { value.replace(from, to) };
    }
    if let Some(prefix) = operator.strip_prefix("##").or_else(|| operator.strip_prefix('#')) {
        return value.strip_prefix(prefix).unwrap_or(value).to_owned();
    }
    if let Some(suffix) = operator.strip_prefix("%%").or_else(|| operator.strip_prefix('%')) {
        return value.strip_suffix(suffix).unwrap_or(value).to_owned();
    }
    HOLE.to_string()
}

/// `$name` and `${name}` in a text that is not a script, such as a here-document or a setting.
pub fn expand_plain(text: &str, variables: &[(String, String)]) -> String {
    expand_at(text, variables, 0)
}

fn expand_at(text: &str, variables: &[(String, String)], depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if out.len() > WORD_BYTES_MAX || depth > DEPTH_MAX {
            break;
        }
        out.push_str(before);
        if after.starts_with('{') && !after.starts_with("{{") {
            let inner = balanced(after, '{', '}');
            out.push_str(&parameter(inner, variables, depth + 1));
            rest = after.get(inner.len() + 2..).unwrap_or_default();
            continue;
        }
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            out.push('$');
            rest = after;
        } else {
            out.push_str(&value_of(name, variables));
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expect: &[&[&str]]) {
        let mut variables = Vec::new();
        let commands: Vec<Vec<String>> =
            read(script, &mut variables).into_iter().map(|c| c.words).filter(|w| !w.is_empty()).collect();
        let expect: Vec<Vec<String>> = expect.iter().map(|c| c.iter().map(|w| (*w).to_owned()).collect()).collect();
        assert_eq!(commands, expect, "{script}");
    }

    #[test]
    fn words_are_followed_through_quotes_and_variables() {
        check("B=legacy\naws s3 cp \"s3://${B}-raw/x\" .", &[&["aws", "s3", "cp", "s3://legacy-raw/x", "."]]);
        check(
            "aws s3 ls s3://${X:-legacy-raw}/ | tee 'a b' && echo done # no",
            &[&["aws", "s3", "ls", "s3://legacy-raw/"], &["tee", "a b"], &["echo", "done"]],
        );
        check("bash -c 'gsutil ls gs://a'", &[&["bash", "-c", "gsutil ls gs://a"], &["gsutil", "ls", "gs://a"]]);
        check("x=$(aws s3 ls s3://b)", &[&["aws", "s3", "ls", "s3://b"]]);
    }

    #[test]
    fn assignments_stand_before_their_command() {
        let commands = read("PGPASSWORD=hunter2 psql -h db", &mut Vec::new());
        assert_eq!(commands[0].assignments, [("PGPASSWORD".to_owned(), "hunter2".to_owned())]);
        assert_eq!(commands[0].words, ["psql", "-h", "db"]);
    }
}
