use std::collections::BTreeMap;

use super::failure::{Exit, Failure};
use super::terminal::Format;
use super::{Context, planning, write};
use crate::aws::Access;
use crate::estate::{self, Facts, Group};
use crate::plan::Unread;
use crate::plan::intent::{self, Purpose};
use crate::plan::placement::{self, Residents};
use crate::report::calls_text;
use crate::report::status::{CellStatus, InfraGroupStatus, Status, TenantStatus, TierStatus};
use crate::resources::model::{Condition, Live, Scope};
use crate::resources::{Kind, load_balancer, service};
use crate::spec::model::TierSpec;

/// Show what lives where
///
/// Cells, infra groups, the name of their load balancer, places used and free, what a new tenant would miss there, and
/// each tenant's health: whether the expected revision runs, its roll-out is complete, and its targets are healthy.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Name of a tier [default: all that have a spec in tiers/]
    tier: Option<String>,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let specs = context.specs(&[context.tiers_folder()?], false)?;
    let wanted = Context::tiers_named(&specs, arguments.tier.as_deref())?;
    let is_wanted = |tier: &TierSpec| wanted.iter().any(|wanted| wanted.tier == tier.tier);
    let subjects: Vec<_> = intent::subjects(&specs).into_iter().filter(|subject| is_wanted(subject.tier)).collect();
    let calls = &context.calls;
    let planned = planning::plan(context, &subjects, Purpose::Status, Access::Read).await?;
    let found = Found::of(&planned.live);
    let status =
        Status { tiers: subjects.iter().map(|subject| tier_status(subject.tier, &found, &planned.plan.unread, &planned.facts)).collect() };
    match context.terminal.format {
        Format::Json | Format::Ndjson => context.terminal.print_json(&status.to_json(&write::run_info(calls)))?,
        Format::Text | Format::Markdown => {
            context.terminal.print(&status.to_text(&context.terminal.paint()))?;
            if context.terminal.verbose {
                context.terminal.say(&calls_text::render(&calls.by_action(), planned.floor().as_ref(), &context.terminal.error_paint()));
            }
        }
    }
    Ok(if planned.plan.unread.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What lives, by where it is looked for.
struct Found<'a> {
    residents: Residents<'a>,
    by_scope: BTreeMap<(Scope, Kind), &'a Live>,
}

impl<'a> Found<'a> {
    fn of(live: &'a [Live]) -> Self {
        let mut by_scope = BTreeMap::new();
        for (key, item) in live.iter().filter_map(|item| Some((item.owner()?, item))) {
            by_scope.entry((key.scope, item.kind)).or_insert(item);
        }
        Self { residents: Residents::of(live), by_scope }
    }

    fn at(&self, scope: &Scope, kind: Kind) -> Option<&'a Live> {
        self.by_scope.get(&(scope.clone(), kind)).copied()
    }
}

fn tier_status(tier: &TierSpec, found: &Found<'_>, unread: &[Unread], facts: &Facts) -> TierStatus {
    let mut status = TierStatus { name: tier.tier.to_string(), cells: Vec::new() };
    for cell in &tier.cells {
        let groups: Vec<Group<'_>> = Group::all_of(tier).filter(|group| *group.cell.name == *cell.name).collect();
        let unread = unread.iter().find(|unread| unread.tier == *tier.tier && unread.cell == *cell.name);
        status.cells.push(CellStatus {
            unread: unread.map(|unread| unread.reason.clone()),
            name: cell.name.to_string(),
            account: cell.account.to_string(),
            region: groups.first().map(|group| group.region().to_string()).unwrap_or_default(),
            infra_groups: groups.into_iter().filter(|_| unread.is_none()).map(|group| group_status(group, found, facts)).collect(),
        });
    }
    status
}

fn group_status(group: Group<'_>, found: &Found<'_>, facts: &Facts) -> InfraGroupStatus {
    let scope = group.scope();
    let places = placement::places(group, &found.residents);
    let missing = placement::missing(group, &estate::of_infra_group(group, facts), &found.residents);
    let tenants = found.residents.in_group(&scope);
    InfraGroupStatus {
        name: scope.infra_group.clone(),
        capacity: places.capacity(),
        used: places.used,
        free: places.free,
        limit: places.limit,
        ready: missing.is_empty() && !group.is_retired(),
        dns_name: found.at(&scope, Kind::LoadBalancer).and_then(|own| own.text(load_balancer::DNS_NAME)).map(String::from),
        missing,
        tenants: tenants.map(|tenant| tenant_status(&scope.with_tenant(tenant), found)).collect(),
    }
}

fn tenant_status(scope: &Scope, found: &Found<'_>) -> TenantStatus {
    let find = |kind| found.at(scope, kind);
    let name = scope.tenant.clone().unwrap_or_default();
    let health = |condition: Option<&Condition>, absent: &str| match condition.map(Condition::reason) {
        Some(None) => (true, "healthy".to_string()),
        Some(Some(why)) => (false, why.to_string()),
        None => (false, absent.to_string()),
    };
    match find(Kind::Service) {
        Some(found) => {
            let (ready, health) = health(Some(&found.condition), "");
            let number = |field: &str| found.fields.get(field).and_then(serde_json::Value::as_u64).map(|count| count as usize);
            let desired = number("desired_count");
            TenantStatus { name, ready, health, desired, running: number(service::RUNNING_COUNT) }
        }
        None => {
            let has_cluster = find(Kind::Cluster).is_some();
            let targets = find(Kind::Targets);
            let absent =
                if has_cluster { "its service is not there: onboard it again" } else { "no address is registered: onboard it again" };
            let (ready, health) = health(targets.map(|targets| &targets.condition), absent);
            TenantStatus { name, ready, health, desired: None, running: None }
        }
    }
}
