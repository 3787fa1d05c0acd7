//! Everything about specs that types cannot say and that needs no AWS, one file per subject.
//!
//! Checks speak to a person who wrote the spec: what is wrong, and what to write instead. A rule that comes from AWS
//! names the page that it is from.

mod containers;
mod downstreams;
mod fargate;
mod health;
mod identity;
mod load_balancer;
mod names;
mod network;
pub(super) mod ownership;
mod placement;
mod roles;
mod routes;
mod tags;
mod targets;
mod tenant_rules;

use std::collections::{BTreeSet, HashSet};

use super::diagnostic::Findings;
use super::load::Loaded;
use super::located::Located;
use super::model::{Cell, InfraGroup, TenantSpec, TierSpec};

type Tier = Loaded<TierSpec>;
type Tenant = Loaded<TenantSpec>;

/// `broken_tiers` are names of tiers that could not be read, which is reported elsewhere.
pub(super) fn check(tiers: &[Tier], tenants: &[Tenant], broken_tiers: &HashSet<String>, findings: &mut Findings) {
    for tier in tiers {
        names::tier(tier, findings);
        tags::tier(tier, findings);
        network::tier(tier, findings);
        downstreams::tier(tier, findings);
        roles::tier(tier, findings);
        load_balancer::tier(tier, findings);
        tenant_rules::tier(tier, findings);
    }
    for tenant in tenants {
        let tier = tier_of(tenant, tiers);
        names::tenant(tenant, findings);
        tags::tenant(tenant, tier, findings);
        containers::tenant(tenant, tier, findings);
        fargate::tenant(tenant, findings);
        health::tenant(tenant, findings);
        targets::tenant(tenant, tier, findings);
        routes::tenant(tenant, tier, findings);
        match tier {
            Some(tier) => placement::tenant(tenant, tier, findings),
            None if broken_tiers.contains(tenant.spec.tier.as_str()) => {}
            None => placement::unknown_tier(tenant, tiers, findings),
        }
    }
    identity::all(tiers, tenants, findings);
    network::all(tiers, findings);
    load_balancer::all(tiers, findings);
    placement::all(tiers, tenants, findings);
    routes::all(tiers, tenants, findings);
}

fn tier_of<'a>(tenant: &Tenant, tiers: &'a [Tier]) -> Option<&'a Tier> {
    tiers.iter().find(|tier| tier.spec.tier == tenant.spec.tier)
}

fn region_of<'a>(tier: &'a TierSpec, cell: &'a Cell) -> &'a Located<String> {
    cell.region.as_ref().unwrap_or(&tier.region)
}

/// Every infra group that is to stay, with its cell.
fn infra_groups(tier: &TierSpec) -> impl Iterator<Item = (&Cell, &InfraGroup)> {
    let cells = tier.cells.iter().filter(|cell| !cell.retired && !tier.retired);
    cells.flat_map(|cell| cell.infra_groups.iter().filter(|group| !group.retired).map(move |group| (cell, group)))
}

/// The infra groups that a tenant may come to live in.
fn homes<'a>(tenant: &'a TenantSpec, tier: &'a TierSpec) -> impl Iterator<Item = (&'a Cell, &'a InfraGroup)> {
    infra_groups(tier).filter(|(cell, group)| match &tenant.placement {
        Some(placement) => placement.cell == cell.name && placement.infra_group == group.name,
        None => true,
    })
}

/// Each item that equals an earlier one, with that earlier one.
fn repeated<T: Ord + Copy>(items: impl IntoIterator<Item = T>) -> impl Iterator<Item = (T, T)> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter_map(move |item| match seen.get(&item) {
        Some(first) => Some((item, *first)),
        None => {
            seen.insert(item);
            None
        }
    })
}
