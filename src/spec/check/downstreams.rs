//! Endpoint services: their names, Regions and partitions, and what AWS refuses to have twice.
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::spec::arn::{is_region, partition_of};
use crate::spec::diagnostic::Findings;
use crate::spec::located::{Located, Origin};
use crate::spec::model::{Downstream, ServiceName};
use crate::spec::spelling;

use super::{Tier, infra_groups, region_of, repeated};

/// <https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html>
const LONGEST_POLICY: usize = 20_480;

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    let downstreams = &tier.spec.downstreams;
    for (name, first) in repeated(downstreams.iter().map(|downstream| &downstream.name)) {
        let finding = tier.error("duplicate", name.origin(), format!("two downstreams are called `{}`", **name), "give each its own name");
        findings.push(finding.related(&tier.source, first.origin(), "first here"));
    }
    for downstream in downstreams {
        ports(tier, downstream, findings);
        service(tier, downstream, findings);
        policy(tier, downstream, findings);
    }
    twice(tier, findings);
    quotas(tier, findings);
}

fn ports(tier: &Tier, downstream: &Downstream, findings: &mut Findings) {
    let name = &*downstream.name;
    match (&downstream.port, *downstream.gateway) {
        (None, false) => findings.push(tier.error(
            "missing-key",
            downstream.name.origin(),
            format!("the downstream `{name}` has no `port`"),
            "add the `port:` that the service listens on; both halves of the path are opened for it",
        )),
        (Some(port), true) if **port != 443 => findings.push(tier.error(
            "bad-port",
            port.origin(),
            format!("`{name}` is a gateway endpoint, which is reached on 443 alone"),
            "remove `port`",
        )),
        _ => {}
    }
    if *downstream.gateway && downstream.private_dns {
        findings.push(tier.error(
            "bad-gateway",
            downstream.gateway.origin(),
            format!("`{name}` is a gateway endpoint, which has no private DNS name"),
            "remove `private_dns`: the routes of a gateway endpoint need no DNS",
        ));
    }
}

/// A service's full name, taken apart.
struct FullName<'a> {
    /// The Region in it, if it names one.
    region: Option<&'a str>,
    china: bool,
}

/// None for an AWS service in short (`ecr.api`), which is completed per cell.
fn full_name(name: &str) -> Option<FullName<'_>> {
    let china = name.starts_with("cn.com.amazonaws.");
    let full = china || ["com.amazonaws.", "aws.api.", "aws.sagemaker.", "com.amazon."].iter().any(|prefix| name.starts_with(prefix));
    full.then(|| FullName { region: name.split('.').find(|part| is_region(part)), china })
}

fn is_sound(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    !name.is_empty() && name.len() <= 255 && name.split('.').all(part)
}

fn service(tier: &Tier, downstream: &Downstream, findings: &mut Findings) {
    let bad_name = |name: &str, origin: Origin| {
        tier.error(
            "bad-service",
            origin,
            format!("`{name}` is not the name of an endpoint service"),
            "write a full name (`com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718`), or an AWS service in short (`ecr.api`)",
        )
    };
    if let Some(region) = &downstream.service_region
        && !is_region(region)
    {
        let message = format!("`{}` is not a Region", **region);
        findings.push(tier.error("bad-region", region.origin(), message, "write the Region's code, as `us-east-1`"));
    }
    match &*downstream.service {
        ServiceName::Name(name) => {
            if is_sound(name) {
                regions(tier, downstream, findings);
            } else {
                findings.push(bad_name(name, downstream.service.origin()));
            }
            gateway(tier, downstream, name, downstream.service.origin(), findings);
        }
        ServiceName::PerRegion(names) => {
            for (region, name) in names {
                if !is_region(region) {
                    let message = format!("`{region}` is not a Region");
                    findings.push(tier.error("bad-region", name.origin(), message, "write the Region's code, as `us-east-1`"));
                }
                if !is_sound(name) {
                    findings.push(bad_name(name, name.origin()));
                } else if let Some(other) = full_name(name).and_then(|full| full.region)
                    && downstream.service_region.is_none()
                    && is_region(region)
                    && other != region
                {
                    findings.push(tier.error(
                        "other-region",
                        name.origin(),
                        format!("the service for {region} is one of {other}"),
                        format!("name the service of {region}, or say that it is meant: `service_region: {other}`"),
                    ));
                }
                gateway(tier, downstream, name, name.origin(), findings);
            }
            missing_regions(tier, downstream, names, findings);
        }
    }
}

