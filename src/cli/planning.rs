//! Wires the stages: specs, sessions, what exists, placement, estate, plan. Every command that looks at AWS comes
//! through here.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join_all, try_join_all};

use super::failure::Failure;
use crate::aws::{Access, AwsError, Calls, Credentials, Reader, Session, Writer};
use crate::estate::{self, Facts, Group, infra_group, names};
use crate::live;
use crate::plan::placement::{self, Placement};
use crate::plan::{self, Change, Intent, Plan, Subject, Treatment};
use crate::report::plan_text::{Inherited, PlanNotes};
use crate::resources::model::{Desired, Id, Live, Place, Scope};
use crate::resources::{Kind, ReadScope, foreign};
use crate::spec::Specs;
use crate::spec::model::{TenantSpec, TierSpec};

/// Up to this many tenants are looked up one by one; more are found faster in the listings.
const FEW_TENANTS: usize = 20;

/// What a command does with the specs that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Tier and tenants, or only one of them.
    Plan {
        tier: bool,
        tenants: bool,
    },
    /// Tiers, never tenants.
    Apply,
    /// Tenants, never tiers; and with `prune` also those of the tier that have no spec.
    Onboard {
        prune: bool,
    },
    Destroy {
        delete_logs: bool,
    },
    Status,
}

impl Purpose {
    fn manages_tier(self, given: bool) -> bool {
        match self {
            Self::Plan { tier, .. } => tier && given,
            Self::Apply | Self::Destroy { .. } => true,
            Self::Onboard { .. } | Self::Status => false,
        }
    }

    fn manages_tenants(self) -> bool {
        match self {
            Self::Plan { tenants, .. } => tenants,
            Self::Onboard { .. } => true,
            Self::Apply | Self::Destroy { .. } | Self::Status => false,
        }
    }
}

/// A tier to look at, and those of its tenants that have a spec.
pub struct Subjects<'a> {
    pub tier: &'a TierSpec,
    /// Whether the user named it, rather than only a tenant of it.
    pub given: bool,
    pub tenants: Vec<&'a TenantSpec>,
}

/// The tiers that specs hold, each with its tenants.
pub fn subjects(specs: &Specs) -> Vec<Subjects<'_>> {
    let of = |tier: &TierSpec| specs.tenants.iter().map(|tenant| &tenant.spec).filter(|tenant| *tenant.tier == *tier.tier).collect();
    let tiers = specs.tiers.iter().map(|tier| Subjects { tier: &tier.spec, given: tier.given, tenants: of(&tier.spec) });
    // A tier that was only looked up, and whose tenants are not meant, is no subject.
    tiers.filter(|subject| subject.given || !subject.tenants.is_empty()).collect()
}

