use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};

/// Make tiers real, and only tiers
///
/// Network, endpoints, security groups, roles, load balancer and log group, once per infra group. What the spec no
/// longer has is removed; an infra group or cell marked `retired: true` is taken down. Tenants are left alone.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and folders of tier specs
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    options: WriteOptions,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = context.specs(&arguments.paths, false)?;
    let subjects: Vec<_> = intent::subjects(&specs).into_iter().filter(|subject| subject.given).collect();
    if subjects.is_empty() {
        return Err(Failure::usage("no tier spec was named, and `apply` makes tiers", "name one; `tierctl onboard` makes tenants"));
    }
    let planning = async || planning::plan(context, &subjects, Purpose::Apply, Access::Write).await;
    write::carry_out(context, planning, &arguments.options).await
}
