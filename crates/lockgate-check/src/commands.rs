//! What the commands of a script do: with credentials, storage, packages, images and TLS.

mod installs;
mod stores;

use std::sync::Arc;

use stores::access;

use crate::{
    collect::{Collector, Sink},
    credentials, facts,
    shell::{self, Command},
    source::Place,
    storage,
    value::{HOLE, Text, Trace, Val},
};

/// Options of programs that take a password without saying so.
const SHORT: [(&str, &str); 9] = [
    ("sshpass", "-p"),
    ("redis-cli", "-a"),
    ("mongo", "-p"),
    ("mongosh", "-p"),
    ("mongodump", "-p"),
    ("docker", "-p"),
    ("sqlcmd", "-P"),
    ("bcp", "-P"),
    ("ldapsearch", "-w"),
];

/// Long options of curl and wget that take a value other than an address.
const TAKE_VALUES: [&str; 19] = [
    "--header",
    "--data",
    "--data-raw",
    "--data-binary",
    "--data-urlencode",
    "--json",
    "--form",
    "--referer",
    "--user-agent",
    "--output",
    "--cookie",
    "--request",
    "--user",
    "--post-data",
    "--body-data",
    "--write-out",
    "--cert",
    "--cacert",
    "--key",
];

/// Most alternatives of a command's words that are read.
const ALTERNATIVES_MAX: usize = 24;

