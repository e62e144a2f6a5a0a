//! `lockgate names`: the network that finds people, organizations, places and addresses.

use lockgate_core::Result;
use lockgate_detect::Engine;
use lockgate_pipeline::names::{self, Looking, NETWORK, NOTICES};
use lockgate_source::{Content, Fetcher};
use serde_json::json;

use crate::{
    cli::{Format, Global, LookingFor, NamesCommand},
    environment, output,
};

pub fn names(global: &Global, command: &NamesCommand) -> Result<()> {
    let networks = environment::networks();
    match command {
        NamesCommand::Install { from } => {
            let (content, place) = match from {
                Some(path) => (Content::file(path)?, path.display().to_string()),
                None => (fetch(global)?, NETWORK.uri.to_owned()),
            };
            let folder = NETWORK.unpack(content.reader(), &networks).map_err(|failure| failure.at(&place))?;
            output::say(global, &format!("installed in {}", folder.display()));
            output::say(global, NETWORK.licence);
            Ok(())
        }
        NamesCommand::Status => {
            let installed = NETWORK.is_installed(&networks);
            let folder = NETWORK.folder(&networks);
            let value =
                json!({"network": NETWORK.name, "installed": installed, "folder": folder, "licence": NETWORK.licence});
            if global.format != Format::Table {
                return output::json(global, &value);
            }
            output::line(&format!(
                "{} is {}installed in {}",
                NETWORK.name,
                if installed { "" } else { "not " },
                folder.display()
            ));
            output::line(NETWORK.licence);
            if !installed {
                output::line("`lockgate names install` fetches it");
            }
            Ok(())
        }
        NamesCommand::Notices => {
            output::line(NOTICES.trim_end());
            Ok(())
        }
    }
}

fn fetch(global: &Global) -> Result<Content> {
    output::say(global, &format!("fetching {}", NETWORK.uri));
    let setup = environment::setup()?;
    let fetcher = Fetcher {
        base: ".".into(),
        spool: std::env::temp_dir(),
        s3: setup.environment.s3.clone(),
        runtime: setup.runtime.handle().clone(),
    };
    fetcher.open(NETWORK.uri, None)
}

/// The engine with what finds people, organizations, places and addresses.
pub fn add(global: &Global, how: LookingFor, engine: Engine) -> Result<Engine> {
    let networks = environment::networks();
    let looking = match how {
        LookingFor::Off => Looking::Off,
        LookingFor::Lists => Looking::Lists,
        LookingFor::Network => Looking::Network,
        LookingFor::Auto if NETWORK.is_installed(&networks) => Looking::Network,
        LookingFor::Auto => Looking::Lists,
    };
    let engine = names::add(engine, looking, &networks)?;
    if how == LookingFor::Auto && looking == Looking::Lists && engine.finds_names() {
        output::say(global, "names are looked for by lists alone; `lockgate names install` finds more");
    }
    Ok(engine)
}
