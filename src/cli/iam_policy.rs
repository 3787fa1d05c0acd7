use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, destroy};
use crate::permissions::{self, Task};

/// Print the IAM policy that a command needs
///
/// A JSON document for the role that a cell's `assume_role` names, or for the credentials that tierctl is started with.
/// With a tier it is narrowed to that tier's names and tags, and to the networks and listeners of other teams that the
/// spec names; without one it is for every tier, in networks that tierctl makes. To carry out a saved plan of tiers and
/// tenants takes the policies for `apply` and `onboard`. Reads nothing from AWS.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What is to be allowed
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    task: Task,
    /// Name of a tier with a spec in tiers/, or the file of its spec
    #[arg(value_name = "TIER|PATH")]
    tier: Option<String>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let policy = match &arguments.tier {
        None => permissions::policy(arguments.task, None),
        Some(tier) => {
            let path = PathBuf::from(tier);
            let by_path = context.current_folder.join(&path).exists();
            let specs = context.specs(&[if by_path { path } else { context.tiers_folder()? }], false)?;
            let spec = destroy::one_tier(&specs, tier, by_path)?;
            permissions::policy(arguments.task, Some(spec))
        }
    };
    context.terminal.print_json(&policy)?;
    let length = permissions::length(&policy);
    if length > permissions::LONGEST_MANAGED {
        context.terminal.note(&format!(
            "It has {length} characters without whitespace. A managed policy may have {}: put it on its role as an inline policy, which may \
             have 10,240, or make several of its statements",
            permissions::LONGEST_MANAGED
        ));
    }
    Ok(Exit::Done)
}
