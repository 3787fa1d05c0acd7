//! What a command means to do with the specs that it was given: which scopes it manages, observes or removes, what
//! should exist there, and who has to wait. Pure, so that every decision is tested without AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::estates::{Estates, TenantEstate};
use super::placement::{self, Placed, Placement, Residents, Sight};
use super::{Change, Intent, Plan, Subject, Treatment, Unread};
use crate::estate::{self, Facts, Group, infra_group, names, tenant};
use crate::resources::model::{Condition, Desired, Id, Live, Scope, TAG_PREFIX, TAG_TENANT};
use crate::resources::{Depth, Kind};
use crate::spec::Specs;
use crate::spec::model::{TenantSpec, TierSpec};
use crate::words::count;

/// What a command does with the specs that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Tier and tenants, or only one of them.
    Plan {
        tier: bool,
        tenants: bool,
        depth: Depth,
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
    pub fn manages_tier(self, given: bool) -> bool {
        match self {
            Self::Plan { tier, .. } => tier && given,
            Self::Apply | Self::Destroy { .. } => true,
            Self::Onboard { .. } | Self::Status => false,
        }
    }

    pub fn manages_tenants(self) -> bool {
        match self {
            Self::Plan { tenants, .. } => tenants,
            Self::Onboard { .. } => true,
            Self::Apply | Self::Destroy { .. } | Self::Status => false,
        }
    }

    pub fn removes_tier(self) -> bool {
        matches!(self, Self::Destroy { .. })
    }

    pub fn depth(self) -> Depth {
        match self {
            Self::Plan { depth, .. } => depth,
            _ => Depth::Standard,
        }
    }

    fn prunes(self) -> bool {
        matches!(self, Self::Onboard { prune: true })
    }
}

/// A tier to look at, and those of its tenants that have a spec.
pub struct Subjects<'a> {
    pub tier: &'a TierSpec,
    /// Whether the user named it, rather than only a tenant of it.
    pub given: bool,
    pub tenants: Vec<&'a TenantSpec>,
    /// Names of tenants that are known to have had no spec before: they are not looked for in other accounts.
    pub new_tenants: BTreeSet<&'a str>,
    /// Names of tenants that have a spec and are not meant: these are not pruned.
    pub spared: BTreeSet<&'a str>,
    /// The cells that are meant, where not all are.
    pub cells: Option<BTreeSet<String>>,
}

impl<'a> Subjects<'a> {
    /// The infra groups that are meant.
    pub fn groups(&self) -> impl Iterator<Item = Group<'a>> {
        Group::all_of(self.tier).filter(|group| self.cells.as_ref().is_none_or(|cells| cells.contains(group.cell.name.as_str())))
    }
}

/// The tiers that specs hold, each with its tenants.
pub fn subjects(specs: &Specs) -> Vec<Subjects<'_>> {
    let of = |tier: &TierSpec| specs.tenants.iter().map(|tenant| &tenant.spec).filter(|tenant| *tenant.tier == *tier.tier).collect();
    let tiers = specs.tiers.iter().map(|tier| Subjects {
        tier: &tier.spec,
        given: tier.given,
        tenants: of(&tier.spec),
        new_tenants: BTreeSet::new(),
        spared: BTreeSet::new(),
        cells: None,
    });
    // A tier that was only looked up, and whose tenants are not meant, is no subject.
    tiers.filter(|subject| subject.given || !subject.tenants.is_empty()).collect()
}

/// What a tenant has of its tier, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited {
    pub endpoints: Vec<String>,
    pub roles: Vec<String>,
    pub listener: String,
    pub log_group: String,
}

/// What is meant, as `calculate` takes it, and what was decided on the way.
#[derive(Debug, Default)]
pub struct Intended<'a> {
    pub estates: Estates<'a>,
    pub intent: Intent,
    /// What tenants have of each infra group.
    pub inherited: BTreeMap<Scope, Inherited>,
    /// Tenants that cannot go ahead, each with the reason.
    pub blocked: Vec<Change>,
    /// Tier and name of tenants that live in none of the cells that are meant, as far as their specs do not say where.
    pub elsewhere: BTreeSet<(String, String)>,
    pub warnings: Vec<String>,
}

