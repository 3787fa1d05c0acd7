//! Which infra group each tenant belongs in: as its spec says, else where it lives, else the first with a place.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;
use serde_json::Value;

use super::{Change, Subject};
use crate::estate::{Facts, Group, infra_group};
use crate::resources::model::{Condition, Desired, Id, Key, Live, Scope, TAG_TENANT, TAG_TIER};
use crate::resources::{Kind, cluster, listener_rule};
use crate::spec::model::{self, TenantSpec, TierSpec};

/// Rules on a load balancer, default rules not counted. Adjustable, L-7EED9B64.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
const RULES_PER_LOAD_BALANCER: usize = 100;
/// Fixed. Same page.
const TARGET_GROUPS_PER_LOAD_BALANCER: usize = 100;
/// Adjustable, L-7E6692B2. Same page.
const TARGETS_PER_LOAD_BALANCER: usize = 1000;

/// The places of one infra group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    pub used: usize,
    pub free: usize,
    /// What limits it, in words.
    pub limit: String,
}

impl Places {
    pub fn capacity(&self) -> usize {
        self.used + self.free
    }
}

/// Which tenants have something where, gathered once from all that lives.
#[derive(Debug, Default)]
pub struct Residents<'a> {
    by_group: BTreeMap<Scope, BTreeSet<&'a str>>,
    /// By tier and name.
    by_tenant: BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<Scope>>>,
    /// All that is ours, by infra group.
    things: BTreeMap<Scope, Vec<&'a Live>>,
    /// Everybody's rules, by listener.
    rules: BTreeMap<&'a str, Vec<&'a Live>>,
}

impl<'a> Residents<'a> {
    pub fn of(live: &'a [Live]) -> Self {
        let mut residents = Self::default();
        for item in live {
            if item.kind == Kind::ListenerRule
                && let Some(listener) = item.text("listener_arn")
            {
                residents.rules.entry(listener).or_default().push(item);
            }
            let Some(Key { scope, .. }) = item.owner() else { continue };
            let group = scope.without_tenant();
            residents.things.entry(group.clone()).or_default().push(item);
            let (Some(tier), Some(tenant)) = (item.tags.get(TAG_TIER), item.tags.get(TAG_TENANT)) else { continue };
            if !matches!(item.condition, Condition::Leaving(_)) && residents.by_group.entry(group.clone()).or_default().insert(tenant) {
                residents.by_tenant.entry(tier).or_default().entry(tenant).or_default().insert(group);
            }
        }
        residents
    }

    /// What is ours of a kind in an infra group.
    pub fn things(&self, group: &Scope, kind: Kind) -> impl Iterator<Item = &'a Live> {
        self.things.get(group).into_iter().flatten().copied().filter(move |item| item.kind == kind)
    }

    /// Tenants that have something in an infra group.
    pub fn in_group(&self, group: &Scope) -> impl Iterator<Item = &str> {
        self.by_group.get(group).into_iter().flatten().copied()
    }

    /// Infra groups in which a tenant has something, those that have left the tier's spec too.
    pub fn homes(&self, tier: &str, tenant: &str) -> impl Iterator<Item = &Scope> {
        self.by_tenant.get(tier).and_then(|tenants| tenants.get(tenant)).into_iter().flatten()
    }

    pub fn lives_in(&self, group: &Scope, tenant: &str) -> bool {
        self.by_group.get(group).is_some_and(|tenants| tenants.contains(tenant))
    }
}

