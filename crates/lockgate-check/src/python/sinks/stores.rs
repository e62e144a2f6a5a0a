//! Buckets, containers and accounts that calls name by their parameters or by what they were
//! called on. Locations within texts are found by whoever is given the text.

use std::{rc::Rc, sync::Arc};

use super::super::Interpreter;
use crate::{
    collect::Sink,
    credentials, facts,
    source::Place,
    storage,
    value::{Args, Kind, Object, Text, Val},
};

impl Interpreter<'_> {
    /// Parameters that name a bucket or a container.
    pub(super) fn buckets(
        &mut self,
        callee: &str,
        receiver: Option<&Val>,
        keywords: &[(Arc<str>, Val)],
        sink: Sink<'_>,
    ) {
        let mut account = String::new();
        for (name, val) in keywords {
            let Some((provider, words)) = names_bucket(callee, name) else { continue };
            if account.is_empty() {
                account = self.account(receiver, keywords);
            }
            let key = keywords
                .iter()
                .find(|(k, _)| {
                    names_key(k)
                        && (words.is_empty()
                            || k.starts_with(words.as_str())
                            || !keywords.iter().any(|(o, _)| o.starts_with(words.as_str()) && names_key(o)))
                })
                .and_then(|(_, v)| v.as_text().map(Text::flat))
                .unwrap_or_else(|| "".into());
            for option in val.options() {
                match &option.kind {
                    Kind::Str(text) | Kind::Path(text) => {
                        let flat = text.flat();
                        if flat.is_empty() || flat.contains(char::is_whitespace) {
                            continue;
                        }
                        let location = storage::bucket(provider, &flat, &account, &key);
                        self.collector.storage(&location, &option.trace, sink);
                    }
                    Kind::Unknown(why) => self.collector.storage_unknown(why, sink, provider),
                    // A default stands beside it: that is what is known.
                    Kind::Reference(_) if val.options().iter().any(|o| o.as_text().is_some()) => {}
                    Kind::Reference(name) => {
                        let why =
                            crate::value::Unknown { why: crate::value::Why::Runtime(Arc::clone(name)), place: None };
                        self.collector.storage_unknown(&why, sink, provider);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The storage account that a client, or what it came from, was made with.
    pub(super) fn account(&self, receiver: Option<&Val>, keywords: &[(Arc<str>, Val)]) -> String {
        if let Some((_, val)) =
            keywords.iter().find(|(k, _)| matches!(&**k, "account_name" | "storage_account" | "storage_account_name"))
            && let Some(name) = val.as_str()
        {
            return name.to_owned();
        }
        let mut current = receiver.cloned();
        for _ in 0..6 {
            let Some(Val { kind: Kind::Object(object), .. }) = current else { break };
            let texts = object.args.positional.iter().chain(object.args.keywords.iter().map(|(_, v)| v));
            for text in texts.filter_map(|v| v.as_text().map(Text::flat)) {
                if let Some(account) = storage::account_in(&text) {
                    return account;
                }
            }
            if let Some(name) = object.args.keyword("account_name").and_then(Val::as_str) {
                return name.to_owned();
            }
            current = object.attrs.borrow().get("\u{1}from").cloned();
        }
        String::new()
    }

    /// Paths without a scheme, as file systems of one provider take them.
    pub(super) fn file_system(&mut self, name: &str, receiver: Option<&Val>, args: &Args, sink: Sink<'_>) {
        let of = |val: &Val| match &val.kind {
            Kind::Object(object) => system_of(object),
            _ => None,
        };
        let last = name.rsplit('.').next().unwrap_or(name);
        let (provider, paths): (_, Vec<Val>) = match receiver.and_then(of) {
            Some(provider) => {
                let both = matches!(last, "copy" | "mv" | "move" | "cp" | "rename" | "copy_file");
                let skip = usize::from(matches!(last, "put" | "put_file" | "upload"));
                let take = if both { 2 } else { 1 };
                let named = args.keyword("path").or_else(|| args.keyword("rpath")).cloned();
                (provider, named.into_iter().chain(args.positional.iter().skip(skip).take(take).cloned()).collect())
            }
            None if last == "SubTreeFileSystem" => match args.positional.get(1).and_then(of) {
                Some(provider) => (provider, args.positional.iter().take(1).cloned().collect()),
                None => return,
            },
            None => match args.keyword("filesystem").or_else(|| args.keyword("fs")).and_then(of) {
                Some(provider) => (provider, args.positional.iter().take(2).cloned().collect()),
                None => return,
            },
        };
        let account = self.account(receiver, &args.keywords);
        for path in paths {
            let is_list = matches!(path.kind, Kind::List(_) | Kind::Tuple(_));
            let all = self.items(&path).filter(|_| is_list).unwrap_or_else(|| path.options());
            for option in all {
                if let Some(text) = option.as_text().map(Text::flat)
                    && !text.contains("://")
                    && let Some(mut location) = storage::path(provider, &text)
                {
                    location.account.clone_from(&account);
                    self.collector.storage(&location, &option.trace, sink);
                } else if let Kind::Unknown(why) = &option.kind {
                    self.collector.storage_unknown(why, sink, provider);
                }
            }
        }
    }

    pub(in crate::python) fn open_storage(&mut self, callee: &str, because: &str, place: Place) {
        if self.collector.quiet > 0 {
            return;
        }
        let resource =
            crate::infra::Resource { address: callee, provider: storage::provider_of(callee).unwrap_or("any"), place };
        crate::infra::bucket(&mut self.collector, &resource, |b| b.public = facts::Switch::Yes, because);
    }
}

/// Whether a parameter names a bucket: of which provider, and what its name starts with.
fn names_bucket(callee: &str, name: &str) -> Option<(&'static str, String)> {
    let words = credentials::words(name);
    let mut all = words.as_slice();
    if let [rest @ .., last] = all
        && matches!(last.as_str(), "name" | "names" | "id" | "uri" | "url")
    {
        all = rest;
    }
    let (last, before) = all.split_last()?;
    let provider = storage::provider_of(name).or_else(|| storage::provider_of(callee));
    let before = before.join("_");
    match last.as_str() {
        "bucket" | "buckets" => Some((provider.unwrap_or("any"), before)),
        "system" if provider == Some("abfs") && before.ends_with("file") => Some(("abfs", before)),
        "container" | "filesystem" | "share" if provider == Some("abfs") && words.last().is_none_or(|w| w != "id") => {
            Some(("abfs", before))
        }
        _ => None,
    }
}

fn names_key(name: &str) -> bool {
    let words = credentials::words(name);
    let last = words.iter().rev().find(|w| *w != "name").map_or("", String::as_str);
    matches!(last, "key" | "keys" | "object" | "objects" | "prefix" | "blob" | "path")
}

/// The provider of a file system object.
fn system_of(object: &Rc<Object>) -> Option<&'static str> {
    let last = object.callee.rsplit('.').next().unwrap_or_default();
    match last {
        "S3FileSystem" | "S3Fs" => Some("s3"),
        "GCSFileSystem" | "GcsFileSystem" => Some("gs"),
        "AzureBlobFileSystem" | "AzureDatalakeFileSystem" | "AzureFileSystem" => Some("abfs"),
        "HadoopFileSystem" => Some("hdfs"),
        "filesystem" => match object.args.get(0, "protocol").and_then(Val::as_str)? {
            "s3" | "s3a" => Some("s3"),
            "gs" | "gcs" => Some("gs"),
            "abfs" | "az" | "abfss" | "adl" => Some("abfs"),
            "hdfs" => Some("hdfs"),
            _ => None,
        },
        _ => None,
    }
}
