//! Isolated runs, key release, built-in trainers, re-execution.
