//! Names that ask for a credential, by their words.

use super::Wanted;

/// Last words of names that hold credentials.
pub(super) const PASSWORDS: [&str; 9] =
    ["password", "passwd", "pwd", "passphrase", "pass", "passwort", "kennwort", "pw", "passcode"];

pub(super) const TOKENS: [&str; 12] = [
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

/// What a word before `key` makes something else of: a place in a store, a column, a public key.
pub(super) const OTHER_KEYS: [&str; 45] = [
    "public",
    "publishable",
    "verify",
    "verification",
    "site",
    "cache",
    "kms",
    "partition",
    "sort",
    "primary",
    "foreign",
    "row",
    "object",
    "s3",
    "bucket",
    "blob",
    "file",
    "wildcard",
    "source",
    "src",
    "dest",
    "destination",
    "target",
    "input",
    "output",
    "data",
    "model",
    "idempotency",
    "dedup",
    "deduplication",
    "group",
    "map",
    "ssh",
    "host",
    "known",
    "hash",
    "join",
    "index",
    "unique",
    "message",
    "routing",
    "natural",
    "surrogate",
    "feature",
    "lookup",
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
pub(super) const ASIDE: [&str; 76] = [
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
const NOT_SECRET_TOKENS: [&str; 33] = [
    "signal",
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
    // `fs.azure.account.key.<account>.dfs.core.windows.net` of Hadoop: the account stands last.
    if let Some((name, _)) =
        name.strip_suffix("core.windows.net").and_then(|n| n.trim_end_matches('.').rsplit_once('.'))
    {
        return wanted(name.rsplit_once('.').map_or(name, |(name, _)| name))
            .or(name.contains(".sas.").then_some(Wanted::Token));
    }
    let words = words(name);
    // `checksum/secret` is what a secret hashes to.
    if words.first().is_some_and(|word| matches!(word.as_str(), "checksum" | "sha256" | "digest")) {
        return None;
    }
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut all = all.as_slice();
    // `password_1`, `password2`, `db_password_prod`: what stands behind tells which one it is.
    while let [rest @ .., last] = all
        && !rest.is_empty()
        && (last.strip_prefix('v').unwrap_or(last).chars().all(|c| c.is_ascii_digit())
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
    // Whoever has the cookie of a session is in it.
    if matches!(last, "phpsessid" | "jsessionid" | "sessid") {
        return Some(Wanted::Token);
    }
    if ASIDE.contains(&last) && !(last == "url" || last == "uri") {
        // `aws_access_key_id` names a credential's public half; its form decides.
        return (last == "id" && before == "key" && rest.contains(&"access")).then_some(Wanted::Authorization);
    }
    if PASSWORDS.contains(&last) {
        return (!matches!(
            before,
            "no" | "none"
                | "on"
                | "show"
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
            || matches!(last, "secret" | "secrets")
                && (PASSWORDS.contains(&before) || matches!(before, "token" | "key" | "existing" | "tls" | "from" | "env"))
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
    if last == "auth" && before == "redis" {
        return Some(Wanted::Password);
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

pub(super) fn words_last(name: &str) -> String {
    words(name).pop().unwrap_or_default()
}
