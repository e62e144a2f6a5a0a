//! Words, here-documents, arrays and loops, character by character.

use super::{
    COMMANDS_MAX, Command, SPLIT, SPLIT_TEXT, SUBSTITUTIONS_MAX, Script, UNCLOSED_MAX, VALUES_MAX, WORD_BYTES_MAX,
    expand::{balanced, parameter, value_of},
    scan, scan_at,
};
use crate::value::{HOLE, REFERENCE};

pub(super) struct Reader<'t> {
    /// How many `$(...)` were read.
    pub(super) substitutions: usize,
    /// How many loops had no end.
    pub(super) unclosed: u32,
    pub(super) chars: std::iter::Peekable<std::str::CharIndices<'t>>,
    pub(super) script: &'t str,
}

impl Reader<'_> {
    pub(super) fn blanks(&mut self) {
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

    pub(super) fn skip_line(&mut self) {
        while self.chars.peek().is_some_and(|(_, c)| *c != '\n') {
            self.chars.next();
        }
    }

    /// The lines of a here-document up to its end.
    pub(super) fn document(&mut self, end: &str) -> String {
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

    pub(super) fn word(
        &mut self,
        variables: &[(String, String)],
        base: usize,
        out: &mut Script,
        depth: usize,
    ) -> String {
        let mut word = String::new();
        let mut made = 0;
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
                            _ if word.len() > WORD_BYTES_MAX && c != '"' => drop(self.chars.next()),
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
                            '$' | '`' => {
                                let before = word.len();
                                self.dollar(&mut word, variables, base, out, depth);
                                made += word.len() - before;
                            }
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
                    made += word.len() - before;
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
        // What no variable made was in the script already.
        if made > 0 && !out.spend(made) {
            return HOLE.to_string();
        }
        word
    }

    /// The words of `(a b c)` behind its bracket.
    pub(super) fn array(
        &mut self,
        variables: &[(String, String)],
        base: usize,
        out: &mut Script,
        depth: usize,
    ) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut bytes = 0;
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
                Some(_) => {
                    let word = self.word(variables, base, out, depth);
                    bytes += word.len() + 1;
                    // What does not fit is not followed; the bracket is still looked for.
                    if bytes <= WORD_BYTES_MAX && words.len() < COMMANDS_MAX {
                        words.push(word);
                    } else {
                        out.cut = true;
                    }
                }
            }
        }
        words.join(" ")
    }

    /// `for name in a b c; do ...; done`: the body once for each value.
    pub(super) fn each(&mut self, variables: &mut Vec<(String, String)>, base: usize, out: &mut Script, depth: usize) {
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
                    } else {
                        values.extend(word.split(SPLIT).filter(|w| !w.is_empty()).map(str::to_owned));
                        out.cut |= values.len() > VALUES_MAX;
                        values.truncate(VALUES_MAX);
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
        let most = (VALUES_MAX >> (2 * depth).min(8)).max(1);
        out.cut |= values.len() > most;
        values.truncate(most);
        for value in values {
            variables.retain(|(known, _)| *known != name);
            variables.push((name.clone(), value));
            scan(rest.get(body.clone()).unwrap_or_default(), base + at + body.start, variables, out, depth + 1);
        }
        self.skip(rest.get(..length).map_or(0, |t| t.chars().count()));
    }

    /// `$name`, `${name:-default}`, `$(command)`, a backquote.
    pub(super) fn dollar(
        &mut self,
        word: &mut String,
        variables: &[(String, String)],
        base: usize,
        out: &mut Script,
        depth: usize,
    ) {
        let Some((at, c)) = self.chars.next() else { return };
        let rest = self.script.get(at + c.len_utf8()..).unwrap_or_default();
        if c == '`' || rest.starts_with('(') {
            self.substitutions += 1;
            if self.substitutions > SUBSTITUTIONS_MAX {
                out.cut = true;
                word.push(HOLE);
                return;
            }
        }
        if c == '`' {
            let inner = rest.split('`').next().unwrap_or_default();
            self.skip(inner.chars().count() + 1);
            scan_at(inner, base + at, variables, out, depth + 1);
            word.push(HOLE);
        } else if rest.starts_with("((") {
            let length = rest.find("))").map_or(2, |end| rest.get(..end + 2).map_or(2, |t| t.chars().count()));
            self.skip(length);
            word.push(HOLE);
        } else if rest.starts_with('(') {
            let inner = balanced(rest, '(', ')');
            self.skip(inner.chars().count() + 2);
            let before = out.commands.len();
            scan_at(inner, base + at, variables, out, depth + 1);
            match printed(out.commands.get(before..).unwrap_or_default()) {
                Some(text) if text.len() <= WORD_BYTES_MAX => word.push_str(&text),
                _ => word.push(HOLE),
            }
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

    /// `<(command)`, from its bracket on.
    pub(super) fn substitution(&mut self, variables: &[(String, String)], base: usize, out: &mut Script, depth: usize) {
        let Some((at, _)) = self.chars.peek().copied() else { return };
        let inner = balanced(self.script.get(at..).unwrap_or_default(), '(', ')');
        self.skip(inner.chars().count() + 2);
        self.substitutions += 1;
        if self.substitutions <= SUBSTITUTIONS_MAX {
            scan_at(inner, base + at, variables, out, depth + 1);
        } else {
            out.cut = true;
        }
    }

    pub(super) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.chars.next();
        }
    }
}

/// What commands print whose text is known: `echo text`, `echo text | base64 -d`.
fn printed(commands: &[Command]) -> Option<String> {
    let (first, rest) = commands.split_first()?;
    let text = match first.words.split_first()? {
        (program, words) if program == "echo" => {
            words.iter().filter(|w| !matches!(w.as_str(), "-n" | "-e")).cloned().collect::<Vec<_>>().join(" ")
        }
        (program, words) if program == "printf" => match words {
            [text] => text.clone(),
            [format, text] if matches!(format.as_str(), "%s" | "%s\\n") => text.clone(),
            _ => return None,
        },
        (program, _) if program == "base64" && !first.document.is_empty() => {
            return rest.is_empty().then(|| decoded(&first.document)).flatten();
        }
        _ => return None,
    };
    match rest {
        [] => Some(text),
        [next] if next.words.first().is_some_and(|w| w == "base64") && next.words.len() == 2 && first.piped => {
            decoded(&text)
        }
        [next] if next.words == ["rev"] && first.piped => Some(text.chars().rev().collect()),
        _ => None,
    }
}

fn decoded(text: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
    String::from_utf8(bytes).ok().map(|text| text.trim_end().to_owned())
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
