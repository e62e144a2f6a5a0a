//! Pure decisions with obligations, in Rego.
