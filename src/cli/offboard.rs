use std::path::{Path, PathBuf};

use super::failure::{Exit, Failure};
use super::{Context, WriteOptions, planning, write};
use crate::aws::Access;
use crate::plan::Rollout;
use crate::plan::intent::Leaver;

/// Drain and remove tenants, and nothing else
///
/// A name is looked for in every tier that has a spec in tiers/. The tenant's logs stay, and so does its spec: delete
/// the file, or the next onboarding brings the tenant back.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names of tenants, or files and folders of their specs
    #[arg(required = true, value_name = "TENANT|PATH")]
    tenants: Vec<String>,
    /// Tier of the tenants, where a name lives in several
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    #[command(flatten)]
    options: WriteOptions,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let (paths, names): (Vec<&String>, Vec<&String>) = arguments.tenants.iter().partition(|word| is_path(context, word));
    let mut paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let by_path = !paths.is_empty();
    // A tenant that is only named can be of any tier that has a spec here.
    if !names.is_empty() && (paths.is_empty() || context.current_folder.join("tiers").is_dir()) {
        paths.push(context.tiers_folder()?);
    }
    let specs = context.specs(&paths, false)?;
    let protected = protected(context);
    let named = names.iter().map(|name| {
        let is_this = |(tier, tenant): &(String, String)| tenant == *name && arguments.tier.as_ref().is_none_or(|wanted| wanted == tier);
        Leaver { tier: arguments.tier.clone(), tenant: name.to_string(), is_protected: protected.iter().any(is_this) }
    });
    let mut leavers: Vec<Leaver> = named.collect();
    if by_path {
        let specified = specs.tenants.iter().map(|tenant| &tenant.spec);
        let specified = specified.filter(|tenant| arguments.tier.as_ref().is_none_or(|wanted| *wanted == *tenant.tier));
        leavers.extend(specified.map(|tenant| Leaver {
            tier: Some(tenant.tier.to_string()),
            tenant: tenant.tenant.to_string(),
            is_protected: tenant.protect,
        }));
    }
    if leavers.is_empty() {
        return Err(Failure::usage("there is no tenant in what was named", "name tenants, or the files of their specs"));
    }
    let tiers: Vec<_> = specs
        .tiers
        .iter()
        .map(|tier| &tier.spec)
        .filter(|tier| leavers.iter().any(|leaver| leaver.tier.as_ref().is_none_or(|wanted| *wanted == *tier.tier)))
        .collect();
    if tiers.is_empty() {
        let tier = arguments.tier.as_deref().unwrap_or("of the tenant");
        return Err(Failure::usage(format!("there is no spec of the tier {tier} here"), "name the tenant's file, or another --tier"));
    }
    let planning = async || planning::plan_offboarding(context, &tiers, &leavers, Access::Write).await;
    let planned = planning().await?;
    let absent = leavers.iter().filter(|leaver| !planned.plan.changes.iter().any(|change| leaver.is_at(&change.scope)));
    // Where a cell could not be read, nobody knows.
    for leaver in absent.filter(|_| planned.plan.unread.is_empty() && !context.terminal.format.is_for_programs()) {
        context.terminal.say(&format!("{} lives nowhere in these tiers: nothing to do for it", leaver.tenant));
    }
    write::carry_out_planned(context, planned, planning, &arguments.options, Rollout::default()).await
}

/// Tier and name of the tenants in `tenants/` that are protected. What is wrong with other specs there is no matter here.
fn protected(context: &Context) -> Vec<(String, String)> {
    let specs = context.tenants_here();
    if specs.findings.has_errors() {
        context.terminal.note("Some specs in tenants/ have errors, and may not count as protected: `tierctl validate` shows them");
    }
    let tenants = specs.tenants.iter().map(|tenant| &tenant.spec).filter(|tenant| tenant.protect);
    tenants.map(|tenant| (tenant.tier.to_string(), tenant.tenant.to_string())).collect()
}

/// A file or folder that is there, or what can only be meant as one.
fn is_path(context: &Context, word: &str) -> bool {
    let looks_like_path = word.contains('/') || word.ends_with(".yaml") || word.ends_with(".yml");
    looks_like_path || context.current_folder.join(Path::new(word)).exists()
}
