//! The use cases: run a pipeline, verify the chain.
