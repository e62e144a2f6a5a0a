//! Packages by what asks for them: their names, and whether one version is meant.

use super::Collector;
use crate::{
    facts,
    source::Place,
    value::{HOLE, REFERENCE},
};

impl Collector<'_> {
    pub fn package(&mut self, manager: &str, requirement: &str, place: Place, sink: &str) {
        if self.quiet > 0 {
            return;
        }
        let bare = requirement.split([';', '#']).next().unwrap_or(requirement).trim();
        // Who fetches it is not part of its name.
        if let Some((_, source)) = bare.split_once("git+") {
            self.git_package(manager, bare, source, place, sink);
            return;
        }
        let without_user = match bare.split_once("://") {
            Some((scheme, rest)) => {
                match rest.split_once('/').map(|(host, path)| (host.rsplit('@').next().unwrap_or(host), path)) {
                    Some((host, path)) => format!("{scheme}://{host}/{path}"),
                    None => bare.to_owned(),
                }
            }
            None => bare.to_owned(),
        };
        let bare = without_user.as_str();
        // A scope of npm begins with the sign that stands before a source elsewhere.
        let scope = usize::from(manager == "npm" && bare.starts_with('@'));
        let behind = bare.get(scope..).unwrap_or_default();
        let end = behind.find(['=', '<', '>', '~', '!', '@', ' ', '[']).map_or(bare.len(), |at| at + scope);
        let (name, version) = bare.split_at(end);
        if name.is_empty()
            || name.contains([HOLE, REFERENCE])
            || name.starts_with(['-', '.', '/', '$', '{'])
            || name.contains("://") && !name.contains('+')
        {
            return;
        }
        let version = version.split_once(']').map_or(version, |(_, v)| v).trim();
        let exact = match manager {
            "conda" | "apt" => version.starts_with('=') && !version.contains('*'),
            _ => {
                (version.starts_with("==") && !version.contains('*'))
                    || version.starts_with("===")
                    || version.starts_with('@') && (version.contains(".whl") || version.contains('@'))
            }
        };
        let is_archive = name.ends_with(".whl") || name.ends_with(".tar.gz");
        let what = facts::Package {
            manager: manager.to_owned(),
            name: name.to_owned(),
            version: version.replace([HOLE, REFERENCE], "…"),
            pinned: exact || is_archive || requirement.contains("--hash="),
            sink: sink.to_owned(),
        };
        let raw = self.raw(place, &None, what);
        self.found.packages.push(raw);
    }

    /// `name @ git+https://host/repository@revision`: pinned by a commit or a tag, not by a branch.
    fn git_package(&mut self, manager: &str, requirement: &str, source: &str, place: Place, sink: &str) {
        let source = source.split(['#', ' ']).next().unwrap_or(source);
        let path = source.split_once("://").map_or(source, |(_, rest)| rest);
        let path = path.split_once('/').map_or("", |(_, path)| path);
        let (repository, revision) = path.split_once('@').unwrap_or((path, ""));
        let is_commit = revision.len() >= 7 && revision.chars().all(|c| c.is_ascii_hexdigit());
        let is_tag = revision.chars().any(|c| c.is_ascii_digit()) && revision.contains('.');
        let own = requirement.split(['@', ' ']).next().unwrap_or_default().trim();
        let name = if own.is_empty() || own.contains("git+") {
            repository.rsplit('/').next().unwrap_or(repository).trim_end_matches(".git")
        } else {
            own
        };
        if name.is_empty() || name.contains([HOLE, REFERENCE, '$', '{']) {
            return;
        }
        let what = facts::Package {
            manager: manager.to_owned(),
            name: name.to_owned(),
            version: revision.replace([HOLE, REFERENCE], "…"),
            pinned: is_commit || is_tag,
            sink: sink.to_owned(),
        };
        let raw = self.raw(place, &None, what);
        self.found.packages.push(raw);
    }
}