impl Collector<'_> {
    /// Reads a script. `place` is where it stands, or where it starts when `exact` says so.
    pub fn script(
        &mut self,
        script: &str,
        trace: &Trace,
        place: Place,
        sink: &str,
        environment: &mut Vec<(String, String)>,
    ) {
        if self.quiet > 0 {
            return;
        }
        let commands = self.commands(script, place, environment);
        self.piped_passwords(&commands, trace, place, sink);
        for command in commands {
            self.command(&command, trace, place, sink);
        }
        // What a tolerant reader may have missed.
        self.credentials_in("", script, trace, Sink { what: sink, place, access: "" });
    }

    fn commands(&mut self, script: &str, place: Place, environment: &mut Vec<(String, String)>) -> Vec<Command> {
        let read = shell::read(script, environment);
        if read.cut {
            self.problem(place.file, place.start, "the script is larger than what is followed of one");
        }
        read.commands
    }

    /// Reads a script whose commands have places of their own: a file.
    pub fn script_file(&mut self, file: u32, text: &str, sink: &str, environment: &mut Vec<(String, String)>) {
        let commands = self.commands(text, Place::new(file, 0, 0), environment);
        for (i, command) in commands.iter().enumerate() {
            // With those that may be piped into it.
            let place = Place::new(file, command.offset, text.len());
            let line = text.get(command.offset..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            let place = Place { end: place.start + u32::try_from(line.len()).unwrap_or(0), ..place };
            if command.words.iter().any(|w| w.starts_with("--") || w == "chpasswd") {
                let near = commands.get(i.saturating_sub(2)..=i).unwrap_or_default();
                self.piped_passwords(near, &crate::value::literal(place), place, sink);
            }
        }
        for command in commands {
            let rest = text.get(command.offset..).unwrap_or_default();
            // Its line and those that it goes on in.
            let mut end = 0;
            for line in rest.split_inclusive('\n') {
                end += line.trim_end().len();
                if !line.trim_end().ends_with('\\') {
                    break;
                }
                end += line.len() - line.trim_end().len();
            }
            let place = Place::new(file, command.offset, command.offset + end);
            self.command(&command, &crate::value::literal(place), place, sink);
        }
        let place = Place::new(file, 0, 0);
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let place = Place {
                start: u32::try_from(offset).unwrap_or(0),
                end: u32::try_from(offset + line.trim_end().len()).unwrap_or(0),
                ..place
            };
            offset += line.len();
            if !line.trim_start().starts_with('#') {
                self.credentials_in(
                    "",
                    line.trim_end(),
                    &crate::value::literal(place),
                    Sink { what: sink, place, access: "" },
                );
            }
        }
    }

    /// Reads a script within a file of another kind: its commands are found again by their text.
    pub fn script_at(&mut self, script: &str, place: Place, sink: &str, environment: &mut Vec<(String, String)>) {
        let source = self.tree.file(place.file).and_then(|f| f.text().ok()).cloned();
        let commands = self.commands(script, place, environment);
        self.piped_passwords(&commands, &crate::value::literal(place), place, sink);
        for command in commands {
            let line = script.get(command.offset..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
            let region = source.as_ref().and_then(|text| text.get(place.start as usize..place.end as usize));
            let own = match region.and_then(|region| region.find(line)) {
                Some(at) if !line.is_empty() => {
                    Place::new(place.file, place.start as usize + at, place.start as usize + at + line.len())
                }
                _ => place,
            };
            self.command(&command, &crate::value::literal(own), own, sink);
        }
        self.credentials_in("", script, &crate::value::literal(place), Sink { what: sink, place, access: "" });
    }

    /// A command given as a list of words.
    pub fn words(&mut self, words: &[Val], place: Place, sink: &str) {
        let trace = crate::value::joined(place, crate::value::How::Joined, words.iter().map(|w| w.trace.clone()));
        // Each alternative of each word once.
        let most = words.iter().map(|w| w.options().len()).max().unwrap_or(1).clamp(1, ALTERNATIVES_MAX);
        for round in 0..most {
            let words: Vec<String> = words
                .iter()
                .map(|w| {
                    let options = w.options();
                    let option = options.get(round).or_else(|| options.last());
                    option.and_then(Val::as_text).map_or(HOLE.to_string(), |t| t.flat().to_string())
                })
                .collect();
            self.known_words(words, &trace, place, sink);
        }
    }

    fn known_words(&mut self, words: Vec<String>, trace: &Trace, place: Place, sink: &str) {
        let program = words.first().map(|w| w.rsplit('/').next().unwrap_or(w).to_owned()).unwrap_or_default();
        if matches!(program.as_str(), "sh" | "bash" | "zsh")
            && let Some(script) = words.iter().skip(1).find(|w| !w.starts_with('-'))
        {
            let script = script.clone();
            self.script(&script, trace, place, sink, &mut Vec::new());
            return;
        }
        self.command(&Command { words, ..Command::default() }, trace, place, sink);
    }

    fn command(&mut self, command: &Command, trace: &Trace, place: Place, sink_name: &str) {
        let words: Vec<&str> = command
            .words
            .iter()
            .map(String::as_str)
            .skip_while(|w| {
                matches!(*w, "sudo" | "exec" | "nohup" | "nice" | "time" | "command" | "-E" | "env" | "then" | "do")
            })
            .collect();
        let program = words.first().map_or("", |w| w.rsplit('/').next().unwrap_or(w));
        let what = if program.is_empty() { sink_name.to_owned() } else { format!("{sink_name}: {program}") };
        let sink = Sink { what: &what, place, access: access(program, &words) };
        for (name, value) in &command.assignments {
            self.command_value(name, value, trace, sink);
            self.switch(name, value, place);
        }
        if program.is_empty() {
            return;
        }
        let prints = matches!(
            program,
            "echo" | "printf" | "logger" | "true" | ":" | "#" | "grep" | "egrep" | "rg" | "test" | "[" | "[["
        ) || program == "git" && words.get(1) == Some(&"grep");
        let mut does = Vec::new();
        self.options(program, &words, trace, sink);
        // Who takes rights away uses nothing.
        let revokes = words.iter().any(|w| matches!(*w, "remove-iam-policy-binding" | "delete-bucket-policy"));
        if !prints && !revokes {
            self.touched(program, &words, &command.account, trace, sink);
            self.opened(program, &words, sink);
            for location in storage::find(&command.document) {
                self.storage(&location, trace, sink);
            }
            self.credentials_in("", &command.document, trace, sink);
            // A file of settings that the script writes.
            for entry in crate::settings::entries(&command.document) {
                if credentials::wanted(entry.name).is_some() {
                    self.command_value(entry.name, entry.value, trace, sink);
                }
            }
        }
        let is_pgpass = command.words.iter().chain(&command.targets).any(|w| w.ends_with(".pgpass"));
        let printed = words.iter().skip(1).filter(|_| is_pgpass && matches!(program, "echo" | "printf"));
        for line in command.document.lines().chain(printed.copied()) {
            if let Some(password) = of_pgpass(line).or_else(|| line.splitn(5, ':').nth(4).filter(|_| is_pgpass)) {
                self.command_value("password", password, trace, sink);
            }
        }
        self.tls(program, &words, sink);
        self.weakens(program, &words, sink);
        self.installs(program, &words, place, &what);
        if matches!(program, "docker" | "podman" | "nerdctl")
            && words.iter().any(|w| matches!(*w, "run" | "pull" | "create"))
        {
            self.container(&words, trace, sink);
        }
        if matches!(program, "curl" | "wget") && command.runs_on {
            does.push("download-and-run".to_owned());
        }
        if program == "chmod" && words.iter().any(|w| matches!(*w, "777" | "0777" | "a+rwx" | "o+w")) {
            does.push("world-writable".to_owned());
        }
        if self.quiet == 0 {
            let what =
                facts::Command { program: program.chars().take(100).collect(), sink: sink_name.to_owned(), does };
            let raw = self.raw(place, trace, what);
            self.found.commands.push(raw);
        }
    }

    fn command_value(&mut self, name: &str, value: &str, trace: &Trace, sink: Sink<'_>) {
        let val = Val { kind: crate::value::Kind::Str(Text::from_flat(value, &[])), trace: trace.clone() };
        if sink.what.is_empty() || name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()) {
            self.environment_value(name, &val, sink);
        }
        let name = match name {
            "PGPASSWORD" | "MYSQL_PWD" | "SSHPASS" | "REDISCLI_AUTH" | "SNOWSQL_PWD" => "password",
            name => name,
        };
        self.named(name, &val, sink, "command");
    }

    fn options(&mut self, program: &str, words: &[&str], trace: &Trace, sink: Sink<'_>) {
        for (i, word) in words.iter().enumerate().skip(1) {
            let next = words.get(i + 1).copied().unwrap_or_default();
            if let Some((name, value)) = word.split_once('=') {
                let name = name.trim_start_matches('-');
                let name = name.rsplit(['.', ',']).next().unwrap_or(name);
                if credentials::wanted(name).is_some() {
                    self.command_value(name, value, trace, sink);
                } else if word.starts_with("-pass") || word.contains("from-literal") {
                    let (name, value) = value.split_once('=').unwrap_or((name, value));
                    self.command_value(name, value, trace, sink);
                } else if let Some((name, value)) = value.split_once('=')
                    && credentials::wanted(name).is_some()
                {
                    // `-backend-config="secret_key=..."`.
                    self.command_value(name, value, trace, sink);
                } else {
                    self.credentials_in("", word, trace, sink);
                }
                continue;
            }
            if let Some(name) = word.strip_prefix("--") {
                if credentials::wanted(name).is_some() && !next.starts_with('-') {
                    self.command_value(name, next, trace, sink);
                }
                if name == "user" && program == "curl" {
                    self.user_password(next, trace, sink);
                }
                continue;
            }
            let is_password = SHORT.iter().any(|(p, flag)| *p == program && flag == word)
                && (program != "docker" || words.contains(&"login"));
            if is_password {
                self.command_value("password", next, trace, sink);
            } else if matches!((program, *word), ("curl", "-u") | ("http" | "https", "-a")) {
                self.user_password(next, trace, sink);
            } else if (program, *word) == ("lftp", "-u") {
                self.command_value("password", next.split_once(',').map_or("", |(_, p)| p), trace, sink);
            } else if matches!((program, *word), ("curl" | "wget", "-H")) {
                self.header(next, trace, sink);
            } else if matches!(program, "mysql" | "mysqldump" | "mariadb" | "mysqladmin")
                && word.starts_with("-p")
                && word.len() > 2
            {
                self.command_value("password", word.get(2..).unwrap_or_default(), trace, sink);
            } else if word.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("authorization: ")) {
                self.header(word, trace, sink);
            } else if matches!((program, *word), ("openssl", "-k" | "-passin" | "-passout" | "-pass")) {
                self.command_value("password", next.strip_prefix("pass:").unwrap_or_default(), trace, sink);
            } else if matches!(
                program,
                "aws" | "npm" | "pip" | "git" | "gcloud" | "snowsql" | "vault" | "dbt" | "airflow"
            ) && words.contains(&"set")
                && credentials::wanted(word).is_some()
                && !word.starts_with('-')
                && !next.starts_with('-')
            {
                // `aws configure set aws_secret_access_key x`.
                self.command_value(word, next, trace, sink);
            } else if let Some((name, value)) = word.split_once(": ")
                && credentials::wanted(name).is_some()
                && !value.contains(char::is_whitespace)
            {
                // `echo "api_key: ..." > file`.
                self.command_value(name, value.trim_matches(['"', '\'']), trace, sink);
            } else {
                self.credentials_in("", word, trace, sink);
            }
        }
    }

    fn user_password(&mut self, pair: &str, trace: &Trace, sink: Sink<'_>) {
        if let Some((_, password)) = pair.split_once(':') {
            self.command_value("password", password, trace, sink);
        }
    }

    fn header(&mut self, header: &str, trace: &Trace, sink: Sink<'_>) {
        if let Some((name, value)) = header.split_once(':') {
            self.command_value(name.trim(), value.trim(), trace, sink);
        }
    }

    /// What takes away encryption at rest or the record of what was done.
    fn weakens(&mut self, program: &str, words: &[&str], sink: Sink<'_>) {
        let has = |wanted: &[&str]| words.iter().any(|w| wanted.contains(w));
        if self.quiet > 0 || program != "aws" {
            return;
        }
        let plain = words.iter().find(|w| matches!(**w, "--no-encrypted" | "--no-storage-encrypted"));
        if let Some(flag) = plain {
            let resource = crate::infra::Resource { address: sink.what, provider: "s3", place: sink.place };
            crate::infra::bucket(
                self,
                &resource,
                |b| b.encrypted = facts::Switch::No,
                &format!("it is made with {flag}"),
            );
        }
        if has(&["cloudtrail"]) && has(&["stop-logging", "delete-trail"]) {
            crate::infra::audit(self, sink.what, "stop-logging", sink.place);
        }
    }

    /// A password that is printed into a program that reads it: `echo x | base64 -d | docker login
    /// --password-stdin`.
    fn piped_passwords(&mut self, commands: &[Command], trace: &Trace, place: Place, sink: &str) {
        use base64::Engine as _;
        for (i, command) in commands.iter().enumerate() {
            let reads = |w: &String| matches!(w.as_str(), "--password-stdin" | "--with-token" | "--stdin" | "chpasswd");
            if !command.words.iter().any(reads) {
                continue;
            }
            let before = |n: usize| i.checked_sub(n).and_then(|i| commands.get(i)).filter(|c| c.piped);
            let Some(last) = before(1) else { continue };
            let program = |c: &Command| c.words.first().cloned().unwrap_or_default();
            let decodes =
                program(last) == "base64" && last.words.iter().any(|w| matches!(w.as_str(), "-d" | "--decode" | "-D"));
            let Some(from) = (if decodes { before(2) } else { Some(last) }) else { continue };
            if !matches!(program(from).as_str(), "echo" | "printf") {
                continue;
            }
            let Some(text) = from.words.iter().skip(1).rfind(|w| !w.starts_with('-') && !w.contains('%')) else {
                continue;
            };
            let decoded = || {
                let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()?;
                String::from_utf8(bytes).ok()
            };
            let Some(text) = (if decodes { decoded() } else { Some(text.clone()) }) else { continue };
            let password = text.trim().rsplit_once(':').map_or(text.trim(), |(_, password)| password);
            let val = Val { kind: crate::value::Kind::Str(Text::from_flat(password, &[])), trace: trace.clone() };
            self.secret_value("password", &val, Sink { what: sink, place, access: "" });
        }
    }

    fn tls(&mut self, program: &str, words: &[&str], sink: Sink<'_>) {
        let has = |flags: &[&str]| words.iter().any(|w| flags.contains(w));
        let short = |flag: char| words.iter().skip(1).any(|w| switches(w).contains(flag));
        let off = match program {
            "curl" => has(&["--insecure", "-k"]) || short('k'),
            "wget" => has(&["--no-check-certificate"]),
            "aws" => has(&["--no-verify-ssl"]),
            "git" => {
                words.iter().any(|w| w.eq_ignore_ascii_case("http.sslVerify=false"))
                    || has(&["http.sslVerify"]) && has(&["false"])
            }
            "npm" | "yarn" => has(&["strict-ssl"]) && has(&["false"]),
            "pip" | "pip3" => has(&["--trusted-host"]) || words.iter().any(|w| w.starts_with("--trusted-host=")),
            "ssh" | "scp" | "sftp" | "rsync" => words.iter().any(|w| w.contains("StrictHostKeyChecking=no")),
            "kubectl" | "helm" | "oc" => {
                words.iter().any(|w| w.starts_with("--insecure-skip-tls-verify") && !w.ends_with("false"))
            }
            "mc" | "gsutil" | "vault" | "bq" => has(&["--insecure", "-tls-skip-verify", "--disable_ssl_validation"]),
            _ => false,
        };
        if off {
            self.verification_off(sink.what, sink.place, "");
        }
    }

    /// Words of a shell's environment as pairs.
    pub fn environment_of(&self, names: &[(Arc<str>, Val)]) -> Vec<(String, String)> {
        names
            .iter()
            .filter_map(|(k, v)| {
                let option = v.options().into_iter().find(|o| o.as_text().is_some())?;
                Some((k.to_string(), option.as_text()?.flat().to_string()))
            })
            .collect()
    }
}

