//! The addresses registered in the target group of a tenant that runs outside ECS: a closed set.

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthDescription, TargetHealthStateEnum};
use futures::{StreamExt, TryStreamExt, stream};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::model::{Changed, Condition, Field, Fields, Id, Live, Scope, TAG_APPLIED, TAG_RESOURCE, Wanted};
use super::{Kind, Reading, Resource, Stage, Writes, elb_tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// Targets in one request. AWS names no limit; this is what the AWS Load Balancer Controller sends.
const BATCH: usize = 200;
/// Targets that are listed one by one when they are not healthy.
const NAMED: usize = 5;
/// Zone of an address outside the VPC, and the only one that an Application Load Balancer takes for it.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html>
const ALL_ZONES: &str = "all";
/// Value of the tag `tierctl:resource`, which targets share with nothing: their other tags are their target group's.
pub const NAME: &str = "targets";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    pub target_group_arn: Id,
    pub port: i32,
    /// IPv4 addresses; draining ones are gone already. A live one on another port is listed with it, `10.0.0.5:9090`.
    pub addresses: Vec<String>,
    /// Blocks of the VPC, where known: an address outside them is registered with the zone `all`. Not compared.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_cidrs: Vec<String>,
}

pub struct TargetSets;

#[async_trait]
impl Resource for TargetSets {
    fn writes(&self) -> Writes {
        Writes { create: &["elasticloadbalancing:RegisterTargets"], update: &[], delete: &["elasticloadbalancing:DeregisterTargets"] }
    }

    fn fields(&self) -> &'static [Field] {
        const { &[Field::replace("target_group_arn"), Field::replace("port"), Field::update("addresses").set()] }
    }

    fn stage(&self) -> Stage {
        Stage::Last
    }

    fn found_through(&self) -> &'static [Kind] {
        &[Kind::Cluster, Kind::TargetGroup]
    }

    fn is_tagged(&self) -> bool {
        false
    }

    fn record_tag(&self, _fields: &Fields) -> Option<String> {
        Some(format!("{TAG_APPLIED}:targets"))
    }

    /// One call for each tenant that runs outside ECS; a target group without addresses has no targets.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let scope = reading.scope;
        let has_cluster =
            |tenant: &Scope| reading.ours(Kind::Cluster).any(|cluster| cluster.owner().is_some_and(|key| key.scope == *tenant));
        let registers = |tenant: &Scope| scope.address_tenants.contains(tenant) || scope.finds_address_tenants && !has_cluster(tenant);
        let groups: Vec<Live> =
            reading.ours(Kind::TargetGroup).filter(|group| group.owner().is_some_and(|key| registers(&key.scope))).cloned().collect();
        let aws = reading.aws;
        let found: Vec<Option<Live>> = stream::iter(groups)
            .map(|group| async move { Ok::<_, AwsError>(live(&group, &registered(aws, &group.id).await?)) })
            .buffered(elb_tags::AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: Targets = wanted.shape()?;
        let arn = shape.target_group_arn.known()?;
        register(aws, arn, &shape, &BTreeSet::new(), wanted).await?;
        Ok(arn.to_string())
    }

    /// Asks again what is registered, since a closed set has to end as it is wanted, not merely as the plan saw it.
    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        if changed.has("addresses") {
            let shape: Targets = wanted.shape()?;
            let there = registered(aws, &live.id).await?;
            register(aws, &live.id, &shape, &there.iter().filter_map(address).collect(), wanted).await?;
            let is_wanted = |target: &&TargetHealthDescription| {
                address(target).is_some_and(|(id, port)| port == shape.port && shape.addresses.contains(&id))
            };
            deregister(aws, &live.id, there.iter().filter(|target| !is_wanted(target))).await?;
        }
        Ok(live.id.clone())
    }

    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let there = registered(aws, &live.id).await?;
        deregister(aws, &live.id, there.iter()).await
    }

    async fn condition(&self, aws: &Reader, id: &str, wanted: &Wanted) -> Result<Condition, AwsError> {
        let shape: Targets = wanted.shape()?;
        let there = registered(aws, id).await?;
        let known: BTreeSet<(String, i32)> = there.iter().filter_map(address).collect();
        let missing = shape.addresses.iter().find(|id| !known.contains(&((*id).clone(), shape.port)));
        Ok(match missing {
            Some(id) => Condition::Pending(format!("AWS does not list {id}:{} yet", shape.port)),
            None => health(&there),
        })
    }

    /// Requests under way are finished for as long as the target group's deregistration delay says.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>
    async fn departure(&self, aws: &Reader, live: &Live) -> Result<Condition, AwsError> {
        let draining = described(aws, &live.id).await?.iter().filter(|target| is_draining(target)).count();
        Ok(match draining {
            0 => Condition::Ready,
            some => Condition::Pending(format!("{some} targets finish the requests that they are answering")),
        })
    }
}

