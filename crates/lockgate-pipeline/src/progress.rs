//! How a use case tells what it is doing.

/// Receives what people want to see while they wait.
pub trait Progress {
    /// A stage begins.
    fn stage(&self, name: &str, detail: &str);
    /// So many rows of the stage are done.
    fn rows(&self, done: u64);
    /// Something worth a line.
    fn note(&self, text: &str);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: &str) {}
    fn rows(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
