//! Storage that commands touch or open to everybody.

use super::takes_value;
use crate::{
    collect::{Collector, Sink},
    facts, storage,
    value::{HOLE, REFERENCE, Trace},
};

impl Collector<'_> {
    /// Storage that the arguments name.
    pub(super) fn touched(
        &mut self,
        program: &str,
        words: &[&str],
        known_account: &str,
        trace: &Trace,
        sink: Sink<'_>,
    ) {
        let last = words.iter().rposition(|word| !word.starts_with('-'));
        for (i, word) in words.iter().enumerate().skip(1) {
            for location in storage::find(word) {
                // What is copied is read, where it goes to is written.
                let access = match is_copy(program, words) {
                    true if Some(i) == last => "write",
                    true => "read",
                    false => sink.access,
                };
                self.storage(&location, trace, Sink { access, ..sink });
            }
            // Headers and bodies name addresses that nothing is sent to.
            let before = words.get(i - 1).copied().unwrap_or_default();
            let is_target = !before.starts_with('-') || matches!(before, "--url") || !takes_value(before);
            let url = word.strip_prefix("--url=").unwrap_or(word);
            if matches!(program, "curl" | "wget" | "http" | "https") && url.starts_with("http") && is_target {
                self.network(url, trace, "unknown", sink);
            }
        }
        let option = |names: &[&str]| {
            words.iter().enumerate().find_map(|(i, word)| {
                let (name, value) = word.split_once('=').map_or((*word, None), |(n, v)| (n, Some(v)));
                names.contains(&name).then(|| value.or_else(|| words.get(i + 1).copied()).unwrap_or_default())
            })
        };
        match program {
            "aws" => {
                if let Some(name) = option(&["--bucket", "--bucket-name"]) {
                    self.storage(
                        &storage::bucket("s3", name, "", option(&["--key", "--prefix"]).unwrap_or_default()),
                        trace,
                        sink,
                    );
                }
                if let Some(source) = option(&["--copy-source"])
                    && let Some(location) = storage::path("s3", source)
                {
                    self.storage(&location, trace, sink);
                }
            }
            "az" | "azcopy" => {
                let is_name = |name: &&str| !name.starts_with(['.', '/', '~']) && !name.contains("://");
                let first = |names: &[&'static str]| names.iter().find_map(|name| option(&[name]).filter(is_name));
                if let Some(container) = first(&[
                    "--container-name",
                    "-c",
                    "--source-container",
                    "--destination-container",
                    "--file-system",
                    "-d",
                    "-s",
                ]) {
                    let account = option(&["--account-name", "--source-account-name"]).unwrap_or(known_account);
                    self.storage(&storage::bucket("abfs", container, account, ""), trace, sink);
                }
                if words.get(1) == Some(&"storage")
                    && let Some(container) = option(&["--destination", "--source"])
                        .filter(|c| !c.contains(['/', '.']) && !c.contains([HOLE, REFERENCE]))
                {
                    let account = option(&["--account-name"]).unwrap_or(known_account);
                    self.storage(&storage::bucket("abfs", container, account, ""), trace, sink);
                }
            }
            "rclone" | "mc" | "s3cmd" | "s5cmd" => {
                for word in words.iter().skip(1) {
                    // `remote:bucket/path`, `alias/bucket/path`.
                    let rest = if program == "mc" { word.split_once('/') } else { word.split_once(':') };
                    if let Some((remote, path)) = rest
                        && !path.starts_with("//")
                        && !remote.is_empty()
                        && !word.starts_with(['-', '.', '/'])
                        && let Some(location) = storage::path(storage::provider_of(remote).unwrap_or("any"), path)
                    {
                        self.storage(&location, trace, sink);
                    }
                }
            }
            "s3fs" | "gcsfuse" | "goofys" | "mountpoint-s3" | "mount-s3" => {
                if let Some(name) = words.iter().skip(1).find(|w| !w.starts_with(['-', '/'])) {
                    let provider = if program == "gcsfuse" { "gs" } else { "s3" };
                    self.storage(&storage::bucket(provider, name, "", ""), trace, sink);
                }
            }
            _ => {}
        }
    }

    /// What opens storage to everybody.
    pub(super) fn opened(&mut self, program: &str, words: &[&str], sink: Sink<'_>) {
        let has = |wanted: &dyn Fn(&str) -> bool| words.iter().skip(1).any(|w| wanted(w));
        let acl = |w: &str| w.starts_with("public-read") || w == "authenticated-read";
        let value = |w: &str| w.split_once('=').map_or(w, |(_, v)| v).to_owned();
        let everybody =
            |w: &str| w.contains("allUsers") || w.contains("AllUsers") || w.contains("allAuthenticatedUsers");
        let because = match program {
            "aws" | "s4cmd" if has(&|w| acl(&value(w))) => "its ACL lets everybody read",
            "aws" if has(&|w| everybody(w)) => "its ACL lets everybody in",
            "aws" if has(&|w| w == "put-public-access-block") && has(&|w| w.contains("BlockPublicAcls=false")) => {
                "its public access block is off"
            }
            "aws" if has(&|w| w == "delete-public-access-block") => "its public access block is taken off",
            "gsutil" | "gcloud"
                if has(&|w| {
                    everybody(w) || value(w).starts_with("publicRead") || value(w).starts_with("public-read")
                }) =>
            {
                "everybody has access"
            }
            "mc" if has(&|w| matches!(w, "anonymous" | "policy"))
                && has(&|w| w == "set")
                && has(&|w| matches!(w, "download" | "public" | "upload")) =>
            {
                "everybody has access"
            }
            "az" if words.iter().zip(words.iter().skip(1)).any(|(a, b)| {
                *a == "--public-access" && matches!(*b, "blob" | "container")
                    || *a == "--allow-blob-public-access" && *b == "true"
            }) =>
            {
                "everybody may read it"
            }
            "s3cmd" if has(&|w| matches!(w, "--acl-public" | "-P")) => "its ACL lets everybody read",
            _ => return,
        };
        if self.quiet == 0 {
            let provider = storage::provider_of(program).unwrap_or(match program {
                "az" => "abfs",
                "gsutil" | "gcloud" => "gs",
                _ => "s3",
            });
            let resource = crate::infra::Resource { address: sink.what, provider, place: sink.place };
            crate::infra::bucket(self, &resource, |b| b.public = facts::Switch::Yes, because);
        }
    }
}

