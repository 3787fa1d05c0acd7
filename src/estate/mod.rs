//! Specs into the set of things that should exist: their names, tags, fields, and references between them.
//! Pure: the same specs and facts give the same estate, byte for byte.

pub mod infra_group;
pub mod names;
pub mod tenant;

use std::collections::BTreeMap;

use crate::resources::model::{Desired, Place, Scope};
use crate::spec::model::{Cell, InfraGroup, TenantSpec, TierSpec};

/// What an infra group's resources are made from.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    pub tier: &'a TierSpec,
    pub cell: &'a Cell,
    pub group: &'a InfraGroup,
}

impl<'a> Group<'a> {
    /// All infra groups of a tier in the order of the spec, retired ones too.
    pub fn all_of(tier: &'a TierSpec) -> impl Iterator<Item = Group<'a>> {
        tier.cells.iter().flat_map(move |cell| cell.infra_groups.iter().map(move |group| Group { tier, cell, group }))
    }

    pub fn scope(&self) -> Scope {
        Scope::infra_group(&self.tier.tier, &self.cell.name, &self.group.name)
    }

    /// Whether this is its scope.
    pub fn is_at(&self, scope: &Scope) -> bool {
        scope.tenant.is_none() && *self.group.name == scope.infra_group && *self.cell.name == scope.cell && *self.tier.tier == scope.tier
    }

    pub fn region(&self) -> &'a str {
        self.cell.region.as_ref().unwrap_or(&self.tier.region)
    }

    pub fn place(&self) -> Place {
        Place { account: self.cell.account.to_string(), region: self.region().to_string() }
    }

    pub fn partition(&self) -> &'static str {
        partition(self.region())
    }

    /// Whether nothing of the tier may be deleted or replaced here.
    pub fn is_protected(&self) -> bool {
        self.tier.protect || self.group.protect
    }

    pub fn is_retired(&self) -> bool {
        self.tier.retired || self.cell.retired || self.group.retired
    }

    /// Whether the load balancer's listener is another team's.
    pub fn listener(&self) -> Option<&'a str> {
        self.group.load_balancer.listener.as_ref().map(|arn| arn.as_str())
    }

    /// What its names depend on besides identity: another network is another set of things.
    fn network(&self) -> &'a str {
        let vpc = &self.group.vpc;
        vpc.id.as_ref().or(vpc.cidr.as_ref()).map_or("", |text| text.as_str())
    }
}

/// The partition that a Region belongs to.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
pub fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        r if r.starts_with("us-iso-") => "aws-iso",
        r if r.starts_with("us-isob-") => "aws-iso-b",
        r if r.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// What has to be looked up before an estate is known: ids that specs name only in words, and other teams' things.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Ids of prefix lists by Region and name, as `com.amazonaws.us-east-1.s3`.
    pub prefix_lists: BTreeMap<(Place, String), String>,
    /// Other teams' listeners by ARN.
    pub listeners: BTreeMap<String, ForeignListener>,
    /// Other teams' VPCs by id: their IPv4 blocks.
    pub vpcs: BTreeMap<String, Vec<String>>,
}

/// Another team's listener and the load balancer that it belongs to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForeignListener {
    pub port: i32,
    pub security_group_ids: Vec<String>,
}

/// Everything of an infra group that belongs to its tier.
pub fn of_infra_group(group: Group<'_>, facts: &Facts) -> Vec<Desired> {
    infra_group::Builder::new(group, facts).build()
}

/// Everything of one tenant in its infra group.
pub fn of_tenant(group: Group<'_>, tenant: &TenantSpec, facts: &Facts) -> Vec<Desired> {
    tenant::Builder::new(group, tenant, facts).build()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;
    use crate::resources::Kind;
    use crate::resources::model::{Id, Key};
    use crate::resources::security_group_rules::{Direction, Rule, SecurityGroupRules};
    use crate::spec::Specs;
    use crate::spec::load::load_texts;

    const TIER: &str = r#"
tier: high
region: us-east-1
tags: {team: ads, "Name": "ours"}
downstreams:
  - {name: bidder, service: com.amazonaws.vpce.us-east-1.vpce-svc-0a1b2c3d4e5f60718, port: 8443}
  - {name: profiles, service: com.amazonaws.vpce.us-east-1.vpce-svc-0f9e8d7c6b5a40312, port: 443}
  - {name: logs, service: logs, port: 443, private_dns: true}
  - {name: artifacts, service: s3, gateway: true}
egress:
  - {cidr: 10.99.0.0/16, port: 5432}
tenants: {ports: [8000, 8999]}
cells:
  - name: one
    account: "123456789012"
    infra_groups:
      - name: inside
        vpc: {cidr: 10.20.0.0/16, zones: [us-east-1a, us-east-1b]}
      - name: outside
        vpc: {cidr: 10.21.0.0/16, zones: [us-east-1a, us-east-1b]}
        load_balancer:
          scheme: internet-facing
          allow: [203.0.113.0/24]
          certificate: arn:aws:acm:us-east-1:123456789012:certificate/6cb0b8a4-1111-4222-8333-444455556666
      - name: shared
        vpc: {id: vpc-0123456789abcdef0, subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1], route_tables: [rtb-0123456789abcdef0]}
        load_balancer:
          listener: arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/theirs/50dc6c495c0c9188/f2f7dc8efc522ab2
          priorities: [100, 199]
