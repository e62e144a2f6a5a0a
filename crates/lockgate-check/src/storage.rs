//! Storage locations: what a text, a bucket's name or a client's arguments name, in one form.

use std::sync::LazyLock;

use regex::Regex;

use crate::value::{HOLE, REFERENCE};

/// Where data lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// `s3`, `gs`, `abfs`, `hdfs`, `dbfs`, `file`, or `any` where only a bucket's name is known.
    pub provider: &'static str,
    /// The bucket or container.
    pub bucket: String,
    /// The storage account, for Azure.
    pub account: String,
    pub key: String,
    /// Whether bucket and account are known whole.
    pub complete: bool,
}

impl Location {
    /// `s3://bucket/key`; for Azure `abfs://container@account/key`; `…` where it is not known.
    pub fn uri(&self) -> String {
        let account = if self.account.is_empty() { String::new() } else { format!("@{}", self.account) };
        let key = if self.key.is_empty() { String::new() } else { format!("/{}", self.key.trim_start_matches('/')) };
        format!("{}://{}{account}{key}", self.provider, self.bucket).replace([HOLE, REFERENCE], "…")
    }

    /// What is known for certain of its beginning.
    pub fn prefix(&self) -> String {
        let uri = self.uri();
        uri.split('…').next().unwrap_or_default().to_owned()
    }

    fn new(provider: &'static str, bucket: &str, account: &str, key: &str) -> Self {
        // `$NAME` and `{name}` that nobody filled in.
        let bucket: &str = &if bucket.contains(['$', '{']) {
            let known = bucket.split(['$', '{']).next().unwrap_or_default();
            format!("{known}{HOLE}")
        } else {
            bucket.to_owned()
        };
        // Credentials in front of the bucket are not part of its name.
        let bucket = bucket
            .rsplit_once(['@', ':'])
            .filter(|(user, _)| user.contains(':') || bucket.contains('@'))
            .map_or(bucket, |(_, name)| name);
        let complete =
            !bucket.contains([HOLE, REFERENCE]) && !account.contains([HOLE, REFERENCE]) && !bucket.is_empty();
        Self {
            provider,
            bucket: bucket.to_owned(),
            account: account.to_owned(),
            key: key.trim_end_matches(['"', '\'', ')', ',', ';', '`', '>']).to_owned(),
            complete,
        }
    }
}

/// `[^…]` of what a URL ends at.
const PART: &str = r#"[^\s"'`<>|;,()\[\]{}\\]"#;

static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<scheme>s3[ap]?|s3n|gs|gcs|abfss?|wasbs?|adl|az(?:ure)?|hdfs|dbfs|oss|cosn?|minio|r2|b2|swift|webhdfs|viewfs)://(?P<rest>{PART}+)"
    ))
    .ok()
});
static ARN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)arn:(?:aws[a-z-]*|[\u{{FFFB}}\u{{FFFC}}]|\$\{{[^}}\s]*\}}):s3:[^:\s]*:[^:\s]*:(?P<rest>{PART}+)"
    ))
    .ok()
});
static HTTPS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)https?://(?P<host>[^/\s\x22'`<>|;,(){{}}]+)(?P<path>/{PART}*)?")).ok());
/// An endpoint's own scheme, as DuckDB and Snowflake write it.
static AZURE_STAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)azure://(?P<account>[a-z0-9\x{{FFFC}}\x{{FFFB}}]+)\.blob\.core\.windows\.net/(?P<rest>{PART}*)"
    ))
    .ok()
});

/// The id of a container as Azure's roles and policies name it.
static AZURE_RESOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?:/storageAccounts/)?(?P<account>[^/\s\x22']+)/blobServices/[^/\s]+/containers/(?P<container>{PART}+)"
    ))
    .ok()
});

