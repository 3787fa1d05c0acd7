//! Wires the stages: specs, sessions, what exists, placement, estate, plan. Every command that looks at AWS comes
//! through here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::future::{join_all, try_join_all};

use super::Context;
use super::changed_since::Changes;
use super::failure::Failure;
use crate::aws::{Access, AwsError, Calls, Credentials, Reader, Session, Writer};
use crate::estate::{self, Facts, Group, infra_group, names};
use crate::live;
use crate::plan::intent::{self, Intended, Leaver, Purpose, Subjects};
use crate::plan::placement::Residents;
use crate::plan::saved::{Resumed, SavedPlan};
use crate::plan::{self, Change, Intent, Plan, Treatment, placement};
use crate::report::plan_text::PlanNotes;
use crate::resources::model::{Desired, Live, Place, Scope};
use crate::resources::{Kind, ReadScope, foreign};
use crate::spec;
use crate::spec::model::{Placement, TenantSpec, TierSpec};
use crate::words::count;

/// Up to this many tenants are looked up by name in every infra group that may be theirs; more are found faster in the
/// listings of their tier.
const FEW_TENANTS: usize = 20;

/// Sessions of a run, by tier and cell.
#[derive(Default)]
pub(super) struct Sessions {
    by_cell: BTreeMap<(String, String), Session>,
    by_place: BTreeMap<Place, Reader>,
}

impl Sessions {
    /// Opens one session for each account, Region and role that the groups need, all at once.
    pub async fn open(groups: &[Group<'_>], access: Access, calls: &Calls) -> Result<Self, AwsError> {
        let mut wanted: BTreeMap<(Place, Credentials), Vec<(String, String)>> = BTreeMap::new();
        for group in groups {
            let cells = wanted.entry((group.place(), credentials(*group, access))).or_default();
            let cell = (group.tier.tier.to_string(), group.cell.name.to_string());
            if !cells.contains(&cell) {
                cells.push(cell);
            }
        }
        let opened = try_join_all(wanted.iter().map(|((place, credentials), cells)| async move {
            Ok::<_, AwsError>((Session::open(place, credentials, access, calls).await?, cells.clone()))
        }))
        .await?;
        let mut sessions = Self::default();
        for (session, cells) in opened {
            let reader = session.reader();
            sessions.by_place.insert(reader.place().clone(), reader);
            sessions.by_cell.extend(cells.into_iter().map(|cell| (cell, session.clone())));
        }
        Ok(sessions)
    }

    fn reader(&self, group: Group<'_>) -> Option<Reader> {
        self.by_cell.get(&(group.tier.tier.to_string(), group.cell.name.to_string())).map(Session::reader)
    }

    pub fn writers(&self) -> BTreeMap<(String, String), Writer> {
        self.by_cell.iter().filter_map(|(cell, session)| Some((cell.clone(), session.writer()?))).collect()
    }
}

fn credentials(group: Group<'_>, access: Access) -> Credentials {
    let Some(role) = &group.cell.assume_role else { return Credentials::default() };
    let arn = if access == Access::Write { &role.write } else { &role.read };
    Credentials { role: Some(arn.clone()), external_id: role.external_id.clone() }
}

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
    let purpose = Purpose::Plan { tier: saved.tier, tenants: saved.tenants };
    let planned = plan(context, &intent::subjects(&specs), purpose, access).await?;
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
    let calls = &context.calls;
    let targets = Targets::of(subjects, purpose);
    let sessions = Sessions::open(&targets.groups, access, calls).await?;
    let facts = live::look_up(&targets.lookups(&sessions)).await?;
    let requests = targets.requests(&sessions, &facts);
    let mut live = live::read(&requests).await?;
    let (homes, unseen) = look_elsewhere(&targets, &live, calls).await;
    live.extend(homes);
    live.extend(read_groups(context, moved).await?);
    let residents = Residents::of(&live);
    if targets.narrow && targets.groups.iter().any(|group| placement::places(*group, &residents, &live).free < targets.candidates.len()) {
        // It is, or may become, full: then it matters which of the other rules are tenants'.
        live::tell_tenants_rules(&sessions.by_place, &mut live).await?;
    }
    if purpose == Purpose::Status {
        live::read_health(&sessions.by_place, &mut live).await?;
    }