"#;
    const TENANT: &str = r#"
tenant: acme
tier: high
service: {image: "app:1", port: 8080, cpu: 256, memory: 512}
environment: {CACHE: "acme:6379"}
"#;

    fn specs() -> Specs {
        let specs = load_texts([(PathBuf::from("tier.yaml"), TIER.to_string()), (PathBuf::from("tenant.yaml"), TENANT.to_string())]);
        assert!(!specs.findings.has_errors(), "{}", crate::report::diagnostics::render(&specs.findings, false));
        specs
    }

    fn facts() -> Facts {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let theirs = ForeignListener { security_group_ids: vec!["sg-theirs".into()], ..ForeignListener::default() };
        let listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/theirs/50dc6c495c0c9188/f2f7dc8efc522ab2";
        Facts {
            prefix_lists: BTreeMap::from([((place, "com.amazonaws.us-east-1.s3".to_string()), "pl-s3".to_string())]),
            listeners: BTreeMap::from([(listener.to_string(), theirs)]),
            vpcs: BTreeMap::from([("vpc-0123456789abcdef0".to_string(), vec!["10.30.0.0/16".to_string()])]),
        }
    }

    fn estates(specs: &Specs) -> Vec<(String, Vec<Desired>)> {
        let tier = &specs.tiers[0].spec;
        let tenant = &specs.tenants[0].spec;
        Group::all_of(tier)
            .map(|group| {
                let mut estate = of_infra_group(group, &facts());
                estate.extend(of_tenant(group, tenant, &facts()));
                (group.group.name.to_string(), estate)
            })
            .collect()
    }

    #[test]
    fn the_estate_of_every_sort_of_infra_group() {
        for (name, estate) in estates(&specs()) {
            let shown: Vec<Value> = estate
                .iter()
                .map(|item| serde_json::json!({ "key": item.key.to_string(), "fields": item.fields, "tags": item.tags }))
                .collect();
            let text = serde_json::to_string_pretty(&shown).unwrap();
            insta::assert_snapshot!(format!("estate_{name}"), text);
        }
    }

    #[test]
    fn each_thing_refers_only_to_kinds_before_its_own() {
        for (_, estate) in estates(&specs()) {
            let keys: BTreeSet<&Key> = estate.iter().map(|item| &item.key).collect();
            for item in &estate {
                for needed in item.needs() {
                    assert!(keys.contains(&needed), "{} needs {needed}, which nobody makes", item.key);
                    let before = (needed.scope.is_tenant(), &needed) < (item.key.scope.is_tenant(), &item.key);
                    assert!(before, "{} is made before {needed}, which it needs", item.key);
                }
            }
        }
    }

    #[test]
    fn every_path_is_open_in_both_halves() {
        for (group, estate) in estates(&specs()) {
            let sets: Vec<SecurityGroupRules> = estate
                .iter()
                .filter(|item| item.key.kind == Kind::SecurityGroupRules)
                .map(|item| serde_json::from_value(Value::Object(item.fields.clone())).unwrap())
                .collect();
            let other_half = |set: &SecurityGroupRules, rule: &Rule| {
                let mirrored = Rule { peer: set.group_id.clone(), ..rule.clone() };
                let facing = |other: &&SecurityGroupRules| other.group_id == rule.peer && other.direction != set.direction;
                sets.iter().filter(facing).any(|other| other.rules.contains(&mirrored))
            };
            for set in &sets {
                for rule in set.rules.iter().filter(|rule| matches!(rule.peer, Id::Of(_))) {
                    assert!(other_half(set, rule), "{group}: {rule:?} of {:?} has no other half", set.group_id);
                }
            }
            let out_of_tasks: Vec<_> = sets
                .iter()
                .filter(|set| set.direction == Direction::Egress && matches!(&set.group_id, Id::Of(key) if key.name == "tasks"))
                .flat_map(|set| set.rules.clone())
                .collect();
            let mut ports: Vec<_> = out_of_tasks.iter().map(|rule| rule.from_port.unwrap()).collect();
            ports.sort_unstable();
            assert_eq!(ports, [443, 443, 5432, 8443], "{group}: endpoints on 443 and 8443, S3, and the egress; nothing else");
        }
    }

    #[test]
    fn names_fit_and_differ() {
        let specs = specs();
        let tier = &specs.tiers[0].spec;
        let mut seen = BTreeSet::new();
        for group in Group::all_of(tier) {
            let long = "a-tenant-with-a-name-that-is-much-longer-than-aws-allows";
            for name in
                [names::target_group(group, long, 8080), names::target_group(group, long, 8081), names::load_balancer(group, "internal")]
            {
                assert!(name.len() <= 32 && !name.starts_with('-') && !name.contains("--"), "{name}");
                assert!(seen.insert(name.clone()), "{name} twice");
            }
            assert!(names::role(group, "execution").len() <= 64);
            assert!(names::role_arn(group, "task").ends_with(&names::role(group, "task")));
        }
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("cn-north-1"), "aws-cn");
    }

    #[test]
    fn the_users_tags_never_override_ours() {
        let mut specs = specs();
        specs.tiers[0].spec.tags.insert("tierctl:tier".to_string().into(), "stolen".to_string().into());
        for (_, estate) in estates(&specs) {
            assert!(estate.iter().all(|item| item.tags["tierctl:tier"] == "high" && item.tags["team"] == "ads"));
        }
    }
}