/// Counts the places of an infra group; `None` for what is not made yet counts as empty.
pub fn places(group: Group<'_>, residents: &Residents<'_>) -> Places {
    let scope = group.scope();
    let max = *group.tier.tenants.max_per_infra_group as usize;
    let listeners = listener_arns(group, residents);
    let rules: Vec<&Live> = listeners.iter().filter_map(|arn| residents.rules.get(arn.as_str())).flatten().copied().collect();
    // Where the tags of rules were not read, each counts as a tenant of this infra group, until it is told whose it is.
    let may_be_here = |whose: &Value| *whose == Value::Bool(true) || whose.as_str() == Some(scope.to_string().as_str());
    let unread = rules.iter().filter(|rule| rule.fields.get(listener_rule::WHOSE).is_some_and(may_be_here)).count();
    let used = residents.in_group(&scope).count() + unread;
    let forwarded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.text("target_group_arn")).collect();
    let (told, read): (Vec<&Live>, Vec<&Live>) = residents.things(&scope, Kind::Service).partition(|item| item.is_summary());
    // How many tasks a service is to have that was not looked at is not known, but how many run in its cluster.
    let told: BTreeSet<Option<&String>> = told.into_iter().map(|item| item.tags.get(TAG_TENANT)).collect();
    let clusters = residents.things(&scope, Kind::Cluster).filter(|item| told.contains(&item.tags.get(TAG_TENANT)));
    let desired = read.into_iter().filter_map(|item| item.fields.get("desired_count")?.as_u64());
    let running = clusters.filter_map(|item| item.fields.get(cluster::RUNNING_TASKS)?.as_u64());
    let targets = desired.chain(running).sum::<u64>() as usize;
    let priorities = group.group.load_balancer.priorities.as_deref().map(|[from, to]| {
        let band = listener_rule::band(*from, *to);
        let taken =
            rules.iter().filter(|rule| rule.fields.get("priority").is_some_and(|priority| listener_rule::in_band(&band, priority))).count();
        let all = (*to as usize + 1).saturating_sub(*from as usize);
        (all.saturating_sub(taken), format!("{taken} of {all} priorities from {from} to {to} are taken"))
    });
    // Of several that leave as few places, the one that says most.
    let limits = [
        (
            RULES_PER_LOAD_BALANCER.saturating_sub(rules.len()),
            format!("{} of {RULES_PER_LOAD_BALANCER} rules of the load balancer are taken", rules.len()),
        ),
        (
            TARGET_GROUPS_PER_LOAD_BALANCER.saturating_sub(forwarded.len()),
            format!("{} of {TARGET_GROUPS_PER_LOAD_BALANCER} target groups of the load balancer are taken", forwarded.len()),
        ),
        (
            TARGETS_PER_LOAD_BALANCER.saturating_sub(targets),
            format!("{targets} of {TARGETS_PER_LOAD_BALANCER} targets of the load balancer are taken"),
        ),
        (max.saturating_sub(used), format!("tenants.max_per_infra_group is {max}")),
    ];
    let (free, limit) = priorities.into_iter().chain(limits).min_by_key(|(free, _)| *free).unwrap_or_default();
    Places { used, free, limit }
}

fn listener_arns(group: Group<'_>, residents: &Residents<'_>) -> BTreeSet<String> {
    match infra_group::main_listener(group) {
        Id::Known(arn) => BTreeSet::from([arn]),
        Id::Of(key) => residents.things(&key.scope, Kind::Listener).map(|item| item.id.clone()).collect(),
    }
}

/// Where each tenant goes, and which cannot go anywhere.
#[derive(Debug, Default)]
pub struct Placement<'a> {
    pub placed: Vec<Placed<'a>>,
    pub blocked: Vec<Change>,
    /// Names of tenants without a placement that live in no infra group that is meant, while others are not.
    pub elsewhere: BTreeSet<String>,
}

/// What is seen of a tier, and how much of it.
pub struct Sight<'a> {
    /// Infra groups that are meant.
    pub meant: &'a BTreeSet<Scope>,
    /// Cells of these that could not be read.
    pub unread: BTreeSet<&'a str>,
    pub residents: &'a Residents<'a>,
}

impl Sight<'_> {
    fn is_seen(&self, group: &Group<'_>) -> bool {
        self.meant.contains(&group.scope()) && !self.unread.contains(group.cell.name.as_str())
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    pub tenant: &'a TenantSpec,
    pub group: Group<'a>,
    /// Whether nothing of it is there yet.
    pub is_new: bool,
}

impl Placed<'_> {
    pub fn scope(&self) -> Scope {
        self.group.scope().with_tenant(&self.tenant.tenant)
    }
}

