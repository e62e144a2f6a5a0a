//! Paths, templates, patterns and wrappers of the standard library and of those beside it.

use crate::{
    python::{Interpreter, syntax::Span},
    value::{Args, How, Kind, TEXT_BYTES_MAX, Text, Val},
};

impl Interpreter<'_> {
    /// Paths, templates and other things of the standard library.
    pub(super) fn library(&mut self, name: &str, args: &Args, at: Span) -> Option<Val> {
        let first = args.positional.first();
        Some(match name {
            "os.path.join" | "posixpath.join" | "ntpath.join" | "fsspec.utils.join" => {
                let joined = self.path_join(&args.positional.clone(), at);
                // A path as text.
                Val::choice(
                    joined
                        .options()
                        .into_iter()
                        .map(|v| match v.kind {
                            Kind::Path(text) => Val { kind: Kind::Str(text), trace: v.trace },
                            _ => v,
                        })
                        .collect(),
                )
            }
            "os.path.dirname" | "posixpath.dirname" | "os.path.basename" | "posixpath.basename" => {
                let text = first?.as_str()?.to_owned();
                let (folder, file) = text.rsplit_once('/').unwrap_or(("", &text));
                let cut = if name.ends_with("dirname") { folder } else { file };
                Val::text(Text::Known(cut.into()), first?.trace.clone())
            }
            "os.path.abspath" | "os.path.realpath" | "os.path.expanduser" | "os.path.normpath"
            | "os.path.expandvars" => match &first?.kind {
                Kind::Path(text) => Val::text(text.clone(), first?.trace.clone()),
                _ => first?.clone(),
            },
            "os.path.splitext" => {
                let text = first?.as_str()?.to_owned();
                let (stem, ending) =
                    text.rsplit_once('.').map_or((text.as_str(), String::new()), |(s, e)| (s, format!(".{e}")));
                Val::tuple(vec![Val::text(Text::Known(stem.into()), first?.trace.clone()), Val::str(ending)])
            }
            "pathlib.Path"
            | "pathlib.PurePath"
            | "pathlib.PurePosixPath"
            | "pathlib.PosixPath"
            | "upath.UPath"
            | "cloudpathlib.CloudPath"
            | "cloudpathlib.S3Path"
            | "cloudpathlib.AnyPath"
            | "cloudpathlib.GSPath"
            | "cloudpathlib.AzureBlobPath"
            | "s3path.S3Path"
            | "s3path.PureS3Path"
            | "airflow.io.path.ObjectStoragePath"
            | "airflow.sdk.ObjectStoragePath" => {
                let path = match args.positional.as_slice() {
                    [] => Val::str("."),
                    [one] => one.clone(),
                    many => self.path_join(many, at),
                };
                if !name.starts_with("pathlib.") {
                    self.outside(name, None, args, at);
                }
                Val::choice(
                    path.options()
                        .into_iter()
                        .map(|v| match v.kind {
                            Kind::Str(text) => Val { kind: Kind::Path(text), trace: v.trace },
                            _ => v,
                        })
                        .collect(),
                )
            }
            "string.Template" => match &first?.kind {
                Kind::Str(_) => {
                    let object = self.made(name, args.clone());
                    if let Kind::Object(made) = &object.kind {
                        made.attrs.borrow_mut().insert("template".into(), first?.clone());
                    }
                    object
                }
                _ => return None,
            },
            "string.Template.substitute" | "string.Template.safe_substitute" => return None,
            "re.sub" => {
                let pattern = args.get(0, "pattern").and_then(Val::as_str)?;
                let (to, text) = (args.get(1, "repl")?.as_str()?, args.get(2, "string")?);
                // Python's pattern is read as ours; where it is not one, the result is not known.
                let regex = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()?;
                let to = to.replace('$', "$$");
                let changed = regex.replace_all(text.as_str()?, to.as_str()).into_owned();
                if changed.len() > TEXT_BYTES_MAX {
                    return None;
                }
                Val::text(Text::Known(changed.into()), text.trace.clone()).step(self.place(at), How::Changed("re.sub"))
            }
            // A secret's wrapper is not a secret's safe.
            "pydantic.SecretStr"
            | "pydantic.types.SecretStr"
            | "pydantic.SecretBytes"
            | "jinja2.Markup"
            | "markupsafe.Markup"
            | "sqlalchemy.text"
            | "sqlalchemy.sql.text"
            | "sqlalchemy.sql.expression.text"
            | "django.conf.settings"
                if args.positional.len() == 1 =>
            {
                if name.contains("Secret") {
                    self.outside(name, None, args, at);
                }
                first?.clone()
            }
            _ => return None,
        })
    }
}
