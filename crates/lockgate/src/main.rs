//! The `lockgate` program: clap types, configuration, wiring and exit codes.
//!
//! Invariants: data goes to stdout and everything else to stderr; every failure ends with its
//! documented exit code. This crate holds no rule about data.

mod cli;
mod commands;
mod environment;
mod memory;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    memory::keep_for_a_while();
    // A training worker isolates itself before any thread exists.
    if std::env::args().nth(1).as_deref() == Some(lockgate_train::WORKER_FLAG) {
        return ExitCode::from(lockgate_train::worker());
    }
    let cli = cli::Cli::parse();
    output::init(&cli.global);
    match commands::dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&cli.global, &failure);
            ExitCode::from(failure.fault().exit_code())
        }
    }
}