/// What a target group holds, draining targets too; nothing if it is gone. One target group a call, which does not page.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html>
async fn described(aws: &Reader, arn: &str) -> Result<Vec<TargetHealthDescription>, AwsError> {
    let answer = aws.elb().describe_target_health().target_group_arn(arn).send().await;
    match answer.doing("elasticloadbalancing:DescribeTargetHealth", arn) {
        Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
        answer => Ok(answer?.target_health_descriptions.unwrap_or_default()),
    }
}

async fn registered(aws: &Reader, arn: &str) -> Result<Vec<TargetHealthDescription>, AwsError> {
    let mut targets = described(aws, arn).await?;
    targets.retain(|target| !is_draining(target));
    Ok(targets)
}

async fn register(aws: &Writer, arn: &str, shape: &Targets, there: &BTreeSet<(String, i32)>, wanted: &Wanted) -> Result<(), AwsError> {
    let missing = shape.addresses.iter().filter(|id| !there.contains(&((*id).clone(), shape.port)));
    let targets: Vec<TargetDescription> = missing.map(|id| target(id, shape)).collect();
    for batch in targets.chunks(BATCH) {
        let request = aws.elb().register_targets().target_group_arn(arn).set_targets(Some(batch.to_vec()));
        request.send().await.doing("elasticloadbalancing:RegisterTargets", &wanted.key)?;
    }
    Ok(())
}

/// As AWS described them: with port and zone, which tell two targets of one address apart. Those that are gone are no
/// error, unless others of the same request were kept back with them.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>
async fn deregister(aws: &Writer, arn: &str, targets: impl Iterator<Item = &TargetHealthDescription>) -> Result<(), AwsError> {
    let targets: Vec<TargetDescription> = targets.filter_map(|target| target.target().cloned()).collect();
    for batch in targets.chunks(BATCH) {
        let request = aws.elb().deregister_targets().target_group_arn(arn).set_targets(Some(batch.to_vec()));
        match request.send().await.doing("elasticloadbalancing:DeregisterTargets", arn) {
            Err(error) if error.class == Class::NotFound => {}
            Err(error) if error.code.as_deref() == Some("InvalidTarget") => {
                let left = registered(aws, arn).await?;
                if left.iter().filter_map(|target| target.target()).any(|target| batch.contains(target)) {
                    return Err(error);
                }
            }
            answer => drop(answer?),
        }
    }
    Ok(())
}

fn target(id: &str, shape: &Targets) -> TargetDescription {
    let is_inside = |block: &str| block.parse::<IpNet>().ok().zip(id.parse::<IpAddr>().ok()).is_none_or(|(net, ip)| net.contains(&ip));
    let outside = !shape.vpc_cidrs.is_empty() && !shape.vpc_cidrs.iter().any(|block| is_inside(block));
    TargetDescription::builder().id(id).port(shape.port).set_availability_zone(outside.then(|| ALL_ZONES.into())).build()
}

/// None where no address is registered.
fn live(group: &Live, registered: &[TargetHealthDescription]) -> Option<Live> {
    let port = group.fields.get("port").and_then(|port| port.as_i64()).and_then(|port| i32::try_from(port).ok()).unwrap_or_default();
    let written = |(id, on): (String, i32)| if on == port { id } else { format!("{id}:{on}") };
    let mut addresses: Vec<String> = registered.iter().filter_map(address).map(written).collect();
    addresses.sort();
    if addresses.is_empty() {
        return None;
    }
    let shape = Targets { target_group_arn: Id::Known(group.id.clone()), port, addresses, vpc_cidrs: Vec::new() };
    let mut tags = group.tags.clone();
    tags.insert(TAG_RESOURCE.into(), NAME.into());
    Some(Live::new(Kind::Targets, &group.place, &group.id, tags, &shape).in_condition(health(registered)))
}

fn address(target: &TargetHealthDescription) -> Option<(String, i32)> {
    let target = target.target()?;
    Some((target.id()?.to_string(), target.port()?))
}

fn state(target: &TargetHealthDescription) -> Option<&TargetHealthStateEnum> {
    target.target_health()?.state()
}

fn is_draining(target: &TargetHealthDescription) -> bool {
    matches!(state(target), Some(TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining))
}

/// Ready when all are healthy. Anything else can still become so, whatever it says now.
fn health(targets: &[TargetHealthDescription]) -> Condition {
    let sick: Vec<&TargetHealthDescription> =
        targets.iter().filter(|target| state(target) != Some(&TargetHealthStateEnum::Healthy)).collect();
    if sick.is_empty() {
        return Condition::Ready;
    }
    let mut said = vec![format!("{} of {} targets healthy", targets.len() - sick.len(), targets.len())];
    said.extend(sick.iter().take(NAMED).map(|target| in_words(target)));
    if sick.len() > NAMED {
        said.push(format!("and {} more", sick.len() - NAMED));
    }
    Condition::Pending(said.join("; "))
}

