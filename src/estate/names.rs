//! Names of AWS things: readable as far as AWS allows, and a hash where they must be short or unique.

use sha2::{Digest, Sha256};

use super::Group;
use crate::resources::Kind;
use crate::resources::model::{Desired, Scope};

/// Characters of the hash: 40 bits, so that 1,000 names in an account collide once in two million accounts.
const HASH_LENGTH: usize = 10;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>
const LOAD_BALANCER_LENGTH: usize = 32;
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
const TARGET_GROUP_LENGTH: usize = 32;
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
const ROLE_LENGTH: usize = 64;
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>
const SECURITY_GROUP_LENGTH: usize = 255;

/// The name of a thing that others can hold: the field that its kind keeps it in.
pub fn of(desired: &Desired) -> Option<&str> {
    let field = match desired.key.kind {
        Kind::SecurityGroup => "group_name",
        Kind::Role => "role_name",
        Kind::LogGroup => "log_group_name",
        Kind::LoadBalancer => "load_balancer_name",
        Kind::TargetGroup => "target_group_name",
        Kind::Cluster => "cluster_name",
        Kind::TaskDefinition => "family",
        Kind::Service => "service_name",
        _ => return None,
    };
    desired.fields.get(field)?.as_str()
}

/// The field by which a kind names what its names are unique in; nothing where that is the account or the Region.
pub fn unique_in(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::SecurityGroup => Some("vpc_id"),
        Kind::Service => Some("cluster_arn"),
        _ => None,
    }
}

/// ECS cluster and task family: `<tier>-<cell>-<infra-group>-<tenant>`.
pub fn cluster(group: Group<'_>, tenant: &str) -> String {
    cluster_of(&group.scope(), tenant)
}

/// The same for an infra group that is only known by its names.
pub fn cluster_of(infra_group: &Scope, tenant: &str) -> String {
    format!("{}-{}-{}-{tenant}", infra_group.tier, infra_group.cell, infra_group.infra_group)
}

pub fn log_group(group: Group<'_>) -> String {
    format!("/tierctl/{}/{}/{}", *group.tier.tier, *group.cell.name, *group.group.name)
}

pub fn role_path(group: Group<'_>) -> String {
    format!("{}/", log_group(group))
}

pub fn role(group: Group<'_>, name: &str) -> String {
    hashed(group, &format!("{}-{name}", joined(group)), ROLE_LENGTH, &["role", name])
}

pub fn role_arn(group: Group<'_>, name: &str) -> String {
    format!("arn:{}:iam::{}:role{}{}", group.partition(), *group.cell.account, role_path(group), role(group, name))
}

/// Unique in its VPC, so a new VPC's groups can take the names of the old one's.
pub fn security_group(group: Group<'_>, name: &str) -> String {
    hashed(group, &format!("{}-{name}", joined(group)), SECURITY_GROUP_LENGTH, &["security-group", name])
}

/// What AWS cannot change is part of the hash, so that a replacement is made before the old one goes.
pub fn load_balancer(group: Group<'_>, scheme: &str) -> String {
    hashed(group, &joined(group), LOAD_BALANCER_LENGTH, &["load-balancer", scheme, group.network()])
}

/// Starts with the tenant's name; what AWS cannot change is part of the hash.
pub fn target_group(group: Group<'_>, tenant: &str, port: u16) -> String {
    let listener = group.listener().unwrap_or_default();
    hashed(group, tenant, TARGET_GROUP_LENGTH, &["target-group", tenant, &port.to_string(), group.network(), listener])
}

fn joined(group: Group<'_>) -> String {
    format!("{}-{}-{}", *group.tier.tier, *group.cell.name, *group.group.name)
}

/// `<prefix>-<hash>` in at most `length` characters; the hash covers partition, account, Region and full identity.
fn hashed(group: Group<'_>, prefix: &str, length: usize, identity: &[&str]) -> String {
    let mut hash = Sha256::new();
    let place = [group.partition(), &group.cell.account, group.region(), &group.tier.tier, &group.cell.name, &group.group.name];
    for part in place.iter().chain(identity) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..HASH_LENGTH].to_string();
    let prefix: String = prefix.chars().take(length - HASH_LENGTH - 1).collect();
    // AWS keeps these two beginnings for itself.
    let prefix = prefix.strip_prefix("internal-").or(prefix.strip_prefix("sg-")).unwrap_or(&prefix);
    format!("{}-{hash}", prefix.trim_matches('-'))
}