    let Intended { desired, mut intent, inherited, blocked, mut warnings } =
        intent::intend(subjects, &targets.groups, purpose, &live, &facts);
    if !targets.narrow {
        let others = spec::tiers_in(&context.current_folder).into_iter();
        intent.other_tiers = others.filter(|name| !subjects.iter().any(|subject| *subject.tier.tier == *name)).collect();
    }
    warnings.extend(unseen);
    warnings.extend(closed_paths(&targets, &intent, &sessions, &facts, &live).await?);
    let unread = plan::calculate::unread_task_definitions(&desired, &live);
    if !unread.is_empty() {
        live::read_task_definitions(&sessions.by_place, &unread, &mut live).await?;
    }
    let mut plan = plan::calculate(&desired, &live, &intent);
    plan.add(blocked, warnings);
    Ok(Planned { plan, notes: PlanNotes { inherited }, sessions, live, facts, requests, saved: None })
}

/// Security groups of other teams' load balancers that let nothing through to the tasks: reported, never edited.
async fn closed_paths(
    targets: &Targets<'_>,
    intent: &Intent,
    sessions: &Sessions,
    facts: &Facts,
    live: &[Live],
) -> Result<Vec<String>, AwsError> {
    let mut warnings = Vec::new();
    for group in targets.groups.iter().filter(|group| intent.of(&group.scope()) == Some(Treatment::Manage)) {
        let listener = group.listener().and_then(|arn| facts.listeners.get(arn));
        let Some((listener, reader)) = listener.zip(sessions.reader(*group)) else { continue };
        let tasks = infra_group::tasks_group(&group.scope());
        let tasks = live.iter().find(|item| item.owner().as_ref() == Some(&tasks)).map(|item| item.id.as_str());
        let closed = foreign::closed_paths(&reader, listener, tasks, *group.tier.tenants.ports).await?;
        warnings.extend(closed.into_iter().map(|text| format!("{}: {text}", group.scope())));
    }
    Ok(warnings)
}

/// Plans the removal of tenants, wherever in these tiers they live.
pub(super) async fn plan_offboarding(
    context: &Context,
    tiers: &[&TierSpec],
    leavers: &[Leaver],
    access: Access,
) -> Result<Planned, Failure> {
    let groups: Vec<Group<'_>> = tiers.iter().flat_map(|tier| Group::all_of(tier)).collect();
    let sessions = Sessions::open(&groups, access, &context.calls).await?;
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
    let live = live::read(&requests).await?;
    let (intent, blocked) = intent::offboard(&groups, leavers, &live)
        .map_err(|several| Failure::usage(several.to_string(), "say which one is meant with `--tier`"))?;
    let mut plan = plan::calculate(&[], &live, &intent);
    plan.add(blocked, Vec::new());
    Ok(Planned { plan, notes: PlanNotes::default(), sessions, live, facts: Facts::default(), requests, saved: None })
}

