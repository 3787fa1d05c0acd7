//! Wires the stages: specs, sessions, what exists, placement, estate, plan. Every command that looks at AWS comes
//! through here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::future::{join, join_all};

use super::Context;
use super::changed_since::Changes;
use super::failure::Failure;
use crate::aws::{Access, AwsError};
use crate::estate::{self, Facts, Group, infra_group};
use crate::live::{self, Lost};
use crate::plan::intent::{self, Intended, Leaver, Purpose, Subjects};
use crate::plan::placement::Residents;
use crate::plan::saved::{Resumed, SavedPlan};
use crate::plan::{self, Change, Estates, Intent, Plan, PlannedCell, Treatment, Unread, placement};
use crate::report::plan_text::PlanNotes;
use crate::resources::model::{Live, Place, Scope};
use crate::resources::{Kind, foreign};
use crate::spec;
use crate::spec::model::{Placement, TierSpec};
use crate::words::count;

mod sessions;
mod targets;

use sessions::{Sessions, cell_of};
use targets::{Elsewhere, Targets, port, requests, take_name, take_tenant_names};

/// What a run knows when its plan is made.
pub(super) struct Planned {
    pub plan: Plan,
    pub notes: PlanNotes,
    pub sessions: Sessions,
    pub live: Vec<Live>,
    pub facts: Facts,
    /// How to read the same again.
    pub requests: Vec<live::Request>,
    /// What tells the saved plan from others, where it is one: then each thing has to be as it was found when its turn comes.
    pub saved: Option<String>,
}

impl Planned {
    /// The fewest requests that its reads could have taken, by action; nothing where not everything was read.
    pub fn floor(&self) -> Option<BTreeMap<String, u64>> {
        live::floor(&self.requests, &self.live)
    }
}

/// Keeps of what is meant these cells, given as `cell` or `tier/cell`, if not all are meant. The others.
pub(super) fn keep_cells(subjects: &mut Vec<Subjects<'_>>, given: Option<&BTreeSet<String>>) -> BTreeSet<PlannedCell> {
    let all: BTreeSet<PlannedCell> = subjects.iter().flat_map(Subjects::groups).map(planned_cell).collect();
    for subject in subjects.iter_mut() {
        let of_tier = |cell: &String| match cell.split_once('/') {
            Some((tier, cell)) => (tier == *subject.tier.tier).then(|| cell.to_string()),
            None => Some(cell.clone()),
        };
        subject.cells = given.map(|given| given.iter().filter_map(of_tier).collect());
    }
    subjects.retain(|subject| subject.groups().next().is_some());
    let kept: BTreeSet<PlannedCell> = subjects.iter().flat_map(Subjects::groups).map(planned_cell).collect();
    all.difference(&kept).cloned().collect()
}

/// Plans again what a saved plan is about, and keeps of that what the saved plan has too.
pub(super) async fn plan_saved(context: &Context, saved: &SavedPlan, id: &str, access: Access) -> Result<Planned, Failure> {
    let texts = saved.specs.iter().map(|spec| (PathBuf::from(&spec.path), spec.text.clone(), spec.looked_up.clone()));
    let mut specs = spec::load_kept(texts);
    if specs.findings.has_errors() {
        return Err(Failure::Specs(specs.findings));
    }
    let placements: BTreeMap<(&str, &str), _> =
        saved.placements.iter().map(|home| ((home.tier.as_str(), home.tenant.as_str()), home)).collect();
    for tenant in specs.tenants.iter_mut().map(|tenant| &mut tenant.spec).filter(|tenant| tenant.placement.is_none()) {
        let home = placements.get(&(tenant.tier.as_str(), tenant.tenant.as_str()));
        tenant.placement = home.map(|home| Placement { cell: home.cell.clone().into(), infra_group: home.infra_group.clone().into() });
    }
    let purpose = Purpose::Plan { tier: saved.tier, tenants: saved.tenants, depth: saved.depth };
    let mut subjects = intent::subjects(&specs);
    keep_cells(&mut subjects, saved.cells.as_ref());
    let planned = plan(context, &subjects, purpose, access).await?;
    if let Some(unread) = planned.plan.unread.first() {
        return Err(Failure::usage(unread.reason.clone(), unread.remedy.clone()));
    }
    let Resumed { mut plan, done, left_out, is_refused } = saved.resume(planned.plan, &planned.live, id);
    if done > 0 {
        plan.warnings.push(format!(
            "{} of the plan {} carried out already",
            count(done, "change", "changes"),
            if done == 1 { "is" } else { "are" }
        ));
    }
    if left_out > 0 {
        let what = count(left_out, "change has", "changes have");
        plan.warnings.push(format!("{what} come up since the plan was made and will not be carried out: `tierctl plan` shows them"));
    }
    if is_refused {
        plan.warnings
            .push("AWS is not as the plan found it, so nothing of it is carried out: plan again, with `tierctl plan --out`".into());
    }
    Ok(Planned { plan, saved: Some(id.to_string()), ..planned })
}

