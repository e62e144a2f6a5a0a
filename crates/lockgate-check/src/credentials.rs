//! What is a credential: names that ask for one, and texts that are one.
//!
//! A name alone convicts nothing: `password=os.environ["X"]` is how it should be. A text
//! alone convicts when its form is a credential's. Together they convict what is neither empty,
//! nor a placeholder, nor the name of a secret that is kept elsewhere.

use std::sync::LazyLock;

use lockgate_detect::{Engine, Finding, Options};

use crate::value::{HOLE, REFERENCE};

/// How surely a text is a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// It stands for one that is to be filled in.
    Placeholder,
    /// A text where a credential belongs.
    Literal,
    /// Its form is that of a known credential.
    Format,
}

/// What a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Password,
    /// A token, key or secret that a machine made.
    Token,
    /// A connection string or URL, which may hold a password.
    Connection,
    /// A header of a request.
    Authorization,
}

/// Last words of names that hold credentials.
const PASSWORDS: [&str; 9] =
    ["password", "passwd", "pwd", "passphrase", "pass", "passwort", "kennwort", "pw", "passcode"];
const TOKENS: [&str; 12] = [
    "secret",
    "secrets",
    "token",
    "apikey",
    "apitoken",
    "credential",
    "credentials",
    "creds",
    "pat",
    "sas",
    "secretkey",
    "accesskey",
];
/// What a word before `key` makes a credential of.
const KEYS: [&str; 30] = [
    "api",
    "access",
    "secret",
    "private",
    "account",
    "encryption",
    "signing",
    "fernet",
    "master",
    "shared",
    "auth",
    "app",
    "storage",
    "subscription",
    "hmac",
    "session",
    "consumer",
    "deploy",
    "sas",
    "aes",
    "jwt",
    "client",
    "service",
    "license",
    "cipher",
    "crypto",
    "application",
    "webserver",
    "stripe",
    "flask",
];
const CONNECTIONS: [&str; 12] = [
    "dsn",
    "conn",
    "connection",
    "conn_str",
    "connstr",
    "connection_string",
    "connectionstring",
    "database_url",
    "db_url",
    "jdbc_url",
    "uri",
    "url",
];
/// Words that make a credential's name the name of something else: where it is kept, what it is
/// called, how long it lives.
const ASIDE: [&str; 76] = [
    "name",
    "names",
    "id",
    "ids",
    "field",
    "fields",
    "file",
    "files",
    "filename",
    "path",
    "paths",
    "type",
    "types",
    "arn",
    "ref",
    "refs",
    "reference",
    "env",
    "var",
    "variable",
    "policy",
    "length",
    "len",
    "size",
    "min",
    "max",
    "count",
    "hash",
    "hashes",
    "hashed",
    "digest",
    "column",
    "columns",
    "col",
    "prefix",
    "suffix",
    "header",
    "headers",
    "param",
    "params",
    "required",
    "label",
    "format",
    "provider",
    "endpoint",
    "version",
    "scope",
    "scopes",
    "expiry",
    "expires",
    "expiration",
    "ttl",
    "store",
    "manager",
    "backend",
    "regex",
    "pattern",
    "hint",
    "prompt",
    "reset",
    "enabled",
    "location",
    "key_name",
    "alias",
    "index",
    "function",
    "fn",
    "factory",
    "class",
    "message",
    "error",
    "issuer",
    "url",
    "uri",
    "mount",
    "volume",
];
/// Words before `token` that are of language models and parsers.
const NOT_SECRET_TOKENS: [&str; 32] = [
    "max",
    "min",
    "num",
    "pad",
    "eos",
    "bos",
    "unk",
    "sep",
    "cls",
    "mask",
    "special",
    "stop",
    "csrf",
    "next",
    "page",
    "continuation",
    "sync",
    "start",
    "end",
    "n",
    "total",
    "input",
    "output",
    "prompt",
    "completion",
    "new",
    "begin",
    "eot",
    "word",
    "pagination",
    "cancellation",
    "separator",
];

