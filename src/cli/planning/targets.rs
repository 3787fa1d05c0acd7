//! What a command looks at: infra groups, tenants, and how closely.

use std::collections::{BTreeMap, BTreeSet};

use super::sessions::{Cell, Sessions, cell_of, credentials};
use crate::aws::{Access, AwsError, Credentials};
use crate::cli::Context;
use crate::estate::{self, Facts, Group, infra_group, names};
use crate::live;
use crate::plan::Unread;
use crate::plan::intent::{self, Intended, Purpose, Subjects};
use crate::plan::placement::Residents;
use crate::resources::model::{Desired, Live, Place, Scope};
use crate::resources::{Depth, Kind, ReadScope};
use crate::spec;
use crate::spec::model::TenantSpec;

/// Up to this many tenants are looked up by name in every infra group that may be theirs; more are found faster in the
/// listings of their tier.
const FEW_TENANTS: usize = 20;

/// A place that is only looked at for what tenants have there.
#[derive(Default)]
pub(super) struct Elsewhere<'a> {
    pub(super) groups: Vec<Group<'a>>,
    pub(super) tenants: Vec<&'a TenantSpec>,
}

/// What a command looks at: groups, tenants, and how closely.
pub(super) struct Targets<'a> {
    pub(super) groups: Vec<Group<'a>>,
    /// Tenant and group for every place where a tenant of the specs may live.
    pub(super) candidates: Vec<(Group<'a>, &'a TenantSpec)>,
    /// The tenants of these, by infra group.
    by_group: BTreeMap<Scope, Vec<&'a TenantSpec>>,
    /// Tier and name of tenants that are known to be new.
    new_tenants: BTreeSet<(&'a str, &'a str)>,
    /// Whether only what tenants need is read.
    pub(super) narrow: bool,
    purpose: Purpose,
    /// Whether only some of the cells are looked at.
    is_part: bool,
    /// Cells that could not be read.
    pub(super) unread: Vec<Unread>,
    first_error: Option<AwsError>,
}

