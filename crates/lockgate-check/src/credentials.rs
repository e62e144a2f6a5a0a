//! What is a credential: names that ask for one, and texts that are one.
//!
//! A name alone convicts nothing: `password=os.environ["X"]` is how it should be. A text
//! alone convicts when its form is a credential's. Together they convict what is neither empty,
//! nor a placeholder, nor the name of a secret that is kept elsewhere.

mod names;
mod texts;

use std::sync::LazyLock;

use lockgate_detect::{Engine, Finding, Options};

use crate::value::{HOLE, REFERENCE};

use names::words_last;
pub use names::{wanted, words};
pub use texts::{has_shape, is_identifier, is_placeholder, is_random, is_reference};
use texts::{is_manual, is_plain_word};

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
    if wanted == Wanted::Token && (text.len() < 4 || is_plain_word(text) || is_identifier(text) || !text.is_ascii()) {
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

/// A key of what nobody here knows, whose value looks made by a machine: `feed-key: cfk-6vfY...`.
pub fn is_key(name: &str, text: &str) -> bool {
    let words = words(name);
    // `key: gk_live_...` says what it is itself.
    if let [only] = words.as_slice() {
        let is_marked = ["_live_", "_prod_", "_secret_"].iter().any(|mark| text.contains(mark));
        return only == "key" && is_marked && text.len() >= 24 && !text.contains(char::is_whitespace);
    }
    let [.., before, last] = words.as_slice() else { return false };
    let is_uuid = text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_mixed = text.chars().any(|c| c.is_ascii_uppercase()) && text.chars().any(|c| c.is_ascii_lowercase());
    last == "key" && !names::OTHER_KEYS.contains(&before.as_str()) && is_random(text) && is_mixed && !is_uuid
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
                // `Token token=` and what is put in behind it.
                || value.strip_suffix('=').is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase()))
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
