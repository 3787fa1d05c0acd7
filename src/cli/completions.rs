use std::path::PathBuf;

use super::Context;
use super::failure::{Exit, Failure};

/// Print a script that completes commands and flags in a shell
///
/// For bash, for example: tierctl completions bash > ~/.local/share/bash-completion/completions/tierctl
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Shell that the script is for
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "tierctl", &mut script);
    context.terminal.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Write the man pages of all commands into a folder
///
/// Then, for example: man FOLDER/tierctl-plan.1
#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    /// Folder to write into; it is made if it is not there
    folder: PathBuf,
}

pub(super) fn man(_context: &Context, arguments: &ManArguments) -> Result<Exit, Failure> {
    let written = std::fs::create_dir_all(&arguments.folder).and_then(|()| clap_mangen::generate_to(super::command(), &arguments.folder));
    written.map_err(|error| Failure::usage(format!("{}: {error}", arguments.folder.display()), "name a folder that can be written"))?;
    Ok(Exit::Done)
}
