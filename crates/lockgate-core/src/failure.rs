//! What went wrong, in the terms a caller acts on.
//!
//! Callers branch on the exit code alone, so one type serves all crates instead of an enum in
//! each. A failure says what failed and on which input, and carries a hint about what to do.
//! It never contains a data value.

use std::fmt;

/// The result of anything that can fail in Lockgate.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why the program ends; the number is the documented exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Findings, violations or a failed gate.
    Findings = 1,
    /// The command line or a request is wrong.
    Usage = 2,
    /// The input is invalid or unreadable.
    Input = 3,
    /// Policy says no.
    Denied = 4,
    /// A signature, hash or chain is broken.
    Integrity = 5,
    /// A needed service, disk or device cannot be used.
    Unreachable = 6,
    /// Lockgate broke its own rules.
    Bug = 70,
}

impl Fault {
    /// The process exit code.
    pub const fn exit_code(self) -> u8 {
        self as u8
    }
}

/// A failure with its fault, its message and what to do next.
#[derive(thiserror::Error)]
#[error("{}", .0.what)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    fault: Fault,
    what: String,
    hint: Option<String>,
}

impl Failure {
    pub fn new(fault: Fault, what: impl fmt::Display) -> Self {
        Self(Box::new(Inner { fault, what: what.to_string(), hint: None }))
    }

    pub fn findings(what: impl fmt::Display) -> Self {
        Self::new(Fault::Findings, what)
    }
    pub fn usage(what: impl fmt::Display) -> Self {
        Self::new(Fault::Usage, what)
    }
    pub fn input(what: impl fmt::Display) -> Self {
        Self::new(Fault::Input, what)
    }
    pub fn denied(what: impl fmt::Display) -> Self {
        Self::new(Fault::Denied, what)
    }
    pub fn integrity(what: impl fmt::Display) -> Self {
        Self::new(Fault::Integrity, what)
    }
    pub fn unreachable(what: impl fmt::Display) -> Self {
        Self::new(Fault::Unreachable, what)
    }
    pub fn bug(what: impl fmt::Display) -> Self {
        Self::new(Fault::Bug, what)
    }

    /// A file system error on `path`: a full disk or a read-only folder is a service that cannot
    /// be used, everything else is bad input.
    pub fn io(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let what = format!("cannot {action} {}: {error}", path.display());
        match error.kind() {
            K::StorageFull | K::QuotaExceeded => {
                Self::unreachable(what).hint("free some space and run the same command again; nothing was lost")
            }
            K::ReadOnlyFilesystem => {
                Self::unreachable(what).hint("choose a workspace on a writable disk with --workspace")
            }
            K::PermissionDenied => Self::unreachable(what).hint("check the owner and the mode of that path"),
            _ => Self::input(what),
        }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.0.hint = Some(hint.to_string());
        self
    }

    /// Puts where it happened in front of the message.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.what = format!("{place}: {}", self.0.what);
        self
    }

    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
