//! Shell scripts as far as their commands, assignments and quotes go.
//!
//! A tolerant reader instead of a shell's parser: what is checked is often half a script, with
//! templates in it, and must not be refused for that. Variables are followed in order; what is
//! not assigned is a reference to the environment.

mod expand;
mod reader;

pub use expand::expand_plain;
use reader::Reader;

use crate::value::HOLE;

/// Most commands that are read of a script.
const COMMANDS_MAX: usize = 5_000;
/// Most loops without an end.
const UNCLOSED_MAX: u32 = 50;
/// Most bytes that the variables of one script make of it.
const EXPANDED_BYTES_MAX: usize = 8 << 20;
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
    /// Where its output goes, and where its input comes from.
    pub targets: Vec<String>,
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

/// What was read of a script.
#[derive(Debug, Default)]
pub struct Script {
    pub commands: Vec<Command>,
    /// Whether a limit left something of it unread.
    pub cut: bool,
    /// What its variables made of it so far.
    expanded: usize,
}

impl Script {
    /// Whether there is room for `bytes` more of expanded text.
    fn spend(&mut self, bytes: usize) -> bool {
        self.expanded = self.expanded.saturating_add(bytes);
        let fits = self.expanded <= EXPANDED_BYTES_MAX;
        self.cut |= !fits;
        fits
    }
}

/// The commands of a script in order, those within `$(...)` and `sh -c` included. `variables`
/// starts with the environment that is known and ends with what the script assigned.
pub fn read(script: &str, variables: &mut Vec<(String, String)>) -> Script {
    let mut out = Script::default();
    scan(script, 0, variables, &mut out, 0);
    // A pipe counts where what comes out at its end is run.
    let mut runs = false;
    for command in out.commands.iter_mut().rev() {
        let on = command.piped && runs;
        command.runs_on |= on;
        runs = on || runs_input(&command.words);
    }
    out
}

/// The program of a command and its arguments, behind `sudo -u name`, `env` and their kin.
fn program(words: &[String]) -> (&str, &[String]) {
    let mut rest = words;
    let mut prefixed = false;
    while let [first, tail @ ..] = rest {
        match first.as_str() {
            "sudo" | "env" | "nohup" | "exec" | "command" | "time" | "nice" => prefixed = true,
            "-u" | "-g" | "-n" if prefixed => {
                rest = tail.get(1..).unwrap_or_default();
                continue;
            }
            option if prefixed && (option.starts_with('-') || option.contains('=')) => {}
            name => return (name.rsplit('/').next().unwrap_or(name), tail),
        }
        rest = tail;
    }
    ("", &[])
}

fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "bash" | "zsh" | "dash" | "ksh")
}

fn is_interpreter(program: &str) -> bool {
    is_shell(program) || matches!(program, "perl" | "ruby" | "node") || program.starts_with("python")
}

/// Whether a command runs what it reads: an interpreter that is given no program of its own.
fn runs_input(words: &[String]) -> bool {
    let (program, args) = program(words);
    if !is_interpreter(program) {
        return false;
    }
    match args.iter().find(|arg| !arg.starts_with('-') || matches!(arg.as_str(), "-" | "-s" | "-c" | "-e" | "-m")) {
        Some(arg) => matches!(arg.as_str(), "-" | "-s" | "/dev/stdin"),
        None => true,
    }
}

/// Whether a command runs what its arguments hold: `sh -c "$(...)"`, `eval "$(...)"`, `bash <(...)`.
fn runs_arguments(words: &[String]) -> bool {
    let (program, args) = program(words);
    matches!(program, "eval" | "source" | ".") && !args.is_empty()
        || is_interpreter(program) && {
            let code = args.iter().position(|arg| matches!(arg.as_str(), "-c" | "-e")).map_or(0, |at| at + 1);
            args.get(code).is_some_and(|arg| arg.starts_with(HOLE))
        }
}

