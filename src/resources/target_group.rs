//! The target group of one tenant: what the load balancer sends its requests to, and its health check.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Changed, Field, Id, Live, Scope, ShapeError, Tags, Wanted};
use super::{Kind, ReadScope, Reading, Resource, Stage, Writes, elb_tags, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html>
const PAGE: i32 = 400;
/// Up to this many calls by load balancer and by name are made instead of listing what is left: a Region has 3,000
/// target groups unless its quota was raised, that is 8 pages.
const FEW_CALLS: usize = 3;

/// Field of a live target group, beside those of [`TargetGroup`]: the load balancers with a rule that leads to it.
const LOAD_BALANCERS: &str = "load_balancer_arns";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetGroup {
    pub target_group_name: String,
    pub vpc_id: Id,
    pub protocol: String,
    pub port: i32,
    pub target_type: String,
    /// By AWS's name (`health_check_path`, `health_check_interval_seconds`, `health_check_timeout_seconds`,
    /// `healthy_threshold_count`, `unhealthy_threshold_count`, `matcher`): only those that the spec sets.
    pub health_check: BTreeMap<String, Value>,
    /// By AWS's key, as `deregistration_delay.timeout_seconds`: only those that the spec sets.
    pub attributes: BTreeMap<String, String>,
}

/// The keys of `TargetGroup::health_check`, typed: intervals in seconds, `matcher` as HTTP codes (`200-299`).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HealthCheck {
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<i32>,
    health_check_timeout_seconds: Option<i32>,
    healthy_threshold_count: Option<i32>,
    unhealthy_threshold_count: Option<i32>,
    matcher: Option<String>,
}

pub struct TargetGroups;

#[async_trait]
impl Resource for TargetGroups {
    fn writes(&self) -> Writes {
        Writes {
            create: &["elasticloadbalancing:CreateTargetGroup"],
            update: &["elasticloadbalancing:AddTags"],
            delete: &["elasticloadbalancing:DeleteTargetGroup"],
        }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("target_group_name"),
                Field::replace("vpc_id"),
                Field::replace("protocol"),
                Field::replace("port"),
                Field::replace("target_type"),
                Field::update("health_check"),
                Field::update("attributes"),
            ]
        }
    }

    fn stage(&self) -> Stage {
        Stage::Second
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Vpc, Kind::LoadBalancer]
    }

    /// Those in the VPCs of the infra groups that are read, and whoever holds one of our names; in a narrow read only
    /// those of the tenants in question, by name. Their tags come later, together with those of listeners and rules.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let (aws, scope) = (reading.aws, reading.scope);
        let vpcs: BTreeSet<&str> =
            reading.ours(Kind::Vpc).map(|live| live.id.as_str()).chain(scope.foreign_vpcs.iter().map(String::as_str)).collect();
        let listed = list(reading).await?;
        let found: Vec<types::TargetGroup> = listed.into_iter().filter(|group| is_asked_for(group, &vpcs, scope)).collect();
        stream::iter(found)
            .map(|group| async move {
                let (arn, name) = (group.target_group_arn().unwrap_or_default(), group.target_group_name().unwrap_or_default());
                let with_attributes = scope.with_target_group_attributes && scope.wants_name(Kind::TargetGroup, name);
                let attributes = if with_attributes { attributes(aws, arn).await? } else { BTreeMap::new() };
                let mut live = Live::new(Kind::TargetGroup, reading.place, arn, Tags::new(), &normal(&group, attributes)).named(name);
                live.fields.insert(LOAD_BALANCERS.into(), group.load_balancer_arns().into());
                Ok(live)
            })
            .buffered(elb_tags::AT_ONCE)
            .try_collect()
            .await
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["attributes"]
    }

    /// A create with the settings of an existing target group returns that one, so the name is looked up first.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: TargetGroup = wanted.shape()?;
        let action = "elasticloadbalancing:CreateTargetGroup";
        let arn = match by_name(aws, &shape.target_group_name).await? {
            Some(there) => {
                let arn = elb_tags::adopt(aws, action, there.target_group_arn().unwrap_or_default(), wanted).await?;
                let there = normal(&there, BTreeMap::new());
                if immutable(&there) != immutable(&shape) {
                    let message = format!("{arn} has the name, and another VPC, protocol, port or target type");
                    return Err(AwsError::new(action, &wanted.key, Class::Exists, message));
                }
                arn
            }
            None => {
                let check = health_check(&shape)?;
                let made = aws
                    .elb()
                    .create_target_group()
                    .name(&shape.target_group_name)
                    .vpc_id(shape.vpc_id.known()?)
                    .protocol(shape.protocol.as_str().into())
                    .port(shape.port)
                    .target_type(shape.target_type.as_str().into())
                    .set_health_check_path(check.health_check_path)
                    .set_health_check_interval_seconds(check.health_check_interval_seconds)
                    .set_health_check_timeout_seconds(check.health_check_timeout_seconds)
                    .set_healthy_threshold_count(check.healthy_threshold_count)
                    .set_unhealthy_threshold_count(check.unhealthy_threshold_count)
                    .set_matcher(check.matcher.map(matcher))
                    .set_tags(Some(tags::to_elb(&wanted.tags)))
                    .send()
                    .await
                    .doing(action, &wanted.key)?;
                made.target_groups().first().and_then(|one| one.target_group_arn()).unwrap_or_default().to_string()
            }
        };
        set_attributes(aws, &arn, &shape.attributes).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: TargetGroup = wanted.shape()?;
        if changed.has("health_check") {
            // All that the spec sets, since AWS checks the timeout against the interval.
            let check = health_check(&shape)?;
            aws.elb()
                .modify_target_group()
                .target_group_arn(&live.id)
                .set_health_check_path(check.health_check_path)
                .set_health_check_interval_seconds(check.health_check_interval_seconds)
                .set_health_check_timeout_seconds(check.health_check_timeout_seconds)
                .set_healthy_threshold_count(check.healthy_threshold_count)
                .set_unhealthy_threshold_count(check.unhealthy_threshold_count)
                .set_matcher(check.matcher.map(matcher))
                .send()
                .await
                .doing("elasticloadbalancing:ModifyTargetGroup", &wanted.key)?;
        }
        let attributes = shape.attributes.into_iter().filter(|(key, _)| changed.has(&format!("attributes.{key}"))).collect();
        set_attributes(aws, &live.id, &attributes).await?;
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let subject = live.name.as_deref().unwrap_or(&live.id);
        let deleted = aws.elb().delete_target_group().target_group_arn(&live.id).send().await;
        match deleted.doing("elasticloadbalancing:DeleteTargetGroup", subject) {
            Err(error) if error.class == Class::NotFound => Ok(()),
            Err(error) if error.class == Class::InUse => {
                let users = load_balancers(aws, &live.id).await;
                let message = match users.is_empty() {
                    true => error.message,
                    false => format!("a rule or listener of {} still forwards to it", users.join(", ")),
                };
                Err(AwsError { message, ..error })
            }
            other => other.map(drop),
        }
    }
}

