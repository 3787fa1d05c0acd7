use super::failure::{Exit, Failure};
use super::{Context, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::Rollout;
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
    let specs = context.one_tier(&arguments.tier)?;
    let subjects = intent::subjects(&specs);
    let planning =
        async || planning::plan(context, &subjects, Purpose::Destroy { delete_logs: arguments.delete_logs }, Access::Write).await;
    write::carry_out(context, planning, &arguments.options, Rollout::default()).await
}
