//! The Application Load Balancer of an infra group, and its attributes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{Changed, Condition, Field, Fields, Id, Key, Live, Tags, Wanted};
use super::{Kind, Reading, Resource, Writes, elb_tags, tags};
use crate::aws::{AwsError, Class, Doing, Reader, Writer};

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>
const PAGE: i32 = 400;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub load_balancer_name: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    pub subnet_ids: Vec<Id>,
    pub security_group_ids: Vec<Id>,
    /// By AWS's key, as `deletion_protection.enabled`: only those managed; on a live one all, or none in a narrow read.
    pub attributes: BTreeMap<String, String>,
}

/// Field of a live load balancer that nobody can want otherwise: where its requests go.
pub const DNS_NAME: &str = "dns_name";

pub struct LoadBalancers;

#[async_trait]
impl Resource for LoadBalancers {
    fn writes(&self) -> Writes {
        Writes { create: &["elasticloadbalancing:CreateLoadBalancer"], update: &[], delete: &["elasticloadbalancing:DeleteLoadBalancer"] }
    }

    fn fields(&self) -> &'static [Field] {
        const {
            &[
                Field::replace("load_balancer_name"),
                Field::replace("scheme"),
                Field::update("subnet_ids").set(),
                Field::update("security_group_ids").set(),
                Field::update("attributes"),
            ]
        }
    }

    /// Listeners can be added while it is being provisioned, which takes minutes.
    fn is_needed_ready(&self) -> bool {
        false
    }

    /// A narrow read looks only at those whose name is asked for, and leaves their tags for later, together with those of
    /// listeners and target groups.
    async fn read(&self, reading: &Reading<'_>) -> Result<Vec<Live>, AwsError> {
        let (aws, scope) = (reading.aws, reading.scope);
        let mut listed = Vec::new();
        let mut pages = aws.elb().describe_load_balancers().page_size(PAGE).into_paginator().items().send();
        while let Some(load_balancer) = pages.next().await {
            let load_balancer = load_balancer.doing("elasticloadbalancing:DescribeLoadBalancers", reading.place)?;
            if !scope.is_narrow() || scope.wants_name(Kind::LoadBalancer, load_balancer.load_balancer_name().unwrap_or_default()) {
                listed.push(load_balancer);
            }
        }
        let arns: Vec<String> = listed.iter().filter_map(|one| one.load_balancer_arn()).map(Into::into).collect();
        let mut tags_by_arn = if scope.is_narrow() { BTreeMap::new() } else { elb_tags::read(aws, &arns).await? };

        let live = |load_balancer: &types::LoadBalancer, tags: Tags| {
            let arn = load_balancer.load_balancer_arn().unwrap_or_default();
            let shape = normal(load_balancer);
            let mut live = Live::new(Kind::LoadBalancer, reading.place, arn, tags, &shape)
                .named(&shape.load_balancer_name)
                .in_condition(condition_of(load_balancer));
            live.fields.insert(DNS_NAME.into(), load_balancer.dns_name().into());
            live
        };
        let mut found = Vec::new();
        for load_balancer in listed {
            let tags = tags_by_arn.remove(load_balancer.load_balancer_arn().unwrap_or_default());
            // Without tags it has gone since it was listed, unless they were not asked for.
            let Some(tags) = tags.or(scope.is_narrow().then(Tags::new)) else { continue };
            if Key::from_tags(Kind::LoadBalancer, &tags).is_some_and(|key| scope.shows(&key.scope))
                || scope.wants_name(Kind::LoadBalancer, load_balancer.load_balancer_name().unwrap_or_default())
            {
                found.push(live(&load_balancer, tags));
            }
        }
        Ok(found)
    }

    /// Only a full read compares attributes.
    fn in_detail(&self, reading: &Reading<'_>) -> Vec<String> {
        match reading.scope.is_narrow() {
            true => Vec::new(),
            false => reading.ours(Kind::LoadBalancer).map(|live| live.id.clone()).collect(),
        }
    }

    async fn details(&self, aws: &Reader, arn: &str) -> Result<Fields, AwsError> {
        Ok(Fields::from_iter([("attributes".to_string(), json!(attributes(aws, arn).await?))]))
    }

    fn set_after_creation(&self) -> &'static [&'static str] {
        &["attributes"]
    }

    /// AWS has no token for this create, and one with the settings of an existing load balancer returns that one.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>
    async fn create(&self, aws: &Writer, wanted: &Wanted) -> Result<String, AwsError> {
        let shape: LoadBalancer = wanted.shape()?;
        let action = "elasticloadbalancing:CreateLoadBalancer";
        let arn = match by_name(aws, &shape.load_balancer_name).await? {
            Some(arn) => elb_tags::adopt(aws, action, &arn, wanted).await?,
            None => {
                let made = aws
                    .elb()
                    .create_load_balancer()
                    .r#type(types::LoadBalancerTypeEnum::Application)
                    .name(&shape.load_balancer_name)
                    .scheme(shape.scheme.as_str().into())
                    .set_subnets(Some(Id::all_known(&shape.subnet_ids)?))
                    .set_security_groups(Some(Id::all_known(&shape.security_group_ids)?))
                    .set_tags(Some(tags::to_elb(&wanted.tags)))
                    .send()
                    .await
                    .doing(action, &wanted.key)?;
                made.load_balancers().first().and_then(|one| one.load_balancer_arn()).unwrap_or_default().to_string()
            }
        };
        set_attributes(aws, &arn, &shape.attributes).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Writer, live: &Live, wanted: &Wanted, changed: &Changed) -> Result<String, AwsError> {
        let shape: LoadBalancer = wanted.shape()?;
        let arn = &live.id;
        if changed.has("security_group_ids") {
            let request = aws.elb().set_security_groups().load_balancer_arn(arn);
            let request = request.set_security_groups(Some(Id::all_known(&shape.security_group_ids)?));
            request.send().await.doing("elasticloadbalancing:SetSecurityGroups", &wanted.key)?;
        }
        if changed.has("subnet_ids") {
            let request = aws.elb().set_subnets().load_balancer_arn(arn).set_subnets(Some(Id::all_known(&shape.subnet_ids)?));
            request.send().await.doing("elasticloadbalancing:SetSubnets", &wanted.key)?;
        }
        let attributes = shape.attributes.into_iter().filter(|(key, _)| changed.has(&format!("attributes.{key}"))).collect();
        set_attributes(aws, arn, &attributes).await?;
        Ok(arn.clone())
    }

    /// Its listeners and their rules go with it; one that is gone is no error to AWS either.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>
    async fn delete(&self, aws: &Writer, live: &Live) -> Result<(), AwsError> {
        let subject = live.name.as_deref().unwrap_or(&live.id);
        let deleted = aws.elb().delete_load_balancer().load_balancer_arn(&live.id).send().await;
        match deleted.doing("elasticloadbalancing:DeleteLoadBalancer", subject) {
            Err(error) if error.class == Class::NotFound => Ok(()),
            Err(error) if error.code.as_deref() == Some("OperationNotPermitted") => Err(AwsError {
                message: "its deletion protection is on: set `deletion_protection: false` under `load_balancer` in the tier's spec \
                          and run `tierctl apply` first"
                    .into(),
                ..error
            }),
            other => other.map(drop),
        }
    }

    async fn condition(&self, aws: &Reader, id: &str, _wanted: &Wanted) -> Result<Condition, AwsError> {
        let answer = aws.elb().describe_load_balancers().load_balancer_arns(id).send().await;
        match answer.doing("elasticloadbalancing:DescribeLoadBalancers", id) {
            Err(error) if error.class == Class::NotFound => Ok(Condition::Absent(format!("AWS does not list {id}"))),
            answer => Ok(answer?.load_balancers().first().map_or(Condition::Ready, condition_of)),
        }
    }
}

