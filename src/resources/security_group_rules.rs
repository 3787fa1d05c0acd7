//! All rules of one direction of a security group: a closed set, so a rule added by hand is found and removed.
//!
//! Named `<group>-ingress` and `<group>-egress`. They are read with their groups, at no further call, and a live
//! group always has both, if empty: a group just made by us lets everything out until its egress set is made.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroup as Ec2SecurityGroup, UserIdGroupPair};
use serde::{Deserialize, Serialize};

use super::model::{Changed, Field, Fields, Id, Live, ShapeError, TAG_APPLIED, TAG_RESOURCE, Wanted};
use super::{Kind, Reading, Resource, Writes, deletion, eventually};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// How often the rules are looked at again when they were changed by somebody else in between.
const ROUNDS: u32 = 3;
/// All protocols, in AWS's words.
const ALL: &str = "-1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroupRules {
    pub group_id: Id,
    pub direction: Direction,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// One permission: AWS's `IpPermissions` taken apart into a rule for each peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for all.
    pub protocol: String,
    /// First and last port (of ICMP: type and code); none where all are meant or the protocol has none.
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    /// An IPv4 or IPv6 block, a prefix list's id, or a security group's.
    pub peer: Id,
}

pub struct SecurityGroupRuleSets;

#[async_trait]
impl Resource for SecurityGroupRuleSets {
    fn writes(&self) -> Writes {
        Writes { create: &[], update: &[], delete: &[] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("group_id"), Field::replace("direction"), Field::update("rules").set()] }
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::SecurityGroup]
    }

    fn is_tagged(&self) -> bool {
        false
    }

    fn record_tag(&self, fields: &Fields) -> Option<String> {
        Some(format!("{TAG_APPLIED}:{}", fields.get("direction")?.as_str()?))
    }

    /// Nothing here: `SecurityGroups` reads the rules with their groups.
    async fn read(&self, _reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        Ok(Vec::new())
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: SecurityGroupRules = wanted.shape()?;
        let group_id = shape.group_id.known()?;
        eventually::known(|| make_equal(aws, group_id, shape.direction, &shape.rules)).await?;
        Ok(id(group_id, shape.direction))
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        if changed.has("rules") {
            let shape: SecurityGroupRules = wanted.shape()?;
            let group_id = shape.group_id.known()?;
            // A new peer may be as unknown yet as a new group.
            eventually::known(|| make_equal(aws, group_id, shape.direction, &shape.rules)).await?;
        }
        Ok(live.id.clone())
    }

    /// Revokes all rules, also where the group goes as well: groups that name each other cannot be deleted.
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let shape: SecurityGroupRules = live.shape()?;
        deletion::gone_is_fine(make_equal(aws, shape.group_id.known()?, shape.direction, &[]).await)
    }
}

fn id(group_id: &str, direction: Direction) -> String {
    format!("{group_id}/{}", direction.name())
}

/// Both rule sets of a group of ours. They have its tags, with names of their own.
pub(super) fn live(group: &Live, name: &str, answer: &Ec2SecurityGroup) -> [Live; 2] {
    [(Direction::Ingress, answer.ip_permissions()), (Direction::Egress, answer.ip_permissions_egress())].map(|(direction, permissions)| {
        let rules = by_rule(permissions).into_keys().collect();
        let shape = SecurityGroupRules { group_id: Id::Known(group.id.clone()), direction, rules };
        let mut tags = group.tags.clone();
        tags.insert(TAG_RESOURCE.into(), format!("{name}-{}", direction.name()));
        Live::new(Kind::SecurityGroupRules, &group.place, id(&group.id, direction), tags, &shape)
    })
}

/// Every rule in these permissions, each with the permission that holds nothing else, by which it can be revoked.
///
/// AWS merges rules of one protocol and port range into one permission with many peers:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>
fn by_rule(permissions: &[IpPermission]) -> BTreeMap<Rule, IpPermission> {
    permissions.iter().flat_map(taken_apart).collect()
}

