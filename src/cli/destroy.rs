use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};

/// Remove a tier
///
/// All of its infra groups, with everything that has tierctl's tags in them. Refuses while tenants live in it. Log
/// groups stay unless --delete-logs is given.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of a tier with a spec in tiers/, or the file of its spec
    #[arg(value_name = "TIER|PATH")]
    tier: String,
    /// Delete the log groups too, with all that is in them
    #[arg(long)]
    delete_logs: bool,
    #[command(flatten)]
    options: WriteOptions,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let path = PathBuf::from(&arguments.tier);
    let by_path = context.current_folder.join(&path).exists();
    let specs = context.specs(&[if by_path { path } else { context.tiers_folder()? }], false)?;
    let subjects: Vec<_> =
        intent::subjects(&specs).into_iter().filter(|subject| subject.given && (by_path || *subject.tier.tier == arguments.tier)).collect();
    match subjects.as_slice() {
        [] if by_path => return Err(Failure::usage(format!("{} holds no tier", arguments.tier), "name a tier, or the file of its spec")),
        [] => {
            let known: Vec<&str> = specs.tiers.iter().map(|tier| tier.spec.tier.as_str()).collect();
            let message = format!("there is no spec of the tier {} here (there are: {})", arguments.tier, known.join(", "));
            return Err(Failure::usage(message, "name one of them, or the file of its spec"));
        }
        [_] => {}
        _ => return Err(Failure::usage("that names several tiers, and they are destroyed one at a time", "name the file of one tier")),
    }
    let planning =
        async || planning::plan(context, &subjects, Purpose::Destroy { delete_logs: arguments.delete_logs }, Access::Write).await;
    write::carry_out(context, planning, &arguments.options).await
}
