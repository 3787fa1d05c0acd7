use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};
use crate::spec::Specs;
use crate::spec::model::TierSpec;

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
    let tier = one_tier(&specs, &arguments.tier, by_path)?;
    let subjects: Vec<_> = intent::subjects(&specs).into_iter().filter(|subject| subject.tier.tier == tier.tier).collect();
    let planning =
        async || planning::plan(context, &subjects, Purpose::Destroy { delete_logs: arguments.delete_logs }, Access::Write).await;
    write::carry_out(context, planning, &arguments.options).await
}

/// The tier of this name, or the only one that a path holds.
pub(super) fn one_tier<'a>(specs: &'a Specs, named: &str, by_path: bool) -> Result<&'a TierSpec, Failure> {
    let tiers = specs.tiers.iter().filter(|tier| tier.given).map(|tier| &tier.spec);
    let tiers: Vec<&TierSpec> = tiers.filter(|tier| by_path || *tier.tier == named).collect();
    match tiers.as_slice() {
        [tier] => Ok(tier),
        [] if by_path => Err(Failure::usage(format!("{named} holds no tier"), "name a tier, or the file of its spec")),
        [] => {
            let known: Vec<&str> = specs.tiers.iter().map(|tier| tier.spec.tier.as_str()).collect();
            let message = format!("there is no spec of the tier {named} here (there are: {})", known.join(", "));
            Err(Failure::usage(message, "name one of them, or the file of its spec"))
        }
        _ => Err(Failure::usage("that names several tiers, and one is taken at a time", "name the file of one tier")),
    }
}
