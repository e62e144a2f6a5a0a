//! Everything that is printed. The only place that prints.

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdout},
    sync::Mutex,
    time::{Duration, Instant},
};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use lockgate_core::{Failure, Fault, Result};
use lockgate_pipeline::Progress;
use serde::Serialize;

use crate::{
    cli::{Format, Global},
    environment,
};

/// Writes a line to stderr; one that nobody can read any more is not an error.
macro_rules! complain {
    ($($argument:tt)*) => {{
        let _ = writeln!(stderr(), $($argument)*);
    }};
}

pub fn init(global: &Global) {
    let level = if global.quiet { "error" } else { "warn" };
    let filter = environment::variable("LOCKGATE_LOG").unwrap_or_else(|| level.to_owned());
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colours()).try_init();
}

fn colours() -> bool {
    environment::variable("NO_COLOR").is_none() && stderr().is_terminal()
}

fn paint(code: &str, text: &str, to_terminal: bool) -> String {
    if to_terminal && environment::variable("NO_COLOR").is_none() {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Whether data goes to a terminal that shows colours.
pub fn to_terminal() -> bool {
    stdout().is_terminal() && environment::variable("NO_COLOR").is_none()
}

/// Green or red, on a terminal.
pub fn verdict(good: bool, text: &str) -> String {
    paint(if good { "32" } else { "31" }, text, stdout().is_terminal())
}

/// Bold, on a terminal.
pub fn strong(text: &str) -> String {
    paint("1", text, stdout().is_terminal())
}

/// Prints a failure with its hint to stderr; as JSON when a program listens.
pub fn failure(global: &Global, failure: &Failure) {
    if global.format == Format::Table {
        complain!("{} {failure}", paint("1;31", "error:", stderr().is_terminal()));
        if let Some(hint) = failure.hint_text() {
            complain!("{}  {hint}", paint("1;36", "hint:", stderr().is_terminal()));
        }
    } else {
        let object = serde_json::json!({
            "error": failure.to_string(),
            "hint": failure.hint_text(),
            "exitCode": failure.fault().exit_code(),
        });
        complain!("{object}");
    }
}

/// Prints one line of data.
pub fn line(text: &str) {
    match writeln!(stdout(), "{text}") {
        // A closed pipe is not an error: the reader has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain!("error: the output cannot be written: {error}");
            std::process::exit(i32::from(Fault::Unreachable.exit_code()));
        }
        _ => {}
    }
}

/// Prints a line for people to stderr.
pub fn say(global: &Global, text: &str) {
    if !global.quiet {
        complain!("{text}");
    }
}

/// Prints what went wrong without ending anything.
pub fn warn(global: &Global, text: &str) {
    if !global.quiet {
        complain!("{} {text}", paint("1;33", "warning:", stderr().is_terminal()));
    }
}

/// Prints a value as JSON, pretty or on one line.
pub fn json<T: Serialize>(global: &Global, value: &T) -> Result<()> {
    let text =
        if global.format == Format::Jsonl { serde_json::to_string(value) } else { serde_json::to_string_pretty(value) };
    line(&text.map_err(|_| Failure::bug("a result could not be written as JSON"))?);
    Ok(())
}

/// Prints rows: a table for people, JSON for programs.
pub fn rows<T: Serialize>(
    global: &Global,
    header: &[&str],
    items: &[T],
    cells: impl Fn(&T) -> Vec<String>,
) -> Result<()> {
    match global.format {
        Format::Table => {
            let mut table = Table::new();
            table.load_preset(presets::NOTHING).set_header(header.iter().map(|h| h.to_uppercase()));
            for item in items {
                table.add_row(cells(item));
            }
            line(&table.trim_fmt());
        }
        Format::Json | Format::Sarif | Format::Github | Format::Gitlab | Format::Junit => json(global, &items)?,
        Format::Jsonl => {
            for item in items {
                json(global, item)?;
            }
        }
    }
    Ok(())
}

/// Progress for people: a spinner with rows and time on a terminal, plain lines elsewhere.
pub struct Terminal {
    quiet: bool,
    bar: Option<ProgressBar>,
    stage: Mutex<Option<(String, Instant)>>,
}

impl Terminal {
    pub fn new(global: &Global) -> Self {
        let bar = (!global.quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { quiet: global.quiet, bar, stage: Mutex::default() }
    }

    fn close_stage(&self) {
        if let Ok(mut stage) = self.stage.lock()
            && let Some((name, since)) = stage.take()
        {
            self.print(&format!(
                "  {} {name} ({:.1} s)",
                paint("32", "✓", stderr().is_terminal()),
                since.elapsed().as_secs_f64()
            ));
        }
    }

    fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain!("{text}")),
            None if !self.quiet => complain!("{text}"),
            None => {}
        }
    }

    /// Ends the last stage.
    pub fn finish(&self) {
        self.close_stage();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Terminal {
    fn stage(&self, name: &str, detail: &str) {
        self.close_stage();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{name} {detail}"));
        }
        if let Ok(mut stage) = self.stage.lock() {
            *stage = Some((format!("{name} {detail}"), Instant::now()));
        }
    }

    fn rows(&self, done: u64) {
        if let (Some(bar), Ok(stage)) = (&self.bar, self.stage.lock())
            && let Some((name, _)) = stage.as_ref()
        {
            bar.set_message(format!("{name}: {done} rows"));
        }
    }

    fn note(&self, text: &str) {
        self.print(&format!("    {text}"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Refuses to write over what is read, or twice to one place.
pub fn not_over(outputs: &[&std::path::PathBuf], inputs: &[std::path::PathBuf]) -> Result<()> {
    let real = |path: &std::path::Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for (index, output) in outputs.iter().enumerate() {
        let taken = inputs.iter().any(|input| real(input) == real(output))
            || outputs.iter().take(index).any(|other| real(other) == real(output));
        if taken {
            return Err(Failure::usage(format!("{} would be written over", output.display()))
                .hint("choose another name for what is written"));
        }
    }
    Ok(())
}

/// Text without what a terminal would take for a command.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}