/// A full name belongs to one Region, and each cell is in one. Another Region costs time and money and is asked for by
/// name; another partition cannot be reached at all.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/create-endpoint-service.html#cross-region-endpoint-services>
fn regions(tier: &Tier, downstream: &Downstream, findings: &mut Findings) {
    let ServiceName::Name(name) = &*downstream.service else { return };
    let Some(full) = full_name(name) else { return };
    let origin = downstream.service.origin();
    if let (Some(region), Some(meant)) = (full.region, &downstream.service_region)
        && region != meant.as_str()
        && is_region(meant)
    {
        let message = format!("`service_region` says {}, and the service is one of {region}", **meant);
        let finding =
            tier.error("other-region", meant.origin(), message, format!("write `service_region: {region}`, or name another service"));
        findings.push(finding.related(&tier.source, origin, "the service"));
        return;
    }
    let (mut others, mut foreign) = (BTreeMap::new(), BTreeMap::new());
    for (cell, _) in infra_groups(&tier.spec) {
        let region = region_of(&tier.spec, cell);
        if region.is_stand_in() || !is_region(region) {
            continue;
        }
        let partition = if full.china { "aws-cn" } else { full.region.map_or(partition_of(region), partition_of) };
        if partition != partition_of(region) {
            foreign.insert(region, &*cell.name);
        } else if downstream.service_region.is_none() && full.region.is_some_and(|other| other != region.as_str()) {
            others.insert(region, &*cell.name);
        }
    }
    for (region, cell) in foreign {
        let message = format!("`{name}` is in another partition than cell `{cell}` in {}", **region);
        let remedy = format!(
            "PrivateLink does not cross partitions: name a service of the partition `{}`, as a map from Region to name",
            partition_of(region)
        );
        let finding = tier.error("other-partition", origin, message, remedy);
        findings.push(finding.related(&tier.source, region.origin(), "the cell's Region"));
    }
    for (region, cell) in others {
        let other = full.region.unwrap_or_default();
        let message = format!("`{name}` is a service of {other}, and cell `{cell}` is in {}", **region);
        let remedy =
            format!("give a map from Region to name, name a service of {}, or say that it is meant: `service_region: {other}`", **region);
        let finding = tier.error("other-region", origin, message, remedy);
        findings.push(finding.related(&tier.source, region.origin(), "the cell's Region"));
    }
}

fn missing_regions(tier: &Tier, downstream: &Downstream, names: &BTreeMap<String, Located<String>>, findings: &mut Findings) {
    let missing: BTreeMap<_, _> = infra_groups(&tier.spec)
        .map(|(cell, _)| (region_of(&tier.spec, cell), &*cell.name))
        .filter(|(region, _)| !region.is_stand_in() && !names.contains_key(region.as_str()))
        .collect();
    for (region, cell) in missing {
        let message = format!("the downstream `{}` names no service for {}, where cell `{cell}` is", *downstream.name, **region);
        let known = spelling::none_or_list(names.keys().map(String::as_str).collect());
        let remedy = format!("add `{}: SERVICE` to the map; it has {known}", **region);
        let finding = tier.error("missing-region", downstream.service.origin(), message, remedy);
        findings.push(finding.related(&tier.source, region.origin(), "the cell's Region"));
    }
}

/// <https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html>
fn gateway(tier: &Tier, downstream: &Downstream, name: &str, origin: Origin, findings: &mut Findings) {
    let service = name.rsplit('.').next().unwrap_or_default();
    if *downstream.gateway && !matches!(service, "s3" | "dynamodb") {
        let finding = tier.error(
            "bad-gateway",
            origin,
            format!("`{name}` has no gateway endpoint"),
            "remove `gateway: true` and give a `port`: only `s3` and `dynamodb` have gateway endpoints",
        );
        findings.push(finding.related(&tier.source, downstream.gateway.origin(), "a gateway endpoint is asked for"));
    }
}

/// An endpoint policy that AWS would call malformed.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>
fn policy(tier: &Tier, downstream: &Downstream, findings: &mut Findings) {
    let Some(policy) = &downstream.policy else { return };
    let mut report = |message: String, remedy: String| {
        findings.push(tier.error("bad-policy", policy.origin(), message, remedy));
    };
    let length = policy.to_string().chars().count();
    if length > LONGEST_POLICY {
        report(
            format!("the policy of `{}` has {length} characters, and AWS takes {LONGEST_POLICY}", *downstream.name),
            "shorten it: use wildcards, or put what the tasks may do into `roles`".to_owned(),
        );
    }
    let statements = match &policy["Statement"] {
        Json::Array(statements) => statements.iter().collect(),
        one @ Json::Object(_) => vec![one],
        _ => Vec::new(),
    };
    if statements.is_empty() {
        report("a policy needs a `Statement`".to_owned(), "add `Statement:` with a list of statements".to_owned());
    }
    for statement in statements {
        for keys in [["Effect", "Effect"], ["Principal", "NotPrincipal"], ["Action", "NotAction"], ["Resource", "NotResource"]] {
            if keys.iter().all(|key| statement.get(*key).is_none()) {
                let key = keys[0];
                report(
                    format!("a statement of the policy has no `{key}`"),
                    format!("add `{key}`: every statement of an endpoint policy needs one"),
                );
            }
        }
        if let Some(effect) = statement.get("Effect")
            && effect != "Allow"
            && effect != "Deny"
        {
            report(format!("the `Effect` of a statement cannot be {effect}"), "write `Allow` or `Deny`".to_owned());
        }
    }
}