/// Its attributes come from a request of their own.
fn normal(load_balancer: &types::LoadBalancer) -> LoadBalancer {
    let known = |id: &str| Id::Known(id.to_string());
    LoadBalancer {
        load_balancer_name: load_balancer.load_balancer_name().unwrap_or_default().into(),
        scheme: load_balancer.scheme().map(|scheme| scheme.as_str()).unwrap_or_default().into(),
        subnet_ids: load_balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).map(known).collect(),
        security_group_ids: load_balancer.security_groups().iter().map(|id| known(id)).collect(),
        attributes: BTreeMap::new(),
    }
}

/// An impaired one routes requests all the same: it only lacks what it needs to grow.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html>
fn condition_of(load_balancer: &types::LoadBalancer) -> Condition {
    use types::LoadBalancerStateEnum::{Failed, Provisioning};
    let state = load_balancer.state();
    match state.and_then(|state| state.code()) {
        Some(Provisioning) => Condition::Pending("AWS is setting up the load balancer".into()),
        Some(Failed) => {
            let reason = state.and_then(|state| state.reason()).unwrap_or("AWS gave no reason");
            Condition::Failed(format!("AWS could not set up the load balancer: {reason}"))
        }
        _ => Condition::Ready,
    }
}

async fn by_name(aws: &Reader, name: &str) -> Result<Option<String>, AwsError> {
    let answer = aws.elb().describe_load_balancers().names(name).send().await;
    match answer.doing("elasticloadbalancing:DescribeLoadBalancers", name) {
        Err(error) if error.class == Class::NotFound => Ok(None),
        answer => Ok(answer?.load_balancers().first().and_then(|one| one.load_balancer_arn()).map(Into::into)),
    }
}