/// Words of a name: `awsSecretKey`, `aws-secret-key` and `AWS_SECRET_KEY` alike.
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous = ' ';
    let chars: Vec<char> = name.chars().take(200).collect();
    for (i, c) in chars.iter().enumerate() {
        let next_is_lower = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let starts = c.is_uppercase()
            && (previous.is_lowercase() || previous.is_ascii_digit() || previous.is_uppercase() && next_is_lower);
        if (!c.is_alphanumeric() || starts) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        previous = *c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What a name asks for, if a credential.
pub fn wanted(name: &str) -> Option<Wanted> {
    let words = words(name);
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut all = all.as_slice();
    // `password_1`, `password2`, `db_password_prod`: what stands behind tells which one it is.
    while let [rest @ .., last] = all
        && !rest.is_empty()
        && (last.chars().all(|c| c.is_ascii_digit())
            || matches!(
                *last,
                "prod"
                    | "production"
                    | "dev"
                    | "staging"
                    | "stage"
                    | "test"
                    | "default"
                    | "value"
                    | "val"
                    | "str"
                    | "string"
                    | "text"
                    | "plain"
                    | "plaintext"
                    | "b64"
                    | "base64"
                    | "encoded"
                    | "raw"
                    | "old"
                    | "new"
                    | "current"
                    | "primary"
                    | "secondary"
                    | "fallback"
                    | "hex"
                    | "bytes"
                    | "literal"
            ) && !matches!(rest, ["connection" | "conn"]))
    {
        all = rest;
    }
    let (last, rest) = all.split_last()?;
    let before = rest.last().copied().unwrap_or_default();
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    if ASIDE.contains(&last) && !(last == "url" || last == "uri") {
        // `aws_access_key_id` names a credential's public half; its form decides.
        return (last == "id" && before == "key" && rest.contains(&"access")).then_some(Wanted::Authorization);
    }
    if PASSWORDS.contains(&last) {
        return (!matches!(
            before,
            "no" | "show"
                | "hide"
                | "by"
                | "boarding"
                | "first"
                | "second"
                | "multi"
                | "single"
                | "one"
                | "two"
                | "low"
                | "high"
                | "band"
        ))
        .then_some(Wanted::Password);
    }
    if TOKENS.contains(&last) {
        let not = last == "token" && NOT_SECRET_TOKENS.contains(&before)
            || last == "sas" && rest.is_empty()
            || last == "pat" && rest.is_empty() && name != "PAT"
            // `passwordSecret` names the secret that the password is in.
            || matches!(last, "secret" | "secrets") && (PASSWORDS.contains(&before) || before == "token" || before == "key")
            || matches!(last, "secrets" | "credentials")
                && matches!(before, "k8s" | "kubernetes" | "use" | "from" | "image" | "pull");
        return (!not).then_some(Wanted::Token);
    }
    if last == "key" && KEYS.contains(&before) {
        return Some(Wanted::Token);
    }
    // A signed URL opens what it names to everybody who has it.
    if last == "signature" && matches!(before, "amz" | "goog") {
        return Some(Wanted::Token);
    }
    if last == "auth" && before == "key" {
        return Some(Wanted::Token);
    }
    if matches!(last, "authorization" | "auth" | "bearer") {
        return Some(Wanted::Authorization);
    }
    if CONNECTIONS.contains(&last)
        || matches!((before, last), ("connection" | "conn", "string" | "str" | "uri" | "url"))
    {
        return Some(Wanted::Connection);
    }
    // Words that are written together: `PGPASSWORD`, `requirepass`, `authtoken`.
    let ends = |ends: &[&str]| ends.iter().any(|end| last.len() > end.len() && last.ends_with(end));
    if ends(&[
        "password",
        "passwd",
        "passphrase",
        "userpass",
        "requirepass",
        "dbpass",
        "rootpass",
        "adminpass",
        "sshpass",
        "masterauth",
        "dbpwd",
    ]) || matches!(last, "requirepass" | "masterauth" | "sshpass" | "userpass" | "dbpass")
    {
        return Some(Wanted::Password);
    }
    if ends(&[
        "apikey",
        "secretkey",
        "accesskey",
        "accountkey",
        "authtoken",
        "accesstoken",
        "apitoken",
        "clientsecret",
        "sharedkey",
        "privatekey",
        "apisecret",
    ]) || matches!(last, "authtoken" | "accesstoken" | "clientsecret" | "privatekey")
    {
        return Some(Wanted::Token);
    }
    None
}

/// The engine that knows the forms of credentials.
pub fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let entities = lockgate_detect::known().into_iter().filter(|k| k.secret).map(|k| k.entity).collect();
        Engine::with(&Options { entities, ..Options::default() }).unwrap_or_else(|_| Engine::new())
    });
    &ENGINE
}