/// Places the tenants of one tier, in their order; new ones take places from those after them.
pub fn place<'a>(tier: &'a TierSpec, tenants: &[&'a TenantSpec], sight: &Sight<'_>, facts: &Facts) -> Placement<'a> {
    let residents = sight.residents;
    let groups: Vec<Group<'a>> = Group::all_of(tier).collect();
    let mut free: BTreeMap<Scope, Places> = groups.iter().map(|group| (group.scope(), places(*group, residents))).collect();
    let mut result = Placement::default();
    // Those that live somewhere or say where they want to live come before those that take what is left.
    let (pinned, floating): (Vec<&&TenantSpec>, Vec<_>) =
        tenants.iter().partition(|tenant| tenant.placement.is_some() || !homes(&groups, tenant, residents).is_empty());
    for tenant in pinned.into_iter().chain(floating) {
        if let Some(unseen) = unseen(&groups, tenant, sight) {
            match unseen {
                Unseen::Other => {}
                Unseen::Perhaps => drop(result.elsewhere.insert(tenant.tenant.to_string())),
                Unseen::Unread(group, reason) => {
                    let scope = group.scope().with_tenant(&tenant.tenant);
                    result.blocked.push(Change::blocked(Subject::Tenant, &scope, &tenant.tenant, &group.place(), reason));
                }
            }
            continue;
        }
        match find(&groups, tenant, residents, facts, &mut free) {
            Ok(placed) => result.placed.push(placed),
            Err(None) => {}
            Err(Some((group, reason))) => {
                let scope = group.scope().with_tenant(&tenant.tenant);
                result.blocked.push(Change::blocked(Subject::Tenant, &scope, &tenant.tenant, &group.place(), reason));
            }
        }
    }
    result
}

/// What is not known of a tenant, since not all of its tier is seen.
enum Unseen<'a> {
    /// It is placed where nobody looks.
    Other,
    /// It may live where nobody looks.
    Perhaps,
    /// It may live in a cell that could not be read; an infra group to say it of, and the reason.
    Unread(Group<'a>, String),
}

fn unseen<'a>(groups: &[Group<'a>], tenant: &TenantSpec, sight: &Sight<'_>) -> Option<Unseen<'a>> {
    let named = tenant.placement.as_ref().and_then(|placement| groups.iter().find(|group| placed_at(placement, group)));
    if named.is_some_and(|group| !sight.is_seen(group)) {
        return Some(Unseen::Other);
    }
    if !homes(groups, tenant, sight.residents).is_empty() || groups.iter().all(|group| sight.is_seen(group)) {
        return None;
    }
    // Where it is placed it belongs. It is looked for in the other cells by name, as far as that goes.
    if named.is_some() {
        return None;
    }
    match (sight.unread.first(), groups.iter().find(|group| sight.is_seen(group))) {
        (Some(cell), Some(group)) => {
            let reason =
                format!("it may live in the cell {cell}, which could not be read: settle that first, so that it is not made twice");
            Some(Unseen::Unread(*group, reason))
        }
        _ => Some(Unseen::Perhaps),
    }
}

fn placed_at(placement: &model::Placement, group: &Group<'_>) -> bool {
    *group.cell.name == *placement.cell && *group.group.name == *placement.infra_group
}

/// In the order of the spec.
fn homes<'a>(groups: &[Group<'a>], tenant: &TenantSpec, residents: &Residents<'_>) -> Vec<Group<'a>> {
    let homes: Vec<&Scope> = residents.homes(&tenant.tier, &tenant.tenant).collect();
    let is_home = |group: &Group<'a>| homes.iter().any(|home| group.is_at(home));
    if homes.is_empty() { Vec::new() } else { groups.iter().copied().filter(is_home).collect() }
}

/// The infra group that comes nearest, and why it will not do.
type Refused<'a> = Option<(Group<'a>, String)>;