/// One load balancer a call.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancerAttributes.html>
async fn attributes(aws: &Reader, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let answer = aws.elb().describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
    let answer = answer.doing("elasticloadbalancing:DescribeLoadBalancerAttributes", arn)?;
    let text = |text: Option<&str>| text.unwrap_or_default().to_string();
    Ok(answer.attributes().iter().map(|attribute| (text(attribute.key()), text(attribute.value()))).collect())
}

async fn set_attributes(aws: &Writer, arn: &str, attributes: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if attributes.is_empty() {
        return Ok(());
    }
    let attribute = |(key, value)| types::LoadBalancerAttribute::builder().key(key).value(value).build();
    let request = aws.elb().modify_load_balancer_attributes().load_balancer_arn(arn);
    let request = request.set_attributes(Some(attributes.iter().map(attribute).collect()));
    request.send().await.doing("elasticloadbalancing:ModifyLoadBalancerAttributes", arn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{AvailabilityZone, LoadBalancerSchemeEnum, LoadBalancerState, LoadBalancerStateEnum};

    fn in_state(code: LoadBalancerStateEnum) -> types::LoadBalancer {
        let zone = |zone: &str, subnet: &str| AvailabilityZone::builder().zone_name(zone).subnet_id(subnet).build();
        types::LoadBalancer::builder()
            .load_balancer_name("high-tps-0123456789")
            .scheme(LoadBalancerSchemeEnum::InternetFacing)
            .availability_zones(zone("us-east-1a", "subnet-a"))
            .availability_zones(zone("us-east-1b", "subnet-b"))
            .security_groups("sg-1")
            .state(LoadBalancerState::builder().code(code).reason("no free addresses in subnet-a").build())
            .build()
    }

    #[test]
    fn subnets_come_from_the_zones() {
        let known = |id: &str| Id::Known(id.into());
        let expected = LoadBalancer {
            load_balancer_name: "high-tps-0123456789".into(),
            scheme: "internet-facing".into(),
            subnet_ids: vec![known("subnet-a"), known("subnet-b")],
            security_group_ids: vec![known("sg-1")],
            attributes: BTreeMap::new(),
        };
        assert_eq!(normal(&in_state(LoadBalancerStateEnum::Active)), expected);
    }

    #[test]
    fn only_a_failed_one_will_never_be_ready() {
        assert_eq!(condition_of(&in_state(LoadBalancerStateEnum::Active)), Condition::Ready);
        assert_eq!(condition_of(&in_state(LoadBalancerStateEnum::ActiveImpaired)), Condition::Ready);
        assert!(matches!(condition_of(&in_state(LoadBalancerStateEnum::Provisioning)), Condition::Pending(_)));
        let failed = condition_of(&in_state(LoadBalancerStateEnum::Failed));
        assert_eq!(failed, Condition::Failed("AWS could not set up the load balancer: no free addresses in subnet-a".into()));
    }
}
