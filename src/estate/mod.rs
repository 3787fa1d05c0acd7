//! Specs into the set of things that should exist: their names, tags, fields, and references between them.
//! Pure: the same specs and facts give the same estate, byte for byte.

pub mod infra_group;
pub mod names;
pub mod tenant;

use std::collections::{BTreeMap, BTreeSet};

use crate::resources::Kind;
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

    pub fn region(&self) -> &'a str {
        self.cell.region.as_ref().unwrap_or(&self.tier.region)
    }

    pub fn place(&self) -> Place {
        Place { account: self.cell.account.to_string(), region: self.region().to_string() }
    }

    pub fn partition(&self) -> &'static str {
        partition(self.region())
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
    pub load_balancer_arn: String,
    pub vpc_id: String,
    pub port: i32,
    pub security_group_ids: Vec<String>,
}

/// Names that an infra group's things and its tenants' will take, by kind: for reading whoever holds them.
pub fn names_taken(desired: &[Desired]) -> BTreeMap<Kind, BTreeSet<String>> {
    let mut names: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for item in desired {
        if let Some(name) = names::of(item) {
            names.entry(item.key.kind).or_default().insert(name.to_string());
        }
    }
    names
}

/// Everything of an infra group that belongs to its tier.
pub fn of_infra_group(group: Group<'_>, facts: &Facts) -> Vec<Desired> {
    infra_group::Builder::new(group, facts).build()
}

/// Everything of one tenant in its infra group.
pub fn of_tenant(group: Group<'_>, tenant: &TenantSpec, facts: &Facts) -> Vec<Desired> {
    tenant::Builder::new(group, tenant, facts).build()
}
