//! Policies of AWS that code makes: as JSON, as mappings, as statements of the CDK.

use super::super::{Interpreter, builtins::retraced};
use crate::{
    collect::Sink,
    infra,
    value::{Args, Kind, Val},
};

impl Interpreter<'_> {
    /// A policy that is given to a call of IAM or of a store.
    pub(super) fn policy_given(&mut self, name: &str, val: &Val, sink: Sink<'_>) {
        if self.collector.quiet > 0
            || !matches!(name, "PolicyDocument" | "policy_document" | "Policy" | "policy" | "inline_policy")
        {
            return;
        }
        for option in val.options() {
            let policy = match &option.kind {
                Kind::Dict(_) => option.clone(),
                Kind::Object(object) if object.callee.ends_with("dumps") => {
                    let Some(val) = object.args.positional.first() else { continue };
                    val.clone()
                }
                Kind::Str(_) => {
                    let Some(text) = option.as_str().filter(|text| text.trim_start().starts_with('{')) else {
                        continue;
                    };
                    let Some(document) = crate::yaml::parse(text).ok().and_then(|all| all.into_iter().next()) else {
                        continue;
                    };
                    retraced(&crate::yaml::value(&document, sink.place.file, 0), &option.trace, 0)
                }
                _ => continue,
            };
            infra::policy(&mut self.collector, sink.what, &policy, sink.place);
        }
    }

    /// `iam.PolicyStatement(actions=["*"], resources=["*"])`.
    pub(super) fn statement_made(&mut self, args: &Args, sink: Sink<'_>) {
        if matches!(args.keyword("effect").map(|v| &v.kind), Some(Kind::External(name)) if name.ends_with(".DENY")) {
            return;
        }
        let entries = [("Effect", "effect"), ("Action", "actions"), ("Resource", "resources")]
            .iter()
            .filter_map(|(key, name)| Some((Val::str(*key), args.keyword(name)?.clone())))
            .collect();
        let statement = Val::list(vec![Val::dict(entries, false)]);
        let policy = Val::dict(vec![(Val::str("Statement"), statement)], false);
        infra::policy(&mut self.collector, sink.what, &policy, sink.place);
    }
}
