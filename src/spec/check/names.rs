//! Names, accounts and Regions.

use crate::spec::arn;
use crate::spec::diagnostic::Findings;
use crate::spec::load::Loaded;
use crate::spec::located::Located;

use super::{Tenant, Tier, homes, infra_groups, region_of};

/// ECS: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>
pub(super) const LONGEST_CLUSTER_NAME: usize = 255;

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    let spec = &tier.spec;
    name(tier, "the tier", &spec.tier, findings);
    region(tier, &spec.region, findings);
    for cell in &spec.cells {
        name(tier, "a cell", &cell.name, findings);
        account(tier, &cell.account, findings);
        cell.region.iter().for_each(|written| region(tier, written, findings));
        assume_role(tier, cell, findings);
        for group in &cell.infra_groups {
            name(tier, "an infra group", &group.name, findings);
        }
    }
    for downstream in &spec.downstreams {
        name(tier, "a downstream", &downstream.name, findings);
    }
    for (cell, group) in infra_groups(spec) {
        let join = format!("{}-{}-{}", spec.tier, cell.name, group.name);
        // One hyphen and one character are the least that a tenant adds.
        if join.len() + 2 > LONGEST_CLUSTER_NAME {
            findings.push(tier.error(
                "name-too-long",
                group.name.origin(),
                format!("tier, cell and infra group together have {} characters, which leaves none for a tenant", join.len()),
                format!("shorten them: ECS cluster names are `<tier>-<cell>-<infra-group>-<tenant>`, at most {LONGEST_CLUSTER_NAME}"),
            ));
        }
    }
}

pub(super) fn tenant(tenant: &Tenant, findings: &mut Findings) {
    name(tenant, "the tenant", &tenant.spec.tenant, findings);
}

/// The longest cluster name that a tenant may get.
pub(super) fn cluster_name(tenant: &Tenant, tier: &Tier, findings: &mut Findings) {
    let (spec, own) = (&tier.spec, &tenant.spec.tenant);
    let joins = homes(&tenant.spec, spec).map(|(cell, group)| format!("{}-{}-{}-{own}", spec.tier, cell.name, group.name));
    if let Some(join) = joins.max_by_key(String::len)
        && join.len() > LONGEST_CLUSTER_NAME
    {
        findings.push(tenant.error(
            "name-too-long",
            own.origin(),
            format!("the tenant's ECS cluster would be called `{join}`, which has {} characters", join.len()),
            format!("shorten the tenant's name by {}: ECS takes {LONGEST_CLUSTER_NAME}", join.len() - LONGEST_CLUSTER_NAME),
        ));
    }
}

fn name<T>(file: &Loaded<T>, what: &str, name: &Located<String>, findings: &mut Findings) {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-');
    if !sound {
        findings.push(file.error(
            "bad-name",
            name.origin(),
            format!("`{}` cannot be the name of {what}", **name),
            "use lower-case letters, digits and hyphens between them: names become part of AWS names, tags and paths",
        ));
    }
}

fn account(tier: &Tier, account: &Located<String>, findings: &mut Findings) {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        findings.push(tier.error(
            "bad-account",
            account.origin(),
            format!("`{}` is not an account id", **account),
            "write all 12 digits, in quotes: \"123456789012\"",
        ));
    }
}

fn region(tier: &Tier, region: &Located<String>, findings: &mut Findings) {
    if !arn::is_region(region) {
        let zone = region.strip_suffix(|last: char| last.is_ascii_lowercase()).filter(|rest| arn::is_region(rest));
        let remedy = match zone {
            Some(region) => format!("this looks like an Availability Zone; its Region is `{region}`"),
            None => "write the Region's code, as `us-east-1`".to_owned(),
        };
        findings.push(tier.error("bad-region", region.origin(), format!("`{}` is not a Region", **region), remedy));
    }
}

fn assume_role(tier: &Tier, cell: &crate::spec::model::Cell, findings: &mut Findings) {
    let Some(roles) = &cell.assume_role else { return };
    let partition = arn::partition_of(region_of(&tier.spec, cell));
    let written = if roles.read == roles.write { vec![&roles.write] } else { vec![&roles.read, &roles.write] };
    for role in written.into_iter().filter(|role| !role.is_empty()) {
        let expected = format!("arn:{partition}:iam::{}:role/NAME", *cell.account);
        let problem = match arn::Arn::parse(role) {
            Some(parsed) if parsed.service == "iam" && parsed.resource.starts_with("role/") => {
                if parsed.account != *cell.account {
                    Some(format!("`{role}` is a role of account {}, and the cell is account {}", parsed.account, *cell.account))
                } else if parsed.partition != partition {
                    Some(format!("`{role}` is in the partition `{}`, and the cell is in `{partition}`", parsed.partition))
                } else {
                    None
                }
            }
            _ => Some(format!("`{role}` is not the ARN of a role")),
        };
        if let Some(problem) = problem {
            let finding = tier.error("bad-assume-role", roles.origin(), problem, format!("write a role of the cell's account: {expected}"));
            findings.push(finding.related(&tier.source, cell.account.origin(), "the cell's account"));
        }
    }
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    if let Some(id) = &roles.external_id
        && !((2..=1224).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte)))
    {
        findings.push(tier.error(
            "bad-assume-role",
            roles.origin(),
            format!("`{id}` cannot be an external id"),
            "use 2 to 1224 letters, digits and `_+=,.@:/-`",
        ));
    }
}
