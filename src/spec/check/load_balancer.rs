//! Load balancers to make, and listeners of other teams.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html>

use crate::spec::arn::{Arn, partition_of};
use crate::spec::diagnostic::Findings;
use crate::spec::located::{Located, Origin};
use crate::spec::model::{AccessLogs, Cell, InfraGroup, LoadBalancer, Scheme};

use super::network::peer;
use super::{Tier, infra_groups, region_of, repeated};

pub(super) fn tier(tier: &Tier, findings: &mut Findings) {
    for cell in &tier.spec.cells {
        for group in &cell.infra_groups {
            match &group.load_balancer.listener {
                Some(listener) => used(tier, cell, group, listener, findings),
                None => made(tier, cell, &group.load_balancer, findings),
            }
        }
    }
}

fn made(tier: &Tier, cell: &Cell, balancer: &Located<LoadBalancer>, findings: &mut Findings) {
    if let Some(priorities) = &balancer.priorities {
        findings.push(tier.error(
            "bad-priorities",
            priorities.origin(),
            "`priorities` goes with another team's listener, and this load balancer is made",
            "remove `priorities`: every rule of a load balancer of ours is ours",
        ));
    }
    if let Some(scheme) = &balancer.scheme
        && **scheme == Scheme::InternetFacing
    {
        for (key, missing, why) in [
            ("allow", balancer.allow.is_none(), "who may connect, as `allow: [0.0.0.0/0]`"),
            ("certificate", balancer.certificate.is_none(), "the ARN of the certificate for HTTPS"),
        ] {
            if missing {
                let message = format!("an internet-facing load balancer must name `{key}`");
                findings.push(tier.error("internet-facing", scheme.origin(), message, format!("add {why}, or write `scheme: internal`")));
            }
        }
    }
    if let Some(certificate) = &balancer.certificate {
        self::certificate(tier, cell, certificate, findings);
    }
    if let Some(policy) = &balancer.ssl_policy {
        if balancer.certificate.is_none() {
            findings.push(tier.error(
                "bad-tls",
                policy.origin(),
                "`ssl_policy` needs a `certificate`: without one the listener is plain HTTP",
                "add `certificate`, or remove `ssl_policy`",
            ));
        }
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
        if !policy.starts_with("ELBSecurityPolicy-") {
            let message = format!("`{}` is not a TLS policy of load balancers", **policy);
            findings.push(tier.error("bad-tls", policy.origin(), message, "name one of AWS's, as `ELBSecurityPolicy-TLS13-1-2-2021-06`"));
        }
    }
    if let Some(allow) = &balancer.allow {
        self::allow(tier, balancer, allow, findings);
    }
    if let Some(logs) = &balancer.access_logs {
        access_logs(tier, logs, findings);
    }
}

fn allow(tier: &Tier, balancer: &LoadBalancer, allow: &[Located<String>], findings: &mut Findings) {
    for entry in allow {
        peer(tier, entry, findings);
    }
    for (entry, first) in repeated(allow) {
        let finding = tier.error("duplicate", entry.origin(), format!("`{}` stands here twice", **entry), "remove one");
        findings.push(finding.related(&tier.source, first.origin(), "first here"));
    }
    // With a certificate each is let in to 443 and to 80, which redirects.
    let ports = if balancer.certificate.is_some() { 2 } else { 1 };
    let (rules, most) = (allow.len() * ports, tier.spec.quotas.security_group_rules as usize);
    if let Some(over) = allow.get(most / ports)
        && rules > most
    {
        findings.push(tier.error(
            "quota",
            over.origin(),
            format!("`allow` would need {rules} rules in one security group, and AWS takes {most}"),
            "merge them into larger blocks or a prefix list, or have the quota L-0EA8095F raised and say so: `quotas: {security_group_rules: N}`",
        ));
    }
}

fn certificate(tier: &Tier, cell: &Cell, certificate: &Located<String>, findings: &mut Findings) {
    let region = region_of(&tier.spec, cell);
    let problem = match Arn::parse(certificate) {
        Some(arn) if arn.service == "acm" && arn.resource.starts_with("certificate/") => mismatch(arn, cell, region, true),
        Some(arn) if arn.service == "iam" && arn.resource.starts_with("server-certificate/") => mismatch(arn, cell, region, false),
        _ => Some("it is not the ARN of a certificate".to_owned()),
    };
    if let Some(problem) = problem {
        findings.push(tier.error(
            "bad-certificate",
            certificate.origin(),
            format!("this certificate cannot be used here: {problem}"),
            format!(
                "write one of the cell's account and Region: arn:{}:acm:{}:{}:certificate/ID",
                partition_of(region),
                **region,
                *cell.account
            ),
        ));
    }
}