/// Credentials by their form in a text, without those of manuals.
pub fn forms(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    engine().scan(text, &mut found);
    // A label before a value is what names are for; and a key's first line is no key.
    found.retain(|f| {
        let value = text.get(f.start..f.end).unwrap_or_default();
        let is_label = matches!(f.entity.as_str(), "SECRET" | "CREDENTIALS" | "AUTHORIZATION");
        let is_empty_key = f.entity.as_str() == "PRIVATE_KEY" && value.len() < 100;
        !is_label && !is_empty_key && !value.contains([HOLE, REFERENCE]) && !is_manual(value)
    });
    found
}

fn words_last(name: &str) -> String {
    words(name).pop().unwrap_or_default()
}

/// Text that looks made by a machine: long, of letters and digits, none of which comes often.
pub fn is_random(text: &str) -> bool {
    let fits = text.len() >= 24
        && text.len() <= 200
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let mut kinds: Vec<char> = text.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    fits && digits >= 4 && digits < text.len() && kinds.len() >= 10 && !is_manual(text)
}

/// Prefixes that make a token of one service, whatever its checksum says, and shapes that are
/// nothing else.
pub fn has_shape(text: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let prefixed = [
        ("ghp_", 30),
        ("gho_", 30),
        ("ghu_", 30),
        ("ghs_", 30),
        ("ghr_", 30),
        ("github_pat_", 30),
        ("glpat-", 18),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("sk_live_", 16),
        ("rk_live_", 16),
        ("npm_", 30),
        ("hf_", 30),
        ("dapi", 32),
        ("pypi-", 40),
        ("sk-", 32),
        ("AKIA", 16),
    ];
    let is_prefixed = prefixed.iter().any(|(prefix, length)| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.len() >= *length && rest.chars().all(token))
    });
    // InfluxDB's tokens: 64 random bytes.
    let is_influx = text.len() == 88 && text.strip_suffix("==").is_some_and(|rest| rest.chars().all(token));
    (is_prefixed || is_influx) && !is_manual(text)
}

/// Values that manuals print, such as `AKIAIOSFODNN7EXAMPLE`.
fn is_manual(value: &str) -> bool {
    let upper = value.to_ascii_uppercase();
    upper.contains("EXAMPLE")
        || upper.contains("XXXX")
        || upper.contains("0000000000")
        || upper.contains("1234567890ABCDEF")
        || upper.contains("...")
        || upper.contains("PLACEHOLDER")
        || upper.contains("REDACTED")
        || value.contains("***")
}

