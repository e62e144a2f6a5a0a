//! Contracts and the checks that decide whether a row may enter.