/// How an ARN differs from its cell, if it does.
fn mismatch(arn: Arn<'_>, cell: &Cell, region: &Located<String>, regional: bool) -> Option<String> {
    if region.is_stand_in() || cell.account.is_stand_in() {
        None
    } else if arn.partition != partition_of(region) {
        Some(format!("it is in the partition `{}`, and the cell in `{}`", arn.partition, partition_of(region)))
    } else if regional && arn.region != region.as_str() {
        Some(format!("it is in {}, and the cell in {}", arn.region, **region))
    } else if arn.account != *cell.account {
        Some(format!("it belongs to account {}, and the cell is account {}", arn.account, *cell.account))
    } else {
        None
    }
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
fn access_logs(tier: &Tier, logs: &AccessLogs, findings: &mut Findings) {
    let bucket = &logs.bucket;
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = bucket.as_bytes();
    if !(3..=63).contains(&bytes.len()) || !bucket.bytes().all(inner) || !edge(bytes.first()) || !edge(bytes.last()) {
        let remedy = "write the bucket's name alone: 3 to 63 lower-case letters, digits, dots and hyphens";
        findings.push(tier.error("bad-bucket", bucket.origin(), format!("`{}` is not the name of a bucket", **bucket), remedy));
    }
    if let Some(prefix) = &logs.prefix
        && (prefix.is_empty() || prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("AWSLogs"))
    {
        let message = format!("`{}` cannot be the prefix of access logs", **prefix);
        let remedy = "begin and end it without `/`, and leave out `AWSLogs`, which AWS adds; or remove it for none";
        findings.push(tier.error("bad-prefix", prefix.origin(), message, remedy));
    }
}

/// Another team's listener: ours are only rules within the band.
fn used(tier: &Tier, cell: &Cell, group: &InfraGroup, listener: &Located<String>, findings: &mut Findings) {
    let balancer = &group.load_balancer;
    let region = region_of(&tier.spec, cell);
    let problem = match Arn::parse(listener) {
        Some(arn) if arn.service == "elasticloadbalancing" && arn.resource.starts_with("listener/app/") => {
            mismatch(arn, cell, region, true)
        }
        Some(arn) if arn.resource.starts_with("loadbalancer/") => Some("it is the load balancer's ARN, not a listener's".to_owned()),
        _ => Some("it is not the ARN of a listener of an Application Load Balancer".to_owned()),
    };
    if let Some(problem) = problem {
        findings.push(tier.error(
            "bad-listener",
            listener.origin(),
            format!("this listener cannot be used here: {problem}"),
            "copy the listener's ARN: `aws elbv2 describe-listeners --load-balancer-arn …`",
        ));
    }
    if group.vpc.cidr.is_some() {
        let finding = tier.error(
            "bad-listener",
            listener.origin(),
            "another team's listener lives in that team's VPC, and this infra group makes its own",
            "name the listener's VPC: `vpc: {id: vpc-…, subnets: […]}`; a load balancer reaches targets in its own VPC",
        );
        findings.push(finding.related(&tier.source, group.vpc.origin(), "makes a VPC"));
    }
    match &balancer.priorities {
        None => findings.push(tier.error(
            "bad-priorities",
            listener.origin(),
            "another team's listener needs `priorities`, the band in which our rules may be",
            "add `priorities: [from, to]`, agreed with the team that owns the listener",
        )),
        Some(band) if band[0] > band[1] => findings.push(tier.error(
            "bad-priorities",
            band.origin(),
            format!("the band {} to {} is empty", band[0], band[1]),
            format!("write the lower one first: [{}, {}]", band[1], band[0]),
        )),
        Some(_) => {}
    }
    let ours: [(&str, Option<Origin>); 7] = [
        ("scheme", balancer.scheme.as_ref().map(Located::origin)),
        ("allow", balancer.allow.as_ref().map(|allow| allow.first().map_or(balancer.origin(), Located::origin))),
        ("certificate", balancer.certificate.as_ref().map(Located::origin)),
        ("ssl_policy", balancer.ssl_policy.as_ref().map(Located::origin)),
        ("access_logs", balancer.access_logs.as_ref().map(|logs| logs.bucket.origin())),
        ("deletion_protection", balancer.deletion_protection.as_ref().map(Located::origin)),
        ("idle_timeout", balancer.idle_timeout.as_ref().map(Located::origin)),
    ];
    for (key, origin) in ours {
        if let Some(origin) = origin {
            let message = format!("`{key}` cannot be set on another team's load balancer");
            let finding =
                tier.error("bad-listener", origin, message, format!("remove `{key}`, or `listener` to have a load balancer made"));
            findings.push(finding.related(&tier.source, listener.origin(), "another team's listener"));
        }
    }
}

/// Two infra groups on one listener need bands of their own.
pub(super) fn all(tiers: &[Tier], findings: &mut Findings) {
    struct Band<'a> {
        tier: &'a Tier,
        listener: &'a Located<String>,
        priorities: &'a Located<[u32; 2]>,
    }
    let mut seen: Vec<Band<'_>> = Vec::new();
    for tier in tiers {
        for (_, group) in infra_groups(&tier.spec) {
            let (Some(listener), Some(priorities)) = (&group.load_balancer.listener, &group.load_balancer.priorities) else { continue };
            let [from, to] = **priorities;
            let overlap = |other: &&Band<'_>| other.listener == listener && other.priorities[0] <= to && from <= other.priorities[1];
            if let Some(other) = seen.iter().find(overlap) {
                let message = format!("the band {from} to {to} overlaps one of another infra group on the same listener");
                let finding = tier.error("bad-priorities", priorities.origin(), message, "give each infra group a band of its own");
                findings.push(finding.related(&other.tier.source, other.priorities.origin(), "overlaps this"));
            }
            seen.push(Band { tier, listener, priorities });
        }
    }
}