/// Tenants and infra groups whose specs are gone, and that are still there: each a change that is blocked.
pub(super) async fn find_departed(context: &Context, changes: &Changes, purpose: Purpose) -> Result<Vec<Change>, Failure> {
    let mut found = Vec::new();
    let tiers: Vec<&TierSpec> = changes.left_tiers.iter().collect();
    let leavers = changes.departed_tenants.iter().map(|tenant| Leaver {
        tier: Some(tenant.tier.to_string()),
        tenant: tenant.tenant.to_string(),
        is_protected: false,
    });
    let leavers: Vec<Leaver> = leavers.collect();
    if !tiers.is_empty() && purpose.manages_tenants() {
        found.extend(intent::left_by_tenants(&plan_offboarding(context, &tiers, &leavers, Access::Read).await?.plan));
    }
    let departed = if purpose.manages_tier(true) { changes.departed_groups.as_slice() } else { &[] };
    let live = read_groups(context, departed).await?;
    let groups: Vec<Group<'_>> = departed.iter().flat_map(Group::all_of).collect();
    found.extend(intent::left_by_groups(&groups, &live));
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
async fn look_elsewhere(targets: &Targets<'_>, live: &[Live], calls: &Calls) -> (Vec<Live>, Vec<String>) {
    let looks = targets.elsewhere(live).into_values().map(|Elsewhere { groups, tenants }| async move {
        let look = async {
            let sessions = Sessions::open(&groups, Access::Read, calls).await?;
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
        look.await.map_err(|error| {
            let names: BTreeSet<&str> = tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let place = groups.first().map(|group| group.place().to_string()).unwrap_or_default();
            format!("whether {names} already lives in {place} could not be looked up: {error}")
        })
    });
    let (mut homes, mut unseen) = (Vec::new(), Vec::new());
    for look in join_all(looks).await {
        match look {
            Ok(found) => homes.extend(found),
            Err(warning) => unseen.push(warning),
        }
    }
    (homes, unseen)
}

/// A place that is only looked at for what tenants have there.
#[derive(Default)]
struct Elsewhere<'a> {
    groups: Vec<Group<'a>>,
    tenants: Vec<&'a TenantSpec>,
}

/// What a command looks at: groups, tenants, and how closely.
struct Targets<'a> {
    groups: Vec<Group<'a>>,
    /// Tenant and group for every place where a tenant of the specs may live.
    candidates: Vec<(Group<'a>, &'a TenantSpec)>,
    /// The tenants of these, by infra group.
    by_group: BTreeMap<Scope, Vec<&'a TenantSpec>>,
    /// Tier and name of tenants that are known to be new.
    new_tenants: BTreeSet<(&'a str, &'a str)>,
    /// Whether only what tenants need is read.
    narrow: bool,
    purpose: Purpose,
}

impl<'a> Targets<'a> {
    fn of(subjects: &[Subjects<'a>], purpose: Purpose) -> Self {
        let mut candidates = Vec::new();
        for subject in subjects {
            for tenant in &subject.tenants {
                let at = |group: &Group<'_>| {
                    tenant.placement.as_ref().is_none_or(|p| *p.cell == *group.cell.name && *p.infra_group == *group.group.name)
                };
                candidates.extend(Group::all_of(subject.tier).filter(at).map(|group| (group, *tenant)));
            }
        }
        let mut by_group: BTreeMap<Scope, Vec<&TenantSpec>> = BTreeMap::new();
        for (group, tenant) in &candidates {
            by_group.entry(group.scope()).or_default().push(tenant);
        }
        let observes_tiers = subjects.iter().all(|subject| !purpose.manages_tier(subject.given));
        let prunes = purpose == Purpose::Onboard { prune: true };
        let narrow = purpose.manages_tenants()
            && observes_tiers
            && !prunes
            && subjects.iter().map(|subject| subject.tenants.len()).sum::<usize>() <= FEW_TENANTS;
        let groups = subjects.iter().flat_map(|subject| Group::all_of(subject.tier));
        let groups = match narrow {
            false => groups.collect(),
            true => groups.filter(|group| by_group.contains_key(&group.scope())).collect(),
        };
        let new = subjects.iter().flat_map(|subject| subject.new_tenants.iter().map(|name| (subject.tier.tier.as_str(), *name)));
        Self { groups, candidates, by_group, new_tenants: new.collect(), narrow, purpose }
    }

