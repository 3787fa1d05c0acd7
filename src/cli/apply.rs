use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::{Context, RolloutOptions, WriteOptions, plan_file, planning, write};
use crate::aws::Access;
use crate::plan::intent::{self, Purpose};

/// Make tiers real, and only tiers; or carry out a saved plan
///
/// Network, endpoints, security groups, roles, load balancer and log group, once per infra group. What the spec no
/// longer has is removed; an infra group or cell marked `retired: true` is taken down. Tenants are left alone.
///
/// With `--plan` what a saved plan says is carried out, of tiers and tenants alike, and nothing else. Where something is
/// not as the plan found it when the run begins, nothing is written; what moves after that is left alone.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files and folders of tier specs
    #[arg(required_unless_present = "plan", conflicts_with_all = ["plan", "canary", "wave", "max_failures"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Carry out the plan that `tierctl plan --out` has saved to this file
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Refuse the plan unless its file has this SHA-256
    #[arg(long, value_name = "HEX", requires = "plan", conflicts_with = "paths", value_parser = sha256)]
    plan_sha256: Option<String>,
    #[command(flatten)]
    rollout: RolloutOptions,
    #[command(flatten)]
    options: WriteOptions,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    if let Some(file) = &arguments.plan {
        let saved = plan_file::read(&context.current_folder.join(file), arguments.plan_sha256.as_deref())?;
        let planning = async || planning::plan_saved(context, &saved.plan, &saved.id, Access::Write).await;
        return write::carry_out(context, planning, &arguments.options, arguments.rollout.rollout()).await;
    }
    let specs = context.specs(&arguments.paths, false)?;
    let subjects: Vec<_> = intent::subjects(&specs).into_iter().filter(|subject| subject.given).collect();
    if subjects.is_empty() {
        return Err(Failure::usage("no tier spec was named, and `apply` makes tiers", "name one; `tierctl onboard` makes tenants"));
    }
    let planning = async || planning::plan(context, &subjects, Purpose::Apply, Access::Write).await;
    write::carry_out(context, planning, &arguments.options, arguments.rollout.rollout()).await
}

fn sha256(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| text.to_string()).ok_or_else(|| "it has 64 hexadecimal digits, as `sha256sum` prints them".into())
}