/// Whether a command copies from its first operands to its last.
fn is_copy(program: &str, words: &[&str]) -> bool {
    let verbs = ["cp", "mv", "sync", "rsync", "copy"];
    let named = words.iter().skip(1).take(3).any(|word| verbs.contains(word));
    matches!(program, "aws" | "gsutil" | "gcloud" | "azcopy" | "rclone" | "s3cmd" | "s5cmd" | "mc" | "az") && named
        || matches!(program, "distcp")
        || program == "hadoop" && words.contains(&"distcp")
}

pub(super) fn access(program: &str, words: &[&str]) -> &'static str {
    match (program, words.get(1).copied().unwrap_or_default(), words.get(2).copied().unwrap_or_default()) {
        ("aws", "s3" | "s3api", "rm" | "rb" | "delete-object" | "delete-bucket") | ("gsutil", "rm" | "rb", _) => {
            "delete"
        }
        ("aws", "s3", "ls")
        | ("aws", "s3api", "get-object" | "head-object" | "list-objects-v2")
        | ("gsutil", "ls" | "cat", _) => "read",
        ("aws", "s3api", "put-object") => "write",
        ("curl", ..) => {
            let sends = words.iter().any(|w| {
                matches!(*w, "-d" | "--data" | "-T" | "--upload-file" | "-F" | "--data-binary" | "-XPOST" | "-XPUT")
            }) || words
                .iter()
                .zip(words.iter().skip(1))
                .any(|(a, b)| matches!(*a, "-X" | "--request") && matches!(*b, "POST" | "PUT" | "PATCH"));
            if sends { "write" } else { "read" }
        }
        _ => "any",
    }
}