/// The letters of `-sSk` up to the first that takes a value: `-obackup` is no `-k`.
fn switches(word: &str) -> &str {
    let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')) else { return "" };
    let end = letters.find(|c| takes_value(&format!("-{c}"))).unwrap_or(letters.len());
    letters.get(..end).unwrap_or_default()
}

/// Whether an option of curl or wget takes the next word.
fn takes_value(option: &str) -> bool {
    let mut letters = option.strip_prefix('-').unwrap_or_default().chars();
    match (letters.next(), letters.next()) {
        (Some('-'), _) => TAKE_VALUES.contains(&option),
        (Some(letter), None) => "AbcCdDeEFHhKmoPQrtTuUwxXyYzB".contains(letter),
        _ => false,
    }
}

/// The password of a line that can only be one of `.pgpass`, whatever the file is called:
/// `host:port:database:user:password`.
fn of_pgpass(line: &str) -> Option<&str> {
    let line = line.trim();
    let fields: Vec<&str> = line.splitn(5, ':').collect();
    let [host, port, database, user, password] = fields.as_slice() else { return None };
    let is_name = |text: &str| !text.is_empty() && !text.chars().all(|c| c.is_ascii_digit());
    let is_host = !host.starts_with('@') && (!host.starts_with(|c: char| c.is_ascii_digit()) || host.contains('.'));
    let is_port = (4..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit());
    let is_line = is_name(host) && is_host && is_port && is_name(database) && is_name(user);
    (is_line && !line.contains("//") && !line.contains(char::is_whitespace)).then_some(password)
}