fn taken_apart(permission: &IpPermission) -> Vec<(Rule, IpPermission)> {
    let without_peer = IpPermission::builder()
        .set_ip_protocol(permission.ip_protocol().map(String::from))
        .set_from_port(permission.from_port())
        .set_to_port(permission.to_port());
    let mut rules = Vec::new();
    let mut add = |peer: Option<&str>, alone: IpPermission| {
        let Some(peer) = peer else { return };
        let rule = Rule {
            protocol: permission.ip_protocol().unwrap_or(ALL).into(),
            from_port: permission.from_port(),
            to_port: permission.to_port(),
            peer: Id::Known(peer.into()),
        };
        rules.push((rule.normal(), alone));
    };
    for range in permission.ip_ranges() {
        let alone = IpRange::builder().set_cidr_ip(range.cidr_ip().map(String::from)).build();
        add(range.cidr_ip(), without_peer.clone().ip_ranges(alone).build());
    }
    for range in permission.ipv6_ranges() {
        let alone = Ipv6Range::builder().set_cidr_ipv6(range.cidr_ipv6().map(String::from)).build();
        add(range.cidr_ipv6(), without_peer.clone().ipv6_ranges(alone).build());
    }
    for list in permission.prefix_list_ids() {
        let alone = PrefixListId::builder().set_prefix_list_id(list.prefix_list_id().map(String::from)).build();
        add(list.prefix_list_id(), without_peer.clone().prefix_list_ids(alone).build());
    }
    for pair in permission.user_id_group_pairs() {
        // A group of a peered VPC in another account is found only with its account.
        let alone = UserIdGroupPair::builder()
            .set_group_id(pair.group_id().map(String::from))
            .set_user_id(pair.user_id().map(String::from))
            .build();
        add(pair.group_id(), without_peer.clone().user_id_group_pairs(alone).build());
    }
    rules
}

impl Rule {
    /// The rule as AWS tells of it: a protocol that has a name by its name, and no ports where there are none.
    fn normal(self) -> Self {
        let protocol = match self.protocol.as_str() {
            "6" => "tcp".into(),
            "17" => "udp".into(),
            "1" => "icmp".into(),
            "58" => "icmpv6".into(),
            _ => self.protocol,
        };
        let has_ports = match protocol.as_str() {
            "tcp" | "udp" => true,
            // Type -1 is every type.
            "icmp" | "icmpv6" => self.from_port.is_some_and(|kind| kind != -1),
            _ => false,
        };
        let (from_port, to_port) = if has_ports { (self.from_port, self.to_port) } else { (None, None) };
        Self { protocol, from_port, to_port, peer: self.peer }
    }

    fn permission(&self) -> Result<IpPermission, ShapeError> {
        let of_all_types = (self.protocol == "icmp").then_some(-1);
        let permission = IpPermission::builder()
            .ip_protocol(&self.protocol)
            .set_from_port(self.from_port.or(of_all_types))
            .set_to_port(self.to_port.or(of_all_types));
        let permission = match self.peer.known()? {
            list if list.starts_with("pl-") => permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(list).build()),
            group if group.starts_with("sg-") => permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(group).build()),
            block if block.contains(':') => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(block).build()),
            block => permission.ip_ranges(IpRange::builder().cidr_ip(block).build()),
        };
        Ok(permission.build())
    }
}

/// What has to be done so that the rules found are those wanted.
#[derive(Debug, PartialEq)]
struct Difference {
    missing: Vec<IpPermission>,
    surplus: Vec<IpPermission>,
}

impl Difference {
    fn between(found: &[IpPermission], wanted: &[Rule]) -> Result<Self, ShapeError> {
        let found = by_rule(found);
        let wanted: BTreeSet<Rule> = wanted.iter().cloned().map(Rule::normal).collect();
        let missing = wanted.iter().filter(|rule| !found.contains_key(rule)).map(Rule::permission).collect::<Result<_, _>>()?;
        let surplus = found.into_iter().filter(|(rule, _)| !wanted.contains(rule)).map(|(_, alone)| alone).collect();
        Ok(Self { missing, surplus })
    }

