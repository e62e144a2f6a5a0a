//! Model packages: gates, signature, provenance, OCI layout, push and pull.