fn scan(script: &str, base: usize, variables: &mut Vec<(String, String)>, out: &mut Script, depth: usize) {
    if depth > DEPTH_MAX {
        out.cut = true;
        return;
    }
    // Where the commands start that the next one's substitutions run.
    let mut within = out.commands.len();
    let mut reader = Reader { substitutions: 0, unclosed: 0, chars: script.char_indices().peekable(), script };
    let mut command = Command { offset: base, ..Command::default() };
    let mut documents: Vec<(String, usize)> = Vec::new();
    loop {
        reader.blanks();
        let Some((at, c)) = reader.chars.peek().copied() else { break };
        if command.words.is_empty() && command.assignments.is_empty() {
            command.offset = base + at;
            within = out.commands.len();
        }
        match c {
            '\n' => {
                reader.chars.next();
                for (end, index) in documents.drain(..) {
                    let text = reader.document(&end);
                    let text = expand_plain(&text, variables);
                    if !out.spend(text.len()) {
                        return;
                    }
                    // Its command is done, or is the one that is being read.
                    out.commands.get_mut(index).unwrap_or(&mut command).document.push_str(&text);
                }
                finish(&mut command, variables, out, depth, false, within);
            }
            '#' => reader.skip_line(),
            ';' | '&' | '(' | ')' | '|' => {
                reader.chars.next();
                let piped = c == '|' && reader.chars.peek().is_none_or(|(_, c)| *c != '|');
                while reader.chars.peek().is_some_and(|(_, n)| matches!(n, ';' | '&' | '|')) {
                    reader.chars.next();
                }
                finish(&mut command, variables, out, depth, piped, within);
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
                if operator == "<" && reader.chars.peek().is_some_and(|(_, c)| *c == '(') {
                    reader.substitution(variables, base, out, depth);
                    command.words.push(HOLE.to_string());
                    continue;
                }
                reader.blanks();
                let word = reader.word(variables, base, out, depth);
                if operator.starts_with("<<<") {
                    command.document.push_str(&word);
                } else if operator.starts_with("<<") {
                    documents.push((word, out.commands.len()));
                } else if !word.is_empty() {
                    // `2>&1`: the number belongs to the redirection.
                    let is_number = |w: &String| w.len() == 1 && w.chars().all(|c| c.is_ascii_digit());
                    if command.words.last().is_some_and(is_number)
                        && script.get(..at).is_some_and(|b| b.ends_with(|c: char| c.is_ascii_digit()))
                    {
                        command.words.pop();
                    }
                    command.targets.push(word.replace(SPLIT, " "));
                }
            }
            _ => {
                let word = reader.word(variables, base, out, depth);
                if command.words.is_empty() && word == "for" {
                    reader.each(variables, base, out, depth);
                    continue;
                }
                // `names=(a b c)` and `names+=(d)`: its words are split where it is used.
                let is_array = word.ends_with('=') && reader.chars.peek().is_some_and(|(_, c)| *c == '(');
                let more = is_array && word.ends_with("+=");
                let mut word = appended(word, variables);
                if is_array {
                    reader.chars.next();
                    if more {
                        word.push(' ');
                    }
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
        if out.commands.len() >= COMMANDS_MAX || out.expanded > EXPANDED_BYTES_MAX {
            out.cut = true;
            return;
        }
    }
    finish(&mut command, variables, out, depth, false, within);
}

/// `name+=more` as `name=all of it`.
fn appended(word: String, variables: &[(String, String)]) -> String {
    match word.split_once("+=") {
        Some((name, more)) if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
            let before = variables.iter().rev().find(|(known, _)| known == name).map_or("", |(_, v)| v);
            if before.len() + more.len() > WORD_BYTES_MAX {
                return format!("{name}={HOLE}");
            }
            format!("{name}={before}{more}")
        }
        _ => word,
    }
}

fn finish(
    command: &mut Command,
    variables: &mut Vec<(String, String)>,
    out: &mut Script,
    depth: usize,
    piped: bool,
    within: usize,
) {
    let mut done = std::mem::take(command);
    if done.words.is_empty() && done.assignments.is_empty() {
        return;
    }
    let mut set = |name: &str, value: &str| {
        variables.retain(|(known, _)| known != name);
        let value = if value.len() > WORD_BYTES_MAX { HOLE.to_string() } else { value.to_owned() };
        variables.push((name.to_owned(), value));
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
    let (name, _) = program(&done.words);
    let inner = match name {
        shell if is_shell(shell) => {
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
    if runs_arguments(&done.words) {
        for command in out.commands.iter_mut().skip(within) {
            command.runs_on = true;
        }
    }
    out.commands.push(done);
    if let Some(inner) = inner {
        scan_at(&inner, offset, variables, out, depth + 1);
    }
}

/// Reads a script within another one, whose variables it sees and does not change.
fn scan_at(script: &str, offset: usize, variables: &[(String, String)], out: &mut Script, depth: usize) {
    if !out.spend(variables.iter().map(|(name, value)| name.len() + value.len()).sum()) {
        return;
    }
    let before = out.commands.len();
    scan(script, 0, &mut variables.to_vec(), out, depth);
    for command in out.commands.iter_mut().skip(before) {
        command.offset = offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, expect: &[&[&str]]) {
        let mut variables = Vec::new();
        let commands: Vec<Vec<String>> =
            read(script, &mut variables).commands.into_iter().map(|c| c.words).filter(|w| !w.is_empty()).collect();
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
        check("o=(a)\no+=(b c)\nls \"${o[@]}\"", &[&["ls", "a", "b", "c"]]);
        check("for x in a b; do\n  ls s3://$x\ndone; ls c", &[&["ls", "s3://a"], &["ls", "s3://b"], &["ls", "c"]]);
        check("for x in a; do for y in 1 2; do ls $x$y; done; done", &[&["ls", "a1"], &["ls", "a2"]]);
    }

    #[test]
    fn what_is_run_from_a_pipe_or_a_substitution_is_known() {
        for (script, expect) in [
            ("curl u | sh", true),
            ("curl u | tee f | sudo -u x bash -s -- y", true),
            ("sh -c \"$(curl u)\"", true),
            ("bash <(curl u)", true),
            ("eval \"$(curl u)\"", true),
            ("curl u | python3 -m json.tool", false),
            ("python train.py \"$(curl u)\"", false),
            ("curl u | bash script.sh", false),
            ("x=$(curl u); bash -c 'echo'", false),
            ("curl u | tar x; sh a.sh", false),
        ] {
            let script_read = read(script, &mut Vec::new());
            let curl = script_read.commands.iter().find(|c| c.words.first().is_some_and(|w| w == "curl"));
            assert_eq!(curl.map(|c| c.runs_on), Some(expect), "{script}");
        }
    }

    #[test]
    fn variables_that_grow_are_cut() {
        let rounds = (0..64).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
        let doubled: String = (0..64).map(|_| "b=\"$a$a$a$a\"; a=\"$b$b$b$b\"\n").collect();
        for script in [
            format!("x=aaaa\nfor i in {rounds}; do x+=$x; done\necho $x"),
            format!("a=aaaa\n{doubled}echo $a"),
            format!("x=aaaa\n{}echo $x", "x=${x//a/aaaaaaaaaaaaaaaa}\n".repeat(64)),
            format!("x={}\necho {}", "a".repeat(60_000), "$x ".repeat(100_000)),
        ] {
            let script_read = read(&script, &mut Vec::new());
            let bytes: usize = script_read.commands.iter().flat_map(|c| &c.words).map(String::len).sum();
            assert!(bytes < 2 * EXPANDED_BYTES_MAX, "{bytes}");
        }
    }

    #[test]
    fn assignments_stand_before_their_command() {
        let commands = read("PGPASSWORD=hunter2 psql -h db", &mut Vec::new()).commands;
        assert_eq!(commands[0].assignments, [("PGPASSWORD".to_owned(), "hunter2".to_owned())]);
        assert_eq!(commands[0].words, ["psql", "-h", "db"]);
    }
}