/// A second endpoint for one service fails in AWS where both want its private DNS name ("conflicting DNS domain"), or
/// where both are gateways and want the same route.
fn twice(tier: &Tier, findings: &mut Findings) {
    let mut seen: Vec<&Downstream> = Vec::new();
    for downstream in &tier.spec.downstreams {
        let clash = seen.iter().find(|other| {
            let exclusive = (downstream.private_dns && other.private_dns) || (*downstream.gateway && *other.gateway);
            exclusive && same_service(tier, downstream, other)
        });
        if let Some(other) = clash {
            let what = if *downstream.gateway { "gateway endpoints" } else { "endpoints with private DNS" };
            let message = format!("`{}` and `{}` are {what} for the same service, and a VPC takes one", *other.name, *downstream.name);
            let finding = tier.error("duplicate-service", downstream.service.origin(), message, "remove one of the two");
            findings.push(finding.related(&tier.source, other.service.origin(), "the same service"));
        }
        seen.push(downstream);
    }
}

/// Whether two downstreams come to the same service in some Region of the tier, in short or in full.
fn same_service(tier: &Tier, a: &Downstream, b: &Downstream) -> bool {
    let regions: BTreeSet<&str> = infra_groups(&tier.spec).map(|(cell, _)| region_of(&tier.spec, cell).as_str()).collect();
    let complete = |downstream: &Downstream, region: &str| -> Option<String> {
        let name = match &*downstream.service {
            ServiceName::Name(name) => name,
            ServiceName::PerRegion(names) => names.get(region)?,
        };
        let region = downstream.service_region.as_ref().map_or(region, |region| region.as_str());
        Some(match full_name(name) {
            Some(_) => name.clone(),
            None => format!("com.amazonaws.{region}.{name}"),
        })
    };
    regions.into_iter().any(|region| complete(a, region).is_some_and(|name| complete(b, region) == Some(name)))
}

/// What no VPC and no security group can hold, counted from below.
fn quotas(tier: &Tier, findings: &mut Findings) {
    let quotas = &tier.spec.quotas;
    let interfaces: Vec<&Downstream> = tier.spec.downstreams.iter().filter(|downstream| !*downstream.gateway).collect();
    if let Some(over) = interfaces.get(quotas.interface_endpoints as usize) {
        findings.push(tier.error(
            "quota",
            over.name.origin(),
            format!("{} interface endpoints are more than the {} that a VPC takes", interfaces.len(), quotas.interface_endpoints),
            "remove some, or have the quota L-29B6F2EB raised and say so: `quotas: {interface_endpoints: N}`",
        ));
    }
    let ports: BTreeSet<u16> = interfaces.iter().filter_map(|downstream| downstream.port.as_deref().copied()).collect();
    let gateways = tier.spec.downstreams.len() - interfaces.len();
    let rules = ports.len() + gateways + tier.spec.egress.len();
    if rules > quotas.security_group_rules as usize {
        let origin = tier.spec.egress.last().map_or(tier.spec.tier.origin(), |entry| entry.port.origin());
        findings.push(tier.error(
            "quota",
            origin,
            format!(
                "the tasks' security group would need at least {rules} outbound rules, and AWS takes {}",
                quotas.security_group_rules
            ),
            "merge `egress` into larger blocks or a prefix list, or have the quota L-0EA8095F raised and say so: `quotas: {security_group_rules: N}`",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_tell_their_region() {
        let region = |name| full_name(name).map(|full| full.region);
        assert_eq!(region("com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b2c3d4e5f60718"), Some(Some("eu-west-1")));
        assert_eq!(region("com.amazonaws.us-east-1.s3"), Some(Some("us-east-1")));
        assert_eq!(region("com.amazonaws.s3-global.accesspoint"), Some(None));
        assert_eq!(region("ecr.api"), None);
    }
}
