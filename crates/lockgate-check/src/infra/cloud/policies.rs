//! Policies of AWS: whom they let in, and what they let everybody do.

use super::{Resource, all_texts, at, bucket, items, permission, place_of};
use crate::{collect::Collector, facts, source::Place, value::Val};

/// `data "aws_iam_policy_document"`.
pub(super) fn document(collector: &mut Collector<'_>, address: &str, val: &Val, place: Place) {
    for statement in items(at(val, "statement")) {
        if all_texts(at(&statement, "effect").as_ref()).iter().any(|e| e == "Deny") {
            continue;
        }
        let principals = at(&statement, "principals.identifiers");
        let actions = at(&statement, "actions");
        let resources = at(&statement, "resources");
        judged(
            collector,
            address,
            principals.as_ref(),
            actions.as_ref(),
            resources.as_ref(),
            at(&statement, "condition").is_some(),
            place_of(principals.as_ref().or(actions.as_ref()), place),
        );
    }
}

/// A policy of AWS as JSON.
pub fn policy(collector: &mut Collector<'_>, address: &str, val: &Val, place: Place) {
    for statement in items(at(val, "Statement")) {
        if all_texts(at(&statement, "Effect").as_ref()).iter().any(|e| e == "Deny") {
            continue;
        }
        let principal = at(&statement, "Principal");
        let actions = at(&statement, "Action");
        let resources = at(&statement, "Resource");
        judged(
            collector,
            address,
            principal.as_ref(),
            actions.as_ref(),
            resources.as_ref(),
            at(&statement, "Condition").is_some(),
            place_of(principal.as_ref().or(actions.as_ref()), place),
        );
    }
}

fn judged(
    collector: &mut Collector<'_>,
    address: &str,
    principals: Option<&Val>,
    actions: Option<&Val>,
    resources: Option<&Val>,
    conditional: bool,
    place: Place,
) {
    if all_texts(principals).iter().any(|p| p == "*") && !conditional {
        let resource = Resource { address, provider: "s3", place: place_of(principals, place) };
        bucket(collector, &resource, |b| b.public = facts::Switch::Yes, "its policy lets everybody in");
        return;
    }
    let actions_all = all_texts(actions);
    let everything = all_texts(resources).iter().any(|r| r == "*");
    if actions_all.iter().any(|a| a == "*" || a == "*:*") {
        let broad: &[&str] = if everything { &["all actions on all resources"] } else { &["all actions"] };
        permission(collector, address, "policy", broad, place_of(actions, place));
    } else if actions_all.iter().all(|action| action.starts_with("kms:")) && address.contains("kms_key") {
        // In the policy of a key, `*` is that key.
    } else if everything && let Some(service) = actions_all.iter().find(|a| a.ends_with(":*")) {
        permission(collector, address, "policy", &[&format!("{service} on all resources")], place_of(actions, place));
    }
}
