//! Zero-trust serving.
