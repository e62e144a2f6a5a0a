//! Paths and locations as objects: joined, taken apart, read.

use super::{Interpreter, syntax::Span};
use crate::value::{Args, How, Kind, Piece, Text, Val, Why, joined};

impl Interpreter<'_> {
    pub(super) fn path_join(&mut self, parts: &[Val], at: Span) -> Val {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut traces = Vec::new();
        for part in parts {
            let options = part.options();
            // One of several in the middle of a path: each of them once.
            if options.len() > 1 {
                let results = options
                    .into_iter()
                    .map(|option| {
                        let parts: Vec<Val> = parts
                            .iter()
                            .map(|p| if std::ptr::eq(p, part) { option.clone() } else { p.clone() })
                            .collect();
                        self.path_join(&parts, at)
                    })
                    .collect();
                return Val::choice(results);
            }
            let next = part.pieces();
            let absolute =
                matches!(next.first(), Some(Piece::Known(text)) if text.starts_with('/') || text.contains("://"));
            if absolute {
                pieces.clear();
            } else if let Some(last) = pieces.last() {
                let ends = matches!(last, Piece::Known(text) if text.ends_with('/') || text.is_empty());
                if !ends {
                    pieces.push(Piece::Known("/".into()));
                }
            }
            pieces.extend(next);
            traces.push(part.trace.clone());
        }
        let trace = joined(self.place(at), How::Joined, traces);
        Val { kind: Kind::Path(Text::of(pieces)), trace }
    }

    /// `bucket_path / "key"` of a library's own path.
    pub(super) fn object_join(&mut self, left: &Val, right: &Val, at: Span) -> Val {
        if let Kind::Object(object) = &left.kind
            && let Some(first) = object.args.positional.first().filter(|v| v.as_text().is_some())
        {
            let joined = self.path_join(&[first.clone(), right.clone()], at);
            let args = Args { positional: vec![joined], ..Args::default() };
            self.outside(&object.callee, None, &args, at);
            return self.made(&object.callee, args);
        }
        self.unknown(Why::Expression, at)
    }

    pub(super) fn path_attribute(&mut self, path: &Text, object: &Val, name: &str) -> Val {
        let as_path = |text: &str| Val { kind: Kind::Path(Text::Known(text.into())), trace: object.trace.clone() };
        let as_text = |text: &str| Val { kind: Kind::Str(Text::Known(text.into())), trace: object.trace.clone() };
        let Some(known) = path.known() else {
            return match name {
                "parent" | "name" | "stem" => object.clone(),
                _ => self.bound(object, name),
            };
        };
        let trimmed = known.trim_end_matches('/');
        let file = trimmed.rsplit('/').next().unwrap_or(trimmed);
        match name {
            "parent" => as_path(trimmed.rsplit_once('/').map_or(".", |(folder, _)| folder)),
            "name" => as_text(file),
            "stem" => as_text(file.rsplit_once('.').map_or(file, |(stem, _)| stem)),
            "suffix" => as_text(file.rsplit_once('.').map_or("", |(_, ending)| ending)),
            "parts" => Val::list(trimmed.split('/').map(as_text).collect()),
            "parents" => {
                let mut folders = Vec::new();
                let mut rest = trimmed;
                while let Some((folder, _)) = rest.rsplit_once('/')
                    && folders.len() < 32
                {
                    folders.push(as_path(folder));
                    rest = folder;
                }
                Val::list(folders)
            }
            _ => self.bound(object, name),
        }
    }

    pub(super) fn path_method(&mut self, path: &Text, receiver: &Val, name: &str, args: &Args, at: Span) -> Val {
        match name {
            "joinpath" | "with_name" => {
                let mut parts = vec![receiver.clone()];
                parts.extend(args.positional.iter().cloned());
                self.path_join(&parts, at)
            }
            "resolve" | "absolute" | "expanduser" | "with_suffix" => receiver.clone(),
            "as_posix" | "as_uri" | "__str__" | "__fspath__" => Val::text(path.clone(), receiver.trace.clone()),
            "open" | "read_text" | "read_bytes" => {
                let mut positional = vec![receiver.clone()];
                positional.extend(args.positional.iter().cloned());
                let args = Args { positional, ..args.clone() };
                let opened = self.external("open", None, args, at);
                if name == "open" { opened } else { self.method_of_object(&opened, "read", at) }
            }
            _ => {
                let mut positional = vec![receiver.clone()];
                positional.extend(args.positional.iter().cloned());
                self.external(&format!("pathlib.Path.{name}"), None, Args { positional, ..args.clone() }, at)
            }
        }
    }

    pub(super) fn method_of_object(&mut self, object: &Val, name: &str, at: Span) -> Val {
        let method = self.attribute(object, name, at);
        self.call(&method, Args::default(), at)
    }
}