    /// Tenants that may live in an infra group.
    fn candidates_at(&self, group: &Scope) -> impl Iterator<Item = &'a TenantSpec> {
        self.by_group.get(group).into_iter().flatten().copied()
    }

    /// Infra groups in other places than those that are read, and the tenants with a placement that are not where they
    /// are placed and may live there instead.
    fn elsewhere(&self, live: &[Live]) -> BTreeMap<(Place, Credentials), Elsewhere<'a>> {
        let mut found: BTreeMap<(Place, Credentials), Elsewhere<'a>> = BTreeMap::new();
        if !self.narrow {
            return found;
        }
        let read: BTreeSet<Place> = self.groups.iter().map(Group::place).collect();
        let residents = Residents::of(live);
        let new = self.candidates.iter().filter(|(home, tenant)| {
            let is_known = self.new_tenants.contains(&(tenant.tier.as_str(), tenant.tenant.as_str()));
            tenant.placement.is_some() && !is_known && !residents.lives_in(&home.scope(), &tenant.tenant)
        });
        for (home, tenant) in new {
            for group in Group::all_of(home.tier).filter(|group| !read.contains(&group.place())) {
                let Elsewhere { groups, tenants } = found.entry((group.place(), credentials(group, Access::Read))).or_default();
                if !groups.iter().any(|other| other.scope() == group.scope()) {
                    groups.push(group);
                }
                if !tenants.iter().any(|other| other.tenant == tenant.tenant && other.tier == tenant.tier) {
                    tenants.push(tenant);
                }
            }
        }
        found
    }

    fn lookups(&self, sessions: &Sessions) -> Vec<live::Lookup> {
        let mut lookups: BTreeMap<Place, live::Lookup> = BTreeMap::new();
        for group in &self.groups {
            let Some(reader) = sessions.reader(*group) else { continue };
            let lookup = lookups.entry(group.place()).or_insert_with(|| live::Lookup {
                reader,
                prefix_lists: BTreeSet::new(),
                listeners: BTreeSet::new(),
                vpcs: BTreeSet::new(),
            });
            let registers_addresses = self.candidates_at(&group.scope()).any(|tenant| tenant.targets.is_some());
            if !self.narrow || registers_addresses {
                lookup.vpcs.extend(group.group.vpc.id.iter().map(|id| id.to_string()));
            }
            if !self.narrow && !matches!(self.purpose, Purpose::Status | Purpose::Destroy { .. }) && !group.is_retired() {
                let gateways = group.tier.downstreams.iter().filter(|downstream| *downstream.gateway);
                lookup.prefix_lists.extend(gateways.map(|downstream| infra_group::service_name(downstream, group.region())));
                lookup.listeners.extend(group.listener().map(str::to_string));
            }
        }
        lookups.into_values().collect()
    }

    fn requests(&self, sessions: &Sessions, facts: &Facts) -> Vec<live::Request> {
        let mut everywhere: BTreeSet<Scope> = BTreeSet::new();
        for (home, tenant) in self.candidates.iter().filter(|_| self.narrow) {
            // A tenant that lives in another infra group of its cell must not be made a second time.
            let neighbours = Group::all_of(home.tier).filter(|group| group.place() == home.place());
            everywhere.extend(neighbours.map(|group| group.scope().with_tenant(&tenant.tenant)));
        }
        requests(sessions, &self.groups, |scope, group| {
            if self.narrow {
                scope.tenants = Some(everywhere.clone());
                scope.infra_groups.get_or_insert_default().insert(group.scope());
                let here = everywhere.iter().filter_map(|scope| scope.tenant.as_deref());
                for neighbour in Group::all_of(group.tier).filter(|other| other.place() == group.place()) {
                    for tenant in here.clone() {
                        scope.take_name(Kind::Cluster, names::cluster(neighbour, tenant), &neighbour.scope().with_tenant(tenant));
                    }
                    for (_, tenant) in self.candidates.iter().filter(|(_, tenant)| *tenant.tier == *neighbour.tier.tier) {
                        let name = names::target_group(neighbour, &tenant.tenant, port(tenant));
                        scope.take_name(Kind::TargetGroup, name, &neighbour.scope().with_tenant(&tenant.tenant));
                    }
                }
            }
            match self.purpose {
                Purpose::Apply | Purpose::Destroy { .. } => {
                    scope.without.extend([Kind::Service, Kind::TaskDefinition, Kind::Targets]);
                }
                Purpose::Plan { tenants: false, .. } => scope.without.extend([Kind::Service, Kind::TaskDefinition, Kind::Targets]),
                Purpose::Plan { .. } | Purpose::Onboard { .. } | Purpose::Status => {}
            }
            // Tenants that are only looked at, or that have lost their spec.
            scope.finds_address_tenants = matches!(self.purpose, Purpose::Status | Purpose::Onboard { prune: true });
            if self.narrow {
                scope.without.extend([Kind::RouteTable, Kind::InternetGateway]);
            }
            for item in estate::of_infra_group(group, facts) {
                take_name(scope, &item);
            }
            for tenant in self.candidates_at(&group.scope()) {
                take_tenant_names(scope, group, &tenant.tenant, port(tenant));
                scope.routes.push((group.scope().with_tenant(&tenant.tenant), estate::tenant::conditions(group.tier, tenant)));
                if tenant.targets.is_some() {
                    scope.address_tenants.insert(group.scope().with_tenant(&tenant.tenant));
                }
                let tunes = |delay: bool, slow: bool, sticky: bool| delay || slow || sticky;
                scope.with_target_group_attributes |= tenant.service.as_ref().is_some_and(|service| {
                    tunes(service.deregistration_delay.is_some(), service.slow_start.is_some(), service.stickiness.is_some())
                }) || tenant.targets.as_ref().is_some_and(|targets| {
                    tunes(targets.deregistration_delay.is_some(), targets.slow_start.is_some(), targets.stickiness.is_some())
                });
            }
        })
    }
}