/// Reads what the specs are about and plans what the purpose asks for.
pub(super) async fn plan(context: &Context, subjects: &[Subjects<'_>], purpose: Purpose, access: Access) -> Result<Planned, Failure> {
    plan_with_moved(context, subjects, &[], purpose, access).await
}

/// The same where infra groups are known to have been in another account or Region: what still stands there is read too.
pub(super) async fn plan_with_moved(
    context: &Context,
    subjects: &[Subjects<'_>],
    moved: &[TierSpec],
    purpose: Purpose,
    access: Access,
) -> Result<Planned, Failure> {
    let mut targets = Targets::of(subjects, purpose);
    let (sessions, lost) = Sessions::open_each(&targets.groups, access, &context.calls, context.read_timeout).await;
    lost.into_iter().for_each(|(cells, error)| targets.lose(&cells, error));
    let (lookups, requests) = (targets.lookups(&sessions), targets.requests(&sessions));
    let looked_up = live::look_up(&lookups, context.read_timeout);
    let ((facts, unknown), (mut live, lost)) = join(looked_up, live::read_each(&requests, context.read_timeout)).await;
    leave_out(&mut targets, &mut live, unknown.into_iter().chain(lost).collect())?;
    if purpose.removes_tier()
        && let Some(unread) = targets.unread.first()
    {
        // Tenants may live there.
        return Err(Failure::usage(unread.reason.clone(), unread.remedy.clone()));
    }
    let may_be_full = |live: &[Live]| {
        let residents = Residents::of(live);
        targets.groups.iter().any(|group| placement::places(*group, &residents).free < targets.candidates.len())
    };
    if targets.narrow && may_be_full(&live) {
        // It is, or may become, full: then it matters which of the other rules are tenants'.
        let lost = live::tell_tenants_rules(&requests, &mut live, context.read_timeout).await;
        leave_out(&mut targets, &mut live, lost)?;
    }
    if purpose == Purpose::Status {
        let lost = live::read_health(&requests, &mut live, context.read_timeout).await;
        leave_out(&mut targets, &mut live, lost)?;
    }
    let (homes, mut unseen) = look_elsewhere(context, &targets, &live).await;
    live.extend(homes);
    live.extend(read_groups(context, moved).await?);

    let mut intended = targets.intend(context, subjects, &live, &facts);
    let mut plan = plan::calculate(&intended.estates, &live, &intended.intent);
    let mut asked = BTreeSet::new();
    let closed = loop {
        let unread = plan::calculate::unread(&plan, &live, &asked);
        let (closed, lost) = match unread.is_empty() {
            true => closed_paths(context, &targets, &intended.intent, &sessions, &facts, &live).await,
            false => (Vec::new(), live::read_whole(&requests, &unread, &mut live, context.read_timeout).await),
        };
        if unread.is_empty() && lost.is_empty() {
            break closed;
        }
        asked.extend(unread);
        if !lost.is_empty() {
            leave_out(&mut targets, &mut live, lost)?;
            // Who was seen to live there must not be made elsewhere.
            let homes;
            (homes, unseen) = look_elsewhere(context, &targets, &live).await;
            live.retain(|item| !homes.iter().any(|home| home.kind == item.kind && home.id == item.id));
            live.extend(homes);
            intended = targets.intend(context, subjects, &live, &facts);
        }
        plan = plan::calculate(&intended.estates, &live, &intended.intent);
    };
    let Intended { inherited, blocked, elsewhere, mut warnings, .. } = intended;
    warnings.extend(unseen);
    warnings.extend(closed);
    plan.add(blocked, warnings);
    plan.cells = targets.groups.iter().copied().map(planned_cell).collect();
    plan.unread = targets.unread;
    plan.elsewhere = elsewhere;
    plan.depth = purpose.depth();
    Ok(Planned { plan, notes: PlanNotes { inherited }, sessions, live, facts, requests, saved: None })
}

/// Leaves out cells that could not be read whole, and what is known of them. It fails where nothing is left.
fn leave_out(targets: &mut Targets<'_>, live: &mut Vec<Live>, lost: Lost) -> Result<(), AwsError> {
    for (cells, error) in lost {
        live.retain(|item| item.owner().is_none_or(|key| !cells.contains(&(key.scope.tier, key.scope.cell))));
        targets.lose(&cells, error);
    }
    targets.nothing_read().map_or(Ok(()), Err)
}

fn planned_cell(group: Group<'_>) -> PlannedCell {
    let Place { account, region } = group.place();
    PlannedCell { tier: group.tier.tier.to_string(), cell: group.cell.name.to_string(), account, region }
}

/// Security groups of other teams' load balancers that let nothing through to the tasks: reported, never edited.
async fn closed_paths(
    context: &Context,
    targets: &Targets<'_>,
    intent: &Intent,
    sessions: &Sessions,
    facts: &Facts,
    live: &[Live],
) -> (Vec<String>, Lost) {
    let managed = targets.groups.iter().filter(|group| intent.of(&group.scope()) == Some(Treatment::Manage));
    let foreign = managed.filter_map(|group| {
        let listener = group.listener().and_then(|arn| facts.listeners.get(arn));
        listener.zip(sessions.reader(*group)).map(|(listener, reader)| (group, listener, reader))
    });
    let looks = foreign.map(|(group, listener, reader)| async move {
        let (scope, place) = (group.scope(), group.place());
        let tasks = infra_group::tasks_group(&scope);
        let tasks = live.iter().find(|item| item.owner().as_ref() == Some(&tasks)).map(|item| item.id.as_str());
        let look = foreign::closed_paths(&reader, listener, tasks, *group.tier.tenants.ports);
        let closed = live::within(context.read_timeout, &place, look).await;
        let closed = closed.map(|closed| closed.into_iter().map(|text| format!("{scope}: {text}")).collect::<Vec<_>>());
        closed.map_err(|error| (BTreeSet::from([cell_of(*group)]), error))
    });
    all_of(looks).await
}

/// What several looks at once have found, and what those that failed say.
async fn all_of<T, E>(looks: impl Iterator<Item = impl Future<Output = Result<Vec<T>, E>>>) -> (Vec<T>, Vec<E>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for look in join_all(looks).await {
        match look {
            Ok(some) => found.extend(some),
            Err(error) => failed.push(error),
        }
    }
    (found, failed)
}

/// Plans the removal of tenants, wherever in these tiers they live.
pub(super) async fn plan_offboarding(
    context: &Context,
    tiers: &[&TierSpec],
    leavers: &[Leaver],
    access: Access,
) -> Result<Planned, Failure> {
    let groups: Vec<Group<'_>> = tiers.iter().flat_map(|tier| Group::all_of(tier)).collect();
    let (sessions, mut lost) = Sessions::open_each(&groups, access, &context.calls, context.read_timeout).await;
    let homes = groups.iter().flat_map(|group| leavers.iter().map(|leaver| (leaver, group.scope().with_tenant(&leaver.tenant))));
    let wanted: BTreeSet<Scope> = homes.filter(|(leaver, scope)| leaver.is_at(scope)).map(|(_, scope)| scope).collect();
    let requests = requests(&sessions, &groups, |scope, group| {
        scope.tenants = Some(wanted.clone());
        // Their targets drain before their target group goes.
        scope.finds_address_tenants = true;
        // Without it, a rule that somebody has led elsewhere would be left behind.
        scope.tells_all_rules = true;
        let here = wanted.iter().filter(|scope| scope.without_tenant() == group.scope());
        for tenant in here.filter_map(|scope| scope.tenant.as_deref()) {
            take_tenant_names(scope, group, tenant, 0);
        }
        for item in estate::of_infra_group(group, &Facts::default()) {
            if item.key.kind == Kind::LoadBalancer {
                take_name(scope, &item);
            }
        }
        scope.without.extend([Kind::Role, Kind::LogGroup, Kind::VpcEndpoint, Kind::Subnet, Kind::RouteTable, Kind::SecurityGroup]);
        scope.without.insert(Kind::InternetGateway);
    });
    let (live, also_lost) = live::read_each(&requests, context.read_timeout).await;
    lost.extend(also_lost);
    let (groups, unread) = targets::without(groups, &lost);
    if let Some((_, error)) = lost.into_iter().next().filter(|_| groups.is_empty()) {
        return Err(error.into());
    }
    let (intent, blocked) = intent::offboard(&groups, leavers, &live)
        .map_err(|several| Failure::usage(several.to_string(), "say which one is meant with `--tier`"))?;
    let mut plan = plan::calculate(&Estates::default(), &live, &intent);
    plan.cells = groups.iter().copied().map(planned_cell).collect();
    plan.unread = unread;
    plan.add(blocked, Vec::new());
    Ok(Planned { plan, notes: PlanNotes::default(), sessions, live, facts: Facts::default(), requests, saved: None })
}

/// What specs that are gone leave behind.
#[derive(Default)]
pub(super) struct Departed {
    pub changes: Vec<Change>,
    /// Cells in which it could not be looked for.
    pub unread: Vec<Unread>,
}

/// Tenants and infra groups whose specs are gone, and that are still there: each a change that is blocked.
pub(super) async fn find_departed(context: &Context, changes: &Changes, purpose: Purpose) -> Result<Departed, Failure> {
    let mut found = Departed::default();
    let tiers: Vec<&TierSpec> = changes.left_tiers.iter().collect();
    let leavers = changes.departed_tenants.iter().map(|tenant| Leaver {
        tier: Some(tenant.tier.to_string()),
        tenant: tenant.tenant.to_string(),
        is_protected: false,
    });
    let leavers: Vec<Leaver> = leavers.collect();
    if !tiers.is_empty() && purpose.manages_tenants() {
        let planned = plan_offboarding(context, &tiers, &leavers, Access::Read).await?;
        found.changes.extend(intent::left_by_tenants(&planned.plan));
        found.unread = planned.plan.unread;
    }
    let departed = if purpose.manages_tier(true) { changes.departed_groups.as_slice() } else { &[] };
    let live = read_groups(context, departed).await?;
    let groups: Vec<Group<'_>> = departed.iter().flat_map(Group::all_of).collect();
    found.changes.extend(intent::left_by_groups(&groups, &live));
    Ok(found)
}

/// What stands in the infra groups of specs as they were.
async fn read_groups(context: &Context, tiers: &[TierSpec]) -> Result<Vec<Live>, AwsError> {
    let groups: Vec<Group<'_>> = tiers.iter().flat_map(Group::all_of).collect();
    let sessions = Sessions::open(&groups, Access::Read, &context.calls).await?;
    let requests = requests(&sessions, &groups, |scope, group| {
        scope.infra_groups.get_or_insert_default().insert(group.scope());
        scope.without.extend([Kind::TaskDefinition, Kind::Targets]);
    });
    let mut live = live::read(&requests).await?;
    live.retain(|item| item.owner().is_some_and(|key| groups.iter().any(|group| group.is_at(&key.scope.without_tenant()))));
    Ok(live)
}

/// What new tenants with a placement have in other accounts and Regions of their tier already: a tenant is not moved in
/// place. Where that cannot be looked up, who onboards here need not be allowed to look there: a warning says so.
async fn look_elsewhere(context: &Context, targets: &Targets<'_>, live: &[Live]) -> (Vec<Live>, Vec<String>) {
    let looks = targets.elsewhere(live).into_iter().map(|((place, _), Elsewhere { groups, tenants })| async move {
        let look = async {
            let sessions = Sessions::open(&groups, Access::Read, &context.calls).await?;
            let requests = requests(&sessions, &groups, |scope, group| {
                scope.infra_groups.get_or_insert_default();
                scope.without.extend(Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Cluster | Kind::TargetGroup)));
                if tenants.iter().all(|tenant| tenant.targets.is_none()) {
                    // It would have a cluster.
                    scope.without.insert(Kind::TargetGroup);
                }
                for tenant in tenants.iter().filter(|tenant| *tenant.tier == *group.tier.tier) {
                    scope.tenants.get_or_insert_default().insert(group.scope().with_tenant(&tenant.tenant));
                    take_tenant_names(scope, group, &tenant.tenant, port(tenant));
                }
            });
            live::read(&requests).await
        };
        live::within(context.read_timeout, &place, look).await.map_err(|error| {
            let names: BTreeSet<&str> = tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            format!("whether {names} already lives in {place} could not be looked up: {error}")
        })
    });
    all_of(looks).await
}