/// Whether a text is a credential where a name asks for one.
pub fn judge(wanted: Wanted, name: &str, text: &str) -> Option<Strength> {
    let text = text.trim();
    if text.is_empty() || text.contains('\n') && !text.contains("-----BEGIN") {
        return None;
    }
    if wanted == Wanted::Connection {
        return None;
    }
    if text.chars().all(|c| c == HOLE || c == REFERENCE || !c.is_alphanumeric()) {
        return None;
    }
    if is_reference(text) {
        return None;
    }
    if text.contains("-----BEGIN") {
        return (text.contains("PRIVATE KEY") && text.len() >= 100).then_some(Strength::Format);
    }
    if wanted == Wanted::Authorization {
        return authorization(text);
    }
    if !forms(text).is_empty() || has_shape(text) {
        return Some(Strength::Format);
    }
    if text.contains(HOLE) || text.contains(REFERENCE) {
        // Part of it comes from elsewhere.
        return None;
    }
    if is_placeholder(text) {
        return Some(Strength::Placeholder);
    }
    // A parameter that is bound later.
    if text.starts_with([':', '@', '?', '%'])
        && text.get(1..).is_some_and(|t| t.chars().all(|c| c.is_alphanumeric() || c == '_'))
    {
        return None;
    }
    let words = text.split_whitespace().count();
    let is_phrase = name.to_ascii_lowercase().contains("phrase") || text.chars().any(|c| c.is_ascii_digit());
    if words > 1 && (wanted == Wanted::Token || !is_phrase || words > 6 || text.ends_with(['.', ':', '?', '!'])) {
        return None;
    }
    // `credentials: warehouse` names an entry that is elsewhere.
    let is_plural = matches!(words_last(name).as_str(), "credentials" | "creds" | "secrets");
    if is_plural && text.len() < 20 {
        return None;
    }
    if wanted == Wanted::Token && (text.len() < 4 || is_plain_word(text) || !text.is_ascii()) {
        return None;
    }
    // A type or a switch, not a value.
    let lower = text.to_ascii_lowercase();
    if matches!(
        lower.as_str(),
        "true"
            | "false"
            | "none"
            | "null"
            | "yes"
            | "no"
            | "str"
            | "string"
            | "text"
            | "varchar"
            | "bytes"
            | "required"
            | "optional"
            | "bearer"
            | "basic"
            | "oauth"
            | "oauth2"
            | "jwt"
            | "auto"
            | "default"
            | "unknown"
            | "object"
            | "any"
            | "secretstr"
            | "n/a"
            | "na"
            | "undefined"
            | "anonymous"
    ) {
        return None;
    }
    Some(Strength::Literal)
}

/// `Bearer xyz`, `Basic dXNlcjpwYXNz`, or a key by its form.
fn authorization(text: &str) -> Option<Strength> {
    let value =
        ["Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token ", "ApiKey ", "Splunk ", "GenieKey ", "SSWS "]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
    match value.map(str::trim) {
        Some(value)
            if value.contains([HOLE, REFERENCE])
                || value.is_empty()
                || is_placeholder(value)
                || is_reference(value) =>
        {
            None
        }
        Some(value) if value.len() >= 6 => Some(Strength::Literal),
        Some(_) => None,
        None => (!forms(text).is_empty()).then_some(Strength::Format),
    }
}

/// A text that stands for one that is to be filled in.
pub fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let bare = lower.trim_matches(|c: char| !c.is_alphanumeric());
    let wrapped = text.starts_with('<') && text.ends_with('>')
        || text.starts_with('[') && text.ends_with(']')
        || text.starts_with("%(") && text.ends_with(")s")
        || text.starts_with("__") && text.ends_with("__");
    // Words on their own, not letters within others.
    let said = words(text);
    let says = |word: &str| said.iter().any(|w| w == word);
    let pair = |a: &str, b: &str| said.windows(2).any(|w| matches!(w, [x, y] if x == a && y == b));
    wrapped
        || bare.is_empty()
        || bare.chars().all(|c| c == 'x')
        || text.chars().all(|c| matches!(c, '*' | '.' | '-' | '_' | '•' | '#'))
        || [
            "changeme",
            "changeit",
            "replaceme",
            "yourpassword",
            "yourtoken",
            "yoursecret",
            "placeholder",
            "redacted",
            "tbd",
            "todo",
            "fixme",
            "dummy",
            "fake",
            "mock",
            "notreal",
        ]
        .iter()
        .any(|word| says(word))
        || [
            ("change", "me"),
            ("replace", "me"),
            ("replace", "with"),
            ("set", "me"),
            ("fill", "me"),
            ("insert", "your"),
            ("put", "your"),
            ("enter", "your"),
            ("not", "real"),
            ("to", "be"),
            ("choose", "a"),
        ]
        .iter()
        .any(|(a, b)| pair(a, b))
        || said.first().is_some_and(|w| matches!(w.as_str(), "your" | "example" | "sample" | "insert"))
        || said.last().is_some_and(|w| w == "example")
}