/// As `10.0.0.5:8080 unhealthy: Target.ResponseCodeMismatch, Health checks failed with these codes: [503]`.
fn in_words(target: &TargetHealthDescription) -> String {
    let who = address(target).map_or_else(|| "a target".to_string(), |(id, port)| format!("{id}:{port}"));
    let health = target.target_health();
    let state = state(target).map_or("unknown", TargetHealthStateEnum::as_str);
    let reason = health.and_then(|health| health.reason()).map(|reason| reason.as_str());
    let why: Vec<&str> = reason.into_iter().chain(health.and_then(|health| health.description())).collect();
    if why.is_empty() { format!("{who} {state}") } else { format!("{who} {state}: {}", why.join(", ")) }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::resources::model::{Key, Place};
    use aws_sdk_elasticloadbalancingv2::types::{TargetHealth, TargetHealthReasonEnum};
    use serde_json::json;

    fn described(
        id: &str,
        port: i32,
        state: TargetHealthStateEnum,
        why: Option<(TargetHealthReasonEnum, &str)>,
    ) -> TargetHealthDescription {
        let (reason, description) = why.map(|(reason, description)| (reason, description.to_string())).unzip();
        TargetHealthDescription::builder()
            .target(TargetDescription::builder().id(id).port(port).availability_zone("us-east-1a").build())
            .health_check_port(port.to_string())
            .target_health(TargetHealth::builder().state(state).set_reason(reason).set_description(description).build())
            .build()
    }

    fn group() -> Live {
        let place = Place { account: "123456789012".into(), region: "us-east-1".into() };
        let key = Key::new(&Scope::infra_group("high", "cell-1", "ig-1").with_tenant("initech"), Kind::TargetGroup, "target-group");
        Live::new(Kind::TargetGroup, &place, "arn:tg", key.tags(), &json!({ "port": 8080 }))
    }

    #[test]
    fn targets_are_owned_through_their_target_group() {
        let healthy = described("10.0.0.5", 8080, TargetHealthStateEnum::Healthy, None);
        let elsewhere = described("10.0.0.4", 9090, TargetHealthStateEnum::Healthy, None);
        let live = live(&group(), &[healthy, elsewhere]);
        let owner = live.as_ref().and_then(Live::owner).map(|key| key.to_string());
        assert_eq!(owner.as_deref(), Some("targets targets of high/cell-1/ig-1/initech"));
        let addresses = live.as_ref().map(|live| live.fields["addresses"].clone());
        assert_eq!(addresses, Some(json!(["10.0.0.4:9090", "10.0.0.5"])));
        assert_eq!(live.map(|live| (live.id, live.condition)), Some(("arn:tg".into(), Condition::Ready)));
    }

    #[test]
    fn no_address_is_no_targets() {
        assert_eq!(live(&group(), &[]), None);
    }

    #[test]
    fn what_is_not_healthy_is_named_with_its_reason() {
        let targets = [
            described("10.0.0.4", 8080, TargetHealthStateEnum::Healthy, None),
            described(
                "10.0.0.5",
                8080,
                TargetHealthStateEnum::Initial,
                Some((TargetHealthReasonEnum::RegistrationInProgress, "Target registration is in progress")),
            ),
            described(
                "10.0.0.6",
                8080,
                TargetHealthStateEnum::Unused,
                Some((TargetHealthReasonEnum::NotInUse, "Target is in an Availability Zone that is not enabled for the load balancer")),
            ),
        ];
        let said = "1 of 3 targets healthy; 10.0.0.5:8080 initial: Elb.RegistrationInProgress, Target registration is in progress; \
                    10.0.0.6:8080 unused: Target.NotInUse, Target is in an Availability Zone that is not enabled for the load balancer";
        assert_eq!(health(&targets), Condition::Pending(said.into()));
    }

    #[test]
    fn only_the_first_few_are_named() {
        let targets: Vec<_> = (1..=9).map(|n| described(&format!("10.0.0.{n}"), 80, TargetHealthStateEnum::Unhealthy, None)).collect();
        let Condition::Pending(said) = health(&targets) else { panic!("none is healthy") };
        assert!(said.ends_with("10.0.0.5:80 unhealthy; and 4 more"), "{said}");
    }

    #[test]
    fn an_address_outside_the_vpc_is_for_all_zones() {
        let shape = Targets {
            target_group_arn: Id::Known("arn:tg".into()),
            port: 8080,
            addresses: Vec::new(),
            vpc_cidrs: vec!["10.20.0.0/16".into(), "100.64.0.0/16".into()],
        };
        assert_eq!(target("10.20.1.15", &shape).availability_zone(), None);
        assert_eq!(target("100.64.1.15", &shape).availability_zone(), None);
        assert_eq!(target("172.16.0.9", &shape).availability_zone(), Some("all"));
        assert_eq!(target("172.16.0.9", &Targets { vpc_cidrs: Vec::new(), ..shape }).availability_zone(), None);
    }

    #[test]
    fn draining_is_on_its_way_out() {
        assert!(is_draining(&described("10.0.0.5", 80, TargetHealthStateEnum::Draining, None)));
        assert!(is_draining(&described("10.0.0.5", 80, TargetHealthStateEnum::UnhealthyDraining, None)));
        assert!(!is_draining(&described("10.0.0.5", 80, TargetHealthStateEnum::Unhealthy, None)));
    }
}