/// All locations that a text names.
pub fn find(text: &str) -> Vec<Location> {
    // A location as a parameter of a URL.
    if ["%3A%2F%2F", "%3a%2f%2f", "%3A//", "%3a//"].iter().any(|mark| text.contains(mark)) {
        let plain = ["%3A", "%3a"].iter().fold(text.to_owned(), |text, code| text.replace(code, ":"));
        return find(&["%2F", "%2f"].iter().fold(plain, |text, code| text.replace(code, "/")));
    }
    let mut found = Vec::new();
    let is_resource = text.contains("/blobServices/");
    if !text.contains(':') && !is_resource {
        return found;
    }
    let mut add = |location: Location| {
        if !found.contains(&location) && found.len() < 64 {
            found.push(location);
        }
    };
    if let Some(regex) = AZURE_RESOURCE.as_ref().filter(|_| is_resource) {
        for c in regex.captures_iter(text) {
            let part = |name: &str| c.name(name).map_or("", |m| m.as_str());
            add(Location::new("abfs", part("container"), part("account"), ""));
        }
    }
    if text.contains("://") {
        if let Some(regex) = &*AZURE_STAGE {
            for c in regex.captures_iter(text) {
                let (container, key) = cut(c.name("rest").map_or("", |m| m.as_str()));
                add(Location::new("abfs", container, c.name("account").map_or("", |m| m.as_str()), key));
            }
        }
        if let Some(regex) = &*URL {
            for c in regex.captures_iter(text) {
                let scheme = c.name("scheme").map_or("", |m| m.as_str()).to_ascii_lowercase();
                let rest = c.name("rest").map_or("", |m| m.as_str());
                add(by_scheme(&scheme, rest));
            }
        }
        if let Some(regex) = &*HTTPS {
            for c in regex.captures_iter(text) {
                let host = c.name("host").map_or("", |m| m.as_str());
                let path = c.name("path").map_or("", |m| m.as_str()).trim_start_matches('/');
                if let Some(location) = by_host(host, path) {
                    add(location);
                }
            }
        }
    }
    if let Some(regex) = &*ARN
        && text.contains("arn:")
    {
        for c in regex.captures_iter(text) {
            let rest = c.name("rest").map_or("", |m| m.as_str());
            if !rest.starts_with("accesspoint") {
                let (bucket, key) = cut(rest);
                add(Location::new("s3", bucket, "", key));
            }
        }
    }
    found
}

fn cut(rest: &str) -> (&str, &str) {
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.split_once('/').unwrap_or((rest.trim_end_matches(['.', ':']), ""))
}

fn by_scheme(scheme: &str, rest: &str) -> Location {
    let (host, key) = cut(rest);
    match scheme {
        "s3" | "s3a" | "s3n" | "s3p" | "minio" | "r2" => {
            // Credentials in front of the bucket, as Hadoop once took them.
            Location::new("s3", host.rsplit('@').next().unwrap_or(host), "", key)
        }
        "gs" | "gcs" => Location::new("gs", host, "", key),
        "abfs" | "abfss" | "wasb" | "wasbs" | "az" | "azure" | "adl" => match host.split_once('@') {
            Some((container, account)) => {
                Location::new("abfs", container, account.split('.').next().unwrap_or(account), key)
            }
            None if host.contains(".blob.core.windows.net") || host.contains(".dfs.core.windows.net") => {
                let account = host.split('.').next().unwrap_or(host);
                let (container, key) = cut(key);
                Location::new("abfs", container, account, key)
            }
            None => Location::new("abfs", host, "", key),
        },
        "dbfs" => Location::new("dbfs", host, "", key),
        "oss" | "cos" | "cosn" | "swift" | "b2" => Location::new("any", host, "", key),
        _ => Location::new("hdfs", host, "", key),
    }
}