/// A text that says where a credential is kept.
pub fn is_reference(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // A pattern that finds credentials is none.
    if ["\\s", "\\S", "\\w", "\\d", "[A-Z", "[a-z", "[0-9", "(?"].iter().any(|part| text.contains(part)) {
        return true;
    }
    // Templates and substitutions of other tools.
    if text.contains("{{")
        || text.contains("${")
        || text.contains("$(")
        || text.strip_prefix('$').is_some_and(|name| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.chars().any(|c| c.is_ascii_uppercase() || c == '_')
        })
        || text.starts_with("<%")
        || text.starts_with('{') && text.ends_with('}') && !text.contains('"')
    {
        return true;
    }
    let schemes = [
        "vault:",
        "vault://",
        "ssm:",
        "ssm://",
        "arn:",
        "op://",
        "env:",
        "env://",
        "file:",
        "file://",
        "aws-secretsmanager",
        "secretsmanager:",
        "gcp-sm",
        "sm://",
        "projects/",
        "azure-keyvault",
        "akv://",
        "keyring:",
        "sops:",
        "enc[",
        "!vault",
        "secret://",
        "secrets/",
        "secret/",
        "kv/",
        "airflow/",
        "/run/secrets",
        "/var/run/",
        "/etc/",
        "/mnt/",
        "/opt/",
        "~/",
        "./",
        "../",
        "keyvault:",
        "doppler:",
        "awssm:",
        "k8s:",
        "ref+",
        "conjur:",
        "pass:",
        "cmd:",
        "{cipher}",
        "$ansible_vault",
        "resolve:",
        "urn:",
        "data/",
    ];
    if schemes.iter().any(|scheme| lower.starts_with(scheme)) {
        return true;
    }
    // A URL without a password is an address.
    if lower.contains("://")
        && !text.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|h| h.contains('@')))
    {
        return true;
    }
    // A file.
    if [
        ".pem", ".key", ".json", ".yaml", ".yml", ".txt", ".p12", ".jks", ".crt", ".env", ".ini", ".pub", ".toml",
        ".cfg",
    ]
    .iter()
    .any(|end| lower.ends_with(end))
    {
        return true;
    }
    // A digest names its algorithm.
    if [
        "sha256:",
        "sha512:",
        "sha1:",
        "md5:",
        "$2a$",
        "$2b$",
        "$2y$",
        "$argon2",
        "pbkdf2",
        "$6$",
        "$5$",
        "scram-sha",
        "{ssha}",
    ]
    .iter()
    .any(|start| lower.starts_with(start))
    {
        return true;
    }
    // The name of a variable or of a secret: words of the credential's own name, and nothing that
    // a person would choose as a password.
    let is_name =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    if !is_name {
        return false;
    }
    let said = words(text);
    let keywords =
        |w: &str| PASSWORDS.contains(&w) || TOKENS.contains(&w) || matches!(w, "key" | "auth" | "login" | "vault");
    let separated = text.contains(['_', '-', '.', '/']);
    let has_digits = text.chars().filter(char::is_ascii_digit).count() >= 2;
    let of_words = said.iter().all(|w| {
        w.chars().all(char::is_alphabetic) || matches!(w.as_str(), "sha256" | "sha1" | "md5" | "sha512" | "b64")
    });
    // `password_hash_sha256` is a column, `db_password` a name.
    let is_aside = said.iter().any(|w| ASIDE.contains(&w.as_str()) || w.starts_with("sha") || w == "md5");
    if separated && (!has_digits || is_aside) && said.iter().any(|w| keywords(w)) && of_words {
        return true;
    }
    // `DB_PASSWORD` as a value; `token="token"`.
    if separated
        && text.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        && text.contains('_')
        && !has_digits
    {
        return true;
    }
    // `prod/billing/postgres`.
    if text.contains('/')
        && !has_digits
        && said.len() >= 2
        && said.iter().all(|w| w.len() >= 2 && w.chars().all(char::is_alphabetic))
        && text.chars().all(|c| !c.is_ascii_uppercase())
    {
        return true;
    }
    false
}