/// Lists the target groups of the place. A narrow read of a place with many stops after the first page where a few
/// calls find the tenants' own: by our load balancers, and by the names of those that none of them forwards to yet.
/// Listeners are read at the same time as this, so load balancers of other teams are not known, and all is listed.
async fn list(reading: &Reading<'_>) -> Result<Vec<types::TargetGroup>, AwsError> {
    let (aws, scope) = (reading.aws, reading.scope);
    let mut found: Vec<types::TargetGroup> = Vec::new();
    let mut marker = None;
    loop {
        let answer = aws.elb().describe_target_groups().page_size(PAGE).set_marker(marker).send().await;
        let answer = answer.doing("elasticloadbalancing:DescribeTargetGroups", reading.place)?;
        marker = answer.next_marker().filter(|marker| !marker.is_empty()).map(Into::into);
        found.extend(answer.target_groups.unwrap_or_default());
        if marker.is_none() {
            return Ok(found);
        }
        let names = scope.names_of(Kind::TargetGroup).count();
        let is_few = names > 0 && reading.load_balancers().count() + names <= FEW_CALLS;
        if scope.is_narrow() && scope.foreign_listeners.is_empty() && is_few {
            break;
        }
    }
    for load_balancer in reading.load_balancers() {
        found.extend(of_load_balancer(aws, &load_balancer.id).await?);
    }
    for name in scope.names_of(Kind::TargetGroup) {
        if !found.iter().any(|group| group.target_group_name() == Some(name)) {
            found.extend(by_name(aws, name).await?);
        }
    }
    found.sort_by(|a, b| a.target_group_arn().cmp(&b.target_group_arn()));
    found.dedup_by(|a, b| a.target_group_arn() == b.target_group_arn());
    Ok(found)
}

