//! Tenants and the tier, cell and infra group that they name.

use std::collections::BTreeMap;

use crate::spec::diagnostic::Findings;
use crate::spec::spelling;

use super::{Tenant, Tier, names, tier_of};

pub(super) fn unknown_tier(tenant: &Tenant, tiers: &[Tier], findings: &mut Findings) {
    let near = spelling::nearest(&tenant.spec.tier, tiers.iter().map(|tier| tier.spec.tier.as_str()));
    let remedy = match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => "name the tier's file as well, or put it into `tiers/` below the current folder or beside the tenant's".to_owned(),
    };
    let message = format!("there is no tier `{}`", *tenant.spec.tier);
    findings.push(tenant.error("unknown-tier", tenant.spec.tier.origin(), message, remedy));
}

pub(super) fn tenant(tenant: &Tenant, tier: &Tier, findings: &mut Findings) {
    names::cluster_name(tenant, tier, findings);
    let spec = &tier.spec;
    if spec.retired {
        let message = format!("the tier `{}` is retired", *spec.tier);
        findings.push(tenant.error(
            "retired",
            tenant.spec.tier.origin(),
            message,
            "choose another tier, or offboard the tenant and delete its spec",
        ));
        return;
    }
    let Some(placement) = &tenant.spec.placement else { return };
    let Some(cell) = spec.cells.iter().find(|cell| cell.name == placement.cell) else {
        let message = format!("the tier `{}` has no cell `{}`", *spec.tier, *placement.cell);
        let remedy = spelling::suggest(&placement.cell, spec.cells.iter().map(|cell| cell.name.as_str()));
        findings.push(tenant.error("unknown-placement", placement.cell.origin(), message, remedy));
        return;
    };
    let Some(group) = cell.infra_groups.iter().find(|group| group.name == placement.infra_group) else {
        let message = format!("the cell `{}` of the tier `{}` has no infra group `{}`", *cell.name, *spec.tier, *placement.infra_group);
        let remedy = spelling::suggest(&placement.infra_group, cell.infra_groups.iter().map(|group| group.name.as_str()));
        findings.push(tenant.error("unknown-placement", placement.infra_group.origin(), message, remedy));
        return;
    };
    let (what, named, declared) = match (cell.retired, group.retired) {
        (true, _) => ("cell", &placement.cell, &cell.name),
        (false, true) => ("infra group", &placement.infra_group, &group.name),
        (false, false) => return,
    };
    let message = format!("the {what} `{}` is retired", **named);
    let remedy = "choose one that is to stay, or leave `placement` out";
    findings.push(tenant.error("retired", named.origin(), message, remedy).related(&tier.source, declared.origin(), "retired here"));
}

/// More tenants placed in an infra group than it may hold.
pub(super) fn all(tiers: &[Tier], tenants: &[Tenant], findings: &mut Findings) {
    let mut placed: BTreeMap<(&str, &str, &str), Vec<&Tenant>> = BTreeMap::new();
    for tenant in tenants {
        if let Some(placement) = &tenant.spec.placement {
            placed.entry((&tenant.spec.tier, &placement.cell, &placement.infra_group)).or_default().push(tenant);
        }
    }
    for ((_, cell, group), tenants) in placed {
        let Some(tier) = tier_of(tenants[0], tiers) else { continue };
        let most = &tier.spec.tenants.max_per_infra_group;
        if let Some(over) = tenants.get(**most as usize)
            && let Some(placement) = &over.spec.placement
        {
            let message = format!("{} tenants are placed in infra group `{group}` of cell `{cell}`, which takes {}", tenants.len(), **most);
            let remedy = "place some elsewhere or leave their `placement` out, add an infra group, or raise `tenants.max_per_infra_group` (at most 100)";
            findings.push(over.error("infra-group-full", placement.infra_group.origin(), message, remedy));
        }
    }
}