fn by_host(host: &str, path: &str) -> Option<Location> {
    // A signed URL's query is its credential.
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let host = host.rsplit('@').next().unwrap_or(host);
    let lower = host.to_ascii_lowercase();
    let lower = lower.split(':').next().unwrap_or(&lower);
    if lower.ends_with(".amazonaws.com") || lower.ends_with(".amazonaws.com.cn") {
        let labels: Vec<&str> = lower.split('.').collect();
        // A bucket's own name may begin like the service's.
        let s3 = labels.iter().rposition(|l| *l == "s3" || l.starts_with("s3-"))?;
        if s3 == 0 {
            let (bucket, key) = cut(path);
            return (!bucket.is_empty()).then(|| Location::new("s3", bucket, "", key));
        }
        let bucket = host.split('.').take(s3).collect::<Vec<_>>().join(".");
        return Some(Location::new("s3", &bucket, "", path));
    }
    if lower == "storage.googleapis.com"
        || lower == "storage.cloud.google.com"
        || lower == "www.googleapis.com" && path.starts_with("storage/")
    {
        let path = path
            .strip_prefix("storage/v1/b/")
            .or_else(|| path.strip_prefix("upload/storage/v1/b/"))
            .or_else(|| path.strip_prefix("download/storage/v1/b/"))
            .unwrap_or(path);
        let (bucket, key) = cut(path);
        return (!bucket.is_empty()).then(|| Location::new("gs", bucket, "", key));
    }
    if let Some(bucket) = lower.strip_suffix(".storage.googleapis.com") {
        return Some(Location::new("gs", bucket, "", path));
    }
    for end in [".blob.core.windows.net", ".dfs.core.windows.net"] {
        if let Some(account) = lower.strip_suffix(end) {
            let (container, key) = cut(path);
            return (!container.is_empty()).then(|| Location::new("abfs", container, account, key));
        }
    }
    None
}

/// A bucket named alone, with what is known of its key.
pub fn bucket(provider: &'static str, bucket: &str, account: &str, key: &str) -> Location {
    match find(bucket).pop() {
        // What should be a name is a whole location.
        Some(location) => location,
        None => Location::new(provider, bucket, account, key),
    }
}

/// `bucket/key` as file systems of one provider take it.
pub fn path(provider: &'static str, text: &str) -> Option<Location> {
    if text.contains("://") {
        return find(text).pop();
    }
    let (bucket, key) = cut(text.trim_start_matches('/'));
    (!bucket.is_empty()).then(|| Location::new(provider, bucket, "", key))
}

/// The storage account of an endpoint or a connection string.
pub fn account_in(text: &str) -> Option<String> {
    for end in [".blob.core.windows.net", ".dfs.core.windows.net"] {
        if let Some((before, _)) = text.split_once(end) {
            return Some(before.rsplit(['/', '@']).next().unwrap_or(before).to_owned());
        }
    }
    let (_, after) = text.split_once("AccountName=")?;
    Some(after.split(';').next().unwrap_or(after).to_owned())
}

/// The storage account that a setting names: by itself or in a connection string.
pub fn account(name: &str, value: &str) -> Option<String> {
    if let Some((_, rest)) = value.split_once("AccountName=") {
        return rest.split([';', '&', '"', '\'']).next().map(str::to_owned);
    }
    let words = crate::credentials::words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_account = matches!(
        words.as_slice(),
        ["account"] | ["account", "name"] | [.., "storage", "account"] | [.., "storage", "account", "name"]
    );
    (is_account && !value.is_empty() && !value.contains([' ', '/'])).then(|| value.to_owned())
}

/// Whether a name is that of a bucket: `bucket`, `s3BucketName`, `LAKE_BUCKET`.
pub fn names_bucket(name: &str) -> bool {
    noun(name) == "bucket"
}

/// What a name is the name of: its last word but `name`.
pub fn noun(name: &str) -> String {
    crate::credentials::words(name).into_iter().rev().find(|word| word != "name").unwrap_or_default()
}

/// The provider that a name of a client, an operator or a parameter tells.
pub fn provider_of(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["gcs", "gcp", "google", "bigquery", "bq_", "storage.client", "dataproc", "vertex"]) {
        Some("gs")
    } else if has(&["s3", "boto", "aws", "minio", "redshift", "emr", "athena", "glue", "sagemaker"]) {
        Some("s3")
    } else if has(&["azure", "wasb", "adls", "abfs", "blob", "adlfs", "datalake"]) {
        Some("abfs")
    } else if has(&["hdfs"]) {
        Some("hdfs")
    } else {
        None
    }
}