/// One request for each session's place, filled in group by group.
fn requests(sessions: &Sessions, groups: &[Group<'_>], mut fill: impl FnMut(&mut ReadScope, Group<'_>)) -> Vec<live::Request> {
    let mut requests: BTreeMap<(Place, Credentials), live::Request> = BTreeMap::new();
    for group in groups {
        let Some(reader) = sessions.reader(*group) else { continue };
        let request = requests
            .entry((group.place(), credentials(*group, Access::Read)))
            .or_insert_with(|| live::Request { reader, scope: ReadScope::default() });
        request.scope.tiers.insert(group.tier.tier.to_string());
        request.scope.foreign_vpcs.extend(group.group.vpc.id.iter().map(|id| id.to_string()));
        if let Some(listener) = group.listener() {
            request.scope.foreign_listeners.entry(listener.to_string()).or_default().insert(group.scope());
        }
        fill(&mut request.scope, *group);
    }
    requests.into_values().collect()
}

fn take_name(scope: &mut ReadScope, item: &Desired) {
    if let Some(name) = names::of(item) {
        scope.take_name(item.key.kind, name, &item.key.scope);
    }
}

/// The port that a tenant's target group has.
fn port(tenant: &TenantSpec) -> u16 {
    let port = tenant.service.as_ref().map(|service| *service.port).or(tenant.targets.as_ref().map(|targets| *targets.port));
    port.unwrap_or_default()
}

fn take_tenant_names(scope: &mut ReadScope, group: Group<'_>, tenant: &str, port: u16) {
    let of = group.scope().with_tenant(tenant);
    let cluster = names::cluster(group, tenant);
    scope.take_name(Kind::Cluster, cluster.clone(), &of);
    scope.take_name(Kind::TaskDefinition, cluster, &of);
    scope.take_name(Kind::TargetGroup, names::target_group(group, tenant, port), &of);
}