/// Decides what to do about the subjects. `groups` are the infra groups that were read: for a few tenants not all of
/// their tier's, and not those that are `unread`.
pub fn intend<'a>(
    subjects: &[Subjects<'a>],
    groups: &[Group<'a>],
    unread: &[Unread],
    purpose: Purpose,
    live: &[Live],
    facts: &'a Facts,
) -> Intended<'a> {
    let mut intended = Intended::default();
    intended.intent.lists_tenants = purpose.manages_tenants();
    intended.intent.removes_tier = purpose.removes_tier();
    intended.intent.deletes_logs = matches!(purpose, Purpose::Destroy { delete_logs: true });
    let residents = Residents::of(live);
    for subject in subjects {
        let read: Vec<Group<'a>> = groups.iter().copied().filter(|group| group.tier.tier == subject.tier.tier).collect();
        intended.intent.named.extend(Group::all_of(subject.tier).map(|group| group.scope()));
        intended.intent.places.extend(Group::all_of(subject.tier).map(|group| (group.scope(), group.place())));
        let meant: BTreeSet<Scope> = subject.groups().map(|group| group.scope()).collect();
        for group in Group::all_of(subject.tier).filter(|group| !meant.contains(&group.scope())) {
            intended.intent.unseen.insert((group.tier.tier.to_string(), group.cell.name.to_string()));
        }
        intended.tier(subject, &read, purpose, &residents, facts);
        if purpose.removes_tier() {
            intended.what_left_the_spec(subject.tier, live);
        }
        if purpose.manages_tenants() {
            let unread = unread.iter().filter(|unread| unread.tier == *subject.tier.tier).map(|unread| unread.cell.as_str());
            let sight = Sight { meant: &meant, unread: unread.collect(), residents: &residents };
            intended.tenants(subject, purpose, &sight, facts);
        }
        if purpose.prunes() {
            intended.prune(subject, &read, &residents);
        }
    }
    intended
}

impl<'a> Intended<'a> {
    /// The infra groups of a tier, and what each should have of it.
    fn tier(&mut self, subject: &Subjects<'a>, groups: &[Group<'a>], purpose: Purpose, residents: &Residents<'_>, facts: &Facts) {
        let manages = purpose.manages_tier(subject.given);
        for group in groups {
            let cut_off = closed_ports(*group, residents);
            let treatment = match manages {
                false => Treatment::Observe,
                true if purpose.removes_tier() || group.is_retired() => Treatment::Remove,
                true if !cut_off.is_empty() => {
                    let [from, to] = *group.tier.tenants.ports;
                    let reason = format!(
                        "`tenants.ports` [{from}, {to}] leaves out ports on which tenants answer ({}). Give them other ports and onboard \
                         them first, or widen it",
                        cut_off.join(", ")
                    );
                    let scope = group.scope();
                    self.blocked.push(Change::blocked(Subject::InfraGroup, &scope, &scope.infra_group, &group.place(), reason));
                    Treatment::Observe
                }
                true => Treatment::Manage,
            };
            self.intent.scopes.insert(group.scope(), treatment);
            self.intent.protected.extend(group.is_protected().then(|| group.scope()));
        }
        for group in groups.iter().filter(|group| !group.is_retired()) {
            let part = estate::of_infra_group(*group, facts);
            self.inherited.insert(group.scope(), inherited(*group, &part));
            self.estates.add(group.scope(), part);
        }
    }

    /// A tier goes with the infra groups that have left its spec, in the cells that it still has.
    fn what_left_the_spec(&mut self, tier: &TierSpec, live: &[Live]) {
        let cells: BTreeSet<&str> = tier.cells.iter().map(|cell| cell.name.as_str()).collect();
        let owned = live.iter().filter_map(Live::owner).map(|key| key.scope.without_tenant());
        let of_tier = owned.filter(|scope| scope.tier == *tier.tier && cells.contains(scope.cell.as_str()));
        self.intent.scopes.extend(of_tier.map(|scope| (scope, Treatment::Remove)));
    }

    fn tenants(&mut self, subject: &Subjects<'a>, purpose: Purpose, sight: &Sight<'_>, facts: &'a Facts) {
        let Placement { placed, blocked, elsewhere } = placement::place(subject.tier, &subject.tenants, sight, facts);
        self.blocked.extend(blocked);
        self.elsewhere.extend(elsewhere.into_iter().map(|tenant| (subject.tier.tier.to_string(), tenant)));
        let mut missing: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
        for tenant in &placed {
            let group = tenant.group.scope();
            // Where the tier is managed too, what is missing is made first.
            let missing = match purpose.manages_tier(subject.given) {
                true => &[],
                false => {
                    let find = || placement::missing(tenant.group, &self.estates.of(&group), sight.residents);
                    missing.entry(group.clone()).or_insert_with(find).as_slice()
                }
            };
            // With the tier in the same plan a new tenant comes after all that it inherits.
            let awaits_tier = purpose.manages_tier(subject.given) && tenant.is_new;
            self.tenant(tenant, missing, awaits_tier, facts);
        }
        // A tenant that cannot be placed still has a spec: what it has, wherever it is, is not unclaimed.
        let homes: BTreeSet<&str> = placed.iter().map(|placed| placed.tenant.tenant.as_str()).collect();
        for group in Group::all_of(subject.tier) {
            let unplaced = subject.tenants.iter().filter(|tenant| !homes.contains(tenant.tenant.as_str()));
            self.intent.named.extend(unplaced.map(|tenant| group.scope().with_tenant(&tenant.tenant)));
        }
    }

    /// One tenant in its infra group, of whose tier's part this is `missing`, or which awaits all of it.
    fn tenant(&mut self, tenant: &Placed<'a>, missing: &[String], awaits_tier: bool, facts: &'a Facts) {
        let scope = tenant.scope();
        self.intent.named.insert(scope.clone());
        self.intent.protected.extend(tenant.tenant.protect.then(|| scope.clone()));
        if tenant.group.is_retired() {
            let warning = format!("{scope} is left as it is: its infra group is retired. Offboard it, or give it another placement");
            self.warnings.push(warning);
            return;
        }
        if !missing.is_empty() {
            if tenant.is_new {
                self.blocked.push(not_ready(tenant.group, &scope, missing));
                return;
            }
            self.warnings.push(format!("{scope} goes ahead, though its infra group is not whole: {}", missing.join("; ")));
        }
        self.intent.scopes.insert(scope.clone(), Treatment::Manage);
        let Placed { group, tenant, is_new } = *tenant;
        self.estates.add_tenant(scope, TenantEstate { group, tenant, facts, is_new, awaits_tier });
    }

    /// Tenants without a spec go.
    fn prune(&mut self, subject: &Subjects<'_>, groups: &[Group<'_>], residents: &Residents<'_>) {
        let specified: BTreeSet<&str> = subject.tenants.iter().map(|tenant| tenant.tenant.as_str()).collect();
        for group in groups {
            let scope = group.scope();
            let gone = residents.in_group(&scope).filter(|tenant| !specified.contains(tenant) && !subject.spared.contains(tenant));
            self.intent.scopes.extend(gone.map(|tenant| (scope.with_tenant(tenant), Treatment::Remove)));
        }
    }
}

