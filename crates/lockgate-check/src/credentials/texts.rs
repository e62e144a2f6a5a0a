//! Texts that are no credential, whatever they are called: placeholders, references, and shapes that
//! are nothing else than one.

use super::names::{ASIDE, PASSWORDS, TOKENS, words};

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
    // What `printf` puts in.
    if text.contains('%') && text.replace("%s", "").replace("%v", "").replace("\\n", "").trim().is_empty() {
        return true;
    }
    // Templates and substitutions of other tools.
    if text.contains("{{")
        || text.contains("${")
        || text.contains("$(")
        || text.trim_start_matches('\\').strip_prefix('$').is_some_and(|name| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && (name.chars().any(|c| c.is_ascii_uppercase() || c == '_')
                    || name.chars().all(|c| c.is_ascii_digit()))
        })
        || is_lookup(text)
        // Grafana's `$__file{...}` and `$__env{...}`.
        || text.starts_with("$__") && text.ends_with('}')
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
        "sha256|",
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
    // `curated-sas-2024`: a year tells one such name from another.
    let of_year = said.len() >= 3
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && said.last().is_some_and(|last| last.len() == 4 && last.starts_with("20") && last.parse::<u16>().is_ok())
        && said.iter().rev().skip(1).all(|w| w.chars().all(char::is_alphabetic))
        && said.iter().any(|w| TOKENS.contains(&w.as_str()) || w == "key");
    if of_year {
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

/// Code that looks a value up, within a text: `os.environ.get('X')`, `keys["x"]`.
fn is_lookup(text: &str) -> bool {
    // What a reader of `NAME=value` leaves of it.
    if matches!(text, "os.environ" | "os.environ.get" | "os.getenv") {
        return true;
    }
    let Some(open) = text.find(['(', '[']) else { return false };
    let (name, rest) = text.split_at(open);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let is_quoted = rest.get(1..).is_some_and(|rest| rest.starts_with(['\'', '"']));
    is_name && is_quoted && rest.contains([')', ']'])
}

/// A word of the dictionary's kind: letters only, one case, no longer than words are.
pub(super) fn is_plain_word(text: &str) -> bool {
    text.len() <= 7 && text.chars().all(|c| c.is_ascii_lowercase())
}

/// `partition_date`: a name of a program's own, which no machine makes; or the name of a kind of
/// secret, as `"PASSWORD"` in a list of what is masked.
pub fn is_identifier(text: &str) -> bool {
    let snake = text.contains('_')
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        && text.split('_').all(|word| !word.is_empty());
    let lower = text.to_ascii_lowercase();
    snake
        || text.chars().all(|c| c.is_ascii_uppercase())
            && (PASSWORDS.contains(&lower.as_str()) || TOKENS.contains(&lower.as_str()))
}

/// Values that manuals print, such as `AKIAIOSFODNN7EXAMPLE`.
pub(super) fn is_manual(value: &str) -> bool {
    let upper = value.to_ascii_uppercase();
    upper.contains("EXAMPLE")
        || upper.contains("XXXX")
        || upper.contains("0000000000")
        || upper.contains("1234567890ABCDEF")
        || upper.contains("12341234")
        || upper.contains("...")
        || upper.contains("PLACEHOLDER")
        || upper.contains("REDACTED")
        || value.contains("***")
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
    // Airtable's: an id, then 64 hexadecimal digits.
    let is_airtable = text.strip_prefix("pat").and_then(|rest| rest.split_once('.')).is_some_and(|(id, secret)| {
        id.len() == 14 && id.chars().all(token) && secret.len() == 64 && secret.chars().all(|c| c.is_ascii_hexdigit())
    });
    (is_prefixed || is_influx || is_airtable) && !is_manual(text)
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