fn find<'a>(
    groups: &[Group<'a>],
    tenant: &'a TenantSpec,
    residents: &Residents<'_>,
    facts: &Facts,
    free: &mut BTreeMap<Scope, Places>,
) -> Result<Placed<'a>, Refused<'a>> {
    let homes = homes(groups, tenant, residents);
    let named = tenant.placement.as_ref().and_then(|placement| groups.iter().copied().find(|group| placed_at(placement, group)));
    let is_home = |group: &Group<'a>| homes.iter().any(|home| home.scope() == group.scope());
    if let (true, Some(first), Some(lost)) = (homes.is_empty(), named.or(groups.first().copied()), lost_home(groups, tenant, residents)) {
        let reason = format!(
            "it lives in {lost}, which has left the tier's spec. Put that infra group back, with `retired: true` if it is to go; then \
             offboard it there (`tierctl offboard {} --tier {}`), and onboard it again",
            *tenant.tenant, *tenant.tier
        );
        return Err(Some((first, reason)));
    }
    match (named, homes.as_slice()) {
        (Some(group), _) if is_home(&group) => Ok(Placed { tenant, group, is_new: false }),
        (Some(group), [home, ..]) => Err(Some((
            group,
            format!(
                "it lives in {}, and a tenant is not moved in place. Offboard it there (`tierctl offboard {} --tier {}`), then onboard \
                 it again, or set its placement back",
                home.scope(),
                *tenant.tenant,
                *tenant.tier,
            ),
        ))),
        (Some(group), []) => take(group, tenant, free).ok_or_else(|| Some((group, full(&[group], free)))),
        (None, [group]) => Ok(Placed { tenant, group: *group, is_new: false }),
        (None, [first, ..]) => {
            let places: Vec<String> = homes.iter().map(|home| home.scope().to_string()).collect();
            Err(Some((
                *first,
                format!("it lives in several infra groups ({}): say in its `placement` which one is meant", places.join(", ")),
            )))
        }
        (None, []) => {
            let open: Vec<Group<'a>> = groups.iter().copied().filter(|group| !group.is_retired()).collect();
            let fitting: Vec<Group<'a>> = open.iter().copied().filter(|group| holds_addresses(*group, tenant, facts)).collect();
            let first = fitting.first().or(open.first()).or(groups.first()).copied();
            // Validation refuses a tier without infra groups.
            let Some(first) = first else { return Err(None) };
            if open.is_empty() {
                let reason = "every infra group of its tier is retired. Add one to a cell of the tier's spec and apply it".to_string();
                return Err(Some((first, reason)));
            }
            if fitting.is_empty() {
                let reason = "no infra group's VPC holds all of its addresses: say in its `placement` where it belongs".to_string();
                return Err(Some((first, reason)));
            }
            fitting.iter().find_map(|group| take(*group, tenant, free)).ok_or_else(|| Some((first, full(&fitting, free))))
        }
    }
}

/// An infra group of the tenant's tier that has no spec any more, and in which it lives.
fn lost_home<'r>(groups: &[Group<'_>], tenant: &TenantSpec, residents: &'r Residents<'_>) -> Option<&'r Scope> {
    residents.homes(&tenant.tier, &tenant.tenant).find(|home| !groups.iter().any(|group| group.is_at(home)))
}

fn take<'a>(group: Group<'a>, tenant: &'a TenantSpec, free: &mut BTreeMap<Scope, Places>) -> Option<Placed<'a>> {
    let places = free.get_mut(&group.scope()).filter(|places| places.free > 0)?;
    places.free -= 1;
    places.used += 1;
    Some(Placed { tenant, group, is_new: true })
}