/// Tenants of an infra group that answer on a port that the tier does not open, as `acme on 8080`.
fn closed_ports(group: Group<'_>, residents: &Residents<'_>) -> Vec<String> {
    let [from, to] = *group.tier.tenants.ports;
    let scope = group.scope();
    let here = residents.things(&scope, Kind::TargetGroup);
    here.filter_map(|item| {
        let port = item.fields.get("port")?.as_u64()?;
        (port < from.into() || port > to.into()).then(|| format!("{} on {port}", item.tags.get(TAG_TENANT).map_or("", String::as_str)))
    })
    .collect()
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

/// A tenant to offboard, of one tier or of whichever it lives in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    pub tier: Option<String>,
    pub tenant: String,
    /// Whether its spec, where it has one, says that nothing of it may be deleted.
    pub is_protected: bool,
}

impl Leaver {
    pub fn is_at(&self, scope: &Scope) -> bool {
        scope.tenant.as_deref() == Some(self.tenant.as_str()) && self.tier.as_ref().is_none_or(|tier| *tier == scope.tier)
    }
}

/// A tenant's name that does not say which tenant is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    pub tenant: String,
    pub tiers: BTreeSet<String>,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tiers: Vec<&str> = self.tiers.iter().map(String::as_str).collect();
        write!(f, "{} lives in several tiers: {}", self.tenant, tiers.join(", "))
    }
}

