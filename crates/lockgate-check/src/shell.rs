//! Shell scripts as far as their commands, assignments and quotes go.
//!
//! A tolerant reader instead of a shell's parser: what is checked is often half a script, with
//! templates in it, and must not be refused for that. Variables are followed in order; what is
//! not assigned is a reference to the environment.

mod expand;

pub use expand::expand_plain;
use expand::{balanced, parameter, value_of};

use crate::value::{HOLE, REFERENCE};

/// Most commands that are read of a script.
const COMMANDS_MAX: usize = 5_000;
/// Most loops without an end.
const UNCLOSED_MAX: u32 = 50;
/// Most values of a loop that are followed.
const VALUES_MAX: usize = 32;
/// Stands in a word where the value of an unquoted variable is split.
const SPLIT: char = '\u{1F}';
const SPLIT_TEXT: &str = "\u{1F}";
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
    /// `AZURE_STORAGE_ACCOUNT`, which Azure's programs take from the environment.
    pub account: String,
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
    let mut reader = Reader { substitutions: 0, unclosed: 0, chars: script.char_indices().peekable(), script };
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
                    command.words.push(word.replace(SPLIT, " "));
                }
            }
            _ => {
                let word = reader.word(variables, base, out, depth);
                if command.words.is_empty() && word == "for" {
                    reader.each(variables, base, out, depth);
                    continue;
                }
                let mut word = appended(word, variables);
                // `names=(a b c)`: its words are split where it is used.
                if word.ends_with('=') && reader.chars.peek().is_some_and(|(_, c)| *c == '(') {
                    reader.chars.next();
                    word.push_str(&reader.array(variables, base, out, depth));
                }
                let assigned = word.split_once('=').filter(|(name, _)| {
                    !name.is_empty()
                        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                        && !name.starts_with(|c: char| c.is_ascii_digit())
                });
                match assigned {
                    Some((name, value)) if command.words.is_empty() => {
                        command.assignments.push((name.to_owned(), value.replace(SPLIT, " ")));
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
                    // What an unquoted variable holds is split into words.
                    _ => command.words.extend(word.split(SPLIT).filter(|w| !w.is_empty()).map(str::to_owned)),
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
    let account = done.assignments.iter().chain(variables.iter().rev());
    let mut account = account.filter(|(name, _)| name == "AZURE_STORAGE_ACCOUNT").map(|(_, value)| value.clone());
    done.account = account.next().unwrap_or_default();
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
    /// How many loops had no end.
    unclosed: u32,
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
                '$' | '`' => {
                    let before = word.len();
                    self.dollar(&mut word, variables, base, out, depth);
                    if word.get(before..).is_some_and(|value| value.contains(char::is_whitespace)) {
                        let value = word.split_off(before);
                        let is_blank = |c: char| c.is_whitespace();
                        word.push_str(&value.replace(is_blank, SPLIT_TEXT));
                    }
                }
                _ => {
                    word.push(c);
                    self.chars.next();
                }
            }
        }
        word
    }

    /// The words of `(a b c)` behind its bracket.
    fn array(&mut self, variables: &[(String, String)], base: usize, out: &mut Vec<Command>, depth: usize) -> String {
        let mut words: Vec<String> = Vec::new();
        loop {
            while self.chars.peek().is_some_and(|(_, c)| c.is_whitespace()) {
                self.chars.next();
            }
            match self.chars.peek().map(|(_, c)| *c) {
                None => break,
                Some(')') => {
                    self.chars.next();
                    break;
                }
                Some(';' | '&' | '|' | '<' | '>' | '(') => drop(self.chars.next()),
                Some('#') => self.skip_line(),
                Some(_) => words.push(self.word(variables, base, out, depth)),
            }
            if words.len() > COMMANDS_MAX {
                break;
            }
        }
        words.join(" ")
    }

    /// `for name in a b c; do ...; done`: the body once for each value.
    fn each(&mut self, variables: &mut Vec<(String, String)>, base: usize, out: &mut Vec<Command>, depth: usize) {
        self.blanks();
        let name = self.word(variables, base, out, depth);
        let mut values = Vec::new();
        let mut listed = false;
        loop {
            self.blanks();
            match self.chars.peek().map(|(_, c)| *c) {
                None => break,
                Some('\n' | ';' | '(' | ')' | '&' | '|' | '<' | '>') => break,
                Some(_) => {
                    let word = self.word(variables, base, out, depth);
                    if !listed && word == "in" {
                        listed = true;
                    } else if values.len() < VALUES_MAX {
                        values.extend(word.split(SPLIT).filter(|w| !w.is_empty()).map(str::to_owned));
                    }
                }
            }
        }
        let Some(at) = self.chars.peek().map(|(at, _)| *at) else { return };
        let rest = self.script.get(at..).unwrap_or_default();
        // Loops that do not end are looked for their end a few times only.
        let (body, length) = if self.unclosed < UNCLOSED_MAX { loop_body(rest) } else { (0..0, 0) };
        self.unclosed += u32::from(length == 0);
        if values.is_empty() {
            values.push(REFERENCE.to_string());
        }
        // Loops within loops get fewer values each, so that all of them together stay few.
        values.truncate((VALUES_MAX >> (2 * depth).min(8)).max(1));
        for value in values {
            variables.retain(|(known, _)| *known != name);
            variables.push((name.clone(), value));
            scan(rest.get(body.clone()).unwrap_or_default(), base + at + body.start, variables, out, depth + 1);
        }
        self.skip(rest.get(..length).map_or(0, |t| t.chars().count()));
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

/// What stands between `do` and its `done`, and where that ends.
fn loop_body(text: &str) -> (std::ops::Range<usize>, usize) {
    let mut start = None;
    let mut depth = 0;
    let mut at = 0;
    for word in text.split_inclusive(|c: char| c.is_whitespace() || c == ';') {
        if at > WORD_BYTES_MAX {
            break;
        }
        let end = at + word.len();
        match word.trim_end_matches(|c: char| c.is_whitespace() || c == ';') {
            "do" => {
                depth += 1;
                start.get_or_insert(end);
            }
            "done" => {
                depth -= 1;
                if depth <= 0 {
                    return (start.unwrap_or(at)..at, end);
                }
            }
            _ => {}
        }
        at = end;
    }
    // One that does not end is read as if it were none.
    (0..0, 0)
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
        check("O=\"-k -s\"\ncurl $O \"$O\"", &[&["curl", "-k", "-s", "-k -s"]]);
        check(
            "d=a_b_c\necho ${d%%_*} ${d%_*} ${d#*_} ${d##*_} ${d/_/-}",
            &[&["echo", "a", "a_b", "b_c", "c", "a-b_c"]],
        );
        check("o=(-k 'x')\ncurl \"${o[@]}\" y", &[&["curl", "-k", "x", "y"]]);
        check("for x in a b; do\n  ls s3://$x\ndone; ls c", &[&["ls", "s3://a"], &["ls", "s3://b"], &["ls", "c"]]);
        check("for x in a; do for y in 1 2; do ls $x$y; done; done", &[&["ls", "a1"], &["ls", "a2"]]);
    }

    #[test]
    fn assignments_stand_before_their_command() {
        let commands = read("PGPASSWORD=hunter2 psql -h db", &mut Vec::new());
        assert_eq!(commands[0].assignments, [("PGPASSWORD".to_owned(), "hunter2".to_owned())]);
        assert_eq!(commands[0].words, ["psql", "-h", "db"]);
    }
}