fn full(groups: &[Group<'_>], free: &BTreeMap<Scope, Places>) -> String {
    let each: Vec<String> = groups
        .iter()
        .filter_map(|group| free.get(&group.scope()).map(|places| (group, places)))
        .map(|(group, places)| format!("{}: {} of {} places used, {}", group.scope(), places.used, places.capacity(), places.limit))
        .collect();
    format!(
        "{} full ({}). Add an infra group to a cell of the tier's spec (or a cell, where the account's quotas are full) and apply it{}{}",
        if each.len() == 1 { "the infra group is" } else { "every infra group is" },
        each.join("; "),
        if each.iter().any(|text| text.contains("max_per_infra_group")) { ", or raise tenants.max_per_infra_group" } else { "" },
        if each.iter().any(|text| text.contains("priorities")) { ", or widen load_balancer.priorities" } else { "" },
    )
}

/// Whether the VPC holds every address that the tenant registers; one that registers none fits everywhere.
fn holds_addresses(group: Group<'_>, tenant: &TenantSpec, facts: &Facts) -> bool {
    let Some(targets) = &tenant.targets else { return true };
    let vpc = &group.group.vpc;
    let looked_up = vpc.id.as_ref().and_then(|id| facts.vpcs.get(id.as_str()));
    let blocks: Vec<&str> = match &vpc.cidr {
        Some(cidr) => vec![cidr.as_str()],
        None => looked_up.into_iter().flatten().map(String::as_str).collect(),
    };
    let nets: Vec<Ipv4Net> = blocks.iter().filter_map(|block| block.parse().ok()).collect();
    targets
        .addresses
        .iter()
        .all(|address| address.parse().is_ok_and(|address: std::net::Ipv4Addr| nets.iter().any(|net| net.contains(&address))))
}

/// What a tenant needs of its tier and does not find, as words for the user; empty when all is there and works.
pub fn missing(group: Group<'_>, wanted: &[Desired], residents: &Residents<'_>) -> Vec<String> {
    const NEEDED: &[Kind] =
        &[Kind::Vpc, Kind::Subnet, Kind::SecurityGroup, Kind::VpcEndpoint, Kind::Role, Kind::LogGroup, Kind::LoadBalancer, Kind::Listener];
    let stays = |item: &&Live| NEEDED.contains(&item.kind) && !matches!(item.condition, Condition::Leaving(_));
    let mut owned: BTreeMap<Key, &Live> = BTreeMap::new();
    let things = residents.things.get(&group.scope()).into_iter().flatten().copied();
    for (key, item) in things.filter(stays).filter_map(|item| Some((item.owner()?, item))) {
        // Of two with one identity the one that works.
        if item.condition == Condition::Ready || !owned.contains_key(&key) {
            owned.insert(key, item);
        }
    }
    wanted
        .iter()
        .filter(|item| NEEDED.contains(&item.key.kind))
        .filter_map(|item| {
            let what = format!("{} {}", item.key.kind, item.key.name);
            match owned.get(&item.key).map(|live| live.condition.reason()) {
                None => Some(format!("{what} does not exist")),
                Some(reason) => reason.map(|why| format!("{what} is not ready: {why}")),
            }
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::resources::model::{Place, Tags};
    use crate::spec::Specs;
    use crate::spec::load::load_texts;

    const TIER: &str = r#"
tier: high
region: us-east-1
tenants: {max_per_infra_group: 2}
cells:
  - name: one
    account: "123456789012"
    infra_groups:
      - {name: ig-1, vpc: {cidr: 10.20.0.0/16, zones: [us-east-1a, us-east-1b]}}
      - {name: ig-2, vpc: {cidr: 10.21.0.0/16, zones: [us-east-1a, us-east-1b]}}
      - {name: old, retired: true, vpc: {cidr: 10.22.0.0/16, zones: [us-east-1a, us-east-1b]}}
"#;

    fn specs(tenants: &[&str]) -> Specs {
        let texts = tenants.iter().enumerate().map(|(index, text)| (PathBuf::from(format!("{index}.yaml")), text.to_string()));
        load_texts(std::iter::once((PathBuf::from("tier.yaml"), TIER.to_string())).chain(texts))
    }

    fn floating(name: &str) -> String {
        format!("tenant: {name}\ntier: high\nservice: {{image: \"a:1\", port: 8080, cpu: 256, memory: 512}}\n")
    }

    fn pinned(name: &str, group: &str) -> String {
        format!("{}placement: {{cell: one, infra_group: {group}}}\n", floating(name))
    }

    /// A cluster, which is what shows that a tenant lives somewhere.
    fn living(tenant: &str, group: &str) -> Live {
        let key = Key::new(&Scope::infra_group("high", "one", group).with_tenant(tenant), Kind::Cluster, "cluster");
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        Live::new(Kind::Cluster, &place, format!("arn:{group}:{tenant}"), key.tags(), &Tags::new())
    }

    /// Where each tenant goes, as `name group new|there`, or why it goes nowhere.
    fn outcome(specs: &Specs, live: &[Live]) -> (Vec<String>, Vec<String>) {
        let tenants: Vec<&TenantSpec> = specs.tenants.iter().map(|tenant| &tenant.spec).collect();
        let placement = {
            let groups = Group::all_of(&specs.tiers[0].spec).map(|group| group.scope()).collect();
            let residents = Residents::of(live);
            let sight = Sight { meant: &groups, unread: BTreeSet::new(), residents: &residents };
            place(&specs.tiers[0].spec, &tenants, &sight, &Facts::default())
        };
        let placed = placement.placed.iter().map(|placed| {
            format!("{} {} {}", *placed.tenant.tenant, *placed.group.group.name, if placed.is_new { "new" } else { "there" })
        });
        let blocked = placement.blocked.iter().map(|change| format!("{}: {}", change.name, change.reason.as_deref().unwrap_or_default()));
        (placed.collect(), blocked.collect())
    }

    #[test]
    fn a_tenant_stays_where_it_lives_and_others_fill_up_in_the_order_of_the_spec() {
        let specs = specs(&[&floating("a"), &floating("b"), &floating("c"), &pinned("d", "ig-1")]);
        let (placed, blocked) = outcome(&specs, &[living("b", "ig-2")]);
        assert_eq!(placed, ["b ig-2 there", "d ig-1 new", "a ig-1 new", "c ig-2 new"]);
        assert!(blocked.is_empty(), "{blocked:?}");
    }

    #[test]
    fn a_full_infra_group_is_refused_with_the_numbers_and_what_to_add() {
        let specs = specs(&[&pinned("c", "ig-1")]);
        let (placed, blocked) = outcome(&specs, &[living("a", "ig-1"), living("b", "ig-1")]);
        assert!(placed.is_empty());
        assert!(blocked[0].contains("2 of 2 places used") && blocked[0].contains("Add an infra group"), "{blocked:?}");
    }

    #[test]
    fn a_tier_without_a_place_names_every_infra_group() {
        let tenants: Vec<String> = ["a", "b", "c", "d", "e"].map(floating).into();
        let specs = specs(&tenants.iter().map(String::as_str).collect::<Vec<_>>());
        let (placed, blocked) = outcome(&specs, &[]);
        assert_eq!(placed.len(), 4, "nobody goes into the retired one");
        assert!(
            blocked[0].starts_with("e: every infra group is full") && blocked[0].contains("ig-1") && blocked[0].contains("ig-2"),
            "{blocked:?}"
        );
    }

    #[test]
    fn a_changed_placement_is_refused_with_the_way_to_go() {
        let specs = specs(&[&pinned("a", "ig-2")]);
        let (placed, blocked) = outcome(&specs, &[living("a", "ig-1")]);
        assert!(placed.is_empty());
        assert!(blocked[0].contains("lives in high/one/ig-1") && blocked[0].contains("tierctl offboard a --tier high"), "{blocked:?}");
    }

    #[test]
    fn a_tenant_in_two_infra_groups_has_to_say_which_is_meant() {
        let twice = [living("a", "ig-1"), living("a", "ig-2")];
        let (_, blocked) = outcome(&specs(&[&floating("a")]), &twice);
        assert!(blocked[0].contains("high/one/ig-1, high/one/ig-2"), "{blocked:?}");
        let (placed, _) = outcome(&specs(&[&pinned("a", "ig-2")]), &twice);
        assert_eq!(placed, ["a ig-2 there"]);
    }

    #[test]
    fn a_tenant_whose_infra_group_left_the_spec_is_not_made_a_second_time() {
        for tenant in [floating("a"), pinned("a", "ig-1")] {
            let (placed, blocked) = outcome(&specs(&[&tenant]), &[living("a", "gone")]);
            assert!(placed.is_empty() && blocked[0].contains("it lives in high/one/gone, which has left"), "{blocked:?}");
        }
        // One that lives in the spec too is where it is.
        let (placed, _) = outcome(&specs(&[&floating("a")]), &[living("a", "gone"), living("a", "ig-2")]);
        assert_eq!(placed, ["a ig-2 there"]);
    }

    #[test]
    fn addresses_go_where_the_vpc_holds_them() {
        let fleet = |address: &str| format!("tenant: fleet\ntier: high\ntargets: {{port: 8080, addresses: [{address}]}}\n");
        let (placed, _) = outcome(&specs(&[&fleet("10.21.3.4")]), &[]);
        assert_eq!(placed, ["fleet ig-2 new"]);
        let (placed, blocked) = outcome(&specs(&[&fleet("10.99.3.4")]), &[]);
        assert!(placed.is_empty() && blocked[0].contains("say in its `placement`"), "{blocked:?}");
    }

    #[test]
    fn rules_of_others_take_places_too() {
        let specs = specs(&[&floating("a")]);
        let group = Group::all_of(&specs.tiers[0].spec).next().unwrap();
        let place = group.place();
        let listener =
            Live::new(Kind::Listener, &place, "arn:listener", Key::new(&group.scope(), Kind::Listener, "port-80").tags(), &Tags::new());
        let rule = |index: usize| {
            let fields = serde_json::json!({ "listener_arn": "arn:listener", "target_group_arn": format!("arn:tg{index}") });
            Live::new(Kind::ListenerRule, &place, format!("arn:rule{index}"), Tags::new(), &fields)
        };
        let live: Vec<Live> = std::iter::once(listener).chain((0..99).map(rule)).collect();
        let places = places(group, &Residents::of(&live));
        assert_eq!((places.used, places.free), (0, 1));
        assert!(places.limit.contains("99 of 100 rules"), "{}", places.limit);
    }
}