/// Sessions of a run, by tier and cell.
#[derive(Default)]
pub struct Sessions {
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
pub struct Planned {
    pub plan: Plan,
    pub notes: PlanNotes,
    pub sessions: Sessions,
    pub live: Vec<Live>,
    pub facts: Facts,
}

/// Reads what the specs are about and plans what the purpose asks for.
pub async fn plan(subjects: &[Subjects<'_>], purpose: Purpose, access: Access, calls: &Calls) -> Result<Planned, Failure> {
    let targets = Targets::of(subjects, purpose);
    let sessions = Sessions::open(&targets.groups, access, calls).await?;
    let facts = live::look_up(&targets.lookups(&sessions)).await?;
    let requests = targets.requests(&sessions, &facts);
    let mut live = live::read(&requests).await?;
    let (homes, unseen) = look_elsewhere(&targets, &live, calls).await;
    live.extend(homes);
    if purpose == Purpose::Status {
        live::read_health(&sessions.by_place, &mut live).await?;
    }

    let mut notes = PlanNotes::default();
    let removes_tier = matches!(purpose, Purpose::Destroy { .. });
    let mut intent = Intent { lists_tenants: purpose.manages_tenants(), removes_tier, ..Intent::default() };
    let mut desired: Vec<Desired> = Vec::new();
    let mut blocked: Vec<Change> = Vec::new();
    let mut warnings: Vec<String> = unseen;
    for subject in subjects {
        let groups: Vec<Group<'_>> = targets.groups.iter().copied().filter(|group| group.tier.tier == subject.tier.tier).collect();
        for group in Group::all_of(subject.tier) {
            intent.named.insert(group.scope());
        }
        let manages_tier = purpose.manages_tier(subject.given);
        let mut estates: BTreeMap<Scope, Vec<Desired>> = BTreeMap::new();
        for group in &groups {
            let treatment = match (manages_tier, purpose, group.is_retired()) {
                (true, Purpose::Destroy { .. }, _) | (true, _, true) => Treatment::Remove,
                (true, _, false) => Treatment::Manage,
                (false, _, _) => Treatment::Observe,
            };
            intent.scopes.insert(group.scope(), treatment);
            intent.deletes_logs |= matches!(purpose, Purpose::Destroy { delete_logs: true });
            if !group.is_retired() {
                estates.insert(group.scope(), estate::of_infra_group(*group, &facts));
            }
            if manages_tier && let Some(listener) = group.listener().and_then(|arn| facts.listeners.get(arn)) {
                let tasks = infra_group::tasks_group(&group.scope());
                let tasks = live.iter().find(|item| item.owner().as_ref() == Some(&tasks)).map(|item| item.id.clone());
                if let Some(reader) = sessions.reader(*group) {
                    let closed = foreign::closed_paths(&reader, listener, tasks.as_deref(), *group.tier.tenants.ports).await?;
                    warnings.extend(closed.into_iter().map(|text| format!("{}: {text}", group.scope())));
                }
            }
        }
        if purpose.manages_tenants() {
            let Placement { placed, blocked: unplaced } = placement::place(subject.tier, &subject.tenants, &live, &facts);
            blocked.extend(unplaced);
            let mut named: BTreeSet<Scope> = BTreeSet::new();
            let mut refused: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
            for tenant in &placed {
                let (scope, group_scope) = (tenant.scope(), tenant.group.scope());
                named.insert(scope.clone());
                if tenant.group.is_retired() {
                    warnings
                        .push(format!("{scope} is left as it is: its infra group is retired. Offboard it, or give it another placement"));
                    continue;
                }
                let tier_part = estates.get(&group_scope).map(Vec::as_slice).unwrap_or_default();
                if !manages_tier {
                    let missing = refused.entry(group_scope.clone()).or_insert_with(|| placement::missing(tier_part, &live)).clone();
                    if !missing.is_empty() && tenant.is_new {
                        blocked.push(not_ready(tenant.group, &scope, &missing));
                        continue;
                    }
                    if !missing.is_empty() {
                        warnings.push(format!("{scope} goes ahead, though its infra group is not whole: {}", missing.join("; ")));
                    }
                }
                intent.scopes.insert(scope.clone(), Treatment::Manage);
                notes.inherited.insert(scope, inherited(tenant.group, tier_part));
                desired.extend(estate::of_tenant(tenant.group, tenant.tenant, &facts));
            }
            // A tenant that cannot be placed still has a spec: what it has, wherever it is, is not unclaimed.
            let placed: BTreeSet<&str> = placed.iter().map(|placed| placed.tenant.tenant.as_str()).collect();
            for group in Group::all_of(subject.tier) {
                let unplaced = subject.tenants.iter().filter(|tenant| !placed.contains(tenant.tenant.as_str()));
                intent.named.extend(unplaced.map(|tenant| group.scope().with_tenant(&tenant.tenant)));
            }
            intent.named.extend(named);
            if let Purpose::Onboard { prune: true } = purpose {
                let specified: BTreeSet<&str> = subject.tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
                for group in &groups {
                    let living = placement::tenants_of(&group.scope(), &live);
                    let gone = living.iter().filter(|tenant| !specified.contains(tenant.as_str()));
                    intent.scopes.extend(gone.map(|tenant| (group.scope().with_tenant(tenant), Treatment::Remove)));
                }
            }
        }
        desired.extend(estates.into_values().flatten());
    }

    let unread = plan::calculate::unread_task_definitions(&desired, &live);
    if !unread.is_empty() {
        live::read_task_definitions(&sessions.by_place, &unread, &mut live).await?;
    }
    let mut plan = plan::calculate(&desired, &live, &intent);
    plan.add(blocked, warnings);
    Ok(Planned { plan, notes, sessions, live, facts })
}

fn not_ready(group: Group<'_>, scope: &Scope, missing: &[String]) -> Change {
    let name = scope.tenant.clone().unwrap_or_default();
    let reason = format!(
        "its infra group is not pre-integrated yet: {}. Apply the tier first: `tierctl apply` with the spec of {}",
        missing.join("; "),
        scope.tier
    );
    Change::blocked(Subject::Tenant, scope, &name, &group.place(), reason)
}

fn inherited(group: Group<'_>, estate: &[Desired]) -> Inherited {
    let named = |kind| estate.iter().filter(|item| item.key.kind == kind).map(|item| item.key.name.clone()).collect();
    let listener = match infra_group::main_listener(group) {
        Id::Known(arn) => arn,
        Id::Of(key) => key.name,
    };
    Inherited { endpoints: named(Kind::VpcEndpoint), roles: named(Kind::Role), listener, log_group: names::log_group(group) }
}

/// Plans the removal of tenants, wherever in these tiers they live.
pub async fn plan_offboarding(
    tiers: &[&TierSpec],
    tenants: &[(Option<String>, String)],
    access: Access,
    calls: &Calls,
) -> Result<Planned, Failure> {
    let groups: Vec<Group<'_>> = tiers.iter().flat_map(|tier| Group::all_of(tier)).collect();
    let sessions = Sessions::open(&groups, access, calls).await?;
    let wanted: BTreeSet<Scope> = groups
        .iter()
        .flat_map(|group| {
            let of_tier = tenants.iter().filter(|(tier, _)| tier.as_ref().is_none_or(|tier| *tier == *group.tier.tier));
            of_tier.map(|(_, tenant)| group.scope().with_tenant(tenant))
        })
        .collect();
    let requests = requests(&sessions, &groups, |scope, group| {
        scope.tenants = Some(wanted.clone());
        // Their targets drain before their target group goes.
        scope.finds_address_tenants = true;
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
    let living: BTreeSet<Scope> = live.iter().filter_map(Live::owner).map(|key| key.scope).filter(|scope| wanted.contains(scope)).collect();
    for (tier, tenant) in tenants.iter().filter(|(tier, _)| tier.is_none()) {
        let homes: BTreeSet<&str> =
            living.iter().filter(|scope| scope.tenant.as_deref() == Some(tenant.as_str())).map(|scope| scope.tier.as_str()).collect();
        if homes.len() > 1 {
            let homes: Vec<&str> = homes.into_iter().collect();
            let message = format!("{tenant} lives in several tiers: {}", homes.join(", "));
            return Err(Failure::usage(message, "say which one is meant with `--tier`"));
        }
        let _ = tier;
    }
    let mut intent = Intent { named: groups.iter().map(Group::scope).collect(), ..Intent::default() };
    intent.scopes.extend(living.into_iter().map(|scope| (scope, Treatment::Remove)));
    let plan = plan::calculate(&[], &live, &intent);
    Ok(Planned { plan, notes: PlanNotes::default(), sessions, live, facts: Facts::default() })
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
        let observes_tiers = subjects.iter().all(|subject| !purpose.manages_tier(subject.given));
        let prunes = purpose == Purpose::Onboard { prune: true };
        let narrow = purpose.manages_tenants() && observes_tiers && !prunes && candidates.len() <= FEW_TENANTS;
        let groups = subjects.iter().flat_map(|subject| Group::all_of(subject.tier));
        let groups = match narrow {
            false => groups.collect(),
            true => groups.filter(|group| candidates.iter().any(|(home, _)| home.scope() == group.scope())).collect(),
        };
        Self { groups, candidates, narrow, purpose }
    }

    /// Infra groups in other places than those that are read, and the tenants with a placement that are not where they
    /// are placed and may live there instead.
    fn elsewhere(&self, live: &[Live]) -> BTreeMap<(Place, Credentials), Elsewhere<'a>> {
        let mut found: BTreeMap<(Place, Credentials), Elsewhere<'a>> = BTreeMap::new();
        if !self.narrow {
            return found;
        }
        let read: BTreeSet<Place> = self.groups.iter().map(Group::place).collect();
        let new = self.candidates.iter().filter(|(home, tenant)| {
            tenant.placement.is_some() && !placement::tenants_of(&home.scope(), live).contains(tenant.tenant.as_str())
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
            let registers_addresses =
                self.candidates.iter().any(|(home, tenant)| home.scope() == group.scope() && tenant.targets.is_some());
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
        let everywhere: BTreeSet<Scope> = self
            .candidates
            .iter()
            .flat_map(|(home, tenant)| {
                // A tenant that lives in another infra group of its cell must not be made a second time.
                let neighbours = Group::all_of(home.tier).filter(move |group| group.place() == home.place());
                neighbours.map(move |group| group.scope().with_tenant(&tenant.tenant))
            })
            .collect();
        requests(sessions, &self.groups, |scope, group| {
            if self.narrow {
                scope.tenants = Some(everywhere.clone());
                scope.infra_groups.get_or_insert_default().insert(group.scope());
                let here = everywhere.iter().filter_map(|scope| scope.tenant.as_deref());
                for neighbour in Group::all_of(group.tier).filter(|other| other.place() == group.place()) {
                    for tenant in here.clone() {
                        scope.names.entry(Kind::Cluster).or_default().insert(names::cluster(neighbour, tenant));
                    }
                    for (_, tenant) in self.candidates.iter().filter(|(_, tenant)| *tenant.tier == *neighbour.tier.tier) {
                        let name = names::target_group(neighbour, &tenant.tenant, port(tenant));
                        scope.names.entry(Kind::TargetGroup).or_default().insert(name);
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
            for (_, tenant) in self.candidates.iter().filter(|(home, _)| home.scope() == group.scope()) {
                take_tenant_names(scope, group, &tenant.tenant, port(tenant));
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
        request.scope.foreign_listeners.extend(group.listener().map(str::to_string));
        fill(&mut request.scope, *group);
    }
    requests.into_values().collect()
}

fn take_name(scope: &mut ReadScope, item: &Desired) {
    if let Some(name) = names::of(item) {
        scope.names.entry(item.key.kind).or_default().insert(name.to_string());
    }
}

/// The port that a tenant's target group has.
fn port(tenant: &TenantSpec) -> u16 {
    let port = tenant.service.as_ref().map(|service| *service.port).or(tenant.targets.as_ref().map(|targets| *targets.port));
    port.unwrap_or_default()
}

fn take_tenant_names(scope: &mut ReadScope, group: Group<'_>, tenant: &str, port: u16) {
    let cluster = names::cluster(group, tenant);
    scope.names.entry(Kind::Cluster).or_default().insert(cluster.clone());
    scope.names.entry(Kind::TaskDefinition).or_default().insert(cluster);
    scope.names.entry(Kind::TargetGroup).or_default().insert(names::target_group(group, tenant, port));
}
