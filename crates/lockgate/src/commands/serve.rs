//! `lockgate deploy` and `lockgate serve`.

use std::time::Duration;

use lockgate_core::{Failure, Name, Result};
use lockgate_pipeline::{
    deploy::{self, Deployed},
    serve::{self, Answering, Overrides, Served},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    cli::{DeployArgs, Format, Global, ServeArgs},
    environment::Setup,
    output,
};

/// How soon a new deployment answers.
const LOOK: Duration = Duration::from_secs(2);

pub fn deploy(global: &Global, args: &DeployArgs) -> Result<()> {
    let endpoint: Name = args.endpoint.parse()?;
    let (_setup, mut workspace) = super::open(global, Some(&args.package))?;
    let deployed = deploy::deploy(&mut workspace, &endpoint, &args.package, None)?;
    match global.format {
        Format::Table => print(&deployed),
        _ => output::json(global, &deployed)?,
    }
    Ok(())
}

pub fn print(deployed: &Deployed) {
    let unchanged = if deployed.unchanged { " (unchanged)" } else { "" };
    output::line(&format!(
        "endpoint {}@{}{unchanged}  package {}",
        deployed.endpoint, deployed.version, deployed.package
    ));
}

pub fn serve(global: &Global, args: &ServeArgs) -> Result<()> {
    let (setup, workspace) = super::open(global, None)?;
    let served = serve::serve(workspace, Overrides { listen: args.listen, metrics: args.metrics })?;
    let answering = served.answering();
    match global.format {
        Format::Table => say(global, "answers", &answering),
        _ => output::json(global, &answering)?,
    }
    until_asked(global, &setup, served)
}

/// Answers until the process is asked to stop, and follows what changes meanwhile.
pub fn until_asked(global: &Global, setup: &Setup, served: Served) -> Result<()> {
    let runtime = &setup.runtime;
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let mut served = served;
    while !runtime.block_on(signals.asked_within(LOOK)) {
        match served.follow() {
            Ok(None) => {}
            Ok(Some(answering)) => say(global, "answers now", &answering),
            Err(failure) => output::warn(global, &format!("the change is not taken up: {failure}")),
        }
    }
    output::say(global, "stopping");
    runtime.block_on(served.stop());
    Ok(())
}

fn say(global: &Global, verb: &str, answering: &Answering) {
    let endpoints: Vec<String> =
        answering.endpoints.iter().map(|(name, version)| format!("{name}@{version}")).collect();
    output::say(global, &format!("{} {verb} on https://{}", endpoints.join(", "), answering.address));
    if let Some(metrics) = answering.metrics {
        output::say(global, &format!("metrics on http://{metrics}/metrics"));
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).map_err(|e| Failure::unreachable(format!("signals cannot be received: {e}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn asked_within(&mut self, time: Duration) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => true,
            () = tokio::time::sleep(time) => false,
        }
    }
}