    /// What is missing first, so that no path closes that stays open; where the group has no room for both, last.
    async fn settle(self, aws: &Writer, group_id: &str, direction: Direction) -> Result<(), AwsError> {
        let Self { missing, surplus } = self;
        match authorize(aws, group_id, direction, missing.clone()).await {
            Err(error) if error.class == Class::Quota && !surplus.is_empty() => {
                revoke(aws, group_id, direction, surplus).await?;
                authorize(aws, group_id, direction, missing).await
            }
            Err(error) => Err(error),
            Ok(()) => revoke(aws, group_id, direction, surplus).await,
        }
    }
}

async fn make_equal(aws: &Writer, group_id: &str, direction: Direction, wanted: &[Rule]) -> Result<(), AwsError> {
    let mut rounds = 1..ROUNDS;
    loop {
        let difference = Difference::between(&permissions(aws, group_id, direction).await?, wanted)?;
        match difference.settle(aws, group_id, direction).await {
            // A rule came or went in between: by somebody else, or by an attempt of ours whose answer was lost.
            Err(error) if matches!(error.class, Class::Exists | Class::NotFound) && rounds.next().is_some() => {}
            result => return result,
        }
    }
}

async fn permissions(aws: &Reader, group_id: &str, direction: Direction) -> Result<Vec<IpPermission>, AwsError> {
    let answer = aws.ec2().describe_security_groups().group_ids(group_id).send().await.doing("ec2:DescribeSecurityGroups", group_id)?;
    let group = answer
        .security_groups()
        .first()
        .ok_or_else(|| AwsError::new("ec2:DescribeSecurityGroups", group_id, Class::NotFound, "the security group does not exist"))?;
    Ok(match direction {
        Direction::Ingress => group.ip_permissions(),
        Direction::Egress => group.ip_permissions_egress(),
    }
    .to_vec())
}

async fn authorize(aws: &Writer, group_id: &str, direction: Direction, rules: Vec<IpPermission>) -> Result<(), AwsError> {
    if rules.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let request = aws.ec2().authorize_security_group_ingress().group_id(group_id).set_ip_permissions(Some(rules));
            request.send().await.doing("ec2:AuthorizeSecurityGroupIngress", group_id).map(|_| ())
        }
        Direction::Egress => {
            let request = aws.ec2().authorize_security_group_egress().group_id(group_id).set_ip_permissions(Some(rules));
            request.send().await.doing("ec2:AuthorizeSecurityGroupEgress", group_id).map(|_| ())
        }
    }
}