impl<'a> Targets<'a> {
    pub(super) fn of(subjects: &[Subjects<'a>], purpose: Purpose) -> Self {
        let mut candidates = Vec::new();
        let is_part = subjects.iter().any(|subject| subject.cells.is_some());
        for subject in subjects {
            for tenant in &subject.tenants {
                let at = |group: &Group<'_>| {
                    tenant.placement.as_ref().is_none_or(|p| *p.cell == *group.cell.name && *p.infra_group == *group.group.name)
                };
                candidates.extend(subject.groups().filter(at).map(|group| (group, *tenant)));
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
        let groups = subjects.iter().flat_map(Subjects::groups);
        let groups = match narrow {
            false => groups.collect(),
            true => groups.filter(|group| by_group.contains_key(&group.scope())).collect(),
        };
        let new = subjects.iter().flat_map(|subject| subject.new_tenants.iter().map(|name| (subject.tier.tier.as_str(), *name)));
        let new_tenants = new.collect();
        Self { groups, candidates, by_group, new_tenants, narrow, purpose, is_part, unread: Vec::new(), first_error: None }
    }

    /// Leaves out cells that could not be read.
    pub(super) fn lose(&mut self, cells: &BTreeSet<Cell>, error: AwsError) {
        self.unread.extend(unread(&self.groups, cells, &error));
        let stays = |group: &Group<'a>| !cells.contains(&cell_of(*group));
        self.groups.retain(stays);
        self.candidates.retain(|(group, _)| stays(group));
        self.by_group.retain(|scope, _| !cells.contains(&(scope.tier.clone(), scope.cell.clone())));
        self.first_error.get_or_insert(error);
    }

    /// What the command means to do, as far as it could be read.
    pub(super) fn intend(&self, context: &Context, subjects: &[Subjects<'a>], live: &[Live], facts: &'a Facts) -> Intended<'a> {
        let mut intended = intent::intend(subjects, &self.groups, &self.unread, self.purpose, live, facts);
        if !self.narrow {
            let others = spec::tiers_in(&context.current_folder).into_iter();
            intended.intent.other_tiers = others.filter(|name| !subjects.iter().any(|subject| *subject.tier.tier == *name)).collect();
        }
        intended
    }

    /// The first failure, where nothing could be read at all. A plan of single cells is joined with those of others, to which it
    /// says just that.
    pub(super) fn nothing_read(&mut self) -> Option<AwsError> {
        let is_joined = matches!(self.purpose, Purpose::Plan { .. }) && self.is_part;
        self.first_error.take_if(|_| self.groups.is_empty() && !is_joined)
    }

    /// Tenants that may live in an infra group.
    fn candidates_at(&self, group: &Scope) -> impl Iterator<Item = &'a TenantSpec> {
        self.by_group.get(group).into_iter().flatten().copied()
    }

    /// Infra groups in other places than those that are read, and the tenants with a placement that are not where they
    /// are placed and may live there instead.
    pub(super) fn elsewhere(&self, live: &[Live]) -> BTreeMap<(Place, Credentials), Elsewhere<'a>> {
        let mut found: BTreeMap<(Place, Credentials), Elsewhere<'a>> = BTreeMap::new();
        // A read of everything sees where they live, unless cells could not be read: there each is looked for by name.
        if !self.narrow && !self.is_part && self.unread.is_empty() {
            return found;
        }
        let read: BTreeSet<Place> = self.groups.iter().map(Group::place).collect();
        let residents = Residents::of(live);
        let new = self.candidates.iter().filter(|(home, tenant)| {
            let is_known = self.new_tenants.contains(&(tenant.tier.as_str(), tenant.tenant.as_str()));
            tenant.placement.is_some() && !is_known && !residents.lives_in(&home.scope(), &tenant.tenant)
        });
        for (home, tenant) in new {
            let is_unseen = |group: &Group<'a>| match self.narrow && !self.is_part {
                true => !read.contains(&group.place()),
                false => !self.groups.iter().any(|seen| seen.scope() == group.scope()),
            };
            for group in Group::all_of(home.tier).filter(is_unseen) {
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

    pub(super) fn lookups(&self, sessions: &Sessions) -> Vec<live::Lookup> {
        let mut lookups: BTreeMap<Place, live::Lookup> = BTreeMap::new();
        for group in &self.groups {
            let Some(reader) = sessions.reader(*group) else { continue };
            let lookup = lookups.entry(group.place()).or_insert_with(|| live::Lookup {
                reader,
                cells: BTreeSet::new(),
                prefix_lists: BTreeSet::new(),
                listeners: BTreeSet::new(),
                vpcs: BTreeSet::new(),
            });
            lookup.cells.insert(cell_of(*group));
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

    pub(super) fn requests(&self, sessions: &Sessions) -> Vec<live::Request> {
        let mut everywhere: BTreeSet<Scope> = BTreeSet::new();
        for (home, tenant) in self.candidates.iter().filter(|_| self.narrow) {
            // A tenant that lives in another infra group of its cell must not be made a second time.
            let neighbours = Group::all_of(home.tier).filter(|group| group.place() == home.place());
            everywhere.extend(neighbours.map(|group| group.scope().with_tenant(&tenant.tenant)));
        }
        requests(sessions, &self.groups, |scope, group| {
            if self.narrow || self.is_part {
                scope.infra_groups.get_or_insert_default().insert(group.scope());
            }
            if self.narrow {
                scope.tenants = Some(everywhere.clone());
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
            // The list of tags is of all tenants: for few of them their services take fewer requests.
            scope.depth = if self.narrow { self.purpose.depth().max(Depth::Standard) } else { self.purpose.depth() };
            // Tenants that are only looked at, or that have lost their spec.
            scope.finds_address_tenants = matches!(self.purpose, Purpose::Status | Purpose::Onboard { prune: true });
            if self.narrow {
                scope.without.extend([Kind::RouteTable, Kind::InternetGateway]);
            }
            // Their names do not depend on what is looked up meanwhile.
            for item in estate::of_infra_group(group, &Facts::default()) {
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

fn unread(groups: &[Group<'_>], cells: &BTreeSet<Cell>, error: &AwsError) -> Vec<Unread> {
    let places: BTreeMap<Cell, Place> = groups.iter().map(|group| (cell_of(*group), group.place())).collect();
    let lost = cells.iter().filter_map(|cell| Some((cell, places.get(cell)?)));
    let unread = lost.map(|((tier, cell), place)| Unread {
        tier: tier.clone(),
        cell: cell.clone(),
        place: place.clone(),
        reason: error.to_string(),
        remedy: error.remedy(),
    });
    unread.collect()
}

/// The infra groups without those of cells that could not be read, and these.
pub(super) fn without<'a>(groups: Vec<Group<'a>>, lost: &live::Lost) -> (Vec<Group<'a>>, Vec<Unread>) {
    let found = lost.iter().flat_map(|(cells, error)| unread(&groups, cells, error)).collect();
    let is_lost = |group: &Group<'a>| lost.iter().any(|(cells, _)| cells.contains(&cell_of(*group)));
    (groups.into_iter().filter(|group| !is_lost(group)).collect(), found)
}

/// One request for each session's place, filled in group by group.
pub(super) fn requests(sessions: &Sessions, groups: &[Group<'_>], mut fill: impl FnMut(&mut ReadScope, Group<'_>)) -> Vec<live::Request> {
    let mut requests: BTreeMap<(Place, Credentials), live::Request> = BTreeMap::new();
    for group in groups {
        let Some(reader) = sessions.reader(*group) else { continue };
        let request = requests.entry((group.place(), credentials(*group, Access::Read))).or_insert_with(|| live::Request {
            reader,
            scope: ReadScope::default(),
            cells: BTreeSet::new(),
        });
        request.cells.insert(cell_of(*group));
        request.scope.tiers.insert(group.tier.tier.to_string());
        request.scope.foreign_vpcs.extend(group.group.vpc.id.iter().map(|id| id.to_string()));
        if let Some(listener) = group.listener() {
            request.scope.foreign_listeners.entry(listener.to_string()).or_default().insert(group.scope());
        }
        fill(&mut request.scope, *group);
    }
    requests.into_values().collect()
}

pub(super) fn take_name(scope: &mut ReadScope, item: &Desired) {
    if let Some(name) = names::of(item) {
        scope.take_name(item.key.kind, name, &item.key.scope);
    }
}

/// The port that a tenant's target group has.
pub(super) fn port(tenant: &TenantSpec) -> u16 {
    let port = tenant.service.as_ref().map(|service| *service.port).or(tenant.targets.as_ref().map(|targets| *targets.port));
    port.unwrap_or_default()
}

pub(super) fn take_tenant_names(scope: &mut ReadScope, group: Group<'_>, tenant: &str, port: u16) {
    let of = group.scope().with_tenant(tenant);
    let cluster = names::cluster(group, tenant);
    scope.take_name(Kind::Cluster, cluster.clone(), &of);
    scope.take_name(Kind::TaskDefinition, cluster, &of);
    scope.take_name(Kind::TargetGroup, names::target_group(group, tenant, port), &of);
}