/// The removal of tenants, wherever in these infra groups they live; and those that cannot go, each with the reason.
pub fn offboard(groups: &[Group<'_>], leavers: &[Leaver], live: &[Live]) -> Result<(Intent, Vec<Change>), Ambiguous> {
    let named: BTreeSet<Scope> = groups.iter().map(Group::scope).collect();
    let living: BTreeSet<Scope> =
        live.iter().filter_map(Live::owner).map(|key| key.scope).filter(|scope| named.contains(&scope.without_tenant())).collect();
    let places = groups.iter().map(|group| (group.scope(), group.place())).collect();
    let mut intent = Intent { named, places, ..Intent::default() };
    let mut blocked = Vec::new();
    for leaver in leavers {
        let stripped: BTreeMap<Scope, Change> = groups.iter().filter_map(|group| stripped_cluster(*group, leaver, live)).collect();
        let is_home = |scope: &&Scope| leaver.is_at(scope) && !stripped.contains_key(*scope);
        let tiers: BTreeSet<&String> =
            living.iter().filter(|scope| leaver.is_at(scope)).chain(stripped.keys()).map(|scope| &scope.tier).collect();
        if tiers.len() > 1 {
            return Err(Ambiguous { tenant: leaver.tenant.clone(), tiers: tiers.into_iter().cloned().collect() });
        }
        intent.scopes.extend(living.iter().filter(is_home).map(|scope| (scope.clone(), Treatment::Remove)));
        intent.protected.extend(living.iter().filter(is_home).filter(|_| leaver.is_protected).cloned());
        blocked.extend(stripped.into_values());
    }
    Ok((intent, blocked))
}

/// Tenants that have no spec any more and still live, each blocked: `offboarding` is what it would take.
pub fn left_by_tenants(offboarding: &Plan) -> Vec<Change> {
    let mut homes: BTreeMap<&Scope, Vec<&Change>> = BTreeMap::new();
    for change in offboarding.changes.iter().filter(|change| change.is_tenants()) {
        homes.entry(&change.scope).or_default().push(change);
    }
    let blocked = homes.into_iter().filter_map(|(scope, things)| {
        let name = scope.tenant.as_deref()?;
        let reason = format!(
            "its spec is gone, and {} still there. If it is to go: `tierctl offboard {name} --tier {}`; if not, put its spec back",
            count(things.len(), "thing of it is", "things of it are"),
            scope.tier
        );
        Some(Change::blocked(Subject::Tenant, scope, name, &things.first()?.place, reason))
    });
    blocked.collect()
}

/// Infra groups that have left their spec without having been retired, each blocked.
pub fn left_by_groups(groups: &[Group<'_>], live: &[Live]) -> Vec<Change> {
    let blocked = groups.iter().filter_map(|group| {
        let scope = group.scope();
        let standing = live.iter().filter(|item| !matches!(item.condition, Condition::Leaving(_))).filter_map(Live::owner);
        // Logs outlive their infra group.
        let here = standing.filter(|key| key.scope.without_tenant() == scope && key.kind != Kind::LogGroup).count();
        let reason = format!(
            "it has left the spec, and {} still there. Put it back with `retired: true`, and apply that first; then it can go from the spec",
            count(here, "thing of it is", "things of it are")
        );
        (here > 0).then(|| Change::blocked(Subject::InfraGroup, &scope, &scope.infra_group, &group.place(), reason))
    });
    blocked.collect()
}

/// A leaver whose cluster has lost tags. Its service, which runs in there, would be left behind.
fn stripped_cluster(group: Group<'_>, leaver: &Leaver, live: &[Live]) -> Option<(Scope, Change)> {
    let scope = group.scope().with_tenant(&leaver.tenant);
    let name = names::cluster(group, &leaver.tenant);
    let holds_name = |item: &&Live| item.kind == Kind::Cluster && item.place == group.place() && item.name.as_deref() == Some(&name);
    let cluster = live.iter().find(holds_name).filter(|item| item.owner().is_none() && leaver.is_at(&scope))?;
    // One without any tag of ours is another team's, unless the rest of the tenant is there.
    let lives_here = live.iter().filter_map(Live::owner).any(|key| key.scope == scope);
    if !lives_here && !cluster.tags.keys().any(|key| key.starts_with(TAG_PREFIX)) {
        return None;
    }
    let wanted = tenant::cluster(&scope).tags();
    let missing = wanted.iter().filter(|(key, value)| cluster.tags.get(*key) != Some(*value));
    let missing: Vec<String> = missing.map(|(key, value)| format!("{key}={value}")).collect();
    let reason = format!(
        "cluster {name} has its name and lacks tierctl's tags, so that what runs there would be left behind. If it is this tenant's, give \
         it {} and run again; if not, rename or delete it",
        missing.join(", ")
    );
    let change = Change::blocked(Subject::Tenant, &scope, &leaver.tenant, &group.place(), reason);
    Some((scope, change))
}