async fn of_load_balancer(aws: &Reader, arn: &str) -> Result<Vec<types::TargetGroup>, AwsError> {
    let mut found = Vec::new();
    let mut pages = aws.elb().describe_target_groups().load_balancer_arn(arn).page_size(PAGE).into_paginator().items().send();
    while let Some(group) = pages.next().await {
        match group.doing("elasticloadbalancing:DescribeTargetGroups", arn) {
            Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
            group => found.push(group?),
        }
    }
    Ok(found)
}

async fn by_name(aws: &Reader, name: &str) -> Result<Option<types::TargetGroup>, AwsError> {
    let answer = aws.elb().describe_target_groups().names(name).send().await;
    match answer.doing("elasticloadbalancing:DescribeTargetGroups", name) {
        Err(error) if error.class == Class::NotFound => Ok(None),
        answer => Ok(answer?.target_groups().first().cloned()),
    }
}

/// ARNs of the load balancers that a live target group is used with.
pub fn used_with(live: &Live) -> impl Iterator<Item = &str> {
    live.fields.get(LOAD_BALANCERS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The load balancers whose rules or listeners forward to a target group, as far as AWS will say.
async fn load_balancers(aws: &Reader, arn: &str) -> Vec<String> {
    match aws.elb().describe_target_groups().target_group_arns(arn).send().await {
        Ok(answer) => answer.target_groups().iter().flat_map(|group| group.load_balancer_arns()).cloned().collect(),
        Err(_) => Vec::new(),
    }
}

fn is_asked_for(group: &types::TargetGroup, vpcs: &BTreeSet<&str>, scope: &ReadScope) -> bool {
    let name = group.target_group_name().unwrap_or_default();
    let in_our_vpcs = || group.vpc_id().is_some_and(|id| vpcs.contains(id));
    let of_a_tenant_asked_for = || scope.tenants.as_ref().is_none_or(|tenants| is_named_after(name, tenants));
    // A tenant may live in another infra group, and VPC, than the one that it is asked for in.
    scope.wants_name(Kind::TargetGroup, name) || if scope.is_narrow() { of_a_tenant_asked_for() } else { in_our_vpcs() }
}

/// A name is the tenant's, cut to what AWS takes, and a hash of what AWS cannot change: the hash of a target group that
/// is to be replaced is another one, and nobody knows that of a tenant whose spec is gone.
fn is_named_after(name: &str, tenants: &BTreeSet<Scope>) -> bool {
    let prefix = name.rsplit_once('-').map(|(prefix, _)| prefix).filter(|prefix| !prefix.is_empty());
    prefix.is_some_and(|prefix| tenants.iter().filter_map(|scope| scope.tenant.as_deref()).any(|tenant| tenant.contains(prefix)))
}

fn normal(group: &types::TargetGroup, attributes: BTreeMap<String, String>) -> TargetGroup {
    let check = HealthCheck {
        health_check_path: group.health_check_path().map(Into::into),
        health_check_interval_seconds: group.health_check_interval_seconds(),
        health_check_timeout_seconds: group.health_check_timeout_seconds(),
        healthy_threshold_count: group.healthy_threshold_count(),
        unhealthy_threshold_count: group.unhealthy_threshold_count(),
        matcher: group.matcher().and_then(|matcher| matcher.http_code().or(matcher.grpc_code())).map(Into::into),
    };
    let check = match serde_json::to_value(check) {
        Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => BTreeMap::new(),
    };
    TargetGroup {
        target_group_name: group.target_group_name().unwrap_or_default().into(),
        vpc_id: Id::Known(group.vpc_id().unwrap_or_default().into()),
        protocol: group.protocol().map(|protocol| protocol.as_str()).unwrap_or_default().into(),
        port: group.port().unwrap_or_default(),
        target_type: group.target_type().map(|kind| kind.as_str()).unwrap_or_default().into(),
        health_check: check,
        attributes,
    }
}

fn immutable(group: &TargetGroup) -> (&Id, &str, i32, &str) {
    (&group.vpc_id, &group.protocol, group.port, &group.target_type)
}

fn health_check(shape: &TargetGroup) -> Result<HealthCheck, ShapeError> {
    let fields = Value::Object(shape.health_check.clone().into_iter().collect());
    serde_json::from_value(fields).map_err(|error| ShapeError(error.to_string()))
}

fn matcher(codes: String) -> types::Matcher {
    types::Matcher::builder().http_code(codes).build()
}

/// One target group a call.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroupAttributes.html>
async fn attributes(aws: &Reader, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let answer = aws.elb().describe_target_group_attributes().target_group_arn(arn).send().await;
    let answer = answer.doing("elasticloadbalancing:DescribeTargetGroupAttributes", arn)?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    Ok(answer.attributes().iter().map(|attribute| (text(attribute.key()), text(attribute.value()))).collect())
}

async fn set_attributes(aws: &Writer, arn: &str, attributes: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if attributes.is_empty() {
        return Ok(());
    }
    let attribute = |(key, value)| types::TargetGroupAttribute::builder().key(key).value(value).build();
    let request = aws.elb().modify_target_group_attributes().target_group_arn(arn);
    let request = request.set_attributes(Some(attributes.iter().map(attribute).collect()));
    request.send().await.doing("elasticloadbalancing:ModifyTargetGroupAttributes", arn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{Matcher, ProtocolEnum, TargetTypeEnum};

    fn answer(name: &str, vpc: &str) -> types::TargetGroup {
        types::TargetGroup::builder()
            .target_group_arn(format!("arn:{name}"))
            .target_group_name(name)
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .vpc_id(vpc)
            .health_check_protocol(ProtocolEnum::Http)
            .health_check_port("traffic-port")
            .health_check_enabled(true)
            .health_check_interval_seconds(30)
            .health_check_timeout_seconds(5)
            .healthy_threshold_count(5)
            .unhealthy_threshold_count(2)
            .health_check_path("/healthz")
            .matcher(Matcher::builder().http_code("200-299").build())
            .target_type(TargetTypeEnum::Ip)
            .protocol_version("HTTP1")
            .build()
    }

    fn narrow(tenant: &str, names: &[&str]) -> ReadScope {
        let tenant = Scope::infra_group("high", "cell-1", "ig-1").with_tenant(tenant);
        let mut scope = ReadScope::default();
        names.iter().for_each(|name| scope.take_name(Kind::TargetGroup, *name, &tenant));
        ReadScope { tenants: Some([tenant].into()), ..scope }
    }

    #[test]
    fn the_health_check_goes_both_ways() {
        let shape = normal(&answer("acme-0123456789", "vpc-1"), BTreeMap::new());
        let expected = json!({
            "health_check_path": "/healthz", "health_check_interval_seconds": 30, "health_check_timeout_seconds": 5,
            "healthy_threshold_count": 5, "unhealthy_threshold_count": 2, "matcher": "200-299",
        });
        assert_eq!(json!(shape.health_check), expected);
        let back = health_check(&shape).map(|check| (check.matcher, check.healthy_threshold_count)).ok();
        assert_eq!(back, Some((Some("200-299".into()), Some(5))));
    }

    #[test]
    fn an_unknown_health_check_key_is_an_error() {
        let mut shape = normal(&answer("acme-0123456789", "vpc-1"), BTreeMap::new());
        shape.health_check.insert("health_check_colour".into(), json!("green"));
        assert!(health_check(&shape).is_err());
    }

    #[test]
    fn all_of_our_vpcs_are_read() {
        let scope = ReadScope { tenants: None, ..narrow("acme", &["acme-0123456789"]) };
        let vpcs = BTreeSet::from(["vpc-1"]);
        assert!(is_asked_for(&answer("globex-0123456789", "vpc-1"), &vpcs, &scope));
        assert!(!is_asked_for(&answer("globex-0123456789", "vpc-2"), &vpcs, &scope));
        assert!(is_asked_for(&answer("acme-0123456789", "vpc-2"), &vpcs, &scope), "whoever holds the name");
    }

    #[test]
    fn a_narrow_read_takes_the_tenants_alone_whatever_their_hash() {
        let scope = narrow("acme", &[]);
        let vpcs = BTreeSet::from(["vpc-1"]);
        assert!(is_asked_for(&answer("acme-abcdefabcd", "vpc-1"), &vpcs, &scope));
        assert!(is_asked_for(&answer("acme-abcdefabcd", "vpc-2"), &vpcs, &scope), "it may live in another VPC");
        assert!(!is_asked_for(&answer("acme-eu-abcdefabcd", "vpc-1"), &vpcs, &scope));
        assert!(!is_asked_for(&answer("globex-abcdefabcd", "vpc-1"), &vpcs, &scope));
        let scope = narrow("a-tenant-whose-name-is-long", &[]);
        assert!(is_asked_for(&answer("a-tenant-whose-name-i-abcdefabcd", "vpc-1"), &vpcs, &scope));
    }
}