async fn revoke(aws: &Writer, group_id: &str, direction: Direction, rules: Vec<IpPermission>) -> Result<(), AwsError> {
    if rules.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Ingress => {
            let request = aws.ec2().revoke_security_group_ingress().group_id(group_id).set_ip_permissions(Some(rules));
            request.send().await.doing("ec2:RevokeSecurityGroupIngress", group_id).map(|_| ())
        }
        Direction::Egress => {
            let request = aws.ec2().revoke_security_group_egress().group_id(group_id).set_ip_permissions(Some(rules));
            request.send().await.doing("ec2:RevokeSecurityGroupEgress", group_id).map(|_| ())
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::resources::model::{Key, Place, Scope};

    fn rule(protocol: &str, ports: Option<(i32, i32)>, peer: &str) -> Rule {
        let (from_port, to_port) = ports.unzip();
        Rule { protocol: protocol.into(), from_port, to_port, peer: Id::Known(peer.into()) }
    }

    /// Two blocks, an IPv6 block, a prefix list and a group on one port, as AWS merges them.
    fn merged() -> IpPermission {
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(IpRange::builder().cidr_ip("10.0.0.0/16").description("office").build())
            .ip_ranges(IpRange::builder().cidr_ip("10.1.0.0/16").build())
            .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("2001:db8::/32").build())
            .prefix_list_ids(PrefixListId::builder().prefix_list_id("pl-1").build())
            .user_id_group_pairs(UserIdGroupPair::builder().group_id("sg-1").user_id("123456789012").build())
            .build()
    }

    /// What AWS puts into a group as it makes it: <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>
    fn everything_out() -> IpPermission {
        IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build()
    }

    #[test]
    fn a_merged_permission_is_a_rule_for_each_peer() {
        let rules: Vec<Rule> = by_rule(&[merged()]).into_keys().collect();
        let peers = ["10.0.0.0/16", "10.1.0.0/16", "2001:db8::/32", "pl-1", "sg-1"];
        assert_eq!(rules, peers.map(|peer| rule("tcp", Some((443, 443)), peer)));
    }

    #[test]
    fn a_rule_survives_the_way_to_aws_and_back() {
        let rules = [
            rule("tcp", Some((1024, 65535)), "sg-1"),
            rule("udp", Some((53, 53)), "10.0.0.0/8"),
            rule("-1", None, "::/0"),
            rule("icmp", None, "0.0.0.0/0"),
            rule("icmp", Some((8, 0)), "0.0.0.0/0"),
            rule("icmpv6", None, "::/0"),
            rule("50", None, "pl-1"),
        ];
        for rule in rules {
            let there = rule.permission().expect("a permission");
            assert_eq!(by_rule(&[there]).into_keys().collect::<Vec<_>>(), [rule]);
        }
    }

    #[test]
    fn a_protocol_by_its_number_is_the_same_rule() {
        assert_eq!(rule("6", Some((443, 443)), "sg-1").normal(), rule("tcp", Some((443, 443)), "sg-1"));
        assert_eq!(rule("-1", Some((-1, -1)), "sg-1").normal(), rule("-1", None, "sg-1"));
        assert_eq!(rule("1", Some((-1, -1)), "sg-1").normal(), rule("icmp", None, "sg-1"));
    }

    #[test]
    fn only_the_difference_is_changed() {
        let wanted = [rule("tcp", Some((443, 443)), "10.0.0.0/16"), rule("tcp", Some((80, 80)), "10.0.0.0/16")];
        let difference = Difference::between(&[merged(), everything_out()], &wanted).expect("a difference");
        assert_eq!(difference.missing, [wanted[1].permission().expect("a permission")]);
        // Each alone, the description left out and the account of the group kept.
        assert_eq!(difference.surplus.len(), 5);
        assert!(difference.surplus.contains(&everything_out()));
        let group = difference.surplus.iter().find_map(|alone| alone.user_id_group_pairs().first());
        assert_eq!(group.and_then(|pair| pair.user_id()), Some("123456789012"));
    }

    #[test]
    fn a_group_has_two_rule_sets_that_are_ours_as_it_is() {
        let key = Key::new(&Scope::infra_group("high", "one", "ig-1"), Kind::SecurityGroup, "tasks");
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let group = Live::new(Kind::SecurityGroup, &place, "sg-9", key.tags(), &serde_json::json!({}));
        let answer = Ec2SecurityGroup::builder().ip_permissions_egress(everything_out()).build();
        let [ingress, egress] = live(&group, "tasks", &answer);
        assert_eq!(ingress.owner(), Some(Key::new(&key.scope, Kind::SecurityGroupRules, "tasks-ingress")));
        assert_eq!((ingress.id.as_str(), egress.id.as_str()), ("sg-9/ingress", "sg-9/egress"));
        assert_eq!(ingress.shape::<SecurityGroupRules>().expect("its shape").rules, []);
        assert_eq!(egress.shape::<SecurityGroupRules>().expect("its shape").rules, [rule("-1", None, "0.0.0.0/0")]);
    }
}