/// A word of the dictionary's kind: letters only, one case, no longer than words are.
fn is_plain_word(text: &str) -> bool {
    text.len() <= 7 && text.chars().all(|c| c.is_ascii_lowercase())
}

/// What is shown of a credential: how long it is.
pub fn hint(text: &str) -> String {
    match text.chars().count() {
        1 => "1 character".to_owned(),
        length => format!("{length} characters"),
    }
}

/// What to write instead, in the words of the tool that the code is for.
pub fn instead(fact: &crate::facts::Credential, file: Option<&crate::source::File>) -> String {
    use crate::source::Language as L;
    let name = if fact.name.is_empty() { "secret" } else { &fact.name };
    let variable = words(name).join("_").to_ascii_uppercase();
    let variable = if variable.is_empty() { "SECRET".to_owned() } else { variable };
    let sink = fact.sink.as_str();
    let Some(file) = file else { return String::new() };
    let path = file.path.to_ascii_lowercase();
    match file.language {
        L::Python | L::Notebook if sink.contains("dagster") => format!("{name}=EnvVar(\"{variable}\")"),
        L::Python | L::Notebook if sink.contains("prefect") => {
            format!("Secret.load(\"{}\").get()", variable.to_ascii_lowercase().replace('_', "-"))
        }
        L::Python | L::Notebook if sink.contains("airflow") && (fact.how == "command" || sink.contains("bash")) => {
            format!("env={{\"{variable}\": \"{{{{ conn.my_conn.password }}}}\"}} and ${variable} in the command")
        }
        L::Python | L::Notebook if sink.contains("airflow") && sink.contains("Variable") => {
            "keep it in a secrets backend; Variable.get(\"name\") reads it from there".to_owned()
        }
        L::Python | L::Notebook if sink.contains("airflow") => {
            format!(
                "an Airflow Connection: `{}_conn_id=\"...\"`, or BaseHook.get_connection(\"...\").password",
                sink.rsplit('.')
                    .next()
                    .unwrap_or("my")
                    .to_ascii_lowercase()
                    .replace("hook", "")
                    .replace("operator", "")
            )
        }
        L::Python | L::Notebook => format!("os.environ[\"{variable}\"]"),
        L::Terraform => format!(
            "var.{} with `sensitive = true`, or a data source of Vault or of the cloud's secret store",
            variable.to_ascii_lowercase()
        ),
        L::Docker => format!("RUN --mount=type=secret,id={} ...", variable.to_ascii_lowercase()),
        L::Yaml | L::Json if path.contains(".github/") => format!("${{{{ secrets.{variable} }}}}"),
        L::Yaml if path.contains("gitlab-ci") => format!("${variable}, a masked variable of the project"),
        L::Yaml if path.ends_with("profiles.yml") => format!("\"{{{{ env_var('{variable}') }}}}\""),
        L::Yaml if path.contains("compose") => format!("${{{variable}}}, or `secrets:` with a file"),
        L::Yaml | L::Json if fact.how == "manifest" => {
            format!("secretKeyRef: {{name: ..., key: {}}}", variable.to_ascii_lowercase().replace('_', "-"))
        }
        L::Shell => format!("\"${{{variable}:?}}\" from the environment or `vault kv get`"),
        L::Settings => format!("${{{variable}}}, and the value in the environment or the secret store"),
        _ => format!("a reference to the secret store for `{name}`"),
    }
}
