//! Turns findings and contract rules into transformed Arrow batches and an event for every transformation.
