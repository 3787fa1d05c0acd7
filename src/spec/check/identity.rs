//! Things that are named twice, and different things that would get the same name in AWS.

use std::collections::HashMap;

use crate::spec::diagnostic::Findings;
use crate::spec::load::Loaded;
use crate::spec::located::Located;

use super::{Tenant, Tier, homes, infra_groups, repeated, tier_of};

pub(super) fn all(tiers: &[Tier], tenants: &[Tenant], findings: &mut Findings) {
    twice(tiers, |tier| (tier.spec.tier.as_str(), ""), |tier| &tier.spec.tier, ("tier", "duplicate-tier"), findings);
    twice(
        tenants,
        |tenant| (&tenant.spec.tenant, &tenant.spec.tier),
        |tenant| &tenant.spec.tenant,
        ("tenant", "duplicate-tenant"),
        findings,
    );
    for tier in tiers {
        for (name, first) in repeated(tier.spec.cells.iter().map(|cell| &cell.name)) {
            let finding = tier.error("duplicate", name.origin(), format!("two cells are called `{}`", **name), "give each its own name");
            findings.push(finding.related(&tier.source, first.origin(), "first here"));
        }
        for cell in &tier.spec.cells {
            for (name, first) in repeated(cell.infra_groups.iter().map(|group| &group.name)) {
                let message = format!("two infra groups of cell `{}` are called `{}`", *cell.name, **name);
                let finding = tier.error("duplicate", name.origin(), message, "give each its own name");
                findings.push(finding.related(&tier.source, first.origin(), "first here"));
            }
        }
    }
    equal_infra_groups(tiers, findings);
    equal_clusters(tiers, tenants, findings);
}

/// Specs of the same name, wherever they stand.
fn twice<'a, T>(
    specs: &'a [Loaded<T>],
    key: impl Fn(&'a Loaded<T>) -> (&'a str, &'a str),
    name: impl Fn(&'a Loaded<T>) -> &'a Located<String>,
    (what, code): (&str, &'static str),
    findings: &mut Findings,
) {
    let mut seen: HashMap<_, &Loaded<T>> = HashMap::new();
    for spec in specs {
        if let Some(first) = seen.get(&key(spec)) {
            let message = format!("the {what} `{}` is described twice", **name(spec));
            let finding = spec.error(code, name(spec).origin(), message, "keep one of the two specs, or rename one");
            findings.push(finding.related(&first.source, name(first).origin(), "first here"));
        } else {
            seen.insert(key(spec), spec);
        }
    }
}

/// Infra groups whose names joined with hyphens are equal: their tenants of one name would share a cluster's name.
fn equal_infra_groups(tiers: &[Tier], findings: &mut Findings) {
    let mut seen: HashMap<String, (&Tier, [&str; 3], &Located<String>)> = HashMap::new();
    for tier in tiers {
        for (cell, group) in infra_groups(&tier.spec) {
            let identity = [tier.spec.tier.as_str(), cell.name.as_str(), group.name.as_str()];
            let join = identity.join("-");
            match seen.get(&join) {
                Some((other, other_identity, name)) if *other_identity != identity => {
                    let message = format!(
                        "the infra groups `{}` and `{}` are both `{join}` in AWS",
                        other_identity.join("` / `"),
                        identity.join("` / `")
                    );
                    let finding = tier.error("ambiguous-name", group.name.origin(), message, "rename one tier, cell or infra group");
                    findings.push(finding.related(&other.source, name.origin(), "the same when joined"));
                }
                Some(_) => {}
                None => {
                    seen.insert(join, (tier, identity, &group.name));
                }
            }
        }
    }
}

/// Tenants whose clusters could get the same name.
fn equal_clusters(tiers: &[Tier], tenants: &[Tenant], findings: &mut Findings) {
    let mut seen: HashMap<String, (&Tenant, [&str; 4])> = HashMap::new();
    for tenant in tenants {
        let Some(tier) = tier_of(tenant, tiers) else { continue };
        for (cell, group) in homes(&tenant.spec, &tier.spec) {
            let identity = [tier.spec.tier.as_str(), cell.name.as_str(), group.name.as_str(), tenant.spec.tenant.as_str()];
            let join = identity.join("-");
            match seen.get(&join) {
                // Of one name, they clash through their infra groups, which is reported there.
                Some((other, others)) if *others != identity && others[3] != identity[3] => {
                    let message = format!("the clusters of `{}` and `{}` would both be called `{join}`", others[3], identity[3]);
                    let remedy = "rename one tenant, or place them in different infra groups";
                    let finding = tenant.error("ambiguous-name", tenant.spec.tenant.origin(), message, remedy);
                    findings.push(finding.related(&other.source, other.spec.tenant.origin(), "the same when joined"));
                    break;
                }
                Some(_) => {}
                None => {
                    seen.insert(join, (tenant, identity));
                }
            }
        }
    }
}
