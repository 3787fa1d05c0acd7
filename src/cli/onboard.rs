use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, RolloutOptions, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};
use crate::spec::Specs;

/// Make tenants real, new and changed alike
///
/// Target group, listener rule, cluster, task definition and service, or registered addresses. Nothing of the tier
/// is changed: a new tenant needs an infra group in which everything that it inherits is there and works.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and folders of tenant specs
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also offboard tenants of the named tiers that have no spec, neither in what was named nor in tenants/
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    rollout: RolloutOptions,
    #[command(flatten)]
    options: WriteOptions,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = context.specs(&arguments.paths, false)?;
    if specs.tenants.is_empty() {
        // A folder that has lost its specs must not read as "remove everybody".
        return Err(Failure::usage("no tenant spec was found in what was named", "name the tenants' files or their folder"));
    }
    // "Without a spec" has to mean more than "not in the one file that was named".
    if arguments.prune
        && let Some(file) = arguments.paths.iter().find(|path| !context.current_folder.join(path).is_dir())
    {
        return Err(Failure::usage(
            format!("--prune offboards every tenant without a spec, and {} is a single file", file.display()),
            "name the folder with all of the tier's tenants, or offboard tenants by name",
        ));
    }
    let subjects = intent::subjects(&specs);
    let mut subjects: Vec<_> = subjects.into_iter().filter(|subject| !subject.tenants.is_empty()).collect();
    let others = if arguments.prune { context.tenants_here() } else { Specs::default() };
    if others.findings.has_errors() {
        // One that cannot be read may be anybody's.
        return Err(Failure::Specs(others.findings));
    }
    for subject in &mut subjects {
        let of_tier = others.tenants.iter().map(|tenant| &tenant.spec).filter(|tenant| *tenant.tier == *subject.tier.tier);
        subject.spared = of_tier.map(|tenant| tenant.tenant.as_str()).collect();
    }
    let planning = async || planning::plan(context, &subjects, Purpose::Onboard { prune: arguments.prune }, Access::Write).await;
    write::carry_out(context, planning, &arguments.options, arguments.rollout.rollout()).await
}
