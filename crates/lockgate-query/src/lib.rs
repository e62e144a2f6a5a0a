//! SQL with policy applied to the logical plan.
