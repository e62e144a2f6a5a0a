//! `lockgate names`: the network that finds people, organizations, places and addresses.

use lockgate_core::Result;
use lockgate_pipeline::names::{NETWORK, is_installed};
use lockgate_source::Fetcher;
use serde_json::json;

use crate::{
    cli::{Format, Global, NamesCommand},
    environment, output,
};

pub fn names(global: &Global, command: &NamesCommand) -> Result<()> {
    let networks = environment::networks();
    match command {
        NamesCommand::Install { from } => {
            let setup = environment::setup()?;
            let spool = std::env::temp_dir();
            let fetcher = Fetcher {
                base: ".".into(),
                spool,
                s3: setup.environment.s3.clone(),
                runtime: setup.runtime.handle().clone(),
            };
            let uri = from.as_ref().map_or_else(|| NETWORK.uri.to_owned(), |path| path.to_string_lossy().into_owned());
            if from.is_none() {
                output::say(global, &format!("fetching {}", NETWORK.uri));
            }
            let content = fetcher.open(&uri, None)?;
            let folder = NETWORK.unpack(content.reader(), &networks).map_err(|failure| failure.at(&uri))?;
            output::say(global, &format!("installed in {}", folder.display()));
            output::say(global, NETWORK.licence);
            Ok(())
        }
        NamesCommand::Status => {
            let installed = is_installed(&networks);
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
    }
}
