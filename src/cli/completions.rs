use std::path::PathBuf;

use super::Context;
use super::failure::{Exit, Failure};

/// Print a script that completes tierctl's commands and flags in a shell
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "tierctl", &mut script);
    context.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Write the man pages into a folder
#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    folder: PathBuf,
}

pub(super) fn man(_context: &Context, arguments: &ManArguments) -> Result<Exit, Failure> {
    let written = std::fs::create_dir_all(&arguments.folder).and_then(|()| clap_mangen::generate_to(super::command(), &arguments.folder));
    written.map_err(|error| Failure::usage(format!("{}: {error}", arguments.folder.display()), "name a folder that can be written"))?;
    Ok(Exit::Done)
}
