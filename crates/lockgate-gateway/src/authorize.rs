//! May this principal do this at that endpoint? A decision depends on nothing but what is asked
//! and the time, so it is remembered for a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_core::Principal;
use lockgate_policy::{Decision, Request};
use quick_cache::sync::Cache;

use crate::state::{Endpoint, State};

/// Policies may look at the clock, so no decision outlives this.
const REMEMBERED: Duration = Duration::from_secs(1);
const CACHED_MAX: usize = 10_000;

/// Who asks for what, through which client, for which purpose.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub principal: String,
    pub roles: Vec<String>,
    pub client: String,
    pub action: &'static str,
    pub endpoint: String,
    pub purpose: String,
}

/// Recent decisions.
pub(crate) struct Decisions(Cache<Question, (Instant, Arc<Decision>)>);

impl Default for Decisions {
    fn default() -> Self {
        Self(Cache::new(CACHED_MAX))
    }
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decisions({})", self.0.len())
    }
}

pub(crate) fn decide(state: &State, endpoint: &Endpoint, question: Question) -> Arc<Decision> {
    if let Some((at, decision)) = state.decisions.0.get(&question)
        && at.elapsed() < REMEMBERED
    {
        return decision;
    }
    let principal = Principal { id: question.principal.clone(), roles: question.roles.clone() };
    let mut decision = state.policy.decide(&Request {
        principal: &principal,
        action: question.action,
        resource: endpoint.resource(),
        purpose: &question.purpose,
        client: (question.client != question.principal).then_some(&question.client),
    });
    // An answer of a model has no rows or columns that SQL could filter or mask.
    let obligations = &decision.obligations;
    if decision.allow && (!obligations.row_filters.is_empty() || !obligations.column_masks.is_empty()) {
        decision.allow = false;
        decision.reasons = vec!["policy attaches a filter or mask, which an endpoint cannot keep".into()];
    }
    let decision = Arc::new(decision);
    state.decisions.0.insert(question, (Instant::now(), Arc::clone(&decision)));
    decision
}
